"""How durations or numbers are spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import altair as alt

from dashboard import words
from dashboard.charts import plot, scales, vega
from dashboard.charts.palette import Palette
from dashboard.charts.scales import Unit


class Bin(NamedTuple):
    """One class of a distribution, in hours or numbers; without an end, None."""

    low: float
    high: float | None
    n: int


class Reach(NamedTuple):
    """What the axes of distributions that stand side by side share: from, to, and the greatest share of a class."""

    low: float
    high: float
    share: float

    @classmethod
    def of(cls, all_of_them: Iterable[Sequence[Bin]], kind: str) -> Reach:
        """Reach over all of them."""
        whole = [(bins, sum(one.n for one in bins) or 1) for bins in all_of_them]
        ends = [_ended(one, kind == "hours") for bins, _ in whole for one in bins]
        share = max(one.n / total for bins, total in whole for one in bins)
        return cls(min(low for low, _ in ends), max(high for _, high in ends), share)


def distribution(
    bins: Sequence[Bin],
    marks: Sequence[tuple[str, float]],
    colours: Palette,
    height: int = 260,
    *,
    kind: str = "hours",
    before: Sequence[Bin] = (),
    against: str = "",
    reach: Reach | None = None,
    click: bool = False,
) -> Any:
    """Draw how durations or numbers are spread: durations on a log scale with ticks that people know.

    What it is set `against` is an outline of as many incidents. With a `reach` the columns are shares, on axes that are
    shared.
    """
    is_time = kind == "hours"
    ends = [_ended(one, is_time) for one in (*bins, *before)]
    domain = [min(low for low, _ in ends), max(high for _, high in ends)]
    if reach:
        domain = [min(domain[0], reach.low), max(domain[1], reach.high)]
    ticks: tuple[tuple[float, str], ...] = scales.TICKS
    if is_time and any(one.low == 0 for one in (*bins, *before)):
        ticks = ((domain[0], "0"), *(tick for tick in scales.TICKS if tick[0] > domain[0] * 10**0.25))
    x_scale = alt.Scale(type="log" if is_time else "linear", domain=domain, nice=False)
    axis = scales.log_axis(ticks=ticks) if is_time else alt.Axis(title=None, tickMinStep=1, format="d")
    x = alt.X("low:Q", scale=x_scale, axis=axis)
    total = sum(one.n for one in bins) or 1
    size = 1 / total if reach else 1.0
    rows = [
        {
            "low": low,
            "high": high,
            "v": one.n * size,
            "zero": 0,
            "range": _class_name(one, is_time),
            "count": words.number(one.n),
            "share": words.share(one.n / total),
            **({"adds": f"{one.low!r}:{'' if one.high is None else repr(one.high)}"} if click else {}),
            **({"click": "to see the incidents"} if click else {}),
        }
        for one, (low, high) in zip(bins, ends, strict=False)
    ]
    # An outline has as many incidents as the columns, or its height would say only that the periods differ in size.
    same = size * total / (sum(one.n for one in before) or 1)
    heights = [*(one.n * size for one in bins), *(one.n * same for one in before), reach.share if reach else 0.0]
    vertical = scales.scale(heights, Unit("share", "share of incidents") if reach else Unit("count", "incidents"))
    y = alt.Y("v:Q", scale=vertical.vega(), axis=vertical.axis)
    columns = (
        alt.Chart(vega.data(rows))
        .mark_rect(color=colours.accent, stroke=colours.paper, strokeWidth=1)
        .encode(
            x=x,
            x2=alt.X2("high:Q"),
            y=y,
            y2=alt.Y2("zero:Q"),
            tooltip=[
                alt.Tooltip("range:N", title="Took" if is_time else "Number"),
                alt.Tooltip("count:N", title="Incidents"),
                alt.Tooltip("share:N", title="Share"),
                *([alt.Tooltip("click:N", title="Click")] if click else []),
            ],
        )
    )
    layers: list[Any] = [columns.add_params(plot.picking("adds")) if click else columns]
    if before:
        steps = [
            {"low": low, "high": high, "v": one.n * same}
            for one, (low, high) in zip(before, ends[len(bins) :], strict=True)
        ]
        outline = alt.Chart(vega.data(steps)).mark_rule(color=colours.ink, strokeWidth=2)
        layers.append(outline.encode(x=x, x2=alt.X2("high:Q"), y=y))
    for at, (name, value) in enumerate(marks):
        said = words.duration(value) if is_time else words.number(value)
        rule = alt.Chart(vega.data([{"low": min(max(value, domain[0]), domain[1]), "label": f"{name} {said}"}]))
        layers.append(rule.mark_rule(color=colours.ink, strokeDash=[3, 3]).encode(x=x))
        # A name on the right half stands to the left of its line, or a narrow screen would cut it off.
        is_right = is_time and value > (domain[0] * domain[1]) ** 0.5
        layers.append(
            rule.mark_text(
                **plot.text(
                    colours,
                    align="right" if is_right else "left",
                    baseline="bottom",
                    dx=-3 if is_right else 3,
                    dy=-2 - 13 * (at % 2),
                    color=colours.ink,
                )
            ).encode(x=x, y=alt.YValue(0), text=alt.Text("label:N"))
        )
    return plot.dressed(vega.laid(*layers), colours, height)


def _ended(one: Bin, is_time: bool) -> tuple[float, float]:
    """Say from where to where a class is drawn."""
    if not is_time:
        return one.low - 0.5, one.low + 0.5
    high = one.high or one.low
    # A log scale has no zero: the class that begins there is drawn from a decade's quarter below its end.
    return one.low or high / 10**0.25, high


def _class_name(one: Bin, is_time: bool) -> str:
    if not is_time:
        return f"{words.number(one.low)}{' and more' if one.high is None else ''}"
    high = words.duration(one.high or one.low)
    return f"{words.duration(one.low)} to {high}" if one.low else f"under {high}"
