"""The only door to the numbers: pages, command line and reports ask here, and here alone.

Every value comes from a macro of the schema `kpi`; this module chooses rows, groups and days. Identifiers are checked
against the warehouse's own catalog, values are bound.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import polars as pl

from dashboard import evidence, periods, searching, statements, timings
from dashboard.periods import Bucket, Comparison, Extent

# The rows that are copied once more are those of an answer: few.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
SQL = Path(__file__).parent / "sql"
LINK = "incidents.duckdb"
MANY_VALUED = ("services", "tags")
MOMENTS = {"opened_weekday": "isodow", "opened_hour": "hour"}
"""What one can group and filter by though no column has it: the opening's place in the week, in the reporting zone."""
OTHERS = "\N{HORIZONTAL ELLIPSIS}"
"""The members of a column that are told together; no member of that name exists by accident."""
DURATIONS = {
    "resolved_at": "seconds_to_resolve",
    "acknowledged_at": "seconds_to_acknowledge",
    "first_resolved_at": "seconds_to_first_resolution",
}
SETTLED = 200
"""Below this n a mean of durations is not settled, and a tile leads with the median."""
DAY = timedelta(days=1)
MEMORY_MIB = 600
"""What DuckDB may take at least: what the questions about a million of incidents need."""
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
    told: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Columns of which only these members, and those without one, are told apart where one groups by them; the rest
    are one together, OTHERS."""

    def within(self, since: date | None, until: date | None) -> Scope:
        """Give the same filters on other days."""
        return Scope(since, until, self.where, self.told)


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
    statistic: str

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

    @property
    def settles(self) -> bool:
        """A mean of durations: a single long one may still move it while there are few."""
        return self.fact == "incidents" and self.statistic == "mean" and self.unit == "hours"

    @property
    def has_limits(self) -> bool:
        """A mean, quantile or share of incidents: what has a 95 % interval."""
        return self.fact == "incidents" and self.statistic != "count"


def version(data: Path) -> Path | None:
    """Give the file of the published version: what the link points at now; None if nothing is published."""
    link = data / LINK
    return link.resolve() if link.exists() else None


if TYPE_CHECKING:
    _about_itself = cached_property
else:

    class _about_itself(cached_property):  # noqa: N801  # it stands where `cached_property` would
        """What a version says about itself: asked once, and no part of the question that happens to need it first."""

        def __get__(self, instance, owner=None):
            with statements.unnoted():
                return super().__get__(instance, owner)


@dataclass
class Warehouse:
    """One published version, opened once for reading; safe to share among threads."""

    path: Path
    connection: duckdb.DuckDBPyConnection = field(repr=False)

    def frame(self, query: str, values: dict[str, Any] | None = None) -> pl.DataFrame:
        """Run a query on a cursor of its own."""
        statements.note(query, values)
        cursor = self.connection.cursor()
        try:
            # A relation would be bound twice, and binding the macros takes as long as counting 100,000 rows.
            with timings.QUERIES.timed():
                return pl.DataFrame(cursor.execute(query, values or None).to_arrow_table())
        finally:
            cursor.close()

    def stored(self, name: str, values: dict[str, Any] | None = None) -> pl.DataFrame:
        """Run a query of `dashboard/sql`."""
        return self.frame((SQL / f"{name}.sql").read_text(encoding="utf-8"), values)

    @_about_itself
    def kpis(self) -> dict[str, Kpi]:
        """The catalog, by name."""
        found = self.frame(
            "select name, title, unit, better, fact, counted_at, description, sql, statistic from kpi.catalog order by name"
        )
        return {row[0]: Kpi(*row) for row in found.iter_rows()}

    @_about_itself
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

    @_about_itself
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

    @_about_itself
    def openings(self) -> pl.DataFrame:
        """What was opened, by source and day."""
        return self.stored("openings")

    @_about_itself
    def sources(self) -> pl.DataFrame:
        """The sources with their as-of in UTC and in the reporting zone, and what was opened in them."""
        opened = self.openings.group_by("source").agg(pl.col("incidents").sum(), pl.col("excluded").sum())
        found = self.stored("sources").join(opened, on="source", how="left", maintain_order="left")
        return found.with_columns(pl.col("incidents", "excluded").fill_null(0))

    @_about_itself
    def joined(self) -> dict[str, int]:
        """How many incidents of two tools count once, and what links do not join."""
        if "incident_links" not in self.columns:
            return {"joined": 0, "missing": 0, "ambiguous": 0, "links": 0}
        return self.stored("joined").row(0, named=True)

    @_about_itself
    def extents(self) -> dict[str, Extent]:
        """What each source covers."""
        by_week = self.openings.group_by("source", pl.col("day").dt.truncate("1w")).agg(pl.col("incidents").sum())
        weeks: dict[str, list[tuple[date, int]]] = {}
        for source, monday, count in by_week.iter_rows():
            weeks.setdefault(source, []).append((monday, count))
        found = {}
        for row in self.stored("extents").iter_rows(named=True):
            found[row["source"]] = Extent(
                row["source"],
                row["first_day"],
                row["last_day"],
                row["resolve_edge"],
                periods.intake_end(weeks.get(row["source"], []), row["last_day"]),
            )
        return found

    @_about_itself
    def annotations(self) -> pl.DataFrame:
        """The known changes of the configuration, in order of time."""
        return self.stored("annotations")

    @_about_itself
    def targets(self) -> pl.DataFrame:
        """The targets of the configuration."""
        return self.stored("targets")

    @_about_itself
    def saved_views(self) -> pl.DataFrame:
        """The views that the configuration names; none in what was published before there were any."""
        return self.stored("saved_views") if "saved_views" in self.columns else pl.DataFrame()

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
        """Last day on which the sources still took incidents in, covered by all of them: a default period ends there."""
        return periods.common_end([extent.intake_end or extent.last_day for extent in self.extents.values()])


def open_version(path: Path) -> Warehouse:
    """Open a published version for reading.

    Raises:
        NoWarehouse: the file is not there or is none of ours.
    """
    try:
        connection = duckdb.connect(
            path,
            read_only=True,
            config={"enable_external_access": "false", "lock_configuration": "true", **_memory(path)},
        )
    except duckdb.Error as error:
        raise NoWarehouse(f"{path} cannot be opened: {str(error).splitlines()[0]}") from error
    opened = Warehouse(path, connection)
    try:
        assert opened.settings and opened.kpis and opened.openings.width
    except duckdb.Error as error:
        connection.close()
        raise NoWarehouse(f"{path} is of another Meantime; run `meantime rebuild`") from error
    return opened


def _memory(path: Path) -> dict[str, str]:
    """Bound the memory of a version by its size; what needs more waits on disk, and not beside the published file."""
    size = path.stat().st_size // 2**20 if path.exists() else 0
    name = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    return {
        "memory_limit": f"{max(MEMORY_MIB, size // 2)}MiB",
        "temp_directory": str(Path(tempfile.gettempdir()) / f"meantime-{os.getpid()}-{name}"),
    }


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
        known = sorted([*types, *MOMENTS])
        raise QueryError(f"column '{name}' is not one of {', '.join(known)}{_nearest(name, known)}")
    return f'"{name}"'


class _Read(NamedTuple):
    """How a dimension is read from a row `i`, its type, and the values that reading binds."""

    text: str
    type: str
    values: dict[str, Any]


def _read(warehouse: Warehouse, fact: str, name: str) -> _Read:
    if name in MOMENTS:
        text = f"{MOMENTS[name]}(i.opened_at at time zone 'UTC' at time zone $zone)"
        return _Read(text, "BIGINT", {"zone": warehouse.zone})
    return _Read(f"i.{column(warehouse, fact, name)}", warehouse.columns[fact][name], {})


def _nearest(name: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(choices), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


class Rows(NamedTuple):
    """A query that gives incidents, and the values that it binds."""

    text: str
    values: dict[str, Any]


class _Filter(NamedTuple):
    """The conditions of a scope's columns on a row `i`, and the values that they bind."""

    text: str
    values: dict[str, Any]


