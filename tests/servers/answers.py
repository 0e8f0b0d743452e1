"""What the local model server says: deterministic, made of words, good enough for retrieval to be real."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Wanted",
    "answer",
    "asked",
    "careless",
    "count_tokens",
    "embed",
    "lying",
    "rounds",
    "score",
    "tokens",
    "wanted",
]

_TOKEN_CHARS = 4  # also small enough to cut tags in two
_QUOTE_WORDS = 25
_MOST = 0.75  # of the words of a statement, for a judge to say yes
_STOP = frozenset(
    re.split(
        r"\s+",
        "a about all also an and are as at be been but by can could did do does for from had has have he her him his "
        "how i if in into is it its just like me more most my no not of on one only or our out say said says she so "
        "some tell than that the their them then there these they this to up us was we were what when where which who "
        "why will with would you your",
    )
)
_SOURCE = re.compile(r'<source\b[^>]*?\bn="(\d+)"[^>]*>(.*?)</source>', re.DOTALL)
# What a person says → the tool that is asked for it, and what its argument is called.
_TOOLS = (
    (re.compile(r"\bweather in ([A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"), "get_weather", "city"),
    (re.compile(r"\bwhich versions\b", re.IGNORECASE), "list_versions", ""),
    (re.compile(r"\bread the essay (\S*[\w~-])", re.IGNORECASE), "read_essay", "slug"),
    (re.compile(r"\bsearch also for ([^,.;?]+)", re.IGNORECASE), "search_essays", "query"),
)
_PRONOUN = re.compile(r"\b(he|him|his|she|her|it|its|they|them|their|this|that|these|those|there)\b", re.IGNORECASE)
_BGE_QUERY = "Represent this sentence for searching relevant passages: "


def tokens(text: str) -> list[str]:
    """Cut a text into pieces of four characters, as many as a tokenizer would make of English."""
    return [text[at : at + _TOKEN_CHARS] for at in range(0, len(text), _TOKEN_CHARS)]


def count_tokens(*texts: str) -> int:
    """Return how many tokens the texts have."""
    return sum(-(-len(text) // _TOKEN_CHARS) for text in texts)


def embed(text: str, dimension: int) -> list[float]:
    """Return the L2-normalised bag of words, each word at the place and with the sign that its hash says."""
    # A trained model knows the instruction and looks past it.
    vector = np.zeros(dimension)
    for word, times in Counter(_words(text.removeprefix(_BGE_QUERY)) or [""]).items():
        digest = zlib.crc32(word.encode())
        vector[digest % dimension] += (1 + math.log(times)) * (1 if digest >> 31 else -1)
    norm = float(np.linalg.norm(vector))
    if norm == 0:  # words of opposite signs met in one place
        vector[0] = norm = 1.0
    return [round(float(x), 7) for x in vector / norm]


def score(query: str, texts: Sequence[str]) -> list[float]:
    """Return for each text the share of the query's words that it has, rare words weighing more; 0 to 1."""
    bags = [set(_words(text)) for text in texts]
    wanted = set(_words(query))
    idf = {word: math.log(1 + len(bags) / (1 + sum(word in bag for bag in bags))) for word in wanted}
    total = sum(idf[word] for word in sorted(wanted)) or 1.0
    return [round(sum(idf[word] for word in sorted(wanted & bag)) / total, 6) for bag in bags]


# What the model knows of other languages.
TRANSLATED = {
    "Wer hat den alten Kai gebaut?": "Who built the old quay?",
    "Von wem wurde die Lampe gehütet?": "By whom was the lamp kept?",
}


class Wanted(NamedTuple):
    """A tool that the model asks for."""

    name: str
    arguments: dict[str, str]


def asked(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what the person said last: outside the sources, whose instructions a good model does not follow."""
    said = [str(message.get("content") or "") for message in messages if message.get("role") == "user"]
    # A reminder to cite asks the same once more.
    said = [text for text in said if not text.startswith("Your answer cites no source")]
    return _SOURCE.sub("", said[-1]).strip() if said else ""


def rounds(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the messages since the person spoke last: tools that were asked for, and what they gave."""
    return list(takewhile(lambda message: message.get("role") != "user", reversed(messages)))[::-1]


def wanted(messages: Sequence[Mapping[str, Any]], offered: Sequence[str]) -> list[Wanted]:
    """Return the tools that the person's last words ask for, and that have not been called with the same arguments.

    "then" puts off what stands after it to a later round.
    """
    called = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for message in rounds(messages)
        for call in message.get("tool_calls") or ()
    ]
    for part in re.split(r"\bthen\b", asked(messages)):
        tools = [
            Wanted(name, {argument: found[1].strip()} if argument else {})
            for pattern, name, argument in _TOOLS
            for found in pattern.finditer(part)
            if name in offered
        ]
        if left := [tool for tool in tools if tool not in called]:
            return left
    return []


