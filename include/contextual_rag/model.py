"""The nouns of the pipeline, in the order of the data's way: entry, page, document, chunk, index version.

All are immutable and say what they hold in JSON exactly as it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from contextual_rag.keys import digest
from contextual_rag.recipe import Recipe
from contextual_rag.record import Record

__all__ = [
    "Chunk",
    "Compared",
    "Document",
    "Draft",
    "Entry",
    "EssayKeys",
    "Failure",
    "File",
    "Held",
    "IndexedChunk",
    "Listing",
    "Manifest",
    "Measured",
    "Outcome",
    "Page",
    "Paragraph",
    "Plan",
    "PlannedEssay",
    "Pointer",
    "Snapshot",
    "Work",
    "Yardstick",
    "contextual_text",
    "embedded_text",
    "figures",
]


Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,199}$")]


class Entry(Record):
    """One essay as the index page names it. The slug is the essay's identity, whatever its position."""

    slug: Slug
    url: str
    title: str


class Page(Record):
    """The bytes of one essay's page as stored, with what a conditional request needs.

    `sha256` is the digest of the bytes and names the object; `charset` is what the server declared, if it did.
    `document` is the digest of what `parser` made of the bytes.
    """

    slug: Slug
    url: str
    title: str
    sha256: str
    charset: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    parser: str
    document: str


class Paragraph(Record):
    """A span of `Document.text`, in characters, half-open; `text[start:end]` is the paragraph."""

    start: int
    end: int
    kind: Literal["paragraph", "heading", "quote", "code", "note"] = "paragraph"


class Document(Record):
    """One essay as text: paragraphs, then notes, joined by blank lines; nothing else stands in `text`.

    `date` is as the essay gives it in its first line ("March 2019"), or None.
    """

    slug: Slug
    url: str
    title: str
    date: str | None
    text: str
    paragraphs: tuple[Paragraph, ...]


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


class Snapshot(Record):
    """Which page every essay had on a day; what a backfill of that day is built from.

    `pages` holds the last good page of an essay that failed that day too; `failed` names those.
    `listed` is how many essays the index page named.
    """

    date: date
    source: str
    pages: tuple[Page, ...]
    failed: tuple[Failure, ...] = ()
    listed: int


class Listing(Record):
    """What a build is about: the essays that the index page names, or, for a past day, the snapshot of that day.

    `listed` is how many essays the page named, whatever part of them is built; `elsewhere` are its links that are
    no essays of the site.
    """

    source: str
    entries: tuple[Entry, ...]
    listed: int
    elsewhere: tuple[Failure, ...] = ()
    snapshot: date | None = None


class EssayKeys(Record):
    """One essay of a build: what its objects are called at every stage (digests, see `keys.py`)."""

    slug: Slug
    url: str
    title: str
    document: str
    chunks: str
    contexts: str
    embeddings: str


class IndexedChunk(Record):
    """A row of an index version's chunk table; all that an answer needs to cite it."""

    chunk_id: str
    slug: str
    title: str
    url: str
    date: str | None
    start: int
    end: int
    text: str
    context: str

    @property
    def contextual_text(self) -> str:
        """What is searched for words: the context, then the chunk."""
        return contextual_text(self.context, self.text)

    @property
    def embedded_text(self) -> str:
        """What is embedded: the first line of the context, then the chunk."""
        return embedded_text(self.context, self.text)


def contextual_text(context: str, text: str) -> str:
    """Join a context and its chunk for searching; in storage they stay apart."""
    return f"{context}\n\n{text}" if context else text


def embedded_text(context: str, text: str) -> str:
    """Join the first line of a context and its chunk for embedding.

    A model's context is one line. What a structural one says after its first line is words to be found by, which draw
    the vectors of all chunks of a document towards each other.
    """
    return contextual_text(context.partition("\n")[0], text)


class File(Record):
    """A file of an index version."""

    sha256: str
    size: int


class Work(Record):
    """What a stage did: counted, timed (seconds) and paid for, summed into the version's report.

    `model_calls` counts chunks whose context was asked of the context model, `embedded` chunks given to the
    embedding model; both are 0 for what was carried over or already there.
    """

    model_calls: int = 0
    embedded: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    seconds: dict[str, float] = Field(default_factory=dict)

    def __add__(self, other: Work) -> Work:
        """Sum field by field; seconds stage by stage."""
        seconds = dict(self.seconds)
        for stage, spent in other.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
        return Work(
            model_calls=self.model_calls + other.model_calls,
            embedded=self.embedded + other.embedded,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            seconds=seconds,
        )


