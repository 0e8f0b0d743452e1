"""Time against size, for everything that reads foreign text: pages, chunks, answers, questions, robots.txt.

    python -m bench.linear [--largest CHARACTERS] [--to FILE.png]

Each reader gets texts of the shapes that are worst for it, up to 2,000,000 characters. Prints a table and draws a plot.
`tests/unit/test_linear.py` measures the same shapes at small sizes.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from protego import Protego
from rich.console import Console

from contextual_rag.adapters.thinking import ThinkingFilter, strip_thinking
from contextual_rag.errors import EmptyDocumentError, SourceError
from contextual_rag.evaluation.known_items import known_items
from contextual_rag.fencing import fenced
from contextual_rag.keys import source_name
from contextual_rag.model import Document, Entry, Paragraph, Response
from contextual_rag.pipeline.chunks import split
from contextual_rag.pipeline.contexts import shortened, structural
from contextual_rag.pipeline.pieces import pieces
from contextual_rag.pipeline.plain import read_text
from contextual_rag.pipeline.windows import windows
from contextual_rag.pipeline.words import tokenise
from contextual_rag.ports import Site
from contextual_rag.qa.marks import without_html_marks
from contextual_rag.qa.measured import Measure, has_measure
from contextual_rag.qa.prose import units
from contextual_rag.qa.query import Exchange, rewrite
from contextual_rag.qa.wording import Wording
from contextual_rag.readers.authors import names_in
from contextual_rag.readers.characters import decode
from contextual_rag.readers.html import parse_document
from contextual_rag.readers.index_page import read_index
from contextual_rag.readers.pdf import blocks_of
from contextual_rag.readers.registry import read_document
from contextual_rag.recipe import Recipe
from contextual_rag.sentences import sentences
from contextual_rag.sources.feed import read_feed
from contextual_rag.sources.sitemap import read_sitemap
from contextual_rag.sources.uploads import file_name
from streamlit_app.render import essay_html, label, markdown_html, spans_in

__all__ = ["READERS", "Reader", "seconds"]

_ENTRY = Entry(slug="page", url="http://essays.example/page.html", title="Page")
_RECIPE = Recipe()
_MEASURES: tuple[Measure, ...] = ("count", "money", "age", "span", "share", "date", "place", "name")
_LARGEST = 2_000_000
_STEPS = 4
# No measurement goes on after one that took longer.
_PATIENCE_S = 60.0
_PICTURE = Path(__file__).parents[1] / "docs" / "images" / "linear.png"

Shape = Callable[[int], str]
_T = TypeVar("_T")


def _of(unit: str, *, before: str = "", after: str = "") -> Shape:
    """Texts that repeat something."""
    return lambda size: before + unit * (size // len(unit)) + after


def _numbered(unit: str, *, before: str) -> Shape:
    """Texts that repeat something with another number each time."""
    return lambda size: before + "".join(unit.format(n) for n in range(size // len(unit)))


def _then(first: str, second: str) -> Shape:
    """Texts that repeat something, and then something else."""
    return lambda size: first * (size // 2 // len(first)) + second * (size // 2 // len(second))


class Reader(NamedTuple):
    """A reader of foreign text, and the shapes of text that are hard for it.

    Below `steady` characters its time may grow faster: a few thousand are read again for each chunk.
    """

    read: Callable[[str], object]
    shapes: dict[str, Shape]
    steady: int = 3000


def _parse(text: str) -> None:
    with suppress(EmptyDocumentError):
        parse_document(text.encode(errors="replace"), _ENTRY)


def _markdown(text: str) -> None:
    with suppress(EmptyDocumentError):
        read_document(text.encode(), _ENTRY, "text/markdown")


def _rows(text: str) -> None:
    with suppress(EmptyDocumentError):
        read_document(text.encode(), _ENTRY, "text/csv")


def _json(text: str) -> None:
    with suppress(EmptyDocumentError):
        read_document(text.encode(), _ENTRY, "application/json")


def _code(text: str) -> None:
    with suppress(EmptyDocumentError):
        read_document(text.encode(), _ENTRY, "text/x-python")


def _plain(text: str) -> Document:
    return read_text("page", text)


def _explain(text: str) -> None:
    document = _plain(text)
    structural(document, split(document, _RECIPE))


def _index(text: str) -> None:
    for chunk in split(_plain(text), _RECIPE):
        tokenise(chunk.text, _RECIPE)
        windows(chunk.text, _RECIPE)


def _stream(text: str) -> None:
    thinking = ThinkingFilter(hold=True)
    for start in range(0, len(text), 4):
        thinking.feed(text[start : start + 4])
    thinking.close()


def _follow_up(text: str) -> None:
    rewrite("And what did she read?", [Exchange(text, text)], None)


def _robots(text: str) -> None:
    Protego.parse(text).can_fetch("http://essays.example/" + "a" * 200, "contextual-rag")


def _mark(text: str) -> None:
    """Show a document of as many paragraphs as there are spans in the address of its page."""
    spans = spans_in(text)
    paragraphs = tuple(Paragraph(start=start, end=end) for start, end in sorted(spans))
    whole = "a" * max((end for _, end in spans), default=0)
    document = Document(slug="page", url="", title="", date=None, text=whole, paragraphs=paragraphs)
    essay_html(document, spans)


class _Nowhere:
    """A site of which no page can be had."""

    def get(self, url: str) -> Response:
        raise SourceError(f"{url} is not there.")


def _sitemap(text: str) -> None:
    url = "http://essays.example/"
    read_sitemap(cast(Site, _Nowhere()), Response(200, text.encode(), None, None, None, url))


def _spans(size: int) -> str:
    return ",".join(f"{3 * n}-{3 * n + 2}" for n in range(size // 12))


_TAGS = {
    "nested": _of("<div>", after="deep"),
    "nested tables": _of("<table><tr><td bgcolor=red>", after="deep"),
    "unclosed": _of("<b><i><a href=x.html>word "),
    "unclosed, list": _of("<li><b><a href=x.html>x</a>", before="<ul>"),
    "nested, then other ends": _then("<div>", "</b>"),
    "nested, then comments": _then("<b>", "<!-- -->"),
    "nested, then lines": _then("<font>", "a<br>"),
    "ends without starts": _of("</p>"),
    "cells": _of("<td>word"),
    "bullets": _of("<img width=1 height=1>", before="<table><tr><td>", after="<font><a href=x.html>x</a>"),
    "nested bullets": _of("<table><tr><td><img width=1 height=1><font>", after="<a href=x.html>x"),
    "links": _of("<li><a href=x.html>x</a>"),
    "nested navigation": _then("<nav>", "<a href=x.html>x</a>"),
    "a link of lines": _of("<br>", before="<a href=x.html>"),
    "attributes": lambda size: "<a " + " ".join(f"a{n}" for n in range(size // 8)) + ">",
    "false tags": _of('<b title="></b>">'),
    "brackets": _of("<"),
    "instructions": _of("<?"),
    "comment": _of("a ", before="<!--"),
    "entities": _of("&amp"),
    "boxes": _of("<div class=related-posts><p>word.</p>"),
    "notes": _of("<p>word<sup>1</sup>"),
    "raised in each other": _of("a<sup>"),
    "times": _of("<time datetime=2019-01-01>2019</time>"),
    "forms": _of("<form>a<input>"),
    "numbered lists": _of("<ol><li>a"),
    "headings": _of("<h1><a href=x.html>x</a>"),
    "paragraphs in a cell": _of("<p>a</p>", before="<table><tr><td>"),
    "articles": _of("<article><h2><a href=x.html>x</a></h2>"),
}
_TEXTS = {
    "a run of letters": _of("a"),
    "a run of digits": _of("1"),
    "a run of Chinese": _of("日"),
    "combining marks": _of("a\u0301\u0316"),
    "words": _of("word "),
    "sentences": _of("Alma read it. "),
    "short lines": _of("a\n"),
    "short paragraphs": _of("a\n\n"),
    "deeper lines": lambda size: "\n".join(" " * n + "a b" for n in range(int((2 * size) ** 0.5))),
    "indented runs": _of("a ", before=" " * 1000),
    "white space": _of(" ", before="a b\n", after="c"),
    "names": _of("Alma Thorne "),
    "a long name": lambda size: f"{'A' * (size // 2)} " * 2,
    "headings": _of("# a\n"),
    "headings and lines": _of("## Alma Thorne\nIt rang. Alma was there.\n"),
    "a heading of spaces": _of(" ", before="# a", after="b"),
    "a heading of marks": _of("#", before="# a", after="b"),
    "a heading of equals signs": _of("= "),
    "equals signs": _of("= ", before="= a ", after="b"),
}


def _some(*names: str) -> dict[str, Shape]:
    return {name: _TEXTS[name] for name in names}


def _lamps(size: int) -> str:
    return "".join(f"Alma Thorne counted {n} lamps along the harbour wall. " for n in range(size // 55))


READERS: dict[str, Reader] = {
    "pages: decode": Reader(
        lambda text: decode(text.encode("latin-1")),
        {
            "declarations": _of("<meta ", after="\xe9"),
            "XML declarations": _of("<?xml a", after="\xe9"),
            "high bytes": _of("\xe9\x92\xff"),
            "half characters": _of("\xf0\x90"),
        },
    ),
    "pages: index": Reader(lambda text: read_index(text.encode(), "http://essays.example/"), _TAGS),
    "documents: pages": Reader(
        _parse,
        _TAGS
        | {
            "single breaks": _of("word<br>"),
            "paragraphs": _of("<p>some words of <i>an</i> essay<br><br>\n"),
            "a title": _of("Alma ", before="<title>", after="</title><p>word"),
            "a heading": _of("= ", before="<h1>"),
            "dates": _of("May 2004 rev. "),
            "combining marks": _of("a\u0301\u0316"),
        },
    ),
    "documents: files": Reader(_plain, _TEXTS),
    "documents: Markdown": Reader(
        _markdown,
        _some("short lines", "short paragraphs", "white space", "headings", "a heading of spaces")
        | {
            "fences": _of("```\na\n"),
            "front matter": _of("a: b\n", before="---\n"),
            "quotations": _of("> a\n"),
            "rows": _of("| a | b |\n"),
            "a long row": _of("| a ", after="|"),
        },
    ),
    "contexts: structure": Reader(
        _explain, {name: shape for name, shape in _TEXTS.items() if name != "a run of Chinese"}, steady=8000
    ),
    "contexts: answers": Reader(
        shortened, {name: _TEXTS[name] for name in ("a run of letters", "words", "white space")}
    ),
    "chunks: pieces": Reader(
        lambda text: list(pieces(text, 300)),
        _some("a run of letters", "a run of digits", "a run of Chinese", "combining marks", "words", "sentences"),
    ),
    "index: words": Reader(_index, _some("a run of letters", "combining marks", "words"), steady=8000),
    "documents: rows": Reader(
        _rows,
        {
            "fields": _of("a,"),
            "rows": _of("a,b\n"),
            "quotation marks": _of('"'),
            "an open field": _of("a,b\n", before='"'),
            "semicolons and tabs": _of("a;b\t"),
        },
    ),
    "documents: JSON": Reader(
        _json,
        {
            "lists": _of("[", before='{"text": '),
            "records": _of('{"text": "It rang."}\n'),
            "keys": _of('{"a": ', after="1"),
            "escapes": _of("\\u00e9", before='{"text": "', after='"}'),
        },
    ),
    "documents: code": Reader(
        _code, {"brackets": _of("("), "ends": _of("end\n"), "definitions": _of("def a():\n  b\n")}
    ),
    "documents: PDF": Reader(
        lambda text: blocks_of(text.split("\f")),
        {
            "divided words": _of("lamp-\n"),
            "soft hyphens": _of("lamp\u00ad\n"),
            "pages": _of("It rang. 1\f"),
            "a long line": _of("lamp-"),
            "numbers": _of("# "),
        },
    ),
    "sites: feeds": Reader(
        lambda text: read_feed(text.encode(errors="replace"), "http://essays.example/"),
        {
            "posts": _of("<item><title>a</title><link>/a</link></item>", before="<rss>", after="</rss>"),
            "open posts": _of("<item>", before="<rss>"),
            "authors": _of("a@", before="<rss><item><link>/a</link><author>", after="</author></item></rss>"),
            "spaces": _of(" ", before="<rss><item><link>/a</link><author>a@b (", after="</author></item></rss>"),
        },
    ),
    "sites: sitemaps": Reader(
        _sitemap,
        {
            "sitemaps": _numbered("<sitemap><loc>/{}</loc></sitemap>", before="<sitemapindex>"),
            "pages": _numbered("<url><loc>/{}</loc></url>", before="<urlset>"),
        },
        30_000,
    ),
    "pages: names of authors": Reader(
        lambda text: names_in([text]), {"and": _of("and "), "commas": _of(", "), "marks": _of(";")}
    ),
    "uploads: names": Reader(
        file_name, {"combining marks": _of("a\u0301\u0316"), "folders": _of("a/"), "dots": _of(".")}
    ),
    "passages: units": Reader(
        units,
        {
            "empty lines": _of("\n\t"),
            "rows": _of("a 1\n"),
            "no spaces": _of("日"),
            "mail": _of("from: a\n"),
            "quotation marks": _of("“a. "),
        },
        8000,
    ),
    "answers: measures": Reader(
        lambda text: [has_measure(measure, text, f"how many {text[:400]}") for measure in _MEASURES],
        {"digits": _of("1,"), "hyphens": _of("a-", before="5 "), "names": _of("A-")},
    ),
    "prompts: fencing": Reader(
        lambda text: fenced(text, "document", "chunk"),
        {"spaces": _of(" ", before="<"), "slashes": _of("</ "), "tags": _of("</chunk")},
    ),
    "questions: follow-ups": Reader(_follow_up, _some("a run of letters", "a run of digits", "names", "white space")),
    "sentences": Reader(
        sentences,
        {
            "open quotation marks": _of("“It sank. "),
            "open brackets": _of("(It sank. "),
            "notes": _of("a.[1] "),
            "empty lines": _of("\n \n"),
            "no end": _of("a "),
        },
        8000,
    ),
    "questions: from essays": Reader(
        lambda text: known_items({"a": text, "b": text[::-1]}),
        {
            "sentences": lambda size: " ".join(
                f"Alma Thorne counted {n} lamps along the harbour." for n in range(size // 48)
            ),
            "twice": lambda size: " ".join(
                f"Alma Thorne counted {n} lamps along the harbour. ALMA THORNE COUNTED {n} LAMPS ALONG THE HARBOUR."
                for n in range(size // 96)
            ),
        },
    ),
    "answers: thinking": Reader(
        strip_thinking, {"opened": _of("<think>"), "closed": _of("</think>"), "both": _of("<think></think>a")}
    ),
    "answers: quotations": Reader(
        lambda text: Wording(text).find(f"{text} the end"),
        {
            "signs": _of("=\u200b"),
            "brackets": _of("a:("),
            "numbers": _of("1 200 "),
            "operators": _of("5 - "),
            "denials": _of("not a "),
            "distant denials": _of("not really a "),
            "parts": _of("a not b … "),
            "notes": _of("it[1] "),
            "marks of notes": _of("lit²,³[1](2)†"),
            "words of notes": _of("lit-"),
            "stars": _of("*a "),
            "links": _of("[a](/"),
            "addresses": _of("<a@"),
            "insertions": _of(" [the x]"),
        },
        steady=1000,
    ),
    "answers: marks in HTML": Reader(
        without_html_marks, {"elements": _of("<q>"), "closed": _of("<q>a</q>"), "entities": _of("&quot;")}
    ),
    "answers: streamed": Reader(_stream, {"opened": _of("<think>"), "white space": _of(" ", before="a", after="b")}),
    "page: answers": Reader(
        lambda text: markdown_html(text, ()),
        {
            "emphasis": _of("*a_ "),
            "ends of emphasis": _of("_a*"),
            "backticks": lambda size: " ".join("`" * n for n in range(int((2 * size) ** 0.5))),
            "quotations": _of("> "),
            "lists": _of("- "),
            "brackets": _of("[1, "),
            "lines": _of("a\n"),
        },
    ),
    "page: titles": Reader(label, {"addresses": _of("www.://@"), "marks": _of("[*]")}),
    "page: passages": Reader(_mark, {"spans": _spans, "digits": _of("1")}),
    "sites: robots.txt": Reader(
        _robots,
        {"rules": _of("Disallow: /a*b\n", before="User-agent: *\n"), "agents": _of("User-agent: a\n")},
    ),
    "sites: names": Reader(
        source_name, {"path": _of("a-/", before="http://a/"), "marks": _of("-._", before="http://a/")}
    ),
}


def seconds(read: Callable[[_T], object], text: _T) -> float:
    """Return the processor time that a reader takes for a text."""
    gc.disable()  # whose time depends on all that there is
    try:
        began = time.process_time()
        read(text)
        return time.process_time() - began
    finally:
        gc.enable()


def _measure(reader: Reader, shape: Shape, sizes: list[int]) -> Iterator[tuple[int, float]]:
    reader.read(shape(1000))
    for size in sizes:
        took = seconds(reader.read, shape(size))
        yield size, took
        if took > _PATIENCE_S:
            return


def _draw(measured: dict[str, dict[str, list[tuple[int, float]]]]) -> bytes:
    """Return a plot as PNG: a panel for each reader, a line for each shape, and a grey line for what is linear."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {"font.size": 8, "axes.titlesize": 8, "axes.spines.top": False, "axes.spines.right": False}
    columns = 4
    with rc_context(style):
        rows = -(-len(measured) // columns)
        figure = Figure(figsize=(8.5, 1.75 * rows), layout="constrained", facecolor="white")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
        for (name, shapes), panel in zip(measured.items(), panels, strict=False):
            for points in shapes.values():
                panel.loglog(*zip(*points, strict=True), color="#0072b2", linewidth=0.9, alpha=0.7)
            size, took = max((points[-1] for points in shapes.values()), key=lambda point: point[1])
            first = min(points[0][0] for points in shapes.values())
            panel.loglog([first, size], [took * first / size, took], color="#9a9a9a", linewidth=2.5, zorder=0)
            panel.set_title(name)
            panel.grid(alpha=0.3)
        for panel in list(panels):
            panel.set_visible(False)
        figure.supxlabel("characters; a line for each shape of text, in grey what grows as the size does", fontsize=8)
        figure.supylabel("seconds", fontsize=8)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
    return picture.getvalue()


def main() -> None:
    """Measure every reader, print how its time grows, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--largest", type=int, default=_LARGEST, help="characters, %(default)s")
    parser.add_argument("--to", type=Path, default=_PICTURE, help="the plot, docs/images/linear.png")
    asked = parser.parse_args()
    sizes = [asked.largest // 4**n for n in reversed(range(_STEPS))]
    say = Console(width=200, highlight=False).print
    say(f"{'reader':24}{'text':26}" + "".join(f"{size:>12,}" for size in sizes) + f"{'growth':>9}")
    measured: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, reader in READERS.items():
        for text, shape in reader.shapes.items():
            points = list(_measure(reader, shape, sizes))
            measured.setdefault(name, {})[text] = points
            growth = points[-1][1] / max(points[-2][1], 1e-6) if len(points) > 1 else float("nan")
            shown = "".join(f"{took:>10.3f} s" for _, took in points)
            say(f"{name:24}{text:26}{shown}{growth:>8.1f}×")
    asked.to.write_bytes(_draw(measured))
    say(f"Four times the text takes about four times as long. Drawn: {asked.to}")


if __name__ == "__main__":
    main()
