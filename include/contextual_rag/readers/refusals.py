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

# Bytes of a page that is no essay if one place of it says so, and if two do: an essay may well be about errors.
_ONE_SAYS, _TWO_SAY = 250, 1500
_LONGEST_TITLE, _OPENING, _SHELL, _TEASER, _FEWEST = 60, 400, 90, 600, 3
_LONGEST_WAIT_S: Final = 10.0
_REFRESH: Final = re.compile(r"""\s*([\d.]*)\s*[;,\s]\s*(?:url\s*=)?\s*["']?([^"'\s][^"']*?)\s*["']?\s*""", re.IGNORECASE)


class Refusal(NamedTuple):
    """Why a page is no essay; `code` is that of the error."""

    code: str
    what: str


def _any(*phrases: str) -> re.Pattern[str]:
    spaced = "|".join(phrases).replace(" ", r"\s+")
    return re.compile(rf"(?<!\w)(?:{spaced})", re.IGNORECASE)


# For each kind, what its title says, and how its text begins.
_KINDS: Final = {
    Refusal("empty_document_error", "the page says that it is an error, but was served as an essay"): (
        _any(
            r"(?:40[0134]|410|429|50[0-4]|52\d)\b", r"not found", r"can(?:no|['’])t be found", r"does(?: not|n['’]t) exist",
            r"no longer (?:available|exists?)", r"oops", r"(?:server|unexpected) error", r"error$", r"bad gateway",
            r"(?:service|temporarily|page) unavailable", r"forbidden", r"access denied", r"nicht gefunden", r"introuvable",
            r"non trouvée", r"no encontrad[ao]", r"não encontrad[ao]", r"non trovat[ao]", r"niet gevonden",
            r"nie (?:została )?znalezion", r"hittades inte", r"не найдена?", r"не знайден", r"見つかりません",
            r"(?:页面|頁面|网页)?(?:不存在|未找到|找不到)", r"(?:페이지를 )?찾을 수 없", r"غير موجودة", r"לא נמצא",
        ),
        _any(
            r"(?:page|file|document|post|url|address|article|content|link)\b[^.]{0,60} (?:not (?:be )?found|(?:does not|doesn['’]t|no longer) exists?|"
            r"no longer (?:available|here)|been (?:moved|removed|deleted)|is (?:gone|missing|not available))",
            r"(?:can(?:no|['’])t|could(?: not|n['’]t)) (?:be found|find|locate)", r"nothing (?:was )?found", r"error (?:4\d\d|5\d\d)",
            r"(?:do not|don['’]t) have permission", r"try again later", r"(?:internal|temporary) (?:server )?error", r"request could not be",
            r"nicht gefunden", r"n['’]existe pas", r"no existe", r"não existe", r"non esiste", r"не существует", r"不存在", r"見つかりません",
        ),
    ),
    Refusal("empty_document_wall", "the page asks for something else before it shows a text"): (
        _any(
            r"just a moment", r"attention required", r"(?:security|browser) check", r"are you (?:a )?(?:human|(?:ro)?bot)", r"verif(?:y|ication)",
            r"captcha", r"too many requests", r"(?:sign|log) ?in\b", r"(?:under|down for) (?:construction|maintenance)", r"maintenance",
            r"coming soon", r"account suspended", r"domain", r"welcome to nginx", r".{0,30}default (?:web )?page", r"it works", r"protected:?",
            r"before you continue", r"access to this page", r"subscribe",
        ),
        _any(
            r"(?:checking|verifying) (?:if|that|your|you)", r"verify (?:that )?you are", r"(?:not a|are you a) robot", r"captcha", r"unusual traffic",
            r"ddos protection", r"ray id", r"(?:enable|turn on|allow|requires?|needs?) (?:javascript|js|cookies)", r"javascript (?:is |must be |to be )*(?:disabled|required|enabled)",
            r"(?:sign|log) ?in (?:to|or|with|below)", r"(?:subscribers|members) only", r"(?:already|become) a (?:subscriber|member)", r"password[- ]protected",
            r"(?:under|for) (?:scheduled )?(?:construction|maintenance)", r"be (?:right )?back (?:soon|shortly|online|later)", r"(?:has been|is) suspended",
            r"domain (?:name )?(?:is|has|may be)", r"web ?server (?:is )?(?:successfully )?(?:installed|software)", r"database connection", r"we use cookies",
        ),
    ),
}  # fmt: skip
_EMPTY: Final = Refusal("empty_document_shell", "the page has only a frame that a script would fill")
_LIST: Final = Refusal("empty_document_list", "the page lists other pages")
_LOADING: Final = _any(
    r"(?:now )?loading\b", r"(?:please )?wait\b", r"one moment", r"(?:you are )?(?:being )?redirect(?:ed|ing)\b", r"if you are not redirected",
    r"wird geladen", r"chargement", r"cargando", r"загрузка", r"加载中", r"読み込み中",
)  # fmt: skip
_LISTING: Final = _any(
    r"index of /", r"(?:posts? |articles? )?(?:tagged|tags?|categor(?:y|ies)|archives?|topics?|labels?)\b", r"search results", r"results for",
    r".{1,40} archives?$", r".{1,40}(?:page|seite) \d+$",
)  # fmt: skip
_SHELLS: Final = ("root", "app", "__next", "___gatsby", "__nuxt", "react-root")


