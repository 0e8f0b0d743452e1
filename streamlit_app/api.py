"""Ask questions, read conversations and compare index versions from a program.

An answer arrives as server-sent events; the last event is the whole answer. After a lost connection, send the id of the
last event you received as `Last-Event-ID` to get the rest. With `"stream": false`, the answer arrives as a whole.

Each error is a JSON object with a message (`error`) and a `code`, which stays the same when the message is rewritten.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from contextual_rag.conversation.model import Source, Thread, Turn
from contextual_rag.errors import RagError
from contextual_rag.qa.filters import MOST, Filter, Name
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.versions.diff import Diff, diff
from contextual_rag.versions.summary import Summary, summaries
from streamlit_app.api_access import Asker, admit, asker, city_of
from streamlit_app.api_asking import FOLLOWED, EventStream, Text, ask, event_schemas, follow_turn
from streamlit_app.api_docs import docs_html
from streamlit_app.api_errors import answer_errors, problems
from streamlit_app.api_uploads import list_uploads, remove_upload, upload, uploads_are_on
from streamlit_app.services import services

__all__ = ["create_api"]


_Names = Annotated[tuple[Name, ...], Query(max_length=MOST, description="Only documents of these names.")]
_Types = Annotated[
    tuple[Name, ...],
    Query(alias="type", max_length=MOST, description="Only documents whose addresses end so, such as pdf."),
]
_Day = Annotated[date | None, Query(description="The first, or the last, day of the documents.")]
_Version = Annotated[str | None, Query(max_length=100, description="An index version; the current one by default.")]


def _where(
    source: _Names = (), document: _Names = (), type_: _Types = (), since: _Day = None, until: _Day = None
) -> Filter:
    return Filter(sources=source, documents=document, types=type_, since=since, until=until)


class Feedback(BaseModel):
    """A rating of an answer: 1, -1, or null to remove it."""

    feedback: Literal[1, -1] | None
    comment: Annotated[str, Field(max_length=LONGEST_QUESTION)] = ""


class Title(BaseModel):
    """The new title of a conversation."""

    title: Text


class Conversation(BaseModel):
    """A conversation with its turns."""

    thread: Thread
    turns: list[Turn]


class Found(BaseModel):
    """The passages found for a question in a version, best first."""

    version: str
    hits: list[Source]


class Version(BaseModel):
    """An index version."""

    version: str
    current: bool
    pinned: bool
    created_at: str
    parent: str | None
    essays: int
    failed: int
    chunks: int
    bytes: int
    quality: dict[str, float]
    cost_usd: float


class Readiness(BaseModel):
    """Whether questions are answered now; if not, `problem` says why."""

    ready: bool
    version: str | None
    worker: bool
    problem: str | None = None


def create_api() -> FastAPI:
    """Return the API as a separate app. Does not connect to anything yet."""
    api = FastAPI(
        title="Ask the documents",
        description=__doc__ or "",
        version="1",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        responses=problems(401, 403, 413, 422, 500, 503),
    )
    answer_errors(api)
    api.get("/docs", response_class=HTMLResponse, include_in_schema=False)(lambda: docs_html(api.openapi()))
    of_one, limited, with_body = problems(404), problems(429), problems(415)
    followed = FOLLOWED | of_one
    waited = {202: {"model": Turn, "description": "With `stream: false`: the turn, whose answer is not there yet."}}
    api.post("/ask", response_model=Turn, responses=followed | waited | limited | with_body | problems(409))(ask)
    api.get("/turns/{turn}", responses=of_one)(read_turn)
    api.get("/turns/{turn}/events", response_class=EventStream, responses=followed)(follow_turn)
    api.post("/turns/{turn}/stop", status_code=202, responses=of_one | with_body)(stop_turn)
    api.put("/turns/{turn}/feedback", status_code=204, responses=of_one | with_body)(rate_turn)
    api.get("/search", responses=of_one | limited)(search)
    api.get("/threads")(list_threads)
    api.post("/threads", status_code=201, responses=limited | with_body)(start_thread)
    api.get("/threads/{thread}", responses=of_one)(read_thread)
    api.patch("/threads/{thread}", responses=of_one | with_body)(rename_thread)
    api.delete("/threads/{thread}", status_code=204, responses=of_one)(delete_thread)
    api.get("/threads/{thread}/export", response_class=PlainTextResponse, responses=of_one)(export_thread)
    on = [Depends(uploads_are_on)]
    api.get("/uploads", dependencies=on)(list_uploads)
    of_file = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    api.post(
        "/uploads",
        status_code=201,
        dependencies=on,
        responses=limited | with_body | problems(408, 411),
        openapi_extra={"requestBody": of_file | {"required": True}},
    )(upload)
    api.delete("/uploads/{upload}", status_code=204, dependencies=on, responses=of_one)(remove_upload)
    for_askers = [Depends(asker)]
    api.get("/versions", dependencies=for_askers)(list_versions)
    api.get("/versions/{old}/diff/{new}", dependencies=for_askers, responses=of_one)(compare_versions)
    api.get("/metrics", dependencies=for_askers, response_class=PlainTextResponse)(metrics)
    api.get("/health")(health)
    api.get("/ready", responses={503: {"model": Readiness, "description": "Questions are not answered now."}})(ready)
    api.openapi = partial(_described, api.openapi)  # type: ignore[method-assign]
    return api


def _described(openapi: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the description of the API, with the schemas of events."""
    description = openapi()
    description["components"]["schemas"] |= event_schemas()
    return description


