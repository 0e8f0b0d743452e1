"""The event of what answers: what Airflow's asset says of a change, whoever made it."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["ASSET", "ASSET_URI", "event"]

ASSET: Final = "essay_index"
ASSET_URI: Final = "essays://index"


def event(version: str, *, moved_from: str | None, why: str, by: str, **more: Any) -> dict[str, Any]:
    """Return the extra of an event: from which version to which, why, and by whom.

    Both versions are the same if only the ranking changed; `from` is None for the first version.
    """
    return {**more, "version": version, "from": moved_from, "to": version, "why": why, "by": by}
