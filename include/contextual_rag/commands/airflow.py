"""The command `rag airflow`."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from contextual_rag.commands.console import err, fail
from contextual_rag.embedded.airflow import environment, last_port, running
from contextual_rag.settings import read_settings

__all__ = ["airflow"]


def airflow(context: typer.Context) -> None:
    """Run Airflow's own command on the Airflow of `rag up --all`."""
    data_dir = read_settings().data_dir
    port = last_port(data_dir)
    if port is None:
        fail(
            f"No Airflow was started on the data in {data_dir}. Start it with `make up`; with another Airflow, use its "
            "own `airflow` command.",
            code="service_unavailable",
        )
    with _paused(context.args, data_dir):
        done = subprocess.run(  # noqa: S603
            [Path(sys.executable).parent / "airflow", *context.args],
            env={**os.environ, "RAG_DATA_DIR": str(data_dir), **environment(data_dir, port)},
            check=False,
        )
    raise typer.Exit(done.returncode)


@contextmanager
def _paused(arguments: Sequence[str], data_dir: Path) -> Iterator[None]:
    """Pause the DAG while a backfill of it is created.

    On SQLite, this fails with "database is locked" if the scheduler starts the first days meanwhile.
    """
    options = ArgumentParser(add_help=False)
    options.add_argument("--dag-id")
    dag: str | None = options.parse_known_args(list(arguments))[0].dag_id
    client = running(data_dir) if dag and list(arguments[:2]) == ["backfill", "create"] else None
    if client is None or dag is None:
        yield
        return
    was_paused = client.dag(dag)["is_paused"]
    client.pause(dag)
    try:
        yield
    finally:
        if was_paused:
            err.print(f"{dag} is paused. The backfill starts when you unpause it.")
        else:
            client.unpause(dag)
        client.close()
