"""Makes texts of readers and models storable in both databases."""

from __future__ import annotations

__all__ = ["storable"]


def storable(text: str) -> str:
    """Remove NUL, which PostgreSQL refuses, and lone surrogates, which UTF-8 cannot encode."""
    return text.replace("\x00", "").encode(errors="ignore").decode()
