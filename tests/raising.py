"""What tests expect of an error: its class, its code, and the objects that its message names. Never its sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from contextual_rag.errors import RagError

__all__ = ["raising"]

_E = TypeVar("_E", bound=RagError)


@contextmanager
def raising(kind: type[_E], code: str, *names: object) -> Iterator[pytest.ExceptionInfo[_E]]:
    """Expect an error of exactly this class and code.

    `names` are what its message must name: a key, a setting, a version, a figure.
    """
    with pytest.raises(kind) as caught:
        yield caught
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert [name for name in names if str(name) not in str(caught.value)] == [], caught.value
