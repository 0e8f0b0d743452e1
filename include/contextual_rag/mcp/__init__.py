"""The Model Context Protocol: what assistants of other programs may search, read and ask."""
