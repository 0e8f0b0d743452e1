"""A local server that speaks Open-Meteo's HTTP API, and tells cities by address, with faults on demand.

In a test: `with OpenMeteoServer() as server: … server.url, server.fault("500"), server.asked`.
As a process: `python -m tests.servers.open_meteo --port 0`; it prints its URL, which serves for RAG_WEATHER_URL, for
RAG_GEOCODING_URL, and with `/locate/{address}` behind it for RAG_CITY_LOOKUP_URL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from threading import Thread
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

__all__ = ["CITIES", "OpenMeteoServer"]

# Name → country, latitude, longitude, and the weather there: temperature, WMO code.
CITIES: dict[str, tuple[str | None, float, float, float, int]] = {
    "Oslo": ("Norway", 59.91273, 10.74609, -3.5, 71),
    "Rome": ("Italy", 41.89193, 12.51133, 21.0, 0),
    "Nowhere": (None, 0.0, 0.0, 30.0, 4),
}


class OpenMeteoServer:
    """The server; in a `with`, it runs in a thread of its own. `asked` are the paths and parameters so far.

    Faults: a status ("429", "500", …); "stall" (no answer until the caller leaves); "malformed" (JSON of another
    shape); "truncated" (half of the JSON); "endless" (an answer that does not end); "drip" (one that goes on a little
    at a time); "nan".
    """

    def __init__(self, *, port: int = 0, located: str | None = "Oslo") -> None:
        self.located = located
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._faults: list[str] = []
        routes = [
            Route("/v1/search", self._search),
            Route("/v1/forecast", self._forecast),
            Route("/locate/{address}", self._locate),
        ]
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            Starlette(routes=routes), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self.serve, daemon=True)

    def serve(self) -> None:
        """Serve until stopped."""
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._socket.close()

    def fault(self, kind: str, *, times: int = 1) -> None:
        """Plan what the next requests are answered with."""
        self._faults += [kind] * times

    def forget(self) -> None:
        """Forget the requests and the faults."""
        self.asked.clear()
        self._faults.clear()

    async def _search(self, request: Request) -> Response:
        wanted = request.query_params["name"].casefold()
        found = [
            {"id": n, "name": name, "latitude": latitude, "longitude": longitude, "timezone": "GMT"}
            | ({"country": country} if country else {})
            for n, (name, (country, latitude, longitude, *_)) in enumerate(CITIES.items())
            if name.casefold() == wanted
        ]
        return await self._reply(request, {"generationtime_ms": 0.5} | ({"results": found} if found else {}))

    async def _forecast(self, request: Request) -> Response:
        place = (float(request.query_params["latitude"]), float(request.query_params["longitude"]))
        temperature, code = next((t, code) for _, lat, lon, t, code in CITIES.values() if (lat, lon) == place)
        known = {
            "temperature_2m": temperature,
            "apparent_temperature": temperature - 4,
            "relative_humidity_2m": 81,
            "precipitation": 0.2,
            "weather_code": code,
            "wind_speed_10m": 11.2,
        }
        wanted = request.query_params["current"].split(",")
        current = {"time": "2026-11-21T15:30", "interval": 900} | {name: known[name] for name in wanted}
        return await self._reply(request, {"latitude": place[0], "longitude": place[1], "current": current})

    async def _locate(self, request: Request) -> Response:
        return await self._reply(request, {"ip": request.path_params["address"], "city": self.located})

    async def _reply(self, request: Request, body: dict[str, Any]) -> Response:
        self.asked.append((request.url.path, dict(request.query_params)))
        fault = self._faults.pop(0) if self._faults else ""
        text = json.dumps(body)
        match fault:
            case "stall":
                while (await request.receive())["type"] != "http.disconnect":
                    pass
            case "malformed":
                text = '{"results": 7, "current": 7, "city": 7}'
            case "truncated":
                text = text[: len(text) // 2]
            case "nan":
                text = text.replace("-3.5", "NaN")
            case "endless":
                return StreamingResponse(_endless(b"x" * 10_000, 0), media_type="application/json")
            case "drip":
                return StreamingResponse(_endless(b" ", 0.02), media_type="application/json")
            case status if status.isdigit():
                return JSONResponse({"error": True, "reason": "Planned."}, int(status))
        return Response(text, media_type="application/json")


async def _endless(piece: bytes, pause_s: float) -> AsyncIterator[bytes]:
    while True:
        yield piece
        await asyncio.sleep(pause_s)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Serve Open-Meteo's HTTP API locally.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    server = OpenMeteoServer(port=parser.parse_args().port)
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    server.serve()


if __name__ == "__main__":
    _main()
