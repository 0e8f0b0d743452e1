"""Documents: the essay that a page holds, and nothing else of it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry
from contextual_rag.readers.html import parse_document
from contextual_rag.readers.index_page import read_index
from contextual_rag.recipe import PARSER
from tests.raising import raising

REPOSITORY = Path(__file__).parents[3]
REAL_SITE = REPOSITORY.parent / "shared" / "data" / "paulgraham_site"
SAMPLE_SITE = REPOSITORY / "sample_site" / "day1"
ENTRY = Entry(slug="essay", url="http://essays.example/essay.html", title="Named by the Index")

real_pages = pytest.mark.skipif(not REAL_SITE.is_dir(), reason="the real pages are not kept in the repository")
SHORT_ESSAYS = {"disc", "lwba", "patentpledge", "progbot", "property", "wtax"}
REAL_SLUGS = sorted({page.stem for page in REAL_SITE.glob("*.html")} - {"articles"})


def page(body: str, title: str = "The Title") -> bytes:
    """`body` in the tables of the essay site."""
    return f"""<html><head><title>{title}</title><!-- no --><script>var a = 1;</script></head><body>
    <table><tr valign=top><td><map name=m><area href="index.html" alt="Home"></map><img src=nav.gif usemap=#m></td>
    <td><a href="index.html"><img src=banner.gif></a><br><br><table width=435><tr><td><img src=t.gif alt="The Image">
    <br><br><font size=2 face="verdana">{body}<br><br></font></td></tr></table><br><table><tr><td><img src=dot.gif></td>
    <td><font><a href="x.html">Japanese Translation</a><br></font></td><td><font><a href="y.html">More</a></font></td>
    </tr></table><table><tr><td><font><br><br><hr></font></td></tr></table></td></tr></table></body>
    <script>var b = 2;</script></html>""".encode()


def paragraphs(document: Document) -> list[str]:
    return [document.text[span.start : span.end] for span in document.paragraphs]


def read(body: str) -> list[str]:
    return paragraphs(parse_document(page(body), ENTRY))


def kinds(body: str) -> list[tuple[str, str]]:
    document = parse_document(page(body), ENTRY)
    return [(span.kind, text) for span, text in zip(document.paragraphs, paragraphs(document), strict=True)]


class TestParagraphs:
    @pytest.mark.parametrize(
        "body",
        [
            "One here.<br><br>Two here.",
            "One here.<br> <!-- x --> <br>\n<br>Two here.",
            "<p>One here.<p>Two here.",
            "<p>One here.</p>Two here.",
            "<div>One here.</div><div>Two here.</div>",
            "One here.<hr>Two here.",
            "<ul><li>One here.<li>Two here.</ul>",
            "<table><tr><td>One here.<tr><td>Two here.</table>",
            "<table><tr><td>One<br>here.</td><td>Two<br><br></td></tr></table>here.",
        ],
    )
    def test_are_parted_by_double_breaks_and_block_elements(self, body: str) -> None:
        assert [text.split()[0] for text in read(body)][:2] == ["One", "Two"]

    def test_hold_single_breaks_and_hard_wraps_as_spaces(self) -> None:
        assert read("One<br>two\r\nthree\n   four<br/>five") == ["One two three four five"]

    def test_keep_words_whole_across_inline_tags(self) -> None:
        assert read("un<i>believ</i>able <b>B</b>ig x<sup>2</sup> <font color=red>r</font>ed") == [
            "unbelievable Big x^2 red"
        ]

    def test_hold_a_row_of_figures_as_one_line(self) -> None:
        assert read("<table><tr><td>rate<td>share<tr><td>1%<td>45%</table>") == ["rate share", "1% 45%"]

    def test_do_not_join_words_beside_an_image(self) -> None:
        assert read("one<img src=x.gif>two") == ["one two"]

    def test_hold_no_rules_drawn_in_characters(self) -> None:
        assert read("One.<br><br>_____<br><br>* * *<br><br>Two.") == ["One.", "Two."]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["alpha", "beta’s", "Gamma,", "d<i>el</i>ta", "caf&eacute;"]),
                st.sampled_from(["<br>", "<br><br>", "<p>", "</p>", "\n", " ", "<td>", "<tr><td>", "<table>", "<li>"]),
            ),
            min_size=1,
            max_size=40,
        )
    )
    def test_never_glue_or_lose_words(self, pieces: list[tuple[str, str]]) -> None:
        document = parse_document(page("Start " + "".join(word + gap for word, gap in pieces)), ENTRY)
        plain = [re.sub(r"<.*?>", "", word).replace("&eacute;", "é") for word, _ in pieces]
        assert Counter(document.text.split()) == Counter(["Start", *plain])


class TestKinds:
    def test_a_short_bold_paragraph_is_a_heading(self) -> None:
        assert kinds("One.<br><br><b>Two</b><br><br>Three <b>bold</b>.") == [
            ("paragraph", "One."),
            ("heading", "Two"),
            ("paragraph", "Three bold."),
        ]

    def test_a_bold_line_above_its_text_is_a_heading(self) -> None:
        assert kinds("<b>Head</b><br>Text.<h3>Other</h3>More.") == [
            ("heading", "Head"),
            ("paragraph", "Text."),
            ("heading", "Other"),
            ("paragraph", "More."),
        ]

    def test_a_long_bold_paragraph_is_not(self) -> None:
        assert kinds(f"<b>{'word ' * 40}</b>")[0][0] == "paragraph"

    def test_blockquotes_are_quotes(self) -> None:
        assert kinds("Said:<blockquote><p>One.<br><br>Two.</blockquote>So.") == [
            ("paragraph", "Said:"),
            ("quote", "One."),
            ("quote", "Two."),
            ("paragraph", "So."),
        ]

    def test_pre_is_code_and_keeps_its_lines(self) -> None:
        assert kinds("So:<pre>\n(def x\n\n  1)<br><br>y\n</pre>Thus.") == [
            ("paragraph", "So:"),
            ("code", "(def x\n\n  1)\n\ny"),
            ("paragraph", "Thus."),
        ]

    def test_notes_begin_below_their_heading_and_end_at_the_thanks(self) -> None:
        assert kinds(
            "Body. [<a href=#n1>1</a>]<br><br><b>Notes</b><br><br>[<a name=n1>1</a>] One.<br><br>More of it.<br><br>"
            '[2] <a href="http://x.example">There</a><br><br><b>Thanks</b> to A.<br><br>Afterword.'
        ) == [
            ("paragraph", "Body. [1]"),
            ("heading", "Notes"),
            ("note", "[1] One."),
            ("note", "More of it."),
            ("note", "[2] There"),
            ("paragraph", "Thanks to A."),
            ("paragraph", "Afterword."),
        ]

    def test_a_paragraph_that_begins_with_a_marker_is_a_note(self) -> None:
        assert kinds("Body. [1]<br><br><hr>[1] One.")[1] == ("note", "[1] One.")


class TestTheDate:
    @pytest.mark.parametrize(
        "line",
        [
            "February 2020",
            "April 2001, rev. April 2003",
            "November 2004, corrected June 2006",
            "December 2001 (rev. May 2002)",
            "Sept. 2009",
            "3 March 2019",
            "March 3rd, 2019",
            "2019-03-03",
            "1993",
        ],
    )
    def test_is_the_first_line_and_not_repeated_in_the_text(self, line: str) -> None:
        for body in (f"{line}<br><br>It began.", f"<i>{line}</i><br>It began.", f"<p><b>{line}</b><p>It began."):
            document = parse_document(page(body), ENTRY)
            assert (document.date, document.text) == (line, "It began.")

    def test_leaves_what_stands_behind_it(self) -> None:
        document = parse_document(page("May 2004 <i>(This was a talk.)</i><br><br>It began."), ENTRY)
        assert (document.date, paragraphs(document)) == ("May 2004", ["(This was a talk.)", "It began."])

    @pytest.mark.parametrize(
        "body", ["In May 2004 it began.", "May 2004 was wet.", "1993 was.", "Text.<br><br>B.<br><br>C.<br><br>May 2004"]
    )
    def test_is_none_where_no_first_line_is_one(self, body: str) -> None:
        document = parse_document(page(body), ENTRY)
        assert document.date is None
        assert "".join(document.text.split()) == re.sub(r"<br>|\s", "", body)

    def test_may_follow_an_advertisement(self) -> None:
        box = (
            '<table><tr><td bgcolor=#ff9922><font><b>Buy now?</b> See <a href="x.html">X</a>.</font></td></tr></table>'
        )
        document = parse_document(page(f"{box}<p>May 2004<br><br>It began."), ENTRY)
        assert (document.date, document.text) == ("May 2004", "It began.")


class TestTheTitle:
    def test_is_the_page_s_own(self) -> None:
        assert parse_document(page("Text.", " A\n&amp; B "), ENTRY).title == "A & B"

    def test_is_else_the_title_image_s(self) -> None:
        assert parse_document(page("Text.", ""), ENTRY).title == "The Image"

    def test_is_else_what_the_index_says(self) -> None:
        assert parse_document(b"<p>Text.", ENTRY).title == "Named by the Index"

    def test_is_not_repeated_in_the_text(self) -> None:
        assert read("<h1>The Title</h1>May 2004<br><br>Text.") == ["Text."]


class TestWhatIsNotTheEssay:
    def test_is_left_out(self) -> None:
        assert read("<!-- not this --><script>nor()</script><style>p {}</style><noscript>nor this</noscript>Text.") == [
            "Text."
        ]

    def test_may_be_links_before_and_after_it_with_their_label(self) -> None:
        links = '<a href="a.html">Home</a><br><br><a href="b.html">About me</a> |<br><br>'
        assert read(
            f"{links}Text with <a href=c.html>a link</a>.<br><br><a href=c.html>A link</a><br><br>Thanks to A.<br><br>"
            f"<b>Related:</b><br><br>{links}<a href=d.html>Comment</a> on this essay."
        ) == ["Text with a link.", "A link", "Thanks to A."]

    def test_is_what_stands_around_the_main_content_of_a_newer_page(self) -> None:
        html = b"""<!DOCTYPE html><title>T</title><header>My Site</header><nav><a href=/>Home</a></nav><main><article>
        <header><h1>T</h1><p>May 2004</p></header><p>Text.</p></article></main><footer>Copyright</footer>"""
        document = parse_document(html, ENTRY)
        assert (document.title, document.date, document.text) == ("T", "May 2004", "Text.")


class TestCharacters:
    @pytest.mark.parametrize("codec", ["cp1252", "utf-8"])
    @pytest.mark.parametrize("claim", [None, "utf-8", "iso-8859-1"])
    def test_are_right_whatever_the_server_claims(self, codec: str, claim: str | None) -> None:
        text = "It’s “naïve”—a café’s"
        html = page("@").decode().replace("@", text).encode(codec)
        assert parse_document(html, ENTRY, claim).text == text

    def test_named_by_entities_are_too(self) -> None:
        assert read("It&#146;s &ldquo;na&iuml;ve&#8221;&#0; &#x93;x&#148;&nbsp;&mdash;&#8; cafe&#769;&#xD800;") == [
            "It’s “naïve” “x” — café"
        ]


class TestAPageWithoutAnEssay:
    @pytest.mark.parametrize(
        "html",
        [
            b"",
            b" \n",
            b"<html></html>",
            page(""),
            page('<a href="a.html">Only links</a>'),
            page("<!-- unclosed"),
            bytes(range(256)) * 100,
            b"%PDF-1.4\n" + bytes(range(32)) * 50,
        ],
    )
    def test_is_refused_with_its_slug_its_address_and_what_was_found(self, html: bytes) -> None:
        address = "http://essays.example/essay.html"
        with raising(EmptyDocumentError, "empty_document", "'essay'", address, f"{len(html)} bytes"):
            parse_document(html, ENTRY)


def check_spans(document: Document) -> None:
    assert "\n\n".join(paragraphs(document)) == document.text
    assert all(text and text == text.strip("\n") for text in paragraphs(document))
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in document.text.replace("\n", ""))
    assert Document.model_validate_json(document.model_dump_json()) == document


TAGS = ["<p>", "<br>", "<b>", "</b>", "<pre>", "</pre>", "<table><tr><td>", "</table>", "<blockquote>", "<!--", "-->"]
TAGS += ["<a href=x>", "</a>", "<h2>", "<title>", "<li>", "<", ">", "&", "&#1;", "</html>", "<?xml", "<svg>", "<main>"]


class TestAnyPage:
    @given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda text: text.encode(errors="replace"))))
    def test_gives_a_document_or_is_refused(self, html: bytes) -> None:
        with suppress(EmptyDocumentError):
            check_spans(parse_document(html, ENTRY))

    @given(st.lists(st.one_of(st.sampled_from(TAGS), st.text(max_size=8)), max_size=60).map("".join))
    def test_of_broken_markup_does_so_too(self, body: str) -> None:
        with suppress(EmptyDocumentError):
            check_spans(parse_document(page(body), ENTRY))

    @given(st.integers(min_value=0, max_value=2000))
    def test_may_be_cut_anywhere(self, length: int) -> None:
        with suppress(EmptyDocumentError):
            check_spans(parse_document(page("May 2004<br><br>It’s “so”.<br><br>" * 9)[:length], ENTRY))

    @pytest.mark.parametrize(
        "html",
        [
            pytest.param(b"<div>" * 2_500 + b"deep", id="nested"),
            pytest.param(b"<table><tr><td bgcolor=red>" * 1_000 + b"deep", id="nested tables"),
            pytest.param(b"<b><i><a href=x>word " * 1_000, id="unclosed"),
            pytest.param(b"word<br>" * 2_500, id="single breaks"),
            pytest.param(b"<td>word" * 1_500, id="cells"),
            pytest.param(b"<p>some words of <i>an</i> essay<br><br>\n" * 600, id="long"),
            pytest.param(b"<" * 150_000, id="brackets"),
            pytest.param(b"<?" * 50_000, id="instructions"),
            pytest.param(b"&amp" * 25_000, id="entities"),
            pytest.param(b"\xe9\x92\xff" * 50_000, id="high bytes"),
            pytest.param(b"May 2004 rev. " * 5_000, id="dates"),
            pytest.param("a\u0301\u0316".encode() * 15_000, id="combining marks"),
        ],
    )
    def test_of_hostile_markup_does_so_too(self, html: bytes) -> None:
        with suppress(EmptyDocumentError):
            check_spans(parse_document(html, ENTRY))


class TestAPageThatIsNestedTooDeep:
    @pytest.mark.parametrize("tag", ["div", "b", "font", "table><tr><td", "blockquote"])
    def test_keeps_all_of_its_text(self, tag: str) -> None:
        words = [f"word{n}" for n in range(1000)]
        document = parse_document("".join(f"<{tag}>{word} " for word in words).encode(), ENTRY)
        assert document.text.split() == words
        check_spans(document)

    def test_is_read_as_ever_if_it_is_not(self) -> None:
        assert read("<div>" * 200 + "<b>One.</b>" + "</div>" * 200 + "<br><br>Two.") == ["One.", "Two."]


class IndependentText(HTMLParser):
    """The words of a page by another parser, a space at each tag that is no inline one."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "title")
        if tag not in ("a", "b", "i", "u", "font", "sup", "xa"):
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "title")
        if tag not in ("a", "b", "i", "u", "font", "sup", "xa"):
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.pieces.append(data)


