"""A site of five short essays, in the markup of the sample site, on a server that can answer wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.servers.faulty_site import FaultySite, page

__all__ = ["QUESTION", "SLUGS", "essay_page", "index_page", "index_url", "show"]


class _Subject(NamedTuple):
    title: str
    thing: str
    place: str
    work: str


_SUBJECTS = {
    "bell": _Subject("The Harbour Bell", "the harbour bell", "the end of the pier", "ring for boats in fog"),
    "bread": _Subject("Slow Bread", "a loaf of rye", "the bakery's cellar", "rise for two nights in the cold"),
    "clock": _Subject("Mending Clocks", "a tower clock", "the old town hall", "lose a minute in every week"),
    "garden": _Subject("A Walled Garden", "the walled garden", "the north side of the hill", "keep pears until March"),
    "letters": _Subject("Letters Unsent", "an unsent letter", "the back of a drawer", "say what was meant plainly"),
}
SLUGS = tuple(_SUBJECTS)
QUESTION = "What does the harbour bell do in fog?"

_PARAGRAPHS = (
    "When I first saw {thing} I was nine years old, and it stood at {place}, where nobody looked at it twice. My aunt "
    "told me that it had been made to {work}, and that people who complained of it had never needed it. I did not "
    "believe her then. It seemed to me that anything so old must have been left there by mistake, and that somebody "
    "would come for it before the winter was over.",
    "What I learned later is that {thing} asks for very little: an hour on Saturdays, a dry cloth, and the patience to "
    "leave it alone for the rest of the week. Most of what goes wrong at {place} goes wrong because somebody was in a "
    "hurry. I kept a notebook of every fault for eleven years, and fewer than one in ten of them was there before a "
    "person had tried to improve something.",
    "So when I am asked why I still go to {place}, I say that it is because {thing} can {work}, and that I have met "
    "few people of whom as much could be said. That is a joke, though not only one. A thing that does its work without "
    "being looked at teaches you to ask which parts of your own work are only there to be looked at, and to stop.",
)


def index_url(site: FaultySite) -> str:
    """The address of the index page."""
    return site.url("/articles.html")


def index_page(slugs: Sequence[str]) -> bytes:
    """An index page that lists these essays."""
    rows = "".join(
        '<tr valign=top><td width=435><img src="img/bullet.gif" width=12 height=14 align=left border=0><font size=2 '
        f'face="verdana"><a href="{slug}.html">{_title(slug)}</a><br></font></td></tr>'
        for slug in slugs
    )
    return f"<html><head><title>Essays</title></head><body><table>{rows}</table></body></html>".encode()


def essay_page(slug: str) -> bytes:
    """One essay's page."""
    subject = _SUBJECTS[slug]
    text = "<br><br>".join(
        paragraph.format(thing=subject.thing, place=subject.place, work=subject.work) for paragraph in _PARAGRAPHS
    )
    return (
        f"<html><head><title>{subject.title}</title></head><body bgcolor=ffffff><table><tr valign=top><td width=435>"
        f'<font size=2 face="verdana">May 2021<br><br>{text}<br><br></font></td></tr></table></body></html>'
    ).encode()


def show(site: FaultySite, slugs: Sequence[str] = SLUGS) -> None:
    """Serve these essays and nothing else, without any fault."""
    site.routes = {f"/{slug}.html": page(essay_page(slug)) for slug in slugs}
    site.routes["/articles.html"] = page(index_page(slugs))
    site.seen.clear()


def _title(slug: str) -> str:
    return _SUBJECTS[slug].title if slug in _SUBJECTS else slug.capitalize()
