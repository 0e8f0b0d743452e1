"""Reports: means with intervals, and one setup against another, question by question."""

from __future__ import annotations

import json

import pytest

from contextual_rag.evaluation.plot import draw
from contextual_rag.evaluation.report import Comparison, Report, Scored, means


def report(**recalls: float) -> Report:
    """A report in which each question has a recall, and an mrr that is always 1."""
    scored = [Scored(question, {"recall@5": value, "mrr@5": 1.0}) for question, value in recalls.items()]
    return Report(scored, chunks=12, mean_chunk_tokens=99.5)


class TestReport:
    def test_as_json_is_flat_but_for_the_intervals(self) -> None:
        shown = report(one=0.0, two=1.0).as_json()
        assert shown == {
            "recall@5": 0.5,
            "mrr@5": 1.0,
            "mean_chunk_tokens": 99.5,
            "chunks": 12,
            "questions": 2,
            "intervals": {"recall@5": [0.0, 1.0], "mrr@5": [1.0, 1.0]},
        }
        assert json.loads(json.dumps(shown)) == shown

    def test_of_no_questions_has_no_figures(self) -> None:
        assert means([]) == {}
        assert report().as_json() == {"mean_chunk_tokens": 99.5, "chunks": 12, "questions": 0, "intervals": {}}


class TestComparison:
    def test_takes_the_second_from_the_first(self) -> None:
        compared = Comparison(report(one=1, two=0.5, three=0), report(one=0, two=0.5, three=0.5)).as_json()
        assert set(compared) == {"a", "b", "difference", "questions"}
        difference = compared["difference"]["recall@5"]
        assert difference["mean"] == pytest.approx(0.5 / 3, abs=1e-6)
        assert difference["interval"][0] <= difference["mean"] <= difference["interval"][1]
        assert [difference[name] for name in ("won", "lost", "tied")] == [1, 1, 1]
        assert compared["difference"]["mrr@5"] == {"mean": 0, "interval": [0, 0], "won": 0, "lost": 0, "tied": 3}

    def test_names_the_questions_that_differ_those_with_the_largest_change_first(self) -> None:
        compared = Comparison(report(one=0.5, two=1, three=0), report(one=0.4, two=1, three=1))
        assert [one.question for one in compared.changed] == ["three", "one"]
        assert [one.by for one in compared.changed] == pytest.approx([-1, 0.1])
        assert compared.as_json()["questions"][0] == {
            "question": "three",
            "a": {"recall@5": 0, "mrr@5": 1},
            "b": {"recall@5": 1, "mrr@5": 1},
        }

    def test_needs_the_same_questions(self) -> None:
        with pytest.raises(ValueError, match="same questions"):
            Comparison(report(one=1), report(two=1))


class TestPlot:
    def test_is_a_picture_of_the_form_asked_for_and_the_same_each_time(self) -> None:
        one, other = report(one=0, two=1), report(one=1, two=1)
        assert draw(one, ("default", ""), "essays", "png").startswith(b"\x89PNG")
        svg = draw(Comparison(one, other), ("first", "second"), "essays", "svg")
        assert all(word in svg.decode() for word in ("<svg", "recall", "mrr", "first", "second", "essays"))
        assert draw(Comparison(one, other), ("first", "second"), "essays", "svg") == svg
