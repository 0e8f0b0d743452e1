"""Sentences end where a reader would end them, and joined they are the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.sentences import is_ended, sentences

# Written before the rule. Each line shows by "|" where a sentence ends and the next one begins.
CASES = [
    # Abbreviations, titles and initials
    ("en", "The quay was built by Dr. Amos T. Fell of St. Ives. |Nobody remembers it."),
    ("en", "He uses e.g. Lisp, i.e. a language by J. McCarthy. |It is small."),
    ("en", "J. R. Moss wrote it. |He did it in a week."),
    ("en", "The U.S. is big. |It is also far."),
    ("en", "No. 7 is the best of them. |No. 8 leaks."),
    ("en", "See p. 12 and Fig. 3. |Both are wrong."),
    # Numbers and addresses
    ("en", "It costs $3.5 million. |It was 4.25 before."),
    ("en", "Ask ann@quay.example. |She knows."),
    ("en", "See http://quay.example/a.html?b=c.d for more. |It is long."),
    ("en", "Node.js is small. |It starts at once."),
    # Lower case after the stop
    ("en", "we came in late. |nobody thought much of it. |she lost her compass."),
    ("en", "is it here? |yes. |it was there!"),
    # Dots and several signs
    ("en", "He paused... then he left. |She stayed."),
    ("en", "He paused... |Then he left."),
    ("en", "He paused… |Then he left."),
    ("en", "Wait… what? |Nobody knew."),
    ("en", "What now?! |Nothing."),
    # Quotation marks and brackets after the stop
    ("en", "He said “It was.” |Then he left."),
    ("en", "“It was so.” [1] |Then the boat sank. [2]"),
    ("en", "(It was so.) |The boat sank."),
    ("en", "It sank (see the log. It tells). |Then it rose."),
    ("en", "“Go!” she said. |He went."),
    ("en", "“Where is it?” he asked. |“There.” |“No.”"),
    ("en", "**It sank.** |Then it _rose._ |It was late."),
    # Items and lines
    ("en", "1. Take the rope. |2. Pull it."),
    ("en", "A line ends\nin a sentence. |Another begins.\n\n|A paragraph"),
    # Other languages and scripts
    ("de", "Das kostet z. B. 3,5 Mio. Euro. |Dr. Fell zahlt."),
    ("zh", "我们走。|“他说。”|好吗？|好！"),
    ("ar", "هل هذا سؤال؟ |نعم."),
    ("hi", "यह पहला है। |क्या यह दूसरा है?"),
    # Those that were written before anything was tried with them
    ("en", "Prof. Ada Quill and Mrs. Bo Lind met at 5 p.m. on Monday. |They argued."),
    ("en", "It happened in Jan. 1904, approx. a year before. |It was cold."),
    ("en", "Fell & Sons Ltd. bought the yard. |Moss Inc. sold it."),
    ("en", "He was born c. 1850 and died in 1902. |His son lived."),
    ("en", "They sold ropes, nets, sails, etc. to the fleet. |It paid well."),
    ("en", "Compare A. Moss et al. 2004 with the log. |They differ."),
    ("en", "The level rose 0.5 m at 3.15 p.m. and fell at 4.20. |Then it was still."),
    ("en", "Version 2.0.1 is out. |Version 1.9 is not."),
    ("en", "Open C:\\log.txt or ~/quay/log.txt. |Both are the same."),
    ("en", "Write to a.moss@quay.example or call. |She answers."),
    ("en", "iPhones came later. |eBay was there."),
    ("en", "it was 1904. |2 boats sank."),
    ("en", "“I … I cannot,” he said. |She left."),
    ("en", "What?? |Nobody had heard. |Nobody!!!"),
    ("en", "She asked, “Is it true?” |He nodded."),
    ("en", "'It is late.' |'It is.'"),
    ("en", "“It is late,” he said. |“It is,” she said."),
    ("en", "The log (of 1904) was lost. |[It was found later.] |It was wet."),
    ("en", "The boat [1, 2] sank. [3] |The log did not."),
    ("en", "Yahoo! bought the yard. |Nobody minded."),
    ("en", "- Ropes are kept dry. |They rot otherwise."),
    ("en", "He lists three things:\n\n|First, ropes."),
    ("fr", "M. Fell est arrivé à 15 h. |« Il est tard. » |Il partit."),
    ("es", "¿Dónde está el Sr. Fell? |¡Aquí! |Muy bien."),
    ("de", "Am 3. Oktober 1904 sank das Boot. |Niemand sah es."),
    ("ru", "Это было в 1904 г. на причале. |Колокол треснул. |Кто это видел?"),
    ("ja", "「遅い。」と彼は言った。|船は出た！|誰も見なかった。"),
    ("el", "Πού είναι; |Εδώ."),
    ("ur", "یہ کیا ہے؟ |یہ ایک گھنٹی ہے۔ |وہ ٹوٹ گئی۔"),
    ("it", "Il sig. Fell è qui. |Costa 3,5 euro."),
]


@pytest.mark.parametrize(("language", "shown"), CASES)
def test_end_where_a_reader_would_end_them(language: str, shown: str) -> None:
    text = shown.replace("|", "")
    assert "|".join(text[start:end] for start, end in sentences(text, language)) == shown


signs = st.sampled_from(
    [
        "a",
        "B ",
        "Mr. ",
        ". ",
        "! ",
        "… ",
        "\n",
        "\n\n",
        "\r\n",
        "\u2028",
        "\xa0",
        " ",
        "“",
        "”",
        "(",
        ")",
        "«",
        "[1]",
        "。",
        "é",
    ]
)


@given(st.lists(signs, max_size=60).map("".join), st.sampled_from(["en", "de", "ja", "ar", "xx"]))
def test_joined_are_the_text(text: str, language: str) -> None:
    spans = sentences(text, language)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(text[start:end].strip() or not text.strip() for start, end in spans)


@pytest.mark.parametrize("white", ["\xa0", "\u2028", "\u3000", "\u202f"])
def test_may_be_divided_by_any_white_space(white: str) -> None:
    text = f"He kept plan B{white}. Mr.{white}Fell did not.{white}Then it sank."
    assert [text[start:end] for start, end in sentences(text)][-1] == "Then it sank."


@pytest.mark.parametrize("text", ["It sank.", "Did it?”", "It sank. [1]", "沈んだ。」", "He said:", "نعم؟"])
def test_one_that_ends_is_ended(text: str) -> None:
    assert is_ended(text)


@pytest.mark.parametrize("text", ["", "The Boat", "1904", "a, b", "It sank. Then", "(1904)"])
def test_what_does_not_end_is_not_ended(text: str) -> None:
    assert not is_ended(text)


def test_only_the_last_characters_say_whether_a_text_is_ended() -> None:
    assert is_ended("It rang. " * 200 + 'It sank."[1] [2] \n')
    assert not is_ended("It rang. " * 200 + "It sank")