def answer(messages: Sequence[Mapping[str, Any]]) -> str:
    """Make a follow-up stand alone, place a chunk in its document, answer from numbered sources and from what tools
    gave, or else repeat the last line that was said."""
    prompt = "\n\n".join(str(message.get("content") or "") for message in messages)
    question = asked(messages)
    if statement := _tagged(prompt, "statement"):
        said = set(_words(prompt.partition("<statement>")[0]))
        words = _words(statement)
        return "Yes." if sum(word in said for word in words) >= _MOST * len(words) else "No."
    if "Write it in English" in prompt:
        asked_in_another = question.rpartition("Follow-up:")[2].strip()
        return TRANSLATED.get(asked_in_another, asked_in_another)
    if "<exchange>" in question:
        return _standalone(question)
    document, chunk = _tagged(prompt, "document"), _tagged(prompt, "chunk")
    if document and chunk:
        return _place(document, chunk)
    given = [str(message["content"]) for message in rounds(messages) if message.get("role") == "tool"]
    told = re.search(r"reply exactly: (.+)", prompt)
    sources = _SOURCE.findall(prompt)
    claims = ""
    if sources:
        question = re.sub(r"<[^>]*>|(?i:question:)", " ", _tagged(question, "question") or question)
        claims = _from_sources(question, sources)
    if given:
        claims = " ".join([claims, *(f"I was told: {' '.join(_said(text).split()[:30])}." for text in given)]).strip()
    if claims or sources or told:
        return claims or (told[1] if told else "The sources do not say.")
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    return " ".join(lines[-1].split()[:40]) if lines else ""


def careless(answer: str) -> str:
    """Return a true answer with its first mark left out, and each other one changed to a source that is not meant."""
    first, *others = re.split(r" \[(\d+)\]", answer)
    return first + "".join(f" [{int(one) % 8 + 1}]" if one.isdecimal() else one for one in others[1:])


def lying(answer: str) -> str:
    """Return invented sentences with the marks of an answer."""
    marks = re.findall(r"\[\d+\]", answer)
    return " ".join(
        f"She moved to Bergen in 19{70 + n} and sold {40 + n} pianos there {one}." for n, one in enumerate(marks)
    )


def _said(result: str) -> str:
    """A tool's result without tags, and without the sources, which are cited instead."""
    return re.sub(r"<[^>]*>", " ", _SOURCE.sub("", result))


def _standalone(prompt: str) -> str:
    """Put what the last question was about in the place of the follow-up's first pronoun, or at its end."""
    before = re.sub(r"<[^>]*>", " ", re.findall(r"<question>(.*?)</question>", prompt, re.DOTALL)[-1])
    topic = " ".join([word for word in re.findall(r"[\w'’-]+", before) if word.lower() not in _STOP][:8])
    question = prompt.rpartition("Follow-up:")[2].strip()
    whole, replaced = _PRONOUN.subn(topic, question, count=1)
    return whole if replaced else f"{question.rstrip('?. ')} about {topic}?"


def _place(document: str, chunk: str) -> str:
    frequent = [word for word, _ in Counter(word for word in _words(chunk) if len(word) > 3).most_common(3)]
    return f'This passage belongs to "{" ".join(document.split()[:12])}". It is about {", ".join(frequent) or "this"}.'


def _from_sources(question: str, sources: Sequence[tuple[str, str]]) -> str:
    """Quote the sentences, at most two and of different sources, that share most of the question's words."""
    quotes = [
        (n, quote)
        for n, text in sources
        for sentence in re.split(r"(?<=[.!?])\s+|\n+", text)
        if (quote := _quote(sentence))
    ]
    scores = score(question, [quote for _, quote in quotes])
    best: dict[str, tuple[float, str]] = {}
    for (n, quote), value in zip(quotes, scores, strict=True):
        if value > best.get(n, (0.0, ""))[0]:
            best[n] = (value, quote)
    chosen = sorted(best.items(), key=lambda item: -item[1][0])[:2]
    wanted_words = set(_words(question))
    claims = []
    for n, (_, quote) in chosen:
        shared = dict.fromkeys(word for word in _words(quote) if word in wanted_words)
        claims.append(f'On {" and ".join(list(shared)[:3])}: "{quote}" [{n}]')
    return " ".join(claims)


def _quote(sentence: str) -> str:
    """Return a stretch of the sentence that can stand between quotation marks, unchanged."""
    stretch = max(re.split(r'["“”]', sentence), key=len).strip()
    match = re.match(rf"(?:\S+\s+){{0,{_QUOTE_WORDS - 1}}}\S+", stretch)
    return match[0] if match else ""


def _tagged(text: str, tag: str) -> str:
    """Return what stands between the last such pair of tags; instructions may name the tags before."""
    end = text.rfind(f"</{tag}>")
    start = max(text.rfind(f"<{tag}>", 0, max(end, 0)), text.rfind(f"<{tag} ", 0, max(end, 0)))
    return text[start:end].partition(">")[2].strip() if 0 <= start < end else ""


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower()) if word not in _STOP]
