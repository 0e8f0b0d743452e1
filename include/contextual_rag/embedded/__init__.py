"""Servers that run inside the project, so that it can be tried with nothing else installed."""
