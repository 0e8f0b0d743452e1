"""Makes small files of each format, as their programs write them, and hostile ones."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

__all__ = ["OFFICE", "bomb", "docx", "encrypted", "epub", "notebook", "pdf", "pptx", "zipped"]

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPE = "application/vnd.openxmlformats-officedocument"


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP archive."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, body in parts.items():
            archive.writestr(name, body)
    return out.getvalue()


def pdf(
    pages: Sequence[Sequence[str] | bytes],
    *,
    about: Mapping[str, str] | None = None,
    packed: bool = True,
    written: Sequence[str] = (),
) -> bytes:
    """Return a PDF; each page is given as its lines, or as a stream that is compressed twice.

    A page without lines has a black square on it. `written` are annotations of each page.
    """
    count = len(pages)
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
    ]
    font = 3 + 2 * count
    beside = " ".join(f"<< /Type /Annot {one} >>" for one in written)
    for n, lines in enumerate(pages):
        way = " /Filter /FlateDecode" if packed else ""
        if isinstance(lines, bytes):
            stream, way = lines, " /Filter [/FlateDecode /FlateDecode]"
        else:
            shown = "".join(f"({_in_pdf(line)}) Tj T*\n" for line in lines)
            drawn = f"BT /F1 11 Tf 14 TL 50 780 Td\n{shown}ET" if lines else "10 10 500 700 re f"
            stream = zlib.compress(drawn.encode("cp1252")) if packed else drawn.encode("cp1252")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Annots [{beside}] /Contents {4 + 2 * n} 0 R "
            f"/Resources << /Font << /F1 {font} 0 R >> >> >>".encode()
        )
        objects.append(f"<< /Length {len(stream)}{way} >>\nstream\n".encode() + stream + b"\nendstream")
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    said = "".join(f"/{name} ({_in_pdf(value)}) " for name, value in (about or {}).items())
    objects.append(f"<< {said}>>".encode("cp1252"))
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{n} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())


def encrypted(body: bytes, password: str) -> bytes:
    """Return a PDF that needs a password; an empty one is that of a file which everybody may read."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(BytesIO(body)))
    writer.encrypt(password, "the owner's", algorithm="AES-256")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def docx(
    body: str,
    *,
    before: str = "",
    notes: Mapping[int, str] | None = None,
    title: str = "",
    created: str = "",
    creator: str = "",
    more: Mapping[str, tuple[str, str, str]] | None = None,
) -> bytes:
    """Return a Word file; `body` is WordprocessingML, in which `heading`, `p` and `item` below may be used.

    `more` are other parts by the id of their relation: its kind, their name, and what is in them.
    """
    footnotes = "".join(
        f'<w:footnote w:id="{n}"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:footnote>'
        for n, text in (notes or {}).items()
    )
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{_TYPE}.wordprocessingml.document.main+xml"/></Types>',
            "_rels/.rels": _relations({"r1": ("officeDocument", "word/document.xml")}),
            "word/_rels/document.xml.rels": _relations(
                {
                    "r1": ("footnotes", "footnotes.xml"),
                    "r2": ("numbering", "numbering.xml"),
                    "r3": ("styles", "styles.xml"),
                    **{key: (kind, name) for key, (kind, name, _) in (more or {}).items()},
                }
            ),
            **{f"word/{name}": inside for _, name, inside in (more or {}).values()},
            "word/document.xml": f'{before}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
            "word/footnotes.xml": f'<w:footnotes xmlns:w="{_WORD}">{footnotes}</w:footnotes>',
            "word/numbering.xml": f'<w:numbering xmlns:w="{_WORD}"><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0">'
            '<w:numFmt w:val="decimal"/></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
            "</w:numbering>",
            "word/styles.xml": f'<w:styles xmlns:w="{_WORD}"><w:style w:type="paragraph" w:styleId="Heading1">'
            '<w:name w:val="heading 1"/></w:style></w:styles>',
            "docProps/core.xml": _core(title, created, creator),
        }
    )


