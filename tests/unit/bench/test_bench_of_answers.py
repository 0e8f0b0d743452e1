"""The questions about real texts: two halves of one mix, and what happens without the texts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.answers.__main__ import main
from contextual_rag.evaluation.datasets import Question, read_questions
from tests.conftest import ROOT

HALVES = {
    name: read_questions((ROOT / "bench" / "answers" / f"{name}.jsonl").read_bytes(), name) for name in ("work", "last")
}
EVERY = [question for half in HALVES.values() for question in half]


def count(*kinds: str) -> int:
    return sum(question.kind in kinds for question in EVERY)


class TestTheQuestions:
    def test_are_in_two_halves_of_the_same_mix(self) -> None:
        work, last = (Counter(question.kind for question in half) for half in HALVES.values())
        assert work == last

    def test_are_many_of_each_kind_and_none_twice(self) -> None:
        assert len(EVERY) >= 150
        assert count("foreign", "untold") >= 40
        assert sum(question.after is not None for question in EVERY) >= 20
        assert count("misspelt", "short") >= 15
        assert min(count("language"), count("collection")) >= 10
        assert len({(question.after, question.question) for question in EVERY}) == len(EVERY)

    @pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
    def test_all_say_what_a_right_answer_is(self, half: list[Question]) -> None:
        assert all(question.judges_answers for question in half)


class TestTheQuestionsOfReaders:
    def test_are_in_two_halves_of_the_same_mix_and_none_is_there_twice(self) -> None:
        work, last = (
            read_questions((ROOT / "bench" / "answers" / "readers" / f"{name}.jsonl").read_bytes(), name)
            for name in HALVES
        )
        counts = [Counter(question.kind for question in half) for half in (work, last)]
        assert all(abs(counts[0][kind] - counts[1][kind]) <= 1 for kind in ("reader", "foreign", "untold"))
        assert counts[0].total() + counts[1].total() >= 200
        asked = [question.question for question in (*work, *last)]
        assert len(set(asked)) == len(asked)


class TestTheBench:
    def test_measures_nothing_without_the_texts_and_says_which(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["--data", str(tmp_path / "data"), "--to", str(tmp_path)]) == 0
        said = " ".join(capsys.readouterr().err.split())
        assert all(name in said for name in ("paulgraham_site", "chroma_chunking"))
        assert list(tmp_path.iterdir()) == []
