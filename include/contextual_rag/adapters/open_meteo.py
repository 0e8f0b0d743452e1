"""The current weather from Open-Meteo, or any server with its HTTP API (https://open-meteo.com/en/docs)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

from contextual_rag.adapters.json_services import JsonServices, Parameters
from contextual_rag.model import Weather

__all__ = ["OpenMeteo"]

# "WMO Weather interpretation codes (WW)" in the documentation above.
_SKY: Final = {
    0: "clear sky",
    1: "mainly clear",
    2: "partly cloudy",
    3: "overcast",
    45: "fog",
    48: "depositing rime fog",
    51: "light drizzle",
    53: "moderate drizzle",
    55: "dense drizzle",
    56: "light freezing drizzle",
    57: "dense freezing drizzle",
    61: "slight rain",
    63: "moderate rain",
    65: "heavy rain",
    66: "light freezing rain",
    67: "heavy freezing rain",
    71: "slight snowfall",
    73: "moderate snowfall",
    75: "heavy snowfall",
    77: "snow grains",
    80: "slight rain showers",
    81: "moderate rain showers",
    82: "violent rain showers",
    85: "slight snow showers",
    86: "heavy snow showers",
    95: "thunderstorm",
    96: "thunderstorm with slight hail",
    99: "thunderstorm with heavy hail",
}

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Text = Annotated[str, Field(max_length=200)]


class _Current(BaseModel):
    time: _Text
    temperature_2m: _Number
    apparent_temperature: _Number
    relative_humidity_2m: _Number
    precipitation: _Number
    weather_code: int
    wind_speed_10m: _Number


class _Forecast(BaseModel):
    current: _Current


class _Place(BaseModel):
    name: _Text
    country: _Text | None = None
    latitude: _Number
    longitude: _Number


class _Places(BaseModel):
    # The field is missing if nothing was found.
    results: list[_Place] = Field(default_factory=list)


class OpenMeteo:
    """The weather by city. `url` and `geocoding_url` are the base URLs of the two services."""

    def __init__(self, url: str, geocoding_url: str, *, timeout_s: float = 5.0, attempts: int = 2) -> None:
        self._forecast_url = f"{url.rstrip('/')}/v1/forecast"
        self._search_url = f"{geocoding_url.rstrip('/')}/v1/search"
        self._services = JsonServices(timeout_s=timeout_s, attempts=attempts)

    def close(self) -> None:
        """Close the connections."""
        self._services.close()

    def current(self, city: str) -> Weather | None:
        """Return the weather in the best known city of that name, or None if there is none.

        Raises ServiceUnavailableError, or SettingError if a URL is wrong.
        """
        wanted: Parameters = {"name": city, "count": 1, "language": "en", "format": "json"}
        found = self._services.get("RAG_GEOCODING_URL", self._search_url, _Places, wanted).results
        if not found:
            return None
        place = found[0]
        fields = ",".join(name for name in _Current.model_fields if name != "time")
        there: Parameters = {
            "latitude": place.latitude,
            "longitude": place.longitude,
            "current": fields,
            "timezone": "auto",
        }
        now = self._services.get("RAG_WEATHER_URL", self._forecast_url, _Forecast, there).current
        return Weather(
            place=f"{place.name}, {place.country}" if place.country else place.name,
            at=now.time.replace("T", " "),
            sky=_SKY.get(now.weather_code, f"weather code {now.weather_code}"),
            temperature_c=now.temperature_2m,
            feels_like_c=now.apparent_temperature,
            humidity_percent=now.relative_humidity_2m,
            precipitation_mm=now.precipitation,
            wind_kmh=now.wind_speed_10m,
        )
