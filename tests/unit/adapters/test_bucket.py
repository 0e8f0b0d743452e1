"""What the bucket sends to S3, by which key, and what it makes of the answers that S3 documents."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contextual_rag.adapters.object_store import Bucket
from contextual_rag.errors import (
    ConflictError,
    CredentialsError,
    RagError,
    ServiceUnavailableError,
    SettingError,
)
from tests.raising import raising


class Request(NamedTuple):
    """What the store was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """The key that it was signed with."""
        found = re.search(r"Credential=([^/]+)/\d+/([^/]+)/", self.headers.get("authorization", ""))
        return found[1] if found else ""

    @property
    def region(self) -> str:
        """The region that it was signed for."""
        found = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers.get("authorization", ""))
        return found[1] if found else ""


class Answer(NamedTuple):
    """What the store answers."""

    status: int = 200
    body: str = ""


class Store:
    """An S3 that gives planned answers, and then says yes."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.planned: list[Answer] = []
        self.others: dict[str, Answer] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                store.asked.append(Request(self.command, self.path, headers, body))
                other = store.others.get(self.path)
                given = other or (store.planned.pop(0) if store.planned else Answer())
                self.send_response(given.status)
                self.send_header("ETag", '"1"')
                self.send_header("Content-Length", str(len(given.body.encode())))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(given.body.encode())

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def bucket(self, name: str = "mine", **named: Any) -> Bucket:
        """A bucket of this store."""
        return Bucket(name, endpoint=self.url, timeout_s=10, **{"attempts": 3, **named})


@pytest.fixture
def store() -> Iterator[Store]:
    """A store, until the test ends."""
    store = Store()
    thread = threading.Thread(target=store.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield store
    store.server.shutdown()
    store.server.server_close()
    thread.join()


@pytest.fixture
def keyed(store: Store) -> Bucket:
    """A bucket whose key is set."""
    return store.bucket(access_key="AKIASET", secret_key="secret")


def refused(code: str, status: int) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>Planned.</Message></Error>")


def left(*codes: str) -> Answer:
    errors = "".join(f"<Error><Key>a{n}</Key><Code>{code}</Code></Error>" for n, code in enumerate(codes))
    return Answer(200, f'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{errors}</DeleteResult>')


class TestDelete:
    @pytest.mark.parametrize(
        ("code", "kind", "name"),
        [
            ("AccessDenied", CredentialsError, "credentials"),
            ("InternalError", ServiceUnavailableError, "service_unavailable"),
            ("SlowDown", ServiceUnavailableError, "service_unavailable"),
            ("ObjectLocked", SettingError, "setting"),
        ],
    )
    def test_of_what_stays_is_an_error_although_the_answer_is_a_success(
        self, store: Store, keyed: Bucket, code: str, kind: type[RagError], name: str
    ) -> None:
        store.planned = [left(code)]
        with raising(kind, name, "a0", code, "mine"):
            keyed.delete(["a0", "a1"])

    def test_names_how_many_stay(self, store: Store, keyed: Bucket) -> None:
        store.planned = [left("AccessDenied", "AccessDenied")]
        with raising(CredentialsError, "credentials", "a0", "1 more", "3 objects"):
            keyed.delete(["a0", "a1", "a2"])

    @pytest.mark.parametrize("answer", [left(), left("NoSuchKey")], ids=["all went", "one was gone before"])
    def test_of_what_goes_never_is_one(self, store: Store, keyed: Bucket, answer: Answer) -> None:
        store.planned = [answer]
        keyed.delete(["a0", "a1"])
        assert len(store.asked) == 1

    def test_is_not_sent_if_it_must_not_be_any_more_once_it_is_signed(self, store: Store, keyed: Bucket) -> None:
        """A process may stand still between its look at the lease and the signature, which is then a new one."""
        looks = iter([2])

        def check() -> int:
            for seconds in looks:
                return seconds
            raise ConflictError("Pruning was interrupted.")

        with raising(ConflictError, "conflict", "interrupted"):
            keyed.delete(["a"], check=check)
        assert store.asked == []

    def test_is_sent_once_and_ends_soon_if_it_still_may_be(self, store: Store, keyed: Bucket) -> None:
        keyed.delete(["a"], check=lambda: 2)
        assert [one.method for one in store.asked] == ["DELETE"]
        assert "X-Amz-Expires=2" in store.asked[0].path


class TestConditionalWrites:
    def test_that_find_an_object_say_so(self, store: Store, keyed: Bucket) -> None:
        store.planned = [refused("PreconditionFailed", 412)]
        assert keyed.put_new("a", b"x") is False
        assert len(store.asked) == 1

    def test_that_are_not_decided_are_made_again(self, store: Store, keyed: Bucket) -> None:
        undecided = refused("ConditionalRequestConflict", 409)
        store.planned = [undecided, undecided]
        assert keyed.put_new("a", b"x") is True
        store.planned = [undecided, refused("PreconditionFailed", 412)]
        assert keyed.put_new("a", b"x") is False
        store.planned = [undecided]
        assert keyed.swap("a", b"x", expected='"0"') == '"1"'
        assert [request.headers.get("if-match") for request in store.asked[-2:]] == ['"0"'] * 2

    def test_that_are_never_decided_never_count_as_lost(self, store: Store, keyed: Bucket) -> None:
        for write in (lambda: keyed.put_new("a", b"x"), lambda: keyed.swap("a", b"x", expected='"0"')):
            store.planned = [refused("ConditionalRequestConflict", 409)] * 3
            with raising(ServiceUnavailableError, "service_unavailable", "ConditionalRequestConflict", "mine"):
                write()
            assert store.planned == []

    def test_that_come_too_late_are_lost(self, store: Store, keyed: Bucket) -> None:
        store.planned = [refused("PreconditionFailed", 412)]
        with raising(ConflictError, "conflict", "a"):
            keyed.swap("a", b"x", expected='"0"')


def profile(folder: Path, text: str) -> str:
    file = folder / "aws"
    file.write_text(text)
    return str(file)


class TestTheKey:
    """Of a bucket without one of its own: whatever AWS's tools find, in their order."""

    @pytest.fixture(autouse=True)
    def nothing_else(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def test_of_the_settings_comes_with_its_token(self, store: Store) -> None:
        store.bucket(access_key="AKIASET", secret_key="secret", session_token="of a role").put("a", b"x")
        assert (store.asked[0].key, store.asked[0].headers["x-amz-security-token"]) == ("AKIASET", "of a role")

    def test_of_the_environment(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
        store.bucket().put("a", b"x")
        assert (store.asked[0].key, store.asked[0].headers["x-amz-security-token"]) == ("AKIAENVIRONMENT", "session")

    def test_of_a_profile_with_its_region(self, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        text = "[profile work]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret\nregion = eu-west-3\n"
        monkeypatch.setenv("AWS_CONFIG_FILE", profile(tmp_path, text))
        store.bucket(profile="work").put("a", b"x")
        assert (store.asked[0].key, store.asked[0].region) == ("AKIAPROFILE", "eu-west-3")
        store.bucket(profile="work", region="eu-north-1").put("a", b"x")
        assert store.asked[1].region == "eu-north-1"

    def test_of_a_container(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        given = {
            "AccessKeyId": "AKIACONTAINER",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        store.others["/role"] = Answer(200, json.dumps(given))
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{store.url}/role")
        store.bucket().put("a", b"x")
        assert (store.asked[-1].key, store.asked[-1].headers["x-amz-security-token"]) == ("AKIACONTAINER", "t")

    def test_of_a_role_that_a_web_identity_takes(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", profile(tmp_path, "identity"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{store.url}/sts")
        store.others["/sts"] = Answer(
            200,
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIAROLE</AccessKeyId><SecretAccessKey>s"
            "</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        )
        store.bucket().put("a", b"x")
        assert (store.asked[-1].key, store.asked[-1].headers["x-amz-security-token"]) == ("AKIAROLE", "t")

    def test_of_a_store_on_this_machine_is_test_if_there_is_no_other(self, store: Store) -> None:
        store.bucket().put("a", b"x")
        assert store.asked[0].key == "test"

    def test_of_aws_never_is(self) -> None:
        with raising(CredentialsError, "credentials", "AWS", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            Bucket("mine", endpoint=None).put("a", b"x")

    def test_of_a_profile_that_does_not_exist_is_named(self) -> None:
        with raising(CredentialsError, "credentials", "nowhere"):
            Bucket("mine", endpoint=None, profile="nowhere")


class TestTheBucket:
    @pytest.mark.parametrize(("region", "place"), [("us-east-1", ""), ("eu-west-3", "eu-west-3")])
    def test_is_created_in_its_region(self, store: Store, region: str, place: str) -> None:
        store.planned = [Answer(404)]
        store.bucket(access_key="a", secret_key="b", region=region).ensure()
        found = re.search(rb"<LocationConstraint>(.*)</LocationConstraint>", store.asked[1].body)
        assert [request.method for request in store.asked] == ["HEAD", "PUT"]
        assert (found[1].decode() if found else "") == place

    @pytest.mark.parametrize("code", ["BucketAlreadyOwnedByYou", "OperationAborted"])
    def test_that_another_process_creates_is_no_fault(self, store: Store, keyed: Bucket, code: str) -> None:
        store.planned = [Answer(404), refused(code, 409)]
        keyed.ensure()

    def test_of_somebody_else_is_one(self, store: Store, keyed: Bucket) -> None:
        store.planned = [Answer(404), refused("BucketAlreadyExists", 409)]
        with raising(SettingError, "setting", "BucketAlreadyExists", "mine"):
            keyed.ensure()

    @pytest.mark.parametrize(
        ("endpoint", "addressing", "host"),
        [
            (None, None, "mine.s3.amazonaws.com"),
            (None, "path", "s3.eu-west-3.amazonaws.com"),
            ("https://store.example", None, "store.example"),
            ("https://store.example", "virtual", "mine.store.example"),
        ],
    )
    def test_is_named_in_the_path_or_in_the_host(self, endpoint: str | None, addressing: Any, host: str) -> None:
        bucket = Bucket(
            "mine", endpoint=endpoint, access_key="a", secret_key="b", region="eu-west-3", addressing=addressing
        )
        url = bucket._s3.generate_presigned_url("get_object", Params={"Bucket": "mine", "Key": "a"})
        assert url.split("/")[2] == host

    def test_with_a_prefix_keeps_to_it(self, store: Store) -> None:
        bucket = store.bucket("mine/team/essays", access_key="a", secret_key="b")
        bucket.put("a", b"x")
        bucket.put_new("b", b"x")
        bucket.exists("c")
        bucket.delete(["d"])
        store.planned = [
            Answer(
                200,
                "<ListBucketResult><Contents><Key>team/essays/e/f</Key><Size>1</Size>"
                "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>",
            )
        ]
        assert list(bucket.list("e/")) == ["e/f"]
        *objects, deleted, listed = store.asked
        assert [request.path.partition("?")[0] for request in objects] == [f"/mine/team/essays/{key}" for key in "abc"]
        assert b"<Key>team/essays/d</Key>" in deleted.body
        assert "prefix=team%2Fessays%2Fe%2F" in listed.path


def test_no_error_of_a_key_shows_it(store: Store) -> None:
    def fails(work: Callable[[], object]) -> str:
        with pytest.raises(RagError) as caught:
            work()
        return str(caught.value)

    bucket = store.bucket(access_key="AKIASET", secret_key="very-secret", session_token="very-token")
    store.planned = [refused("ExpiredToken", 400)]
    said = fails(lambda: bucket.put("a", b"x"))
    assert "ExpiredToken" in said
    assert not [secret for secret in ("AKIASET", "very-secret", "very-token") if secret in said]
