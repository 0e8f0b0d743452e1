"""`rag evaluate`: the command as people and programs run it, on corpora written here and on public ones."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contextual_rag import keys
from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.building.build import Built, build_all
from contextual_rag.building.evaluate import keep_questions
from contextual_rag.building.order import Run
from contextual_rag.evaluation.corpora import read_chunked, read_golden_questions
from contextual_rag.evaluation.datasets import read_questions
from contextual_rag.versions.records import ANSWER_FIGURES
from contextual_rag.wiring import World
from tests.conftest import REAL_DATA, SAMPLE_SITE, Rag, ServedSite
from tests.sample_questions import FEW_JUDGED, SEARCHED
from tests.servers.together import DEFAULT_KEY, TogetherServer

QUESTIONS = SAMPLE_SITE / "questions.jsonl"
KINDS = {"spans": ("recall", "precision", "iou", "mrr", "ndcg"), "chunks": ("pass", "mrr", "ndcg")}
NOWHERE = "http://127.0.0.1:9"

LAMP = """# The lamp

The lighthouse lamp burns whale oil, and a full tank lasts for seven hours.

The keeper trims its wick before midnight, or the glass turns black.
"""
BREAD = """# Bread

Sourdough needs flour, water, salt, and a starter that was fed the evening before.

The oven must be hot before the loaf goes in, or the crust stays pale.
"""
ASKED = {
    "How long does a full tank of whale oil last?": ("lamp", "a full tank lasts for seven hours"),
    "When does the keeper trim the wick?": ("lamp", "The keeper trims its wick before midnight"),
    "What does sourdough need?": ("bread", "flour, water, salt, and a starter"),
    "Why does the crust stay pale?": ("bread", "The oven must be hot before the loaf goes in"),
}


@pytest.fixture
def offline(tmp_path: Path) -> Rag:
    """The command with no service and no key, where it has nothing but a folder for its data."""
    return Rag({"RAG_DATA_DIR": str(tmp_path / "data"), "AWS_ENDPOINT_URL": NOWHERE, "MILVUS_URI": NOWHERE})


@pytest.fixture
def provider() -> Iterator[TogetherServer]:
    with TogetherServer() as server:
        yield server


@pytest.fixture
def hosted(offline: Rag, provider: TogetherServer) -> Rag:
    """The command with a key, and with no other service."""
    return Rag(offline.environment | provided(provider))


def provided(provider: TogetherServer) -> dict[str, str]:
    """Variables that lead a process to the provider."""
    return {
        "TOGETHER_API_KEY": DEFAULT_KEY,
        "TOGETHER_BASE_URL": provider.url,
        "RAG_REQUESTS_PER_MINUTE": "100000",
        "RAG_TOKENS_PER_MINUTE": "1000000000",
    }


class Corpus:
    """A folder of texts, with questions about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "texts"
        self.folder.mkdir()
        (self.folder / "lamp.md").write_text(LAMP)
        (self.folder / "bread.txt").write_text(BREAD)
        self.questions = folder / "questions.csv"
        texts = {"lamp": LAMP, "bread": BREAD}
        self.write(
            (question, [self.reference(texts[corpus], words)], corpus) for question, (corpus, words) in ASKED.items()
        )

    @staticmethod
    def reference(text: str, words: str) -> dict[str, Any]:
        start = text.index(words)
        return {"content": words, "start_index": start, "end_index": start + len(words)}

    def write(self, rows: Any) -> None:
        with self.questions.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["question", "references", "corpus_id"])
            writer.writerows((question, json.dumps(references), corpus) for question, references, corpus in rows)

    @property
    def arguments(self) -> list[str]:
        return ["evaluate", "documents", str(self.folder), "--questions", str(self.questions)]


