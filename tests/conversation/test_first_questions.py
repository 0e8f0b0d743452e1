"""The demo questions of the workflow that this project replaces, asked about the sample."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bench.chaos_chat.ground import Worker
from contextual_rag.building.build import Built
from contextual_rag.settings import Settings
from tests.conversation.conftest import Office
from tests.servers.together import DEFAULT_KEY, TogetherServer

# The sample's essays that answer each; its author is not the site's, and did not go to Yale or YC.
QUESTIONS = {
    "What to do in the face of uncertainty?": {"uncertain"},
    "Why won't people write?": {"nowrite"},
    "What did the author do growing up?": {"skerrow", "life"},
    "What did the author do during their time in art school?": {"jug", "life"},
    "Can you give me a summary of the author's life?": {"life"},
}
NOT_THERE = "What did the author do during their time at Yale?"


@pytest.fixture(params=["offline", "a model"])
def office(built: Built, settings: Settings, model: TogetherServer, request: pytest.FixtureRequest) -> Iterator[Office]:
    """The sample's first day, answered with quotations or by the model server."""
    if request.param == "a model":
        hosted = {"together_api_key": SecretStr(DEFAULT_KEY), "together_base_url": model.url, "rerank_model": "none"}
        settings = settings.model_copy(update=hosted)
    with Worker(settings):
        office = Office(settings)
        yield office
        office.conversations.close()


def test_are_answered_with_words_that_stand_in_the_essays(office: Office) -> None:
    turns = {question: office.post(question) for question in (*QUESTIONS, NOT_THERE)}
    for question, slugs in QUESTIONS.items():
        answer = office.answer(turns[question])
        assert slugs & {source.chunk.slug for source in answer.sources}, question
        if office.settings.offline:
            assert answer.status == "answered"
            assert answer.citations
        # The model server answers by rule, if a word of the question occurs in a source.
        assert answer.status in {"answered", "abstained"}, answer
        assert all(citation.verified for citation in answer.citations)
    assert all(citation.verified for citation in office.answer(turns[NOT_THERE]).citations)
