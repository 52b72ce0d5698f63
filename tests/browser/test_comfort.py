"""Every page in both themes and on three screens: nothing overflows, nothing is complained of, axe finds no fault."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from browser.conftest import run, served
from browser.reader import PAGES, Reader, path_of

from dashboard import manners

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (1440, 820, 390)
GRAVE = ("serious", "critical")


@pytest.fixture
def desktop(browser: Any) -> Iterator[Any]:
    """A wide window with the light theme."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    yield context.new_page()
    context.close()


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


LOCALES = [
    "de-DE",
    "de-AT",
    "de-CH",
    "en-US",
    "en-GB",
    "en-AU",
    "en-CA",
    "es-ES",
    "es-MX",
    "fr-FR",
    "fr-CA",
    "it-IT",
    "nl-NL",
    "pt-BR",
    "pt-PT",
    "pl-PL",
    "cs-CZ",
    "sv-SE",
    "nb-NO",
    "da-DK",
    "fi-FI",
    "ru-RU",
    "uk-UA",
    "tr-TR",
    "el-GR",
    "hu-HU",
    "ja-JP",
    "zh-CN",
    "ko-KR",
    "lt-LT",
    "ro-RO",
    "hr-HR",
    "bg-BG",
    "id-ID",
    "vi-VN",
    "sk-SK",
]


def test_numbers_and_days_are_in_the_order_and_signs_that_the_browser_itself_uses(browser: Any) -> None:
    context = browser.new_context()
    told = context.new_page().evaluate(
        """tags => tags.map(tag => {
            const number = new Intl.NumberFormat(tag).formatToParts(1234567.5);
            const of = (parts, kind) => parts.find(part => part.type === kind).value;
            const day = new Intl.DateTimeFormat(tag, {dateStyle: 'short', calendar: 'gregory'}).formatToParts(new Date());
            const order = day.filter(part => ['day', 'month', 'year'].includes(part.type)).map(part => part.type[0]).join('');
            return [of(number, 'decimal'), of(number, 'group'), order];
        })""",
        LOCALES,
    )
    context.close()
    ours = [list(manners.of(tag)) for tag in LOCALES]
    # A space is a space, an apostrophe an apostrophe: ours are the typographic ones.
    theirs = [[sign.replace("\N{NO-BREAK SPACE}", manners.THIN).replace("'", "’") for sign in one] for one in told]
    assert dict(zip(LOCALES, ours, strict=True)) == dict(zip(LOCALES, theirs, strict=True))


def test_a_page_and_its_axes_are_written_for_the_browsers_locale(browser: Any, sample: str) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="de-DE")
    reader = Reader(context.new_page(), sample)
    reader.open("volume_and_backlog?period=all&grain=year")
    assert re.search(r"\d\.\d{3} incidents were opened", reader.text())
    axis = reader.page.locator("[data-testid=stVegaLiteChart] svg").first.text_content()
    assert re.search(r"\d\.000", axis)
    reader.is_well()
    context.close()


def test_the_tour_is_walked_by_keyboard_and_keeps_nobody_out(screen: Any, sample: str) -> None:
    reader = Reader(screen, sample)
    reader.open("definitions")
    screen.get_by_role("button", name="Take the tour").focus()
    screen.keyboard.press("Enter")
    dialog = screen.get_by_role("dialog")
    dialog.get_by_text("1 of 7").wait_for()
    screen.wait_for_timeout(500)
    assert faults(screen) == []
    dialog.get_by_role("button", name="Next").focus()
    screen.keyboard.press("Enter")
    dialog.get_by_text("2 of 7").wait_for()
    assert dialog.get_by_text("Mean time to resolve:").count() == 1
    screen.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    reader.settled()
    assert screen.get_by_role("dialog").count() == 0
    reader.is_well()


ATTACKS = (
    "<script>window.taken = 1</script>",
    "<img src=x onerror='window.taken = 1'> **stars** [link](javascript:window.taken=1)",
    '=HYPERLINK("https://example.org", "click")',
    "\N{ARABIC LETTER MEEM}\N{ARABIC LETTER REH}\N{ARABIC LETTER HAH} \N{RIGHT-TO-LEFT OVERRIDE}gnirts \N{FIRE}\N{ZERO WIDTH JOINER}\N{ROCKET}",
    "a" * 10_000,
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard on incidents whose every free text is an attack."""
    data = tmp_path_factory.mktemp("hostile")
    export = data / "incident.csv"
    with export.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["Number", "Short description", "State", "Priority", "Assignment group", "Service", "Opened", "Resolved"]
        )
        for at in range(120):
            day = date(2026, 1, 5) + timedelta(days=at % 60)
            title, group, service = (ATTACKS[(at + shift) % len(ATTACKS)] for shift in range(3))
            stamps = (f"{day} 08:00:00", f"{day} {9 + at % 9:02d}:30:00")
            rows.writerow([f"INC{at:07}", title, "Resolved", "3 - Moderate", group, service, *stamps])
    run(data, "load", str(export), "--as", "servicenow", "--timezone", "Europe/Berlin")
    yield from served(data)


def test_a_hostile_text_harms_no_page_on_a_phone(browser: Any, hostile: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    reader = Reader(context.new_page(), hostile)
    # tests/test_pages.py sends hostile text through every page; these show titles, groups and services in each way there is.
    for page in ("overview", "resolution", "where_the_time_goes", "why_it_moved", "incidents"):
        reader.open(f"{path_of(page)}?period=all")
        reader.is_well()
    reader.open("incidents?incident=servicenow/INC0000004&period=all")
    assert "a" * 200 in reader.text()
    reader.is_well()
    assert reader.page.evaluate("window.taken") is None
    context.close()


def test_the_keyboard_goes_from_top_to_bottom_and_shows_where_it_is(desktop: Any, sample: str) -> None:
    reader = Reader(desktop, sample)
    reader.open("")
    seen: list[tuple[str, float, bool]] = []
    for _ in range(len(PAGES) + 8):
        desktop.keyboard.press("Tab")
        seen.append(
            tuple(
                desktop.evaluate(
                    """() => {
                        const at = document.activeElement, style = getComputedStyle(at);
                        const said = at.getAttribute('aria-label') || at.innerText;
                        const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
                        return [said.split('\\n')[0], at.getBoundingClientRect().top, shown || style.boxShadow !== 'none'];
                    }"""
                )
            )
        )
    names = [name for name, _, _ in seen]
    assert names[:3] == ["Skip to main content", "Overview", "Explore"]
    assert names[len(PAGES)] == "Definitions"
    assert "Change what is shown" in names[len(PAGES) :]
    assert [name for name, _, shown in seen if not shown] == []
    tops = [top for _, top, _ in seen[1 : len(PAGES) + 1]]
    assert len(set(tops)) == 1
