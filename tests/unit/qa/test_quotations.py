"""Whatever a passage says is found however it is quoted, and whatever it does not say is not; in linear time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contextual_rag.qa.citations import read
from contextual_rag.qa.tokens import denies, tokens
from tests.small_world import passage

MARKS = [
    "“{}”",
    "„{}“",
    "„{}”",
    "«{}»",
    "« {} »",
    "»{}«",
    "‘{}’",
    "'{}'",
    '"{}"',
    '" {} "',
    "「{}」",
    "『{}』",
    "\n\n> {}\n\n",
]
PLACES = ["{} [1].", "It says {} here [1].", "[1] says {}", "It says {}.", "{}[1]", "So **{}** 【1】", "{} [2][1]"]
# Words that are alike, joined, negated or inflected, and signs between them.
WORDS = [
    *("able", "unable", "he", "she", "can", "can't", "cannot", "stop", "non-stop", "5", "-5", "3.5", "1,200", "200"),
    *(
        "café",
        "cafe",
        "lamp",
        "lamps",
        "o’clock",
        "keeper’s",
        "灯塔",
        "不能",
        "ﬁrst",
        "well,",
        "so.",
        "it;",
        "(ah)",
        "—",
    ),
    *("x²", "C++", "argv[1]", "[3]", "Mr.", "a_b"),
]
words = st.lists(st.sampled_from(WORDS), min_size=2, max_size=8)


def plain(text: str) -> list[str]:
    return [token.plain for token in tokens(text)]


def count(text: str) -> int:
    """How many words there are, apart from numbers in brackets."""
    return sum(token.is_word for token in tokens(text.replace("[1]", "").replace("[3]", "")))


def spoken(text: str) -> str:
    """The words of a text, each between two line ends."""
    return "".join(f"\n{token.plain}\n" for token in tokens(text.replace("[3]", "")) if token.is_word)


class TestQuotations:
    @given(words, words, words, st.sampled_from(MARKS), st.sampled_from(PLACES))
    def test_of_whole_words_are_found_whatever_their_marks_and_places(
        self, before: list[str], quoted: list[str], after: list[str], marks: str, place: str
    ) -> None:
        quote = " ".join(quoted)
        assume(count(quote) >= 2 and quoted[0] != "[3]" and quoted[-1] not in {"[3]", "argv[1]"})
        # "not able" is quoted with its "not", and "5 200" is one number.
        assume(not (before and denies(plain(before[-1])[-1])))
        edges = [*zip(before[-1:], quoted[:1], strict=False), *zip(quoted[-1:], after[:1], strict=False)]
        assume(not any(one[-1].isdigit() and other == "200" for one, other in edges))
        essay = passage(" ".join([*before, quote, *after]), start=50)
        reading = read(place.format(marks.format(quote)), [essay, passage("Nothing else.")])
        found = next(citation for citation in reading.citations if citation.quote and citation.n != 2)
        assert found.verified
        assert found.start is not None
        assert found.end is not None
        assert essay.text[found.start - 50 : found.end - 50] == found.quote
        # Full stops and commas at the ends may be the answer's.
        assert "".join(plain(found.quote)) in "".join(plain(quote))

    @given(words, words, st.sampled_from(MARKS), st.sampled_from(PLACES))
    def test_of_other_words_are_never_found(self, said: list[str], quoted: list[str], marks: str, place: str) -> None:
        text, quote = " ".join(said), " ".join(quoted)
        assume(spoken(quote) not in spoken(text))
        reading = read(place.format(marks.format(quote)), [passage(text), passage(text)])
        assert [citation for citation in reading.citations if citation.verified] == []

    @given(st.text(st.sampled_from("ab 1.[]()“”‘’'\"«»„>`*\n【】—"), max_size=80))
    def test_in_any_answer_are_true_to_the_passage(self, answer: str) -> None:
        essay = passage("a b [1] b’a “a” 1.1 — b a", start=7)
        reading = read(answer, [essay])
        for citation in reading.citations:
            assert citation.n in {None, 1}
            if citation.verified:
                assert citation.start is not None
                assert citation.end is not None
                assert essay.text[citation.start - 7 : citation.end - 7] == citation.quote
        for mark in reading.marks:
            assert reading.text[mark.start : mark.end] == f"[{', '.join(map(str, mark.states))}]"

    @given(st.text(), st.text())
    def test_of_any_text_are_looked_up(self, answer: str, text: str) -> None:
        assert read(answer, []).marks == []
        for citation in read(f"“{answer}” [1] {text}", [passage(text), passage(answer)]).citations:
            assert citation.verified == (citation.found_in is not None)


LONG: dict[str, Callable[[int], str]] = {
    "openings": lambda n: "“" * n,
    "openings of all kinds": lambda n: "“a b «c d 「" * n,
    "nested": lambda n: "“a b " * n + "”" * n,
    "straight": lambda n: '" a 6" b' * n,
    "possessives": lambda n: "‘the dogs’ bowls " * n,
    "apostrophes": lambda n: "'a b' c' " * n,
    "quotations without marks": lambda n: "“the lamp” " * n,
    "different quotations": lambda n: " ".join(f"“lamp{i} of {i}” [1]" for i in range(n)),
    "marks": lambda n: "“a b” " + "[1]" * n + "“a b” " * n,
    "open brackets": lambda n: "[1," * n,
    "brackets of words": lambda n: "[passage " * n,
    "ticks": lambda n: "".join("`" * (i % 50 + 1) + " " for i in range(n // 20)),
    "fences": lambda n: "```\n" * n,
    "blocks": lambda n: "> the lamp\n\n" * n,
    "one block": lambda n: "> the lamp\n" * n,
    "ellipses": lambda n: "“" + "the lamp … " * n + "” [1]",
    "stops": lambda n: "“a b”. [1] " * n,
    "emphasis": lambda n: "“" + "**a" * n + "” [1]",
    "hyphens": lambda n: "“" + "a-" * n + "a b” [1]",
    "dots": lambda n: "“a b " + ". " * n + "” [1]",
}


def grows_in_proportion(n: int, read_all: Callable[[int], object]) -> bool:
    """Whether four times the size takes about four times as long; quadratic time would be sixteen times as long."""

    def taken(n: int) -> float:
        spent = []
        for _ in range(2):
            started = time.process_time()
            read_all(n)
            spent.append(time.process_time() - started)
        return min(spent)

    read_all(n)
    return taken(4 * n) < 9 * max(taken(n), 0.002)


@pytest.mark.parametrize("shape", LONG)
def test_the_time_grows_with_the_answer_and_not_faster(shape: str) -> None:
    essays = [passage("the lamp " * 200)] * 2
    assert grows_in_proportion(150, lambda n: read(LONG[shape](n), essays))


def test_the_time_grows_with_the_passages_and_not_faster() -> None:
    answer = "“" + "a " * 300 + "b” [1] and “a … b” [1]"
    assert grows_in_proportion(100, lambda n: read(answer, [passage("a a-a a[1] “a 5’ a. . " * n)]))
