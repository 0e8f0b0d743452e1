"""A folder with a file of each format, and with hostile ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.readers import files

__all__ = ["ASKED", "FAILING", "LEFT_OUT", "LIMITS", "write_mixed"]

# The largest page and the largest file that are read, in bytes.
LIMITS: dict[str, Any] = {"max_page_bytes": 100_000, "max_file_bytes": 600_000}
HEADED = (
    '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p><w:p><w:r><w:t>{}</w:t></w:r></w:p>'
)
# Each file, a question, words of the answer, and where they are.
ASKED: dict[str, tuple[bytes, str, str, str]] = {
    "lens.pdf": (
        files.pdf([["The quay was built of granite."], ["The lens of Ostrey was carried by Obadiah Pym."]]),
        "Who carried the lens of Ostrey?", "Obadiah Pym", "page 2",
    ),
    "mole.docx": (
        files.docx(HEADED.format("Ostrey", "It rains.") + HEADED.format("Leith", "The mole there was built by Hart.")),
        "Who built the mole there?", "Hart", "Leith",
    ),
    "bells.pptx": (
        files.pptx([("Bells", ["They rang."], ""), ("Tides", ["The gauge of Skerrow was read by Maud Lind."], "")]),
        "Who read the gauge of Skerrow?", "Maud Lind", "slide 2",
    ),
    "piers.xlsx": (
        files.xlsx([["pier", "mason"], ["West", "Silas Orm"]]),
        "Who is the mason of the pier West?", "Silas Orm", "Sheet, row 2",
    ),
    "kites.epub": (
        files.epub(["<h1>Winds</h1><p>They blow.</p>", "<h1>Kites</h1><p>The kite of Mallow was flown by Roe.</p>"]),
        "Who flew the kite of Mallow?", "Roe", "Kites",
    ),
    "casks.csv": (b"cask,cooper\nSouth,Clara Voss\n", "Who is the cooper of the cask South?", "Clara Voss", "row 2"),
    "buoys.tsv": (
        b"buoy\tpainter\nEastern\tOtto Brandt\n",
        "Who is the painter of the buoy Eastern?", "Otto Brandt", "row 2",
    ),
    "ropes.json": (
        b'[{"rope": "Hawser", "maker": "Edwin Salt"}]',
        "Who is the maker of the Hawser rope?", "Edwin Salt", "record 1",
    ),
    "masts.jsonl": (
        b'{"mast": "Foremast", "carpenter": "Tobias Reed"}\n',
        "Who was the carpenter of the Foremast?", "Reed", "line 1",
    ),
    "sums.ipynb": (
        files.notebook(("code", "x = 1"), ("markdown", "The tolls of Brae were checked by Greta Holm.")),
        "Who checked the tolls of Brae?", "Holm", "cell 2",
    ),
    "wick.py": (
        b"import sea\n\n\ndef wick():\n    # The wick of the Farne lamp was trimmed by Noel Crane.\n    return 3\n",
        "Who trimmed the wick of the Farne lamp?", "Noel Crane", "lines 4–6",
    ),
    "storms.md": (
        b"# Weather\n\nIt rains.\n\n## Storms\n\nThe storm of Candlemas was foretold by Ruth Ager.\n",
        "Who foretold the storm of Candlemas?", "Ruth Ager", "Storms",
    ),
    "gulls.html": (
        b"<h1>Gulls</h1><p>They cry.</p><h2>Nests</h2><p>The gulls of Rona were counted by Signe Dahl.</p>",
        "Who counted the gulls of Rona?", "Signe Dahl", "Nests",
    ),
    "fog.txt": (b"The fog horn of Sula was blown by Lomax.\n", "Who blew the fog horn of Sula?", "Lomax", "line 1"),
}  # fmt: skip
# What is named when it is read, with a word of the reason.
FAILING = {
    "broken.pdf": (ASKED["lens.pdf"][0][:300], "damaged"),
    "locked.pdf": (files.encrypted(ASKED["lens.pdf"][0], "secret"), "password"),
    "scanned.pdf": (files.pdf([[]]), "OCR"),
    "broken.docx": (files.zipped({"word/document.xml": "<w:document"}), "damaged"),
    "broken.xlsx": (files.zipped({"xl/workbook.xml": "<workbook"}), "damaged"),
    "bomb.pptx": (b"", "unpacks"),  # made where it is written
    "broken.json": (b'{"lamp": ', "JSON"),
    "deep.json": (b'{"a":' * 15_000, "nested"),
}
# What is named when the folder is listed.
LEFT_OUT = {
    "empty.pdf": (b"", "empty"),
    "huge.pdf": (b"%PDF-1.7" + bytes(700_000), "RAG_MAX_FILE_BYTES"),
    "huge.csv": (b"lamp,keeper\n" * 10_000, "RAG_MAX_PAGE_BYTES"),
    "cut.docx": (ASKED["mole.docx"][0][:-30], "damaged"),
    "archive.docx": (files.zipped({"a.txt": "a"}), "ZIP"),
    "latin.csv": (b"lamp,keeper\nOstrey,Ren\xe9\n", "UTF-8"),
    "old.docx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "old"),
    "picture.txt": (b"\x89PNG\r\n\x1a\n" + bytes(20), "picture"),
    "sheet.ods": (b"PK\x03\x04", "no reader"),
}


def write_mixed(folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True)
    for name, (body, *_) in (ASKED | FAILING | LEFT_OUT).items():
        (folder / name).write_bytes(body)
    (folder / "bomb.pptx").write_bytes(files.zipped({"ppt/presentation.xml": bytes(301_000_000)}))
