"""Settings → real ports. The only place that knows which adapter serves which environment."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from contextual_rag.errors import SettingError
from contextual_rag.extras import lacking, needs
from contextual_rag.folders import private_folder
from contextual_rag.noun import call_documents
from contextual_rag.parameters import validated_parameters
from contextual_rag.recipe import NO_CONTEXTS, OFFLINE_CONTEXTS, OFFLINE_EMBEDDINGS, Recipe
from contextual_rag.roles import NO_RERANKING, OFFLINE_ANSWERS, OFFLINE_RERANKING, Role
from contextual_rag.settings import Settings, read_settings
from contextual_rag.versions.reader import Reader
from contextual_rag.versions.registry import Registry

# Adapters are imported where they are made: boto3 and pymilvus alone take two seconds, which a task that needs
# neither should not wait for.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from contextual_rag.adapters.city_lookup import CityLookup
    from contextual_rag.adapters.index_cache import IndexCache
    from contextual_rag.adapters.milvus import Milvus
    from contextual_rag.adapters.object_store import Bucket
    from contextual_rag.adapters.open_meteo import OpenMeteo
    from contextual_rag.adapters.together import Together
    from contextual_rag.building.steps import Count, Steps
    from contextual_rag.conversation.client import Conversations
    from contextual_rag.model import Source
    from contextual_rag.pipeline.index import WriteIndex
    from contextual_rag.ports import Budget, ChatModel, EmbeddingModel, ReadIds, RerankModel, Site
    from contextual_rag.sites import Sites
    from contextual_rag.uploads import Shelf

__all__ = ["World", "connect", "preload"]


class World:
    """Everything outside that the project talks to, each connected at its first use.

    A source may have a private address if `any_source`, or if the settings name it: as the source, or as a host.
    `count` collects what the steps of a build count.
    """

    def __init__(self, settings: Settings, *, any_source: bool = True, count: Count | None = None) -> None:
        self.settings = settings
        call_documents(settings.document_noun)
        self._any_source = any_source
        self._count = count
        self._servers: dict[tuple[str | None, str | None], Together] = {}

    @cached_property
    def store(self) -> Bucket:
        """The object store, with the bucket there."""
        bucket = self._bucket(self.settings.bucket)
        bucket.ensure()
        return bucket

    def _bucket(self, name: str) -> Bucket:
        from contextual_rag.adapters.object_store import Bucket

        settings = self.settings
        return Bucket(
            name,
            endpoint=settings.object_store_url,
            access_key=_revealed(settings.aws_access_key_id),
            secret_key=_revealed(settings.aws_secret_access_key),
            session_token=_revealed(settings.aws_session_token),
            profile=settings.aws_profile,
            region=settings.aws_region,
            addressing=settings.object_store_addressing,
            timeout_s=settings.object_store_timeout_s,
            attempts=settings.object_store_attempts,
        )

    @cached_property
    def vectors(self) -> Milvus:
        """The vector store."""
        from contextual_rag.adapters.milvus import Milvus

        settings = self.settings
        return Milvus(
            settings.milvus_uri,
            _revealed(settings.milvus_token),
            owner=settings.bucket,
            timeout_s=settings.milvus_timeout_s,
        )

    @cached_property
    def registry(self) -> Registry:
        """The index versions."""
        return Registry(self.store, dead_after_s=self.settings.prune_dead_after_s)

    @cached_property
    def indexes(self) -> IndexCache:
        """The index versions on this machine's disk."""
        from contextual_rag.adapters.index_cache import IndexCache

        folder, most = self.settings.data_dir / "indexes", self.settings.index_cache_bytes
        return IndexCache(self.store, folder, max_bytes=most, vectors=lambda: self.vectors)

    @property
    def write_index(self) -> WriteIndex:
        """What makes the files of a version."""
        from contextual_rag.adapters.index_files import IndexWriter

        return IndexWriter

    @property
    def read_ids(self) -> ReadIds:
        """What reads the ids of a version's chunks."""
        from contextual_rag.adapters.index_files import read_ids

        return read_ids

    @cached_property
    def steps(self) -> Steps:
        """The steps of a build."""
        from contextual_rag.building.steps import Steps

        return Steps(self, self._count)

    @cached_property
    def reader(self) -> Reader:
        """The index of CURRENT, which follows it: for a process that answers many questions."""
        return Reader(self.registry, self.indexes)

    @cached_property
    def conversations(self) -> Conversations:
        """The conversations, for whoever asks and reads; close them after use."""
        from contextual_rag.conversation.client import Conversations

        return Conversations(self.settings)

    @cached_property
    def shelf(self) -> Shelf:
        """What people uploaded."""
        from contextual_rag.uploads import Shelf

        return Shelf(self.store, self.registry, self.settings)

    def server(self, role: Role, model: str, budget: Budget | None = None) -> Together:
        """The connection to the server of a role, for a hosted model. Raises SettingError where no server is set."""
        needs("together")
        from contextual_rag.adapters.askers import Askers
        from contextual_rag.adapters.limiter import Limiter
        from contextual_rag.adapters.together import Together

        settings = self.settings
        server = settings.server(role, model)
        key = _revealed(server.key)
        connection = self._servers.get((server.url, key)) or Together(
            key,
            base_url=server.url,
            timeout_s=settings.model_timeout_s,
            attempts=settings.model_attempts,
            limiter=Limiter(
                settings.requests_per_minute,
                settings.tokens_per_minute,
                askers=Askers(lambda: self.store, server.url or ""),
            ),
            prices=settings.model_prices,
        )
        # Roles at one server share its limits of requests and its list of prices.
        self._servers[server.url, key] = connection
        named = connection.named(server.url_setting, server.key_setting)
        return named.within(budget) if budget else named

    def check_price(self, role: Role, name: str) -> None:
        """Raise SettingError if nobody knows what a hosted model costs."""
        if name and not name.startswith("offline/"):
            self.server(role, name).price(name)

    def sources(self, source: str) -> tuple[Source, ...]:
        """The sources that a file names, none if the address is not that of such a file. Raises SettingError."""
        return self._sites.sources(source)

    def site(self, source: str, part: Source | None = None) -> Site:
        """A polite client for a source, or for one of several that a file names; close it after use.

        Raises SourceError if a run names what is on this machine or in a bucket, and the settings do not.
        """
        return self._sites.open(source, part)

    @property
    def _sites(self) -> Sites:
        from contextual_rag.sites import Sites

        return Sites(self.settings, any_source=self._any_source, web=self._web, bucket=self._bucket)

    def _web(self, source: str, private: bool) -> Site:
        from contextual_rag.adapters.http import Site as Http
        from contextual_rag.readers.registry import FILE_TYPES, MEDIA_TYPES
        from contextual_rag.sources.listing import FEED_TYPES, PACKED_TYPES

        return Http(
            source,
            user_agent=self.settings.user_agent,
            timeout_s=self.settings.page_timeout_s,
            deadline_s=self.settings.page_deadline_s,
            attempts=self.settings.page_attempts,
            max_bytes=self.settings.max_page_bytes,
            max_file_bytes=self.settings.max_file_bytes,
            file_types=FILE_TYPES,
            min_interval_s=self.settings.request_interval_s,
            extra_hosts=self.settings.source_hosts,
            media_types=MEDIA_TYPES | FEED_TYPES | PACKED_TYPES,
            private_source=private,
        )

    def context_model(self, name: str, budget: Budget | None = None) -> ChatModel | None:
        """The model that writes contexts; None where they come from the document's structure, or there are none."""
        setting = "RAG_CONTEXT_MODEL"
        if _is_offline(name, setting, OFFLINE_CONTEXTS, NO_CONTEXTS):
            return None
        return self._chat("context", name, setting, budget)

    def chat_model(self, budget: Budget | None = None) -> ChatModel | None:
        """The model that answers; None where sentences are quoted instead."""
        name, setting = self.settings.model_for("chat"), "RAG_CHAT_MODEL"
        if _is_offline(name, setting, OFFLINE_ANSWERS):
            return None
        return self._chat("chat", name, setting, budget)

    def _chat(self, role: Role, name: str, setting: str, budget: Budget | None) -> ChatModel:
        server = self.server(role, name, budget)
        from contextual_rag.adapters.together_chat import TogetherChat

        return TogetherChat(server, name, setting=setting)

    def embedding_model(self, recipe: Recipe, budget: Budget | None = None) -> EmbeddingModel:
        """The embedding model of a recipe; a version is searched with the model it was built with."""
        name, setting = recipe.embedding_model, "RAG_EMBEDDING_MODEL"
        if _is_offline(name, setting, OFFLINE_EMBEDDINGS):
            from contextual_rag.adapters.minilm import shared

            return shared()
        server = self.server("embedding", name, budget)
        from contextual_rag.adapters.together_embeddings import TogetherEmbeddings

        # A version of release 0.1.0 does not say it; its model's was set then as it is now.
        dimension = recipe.dimension or self.settings.embedding_dimension
        return TogetherEmbeddings(server, name, dimension, prefixes=recipe.prefixes)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has for the offline model, by which chunks of any recipe can be compared."""
        from contextual_rag.adapters.minilm import shared

        return shared().count_tokens(texts)

    def rerank_model(self, budget: Budget | None = None) -> RerankModel | None:
        """The model that reads question and passages together, where one is set."""
        name, setting = self.settings.model_for("rerank"), "RAG_RERANK_MODEL"
        if not name or name == NO_RERANKING:
            return None
        if _is_offline(name, setting, NO_RERANKING, OFFLINE_RERANKING):
            needs("rerank")
            from contextual_rag.adapters.cross_encoder import CrossEncoder

            return CrossEncoder()
        server = self.server("rerank", name, budget)
        from contextual_rag.adapters.together_rerank import TogetherRerank

        return TogetherRerank(server, name)

    def quote_model(self) -> RerankModel | None:
        """The model that chooses which quotation comes first: the offline one, where its extra is installed."""
        chosen = self.settings.quote_model
        if chosen == "none" or (not chosen and lacking("rerank")):
            return None
        needs("rerank")
        from contextual_rag.adapters.cross_encoder import CrossEncoder

        return CrossEncoder()

    @cached_property
    def weather(self) -> OpenMeteo | None:
        """The weather by city; None where it is turned off."""
        from contextual_rag.adapters.open_meteo import OpenMeteo

        settings = self.settings
        if "none" in (settings.weather_url, settings.geocoding_url):
            return None
        return OpenMeteo(
            settings.weather_url,
            settings.geocoding_url,
            timeout_s=settings.weather_timeout_s,
            attempts=settings.weather_attempts,
        )

    @cached_property
    def city_lookup(self) -> CityLookup | None:
        """The city of a network address; None where no service is set that tells it."""
        from contextual_rag.adapters.city_lookup import CityLookup

        url = self.settings.city_lookup_url
        return None if url == "none" else CityLookup(url, timeout_s=self.settings.weather_timeout_s)


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _is_offline(name: str, setting: str, *known: str) -> bool:
    """Whether a model runs here. Raises SettingError for an offline name that is not one of ours."""
    if name.startswith("offline/") and name not in known:
        raise SettingError(f"There is no model {name} ({setting}); the offline one is {' or '.join(known)}.")
    return name in known


def connect(settings: Settings | None = None, *, any_source: bool = True, count: Count | None = None) -> World:
    """Return the world that the environment describes. Raises SettingError; connects to nothing yet.

    From then on only the owner of the data folder can enter it: it holds conversations and keys.
    """
    settings = settings or read_settings()
    private_folder(settings.data_dir)
    return World(settings, any_source=any_source, count=count)


def preload() -> None:
    """Import and read what builds and searches use, once for this process and all that are forked from it.

    Each would take up to two seconds of a core for it, and its own memory. Nothing is connected.
    """
    from contextual_rag.adapters import http, index_cache, milvus, object_store  # noqa: F401
    from contextual_rag.building import build  # noqa: F401

    object_store.preload()
    # Whoever uses the settings names those that are wrong.
    with suppress(SettingError):
        if validated_parameters(read_settings()).recipe.embedding_model == OFFLINE_EMBEDDINGS:
            from contextual_rag.adapters import minilm

            minilm.preload()
