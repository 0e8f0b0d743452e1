"""Folders that belong to one user of the machine."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

__all__ = ["private_folder"]


def private_folder(folder: Path) -> Path:
    """Return a folder that its owner alone can enter: made so, or closed to others now.

    It stays as it is if it is somebody else's, or shared by all users as /tmp is.
    """
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid == os.getuid() and not found.st_mode & stat.S_ISVTX:
            folder.chmod(0o700)
    return folder
