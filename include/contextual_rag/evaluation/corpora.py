"""Reads the corpora of public benchmarks: Chroma's texts with questions in CSV, Anthropic's chunks in JSON with JSONL.

An error in a file raises CorruptObjectError with file, place and repair. Harmless oddities become notes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contextual_rag.errors import CorruptObjectError
from contextual_rag.evaluation.metrics import Span
from contextual_rag.model import Chunk, Slug
from contextual_rag.qa.citations import locate

__all__ = [
    "ByChunks",
    "BySpans",
    "ChunkedText",
    "GoldenQuestion",
    "SpanQuestion",
    "TextFile",
    "read_chunked",
    "read_golden_questions",
    "read_span_questions",
    "read_text_file",
]

_BOM, _SHOWN = "\ufeff", 60
_COLUMNS = ("question", "references", "corpus_id")
_REFERENCES = '[{"content": …, "start_index": …, "end_index": …}, …]'


class TextFile(NamedTuple):
    """A file's text with line ends as `\\n`. `marked` says whether a byte order mark was removed from its start."""

    name: str
    text: str
    marked: bool


class SpanQuestion(NamedTuple):
    """A question, and the characters that answer it."""

    question: str
    references: tuple[Span, ...]


class BySpans(NamedTuple):
    """The questions about a folder's texts. `notes` list skipped questions and harmless oddities."""

    questions: tuple[SpanQuestion, ...]
    notes: tuple[str, ...]


class ChunkedText(NamedTuple):
    """A document with given chunks, as spans of its text. Questions refer to `uuid` and the index of a chunk."""

    slug: str
    uuid: str
    text: str
    chunks: tuple[Chunk, ...]
    by_index: Mapping[int, str]


class ByChunks(NamedTuple):
    """Documents with their chunks; `notes` as in `BySpans`."""

    documents: tuple[ChunkedText, ...]
    notes: tuple[str, ...]


class GoldenQuestion(NamedTuple):
    """A question, and the texts of the chunks that answer it."""

    question: str
    golden: tuple[str, ...]


