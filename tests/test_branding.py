"""A company's colour: refused where it cannot be read, and told apart from ours by every eye."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dashboard import branding, tones
from dashboard.charts import palette
from dashboard.charts.palette import DARK
from etl import brand, cli


def test_the_theme_follows_the_colour() -> None:
    assert branding.options({"dark": "#F08CA8"}) == {
        "theme.dark.primaryColor": "#F08CA8",
        "theme.dark.linkColor": "#F08CA8",
        "theme.dark.chartCategoricalColors": ["#F08CA8", "#6CA8F0", "#96FFD2", "#D23C4B", "#F0FF87"],
    }


def test_our_own_colours_are_well_and_stay_in_their_order() -> None:
    for theme, base in branding.THEMES.items():
        assert branding.faults({theme: base.accent}) == []
        assert branding.series(theme, base.accent) == base.series


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["light", "dark"]), st.integers(0, 0xFFFFFF).map(lambda one: f"#{one:06x}"))
def test_whatever_the_colour_that_can_be_read_every_eye_tells_five_series_apart(theme: str, colour: str) -> None:
    assume(branding.faults({theme: colour}) == [])
    series = branding.series(theme, colour)
    assert (len(series), series[0]) == (5, colour)
    near = [
        (sight, one, other)
        for sight in tones.SIGHTS
        for one, other in itertools.combinations(series, 2)
        if math.dist(tones.seen(one, sight), tones.seen(other, sight)) < tones.TOLD_APART
    ]
    assert near == []
    assert min(tones.contrast(one, branding.THEMES[theme].paper) for one in series) >= tones.VISIBLE


def test_a_colour_in_which_words_cannot_be_read_is_refused_with_one_that_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "meantime.toml"
    config.write_text('[brand]\ncolour_light = "#FFCC00"\ncolour_dark = "#22262C"\n', encoding="utf-8")
    code = cli.run(["serve", "--config", str(config), "--data", str(tmp_path)])
    said = capsys.readouterr().err
    assert code == 2
    assert said == (
        f"error: {config}: [brand] colour_light is '#FFCC00', of contrast 1.4 with the paper #FBFAF7; words and links need "
        "4.5 (WCAG 2.2, AA): '#7d6915' would do\n"
        f"{config}: [brand] colour_dark is '#22262C', of contrast 1.2 with the paper #12161B; words and links need "
        "4.5 (WCAG 2.2, AA): '#85888c' would do\n"
    )
    for theme, better in (("light", "#7d6915"), ("dark", "#85888c")):
        assert branding.faults({theme: better}) == []


def test_the_readme_s_brand_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[brand]" in block)
    (tmp_path / "acme.svg").write_text("<svg/>", encoding="utf-8")
    read = brand.parse(tomllib.loads(example)["brand"], tmp_path)
    assert (read.name, read.logo) == ("Acme service desk", tmp_path / "acme.svg")
    assert branding.faults(read.colours) == []


def test_the_charts_take_the_colour_from_the_theme() -> None:
    options = branding.options({"light": "#8A1538"})
    assert palette.themed(options.get, dark=False).accent == "#8A1538"
    assert palette.themed(options.get, dark=True) == DARK
