"""Logs of processes that serve people: they say what failed and where, and quote nothing that a person wrote."""

from __future__ import annotations

import logging
import traceback
from typing import Any

__all__ = ["log_no_texts"]


def log_no_texts() -> None:
    """Log exceptions by class and place from now on, without their messages, which may quote a question.

    Nothing is logged of single requests: their addresses hold the ids of conversations.
    """
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(_is_of_no_request)
    make = logging.getLogRecordFactory()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if record.exc_info and record.exc_info[1]:
            # A formatter that finds this text does not make its own.
            record.exc_text = _places(record.exc_info[1])
        return record

    logging.setLogRecordFactory(made)


def _is_of_no_request(record: logging.LogRecord) -> bool:
    return record.name != "uvicorn.access" and '"WebSocket' not in str(record.msg)


def _places(error: BaseException) -> str:
    """Return the traceback of an exception and of its causes, each with its class alone."""
    parts: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        frames = "".join(traceback.format_tb(cause.__traceback__))
        parts.append(f"{frames}{type(cause).__module__}.{type(cause).__qualname__}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\ncaused by:\n".join(parts)
