"""A version of essays in other languages is another one than before they were told apart; an English one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextual_rag.pipeline.index import content_digest
from tests.memory_world import MemoryWorld

ENGLISH = "The keeper lit the lamp every evening, and wrote the height of the water down in a book that he had."
GERMAN = "Der Wärter zündete jeden Abend die Lampe an und schrieb die Höhe des Wassers in ein Heft."


@pytest.mark.parametrize(
    ("texts", "languages"), [([ENGLISH], {"en"}), ([GERMAN], {"de"}), ([ENGLISH, GERMAN], {"en", "de"})]
)
def test_the_languages_of_a_version_are_part_of_its_name_unless_all_are_english(
    tmp_path: Path, texts: list[str], languages: set[str]
) -> None:
    world = MemoryWorld(tmp_path)
    world.pages.show({f"essay{n}": text for n, text in enumerate(texts)})
    world.build()
    manifest = world.registry.manifest(world.registry.versions()[0].version)
    index = world.indexes.open(manifest)
    assert index.languages == languages
    named = [(one.slug, one.url, one.title, one.embeddings) for one in manifest.essays]
    before = content_digest(named, index.rows, manifest.recipe.fingerprint)
    assert manifest.version.endswith(before) == (languages == {"en"})


def test_a_recipe_may_say_the_language(tmp_path: Path) -> None:
    world = MemoryWorld(tmp_path)
    world.pages.show({"essay": GERMAN})
    world.build(recipe={"language": "en"})
    assert world.indexes.open(world.registry.resolve(None)).languages == {"en"}
