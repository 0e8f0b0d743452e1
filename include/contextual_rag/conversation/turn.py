"""One turn as a workflow: load history → rewrite → search → the model → its tools until it wants none → check and save.

Each of these is a step whose result DBOS records. A worker that takes up a killed one's turn runs this again from the
top: steps that were recorded give what they gave, and the first that was not is run. So nothing here may depend on
time, chance or the world but within a step. What a reader sees meanwhile goes through the journal.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Lock
from typing import Final, NamedTuple, TypeVar

from dbos import DBOS
from dbos.error import DBOSMaxStepRetriesExceeded

from contextual_rag.conversation.endings import ENDLESS_TOOLS, answered, explained, halted, unfinished
from contextual_rag.conversation.journal import HaltedError, Journal, Pen
from contextual_rag.conversation.model import (
    Answer,
    AttemptEvent,
    Source,
    SourcesEvent,
    StageEvent,
    TextEvent,
    ToolEvent,
    ToolUse,
)
from contextual_rag.conversation.model import Turn as Asked
from contextual_rag.conversation.progress import fold, joined
from contextual_rag.conversation.store import Store
from contextual_rag.errors import RagError, RetriableError, ServiceUnavailableError
from contextual_rag.ports import ChatModel, Index, Message, ToolCall, Usage
from contextual_rag.qa.answer import MAX_TOKENS, find, quoted
from contextual_rag.qa.prompt import conversation_messages, tool_message
from contextual_rag.qa.query import Exchange, Standalone, rewrite
from contextual_rag.qa.sources import numbered
from contextual_rag.qa.tools import Toolbox, ToolOutcome, policy
from contextual_rag.settings import OFFLINE_ANSWERS
from contextual_rag.wiring import World

__all__ = ["Turns"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# So many exchanges before a question are what it may refer to.
_EXCHANGES: Final = 4
_UNREACHABLE: Final = "It cannot be reached now."
# How many words of an answer that is there at once are shown at a time.
_WORDS: Final = 4


class _CutShortError(ServiceUnavailableError):
    """A model's answer broke off after it had begun; one that never began was tried often enough by the adapter."""


class _Begun(NamedTuple):
    """What a turn begins with; `at` is the time in seconds since 1970."""

    turn: Asked
    city: str | None
    history: list[Exchange]
    at: float


class _Found(NamedTuple):
    """Which version was searched, and what was found in it."""

    version: str
    sources: list[Source]


class _Said(NamedTuple):
    """What the model said in a round, which tools it wants, and when its first word came (seconds since 1970)."""

    text: str
    calls: tuple[ToolCall, ...]
    usage: Usage
    first_at: float | None


class _Used(NamedTuple):
    """What a tool gave: for the model, for the reader, and as further sources."""

    outcome: ToolOutcome
    use: ToolUse
    sources: list[Source]


class Turns:
    """Answers turns, in the process that runs them. Safe to share between threads."""

    def __init__(self, world: World, store: Store, journal: Journal) -> None:
        self._world = world
        self._store = store
        self._journal = journal

    def answer(self, turn_id: str) -> None:
        """Answer a turn: the body of the workflow. However it ends, the turn has an answer then."""
        with self._journal.pen(turn_id, time_limit_s=self._world.settings.turn_timeout_s) as pen:
            _Answering(self._world, self._store, pen).run()