def independent_words(html: bytes) -> Counter[str]:
    reader = IndependentText()
    reader.feed(html.decode("cp1252"))
    return Counter("".join(reader.pieces).split())


@real_pages
class TestTheRealPages:
    @staticmethod
    def parse(slug: str) -> Document:
        entry = Entry(slug=slug, url=f"http://www.paulgraham.com/{slug}.html", title="Named by the Index")
        return parse_document((REAL_SITE / f"{slug}.html").read_bytes(), entry)

    @pytest.mark.parametrize("slug", REAL_SLUGS)
    def test_hold_the_words_an_independent_reading_finds(self, slug: str) -> None:
        document = self.parse(slug)
        check_spans(document)
        ours, theirs = Counter(document.text.split()), independent_words((REAL_SITE / f"{slug}.html").read_bytes())
        assert ours - theirs == Counter()  # no word is glued or made up
        assert (theirs - ours).total() <= 90  # the date, advertisements, lists of links and rules
        assert ours.total() > (
            1000 if slug not in ("disc", "lwba", "patentpledge", "progbot", "property", "wtax") else 50
        )

    @pytest.mark.parametrize("slug", REAL_SLUGS)
    def test_have_no_trace_of_the_site_around_them(self, slug: str) -> None:
        text = self.parse(slug).text
        assert not re.search(r"[\ufffd\x80-\x9f\xa0]|â€|Ã|csell|YStore|[<>]|Translation\b", text)
        assert "Want to start a startup?" not in text
        assert "you may also like" not in text

    @pytest.mark.parametrize("slug", REAL_SLUGS)
    def test_have_their_date_and_title(self, slug: str) -> None:
        document = self.parse(slug)
        assert document.title != "Named by the Index"
        assert (document.date is None) is (slug == "lwba")
        if document.date:
            assert re.search(r"\b(19|20)\d\d$", document.date)
            assert not document.text.startswith(document.date)

    def test_have_the_dates_that_they_print(self) -> None:
        dates = {slug: self.parse(slug).date for slug in ("useful", "avg", "charisma", "progbot")}
        assert dates == {
            "useful": "February 2020",
            "avg": "April 2001, rev. April 2003",
            "charisma": "November 2004, corrected June 2006",
            "progbot": "1993",
        }

    @pytest.mark.parametrize("slug", REAL_SLUGS)
    def test_have_a_note_for_each_marker_of_the_body(self, slug: str) -> None:
        document = self.parse(slug)
        notes = " ".join(document.text[p.start : p.end] for p in document.paragraphs if p.kind == "note")
        body = " ".join(document.text[p.start : p.end] for p in document.paragraphs if p.kind != "note")
        markers = set(re.findall(r"\[\d+\]", body))
        assert markers <= set(re.findall(r"\[\d+\]", notes))
        assert bool(notes) or slug in ("disc", "lwba", "vcsqueeze")

    def test_include_two_in_undeclared_cp1252(self) -> None:
        for slug in ("top", "useful"):
            raw = (REAL_SITE / f"{slug}.html").read_bytes()
            assert not raw.isascii()
            assert re.search("[‘’“”—…é]", self.parse(slug).text)

    def test_include_one_of_a_few_dozen_words(self) -> None:
        document = self.parse("lwba")
        assert document.title == "Lisp for Web-Based Applications"
        assert len(document.text.split()) == 54

    def test_have_the_headings_that_they_print(self) -> None:
        document = self.parse("avg")
        headings = [document.text[p.start : p.end] for p in document.paragraphs if p.kind == "heading"]
        assert headings == ["The Secret Weapon", "The Blub Paradox", "Aikido for Startups", "Notes"]


@pytest.mark.skipif(not SAMPLE_SITE.is_dir(), reason="the sample site is not there")
def test_every_essay_of_the_sample_site_is_read_whole() -> None:
    entries = read_index((SAMPLE_SITE / "articles.html").read_bytes(), "http://127.0.0.1/articles.html").entries
    assert len(entries) == 17
    for entry in entries:
        html = (SAMPLE_SITE / f"{entry.slug}.html").read_bytes()
        document = parse_document(html, entry)
        check_spans(document)
        assert document.date
        assert not re.search(r"[\ufffd\x80-\x9f\xa0]|â€|Ã|[<>]|\bRSS\b|page_seen", document.text)
        assert document.title.replace("’", "'") == entry.title


def test_the_parser_has_a_version() -> None:
    assert re.fullmatch(r"[a-z-]+-\d+", PARSER)
