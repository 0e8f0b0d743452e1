"""Texts of readers and models as both databases can store them."""

from __future__ import annotations

__all__ = ["storable"]


def storable(text: str) -> str:
    """Return a text without NUL, which PostgreSQL refuses, and halves of surrogate pairs, which UTF-8 does not have."""
    return text.replace("\x00", "").encode(errors="ignore").decode()
