"""What differs between two versions, by their manifests."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.model import Failure, Source
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from contextual_rag.versions.diff import diff
from contextual_rag.versions.records import EssayKeys, File, Manifest, Work

slugs = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"), max_size=6)


def manifest(documents: dict[str, str], **other: Any) -> Manifest:
    """A version of these essays, each with a document."""
    fields: dict[str, Any] = {
        "version": "2026-03-01-00000000",
        "logical_date": date(2026, 3, 1),
        "parent": None,
        "source": Source.at("http://essays.example/"),
        "recipe": Recipe(),
        "ranking": Ranking(),
        "collection": Recipe().collection,
        "essays": tuple(keys(slug, document) for slug, document in documents.items()),
        "failed": (),
        "elsewhere": (),
        "listed": len(documents),
        "chunks": 10,
        "files": {"a": File(sha256="0", size=100)},
        "work": Work(),
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
        "quality": {},
    }
    return Manifest(**(fields | other))


def keys(slug: str, document: str, embeddings: str = "e") -> EssayKeys:
    return EssayKeys(
        slug=slug,
        url=f"http://essays.example/{slug}.html",
        title=slug,
        document=document,
        chunks="c",
        contexts="x",
        embeddings=embeddings,
    )


class TestDiff:
    @given(slugs, slugs)
    def test_every_essay_is_added_removed_changed_or_the_same(
        self, before: dict[str, str], after: dict[str, str]
    ) -> None:
        found = diff(manifest(before), manifest(after))
        same = {slug for slug in before if after.get(slug) == before[slug]}
        parts = [set(found.added), set(found.removed), set(found.changed), same]
        assert set.union(*parts) == before.keys() | after.keys()
        assert sum(map(len, parts)) == len(before.keys() | after.keys())
        assert set(found.added) == after.keys() - before.keys()

    @given(slugs)
    def test_of_a_version_and_itself_is_empty(self, essays: dict[str, str]) -> None:
        found = diff(manifest(essays), manifest(essays))
        assert not any([found.added, found.removed, found.changed, found.remade, found.recipe, found.quality])

    def test_another_recipe_remakes_essays_and_names_the_parameters_that_differ(self) -> None:
        old = manifest({"a": "1"})
        new = manifest({}, essays=(keys("a", "1", "other"),), recipe=Recipe(chunk_size=400), listed=1)
        found = diff(old, new)
        assert (found.changed, found.remade) == ((), ("a",))
        assert found.recipe == {"chunk_size": (1350, 400)}

    def test_figures_stand_side_by_side(self) -> None:
        old = manifest({"a": "1"}, quality={"recall@5": 0.5, "mrr@5": 0.5}, chunks=10)
        new = manifest(
            {"a": "1"},
            quality={"mrr@5": 0.5, "ndcg@5": 0.7},
            chunks=12,
            files={"a": File(sha256="0", size=100), "b": File(sha256="0", size=50)},
            failed=(Failure(slug="b", url="u", reason="r"),),
            work=Work(model_calls=2, embedded=3, cost_usd=0.25),
        )
        found = diff(old, new)
        assert found.quality == {"recall@5": (0.5, None), "ndcg@5": (None, 0.7)}
        assert (found.chunks, found.bytes, found.failed) == ((10, 12), (100, 150), (0, 1))
        assert (found.model_calls, found.embedded, found.cost_usd) == ((0, 2), (0, 3), (0.0, 0.25))
