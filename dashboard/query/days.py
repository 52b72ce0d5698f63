"""What the incidents of each day add to KPIs: asked once, kept with the version, read by all that adds days up.

A mean, a share or a count of any days is made of the sums of these days: exactly, for all that is summed is whole. What
was asked for one period is not asked again for another that overlaps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dashboard import evidence
from dashboard.query.kept import Asked, Known
from dashboard.query.rows import counted_within, lines, needed
from dashboard.query.scope import Days, Scope, filters_of
from dashboard.query.warehouse import Kpi, Warehouse

MONTH = timedelta(days=31)
FINE = 1_000_000
"""Logarithms are summed as whole millionths: exact, however many threads add them up."""


class Measure(NamedTuple):
    """Sums of what one KPI adds: of its values, or of their logarithms."""

    kpi: Kpi
    has_logs: bool = False

    @property
    def added(self) -> dict[str, str]:
        """What a row `i` adds, under a letter each: `x` the value, `w` its weight."""
        found = {"x": f"kpi.{self.kpi.name}_each(i)"}
        if self.kpi.statistic == "ratio":
            found["w"] = f"kpi.{self.kpi.name}_weight(i)"
        return found

    def sums(self, x: str, w: str) -> dict[str, str]:
        """Each day's sums by name: `n` values, `s` their sum, for a mean `x2` and `x3` of their powers, `w` of weights.

        Of logarithms, log(1 + minutes) in whole parts of FINE, `n`, `s` and `x2`, and `x`, the sum of the values.
        """
        found = {"n": f"count({x})", "s": f"sum({x})::bigint"}
        if self.has_logs:
            # greatest() would take a null for nothing, and count it.
            log = f"round({FINE} * ln(1 + case when {x} < 0 then 0 else {x} end / 60))::bigint"
            return found | {"x": f"sum({x})::bigint", "s": f"sum({log})::bigint", "x2": f"sum({log} * {log})"}
        if self.kpi.statistic == "mean":
            found |= {"x2": f"sum({x}::hugeint * {x})", "x3": f"sum({x}::hugeint * {x} * {x})"}
        if self.kpi.statistic == "ratio":
            found["w"] = f"sum({w})::bigint"
        return found


def adds_up(one: Kpi) -> bool:
    """Say whether a KPI of some days is made of the sums of each: all over incidents but quantiles."""
    return one.fact == "incidents" and evidence.quantile(one) is None


def by_day(warehouse: Warehouse, measures: Sequence[Measure], scope: Scope, reach: Days) -> list[pl.DataFrame]:
    """Give the sums of each measure on each day of a range that has any row: `day`, `rows`, and the measure's own.

    The measures are counted at the same day; of the scope its filters hold, not its days.
    """
    known = {}
    wanted = reach[0], _widened(warehouse, reach[1])
    missing: dict[Days, list[Measure]] = {}
    for measure in dict.fromkeys(measures):
        found = warehouse.days.get(_key(measure, scope))
        if found is not None:
            known[measure] = found
            found.note(*reach)
        for piece in [wanted] if found is None else found.missing(*wanted):
            missing.setdefault(piece, []).append(measure)
    for piece, asked in missing.items():
        for measure, found in _ask(warehouse, asked, scope, piece).items():
            known[measure] = known[measure].and_(found) if measure in known else found
            warehouse.days.put(_key(measure, scope), known[measure])
    return [known[measure].days.filter(pl.col("day").is_between(*reach)) for measure in measures]


def _widened(warehouse: Warehouse, until: date) -> date:
    """Reach on to the end of the data where that is near: the bucket that still runs is shown with the others."""
    last = warehouse.last_day
    return max(until, last + MONTH) if last is not None and last - MONTH <= until else until


def _key(measure: Measure, scope: Scope) -> tuple[Any, ...]:
    return measure.kpi.name, measure.has_logs, scope.where


def _ask(warehouse: Warehouse, measures: Sequence[Measure], scope: Scope, piece: Days) -> dict[Measure, Known]:
    """Ask for the days of measures that are not known yet."""
    members = [measure.kpi for measure in measures]
    counted_on = members[0].counted_on
    within, filtered = counted_within(counted_on, scope.within(*piece), ()), filters_of(warehouse, "incidents", scope)
    added: dict[str, str] = {}
    sums: list[str] = []
    named: dict[Measure, dict[str, str]] = {}
    for place, measure in enumerate(measures):
        added |= {f"{measure.kpi.name}.{name}": call for name, call in measure.added.items()}
        own = measure.sums(*(f'"{measure.kpi.name}.{name}"' for name in ("x", "w")))
        named[measure] = {name: f"{place}.{name}" for name in own}
        sums += [f'{sum_} as "{place}.{name}"' for name, sum_ in own.items()]
    # What a row adds is bound once, however often it is summed: to bind a macro takes longer than to count many rows.
    text = f"""
