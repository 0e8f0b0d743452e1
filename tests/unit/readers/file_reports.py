"""Files that other readers got wrong, after public reports about them: the kind of each, with words of our own.

Written before the readers were run on any of them: of 22, eighteen were right at once.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.unit.readers import files

__all__ = ["FILE_REPORTS", "FileReport"]


class FileReport(NamedTuple):
    """A file, and what is right: phrases parted by `|` that are found or lost, all headings, and who wrote it."""

    source: str
    name: str
    body: bytes
    found: str
    lost: str = ""
    headings: str | None = None
    title: str | None = None
    authors: tuple[str, ...] = ()


def p(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


BOX = f"<w:txbxContent>{p('In the box it rains.')}</w:txbxContent>"
DRAWN = (
    '<w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing">'
    '<a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData>'
    '<wps:wsp xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape">'
    f"<wps:txbx>{BOX}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:inline></w:drawing>"
)
VML = f'<w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml"><v:textbox>{BOX}</v:textbox></v:shape></w:pict>'
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
BOTH = (
    f'<mc:AlternateContent xmlns:mc="{MC}"><mc:Choice Requires="wps">{DRAWN}</mc:Choice>'
    f"<mc:Fallback>{VML}</mc:Fallback></mc:AlternateContent>"
)


def cell(inside: str, about: str = "") -> str:
    return f"<w:tc><w:tcPr>{about}</w:tcPr>{inside}</w:tc>"


WIDE = '<w:gridSpan w:val="2"/>'


def shape(text: str) -> str:
    return f"<p:sp><p:nvSpPr/><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"


def deck(body: str) -> bytes:
    return files.pptx([("Lamps", ["They burn."], "")], body=body)


def notebook(**about: Any) -> bytes:
    return json.dumps({"nbformat": 4, "metadata": {}, **about}).encode()


LAMP = "The lamp of Ostrey burns."
TEXT = {"cell_type": "markdown", "metadata": {}, "source": [LAMP]}
AGNES, BO = {"@type": "Person", "name": "Agnes Quill"}, {"@type": "Person", "name": "Bo Ray"}


def page(author: object) -> bytes:
    about = {"@type": "NewsArticle", "headline": "Lamps", "author": author}
    ld = f'<script type="application/ld+json">{json.dumps(about)}</script>'
    prose = f"<p>{LAMP} It was carried up the hill by Obadiah Pym, who was paid in salt for it.</p>" * 3
    return f"<html><head><title>Lamps</title>{ld}</head><body><article>{prose}</article></body></html>".encode()


DRAWING = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
CHART = (
    f'<c:s xmlns:c="c" {DRAWING}><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Oil by port</a:t></a:r></a:p></c:rich>'
    "</c:tx></c:title><c:ser><c:tx><c:pt><c:v>Barrels</c:v></c:pt></c:tx><c:cat><c:pt><c:v>Ostrey</c:v></c:pt><c:pt>"
    "<c:v>Leith</c:v></c:pt></c:cat><c:val><c:pt><c:v>41</c:v></c:pt><c:pt><c:v>7</c:v></c:pt></c:val></c:ser></c:chart></c:s>"
)
# What a site exports as a Word file may be a page in a letter.
MAIL = files.docx(
    p("Before.") + f'<w:altChunk xmlns:r="{files.OFFICE}" r:id="r9"/>',
    more={
        "r9": (
            "aFChunk", "page.mht",
            "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n"
            "Content-Transfer-Encoding: quoted-printable\n\n<h1>Lamps of =\nOstrey</h1><p>It burns.</p>\n--b--\n",
        )
    },
)  # fmt: skip

FILE_REPORTS = (
    FileReport("crewAIInc/crewAI#7466", "a.csv", '\ufeff"last, first",age\n"Pym, Obadiah",30\n'.encode(), "last, first: Pym, Obadiah|age: 30"),
    FileReport("johnkerl/miller#161", "a.csv", '\ufeff"port","pilot"\n"Ostrey","Pym"\n'.encode(), "port: Ostrey|pilot: Pym", lost='\ufeff|"'),
    FileReport("remcostoeten/dora#232", "a.csv", b"port;bought\nOstrey;Salt, tar, and oil\nLeith;Rope, rum\n", "port: Ostrey|bought: Salt, tar, and oil|bought: Rope, rum"),
    FileReport("VeraTools/vera#159", "a.md", b"# Lamps\n\n```sh\n# light it\nlight\n```\n\nIt burns.\n", "# light it|It burns.", headings="Lamps"),
    FileReport("praneybehl/llm-wiki-plugin#11", "a.md", b"# Lamps\n\n````\n```\n# one\n~~~\n# two\n```` no end\n# three\n````\n\nSo:\n\n    # four\n\nIt burns.\n", "# one|# three|# four", headings="Lamps"),
    FileReport("praneybehl/llm-wiki-plugin#11 (headings)", "a.md", b"# Lamps\n\nIt burns.\n\n## F#\n\nA key.\n\n##\n\n   ## Oil ##\n\nIt is dear.\n", "A key.|It is dear.", headings="Lamps|F#|Oil"),
    FileReport("jgravelle/jdocmunch-mcp#53", "a.md", "\ufeff---\r\ntitle: On Lamps\r\nauthor: Agnes Quill\r\n---\r\n\r\nIt burns.\r\n".encode(), "It burns.", lost="author:", headings="", title="On Lamps", authors=("Agnes Quill",)),
    FileReport("open-gsd/gsd-core#2977", "a.md", b"\n\n---\ntitle: On Lamps\n---\n\nIt burns.\n", "It burns.", lost="title:", headings="", title="On Lamps"),
    FileReport("jekyll/jekyll-seo-tag#264", "a.md", b'---\nauthors: \n  - "Agnes Quill"\n  - "Bo Ray"\n---\nIt burns.\n', "It burns.", authors=("Agnes Quill", "Bo Ray")),
    FileReport("adbar/trafilatura#24", "a.html", page([AGNES, BO, {"@type": "Person", "name": "Cy Dyck"}]), LAMP, authors=("Agnes Quill", "Bo Ray", "Cy Dyck")),
    FileReport("adbar/trafilatura#103", "a.html", page("Agnes Quill, Bo Ray and Cy Dyck"), LAMP, authors=("Agnes Quill", "Bo Ray", "Cy Dyck")),
    FileReport("mozilla/readability#617", "a.html", page([AGNES]), LAMP, authors=("Agnes Quill",)),
    FileReport("microsoft/markitdown#2514", "a.docx", files.docx(p("Before.") + f"<w:p><w:r>{DRAWN}</w:r></w:p>" + p("After.")), "Before.|In the box it rains.|After."),
    FileReport("yfedoseev/office_oxide#140", "a.docx", files.docx(p("Before.") + f"<w:p><w:r>{BOTH}</w:r></w:p>"), "In the box it rains.", lost="rains.\n\nIn the box"),
    FileReport("docling-project/docling#494", "a.docx", files.docx(f"<w:tbl><w:tr>{cell(p('Port') + f'<w:tbl><w:tr>{cell(p(LAMP))}</w:tr></w:tbl>' + p('Here.'))}</w:tr></w:tbl>"), f"Port|{LAMP}|Here."),
    FileReport("microsoft/markitdown#236", "a.docx", files.docx(f"<w:tbl><w:tr>{cell(p('North'), WIDE)}{cell(p('South'))}</w:tr><w:tr>{cell(p('Ostrey'))}{cell(p('Leith'))}{cell(p('Sula'))}</w:tr></w:tbl>"), "North|South|Ostrey | Leith | Sula"),
    FileReport("python-openxml/python-docx#803", "a.docx", files.docx('<w:p><w:smartTag w:element="x"><w:r><w:t>Version 2 </w:t></w:r></w:smartTag><w:ins w:id="1"><w:r><w:t>for Ostrey </w:t></w:r></w:ins><w:sdt><w:sdtContent><w:r><w:t>burns.</w:t></w:r></w:sdtContent></w:sdt></w:p>'), "Version 2 for Ostrey burns."),
    FileReport("deepset-ai/haystack#12768", "a.pptx", deck(f"<p:grpSp>{shape('One flame.')}<p:grpSp>{shape('Two flames.')}</p:grpSp></p:grpSp>"), "One flame.|Two flames."),
    FileReport("arc53/DocsGPT#2792", "a.pptx", deck(shape("First box") + shape("Second box")), "First box|Second box", lost="boxSecond"),
    FileReport("jkitchin/ox-ipynb#42", "a.ipynb", notebook(metadata=[["org"], None], cells=[TEXT]), LAMP),
    FileReport("jupyter/nbconvert#2072", "a.ipynb", notebook(cells=[{"cell_type": "raw", "source": []}, TEXT, {"cell_type": "code", "source": None}]), LAMP, lost="None"),
    FileReport("docling-project/docling.rs#132", "a.xlsx", files.xlsx([["The ports of the north", "", ""], ["port", "pilot", "bells"], ["Ostrey", "Pym", "two"], ["Leith", "Lind", "none"]], merged="A1:C1"), "The ports of the north|port: Ostrey\npilot: Pym\nbells: two", lost="column A"),
    # wrong before they were tried here
    FileReport("vincentlaucsb/csv-parser#67", "a.csv", b"Ports of the north\n\nport,pilot,bells\nOstrey,Pym,2\nLeith,Lind,\n", "Ports of the north|port: Ostrey\npilot: Pym\nbells: 2|port: Leith\npilot: Lind"),
    FileReport("an index that pandas writes", "a.csv", b",port,1902,1903\n0,Ostrey,5,6\n", "port: Ostrey\n1902: 5\n1903: 6", lost="column 2"),
    FileReport("a line for Excel", "a.csv", b"sep=;\nport;pilot\nOstrey;Pym, O.\n", "port: Ostrey\npilot: Pym, O.", lost="sep="),
    FileReport("remarks above two columns", "a.csv", b'# made by the board\n# 1902\nport, pilot\nOstrey, "Pym, O."\n', "made by the board|port: Ostrey\npilot: Pym, O."),
    FileReport("a heading in HTML", "a.md", b'<div align="center"><h1>On <em>Lamps</em></h1></div>\n\nIt burns.\n', "It burns.", title="On Lamps"),
    FileReport("numbers that are no columns", "a.csv", b"Ostrey,1902,1960\nLeith,1903,1955\n", "column 1: Ostrey\ncolumn 2: 1902"),
    FileReport("one record a line", "a.json", b'{"port": "Ostrey"}\n\n\x1e{"port": "Leith"}\n', "port: Ostrey|port: Leith"),
    FileReport("open-city-ai/haidian#2023", "a.md", b"---\ntitle: >-\n  On the\n  Lamps\npubDate: 2019/03/02\n---\nIt burns.\n", "It burns.", lost="title", headings="", title="On the Lamps"),
    FileReport("woojubb/robota#2298", "a.md", b"---\ntitle: 'Pym''s \"Lamp\"' # first\n...\nIt burns.\n", "It burns.", lost="title", title="Pym's \"Lamp\""),
    FileReport("a title that is no YAML", "a.md", b"---\ntitle: Lamps: @ home\nx: [\n---\nIt burns.\n", "It burns.", lost="x:", title="Lamps: @ home"),
    FileReport("fields as JSON", "a.md", b'{"title": "On Lamps", "author": "Agnes Quill"}\n\nIt burns.\n', "It burns.", lost="title", title="On Lamps", authors=("Agnes Quill",)),
    FileReport("a text that begins with JSON", "a.md", b'{"port": 1}\n\nIt burns.\n', '{"port": 1}|It burns.', title="a"),
    FileReport("fields as TOML, with a table", "a.md", b'+++\ntitle = "On \\"Lamps\\""\n[more]\ntitle = "no"\n+++\nIt burns.\n', "It burns.", lost="no", title='On "Lamps"'),
    FileReport("code in a list", "a.md", b"1. Do:\n\n    ```sh\n    # no heading\n\n    light\n    ```\n- ```sh\n  # none\n  ```\n\nport | pilot\n--- | ---\nOstrey | Pym\n", "# no heading\n\n    light|Ostrey", headings=""),
    FileReport("mwilliamson/python-mammoth#69", "a.docx", files.docx('<w:p><w:r><w:t xml:space="preserve">See </w:t></w:r><w:fldSimple w:instr=" REF a "><w:r><w:t>Table 7</w:t></w:r></w:fldSimple><w:bdo w:val="ltr"><w:r><w:t> there</w:t><w:cr/><w:t>or here.</w:t></w:r></w:bdo></w:p>'), "See Table 7 there or here."),
    FileReport("mwilliamson/mammoth.js#424", "a.docx", MAIL, "Before.|Lamps of Ostrey|It burns.", headings=None),
    FileReport("a reading above its characters", "a.docx", files.docx("<w:p><w:r><w:ruby><w:rt><w:r><w:t>to</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>灯</w:t></w:r></w:rubyBase></w:ruby></w:r><w:r><w:t>台</w:t></w:r></w:p>"), "灯台", lost="to"),
    FileReport("scanny/python-pptx#83", "a.pptx", files.pptx([("Lamps", [], "")], parts=[("diagramData", f'<d:m xmlns:d="d" {DRAWING}><d:pt><d:t><a:p><a:r><a:t>Trim the wick</a:t></a:r></a:p></d:t></d:pt></d:m>')]), "Trim the wick"),
    FileReport("yfedoseev/office_oxide#149", "a.pptx", files.pptx([("Lamps", [], "")], parts=[("chart", CHART)]), "Oil by port|Barrels | Ostrey: 41, Leith: 7"),
    FileReport("virgiliojr94/book-to-skill#230", "a.epub", files.epub(["<p>It burns.</p>"], links=["Text/Chapter%200.xhtml#one"]), "It burns."),
    FileReport("gotson/komga#1386", "a.epub", files.epub(["<p>It burns.</p>", "<p>It rings.</p>"], links=["text/chapter%200.xhtml", "gone.xhtml"]), "It burns.|gone.xhtml", lost="rings"),
    FileReport("yfedoseev/pdf_oxide#92", "a.pdf", files.pdf([[LAMP]], written=["/Subtype /Widget /FT /Tx /T (keeper) /V (Obadiah Pym)", "/Subtype /FreeText /Contents (Seen by the warden.)", "/Subtype /Widget /FT /Tx /Ff 8192 /T (word) /V (secret)", "/Subtype /Text /Contents (A remark.)", "/Subtype /Widget /FT /Btn /V /Off"]), f"{LAMP}|keeper: Obadiah Pym|Seen by the warden.", lost="secret|remark|Off"),
)  # fmt: skip
