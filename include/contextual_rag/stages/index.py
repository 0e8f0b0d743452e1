"""From embeddings to a published version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import partial

import numpy as np

from contextual_rag import keys
from contextual_rag.errors import CorruptObjectError, GateError, UnknownVersionError
from contextual_rag.model import (
    Compared,
    Document,
    Draft,
    EssayKeys,
    Failure,
    File,
    IndexedChunk,
    Manifest,
    Measured,
    Outcome,
    Plan,
    PlannedEssay,
)
from contextual_rag.pipeline.index import content_digest, rows, version_id
from contextual_rag.ports import ObjectStore, VectorStore
from contextual_rag.recipe import Recipe
from contextual_rag.record import Record, load, require
from contextual_rag.registry import Registry
from contextual_rag.stages.essays import Chunks, Contexts, is_whole, read_embeddings
from contextual_rag.stages.timing import timed

__all__ = ["Gates", "Published", "assemble", "fill", "publish"]

_THREADS = 16


class Gates(Record):
    """What a version must satisfy to be published, as shares between 0 and 1."""

    max_failed_share: float
    max_shrink_share: float
    max_quality_drop: float


class Published(Record):
    """What a build came to; `published` says that a new version was made, `current` that CURRENT names it.

    Where it does not, `why` says why CURRENT stayed. `uncompared` says why its quality was not compared with that of
    what answered before, where it should have been.
    """

    version: str
    published: bool
    current: bool
    why: str | None = None
    uncompared: str | None = None


def assemble(
    store: ObjectStore, vectors: VectorStore, registry: Registry, plan: Plan, outcomes: Iterable[Outcome]
) -> str:
    """Put the index of all essays together and return its version, which is not published yet.

    An essay that failed on the way keeps the content it had in the parent version, or is left out where it had none.
    Vectors that Milvus does not hold are upserted; then the version's files are stored, unless the content is the
    parent's or such a version exists: then that one is returned, and those of its files that are damaged are stored
    again.
    """
    from contextual_rag.adapters.index_files import write

    outcomes = list(outcomes)
    registry.wait_for_pruning()  # what is being removed would be taken for what is there
    with timed("index") as spent:
        essays, failed = _usable(store, plan, outcomes)
        table = _rows(store, essays)
        # Also where nothing changed: a Milvus that lost its rows is filled again.
        _upsert_missing(store, vectors, plan.recipe, table)
        flat = [row for part in table.values() for row in part]
        content = content_digest(essays, [row.chunk_id for row in flat], plan.recipe)
        # Today's content is compared with the version before alone, since CURRENT only moves on; a past day belongs to
        # any version of its content, in whatever order days are built.
        known = [one.version for one in registry.of_recipe(plan.recipe)] if plan.past else [plan.parent or ""]
        unchanged = next((name for name in known if name.endswith(f"-{content}")), None)
        version = unchanged or version_id(plan.day, content)
        if registry.exists(version):
            _mend(store, registry.manifest(version), flat)
            return version
        files = write(flat, plan.recipe)
        _store_files(store, version, files)
    work = sum((outcome.work for outcome in outcomes), spent.work)
    draft = Draft(
        version=version,
        logical_date=plan.day,
        parent=plan.parent,
        source=plan.source,
        recipe=plan.recipe,
        essays=tuple(essays),
        failed=tuple(failed),
        elsewhere=plan.elsewhere,
        listed=plan.listed,
        chunks=len(flat),
        files={name: File(sha256=_sha256(body), size=len(body)) for name, body in files.items()},
        work=work,
    )
    registry.announce(keys.draft(version), draft)
    # Whoever pruned until now may have taken these files for what an earlier attempt had left.
    _store_files(store, version, {name: files[name] for name in _lacking(store, draft)})
    return version


def _lacking(store: ObjectStore, version: Draft) -> list[str]:
    """Return the names of a version's files that are not there."""
    with ThreadPoolExecutor(_THREADS) as pool:
        there = list(pool.map(lambda name: store.exists(keys.index_file(version.version, name)), version.files))
    return [name for name, found in zip(version.files, there, strict=True) if not found]


