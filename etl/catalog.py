"""The KPI catalog: reads the headers of `kpis/*.sql` and makes the schema `kpi` and the public views from them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from etl.incident import ACTOR_KINDS, HOLD_REASONS, STATES, Field

FACTS = Path(__file__).parent / "facts"
LINKS = Path(__file__).parent / "links"
"""What is made only where the configuration links sources; a file runs after the fact of the same name."""
CHANGED, DIVIDED = "1_changed.sql", "1_divided.sql"
"""Facts that say what is to be made, once; all others are made slice by slice."""
KPIS = Path(__file__).parent / "kpis"
VIEWS = Path(__file__).parent / "views"
VIEWED = ("incident_segments", "incident_days")

UNITS = ("hours", "share", "incidents", "reassignments")
BETTER = ("lower", "higher", "none")
STATISTICS = ("mean", "rate", "ratio", "quantile 0.5", "quantile 0.9", "count")
"""What a KPI makes of what each incident adds; it decides the interval. A ratio divides one sum by another."""
COUNTED_ON = {
    "opened_at": "opened_on",
    "acknowledged_at": "acknowledged_on",
    "first_resolved_at": "first_resolved_on",
    "resolved_at": "resolved_on",
    "day": "day",
}
"""Instant at which a KPI counts an incident -> the column with its day in the reporting zone."""
DIMENSIONS = ("all", "priority", "assignment_group", "service", "source")


CATALOG = (
    Field(
        "name", "varchar", "Name of its macro in the schema kpi; <name>_n says how many incidents a value is made of"
    ),
    Field("title", "varchar", "What it is called on pages"),
    Field("unit", "varchar", f"Unit of its value: {', '.join(UNITS)}"),
    Field("better", "varchar", f"Which way is better: {', '.join(BETTER)}"),
    Field("fact", "varchar", "Table or view whose rows its macro takes"),
    Field("counted_at", "varchar", "Instant at which it counts an incident, or the day that it is a stock of"),
    Field("description", "varchar", "What it means and what it leaves out"),
    Field("sql", "varchar", "Its definition: the text of its macros"),
    Field("statistic", "varchar", f"What it makes of what each incident adds: {', '.join(STATISTICS)}"),
)
DAY = Field("day", "date", "Day in the reporting zone")
PERIODIC = (
    Field("period", "date", "First day of the period, in the reporting zone"),
    Field("dimension", "varchar", f"What the row is split by: {', '.join(DIMENSIONS)}"),
    Field("member", "varchar", "Value of the dimension; null where an incident has none"),
)


class CatalogError(Exception):
    """A KPI file that is not as it must be; the message names file and line."""


class Example(NamedTuple):
    """A query and what it must give."""

    query: str
    expected: str


class Kpi(NamedTuple):
    """One KPI as its file defines it."""

    name: str
    title: str
    unit: str
    better: str
    fact: str
    counted_at: str
    statistic: str
    """One of STATISTICS: what is made of `kpi.<name>_each`, and with it the interval."""
    days: str
    """For a KPI over `incident_days`: `last` day of a bucket, or `all` of them."""
    description: str
    sql: str
    examples: tuple[Example, ...]

    @property
    def counted_on(self) -> str:
        """The column with the day that it is counted at."""
        return COUNTED_ON[self.counted_at]

    @property
    def is_count(self) -> bool:
        """Whether nothing counted is 0 and not unknown."""
        return self.unit == "incidents" and self.name != "backlog_mean"


@cache
def kpis() -> tuple[Kpi, ...]:
    """Read every KPI, in order of name.

    Raises:
        CatalogError: a header or an example is missing or not understood.
    """
    return tuple(_read(path) for path in sorted(KPIS.glob("*.sql")))


def kpi(name: str) -> Kpi:
    """Give one KPI.

    Raises:
        KeyError: there is none of that name.
    """
    return {kpi.name: kpi for kpi in kpis()}[name]


def _read(path: Path) -> Kpi:
    lines = path.read_text(encoding="utf-8").splitlines()
    header: dict[str, str] = {}
    prose = []
    body_at = 0
    for number, line in enumerate(lines):
        if not line.startswith("--"):
            body_at = number
            break
        found = re.match(r"-- (title|unit|better|fact|counted|statistic|days): +(.*\S)", line)
        if found:
            header[found[1]] = found[2]
        else:
            prose.append(line.removeprefix("--").strip())
    for key in ("title", "unit", "better", "counted", "statistic"):
        if key not in header:
            raise CatalogError(f"{path.name}:{body_at}: the header has no '-- {key}:'")
    allowed = {"unit": UNITS, "better": BETTER, "counted": tuple(COUNTED_ON), "statistic": STATISTICS}
    for key, choices in allowed.items():
        if header[key] not in choices:
            raise CatalogError(f"{path.name}: {key} is '{header[key]}'; it must be one of {', '.join(choices)}")
    if not prose:
        raise CatalogError(f"{path.name}:{body_at}: no sentence says what it is")
    body = "\n".join(line for line in lines[body_at:] if not re.match(r"-- (>>> |\S+$|-?\d)", line)).strip()
    fact = header.get("fact", "incidents")
    each = [f"{path.stem}_each"] if fact == "incidents" else []
    weight = [f"{path.stem}_weight"] if header["statistic"] == "ratio" else []
    for macro in (path.stem, f"{path.stem}_n", *each, *weight):
        if f"macro kpi.{macro}(" not in body:
            raise CatalogError(f"{path.name}: does not create the macro kpi.{macro}")
    examples = tuple(
        Example(line.removeprefix("-- >>> "), lines[number + 1].removeprefix("-- "))
        for number, line in enumerate(lines[:-1])
        if line.startswith("-- >>> ")
    )
    if not examples:
        raise CatalogError(f"{path.name}: has no example, a line that begins with '-- >>> '")
    return Kpi(
        path.stem,
        header["title"],
        header["unit"],
        header["better"],
        fact,
        header["counted"],
        header["statistic"],
        header.get("days", "all"),
        " ".join(prose),
        body,
        examples,
    )


def run_facts(con: duckdb.DuckDBPyConnection, at_once: int = 500_000) -> None:
    """Make the facts again for the incidents in the temporary table `changed`.

    Args:
        con: the store, in a transaction.
        at_once: versions of incidents of which about so many are in memory at a time. Linked ones always are, since the
            facts of one follow from another's.
    """
    for name, words in (("state_word", STATES), ("hold_word", HOLD_REASONS), ("actor_word", ACTOR_KINDS)):
        listed = ", ".join(f"'{word}'" for word in words)
        con.execute(f"create or replace temp type {name} as enum ({listed})")
    is_linked = con.execute("select count(*) from store.link_rules").fetchall() != [(0,)]
    files = [*FACTS.glob("*.sql"), *(LINKS.glob("*.sql") if is_linked else ())]
    ordered = sorted(files, key=lambda path: (path.name, path.parent == LINKS))
    for path in ordered:
        if path.name == CHANGED:
            con.execute(path.read_text(encoding="utf-8"))
    (count,) = con.execute("select count(*) from places").fetchall()[0]
    slices = 1 if is_linked else max(1, -(-count // at_once))
    con.execute(f"set variable slices = {slices}")
    con.execute((FACTS / DIVIDED).read_text(encoding="utf-8"))
    for slice_ in range(slices):
        con.execute(f"set variable slice = {slice_}")
        for path in ordered:
            if path.name not in (CHANGED, DIVIDED):
                con.execute(path.read_text(encoding="utf-8"))


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Make every KPI's macros."""
    con.execute("create schema if not exists kpi")
    for entry in kpis():
        con.execute(entry.sql)


