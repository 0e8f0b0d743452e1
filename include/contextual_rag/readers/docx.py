"""Word files: mammoth makes a page of them, which is read as any other."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Final

from lxml import etree

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.extras import needs
from contextual_rag.pipeline.plain import named
from contextual_rag.readers.content import find_content
from contextual_rag.readers.document import Read
from contextual_rag.readers.equations import MATH, equation
from contextual_rag.readers.markup import read_markup
from contextual_rag.readers.packed import Packed, local

__all__ = ["read"]

_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TEXTS: Final = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")
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
    title, day = packed.about()
    without_images = mammoth.images.img_element(lambda _: {"src": ""})
    html = mammoth.convert_to_html(_with_equations(body, packed), style_map=_STYLES, convert_image=without_images).value
    # The page's notes are known by their ids.
    page = html.replace('<li id="endnote-', '<li id="footnote-')
    blocks = find_content(read_markup(f"<html><body>{page}</body></html>")).blocks
    if not blocks:
        raise EmptyDocumentError("it has no text")
    first = blocks[0]
    if first.kind == "heading" and first.level == 1 and not title:
        title = named(first.text)
    return Read(title, day, blocks)


def _with_equations(body: bytes, packed: Packed) -> BytesIO:
    """Return the file with its equations as text: mammoth leaves them out."""
    parts = {}
    for name in _TEXTS:
        if b"oMath>" in packed.read(name):
            parts[name] = packed.xml(name)
            for math in list(parts[name].iter(f"{MATH}oMath")):
                _replace(math)
    if not parts:
        return BytesIO(body)
    changed = BytesIO()
    with zipfile.ZipFile(changed, "w") as file:
        for name in packed.names:
            if not name.startswith("word/media/"):
                file.writestr(name, etree.tostring(parts[name]) if name in parts else packed.read(name))
    return changed


def _replace(math: etree._Element) -> None:
    run = etree.Element(f"{{{_WORD}}}r")
    etree.SubElement(run, f"{{{_WORD}}}t").text = equation(math)
    run.tail = math.tail
    above = math.getparent()
    if above is not None and local(above) == "oMathPara":
        above.addprevious(run)
    elif above is not None:
        above.replace(math, run)
