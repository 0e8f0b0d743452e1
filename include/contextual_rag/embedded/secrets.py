"""Random secrets of the embedded services, stored in the data folder."""

from __future__ import annotations

import secrets
from pathlib import Path

from contextual_rag.folders import private_folder

__all__ = ["secret"]


def secret(data_dir: Path, name: str) -> str:
    """Return a secret, 32 random bytes in base64; the first call creates it. Only the owner may read its file."""
    path = private_folder(data_dir / "secrets") / name
    path.touch(mode=0o600)
    path.chmod(0o600)
    # It is empty also if a process was killed before it had written it.
    if not (stored := path.read_text()):
        path.write_text(stored := secrets.token_urlsafe(32))
    return stored
