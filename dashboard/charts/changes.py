"""What the parts of a change add to it, as bars or as a waterfall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import altair as alt

from dashboard import words
from dashboard.charts import plot, vega
from dashboard.charts.palette import Palette
from dashboard.charts.ranking import Bar
from dashboard.charts.scales import Unit


def contributions(bars: Sequence[Bar], unit: Unit, colours: Palette, say: Callable[[float], str]) -> Any:
    """Draw what each member adds to a change, to the right what adds and to the left what takes away."""
    rows = [
        {"name": bar.name, "v": bar.value, "zero": 0, "label": say(bar.value), "n": words.number(bar.n)} for bar in bars
    ]
    low, high = min(0.0, *(bar.value for bar in bars)), max(0.0, *(bar.value for bar in bars))
    room = (high - low) * 0.3
    domain = [low - room if low < 0 else 0.0, high + room if high > 0 else 0.0]
    base = alt.Chart(vega.data(rows)).encode(
        y=alt.Y(
            "name:N",
            sort=[bar.name for bar in bars],
            axis=alt.Axis(title=None, grid=False, labelLimit=200, labelColor=colours.ink),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="Name"),
            alt.Tooltip("label:N", title=f"Adds to {unit.title}"),
            alt.Tooltip("n:N", title="n"),
        ],
    )
    x = alt.X("v:Q", scale=alt.Scale(domain=domain, nice=False), axis=None)
    layers: list[Any] = [
        base.mark_bar(height={"band": 0.66}, color=colours.accent).encode(x=x, x2=alt.X2("zero:Q")),
        alt.Chart(vega.data([{"v": 0}])).mark_rule(color=colours.muted).encode(x=x),
    ]
    for side, align, dx in (("datum.v >= 0", "left", 6), ("datum.v < 0", "right", -6)):
        text = base.mark_text(**plot.text(colours, align=align, dx=dx, color=colours.ink))
        layers.append(text.encode(x=x, text=alt.Text("label:N")).transform_filter(side))
    return plot.dressed(vega.laid(*layers), colours, 27 * len(bars) + 30)


class Fall(NamedTuple):
    """One step of a change: `cause` decides its colour, `is_total` ends the picture."""

    name: str
    size: float
    cause: str
    reason: str
    is_total: bool = False


def waterfall(steps: Sequence[Fall], unit: Unit, colours: Palette, say: Callable[[float], str]) -> Any:
    """Draw how parts add up to a change: each begins where the one above it ends, the last is their sum."""
    tints = {"rate": colours.accent, "mix": colours.series[1], "total": colours.ink}
    rows: list[dict[str, Any]] = []
    at = 0.0
    for step in steps:
        begins = 0.0 if step.is_total else at
        ends = begins + step.size
        rows.append(
            {
                "name": step.name,
                "from": begins,
                "to": ends,
                "end": max(begins, ends) if step.size >= 0 else min(begins, ends),
                "label": say(step.size),
                "reason": step.reason,
                "tint": tints.get(step.cause, colours.others),
                "is_up": step.size >= 0,
            }
        )
        at = ends
    reach = [float(row[key]) for row in rows for key in ("from", "to")]
    low, high = min(0.0, *reach), max(0.0, *reach)
    room = (high - low or 1.0) * 0.28
    goes_left = any(not row["is_up"] and row["to"] <= low + room for row in rows)
    x_scale = alt.Scale(domain=[low - (room if goes_left else room * 0.1), high + room], nice=False)
    y = alt.Y(
        "name:N",
        sort=[step.name for step in steps],
        axis=alt.Axis(title=None, grid=False, labelLimit=176, labelColor=colours.ink),
    )
    base = alt.Chart(vega.data(rows)).encode(
        y=y,
        tooltip=[
            alt.Tooltip("name:N", title="Part"),
            alt.Tooltip("label:N", title=f"Adds to {unit.title}"),
            alt.Tooltip("reason:N", title="Why"),
        ],
    )
    layers: list[Any] = [
        alt.Chart(vega.data([{"v": 0}]))
        .mark_rule(color=colours.lines)
        .encode(x=alt.X("v:Q", scale=x_scale, axis=None)),
        base.mark_bar(height={"band": 0.62}).encode(
            x=alt.X("from:Q", scale=x_scale, axis=None), x2=alt.X2("to:Q"), color=alt.Color("tint:N", scale=None)
        ),
    ]
    for side, align, dx in (("datum.is_up", "left", 6), ("!datum.is_up", "right", -6)):
        text = base.mark_text(**plot.text(colours, align=align, dx=dx, color=colours.ink))
        layers.append(
            text.encode(x=alt.X("end:Q", scale=x_scale, axis=None), text=alt.Text("label:N")).transform_filter(side)
        )
    return plot.dressed(vega.laid(*layers), colours, 30 * len(rows) + 30, top=4)
