"""Question answering: from a question and an index version to a cited answer. Pure, except for the ports passed in."""
