"""What stands on a trend beside its values: shades over what cannot be compared, known changes, targets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboard.charts import plot, timeline, vega
from dashboard.charts.palette import Palette
from dashboard.charts.scales import Scale
from dashboard.charts.timeline import Goal, Note, Point, TimeAxis

MOST_SIGNS = 30
"""Two names above a plot must fit side by side on a phone; those that do not are in the subtitle only."""
MOST_NOTES, NOTE_ROOM = 3, 130
"""Names of known changes that stand below each other, and the pixels that one may take; the tooltip has all of it."""


def _bands(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Give one shaded stretch for each run of periods with the same flag, and the name that there is room for."""
    rows: list[dict[str, Any]] = []
    for flag, group in itertools.groupby(enumerate(points), key=lambda pair: pair[1].flag):
        if flag:
            members = list(group)
            side = "right" if members[-1][0] >= len(points) / 2 else "left"
            reach = {"from": timeline.stamp(members[0][1].since), "to": timeline.stamp(members[-1][1].until, 1)}
            rows.append({**reach, "flag": flag, "name": "", "side": side})
    if len(rows) == 2 and rows[0]["side"] != rows[1]["side"] and sum(len(row["flag"]) for row in rows) <= MOST_SIGNS:
        rows[0]["name"] = rows[0]["flag"]
    if rows:
        rows[-1]["name"] = rows[-1]["flag"]
    return rows


def shades(points: Sequence[Point], colours: Palette, x: TimeAxis) -> list[Any]:
    """Shade what cannot be compared, with its name above the plot."""
    bands = _bands(points)
    if not bands:
        return []
    shade = (
        alt.Chart(vega.data(bands))
        .mark_rect(color=colours.lines, opacity=0.38)
        .encode(x=x.of("from:T"), x2=alt.X2("to:T"), tooltip=alt.Tooltip("flag:N", title="Shaded"))
    )
    layers: list[Any] = [shade]
    for side, edge in (("left", "from:T"), ("right", "to:T")):
        rows = [band for band in bands if band["side"] == side and band["name"]]
        if rows:
            # The name stands above the plot: inside, it would cross the line that it explains.
            style = plot.text(colours, fontSize=11, align=side, baseline="bottom", dy=-6, fontStyle="italic")
            names = alt.Chart(vega.data(rows)).mark_text(**style)
            layers.append(names.encode(x=x.of(edge), y=alt.YValue(0), text=alt.Text("name:N")))
    return layers


def noted(notes: Sequence[Note], points: Sequence[Point], colours: Palette, x: TimeAxis) -> list[Any]:
    """Mark each known change by a line with its name at the top; names of neighbours stand below each other."""
    layers: list[Any] = []
    middle = points[0].since + (points[-1].until - points[0].since) / 2
    for at, note in enumerate(timeline.within(notes, points)):
        noted = vega.data([{"at": timeline.stamp(note.day), "text": note.text}])
        layers.append(
            alt.Chart(noted).mark_rule(color=colours.muted, strokeWidth=1, strokeDash=[1, 2]).encode(x=x.of("at:T"))
        )
        is_left = note.day < middle
        style = plot.text(
            colours,
            fontSize=11,
            align="left" if is_left else "right",
            dx=4 if is_left else -4,
            dy=9 + 13 * (at % MOST_NOTES),
            limit=NOTE_ROOM,
        )
        for strip in ({"stroke": colours.paper, "strokeWidth": 4, "color": colours.paper}, {}):
            text = alt.Chart(noted).mark_text(**{**style, **strip})
            layers.append(text.encode(x=x.of("at:T"), y=alt.YValue(0), text=alt.Text("text:N")))
    return layers


def goals(
    goals: Sequence[Goal],
    points: Sequence[Point],
    vertical: Scale,
    colours: Palette,
    x: TimeAxis,
    y: alt.Y,
) -> list[Any]:
    """Draw each target as a line over the days on which it holds, with what it asks at its beginning, clear of the values."""
    layers: list[Any] = []
    begins = next((point.value for point in points if point.value is not None), 0.0)
    for goal in goals:
        first, last = max(goal.since, points[0].since), min(goal.until or points[-1].until, points[-1].until)
        row = {
            "at": timeline.stamp(first),
            "to": timeline.stamp(last, 1),
            "v": goal.value / vertical.divisor,
            "name": goal.name,
        }
        base = alt.Chart(vega.data([row]))
        line = base.mark_rule(color=colours.ink, strokeWidth=1.25, strokeDash=[6, 3])
        layers.append(line.encode(x=x.of("at:T"), x2=alt.X2("to:T"), y=y))
        is_under = begins >= goal.value
        place = {"baseline": "top" if is_under else "bottom", "dy": 4 if is_under else -3}
        style = plot.text(colours, fontSize=11, align="left", dx=4, color=colours.ink, **place)
        strips: tuple[dict[str, Any], ...] = ({"stroke": colours.paper, "strokeWidth": 4, "color": colours.paper}, {})
        texts = (base.mark_text(**{**style, **strip}) for strip in strips)
        layers += [text.encode(x=x.of("at:T"), y=y, text=alt.Text("name:N")) for text in texts]
    return layers
