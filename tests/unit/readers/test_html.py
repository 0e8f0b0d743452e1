"""HTML in general: the essay of any page, as text with its structure."""

from __future__ import annotations

import re

import pytest

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry
from contextual_rag.readers.html import parse_document
from tests.raising import raising
from tests.unit.readers.reports import ALL, REPORTS, UNSEEN, P, Report
from tests.unit.readers.shapes import ESSAY, SHAPES, Shape

URL = "http://quay.example/on-lamps.html"
LAST = "Isolde Marr"


def read(html: str | bytes, link: str = "On Lamps", url: str = URL) -> Document:
    body = html if isinstance(html, bytes) else html.encode()
    return parse_document(body, Entry(slug="on-lamps", url=url, title=link))


def parts(document: Document) -> list[tuple[str, str]]:
    return [(part.kind, document.text[part.start : part.end]) for part in document.paragraphs]


class TestAPageOfAKnownSystem:
    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
    def test_is_its_essay_with_its_structure_and_nothing_else(self, shape: Shape) -> None:
        document = read(shape.page, "The Tide Table of Marrowby", "http://quay.example/the-tide-table-of-marrowby/")
        assert parts(document) == list(ESSAY)
        assert (document.title, document.date or "") == ("The Tide Table of Marrowby", shape.date)


class TestAPageThatOtherReadersGotWrong:
    @pytest.mark.parametrize("report", REPORTS + UNSEEN, ids=lambda report: report.source)
    def test_is_read_right(self, report: Report) -> None:
        if report.code:
            with pytest.raises(EmptyDocumentError) as caught:
                read(report.html, report.link)
            assert caught.value.code.startswith(report.code)
            return
        document = read(report.html, report.link)
        assert [words for words in report.found.split("|") if words not in document.text] == []
        assert [words for words in report.lost.split("|") if words and words in document.text] == []
        assert document.title == (report.title or document.title)
        assert document.date == report.date


def page(body: str, title: str = "On Lamps") -> str:
    return f"<!DOCTYPE html><html><head><meta charset=utf-8><title>{title}</title></head><body>{body}</body></html>"


