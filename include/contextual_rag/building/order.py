"""An order: what a run is asked to do, decided once and stored; every later step goes by it alone.

No step after `discover` asks the clock or the settings what to do. So a task that is cleared, minutes or weeks later,
does the same work.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import Field, ValidationError

from contextual_rag import keys
from contextual_rag.errors import SettingError
from contextual_rag.model import Entry, Failure, Followed, Source
from contextual_rag.noun import noun
from contextual_rag.objects import require, save
from contextual_rag.parameters import RANKING, chosen_parameters, explained, validated_parameters
from contextual_rag.ports import ObjectStore
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from contextual_rag.record import Record, StrictRecord
from contextual_rag.settings import Settings
from contextual_rag.sources.configured import address_of
from contextual_rag.versions.gates import Gates, Share
from contextual_rag.versions.records import Version

__all__ = ["Asked", "Looked", "Order", "Run", "load_order", "save_order", "source_of"]


class Asked(NamedTuple):
    """What is built and how it is asked, and whether a run or a setting named a parameter of the ranking, or a person
    had tuned the current version."""

    recipe: Recipe
    ranking: Ranking
    ranking_is_asked_for: bool = False
    ranking_is_tuned: bool = False


class Run(StrictRecord):
    """What a run is asked to do, as a person or a schedule says it; what is None comes from the settings.

    `by` names this run and no other: all that has the name spends one `budget`, in USD. `past` builds from the stored
    snapshot of `day` or the nearest earlier one, never from the site. If `uploads_only`, the other sources are not
    asked again if they were on this day. `recipe` names parameters of recipe and ranking; those that are fields here go
    before it.
    """

    day: date
    by: str
    past: bool = False
    source: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    recipe: dict[str, Any] | None = None
    chunker: str | None = None
    chunk_size: int | None = None
    chunk_overlap: int | None = None
    context_model: str | None = None
    embedding_model: str | None = None
    carry_over: bool = True
    force: bool = False
    budget: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    promote: bool | None = None
    uploads_only: bool = False
    max_failed_share: Share | None = None
    max_shrink_share: Share | None = None
    max_quality_drop: Share | None = None
    max_answers_drop: Share | None = None

    def parameters(self, settings: Settings, tuned: Ranking | None) -> Asked:
        """Return recipe and ranking, and where the ranking comes from.

        A ranking that the current version was tuned to holds for the next ones too, except for what is asked for.
        Raises SettingError that names what is wrong.
        """
        names = ("chunker", "chunk_size", "chunk_overlap", "context_model", "embedding_model")
        asked = (self.recipe or {}) | {name: value for name in names if (value := getattr(self, name)) is not None}
        found = validated_parameters(settings, **asked)
        chosen = RANKING & (chosen_parameters(settings) | asked).keys()
        kept = {} if tuned is None else tuned.model_dump(exclude=set(chosen))
        return Asked(found.recipe, found.ranking.model_copy(update=kept), bool(chosen), tuned is not None)

    def gates(self, settings: Settings) -> Gates:
        """Return the gates, those of the settings unless this run has its own."""
        asked = self.model_dump(include=set(Gates.model_fields), exclude_none=True)
        return Gates(**(settings.model_dump(include=set(Gates.model_fields)) | asked))

    def source_in(self, settings: Settings) -> Source:
        """Return the source, by its name in the settings if it is the one that they name."""
        return source_of(settings, self.source)


def source_of(settings: Settings, asked: str | None = None) -> Source:
    """Return the source of an address, by default that of the settings, and by their name if it is theirs.

    Raises SettingError or SourceError.
    """
    url = address_of(asked or settings.source_url)
    try:
        if settings.source_name and url == address_of(settings.source_url):
            return Source(name=settings.source_name, url=url)
        return Source.at(url)
    except (ValidationError, ValueError) as error:
        why = explained(error) if isinstance(error, ValidationError) else str(error)
        raise SettingError(f"{url!r} is not the address of a source ({why}).") from None


class Looked(NamedTuple):
    """What a source lists; the fields are those of an order."""

    entries: tuple[Entry, ...]
    listed: int
    elsewhere: tuple[Failure, ...] = ()
    snapshot: date | None = None
    sources: tuple[Followed, ...] = ()


class Order(Record):
    """What a run does: decided by `discover`, never changed.

    `source` is a source, or the file that names several `sources`. `snapshot` is the day whose snapshot is built, None
    if the site is asked. `entries` are the documents that the order is about; `listed` is how many the index page
    named, `elsewhere` its links that are no documents of the site. If `ranking_is_asked_for`, a version that is there
    already is asked by it too, if the gate allows; if it is tuned, the versions after this one keep it.
    `promote_is_asked_for` is a person's word: without it, no build of a few documents or of a past day moves CURRENT,
    and none replaces another source.
    """

    by: str
    decided_at: datetime
    day: date
    source: Source
    sources: tuple[Followed, ...] = Field(default=(), exclude_if=lambda several: not several)
    snapshot: date | None
    recipe: Recipe
    ranking: Ranking
    ranking_is_asked_for: bool
    ranking_is_tuned: bool
    gates: Gates
    budget_usd: float | None
    promote: bool
    promote_is_asked_for: bool = False
    limit: int | None
    carry_over: bool
    force: bool
    entries: tuple[Entry, ...]
    listed: int
    elsewhere: tuple[Failure, ...] = ()

    @classmethod
    def decide(
        cls,
        run: Run,
        settings: Settings,
        asked: Asked,
        *,
        source: Source,
        looked: Looked,
    ) -> Order:
        """Return the order of a run, now that it is known what the source lists."""
        return cls(
            by=run.by,
            decided_at=datetime.now(UTC),
            day=run.day,
            source=source,
            **looked._asdict() | {"entries": looked.entries[: run.limit]},
            **asked._asdict(),
            gates=run.gates(settings),
            budget_usd=settings.budget_usd if run.budget is None else run.budget,
            promote=not run.past if run.promote is None else run.promote,
            promote_is_asked_for=bool(run.promote),
            limit=run.limit,
            carry_over=run.carry_over,
            force=run.force,
        )

    @property
    def held_back(self) -> str | None:
        """Why it moves CURRENT to no version, or None if it may."""
        if not self.promote:
            return "the build was not to promote it"
        if self.limit is not None and not self.promote_is_asked_for:
            return f"it was built with a limit of {noun().counted(self.limit)}"
        return None

    def retunes(self, version: Version) -> bool:
        """Whether a version that is there already is to be asked by another ranking than it is."""
        return self.held_back is None and self.ranking_is_asked_for and version.ranking != self.ranking

    @property
    def followed(self) -> tuple[Followed, ...]:
        """All its sources, also if it is one."""
        return self.sources or (Followed(source=self.source, listed=self.listed, snapshot=self.snapshot),)

    def entries_of(self, part: Followed) -> list[Entry]:
        """Return the documents that are of one of its sources."""
        return [entry for entry in self.entries if entry.source in {None, part.source.name}]

    @property
    def is_whole(self) -> bool:
        """Whether it is about all that the source lists, so that it gives the day's snapshot."""
        return len(self.entries) == self.listed


def save_order(store: ObjectStore, order: Order) -> str:
    """Store an order; return its digest."""
    digest = keys.digest(order.model_dump(mode="json"))
    save(store, keys.order(digest), order)
    return digest


def load_order(store: ObjectStore, digest: str) -> Order:
    """Return the order of a digest. Raises CorruptObjectError."""
    return require(store, keys.order(digest), Order)
