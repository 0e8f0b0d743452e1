"""A turn → its HTML: the answer, the sources, the tool calls, and time and cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from contextual_rag.conversation.model import Answer, Citation, Source, ToolUse
from contextual_rag.conversation.progress import Progress
from streamlit_app.render import Mark, essay_address, markdown_html, notice_html

__all__ = ["NO_WORKER", "answer_html", "marks_of", "progress_html", "quiet_html", "sources_html", "tools_html"]

NO_WORKER = (
    "The worker is not running. Nothing is lost: questions are saved, and answers continue when the worker is back."
)
_ENDED = {
    "abstained": "The essays do not answer this question.",
    "stopped": "Stopped. The text so far is kept.",
    "timed_out": "The answer took too long and was stopped.",
    "failed": "The question could not be answered.",
}
_LONGEST_RESULT = 4000
_SECOND_MS = 1000


def answer_html(answer: Answer) -> str:
    """Return the text of an answer, and an explanation if it did not end normally."""
    text = f'<div class="answer">{markdown_html(answer.text, marks_of(answer))}</div>' if answer.text.strip() else ""
    if answer.status == "answered" or (answer.status == "abstained" and text):
        return text
    return f'{text}<p class="ended {answer.status}">{escape(answer.explanation or _ENDED[answer.status])}</p>'


def progress_html(progress: Progress, *, worker_is_down: bool = False) -> str:
    """Return the text so far of an answer in progress, and the current stage or the notice that no worker runs."""
    # The version is known only at the end, so marks have no links until then.
    text = f'<div class="answer">{markdown_html(progress.text, {})}</div>' if progress.text.strip() else ""
    again = " (restarted after an error)" if progress.restarted else ""
    stage = f"{progress.stage or 'waiting for the worker'}{again}…"
    status = (
        notice_html(NO_WORKER, "warning") if worker_is_down else f'<p class="stage" role="status">{escape(stage)}</p>'
    )
    return f"{tools_html(progress.tools)}{text}{status}"


def marks_of(answer: Answer) -> dict[int, Mark]:
    """Return the link of each `[n]` of an answer: to the quoted words, or to the whole passage."""
    return {source.n: _mark(answer, source) for source in answer.sources} if answer.version else {}


def _mark(answer: Answer, source: Source) -> Mark:
    cited = [citation for citation in answer.citations if citation.n == source.n]
    quoted = [(citation.start, citation.end) for citation in cited if citation.verified]
    chunk = source.chunk
    address = essay_address(answer.version or "", chunk.slug, quoted or [(chunk.start, chunk.end)])
    return Mark(address, chunk.title, all(citation.verified for citation in cited if citation.quote))


def sources_html(answer: Answer) -> str:
    """Return the passages, cited ones first, each with its quotations and search scores."""
    if not answer.sources:
        return ""
    marks = marks_of(answer)
    cited = {citation.n for citation in answer.citations}
    named = [source for source in answer.sources if source.n in cited]
    others = [source for source in answer.sources if source.n not in cited]
    html = "".join(_source(source, answer.citations, marks.get(source.n)) for source in named)
    if others:
        found = "".join(_source(source, (), marks.get(source.n)) for source in others)
        what = f"{len(others)}{' more' * bool(named)} passage{'s' * (len(others) > 1)} found, not cited"
        html += f'<details class="others"><summary>{what}</summary>{found}</details>'
    return f'<div class="sources">{html}</div>'


def _source(source: Source, citations: Sequence[Citation], mark: Mark | None) -> str:
    chunk = source.chunk
    quoted = [citation for citation in citations if citation.n == source.n and citation.quote]
    quotes = "".join(_quote(citation) for citation in quoted)
    open_it = f'<a href="{escape(mark.address)}" target="_blank">Open in the essay</a>' if mark else ""
    title = f'<span class="n">{source.n}</span> <b>{escape(chunk.title)}</b>'
    return (
        f"<details><summary>{title} <span>{escape(chunk.date or 'undated')}{_verdict(quoted)}</span></summary>"
        f'{quotes}<p class="passage">{escape(chunk.text)}</p>'
        f'<p class="scores"><span>{escape(_scores(source))}</span>{open_it}</p></details>'
    )


def _verdict(quoted: Sequence[Citation]) -> str:
    if not quoted:
        return ""
    found = sum(citation.verified for citation in quoted)
    if found == len(quoted):
        return f' · <em class="yes">✓ quotation{"s" * (found > 1)} verified</em>'
    return f' · <em class="no">{len(quoted) - found} of {len(quoted)} quotations not found</em>'


def _quote(citation: Citation) -> str:
    verdict = '<em class="yes">✓ verified</em>' if citation.verified else '<em class="no">not found in the passage</em>'
    return f"<blockquote>“{escape(citation.quote)}” {verdict}</blockquote>"


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
