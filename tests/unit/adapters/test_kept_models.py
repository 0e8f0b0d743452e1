"""Cached models: no process asks the same twice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from contextual_rag.adapters.kept_models import KeptAnswers, KeptChat, KeptEmbeddings
from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.ports import Matrix, Message, Usage
from tests.raising import raising
from tests.small_world import Says, WordCounts


class Counted(WordCounts):
    """An embedding model that records its calls."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        self.asked += texts
        return super().embed(texts, kind=kind)[0], Usage(calls=1)


@pytest.fixture
def kept(tmp_path: Path) -> KeptAnswers:
    return KeptAnswers(tmp_path / "evaluation" / "answers.sqlite")


class TestEmbeddings:
    def test_are_those_of_the_model_and_asked_for_once(self, kept: KeptAnswers) -> None:
        model, texts = Counted(), ["one", "two three", "one", ""]
        expected, _ = WordCounts().embed(texts, kind="passage")
        for usage in (Usage(calls=1), Usage()):
            matrix, spent = KeptEmbeddings(model, kept).embed(texts, kind="passage")
            np.testing.assert_array_equal(matrix, expected)
            assert matrix.dtype == np.float32
            assert spent == usage
        assert model.asked == ["one", "two three", ""]

    def test_distinguish_questions_passages_and_models(self, kept: KeptAnswers) -> None:
        model = Counted()
        KeptEmbeddings(model, kept).embed(["one"], kind="passage")
        KeptEmbeddings(model, kept).embed(["one"], kind="query")
        model.name = "another"
        KeptEmbeddings(model, kept).embed(["one"], kind="query")
        assert model.asked == ["one"] * 3

    def test_of_many_texts_are_all_found_again(self, kept: KeptAnswers) -> None:
        model, texts = Counted(), [f"number {n}" for n in range(1200)]
        first, _ = KeptEmbeddings(model, kept).embed(texts, kind="passage")
        again, _ = KeptEmbeddings(model, kept).embed(texts[::-1], kind="passage")
        np.testing.assert_array_equal(first, again[::-1])
        assert len(model.asked) == 1200


class TestChat:
    def test_is_not_asked_twice(self, kept: KeptAnswers) -> None:
        model = Says("It is about lamps. 🎉")
        messages, other = [Message("user", "What is it about?")], [Message("user", "And this?")]
        answers = [KeptChat(model, kept).complete(messages, max_tokens=9) for _ in range(2)]
        assert [answer.text for answer in answers] == ["It is about lamps. 🎉"] * 2
        KeptChat(model, kept).complete(other, max_tokens=9)
        assert model.asked == [messages, other]

    def test_streams_as_the_model_does(self, kept: KeptAnswers) -> None:
        model = Says("Yes.")
        assert list(KeptChat(model, kept).stream([], max_tokens=9)) == list(model.stream([], max_tokens=9))


class TestTheFile:
    def test_may_be_used_by_many_at_once(self, kept: KeptAnswers) -> None:
        def keep(n: int) -> dict[str, bytes]:
            kept.put({f"{n % 10}": b"same"})
            return kept.get([f"{n % 10}"])

        with ThreadPoolExecutor(8) as pool:
            assert all(found == {f"{n % 10}": b"same"} for n, found in enumerate(pool.map(keep, range(100))))

    def test_that_is_damaged_is_named_with_the_repair(self, tmp_path: Path) -> None:
        file = tmp_path / "answers.sqlite"
        file.write_bytes(b"no database at all, but long enough to be looked at" * 100)
        with raising(CorruptObjectError, "corrupt_object", file):
            KeptAnswers(file).get(["a"])

    def test_that_cannot_be_created_is_a_wrong_setting(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with raising(SettingError, "setting", "RAG_DATA_DIR"):
            KeptAnswers(tmp_path / "file" / "answers.sqlite").get(["a"])
        with raising(SettingError, "setting", "RAG_DATA_DIR"):
            KeptAnswers(tmp_path).get(["a"])
