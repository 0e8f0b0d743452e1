"""What it takes to make and to open an index: `python -m bench.speed.scale PART FOLDER`, one part a process.

Each part prints its processor seconds and its memory as JSON. `texts.txt` is in the folder; `ours`, `in-milvus`
and `bare` make an index of it, `first` opens ours from a cache as a page does, and answers.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import bm25s

from bench.speed import corpora
from bench.speed.figures import Scale
from contextual_rag.adapters.index_cache import IndexCache
from contextual_rag.adapters.index_files import write
from contextual_rag.model import Source
from contextual_rag.pipeline.words import tokenise
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from contextual_rag.record import decode, encode
from contextual_rag.versions.records import Draft, File, Work
from tests.memory_objects import MemoryObjects

__all__ = ["measure", "run"]

_MB = 1024**2
_VERSION = "2026-01-01-00000000"


def measure(folder: Path, chunks: int) -> Scale:
    """Make and open the index of the texts in a folder."""
    ours, bare, first = (run(part, folder) for part in ("ours", "bare", "first"))
    files = sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file())
    return Scale(
        chunks=chunks,
        index_s=round(ours["seconds"], 2),
        index_peak_mb=ours["peak_mb"],
        bare_index_s=round(bare["seconds"], 2),
        bare_index_peak_mb=bare["peak_mb"],
        files_mb=files // _MB,
        first_s=round(first["seconds"], 2),
        resident_mb=first["own_mb"],
    )


def run(part: str, folder: Path) -> dict[str, float]:
    """Do a part in a process of its own."""
    command = [sys.executable, "-m", "bench.speed.scale", part, str(folder)]
    measured: dict[str, float] = json.loads(subprocess.check_output(command))  # noqa: S603
    return measured


def _written(folder: Path, recipe: Recipe, to: Path) -> None:
    for name, body in write(corpora.rows(folder / "texts.txt"), recipe).items():
        path = to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def _ours(folder: Path) -> None:
    _written(folder, Recipe(), folder / "cache" / _VERSION)
    (folder / "draft.json").write_bytes(encode(_draft(folder / "cache" / _VERSION)))


def _in_milvus(folder: Path) -> None:
    _written(folder, Recipe(keyword_search="milvus"), folder / "in-milvus")


def _bare(folder: Path) -> None:
    recipe = Recipe()
    index = bm25s.BM25(k1=recipe.bm25_k1, b=recipe.bm25_b)
    with (folder / "texts.txt").open(encoding="utf-8") as lines:
        index.index([tokenise(line, recipe) for line in lines], show_progress=False)
    index.save(folder / "bare", show_progress=False)


def _first(folder: Path) -> None:
    draft = decode("draft.json", (folder / "draft.json").read_bytes(), Draft)
    index = IndexCache(MemoryObjects(), folder / "cache", max_bytes=2**40).open(draft)
    ids = [id_ for id_, _ in index.keyword_search(corpora.questions(1, 1)[0], 10)]
    assert len(index.near(ids)) > 0  # noqa: S101


def _draft(folder: Path) -> Draft:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return Draft(
        version=_VERSION,
        logical_date=date(2026, 1, 1),
        parent=None,
        source=Source(name="bench", url="http://essays.example/"),
        recipe=Recipe(),
        ranking=Ranking(),
        collection="bench",
        essays=(),
        failed=(),
        elsewhere=(),
        listed=0,
        chunks=0,
        files={name: File(sha256=_sha256(path), size=path.stat().st_size) for name, path in paths.items()},
        work=Work(),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _memory_mb(what: str) -> int:
    """Return a figure of this process: VmHWM, its most so far, or RssAnon, what is no page of a file."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) // 1024


def main() -> None:
    """Do a part, and say what it took."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    began = time.process_time()
    {"ours": _ours, "in-milvus": _in_milvus, "bare": _bare, "first": _first}[part](folder)
    seconds = time.process_time() - began
    # Not `ru_maxrss`, which begins with the memory of the process that started this one.
    figures = {"seconds": seconds, "peak_mb": _memory_mb("VmHWM"), "own_mb": _memory_mb("RssAnon")}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
