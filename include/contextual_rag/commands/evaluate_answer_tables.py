"""Tables of an evaluation of answers: figures for each kind of question, what failed, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten

from rich.markup import escape
from rich.table import Column, Table

from contextual_rag.commands.evaluate_tables import difference_of
from contextual_rag.evaluation.answers import AnswerReport, Outcome
from contextual_rag.evaluation.bootstrap import Difference

__all__ = ["changes", "differences", "failures", "figures", "kinds"]

_FAILURES_SHOWN = 20
_CHANGES_SHOWN = 10
_QUESTION_SHOWN = 70
_ANSWER_SHOWN = 90
# The columns of the table by kind: the name of the figure, and its form.
_BY_KIND = {
    "asked": ("questions", "{}"),
    "answered": ("answered", "{:.2f}"),
    "first": ("answered_first", "{:.2f}"),
    "replied": ("replied", "{:.2f}"),
    "silent": ("silent", "{:.2f}"),
    "words": ("words", "{:.0f}"),
    "ms": ("milliseconds", "{:.0f}"),
    "USD": ("cost_usd", "{:.4f}"),
}


def figures(report: AnswerReport) -> Table:
    """Return a row for each figure: its mean, the 95 % interval, and how many answers it is over."""
    table = Table(
        Column("", no_wrap=True),
        Column("mean [dim](95 % interval)[/]", no_wrap=True),
        Column("over", justify="right"),
        title=escape(f"the answers of {report.version}, by {report.chat}"),
        caption=f"the judge cost {report.judge_cost_usd:.4f} USD" if report.judge else None,
        box=None,
    )
    all_ = report.of(report.answers)
    for name, (low, high) in report.intervals.items():
        over = sum(name in one.figures for one in report.answers)
        table.add_row(f"[bold]{name}[/]", f"{all_[name]:.3f} [dim]({low:.3f}–{high:.3f})[/]", str(over))
    return table


def kinds(report: AnswerReport) -> Table:
    """Return a row for each kind of questions, and one for all."""
    table = Table(Column("", no_wrap=True), *(Column(name, justify="right") for name in _BY_KIND), box=None)
    for kind in [*report.kinds, None]:
        one = report.of([each for each in report.answers if kind in {each.kind, None}])
        cells = [form.format(one[name]) if name in one else "" for name, form in _BY_KIND.values()]
        table.add_row(kind or "[bold]all[/]", *cells)
    return table


def failures(report: AnswerReport) -> Table | None:
    """Return the questions with something wrong, or None if there are none."""
    failed = [one for one in report.answers if one.wrong]
    if not failed:
        return None
    more = f", the first {_FAILURES_SHOWN}" if len(failed) > _FAILURES_SHOWN else ""
    table = Table(
        "kind",
        Column("question", ratio=2),
        Column("what is wrong", ratio=2),
        Column("answer", ratio=3),
        title=f"{len(failed)} of {len(report.answers)} failed{more}",
        box=None,
    )
    for one in failed[:_FAILURES_SHOWN]:
        cells = (_question(one), one.wrong or "", shorten(one.answer, _ANSWER_SHOWN, placeholder=" …"))
        table.add_row(one.kind, *map(escape, cells))
    return table


def differences(found: Mapping[str, Difference]) -> Table:
    """Return a row for each figure: the paired difference with its interval, and the questions won and lost."""
    table = Table(
        "", "a − b [dim](95 % interval)[/]", *(Column(name, justify="right") for name in ("won", "lost", "tied"))
    )
    table.box = None
    for name, one in found.items():
        table.add_row(f"[bold]{name}[/]", difference_of(one), str(one.won), str(one.lost), str(one.tied))
    return table


def changes(changed: Sequence[tuple[Outcome, Outcome]]) -> Table | None:
    """Return the questions of which the figures differ, or None if there are none."""
    if not changed:
        return None
    table = Table(Column("question", ratio=2), Column("a", ratio=2), Column("b", ratio=2), box=None)
    for a, b in changed[:_CHANGES_SHOWN]:
        table.add_row(escape(_question(a)), *(escape(one.wrong or "right") for one in (a, b)))
    return table


def _question(one: Outcome) -> str:
    whole = f"{one.after} → {one.question}" if one.after else one.question
    return shorten(whole, _QUESTION_SHOWN, placeholder=" …")
