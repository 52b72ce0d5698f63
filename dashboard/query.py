"""The only door to the numbers: pages, command line and reports ask here, and here alone.

Every value comes from a macro of the schema `kpi`; this module chooses rows, groups and days. Identifiers are checked
against the warehouse's own catalog, values are bound.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl

from dashboard import periods
from dashboard.periods import Bucket, Comparison, Extent

SQL = Path(__file__).parent / "sql"
LINK = "incidents.duckdb"
MANY_VALUED = ("services", "tags")
DURATIONS = {
    "resolved_at": "seconds_to_resolve",
    "acknowledged_at": "seconds_to_acknowledge",
    "first_resolved_at": "seconds_to_first_resolution",
}
SETTLED = 200
"""Below this n a mean of durations is not settled, and a tile leads with the median."""
FEW = 5
"""Below this n a value is grey and has no arrow."""


class QueryError(Exception):
    """A question that cannot be answered as asked; the message names the choices."""


class NoWarehouse(Exception):
    """Nothing has been published yet."""


@dataclass(frozen=True)
class Scope:
    """What is looked at: days of the reporting zone, both included, and for each column its alternatives."""

    since: date | None = None
    until: date | None = None
    where: tuple[tuple[str, tuple[str | None, ...]], ...] = ()

    def within(self, since: date | None, until: date | None) -> Scope:
        """Give the same filters on other days."""
        return Scope(since, until, self.where)


class Kpi(NamedTuple):
    """A KPI as the warehouse's catalog has it."""

    name: str
    title: str
    unit: str
    better: str
    fact: str
    counted_at: str
    description: str
    sql: str

    @property
    def counted_on(self) -> str:
        """The column with the day that it is counted at."""
        return "day" if self.counted_at == "day" else self.counted_at.removesuffix("_at") + "_on"

    @property
    def takes_last_day(self) -> bool:
        """A stock: only a bucket's last day counts."""
        return self.fact == "incident_days" and self.name != "backlog_mean"

    @property
    def is_count(self) -> bool:
        """Nothing counted is 0, not unknown."""
        return self.unit == "incidents" and self.name != "backlog_mean"


def version(data: Path) -> Path | None:
    """Give the file of the published version: what the link points at now; None if nothing is published."""
    link = data / LINK
    return link.resolve() if link.exists() else None


@dataclass
class Warehouse:
    """One published version, opened once for reading; safe to share among threads."""

    path: Path
    connection: duckdb.DuckDBPyConnection = field(repr=False)

    def frame(self, query: str, values: dict[str, Any] | None = None) -> pl.DataFrame:
        """Run a query on a cursor of its own."""
        cursor = self.connection.cursor()
        try:
            return cursor.sql(query, params=values or None).pl()
        finally:
            cursor.close()

    def stored(self, name: str, values: dict[str, Any] | None = None) -> pl.DataFrame:
        """Run a query of `dashboard/sql`."""
        return self.frame((SQL / f"{name}.sql").read_text(encoding="utf-8"), values)

    @cached_property
    def kpis(self) -> dict[str, Kpi]:
        """The catalog, by name."""
        found = self.frame(
            "select name, title, unit, better, fact, counted_at, description, sql from kpi.catalog order by name"
        )
        return {row[0]: Kpi(*row) for row in found.iter_rows()}

    @cached_property
    def columns(self) -> dict[str, dict[str, str]]:
        """Fact -> column -> type."""
        found = self.frame(
            "select table_name, column_name, data_type from duckdb_columns()"
            " where schema_name = 'main' and database_name = current_database() order by column_index"
        )
        tables: dict[str, dict[str, str]] = {}
        for table, column, type_ in found.iter_rows():
            tables.setdefault(table, {})[column] = type_
        return tables

    @cached_property
    def settings(self) -> dict[str, str]:
        """What the warehouse says about itself."""
        return dict(self.frame("select name, value from store.settings").iter_rows())

    @property
    def zone(self) -> str:
        """The reporting zone."""
        return self.settings["reporting_timezone"]

    @property
    def number(self) -> int:
        """The number of the published version."""
        return int(self.settings["version"])

    @cached_property
    def sources(self) -> pl.DataFrame:
        """The sources with their as-of in UTC and in the reporting zone."""
        return self.stored("sources")

    @cached_property
    def extents(self) -> dict[str, Extent]:
        """What each source covers."""
        weeks: dict[str, list[tuple[date, int]]] = {}
        for source, monday, count in self.stored("openings_by_week").iter_rows():
            weeks.setdefault(source, []).append((monday, count))
        found = {}
        for row in self.stored("extents").iter_rows(named=True):
            edge = row["first_day"] + timedelta(seconds=row["p90_seconds"] or 0)
            found[row["source"]] = Extent(
                row["source"],
                row["first_day"],
                row["last_day"],
                edge if row["p90_seconds"] else row["first_day"],
                periods.intake_end(weeks.get(row["source"], []), row["last_day"]),
            )
        return found

    @property
    def first_day(self) -> date | None:
        """Day of the first opening; None in an empty warehouse."""
        return min((extent.first_day for extent in self.extents.values()), default=None)

    @property
    def last_day(self) -> date | None:
        """Last day that any source covers completely."""
        return max((extent.last_day for extent in self.extents.values()), default=None)

    @property
    def last_intake_day(self) -> date | None:
        """Last complete day on which a source still took incidents in: where a reader's default period ends."""
        return max((extent.intake_end or extent.last_day for extent in self.extents.values()), default=None)