def pptx(
    slides: Sequence[tuple[str, Sequence[str], str]],
    *,
    title: str = "",
    body: str = "",
    creator: str = "",
    parts: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return a PowerPoint file; each slide is its title, its lines and its notes.

    `body` is more of the first slide, and `parts` are what each slide is related to: its kind, and what is in it.
    """
    main = "http://schemas.openxmlformats.org/presentationml/2006/main"
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    spaces = f'xmlns:p="{main}" xmlns:a="{drawing}" xmlns:r="{OFFICE}"'

    def shape(role: str, lines: Sequence[str]) -> str:
        said = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in lines)
        place = f'<p:ph type="{role}"/>' if role else ""
        return f"<p:sp><p:nvSpPr><p:nvPr>{place}</p:nvPr></p:nvSpPr><p:txBody>{said}</p:txBody></p:sp>"

    made: dict[str, str | bytes] = {"docProps/core.xml": _core(title, "", creator)}
    # The order of the parts is not that in which they are shown.
    names = [f"slides/slide{len(slides) - n}.xml" for n in range(len(slides))]
    shown = "".join(f'<p:sldId id="{256 + n}" r:id="r{n}"/>' for n in range(len(slides)))
    made["ppt/presentation.xml"] = f"<p:presentation {spaces}><p:sldIdLst>{shown}</p:sldIdLst></p:presentation>"
    made["ppt/_rels/presentation.xml.rels"] = _relations({f"r{n}": ("slide", name) for n, name in enumerate(names)})
    for n, ((heading, lines, notes), name) in enumerate(zip(slides, names, strict=True)):
        shapes = shape("body", lines) + shape("title", [heading]) + shape("sldNum", [str(n + 1)])
        extra = body if n == 0 else ""
        made[f"ppt/{name}"] = f"<p:sld {spaces}><p:cSld><p:spTree>{shapes}{extra}</p:spTree></p:cSld></p:sld>"
        made[f"ppt/slides/_rels/{name.rpartition('/')[2]}.rels"] = _relations(
            ({"r1": ("notesSlide", f"../notesSlides/notes{n}.xml")} if notes else {})
            | {f"p{i}": (kind, f"../others/{i}.xml") for i, (kind, _) in enumerate(parts)}
        )
        if notes:
            made[f"ppt/notesSlides/notes{n}.xml"] = f"<p:notes {spaces}>{shape('body', [notes])}</p:notes>"
    made |= {f"ppt/others/{i}.xml": inside for i, (_, inside) in enumerate(parts)}
    return zipped(made)


def epub(
    chapters: Sequence[str],
    *,
    title: str = "",
    date: str = "",
    about: str = "",
    more: Mapping[str, str] | None = None,
    links: Sequence[str] = (),
) -> bytes:
    """Return a book; each chapter is the body of its page. The first item of its spine is its list of contents.

    `links` are the addresses by which it names its chapters, if not their own.
    """
    named = links or [f"text/chapter%20{n}.xhtml" for n in range(len(chapters))]
    items = "".join(
        f'<item id="c{n}" href="{link}" media-type="application/xhtml+xml"/>' for n, link in enumerate(named)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    contents = "".join(f'<li><a href="text/chapter%20{n}.xhtml">Chapter {n}</a></li>' for n in range(len(chapters)))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<metadata><dc:title>{title}</dc:title><dc:date>{date}</dc:date>{about}</metadata><manifest>"
            '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
            f'{items}</manifest><spine><itemref idref="nav"/>{spine}</spine></package>',
            "OEBPS/nav.xhtml": f"<html><body><nav><ol>{contents}</ol></nav></body></html>",
            **{
                f"OEBPS/text/chapter {n}.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'
                for n, body in enumerate(chapters)
            },
            **(more or {}),
        }
    )


def notebook(*cells: tuple[str, str]) -> bytes:
    """Return a notebook of cells: each its kind and its text. All cells have put something out."""
    made = [
        {"cell_type": kind, "source": text.splitlines(keepends=True), "outputs": [{"text": "OUT"}]}
        for kind, text in cells
    ]
    return json.dumps({"nbformat": 4, "cells": made}).encode()


def bomb(megabytes: int) -> bytes:
    """Return a PowerPoint file that unpacks to so much."""
    line = f"<a:p><a:r><a:t>{'lamp ' * 20}</a:t></a:r></a:p>"
    text = line * (megabytes * 1_000_000 // len(line))
    return pptx([("Lamps", ["One."], "")], body=f"<p:sp><p:nvSpPr/><p:txBody>{text}</p:txBody></p:sp>")


def _in_pdf(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    found = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{found}</Relationships>'


def _core(title: str, created: str, creator: str = "") -> str:
    return (
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>{escape(title)}</dc:title>'
        f"<dc:creator>{escape(creator)}</dc:creator><dcterms:created>{created}</dcterms:created></cp:coreProperties>"
    )


def repacked(body: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """Return a ZIP archive with other words in one of its parts."""
    with ZipFile(BytesIO(body)) as archive:
        parts: dict[str, str | bytes] = {one: archive.read(one) for one in archive.namelist()}
    part = parts[name]
    assert isinstance(part, bytes)
    return zipped(parts | {name: part.replace(old, new)})


def xlsx(rows: Sequence[Sequence[str]], *, merged: str = "") -> bytes:
    """Return an Excel file of one sheet, in which a range of cells may be one."""
    from openpyxl import Workbook

    book, out = Workbook(), BytesIO()
    for row in rows:
        book.active.append([cell or None for cell in row])
    if merged:
        book.active.merge_cells(merged)
    book.save(out)
    return out.getvalue()
