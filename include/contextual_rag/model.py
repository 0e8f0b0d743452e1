"""What is read, in the order of the data's way: source, entry, page, document, chunk, and a row of an index."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, computed_field

from contextual_rag import keys
from contextual_rag.languages import ENGLISH
from contextual_rag.record import Fields, Record

__all__ = [
    "Chunk",
    "Document",
    "Entry",
    "Failure",
    "Fetched",
    "Followed",
    "IndexedChunk",
    "Origin",
    "Page",
    "Paragraph",
    "Part",
    "Place",
    "Response",
    "Slug",
    "Snapshot",
    "Source",
    "Weather",
    "Words",
    "contextual_text",
    "embedded_text",
]


# Names that become parts of keys and paths.
Part = Annotated[str, Field(pattern=keys.PART)]
Slug = Part


class Source(Record):
    """Where documents come from: a name, by which its snapshots are kept, and the address of what lists them."""

    name: Annotated[str, Field(pattern=keys.SOURCE_NAME)]
    url: str

    @classmethod
    def at(cls, url: str) -> Source:
        """Return the source of an address that nobody named: its name is its host and path."""
        return cls(name=keys.source_name(url), url=url)


def _says_nothing(value: object) -> bool:
    """Whether a field that later releases added says nothing; it is then left out of what is stored."""
    return value is None or value == ()


class Entry(Record):
    """One document as the index page names it.

    The address is its identity. The slug is the readable form of it, and no other entry of the page has the same.
    `date` and `authors` are those that a feed gives it, for a document that says none. `source` is the name of its
    source, if there are several. `change` is a text that is another one whenever the document is, if its source gives
    such.
    """

    slug: Slug
    url: str
    title: str
    date: str | None = None
    authors: tuple[str, ...] = Field(default=(), exclude_if=_says_nothing)
    source: str | None = Field(default=None, exclude_if=_says_nothing)
    change: str | None = Field(default=None, exclude_if=_says_nothing)


class Page(Record):
    """The bytes of one document's page as stored, with what a conditional request needs.

    `sha256` is the digest of the bytes and names the object; `charset` and `media_type` are what the server declared,
    if it did. `document` is the digest of what `parser` made of the bytes, and empty before that. `readers` is the
    release of the readers that did; a page that an earlier one read is read again. `characters` is the length of the
    document's text, if its page was read by a release that records it.
    """

    slug: Slug
    url: str
    title: str
    date: str | None = None
    authors: tuple[str, ...] = Field(default=(), exclude_if=_says_nothing)
    sha256: Part
    charset: str | None = None
    media_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    parser: str
    readers: int = 1
    document: Part | Literal[""]
    characters: int | None = Field(default=None, exclude_if=_says_nothing)


class Paragraph(Record):
    """A span of `Document.text`, in characters, half-open; `text[start:end]` is the paragraph.

    `where` is its place in the file, such as "page 3", if that is more than its heading. Of a table whose first line
    says what its columns are, `head` is the length of that line.
    """

    start: int
    end: int
    kind: Literal["paragraph", "heading", "quote", "code", "note", "table"] = "paragraph"
    where: str | None = None
    head: int | None = Field(default=None, exclude_if=_says_nothing)


class Document(Record):
    """One essay as text: paragraphs, then notes, joined by blank lines; nothing else stands in `text`.

    `date` is as the essay gives it in its first line ("March 2019"), or None. `as_written` says that the text is the
    file's own, so that its lines are the file's. `authors` are the names that it gives.
    """

    slug: Slug
    url: str
    title: str
    date: str | None
    text: str
    paragraphs: tuple[Paragraph, ...]
    as_written: bool = False
    authors: tuple[str, ...] = Field(default=(), exclude_if=_says_nothing)

    def digest(self, parser: str) -> str:
        """Return what the document is stored under: a digest of the parser's version and of what it read.

        The fields are named, and one that a later release added counts only where it says something: then no document
        gets another key that is as it was.
        """
        added = {"authors": self.authors}
        read = {
            "slug": self.slug,
            "url": self.url,
            "title": self.title,
            "date": self.date,
            "text": self.text,
            "paragraphs": [
                {"start": p.start, "end": p.end, "kind": p.kind}
                | ({"where": p.where} if p.where else {})
                | ({"head": p.head} if p.head else {})
                for p in self.paragraphs
            ],
        }
        return keys.digest(parser, read | {name: value for name, value in added.items() if value})


class Chunk(Record):
    """A span of a document: `document.text[start:end] == text`."""

    start: int
    end: int
    text: str


class Failure(Record):
    """An essay that could not be brought up to date, and why."""

    slug: str
    url: str
    reason: str


class Followed(Record):
    """One of several sources, and how many documents it `listed`.

    `snapshot` is the day that its documents are of, if not of today; `why` is why it could not be read.
    """

    source: Source
    listed: int
    snapshot: date | None = None
    why: str | None = None

    @property
    def failure(self) -> Failure | None:
        """What is recorded of a source that could not be read."""
        return Failure(slug=f"source {self.source.name}", url=self.source.url, reason=self.why) if self.why else None


class Fetched(Record):
    """What an order has got of a batch of documents so far: their pages, and why others are lacking."""

    pages: tuple[Page, ...] = ()
    failed: tuple[Failure, ...] = ()


# What release 0.1.0 stored says of no order when it was decided.
_BEFORE_ORDERS = datetime(2026, 1, 1, tzinfo=UTC)


def _named_source(fields: Fields) -> Fields:
    """Schema 1, release 0.1.0: the source was its address alone."""
    return fields | {"source": Source.at(fields["source"]).model_dump()}


class Snapshot(Record):
    """Which page every document of a source had on a day.

    `pages` holds the last good page of a document that failed that day too; `failed` names those. `listed` is how many
    documents the index page named. It comes from the order that was decided at `decided_at`.
    """

    schema_number: ClassVar[int] = 2
    upgrades: ClassVar[Mapping[int, Callable[[Fields], Fields]]] = {1: _named_source}

    date: date
    source: Source
    pages: tuple[Page, ...]
    failed: tuple[Failure, ...] = ()
    listed: int
    decided_at: datetime = Field(default=_BEFORE_ORDERS)


class Place(Record):
    """Where the text from `start` on is: a page, a slide, a row, lines, or the nearest heading; empty if unknown."""

    start: int
    where: str


class IndexedChunk(Record):
    """A row of an index version's chunk table; all that an answer needs to cite it.

    `places` are in the order of the text. The first one may begin before the chunk. `language` is its essay's.
    """

    chunk_id: str
    slug: str
    title: str
    url: str
    date: str | None
    start: int
    end: int
    text: str
    context: str
    places: tuple[Place, ...] = ()
    language: str = ENGLISH

    @computed_field  # type: ignore[prop-decorator]
    @property
    def where(self) -> str | None:
        """Its place in the file, such as "page 3" or "page 3 – page 4"."""
        return self.where_in(self.start, self.end)

    def where_in(self, start: int, end: int) -> str | None:
        """Return the place of a span of the essay's text inside this chunk, None if it is unknown."""
        first = max(bisect_right(self.places, start, key=lambda place: place.start) - 1, 0)
        labels = [place.where for place in self.places[first:] if place.start < end and place.where]
        return " – ".join(dict.fromkeys(labels[:1] + labels[-1:])) or None

    @property
    def contextual_text(self) -> str:
        """What is searched for words: the context, then the chunk."""
        return contextual_text(self.context, self.text)

    @property
    def embedded_text(self) -> str:
        """What is embedded: the first line of the context, then the chunk."""
        return embedded_text(self.context, self.text)


