"""Days of a small site without a server: pages and snapshots are stored where a build of a past day reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from contextual_rag import keys
from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Run
from contextual_rag.model import Page, Snapshot, Source
from contextual_rag.objects import save
from contextual_rag.wiring import World

__all__ = ["FIRST", "SOURCE", "build_day", "edition", "editions_in", "keep_day"]

FIRST = date(2026, 3, 1)
SOURCE = "http://essays.example/articles.html"
_NOUNS = ("lamp", "ferry", "orchard", "bell", "ledger", "kiln", "bridge", "harbour", "mill", "tower", "market", "well")


def keep_day(world: World, day: date, essays: Mapping[str, str], authors: Mapping[str, str] | None = None) -> None:
    """Store the site of a day: the text of each essay by slug, with paragraphs separated by blank lines.

    Those in `authors` name who wrote them.
    """
    pages = []
    for slug, text in essays.items():
        paragraphs = "<br><br>".join(text.split("\n\n"))
        author = (authors or {}).get(slug)
        head = f'<head><meta name="author" content="{author}"></head>' if author else ""
        body = f"<html>{head}<body><table><font>March 2026<br><br>{paragraphs}</font></table></body></html>".encode()
        sha256 = keys.page_digest(body)
        world.store.put_new(keys.page(sha256), body)
        pages.append(
            Page(
                slug=slug,
                url=f"http://essays.example/{slug}.html",
                title=slug.title(),
                sha256=sha256,
                charset="utf-8",
                parser="",
                document="",
            )
        )
    source = Source.at(SOURCE)
    snapshot = Snapshot(date=day, source=source, pages=tuple(pages), listed=len(pages))
    save(world.store, keys.snapshot(source.name, day), snapshot)


def build_day(world: World, day: date, *, promote: bool | None = None, **asked: object) -> Built:
    """Build a day from its snapshot."""
    return build_all(
        world.steps,
        Run.model_validate({"day": day, "by": "tests", "past": True, "source": SOURCE, "promote": promote, **asked}),
    )


def edition(name: str, essays: int = 3, *, edited: int | None = None) -> dict[str, str]:
    """Return essays; the first `edited`, by default all, name their edition in every sentence."""
    edited = essays if edited is None else edited
    return {noun: _essay(noun, name if n < edited else "every day") for n, noun in enumerate(_NOUNS[:essays])}


def editions_in(text: str) -> set[str]:
    """Return the editions that a text names."""
    return set(re.findall(r"in the edition of ([\w-]+(?: [\w-]+)*?)[.,]", text))


def _essay(noun: str, name: str) -> str:
    return (
        f"The {noun} was kept by one family in the edition of {name}.\n\n"
        f"What the {noun} was worth is written in the edition of {name}."
    )
