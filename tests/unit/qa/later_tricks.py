"""A third set of tricks with quotations, half of them true: other kinds than those before."""

from __future__ import annotations

from tests.unit.qa.tricks import Trick

__all__ = ["LATER_TRICKS"]

_ROW = "The keeper rowed from north to south, past boats, lamps and bells. He is now here."
_TYPED = "The lamp on the pier was lit by hand, as J. R. Stone wrote in the log."


def _one(name: str, text: str, quote: str, *, found: bool) -> Trick:
    return Trick(name, text, f"It says “{quote}” [1].", [(1, found)])


LATER_TRICKS = (
    # Other words, or the same in another order
    _one("two places that change sides", _ROW, "from south to north", found=False),
    _one("things in another order", _ROW, "lamps, boats and bells", found=False),
    _one("two words that become one", _ROW, "He is nowhere", found=False),
    _one("one word that becomes two", "He was apart of old.", "He was a part of old", found=False),
    _one("a comma that is lost", "Let us eat, Anna said.", "Let us eat Anna said", found=False),
    _one("another unit", "Take 5 mg of it daily.", "Take 5 µg of it", found=False),
    _one("a decimal comma", "It is 1,200 feet deep.", "It is 1.200 feet deep", found=False),
    _one("a word that is struck by marks", "He was not able.", "He was n\u0336o\u0336t\u0336 able", found=False),
    _one("a denial in a comment", "He was not able.", "He was <!-- not --> able", found=False),
    _one("a long vowel that is lost", "ビールを飲んだ。", "ビルを飲んだ", found=False),
    # What is left out turns the sense
    _one("a denial behind an ellipsis at the start", "He was not able to row.", "… able to row", found=False),
    _one("parts that share a word", "The lamp on the pier burned.", "The lamp on … on the pier", found=False),
    _one(
        "what was only pretended", "The keeper pretended to light the lamp.", "The keeper … light the lamp", found=False
    ),
    _one("a verb that stops", "The keeper stopped lighting the lamp.", "The keeper … lighting the lamp", found=False),
    _one("what nearly happened", "The keeper nearly lit the lamp.", "The keeper … lit the lamp", found=False),
    # Other writing of the same
    _one("two signs for micro", "Take 5 \u00b5g of it daily.", "Take 5 \u03bcg of it", found=True),
    _one("two signs for ohm", "It has 5 \u2126 of it.", "It has 5 \u03a9 of it", found=True),
    _one("initials without spaces", _TYPED, "J.R. Stone wrote", found=True),
    _one("a stretched word", "كتـــب الحارس رسالة", "كتب الحارس رسالة", found=True),
    _one("narrow katakana", "ﾗﾝﾌﾟを灯した。", "ランプを灯した", found=True),
    _one("spaces around foreign words", "用Python写的程序很好。", "用 Python 写的程序", found=True),
    _one("spaces before French signs", "Qui est là\u202f? Le gardien, dit-il.", "Qui est là? Le gardien", found=True),
    _one("long s", "The \u017fhip was lo\u017ft.", "The ship was lost", found=True),
    _one("a Dutch letter of two", "Het \u0133s is dik.", "Het ijs is dik", found=True),
    # What Markdown and HTML add
    _one("a link", _TYPED, "The [lamp](https://rock.example/lamp) on the pier", found=True),
    _one("a line break of HTML", _TYPED, "on the pier<br>was lit by hand", found=True),
    _one("hard line breaks", _TYPED, "on the pier  \nwas lit\\\nby hand", found=True),
    _one("a highlighted word", _TYPED, "on the ==pier== was lit", found=True),
    _one("an underlined word", _TYPED, "on the <ins>pier</ins> was lit", found=True),
    _one("a span of HTML", _TYPED, 'on the <span class="x">pier</span> was lit', found=True),
)