class Given:
    """Documents whose chunks are given, with questions about these; two chunks have the same text."""

    def __init__(self, folder: Path) -> None:
        self.file, self.questions = folder / "chunks.json", folder / "questions.jsonl"
        self.documents = [self.document(n, text) for n, text in enumerate((LAMP, BREAD, LAMP))]
        self.file.write_text(json.dumps(self.documents))
        golden = {
            "How long does a full tank of whale oil last?": [["u0", 1]],
            "What does sourdough need, and why is the crust pale?": [["u1", 1], ["u1", 2]],
        }
        lines = [json.dumps({"query": query, "golden_chunk_uuids": named}) for query, named in golden.items()]
        self.questions.write_text("\n".join(lines))

    @staticmethod
    def document(n: int, text: str) -> dict[str, Any]:
        parts = re.findall(r".+?(?:\n\n|\n$)", text, re.DOTALL)
        chunks = [{"chunk_id": f"d{n}_{i}", "original_index": i, "content": part} for i, part in enumerate(parts)]
        return {"doc_id": f"d{n}", "original_uuid": f"u{n}", "content": text, "chunks": chunks}

    @property
    def arguments(self) -> list[str]:
        return ["evaluate", "chunks", str(self.file), "--questions", str(self.questions)]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> str:
    """The file of a recipe whose chunks are small."""
    file = tmp_path / "small.toml"
    file.write_text("chunk_size = 60\n")
    return str(file)


def check(shown: dict[str, Any], form: str, ks: tuple[int, ...] = (5, 10, 20)) -> None:
    """What a program reads is complete, shares are shares, and every mean lies in its interval."""
    figures = {f"{kind}@{k}" for kind in KINDS[form] for k in ks}
    assert set(shown) == figures | {"mean_chunk_tokens", "chunks", "questions", "intervals"}
    assert set(shown["intervals"]) == figures
    for name in figures:
        low, high = shown["intervals"][name]
        assert 0 <= low <= shown[name] <= high <= 1, name
    for kind in {"recall", "pass", "mrr"} & set(KINDS[form]):
        values = [shown[f"{kind}@{k}"] for k in ks]
        assert values == sorted(values), "what is found early is found later too"


def kept(rag: Rag) -> int:
    """How many answers of models are kept."""
    file = Path(rag.environment["RAG_DATA_DIR"], "evaluation", "answers.sqlite")
    with closing(sqlite3.connect(file)) as connection:
        count: int = connection.execute("SELECT count(*) FROM answers").fetchone()[0]
    return count