class PlannedEssay(Record):
    """What a build makes of one essay, and the edition of it that contexts and embeddings are carried over from."""

    keys: EssayKeys
    earlier: EssayKeys | None = None


class Plan(Record):
    """What a build is going to do; stored once, so that tasks hand on its key and slugs.

    `past` says that the day is built from its snapshot. `listed` is how many essays the index page named; `failed`
    names those whose last good page is used instead.
    """

    day: date
    past: bool
    source: str
    recipe: Recipe
    parent: str | None
    listed: int
    essays: tuple[PlannedEssay, ...]
    failed: tuple[Failure, ...] = ()
    elsewhere: tuple[Failure, ...] = ()
    carry_over: bool = True
    force: bool = False


class Outcome(Record):
    """What became of a batch of essays at one stage: what it took, and which essays failed there.

    `retriable` says that some of the failures may be cured by running the batch again. `fatal` is the message of an
    error that ended the stage and will end it again until a person has acted.
    """

    work: Work = Work()
    failed: tuple[Failure, ...] = ()
    retriable: bool = False
    fatal: str | None = None

    def __add__(self, other: Outcome) -> Outcome:
        """Join two stages' outcomes over the same essays; of two failures of one essay the first stays."""
        failed = {failure.slug: failure for failure in (*other.failed, *self.failed)}
        return Outcome(
            work=self.work + other.work,
            failed=tuple(failed.values()),
            retriable=self.retriable or other.retriable,
            fatal=self.fatal or other.fatal,
        )


class Draft(Record):
    """A version that is assembled and not yet published."""

    version: str
    logical_date: date
    parent: str | None
    source: str
    recipe: Recipe
    essays: tuple[EssayKeys, ...]
    failed: tuple[Failure, ...]
    elsewhere: tuple[Failure, ...]
    listed: int
    chunks: int
    files: dict[str, File]
    work: Work

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.size for file in self.files.values())


class Yardstick(Record):
    """What figures were measured with: a digest of the questions and of the words that answer them, and the reranker.

    Figures of two versions say which is better only where this is the same.
    """

    questions: str
    reranker: str | None


class Compared(Record):
    """A version's figures beside those of what answers now, `version`, over the `questions` that both can answer.

    `fell` are those that fell most, each with its figures before and after. Where `why_not` says why what answers now
    could not be measured so, there are none of these.
    """

    version: str
    questions: int = 0
    before: dict[str, float] = Field(default_factory=dict)
    after: dict[str, float] = Field(default_factory=dict)
    fell: tuple[str, ...] = ()
    why_not: str | None = None


class Measured(Record):
    """A version's figures, what they were measured with, how they compare, and what it took.

    `compared` is None where there is nothing to compare with, or no need to.
    """

    quality: dict[str, float]
    yardstick: Yardstick | None = None
    compared: Compared | None = None
    work: Work = Work()


class Manifest(Draft):
    """An index version: what it is made of, what it was measured at, and the digest of each of its files.

    `parent` is the newest version of the same recipe up to that day; for a recipe's first one, what answered before it.
    `quality` holds figures, whose names end in `@k`, and how many questions of each kind they are means over.
    """

    created_at: datetime
    quality: dict[str, float]
    yardstick: Yardstick | None = None
    seal: str = ""

    @property
    def figures(self) -> dict[str, float]:
        """What it was measured at, between 0 and 1."""
        return figures(self.quality)

    def sealed(self) -> Manifest:
        """Return it with the digest of all the rest, by which a changed manifest is recognised."""
        return self.model_copy(update={"seal": self._digest()})

    @property
    def is_intact(self) -> bool:
        """Whether it says what it said when it was sealed."""
        return self.seal == self._digest()

    def _digest(self) -> str:
        # Versions that were sealed before the yardstick was recorded have none.
        unsealed = {"seal"} if self.yardstick else {"seal", "yardstick"}
        return digest(self.model_dump(mode="json", exclude=unsealed))


def figures(quality: Mapping[str, float]) -> dict[str, float]:
    """Return the figures of a version's quality, without the numbers of questions."""
    return {name: value for name, value in quality.items() if "@" in name}


class Pointer(Record):
    """What CURRENT says: the version that answers, and the change that made it so; the `n`th since the first.

    A `pinned` version is never pruned, and while it answers no build replaces it. `left` are those that a person has
    moved away from: no build returns to them by itself.
    """

    n: int
    action: Literal["publish", "promote", "rollback", "pin", "unpin", "prune"]
    version: str
    pinned: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    changed_at: datetime
    changed_by: str
    why: str


class Held(Record):
    """Which version of a recipe held on a day: the one that a build of that day made, or found to be unchanged."""

    day: date
    version: str
    by: str
