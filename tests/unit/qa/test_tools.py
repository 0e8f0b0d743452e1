"""Tools: calls are checked and run, and errors help the model to correct them."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.adapters.open_meteo import OpenMeteo
from contextual_rag.errors import ServiceUnavailableError
from contextual_rag.model import Source, Weather
from contextual_rag.ports import ToolCall
from contextual_rag.qa import tools
from contextual_rag.qa.tools import Arguments, Given, Toolbox, ToolError, ToolOutcome, policy, tool
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from contextual_rag.versions.records import EssayKeys, Manifest
from tests.raising import raising
from tests.servers.open_meteo import OpenMeteoServer
from tests.small_world import SmallIndex, SmallVectors, WordCounts, passage

CHUNKS = [
    passage("He kept a log of tides.", "log"),
    passage("It came to 2,480 entries.", "log", start=30),
    passage("The jug on the shelf is ugly.", "jug"),
    *(passage(f"Map number {n} of the river. " * 30, "maps", start=n * 1000) for n in range(20)),
]
OFFERED = ["search_essays", "read_essay", "list_versions", "get_weather"]


def manifest(version: str, essays: int = 2) -> Manifest:
    keys = [
        EssayKeys(slug=f"e{n}", url="u", title="t", document="d", chunks="c", contexts="x", embeddings="m")
        for n in range(essays)
    ]
    return Manifest(
        version=version,
        logical_date=date(2026, 1, 1),
        parent=None,
        source=Source(name="s", url="http://s.example"),
        recipe=Recipe(),
        ranking=Ranking(),
        collection=Recipe().collection,
        essays=tuple(keys),
        failed=(),
        elsewhere=(),
        listed=essays,
        chunks=1234,
        files={},
        work={},
        created_at=datetime(2026, 1, 1, 6, 30, tzinfo=UTC),
        quality={},
    )


def weather_of(city: str) -> Weather | None:
    return Weather(city, "noon", "fog", 1.5, 0.0, 99.0, 0.0, 7.0) if city != "Atlantis" else None


def box(**changed: Any) -> Toolbox:
    needed: dict[str, Any] = {
        "index": SmallIndex(CHUNKS),
        "vectors": SmallVectors(CHUNKS),
        "embedder": WordCounts(),
        "versions": lambda: [manifest("2026-01-02-00000001"), manifest(SmallIndex.version, essays=1)],
        "weather": weather_of,
    }
    return Toolbox(**(needed | changed))


def run(name: str, arguments: object = None, toolbox: Toolbox | None = None) -> ToolOutcome:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return (toolbox or box()).run(ToolCall("call_1", name, written))


def refused(name: str, arguments: object) -> str:
    outcome = run(name, arguments)
    assert (outcome.arguments, outcome.result, outcome.hits) == ({}, None, [])
    assert outcome.error is not None
    return outcome.error


@pytest.fixture(scope="module")
def server() -> Iterator[OpenMeteoServer]:
    with OpenMeteoServer() as server:
        yield server


class TestOffer:
    def test_is_each_tool_with_a_description_and_a_schema(self) -> None:
        specs = box().specs()
        assert [spec.name for spec in specs] == OFFERED
        assert all(spec.description for spec in specs)
        for spec in specs:
            assert spec.parameters["type"] == "object"
            assert spec.parameters["additionalProperties"] is False
            assert all("description" in field for field in spec.parameters["properties"].values())
        json.dumps([spec._asdict() for spec in specs])

    def test_leaves_out_unavailable_tools(self) -> None:
        assert [spec.name for spec in box(weather=None, versions=None).specs()] == OFFERED[:2]
        assert run("get_weather", {"city": "Oslo"}, box(weather=None)).error is not None

    @pytest.mark.parametrize("name", OFFERED)
    def test_has_a_time_limit_and_a_number_of_attempts(self, name: str) -> None:
        assert 1 <= policy(name).attempts <= 5
        assert 1 <= policy(name).time_limit_s <= 60
        assert policy("launch_rockets").attempts == 1

    def test_grows_by_one_function_and_one_schema(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tools, "_TOOLS", dict(tools._TOOLS))

        class GetTide(Arguments):
            harbour: str

        # Like in the module of tools: hints are resolved in the function's module.
        def get_tide(box: Toolbox, arguments: Any) -> Given:
            """Tell when it is high water."""
            if arguments.harbour != "Skerrow":
                raise ToolError("Only Skerrow has tides.")
            return Given("At noon.")

        get_tide.__annotations__["arguments"] = GetTide
        tool(time_limit_s=3, attempts=4)(get_tide)
        assert box().specs()[-1].description == "Tell when it is high water."
        assert run("get_tide", {"harbour": "Skerrow"}) == ToolOutcome({"harbour": "Skerrow"}, "At noon.", None, [])
        assert run("get_tide", {"harbour": "Hull"}).error == "Only Skerrow has tides."
        assert policy("get_tide") == (3, 4)


class TestWrongCalls:
    def test_of_an_unknown_tool_list_the_known_ones(self) -> None:
        assert refused("launch_rockets", {}) == f"There is no such tool. Tools: {', '.join(OFFERED)}."

    @pytest.mark.parametrize(
        ("name", "arguments", "says"),
        [
            ("get_weather", '{"city": "Os', "they are not valid JSON"),
            ("get_weather", "[]", "Input should be an object"),
            ("get_weather", {}, "city: Field required"),
            ("get_weather", {"city": ""}, "city: String should have at least 1 character"),
            ("get_weather", {"city": "x" * 301}, "city: String should have at most 300 characters"),
            ("get_weather", {"city": "Os\x00lo"}, "city: Value error, should be one line of plain text"),
            ("get_weather", {"city": ["Oslo"]}, "city: Input should be a valid string"),
            ("get_weather", {"city": "Oslo", "hunter2": 1}, "there is an argument too many"),
            ("search_essays", {"query": "log", "k": 11}, "k: Input should be less than or equal to 10"),
            ("search_essays", {"query": "log", "k": 0}, "k: Input should be greater than or equal to 1"),
            ("list_versions", {"all": True}, "It takes: none."),
        ],
    )
    def test_name_the_fault_and_the_tools_arguments(self, name: str, arguments: object, says: str) -> None:
        error = refused(name, arguments)
        assert says in error
        assert "It takes: " in error
        assert "hunter2" not in error

    @given(st.sampled_from([*OFFERED, "x"]), st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
    def test_never_raise_and_stay_short(self, name: str, arguments: str) -> None:
        outcome = run(name, arguments)
        assert (outcome.result is None) != (outcome.error is None)
        assert len(outcome.error or "") < 600

    @given(
        st.sampled_from(OFFERED),
        st.dictionaries(st.sampled_from(["query", "k", "slug", "city", "é"]), st.text(max_size=20) | st.integers()),
    )
    def test_and_right_ones_can_be_stored(self, name: str, arguments: dict[str, object]) -> None:
        outcome = run(name, arguments)
        assert pickle.loads(pickle.dumps(outcome)) == outcome
        assert json.loads(json.dumps(outcome.arguments)) == outcome.arguments

    def test_may_be_empty_for_a_tool_without_arguments(self) -> None:
        assert run("list_versions", "").error is None
        assert run("list_versions", " ").error is None


class TestSearch:
    def test_finds_passages_and_names_their_essays(self) -> None:
        outcome = run("search_essays", {"query": "log of tides", "k": 2})
        assert outcome.hits[0].chunk.chunk_id == "log-0"
        assert len(outcome.hits) == 2
        assert outcome.result is not None
        assert outcome.result.startswith("Found 2 passages of ")
        assert outcome.arguments == {"query": "log of tides", "k": 2}

    def test_says_so_if_nothing_is_found(self) -> None:
        empty = box(index=SmallIndex([]), vectors=SmallVectors())
        assert run("search_essays", {"query": "log"}, empty) == (
            {"query": "log", "k": 6},
            "Nothing was found.",
            None,
            [],
        )


class TestReading:
    @pytest.mark.parametrize("name", ["log", "Log", "LOG", " log "])
    def test_gives_the_passages_of_an_essay_in_order(self, name: str) -> None:
        outcome = run("read_essay", {"slug": name})
        assert [hit.chunk for hit in outcome.hits] == CHUNKS[:2]
        assert outcome.result == "Log (March 2019), whole, in 2 passages."

    def test_stops_at_the_length_limit(self) -> None:
        outcome = run("read_essay", {"slug": "maps"})
        assert [hit.chunk.start for hit in outcome.hits] == [n * 1000 for n in range(12)]
        assert outcome.result is not None
        assert "its first 11,840 of 19,840 characters, in 12 passages" in outcome.result

    def test_of_an_unknown_slug_names_similar_ones(self) -> None:
        error = run("read_essay", {"slug": "lug"}).error or ""
        assert "'lug'" in error
        assert "log, jug" in error
        error = run("read_essay", {"slug": "quantum chromodynamics"}).error or ""
        assert not re.search("log|jug", error)
        assert "search_essays" in error


class TestVersions:
    def test_are_listed_with_the_answering_one(self) -> None:
        assert run("list_versions").result == (
            "2026-01-02-00000001: 2 essays, 1,234 passages, made 2026-01-01 06:30 UTC\n"
            "2026-01-01-00000000 (answers this question): 1 essay, 1,234 passages, made 2026-01-01 06:30 UTC"
        )

    def test_beyond_the_limit_are_counted(self) -> None:
        many = box(versions=lambda: [manifest(f"2026-01-01-{n:08x}") for n in range(25)])
        lines = (run("list_versions", toolbox=many).result or "").splitlines()
        assert (len(lines), lines[-1]) == (21, "and 5 older ones")


class TestWeather:
    @pytest.fixture
    def toolbox(self, server: OpenMeteoServer) -> Iterator[Toolbox]:
        server.forget()
        weather = OpenMeteo(server.url, server.url, attempts=2)
        yield box(weather=weather.current)
        weather.close()

    def test_is_one_sentence(self, toolbox: Toolbox) -> None:
        outcome = run("get_weather", {"city": "Oslo"}, toolbox)
        assert outcome.result == (
            "Oslo, Norway, 2026-11-21 15:30 local time: slight snowfall, -3.5 °C (feels like -7.5 °C), humidity 81 %, "
            "precipitation 0.2 mm, wind 11.2 km/h."
        )

    def test_is_that_of_the_persons_city_despite_the_models_guess(
        self, server: OpenMeteoServer, toolbox: Toolbox
    ) -> None:
        at_home = box(weather=toolbox.weather, city="Rome")
        outcome = run("get_weather", {"city": "Oslo"}, at_home)
        assert outcome.arguments == {"city": "Rome"}
        assert (outcome.result or "").startswith("Rome, Italy")
        assert [asked["name"] for _, asked in server.asked if "name" in asked] == ["Rome"]

    def test_of_an_unknown_city_is_an_error_for_the_model(self, toolbox: Toolbox) -> None:
        outcome = run("get_weather", {"city": "Atlantis"}, toolbox)
        assert (outcome.result, outcome.arguments) == (None, {"city": "Atlantis"})
        assert (outcome.error or "").startswith("No city of that name is known.")

    def test_that_is_unavailable_raises_for_a_retry(self, server: OpenMeteoServer, toolbox: Toolbox) -> None:
        server.fault("500", times=2)
        with raising(ServiceUnavailableError, "service_unavailable"):
            run("get_weather", {"city": "Oslo"}, toolbox)
        assert run("get_weather", {"city": "Oslo"}, toolbox).error is None


def test_the_same_call_gives_the_same_outcome() -> None:
    calls: Sequence[tuple[str, object]] = [("search_essays", {"query": "river log"}), ("read_essay", {"slug": "maps"})]
    for name, arguments in calls:
        assert run(name, arguments) == run(name, arguments)
