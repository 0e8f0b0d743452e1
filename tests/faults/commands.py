"""`rag` as it is run in these tests: with secrets that no output may show, and errors that must be one clear line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from contextual_rag import errors
from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.errors import RagError
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.conftest import Rag
from tests.faults.small_site import QUESTION

__all__ = ["SECRETS", "Commands", "answers", "assert_no_secret_is_stored", "error_of"]

# Beside the object store's own keys, without which it answers nobody.
SECRETS = {
    "TOGETHER_API_KEY": "marker-together-5f1c",
    "MILVUS_TOKEN": "marker:milvus-77a0",
}
_STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# A key is set, so what shall run offline must say so.
_OFFLINE = {
    "RAG_CONTEXT_MODEL": "offline/structure-2",
    "RAG_EMBEDDING_MODEL": "offline/all-MiniLM-L6-v2",
    "RAG_CHAT_MODEL": "offline/quotes",
    "RAG_RERANK_MODEL": "offline/none",
}
_QUICK = {
    "OPENBLAS_NUM_THREADS": "1",  # commands run beside each other
    "RAG_PAGE_ATTEMPTS": "1",
    "RAG_PAGE_TIMEOUT_S": "1",
    "RAG_PAGE_DEADLINE_S": "1",
    "RAG_MODEL_ATTEMPTS": "1",
    "RAG_MODEL_TIMEOUT_S": "5",
    "RAG_OBJECT_STORE_ATTEMPTS": "2",
    "RAG_MILVUS_TIMEOUT_S": "3",
}
_KINDS = tuple(
    f"{name.removesuffix('Error')}: " for name in errors.__all__ if issubclass(getattr(errors, name), RagError)
)

_MODEL = MiniLM()


class Commands:
    """The command `rag` on one bucket; each of its outputs is looked through for secrets and tracebacks."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._rag = Rag({**environment, **SECRETS, **_OFFLINE, **_QUICK})
        self._secrets = SECRETS | {name: value for name, value in environment.items() if name in _STORE_KEYS}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, however it ends."""
        return self.run_all((arguments, environment))[0]

    def run_all(self, *each: tuple[Sequence[str], Mapping[str, str]]) -> list[subprocess.CompletedProcess[str]]:
        """Run several commands, each with an environment of its own, at the same time."""
        processes = [self._rag.fork(*arguments, **environment) for arguments, environment in each]
        ended = [(process, *process.communicate(timeout=120)) for process in processes]
        for _, out, err in ended:
            assert "Traceback" not in out + err, err
            assert not [name for name, secret in self._secrets.items() if secret in out + err], "a secret was printed"
        return [subprocess.CompletedProcess(process.args, process.returncode or 0, *said) for process, *said in ended]

    def all_fail(self, *each: tuple[Sequence[str], Mapping[str, str]]) -> list[str]:
        """Run several commands that must fail at the same time; return what each said."""
        return [error_of(done) for done in self.run_all(*each)]

    def fails(self, *arguments: str, **environment: str) -> str:
        """Run a command that must fail; return what it said: one line, the last one."""
        return error_of(self.run(*arguments, **environment))

    def succeeds(self, *arguments: str, **environment: str) -> Any:
        """Run a command that must succeed; return what it printed as JSON."""
        done = self.run(*arguments, "--json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of error that a command ended with."""
    assert done.returncode in {1, 2, 3, 4, 5}, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("error: ", *_KINDS))]
    assert said == lines[-1:], done.stderr
    return said[0]


def answers(settings: Settings, version: str | None = None) -> str:
    """Search as a fresh process would, without waiting for one; return the version that answered."""
    world = World(settings)
    index = world.indexes.open(world.registry.resolve(version))
    hits = retrieve(index, world.vectors, _MODEL, QUESTION, k=3)
    assert hits[0].chunk.slug == "bell"
    return index.version


def assert_no_secret_is_stored(world: World) -> None:
    """Look through every object of a bucket."""
    secrets = SECRETS | {name: getattr(world.settings, name.lower()).get_secret_value() for name in _STORE_KEYS}
    for key in world.store.list(""):
        stored = world.store.get(key)
        body = stored.body if stored else b""
        assert not [name for name, secret in secrets.items() if secret.encode() in body], key