def build(con: duckdb.DuckDBPyConnection, comments: dict[str, tuple[str, tuple[Field, ...]]]) -> None:
    """Make the public views, the schema `kpi` and all comments. The periodic views bind every macro.

    Args:
        con: the store.
        comments: table -> what one row is, and its columns.
    """
    create_macros(con)
    for path in sorted(VIEWS.glob("*.sql")):
        con.execute(path.read_text(encoding="utf-8"))
    _catalog_table(con)
    for grain in ("day", "month"):
        name = {"day": "daily", "month": "monthly"}[grain]
        con.execute(f"create or replace view kpi.{name} as\n{_periodic(grain)}")
        _comment(
            con, "view", f"kpi.{name}", f"{grain}, dimension and member; each KPI is counted at its own date", PERIODIC
        )
        for entry in kpis():
            _comment_column(con, f"kpi.{name}", entry.name, f"{entry.title}, {entry.unit}. {entry.description}")
    _comment(con, "view", "kpi.calendar", "day from the first opening to the last day that any source covers", (DAY,))
    for table, (row, fields) in comments.items():
        _comment(con, "view" if table in VIEWED else "table", f"main.{table}", row[0].lower() + row[1:], fields)


def _comment(con: duckdb.DuckDBPyConnection, kind: str, name: str, row: str, fields: Iterable[Field]) -> None:
    con.execute(f"comment on {kind} {name} is {_quoted(f'One row per {row}')}")
    for field in fields:
        _comment_column(con, name, field.name, field.comment)


