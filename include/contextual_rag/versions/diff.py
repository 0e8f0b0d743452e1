"""What differs between two index versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contextual_rag.record import Record
from contextual_rag.versions.records import EssayKeys, Manifest

__all__ = ["Diff", "diff"]


class Diff(Record):
    """Two versions side by side, the old one first in each pair.

    `added`, `removed` and `changed` are slugs. An essay is the same one if its address is; it is changed if its text or
    title is, `remade` if only its chunks, contexts or embeddings are, as by another recipe. `recipe` (with the ranking)
    and `quality` name only what differs.
    """

    old: str
    new: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    remade: tuple[str, ...]
    failed: tuple[int, int]
    chunks: tuple[int, int]
    bytes: tuple[int, int]
    recipe: dict[str, tuple[Any, Any]]
    quality: dict[str, tuple[float | None, float | None]]
    cost_usd: tuple[float, float]
    model_calls: tuple[int, int]
    embedded: tuple[int, int]


def diff(old: Manifest, new: Manifest) -> Diff:
    """Compare two versions by what their manifests say; nothing else is read."""
    before = {essay.url: essay for essay in old.essays}
    after = {essay.url: essay for essay in new.essays}
    pairs = [(before[url], after[url]) for url in before.keys() & after.keys()]
    content = ("slug", "title", "document")
    changed = [now for was, now in pairs if any(getattr(was, name) != getattr(now, name) for name in content)]
    known = {essay.url for essay in changed}
    remade = [now for was, now in pairs if was != now and now.url not in known]
    recipes = old.parameters, new.parameters
    return Diff(
        old=old.version,
        new=new.version,
        added=_slugs(essay for url, essay in after.items() if url not in before),
        removed=_slugs(essay for url, essay in before.items() if url not in after),
        changed=_slugs(changed),
        remade=_slugs(remade),
        failed=(len(old.failed), len(new.failed)),
        chunks=(old.chunks, new.chunks),
        bytes=(old.bytes, new.bytes),
        recipe={name: (value, recipes[1][name]) for name, value in recipes[0].items() if value != recipes[1][name]},
        quality={
            name: (old.quality.get(name), new.quality.get(name))
            for name in sorted(old.quality.keys() | new.quality.keys())
            if old.quality.get(name) != new.quality.get(name)
        },
        cost_usd=(old.work.cost_usd, new.work.cost_usd),
        model_calls=(old.work.model_calls, new.work.model_calls),
        embedded=(old.work.embedded, new.work.embedded),
    )


def _slugs(essays: Iterable[EssayKeys]) -> tuple[str, ...]:
    return tuple(sorted(essay.slug for essay in essays))
