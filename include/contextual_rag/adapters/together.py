"""The connection to Together AI, or any server with OpenAI's HTTP API, through Together's SDK.

All models of a server and all threads share one `Together`. It owns the limiter, the retries, the mapping of faults to
`contextual_rag.errors`, and in a build the prices and the budget. Temporary faults (408, 409, 429, 5xx, timeouts,
broken connections, unreadable answers) are retried; all others end the call at once.
"""

from __future__ import annotations

import copy
import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from textwrap import shorten
from typing import Final, NamedTuple, Self, TypeVar

import httpx
import tenacity
import together
from pydantic import ValidationError

from contextual_rag.adapters.limiter import Limiter
from contextual_rag.adapters.together_prices import Price, Prices
from contextual_rag.adapters.together_sdk import TOGETHERS_URL, Sdk
from contextual_rag.adapters.together_wire import MODELS, Model, Models, Tokens
from contextual_rag.errors import CredentialsError, ModelError, RagError, ServiceUnavailableError, SettingError
from contextual_rag.ports import Budget, Usage

__all__ = ["AgainError", "Call", "Together", "check_indices"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_AGAIN: Final = {408, 409, 425, 429, *range(500, 600)}
# Some providers report an unknown model in a 400 with these words, instead of a 404.
_UNKNOWN_MODEL: Final = re.compile(
    r"unable to access model|(no such|unknown) model|model.{0,120}not (be )?(found|exist|available|supported)", re.I
)
# How servers say that a model takes no tools, or that they were started without them.
_NO_TOOLS: Final = re.compile(
    r"(not support|unsupported|requires?)\b.{0,80}\btool|\btools?\b.{0,80}(not support|unsupported|requires?)", re.I
)
# The scheduler waits for a longer Retry-After, not a worker.
_PATIENCE_S: Final = 60.0
# The errors that the SDK raises: its own; httpx's, if a stream or an error's body breaks off; ValueError from JSON,
# UTF-8 and pydantic.
_LOWER: Final = (together.TogetherError, httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ValueError)


class AgainError(Exception):
    """A fault that another attempt may avoid; never leaves the adapter of a model."""

    def __init__(self, message: str, retry_after_s: float | None = None, *, code: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.code = code  # of the ServiceUnavailableError which ends the last attempt


class Call(NamedTuple):
    """The names for messages, the tokens that the limiter reserves, and those (in, out) that the budget reserves."""

    model: str
    setting: str
    tokens: int = 0
    at_most: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, model: str, setting: str, texts: Collection[str], max_tokens: int = 0) -> Self:
        """Estimate a request that sends these texts and gets an answer of at most `max_tokens`."""
        return cls(model, setting, _guess(texts) + max_tokens, (_at_most(texts), max_tokens))


class Together:
    """A connection to a server, shared by its models and by all threads.

    `api_key` is None for a server that wants none. A `base_url` that names no version of the API gets `/v1`.
    `timeout_s` limits each wait for the network: for the answer, or for the next piece of a stream. A request is sent
    up to `attempts` times; the pauses are random, up to `backoff_s`, which doubles each time. `prices` gives USD per
    million prompt and completion tokens by model. Other models get the provider's prices after `within`, and cost 0
    otherwise.
    """

    def __init__(
        self,
        api_key: str | None,
        *,
        base_url: str | None = None,
        timeout_s: float = 60.0,
        attempts: int = 5,
        backoff_s: float = 0.5,
        limiter: Limiter | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        key = "" if api_key is None else api_key.strip()
        # httpx would quote an invalid key in its error.
        if api_key is not None and not re.fullmatch(r"[!-~]+", key):
            raise SettingError("TOGETHER_API_KEY is empty or contains invalid characters. Set it again.")
        url = (base_url or TOGETHERS_URL).strip().rstrip("/")
        if not re.match(r"https?://[^/]", url):
            raise SettingError("Invalid TOGETHER_BASE_URL. Use a URL that starts with http:// or https://.")
        self._url_setting, self._key_setting = "TOGETHER_BASE_URL", "TOGETHER_API_KEY"
        self.url: Final = re.sub(r"//[^/@]*@", "//", url)  # for messages
        self.limiter: Final = limiter or Limiter()
        self._key = key
        self._attempts = attempts
        self._backoff = tenacity.wait_random_exponential(multiplier=backoff_s, max=30)
        self._jitter = tenacity.wait_random(0, backoff_s)
        self._prices = Prices(prices or {}, self._listed_prices)
        self._budget: Budget | None = None
        timeout = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s))
        self.sdk: Final = Sdk(api_key=key, base_url=url, timeout=timeout, max_retries=0)

    def close(self) -> None:
        """Close the connections."""
        self.sdk.close()

    def within(self, budget: Budget) -> Self:
        """Return the same connection for a build or an answer: requests are priced, and sent if the budget allows it.

        Limiter and prices are shared. An unknown price counts as 0, with one warning. If the budget has a limit, the
        request is not sent instead (see `price`).
        """
        spending = copy.copy(self)
        spending._budget = budget
        return spending

    def named(self, url_setting: str, key_setting: str) -> Self:
        """Return the same connection for a role whose URL and key are set by these names."""
        other = copy.copy(self)
        other._url_setting, other._key_setting = url_setting, key_setting
        return other

    def price(self, model: str) -> Price:
        """Return USD per million prompt and completion tokens. Raises SettingError if the price is unknown."""
        price = self._prices.of(model)
        if price is None:
            raise SettingError(
                f"There is a budget, but the price of {model} is unknown: {self.url} does not list it. Set "
                f'RAG_MODEL_PRICES to {{"{model}": [in, out]}}, in USD per million tokens, or remove the budget.',
                code="setting_price",
            )
        return price

    def models(self) -> list[str]:
        """Return the names of the models that the provider serves, sorted."""
        return sorted(model.id for model in self._listed())

    def _listed(self, attempts: int | None = None) -> list[Model]:
        # The SDK's own `models.list` lists a project's private models instead.
        call = Call("the list of models", self._url_setting)
        body = self.call(
            lambda: MODELS.validate_json(self.sdk.get("/v1/models", cast_to=httpx.Response).content), call, attempts
        )
        return body.data or [] if isinstance(body, Models) else body

    def _listed_prices(self, attempts: int | None) -> dict[str, Price]:
        return {m.id: (m.pricing.input, m.pricing.output) for m in self._listed(attempts) if m.pricing}

    def call(self, send: Callable[[], _T], call: Call, attempts: int | None = None) -> _T:
        """Send a request under limiter and budget; retry temporary faults up to the number of attempts."""

        def attempt() -> _T:
            self._reserve(call)
            self.limiter.acquire(call.tokens)
            try:
                return send()
            except (*_LOWER, AgainError) as error:
                self.limiter.settle(call.tokens, 0)
                self._settle(call, 0.0 if _is_free(error) else None)
                fault = self._fault(error, call)
                if isinstance(fault, AgainError) and _worth_it(fault):
                    self.limiter.hold(fault.retry_after_s or 0)
                raise fault from None
            except BaseException:
                self._settle(call, None)
                raise

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts or self._attempts),
            wait=self._pause,
            retry=tenacity.retry_if_exception(_worth_it),
            before_sleep=partial(_warn, call.model),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except AgainError as fault:
            times = f"{retrying.statistics['attempt_number']} of {attempts or self._attempts}"
            raise ServiceUnavailableError(
                f"{call.model} at {self.url} did not answer ({times} attempts): {fault}", code=fault.code
            ) from None

    @contextmanager
    def mapping(self, call: Call) -> Iterator[None]:
        """Map errors to ours after the point from which a request is not retried."""
        try:
            yield
        except (*_LOWER, AgainError) as error:
            fault = self._fault(error, call)
            if isinstance(fault, AgainError):
                fault = ServiceUnavailableError(
                    f"{call.model} at {self.url} broke off: {fault}", code="service_unavailable_broken"
                )
            raise fault from None

    def spent(self, call: Call, tokens: Tokens | None, *, guess: int) -> Usage:
        """Price an answered request, and report its tokens and cost to limiter and budget.

        If the provider does not count the tokens, `guess` is used, and the budget keeps the reserved amount.
        """
        prompt, completion = (tokens.prompt_tokens, tokens.completion_tokens) if tokens else (guess, 0)
        self.limiter.settle(call.tokens, prompt + completion)
        cost = self._cost(call.model, (prompt, completion))
        self._settle(call, cost if tokens and tokens.prompt_tokens else None)
        usage = Usage(1, prompt, completion, cost)
        if self._budget:
            self._budget.count(usage)
        return usage

    def begun(self, call: Call) -> None:
        """Count a stream at its full reservation, since its reader may leave at any time; `spent` corrects it."""
        self._settle(call, None)

    def _cost(self, model: str, tokens: tuple[int, int]) -> float:
        if self._budget is None:
            price = self._prices.given(model)
        elif self._budget.limit_usd is None:
            price = self._prices.or_nothing(model)
        else:
            price = self.price(model)
        return (tokens[0] * price[0] + tokens[1] * price[1]) / 1e6

    def _reserve(self, call: Call) -> None:
        # Without a limit nothing is reserved, so that no request waits for prices that only the report needs.
        if self._budget and self._budget.limit_usd is not None and any(call.at_most):
            self._budget.reserve(self._cost(call.model, call.at_most))

    def _settle(self, call: Call, paid: float | None) -> None:
        """Report the cost of an attempt to the budget; None means that it may have cost the whole reservation."""
        if self._budget and self._budget.limit_usd is not None and any(call.at_most):
            reserved = self._cost(call.model, call.at_most)
            self._budget.settle(reserved, reserved if paid is None else paid)

    def _fault(self, error: Exception, call: Call) -> RagError | AgainError:
        match error:
            case AgainError():
                return error
            case together.APIStatusError():
                return self._refused(error, call)
            case together.APITimeoutError() | httpx.TimeoutException():
                return AgainError("no answer in time", code="service_unavailable_timeout")
            case ValidationError():
                first = error.errors(include_input=False, include_url=False, include_context=False)[0]
                return AgainError(f"malformed answer ({'.'.join(map(str, first['loc']))}: {first['msg']})")
            case ValueError():
                return AgainError("malformed answer")
        return AgainError(self._quoted(str(error.__cause__ or error)) or type(error).__name__)

    def _refused(self, error: together.APIStatusError, call: Call) -> RagError | AgainError:
        status, body = error.status_code, error.body
        reason = body.get("error", body) if isinstance(body, dict) else body
        reason = reason.get("message", reason) if isinstance(reason, dict) else reason or "no reason given"
        reason = self._quoted(str(reason))
        if status in _AGAIN:
            return AgainError(f"status {status}: {reason}", _retry_after(error.response.headers))
        # 403 also means that prompt and max_tokens exceed the context (docs.together.ai/docs/error-codes).
        forbidden = status == HTTPStatus.FORBIDDEN and not re.search(r"max_tokens|context length", reason, re.I)
        if status == HTTPStatus.UNAUTHORIZED or forbidden:
            what = "the key" if self._key else "a request without a key"
            return CredentialsError(
                f"{self.url} refused {what} (status {status}). Set {self._key_setting}. Reason given: {reason}"
            )
        if status == HTTPStatus.PAYMENT_REQUIRED:
            return CredentialsError(
                f"The account of {self._key_setting} has no credit left. Top it up. Reason given: {reason}",
                code="credentials_credit",
            )
        if status == HTTPStatus.NOT_FOUND or _UNKNOWN_MODEL.search(reason):
            return ModelError(
                f"{self.url} does not serve {call.model} ({call.setting}). Choose another model, or correct "
                f"{self._url_setting}. Reason given: {reason}",
                code="model_unknown",
            )
        if _NO_TOOLS.search(reason):
            return ModelError(f"{call.model} ({call.setting}) takes no tools: {reason}", code="model_tools")
        return ModelError(f"{call.model} ({call.setting}) cannot serve this request (status {status}): {reason}")

    def _quoted(self, text: str) -> str:
        """Prepare foreign text for a message: one line, short, without the key."""
        return shorten(text.replace(self._key, "…") if self._key else text, 300, placeholder=" …")

    def _pause(self, state: tenacity.RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, AgainError) and fault.retry_after_s is not None:
            return fault.retry_after_s + self._jitter(state)
        return self._backoff(state)


