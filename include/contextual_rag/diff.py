"""What differs between two index versions."""

from __future__ import annotations

from typing import Any

from contextual_rag.model import Manifest
from contextual_rag.record import Record

__all__ = ["Diff", "diff"]


class Diff(Record):
    """Two versions side by side, the old one first in each pair.

    `added`, `removed` and `changed` are slugs; an essay is changed where its text, title or address is, `remade` where
    only its chunks, contexts or embeddings are, as by another recipe. `recipe` and `quality` name only what differs.
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
    before = {essay.slug: essay for essay in old.essays}
    after = {essay.slug: essay for essay in new.essays}
    both = sorted(before.keys() & after.keys())
    content = ("url", "title", "document")
    changed = [slug for slug in both if any(getattr(before[slug], f) != getattr(after[slug], f) for f in content)]
    recipes = old.recipe.model_dump(), new.recipe.model_dump()
    return Diff(
        old=old.version,
        new=new.version,
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(changed),
        remade=tuple(slug for slug in both if before[slug] != after[slug] and slug not in changed),
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
