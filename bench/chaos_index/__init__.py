"""`make chaos-index`: attacks the life of index versions with real processes on the real embedded stores."""