class TestTheText:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(f"<div>{ALL}</div><main></main>", id="beside an empty main"),
            pytest.param(
                f"<div>{ALL}</div><main><h2>Comments</h2><p>None yet.</p></main>", id="beside a main of comments"
            ),
            pytest.param(
                f"<div>{ALL}</div><article><h3>Bells</h3><p>Of the bells.</p></article>", id="beside a teaser"
            ),
            pytest.param("".join(f"<article>{p}</article>" for p in P), id="in several articles"),
            pytest.param(f"<form method=post><div>{ALL}</div></form>", id="in a form"),
            pytest.param(f"{P[0]}<form>Search: <input name=q>{''.join(P[1:])}", id="in a form that nothing closes"),
            pytest.param(f"<div class='comments'>{ALL}</div>", id="in what is called comments, alone"),
            pytest.param(f"<div class='sidebar'>{ALL}</div><p>Menu.</p>", id="in what is called a sidebar"),
            pytest.param(f"<header>{ALL}</header>", id="in a header"),
            pytest.param(f"<aside>{ALL}</aside>", id="in an aside"),
            pytest.param(f"<section id=comments><h2>Comments</h2>{ALL}</section>", id="in a section about comments"),
            pytest.param(f"<div id=root hidden>{ALL}</div>", id="in what a script will show"),
            pytest.param(
                f"<article><aside>{P[0]}</aside>{''.join(P[1:4])}<footer>{P[4]}</footer></article>", id="aside"
            ),
            pytest.param("".join(p.replace("<p>", "<p class=body-copy>") for p in P), id="in copy"),
            pytest.param(f"{P[0]}<div id=more class=entry-more>{''.join(P[1:])}</div>", id="after a fold"),
            pytest.param(f"<div class='has-sidebar no-comments menu-design'>{ALL}</div>", id="in odd classes"),
            pytest.param(f"<x-page><x-text>{ALL}</x-text></x-page>", id="in elements of its own"),
            pytest.param(f"<table class=layout><tr><td>{ALL}</td></tr></table>", id="in a table"),
            pytest.param("<br><br>".join(p[3:-4] for p in P), id="between breaks"),
        ],
    )
    def test_is_whole_wherever_it_stands(self, body: str) -> None:
        text = read(page(body)).text
        assert [p for p in P if p[3:-4] not in text] == []

    @pytest.mark.parametrize(
        ("around", "words"),
        [
            ('<div class="menu"><a href=/a>Bells</a></div>', "Bells"),
            ("<nav>Bells</nav>", "Bells"),
            ('<div role="navigation"><p>Bells.</p></div>', "Bells"),
            ("<form><p>Your name <input name=n></p><p><button>Go</button></p></form>", "Your name"),
            (
                '<div class="newsletter-form"><p>Letters about the sea, every week, and free of charge.</p></div>',
                "Letters",
            ),
            ('<p class="share-this">Tell a friend about the sea.</p>', "friend"),
            ('<section class="comments"><p>I do not believe a word of it, and I was there.</p></section>', "believe"),
            ('<div style="display:none"><p>What a script would show, perhaps, some day.</p></div>', "script"),
            ("<noscript>Switch on what you have switched off.</noscript>", "Switch"),
            ("<template><p>A part of what is not there.</p></template>", "not there"),
            ("<p>← <a href=/a>On Bells</a></p>", "Bells"),
            ("<p>© 2020 The Quay. All rights reserved.</p>", "Quay"),
        ],
    )
    def test_has_nothing_of_what_stands_around_it(self, around: str, words: str) -> None:
        text = read(page(f"<div>{ALL}</div>{around}")).text
        assert words not in text
        assert LAST in text

    @pytest.mark.parametrize(
        "line",
        [
            "Built in 1902, the mole of Leith stood for ninety years.",
            "Next came the ferry of Lissan.",
            "By Christmas the ice had gone.",
            "Previous winters were as cold.",
            "Updated tables of the tides were printed in Leith.",
            "Share the oil with <a href=/x>the others</a>.",
            "<h2>Previous work</h2>",
            "<h2>Built with care</h2>",
            "<b>Comments on oil</b>",
            "<h3 class=section-header>Of oil</h3>",
            "No comments were made by the mayor.",
            "Posted in Leith, it came after three days.",
            "Like the sea",
        ],
    )
    def test_keeps_lines_at_its_edges_that_are_text(self, line: str) -> None:
        words = re.sub("<.*?>", "", line)
        for body in (f"<p>{line}</p>{ALL}", f"{ALL}<p>{line}</p><p>So it was.</p>", f"{ALL}<p>{line}</p>"):
            assert words in read(page(body)).text

    def test_keeps_headings_lists_tables_code_and_quotations_apart(self) -> None:
        body = (
            f"<h1>On Lamps</h1>{P[0]}<h2>Rules</h2><ol start=3><li>Light it.<li>Wind it.</ol><ul><li>Oil</li></ul>"
            "<table><caption>Oil used</caption><tr><th>Year<th>Barrels<tr><td>1902<td>3</table>"
            "<pre>if dark:\n    light()</pre><blockquote>So be it.</blockquote><dl><dt>Wick<dd>A thread.</dl>"
        )
        assert parts(read(page(body)))[1:] == [
            ("heading", "Rules"),
            ("paragraph", "3. Light it."),
            ("paragraph", "4. Wind it."),
            ("paragraph", "Oil"),
            ("paragraph", "Oil used"),
            ("table", "Year | Barrels\n1902 | 3"),
            ("code", "if dark:\n    light()"),
            ("quote", "So be it."),
            ("paragraph", "Wick"),
            ("paragraph", "A thread."),
        ]

    def test_has_comments_of_code_which_are_no_comments_of_readers(self) -> None:
        code = '<pre><span class="comment"># the lamp</span>\n<span class=menu>menu</span> = 1</pre>'
        assert ("code", "# the lamp\nmenu = 1") in parts(read(page(ALL + code)))

    def test_of_xhtml_has_its_sections_of_characters_and_no_empty_element_swallows_it(self) -> None:
        html = (
            '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><script src="a.js"/><title/></head>'
            f'<body><div id="x"/><a name="y"/><p>Of <![CDATA[a < b]]> we know.</p>{ALL}</body></html>'
        )
        assert read(html).text.startswith("Of a < b we know.\n\nThe lamp of Ostrey")

    def test_takes_time_by_the_number_of_its_elements_and_no_more_is_lost_in_the_deep(self) -> None:
        words = [f"word{n}" for n in range(600)]
        document = read("".join(f"<div class=a{n}><p>{word} " for n, word in enumerate(words)))
        assert document.text.split() == words


