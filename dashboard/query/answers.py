"""KPIs by member and by bucket: the one query behind every number that anybody sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import polars as pl

from dashboard import periods
from dashboard.periods import Bucket, Extent
from dashboard.query.flows import flow
from dashboard.query.rows import Rows
from dashboard.query.scope import Days, QueryError, Scope, covered, extents, kpi, nearest
from dashboard.query.stocks import stock
from dashboard.query.warehouse import Kpi, Warehouse

SETTLED = 200
"""Below this n a mean of durations is not settled, and a tile leads with the median."""
FEW = 5
"""Below this n a value is grey and has no arrow."""


def values(
    warehouse: Warehouse,
    names: Sequence[str],
    scope: Scope = Scope(),
    by: Sequence[str] = (),
    grain: str | None = None,
    *,
    limits: bool = True,
    of: Rows | None = None,
) -> pl.DataFrame:
    """Ask for KPIs: the one query behind every number that anybody sees.

    Args:
        warehouse: the published version.
        names: the KPIs.
        scope: days and filters.
        by: columns of the incidents to split by.
        grain: of the periods to split by.
        limits: whether to say how sure the values are.
        of: what stands in for the incidents as they are, for KPIs over these.

    Returns:
        The columns of `by`, `period` (with a grain: the bucket's first day), `kpi`, `value`, `n`, and the limits `low`
        and `high` of the 95 % interval of a mean, quantile or share of incidents; null where there is none (too few, or
        all of one day) or none is asked for. Buckets without incidents are there: 0 for counts, null otherwise.

    Raises:
        QueryError: an unknown KPI, column or grain.
    """
    if grain is not None and grain not in periods.GRAINS:
        raise QueryError(f"grain '{grain}' is not one of {', '.join(periods.GRAINS)}{nearest(grain, periods.GRAINS)}")
    limited = [name for name in names if limits and kpi(warehouse, name).has_limits]
    return answer(warehouse, names, scope, tuple(by), grain, (), limited, of).drop("error", "m")


def answer(
    warehouse: Warehouse,
    names: Sequence[str],
    scope: Scope,
    by: tuple[str, ...],
    grain: str | None,
    parts: tuple[Days, ...],
    limited: Sequence[str] = (),
    of: Rows | None = None,
) -> pl.DataFrame:
    """Answer by a grain, or for parts of time that do not overlap, each named by its first day; one query per fact and day.

    What a difference is judged by, and the limits of what has any, are given for the KPIs that are named in `limited`.
    """
    groups: dict[tuple[str, str, bool], list[Kpi]] = {}
    for name in dict.fromkeys(names):
        one = kpi(warehouse, name)
        groups.setdefault((one.fact, one.counted_on, one.takes_last_day), []).append(one)
    found = [
        stock(warehouse, members, scope, by, grain, parts)
        if members[0].fact == "incident_days"
        else flow(warehouse, members, scope, by, grain, parts, [one for one in members if one.name in limited], of)
        for members in groups.values()
    ]
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    keys = [*by, *(["period"] if grain or parts else [])]
    return (
        pl.concat(found, how="vertical_relaxed")
        .with_columns(pl.col("kpi").replace_strict(order, return_dtype=pl.Int32).alias("_order"))
        .sort([*keys, "_order"], nulls_last=True)
        .drop("_order")
    )


class Number(NamedTuple):
    """What is known of a KPI over some days: value, n, the limits of its 95 % interval, and what a difference needs."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    error: float | None = None
    """Standard error, of means and counts."""
    m: float | None = None
    """How many independent incidents, or days of a count, it is worth."""


def in_parts(
    warehouse: Warehouse, names: Sequence[str], scope: Scope, parts: tuple[Days, ...], limits: bool
) -> dict[tuple[str, date], Number]:
    """Give what is known of KPIs in parts of time that do not overlap, by KPI and first day of the part."""
    limited = names if limits else ()
    frame = answer(warehouse, names, scope.within(None, None), (), None, tuple(dict.fromkeys(parts)), limited)
    found = {
        (row["kpi"], row["period"]): Number(*(row[name] for name in Number._fields))
        for row in frame.iter_rows(named=True)
    }
    nothing = {name: Number(0.0 if kpi(warehouse, name).is_count else None, 0) for name in names}
    return {(name, since): nothing[name] for name in names for since, _ in parts} | found


def course(warehouse: Warehouse, name: str, scope: Scope, grain: str) -> list[Point]:
    """Give a KPI by bucket as `trend` does, from sums of days: for what is counted, not shown as a picture."""
    reach = covered(warehouse, scope)
    if reach is None:
        return []
    known = extents(warehouse, scope)
    parts = {
        (max(bucket.since, reach[0]), min(bucket.until, reach[1])): bucket.since
        for bucket in periods.buckets(*reach, grain)
    }
    found = in_parts(warehouse, [name], scope, tuple(parts), limits=False)
    one = kpi(warehouse, name)
    return [
        Point(_verdict(one, first, grain, scope, known), number.value, number.n)
        for part, first in parts.items()
        for number in (found[name, part[0]],)
    ]


class Point(NamedTuple):
    """One bucket of a trend."""

    bucket: Bucket
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None


def trend(
    warehouse: Warehouse, names: Sequence[str], scope: Scope, grain: str, limited: Sequence[str] = ()
) -> dict[str, list[Point]]:
    """Give KPIs by bucket, those in `limited` with limits; each bucket with its verdict: may it be compared, and if not, why."""
    found: dict[str, list[Point]] = {name: [] for name in names}
    limited = [name for name in limited if kpi(warehouse, name).has_limits]
    rows = answer(warehouse, names, scope, (), grain, (), limited)
    for row, point in zip(rows.iter_rows(named=True), _judged(warehouse, rows, scope, grain), strict=True):
        found[row["kpi"]].append(point)
    return found


def _judged(warehouse: Warehouse, rows: pl.DataFrame, scope: Scope, grain: str) -> Iterator[Point]:
    """Give each row of an answer by bucket as a point with its bucket's verdict."""
    known = extents(warehouse, scope)
    verdicts: dict[tuple[str, date], Bucket] = {}
    for row in rows.iter_rows(named=True):
        one, first = kpi(warehouse, row["kpi"]), row["period"]
        if (one.name, first) not in verdicts:
            verdicts[one.name, first] = _verdict(one, first, grain, scope, known)
        yield Point(verdicts[one.name, first], row["value"], row["n"], row["low"], row["high"])


def _verdict(one: Kpi, first: date, grain: str, scope: Scope, known: Sequence[Extent]) -> Bucket:
    bucket = Bucket(first, periods.following(first, grain) - timedelta(days=1))
    verdict = periods.judged(bucket, known, one.name, one.counted_at)
    if verdict.status == "complete" and scope.since is not None and first < scope.since:
        verdict = Bucket(bucket.since, bucket.until, "partial", "the chosen period begins within it")
    if verdict.status == "complete" and scope.until is not None and bucket.until > scope.until:
        verdict = Bucket(bucket.since, bucket.until, "partial", "the chosen period ends within it")
    return verdict


Members = tuple[str | None, ...]
"""A member of each of the columns that one groups by; None is an incident without one."""


def members_of(row: dict[str, Any], by: Sequence[str]) -> Members:
    """Name the members of a row of an answer as DuckDB writes them."""
    # true, not True
    said = (row[name] for name in by)
    return tuple(str(one).lower() if isinstance(one, bool) else None if one is None else str(one) for one in said)


def trends(
    warehouse: Warehouse, name: str, scope: Scope, grain: str, by: tuple[str, ...]
) -> dict[Members, list[Point]]:
    """Give a KPI by bucket for each member of some columns, with limits and verdicts."""
    limited = [name] if kpi(warehouse, name).has_limits else []
    rows = answer(warehouse, [name], scope, by, grain, (), limited)
    found: dict[Members, list[Point]] = {}
    for row, point in zip(rows.iter_rows(named=True), _judged(warehouse, rows, scope, grain), strict=True):
        found.setdefault(members_of(row, by), []).append(point)
    return found


def numbers(warehouse: Warehouse, name: str, scope: Scope, by: tuple[str, ...]) -> dict[Members, Number]:
    """Give a KPI by each member of some columns, with what a difference is judged by."""
    frame = answer(warehouse, [name], scope, by, None, (), [name])
    return {members_of(row, by): Number(*(row[part] for part in Number._fields)) for row in frame.iter_rows(named=True)}
