"""Word files: mammoth makes a page of them, which is read as any other."""

from __future__ import annotations

import posixpath
import zipfile
from email import message_from_bytes
from io import BytesIO
from typing import Final

from lxml import etree

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.extras import needs
from contextual_rag.pipeline.plain import named
from contextual_rag.readers.blocks import note
from contextual_rag.readers.characters import decode
from contextual_rag.readers.content import find_content
from contextual_rag.readers.document import Read
from contextual_rag.readers.equations import MATH, equation
from contextual_rag.readers.markup import read_markup
from contextual_rag.readers.packed import Packed, local

__all__ = ["read"]

_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TEXTS: Final = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")
_MARKS: Final = (
    b"oMath>", b":txbxContent", b":fldSimple", b":dir ", b":bdo ", b":ruby>", b":cr/>", b":altChunk",
)  # fmt: skip
# Elements around a text that say nothing of it.
_AROUND: Final = ("fldSimple", "dir", "bdo")
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PAGES: Final = (".html", ".htm", ".xhtml", ".mht", ".mhtml", ".txt")
_OPENING: Final = 200
_OLD: Final = "urn:schemas-microsoft-com:vml"
_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Quote'] => blockquote > p:fresh
p[style-name='Intense Quote'] => blockquote > p:fresh
p[style-name='HTML Preformatted'] => pre:separator('\\n')
p[style-name='Source Code'] => pre:separator('\\n')
"""


def read(body: bytes) -> Read:
    """Return headings, paragraphs, lists, tables and notes of a .docx file. Raises EmptyDocumentError."""
    needs("documents")
    import mammoth

    packed = Packed(body)
    title, day, authors = packed.about()
    without_images = mammoth.images.img_element(lambda _: {"src": ""})
    html = mammoth.convert_to_html(_with_all(body, packed), style_map=_STYLES, convert_image=without_images).value
    # The page's notes are known by their ids.
    page = html.replace('<li id="endnote-', '<li id="footnote-')
    blocks = find_content(read_markup(f"<html><body>{page}</body></html>")).blocks
    if not blocks:
        raise EmptyDocumentError("it has no text")
    blocks += [
        note(f"The part “{posixpath.basename(name)}” of another format is left out.") for name in _left_out(packed)
    ]
    first = blocks[0]
    if first.kind == "heading" and first.level == 1 and not title:
        title = named(first.text)
    return Read(title, day, blocks, authors=authors)


def _with_all(body: bytes, packed: Packed) -> BytesIO:
    """Return the file in the form that mammoth reads whole: it leaves out equations, newer text boxes, simple fields
    such as references to a table, and texts of another format that are a part of this one.
    """
    main = packed.main(_TEXTS[0])
    marked = (name for name in (main, *_TEXTS[1:]) if any(mark in packed.read(name) for mark in _MARKS))
    parts = {name: _readable(packed.xml(name), packed) for name in marked}
    if not parts:
        return BytesIO(body)
    changed = BytesIO()
    with zipfile.ZipFile(changed, "w") as file:
        for name in packed.names:
            if not name.startswith("word/media/"):
                file.writestr(name, etree.tostring(parts[name]) if name in parts else packed.read(name))
    return changed


def _readable(part: etree._Element, packed: Packed) -> etree._Element:
    def found(*names: str) -> list[etree._Element]:
        return list(part.iter(*(f"{{{_WORD}}}{name}" for name in names)))

    for math in list(part.iter(f"{MATH}oMath")):
        _replace(math)
    for box in list(part.iterfind(".//{*}drawing//{*}txbxContent")):
        _age(box)
    for around in found(*_AROUND):
        around.tag = f"{{{_WORD}}}smartTag"
    for line in found("cr"):
        line.tag = f"{{{_WORD}}}br"
    for ruby in found("ruby"):
        _without_reading(ruby)
    for other in found("altChunk"):
        _include(other, packed)
    return part


def _replace(math: etree._Element) -> None:
    run = etree.Element(f"{{{_WORD}}}r")
    etree.SubElement(run, f"{{{_WORD}}}t").text = equation(math)
    run.tail = math.tail
    above = math.getparent()
    if above is not None and local(above) == "oMathPara":
        above.addprevious(run)
    elif above is not None:
        above.replace(math, run)


def _without_reading(ruby: etree._Element) -> None:
    """Keep of characters with their reading above them the characters."""
    run = ruby.getparent()
    for base in list(ruby.iterfind("{*}rubyBase/{*}r")):
        if run is not None:
            run.addprevious(base)


def _include(other: etree._Element, packed: Packed) -> None:
    """Put the paragraphs of a page that is a part of the file where it stands, as exports of web pages have them."""
    name = _name_of(other, packed)
    blocks = find_content(read_markup(_page(packed.read(name)))).blocks if _is_page(name) else []
    for block in blocks:
        paragraph = etree.Element(f"{{{_WORD}}}p")
        etree.SubElement(etree.SubElement(paragraph, f"{{{_WORD}}}r"), f"{{{_WORD}}}t").text = block.text
        other.addprevious(paragraph)


def _left_out(packed: Packed) -> list[str]:
    """Return the parts of a file that are of another format and no pages."""
    main = packed.main(_TEXTS[0])
    others = packed.xml(main).iter(f"{{{_WORD}}}altChunk") if b":altChunk" in packed.read(main) else ()
    return [name for other in others if not _is_page(name := _name_of(other, packed))]


def _name_of(other: etree._Element, packed: Packed) -> str:
    return packed.related(packed.main(_TEXTS[0])).get(other.get(_RELATION, ""), ("", ""))[1]


def _is_page(name: str) -> bool:
    return name.lower().endswith(_PAGES)


def _page(body: bytes) -> str:
    """Return a page, which may stand in a letter."""
    if not body[:_OPENING].lower().startswith((b"mime-version:", b"content-type:")):
        return decode(body)
    pages = (one for one in message_from_bytes(body).walk() if one.get_content_type() == "text/html")
    found = [(one.get_payload(decode=True), one.get_content_charset()) for one in pages]
    return next((decode(page, charset) for page, charset in found if isinstance(page, bytes)), "")


def _age(box: etree._Element) -> None:
    """Put a text box of a drawing beside it, in the form that most files have too."""
    above = {local(one): one for one in reversed(list(box.iterancestors()))}
    drawn = above.get("AlternateContent", above["drawing"])
    if drawn.find("{*}Fallback//{*}txbxContent") is None:
        picture = etree.Element(f"{{{_WORD}}}pict")
        shape = etree.SubElement(picture, etree.QName(_OLD, "shape"))
        drawn.addprevious(picture)
        etree.SubElement(shape, etree.QName(_OLD, "textbox")).append(box)
