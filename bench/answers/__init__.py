"""`make answers`: measures the offline answers over real essays and other texts, half by half."""
