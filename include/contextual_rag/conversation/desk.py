"""What turns are answered with."""

from __future__ import annotations

from typing import Protocol

from contextual_rag.model import Weather
from contextual_rag.ports import Index, Models
from contextual_rag.qa.meter import Meter
from contextual_rag.qa.tools import Toolbox
from contextual_rag.versions.manage import Stock
from contextual_rag.versions.reader import Reader

__all__ = ["Desk", "Forecaster", "toolbox"]


class Forecaster(Protocol):
    """Tells the weather of a city."""

    def current(self, city: str) -> Weather | None:
        """Return the weather in a city now; None if there is no such city."""


class Desk(Stock, Models, Protocol):
    """What turns are answered with; each part is connected at its first use."""

    @property
    def reader(self) -> Reader:
        """The index of CURRENT, which follows it."""

    @property
    def weather(self) -> Forecaster | None:
        """The weather by city; None if it is turned off."""


def toolbox(desk: Desk, index: Index, city: str | None, meter: Meter) -> Toolbox:
    """Return the tools of a turn that this index answers, for a person in this city."""
    weather = desk.weather
    return Toolbox(
        index=index,
        vectors=desk.vectors,
        embedder=desk.embedding_model(index.recipe, meter),
        reranker=desk.rerank_model(meter),
        versions=desk.registry.versions,
        weather=weather.current if weather else None,
        city=city,
    )