class TestWhatIsRaised:
    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("10<sup>6</sup> tonnes", "10^6 tonnes"),
            ("10<sup>−3</sup> m", "10^−3 m"),
            ("2<sup>n + 1</sup>", "2^(n + 1)"),
            ("x<sup>2</sup>", "x^2"),
            ("E = mc<sup>2</sup>.", "E = mc^2."),
            ("40 km<sup>2</sup>", "40 km^2"),
            ("(a + b)<sup>2</sup>", "(a + b)^2"),
            ("Ca<sup>2+</sup>", "Ca^(2+)"),
            ("the 19<sup>th</sup> day", "the 19th day"),
            ("le 2<sup>e</sup> jour", "le 2e jour"),
            ("N<sup>o</sup> 5", "No 5"),
            ("M<sup>me</sup> Thole", "Mme Thole"),
            ("Quay<sup>™</sup>", "Quay™"),
            ("slate.<sup>1</sup> Its", "slate. [1] Its"),
            ("slate<sup>1</sup>, then", "slate [1], then"),
            ("slate.<sup>[12]</sup>Its", "slate. [12] Its"),
            ("slate.<sup>1, 2</sup>", "slate. [1] [2]"),
            ("slate<sup>a</sup> and", "slate [a] and"),
            ("It<sup>3</sup> rang", "It [3] rang"),
            ("in 1987<sup>3</sup> it", "in 1987 [3] it"),
            ("(see the ledger)<sup>4</sup>", "(see the ledger) [4]"),
            ("7<sup><a href='#n7'>7</a></sup> and", "7 [7] and"),
            ("slate.<a href='#n7'>7</a> It", "slate. [7] It"),
            ("slate <a href='#n7'>[7]</a> it", "slate [7] it"),
            ("slate [<a href='#n7'>7</a>] it", "slate [7] it"),
            ("see <a href='#n7'>7 boats</a>", "see 7 boats"),
            ("see <a href='/y/1987'>1987</a>", "see 1987"),
            ("<sup>1</sup> She lived in Leith.", "[1] She lived in Leith."),
            ("cider<a href='#n7'><sup>7</sup></a> and", "cider [7] and"),
            ("H<sub>2</sub>O and CO<sub>2</sub>", "H2O and CO2"),
            ("x<sub>1</sub> + a<sub>n+1</sub>", "x_1 + a_(n+1)"),
            ("log<sub>2</sub> 8", "log_2 8"),
        ],
    )
    def test_keeps_its_sense(self, html: str, text: str) -> None:
        assert read(page(f"<p>{html}</p>{ALL}")).text.startswith(f"{text}\n")

    def test_in_code_is_as_it_stands(self) -> None:
        assert ("code", "x2 = a1") in parts(read(page(f"{ALL}<pre>x<sup>2</sup> = a<sub>1</sub></pre>")))


class TestTheTitle:
    @pytest.mark.parametrize(
        ("title", "body", "link", "right"),
        [
            ("My Site", "<h1>On Lamps</h1>", "On Lamps", "On Lamps"),
            ("My Site", "<h1>On Lamps</h1>", "Read more", "On Lamps"),
            ("My Site", "", "On Lamps", "On Lamps"),
            ("On Lamps - My Site", "", "On Lamps", "On Lamps"),
            ("On Lamps - My Site", "<h1>My Site</h1><h2>On Lamps</h2>", "more", "On Lamps"),
            ("My Site: On Lamps", "<h1><a href=/>My Site</a></h1><h2>On Lamps</h2>", "here", "On Lamps"),
            ("On Lamps: A Story", "", "On Lamps: A Story", "On Lamps: A Story"),
            ("On Lamps – and Oil", "<h1>On Lamps – and Oil</h1>", "more", "On Lamps – and Oil"),
            ("", "<h1>On Lamps</h1>", "here", "On Lamps"),
            ("", "", "On Lamps", "On Lamps"),
            ("A Study of Lamps", f"{P[0]}<h2>Results</h2>", "»", "A Study of Lamps"),
        ],
    )
    def test_is_that_of_the_essay_and_not_of_its_site(self, title: str, body: str, link: str, right: str) -> None:
        document = read(page(f"{body}{ALL}", title), link)
        assert document.title == right
        assert not document.text.startswith(right)

    def test_is_what_it_declares_where_it_shows_none(self) -> None:
        declared = (
            '<meta property="og:site_name" content="My Site"><meta property="og:title" content="My Site">'
            '<script type="application/ld+json">{"@graph": [{"@type": "WebSite", "name": "My Site"}, '
            '{"@type": ["BlogPosting"], "headline": "On Lamps", "mainEntityOfPage": "http://quay.example/on-lamps.html"},'
            '{"@type": "BlogPosting", "headline": "On Bells"}]}</script>'
        )
        assert read(page(declared + ALL, "My Site"), "more").title == "On Lamps"

    def test_is_the_declared_one_where_a_box_above_it_has_another(self) -> None:
        declared = '<meta property="og:title" content="On Lamps, and How They Burn">'
        box = "<div><h2>On Lamps</h2><p>See also the pages of our readers, who have written about lamps.</p></div>"
        shown = page(f"{declared}{box}<h1>On Lamps, and How They Burn</h1>{ALL}", "On Lamps, and How They Burn | Quay")
        assert read(shown, "more").title == "On Lamps, and How They Burn"
        # Programs are told another title than readers are: what readers see is the title.
        other = page(f"{declared}<h1>The Lamps of Ostrey</h1>{ALL}", "On Lamps, and How They Burn | Quay")
        assert read(other, "more").title == "The Lamps of Ostrey"


