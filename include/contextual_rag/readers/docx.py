"""Word files: mammoth makes a page of them, which is read as any other."""

from __future__ import annotations

from io import BytesIO

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.extras import needs
from contextual_rag.pipeline.plain import named
from contextual_rag.readers.content import find_content
from contextual_rag.readers.document import Read
from contextual_rag.readers.markup import read_markup
from contextual_rag.readers.packed import Packed

__all__ = ["read"]

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

    title, day, authors = Packed(body).about()
    without_images = mammoth.images.img_element(lambda _: {"src": ""})
    html = mammoth.convert_to_html(BytesIO(body), style_map=_STYLES, convert_image=without_images).value
    # The page's notes are known by their ids.
    page = html.replace('<li id="endnote-', '<li id="footnote-')
    blocks = find_content(read_markup(f"<html><body>{page}</body></html>")).blocks
    if not blocks:
        raise EmptyDocumentError("it has no text")
    first = blocks[0]
    if first.kind == "heading" and first.level == 1 and not title:
        title = named(first.text)
    return Read(title, day, blocks, authors=authors)
