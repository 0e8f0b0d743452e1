"""A question → the measure that it asks for, such as a price, an age or a date, and whether a text has one.

An essay that speaks of a company seldom says what it was sold for, and the sentences that come nearest are about the
company all the same. But a price has a shape: where no sentence near the question's words has one, nothing is told.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import dropwhile, takewhile
from typing import Final, Literal

__all__ = ["DAYS", "MONTHS", "NAME", "NUMBERS", "OTHER_SCRIPT", "PAYS", "Measure", "has_measure", "measure_of", "which"]

Measure = Literal["count", "money", "age", "span", "share", "date", "place", "name"]

MONTHS: Final = "January|February|March|April|June|July|August|September|October|November|December"
DAYS: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_CARDINALS: Final = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|dozens?|half|none|"
    "both|several"
)
NUMBERS: Final = rf"{_CARDINALS}|third|quarter|twice|once|first|second|percent"
NAME: Final = r"(?:[A-ZÀ-ÖØ-ÞА-Я][\w’'-]{0,60}\w)"
OTHER_SCRIPT: Final = "[\u0590-\u06ff\u0900-\u0dff\u3040-\u30ff\u4e00-\u9fff]"
_SMALL: Final = re.compile(
    "the|of|and|to|is|are|was|were|what|which|who|whom|whose|why|how|when|where|did|does|do|has|have|had|with|from|by|"
    "for|that|this|it|they|you|he|she|his|can|could|should|would|about|there",
    re.IGNORECASE,
)
_DIGITS: Final = r"\d[\d.,]{0,30}"
_NUMBER: Final = rf"(?:{_DIGITS}|{_CARDINALS})"
_PAID: Final = r"(?:pay|paid|costs?|charged?|earn(?:ed)?|spen[dt]|raised?|sold|worth|offer(?:ed)?|owed?|borrow(?:ed)?)"
_COINS: Final = r"(?:dollars?|euros?|pounds?|cents?|pence|francs?|marks?|yen|bucks|guineas?|shillings?|crowns?)"
_TIMES: Final = r"(?:second|minute|hour|day|night|week|month|year|decade|centur|summer|winter|generation|time)"


def which(nouns: str) -> str:
    """Return how a question asks for one of some nouns."""
    return rf"\b(?:what|which) (?:\w+ )?(?:{nouns})\b"


def _then(first: str, later: str) -> str:
    """Return how a line has one thing, and another later. Only the first place of the one is looked at, once a line."""
    return rf"(?m:^)(?>.*?{first}).*{later}"


PAYS: Final = _then(r"\bwhat (?:did|does|do|would) ", r"\b(?:pay|cost|charge|earn)\b")
_QUESTIONS: Final[dict[Measure, str]] = {
    "count": r"\bhow many (?!people\b)\w|\bwhat (?:is|was) the number of\b",
    "money": "|".join(
        (r"\bhow much money\b", _then(r"\bhow much\b", rf"\b{_PAID}\b"), PAYS, which("price|cost|salary|fee|budget"))
    ),
    "age": r"\bhow old\b|\bat (?:what|which) age\b|" + which("age"),
    "span": r"\bhow (?:long|often|late|early)\b",
    "share": which(r"percent\w*|share|proportion|portion|fraction"),
    "date": r"^\W*(?:\w+ )?when (?:did|was|were)\b|" + which("year|date|day|month|decade|century"),
    "place": which("city|cities|town|country|countries|university|college|school|street|island|village|river"),
    "name": r"\b(?:what|which) (?:is|was|are|were) (?:the )?names? of\b|"
    + _then(r"\bwhat (?:is|was|are|were) ", r" (?:called|named)\b"),
}
# The first that a question matches.
_ASKED: Final = {measure: re.compile(asks, re.IGNORECASE) for measure, asks in _QUESTIONS.items()}
_ASKS_MORE: Final = re.compile(_then(r"\band\b", r"\b(?:how|what|which|who|when|where|why)\b"), re.IGNORECASE)
_HAS: Final[dict[Measure, re.Pattern[str]]] = {
    "money": re.compile(
        rf"[$€£¥]\s?\d|\b(?:{_DIGITS}(?: ?million| ?billion)?|{NUMBERS})[ -](?:\w+ )?{_COINS}\b|\d ?k\b|"
        r"\b(?:nothing|free|equity|salary of)\b",
        re.IGNORECASE,
    ),
    "age": re.compile(
        rf"\b(?:{_NUMBER}[ -]years?[ -]old|aged? (?:of )?{_NUMBER}|(?:was|were|is|are|am|at|average|turned) {_NUMBER}|"
        rf"{_NUMBER} (?:to|or|and) {_NUMBER}|{_NUMBER}(?: and a half)? years|(?:teen|twent|thirt|fort|fift|sixt)ies)\b",
        re.IGNORECASE,
    ),
    "span": re.compile(
        rf"\b(?:{_NUMBER}|an?|every|each|few|couple of|all)[ -](?:\w+ )?{_TIMES}|"
        r"\b(?:twice|once|never|always|daily|weekly|yearly|forever|overnight|until|since|till)\b",
        re.IGNORECASE,
    ),
    "share": re.compile(
        r"%|\b(?:per ?cent|half|halves|thirds?|quarters?|fifths?|tenths?|most|majority|minority|none|all)\b|"
        rf"\b{_NUMBER} (?:in|of|out of|times) (?:the |every |an? )?\w+|\btimes as\b",
        re.IGNORECASE,
    ),
    "date": re.compile(
        rf"\b(?:1\d|20)\d\d\b|\b(?:{MONTHS}|{DAYS}|spring|summer|autumn|winter|yesterday|today|tomorrow|"
        r"centur(?:y|ies)|decades?)\b|\b(?:in|in early|in late) May\b|\bage of\b|"
        r"\b(?:last|next|this|that|same|following|previous|first|second|third) (?:year|month|week|day|night|morning)\b|"
        r"\b\w+ (?:years?|months?|weeks?|days?|hours?) (?:ago|later|before|after|earlier|old|in)\b|\d ?(?:am|pm)\b|"
        r"\bwhen (?:I|he|she|we|they) (?:was|were)\b"
    ),
    "place": re.compile(
        rf"\b(?:in|at|on|to|from|near|of|off|outside|through) (?:the |an? )?(?:\w+ )?{NAME}|{OTHER_SCRIPT}"
    ),
}
# The words that a question counts, or asks the name of, up to its verb; the last two of them say what it is.
_NOUN: Final = re.compile(
    r"\b(?:how many|number of|names? of|what (?:is|was|are|were)(?=.{0,300} (?:called|named)\b))"
    r"((?: (?!of\b|called\b|named\b|that\b)[\w’'-]+){1,6})",
    re.IGNORECASE,
)
_HEAD: Final = 2
_LEAST_STEM, _ENDING = 4, 3


def measure_of(question: str) -> Measure | None:
    """Return the measure that an English question asks for, or None if it asks for something else, or for more."""
    if _ASKS_MORE.search(question):
        return None
    return next((measure for measure, asks in _ASKED.items() if asks.search(question)), None)


def has_measure(measure: Measure, text: str, question: str) -> bool:
    """Whether a text has such a measure that the question itself has not; a count or name is of the question's noun."""
    pattern = _HAS.get(measure) or _of_noun(measure, _noun(question))
    asked = question.casefold()
    return any(found[found.lastindex or 0].casefold() not in asked for found in pattern.finditer(text))


