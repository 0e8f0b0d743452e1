"""One turn as a workflow: load history → rewrite → search → model and tools, in rounds → check and save.

Each is a step, and DBOS records its result. If a worker is killed, another runs the turn again from the top: recorded
steps return their results, and work continues with the first step that has none. So code outside a step must not
depend on time, randomness or services. The journal carries what the reader sees meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import starmap
from typing import Final, NamedTuple, TypeVar

from dbos import DBOS
from dbos import error as dbos_error

from contextual_rag.conversation.desk import Desk, toolbox
from contextual_rag.conversation.endings import chunks_of, finished, log_failure, named, unfinished
from contextual_rag.conversation.journal import HaltedError, Journal, Pen
from contextual_rag.conversation.model import Source, SourcesEvent, StageEvent, ToolEvent, ToolUse, Turn
from contextual_rag.conversation.progress import fold, joined
from contextual_rag.conversation.speech import CutShortError, Said, recite, speak
from contextual_rag.conversation.store import Store
from contextual_rag.errors import RagError, RefusalError, RetriableError, ServiceUnavailableError
from contextual_rag.languages import strangeness
from contextual_rag.noun import noun
from contextual_rag.ports import ChatModel, Index, Message, ToolCall, Usage
from contextual_rag.qa.answer import cites_nothing, find, quoted
from contextual_rag.qa.filters import Filter, narrowed
from contextual_rag.qa.meter import Meter
from contextual_rag.qa.prompt import cite_message, conversation_messages, tool_message
from contextual_rag.qa.query import TURNS, Exchange, Standalone, rewrite
from contextual_rag.qa.retrieve import Hit
from contextual_rag.qa.silence import silence
from contextual_rag.qa.sources import numbered
from contextual_rag.qa.spelling import respelled
from contextual_rag.qa.tools import ToolOutcome, policy
from contextual_rag.roles import OFFLINE_ANSWERS

__all__ = ["Turns"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_FRESH_WITHIN_S: Final = 2.0
# The pause between two attempts at a step; it doubles each time.
_PAUSE_S: Final = 0.5
_UNREACHABLE: Final = "It cannot be reached now."


class _Begun(NamedTuple):
    """The input of a turn, begun `at` seconds since 1970. Release 0.1.0 asks once, and has no filter `where`."""

    turn: Turn
    city: str | None
    history: list[Exchange]
    at: float
    asks_again: bool = False
    where: Filter | None = None


class _Found(NamedTuple):
    """The version that was searched, and the passages found; `nothing` says that they do not answer."""

    version: str
    sources: list[Source]
    usage: Usage = Usage()
    corrected: str | None = None
    nothing: str | None = None
    note: str | None = None


class _Used(NamedTuple):
    """A tool's result: for the model, for the reader, and as further sources."""

    outcome: ToolOutcome
    use: ToolUse
    sources: list[Source]
    usage: Usage = Usage()


class Turns:
    """Answers turns in the worker process. Safe to share between threads."""

    def __init__(self, world: Desk, store: Store, journal: Journal) -> None:
        self._world = world
        self._store = store
        self._journal = journal

    def answer(self, turn_id: str) -> None:
        """Answer a turn: the body of the workflow. In every case the turn has an answer at the end."""
        with self._journal.pen(turn_id, time_limit_s=self._world.settings.turn_timeout_s) as pen:
            _Answering(self._world, self._store, pen).run()


