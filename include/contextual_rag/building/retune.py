"""Changing the ranking of a version: nothing is built, and the gate on quality decides as for a build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from contextual_rag.building.evaluate import measure
from contextual_rag.building.examiner import Bench
from contextual_rag.errors import SettingError
from contextual_rag.parameters import explained
from contextual_rag.ranking import Ranking
from contextual_rag.record import Record
from contextual_rag.versions.gates import Gates, quality, refuse
from contextual_rag.versions.manage import reason
from contextual_rag.versions.records import Measured, Tuning, figures

__all__ = ["Retuned", "retune", "tuning"]


class Retuned(Record):
    """A version that is asked by another ranking now, its figures before and after, and the change in a sentence.

    `moved` says that what answers changed: it is the current version, and its ranking was another one.
    """

    version: str
    ranking: Ranking
    moved: bool
    before: dict[str, float]
    after: dict[str, float]
    message: str


def retune(
    bench: Bench, version: str | None, changed: Mapping[str, Any], *, gates: Gates, by: str, why: str
) -> Retuned:
    """Have a version, by default the current one, asked by a ranking of which some parameters are changed.

    Raises SettingError if a parameter is wrong, GateError with the figures if the version answers worse by it than is
    allowed; then nothing is changed.
    """
    why, before = reason(why), bench.registry.resolve(version)
    try:
        ranking = Ranking.model_validate(before.ranking.model_dump() | dict(changed))
    except ValidationError as error:
        raise SettingError(f"Wrong ranking: {explained(error)}.") from None
    measured = measure(bench, before.model_copy(update={"ranking": ranking}), before)
    refuse(quality(measured.compared, gates))
    pointer = bench.registry.retune(before.version, tuning(ranking, measured), by=by, why=why)
    return Retuned(
        version=before.version,
        ranking=ranking,
        moved=pointer.version == before.version and ranking != before.ranking,
        before=before.figures,
        after=figures(measured.quality),
        message=f"{before.version} is now ranked by {ranking.summary or 'the defaults'}."
        + ("" if measured.compared else " Its quality was not measured: no question can be asked of it."),
    )


def tuning(ranking: Ranking, measured: Measured) -> Tuning:
    """Return a ranking with what a version was measured at by it."""
    return Tuning(ranking=ranking, quality=measured.quality, yardstick=measured.yardstick)
