"""The commands `rag up` and `rag demo`."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape

from contextual_rag import face
from contextual_rag.commands.ask import print_answer
from contextual_rag.commands.console import err, fail, out, say_offline
from contextual_rag.errors import ServiceUnavailableError
from contextual_rag.extras import needs
from contextual_rag.noun import noun
from contextual_rag.settings import PROJECT, read_settings
from contextual_rag.wiring import connect

if TYPE_CHECKING:
    from contextual_rag.versions.records import Manifest

__all__ = ["demo", "up"]

_SAMPLE = PROJECT / "sample_site"


def up(
    everything: Annotated[
        bool, typer.Option("--all", help="Also run Airflow, the sample site, the worker and the page.")
    ] = False,
    site: Annotated[Path | None, typer.Option(help="The folder of the site to serve.")] = None,
    edition: Annotated[int, typer.Option(min=1, help="The sample site's day.")] = 1,
) -> None:
    """Run object store and Milvus, or everything, until Ctrl-C."""
    needs("embedded")
    from contextual_rag.embedded.services import ALL, STORES, running

    _end_on_signals()
    chosen = ALL if everything else STORES
    try:
        with ExitStack() as stack:
            with err.status("Starting…"):
                services = stack.enter_context(
                    running(chosen, data_dir=read_settings().data_dir, site=site, edition=edition)
                )
            err.print("[green]ready[/]; Ctrl-C stops everything")
            for name, port in services.ports.items():
                err.print(f"  {name:>12}  http://127.0.0.1:{port}")
            if everything:
                err.print(f"  Airflow: user admin, password {services.airflow_password}")
            # At once, since the others may take long to stop.
            err.print(escape(services.wait()), soft_wrap=True, highlight=False)
    except KeyboardInterrupt:
        err.print("stopped")
    else:
        raise ServiceUnavailableError("All services were stopped, since one of them ended: see above.")


def demo(
    site: Annotated[Path | None, typer.Option(help="The folder of the site to index.")] = None,
    edition: Annotated[int, typer.Option(min=1, help="The sample site's day.")] = 1,
    question: Annotated[str, typer.Option(help="The question to ask.")] = "What to do in the face of uncertainty?",
    max_failed_share: Annotated[float | None, typer.Option(min=0, max=1)] = None,
) -> None:
    """Index the sample site through Airflow, ask a question, and stop."""
    needs("embedded")
    from contextual_rag.embedded.demo import build_through_airflow
    from contextual_rag.embedded.services import BUILDING, running

    _end_on_signals()
    conf = {} if max_failed_share is None else {"max_failed_share": max_failed_share}
    started = time.monotonic()
    try:
        settings = read_settings()
        say_offline(settings)
        with out.status("Starting object store, Milvus, sample site and Airflow…"):
            stack = ExitStack()
            services = stack.enter_context(
                running(BUILDING, data_dir=settings.data_dir, site=site or _SAMPLE, edition=edition)
            )
        with stack:
            out.print(f"services ready in {time.monotonic() - started:.1f} s; Airflow at {services.airflow_url}")
            version = build_through_airflow(services, conf, out)
            world = connect(services.settings())
            _print_contents(world.registry.manifest(version))
            out.print(f"\n[bold]{escape(question)}[/]")
            print_answer(face.ask(world, question, version=version))
        out.print(f"[dim]everything stopped; {time.monotonic() - started:.0f} s in all[/]")
    except KeyboardInterrupt:
        fail("Interrupted. Everything was stopped.", code="interrupted")


# The figures of a version that a person wants to know first.
_MEASURED = {
    "recall@5": "of the words that answer its questions are in the first five passages",
    "answered": "of its questions get an answer with the words of a right one",
    "silent": "of its questions that the {many} do not answer get none",
}


def _print_contents(manifest: Manifest) -> None:
    out.print(f"{noun().counted(len(manifest.essays))}, {manifest.chunks} chunks")
    for name, what in _MEASURED.items():
        if name in manifest.quality:
            out.print(f"  {manifest.quality[name]:4.0%} {what.format(many=noun().many)}")
    shown = 3
    for failure in manifest.failed[:shown]:
        out.print(f"  [red]failed[/] {escape(failure.slug)}: {escape(failure.reason)}")
    if len(manifest.failed) > shown:
        out.print(f"  [red]failed[/] … and {len(manifest.failed) - shown} more; the manifest lists all")


def _end_on_signals() -> None:
    """End in order on SIGTERM and SIGINT, even if a shell started us in the background with SIGINT ignored."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