def _usable(store: ObjectStore, plan: Plan, outcomes: Iterable[Outcome]) -> tuple[list[EssayKeys], list[Failure]]:
    """Return the essays that go into the version, by slug, and every essay that is not up to date in it."""
    failed = {failure.slug: failure for failure in plan.failed}
    failed |= {failure.slug: failure for outcome in outcomes for failure in outcome.failed}
    with ThreadPoolExecutor(_THREADS) as pool:
        made = list(pool.map(lambda essay: store.exists(keys.embeddings(essay.keys.embeddings)), plan.essays))
    usable = []
    for essay, there in zip(plan.essays, made, strict=True):
        if there:
            usable.append(essay.keys)
            continue
        failed.setdefault(essay.keys.slug, _unreported(essay))
        if essay.earlier:
            usable.append(essay.earlier)
    return sorted(usable, key=lambda essay: essay.slug), sorted(failed.values(), key=lambda failure: failure.slug)


def _unreported(essay: PlannedEssay) -> Failure:
    return Failure(
        slug=essay.keys.slug,
        url=essay.keys.url,
        reason="its chunks, contexts or embeddings were not made; see the log of its task instance",
    )


def _rows(store: ObjectStore, essays: list[EssayKeys]) -> dict[EssayKeys, list[IndexedChunk]]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(essays, pool.map(partial(_essay_rows, store), essays), strict=True))


def _essay_rows(store: ObjectStore, essay: EssayKeys) -> list[IndexedChunk]:
    return rows(
        require(store, keys.document(essay.document), Document),
        require(store, keys.chunks(essay.chunks), Chunks).chunks,
        require(store, keys.contexts(essay.contexts), Contexts).contexts,
    )


def _store_files(store: ObjectStore, version: str, files: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda name: store.put(keys.index_file(version, name), files[name]), files))


def _mend(store: ObjectStore, manifest: Manifest, table: list[IndexedChunk]) -> None:
    """Store a version's damaged files again; the same rows give the same bytes, which the manifest confirms.

    Raises CorruptObjectError where they do not, because another release of a library wrote them.
    """
    from contextual_rag.adapters.index_files import write

    def is_damaged(name: str) -> bool:
        stored = store.get(keys.index_file(manifest.version, name))
        return stored is None or _sha256(stored.body) != manifest.files[name].sha256

    with ThreadPoolExecutor(_THREADS) as pool:
        damaged = [name for name, bad in zip(manifest.files, pool.map(is_damaged, manifest.files), strict=True) if bad]
    if not damaged:
        return
    files = write(table, manifest.recipe)
    for name in damaged:
        if name not in files or _sha256(files[name]) != manifest.files[name].sha256:
            raise CorruptObjectError(
                f"{keys.index_file(manifest.version, name)} is damaged and cannot be written again as it was. Delete "
                f"{keys.manifest(manifest.version)} and run `rag build`, which then makes the version anew."
            )
    _store_files(store, manifest.version, {name: files[name] for name in damaged})


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _upsert_missing(
    store: ObjectStore, vectors: VectorStore, recipe: Recipe, table: Mapping[EssayKeys, list[IndexedChunk]]
) -> None:
    """Milvus itself is asked what it lacks, so that rows lost there come back and none is written twice."""
    collection = recipe.collection
    missing = set(vectors.missing(collection, [row.chunk_id for part in table.values() for row in part]))
    ids: list[str] = []
    parts = []
    for essay, part in table.items():
        wanted = [n for n, row in enumerate(part) if row.chunk_id in missing]
        if wanted:
            parts.append(read_embeddings(store, essay, len(part))[wanted])
            ids += [part[n].chunk_id for n in wanted]
    if parts:
        vectors.upsert(collection, ids, np.concatenate(parts))


def fill(store: ObjectStore, vectors: VectorStore, manifest: Manifest, ids: Sequence[str]) -> int:
    """Put back what Milvus lost of a version's vectors, whose ids are these; return how many cannot be put back."""
    collection = manifest.recipe.collection
    if vectors.missing(collection, ids):
        whole = [essay for essay in manifest.essays if is_whole(store, essay)]
        _upsert_missing(store, vectors, manifest.recipe, _rows(store, whole))
    return len(vectors.missing(collection, ids))


