"""The run of a value in a tile, as the browser and the report get it."""

from __future__ import annotations

import base64
import re
from datetime import date, timedelta
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.palette import LIGHT
from dashboard.charts.sparks import HEIGHT, Spark
from dashboard.charts.timeline import Point

MONDAY = date(2026, 1, 5)
SVG = "{http://www.w3.org/2000/svg}"


def week(at: int, value: float | None, n: int = 100, flag: str = "") -> Point:
    first = MONDAY + timedelta(7 * at)
    return Point(first, first + timedelta(6), value, n, f"week {at}", flag)


def drawn(*points: Point, width: int | None = 200) -> list[ET.Element]:
    found = ET.fromstring(Spark(points).svg(LIGHT, width))
    return [part for part in found.iter() if part.tag != f"{SVG}g"][1:]


def test_values_are_joined_from_left_to_right_and_stand_as_high_as_they_are() -> None:
    lines = [part.attrib for part in drawn(week(0, 10.0), week(1, 0.0), week(2, 5.0)) if part.tag == f"{SVG}line"]
    assert lines == [
        {"x1": "6", "y1": "8.37", "x2": "100", "y2": "38"},
        {"x1": "100", "y1": "38", "x2": "194", "y2": "23.19"},
    ]


def test_a_gap_stays_a_gap_and_what_cannot_be_compared_is_hollow_and_dashed() -> None:
    parts = drawn(week(0, 1.0), week(1, 1.0), week(2, None), week(3, 1.0), week(4, 1.0, flag="still running"))
    assert [(part.tag.removeprefix(SVG), part.get("stroke-dasharray")) for part in parts] == [
        ("line", None),
        ("line", "4 4"),
        ("circle", None),
        ("circle", None),
        ("circle", None),
        ("circle", None),
    ]
    assert [part.get("fill") for part in parts[2:]] == [LIGHT.accent, LIGHT.accent, LIGHT.accent, LIGHT.paper]


def test_a_value_of_hardly_any_is_grey_and_one_beyond_the_scale_is_a_triangle_at_its_edge() -> None:
    whole = [week(0, 1.0), week(1, 1.0, n=4), week(2, 1.0), week(3, 9.0, flag="edge of the extract")]
    grey, triangle = drawn(*whole)[4], drawn(*whole)[-2]
    assert grey.get("fill") == LIGHT.others
    assert (triangle.tag, triangle.get("y")) == (f"{SVG}svg", "6.96")


@given(st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=200).filter(lambda found: set(found) != {None}))
def test_every_value_lies_within_its_place_whatever_its_width(values: list[float | None]) -> None:
    points = [week(at, value) for at, value in enumerate(values)]
    for part in drawn(*points, width=None):
        for name, value in part.attrib.items():
            if re.fullmatch(r"c?x[12]?", name):
                assert value.endswith("%") and 0 <= float(value[:-1]) <= 100
            elif re.fullmatch(r"c?y[12]?", name):
                assert 0 <= float(value) <= HEIGHT


def test_an_image_says_what_it_shows_and_nothing_in_that_leaves_its_place() -> None:
    image = Spark((week(0, 1.0),)).image(LIGHT, 'opened "by hand": <b>1</b>')
    (found,) = re.findall(r'^<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)" style="[^"]+">$', image)
    assert ET.fromstring(base64.b64decode(found[0])).tag == f"{SVG}svg"
    assert found[1] == "opened &quot;by hand&quot;: &lt;b&gt;1&lt;/b&gt;"