class _Read(BaseModel):
    """The fields that are read; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)


class _Reference(_Read):
    content: str
    start_index: Annotated[int, Field(ge=0)]
    end_index: Annotated[int, Field(ge=1)]


class _GivenChunk(_Read):
    chunk_id: str
    original_index: int
    content: str


class _GivenDocument(_Read):
    doc_id: Slug
    original_uuid: str
    content: str
    chunks: list[_GivenChunk]


class _Asked(_Read):
    query: Annotated[str, Field(pattern=r"\S")]
    golden_chunk_uuids: Annotated[
        list[Annotated[list[str | int], Field(min_length=2, max_length=2)]], Field(min_length=1)
    ]


_REFERENCE_LIST = TypeAdapter(Annotated[list[_Reference], Field(min_length=1)])
_DOCUMENT_LIST = TypeAdapter(Annotated[list[_GivenDocument], Field(min_length=1)])
_SLUG = TypeAdapter(Slug)


def read_text_file(body: bytes, name: str) -> TextFile:
    """Return a file's text, decoded like Python's text mode: UTF-8, with line ends as `\\n`."""
    text = _decoded(body, name)
    return TextFile(name, text.removeprefix(_BOM), text.startswith(_BOM))


def read_span_questions(body: bytes, name: str, files: Mapping[str, TextFile]) -> BySpans:
    """Return the questions of a CSV file about the given files; the keys of `files` are corpus ids."""
    _check_corpora(files)
    questions, elsewhere, notes = [], [], []
    for place, row in _rows(body, name):
        if row["corpus_id"] not in files:
            elsewhere.append(row["corpus_id"])
            continue
        file = files[row["corpus_id"]]
        if not row["question"].strip():
            raise CorruptObjectError(f"{place}: the question is empty. Add it, or delete the row.")
        try:
            references = _REFERENCE_LIST.validate_json(row["references"])
        except ValidationError as error:
            raise CorruptObjectError(
                f"{place}: the references are not {_REFERENCES}: {_fault(error)}. Fix the row, or delete it."
            ) from None
        spans = []
        for n, reference in enumerate(references, 1):
            span, note = _span(reference, f"{place}, reference {n}", row["corpus_id"], file)
            spans.append(span)
            notes += [note] if note else []
        questions.append(SpanQuestion(row["question"], tuple(spans)))
    if elsewhere:
        missing = ", ".join(sorted({corpus or "(none)" for corpus in elsewhere}))
        notes.insert(0, f"{name}: {len(elsewhere)} questions are skipped; their corpus has no file here: {missing}.")
    if not questions:
        known = ", ".join(sorted(files))
        raise CorruptObjectError(
            f"{name} has no question about the files of the folder ({known}). Name each file after a corpus_id of the "
            "questions, plus .md or .txt.",
            code="corrupt_object_empty",
        )
    return BySpans(tuple(questions), tuple(notes))


def read_chunked(body: bytes, name: str) -> ByChunks:
    """Return the documents of a JSON file, each chunk located in its document."""
    try:
        given = _DOCUMENT_LIST.validate_json(body)
    except ValidationError as error:
        raise CorruptObjectError(
            f"{name} is not a list of documents with chunks: {_fault(error)}. Each document is "
            '{"doc_id": …, "original_uuid": …, "content": …, "chunks": [{"chunk_id": …, "original_index": …, '
            '"content": …}, …]}.'
        ) from None
    for field in ("doc_id", "original_uuid"):
        if twice := _repeated(getattr(document, field) for document in given):
            raise CorruptObjectError(f"{name}: two documents have the {field} {twice!r}. Make each {field} unique.")
    notes: list[str] = []
    return ByChunks(tuple(_located(document, name, notes) for document in given), tuple(notes))


def read_golden_questions(body: bytes, name: str, documents: Sequence[ChunkedText]) -> tuple[GoldenQuestion, ...]:
    """Return the questions of a JSONL file, with the texts of their golden chunks."""
    by_uuid = {document.uuid: document for document in documents}
    questions = []
    for number, line in enumerate(_decoded(body, name).removeprefix(_BOM).split("\n"), 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            asked = _Asked.model_validate_json(line)
        except ValidationError as error:
            raise CorruptObjectError(
                f"{place} is not a question: {_fault(error)}. Each line is "
                '{"query": …, "golden_chunk_uuids": [["<original_uuid>", <original_index>], …]}.'
            ) from None
        golden = []
        for uuid, index in asked.golden_chunk_uuids:
            document = by_uuid.get(str(uuid))
            text = document.by_index.get(index) if document and isinstance(index, int) else None
            if text is None:
                lacks = f"no chunk {index} in {document.slug}" if document else "no document with that original_uuid"
                raise CorruptObjectError(
                    f"{place}: the golden chunk [{uuid!r}, {index!r}] does not exist; there is {lacks}. Fix the line, "
                    "or use the chunks that belong to these questions.",
                    code="corrupt_object_reference",
                )
            golden.append(text)
        questions.append(GoldenQuestion(asked.query, tuple(golden)))
    if not questions:
        raise CorruptObjectError(f"{name} has no questions. Each line is one, as JSON.", code="corrupt_object_empty")
    return tuple(questions)


def _check_corpora(files: Mapping[str, TextFile]) -> None:
    for corpus, file in files.items():
        try:
            _SLUG.validate_python(corpus)
        except ValidationError:
            raise CorruptObjectError(
                f"{file.name}: invalid corpus name {corpus!r}. Use letters, digits and . _ ~ -. Rename the file, and "
                "its corpus_id in the questions."
            ) from None


def _decoded(body: bytes, name: str) -> str:
    try:
        # `newline=None` is what `open` does in mode "r": benchmarks count characters of files read that way.
        return io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline=None).read()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise CorruptObjectError(
            f"{name}, line {line} is not UTF-8 (byte {error.start}: {error.reason}). Save the file as UTF-8.",
            code="corrupt_object_encoding",
        ) from None


def _rows(body: bytes, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row with its place. Rows are numbered like in a spreadsheet; the header is row 1."""
    # `_decoded` would change the line ends inside quoted fields.
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        _decoded(body, name)
        raise
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    number, line = 0, 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise CorruptObjectError(
                f"{name}, row {number + 1} (line {line}) is not CSV: {error}. Quote fields with quotation marks or "
                "line ends, and double each quotation mark in them."
            ) from None
        if cells is None:
            break
        number, place, line = number + 1, f"{name}, row {number + 1} (line {line})", reader.line_num + 1
        if not cells:
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            if lacking := [column for column in _COLUMNS if column not in header]:
                raise CorruptObjectError(
                    f"{name} has no column {', '.join(lacking)}; its first row is {','.join(header)[:_SHOWN]!r}. The "
                    f"first row must name the columns {', '.join(_COLUMNS)}."
                )
            continue
        if len(cells) != len(header):
            raise CorruptObjectError(
                f"{place} has {len(cells)} fields for {len(header)} columns. Quote fields with commas."
            )
        yield place, dict(zip(header, cells, strict=True))
    if header is None:
        raise CorruptObjectError(
            f"{name} is empty. Its first row must name the columns {', '.join(_COLUMNS)}.", code="corrupt_object_empty"
        )


