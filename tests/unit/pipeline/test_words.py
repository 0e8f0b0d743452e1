"""The words that the keyword index counts: of prose and of source code, however they are written."""

from __future__ import annotations

import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.pipeline.words import tokenise, tokenise_question
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


# Forms of one word, and a word that only begins like it.
FORMS = [
    ("de", ["Fähre", "Fähren", "FÄHRE", "fahre"], "Fährte"),
    ("fr", ["lampe", "lampes", "Lampe"], "lampion"),
    ("es", ["canción", "canciones", "CANCIÓN", "cancion"], "cancela"),
    ("it", ["lampada", "lampade"], "lampo"),
    ("pt", ["pescador", "pescadores"], "pescoço"),
    ("nl", ["lampen", "lamp"], "lampion"),
    ("sv", ["båten", "båtar"], "båge"),
    ("pl", ["żółty", "zolty"], "żółw"),
    ("ru", ["мост", "мосты", "моста", "МОСТУ"], "мостик"),
    ("el", ["γέφυρα", "γέφυρες", "ΓΕΦΥΡΑ"], "γεύμα"),
    ("tr", ["köprü", "köprüler", "KÖPRÜ"], "köpek"),
    ("ar", ["مخبز", "المخبز", "مَخْبَزٌ", "مخبـــز"], "مكتب"),
    ("he", ["שָׁלוֹם", "שלום"], "שלומית"),
    ("hi", ["लड़का", "लड़के"], "पानी"),
    ("vi", ["đường", "duong"], "đá"),
]


class TestOtherLanguages:
    @pytest.mark.parametrize(("language", "forms", "other"), FORMS, ids=[language for language, *_ in FORMS])
    def test_forms_of_a_word_are_one_and_other_words_are_not(self, language: str, forms: list[str], other: str) -> None:
        counted = {tuple(tokenise(form, Recipe(), language)) for form in forms}
        assert len(counted) == 1
        assert len(*counted) == 1
        assert counted != {tuple(tokenise(other, Recipe(), language))}

    @pytest.mark.parametrize(
        ("language", "question", "left"),
        [
            ("de", "Wann wurde die Brücke über den Fluss gebaut?", 3),
            ("fr", "Quand est-ce qu'on a construit l'église ?", 2),
            ("es", "¿Por qué no se abrió la puerta?", 2),
            ("ru", "Почему они не открыли мост?", 2),
            ("ar", "متى فُتح هذا الجسر؟", 2),
        ],
    )
    def test_small_words_are_left_out_and_no_others(self, language: str, question: str, left: int) -> None:
        assert len(tokenise(question, Recipe(), language)) == left
        assert len(tokenise(question, Recipe(stop_words="none"), language)) > left

    def test_words_without_spaces_are_pairs_between_small_words(self) -> None:
        assert tokenise("面包房是哪一年开的？", Recipe(), "zh") == ["面包", "包房", "开"]
        assert tokenise("灯台守はいつ来ましたか", Recipe(), "ja") == ["灯台", "台守", "来"]
        assert set(tokenise("빵집", Recipe(), "ko")) <= set(tokenise("빵집은", Recipe(), "ko"))

    def test_digits_of_other_scripts_are_digits(self) -> None:
        assert tokenise("عام ١٩٥١", Recipe(), "ar")[-1] == "1951"
        assert tokenise("１９５１年", Recipe(), "ja")[-1] == "1951"

    def test_code_in_them_is_cut_as_everywhere(self) -> None:
        assert tokenise("Die Funktion readIds2", Recipe(), "de")[1:] == ["readids2", "read", "ids", "2"]

    @given(st.text(), st.sampled_from([language for language, *_ in FORMS] + ["zh", "ja", "ko", "th", "uk"]))
    def test_take_any_text(self, text: str, language: str) -> None:
        for word in tokenise(text, Recipe(), language):
            assert word
            assert word == word.strip()

    def test_the_recipe_turns_stemmers_off(self) -> None:
        assert tokenise("Brücken", Recipe(stemmer="none"), "de") == ["brucken"]


class TestAQuestionAboutSeveral:
    def asked(self, question: str, language: str, known: set[str], among: list[str]) -> list[str]:
        return tokenise_question(question, Recipe(), language, among, known.__contains__)

    def test_has_one_word_for_each_by_the_language_that_knows_it(self) -> None:
        known = {"bruck", "william"}
        assert self.asked("Welche Brücken hat Williams", "de", known, ["de", "en"]) == ["bruck", "william"]

    def test_has_no_small_words_of_its_own_language(self) -> None:
        assert self.asked("Was hat die Lampe", "de", {"hat", "die", "lamp"}, ["en"]) == ["lamp"]
        assert self.asked("the hat", "en", {"hat"}, ["de", "en"]) == ["hat"]

    def test_about_one_language_is_counted_as_its_texts_are(self) -> None:
        question = "Who wrote the logs of readIds2?"
        assert self.asked(question, "en", set(), ["en"]) == tokenise(question, Recipe())
