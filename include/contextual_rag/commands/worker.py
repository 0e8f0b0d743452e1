"""The command `rag worker`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path
from socket import gethostname
from typing import Annotated, Final

import typer

from contextual_rag.commands.console import err, exit_code, fail, print_error
from contextual_rag.commands.uploads import index_uploads
from contextual_rag.errors import ConflictError
from contextual_rag.logs import log_no_texts
from contextual_rag.settings import read_settings
from contextual_rag.wiring import connect

__all__ = ["worker"]

_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT}
# A worker's sign of life is renewed every two seconds.
_DEAD_AFTER_S: Final = 15.0


def worker(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether a worker of this machine is alive: exit code 0, or 4.")
    ] = False,
) -> None:
    """Answer the questions of conversations until Ctrl-C. The next worker continues unfinished answers."""
    alive = read_settings().data_dir / f"worker-{gethostname()}.alive"
    if check:
        _check(alive)
        return
    from contextual_rag.conversation.worker import work

    def ends(seconds: float) -> bool:
        alive.touch()
        return signal.sigtimedwait(_SIGNALS, seconds) is not None

    # Wait for signals in the loop below: a handler might run while a lock is held that it needs.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    log_no_texts()
    code = 0
    try:
        work(
            connect(),
            ready=lambda name: err.print(f"[green]ready[/]: the worker {name} answers questions; Ctrl-C stops it"),
            ends=ends,
            index=index_uploads if read_settings().uploads else None,
        )
    except ConflictError as error:
        print_error("Conflict", str(error), error.code, as_json=False)
        code = exit_code(error.code)
    # Unfinished turns wait for models in threads that cannot be interrupted.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _check(alive: Path) -> None:
    age_s = time.time() - alive.stat().st_mtime if alive.exists() else None
    if age_s is None or age_s > _DEAD_AFTER_S:
        since = "none has run here" if age_s is None else f"the last sign of life is {age_s:.0f} s old"
        fail(f"No worker of this machine answers questions: {since}. Start `rag worker`.", "service_unavailable")
    err.print("a worker of this machine answers questions")
