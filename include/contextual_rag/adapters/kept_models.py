"""Caches the answers of models on disk, so that nothing is embedded or explained twice.

This is for measuring, which indexes the same corpus many times with one setting changed. The cache is one SQLite file.
Several processes may use it at once, and you may delete it at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from contextual_rag.errors import CorruptObjectError, SettingError, StorageFullError
from contextual_rag.keys import digest
from contextual_rag.ports import ChatModel, Completion, EmbeddingModel, Matrix, Message, ToolCall, ToolSpec, Usage
from contextual_rag.recipe import NO_PREFIXES, Prefixes

__all__ = ["KeptAnswers", "KeptChat", "KeptEmbeddings"]

# How many answers one statement reads.
_AT_ONCE = 500
_WAIT_S = 60.0
_FLOAT = np.dtype("<f4")


class KeptAnswers:
    """A file of answers, by the digest of the request. Safe to share between threads and processes.

    Raises CorruptObjectError if the file is damaged, StorageFullError if the disk is full, and SettingError if the file
    cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the cached answers among these names, by name."""
        found: dict[str, bytes] = {}
        with self._opened() as connection:
            for start in range(0, len(names), _AT_ONCE):
                part = names[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                found.update(connection.execute(f"SELECT name, body FROM answers WHERE name IN ({marks})", part))  # noqa: S608
        return found

    def put(self, answers: Mapping[str, bytes]) -> None:
        """Store answers; existing ones are not replaced."""
        with self._opened() as connection:
            connection.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", list(answers.items()))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=_WAIT_S)) as connection, connection:
                connection.execute("CREATE TABLE IF NOT EXISTS answers (name TEXT PRIMARY KEY, body BLOB NOT NULL)")
                yield connection
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise StorageFullError(f"The disk of {self._file} is full. Free some space and run again.") from error
            raise SettingError(
                f"{self._file} cannot be written ({error}). Set RAG_DATA_DIR to a writable folder."
            ) from error
        except sqlite3.DatabaseError as error:
            raise CorruptObjectError(
                f"{self._file} is damaged ({error}). Delete it; the models are then asked again."
            ) from error
        except OSError as error:
            raise SettingError(
                f"{self._file.parent} cannot be created ({error.strerror}). Set RAG_DATA_DIR to a writable folder."
            ) from error


class KeptEmbeddings:
    """An embedding model with a cache; `prefixes` are those that the model puts before texts."""

    def __init__(self, model: EmbeddingModel, kept: KeptAnswers, prefixes: Prefixes = NO_PREFIXES) -> None:
        self.name, self.dimension = model.name, model.dimension
        self._prefixes = prefixes
        self._model = model
        self._kept = kept

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        """Return a matrix of shape (len(texts), dimension); the usage counts only texts that were not cached."""
        prefix: str = getattr(self._prefixes, kind)
        names = [digest("embedding", self.name, self.dimension, kind, prefix + text) for text in texts]
        rows = self._kept.get(list(dict.fromkeys(names)))
        new = {name: text for name, text in zip(names, texts, strict=True) if name not in rows}
        made, usage = self._model.embed(list(new.values()), kind=kind) if new else (np.empty((0, 0)), Usage())
        answers = {name: row.astype(_FLOAT).tobytes() for name, row in zip(new, made, strict=True)}
        if answers:
            self._kept.put(answers)
        rows |= answers
        matrix = np.empty((len(texts), self.dimension), dtype=np.float32)
        for n, name in enumerate(names):
            matrix[n] = np.frombuffer(rows[name], dtype=_FLOAT)
        return matrix, usage


class KeptChat:
    """A chat model with a cache; streams are not cached."""

    def __init__(self, model: ChatModel, kept: KeptAnswers) -> None:
        self.name = model.name
        self._model = model
        self._kept = kept

    def complete(self, messages: Sequence[Message], *, max_tokens: int, temperature: float = 0.0) -> Completion:
        """Return the cached answer, or ask the model."""
        name = digest("completion", self.name, [tuple(message) for message in messages], max_tokens, temperature)
        if kept := self._kept.get([name]):
            return Completion(kept[name].decode(), Usage())
        answered = self._model.complete(messages, max_tokens=max_tokens, temperature=temperature)
        self._kept.put({name: answered.text.encode()})
        return answered

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        tools: Sequence[ToolSpec] = (),
    ) -> Iterator[str | ToolCall | Usage]:
        """Stream an answer from the model."""
        return self._model.stream(messages, max_tokens=max_tokens, temperature=temperature, tools=tools)
