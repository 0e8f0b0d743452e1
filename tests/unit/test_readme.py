"""What README and docs tell people to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from contextual_rag.cli import app
from contextual_rag.settings import Settings
from tests.conftest import ROOT

RAG = get_command(app)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    """One page."""
    path: Path = request.param
    return path


@pytest.fixture
def text(page: Path) -> str:
    """What it says."""
    return page.read_text(encoding="utf-8")


class TestEachPage:
    def test_names_make_targets_that_exist(self, text: str) -> None:
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        assert set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets

    def test_names_rag_commands_and_options_that_exist(self, text: str) -> None:
        for typed in re.findall(
            r"(?:^ {4}|`)(?:\.venv/bin/|docker compose run --rm )?rag ([a-z][^`\n]*)", text, re.MULTILINE
        ):
            command, words = RAG, typed.partition(" #")[0].split()
            while words and (inner := getattr(command, "commands", {})):
                command = inner[words.pop(0)]
            known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            if command.name != "airflow":  # which hands its options on
                assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, typed

    def test_names_settings_that_exist(self, text: str) -> None:
        known = {f"RAG_{name.upper()}" for name in Settings.model_fields}
        known |= {"RAG_OBJECT_STORE_PORT", "RAG_MILVUS_PORT", "RAG_SITE_PORT", "RAG_AIRFLOW_PORT"}
        known |= {"RAG_OBJECT_STORE_RESERVE_BYTES", "RAG_SCREENSHOTS", "RAG_SECRETS_DIR"}
        assert set(re.findall(r"\bRAG_[A-Z_]+[A-Z]\b", text)) <= known

    def test_links_to_files_that_exist(self, page: Path, text: str) -> None:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
        assert [link for link in links if not (page.parent / link).exists()] == []

    def test_links_to_headings_that_exist(self, page: Path, text: str) -> None:
        for file, heading in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", text):
            there = (page.parent / file).read_text(encoding="utf-8") if file else text
            titles = re.findall(r"^#+ (.+)$", there, re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    plain = ("AWS_", "MILVUS_URI", "MILVUS_TOKEN", "TOGETHER_")
    for name in Settings.model_fields:
        upper = name.upper()
        assert f"`{upper if upper.startswith(plain) else 'RAG_' + upper}`" in text
