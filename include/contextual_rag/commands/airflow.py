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
from dotenv import dotenv_values

from contextual_rag.commands.console import err, fail
from contextual_rag.embedded.airflow import Airflow, environment
from contextual_rag.embedded.loopback import is_free
from contextual_rag.embedded.secrets import secret
from contextual_rag.settings import read_settings, services_file

__all__ = ["airflow"]


def airflow(context: typer.Context) -> None:
    """Run Airflow's own command on the Airflow of `rag up --all`."""
    data_dir = read_settings().data_dir
    port = dotenv_values(services_file(data_dir)).get("RAG_AIRFLOW_PORT")
    if not port:
        fail(
            f"No Airflow was started on the data in {data_dir}. Start it with `make up`; with another Airflow, use its "
            "own `airflow` command.",
            code="service_unavailable",
        )
    with _paused(context.args, int(port), secret(data_dir, "airflow_password")):
        done = subprocess.run(  # noqa: S603
            [Path(sys.executable).parent / "airflow", *context.args],
            env={**os.environ, "RAG_DATA_DIR": str(data_dir), **environment(data_dir, int(port))},
            check=False,
        )
    raise typer.Exit(done.returncode)


@contextmanager
def _paused(arguments: Sequence[str], port: int, password: str) -> Iterator[None]:
    """Pause the DAG while a backfill of it is created.

    On SQLite, this fails with "database is locked" if the scheduler starts the first days meanwhile.
    """
    options = ArgumentParser(add_help=False)
    options.add_argument("--dag-id")
    dag: str | None = options.parse_known_args(list(arguments))[0].dag_id
    if list(arguments[:2]) != ["backfill", "create"] or dag is None or is_free(port):
        yield
        return
    client = Airflow(f"http://127.0.0.1:{port}", password)
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
