"""A reader uploads a PDF, sees how far it is, gets an answer that cites its page, and removes it from answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, expect

from bench.days import SOURCE
from contextual_rag.embedded.services import Services
from contextual_rag.wiring import World
from tests.chromium import Screenshots
from tests.conftest import settings_of
from tests.conversing import Conversing, conversing
from tests.unit.readers.files import pdf

pytestmark = pytest.mark.timeout(300)

PATIENCE_MS = 60_000
PHONE = ViewportSize(width=390, height=844)
MANUAL = pdf(
    [
        ["The manual of the waterworks", "It was printed in the year of the flood."],
        ["The sluice valve is opened with a brass spanner, which hangs behind the door of the pump house."],
    ]
)
QUESTION = "With what is the sluice valve opened?"


@pytest.fixture(scope="module")
def running(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversing]:
    """The page and its worker, beside whose essays people upload. The site itself cannot be reached."""
    folder = tmp_path_factory.mktemp("uploads")
    world = World(settings_of(stores, folder / "build"))
    settings = {"RAG_UPLOADS": "true", "RAG_SOURCE_URL": SOURCE, "RAG_PAGE_ATTEMPTS": "1"}
    with conversing(stores, world, folder, **settings) as running:
        yield running


@pytest.fixture
def page(browser: Browser, running: Conversing) -> Iterator[Page]:
    """A tab that requests only our server."""
    context = browser.new_context(
        viewport=ViewportSize(width=1280, height=860), base_url=running.url, color_scheme="light"
    )
    context.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    context.on("request", lambda r: None if r.url.startswith((running.url, "data:", "blob:")) else faults.append(r.url))
    expect.set_options(timeout=PATIENCE_MS)
    yield context.new_page()
    expect.set_options()
    context.close()
    assert faults == []


def asked(page: Page, question: str) -> str:
    """Ask in a new conversation; return the answer with its sources."""
    page.goto("/")
    field = page.get_by_test_id("stChatInputTextArea")
    field.fill(question)
    field.press("Enter")
    expect(page.locator(".quiet").first).to_be_visible()
    return page.get_by_test_id("stChatMessage").last.inner_text()


def test_a_pdf_answers_with_its_page_until_it_is_removed(
    page: Page, running: Conversing, screenshots: Screenshots
) -> None:
    page.goto("/uploads")
    expect(page.get_by_text("You have uploaded nothing yet.")).to_be_visible()
    # Streamlit's own button, which config.toml turns off.
    expect(page.get_by_text("Deploy")).to_have_count(0)
    page.locator("input[type=file]").set_input_files(
        [
            FilePayload(name="waterworks.pdf", mimeType="application/pdf", buffer=MANUAL),
            FilePayload(name="cut.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7"),
            FilePayload(name="broken.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7 and no more"),
        ]
    )
    row = page.locator(".upload").filter(has_text="waterworks.pdf")
    expect(row).to_contain_text("waits for the next build")
    expect(page.get_by_test_id("stProgress")).to_be_visible()
    screenshots.take(page, "uploads-progress")
    # Whatever the worker was about to do, the next one does.
    running.worker.kill()
    running.start_worker()
    expect(row).to_contain_text("answers questions")
    expect(page.locator(".upload").filter(has_text="broken.pdf")).to_contain_text("not read: ")
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    screenshots.take(page, "uploads-light")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    screenshots.take(page, "uploads-phone-dark")

    answer = asked(page, QUESTION)
    assert "brass spanner" in answer
    page.locator(".sources summary").filter(has_text="waterworks").first.click()
    expect(page.locator(".sources details").filter(has_text="waterworks").first).to_contain_text("page 2")
    screenshots.take(page, "uploads-answer")

    page.goto("/uploads")
    page.get_by_test_id("stHorizontalBlock").filter(has_text="waterworks.pdf").get_by_text("Remove", exact=True).click()
    screenshots.take(page, "uploads-remove")
    page.get_by_role("button", name="Remove from answers").click()
    expect(row).to_have_count(0)
    expect(page.get_by_text("still answers until the next build is over")).to_be_visible()
    # Another file, which is now in its place on the page, is never about to be removed.
    assert page.get_by_role("button", name="Remove from answers").count() == 0
    expect(page.get_by_text("still answers until the next build is over")).to_have_count(0)
    assert "brass spanner" not in asked(page, QUESTION)
