"""A deployment that is restored from its backups, with nothing in Milvus."""

from __future__ import annotations

import os
import shutil
import subprocess

from bench.deployment.checks import FaultError, found, questions, world
from bench.deployment.ground import Deployment, stores
from contextual_rag import keys
from contextual_rag.face import build

__all__ = ["restored"]


def restored(deployment: Deployment) -> str:
    """Copy databases and bucket into a new deployment whose Milvus is empty; after a build it must find the same."""
    here = world(deployment)
    build(here, source=here.settings.source_url)
    before = {question: found(here, question) for question in questions()}
    dump = _asked(deployment, "pg_dumpall", "--no-role-passwords")
    (folder := deployment.folder / "restored").mkdir()
    with stores(folder, deployment) as other:
        other.databases()
        _asked(other, "psql", "--quiet", "--file", "-", given=dump)
        there = world(other)
        for key in sorted(here.store.list(""), key=lambda key: key == keys.CURRENT):
            if stored := here.store.get(key):
                there.store.put(key, stored.body)
        if there.vectors.collections():
            raise FaultError("the new Milvus is not empty")
        build(there, source=here.settings.source_url)
        if differ := [question for question in before if found(there, question) != before[question]]:
            raise FaultError(f"{len(differ)} questions find something else: {differ[:3]}")
        turns, again = _turns(deployment), _turns(other)
    if again != turns or not turns:
        raise FaultError(f"{turns} turns were stored, {again} are restored")
    return f"{len(before)} questions find the same in the same order; {turns} stored turns"


def _turns(deployment: Deployment) -> int:
    asked = ("--dbname", "conversations", "--tuples-only", "--command", "SELECT count(*) FROM turn")
    return int(_asked(deployment, "psql", *asked))


def _asked(deployment: Deployment, program: str, *arguments: str, given: str | None = None) -> str:
    """Run a program of PostgreSQL as its administrator; return what it printed."""
    address = ["--host", "127.0.0.1", "--port", str(deployment.ports["postgres"]), "--username", "postgres"]
    environment = os.environ | {"PGPASSWORD": deployment.secret("postgres_password")}
    done = subprocess.run(  # noqa: S603
        [shutil.which(program) or program, *address, *arguments],
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FaultError(f"{program}: {done.stderr[-500:]}")
    return done.stdout
