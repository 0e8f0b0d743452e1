"""The commands of `rag`, by what they are about."""
