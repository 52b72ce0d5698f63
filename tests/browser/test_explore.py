"""A reader asks his own questions by clicks: what a mark stands for, what is behind it, and why a number moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser.reader import Reader

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def desktop(browser: Any) -> Iterator[Any]:
    """A wide window with the light theme."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    yield context.new_page()
    context.close()


def click_mark(page: Any, across: float, down: float) -> None:
    """Click into the first picture, at shares of its width and height."""
    chart = page.locator("[data-testid=stVegaLiteChart]").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)


def test_which_teams_time_to_resolve_rose_most_last_quarter_why_and_which_five_incidents_in_four_clicks(
    desktop: Any, sample: str
) -> None:
    reader = Reader(desktop, sample)
    reader.open("")
    desktop.get_by_role("button", name="Last quarter").click()
    desktop.wait_for_url("**/?period=quarter")
    reader.settled()
    # The link carries what is shown.
    desktop.locator("a[href*='moved_kpi=Mean+time+to+resolve&period=quarter']").click()
    desktop.wait_for_selector("text=Whose own times rose most?", timeout=60_000)
    reader.settled()
    # Which team: the first in the list of those whose own times rose.
    assert "period=quarter" in desktop.url
    assert re.search(
        r"Whose own times rose most\?\s+Network 39 h to 49 h \(\+10 h, n 258\), within chance", reader.text()
    )
    desktop.get_by_role("button", name="Look closer").first.click()
    desktop.wait_for_url("**assignment_group=Network**")
    reader.settled()
    # Why, and which five; the switch says what the page is split by.
    assert desktop.get_by_role("combobox", name="Split by").input_value() == "priority"
    assert "+7.5 h because P5's own times rose, +4.5 h because P4's own times rose" in reader.text()
    assert (
        "5 incidents of these days make +10 h of the change of +10 h: INC0418122 +4.2 h, INC0418652 +1.9 h, "
        "INC0417963 +1.4 h, INC0418680 +1.4 h and INC0418043 +1.2 h."
    ) in reader.text()
    reader.is_well()
    # The fourth click opens one of them.
    table = desktop.locator("[data-testid=stDataFrame]").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    desktop.mouse.click(box["x"] + 12, box["y"] + 52)
    desktop.wait_for_url("**/incidents?incident=servicedesk%2FINC0418122**")
    reader.settled()
    assert "INC0418122" in reader.text()


def test_a_click_filters_a_second_lists_the_incidents_and_the_link_opens_the_same_view(
    desktop: Any, sample: str
) -> None:
    reader = Reader(desktop, sample)
    reader.open("explore?picture=bars&by=service&against=before")
    click_mark(desktop, 0.3, 0.08)
    desktop.wait_for_url("**service=**")
    reader.settled()
    narrowed = reader.text()
    (service,) = re.findall(r"\n(.+?) · 6 Oct to 28 Dec 2025 · by week", narrowed)
    assert f"{service}:" not in narrowed
    click_mark(desktop, 0.3, 0.5)
    desktop.wait_for_url("**incidents=yes**")
    reader.settled()
    assert "The incidents behind it" in reader.text()
    seen = reader.text()
    reader.is_well()
    # A reload is a new reader with the same link.
    desktop.reload()
    reader.settled()
    assert reader.text() == seen
    desktop.go_back()
    desktop.wait_for_url(lambda address: "incidents=yes" not in address)
    reader.settled()
    assert "The incidents behind it" not in reader.text()
    assert f"{service} · 6 Oct" in reader.text()


def test_an_hour_of_the_week_is_a_filter_of_this_page_and_is_taken_away_at_a_click(desktop: Any, sample: str) -> None:
    reader = Reader(desktop, sample)
    reader.open("explore?picture=heat&kpi=incident_volume")
    click_mark(desktop, 0.5, 0.55)
    desktop.wait_for_url("**only=opened_weekday**")
    reader.settled()
    assert re.search(r"Here only: weekday of opening \w{3} · hour of opening \d\d:00", reader.text())
    desktop.get_by_role("button", name="Show all again").click()
    desktop.wait_for_url(re.compile(r"explore\?[^#]*$"))
    reader.settled()
    assert "only=" not in desktop.url
    reader.is_well()