def _filter(warehouse: Warehouse, fact: str, scope: Scope) -> _Filter:
    found = [
        condition(warehouse, name, alternatives, f"where_{place}", fact)
        for place, (name, alternatives) in enumerate(scope.where)
    ]
    values = {key: value for one in found for key, value in one.values.items()}
    return _Filter("\n    ".join(f"and ({one.text})" for one in found), values)


def condition(
    warehouse: Warehouse, name: str, alternatives: Sequence[str | None], mark: str, fact: str = "incidents"
) -> _Filter:
    """Compose the test that a row `i` of a fact has one of some values in a column; `mark` begins the names of what is bound."""
    quoted, type_, bound = _read(warehouse, fact, name)
    known = {f"{mark}_{at}": value for at, value in enumerate(alternatives) if value is not None}
    # A word that is no number matches no number: it is not an error to ask for it.
    marks = ", ".join(f"try_cast(${key} as {type_.removesuffix('[]')})" for key in known)
    found = [] if None not in alternatives else [f"{quoted} is null"]
    if known:
        found.append(f"list_has_any({quoted}, [{marks}])" if type_.endswith("[]") else f"{quoted} in ({marks})")
    return _Filter(" or ".join(found) or "false", {**known, **bound})


def unmatched(warehouse: Warehouse, scope: Scope) -> list[str]:
    """Say which of a scope's values no incident has at all, and which there are: a misspelt one would read as zero."""
    said = []
    for name, alternatives in scope.where:
        type_ = warehouse.columns["incidents"].get(name)
        for value in alternatives if type_ else ():
            filtered = _filter(warehouse, "incidents", Scope(where=((name, (value,)),)))
            if (
                value is None
                or warehouse.frame(
                    f"select 1 from main.incidents as i where true {filtered.text} limit 1", filtered.values
                ).height
            ):
                continue
            known = [member for member, _ in options(warehouse, name) if member is not None]
            told = _nearest(value, known) or (f"; there are {', '.join(known)}" if 0 < len(known) <= 20 else "")
            said.append(f"no incident has {name} '{value}'{told}")
    return said


