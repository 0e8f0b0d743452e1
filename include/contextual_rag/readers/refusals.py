"""Pages that are served as if they were essays and are none: errors, walls, empty shells, lists of other pages."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag

from contextual_rag.readers.document import Read
from contextual_rag.readers.markup import text_of
from contextual_rag.readers.metadata import base_of

__all__ = ["Refusal", "refresh_of", "refusal"]

# Bytes of a page that is no essay if its text says so, and if its title does too: an essay may well be about errors.
_ONE_SAYS, _BOTH_SAY, _FIRST_WORDS = 160, 1500, 25
_LONGEST_TITLE, _OPENING, _SHELL, _TEASER, _ARTICLE, _FEWEST = 60, 400, 90, 600, 1500, 3
_LONGEST_WAIT_S: Final = 10.0
_REFRESH: Final = re.compile(
    r"""\s*+([\d.]*+)(?:\s*+[;,]|\s|(?<=\s))\s*+(?:url\s*+=\s*+)?+["']?([^"'\s][^"']*+)["']?\s*+""", re.IGNORECASE
)


class Refusal(NamedTuple):
    """Why a page is no essay; `code` is that of the error."""

    code: str
    what: str


def _any(phrases: str) -> re.Pattern[str]:
    """Return what finds any of these patterns, one a line, at the start of a word; a space is any white space."""
    lines = "|".join(line.strip() for line in phrases.strip().splitlines())
    return re.compile(rf"(?<![a-z])(?:{lines})".replace(" ", r"\s+"), re.IGNORECASE)


_ERROR_TITLE = _any(r"""
    (?:40[0134]|410|429|50[0-4]|52\d)\b
    not found|can(?:no|['’])t be found|does(?: not|n['’]t) exist|no longer (?:available|exists?)|oops
    (?:server|unexpected) error|error$|bad gateway|(?:service|temporarily|page) unavailable|forbidden|access denied
    nicht gefunden|introuvable|non trouvée|no encontrad[ao]|não encontrad[ao]|non trovat[ao]|niet gevonden
    nie (?:została )?znalezion|hittades inte|не найдена?|не знайден|見つかりません|غير موجودة|לא נמצא
    (?:页面|頁面|网页)?(?:不存在|未找到|找不到)|(?:페이지를 )?찾을 수 없
""")
_ERROR_TEXT = _any(r"""
    (?:page|file|document|post|url|address|article|content|link)\b[^.]{0,60} (?:not (?:be )?found|is not available)
    (?:page|file|document|post|url|address|article|content|link)\b[^.]{0,60} (?:does not|doesn['’]t|no longer) exists?
    (?:page|file|document|post|article|content)\b[^.]{0,60} (?:no longer (?:available|here)|been (?:re)?moved)
    (?:can(?:no|['’])t|could(?: not|n['’]t)) (?:be found|find|locate)|nothing (?:was )?found|error (?:4\d\d|5\d\d)
    (?:do not|don['’]t) have permission|try again later|(?:internal|temporary) (?:server )?error|request could not be
    nicht gefunden|n['’]existe pas|no existe|não existe|non esiste|не существует|不存在|見つかりません
""")
_WALL_TITLE = _any(r"""
    just a moment|attention required|(?:security|browser) check|are you (?:a )?(?:human|(?:ro)?bot)|verif(?:y|ication)
    captcha|too many requests|unusual traffic|(?:sign|log) ?in\b|subscribe|protected:?|before you continue
    access to this page|(?:under|down for) (?:construction|maintenance)|maintenance|coming soon|account suspended
    domain|welcome to nginx|.{0,30}default (?:web )?page|it works
""")
_WALL_TEXT = _any(r"""
    (?:checking|verifying) (?:if|that|your|you)|verify (?:that )?you are|(?:not a|are you a) robot|captcha
    unusual traffic|ddos protection|ray id|(?:enable|turn on|allow|requires?|needs?|turn) (?:javascript|js|cookies)
    javascript (?:is |must be |to be )*(?:disabled|required|enabled)|(?:sign|log) ?in (?:to|or|with|below)
    (?:subscribers|members) only|(?:already|become) a (?:subscriber|member)|password[- ]protected|we use cookies
    (?:under|for) (?:scheduled )?(?:construction|maintenance)|be (?:right )?back (?:soon|shortly|online|later)
    (?:has been|is) suspended|domain (?:name )?(?:\S+ )?(?:is|has|may be) (?:for sale|parked|expired)
    web ?server (?:is )?(?:installed|software)
    database connection
""")
# For each kind, what its title says, and how its text begins.
_KINDS: Final = {
    Refusal(code="empty_document_error", what="it says that it is an error, though it was served as a page"): (
        _ERROR_TITLE,
        _ERROR_TEXT,
    ),
    Refusal(code="empty_document_wall", what="it asks for something else before it shows a text"): (
        _WALL_TITLE,
        _WALL_TEXT,
    ),
}
_EMPTY: Final = Refusal(code="empty_document_shell", what="it has only a frame that a script would fill")
_LIST: Final = Refusal(code="empty_document_list", what="it lists other pages")
_LOADING: Final = _any(r"""
    (?:now )?loading\b|(?:please )?wait\b|one moment|(?:you are )?(?:being )?redirect(?:ed|ing)\b
    if you are not redirected|wird geladen|chargement|cargando|загрузка|加载中|読み込み中
""")
_LISTING: Final = _any(r"""
    index of /|(?:posts? |articles? )?(?:tagged|tags?|categor(?:y|ies)|archives?|topics?|labels?)\b
    search results|results for|.{1,40} archives?$|.{1,40}(?:page|seite) \d+$
""")
_SHELLS: Final = ("root", "app", "__next", "___gatsby", "__nuxt", "react-root")


