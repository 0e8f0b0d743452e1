"""`make quality` on corpora of a few sentences, by the real models: all of its steps, in seconds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bench.quality.__main__ import main
from bench.quality.ablation import Part, overridden
from bench.quality.corpora import sample_site
from bench.quality.figures import Quality
from bench.quality.measure import count_setups, measure, measure_conversation
from bench.sample_site import read_sample
from contextual_rag.parameters import Parameters
from contextual_rag.wiring import connect

CODE = {
    "ledger.py": "def add_entry(ledger, amount):\n    ledger.append(amount)",
    "lamp.py": "def light_lamp(lamp):\n    lamp.lit = True",
    "ferry.py": "def cross(ferry, passengers):\n    return ferry.carry(passengers)",
}
SPEECH = (
    "The ferry crosses twice a day. Its captain keeps no timetable, since the tide keeps one for him.\n\n"
    "The lamp on the quay is lit at dusk. Whoever passes last puts it out in the morning.\n\n"
) + "\n\n".join(f"On day {n} of the market, {n} carts of apples came over the bridge." for n in range(1, 30))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Both public forms, tiny."""
    code = tmp_path / "data" / "anthropic_contextual"
    code.mkdir(parents=True)
    documents = [
        {
            "doc_id": f"doc_{n}",
            "original_uuid": f"uuid-{n}",
            "content": text,
            "chunks": [{"chunk_id": f"doc_{n}_0", "original_index": 0, "content": text}],
        }
        for n, text in enumerate(CODE.values())
    ]
    (code / "codebase_chunks.json").write_text(json.dumps(documents))
    asked = [("How is an entry added?", 0), ("What lights the lamp?", 1), ("Who crosses by ferry?", 2)]
    lines = [json.dumps({"query": query, "golden_chunk_uuids": [[f"uuid-{n}", 0]]}) for query, n in asked]
    (code / "questions.jsonl").write_text("\n".join(lines))
    texts = tmp_path / "data" / "chroma_chunking"
    texts.mkdir()
    (texts / "README.md").write_text("No corpus.")
    (texts / "speech.md").write_text(SPEECH)
    with (texts / "questions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "references", "corpus_id"])
        for question, words in (
            ("When is the lamp lit?", "The lamp on the quay is lit at dusk."),
            ("How many carts came on day 7?", "7 carts of apples came over the bridge."),
        ):
            start = SPEECH.index(words)
            reference = {"content": words, "start_index": start, "end_index": start + len(words)}
            rows.writerow([question, json.dumps([reference]), "speech"])
    return tmp_path / "data"


class TestTheCommand:
    def test_measures_and_writes_figures_page_and_plot(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        to = tmp_path / "to"
        only = ["--only", "anthropic", "chroma", "speed", "--chunks", "120", "--questions", "5"]
        assert main([*only, "--data", str(data), "--to", str(to)]) == 0
        quality = Quality.model_validate_json((to / "bench" / "results" / "quality.json").read_bytes())
        assert quality.corpora["anthropic"].default.figures["pass@5"].mean == 1
        assert (quality.corpora["anthropic"].documents, quality.corpora["anthropic"].questions) == (3, 3)
        chroma = quality.corpora["chroma"]
        assert chroma.default.figures["recall@5"].mean == 1
        assert chroma.documents == 1, "the README beside it is no corpus"
        assert chroma.fixed
        # As long as the default's chunks on average, which leave out little but the line ends between them.
        assert chroma.fixed.overrides["chunk_size"] == pytest.approx(len(SPEECH) / chroma.default.chunks, rel=0.05)
        assert "no stemming" in {part.name for part in chroma.parts}
        assert quality.speed
        assert (quality.speed.chunks, quality.speed.questions) == (120, 5)
        default = Parameters()
        assert quality.recipe == {**default.recipe.model_dump(mode="json"), **default.ranking.model_dump(mode="json")}
        text = (to / "docs" / "quality.md").read_text(encoding="utf-8")
        assert "3 questions over the 3 given chunks" in text
        assert (to / "docs" / "images" / "quality.png").read_bytes().startswith(b"\x89PNG")
        out = capsys.readouterr().out
        assert "anthropic Pass@5" in out
        assert "fixed windows" in out

        (to / "docs" / "quality.md").unlink()
        assert main(["--redraw", "--to", str(to)]) == 0
        assert (to / "docs" / "quality.md").read_text(encoding="utf-8") == text

    def test_names_what_is_not_there_and_measures_the_rest(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (data / "anthropic_contextual").rename(data / "elsewhere")
        assert main(["--only", "anthropic", "chroma", "--data", str(data), "--to", str(tmp_path / "to")]) == 0
        assert "note: anthropic is skipped: there is no folder" in capsys.readouterr().err
        text = (tmp_path / "to" / "docs" / "quality.md").read_text(encoding="utf-8")
        assert "Not measured" in text.partition("## Questions about code")[2].partition("\n## ")[0]

    def test_never_writes_a_part_over_the_whole(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["--only", "speed"])
        assert "--to" in capsys.readouterr().err


def test_the_sample_is_asked_its_questions_follow_ups_and_foreign_ones() -> None:
    sample = read_sample().about({"skerrow", "jug"})
    sample = sample._replace(foreign=sample.foreign[:4], untold=sample.untold[:3])
    assert sample.questions
    assert sample.follow_ups
    world, default = connect(), Parameters()
    parts = [Part("no stemming", "", {"stemmer": "none"}), Part("small chunks", "", {"chunk_size": 300})]
    changed = [(part, overridden(default, part.overrides)) for part in parts]
    done: list[int] = []
    corpus = sample_site(sample)
    measured = measure(world, corpus, default, changed, steps=lambda *_: None, done=lambda: done.append(1))
    assert len(done) == count_setups(corpus, changed) == 3
    assert count_setups(corpus._replace(given=True), changed) == 2, "how texts are cut does nothing to chunks as given"
    assert measured.parts[1].chunks > measured.default.chunks
    assert measured.documents == 2
    assert measured.default.figures["recall@5"].mean > 0.5
    assert measured.parts[0].differences["recall@5"].tied > 0
    talk = measure_conversation(world, sample, default, lambda *_: None)
    assert (talk.follow_ups, talk.foreign, talk.untold) == (len(sample.follow_ups), 4, 3)
    assert talk.own == len(sample.questions)
    assert talk.answered.mean > 0.5
