"""Texts of each type, with questions whose answers are spans of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from bench.quality.corpora import PUBLIC
from bench.sample_site import read_sample
from contextual_rag.commands.evaluate_inputs import read, text_files
from contextual_rag.evaluation.corpora import SpanQuestion, read_chunked, read_golden_questions, read_span_questions
from contextual_rag.evaluation.metrics import Span
from contextual_rag.model import Document, Entry
from contextual_rag.pipeline.plain import read_text
from contextual_rag.readers.code import read_code
from contextual_rag.readers.text import read_markdown

__all__ = ["Texts", "code", "essays", "prose", "tables"]

_COLUMNS: Final = str.split(
    "depth pilot toll bell keeper founder ferry owner fare crane smith load inn host rooms chapel priest seats yard "
    "builder slips well digger pails mill miller stones lamp trimmer wicks gate warden locks kiln burner bricks court "
    "bailiff cells bridge mason arches"
)
_FIRST: Final = str.split(
    "Ost Brae Lis Marr Skerr Wray Thole Pym Sul Ron Farn Mall Leith Cand Holm Voss Lind Dahl Roe Hart"
)
_LAST: Final = str.split("ey ness by sund ford wick")


class Texts(NamedTuple):
    """Documents and questions."""

    documents: Sequence[Document]
    questions: Sequence[SpanQuestion]


def code(data: Path) -> Texts:
    """Return Anthropic's documents of code; what answers are the chunks that the set gives, where they stand."""
    folder = data / PUBLIC["anthropic"]
    files, asked = folder / "codebase_chunks.json", folder / "questions.jsonl"
    given = read_chunked(read(files), files.name).documents
    documents = [read_code(one.text.encode(), Entry(slug=one.slug, url=one.slug, title=one.slug)) for one in given]
    texts = {one.slug: one.text for one in documents}
    golden = read_golden_questions(read(asked), asked.name, given)
    questions = []
    for question, chunks in golden:
        spans = (_first(texts, chunk.strip()) for chunk in chunks)
        questions.append(SpanQuestion(question, tuple(sorted(set(spans)))))
    return Texts(documents, questions)


def prose(data: Path) -> Texts:
    """Return two corpora of Chroma's evaluation, as text with headings."""
    folder = data / PUBLIC["chroma"]
    files = {name: file for name, file in text_files(folder).items() if name != "README"}
    questions = folder / "questions.csv"
    asked = read_span_questions(read(questions), questions.name, files).questions
    return Texts([read_text(name, file.text) for name, file in files.items()], asked)


def essays() -> Texts:
    """Return the sample site."""
    sample = read_sample()
    return Texts(sample.documents, sample.located())


def tables(seed: int = 17) -> Texts:
    """Return Markdown files of made-up tables: all have the same rows, and only the head says what a column is of."""
    chance = Random(seed)
    ports = sorted({first + last for first in _FIRST for last in _LAST})
    documents, questions = [], []
    for n in range(len(_COLUMNS) // 3):
        columns = _COLUMNS[3 * n : 3 * n + 3]
        own = chance.sample(ports, len(ports))
        rows = [
            (port, *(chance.choice(ports) if one else str(chance.randrange(900)) for one in (1, 1, 0))) for port in own
        ]
        lines = [f"| {' | '.join(row)} |" for row in (("port", *columns), ("---",) * 4, *rows)]
        text = f"# Register {n + 1}\n\nKept by the harbour office.\n\n" + "\n".join(lines) + "\n"
        slug = f"register-{n + 1}"
        document = read_markdown(text.encode(), Entry(slug=slug, url=slug, title=slug))
        documents.append(document)
        for port, line in chance.sample(list(zip(own, lines[2:], strict=True)), 8):
            column = chance.choice(columns)
            questions.append(SpanQuestion(f"What is the {column} of {port}?", (_first({slug: document.text}, line),)))
    return Texts(documents, questions)


def _first(texts: dict[str, str], words: str) -> Span:
    slug = next(slug for slug, text in texts.items() if words in text)
    start = texts[slug].index(words)
    return Span(slug, start, start + len(words))
