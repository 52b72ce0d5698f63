"""A reader opens every page, filters, reloads and follows links, with nothing on the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser.reader import PAGES, Reader, path_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def desktop(browser: Any) -> Iterator[Any]:
    """A wide window with the light theme."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_the_real_log(page: str, desktop: Any, real: str) -> None:
    reader = Reader(desktop, real)
    reader.open(path_of(page))
    reader.is_well()
    assert "Sample data" not in reader.text()


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


def test_the_incidents_of_a_week_are_found_without_a_pointer(desktop: Any, sample: str) -> None:
    reader = Reader(desktop, sample)
    reader.open("resolution")
    desktop.locator("summary", has_text="The incidents behind it").focus()
    desktop.keyboard.press("Enter")
    weeks = desktop.get_by_role("combobox", name="Of", exact=True)
    weeks.wait_for(timeout=20_000)
    # What is drawn anew under a typing reader loses what was typed.
    reader.settled()
    weeks.focus()
    desktop.keyboard.type("8 dec")
    desktop.get_by_role("option").first.filter(has_text="week of 8 Dec 2025").wait_for()
    desktop.keyboard.press("Enter")
    reader.settled()
    assert weeks.input_value() == "week of 8 Dec 2025"
    assert re.search(r"1\d\d incidents, the longest first", reader.text())
    # The one CSV is ours, of which no cell is a formula.
    table = desktop.locator("[data-testid=stDataFrame]:visible").first
    table.hover()
    assert desktop.get_by_role("button", name="Search", exact=False).first.is_visible()
    assert {one.is_visible() for one in desktop.get_by_label("Download as CSV", exact=False).all()} == {False}
    reader.is_well()


def test_a_mark_of_a_picture_is_picked_without_a_pointer(desktop: Any, sample: str) -> None:
    reader = Reader(desktop, sample)
    reader.open("explore?picture=bars&by=service")
    for path in ("**service=Payments**", "**incidents=yes**"):
        desktop.get_by_role("combobox", name="Pick a mark of the picture").focus()
        desktop.keyboard.type("pay")
        desktop.keyboard.press("Enter")
        desktop.wait_for_url(path, timeout=20_000)
        reader.settled()
    assert "The incidents behind it" in reader.text()
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


@pytest.mark.parametrize(("warehouse", "width"), [("sample", 1440), ("real", 1440), ("sample", 390)])
def test_the_overview_prints_on_one_page_without_what_is_clicked(
    warehouse: str, width: int, desktop: Any, request: pytest.FixtureRequest
) -> None:
    desktop.set_viewport_size({"width": width, "height": 900})
    reader = Reader(desktop, request.getfixturevalue(warehouse))
    reader.open("")
    desktop.wait_for_selector(".st-key-foot", timeout=60_000)
    reader.settled()
    printed = desktop.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 1
    # A4 upright, in points.
    assert {
        tuple(round(float(side)) for side in box.split()) for box in re.findall(rb"/MediaBox \[(.*?)\]", printed)
    } == {(0, 0, 595, 842)}
    desktop.emulate_media(media="print")
    controls = desktop.locator("header, button, [role=combobox], .stExpander, [data-testid=stSidebar]")
    assert [control.inner_text() for control in controls.all() if control.is_visible()] == []
