"""The offline rerank model tells passages that answer from passages about the same thing."""

from __future__ import annotations

import pytest

from contextual_rag.adapters.cross_encoder import CrossEncoder
from contextual_rag.errors import MissingExtraError
from contextual_rag.extras import EXTRAS
from contextual_rag.roles import OFFLINE_RERANKING
from contextual_rag.settings import Settings
from contextual_rag.wiring import World

MODEL = CrossEncoder()
# The example of the model card.
QUESTION = "How many people live in Berlin?"
ANSWER = "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers."
OTHER = "New York City is famous for the Metropolitan Museum of Art."


class TestRelevance:
    def test_is_near_one_for_an_answer_and_near_zero_for_another_subject(self) -> None:
        (answer, other), _ = MODEL.rerank(QUESTION, [ANSWER, OTHER])
        assert (answer > 0.98, other < 0.02) == (True, True)

    def test_does_not_depend_on_what_else_is_read(self) -> None:
        together, _ = MODEL.rerank(QUESTION, [OTHER * 10, ANSWER, ""])
        assert together[1] == MODEL.rerank(QUESTION, [ANSWER])[0][0]

    def test_of_a_long_passage_comes_from_its_beginning(self) -> None:
        beginning = f"{ANSWER} " + "and so on " * 200
        (one, other), usage = MODEL.rerank(QUESTION, [beginning, beginning + OTHER])
        assert one == other > 0.5
        assert usage.prompt_tokens == 2 * 512

    def test_of_a_question_that_is_too_long_is_still_a_share(self) -> None:
        (share,), _ = MODEL.rerank("why " * 2000, [ANSWER])
        assert 0 <= share <= 1


class TestTheQuoteModel:
    def test_is_there_unless_it_is_turned_off(self) -> None:
        model = World(Settings(quote_model="")).quote_model()
        assert model
        assert model.name == OFFLINE_RERANKING
        assert World(Settings(quote_model="none")).quote_model() is None

    def test_is_none_where_its_extra_is_not_installed_unless_it_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(EXTRAS, "rerank", ("no_such_library",))
        assert World(Settings(quote_model="")).quote_model() is None
        with pytest.raises(MissingExtraError):
            World(Settings(quote_model=OFFLINE_RERANKING)).quote_model()


class TestTheSetting:
    def test_names_it(self) -> None:
        model = World(Settings(rerank_model=OFFLINE_RERANKING)).rerank_model()
        assert model
        assert (model.name, model.most) == (OFFLINE_RERANKING, 10)

    @pytest.mark.parametrize("chosen", ["", "none", "offline/none"])
    def test_never_brings_it_unasked(self, chosen: str) -> None:
        assert World(Settings(rerank_model=chosen)).rerank_model() is None
