"""Pages: what bytes say, and which essays an index page names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.extras import EXTRAS
from contextual_rag.readers.characters import decode, tidy
from contextual_rag.readers.index_page import Index, read_index
from contextual_rag.readers.markup import read_markup
from tests.unit.readers.shapes import SHAPES, Shape

BASE = "http://essays.example/articles.html"
REAL_SITE = Path(__file__).parents[4] / "shared" / "data" / "paulgraham_site"
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")


def row(href: str, title: str, width: int = 12, height: int = 14) -> str:
    return (
        f"<tr valign=top><td width=435><img src=b.gif width={width} height={height} align=left>"
        f'<font size=2><a href="{href}">{title}</a><img src=t.gif width=1 height=2><br></font></td></tr>'
        "<tr><td><img src=t.gif width=1 height=5></td></tr>"
    )


def index(*rows: str) -> Index:
    page = f"""<html><head><title>Essays</title></head><body><table><tr><td><map><area href="index.html"></map></td>
    <td><a href="index.html"><img src=banner.gif width=410 height=45></a><table><tr><td>
    <img src=title.gif width=57 height=18 alt="Essays"><font>If you're not sure which to read, try
    <a href="think.html">Thinking</a>.<!-- {row("hidden.html", "Hidden")} --></font></td></tr></table>
    <table>{"".join(rows)}</table></td></tr></table></body></html>"""
    return read_index(page.encode(), BASE)


class TestTheEssaysOfAnIndexPage:
    def test_are_the_bulleted_links_in_page_order(self) -> None:
        found = index(row("b.html", "B"), row("a.html", "A"), row("c.htm", "C"))
        assert [(entry.slug, entry.url, entry.title) for entry in found.entries] == [
            ("b", "http://essays.example/b.html", "B"),
            ("a", "http://essays.example/a.html", "A"),
            ("c", "http://essays.example/c.htm", "C"),
        ]
        assert found.elsewhere == ()

    def test_do_not_include_links_beside_large_images(self) -> None:
        assert [e.slug for e in index(row("a.html", "A"), row("shop.html", "Shop", 120, 90)).entries] == ["a"]

    @pytest.mark.parametrize(("side", "counted"), [(15, True), (16, False)])
    def test_have_bullets_of_at_most_15_pixels(self, side: int, counted: bool) -> None:
        found = index(row("a.html", "A"), row("b.html", "B", side, side))
        assert ("b" in [entry.slug for entry in found.entries]) is counted

    def test_keep_the_first_of_two_links_with_one_slug(self) -> None:
        found = index(row("a.html", "First"), row("b.html", "B"), row("a.html#part", "Second"))
        assert [entry.title for entry in found.entries] == ["First", "B"]

    def test_may_be_named_by_absolute_addresses_of_the_same_site(self) -> None:
        found = index(row("http://ESSAYS.example:80/a.html", "A"), row("/b.html", "B"))
        assert [entry.slug for entry in found.entries] == ["a", "b"]

    def test_have_titles_of_one_line(self) -> None:
        assert index(row("a.html", "A&nbsp;<i>tit</i>le\n on<br>lines")).entries[0].title == "A title on lines"

    def test_do_not_include_the_index_page_itself(self) -> None:
        assert [e.slug for e in index(row("articles.html", "All"), row("a.html", "A")).entries] == ["a"]

    def test_are_none_on_a_page_without_links(self) -> None:
        for page in (b"", b"gone", b"<html><body><p>Moved</p></body></html>", b"\0\xff" * 50):
            assert read_index(page, BASE) == Index(entries=(), elsewhere=())


class TestALinkThatLeadsAway:
    @pytest.mark.parametrize(
        "href",
        [
            "http://cdn.example/chapter.txt?t=1&amp;",
            "chapter.zip",
            "https://essays.example/a.html",
            "http://essays.example:8080/a.html",
            "http://[broken/a.html",
            "mailto:a@essays.example",
        ],
    )
    def test_is_reported_and_not_followed(self, href: str) -> None:
        found = index(row("a.html", "A"), row(href, "Chapter 1"))
        assert [entry.slug for entry in found.entries] == ["a"]
        assert [link.title for link in found.elsewhere] == ["Chapter 1"]


class TestASlug:
    def test_is_the_last_part_of_the_path(self) -> None:
        assert index(row("old/essays/wis%64om.html", "A")).entries[0].slug == "wisdom"

    @pytest.mark.parametrize(
        "href", ["caf%C3%A9.html", "a%2Fb.html", "-x.html", "%20.html", "page.html?id=3", "é.html"]
    )
    def test_is_made_safe_with_a_hash_where_the_path_cannot_be_one(self, href: str) -> None:
        slug = index(row(href, "A")).entries[0].slug
        assert SLUG.fullmatch(slug)
        assert re.search(r"-[0-9a-f]{8}$", slug)

    def test_differs_where_addresses_differ(self) -> None:
        found = index(*(row(f"page.html?id={n}", str(n)) for n in range(9)), row("é.html", "E"), row("è.html", "E"))
        assert len({entry.slug for entry in found.entries}) == 11

    @given(st.text(max_size=300), st.text(max_size=20))
    def test_is_valid_whatever_the_link(self, path: str, title: str) -> None:
        for entry in index(row(path, title)).entries:
            assert SLUG.fullmatch(entry.slug)
            assert entry.title


class TestAnIndexWithoutBullets:
    def test_lists_the_links_of_its_list(self) -> None:
        page = b"""<nav><a href="/about.html">About</a></nav><main><p>Try <a href="b.html">this</a>.</p><ul>
        <li><a href="a.html">A</a></li><li><a href="b.html">B</a></li><li><a href="http://x.example/">X</a></li></ul>
        </main><footer><a href="/rss.html">RSS</a></footer>"""
        found = read_index(page, BASE)
        assert [(entry.slug, entry.title) for entry in found.entries] == [("a", "A"), ("b", "B")]
        assert {link.title: link.reason.split(":")[0] for link in found.elsewhere} == {
            "About": "stands in a menu, not in the list",
            "X": "leads elsewhere",
            "RSS": "stands in a menu, not in the list",
        }

    def test_lists_all_its_links_where_it_has_no_list(self) -> None:
        page = b'<header><a href="/">Home</a></header><h2><a href="a/">A</a></h2><p><a href="b.html">B</a></p>'
        assert [entry.slug for entry in read_index(page, BASE).entries] == ["a", "b"]


LISTS = {
    "headings": "".join(f"<h2><a href={n}.html>Essay {n}</a></h2>" for n in "abc"),
    "a list of terms": "<dl>" + "".join(f"<dt><a href={n}.html>Essay {n}</a><dd>Of {n}." for n in "abc") + "</dl>",
    "a table": "<table>" + "".join(f"<tr><td>2019<td><a href={n}.html>Essay {n}</a>" for n in "abc") + "</table>",
    "a list": "<ul class=posts>"
    + "".join(f"<li>May 2, 2019 » <a href={n}.html>Essay {n}</a>" for n in "abc")
    + "</ul>",
    "lists by year": "".join(f"<h3>201{n}</h3><ul><li><a href={n}.html>Essay {n}</a></ul>" for n in "abc"),
    "several articles": "".join(
        f"<article><header><h2><a href={n}.html>Essay {n}</a></h2></header><p>Of {n}, <a href=/x/{n}>here</a> too. "
        f"<a href={n}.html#more>Read more</a></article>"
        for n in "abc"
    ),
    "boxes": "".join(
        f"<div class=card><a href={n}.html><img src=i></a><a href={n}.html><h3>Essay {n}</h3><p>Of {n}.</p></a></div>"
        for n in "abc"
    ),
    "lines": "<br>".join(f"<a href={n}.html>Essay {n}</a>" for n in "abc"),
}
MENUS = {
    "by its id": '<div id="menu"><ul><li><a href=keeper.html>The Keeper of the Quay</a></ul></div>',
    "by its role": '<ul role="navigation"><li><a href=keeper.html>The Keeper of the Quay</a></ul>',
    "by its words": "<ul><li><a href=about.html>About</a><li><a href=keeper.html>Contact</a></ul>",
    "at the side": '<div class="sidebar"><h3><a href=keeper.html>The Keeper of the Quay</a></h3></div>',
    "at the end": '<div id="footer"><p><a href=keeper.html>The Keeper of the Quay</a></p></div>',
    "in a sentence": "<p>All of this was written by <a href=keeper.html>the keeper</a> in the evenings.</p>",
}


class TestTheListOfAPage:
    @pytest.mark.parametrize("menu", MENUS)
    @pytest.mark.parametrize("posts", LISTS)
    def test_is_followed_and_not_its_menu_which_is_named(self, posts: str, menu: str) -> None:
        for html in (MENUS[menu] + LISTS[posts], LISTS[posts] + MENUS[menu]):
            found = read_index(html.encode(), BASE)
            assert [(entry.slug, entry.title) for entry in found.entries] == [(n, f"Essay {n}") for n in "abc"]
            assert "http://essays.example/keeper.html" in [link.url for link in found.elsewhere]

    def test_is_its_menu_if_it_has_no_other(self) -> None:
        html = f"<nav><a href=/>Home</a>{LISTS['a list']}</nav><footer><a href=x.html>Terms</a></footer>"
        assert [entry.slug for entry in read_index(html.encode(), BASE).entries] == ["a", "b", "c"]

    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
    def test_of_a_known_system_is_its_essays(self, shape: Shape) -> None:
        found = read_index(shape.listing.encode(), "http://quay.example/")
        titles = ["The Tide Table of Marrowby", "On Lamps and Oil", "A Winter at the Sluice"]
        assert [entry.title for entry in found.entries] == titles

    @pytest.mark.parametrize(
        "path",
        [
            "tag/sea/", "tags/", "category/sea/page/2/", "author/ann", "page/2/", "?page=2", "feed/",
            "archives/2019/05/",
            "b.html?replytocom=7", "comments/feed/", "p/lamps/comments", "@ann", "search?q=a", "tag/sea.html",
            "en/genindex.html", "en/search.html", "?C=N;O=D",
        ],
    )  # fmt: skip
    def test_has_no_pages_that_list_others(self, path: str) -> None:
        found = read_index(f"<ul><li><a href=a.html>A</a><li><a href='/{path}'>B</a></ul>".encode(), BASE)
        assert [entry.slug for entry in found.entries] == ["a"]
        assert [link.reason.split(":")[0] for link in found.elsewhere] == ["lists other pages"]

    @pytest.mark.parametrize(
        "path", ["tags-and-titles/", "on/the/page/", "archives/000123.html", "2019/", "authors-note", "comments.html"]
    )
    def test_has_essays_whose_address_is_alike(self, path: str) -> None:
        found = read_index(f"<ul><li><a href=a.html>A</a><li><a href='/{path}'>B</a></ul>".encode(), BASE)
        assert [entry.title for entry in found.entries] == ["A", "B"]

    @pytest.mark.parametrize(
        ("link", "title"),
        [
            ("<li><a href=b>Lamps, oil and; wicks</a>", "Lamps, oil and; wicks"),
            ("<li><a href=b>\u2605 Lamps</a>", "Lamps"),
            ("<li><a href=b><time>Mar 2, 2024</time> <span>Lamps</span></a>", "Lamps"),
            ("<li><a href=b><time>Mar 2, 2024</time></a>", "Mar 2, 2024"),
            ("<li><h2>Lamps</h2><p>They burn. <a href=b>Read more</a></p>", "Lamps"),
            ("<li><h2>Lamps</h2><p>They burn.</p><div><a href=b><i></i></a></div>", "Lamps"),
            ("<li><h2>Lamps</h2><a href=b#c>Read more</a><div><a href=b>Continue reading</a></div>", "Lamps"),
            ("<li><a href=b><img src=x alt='A lamp'></a>", "A lamp"),
            ("<li><h2>Both</h2><a href=b>Read more</a><a href=b.html>Lamps</a>", "Read more"),
        ],
    )
    def test_calls_an_essay_as_its_readers_see_it(self, link: str, title: str) -> None:
        found = read_index(f"<ul><li><a href=a.html>A</a>{link}</ul>".encode(), BASE)
        assert {entry.url: entry.title for entry in found.entries}["http://essays.example/b"] == title

    def test_has_the_pages_of_its_own_site_however_they_are_written(self) -> None:
        links = ["http://essays.example/a", "https://www.essays.example/b", "/c", "/c/", "http://other.example/d"]
        html = "".join(f"<li><a href={link}>Essay {link[-2:]}</a>" for link in links)
        found = read_index(f"<ul>{html}</ul>".encode(), "https://essays.example/")
        assert [entry.url for entry in found.entries] == [
            "https://essays.example/a", "https://www.essays.example/b", "https://essays.example/c",
        ]  # fmt: skip
        assert {link.url for link in found.elsewhere} == {"https://essays.example/c/", "http://other.example/d"}

    @pytest.mark.parametrize("link", ["http://essays.example:8080/a", "http://essays.example.evil.example/a"])
    def test_never_has_those_of_another_port_or_host(self, link: str) -> None:
        found = read_index(f"<ul><li><a href={link}>A</a><li><a href=/b>B</a></ul>".encode(), "https://essays.example/")
        assert [entry.title for entry in found.entries] == ["B"]


class TestAnAddress:
    @pytest.mark.parametrize(
        "path", ["mr.quill/", "on-2.0/", "on-2.0", "a.php", "a.aspx?id=3", "a.shtml", "a.xhtml", "a.txt", "node.js/"]
    )
    def test_may_end_in_anything(self, path: str) -> None:
        (entry,) = read_index(f"<ul><li><a href='{path}'>A</a></ul>".encode(), BASE).entries
        assert entry.url == f"http://essays.example/{path}"

    @pytest.mark.parametrize("name", ["a.doc", "a.PNG", "a.zip", "feed.xml", "a.mp3?x=1"])
    def test_of_what_is_never_a_page_is_named_and_not_followed(self, name: str) -> None:
        found = read_index(f"<ul><li><a href=a.html>A</a><li><a href={name}>B</a></ul>".encode(), BASE)
        assert [entry.title for entry in found.entries] == ["A"]
        assert [link.title for link in found.elsewhere] == ["B"]

    @pytest.mark.parametrize("name", ["a.pdf", "a.PDF?v=2", "a.docx", "a.pptx", "a.epub"])
    def test_of_a_file_that_a_reader_knows_is_followed(self, name: str) -> None:
        found = read_index(f"<ul><li><a href=b.html>B</a><li><a href={name}>A</a></ul>".encode(), BASE)
        assert [entry.url for entry in found.entries] == [f"http://essays.example/{one}" for one in ("b.html", name)]

    def test_of_a_file_is_not_followed_without_the_libraries_of_its_reader(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(EXTRAS, "documents", ("no_such_library",))
        found = read_index(b"<ul><li><a href=a.epub>A</a><li><a href=b.pdf>B</a></ul>", BASE)
        assert [entry.title for entry in found.entries] == ["A"]
        assert [(link.title, "documents" in link.reason) for link in found.elsewhere] == [("B", True)]

    @pytest.mark.parametrize(
        ("base", "url"),
        [
            ("/essays/", "http://essays.example/essays/a.html"),
            ("sub/", "http://essays.example/sub/a.html"),
            ("http://essays.example/x/y.html", "http://essays.example/x/a.html"),
            ("http://[bad", "http://essays.example/a.html"),
            ("", "http://essays.example/a.html"),
        ],
    )
    def test_starts_from_the_page_s_base(self, base: str, url: str) -> None:
        html = f"<head><base target=x><base href='{base}'></head><ul><li><a href=a.html>A</a></ul>"
        assert [entry.url for entry in read_index(html.encode(), BASE).entries] == [url]

    def test_has_nothing_that_only_says_where_a_reader_came_from(self) -> None:
        html = (
            "<li><a href='a.html?utm_source=x&id=3'>A</a><li><a href='a.html?id=3&fbclid=y#c'>A</a>"
            "<li><a href=b.html?ref=1>B</a>"
        )
        urls = [entry.url for entry in read_index(html.encode(), BASE).entries]
        assert urls == ["http://essays.example/a.html?id=3", "http://essays.example/b.html?ref=1"]

    def test_of_two_folders_is_two_essays(self) -> None:
        found = read_index(b"<ul><li><a href=2019/index.html>A</a><li><a href=2020/index.html>B</a></ul>", BASE)
        assert len({entry.slug for entry in found.entries}) == 2


class TestDecoding:
    @pytest.mark.parametrize("text", ["plain", "“naïve” café — 5 €", "Ελληνικά", "日本語のページ"])
    @pytest.mark.parametrize("claim", [None, "utf-8", "iso-8859-1", "us-ascii", "shift_jis", "no-such-charset", ""])
    def test_reads_utf_8_whatever_the_page_claims(self, text: str, claim: str | None) -> None:
        assert decode(text.encode(), claim) == text
        assert decode(text.encode("utf-8-sig"), claim) == text
        meta = f'<meta charset="{claim}">{text}'
        assert decode(meta.encode()) == meta

    @pytest.mark.parametrize("claim", [None, "utf-8", "iso-8859-1", "latin1", "us-ascii", "windows-1252"])
    def test_reads_western_bytes_as_cp1252_whatever_the_page_claims(self, claim: str | None) -> None:
        text = "It’s “naïve”—a café’s £5 or 5 € … CAFÉ”"
        assert decode(text.encode("cp1252"), claim) == text

    @pytest.mark.parametrize(
        ("label", "codec", "text"),
        [
            ("macintosh", "mac-roman", "“naïve” café — Ω"),
            ("x-mac-roman", "mac-roman", "éèê"),
            ("iso-8859-9", "cp1254", "akşam ışığı “güneş”"),
            ("ISO-8859-11", "cp874", "ประภาคาร…"),
            ("gb2312", "gbk", "繁體字與朱镕基"),
            ("chinese", "gbk", "海边的灯塔"),
            ("shift_jis", "cp932", "第①章 ㈱灯台社"),
            ("x-sjis", "cp932", "～灯台"),
            ("ks_c_5601-1987", "cp949", "뷁이라는 등대"),
            ("big5", "big5hkscs", "燈塔嘅光"),
            ("euc-jp", "euc_jp", "灯台の光"),
            ("iso-8859-15", "iso8859-15", "5 € à Œuvre"),
            ("windows-1251", "cp1251", "Маяк “свет”"),
            ("iso-8859-5", "iso8859-5", "Маяк"),
            ("utf-16le", "utf-16-le", "“naïve” text"),
            ("iso-2022-jp", "iso2022_jp", "灯台の光"),
        ],
    )
    def test_reads_labels_as_browsers_do(self, label: str, codec: str, text: str) -> None:
        assert decode(text.encode(codec), label) == text
        if label != "utf-16le":  # which a page cannot say of itself
            meta = f"<meta charset={label}>{text}"
            assert decode(meta.encode(codec)) == meta

    @pytest.mark.parametrize(
        ("codec", "text"),
        [
            ("cp932", "灯台の光は遠くまで届き、船は夜ごと港へ帰った。"),
            (
                "euc_jp",
                "灯台の光は遠くまで届き、船は夜ごと港へ帰った。鐘の音も聞こえた。",
            ),
            ("gb18030", "灯塔的光照得很远，船每天夜里都回到港口。"),
            ("big5", "燈塔的光照得很遠，船每天夜裡都回到港口。"),
            ("cp949", "등대의 불빛은 멀리까지 비추었고 배는 밤마다 항구로 돌아왔다."),
            ("cp1251", "Свет маяка был виден издалека, и лодки каждую ночь возвращались в гавань."),
            ("koi8_r", "Свет маяка был виден издалека, и лодки каждую ночь возвращались в гавань."),
            ("cp1253", "Το φως του φάρου φαινόταν από μακριά και τα πλοία γύριζαν κάθε νύχτα στο λιμάνι."),
            ("cp1255", "אור המגדלור נראה למרחקים, והסירות חזרו לנמל בכל לילה ולילה."),
            ("cp1256", "كان ضوء المنارة يرى من بعيد، وكانت القوارب تعود إلى الميناء كل ليلة."),
            ("cp874", "แสงของประภาคารมองเห็นได้แต่ไกล และเรือกลับสู่ท่าทุกคืน"),
        ],
    )
    def test_reads_undeclared_bytes_of_other_scripts_by_what_they_look_like(self, codec: str, text: str) -> None:
        assert decode(text.encode(codec)) == text
        page = f"<html><head><title>A</title></head><body class=a><p id=b>{text}</p></body></html>"
        assert decode(page.encode(codec)) == page

    @pytest.mark.parametrize(
        "text",
        [
            "“Ça”, dit-il, “c’est l’été déjà” – où “Élise” rêvait… à l’Île d’Aix «là-bas».",
            "Über Öfen, süßes Gebäck und Größe: “Ähnlich” äußerte sich Jürgen.",
            "Sjöö på ön Åsö: ääkköset, yöllä hääyöaie, työ.",
            "£5 — €3 — ©®™ — ½¾ — §¶ “” ‘’ …",
            "ÀÉÎÕÜ ÀÉÎÕÜ",
        ],
    )
    def test_never_takes_accents_and_marks_for_another_script(self, text: str) -> None:
        assert decode(text.encode("cp1252")) == text

    def test_loses_one_character_for_one_bad_byte(self) -> None:
        assert decode("海边的灯塔".encode("gbk") + b"\xff." + "很亮".encode("gbk"), "gbk") == "海边的灯塔\ufffd.很亮"

    def test_does_not_believe_a_label_that_does_not_fit(self) -> None:
        text = "“naïve” café é, ü. “So” it — is."
        assert decode(text.encode("cp1252"), "euc-jp") == text

    @pytest.mark.parametrize(
        ("codec", "text"), [("koi8-r", "Привет, мир"), ("shift_jis", "日本語のページ"), ("iso-8859-2", "Zażółć gęślą")]
    )
    def test_believes_other_charsets_that_are_declared(self, codec: str, text: str) -> None:
        assert decode(text.encode(codec), codec) == text
        meta = f'<meta http-equiv="content-type" content="text/html; charset={codec}">{text}'
        assert decode(meta.encode(codec)) == meta

    def test_prefers_what_the_server_declares_to_what_the_page_does(self) -> None:
        page = '<meta charset="iso-8859-2">Привет'.encode("koi8-r")
        assert decode(page, "koi8-r").endswith("Привет")

    def test_mends_a_utf_8_page_with_stray_cp1252_bytes(self) -> None:
        assert decode("“naïve” café ".encode() + b"it\x92s caf\xe9 x") == "“naïve” café it’s café x"

    def test_forgives_a_page_cut_within_a_character(self) -> None:
        page = "a “quoted” word — and".encode()
        for length in range(len(page)):
            assert "a “quoted” word — and".startswith(decode(page[:length]))

    def test_reads_utf_16_by_its_mark(self) -> None:
        assert decode("“naïve”".encode("utf-16")) == "“naïve”"

    @given(st.binary(max_size=200), st.text(max_size=12))
    def test_never_raises(self, page: bytes, charset: str) -> None:
        read_markup(decode(page, charset))


class TestTidyText:
    def test_has_single_spaces_and_no_controls(self) -> None:
        assert tidy(" a\u00a0\n b\t\u2003c\0\x07\x0b d\u200be\u00adf\ufffd ") == "a b c def"

    def test_reads_c1_controls_as_the_cp1252_they_were(self) -> None:
        assert tidy("it\x92s \x93so\x94\x81") == "it’s “so”"

    def test_is_composed(self) -> None:
        assert tidy("cafe\u0301") == "café"

    def test_can_keep_its_lines(self) -> None:
        assert tidy("\n  a\u00a0b  \n\n\tc\r\nd\0\n", keep_layout=True) == "  a b\n\n        c\nd"

    @pytest.mark.timeout(5)
    def test_takes_bounded_time_for_a_word_of_combining_marks(self) -> None:
        assert tidy("a" + "\u0301\u0316" * 200_000)


@pytest.mark.skipif(not REAL_SITE.is_dir(), reason="the real pages are not kept in the repository")
class TestTheRealIndexPage:
    def test_lists_207_essays_and_two_chapters_elsewhere(self) -> None:
        base = "http://www.paulgraham.com/articles.html"
        found = read_index((REAL_SITE / "articles.html").read_bytes(), base)
        assert len(found.entries) == 207
        assert [link.title for link in found.elsewhere] == [
            "Chapter 1 of Ansi Common Lisp",
            "Chapter 2 of Ansi Common Lisp",
        ]
        assert found.entries[0].slug == "smart"
        slugs = {entry.slug for entry in found.entries}
        assert not slugs & {"index", "articles", "rss", "faq", "bio", "books"}
        assert {page.stem for page in REAL_SITE.glob("*.html")} - slugs == {"articles"}
        assert all(entry.url == f"http://www.paulgraham.com/{entry.slug}.html" for entry in found.entries)


class TestAnIndexWithUnclosedTags:
    def test_still_names_every_essay(self) -> None:
        rows = "".join(f"<li><b><font size=2><a href={n}.html>Essay {n}</a>" for n in range(1000))
        found = read_index(f"<html><body><ul>{rows}".encode(), BASE)
        assert [entry.title for entry in found.entries] == [f"Essay {n}" for n in range(1000)]

    def test_never_takes_navigation_for_essays(self) -> None:
        nested = "<b>" * 300
        found = read_index(f"<nav>{nested}<a href=a.html>A</a></nav><p><a href=b.html>B</a>".encode(), BASE)
        assert "B" in [entry.title for entry in found.entries]
        assert "A" not in [entry.title for entry in found.entries]


class TestATitle:
    @pytest.mark.parametrize(("length", "kept"), [(300, 300), (301, 300), (100_000, 300)])
    def test_is_cut_only_if_it_is_longer_than_any_title_is(self, length: int, kept: int) -> None:
        (entry,) = read_index(f"<a href=a.html>{'A' * length}</a>".encode(), BASE).entries
        assert len(entry.title) == kept
        assert entry.title.endswith("…") is (length > kept)
