"""What is made of each essay that changed: chunks, contexts, embeddings."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from contextual_rag import keys
from contextual_rag.errors import CorruptObjectError, EmptyDocumentError, SkippableError
from contextual_rag.model import Chunk, Document, EssayKeys, Failure, Outcome, Plan, PlannedEssay, Work, embedded_text
from contextual_rag.pipeline.chunks import split
from contextual_rag.pipeline.contexts import MAX_CONTEXT_TOKENS, carried, chunk_ids, messages, shortened, structural
from contextual_rag.ports import ChatModel, EmbeddingModel, Matrix, ObjectStore, Usage
from contextual_rag.recipe import NO_CONTEXTS, Recipe
from contextual_rag.record import Record, require, save
from contextual_rag.stages.timing import Timed, timed

__all__ = [
    "Chunks",
    "Contexts",
    "chunk",
    "contextualize",
    "embed",
    "explain",
    "is_whole",
    "paid",
    "read_embeddings",
    "row_ids",
]


class Chunks(Record):
    """The chunks of one essay, in order."""

    chunks: tuple[Chunk, ...]


class Contexts(Record):
    """The contexts of one essay's chunks, in their order."""

    contexts: tuple[str, ...]


def chunk(store: ObjectStore, plan: Plan, slugs: Sequence[str]) -> Outcome:
    """Cut each essay into chunks."""

    def make(essay: PlannedEssay, _: Timed) -> None:
        key = keys.chunks(essay.keys.chunks)
        if not plan.force and store.exists(key):
            return
        document = require(store, keys.document(essay.keys.document), Document)
        chunks = split(document, plan.recipe)
        if not chunks:
            raise EmptyDocumentError(f"{essay.keys.url} has no text to cut into chunks.")
        save(store, key, Chunks(chunks=chunks))

    return _each("chunks", plan, slugs, make)


def contextualize(
    store: ObjectStore, plan: Plan, slugs: Sequence[str], model: ChatModel | None, *, concurrency: int = 8
) -> Outcome:
    """Explain each chunk's place in its essay, asking `model`, or from the structure where None.

    A chunk whose text stood in the earlier edition keeps the context that it had there.
    """

    def make(essay: PlannedEssay, spent: Timed) -> None:
        key = keys.contexts(essay.keys.contexts)
        if not plan.force and store.exists(key):
            return
        if not store.exists(keys.chunks(essay.keys.chunks)):
            return  # it failed before; assemble says so
        document = require(store, keys.document(essay.keys.document), Document)
        chunks = _chunks(store, essay.keys)
        contexts = carried(chunks, _earlier_contexts(store, plan, essay))
        new = [n for n, context in enumerate(contexts) if context is None]
        spent.work += Work(model_calls=len(new))
        made, usage = explain(document, [chunks[n] for n in new], plan.recipe, model, concurrency=concurrency)
        spent.work += paid(usage)
        for n, context in zip(new, made, strict=True):
            contexts[n] = context
        # A model asked again, where a damaged object was deleted, answers in other words; vectors of the former must
        # not be taken for theirs, whenever this is interrupted.
        store.delete([keys.embeddings(essay.keys.embeddings)])
        save(store, key, Contexts(contexts=tuple(context or "" for context in contexts)))

    return _each("contexts", plan, slugs, make)


def explain(
    document: Document, chunks: Sequence[Chunk], recipe: Recipe, model: ChatModel | None, *, concurrency: int = 8
) -> tuple[list[str], Usage]:
    """Return a context for each chunk of a document, asking `model`, or from the structure where None."""
    if recipe.context_model == NO_CONTEXTS:
        return [""] * len(chunks), Usage()
    if model is None:
        return [structural(document, chunk) for chunk in chunks], Usage()
    with ThreadPoolExecutor(concurrency) as pool:
        answers = list(
            pool.map(lambda chunk: model.complete(messages(document, chunk), max_tokens=MAX_CONTEXT_TOKENS), chunks)
        )
    return [shortened(answer.text) for answer in answers], sum((answer.usage for answer in answers), Usage())


