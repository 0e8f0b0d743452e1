"""A question → what it asks for: the kind of answer, and the words that say what it is about."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from contextual_rag.qa.measured import DAYS, MONTHS, NAME, NUMBERS, OTHER_SCRIPT, which

__all__ = ["Kind", "is_english", "kind_of", "plain", "supplies"]

Kind = Literal["who", "when", "amount", "where", "why", "list", "definition", "other"]

_TEXTS: Final = r"(?:essay|text|article|passage|site|website|page|document|collection|corpus|speech|post|blog|talk)s?"
_AUTHOR: Final = r"(?:author|writer|essayist|narrator|speaker|blogger)"
_THE: Final = r"(?:the|this|that|these|those)"
# What says only that the essays, or their author, are asked; "the author of On Lisp" is somebody in particular.
_FILLER: Final = re.compile(
    rf"\b(?:according to|in|from|by) (?:{_THE}|your|his|her|their) (?:above |given |provided )?"
    rf"(?:{_TEXTS}|{_AUTHOR}(?:['’]s? {_TEXTS})?)\b,?"
    rf"|\b{_THE} (?:{_AUTHOR}(?!['’]?s? of\b)(?:['’]s\b)?"
    rf"|{_TEXTS}(?= (?:say|mention|describe|explain|tell|state|argue|discuss)))"
    r"|\b(?:please|(?:can|could|would) you|do you know|i (?:want|would like) to know|(?:tell|remind) me)\b"
    r"(?: (?:tell|explain|say)(?: me)?\b)?",
    re.IGNORECASE,
)

# The question words of some other languages.
_ELSEWHERE: Final[dict[Kind, str]] = {
    "amount": r"\b(?:wie ?viele?|combien|cu[aá]nt[oa]s?|quant[eioa]s?|hoeveel|сколько)\b|多少|几|いくつ|いくら|何人",
    "when": r"\b(?:wann|quand|cu[aá]ndo|quando|wanneer|когда)\b|什么时候|哪年|いつ|何年|מתי|متى",
    "where": r"\b(?:wo|où|d[oó]nde|dove|onde|waar|где)\b|哪里|哪儿|どこ|איפה|أين",
    "why": r"\b(?:warum|wieso|pourquoi|por ?qu[eéê]|perch[eé]|waarom|почему)\b|为什么|なぜ|למה|لماذا",
    "who": r"\b(?:we[rmn]|qui|qui[eé]n(?:es)?|chi|quem|wie is|кто|מי|من)\b|谁|誰|だれ",
}
# The first that a question matches; the order settles "what year did she …" and "which city has the most people".
_PATTERNS: Final[tuple[tuple[Kind, str], ...]] = (
    (
        "amount",
        r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|deep|wide|heavy|fast|late|early)\b|"
        r"\bwhat (?:did|does|do|would) .*\b(?:pay|cost|charge|earn)\b|"
        + which(
            r"percent\w*|share|proportion|portion|fraction|number|amount|price|cost|salary|population|age|rate|"
            r"size|length|height|weight|distance|score|total"
        ),
    ),
    ("when", r"^\W*(?:\w+ )?when\b|" + which("year|date|day|month|decade|century|time|season|period")),
    (
        "where",
        r"\bwhere\b|"
        + which(
            "city|cities|town|country|countries|places?|state|university|college|school|street|island|location|"
            "village|river"
        ),
    ),
    (
        "why",
        r"\bwhy\b|\bhow come\b|\bwhat (?:made|makes|led|prompted)\b|" + which("reasons?|causes?"),
    ),
    (
        "who",
        r"\bwho(?:m|se)?\b|\bname of\b|"
        + which(
            "person|people|m[ae]n|wom[ae]n|founders?|authors?|writers?|presidents?|investors?|actors?|artists?|"
            "scientists?|philosophers?|painters?|programmers?|architects?|friends?|generals?"
        ),
    ),
    (
        "list",
        r"\b(?:what|which) (?:are|were) (?:the|some|two|three|four|five|his|her|their)\b|"
        r"\b(?:list|name) (?:the|some|all|two|three|four|five)\b|"
        r"\b(?:what|which)(?: are| were)? (?:\w+ )?(?:two|three|four|five|six|seven)\b",
    ),
    (
        "definition",
        r"^\W*(?:what|who)(?:['’]s| is| are| was| were| does) (?:an? |the )?[\w'’-]+(?: [\w'’-]+){0,3}\W*$|"
        r"\bwhat (?:is|are) meant by\b|\bdefine\b|\bmeaning of\b",
    ),
)
_KINDS: Final = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _PATTERNS]
_SUPPLIES: Final[dict[Kind, re.Pattern[str]]] = {
    "who": re.compile(rf"(?<![.!?“\"] )(?<!^)\b{NAME}|\b{NAME} {NAME}|{OTHER_SCRIPT}"),
    "when": re.compile(
        rf"\b(?:1\d|20)\d\d\b|\b(?:{MONTHS}|{DAYS}|spring|summer|autumn|winter|morning|evening|night|noon|midnight|"
        r"yesterday|today|tomorrow|century|centuries|decades?)\b|\b(?:in|in early|in late) May\b|\bage of\b|"
        r"\b\w+ (?:years?|months?|weeks?|days?|hours?) (?:ago|later|before|after|earlier|old)\b|"
        r"\d ?(?:am|pm|a\.m|p\.m)|\b(?:when|after|before|until|since|while)\b"
    ),
    "amount": re.compile(rf"\d|[$€£¥%½]|\b(?:{NUMBERS})\b|[一二三四五六七八九十百千万]", re.IGNORECASE),
    "where": re.compile(
        rf"\b(?:in|at|on|to|from|near|of|off|through|across|outside|above|under|behind|into|over|around) "
        rf"(?:the |an? )?(?:\w+ )?{NAME}|"
        r"\b(?:in|at|on|near|under|behind|above|over) (?:the|an?|my|his|her|our|their)\b"
    ),
    "why": re.compile(
        r"\b(?:because|since|reasons?|so that|in order to|due to|which is why|that['’]s why|therefore|thanks to|"
        r"led to|caused?|explain\w*|otherwise|so)\b|\bto \w+",
        re.IGNORECASE,
    ),
    "list": re.compile(
        r",.*\b(?:and|or)\b|;.*;|\b1[).]|\(a\)|\b(?:first|second|one|both|two|three|four|also|another)\b",
        re.IGNORECASE | re.DOTALL,
    ),
}
# Small words of English that German, French, Spanish, Italian, Dutch and Portuguese do not have.
_SMALL: Final = re.compile(
    "the|of|and|to|is|are|were|what|which|who|whom|whose|why|how|when|where|did|does|do|has|have|had|with|from|by|for|"
    "that|this|it|they|you|he|she|his|can|could|should|would|about|there",
    re.IGNORECASE,
)
_FEW: Final = 4
_ASKS: Final = re.compile(
    r"^\W*(?:(?:what|who)(?:['’]s| is| are| was| were| does| do)|define) (?:meant by )?(?:an? |the )?", re.IGNORECASE
)

# Words that mean no more than "about".
_IDIOM: Final = re.compile(
    r"\b(?:in the (?:face|case|context|matter|event) of|in terms of|when it comes to|on the (?:subject|topic) of|"
    r"(?:with|in) (?:regards?|respect|relation|view) (?:to|of)|as (?:far as|regards|for))\b",
    re.IGNORECASE,
)


def plain(question: str) -> str:
    """Return a question without what says only that the essays are asked; unchanged if little else is in it."""
    shorter = " ".join(_IDIOM.sub("about", _FILLER.sub(" ", question)).split())
    return shorter if re.search(r"\w{3}", shorter) else question


def is_english(question: str) -> bool:
    """Whether a question seems to be in English: it has one of its small words, or hardly any words at all."""
    words = re.findall(r"[^\W\d_]+", question)
    return any(map(_SMALL.fullmatch, words)) or (question.isascii() and len(words) < _FEW)


def kind_of(question: str) -> Kind:
    """Return what kind of answer a question asks for."""
    if is_english(question):
        return next((kind for kind, pattern in _KINDS if pattern.search(question)), "other")
    return next((kind for kind, words in _ELSEWHERE.items() if re.search(words, question, re.IGNORECASE)), "other")


def supplies(kind: Kind, text: str, question: str) -> bool:
    """Whether a text has what answers this kind of question: a name, a date, … that the question itself has not."""
    if kind == "definition":
        return bool(_defines(question).search(text))
    if kind not in _SUPPLIES:
        return True
    asked = question.casefold()
    return any(found[0].casefold() not in asked for found in _SUPPLIES[kind].finditer(text))


@lru_cache(maxsize=64)
def _defines(question: str) -> re.Pattern[str]:
    """Return how a text says what something is: "called X", "here is X", "X is a", "X means", "X, …"."""
    subject = re.escape(_ASKS.sub("", question.strip(" ?.!")).removesuffix(" mean"))
    return re.compile(
        rf"(?:called|named|known as|mean by|here(?:['’]s| is)|term)\W+(?:the |an? )?[\"“'‘]?{subject}|"
        rf"{subject}s?[\"”'’]?(?: (?:is|are|was|were) (?:an?|the|one|not|what|when|like|simply|just|to|usually)\b|"
        r" means?\b|,|\s?[—(:]|--)",
        re.IGNORECASE,
    )
