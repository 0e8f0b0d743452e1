"""The records of index versions: what one is made of and measured at, what CURRENT says, what a build relies on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from contextual_rag.errors import CorruptObjectError
from contextual_rag.keys import COLLECTION, FILE, digest
from contextual_rag.model import Failure, Followed, Page, Part, Source
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from contextual_rag.record import Fields, Record, decode, encode

__all__ = [
    "ANSWER_FIGURES",
    "Compared",
    "Draft",
    "EssayKeys",
    "File",
    "Held",
    "Manifest",
    "Measured",
    "Plan",
    "PlannedEssay",
    "Pointer",
    "Tuning",
    "Version",
    "Work",
    "Yardstick",
    "figures",
    "open_manifest",
    "sealed",
]


class EssayKeys(Record):
    """One essay of a build: what its objects are called at every stage (digests, see `keys.py`).

    `source` is the name of its source, if there are several, `authors` those whom it names."""

    slug: Part
    url: str
    title: str
    document: Part
    chunks: Part
    contexts: Part
    embeddings: Part
    source: str | None = Field(default=None, exclude_if=lambda name: name is None)
    authors: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)


class File(Record):
    """A file of an index version."""

    sha256: str
    size: int


class Work(Record):
    """What a stage did: counted, timed (seconds) and paid for, summed into the version's report.

    `model_calls` counts chunks whose context was asked of the context model, `embedded` chunks given to the
    embedding model; both are 0 for what was there already.
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
    """What a build makes of an essay's page, and its edition in the parent version, which stays if that fails."""

    page: Page
    keys: EssayKeys
    earlier: EssayKeys | None = None


class Plan(Record):
    """What an order makes of each document: decided once, so that whatever is cleared later goes by the same plan.

    `failed` names the documents whose last good page is used instead of today's, or which have none; `work` is what the
    planning took.
    """

    order: Part
    day: date
    recipe: Recipe
    parent: Part | None
    essays: tuple[PlannedEssay, ...]
    failed: tuple[Failure, ...] = ()
    work: Work = Work()


def _named_source(fields: Fields) -> Fields:
    """Schema 1, release 0.1.0: the source was its address alone, recipe and ranking were one."""
    recipe = {name: value for name, value in fields["recipe"].items() if name not in Ranking.model_fields}
    return fields | {
        "source": Source.at(fields["source"]).model_dump(),
        "recipe": recipe,
        "ranking": {name: value for name, value in fields["recipe"].items() if name in Ranking.model_fields},
        # That release named collections by all parameters together.
        "collection": f"recipe_{digest(fields['recipe'])[:8]}",
    }


class Version(Record):
    """An index version, published or not: what it is made of, and how it is asked. `listed` is how many essays the
    index page named, `elsewhere` its links that are no essays of the site. If it is of several `sources`, `source` is
    the file that names them. `texts` is how many different texts its chunks have; earlier releases do not say.

    `collection` is the Milvus collection that holds its vectors; `ranking` the one it was built with, or by which it
    was asked to be ranked since (see `Registry.resolve`).
    """

    schema_number: ClassVar[int] = 2
    upgrades: ClassVar[Mapping[int, Callable[[Fields], Fields]]] = {1: _named_source}

    version: Part
    logical_date: date
    parent: Part | None
    source: Source
    sources: tuple[Followed, ...] = Field(default=(), exclude_if=lambda several: not several)
    recipe: Recipe
    ranking: Ranking
    collection: Annotated[str, Field(pattern=COLLECTION)]
    essays: tuple[EssayKeys, ...]
    failed: tuple[Failure, ...]
    elsewhere: tuple[Failure, ...]
    listed: int
    chunks: int
    texts: int | None = None
    files: dict[Annotated[str, Field(pattern=FILE)], File]
    work: Work

    @property
    def followed(self) -> tuple[Followed, ...]:
        """All its sources, also if it is one."""
        return self.sources or (Followed(source=self.source, listed=self.listed),)

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.size for file in self.files.values())

    @property
    def source_names(self) -> dict[str, str]:
        """Name of each essay's source by its slug."""
        return {essay.slug: essay.source or self.source.name for essay in self.essays}

    @property
    def authors(self) -> dict[str, tuple[str, ...]]:
        """The authors of each essay that names some, by its slug."""
        return {essay.slug: essay.authors for essay in self.essays if essay.authors}

    @property
    def parameters(self) -> dict[str, Any]:
        """Return all that it was built with and is asked with, by name."""
        return {**self.recipe.model_dump(), **self.ranking.model_dump()}

    @property
    def summary(self) -> str:
        """Recipe and ranking in a line."""
        return ", ".join(filter(None, (self.recipe.summary, self.ranking.summary)))


class Draft(Version):
    """A version that is assembled and not yet published, by an order; `writer` names who wrote the draft last.

    Publishing replaces the draft by compare-and-set, and so does whoever gives it up: only one of the two happens.
    """

    order: str = ""
    writer: str = ""


