"""What every chat model does, and what none does."""

from __future__ import annotations

from contextual_rag.ports import ChatModel, Message, ToolCall, Usage
from tests.contract.conftest import SENTENCE

ASKED = [Message("user", SENTENCE)]


class TestComplete:
    def test_answers_with_the_text_and_what_it_took(self, chat: ChatModel) -> None:
        text, usage = chat.complete(ASKED, max_tokens=100)
        assert text == SENTENCE
        assert isinstance(usage, Usage)

    def test_of_the_same_is_the_same(self, chat: ChatModel) -> None:
        first, second = (chat.complete(ASKED, max_tokens=100).text for _ in range(2))
        assert first == second


class TestStream:
    def test_says_in_pieces_what_complete_says_at_once(self, chat: ChatModel) -> None:
        pieces = [piece for piece in chat.stream(ASKED, max_tokens=100) if isinstance(piece, str)]
        assert "".join(pieces) == chat.complete(ASKED, max_tokens=100).text

    def test_ends_with_the_usage_and_never_says_it_before(self, chat: ChatModel) -> None:
        *pieces, usage = chat.stream(ASKED, max_tokens=100)
        assert isinstance(usage, Usage)
        assert pieces
        assert not any(isinstance(piece, Usage) for piece in pieces)

    def test_never_has_an_empty_piece(self, chat: ChatModel) -> None:
        assert all(piece for piece in chat.stream(ASKED, max_tokens=100) if isinstance(piece, str))

    def test_never_asks_for_a_tool_if_none_is_offered(self, chat: ChatModel) -> None:
        assert not any(isinstance(piece, ToolCall) for piece in chat.stream(ASKED, max_tokens=100))

    def test_that_is_left_early_leaves_the_model_usable(self, chat: ChatModel) -> None:
        stream = chat.stream(ASKED, max_tokens=100)
        assert next(stream)
        del stream
        assert chat.complete(ASKED, max_tokens=100).text == SENTENCE
