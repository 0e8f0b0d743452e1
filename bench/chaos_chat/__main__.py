"""Runs all parts of the campaign, prints a table, and writes `bench/results/chaos-chat.json`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.table import Column, Table

from bench.chaos_chat.audit import Faults
from bench.chaos_chat.ground import ModelServer, model_server, prepared
from bench.chaos_chat.kills import Survived, kill_often
from bench.chaos_chat.load import Endured, Streamed, endure, stream_at_once
from bench.chaos_chat.postgres import installed, postgres
from bench.progress import bars
from contextual_rag.embedded.services import STORES, running
from contextual_rag.settings import Settings

__all__ = ["main"]

RESULTS = Path(__file__).parents[1] / "results" / "chaos-chat.json"
_TALKERS = 6
_CONVERSATIONS = 20
_KILLED_TOKENS_PER_S = 100.0
_STREAMED_TOKENS_PER_S = 50.0
_MAX_GAP_MS = 250.0
# More than a Python process grows by itself, less than 0.01 MB per turn.
_MAX_GROWTH_MB = 10.0
_SHOWN = 20


def main() -> int:
    """Run the campaign; return 1 if anything was lost, doubled, wrong, repeated, slow or leaked."""
    asked = _arguments()
    console = Console()
    began = time.monotonic()
    folder = Path(mkdtemp(prefix="chaos-chat-"))
    try:
        with ExitStack() as stack:
            services = stack.enter_context(running(STORES, data_dir=folder / "stores"))
            part = stack.enter_context(bars(console))

            def ground(name: str, tokens_per_s: float | None) -> tuple[Settings, ModelServer]:
                server = stack.enter_context(model_server(tokens_per_s))
                own = {"bucket": f"chat-{name}", "data_dir": folder / name}
                return prepared(services.settings().model_copy(update=own), server), server

            settings, server = ground("kills", _KILLED_TOKENS_PER_S)
            databases = {"SQLite": settings}
            if asked.postgresql and installed():
                url = SecretStr(stack.enter_context(postgres()))
                databases["PostgreSQL"] = settings.model_copy(update={"conversations_url": url})
            killed = {
                database: kill_often(
                    on,
                    server,
                    turns=asked.turns,
                    kills=asked.kills,
                    page_kills=asked.page_kills,
                    talkers=_TALKERS,
                    seed=asked.seed,
                    progress=part(database, asked.turns),
                )
                for database, on in databases.items()
            }
            streamed = stream_at_once(
                *ground("streams", _STREAMED_TOKENS_PER_S),
                conversations=_CONVERSATIONS,
                turns=asked.streams,
                seed=asked.seed,
                progress=part("streams", _CONVERSATIONS * asked.streams),
            )
            endured = endure(
                *ground("memory", None),
                turns=asked.many,
                talkers=_TALKERS,
                seed=asked.seed,
                progress=part("memory", asked.many),
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _show(console, killed, streamed, endured)
    faults = _faults(killed, streamed, endured)
    for name, lines in faults.items():
        for line in lines[:_SHOWN]:
            console.print(f"[red]{name}[/]", line, markup=True, highlight=False)
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    result = _result(faults, killed, streamed, endured)
    result |= {"seed": asked.seed, "seconds": round(time.monotonic() - began)}
    asked.results.write_text(json.dumps(result, indent=2) + "\n")
    console.print(f"{asked.results}, after {result['seconds']} s", highlight=False)
    return 1 if any(faults.values()) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=300, help="while workers are killed, %(default)s")
    parser.add_argument("--kills", type=int, default=100, help="of the worker, in each database, %(default)s")
    parser.add_argument("--page-kills", type=int, default=20, help="of the page's server, %(default)s")
    parser.add_argument("--streams", type=int, default=15, help="turns of each of 20 conversations, %(default)s")
    parser.add_argument("--many", type=int, default=1000, help="turns of one worker, %(default)s")
    parser.add_argument("--no-postgresql", dest="postgresql", action="store_false")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def _faults(killed: dict[str, Survived], streamed: Streamed, endured: Endured) -> dict[str, list[str]]:
    """Return the faults, by the names of the results file."""
    every: list[tuple[str, Faults]] = [(database, survived.faults) for database, survived in killed.items()]
    every += [("streams", streamed.faults), ("memory", endured.faults)]
    faults = {
        name: [f"{where}: {line}" for where, found in every for line in getattr(found, name)] for name in Faults._fields
    }
    slow = f"p95 of the gaps between tokens is {streamed.p95_ms:.0f} ms"
    grew = f"the worker's memory grew by {endured.growth_mb:.1f} MB"
    faults["slow"] = [slow] if streamed.p95_ms > _MAX_GAP_MS else []
    faults["grew"] = [grew] if endured.growth_mb > _MAX_GROWTH_MB else []
    return faults


def _result(
    faults: dict[str, list[str]], killed: dict[str, Survived], streamed: Streamed, endured: Endured
) -> dict[str, Any]:
    return {
        "turns": sum(survived.turns for survived in killed.values()),
        "kills": sum(survived.kills for survived in killed.values()),
        "page_kills": sum(survived.page_kills for survived in killed.values()),
        **{name: len(faults[name]) for name in Faults._fields},
        "p95_token_gap_ms": round(streamed.p95_ms, 1),
        "databases": list(killed),
        "answers_begun_again": sum(survived.restarted for survived in killed.values()),
        "streamed_turns": streamed.turns,
        "token_gaps": streamed.gaps,
        "p50_token_gap_ms": round(streamed.p50_ms, 1),
        "p99_token_gap_ms": round(streamed.p99_ms, 1),
        "memory_turns": endured.turns,
        "memory_growth_mb": round(endured.growth_mb, 1),
    }


def _show(console: Console, killed: dict[str, Survived], streamed: Streamed, endured: Endured) -> None:
    table = Table("part", Column("what happened", ratio=1), Column("faults", justify="right"), box=None)
    for database, survived in killed.items():
        table.add_row(
            database,
            f"{survived.turns} turns of {_TALKERS} people, the worker killed {survived.kills} times and the page's "
            f"server {survived.page_kills} times; answers restarted while a reader followed: {survived.restarted}",
            str(sum(map(len, survived.faults))),
        )
    table.add_row(
        "streams",
        f"{streamed.turns} turns of {_CONVERSATIONS} conversations at once, {_STREAMED_TOKENS_PER_S:.0f} tokens a "
        f"second each; gaps between pieces {streamed.p50_ms:.0f} ms (median), {streamed.p95_ms:.0f} ms (p95), "
        f"{streamed.p99_ms:.0f} ms (p99)",
        str(sum(map(len, streamed.faults))),
    )
    table.add_row(
        "memory",
        f"{endured.turns} turns of one worker: {endured.memory_mb[0]:.0f} MB after a third, "
        f"{endured.memory_mb[1]:.0f} MB at the end",
        str(sum(map(len, endured.faults))),
    )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
