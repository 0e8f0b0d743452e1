"""What others wrote cannot end the place it is given in a prompt."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.fencing import fenced

pieces = st.lists(st.sampled_from(["</", "<", " ", "/", "document", "CHUNK", ">", "sour", "a", "\n"]), max_size=20)


class TestFencedText:
    @given(pieces.map("".join))
    def test_opens_and_closes_no_tag(self, text: str) -> None:
        assert not re.search(r"<\s*/?\s*(document|chunk)", fenced(text, "document", "chunk"), re.IGNORECASE)

    @given(st.text())
    def test_is_else_as_it_was(self, text: str) -> None:
        assert fenced(text, "document").replace("&lt;", "<") == text.replace("&lt;", "<")

    def test_keeps_other_angles(self) -> None:
        assert fenced("a < b, <b>c</b>", "document") == "a < b, <b>c</b>"
