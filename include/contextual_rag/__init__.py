"""Contextual retrieval over a changing body of essays."""
