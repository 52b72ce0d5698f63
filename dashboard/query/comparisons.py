"""KPIs now and before: of a whole scope, and of each member of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from dashboard import evidence, periods
from dashboard.periods import Comparison
from dashboard.query import days as sums
from dashboard.query.answers import FEW, Members, Number, answer, in_parts, members_of
from dashboard.query.rows import flow_rows, lines
from dashboard.query.scope import MANY_VALUED, Days, Scope, covered, extents, kpi
from dashboard.query.warehouse import Kpi, Warehouse


class Change(NamedTuple):
    """A KPI now and before."""

    kpi: Kpi
    whole: Number
    """All the days that were asked for."""
    now: Number
    """The days that are compared; differs from `whole` only where those are fewer."""
    before: Number
    comparison: Comparison

    @property
    def value(self) -> float | None:
        """The value over all the days that were asked for."""
        return self.whole.value

    @property
    def n(self) -> int:
        """The n of that."""
        return self.whole.n

    @property
    def difference(self) -> float | None:
        """How much more it is now; None where it may not be said."""
        if self.comparison.reason or self.now.value is None or self.before.value is None:
            return None
        # A count that falls to nothing has changed, however few are left; a mean of a few says nothing.
        settled = max if self.kpi.is_count else min
        if settled(self.now.n, self.before.n) < FEW:
            return None
        return self.now.value - self.before.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the difference; None where none can be given (stocks, all of one day, too few)."""
        if self.difference is None:
            return None
        found = evidence.difference(self.kpi, self.now, self.before)
        return None if found is None else (found[0], found[1])

    @property
    def is_change(self) -> bool | None:
        """Whether no change at all lies outside the interval of the difference; None where there is no interval."""
        found = self.interval
        return None if found is None else found[0] > 0 or found[1] < 0

    @property
    def is_better(self) -> bool | None:
        """Whether the change is for the better; None if there is none or neither is better."""
        if not self.difference or self.kpi.better == "none":
            return None
        return (self.difference < 0) == (self.kpi.better == "lower")


def changes(
    warehouse: Warehouse, names: Sequence[str], scope: Scope, *, limits: bool = True, against: str = "before"
) -> dict[str, Change]:
    """Compare KPIs of a scope with the comparable days before it, or with those of the `year` before.

    Without `limits` nothing says how sure that is.
    """
    reach = covered(warehouse, scope)
    if reach is None:
        return {}
    known = extents(warehouse, scope)
    comparisons = {
        name: periods.compared(*reach, known, name, kpi(warehouse, name).counted_at, against)
        for name in dict.fromkeys(names)
    }
    # A stock is taken on complete days only: one that is still running adds nothing to ask for.
    complete = (reach[0], min(reach[1], warehouse.last_day or reach[1]))
    asked: dict[tuple[Days, tuple[Days, Days]], list[str]] = {}
    for name, compared in comparisons.items():
        days = complete if kpi(warehouse, name).fact == "incident_days" else reach
        asked.setdefault((days, _two(compared)), []).append(name)
    ranges = [part for days, two in asked for part in (days, *two)]
    widest = min(since for since, _ in ranges), max(until for _, until in ranges)
    sums.prepare(warehouse, [kpi(warehouse, name) for name in comparisons], scope, widest)
    found = {}
    for (days, two), members in asked.items():
        pairs = in_parts(warehouse, members, scope, two, limits)
        # What is compared is mostly the very range that was asked for.
        whole = pairs if two[0] == days else in_parts(warehouse, members, scope, (days,), limits)
        for name in members:
            before = pairs.get((name, two[1][0]), Number(None, 0))
            found[name] = Change(
                kpi(warehouse, name), whole[name, reach[0]], pairs[name, two[0][0]], before, comparisons[name]
            )
    return {name: found[name] for name in comparisons}


def _two(compared: Comparison) -> tuple[Days, Days]:
    return (compared.since, compared.until), (compared.before_since, compared.before_until)


def comparison(warehouse: Warehouse, name: str, scope: Scope, against: str = "before") -> Comparison | None:
    """Choose the days that a KPI of a scope is compared with; None in an empty range."""
    reach = covered(warehouse, scope)
    if reach is None:
        return None
    return periods.compared(*reach, extents(warehouse, scope), name, kpi(warehouse, name).counted_at, against)