def open_version(path: Path) -> Warehouse:
    """Open a published version for reading.

    Raises:
        NoWarehouse: the file is not there or is none of ours.
    """
    try:
        connection = duckdb.connect(
            path, read_only=True, config={"enable_external_access": "false", "lock_configuration": "true"}
        )
    except duckdb.Error as error:
        raise NoWarehouse(f"{path} cannot be opened: {str(error).splitlines()[0]}") from error
    return Warehouse(path, connection)


def open_data(data: Path) -> Warehouse:
    """Open what is published in a data directory.

    Raises:
        NoWarehouse: nothing is.
    """
    path = version(data)
    if path is None:
        raise NoWarehouse(f"{data} holds no published warehouse yet; run `meantime load FILE --as servicenow` first")
    return open_version(path)


def kpi(warehouse: Warehouse, name: str) -> Kpi:
    """Give a KPI of the catalog.

    Raises:
        QueryError: there is none of that name.
    """
    if name not in warehouse.kpis:
        raise QueryError(f"KPI '{name}' is not one of {', '.join(warehouse.kpis)}{_nearest(name, warehouse.kpis)}")
    return warehouse.kpis[name]


def column(warehouse: Warehouse, fact: str, name: str) -> str:
    """Check a column that a person named, and quote it.

    Raises:
        QueryError: the fact has no such column, or none that one can group by.
    """
    types = {
        column: type_
        for column, type_ in warehouse.columns[fact].items()
        if type_ not in ("JSON", "TIMESTAMP", "DOUBLE", "BIGINT")
    }
    if name not in types:
        raise QueryError(f"column '{name}' is not one of {', '.join(sorted(types))}{_nearest(name, types)}")
    return f'"{name}"'


