"""What a person sees of the page "Index versions", in Airflow's own frame. The classes build on one another."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, ViewportSize, expect

from bench.days import FIRST, build_day, keep_day
from contextual_rag.embedded.airflow import USER
from tests.chromium import Screenshots
from tests.dags.conftest import PATIENCE_MS, Scheduler

pytestmark = pytest.mark.timeout(300)

PHONE = ViewportSize(width=390, height=844)
ESSAYS = {
    "harbour": "The harbour freezes in March.\n\nNobody sails then, and the ropes are mended.",
    "lamp": "A lamp needs oil twice a day.\n\nThe keeper writes down when he gave it.",
}


@pytest.fixture(scope="module", autouse=True)
def nothing_built(scheduler: Scheduler) -> None:
    """What other tests of this Airflow built is gone."""
    scheduler.empty()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab in which nothing of our page may be blocked or fail."""
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    yield page
    page.close()
    assert faults == []


@pytest.fixture(scope="module")
def versions(scheduler: Scheduler) -> tuple[str, str]:
    """Two versions, of which the second has an essay more."""
    world = scheduler.world
    second_day = FIRST.replace(day=2)
    keep_day(world, FIRST, ESSAYS)
    keep_day(world, second_day, {**ESSAYS, "tide": "The tide table is wrong on Sundays."})
    older, newer = (build_day(world, day, promote=True).version for day in (FIRST, second_day))
    world.registry.pin(older, by=USER, why="to compare with")
    return older, newer


def open_from_the_menu(page: Page) -> FrameLocator:
    """Go the way that a person goes."""
    page.goto("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Index versions").click()
    frame = page.frame_locator("iframe[title='Index versions']")
    expect(frame.get_by_role("heading", name="Index versions")).to_be_visible(timeout=PATIENCE_MS)
    return frame


class TestBeforeTheFirstVersion:
    def test_it_says_how_to_make_one(self, page: Page, screenshots: Screenshots) -> None:
        frame = open_from_the_menu(page)
        expect(frame.get_by_role("heading", name="Nothing has been published yet")).to_be_visible()
        screenshots.take(page, "index-versions-empty")
        frame.get_by_role("link", name="build_index").click()
        page.wait_for_url("**/dags/build_index")
        expect(page.locator("iframe")).to_have_count(0)


@pytest.mark.usefixtures("versions")
class TestWithVersions:
    def test_the_menu_leads_to_them(self, page: Page, versions: tuple[str, str], screenshots: Screenshots) -> None:
        older, newer = versions
        frame = open_from_the_menu(page)
        rows = frame.get_by_role("rowheader")
        expect(rows).to_have_count(2)
        expect(rows.nth(0)).to_contain_text(re.compile(rf"{newer}\s+current"))
        expect(rows.nth(1)).to_contain_text(re.compile(rf"{older}\s+pinned"))
        screenshots.take(page, "index-versions-light")

    def test_two_are_compared_in_the_frame(
        self, page: Page, versions: tuple[str, str], screenshots: Screenshots
    ) -> None:
        frame = open_from_the_menu(page)
        expect(frame.get_by_label("Before")).to_have_value(versions[0])
        expect(frame.get_by_label("After")).to_have_value(versions[1])
        frame.get_by_role("button", name="Compare").press("Enter")
        expect(frame.get_by_role("listitem").filter(has_text="tide")).to_be_visible()
        screenshots.take(page, "index-versions-compared")

    def test_the_way_to_change_them_leaves_the_frame(self, page: Page) -> None:
        frame = open_from_the_menu(page)
        frame.get_by_role("link", name="Promote").click()
        page.wait_for_url("**/dags/manage_index")
        expect(page.locator("iframe")).to_have_count(0)
        expect(page.get_by_role("button", name="Trigger").first).to_be_visible()

    def test_it_follows_the_theme_chosen_in_airflow(self, page: Page) -> None:
        page.emulate_media(color_scheme="light")
        frame = open_from_the_menu(page)
        assert background(frame) == "rgb(255, 255, 255)"
        page.evaluate("document.documentElement.style.colorScheme = 'dark'")
        page.wait_for_function(
            "() => { const inner = document.querySelector('iframe').contentDocument;"
            " return getComputedStyle(inner.body).backgroundColor === 'rgb(22, 29, 45)' }"
        )

    def test_it_is_dark_where_the_machine_is(self, page: Page, screenshots: Screenshots) -> None:
        page.emulate_media(color_scheme="dark")
        frame = open_from_the_menu(page)
        assert background(frame) == "rgb(22, 29, 45)"
        screenshots.take(page, "index-versions-dark")

    def test_it_fits_a_phone(self, page: Page, screenshots: Screenshots) -> None:
        page.set_viewport_size(PHONE)
        page.goto("/index-versions/")
        page.get_by_role("button", name="Compare").click()
        page.wait_for_url("**old=*")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        screenshots.take(page, "index-versions-phone", whole=True)


def background(frame: FrameLocator) -> str:
    """The colour behind the page."""
    return str(frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor"))
