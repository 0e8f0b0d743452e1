"""Ways to cut a document that were tried beside ours, each from a document to spans of its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contextual_rag.model import Document, Paragraph
from contextual_rag.pipeline.chunks import split
from contextual_rag.pipeline.pieces import pieces
from contextual_rag.pipeline.plain import heading
from contextual_rag.recipe import Recipe

__all__ = ["Cut", "Span", "by_meaning", "by_section", "by_syntax", "fixed", "ours"]

Span = tuple[int, int]
Cut = Callable[[Document], list[Span]]
_Line = tuple[int, int, int]  # its depth, and its span without the white space at its ends

_UNIT = 250
_CLOSES: Final = re.compile(r"[\])}{]|end\b|else\b|elif\b|except\b|finally\b|catch\b|rescue\b|fi\b|done\b|esac\b")
_LEADS: Final = re.compile(r"@|#|//|/\*|\*|--|template\b")


def ours(size: int = Recipe().chunk_size) -> Cut:
    """Cut as the default recipe does."""
    recipe = Recipe(chunk_size=size)
    return lambda document: [(chunk.start, chunk.end) for chunk in split(document, recipe)]


def fixed(size: int) -> Cut:
    """Cut every so many characters."""
    recipe = Recipe(chunker="fixed", chunk_size=size)
    return lambda document: [(chunk.start, chunk.end) for chunk in split(document, recipe)]


def by_section(size: int = Recipe().chunk_size) -> Cut:
    """Keep a section with all below its heading whole where it fits, and join short sections beside each other."""

    def cut(document: Document) -> list[Span]:
        return list(_sections(document, document.paragraphs, size))

    return cut


def _sections(document: Document, paragraphs: Sequence[Paragraph], size: int) -> Iterator[Span]:
    if paragraphs[-1].end - paragraphs[0].start <= size:
        yield paragraphs[0].start, paragraphs[-1].end
        return
    texts = ((n, document.text[p.start : p.end]) for n, p in enumerate(paragraphs) if n and p.kind == "heading")
    levels = {n: found.level if (found := heading(text)) else 1 for n, text in texts}
    if not levels:
        yield from ours(size)(document.model_copy(update={"paragraphs": tuple(paragraphs)}))
        return
    outermost = [n for n, level in levels.items() if level == min(levels.values())]
    open_: Span | None = None
    for first, end in zip([0, *outermost], [*outermost, len(paragraphs)], strict=True):
        section = paragraphs[first:end]
        if open_ and section[-1].end - open_[0] > size:
            yield open_
            open_ = None
        if section[-1].end - section[0].start > size:
            yield from _sections(document, section, size)
        else:
            open_ = (open_[0] if open_ else section[0].start, section[-1].end)
    if open_:
        yield open_


def by_syntax(size: int = Recipe().chunk_size) -> Cut:
    """Keep a block of source code whole where it fits, join blocks beside each other, and divide one that is larger.

    Blocks are known by how far their lines are indented, which all languages share (as cAST does by their grammars,
    arXiv 2506.15655).
    """

    def cut(document: Document) -> list[Span]:
        lines, at = [], 0
        for line in document.text.split("\n"):
            bare = line.expandtabs(4).rstrip()
            if bare:
                start = at + len(line) - len(line.lstrip())
                lines.append((len(bare) - len(bare.lstrip()), start, at + len(line.rstrip())))
            at += len(line) + 1
        found: list[Span] = []
        for block in _blocks(document.text, lines, size):
            start = found.pop()[0] if found and block[-1][2] - found[-1][0] <= size else block[0][1]
            found.append((start, block[-1][2]))
        return [span for start, end in found for span in _within(document.text, start, end, size)]

    return cut


def _blocks(text: str, lines: list[_Line], size: int) -> Iterator[list[_Line]]:
    if len(lines) == 1 or _length(lines) <= size:
        yield lines
        return
    siblings = list(_siblings(text, lines))
    if len(siblings) == 1:
        siblings = [lines[:1], *_siblings(text, lines[1:])]
    open_: list[_Line] = []
    for block in siblings:
        if open_ and _length([*open_, *block]) > size:
            yield open_
            open_ = []
        if _length(block) > size:
            yield from _blocks(text, block, size)
        else:
            open_ = [*open_, *block]
    if open_:
        yield open_


def _siblings(text: str, lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Yield the blocks of the least depth; what leads to one, such as a comment or a decorator, belongs to it."""
    least = min((depth for depth, start, _ in lines if not _CLOSES.match(text, start)), default=0)
    open_: list[_Line] = []
    leads = False
    for line in lines:
        depth, start, _ = line
        begins = depth <= least and not _CLOSES.match(text, start)
        if open_ and begins and not leads:
            yield open_
            open_ = []
        if depth <= least:
            leads = _LEADS.match(text, start) is not None
        open_.append(line)
    yield open_


def _length(lines: Sequence[_Line]) -> int:
    return lines[-1][2] - lines[0][1]


def _within(text: str, start: int, end: int, size: int) -> Iterator[Span]:
    for at, piece in pieces(text[start:end], (size // 2, size)):
        yield start + at, start + at + len(piece)


def by_meaning(
    embed: Callable[[list[str]], NDArray[Any]], documents: Sequence[Document], mean: float, size: int
) -> Cut:
    """Cut so that the sentences of a chunk are as alike as possible, by an embedding model.

    Chunks have up to `size` characters, and about `mean` on average: how alike sentences must be follows from that
    (after Chroma's ClusterSemanticChunker).
    """
    units = {one.slug: list(_units(one)) for one in documents}
    alike = {
        one.slug: (vectors := embed([one.text[start:end] for start, end in units[one.slug]])) @ vectors.T
        for one in documents
    }

    def cut_all(least: float) -> dict[str, list[Span]]:
        return {slug: _best(units[slug], alike[slug] - least, size) for slug in units}

    def is_far(cuts: dict[str, list[Span]]) -> float:
        lengths = [end - start for spans in cuts.values() for start, end in spans]
        return abs(sum(lengths) / len(lengths) - mean)

    nearest = min(map(cut_all, np.linspace(0, 0.6, 25)), key=is_far)
    return lambda document: nearest[document.slug]


def _units(document: Document) -> Iterator[Span]:
    for paragraph in document.paragraphs:
        for at, piece in pieces(document.text[paragraph.start : paragraph.end], _UNIT):
            yield paragraph.start + at, paragraph.start + at + len(piece)


def _best(units: Sequence[Span], alike: NDArray[Any], size: int) -> list[Span]:
    """Return the spans whose units are most alike, summed over all pairs in a span."""
    np.fill_diagonal(alike, 0)
    sums = np.zeros((len(units) + 1, len(units) + 1))
    sums[1:, 1:] = alike.cumsum(0).cumsum(1)
    best, before = [0.0], [0]
    for end in range(1, len(units) + 1):
        values: list[tuple[float, int]] = []
        for start in range(end - 1, -1, -1):
            if values and units[end - 1][1] - units[start][0] > size:
                break
            inside = sums[end, end] - sums[start, end] - sums[end, start] + sums[start, start]
            values.append((best[start] + inside, start))
        value, start = max(values)
        best.append(value)
        before.append(start)
    spans, end = [], len(units)
    while end:
        spans.append((units[before[end]][0], units[end - 1][1]))
        end = before[end]
    return spans[::-1]
