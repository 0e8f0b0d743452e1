"""Hostile text from a model, an essay or a reader: only its words and our own addresses are rendered."""

from __future__ import annotations

import re
from html import escape, unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contextual_rag.model import Document, Paragraph
from streamlit_app.render import (
    Mark,
    Place,
    essay_address,
    essay_html,
    essays_html,
    hero_html,
    markdown_html,
    original_link,
    plain_html,
    spans_in,
)

TEXT = {"p", "em", "strong", "ul", "ol", "li", "blockquote", "pre", "code", "br", "hr", "h4", "h5", "h6"}
ALLOWED = TEXT | {"a", "div", "mark", "details", "summary"}
MARKS = {
    1: Mark("essay?version=v&slug=tide&at=0-4", 'The "Tide" <b>', "found"),
    2: Mark("essay?version=v&slug=lamp&at=5-9", "Lamp", "not_found"),
    3: Mark("essay?version=v&slug=well&at=9-12", "Well", "cited"),
}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](https://elsewhere.example/p.png)",
    "[click](javascript:alert(1))",
    "[click](https://elsewhere.example)",
    "<https://elsewhere.example>",
    "[ref]: https://elsewhere.example\n\n![ref][ref] [ref]",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>@import 'https://elsewhere.example';</style>",
    "```html onload=alert(1)\n<iframe src=//elsewhere.example>\n```",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '[1](javascript:alert(1)) "onmouseover=alert(1) [1]',
    "# <svg/onload=alert(1)>\n\n> <math><mi xlink:href=javascript:alert(1)>\n\n* <object data=x>",
    "$\\href{javascript:alert(1)}{x}$ :material/home: :red[x]",
]


def placed(text: str) -> list[Place]:
    """All `[n]` of a text, in code too."""
    found = re.finditer(r"\[([123](?:, [123])*)\]", text)
    return [Place(*mark.span(), {int(n): MARKS[int(n)] for n in mark[1].split(", ")}) for mark in found]