class TestDocuments:
    def test_are_measured_without_any_service_and_the_same_again(self, offline: Rag, corpus: Corpus) -> None:
        shown = offline.json(*corpus.arguments)
        check(shown, "spans")
        assert (shown["questions"], shown["chunks"]) == (4, 2)
        assert shown["recall@5"] == 1, "both texts are found, for each is one chunk"
        asked = sum(len(words) for _, words in ASKED.values()) / 4
        assert shown["precision@5"] == pytest.approx(asked / (len(LAMP) + len(BREAD) - 2), rel=0.1)
        assert shown["mean_chunk_tokens"] == sum(MiniLM().count_tokens([LAMP, BREAD])) / 2
        before = kept(offline)
        assert before == 2 + 4
        assert offline.json(*corpus.arguments) == shown
        assert offline.json(*corpus.arguments, "-k", "1", "-k", "5")["recall@5"] == shown["recall@5"]
        assert kept(offline) == before, "nothing was embedded again"

    def test_are_all_searched_though_no_question_is_about_them(self, offline: Rag, corpus: Corpus) -> None:
        (corpus.folder / "clock.md").write_text("A clock strikes the hours.")
        (corpus.folder / "clock.html").write_text("<p>No text of the corpus.</p>")
        done = offline.run(*corpus.arguments, "--json")
        assert json.loads(done.stdout)["chunks"] == 3
        assert "clock.md: no question is about it" in " ".join(done.stderr.split())

    def test_of_other_corpora_have_their_questions_left_out(self, offline: Rag, corpus: Corpus) -> None:
        (corpus.folder / "bread.txt").unlink()
        done = offline.run(*corpus.arguments, "--json")
        assert json.loads(done.stdout)["questions"] == 2
        assert "bread" in " ".join(done.stderr.split())

    def test_with_a_mark_and_windows_line_ends_have_the_same_figures(self, offline: Rag, corpus: Corpus) -> None:
        shown = offline.json(*corpus.arguments)
        (corpus.folder / "lamp.md").write_bytes(b"\xef\xbb\xbf" + LAMP.replace("\n", "\r\n").encode())
        assert offline.json(*corpus.arguments) == shown

    def test_are_measured_by_one_recipe_against_another(self, offline: Rag, corpus: Corpus, small: str) -> None:
        shown = offline.json(*corpus.arguments, "-k", "2", "--recipe", small, "--against", self.whole(corpus))
        assert set(shown) == {"a", "b", "difference", "questions"}
        check(shown["a"], "spans", (2,))
        check(shown["b"], "spans", (2,))
        assert shown["a"]["chunks"] > shown["b"]["chunks"] == 2
        for name, difference in shown["difference"].items():
            assert difference["mean"] == pytest.approx(shown["a"][name] - shown["b"][name], abs=2e-6)
            assert difference["won"] + difference["lost"] + difference["tied"] == 4
        assert shown["difference"]["precision@2"]["won"] == 4, "small chunks hold less that nobody asked for"
        assert {one["question"] for one in shown["questions"]} == set(ASKED)
        for one in shown["questions"]:
            assert set(one) == {"question", "a", "b"}
            assert one["a"] != one["b"]

    def test_by_one_recipe_against_itself_do_not_differ(self, offline: Rag, corpus: Corpus, small: str) -> None:
        shown = offline.json(*corpus.arguments, "--recipe", small, "--against", small)
        assert shown["a"] == shown["b"]
        assert shown["questions"] == []
        assert all(difference["tied"] == 4 for difference in shown["difference"].values())

    def test_are_shown_to_people_and_drawn(self, offline: Rag, corpus: Corpus, small: str, tmp_path: Path) -> None:
        png, svg = tmp_path / "one.png", tmp_path / "two.svg"
        alone = offline.run(*corpus.arguments, "--plot", str(png), COLUMNS="100")
        assert alone.returncode == 0, alone.stderr
        assert "4 questions over 2 chunks of" in alone.stdout
        assert re.search(r"recall +1\.000 \(1\.000–1\.000\)", alone.stdout)
        assert all(step in alone.stderr for step in ("contexts", "embeddings", "questions"))
        against = offline.run(*corpus.arguments, "-k", "1", "--against", small, "--plot", str(svg), COLUMNS="100")
        assert against.returncode == 0, against.stderr
        assert "The questions that changed most" in against.stdout
        assert any(question in against.stdout for question in ASKED)
        assert "b, small.toml: 4 questions over" in against.stdout
        assert re.search(r"recall@1 +1\.000 +0\.\d+ +\+0\.\d+ \(.* to .*\) +\d +0 +\d", against.stdout)
        assert png.read_bytes().startswith(b"\x89PNG")
        assert "small.toml" in svg.read_text()

    def test_go_the_same_way_with_hosted_models_which_are_asked_once(
        self, hosted: Rag, provider: TogetherServer, corpus: Corpus, tmp_path: Path
    ) -> None:
        recipe = tmp_path / "hosted.json"
        models = {
            "context_model": "meta-llama/Llama-3.2-3B-Instruct-Turbo",
            "embedding_model": "BAAI/bge-large-en-v1.5",
        }
        recipe.write_text(json.dumps({"chunk_size": 120, **models}))
        shown = hosted.json(*corpus.arguments, "--recipe", str(recipe))
        check(shown, "spans")
        assert len(provider.calls("chat")) == shown["chunks"]
        assert len(provider.calls("rerank")) == 4
        embedded = sum(call.texts for call in provider.calls("embeddings"))
        assert embedded == shown["chunks"] + 4
        assert hosted.json(*corpus.arguments, "--recipe", str(recipe)) == shown
        assert len(provider.calls("chat")) == shown["chunks"]
        assert sum(call.texts for call in provider.calls("embeddings")) == embedded
        assert len(provider.calls("rerank")) == 8

    @staticmethod
    def whole(corpus: Corpus) -> str:
        file = corpus.folder.parent / "whole.json"
        file.write_text('{"chunk_size": 800}')
        return str(file)