def _comment_column(con: duckdb.DuckDBPyConnection, table: str, column: str, comment: str) -> None:
    con.execute(f'comment on column {table}."{column}" is {_quoted(comment)}')


def bind(con: duckdb.DuckDBPyConnection) -> None:
    """Bind every macro against its fact: a misspelt column would otherwise be noticed by a reader only."""
    for fact in sorted({entry.fact for entry in kpis()}):
        calls = ", ".join(f"kpi.{entry.name}(fact), kpi.{entry.name}_n(fact)" for entry in kpis() if entry.fact == fact)
        con.execute(f"select {calls} from {fact} as fact where false")


def _catalog_table(con: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{field.name} {field.type}" for field in CATALOG)
    con.execute(f"create or replace table kpi.catalog ({columns})")
    con.executemany(
        f"insert into kpi.catalog values ({', '.join('?' for _ in CATALOG)})",
        [[getattr(entry, field.name) for field in CATALOG] for entry in kpis()],
    )
    _comment(con, "table", "kpi.catalog", "KPI: what it means and how it is computed", CATALOG)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _periodic(grain: str) -> str:
    """Compose the view with one column per KPI; a KPI's rows come from its own fact, counted at its own day."""
    parts = [
        f"select date_trunc('{grain}', day)::date as period, 'all' as dimension, 'all' as member from kpi.calendar"
        " group by all"
    ]
    groups: dict[tuple[str, str, str], list[Kpi]] = {}
    for entry in kpis():
        groups.setdefault((entry.fact, entry.counted_on, entry.days), []).append(entry)
    for (fact, counted_on, days), members in groups.items():
        if fact == "incidents":
            parts.append(_flows(grain, counted_on, members))
        else:
            parts += [_stocks(grain, dimension, counted_on, days, members) for dimension in DIMENSIONS]
    union = "\nunion all by name\n".join(parts)
    columns = ",\n    ".join(
        f"coalesce(max({entry.name}), 0)::bigint as {entry.name}"
        if entry.is_count
        else f"max({entry.name})::double as {entry.name}"
        for entry in kpis()
    )
    return (
        f"select\n    period,\n    dimension,\n    member,\n    {columns}\nfrom (\n{union}\n)\n"
        "group by\n    period,\n    dimension,\n    member"
    )


def _flows(grain: str, counted_on: str, members: list[Kpi]) -> str:
    """All dimensions in one scan, the macros bound once."""
    split = [dimension for dimension in DIMENSIONS if dimension != "all"]
    sets = ",\n        ".join(["(period)", *(f"(period, {dimension})" for dimension in split)])
    named = " ".join(f"when grouping({dimension}) = 0 then '{dimension}'" for dimension in split)
    valued = " ".join(f"when grouping({dimension}) = 0 then {dimension}::varchar" for dimension in split)
    calls = ",\n    ".join(f"kpi.{entry.name}(fact) as {entry.name}" for entry in members)
    return (
        f"select\n    period,\n    case {named} else 'all' end as dimension,\n    case {valued} else 'all' end as member,\n"
        f"    {calls}\nfrom (\n    select\n        date_trunc('{grain}', {counted_on})::date as period,\n        *\n"
        f"    from main.incidents\n    where {counted_on} is not null\n) as fact\n"
        f"group by grouping sets (\n        {sets}\n    )"
    )


def _stocks(grain: str, dimension: str, counted_on: str, days: str, members: list[Kpi]) -> str:
    """A stock is taken on a bucket's last day, or on all; a day without any open incident is a day, too."""
    calls = ",\n    ".join(f"kpi.{entry.name}(fact) as {entry.name}" for entry in members)
    member, crossed, match, kept = "'all'", "", "", "day"
    if dimension != "all":
        member = f"fact.{dimension}::varchar"
        crossed = f" cross join (select distinct {dimension} from main.incident_days) as members"
        match = f" and days.{dimension} is not distinct from members.{dimension}"
        kept = f"day, {dimension}"
    where = f"fact.{counted_on} is not null"
    if days == "last":
        where += f" and fact.day in (select max(day) from kpi.calendar group by date_trunc('{grain}', day))"
    return (
        f"select\n    date_trunc('{grain}', fact.{counted_on})::date as period,\n    '{dimension}' as dimension,\n"
        f"    {member} as member,\n    {calls}\n"
        f"from (select calendar.day, {'' if dimension == 'all' else f'members.{dimension}, '}days.* exclude ({kept})"
        f" from kpi.calendar as calendar{crossed}"
        f" left join main.incident_days as days on calendar.day = days.day{match}) as fact\n"
        f"where {where}\ngroup by all"
    )
