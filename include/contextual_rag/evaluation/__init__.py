"""How good an index is: questions with known answers, and what share of them is found."""
