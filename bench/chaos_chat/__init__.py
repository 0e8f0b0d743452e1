"""Attacks conversations: workers killed in the midst of answers, many conversations at once, many turns."""