def _nearest(name: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(choices), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


class _Filter(NamedTuple):
    """The conditions of a scope's columns, and the values that they bind."""

    text: str
    values: dict[str, Any]


def _filter(warehouse: Warehouse, fact: str, scope: Scope, row: str) -> _Filter:
    conditions, values = [], {}
    for place, (name, alternatives) in enumerate(scope.where):
        quoted = column(warehouse, fact, name)
        key = f"where_{place}"
        known = [value for value in alternatives if value is not None]
        values[key] = known
        if warehouse.columns[fact][name].endswith("[]"):
            condition = f"list_has_any({row}.{quoted}, ${key}::varchar[])"
        else:
            condition = f"list_contains(${key}::varchar[], {row}.{quoted}::varchar)"
        if None in alternatives:
            condition = f"({condition} or {row}.{quoted} is null)"
        conditions.append(f"and {condition}")
    return _Filter("\n    ".join(conditions), values)


def values(
    warehouse: Warehouse,
    names: Sequence[str],
    scope: Scope = Scope(),
    by: Sequence[str] = (),
    grain: str | None = None,
) -> pl.DataFrame:
    """Ask for KPIs: the one query behind every number that anybody sees.

    Returns:
        The columns of `by`, `period` (with a grain: the bucket's first day), `kpi`, `value`, `n`. Buckets without
        incidents are there: 0 for counts, null otherwise.

    Raises:
        QueryError: an unknown KPI, column or grain.
    """
    if grain is not None and grain not in periods.GRAINS:
        raise QueryError(f"grain '{grain}' is not one of {', '.join(periods.GRAINS)}{_nearest(grain, periods.GRAINS)}")
    groups: dict[tuple[str, str, bool], list[Kpi]] = {}
    for name in dict.fromkeys(names):
        one = kpi(warehouse, name)
        groups.setdefault((one.fact, one.counted_on, one.takes_last_day), []).append(one)
    found = [
        (_stock if members[0].fact == "incident_days" else _flow)(warehouse, members, scope, tuple(by), grain)
        for members in groups.values()
    ]
    result = pl.concat(found, how="vertical_relaxed")
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    keys = [*by, *(["period"] if grain else [])]
    return (
        result.with_columns(pl.col("kpi").replace_strict(order, return_dtype=pl.Int32).alias("_order"))
        .sort([*keys, "_order"], nulls_last=True)
        .drop("_order")
    )


def _keys(warehouse: Warehouse, fact: str, by: Sequence[str]) -> list[str]:
    return [column(warehouse, fact, name) for name in by]


def _flow(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], grain: str | None
) -> pl.DataFrame:
    """KPIs over incidents that share the day they are counted at: one scan."""
    counted_on = members[0].counted_on
    keys = _keys(warehouse, "incidents", by)
    condition = _filter(warehouse, "incidents", scope, "i")
    bound: dict[str, Any] = dict(condition.values)
    days = [f"i.{counted_on} is not null"]
    if scope.since is not None:
        days.append(f"i.{counted_on} >= $since")
        bound["since"] = scope.since
    if scope.until is not None:
        days.append(f"i.{counted_on} <= $until")
        bound["until"] = scope.until
    table = "main.incidents"
    for name in by:
        if name in MANY_VALUED:
            table = f"(select * replace (unnest({name}) as {name}) from {table})"
    selected = [f"i.{key} as {key}" for key in keys]
    if grain is not None:
        selected.append(f"date_trunc('{grain}', i.{counted_on})::date as period")
    group = f"group by {', '.join(str(place + 1) for place in range(len(selected)))}" if selected else ""
    for one in members:
        selected += [f'kpi.{one.name}(i)::double as "{one.name}"', f'kpi.{one.name}_n(i)::bigint as "{one.name}_n"']
    query = (
        f"select\n    {_lines(selected)}\nfrom {table} as i\nwhere {' and '.join(days)}\n    {condition.text}\n{group}"
    )
    wide = warehouse.frame(query, bound)
    if grain is not None:
        wide = _filled(warehouse, wide, scope, by, grain)
    return _long(wide, members, by, grain)


def _lines(parts: Sequence[str]) -> str:
    return ",\n    ".join(parts)


def _range(warehouse: Warehouse, scope: Scope) -> tuple[date, date] | None:
    """The days that a scope reaches within what the sources cover."""
    if warehouse.first_day is None or warehouse.last_day is None:
        return None
    since = max(scope.since or warehouse.first_day, warehouse.first_day)
    until = min(scope.until or warehouse.last_day, warehouse.last_day + timedelta(days=1))
    return (since, until) if since <= until else None


def _filled(warehouse: Warehouse, wide: pl.DataFrame, scope: Scope, by: tuple[str, ...], grain: str) -> pl.DataFrame:
    """Add the buckets of the range that have no incident, for each member."""
    reach = _range(warehouse, scope)
    if reach is None:
        return wide
    starts = pl.DataFrame(
        {"period": [bucket.since for bucket in periods.buckets(*reach, grain)]}, schema={"period": pl.Date}
    )
    grid = wide.select(by).unique().join(starts, how="cross") if by else starts
    return grid.join(wide, on=[*by, "period"], how="full", coalesce=True, nulls_equal=True)


