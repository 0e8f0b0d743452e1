"""What was measured, as it is stored: every time beside another one of the same run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter

__all__ = ["Beside", "Figures", "Scale", "read", "write"]

# What a ratio may become before it counts as worse.
_WORSE = 1.5
Kind = Literal["keyword", "hybrid", "milvus", "build"]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)


class Beside(_Stored):
    """A search of ours beside another, each question asked of both in turn.

    `ratio` is how many times as long as the other ours took at the 95th percentile: the median of the rounds' `ratios`.
    """

    kind: Kind
    other: str
    release: str
    chunks: int
    questions: int
    p50_ms: float
    p95_ms: float
    ours_p50_ms: float
    ours_p95_ms: float
    ratios: list[float]
    paired: float = 0.0
    # What the other took until it could be asked, if it is a peer.
    ready_s: float | None = None

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @classmethod
    def of(
        cls,
        kind: Kind,
        other: str,
        chunks: int,
        rounds: list[list[tuple[float, float]]],
        *,
        release: str = "",
        ready_s: float | None = None,
    ) -> Beside:
        """Return the figures of rounds, each a list of (ours, the other's) milliseconds."""
        pairs = np.concatenate(rounds)
        (p50, other_p50), (p95, other_p95) = np.percentile(pairs, [50, 95], axis=0).tolist()
        shares = [np.percentile(one, 95, axis=0) for one in rounds]
        return cls(
            kind=kind,
            other=other,
            release=release,
            chunks=chunks,
            questions=sum(map(len, rounds)),
            p50_ms=round(other_p50, 3),
            p95_ms=round(other_p95, 3),
            ours_p50_ms=round(p50, 3),
            ours_p95_ms=round(p95, 3),
            ratios=[round(float(ours / others), 3) for ours, others in shares],
            paired=round(float(np.median(pairs[:, 0] / pairs[:, 1])), 3),
            ready_s=None if ready_s is None else round(ready_s, 2),
        )


class Scale(_Stored):
    """Making and opening an index beside bare bm25s, each in a process of its own; memory in MB.

    `first_s` is from opening a local copy, which is checked, to the first answer; `resident_mb` what it then holds.
    """

    chunks: int
    index_s: float
    index_peak_mb: float
    bare_index_s: float
    bare_index_peak_mb: float
    files_mb: float
    first_s: float
    resident_mb: float

    @property
    def ratio(self) -> float:
        return self.index_s / self.bare_index_s


class Figures(_Stored):
    """All that a run measured; `absent` says why a peer is not among it."""

    beside: list[Beside] = []
    scale: list[Scale] = []
    absent: dict[str, str] = {}

    def updated(self, *found: Beside | Scale, absent: dict[str, str]) -> Figures:
        """Return these figures with others in place of those of the same searches and sizes."""
        beside = {(one.kind, one.chunks, one.other): one for one in self.beside}
        beside |= {(one.kind, one.chunks, one.other): one for one in found if isinstance(one, Beside)}
        scale = {one.chunks: one for one in self.scale} | {one.chunks: one for one in found if isinstance(one, Scale)}
        lacking = {name: why for name, why in (self.absent | absent).items() if name not in {k[2] for k in beside}}
        ordered = sorted(beside.values(), key=lambda one: (one.kind != "keyword", one.chunks))
        return Figures(beside=ordered, scale=[scale[chunks] for chunks in sorted(scale)], absent=lacking)

    def worse(self, found: Iterable[Beside]) -> list[Beside]:
        """Return those that now take half as long again, beside the same other, as they did in these figures.

        Raises LookupError if one was not measured before.
        """
        before = {(one.kind, one.chunks, one.other): one.paired for one in self.beside}
        return [one for one in found if one.paired > _WORSE * before[one.kind, one.chunks, one.other]]


def read(file: Path) -> Figures:
    """Return stored figures; none if there is no such file."""
    return Figures.model_validate_json(file.read_bytes()) if file.exists() else Figures()


def write(file: Path, figures: Figures) -> None:
    """Store figures."""
    file.write_bytes(TypeAdapter(Figures).dump_json(figures, indent=1) + b"\n")
