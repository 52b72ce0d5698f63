"""A company's looks, `[brand]`: its name, its logo and its colour. Whether the colour can be read, the dashboard says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from etl.shaping import nearest

KEYS = ("name", "logo", "colour_light", "colour_dark")
LOGOS = (".svg", ".png", ".jpg", ".jpeg", ".webp")
MOST_LOGO_KIB = 512
"""Every reader's browser gets it with the first page."""
MOST_LETTERS = 40


class BrandError(Exception):
    """A brand that is not understood; the message names the key and what it may be."""


class Brand(NamedTuple):
    """What a company calls the dashboard, and the colours of its theme: `#rrggbb`; None keeps Meantime's own."""

    name: str | None = None
    logo: Path | None = None
    colour_light: str | None = None
    colour_dark: str | None = None

    @property
    def colours(self) -> dict[str, str]:
        """Theme -> its colour, for the themes that have one."""
        told = {"light": self.colour_light, "dark": self.colour_dark}
        return {theme: colour for theme, colour in told.items() if colour is not None}


def parse(given: Any, folder: Path) -> Brand:
    """Check `[brand]`; the logo is relative to `folder`.

    Raises:
        BrandError: a key or a value is not understood, or the logo is none.
    """
    if not isinstance(given, Mapping):
        raise BrandError("brand must be a table, [brand]")
    for key in given:
        if key not in KEYS:
            raise BrandError(f"[brand]: key '{key}' is not one of {', '.join(KEYS)}{nearest(key, KEYS)}")
    return Brand(
        _name(given.get("name")),
        _logo(given.get("logo"), folder),
        _colour("colour_light", given.get("colour_light")),
        _colour("colour_dark", given.get("colour_dark")),
    )


def _name(told: Any) -> str | None:
    if told is None or (isinstance(told, str) and told.strip() and told.isprintable() and len(told) <= MOST_LETTERS):
        return told
    raise BrandError(f"[brand] name is {told!r}; it must be a text of one line and at most {MOST_LETTERS} letters")


def _logo(told: Any, folder: Path) -> Path | None:
    if told is None:
        return None
    if not isinstance(told, str) or Path(told).suffix.lower() not in LOGOS:
        raise BrandError(f"[brand] logo is {told!r}; it must be a file of one of the kinds {', '.join(LOGOS)}")
    file = (folder / told).resolve()
    if not file.is_file():
        raise BrandError(f"[brand] logo is {told!r}; there is no such file in {folder}")
    if file.stat().st_size > MOST_LOGO_KIB * 1024:
        raise BrandError(
            f"[brand] logo is {told!r}, of {file.stat().st_size // 1024} KiB; it may have {MOST_LOGO_KIB} KiB"
        )
    return file


def _colour(key: str, told: Any) -> str | None:
    if told is None or (isinstance(told, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", told)):
        return told
    raise BrandError(
        f"[brand] {key} is {told!r}; write it like #1F5FAE: red, green and blue, two hexadecimal digits each"
    )
