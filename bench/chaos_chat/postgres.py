"""Runs a private PostgreSQL server, if its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contextual_rag.embedded.loopback import free_port

__all__ = ["installed", "postgres"]

_USER = "postgres"


def installed() -> bool:
    """Whether a server can run here."""
    return all(shutil.which(program) for program in ("initdb", "pg_ctl"))


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server on loopback with an empty database; yield its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        data = Path(folder) / "data"
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam(_USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        _run("initdb", "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        _run("pg_ctl", "-D", str(data), "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
        finally:
            _run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")


def _run(program: str, *arguments: str) -> None:
    command = [shutil.which(program) or program, *arguments]
    subprocess.run(  # noqa: S603
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        user=_USER if os.geteuid() == 0 else None,
    )
