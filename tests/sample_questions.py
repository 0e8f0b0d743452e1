"""Lines of the sample's questions: those that measure the search, and a few that measure answers, which take longer."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["FEW_JUDGED", "SEARCHED"]

_LINES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "sample_site" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]
SEARCHED = [
    json.dumps({name: line[name] for name in ("question", "references")}) for line in _LINES if "references" in line
]
_HELD = [{name: line[name] for name in ("question", "holds")} for line in _LINES if "holds" in line]
FEW_JUDGED = [
    json.dumps(line)
    for line in (
        *_HELD[:2],
        *(next(line for line in _LINES if line.get("kind") == kind) for kind in ("foreign", "untold")),
    )
]
