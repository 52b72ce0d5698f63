"""Targets that the configuration sets: whether they are met, in how many periods, and what each can tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from dashboard import periods, query
from dashboard.insights import targets as insight
from dashboard.insights.targets import Baseline, Reach, Verdict
from dashboard.periods import Bucket
from dashboard.query import Kpi, Scope, Warehouse
from dashboard.query.days import FINE, Measure, by_day

Part = tuple[tuple[str, tuple[str | None, ...]], ...]
"""Columns, each with its alternatives, as a scope has them."""
YEAR = timedelta(days=365)
DAY = timedelta(days=1)


class Target(NamedTuple):
    """One target."""

    kpi: str
    value: float
    """Hours, or a share between 0 and 1."""
    is_most: bool
    """It is met at or below the value; else at or above it."""
    since: date
    until: date | None
    part: Part
    """What it is for; empty for everything."""

    def is_met(self, value: float) -> bool:
        """Say whether a value meets it."""
        return value <= self.value if self.is_most else value >= self.value

    def is_for(self, where: Part) -> bool:
        """Say whether it is for exactly what a scope's filters leave."""
        return {name: set(values) for name, values in self.part} == {name: set(values) for name, values in where}


def targets(warehouse: Warehouse) -> list[Target]:
    """Give all targets that are published."""
    found = []
    for row in warehouse.targets.iter_rows(named=True):
        part = tuple((name, tuple(values)) for name, values in row.items() if isinstance(values, list))
        found.append(Target(row["kpi"], row["value"], row["is_most"], row["since"], row["until"], part))
    return found


def holding(known: Sequence[Target], name: str, scope: Scope) -> list[Target]:
    """Choose the targets of a KPI for exactly what a scope leaves that hold on any of its days, the newest last."""
    assert scope.since is not None
    assert scope.until is not None
    return [
        one
        for one in known
        if one.kpi == name
        and one.is_for(scope.where)
        and one.since <= scope.until
        and (one.until is None or one.until >= scope.since)
    ]


class Standing(NamedTuple):
    """How a KPI stands to a target over the days of a scope on which the target holds and that are complete."""

    target: Target
    since: date
    until: date
    value: float | None
    n: int
    verdict: Verdict
    met: int
    """Complete periods in which it is met, of as many as have enough incidents."""
    periods: int

    @property
    def is_met(self) -> bool | None:
        """Whether the value meets it; None where too few incidents say nothing."""
        return None if self.value is None or self.n < query.FEW else self.target.is_met(self.value)

    @property
    def distance(self) -> float:
        """How far the value lies on the good side of the target; negative on the other."""
        away = (self.value or 0.0) - self.target.value
        return -away if self.target.is_most else away

    @property
    def side(self) -> int:
        """1 where it is met beyond chance, -1 where it is missed beyond chance, 0 within chance."""
        return -self.verdict.side if self.target.is_most else self.verdict.side


def is_judged_on_log_hours(one: Kpi) -> bool:
    """Say whether the verdict on a KPI takes the shape of the days before: on a mean of durations."""
    return one.statistic == "mean" and one.unit == "hours"


def standing(
    warehouse: Warehouse, target: Target, since: date, until: date, grain: str, shape: float | None
) -> Standing | None:
    """Judge a target over a range of days; None where no complete day of it is the target's.

    Args:
        warehouse: the published version.
        target: the target.
        since: first day.
        until: last day.
        grain: of the periods that are counted.
        shape: of the baseline, as `ground` has it; read for a mean of durations only.
    """
    days = _complete(warehouse, target, max(since, target.since), min(until, target.until or until))
    if not days:
        return None
    scope = Scope(days[0], days[-1], target.part)
    whole = (days[0], days[-1])
    number = query.in_parts(warehouse, [target.kpi], scope, (whole,), limits=False)[target.kpi, days[0]]
    one = query.kpi(warehouse, target.kpi)
    if insight.is_summed(one.statistic):
        sums = _sums(warehouse, one, scope)
        verdict = insight.verdict_of_days(sums, one.statistic, one.unit, target.value, shape)
    else:
        rows = query.each(warehouse, target.kpi, scope)
        verdict = insight.verdict(rows, one.statistic, one.unit, target.value, shape)
    points = query.course(warehouse, target.kpi, scope, grain)
    counted = [
        point.value
        for point in points
        if point.value is not None and point.n >= query.FEW and point.bucket.status == "complete"
    ]
    met = sum(target.is_met(value) for value in counted)
    return Standing(target, days[0], days[-1], number.value, number.n, verdict, met, len(counted))


def _complete(warehouse: Warehouse, target: Target, since: date | None, until: date | None) -> list[date]:
    """Name the days of a range on which a KPI may be compared."""
    first, last = warehouse.first_day, warehouse.last_day
    if first is None or last is None:
        return []
    first, last = max(since or first, first), min(until or last, last)
    known = query.extents(warehouse, Scope(where=target.part))
    counted_at = query.kpi(warehouse, target.kpi).counted_at
    days = (first + timedelta(days=at) for at in range((last - first).days + 1))
    return [day for day in days if periods.judged(Bucket(day, day), known, target.kpi, counted_at).status == "complete"]


class Ground(NamedTuple):
    """The days that say what a target asks and can tell: up to a year before it, or after, where those before are few."""

    since: date | None
    until: date | None
    is_before: bool
    days: int
    """Days with incidents."""
    baseline: Baseline | None
    """None with fewer than 20 of them."""
    reach: dict[str, Reach]
    """What a month, a quarter and a year can tell; empty without a baseline."""


def ground(warehouse: Warehouse, target: Target) -> Ground:
    """Say what a target asks of what was before, and what it can tell."""
    before = _complete(warehouse, target, target.since - YEAR, target.since - DAY)
    found = _ground(warehouse, target, before, is_before=True)
    if found.baseline is None:
        after = _complete(warehouse, target, None, None)[-YEAR.days :]
        # What was before it is told, however few, if what came after is no more.
        other = _ground(warehouse, target, after, is_before=False)
        found = other if other.baseline is not None else found
    return found


def _ground(warehouse: Warehouse, target: Target, days: Sequence[date], *, is_before: bool) -> Ground:
    if not days:
        return Ground(None, None, is_before, 0, None, {})
    one = query.kpi(warehouse, target.kpi)
    scope = Scope(days[0], days[-1], target.part)
    if insight.is_summed(one.statistic):
        sums = _sums(warehouse, one, scope)
        there, base = sums.height, insight.baseline_of_days(sums, one.unit, len(days))
    else:
        rows = query.each(warehouse, target.kpi, scope)
        there, base = rows["day"].n_unique(), insight.baseline(rows, one.statistic, one.unit, len(days))
    reach = insight.reach(base, target.value, one.unit) if base is not None else {}
    return Ground(days[0], days[-1], is_before, there, base, reach)


def _sums(warehouse: Warehouse, one: Kpi, scope: Scope) -> pl.DataFrame:
    """Sum up what each incident adds to a mean or a share by day, as `insight.by_day` does."""
    assert scope.since is not None
    assert scope.until is not None
    is_hours = one.unit == "hours"
    (found,) = by_day(warehouse, [Measure(one, is_hours)], scope, (scope.since, scope.until))
    squares = "x2" if one.statistic == "mean" else "s"
    return found.filter(pl.col("n") > 0).select(
        "day",
        "n",
        x=pl.col("x") / 3600 if is_hours else pl.col("s").cast(pl.Float64),
        y=pl.col("s") / (FINE if is_hours else 1),
        yy=pl.col(squares).cast(pl.Float64) / (FINE**2 if is_hours else 1),
    )
