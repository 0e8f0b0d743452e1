"""The page in a real browser, with a worker and a model server."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize, expect
from tenacity import Retrying, retry_if_result, stop_after_attempt

from contextual_rag.embedded.services import Services
from contextual_rag.wiring import World
from tests.chromium import Screenshots
from tests.conftest import settings_of
from tests.conversing import Conversing, conversing
from tests.servers.faulty_site import FaultySite
from tests.servers.faulty_site import page as html

pytestmark = pytest.mark.timeout(240)

DESKTOP = ViewportSize(width=1280, height=860)
PHONE = ViewportSize(width=390, height=844)
PATIENCE_MS = 20_000
# Tokens a second: an answer that is complete at once, and one that is never complete until the test speeds it up.
QUICK, SLOW = 400.0, 1.0


@pytest.fixture(scope="module")
def running(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversing]:
    """The page with all its services."""
    folder = tmp_path_factory.mktemp("page")
    world = World(settings_of(stores, folder / "build"))
    with conversing(stores, world, folder) as running:
        yield running


@pytest.fixture(autouse=True)
def quick(running: Conversing) -> Iterator[None]:
    """A fast model, and long timeouts for a busy machine."""
    running.model.tokens_per_second = QUICK
    expect.set_options(timeout=PATIENCE_MS)
    yield
    expect.set_options()


@pytest.fixture(scope="module")
def context(browser: Browser, running: Conversing) -> Iterator[BrowserContext]:
    """A reader's browser."""
    context = browser.new_context(viewport=DESKTOP, base_url=running.url, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, running: Conversing) -> Iterator[Page]:
    """A tab that requests only our server; the test fails if anything is blocked or raises."""
    faults: list[str] = []

    def watch(tab: Page) -> None:
        tab.on("request", lambda r: None if r.url.startswith((running.url, "data:", "blob:")) else faults.append(r.url))
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("dialog", lambda dialog: faults.append(dialog.message))
        tab.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)

    context.on("page", watch)
    page = context.new_page()
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    yield page
    for tab in context.pages:
        assert tab.evaluate("window.hit") is None
        tab.close()
    context.remove_listener("page", watch)
    assert faults == []


def ask(page: Page, question: str) -> None:
    """Write a question and send it."""
    field = page.get_by_test_id("stChatInputTextArea")
    field.fill(question)
    field.press("Enter")
    expect(page.locator("p.plain").filter(has_text=question)).to_be_visible(timeout=PATIENCE_MS)


def answered(page: Page, count: int = 1) -> Locator:
    """Wait until `count` answers are complete; return the last."""
    expect(page.locator(".quiet")).to_have_count(count)
    return page.get_by_test_id("stChatMessage").filter(has=page.locator(".quiet")).last


