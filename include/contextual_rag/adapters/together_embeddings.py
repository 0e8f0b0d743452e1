"""Embedding models of Together AI, or any server with its HTTP API."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np

from contextual_rag.adapters.together import AgainError, Call, Together, check_indices
from contextual_rag.adapters.together_wire import Tokens, Vectors
from contextual_rag.errors import ModelError
from contextual_rag.ports import Matrix, Usage
from contextual_rag.recipe import NO_PREFIXES, Prefixes

__all__ = ["TogetherEmbeddings"]


class TogetherEmbeddings:
    """An embedding model with vectors of `dimension` numbers; if it is None, the model is asked for them once.

    Texts are sent with the prefix of their kind, in batches of `batch_size`.
    """

    def __init__(
        self,
        client: Together,
        name: str,
        dimension: int | None = None,
        *,
        prefixes: Prefixes = NO_PREFIXES,
        batch_size: int = 64,
        setting: str = "RAG_EMBEDDING_MODEL",
    ) -> None:
        self.name = name
        self._dimension = dimension
        self._client = client
        self._batch_size = batch_size
        self._setting = setting
        self._prefixes = prefixes

    @property
    def dimension(self) -> int:
        """The length of the vectors. Raises the error of the request if the model must be asked, and cannot be."""
        if self._dimension is None:
            call = Call.of(self.name, self._setting, ["length"])
            matrix, tokens = self._client.call(partial(self._rows, ["length"]), call)
            self._client.spent(call, tokens, guess=call.tokens)
            self._dimension = matrix.shape[1]
        return self._dimension

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        """Return (len(texts), dimension) float32, rows L2-normalised. Tokens are estimated if none are reported."""
        matrix, total = np.empty((len(texts), self.dimension), dtype=np.float32), Usage()
        prefix: str = getattr(self._prefixes, kind)
        for start in range(0, len(texts), self._batch_size):
            batch = [prefix + text for text in texts[start : start + self._batch_size]]
            call = Call.of(self.name, self._setting, batch)
            matrix[start : start + len(batch)], tokens = self._client.call(partial(self._rows, batch), call)
            total += self._client.spent(call, tokens, guess=call.tokens)
        return matrix, total

    def _rows(self, batch: list[str]) -> tuple[Matrix, Tokens | None]:
        raw = self._client.sdk.embeddings.with_raw_response.create(model=self.name, input=batch)
        answer = Vectors.model_validate_json(raw.read())
        check_indices([row.index for row in answer.data], len(batch))
        widths = {len(row.embedding) for row in answer.data}
        if len(widths) != 1 or self._dimension not in {None, *widths}:
            raise ModelError(
                f"{self.name} ({self._setting}) returned vectors of {sorted(widths)} numbers, not {self._dimension}.",
                code="model_dimension",
            )
        rows = np.array([row.embedding for row in sorted(answer.data, key=lambda row: row.index)])
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise AgainError("invalid vector (zero or not finite)")
        return (rows / norms).astype(np.float32), answer.usage
