"""Points over time and the axis that they stand on: days are milliseconds in UTC, so that no browser moves them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import altair as alt

from dashboard import manners

_EPOCH = date(1970, 1, 1).toordinal()


class Point(NamedTuple):
    """One period of a trend: `flag` names why it cannot be compared, or is empty; `reason` says it at length."""

    since: date
    until: date
    value: float | None
    n: int
    name: str
    flag: str = ""
    reason: str = ""
    low: float | None = None
    high: float | None = None


class Note(NamedTuple):
    """A known change, to be marked where it happened."""

    day: date
    text: str


class Goal(NamedTuple):
    """A target on a trend: what it asks, and the days on which it holds; without an end, None."""

    name: str
    value: float
    since: date
    until: date | None = None


class Series(NamedTuple):
    """One line of a trend."""

    name: str
    points: tuple[Point, ...]


def stamp(when: date, days: float = 0) -> int:
    """Give a day as Vega counts time: milliseconds in UTC, so that the browser's zone moves nothing."""
    return round((when.toordinal() + days - _EPOCH) * 86_400_000)


def middle(point: Point) -> int:
    """A point stands in the middle of its period, where the eye looks for it."""
    return stamp(point.since, ((point.until - point.since).days + 1) / 2)


class TimeAxis(NamedTuple):
    """The horizontal axis that all layers of a trend share."""

    scale: alt.Scale
    axis: alt.Axis | None

    def of(self, field: str = "at:T") -> alt.X:
        """Place a field on it."""
        return alt.X(field, scale=self.scale, axis=self.axis)


DAYS = {"dmy": "%-d %b", "mdy": "%b %-d", "ymd": "%m-%d"}
"""How an axis writes a day, by the order that its reader is used to."""
_STAMPS = (
    ("year", 366, "%Y"),
    ("quarter", 92, "Q%q %Y"),
    ("month", 31, "%b"),
    ("week", 7, ""),
    ("day", 1, ""),
)


def axis(points: Sequence[Point]) -> TimeAxis:
    """Give the horizontal axis of time: ticks where periods begin, in the reporting zone wherever the browser is."""
    long = (points[0].until - points[0].since).days + 1
    name, _, pattern = next(stamp for stamp in reversed(_STAMPS) if long <= stamp[1])
    step = math.ceil(len(points) / (12 if name == "month" else 8))
    named: dict[str, Any] = {}
    if name == "month":
        named["labelExpr"] = "utcFormat(datum.value, utcmonth(datum.value) == 0 ? '%b %Y' : '%b')"
    axis = alt.Axis(
        title=None,
        format=pattern or DAYS[manners.here().order],
        values=[
            alt.DateTime(year=point.since.year, month=point.since.month, date=point.since.day, utc=True)
            for point in points[::step]
        ],
        **named,
    )
    # No domain of its own: the columns that answer to the pointer reach from the first day to the last.
    return TimeAxis(alt.Scale(type="utc", nice=False), axis)


def runs(points: Sequence[Point]) -> list[tuple[bool, list[Point]]]:
    """Cut a line where a period has no value; a stretch that touches a flagged period is dashed.

    Returns pairs of (is dashed, its points); neighbouring stretches share the point where they meet.
    """
    stretches: list[tuple[bool, list[Point]]] = []
    for whole, group in itertools.groupby(points, key=lambda point: point.value is not None):
        if not whole:
            continue
        known = list(group)
        for before, after in itertools.pairwise(known):
            dashed = bool(before.flag or after.flag)
            if stretches and stretches[-1][0] == dashed and stretches[-1][1][-1] is before:
                stretches[-1][1].append(after)
            else:
                stretches.append((dashed, [before, after]))
    return stretches


def flagged(points: Sequence[Point]) -> list[str]:
    """Name the shaded stretches of a trend, from left to right."""
    return [flag for flag, _ in itertools.groupby(points, key=lambda point: point.flag) if flag]


def within(notes: Sequence[Note], points: Sequence[Point]) -> list[Note]:
    """Give the known changes that fall into a trend."""
    return [note for note in notes if points[0].since <= note.day <= points[-1].until]
