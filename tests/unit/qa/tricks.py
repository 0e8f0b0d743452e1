"""Answers that try to deceive the check of quotations, and true quotations that are hard to find."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TRICKS", "Trick"]


class Trick(NamedTuple):
    """An answer about passages, and the (number, found) of each of its quotations in order.

    `bare` are the numbers that are cited with nothing quoted. `text` is the answer with its marks, if they change.
    """

    name: str
    passages: str | tuple[str, ...]
    answer: str
    quoted: list[tuple[int | None, bool]]
    bare: list[int] = []  # noqa: RUF012 - never changed
    text: str | None = None


_LAMP = "The lamp on the pier was lit by hand. He was unable to write well. It seemed impossible, but she can row."
_BELL = "The bell rang at nine every evening. It is a non‑stop job at −5 degrees, for 1,200 boats."
_OFFICE = "The \ufb01rst o\ufb03ce \ufb02ooded. “Ring the bell”, he said — and rang it."
_CODE = (
    "The program reads its first file name from argv[1] and keeps its own name in argv[0] for messages. k is in [0, 1]."
)
_NOTES = "He kept a log [1] of all[2] the tides. Nobody read it. [3]"
_BOTH = (_LAMP, _BELL)

TRICKS = (
    # Parts of words
    Trick("the end of a word", _LAMP, "“able to write well” [1]", [(1, False)]),
    Trick("the whole word", _LAMP, "“unable to write well” [1]", [(1, True)]),
    Trick("possible in impossible", _LAMP, "“possible, but she can row” [1]", [(1, False)]),
    Trick("he in she", _LAMP, "“he can row” [1]", [(1, False)]),
    Trick("the start of a word", _LAMP, "“The lamp on the pie” [1]", [(1, False)]),
    Trick("half of a hyphenated word", _BELL, "“stop job at” [1]", [(1, False)]),
    Trick("a negative number without its sign", _BELL, "“5 degrees, for” [1]", [(1, False)]),
    Trick("the end of a number", _BELL, "“200 boats” [1]", [(1, False)]),
    Trick("the start of a number", "It is 3.5 metres deep.", "“It is 3” [1]", [(1, False)]),
    Trick("the end of a decimal", "It is 3.5 metres deep.", "“5 metres deep” [1]", [(1, False)]),
    Trick("a power read as a number", "There are 10² boats.", "“There are 102 boats” [1]", [(1, False)]),
    Trick("can in can't", "I can't swim at all.", "“I can” [1]", [(1, False)]),
    Trick("a word without its accent", "The cafe\u0301 is closed.", "“The cafe is closed” [1]", [(1, False)]),
    Trick(
        "a word with its accent in one character", "The cafe\u0301 is closed.", "“The café is closed” [1]", [(1, True)]
    ),
    Trick("a part of an identifier", "Call open_file now.", "“file now” [1]", [(1, False)]),
    Trick("the end of an abbreviation", "It is U.S. law now.", "“S. law now” [1]", [(1, False)]),
    Trick("a whole abbreviation", "It is U.S. law now.", "“U.S. law now” [1]", [(1, True)]),
    Trick("feet for inches", 'It is a 6" nail of old.', "“a 6' nail of old” [1]", [(1, False)]),
    Trick("inches in another shape", 'It is a 6" nail of old.', "“a 6″ nail of old” [1]", [(1, True)]),
    Trick(
        "a nested quotation that ends with a number",
        "He said “in 1999” at once.",
        "“He said ‘in 1999’ at once” [1]",
        [(1, True)],
    ),
    Trick("C in C++", "It is written in C++ and so on.", "“is written in C” [1]", [(1, False)]),
    Trick("bold inside a word", _LAMP, "“un**able** to write” [1]", [(1, True)]),
    Trick("bold on a part of a word", _LAMP, "“**able** to write” [1]", [(1, False)]),
    Trick("a Chinese sentence", "码头上的灯是用手点亮的。", "「码头上的灯是用手点亮的」[1]", [(1, True)]),
    Trick("other Chinese words", "码头上的灯是用手点亮的。", "「码头上的灯是用火点亮的」[1]", [(1, False)]),
    Trick("possible in impossible, in Chinese", "这是不可能做到的。", "「可能做到的」[1]", [(1, False)]),
    Trick(
        "a Japanese sentence in double corner marks", "灯台のフライパンは古い。", "『フライパンは古い』[1]", [(1, True)]
    ),
    Trick("bread in a frying pan", "灯台のフライパンは古い。", "「パンは古い」[1]", [(1, False)]),
    Trick("a Thai sentence", "โคมไฟบนท่าเรือถูกจุดด้วยมือ", "“บนท่าเรือถูกจุด” [1]", [(1, True)]),
    # Variants of the same characters
    Trick("ligatures", _OFFICE, "“The first office flooded” [1]", [(1, True)]),
    Trick("hyphen and minus", _BELL, "“a non-stop job at -5 degrees” [1]", [(1, True)]),
    Trick("soft hyphens", "The light\u00adhouse stands.", "“The lighthouse stands” [1]", [(1, True)]),
    Trick("emphasis", _LAMP, "“The **lamp** on the _pier_ was lit by hand” [1]", [(1, True)]),
    Trick("spaces of all kinds", _LAMP, "“The\u00a0lamp\u2009on  the\npier was lit” [1]", [(1, True)]),
    Trick("nested marks of another shape", _OFFICE, "“'Ring the bell', he said - and rang it.” [1]", [(1, True)]),
    Trick("three dots for an ellipsis", "Well… he rang it.", "“Well... he rang it” [1]", [(1, True)]),
    Trick("fullwidth letters", "ＡＢＣ street", "“ABC street” [1]", [(1, True)]),
    Trick("a sharp s is not two", "Er trank in Maßen davon.", "“Er trank in Massen davon” [1]", [(1, False)]),
    Trick("words left out", _BELL, "“The bell rang … every evening” [1]", [(1, True)]),
    Trick("words left out, in brackets", _BELL, "“The bell rang [...] every evening” [1]", [(1, True)]),
    Trick(
        "a nested quotation left out",
        "The bell “of old” rang at nine for us.",
        "“The bell … at nine for us” [1]",
        [(1, True)],
    ),
    Trick("words left out and another invented", _BELL, "“The bell rang … in the night” [1]", [(1, False)]),
    Trick("a denial left out", "He was never able to write.", "“He was … able to write” [1]", [(1, False)]),
    Trick(
        "a clause with a denial left out",
        "The lamp, which was not lit in winter, was old.",
        "“The lamp … was old” [1]",
        [(1, True)],
    ),
    Trick("marks of notes after words", "The tides¹ rose† here.", "“The tides rose here” [1]", [(1, True)]),
    Trick("an exponent left out", "It is 10² m² wide.", "“It is 10 m² wide” [1]", [(1, False)]),
    Trick("a letter changed in brackets", _LAMP, "“[t]he lamp on the pier” [1]", [(1, True)]),
    Trick("a comma of the answer inside the marks", _LAMP, "“The lamp on the pier,” he writes [1].", [(1, True)]),
    # Marks of quotations
    Trick(
        "an invented one after a good one",
        _LAMP,
        "“The lamp on the pier” [1]. It adds that “it was solid gold”.",
        [(1, True), (None, False)],
    ),
    Trick(
        "invented in guillemets beside a good one",
        _LAMP,
        "“The lamp on the pier” and «it was solid gold» [1]",
        [(1, True), (1, False)],
    ),
    Trick("German marks", _LAMP, "Er sagt „The lamp on the pier“ [1] und „solid gold“.", [(1, True), (None, False)]),
    Trick("Danish marks", _LAMP, "»The lamp on the pier« [1] og »solid gold«", [(1, True), (None, False)]),
    Trick(
        "single marks and an apostrophe",
        "The keepers’ boat wasn’t sound.",
        "‘The keepers’ boat wasn’t sound’ [1]",
        [(1, True)],
    ),
    Trick(
        "straight single marks",
        _LAMP,
        "It says 'the lamp on the pier' and 'was solid gold' [1].",
        [(1, True), (1, False)],
    ),
    Trick("straight marks with spaces inside", _LAMP, 'It says " the lamp on the pier " [1].', [(1, True)]),
    Trick("inches and feet", _LAMP, 'A 5" and a 6" nail, 5\'10" tall, "the lamp on the pier" [1]', [(1, True)]),
    Trick("inches inside", 'He drove a 6" nail in.', '"drove a 6" nail in" [1]', [(1, True)]),
    Trick("nested and invented", _LAMP, "“He says ‘the lamp on the pier’ is gold” [1]", [(1, False), (1, True)]),
    Trick(
        "a block quotation",
        _LAMP,
        "He says:\n\n> The lamp on the pier\n> was lit by hand.\n> — The Essay [1]",
        [(1, True)],
    ),
    Trick(
        "an invented last line with a dash",
        _LAMP,
        "> The lamp on the pier\n> — was made of gold [1]",
        [(1, False)],
    ),
    Trick("an invented block quotation", _LAMP, "> The lamp was solid gold.\n\n[1]", [(1, False)]),
    Trick("two words", _LAMP, "“solid gold” [1] and “by hand” [1]", [(1, False), (1, True)]),
    Trick("an unclosed mark", _LAMP, "He says “it was solid gold [1].\n\nSo it is.", [(1, False)]),
    Trick("reversed marks", _LAMP, "”by hand“ [1] and ”solid gold“ [1]", [(1, True), (1, False)]),
    Trick("a Hebrew abbreviation", 'הרמב"ם כתב ספר', 'הרמב"ם כתב: "כתב ספר" [1]', [(1, True)]),
    Trick("an answer that was cut inside a quotation", _LAMP, "It says “by hand” [1] and “was lit by ha", [(1, True)]),
    Trick("an unclosed straight mark", _LAMP, 'He says "it was solid gold [1].', [(1, False)]),
    Trick("a quotation of two paragraphs", _LAMP, '"by hand\n\nin pure gold" [1]', [(None, True), (1, False)]),
    Trick("rare marks", _LAMP, "〝solid gold〟[1] and ＂by hand＂[1] and ｢solid gold｣[1]", [(1, False), (1, True)]),
    Trick(
        "the title of an essay is no quotation",
        _LAMP,
        "In “The Essay” it says “by hand” [1].",
        [(1, True)],
    ),
    # Where the number stands
    Trick(
        "numbers before",
        _BOTH,
        "[1] says “the lamp on the pier”, and [2] says “the bell rang at nine”.",
        [(1, True), (2, True)],
    ),
    Trick(
        "numbers before, swapped",
        _BOTH,
        "[2] says “the lamp on the pier”, and [1] says “the bell rang at nine”.",
        [(2, False), (1, False)],
    ),
    Trick("two marks", _BOTH, "“The lamp on the pier” [1][2]", [(1, True), (2, False)]),
    Trick("two numbers in a mark", _BOTH, "“The lamp on the pier” [1, 2]", [(1, True), (2, False)]),
    Trick("no number", _BOTH, "It says “the bell rang at nine”.", [(None, True)]),
    Trick(
        "a number that no passage has",
        _BOTH,
        "“The bell rang at nine” [7]",
        [(None, True)],
        text="“The bell rang at nine” ",
    ),
    Trick("a full stop between", _BOTH, "“The bell rang at nine.” [2] “By hand.” [1]", [(2, True), (1, True)]),
    Trick("nothing quoted", _BOTH, "It was lit by hand [1]. It rang [2].", [], bare=[1, 2]),
    # Other shapes of marks, and what only looks like one
    Trick(
        "other shapes",
        _BOTH,
        "Lit by hand 【1】, [^1], [1-2], [1; 2], [Passage 2].",
        [],
        bare=[1, 2],
        text="Lit by hand [1], [1], [1, 2], [1, 2], [2].",
    ),
    Trick(
        "round brackets after a quotation",
        _BOTH,
        "“by hand” (1) and (2) it rang",
        [(1, True)],
        text="“by hand” [1] and (2) it rang",
    ),
    Trick("subscripts in code", _BOTH, "Use `a[0]`, `a[1]`; p is in [0, 1]. [1]", [], bare=[1]),
    Trick("a block of code", _BOTH, '```\ny = a[1]\nsay("solid gold")\n```\n[1]', [], bare=[1]),
    Trick("the essay's own brackets", _CODE, "“from argv[1] and keeps its own name in argv[0]” [1]", [(1, True)]),
    Trick("the essay's own brackets left out", _CODE, "“from argv and keeps its own name in argv” [1]", [(1, False)]),
    Trick("the essay's own brackets in the answer's words", _CODE, "It reads argv[1]. “for messages” [1]", [(1, True)]),
    Trick("the essay's own interval", _CODE, "“k is in [0, 1].” [1]", [(1, True)]),
    Trick("notes kept", _NOTES, "“a log [1] of all[2] the tides” [1]", [(1, True)]),
    Trick("notes left out", _NOTES, "“a log of all the tides. Nobody read it” [1]", [(1, True)]),
    Trick("a mark inside the quotation", _LAMP, "“The lamp on the pier [1]” it says", [(1, True)]),
)
