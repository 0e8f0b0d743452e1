"""From pages to a plan: what each document is made of now, and what of it has to be made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from contextual_rag import keys
from contextual_rag.building.endings import WITHOUT_REPORT
from contextual_rag.building.fetch import is_parsed, parsed_page
from contextual_rag.building.order import Order
from contextual_rag.building.outcome import timed
from contextual_rag.building.snapshots import keep, latest
from contextual_rag.errors import CorruptObjectError, SkippableError
from contextual_rag.model import Entry, Failure, Fetched, Followed, Page, Snapshot
from contextual_rag.objects import load, present, require, save
from contextual_rag.ports import ObjectStore
from contextual_rag.readers.alone import Limits
from contextual_rag.recipe import Recipe
from contextual_rag.versions.parts import made_of
from contextual_rag.versions.records import EssayKeys, Plan, PlannedEssay
from contextual_rag.versions.registry import Registry

__all__ = ["as_planned", "entry_of", "essay_keys", "load_plan", "make_plan"]

# Small requests to the object store, which waits more than it works.
_THREADS = 16
_UNREPORTED = f"the task that fetches it {WITHOUT_REPORT}. See its log."


def make_plan(
    store: ObjectStore,
    registry: Registry,
    digest: str,
    order: Order,
    ended: Mapping[str, str],
    limits: Limits | None = None,
) -> list[PlannedEssay]:
    """Decide what an order makes of each document, once; return the essays of which something is not made yet.

    `ended` says why fetching some of them was ended, by their slugs.

    Stores the plan, and the day's snapshot if the whole source was asked. An essay without any good page is only named
    as failed. If the plan was made before, it stays as it is, and so does the snapshot.
    """
    plan = load(store, keys.plan(digest), Plan)
    with ThreadPoolExecutor(_THREADS) as pool:
        if plan is None:
            # A process that began to prune before the order's first sign of life does not know what it has fetched.
            registry.wait_for_pruning()
            with timed("documents") as spent:
                plan = _plan(store, registry, digest, order, ended, pool, limits)
            plan = plan.model_copy(update={"work": spent.work})
            save(store, keys.plan(digest), plan)
        # First the plan and then the look at what is there: a process that prunes has either seen the plan, or is
        # waited for. Documents that were removed since are parsed again.
        registry.wait_for_pruning()
        there = present(store, (key for essay in plan.essays for key in (_document(essay), *made_of(essay.keys))))
        lost = [essay.page for essay in plan.essays if _document(essay) not in there]
        list(pool.map(lambda page: parsed_page(store, order.recipe, page, entry_of(page), limits=limits), lost))
    return [essay for essay in plan.essays if order.force or not there.issuperset(made_of(essay.keys))]


def load_plan(store: ObjectStore, digest: str) -> Plan:
    """Return the plan of an order. Raises CorruptObjectError."""
    return require(store, keys.plan(digest), Plan)


def essay_keys(page: Page, recipe: Recipe) -> EssayKeys:
    """Return what an essay's objects are called by a recipe, without making any of them."""
    chunks = keys.digest(page.document, recipe.chunker, recipe.chunk_size, recipe.chunk_overlap)
    contexts = keys.digest(chunks, recipe.context_model, recipe.context_prompt)
    # A part with its baseline value stays out, so that it renames nothing that is stored.
    parts = (recipe.embedding_model, recipe.embedding_dimension, recipe.embedding_passage_prefix)
    return EssayKeys(
        slug=page.slug,
        url=page.url,
        title=page.title,
        document=page.document,
        chunks=chunks,
        contexts=contexts,
        embeddings=keys.digest(contexts, *filter(None, parts)),
    )


def as_planned(essay: EssayKeys) -> EssayKeys:
    """Return the keys of an essay of a version as a plan has them, which does not know whom the document names."""
    return essay.model_copy(update={"authors": ()})


