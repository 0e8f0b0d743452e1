"""Recipes in files: what they say is the recipe, what they do not say is the default, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextual_rag.errors import SettingError
from contextual_rag.recipe import Recipe
from contextual_rag.recipe_file import parameters, read_recipe
from tests.raising import raising


class TestReading:
    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("r.toml", b'chunk_size = 400\nstemmer = "none"\n'),
            ("r.json", b'{"chunk_size": 400, "stemmer": "none"}'),
            ("r.toml", b'\xef\xbb\xbfchunk_size = 400\r\nstemmer = "none"\r\n'),
        ],
    )
    def test_takes_the_rest_from_the_default(self, tmp_path: Path, name: str, body: bytes) -> None:
        assert read_recipe(written(tmp_path / name, body)) == Recipe(chunk_size=400, stemmer="none")

    def test_gives_what_it_says_alone_to_those_who_have_other_defaults(self, tmp_path: Path) -> None:
        assert parameters(written(tmp_path / "r.toml", b"chunk_size = 400")) == {"chunk_size": 400}

    def test_of_an_empty_file_is_the_default(self, tmp_path: Path) -> None:
        assert read_recipe(written(tmp_path / "r.toml", b"")) == Recipe()

    @pytest.mark.parametrize(
        ("name", "body", "named"),
        [
            ("r.toml", b"chunk_sise = 400", ("chunk_sise", "chunk_size")),
            ("r.toml", b"chunk_size = 4", ("chunk_size", "50")),
            ("r.toml", b"chunk_size = 400\nchunk_overlap = 400", ("chunk_overlap",)),
            ("r.toml", b"chunk_size: 400", ("TOML", "line 1")),
            ("r.json", b"{", ("JSON", "line 1")),
            ("r.json", b"[400]", ("object",)),
            ("r.json", b"[" * 100_000, ("JSON",)),
            ("r.toml", b"\xff", ("TOML",)),
        ],
    )
    def test_names_file_and_fault(self, tmp_path: Path, name: str, body: bytes, named: tuple[str, ...]) -> None:
        file = written(tmp_path / name, body)
        with raising(SettingError, "setting", name, *named):
            parameters(file)

    def test_names_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with raising(SettingError, "setting", "none.toml"):
            parameters(tmp_path / "none.toml")


def written(file: Path, body: bytes) -> Path:
    file.write_bytes(body)
    return file
