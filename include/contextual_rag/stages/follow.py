"""From the site to a plan: which essays there are, what their pages say now, and what has to be made again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial

from contextual_rag import keys
from contextual_rag.adapters.http import Site
from contextual_rag.errors import CorruptObjectError, RetriableError, SkippableError, SourceError
from contextual_rag.model import (
    Entry,
    EssayKeys,
    Failure,
    Listing,
    Outcome,
    Page,
    Plan,
    PlannedEssay,
    Snapshot,
)
from contextual_rag.pipeline.documents import parse_document
from contextual_rag.pipeline.pages import read_index
from contextual_rag.ports import ObjectStore
from contextual_rag.recipe import Recipe
from contextual_rag.record import encode, load, require, save
from contextual_rag.registry import Registry
from contextual_rag.stages.essays import is_whole
from contextual_rag.stages.timing import timed

__all__ = ["changes", "discover", "fetch", "replay"]

# Small requests to the object store, which waits more than it works.
_THREADS = 16


def discover(registry: Registry, site: Site, source: str, *, limit: int | None = None) -> str:
    """Read the index page and store what it lists; return the listing's digest.

    `limit` takes the first so many essays. Raises SourceError where the page names none.
    """
    try:
        response = site.get(source)
    except RetriableError:
        raise
    except SkippableError as error:
        raise SourceError(f"The index page cannot be read: {error}") from error
    index = read_index(response.body, response.url, response.charset)
    if not index.entries:
        raise SourceError(
            f"The index page {source} names no essay ({len(response.body):,} bytes were read). Nothing was changed; "
            "check RAG_SOURCE_URL, or adapt pipeline/pages.py to the site."
        )
    elsewhere = (
        Failure(slug=link.title or link.url, url=link.url, reason="leads elsewhere: not an HTML essay of this site")
        for link in index.elsewhere
    )
    return _keep(
        registry,
        Listing(source=source, entries=index.entries[:limit], listed=len(index.entries), elsewhere=tuple(elsewhere)),
    )


def replay(store: ObjectStore, registry: Registry, day: date, *, limit: int | None = None) -> str | None:
    """Store a listing of what the site held on a past day, by its snapshot or the nearest earlier one.

    Return the listing's digest, or None where there is no snapshot; the site is not asked.
    """
    days = [found for key in store.list(keys.SNAPSHOTS) if (found := keys.snapshot_date(key)) <= day]
    if not days:
        return None
    snapshot = require(store, keys.snapshot(max(days)), Snapshot)
    entries = tuple(Entry(slug=page.slug, url=page.url, title=page.title) for page in snapshot.pages[:limit])
    return _keep(
        registry, Listing(source=snapshot.source, entries=entries, listed=snapshot.listed, snapshot=snapshot.date)
    )


def _keep(registry: Registry, listing: Listing) -> str:
    digest = keys.digest(listing.model_dump(mode="json"))
    registry.announce(keys.listing(digest), listing)  # the one of an earlier build may be old enough to be pruned
    return digest


def fetch(
    store: ObjectStore, registry: Registry, site: Site, recipe: Recipe, entries: Sequence[Entry], *, threads: int = 1
) -> Outcome:
    """Ask for each essay's page, conditionally where one is stored, and store what is new.

    An essay whose page cannot be had or read keeps its last good page, and is named in the outcome.
    """
    with timed("pages") as spent, ThreadPoolExecutor(threads) as pool:
        errors = list(pool.map(partial(_fetch, store, registry, site, recipe), entries))
    failed = [
        Failure(slug=entry.slug, url=entry.url, reason=str(error))
        for entry, error in zip(entries, errors, strict=True)
        if error
    ]
    return Outcome(
        work=spent.work,
        failed=tuple(failed),
        retriable=any(isinstance(error, RetriableError) for error in errors),
    )


def _fetch(store: ObjectStore, registry: Registry, site: Site, recipe: Recipe, entry: Entry) -> SkippableError | None:
    last = _fetched(store, entry)
    if last and (last.url != entry.url or not store.exists(keys.page(last.sha256))):
        last = None
    try:
        response = site.get(
            entry.url, etag=last.etag if last else None, last_modified=last.last_modified if last else None
        )
        if response.status == 304 and last:  # noqa: PLR2004
            page = _parsed(store, recipe, last, entry)
        else:
            sha256 = keys.page_digest(response.body)
            store.put_new(keys.page(sha256), response.body)
            page = Page(
                **entry.model_dump(),
                sha256=sha256,
                charset=response.charset,
                etag=response.etag,
                last_modified=response.last_modified,
                parser="",
                document="",
            )
            page = _parsed(store, recipe, page, entry, body=response.body)
    except SkippableError as error:
        return error
    # Only a page that could be read becomes the last good one.
    if page != last:
        registry.announce(keys.fetched(entry.slug), page)
        if response.body:
            # A page that the essay had before, and that nothing referred to since, may have been removed meanwhile.
            store.put_new(keys.page(page.sha256), response.body)
    return None


def _parsed(store: ObjectStore, recipe: Recipe, page: Page, entry: Entry, *, body: bytes | None = None) -> Page:
    """Return the page with the digest of its document, which is parsed and stored unless that was done before."""
    known = page.parser == recipe.parser and page.title == entry.title
    if known and store.exists(keys.document(page.document)):
        return page
    if body is None:
        stored = store.get(keys.page(page.sha256))
        if stored is None:
            raise CorruptObjectError(
                f"{keys.page(page.sha256)}, the page of {page.url}, is missing. Restore it from a copy, or delete "
                f"{keys.fetched(page.slug)} to have the page fetched again by `rag build`."
            )
        body = stored.body
    document = parse_document(body, entry, page.charset)
    digest = keys.digest(recipe.parser, document.model_dump(mode="json"))
    store.put_new(keys.document(digest), encode(document))
    return page.model_copy(update={"title": entry.title, "parser": recipe.parser, "document": digest})


def changes(
    store: ObjectStore,
    registry: Registry,
    recipe: Recipe,
    listing_digest: str,
    outcomes: Iterable[Outcome],
    *,
    day: date,
    carry_over: bool = True,
    force: bool = False,
) -> tuple[str, list[PlannedEssay]]:
    """Find out what each essay is made of now and which of it is not made yet.

    Stores the plan, and the day's snapshot where the whole site was asked. Returns the plan's digest and the essays
    that have to be chunked, contextualized or embedded. An essay without any good page is only named as failed.
    """
    listing = require(store, keys.listing(listing_digest), Listing)
    failed = {failure.slug: failure for outcome in outcomes for failure in outcome.failed}
    with ThreadPoolExecutor(_THREADS) as pool:
        if listing.snapshot:
            snapshot = require(store, keys.snapshot(listing.snapshot), Snapshot)
            known = {page.slug: page for page in snapshot.pages}
            last: list[Page | None] = [known.get(entry.slug) for entry in listing.entries]
            failed = {failure.slug: failure for failure in snapshot.failed}
        else:
            last = list(pool.map(partial(_fetched, store), listing.entries))
        pages: list[Page] = []
        good: list[Entry] = []
        for entry, page in zip(listing.entries, last, strict=True):
            if page is None or page.url != entry.url:
                failed.setdefault(entry.slug, _unreported(entry))
                continue
            try:
                pages.append(_parsed(store, recipe, page, entry))
                good.append(entry)
            except SkippableError as error:
                failed[entry.slug] = Failure(slug=entry.slug, url=entry.url, reason=str(error))

        if not listing.snapshot and len(listing.entries) == listing.listed:
            snapshot = Snapshot(
                date=day,
                source=listing.source,
                pages=tuple(pages),
                failed=tuple(failed.values()),
                listed=listing.listed,
            )
            save(store, keys.snapshot(day), snapshot)

        parent = next((one for one in registry.of_recipe(recipe) if one.logical_date <= day), None)
        earlier = {essay.slug: essay for essay in parent.essays} if parent else {}
        essays = [PlannedEssay(keys=essay_keys(page, recipe), earlier=earlier.get(page.slug)) for page in pages]
        plan = Plan(
            day=day,
            past=listing.snapshot is not None,
            source=listing.source,
            recipe=recipe,
            parent=parent.version if parent else None,
            listed=listing.listed,
            essays=tuple(essays),
            failed=tuple(failed.values()),
            elsewhere=listing.elsewhere,
            carry_over=carry_over,
            force=force,
        )
        digest = keys.digest(plan.model_dump(mode="json"))
        # First the plan and then the look at what is there: whoever prunes has either seen the plan, which protects
        # what it names, or is waited for.
        registry.announce(keys.plan(digest), plan)
        list(pool.map(partial(_parsed, store, recipe), pages, good))  # again those that were removed meanwhile
        made = list(pool.map(lambda essay: is_whole(store, essay.keys), essays))
    return digest, [essay for essay, there in zip(essays, made, strict=True) if force or not there]


def _fetched(store: ObjectStore, entry: Entry) -> Page | None:
    return load(store, keys.fetched(entry.slug), Page)


def _unreported(entry: Entry) -> Failure:
    return Failure(
        slug=entry.slug, url=entry.url, reason="fetching it ended without a report; see the log of its task instance"
    )


def essay_keys(page: Page, recipe: Recipe) -> EssayKeys:
    """Return what an essay's objects are called by a recipe, without making any of them."""
    chunks = keys.digest(page.document, recipe.chunker, recipe.chunk_size, recipe.chunk_overlap)
    contexts = keys.digest(chunks, recipe.context_model, recipe.context_prompt)
    return EssayKeys(
        slug=page.slug,
        url=page.url,
        title=page.title,
        document=page.document,
        chunks=chunks,
        contexts=contexts,
        embeddings=keys.digest(contexts, recipe.embedding_model),
    )
