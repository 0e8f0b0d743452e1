"""The sample site: it changes by editions, answers conditionally, and serves only its folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from contextual_rag.adapters.http import Site
from contextual_rag.embedded.site import create_app, main
from contextual_rag.errors import PageError, PageUnavailableError, SettingError
from tests.raising import raising

Serve = Callable[..., httpx.Client]
PLAIN = b"<title>caf\xe9</title>"


@contextmanager
def served(root: Path, edition: int = 1) -> Iterator[httpx.Client]:
    """Return a client of the site, which runs in a thread; its socket listens before the thread starts."""
    server = uvicorn.Server(uvicorn.Config(create_app(root, edition), log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as running:
        yield lambda root, edition=1: running.enter_context(served(root, edition))


@pytest.fixture
def dated(tmp_path: Path) -> Path:
    """Three days: b changes and c is new; then a is gone and c broken; then a is back and b broken."""
    pages = {
        "day1": {"index.html": "list", "a.html": "a1", "b.html": "b1", "notes/index.html": "notes"},
        "day2": {"b.html": "b2", "c.html": "c2"},
        "day4": {"a.html": "a4"},
    }
    for day, files in pages.items():
        for name, text in files.items():
            file = tmp_path / "site" / day / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            os.utime(file, (1_700_000_000, 1_700_000_000))
    (tmp_path / "site" / "editions.toml").write_text(
        '[day3]\ngone = ["a.html"]\nbroken = ["c.html"]\n[day4]\nbroken = ["b.html"]\n'
    )
    return tmp_path / "site"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    root = tmp_path / "plain"
    (root / "sub").mkdir(parents=True)
    (root / ".hidden").write_text("secret")
    (root / "sub" / "page.html").write_bytes(PLAIN)
    (root / "note.txt").write_text("note")
    (tmp_path / "outside.html").write_text("secret")
    (root / "link.html").symlink_to(tmp_path / "outside.html")
    return root


class TestEditions:
    @pytest.mark.parametrize(
        ("edition", "a", "b", "c"),
        [
            (1, "a1", "b1", 404),
            (2, "a1", "b2", "c2"),
            (3, 404, "b2", 500),
            (4, "a4", 500, "c2"),
        ],
    )
    def test_lay_each_day_over_those_before(
        self, serve: Serve, dated: Path, edition: int, a: str | int, b: str | int, c: str | int
    ) -> None:
        client = serve(dated, edition)
        answers = [client.get(f"/{name}.html") for name in "abc"]
        assert [answer.text if answer.is_success else answer.status_code for answer in answers] == [a, b, c]

    def test_change_while_the_site_runs(self, serve: Serve, dated: Path) -> None:
        client = serve(dated)
        assert client.get("/_edition").json() == {"edition": 1, "editions": 4}
        assert client.put("/_edition", json={"edition": 2}).json() == {"edition": 2, "editions": 4}
        assert client.get("/b.html").text == "b2"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b'{"edition": 5}', 404),
            (b'{"edition": 0}', 404),
            (b'{"edition": "2"}', 400),
            (b'{"edition": true}', 400),
            (b"[]", 400),
            (b"{}", 400),
            (b"\xff", 400),
            (b"", 400),
        ],
    )
    def test_that_do_not_exist_are_refused_and_change_nothing(
        self, serve: Serve, dated: Path, body: bytes, code: int
    ) -> None:
        client = serve(dated, 2)
        answer = client.put("/_edition", content=body)
        assert answer.status_code == code
        assert answer.json()["error"]
        assert client.get("/_edition").json()["edition"] == 2

    def test_follow_each_other_for_a_client_that_asks_conditionally(self, serve: Serve, dated: Path) -> None:
        client = serve(dated)
        url = str(client.base_url.join("/b.html"))
        with Site(url, user_agent="essay-tests/1.0", min_interval_s=0, backoff_s=0, attempts=1) as site:
            first = site.get(url)
            for validators in ({"etag": first.etag}, {"last_modified": first.last_modified}):
                client.put("/_edition", json={"edition": 1})
                assert site.get(url, **validators).status == 304
                client.put("/_edition", json={"edition": 2})
                assert site.get(url, **validators).body == b"b2"
            client.put("/_edition", json={"edition": 3})
            with raising(PageError, "page_gone"):
                site.get(str(client.base_url.join("/a.html")))
            with raising(PageUnavailableError, "page_unavailable"):
                site.get(str(client.base_url.join("/c.html")))


class TestAPage:
    def test_declares_no_charset_as_the_pages_declare_none(self, serve: Serve, plain: Path) -> None:
        answer = serve(plain).get("/sub/page.html")
        assert answer.content == PLAIN
        assert answer.headers["content-type"] == "text/html"

    @pytest.mark.parametrize(("path", "text"), [("/", "list"), ("/index.html", "list"), ("/notes/", "notes")])
    def test_is_found_behind_its_folder(self, serve: Serve, dated: Path, path: str, text: str) -> None:
        assert serve(dated).get(path).text == text

    def test_has_the_same_head_without_a_body(self, serve: Serve, plain: Path) -> None:
        client = serve(plain)
        got, head = client.get("/sub/page.html"), client.head("/sub/page.html")
        assert head.content == b""
        assert [head.headers[name] for name in ("etag", "last-modified", "content-length")] == [
            got.headers[name] for name in ("etag", "last-modified", "content-length")
        ]

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
    def test_is_not_sent_again_to_a_client_that_has_it(self, serve: Serve, plain: Path, form: str) -> None:
        client = serve(plain)
        etag = client.get("/sub/page.html").headers["etag"]
        answer = client.get("/sub/page.html", headers={"If-None-Match": form.format(etag)})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)

    def test_is_sent_when_its_etag_differs_whatever_the_date(self, serve: Serve, plain: Path) -> None:
        client = serve(plain)
        modified = client.get("/sub/page.html").headers["last-modified"]
        headers = {"If-None-Match": '"other"', "If-Modified-Since": modified}
        assert client.get("/sub/page.html", headers=headers).status_code == 200

    def test_edited_on_disk_is_seen_at_once(self, serve: Serve, plain: Path) -> None:
        client = serve(plain)
        client.get("/note.txt")
        (plain / "note.txt").write_text("edited")
        assert client.get("/note.txt").text == "edited"


class TestAPlainFolder:
    def test_is_the_only_edition(self, serve: Serve, plain: Path) -> None:
        client = serve(plain)
        assert client.get("/_edition").json() == {"edition": 1, "editions": 1}
        assert client.put("/_edition", json={"edition": 2}).status_code == 404

    @pytest.mark.parametrize(
        "path",
        [
            "/../outside.html",
            "/%2e%2e/outside.html",
            "/sub/%2e%2e/%2e%2e/outside.html",
            "/sub/..%2f..%2foutside.html",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/link.html",
            "/.hidden",
            "/sub/../.hidden",
            "/a%00b",
            "/" + "long" * 1000,
            "/sub",
        ],
    )
    def test_shows_nothing_outside_and_nothing_hidden(self, serve: Serve, plain: Path, path: str) -> None:
        client = serve(plain)
        # A raw request, because httpx would normalise the path.
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=5) as connection:
            host = client.base_url.netloc.decode()
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 404")
        assert b"secret" not in answer


class TestWebPages:
    @pytest.mark.parametrize(
        "marks",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
            {"Host": "evil.example"},
        ],
    )
    def test_change_no_edition(self, serve: Serve, dated: Path, marks: dict[str, str]) -> None:
        client = serve(dated)
        for method in ("PUT", "POST", "OPTIONS", "DELETE"):
            assert client.request(method, "/_edition", json={"edition": 2}, headers=marks).status_code == 403
        assert client.get("/_edition").json()["edition"] == 1

    @pytest.mark.parametrize(
        "marks",
        [
            {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
            {"Host": "evil.example"},
        ],
    )
    def test_read_nothing(self, serve: Serve, plain: Path, marks: dict[str, str]) -> None:
        assert serve(plain).get("/note.txt", headers=marks).status_code == 403

    @pytest.mark.parametrize(
        "marks",
        [
            {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"},
        ],
    )
    def test_may_link_to_it(self, serve: Serve, plain: Path, marks: dict[str, str]) -> None:
        assert serve(plain).get("/note.txt", headers=marks).text == "note"


class TestRobots:
    def test_are_allowed_everything(self, serve: Serve, dated: Path) -> None:
        answer = serve(dated).get("/robots.txt")
        assert (answer.status_code, answer.text) == (200, "User-agent: *\nAllow: /\n")

    def test_can_be_restricted_by_a_file_of_the_site(self, serve: Serve, plain: Path) -> None:
        (plain / "robots.txt").write_text("User-agent: *\nDisallow: /sub/\n")
        assert "Disallow" in serve(plain).get("/robots.txt").text


class TestStarting:
    def test_serves_on_the_loopback_address_until_interrupted(self, plain: Path) -> None:
        command = [sys.executable, "-m", "contextual_rag.embedded.site", "--root", str(plain), "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            try:
                running = next(line for line in process.stderr if "running on" in line)
                url = next(word for word in running.split() if word.startswith("http://"))
                assert url.startswith("http://127.0.0.1:")
                assert httpx.get(f"{url}/note.txt", trust_env=False).text == "note"
            finally:
                process.send_signal(signal.SIGINT)
            process.stderr.read()
            assert process.wait(timeout=10) in {0, -signal.SIGINT, 128 + signal.SIGINT}

    @pytest.mark.parametrize(
        ("toml", "edition", "named"),
        [
            ("", 4, "edition 4"),
            ("", 0, "edition 0"),
            ("[day1", 1, "editions.toml"),
            ("day1 = 3", 1, "editions.toml"),
            ("[day1]\ngone = 3", 1, "editions.toml"),
        ],
    )
    def test_with_wrong_settings_names_the_problem(self, tmp_path: Path, toml: str, edition: int, named: str) -> None:
        (tmp_path / "day1").mkdir()
        (tmp_path / "day2").mkdir()
        (tmp_path / "editions.toml").write_text(toml)
        with raising(SettingError, "setting", named):
            create_app(tmp_path, edition)

    def test_without_a_folder_ends_with_a_message(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["--root", str(tmp_path / "nowhere")])
        assert "is not a folder" in capsys.readouterr().err
