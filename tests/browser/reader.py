"""A browser page that keeps what its console said, and knows when a page of ours is drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

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
        # Twice: parts that are fetched late stand as skeletons only after the script has ended.
        for pause in (400, 600):
            self.page.wait_for_timeout(pause)
            self.page.wait_for_function(
                "() => !document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')",
                timeout=60_000,
            )

    def text(self) -> str:
        """Everything that can be read."""
        return str(self.page.inner_text("[data-testid=stMain]")).replace("\N{NO-BREAK SPACE}", " ")

    def is_well(self) -> None:
        """Assert that no error shows, nothing was complained of and nothing is wider than the screen."""
        assert self.complaints == [], self.complaints
        assert self.page.locator("[data-testid=stException]").count() == 0
        assert "could not be drawn" not in self.text()
        wide = self.page.evaluate(
            "() => { const main = document.querySelector('[data-testid=stMain]'); return main.scrollWidth - main.clientWidth }"
        )
        assert wide <= 0


def path_of(page: str) -> str:
    """The first page stands at the root."""
    return "" if page == "overview" else page
