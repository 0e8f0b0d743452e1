"""What speaks against letting a version answer instead of the one that answers now: figures, each with a name.

A build is refused by any of them. A person who promotes or rolls back is told them, and decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from contextual_rag.errors import GateError
from contextual_rag.model import Followed
from contextual_rag.noun import noun
from contextual_rag.record import Record
from contextual_rag.sources.uploads import UPLOADS, is_upload
from contextual_rag.versions.records import ANSWER_FIGURES, Compared, EssayKeys, Manifest, Version

__all__ = ["Gates", "Objection", "Share", "failures", "losses", "objections", "quality", "recorded", "refuse"]

Share = Annotated[float, Field(ge=0, le=1)]

# An essay that is added may push sentences of others down by a rank, which is no fault of the index.
_UNGATED = frozenset({"known_item_mrr@5"})
_SHOWN = 3


class Gates(Record):
    """What a version must satisfy to answer, as shares between 0 and 1."""

    max_failed_share: Share
    max_shrink_share: Share
    max_quality_drop: Share
    # Orders of earlier releases have none, and measured no answers.
    max_answers_drop: Share = 1.0


class Objection(NamedTuple):
    """A reason why a version should not answer: the code of the error that it is, and the figures."""

    code: str
    message: str


def refuse(found: Iterable[Objection]) -> None:
    """Raise GateError with all objections and the code of the first, if there are any."""
    if found := list(found):
        raise GateError(
            f"Refused: {'; '.join(one.message for one in found)}. What answers now stays. If this is as it should be, "
            "run again with a higher limit.",
            code=found[0].code,
        )


def failures(version: Version, gates: Gates) -> list[Objection]:
    """Object to a version of which a larger share of the essays failed than is allowed."""
    # A source that could not be read keeps its documents; how many that are says nothing about the others. Whoever
    # uploads files that cannot be read is told so, and must not hold back what others read.
    unread = {one.source.url for one in version.sources if one.why}
    failed = [one for one in version.failed if one.url not in unread and not is_upload(one.url)]
    urls = {essay.url for essay in version.essays} | {failure.url for failure in failed}
    asked = sum(not is_upload(url) for url in urls)
    share = len(failed) / asked if asked else 0.0
    if version.essays and not _exceeds(share, gates.max_failed_share):
        return []
    reasons = "; ".join(f"{failure.slug}: {failure.reason}" for failure in version.failed[:_SHOWN])
    message = (
        f"{len(failed)} of {asked} {noun().many} failed ({share:.0%}), and RAG_MAX_FAILED_SHARE allows "
        f"{gates.max_failed_share:.0%} (the first failures: {reasons})"
    )
    return [Objection(code="gate_failed_share", message=message)]


def objections(before: Version, version: Version, gates: Gates, compared: Compared | None) -> list[Objection]:
    """Object to a version that answers instead of `before`: another source, fewer essays, essays that go, quality.

    Of several sources, each is looked at by itself: a small one must not vanish beside a large one.
    """
    # All essays of a source that is lacking go, so their number says nothing.
    lacking = [then for then in before.followed if _same(then, version) is None]
    return [
        *(_source(before, version, then) for then in lacking),
        *losses(before, version, gates),
        *quality(compared, gates),
    ]


def losses(before: Version, version: Version, gates: Gates) -> list[Objection]:
    """Object to fewer essays and to essays that go, in the sources that both have."""
    both = [(then, now) for then in before.followed if (now := _same(then, version))]
    here = {essay.url for essay in version.essays}
    if any(is_upload(essay.url) and essay.url not in here for essay in before.essays):
        # A person removed them on purpose, so how much is left says nothing.
        both = [(then, now) for then, now in both if then.source != UPLOADS]
    return [
        *_fewer(before, version, both, gates),
        *(found for then, now in both for found in _gone(before, version, then, now, gates)),
    ]


def quality(compared: Compared | None, gates: Gates) -> list[Objection]:
    """Object to a figure that fell by more than is allowed, and to one that can be measured and was not."""
    if compared is None or gates.max_quality_drop >= 1:
        return []
    if compared.why_not:
        # What a person can make measurable (a key, a model, another run) is waited for: a version that was not
        # measured may be any worse. Questions that neither can be asked, or files that are lost, will be missing
        # tomorrow too, and what answers would never be replaced: then the run only names it.
        message = (
            f"its quality cannot be compared ({compared.why_not}), and only a `max_quality_drop` of 1 allows any drop"
        )
        return [Objection(code="gate_quality", message=message)] if compared.curable else []
    # Without any reply, how well replies cite is not known.
    both = {name: (then, compared.after[name]) for name, then in compared.before.items() if name in compared.after}
    drops = {name: then - now for name, (then, now) in both.items() if name not in _UNGATED}
    # Of the others, all are measured together: one that is lacking may be any worse.
    lacking = compared.before.keys() - compared.after.keys() - set(ANSWER_FIGURES)
    drops |= dict.fromkeys(sorted(lacking), math.nan)
    both |= {name: (compared.before[name], math.nan) for name in sorted(lacking)}
    allowed = {name: getattr(gates, name) for name in map(_limit, drops)}
    exceeded = dict.fromkeys(_limit(name) for name, drop in drops.items() if _exceeds(drop, allowed[_limit(name)]))
    if not exceeded:
        return []
    figures = ", ".join(f"{name} {then:.3f} → {now:.3f}" for name, (then, now) in both.items())
    limits = " ".join(
        f"A drop of more than {allowed[name]:g} is not allowed (`{name}`, `--{name.replace('_', '-')}`, "
        f"RAG_{name.upper()})."
        for name in exceeded
    )
    fell = f" The questions that fell most: {'; '.join(compared.fell)}" if compared.fell else ""
    message = (
        f"it answers worse than {compared.version} ({figures}, over {compared.questions} questions). {limits}{fell}"
    )
    return [Objection(code="gate_quality", message=message)]


def recorded(before: Manifest, version: Manifest) -> Compared | None:
    """Return the recorded figures of two versions side by side, if they were measured with the same questions."""
    if before.yardstick is None or before.yardstick != version.yardstick:
        return None
    asked = int(version.quality.get("questions", 0) + version.quality.get("known_items", 0))
    return Compared(version=before.version, questions=asked, before=before.figures, after=version.figures)


def _limit(figure: str) -> str:
    """Return the name of the gate for a figure."""
    return "max_answers_drop" if figure in ANSWER_FIGURES else "max_quality_drop"


def _exceeds(share: float, allowed: float) -> bool:
    """Whether a share is larger than is allowed, or is no number; 1 - 0.7 is not larger than 0.3."""
    return not math.isfinite(share) or round(share - allowed, 6) > 0


def _same(then: Followed, version: Version) -> Followed | None:
    """Return the source of a version that has the name of another version's, or else its address."""
    found = [one for one in version.followed if one.source.name == then.source.name]
    return next(iter(found or [one for one in version.followed if one.source.url == then.source.url]), None)


