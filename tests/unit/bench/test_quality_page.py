"""What is made of figures that were measured: the page, the picture, the table."""

from __future__ import annotations

import io
import re
import socket
from typing import Any

import pytest
from rich.console import Console

from bench.quality.ablation import PARTS, applied, overridden
from bench.quality.figures import Quality, share
from bench.quality.page import difference, page, percent, signed
from bench.quality.plot import draw
from bench.quality.published import PASS
from bench.quality.summary import summary
from contextual_rag.evaluation.bootstrap import Difference
from contextual_rag.parameters import Parameters
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from tests.conftest import ROOT
from tests.quality_figures import figures_of_all

ALL = figures_of_all()
KEPT = ROOT / "bench" / "results" / "quality.json"


def without(quality: Quality, *names: str) -> Quality:
    corpora = {name: one for name, one in quality.corpora.items() if name not in names}
    return quality.model_copy(update={"corpora": corpora})


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


class TestFigures:
    def test_are_percentages_with_their_intervals(self) -> None:
        assert percent(ALL.corpora["anthropic"].default.figures["pass@5"]) == "70.0 (65.0–74.0)"

    @pytest.mark.parametrize(
        ("share", "points"), [(-0.021, "−2.1"), (0.021, "+2.1"), (0.0, "0.0"), (-0.0004, "0.0"), (0.0004, "0.0")]
    )
    def test_of_differences_have_a_sign_unless_they_are_nothing(self, share: float, points: str) -> None:
        assert signed(share) == points

    @pytest.mark.parametrize(
        ("interval", "bold"), [((-0.04, -0.003), True), ((0.003, 0.04), True), ((-0.04, 0.0), False)]
    )
    def test_of_differences_are_bold_where_the_interval_leaves_0_out(
        self, interval: tuple[float, float], bold: bool
    ) -> None:
        shown = difference(Difference(mean=sum(interval) / 2, interval=interval, won=1, lost=1, tied=1))
        assert shown.startswith("**") is bold

    def test_of_shares_have_intervals_too(self) -> None:
        figure = share([True] * 9 + [False])
        assert figure.mean == 0.9
        assert figure.interval[0] < 0.9 < figure.interval[1] <= 1


class TestThePage:
    def test_leaves_no_place_empty(self) -> None:
        text = page(ALL)
        assert not re.findall(r"\$\w+|None|nan", text)
        assert "Not measured" not in text

    def test_has_ours_beside_every_published_row(self) -> None:
        code = section(page(ALL), "Questions about code")
        assert "| **default recipe, offline** | 70.0 (65.0–74.0) | 71.0 (66.0–75.0) | 72.0 (67.0–76.0) |" in code
        assert all(f"| published: {one.name} | {one.figures[0]:.1f} |" in code for one in PASS)

    def test_tells_the_windows_difference_from_the_default_s_side(self) -> None:
        cut = section(page(ALL), "How texts are cut")
        assert "464 characters" in cut
        assert "| recall@5 | **+2.1 (+0.3 to +4.0)** | 9 | 2 | 40 |" in cut
        assert "not directly comparable" in cut

    def test_has_a_row_for_each_part_on_each_corpus_and_says_what_it_is(self) -> None:
        parts = section(page(ALL), "What each part is worth")
        for part in PARTS:
            assert parts.count(f"| {part.name} |") == 3
            assert parts.count(f"- **{part.name}** (") == 1

    def test_says_of_a_corpus_that_was_not_there_that_nothing_was_measured(self) -> None:
        text = page(without(ALL, "anthropic"))
        assert section(text, "Questions about code").strip().startswith("Not measured")
        assert "questions about code" not in section(text, "What each part is worth")
        assert text.count("Not measured") == 1

    def test_of_nothing_at_all_still_stands(self) -> None:
        text = page(Quality(recipe=ALL.recipe, packages=ALL.packages, corpora={}))
        assert text.count("Not measured") == 5
        assert text.count("\n## ") == page(ALL).count("\n## ")

    def test_in_docs_is_what_the_kept_figures_make(self) -> None:
        kept = Quality.model_validate_json(KEPT.read_bytes())
        written = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
        assert written == page(kept), (
            "run `make quality`, or `make quality QUALITY=--redraw` where only the text changed"
        )


class TestTheKeptFigures:
    def test_name_no_machine_and_no_path(self) -> None:
        text = KEPT.read_text(encoding="utf-8")
        assert socket.gethostname() not in text
        assert str(ROOT) not in text
        assert not re.findall(r'"[^"]*/(?:home|tmp|root|work|Users)/', text)


@pytest.fixture(scope="module")
def picture() -> bytes:
    """The picture of all figures, drawn once."""
    return draw(ALL)


def pixels_of(picture: bytes) -> Any:
    from matplotlib.image import imread

    return imread(io.BytesIO(picture))


class TestThePicture:
    def test_is_light_and_as_wide_as_a_readme_needs(self, picture: bytes) -> None:
        pixels = pixels_of(picture)
        assert pixels.shape[1] >= 1600
        assert pixels[0, 0, :3].min() == 1

    def test_is_the_same_of_the_same_figures(self, picture: bytes) -> None:
        assert draw(ALL) == picture

    def test_leaves_out_what_was_not_measured(self, picture: bytes) -> None:
        whole, part = (pixels_of(one) for one in (picture, draw(without(ALL, "anthropic"))))
        assert part.shape[0] < whole.shape[0]
        assert draw(without(ALL, *ALL.corpora)).startswith(b"\x89PNG")


def test_the_table_fits_a_narrow_terminal() -> None:
    out = Console(file=io.StringIO(), width=80)
    out.print(summary(ALL))
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1 + sum(len(one.parts) + 3 for one in ALL.corpora.values()) + 1 + 1 + 4 + 1
    assert not any("…" in line for line in lines)


class TestTheParts:
    def test_have_names_of_their_own_and_change_something(self) -> None:
        assert len({part.name for part in PARTS}) == len(PARTS)
        assert all(part.overrides and part.says for part in PARTS)

    def test_are_left_out_where_the_default_says_so_already(self) -> None:
        default = overridden(Parameters(), {"stemmer": "none"})
        assert "no stemming" in [part.name for part, _ in applied(Parameters())]
        assert "no stemming" not in [part.name for part, _ in applied(default)]

    def test_change_nothing_but_what_they_say(self) -> None:
        for part, recipe in applied(Parameters()):
            said = {**recipe.recipe.model_dump(), **recipe.ranking.model_dump()}
            default = {**Recipe().model_dump(), **Ranking().model_dump()}
            assert {name: value for name, value in said.items() if value != default[name]} == dict(part.overrides)
