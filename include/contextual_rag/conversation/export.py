"""Exports a conversation: as Markdown for people, as JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from contextual_rag.conversation.model import Answer, Citation, Source, Thread, Turn
from contextual_rag.noun import noun
from contextual_rag.qa.verdicts import NOT_ANYWHERE, words_of

__all__ = ["as_json", "as_markdown"]

# Characters that Markdown would interpret; an export shows texts as they are.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!&~])")


def as_json(thread: Thread, turns: Sequence[Turn]) -> str:
    """Return thread and turns with all stored fields."""
    whole = {"thread": thread.model_dump(mode="json"), "turns": [turn.model_dump(mode="json") for turn in turns]}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def as_markdown(thread: Thread, turns: Sequence[Turn]) -> str:
    """Return the questions, the answers and the cited passages."""
    lines = [f"# {_plain(thread.title or 'Conversation')}", "", f"Started {thread.created_at:%Y-%m-%d %H:%M} UTC."]
    for turn in turns:
        lines += ["", f"## {turn.n}. {_plain(turn.question)}", ""]
        lines += _answer(turn.answer) if turn.answer else ["*Not answered yet.*"]
    return "\n".join([*lines, ""])


def _answer(answer: Answer) -> Iterator[str]:
    if answer.where:
        yield from (f"*Asked only of {noun().many} that match: {_plain(answer.where.summary)}.*", "")
    if answer.text:
        yield _paragraphs(answer.text)
    if answer.explanation:
        yield from ("", f"*{_plain(answer.explanation)}*")
    for use in answer.tools:
        # In code, an escape would be text; only a backtick ends it.
        name = " ".join(use.name.replace("`", " ").split()) or "?"
        yield from ("", f"- Tool `{name}`: {_plain(use.error or use.result or '')}")
    for citation in answer.citations:
        if citation.start is None:
            yield from ("", _quotation(citation, NOT_ANYWHERE))
    for source in answer.sources:
        if citations := [one for one in answer.citations if source.n in {one.n or one.found_in}]:
            yield from ("", _source(source, citations))
    if answer.version:
        made_by = f", model {_plain(answer.model)}" if answer.model else ""
        yield from ("", f"*Index version {_plain(answer.version)}{made_by}.*")


def _source(source: Source, citations: Sequence[Citation]) -> str:
    chunk = source.chunk
    passage = _paragraphs(chunk.text).replace("\n", "\n> ")
    quoted = [_quotation(citation, words_of(citation.state)) for citation in citations if citation.quote]
    verdicts = "\n\n".join(quoted) or f"{words_of('cited').capitalize()}."
    places = ", ".join(dict.fromkeys(citation.where for citation in citations if citation.where))
    about = ", ".join(_plain(part) for part in (chunk.title, places, chunk.date) if part)
    return f"{_plain(f'[{source.n}]')} {about}, {_address(chunk.url)}\n\n> {passage}\n\n{verdicts}"


def _quotation(citation: Citation, words: str) -> str:
    return f"{words.capitalize()}: “{_plain(citation.quote)}”"


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _paragraphs(text: str) -> str:
    return "\n\n".join(_plain(paragraph) for paragraph in re.split(r"\n\s*\n", text))


def _address(url: str) -> str:
    address = re.sub(r"[\s<>]", "", url)
    return f"<{address}>" if re.match(r"https?://", address, re.IGNORECASE) else _plain(url)
