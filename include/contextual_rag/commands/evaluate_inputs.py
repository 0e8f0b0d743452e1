"""What an evaluation is told to read: files that people name, or the questions kept in the bucket.

Raises SettingError where a file cannot be read, CorruptObjectError where it does not say what it must.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.parameters import Parameters, parsed, read_parameters

if TYPE_CHECKING:
    from contextual_rag.evaluation.corpora import SpanQuestion, TextFile
    from contextual_rag.evaluation.datasets import Question
    from contextual_rag.versions.records import Manifest
    from contextual_rag.wiring import World

__all__ = ["answerable", "questions_of", "read", "recipes", "text_files"]

_TEXTS = (".md", ".txt")


def read(file: Path) -> bytes:
    """Return a file's bytes."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}.") from None


def recipes(first: Path | None, second: Path | None) -> list[tuple[str, Parameters]]:
    """Return what is measured, and what it is measured against if anything, with their names; offline by default."""
    named = [("default recipe", Parameters())] if first is None else [(first.name, parsed(read_parameters(first)))]
    return named if second is None else [*named, (second.name, parsed(read_parameters(second)))]


def text_files(folder: Path) -> dict[str, TextFile]:
    """Return the texts of a folder by their names without .md or .txt, in the order of these."""
    from contextual_rag.evaluation.corpora import read_text_file

    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _TEXTS and path.is_file())
    except OSError as error:
        raise SettingError(f"The folder {folder} cannot be read: {error.strerror}.") from None
    if not paths:
        raise SettingError(f"The folder {folder} has no file that ends in .md or .txt.")
    files: dict[str, TextFile] = {}
    for path in paths:
        if path.stem in files:
            raise CorruptObjectError(
                f"{path} and {files[path.stem].name} are both the corpus {path.stem!r}; rename or remove one of them."
            )
        files[path.stem] = read_text_file(read(path), str(path))
    return files


def questions_of(world: World, file: Path | None) -> list[Question]:
    """Return the questions of a file, or those kept in the bucket where there is none."""
    from contextual_rag import keys
    from contextual_rag.evaluation.datasets import read_questions

    if file:
        name, body = str(file), read(file)
    else:
        kept = world.store.get(keys.QUESTIONS)
        if kept is None:
            raise SettingError(
                "No questions are kept in the bucket. Name a file of them with --questions, or have RAG_QUESTIONS name "
                "it when the index is built."
            )
        name, body = keys.QUESTIONS, kept.body
    questions = read_questions(body, name)
    if not questions:
        raise CorruptObjectError(f"{name} has no questions. Each line is one, as JSON.")
    return questions


def answerable(world: World, versions: Sequence[Manifest], questions: Sequence[Question]) -> list[list[SpanQuestion]]:
    """Return, for each version, the questions that all of them can answer, with where the answers stand in it."""
    from contextual_rag.building.evaluate import locate_all

    located = [locate_all(world.store, version, questions) for version in versions]
    kept = [n for n in range(len(questions)) if all(one[n] for one in located)]
    if not kept:
        names = " and ".join(version.version for version in versions)
        raise CorruptObjectError(
            f"None of the {len(questions)} questions can be answered by {names}: the words of their references do not "
            "stand in its essays. Ask questions about these essays with --questions."
        )
    return [[found for n in kept if (found := one[n])] for one in located]
