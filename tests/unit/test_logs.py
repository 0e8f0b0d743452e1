"""Logs of the page and the worker: what failed and where, and nothing that a person wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from contextual_rag.conversation.engine import create_engine
from contextual_rag.logs import log_no_texts

QUESTION = "Why does nobody write to me?"


class Numbered(BaseModel):
    """A number."""

    n: int


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is set for the process is undone."""
    make = logging.getLogRecordFactory()
    filters = {name: list(logging.getLogger(name).filters) for name in ("uvicorn.access", "uvicorn.error")}
    log_no_texts()
    yield
    logging.setLogRecordFactory(make)
    for name, before in filters.items():
        logging.getLogger(name).filters = before


def raise_quoting(kind: str) -> None:
    """Raise what quotes the question."""
    if kind == "validation":
        Numbered.model_validate({"n": QUESTION})
    if kind == "group":
        raise ExceptionGroup(QUESTION, [ValueError(QUESTION)])
    try:
        raise KeyError(QUESTION)
    except KeyError as error:
        if kind == "cause":
            raise ValueError(QUESTION) from error
        raise ValueError(QUESTION)  # noqa: B904 - its context is logged too


@pytest.mark.parametrize("kind", ["validation", "group", "cause", "context"])
def test_an_exception_is_logged_by_class_and_place(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise_quoting(kind)
    except Exception:
        logging.getLogger("any").exception("It failed")
    assert QUESTION not in caplog.text
    assert "Error" in caplog.text or "ExceptionGroup" in caplog.text
    assert "in raise_quoting" in caplog.text
    assert ("KeyError" in caplog.text) == (kind in {"cause", "context"})


def test_an_error_of_the_database_does_not_hold_what_was_to_be_stored(tmp_path: Path) -> None:
    engine = create_engine(sa.URL.create("sqlite", database=str(tmp_path / "conversations.db")))
    with pytest.raises(sa.exc.SQLAlchemyError) as raised, engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (:q)"), {"q": QUESTION})
    engine.dispose()
    assert "nowhere" in str(raised.value)
    assert QUESTION not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message", "passes"),
    [
        ("uvicorn.access", '%s - "%s %s HTTP/%s" %d', False),
        ("uvicorn.error", '%s - "WebSocket %s" [accepted]', False),
        ("uvicorn.error", "Application startup complete.", True),
    ],
)
def test_requests_are_not_logged_and_other_news_of_the_server_is(name: str, message: str, passes: bool) -> None:
    logger = logging.getLogger(name)
    assert bool(logger.filter(logger.makeRecord(name, logging.INFO, "", 0, message, (), None))) == passes