-- One row per day: how many incidents each KPI counts, and the sums of what they add.
select
    {lines(["day", "count(*)::bigint as rows", *sums])}
from (
    select {lines(["i.day", *(f'{call} as "{name}"' for name, call in added.items())])}
    from (
        select {lines([f"i.{counted_on} as day", *(f"i.{name}" for name in needed(warehouse, members))])}
        from main.incidents as i
        where {within.text} {filtered.text}
    ) as i
)
group by day
order by day
"""
    values = {**within.values, **filtered.values}
    wide = warehouse.frame(text, values)
    question = Asked(*piece, text, values)
    return {one: Known(*piece, wide.select("day", "rows", **columns), (question,)) for one, columns in named.items()}


def summed(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, parts: Sequence[Days], *, has_values: bool
) -> pl.DataFrame:
    """Add up the days of each part of time, which may overlap.

    Returns:
        For each part in which any incident is counted `period`, its first day, and the sums that `evidence.read` takes
        of each KPI. With values, a KPI's value and n as well, as its macros make them.
    """
    reach = min(since for since, _ in parts), max(until for _, until in parts)
    shared = evidence.alike(members)
    frames = by_day(warehouse, [Measure(one) for one in members], scope, reach)
    rows = frames[0]["rows"].to_numpy()
    place = [_places(frames[0]["day"], part) for part in parts]
    kept = [at for at, (low, high) in enumerate(place) if rows[low:high].any()]
    place = [place[at] for at in kept]
    wide = {"period": pl.Series([parts[at][0] for at in kept], dtype=pl.Date)}
    for one, frame in zip(members, frames, strict=True):
        x = shared[one.name]
        day = {name: _whole(frame[name]) for name in frame.columns if name not in ("day", "rows")}
        n = [int(day["n"][low:high].sum()) for low, high in place]
        s = [day["s"][low:high].sum() for low, high in place]
        weight = day["w"] if one.statistic == "ratio" else day["n"]
        if has_values:
            weights = [weight[low:high].sum() for low, high in place]
            values = [_value(one, float(total), *counts) for total, *counts in zip(s, n, weights, strict=True)]
            wide[one.name] = pl.Series(values, dtype=pl.Float64)
        wide[f"{one.name}_n"] = pl.Series(n, dtype=pl.Int64)
        terms: dict[str, NDArray[Any]] = {name: day[name] for name in ("x2", "x3", "w") if name in day}
        terms |= {"s": day["s"], "days": (day["n"] > 0).astype(object), "nn": weight * weight}
        if one.statistic == "count":
            weekdays = frame["day"].dt.weekday().to_numpy()
            terms |= {f"on{weekday}": day["n"] * (weekdays == weekday) for weekday in range(1, 8)}
        else:
            terms |= {"ss": day["s"] * day["s"], "sn": day["s"] * weight}
        for name, term in terms.items():
            wide[f"{x}.{name}"] = pl.Series([float(term[low:high].sum()) for low, high in place], dtype=pl.Float64)
    return pl.DataFrame(wide)


def _places(days: pl.Series, part: Days) -> tuple[int, int]:
    return int((days < part[0]).sum()), int((days <= part[1]).sum())


def _whole(column: pl.Series) -> NDArray[Any]:
    """Read whole numbers of any size; a day on which nothing counts adds nothing."""
    return np.array([int(one or 0) for one in column.to_list()], dtype=object)


def _value(one: Kpi, total: float, n: int, weight: int) -> float | None:
    """Make of sums what the KPI's macro makes of rows (a test compares them to the last digit)."""
    if one.statistic == "count":
        return float(n)
    divisor = weight if one.statistic == "ratio" else n
    if not divisor:
        return None
    return total / divisor / evidence.HOUR if one.unit == "hours" and one.statistic == "mean" else total / divisor


def prepare(warehouse: Warehouse, members: Iterable[Kpi], scope: Scope, reach: Days) -> None:
    """Ask at once for what will be read one after the other."""
    together: dict[str, list[Measure]] = {}
    for one in members:
        if adds_up(one):
            together.setdefault(one.counted_on, []).append(Measure(one))
    for measures in together.values():
        by_day(warehouse, measures, scope, reach)
