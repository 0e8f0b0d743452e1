"""Ask questions, read conversations and compare index versions from a program.

An answer arrives as server-sent events; the last event is the whole answer. After a lost connection, send the id of the
last event you received as `Last-Event-ID` to get the rest.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from contextual_rag.conversation.model import LONGEST_QUESTION, Event, Source, Thread, Turn
from contextual_rag.errors import (
    QuestionError,
    RagError,
    RetriableError,
    UnknownThreadError,
    UnknownTurnError,
    UnknownVersionError,
)
from contextual_rag.versions.diff import Diff, diff
from contextual_rag.versions.summary import Summary, summaries
from streamlit_app.api_access import Asker, admit, asker
from streamlit_app.api_docs import docs_html
from streamlit_app.services import services

__all__ = ["create_api"]


class _Over:
    """The end of the events."""


# Each stream holds a thread while it waits. Pages have Streamlit's own threads.
_STREAMS: Final = CapacityLimiter(100)
_OVER: Final = _Over()
_STATUS: Final[dict[type[RagError], int]] = {
    UnknownThreadError: 404,
    UnknownTurnError: 404,
    UnknownVersionError: 404,
    QuestionError: 422,
    RetriableError: 503,
}
_EVENT_STREAM: Final = "text/event-stream"
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {_EVENT_STREAM: {}}}}
_Text = Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)]
_Version = Annotated[str | None, Query(max_length=100, description="An index version; the current one by default.")]


class Question(BaseModel):
    """A question. `thread` continues a conversation. `turn` is an id that you choose: a repeated request asks once."""

    question: _Text
    thread: Annotated[str | None, Field(max_length=100)] = None
    turn: Annotated[str | None, Field(max_length=64)] = None
    version: Annotated[str | None, Field(max_length=100)] = None
    city: Annotated[str | None, Field(max_length=100)] = None


class Feedback(BaseModel):
    """A rating of an answer: 1, -1, or null to remove it."""

    feedback: Literal[1, -1] | None
    comment: Annotated[str, Field(max_length=LONGEST_QUESTION)] = ""


class Title(BaseModel):
    """The new title of a conversation."""

    title: _Text


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
    api = FastAPI(title="Ask the essays", description=__doc__ or "", version="1", docs_url=None, redoc_url=None)
    api.add_exception_handler(RagError, _refused)
    api.add_exception_handler(HTTPException, _rejected)
    api.add_exception_handler(Exception, _unexpected)
    api.get("/docs", response_class=HTMLResponse, include_in_schema=False)(lambda: docs_html(api.openapi()))
    api.post("/ask", response_class=StreamingResponse, responses=_EVENTS)(ask)
    api.get("/turns/{turn}")(read_turn)
    api.get("/turns/{turn}/events", response_class=StreamingResponse, responses=_EVENTS)(events)
    api.post("/turns/{turn}/stop", status_code=202)(stop)
    api.put("/turns/{turn}/feedback", status_code=204)(rate)
    api.get("/search")(search)
    api.get("/threads")(list_threads)
    api.post("/threads", status_code=201)(start_thread)
    api.get("/threads/{thread}")(read_thread)
    api.patch("/threads/{thread}")(rename_thread)
    api.delete("/threads/{thread}", status_code=204)(delete_thread)
    api.get("/threads/{thread}/export", response_class=PlainTextResponse)(export_thread)
    for_askers = [Depends(asker)]
    api.get("/versions", dependencies=for_askers)(list_versions)
    api.get("/versions/{old}/diff/{new}", dependencies=for_askers)(compare_versions)
    api.get("/health")(health)
    api.get("/ready")(ready)
    return api


def ask(body: Question, request: Request, who: Asker) -> Response:
    """Ask a question and follow its answer: the event `turn`, then events of progress, then `answer`."""
    return _followed(_asked(body, request, who), who)


def _asked(body: Question, request: Request, who: str | None) -> Turn:
    conversations = services().conversations
    try:
        known = conversations.turn(body.turn, who) if body.turn else None
    except UnknownTurnError:
        known = None
    if known and body.thread in {None, known.thread_id}:
        return known
    admit(request, who)
    if body.version:
        services().manifest(body.version)
    thread = body.thread or _started(who, body.city, request).id
    turn_id = body.turn or secrets.token_urlsafe(16)
    return conversations.ask(thread, who, body.question, turn_id=turn_id, version=body.version)


def events(
    turn: str,
    who: Asker,
    offset: Annotated[int, Query(ge=0, description="How many events to skip.")] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Follow an existing turn, from an offset or from the event after `Last-Event-ID`."""
    known = int(last_event_id) if last_event_id and last_event_id.isdecimal() else offset
    return _followed(services().conversations.turn(turn, who), who, offset=known)


