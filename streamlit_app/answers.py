"""A turn → its HTML: the answer, the sources, the tool calls, and time and cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from textwrap import shorten

from contextual_rag.conversation.model import Answer, Citation, CitedMark, Source, ToolUse
from contextual_rag.conversation.progress import Progress
from contextual_rag.model import IndexedChunk
from contextual_rag.noun import noun
from contextual_rag.qa.citations import Cited, read
from contextual_rag.qa.verdicts import NOT_ANYWHERE, SHOWING, State, nearest, verdict_on, words_of
from streamlit_app.render import Mark, Place, essay_address, markdown_html, notice_html

__all__ = ["NO_WORKER", "answer_html", "found_html", "progress_html", "quiet_html", "sources_html", "tools_html"]

NO_WORKER = (
    "The worker is not running. Nothing is lost: questions are saved, and answers continue when the worker is back."
)
_ENDED = {
    "abstained": "The {many} do not answer this question.",
    "stopped": "Stopped. The text so far is kept.",
    "timed_out": "The answer took too long and was stopped.",
    "failed": "The question could not be answered.",
}
_CLASSES: Mapping[State, str] = {"found": "yes", "cited": "bare", "not_found": "no"}
_SIGNS: Mapping[State, str] = {"found": "✓", "cited": "–", "not_found": "?"}
_LONGEST_RESULT = 4000
_SECOND_MS = 1000
# How many characters of a passage are shown beside its number, and how many of them before the words that were found
_PEEK = 320
_PEEK_BEFORE = 100
_NEAREST = 3


def answer_html(answer: Answer) -> str:
    """Return the text of an answer, and an explanation if it did not end normally."""
    text = f'<div class="answer">{markdown_html(answer.text, _places(answer))}</div>' if answer.text.strip() else ""
    if answer.where:
        asked = f"Asked only of {escape(noun().many)} that match:"
        text = f'<p class="quiet">{asked} <b>{escape(answer.where.summary)}</b></p>{text}'
    if answer.corrected:
        text = f'<p class="quiet">{SHOWING} <b dir="auto">{escape(answer.corrected)}</b></p>{text}'
    if answer.explanation is None and text and answer.status in {"answered", "abstained"}:
        return text
    explanation = answer.explanation or _ENDED.get(answer.status, "").format(many=noun().many)
    return f'{text}<p class="ended {answer.status}">{escape(explanation)}</p>'


def progress_html(progress: Progress, *, worker_is_down: bool = False) -> str:
    """Return the text so far of an answer in progress, and the current stage or the notice that no worker runs."""
    # The version is known only at the end, so marks have no links until then.
    text = f'<div class="answer">{markdown_html(progress.text, ())}</div>' if progress.text.strip() else ""
    again = " (started again)" if progress.restarted else ""
    stage = f"{progress.stage or 'waiting for the worker'}{again}…"
    status = (
        notice_html(NO_WORKER, "warning") if worker_is_down else f'<p class="stage" role="status">{escape(stage)}</p>'
    )
    return f"{tools_html(progress.tools)}{text}{status}"


def _places(answer: Answer) -> list[Place]:
    """Return the marks of an answer as links: to the quoted words, or to the whole passage."""
    if not answer.version:
        return []
    sources, shown = {source.n: source for source in answer.sources}, _shown_numbers(answer)
    places = []
    for mark in _marks(answer):
        named = {n: state for n, state in mark.states.items() if n in sources}
        links = {shown[n]: _link(answer, sources[n], state) for n, state in named.items()}
        places.append(Place(mark.start, mark.end, links))
    return places


def _link(answer: Answer, source: Source, state: State) -> Mark:
    chunk = source.chunk
    found = next((one.start for one in _of(source, answer) if one.verified and one.start is not None), chunk.start)
    # From a little before the first words that were found.
    at = max(0, found - chunk.start - _PEEK_BEFORE)
    start = chunk.text.find(" ", at) + 1 if at else 0
    words = shorten(chunk.text[start:], _PEEK, placeholder=" …")
    title = ", ".join(part for part in (chunk.title, _where(_of(source, answer), chunk)) if part)
    return Mark(_address(answer, source), title, state, f"{'… ' * bool(start)}{words}")


def _where(citations: Sequence[Citation], chunk: IndexedChunk) -> str | None:
    """Return the places of what was found in a passage, or else that of the passage."""
    places = dict.fromkeys(one.where for one in citations if one.verified and one.where)
    return ", ".join(places) or chunk.where


def _marks(answer: Answer) -> Sequence[CitedMark | Cited]:
    """Return the marks of an answer in the order of its text; those that were stored before marks were are read."""
    if answer.marks is not None:
        return answer.marks
    passages = [source.chunk for source in sorted(answer.sources, key=lambda source: source.n)]
    return read(answer.text, passages).marks if answer.citations else []


def _shown_numbers(answer: Answer) -> dict[int, int]:
    """Return the number under which each source is shown: in the order in which the text names them, then the rest."""
    marked = [n for mark in _marks(answer) for n in mark.states]
    quoted = [source.n for source in answer.sources if _of(source, answer)]
    order = dict.fromkeys([*marked, *quoted, *(source.n for source in answer.sources)])
    return {n: shown for shown, n in enumerate(order, 1)}


def _address(answer: Answer, source: Source) -> str:
    spans = [
        (citation.start, citation.end)
        for citation in _of(source, answer)
        if citation.verified and citation.start is not None and citation.end is not None
    ]
    chunk = source.chunk
    return essay_address(answer.version or "", chunk.slug, spans or [(chunk.start, chunk.end)])


def _of(source: Source, answer: Answer) -> list[Citation]:
    """Return the citations of a passage, and the quotations without a number that it contains."""
    return [citation for citation in answer.citations if source.n in {citation.n or citation.found_in}]


def sources_html(answer: Answer) -> str:
    """Return the passages, cited ones first, each with its quotations and search scores.

    Of an answer that abstains, the nearest passages come first.
    """
    lost = [citation for citation in answer.citations if citation.start is None]
    html = "".join(_quote(citation, NOT_ANYWHERE) for citation in lost)
    shown = _shown_numbers(answer)
    ordered = sorted(answer.sources, key=lambda source: shown[source.n])
    named = [source for source in ordered if _of(source, answer)]
    if answer.status == "abstained" and ordered:
        named = ordered[:_NEAREST]
        html += f'<p class="quiet">{escape(nearest())}</p>'
    others = [source for source in ordered if source not in named]
    html += "".join(_source(source, shown[source.n], answer) for source in named)
    if others:
        found = "".join(_source(source, shown[source.n], answer) for source in others)
        what = f"{len(others)}{' more' * bool(named)} passage{'s' * (len(others) > 1)} found, not cited"
        html += f'<details class="others"><summary>{what}</summary>{found}</details>'
    return f'<div class="sources">{html}</div>' if html else ""


def found_html(version: str, sources: Sequence[Source]) -> str:
    """Return the passages that a search found, best first."""
    if not sources:
        return '<p class="quiet">No passage was found.</p>'
    shown = "".join(
        _passage(
            source,
            source.n,
            essay_address(version, source.chunk.slug, [(source.chunk.start, source.chunk.end)]),
            source.chunk.where,
        )
        for source in sources
    )
    return f'<div class="sources">{shown}</div>'


def _source(source: Source, n: int, answer: Answer) -> str:
    citations = _of(source, answer)
    state, words = verdict_on(citation.state for citation in citations)
    verdict = f" · {_verdict(state, words)}" if citations else ""
    quotes = "".join(_quote(citation, escape(words_of(citation.state))) for citation in citations if citation.quote)
    where = _where(citations, source.chunk)
    return _passage(source, n, _address(answer, source) if answer.version else "", where, verdict, quotes)


def _passage(source: Source, n: int, address: str, where: str | None, verdict: str = "", quotes: str = "") -> str:
    chunk = source.chunk
    about = " · ".join(part for part in (where, chunk.date or "undated") if part)
    open_it = f'<a href="{escape(address)}" target="_blank">Open in the {escape(noun().one)}</a>' if address else ""
    title = f'<span class="n">{n}</span> <b dir="auto">{escape(chunk.title)}</b>'
    return (
        f"<details><summary>{title} <span>{escape(about)}{verdict}</span></summary>"
        f'{quotes}<p class="passage" dir="auto">{escape(chunk.text)}</p>'
        f'<p class="scores"><span>{escape(_scores(source))}</span>{open_it}</p></details>'
    )


def _quote(citation: Citation, words: str) -> str:
    return f'<blockquote dir="auto">“{escape(citation.quote)}” {_verdict(citation.state, words)}</blockquote>'


def _verdict(state: State, words: str) -> str:
    return f'<em class="{_CLASSES[state]}">{_SIGNS[state]} {words}</em>'


def _scores(source: Source) -> str:
    parts = [f"score {source.score:.3f}"]
    if source.bm25_rank is not None:
        parts.append(f"keywords #{source.bm25_rank}")
    if source.vector_rank is not None:
        parts.append(f"meaning #{source.vector_rank}")
    if source.cosine is not None:
        parts.append(f"cosine {source.cosine:.2f}")
    return " · ".join(parts)


def tools_html(tools: Sequence[ToolUse]) -> str:
    """Return the tool calls, each with its arguments and result."""
    return f'<div class="tools">{"".join(map(_tool, tools))}</div>' if tools else ""


def _tool(use: ToolUse) -> str:
    asked = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in use.arguments.items())
    over = use.result is not None or use.error is not None
    took = f"{use.seconds:.1f} s" if use.seconds is not None else "" if over else "running…"
    state = "no" if use.error else "yes" if over else "running"
    gave = use.error or use.result or ""
    shown = gave[:_LONGEST_RESULT] + ("…" if len(gave) > _LONGEST_RESULT else "")
    return (
        f'<details><summary><span class="{state}"></span><code>{escape(use.name)}</code> '
        f'<span class="asked">{escape(asked)}</span> <span>{took}</span></summary><pre>{escape(shown)}</pre></details>'
    )


def quiet_html(answer: Answer) -> str:
    """Return the line with the version, the times, the tokens and the cost of an answer."""
    parts = [f"version {answer.version}"] if answer.version else []
    if answer.first_token_ms is not None:
        parts.append(f"first word after {_time(answer.first_token_ms)}")
    parts.append(f"{_time(answer.total_ms)} in total")
    if answer.prompt_tokens or answer.completion_tokens:
        parts.append(f"{answer.prompt_tokens:,} + {answer.completion_tokens:,} tokens")
        parts.append(f"${answer.cost_usd:.4f}")
    if answer.model:
        parts.append(answer.model)
    return f'<p class="quiet">{escape(" · ".join(parts))}</p>'


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < _SECOND_MS else f"{milliseconds / _SECOND_MS:.1f} s"
