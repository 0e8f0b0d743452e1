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
)