def _span(reference: _Reference, place: str, corpus: str, file: TextFile) -> tuple[Span, str | None]:
    """Return the span of a reference, and a note if its words differ slightly from the text there."""
    start, end = reference.start_index, reference.end_index
    if end <= start:
        raise CorruptObjectError(
            f"{place}: end_index {end} is not after start_index {start}. Fix the row.", code="corrupt_object_reference"
        )
    # A benchmark may have counted the byte order mark as the first character.
    marks = (0, 1) if file.marked else (0,)
    for mark in marks:
        if start >= mark and file.text[start - mark : end - mark] == reference.content:
            return Span(corpus, start - mark, end - mark), None
    if end > len(file.text) + marks[-1]:
        raise CorruptObjectError(
            f"{place}: the characters {start}:{end} are outside {file.name}, which has {len(file.text)}. Fix the row, "
            "or use the file that belongs to these references.",
            code="corrupt_object_reference",
        )
    there = file.text[start:end]
    if locate(reference.content, there) is None or len(there.split()) != len(reference.content.split()):
        raise CorruptObjectError(
            f"{place}: {file.name} says {_cut(there)!r} at the characters {start}:{end}, and not "
            f"{_cut(reference.content)!r}. Fix the row, or use the file that belongs to these references.",
            code="corrupt_object_reference",
        )
    return Span(corpus, start, end), (
        f"{place}: {file.name} has these words at {start}:{end} with different letter case, white space or quotes. "
        "This position is used."
    )


def _located(given: _GivenDocument, name: str, notes: list[str]) -> ChunkedText:
    if twice := _repeated(str(chunk.original_index) for chunk in given.chunks):
        raise CorruptObjectError(
            f"{name}: two chunks of {given.doc_id} have the original_index {twice}. Make each original_index unique."
        )
    chunks, after = [], 0
    for chunk in given.chunks:
        text = chunk.content.strip()
        if not text:
            notes.append(f"{name}: the chunk {chunk.chunk_id!r} is empty; no question can find it.")
            continue
        # Chunks are in text order and may overlap: equal chunks are at different positions.
        start = given.content.find(text, after)
        start = given.content.find(text) if start < 0 else start
        if start < 0:
            raise CorruptObjectError(
                f"{name}: the content of {given.doc_id} does not contain the chunk {chunk.chunk_id!r} "
                f"({_cut(text)!r}). Fix the content of the chunk or of the document.",
                code="corrupt_object_reference",
            )
        after = start + 1
        chunks.append(Chunk(start=start, end=start + len(text), text=text))
    by_index = {chunk.original_index: chunk.content for chunk in given.chunks}
    return ChunkedText(given.doc_id, given.original_uuid, given.content, tuple(chunks), by_index)


def _repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]


def _fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place} {fault['msg']}" if place else fault["msg"]


def _cut(text: str) -> str:
    return text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
