"""Whether words of a text stand under a denial a little before them: in "did not want to light it", "light it" does.

The word just after a denial belongs to it (see `tokens`). This module looks back further, but never past the clause. It
knows what leads from a denial to what it denies in English, and no other language.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

from contextual_rag.qa.tokens import Token, denies

__all__ = ["are_denying", "is_under_denial"]

# How many words may stand between: four in "not going to be asked to light it".
_NEAR: Final = 4
_ENDS: Final = frozenset(
    str.split(
        ". ; : ! ? , ( ) … ' - and or but so yet although though because while if when where whereas unless except "
        "until till who whom whose which that than after before since despite"
    )
)
# They come before the word that is denied: "not really a good keeper", "no longer able", "none of the keepers".
_BETWEEN: Final = frozenset(
    str.split(
        "a an the any one all every anyone anybody anything everyone everybody everything very quite really "
        "actually even ever yet still longer once be been being have has had at as too of means way"
    )
)
# Before "to" or a clause, they deny it. Two denials are none: "never failed to", "no doubt that".
_DENYING: Final = frozenset(
    str.split(
        "omit omits omitted lack lacks lacked pretend pretends pretended false untrue myth deny denies denied doubt "
        "doubts doubted doubtful unlikely impossible fail fails failed refuse refuses refused forget forgets forgot "
        "decline declines declined neglect neglects neglected unwilling forbid forbids forbade forbidden"
    )
)
# They deny the "-ing" just after them, and with "from" one after an object: "kept him from lighting it".
_STOPPING: Final = frozenset(str.split("avoid avoids avoided stop stops stopped quit quits ceased"))
_PREVENTING: Final = frozenset(
    str.split("prevent prevents prevented keep keeps kept stop stops stopped refrain refrained")
)
_TWO: Final = frozenset(
    {("far", "from"), ("anything", "but"), ("instead", "of"), ("has", "yet"), ("have", "yet"), ("had", "yet")}
)
_LEADING: Final = frozenset({"to", "that", "from", "of", "than"})
# With these, a denial says that it is so: "not only", "no wonder that", "did not hesitate to".
_AFFIRMING: Final = frozenset(
    str.split(
        "first only just merely simply solely mistake wonder surprise surprised surprising secret coincidence "
        "accident question matter hesitate hesitates hesitated afraid reluctant slow late wait help"
    )
)
# At the beginning of a clause, they deny all of it: "nobody here lit it".
_SUBJECTS: Final = frozenset(str.split("no nobody none nothing never"))
# Who denies them denies the clause after them: "nobody said that he lit it". But it is lit if "nobody knew that".
_SAYING: Final = frozenset(
    str.split(
        "found say says said think thinks thought believe believes believed claim claims claimed mean means meant "
        "suppose supposes supposed imagine imagines suggest suggests suggested argue argues argued imply implies "
        "implied prove proves proved show shows showed expect expects expected agree agrees agreed true likely "
        "certain sure clear case evidence proof sign convinced follow follows guarantee"
    )
)
# Words that begin a clause without "that", and not a verb after "to": "not to the island".
_NOUNS: Final = frozenset(
    str.split(
        "the a an this that these those his her its their my our your it he she they we i you there him us them me "
        "some any all each every another no which whom what"
    )
)


def are_denying(words: Iterable[Token]) -> bool:
    """Whether an answer denies with these words what it quotes after them."""
    return any(denies(word.plain) or word.plain in _DENYING for word in words)


def is_under_denial(words: Sequence[Token], at: int, text: str) -> bool:
    """Whether the words of a text from a place on are what the text denies shortly before them."""
    near = words[max(0, at - 2 * _NEAR - 2) : at]
    paragraph = text.rfind("\n\n", near[0].start, words[at].start) if near else 0
    before = _joined([token.plain for token in reversed(near) if token.start >= paragraph])
    # A mark that opens a quotation, but not one in which speech goes on: “No,” he said, “it was lit.”
    if before[:1] == ["'"] and before[1:2] != [","] and near[-2:][0].end < near[-1].start:
        del before[0]
    here = [token.plain for token in words[at : at + 2]]
    lead = here.pop(0) if here[0] in _LEADING else ""
    if not lead and before and before[0] in _LEADING:
        lead = before.pop(0)
    if before[:1] == [","] and "," in before[1 : _NEAR + 1]:
        del before[: before.index(",", 1) + 1]  # a few words between commas: "without, of course, lighting it"
    clause = list(takewhile(lambda word: word not in _ENDS, before))
    leads = _leads(lead, clause, here[0] if here else "")
    if lead and not leads and lead != words[at].plain:
        if lead != "of":
            return False
        clause.insert(0, lead)
    denials = [n for n, word in enumerate(clause) if denies(word) or word in _DENYING or _turns(lead, clause, n)]
    if "nor" in clause:
        denials = [n for n in denials if clause[n] != "neither"]  # they deny once
    if len(denials) % 2 == 0 or denials[0] > _NEAR or not _AFFIRMING.isdisjoint(between := clause[: denials[0]]):
        return False
    if leads:
        return True
    denial = clause[denials[0]]
    is_subject = denial in _SUBJECTS and clause[denials[0] + 1 :] in ([], ["at"], ["under"], ["on"])
    return denial not in _DENYING | _STOPPING and (is_subject or all(word in _BETWEEN for word in between))


def _joined(before: Sequence[str]) -> list[str]:
    """Return words, the last first, with one for each two that deny together."""
    joined: list[str] = []
    for word in before:
        if joined and (word, joined[-1]) in _TWO:
            joined[-1] = "without"
        else:
            joined.append(word)
    return joined


def _leads(lead: str, clause: Sequence[str], word: str) -> bool:
    """Whether a clause, or a verb that another one governs, begins with a word."""
    last = clause[0] if clause else ""
    match lead:
        case "to":
            return word != "" and word not in _NOUNS and not word[0].isdigit()
        case "from":
            return word.endswith("ing") and not _PREVENTING.isdisjoint(clause[:_NEAR])
        case "of":
            return word.endswith("ing")
        case "than":
            return "rather" in clause[:_NEAR]
        case "that":
            return last in _SAYING | _DENYING
        case _:
            return last in _STOPPING if word.endswith("ing") else word in _NOUNS and last in _SAYING | _DENYING


def _turns(lead: str, clause: Sequence[str], n: int) -> bool:
    """Whether a word denies what it leads to: "too tired to", "kept him from", "stopped" before an "-ing"."""
    match lead:
        case "to":
            is_too = clause[n] == "too" and n > 0 and clause[n - 1] not in {"many", "much"}
            return is_too and clause[n + 1 : n + 2] not in (["only"], ["just"], ["all"])
        case "from":
            return clause[n] in _PREVENTING
        case "than":
            return clause[n] == "rather"
        case _:
            return n == 0 and clause[n] in _STOPPING
