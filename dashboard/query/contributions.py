"""What single incidents add to a KPI, how that is spread, and which members have most of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from dashboard import evidence
from dashboard.query.rows import flow_rows, lines, named
from dashboard.query.scope import OTHERS, QueryError, Scope, filters_of, kpi
from dashboard.query.stocks import spans_of, wanted_days
from dashboard.query.warehouse import Kpi, Warehouse

DURATIONS = {
    "resolved_at": "seconds_to_resolve",
    "acknowledged_at": "seconds_to_acknowledge",
    "first_resolved_at": "seconds_to_first_resolution",
}


def each(warehouse: Warehouse, name: str, scope: Scope, by: Sequence[str] = ()) -> pl.DataFrame:
    """Give what each incident adds to a KPI: what statistics over whole days read.

    Returns:
        `day`, the columns of `by` (words as categories), `value` in the KPI's unit, `weight` (what the KPI divides by).
    """
    one = kpi(warehouse, name)
    rows = flow_rows(warehouse, [one], scope, by, "day", ())
    weight = f"kpi.{one.name}_weight(i)" if one.statistic == "ratio" else "1"
    unit = "3600.0" if one.unit == "hours" else weight
    listed = [f'i.key_{place} as "{column_name}"' for place, column_name in enumerate(by)]
    query = f"""
select
    {lines(["i.period as day", *listed, f"(kpi.{one.name}_each(i) / {unit})::double as value", f"{weight}::double as weight"])}
from (
    {rows.text}
) as i
where kpi.{one.name}_each(i) is not null
"""
    return warehouse.many(query, rows.values)


@dataclass(frozen=True)
class Bin:
    """How many durations lie between two bounds."""

    low_hours: float
    high_hours: float
    count: int


def distribution(warehouse: Warehouse, name: str, scope: Scope) -> list[Bin]:
    """Spread of the durations that a KPI of time counts, in bins four to a decade; the first bin begins at 0."""
    one = kpi(warehouse, name)
    seconds = DURATIONS.get(one.counted_at)
    if seconds is None:
        raise QueryError(f"KPI '{name}' has no durations")
    condition = filters_of(warehouse, "incidents", scope)
    bound = {**condition.values, "since": scope.since, "until": scope.until}
    # The macro itself says whether a row counts: its n over this one row.
    query = f"""
select
    case when i.{seconds} < 10 then -1 else floor(4 * log10(i.{seconds} / 10))::integer end as bin,
    kpi.{one.name}_n(i)::bigint as n
from main.incidents as i
where ($since::date is null or i.{one.counted_on} >= $since)
    and ($until::date is null or i.{one.counted_on} <= $until)
    and i.{seconds} is not null
    {condition.text}
group by 1
having n > 0
order by 1
"""
    return [
        Bin(0.0 if place < 0 else 10 * 10 ** (place / 4) / 3600, 10 * 10 ** ((place + 1) / 4) / 3600, n)
        for place, n in warehouse.frame(query, bound).iter_rows()
    ]


Bounds = tuple[float, float | None]
"""What incidents add to a KPI, in its unit: from the first on, below the second."""
MOST_STEPS = 20
"""Numbers that are counted one by one from 0; what is more is one class."""


def has_spread(one: Kpi) -> bool:
    """Say whether incidents add different amounts to a KPI: durations and numbers do, a share's ones and noughts do not."""
    return one.fact == "incidents" and (one.statistic == "mean" or evidence.quantile(one) is not None)


def spread(warehouse: Warehouse, name: str, scope: Scope, by: tuple[str, ...] = ()) -> pl.DataFrame:
    """Spread of what incidents add to a KPI, for each member of some columns.

    Returns:
        The columns of `by`, `low` and `high` (no more in it) in the KPI's own unit, and `n`. Durations are in bins four
        to a decade, of which the first begins at 0; numbers are classes of their own, the last one without an end.
    """
    one = kpi(warehouse, name)
    if not has_spread(one):
        raise QueryError(f"KPI '{name}' has no spread")
    rows = flow_rows(warehouse, [one], scope, by, None, ())
    keys = [f"i.key_{place}" for place in range(len(by))]
    each = f"kpi.{one.name}_each(i)"
    is_time = one.unit == "hours"
    place = (
        f"case when {each} < 10 then -1 else floor(4 * log10({each} / 10)) end"
        if is_time
        else f"least({each}, {MOST_STEPS})"
    )
    query = f"""
select
    {lines([*keys, f"({place})::integer as place", "count(*)::bigint as n"])}
from (
    {rows.text}
) as i
where {each} is not null
group by
    {lines([*keys, "place"])}
order by
    {lines([*keys, "place"])}
"""
    found = named(warehouse.frame(query, rows.values), by)
    at = pl.col("place").cast(pl.Float64)
    low = pl.when(at >= 0).then(10 * 10.0 ** (at / 4) / 3600).otherwise(0.0) if is_time else at
    high = 10 * 10.0 ** ((at + 1) / 4) / 3600 if is_time else pl.when(at < MOST_STEPS).then(at + 1)
    return found.select(
        *(pl.col(column_name).cast(pl.String) for column_name in by), low.alias("low"), high.alias("high"), "n"
    )


class Told(NamedTuple):
    """The members of a column that are told apart, the most frequent first, and how many there are in all."""

    members: tuple[str, ...]
    known: int


def most(warehouse: Warehouse, name: str, scope: Scope, by: str, limit: int) -> Told:
    """Choose the members of a column with most of what a KPI counts; no more is read of the others than their number."""
    one = kpi(warehouse, name)
    if one.fact == "incident_days":
        wanted = wanted_days(warehouse, scope, None, ())
        spans = spans_of(warehouse, scope, wanted, by=(by,))
        counted = f"(with {spans.text} select i.key_0, count(*) as n from spans as i group by i.key_0)"
        values = spans.values
    else:
        rows = flow_rows(warehouse, [one], scope, (by,), None, ())
        counted = f"(select i.key_0, kpi.{one.name}_n(i) as n from ({rows.text}) as i group by i.key_0)"
        values = rows.values
    query = f"""
select
    counted.key_0::varchar as member,
    count(*) over () as known
from {counted} as counted
where counted.key_0 is not null
order by
    counted.n desc,
    counted.key_0
limit {int(limit)}
"""
    found = warehouse.frame(query, values)
    members = tuple(member for member in found["member"] if member != OTHERS)
    return Told(members, found["known"][0] if found.height else 0)
