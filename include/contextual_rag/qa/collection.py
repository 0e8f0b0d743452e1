"""Questions about the collection itself, answered from its list of essays: how many there are, the newest, about what.

A question is about the collection if it has no other words than those of such questions, or names an essay by its title
and asks when it was written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from contextual_rag.noun import noun
from contextual_rag.ports import Index
from contextual_rag.qa.filters import when

__all__ = ["about_collection"]

_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
_TEXTS: Final = r"essays?|texts?|articles?|documents?|posts?|writings?|collection|corpus"
_WRITTEN: Final = r"written|wrote|writes?|published|posted|dated"
_NEWEST: Final = r"newest|latest|last|recent|recently"
_OLDEST: Final = r"oldest|first|earliest"
_ABOUT: Final = r"about|topics?|subjects?|themes?|covers?|covered|titles?|treats?|list"
_MONTHS: Final = tuple(
    str.split("january february march april may june july august september october november december")
)
_OTHER: Final = (
    r"what|which|who|when|how|many|the|a|all|these|those|this|that|them|they|your|you|his|her|their|he|she|is|are|was|"
    r"were|do|does|did|have|has|had|there|here|in|of|by|on|from|it|its|most|some|and|s|know|author|authors|tell|me|please|"
    r"can|i|ask|deal|with|total|so|far|one|number|year|site|any"
)
_MEANT: Final = re.compile(
    rf"(?:{_TEXTS}|{_WRITTEN}|{_NEWEST}|{_OLDEST}|{_ABOUT}|{_OTHER}|{'|'.join(_MONTHS)}|\d{{4}})"
)
_SAYS: Final = {
    name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    for name, words in {
        "texts": f"{_TEXTS}|{_WRITTEN}|topics?|authors?",
        "who": r"who wrote|who writes|who (?:is|are) the authors?|written by|by whom",
        "count": r"how many|what (?:is )?the number",
        "newest": _NEWEST,
        "oldest": _OLDEST,
        "listed": rf"{_ABOUT}|which|what (?:essays|texts|articles|documents|posts|was|were|did)",
        "asks when": r"when|what year|which year|what date|how old",
    }.items()
}
_SHOWN: Final = 5


class _Essay(NamedTuple):
    """An essay, and its date as year, month and day; zeros where it has none."""

    title: str
    date: str
    when: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.title} ({self.date or 'undated'})"


def about_collection(index: Index, question: str) -> str | None:
    """Return the answer to a question about the collection, or None if it asks for something else."""

    def says(name: str) -> bool:
        return bool(_SAYS[name].search(question))

    asked, question = question, _as_texts(question)
    words = _WORD.findall(question.casefold())
    if says("asks when") and (titled := _titled(index, asked)):
        return f"{titled.title}: {titled.date or 'it has no date'}."
    if not index.essays or not says("texts") or not all(map(_MEANT.fullmatch, words)):
        return None
    return _of_year(index, words) or _of_all(index, says)


def _of_year(index: Index, words: Sequence[str]) -> str | None:
    """Return the essays of the year, or the month, that a question names."""
    year = next((int(word) for word in words if word.isdigit()), 0)
    if not year:
        return None
    month = next((n for n, name in enumerate(_MONTHS, 1) if name in words), 0)
    essays = [one for one in _essays(index) if one.when[0] == year and month in {0, one.when[1]}]
    span = f"{_MONTHS[month - 1].title()} {year}" if month else str(year)
    return f"{_counted(essays)} from {span}: {_named(essays)}." if essays else f"No {noun().one} is from {span}."


def _of_all(index: Index, says: Callable[[str], bool]) -> str | None:
    if says("who"):
        return _written_by(index)
    essays = _essays(index)
    dated = [one for one in essays if one.when[0]]
    if dated and (says("newest") or says("oldest")):
        return f"The newest is {dated[0]}." if says("newest") else f"The oldest is {dated[-1]}."
    if not (says("count") or says("listed")):
        return None
    span = f", from {dated[-1].date} to {dated[0].date}" if len(dated) > 1 else ""
    return f"{_counted(essays)}{span}, among them: {_named(essays[:_SHOWN])}."


def _essays(index: Index) -> list[_Essay]:
    """Return the essays, the newest first; essays without a date come last."""
    dates = {slug: index.chunk(ids[0]).date or "" for slug, ids in index.order.items() if ids}
    essays = [_Essay(title, dates.get(slug, ""), when(dates.get(slug, ""))) for slug, title in index.essays.items()]
    return sorted(essays, key=lambda one: one.when, reverse=True)


def _titled(index: Index, question: str) -> _Essay | None:
    """Return the essay whose title stands in a question that has hardly other words; of several, the longest title."""
    asked = " ".join(_WORD.findall(question.casefold()))
    for essay in sorted(_essays(index), key=lambda one: -len(one.title)):
        title = " ".join(_WORD.findall(essay.title.casefold()))
        if title and f" {title} " in f" {asked} ":
            rest = _as_texts(asked.replace(title, " ")).split()
            if all(map(_MEANT.fullmatch, rest)) and _SAYS["texts"].search(" ".join(rest)):
                return essay
    return None


def _as_texts(question: str) -> str:
    """Let the name that the documents have count as their usual one."""
    return re.sub(rf"\b(?:{re.escape(noun().many)}|{re.escape(noun().one)})\b", "essays", question, flags=re.IGNORECASE)


def _counted(essays: Sequence[_Essay]) -> str:
    return noun().counted(len(essays))


def _named(essays: Sequence[_Essay]) -> str:
    return "; ".join(map(str, essays))


def _written_by(index: Index) -> str:
    """Return whom the essays name as their authors, those of most first."""
    origins = list(index.origins.values())
    named = Counter(name for one in origins for name in one.authors)
    if not named:
        sites = {urlsplit(one.url).hostname or "" for one in origins if one.url.startswith("http")}
        return f"No {noun().one} here names its author.{f' They come from {_first(sorted(sites))}.' if sites else ''}"
    counts = [f"{name} ({noun().counted(n)})" for name, n in named.most_common()]
    silent = sum(not one.authors for one in origins)
    return (
        f"They name as authors: {_first(counts)}.{f' Without an author: {noun().counted(silent)}.' if silent else ''}"
    )


def _first(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return "; ".join(names[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
