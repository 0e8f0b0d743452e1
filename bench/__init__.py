"""Measurements and campaigns: they drive the project from outside, like tests, but take longer.

Code shared with tests is here, so that a campaign needs no test libraries.
"""
