"""Measures the speed of searches in a large index with synthetic chunks and embeddings."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from zlib import crc32

import numpy as np

from bench.quality.figures import Speed
from bench.sample_site import Sample
from contextual_rag.commands.trial import Steps, Text, trial
from contextual_rag.model import Chunk
from contextual_rag.parameters import Parameters
from contextual_rag.ports import Budget, EmbeddingModel, Matrix, Usage
from contextual_rag.recipe import Recipe
from contextual_rag.sentences import sentences as split
from contextual_rag.wiring import World

__all__ = ["measure_speed"]

_K = 10
_CHUNKS_AN_ESSAY = 50
_SENTENCES = 5
# The share of words replaced by rare ones, which occur in few chunks, like names.
_RARE_SHARE = 0.1
_RARE_WORDS = 20_000
_EMBEDDED = 50


class _RandomUnits:
    """A very cheap embedding model: the same text has the same random direction."""

    name = "offline/random"
    dimension = 384

    def embed(
        self,
        texts: Sequence[str],
        *,
        kind: Literal["passage", "query"],  # noqa: ARG002
    ) -> tuple[Matrix, Usage]:
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for n, text in enumerate(texts):
            row = np.random.default_rng(crc32(text.encode())).standard_normal(self.dimension, dtype=np.float32)
            rows[n] = row / np.linalg.norm(row)
        return rows, Usage()


class _World(World):
    """The world with other embeddings."""

    def embedding_model(self, recipe: Recipe, budget: Budget | None = None) -> EmbeddingModel:  # noqa: ARG002
        return _RandomUnits()


def measure_speed(world: World, sample: Sample, *, chunks: int, questions: int, seed: int, steps: Steps) -> Speed:
    """Return the time for questions, one after the other, in an open index of this many chunks."""
    chance = random.Random(seed)
    sentences = [
        text[start:end].strip()
        for document in sample.documents
        for text in (document.text[one.start : one.end] for one in document.paragraphs)
        for start, end in split(text)
    ]
    asked = [_perturbed(chance.choice(sample.questions).question, chance) for _ in range(questions)]
    with TemporaryDirectory(prefix="quality-speed-") as folder:
        other = _World(world.settings.model_copy(update={"data_dir": Path(folder)}))
        with trial(other, _texts(sentences, chunks, chance), Parameters(), steps) as opened:
            # Use embeddings without a cache, and ask one question first, which opens what the others share.
            searched = replace(opened, embedder=_RandomUnits())
            searched.first(sample.questions[0].question, _K)
            began = time.perf_counter()
            found = list(searched.first_of_each(asked, _K, partial(steps, "questions")))
            seconds = time.perf_counter() - began
    return Speed(
        chunks=chunks,
        questions=len(found),
        k=_K,
        seconds=round(seconds, 2),
        per_second=round(len(found) / seconds, 1),
        embedding_ms=round(_embedding_ms(world, asked[:_EMBEDDED]), 1),
    )


def _texts(sentences: Sequence[str], chunks: int, chance: random.Random) -> list[Text]:
    """Return synthetic essays with this many chunks in total."""
    texts = []
    for first in range(0, chunks, _CHUNKS_AN_ESSAY):
        parts, spans, start = [], [], 0
        for _ in range(min(_CHUNKS_AN_ESSAY, chunks - first)):
            part = _perturbed(" ".join(chance.choices(sentences, k=_SENTENCES)), chance)
            parts.append(part)
            spans.append(Chunk(start=start, end=start + len(part), text=part))
            start += len(part) + 2
        texts.append(Text(f"essay-{first}", "\n\n".join(parts), tuple(spans)))
    return texts


def _perturbed(text: str, chance: random.Random) -> str:
    words = text.split()
    return " ".join(f"w{chance.randrange(_RARE_WORDS)}" if chance.random() < _RARE_SHARE else word for word in words)


def _embedding_ms(world: World, questions: Sequence[str]) -> float:
    """Return how long the default embedding model takes for one question."""
    model = world.embedding_model(Recipe())
    model.embed(questions[:1], kind="query")
    began = time.perf_counter()
    for question in questions:
        model.embed([question], kind="query")
    return 1000 * (time.perf_counter() - began) / len(questions)
