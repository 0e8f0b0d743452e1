"""The asset's event comes of every command after which something else answers, and of no other."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from bench.days import FIRST, SOURCE, keep_day
from contextual_rag.embedded.services import Services
from contextual_rag.wiring import World
from tests.conftest import Rag, environment_of, settings_of
from tests.servers.airflow import AirflowServer

ESSAYS = {"harbour": "The harbour freezes in March.", "lamp": "A lamp needs oil twice a day."}
RETUNE = ("retune", "--keyword-weight", "0.8", "--max-quality-drop", "1", "--why", "words first")


class Done(NamedTuple):
    """What a command printed, and the extras of the events that Airflow was given meanwhile."""

    said: dict[str, Any]
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def done(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """Commands, one after the other, beside an Airflow; at the end one that it refuses an event of."""
    world = World(settings_of(stores, tmp_path_factory.mktemp("events")))
    rag = Rag(environment_of(stores, world.settings))
    days = [FIRST.replace(day=n) for n in (1, 2)]
    keep_day(world, days[0], ESSAYS)
    keep_day(world, days[1], {**ESSAYS, "tide": "The tide table is wrong."})
    build = ("build", "--source", SOURCE, "--day")
    done: dict[str, Done] = {}
    with AirflowServer(world.settings.data_dir, stores.environment["AWS_ENDPOINT_URL"]) as airflow:

        def run(name: str, *arguments: str) -> str:
            before = len(airflow.events)
            said = rag.json(*arguments)
            done[name] = Done(said, [event["extra"] for event in airflow.events[before:]])
            return str(said.get("version"))

        first = run("first build", *build, str(days[0]), "--promote")
        run("build of the same", *build, str(days[0]), "--promote")
        second = run("build of a past day", *build, str(days[1]))
        run("promotion", "promote", second, "--why", "it has\nthe tide")
        run("promotion of what answers", "promote", second, "--why", "to be sure")
        run("pin", "pin", first, "--why", "to compare with")
        run("rollback", "rollback", "--why", "the tide is wrong")
        run("retuning", *RETUNE)
        run("retuning to the same", *RETUNE)
        run("retuning of another", "retune", second, *RETUNE[1:])
        airflow.answers["/api/v2/assets/events"] = (403, "{}")
        run("promotion that Airflow refuses", "promote", second, "--why", "at last")
    assert world.registry.resolve().version == second
    return done


def test_it_says_from_which_version_to_which_why_and_by_whom(done: dict[str, Done]) -> None:
    first, second = (done[name].said["version"] for name in ("first build", "build of a past day"))
    told = {name: events[0] for name, (_, events) in done.items() if events}
    assert {name: (event["from"], event["to"], event["why"]) for name, event in told.items()} == {
        "first build": (None, first, "a new version was published"),
        "promotion": (first, second, "it has the tide"),
        "rollback": (second, first, "the tide is wrong"),
        "retuning": (first, first, "words first"),
    }
    assert all(event["by"].startswith("rag build") or event["by"].endswith("(rag)") for event in told.values())
    assert "quality" in told["first build"]


def test_it_comes_once_and_never_if_the_same_answers_as_before(done: dict[str, Done]) -> None:
    assert {name: len(events) for name, (_, events) in done.items() if events} == dict.fromkeys(
        ("first build", "promotion", "rollback", "retuning"), 1
    )
