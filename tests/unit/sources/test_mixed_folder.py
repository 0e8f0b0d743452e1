"""A folder with a file of each format, and with hostile ones: each answers questions, with the place in it."""

from __future__ import annotations

import re

import pytest

from contextual_rag import ask
from contextual_rag.building.build import Built
from tests.memory_world import MemoryWorld
from tests.unit.readers import files

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
    "bomb.pptx": (files.zipped({"ppt/presentation.xml": bytes(301_000_000)}), "unpacks"),
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


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryWorld, Built]:
    """The folder, built."""
    folder = tmp_path_factory.mktemp("mixed")
    source = folder / "harbour"
    source.mkdir()
    for name, (body, *_) in (ASKED | FAILING | LEFT_OUT).items():
        (source / name).write_bytes(body)
    world = MemoryWorld(folder, max_page_bytes=100_000, max_file_bytes=600_000)
    return world, world.build(source=str(source), max_failed_share=1)


@pytest.mark.parametrize("name", ASKED)
def test_a_question_is_answered_with_the_place_in_the_file(mixed: tuple[MemoryWorld, Built], name: str) -> None:
    world, _ = mixed
    _, question, words, where = ASKED[name]
    answer = ask(world, question)  # type: ignore[arg-type]
    (citation, *_) = [one for one in answer.citations if words in one.quote]
    assert citation.verified
    assert citation.chunk is not None
    assert citation.chunk.url == f"file:harbour/{name}"
    assert where in re.split(" – ", citation.where or "")


def test_each_hostile_file_is_named_with_the_reason_and_stops_nothing(mixed: tuple[MemoryWorld, Built]) -> None:
    _, built = mixed
    assert (built.essays, built.state) == (len(ASKED), "moved")
    failed = {failure.url.rpartition("/")[2]: failure.reason for failure in built.failed}
    left_out = {failure.slug: failure.reason for failure in built.elsewhere}
    assert set(failed) == set(FAILING)
    assert set(left_out) == set(LEFT_OUT)
    for name, (_, reason) in (FAILING | LEFT_OUT).items():
        assert reason in (failed | left_out)[name], name


def test_a_second_build_makes_nothing_again(mixed: tuple[MemoryWorld, Built]) -> None:
    world, built = mixed
    (source,) = {one.source for one in [world.registry.resolve(None)]}
    again = world.build(source=source.url, max_failed_share=1, days=1)
    assert (again.version, again.work.embedded, again.work.model_calls) == (built.version, 0, 0)