class TestChunks:
    def test_are_measured_without_any_service(self, offline: Rag, given: Given) -> None:
        shown = offline.json(*given.arguments, "-k", "20", "-k", "2")
        check(shown, "chunks", (2, 20))
        assert (shown["questions"], shown["chunks"]) == (2, 9)
        assert shown["pass@20"] == 1

    def test_of_the_same_text_pass_whichever_is_found(self, offline: Rag, given: Given) -> None:
        golden = [["u0", 1], ["u2", 1]]
        query = "How long does a full tank of whale oil last?"
        given.questions.write_text(json.dumps({"query": query, "golden_chunk_uuids": golden}))
        shown = offline.json(*given.arguments, "-k", "1")
        assert shown["pass@1"] == shown["ndcg@1"] == 1

    def test_are_measured_by_one_recipe_against_another(self, offline: Rag, given: Given, tmp_path: Path) -> None:
        other = tmp_path / "plain.toml"
        other.write_text('stemmer = "none"\nbm25_b = 0.3\n')
        shown = offline.json(*given.arguments, "--against", str(other))
        check(shown["b"], "chunks")
        assert shown["a"]["chunks"] == shown["b"]["chunks"] == 9


class TestAnIndexVersion:
    def test_has_the_figures_that_it_was_published_with(
        self, built: Built, rag: Rag, world: World, sample_site: ServedSite, tmp_path: Path
    ) -> None:
        refused = rag.run("evaluate", "index")
        assert refused.returncode == 1
        assert refused.stderr.startswith("Setting: ")

        file = tmp_path / "questions.jsonl"
        file.write_text("\n".join([*SEARCHED, *FEW_JUDGED]), encoding="utf-8")
        keep_questions(world.store, file)
        run = Run(day=datetime.now(UTC).date(), by="tests", source=sample_site.url, chunk_size=1390, max_quality_drop=1)
        other = build_all(world.steps, run)
        shown = rag.json("evaluate", "index")
        check(shown, "spans")
        published = world.registry.manifest(other.version).quality
        assert {name: round(shown[name], 4) for name in ("recall@5", "mrr@5", "questions")}.items() <= published.items()
        assert shown["chunks"] == other.chunks

        compared = rag.json("evaluate", "index", "--against", built.version)
        assert compared["a"] == shown
        assert compared["b"] == rag.json("evaluate", "index", "--version", built.version)
        assert rag.json("evaluate", "index", "--questions", str(QUESTIONS)) == shown

        answers = rag.json("evaluate", "answers")
        assert {name: answers[name] for name in ANSWER_FIGURES if name in answers}.items() <= published.items()
        assert (published["answerable"], published["unanswerable"], answers["questions"]) == (2, 2, 4)
        assert answers["version"] == other.version
        stored = tmp_path / "stored.json"
        stored.write_text(json.dumps(answers))
        same = rag.json("evaluate", "answers", "--result", str(stored), "--against", str(stored))
        assert {one["mean"] for one in same["difference"].values()} == {0}
        refused = rag.run("evaluate", "answers", "--judge")
        assert refused.returncode == 1
        assert refused.stderr.strip().endswith("or leave --judge out.")

    def test_has_its_essays_measured_as_another_recipe_would_index_them(
        self, built: Built, rag: Rag, world: World, tmp_path: Path
    ) -> None:
        same, less = tmp_path / "same.toml", tmp_path / "less.toml"
        same.write_text("")
        less.write_text("keyword_weight = 0\nper_essay = 1\n")
        of = ("evaluate", "index", "--questions", str(QUESTIONS), "--against", built.version)
        alike = rag.json(*of, "--recipe", str(same))
        assert alike["a"] == alike["b"]
        assert alike["questions"] == []
        other = rag.json(*of, "--recipe", str(less))
        check(other["a"], "spans")
        assert other["b"] == alike["b"]
        assert other["a"]["recall@5"] < other["b"]["recall@5"]
        assert [one.version for one in world.registry.versions()] == [built.version]

    def test_is_asked_only_what_its_essays_answer(self, built: Built, rag: Rag, tmp_path: Path) -> None:
        line = {"question": "What burns?", "references": [{"slug": "lamp", "content": "whale oil"}]}
        file = tmp_path / "questions.jsonl"
        file.write_text(json.dumps(line))
        done = rag.run("evaluate", "index", "--questions", str(file))
        assert done.returncode == 1
        assert done.stderr.startswith("CorruptObject: ")
        assert built.version in done.stderr
        file.write_text(json.dumps(line) + "\n" + QUESTIONS.read_text(encoding="utf-8"))
        done = rag.run("evaluate", "index", "--questions", str(file), "--json")
        asked = sum(bool(question.references) for question in read_questions(QUESTIONS.read_bytes(), "questions"))
        assert f"1 of {asked + 1} questions are left out" in " ".join(done.stderr.split())
        assert json.loads(done.stdout)["questions"] == asked

    def test_of_hosted_models_is_asked_by_them(
        self, rag: Rag, provider: TogetherServer, sample_site: ServedSite, tmp_path: Path
    ) -> None:
        hosted = Rag(rag.environment | provided(provider))
        hosted.json("build", "--source", sample_site.url, "--limit", "8", "--promote")
        of = ("evaluate", "index", "--questions", str(QUESTIONS))
        before = {path: len(provider.calls(path)) for path in ("chat", "embeddings", "rerank")}
        shown = hosted.json(*of)
        check(shown, "spans")
        assert 0 < shown["questions"] < len(QUESTIONS.read_bytes().splitlines())
        after = {path: len(provider.calls(path)) for path in before}
        assert after["chat"] == before["chat"]
        assert after["embeddings"] == before["embeddings"] + 1, "all questions at once"
        assert after["rerank"] == before["rerank"] + shown["questions"]
        assert hosted.json(*of) == shown
        assert len(provider.calls("embeddings")) == after["embeddings"], "and once"

    def test_must_be_there(self, built: Built, rag: Rag) -> None:
        done = rag.run("evaluate", "index", "--questions", str(QUESTIONS), "--against", "2020-01-01-00000000")
        assert done.returncode == 5
        assert done.stderr.startswith("UnknownVersion: ")
        assert "2020-01-01-00000000" in done.stderr

    def test_keeps_the_questions_of_the_bucket_apart(self, built: Built, rag: Rag, world: World) -> None:
        rag.json("evaluate", "index", "--questions", str(QUESTIONS))
        assert world.store.get(keys.QUESTIONS) is None


