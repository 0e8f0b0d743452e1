"""The page "Index versions": quality and cost of every version, and the differences between two."""
