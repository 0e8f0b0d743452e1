"""The corpora: two public ones, if available, and the sample site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.sample_site import Sample
from contextual_rag.commands.evaluate_inputs import read, text_files
from contextual_rag.commands.trial import Text
from contextual_rag.evaluation.corpora import read_chunked, read_golden_questions, read_span_questions
from contextual_rag.evaluation.report import Scored
from contextual_rag.evaluation.scores import Searched, score_spans, score_texts

__all__ = ["FOREMOST", "PUBLIC", "Corpus", "public", "sample_site"]

# The main figure of each corpus, which judges the parts.
FOREMOST = {"anthropic": "pass@5", "chroma": "recall@5", "sample": "recall@5"}
# The public corpora's places in the data folder.
PUBLIC = {"anthropic": "anthropic_contextual", "chroma": "chroma_chunking"}
_PASS_AT = (5, 10, 20)
_FOUND_AT = (5,)


class Corpus(NamedTuple):
    """Texts, and questions that an index of them is scored by.

    `given` says that the chunks are, `windows` that fixed windows of the same mean size are measured beside ours.
    """

    name: str
    texts: Sequence[Text]
    questions: Sequence[str]
    score: Callable[[Searched], list[Scored]]
    given: bool = False
    windows: bool = False


def public(name: str, data: Path) -> Corpus:
    """Return a public corpus from the data folder."""
    folder = data / PUBLIC[name]
    return _anthropic(folder) if name == "anthropic" else _chroma(folder)


def sample_site(sample: Sample) -> Corpus:
    """Return the sample site's essays and questions."""
    located = sample.located()
    score = partial(score_spans, questions=located, ks=_FOUND_AT)
    return Corpus("sample", sample.texts, [one.question for one in located], score)


def _anthropic(folder: Path) -> Corpus:
    chunks, questions = folder / "codebase_chunks.json", folder / "questions.jsonl"
    documents = read_chunked(read(chunks), chunks.name).documents
    golden = read_golden_questions(read(questions), questions.name, documents)
    texts = [Text(document.slug, document.text, document.chunks) for document in documents]
    score = partial(score_texts, questions=golden, ks=_PASS_AT)
    return Corpus("anthropic", texts, [one.question for one in golden], score, given=True)


def _chroma(folder: Path) -> Corpus:
    # The folder's own README is not a corpus.
    files = {name: file for name, file in text_files(folder).items() if name != "README"}
    questions = folder / "questions.csv"
    asked = read_span_questions(read(questions), questions.name, files).questions
    texts = [Text(name, file.text) for name, file in files.items()]
    score = partial(score_spans, questions=asked, ks=_FOUND_AT)
    return Corpus("chroma", texts, [one.question for one in asked], score, windows=True)
