"""The page "Index versions": every version, what it cost and how good it is, and what differs between two."""