def publish(
    store: ObjectStore,
    registry: Registry,
    version: str,
    measured: Measured,
    gates: Gates,
    *,
    day: date,
    promote: bool,
    by: str,
) -> Published:
    """Make an assembled version the one that answers; write its manifest last of all.

    `day` is the one that was built: it belongs to a version of an earlier day where nothing had changed since then.
    `measured` compares with what answered when it was measured, which is what the gate on quality goes by.
    Raises GateError with the figures where the version is not good enough; what was assembled stays unpublished.
    """
    draft = load(store, keys.draft(version), Draft)  # first: another run of the same content publishes, then deletes it
    if registry.exists(version):
        manifest = registry.manifest(version)
        why = registry.advance(manifest, promote=promote, by=by)
        registry.hold(day, manifest, by=by)
        return Published(version=version, published=False, current=why is None, why=why)
    if draft is None:
        raise UnknownVersionError(f"{version} was never assembled, or pruned before it was published; build it again.")
    before = registry.before(draft)
    uncompared = None
    _check_failures(draft, gates)
    if promote and before:
        _check_shrink(before, draft, gates)
        if measured.compared:
            _check_quality(measured.compared, gates)
            uncompared = measured.compared.why_not
    # What was assembled long ago may be what is being pruned now.
    registry.announce(keys.draft(version), draft)
    if lacking := _lacking(store, draft):
        raise UnknownVersionError(
            f"{version} was pruned before it was published ({', '.join(lacking)}); run the build again."
        )
    parent = draft.parent or (before.version if promote and before else None)
    manifest = Manifest(
        **(draft.model_dump() | {"parent": parent}),
        created_at=datetime.now(UTC),
        quality=measured.quality,
        yardstick=measured.yardstick,
    )
    why = registry.publish(manifest, promote=promote, by=by)
    registry.hold(day, manifest, by=by)
    return Published(version=version, published=True, current=why is None, why=why, uncompared=uncompared)


def _check_failures(draft: Draft, gates: Gates) -> None:
    asked = len({essay.slug for essay in draft.essays} | {failure.slug for failure in draft.failed})
    share = len(draft.failed) / asked if asked else 1.0
    if share > gates.max_failed_share or not draft.essays:
        reasons = "; ".join(failure.reason for failure in draft.failed[:3])
        raise GateError(
            f"Not published: {len(draft.failed)} of {asked} essays failed ({share:.0%}), more than the "
            f"{gates.max_failed_share:.0%} that RAG_MAX_FAILED_SHARE allows. What answers now stays. The first "
            f"failures: {reasons}"
        )


def _check_shrink(before: Manifest, draft: Draft, gates: Gates) -> None:
    share = 1 - draft.listed / before.listed
    if share > gates.max_shrink_share:
        raise GateError(
            f"Not published: the index page names {draft.listed} essays, and named {before.listed} in "
            f"{before.version}; {share:.0%} less is more than the {gates.max_shrink_share:.0%} that "
            "RAG_MAX_SHRINK_SHARE allows. What answers now stays."
        )


# An essay that is added may push sentences of others down by a rank, which is no fault of the index.
_UNGATED = frozenset({"known_item_mrr@5"})


def _check_quality(compared: Compared, gates: Gates) -> None:
    before, after = compared.before, compared.after
    # Figures have four digits: a drop of exactly what is allowed is allowed.
    drops = {name: round(before[name] - after[name], 4) for name in before if name not in _UNGATED}
    if all(drop <= gates.max_quality_drop for drop in drops.values()):
        return
    figures = ", ".join(f"{name} {before[name]:.3f} → {after[name]:.3f}" for name in before)
    fell = f" The questions that fell most: {'; '.join(compared.fell)}." if compared.fell else ""
    raise GateError(
        f"Not published: it answers worse than {compared.version} ({figures}, over {compared.questions} questions), "
        f"and a drop of more than {gates.max_quality_drop:g} is not allowed.{fell} What answers now stays. To publish "
        "it all the same, raise the run's parameter `max_quality_drop`, `rag build --max-quality-drop` or "
        "RAG_MAX_QUALITY_DROP, and run again."
    )
