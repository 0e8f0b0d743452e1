"""PowerPoint files: the text of each slide and its notes, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.readers.blocks import Block, Kind
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.document import Read
from contextual_rag.readers.equations import MATH, equation
from contextual_rag.readers.packed import Packed, local

__all__ = ["read"]

_DECK = "ppt/presentation.xml"
_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})


def read(body: bytes) -> Read:
    """Return titles, texts, tables and notes of the slides of a .pptx file. Raises EmptyDocumentError."""
    deck = Packed(body)
    title, day, authors = deck.about()
    name = deck.main(_DECK)
    slides = deck.related(name)
    shown = [slides.get(_id(one), ("", ""))[1] for one in deck.xml(name).iterfind("{*}sldIdLst/{*}sldId")]
    blocks = [block for n, name in enumerate(shown, 1) for block in _slide(deck, name, f"slide {n}")]
    if not blocks:
        raise EmptyDocumentError(f"its {len(shown)} slides have no text")
    if not title and blocks[0].kind == "heading":
        title = blocks[0].text
    return Read(title, day, blocks, authors=authors)


def _slide(deck: Packed, name: str, where: str) -> Iterator[Block]:
    yield from _blocks(deck.xml(name), where)
    for kind, target in deck.related(name).values():
        if kind == "diagramData":
            lines = [line for text in deck.xml(target).iterfind(".//{*}pt/{*}t") if (line := _paragraphs(text))]
            yield from [_block("\n".join(lines), "paragraph", where)] if lines else []
        elif kind == "chart":
            yield from _chart(deck.xml(target), where)
        elif kind == "notesSlide":
            for block in _blocks(deck.xml(target), f"{where}, notes"):
                yield block._replace(kind="paragraph")


def _blocks(slide: etree._Element, where: str) -> Iterator[Block]:
    """Yield the title first, wherever it stands, then the other shapes in their order."""
    shapes = [shape for shape in slide.iter("{*}sp", "{*}tbl") if not _is_repeated(shape)]
    shapes.sort(key=lambda shape: _role(shape) not in _TITLES)
    for shape in shapes:
        role = _role(shape)
        if role in _FURNITURE:
            continue
        if local(shape) == "tbl":
            yield from (_block(row, "table", where) for row in map(_row, shape.iterfind("{*}tr")) if row)
        elif role in _TITLES:
            title = " ".join(_lines(shape))
            yield from [_block(title, "heading", where)] if title else []
        else:
            text = "\n".join(_lines(shape))
            yield from [_block(text, "paragraph", where)] if text else []


def _chart(chart: etree._Element, where: str) -> Iterator[Block]:
    """Yield the title of a chart, and what it shows: a line for each series, with its name."""
    title = " ".join(filter(None, (_paragraphs(one) for one in chart.iterfind("{*}chart/{*}title/{*}tx/{*}rich"))))
    yield from [_block(title, "paragraph", where)] if title else []
    for series in chart.iterfind(".//{*}ser"):
        name, names, values = (
            [tidy(one.text or "") for one in series.iterfind(f"{{*}}{part}//{{*}}pt/{{*}}v")]
            for part in ("tx", "cat", "val")
        )
        pairs = ", ".join(map(": ".join, zip(names, values, strict=False)))
        line = " | ".join(filter(None, (*name, pairs)))
        yield from [_block(line, "table", where)] if any(map(str.isalpha, line)) else []


def _paragraphs(text: etree._Element) -> str:
    return " ".join(filter(None, map(_text, text.iterfind("{*}p"))))


def _is_repeated(shape: etree._Element) -> bool:
    """Return whether a shape is there again for programs that do not know its first form."""
    return any(local(above) == "Fallback" for above in shape.iterancestors())


def _role(shape: etree._Element) -> str:
    place = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
    return "" if place is None else place.get("type", "")


def _lines(shape: etree._Element) -> list[str]:
    return [line for line in map(_text, shape.iterfind("{*}txBody/{*}p")) if line]


def _row(row: etree._Element) -> str:
    cells = (" ".join(filter(None, map(_text, cell.iterfind("{*}txBody/{*}p")))) for cell in row.iterfind("{*}tc"))
    line = " | ".join(cells)
    return line if any(map(str.isalnum, line)) else ""


def _text(paragraph: etree._Element) -> str:
    return tidy("".join(map(_said, paragraph.iter("{*}t", "{*}br", f"{MATH}oMath"))))


def _said(element: etree._Element) -> str:
    if element.tag == f"{MATH}oMath":
        return equation(element)
    if local(element) == "br":
        return " "
    return "" if element.tag == f"{MATH}t" else element.text or ""


def _id(slide: etree._Element) -> str:
    return next((value for name, value in slide.items() if name.endswith("}id")), "")


def _block(text: str, kind: Kind, where: str) -> Block:
    return Block(text, kind, text.partition("\n")[0], where=where)
