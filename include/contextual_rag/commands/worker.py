"""The command `rag worker`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Final

from contextual_rag.commands.console import err, exit_code, print_error
from contextual_rag.errors import ConflictError
from contextual_rag.logs import log_no_texts
from contextual_rag.wiring import connect

__all__ = ["worker"]

_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT}


def worker() -> None:
    """Answer the questions of conversations until Ctrl-C. The next worker continues unfinished answers."""
    from contextual_rag.conversation.worker import work

    # Wait for signals in the loop below: a handler might run while a lock is held that it needs.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    log_no_texts()
    code = 0
    try:
        work(
            connect(),
            ready=lambda name: err.print(f"[green]ready[/]: the worker {name} answers questions; Ctrl-C stops it"),
            ends=lambda seconds: signal.sigtimedwait(_SIGNALS, seconds) is not None,
        )
    except ConflictError as error:
        print_error("Conflict", str(error), error.code, as_json=False)
        code = exit_code(error.code)
    # Unfinished turns wait for models in threads that cannot be interrupted.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
