"""The words that the keyword index counts: of prose and of source code, however they are written."""

from __future__ import annotations

import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.pipeline.words import tokenise
from contextual_rag.recipe import Recipe

PLAIN = Recipe(stemmer="none", stop_words="none", split_identifiers=False)


class TestTokenise:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Naïve café, ÉLAN", ["naive", "cafe", "elan"]),
            ("ﬁve ½ STRASSE Straße", ["five", "1", "2", "strasse", "strasse"]),
            ("the sea's edge, the sea’s edge", ["the", "sea", "edge", "the", "sea", "edge"]),
            ("a 'sea' and 'some say'", ["a", "sea", "and", "some", "say"]),
            ("the keepers' log; don’t", ["the", "keepers", "log", "don", "t"]),
            ("2,480 entries—e.g. C3PO", ["2", "480", "entries", "e", "g", "c3po"]),
            ("", []),
            ("… — !", []),
        ],
    )
    def test_gives_words_without_accents_case_and_possessive(self, text: str, words: list[str]) -> None:
        assert tokenise(text, PLAIN) == words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("敲钟人林阿福", ["敲钟", "钟人", "人林", "林阿", "阿福"]),
            ("Einsteinの特別", ["の特", "特別", "einstein"]),
            ("福", ["福"]),
            ("Смотритель маяка", ["смотритель", "маяка"]),
        ],
    )
    def test_gives_pairs_of_characters_where_words_have_no_spaces_and_only_there(
        self, text: str, words: list[str]
    ) -> None:
        assert tokenise(text, PLAIN) == words

    def test_stems_english(self) -> None:
        assert tokenise("Writers were writing; the writer's notes", Recipe()) == [
            "writer", "write", "writer", "note",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("HTTPServer", ["httpserver", "http", "server"]),
            ("read_ids2", ["readids2", "read", "ids", "2"]),
            ("maxPriceOf", ["maxpriceof", "max", "price"]),
            ("C3PO", ["c3po", "c", "3", "po"]),
            ("Straße", ["strasse"]),
            ("PLAIN plain Plain", ["plain", "plain", "plain"]),
        ],
    )
    def test_counts_an_identifier_whole_and_by_its_parts(self, text: str, words: list[str]) -> None:
        assert tokenise(text, Recipe(stemmer="none")) == words

    def test_leaves_stop_words_out_if_the_recipe_says_so(self) -> None:
        asked = "What is the purpose of the `close` method?"
        assert tokenise(asked, Recipe(stemmer="none")) == ["purpose", "close", "method"]
        assert tokenise(asked, Recipe(stemmer="none", stop_words="english")) == ["close", "method"]
        assert len(tokenise(asked, PLAIN)) == 8

    @given(st.lists(st.text("abcdé", min_size=1, max_size=8), max_size=8))
    def test_finds_the_same_words_however_they_are_spelled(self, words: list[str]) -> None:
        text = " ".join(words)
        expected = tokenise(text, Recipe())
        assert tokenise(text.upper(), Recipe()) == expected
        assert tokenise(unicodedata.normalize("NFD", text), Recipe()) == expected
        assert tokenise(", ".join(words), Recipe()) == expected

    @given(st.text())
    def test_takes_any_text(self, text: str) -> None:
        assert all(re.fullmatch(r"\w+", word) for word in tokenise(text, PLAIN))

    def test_may_be_asked_from_many_threads(self) -> None:
        texts = [f"writing number{n} of the keepers " * 50 for n in range(40)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda text: tokenise(text, Recipe()), texts)) == [
                tokenise(text, Recipe()) for text in texts
            ]
