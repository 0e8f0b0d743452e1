"""An object store that answers, and refuses: without room, or without our key being good."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from contextual_rag.building.build import Built
from contextual_rag.embedded.services import Services
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.faults.commands import Commands, answers
from tests.faults.faulty_store import FaultyStore, Rule, faulty_store
from tests.faults.small_site import QUESTION, essay_page, index_url
from tests.servers.faulty_site import FaultySite, page

_EDITED = essay_page("bread").replace(b"eleven years", b"twelve years")


@pytest.fixture
def store(stores: Services) -> Iterator[FaultyStore]:
    """A proxy in front of the object store."""
    with faulty_store(stores.environment["AWS_ENDPOINT_URL"]) as store:
        yield store


@pytest.mark.parametrize(
    ("status", "code"),
    [(507, "InsufficientStorage"), (500, "InternalError")],
)
def test_without_room_the_build_ends_with_that_word_nothing_is_published_and_the_next_one_goes_on(
    commands: Commands,
    published: Built,
    small_site: FaultySite,
    settings: Settings,
    world: World,
    store: FaultyStore,
    status: int,
    code: str,
) -> None:
    small_site.routes["/bread.html"] = page(_EDITED)
    # The edited essay's embeddings are stored, the index is not.
    store.rules = [Rule("PUT", r"/6_indexes/[^/]+/bm25/", status=status, code=code)]
    error = commands.fails("build", "--source", index_url(small_site), AWS_ENDPOINT_URL=store.url)
    assert error.startswith("StorageFull: " if status == 507 else "ServiceUnavailable: ")
    assert all(name in error for name in (code, "6_indexes/"))
    assert world.registry.names() == [published.version]
    assert answers(settings) == published.version
    built = commands.succeeds("build", "--source", index_url(small_site))
    assert (built["published"], built["model_calls"], built["embedded"]) == (True, 0, 0)


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"])
def test_a_refused_key_is_named_by_its_settings_and_not_by_its_value(
    commands: Commands, published: Built, small_site: FaultySite, settings: Settings, store: FaultyStore, code: str
) -> None:
    store.rules = [Rule(method, r"/", status=403, code=code) for method in ("HEAD", "GET", "PUT", "POST")]
    build = (["build", "--source", index_url(small_site)], {"AWS_ENDPOINT_URL": store.url})
    ask = (["ask", QUESTION], {"AWS_ENDPOINT_URL": store.url})
    for error in commands.all_fail(build, ask):
        assert error.startswith("Credentials: ")
        assert all(name in error for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    assert small_site.seen == []
    assert answers(settings) == published.version


def test_a_key_that_may_read_and_not_write_can_ask_and_is_told_which_object_it_may_not_write(
    commands: Commands, published: Built, small_site: FaultySite, store: FaultyStore
) -> None:
    small_site.routes["/bread.html"] = page(_EDITED)
    store.rules = [Rule(method, r"/", status=403, code="AccessDenied") for method in ("PUT", "POST")]
    assert commands.succeeds("ask", QUESTION, AWS_ENDPOINT_URL=store.url)["version"] == published.version
    error = commands.fails("build", "--source", index_url(small_site), AWS_ENDPOINT_URL=store.url)
    assert error.startswith("Credentials: ")
    assert all(name in error for name in ("AccessDenied", "6_indexes/orders/"))
    doctor = commands.run("doctor", AWS_ENDPOINT_URL=store.url)
    assert re.search("^bad  object store: .*AccessDenied", doctor.stdout, re.MULTILINE)


def test_an_address_that_is_no_object_store_is_named(
    commands: Commands, published: Built, small_site: FaultySite, settings: Settings
) -> None:
    small_site.routes |= {f"/{settings.bucket}": page(b"<p>Welcome!"), f"/{settings.bucket}/6_indexes/CURRENT": page()}
    error = commands.fails("ask", QUESTION, AWS_ENDPOINT_URL=small_site.url("").rstrip("/"))
    assert error.startswith("Setting: ")
    assert "AWS_ENDPOINT_URL" in error
