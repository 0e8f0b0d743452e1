"""The stages as pure functions: text and numbers in, text and numbers out."""