def _followed(turn: Turn, who: str | None, *, offset: int = 0) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(turn, who, offset), media_type=_EVENT_STREAM, headers=headers)


async def _stream(turn: Turn, who: str | None, offset: int) -> AsyncIterator[bytes]:
    yield format_sse_event(event="turn", data_str=turn.model_dump_json(exclude={"answer"}))
    conversations = services().conversations
    try:
        following = conversations.follow(turn.id, who, offset=offset)
        while not isinstance(event := await to_thread.run_sync(_next, following, limiter=_STREAMS), _Over):
            if event is None:
                yield format_sse_event(comment="waiting")
                continue
            offset += 1
            yield format_sse_event(event=event.kind, id=str(offset), data_str=event.model_dump_json())
        over = await to_thread.run_sync(conversations.turn, turn.id, who, limiter=_STREAMS)
        if over.answer:
            yield format_sse_event(event="answer", id=str(offset), data_str=over.answer.model_dump_json())
    except RagError as error:
        yield format_sse_event(event="error", data_str=json.dumps({"error": str(error)}))


def _next(following: Iterator[Event | None]) -> Event | _Over | None:
    return next(following, _OVER)


def read_turn(turn: str, who: Asker) -> Turn:
    """Return a turn, with its answer if it is over."""
    return services().conversations.turn(turn, who)


def stop(turn: str, who: Asker) -> dict[str, str]:
    """Stop an answer; the text so far is kept."""
    services().conversations.stop(turn, who)
    return {"turn": turn}


def rate(turn: str, body: Feedback, who: Asker) -> None:
    """Rate an answer."""
    services().conversations.rate(turn, who, body.feedback, body.comment)


def search(
    request: Request,
    who: Asker,
    q: Annotated[str, Query(min_length=1, max_length=LONGEST_QUESTION, description="The question.")],
    k: Annotated[int, Query(ge=1, le=100, description="The maximum number of passages.")] = 10,
    version: _Version = None,
) -> Found:
    """Return the passages found for a question, with their search scores."""
    admit(request, who)
    searched, hits = services().search(q, k, version)
    return Found(version=searched, hits=[Source(n=n, **hit._asdict()) for n, hit in enumerate(hits, 1)])


def list_threads(
    who: Asker,
    search: Annotated[str, Query(max_length=200, description="Words that the conversation must contain.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Thread]:
    """Return the conversations, most recently asked first."""
    return services().conversations.threads(who, search=search, limit=limit)


def start_thread(request: Request, who: Asker, city: Annotated[str | None, Query(max_length=100)] = None) -> Thread:
    """Start a conversation. `city` is the person's city, for tools that need it."""
    return _started(who, city, request)


def _started(who: str | None, city: str | None, request: Request) -> Thread:
    return services().start_thread(who, city=city, address=request.client.host if request.client else None)


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
    questions = {name: n for name, n in (("questions", one.questions), ("known_items", one.known_items)) if n}
    return Version(
        **{name: getattr(one, name) for name in same},
        created_at=one.created_at.isoformat(),
        failed=len(one.failed),
        bytes=one.size,
        quality=dict(one.quality) | questions,
    )


def compare_versions(old: str, new: str) -> Diff:
    """Return what differs between two versions."""
    resolve = services().world.registry.resolve
    return diff(resolve(old), resolve(new))


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


def _refused(_: Request, error: Exception) -> Response:
    """Return the message of our own error; it contains no secret."""
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    return _error(str(error), status)


def _rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return _error(str(error.detail), error.status_code, error.headers)


def _unexpected(_: Request, __: Exception) -> Response:
    """Hide the details of an unexpected error; the server's log has them."""
    return _error("An unexpected error occurred. The server's log has the details.", 500)


def _error(message: str, status: int, headers: Any = None) -> Response:
    return JSONResponse({"error": message}, status, headers)
