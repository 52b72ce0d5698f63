"""Which KPIs are out of the ordinary, and which changes are known: the histories behind the control charts."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from dashboard import periods, query
from dashboard.insights import signals
from dashboard.periods import Bucket
from dashboard.query import Kpi, Scope, Warehouse
from dashboard.query.days import FINE, Measure, by_day

DAY = timedelta(days=1)
KINDS = {"rate": "rate", "count": "count", "quantile 0.5": "duration", "quantile 0.9": "duration"}
"""What a KPI makes of what each incident adds -> the kind of its chart; a quantile is watched by what it is taken from."""
TRUNCATED = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
"""The grains as polars cuts days to them."""


class KnownChange(NamedTuple):
    """A change that the configuration names."""

    day: date
    text: str
    splits: bool
    """What came before it is no yardstick, and all that is looked at is of the part that it concerns."""


def known_changes(warehouse: Warehouse, scope: Scope) -> list[KnownChange]:
    """Give the known changes that concern any of what the scope's filters leave, in order of time.

    One that concerns a part only splits no baseline of the whole.
    """
    found = []
    for row in warehouse.annotations.iter_rows(named=True):
        chosen = {name: set(alternatives) for name, alternatives in scope.where}
        parts = {name: set(row[name]) for name in row if isinstance(row[name], list)}
        if any(name in chosen and not chosen[name] & members for name, members in parts.items()):
            continue
        is_all_of_it = all(name in chosen and chosen[name] <= members for name, members in parts.items())
        found.append(KnownChange(row["annotated_on"], row["text"], row["splits_baseline"] and is_all_of_it))
    return found


def strangers(warehouse: Warehouse, column: str, members: Sequence[str]) -> dict[str, str | None]:
    """Name those of a column's members that no incident has, each with the nearest that one has."""
    quoted = query.column(warehouse, "incidents", column)
    found = warehouse.frame(
        f"select distinct {quoted}::varchar as member from main.incidents where {quoted} is not null"
    )
    known = found["member"].to_list()
    near = {member: difflib.get_close_matches(member, known, n=1) for member in members if member not in known}
    return {member: close[0] if close else None for member, close in near.items()}


class Watched(NamedTuple):
    """A KPI's control chart, and how often its rules signal though nothing changed."""

    name: str
    kind: str
    grain: str
    chart: signals.Chart
    splits: tuple[KnownChange, ...]
    """Known changes that split the baseline."""
    false_alarms: tuple[float, float]
    """Simulated: where periods are independent, and where they resemble their neighbours as these do."""


def kind(one: Kpi) -> str | None:
    """Say what kind of chart watches a KPI; None for a quotient of two sums, which has none."""
    if one.fact == "incident_days":
        return "single"
    if one.statistic == "mean":
        return "duration" if one.unit == "hours" else "mean"
    return KINDS.get(one.statistic)


def watched(
    warehouse: Warehouse, names: Sequence[str], scope: Scope, grain: str, changes: Sequence[KnownChange] = ()
) -> dict[str, Watched]:
    """Judge the last comparable period of a scope, for each KPI that has a chart; `changes` are those that are known.

    The baseline comes before the scope's days, as far as there is enough of it, and after the last known change that
    splits it.
    """
    if grain not in periods.GRAINS:
        raise query.QueryError(f"grain '{grain}' is not one of {', '.join(periods.GRAINS)}")
    first, last = warehouse.first_day, warehouse.last_day
    kinds = {name: its for name in dict.fromkeys(names) if (its := kind(query.kpi(warehouse, name)))}
    if first is None or last is None or not kinds:
        return {}
    tested_from, until = max(scope.since or first, first), min(scope.until or last, last)
    reach = scope.within(max(_before(tested_from, grain, signals.MOST[grain]), first), until)
    splits = tuple(change for change in changes if change.splits)
    split_on = [change.day for change in splits]
    found = {}
    for name, history in _histories(warehouse, kinds, reach, grain, split_on).items():
        chart = signals.chart(history, kinds[name], grain, tested_from, split_on)
        alarms = signals.false_alarms(kinds[name], grain, chart.baseline)
        found[name] = Watched(name, kinds[name], grain, chart, splits, alarms)
    return {name: found[name] for name in kinds}


def _before(day: date, grain: str, count: int) -> date:
    """Give the first day of the period that is so many periods before that of a day."""
    first = periods.start(day, grain)
    for _ in range(count):
        if first == date.min:
            break
        first = periods.start(first - DAY, grain)
    return first


