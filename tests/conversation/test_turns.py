"""Turns are answered, stopped, timed out or failed, and always end with an explanation."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bench.days import FIRST, build_day, edition, keep_day
from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.model import TextEvent, Turn
from contextual_rag.conversation.progress import Progress, fold
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.prompt import nothing_found
from contextual_rag.qa.verdicts import CUT_OFF
from contextual_rag.wiring import World
from tests.conversation.conftest import Office
from tests.servers.open_meteo import OpenMeteoServer
from tests.servers.together import Call, TogetherServer


def calls(model: TogetherServer) -> list[Call]:
    """What the model was asked about the lamp; a turn that was stopped in a silence may ask about its well again."""
    return [call for call in model.calls("chat") if "the lamp kept" in call.text]


class TestAnAnswer:
    def test_is_what_the_model_said_with_its_sources_and_checked_citations(
        self, office: Office, model: TogetherServer
    ) -> None:
        turn = office.post("By whom was the lamp kept?")
        seen = fold(office.events(turn))
        answer = office.answer(turn)
        assert answer.status == "answered"
        assert answer.said == model.calls("chat")[-1].said == seen.text
        assert answer.sources == seen.sources
        assert [source.n for source in answer.sources] == list(range(1, 11))
        assert answer.citations
        assert all(citation.verified for citation in answer.citations)
        assert answer.version == office.world.registry.resolve().version
        assert answer.prompt_tokens > 0
        assert answer.first_token_ms is not None
        assert 0 < answer.first_token_ms <= answer.total_ms

    def test_appears_piece_by_piece(self, office: Office, model: TogetherServer) -> None:
        model.tokens_per_second = 40
        events = list(office.events(office.post("What was the ferry worth?")))
        assert sum(isinstance(event, TextEvent) for event in events) > 5

    def test_of_a_follow_up_is_searched_for_by_what_it_refers_to(self, office: Office, model: TogetherServer) -> None:
        thread = office.thread()
        office.ask("By whom was the orchard kept?", thread)
        billed = model.billed_usd
        answer = office.ask("What was it worth?", thread)
        assert "orchard" in answer.asked
        assert answer.sources[0].chunk.slug == "orchard"
        # Of the rewriting, the embedding, the reranking and the words.
        assert answer.cost_usd == pytest.approx(model.billed_usd - billed)

    def test_to_a_question_in_another_language_is_searched_for_in_that_of_the_essays(
        self, office: Office, model: TogetherServer
    ) -> None:
        question = "Von wem wurde die Lampe gehütet?"
        # The worker loads what tells languages apart; on a busy machine, that alone may take the time of this turn.
        office.ask(question)
        model.forget()
        answer = office.ask(question)
        assert answer.asked == "By whom was the lamp kept?"
        assert answer.sources[0].chunk.slug == "lamp"
        assert answer.explanation is None
        # It is asked as it stands, and translated once.
        assert [question in call.text for call in model.calls("chat")] == [True, True]
        assert office.ask("By whom was the lamp kept?").asked == "By whom was the lamp kept?"
        assert len(model.calls("chat")) == 3

    def test_abstains_if_the_model_says_so(self, office: Office, model: TogetherServer) -> None:
        answer = office.ask("xyzzy?")
        assert (answer.status, answer.text, answer.citations) == ("abstained", nothing_found(), ())

    def test_of_some_essays_has_no_other_source_and_never_says_that_the_others_are_silent(
        self, office: Office, model: TogetherServer
    ) -> None:
        where, thread = Filter(documents=("harbour",)), office.thread()
        answer = office.ask("By whom was the lamp kept?", thread, where=where)
        assert (answer.status, answer.where) == ("answered", where)
        assert {source.chunk.slug for source in answer.sources} == {"harbour"}
        silent = office.ask("xyzzy?", thread, where=where)
        assert silent.status == "abstained"
        assert nothing_found() not in silent.text
        assert where.summary in silent.text
        everything = office.ask("By whom was the lamp kept?", thread)
        assert everything.where is None
        assert "lamp" in {source.chunk.slug for source in everything.sources}

    def test_of_an_essay_that_is_gone_ends_with_its_name(self, office: Office) -> None:
        answer = office.ask("By whom was the lamp kept?", where=Filter(documents=("abacus-of-yore",)))
        assert (answer.status, "abacus-of-yore" in (answer.explanation or "")) == ("failed", True)

    def test_is_given_once_for_a_question_posted_twice(self, office: Office, model: TogetherServer) -> None:
        thread = office.thread()
        turn = office.post("By whom was the bell kept?", thread)
        again = office.conversations.ask(thread, None, turn.question, turn_id=turn.id)
        answer = office.answer(turn)
        later = office.conversations.ask(thread, None, turn.question, turn_id=turn.id)
        assert (again.id, again.n, later.answer) == (turn.id, 1, answer)
        assert len(model.calls("chat")) == 1
        assert len(office.conversations.turns(thread, None)) == 1

    def test_waits_for_earlier_ones_in_its_thread(self, office: Office, model: TogetherServer) -> None:
        thread = office.thread()
        nouns = ["kiln", "well", "mill", "tower", "market"]
        turns = [office.post(f"By whom was the {noun} kept?", thread) for noun in nouns]
        answers = [office.answer(turn) for turn in turns]
        said = [call.said for call in model.calls("chat") if "Question:" in call.text]
        assert said == [answer.said for answer in answers]

    def test_comes_from_the_requested_version(self, office: Office) -> None:
        first = office.world.registry.resolve().version
        assert office.ask("By whom was the lamp kept?", version=first).version == first

    def test_comes_from_the_newest_version_and_old_answers_stay(self, office: Office) -> None:
        thread = office.thread()
        before = office.ask("Of what edition is the lamp?", thread)
        world = World(office.settings)
        day = FIRST + timedelta(days=1)
        keep_day(world, day, edition("the next day", essays=12))
        built = build_day(world, day, promote=True)
        try:
            after = office.ask("Of what edition is the lamp?", thread)
            assert (after.status, after.version) == ("answered", built.version)
            assert "the next day" in after.text
            assert office.conversations.turns(thread, None)[0].answer == before
        finally:
            world.registry.promote(before.version or "", by="tests", why="as it was")


def steps(office: Office, turn: Turn) -> list[str]:
    """Return the names of a turn's recorded steps, in order."""
    engine = create_engine(database_url(office.settings))
    with engine.connect() as connection:
        query = "SELECT function_name FROM operation_outputs WHERE workflow_uuid = :turn ORDER BY function_id"
        names = list(connection.execute(sa.text(query), {"turn": turn.id}).scalars())
    engine.dispose()
    return names


