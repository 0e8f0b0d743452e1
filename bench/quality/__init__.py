"""How well retrieval does on everything there is: `make quality` writes the figures, a page and a plot."""