def _plan(
    store: ObjectStore,
    registry: Registry,
    digest: str,
    order: Order,
    ended: Mapping[str, str],
    pool: ThreadPoolExecutor,
    limits: Limits | None,
) -> Plan:
    known, failed = _pages(store, digest, order, ended)
    pages: list[Page] = []

    def parsed(entry: Entry) -> Page | Failure:
        page = known.get(entry.url)
        if page is None:
            return failed.get(entry.url) or _unreported(entry, ended)
        try:
            if is_parsed(page, order.recipe, entry):
                return page
            return parsed_page(store, order.recipe, page, entry, limits=limits)
        except SkippableError as error:
            return Failure(slug=entry.slug, url=entry.url, reason=str(error))

    for found in pool.map(parsed, order.entries):
        if isinstance(found, Failure):
            failed[found.url] = found
        else:
            pages.append(found)
    parent = next((one for one in registry.of_recipe(order.recipe) if one.logical_date <= order.day), None)
    earlier = {essay.url: essay for essay in parent.essays} if parent else {}
    names = {entry.url: entry.source for entry in order.entries}
    for part in order.followed:
        if part.snapshot is None and part.failure is None:
            own = {entry.url for entry in order.entries_of(part)}
            of_part = tuple(page for page in pages if page.url in own)
            before = latest(store, part.source, order.day) if parent else None
            earlier = _moved(before, of_part, earlier) | earlier
            if len(own) == part.listed:
                _keep(store, order, part, of_part, [failure for url, failure in failed.items() if url in own])
    failed |= {part.source.url: part.failure for part in order.followed if part.failure}
    essays = [_planned(page, order.recipe, earlier.get(page.url), names[page.url]) for page in pages]
    return Plan(
        order=digest,
        day=order.day,
        recipe=order.recipe,
        parent=parent.version if parent else None,
        essays=tuple(essays),
        failed=tuple(failed.values()),
    )


def _keep(store: ObjectStore, order: Order, part: Followed, pages: tuple[Page, ...], failed: Sequence[Failure]) -> None:
    snapshot = Snapshot(
        date=order.day,
        source=part.source,
        pages=pages,
        failed=tuple(failed),
        listed=part.listed,
        decided_at=order.decided_at,
    )
    keep(store, snapshot)


def _moved(before: Snapshot | None, pages: Sequence[Page], earlier: Mapping[str, EssayKeys]) -> dict[str, EssayKeys]:
    """Return by its new address what a document was made of at an address that is gone, if its bytes are the same."""
    here = {page.url for page in pages}
    gone = {
        page.sha256: earlier[page.url]
        for page in (before.pages if before else ())
        if page.url not in here and page.url in earlier
    }
    return {page.url: gone[page.sha256] for page in pages if page.sha256 in gone}


def _planned(page: Page, recipe: Recipe, earlier: EssayKeys | None, source: str | None) -> PlannedEssay:
    found = essay_keys(page, recipe).model_copy(update={"source": source})
    return PlannedEssay(page=page, keys=found, earlier=earlier and earlier.model_copy(update={"source": source}))


def _document(essay: PlannedEssay) -> str:
    return keys.document(essay.keys.document)


def entry_of(page: Page) -> Entry:
    """Return the entry that a page was fetched for."""
    return Entry(slug=page.slug, url=page.url, title=page.title, date=page.date, authors=page.authors)


def _pages(
    store: ObjectStore, digest: str, order: Order, ended: Mapping[str, str]
) -> tuple[dict[str, Page], dict[str, Failure]]:
    """Return by address the pages that an order is about, and the documents that failed.

    They are those that it got, or else the last good ones; of a source that was not asked, those of the snapshot.
    """
    batches = [require(store, key, Fetched) for key in store.list(keys.fetched(digest))]
    pages = {page.url: page for batch in batches for page in batch.pages}
    failed = {failure.url: failure for batch in batches for failure in batch.failed if failure.url not in pages}
    for part in order.followed:
        entries = order.entries_of(part)
        lacking = [entry for entry in entries if entry.url not in pages]
        before = latest(store, part.source, part.snapshot or order.day) if lacking or part.snapshot else None
        last = {page.url: page for page in before.pages} if before else {}
        if part.snapshot:
            if before is None:
                raise CorruptObjectError(f"The snapshot of {part.source.name} on {part.snapshot} is missing.")
            listed = {entry.url for entry in entries}
            of_then = {failure.url: failure for failure in before.failed}
            failed |= {url: one for url, one in of_then.items() if order.is_whole or url in listed}
        for entry in lacking:
            if not part.snapshot:
                failed.setdefault(entry.url, _unreported(entry, ended))
            if entry.url in last:
                pages[entry.url] = last[entry.url]
    return pages, failed


def _unreported(entry: Entry, ended: Mapping[str, str]) -> Failure:
    return Failure(slug=entry.slug, url=entry.url, reason=ended.get(entry.slug, _UNREPORTED))