def still(page: Page) -> None:
    """Wait until the whole page is drawn."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()


def text_so_far(page: Page) -> str:
    """Return the text so far of the answer in progress."""
    return page.locator(".answer").last.inner_text()


def begun(page: Page) -> str:
    """Wait until the answer has begun to appear; return its text so far."""
    expect(page.locator(".answer").last).to_contain_text("On ")
    expect(page.locator(".stage")).to_be_visible()
    return text_so_far(page)


# What a page can try with a server: open its WebSocket, read, ask like a form, ask like a program.
_TRIES = """async (url) => {
  const asked = JSON.stringify({question: "Who sent this?", stream: false});
  const status = (path, how) => fetch(url + path, how).then((response) => response.status, () => "refused");
  return {
    socket: await new Promise((done) => {
      const socket = new WebSocket(url.replace("http", "ws") + "/_stcore/stream", ["streamlit"]);
      socket.onopen = () => { socket.close(); done("open"); };
      socket.onerror = () => done("refused");
    }),
    read: await status("/api/threads"),
    form: await status("/api/ask", {method: "POST", mode: "no-cors", body: asked}),
    program: await status("/api/ask", {method: "POST", headers: {"Content-Type": "application/json"}, body: asked}),
  };
}"""


class TestAnotherPage:
    def test_on_another_port_can_do_nothing(self, browser: Browser, running: Conversing) -> None:
        with FaultySite() as elsewhere:
            elsewhere.routes["/"] = html(b"<p>Another page")
            tab = browser.new_page()
            tab.goto(elsewhere.url("/"))
            tried = tab.evaluate(_TRIES, running.url)
            tab.close()
        # Of a form's request, a page never sees the status, here 403.
        assert tried == {"socket": "refused", "read": "refused", "form": 0, "program": "refused"}
        with running.api() as client:
            assert "Who sent this?" not in client.get("/threads").text

    def test_under_a_name_that_leads_here_can_do_nothing(self, browser: Browser, running: Conversing) -> None:
        rebound = running.url.replace("127.0.0.1", "elsewhere.localhost")
        tab = browser.new_page()
        shown = tab.goto(rebound)
        assert shown is not None
        assert shown.status == 403
        assert tab.evaluate(_TRIES, rebound) == {"socket": "refused", "read": 403, "form": 403, "program": 403}
        tab.close()

    def test_of_our_own_can(self, page: Page, running: Conversing) -> None:
        page.goto("/")
        assert page.evaluate(_TRIES, running.url) == {"socket": "open", "read": 200, "form": 415, "program": 200}


class TestAnAnswer:
    def test_it_appears_word_by_word_with_its_sources_and_can_be_rated(
        self, page: Page, running: Conversing, screenshots: Screenshots
    ) -> None:
        page.goto("/")
        expect(page.get_by_role("heading", name="Ask the essays")).to_be_visible()
        screenshots.take(page, "page-start-light")
        running.model.tokens_per_second = SLOW
        ask(page, "When does the harbour freeze?")
        first = begun(page)
        screenshots.take(page, "page-streaming-light")
        expect(page.locator(".answer").last).not_to_have_text(first)
        running.model.tokens_per_second = QUICK
        answer = answered(page)
        expect(answer.locator(".answer")).to_contain_text("freezes in April")
        expect(answer.locator(".sources summary").first).to_contain_text("Harbour")
        expect(answer.locator(".sources summary").first).to_contain_text("✓ words found in the essay")
        expect(answer.locator(".quiet")).to_contain_text(
            re.compile(rf"version {running.versions[1]} · first word after")
        )
        expect(answer.locator(".quiet")).to_contain_text("tokens · $0.0")
        screenshots.take(page, "page-answer-light")
        page.get_by_role("radio", name="Thumbs down").click()
        page.get_by_role("button", name="Comment").click()
        page.get_by_role("textbox", name="What was good or wrong").fill("It forgot the ice.")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("edit_note")).to_be_visible()
        with running.api() as api:
            turn = api.get(f"/threads/{thread_of(page)}").json()["turns"][0]
        assert (turn["feedback"], turn["comment"]) == (-1, "It forgot the ice.")

    def test_a_citation_opens_the_passage_in_its_essay(
        self, page: Page, running: Conversing, screenshots: Screenshots
    ) -> None:
        page.goto("/")
        ask(page, "What stood behind the wall of the lighthouse in the wind?")
        answer = answered(page)
        answer.locator(".sources details summary").first.press("Enter")
        expect(answer.locator(".passage").first).to_contain_text("sea kale")
        shown = "mark => getComputedStyle(mark, '::after').content"
        assert answer.locator("a.cite").first.evaluate(shown) == "none"

        def peek() -> str:
            answer.locator("a.cite").first.hover()
            return str(answer.locator("a.cite").first.evaluate(shown))

        # What comes after an answer may move it away from below the pointer.
        peeking = Retrying(retry=retry_if_result(lambda seen: seen == "none"), stop=stop_after_attempt(5))
        assert "sea kale and radishes" in peeking(peek)
        screenshots.take(page, "page-peek-light")
        with page.expect_popup() as opened:
            answer.locator("a.cite").first.click()
        essay = opened.value
        expect(essay.get_by_role("heading", name="Keeper")).to_be_visible()
        expect(essay.locator("mark")).to_contain_text("planted sea kale and radishes")
        expect(essay.get_by_role("link", name="the original")).to_have_attribute("href", re.compile("keeper.html$"))
        essay.set_viewport_size(DESKTOP)
        screenshots.take(essay, "page-essay-light")

    def test_a_follow_up_with_a_pronoun_finds_the_right_essay(self, page: Page) -> None:
        page.goto("/")
        ask(page, "Who kept the lighthouse of Skerrow?")
        answered(page)
        ask(page, "What was planted behind the wall of it?")
        answer = answered(page, 2)
        expect(answer.locator(".sources summary").first).to_contain_text("Keeper")
        expect(answer.locator(".answer")).to_contain_text("sea kale")

    def test_its_text_can_be_copied_and_its_question_edited_and_asked_again(
        self, page: Page, screenshots: Screenshots
    ) -> None:
        page.goto("/")
        ask(page, "When does the harbour thaw?")
        answered(page)
        page.get_by_role("button", name="Copy").click()
        # With its numbers, as it is stored.
        expect(page.get_by_test_id("stCode")).to_contain_text("[1]")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Edit", exact=True).click()
        field = page.get_by_role("textbox", name="Question")
        expect(field).to_have_value("When does the harbour thaw?")
        screenshots.take(page, "page-edit-light")
        field.fill("When does the harbour freeze?")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(answered(page, 2).locator(".answer")).to_contain_text("freezes in April")
        expect(page.locator("p.plain")).to_have_text(["When does the harbour thaw?", "When does the harbour freeze?"])
        # Only the last question can be edited.
        expect(page.get_by_role("button", name="Edit", exact=True)).to_have_count(1)

    def test_of_some_essays_alone_says_so_and_has_no_other_source(self, page: Page) -> None:
        page.goto("/")
        page.get_by_role("button", name="Filter").click()
        choice = page.get_by_role("combobox", name="Essays")
        choice.fill("Keeper")
        choice.press("Enter")
        expect(page.get_by_text("Only essays that match: document keeper")).to_be_visible()
        page.keyboard.press("Escape")
        ask(page, "When does the harbour freeze?")
        expect(page.locator(".quiet b")).to_have_text("document keeper")
        sources = page.locator(".sources summary b")
        expect(sources.first).to_have_text("Keeper")
        assert set(sources.all_inner_texts()) == {"Keeper"}

    def test_a_tool_is_shown_with_its_result(self, page: Page, running: Conversing, screenshots: Screenshots) -> None:
        page.goto("/")
        ask(page, "Which versions of the harbour are there?")
        answer = answered(page)
        answer.locator(".tools summary").click()
        expect(answer.locator(".tools summary")).to_contain_text("list_versions")
        expect(answer.locator(".tools pre")).to_contain_text(running.versions[0])
        screenshots.take(page, "page-tool-light")


def thread_of(page: Page) -> str:
    """Return the id of the conversation that a tab shows."""
    return page.url.rpartition("thread=")[2]


class TestNothingIsLost:
    def test_an_answer_continues_after_a_reload_and_in_a_second_tab(
        self, page: Page, context: BrowserContext, running: Conversing
    ) -> None:
        running.model.tokens_per_second = SLOW
        page.goto("/")
        ask(page, "Where are the ropes mended?")
        first = begun(page)
        page.reload()
        again = begun(page)
        assert again.startswith(first[:10])
        second = context.new_page()
        second.goto(page.url)
        assert begun(second).startswith(first[:10])
        running.model.tokens_per_second = QUICK
        for tab in (page, second):
            expect(answered(tab).locator(".answer")).to_contain_text("mended on the quay")
        ask(second, "Who kept the lighthouse?")
        answered(second, 2)
        answered(page, 2)

    def test_an_answer_survives_a_killed_worker(
        self, page: Page, running: Conversing, screenshots: Screenshots
    ) -> None:
        running.model.tokens_per_second = SLOW
        page.goto("/")
        ask(page, "When does the harbour freeze?")
        begun(page)
        running.worker.kill()
        expect(page.get_by_text("The worker is not running")).to_be_visible(timeout=40_000)
        screenshots.take(page, "page-worker-down-light")
        running.model.tokens_per_second = QUICK
        running.start_worker()
        expect(answered(page).locator(".answer")).to_contain_text("freezes in April")

    def test_an_answer_survives_a_killed_page(self, page: Page, running: Conversing) -> None:
        running.model.tokens_per_second = SLOW
        page.goto("/")
        ask(page, "When does the harbour freeze?")
        begun(page)
        running.page.kill(signal.SIGKILL)
        running.model.tokens_per_second = QUICK
        running.start_page()
        page.reload()
        expect(answered(page).locator(".answer")).to_contain_text("freezes in April")

    def test_stop_keeps_the_text_so_far(self, page: Page, running: Conversing, screenshots: Screenshots) -> None:
        running.model.tokens_per_second = SLOW
        page.goto("/")
        ask(page, "Who planted the orchard with pear trees?")
        first = begun(page)
        page.get_by_role("button", name="Stop").click()
        answer = answered(page)
        assert answer.locator(".answer").inner_text().startswith(first[:10])
        expect(answer.locator(".ended.stopped")).to_contain_text("stopped")
        screenshots.take(page, "page-stopped-light")

    def test_a_second_question_waits_for_its_turn(self, page: Page, running: Conversing) -> None:
        running.model.tokens_per_second = SLOW
        page.goto("/")
        ask(page, "When does the harbour freeze?")
        begun(page)
        ask(page, "Who kept the lighthouse?")
        running.model.tokens_per_second = QUICK
        answered(page, 2)
        expect(page.locator(".answer")).to_have_text([re.compile("freezes in April"), re.compile("Marta Hollis")])


class TestHostileText:
    def test_it_runs_nothing_and_loads_nothing(self, page: Page, screenshots: Screenshots) -> None:
        attack = "trapdoor rug stove <img src=x onerror=window.hit=4> ![p](https://elsewhere.example/q.png)"
        page.goto("/")
        ask(page, attack)
        answer = answered(page)
        expect(answer.locator(".answer")).to_contain_text("onerror=window.hit=2")
        expect(page.locator(".answer img, .answer script, p.plain img, .passage img")).to_have_count(0)
        assert all(href.startswith("essay?") for href in hrefs(answer))
        expect(answer.locator(".tools")).to_have_count(0)
        screenshots.take(page, "page-hostile")
        with page.expect_popup() as opened:
            answer.locator("a.cite").first.click()
        expect(opened.value.locator("mark").first).to_contain_text("window.hit")
        page.goto("/threads")
        expect(page.get_by_role("link", name=re.compile("trapdoor rug stove"))).to_be_visible()
        expect(page.get_by_role("main").locator("img")).to_have_count(0)

    def test_an_address_cannot_carry_it(self, page: Page) -> None:
        for path in (
            "/?thread=![p](https://elsewhere.example/t.png)",
            "/essay?version=![p](https://elsewhere.example/v.png)&slug=<img src=x onerror=window.hit=5>",
            "/versions?both=<script>window.hit=6</script>",
        ):
            page.goto(path)
            still(page)
            expect(page.get_by_role("main").locator("img")).to_have_count(0)


def hrefs(within: Locator) -> list[str]:
    """Return the addresses of its links."""
    return [link.get_attribute("href") or "" for link in within.get_by_role("link").all()]


class TestEssays:
    def test_they_are_listed_and_searched_and_open(
        self, page: Page, running: Conversing, screenshots: Screenshots
    ) -> None:
        page.goto("/essays")
        names = page.locator(".essays a")
        expect(names.filter(has_text="Harbour")).to_have_count(1)
        listed = names.count()
        expect(page.locator(".quiet")).to_have_text(f"{listed} essays · version {running.versions[1]}")
        screenshots.take(page, "page-essays-light")
        with page.expect_popup() as opened:
            names.filter(has_text="Keeper").click()
        expect(opened.value.get_by_role("heading", name="Keeper")).to_be_visible()
        expect(opened.value.locator("mark")).to_have_count(0)
        asked = len(running.model.calls("chat"))
        search = page.get_by_role("textbox", name="Search")
        search.fill("sea kale behind the wall")
        search.press("Enter")
        first = page.locator(".sources details").first
        expect(first).to_contain_text("Keeper")
        first.locator("summary").press("Enter")
        expect(first.locator(".passage")).to_contain_text("sea kale")
        screenshots.take(page, "page-search-light")
        with page.expect_popup() as opened:
            first.get_by_role("link", name="Open in the essay").click()
        expect(opened.value.locator("mark").filter(has_text="sea kale")).to_have_count(1)
        assert len(running.model.calls("chat")) == asked
        search.fill("")
        search.press("Enter")
        expect(names).to_have_count(listed)


class TestThreads:
    def test_one_is_found_exported_renamed_and_deleted(
        self, page: Page, running: Conversing, screenshots: Screenshots
    ) -> None:
        page.goto("/")
        ask(page, "How many pear trees stand in the orchard?")
        answered(page)
        page.goto("/threads")
        screenshots.take(page, "page-threads-light")
        search = page.get_by_role("textbox", name="Search")
        search.fill("pear trees stand")
        search.press("Enter")
        link = page.get_by_role("link", name="How many pear trees stand in the orchard?")
        expect(page.get_by_role("button", name="Manage")).to_have_count(1)
        page.get_by_role("button", name="Manage").click()
        dialog = page.get_by_role("dialog")
        with page.expect_download() as markdown:
            dialog.get_by_role("button", name="Markdown").click()
        assert "pear trees" in Path(markdown.value.path()).read_text()
        screenshots.take(page, "page-thread-light")
        dialog.get_by_role("textbox", name="Title").fill("Pears *and* trees")
        dialog.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("link", name="Pears *and* trees")).to_be_visible()
        expect(link).to_have_count(0)
        page.get_by_role("button", name="Manage").click()
        expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
        dialog.get_by_text("Delete permanently").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("No conversation contains these words.")).to_be_visible()

    def test_its_address_opens_it(self, page: Page, context: BrowserContext) -> None:
        page.goto("/")
        ask(page, "Who kept the lighthouse?")
        answered(page)
        page.goto("/threads")
        page.get_by_role("link", name="Who kept the lighthouse?").first.click()
        answered(page)
        still(page)  # a popover closes again if it opens while the page is still being drawn
        page.get_by_role("button", name="Share").click()
        expect(page.get_by_test_id("stCode")).to_contain_text(f"/?thread={thread_of(page)}")
        page.get_by_role("button", name="New").click()
        expect(page.get_by_role("heading", name="Ask the essays")).to_be_visible()
        assert "thread=" not in page.url


class TestVersions:
    def test_they_are_shown_compared_and_asked_together(
        self, page: Page, running: Conversing, screenshots: Screenshots
    ) -> None:
        page.goto("/versions")
        rows = page.get_by_role("rowheader")
        expect(rows.first).to_contain_text(f"{running.versions[1]}current")
        expect(page.locator("canvas, .stEChartsChart svg").first).to_be_visible()
        page.get_by_text("What the figures mean").click()
        expect(page.get_by_role("row", name="answered_first the same")).to_contain_text("first quotation")
        screenshots.take(page, "page-versions-light")
        page.get_by_role("tab", name="Compare two").click()
        expect(page.get_by_role("row", name=re.compile("changed.*harbour"))).to_be_visible()
        question = page.get_by_role("textbox", name="Question")
        question.fill("When does the harbour freeze?")
        page.get_by_role("button", name="Ask both").click()
        expect(page.locator(".quiet")).to_have_count(2)
        expect(page.locator(".answer")).to_have_text([re.compile("in March"), re.compile("in April")])
        page.locator(".quiet").last.scroll_into_view_if_needed()
        screenshots.take(page, "page-both-light")


class TestOnAPhoneInTheDark:
    def test_every_page_fits_and_is_dark(self, page: Page, running: Conversing, screenshots: Screenshots) -> None:
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="dark")
        page.goto("/")
        expect(page.get_by_role("heading", name="Ask the essays")).to_be_visible()
        self.seen(page, screenshots, "start")
        ask(page, "Where are the ropes mended?")
        answer = answered(page)
        answer.locator(".sources summary").first.click()
        self.seen(page, screenshots, "answer")
        page.goto("/" + hrefs(answer)[0])
        expect(page.locator("mark").first).to_be_visible()
        self.seen(page, screenshots, "essay")
        page.goto("/essays")
        expect(page.locator(".essays a").first).to_be_visible()
        self.seen(page, screenshots, "essays")
        search = page.get_by_role("textbox", name="Search")
        search.fill("ropes")
        search.press("Enter")
        page.locator(".sources summary").first.click()
        self.seen(page, screenshots, "search")
        page.goto("/threads")
        expect(page.get_by_role("button", name="Manage").first).to_be_visible()
        self.seen(page, screenshots, "threads")
        page.goto("/versions")
        expect(page.locator("canvas, .stEChartsChart svg").first).to_be_visible()
        self.seen(page, screenshots, "versions")

    def seen(self, page: Page, screenshots: Screenshots, name: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        background = page.locator("[data-testid=stApp]").evaluate("app => getComputedStyle(app).backgroundColor")
        assert background == "rgb(20, 24, 28)"
        screenshots.take(page, f"page-{name}-phone-dark")