class Found(HTMLParser):
    """The tags, attributes and text that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(html: str) -> None:
    for tag, attributes in Found(html).tags:
        assert tag in ALLOWED
        if tag == "a":
            assert attributes.keys() == {"class", "href", "target", "title", "aria-label"}
            assert attributes["href"] in {mark.address for mark in MARKS.values()}
        else:
            assert attributes.keys() <= {"class", "dir"}
            assert attributes.get("dir", "auto") == "auto"


hostile = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*ATTACKS, "[1]", "[1, 2]", "[9]", "**", "`", "> ", "\n\n", "- ", "\\", "<", '"'])).map(
        "".join
    ),
)


class TestAnAnswer:
    @pytest.mark.parametrize("attack", ATTACKS)
    def test_an_attack_stays_text(self, attack: str) -> None:
        html = markdown_html(attack, placed(attack))
        assert_harmless(html)
        assert "elsewhere.example" not in "".join(str(attributes) for _, attributes in Found(html).tags)

    @settings(deadline=None)
    @given(hostile)
    @example("[1]" * 5)
    def test_only_words_and_our_own_addresses_are_rendered(self, text: str) -> None:
        assert_harmless(markdown_html(text, placed(text)))

    def test_emphasis_lists_quotations_and_code_are_rendered(self) -> None:
        html = markdown_html("# One\n\n**Two** *three* `<four>`\n\n- five\n\n> six\n\n```py\nseven\n```", ())
        assert [tag for tag, _ in Found(html).tags] == [
            *("h4", "p", "strong", "em", "code", "ul", "li", "blockquote", "p", "pre", "code")
        ]
        assert "&lt;four&gt;" in html

    def test_a_mark_links_to_its_source_and_looks_as_sure_as_it_is(self) -> None:
        text = "So it is [1, 2], **so**[3]."
        links = [attributes for tag, attributes in Found(markdown_html(text, placed(text))).tags if tag == "a"]
        assert [link["href"] for link in links] == [MARKS[1].address, MARKS[2].address, MARKS[3].address]
        assert [link["class"] for link in links] == ["cite", "cite unsure", "cite bare"]
        assert links[0]["title"] == 'The "Tide" <b>: words found in the essay'

    def test_a_mark_with_words_of_its_passage_carries_them_outside_the_text(self) -> None:
        words = """<img src=x> "quoted" & 'so'"""
        html = markdown_html("So it is [1].", [Place(9, 12, {1: MARKS[1]._replace(words=words)})])
        ((_, link),) = [(tag, attributes) for tag, attributes in Found(html).tags if tag == "a"]
        assert link["data-peek"] == f'The "Tide" <b>: words found in the essay\n{words}'
        assert "title" not in link
        assert Found(html).text.strip() == "So it is 1."

    def test_other_brackets_and_those_in_code_are_text(self) -> None:
        text = "So [7] and `x[1]`, and argv[2], \U000f0000 and [1]."
        html = markdown_html(text, [one for one in placed(text) if one.start != text.index("[2]")])
        assert "So [7] and <code>x[1]</code>, and argv[2], \ufffd and <a" in html

    def test_an_image_is_shown_as_it_was_written(self) -> None:
        text = "![pixel](https://elsewhere.example/p.png)"
        assert Found(markdown_html(text, ())).text == text


class TestAQuestion:
    @settings(deadline=None)
    @given(hostile)
    def test_it_is_shown_as_it_was_written(self, text: str) -> None:
        html = plain_html(text)
        assert [tag for tag, _ in Found(html).tags] == ["p"]
        assert unescape(html) == f'<p class="plain" dir="auto">{text}</p>'


def essay(*paragraphs: str, kind: str = "paragraph") -> Document:
    spans, at = [], 0
    for text in paragraphs:
        spans.append(Paragraph.model_validate({"start": at, "end": at + len(text), "kind": kind}))
        at += len(text) + 2
    return Document(
        slug="tide",
        url="https://essays.example/tide.html",
        title="Tide",
        date=None,
        text="\n\n".join(paragraphs),
        paragraphs=tuple(spans),
    )


class TestDirection:
    def test_each_paragraph_quotation_and_list_runs_as_its_letters_do(self) -> None:
        html = markdown_html("Said: “x”\n\nقال الجد\n\n> שלום\n\n- واحد", ())
        turned = [tag for tag, attributes in Found(html).tags if attributes.get("dir") == "auto"]
        assert turned == ["p", "p", "blockquote", "p", "ul"]
        assert 'dir="auto"' in plain_html("متى؟")

    def test_code_never_turns(self) -> None:
        assert "dir" not in markdown_html("```\nمتغير = 1\n```", ())
        document = essay("متغير = 1")
        code = document.model_copy(update={"paragraphs": (document.paragraphs[0].model_copy(update={"kind": "code"}),)})
        assert "dir" not in essay_html(code, [])


class TestAnEssay:
    def test_the_passage_is_highlighted_across_paragraphs(self) -> None:
        html = essay_html(essay("The sea rises.", "It falls again."), [(4, 24)])
        assert html == (
            '<div class="essay"><p dir="auto">The <mark>sea rises.</mark></p>'
            '<p dir="auto"><mark>It falls</mark> again.</p></div>'
        )

    def test_text_long_before_it_is_folded(self) -> None:
        document = essay("one", "two", "three", "four", "five")
        html = essay_html(document, [(document.text.index("five"), len(document.text))])
        assert html.startswith(
            '<div class="essay"><details><summary>2 earlier paragraphs</summary>'
            '<p dir="auto">one</p><p dir="auto">two</p>'
        )
        assert '</details><p dir="auto">three</p><p dir="auto">four</p><p dir="auto"><mark>five</mark></p>' in html

    def test_a_place_is_named_where_it_begins(self) -> None:
        document = essay("one", "two", "three")
        wheres = ("page <1>", "page <1>", None)
        placed = tuple(
            paragraph.model_copy(update={"where": where})
            for paragraph, where in zip(document.paragraphs, wheres, strict=True)
        )
        assert essay_html(document.model_copy(update={"paragraphs": placed}), ()) == (
            '<div class="essay"><p class="quiet">page &lt;1&gt;</p>'
            '<p dir="auto">one</p><p dir="auto">two</p><p dir="auto">three</p></div>'
        )

    @settings(deadline=None)
    @given(st.lists(st.text(), min_size=1), st.lists(st.tuples(st.integers(-5, 99), st.integers(-5, 99))))
    def test_all_its_words_and_none_of_its_tags_are_shown(
        self, paragraphs: list[str], spans: list[tuple[int, int]]
    ) -> None:
        html = essay_html(essay(*paragraphs), spans)
        assert_harmless(html)
        assert [tag for tag, _ in Found(html).tags].count("p") == len(paragraphs)
        bare = html.replace("<mark>", "").replace("</mark>", "")
        for text in paragraphs:
            assert f'<p dir="auto">{escape(text)}</p>' in bare

    def test_an_attack_in_it_stays_text(self) -> None:
        for attack in ATTACKS:
            assert_harmless(essay_html(essay(attack, attack), [(0, 7)]))


class TestTheListOfEssays:
    def test_names_and_links_each_and_stays_text(self) -> None:
        html = essays_html("v1", [("tide", "The Tide"), ("a&b", "<script>1</script>")])
        assert "2 essays" in html
        assert 'href="essay?version=v1&amp;slug=tide&amp;at="' in html
        assert "<script" not in html
        assert "slug=a%26b" in html

    def test_of_one_counts_one(self) -> None:
        assert "1 essay " in essays_html("v1", [("tide", "The Tide")])


class TestAddresses:
    def test_spans_survive_a_round_trip_through_an_address(self) -> None:
        address = essay_address("2026-01-01-0123abcd", "tide", [(3, 9), (12, 20)])
        assert address == "essay?version=2026-01-01-0123abcd&slug=tide&at=3-9,12-20"
        assert spans_in("3-9,12-20") == [(3, 9), (12, 20)]

    @pytest.mark.parametrize("at", ["", "x", "9-3", "3", "-3", "<script>", "99999999999999999999-3"])
    def test_invalid_spans_are_ignored(self, at: str) -> None:
        assert all(start < end for start, end in spans_in(at))
        assert spans_in(at)[1:] == []

    def test_only_the_essays_own_site_is_linked(self) -> None:
        own = "https://essays.example/tide.html"
        assert original_link(own, "essays.example") == own
        for other in (
            "javascript:alert(1)",
            "https://elsewhere.example/tide.html",
            "https://essays.example@elsewhere.example/",
            "https://me@essays.example/",
            "data:text/html,x",
            "//essays.example/x",
            'https://essays.example/"><script>',
            "https://essays.example/a](b)",
            "https://[broken",
        ):
            assert original_link(other, "essays.example") is None


class TestTheHeading:
    def test_has_the_name_as_it_was_set(self) -> None:
        assert "<h1>Moss &amp; Fell: letters</h1>" in hero_html("Moss & Fell: letters", "Two letters.")

    def test_never_as_markup(self) -> None:
        html = hero_html("<img src=x onerror=alert(1)>", "<b>Two</b>")
        assert "<img" not in html
        assert "<b>" not in html
