"""Plots that stand in a page whose policy allows no inline style."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from contextual_rag.versions.summary import Summary
from index_versions_page.plots import plots

FIRST = datetime(2026, 3, 1, 1, tzinfo=UTC)


def row(day: int, **given: object) -> Summary:
    """A version made on a day."""
    fields = {
        "version": f"2026-03-{day + 1:02}-00000000",
        "parent": None,
        "created_at": FIRST + timedelta(days=day),
        "logical_date": date(2026, 3, day + 1),
        "essays": 17,
        "failed": (),
        "chunks": 170 + day,
        "size": 350_000,
        "quality": (("recall@5", 0.75), ("mrr@5", 0.6)),
        "questions": 85,
        "known_items": 50,
        "cost_usd": 0.0,
        "model_calls": 3,
        "embedded": 3,
        "seconds": 12.0,
        "stages": (),
        "current": False,
        "pinned": False,
        "recipe": "recursive 800",
        "fingerprint": "50a47330",
        "models": ("a", "b"),
    }
    return Summary(**{**fields, **given})  # type: ignore[arg-type]


class TestPlots:
    @pytest.mark.parametrize("versions", [1, 30])
    def test_are_of_quality_size_and_work_however_many_versions(self, versions: int) -> None:
        made = plots(tuple(row(day) for day in range(versions)))
        assert [plot.title for plot in made] == ["Quality", "Size", "Cost and duration"]

    def test_leave_out_quality_where_nothing_was_measured(self) -> None:
        assert [plot.title for plot in plots((row(0, quality=()),))] == ["Size", "Cost and duration"]

    def test_draw_each_kind_of_question_apart(self) -> None:
        known_item = (("known_item_recall@5", 0.9), ("known_item_mrr@5", 0.8))
        quality = plots((row(0), row(1, quality=(*row(1).quality, *known_item))))[0]
        assert "known_item_mrr@5 from 0.800 to 0.800" in quality.summary
        assert {"a", "b", "c", "d"} <= set(re.findall(r"(?:stroke|fill)-(\w+)[ \"]", quality.svg))

    def test_draw_the_answers_beside_the_search(self) -> None:
        answers = [("answered", 0.5), ("silent", 1.0)]
        quality, drawn, *_ = plots((row(0), row(1, quality=(*row(1).quality, *answers))))
        assert (quality.title, drawn.title) == ("Quality", "Answers")
        assert drawn.summary == "Answers: answered from 0.500 to 0.500; silent from 1.000 to 1.000, over 2 versions"
        assert "answered" not in quality.summary

    def test_draw_what_some_versions_were_not_measured_with(self) -> None:
        quality = plots((row(0, quality=()), row(1)))[0]
        assert "recall@5 from 0.750 to 0.750" in quality.summary

    def test_leave_out_what_no_version_recorded(self) -> None:
        work = plots((row(0, seconds=None), row(1, seconds=None)))[-1]
        assert "USD from 0.00 to 0.00" in work.summary
        assert "seconds" not in work.summary

    def test_hold_no_style_no_colour_no_other_address_and_no_id_twice(self) -> None:
        made = plots(tuple(row(day) for day in range(3)))
        for plot in made:
            assert not re.search(r'style|font-|#[0-9a-f]{6}\b|href="(?!#)', plot.svg)
            assert {"ink", "grid", "a"} <= set(re.findall(r"(?:stroke|fill)-(\w+)[ \"]", plot.svg))
        ids = [found for plot in made for found in re.findall(r'\sid="([^"]+)"', plot.svg)]
        assert len(set(ids)) == len(ids)

    def test_say_in_words_from_where_to_where_oldest_first(self) -> None:
        size = plots((row(4), row(2)))[1]
        assert size.summary == "Size: chunks from 172 to 174; MB from 0.35 to 0.35, over 2 versions"