Days = tuple[date, date]
"""A first and a last day, both included."""


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
        raise QueryError(f"grain '{grain}' is not one of {', '.join(periods.GRAINS)}{_nearest(grain, periods.GRAINS)}")
    limited = [name for name in names if limits and kpi(warehouse, name).has_limits]
    return _answers(warehouse, names, scope, tuple(by), grain, (), limited, of).drop("error", "m")


def _answers(
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
        _stock(warehouse, members, scope, by, grain, parts)
        if members[0].fact == "incident_days"
        else _flow(warehouse, members, scope, by, grain, parts, [one for one in members if one.name in limited], of)
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


class _Keys(NamedTuple):
    """What rows are grouped by: how keys are read from a row `i`, their types, joins that open many-valued ones, values bound."""

    read: list[str]
    types: list[str]
    joins: str
    values: dict[str, Any]


def _keys(warehouse: Warehouse, fact: str, by: Sequence[str], scope: Scope) -> _Keys:
    read, types, joins, told = [], [], [], dict(scope.told)
    values: dict[str, Any] = {}
    for place, name in enumerate(by):
        quoted, type_, bound = _read(warehouse, fact, name)
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
    return _Keys(read, types, " ".join(joins), values)


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


def _lines(parts: Sequence[str]) -> str:
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


def _counted_within(counted_on: str, scope: Scope, parts: tuple[Days, ...]) -> _Filter:
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
    return _Filter(" and ".join(conditions), values)


def _period(counted_on: str, grain: str | None, parts: tuple[Days, ...]) -> str | None:
    if parts:
        cases = " ".join(
            f"when i.{counted_on} between date '{since}' and date '{until}' then date '{since}'"
            for since, until in parts
        )
        return f"case {cases} end as period"
    return f"date_trunc('{grain}', i.{counted_on})::date as period" if grain else None


def _flow_rows(
    warehouse: Warehouse,
    members: Sequence[Kpi],
    scope: Scope,
    by: Sequence[str],
    grain: str | None,
    parts: tuple[Days, ...],
    of: Rows | None = None,
) -> _Filter:
    """Compose the rows that KPIs over incidents count, with their keys and periods and no column more than is read."""
    counted_on = members[0].counted_on
    keys = _keys(warehouse, "incidents", by, scope)
    within, filtered = _counted_within(counted_on, scope, parts), _filter(warehouse, "incidents", scope)
    period = _period(counted_on, grain, parts)
    read = [*keys.read, *([period] if period else []), f"i.{counted_on} as counted_day"]
    read += [f"i.{name}" for name in needed(warehouse, members)]
    rows = "main.incidents" if of is None else f"({of.text})"
    text = f"select {_lines(read)} from {rows} as i {keys.joins} where {within.text} {filtered.text}"
    return _Filter(text, {**within.values, **filtered.values, **keys.values, **({} if of is None else of.values)})


def _flow(
    warehouse: Warehouse,
    members: Sequence[Kpi],
    scope: Scope,
    by: tuple[str, ...],
    grain: str | None,
    parts: tuple[Days, ...],
    limited: Sequence[Kpi],
    of: Rows | None = None,
) -> pl.DataFrame:
    """KPIs over incidents that share the day they are counted at: one scan, and one more for limits of quantiles."""
    rows = _flow_rows(warehouse, members, scope, by, grain, parts, of)
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
    wide = _named(wide, by)
    if grain or (parts and not by):
        wide = _filled(warehouse, wide, scope, by, grain, parts)
    return _long(wide, members, [*by, *(["period"] if grain or parts else [])])


def _plain(rows: str, keys: Sequence[str], calls: Sequence[str], kept: str) -> str:
    grouped = [f"i.{key}" for key in keys]
    return f"""
select
    {_lines([*grouped, *calls])}
from (
    {rows}
) as i
{kept}
{f"group by {_lines(grouped)}" if grouped else ""}
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
    rows = _flow_rows(warehouse, quantiles, scope, by, grain, parts, of)
    types = _keys(warehouse, "incidents", by, scope).types + ["date"] * ("period" in keys)
    text = evidence.ranked(rows.text, keys, types, quantiles, kept, wide.height)
    found = warehouse.frame(text, {**rows.values, **evidence.ranks(wide, keys, quantiles)})
    wide = wide.drop(name for name in found.columns if name not in keys)
    return wide.join(found, on=list(keys), how="left", nulls_equal=True) if keys else wide.hstack(found)


def _days_of(
    warehouse: Warehouse, wide: pl.DataFrame, scope: Scope, grain: str | None, parts: tuple[Days, ...]
) -> list[int]:
    """Say over how many days each row reaches, those without incidents too."""
    reach = _range(warehouse, scope)
    if grain or parts:
        ends = dict(parts) or {first: periods.following(first, grain or "day") - DAY for first in wide["period"]}
        return [(ends[first] - first).days + 1 for first in wide["period"]]
    return [(reach[1] - reach[0]).days + 1 if reach else 1] * wide.height


def _named(wide: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    return wide.rename({f"key_{place}": name for place, name in enumerate(by)})


def _range(warehouse: Warehouse, scope: Scope) -> Days | None:
    """The days that a scope reaches within what the sources cover."""
    if warehouse.first_day is None or warehouse.last_day is None:
        return None
    since = max(scope.since or warehouse.first_day, warehouse.first_day)
    until = min(scope.until or warehouse.last_day, warehouse.last_day + timedelta(days=1))
    return (since, until) if since <= until else None


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
        reach = _range(warehouse, scope)
        if reach is None:
            return wide
        firsts = [bucket.since for bucket in periods.buckets(*reach, grain)]
    starts = pl.DataFrame({"period": firsts}, schema={"period": pl.Date})
    grid = wide.select(by).unique().join(starts, how="cross") if by else starts
    return grid.join(wide, on=[*by, "period"], how="full", coalesce=True, nulls_equal=True)


def _long(wide: pl.DataFrame, members: Sequence[Kpi], keys: Sequence[str]) -> pl.DataFrame:
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


MANY_DAYS = 8
"""From so many days on, counts of open incidents are drawn from openings less closings instead of from each day's rows."""


def _stock(
    warehouse: Warehouse,
    members: Sequence[Kpi],
    scope: Scope,
    by: tuple[str, ...],
    grain: str | None,
    parts: tuple[Days, ...],
) -> pl.DataFrame:
    """KPIs over the incidents open at a day's end: on a bucket's last complete day, or on all of its days."""
    wanted = _wanted(warehouse, scope, grain, parts)
    found = []
    for how, chosen in _by_shape(members, len(wanted)).items():
        query, bound = how(warehouse, chosen, scope, by, wanted)
        wide = _named(warehouse.frame(query, bound), by)
        keys = [*by, *(["period"] if grain or parts else [])]
        if not keys and wide.is_empty():
            wide = pl.DataFrame({name: [None] for name in wide.columns})
        found.append(_long(wide, chosen, keys))
    return pl.concat(found, how="vertical_relaxed")


Shape = Callable[..., tuple[str, dict[str, Any]]]


def _by_shape(members: Sequence[Kpi], days: int) -> dict[Shape, list[Kpi]]:
    shapes: dict[Shape, list[Kpi]] = {}
    for one in members:
        if one.name == "backlog_mean":
            shape = _mean_open
        else:
            shape = _cumulated if one.name == "backlog" and days >= MANY_DAYS else _open_at_the_end
        shapes.setdefault(shape, []).append(one)
    return shapes


class _Wanted(NamedTuple):
    """A bucket's name, and the complete days of it that are looked at."""

    period: date
    first_day: date
    day: date


def _wanted(warehouse: Warehouse, scope: Scope, grain: str | None, parts: tuple[Days, ...]) -> list[_Wanted]:
    first, last = warehouse.first_day, warehouse.last_day
    if first is None or last is None:
        return []
    since, until = max(scope.since or first, first), min(scope.until or last, last)
    if parts:
        found = [_Wanted(part[0], max(part[0], first), min(part[1], last)) for part in parts]
    elif grain:
        found = [
            _Wanted(bucket.since, max(bucket.since, since), min(bucket.until, until))
            for bucket in periods.buckets(since, until, grain)
        ]
    else:
        found = [_Wanted(since, since, until)]
    return [one for one in found if one.first_day <= one.day]


def _spans(
    warehouse: Warehouse,
    scope: Scope,
    wanted: Sequence[_Wanted],
    *,
    from_day: date | None = None,
    by: Sequence[str] = (),
    read: Iterable[str] = (),
    more: Iterable[str] = (),
    excluded: bool = False,
    on_days: bool = False,
) -> _Filter:
    """Compose what every stock begins with: the wanted days, and the spans that touch them, before any is unfolded.

    Args:
        warehouse: the published version.
        scope: its filters hold; its days are in `wanted`.
        wanted: the days looked at.
        from_day: first of them; the first that a bucket ends on, if not given.
        by: columns to read as keys.
        read: further columns.
        more: further expressions.
        excluded: with the incidents that no KPI counts.
        on_days: without spans that lie between the wanted days, of which most do where these are few.
    """
    filtered, keys = _filter(warehouse, "incident_days", scope), _keys(warehouse, "incident_days", by, scope)
    bound = {
        "from_day": from_day or min((one.day for one in wanted), default=None),
        "to_day": max((one.day for one in wanted), default=None),
        "periods": [one.period for one in wanted],
        "first_days": [one.first_day for one in wanted],
        "days": [one.day for one in wanted],
    }
    columns = [*keys.read, *(f"i.{name}" for name in dict.fromkeys(read)), *more]
    text = (
        (SQL / "open_spans.sql")
        .read_text(encoding="utf-8")
        .partition("\n")[2]
        .replace("-- and what is read", "".join(f", {column}" for column in columns))
        .replace("-- and the members", keys.joins)
        .replace("-- and the filters", ("" if excluded else "and i.excluded_as is null\n    ") + filtered.text)
    )
    if on_days and 0 < len(wanted) < MANY_DAYS:
        bound |= {f"day_{place}": one.day for place, one in enumerate(wanted)}
        open_on = " or ".join(
            f"(i.from_day <= ${name} and (i.until_day is null or i.until_day > ${name}))"
            for name in (f"day_{place}" for place in range(len(wanted)))
        )
        text = text.replace("-- and the days", f"and ({open_on})")
    return _Filter(text, {**bound, **filtered.values, **keys.values})


def _grid(by: Sequence[str]) -> str:
    members = f"select distinct {_key_list(by)} from chosen" if by else "select 1 as one"
    return f"grid as (\n    select wanted.*, members.* from wanted cross join ({members}) as members\n)"


def _key_list(by: Sequence[str], row: str = "") -> str:
    return ", ".join(f"{row}key_{place}" for place in range(len(by)))


def _same_keys(by: Sequence[str]) -> str:
    return "".join(f" and chosen.key_{place} is not distinct from grid.key_{place}" for place in range(len(by)))


def _open_at_the_end(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], wanted: Sequence[_Wanted]
) -> tuple[str, dict[str, Any]]:
    """Macros over the rows of `incident_days` on each bucket's last day; a day without any is a day, too."""
    read = ["opened_at", *(name for name in needed(warehouse, members) if name != "incident_id")]
    # Where the macros ask only whether there is an incident, its number is not fetched: texts cost more than all the rest.
    is_asked = any(re.search(r"incident_id(?! is (not )?null)", one.sql) for one in members)
    number = "i.incident_id" if is_asked else "true as incident_id"
    spans = _spans(warehouse, scope, wanted, by=by, read=read, more=[number], excluded=True, on_days=True)
    groups = [f"d.key_{place}" for place in range(len(by))] + ["d.period"]
    query = f"""
with {spans.text},
chosen as materialized (
    select
        wanted.period,
        date_diff('second', spans.opened_at, wanted.ends_at)::bigint as age_seconds,
        spans.* exclude (from_day, gone_day)
    from wanted
    join spans
        on spans.from_day <= wanted.day
        and spans.gone_day > wanted.day
),
{_grid(by)},
filled as (
    select
        grid.*,
        chosen.* exclude (period{"".join(f", key_{place}" for place in range(len(by)))})
    from grid
    left join chosen
        on chosen.period = grid.period{_same_keys(by)}
)
select
    {_lines([*groups, *calls(members, "d")])}
from filled as d
group by {", ".join(groups)}
"""
    return query, spans.values


