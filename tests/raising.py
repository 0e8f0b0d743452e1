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
    error = caught.value
    assert (type(error), error.code) == (kind, code), f"{type(error).__name__} {error.code}: {error}"
    missing = [name for name in names if str(name) not in str(error)]
    assert not missing, f"{missing} not in: {error}"
