"""`make quality`: measures retrieval on all available data, and writes the figures, a page and a plot."""
