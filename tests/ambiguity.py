"""Texts that a pattern can read in more than one way, which is where its time may grow faster than the text.

A pattern is a net of places, each of which takes one character. If the same characters lead around from a place to
itself on two ways, as in `(a*)*`, there are twice as many ways with each repetition. If they lead around from a place,
on to another, and around from that, as in `a*a*` or in any search for `a*b`, there are as many ways as repetitions.
What looks behind, or gives nothing back, may forbid some of these ways. So the texts are only candidates: measure them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from re import _compiler, _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple, TypeVar

__all__ = ["Repetition", "repetitions"]

_USUAL = "aAzZé1²_-.,;: \t\n\xa0!\"'()[]<>/=*#日\u0301\0"
# Counts up to these are written out; a higher one is like none.
_WRITTEN_OUT, _FEW = 3, 8
_MOST_STEPS, _MOST, _OTHERS = 60_000, 24, 3
_T = TypeVar("_T")


class Repetition(NamedTuple):
    """What a text begins with, what it then repeats, and some characters of its pattern, one of which may end it."""

    before: str
    part: str
    others: str

    def text(self, times: int, after: str) -> str:
        """Return a text with so many repetitions."""
        return self.before + self.part * times + after


class _Place(NamedTuple):
    """Takes one of some characters, the bits of a number, on the way from a state to another."""

    start: int
    characters: int
    end: int


class _Net:
    """The places of a pattern, and which may follow which."""

    def __init__(self, pattern: re.Pattern[Any], *, anywhere: bool) -> None:
        flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
        self._is_bytes = isinstance(pattern.pattern, bytes)
        self._tree = _parser.parse(pattern.pattern, flags)
        most = 256 if self._is_bytes else 0x110000
        self.named = sorted({one for one in _named(self._tree) if ord(one) < most})
        self.alphabet = sorted({*self.named, *(one for one in _USUAL if ord(one) < most)})
        self._without: list[list[int]] = []
        self._out: dict[int, list[int]] = {}
        self._groups: dict[int, tuple[Any, int]] = {}
        self._known: dict[tuple[str, int], int] = {}
        self.places: list[_Place] = []
        self._accepted = self._state()
        start = self._state()
        if anywhere:
            self._take(start, (1 << len(self.alphabet)) - 1, start)
        end = self._through(self._tree, self._after(start), self._tree.state.flags)
        self._without[end].append(self._accepted)
        reached = {state: self._reached(state) for state in {start, *(place.end for place in self.places)}}
        self.first = reached[start]
        self.following = [reached[place.end] for place in self.places]

    def _state(self) -> int:
        self._without.append([])
        return len(self._without) - 1

    def _after(self, state: int) -> int:
        self._without[state].append(self._state())
        return self._without[state][-1]

    def _take(self, start: int, characters: int, end: int) -> int:
        self._out.setdefault(start, []).append(len(self.places))
        self.places.append(_Place(start, characters, end))
        return end

    def _characters(self, node: Any, flags: int) -> int:
        key = (repr(node), flags)
        if key not in self._known:
            state = _parser.State()
            state.flags, state.str = flags, self._tree.state.str
            takes = _compiler.compile(_parser.SubPattern(state, [node]), flags).fullmatch
            given = [one.encode("latin-1") if self._is_bytes else one for one in self.alphabet]
            self._known[key] = sum(1 << n for n, one in enumerate(given) if takes(one))
        return self._known[key]

    def _through(self, tree: Any, state: int, flags: int) -> int:
        for node in tree:
            state = self._one(node, state, flags)
        return state

    def _one(self, node: Any, state: int, flags: int) -> int:  # noqa: C901, PLR0911
        match str(node[0]), node[1]:
            case "LITERAL" | "NOT_LITERAL" | "IN" | "ANY", _:
                return self._take(state, self._characters(node, flags), self._state())
            case "BRANCH", (_, branches):
                return self._either(branches, state, flags)
            case "GROUPREF_EXISTS", (_, one, other):
                return self._either([one, other or ()], state, flags)
            case "SUBPATTERN", (group, added, removed, inner):
                self._groups[group] = inner, (flags | added) & ~removed
                return self._through(inner, state, self._groups[group][1])
            case "GROUPREF", group:
                return self._through(self._groups[group][0], state, self._groups[group][1])
            case "ATOMIC_GROUP", inner:
                return self._through(inner, state, flags)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (least, most, inner):
                return self._repeated(least, most, inner, state, flags)
            case "ASSERT" | "ASSERT_NOT", (direction, inner):
                if direction > 0:
                    self._without[self._through(inner, self._after(state), flags)].append(self._accepted)
                return state
            case "AT" | "FAILURE", _:
                return state
        raise NotImplementedError(node)

    def _either(self, branches: Any, state: int, flags: int) -> int:
        end = self._state()
        for branch in branches:
            self._without[self._through(branch, self._after(state), flags)].append(end)
        return end

    def _repeated(self, least: int, most: int, inner: Any, state: int, flags: int) -> int:
        is_loop = most > _FEW
        for _ in range(min(least, _WRITTEN_OUT) - (is_loop and least > 0)):
            state = self._through(inner, state, flags)
        end = self._state()
        if is_loop:
            start = self._after(state)
            self._without[self._through(inner, start, flags)] += [start, end]
            self._without[state] += [] if least else [end]
        else:
            for _ in range(min(most - least, _WRITTEN_OUT)):
                self._without[state].append(end)
                state = self._through(inner, state, flags)
            self._without[state].append(end)
        return end

    def _reached(self, state: int) -> dict[int, int]:
        """Return the places that may come next from a state, each with whether one or more ways lead there."""
        ways: dict[int, int] = {}
        left = [(state, frozenset((state,)))]
        for _ in range(_MOST_STEPS):
            if not left:
                break
            at, path = left.pop()
            for place in self._out.get(at, ()):
                ways[place] = min(ways.get(place, 0) + 1, 2)
            left += [(to, path | {to}) for to in self._without[at] if to not in path]
        return ways


def repetitions(pattern: re.Pattern[Any], *, anywhere: bool) -> list[Repetition]:
    """Return what texts may repeat so that a pattern has many ways to read them; `anywhere` it may begin, or at 0."""
    net = _Net(pattern, anywhere=anywhere)
    random = Random(0)
    others = "".join(random.sample(net.named, min(_OTHERS, len(net.named))))

    def written(characters: list[int]) -> str:
        return "".join(random.choice([c for n, c in enumerate(net.alphabet) if some >> n & 1]) for some in characters)

    before = _words_to(net)
    found: dict[tuple[int, ...], Repetition] = {}
    for place, around in _ways(net, before):
        if len(found) >= _MOST:
            break
        turned = min((*around[n:], *around[:n]) for n in range(len(around)))
        for n in range(2):
            # At its first turn, a search has not begun to match.
            start = [] if anywhere and place == 0 else before[place]
            found.setdefault((*turned, -n), Repetition(written(start), written(around), others))
    return list(found.values())


def _words_to(net: _Net) -> dict[int, list[int]]:
    """Return the shortest way to each place, with what it takes itself."""
    words = {place: [net.places[place].characters] for place in net.first}
    left = deque(words)
    while left:
        place = left.popleft()
        for following in net.following[place]:
            if following not in words:
                words[following] = [*words[place], net.places[following].characters]
                left.append(following)
    return words


def _ways(net: _Net, reachable: dict[int, list[int]]) -> Iterator[tuple[int, list[int]]]:
    """Yield places from which the same characters lead on in several ways, and these characters."""
    ahead = {place: _closure(net, place) for place in reachable}
    # In no order, since a pattern may repeat the same in places of which some are never reached.
    loops = {
        start: {place for place in ahead[start] if start in ahead[place]}
        for start in Random(0).sample(sorted(reachable), len(reachable))
        if start in ahead[start] and net.places[start].characters
    }
    steps = [_MOST_STEPS]
    for start, around in loops.items():
        if way := _way((start, start, False), (start, start, True), partial(_twice, net, around), steps):
            yield start, way
    for start, around in loops.items():
        for last, there in loops.items():
            if last != start and last in ahead[start]:
                following = partial(_thrice, net, around, there)
                if way := _way((start, start, last), (start, last, last), following, steps):
                    yield start, way


def _twice(net: _Net, around: set[int], at: tuple[int, int, bool]) -> Iterator[tuple[int, tuple[int, int, bool]]]:
    """Yield where two ways go on around, and whether they have gone apart."""
    one, other, is_apart = at
    for first in net.following[one].keys() & around:
        for second in net.following[other].keys() & around:
            if common := net.places[first].characters & net.places[second].characters:
                splits = first != second or (one == other and net.following[one][first] > 1)
                yield common, (first, second, is_apart or splits)


def _thrice(
    net: _Net, around: set[int], there: set[int], at: tuple[int, int, int]
) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield where a way around, one that leads on, and one around the last place go on together."""
    for first in net.following[at[0]].keys() & around:
        for third in net.following[at[2]].keys() & there:
            if both := net.places[first].characters & net.places[third].characters:
                for second in net.following[at[1]]:
                    if common := both & net.places[second].characters:
                        yield common, (first, second, third)