def embed(store: ObjectStore, plan: Plan, slugs: Sequence[str], model: EmbeddingModel) -> Outcome:
    """Embed each chunk together with its context; a chunk of the earlier edition keeps the row that it had there."""

    def make(essay: PlannedEssay, spent: Timed) -> None:
        key = keys.embeddings(essay.keys.embeddings)
        if not plan.force and store.exists(key):
            return
        if not store.exists(keys.contexts(essay.keys.contexts)):
            return
        ids, texts = _contextual(store, essay.keys)
        known: dict[str, Matrix] = {}
        # What is not there any more was deleted because it was damaged: then everything is embedded.
        if essay.earlier and plan.carry_over and not plan.force and is_whole(store, essay.earlier):
            earlier_ids, _ = _contextual(store, essay.earlier)
            known = dict(zip(earlier_ids, read_embeddings(store, essay.earlier, len(earlier_ids)), strict=True))
        new = [n for n, id_ in enumerate(ids) if id_ not in known]
        rows, usage = model.embed([texts[n] for n in new], kind="passage")
        spent.work += Work(embedded=len(new)) + paid(usage)
        matrix = np.empty((len(ids), model.dimension), dtype=np.float32)
        for n, id_ in enumerate(ids):
            if id_ in known:
                matrix[n] = known[id_]
        matrix[new] = rows
        body = io.BytesIO()
        np.save(body, matrix, allow_pickle=False)
        store.put(key, body.getvalue())

    return _each("embeddings", plan, slugs, make)


def read_embeddings(store: ObjectStore, essay: EssayKeys, rows: int) -> Matrix:
    """Return an essay's embeddings, shape (rows, dimension). Raises CorruptObjectError that names the object."""
    key = keys.embeddings(essay.embeddings)
    stored = store.get(key)
    if stored is None:
        raise CorruptObjectError(f"{key}, the embeddings of {essay.slug}, is missing; run `rag build`.")
    try:
        matrix = np.asarray(np.load(io.BytesIO(stored.body), allow_pickle=False), dtype=np.float32)
    except (ValueError, EOFError) as error:
        raise CorruptObjectError(f"{key} is not a matrix ({error}); delete it and run `rag build`.") from error
    if matrix.ndim != 2 or len(matrix) != rows:  # noqa: PLR2004
        raise CorruptObjectError(f"{key} has shape {matrix.shape} for {rows} chunks; delete it and run `rag build`.")
    return matrix


def is_whole(store: ObjectStore, essay: EssayKeys) -> bool:
    """Whether an essay's chunks, contexts and embeddings are all there."""
    made = (keys.embeddings(essay.embeddings), keys.contexts(essay.contexts), keys.chunks(essay.chunks))
    return all(store.exists(key) for key in made)


def row_ids(store: ObjectStore, essay: EssayKeys) -> list[str]:
    """Return the ids of an essay's chunks; none where they have no contexts yet."""
    if not all(store.exists(key) for key in (keys.chunks(essay.chunks), keys.contexts(essay.contexts))):
        return []
    return _contextual(store, essay)[0]


def _each(stage: str, plan: Plan, slugs: Sequence[str], make: Callable[[PlannedEssay, Timed], None]) -> Outcome:
    """Do one stage for each essay, and go on after those that fail by themselves."""
    wanted = set(slugs)
    failed = []
    with timed(stage) as spent:
        for essay in plan.essays:
            if essay.keys.slug not in wanted:
                continue
            try:
                make(essay, spent)
            except SkippableError as error:
                failed.append(Failure(slug=essay.keys.slug, url=essay.keys.url, reason=str(error)))
    return Outcome(work=spent.work, failed=tuple(failed))


def _chunks(store: ObjectStore, essay: EssayKeys) -> tuple[Chunk, ...]:
    return require(store, keys.chunks(essay.chunks), Chunks).chunks


def _contexts(store: ObjectStore, essay: EssayKeys) -> tuple[str, ...]:
    return require(store, keys.contexts(essay.contexts), Contexts).contexts


def _contextual(store: ObjectStore, essay: EssayKeys) -> tuple[list[str], list[str]]:
    """Return the ids and the contextual texts of an essay's chunks."""
    chunks, contexts = _chunks(store, essay), _contexts(store, essay)
    texts = [embedded_text(context, chunk.text) for chunk, context in zip(chunks, contexts, strict=True)]
    return chunk_ids(essay.slug, chunks, contexts), texts


def _earlier_contexts(store: ObjectStore, plan: Plan, essay: PlannedEssay) -> list[tuple[str, str]]:
    if essay.earlier is None or not plan.carry_over or plan.force:
        return []
    if not all(store.exists(key) for key in (keys.chunks(essay.earlier.chunks), keys.contexts(essay.earlier.contexts))):
        return []
    chunks, contexts = _chunks(store, essay.earlier), _contexts(store, essay.earlier)
    return [(chunk.text, context) for chunk, context in zip(chunks, contexts, strict=True)]


def paid(usage: Usage) -> Work:
    """Return what model calls took as work."""
    return Work(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens, cost_usd=usage.cost_usd)
