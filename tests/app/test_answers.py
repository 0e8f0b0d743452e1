"""The HTML of a turn: answer, sources, tools, time and cost; it contains no foreign tags."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextual_rag.conversation.model import (
    Answer,
    AttemptEvent,
    Citation,
    CitedMark,
    Source,
    TextEvent,
    ToolEvent,
    ToolUse,
)
from contextual_rag.conversation.progress import fold
from contextual_rag.model import Place
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.verdicts import CUT_OFF
from streamlit_app.answers import (
    NO_WORKER,
    answer_html,
    found_html,
    progress_html,
    quiet_html,
    sources_html,
    tools_html,
)
from tests.app.test_render import ATTACKS, Found
from tests.small_world import passage

VERSION = "2026-01-01-0123abcd"
TAGS = {
    "a",
    "div",
    "p",
    "details",
    "summary",
    "blockquote",
    "pre",
    "code",
    "b",
    "em",
    "span",
    "strong",
    "ul",
    "ol",
    "li",
}


def source(n: int, text: str = "The sea rises twice a day.", *, slug: str = "tide", start: int = 10) -> Source:
    """A found passage."""
    return Source(n=n, chunk=passage(text, slug, start=start), score=0.5, bm25_rank=2, vector_rank=None, cosine=None)


def answer(text: str = "It rises “twice a day” [1].", **more: object) -> Answer:
    """An answer that quotes its first source."""
    cited = Citation(n=1, quote="twice a day", start=24, end=35, verified=True, found_in=1)
    fields = {"status": "answered", "text": text, "version": VERSION, "sources": (source(1), source(2, slug="lamp"))}
    made = Answer.model_validate({**fields, "citations": (cited,), **more})
    if "marks" in more:
        return made
    # As it is stored: the mark is in the state of its citation.
    at = text.rfind("[1]")
    states = [citation.state for citation in made.citations if citation.n == 1 and at >= 0]
    return made.model_copy(update={"marks": tuple(CitedMark(start=at, end=at + 3, states={1: one}) for one in states)})


class TestAPlaceInAFile:
    """Where in its file a passage stands, and what was quoted from it."""

    chunk = source(1).chunk.model_copy(
        update={"places": (Place(start=0, where="page <3>"), Place(start=24, where="page 4"))}
    )

    def test_is_shown_beside_the_title(self) -> None:
        placed = source(1).model_copy(update={"chunk": self.chunk})
        assert "page &lt;3&gt; – page 4 · March 2019" in found_html(VERSION, [placed])
        cited = Citation(n=1, quote="twice a day", start=24, end=35, verified=True, found_in=1, where="page 4")
        one = answer(sources=(placed,), citations=(cited,))
        assert "<span>page 4 · March 2019 ·" in sources_html(one)
        assert "Tide, page 4" in answer_html(one)

    def test_is_not_where_nobody_knows_it(self) -> None:
        assert "<span>March 2019</span>" in found_html(VERSION, [source(1)])


class TestAnAnswer:
    def test_its_marks_link_to_the_quoted_words(self) -> None:
        assert f"essay?version={VERSION}&amp;slug=tide&amp;at=24-35" in answer_html(answer())

    def test_an_unverified_quotation_is_marked_and_links_to_the_passage(self) -> None:
        wrong = answer(citations=(Citation(n=1, quote="thrice a day", start=10, end=36, verified=False),))
        assert 'class="cite unsure"' in answer_html(wrong)
        assert "at=10-36" in answer_html(wrong)
        assert "? words not found in the passage" in sources_html(wrong)

    def test_a_mark_with_nothing_quoted_looks_less_sure_than_one_with_words_that_were_found(self) -> None:
        bare = answer(citations=(Citation(n=1, quote="", start=10, end=36, verified=False),))
        assert 'class="cite bare"' in answer_html(bare)
        assert "– cited, nothing quoted" in sources_html(bare)
        assert 'class="cite"' in answer_html(answer())
        assert "nothing quoted" not in answer_html(answer()) + sources_html(answer())

    def test_quotations_without_a_number_are_shown_where_they_are_or_as_lost(self) -> None:
        there = Citation(n=None, quote="twice a day", start=24, end=35, verified=True, found_in=2)
        lost = Citation(n=None, quote="of solid gold", start=None, end=None, verified=False)
        html = sources_html(answer("“twice a day” “of solid gold”", citations=(there, lost)))
        assert "“of solid gold” " in html
        assert html.index("words not found in any passage") < html.index("Lamp") < html.index("“twice a day” ")
        assert html.index("words found in the essay") < html.index("1 more passage found, not cited")

    def test_one_that_was_stored_before_marks_were_is_read_again(self) -> None:
        old = answer("It rises “twice a day” [1], and argv[7] too [2].", marks=None)
        assert answer_html(old).count("<a ") == 2
        assert 'class="cite bare"' in answer_html(old)

    def test_one_that_was_cut_off_says_so(self) -> None:
        assert CUT_OFF in answer_html(answer(cut_off=True, explanation=CUT_OFF))
        assert CUT_OFF not in answer_html(answer())

    @pytest.mark.parametrize("status", ["stopped", "timed_out", "failed"])
    def test_one_that_ended_early_keeps_its_text_and_explains(self, status: str) -> None:
        html = answer_html(answer(status=status, explanation="Because <of> it."))
        assert "twice a day" in html
        assert "Because &lt;of&gt; it." in html

    def test_one_that_abstained_says_so(self) -> None:
        assert "The essays do not say." in answer_html(answer("The essays do not say.", status="abstained"))

    def test_one_to_a_misspelt_question_says_what_it_answers(self) -> None:
        assert 'Showing results for <b dir="auto">tides &amp; lamps</b>' in answer_html(
            answer(corrected="tides & lamps")
        )
        assert "Showing results for" not in answer_html(answer())

    def test_one_of_some_essays_says_which_as_text(self) -> None:
        where = Filter(documents=("<b>Jug</b>",))
        assert "match: <b>document &lt;b&gt;Jug&lt;/b&gt;</b>" in answer_html(answer(where=where))
        assert "match:" not in answer_html(answer())

    def test_time_tokens_and_cost_are_shown(self) -> None:
        line = quiet_html(
            answer(first_token_ms=830.0, total_ms=2100.0, prompt_tokens=1200, completion_tokens=90, cost_usd=0.0011)
        )
        assert f"version {VERSION} · first word after 830 ms · 2.1 s in total · 1,200 + 90 tokens · $0.0011" in line


class TestSources:
    def test_cited_passages_come_first_and_the_others_are_folded(self) -> None:
        html = sources_html(answer())
        assert html.index("Tide") < html.index("1 more passage found, not cited") < html.index("Lamp")
        assert "✓ words found in the essay" in html
        assert "score 0.500 · keywords #2" in html

    def test_without_citations_there_is_no_more_in_the_summary(self) -> None:
        assert ">2 passages found, not cited<" in sources_html(answer("The essays do not say.", citations=()))


class TestNumbers:
    """On the page, sources are numbered in the order in which the answer names them."""

    TEXT = "The lamp burns [3], the sea rises [1][3]."
    MARKS = (
        CitedMark(start=15, end=18, states={3: "cited"}),
        CitedMark(start=34, end=37, states={1: "cited"}),
        CitedMark(start=37, end=40, states={3: "cited"}),
    )

    def made(self) -> Answer:
        cited = tuple(Citation(n=n, quote="", start=10, end=36, verified=False, found_in=None) for n in (3, 1))
        sources = (source(1, slug="tide"), source(2, slug="moor"), source(3, slug="lamp"))
        return answer(self.TEXT, sources=sources, citations=cited, marks=self.MARKS)

    def test_follow_the_text(self) -> None:
        html = answer_html(self.made())
        assert re.findall(r"(?s)slug=(\w+).*?>(\d)</a>", html) == [("lamp", "1"), ("tide", "2"), ("lamp", "1")]

    def test_are_the_same_below_the_answer_and_go_on_with_what_is_not_cited(self) -> None:
        html = sources_html(self.made())
        assert re.findall(r'class="n">(\d)</span> <b dir="auto">(\w+)', html) == [
            ("1", "Lamp"),
            ("2", "Tide"),
            ("3", "Moor"),
        ]

    def test_stay_those_of_the_search_if_nothing_is_cited(self) -> None:
        html = sources_html(answer("The essays do not say.", citations=(), marks=()))
        assert re.findall(r'class="n">(\d)</span> <b dir="auto">(\w+)', html) == [("1", "Tide"), ("2", "Lamp")]


class TestAGlimpseOfThePassage:
    def peek(self, text: str, quote: str) -> str:
        at = 10 + text.index(quote)
        cited = Citation(n=1, quote=quote, start=at, end=at + len(quote), verified=True, found_in=1)
        html = answer_html(answer(f"It says “{quote}” [1].", sources=(source(1, text),), citations=(cited,)))
        (found,) = re.findall(r'data-peek="([^"]*)"', html)
        return str(found).partition("\n")[2]

    def test_has_the_words_that_were_found_and_what_is_around_them(self) -> None:
        assert self.peek("The sea rises twice a day.", "twice a day") == "The sea rises twice a day."
        long = f"{'Much was said before. ' * 40}The sea rises twice a day. {'And much after. ' * 40}"
        seen = self.peek(long, "twice a day")
        assert "rises twice a day. And" in seen
        assert seen.startswith("… ")
        assert seen.endswith(" …")
        assert len(seen) < 330


class TestASearch:
    def test_shows_each_passage_with_a_link_to_it(self) -> None:
        html = found_html(VERSION, [source(1), source(2, "<b>ropes</b>", slug="lamp", start=40)])
        assert re.findall(r'class="n">(\d)</span> <b dir="auto">(\w+)', html) == [("1", "Tide"), ("2", "Lamp")]
        assert "&lt;b&gt;ropes" in html
        assert f"essay?version={VERSION}&amp;slug=lamp&amp;at=40-52" in html
        assert "cited" not in html

    def test_that_finds_nothing_says_so(self) -> None:
        assert "No passage was found" in found_html(VERSION, [])


class TestNearest:
    def test_passages_are_offered_by_an_answer_that_abstains(self) -> None:
        html = sources_html(answer("The essays do not say.", status="abstained", citations=()))
        assert html.index("What comes nearest in the essays:") < html.index("Tide") < html.index("Lamp")
        assert "not cited" not in html

    def test_passages_are_not_offered_by_others_nor_without_any(self) -> None:
        assert "What comes nearest" not in sources_html(answer())
        assert sources_html(answer("The essays do not say.", status="abstained", citations=(), sources=())) == ""


class TestInProgress:
    def test_words_and_tools_appear(self) -> None:
        use = ToolUse(id="1", name="get_weather", arguments={"city": "Oslo"})
        progress = fold(
            [
                ToolEvent(use=use),
                AttemptEvent(round=0, attempt="a"),
                TextEvent(round=0, attempt="a", text="It *rains* [1]"),
            ]
        )
        html = progress_html(progress)
        assert "running…" in html
        assert "It <em>rains</em> [1]" in html

    def test_without_a_worker_it_says_that_nothing_is_lost(self) -> None:
        assert NO_WORKER in progress_html(fold([]), worker_is_down=True)


hostile = st.one_of(st.text(), st.sampled_from(ATTACKS))


class TestHostileText:
    @settings(deadline=None)
    @given(hostile, hostile)
    def test_none_of_its_tags_and_addresses_appear(self, text: str, other: str) -> None:
        turn = answer(
            text,
            sources=(source(1, text or "x"), source(2, other or "x")),
            citations=(Citation(n=1, quote=other, start=0, end=1, verified=False),),
            explanation=other,
            status="failed",
            model=other,
            version=other or None,
        )
        use = ToolUse(id="1", name=text, arguments={text: other}, result=other, error=text or None)
        html = answer_html(turn) + sources_html(turn) + tools_html([use]) + quiet_html(turn)
        for tag, attributes in Found(html).tags:
            assert tag in TAGS | {"h4", "h5", "h6", "br", "hr"}
            assert attributes.keys() <= {"class", "href", "target", "title", "aria-label", "data-peek", "dir"}
            assert (attributes.get("href") or "essay?").startswith("essay?")
