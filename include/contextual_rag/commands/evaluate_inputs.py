"""The input of an evaluation: files that people name, or the questions in the bucket.

Raises SettingError if a file cannot be read, CorruptObjectError if its contents are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.noun import noun
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
    """Return the named parameters to measure, and those to compare with if there are any; offline by default."""
    named = [("default recipe", Parameters())] if first is None else [(first.name, parsed(read_parameters(first)))]
    return named if second is None else [*named, (second.name, parsed(read_parameters(second)))]


def text_files(folder: Path) -> dict[str, TextFile]:
    """Return the texts of a folder by their names without .md or .txt, sorted by name."""
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
                f"{path} and {files[path.stem].name} are both the corpus {path.stem!r}. Rename or remove one of them."
            )
        files[path.stem] = read_text_file(read(path), str(path))
    return files


def questions_of(world: World, file: Path | None) -> list[Question]:
    """Return the questions of a file, or those in the bucket if no file is named."""
    from contextual_rag import keys
    from contextual_rag.evaluation.datasets import read_questions

    if file:
        name, body = str(file), read(file)
    else:
        kept = world.store.get(keys.QUESTIONS)
        if kept is None:
            raise SettingError(
                "The bucket has no questions. Name a file of questions with --questions, or set RAG_QUESTIONS "
                "when you build the index."
            )
        name, body = keys.QUESTIONS, kept.body
    questions = read_questions(body, name)
    if not questions:
        raise CorruptObjectError(f"{name} has no questions. Each line must be a question as JSON.")
    return questions


def answerable(world: World, versions: Sequence[Manifest], questions: Sequence[Question]) -> list[list[SpanQuestion]]:
    """Return, for each version, the questions that all versions can answer, with the places of the answers in it."""
    from contextual_rag.building.evaluate import locate_all

    located = [locate_all(world.store, version, questions) for version in versions]
    kept = [n for n in range(len(questions)) if all(one[n] for one in located)]
    if not kept:
        names = " and ".join(version.version for version in versions)
        raise CorruptObjectError(
            f"None of the {len(questions)} questions can be answered by {names}: the {noun().many} do not contain the "
            f"words of the references. Name questions about these {noun().many} with --questions."
        )
    return [[found for n in kept if (found := one[n])] for one in located]
