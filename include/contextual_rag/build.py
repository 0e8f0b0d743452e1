"""A build of the index: step by step, as Airflow's tasks call it, or as a whole in one process.

Steps hand on the digest of a stored listing or plan, slugs, and outcomes; so each can run in a process of its own, and
again. The steps are thin: what they do stands in `stages/`, what was asked for in a `Run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

from pydantic import Field

from contextual_rag import keys
from contextual_rag.errors import GateError, UnknownVersionError
from contextual_rag.model import Draft, Failure, Listing, Manifest, Measured, Outcome, Plan, Work
from contextual_rag.recipe import Recipe
from contextual_rag.record import Record, load, require
from contextual_rag.settings import validated_recipe
from contextual_rag.stages import essays, follow, index
from contextual_rag.stages import evaluate as evaluation
from contextual_rag.stages.budget import Ledger
from contextual_rag.stages.evaluate import keep_questions
from contextual_rag.stages.timing import timed
from contextual_rag.wiring import World

__all__ = [
    "Built",
    "Progress",
    "Run",
    "Titles",
    "assemble",
    "build",
    "changes",
    "chunk",
    "contextualize",
    "discover",
    "embed",
    "evaluate",
    "fetch",
    "publish",
]

# Called as (step, done, of) whenever one more essay is through a step.
Progress = Callable[[str, int, int], None]
# (slug, title) of some essays.
Titles = list[tuple[str, str]]


class Run(Record):
    """What a build is asked to do; what is None comes from the settings.

    `by` names this run and no other: all that has the name spends one `budget`, in USD. `past` builds from the stored
    snapshot of `day` or the nearest earlier one, never from the site. `recipe` names
    parameters of the recipe; those that are fields here go before it.
    """

    day: date
    by: str
    past: bool = False
    source: str | None = None
    limit: int | None = None
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
    max_failed_share: float | None = None
    max_shrink_share: float | None = None
    max_quality_drop: float | None = None

    def recipe_in(self, world: World) -> Recipe:
        """Return the recipe asked for. Raises SettingError that names what is wrong."""
        names = ("chunker", "chunk_size", "chunk_overlap", "context_model", "embedding_model")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return validated_recipe(world.settings, **((self.recipe or {}) | given))

    @property
    def promotes(self) -> bool:
        """Whether what it builds is to answer."""
        return not self.past if self.promote is None else self.promote

    def ledger(self, world: World) -> Ledger:
        """Return what this run may spend on models."""
        return world.ledger(self.by, world.settings.budget_usd if self.budget is None else self.budget)


def discover(world: World, run: Run) -> tuple[str | None, Titles]:
    """List the essays; return the listing's digest, None where a past day has no snapshot, and the essays."""
    recipe = run.recipe_in(world)  # a wrong parameter ends the build before the site is asked
    world.context_model(recipe.context_model)
    world.embedding_model(recipe.embedding_model)
    _check_prices(world, run, recipe)
    if world.settings.questions:
        keep_questions(world.store, world.settings.questions)
    if run.past:
        digest = follow.replay(world.store, world.registry, run.day, limit=run.limit)
    else:
        source = run.source or world.settings.source_url
        with world.site(source) as site:
            digest = follow.discover(world.registry, site, source, limit=run.limit)
    if digest is None:
        return None, []
    return digest, [(entry.slug, entry.title) for entry in _listing(world, digest).entries]


def _check_prices(world: World, run: Run, recipe: Recipe) -> None:
    """Raise SettingError where there is a budget and a model of the run has no known price."""
    if run.ledger(world).limit_usd is None:
        return
    names = (recipe.context_model, recipe.embedding_model, world.settings.model_for("rerank"))
    for name in names:
        if name and not name.startswith("offline/"):
            world.together.price(name)


def fetch(world: World, run: Run, digest: str, slugs: Sequence[str], *, threads: int = 1) -> Outcome:
    """Ask for the pages of some essays of a listing; of a past day, nothing is asked."""
    listing = _listing(world, digest)
    if listing.snapshot:
        return Outcome()
    wanted = set(slugs)
    entries = [entry for entry in listing.entries if entry.slug in wanted]
    with world.site(listing.source) as site:
        return follow.fetch(world.store, world.registry, site, run.recipe_in(world), entries, threads=threads)


def changes(world: World, run: Run, digest: str, outcomes: Iterable[Outcome]) -> tuple[str, Titles]:
    """Plan what has to be made; return the plan's digest and the essays of which something is not made yet."""
    digest, changed = follow.changes(
        world.store,
        world.registry,
        run.recipe_in(world),
        digest,
        outcomes,
        day=run.day,
        carry_over=run.carry_over,
        force=run.force,
    )
    return digest, [(essay.keys.slug, essay.keys.title) for essay in changed]


def chunk(world: World, digest: str, slugs: Sequence[str]) -> Outcome:
    """Cut some essays of a plan into chunks."""
    return essays.chunk(world.store, _plan(world, digest), slugs)


