"""What tokens cost: as set, else as the provider lists it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Lock

from contextual_rag.errors import RagError

__all__ = ["Price", "Prices"]

_log = logging.getLogger(__name__)

# USD per million prompt and completion tokens.
Price = tuple[float, float]

_NOTHING: Price = (0.0, 0.0)


class Prices:
    """Prices by model, shared by all threads. `given` go first; `ask` returns the provider's and is called once.

    `ask` is told how often to try: None means as often as any request.
    """

    def __init__(self, given: Mapping[str, Price], ask: Callable[[int | None], Mapping[str, Price]]) -> None:
        self._given = dict(given)
        self._ask = ask
        self._lock = Lock()
        self._listed: Mapping[str, Price] | None = None
        self._unknown: set[str] = set()

    def given(self, model: str) -> Price:
        """Return the price that was set; nobody is asked, and others cost nothing."""
        return self._given.get(model, _NOTHING)

    def of(self, model: str, *, attempts: int | None = None) -> Price | None:
        """Return a model's price, or None where nobody says. Raises the error of asking the provider."""
        if model in self._given:
            return self._given[model]
        with self._lock:
            if self._listed is None:
                self._listed = self._ask(attempts)
        return self._listed.get(model)

    def or_nothing(self, model: str) -> Price:
        """Return a model's price, or 0 with one warning: no work fails because its cost cannot be told."""
        if model in self._unknown:
            return _NOTHING
        try:
            price, why = self.of(model, attempts=1), "the provider lists none"
        except RagError as error:
            price, why = None, str(error)
        if price is None:
            self._unknown.add(model)
            _log.warning("The price of %s is not known, so it counts 0; set RAG_MODEL_PRICES. (%s)", model, why)
            return _NOTHING
        return price
