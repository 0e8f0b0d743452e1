"""More tricks, which were written down before the check was made."""

from __future__ import annotations

from tests.unit.qa.tricks import Trick

__all__ = ["FURTHER_TRICKS"]

_WELL = "Marta kept the light for thirty years. She wasn’t able to leave the rock in winter, and nobody relieved her."
_BELL = "The bell of St. Anne’s rang at nine; by 9.30 the quay was empty."

FURTHER_TRICKS = (
    Trick("a shorter word at the end", _WELL, "“kept the light for thirty year” [1]", [(1, False)]),
    Trick("a contraction cut off", _WELL, "“She was able to leave the rock” [1]", [(1, False)]),
    Trick("a contraction with a straight apostrophe", _WELL, '"She wasn\'t able to leave" [1]', [(1, True)]),
    Trick("a name with an apostrophe in single marks", _BELL, "‘The bell of St. Anne’s rang at nine’ [1]", [(1, True)]),
    Trick("half of a time", _BELL, "“30 the quay was empty” [1]", [(1, False)]),
    Trick("a whole time", _BELL, "“by 9.30 the quay was empty” [1]", [(1, True)]),
    Trick("a comma for a semicolon", _BELL, "“rang at nine, by 9.30” [1]", [(1, False)]),
    Trick("the second passage, numbered first", (_WELL, _BELL), "“rang at nine” [1], [2]", [(1, False), (2, True)]),
    Trick(
        "words of two passages joined",
        (_WELL, _BELL),
        "“nobody relieved her. The bell of St. Anne’s” [1, 2]",
        [(1, False), (2, False)],
    ),
    Trick(
        "words of two passages with an ellipsis",
        (_WELL, _BELL),
        "“nobody relieved her … rang at nine” [1][2]",
        [(1, False), (2, False)],
    ),
    Trick("parts in the wrong order", _WELL, "“nobody relieved her … kept the light” [1]", [(1, False)]),
    Trick("parts of one word each", _WELL, "“Marta … leave … winter” [1]", [(1, False)]),
    Trick(
        "a block quotation with a mark on the next line",
        _WELL,
        "She says:\n\n> Marta kept the light\n> for thirty years.\n\n[1]",
        [(1, True)],
    ),
    Trick(
        "an invented line in a block quotation",
        _WELL,
        "> Marta kept the light for thirty years.\n> She hated it deeply. [1]",
        [(1, False)],
    ),
    Trick("a French quotation with narrow spaces", _BELL, "«\u202fThe bell of St. Anne’s rang\u202f» [1]", [(1, True)]),
    Trick("a Greek sentence in another case", "Ο ΦΑΡΟΣ ΕΙΝΑΙ ΠΑΛΙΟΣ", "“ο φαρος ειναι παλιος” [1]", [(1, True)]),
    Trick("a Greek accent that is not there", "Ο φάρος είναι παλιός", "“Ο φαρος ειναι παλιος” [1]", [(1, False)]),
    Trick("Hebrew with a mark before", "המנורה על הרציף הודלקה ביד", "[1] אומר „על הרציף הודלקה“.", [(1, True)]),
    Trick(
        "a negated Chinese verb without its negation",
        "他不会写字，也不会读书。",
        "他「会写字」【1】",
        [(1, False)],
        text="他「会写字」[1]",
    ),
    Trick(
        "two marks of two kinds around one quotation",
        (_WELL, _BELL),
        "Passage [2] adds: «rang at nine» (1).",
        [(1, False)],
        text="Passage [2] adds: «rang at nine» [1].",
        bare=[2],
    ),
    # Signs that belong to a number
    Trick("a number without its sign", "It is <5 m or ≥ 9 m deep.", "“5 m or” [1], “9 m deep” [1]", [(1, False)] * 2),
    Trick("a sign with another space", "It is <5 m or ≥ 9 m deep.", "“< 5 m or ≥9 m deep” [1]", [(1, True)]),
    Trick("a share without its sign", "It fell by 50 % at once.", "“It fell by 50” [1]", [(1, False)]),
    Trick("half of a power", "There are 10^6 boats.", "“6 boats” [1], “There are 10” [1]", [(1, False)] * 2),
    Trick("the end of a grouped number", "There are 1\u202f200 boats.", "“200 boats” [1]", [(1, False)]),
    Trick("a grouped number with a space", "There are 1\u202f200 boats.", "“There are 1 200 boats” [1]", [(1, True)]),
    Trick("lowered digits and a fraction", "CO₂ and ½ a mile.", "“CO2 and 1/2 a mile” [1]", [(1, True)]),
    Trick("a lowered base read as a number", "It is 10₂ metres.", "“It is 102 metres” [1]", [(1, False)]),
    # What is left out or hidden
    Trick("a long denial", "The keeper did not want to light it.", "“The keeper … light it” [1]", [(1, False)]),
    Trick("a denial of a clause", "He did not say that he can row now.", "“He did … he can row” [1]", [(1, False)]),
    Trick("a denial before commas", "He did not, in fact, light it.", "“He did … light it” [1]", [(1, False)]),
    Trick("a denial after commas", "He was, in fact, never able to.", "“He was … able to” [1]", [(1, False)]),
    Trick("a denial between commas", "The lamp, never dark at all, was old.", "“The lamp … was old” [1]", [(1, True)]),
    Trick("a denial of something else", "He had no money at all and kept it.", "“He had … kept it” [1]", [(1, True)]),
    Trick("a clause that denies", "The boat that was not new was old.", "“The boat … was old” [1]", [(1, True)]),
    Trick("a denial that is struck out", "He was not able.", "“He was ~~not~~ able” [1]", [(1, False)]),
    Trick("a word turned round", "He was not able.", "“He was \u202enot\u202c able” [1]", [(1, False)]),
    # What Markdown and editors add
    Trick("escapes", "Call open_file & 5 * 3.", "“Call open\\_file &amp; 5 \\* 3” [1]", [(1, True)]),
    Trick("escaped marks", _WELL, 'It says \\"thirty years\\" and \\"solid gold\\" [1].', [(1, True), (1, False)]),
    Trick(
        "a verse and its fault", "The sea is calm,\nThe tyde full.", "“is calm, / The tyde [sic] full” [1]", [(1, True)]
    ),
    Trick(
        "marks of two characters",
        _WELL,
        "``thirty years'' and ,,solid gold'' and ''in winter'' [1]",
        [(1, True), (1, False), (1, True)],
    ),
    Trick(
        "marks of other countries",
        _WELL,
        "»solid gold» and 《in winter》 and ❛solid iron❜ and ″solid tin″ and 'solid lead’ [1]",
        [(1, False), (1, True), (1, False), (1, False), (1, False)],
    ),
    Trick(
        "single marks after any sign",
        _WELL,
        "|'solid gold'|, •'solid tin', ~'in winter' [1]",
        [(1, False), (1, False), (1, True)],
    ),
    Trick(
        "a page beside the number",
        (_WELL, _BELL),
        "“rang at nine” [1, p. 3] and “rang at nine” [2: The Bell]",
        [(1, False), (2, True)],
        text="“rang at nine” [1] and “rang at nine” [2]",
    ),
)