def refusal(soup: BeautifulSoup, read: Read) -> Refusal | None:
    """Return why a page is no essay, None if it is one."""
    blocks = read.blocks
    size = sum(block.size for block in blocks)
    opening = " ".join(block.text for block in blocks[:3])[:_OPENING]
    titles = {one for one in (_text(soup, "title"), _text(soup, "h1"), read.title) if len(one) <= _LONGEST_TITLE}
    if size <= _TWO_SAY:
        for kind, (title, text) in _KINDS.items():
            says = sum(bool(title.search(one)) for one in titles) + bool(text.search(opening))
            if size <= (0, _ONE_SAYS, _TWO_SAY)[min(says, 2)]:
                return kind
    if size <= _SHELL and (_LOADING.match(opening) or (len(blocks) == 1 and _is_shell(soup))):
        return _EMPTY
    body = soup.find("body")
    if isinstance(body, Tag) and "error404" in body.get_attribute_list("class"):
        return next(iter(_KINDS))
    return _LIST if _is_list(read, titles) else None


def refresh_of(soup: BeautifulSoup, url: str) -> str | None:
    """Return the address to which a page sends its readers at once, if it does."""
    for meta in soup.find_all("meta", attrs={"http-equiv": re.compile(r"\s*refresh\s*\Z", re.IGNORECASE)}, limit=5):
        found = _REFRESH.fullmatch(str(meta.get("content", ""))[:2000])
        if found and meta.find_parent("noscript") is None and (found[1] or "0").count(".") < 2:  # noqa: PLR2004
            try:
                return urljoin(base_of(soup, url), found[2]) if float(f"0{found[1]}") <= _LONGEST_WAIT_S else None
            except ValueError:
                return None
    return None


def _text(soup: BeautifulSoup, name: str) -> str:
    found = soup.find(name)
    return text_of(found) if isinstance(found, Tag) else ""


def _is_shell(soup: BeautifulSoup) -> bool:
    return soup.find("script") is not None and soup.find(id=_SHELLS) is not None


def _is_list(read: Read, titles: set[str]) -> bool:
    """Return whether most of the page are headings that lead to other pages, each with a few words."""
    linked = sum(block.kind == "heading" and block.is_link_list for block in read.blocks)
    size = sum(block.size for block in read.blocks)
    if linked >= _FEWEST and size <= linked * _TEASER:
        return True
    links = sum(block.is_link_list for block in read.blocks)
    return links * 3 >= len(read.blocks) and any(_LISTING.match(title) for title in titles)
