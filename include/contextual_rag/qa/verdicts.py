"""What is said about citations and cut answers: in the same words on the page, in commands, by the API, in exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from contextual_rag.noun import noun

__all__ = ["CUT_OFF", "NOT_ANYWHERE", "SHOWING", "State", "Verdict", "nearest", "state_of", "verdict_on", "words_of"]

State = Literal["found", "cited", "not_found"]
_STATES: Final[Mapping[State, str]] = {
    "found": "words found in the {one}",
    "cited": "cited, nothing quoted",
    "not_found": "words not found in the passage",
}
CUT_OFF: Final = "The answer reached the greatest length that is allowed. It ends here, unfinished."
SHOWING: Final = "Showing results for"
NOT_ANYWHERE: Final = "words not found in any passage"
"""What is said of a quotation without a number that no passage contains."""


class Verdict(NamedTuple):
    """What is said about all citations of one passage."""

    state: State
    words: str


def words_of(state: State) -> str:
    """Return what is said of a citation in a state."""
    return _STATES[state].format(one=noun().one)


def nearest() -> str:
    """Return what is said before the passages that an answer offers when it abstains."""
    return f"What comes nearest in the {noun().many}:"


def state_of(quote: str, *, verified: bool) -> State:
    """Return the state of a citation; `quote` is empty if nothing is quoted."""
    return "found" if verified else "not_found" if quote else "cited"


def verdict_on(states: Iterable[State]) -> Verdict:
    """Return the verdict on a passage by the states of its citations. One quotation that is not found is said first."""
    quoted = [state for state in states if state != "cited"]
    missing = quoted.count("not_found")
    if 0 < missing < len(quoted):
        return Verdict("not_found", f"{missing} of {len(quoted)} quotations not found in the passage")
    state: State = "not_found" if missing else "found" if quoted else "cited"
    return Verdict(state, words_of(state))
