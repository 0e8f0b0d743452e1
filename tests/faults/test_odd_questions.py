"""Questions that no essay answers, that are no questions, or that come too early."""

from __future__ import annotations

import json

from contextual_rag.building.build import Built
from contextual_rag.qa.prompt import nothing_found
from tests.faults.commands import Commands
from tests.faults.small_site import QUESTION


def test_before_any_build_the_way_to_one_is_shown(commands: Commands) -> None:
    for error in commands.all_fail((["ask", QUESTION], {}), (["search", QUESTION], {})):
        assert error.startswith("UnknownVersion: ")
        assert "`rag build`" in error
    done = commands.run("versions")
    assert done.returncode == 0
    assert "rag build" in done.stdout


def test_an_unknown_version_is_answered_with_those_that_there_are(commands: Commands, published: Built) -> None:
    unknown = ("2020-01-01-00000000", "../CURRENT")
    for error in commands.all_fail(*((["ask", QUESTION, "--version", version], {}) for version in unknown)):
        assert error.startswith("UnknownVersion: ")
        assert published.version in error


def test_an_empty_question_is_not_asked(commands: Commands, published: Built) -> None:
    for error in commands.all_fail((["ask", ""], {}), (["search", " \n\t "], {})):
        assert error.startswith("Question: ")


def test_a_question_of_100_kb_is_asked_by_its_beginning_and_says_so(commands: Commands, published: Built) -> None:
    done = commands.run("ask", (QUESTION + " ") * 2500)
    assert done.returncode == 0
    assert "2,000" in done.stderr
    assert "The Harbour Bell" in done.stdout


def test_a_question_without_a_word_that_means_anything_finds_nothing(commands: Commands, published: Built) -> None:
    questions = ("the of and a to", "?!… ---", "🔔🔔🔔")
    for done in commands.run_all(*((["ask", question, "--json"], {}) for question in questions)):
        asked = json.loads(done.stdout)
        assert (asked["answer"], asked["abstained"], asked["citations"]) == (nothing_found(), True, [])


def test_a_search_for_more_than_there_is_shows_what_there_is(commands: Commands, published: Built) -> None:
    hits = commands.succeeds("search", QUESTION, "-k", "100")["hits"]
    assert len(hits) == published.chunks