class TestTheDate:
    @pytest.mark.parametrize(
        ("body", "date"),
        [
            ("<time datetime=2019-03-02>2 March 2019</time>", "2 March 2019"),
            ("<p class=meta><time datetime=2019-03-02T10:00:00Z>a while ago</time></p>", "2019-03-02"),
            ("<p>Posted on March 2, 2019 by Ann Gull</p>", "March 2, 2019"),
            ("<p><time datetime=2019-03-02>2. März 2019</time></p>", "2. März 2019"),
            ("<p>Saturday, March 2, 2019 | 4 min read</p>", "March 2, 2019"),
            ('<meta itemprop="datePublished" content="2019-03-02">', "2019-03-02"),
            (
                '<script type="application/ld+json">{"@type":"Article","datePublished":"2019-03-02"}</script>',
                "2019-03-02",
            ),
            ("<p>1931 (the winter in which the river froze) ruined the trade of eels.</p>", None),
            ("<p>March 2019 was wet.</p>", None),
            ("<p>It rang on <time datetime=1904-05-01>1 May 1904</time> for the first time in its life.</p>", None),
            ("<p class=meta>Updated on March 2, 2019</p>", None),
            ("<p>© 2019</p>", None),
            ('<meta name="date" content="1970-01-01">', None),
            ('<script type="application/ld+json">{"@type":"Article","dateModified":"2019-03-02"}</script>', None),
            ('<script type="application/ld+json">{"@type": </script>', None),
        ],
    )
    def test_is_taken_only_where_it_is_one(self, body: str, date: str | None) -> None:
        document = read(page(f"<h1>On Lamps</h1>{body}{ALL}"))
        assert document.date == date
        assert not date or date not in document.text
        if date is None and body.startswith("<p>1931"):
            assert document.text.startswith("1931 (the winter in which the river froze) ruined")

    def test_of_comments_and_other_essays_is_not_its_own(self) -> None:
        others = "<div class=comments><time datetime=2020-01-01>1 January 2020</time><p>I was there.</p></div>"
        assert read(page(f"{ALL}{others}")).date is None

    @pytest.mark.parametrize(
        ("path", "date"), [("2019/03/02/on-lamps.html", "2019-03-02"), ("2019/13/02/x", None), ("essays/2019/x", None)]
    )
    def test_may_stand_in_its_address(self, path: str, date: str | None) -> None:
        assert read(page(ALL), url=f"http://quay.example/{path}").date == date


class TestItsAddress:
    @pytest.mark.parametrize(
        ("canonical", "url", "cited"),
        [
            ("/on-lamps.html", f"{URL}?utm_source=x", URL),
            (
                "https://www.quay.example/on-lamps/",
                "http://quay.example/on-lamps",
                "https://www.quay.example/on-lamps/",
            ),
            ("/", URL, URL),
            ("/on-bells.html", URL, URL),
            ("http://other.example/on-lamps.html", URL, URL),
            ("/page.php", "http://quay.example/page.php?id=3", "http://quay.example/page.php?id=3"),
            ("http://[bad/on-lamps.html", URL, URL),
        ],
    )
    def test_is_the_one_that_the_page_gives_itself_if_it_is_of_this_page(
        self, canonical: str, url: str, cited: str
    ) -> None:
        html = page(ALL).replace("<title>", f'<link rel=canonical href="{canonical}"><title>')
        assert read(html, url=url).url == cited


