"""A damaged object is named by its key; the other versions answer, and what the error says to do does mend it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from contextual_rag import keys
from contextual_rag.build import Built
from contextual_rag.embedded.services import Services
from contextual_rag.errors import CorruptObjectError
from contextual_rag.model import EssayKeys
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.conftest import settings_of
from tests.faults.commands import Commands, answers
from tests.faults.conftest import in_process
from tests.faults.small_site import QUESTION, essay_page, index_url, show
from tests.kept import Kept, keep
from tests.raising import raising
from tests.servers.faulty_site import FaultySite, page


def edit(site: FaultySite) -> None:
    """Serve one of the essays in other words."""
    site.routes["/bread.html"] = page(essay_page("bread").replace(b"eleven years", b"twelve years"))


@pytest.fixture(scope="module")
def second_day(
    stores: Services,
    session_small_site: FaultySite,
    small_first_day: tuple[Built, Kept],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Built, Kept]:
    """What the edited essay comes to after the small site's first version, built once, and all that both left."""
    world = World(settings_of(stores, tmp_path_factory.mktemp("second_day")))
    _, kept = small_first_day
    kept.put(world)
    show(session_small_site)
    edit(session_small_site)
    return in_process(world, session_small_site), keep(world)


@pytest.fixture
def two_versions(
    small_first_day: tuple[Built, Kept], second_day: tuple[Built, Kept], world: World, small_site: FaultySite
) -> tuple[str, str]:
    """The small site's version, and a second one of an edited essay, which is CURRENT."""
    first, _ = small_first_day
    second, kept = second_day
    assert second.current
    kept.put(world)
    edit(small_site)
    return first.version, second.version


_DIGEST = "0" * 32


class TestCurrent:
    def test_that_cannot_be_read_is_named_the_versions_answer_and_a_build_after_its_deletion_mends_it(
        self,
        commands: Commands,
        two_versions: tuple[str, str],
        settings: Settings,
        world: World,
        small_site: FaultySite,
    ) -> None:
        first, second = two_versions
        for body in (b"\x00\xff\x00", b"", b'{"version": 7}', b"[]"):
            world.store.put(keys.CURRENT, body)
            error = commands.fails("versions")
            assert error.startswith("CorruptObject: ")
            assert keys.CURRENT in error
            assert first in error
            assert second in error
        assert commands.fails("ask", QUESTION) == error
        assert {answers(settings, version) for version in two_versions} == {first, second}
        world.store.delete([keys.CURRENT])
        assert in_process(World(settings), small_site).current
        assert answers(settings) == second

    def test_that_names_a_version_which_is_not_there_is_mended_by_a_build(
        self,
        commands: Commands,
        two_versions: tuple[str, str],
        settings: Settings,
        world: World,
        small_site: FaultySite,
    ) -> None:
        first, second = two_versions
        pointer = world.registry.current()
        assert pointer
        later = pointer.model_copy(update={"version": "2999-01-01-00000000"})
        world.store.put(keys.CURRENT, later.model_dump_json().encode())
        error = commands.fails("ask", QUESTION)
        assert error.startswith("CorruptObject: ")
        assert all(name in error for name in (keys.CURRENT, "2999-01-01-00000000", "`rag build`"))
        assert answers(settings, first) == first
        built = commands.succeeds("build", "--source", index_url(small_site))
        assert (built["version"], built["current"], built["embedded"]) == (second, True, 0)
        assert answers(settings) == second


def _garbage(_: bytes) -> bytes:
    return b"\x00 no JSON"


