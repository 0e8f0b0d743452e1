"""A real browser, where one is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["Screenshots", "browser", "screenshots"]

# Read before any test starts: each is shown a clean environment.
_SCREENSHOTS = os.environ.get("RAG_SCREENSHOTS")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium; Playwright's own browsers need a download that not every machine may make."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


class Screenshots:
    """Where pictures are put: the folder that RAG_SCREENSHOTS names, or the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, page: Page, name: str, *, whole: bool = False) -> None:
        """Take what is to be seen, or the whole page."""
        page.screenshot(path=self.folder / f"{name}.png", full_page=whole)


@pytest.fixture
def screenshots(tmp_path: Path) -> Screenshots:
    """A folder for pictures."""
    return Screenshots(Path(_SCREENSHOTS) if _SCREENSHOTS else tmp_path / "screenshots")
