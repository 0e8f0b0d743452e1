"""Keys: each kind of object has its own place, decided by what went into the object."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag import keys

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=6,
)
# As in the drawing at the head of keys.py.
DRAWN = {
    "1_pages/<sha256>": keys.page("<sha256>"),
    "2_documents/<digest>.json": keys.document("<digest>"),
    "3_chunks/<digest>.json": keys.chunks("<digest>"),
    "4_contexts/<digest>.json": keys.contexts("<digest>"),
    "5_embeddings/<digest>.npy": keys.embeddings("<digest>"),
    "6_indexes/orders/<digest>.json": keys.order("<digest>"),
    "6_indexes/plans/<order>.json": keys.plan("<order>"),
    "6_indexes/building/<order>.json": keys.building("<order>"),
    "6_indexes/spending/<digest>.json": keys.spending("<digest>"),
    "6_indexes/CURRENT": keys.CURRENT,
}


class TestPlaces:
    @pytest.mark.parametrize("place", DRAWN)
    def test_are_as_drawn(self, place: str) -> None:
        assert DRAWN[place] == place
        assert place in (keys.__doc__ or "")

    @pytest.mark.parametrize("make", [keys.draft, keys.manifest, lambda version: keys.index_file(version, "a/b")])
    def test_of_a_versions_files_are_below_the_version(self, make: Callable[[str], str]) -> None:
        assert make("2026-01-01-0123abcd").startswith("6_indexes/2026-01-01-0123abcd/")

    def test_of_snapshots_tell_their_source_and_day(self) -> None:
        assert keys.snapshot("blog", date(2026, 3, 1)) == "1_pages/snapshots/blog/2026-03-01.json"

    @given(st.dates(), st.from_regex(keys.SOURCE_NAME, fullmatch=True))
    def test_of_snapshots_can_be_read_back_and_sort_by_day(self, day: date, source: str) -> None:
        assert keys.snapshot_of(keys.snapshot(source, day)) == (source, day)
        assert (keys.snapshot(source, day) < keys.snapshot(source, date(2026, 3, 1))) == (day < date(2026, 3, 1))

    def test_of_snapshots_of_the_first_release_tell_no_source(self) -> None:
        assert keys.snapshot_of("1_pages/snapshots/2026-03-01.json") == ("", date(2026, 3, 1))

    def test_of_what_an_order_fetched_differ_by_order_and_batch(self) -> None:
        one, other = keys.fetched("order", ["a", "b"]), keys.fetched("order", ["c"])
        assert one != other
        assert one.startswith(keys.fetched("order"))
        assert not one.startswith(keys.fetched("another"))


class TestSourceName:
    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("https://www.example.com/articles.html", "www.example.com-articles.html"),
            ("http://127.0.0.1:8100/articles.html", "127.0.0.1-8100-articles.html"),
            ("https://me:secret@example.com/", "example.com"),
        ],
    )
    def test_is_host_and_path(self, url: str, name: str) -> None:
        assert keys.source_name(url) == name

    @given(st.text())
    def test_is_a_name_whatever_the_address(self, text: str) -> None:
        assert re.fullmatch(
            keys.SOURCE_NAME, keys.source_name(f"http://example.com/{text}".replace("[", "").replace("]", ""))
        )

    def test_of_two_addresses_that_are_long_or_have_a_query_differ(self) -> None:
        long = "http://example.com/" + "a" * 100
        assert keys.source_name(long + "b") != keys.source_name(long + "c")
        assert keys.source_name("http://example.com/?a=1") != keys.source_name("http://example.com/?a=2")

    @pytest.mark.parametrize("other", ["/a-b", "/a%20b", "/a~b", "/a+b", "/a:b"])
    def test_of_two_paths_that_read_alike_differ(self, other: str) -> None:
        assert keys.source_name("http://example.com/a/b") != keys.source_name(f"http://example.com{other}")

    def test_does_not_depend_on_who_asks(self) -> None:
        address = "example.com/my-essays/"
        assert keys.source_name(f"https://me:secret@{address}") == keys.source_name(f"https://{address}")


class TestVersionOf:
    def test_knows_a_version_by_its_manifest(self) -> None:
        assert keys.version_of(keys.manifest("2026-01-01-0123abcd")) == "2026-01-01-0123abcd"

    @pytest.mark.parametrize(
        "key",
        [
            keys.draft("v"),
            keys.index_file("v", "bm25/manifest.json"),
            keys.index_file("v", "manifest.json.part"),
            keys.CURRENT,
            keys.plan("0123"),
            "6_indexes//manifest.json",
            "old/6_indexes/v/manifest.json",
        ],
    )
    def test_knows_none_by_any_other_key(self, key: str) -> None:
        assert keys.version_of(key) is None


class TestDigest:
    @given(values, values)
    def test_is_equal_just_where_the_parts_are(self, one: object, other: object) -> None:
        assert (keys.digest(one) == keys.digest(other)) == (repr_(one) == repr_(other))

    def test_does_not_depend_on_the_order_of_fields(self) -> None:
        assert keys.digest({"a": 1, "b": 2}) == keys.digest({"b": 2, "a": 1})

    def test_tells_where_one_part_ends(self) -> None:
        assert len({keys.digest("ab", "c"), keys.digest("a", "bc"), keys.digest("abc"), keys.digest(["ab", "c"])}) == 4

    def test_stays_what_it_is_or_every_object_is_made_again(self) -> None:
        assert keys.digest("essay", {"size": 800, "title": "É"}, None) == "64dbc7b20d5074059eb2bde11fcf4c52"

    def test_of_a_page_is_its_sha256(self) -> None:
        assert keys.page_digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    def test_is_32_hex_digits(self) -> None:
        assert re.fullmatch(r"[0-9a-f]{32}", keys.digest())


def repr_(value: object) -> str:
    """What tells values apart: the kind of each part, and fields in any order."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{repr_(part)}" for key, part in value.items())) + "}"
    return "[" + ",".join(map(repr_, value)) + "]" if isinstance(value, list) else repr(value)
