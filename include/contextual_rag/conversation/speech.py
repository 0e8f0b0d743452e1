"""What an answer says, told piece by piece while it is said: by a chat model, or quoted where there is none."""

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

# So many words of a text that is there at once are told at a time.
_WORDS: Final = re.compile(r"(?:\S+\s*){1,4}")


class CutShortError(ServiceUnavailableError):
    """A model's answer broke off after it had begun; one that did not begin was tried often enough by its adapter."""


class Said(NamedTuple):
    """What was said in a round, the tools that are wanted, and when the first word came (seconds since 1970)."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    first_at: float | None = None


def speak(pen: Pen, chat: ChatModel, messages: Sequence[Message], tools: Sequence[ToolSpec], n: int) -> Said:
    """Let the model answer in the `n`th round. Raises CutShortError, HaltedError, and what the model raises."""
    telling = _Telling(pen, n)

    def listen() -> Said:
        calls, usage = [], Usage()
        with closing(_generator(chat.stream(messages, max_tokens=MAX_TOKENS, tools=tools))) as pieces:
            for piece in pieces:
                if isinstance(piece, ToolCall):
                    calls.append(ToolCall(*map(storable, piece)))
                elif isinstance(piece, Usage):
                    usage += piece
                elif not telling.tell(piece):
                    break
        return Said("".join(telling.told), tuple(calls), usage, telling.first_at)

    try:
        return pen.await_(listen)
    except RetriableError as error:
        raise (CutShortError(str(error)) if telling.told else error) from None
    finally:
        telling.close()


def recite(pen: Pen, text: str) -> Said:
    """Tell a text that is there already, as if it were said now."""
    telling = _Telling(pen, 0)
    for words in _WORDS.findall(text):
        telling.tell(words)
    return Said(text, first_at=telling.first_at)


class _Telling:
    """An attempt at a round. Once it is closed nothing more of it is told: a reader sees no more than is kept."""

    def __init__(self, pen: Pen, n: int) -> None:
        self.told: list[str] = []
        self.first_at: float | None = None
        self._pen = pen
        self._round = n
        self._attempt = secrets.token_hex(8)
        self._lock = Lock()
        self._closed = False
        pen.write(AttemptEvent(round=n, attempt=self._attempt))

    def tell(self, text: str) -> bool:
        """Tell more; False where nobody listens any more."""
        with self._lock:
            if self._closed:
                return False
            text = storable(text)
            self.first_at = self.first_at or time.time()
            self.told.append(text)
            self._pen.write(TextEvent(round=self._round, attempt=self._attempt, text=text))
            return True

    def close(self) -> None:
        """End the telling."""
        with self._lock:
            self._closed = True


def _generator(pieces: Iterator[str | ToolCall | Usage]) -> Generator[str | ToolCall | Usage]:
    """The same pieces, from something that can be closed."""
    yield from pieces
