"""The process that reads one file: `python -m contextual_rag.readers.child READER SECONDS MEGABYTES`.

The file is its standard input. Its standard output is one JSON object: what was read, or a code and the reason.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from contextual_rag.errors import EmptyDocumentError

__all__ = ["READERS", "main"]

# Each is `read` of a module.
READERS: Final = ("pdf", "docx", "pptx", "xlsx", "epub")
_TOO_LARGE, _BROKEN = "empty_document_too_large", "empty_document_broken"
_MOST_CHARACTERS: Final = 10_000_000


def main(reader: str, seconds: str, megabytes: str) -> None:
    """Read standard input, and write what was found."""
    most = int(megabytes) * 1_000_000
    # macOS has no such limit.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # What libraries print must not get between.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    logging.disable()
    warnings.simplefilter("ignore")
    if reader not in READERS:
        raise SystemExit(2)
    found = _found(import_module(f"contextual_rag.readers.{reader}").read, megabytes)
    out.write(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    out.flush()
    # Nothing is left to do, and taking a deep tree of objects apart could still fail.
    os._exit(0)


def _found(read: Callable[[bytes], Any], megabytes: str) -> dict[str, Any]:
    try:
        found = read(sys.stdin.buffer.read())
        if sum(len(block.text) for block in found.blocks) > _MOST_CHARACTERS:
            return _refused(_TOO_LARGE, f"its text has more than {_MOST_CHARACTERS:,} characters")
    except MemoryError:
        return _refused(_TOO_LARGE, f"reading it takes more than {megabytes} MB of memory (RAG_READER_MEMORY_MB)")
    except RecursionError:
        return _refused(_BROKEN, "its parts are nested too deep")
    except EmptyDocumentError as error:
        return {"code": error.code, "message": str(error)}
    except Exception as error:  # noqa: BLE001  libraries raise anything over a damaged file, and this is the end of it
        said = " ".join(str(error).split())[:200]
        return _refused(_BROKEN, f"it is damaged ({type(error).__name__}: {said})")
    blocks = [(block.text, block.kind, block.where, block.head) for block in found.blocks]
    return {"title": found.title, "date": found.date, "authors": found.authors, "blocks": blocks}


def _refused(code: str, why: str) -> dict[str, Any]:
    return {"code": code, "message": why}


if __name__ == "__main__":
    main(*sys.argv[1:])
