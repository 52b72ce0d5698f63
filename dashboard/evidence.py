"""How sure a KPI is: composes the sufficient statistics of its interval into the query of its value, and reads them.

Days are the clusters (incidents of one day are not independent). Everything is summed as whole seconds, exactly, so that
no number of threads moves a digit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dashboard.insights import intervals

HOUR = 3600.0
FEW_GROUPS = 40
"""Up to so many groups, selecting the ranks of all from each is faster than sorting each."""
BESIDE = ("low", "high", "error", "m")
"""What stands beside each value: the limits of its 95 % interval; of means and counts also the standard error and the
effective n, from which differences are judged."""


class Measure(NamedTuple):
    """What a mean or a share that is no KPI has in common with one."""

    name: str
    unit: str
    statistic: str
    sql: str = ""


DAYS = (
    "sum(n)::bigint as n",
    "sum(s)::double as s",
    "sum(x2)::double as x2",
    "sum(x3)::double as x3",
    "count(*)::double as days",
    "sum(s::hugeint * s)::double as ss",
    "sum(s::hugeint * n)::double as sn",
    "sum(n::hugeint * n)::double as nn",
)
"""What `beside` reads of a mean or a share, from rows of one day each: `n` values, their sum `s` and those of their second
and third powers, `x2` and `x3`; all of whole numbers."""


class Kpi(Protocol):
    """What is read of a KPI."""

    @property
    def name(self) -> str:
        """Its macro."""

    @property
    def unit(self) -> str:
        """Its unit."""

    @property
    def statistic(self) -> str:
        """What it makes of what each incident adds."""

    @property
    def sql(self) -> str:
        """Its definition."""


def quantile(kpi: Kpi) -> float | None:
    """Give the share of a KPI that is a quantile; None of any other."""
    return float(kpi.statistic.split()[1]) if kpi.statistic.startswith("quantile") else None


class Known(Protocol):
    """What is read of a KPI's answer, to set it against another one."""

    @property
    def value(self) -> float | None:
        """The value."""

    @property
    def low(self) -> float | None:
        """Lower limit of its interval."""

    @property
    def high(self) -> float | None:
        """Upper limit of its interval."""

    @property
    def error(self) -> float | None:
        """Standard error."""

    @property
    def m(self) -> float | None:
        """Effective n."""


def difference(kpi: Kpi, now: Known, before: Known) -> tuple[float, float, float] | None:
    """Give the 95 % limits of a difference and the probability of one as large where nothing changed; None without any.

    Means and counts by Welch, shares by Newcombe, quantiles alike from their limits.
    """
    if kpi.statistic in ("mean", "count"):
        told = [now.value, now.error, now.m, before.value, before.error, before.m]
        found = intervals.welch(*_known(told))
    else:
        told = [now.value, now.low, now.high, before.value, before.low, before.high]
        value, low, high, other, low_before, high_before = _known(told)
        limits, limits_before = intervals.Interval(low, high), intervals.Interval(low_before, high_before)
        found = intervals.square_and_add(value, limits, other, limits_before)
    limits_and_p = float(found.low), float(found.high), float(found.p)
    return limits_and_p if np.isfinite(limits_and_p).all() else None


def _known(numbers: Sequence[float | None]) -> list[intervals.Array]:
    return [np.asarray(np.nan if one is None else one, dtype=np.float64) for one in numbers]


def alike(members: Sequence[Kpi]) -> dict[str, str]:
    """Name for each KPI the first of those that add the same for each incident: a mean and its median share their sums."""
    first: dict[str, str] = {}
    found = {}
    for one in members:
        body = re.search(rf"macro kpi\.{one.name}_each\(i\) as(.*?);", one.sql, re.DOTALL)
        found[one.name] = first.setdefault(body[1] if body else one.name, one.name)
    return found


