"""Writes the page from a template, with tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from string import Template
from typing import Any

from bench.chunkers.__main__ import OURS
from bench.languages.__main__ import FIGURES
from bench.quality.ablation import PARTS
from bench.quality.corpora import FOREMOST, PUBLIC
from bench.quality.figures import Changed, Conversation, Figure, Measured, Quality, Speed
from bench.quality.published import PASS, RECALL
from contextual_rag.evaluation.bootstrap import Difference
from contextual_rag.languages import NAMES, listed

__all__ = ["TITLES", "difference", "page", "percent", "shown", "signed"]

TITLES = {"anthropic": "questions about code", "chroma": "speech and encyclopedia", "sample": "sample site"}
_TEMPLATE = Path(__file__).with_name("page.md")
_CHUNKERS = Path(__file__).parents[1] / "results" / "chunkers.json"
_LANGUAGES = Path(__file__).parents[1] / "results" / "languages.json"
_HEADING = "\n## "
_KS = (5, 10, 20)
_OVERLAP = ("recall@5", "precision@5", "iou@5")


def page(quality: Quality) -> str:
    """Return the page. A section without its corpus says that it was not measured."""
    head, *sections = _TEMPLATE.read_text(encoding="utf-8").split(_HEADING)
    values = dict(_values(quality))
    filled = [_filled(section, values) for section in sections]
    return _HEADING.join([head, *filled])


def percent(figure: Figure, *, interval: bool = True) -> str:
    """Return a figure as `81.5 (77.2–85.6)`."""
    low, high = (f"{100 * bound:.1f}" for bound in figure.interval)
    return f"{100 * figure.mean:.1f} ({low}–{high})" if interval else f"{100 * figure.mean:.1f}"


def difference(one: Difference) -> str:
    """Return a difference as `−2.1 (−4.0 to −0.3)`, bold if its interval does not contain 0."""
    low, high = one.interval
    text = f"{signed(one.mean)} ({signed(low)} to {signed(high)})"
    return f"**{text}**" if low > 0 or high < 0 else text


def signed(share: float) -> str:
    """Return a share in points, with its sign: `−2.1`."""
    points = f"{100 * share:+.1f}"
    return "0.0" if points in {"+0.0", "-0.0"} else points.replace("-", "−")


def shown(figure: str) -> str:
    """Return a figure's name as its authors write it."""
    return figure.replace("iou", "IoU").replace("pass", "Pass")


