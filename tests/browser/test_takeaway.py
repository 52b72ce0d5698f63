"""A reader takes a page and its pictures away by the buttons that are there for it, and opens what he got."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browser: Any, sample: str) -> Any:
    """The overview, opened by a German reader in the dark."""
    opened = browser.new_page(color_scheme="dark", locale="de-DE")
    opened.goto(sample)
    opened.locator(".st-key-foot").wait_for(timeout=60_000)
    yield opened
    opened.close()


def taken(page: Any, button: str, folder: Path) -> Path:
    """Press a button of the open menu, and keep the file."""
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


def test_a_page_and_a_picture_can_be_taken_away_and_opened(
    page: Any, browser: Any, sample: str, tmp_path: Path
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.get_by_role("button", name="Take this page away").click()
    files = {ending: taken(page, ending, tmp_path) for ending in ("PDF", "HTML", "XLSX")}
    assert files["PDF"].name == "meantime-overview-v1.pdf"
    assert files["PDF"].read_bytes().startswith(b"%PDF-")
    assert list(pl.read_excel(files["XLSX"], sheet_id=0))[:2] == ["Key figures", "Definitions"]
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_role("button", name="Files and SQL", exact=True).first.click()
    found = {ending: taken(page, ending, tmp_path) for ending in ("CSV", "XLSX", "PNG", "SVG")}
    assert found["CSV"].name == "meantime-overview-how-many-incidents-came-in-v1.csv"
    opened = pl.read_csv(found["CSV"], comment_prefix="#")["opened (incidents)"]
    assert pl.read_excel(io.BytesIO(found["XLSX"].read_bytes()))["opened (incidents)"].to_list() == opened.to_list()
    assert found["PNG"].read_bytes().startswith(b"\x89PNG")
    assert "How many incidents came in?" in found["SVG"].read_text(encoding="utf-8")
    assert complaints == []

    page.get_by_role("button", name="Open in Ask the data").first.click()
    page.get_by_role("heading", name="Ask the data").wait_for()
    asked = "document.querySelector('textarea').value.startsWith('-- How many incidents came in?')"
    page.wait_for_function(asked, timeout=30_000)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text(re.compile(r"^1\d rows · ")).wait_for(timeout=30_000)
    page.goto(sample)
    page.locator(".st-key-foot").wait_for(timeout=60_000)

    value = page.locator('[data-testid="stMetricValue"]').first.inner_text()
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 844})
    alone = context.new_page()
    alone.on("console", lambda message: complaints.append(message.text))
    alone.on("request", lambda request: complaints.append(request.url) if "file:" not in request.url else None)
    alone.goto(files["HTML"].as_uri())
    assert alone.locator(".value").first.inner_text() == value
    assert "." in value, "thousands as Germans group them"
    assert alone.locator("figure svg").count() == 4
    assert alone.evaluate("document.fonts.check('16px \"Source Sans\"')")
    assert alone.evaluate("document.documentElement.scrollWidth") <= 390
    assert alone.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 247)"
    assert [one for one in complaints if not one.startswith("data:")] == []
    context.close()