def _histories(
    warehouse: Warehouse, kinds: dict[str, str], reach: Scope, grain: str, splits: Sequence[date]
) -> dict[str, pl.DataFrame]:
    """Give each KPI's history: one row per period, those without incidents too, and whether it may be compared."""
    extents = query.extents(warehouse, reach)
    grids = {name: _grid(query.kpi(warehouse, name), reach, grain, extents) for name in kinds}
    groups: dict[str, list[Kpi]] = {}
    stocks = []
    for name in kinds:
        one = query.kpi(warehouse, name)
        if not signals.may_suffice(grids[name], grain, splits):
            # Nothing will be said of it: nothing is asked.
            continue
        if kinds[name] == "single":
            stocks.append(name)
        else:
            groups.setdefault(one.counted_on, []).append(one)
    told = {}
    for members in groups.values():
        for name, daily in _sums(warehouse, members, kinds, reach).items():
            told[name] = _moments(daily, kinds[name], grain)
    for name in stocks:
        points = query.course(warehouse, name, reach, grain)
        told[name] = pl.DataFrame(
            [(point.bucket.since, point.n, point.value, None) for point in points],
            schema={"since": pl.Date, "n": pl.Int64, "mean": pl.Float64, "deviation": pl.Float64},
            orient="row",
        )
    return {name: _told(grid, told.get(name)) for name, grid in grids.items()}


def _sums(warehouse: Warehouse, members: Sequence[Kpi], kinds: dict[str, str], reach: Scope) -> dict[str, pl.DataFrame]:
    """Sum what each incident adds, and its square, over each day: one scan for the KPIs of one day."""
    assert reach.since is not None
    assert reach.until is not None
    measures = {one.name: Measure(one, has_logs=kinds[one.name] == "duration") for one in members}
    # Who watches a mean compares it as well: in the same scan its sums cost less than in one of their own.
    beside = [Measure(one) for one in members if one.statistic == "mean" and measures[one.name].has_logs]
    found = by_day(warehouse, [*measures.values(), *beside], reach, (reach.since, reach.until))
    return dict(zip(measures, found, strict=False))


def _moments(daily: pl.DataFrame, kind: str, grain: str) -> pl.DataFrame:
    """Add up the days of each period: how many incidents, mean and deviation of what they add."""
    since = pl.col("day").dt.truncate(TRUNCATED[grain])
    parts = ["n"] + ["s"] * (kind != "count") + ["x2"] * (kind in signals.ADDING)
    wide = daily.group_by(since.alias("since")).agg(pl.col(parts).sum())
    scale = FINE if kind == "duration" else 1
    n = pl.when(pl.col("n") > 0).then(pl.col("n").cast(pl.Float64))
    s, ss = (pl.col(part).cast(pl.Float64) if part in parts else None for part in ("s", "x2"))
    nothing = pl.lit(None, pl.Float64)
    mean = nothing if s is None else s / n / scale
    spread = nothing if s is None or ss is None else ((ss - s * s / n).clip(lower_bound=0) / (n - 1)).sqrt() / scale
    return wide.sort("since").select("since", "n", mean=mean, deviation=spread)


def _grid(one: Kpi, reach: Scope, grain: str, extents: list[periods.Extent]) -> pl.DataFrame:
    assert reach.since is not None
    assert reach.until is not None
    buckets = periods.buckets(reach.since, reach.until, grain)
    return pl.DataFrame(
        {
            "since": [bucket.since for bucket in buckets],
            "days": [(bucket.until - bucket.since).days + 1 for bucket in buckets],
            "is_comparable": [_is_comparable(bucket, one, reach, extents) for bucket in buckets],
        },
        schema={"since": pl.Date, "days": pl.Int64, "is_comparable": pl.Boolean},
    )


def _told(grid: pl.DataFrame, told: pl.DataFrame | None) -> pl.DataFrame:
    if told is None:
        nothing = pl.lit(None, pl.Float64)
        return grid.with_columns(n=pl.lit(0, pl.Int64), mean=nothing, deviation=nothing)
    return grid.join(told, on="since", how="left", maintain_order="left").with_columns(pl.col("n").fill_null(0))


def _is_comparable(bucket: Bucket, one: Kpi, reach: Scope, extents: list[periods.Extent]) -> bool:
    assert reach.until is not None
    judged = periods.judged(bucket, extents, one.name, one.counted_at)
    return judged.status == "complete" and bucket.until <= reach.until
