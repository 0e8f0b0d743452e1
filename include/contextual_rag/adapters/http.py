"""A polite HTTP client, which fetches only the configured site.

Each request, and each hop of a redirect, passes these checks:

    parse → host allowed? → robots.txt allows? → a free slot and its turn → connect to a checked address → limits

The client uses httpcore's connection pool, because its network backend, which checks addresses, is a public parameter,
and because httpx would decompress a whole read of a gzip bomb before we could count it.
"""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple, Self
from urllib.parse import urljoin

import httpcore
import httpx
from protego import Protego
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from contextual_rag.adapters.addresses import CheckedBackend, Deadline
from contextual_rag.adapters.bodies import BusyError, read_body
from contextual_rag.adapters.trust import trusted
from contextual_rag.errors import PageError, PageUnavailableError, SettingError
from contextual_rag.ports import Response

__all__ = ["Site", "retry_after_seconds"]

_MAX_REDIRECTS, _MAX_URL = 5, 4000
_MAX_WAIT_S = 30.0
_MAX_CRAWL_DELAY_S = 10.0
_SLOTS = 2
_ROBOTS_MAX_BYTES = 512 * 1024  # RFC 9309 section 2.5 asks for at least 500 KiB
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CLIENT_ERRORS, _SERVER_ERRORS = range(400, 500), range(500, 1000)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({408, 425, 429})
_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/plain"})
_PAGES = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
# What servers write if they do not know; browsers look at the content then, see https://mimesniff.spec.whatwg.org.
_UNKNOWN_TYPES = frozenset({"", "unknown/unknown", "application/unknown", "*/*"})
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_HEADER_VALUE = re.compile(r"[!-~\x80-\xff]([ -~\x80-\xff]*[!-~\x80-\xff])?")


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def retry_after_seconds(value: str) -> float:
    """Return the wait of a Retry-After header (RFC 9110 section 10.2.3: seconds or a date), at most 30; 0 if bad."""
    if value.isdecimal():
        return min(float(value), _MAX_WAIT_S)
    try:
        when = parsedate_to_datetime(value)
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), _MAX_WAIT_S)


