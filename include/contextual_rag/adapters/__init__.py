"""All network and disk: each library of the outside world is imported in one module here."""
