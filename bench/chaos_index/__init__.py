"""`make chaos-index`: attacks index versions with real processes on the real embedded stores."""