def refusal(soup: BeautifulSoup, read: Read) -> Refusal | None:
    """Return why a page is no essay, None if it is one."""
    blocks = read.blocks
    size = sum(block.size for block in blocks)
    opening = " ".join(block.text for block in blocks[:3])[:_OPENING]
    titles = {one for one in (_text(soup, "title"), _text(soup, "h1"), read.title) if len(one) <= _LONGEST_TITLE}
    if size <= _BOTH_SAY:
        for kind, (title, text) in _KINDS.items():
            named, says = sum(bool(title.search(one)) for one in titles), text.search(opening)
            if named and says:
                return kind
            # Alone, the first words of a page say so, or a title above next to nothing.
            if size <= _ONE_SAYS and (named > 1 or (says and says.start() <= _FIRST_WORDS)):
                return kind
            if size <= _SHELL and named:
                return kind
    if size <= _SHELL and (_LOADING.match(opening) or (len(blocks) == 1 and _is_shell(soup))):
        return _EMPTY
    body = soup.find("body")
    if isinstance(body, Tag) and "error404" in body.get_attribute_list("class"):
        return next(iter(_KINDS))
    return _LIST if _is_list(soup, read, titles) else None


def refresh_of(soup: BeautifulSoup, url: str) -> str | None:
    """Return the address to which a page sends its readers at once, if it does."""
    for meta in soup.find_all("meta", attrs={"http-equiv": re.compile(r"refresh\s*\Z", re.IGNORECASE)}, limit=5):
        found = _REFRESH.fullmatch(str(meta.get("content", ""))[:2000])
        if found and meta.find_parent("noscript") is None and (found[1] or "0").count(".") < 2:  # noqa: PLR2004
            try:
                target = urljoin(base_of(soup, url), found[2].rstrip())
                return target if float(f"0{found[1]}") <= _LONGEST_WAIT_S else None
            except ValueError:
                return None
    return None


def _text(soup: BeautifulSoup, name: str) -> str:
    found = soup.find(name)
    return text_of(found) if isinstance(found, Tag) else ""


def _is_shell(soup: BeautifulSoup) -> bool:
    return soup.find("script") is not None and soup.find(id=_SHELLS) is not None


def _is_list(soup: BeautifulSoup, read: Read, titles: set[str]) -> bool:
    """Return whether most of the page are headings that lead to other pages, each with a few words.

    A page that calls itself an article may well have as many below it.
    """
    stretches = [0]
    for block in read.blocks:
        if block.kind == "heading" and block.is_link_list:
            stretches.append(0)
        stretches[-1] += block.size
    linked = len(stretches) - 1
    if linked >= _FEWEST and sum(stretches) <= linked * _TEASER:
        says = soup.find("meta", attrs={"property": "og:type", "content": "article"})
        return says is None or max(stretches) < _ARTICLE
    return read.links * 2 >= len(read.blocks) and any(_LISTING.match(title) for title in titles)
