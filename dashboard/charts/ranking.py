"""One bar for each member of a dimension."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import altair as alt

from dashboard import words
from dashboard.charts import plot, scales, vega
from dashboard.charts.palette import Palette
from dashboard.charts.scales import Unit

MOST_BARS = 12


class Bar(NamedTuple):
    """One member of a dimension, with the limits of its value where there are any."""

    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None
    key: str = ""
    """What it goes by where it is clicked."""
    before: float | None = None
    """What it is set against."""


def ranked(bars: Iterable[Bar], most: int = MOST_BARS, few_last: bool = False) -> tuple[list[Bar], int]:
    """Sort by value and keep the first, those of hardly any behind the others; also say how many are left out."""
    ordered = sorted(bars, key=lambda bar: (few_last and bar.n < scales.FEW, -bar.value, bar.name))
    return ordered[:most], max(0, len(ordered) - most)


def reach_of(bars: Sequence[Bar]) -> list[float]:
    """Say how far each bar and its limits go: a wide interval may leave the picture, not flatten the bars."""
    top = scales.ROOM_FOR_LIMITS * max((bar.value for bar in bars), default=1.0)
    return [max(bar.value, bar.before or 0.0, min(bar.high or 0.0, top)) for bar in bars]


def by_member(
    bars: Sequence[Bar],
    unit: Unit,
    colours: Palette,
    *,
    mark: float | None = None,
    against: str = "",
    click: bool = False,
    beside: Sequence[Bar] = (),
    room: int = 150,
) -> Any:
    """Draw one bar for each member of a dimension, in the order given; `mark` is a line for the whole.

    A tick says where a member lies in what it is set `against`. Bars `beside` are of charts on the same scale. A name
    may take so many pixels of `room`.
    """
    reach = dict(zip((bar.name for bar in bars), reach_of(bars), strict=True))
    vertical = scales.scale([*reach.values(), *reach_of(beside), *([mark] if mark is not None else [])], unit)
    order = [bar.name for bar in bars]
    rows = [
        {
            "name": bar.name,
            "v": bar.value / vertical.divisor,
            "zero": 0,
            "low": None if bar.low is None or bar.high is None else bar.low / vertical.divisor,
            "end": reach[bar.name] / vertical.divisor,
            "label": unit.say(bar.value),
            "between": unit.between(bar.value, bar.low, bar.high) or "none",
            "n": words.number(bar.n),
            "few": bar.n < scales.FEW and unit.kind != "count",
            **({"key": bar.key, "click": "to filter, again to see the incidents"} if click else {}),
            **(
                {
                    "before": None if bar.before is None else bar.before / vertical.divisor,
                    "said": "no value" if bar.before is None else unit.say(bar.before),
                }
                if against
                else {}
            ),
        }
        for bar in bars
    ]
    limited = [row for row in rows if row["low"] is not None]
    base = alt.Chart(vega.data(rows)).encode(
        y=alt.Y("name:N", sort=order, axis=alt.Axis(title=None, grid=False, labelLimit=room, labelColor=colours.ink)),
        tooltip=[
            alt.Tooltip("name:N", title="Name"),
            alt.Tooltip("label:N", title=unit.title),
            *([alt.Tooltip("between:N", title="95 % interval")] if limited else []),
            alt.Tooltip("n:N", title="n"),
            *([alt.Tooltip("said:N", title=against)] if against else []),
            *([alt.Tooltip("click:N", title="Click")] if click else []),
        ],
    )
    across = alt.Scale(domain=[0, vertical.domain[1] * 1.22], nice=False)
    x, behind = alt.X("v:Q", scale=across, axis=None), alt.X("end:Q", scale=across, axis=None)
    drawn = base.mark_bar(height={"band": 0.66}).encode(
        x=x,
        color=alt.ColorValue(colours.accent, condition=plot.when("datum.few", colours.lines)),
        stroke=alt.StrokeValue(colours.accent, condition=plot.when("datum.few", colours.others)),
    )
    text = base.mark_text(**plot.text(colours, align="left", dx=6, color=colours.ink)).encode(
        x=behind, text=alt.Text("label:N")
    )
    # A name that crosses the line for the whole stands on a strip of paper.
    strip = base.mark_text(
        **plot.text(colours, align="left", dx=6, color=colours.paper, stroke=colours.paper, strokeWidth=5)
    ).encode(x=behind, text=alt.Text("label:N"))
    layers = [drawn, strip, text]
    if limited:
        between = base.mark_rule(color=colours.ink, strokeWidth=1.2).transform_filter("isValid(datum.low)")
        layers.insert(1, between.encode(x=alt.X("low:Q", scale=across, axis=None), x2=alt.X2("end:Q")))
    if against:
        tick = base.mark_tick(color=colours.ink, thickness=2.5, bandSize=16, orient="vertical")
        layers.append(
            tick.transform_filter("isValid(datum.before)").encode(x=alt.X("before:Q", scale=across, axis=None))
        )
    if click:
        # The whole row answers to the pointer, not only the bar, which may be short.
        row = base.mark_bar(opacity=0, height={"band": 1}).encode(x=alt.XValue("width"), x2=alt.X2Value(0))
        layers.append(row.add_params(plot.picking("key")))
    if mark is not None:
        rule = alt.Chart(vega.data([{"v": mark / vertical.divisor, "label": f"all: {unit.say(mark)}"}]))
        layers.insert(0, rule.mark_rule(color=colours.muted, strokeDash=[2, 3]).encode(x=x))
        layers.append(
            rule.mark_text(
                **plot.text(colours, baseline="bottom", align="left", dx=4, dy=-2, fontStyle="italic", fontSize=11)
            ).encode(x=x, y=alt.YValue(0), text=alt.Text("label:N"))
        )
    return plot.dressed(vega.laid(*layers), colours, max(90, 27 * len(bars) + 30))