def two_periods(
    warehouse: Warehouse, name: str, scope: Scope, by: Sequence[str], compared: Comparison
) -> dict[str, pl.DataFrame]:
    """Give a KPI by each member of each column in both periods of a comparison.

    Returns:
        For each column `member`, and `value`, `n` and `weight` (what the KPI divides by) with `_before` and `_now`. The
        members of a many-valued column do not add up.
    """
    one = kpi(warehouse, name)
    whole, parts = scope.within(None, None), _two(compared)
    if one.fact == "incident_days":
        found = {
            column_name: answer(warehouse, [name], whole, (column_name,), None, parts).select(
                pl.col(column_name).cast(pl.String).alias("member"), "period", "value", "n", weight=pl.col("n")
            )
            for column_name in by
        }
    else:
        found = _flow_by_member(warehouse, one, whole, tuple(by), parts)
    return {column_name: _side_by_side(frame, compared) for column_name, frame in found.items()}


def by_member(
    warehouse: Warehouse, name: str, scope: Scope, by: str, compared: Comparison
) -> list[tuple[str | None, Number, Number]]:
    """Give a KPI by each member of a column, now and before, with what their difference is judged by."""
    return [(member, *both) for (member,), both in sides(warehouse, name, scope, (by,), compared).items()]


def sides(
    warehouse: Warehouse, name: str, scope: Scope, by: tuple[str, ...], compared: Comparison
) -> dict[Members, tuple[Number, Number]]:
    """Give a KPI by each member of some columns, now and before, with what their difference is judged by."""
    parts = _two(compared)
    frame = answer(warehouse, [name], scope.within(None, None), by, None, parts, [name])
    nothing = Number(0.0 if kpi(warehouse, name).is_count else None, 0)
    found: dict[Members, dict[date, Number]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(members_of(row, by), {})[row["period"]] = Number(*(row[part] for part in Number._fields))
    (now, _), (before, _) = parts
    return {members: (both.get(now, nothing), both.get(before, nothing)) for members, both in found.items()}


def _side_by_side(frame: pl.DataFrame, compared: Comparison) -> pl.DataFrame:
    sides = []
    for period, since in (("before", compared.before_since), ("now", compared.since)):
        side = frame.filter(pl.col("period") == since).drop("period")
        sides.append(side.rename({name: f"{name}_{period}" for name in ("value", "n", "weight")}))
    both = sides[0].join(sides[1], on="member", how="full", coalesce=True, nulls_equal=True)
    return both.with_columns(pl.col("n_before", "n_now", "weight_before", "weight_now").fill_null(0))


def _flow_by_member(
    warehouse: Warehouse, one: Kpi, scope: Scope, by: tuple[str, ...], parts: tuple[Days, ...]
) -> dict[str, pl.DataFrame]:
    found: dict[str, pl.DataFrame] = {}
    weight = f"sum(kpi.{one.name}_weight(i))" if one.statistic == "ratio" else f"kpi.{one.name}_n(i)"
    measures = [
        f"kpi.{one.name}(i)::double as value",
        f"kpi.{one.name}_n(i)::bigint as n",
        f"{weight}::double as weight",
    ]
    # Columns with one value each are grouped in one scan; a many-valued one would multiply the others' rows.
    single = tuple(name for name in by if name not in MANY_VALUED)
    for names in [single, *((name,) for name in by if name in MANY_VALUED)]:
        if not names:
            continue
        rows = flow_rows(warehouse, [one], scope, names, None, parts)
        sets = ", ".join(f"(i.period, i.key_{place})" for place in range(len(names)))
        kept = [f"grouping(i.key_{place}) as is_without_{place}" for place in range(len(names))]
        listed = [f"i.key_{place}" for place in range(len(names))]
        query = f"""
select
    {lines(["i.period", *listed, *kept, *measures])}
from (
    {rows.text}
) as i
where i.period is not null
group by grouping sets ({sets})
"""
        frame = warehouse.frame(query, rows.values)
        for place, column_name in enumerate(names):
            member = pl.col(f"key_{place}").cast(pl.String).alias("member")
            own = frame.filter(pl.col(f"is_without_{place}") == 0)
            found[column_name] = own.select(member, "period", "value", "n", "weight")
    return found
