"""Colours that everybody can read and tell apart, computed from the theme's own keys."""

from __future__ import annotations

import doctest
import itertools
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dashboard import charts, stacks, tones

ROOT = Path(__file__).resolve().parents[1]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
PALETTES = {
    name: charts.palette(lambda key: THEME[key.split(".")[1]].get(key.split(".")[2]), dark=name == "dark")
    for name in ("light", "dark")
}
themes = pytest.mark.parametrize("colours", PALETTES.values(), ids=PALETTES.keys())

# Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency",
# table 1, severity 1.0: in linear light, one row per channel.
SIGHTS = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TOLD_APART = 0.075
"""Least distance in Oklab: nearly four times what one just notices side by side (0.02)."""


def oklab(linear: tuple[float, ...]) -> tuple[float, ...]:
    """Ottosson (2020), "A perceptual color space for image processing"."""
    red, green, blue = (min(max(one, 0.0), 1.0) for one in linear)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def seen(colour: str, sight: str) -> tuple[float, ...]:
    """A colour as one kind of eye sees it."""
    linear = tones.channels(colour)
    return oklab(tuple(sum(part * one for part, one in zip(row, linear, strict=True)) for row in SIGHTS[sight]))


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(tones).failed == 0


def test_the_charts_have_the_colours_of_the_theme() -> None:
    assert PALETTES == {"light": charts.LIGHT, "dark": charts.DARK}


@themes
def test_words_can_be_read_on_paper_and_panel(colours: charts.Palette) -> None:
    grounds = (colours.paper, colours.panel)
    assert min(tones.contrast(word, ground) for word in (colours.ink, colours.muted) for ground in grounds) >= 4.5
    assert min(tones.contrast(colours.accent, ground) for ground in grounds) >= 4.5


@themes
def test_every_series_can_be_seen_and_its_name_be_read(colours: charts.Palette) -> None:
    assert min(tones.contrast(tint, colours.paper) for tint in (*colours.series, colours.others)) >= 3.0
    names = [tones.legible(tint, colours.paper, colours.ink) for tint in colours.series]
    assert min(tones.contrast(name, colours.paper) for name in names) >= 4.5
    assert len(set(names)) == 5


@themes
@pytest.mark.parametrize("sight", SIGHTS)
def test_every_eye_tells_the_series_apart(sight: str, colours: charts.Palette) -> None:
    near = {
        (one, other): round(math.dist(seen(one, sight), seen(other, sight)), 3)
        for one, other in itertools.combinations(colours.series, 2)
    }
    assert {pair: distance for pair, distance in near.items() if distance < TOLD_APART} == {}


@themes
@pytest.mark.parametrize("sight", SIGHTS)
def test_every_eye_tells_neighbours_in_a_stack_apart(sight: str, colours: charts.Palette) -> None:
    tints: dict[str, Any] = stacks.tints(colours)
    order = ("waiting_in_hours", "waiting_out_of_hours", "working", "on_hold", "resolved", "unexplained")
    for one, other in itertools.pairwise(order):
        assert math.dist(seen(tints[one], sight), seen(tints[other], sight)) >= TOLD_APART, (one, other)
