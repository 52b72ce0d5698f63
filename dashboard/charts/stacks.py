"""Stacked pictures: a whole and its parts, as bars, over time, and for each member of a dimension."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import altair as alt

from dashboard import tones, words
from dashboard.charts import markings, plot, timeline, vega
from dashboard.charts.palette import Palette
from dashboard.charts.timeline import Note, Point


class Part(NamedTuple):
    """One part of a whole: `before` is what it was in the period before, or None where that cannot be compared.

    `between` says its limits, where they are known.
    """

    name: str
    value: float
    tint: str
    before: float | None = None
    between: str = ""


class Piece(NamedTuple):
    """One part of one bar or one period."""

    whole: str
    part: str
    value: float
    since: date | None = None


def tints(colours: Palette) -> dict[str, str]:
    """Give each family of the time ledger its colour: the same as in the life of one incident."""
    return {
        "waiting": colours.series[1],
        "waiting_in_hours": colours.series[1],
        "waiting_out_of_hours": tones.mixed(colours.series[1], colours.paper, 0.55),
        "working": colours.accent,
        "on_hold": colours.others,
        "resolved": tones.mixed(colours.others, colours.paper, 0.4),
        "unexplained": colours.lines,
    }


def parts(bars: Sequence[Part], colours: Palette) -> Any:
    """Draw the parts of a mean duration in hours, one bar each, with its share; a tick marks what it was before."""
    whole = sum(bar.value for bar in bars) or 1.0
    scale = words.scale_of(whole)
    rows = [
        {
            "name": bar.name,
            "v": bar.value,
            "tint": bar.tint,
            "label": f"{_said(bar.value, scale)} · {words.share(_rounded(bar.value / whole))}",
            "before": "" if bar.before is None else words.duration(bar.before, scale),
            "between": bar.between,
        }
        for bar in bars
    ]
    top = max([bar.value for bar in bars] + [bar.before or 0.0 for bar in bars])
    x_scale = alt.Scale(domain=[0, top * 1.45 or 1.0], nice=False)
    y = alt.Y(
        "name:N",
        sort=[bar.name for bar in bars],
        axis=alt.Axis(title=None, grid=False, labelLimit=170, labelColor=colours.ink),
    )
    is_compared = any(bar.before is not None for bar in bars)
    tooltip = [
        alt.Tooltip("name:N", title="Part"),
        alt.Tooltip("label:N", title="Mean, and share of the whole"),
        *([alt.Tooltip("between:N", title="95 % interval of the mean")] if any(bar.between for bar in bars) else []),
        *([alt.Tooltip("before:N", title="In the period before")] if is_compared else []),
    ]
    x = alt.X("v:Q", scale=x_scale, axis=None)
    base = alt.Chart(vega.data(rows)).encode(y=y, tooltip=tooltip)
    layers: list[Any] = [
        base.mark_bar(height={"band": 0.66}, stroke=colours.lines, strokeWidth=1).encode(
            x=x, color=alt.Color("tint:N", scale=None)
        )
    ]
    ends = [
        {"name": bar.name, "v": bar.before, "end": max(bar.value, bar.before)} for bar in bars if bar.before is not None
    ]
    if ends:
        marks = alt.Chart(vega.data(ends)).mark_tick(color=colours.ink, thickness=2, bandSize=24)
        layers.append(marks.encode(y=y, x=x))
    reach = [{**row, "end": max(bar.value, bar.before or 0.0)} for row, bar in zip(rows, bars, strict=True)]
    text = alt.Chart(vega.data(reach)).mark_text(font=plot.FONT, fontSize=12, align="left", dx=8, color=colours.ink)
    layers.append(text.encode(y=y, x=alt.X("end:Q", scale=x_scale, axis=None), text=alt.Text("label:N")))
    return plot.dressed(vega.laid(*layers), colours, max(110, 30 * len(bars) + 24), top=4)


def _colour(kinds: dict[str, tuple[str, str]], legend: alt.Legend | None) -> alt.Color:
    scale = alt.Scale(domain=[name for name, _ in kinds.values()], range=[tint for _, tint in kinds.values()])
    return alt.Color("part:N", scale=scale, legend=legend)


def _said(hours: float, scale: str) -> str:
    """Say a duration in the unit of the whole, or in its own where it would vanish."""
    return words.duration(hours, scale if hours / words.hours_of(scale) >= 0.05 else None)


def _rounded(share: float) -> float:
    return round(share, 2) if share >= 0.005 else share


def over_time(
    points: Sequence[Point],
    pieces: Sequence[Piece],
    kinds: dict[str, tuple[str, str]],
    colours: Palette,
    notes: Sequence[Note] = (),
) -> Any:
    """Draw how the shares of the parts developed, all of a period being 100 %; what cannot be compared is pale.

    Args:
        points: the periods, with why they cannot be compared.
        pieces: what each part was in each, by the period's first day.
        kinds: part -> its name and colour, from the bottom up.
        colours: those of the page.
        notes: known changes, to be marked.
    """
    totals: dict[date | None, float] = {}
    for piece in pieces:
        totals[piece.since] = totals.get(piece.since, 0.0) + piece.value
    rows = []
    for point in points:
        low = 0.0
        there = {piece.part: piece.value for piece in pieces if piece.since == point.since}
        wide = (point.until - point.since).days + 1
        for kind, (name, _) in kinds.items():
            value = there.get(kind, 0.0)
            if value:
                share = value / totals[point.since]
                rows.append(
                    {
                        "from": timeline.stamp(point.since, wide * 0.08),
                        "to": timeline.stamp(point.since, wide * 0.92),
                        "low": low,
                        "high": low + share,
                        "part": name,
                        "share": words.share(round(share, 3)),
                        "period": point.name,
                        "note": point.reason or point.flag,
                        "opacity": 0.35 if point.flag else 1.0,
                    }
                )
                low += share
    x = timeline.axis(points)
    # Streamlit draws once before the rows arrive: the reach of the axis must not depend on them.
    reach = vega.data(
        [{"from": timeline.stamp(points[0].since), "to": timeline.stamp(points[-1].until, 1)}],
    )
    frame = alt.Chart(reach).mark_rect(opacity=0).encode(x=x.of("from:T"), x2=alt.X2("to:T"))
    legend = alt.Legend(
        title=None, orient="top", columns=2, symbolType="square", labelColor=colours.ink, labelLimit=180
    )
    drawn = (
        alt.Chart(vega.data(rows))
        .mark_rect()
        .encode(
            x=x.of("from:T"),
            x2=alt.X2("to:T"),
            y=alt.Y(
                "low:Q",
                scale=alt.Scale(domain=[0, 1], nice=False),
                axis=alt.Axis(title=None, format="~%", tickCount=5),
            ),
            y2=alt.Y2("high:Q"),
            opacity=alt.Opacity("opacity:Q", scale=None),
            color=_colour(kinds, legend),
            tooltip=[
                alt.Tooltip("period:N", title="Period"),
                alt.Tooltip("part:N", title="Part"),
                alt.Tooltip("share:N", title="Share"),
                *([alt.Tooltip("note:N", title="Note")] if any(row["note"] for row in rows) else []),
            ],
        )
    )
    marked = markings.noted(notes, points, colours, x)
    return plot.dressed(vega.laid(frame, drawn, *marked), colours, 320, top=4)


def by_member(
    pieces: Sequence[Piece], order: Sequence[str], kinds: dict[str, tuple[str, str]], colours: Palette
) -> Any:
    """Draw one bar for each member, made of its parts in hours, in the order given; what the colours mean is said elsewhere."""
    sums = {name: sum(piece.value for piece in pieces if piece.whole == name) for name in order}
    top = max(sums.values(), default=1.0) or 1.0
    scale = words.scale_of(top)
    rows = []
    for name in order:
        low = 0.0
        there = {piece.part: piece.value for piece in pieces if piece.whole == name}
        for kind, (label, _) in kinds.items():
            if value := there.get(kind, 0.0):
                rows.append(
                    {
                        "name": name,
                        "low": low,
                        "high": low + value,
                        "part": label,
                        "label": f"{words.duration(value, scale)}, {words.share(round(value / sums[name], 3))} of its time",
                    }
                )
                low += value
    x_scale = alt.Scale(domain=[0, top * 1.25], nice=False)
    y = alt.Y("name:N", sort=[*order], axis=alt.Axis(title=None, grid=False, labelLimit=150, labelColor=colours.ink))
    drawn = (
        alt.Chart(vega.data(rows))
        .mark_bar(height={"band": 0.66})
        .encode(
            y=y,
            x=alt.X("low:Q", scale=x_scale, axis=None),
            x2=alt.X2("high:Q"),
            color=_colour(kinds, None),
            tooltip=[
                alt.Tooltip("name:N", title="Group"),
                alt.Tooltip("part:N", title="Part"),
                alt.Tooltip("label:N", title="Time"),
            ],
        )
    )
    totals = [{"name": name, "v": sums[name], "label": words.duration(sums[name], scale)} for name in order]
    text = (
        alt.Chart(vega.data(totals))
        .mark_text(font=plot.FONT, fontSize=12, align="left", dx=6, color=colours.ink)
        .encode(y=y, x=alt.X("v:Q", scale=x_scale, axis=None), text=alt.Text("label:N"))
    )
    return plot.dressed(vega.laid(drawn, text), colours, 27 * len(order) + 30, top=4)
