"""Serves a folder of pages as a small site, which changes from one edition to the next.

    python -m contextual_rag.embedded.site --root sample_site --edition 1 --port 8100

Edition N combines the folders day1 … dayN of the root; a later day replaces files of earlier days. `editions.toml`
lists further changes of a day: `gone` pages are missing from then on (until a later day has them again), `broken` pages
answer 500 on that day only. A root without `day1` has a single edition.

`GET /_edition` returns the edition; `PUT /_edition` with `{"edition": 2}` changes it while the site runs. This needs no
password, so the server only listens on the loopback address, and lets no web page change it or read from it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mimetypes
import tomllib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from contextual_rag.embedded.guard import NoWebPages
from contextual_rag.errors import SettingError

__all__ = ["Editions", "create_app", "main"]

_HOST = "127.0.0.1"
_ROBOTS = b"User-agent: *\nAllow: /\n"
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class _Day(NamedTuple):
    folder: Path
    gone: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()


class Editions:
    """The pages of a root folder in the current edition.

    Files are looked up at each request, so an edited page is served at once. Raises SettingError if the root is not a
    folder, `editions.toml` cannot be read, or there is no such edition.
    """

    def __init__(self, root: Path, edition: int = 1) -> None:
        if not root.is_dir():
            raise SettingError(f"{root} is not a folder. Use --root with the folder of the pages.")
        self._dated = (root / "day1").is_dir()
        self._days = _days(root) if self._dated else (_Day(root),)
        self.edition = edition

    @property
    def edition(self) -> int:
        """The current edition, from 1."""
        return self._edition

    @edition.setter
    def edition(self, edition: int) -> None:
        if not 1 <= edition <= len(self._days):
            raise SettingError(f"There is no edition {edition}. Choose one from 1 to {len(self._days)}.")
        self._edition = edition

    @property
    def count(self) -> int:
        """How many editions there are."""
        return len(self._days)

    def find(self, path: str) -> tuple[Path, datetime] | None:
        """Return the file behind a path of the site and its last modification, or None.

        In a dated root, the modification time is the day of the file: a checkout gives all files the same time, and a
        changed page must not look unchanged.
        """
        for number in range(self._edition, 0, -1):
            day = self._days[number - 1]
            if path in day.gone:
                return None
            if file := _file_within(day.folder, path):
                if self._dated:
                    return file, _FIRST_DAY + timedelta(days=number - 1)
                return file, datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
        return None

    def is_broken(self, path: str) -> bool:
        """Whether this edition answers 500 for a path."""
        return path in self._days[self._edition - 1].broken


def _days(root: Path) -> tuple[_Day, ...]:
    file = root / "editions.toml"
    try:
        tables = tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
        days: list[_Day] = []
        while (folder := root / f"day{len(days) + 1}").is_dir() or folder.name in tables:
            table = tables.get(folder.name, {})
            days.append(_Day(folder, frozenset(table.get("gone", ())), frozenset(table.get("broken", ()))))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise SettingError(
            f"{file} cannot be read: {error}. Write one table per day, with `gone` and `broken`."
        ) from error
    return tuple(days)


def _file_within(folder: Path, path: str) -> Path | None:
    try:
        file = (folder / path).resolve()
        # Resolve first: `..`, absolute paths and symbolic links must not lead out of the folder.
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return None


def create_app(root: Path, edition: int = 1) -> Starlette:
    """Return the site as an ASGI application. Raises SettingError like Editions."""
    editions = Editions(root, edition)

    def page(request: Request) -> Response:
        return _page(request, editions)

    def show(_: Request) -> Response:
        return _edition(editions)

    async def change(request: Request) -> Response:
        return _change(await request.body(), editions)

    return Starlette(
        routes=[
            Route("/_edition", show),
            Route("/_edition", change, methods=["PUT"]),
            Route("/{path:path}", page),
        ],
        middleware=[Middleware(NoWebPages, readable=True)],
    )


def _page(request: Request, editions: Editions) -> Response:
    path = str(request.path_params["path"])
    if not path or path.endswith("/"):
        path += "index.html"
    path = str(PurePosixPath(path))  # normalised, like the paths in editions.toml
    if editions.is_broken(path):
        return PlainTextResponse("broken in this edition", 500)
    if any(part.startswith(".") for part in PurePosixPath(path).parts):
        return PlainTextResponse("not found", 404)
    if found := editions.find(path):
        return _answer(request, found[0].read_bytes(), _kind(path), found[1])
    if path == "robots.txt":
        return _answer(request, _ROBOTS, "text/plain", _FIRST_DAY)
    return PlainTextResponse("not found", 404)


def _edition(editions: Editions) -> Response:
    return JSONResponse({"edition": editions.edition, "editions": editions.count})


def _change(body: bytes, editions: Editions) -> Response:
    try:
        wanted = json.loads(body)["edition"]
        if type(wanted) is not int:
            raise TypeError
        editions.edition = wanted
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": 'send {"edition": 2}'}, 400)
    except SettingError as error:
        return JSONResponse({"error": str(error)}, 404)
    return _edition(editions)


def _kind(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _answer(request: Request, body: bytes, kind: str, modified: datetime) -> Response:
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Last-Modified": format_datetime(modified, usegmt=True),
    }
    if _is_known(request, headers):
        return Response(status_code=304, headers=headers)
    # Not by media_type: Starlette would add a charset, but the pages are cp1252 without declaring it.
    return Response(body, headers=headers | {"Content-Type": kind})


def _is_known(request: Request, headers: dict[str, str]) -> bool:
    """Follow RFC 9110 section 13.2.2: If-None-Match takes precedence over If-Modified-Since.

    The date must be equal, because an edition can also be set back.
    """
    if (tags := request.headers.get("if-none-match")) is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or headers["ETag"] in known
    return request.headers.get("if-modified-since") == headers["Last-Modified"]


def main(arguments: list[str] | None = None) -> None:
    """Serve a folder until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m contextual_rag.embedded.site", description="Serve the sample site."
    )
    parser.add_argument("--root", type=Path, required=True, help="folder with day1, day2, …, or with pages")
    parser.add_argument("--edition", type=int, default=1, help="first edition to serve (default: 1)")
    parser.add_argument(
        "--port", type=int, default=8100, help="port on 127.0.0.1; 0 chooses a free one (default: 8100)"
    )
    options = parser.parse_args(arguments)
    try:
        app = create_app(options.root, options.edition)
    except SettingError as error:
        parser.error(str(error))
    uvicorn.run(app, host=_HOST, port=options.port)


if __name__ == "__main__":
    main()
