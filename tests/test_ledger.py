"""The time ledger: its parts, their sums and the hand-overs, on small histories and on the sample."""

from __future__ import annotations

import doctest
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from test_facts import at, made, snapshot, version

from dashboard import ledger, query
from etl import calendars

OFFICE = {"office": {"timezone": "UTC", "hours": {"mon-fri": "08:00-12:00"}}}


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> query.Warehouse:
    return query.open_data(sample)


def parts(rows: pl.DataFrame) -> dict[str, float]:
    return {part: seconds / 3600 for part, seconds in rows.group_by("part").agg(pl.col("seconds").sum()).iter_rows()}


def small(**columns: Any) -> query.Warehouse:
    con = duckdb.connect()
    made(
        con,
        [
            version(state="closed", resolved_at=at(60), closed_at=at(99), assignment_group="Network", **columns),
            version("B", resolved_at=at(5)),
            version("C", resolved_at=at(5), excluded_as="duplicate"),
        ],
        [
            snapshot(0, 0, "new", assignment_group="Desk"),
            snapshot(1, 1, "new", assignment_group="Network"),
            snapshot(2, 6, "in_progress", assignment_group="Network"),
            snapshot(3, 8, "on_hold", assignment_group="Network", hold_reason="vendor"),
            snapshot(4, 20, "in_progress", assignment_group="Desk"),
            snapshot(5, 30, "resolved", assignment_group="Desk"),
            snapshot(6, 50, "in_progress", assignment_group="Network"),
            snapshot(7, 60, "resolved", assignment_group="Network"),
        ],
        calendars=calendars.parse(OFFICE, [{"calendar": "office"}]),
    )
    return query.Warehouse(Path("none"), con)


def test_every_second_until_the_standing_resolution_has_one_part() -> None:
    rows = ledger.ledger(small(), query.Scope())
    found = {(group, part): seconds / 3600 for _, _, group, part, seconds in rows.iter_rows()}
    assert found == {
        ("Desk", "waiting_in_hours"): 1.0,
        ("Network", "waiting_in_hours"): 3.0,
        ("Network", "waiting_out_of_hours"): 2.0,
        ("Network", "working"): 12.0,
        ("Network", "on_hold_vendor"): 12.0,
        ("Desk", "working"): 10.0,
        ("Desk", "resolved"): 20.0,
        (None, "unexplained_no_history"): 5.0,
    }


def test_an_incident_that_comes_back_to_a_group_was_played_back_and_forth() -> None:
    found = ledger.hand_overs(small(), query.Scope())
    assert (found.hand_overs, found.incidents, found.returned_incidents) == (3, 1, 1)
    assert found.pairs.select("from_group", "to_group", "hand_overs", "returns").rows() == [
        ("Desk", "Network", 2, 1),
        ("Network", "Desk", 1, 1),
    ]


def test_hand_overs_are_those_that_the_events_tell(warehouse: query.Warehouse) -> None:
    scope = query.Scope(date(2025, 3, 1), date(2025, 11, 30), (("priority", ("2", "3")),))
    moves = warehouse.frame(
        "select e.source, e.incident_id, e.from_value, e.to_value from incident_events as e join incidents as i"
        " using (source, incident_id) where e.kind = 'group_assigned' and e.happened_at <= i.resolved_at"
        " and i.seconds_to_resolve is not null and i.excluded_as is null and i.resolved_with_parent is not true"
        " and i.priority in (2, 3) and i.resolved_on between '2025-03-01' and '2025-11-30'"
        " and e.from_value <> e.to_value order by e.source, e.incident_id, e.sequence"
    )
    given_away: dict[tuple[str, str], set[str]] = {}
    returned: set[tuple[str, str]] = set()
    pairs: dict[tuple[str, str], list[int]] = {}
    for source, incident_id, group, other in moves.iter_rows():
        gone = given_away.setdefault((source, incident_id), set())
        counts = pairs.setdefault((group, other), [0, 0])
        counts[0] += 1
        if other in gone:
            counts[1] += 1
            returned.add((source, incident_id))
        gone.add(group)
    found = ledger.hand_overs(warehouse, scope)
    assert (found.hand_overs, found.incidents) == (moves.height, len(given_away))
    assert found.returned_incidents == len(returned) > 0
    assert {
        (row["from_group"], row["to_group"]): [row["hand_overs"], row["returns"]]
        for row in found.pairs.iter_rows(named=True)
    } == pairs


