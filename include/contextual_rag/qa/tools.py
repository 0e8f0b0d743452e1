"""The tools that a chat model may call while it answers: search, read an essay, list versions, get the weather.

To add a tool, write a model of its arguments and a function here:

    class GetTide(Arguments):
        harbour: Words = Field(description="A harbour, such as Skerrow.")

    @tool(time_limit_s=10, attempts=3, needs=("tides",))
    def get_tide(box: Toolbox, arguments: GetTide) -> Given:
        "Tell when it is high water today."
        return Given(…)

The model receives the function's name and docstring. The ports that the tool uses are fields of `Toolbox`; the tool is
offered only if all fields in `needs` are set. Raise ToolError for a mistake that the model can correct. Let errors of
the ports pass: the caller retries them. Nothing else has to be changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contextual_rag.errors import UnknownDocumentError
from contextual_rag.model import Weather
from contextual_rag.noun import noun
from contextual_rag.ports import EmbeddingModel, Index, RerankModel, ToolCall, ToolSpec, VectorStore
from contextual_rag.qa.filters import document_named
from contextual_rag.qa.retrieve import Hit, retrieve
from contextual_rag.versions.records import Manifest

__all__ = ["Arguments", "Given", "Policy", "ToolError", "ToolOutcome", "Toolbox", "Words", "policy", "tool"]

_ESSAY_CHARACTERS = 12_000
_VERSIONS = 20
_FAULTS = 5


class ToolError(Exception):
    """A tool cannot do what the model asked; the message helps the model to correct the call."""


class ToolOutcome(NamedTuple):
    """The outcome of a call: a result or an error, as text for the model, and passages that may be cited from now on.

    `arguments` are those that the tool was called with; empty if the model's arguments were invalid.
    """

    arguments: dict[str, Any]
    result: str | None
    error: str | None
    hits: list[Hit]


class Given(NamedTuple):
    """A tool's result: a text, which does not repeat the passages, and passages."""

    text: str
    hits: Sequence[Hit] = ()


class Policy(NamedTuple):
    """The time limit for one attempt at a tool, and the number of attempts after retriable errors."""

    time_limit_s: float
    attempts: int


class Arguments(BaseModel):
    """The base class of every tool's arguments; unknown arguments are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("should be one line of plain text")
    return text


Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_one_line)
]

_A = TypeVar("_A", bound=Arguments)


@dataclass(frozen=True)
class _Tool:
    name: str
    description: str
    arguments: type[Arguments]
    run: Callable[[Toolbox, Any], Given]
    needs: tuple[str, ...]
    policy: Policy


_TOOLS: Final[dict[str, _Tool]] = {}
_UNKNOWN: Final = Policy(time_limit_s=5.0, attempts=1)


def tool(
    *, time_limit_s: float, attempts: int, needs: Sequence[str] = ()
) -> Callable[[Callable[[Toolbox, _A], Given]], Callable[[Toolbox, _A], Given]]:
    """Register a function as a tool; see the head of this module."""

    def register(function: Callable[[Toolbox, _A], Given]) -> Callable[[Toolbox, _A], Given]:
        name, description = function.__name__, inspect.cleandoc(function.__doc__ or "")
        _, arguments, _ = get_type_hints(function).values()
        _TOOLS[name] = _Tool(name, description, arguments, function, tuple(needs), Policy(time_limit_s, attempts))
        return function

    return register


def policy(name: str) -> Policy:
    """Return the policy of a tool; an unknown tool gets a short time limit and one attempt."""
    return _TOOLS[name].policy if name in _TOOLS else _UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """The tools of one turn, with their ports; calls do not change it.

    `index` is the version that answers the turn. `city` is the person's city, if known: it overrides a model's argument
    named `city`. `weather` returns None for an unknown city.
    """

    index: Index
    vectors: VectorStore
    embedder: EmbeddingModel
    reranker: RerankModel | None = None
    versions: Callable[[], Sequence[Manifest]] | None = None
    weather: Callable[[str], Weather | None] | None = None
    city: str | None = None

    def specs(self) -> list[ToolSpec]:
        """Return the available tools, as a model receives them."""
        return [ToolSpec(t.name, t.description, t.arguments.model_json_schema()) for t in self._offered().values()]

    def run(self, call: ToolCall) -> ToolOutcome:
        """Run a tool call. A wrong call returns an error for the model.

        Raises the errors of the tool's ports; the tool's `policy` says how often to retry them.
        """
        offered = self._offered()
        if call.name not in offered:
            return ToolOutcome({}, None, f"There is no such tool. Tools: {', '.join(offered)}.", [])
        wanted = offered[call.name]
        try:
            # If a tool needs no arguments, some models send an empty string.
            arguments = wanted.arguments.model_validate_json(call.arguments.strip() or "{}")
        except ValidationError as error:
            return ToolOutcome({}, None, _explained(error, wanted), [])
        if self.city and "city" in wanted.arguments.model_fields:
            arguments = arguments.model_copy(update={"city": self.city})
        used = arguments.model_dump(mode="json")
        try:
            text, hits = wanted.run(self, arguments)
        except ToolError as error:
            return ToolOutcome(used, None, str(error), [])
        return ToolOutcome(used, text, None, list(hits))

    def _offered(self) -> dict[str, _Tool]:
        return {
            name: found
            for name, found in _TOOLS.items()
            if all(getattr(self, need) is not None for need in found.needs)
        }


def _explained(error: ValidationError, wanted: _Tool) -> str:
    """Describe the faults of a call's arguments, without repeating the arguments."""
    fields = wanted.arguments.model_fields
    faults = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False)[:_FAULTS]:
        place = str(fault["loc"][0]) if fault["loc"] else ""
        if fault["type"] == "json_invalid":
            faults.append("they are not valid JSON")
        elif place in fields:
            faults.append(f"{place}: {fault['msg']}")
        else:
            faults.append("there is an argument too many" if place else fault["msg"])
    takes = ", ".join(fields) or "none"
    return f"The arguments of {wanted.name} are wrong ({'; '.join(dict.fromkeys(faults))}). It takes: {takes}."