def _cuts(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of `python -m bench.chunkers`."""
    rows = []
    for name, of in measured.items():
        for way, row in of["ways"].items():
            told = [f"{row[f'recall@{k}']:.1f}" for k in (5, 8)]
            if way != OURS:
                told = [f"{one} ({_signed(*row[f'difference@{k}'])})" for one, k in zip(told, (5, 8), strict=True)]
            first = f"{name}, {of['questions']} questions" if way == OURS else ""
            rows.append(
                (first, f"**{way}**" if way == OURS else way, *told, str(row["characters"]), str(row["chunks"]))
            )
    return _table(("", "cut", "recall@5", "recall@8", "mean characters", "chunks"), rows)


def _signed(mean: float, low: float, high: float) -> str:
    told = [f"{value:+.1f}".replace("-", "−") for value in (mean, low, high)]
    shown_ = f"{told[0]}; {told[1]} to {told[2]}"
    return f"**{shown_}**" if low > 0 or high < 0 else shown_


def _languages(measured: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[tuple[str, str]]:
    """Yield the values of `python -m bench.languages`, of the half of its questions that nothing was chosen by."""
    together, alone = measured["together"], measured["alone"]
    names = list(next(iter(alone.values())))
    rows = [(NAMES[one], *(f"{100 * figures[name]:.0f}" for name in names)) for one, figures in together.items()]
    mean = [f"{100 * fmean(together[language][name] for language in alone):.0f}" for name in names]
    yield "languages_essays", str(6 * len(alone))
    yield "languages_questions", str(9 * len(alone))
    yield "languages_names", listed(alone.keys())
    yield "languages_table", _table(("", *(FIGURES[name] for name in names)), [*rows, ("mean but for English", *mean)])
    means = (f"{FIGURES[name]} {100 * fmean(figures[name] for figures in alone.values()):.0f}" for name in names)
    yield "languages_alone", ", ".join(means)


def _filled(section: str, values: Mapping[str, str]) -> str:
    template = Template(section)
    if set(template.get_identifiers()) <= values.keys():
        return template.substitute(values)
    title, _, _ = section.partition("\n")
    return f"{title}\n\nNot measured: the data was missing, or this part was not selected.\n"


def _values(quality: Quality) -> Iterator[tuple[str, str]]:
    for name in PUBLIC:
        if measured := quality.corpora.get(name):
            yield f"{name}_questions", f"{measured.questions:,}"
            yield f"{name}_chunks", f"{measured.default.chunks:,}"
    if measured := quality.corpora.get("anthropic"):
        yield "anthropic_table", _pass_table(measured)
    if (measured := quality.corpora.get("chroma")) and measured.fixed:
        yield "chroma_table", _overlap_table(measured, measured.fixed)
        yield "fixed_size", str(measured.fixed.overrides["chunk_size"])
        yield "fixed_table", _against_fixed(measured.fixed)
    if quality.conversation and (measured := quality.corpora.get("sample")):
        yield from _sample(quality.conversation, measured)
    tables = [_parts_table(name, one) for name, one in quality.corpora.items() if one.parts]
    if tables:
        yield "parts_tables", "\n\n".join(tables)
        yield "parts_legend", _legend(quality)
    if quality.speed:
        yield from _speed(quality.speed)
    yield "cuts_table", _cuts(json.loads(_CHUNKERS.read_bytes()))
    yield from _languages(json.loads(_LANGUAGES.read_bytes())["last"])
    yield "recipe", ", ".join(f"`{name}` {value}" for name, value in quality.recipe.items())
    yield "packages", ", ".join(f"{name} {version}" for name, version in quality.packages.items())


def _pass_table(measured: Measured) -> str:
    ours = [percent(measured.default.figures[f"pass@{k}"]) for k in _KS]
    published = [(f"published: {one.name}", *(f"{value:.1f}" for value in one.figures)) for one in PASS]
    return _table(("", "Pass@5", "Pass@10", "Pass@20"), [("**default recipe, offline**", *ours), *published])


def _overlap_table(measured: Measured, fixed: Changed) -> str:
    rows = [
        (name, *(percent(one.figures[figure]) for figure in _OVERLAP), f"{one.mean_chunk_tokens:.0f}")
        for name, one in (("**default recipe, offline**", measured.default), ("fixed windows, offline", fixed))
    ]
    published = [(one.name, "–".join(f"{value:.0f}" for value in one.figures), "", "", "") for one in RECALL]
    return _table(("", *map(shown, _OVERLAP), "mean tokens of a chunk"), [*rows, *published])


def _against_fixed(fixed: Changed) -> str:
    """Invert the differences: the stored ones are the fixed windows minus the default."""
    rows = []
    for figure in _OVERLAP:
        one = fixed.differences[figure]
        low, high = one.interval
        turned = one.model_copy(update={"mean": -one.mean, "interval": (-high, -low)})
        rows.append((shown(figure), difference(turned), str(one.lost), str(one.won), str(one.tied)))
    return _table(("", "difference", "won", "lost", "tied"), rows)


def _sample(talk: Conversation, measured: Measured) -> Iterator[tuple[str, str]]:
    yield "sample_essays", str(measured.documents)
    yield "sample_questions", str(measured.questions)
    yield "follow_up_count", str(talk.follow_ups)
    yield "foreign_count", str(talk.foreign)
    yield "untold_count", str(talk.untold)
    rows = [
        ("recall@5", percent(measured.default.figures["recall@5"]), str(measured.questions)),
        ("mrr@5", percent(measured.default.figures["mrr@5"]), str(measured.questions)),
        ("follow-ups that find as much as the full question", percent(talk.as_good_as_whole), str(talk.follow_ups)),
        ("questions about the essays that are answered", percent(talk.answered), str(talk.own)),
        ("questions about other subjects that are not answered", percent(talk.abstained), str(talk.foreign)),
        ("questions about missing facts that are not answered", percent(talk.untold_abstained), str(talk.untold)),
    ]
    yield "sample_table", _table(("", "%", "questions"), rows)


def _parts_table(name: str, measured: Measured) -> str:
    figure = FOREMOST[name]
    default = ("default recipe", percent(measured.default.figures[figure]), "", "", "", "")
    rows = [
        (part.name, percent(part.figures[figure]), difference(one), str(one.won), str(one.lost), str(one.tied))
        for part in measured.parts
        for one in [part.differences[figure]]
    ]
    heads = (f"{TITLES[name]}, {shown(figure)}", "%", "difference", "won", "lost", "tied")
    return _table(heads, [default, *rows])


def _legend(quality: Quality) -> str:
    """Explain each change, in the order of the table in `ablation.py`."""
    measured = {part.name: part for one in quality.corpora.values() for part in one.parts}
    order = [part.name for part in PARTS]
    known = sorted(measured.values(), key=lambda part: order.index(part.name) if part.name in order else len(order))
    return "\n".join(
        f"- **{part.name}** ({', '.join(f'`{name}` {value}' for name, value in part.overrides.items())}): {part.says}"
        for part in known
    )


def _speed(speed: Speed) -> Iterator[tuple[str, str]]:
    yield "speed_questions", f"{speed.questions:,}"
    yield "speed_chunks", f"{speed.chunks:,}"
    yield "speed_seconds", f"{speed.seconds:.1f}"
    yield "speed_per_second", f"{speed.per_second:.0f}"
    yield "speed_k", str(speed.k)
    yield "embedding_ms", f"{speed.embedding_ms:.0f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
