"""The fields read from Together's answers, which the SDK does not validate."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

__all__ = [
    "MODELS",
    "Answer",
    "AnswerPiece",
    "Choice",
    "Model",
    "Models",
    "Scores",
    "Text",
    "Tokens",
    "ToolPiece",
    "Vectors",
]


class _Wire(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Tokens(_Wire):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Function(_Wire):
    name: str | None = None
    arguments: str | None = None


class ToolPiece(_Wire):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class Text(_Wire):
    content: str | None = None
    tool_calls: list[ToolPiece] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class Choice(_Wire):
    message: Text | None = None
    delta: Text | None = None
    finish_reason: str | None = None


class AnswerPiece(_Wire):
    choices: list[Choice] | None = None
    usage: Tokens | None = None


class Answer(AnswerPiece):
    choices: Annotated[list[Choice], Field(min_length=1)]


class _Vector(_Wire):
    index: int
    embedding: list[float]


class Vectors(_Wire):
    data: list[_Vector]
    usage: Tokens | None = None


class _Score(_Wire):
    index: int
    relevance_score: Annotated[float, Field(allow_inf_nan=False)]


class Scores(_Wire):
    results: list[_Score]
    usage: Tokens | None = None


class _Pricing(_Wire):
    # USD per million tokens, in docs.together.ai/reference/models.
    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Read an optional field: other servers with this API have no prices, or in another form."""
    try:
        return read(value)
    except ValidationError:
        return None


class Model(_Wire):
    id: str
    pricing: Annotated[_Pricing | None, WrapValidator(_or_none)] = None


class Models(_Wire):
    data: list[Model] | None  # null where there is none, as from Ollama


# Together returns a plain list of models; the OpenAI API wraps it in an object.
MODELS: Final[TypeAdapter[Models | list[Model]]] = TypeAdapter(Models | list[Model])