@pytest.mark.parametrize("grain", ["week", "quarter"])
def test_the_parts_of_every_period_and_group_add_up_to_the_mean(warehouse: query.Warehouse, grain: str) -> None:
    scope = query.Scope(date(2025, 3, 1), date(2025, 11, 30), (("priority", ("2", "3")),))
    rows = ledger.ledger(warehouse, scope, grain)
    sums = dict(rows.group_by("period").agg(pl.col("seconds").sum()).iter_rows())
    means = query.values(warehouse, ["mttr"], scope, grain=grain).filter(pl.col("n") > 0)
    assert sums == {row["period"]: round(row["value"] * row["n"] * 3600) for row in means.iter_rows(named=True)}
    assert ledger.ledger(warehouse, scope)["seconds"].sum() == sum(sums.values())


def test_waiting_within_and_out_of_hours_is_all_waiting(warehouse: query.Warehouse) -> None:
    found = parts(ledger.ledger(warehouse, query.Scope()))
    waiting = warehouse.frame(
        "select sum(s.seconds)::double / 3600 as hours from incident_segments as s join incidents as i"
        " using (source, incident_id) where s.kind = 'waiting' and i.seconds_to_resolve is not null"
        " and i.excluded_as is null and i.resolved_with_parent is not true"
    )["hours"][0]
    assert found["waiting_in_hours"] + found["waiting_out_of_hours"] + found.get("waiting", 0.0) == pytest.approx(
        waiting
    )
    assert found["waiting_in_hours"] > 0 and found["waiting_out_of_hours"] > 0


def test_how_sure_the_parts_are_is_of_the_same_hours(warehouse: query.Warehouse) -> None:
    scope = query.Scope(date(2025, 3, 1), date(2025, 11, 30), (("priority", ("2", "3")),))
    rows = ledger.ledger(warehouse, scope)
    found, groups = ledger.how_sure(warehouse, scope)
    n = query.values(warehouse, ["mttr"], scope)["n"][0]
    for sides, column in ((found, "part"), (groups, "assignment_group")):
        sums = dict(rows.group_by(column).agg(pl.col("seconds").sum()).iter_rows())
        assert {member: round(one.mean.value * n * 3600) for member, one in sides.items()} == sums
        for one in sides.values():
            assert one.mean.n == n
            assert one.share.value == pytest.approx(one.mean.value * n * 3600 / sum(sums.values()), rel=1e-12)
            assert all(number.low < number.value < number.high for number in one)


def test_where_one_group_had_all_of_the_time_it_is_as_sure_as_the_whole(warehouse: query.Warehouse) -> None:
    scope = query.Scope(date(2025, 3, 1), date(2025, 11, 30), (("source", ("requests",)),))
    _, groups = ledger.how_sure(warehouse, scope)
    whole = query.values(warehouse, ["mttr"], scope).row(0, named=True)
    assert list(groups) == [None]
    mean, share = groups[None]
    assert (mean.value, mean.n, share.value) == (pytest.approx(whole["value"]), whole["n"], 1.0)
    assert (mean.low, mean.high) == pytest.approx((whole["low"], whole["high"]))


def test_every_part_has_a_family_and_what_the_docstrings_say_is_so() -> None:
    assert {ledger.family(part) for part in ledger.PARTS} == set(ledger.FAMILIES)
    assert doctest.testmod(ledger).failed == 0