ANSWER_FIGURES: Final[Mapping[str, str]] = {
    "answered": "answerable",
    "answered_first": "answerable",
    "silent": "unanswerable",
    "citation_recall_by_words": "replies",
    "citation_precision_by_words": "replies",
}
"""What a version's answers are measured at (see `evaluation.answers`), and what the number is called that each is over.

Versions of earlier releases have none of them.
"""
_COUNTS: Final = frozenset({"questions", "known_items", *ANSWER_FIGURES.values()})


class Yardstick(Record):
    """What figures were measured with: a digest of the questions and of the words that answer them, the reranker, and
    what answered; None if no answers were measured.

    Figures of two versions say which is better only if this is the same.
    """

    questions: str
    reranker: str | None
    chat: str | None = None


class Compared(Record):
    """A version's figures beside those of `version`, over the `questions` that both can answer.

    `fell` are those that fell most, each with its figures before and after. If `why_not` says why the two could not be
    compared, there are none of these; it is `curable` if they can be, once a person has acted.
    """

    version: str
    questions: int = 0
    before: dict[str, float] = Field(default_factory=dict)
    after: dict[str, float] = Field(default_factory=dict)
    fell: tuple[str, ...] = ()
    why_not: str | None = None
    curable: bool = False


class Measured(Record):
    """A version's figures, what they were measured with, how they compare, and what it took.

    `compared` is None if there is nothing to compare with, or no need to.
    """

    quality: dict[str, float]
    yardstick: Yardstick | None = None
    compared: Compared | None = None
    work: Work = Work()


class Manifest(Version):
    """A published version: the digest of each of its files, and what it was measured at.

    `parent` is the newest version of the same recipe up to that day; for a recipe's first one, what answered before it.
    `quality` holds figures, and how many questions of each kind they are means over. Its run `began_at` that time;
    0.1.0 did not record it.
    """

    created_at: datetime
    began_at: datetime | None = None
    quality: dict[str, float]
    yardstick: Yardstick | None = None

    @property
    def took_s(self) -> float | None:
        """The seconds from the beginning of its run to its publication; the work of tasks side by side is more."""
        return (self.created_at - self.began_at).total_seconds() if self.began_at else None

    @property
    def figures(self) -> dict[str, float]:
        """What it was measured at, between 0 and 1."""
        return figures(self.quality)


def figures(quality: Mapping[str, float]) -> dict[str, float]:
    """Return the figures of a version's quality, without the numbers of questions."""
    return {name: value for name, value in quality.items() if name not in _COUNTS}


# A seal is the sha256 of a manifest's bytes, taken while these zeros stand in its place.
_UNSEALED: Final = "0" * 64


def sealed(manifest: Manifest) -> bytes:
    """Return a manifest as it is stored: with a seal over its bytes, by which a changed one is recognised."""
    head = b'{"seal":"%b",'
    body = head % _UNSEALED.encode() + encode(manifest).removeprefix(b"{")
    return body.replace(_UNSEALED.encode(), hashlib.sha256(body).hexdigest().encode(), 1)


def open_manifest(key: str, body: bytes) -> Manifest:
    """Return the manifest that was stored under a key. Raises CorruptObjectError if it is not as it was sealed."""
    manifest = decode(key, body, Manifest)
    fields = json.loads(body)
    if not _is_intact(body, fields):
        raise CorruptObjectError(
            f"{key} was changed since it was written. Restore it from a copy, or delete it and run `rag build`."
        )
    return manifest


def _is_intact(body: bytes, fields: Fields) -> bool:
    seal = fields.pop("seal", None)
    if "schema" in fields:
        unsealed = body.replace(str(seal).encode(), _UNSEALED.encode(), 1)
        return bool(seal == hashlib.sha256(unsealed).hexdigest())
    # Release 0.1.0 sealed the fields as it knew them; a yardstick that it had not recorded yet was none of them.
    if fields.get("yardstick") is None:
        fields.pop("yardstick", None)
    return bool(seal == digest(fields))


class Tuning(Record):
    """A ranking that a version is asked by instead of the one it was built with, and what it was measured at then."""

    ranking: Ranking
    quality: dict[str, float]
    yardstick: Yardstick | None = None


class Pointer(Record):
    """What CURRENT says: the version that answers, and the change that made it so; the `n`th since the first.

    A `pinned` version is never pruned, and while it answers no build replaces it. `left` are those that a person has
    moved away from: no build returns to them by itself. `tuned` are versions that are ranked otherwise than they were
    built to be. `before` is the version that answered until this change, if one did.
    """

    n: int
    action: Literal["publish", "promote", "rollback", "pin", "unpin", "prune", "retune"]
    version: Part
    before: Part | None = None
    pinned: tuple[Part, ...] = ()
    left: tuple[Part, ...] = ()
    tuned: dict[Part, Tuning] = Field(default_factory=dict)
    changed_at: datetime
    changed_by: str
    why: str


class Held(Record):
    """Which version of a recipe held on a day: the one that a build of that day made, or found to be unchanged."""

    day: date
    version: Part
    by: str