class TestAModelThatCitesNothing:
    def test_is_asked_once_more_in_a_step_of_its_own(self, office: Office, model: TogetherServer) -> None:
        model.fault("uncited", path="chat")
        turn = office.post("By whom was the lamp kept?")
        seen = fold(office.events(turn))
        answer = office.answer(turn)
        first, second = calls(model)
        assert answer.said == second.said == seen.text != first.said
        assert any(citation.verified for citation in answer.citations)
        assert answer.prompt_tokens >= first.tokens + second.tokens
        assert steps(office, turn) == ["begin", "rewrite", "search", "model 0", "cite", "save"]

    def test_is_asked_no_third_time(self, office: Office, model: TogetherServer) -> None:
        model.fault("uncited", path="chat", times=100)
        answer = office.ask("By whom was the lamp kept?")
        assert (answer.status, answer.text, answer.citations) == ("answered", "It is as you say.", ())
        assert len(calls(model)) == 2

    def test_keeps_its_answer_if_it_cannot_be_asked_again(self, office: Office, model: TogetherServer) -> None:
        model.fault("uncited", path="chat")
        model.fault("refusal", path="chat")
        answer = office.ask("By whom was the lamp kept?")
        assert (answer.status, answer.text) == ("answered", "It is as you say.")

    def test_is_not_asked_again_if_it_told_what_a_tool_said(self, office: Office, model: TogetherServer) -> None:
        model.fault("uncited", path="chat", after=1)
        answer = office.ask("What is the weather in Rome?")
        assert (answer.text, len(model.calls("chat"))) == ("It is as you say.", 2)


