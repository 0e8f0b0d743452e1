"""The object store's guard: programs with the keys are answered, web pages and everybody else are not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from contextual_rag.embedded.guard import Receive, Scope, Send
from contextual_rag.embedded.object_store import HEALTH, guarded
from tests.awaited import run

OURS = Credentials("access-key", "secret-key")
HOST = "127.0.0.1:4566"
BODY = b"an essay"
OURSELVES = [(b"host", HOST.encode())]
Headers = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """What came back, and the body that reached the store behind the guard, or None."""

    status: int
    headers: dict[bytes, bytes]
    stored: bytes | None


def ask(
    headers: Headers, method: str = "PUT", path: str = "/bucket/key", query: str = "", body: bytes = BODY
) -> Answer:
    """Send a request to a guarded store that answers everybody, and every Origin."""
    reached: list[bytes] = []
    sent: list[Scope] = []

    async def store(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        reached.append(message["body"])
        answers = [(b"Access-Control-Allow-Origin", b"*"), (b"ETag", b'"1"')]
        await send({"type": "http.response.start", "status": 200, "headers": answers})
        await send({"type": "http.response.body", "body": b""})

    half = len(body) // 2
    parts: list[Scope] = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]

    async def receive() -> Scope:
        return parts.pop(0)

    async def send(message: Scope) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "raw_path": path.encode()}
    scope |= {"query_string": query.encode(), "headers": headers}
    run(guarded(store, OURS.access_key, OURS.secret_key)(scope, receive, send))
    return Answer(sent[0]["status"], dict(sent[0]["headers"]), reached[0] if reached else None)


def signed(
    keys: Credentials = OURS,
    *,
    method: str = "PUT",
    path: str = "/bucket/key",
    body: bytes = BODY,
    host: str = HOST,
    service: str = "s3",
) -> Headers:
    """Return the headers that boto3 sends."""
    request = AWSRequest(method, f"http://{host}{path}", {"Host": host}, body)
    S3SigV4Auth(keys, service, "us-east-1").add_auth(request)
    return [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]


def addressed(seconds: int, keys: Credentials = OURS, path: str = "/bucket/key", age_s: int = 0) -> str:
    """Return the query of a DELETE that was signed some time ago, to be obeyed for so long."""

    class Signer(S3SigV4QueryAuth):
        def add_auth(self, request: AWSRequest) -> None:
            request.context["timestamp"] = (datetime.now(UTC) - timedelta(seconds=age_s)).strftime("%Y%m%dT%H%M%SZ")
            self._modify_request_before_signing(request)  # type: ignore[attr-defined]
            text = self.string_to_sign(request, self.canonical_request(request))
            self._inject_signature_to_request(request, self.signature(text, request))  # type: ignore[attr-defined]

    request = AWSRequest("DELETE", f"http://{HOST}{path}", {"Host": HOST})
    Signer(keys, "s3", "us-east-1", expires=seconds).add_auth(request)
    return str(request.url).partition("?")[2]


def changed(headers: Headers, name: str, value: bytes | None) -> Headers:
    """Return headers with one replaced, or left out."""
    others = [one for one in headers if one[0] != name.encode()]
    return [*others, (name.encode(), value)] if value is not None else others


def authorised(headers: Headers, old: bytes, new: bytes) -> Headers:
    """Return headers with something else in their Authorization."""
    before = dict(headers)[b"authorization"]
    assert old in before
    return changed(headers, "authorization", before.replace(old, new))


class TestOurPrograms:
    @pytest.mark.parametrize(
        "host", [HOST, "localhost:4566", "LOCALHOST:4566", "[::1]:4566", "127.0.0.1:80", "localhost"]
    )
    def test_are_answered_by_every_loopback_name(self, host: str) -> None:
        assert ask(signed(host=host)).stored == BODY

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/"), ("HEAD", "/bucket"), ("DELETE", "/bucket/key"), ("PUT", "/bucket/caf%C3%A9%20%25")],
    )
    def test_are_answered_whatever_they_ask(self, method: str, path: str) -> None:
        assert ask(signed(method=method, path=path), method=method, path=path).status == 200

    def test_are_answered_with_a_query(self) -> None:
        headers = signed(method="GET", path="/bucket?prefix=a%2Fb&list-type=2&delete")
        assert ask(headers, "GET", "/bucket", "prefix=a%2Fb&list-type=2&delete").status == 200

    def test_are_answered_without_leave_for_other_origins(self) -> None:
        assert set(ask(signed()).headers) == {b"ETag"}

    def test_that_wait_for_the_start_need_no_key(self) -> None:
        assert ask([(b"host", HOST.encode())], "GET", HEALTH).status == 200

    def test_that_a_person_starts_in_a_browser_need_the_keys_too(self) -> None:
        by_hand = [(b"sec-fetch-site", b"none")]
        assert ask([*signed(), *by_hand]).status == 200
        assert ask([(b"host", HOST.encode()), *by_hand], "GET", "/bucket/key").status == 403


class TestADeleteThatIsObeyedForAWhile:
    def test_is_obeyed_in_time_and_never_later(self) -> None:
        assert ask(OURSELVES, "DELETE", query=addressed(10, age_s=5)).status == 200
        assert ask(OURSELVES, "DELETE", query=addressed(10, age_s=12))[::2] == (403, None)

    @pytest.mark.parametrize(
        "query",
        [
            addressed(10, Credentials(OURS.access_key, "test")),
            addressed(10, Credentials("test", OURS.secret_key)),
            addressed(10, path="/bucket/other"),
            addressed(10, age_s=12).replace("Expires=10", "Expires=99"),
            addressed(10).replace("Expires=10", "Expires=11"),
            addressed(10).replace("SignedHeaders=host", "SignedHeaders=x-absent"),
            addressed(10) + "&delete",
            "versionId=1&" + addressed(10),
            addressed(10).partition("&X-Amz-Signature")[0] + "&X-Amz-Signature=",
            "X-Amz-Signature=" + "0" * 64,
        ],
    )
    def test_is_refused_with_another_signature_or_for_something_else(self, query: str) -> None:
        assert ask(OURSELVES, "DELETE", query=query)[::2] == (403, None)

    @pytest.mark.parametrize("header", [b"x-amz-mfa", b"x-amz-bypass-governance-retention", b"authorization"])
    def test_is_refused_with_a_header_that_is_not_signed(self, header: bytes) -> None:
        assert ask([*OURSELVES, (header, b"1")], "DELETE", query=addressed(10)).status == 403

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "delete"])
    def test_is_no_leave_for_anything_else(self, method: str) -> None:
        assert ask(OURSELVES, method, query=addressed(10)).status == 403

    def test_is_refused_from_a_web_page(self) -> None:
        marked = [*OURSELVES, (b"origin", b"http://evil.example")]
        assert ask(marked, "DELETE", query=addressed(10)).status == 403


class TestWebPages:
    """Even with the keys."""

    @pytest.mark.parametrize(
        "marks",
        [
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": ""},
            {"origin": f"http://{HOST}"},
            {"origin": "https://localhost"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "same-origin"},
            {"sec-fetch-site": "NONE, none"},
            {"sec-fetch-site": ""},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
            {"sec-fetch-site": "cross-site", "Sec-Fetch-Site": "none"},
        ],
    )
    @pytest.mark.parametrize("path", ["/bucket/key", HEALTH])
    def test_are_refused(self, marks: dict[str, str], path: str) -> None:
        headers = signed(method="GET", path=path)
        assert ask(headers, "GET", path).status == 200
        refused = ask(
            [*headers, *((name.lower().encode(), value.encode()) for name, value in marks.items())], "GET", path
        )
        assert (refused.status, refused.stored) == (403, None)
        assert not any(name.lower().startswith(b"access-control-") for name in refused.headers)

    @pytest.mark.parametrize("method", ["OPTIONS", "PUT", "POST", "DELETE", "PATCH", "HEAD"])
    def test_are_refused_by_every_method(self, method: str) -> None:
        headers = [*signed(method=method), (b"origin", b"http://evil.example")]
        refused = ask([*headers, (b"access-control-request-method", b"PUT")], method)
        assert (refused.status, refused.stored) == (403, None)

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example:4566",
            "evil.example",
            "127.0.0.1.evil.example:4566",
            "localhost.:4566",
            "bucket.localhost:4566",
            "127.0.0.1:4566.evil.example",
            "evil@127.0.0.1:4566",
            "0.0.0.0:4566",
            "127.0.0.1:",
            "127.0.0.1:4566/",
            "127.0.0.2:4566",
            "127.1:4566",
            "::1",
            "127.0.0.1:4566,evil.example",
            "",
        ],
    )
    def test_by_another_name_are_refused(self, host: str) -> None:
        assert ask(changed(signed(), "host", host.encode())).stored is None
        assert ask(signed(host=host or "x")).stored is None

    @pytest.mark.parametrize("hosts", [[], [HOST, HOST], [HOST, "evil.example"], ["evil.example", HOST]])
    def test_by_no_name_or_two_are_refused(self, hosts: list[str]) -> None:
        headers = changed(signed(), "host", None)
        assert ask([*headers, *((b"host", host.encode()) for host in hosts)]).stored is None

    def test_get_no_websocket(self) -> None:
        sent: list[Scope] = []

        async def send(message: Scope) -> None:
            sent.append(message)

        async def never(*_: Any) -> Any:
            raise AssertionError

        scope: Scope = {"type": "websocket", "headers": [(b"host", HOST.encode())]}
        run(guarded(never, "a", "b")(scope, never, send))
        assert [message["type"] for message in sent] == ["websocket.close"]


class TestEverybodyElse:
    @pytest.mark.parametrize(
        "path",
        [
            *("/", "/bucket", "/bucket/key", "*", "/health", "/_localstack/health", f"{HEALTH}/", f"{HEALTH}/x"),
            *("/_ministack/reset", "/_ministack/config", "/_ministack/ready", "/_ministack/rds/iam-auth"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
    def test_is_refused_without_a_signature(self, method: str, path: str) -> None:
        assert ask([(b"host", HOST.encode())], method, path)[::2] == (403, None)

    def test_may_ask_for_health_and_change_nothing_there(self) -> None:
        assert ask([(b"host", HOST.encode())], "POST", HEALTH).status == 403

    @pytest.mark.parametrize(
        "headers",
        [
            signed(Credentials("test", "test")),
            signed(Credentials("000000000000", "test")),
            signed(Credentials(OURS.access_key, "test")),
            signed(Credentials("another", OURS.secret_key)),
            signed(method="GET"),
            signed(path="/bucket/other"),
            signed(path="/bucket/key?delete"),
            signed(body=b"another body"),
            signed(service="sts"),
            changed(signed(), "x-amz-date", None),
            changed(signed(), "x-amz-date", b"20200101T000000Z"),
            changed(signed(), "x-amz-content-sha256", None),
            changed(signed(), "x-amz-content-sha256", b"UNSIGNED-PAYLOAD"),
            changed(signed(), "x-amz-content-sha256", sha256(b"another").hexdigest().encode()),
            changed(signed(), "authorization", None),
            changed(signed(), "authorization", b""),
            changed(signed(), "authorization", b"AWS access-key:c2lnbmF0dXJl"),
            changed(signed(), "authorization", b"Bearer access-key"),
            changed(signed(), "authorization", b"\xff\xfe"),
            authorised(signed(), b"host;", b""),
            authorised(signed(), b"x-amz-date", b"x-amz-date;x-absent"),
            authorised(signed(), b"access-key", b"acc\xe9ss-key"),
            authorised(signed(), b"Signature=", b"Signature=0"),
            authorised(signed(), b"AWS4-HMAC-SHA256", b"AWS4-ECDSA-P256-SHA256"),
            [*signed(), (b"x-amz-date", b"20200101T000000Z")],
            [*signed(), (b"authorization", b"x")],
            [*signed(), (b"x-amz-copy-source", b"/bucket/other")],
        ],
    )
    def test_is_refused_with_a_signature_that_is_not_ours_or_for_something_else(self, headers: Headers) -> None:
        refused = ask(headers)
        assert (refused.status in {400, 403}, refused.stored) == (True, None)

    def test_is_refused_with_a_signature_in_the_address(self) -> None:
        query = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=access-key%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
        )
        assert ask([(b"host", HOST.encode())], "GET", "/bucket/key", query).stored is None

    def test_is_refused_where_a_body_is_not_the_signed_one(self) -> None:
        assert ask(signed(), body=b"")[::2] == (400, None)
        assert ask(signed(), body=BODY + b"!")[::2] == (400, None)

    def test_is_refused_where_no_keys_are_set(self) -> None:
        with pytest.raises(ValueError, match="AWS_ACCESS_KEY_ID"):
            guarded(lambda *_: asyncio.sleep(0), "", "")
