"""From embeddings to a version that is whole, and not yet published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from contextual_rag import keys
from contextual_rag.building.endings import WITHOUT_REPORT
from contextual_rag.building.order import Order
from contextual_rag.building.outcome import Outcome, ended, timed
from contextual_rag.errors import CorruptObjectError, UnknownVersionError
from contextual_rag.languages import ENGLISH
from contextual_rag.model import Document, Failure, IndexedChunk
from contextual_rag.objects import present, require
from contextual_rag.pipeline.index import IndexWriter, WriteIndex, content_digest, rows, version_id
from contextual_rag.ports import ObjectStore, VectorStore
from contextual_rag.recipe import Recipe
from contextual_rag.versions.parts import read_chunks, read_contexts
from contextual_rag.versions.records import Draft, EssayKeys, File, Plan, Version
from contextual_rag.versions.registry import Registry
from contextual_rag.versions.vectors import upsert_missing

__all__ = ["Assembled", "assemble"]

_THREADS = 16
_AHEAD = 256
_UNREPORTED = f"its chunks, contexts or embeddings were not made, and the task for it {WITHOUT_REPORT}. See its log."


_Essay = tuple[tuple[str, ...], list[IndexedChunk]]


class Assembled(NamedTuple):
    """A version that is not published yet, and every essay that is not up to date in it."""

    version: str
    failed: tuple[Failure, ...]


def assemble(
    store: ObjectStore,
    vectors: VectorStore,
    registry: Registry,
    write: WriteIndex,
    digest: str,
    order: Order,
    plan: Plan,
    outcomes: Iterable[Outcome],
) -> Assembled:
    """Put the index of all essays together.

    An essay that failed on the way keeps the content it had in the parent version, or is left out if it had none.
    Vectors that Milvus does not hold are upserted; then the version's files are stored, unless the content is the
    parent's or such a version exists: then that one is returned, and those of its files that are damaged are stored
    again.
    """
    outcomes = list(outcomes)
    with timed("index") as spent:
        essays, failed = _usable(store, digest, plan, outcomes)
        writer = write(order.recipe)
        ids: list[tuple[EssayKeys, list[str]]] = []
        named: list[tuple[str, ...]] = []
        texts: set[int] = set()
        for n, (authors, part) in enumerate(_rows(store, essays, order.recipe)):
            essay = essays[n] = essays[n].model_copy(update={"authors": authors})
            writer.add(part)
            named.append(_named(essay, part))
            ids.append((essay, [row.chunk_id for row in part]))
            texts.update(hash(row.text) for row in part)
        # Also if nothing changed: a Milvus that lost its rows is filled again.
        upsert_missing(
            store,
            vectors,
            order.recipe,
            order.recipe.collection,
            ids,
            lambda essay: _essay_rows(store, order.recipe, essay)[1],
        )
        all_ids = [id_ for _, part in ids for id_ in part]
        content = content_digest(named, all_ids, order.recipe.fingerprint)
        # Today's content is compared with the version before alone, since CURRENT only moves on; a past day belongs to
        # any version of its content, in whatever order days are built.
        known = [one.version for one in registry.of_recipe(order.recipe)] if order.snapshot else [plan.parent or ""]
        unchanged = next((name for name in known if name.endswith(f"-{content}")), None)
        version = unchanged or version_id(order.day, content)
        if registry.exists(version):
            _repair(store, registry.manifest(version), writer)
            return Assembled(version, tuple(failed))
        files = writer.files()
        _store_files(store, version, files)
    draft = Draft(
        version=version,
        logical_date=order.day,
        parent=plan.parent,
        source=order.source,
        sources=order.sources,
        recipe=order.recipe,
        ranking=order.ranking,
        collection=order.recipe.collection,
        essays=tuple(essays),
        failed=tuple(failed),
        elsewhere=order.elsewhere,
        listed=order.listed,
        chunks=len(all_ids),
        texts=len(texts),
        files={name: File(sha256=_sha256(body), size=len(body)) for name, body in files.items()},
        work=sum((outcome.work for outcome in outcomes), plan.work + spent.work),
        order=digest,
    )
    registry.drafts.save(draft)
    return Assembled(version, draft.failed)


def _usable(
    store: ObjectStore, digest: str, plan: Plan, outcomes: Iterable[Outcome]
) -> tuple[list[EssayKeys], list[Failure]]:
    """Return the essays that go into the version, by slug, and every essay that is not up to date in it.

    Raises UnknownVersionError if an essay is lacking that was pruned while it was built.
    """
    failed = {failure.url: failure for failure in plan.failed}
    failed |= {failure.url: failure for outcome in outcomes for failure in outcome.failed}
    there = present(store, (keys.embeddings(essay.keys.embeddings) for essay in plan.essays))
    made = [keys.embeddings(essay.keys.embeddings) in there for essay in plan.essays]
    lacking = [essay.keys.slug for essay, is_made in zip(plan.essays, made, strict=True) if not is_made]
    why_ended = ended(outcomes)
    reported = why_ended.keys() | {failure.slug for failure in failed.values()}
    unreported = [slug for slug in lacking if slug not in reported]
    if unreported and _pruned_since(store, keys.plan(digest)):
        raise UnknownVersionError(
            f"What was made of {', '.join(unreported)} is not there: it was pruned while the version was built. Run "
            "the build again."
        )
    usable = []
    for essay, is_made in zip(plan.essays, made, strict=True):
        if is_made:
            usable.append(essay.keys)
            continue
        slug, url = essay.keys.slug, essay.keys.url
        failed.setdefault(url, Failure(slug=slug, url=url, reason=why_ended.get(slug, _UNREPORTED)))
        if essay.earlier:
            usable.append(essay.earlier)
    return sorted(usable, key=lambda essay: essay.slug), sorted(failed.values(), key=lambda failure: failure.slug)


def _pruned_since(store: ObjectStore, key: str) -> bool:
    """Whether a process pruned after an object was stored, by the store's own clock."""
    stored = [found.modified for found in store.describe(key) if found.key == key]
    return any(found.modified >= max(stored, default=found.modified) for found in store.describe(keys.PRUNING))


