"""Keeping what others wrote apart from what we say in a prompt."""

from __future__ import annotations

import re

__all__ = ["fenced"]


def fenced(text: str, *tags: str) -> str:
    """Return a text in which nothing opens or closes one of these tags; all else stays as it is, to be quoted."""
    return re.sub(rf"<(?=\s*/?\s*(?:{'|'.join(tags)}))", "&lt;", text, flags=re.IGNORECASE)
