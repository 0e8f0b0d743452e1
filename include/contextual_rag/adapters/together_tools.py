"""Messages and tools as the HTTP API has them, and the tool calls of a stream put together."""

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

__all__ = ["ToolCallPieces", "offered", "spoken"]


@dataclass
class _Pieces:
    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, piece: ToolPiece) -> None:
        self.id = self.id or piece.id or ""
        if piece.function:
            # Some servers say the whole name with every piece.
            name = piece.function.name or ""
            self.name += name if name != self.name else ""
            self.arguments += piece.function.arguments or ""


class ToolCallPieces:
    """Puts together the tool calls of an answer, which arrive in pieces that say by an index to which they belong."""

    def __init__(self) -> None:
        self._calls: list[_Pieces] = []
        self._by_index: dict[int, _Pieces] = {}

    def feed(self, pieces: Iterable[ToolPiece]) -> None:
        """Take the next pieces, in the order in which they came."""
        for piece in pieces:
            index = piece.index if piece.index is not None else max(self._by_index, default=0)
            call = self._by_index.get(index)
            # Some servers number nothing, and tell calls apart by their ids alone.
            if call is None or (piece.id and call.id and piece.id != call.id):
                call = self._by_index[index] = _Pieces()
                self._calls.append(call)
            call.add(piece)

    def calls(self, *, taken: Collection[str]) -> list[ToolCall]:
        """Return the calls, in the order in which they began.

        One whose id is missing, or stands in `taken` or at another call, gets an id of ours. Raises AgainError where
        one has no name.
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
    """Return tools as a request names them."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]


def spoken(messages: Sequence[Message]) -> list[ChatCompletionMessageParam]:
    """Return messages as a request holds them."""
    return cast(list[ChatCompletionMessageParam], [_spoken(message) for message in messages])


def _spoken(message: Message) -> dict[str, object]:
    said: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        said["tool_calls"] = [
            {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _readable(call.arguments)},
            }
            for index, call in enumerate(message.tool_calls)
        ]
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
    return said


def _readable(arguments: str) -> str:
    """Models' templates read the arguments of earlier calls, and providers refuse the request where they cannot."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except ValueError:
        return "{}"
