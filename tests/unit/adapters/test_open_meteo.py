"""The weather and a person's city, over a real socket, from a server that can fail on demand."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from contextual_rag.adapters.city_lookup import CityLookup
from contextual_rag.adapters.json_services import JsonServices
from contextual_rag.adapters.open_meteo import OpenMeteo
from contextual_rag.errors import RagError, ServiceUnavailableError, SettingError
from contextual_rag.model import Weather
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World
from tests.raising import raising
from tests.servers.open_meteo import OpenMeteoServer

PASSING = ["408", "429", "500", "503", "malformed", "truncated", "endless"]
HERE = "203.0.113.7"


@pytest.fixture(scope="module")
def running() -> Iterator[OpenMeteoServer]:
    with OpenMeteoServer() as server:
        yield server


@pytest.fixture
def server(running: OpenMeteoServer) -> OpenMeteoServer:
    running.forget()
    running.located = "Oslo"
    return running


@pytest.fixture
def weather(server: OpenMeteoServer) -> Iterator[OpenMeteo]:
    weather = OpenMeteo(server.url, f"{server.url}/", timeout_s=5, attempts=3)
    yield weather
    weather.close()


@pytest.fixture
def lookup(server: OpenMeteoServer) -> Iterator[CityLookup]:
    lookup = CityLookup(f"{server.url}/locate/{{address}}?key=secret-token", timeout_s=5)
    yield lookup
    lookup.close()


class TestWeather:
    def test_is_that_of_the_city_now(self, weather: OpenMeteo) -> None:
        assert weather.current("Oslo") == Weather(
            "Oslo, Norway", "2026-11-21 15:30", "slight snowfall", -3.5, -7.5, 81, 0.2, 11.2
        )

    def test_names_the_place_that_was_found(self, weather: OpenMeteo) -> None:
        found = weather.current("rome")
        assert found is not None
        assert (found.place, found.sky) == ("Rome, Italy", "clear sky")

    def test_of_an_unknown_city_is_none(self, server: OpenMeteoServer, weather: OpenMeteo) -> None:
        assert weather.current("Atlantis & Co") is None
        assert [(path, asked["name"]) for path, asked in server.asked] == [("/v1/search", "Atlantis & Co")]

    def test_may_lack_a_country_and_have_a_code_of_its_own(self, weather: OpenMeteo) -> None:
        found = weather.current("Nowhere")
        assert found is not None
        assert (found.place, found.sky) == ("Nowhere", "weather code 4")

    @pytest.mark.parametrize("kind", [*PASSING, "nan"])
    def test_is_requested_again_after_a_temporary_fault(
        self, server: OpenMeteoServer, weather: OpenMeteo, kind: str
    ) -> None:
        server.fault("", times=1)  # the city is found
        server.fault(kind, times=2)
        found = weather.current("Oslo")
        assert found is not None
        assert found.temperature_c == -3.5
        assert [path for path, _ in server.asked] == ["/v1/search", *["/v1/forecast"] * 3]

    @pytest.mark.parametrize("kind", PASSING)
    def test_that_does_not_come_is_unavailable(self, server: OpenMeteoServer, weather: OpenMeteo, kind: str) -> None:
        server.fault(kind, times=3)
        with raising(ServiceUnavailableError, "service_unavailable", "RAG_GEOCODING_URL"):
            weather.current("Oslo")
        assert len(server.asked) == 3

    @pytest.mark.parametrize("kind", ["stall", "drip"])
    def test_is_not_waited_for_too_long(self, server: OpenMeteoServer, kind: str) -> None:
        weather = OpenMeteo(server.url, server.url, timeout_s=0.2, attempts=2)
        server.fault(kind, times=2)
        with raising(ServiceUnavailableError, "service_unavailable_timeout", "RAG_GEOCODING_URL"):
            weather.current("Oslo")
        weather.close()

    @pytest.mark.parametrize("status", ["301", "400", "401", "404"])
    def test_that_is_refused_names_the_setting_at_once(
        self, server: OpenMeteoServer, weather: OpenMeteo, status: str
    ) -> None:
        server.fault("")
        server.fault(status)
        with raising(SettingError, "setting", status, "RAG_WEATHER_URL"):
            weather.current("Oslo")
        assert len(server.asked) == 2

    def test_of_a_missing_server_is_unavailable(self) -> None:
        with OpenMeteoServer() as gone:
            pass
        weather = OpenMeteo(gone.url, gone.url, attempts=2)
        with raising(ServiceUnavailableError, "service_unavailable", "RAG_GEOCODING_URL") as raised:
            weather.current("Oslo")
        weather.close()
        assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
        assert pickle.loads(pickle.dumps(Weather("a", "b", "c", 1, 2, 3, 4, 5))) == ("a", "b", "c", 1, 2, 3, 4, 5)


class TestCity:
    def test_is_that_of_the_address(self, server: OpenMeteoServer, lookup: CityLookup) -> None:
        assert lookup.city(HERE) == "Oslo"
        assert lookup.city("2001:db8::1") == "Oslo"
        assert [path for path, _ in server.asked] == [f"/locate/{HERE}", "/locate/2001:db8::1"]

    @pytest.mark.parametrize("address", ["", "localhost", "../../v1/search", "1.2.3.4/../x", "testclient", "1.2.3"])
    def test_of_an_invalid_address_sends_no_request(
        self, server: OpenMeteoServer, lookup: CityLookup, address: str
    ) -> None:
        assert lookup.city(address) is None
        assert server.asked == []

    @pytest.mark.parametrize("city", [None, "", "  ", "a\nb", "x" * 101])
    def test_that_is_none_is_not_known(self, server: OpenMeteoServer, lookup: CityLookup, city: str | None) -> None:
        server.located = city
        assert lookup.city(HERE) is None

    @pytest.mark.parametrize("kind", ["404", "500", "malformed", "truncated", "endless"])
    def test_is_unknown_if_the_service_fails_and_no_key_is_logged(
        self, server: OpenMeteoServer, lookup: CityLookup, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        server.fault(kind)
        assert lookup.city(HERE) is None
        assert "RAG_CITY_LOOKUP_URL" in caplog.text
        assert "secret-token" not in caplog.text
        assert HERE not in caplog.text


@pytest.fixture(scope="module")
def services() -> Iterator[JsonServices]:
    services = JsonServices(timeout_s=5, attempts=1)
    yield services
    services.close()


class Anything(BaseModel):
    model_config = {"extra": "allow"}


class TestServices:
    @given(st.text(max_size=40))
    def test_at_any_url_raise_only_our_errors(self, services: JsonServices, url: str) -> None:
        with pytest.raises(RagError, match="RAG_SOME_URL"):
            services.get("RAG_SOME_URL", f"http://127.0.0.1:9/{url}", Anything)
        with raising(SettingError, "setting", "RAG_SOME_URL"):
            services.get("RAG_SOME_URL", f"ftp://127.0.0.1/{url}", Anything)

    def test_have_no_results_field_if_nothing_is_found(self, server: OpenMeteoServer, services: JsonServices) -> None:
        found = services.get("RAG_SOME_URL", f"{server.url}/v1/search", Anything, {"name": "Atlantis"})
        assert set(found.model_dump()) == {"generationtime_ms"}


class TestSettings:
    def test_offer_the_weather_unless_it_is_turned_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        offered = World(read_settings()).weather
        assert offered is not None
        offered.close()
        for name in ("RAG_WEATHER_URL", "RAG_GEOCODING_URL"):
            with monkeypatch.context() as patch:
                patch.setenv(name, "none")
                assert World(read_settings()).weather is None

    def test_look_up_no_city_without_a_service(self, server: OpenMeteoServer, monkeypatch: pytest.MonkeyPatch) -> None:
        assert World(read_settings()).city_lookup is None
        monkeypatch.setenv("RAG_CITY_LOOKUP_URL", f"{server.url}/locate/{{address}}")
        lookup = World(read_settings()).city_lookup
        assert lookup is not None
        assert lookup.city(HERE) == "Oslo"
        lookup.close()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("RAG_CITY_LOOKUP_URL", "https://where.example/"),
            ("RAG_CITY_LOOKUP_URL", "https://{address}/"),
            ("RAG_WEATHER_URL", "api.open-meteo.com"),
            ("RAG_GEOCODING_URL", "file:///etc"),
        ],
    )
    def test_that_are_not_a_valid_url_are_refused_by_name(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with raising(SettingError, "setting", name):
            read_settings()