class TestWhatIsWrong:
    """One clear error, before anything is measured."""

    @pytest.fixture(autouse=True)
    def where(self, offline: Rag, corpus: Corpus, tmp_path: Path) -> None:
        self.rag, self.corpus, self.folder = offline, corpus, tmp_path

    def refused(self, *arguments: str) -> str:
        done = self.rag.run(*arguments)
        assert done.returncode in {1, 2, 4, 5}, done.stdout
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return done.stderr

    def test_in_a_row_is_named(self) -> None:
        self.corpus.write([("Why?", [Corpus.reference(LAMP, "whale oil")], "lamp"), ("How?", [], "lamp")])
        assert "questions.csv, row 3 (line 3)" in self.refused(*self.corpus.arguments)

    def test_in_offsets_is_named(self) -> None:
        shifted = Corpus.reference(LAMP, "whale oil") | {"start_index": 0, "end_index": 9}
        self.corpus.write([("Why?", [shifted], "lamp")])
        assert "row 2 (line 2), reference 1: " in self.refused(*self.corpus.arguments)
        outside = shifted | {"start_index": 9000, "end_index": 9009}
        self.corpus.write([("Why?", [outside], "lamp")])
        assert "9000:9009" in self.refused(*self.corpus.arguments)

    def test_with_folder_or_files_is_named(self) -> None:
        missing = str(self.folder / "missing")
        assert missing in self.refused("evaluate", "documents", missing, "--questions", missing)
        of = ["evaluate", "documents", str(self.corpus.folder), "--questions"]
        assert missing in self.refused(*of, missing)
        assert str(self.folder) in self.refused(*of, str(self.folder))
        assert missing in self.refused("evaluate", "chunks", missing, "--questions", missing)
        (self.corpus.folder / "lamp.txt").write_text(LAMP)
        assert "'lamp'" in self.refused(*self.corpus.arguments)
        (self.folder / "empty").mkdir()
        empty = str(self.folder / "empty")
        assert empty in self.refused("evaluate", "documents", empty, "--questions", missing)

    def test_with_a_golden_chunk_is_named(self) -> None:
        given = Given(self.folder)
        given.questions.write_text('{"query": "Why?", "golden_chunk_uuids": [["u0", 9]]}')
        assert all(name in self.refused(*given.arguments) for name in ("questions.jsonl, line 1", "['u0', 9]"))

    @pytest.mark.parametrize(
        ("recipe", "fault"),
        [
            ("chunk_sise = 60", "chunk_sise"),
            ("chunk_size = 1", "chunk_size"),
            ('embedding_model = "offline/other"', "offline/other"),
            ('context_model = "offline/other"', "offline/other"),
            ('embedding_model = "BAAI/bge-large-en-v1.5"', "TOGETHER_API_KEY"),
        ],
    )
    def test_with_a_recipe_is_named(self, recipe: str, fault: str) -> None:
        file = self.folder / "recipe.toml"
        file.write_text(recipe)
        assert fault in self.refused(*self.corpus.arguments, "--recipe", str(file))

    @pytest.mark.parametrize("name", ["plot.pdf", "missing/plot.png"])
    def test_with_a_plot_is_named(self, name: str) -> None:
        assert "--plot" in self.refused(*self.corpus.arguments, "--plot", str(self.folder / name))

    def test_with_k_is_named(self) -> None:
        done = self.rag.run(*self.corpus.arguments, "-k", "0")
        assert done.returncode == 2
        assert "-k" in done.stderr