def _source(before: Version, version: Version, lacking: Followed) -> Objection:
    def shown(one: Version, *sources: Followed) -> str:
        parts = [f"{of.source.name} ({of.source.url}, {noun().counted(len(_essays(one, of)))})" for of in sources]
        return f"the source {parts[0]}" if len(parts) == 1 else f"the sources {', '.join(parts)}"

    message = (
        f"{version.version} is of {shown(version, *version.followed)}, but {before.version}, which answers now, is of "
        f"{shown(before, lacking)}{' too' if before.sources else ''}, and only a person replaces or removes a source: "
        "with the run's parameter `promote`, `--promote` or `rag promote`"
    )
    return Objection(code="gate_source", message=message)


def _fewer(
    before: Version, version: Version, sources: Sequence[tuple[Followed, Followed]], gates: Gates
) -> list[Objection]:
    counts = [
        (f"{noun().many} are listed{f' by {now.source.name}' if version.sources else ''}", then.listed, now.listed)
        for then, now in sources
    ]
    # By another recipe or of another source, the same site gives more chunks or fewer.
    if before.recipe == version.recipe and len(sources) == len(before.followed):
        counts.append(("chunks are there", before.chunks, version.chunks))
        if before.texts and version.texts is not None:
            # Every page may still be there and say the same: that it needs a login, or JavaScript.
            counts.append(("different texts are there", before.texts, version.texts))
    return [
        Objection(
            code="gate_shrunk",
            message=f"only {now:,} {what} instead of {then:,} in {before.version} ({1 - now / then:.0%} less), and "
            f"RAG_MAX_SHRINK_SHARE allows {gates.max_shrink_share:.0%}",
        )
        for what, then, now in counts
        if then and _exceeds(1 - now / then, gates.max_shrink_share)
    ]


def _gone(before: Version, version: Version, then: Followed, now: Followed, gates: Gates) -> list[Objection]:
    earlier = {_address(essay.url, then): essay.url for essay in _essays(before, then)}
    here = {_address(essay.url, now) for essay in _essays(version, now)}
    anywhere = {essay.url for essay in version.essays}  # another source may list it now
    gone = sorted(address for address, url in earlier.items() if address not in here and url not in anywhere)
    if not gone or not _exceeds(len(gone) / len(earlier), gates.max_shrink_share):
        return []
    more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    of = f" from {then.source.name}" if before.sources else ""
    message = (
        f"{len(gone)} of the {len(earlier)} {noun().many} of {before.version}{of} are gone "
        f"({len(gone) / len(earlier):.0%}: "
        f"{', '.join(gone[:_SHOWN])}{more}), and RAG_MAX_SHRINK_SHARE allows {gates.max_shrink_share:.0%}"
    )
    return [Objection(code="gate_gone", message=message)]


def _essays(version: Version, of: Followed) -> list[EssayKeys]:
    return [essay for essay in version.essays if essay.source in {None, of.source.name}]


def _address(url: str, of: Followed) -> str:
    """Return an essay's address; without the host or folder if it is the source's, which may move or be renamed."""
    parts, source = urlsplit(url), urlsplit(of.source.url)
    if parts.scheme == source.scheme == "file":
        return parts.path.partition("/")[2]
    return parts._replace(scheme="", netloc="").geturl() if parts.netloc == source.netloc else url
