"""What a build works with, in this process's memory: a site of a few pages, both stores, models that are arithmetic.

A whole build takes some hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Self

from contextual_rag.adapters.index_cache import IndexCache
from contextual_rag.adapters.index_files import IndexWriter, read_ids
from contextual_rag.adapters.memory_vectors import MemoryVectors
from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Run
from contextual_rag.building.steps import Steps
from contextual_rag.errors import PageError, SettingError
from contextual_rag.model import Source
from contextual_rag.pipeline.index import WriteIndex
from contextual_rag.ports import (
    Budget,
    ChatModel,
    EmbeddingModel,
    ReadIds,
    RerankModel,
    Response,
    Site,
)
from contextual_rag.recipe import Recipe
from contextual_rag.roles import Role
from contextual_rag.settings import Settings, read_settings
from contextual_rag.sites import Sites
from contextual_rag.versions.registry import Registry
from tests.memory_objects import MemoryObjects
from tests.small_world import WordCounts

__all__ = ["DAY", "MemoryWorld", "ServedPages", "names", "text_of"]

DAY = date(2026, 3, 1)
_THINGS = ("lantern", "harbour", "orchard", "chimney", "sextant", "granary", "furnace", "viaduct")


class ServedPages:
    """The pages of one site: the text of each essay by its name; what is not there answers as if it were gone.

    `on_page` is called with each address before it is answered.
    """

    def __init__(self, url: str = "http://essays.example/articles.html") -> None:
        self.url = url
        self.essays: dict[str, str] = {}
        self.missing: set[str] = set()
        self.on_page: Callable[[str], object] = str

    def show(self, listed: Mapping[str, str] | Sequence[str], *, missing: Sequence[str] = ()) -> None:
        """List these essays; those that are `missing` are listed, and their pages are not there."""
        self.essays = dict(listed) if isinstance(listed, Mapping) else {name: text_of(name) for name in listed}
        self.missing = set(missing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Answer one request."""
        self.on_page(url)
        if url == self.url:
            links = "".join(f'<li><a href="{name}.html">{name.capitalize()}</a>' for name in self.essays)
            return self._page(url, f"<ul>{links}</ul>")
        name = url.rpartition("/")[2].removesuffix(".html")
        if name in self.missing or name not in self.essays:
            raise PageError(f"{url} is not there.", code="page_gone")
        paragraphs = "".join(f"<p>{one}</p>" for one in self.essays[name].split("\n\n"))
        return self._page(url, f"<h1>{name.capitalize()}</h1>{paragraphs}")

    def _page(self, url: str, body: str) -> Response:
        html = f"<html><body><main>{body}</main></body></html>".encode()
        return Response(200, html, "utf-8", None, None, url)


class MemoryWorld:
    """A `Workshop`. `lost` are embedding models that cannot be had here."""

    write_index: WriteIndex = staticmethod(IndexWriter)
    read_ids: ReadIds = staticmethod(read_ids)

    def __init__(self, folder: Path, store: MemoryObjects | None = None, **settings: Any) -> None:
        self.settings: Settings = read_settings(source_url="http://essays.example/articles.html", **settings)
        self.store = store or MemoryObjects()
        self.vectors = MemoryVectors()
        self.registry = Registry(self.store)
        self.indexes = IndexCache(self.store, folder / "indexes", max_bytes=10**9)
        self.pages = ServedPages()
        self.sites = {self.pages.url: self.pages}
        self.buckets: dict[str, MemoryObjects] = {}
        self.lost: set[str] = set()
        self.steps = Steps(self)

    @property
    def _sites(self) -> Sites:
        return Sites(
            self.settings, any_source=True, web=lambda url, _: self.sites[url], bucket=self.buckets.__getitem__
        )

    def sources(self, source: str) -> tuple[Source, ...]:
        """The sources that a file names."""
        return self._sites.sources(source)

    def site(self, source: str, part: Source | None = None) -> Site:
        """The site of a source, or its folder."""
        return self._sites.open(source, part)

    def other_site(self, url: str) -> ServedPages:
        """Serve another site too."""
        return self.sites.setdefault(url, ServedPages(url))

    def check_price(self, role: Role, name: str) -> None:
        """Nothing costs anything."""

    def context_model(self, name: str, budget: Budget | None = None) -> ChatModel | None:
        """Contexts come from the structure."""
        return None

    def chat_model(self, budget: Budget | None = None) -> ChatModel | None:
        """Nothing answers here."""
        return None

    def embedding_model(self, recipe: Recipe, budget: Budget | None = None) -> EmbeddingModel:
        """Words, counted, whatever the recipe says."""
        if recipe.embedding_model in self.lost:
            raise SettingError(f"{recipe.embedding_model} needs a key that is not set.")
        return WordCounts()

    def rerank_model(self, budget: Budget | None = None) -> RerankModel | None:
        """Nothing reranks."""
        return None

    def quote_model(self) -> RerankModel | None:
        """Nothing reads quotations."""
        return None

    def build(self, *, days: int = 0, **asked: Any) -> Built:
        """Build what the site says, so many days after the first."""
        return build_all(self.steps, self.run(days=days, **asked))

    def run(self, *, days: int = 0, **asked: Any) -> Run:
        """What such a build is asked to do."""
        return Run.model_validate({"day": DAY.replace(day=1 + days), "by": "tests", **asked})

    @property
    def current(self) -> str | None:
        """The version that answers."""
        pointer = self.registry.current()
        return pointer.version if pointer else None


def names(count: int, *, first: int = 0) -> list[str]:
    """Return the names of essays."""
    return [f"essay{n}" for n in range(first, first + count)]


def text_of(name: str, *, sentences: int = 4, edition: str = "first") -> str:
    """Return an essay of a few sentences, each long enough to be asked for, with a word that no other sentence has."""
    return "\n\n".join(
        f"The {_spelt(f'{name}{n}')} of the {thing} was mended before winter by keepers in the {edition} edition."
        for n, thing in zip(range(sentences), _THINGS, strict=False)
    )


def _spelt(name: str) -> str:
    """Return a name as a word of letters."""
    return name.translate(str.maketrans("0123456789", "abcdefghij"))
