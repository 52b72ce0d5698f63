"""The layers of a trend that are its values: lines, points, bands of limits, columns, and how high they reach."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboard.charts import plot, scales, timeline, vega
from dashboard.charts.palette import Palette
from dashboard.charts.scales import Scale
from dashboard.charts.timeline import Point, Series, TimeAxis


def heights(points: Sequence[Point]) -> list[float]:
    """Give the values that a scale must reach: one that cannot be compared may leave the picture, not flatten it."""
    everything = [point.value for point in points if point.value is not None]
    comparable = [point.value for point in points if point.value is not None and not point.flag]
    if len(comparable) < 3 or sum(value > 1.5 * max(comparable) for value in everything) not in (1, 2):
        return everything
    return [*comparable, 1.15 * max(comparable)]


def reached(points: Sequence[Point]) -> list[float]:
    """Give the limits that a scale must reach: a wide band may leave the picture, not flatten the line."""
    comparable = [point for point in points if point.value is not None and not point.flag]
    tallest = max((point.value or 0.0 for point in comparable), default=0.0)
    lowest = min((point.value or 0.0 for point in comparable), default=0.0)
    highs = [min(point.high, scales.ROOM_FOR_LIMITS * tallest) for point in comparable if point.high is not None]
    return highs + [max(point.low, lowest / scales.ROOM_FOR_LIMITS) for point in comparable if point.low is not None]


def row(point: Point, vertical: Scale) -> dict[str, Any]:
    """Place a value on the scale; one that lies beyond stands at its edge."""
    assert point.value is not None
    low, high = vertical.domain
    at = point.value / vertical.divisor
    few = point.n < scales.FEW and vertical.marks_few
    # What lies beyond stands a little below the edge, clear of the name above the plot.
    shown = min(max(at, low), high) if at <= high else high - 0.03 * (high - low)
    return {"at": timeline.middle(point), "v": shown, "beyond": at > high, "few": few}


SHAPES = ("circle", "square", "diamond")
"""Of the points of neighbouring lines: no eye needs the colours to follow one of them."""


def line(
    line: Series,
    vertical: Scale,
    tint: str,
    x: TimeAxis,
    y: alt.Y,
    colours: Palette,
    shape: str = SHAPES[0],
) -> list[Any]:
    """Draw values joined where they can be compared, with a point for each where there is room."""
    layers: list[Any] = []
    stretches = timeline.runs(line.points)
    for dashed in (False, True):
        rows = [
            {**row(point, vertical), "run": at}
            for at, (is_dashed, members) in enumerate(stretches)
            if is_dashed == dashed
            for point in members
        ]
        if rows:
            layers.append(
                alt.Chart(vega.data(rows))
                .mark_line(color=tint, strokeWidth=2.2, strokeDash=[4, 4] if dashed else [1, 0], strokeJoin="round")
                .encode(x=x.of(), y=y, detail=alt.Detail("run:N"))
            )
    joined = {id(point) for _, members in stretches for point in members}
    known = [point for point in line.points if point.value is not None]
    solid = [
        row(point, vertical) for point in known if not point.flag and (len(known) <= 40 or id(point) not in joined)
    ]
    hollow = [row(point, vertical) for point in known if point.flag and (len(known) <= 120 or id(point) not in joined)]
    if solid:
        layers.append(
            alt.Chart(vega.data(solid))
            .mark_point(filled=True, size=26 if shape == SHAPES[0] else 40, opacity=1, shape=shape)
            .encode(x=x.of(), y=y, color=alt.ColorValue(tint, condition=plot.when("datum.few", colours.others)))
        )
    if hollow:
        layers.append(
            alt.Chart(vega.data(hollow))
            .mark_point(filled=True, fill=colours.paper, stroke=tint, strokeWidth=1.6, size=38, opacity=1)
            .encode(
                x=x.of(),
                y=y,
                # What lies beyond the scale is a triangle at its edge.
                shape=alt.ShapeValue(shape, condition=plot.when("datum.beyond", "triangle-up")),
            )
        )
    return layers


def band(line: Series, vertical: Scale, tint: str, x: TimeAxis, y: alt.Y) -> list[Any]:
    """Draw a band between the limits of each period; one of a single period is a stroke. A limit that lacks leaves a gap."""
    bottom, top = vertical.domain

    def row(point: Point, run: int) -> dict[str, Any]:
        low, high = (min(max(limit / vertical.divisor, bottom), top) for limit in (point.low or 0.0, point.high or 0.0))
        return {"at": timeline.middle(point), "v": low, "high": high, "run": run}

    whole: list[dict[str, Any]] = []
    alone: list[dict[str, Any]] = []
    grouped = itertools.groupby(line.points, key=lambda point: None not in (point.value, point.low, point.high))
    for run, (is_known, group) in enumerate(grouped):
        if is_known:
            rows = [row(point, run) for point in group]
            (whole if len(rows) > 1 else alone).extend(rows)
    layers: list[Any] = []
    if whole:
        area = alt.Chart(vega.data(whole)).mark_area(color=tint, opacity=0.16, line=False)
        layers.append(area.encode(x=x.of(), y=y, y2=alt.Y2("high:Q"), detail=alt.Detail("run:N")))
    if alone:
        stroke = alt.Chart(vega.data(alone)).mark_rule(color=tint, opacity=0.4, strokeWidth=3)
        layers.append(stroke.encode(x=x.of(), y=y, y2=alt.Y2("high:Q")))
    return layers


def columns(line: Series, vertical: Scale, tint: str, x: TimeAxis, y: alt.Y) -> list[Any]:
    """Draw one column for each period; of one that cannot be compared, its outline."""
    layers: list[Any] = []
    for flagged in (False, True):
        rows = []
        for point in line.points:
            if point.value is not None and bool(point.flag) == flagged:
                # A fifth of the period stays free, so that neighbours are told apart without a border.
                wide = (point.until - point.since).days + 1
                rows.append(
                    {
                        "from": timeline.stamp(point.since, wide * 0.1),
                        "to": timeline.stamp(point.since, wide * 0.9),
                        "v": min(point.value / vertical.divisor, vertical.domain[1]),
                        "zero": 0,
                    }
                )
        if rows:
            mark: dict[str, Any] = {"color": tint, "stroke": tint}
            if flagged:
                mark |= {"fillOpacity": 0.12, "strokeDash": [3, 3], "strokeWidth": 1.2}
            layers.append(
                alt.Chart(vega.data(rows))
                .mark_rect(**mark)
                .encode(x=x.of("from:T"), x2=alt.X2("to:T"), y=y, y2=alt.Y2("zero:Q"))
            )
    return layers
