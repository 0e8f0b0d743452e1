"""No pattern of the package takes more time than its text: each is given the texts that it can read in many ways."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from contextual_rag.noun import noun
from contextual_rag.qa import asked, measured
from tests.ambiguity import Repetition, repetitions

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = (ROOT / "include", ROOT, ROOT / "plugins", ROOT)
ANCHORED: Final = frozenset({"match", "fullmatch"})
METHODS: Final = ANCHORED | {"search", "sub", "subn", "split", "findall", "finditer"}
# What is only run by Streamlit or Airflow has no more than patterns that are written out.
RUN_ELSEWHERE: Final = ("dags", "plugins", "app_pages")
# Where patterns are made at run time: examples of them, or none if their words are the project's own.
MADE: Final[dict[str, list[re.Pattern[str]]]] = {
    "contextual_rag.evaluation.datasets": [],
    "contextual_rag.fencing": [re.compile(r"<(?=\s*+/?\s*+(?:document|chunk))", re.IGNORECASE)],
    "contextual_rag.qa.asked": [asked._filler(noun()), asked._defines("What is a lamp?")],
    "contextual_rag.qa.measured": [measured._of_noun("count", "lam"), measured._of_noun("name", "lam")],
    "contextual_rag.readers.refusals": [],
    "contextual_rag.recipe": [],
    "contextual_rag.sources.markup": [re.compile(r"</\s*(?:[\w.-]+:)?feed\s*>")],
}
FEW, MANY, LARGEST = 2, 40, 8_000
# Of texts of which one is so many times as long as the other: linear is 4, quadratic 16.
TIMES, MOST = 4, 9
# What takes less at a quarter of the largest size is linear; what takes more is long enough to be compared.
NOISE_S, ENOUGH_S = 0.0002, 0.01
FILES: Final = [
    path
    for folder in ("include/contextual_rag", "streamlit_app", "plugins", "dags")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if re.search(r"^\s*import re$", path.read_text(), re.MULTILINE)
]


class Use(NamedTuple):
    """A pattern, and the method by which it is used."""

    name: str
    pattern: re.Pattern[Any]
    method: str

    def run(self, text: str) -> None:
        """Read a text to its end."""
        given = text.encode("latin-1", "ignore") if isinstance(self.pattern.pattern, bytes) else text
        if self.method in ANCHORED:
            getattr(self.pattern, self.method)(given)
        else:
            for _ in self.pattern.finditer(given):
                pass


def seconds(use: Use, text: str) -> float:
    """Return the processor time for a text."""
    began = time.thread_time()
    use.run(text)
    return time.thread_time() - began


def grows(use: Use, one: Repetition, after: str) -> bool:
    """Whether the time grows faster than the text, in each of three measurements."""
    times = FEW
    # Step by step: at twice the size, an exponential pattern would never end.
    while (took := seconds(use, one.text(times, after))) < ENOUGH_S and times * len(one.part) < LARGEST:
        if times * len(one.part) > LARGEST // TIMES and took < NOISE_S:
            return False
        times += max(times // 8, 1) if times < MANY else times
    return all(
        seconds(use, one.text(times, after)) > MOST * seconds(use, one.text(times // TIMES, after)) for _ in range(3)
    )


def slow_texts(use: Use) -> list[str]:
    """Return what a text repeats for which a pattern takes more time than for its size."""
    found = []
    for one in repetitions(use.pattern, anywhere=use.method not in ANCHORED):
        if after := [after for after in ("", *"\0a ", *one.others) if grows(use, one, after)][:1]:
            found.append(f"{use.name}: {one.before!r} {one.part!r} … {after[0]!r}")
            break
    return found


def module_of(path: Path) -> str:
    folder = next(folder for folder in FOLDERS if path.is_relative_to(folder))
    return ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    match value:
        case re.Pattern():
            yield value
        case dict():
            yield from patterns_in([*value.values()])
        case list() | tuple():
            for one in value:
                yield from patterns_in(one)


def uses_in(path: Path) -> Iterator[Use]:
    """Yield the patterns of a module: its constants and those written where they are used."""
    name, source = module_of(path), path.read_text()
    known = {} if set(RUN_ELSEWHERE) & set(path.parts) else vars(importlib.import_module(name))
    tree = ast.parse(source)
    for constant, value in list(known.items()):
        if not re.search(rf"^{constant}\b.* = ", source, re.MULTILINE):
            continue
        methods = set(re.findall(rf"\b{constant}(?:\[[^\]]*\])?\.({'|'.join(METHODS)})\b", source)) or {"finditer"}
        for pattern in patterns_in(value):
            for method in methods if constant.startswith("_") else {"finditer"}:
                yield Use(f"{name}.{constant}", pattern, method)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for call in ast.walk(function):
                match call:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=method), args=[given, *_]) if (
                        method in METHODS | {"compile"}
                    ):
                        yield from written(name, given, method, known)


def written(name: str, given: ast.expr, method: str, known: dict[str, Any]) -> Iterator[Use]:
    """Yield a pattern that is written where it is used, or the examples of one that is made there."""
    try:
        pattern = re.compile(eval(compile(ast.Expression(given), name, "eval"), dict(known)))
    except NameError:
        for example in MADE[name]:
            yield Use(name, example, "finditer")
    else:
        yield Use(name, pattern, "finditer" if method == "compile" else method)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_pattern_takes_more_time_than_its_text(path: Path) -> None:
    assert [slow for use in {str(use): use for use in uses_in(path)}.values() for slow in slow_texts(use)] == []


def test_patterns_are_found_in_most_modules_that_use_them() -> None:
    found = [use for path in FILES for use in uses_in(path)]
    assert len(found) > 3 * len(FILES)
    assert {use.method for use in found} >= {"match", "fullmatch", "search", "sub", "finditer"}


PERSON = r"[^\W\d_][\w.’'-]*(?:\s+[\w.’'-]+){1,3}"
SLOW: Final = {
    "repeated in itself": (r"(a*)*b", "match"),
    "one from anywhere": (r"\s+$", "search"),
    "a tag that never ends": (r"<[a-z]+[^>]*>", "sub"),
    "numbers of notes": (r"(?:[¹²³][⁰¹²³]{0,2}(?:[,⁻–-](?=[¹²³]))?)+(?![\w⁺⁻⁼⁽])", "search"),
    "words in brackets": (r"\((?:[^\W\d_]{2,}|[ ,.'’-])+\)$", "search"),
    "names of persons": (rf"{PERSON}(?:(?:\s*,|\s*,?\s+(?:and|&))\s+{PERSON})+", "fullmatch"),
    "a first field": (r"""\s*(?:#.*\s+)*(?:["']?\w[\w -]*["']?\s*[:=]|\[|\Z)""", "match"),
    "looking ahead": (r"(?:a(?=.*b))*", "match"),
    "a repeated group": (r"(a+)\1+b", "match"),
}
QUICK: Final = {
    "gives nothing back": (r"(?>a*)*+b", "match"),
    "gives nothing back, from the start": (r"(?<!\s)\s++$", "search"),
    "one of each": (r"(?:\w+;)+", "fullmatch"),
    "only so many": (r"\w{1,20}@", "search"),
    "takes what it finds": (r"<[a-z]+[^>]*>?", "sub"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("pattern", "method"), SLOW.values(), ids=SLOW)
def test_a_pattern_that_takes_more_is_noticed(pattern: str, method: str) -> None:
    assert slow_texts(Use("slow", re.compile(pattern), method))


@pytest.mark.parametrize(("pattern", "method"), QUICK.values(), ids=QUICK)
def test_a_pattern_that_takes_no_more_is_left_alone(pattern: str, method: str) -> None:
    assert not slow_texts(Use("quick", re.compile(pattern), method))


def test_a_pattern_of_bytes_is_given_bytes() -> None:
    assert slow_texts(Use("slow", re.compile(rb"(\xff*)*b"), "match"))
    assert not slow_texts(Use("quick", re.compile(rb"\xff*+b"), "match"))