class _Answering:
    """A turn in progress, with the results of its steps so far."""

    def __init__(self, world: Desk, store: Store, pen: Pen) -> None:
        self._world = world
        self._store = store
        self._pen = pen
        self._sources: list[Source] = []
        self._tools: list[ToolUse] = []
        self._texts: list[str] = []
        self._cut_off = False
        self._usage = Usage()
        self._asked = ""
        self._corrected: str | None = None
        self._note: str | None = None
        self._version: str | None = None
        self._model = ""
        self._began_at = 0.0
        self._first_at: float | None = None
        self._opened: Index | None = None
        self._where: Filter | None = None
        self._nothing: str | None = None

    def run(self) -> None:
        """Run all steps. Raises only if the answer cannot be stored."""
        begun = self._step("begin", self._begin, attempts=5)
        if begun is None:
            return
        self._began_at, self._where = begun.at, begun.where
        failure: Exception | None = None
        try:
            self._answer(begun)
        except dbos_error.DBOSMaxStepRetriesExceeded as exhausted:
            failure = exhausted.errors[-1]
        except Exception as error:  # noqa: BLE001 - any failure must end the turn with an explanation
            failure = error
        if failure:
            log_failure(self._pen.turn_id, failure)
        self._step("save", lambda: self._save(failure), attempts=5)

    def _answer(self, begun: _Begun) -> None:
        turn, chat = begun.turn, self._world.chat_model(Meter())
        self._model = chat.name if chat else OFFLINE_ANSWERS
        rewritten = self._step("rewrite", lambda: self._rewrite(begun, chat))
        self._asked, self._usage = rewritten
        # The step is retried because the vector store's adapter does not retry.
        found = self._step("search", lambda: self._search(turn.version), attempts=2)
        self._version, self._sources, self._corrected = found.version, found.sources, found.corrected
        self._usage, self._nothing = self._usage + found.usage, found.nothing
        if chat is None:
            self._note = found.note
            self._take(self._step("quote", self._quote))
        else:
            self._converse(chat, begun)

    def _converse(self, chat: ChatModel, begun: _Begun) -> None:
        """Let the model answer, in rounds: while it calls tools and may, run them and ask again."""
        messages = conversation_messages(begun.turn.question, begun.history, self._sources)
        rounds, told = self._world.settings.tool_rounds, False
        for n in range(rounds + 1):
            speaking = partial(self._speak, chat, tuple(messages), n, offer_tools=n < rounds)
            reply = self._step(f"model {n}", speaking, attempts=3, retry=CutShortError)
            self._take(reply)
            if not reply.calls or n == rounds:
                break
            messages.append(Message("assistant", reply.text, reply.calls))
            for i, call in enumerate(reply.calls):
                used = self._use(call, f"{n}.{i}", begun.city)
                messages.append(tool_message(call, used.outcome, self._sources))
                told = told or bool(used.outcome.result and not used.outcome.hits)
                self._tools.append(used.use)
                self._usage += used.usage
                self._sources = [*self._sources, *used.sources]
        text = joined(self._texts)
        # What a tool tells without passages has no number to cite.
        if text and begun.asks_again and not told and cites_nothing(text, chunks_of(self._sources)):
            self._ask_again(chat, [*messages, Message("assistant", reply.text)], n)
        if not any(self._texts):
            raise RefusalError(f"{chat.name} called tools in each of {rounds} rounds and never answered")

    def _ask_again(self, chat: ChatModel, messages: Sequence[Message], n: int) -> None:
        """Ask the model once more for an answer that cites. If it gives none, the first one stands."""
        speaking = partial(self._speak, chat, [*messages, cite_message()], n, offer_tools=False)
        try:
            reply = self._step("cite", speaking, attempts=3, retry=CutShortError)
        except (dbos_error.DBOSMaxStepRetriesExceeded, RagError) as error:
            _log.warning("Turn %s cites nothing, and could not be asked again (%s)", self._pen.turn_id, named(error))
        else:
            self._texts.clear()
            self._take(reply)

    def _take(self, reply: Said) -> None:
        self._texts.append(reply.text)
        self._cut_off = bool(reply.usage.cut_off)
        self._usage += reply.usage
        self._first_at = self._first_at or reply.first_at

    def _use(self, call: ToolCall, use_id: str, city: str | None) -> _Used:
        """Run a tool in its own step. If this fails, the model gets an error and may answer without it."""
        attempts = policy(call.name).attempts
        try:
            return self._step("tool", lambda: self._run_tool(call, use_id, city), attempts=attempts)
        except HaltedError:
            raise
        except (dbos_error.DBOSMaxStepRetriesExceeded, RagError) as error:
            _log.warning("Turn %s could not use %s (%s)", self._pen.turn_id, call.name, named(error))
            use = ToolUse(id=use_id, name=call.name, arguments={}, error=_UNREACHABLE)
            # This needs no step: the event is the same each time it is written.
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
        """Return the recorded result of a step, or run it. Its events are stored before its result or failure.

        One attempt is enough if the adapters below retry each request.
        """

        def work_and_flush() -> _T:
            try:
                return work()
            finally:
                self._pen.flush()

        return DBOS.run_step(
            {
                "name": name,
                "retries_allowed": attempts > 1,
                "max_attempts": attempts,
                "interval_seconds": _PAUSE_S,
                "should_retry": lambda error: isinstance(error, retry),
            },
            work_and_flush,
        )

    # The steps

    def _begin(self) -> _Begun | None:
        asked = self._store.asked(self._pen.turn_id, TURNS)
        if asked is None:
            return None
        history = [
            Exchange(turn.answer.asked or turn.question, turn.answer.text) for turn in asked.earlier if turn.answer
        ]
        return _Begun(asked.turn, asked.city, history, time.time(), asks_again=True, where=asked.turn.where)

    def _rewrite(self, begun: _Begun, chat: ChatModel | None) -> Standalone:
        self._pen.write(StageEvent(stage="reading the question"))
        ask = partial(rewrite, begun.turn.question, begun.history, chat, lambda: self._world.reader.index().languages)
        return self._pen.wait_for(ask)

    def _search(self, version: str | None) -> _Found:
        self._pen.write(StageEvent(stage=f"searching the {noun().many}"))
        if version is None:
            # Use a version published a moment ago, unless checking or loading it takes too long.
            with suppress(ServiceUnavailableError):
                current = self._pen.wait_for(self._world.reader.refresh, within_s=_FRESH_WITHIN_S)
                self._opened = narrowed(current, self._where)

        def search() -> _Found:
            world, index, meter = self._world, self._index(version), Meter()
            embedder = world.embedding_model(index.recipe, meter)
            corrected = respelled(index, self._asked)
            asked = corrected or self._asked
            hits = find(index, world.vectors, embedder, asked, reranker=world.rerank_model(meter))
            sources = list(starmap(Source.of, numbered(hits)))
            note = strangeness(self._asked, index.languages)
            return _Found(index.version, sources, meter.used, corrected, silence(index, asked, hits, self._where), note)

        found = self._pen.wait_for(search)
        self._pen.write(SourcesEvent(sources=tuple(found.sources)))
        return found

    def _quote(self) -> Said:
        """Answer with quotations, without a model."""
        self._pen.write(StageEvent(stage="choosing quotations"))
        hits = [Hit(*(getattr(source, name) for name in Hit._fields)) for source in self._sources]
        meter = Meter()

        def choose() -> str:
            world, index = self._world, self._index(self._version)
            embedder = world.embedding_model(index.recipe, meter)
            return quoted(index, world.vectors, embedder, self._corrected or self._asked, hits, world.quote_model())

        return recite(self._pen, self._pen.wait_for(choose))._replace(usage=meter.used)

    def _speak(self, chat: ChatModel, messages: Sequence[Message], n: int, *, offer_tools: bool) -> Said:
        self._pen.write(StageEvent(stage="writing the answer"))
        tools = toolbox(self._world, self._index(self._version), None, Meter()).specs() if offer_tools else ()
        return speak(self._pen, chat, messages, tools, n)

    def _run_tool(self, call: ToolCall, use_id: str, city: str | None) -> _Used:
        started, meter = time.monotonic(), Meter()
        self._pen.write(StageEvent(stage=f"using {call.name}"))
        self._pen.write(ToolEvent(use=ToolUse(id=use_id, name=call.name, arguments={})))
        outcome = self._pen.wait_for(
            lambda: toolbox(self._world, self._index(self._version), city, meter).run(call),
            within_s=policy(call.name).time_limit_s,
        )
        use = ToolUse(
            id=use_id,
            name=call.name,
            arguments=outcome.arguments,
            result=outcome.result,
            error=outcome.error,
            seconds=round(time.monotonic() - started, 3),
        )
        known = {source.n for source in self._sources}
        sources = [Source.of(n, hit) for n, hit in numbered(outcome.hits, self._sources) if n not in known]
        self._pen.write(ToolEvent(use=use))
        if sources:
            self._pen.write(SourcesEvent(sources=tuple(sources)))
        return _Used(outcome, use, sources, meter.used)

    def _save(self, failure: Exception | None) -> None:
        if failure is None:
            said = joined(self._texts)
            answer = finished(said, self._sources, self._tools, cut_off=self._cut_off, note=self._note)
        else:
            seen = fold(self._store.unfolded(self._pen.turn_id, 0).events)
            answer = unfinished(seen, failure)
        first_s = self._first_at and self._first_at - self._began_at
        known = {
            "asked": self._asked,
            "corrected": self._corrected,
            "version": self._version,
            "where": self._where,
            "model": self._model,
            **{name: getattr(self._usage, name) for name in ("prompt_tokens", "completion_tokens", "cost_usd")},
            "first_token_ms": None if first_s is None else round(1000 * first_s, 1),
            "total_ms": round(1000 * (time.time() - self._began_at), 1),
            "text": self._nothing if answer.status == "abstained" and self._nothing else answer.text,
        }
        self._store.end(self._pen.turn_id, answer.model_copy(update=known))

    def _index(self, version: str | None) -> Index:
        """Return the filtered index of a version, or of CURRENT if None; a turn keeps that of its first search."""
        if self._opened is None:
            world = self._world
            current = world.reader.serving if version else world.reader.index()
            if current is None or version not in (None, current.version):
                current = world.indexes.open(world.registry.resolve(version))
            self._opened = narrowed(current, self._where)
        return self._opened