def _rows(store: ObjectStore, essays: list[EssayKeys], recipe: Recipe) -> Iterator[_Essay]:
    """Yield authors and rows of each essay; no more are read ahead than fit into memory."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(essays), _AHEAD):
            yield from pool.map(partial(_essay_rows, store, recipe), essays[start : start + _AHEAD])


def _essay_rows(store: ObjectStore, recipe: Recipe, essay: EssayKeys) -> _Essay:
    document = require(store, keys.document(essay.document), Document)
    return document.authors, rows(document, read_chunks(store, essay), read_contexts(store, essay), recipe)


def _named(essay: EssayKeys, rows_: list[IndexedChunk]) -> tuple[str, ...]:
    """Return what names an essay and its content; its language counts only if it is not English."""
    languages = sorted({row.language for row in rows_} - {ENGLISH})
    return tuple(filter(None, (essay.slug, essay.url, essay.title, essay.embeddings, essay.source, *languages)))


def _store_files(store: ObjectStore, version: str, files: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda name: store.put(keys.index_file(version, name), files[name]), files))


def _repair(store: ObjectStore, manifest: Version, writer: IndexWriter) -> None:
    """Store a version's damaged files again; the same rows give the same bytes, which the manifest confirms.

    Raises CorruptObjectError if they do not, because another release of a library wrote them.
    """

    def is_damaged(name: str) -> bool:
        stored = store.get(keys.index_file(manifest.version, name))
        return stored is None or _sha256(stored.body) != manifest.files[name].sha256

    with ThreadPoolExecutor(_THREADS) as pool:
        damaged = [name for name, bad in zip(manifest.files, pool.map(is_damaged, manifest.files), strict=True) if bad]
    if not damaged:
        return
    files = writer.files()
    if any(_sha256(files.get(name, b"")) != manifest.files[name].sha256 for name in damaged):
        # An earlier release wrote no places.
        files |= writer.files(with_added=False)
    for name in damaged:
        if name not in files or _sha256(files[name]) != manifest.files[name].sha256:
            raise CorruptObjectError(
                f"{keys.index_file(manifest.version, name)} is damaged and cannot be written again as it was. Delete "
                f"{keys.manifest(manifest.version)} and run `rag build`, which then makes the version anew."
            )
    _store_files(store, manifest.version, {name: files[name] for name in damaged})


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
