"""Random secrets of the embedded services, stored in the data folder."""

from __future__ import annotations

import secrets
from pathlib import Path

__all__ = ["secret"]


def secret(data_dir: Path, name: str) -> str:
    """Return a secret; the first call creates it. Only the owner may read its file."""
    path = data_dir / "secrets" / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text()
