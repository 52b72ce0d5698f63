"""Colours that everybody can read and tell apart, computed from the theme's own keys."""

from __future__ import annotations

import doctest
import itertools
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dashboard import tones
from dashboard.charts import palette, stacks
from dashboard.charts.palette import DARK, LIGHT, Palette

ROOT = Path(__file__).resolve().parents[1]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
PALETTES = {
    name: palette.themed(lambda key: THEME[key.split(".")[1]].get(key.split(".")[2]), dark=name == "dark")
    for name in ("light", "dark")
}
themes = pytest.mark.parametrize("colours", PALETTES.values(), ids=PALETTES.keys())


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(tones).failed == 0


def test_the_charts_have_the_colours_of_the_theme() -> None:
    assert PALETTES == {"light": LIGHT, "dark": DARK}


@themes
def test_words_can_be_read_on_paper_and_panel(colours: Palette) -> None:
    grounds = (colours.paper, colours.panel)
    assert min(tones.contrast(word, ground) for word in (colours.ink, colours.muted) for ground in grounds) >= 4.5
    assert min(tones.contrast(colours.accent, ground) for ground in grounds) >= 4.5


@themes
def test_every_series_can_be_seen_and_its_name_be_read(colours: Palette) -> None:
    assert min(tones.contrast(tint, colours.paper) for tint in (*colours.series, colours.others)) >= 3.0
    names = [tones.legible(tint, colours.paper, colours.ink) for tint in colours.series]
    assert min(tones.contrast(name, colours.paper) for name in names) >= 4.5
    assert len(set(names)) == 5


@themes
@pytest.mark.parametrize("sight", tones.SIGHTS)
def test_every_eye_tells_the_series_apart(sight: str, colours: Palette) -> None:
    near = {
        (one, other): round(math.dist(tones.seen(one, sight), tones.seen(other, sight)), 3)
        for one, other in itertools.combinations(colours.series, 2)
    }
    assert {pair: distance for pair, distance in near.items() if distance < tones.TOLD_APART} == {}


@themes
@pytest.mark.parametrize("sight", tones.SIGHTS)
def test_every_eye_tells_neighbours_in_a_stack_apart(sight: str, colours: Palette) -> None:
    tints: dict[str, Any] = stacks.tints(colours)
    order = ("waiting_in_hours", "waiting_out_of_hours", "working", "on_hold", "resolved", "unexplained")
    for one, other in itertools.pairwise(order):
        assert math.dist(tones.seen(tints[one], sight), tones.seen(tints[other], sight)) >= tones.TOLD_APART, (
            one,
            other,
        )
