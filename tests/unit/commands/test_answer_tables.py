"""The tables of `rag evaluate answers`, and what the version's page says of the figures."""

from __future__ import annotations

from datetime import UTC, date, datetime

from rich.console import Console, RenderableType

from contextual_rag.commands.evaluate_answer_tables import changes, differences, failures, figures, kinds
from contextual_rag.evaluation.answers import AnswerReport, Outcome, compared
from contextual_rag.versions.records import ANSWER_FIGURES
from contextual_rag.versions.summary import Summary
from streamlit_app.figures import meanings_html, plots, table_html


def outcome(question: str, answered: float, wrong: str | None = None) -> Outcome:
    return Outcome(
        question=question,
        kind="fact",
        answer="“[red]Ten[/] weeks” [1]",
        abstained=False,
        figures={"answered": answered},
        wrong=wrong,
        words=3,
        milliseconds=12.0,
        cost_usd=0.5,
    )


GOOD = AnswerReport(version="v", chat="offline/quotes", answers=(outcome("How long?", 1), outcome("Why?", 1)))
BAD = AnswerReport(
    version="w", chat="offline/quotes", answers=(outcome("How long?", 0, "lacks ten"), outcome("Why?", 1))
)


def printed(table: RenderableType) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


class TestTheTables:
    def test_show_means_with_intervals_and_each_kind(self) -> None:
        assert "0.500 (0.000–1.000)" in printed(figures(BAD))
        fact, all_ = printed(kinds(BAD)).splitlines()[-2:]
        assert fact.split() == ["fact", "2", "0.50", "3", "12", "1.0000"]
        assert all_.split()[1:] == fact.split()[1:]

    def test_list_what_failed_as_it_was_answered_or_nothing(self) -> None:
        table = failures(BAD)
        assert table
        assert all(words in printed(table) for words in ("1 of 2", "How long?", "lacks ten", "[red]Ten[/]"))
        assert failures(GOOD) is None

    def test_compare_pair_by_pair_or_say_that_nothing_changed(self) -> None:
        found, changed = compared(GOOD, BAD)
        assert "+0.500" in printed(differences(found))
        table = changes(changed)
        assert table
        assert all(words in printed(table) for words in ("How long?", "right", "lacks ten"))
        assert changes(compared(GOOD, GOOD)[1]) is None


class TestThePage:
    SUMMARY = Summary(
        version="v", current=True, pinned=False, parent=None, created_at=datetime(2026, 3, 1, tzinfo=UTC),
        logical_date=date(2026, 3, 1), essays=2, failed=(), chunks=3, size=4, questions=5, known_items=0, cost_usd=0,
        quality=(("recall@5", 0.5), *((name, 0.25) for name in ANSWER_FIGURES)), model_calls=0, embedded=0, seconds=1.0,
        stages=(), recipe="", fingerprint="", models=("a", "b"), answers=(("answerable", 7),),
    )  # fmt: skip

    def test_shows_the_figures_of_answers_beside_those_of_the_search_and_says_what_each_means(self) -> None:
        table, meanings = table_html([self.SUMMARY]), meanings_html([self.SUMMARY])
        assert all(name in table and name in meanings for name in ("recall@5", *ANSWER_FIGURES))
        assert [plot.title for plot in plots([self.SUMMARY])][:2] == ["Quality", "Answers"]

    def test_has_no_plot_of_answers_where_none_were_measured(self) -> None:
        before = self.SUMMARY._replace(quality=(("recall@5", 0.5),))
        assert "Answers" not in [plot.title for plot in plots([before])]
        assert "answered" not in meanings_html([before])
