"""The dashboard as a company serves it: behind nginx below a path, while new versions are published."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import proxy
import pytest
from browser.conftest import run, served
from browser.test_browser import PAGES, Reader, path_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def window(browser: Any) -> Iterator[Any]:
    """A window of a browser that has kept nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def behind_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sample exports below /kpi of an nginx that is configured as the README says."""
    if shutil.which("nginx") is None:
        pytest.skip("needs nginx")
    data = tmp_path_factory.mktemp("proxied")
    run(data, "demo", "--no-serve")
    with contextmanager(served)(data, "--base-path", "/kpi") as address:
        folder = tmp_path_factory.mktemp("nginx")
        port = urlsplit(address).port
        assert port is not None
        with proxy.nginx(folder, port) as root:
            yield root


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


def test_metrics_are_not_for_the_proxy_s_guests_and_health_is(behind_nginx: str, window: Any) -> None:
    statuses = {
        path: window.request.get(f"{behind_nginx}/kpi/{path}").status
        for path in ("healthz", "metrics", "_stcore/metrics")
    }
    assert statuses == {"healthz": 200, "metrics": 403, "_stcore/metrics": 403}
