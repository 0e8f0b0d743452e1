"""The steps of a build: Airflow's tasks and `build.py` call the same ones.

Steps hand on the digest of a stored order, slugs, and outcomes; so each can run in a process of its own, and again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache, partial
from typing import NamedTuple, Protocol

from contextual_rag.building import account, essays
from contextual_rag.building.assemble import Assembled, assemble
from contextual_rag.building.batches import by_cost, expected_chunks, seconds_per_chunk
from contextual_rag.building.evaluate import evaluate, keep_questions, kept_questions
from contextual_rag.building.examiner import Bench
from contextual_rag.building.fetch import fetch
from contextual_rag.building.follow import look, look_back
from contextual_rag.building.order import Order, Run, load_order, save_order
from contextual_rag.building.outcome import Outcome, ended
from contextual_rag.building.plan import load_plan, make_plan
from contextual_rag.building.publish import Published, publish
from contextual_rag.building.spending import Ledger
from contextual_rag.errors import FatalError, GateError
from contextual_rag.model import Source
from contextual_rag.pipeline.index import WriteIndex
from contextual_rag.ports import Models, Site
from contextual_rag.readers.alone import Limits
from contextual_rag.roles import Role
from contextual_rag.versions.life import EVERY_S, alive
from contextual_rag.versions.manage import Stock
from contextual_rag.versions.records import Draft, Manifest, Measured, Plan

__all__ = ["Count", "Discovered", "Steps", "Titles", "Workshop"]

_log = logging.getLogger(__name__)

# (slug, title) of some essays.
Titles = list[tuple[str, str]]
# Adds to a counter, by its name.
Count = Callable[[str, float], None]


class Discovered(NamedTuple):
    """The digest of an order, and the essays that it is about; `asks_site` says whether there is anything to fetch."""

    order: str
    essays: Titles
    asks_site: bool


class Workshop(Stock, Models, Protocol):
    """What a build works with. Each part is connected at its first use: a task that needs no vectors waits for none."""

    @property
    def write_index(self) -> WriteIndex:
        """What makes the files of a version."""

    def sources(self, source: str) -> tuple[Source, ...]:
        """The sources that a file names, none if the address is not that of such a file."""

    def site(self, source: str, part: Source | None = None) -> Site:
        """A polite client for a source, or for one of several that the file at this address names."""

    def check_price(self, role: Role, name: str) -> None:
        """Raise SettingError if nobody knows what a model costs."""


class Steps:
    """A method for each step. Only `discover` reads the settings and the clock; the others go by its order."""

    def __init__(self, workshop: Workshop, count: Count | None = None) -> None:
        self._shop = workshop
        self._count: Count = count or (lambda *_: None)
        self._store = workshop.store
        self._ledgers: dict[tuple[str, float | None], Ledger] = {}
        # Neither is ever changed, and a step over many batches asks for them with each.
        self.order = lru_cache(maxsize=4)(partial(load_order, self._store))
        self.plan = lru_cache(maxsize=4)(partial(load_plan, self._store))

    def discover(self, run: Run) -> Discovered:
        """Decide what a run does, and list the essays that it is about.

        Raises UnknownSnapshotError if a past day cannot be built, since no snapshot of it or an earlier day is stored.
        """
        shop, settings = self._shop, self._shop.settings
        pointer = shop.registry.current()
        tuning = pointer.tuned.get(pointer.version) if pointer else None
        # A wrong parameter ends the build before the site is asked.
        asked = run.parameters(settings, tuning.ranking if tuning else None)
        source = run.source_in(settings)
        budget = settings.budget_usd if run.budget is None else run.budget
        if settings.questions:
            keep_questions(self._store, settings.questions)
        shop.context_model(asked.recipe.context_model)
        if budget is not None:
            shop.check_price("context", asked.recipe.context_model)
            shop.check_price("embedding", asked.recipe.embedding_model)
            shop.check_price("rerank", settings.model_for("rerank"))
            if any(question.judges_answers for question in kept_questions(self._store)):
                shop.check_price("chat", settings.model_for("chat"))
        with self._ledger(run.by, budget) as ledger:
            embedder = shop.embedding_model(asked.recipe, ledger)
            if asked.recipe.dimension is None:
                # Known from here on: it belongs to the order, the version and the name of its collection.
                sized = asked.recipe.model_copy(update={"embedding_dimension": embedder.dimension})
                asked = asked._replace(recipe=sized)
        several = shop.sources(source.url)
        if run.past:
            looked = look_back(self._store, source, several, run.day)
        else:
            looked = look(
                self._store, source, several, run.day, partial(shop.site, source.url), uploads_only=run.uploads_only
            )
        order = Order.decide(run, settings, asked, source=source, looked=looked)
        digest = save_order(self._store, order)
        self._say(account.of_order(order))
        return Discovered(digest, [(one.slug, one.title) for one in order.entries], order.snapshot is None)

    def fetch(self, digest: str, slugs: Sequence[str], *, threads: int = 1) -> Outcome:
        """Ask for the pages of some essays; of a past day, nothing is asked."""
        order = self.order(digest)
        if order.snapshot:
            return Outcome()
        outcome = Outcome()
        for part in order.followed:
            of_part = {entry.slug for entry in order.entries_of(part)}.intersection(slugs)
            if not of_part:
                continue
            if part.failure:
                # Its documents are those of an earlier day, which the instance says by its colour.
                outcome += Outcome(failed=(part.failure,))
            if part.snapshot:
                continue
            asked = [part.source] if order.sources else []
            with self._shop.site(order.source.url, *asked) as site, self._alive(digest):
                own = [slug for slug in slugs if slug in of_part]
                outcome += fetch(self._store, site, digest, order, part, own, threads=threads, limits=self._limits)
        return self._done("fetch", slugs, outcome)

    def changes(self, digest: str, fetched: Iterable[Outcome] = ()) -> Titles:
        """Plan what has to be made; return the essays of which something is not made yet."""
        with self._alive(digest):
            changed = make_plan(
                self._store, self._shop.registry, digest, self.order(digest), ended(fetched), self._limits
            )
        plan, parent = self.plan(digest), None
        # For a line in the log, nothing may fail: the parent may be damaged, or pruned at this moment.
        with suppress(FatalError):
            parent = self._shop.registry.manifest(plan.parent) if plan.parent else None
        self._say(account.of_plan(plan, len(changed), parent))
        return [(essay.keys.slug, essay.keys.title) for essay in changed]

    def shared_out(self, digest: str, essays: Titles) -> list[Titles]:
        """Divide essays that changed over task instances, by what the work on each will take."""
        recipe, settings = self.order(digest).recipe, self._shop.settings
        done = (version.work for version in self._shop.registry.of_recipe(recipe)) if len(essays) > 1 else ()
        each_s = seconds_per_chunk(recipe, done, settings.model_concurrency)
        characters = {essay.keys.slug: essay.page.characters for essay in self.plan(digest).essays}
        return by_cost(essays, [each_s * expected_chunks(characters[slug], recipe) for slug, _ in essays])

    def chunk(self, digest: str, slugs: Sequence[str]) -> Outcome:
        """Cut some essays into chunks."""
        made = self._each(digest, lambda order, plan, _: essays.chunk(self._store, order, plan, slugs))
        return self._done("chunk", slugs, made)

    def contextualize(self, digest: str, slugs: Sequence[str]) -> Outcome:
        """Explain the place of each chunk of some essays. Raises BudgetError."""

        def work(order: Order, plan: Plan, ledger: Ledger) -> Outcome:
            model = self._shop.context_model(order.recipe.context_model, ledger)
            concurrency = self._shop.settings.model_concurrency
            return essays.contextualize(self._store, order, plan, slugs, model, ledger, concurrency=concurrency)

        return self._done("contextualize", slugs, self._each(digest, work))

    def embed(self, digest: str, slugs: Sequence[str]) -> Outcome:
        """Embed the chunks of some essays. Raises BudgetError."""

        def work(order: Order, plan: Plan, ledger: Ledger) -> Outcome:
            model = self._shop.embedding_model(order.recipe, ledger)
            return essays.embed(self._store, order, plan, slugs, model, ledger)

        return self._done("embed", slugs, self._each(digest, work))

    def assemble(self, digest: str, outcomes: Iterable[Outcome]) -> Assembled:
        """Put the index of all essays together."""
        shop, order = self._shop, self.order(digest)
        with self._alive(digest):
            made = assemble(
                self._store,
                shop.vectors,
                shop.registry,
                shop.write_index,
                digest,
                order,
                self.plan(digest),
                outcomes,
            )
        self._say(account.of_assembled(*made))
        return made

    def evaluate(self, digest: str, version: str) -> Measured:
        """Measure an assembled version, beside what answers now if it is to replace that. Raises BudgetError."""
        order = self.order(digest)
        with self._alive(digest), self.measuring(order.by, order.budget_usd) as bench:
            measured = evaluate(bench, version, order)
        self._say(account.of_measured(version, measured))
        return measured

    @contextmanager
    def measuring(self, by: str, budget_usd: float | None) -> Iterator[Bench]:
        """Yield what versions are measured with, within what a run may spend."""
        shop = self._shop
        with self._ledger(by, budget_usd) as ledger:
            yield Bench(
                self._store, shop.vectors, shop.registry, shop.indexes, shop, ledger, shop.settings.model_concurrency
            )

    def publish(self, digest: str, version: str, measured: Measured) -> Published:
        """Publish an assembled version. Raises GateError with the figures if it is not good enough."""
        shop, order = self._shop, self.order(digest)
        with self._alive(digest):
            plan = self.plan(digest)
            try:
                published = publish(
                    self._store, shop.vectors, shop.registry, shop.indexes, order, plan, version, measured
                )
            except GateError:
                self._count(account.REFUSED, 1)
                raise
        self._say(account.of_published(published))
        return published

    def is_current(self, version: str) -> bool:
        """Whether a version answers now."""
        pointer = self._shop.registry.current()
        return pointer is not None and pointer.version == version

    def described(self, version: str) -> Manifest | Draft:
        """Return a version, or what was assembled and not published."""
        if self._shop.registry.exists(version):
            return self._shop.registry.manifest(version)
        draft = self._shop.registry.drafts.load(version)
        return draft or self._shop.registry.manifest(version)

    @property
    def _limits(self) -> Limits:
        return Limits(self._shop.settings.reader_timeout_s, self._shop.settings.reader_memory_mb)

    def _each(self, digest: str, work: Callable[[Order, Plan, Ledger], Outcome]) -> Outcome:
        order = self.order(digest)
        plan = self.plan(digest)
        with self._alive(digest), self._ledger(order.by, order.budget_usd) as ledger:
            return work(order, plan, ledger)

    def _alive(self, digest: str) -> AbstractContextManager[None]:
        """Give the order's sign of life, often enough for the grace that pruning allows."""
        grace_s = 3600 * self._shop.settings.prune_grace_hours
        return alive(self._store, digest, every_s=min(EVERY_S, grace_s / 3 or EVERY_S))

    def _ledger(self, by: str, budget_usd: float | None) -> Ledger:
        """What a run may spend, as this process knows it."""
        return self._ledgers.setdefault((by, budget_usd), Ledger(self._store, by, budget_usd))

    def _done(self, step: str, slugs: Sequence[str], outcome: Outcome) -> Outcome:
        self._say(account.of_outcome(step, len(slugs), outcome))
        return outcome

    def _say(self, said: account.Account) -> None:
        _log.info("%s", said.line)
        for name, number in said.counts.items():
            if number:
                self._count(name, number)
