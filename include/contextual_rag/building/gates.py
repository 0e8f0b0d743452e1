"""What a version must satisfy to be published: how many essays may fail or go, and how much worse it may answer."""

from __future__ import annotations

from contextual_rag.building.order import Gates
from contextual_rag.errors import GateError
from contextual_rag.versions.records import Compared, Draft, Version

__all__ = ["check_failures", "check_quality", "check_shrink"]

# An essay that is added may push sentences of others down by a rank, which is no fault of the index.
_UNGATED = frozenset({"known_item_mrr@5"})


def check_failures(draft: Draft, gates: Gates) -> None:
    """Raise GateError if a larger share of the essays failed than is allowed."""
    asked = len({essay.url for essay in draft.essays} | {failure.url for failure in draft.failed})
    share = len(draft.failed) / asked if asked else 1.0
    if share > gates.max_failed_share or not draft.essays:
        reasons = "; ".join(failure.reason for failure in draft.failed[:3])
        raise GateError(
            f"Not published: {len(draft.failed)} of {asked} essays failed ({share:.0%}). RAG_MAX_FAILED_SHARE allows "
            f"{gates.max_failed_share:.0%}. The current version stays. The first failures: {reasons}",
            code="gate_failed_share",
        )


def check_shrink(before: Version, draft: Draft, gates: Gates) -> None:
    """Raise GateError if the index page names fewer essays than before by a larger share than is allowed."""
    share = 1 - draft.listed / before.listed
    if share > gates.max_shrink_share:
        raise GateError(
            f"Not published: the index page names {draft.listed} essays, and named {before.listed} in "
            f"{before.version}, which is {share:.0%} less. RAG_MAX_SHRINK_SHARE allows {gates.max_shrink_share:.0%}. "
            "The current version stays.",
            code="gate_shrunk",
        )


def check_quality(compared: Compared, max_drop: float) -> None:
    """Raise GateError with the figures if one of them fell by more than is allowed."""
    before, after = compared.before, compared.after
    # Figures have four digits: a drop of exactly what is allowed is allowed.
    drops = {name: round(before[name] - after[name], 4) for name in before if name not in _UNGATED}
    if all(drop <= max_drop for drop in drops.values()):
        return
    figures = ", ".join(f"{name} {before[name]:.3f} → {after[name]:.3f}" for name in before)
    fell = f" The questions that fell most: {'; '.join(compared.fell)}." if compared.fell else ""
    raise GateError(
        f"Refused: it answers worse than {compared.version} ({figures}, over {compared.questions} questions). A drop "
        f"of more than {max_drop:g} is not allowed.{fell} What answers now stays. To accept the drop, raise the run's "
        "parameter `max_quality_drop`, `--max-quality-drop` or RAG_MAX_QUALITY_DROP, and run again.",
        code="gate_quality",
    )