def _cumulated(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], wanted: Sequence[_Wanted]
) -> tuple[str, dict[str, Any]]:
    """Openings less closings, cumulated: what `kpi.backlog` counts, for many days (a test compares them)."""
    spans = _spans(warehouse, scope, wanted, by=by)
    listed = f"{_key_list(by)}, " if by else ""
    apart = f"partition by {_key_list(by, 'grid.')} " if by else ""
    keys = f"{_key_list(by, 'grid.')}, " if by else ""
    query = f"""
with {spans.text},
chosen as materialized (
    select {listed}wanted.period, sum(steps.step) as step
    from (
        select {listed}from_day as day, count(*) as step from spans group by all
        union all
        select {listed}gone_day as day, -count(*) as step from spans group by all
    ) as steps
    asof join wanted
        on steps.day <= wanted.day
    group by all
),
{_grid(by)}
select
    {keys}grid.period,
    sum(coalesce(chosen.step, 0)) over ({apart}order by grid.period)::double as backlog,
    sum(coalesce(chosen.step, 0)) over ({apart}order by grid.period)::bigint as backlog_n
from grid
left join chosen
    on chosen.period = grid.period{_same_keys(by)}
"""
    return query, spans.values


def _mean_open(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], wanted: Sequence[_Wanted]
) -> tuple[str, dict[str, Any]]:
    """Mean over a bucket's days from each span's days in it: what `kpi.backlog_mean` counts (a test compares them)."""
    first = min((one.first_day for one in wanted), default=None)
    spans = _spans(warehouse, scope, wanted, from_day=first, by=by)
    listed = f"{_key_list(by)}, " if by else ""
    keys = f"{_key_list(by, 'grid.')}, " if by else ""
    query = f"""
with {spans.text},
chosen as materialized (
    select
        {listed}wanted.period,
        sum(least(gone_day, wanted.day + 1) - greatest(from_day, wanted.first_day)) as open_days
    from spans
    join wanted
        on spans.from_day <= wanted.day
        and spans.gone_day > wanted.first_day
    group by all
),
{_grid(by)}
select
    {keys}grid.period,
    coalesce(chosen.open_days, 0)::double / (grid.day - grid.first_day + 1) as backlog_mean,
    (grid.day - grid.first_day + 1)::bigint as backlog_mean_n
from grid
left join chosen
    on chosen.period = grid.period{_same_keys(by)}
"""
    return query, spans.values


