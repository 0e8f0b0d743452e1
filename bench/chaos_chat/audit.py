"""Compares the stored and shown answers with the requests and answers of the model server."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bench.chaos_chat.talkers import Talk
from contextual_rag.conversation.client import Conversations
from contextual_rag.conversation.model import Turn
from contextual_rag.conversation.progress import joined

__all__ = ["Faults", "audit"]

_ASKED = re.compile(r"(Follow-up|Question): (t\d+q\d+):")
_SOUGHT = re.compile(r"\A(t\d+q\d+) \w+")
# Before the first round a follow-up is rewritten; after a round, its tools are run.
_REWRITE = -1.0
_TOOL = 0.5


class Faults(NamedTuple):
    """The faults, one line each."""

    lost: list[str]
    doubled: list[str]
    wrong: list[str]
    repeated_steps: list[str]


class _Call(NamedTuple):
    """A turn's call to the model server: its step, its time, and the answer."""

    step: float
    at: float
    said: str


def audit(
    conversations: Conversations,
    talks: Sequence[Talk],
    calls: Sequence[Mapping[str, Any]],
    owner: str | None = None,
) -> Faults:
    """Check that every question was answered once, in order, as the model said, and that no recorded step ran again.

    `owner` is whose conversations they are. A step is known to be recorded if a later step of its turn has started.
    """
    by_mark = _by_mark(calls)
    faults = Faults([], [], [], [])
    for talk in talks:
        turns = conversations.turns(talk.thread_id, owner)
        marks = [followed.mark for followed in talk.followed]
        asked = [turn.question.partition(":")[0] for turn in turns]
        faults.doubled.extend(
            f"{mark} was asked {asked.count(mark)} times" for mark in set(asked) if asked.count(mark) > 1
        )
        faults.lost.extend(f"{mark} is not there" for mark in marks if mark not in asked)
        if [turn.n for turn in turns] != list(range(1, len(turns) + 1)) or [m for m in asked if m in marks] != marks:
            faults.wrong.append(f"{talk.thread_id} is out of order: {asked}")
        shown = {followed.mark: followed.shown for followed in talk.followed}
        for mark, turn in zip(asked, turns, strict=True):
            made = by_mark[mark]
            faults.lost.extend(_unanswered(mark, turn))
            faults.wrong.extend(_otherwise(mark, turn, shown[mark], made))
            faults.repeated_steps.extend(_repeated(mark, made))
        for before, after in pairwise(marks):
            if by_mark[before] and by_mark[after] and by_mark[before][-1].at > by_mark[after][0].at:
                faults.wrong.append(f"{after} was begun before {before} was over")
    return faults


def _by_mark(calls: Iterable[Mapping[str, Any]]) -> defaultdict[str, list[_Call]]:
    """Return the calls of each turn, in order."""
    by_mark: defaultdict[str, list[_Call]] = defaultdict(list)
    tools: dict[str, float] = {}
    for call in calls:
        if call["path"] == "chat" and (asked := _ASKED.findall(call["text"])):
            kind, mark = asked[-1]
            step = _REWRITE if kind == "Follow-up" else float(call["round"])
            by_mark[mark].append(_Call(step, call["at"], call["said"]))
        elif call["path"] == "rerank" and (sought := _SOUGHT.match(call["text"])):
            mark = sought[1]
            rounds = [made.step for made in by_mark[mark] if made.step.is_integer()]
            # The model asks for a search once in a turn: the same search again is a repeated step.
            step = tools.setdefault(call["sha"], max(rounds, default=0.0) + _TOOL)
            by_mark[mark].append(_Call(step, call["at"], ""))
    return by_mark


def _unanswered(mark: str, turn: Turn) -> Iterator[str]:
    if turn.answer is None:
        yield f"{mark} has no answer"
    elif turn.answer.status not in ("answered", "abstained"):
        yield f"{mark} ended {turn.answer.status}: {turn.answer.explanation}"


def _otherwise(mark: str, turn: Turn, shown: str, made: Sequence[_Call]) -> Iterator[str]:
    """Yield the differences between the stored answer, the shown answer and the model's text."""
    if turn.answer is None:
        return
    if not made:
        yield f"{mark} was answered, but the model was never asked"
    texts: dict[float, set[str]] = defaultdict(set)
    for call in made:
        if call.step.is_integer() and call.step >= 0:
            texts[call.step].add(call.said)
    if any(len(attempts) > 1 for attempts in texts.values()):
        yield f"{mark} was asked differently in another attempt"
    expected = joined([max(texts[step]) for step in sorted(texts)])
    if turn.answer.said != expected:
        yield f"{mark} is stored as {turn.answer.said!r}, but the model answered {expected!r}"
    if shown != turn.answer.said:
        yield f"{mark} was shown as {shown!r}, but is stored as {turn.answer.said!r}"


def _repeated(mark: str, made: Sequence[_Call]) -> Iterator[str]:
    last = _REWRITE
    for call in made:
        if call.step < last:
            yield f"{mark}: step {call.step:g} was run again after step {last:g}"
        last = max(last, call.step)
