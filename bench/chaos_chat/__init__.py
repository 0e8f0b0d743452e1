"""`make chaos-chat`: attacks conversations by kills of worker and page, many answers at once, and many turns."""