def _long(wide: pl.DataFrame, members: Sequence[Kpi], by: tuple[str, ...], grain: str | None) -> pl.DataFrame:
    keys = [*by, *(["period"] if grain else [])]
    parts = []
    for one in members:
        value = pl.col(one.name).cast(pl.Float64)
        parts.append(
            wide.select(
                *keys,
                pl.lit(one.name).alias("kpi"),
                (value.fill_null(0.0) if one.is_count else value).alias("value"),
                pl.col(f"{one.name}_n").cast(pl.Int64).fill_null(0).alias("n"),
            )
        )
    return pl.concat(parts)


OPEN_ROWS = """
select
    i.*,
    s.from_day,
    coalesce(least(s.until_day, c.as_of_day), c.as_of_day) as gone_day
from store.open_spans as s
join (
    select source, (as_of at time zone 'UTC' at time zone zone.value)::date as as_of_day
    from main.sources
    cross join (select value from store.settings where name = 'reporting_timezone') as zone
) as c
    on s.source = c.source
join main.incidents as i
    on s.source = i.source
    and s.incident_id = i.incident_id
"""
"""What `incident_days` is made of: an incident from its first to its last open day, before the days are drawn."""


def _stock(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], grain: str | None
) -> pl.DataFrame:
    """KPIs over the incidents open at a day's end: on a bucket's last complete day, or on all of its days."""
    keys = _keys(warehouse, "incident_days", by)
    condition = _filter(warehouse, "incident_days", scope, "d")
    bound: dict[str, Any] = {"since": scope.since, "until": scope.until, **condition.values}
    bucket = f"date_trunc('{grain}', day)::date" if grain else "date '0001-01-01'"
    wanted = (
        f"select {bucket} as period, min(day) as first_day, max(day) as day, count(*) as days from kpi.calendar"
        " where ($since::date is null or day >= $since) and ($until::date is null or day <= $until) group by period"
    )
    compose = _on_last_day if members[0].takes_last_day else _on_all_days
    groups = [*keys, *(["period"] if grain else [])]
    group = f"group by {', '.join(groups)}" if groups else ""
    # A person's days are drawn from spans directly: unfolding every incident into its days first costs 20 times as much.
    query = f"""
with wanted as materialized (
    {wanted}
),
open_rows as (
    {OPEN_ROWS}
),
{compose(keys, condition.text)}
select
    {_lines([*groups, *_calls(members)])}
from filled as d
{group}
"""
    return _long(warehouse.frame(query, bound), members, by, grain)


def _calls(members: Sequence[Kpi]) -> list[str]:
    if not members[0].takes_last_day:
        # The mean over days from sums of days, which the macro over `incident_days` gives too (a test compares them).
        return [
            part
            for one in members
            for part in (
                f'(sum(d.open_days)::double / nullif(any_value(d.days), 0))::double as "{one.name}"',
                f'any_value(d.days)::bigint as "{one.name}_n"',
            )
        ]
    return [
        part
        for one in members
        for part in (f'kpi.{one.name}(d)::double as "{one.name}"', f'kpi.{one.name}_n(d)::bigint as "{one.name}_n"')
    ]


def _chosen(keys: Sequence[str]) -> list[str]:
    return [f"unnest(d.{key}) as {key}" if key.strip('"') in MANY_VALUED else f"d.{key} as {key}" for key in keys]


def _grid(keys: Sequence[str]) -> str:
    members = f"select distinct {', '.join(keys)} from chosen" if keys else "select 1 as one"
    return f"grid as (\n    select wanted.*, members.* from wanted cross join ({members}) as members\n)"


