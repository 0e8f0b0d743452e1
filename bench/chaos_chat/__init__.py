"""`make chaos-chat`: attacks conversations with kills of worker and page, many parallel answers, and many turns."""
