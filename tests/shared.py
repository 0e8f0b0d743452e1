"""One object store and one Milvus for all xdist workers: the first worker starts them, and stops them as the last one.

Everybody who uses them holds a shared lock on one file. The worker that started them waits at its end for the lock
alone, which it gets when no other worker uses them. A worker that was killed holds no lock.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock

from contextual_rag.embedded.services import STORES, Services, running

__all__ = ["shared_stores"]

_NAMES = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MILVUS_URI")


@contextmanager
def shared_stores(folder: Path) -> Iterator[Services]:
    """Use the stores of a folder that several processes share, until the block ends."""
    where = folder / "stores.json"
    with (folder / "stores.users").open("w") as users, ExitStack() as stack:
        with FileLock(folder / "stores.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if where.exists():
                services = _read(where)
            else:
                services = stack.enter_context(running(STORES, data_dir=folder / "stores"))
                where.write_text(_written(services))
                stack.callback(_close, where, users.fileno())
        yield services


def _close(where: Path, users: int) -> None:
    """Wait for the other users; whoever comes later starts stores again."""
    fcntl.flock(users, fcntl.LOCK_EX)
    where.unlink()


def _written(services: Services) -> str:
    variables = {name: services.environment[name] for name in _NAMES}
    return json.dumps({"data_dir": str(services.data_dir), "ports": services.ports, "environment": variables})


def _read(where: Path) -> Services:
    said = json.loads(where.read_text())
    return Services(Path(said["data_dir"]), said["ports"], dict(os.environ) | said["environment"])
