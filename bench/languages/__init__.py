"""Short essays in six languages, each with questions in its language; see `python -m bench.languages`."""
