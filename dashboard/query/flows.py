"""KPIs over incidents by the day that they are counted at: one scan, and one more for the limits of quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from dashboard import evidence, periods
from dashboard.query import days
from dashboard.query.rows import Rows, calls, flow_rows, keys_of, lines, long, named
from dashboard.query.scope import Days, Scope, covered
from dashboard.query.warehouse import Kpi, Warehouse

DAY = timedelta(days=1)


def flow(
    warehouse: Warehouse,
    members: Sequence[Kpi],
    scope: Scope,
    by: tuple[str, ...],
    grain: str | None,
    parts: tuple[Days, ...],
    limited: Sequence[Kpi],
    of: Rows | None = None,
) -> pl.DataFrame:
    """KPIs over incidents that share the day they are counted at.

    What adds up is made of the sums of days where periods are compared; where they are shown, only how sure it is.
    """
    if by or of is not None or not (grain or parts):
        return _counted(warehouse, members, scope, by, grain, parts, limited, of)
    found = []
    adding = [one for one in members if days.adds_up(one)]
    others = [one for one in members if not days.adds_up(one)]
    if adding and parts:
        wide = days.summed(warehouse, adding, scope, parts, has_values=True)
        wide = evidence.read(
            wide, [one for one in adding if one in limited], _days_of(warehouse, wide, scope, grain, parts)
        )
        found.append(long(_filled(warehouse, wide, scope, by, grain, parts), adding, ["period"]))
    elif adding:
        found.append(_shown(warehouse, adding, scope, grain, [one for one in adding if one in limited]))
    if others:
        found.append(
            _counted(warehouse, others, scope, by, grain, parts, [one for one in others if one in limited], of)
        )
    return pl.concat(found)


def _shown(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, grain: str | None, limited: Sequence[Kpi]
) -> pl.DataFrame:
    """Give what adds up by grain: values by the KPIs' own macros, and how sure they are by the sums of days."""
    rows = flow_rows(warehouse, members, scope, (), grain, ())
    wide = warehouse.frame(_plain(rows.text, ["period"], calls(members, "i"), ""), rows.values)
    if limited and wide.height:
        firsts = wide["period"].to_list()
        lengths = _days_of(warehouse, wide, scope, grain, ())
        parts = [
            (max(first, scope.since or first), min(end, scope.until or end))
            for first, length in zip(firsts, lengths, strict=True)
            for end in (first + (length - 1) * DAY,)
        ]
        sums = days.summed(warehouse, limited, scope, parts, has_values=False)
        sums = sums.with_columns(pl.Series("period", firsts, pl.Date))
        wide = wide.drop(f"{one.name}_n" for one in limited).join(sums, on="period", how="left", maintain_order="left")
        wide = evidence.read(wide, limited, lengths)
    return long(_filled(warehouse, wide, scope, (), grain, ()), members, ["period"])


def _counted(
    warehouse: Warehouse,
    members: Sequence[Kpi],
    scope: Scope,
    by: tuple[str, ...],
    grain: str | None,
    parts: tuple[Days, ...],
    limited: Sequence[Kpi],
    of: Rows | None = None,
) -> pl.DataFrame:
    """KPIs from their rows: one scan, and one more for limits of quantiles."""
    rows = flow_rows(warehouse, members, scope, by, grain, parts, of)
    keys = [f"key_{place}" for place in range(len(by))] + (["period"] if grain or parts else [])
    kept = "where i.period is not null" if parts else ""
    if limited:
        has_quantiles = any(evidence.quantile(one) for one in members)
        text = evidence.query(rows.text, keys, calls(members, "i"), limited, kept, has_quantiles=has_quantiles)
        wide = warehouse.frame(text, rows.values)
        wide = evidence.read(wide, limited, _days_of(warehouse, wide, scope, grain, parts))
        wide = _with_ranked(warehouse, wide, limited, keys, by, kept, scope, grain, parts, of)
    else:
        wide = warehouse.frame(_plain(rows.text, keys, calls(members, "i"), kept), rows.values)
    wide = named(wide, by)
    if grain or (parts and not by):
        wide = _filled(warehouse, wide, scope, by, grain, parts)
    return long(wide, members, [*by, *(["period"] if grain or parts else [])])


def _plain(rows: str, keys: Sequence[str], calls: Sequence[str], kept: str) -> str:
    grouped = [f"i.{key}" for key in keys]
    return f"""
select
    {lines([*grouped, *calls])}
from (
    {rows}
) as i
{kept}
{f"group by {lines(grouped)}" if grouped else ""}
"""


def _with_ranked(
    warehouse: Warehouse,
    wide: pl.DataFrame,
    limited: Sequence[Kpi],
    keys: Sequence[str],
    by: Sequence[str],
    kept: str,
    scope: Scope,
    grain: str | None,
    parts: tuple[Days, ...],
    of: Rows | None = None,
) -> pl.DataFrame:
    """Add the limits of quantiles: the values at ranks that are known only once the values are counted."""
    quantiles = [one for one in limited if evidence.quantile(one)]
    if not quantiles:
        return wide
    rows = flow_rows(warehouse, quantiles, scope, by, grain, parts, of)
    types = keys_of(warehouse, "incidents", by, scope).types + ["date"] * ("period" in keys)
    text = evidence.ranked(rows.text, keys, types, quantiles, kept, wide.height)
    found = warehouse.frame(text, {**rows.values, **evidence.ranks(wide, keys, quantiles)})
    wide = wide.drop(name for name in found.columns if name not in keys)
    return wide.join(found, on=list(keys), how="left", nulls_equal=True) if keys else wide.hstack(found)


def _days_of(
    warehouse: Warehouse, wide: pl.DataFrame, scope: Scope, grain: str | None, parts: tuple[Days, ...]
) -> list[int]:
    """Say over how many days each row reaches, those without incidents too."""
    reach = covered(warehouse, scope)
    if grain or parts:
        ends = dict(parts) or {first: periods.following(first, grain or "day") - DAY for first in wide["period"]}
        return [(ends[first] - first).days + 1 for first in wide["period"]]
    return [(reach[1] - reach[0]).days + 1 if reach else 1] * wide.height


def _filled(
    warehouse: Warehouse,
    wide: pl.DataFrame,
    scope: Scope,
    by: tuple[str, ...],
    grain: str | None,
    parts: tuple[Days, ...],
) -> pl.DataFrame:
    """Add the buckets of the range that have no incident, for each member."""
    firsts = [since for since, _ in parts]
    if grain:
        reach = covered(warehouse, scope)
        if reach is None:
            return wide
        firsts = [bucket.since for bucket in periods.buckets(*reach, grain)]
    starts = pl.DataFrame({"period": firsts}, schema={"period": pl.Date})
    grid = wide.select(by).unique().join(starts, how="cross") if by else starts
    return grid.join(wide, on=[*by, "period"], how="full", coalesce=True, nulls_equal=True)
