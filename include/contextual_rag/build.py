"""A whole build in one process: the stages in order, as the DAG runs them, without Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from contextual_rag import keys
from contextual_rag.errors import GateError
from contextual_rag.model import Draft, Failure, Listing, Manifest, Outcome, Plan, Work
from contextual_rag.recipe import Recipe
from contextual_rag.record import Record, load, require
from contextual_rag.stages.essays import chunk, contextualize, embed
from contextual_rag.stages.evaluate import evaluate
from contextual_rag.stages.follow import changes, discover, fetch
from contextual_rag.stages.index import assemble, publish
from contextual_rag.stages.timing import timed
from contextual_rag.wiring import World

__all__ = ["Built", "Progress", "build"]

# Called as (stage, done, of) whenever one more essay is through a stage.
Progress = Callable[[str, int, int], None]


class Built(Record):
    """What a build came to. `refused` says why the version was not published, where a gate refused it."""

    version: str
    published: bool
    current: bool
    essays: int
    chunks: int
    failed: tuple[Failure, ...]
    elsewhere: tuple[Failure, ...]
    work: Work
    refused: str | None = None


def build(
    world: World,
    recipe: Recipe,
    *,
    source: str,
    limit: int | None = None,
    force: bool = False,
    carry_over: bool = True,
    promote: bool = True,
    progress: Progress = lambda stage, done, of: None,
) -> Built:
    """Follow the site at `source` and publish what it says today.

    Raises errors that concern more than one essay; whatever was finished before stays and is not made again.
    """
    store, registry = world.store, world.registry
    day = datetime.now(UTC).date()
    outcomes: list[Outcome] = []

    def each(stage: str, items: list[str], one: Callable[[str], Outcome]) -> None:
        progress(stage, 0, len(items))
        for done, item in enumerate(items, 1):
            outcomes.append(one(item))
            progress(stage, done, len(items))

    with world.site(source) as site:
        progress("discover", 0, 1)
        listed = discover(store, site, source, limit=limit)
        entries = {entry.slug: entry for entry in require(store, keys.listing(listed), Listing).entries}
        progress("discover", 1, 1)
        each("fetch", list(entries), lambda slug: fetch(store, site, recipe, [entries[slug]]))
    planned, changed = changes(store, registry, recipe, listed, outcomes, day=day, carry_over=carry_over, force=force)
    plan = require(store, keys.plan(planned), Plan)
    slugs = [essay.keys.slug for essay in changed]
    if slugs:
        context_model = world.context_model(recipe.context_model)
        embedder = world.embedding_model(recipe.embedding_model)
        concurrency = world.settings.model_concurrency
        each("chunk", slugs, lambda slug: chunk(store, plan, [slug]))
        each(
            "contextualize",
            slugs,
            lambda slug: contextualize(store, plan, [slug], context_model, concurrency=concurrency),
        )
        each("embed", slugs, lambda slug: embed(store, plan, [slug], embedder))
    spent = Work()
    with timed("assemble") as stage:
        progress("assemble", 0, 1)
        version = assemble(store, world.vectors, registry, plan, outcomes)
        progress("assemble", 1, 1)
    spent += stage.work
    with timed("evaluate") as stage:
        progress("evaluate", 0, 1)
        quality = evaluate(world, version)
        progress("evaluate", 1, 1)
    spent += stage.work
    refused = None
    try:
        published = publish(store, registry, version, quality, world.gates, promote=promote, by="rag build")
    except GateError as error:
        refused = str(error)
    described = load(store, keys.manifest(version), Manifest) or require(store, keys.draft(version), Draft)
    work = sum((outcome.work for outcome in outcomes), spent)
    return Built(
        version=version,
        published=refused is None and published.published,
        current=refused is None and published.current,
        essays=len(described.essays),
        chunks=described.chunks,
        failed=_failures(plan, outcomes),
        elsewhere=plan.elsewhere,
        work=work,
        refused=refused,
    )


def _failures(plan: Plan, outcomes: Iterable[Outcome]) -> tuple[Failure, ...]:
    by_slug = {failure.slug: failure for failure in plan.failed}
    by_slug |= {failure.slug: failure for outcome in outcomes for failure in outcome.failed}
    return tuple(by_slug[slug] for slug in sorted(by_slug))
