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
from contextual_rag.readers.markup import read_markup
from contextual_rag.readers.packed import Packed, local

__all__ = ["read"]

_DOCUMENT: Final = "word/document.xml"
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
    html = mammoth.convert_to_html(
        BytesIO(_with_boxes(packed, body)), style_map=_STYLES, convert_image=without_images
    ).value
    # The page's notes are known by their ids.
    page = html.replace('<li id="endnote-', '<li id="footnote-')
    blocks = find_content(read_markup(f"<html><body>{page}</body></html>")).blocks
    if not blocks:
        raise EmptyDocumentError("it has no text")
    first = blocks[0]
    if first.kind == "heading" and first.level == 1 and not title:
        title = named(first.text)
    return Read(title, day, blocks, authors=authors)


def _with_boxes(packed: Packed, body: bytes) -> bytes:
    """Return the file with its text boxes in their older form, which mammoth reads; most files have both."""
    root = packed.xml(_DOCUMENT)
    found = False
    for box in list(root.iterfind(".//{*}drawing//{*}txbxContent")):
        above = {local(one): one for one in reversed(list(box.iterancestors()))}
        drawn = above.get("AlternateContent", above["drawing"])
        if drawn.find("{*}Fallback//{*}txbxContent") is None:
            found = True
            picture = etree.Element(etree.QName(etree.QName(box).namespace, "pict"))
            shape = etree.SubElement(picture, etree.QName(_OLD, "shape"))
            drawn.addprevious(picture)
            etree.SubElement(shape, etree.QName(_OLD, "textbox")).append(box)
    if not found:
        return body
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in packed.names - {_DOCUMENT}:
            archive.writestr(name, packed.read(name))
        archive.writestr(_DOCUMENT, etree.tostring(root))
    return out.getvalue()
