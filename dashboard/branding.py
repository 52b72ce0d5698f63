"""A company's name, logo and colour on the dashboard: what the theme makes of them, and whether everybody can read it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from dashboard import tones
from dashboard.charts.palette import DARK, LIGHT

THEMES = {"light": LIGHT, "dark": DARK}
SERIES = 5
SHARES_OF_INK = (0.0, 0.3, 0.6, 0.15, 0.45, 0.75)
"""Where our own colours are too near to a company's, darker or lighter ones of them take their places."""


class Worn(NamedTuple):
    """What the dashboard is called, and the file of its logo."""

    name: str = "Meantime"
    logo: str | None = None


def worn() -> Worn:
    """Give what `meantime serve` was told."""
    return Worn(**json.loads(os.environ.get("MEANTIME_BRAND", "{}")))


def faults(colours: Mapping[str, str]) -> list[str]:
    """Say what is wrong with a company's colours, and which would do.

    Args:
        colours: theme -> colour.
    """
    said = []
    for theme, colour in colours.items():
        base = THEMES[theme]
        for what, ground in (("paper", base.paper), ("panel", base.panel)):
            if (found := tones.contrast(colour, ground)) < tones.READABLE:
                better = tones.legible(tones.legible(colour, base.paper, base.ink), base.panel, base.ink)
                said.append(
                    f"colour_{theme} is '{colour}', of contrast {found:.1f} with the {what} {ground}; words and links need "
                    f"{tones.READABLE:g} (WCAG 2.2, AA): '{better}' would do"
                )
                break
    return said


def series(theme: str, colour: str) -> tuple[str, ...]:
    """Give the colours of lines and bars: the company's, then those of ours that every eye tells from it and from others."""
    base = THEMES[theme]
    found = [colour]
    for share in SHARES_OF_INK:
        for one in base.series:
            tint = one if share == 0 else tones.mixed(one, base.ink, share)
            if (
                len(found) < SERIES
                and tones.contrast(tint, base.paper) >= tones.VISIBLE
                and min(_distance(tint, other) for other in found) >= tones.TOLD_APART
            ):
                found.append(tint)
    return tuple(found)


def _distance(one: str, other: str) -> float:
    return min(math.dist(tones.seen(one, sight), tones.seen(other, sight)) for sight in tones.SIGHTS)


def options(colours: Mapping[str, str]) -> dict[str, Any]:
    """Give the theme's keys that follow from a company's colours; the charts take theirs from there."""
    return {
        f"theme.{theme}.{key}": value
        for theme, colour in colours.items()
        for key, value in {
            "primaryColor": colour,
            "linkColor": colour,
            "chartCategoricalColors": list(series(theme, colour)),
        }.items()
    }