class TestPublicData:
    def test_of_chroma_is_measured(self, offline: Rag) -> None:
        folder = public("chroma_chunking")
        shown = offline.json("evaluate", "documents", str(folder), "--questions", str(folder / "questions.csv"))
        check(shown, "spans")
        assert shown["questions"] == 220
        # What docs/quality.md says, with room for another library's rounding; below it something was lost.
        assert shown["recall@5"] >= 0.95
        assert shown["mean_chunk_tokens"] <= 200

    def test_of_anthropic_is_read_whole_and_measured_in_part(self, offline: Rag, tmp_path: Path) -> None:
        folder = public("anthropic_contextual")
        body, questions = (folder / "codebase_chunks.json").read_bytes(), (folder / "questions.jsonl").read_bytes()
        whole = read_chunked(body, "codebase_chunks.json")
        assert whole.notes == ()
        assert sum(len(document.chunks) for document in whole.documents) == 737
        assert len(read_golden_questions(questions, "questions.jsonl", whole.documents)) == 248

        # Embedding all of it takes minutes.
        part = json.loads(body)[:25]
        named = {document["original_uuid"] for document in part}
        lines = [line for line in questions.decode().splitlines() if self.golden(line) <= named]
        (tmp_path / "part.json").write_text(json.dumps(part))
        (tmp_path / "part.jsonl").write_text("\n".join(lines))
        shown = offline.json(
            "evaluate", "chunks", str(tmp_path / "part.json"), "--questions", str(tmp_path / "part.jsonl")
        )
        check(shown, "chunks")
        assert shown["questions"] == len(lines) > 20
        assert shown["chunks"] == sum(len(document["chunks"]) for document in part)

    @staticmethod
    def golden(line: str) -> set[str]:
        """The documents that a question's golden chunks are of."""
        return {uuid for uuid, _ in json.loads(line)["golden_chunk_uuids"]}


def public(name: str) -> Path:
    """Return the folder of a public data set, where it is at hand."""
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"the public data is not at ../shared/data/{name}")
    return folder
