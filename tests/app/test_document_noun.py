"""What the documents are called: on the page, in commands and in answers, by one setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

import streamlit_app.page
from bench.days import build_day, keep_day
from contextual_rag import cli
from contextual_rag.noun import Noun, call_documents
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from streamlit_app.services import services

PAGE = Path(str(streamlit_app.__file__)).with_name("page.py")
DISHES = {
    "broth": "Simmer the bones for nine hours.\n\nSkim the broth twice, and salt it last.",
    "bread": "Knead the dough until it is smooth.\n\nThe oven must be hot before the loaf goes in.",
    "jam": "Boil the plums with half their weight of sugar.\n\nFill the jars while the jam is hot.",
}
QUESTIONS = (
    "How long must the bones simmer?",
    "How many recipes are there?",
    "How many documents are there?",
    "Which recipe is the newest?",
    "Who won the football final in Lisbon?",
)
_SHOWN = ("label", "body", "placeholder", "help", "value")


@pytest.fixture
def called(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Dishes in an index, and what gives their documents a name."""
    world = World(settings)
    keep_day(world, date(2026, 3, 1), DISHES)
    build_day(world, date(2026, 3, 1), promote=True)

    def call(noun: str) -> None:
        services.cache_clear()
        st.cache_data.clear()
        if noun:
            monkeypatch.setenv("RAG_DOCUMENT_NOUN", noun)

    yield call
    if services.cache_info().currsize:
        services().close()
    services.cache_clear()
    call_documents(Noun())


def _essays() -> None:
    from streamlit_app.app_pages.essays import essays

    essays()


def _essay() -> None:
    import streamlit as st

    from streamlit_app.app_pages.essay import essay

    st.query_params.update(version="2020-01-01-00000000", slug="broth")
    essay()


def texts(block: Any) -> Iterator[str]:
    """All that a reader sees of a page, without the markup."""
    for child in block.children.values():
        proto = getattr(child, "proto", None)
        for part in (proto, getattr(proto, "popover", None)):
            for name in _SHOWN:
                if isinstance(shown := getattr(part, name, None), str):
                    yield re.sub(r"<style>.*?</style>|<[^>]*>", " ", shown, flags=re.DOTALL)
        if hasattr(child, "children"):
            yield from texts(child)


def drawn() -> str:
    """All that the page's parts show."""
    pages = [AppTest.from_file(str(PAGE)), AppTest.from_function(_essays), AppTest.from_function(_essay)]
    shown = [" ".join(texts(page.run(timeout=30)._tree)) for page in pages]
    assert not any(page.exception for page in pages)
    return "\n".join(shown)


def printed(*commands: Sequence[str]) -> str:
    """All that commands print."""
    done = [CliRunner().invoke(cli.app, command) for command in commands]
    assert not any(one.exit_code for one in done), [one.output for one in done]
    return "\n".join(one.output for one in done)


def as_essays(text: str) -> str:
    """The same text about essays."""
    return text.replace("recipe", "essay").replace("Recipe", "Essay")


def test_the_page_and_commands_call_them_by_the_setting_and_are_else_the_same(called: Callable[[str], None]) -> None:
    called("")
    page, commands = drawn(), printed(["ask", QUESTIONS[-1]])
    assert "Ask the essays" in page
    assert "3 essays" in page
    assert "The essays do not say." in commands
    called("recipe,recipes")
    asked = [["ask", question] for question in QUESTIONS]
    page_named, commands_named = drawn(), printed(*asked, ["search", "bones"], ["versions"])
    assert "essay" not in re.sub(r"https?://\S+", "", page_named + commands_named).lower()
    assert as_essays(page_named) == page
    assert commands_named.count("3 recipes") == 2  # however they are called in the question
    assert "The recipes do not say." in commands_named