SAYS = (
    ("Page not found", "<h1>404</h1><p>Sorry, the page you are looking for does not exist any more.</p>", "error"),
    ("Quay", "<h1>Nothing here</h1><p>We couldn’t find the page you wanted.</p>", "error"),
    ("410 Gone", "<p>The content you requested has been removed.</p>", "error"),
    ("Quay", "<h1>404 Not Found</h1><hr><center>server</center>", "error"),
    ("Access Denied", "<h1>Access Denied</h1><p>You don't have permission to access this page.</p>", "error"),
    ("Seite nicht gefunden", "<h1>Hoppla</h1><p>Diese Seite wurde leider nicht gefunden.</p>", "error"),
    ("Página no encontrada", "<p>La página que buscas no existe.</p>", "error"),
    ("ページが見つかりません", "<p>お探しのページは見つかりませんでした。</p>", "error"),
    ("404 - 找不到页面", "<p>您访问的页面不存在。</p>", "error"),
    ("Error", "<p>Internal server error. Please try again later.</p>", "error"),
    ("Attention Required! | Wall", "<p>Please complete the security check to go on. Ray ID: 7</p>", "wall"),
    (
        "On Lamps",
        "<p>You need to enable JavaScript to run this app.</p><div id=root></div><script>x()</script>",
        "wall",
    ),
    ("Quay", "<p>Session expired. Please log in to continue.</p>", "wall"),
    ("Quay", "<h1>Site under maintenance</h1><p>We will be back soon.</p>", "wall"),
    ("quay.example", "<p>The domain quay.example is for sale.</p>", "wall"),
    ("Quay", "<div id=app>Quay Reader</div><script src=a.js></script>", "shell"),
    ("Wait", "<p>Please wait …</p>", "shell"),
    ("Index of /essays", "<pre><a href=a>a</a></pre><p><a href=b>b.html</a></p><p>Server at quay</p>", "list"),
)


class TestAPageThatIsNoEssay:
    @pytest.mark.parametrize(("title", "body", "kind"), SAYS)
    def test_is_refused_with_the_reason(self, title: str, body: str, kind: str) -> None:
        with raising(EmptyDocumentError, f"empty_document_{kind}", "on-lamps"):
            read(page(body, title))

    @pytest.mark.parametrize("root", ['<rss version="2.0">', '<?xml version="1.0"?>\n<feed xmlns="x">', "<urlset>"])
    def test_may_be_a_feed(self, root: str) -> None:
        with raising(EmptyDocumentError, "empty_document_list", "on-lamps"):
            read(f"{root}<item><title>On Lamps</title><description>{ALL}</description></item>")

    @pytest.mark.parametrize(
        "title",
        [
            "404",
            "Page Not Found",
            "Error",
            "Just a Moment",
            "Captcha",
            "Coming Soon",
            "Loading",
            "Category: Lamps",
            "Domain",
        ],
    )
    def test_is_not_one_that_is_about_such_things(self, title: str) -> None:
        assert LAST in read(page(f"<h1>{title}</h1>{ALL}", title), title).text
        assert read(page(f"<h1>{title}</h1>{P[0]}{P[1]}", title), title).text.startswith("The lamp of Ostrey")

    @pytest.mark.parametrize(
        "text",
        [
            "The log would not burn, and the page was not found in the ledger of the quay until March.",
            "Robots do not keep lamps. Are you a robot? asked Quill.",
            "He asked her to wait. Loading the boats took an hour.",
        ],
    )
    def test_is_not_one_that_has_such_words(self, text: str) -> None:
        assert read(page(f"<p>{text}</p>")).text == text

    def test_is_not_an_article_with_many_others_below_it(self) -> None:
        others = "".join(f"<h3><a href=/{n}>Lamp {n}</a></h3><p>A lamp of the quay.</p>" for n in range(20))
        article = '<meta property="og:type" content="article">'
        assert LAST in read(page(f"{article}<h1>On Lamps</h1>{ALL * 4}{others}")).text
        for list_of_others in (f"<h1>Lamps</h1>{ALL * 4}{others}", f"{article}<h1>Lamps</h1>{P[0]}{others}"):
            with raising(EmptyDocumentError, "empty_document_list", "on-lamps"):
                read(page(list_of_others))

    def test_may_be_short_and_an_essay(self) -> None:
        assert read(page("<p>It rang.</p>")).text == "It rang."


def test_words_are_neither_lost_nor_glued_between_inline_elements() -> None:
    html = page(f"<article>un<i>believ</i>able <b>B</b>ig<br>one<img src=x>two<button>x</button>three{ALL}</article>")
    assert re.match(r"unbelievable Big one two three\n", read(html).text)