def query(
    rows: str, keys: Sequence[str], calls: Sequence[str], members: Sequence[Kpi], kept: str, *, has_quantiles: bool
) -> str:
    """Compose values with what their intervals are made of, in one query.

    Args:
        rows: the incidents counted, with their keys and `counted_day`.
        keys: columns of `rows` to group by.
        calls: the KPIs' own calls on a row `i`.
        members: the KPIs that are to have an interval.
        kept: a condition on `rows`, or nothing.
        has_quantiles: whether any of the calls is a quantile.
    """
    compose = _in_two_looks if has_quantiles else _in_one_look
    return compose(f"(\n        {rows}\n    ) as i\n    {kept}", keys, calls, members)


def _in_one_look(rows: str, keys: Sequence[str], calls: Sequence[str], members: Sequence[Kpi]) -> str:
    """Values and days from one reading of the rows."""
    sums = _sums(members, is_inline=True)
    listed = [f"i.{key}" for key in keys]
    return f"""
with levels as materialized (
    select
        {_lines([*listed, "grouping(i.counted_day) as is_whole", "i.counted_day", *calls, *sums.daily])}
    from {rows}
    group by grouping sets (
        ({", ".join(listed)}),
        ({", ".join([*listed, "i.counted_day"])})
    )
),
beside as (
    select
        {_lines([*listed, *sums.summed])}
    from levels as i
    where i.is_whole = 0
    {f"group by {_lines(listed)}" if keys else ""}
)
select
    levels.* exclude (is_whole, counted_day, {", ".join(f'"{name}"' for name in sums.names)}),
    beside.*{f" exclude ({', '.join(keys)})" if keys else ""}
from levels
left join beside
    on {_same("levels", "beside", keys)}
where levels.is_whole = 1
"""


def _in_two_looks(rows: str, keys: Sequence[str], calls: Sequence[str], members: Sequence[Kpi]) -> str:
    """Where a quantile lies is known only once it is found: its days are counted in a second reading of the rows."""
    sums = _sums(members, is_inline=False)
    listed = [f"i.{key}" for key in keys]
    grouped = f"group by {_lines(listed)}" if keys else ""
    return f"""
with told as materialized (
    select
        {_lines([*listed, *calls])}
    from {rows}
    {grouped}
),
added as (
    select
        {_lines([*listed, "i.counted_day", *sums.added])}
    from {rows}
),
days as (
    select
        {_lines([*listed, "i.counted_day", *sums.daily])}
    from added as i
    join told
        on {_same("told", "i", keys)}
    group by
        {_lines([*listed, "i.counted_day"])}
),
beside as (
    select
        {_lines([*listed, *sums.summed])}
    from days as i
    {grouped}
)
select
    told.*,
    beside.*{f" exclude ({', '.join(keys)})" if keys else ""}
from told
left join beside
    on {_same("told", "beside", keys)}
"""


def _same(one: str, other: str, keys: Sequence[str]) -> str:
    return " and ".join(f"{one}.{key} is not distinct from {other}.{key}" for key in keys) or "true"


def _lines(parts: Sequence[str]) -> str:
    return ",\n        ".join(parts)


class _Composed(NamedTuple):
    """What incidents add, each day's sums under their names, and the sums of these."""

    added: list[str]
    daily: list[str]
    names: list[str]
    summed: list[str]


