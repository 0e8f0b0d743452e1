"""What every surface shows of the versions: command line, page, API and the page in Airflow's menu paint the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import takewhile
from typing import Any, NamedTuple

from contextual_rag.noun import noun
from contextual_rag.versions.diff import Diff
from contextual_rag.versions.records import ANSWER_FIGURES, Manifest, Pointer
from contextual_rag.versions.registry import Registry

__all__ = ["Change", "Summary", "changes", "described", "meanings", "metrics", "since", "summaries", "summary"]

_SLUGS_SHOWN = 12
_ANSWER_COUNTS = dict.fromkeys(ANSWER_FIGURES.values())
_MEANINGS = {
    "recall@5": "of the words that answer a question, the share in the first five passages",
    "mrr@5": "1 / the rank of the first passage with such words; 0 if it is not among the first five",
    "known_item_recall@5": "recall@5 of questions made of four rare words of a sentence",
    "known_item_mrr@5": "mrr@5 of these questions",
    "answered": "the share of questions with an answer whose answers hold the words that a right answer holds",
    "answered_first": "the same, for the first quotation of each answer alone",
    "silent": "of questions that the {many} do not answer, the share that got no answer",
    "citation_recall_by_words": "the share of an answer's statements that the passages support which they cite",
    "citation_precision_by_words": "the share of an answer's citations that are needed",
}


class Summary(NamedTuple):
    """A version as a line of a table and a point of a plot; `size` in bytes.

    It took `seconds` from the beginning of its run, None if that is not known; `stages` sum the work of tasks, of which
    many ran side by side.
    """

    version: str
    current: bool
    pinned: bool
    parent: str | None
    created_at: datetime
    logical_date: date
    essays: int
    failed: tuple[str, ...]
    chunks: int
    size: int
    quality: tuple[tuple[str, float], ...]
    questions: int
    known_items: int
    cost_usd: float
    model_calls: int
    embedded: int
    seconds: float | None
    stages: tuple[tuple[str, float], ...]
    recipe: str
    fingerprint: str
    models: tuple[str, str]
    answers: tuple[tuple[str, int], ...] = ()

    def asked(self, metric: str) -> int:
        """Return how many questions a figure is a mean over."""
        if metric in ANSWER_FIGURES:
            return dict(self.answers).get(ANSWER_FIGURES[metric], 0)
        return self.known_items if metric.startswith("known_item_") else self.questions

    def measured(self, metric: str) -> float | None:
        """Return one figure of the quality, or None if the version was not measured so."""
        return dict(self.quality).get(metric)


def summaries(registry: Registry) -> tuple[Summary, ...]:
    """Return all versions, newest first."""
    pointer = registry.current()
    return tuple(summary(manifest, pointer) for manifest in registry.versions())


def summary(manifest: Manifest, pointer: Pointer | None) -> Summary:
    """Return what is shown of a version, given what CURRENT says."""
    recipe, work = manifest.recipe, manifest.work
    return Summary(
        version=manifest.version,
        current=pointer is not None and pointer.version == manifest.version,
        pinned=pointer is not None and manifest.version in pointer.pinned,
        parent=manifest.parent,
        created_at=manifest.created_at,
        logical_date=manifest.logical_date,
        essays=len(manifest.essays),
        failed=tuple(f"{failure.slug}: {failure.reason}" for failure in manifest.failed),
        chunks=manifest.chunks,
        size=manifest.bytes,
        quality=tuple(manifest.figures.items()),
        questions=int(manifest.quality.get("questions", 0)),
        known_items=int(manifest.quality.get("known_items", 0)),
        cost_usd=work.cost_usd,
        model_calls=work.model_calls,
        embedded=work.embedded,
        seconds=manifest.took_s,
        stages=tuple(work.seconds.items()),
        recipe=manifest.summary,
        fingerprint=recipe.fingerprint,
        models=(recipe.context_model, recipe.embedding_model),
        answers=tuple((name, int(manifest.quality[name])) for name in _ANSWER_COUNTS if name in manifest.quality),
    )


def metrics(rows: Sequence[Summary]) -> list[str]:
    """Return the names of what any of the versions was measured with, in the order of the newest."""
    return list(dict.fromkeys(name for one in rows for name, _ in one.quality))


def meanings(rows: Sequence[Summary]) -> list[tuple[str, str]]:
    """Return what each figure means that any of the versions was measured with, in words."""
    return [(name, _MEANINGS[name].format(many=noun().many)) for name in metrics(rows) if name in _MEANINGS]


def described(diff: Diff) -> list[tuple[str, str]]:
    """Return what differs between two versions, a name and a sentence each."""
    lines = [(name, _some(getattr(diff, name))) for name in ("added", "removed", "changed", "remade")]
    lines += [("failed", "{} → {}".format(*diff.failed)), ("chunks", "{:,} → {:,}".format(*diff.chunks))]
    lines.append(("size", "{:.2f} → {:.2f} MB".format(*(size / 1e6 for size in diff.bytes))))
    lines += [(f"recipe: {name}", f"{before} → {after}") for name, (before, after) in diff.recipe.items()]
    lines += [(name, f"{_figure(before)} → {_figure(after)}") for name, (before, after) in diff.quality.items()]
    lines.append(("cost", "{:.4f} → {:.4f} USD".format(*diff.cost_usd)))
    return lines


def _some(slugs: Sequence[str]) -> str:
    if not slugs:
        return "none"
    more = f" … and {len(slugs) - _SLUGS_SHOWN} more" if len(slugs) > _SLUGS_SHOWN else ""
    return f"{len(slugs)}: {', '.join(slugs[:_SLUGS_SHOWN])}{more}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


class Change(NamedTuple):
    """An entry of the history, and the versions that it is about."""

    entry: Pointer
    about: tuple[str, ...]


def changes(history: Sequence[Pointer]) -> list[Change]:
    """Return the entries of the history, newest first, each with what it changed.

    An entry says what answered after it, which a pin leaves as it was; what was pinned shows against the entry before.
    """
    before = (*history[1:], None)
    return [Change(entry, _about(entry, earlier)) for entry, earlier in zip(history, before, strict=False)]


def since(history: Sequence[Pointer]) -> datetime | None:
    """Return when the current version began to answer, whatever was pinned or pruned later; None if none answers."""
    same = list(takewhile(lambda entry: entry.version == history[0].version, history))
    return same[-1].changed_at if same else None


def _about(entry: Pointer, earlier: Pointer | None) -> tuple[str, ...]:
    match entry.action:
        case "pin" | "unpin":
            return tuple(sorted(set(entry.pinned) ^ set(earlier.pinned if earlier else ())))
        case "retune":
            known: dict[str, Any] = dict(earlier.tuned) if earlier else {}
            return tuple(name for name, tuning in entry.tuned.items() if known.get(name) != tuning)
        case "prune":
            return ()
        case _:
            return (entry.version,)