def _noun(question: str) -> str:
    """Return a pattern of how the words begin that say what is counted or named: employees, PR firm."""
    found = _NOUN.search(question)
    words = re.findall(r"[^\W\d_]{3,}", found[1]) if found else []
    words = list(takewhile(lambda word: not _SMALL.fullmatch(word), dropwhile(_SMALL.fullmatch, words)))
    return "|".join(word[: max(_LEAST_STEM, len(word) - _ENDING)] for word in words[-_HEAD:])


@lru_cache(maxsize=64)
def _of_noun(measure: Measure, noun: str) -> re.Pattern[str]:
    """Return how a text counts something ("12 of its employees") or names it ("our firm, Schwartz Communications")."""
    if measure == "count":
        return re.compile(
            rf"\b((?:{_NUMBER}|no)[ -](?:of the |(?!the |an? )[\w’']++,?[ -]){{0,5}}(?:{noun}))", re.IGNORECASE
        )
    return re.compile(
        rf"\b(?i:{noun})\w*(?:,? (?!(?:in|on|at|of|from|by|to|with)\b)[\w’'-]+){{0,2}},? [“\"']?({NAME})|"
        rf"(?<!^)(?<![.!?] )\b({NAME}),? (?:[\w’'-]+ ){{0,3}}(?i:{noun})"
    )