def _sums(members: Sequence[Kpi], *, is_inline: bool) -> _Composed:
    """Compose sums; KPIs that add the same share all of it. Inline, a day's sums are of rows, else of what is `added`."""
    shared = alike(members)
    added: dict[str, str] = {}
    daily: dict[str, str] = {}
    summed: dict[str, str] = {}

    def each(name: str, expression: str) -> str:
        added.setdefault(name, f'{expression} as "{name}"')
        return expression if is_inline else f'"{name}"'

    def day(name: str, expression: str) -> None:
        daily.setdefault(name, f'{expression} as "{name}"')

    def total(name: str, expression: str) -> None:
        summed.setdefault(name, f'({expression})::double as "{name}"')

    for one in members:
        x = shared[one.name]
        value = each(f"{x}.x", f"kpi.{x}_each(i)")
        if quantile(one):
            day(f"{one.name}.n", f"count({value})")
            # The very quotient that the macro makes of the quantile.
            day(f"{one.name}.s", f'count(*) filter (where {value} / 3600 <= told."{one.name}")')
            x = one.name
        else:
            day(f"{x}.n", f"count({value})")
            day(f"{x}.s", f"sum({value})")
        if one.statistic == "mean":
            day(f"{x}.x2", f"sum({value}::hugeint * {value})")
            day(f"{x}.x3", f"sum({value}::hugeint * {value} * {value})")
            total(f"{x}.x2", f'sum("{x}.x2")')
            total(f"{x}.x3", f'sum("{x}.x3")')
        weight = "n"
        if one.statistic == "ratio":
            day(f"{x}.w", f"sum({each(f'{x}.weight', f'kpi.{one.name}_weight(i)')})")
            weight = "w"
            total(f"{x}.w", f'sum("{x}.w")')
        total(f"{x}.days", f'count(*) filter (where "{x}.n" > 0)')
        total(f"{x}.s", f'sum("{x}.s")')
        total(f"{x}.nn", f'sum("{x}.{weight}"::hugeint * "{x}.{weight}")')
        if one.statistic == "count":
            for weekday in range(1, 8):
                total(f"{x}.on{weekday}", f'sum("{x}.n") filter (where isodow(counted_day) = {weekday})')
        else:
            total(f"{x}.ss", f'sum("{x}.s"::hugeint * "{x}.s")')
            total(f"{x}.sn", f'sum("{x}.s"::hugeint * "{x}.{weight}")')
    return _Composed(list(added.values()), list(daily.values()), list(daily), list(summed.values()))


def read(wide: pl.DataFrame, members: Sequence[Kpi], days: Sequence[int]) -> pl.DataFrame:
    """Put the columns of BESIDE, named `<kpi>_low` and so on, in place of the sums; quantiles come later, with `limits`.

    Args:
        wide: a row per group with value, n and sums of each KPI.
        members: the KPIs.
        days: how many days each row reaches over, with and without incidents.
    """
    shared = alike(members)
    # Column by column, polars would plan a query for each cast.
    numbers = {name: wide[name].to_numpy() for name in wide.columns if "." in name or name.endswith("_n")}
    added: dict[str, intervals.Array] = {}
    for one in members:
        x = one.name if quantile(one) else shared[one.name]
        sums = {name.removeprefix(f"{x}."): found for name, found in numbers.items() if name.startswith(f"{x}.")}
        n = np.nan_to_num(numbers[f"{one.name}_n"].astype(np.float64))
        for name, values in beside(one, sums, n, np.asarray(days, dtype=np.float64)).items():
            added[f"{one.name}_{name}"] = values
    found = pl.DataFrame(added).with_columns(pl.all().fill_nan(None))
    return wide.drop(name for name in wide.columns if "." in name).hstack(found)


def beside(
    one: Kpi, sums: Mapping[str, intervals.Array], n: intervals.Array, days: intervals.Array
) -> dict[str, intervals.Array]:
    """Give the columns of BESIDE, nan where there is nothing, from the sums over days; `days`: those of a count."""
    found = dict.fromkeys(BESIDE, np.full(len(n), np.nan))
    with np.errstate(all="ignore"):
        if one.statistic == "count":
            by_weekday = [np.nan_to_num(sums[f"on{weekday}"]) for weekday in range(1, 8)]
            error, m = intervals.count_error(n, by_weekday, np.nan_to_num(sums["nn"]), days)
            return found | {"error": error, "m": m}
        total, clusters = sums["s"], (sums["days"], sums["ss"], sums["sn"], sums["nn"])
        if one.statistic == "ratio":
            rate = total / sums["w"]
            spread = intervals.ratio_variance(total, sums["w"], *clusters)
            m = np.minimum(n, np.where(spread == 0, n, rate * (1 - rate) / spread))
            limits = intervals.wilson(rate, m)
            return found | {"low": limits.low, "high": limits.high, "m": m}
        mean = total / n
        if one.statistic == "mean":
            variance = np.maximum(sums["x2"] - n * mean**2, 0) / (n - 1)
            skewness = (sums["x3"] / n - 3 * mean * sums["x2"] / n + 2 * mean**3) / variance**1.5
            deff = intervals.design_effect(n, total, variance, *clusters)
            scale = HOUR if one.unit == "hours" else 1.0
            s = np.sqrt(variance) / scale
            limits = intervals.mean_interval(mean / scale, s, np.where(variance > 0, skewness, 0.0), n, deff)
            return {"low": limits.low, "high": limits.high, "error": s * np.sqrt(deff / n), "m": n / deff}
        deff = intervals.design_effect(n, total, mean * (1 - mean), *clusters)
        if quantile(one):
            return found | {"m": n / deff}
        limits = intervals.wilson(mean, n, deff)
        return found | {"low": limits.low, "high": limits.high, "m": n / deff}


