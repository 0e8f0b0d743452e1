"""Measures the quality of an index with questions whose answers are known."""