def extents(warehouse: Warehouse, scope: Scope) -> list[Extent]:
    """Give what the sources cover that a scope looks at."""
    chosen = dict(scope.where).get("source")
    return [extent for name, extent in warehouse.extents.items() if chosen is None or name in chosen]


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
    rows = _answers(warehouse, names, scope, (), grain, (), limited)
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
Bounds = tuple[float, float | None]
"""What incidents add to a KPI, in its unit: from the first on, below the second."""


def _members(row: dict[str, Any], by: Sequence[str]) -> Members:
    # As DuckDB writes them: true, not True.
    said = (row[name] for name in by)
    return tuple(str(one).lower() if isinstance(one, bool) else None if one is None else str(one) for one in said)


def trends(
    warehouse: Warehouse, name: str, scope: Scope, grain: str, by: tuple[str, ...]
) -> dict[Members, list[Point]]:
    """Give a KPI by bucket for each member of some columns, with limits and verdicts."""
    limited = [name] if kpi(warehouse, name).has_limits else []
    rows = _answers(warehouse, [name], scope, by, grain, (), limited)
    found: dict[Members, list[Point]] = {}
    for row, point in zip(rows.iter_rows(named=True), _judged(warehouse, rows, scope, grain), strict=True):
        found.setdefault(_members(row, by), []).append(point)
    return found


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
    reach = _range(warehouse, scope)
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
    found = {}
    for (days, two), members in asked.items():
        pairs = _pairs(warehouse, members, scope, two, limits)
        # What is compared is mostly the very range that was asked for.
        whole = pairs if two[0] == days else _pairs(warehouse, members, scope, (days,), limits)
        for name in members:
            before = pairs.get((name, two[1][0]), Number(None, 0))
            found[name] = Change(
                kpi(warehouse, name), whole[name, reach[0]], pairs[name, two[0][0]], before, comparisons[name]
            )
    return {name: found[name] for name in comparisons}