def _on_last_day(keys: Sequence[str], condition: str) -> str:
    selected = [
        "w.period",
        "d.incident_id",
        "d.excluded_as",
        "date_diff('second', d.opened_at, days.ends_at)::bigint as age_seconds",
        *_chosen(keys),
    ]
    same = "".join(f" and chosen.{key} is not distinct from grid.{key}" for key in keys)
    listed = "".join(f"grid.{key}, " for key in keys)
    return f"""chosen as materialized (
    select {", ".join(selected)}
    from wanted as w
    join store.days as days on days.day = w.day
    join open_rows as d on d.from_day <= w.day and d.gone_day > w.day
    where true {condition}
),
{_grid(keys)},
filled as (
    select {listed}grid.period, grid.day, chosen.incident_id, chosen.excluded_as, chosen.age_seconds
    from grid left join chosen on chosen.period = grid.period{same}
)"""


def _on_all_days(keys: Sequence[str], condition: str) -> str:
    selected = [
        "w.period",
        "least(d.gone_day, w.day + 1) - greatest(d.from_day, w.first_day) as open_days",
        *_chosen(keys),
    ]
    same = "".join(f" and chosen.{key} is not distinct from grid.{key}" for key in keys)
    listed = "".join(f"grid.{key}, " for key in keys)
    return f"""chosen as materialized (
    select {", ".join(selected)}
    from wanted as w
    join open_rows as d on d.from_day <= w.day and d.gone_day > w.first_day
    where d.excluded_as is null {condition}
),
{_grid(keys)},
filled as (
    select {listed}grid.period, grid.days, coalesce(chosen.open_days, 0) as open_days
    from grid left join chosen on chosen.period = grid.period{same}
)"""


def extents(warehouse: Warehouse, scope: Scope) -> list[Extent]:
    """Give what the sources cover that a scope looks at."""
    chosen = dict(scope.where).get("source")
    return [extent for name, extent in warehouse.extents.items() if chosen is None or name in chosen]


class Point(NamedTuple):
    """One bucket of a trend."""

    bucket: Bucket
    value: float | None
    n: int


def trend(warehouse: Warehouse, names: Sequence[str], scope: Scope, grain: str) -> dict[str, list[Point]]:
    """Give KPIs by bucket, each bucket with its verdict: may it be compared, and if not, why."""
    known = extents(warehouse, scope)
    found: dict[str, list[Point]] = {name: [] for name in names}
    for row in values(warehouse, names, scope, grain=grain).iter_rows(named=True):
        one = kpi(warehouse, row["kpi"])
        first = row["period"]
        bucket = Bucket(first, periods.following(first, grain) - timedelta(days=1))
        verdict = periods.judged(bucket, known, one.name, one.counted_at)
        if verdict.status == "complete" and scope.since is not None and first < scope.since:
            verdict = Bucket(bucket.since, bucket.until, "partial", "the chosen period begins within it")
        if verdict.status == "complete" and scope.until is not None and bucket.until > scope.until:
            verdict = Bucket(bucket.since, bucket.until, "partial", "the chosen period ends within it")
        found[one.name].append(Point(verdict, row["value"], row["n"]))
    return found


class Change(NamedTuple):
    """A KPI now and before."""

    kpi: Kpi
    value: float | None
    n: int
    now: float | None
    """The value of the days that are compared; differs from `value` only where those are fewer."""
    now_n: int
    before: float | None
    before_n: int
    comparison: Comparison

    @property
    def difference(self) -> float | None:
        """How much more it is now; None where it may not be said."""
        if self.comparison.reason or self.now is None or self.before is None:
            return None
        if not self.kpi.is_count and min(self.now_n, self.before_n) < FEW:
            return None
        return self.now - self.before

    @property
    def is_better(self) -> bool | None:
        """Whether the change is for the better; None if there is none or neither is better."""
        if not self.difference or self.kpi.better == "none":
            return None
        return (self.difference < 0) == (self.kpi.better == "lower")