def ranked(rows: str, keys: Sequence[str], types: Sequence[str], members: Sequence[Kpi], kept: str, groups: int) -> str:
    """Compose the values at the ranks bound as `$<kpi>_low` and `$<kpi>_high`, one for each group bound as `$at_<key>`.

    Few groups are not sorted: the shares of all of them, bound as `$shares`, are selected from each.
    """
    shared = alike(members)
    held = {}
    for x in dict.fromkeys(shared.values()):
        each = f"kpi.{x}_each(i)"
        sort = f"list_sort(list({each}) filter (where {each} is not null))"
        held[x] = f'{sort if groups > FEW_GROUPS else f"quantile_disc({each}, $shares::double[])"} as "{x}"'
    grouped = f"group by {', '.join(f'i.{key}' for key in keys)}" if keys else ""
    asked = [f"unnest($at_{key}::{type_}[]) as {key}" for key, type_ in zip(keys, types, strict=True)]
    ends = [(one.name, end) for one in members for end in ("low", "high")]
    asked += [f'unnest(${name}_{end}::bigint[]) as "{name}_{end}"' for name, end in ends]
    taken = [f'held."{shared[name]}"[nullif(asked."{name}_{end}", 0)] / 3600 as "{name}_{end}"' for name, end in ends]
    return f"""
with asked as (
    select
        {_lines(asked)}
),
held as (
    select
        {_lines([*(f"i.{key}" for key in keys), *held.values()])}
    from (
        {rows}
    ) as i
    {kept}
    {grouped}
)
select
    {_lines([*(f"asked.{key}" for key in keys), *taken])}
from asked
join held
    on {_same("asked", "held", keys)}
"""


def ranks(wide: pl.DataFrame, keys: Sequence[str], members: Sequence[Kpi]) -> dict[str, Any]:
    """Give the values that `ranked` binds: ranks, or for few groups the places of the ranks' shares."""
    bound: dict[str, Any] = {f"at_{key}": wide[key].to_list() for key in keys}
    found: dict[str, NDArray[np.int64]] = {}
    shares: dict[str, intervals.Array] = {}
    for one in members:
        n, m = (wide[f"{one.name}_{part}"].to_numpy().astype(np.float64) for part in ("n", "m"))
        with np.errstate(all="ignore"):
            limits = intervals.quantile_ranks(np.nan_to_num(n), quantile(one) or 0.5, n / m)
            for end, rank in (("low", limits.low), ("high", limits.high)):
                found[f"{one.name}_{end}"] = rank
                # Half a rank below: no rounding makes it the next one.
                shares[f"{one.name}_{end}"] = np.where(rank > 0, (rank - 0.5) / n, np.nan)
    if wide.height <= FEW_GROUPS:
        every = np.unique(np.concatenate(list(shares.values())))
        every = every[np.isfinite(every)]
        bound["shares"] = every.tolist() or [0.5]
        found = {name: np.where(found[name] > 0, np.searchsorted(every, shares[name]) + 1, 0) for name in found}
    return bound | {name: rank.tolist() for name, rank in found.items()}