def _truncated(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _of_another_version(body: bytes) -> bytes:
    return json.dumps(json.loads(body) | {"version": f"2020-01-01-{_DIGEST[:8]}"}).encode()


def test_a_manifest_is_named_the_other_version_answers_and_a_build_after_its_deletion_mends_it(
    commands: Commands, two_versions: tuple[str, str], settings: Settings, world: World, small_site: FaultySite
) -> None:
    first, second = two_versions
    key = keys.manifest(second)
    stored = world.store.get(key)
    assert stored
    for damage in (_garbage, _truncated, _of_another_version):
        world.store.put(key, damage(stored.body))
        for error in commands.all_fail((["ask", QUESTION], {}), (["build", "--source", index_url(small_site)], {})):
            assert error.startswith("CorruptObject: ")
            assert all(name in error for name in (key, "`rag build`"))
    assert answers(settings, first) == first
    world.store.delete([key])
    again = in_process(World(settings), small_site)
    assert (again.version, again.published, again.current, again.work.embedded) == (second, True, True, 0)
    assert answers(settings) == second


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


@pytest.mark.parametrize("missing", [False, True], ids=["flipped bit", "missing"])
def test_an_index_file_is_named_the_other_version_answers_and_a_build_stores_it_again(
    commands: Commands,
    two_versions: tuple[str, str],
    settings: Settings,
    world: World,
    small_site: FaultySite,
    missing: bool,
) -> None:
    first, second = two_versions
    damaged = [keys.index_file(second, name) for name in world.registry.manifest(second).files]
    for key in damaged:
        stored = world.store.get(key)
        assert stored
        if missing:
            world.store.delete([key])
        else:
            world.store.put(key, _flipped(stored.body))
    # On a machine that has not downloaded the version before.
    error = commands.fails("ask", QUESTION, RAG_DATA_DIR=str(settings.data_dir / "elsewhere"))
    assert error.startswith("CorruptObject: ")
    assert [key for key in damaged if key in error]
    assert "`rag build`" in error
    elsewhere = settings.model_copy(update={"data_dir": settings.data_dir / "elsewhere"})
    assert answers(elsewhere, first) == first
    again = commands.succeeds("build", "--source", index_url(small_site))
    assert (again["version"], again["published"], again["embedded"]) == (second, False, 0)
    assert answers(elsewhere) == second


def _chunks(essay: EssayKeys) -> str:
    return keys.chunks(essay.chunks)


def _contexts(essay: EssayKeys) -> str:
    return keys.contexts(essay.contexts)


def _embeddings(essay: EssayKeys) -> str:
    return keys.embeddings(essay.embeddings)


def _document(essay: EssayKeys) -> str:
    return keys.document(essay.document)


@pytest.mark.parametrize(
    ("key_of", "remade"),
    [(_document, 0), (_chunks, 0), (_contexts, 2), (_embeddings, 2)],
    ids=["document", "chunks", "contexts", "embeddings"],
)
def test_an_object_of_an_essay_is_named_and_made_again_after_its_deletion(
    published: Built,
    settings: Settings,
    world: World,
    small_site: FaultySite,
    key_of: Callable[[EssayKeys], str],
    remade: int,
) -> None:
    manifest = world.registry.resolve()
    essay = next(essay for essay in manifest.essays if essay.slug == "bell")
    key = key_of(essay)
    whole = world.store.get(key)
    assert whole
    world.store.put(key, b"\x93 damaged")
    # Embeddings are read again where Milvus lost its rows.
    world.vectors.drop(manifest.recipe.collection)
    with raising(CorruptObjectError, "corrupt_object", key, "`rag build`"):
        in_process(World(settings), small_site)
    world.store.delete([key])
    again = in_process(World(settings), small_site)
    assert (again.version, again.work.embedded) == (published.version, remade)
    mended = world.store.get(key)
    assert mended
    assert mended.body == whole.body
    assert world.vectors.count(manifest.recipe.collection) == published.chunks
    assert answers(settings) == published.version


def test_an_object_of_an_essay_is_named_by_the_command_in_one_line(
    commands: Commands, published: Built, world: World, small_site: FaultySite, settings: Settings
) -> None:
    key = _contexts(world.registry.resolve().essays[0])
    world.store.put(key, b"[1, 2")
    error = commands.fails("build", "--source", index_url(small_site))
    assert error.startswith("CorruptObject: ")
    assert key in error
    assert answers(settings) == published.version