def changes(warehouse: Warehouse, names: Sequence[str], scope: Scope) -> dict[str, Change]:
    """Compare KPIs of a scope with the comparable days before it."""
    reach = _range(warehouse, scope)
    if reach is None:
        return {}
    current = _by_name(values(warehouse, names, scope))
    known = extents(warehouse, scope)
    comparisons = {
        name: periods.compared(*reach, known, name, kpi(warehouse, name).counted_at) for name in dict.fromkeys(names)
    }
    asked: dict[tuple[date, date], list[str]] = {}
    for name, compared in comparisons.items():
        for days in ((compared.since, compared.until), (compared.before_since, compared.before_until)):
            # What is compared is mostly the very range that was asked for.
            if days != reach:
                asked.setdefault(days, []).append(name)
    answers = {days: _by_name(values(warehouse, wanted, scope.within(*days))) for days, wanted in asked.items()}
    answers[reach] = {**current, **answers.get(reach, {})}
    return {
        name: Change(
            kpi(warehouse, name),
            *current[name],
            *answers[compared.since, compared.until][name],
            *answers[compared.before_since, compared.before_until][name],
            compared,
        )
        for name, compared in comparisons.items()
    }


def _by_name(frame: pl.DataFrame) -> dict[str, tuple[float | None, int]]:
    return {row["kpi"]: (row["value"], row["n"]) for row in frame.iter_rows(named=True)}


class Mover(NamedTuple):
    """A member's part in the change of a KPI."""

    column: str
    member: str | None
    now: float | None
    now_n: int
    before: float | None
    before_n: int
    contribution: float
    """What the whole would not have changed by without it; the contributions of a column's members add up exactly."""


def movers(warehouse: Warehouse, name: str, scope: Scope, by: Sequence[str]) -> list[Mover]:
    """Say which members of each column moved a KPI most, between a scope and the comparable days before.

    A count changes by the sum of its members' changes. A mean or share is the sum over members of n/N · value, so a
    member contributes the change of n/N · (value - whole before): its own change and that of its weight.
    """
    one = kpi(warehouse, name)
    reach = _range(warehouse, scope)
    if reach is None or one.name.endswith(("_median", "_p90")):
        return []
    compared = periods.compared(*reach, extents(warehouse, scope), name, one.counted_at)
    if compared.reason:
        return []
    found: list[Mover] = []
    for column_name in by:
        now = _members(warehouse, name, scope.within(compared.since, compared.until), column_name)
        before = _members(warehouse, name, scope.within(compared.before_since, compared.before_until), column_name)
        found += _contributions(one, column_name, now, before)
    return sorted(found, key=lambda mover: -abs(mover.contribution))


def _members(warehouse: Warehouse, name: str, scope: Scope, by: str) -> dict[str | None, tuple[float | None, int]]:
    frame = values(warehouse, [name], scope, by=[by])
    return {row[by]: (row["value"], row["n"]) for row in frame.iter_rows(named=True)}


def _contributions(
    one: Kpi,
    column_name: str,
    now: dict[str | None, tuple[float | None, int]],
    before: dict[str | None, tuple[float | None, int]],
) -> list[Mover]:
    total_now = sum(n for _, n in now.values())
    total_before = sum(n for _, n in before.values())
    if not total_now or not total_before:
        return []
    whole_before = sum((value or 0.0) * n for value, n in before.values()) / total_before
    found = []
    for member in {**now, **before}:
        value, n = now.get(member, (None, 0))
        value_before, n_before = before.get(member, (None, 0))
        if one.is_count:
            contribution = (value or 0.0) - (value_before or 0.0)
        else:
            contribution = n / total_now * ((value or 0.0) - whole_before) if n else 0.0
            contribution -= n_before / total_before * ((value_before or 0.0) - whole_before) if n_before else 0.0
        found.append(
            Mover(column_name, None if member is None else str(member), value, n, value_before, n_before, contribution)
        )
    return found


def options(warehouse: Warehouse, column_name: str) -> list[tuple[str | None, int]]:
    """Give a column's members with their counts, most frequent first; None stands for those without one."""
    quoted = column(warehouse, "incidents", column_name)
    if column_name in MANY_VALUED:
        query = f"select unnest({quoted}) as member, count(*) as n from main.incidents group by 1 order by 2 desc, 1"
    else:
        query = f"select {quoted}::varchar as member, count(*) as n from main.incidents group by 1 order by 2 desc, 1"
    return [(member, n) for member, n in warehouse.frame(query).iter_rows()]


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
    condition = _filter(warehouse, "incidents", scope, "i")
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


