"""A local server that speaks Together's HTTP API over a real socket, with faults on demand, for tests and demos.

In a test: `with TogetherServer() as server: … server.url, server.fault(kind="429"), server.calls()`.
As a process: `python -m tests.servers.together --port 0 --tokens-per-second 50`; it prints its URL.

`/v1/chat/completions`, `/v1/embeddings`, `/v1/rerank`, `/v1/models` need `Authorization: Bearer test-key`, or no key if
the server has an empty one. `base` is the path before them, if it is not `/v1`. Beside them
`POST /_faults` takes a list of `Fault`s as JSON, `GET /_calls` shows what was asked, and `DELETE` forgets either.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, field
from threading import Thread
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.servers import answers

__all__ = ["DEFAULT_KEY", "DEFAULT_MODELS", "DEFAULT_PRICES", "Call", "Fault", "TogetherServer"]

DEFAULT_KEY = "test-key"
# Name → the number of an embedding model's dimensions, or what else it is. Of the thinking ones, the first puts its
# thinking between tags, the second has no opening tag, the third has a field for it. The careless one answers rightly,
# and cites nothing or a wrong source; the lying one invents, and cites what is there.
DEFAULT_MODELS: dict[str, int | str] = {
    "BAAI/bge-large-en-v1.5": 1024,
    "BAAI/bge-base-en-v1.5": 768,
    "Salesforce/Llama-Rank-v1": "rerank",
    "meta-llama/Llama-3.2-3B-Instruct-Turbo": "chat",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo": "chat",
    "thinking-test": "chat",
    "thinking-headless": "chat",
    "thinking-field": "chat",
    "careless-test": "chat",
    "lying-test": "chat",
}
# USD per million tokens, in and out, as the list of models says them; of the thinking ones it says none.
DEFAULT_PRICES: dict[str, tuple[float, float]] = {
    "BAAI/bge-large-en-v1.5": (0.02, 0.0),
    "BAAI/bge-base-en-v1.5": (0.01, 0.0),
    "Salesforce/Llama-Rank-v1": (0.1, 0.0),
    "meta-llama/Llama-3.2-3B-Instruct-Turbo": (0.06, 0.06),
    "meta-llama/Llama-3.3-70B-Instruct-Turbo": (0.88, 0.88),
}
_THOUGHT = "Let me see.\nThe person asks, so I <must> answer.\n"
_JSON = "application/json"


@dataclass
class Fault:
    """Something to go wrong `times` times, after `after` requests that match went well, or with probability `rate`.

    Kinds: a status ("429", "500", …); "stall" (no answer until the caller leaves); "cut" (the connection closes half
    way); "unfinished" (a stream ends politely half way); "malformed" (JSON of another shape); "truncated_json";
    "refusal"; "empty"; "nan" (a vector of NaN); "missing" (one result less); "narrow" (vectors of 3 numbers);
    "usage_apart" (no fault: usage in a chunk without choices); "length" (the answer is cut off half way, at the tokens
    allowed); "uncited" (an answer that cites nothing). Where tools are offered: "tool_malformed" (asks for one
    with arguments that are not JSON), "tool_unknown" (for one that nobody offered), "tool_loop" (for one although all
    were called), "tool_without_name", "tool_without_id", "tool_same_id" (for two by one id).
    `path` is chat, embeddings, rerank or models, `match` a part of the request's body; empty means any.
    """

    kind: str
    path: str = ""
    times: int = 1
    after: int = 0
    match: str = ""
    retry_after: float | None = None
    rate: float | None = None
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def strikes(self, path: str, body: str) -> bool:
        """Whether this request goes wrong; counts it."""
        if self.path not in ("", path) or self.match not in body:
            return False
        if self.rate is not None:
            return self._random.random() < self.rate
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class Call:
    """One request as it came. `texts` counts messages, inputs or documents; `sha` and `text` are theirs, joined.

    Of a chat: `offered` are its tools, `round` is how often tools were called since the person spoke, from 0, and
    `asked_for` are the tools that it was answered with, and `said` is the text.
    """

    path: str
    model: str
    texts: int
    text: str
    sha: str
    tokens: int
    fault: str | None
    at: float
    offered: list[str] = field(default_factory=list)
    round: int = 0
    asked_for: list[str] = field(default_factory=list)
    said: str = ""
    authorization: str | None = None


class TogetherServer:
    """The server; in a `with`, it runs in a thread of its own."""

    def __init__(
        self,
        *,
        key: str = DEFAULT_KEY,
        port: int = 0,
        base: str = "/v1",
        models: dict[str, int | str] | None = None,
        prices: dict[str, tuple[float, float]] | None = None,
        tokens_per_second: float | None = None,
    ) -> None:
        self.key = key
        self.models = DEFAULT_MODELS if models is None else models
        self.prices = DEFAULT_PRICES if prices is None else prices
        self.billed_usd = 0.0  # for every answer that was begun, whether it arrived or not
        self.tokens_per_second = tokens_per_second
        self.app = Starlette(
            routes=[
                Route(f"{base}/chat/completions", self._chat, methods=["POST"]),
                Route(f"{base}/embeddings", self._embeddings, methods=["POST"]),
                Route(f"{base}/rerank", self._rerank, methods=["POST"]),
                Route(f"{base}/models", self._models),
                Route("/_faults", self._plan, methods=["POST", "DELETE"]),
                Route("/_calls", self._report, methods=["GET", "DELETE"]),
            ]
        )
        self._calls: list[Call] = []
        self._faults: list[Fault] = []
        self._in_flight = 0
        self.peak = 0  # the most requests that were answered at the same time
        # It listens from here on, so a caller is never too early.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._asgi, interface="asgi3", log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self.serve, daemon=True)

    async def _asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        self.peak = max(self.peak, self._in_flight)
        try:
            await self.app(scope, receive, send)
        finally:
            self._in_flight -= 1

    def serve(self) -> None:
        """Serve until stopped."""
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._socket.close()

    def fault(self, kind: str, **how: Any) -> None:
        """Plan a fault; see `Fault`."""
        self._faults.append(Fault(kind, **how))

    def calls(self, path: str = "") -> list[Call]:
        """Return the requests so far, of one path or of all."""
        return [call for call in self._calls if path in ("", call.path)]

    def forget(self) -> None:
        """Forget the requests and the faults."""
        self._calls.clear()
        self._faults.clear()
        self.billed_usd = 0.0

    async def _plan(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
            return Response(status_code=204)
        self._faults += [Fault(**fault) for fault in await request.json()]
        return Response(status_code=204)

    async def _report(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._calls.clear()
            return Response(status_code=204)
        paths = [call.path for call in self._calls]
        summary = {path: paths.count(path) for path in sorted(set(paths))}
        return JSONResponse({"total": len(paths), "by_path": summary, "calls": [asdict(c) for c in self._calls]})

    async def _models(self, request: Request) -> Response:
        call, refused = await self._admit(request, "models", "", [])
        listed = [
            {"id": name, "object": "model", "created": 0, "type": "embedding" if isinstance(what, int) else what}
            | self._pricing(name)
            for name, what in self.models.items()
        ]
        return refused or self._reply(self.list_of(listed), call.fault)

    def list_of(self, models: list[dict[str, Any]]) -> object:
        """The list of models, in the form of this provider."""
        return models

    def whole(self, model: str) -> str:
        """The name in `models` of what a request calls so."""
        return model

    def unknown(self, model: str) -> str:
        """How this provider says that it does not serve a model."""
        return f"Unable to access model {model}. Please visit the list of models."

    def _pricing(self, model: str) -> dict[str, Any]:
        if model not in self.prices:
            return {}
        into, out = self.prices[model]
        return {"pricing": {"hourly": 0, "input": into, "output": out, "base": 0, "finetune": 0}}

    def _bill(self, model: str, prompt: int, completion: int) -> dict[str, int]:
        into, out = self.prices.get(model, (0.0, 0.0))
        self.billed_usd += (prompt * into + completion * out) / 1e6
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    async def _embeddings(self, request: Request) -> Response:
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        call, refused = await self._admit(request, "embeddings", body["model"], texts)
        if refused:
            return refused
        kind = call.fault
        dimension = self.models[self.whole(body["model"])]
        if not isinstance(dimension, int):
            return _error(400, f"{body['model']} is not an embedding model", "invalid_model")
        width = 3 if kind == "narrow" else dimension
        data = [{"object": "embedding", "index": i, "embedding": answers.embed(t, width)} for i, t in enumerate(texts)]
        if kind == "nan":
            data[-1]["embedding"] = [float("nan")] * width
        # Backwards, because only the index says which text a vector belongs to.
        data = data[::-1][1 if kind == "missing" else 0 :]
        usage = self._bill(body["model"], answers.count_tokens(*texts), 0)
        return self._reply({"object": "list", "model": body["model"], "data": data, "usage": usage}, kind)

    async def _rerank(self, request: Request) -> Response:
        body = await request.json()
        texts = [d if isinstance(d, str) else " ".join(map(str, d.values())) for d in body["documents"]]
        call, refused = await self._admit(request, "rerank", body["model"], [body["query"], *texts])
        if refused:
            return refused
        kind = call.fault
        found = sorted(enumerate(answers.score(body["query"], texts)), key=lambda item: -item[1])
        shown = found[: body.get("top_n", len(found))][1 if kind == "missing" else 0 :]
        results = [
            {
                "index": i,
                "relevance_score": 8 * value - 4 if kind == "raw scores" else value,
                "document": {"text": texts[i]} if body.get("return_documents") else {},
            }
            for i, value in shown
        ]
        read = answers.count_tokens(*texts) + len(texts) * answers.count_tokens(body["query"])
        used = self._bill(body["model"], read, 0)
        return self._reply({"object": "rerank", "model": body["model"], "results": results, "usage": used}, kind)

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        said = [str(message.get("content") or "") for message in body["messages"]]
        call, refused = await self._admit(request, "chat", body["model"], said)
        if refused:
            return refused
        kind = call.fault
        call.offered = [tool["function"]["name"] for tool in body.get("tools") or ()]
        call.round = sum("tool_calls" in message for message in answers.rounds(body["messages"]))
        tools = _tool_calls(body, call, kind)
        call.asked_for = [tool["function"]["name"] for tool in tools]
        text = "" if tools else answers.answer(body["messages"])
        text = {"careless-test": answers.careless, "lying-test": answers.lying}.get(body["model"], str)(text)
        thought = _THOUGHT if body["model"].startswith("thinking-") else ""
        if thought and body["model"] != "thinking-field":
            opening = "" if body["model"] == "thinking-headless" else "<think>\n"
            text, thought = f"{opening}{thought}</think>\n\n{text}", ""
        refusal = "I cannot help with that." if kind == "refusal" else None
        if kind in ("refusal", "empty"):
            text, tools = "", []
        if kind == "uncited" and text:
            text = "It is as you say."
        pieces = answers.tokens(text)
        limit = len(pieces) // 2 if kind == "length" else body.get("max_tokens") or len(pieces)
        finish = "content_filter" if refusal else "length" if len(pieces) > limit else "tool_calls" if tools else "stop"
        pieces = pieces[:limit]
        call.said = "".join(pieces)
        written = len(pieces) + answers.count_tokens(thought, json.dumps(tools) if tools else "")
        usage = self._bill(body["model"], answers.count_tokens(*said), written)
        head = {"id": "chat-1", "created": 0, "model": body["model"]}
        if body.get("stream"):
            deltas: list[dict[str, Any]] = [{"reasoning": piece} for piece in answers.tokens(thought)]
            deltas += [{"content": piece} for piece in pieces]
            deltas += [{"tool_calls": [piece]} for tool in tools for piece in _fragments(tool)]
            events = _events(head, deltas, refusal, finish, usage, kind)
            return StreamingResponse(self._paced(events), media_type="text/event-stream")
        if self.tokens_per_second:
            await asyncio.sleep(len(pieces) / self.tokens_per_second)
        message: dict[str, Any] = {"role": "assistant"}
        message |= {"content": "".join(pieces), "refusal": refusal, "reasoning": thought or None}
        message |= {"tool_calls": tools} if tools else {}
        choice = {"index": 0, "finish_reason": finish, "message": message}
        return self._reply(
            head | {"object": "chat.completion", "choices": [choice], "prompt": [], "usage": usage}, kind
        )

    async def _admit(self, request: Request, path: str, model: str, texts: list[str]) -> tuple[Call, Response | None]:
        """Count the request; return it, with its fault, and the answer where that is an error."""
        raw = (await request.body()).decode()
        fault = next((fault for fault in self._faults if fault.strikes(path, raw)), None)
        kind = fault.kind if fault else None
        text = "\n\n".join(texts)
        sha = hashlib.sha256(text.encode()).hexdigest()
        used = answers.count_tokens(*texts)
        authorization = request.headers.get("authorization")
        call = Call(path, model, len(texts), text, sha, used, kind, time.monotonic(), authorization=authorization)
        self._calls.append(call)
        if kind == "stall":
            while (await request.receive())["type"] != "http.disconnect":
                pass
        given = (authorization or "").removeprefix("Bearer ")
        if self.key not in {"", given} or kind == "401":
            # Some providers repeat the key in the message; whoever shows it must take it out.
            return call, _error(401, f"Invalid API key provided: {given}.", "invalid_api_key")
        if fault and fault.kind.isdigit():
            headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
            return call, _error(int(fault.kind), f"Planned fault for {given}.", "planned", headers)
        if model and self.whole(model) not in self.models:
            return call, _error(404, self.unknown(model), "model_not_available")
        return call, None

    def _reply(self, body: object, kind: str | None) -> Response:
        text = json.dumps({"object": "surprise", "data": 7} if kind == "malformed" else body)
        if kind == "truncated_json":
            return Response(text[: len(text) // 2], media_type=_JSON)
        if kind == "cut":
            return StreamingResponse(_cut([text[: len(text) // 2]]), media_type=_JSON)
        return Response(text, media_type=_JSON)

    async def _paced(self, events: list[str | None]) -> AsyncIterator[str]:
        for event in events:
            if event is None:
                raise ConnectionError("planned cut")
            yield event
            await asyncio.sleep(1 / self.tokens_per_second if self.tokens_per_second else 0)


def _tool_calls(body: dict[str, Any], call: Call, kind: str | None) -> list[dict[str, Any]]:
    """Return the tools that the answer asks for, as the API writes them."""
    if not call.offered:
        return []
    wanted = answers.wanted(body["messages"], call.offered)
    if kind and kind.startswith("tool_") and not wanted:
        tool = body["tools"][0]["function"]
        required = tool["parameters"].get("required", [])
        wanted = [answers.Wanted(tool["name"], dict.fromkeys(required, answers.asked(body["messages"])[:40]))]
    if kind == "tool_unknown":
        wanted = [answers.Wanted("launch_rockets", {"at": "noon"})]
    if kind == "tool_same_id":
        wanted *= 2
    # The same request gets the same ids, and another round gets others.
    calls: list[dict[str, Any]] = [
        {
            "index": index,
            "id": f"call_{call.sha[:8]}_{call.round}_{index}",
            "type": "function",
            "function": {"name": tool.name, "arguments": json.dumps(tool.arguments)},
        }
        for index, tool in enumerate(wanted)
    ]
    for made in calls:
        match kind:
            case "tool_malformed":
                made["function"]["arguments"] = '{"city": "Os'
            case "tool_without_name":
                made["function"]["name"] = None
            case "tool_without_id":
                made["id"] = None
            case "tool_same_id":
                made["id"] = "call_twice"
    return calls


def _fragments(tool: dict[str, Any]) -> list[dict[str, Any]]:
    """Cut a tool call as streams do: the name first, then the arguments piece by piece."""
    function = tool["function"]
    begun = tool | {"function": {"name": function["name"], "arguments": ""}}
    rest = answers.tokens(function["arguments"])
    return [begun, *({"index": tool["index"], "function": {"arguments": piece}} for piece in rest)]


def _events(
    head: dict[str, Any],
    deltas: list[dict[str, Any]],
    refusal: str | None,
    finish: str,
    usage: Any,
    kind: str | None,
) -> list[str | None]:
    """Return a stream's events; None is where the connection breaks."""

    def event(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": {"role": "assistant"} | delta, "finish_reason": finish_reason}
        return f"data: {json.dumps(head | {'object': 'chat.completion.chunk', 'choices': [choice]} | more)}\n\n"

    events: list[str | None] = [event(delta) for delta in deltas]
    broken = {
        "cut": None,
        "malformed": 'data: {"choices": 7}\n\n',
        "truncated_json": 'data: {"choices": [\n\n',
        "unfinished": ": bye\n\n",
    }
    if kind in broken:
        return [*events[: len(events) // 2], broken[kind]]
    if kind == "usage_apart":
        bare = f"data: {json.dumps(head | {'choices': [], 'usage': usage})}\n\n"
        return [*events, event({}, finish), bare, "data: [DONE]\n\n"]
    return [*events, event({"refusal": refusal} if refusal else {}, finish, usage=usage), "data: [DONE]\n\n"]


async def _cut(pieces: Iterable[str]) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece
    raise ConnectionError("planned cut")


def _error(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Serve Together's HTTP API locally.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", default=DEFAULT_KEY)
    parser.add_argument("--tokens-per-second", type=float, default=None)
    options = parser.parse_args()
    server = TogetherServer(key=options.key, port=options.port, tokens_per_second=options.tokens_per_second)
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    server.serve()


if __name__ == "__main__":
    _main()
