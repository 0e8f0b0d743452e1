"""The language of an essay and of a question: English unless it clearly is another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.languages.__main__ import LANGUAGES, sample_of
from bench.sample_site import read_sample
from contextual_rag.languages import NAMES, asked_in, language_of, listed, small_words, strangeness

ENGLISH = frozenset({"en"})
TEXTS = {
    "de": "Der Wärter zündete die Lampe jeden Abend an und schrieb den Stand des Wassers in ein Heft.",
    "fr": "Le gardien allumait la lampe chaque soir et notait la hauteur de l'eau dans un cahier.",
    "it": "Il guardiano accendeva la lampada ogni sera e annotava il livello dell'acqua in un quaderno.",
    "pt": "O guarda acendia a lâmpada todas as noites e anotava o nível da água num caderno.",
    "nl": "De wachter stak elke avond de lamp aan en schreef de stand van het water in een schrift.",
    "pl": "Strażnik zapalał lampę każdego wieczoru i zapisywał stan wody w zeszycie.",
    "ja": "番人は毎晩ランプに火をともし、水の高さを帳面に書きました。",
    "ko": "파수꾼은 매일 저녁 등불을 켜고 물의 높이를 공책에 적었다.",
    "he": "השומר הדליק את המנורה בכל ערב ורשם את גובה המים במחברת.",
    "hi": "पहरेदार हर शाम दीपक जलाता था और पानी की ऊँचाई एक कॉपी में लिखता था।",
    "th": "ผู้เฝ้าประภาคารจุดตะเกียงทุกเย็นและจดระดับน้ำลงในสมุด",
}


class TestOfAnEssay:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_is_found(self, language: str) -> None:
        assert {language_of(document.text) for document in sample_of(language, "work").documents} == {language}

    @pytest.mark.parametrize("language", TEXTS)
    def test_is_found_from_one_sentence(self, language: str) -> None:
        assert language_of(TEXTS[language]) == language

    def test_is_english_for_every_english_essay(self) -> None:
        assert {language_of(document.text) for document in read_sample().documents} == {"en"}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "1951",
            "Corran",
            "Tempora mutantur",
            "def add(a, b):\n    return a + b\n",
            "for (int i = 0; i < n; i++) { total += price[i] * count[i]; }",
            "name,age,city\nAmos,40,Corran\nBo,31,Skerrow\n",
            "The proverb says: “Wer rastet, der rostet.” It is what the keeper lived by, and he said it to us.",
        ],
    )
    def test_is_english_where_it_is_not_clear(self, text: str) -> None:
        assert language_of(text) == "en"

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_of_a_long_one_is_that_of_most_of_it(self, place: int) -> None:
        parts = [TEXTS["de"] * 60] * 3
        parts[place] = "This page was put here by the keeper of the archive, who asks that you cite it. " * 10
        assert language_of("\n".join(parts)) == "de"

    @given(st.text(max_size=200))
    def test_is_always_one_that_has_a_name(self, text: str) -> None:
        assert language_of(text) in NAMES


class TestOfAQuestion:
    @pytest.mark.parametrize(
        "question",
        ["Who built it?", "tide gauge", "what is a Zollverein", "Müller", "Ç", "", "1951?", "café Zürich opening"],
    )
    def test_is_that_of_the_essays_unless_it_clearly_is_another(self, question: str) -> None:
        assert asked_in(question, ENGLISH) == "en"
        assert strangeness(question, ENGLISH) is None

    @pytest.mark.parametrize(
        ("question", "language"),
        [
            ("Wer hat den alten Kai gebaut?", "de"),
            ("Où est né le gardien du phare ?", "fr"),
            ("Qual é a altura do farol do porto?", "pt"),
            ("Wat is de naam van de vuurtoren?", "nl"),
            ("Кто построил?", "ru"),
            ("谁敲钟", "zh"),
        ],
    )
    def test_is_another_one_if_it_seems_so(self, question: str, language: str) -> None:
        assert asked_in(question, ENGLISH) == language
        note = strangeness(question, ENGLISH)
        assert note
        assert f"in {NAMES[language]};" in note
        assert strangeness(question, frozenset({"en", language})) is None

    def test_names_all_languages_of_the_essays(self) -> None:
        assert "the essays are in Chinese and French" in (strangeness("Who built it?", frozenset({"fr", "zh"})) or "")
        assert listed({"de", "en", "fr"}) == "English, French and German"


class TestSmallWords:
    def test_tell_nothing_of_what_a_text_is_about(self) -> None:
        assert {"der", "wann"} <= small_words("de")
        assert {"le", "combien"} <= small_words("fr")
        assert not {"lampe", "phare"} & (small_words("de") | small_words("fr"))

    def test_are_none_where_no_list_is_known(self) -> None:
        assert small_words("vi") == frozenset()