def read_turn(turn: str, who: Asker) -> Turn:
    """Return a turn, with its answer if it is over."""
    return services().conversations.turn(turn, who)


def stop_turn(turn: str, who: Asker) -> dict[str, str]:
    """Stop an answer; the text so far is kept."""
    services().conversations.stop(turn, who)
    return {"turn": turn}


def rate_turn(turn: str, body: Feedback, who: Asker) -> None:
    """Rate an answer."""
    services().conversations.rate(turn, who, body.feedback, body.comment)


def search(
    request: Request,
    who: Asker,
    where: Annotated[Filter, Depends(_where)],
    q: Annotated[str, Query(min_length=1, max_length=LONGEST_QUESTION, description="The question.")],
    k: Annotated[int, Query(ge=1, le=100, description="The maximum number of passages.")] = 10,
    version: _Version = None,
) -> Found:
    """Return the passages found for a question, with their search scores."""
    admit(request, who)
    searched, hits = services().search(q, k, version, where)
    return Found(version=searched, hits=[Source.of(n, hit) for n, hit in enumerate(hits, 1)])


def list_threads(
    who: Asker,
    search: Annotated[str, Query(max_length=200, description="Words that the conversation must contain.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Thread]:
    """Return the conversations, most recently asked first."""
    return services().conversations.threads(who, search=search, limit=limit)


def start_thread(request: Request, who: Asker, city: Annotated[str | None, Query(max_length=100)] = None) -> Thread:
    """Start a conversation. `city` is the person's city, for tools that need it."""
    admit(request, who, "conversations")
    return services().conversations.start_thread(who, city=city_of(city, request))


def read_thread(thread: str, who: Asker) -> Conversation:
    """Return a conversation with its turns."""
    conversations = services().conversations
    return Conversation(thread=conversations.thread(thread, who), turns=conversations.turns(thread, who))


def rename_thread(thread: str, body: Title, who: Asker) -> Thread:
    """Change the title of a conversation."""
    services().conversations.rename(thread, who, body.title)
    return services().conversations.thread(thread, who)


def delete_thread(thread: str, who: Asker) -> None:
    """Delete a conversation permanently."""
    services().conversations.delete(thread, who)


def export_thread(
    thread: str, who: Asker, form: Annotated[Literal["markdown", "json"], Query()] = "markdown"
) -> Response:
    """Return a conversation with its sources as text."""
    text = services().conversations.export(thread, who, form)
    kind = "text/markdown" if form == "markdown" else "application/json"
    return Response(text, media_type=kind, headers={"Content-Disposition": "attachment"})


def list_versions() -> list[Version]:
    """Return the index versions, newest first."""
    return [_version(one) for one in summaries(services().world.registry)]


def _version(one: Summary) -> Version:
    same = ("version", "current", "pinned", "parent", "essays", "chunks", "cost_usd")
    counts = (("questions", one.questions), ("known_items", one.known_items), *one.answers)
    return Version(
        **{name: getattr(one, name) for name in same},
        created_at=one.created_at.isoformat(),
        failed=len(one.failed),
        bytes=one.size,
        quality=dict(one.quality) | {name: n for name, n in counts if n},
    )


def compare_versions(old: str, new: str) -> Diff:
    """Return what differs between two versions."""
    resolve = services().world.registry.resolve
    return diff(resolve(old), resolve(new))


def metrics() -> Response:
    """Return figures in the text format of Prometheus."""
    found = _readiness()
    text = services().metrics.text(services().conversations, found.version, worker_up=found.worker)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def health() -> dict[str, str]:
    """Say that the server is running."""
    return {"status": "ok"}


def ready(response: Response) -> Readiness:
    """Say whether questions are answered now. The status is 503 without an index, a worker or a store."""
    found = _readiness()
    response.status_code = 200 if found.ready else 503
    return found


def _readiness() -> Readiness:
    try:
        manifest, worker = services().current(), not services().worker_is_down
    except RagError as error:
        return Readiness(ready=False, version=None, worker=False, problem=str(error))
    version = manifest.version if manifest else None
    problem = None if manifest else "There is no index yet. Run `rag build`."
    problem = problem or (
        None if worker else "No worker is running. Start `rag worker`. Questions are saved until then."
    )
    return Readiness(ready=problem is None, version=version, worker=worker, problem=problem)
