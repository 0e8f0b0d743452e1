"""The routes of the page, behind Airflow's login.

Airflow mounts a plugin's app without authentication. Here every route requires a user who may read the DAG that builds
the versions, through Airflow's own dependency. There are no other paths: no schema, no static files.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException

from contextual_rag.errors import RagError, RetriableError, UnknownVersionError
from contextual_rag.noun import noun
from contextual_rag.settings import read_settings
from contextual_rag.versions.diff import Diff, diff
from contextual_rag.versions.summary import changes, metrics, since, summaries
from contextual_rag.wiring import World, connect
from index_versions_page.plots import plots

__all__ = ["create_app"]

_log = logging.getLogger(__name__)

_BUILT_BY = "build_index"
_MANAGED_BY = "manage_index"

_Version = Annotated[str | None, Query(max_length=200)]


def create_app() -> FastAPI:
    """Return the page as a separate app. Does not connect to anything yet."""
    app = FastAPI(
        dependencies=[Depends(requires_access_dag("GET", param_dag_id=_BUILT_BY))],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.middleware("http")(_protect)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RagError, _failed)
    app.add_exception_handler(Exception, _unexpected)
    app.get("/", response_class=HTMLResponse)(_versions)
    return app


def _versions(request: Request, user: GetUserDep, old: _Version = None, new: _Version = None) -> HTMLResponse:
    """Show all versions, their plots and changes, and the differences between two of them."""
    registry = _world().registry
    history = registry.history()
    rows = summaries(registry)
    compared: Diff | None = None
    unknown: str | None = None
    if old and new:
        try:
            compared = diff(*(registry.resolve(name) for name in (old, new)))
        except UnknownVersionError as error:
            unknown = str(error)
    return _html(
        request,
        "versions.html",
        404 if unknown else 200,
        rows=rows,
        metrics=metrics(rows),
        plots=plots(rows) if rows else (),
        pointer=history[0] if history else None,
        since=since(history),
        changes=changes(history),
        # By default, the form offers the two newest versions.
        old=old or next((one.version for one in rows[1:2]), None),
        new=new or next((one.version for one in rows[:1]), None),
        diff=compared,
        unknown=unknown,
        may_manage=get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=_MANAGED_BY), user=user
        ),
    )


@cache
def _world() -> World:
    """Connect to the stores; few attempts and a short timeout report a store that is down quickly."""
    return connect(read_settings(object_store_attempts=2, object_store_timeout_s=10.0))


async def _protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Allow the page to run only its own script, to load nothing, and to be framed only by Airflow."""
    nonce = request.state.nonce = secrets.token_urlsafe(16)
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(request: Request, error: Exception) -> Response:
    """Answer a user who is not logged in (401) or lacks permission (403), or an unknown path (404)."""
    assert isinstance(error, HTTPException)  # noqa: S101
    titles = {401: "Log in to see the index versions", 403: "You have no access to the index versions"}
    messages = {
        401: "You are not logged in to Airflow, or your login has expired.",
        403: f"You need the permission to read the DAG {_BUILT_BY}. Ask your Airflow administrator for it.",
    }
    login = get_auth_manager().get_url_login(next_url=str(request.url)) if error.status_code == 401 else None  # noqa: PLR2004
    return _html(
        request,
        "error.html",
        error.status_code,
        title=titles.get(error.status_code, "Page not found"),
        message=messages.get(error.status_code, str(error.detail)),
        login=login,
    )


def _failed(request: Request, error: Exception) -> Response:
    """Show the message of our own error about the stores or the settings; it contains no secret."""
    status = 503 if isinstance(error, RetriableError) else 500
    return _html(request, "error.html", status, title="The index versions cannot be read", message=str(error))


def _unexpected(request: Request, _error: Exception) -> Response:
    """Hide the details of an unexpected error; the API server's log has them."""
    message = "The page failed unexpectedly. The log of Airflow's API server has the details."
    return _html(request, "error.html", 500, title="Unexpected error", message=message)


def _html(request: Request, template: str, status: int, **shown: Any) -> HTMLResponse:
    airflow = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")
    shown |= {"nonce": request.state.nonce, "airflow": airflow, "built_by": _BUILT_BY, "managed_by": _MANAGED_BY}
    return HTMLResponse(_templates().get_template(template).render(shown), status)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["noun"] = noun
    environment.filters |= {"bytes": _bytes, "duration": _duration, "usd": _usd}
    return environment


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


def _usd(dollars: float) -> str:
    return f"${dollars:.4f}" if 0 < dollars < 1 else f"${dollars:,.2f}"
