"""A number has one definition: macro, query layer, command line and plain views agree to the last digit."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from dashboard import filters, query, statements
from dashboard.query.days import Measure, by_day
from etl import catalog
from etl.cli import cli

FLOWS = tuple(kpi.name for kpi in catalog.kpis() if kpi.fact == "incidents")
STOCKS = tuple(kpi.name for kpi in catalog.kpis() if kpi.fact == "incident_days")
DIMENSIONS = ("priority", "assignment_group", "service", "source")


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> query.Warehouse:
    return query.open_data(sample)


@pytest.fixture(scope="module")
def copy(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An analyst's private copy, opened with settings of his own."""
    return Path(shutil.copy(sample / "incidents.duckdb", tmp_path_factory.mktemp("copy") / "mine.duckdb"))


def by_hand(copy: Path, name: str, keys: list[str], threads: int = 2) -> dict[tuple[Any, ...], tuple[Any, int]]:
    """An analyst's own query, in a plain connection, over rows in another order."""
    kpi = catalog.kpi(name)
    con = duckdb.connect(copy, read_only=True, config={"threads": threads})
    group = f"group by {', '.join(keys)}" if keys else ""
    selected = ", ".join([*keys, f"kpi.{name}(i)", f"kpi.{name}_n(i)"])
    rows = con.execute(
        f"select {selected} from (select * from incidents order by hash(incident_id)) as i"
        f" where {kpi.counted_on} is not null {group}"
    ).fetchall()
    con.close()
    return {row[:-2]: (None if row[-2] is None else float(row[-2]), row[-1]) for row in rows}


def asked(warehouse: query.Warehouse, name: str, **how: Any) -> dict[tuple[Any, ...], tuple[Any, int]]:
    found = query.values(warehouse, [name], **how)
    keys = [column for column in found.columns if column not in ("kpi", "value", "n", "low", "high")]
    return {tuple(row[key] for key in keys): (row["value"], row["n"]) for row in found.iter_rows(named=True)}


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("threads", [1, 2])
def test_macro_and_query_agree_over_all(copy: Path, warehouse: query.Warehouse, name: str, threads: int) -> None:
    assert asked(warehouse, name) == by_hand(copy, name, [], threads)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
def test_macro_and_query_agree_by_grain(copy: Path, warehouse: query.Warehouse, name: str, grain: str) -> None:
    key = f"date_trunc('{grain}', {catalog.kpi(name).counted_on})::date"
    ours = {key: pair for key, pair in asked(warehouse, name, grain=grain).items() if pair[1] or pair[0]}
    theirs = {key: pair for key, pair in by_hand(copy, name, [key]).items() if pair[1] or pair[0]}
    assert ours == theirs


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_macro_and_query_agree_by_dimension(copy: Path, warehouse: query.Warehouse, name: str, dimension: str) -> None:
    assert asked(warehouse, name, by=[dimension]) == by_hand(copy, name, [dimension])


@pytest.mark.parametrize("grain", ["day", "month"])
@pytest.mark.parametrize("dimension", ["all", *DIMENSIONS])
def test_plain_views_and_query_agree(warehouse: query.Warehouse, grain: str, dimension: str) -> None:
    view = {"day": "daily", "month": "monthly"}[grain]
    names = [*FLOWS, *STOCKS]
    rows = warehouse.frame(f"select * from kpi.{view} where dimension = $dimension", {"dimension": dimension})
    theirs = {
        (row["member"], row["period"], name): float(row[name])
        for row in rows.iter_rows(named=True)
        for name in names
        if row[name]
    }
    by = [] if dimension == "all" else [dimension]
    ours = {
        ("all" if not by else None if row[dimension] is None else str(row[dimension]), row["period"], row["kpi"]): row[
            "value"
        ]
        for row in query.values(warehouse, names, by=by, grain=grain).iter_rows(named=True)
        if row["value"]
    }
    assert ours == theirs


@pytest.mark.parametrize("name", [*FLOWS, *STOCKS])
def test_command_line_and_query_agree(sample: Path, warehouse: query.Warehouse, name: str) -> None:
    told = ["--grain", "month", "--by", "priority", "--since", "2025-02-01", "--until", "2025-05-31"]
    told += ["--where", "source=servicedesk", "--where", "source=alerts"]
    result = CliRunner().invoke(cli, ["--data", str(sample), "kpi", name, *told, "--format", "json"])
    assert result.exit_code == 0, result.output
    scope = query.Scope(date(2025, 2, 1), date(2025, 5, 31), (("source", ("servicedesk", "alerts")),))
    expected = query.values(warehouse, [name], scope, by=["priority"], grain="month")
    assert json.loads(result.stdout) == [
        {**row, "period": row["period"].isoformat()} for row in expected.drop("kpi").iter_rows(named=True)
    ]


