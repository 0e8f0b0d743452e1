"""Bytes → characters: decodes a page as browsers do, even if its declared charset is wrong, and tidies its text."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator

import webencodings
from bs4.dammit import EncodingDetector
from charset_normalizer import from_bytes

__all__ = ["decode", "tidy"]

# A page declares its encoding at its beginning. bs4 searches the first 5% of this, in quadratic time.
_DECLARATION_BYTES = 100_000
# Of these the bytes themselves tell whether they are so; a page cannot declare the others (WHATWG, section 4.2).
_NOT_BELIEVED = frozenset({"utf-8", "windows-1252", "x-user-defined", "replacement"})
# If more of the characters beyond ASCII cannot be decoded, the page is in another encoding than it declares.
_WRONG_SHARE = 0.1
_HIGH_BYTES = re.compile(
    rb"([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})|[\x80-\xff]"  # UTF-8, or stray
)
_TAG = re.compile(rb"<[^<>]{0,2000}>")
_BEYOND = re.compile(rb"[\x80-\xff]+")
# Encodings of other scripts, which have several bytes beyond ASCII in a row; accented letters mostly stand alone.
_OTHER_SCRIPTS = (
    "cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874",
)  # fmt: skip
_KANA, _KANA_SHARE = re.compile(rb"[\xa4\xa5][\xa1-\xfe]"), 0.1
_GUESSED_FROM, _FEWEST_BEYOND, _MOST_ACCENTS = 20_000, 16, 0.4
_CUT_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{0,2}\Z")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_WORD_PIECE = re.compile(r"\S{1,1024}")
# Remove control characters, except white space; those of the C1 range are wrongly decoded cp1252. Soft hyphens,
# zero-width spaces and replacement characters are not part of a word; surrogates cannot be stored.
_CONTROLS = {
    **dict.fromkeys([*range(0x09), *range(0x0E, 0x20), 0x7F, 0xAD, 0x200B, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF]),
    **dict.fromkeys(range(0xD800, 0xE000)),
    **{code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)},
}


def decode(html: bytes, charset: str | None = None) -> str:
    """Return the characters of a page or text; `charset` is the label that the server declared. Never raises.

    Tries in order: a byte order mark; UTF-8 if the bytes are valid, since other text hardly ever is by accident; the
    label of the server, then of the page, by the table that browsers use (https://encoding.spec.whatwg.org), unless
    many bytes do not fit; otherwise what its bytes look like, if that is another script than Latin; and cp1252, which
    browsers use for undeclared, ASCII and Latin-1 pages. A UTF-8 page with some stray cp1252 bytes is decoded as that
    mixture.
    """
    if html.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return html.decode("utf-16", errors="ignore")
    try:
        # The incremental decoder accepts a page that was cut within its last character.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(html)
    except UnicodeDecodeError:
        text = None
    # ASCII with zero bytes or escapes may be UTF-16 or ISO-2022-JP.
    if text is not None and not (text.isascii() and ("\0" in text or "\x1b" in text)):
        return text
    for encoding in _declared(html, charset):
        found: str = encoding.codec_info.decode(html, "replace")[0]
        if found.count("\ufffd") <= max(1, _WRONG_SHARE * len(_BEYOND_ASCII.findall(found))):
            return found
    if text is not None:
        return text
    sequences = [sequence != b"" for sequence in _HIGH_BYTES.findall(html)]
    if sum(sequences) * 2 > len(sequences):
        html = _HIGH_BYTES.sub(lambda m: m[1] or _cp1252(m[0]).encode(), _CUT_CHARACTER.sub(b"", html))
        return html.decode("utf-8", errors="ignore")
    guessed = _guessed(html)
    return html.decode(guessed, errors="replace") if guessed else _cp1252(html)


def tidy(text: str, *, keep_layout: bool = False) -> str:
    """Return `text` in NFC, without control characters; each run of white space, also no-break, becomes one space.

    With `keep_layout`, lines and indentation are kept, and tabs become spaces.
    """
    text = text.translate(_CONTROLS)
    if keep_layout:
        lines = text.expandtabs(8).replace("\xa0", " ").splitlines()
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
    else:
        text = " ".join(text.split())
    # Normalisation sorts combining marks in quadratic time; a word with thousands of them must not block a run.
    return text if text.isascii() else _WORD_PIECE.sub(lambda m: unicodedata.normalize("NFC", m[0]), text)


def _declared(html: bytes, charset: str | None) -> Iterator[webencodings.Encoding]:
    inside = EncodingDetector.find_declared_encoding(html[:_DECLARATION_BYTES], is_html=True)
    for label, is_inside in ((charset, False), (inside, True)):
        # A label is ASCII: lookup of another one would raise.
        found = webencodings.lookup(label.strip(" \t\r\n\"'")) if label and label.isascii() else None
        # A page whose declaration can be read is not in UTF-16.
        if found and found.name not in _NOT_BELIEVED and not (is_inside and found.name.startswith("utf-16")):
            yield found


def _guessed(html: bytes) -> str | None:
    """Return the encoding that undeclared bytes are probably in, if they are in another script than Latin."""
    text = _TAG.sub(b" ", html[:_GUESSED_FROM])
    beyond = _BEYOND.findall(text)
    size = sum(map(len, beyond))
    in_a_row = sum(len(one) > 1 for one in beyond)
    if size < _FEWEST_BEYOND or (in_a_row * 2 < len(beyond) and size < _MOST_ACCENTS * len(text)):
        return None
    best = from_bytes(
        text, cp_isolation=[*_OTHER_SCRIPTS, "cp1252"], steps=5, chunk_size=512, preemptive_behaviour=False
    ).best()
    if best is None or best.encoding not in _OTHER_SCRIPTS:
        return None
    # The syllables of Japanese are, in Korean's code, letters that do not stand alone.
    is_japanese = best.encoding == "euc_kr" and len(_KANA.findall(text)) > size * _KANA_SHARE
    return "euc_jp" if is_japanese else best.encoding


def _cp1252(html: bytes) -> str:
    # The five bytes without a meaning in cp1252 are at best control characters.
    return html.decode("cp1252", errors="ignore")
