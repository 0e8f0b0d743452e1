"""Asking by the API: a question, and its answer as events or as a whole."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel, Field, TypeAdapter

from contextual_rag.conversation.model import (
    Answer,
    AttemptEvent,
    Event,
    SourcesEvent,
    StageEvent,
    TextEvent,
    ToolEvent,
    Turn,
)
from contextual_rag.errors import RagError
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.record import Record
from streamlit_app.api_access import Asker, admit, city_of
from streamlit_app.api_errors import Problem
from streamlit_app.services import services

__all__ = ["FOLLOWED", "EventStream", "Text", "ask", "event_schemas", "follow_turn"]


class _Over:
    """The end of the events."""


class EventStream(StreamingResponse):
    """A response of server-sent events."""

    media_type = "text/event-stream"


# Each stream holds a thread while it waits. Pages have Streamlit's own threads.
_STREAMS: Final = CapacityLimiter(100)
_OVER: Final = _Over()
_MOST_EVENTS: Final = 1_000_000_000
# These end a line in an event, or are no Unicode text: JSON has an escape for the first, and nothing for the others.
_IN_ONE_LINE: Final = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"} | dict.fromkeys(
    range(0xD800, 0xE000), "\ufffd"
)
_SCHEMAS: Final = "#/components/schemas/"
# The data of each event by its name, in the order in which they arrive.
_DATA: Final[dict[str, Any]] = {
    "turn": Turn,
    "stage": StageEvent,
    "sources": SourcesEvent,
    "attempt": AttemptEvent,
    "text": TextEvent,
    "tool": ToolEvent,
    "answer": Answer,
    "error": Problem,
}
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)]

# What OpenAPI says about an answer.
FOLLOWED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The events of the answer. The data of each are one JSON text on one line.",
        "content": {EventStream.media_type: {"schema": {"$ref": f"{_SCHEMAS}StreamEvent"}}},
    }
}


class Question(BaseModel):
    """A question. `thread` continues a conversation. `turn` is an id that you choose: a repeated request asks once.

    With `where`, only the documents that match are asked. With `stream: false`, the answer arrives as a whole: as a
    turn.
    """

    question: Text
    thread: Annotated[str | None, Field(max_length=100)] = None
    turn: Annotated[str | None, Field(max_length=64)] = None
    version: Annotated[str | None, Field(max_length=100)] = None
    where: Filter | None = None
    city: Annotated[str | None, Field(max_length=100)] = None
    stream: bool = True


async def ask(body: Question, request: Request, who: Asker) -> Response:
    """Ask a question and follow its answer: the event `turn`, then events of progress, then `answer`.

    With `stream: false`, the response is the turn with its answer. If the answer takes longer than a turn may take, as
    without a worker, the response is the turn without it (202); read it later.
    """
    turn = await to_thread.run_sync(_asked, body, request, who)
    return _followed(turn, who) if body.stream else await _awaited(turn, request, who)


def _asked(body: Question, request: Request, who: str | None) -> Turn:
    conversations = services().conversations
    # What is empty is not given.
    thread, version, turn_id = body.thread or None, body.version or None, body.turn or secrets.token_urlsafe(16)
    where = body.where or None
    known = conversations.asked(thread, who, body.question, turn_id=turn_id, version=version, where=where)
    if known:
        return known
    admit(request, who)
    if version:
        services().manifest(version)
    if where:
        services().narrowed(version, where)
    city = None if thread else city_of(body.city, request)
    return conversations.ask(thread, who, body.question, turn_id=turn_id, version=version, where=where, city=city)


def follow_turn(
    turn: str,
    who: Asker,
    offset: Annotated[int, Query(ge=0, le=_MOST_EVENTS, description="How many events to skip.")] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Follow an existing turn, from an offset or from the event after `Last-Event-ID`."""
    known = int(last_event_id[:10]) if last_event_id and last_event_id.isdecimal() else offset
    return _followed(services().conversations.turn(turn, who), who, offset=min(known, _MOST_EVENTS))


def _followed(turn: Turn, who: str | None, *, offset: int = 0) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventStream(_stream(turn, who, offset), headers=headers)


async def _awaited(turn: Turn, request: Request, who: str | None) -> Response:
    conversations, gives_up_at = services().conversations, time.monotonic() + services().settings.turn_timeout_s
    following = conversations.follow(turn.id, who)
    while not isinstance(event := await to_thread.run_sync(_next, following, limiter=_STREAMS), _Over):
        if event is None and (time.monotonic() > gives_up_at or await request.is_disconnected()):
            break
    over = await to_thread.run_sync(conversations.turn, turn.id, who)
    return Response(_one_line(over), 200 if over.answer else 202, media_type="application/json")


async def _stream(turn: Turn, who: str | None, offset: int) -> AsyncIterator[bytes]:
    yield format_sse_event(event="turn", data_str=_one_line(turn.model_copy(update={"answer": None})))
    conversations = services().conversations
    try:
        following = conversations.follow(turn.id, who, offset=offset)
        while not isinstance(event := await to_thread.run_sync(_next, following, limiter=_STREAMS), _Over):
            if event is None:
                yield format_sse_event(comment="waiting")
                continue
            offset += 1
            yield format_sse_event(event=event.kind, id=str(offset), data_str=_one_line(event))
        over = await to_thread.run_sync(conversations.turn, turn.id, who, limiter=_STREAMS)
        if over.answer:
            yield format_sse_event(event="answer", id=str(offset), data_str=_one_line(over.answer))
    except RagError as error:
        yield format_sse_event(event="error", data_str=json.dumps({"error": str(error), "code": error.code}))


def _next(following: Iterator[Event | None]) -> Event | _Over | None:
    return next(following, _OVER)


def _one_line(record: Record) -> str:
    """Return a record as one JSON text that no reader of lines divides, whatever the record holds."""
    text = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)
    return text.translate(_IN_ONE_LINE)


def event_schemas() -> dict[str, Any]:
    """Return the JSON schemas of events and of their data by name, for OpenAPI."""
    kinds: list[tuple[str, Literal["serialization"], TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(data)) for name, data in _DATA.items()
    ]
    found, shared = TypeAdapter.json_schemas(kinds, ref_template=f"{_SCHEMAS}{{model}}")
    events = [
        {
            "title": name,
            "type": "object",
            "required": ["event", "data"],
            "properties": {
                "event": {"const": name},
                "id": {"type": "string"},
                "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": schema},
            },
        }
        for (name, _), schema in found.items()
    ]
    return {**shared["$defs"], "StreamEvent": {"oneOf": events}}
