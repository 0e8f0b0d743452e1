"""With an OpenID Connect provider, a reader must log in, and then sees only their own conversations."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from contextual_rag.embedded.loopback import answers, free_port
from contextual_rag.settings import Settings
from tests.conversing import Process, until
from tests.servers.oidc import CLIENT_ID, CLIENT_SECRET, OidcServer

PATIENCE_MS = 30_000


@pytest.fixture
def provider() -> Iterator[OidcServer]:
    """A provider."""
    with OidcServer() as provider:
        yield provider


@pytest.fixture
def urls(
    provider: OidcServer, settings: Settings, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """Two pages with login, without an index or a worker. The first is the one that the provider returns to."""
    folder = tmp_path_factory.mktemp("login")
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    more = {
        "RAG_AUTH": "oidc",
        "RAG_QUESTIONS_PER_MINUTE": "1",
        "RAG_PAGE_URL": urls[0],
        "RAG_OIDC_METADATA_URL": f"{provider.url}/.well-known/openid-configuration",
        "RAG_OIDC_CLIENT_ID": CLIENT_ID,
        "RAG_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "RAG_OIDC_COOKIE_SECRET": "a-secret-of-the-cookies",
    }
    pages = [Process(["page", "--port", str(port)], environment | more, folder / f"{port}.log") for port in ports]
    try:
        for page in pages:
            page.start()
        for page, url in zip(pages, urls, strict=True):
            until(partial(answers, f"{url}/api/health"), "the page", page)
        yield urls
    finally:
        for page in pages:
            page.kill(signal.SIGTERM)


def logged_in(browser: Browser, url: str) -> Page:
    """Return a tab of a new browser after login."""
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_visible(timeout=PATIENCE_MS)
    return page


class TestLogin:
    def test_begun_on_one_page_ends_on_another(self, browser: Browser, urls: list[str]) -> None:
        assert logged_in(browser, urls[1]).url.startswith(urls[0])

    def test_readers_see_only_their_own_conversations(
        self, browser: Browser, urls: list[str], provider: OidcServer
    ) -> None:
        url = urls[0]
        anna = logged_in(browser, url)
        field = anna.get_by_test_id("stChatInputTextArea")
        field.fill("Who kept the lighthouse?")
        field.press("Enter")
        expect(anna.locator("p.plain")).to_be_visible(timeout=PATIENCE_MS)
        field.fill("And who planted the orchard?")
        field.press("Enter")
        expect(anna.get_by_text("Rate limit reached")).to_be_visible(timeout=PATIENCE_MS)
        provider.subject = "boris"
        boris = logged_in(browser, url)
        boris.goto(anna.url)
        expect(boris.get_by_text("Conversation not found")).to_be_visible(timeout=PATIENCE_MS)
        boris.goto(f"{url}/threads")
        expect(boris.get_by_text("There are no conversations yet.")).to_be_visible(timeout=PATIENCE_MS)
        stranger = browser.new_page()
        stranger.goto(anna.url)
        expect(stranger.get_by_role("button", name="Log in")).to_be_visible(timeout=PATIENCE_MS)
        expect(stranger.locator("p.plain")).to_have_count(0)
        assert httpx.get(f"{url}/api/threads", trust_env=False).status_code == 403
