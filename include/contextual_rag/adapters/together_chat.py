"""Chat models of Together AI, or any server with its HTTP API."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Final

import together

from contextual_rag.adapters.thinking import ThinkingFilter, strip_thinking
from contextual_rag.adapters.together import AgainError, Call, Together
from contextual_rag.adapters.together_tools import ToolCallPieces, as_sent, offered
from contextual_rag.adapters.together_wire import Answer, AnswerPiece, Text
from contextual_rag.errors import ModelError, RefusalError
from contextual_rag.ports import Completion, Message, ToolCall, ToolSpec, Usage

__all__ = ["TogetherChat"]

_log = logging.getLogger(__name__)

# Models whose template may open the thinking in the prompt; see ThinkingFilter.
_THINKS: Final = re.compile(r"think|reason|deepseek-r\d|qwq", re.IGNORECASE)
# How a provider says that an answer reached the tokens allowed.
_AT_LENGTH: Final = "length"


class TogetherChat:
    """A chat model. `setting` names the setting of the model, for messages.

    `thinks` means that the model may think without an opening tag, so a stream holds its text back until this is known.
    By default, it depends on the model's name.
    """

    def __init__(
        self, client: Together, name: str, *, setting: str = "RAG_CHAT_MODEL", thinks: bool | None = None
    ) -> None:
        self.name = name
        self._client = client
        self._setting = setting
        self._thinks = bool(_THINKS.search(name)) if thinks is None else thinks

    def complete(self, messages: Sequence[Message], *, max_tokens: int, temperature: float = 0.0) -> Completion:
        """Answer in one piece. Raises RefusalError if the answer is empty."""
        call = self._call(messages, max_tokens)

        def send() -> Answer:
            raw = self._client.sdk.chat.completions.with_raw_response.create(
                model=self.name, messages=as_sent(messages), max_tokens=max_tokens, temperature=temperature
            )
            return Answer.model_validate_json(raw.read())

        answer = self._client.call(send, call)
        usage = self._client.spent(call, answer.usage, guess=call.tokens)
        choice = answer.choices[0]
        message = choice.message or Text()
        text = strip_thinking(message.content or "")
        self._check(bool(text), choice.finish_reason, message.refusal)
        return Completion(text, usage._replace(cut_off=int(choice.finish_reason == _AT_LENGTH)))

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        tools: Sequence[ToolSpec] = (),
    ) -> Iterator[str | ToolCall | Usage]:
        """Yield the answer's text piece by piece, then each tool call, and last the Usage.

        If a stream breaks before its first text, the request is retried; afterwards ServiceUnavailableError is raised.
        A model that takes no tools is asked without them.
        """
        call = self._call(messages, max_tokens, tools)

        def send() -> tuple[str | ToolCall | Usage, Generator[str | ToolCall | Usage]]:
            pieces = self._pieces(messages, call, max_tokens, temperature, tools)
            return next(pieces), pieces

        try:
            first, rest = self._client.call(send, call)
        except ModelError as error:
            if not tools or error.code != "model_tools":
                raise
            _log.warning("%s. It answers without tools; RAG_TOOL_ROUNDS=0 offers none.", error)
            yield from self.stream(messages, max_tokens=max_tokens, temperature=temperature)
            return
        self._client.begun(call)
        with self._client.mapping(call), closing(rest):
            yield first
            yield from rest

    def _pieces(
        self,
        messages: Sequence[Message],
        call: Call,
        max_tokens: int,
        temperature: float,
        tools: Sequence[ToolSpec],
    ) -> Generator[str | ToolCall | Usage]:
        thinking, asked = ThinkingFilter(hold=self._thinks), ToolCallPieces()
        tokens, finish, refusal, length = None, None, None, 0
        # OpenAI-compatible servers count a stream's tokens only on request; the SDK has no parameter for it.
        with self._client.sdk.chat.completions.create(
            model=self.name,
            messages=as_sent(messages),
            max_tokens=max_tokens,
            temperature=temperature,
            tools=offered(tools) if tools else together.omit,
            stream=True,
            extra_body={"stream_options": {"include_usage": True}},
        ) as stream:
            for sent in stream:
                chunk = AnswerPiece.model_validate(sent)
                tokens = chunk.usage or tokens
                for choice in chunk.choices or ():
                    delta = choice.delta or Text()
                    text = thinking.release() if delta.reasoning or delta.reasoning_content else ""
                    text += thinking.feed(delta.content or "")
                    asked.feed(delta.tool_calls or ())
                    finish, refusal = choice.finish_reason or finish, delta.refusal or refusal
                    if text:
                        length += len(text)
                        yield text
        if finish is None:  # the SDK treats a closed connection as the end
            raise AgainError("the stream was cut")
        if text := thinking.close():
            length += len(text)
            yield text
        wanted = asked.calls(taken={earlier.id for message in messages for earlier in message.tool_calls})
        self._check(bool(length or wanted), finish, refusal)
        yield from wanted
        length += sum(len(tool.name) + len(tool.arguments) for tool in wanted)
        usage = self._client.spent(call, tokens, guess=call.tokens - max_tokens + length // 4)
        yield usage._replace(cut_off=int(finish == _AT_LENGTH))

    def _call(self, messages: Sequence[Message], max_tokens: int, tools: Sequence[ToolSpec] = ()) -> Call:
        texts = [message.content for message in messages]
        texts += [tool.arguments for message in messages for tool in message.tool_calls]
        texts += [json.dumps(tool) for tool in tools]
        return Call.of(self.name, self._setting, texts, max_tokens)

    def _check(self, answered: bool, finish: str | None, refusal: str | None) -> None:
        if refusal or finish == "content_filter":
            raise RefusalError(f"{self.name} refused to answer: {refusal or 'stopped by its content filter'}")
        if not answered and finish == _AT_LENGTH:
            raise RefusalError(
                f"{self.name} gave an empty answer: it used up its tokens for thinking. Allow more tokens",
                code="refusal_tokens",
            )
        if not answered:
            raise RefusalError(f"{self.name} gave an empty answer", code="refusal_empty")
