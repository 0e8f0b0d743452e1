"""From the source to pages: which documents it lists, and what their pages say now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from contextual_rag import keys
from contextual_rag.building.order import Order
from contextual_rag.building.outcome import Outcome, timed
from contextual_rag.building.snapshots import latest
from contextual_rag.errors import CorruptObjectError, PageError, RetriableError, SkippableError, SourceError
from contextual_rag.model import Entry, Failure, Fetched, Followed, Page, Source
from contextual_rag.noun import noun
from contextual_rag.objects import load, present, save
from contextual_rag.ports import ObjectStore, Site
from contextual_rag.readers.alone import Limits
from contextual_rag.readers.registry import READERS, read_document
from contextual_rag.recipe import Recipe
from contextual_rag.record import encode
from contextual_rag.sources.listing import FEED_TYPES, Kind, read_source, refreshed
from contextual_rag.versions.records import Plan

__all__ = ["Listed", "fetch", "is_parsed", "list_source", "parsed_page"]


class Listed(NamedTuple):
    """What a source lists: documents, and what is left out, with the reason; `kind` is what the source is."""

    entries: tuple[Entry, ...]
    elsewhere: tuple[Failure, ...]
    kind: Kind = "index page"


def list_source(site: Site, source: Source, *, may_be_empty: bool = False) -> Listed:
    """Read what a source lists. Raises SourceError if it names no document."""
    kind, index, size = read_source(site, source.url)
    left_out = [Failure(slug=link.title or link.url, url=link.url, reason=link.reason) for link in index.elsewhere]
    if not index.entries and not may_be_empty and kind != "uploads":
        first = f" The first of {len(left_out)} left out: {left_out[0].url} ({left_out[0].reason})." if left_out else ""
        raise SourceError(
            f"The {kind} {source.url} names no {noun().one} ({size:,} bytes were read). Nothing was changed.{first} "
            "Check RAG_SOURCE_URL; `rag sources check` shows what is left out."
        )
    return Listed(index.entries, tuple(left_out), kind)


def fetch(
    store: ObjectStore,
    site: Site,
    digest: str,
    order: Order,
    part: Followed,
    slugs: Sequence[str],
    *,
    threads: int = 1,
    limits: Limits | None = None,
) -> Outcome:
    """Ask for the pages of some documents of a source, in turn, and store what is new.

    They are asked for conditionally if their last one is known.

    What the order has got before is not asked for again. Once its plan is made, nothing is: the outcome is then what
    the plan says, whenever the step is run again.
    """
    plan = load(store, keys.plan(digest), Plan)
    asked = set(slugs)
    if plan:
        return Outcome(failed=tuple(failure for failure in plan.failed if failure.slug in asked))
    entries = [entry for entry in order.entries if entry.slug in asked]
    # Whatever order they are asked for in, it is the same batch.
    key = keys.fetched(digest, [entry.slug for entry in entries])
    before = load(store, key, Fetched) or Fetched()
    got = {page.slug for page in before.pages}
    turn = {slug: n for n, slug in enumerate(slugs)}
    wanted = sorted((entry for entry in entries if entry.slug not in got), key=lambda entry: turn[entry.slug])
    snapshot = latest(store, part.source, order.day)
    addresses = {entry.url for entry in wanted}
    known = [page for page in snapshot.pages if page.url in addresses] if snapshot else []
    # Without its bytes, a page is asked for as if it were new.
    held = present(store, (keys.page(page.sha256) for page in known))
    last = {page.url: page for page in known if keys.page(page.sha256) in held}
    pages: list[Page] = []
    errors: dict[Entry, SkippableError] = {}
    failed: tuple[Failure, ...] = ()
    with timed("pages") as spent, ThreadPoolExecutor(threads) as pool:
        try:
            # A time limit interrupts the main thread alone, so a single one works there.
            several, one = pool.map if threads > 1 else map, partial(_fetch, store, site, order.recipe, last, limits)
            for entry, found in zip(wanted, several(one, wanted), strict=True):
                if isinstance(found, Page):
                    pages.append(found)
                else:
                    errors[entry] = found
        finally:
            # Whatever ends this, also a time limit or a kill signal: what was fetched before is not lost.
            failed = tuple(Failure(slug=e.slug, url=e.url, reason=str(why)) for e, why in errors.items())
            save(store, key, Fetched(pages=(*before.pages, *pages), failed=failed))
    return Outcome(
        work=spent.work,
        failed=failed,
        retriable=any(isinstance(error, RetriableError) for error in errors.values()),
    )


def _fetch(
    store: ObjectStore, site: Site, recipe: Recipe, last_pages: Mapping[str, Page], limits: Limits | None, entry: Entry
) -> Page | SkippableError:
    last = last_pages.get(entry.url)
    if last and entry.change and last.etag == entry.change:
        return last if is_parsed(last, recipe, entry) else parsed_page(store, recipe, last, entry, limits=limits)
    conditions = last if last and not entry.change else None
    try:
        response = site.get(
            entry.url,
            etag=conditions.etag if conditions else None,
            last_modified=conditions.last_modified if conditions else None,
        )
        if response.status == 304 and last:  # noqa: PLR2004
            # Whether its document is still there, `changes` looks for all pages at once.
            if is_parsed(last, recipe, entry):
                return last
            return parsed_page(store, recipe, last, entry, limits=limits)
        asked, response = response, refreshed(site, response)
        if response.media_type in FEED_TYPES:
            raise PageError(f"{response.url} is a feed, not a text page. Remove the link")
        sha256 = keys.page_digest(response.body)
        store.put_new(keys.page(sha256), response.body)
        page = Page(
            **entry.model_dump(),
            sha256=sha256,
            charset=response.charset,
            media_type=response.media_type,
            # What the source itself says of changes goes first. The validators of another address would be wrong.
            etag=entry.change or (response.etag if response is asked else None),
            last_modified=response.last_modified if response is asked else None,
            parser="",
            document="",
        )
        return parsed_page(store, recipe, page, entry, body=response.body, limits=limits)
    except SkippableError as error:
        return error


def is_parsed(page: Page, recipe: Recipe, entry: Entry) -> bool:
    """Whether a page names the document that this recipe and release read in it, by the names of its entry."""
    is_read = page.parser == recipe.parser and page.readers == READERS
    return is_read and _named(page) == _named(entry)


def parsed_page(
    store: ObjectStore,
    recipe: Recipe,
    page: Page,
    entry: Entry,
    *,
    body: bytes | None = None,
    limits: Limits | None = None,
) -> Page:
    """Return the page with the digest of its document, which is parsed and stored unless that was done before.

    Raises SkippableError if no document is in the page, CorruptObjectError if the page's bytes are lost.
    """
    if is_parsed(page, recipe, entry) and store.exists(keys.document(page.document)):
        return page
    if body is None:
        stored = store.get(keys.page(page.sha256))
        if stored is None:
            raise CorruptObjectError(
                f"{keys.page(page.sha256)}, the page of {page.url}, is missing. Restore it from a copy, or build the "
                "current day to have the page fetched again."
            )
        body = stored.body
    document = read_document(body, entry, page.media_type, page.charset, limits)
    said = {"date": document.date or entry.date, "authors": document.authors or entry.authors}
    document = document.model_copy(update=said)
    digest = document.digest(recipe.parser)
    store.put_new(keys.document(digest), encode(document))
    read = {"parser": recipe.parser, "readers": READERS, "document": digest, "characters": len(document.text)}
    return page.model_copy(update=_named(entry) | read)


def _named(one: Entry | Page) -> dict[str, Any]:
    """Return what an entry says of its document, which is read again if that is new."""
    return {"slug": one.slug, "title": one.title, "date": one.date, "authors": one.authors}
