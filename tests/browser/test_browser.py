"""A reader opens every page, filters, reloads and follows links, with nothing on the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "dashboard" / "app_pages").glob("[a-z]*.py"))
FRAMEWORK_NOISE = re.compile(r"/(?P<page>\w+)/_stcore/(health|host-config)$")
"""Opened below its root, Streamlit's front end first looks for its server there, and Chromium notes the two 404s."""


class Reader:
    """One browser page that keeps what its console said."""

    def __init__(self, page: Any, address: str) -> None:
        """Listen before anything is opened."""
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning") and not FRAMEWORK_NOISE.search(message.location.get("url", "")):
            self.complaints.append(f"{message.type}: {message.text}")

    def open(self, path: str) -> None:
        """Open a page and wait until it is drawn."""
        self.page.goto(f"{self.address}/{path}")
        self.settled()

    def settled(self) -> None:
        """Wait until nothing runs any more."""
        self.page.wait_for_selector("[data-testid=stMain] h1", timeout=60_000)
        self.page.wait_for_timeout(400)
        self.page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget]')", timeout=60_000)
        self.page.wait_for_timeout(600)

    def text(self) -> str:
        """Everything that can be read."""
        return str(self.page.inner_text("[data-testid=stMain]")).replace("\N{NO-BREAK SPACE}", " ")

    def is_well(self) -> None:
        """Assert that no error shows, nothing was complained of and nothing is wider than the screen."""
        assert self.complaints == []
        assert self.page.locator("[data-testid=stException]").count() == 0
        assert "could not be drawn" not in self.text()
        wide = self.page.evaluate(
            "() => { const main = document.querySelector('[data-testid=stMain]'); return main.scrollWidth - main.clientWidth }"
        )
        assert wide <= 0


@pytest.fixture
def desktop(browser: Any) -> Iterator[Any]:
    """A wide window with the light theme."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    yield context.new_page()
    context.close()


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    """A phone with the dark theme."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    yield context.new_page()
    context.close()


def path_of(page: str) -> str:
    """The first page stands at the root."""
    return "" if page == "overview" else page


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("warehouse", ["sample", "real"])
def test_a_page_opens_wide_and_light(page: str, warehouse: str, desktop: Any, request: pytest.FixtureRequest) -> None:
    reader = Reader(desktop, request.getfixturevalue(warehouse))
    reader.open(path_of(page))
    reader.is_well()
    assert ("Sample data" in reader.text()) == (warehouse == "sample")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_narrow_and_dark(page: str, phone: Any, sample: str) -> None:
    reader = Reader(phone, sample)
    reader.open(path_of(page))
    reader.is_well()


@pytest.mark.parametrize("warehouse", ["sample", "real"])
def test_a_filter_is_still_on_after_a_reload_and_on_the_next_page(
    warehouse: str, desktop: Any, request: pytest.FixtureRequest
) -> None:
    reader = Reader(desktop, request.getfixturevalue(warehouse))
    reader.open("")
    desktop.get_by_text("Change what is shown").click()
    desktop.get_by_test_id("stMultiSelect").filter(has_text="Priority").get_by_role("combobox").click()
    desktop.get_by_role("option", name="P2", exact=True).click()
    desktop.keyboard.press("Escape")
    desktop.wait_for_url("**/?priority=2")
    reader.settled()
    desktop.reload()
    reader.settled()
    assert "P2 · " in reader.text()
    desktop.get_by_role("link", name="Resolution", exact=True).click()
    desktop.wait_for_url("**/resolution?priority=2")
    reader.settled()
    assert "P2 · " in reader.text()
    desktop.get_by_role("button", name="Clear").click()
    desktop.wait_for_url("**/resolution")
    reader.settled()
    assert "P2 · " not in reader.text()
    reader.is_well()


def test_the_back_button_takes_a_filter_away(desktop: Any, sample: str) -> None:
    reader = Reader(desktop, sample)
    reader.open("?priority=1")
    reader.open("?priority=2")
    desktop.go_back()
    reader.settled()
    assert "P1 · " in reader.text()
    reader.is_well()


def test_a_click_on_a_bar_shows_the_incidents_of_that_week(desktop: Any, sample: str) -> None:
    reader = Reader(desktop, sample)
    reader.open("volume_and_backlog")
    chart = desktop.locator("[data-testid=stVegaLiteChart]").first
    box = chart.bounding_box()
    desktop.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    desktop.wait_for_selector("text=/The incidents behind it: week of/", timeout=20_000)
    reader.settled()
    assert re.search(r"\d+ incidents, the newest first", reader.text())
    reader.is_well()


def test_an_incident_has_its_own_address(desktop: Any, sample: str) -> None:
    reader = Reader(desktop, sample)
    reader.open("incidents?incident=servicedesk/INC0413321")
    assert "Where did the time go?" in reader.text()
    desktop.get_by_role("button", name="All incidents").click()
    desktop.wait_for_url("**/incidents")
    reader.settled()
    assert "Pick a row" in reader.text()
    reader.is_well()


def test_before_the_first_load_the_way_to_it_is_shown(desktop: Any, empty: str) -> None:
    reader = Reader(desktop, empty)
    reader.open("")
    assert "No incidents yet" in reader.text()
    reader.is_well()
