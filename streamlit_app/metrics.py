"""Figures of the page and its API in the text format of Prometheus: without questions, ids, owners and addresses."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contextual_rag.conversation.model import Status
from contextual_rag.errors import RagError

if TYPE_CHECKING:
    from contextual_rag.conversation.client import Conversations

__all__ = ["LIMITED", "Counted", "Metrics"]

_REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=_REGISTRY)
_BUCKETS: Final = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
# A turn is stored a moment after the time that it bears, so the last seconds are looked at again.
_AGAIN_S: Final = 30.0

LIMITED: Final = Counter("rag_rate_limited", "Refusals by the rate limit.", ["what"], registry=_REGISTRY)
_RESPONSES: Final = Counter("rag_api_responses", "Responses of the API by status.", ["status"], registry=_REGISTRY)
_QUESTIONS: Final = Counter("rag_questions", "Questions by how they ended.", ["status"], registry=_REGISTRY)
_FIRST: Final = Histogram(
    "rag_first_token_seconds", "From a question to the first word.", buckets=_BUCKETS, registry=_REGISTRY
)
_WHOLE: Final = Histogram("rag_answer_seconds", "From a question to its end.", buckets=_BUCKETS, registry=_REGISTRY)
_VERSION: Final = Gauge("rag_index_version", "1 for the version that answers.", ["version"], registry=_REGISTRY)
_WORKER: Final = Gauge("rag_worker_up", "Whether a worker answers questions.", registry=_REGISTRY)
_WAITING: Final = Gauge(
    "rag_oldest_question_seconds", "How long the oldest question without an end has waited.", registry=_REGISTRY
)


class Metrics:
    """The figures of questions, which any worker answers: they are read from the database when they are asked for.

    Only questions that ended after this process started are counted, so that the counters only rise.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._since = time.time()
        self._counted: dict[str, float] = {}
        for status in get_args(Status):
            _QUESTIONS.labels(status)

    def text(self, conversations: Conversations, version: str | None, *, worker_up: bool) -> bytes:
        """Return all figures, with the version that answers. If the database is down, questions are counted later."""
        _VERSION.clear()
        if version:
            _VERSION.labels(version).set(1)
        _WORKER.set(worker_up)
        # Two at once would count a question twice.
        with self._lock, suppress(RagError):
            since = conversations.waiting_since()
            _WAITING.set(time.time() - since if since else 0)
            self._count(conversations)
        return generate_latest(_REGISTRY)

    def _count(self, conversations: Conversations) -> None:
        newest = max(self._counted.values(), default=self._since)
        for turn in conversations.ended_after(max(self._since, newest - _AGAIN_S)):
            if turn.id in self._counted:
                continue
            self._counted[turn.id] = turn.ended_at
            _QUESTIONS.labels(turn.status).inc()
            _WHOLE.observe(turn.seconds)
            if turn.first_token_s is not None:
                _FIRST.observe(turn.first_token_s)
        self._counted = {id_: at for id_, at in self._counted.items() if at > newest - 2 * _AGAIN_S}


class Counted:
    """Counts the responses of the API, those of the guard included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                _RESPONSES.labels(message["status"]).inc()
            await send(message)

        of_api = scope["type"] == "http" and scope["path"].startswith("/api/")
        await self._app(scope, receive, counting if of_api else send)
