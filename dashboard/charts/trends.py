"""Values over time, with what stands at the ends of their lines and under the pointer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from dashboard import tones, words
from dashboard.charts import lines, markings, plot, scales, timeline, vega
from dashboard.charts.palette import Palette
from dashboard.charts.scales import Scale, Unit
from dashboard.charts.timeline import Goal, Note, Point, Series, TimeAxis

MOST_BANDS = 3
"""Lines of one picture that have bands."""
LABEL_ROOM = 92
"""Pixels that a name at the end of a line may take."""


def _spread(wanted: Sequence[tuple[str, float]], room: float = 15) -> dict[str, float]:
    """Move labels apart that would overlap, keeping their order; positions in pixels from the top."""
    placed: dict[str, float] = {}
    last = -math.inf
    for name, at in sorted(wanted, key=lambda pair: pair[1]):
        last = max(at, last + room)
        placed[name] = last
    return placed


def trend(
    series: Sequence[Series],
    unit: Unit,
    colours: Palette,
    *,
    log: bool = False,
    tints: Mapping[str, str] | None = None,
    height: int = plot.HEIGHT,
    click: bool = False,
    bars: bool = False,
    notes: Sequence[Note] = (),
    goals: Sequence[Goal] = (),
    beside: Sequence[Point] = (),
    named: bool = True,
) -> alt.LayerChart:
    """Draw values over time: gaps stay gaps, what cannot be compared is hollow, dashed and on a named shade.

    Points `beside` are those of all charts that share its scale, its own among them. Lines that are not `named` at their ends are
    told apart by what stands above the picture.
    """
    tints = tints or {}
    points = series[0].points
    everything = list(beside) or [point for line in series for point in line.points]
    known = [point.value for point in everything if point.value is not None]
    reached = [
        *([] if bars or len(series) > MOST_BANDS else lines.reached(everything)),
        *(goal.value for goal in goals),
    ]
    vertical = scales.scale([*(known if log else lines.heights(everything)), *reached], unit, log)
    x = timeline.axis(points)
    y = alt.Y("v:Q", scale=vertical.vega(), axis=vertical.axis)
    layers = markings.shades(points, colours, x)
    for at, line in enumerate(series):
        tint = tints.get(line.name, colours.series[at] if at < len(colours.series) else colours.others)
        # More bands than that are a fog; the tooltip has the limits.
        layers += [] if bars or len(series) > MOST_BANDS else lines.band(line, vertical, tint, x, y)
        shape = lines.SHAPES[at % len(lines.SHAPES)]
        layers += (
            lines.columns(line, vertical, tint, x, y)
            if bars
            else lines.line(line, vertical, tint, x, y, colours, shape)
        )
    if len(series) > 1 and not bars and named:
        layers.append(_ends(series, vertical, tints, colours, x, height))
    layers += markings.noted(notes, points, colours, x)
    layers += markings.goals(goals, points, vertical, colours, x, y)
    layers.append(_hover(series, unit, x, click, notes))
    return plot.dressed(vega.laid(*layers), colours, height)


def _ends(
    series: Sequence[Series],
    vertical: Scale,
    tints: Mapping[str, str],
    colours: Palette,
    x: TimeAxis,
    height: int,
) -> Any:
    wanted, last = [], {}
    for line in series:
        known = [point for point in line.points if point.value is not None]
        if known:
            last[line.name] = known[-1]
            wanted.append((line.name, vertical.pixel(float(known[-1].value or 0), height - 60)))
    heights = _spread(wanted)
    nudges = {name: heights[name] - at for name, at in wanted}
    layers = []
    for at, line in enumerate(series):
        if line.name not in last:
            continue
        tint = tints.get(line.name, colours.series[at] if at < len(colours.series) else colours.others)
        layers.append(
            alt.Chart(vega.data([{**lines.row(last[line.name], vertical), "name": line.name}]))
            .mark_text(
                **plot.text(
                    colours,
                    color=tones.legible(tint, colours.paper, colours.ink),
                    align="left",
                    baseline="middle",
                    dx=9,
                    dy=nudges[line.name],
                    limit=LABEL_ROOM,
                    fontWeight=600,
                )
            )
            .encode(x=x.of(), y=alt.Y("v:Q", scale=vertical.vega(), axis=vertical.axis), text=alt.Text("name:N"))
        )
    return vega.laid(*layers)


def _hover(
    series: Sequence[Series],
    unit: Unit,
    x: TimeAxis,
    click: bool,
    notes: Sequence[Note],
) -> Any:
    """An invisible column per period: the whole of it answers to the pointer, not only the thin line."""
    rows = []
    for at, point in enumerate(series[0].points):
        row: dict[str, Any] = {
            "from": timeline.stamp(point.since),
            "to": timeline.stamp(point.until, 1),
            "since": point.since.isoformat(),
            "Period": point.name,
        }
        for line in series:
            row[line.name] = _told(line.points[at], unit)
        known = [f"{words.day(note.day)}: {note.text}" for note in notes if point.since <= note.day <= point.until]
        row["Note"] = "; ".join(filter(None, [point.reason or point.flag, *known]))
        if click:
            row["Click"] = "to see the incidents"
        rows.append(row)
    shown = [
        "Period",
        *(line.name for line in series),
        *(["Note"] if any(row["Note"] for row in rows) else []),
        *(["Click"] if click else []),
    ]
    chart = (
        alt.Chart(vega.data(rows))
        .mark_rect(opacity=0)
        .encode(
            x=x.of("from:T"),
            x2=alt.X2("to:T"),
            tooltip=[alt.Tooltip(field=_escaped(name), type="nominal", title=name) for name in shown],
        )
    )
    if click:
        chart = chart.add_params(plot.picking("since"))
    return chart


def _told(point: Point, unit: Unit) -> str:
    if point.value is None:
        return "no value"
    limits = unit.between(point.value, point.low, point.high)
    return f"{unit.say(point.value)} ({f'{limits}, ' if limits else ''}n {words.number(point.n)})"


def _escaped(name: str) -> str:
    """Vega reads dots and brackets in a field's name as a path."""
    return name.replace("\\", "\\\\").replace(".", "\\.").replace("[", "\\[").replace("]", "\\]")
