"""What is in the bytes of a page or file: one reader a media type, each from bytes to a document."""
