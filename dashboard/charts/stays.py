"""Curves of those who are still there, drawn on a log scale of the time since opening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from dashboard import words
from dashboard.charts import plot, scales, vega
from dashboard.charts.palette import Palette

HEIGHT = 280
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [5, 5])
"""Of neighbouring curves: no eye needs the colours to follow one of them."""


class Stay(NamedTuple):
    """One curve: `hours`, `open`, `low`, `high` in a frame, and its name where there are several."""

    name: str
    curve: pl.DataFrame


def staying(stays: Sequence[Stay], title: str, marks: Sequence[float], colours: Palette) -> Any:
    """Draw the share still there by the time since opening, each with its band; `marks` are hours to be marked."""
    last = max(float(stay.curve["hours"][-1]) for stay in stays)
    domain = [1 / 60, max(last, 1.0)]
    x_scale = alt.Scale(type="log", domain=domain, nice=False)
    axis = scales.log_axis("time since opening")
    y_scale = alt.Scale(domain=[0, 1], nice=False)
    share = alt.Axis(title=title, format="~%", tickCount=5)
    y = alt.Y("open:Q", scale=y_scale, axis=share)
    x = alt.X("hours:Q", scale=x_scale, axis=axis)
    layers: list[Any] = []
    for mark in marks:
        if domain[0] < mark < domain[1]:
            rule = alt.Chart(vega.data([{"hours": mark}])).mark_rule(color=colours.lines, strokeDash=[2, 3])
            layers.append(rule.encode(x=x))
    names = [stay.name for stay in stays]
    tints = list(colours.series[: len(stays)])
    legend = None
    if len(stays) > 1:
        legend = alt.Legend(
            orient="bottom", title=None, labelColor=colours.ink, columns=2, symbolType="stroke", labelLimit=150
        )
    colour = alt.Color("name:N", scale=alt.Scale(domain=names, range=tints), legend=legend)
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=names, range=DASHES[: len(stays)]), legend=legend)
    data = vega.data([_row(stay.name, row) for stay in stays for row in stay.curve.iter_rows(named=True)])
    base = alt.Chart(data)
    band = base.mark_area(opacity=0.16, interpolate="step-after")
    layers.append(band.encode(x=x, y=alt.Y("low:Q", scale=y_scale, axis=share), y2=alt.Y2("high:Q"), color=colour))
    line = base.mark_line(strokeWidth=2.2, interpolate="step-after")
    layers.append(line.encode(x=x, y=y, color=colour, strokeDash=dash))
    tooltip = [
        *([alt.Tooltip("name:N", title="Of")] if len(stays) > 1 else []),
        alt.Tooltip("after:N", title="After"),
        alt.Tooltip("said:N", title=title.capitalize()),
        alt.Tooltip("between:N", title="95 % interval"),
    ]
    points = base.mark_point(opacity=0, size=160, filled=True).encode(x=x, y=y, tooltip=tooltip)
    return plot.dressed(vega.laid(*layers, points), colours, HEIGHT)


def _row(name: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "name": name,
        "after": words.duration(row["hours"]),
        "said": words.share(row["open"]),
        "between": f"{words.share(row['low'])} to {words.share(row['high'])}",
    }
