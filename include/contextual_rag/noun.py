"""What people read the documents called: essays, unless RAG_DOCUMENT_NOUN names something else.

A process calls them one thing, as it speaks one language; it is set when the process connects.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Noun", "call_documents", "noun"]


class Noun(NamedTuple):
    """The name of one document and of several. English knows no rule that makes the second of the first."""

    one: str = "essay"
    many: str = "essays"

    @property
    def heading(self) -> str:
        """The name of several, as a heading."""
        return self.many[:1].upper() + self.many[1:]

    def counted(self, number: int) -> str:
        """Return a number of them: "1 essay", "2,000 essays"."""
        return f"{number:,} {self.one if number == 1 else self.many}"


_used = Noun()


def noun() -> Noun:
    """Return what this process calls the documents."""
    return _used


def call_documents(name: Noun) -> None:
    """Set what this process calls the documents."""
    global _used  # noqa: PLW0603 - one language for a process
    _used = name
