"""Reads a file in a process of its own, which may take only so much time and memory.

A file of a few kilobytes can stand for gigabytes, or for a calculation without an end. Whatever it does to the process
that reads it, the run goes on: the file is named with the reason.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from threading import BoundedSemaphore
from typing import Final, NamedTuple

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.readers.blocks import Block
from contextual_rag.readers.document import Read

__all__ = ["Limits", "read_alone"]

_CHILD: Final = "contextual_rag.readers.child"
# A process that waits for its turn on a busy machine uses no time of the processor.
_WAITS, _WAITS_AT_LEAST_S = 4, 30
_SLOTS: Final = BoundedSemaphore(2)


class Limits(NamedTuple):
    """What reading one file may take: seconds of the processor, and megabytes of memory."""

    seconds: int = 60
    megabytes: int = 1000


def read_alone(reader: str, body: bytes, limits: Limits) -> Read:
    """Return what a reader of `child.READERS` finds in a file. Raises EmptyDocumentError with the reason."""
    command = [sys.executable, "-m", _CHILD, reader, str(limits.seconds), str(limits.megabytes)]
    # It has no need of our keys, and finds the same packages.
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    patience_s = max(_WAITS * limits.seconds, _WAITS_AT_LEAST_S)
    with _SLOTS:
        try:
            done = subprocess.run(  # noqa: S603
                command,
                input=body,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=patience_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _too_slow(limits) from None
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise _too_slow(limits)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise EmptyDocumentError(
            f"reading it ended the process that did (exit code {done.returncode})", code="empty_document_broken"
        ) from None
    if code := found.get("code"):
        raise EmptyDocumentError(found["message"], code=code)
    blocks = [Block(text, kind, "", where=where, head=head) for text, kind, where, head in found["blocks"]]
    return Read(found["title"], found["date"], blocks, len(blocks), authors=tuple(found["authors"]))


def _too_slow(limits: Limits) -> EmptyDocumentError:
    return EmptyDocumentError(
        f"reading it takes more than {limits.seconds} s (RAG_READER_TIMEOUT_S)", code="empty_document_too_slow"
    )