def contextualize(world: World, run: Run, digest: str, slugs: Sequence[str]) -> Outcome:
    """Explain the place of each chunk of some essays of a plan. Raises BudgetError."""
    plan = _plan(world, digest)
    with run.ledger(world) as budget:
        model = world.context_model(plan.recipe.context_model, budget)
        return essays.contextualize(world.store, plan, slugs, model, concurrency=world.settings.model_concurrency)


def embed(world: World, run: Run, digest: str, slugs: Sequence[str]) -> Outcome:
    """Embed the chunks of some essays of a plan. Raises BudgetError."""
    plan = _plan(world, digest)
    with run.ledger(world) as budget:
        return essays.embed(world.store, plan, slugs, world.embedding_model(plan.recipe.embedding_model, budget))


def assemble(world: World, digest: str, outcomes: Iterable[Outcome]) -> str:
    """Put the index of all essays of a plan together; return its version."""
    return index.assemble(world.store, world.vectors, world.registry, _plan(world, digest), outcomes)


def evaluate(world: World, run: Run, version: str) -> Measured:
    """Measure an assembled version, beside what answers now where it is to replace that. Raises BudgetError."""
    with run.ledger(world) as budget:
        return evaluation.evaluate(world, version, budget, compare=run.promotes)


def publish(world: World, run: Run, version: str, measured: Measured) -> index.Published:
    """Publish an assembled version. Raises GateError with the figures where it is not good enough."""
    given = {name: value for name in index.Gates.model_fields if (value := getattr(run, name)) is not None}
    return index.publish(
        world.store,
        world.registry,
        version,
        measured,
        world.gates.model_copy(update=given),
        day=run.day,
        promote=run.promotes,
        by=run.by,
    )


def _listing(world: World, digest: str) -> Listing:
    return require(world.store, keys.listing(digest), Listing)


def _plan(world: World, digest: str) -> Plan:
    return require(world.store, keys.plan(digest), Plan)


class Built(Record):
    """What a build came to. `refused` says why the version was not published, where a gate refused it.

    `stayed` says why CURRENT does not name the version, where it does not; `uncompared` why its quality was not
    compared with that of what answered before.
    """

    version: str
    published: bool
    current: bool
    essays: int
    chunks: int
    failed: tuple[Failure, ...]
    elsewhere: tuple[Failure, ...]
    work: Work
    refused: str | None = None
    stayed: str | None = None
    uncompared: str | None = None


def build(world: World, run: Run, progress: Progress = lambda *_: None) -> Built:
    """Do all steps in order, essay by essay.

    Raises errors that concern more than one essay; what was finished before stays and is not made again.
    """
    outcomes: list[Outcome] = []

    def each(step: str, titles: Titles, work: Callable[[list[str]], Outcome]) -> None:
        progress(step, 0, len(titles))
        for done, (slug, _) in enumerate(titles, 1):
            outcomes.append(work([slug]))
            progress(step, done, len(titles))

    progress("discover", 0, 1)
    listed, titles = discover(world, run)
    progress("discover", 1, 1)
    if listed is None:
        raise UnknownVersionError(f"No snapshot of {run.day} or of an earlier day is stored: it cannot be built.")
    listing, recipe = _listing(world, listed), run.recipe_in(world)
    if listing.snapshot is None:
        with world.site(listing.source) as site:
            entries = {entry.slug: entry for entry in listing.entries}
            each(
                "fetch",
                titles,
                lambda slugs: follow.fetch(world.store, world.registry, site, recipe, [entries[s] for s in slugs]),
            )
    planned, changed = changes(world, run, listed, outcomes)
    each("chunk", changed, lambda slugs: chunk(world, planned, slugs))
    each("contextualize", changed, lambda slugs: contextualize(world, run, planned, slugs))
    each("embed", changed, lambda slugs: embed(world, run, planned, slugs))
    progress("assemble", 0, 1)
    with timed("assemble") as assembling:
        version = assemble(world, planned, outcomes)
    progress("assemble", 1, 1)
    progress("evaluate", 0, 1)
    measured = evaluate(world, run, version)
    progress("evaluate", 1, 1)
    published, refused = None, None
    try:
        published = publish(world, run, version, measured)
    except GateError as error:
        refused = str(error)
    plan = _plan(world, planned)
    described = load(world.store, keys.manifest(version), Manifest) or require(world.store, keys.draft(version), Draft)
    total = sum(outcomes, Outcome(failed=plan.failed, work=assembling.work + measured.work))
    return Built(
        version=version,
        published=published is not None and published.published,
        current=published is not None and published.current,
        essays=len(described.essays),
        chunks=described.chunks,
        failed=tuple(sorted(total.failed, key=lambda failure: failure.slug)),
        elsewhere=plan.elsewhere,
        work=total.work,
        refused=refused,
        stayed=published.why if published else None,
        uncompared=published.uncompared if published else None,
    )
