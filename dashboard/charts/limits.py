"""Control charts, drawn: values with their centre line and limits, the baseline shaded, signals marked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import altair as alt

from dashboard.charts import markings, plot, scales, timeline, vega
from dashboard.charts.palette import Palette
from dashboard.charts.scales import Scale, Unit
from dashboard.charts.timeline import Note, Point, TimeAxis


class Judged(NamedTuple):
    """One period: its point, its centre and limits where there are any, and what is said of it if it signals."""

    point: Point
    centre: float | None
    low: float | None
    high: float | None
    signal: str = ""
    between: str = ""
    """The limits in words."""


def control(
    periods: Sequence[Judged],
    baseline: tuple[date, date] | None,
    unit: Unit,
    colours: Palette,
    notes: Sequence[Note] = (),
) -> Any:
    """Draw a control chart; `baseline` is the first and the last day of what the limits are made of."""
    points = [one.point for one in periods]
    comparable = [one for one in periods if not one.point.flag]
    is_log = unit.kind == "hours"
    lines = [(one.point.value, one.high, one.low if is_log else None) for one in comparable]
    vertical = scales.scale([value for three in lines for value in three if value is not None], unit, log=is_log)
    x = timeline.axis(points)
    y = alt.Y("v:Q", scale=vertical.vega(), axis=vertical.axis)
    limited = [_step(one, vertical) for one in periods if one.centre is not None]
    layers: list[Any] = []
    if baseline is not None:
        layers += _shaded(baseline, colours, x)
    if limited:
        band = alt.Chart(vega.data(limited)).mark_rect(color=colours.accent, opacity=0.13)
        layers.append(band.encode(x=x.of("from:T"), x2=alt.X2("to:T"), y=y, y2=alt.Y2("high:Q")))
        centre = alt.Chart(vega.data(limited)).mark_rule(color=colours.muted, strokeWidth=1.2)
        across = alt.Y("centre:Q", scale=vertical.vega(), axis=vertical.axis)
        layers.append(centre.encode(x=x.of("from:T"), x2=alt.X2("to:T"), y=across))
    layers += _values(periods, vertical, colours, x, y)
    layers += markings.noted(notes, points, colours, x)
    layers.append(_told(periods, unit, x))
    return plot.dressed(vega.laid(*layers), colours)


def _step(one: Judged, vertical: Scale) -> dict[str, Any]:
    bottom, top = vertical.domain
    low, centre, high = (
        min(max((value or 0.0) / vertical.divisor, bottom), top) for value in (one.low, one.centre, one.high)
    )
    reach = {"from": timeline.stamp(one.point.since), "to": timeline.stamp(one.point.until, 1)}
    return {**reach, "v": low, "centre": centre, "high": high}


def _shaded(baseline: tuple[date, date], colours: Palette, x: TimeAxis) -> list[Any]:
    rows = alt.Data(
        values=[{"from": timeline.stamp(baseline[0]), "to": timeline.stamp(baseline[1], 1), "name": "baseline"}]
    )
    shade = alt.Chart(rows).mark_rect(color=colours.lines, opacity=0.38)
    style = plot.text(colours, fontSize=11, align="left", baseline="bottom", dy=-6, fontStyle="italic")
    name = alt.Chart(rows).mark_text(**style).encode(x=x.of("from:T"), y=alt.YValue(0), text=alt.Text("name:N"))
    return [shade.encode(x=x.of("from:T"), x2=alt.X2("to:T")), name]


def _values(periods: Sequence[Judged], vertical: Scale, colours: Palette, x: TimeAxis, y: alt.Y) -> list[Any]:
    bottom, top = vertical.domain

    def row(one: Judged) -> dict[str, Any]:
        at = (one.point.value or 0.0) / vertical.divisor
        return {"at": timeline.middle(one.point), "v": min(max(at, bottom), top)}

    known = [one for one in periods if one.point.value is not None]
    layers: list[Any] = []
    for run, (is_dashed, members) in enumerate(timeline.runs([one.point for one in periods])):
        if not is_dashed:
            rows = [
                {"at": timeline.middle(point), "v": min((point.value or 0.0) / vertical.divisor, top), "run": run}
                for point in members
            ]
            line = alt.Chart(vega.data(rows)).mark_line(color=colours.accent, strokeWidth=1.6)
            layers.append(line.encode(x=x.of(), y=y))
    styles: dict[str, tuple[list[Judged], dict[str, Any]]] = {
        "usual": (
            [one for one in known if not one.signal and not one.point.flag],
            {"color": colours.accent, "size": 22},
        ),
        "hollow": (
            [one for one in known if one.point.flag],
            {"fill": colours.paper, "stroke": colours.accent, "strokeWidth": 1.4, "size": 30},
        ),
        # Ink and another shape, not colour alone.
        "signal": ([one for one in known if one.signal], {"color": colours.ink, "size": 110, "shape": "diamond"}),
    }
    for members_, style in styles.values():
        if members_:
            dots = alt.Chart(vega.data([row(one) for one in members_])).mark_point(filled=True, opacity=1, **style)
            layers.append(dots.encode(x=x.of(), y=y))
    return layers


def _told(periods: Sequence[Judged], unit: Unit, x: TimeAxis) -> Any:
    rows = [
        {
            "from": timeline.stamp(one.point.since),
            "to": timeline.stamp(one.point.until, 1),
            "Period": one.point.name,
            "Value": "no value" if one.point.value is None else unit.say(one.point.value),
            "Limits": one.between or "none",
            "n": one.point.n,
            "Verdict": one.signal or one.point.reason or one.point.flag or "within",
        }
        for one in periods
    ]
    shown = [alt.Tooltip(f"{name}:N", title=name) for name in ("Period", "Value", "Limits", "n", "Verdict")]
    chart = alt.Chart(vega.data(rows)).mark_rect(opacity=0)
    return chart.encode(x=x.of("from:T"), x2=alt.X2("to:T"), tooltip=shown)
