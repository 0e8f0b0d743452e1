"""Asking: a question and an index version in, passages and a cited answer out; pure but for the ports passed in."""