def check_indices(indices: Sequence[int], count: int) -> None:
    """Raise AgainError unless the results of an answer fit the `count` texts one to one."""
    if sorted(indices) != list(range(count)):
        raise AgainError(f"{len(indices)} results whose indices do not fit {count} texts")


def _guess(texts: Iterable[str]) -> int:
    """Estimate tokens; an English token has about four characters."""
    return sum(len(text) // 4 + 1 for text in texts)


def _at_most(texts: Iterable[str]) -> int:
    """Return an upper estimate of tokens for a budget: twice that of English, and a chat template for each text."""
    return sum(len(text.encode(errors="replace")) // 2 + 32 for text in texts)


def _is_free(error: Exception) -> bool:
    """Whether a failed attempt is free: it was refused, or there was no connection. A lost answer may be billed."""
    return isinstance(error, together.APIStatusError) or isinstance(
        error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout)
    )


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds of a Retry-After header: a number or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("retry-after", "")
    try:
        seconds = (
            float(value) if re.fullmatch(r"[\d.]+", value) else parsedate_to_datetime(value).timestamp() - time.time()
        )
    except ValueError:
        return None
    return max(0.0, seconds)


def _worth_it(error: BaseException) -> bool:
    return isinstance(error, AgainError) and (error.retry_after_s or 0) <= _PATIENCE_S


def _warn(model: str, state: tenacity.RetryCallState) -> None:
    fault = str(state.outcome.exception() if state.outcome else "").partition(":")[0]  # the rest may quote the prompt
    _log.warning("%s: %s; trying again in %.1f s", model, fault, state.upcoming_sleep)
