"""How time, memory, storage and cost grow with the size of a corpus and with how much of it changes in a day.

    python -m bench.growth [--chunks N …]

On the synthetic corpora of `bench.speed`, each part in a process of its own: making and opening an index, with its
words in bm25s' arrays and in Milvus, and storing and searching the vectors in an embedded Milvus. What a changed chunk
takes is measured on the sample site. Writes `bench/results/growth.json` and `docs/images/growth.png`; `make bench`
puts them on the page. Seconds are the processor's. 10,000 and 100,000 chunks take some minutes; a million takes an
hour or two, nearly all of it the embedded Milvus: `--no-vectors` leaves that out, and takes five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from bench.growth_plot import draw
from bench.sample_site import read_sample
from bench.speed import corpora, ours, scale
from bench.speed.rounds import milliseconds, milvus, wait_for_rest, with_server
from contextual_rag.adapters.milvus import Milvus
from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.building.contexts import explain
from contextual_rag.pipeline.chunks import split
from contextual_rag.pipeline.windows import words_of
from contextual_rag.ports import Completion, Message, Usage
from contextual_rag.recipe import Recipe

__all__ = ["main"]

_ROOT = Path(__file__).parents[1]
_RESULTS, _PLOT = Path("bench/results/growth.json"), Path("docs/images/growth.png")
_IN_MILVUS = Recipe(keyword_search="milvus")
_AT_ONCE, _ASKED, _MB = 5000, 20, 1024**2
_HOSTED = "hosted"


def main() -> int:
    """Measure the sizes that are asked for; others keep the figures that they had."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--no-vectors", action="store_true", help="leave the embedded Milvus out")
    parser.add_argument("--to", type=Path, default=_ROOT, help="output folder (default: the repository)")
    asked = parser.parse_args()
    console, file = Console(stderr=True), asked.to / _RESULTS
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {"sizes": {}}
    found["of_a_chunk"] = _of_a_chunk()
    for chunks in asked.chunks:
        with TemporaryDirectory(prefix="bench-growth-") as folder:
            one = found["sizes"].setdefault(str(chunks), {})
            one |= _measured(Path(folder), chunks, with_vectors=not asked.no_vectors)
            console.print(chunks, one)
        found["sizes"] = dict(sorted(found["sizes"].items(), key=lambda size: int(size[0])))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    (asked.to / _PLOT).parent.mkdir(parents=True, exist_ok=True)
    (asked.to / _PLOT).write_bytes(draw(found))
    return 0


def _of_a_chunk() -> dict[str, float]:
    """Return what one changed chunk takes, on average over the sample site: seconds offline, or tokens of a model."""
    documents = read_sample().documents
    chunks = [(document, split(document, Recipe())) for document in documents]
    texts = [chunk.text for _, part in chunks for chunk in part]
    embedder, counted = MiniLM(remembered=0), _Counted()
    embedder.embed(texts[:1], kind="passage")
    began = time.process_time()
    embedder.embed(texts, kind="passage")
    seconds = (time.process_time() - began) / len(texts)
    recipe = Recipe(context_model=_HOSTED)
    for document, part in chunks:
        explain(document, part, recipe, counted, {}, concurrency=1)
    return {
        "characters": round(sum(map(len, texts)) / len(texts)),
        "tokens": round(sum(embedder.count_tokens(texts)) / len(texts)),
        "embed_s": round(seconds, 4),
        "context_prompt_tokens": round(sum(embedder.count_tokens(counted.prompts)) / len(texts)),
    }


class _Counted:
    """A chat model that keeps what it is asked."""

    name = _HOSTED

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def complete(self, messages: Sequence[Message], *, max_tokens: int, temperature: float = 0.0) -> Completion:  # noqa: ARG002
        self.prompts += [message.content for message in messages]
        return Completion("It is about this.", Usage(calls=1))

    def stream(self, *_: object, **__: object) -> Any:
        raise NotImplementedError


def _measured(folder: Path, chunks: int, *, with_vectors: bool) -> dict[str, Any]:
    ours.write_texts(folder, chunks)
    arrays = scale.measure(folder, chunks)
    in_milvus = scale.run("in-milvus", folder)
    files = sum(path.stat().st_size for path in (folder / "in-milvus").rglob("*") if path.is_file())
    found: dict[str, Any] = {
        "load": round(os.getloadavg()[0], 1),
        "arrays": arrays.model_dump(exclude={"chunks"}),
        "in_milvus": {
            "index_s": round(in_milvus["seconds"], 2),
            "index_peak_mb": in_milvus["peak_mb"],
            "files_mb": files // _MB,
        },
    }
    if with_vectors:
        for name in ("vectors", "vectors_and_words"):
            with TemporaryDirectory(prefix="bench-milvus-", dir=folder) as own, milvus(Path(own)) as (uri, server):
                found[name] = _stored(folder, Path(own), Milvus(uri, timeout_s=3600), server, words=name != "vectors")
    return found


def _stored(folder: Path, own: Path, store: Milvus, server: int, *, words: bool) -> dict[str, float]:
    """Return what it takes to store and search all rows: seconds, milliseconds of both processes, MB of Milvus."""
    rows = list(corpora.rows(folder / "texts.txt"))
    vectors, asked = corpora.vectors(len(rows), ours.SEED), corpora.vectors(_ASKED, ours.SEED + 1)
    ids = [row.chunk_id for row in rows]

    def put(start: int) -> None:
        part = slice(start, start + _AT_ONCE)
        store.upsert("growth", ids[part], vectors[part], words_of(rows[part], _IN_MILVUS) if words else None)

    upsert = with_server(milliseconds(put), server)
    took = sum(upsert(start) for start in range(0, len(rows), _AT_ONCE))
    among = set(ids)
    wait_for_rest(server)
    search = with_server(milliseconds(lambda n: store.search("growth", asked[n], 200, among=among)), server)
    search(0)
    found = {"upsert_s": round(took / 1000, 1), "search_ms": round(median(map(search, range(_ASKED))), 1)}
    if words:
        questions = [f"{words}".split() for words in corpora.questions(_ASKED, ours.SEED)]
        by_words = with_server(
            milliseconds(lambda n: store.search_words("growth", questions[n], 200, among=among)), server
        )
        by_words(0)
        found["search_words_ms"] = round(median(map(by_words, range(_ASKED))), 1)
    status = Path(f"/proc/{server}/status").read_text("ascii").splitlines()
    found["server_mb"] = int(next(line for line in status if line.startswith("VmHWM")).split()[1]) // 1024
    found["disk_mb"] = sum(path.stat().st_size for path in (own / "milvus").rglob("*") if path.is_file()) // _MB
    return found


if __name__ == "__main__":
    sys.exit(main())
