"""Composes the rows that KPIs are called over, with their keys and periods and no column more than is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import polars as pl

from dashboard import evidence
from dashboard.query.scope import OTHERS, Days, Filter, Scope, filters_of, reading
from dashboard.query.warehouse import Kpi, Warehouse


class Rows(NamedTuple):
    """A query that gives incidents, and the values that it binds."""

    text: str
    values: dict[str, Any]


class Keys(NamedTuple):
    """What rows are grouped by: how keys are read from a row `i`, their types, joins that open many-valued ones, values bound."""

    read: list[str]
    types: list[str]
    joins: str
    values: dict[str, Any]


def keys_of(warehouse: Warehouse, fact: str, by: Sequence[str], scope: Scope) -> Keys:
    """Compose how rows of a fact are grouped by columns."""
    read, types, joins, told = [], [], [], dict(scope.told)
    values: dict[str, Any] = {}
    for place, name in enumerate(by):
        quoted, type_, bound = reading(warehouse, fact, name)
        values |= bound
        if name in told:
            values |= {f"told_{place}_{at}": member for at, member in enumerate(told[name])}
        apart = _told_apart(place, len(told[name])) if name in told else str
        if type_.endswith("[]"):
            # An incident without any is a group of its own; one that names the same twice, or two of the rest, counts once.
            many = f"list_transform({quoted}, lambda member: {apart('member')})" if name in told else quoted
            members = f"coalesce(nullif(list_distinct({many}), []), [null])"
            joins.append(f"cross join unnest({members}) as many_{place}(member)")
            quoted = f"many_{place}.member"
        else:
            quoted = apart(quoted)
        read.append(f"{quoted} as key_{place}")
        types.append("varchar" if name in told else type_.removesuffix("[]"))
    return Keys(read, types, " ".join(joins), values)


def _told_apart(place: int, count: int) -> Callable[[str], str]:
    """Compose what a member is called where only some of its column are told apart."""
    marks = ", ".join(f"$told_{place}_{at}" for at in range(count))

    def called(member: str) -> str:
        known = f"{member}::varchar in ({marks}) or " if marks else ""
        return f"case when {known}{member} is null then {member}::varchar else '{OTHERS}' end"

    return called


def needed(warehouse: Warehouse, members: Sequence[Kpi]) -> list[str]:
    """Name the columns that the macros read: a macro packs its whole row, and with all columns packing costs more than counting."""
    said = {word for one in members for word in re.findall(r"\w+", one.sql)}
    return sorted(said & set(warehouse.columns["incidents"]))


def lines(parts: Sequence[str]) -> str:
    """List one item per line."""
    return ",\n    ".join(parts)


def calls(members: Sequence[Kpi], row: str) -> list[str]:
    """Call each KPI's macros, value and n, over a row."""
    return [
        part
        for one in members
        for part in (
            f'kpi.{one.name}({row})::double as "{one.name}"',
            f'kpi.{one.name}_n({row})::bigint as "{one.name}_n"',
        )
    ]


def counted_within(counted_on: str, scope: Scope, parts: tuple[Days, ...]) -> Filter:
    """Compose the days on which rows `i` are counted: those of the scope, or from the first to the last of the parts."""
    conditions = [f"i.{counted_on} is not null"]
    values: dict[str, Any] = {}
    since = min((part[0] for part in parts), default=scope.since)
    until = max((part[1] for part in parts), default=scope.until)
    if since is not None:
        conditions.append(f"i.{counted_on} >= $since")
        values["since"] = since
    if until is not None:
        conditions.append(f"i.{counted_on} <= $until")
        values["until"] = until
    return Filter(" and ".join(conditions), values)


def period_of(counted_on: str, grain: str | None, parts: tuple[Days, ...]) -> str | None:
    """Compose the period that a row `i` is counted in; None where there are none."""
    if parts:
        cases = " ".join(
            f"when i.{counted_on} between date '{since}' and date '{until}' then date '{since}'"
            for since, until in parts
        )
        return f"case {cases} end as period"
    return f"date_trunc('{grain}', i.{counted_on})::date as period" if grain else None


def flow_rows(
    warehouse: Warehouse,
    members: Sequence[Kpi],
    scope: Scope,
    by: Sequence[str],
    grain: str | None,
    parts: tuple[Days, ...],
    of: Rows | None = None,
) -> Filter:
    """Compose the rows that KPIs over incidents count, with their keys and periods and no column more than is read."""
    counted_on = members[0].counted_on
    keys = keys_of(warehouse, "incidents", by, scope)
    within, filtered = counted_within(counted_on, scope, parts), filters_of(warehouse, "incidents", scope)
    period = period_of(counted_on, grain, parts)
    read = [*keys.read, *([period] if period else []), f"i.{counted_on} as counted_day"]
    read += [f"i.{name}" for name in needed(warehouse, members)]
    rows = "main.incidents" if of is None else f"({of.text})"
    text = f"select {lines(read)} from {rows} as i {keys.joins} where {within.text} {filtered.text}"
    return Filter(text, {**within.values, **filtered.values, **keys.values, **({} if of is None else of.values)})


def named(wide: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Give keys the names of their columns."""
    return wide.rename({f"key_{place}": name for place, name in enumerate(by)})


def long(wide: pl.DataFrame, members: Sequence[Kpi], keys: Sequence[str]) -> pl.DataFrame:
    """Give each KPI of a wide answer its rows."""
    parts = []
    for one in members:
        value = pl.col(one.name).cast(pl.Float64)
        parts.append(
            wide.select(
                *keys,
                pl.lit(one.name).alias("kpi"),
                (value.fill_null(0.0) if one.is_count else value).alias("value"),
                pl.col(f"{one.name}_n").cast(pl.Int64).fill_null(0).alias("n"),
                *(
                    (pl.col(f"{one.name}_{part}") if f"{one.name}_{part}" in wide.columns else pl.lit(None))
                    .cast(pl.Float64)
                    .alias(part)
                    for part in evidence.BESIDE
                ),
            )
        )
    return pl.concat(parts)
