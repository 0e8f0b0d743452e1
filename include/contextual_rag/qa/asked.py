"""A question → what it asks for: the kind of answer, and the words that say what it is about."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final, Literal

from contextual_rag.languages import ENGLISH
from contextual_rag.noun import Noun, noun
from contextual_rag.qa.measured import DAYS, MONTHS, NAME, NUMBERS, OTHER_SCRIPT, PAYS, which

__all__ = ["Kind", "kind_of", "plain", "supplies"]

Kind = Literal["who", "when", "amount", "where", "why", "list", "definition", "other"]

_TEXTS: Final = r"(?:essay|text|article|passage|site|website|page|document|collection|corpus|speech|post|blog|talk)s?"
_AUTHOR: Final = r"(?:author|writer|essayist|narrator|speaker|blogger)"
_THE: Final = r"(?:the|this|that|these|those)"
# The question words of some other languages, and what their answers have.
_WORDS_ELSEWHERE: Final[dict[Kind, str]] = {
    "amount": r"\b(?:wie ?viele?n?|wie (?:alt|lange|oft|hoch|weit|groß|schwer|teuer|tief|breit)|combien|cu[aá]nt[oa]s?|"
    r"quant[eioa]s?|hoeveel|сколько|كم)\b|多少|几|いくつ|いくら|何[人個回歳]",
    "when": r"\b(?:wann|quand|cu[aá]ndo|quando|wanneer|когда|в каком году|in welchem jahr|"
    r"(?:en|à) quelle (?:année|date)|en qu[eé] a[nñ]o|in che anno|em que ano|"
    r"متى|في أي (?:عام|سنة)|מתי)\b|什么时候|哪一?年|いつ|何年",
    "where": r"\b(?:wo|wohin|woher|où|a?d[oó]nde|dove|onde|waar|где|куда|откуда|أين|איפה)\b|哪里|哪儿|どこ",
    "why": r"\b(?:warum|wieso|weshalb|pourquoi|por ?qu[eéê]|perch[eé]|waarom|почему|зачем|لماذا|למה)\b|为什么|"
    r"なぜ|どうして",
    "who": r"\b(?:we[rmn]|wessen|qui|qui[eé]n(?:es)?|chi|quem|wie is|кто|кого|кому|ממי|מי|ممن)\b|^من\b|谁|誰|だれ",
}
_MONTHS_ELSEWHERE: Final = (
    "janu?ar|februar|märz|mai|juni|juli|oktober|dezember|janvier|février|mars|avril|juin|juillet|août|septembre|octobre|"
    "novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|"
    "febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|março|maio|junho|julho|setembro|"
    "outubro|novembro|dezembro|январ|феврал|март|апрел|июн|июл|август|сентябр|октябр|ноябр|декабр|يناير|فبراير|مارس|"
    "أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|نوفمبر|ديسمبر"
)
_NUMBERS_ELSEWHERE: Final = (
    r"zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|\w*zehn|\w+zig|\w*hundert\w*|\w*tausend\w*|deux|trois|"
    r"quatre|cinq|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingt|trente|quarante|cinquante|soixante|"
    r"cents?|mille|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|quince|veinte|veinti\w+|treinta|cuarenta|"
    r"cincuenta|sesenta|setenta|ochenta|noventa|ciento?|\w*cientos|mil|due|tre|quattro|cinque|sei|sette|otto|nove|dieci|"
    r"venti|trenta|cento|dois|duas|três|quatro|oito|dez|vinte|trinta|cem|дв[аеу]\w*|три\w*|четыр\w*|пят\w+|шест\w+|сем[ьи]\w*|"
    r"восем\w*|девят\w+|десят\w+|сорок|сто|тысяч\w*|\w+надцат\w+|عشر\w*|عشرون|مئة|ألف|ثلاث\w*|أربع\w*|خمس\w*|ست\w*|سبع\w*|"
    r"ثمان\w*|تسع\w*"
)
# The first that a question matches; the order settles "what year did she …" and "which city has the most people".
_PATTERNS: Final[tuple[tuple[Kind, str], ...]] = (
    (
        "amount",
        r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|deep|wide|heavy|fast|late|early)\b|"
        rf"{PAYS}|"
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
_ELSEWHERE: Final = [(kind, re.compile(words, re.IGNORECASE)) for kind, words in _WORDS_ELSEWHERE.items()]
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
        r",[^,]*\b(?:and|or)\b|;[^;]*;|\b1[).]|\(a\)|\b(?:first|second|one|both|two|three|four|also|another)\b",
        re.IGNORECASE | re.DOTALL,
    ),
}
_SUPPLIES_ELSEWHERE: Final[dict[Kind, re.Pattern[str]]] = {
    "who": _SUPPLIES["who"],
    "when": re.compile(rf"\b(?:1\d|20)\d\d\b|\b(?:{_MONTHS_ELSEWHERE})|[年月日]|世紀|世纪", re.IGNORECASE),
    "amount": re.compile(rf"\d|[$€£¥%½]|\b(?:{_NUMBERS_ELSEWHERE})\b|[一二三四五六七八九十百千万两]", re.IGNORECASE),
    "why": re.compile(
        r"\b(?:weil|denn|da|wegen|damit|deshalb|darum|parce|car|puisque|afin|à cause|porque|pues|debido|perché|poiché|"
        r"pois|потому|так как|поэтому|чтобы|لأن\w*|بسبب|لكي|כי|בגלל)\b|因为|所以|由于|ので|から|ため",
        re.IGNORECASE,
    ),
}
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
    shorter = " ".join(_IDIOM.sub("about", _filler(noun()).sub(" ", question)).split())
    return shorter if re.search(r"\w{3}", shorter) else question


@cache
def _filler(called: Noun) -> re.Pattern[str]:
    """Return what says only that the essays, or their author, are asked.

    "The author of On Lisp" is somebody in particular.
    """
    texts = rf"(?:{_TEXTS}|{re.escape(called.many)}|{re.escape(called.one)})"
    return re.compile(
        rf"\b(?:according to|in|from|by) (?:{_THE}|your|his|her|their) (?:above |given |provided )?"
        rf"(?:{texts}|{_AUTHOR}(?:['’]s? {texts})?)\b,?"
        rf"|\b{_THE} (?:{_AUTHOR}(?!['’]?s? of\b)(?:['’]s\b)?"
        rf"|{texts}(?= (?:say|mention|describe|explain|tell|state|argue|discuss)))"
        r"|\b(?:please|(?:can|could|would) you|do you know|i (?:want|would like) to know|(?:tell|remind) me)\b"
        r"(?: (?:tell|explain|say)(?: me)?\b)?",
        re.IGNORECASE,
    )


def kind_of(question: str, language: str = ENGLISH) -> Kind:
    """Return what kind of answer a question in a language asks for."""
    kinds = _KINDS if language == ENGLISH else _ELSEWHERE
    return next((kind for kind, pattern in kinds if pattern.search(question)), "other")


def supplies(kind: Kind, text: str, question: str, language: str = ENGLISH) -> bool:
    """Whether a text has what answers this kind of question: a name, a date, … that the question itself has not."""
    if kind == "definition":
        return bool(_defines(question).search(text))
    supplied = (_SUPPLIES if language == ENGLISH else _SUPPLIES_ELSEWHERE).get(kind)
    if supplied is None:
        return True
    asked = question.casefold()
    return any(found[0].casefold() not in asked for found in supplied.finditer(text))


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
