"""What is made of each essay that changed: chunks, contexts, embeddings."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np

from contextual_rag import keys
from contextual_rag.building.contexts import KeptContexts, explain, names_of
from contextual_rag.building.order import Order
from contextual_rag.building.outcome import Outcome, Timed, timed
from contextual_rag.building.spending import Ledger
from contextual_rag.errors import BudgetError, EmptyDocumentError, SkippableError
from contextual_rag.model import Document, Failure
from contextual_rag.objects import require, save
from contextual_rag.pipeline.chunks import split
from contextual_rag.ports import ChatModel, EmbeddingModel, Matrix, ObjectStore
from contextual_rag.record import encode
from contextual_rag.versions.parts import (
    Chunks,
    Contexts,
    contextual,
    is_whole,
    read_chunks,
    read_contexts,
    read_embeddings,
)
from contextual_rag.versions.records import EssayKeys, Plan, PlannedEssay, Work

__all__ = ["chunk", "contextualize", "embed"]


def chunk(store: ObjectStore, order: Order, plan: Plan, slugs: Sequence[str]) -> Outcome:
    """Cut each essay into chunks."""

    def make(essay: PlannedEssay, _: Timed) -> None:
        key = keys.chunks(essay.keys.chunks)
        if not order.force and store.exists(key):
            return
        document = require(store, keys.document(essay.keys.document), Document)
        chunks = split(document, order.recipe)
        if not chunks:
            raise EmptyDocumentError(f"{essay.keys.url} has no text to cut into chunks.")
        save(store, key, Chunks(chunks=chunks))

    return _each("chunks", plan, slugs, make)


def contextualize(
    store: ObjectStore,
    order: Order,
    plan: Plan,
    slugs: Sequence[str],
    model: ChatModel | None,
    ledger: Ledger,
    *,
    concurrency: int = 8,
) -> Outcome:
    """Explain each chunk's place in its essay, asking `model`, or from the structure if it is None.

    A chunk keeps the context that its text got in any edition of the essay, unless the order carries nothing over.
    """
    recipe = order.recipe

    def make(essay: PlannedEssay, spent: Timed) -> None:
        key = keys.contexts(essay.keys.contexts)
        # First: embeddings that come after this look are of contexts that another build has stored meanwhile.
        stale = order.force or store.exists(keys.embeddings(essay.keys.embeddings))
        if not order.force and store.exists(key):
            return
        if not store.exists(keys.chunks(essay.keys.chunks)):
            return  # it failed before; assemble says so
        document = require(store, keys.document(essay.keys.document), Document)
        chunks = read_chunks(store, essay.keys)
        scope = essay.keys.url if order.carry_over else essay.keys.document
        kept = KeptContexts(store, keys.kept_contexts(scope, recipe.context_model, recipe.context_prompt))
        if order.carry_over and essay.earlier:
            _keep_earlier(store, essay.earlier, kept)
        try:
            contexts, made = explain(document, chunks, recipe, model, kept, concurrency=concurrency, again=order.force)
        finally:
            spent.work += ledger.taken()
        spent.work += Work(model_calls=made)
        # A model that is asked again, after a damaged object was deleted, answers in other words. The vectors of the
        # former ones must not be taken for theirs, whenever this is interrupted.
        if stale:
            store.delete([keys.embeddings(essay.keys.embeddings)])
            save(store, key, Contexts(contexts=tuple(contexts)))
        else:
            store.put_new(key, encode(Contexts(contexts=tuple(contexts))))

    return _each("contexts", plan, slugs, make)


def _keep_earlier(store: ObjectStore, earlier: EssayKeys, kept: KeptContexts) -> None:
    """Keep the contexts of the parent's edition too: release 0.1.0 stored them by edition alone."""
    if all(store.exists(key) for key in (keys.chunks(earlier.chunks), keys.contexts(earlier.contexts))):
        known = zip(names_of(read_chunks(store, earlier)), read_contexts(store, earlier), strict=True)
        lacking = {name: context for name, context in known if context and kept.get(name) is None}
        if lacking:
            kept.update(lacking)


def embed(
    store: ObjectStore, order: Order, plan: Plan, slugs: Sequence[str], model: EmbeddingModel, ledger: Ledger
) -> Outcome:
    """Embed each chunk together with its context; a text of the earlier edition keeps the row that it had there."""

    def make(essay: PlannedEssay, spent: Timed) -> None:
        key = keys.embeddings(essay.keys.embeddings)
        if not order.force and store.exists(key):
            return
        if not store.exists(keys.contexts(essay.keys.contexts)):
            return
        _, texts = contextual(store, essay.keys)
        known: dict[str, Matrix] = {}
        # What is not there any more was deleted because it was damaged: then everything is embedded.
        if essay.earlier and order.carry_over and not order.force and is_whole(store, essay.earlier):
            _, earlier = contextual(store, essay.earlier)
            known = dict(zip(earlier, read_embeddings(store, essay.earlier, len(earlier)), strict=True))
        new = [n for n, text in enumerate(texts) if text not in known]
        rows, _ = model.embed([texts[n] for n in new], kind="passage")
        spent.work += Work(embedded=len(new)) + ledger.taken()
        matrix = np.empty((len(texts), model.dimension), dtype=np.float32)
        for n, text in enumerate(texts):
            if text in known:
                matrix[n] = known[text]
        matrix[new] = rows
        body = io.BytesIO()
        np.save(body, matrix, allow_pickle=False)
        store.put(key, body.getvalue())

    return _each("embeddings", plan, slugs, make)


def _each(stage: str, plan: Plan, slugs: Sequence[str], make: Callable[[PlannedEssay, Timed], None]) -> Outcome:
    """Do one stage for each essay, in turn, and go on after those that fail by themselves."""
    planned = {essay.keys.slug: essay for essay in plan.essays}
    failed = []
    with timed(stage) as spent:
        for essay in (planned[slug] for slug in slugs if slug in planned):
            try:
                make(essay, spent)
            except SkippableError as error:
                failed.append(Failure(slug=essay.keys.slug, url=essay.keys.url, reason=str(error)))
            except BudgetError as error:
                raise BudgetError(
                    f"Stopped at the {stage} of {essay.keys.slug!r} ({essay.keys.url}). {error}"
                ) from None
    return Outcome(work=spent.work, failed=tuple(failed))