@pytest.mark.parametrize("name", FLOWS)
def test_filtering_first_equals_the_group(warehouse: query.Warehouse, name: str) -> None:
    groups = asked(warehouse, name, by=["source"])
    for (source,), pair in groups.items():
        scope = query.Scope(where=(("source", (source,)),))
        assert asked(warehouse, name, scope=scope) == {(): pair}


def test_backlog_of_a_month_is_that_of_its_last_day(warehouse: query.Warehouse) -> None:
    daily = asked(warehouse, "backlog", grain="day")
    monthly = asked(warehouse, "backlog", grain="month")
    assert monthly[(date(2025, 2, 1),)] == daily[(date(2025, 2, 28),)]


def test_backlog_of_a_day_is_a_macro_over_that_days_rows(copy: Path, warehouse: query.Warehouse) -> None:
    con = duckdb.connect(copy, read_only=True)
    day = date(2025, 3, 13)
    found = con.execute(
        "select kpi.backlog(d), kpi.backlog_age_median(d) from incident_days as d where d.day = ?", [day]
    ).fetchall()[0]
    con.close()
    scope = query.Scope(day, day)
    ours = query.values(warehouse, ["backlog", "backlog_age_median"], scope)["value"].to_list()
    assert ours == [float(found[0]), found[1]]


def test_what_is_counted_when_it_is_loaded_is_what_there_is(sample: Path) -> None:
    warehouse = query.open_data(sample)
    assert query.choices(warehouse) == {
        column: [member for member, _ in query.options(warehouse, column)] for column in filters.COLUMNS
    }
    by_day = "select source, opened_on, count(*), count(excluded_as) from incidents group by all order by all"
    assert warehouse.openings.rows() == warehouse.frame(by_day).rows()


@pytest.mark.parametrize("where", [(), (("priority", ("1", "2")), ("source", ("servicedesk",)))])
def test_what_is_made_of_the_sums_of_days_is_what_the_macro_makes_of_the_rows(
    warehouse: query.Warehouse, where: tuple[tuple[str, tuple[str, ...]], ...]
) -> None:
    names = list(warehouse.kpis)
    for part in (
        (date(2025, 3, 3), date(2025, 5, 25)),
        (date(2025, 5, 1), date(2025, 5, 1)),
        (date(2025, 11, 1), date(2025, 12, 31)),
    ):
        found = query.in_parts(warehouse, names, query.Scope(where=where), (part,), limits=True)
        rows = query.values(warehouse, names, query.Scope(*part, where)).rows()
        assert [(name, *found[name, part[0]][:4]) for name in names] == rows


def test_days_that_were_asked_piece_by_piece_are_those_asked_at_once(sample: Path, warehouse: query.Warehouse) -> None:
    measures = [Measure(warehouse.kpis["mttr"]), Measure(warehouse.kpis["mttr"], has_logs=True)]
    pieces = [(date(2025, month, 3), date(2025, month, 9)) for month in (5, 2, 8, 5)]
    whole = (date(2025, 1, 1), date(2025, 8, 9))
    fresh, once = query.open_data(sample), query.open_data(sample)
    for piece in pieces:
        assert by_day(fresh, measures[:1], query.Scope(), piece)[0]["day"].is_between(*piece).all()
    for ours, theirs in zip(
        by_day(fresh, measures, query.Scope(), whole), by_day(once, measures, query.Scope(), whole), strict=True
    ):
        assert ours.rows() == theirs.rows()


def test_whoever_reads_what_is_known_is_given_the_questions_for_it(sample: Path) -> None:
    warehouse = query.open_data(sample)
    measures, spring = [Measure(warehouse.kpis["mttr"])], (date(2025, 3, 3), date(2025, 5, 25))
    with statements.noting() as first:
        by_day(warehouse, measures, query.Scope(), spring)
    with statements.noting() as again:
        by_day(warehouse, measures, query.Scope(), spring)
    with statements.noting() as earlier:
        by_day(warehouse, measures, query.Scope(), (date(2025, 2, 3), date(2025, 2, 9)))
    assert (len(first), again, len(earlier)) == (1, first, 1)
