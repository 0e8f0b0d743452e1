"""The page that people ask on, and the API beside it."""
