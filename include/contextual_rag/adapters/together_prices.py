"""The prices of tokens: from the setting, otherwise from the provider's list."""

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
    """Prices by model, shared by all threads. `given` take precedence; `ask` returns the provider's, and runs once.

    The argument of `ask` is the number of attempts; None means as many as for any request.
    """

    def __init__(self, given: Mapping[str, Price], ask: Callable[[int | None], Mapping[str, Price]]) -> None:
        self._given = dict(given)
        self._ask = ask
        self._lock = Lock()
        self._listed: Mapping[str, Price] | None = None
        self._unknown: set[str] = set()

    def given(self, model: str) -> Price:
        """Return the price from the setting, or 0; the provider is not asked."""
        return self._given.get(model, _NOTHING)

    def of(self, model: str, *, attempts: int | None = None) -> Price | None:
        """Return a model's price, or None if it is unknown. Raises the error of the request to the provider."""
        if model in self._given:
            return self._given[model]
        with self._lock:
            if self._listed is None:
                self._listed = self._ask(attempts)
        return self._listed.get(model)

    def or_nothing(self, model: str) -> Price:
        """Return a model's price, or 0 with one warning: work must not fail because its cost is unknown."""
        if model in self._unknown:
            return _NOTHING
        try:
            price, why = self.of(model, attempts=1), "the provider lists none"
        except RagError as error:
            price, why = None, str(error)
        if price is None:
            self._unknown.add(model)
            _log.warning("The price of %s is unknown and counts as 0. Set RAG_MODEL_PRICES. (%s)", model, why)
            return _NOTHING
        return price