INCIDENT_COLUMNS = (
    "source",
    "incident_id",
    "title",
    "url",
    "state",
    "priority",
    "service",
    "assignment_group",
    "assignee",
    "channel",
    "category",
    "opened_at",
    "acknowledged_at",
    "resolved_at",
    "hours_to_acknowledge",
    "hours_to_resolve",
    "first_contact_resolved",
    "reassignment_count",
    "reopen_count",
    "is_auto_resolved",
    "excluded_as",
)


class Incidents(NamedTuple):
    """A page of a list of incidents, and how many there are in all."""

    rows: pl.DataFrame
    total: int


def incidents(
    warehouse: Warehouse,
    scope: Scope,
    *,
    name: str | None = None,
    text: str | None = None,
    only_open: bool = False,
    sort: str = "opened_at",
    descending: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> Incidents:
    """List the incidents behind a number (`name`: a KPI), or all that were opened in the scope.

    Stamps are in the reporting zone. `text` is looked for in number, title and attributes, case and all signs literal.
    """
    if sort not in INCIDENT_COLUMNS:
        raise QueryError(f"cannot sort by '{sort}'; choose one of {', '.join(INCIDENT_COLUMNS)}")
    one = kpi(warehouse, name) if name else None
    counted_on = one.counted_on if one and one.fact == "incidents" else "opened_on"
    condition = _filter(warehouse, "incidents", scope, "i")
    bound: dict[str, Any] = {**condition.values, "since": scope.since, "until": scope.until}
    parts = [condition.text]
    if one is not None and one.fact == "incidents":
        parts.append(
            f"and (i.source, i.incident_id) in (select (i.source, i.incident_id) from main.incidents as i"
            f" group by i.source, i.incident_id having kpi.{one.name}_n(i) > 0)"
        )
    if only_open:
        parts.append("and i.state in ('new', 'in_progress', 'on_hold') and i.excluded_as is null")
    if text:
        parts.append(
            "and (contains(lower(i.incident_id), lower($text)) or contains(lower(i.title), lower($text))"
            " or contains(lower(i.attributes::varchar), lower($text)))"
        )
        bound["text"] = text
    shown = [
        f"(i.{name} at time zone 'UTC' at time zone '{warehouse.zone}')::timestamp as {name}"
        if name.endswith("_at")
        else f"i.{name}"
        for name in INCIDENT_COLUMNS
    ]
    order = f"order by i.{sort} {'desc' if descending else 'asc'} nulls last, i.source, i.incident_id"
    # The page's keys first: only they are worth fetching whole.
    query = f"""
with page as (
    select
        i.source,
        i.incident_id,
        count(*) over () as total
    from main.incidents as i
    where ($since::date is null or i.{counted_on} >= $since)
        and ($until::date is null or i.{counted_on} <= $until)
        {" ".join(parts)}
    {order}
    limit {int(limit)}
    offset {int(offset)}
)
select
    {_lines(shown)},
    page.total
from main.incidents as i
join page
    on i.source = page.source
    and i.incident_id = page.incident_id
{order}
"""
    rows = warehouse.frame(query, bound)
    return Incidents(rows.drop("total"), rows["total"][0] if rows.height else 0)


class Incident(NamedTuple):
    """One incident, whole; stamps are in the reporting zone."""

    row: dict[str, Any]
    events: pl.DataFrame
    segments: pl.DataFrame
    issues: pl.DataFrame


def incident(warehouse: Warehouse, source: str, incident_id: str) -> Incident | None:
    """Give one incident with its history; None if there is none."""
    key = {"source": source, "incident_id": incident_id, "zone": warehouse.zone}
    found = warehouse.stored("incident", {"source": source, "incident_id": incident_id})
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    local = warehouse.stored("incident_stamps", key).row(0, named=True)
    return Incident(
        {**row, **local},
        warehouse.stored("incident_events", key),
        warehouse.stored("incident_segments", key),
        warehouse.stored("incident_issues", {"source": source, "incident_id": incident_id}),
    )


class Beside(NamedTuple):
    """What is not in a number, and what is odd in it; counted at the number's own day, within the scope."""

    excluded: dict[str, int]
    with_parent: int
    auto_resolved: int
    closed_without_resolving: int
    without_duration: int
    first_contact_over_1_hour: int
    first_contact_over_24_hours: int
    open_and_breached: int


def beside(warehouse: Warehouse, name: str, scope: Scope) -> Beside:
    """Count what a KPI leaves out, to stand beside it."""
    one = kpi(warehouse, name)
    counted_on = "opened_on" if one.fact != "incidents" else one.counted_on
    condition = _filter(warehouse, "incidents", scope, "i")
    text = (SQL / "beside.sql").read_text(encoding="utf-8")
    query = text.replace("i.counted_on", f"i.{counted_on}").replace("-- and the filters", condition.text)
    row = warehouse.frame(query, {**condition.values, "since": scope.since, "until": scope.until}).row(0, named=True)
    excluded = {reason: row.pop(f"excluded_{reason}") for reason in ("cancelled", "duplicate", "test", "deleted")}
    return Beside({reason: n for reason, n in excluded.items() if n}, **row)


def rhythm(warehouse: Warehouse, scope: Scope) -> pl.DataFrame:
    """Openings by weekday (1 Monday to 7) and hour in the reporting zone: `weekday`, `hour`, `n`."""
    condition = _filter(warehouse, "incidents", scope, "i")
    query = (SQL / "rhythm.sql").read_text(encoding="utf-8").replace("-- and the filters", condition.text)
    return warehouse.frame(
        query, {**condition.values, "since": scope.since, "until": scope.until, "zone": warehouse.zone}
    )


AGE_CLASSES = ("under 1 day", "1 to 3 days", "3 to 7 days", "7 to 30 days", "over 30 days")


def backlog_ages(warehouse: Warehouse, scope: Scope) -> pl.DataFrame:
    """Incidents open at the end of the scope's last complete day by age: `age_class`, `n`."""
    condition = _filter(warehouse, "incident_days", scope, "d")
    text = (SQL / "backlog_ages.sql").read_text(encoding="utf-8")
    query = text.replace("-- and the filters", condition.text).replace("open_rows", f"({OPEN_ROWS})")
    found = dict(warehouse.frame(query, {**condition.values, "until": scope.until}).iter_rows())
    return pl.DataFrame({"age_class": AGE_CLASSES, "n": [found.get(place, 0) for place in range(5)]})


def runs(warehouse: Warehouse, limit: int = 20) -> pl.DataFrame:
    """The latest runs, newest first."""
    return warehouse.stored("runs", {"limit": limit})


def rejects(warehouse: Warehouse, source: str | None = None, limit: int = 1000) -> pl.DataFrame:
    """Rows that did not get in."""
    return warehouse.stored("rejects", {"source": source, "limit": limit})


def rejects_by_reason(warehouse: Warehouse) -> pl.DataFrame:
    """Rejected rows by source, field, value and reason."""
    return warehouse.stored("rejects_by_reason")


def issues_by_rule(warehouse: Warehouse) -> pl.DataFrame:
    """Odd things by source, rule and field, with an example each."""
    return warehouse.stored("issues_by_rule")


def coverage(warehouse: Warehouse) -> pl.DataFrame:
    """For each source and column of incidents, the share of rows in which it is known: `source`, `field`, `known`."""
    fields = [name for name in warehouse.columns["incidents"] if name not in ("source", "attributes")]
    counted = _lines([f'(count("{name}") / count(*))::double as "{name}"' for name in fields])
    wide = warehouse.frame(f"select source, {counted} from main.incidents group by source order by source")
    return wide.unpivot(index="source", variable_name="field", value_name="known")


def latest_as_of(warehouse: Warehouse) -> datetime | None:
    """The latest instant that any source is known up to, in the reporting zone."""
    return warehouse.sources["as_of_local"].max() if warehouse.sources.height else None  # type: ignore[return-value]


def is_sample(warehouse: Warehouse) -> bool:
    """Whether any source is made-up data."""
    return bool(warehouse.sources["is_sample"].any())
