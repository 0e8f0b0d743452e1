"""Removes a reasoning model's thinking, `<think>…</think>`, from a whole text or from pieces of a stream."""

from __future__ import annotations

import re

__all__ = ["ThinkingFilter", "strip_thinking"]

_OPEN, _CLOSE = "<think>", "</think>"
_TAG = re.compile(f"{_OPEN}|{_CLOSE}")


class ThinkingFilter:
    """Passes an answer's text piece by piece and drops the thinking.

    The joined output does not depend on where the text was cut into pieces. White space at both ends is dropped. After
    an opening tag without a closing one, everything is dropped.

    Some chat templates open the thinking in the prompt, so that the text has only the closing tag (DeepSeek-R1, QwQ).
    With `hold`, text is held back until the first tag or the end, because it may be such thinking.
    """

    def __init__(self, *, hold: bool) -> None:
        self._hold = hold
        self._thinking = False
        self._pending = ""  # may be the start of a tag
        self._held: list[str] = []
        self._begun = False
        self._space: list[str] = []  # returned before the next word, if there is one

    def feed(self, piece: str) -> str:
        """Take the next piece; return the text that may be shown now, possibly none."""
        pending, at = self._pending + piece, 0
        out: list[str] = []
        for tag in _TAG.finditer(pending):
            if self._thinking and tag[0] == _OPEN:
                continue
            before, at = pending[at : tag.start()], tag.end()
            if self._thinking:
                self._thinking = False
            elif tag[0] == _OPEN:
                out += [*self._held, before]
                self._thinking = True
            elif not self._hold:  # a stray closing tag; text before it may be out already
                out.append(before)
            self._hold, self._held = False, []
        end = len(pending) - _partial_tag_length(pending[at:])
        text, self._pending = pending[at:end], pending[end:]
        if not self._thinking:
            (self._held if self._hold else out).append(text)
        return self._trim("".join(out))

    def release(self) -> str:
        """Stop holding back, because the provider sends the thinking in a separate field. Return the held text."""
        held, self._held, self._hold = "".join(self._held), [], False
        return self._trim(held)

    def close(self) -> str:
        """End the text; return what was still held back."""
        rest = "" if self._thinking else "".join([*self._held, self._pending])
        self._held, self._pending = [], ""
        return self._trim(rest)

    def _trim(self, text: str) -> str:
        words = text.rstrip()
        if not words:
            self._space += [text] if self._begun else []
            return ""
        shown = "".join([*self._space, words]) if self._begun else words.lstrip()
        self._space, self._begun = [text[len(words) :]], True
        return shown


def strip_thinking(text: str) -> str:
    """Return a whole answer without its thinking; empty if the thinking never ends."""
    thinking = ThinkingFilter(hold=True)
    return thinking.feed(text) + thinking.close()


def _partial_tag_length(text: str) -> int:
    """Return how many of the last characters may be the start of a tag."""
    lengths = range(min(len(text), len(_CLOSE) - 1), 0, -1)
    return next((n for n in lengths if _OPEN.startswith(text[-n:]) or _CLOSE.startswith(text[-n:])), 0)