class SearchEssays(Arguments):
    query: Words = Field(description="What to look for, in words that such a passage may use.")
    k: Annotated[int, Field(ge=1, le=10)] = Field(6, description="How many passages to return.")


@tool(time_limit_s=20, attempts=3)
def search_essays(box: Toolbox, arguments: SearchEssays) -> Given:
    """Search the essays for passages, beyond the sources that you were given. They come as further sources."""
    hits = retrieve(box.index, box.vectors, box.embedder, arguments.query, k=arguments.k, reranker=box.reranker)
    essays = list(dict.fromkeys(hit.chunk.title for hit in hits))
    if not hits:
        return Given("Nothing was found.")
    return Given(f"Found {_count(len(hits), 'passage')} of {noun().counted(len(essays))}: {'; '.join(essays)}.", hits)


class ReadEssay(Arguments):
    slug: Words = Field(description="The essay's slug, as sources name it.")


@tool(time_limit_s=10, attempts=3)
def read_essay(box: Toolbox, arguments: ReadEssay) -> Given:
    """Read a whole essay, or the beginning of a long one. It comes as further sources, passage by passage."""
    try:
        slug = document_named(box.index, arguments.slug)
    except UnknownDocumentError as error:
        raise ToolError(f"{error} Find others by what stands in them, with search_essays.") from error
    chunks = box.index.essay(slug)
    shown = [chunk for chunk in chunks if chunk.end - chunks[0].start <= _ESSAY_CHARACTERS] or chunks[:1]
    how_much = "whole" if len(shown) == len(chunks) else f"its first {shown[-1].end:,} of {chunks[-1].end:,} characters"
    hits = [Hit(chunk, 0.0, None, None, None) for chunk in shown]
    title, date = chunks[0].title, chunks[0].date or "undated"
    return Given(f"{title} ({date}), {how_much}, in {_count(len(hits), 'passage')}.", hits)


class ListVersions(Arguments):
    pass


@tool(time_limit_s=20, attempts=3, needs=("versions",))
def list_versions(box: Toolbox, _arguments: ListVersions) -> Given:
    """List the versions of the index of essays: when each was made, and how much is in it."""
    versions = box.versions() if box.versions else []
    lines = [
        f"{manifest.version}{' (answers this question)' if manifest.version == box.index.version else ''}: "
        f"{noun().counted(len(manifest.essays))}, {_count(manifest.chunks, 'passage')}, made "
        f"{manifest.created_at:%Y-%m-%d %H:%M} UTC"
        for manifest in versions[:_VERSIONS]
    ]
    left = len(versions) - len(lines)
    return Given("\n".join([*lines, *([f"and {left} older ones"] if left else [])]) or "There is none.")


class GetWeather(Arguments):
    city: Words = Field(description="A city, such as Oslo. Where the person's own is known, it is taken instead.")


@tool(time_limit_s=15, attempts=2, needs=("weather",))
def get_weather(box: Toolbox, arguments: GetWeather) -> Given:
    """Tell the weather in a city now."""
    found = box.weather(arguments.city) if box.weather else None
    if found is None:
        raise ToolError("No city of that name is known. Ask for it by its name alone, in English.")
    return Given(
        f"{found.place}, {found.at} local time: {found.sky}, {found.temperature_c:g} °C (feels like "
        f"{found.feels_like_c:g} °C), humidity {found.humidity_percent:g} %, precipitation "
        f"{found.precipitation_mm:g} mm, wind {found.wind_kmh:g} km/h."
    )


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"
