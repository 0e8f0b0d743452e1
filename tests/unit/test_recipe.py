"""The recipe: what decides an index's content, within limits, under one name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contextual_rag.parameters import validated_parameters
from contextual_rag.recipe import Recipe
from contextual_rag.settings import Settings, read_settings

OTHER: dict[str, Any] = {
    "parser": "other",
    "chunker": "fixed",
    "chunk_size": 400,
    "chunk_overlap": 30,
    "context_model": "other",
    "context_prompt": "other",
    "embedding_model": "other",
    "embedding_dimension": 7,
    "embedding_query_prefix": "q: ",
    "embedding_passage_prefix": "p: ",
    "stemmer": "none",
    "language": "de",
    "split_identifiers": False,
    "stop_words": "none",
    "bm25_k1": 1.5,
    "bm25_b": 0.5,
    "keyword_search": "milvus",
}


class TestRules:
    @pytest.mark.parametrize(
        ("parameters", "named"),
        [
            ({"chunker": "fixed", "chunk_size": 100, "chunk_overlap": 100}, "chunk_overlap"),
            ({"chunker": "fixed", "chunk_size": 100, "chunk_overlap": 101}, "chunk_overlap"),
            ({"chunker": "recursive", "chunk_overlap": 1}, "chunk_overlap"),
            ({"chunk_overlap": -1, "chunker": "fixed"}, "chunk_overlap"),
            ({"chunk_size": 49}, "chunk_size"),
            ({"chunk_size": 8001}, "chunk_size"),
            ({"chunk_size": "many"}, "chunk_size"),
            ({"chunker": "clever"}, "chunker"),
            ({"stemmer": "german"}, "stemmer"),
            ({"keyword_search": "lucene"}, "keyword_search"),
            ({"language": "tlh"}, "language"),
            ({"bm25_k1": 0}, "bm25_k1"),
            ({"bm25_b": 1.1}, "bm25_b"),
            ({"keyword_weight": 0.5}, "keyword_weight"),
            ({"embedding_dimension": 0}, "embedding_dimension"),
            ({"chunk_sise": 100}, "chunk_sise"),
        ],
    )
    def test_name_the_parameter_that_breaks_them(self, parameters: dict[str, Any], named: str) -> None:
        with pytest.raises(ValidationError, match=named):
            Recipe(**parameters)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"chunk_size": 50},
            {"chunk_size": 8000},
            {"chunker": "fixed", "chunk_size": 100, "chunk_overlap": 99},
            {"bm25_b": 0},
            {"bm25_b": 1},
        ],
    )
    def test_allow_what_is_within_the_limits(self, parameters: dict[str, Any]) -> None:
        assert Recipe(**parameters).model_dump().items() >= parameters.items()


class TestFingerprint:
    def test_changes_with_each_parameter(self) -> None:
        assert set(OTHER) == set(Recipe.model_fields)
        fixed = Recipe(chunker="fixed")
        changed = [
            Recipe(**({"chunker": "fixed"} | {name: value})) for name, value in OTHER.items() if name != "chunker"
        ]
        assert len({recipe.fingerprint for recipe in [Recipe(), fixed, *changed]}) == len(OTHER) + 1

    def test_is_the_same_for_a_recipe_that_was_stored(self) -> None:
        recipe = Recipe(**OTHER)
        assert Recipe.model_validate_json(recipe.model_dump_json()).fingerprint == recipe.fingerprint

    def test_is_left_alone_by_a_parameter_of_a_later_release_that_has_its_neutral_value(self) -> None:
        class Later(Recipe):
            flavour: str = "plain"

        assert Later().fingerprint == Recipe().fingerprint
        assert Later(flavour="sweet").fingerprint != Recipe().fingerprint

    def test_depends_on_no_default_so_that_a_default_may_change(self) -> None:
        class Later(Recipe):
            chunk_size: int = 800

        assert Later(chunk_size=1350).fingerprint == Recipe().fingerprint
        assert Later().fingerprint == Recipe(chunk_size=800).fingerprint

    @pytest.mark.parametrize(
        ("model", "dimension", "fingerprint"),
        [
            ("offline/all-MiniLM-L6-v2", None, "9e280c46"),
            ("BAAI/bge-large-en-v1.5", None, "cb35f116"),
            ("BAAI/bge-base-en-v1.5", 768, "1b3bfc61"),
            ("acme/x", 7, "c12f2143"),
        ],
    )
    def test_of_models_of_earlier_releases_stays_what_it_was(
        self, model: str, dimension: int | None, fingerprint: str
    ) -> None:
        settings = Settings(together_api_key="key", context_model="offline/structure-2", embedding_model=model)
        hosted = Settings(together_api_key="key", embedding_model=model, embedding_dimension=dimension)
        chosen = settings if model.startswith("offline/") else hosted
        assert recipe_of(chosen).fingerprint == fingerprint

    def test_names_a_collection_as_milvus_allows(self) -> None:
        assert re.fullmatch(r"recipe_[0-9a-f]{8}", Recipe().collection)


class TestSummary:
    def test_says_how_texts_are_cut_and_what_is_not_the_default(self) -> None:
        assert Recipe().summary == Recipe(embedding_model="mine").summary == "recursive 1350"
        assert Recipe(stemmer="none", bm25_b=0.5).summary == "recursive 1350, stemmer none, bm25_b 0.5"
        assert Recipe(chunker="fixed", chunk_size=250, chunk_overlap=30).summary == "fixed 250, chunk_overlap 30"


class TestOfSettings:
    def test_takes_the_overlap_of_the_earlier_workflow_if_windows_are_fixed_and_none_is_set(self) -> None:
        assert recipe_of(Settings(), chunker="fixed", chunk_size=250).chunk_overlap == 30
        assert recipe_of(Settings(chunker="fixed", chunk_overlap=0)).chunk_overlap == 0
        assert recipe_of(Settings()).chunk_overlap == 0

    def test_prefers_the_builds_parameters(self) -> None:
        assert recipe_of(Settings(chunk_size=500), chunk_size=300).chunk_size == 300
        assert recipe_of(Settings(chunk_size=500)).chunk_size == 500

    def test_takes_models_from_together_if_a_key_is_set(self) -> None:
        assert recipe_of(Settings()).embedding_model.startswith("offline/")
        assert recipe_of(Settings(together_api_key="key")).embedding_model == "BAAI/bge-large-en-v1.5"
        assert recipe_of(Settings(embedding_model="mine")).embedding_model == "mine"

    def test_takes_what_its_file_says_if_nothing_is_set_by_name(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.toml"
        file.write_text('keyword_weight = 0.5\nchunk_size = 600\nchunker = "fixed"\nembedding_model = "mine"\n')
        settings = Settings(recipe=file)
        recipe, ranking = validated_parameters(settings)
        assert (ranking.keyword_weight, recipe.chunk_size, recipe.chunk_overlap) == (0.5, 600, 30)
        assert (recipe.embedding_model, recipe.context_model) == ("mine", "offline/structure-2")
        named = validated_parameters(settings.model_copy(update={"chunk_size": 500, "embedding_model": "other"}))
        assert (named.recipe.chunk_size, named.recipe.embedding_model) == (500, "other")
        assert named.ranking.keyword_weight == 0.5
        assert recipe_of(settings, chunk_size=300).chunk_size == 300


class TestDimension:
    def test_is_the_models_own_unless_one_is_set_for_a_model_that_nobody_knows(self) -> None:
        assert recipe_of(Settings()).dimension == 384
        assert recipe_of(Settings(embedding_model="mine", embedding_dimension=7)).dimension == 7
        assert recipe_of(Settings(embedding_model="mine")).dimension is None

    def test_said_or_not_is_the_same_recipe(self) -> None:
        hosted = Settings(together_api_key="key")
        assert recipe_of(hosted) == recipe_of(hosted.model_copy(update={"embedding_dimension": 1024}))
        assert recipe_of(hosted.model_copy(update={"embedding_dimension": 512})) != recipe_of(hosted)

    def test_that_is_set_says_nothing_of_the_offline_model(self) -> None:
        assert recipe_of(Settings(embedding_dimension=7)) == recipe_of(Settings())


QUERY = {"bge": "Represent this sentence for searching relevant passages: ", "e5": "query: ", "nomic": "search_query: "}


class TestPrefixes:
    @pytest.mark.parametrize(
        ("model", "query", "passage"),
        [
            ("BAAI/bge-large-en-v1.5", QUERY["bge"], ""),
            ("bge-large:335m", QUERY["bge"], ""),
            ("CompendiumLabs/bge-small-en-v1.5-gguf", QUERY["bge"], ""),
            ("BAAI/bge-base-zh-v1.5", "为这个句子生成表示以用于检索相关文章：", ""),
            ("intfloat/e5-base-v2", "query: ", "passage: "),
            ("multilingual-e5-small-q8_0.gguf", "query: ", "passage: "),
            ("nomic-embed-text:latest", "search_query: ", "search_document: "),
            ("text-embedding-nomic-embed-text-v1.5@q8_0", "search_query: ", "search_document: "),
            ("Snowflake/snowflake-arctic-embed-l-v2.0", "query: ", ""),
            ("snowflake-arctic-embed2", "query: ", ""),
            ("snowflake-arctic-embed:33m", QUERY["bge"], ""),
            ("mxbai-embed-large", QUERY["bge"], ""),
            ("embeddinggemma:300m", "task: search result | query: ", "title: none | text: "),
        ],
    )
    def test_are_known_by_a_models_name_wherever_it_is_served(self, model: str, query: str, passage: str) -> None:
        assert recipe_of(Settings(embedding_model=model)).prefixes == (query, passage)

    @pytest.mark.parametrize(
        ("model", "end"),
        [
            ("qwen3-embedding:0.6b", "\nQuery:"),
            ("Qwen/Qwen3-Embedding-8B-GGUF", "\nQuery:"),
            ("intfloat/multilingual-e5-large-instruct", "\nQuery: "),
            ("intfloat/e5-mistral-7b-instruct", "\nQuery: "),
            ("Alibaba-NLP/gte-Qwen2-1.5B-instruct", "\nQuery: "),
        ],
    )
    def test_are_a_task_for_models_that_follow_instructions(self, model: str, end: str) -> None:
        query, passage = recipe_of(Settings(embedding_model=model)).prefixes
        assert query.startswith("Instruct: ")
        assert query.endswith(end)
        assert passage == ""

    @pytest.mark.parametrize("model", ["bge-m3", "all-minilm", "acme/me5e", "text-embedding-3-small", "qwen3:8b"])
    def test_never_stand_before_texts_of_a_model_that_is_not_known(self, model: str) -> None:
        recipe = recipe_of(Settings(embedding_model=model))
        assert recipe.prefixes == ("", "")
        assert recipe == Recipe(embedding_model=model)

    def test_that_are_set_go_before_the_known_ones_also_if_they_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_EMBEDDING_MODEL", "intfloat/e5-base-v2")
        monkeypatch.setenv("RAG_EMBEDDING_QUERY_PREFIX", "Instruct: find it\\nQuery: ")
        monkeypatch.setenv("RAG_EMBEDDING_PASSAGE_PREFIX", "none")
        assert recipe_of(read_settings()).prefixes == ("Instruct: find it\nQuery: ", "")
        assert recipe_of(read_settings(), embedding_query_prefix="").prefixes == ("", "")

    def test_say_nothing_of_the_offline_model(self) -> None:
        settings = Settings(embedding_query_prefix="q: ", embedding_passage_prefix="p: ")
        assert recipe_of(settings) == recipe_of(Settings())

    def test_of_a_stored_version_are_those_that_it_was_built_with(self) -> None:
        assert Recipe(embedding_model="intfloat/e5-base-v2").prefixes == ("", "")
        assert Recipe(embedding_model="BAAI/bge-large-en-v1.5").prefixes == (QUERY["bge"], "")

    def test_that_are_known_are_left_out_of_the_line_that_shows_a_recipe(self) -> None:
        known = recipe_of(Settings(embedding_model="qwen3-embedding"))
        assert known.summary == "recursive 1350"
        other = recipe_of(Settings(embedding_model="qwen3-embedding", embedding_query_prefix="a\nb"))
        assert other.summary == "recursive 1350, embedding_query_prefix a b"


def recipe_of(settings: Settings, **asked: Any) -> Recipe:
    return validated_parameters(settings, **asked).recipe
