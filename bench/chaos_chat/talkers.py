"""Simulated people: each asks one question after the other, follows the answer, reloads, and posts twice."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from contextual_rag.conversation.model import Event, TextEvent, Thread
from contextual_rag.conversation.progress import Progress

__all__ = ["Followed", "Line", "Talk", "talk"]

_NOUNS = ("lamp", "ferry", "orchard", "bell", "ledger", "kiln", "bridge", "harbour", "mill", "tower", "market", "well")
# The time limit for an answer, including kills of workers.
_PATIENCE_S = 180.0


class Line(Protocol):
    """How people reach the conversations: through the client in their own process, or through the API; no login."""

    def start_thread(self, owner: None, /) -> Thread:
        """Start a conversation."""

    def ask(self, thread_id: str, owner: None, question: str, /, *, turn_id: str) -> object:
        """Ask its next question; a repeated call changes nothing."""

    def follow(self, turn_id: str, owner: None, /, *, offset: int) -> Iterator[Event | None]:
        """Yield the events from an offset on until the turn is over, and None if none arrives."""


class Followed(NamedTuple):
    """A turn as its asker saw it: the mark in its question, the shown text, and the gaps between pieces in seconds."""

    mark: str
    turn_id: str
    shown: str
    restarted: int
    gaps: list[float]


class Talk(NamedTuple):
    """A conversation: its thread, and its turns in the order of asking."""

    thread_id: str
    followed: list[Followed]


def talk(
    line: Line,
    *,
    talkers: int,
    turns: int,
    seed: int,
    on_answer: Callable[[], object] = lambda: None,
    tools: bool = True,
) -> list[Talk]:
    """Let `talkers` people ask `turns` questions each, all at once; call `on_answer` after each answer."""
    with ThreadPoolExecutor(talkers) as pool:
        people = [
            pool.submit(_converse, line, t, turns, random.Random(f"{seed} {t}"), on_answer, tools)
            for t in range(talkers)
        ]
        return [person.result() for person in people]


def _converse(
    line: Line, t: int, turns: int, chance: random.Random, on_answer: Callable[[], object], tools: bool
) -> Talk:
    thread = line.start_thread(None)
    followed = []
    for n in range(turns):
        mark = f"t{t}q{n}"
        turn_id = uuid.UUID(int=chance.getrandbits(128)).hex
        question = f"{mark}: {_question(chance, n, mark, tools)}"
        for _ in range(chance.choice((1, 1, 2))):
            line.ask(thread.id, None, question, turn_id=turn_id)
        followed.append(_follow(line, mark, turn_id, chance))
        on_answer()
    return Talk(thread.id, followed)


def _question(chance: random.Random, n: int, mark: str, tools: bool) -> str:
    one, other = chance.sample(_NOUNS, 2)
    plain = f"By whom was the {one} kept, and what was the {other} worth?"
    asked = (
        plain,
        "And what was it worth?" if n else plain,
        f"What was the {one} worth? search also for {mark} {other}",
        f"Who kept the {one}? read the essay {other}, then search also for {mark} {one}",
        f"Of what edition is the {one}, and which versions are there?",
    )
    return chance.choice(asked if tools else asked[:1])


def _follow(line: Line, mark: str, turn_id: str, chance: random.Random) -> Followed:
    """Follow an answer to its end; sometimes leave and come back to the same place, like a reloaded page."""
    progress, seen, gaps = Progress(), 0, []
    last: tuple[str, float] | None = None
    gives_up_at = time.monotonic() + _PATIENCE_S
    over = False
    while not over:
        leaves_after = chance.randrange(5, 60)
        over = True
        for event in line.follow(turn_id, None, offset=seen):
            now = time.monotonic()
            if now > gives_up_at:
                break
            if event is None:
                continue
            progress, seen, leaves_after = progress.after(event), seen + 1, leaves_after - 1
            if isinstance(event, TextEvent):
                if last and last[0] == event.attempt:
                    gaps.append(now - last[1])
                last = event.attempt, now
            if leaves_after == 0:
                over = False
                break
    return Followed(mark, turn_id, progress.text, progress.restarted, gaps)