def _two(compared: Comparison) -> tuple[Days, Days]:
    return (compared.since, compared.until), (compared.before_since, compared.before_until)


def _pairs(
    warehouse: Warehouse, names: Sequence[str], scope: Scope, parts: tuple[Days, ...], limits: bool
) -> dict[tuple[str, date], Number]:
    """What is known by KPI and first day of the part."""
    limited = names if limits else ()
    frame = _answers(warehouse, names, scope.within(None, None), (), None, tuple(dict.fromkeys(parts)), limited)
    found = {
        (row["kpi"], row["period"]): Number(*(row[name] for name in Number._fields))
        for row in frame.iter_rows(named=True)
    }
    nothing = {name: Number(0.0 if kpi(warehouse, name).is_count else None, 0) for name in names}
    return {(name, since): nothing[name] for name in names for since, _ in parts} | found


def comparison(warehouse: Warehouse, name: str, scope: Scope, against: str = "before") -> Comparison | None:
    """Choose the days that a KPI of a scope is compared with; None in an empty range."""
    reach = _range(warehouse, scope)
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
            column_name: _answers(warehouse, [name], whole, (column_name,), None, parts).select(
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


def numbers(warehouse: Warehouse, name: str, scope: Scope, by: tuple[str, ...]) -> dict[Members, Number]:
    """Give a KPI by each member of some columns, with what a difference is judged by."""
    frame = _answers(warehouse, [name], scope, by, None, (), [name])
    return {_members(row, by): Number(*(row[part] for part in Number._fields)) for row in frame.iter_rows(named=True)}


def sides(
    warehouse: Warehouse, name: str, scope: Scope, by: tuple[str, ...], compared: Comparison
) -> dict[Members, tuple[Number, Number]]:
    """Give a KPI by each member of some columns, now and before, with what their difference is judged by."""
    parts = _two(compared)
    frame = _answers(warehouse, [name], scope.within(None, None), by, None, parts, [name])
    nothing = Number(0.0 if kpi(warehouse, name).is_count else None, 0)
    found: dict[Members, dict[date, Number]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(_members(row, by), {})[row["period"]] = Number(*(row[part] for part in Number._fields))
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
        rows = _flow_rows(warehouse, [one], scope, names, None, parts)
        sets = ", ".join(f"(i.period, i.key_{place})" for place in range(len(names)))
        kept = [f"grouping(i.key_{place}) as is_without_{place}" for place in range(len(names))]
        listed = [f"i.key_{place}" for place in range(len(names))]
        query = f"""
select
    {_lines(["i.period", *listed, *kept, *measures])}
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


def each(warehouse: Warehouse, name: str, scope: Scope, by: Sequence[str] = ()) -> pl.DataFrame:
    """Give what each incident adds to a KPI: what statistics over whole days read.

    Returns:
        `day`, the columns of `by`, `value` in the KPI's unit, `weight` (what the KPI divides by).
    """
    one = kpi(warehouse, name)
    rows = _flow_rows(warehouse, [one], scope, by, "day", ())
    weight = f"kpi.{one.name}_weight(i)" if one.statistic == "ratio" else "1"
    unit = "3600.0" if one.unit == "hours" else weight
    listed = [f'i.key_{place} as "{column_name}"' for place, column_name in enumerate(by)]
    query = f"""
select
    {_lines(["i.period as day", *listed, f"(kpi.{one.name}_each(i) / {unit})::double as value", f"{weight}::double as weight"])}
from (
    {rows.text}
) as i
where kpi.{one.name}_each(i) is not null
"""
    return warehouse.frame(query, rows.values)


def options(warehouse: Warehouse, column_name: str) -> list[tuple[str | None, int]]:
    """Give a column's members with their counts, most frequent first; None stands for those without one."""
    quoted = column(warehouse, "incidents", column_name)
    member = f"unnest(list_distinct({quoted}))" if column_name in MANY_VALUED else quoted
    query = f"""
select
    member::varchar as member,
    n
from (select {member} as member, count(*) as n from main.incidents group by 1)
order by
    n desc,
    member
"""
    return [(member, n) for member, n in warehouse.frame(query).iter_rows()]


def choices(warehouse: Warehouse) -> dict[str, list[str | None]]:
    """Give the members of the columns that everything is filtered by, most frequent first; None: incidents without one."""
    found: dict[str, list[str | None]] = {}
    for dimension, member in warehouse.stored("members").iter_rows():
        found.setdefault(dimension, []).append(member)
    return found


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
    condition = _filter(warehouse, "incidents", scope)
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
    rows = _flow_rows(warehouse, [one], scope, by, None, ())
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
    {_lines([*keys, f"({place})::integer as place", "count(*)::bigint as n"])}
from (
    {rows.text}
) as i
where {each} is not null
group by
    {_lines([*keys, "place"])}
order by
    {_lines([*keys, "place"])}
"""
    found = _named(warehouse.frame(query, rows.values), by)
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
        wanted = _wanted(warehouse, scope, None, ())
        spans = _spans(warehouse, scope, wanted, by=(by,))
        counted = f"(with {spans.text} select i.key_0, count(*) as n from spans as i group by i.key_0)"
        values = spans.values
    else:
        rows = _flow_rows(warehouse, [one], scope, (by,), None, ())
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


def filled(warehouse: Warehouse, names: Sequence[str]) -> list[str]:
    """Choose the columns that any incident has a value in."""
    there = {name: f'"{name}" is not null' for name in names}
    there |= {name: f'len("{name}") > 0' for name in names if warehouse.columns["incidents"][name].endswith("[]")}
    asked = [f'exists(select 1 from main.incidents where {test}) as "{name}"' for name, test in there.items()]
    found = warehouse.frame(f"select {_lines(asked)}").row(0, named=True)
    return [name for name in names if found[name]]


def extremes(warehouse: Warehouse, name: str, scope: Scope, *, is_most: bool = True, limit: int = 5) -> pl.DataFrame:
    """List the incidents that add most, or least, to a KPI: the columns of a list of incidents, and `adds` in its unit."""
    one = kpi(warehouse, name)
    rows = _flow_rows(warehouse, [one], scope, (), None, ())
    order = "desc" if is_most else "asc"
    each = f"kpi.{one.name}_each(i)"
    query = f"""
with heaviest as (
    select
        i.place,
        ({each} / {"3600.0" if one.unit == "hours" else "1"})::double as adds
    from (
        {rows.text.replace("select ", "select i.rowid as place, ", 1)}
    ) as i
    where {each} is not null
    order by
        adds {order},
        i.place
    limit {int(limit)}
)
select
    {_lines(_shown())},
    heaviest.adds
from main.incidents as i
join heaviest
    on i.rowid = heaviest.place
order by
    heaviest.adds {order},
    i.source,
    i.incident_id
"""
    return warehouse.frame(query, {**rows.values, "zone": warehouse.zone})


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
    between: Bounds | None = None,
) -> Incidents:
    """List the incidents behind a number (`name`: a KPI), or all that were opened in the scope.

    With `between` those that add so much to the KPI, in its unit: from the first up to below the second. Stamps are in
    the reporting zone. `text` is a search as `searching` reads it; `found_in` then names where it was met.
    """
    if sort not in INCIDENT_COLUMNS:
        raise QueryError(f"cannot sort by '{sort}'; choose one of {', '.join(INCIDENT_COLUMNS)}")
    one = kpi(warehouse, name) if name else None
    chosen = _counted_rows(warehouse, one, scope, between) if one else _opened_rows(warehouse, scope)
    bound = dict(chosen.values)
    conditions = []
    if only_open:
        conditions.append("and i.state in ('new', 'in_progress', 'on_hold') and i.excluded_as is null")
    search = searching.search(text) if text else None
    if search:
        conditions.append(f"and {search.condition}")
        bound |= search.values
    shown = _shown() + ([f"{search.found_in} as found_in"] if search else [])
    order = f"order by i.{sort} {'desc' if descending else 'asc'} nulls last, i.source, i.incident_id"
    found = f"from main.incidents as i where {chosen.text} {' '.join(conditions)}"
    # The page's keys first: only they are worth fetching whole.
    query = f"""
select
    {_lines(shown)}
from main.incidents as i
where i.rowid in (select i.rowid {found} {order} limit {int(limit)} offset {int(offset)})
{order}
"""
    rows = warehouse.frame(query, {**bound, "zone": warehouse.zone})
    total = warehouse.frame(f"select count(*)::bigint as n {found}", bound)["n"][0]
    return Incidents(rows, total)


def _shown() -> list[str]:
    return [
        f"(i.{name} at time zone 'UTC' at time zone $zone)::timestamp as {name}"
        if name.endswith("_at")
        else f"i.{name}"
        for name in INCIDENT_COLUMNS
    ]


def _opened_rows(warehouse: Warehouse, scope: Scope) -> _Filter:
    within, filtered = _counted_within("opened_on", scope, ()), _filter(warehouse, "incidents", scope)
    return _Filter(f"{within.text} {filtered.text}", {**within.values, **filtered.values})


def _counted_rows(warehouse: Warehouse, one: Kpi, scope: Scope, between: Bounds | None = None) -> _Filter:
    """Choose the rows that a number is made of: the KPI's own n over each says whether it counts."""
    if one.fact == "incident_days":
        wanted = _wanted(warehouse, scope, None, ())
        spans = _spans(warehouse, scope, wanted, read=("source", "incident_id"))
        text = (
            f"(i.source, i.incident_id) in (with {spans.text} select (spans.source, spans.incident_id) from spans"
            " join wanted on spans.from_day <= wanted.day and spans.gone_day > wanted.day)"
        )
        return _Filter(text, spans.values)
    within, filtered = _counted_within(one.counted_on, scope, ()), _filter(warehouse, "incidents", scope)
    read = _lines(["i.rowid as place", *(f"i.{name}" for name in needed(warehouse, [one]))])
    rows = f"select {read} from main.incidents as i where {within.text} {filtered.text}"
    adds = ""
    if between is not None:
        size = 3600 if one.unit == "hours" else 1
        adds = f"where kpi.{one.name}_each(i) >= $least and ($below::double is null or kpi.{one.name}_each(i) < $below)"
        # Bounds of bins are roots of ten: a bin and its list must round alike.
        bound = {
            "least": round(between[0] * size, 6),
            "below": None if between[1] is None else round(between[1] * size, 6),
        }
        within.values.update(bound)
    text = f"i.rowid in (select i.place from ({rows}) as i {adds} group by i.place having kpi.{one.name}_n(i) > 0)"
    return _Filter(text, {**within.values, **filtered.values})


class Beside(NamedTuple):
    """What is not in a number, and what is odd in it; counted at the number's own day, within the scope."""

    excluded: dict[str, int]
    with_parent: int
    auto_resolved: int
    closed_without_resolving: int
    without_duration: int
    first_contact_over_1_hour: int
    first_contact_over_24_hours: int
    still_open: int
    open_and_breached: int


def beside(warehouse: Warehouse, name: str, scope: Scope) -> Beside:
    """Count what a KPI leaves out, to stand beside it."""
    one = kpi(warehouse, name)
    counted_on = "opened_on" if one.fact != "incidents" else one.counted_on
    condition = _filter(warehouse, "incidents", scope)
    text = (SQL / "beside.sql").read_text(encoding="utf-8")
    query = text.replace("i.counted_on", f"i.{counted_on}").replace("-- and the filters", condition.text)
    row = warehouse.frame(query, {**condition.values, "since": scope.since, "until": scope.until}).row(0, named=True)
    excluded = {reason: row.pop(f"excluded_{reason}") for reason in ("cancelled", "duplicate", "test", "deleted")}
    return Beside({reason: n for reason, n in excluded.items() if n}, **row)


def filtered(
    warehouse: Warehouse, name: str, scope: Scope, values: dict[str, Any] | None = None, fact: str = "incidents"
) -> pl.DataFrame:
    """Run a query of `dashboard/sql` within a scope: its conditions stand where the text says "and the filters"."""
    return within(warehouse, (SQL / f"{name}.sql").read_text(encoding="utf-8"), scope, values, fact)


def within(
    warehouse: Warehouse, text: str, scope: Scope, values: dict[str, Any] | None = None, fact: str = "incidents"
) -> pl.DataFrame:
    """Run a text in which the scope's conditions stand where it says "and the filters"."""
    condition = _filter(warehouse, fact, scope)
    bound = {**condition.values, "since": scope.since, "until": scope.until, **(values or {})}
    return warehouse.frame(text.replace("-- and the filters", condition.text), bound)


def rhythm(warehouse: Warehouse, scope: Scope) -> pl.DataFrame:
    """Openings by weekday (1 Monday to 7) and hour in the reporting zone: `weekday`, `hour`, `n`."""
    condition = _filter(warehouse, "incidents", scope)
    query = (SQL / "rhythm.sql").read_text(encoding="utf-8").replace("-- and the filters", condition.text)
    return warehouse.frame(
        query, {**condition.values, "since": scope.since, "until": scope.until, "zone": warehouse.zone}
    )


AGE_CLASSES = ("under 1 day", "1 to 3 days", "3 to 7 days", "7 to 30 days", "over 30 days")


def backlog_ages(warehouse: Warehouse, scope: Scope) -> pl.DataFrame:
    """Incidents open at the end of the scope's last complete day by age: `age_class`, `n`."""
    wanted = _wanted(warehouse, scope, None, ())
    spans = _spans(warehouse, scope, wanted, read=("opened_at",))
    query = (SQL / "backlog_ages.sql").read_text(encoding="utf-8").replace("-- the spans", spans.text)
    found = dict(warehouse.frame(query, spans.values).iter_rows())
    return pl.DataFrame({"age_class": AGE_CLASSES, "n": [found.get(place, 0) for place in range(5)]})


def tables(warehouse: Warehouse) -> pl.DataFrame:
    """Every public table and view with its columns, and what they mean."""
    return warehouse.stored("tables")


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
