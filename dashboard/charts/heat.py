"""Values for pairs of members, and for the hours of a week, in one hue with its scale shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from dashboard import tones, words
from dashboard.charts import plot, scales, vega
from dashboard.charts.palette import Palette
from dashboard.charts.scales import Unit


class Field(NamedTuple):
    """One field of a heat map: the names of its row and column, its value if it has one, and what it goes by."""

    row: str
    column: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    keys: tuple[str, str] = ("", "")
    before: float | None = None


MOST_LABELLED = 10
"""Columns up to which the fields of a heat map carry their values."""


def matrix(
    fields: Sequence[Field],
    rows: Sequence[str],
    columns: Sequence[str],
    unit: Unit,
    colours: Palette,
    *,
    against: str = "",
) -> Any:
    """Draw a value for each pair of members in one hue with its scale shown; of hardly any a field has a dot, or its value without a tint."""
    settled = [one.value for one in fields if one.value is not None and (one.n >= scales.FEW or unit.kind == "count")]
    name = words.scale_of(max(settled, default=1.0)) if unit.kind == "hours" else ""
    divisor = words.hours_of(name) if name else 1.0
    title = f"{unit.title}, {words.LONG_UNITS[name]}" if name else unit.title
    top = max(settled, default=1.0) / divisor
    told = [
        {
            "row": one.row,
            "column": one.column,
            "v": None if one.value is None or (one.n < scales.FEW and unit.kind != "count") else one.value / divisor,
            "label": "" if one.value is None else unit.say(one.value),
            "between": "" if one.value is None else unit.between(one.value, one.low, one.high) or "none",
            "n": words.number(one.n),
            "row_key": one.keys[0],
            "column_key": one.keys[1],
            "click": "to filter, again to see the incidents",
            "ink": _ink_on(one, settled, unit, colours),
            **({"said": "no value" if one.before is None else unit.say(one.before)} if against else {}),
        }
        for one in fields
        if one.value is not None
    ]
    is_wide = len(columns) > MOST_LABELLED
    x_axis = alt.Axis(
        title=None, labelAngle=0 if is_wide else -40, ticks=False, domain=False, labelLimit=110, labelOverlap=is_wide
    )
    base = alt.Chart(vega.data(told)).encode(
        x=alt.X("column:N", sort=list(columns), scale=alt.Scale(domain=list(columns)), axis=x_axis),
        y=alt.Y(
            "row:N",
            sort=list(rows),
            scale=alt.Scale(domain=list(rows)),
            axis=alt.Axis(title=None, grid=False, labelLimit=130, labelColor=colours.ink),
        ),
    )
    has_limits = any(one.low is not None for one in fields)
    drawn = base.mark_rect(stroke=colours.paper, strokeWidth=1).encode(
        color=alt.Color(
            "v:Q",
            scale=alt.Scale(range=[colours.panel, colours.accent], domain=[0, top], interpolate="rgb"),
            legend=_shade(title, "~%" if unit.kind == "share" else ",~r", colours),
        ),
    )
    over = base.mark_rect(opacity=0).encode(
        tooltip=[
            alt.Tooltip("row:N", title="Row"),
            alt.Tooltip("column:N", title="Column"),
            alt.Tooltip("label:N", title=unit.title),
            *([alt.Tooltip("between:N", title="95 % interval")] if has_limits else []),
            alt.Tooltip("n:N", title="n"),
            *([alt.Tooltip("said:N", title=against)] if against else []),
            alt.Tooltip("click:N", title="Click"),
        ],
    )
    layers: list[Any] = [drawn.transform_filter("isValid(datum.v)")]
    if is_wide:
        few = base.mark_point(filled=True, color=colours.others, size=10, opacity=1)
        layers.append(few.transform_filter("!isValid(datum.v)"))
    else:
        text = base.mark_text(**plot.text(colours, fontSize=11))
        layers.append(text.encode(text=alt.Text("label:N"), color=alt.Color("ink:N", scale=None)))
    layers.append(over.add_params(plot.picking("row_key", "column_key")))
    return plot.dressed(vega.laid(*layers), colours, max(140, 28 * len(rows) + (70 if is_wide else 120)))


def _shade(title: str, form: str, colours: Palette) -> alt.Legend:
    """Say what a shade means, in one row above the picture."""
    return alt.Legend(
        title=title,
        orient="top",
        direction="horizontal",
        gradientLength=140,
        gradientThickness=8,
        titleFontWeight="normal",
        titleColor=colours.muted,
        labelColor=colours.muted,
        tickCount=3,
        titleLimit=300,
        format=form,
    )


def _ink_on(one: Field, settled: Sequence[float], unit: Unit, colours: Palette) -> str:
    """Choose the ink that can be read on a field of a heat map."""
    if one.value is None or (one.n < scales.FEW and unit.kind != "count"):
        return colours.muted
    share = min(1.0, one.value / (max(settled) or 1.0))
    ground = tones.mixed(colours.panel, colours.accent, share)
    return max((colours.ink, colours.paper), key=lambda ink: tones.contrast(ink, ground))


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def week_clock(counts: Mapping[tuple[int, int], int], colours: Palette) -> Any:
    """Draw how many there were at each hour of the week, in one hue with its scale shown; Monday is 1."""
    rows = [
        {
            "day": WEEKDAYS[weekday - 1],
            "hour": hour,
            "v": counts.get((weekday, hour), 0),
            "when": f"{WEEKDAYS[weekday - 1]} {hour:02d}:00 to {hour:02d}:59",
        }
        for weekday in range(1, 8)
        for hour in range(24)
    ]
    chart = (
        alt.Chart(vega.data(rows))
        .mark_rect(stroke=colours.paper, strokeWidth=1)
        .encode(
            x=alt.X(
                "hour:O",
                axis=alt.Axis(
                    title=None,
                    labelAngle=0,
                    ticks=False,
                    domain=False,
                    labelExpr="datum.value % 6 == 0 ? datum.value + ':00' : ''",
                ),
            ),
            y=alt.Y("day:O", sort=list(WEEKDAYS), axis=alt.Axis(title=None, grid=False)),
            color=alt.Color(
                "v:Q",
                scale=alt.Scale(
                    range=[colours.panel, colours.accent],
                    domain=[0, max(counts.values(), default=1)],
                    interpolate="rgb",
                ),
                legend=_shade("opened in that hour", ",~r", colours),
            ),
            tooltip=[alt.Tooltip("when:N", title="Hour"), alt.Tooltip("v:Q", title="Opened", format=",")],
        )
    )
    return plot.dressed(vega.laid(chart), colours, 260)
