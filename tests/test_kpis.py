"""Every KPI of the catalog keeps the rules that all KPIs share; each one's own example runs."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import duckdb
import pytest

from etl import catalog, incident, store

T = "timestamp '2025-01-01 08:00:00'"
ROW: dict[str, str] = {
    "incident_id": "'a'",
    "state": "'closed'",
    "excluded_as": "null",
    "resolved_with_parent": "false",
    "is_auto_resolved": "false",
    "priority": "2",
    "is_major": "true",
    "channel": "'phone'",
    "occurred_at": "timestamp '2025-01-01 07:00:00'",
    "opened_at": T,
    "acknowledged_at": "timestamp '2025-01-01 09:00:00'",
    "first_resolved_at": "timestamp '2025-01-01 10:00:00'",
    "resolved_at": "timestamp '2025-01-01 12:00:00'",
    "acknowledgement_basis": "'reported'",
    "reassignment_count": "1",
    "reopen_count": "1",
    "escalation_count": "1",
    "first_contact_resolved": "true",
    "sla_met": "true",
    "seconds_to_assign": "60",
    "seconds_to_acknowledge": "3600",
    "seconds_to_resolve": "14400",
    "seconds_to_first_resolution": "7200",
    "seconds_on_hold": "1800",
    "business_seconds_to_resolve": "3600",
    "business_seconds_to_acknowledge": "1800",
    "opened_out_of_hours": "true",
    "day": "date '2025-01-01'",
    "age_seconds": "3600",
}
"""An incident that every KPI counts."""
REQUIRED = ("incident_id", "state", "opened_at", "day", "excluded_as", "resolved_with_parent")
OPEN_AND_LATER = ("resolved_at", "first_resolved_at")


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    found = duckdb.connect()
    catalog.create_macros(found)
    return found


def ask(con: duckdb.DuckDBPyConnection, kpi: catalog.Kpi, rows: list[dict[str, str]]) -> tuple[Any, Any]:
    listed = ", ".join("(" + ", ".join(row.values()) + ")" for row in rows)
    text = f"select kpi.{kpi.name}(i), kpi.{kpi.name}_n(i) from (values {listed}) as i({', '.join(ROW)})"
    return con.execute(text).fetchall()[0]


@pytest.mark.parametrize("kpi", catalog.kpis(), ids=lambda kpi: kpi.name)
def test_the_example_gives_what_it_says(con: duckdb.DuckDBPyConnection, kpi: catalog.Kpi) -> None:
    for example in kpi.examples:
        assert str(con.execute(example.query).fetchall()[0][0]) == example.expected


@pytest.mark.parametrize("kpi", catalog.kpis(), ids=lambda kpi: kpi.name)
def test_an_incident_with_everything_is_counted(con: duckdb.DuckDBPyConnection, kpi: catalog.Kpi) -> None:
    value, n = ask(con, kpi, [ROW])
    assert (value is not None, n) == (True, 1)


@pytest.mark.parametrize("kpi", catalog.kpis(), ids=lambda kpi: kpi.name)
@pytest.mark.parametrize("reason", incident.EXCLUSIONS)
def test_excluded_incidents_change_no_kpi(con: duckdb.DuckDBPyConnection, kpi: catalog.Kpi, reason: str) -> None:
    odd = {**ROW, "excluded_as": f"'{reason}'", "seconds_to_resolve": "99", "seconds_to_acknowledge": "99"}
    assert ask(con, kpi, [ROW, odd, odd]) == ask(con, kpi, [ROW])


CHILDREN_COUNT_IN = {
    "incident_volume",
    "resolved_count",
    "major_count",
    "backlog",
    "backlog_mean",
    "backlog_age_median",
    "mttd",
    "time_to_assign",
    "out_of_hours_rate",
}


@pytest.mark.parametrize("kpi", catalog.kpis(), ids=lambda kpi: kpi.name)
def test_children_count_in_volumes_only(con: duckdb.DuckDBPyConnection, kpi: catalog.Kpi) -> None:
    child = {**ROW, "incident_id": "'b'", "resolved_with_parent": "true"}
    is_counted = ask(con, kpi, [ROW, child]) != ask(con, kpi, [ROW])
    if kpi.name in ("incident_volume", "resolved_count", "major_count", "backlog", "backlog_mean"):
        assert is_counted
    elif kpi.name not in CHILDREN_COUNT_IN:
        assert not is_counted


@pytest.mark.parametrize("kpi", catalog.kpis(), ids=lambda kpi: kpi.name)
def test_missing_fields_never_make_a_false_value(con: duckdb.DuckDBPyConnection, kpi: catalog.Kpi) -> None:
    """A row in which any of the fields that a KPI reads are missing is left out, or counts as it did: never as zero."""
    used = [name for name in ROW if name not in REQUIRED and re.search(rf"\b[id]\.{name}\b", kpi.sql)]
    whole, _ = ask(con, kpi, [ROW])
    for size in range(1, len(used) + 1):
        for missing in itertools.combinations(used, size):
            value, n = ask(con, kpi, [ROW, {**ROW, **dict.fromkeys(missing, "null")}])
            assert n in (1, 2)
            if kpi.is_count or kpi.name in ("backlog_mean",):
                assert value in (whole, 2 * whole)
            elif kpi.name in ("ack_rate", "fcr_coverage") and n == 2:
                # Here a missing stamp or verdict is the answer itself.
                assert value in (0.5, 1.0)
            else:
                assert value == pytest.approx(whole)


@pytest.mark.parametrize("threads", [1, 2])
def test_order_and_threads_do_not_matter(threads: int) -> None:
    values = random.Random(1).choices(range(1, 10_000_000), k=20_000)
    answers = set()
    for seed in (1, 2):
        random.Random(seed).shuffle(values)
        con = duckdb.connect(config={"threads": threads})
        catalog.create_macros(con)
        con.execute("create table i (seconds_to_resolve bigint, excluded_as varchar, resolved_with_parent boolean)")
        con.executemany("insert into i values (?, null, false)", [[value] for value in values[:2000]])
        con.execute("insert into i select unnest(?::bigint[]), null, false", [values[2000:]])
        answers.add(con.execute("select kpi.mttr(i), kpi.mttr_median(i), kpi.mttr_p90(i) from i").fetchall()[0])
    exact = sum(values) / len(values) / 3600
    assert len(answers) == 1
    assert answers.pop()[0] == exact


def test_every_kpi_has_a_definition_and_its_columns_exist() -> None:
    known = {field.name for _, fields in store.PUBLIC.values() for field in fields} | {"day", "age_seconds"}
    for kpi in catalog.kpis():
        used = set(re.findall(r"\b[id]\.(\w+)", kpi.sql))
        assert used <= known, kpi.name
        assert kpi.description.endswith(".")
        assert kpi.counted_at in catalog.COUNTED_ON


def test_a_header_that_lacks_a_line_names_file_and_line(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.sql").write_text(
        "-- title:   Odd\n-- unit:    hours\n-- counted: resolved_at\n-- Prose.\nselect 1;\n"
    )
    monkeypatch.setattr(catalog, "KPIS", tmp_path)
    catalog.kpis.cache_clear()
    try:
        with pytest.raises(catalog.CatalogError, match=r"odd\.sql:4: the header has no '-- better:'"):
            catalog.kpis()
    finally:
        catalog.kpis.cache_clear()
