"""The ranking: how a version is asked. It can be changed at any time, and nothing is built again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contextual_rag.record import StrictRecord

__all__ = ["Ranking"]


class Ranking(StrictRecord):
    """How the two searches of a version are weighed; docs/quality.md says what each of the defaults brings.

    `keyword_weight` is the share of the keyword search in the fused score, 1 for words alone and 0 for vectors alone;
    `window_weight` is what the best passage of a chunk weighs beside that, `nearby_weight` what is found near it in its
    essay, `rerank_weight` what a reranker says, if there is one (see `qa/retrieve.py`). If `per_essay` is set, no more
    chunks of one essay are found.
    """

    keyword_weight: Annotated[float, Field(ge=0, le=1)] = 0.7
    window_weight: Annotated[float, Field(ge=0, le=1)] = 0.3
    nearby_weight: Annotated[float, Field(ge=0, le=1)] = 0.2
    rerank_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    per_essay: Annotated[int, Field(ge=1, le=1000)] | None = None

    @property
    def summary(self) -> str:
        """What is not the default: "keyword_weight 0.4"; empty if all is."""
        return ", ".join(f"{name} {value}" for name, value in self.model_dump(exclude_defaults=True).items())