class TestALongAnswer:
    def test_that_was_cut_off_says_so(self, office: Office, model: TogetherServer) -> None:
        model.fault("length", path="chat")
        answer = office.ask("By whom was the lamp kept?")
        assert (answer.status, answer.cut_off, answer.explanation) == ("answered", True, CUT_OFF)
        assert answer.said == model.calls("chat")[-1].said

    def test_that_was_not_cut_off_does_not_say_so(self, office: Office) -> None:
        answer = office.ask("By whom was the lamp kept?")
        assert (answer.cut_off, answer.explanation) == (False, None)


class TestTools:
    def test_are_called_and_their_passages_cited(self, office: Office) -> None:
        turn = office.post("What was the lamp worth? search also for bridge family, then say which versions there are")
        seen = fold(office.events(turn))
        answer = office.answer(turn)
        assert [(use.name, use.error) for use in answer.tools] == [("search_essays", None), ("list_versions", None)]
        assert answer.tools[0].arguments["query"] == "bridge family"
        assert answer.tools == seen.tools
        assert len(answer.sources) > 8
        assert [source.n for source in answer.sources] == list(range(1, len(answer.sources) + 1))
        assert answer.status == "answered"

    def test_get_the_persons_city_instead_of_the_models_guess(self, office: Office) -> None:
        (use,) = office.ask("What is the weather in Rome?", office.thread(city="Oslo")).tools
        assert (use.name, use.arguments) == ("get_weather", {"city": "Oslo"})
        assert "-3.5 °C" in (use.result or "")

    def test_that_are_unreachable_are_retried_and_then_skipped(self, office: Office, weather: OpenMeteoServer) -> None:
        weather.fault("500", times=100)
        answer = office.ask("By whom was the lamp kept, and what is the weather in Rome?")
        assert answer.status == "answered"
        assert [(use.name, use.result, use.error) for use in answer.tools] == [
            ("get_weather", None, "It cannot be reached now.")
        ]

    @pytest.mark.parametrize("fault", ["tool_malformed", "tool_unknown"])
    def test_that_are_called_wrongly_return_an_error_and_the_answer_continues(
        self, office: Office, model: TogetherServer, fault: str
    ) -> None:
        model.fault(fault, path="chat")
        answer = office.ask("By whom was the lamp kept?")
        assert answer.status == "answered"
        assert [use.result for use in answer.tools] == [None]
        assert answer.tools[0].error

    def test_are_called_in_a_limited_number_of_rounds(self, office: Office, model: TogetherServer) -> None:
        model.fault("tool_loop", path="chat", times=100)
        answer = office.ask("By whom was the lamp kept?")
        rounds = office.settings.tool_rounds
        assert (answer.status, len(answer.tools)) == ("answered", rounds)
        assert [call.offered != [] for call in model.calls("chat")] == [True] * rounds + [False]


class TestStopping:
    def test_keeps_what_was_said(self, office: Office, model: TogetherServer) -> None:
        model.tokens_per_second = 20
        turn = office.post("By whom was the lamp kept, and what was the ferry worth?")
        seen = Progress()
        for event in office.events(turn):
            seen = seen.after(event)
            if len(seen.text) > 20:
                office.conversations.stop(turn.id, None)
        answer = office.answer(turn)
        assert answer.status == "stopped"
        assert answer.said == seen.text
        assert answer.explanation
        assert calls(model)[-1].said.startswith(answer.said)
        assert len(answer.said) < len(calls(model)[-1].said)

    def test_ends_a_turn_while_the_model_is_silent(self, office: Office, model: TogetherServer) -> None:
        model.fault("stall", path="chat")
        turn = office.post("By whom was the well kept?")
        for _ in office.events(turn):
            office.conversations.stop(turn.id, None)
        assert office.answer(turn).status == "stopped"

    def test_does_not_change_a_finished_answer(self, office: Office) -> None:
        turn = office.post("By whom was the lamp kept?")
        answer = office.answer(turn)
        office.conversations.stop(turn.id, None)
        assert office.conversations.turn(turn.id, None).answer == answer


