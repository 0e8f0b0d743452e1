"""The four verbs of the public face; the command line calls the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from contextual_rag.wiring import World
from contextual_rag.wiring import connect as connect_world

if TYPE_CHECKING:
    from contextual_rag.building.build import Built, Progress
    from contextual_rag.qa.answer import Answer
    from contextual_rag.qa.filters import Filter
    from contextual_rag.qa.retrieve import Hit
    from contextual_rag.settings import Settings

__all__ = ["Found", "ask", "build", "connect", "search"]


class Found(NamedTuple):
    """What a question finds: the version that was searched, and its chunks, best first."""

    version: str
    hits: list[Hit]


def connect(settings: Settings | None = None) -> World:
    """Return the stores and models that the settings describe, by default those of the environment.

    Nothing is connected yet: each part is at its first use. Raises SettingError.
    """
    return connect_world(settings)


def build(
    rag: World,
    *,
    source: str | None = None,
    day: date | None = None,
    progress: Progress = lambda *_: None,
    **asked: Any,
) -> Built:
    """Follow a source, by its address or folder, and publish an index of what it says now.

    A past `day` is built from its snapshot. `asked` are the other parameters of a run: `limit`, `recipe`, `budget`,
    `promote` and so on, see `building.order.Run`. What exists is not made again. Raises RagError.
    """
    from contextual_rag.building.build import build_all
    from contextual_rag.building.order import Run

    now = datetime.now(UTC)
    run = Run(
        day=day or now.date(),
        past=day is not None and day < now.date(),
        by=asked.pop("by", f"build {now.isoformat(timespec='milliseconds')}"),
        source=source,
        **asked,
    )
    return build_all(rag.steps, run, progress)


def ask(rag: World, question: str, *, version: str | None = None, where: Filter | None = None) -> Answer:
    """Answer a question from a version of the index, by default the current one, with citations. Raises RagError.

    With `where`, only the documents that match are searched, such as `where=Filter(since=date(2020, 1, 1))`.
    """
    from contextual_rag.qa.answer import answer
    from contextual_rag.qa.meter import Meter

    index, meter = rag.indexes.open(rag.registry.resolve(version)), Meter()
    embedder, chat, reranker = rag.embedding_model(index.recipe, meter), rag.chat_model(meter), rag.rerank_model(meter)
    answered = answer(
        index, rag.vectors, embedder, question, chat=chat, reranker=reranker, reader=rag.quote_model(), where=where
    )
    return answered._replace(usage=meter.used)


def search(rag: World, question: str, k: int = 10, *, version: str | None = None, where: Filter | None = None) -> Found:
    """Return the k chunks of a version, by default the current one, that a question finds. Raises RagError.

    With `where`, only the documents that match are searched.
    """
    from contextual_rag.qa.filters import narrowed
    from contextual_rag.qa.retrieve import retrieve

    index = narrowed(rag.indexes.open(rag.registry.resolve(version)), where)
    embedder = rag.embedding_model(index.recipe)
    return Found(index.version, retrieve(index, rag.vectors, embedder, question, k=k, reranker=rag.rerank_model()))
