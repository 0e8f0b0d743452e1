"""Known items: questions made from the essays, the same ones in every process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from contextual_rag.evaluation.known_items import FEWEST, known_items
from contextual_rag.qa.citations import locate

ROOT = Path(__file__).parents[3]
WORDS = [
    *("lamp", "keeper", "whale", "harbour", "ferry", "orchard", "ledger", "kiln", "bridge", "market", "chandler"),
    *("midnight", "soundings", "mapmaker", "weathered", "inkwell", "rope", "the", "of", "was", "and", "it"),
]


def corpus(seed: int) -> dict[str, str]:
    """Essays of a few words in any order: some long, some empty, some with repeated sentences."""
    chance = random.Random(seed)

    def sentence() -> str:
        return " ".join(chance.choices(WORDS, k=chance.randrange(2, 22))).capitalize() + chance.choice(".!?")

    def paragraph() -> str:
        said = [sentence() for _ in range(chance.randrange(1, 7))]
        return " ".join([*said, *chance.sample(said, chance.randrange(2))])

    return {
        f"essay{n}": "\n\n".join(paragraph() for _ in range(chance.randrange(6))) for n in range(chance.randrange(13))
    }


corpora = st.integers(0, 10**6).map(corpus)


def long_essay(seed: int, count: int = 8) -> str:
    """Return an essay of `count` different sentences."""
    return " ".join(
        f"In chapter {'abcdefghijklmnop'[n]}{'abcdefghijklmnopqrstuvwxyz'[seed]}lamp the {WORDS[(seed + n) % 15]} and "
        f"the {WORDS[(seed * 3 + n) % 15]} were {WORDS[(n * 5) % 15]} before the {WORDS[(n + 7) % 15]}."
        for n in range(count)
    )


CORPUS = {f"essay-{seed}": long_essay(seed) for seed in range(10)}


class TestEachQuestion:
    @given(corpora)
    @settings(max_examples=15)
    def test_is_words_of_the_one_sentence_that_answers_it(self, texts: dict[str, str]) -> None:
        for question in known_items(texts):
            (answer,) = question.references
            text = texts[answer.slug]
            assert text.count(answer.content) == 1
            start = text.index(answer.content)
            assert locate(answer.content, text) == (start, start + len(answer.content))
            assert set(question.question.split()) <= set(answer.content.casefold().rstrip(".!?").split())

    def test_is_of_the_rarest_words(self) -> None:
        rare = "The weighbridge was a lamp that the keeper and the ferryman of the harbour market sold to vintners."
        asked = known_items(CORPUS | {"rare": rare})
        (question,) = (one.question for one in asked if one.references[0].slug == "rare")
        assert {"weighbridge", "vintners", "ferryman"} < set(question.split())


class TestTheQuestions:
    @given(corpora, st.integers(FEWEST, 60))
    @settings(max_examples=15)
    def test_are_limited_spread_evenly_and_none_if_there_are_few(self, texts: dict[str, str], most: int) -> None:
        asked = known_items(texts, most=most)
        assert not asked or FEWEST <= len(asked) <= most
        every = Counter(one.references[0].slug for one in known_items(texts, most=10_000))
        some = Counter(one.references[0].slug for one in asked)
        assert all(some[slug] >= min(every[slug], max(some.values()) - 1) for slug in every if asked)

    @given(st.permutations(list(CORPUS.items())))
    def test_are_the_same_for_any_order_of_the_essays(self, items: list[tuple[str, str]]) -> None:
        assert known_items(dict(items)) == known_items(CORPUS)

    def test_are_the_same_in_another_process(self) -> None:
        code = "import json, sys; from contextual_rag.evaluation.known_items import known_items\n"
        code += "print(json.dumps([one.question for one in known_items(json.load(sys.stdin))]))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(CORPUS),
            env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT / "include")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == [one.question for one in known_items(CORPUS)]

    @given(st.integers(10, 25), st.integers(1, 8))
    @settings(max_examples=10)
    def test_about_an_essay_stay_when_another_changes(self, seed: int, count: int) -> None:
        before, after = known_items(CORPUS), known_items(CORPUS | {"essay-0": long_essay(seed, count)})
        answers = [
            {one.references for one in asked if one.references[0].slug != "essay-0"} for asked in (before, after)
        ]
        # If the other has fewer, more of these fit; only the last ones are displaced.
        assert len(answers[0] - answers[1]) <= 1
        words = [{one.references: one.question for one in asked} for asked in (before, after)]
        same = [words[0][answer] == words[1][answer] for answer in answers[0] & answers[1]]
        assert sum(same) >= 0.8 * len(same)

    def test_beyond_the_limit_a_new_one_replaces_one(self) -> None:
        many = {f"essay-{n}": long_essay(n % 26, 3) for n in range(80)}
        before = known_items(many, most=30)
        after = known_items(many | {"new": long_essay(3, 4)}, most=30)
        assert len({one.references for one in before} - {one.references for one in after}) <= 1