class TestFaults:
    def test_that_take_too_long_end_in_time_with_the_text_so_far(self, office: Office, model: TogetherServer) -> None:
        model.tokens_per_second = 3
        answer = office.ask("By whom was the lamp kept, and what was the ferry worth?")
        assert answer.status == "timed_out"
        assert answer.explanation
        assert answer.said
        assert calls(model)[-1].said.startswith(answer.said)

    @pytest.mark.parametrize("fault", ["429", "500", "stall"])
    def test_that_are_temporary_are_not_noticed(self, office: Office, model: TogetherServer, fault: str) -> None:
        model.fault(fault, path="chat")
        assert office.ask("By whom was the lamp kept?").status == "answered"
        assert len(calls(model)) == 2

    def test_that_are_permanent_are_explained(self, office: Office, model: TogetherServer) -> None:
        model.fault("500", path="chat", times=100)
        answer = office.ask("By whom was the lamp kept?")
        assert (answer.status, answer.text) == ("failed", "")
        assert answer.explanation
        assert "few minutes" in answer.explanation
        # The step does not retry what the adapter has retried.
        assert len(calls(model)) == office.settings.model_attempts

    def test_in_the_middle_of_an_answer_restart_it(self, office: Office, model: TogetherServer) -> None:
        model.fault("cut", path="chat")
        turn = office.post("By whom was the lamp kept?")
        seen = fold(office.events(turn))
        answer = office.answer(turn)
        assert (answer.status, answer.said, seen.restarted) == ("answered", calls(model)[-1].said, 1)
        assert seen.text == answer.said

    def test_in_the_middle_of_every_answer_keep_the_text_so_far(self, office: Office, model: TogetherServer) -> None:
        model.fault("cut", path="chat", times=100)
        answer = office.ask("By whom was the lamp kept?")
        assert answer.status == "failed"
        assert answer.said
        assert calls(model)[-1].said.startswith(answer.said)

    @pytest.mark.parametrize("fault", ["empty", "refusal"])
    def test_that_give_no_text_are_explained(self, office: Office, model: TogetherServer, fault: str) -> None:
        model.fault(fault, path="chat", times=100)
        answer = office.ask("By whom was the lamp kept?")
        assert answer.status == "failed"
        assert answer.explanation
        assert "other words" in answer.explanation

    def test_that_need_an_administrator_name_the_setting_but_not_the_key(
        self, office: Office, model: TogetherServer
    ) -> None:
        model.fault("401", path="chat", times=100)
        answer = office.ask("By whom was the lamp kept?")
        assert answer.status == "failed"
        assert answer.explanation
        assert "TOGETHER_API_KEY" in answer.explanation
        assert model.key not in answer.model_dump_json()
        assert len(calls(model)) == 1

    def test_of_an_unknown_version_name_it(self, office: Office) -> None:
        answer = office.ask("By whom was the lamp kept?", version="2020-01-01-00000000")
        assert answer.status == "failed"
        assert "2020-01-01-00000000" in (answer.explanation or "")

    def test_do_not_block_the_next_turn(self, office: Office, model: TogetherServer) -> None:
        thread = office.thread()
        model.fault("401", path="chat")
        failed = office.ask("By whom was the lamp kept?", thread)
        assert failed.status == "failed"
        assert office.ask("By whom was the ferry kept?", thread).status == "answered"
