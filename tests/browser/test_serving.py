"""The dashboard as a company serves it: behind nginx below a path, while new versions are published."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import proxy
import pytest
from browser.conftest import run, served
from browser.reader import PAGES, Reader, path_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def window(browser: Any) -> Iterator[Any]:
    """A window of a browser that has kept nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the sample exports."""
    data = tmp_path_factory.mktemp("loaded")
    run(data, "demo", "--no-serve")
    return data


@pytest.fixture(scope="module")
def behind_nginx(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sample exports below /kpi of an nginx that is configured as the README says."""
    if shutil.which("nginx") is None:
        pytest.skip("needs nginx")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "acme.svg").write_text(LOGO, encoding="utf-8")
    (folder / "meantime.toml").write_text(BRAND, encoding="utf-8")
    config = str(folder / "meantime.toml")
    with contextmanager(served)(loaded, "--base-path", "/kpi", "--config", config) as address:
        port = urlsplit(address).port
        assert port is not None
        with proxy.nginx(folder, port) as root:
            yield root


LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40">'
    '<rect width="120" height="40" rx="6" fill="#8A1538"/></svg>'
)
BRAND = '[brand]\nname = "Acme *desk*"\nlogo = "acme.svg"\ncolour_light = "#8A1538"\n'


class Guest(Reader):
    """A reader who notes whom the browser asks, and who says when a page is there without a pause for its looks."""

    def __init__(self, page: Any, address: str) -> None:
        super().__init__(page, address)
        self.asked: set[str] = set()
        for what in ("request", "websocket"):
            page.on(what, lambda one: self.asked.add(urlsplit(one.url).netloc))

    def settled(self) -> None:
        self.page.wait_for_selector(".st-key-foot", timeout=60_000)
        self.page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget]')", timeout=60_000)


def test_every_page_opens_by_its_address_below_the_path_and_asks_nobody_else(window: Any, behind_nginx: str) -> None:
    guest = Guest(window, f"{behind_nginx}/kpi")
    for page in PAGES:
        guest.open(f"{path_of(page)}?priority=1")
        assert "P1 · " in guest.text(), page
        guest.is_well()
    assert guest.asked == {urlsplit(behind_nginx).netloc}


def test_below_the_path_the_links_of_a_page_and_of_the_navigation_stay_there(window: Any, behind_nginx: str) -> None:
    guest = Guest(window, behind_nginx)
    window.goto(f"{behind_nginx}/kpi")
    guest.settled()
    window.get_by_role("link", name="Resolution", exact=True).click()
    window.wait_for_url(f"{behind_nginx}/kpi/resolution")
    guest.settled()
    guest.is_well()
    with window.context.expect_page() as opened:
        window.locator(".st-key-foot").get_by_role("link", name="Mean time to resolve", exact=True).click()
    assert opened.value.url == f"{behind_nginx}/kpi/definitions#mttr"
    opened.value.wait_for_selector("h1:has-text('Definitions')")


def test_name_logo_and_colour_are_the_company_s(window: Any, behind_nginx: str) -> None:
    guest = Guest(window, f"{behind_nginx}/kpi")
    guest.open("volume_and_backlog")
    assert window.locator(".st-key-masthead").inner_text().startswith("Acme *desk*")
    logo = window.locator("[data-testid=stHeaderLogo]")
    assert logo.evaluate("image => image.complete && image.naturalWidth") == 120
    link = window.locator(".st-key-foot").get_by_role("link").first
    assert link.evaluate("link => getComputedStyle(link).color") == "rgb(138, 21, 56)"
    drawn = window.evaluate(
        "() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg [fill]')].map(one => one.getAttribute('fill'))"
    )
    assert "#8A1538" in drawn
    guest.is_well()


def test_a_page_is_taken_away_from_below_the_path(window: Any, behind_nginx: str) -> None:
    guest = Guest(window, f"{behind_nginx}/kpi")
    guest.open("resolution?priority=1")
    window.get_by_role("button", name="Take this page away").click()
    with window.expect_download() as taken:
        window.get_by_role("button", name="XLSX", exact=True).click()
    assert taken.value.url.startswith(f"{behind_nginx}/kpi/")
    assert taken.value.suggested_filename == "meantime-resolution-v1.xlsx"
    # A workbook is a zip archive.
    assert Path(taken.value.path()).read_bytes()[:4] == b"PK\x03\x04"
    guest.is_well()


def test_metrics_are_not_for_the_proxy_s_guests_and_health_is(behind_nginx: str, window: Any) -> None:
    statuses = {
        path: window.request.get(f"{behind_nginx}/kpi/{path}").status
        for path in ("healthz", "metrics", "_stcore/metrics")
    }
    assert statuses == {"healthz": 200, "metrics": 403, "_stcore/metrics": 403}


def test_new_data_are_offered_on_an_open_page_and_shown_where_the_reader_is(window: Any, tmp_path: Path) -> None:
    with contextmanager(served)(tmp_path) as address:
        guest = Guest(window, address)
        window.goto(f"{address}/resolution?priority=1&period=26w")
        window.wait_for_selector("h1:has-text('No incidents yet')")
        run(tmp_path, "demo", "--no-serve")
        guest.settled()
        assert "P1 · " in guest.text()
        assert "published version 1" in guest.text()
        assert window.get_by_role("button", name="New data").count() == 0
        window.evaluate("() => { window.isStillOpen = true }")
        export = tmp_path / "more.csv"
        export.write_text(
            "Number,Short description,State,Priority,Opened,Resolved\n"
            'INC1,"Mail is down",Resolved,1 - Critical,2025-12-30 08:00:00,2025-12-30 09:00:00\n',
            encoding="utf-8",
        )
        run(tmp_path, "load", str(export), "--as", "servicenow", "--name", "more", "--timezone", "UTC")
        offer = window.get_by_role("button", name="New data: show it")
        offer.wait_for(timeout=30_000)
        assert "published version 1" in guest.text()
        offer.click()
        window.wait_for_selector("text=published version 2")
        guest.settled()
        assert "P1 · " in guest.text()
        assert offer.count() == 0
        # The page was neither loaded anew nor left.
        assert window.evaluate("() => window.isStillOpen")
        assert window.url == f"{address}/resolution?priority=1&period=26w"
        guest.is_well()


BREAKING = """
import subprocess
class Breaking(subprocess.Popen):
    def __init__(self, command, *arguments, **options):
        if "dashboard.fenced" in command:
            raise OSError("/srv/secret/place is full")
        super().__init__(command, *arguments, **options)
subprocess.Popen = Breaking
"""


def test_what_fails_at_a_click_is_a_sentence_on_the_page_and_details_in_the_log(
    window: Any, loaded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKING, encoding="utf-8")
    with contextmanager(served)(loaded, PYTHONPATH=str(tmp_path)) as address:
        guest = Guest(window, address)
        guest.open("ask_the_data")
        window.get_by_role("button", name="Run", exact=True).click()
        window.wait_for_selector("text=This did not work")
        assert "Something went wrong while doing what you asked for." in guest.text()
        assert "/srv" not in window.content()
        assert "Traceback" not in window.content()
        guest.is_well()
    assert "OSError: /srv/secret/place is full" in capfd.readouterr().err
