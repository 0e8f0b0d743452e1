"""Keeps foreign text apart from our own text in a prompt."""

from __future__ import annotations

import re

__all__ = ["fenced"]


def fenced(text: str, *tags: str) -> str:
    """Escape the opening of these tags in a text; the rest stays unchanged, so that it can be quoted."""
    return re.sub(rf"<(?=\s*+/?\s*+(?:{'|'.join(tags)}))", "&lt;", text, flags=re.IGNORECASE)
