"""Units and vertical scales: human ticks on a log scale of durations, everything else from zero in the unit that fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt

from dashboard import words

FEW = 5
"""Below this n a value is grey."""
ROOM_FOR_LIMITS = 1.5
"""A scale makes room for limits up to so many times the greatest value."""

TICKS = (
    (1 / 60, "1 min"),
    (1 / 6, "10 min"),
    (1.0, "1 h"),
    (8.0, "8 h"),
    (24.0, "1 d"),
    (168.0, "1 wk"),
    (720.0, "30 d"),
    (4380.0, "6 mo"),
)


class Unit(NamedTuple):
    """How the values of a chart are said and where they start."""

    kind: str
    title: str

    def say(self, value: float) -> str:
        """Say one value in words."""
        return words.value(value, self.kind)

    def between(self, value: float, low: float | None, high: float | None) -> str:
        """Say the limits of a value in the unit of that value, or nothing."""
        return words.between(low, high, self.kind, words.scale_of(value) if self.kind == "hours" else None)


def _log_domain(values: Sequence[float]) -> tuple[float, float]:
    """Reach from the tick below to the tick above.

    >>> _log_domain([2.0, 3.0]), _log_domain([8.0])
    ((1.0, 8.0), (1.0, 8.0))
    """
    low, high = min(values), max(values)
    # One value that lies on a tick would leave no room between them.
    below = [at for at, _ in TICKS if (at <= low if low < high else at < low)]
    above = [at for at, _ in TICKS if at >= high]
    return (below[-1] if below else low / 1.1, above[0] if above else high * 1.1)


def log_axis(title: str | None = None, ticks: Sequence[tuple[float, str]] = TICKS) -> alt.Axis:
    """Give an axis of hours with ticks that people know."""
    names = " : ".join(f"abs(datum.value - {at!r}) < 1e-6 ? '{name}'" for at, name in ticks) + " : ''"
    return alt.Axis(values=[at for at, _ in ticks], labelExpr=names, title=title)


def _nice(top: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    if top <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(top))
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= top * 0.9999)


class Scale(NamedTuple):
    """A vertical scale: what to divide the values by, its domain and its axis."""

    divisor: float
    domain: tuple[float, float]
    axis: alt.Axis
    is_log: bool
    marks_few: bool = True
    """A mean or share of hardly any is grey; a count is what it is."""

    def vega(self) -> alt.Scale:
        """Give it as Vega knows it."""
        zero: dict[str, Any] = {} if self.is_log else {"zero": False}
        return alt.Scale(type="log" if self.is_log else "linear", domain=list(self.domain), nice=False, **zero)

    def pixel(self, value: float, height: int) -> float:
        """Say how far below the top a value lies."""
        low, high = self.domain
        at = value / self.divisor
        if self.is_log:
            return height * (1 - math.log(max(at, low) / low) / math.log(high / low))
        return height * (1 - (at - low) / (high - low))


def scale(values: Sequence[float], unit: Unit, log: bool = False, from_zero: bool = True) -> Scale:
    """Choose a vertical scale: human ticks on a log scale of durations, otherwise from zero in the unit that fits."""
    if unit.kind == "hours" and log and [value for value in values if value > 0]:
        domain = _log_domain([value for value in values if value > 0])
        return Scale(1.0, domain, log_axis(unit.title), True)
    top = max(values, default=1.0)
    if unit.kind == "hours":
        name = words.scale_of(top)
        divisor = words.hours_of(name)
        title = f"{unit.title}, {words.LONG_UNITS[name]}"
        return Scale(divisor, (0.0, _nice(top / divisor * 1.04)), alt.Axis(title=title, tickCount=5), False)
    if unit.kind == "share":
        high = min(1.0, _nice(top * 1.08)) if top > 0 else 1.0
        return Scale(1.0, (0.0, high), alt.Axis(title=unit.title, format="~%", tickCount=5), False)
    axis = alt.Axis(
        title=unit.title,
        format="~s" if top >= 10_000 else ",~r",
        tickCount=5,
        tickMinStep=1 if top > 2 or unit.kind == "count" else 0.1,
    )
    return Scale(1.0, (0.0, _nice(max(top, 1e-9) * 1.06)), axis, False, unit.kind != "count")
