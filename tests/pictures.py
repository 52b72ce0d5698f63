"""Pictures of the pages on the sample exports, for the README: `make pictures`.

Needs Chromium: the system's, or the one that `playwright install chromium` fetches.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, run, served
from tests.browser.reader import Reader

FOLDER = Path(__file__).resolve().parents[1] / ".github"
MOST_BYTES = 200_000


class Shot(NamedTuple):
    """One picture: what is opened, and the window that it is seen in."""

    address: str
    width: int = 1440
    height: int = 1000
    theme: str = "light"


SHOTS = {
    "overview": Shot("", height=1180),
    "why_it_moved": Shot("why_it_moved?period=26w", height=1000),
    "explore": Shot("explore?kpi=mttr&by=assignment_group&picture=multiples&period=12m", height=1100),
    "incident": Shot("incidents?incident=servicedesk/INC0413321", height=1000),
    "night": Shot("resolution", height=1000, theme="dark"),
    "phone": Shot("", 390, 844),
}


def small(png: bytes) -> bytes:
    """Write a picture with 256 colours, which a page of paper and ink hardly misses."""
    written = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


def take(browser: Any, address: str, shot: Shot) -> bytes:
    """Open a page and give its picture."""
    size = {"width": shot.width, "height": shot.height}
    context = browser.new_context(viewport=size, color_scheme=shot.theme, locale="en-GB")
    reader = Reader(context.new_page(), address)
    reader.open(shot.address)
    reader.is_well()
    reader.settled()
    png: bytes = reader.page.screenshot()
    context.close()
    return small(png)


def main(names: Sequence[str] = ()) -> None:
    """Load the sample exports, serve them, and write the pictures that are named, or all."""
    system = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        data = Path(folder)
        run(data, "demo", "--no-serve")
        browser = running.chromium.launch(executable_path=system, args=FLAGS)
        for address in served(data):
            for name, shot in SHOTS.items():
                if names and name not in names:
                    continue
                png = take(browser, address, shot)
                (FOLDER / f"{name}.png").write_bytes(png)
                print(f".github/{name}.png: {len(png):,} bytes")
                assert len(png) < MOST_BYTES
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