class _Answering:
    """A turn that is being answered, and what its steps gave so far."""

    def __init__(self, world: World, store: Store, pen: Pen) -> None:
        self._world = world
        self._store = store
        self._pen = pen
        self._sources: list[Source] = []
        self._tools: list[ToolUse] = []
        self._said: list[str] = []
        self._usage = Usage()
        self._asked = ""
        self._version: str | None = None
        self._model = ""
        self._began_at = 0.0
        self._first_at: float | None = None

    def run(self) -> None:
        """Go through all steps. Raises only where the answer cannot be stored."""
        begun = self._step("begin", self._begin, attempts=5)
        if begun is None:
            return
        self._began_at = begun.at
        failure: Exception | None = None
        try:
            self._answer(begun)
        except DBOSMaxStepRetriesExceeded as exhausted:
            failure = exhausted.errors[-1]
        except Exception as error:  # noqa: BLE001 - whatever it was, the reader is told that there is no answer
            failure = error
        self._tell(failure)
        self._step("save", lambda: self._save(failure), attempts=5)

    def _answer(self, begun: _Begun) -> None:
        turn, chat = begun.turn, self._world.chat_model()
        self._model = chat.name if chat else OFFLINE_ANSWERS
        rewritten = self._step("rewrite", lambda: self._rewrite(begun, chat))
        self._asked, self._usage = rewritten.question, rewritten.usage
        found = self._step("search", lambda: self._search(turn.version, rewritten.question), attempts=3)
        self._version, self._sources = found.version, found.sources
        if chat is None:
            self._take(self._step("quote", lambda: self._quote(rewritten.question)))
        else:
            self._converse(chat, begun)

    def _converse(self, chat: ChatModel, begun: _Begun) -> None:
        """Let the model speak, and call tools in between so long as it wants some and may."""
        toolbox = self._toolbox(begun.city)
        messages = conversation_messages(begun.turn.question, begun.history, self._sources)
        rounds = self._world.settings.tool_rounds
        for n in range(rounds + 1):
            tools = toolbox.specs() if n < rounds else ()
            said = self._step(f"model {n}", lambda: self._speak(chat, messages, tools, n), attempts=3, retry=_CutShortError)
            self._take(said)
            if not said.calls or not tools:
                return
            messages.append(Message("assistant", said.text, said.calls))
            for i, call in enumerate(said.calls):
                known = list(self._sources)
                used = self._use(toolbox, call, f"{n}.{i}")
                messages.append(tool_message(call, used.outcome, known))
                self._tools.append(used.use)
                self._sources += used.sources

    def _take(self, said: _Said) -> None:
        self._said.append(said.text)
        self._usage += said.usage
        self._first_at = self._first_at or said.first_at

    def _use(self, toolbox: Toolbox, call: ToolCall, use_id: str) -> _Used:
        """Run a tool in a step of its own. One that cannot be run is told to the model, which may do without."""
        attempts = policy(call.name).attempts
        try:
            return self._step(f"tool {call.name}", lambda: self._run_tool(toolbox, call, use_id), attempts=attempts)
        except HaltedError:
            raise
        except (DBOSMaxStepRetriesExceeded, RagError) as error:
            _log.warning("Turn %s, %s: %s", self._pen.turn_id, call.name, _cause(error))
            use = ToolUse(id=use_id, name=call.name, arguments={}, error=_UNREACHABLE)
            # No step: it says the same again, however often it is written.
            self._pen.write(ToolEvent(use=use))
            return _Used(ToolOutcome({}, None, _UNREACHABLE, []), use, [])

    def _step(
        self,
        name: str,
        work: Callable[[], _T],
        *,
        attempts: int = 1,
        retry: type[Exception] = RetriableError,
    ) -> _T:
        """Run a step that is not recorded yet; what it wrote is stored before its result is.

        One attempt is right for what is tried again below: adapters do so for each request.
        """

        def whole() -> _T:
            result = work()
            self._pen.flush()
            return result

        return DBOS.run_step(
            {
                "name": name,
                "retries_allowed": attempts > 1,
                "max_attempts": attempts,
                "interval_seconds": 0.5,
                "should_retry": lambda error: isinstance(error, retry),
            },
            whole,
        )

    # The steps

    def _begin(self) -> _Begun | None:
        asked = self._store.asked(self._pen.turn_id, _EXCHANGES)
        if asked is None:
            return None
        history = [
            Exchange(turn.answer.asked or turn.question, turn.answer.text) for turn in asked.earlier if turn.answer
        ]
        return _Begun(asked.turn, asked.city, history, time.time())

    def _rewrite(self, begun: _Begun, chat: ChatModel | None) -> Standalone:
        self._pen.write(StageEvent(stage="reading the question"))
        return self._pen.await_(lambda: rewrite(begun.turn.question, begun.history, chat))

    def _search(self, version: str | None, question: str) -> _Found:
        self._pen.write(StageEvent(stage="searching the essays"))

        def search() -> _Found:
            world = self._world
            index = self._index(version) if version else world.reader.index()
            embedder = world.embedding_model(index.recipe.embedding_model)
            hits = find(index, world.vectors, embedder, question, reranker=world.rerank_model())
            return _Found(index.version, _as_sources(numbered(hits, [])))

        found = self._pen.await_(search)
        self._pen.write(SourcesEvent(sources=tuple(found.sources)))
        return found

    def _quote(self, question: str) -> Said:
        """Answer without a model."""
        self._pen.write(StageEvent(stage="choosing quotations"))
        hits = [Hit(*(getattr(source, name) for name in Hit._fields)) for source in self._sources]
        embedder = self._world.embedding_model(self._index(self._version).recipe.embedding_model)
        return recite(self._pen, self._pen.await_(lambda: quoted(question, hits, embedder)))

    def _speak(self, chat: ChatModel, messages: Sequence[Message], tools: Sequence[ToolSpec], n: int) -> Said:
        self._pen.write(StageEvent(stage="writing the answer"))
        return speak(self._pen, chat, messages, tools, n)

    def _run_tool(self, toolbox: Toolbox, call: ToolCall, use_id: str) -> _Used:
        started = time.monotonic()
        self._pen.write(StageEvent(stage=f"using {call.name}"))
        self._pen.write(ToolEvent(use=ToolUse(id=use_id, name=call.name, arguments={})))
        outcome = self._pen.await_(lambda: toolbox.run(call), within_s=policy(call.name).time_limit_s)
        use = ToolUse(
            id=use_id,
            name=call.name,
            arguments=outcome.arguments,
            result=outcome.result,
            error=outcome.error,
            seconds=round(time.monotonic() - started, 3),
        )
        known = {source.n for source in self._sources}
        sources = [s for s in _as_sources(numbered(outcome.hits, self._sources)) if s.n not in known]
        self._pen.write(ToolEvent(use=use))
        if sources:
            self._pen.write(SourcesEvent(sources=tuple(sources)))
        return _Used(outcome, use, sources)

    def _save(self, failure: Exception | None) -> None:
        if failure is None:
            answer = finished(joined(self._said), self._sources, self._tools)
        else:
            seen = fold(self._store.unfolded(self._pen.turn_id, 0).events)
            answer = unfinished(seen, failure)
        first_s = self._first_at and self._first_at - self._began_at
        known = {
            "asked": self._asked,
            "version": self._version,
            "model": self._model,
            "prompt_tokens": self._usage.prompt_tokens,
            "completion_tokens": self._usage.completion_tokens,
            "cost_usd": self._usage.cost_usd,
            "first_token_ms": None if first_s is None else round(1000 * first_s, 1),
            "total_ms": round(1000 * (time.time() - self._began_at), 1),
        }
        self._store.end(self._pen.turn_id, answer.model_copy(update=known))

    def _toolbox(self, city: str | None) -> Toolbox:
        index = self._index(self._version)
        return self._world.toolbox(index, city=city)

    def _index(self, version: str | None) -> IndexFiles:
        """The index of a version: the one that is open already, or another."""
        served = self._world.reader.index() if version is None else self._served()
        if served and version in (None, served.version):
            return served
        return self._world.indexes.open(self._world.registry.resolve(version))


def _as_sources(passages: Sequence[Numbered]) -> list[Source]:
    return [Source(n=n, **hit._asdict()) for n, hit in passages]


def _log_failure(turn_id: str, failure: Exception) -> None:
    """Say in the log what the reader is not told."""
    if isinstance(failure, HaltedError):
        _log.info("Turn %s %s", turn_id, failure.how)
    elif isinstance(failure, RagError):
        _log.warning("Turn %s failed (%s): %s", turn_id, type(failure).__name__, failure)
    else:
        _log.error("Turn %s failed", turn_id, exc_info=failure)