class Origin(NamedTuple):
    """Where a document of an index version comes from: its source's name, its address; and its date and authors."""

    source: str
    url: str
    date: str | None
    authors: tuple[str, ...] = ()


class Response(NamedTuple):
    """A page as it came: `status` is 200, or 304 with an empty body.

    `charset` and `media_type` are what Content-Type declares, unverified, or None. `url` is where the page was found.
    With 304, `etag` and `last_modified` fall back to those that were sent, so that they can be stored again.
    """

    status: int
    body: bytes
    charset: str | None
    etag: str | None
    last_modified: str | None
    url: str
    media_type: str | None = None


def contextual_text(context: str, text: str) -> str:
    """Join a context and its chunk for searching; in storage they stay apart."""
    return f"{context}\n\n{text}" if context else text


def embedded_text(context: str, text: str) -> str:
    """Join the first line of a context and its chunk for embedding.

    A model's context is one line. What a structural one says after its first line is words to be found by, which draw
    the vectors of all chunks of a document towards each other.
    """
    return contextual_text(context.partition("\n")[0], text)


class Weather(NamedTuple):
    """The weather at a place, named so that a person can tell which was found; `at` is its local time."""

    place: str
    at: str
    sky: str
    temperature_c: float
    feels_like_c: float
    humidity_percent: float
    precipitation_mm: float
    wind_kmh: float


class Words(NamedTuple):
    """The words that chunks are found by, of each in the order of its ids, and the parameters of BM25."""

    of_each: Sequence[Sequence[str]]
    k1: float
    b: float
