"""Source code and notebooks: whole definitions as paragraphs, with their lines or cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry, Paragraph
from contextual_rag.readers.authors import authors_in
from contextual_rag.readers.blocks import Block, has_word
from contextual_rag.readers.characters import decode, tidy
from contextual_rag.readers.document import Read
from contextual_rag.readers.text import markdown_blocks, storable, text_in

__all__ = ["read_code", "read_notebook"]

# Characters. A definition up to this length is not divided: it fits into a chunk of the usual size.
_WHOLE: Final = 1200
# A line that ends what is above it, rather than begin something.
_CLOSES: Final = re.compile(r"[\])}]|end\b|else\b|elif\b|except\b|finally\b|catch\b|rescue\b|fi\b|done\b|esac\b")

# Also those of notebooks from before 2012.
_TEXTS: Final = frozenset({"markdown", "heading", "text", "rst", "html"})

_Line = tuple[int, int, int]  # its number, and its span in the text without the white space at its end


def read_code(body: bytes, entry: Entry, charset: str | None = None) -> Document:
    """Return source code as it is: a paragraph for each definition, or for a part of a long one.

    Raises EmptyDocumentError.
    """
    text = text_in(body, entry, charset)
    paragraphs = tuple(
        Paragraph(start=lines[0][1], end=lines[-1][2], kind="code", where=_where(lines)) for lines in _parts(text)
    )
    return Document(slug=entry.slug, url=entry.url, title=entry.title, date=None, text=text, paragraphs=paragraphs)


def read_notebook(body: bytes, charset: str | None = None) -> Read:
    """Return the Markdown and the code of a notebook's cells, without what they put out. Raises EmptyDocumentError."""
    try:
        notebook = json.loads(decode(body, charset))
        sheets = notebook.get("worksheets") or [notebook]
        if not any("cells" in sheet for sheet in sheets):
            raise KeyError("cells")
        cells = [(cell["cell_type"], _source(cell)) for sheet in sheets for cell in sheet.get("cells", ())]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise EmptyDocumentError(
            f"it is not a notebook ({type(error).__name__})", code="empty_document_broken"
        ) from error
    blocks: list[Block] = []
    for n, (kind, source) in enumerate(cells, 1):
        if kind == "code":
            code = tidy(source, keep_layout=True)
            found = [Block(code, "code", code)] if has_word(code) else []
        elif kind in _TEXTS:
            found = markdown_blocks(f"# {source}" if kind == "heading" else source)
        else:
            found = []
        blocks += [block._replace(where=f"cell {n}") for block in found]
    if not blocks:
        raise EmptyDocumentError("it has no cell with text or code")
    first = blocks[0]
    title = first.text.partition("\n")[0].lstrip("# ") if first.kind == "heading" else ""
    return Read(title, None, blocks, authors=authors_in(_about(notebook).get("authors")))


def _about(notebook: dict[str, Any]) -> dict[str, Any]:
    about = notebook.get("metadata")
    return about if isinstance(about, dict) else {}


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return storable("".join(source) if isinstance(source, list) else str(source or ""))


def _parts(text: str) -> Iterator[Sequence[_Line]]:
    """Yield groups of lines: definitions, or parts of long ones between blank lines, or else some lines of them."""
    for definition in _definitions(text):
        if _length(definition) <= _WHOLE:
            yield definition
            continue
        open_: list[_Line] = []
        for stanza in _stanzas(definition):
            # A stanza that is too long itself is divided between lines.
            pieces = [stanza] if _length(stanza) <= _WHOLE else [[line] for line in stanza]
            for piece in pieces:
                if open_ and piece[-1][2] - open_[0][1] > _WHOLE:
                    yield open_
                    open_ = []
                open_ = [*open_, *piece]
        if open_:
            yield open_


def _definitions(text: str) -> Iterator[list[_Line]]:
    """Yield the lines of a text in groups, each of which begins at the margin after a blank line."""
    open_: list[_Line] = []
    position, is_apart = 0, True
    for n, line in enumerate(text.split("\n"), 1):
        start, bare = position, line.rstrip()
        position += len(line) + 1
        if not bare:
            is_apart = True
            continue
        if open_ and is_apart and not bare[0].isspace() and not _CLOSES.match(bare):
            yield open_
            open_ = []
        open_.append((n, start, start + len(bare)))
        is_apart = False
    if open_:
        yield open_


def _stanzas(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    open_: list[_Line] = []
    for line in lines:
        if open_ and line[0] > open_[-1][0] + 1:
            yield open_
            open_ = []
        open_.append(line)
    if open_:
        yield open_


def _length(lines: Sequence[_Line]) -> int:
    return lines[-1][2] - lines[0][1]


def _where(lines: Sequence[_Line]) -> str:
    first, last = lines[0][0], lines[-1][0]
    return f"line {first}" if first == last else f"lines {first}–{last}"
