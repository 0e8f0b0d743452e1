"""Writes an answer piece by piece while it is made, by a chat model or from quotations."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from threading import Lock
from typing import Final, NamedTuple

from contextual_rag.conversation.journal import Pen
from contextual_rag.conversation.model import AttemptEvent, TextEvent
from contextual_rag.conversation.storable import storable
from contextual_rag.errors import RetriableError, ServiceUnavailableError
from contextual_rag.ports import ChatModel, Message, ToolCall, ToolSpec, Usage
from contextual_rag.qa.answer import MAX_TOKENS

__all__ = ["CutShortError", "Said", "recite", "speak"]

# A complete text is written a few words at a time.
_WORDS: Final = re.compile(r"(?:\S+\s*){1,4}")


class CutShortError(ServiceUnavailableError):
    """A model's answer broke off after its start. (The adapter has already retried answers that did not start.)"""


class Said(NamedTuple):
    """The text of a round, the tool calls, and when the first word arrived (seconds since 1970)."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    first_at: float | None = None


def speak(pen: Pen, chat: ChatModel, messages: Sequence[Message], tools: Sequence[ToolSpec], n: int) -> Said:
    """Let the model answer in the `n`th round. Raises CutShortError, HaltedError, and what the model raises."""
    attempt = _Attempt(pen, n)

    def receive() -> Said:
        calls, usage = [], Usage()
        with closing(_generator(chat.stream(messages, max_tokens=MAX_TOKENS, tools=tools))) as pieces:
            for piece in pieces:
                if isinstance(piece, ToolCall):
                    calls.append(ToolCall(*map(storable, piece)))
                elif isinstance(piece, Usage):
                    usage += piece
                elif not attempt.write(piece):
                    break
        return Said("".join(attempt.written), tuple(calls), usage, attempt.first_at)

    try:
        return pen.wait_for(receive)
    except RetriableError as error:
        raise (CutShortError(str(error)) if attempt.written else error) from None
    finally:
        attempt.close()


def recite(pen: Pen, text: str) -> Said:
    """Write a complete text piece by piece, like a model's answer."""
    attempt = _Attempt(pen, 0)
    for words in _WORDS.findall(text):
        attempt.write(words)
    return Said(text, first_at=attempt.first_at)


class _Attempt:
    """An attempt at a round. After `close` it writes nothing more, so a reader sees no more than is stored."""

    def __init__(self, pen: Pen, n: int) -> None:
        self.written: list[str] = []
        self.first_at: float | None = None
        self._pen = pen
        self._round = n
        self._id = secrets.token_hex(8)
        self._lock = Lock()
        self._closed = False
        pen.write(AttemptEvent(round=n, attempt=self._id))

    def write(self, text: str) -> bool:
        """Write more text; return False if the attempt is closed."""
        with self._lock:
            if self._closed:
                return False
            text = storable(text)
            self.first_at = self.first_at or time.time()
            self.written.append(text)
            self._pen.write(TextEvent(round=self._round, attempt=self._id, text=text))
            return True

    def close(self) -> None:
        """Refuse further text."""
        with self._lock:
            self._closed = True


def _generator(pieces: Iterator[str | ToolCall | Usage]) -> Generator[str | ToolCall | Usage]:
    """Yield the same pieces; unlike an iterator, a generator can be closed."""
    yield from pieces
