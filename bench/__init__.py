"""Measurements and campaigns: they drive the project from outside, as tests do, and need more time than tests have.

What tests and campaigns share stands here, so that a campaign runs without a test's library; tests import it.
"""