class Site:
    """Fetches pages of one site, at most two at a time. Raises only PageError and PageUnavailableError.

    The origin of `source_url` is allowed (also https for http, and with or without www.), and `extra_hosts`, each
    `host`, `host:port` or `scheme://host:port`. A private address is allowed only if an extra host resolves to it, or
    if `source_url` names it or `localhost` literally and the operator chose it (`private_source`).

    `deadline_s` limits one exchange, `timeout_s` each wait for the network, `max_bytes` the decompressed body, and
    `max_file_bytes` that of one of the `file_types`. Requests
    start at least `min_interval_s` apart, or robots.txt's Crawl-delay (up to 10 s) if that is longer. `backoff_s` is
    the first wait between `attempts`; it doubles, up to 30 s. A page of another type than
    `media_types` is refused. Raises SettingError if a parameter is not a valid URL, host or header value.
    """

    def __init__(  # noqa: PLR0913
        self,
        source_url: str,
        *,
        user_agent: str,
        timeout_s: float = 20,
        deadline_s: float = 60,
        max_bytes: int = 10_000_000,
        max_file_bytes: int = 50_000_000,
        min_interval_s: float = 0.1,
        attempts: int = 3,
        backoff_s: float = 0.5,
        extra_hosts: tuple[str, ...] = (),
        private_source: bool = True,
        media_types: Collection[str] = _PAGE_TYPES,
        file_types: Collection[str] = (),
    ) -> None:
        if not user_agent.isascii() or not _HEADER_VALUE.fullmatch(user_agent):
            raise SettingError(f"The user agent {user_agent!r} is not a valid header value. Use printable ASCII.")
        self._origins, configured = _origins(source_url, extra_hosts, private_source)
        self._user_agent = user_agent
        self._product = re.split(r"[/\s]", user_agent)[0]
        self._timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
        self._deadline_s, self._max_bytes, self._min_interval_s = deadline_s, max_bytes, min_interval_s
        self._attempts, self._media_types = attempts, media_types
        self._max_file_bytes, self._file_types = max_file_bytes, file_types
        self._backoff = wait_exponential_jitter(multiplier=backoff_s, max=_MAX_WAIT_S, jitter=backoff_s)
        self._slots = threading.BoundedSemaphore(_SLOTS)
        self._turn, self._next_start = threading.Lock(), 0.0
        self._robots_lock = threading.Lock()
        self._robots: dict[tuple[str, str, int], Protego | PageError | PageUnavailableError] = {}
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted(), network_backend=CheckedBackend(self._deadline, configured)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Fetch one page; the status is 304 if it still has this `etag` or `last_modified`.

        Raises PageError if the page is gone, too large, not text or not allowed. Raises PageUnavailableError if all
        attempts fail.
        """
        known = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        # An invalid header value did not come from a server; the request is correct without it.
        conditions = {name: value for name, value in known.items() if value and _HEADER_VALUE.fullmatch(value)}
        target, answer = self._follow(_parse(url), conditions, robots=True)
        headers = answer.headers
        if answer.status == HTTPStatus.NOT_MODIFIED and conditions:
            etag, last_modified = headers.get("etag") or etag, headers.get("last-modified") or last_modified
            return Response(answer.status, b"", None, etag, last_modified, str(target))
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise PageError(f"{target} is gone (HTTP {answer.status}). Correct the link or remove it", code="page_gone")
        if answer.status not in _PAGES:
            raise PageError(f"{target} answered HTTP {answer.status}, not a page. Open it in a browser to see why")
        declared = _CHARSET.search(headers.get("content-type", ""))
        return Response(
            HTTPStatus.OK,
            answer.body,
            declared[1] if declared else None,
            headers.get("etag"),
            headers.get("last-modified"),
            str(target),
            _media_type(headers),
        )

    def _follow(self, target: httpx.URL, headers: dict[str, str], *, robots: bool) -> tuple[httpx.URL, _Answer]:
        """Send a request and follow redirects; every hop is checked like the first."""
        via = ""
        for _ in range(_MAX_REDIRECTS + 1):
            if _origin(target) not in self._origins:
                raise PageError(
                    f"{target}{via} is not on the configured site, so it was not fetched. To allow it, add "
                    f"{target.netloc.decode()} to RAG_SOURCE_HOSTS",
                    code="page_foreign",
                )
            interval = self._allowed_interval(target) if robots else self._min_interval_s
            answer = self._send_patiently(target, headers, interval, page=robots)
            if answer.status not in _REDIRECTS:
                return target, answer
            via = f" (redirected from {target})"
            target = _join(target, answer.headers.get("location"))
        raise PageError(f"{target}{via}: more than {_MAX_REDIRECTS} redirects. Correct the link", code="page_redirects")

    def _allowed_interval(self, target: httpx.URL) -> float:
        """Return the seconds between requests if robots.txt allows this one. Raises PageError if it does not."""
        origin = _origin(target)
        with self._robots_lock:
            if origin not in self._robots:
                self._robots[origin] = self._fetch_robots(target.copy_with(raw_path=b"/robots.txt"))
            rules = self._robots[origin]
        if not isinstance(rules, Protego):
            # A new exception, because one instance raised in two threads would mix their tracebacks.
            raise type(rules)(
                f"{target} was not fetched, because its robots.txt could not be read: {rules}", code=rules.code
            )
        if not rules.can_fetch(str(target), self._product):
            raise PageError(
                f"{target} is disallowed for {self._product} by robots.txt. Remove the link or ask the site",
                code="page_disallowed",
            )
        return max(self._min_interval_s, min(rules.crawl_delay(self._product) or 0.0, _MAX_CRAWL_DELAY_S))

    def _fetch_robots(self, target: httpx.URL) -> Protego | PageError | PageUnavailableError:
        """Follow RFC 9309 section 2.3.1: 4xx allows everything, a site that does not answer allows nothing."""
        try:
            target, answer = self._follow(target, {}, robots=False)
        except (PageError, PageUnavailableError) as error:
            return error
        if answer.status != HTTPStatus.OK and answer.status not in _CLIENT_ERRORS:
            return PageError(f"{target} answered HTTP {answer.status}. Only the site can fix this", code="page_robots")
        return Protego.parse(answer.body.decode("utf-8-sig", "replace"))  # empty with 4xx: everything is allowed

    def _send_patiently(self, target: httpx.URL, headers: dict[str, str], interval: float, *, page: bool) -> _Answer:
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            retry=retry_if_exception_type(BusyError),
            wait=self._wait,
            reraise=True,
        )
        try:
            return retrying(self._send, target, headers, interval, page)
        except BusyError as busy:
            raise PageUnavailableError(
                f"{target} {busy}, in {self._attempts} attempts. Try again later",
                code=busy.code or ("page_unavailable" if page else "page_unavailable_robots"),
            ) from busy.__cause__

    def _wait(self, state: RetryCallState) -> float:
        busy = state.outcome.exception() if state.outcome else None
        asked = busy.retry_after if isinstance(busy, BusyError) else 0.0
        return max(self._backoff(state), asked)

    def _send(self, target: httpx.URL, headers: dict[str, str], interval: float, page: bool) -> _Answer:
        """Run one exchange. Raises BusyError for temporary faults, PageError for permanent ones."""
        own = {"Host": target.netloc.decode("ascii"), "User-Agent": self._user_agent, "Accept-Encoding": "gzip"}
        sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in (own | headers).items()]
        url = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        with self._slots:
            self._wait_for_turn(interval)
            self._deadline.at = time.monotonic() + self._deadline_s
            try:
                with self._pool.stream("GET", url, headers=sent, extensions={"timeout": self._timeouts}) as response:
                    return self._receive(target, response, page)
            except httpcore.TimeoutException as error:
                raise BusyError(
                    f"did not answer in time ({self._deadline_s:g} s for a whole page, RAG_PAGE_DEADLINE_S)",
                    code="page_unavailable_timeout",
                ) from error
            except httpcore.ConnectError as error:
                raise BusyError(f"could not be connected to ({error})", code="page_unavailable_connection") from error
            except httpcore.LocalProtocolError as error:
                raise PageError(f"{target} is not a valid HTTP address. Correct the link") from error
            except (httpcore.NetworkError, httpcore.ProtocolError, zlib.error, OSError) as error:
                # Do not show the error's message: h11 quotes what the server sent.
                raise BusyError(f"broke off or sent invalid HTTP ({type(error).__name__})") from error

    def _wait_for_turn(self, interval: float) -> None:
        with self._turn:
            now = time.monotonic()
            start = max(now, self._next_start)
            self._next_start = start + interval
        time.sleep(start - now)

    def _receive(self, target: httpx.URL, response: httpcore.Response, page: bool) -> _Answer:
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}
        status = response.status
        if status in _SERVER_ERRORS or status in _TRY_AGAIN:
            raise BusyError(f"answered HTTP {status}", retry_after_seconds(headers.get("retry-after", "")))
        kind = _media_type(headers)
        if status in _PAGES and page and kind and kind not in self._media_types:
            raise PageError(f"{target} is {kind[:100]!r}, not a text page. Remove the link")
        # Reading the empty body of a 304 makes its connection reusable; other bodies are not needed.
        limit = self._max_file_bytes if kind in self._file_types else self._max_bytes
        limit = limit if page else _ROBOTS_MAX_BYTES
        wanted = status in _PAGES or status == HTTPStatus.NOT_MODIFIED
        body = read_body(target, response, headers, limit) if wanted else b""
        return _Answer(status, headers, body)


def _media_type(headers: dict[str, str]) -> str | None:
    """Return what Content-Type declares, None if it says nothing. A header that came twice is one with a comma."""
    kind = re.split(r"[;,]", headers.get("content-type", ""))[0].strip().lower()
    return None if kind in _UNKNOWN_TYPES or "/" not in kind else kind


def _parse(url: str) -> httpx.URL:
    """Return a valid URL without its fragment. Raises PageError if it is invalid."""
    # Remove a password, so that it does not get into a log.
    shown = ascii(re.sub(r"//[^/]*@", "//", url)[:300])
    if len(url) > _MAX_URL:
        raise PageError(f"{shown}… is longer than {_MAX_URL} characters. Correct the link")
    try:
        parsed = httpx.URL(url).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError) as error:
        raise PageError(f"{shown} is not a URL. Correct the link") from error
    if parsed.scheme not in _DEFAULT_PORTS or not parsed.raw_host:
        raise PageError(f"{shown} was not fetched. Use http:// or https:// and a host")
    if parsed.userinfo:
        raise PageError(f"{shown} was not fetched, because it contains a user name or a password. Remove them")
    return parsed


def _join(base: httpx.URL, location: str | None) -> httpx.URL:
    if not location:
        raise PageError(f"{base} redirects without a target. Only the site can fix this")
    try:
        # The standard requires ASCII; in practice it is often UTF-8.
        return _parse(urljoin(str(base), location.encode("latin-1").decode("utf-8", "replace")))
    except (ValueError, PageError) as error:
        raise PageError(f"{base} redirects to an invalid address ({error}). Correct the link") from error


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme]


def _origins(
    source_url: str, extra_hosts: tuple[str, ...], private: bool
) -> tuple[frozenset[tuple[str, str, int]], frozenset[tuple[str, int]]]:
    """Return the allowed origins, and the hosts and ports among them that may have a private address."""
    try:
        source = _origin(_parse(source_url))
        extra = {
            _origin(_parse(entry if "://" in entry else f"{scheme}://{entry}"))
            for entry in extra_hosts
            for scheme in _DEFAULT_PORTS
        }
    except PageError as error:
        raise SettingError(f"Invalid RAG_SOURCE_URL or RAG_SOURCE_HOSTS: {error}") from error
    configured = {origin[1:] for origin in extra}
    scheme, host, port = source
    if host == "localhost" or ":" in host or re.fullmatch(r"[\d.]+", host):
        return frozenset({source} | extra), frozenset(configured | ({source[1:]} if private else set()))
    hosts = (host, host.removeprefix("www.") if host.startswith("www.") else f"www.{host}")
    ports = {(scheme, port)} | ({("https", 443)} if (scheme, port) == ("http", 80) else set())
    return frozenset({(s, h, p) for h in hosts for s, p in ports} | extra), frozenset(configured)