def _closure(net: _Net, place: int) -> set[int]:
    found: set[int] = set()
    left = [place]
    while left:
        new = net.following[left.pop()].keys() - found
        found |= new
        left += new
    return found


def _way(start: _T, end: _T, following: Callable[[_T], Iterator[tuple[int, _T]]], steps: list[int]) -> list[int] | None:
    """Return what a shortest way takes; `steps` are those that may still be gone."""
    known: dict[_T, tuple[_T, int]] = {}
    left = deque([start])
    while left:
        at = left.popleft()
        for characters, to in following(at):
            steps[0] -= 1
            if steps[0] < 0:
                return None
            if to in known:
                continue
            known[to] = at, characters
            if to == end:
                taken: list[int] = []
                place = end
                while not taken or place != start:
                    place, taker = known[place]
                    taken.append(taker)
                return taken[::-1]
            left.append(to)
    return None


def _named(tree: Any) -> Iterator[str]:
    """Yield the characters that a pattern names, and some between them."""
    for operator, value in tree:
        match str(operator), value:
            case "LITERAL" | "NOT_LITERAL", _:
                yield from (chr(value), chr(value).swapcase()[0])
            case "RANGE", (first, last):
                yield from map(chr, (first, (first + last) // 2, last))
            case "IN" | "ATOMIC_GROUP", _:
                yield from _named(value)
            case "BRANCH" | "GROUPREF_EXISTS", (_, *branches):
                inner = branches[0] if str(operator) == "BRANCH" else branches
                for branch in inner:
                    yield from _named(branch or ())
            case "ASSERT" | "ASSERT_NOT" | "SUBPATTERN" | "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (
                *_,
                inner,
            ):
                yield from _named(inner)
