"""Converts messages and tools to the HTTP API's form, and assembles the tool calls of a stream."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import cast

from together.types.chat.chat_completion_message_param import ChatCompletionMessageParam
from together.types.tools_param import ToolsParam

from contextual_rag.adapters.together import AgainError
from contextual_rag.adapters.together_wire import ToolPiece
from contextual_rag.ports import Message, ToolCall, ToolSpec

__all__ = ["ToolCallPieces", "as_sent", "offered"]


@dataclass
class _Pieces:
    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, piece: ToolPiece) -> None:
        self.id = self.id or piece.id or ""
        if piece.function:
            # Some servers send the whole name with every piece.
            name = piece.function.name or ""
            self.name += name if name != self.name else ""
            self.arguments += piece.function.arguments or ""


class ToolCallPieces:
    """Assembles the tool calls of an answer, which arrive in pieces with the index of their call."""

    def __init__(self) -> None:
        self._calls: list[_Pieces] = []
        self._by_index: dict[int, _Pieces] = {}

    def feed(self, pieces: Iterable[ToolPiece]) -> None:
        """Take the next pieces, in order of arrival."""
        for piece in pieces:
            index = piece.index if piece.index is not None else max(self._by_index, default=0)
            call = self._by_index.get(index)
            # Some servers send no index; only the ids distinguish their calls.
            if call is None or (piece.id and call.id and piece.id != call.id):
                call = self._by_index[index] = _Pieces()
                self._calls.append(call)
            call.add(piece)

    def calls(self, *, taken: Collection[str]) -> list[ToolCall]:
        """Return the calls in order of their start.

        A call without an id, or with an id in `taken` or of another call, gets a new id. Raises AgainError if a call
        has no name.
        """
        if not all(call.name for call in self._calls):
            raise AgainError("malformed answer (a tool call without a name)")
        ids = set(taken)
        fresh = (id_ for n in count(1) if (id_ := f"call_{n}") not in ids)
        calls = []
        for call in self._calls:
            id_ = call.id if call.id and call.id not in ids else next(fresh)
            ids.add(id_)
            calls.append(ToolCall(id_, call.name, call.arguments))
        return calls


def offered(tools: Sequence[ToolSpec]) -> list[ToolsParam]:
    """Return tools in the form of a request."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]


def as_sent(messages: Sequence[Message]) -> list[ChatCompletionMessageParam]:
    """Return messages in the form of a request."""
    return cast(list[ChatCompletionMessageParam], [_as_sent(message) for message in messages])


def _as_sent(message: Message) -> dict[str, object]:
    sent: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        sent["tool_calls"] = [
            {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _readable(call.arguments)},
            }
            for index, call in enumerate(message.tool_calls)
        ]
    if message.tool_call_id is not None:
        sent["tool_call_id"] = message.tool_call_id
    return sent


def _readable(arguments: str) -> str:
    """Replace invalid arguments: chat templates parse those of earlier calls, and providers refuse what they cannot."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except ValueError:
        return "{}"
