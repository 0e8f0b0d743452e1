"""documents → chunks: spans of a document's text, small enough to be found and quoted.

Two chunkers. `fixed` cuts windows that overlap, as the workflow that this project replaces did. `recursive` keeps whole
paragraphs, joins short ones to the next one, and cuts long ones at the ends of sentences. A rest that is too short to
say much by itself stays with the chunk before it. What a paragraph is, the reader of each format says: a definition of
source code, a row, a table. docs/quality.md compares other ways to cut each type.
"""

from __future__ import annotations

from collections.abc import Iterator

from contextual_rag.model import Chunk, Document
from contextual_rag.pipeline.pieces import pieces
from contextual_rag.recipe import Recipe

__all__ = ["split"]

# A chunk of less than this share of the size is a rest: the end of a section, or a section of a line or two.
_LEFT_OVER = 1 / 5


def split(document: Document, recipe: Recipe) -> tuple[Chunk, ...]:
    """Return the chunks of a document, in order; none is longer than `recipe.chunk_size` characters.

    Each is a span of the document without white space at its ends. Every character that is not white space stands
    in a chunk.
    """
    cut = _fixed if recipe.chunker == "fixed" else _recursive
    return tuple(
        Chunk(start=start, end=end, text=document.text[start:end])
        for start, end in (_stripped(document.text, *span) for span in cut(document, recipe))
        if start < end
    )


def _fixed(document: Document, recipe: Recipe) -> Iterator[tuple[int, int]]:
    length, step = len(document.text), recipe.chunk_size - recipe.chunk_overlap
    for start in range(0, length, step):
        yield start, min(start + recipe.chunk_size, length)
        if start + recipe.chunk_size >= length:
            return


def _recursive(document: Document, recipe: Recipe) -> Iterator[tuple[int, int]]:
    """Yield chunks of whole paragraphs; a rest is joined to the chunk before it, if both fit together.

    Alone, a short chunk would take a place among the hits, while the words that tell what it is about are in another.
    """
    before: tuple[int, int] | None = None
    for start, end in _paragraphs(document, recipe):
        if before and end - start < recipe.chunk_size * _LEFT_OVER and end - before[0] <= recipe.chunk_size:
            before = (before[0], end)
            continue
        if before:
            yield before
        before = (start, end)
    if before:
        yield before


def _paragraphs(document: Document, recipe: Recipe) -> Iterator[tuple[int, int]]:
    """Yield paragraphs; short ones are joined to the next, long ones are cut.

    A heading always begins a piece, and a paragraph of half the size or more ends one. So a boundary depends only
    on the text since the last such paragraph, and an edit moves no boundary far beyond the next one.
    """
    full = recipe.chunk_size // 2
    open_: tuple[int, int] | None = None
    after_heading = False
    for paragraph in document.paragraphs:
        start, end, heading = paragraph.start, paragraph.end, paragraph.kind == "heading"
        if open_ and (end - open_[0] > recipe.chunk_size or (heading and not after_heading)):
            yield open_
            open_ = None
        after_heading = heading
        if end - start > recipe.chunk_size:
            yield from _sentences(document.text[start:end], start, recipe.chunk_size)
            continue
        open_ = (open_[0] if open_ else start, end)
        if end - open_[0] >= full and not heading:
            yield open_
            open_ = None
    if open_:
        yield open_


def _sentences(text: str, offset: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut one paragraph at the largest units that fit (sentences, then words), packing them to half of `size` or more.

    Packed to the brim, chunks of long paragraphs would be twice as long as those of short ones.
    """
    for start, piece in pieces(text, (size // 2, size)):
        yield offset + start, offset + start + len(piece)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
