"""The page "Index versions" in Airflow's menu."""

from __future__ import annotations

from asyncio import to_thread
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

__all__ = ["IndexVersionsPlugin"]

_PREFIX = "/index-versions"


@cache
def _app() -> FastAPI:
    with suppress(ModuleNotFoundError):
        import include  # noqa: F401 - if only the project's root is on the path, this adds the package
    from index_versions_page.app import create_app

    return create_app()


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the page; it is imported at the first request.

    Airflow loads plugins in each of its processes, but only the API server serves this page.
    """
    app = await to_thread(_app)
    await app(scope, receive, send)


class IndexVersionsPlugin(AirflowPlugin):
    """Mounts the page and adds it to the menu; Airflow shows it in a frame."""

    name = "index_versions"
    fastapi_apps: list[Any] = [{"app": _page, "url_prefix": _PREFIX, "name": "Index versions"}]  # noqa: RUF012
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Index versions",
            # Relative to the address of Airflow's own page.
            "href": f"{_PREFIX.removeprefix('/')}/",
            "destination": "nav",
            "url_route": "index-versions",
            # This menu has room for the name; the bar would cut it.
            "category": "browse",
        }
    ]
