"""The clock of an incident and its edge cases, as KPIS decides them: one small history each, facts as literals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import catalog, incident, store
from etl.sources import Canonical

START = datetime(2025, 3, 3, 8)
AS_OF = datetime(2025, 4, 1)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def version(incident_id: str = "A", **columns: Any) -> dict[str, Any]:
    usual = {"state": "closed", "opened_at": START, "reports_acknowledgement": False}
    return {"incident_id": incident_id, **usual, **columns}


def snapshot(number: int, hours: float, state: str, incident_id: str = "A", **columns: Any) -> dict[str, Any]:
    return {
        "incident_id": incident_id,
        "version_number": number,
        "happened_at": at(hours),
        "state": state,
        "actor": "ann",
        "actor_kind": "person",
        **columns,
    }


def event(kind: str, hours: float, incident_key: str = "A", **columns: Any) -> dict[str, Any]:
    return {
        "incident_key": incident_key,
        "event_id": f"{kind}-{hours}",
        "happened_at": at(hours),
        "sequence": 0,
        "kind": kind,
        "actor": "ann",
        "actor_kind": "person",
        **columns,
    }


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    found = duckdb.connect()
    yield found
    found.close()


def made(
    con: duckdb.DuckDBPyConnection,
    versions: list[dict[str, Any]],
    snapshots: list[dict[str, Any]] | None = None,
    events: list[dict[str, Any]] | None = None,
    **source: Any,
) -> dict[str, dict[str, Any]]:
    """Make the facts of a source; give its incidents by id."""
    at_once = source.pop("at_once", 1000)
    store.create(con, source.pop("zone", "UTC"))
    con.execute("begin")
    con.execute("create temp table changed (source varchar, incident_id varchar)")
    store.keep_calendars(con, source.pop("calendars", None))
    store.stage(con)
    frames = [
        incident.conform(pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(), fields)
        for rows, fields in (
            (versions, incident.VERSION),
            (snapshots, incident.SNAPSHOT),
            (events, incident.GIVEN_EVENT),
            ([], incident.REJECTED),
            ([], incident.ISSUE),
        )
    ]
    store.put(con, "desk", Canonical(*frames))
    store.merge(con, "desk", "input", AS_OF, AS_OF)
    store.record_source(
        con, {"source": "desk", "kind": "servicenow", "as_of": AS_OF, "knows_resolving": True, **source}
    )
    catalog.run_facts(con, at_once)
    catalog.build(con, {**store.PUBLIC, **store.VIEWS})
    con.execute("commit")
    return {row["incident_id"]: row for row in con.sql("select * from incidents").pl().iter_rows(named=True)}


def issues(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute("select rule, field from data_issues order by all").fetchall()


def segments(con: duckdb.DuckDBPyConnection) -> list[tuple[str, float]]:
    return con.execute("select kind, seconds / 3600 from incident_segments order by from_at").fetchall()


def test_a_plain_history_tells_the_whole_clock(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(resolved_at=at(10), closed_at=at(100), version_number=4, reassignment_count=1, reopen_count=0)],
        [
            snapshot(0, 0, "new", assignment_group="Desk", priority=3),
            snapshot(1, 1, "new", assignment_group="Network", priority=2),
            snapshot(2, 2, "in_progress", assignment_group="Network", assignee="ann", priority=2),
            snapshot(3, 4, "on_hold", assignment_group="Network", assignee="ann", priority=2, hold_reason="caller"),
            snapshot(4, 7, "in_progress", assignment_group="Network", assignee="ann", priority=2),
            snapshot(5, 10, "resolved", assignment_group="Network", assignee="ann", priority=2),
            snapshot(6, 100, "closed", assignment_group="Closing", assignee="ann", priority=4, actor_kind="automation"),
        ],
    )["A"]
    wanted = {
        "acknowledged_at": at(2),
        "acknowledgement_basis": "derived",
        "assigned_at": at(2),
        "resolved_at": at(10),
        "resolution_basis": "reported",
        "first_resolved_at": at(10),
        "last_resolved_at": at(10),
        "last_event_at": at(100),
        "seconds_to_resolve": 36000,
        "seconds_to_acknowledge": 7200,
        "seconds_on_hold": 10800,
        "hours_to_resolve": 10.0,
        "first_assignment_group": "Desk",
        "assignment_group": "Network",
        "opened_priority": 3,
        "priority": 2,
        "is_auto_resolved": False,
        "first_contact_resolved": False,
        "first_contact_basis": "derived",
        "business_seconds_to_resolve": None,
    }
    assert {name: row[name] for name in wanted} == wanted
    assert segments(con) == [("waiting", 1.0), ("waiting", 1.0), ("working", 2.0), ("on_hold", 3.0), ("working", 3.0)]


def test_a_resolve_stamp_that_is_missing_comes_from_the_history(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(closed_at=at(100), version_number=2)],
        [snapshot(0, 0, "new"), snapshot(1, 5, "resolved"), snapshot(2, 100, "closed")],
    )["A"]
    assert (row["resolved_at"], row["resolution_basis"], row["seconds_to_resolve"]) == (at(5), "history", 18000)


def test_closed_without_resolving_counts_as_resolved_without_a_duration(con: duckdb.DuckDBPyConnection) -> None:
    row = made(con, [version(closed_at=at(100))])["A"]
    assert (row["resolved_at"], row["resolution_basis"], row["seconds_to_resolve"]) == (at(100), "closed", None)
    assert issues(con) == [("closed_without_resolving", "closed_at")]


def test_where_a_source_knows_only_closing_closing_is_the_resolution(con: duckdb.DuckDBPyConnection) -> None:
    row = made(con, [version(closed_at=at(100))], knows_resolving=False)["A"]
    assert (row["resolution_basis"], row["seconds_to_resolve"], issues(con)) == ("closed", 360000, [])


def test_a_stamp_before_the_last_reopening_is_stale(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(resolved_at=at(5), version_number=3)],
        [
            snapshot(0, 0, "new"),
            snapshot(1, 5, "resolved"),
            snapshot(2, 20, "in_progress"),
            snapshot(3, 30, "resolved"),
        ],
    )["A"]
    assert (row["resolved_at"], row["resolution_basis"], row["first_resolved_at"]) == (at(30), "history", at(5))
    assert (row["reopen_count"], row["seconds_to_resolve"]) == (1, 108000)
    assert segments(con) == [("waiting", 5.0), ("resolved", 15.0), ("working", 10.0)]
    assert issues(con) == [("stale_resolved_at", "resolved_at")]


def test_reopened_and_open_has_no_resolution(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(state="in_progress", resolved_at=at(5), version_number=2)],
        [snapshot(0, 0, "new"), snapshot(1, 5, "resolved"), snapshot(2, 20, "in_progress")],
    )["A"]
    assert (row["resolved_at"], row["resolution_basis"], row["first_resolved_at"]) == (None, None, at(5))
    assert (row["last_resolved_at"], row["last_event_at"]) == (at(5), at(20))
    assert sum(hours for _, hours in segments(con)) == (AS_OF - START).total_seconds() / 3600


@pytest.mark.parametrize(
    ("columns", "field", "missing"),
    [
        ({"resolved_at": at(-1)}, ("before_opened", "resolved_at"), "seconds_to_resolve"),
        ({"resolved_at": AS_OF + timedelta(hours=1)}, ("after_as_of", "resolved_at"), "seconds_to_resolve"),
        (
            {"resolved_at": at(5), "acknowledged_at": at(6), "reports_acknowledgement": True},
            ("acknowledged_after_resolved", "acknowledged_at"),
            "seconds_to_acknowledge",
        ),
    ],
)
def test_an_impossible_stamp_is_kept_and_its_duration_is_unknown(
    con: duckdb.DuckDBPyConnection, columns: dict[str, Any], field: tuple[str, str], missing: str
) -> None:
    row = made(con, [version(**columns)])["A"]
    assert row["resolved_at"] == columns["resolved_at"]
    assert row[missing] is None
    assert field in issues(con)


def test_automation_and_the_caller_acknowledge_nothing(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(caller="cal", resolved_at=at(9), version_number=3)],
        [
            snapshot(0, 0, "new"),
            snapshot(1, 1, "in_progress", actor="system", actor_kind="automation"),
            snapshot(2, 2, "in_progress", actor="cal"),
            snapshot(3, 9, "resolved"),
        ],
    )["A"]
    assert (row["acknowledged_at"], row["seconds_to_acknowledge"]) == (at(9), 32400)


def test_assigning_it_to_oneself_acknowledges_and_dispatching_does_not(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(state="new", version_number=2)],
        [snapshot(0, 0, "new"), snapshot(1, 1, "new", assignee="bob"), snapshot(2, 2, "new", assignee="ann")],
    )["A"]
    assert (row["assigned_at"], row["acknowledged_at"]) == (at(1), at(2))


def test_a_source_that_cannot_know_an_acknowledgement_has_none(con: duckdb.DuckDBPyConnection) -> None:
    told = [event("opened", 0, to_value="in_progress"), event("resolved", 2, to_value="resolved")]
    row = made(con, [version(state="resolved", resolved_at=at(2), reports_acknowledgement=None)], events=told)["A"]
    assert (row["acknowledged_at"], row["acknowledgement_basis"]) == (None, None)
    assert segments(con) == [("working", 2.0)]


def test_a_history_that_begins_late_knows_no_acknowledgement(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(resolved_at=at(9), version_number=4)],
        [snapshot(2, 3, "in_progress"), snapshot(3, 5, "in_progress"), snapshot(4, 9, "resolved")],
    )["A"]
    assert (row["acknowledged_at"], row["acknowledgement_basis"], row["seconds_on_hold"]) == (None, None, None)
    assert issues(con) == [("history_begins_late", "state")]


def test_lists_taken_now_and_then_are_no_history(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con, [version(resolved_at=at(9), version_number=20)], [snapshot(0, 0, "new"), snapshot(20, 9, "resolved")]
    )["A"]
    assert (row["acknowledgement_basis"], row["acknowledged_at"], row["seconds_on_hold"]) == (None, None, None)


def test_nobody_involved_is_auto_resolved(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(resolved_at=at(1), version_number=1)],
        [snapshot(0, 0, "new"), snapshot(1, 1, "resolved", actor="system", actor_kind="automation")],
    )["A"]
    assert (row["is_auto_resolved"], row["acknowledged_at"]) == (True, None)


@pytest.mark.parametrize("at_once", [1, 1000])
def test_a_child_resolved_within_five_minutes_of_its_parent(con: duckdb.DuckDBPyConnection, at_once: int) -> None:
    rows = made(
        con,
        [
            version("P", external_id="p-sys", resolved_at=at(5)),
            version("C", parent_id="P", resolved_at=at(5) + timedelta(minutes=4)),
            version("D", parent_id="p-sys", resolved_at=at(6)),
            version("E", parent_id="C", resolved_at=at(5)),
        ],
        at_once=at_once,
    )
    assert {key: row["resolved_with_parent"] for key, row in rows.items()} == {
        "P": False,
        "C": True,
        "D": False,
        "E": True,
    }
    assert rows["C"]["first_contact_basis"] == "resolved_with_parent"


@pytest.mark.parametrize(
    ("minutes", "actor_kind", "with_parent"),
    [
        (-4, "person", True),
        (6, "person", False),
        (45, "automation", True),
        (-45, "automation", False),
        (61, "automation", False),
    ],
)
def test_a_child_that_automation_resolves_within_an_hour_of_its_parent_was_resolved_because_of_it(
    con: duckdb.DuckDBPyConnection, minutes: int, actor_kind: str, with_parent: bool
) -> None:
    hours = 5 + minutes / 60
    rows = made(
        con,
        [version("P", resolved_at=at(5)), version("C", parent_id="P", resolved_at=at(hours), version_number=1)],
        [
            snapshot(0, 0, "new", "C"),
            snapshot(1, hours, "resolved", "C", actor=actor_kind, actor_kind=actor_kind),
        ],
    )
    assert rows["C"]["resolved_with_parent"] is with_parent


def test_a_clone_counts_as_a_reopening(con: duckdb.DuckDBPyConnection) -> None:
    rows = made(con, [version("A", resolved_at=at(5), reopen_count=0), version("B", reopens_id="A", resolved_at=at(9))])
    assert rows["A"]["reopen_count"] == 1


def test_a_counter_that_disagrees_with_the_history_is_believed_and_noted(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(resolved_at=at(9), reassignment_count=3, version_number=2)],
        [
            snapshot(0, 0, "new", assignment_group="a"),
            snapshot(1, 1, "in_progress", assignment_group="b"),
            snapshot(2, 9, "resolved", assignment_group="b"),
        ],
    )["A"]
    assert row["reassignment_count"] == 3
    assert issues(con) == [("counter_disagrees", "reassignment_count")]


@pytest.mark.parametrize(
    ("groups", "reassignments"),
    [
        (["a", "a", "b", "c", "c"], 2),
        ([None, "a", "a", "a", "a"], 0),
        (["a", None, "b", "b", "b"], 1),
        (["a", None, "a", "a", "a"], 1),
        (["a", "a", "a", "a", None], 1),
        ([None, None, None, None, None], 0),
    ],
)
def test_a_reassignment_is_a_group_that_had_the_incident_and_has_it_no_more(
    con: duckdb.DuckDBPyConnection, groups: list[str | None], reassignments: int
) -> None:
    rows = [
        snapshot(number, number, state, assignment_group=group)
        for number, (state, group) in enumerate(zip(["new", *["in_progress"] * 3, "resolved"], groups, strict=True))
    ]
    assert made(con, [version(resolved_at=at(4), version_number=4)], rows)["A"]["reassignment_count"] == reassignments


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"reassignment_count": 0, "reopen_count": 0}, (True, "derived_partial")),
        ({"reassignment_count": 1, "reopen_count": 0}, (False, "derived")),
        ({"reassignment_count": 0, "reopen_count": None}, (None, "unknown")),
        ({"reassignment_count": None, "reopen_count": 2}, (False, "derived")),
        ({"reassignment_count": 0, "reopen_count": 0, "escalation_count": 1}, (False, "derived")),
        ({"reassignment_count": 0, "reopen_count": 0, "channel": "monitoring"}, (None, "raised_by_machine")),
        ({"reassignment_count": 0, "reopen_count": 0, "excluded_as": "test"}, (None, "excluded")),
        ({"reassignment_count": 9, "reopen_count": 0, "first_contact_resolved": True}, (True, "reported")),
        ({"state": "new", "resolved_at": None, "reassignment_count": 0, "reopen_count": 0}, (None, "not_resolved")),
    ],
)
def test_first_contact_by_its_rules(
    con: duckdb.DuckDBPyConnection, columns: dict[str, Any], verdict: tuple[bool | None, str]
) -> None:
    row = made(con, [version(**{"resolved_at": at(1), **columns})])["A"]
    assert (row["first_contact_resolved"], row["first_contact_basis"]) == verdict


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"sla_met": True, "resolved_at": at(1)}, True),
        ({"sla_met": True, "state": "new"}, None),
        ({"sla_met": False, "state": "new"}, False),
        ({"sla_met": None, "resolved_at": at(1)}, None),
    ],
)
def test_a_target_is_met_only_when_the_verdict_is_final(
    con: duckdb.DuckDBPyConnection, columns: dict[str, Any], verdict: bool | None
) -> None:
    assert made(con, [version(**columns)])["A"]["sla_met"] is verdict


def test_events_that_a_source_tells_make_the_same_clock(con: duckdb.DuckDBPyConnection) -> None:
    row = made(
        con,
        [version(external_id="sys", resolved_at=at(10))],
        events=[
            event("state", 2, "sys", from_value="new", to_value="in_progress"),
            event("held", 4, "sys", from_value="in_progress", to_value="on_hold"),
            event("other", 4, "sys", to_value="Awaiting Caller", hold_reason="caller"),
            event("resumed", 7, "sys", from_value="on_hold", to_value="in_progress"),
            event("resolved", 10, "sys", from_value="in_progress", to_value="resolved"),
        ],
    )["A"]
    assert (row["acknowledged_at"], row["seconds_on_hold"], row["first_contact_resolved"]) == (at(2), 10800, False)
    reasons = con.execute("select kind, hold_reason from incident_segments order by from_at").fetchall()
    assert reasons == [("waiting", None), ("working", None), ("on_hold", "caller"), ("working", None)]


def test_a_log_that_says_only_what_happened_is_told_from_where_by_what_went_before(
    con: duckdb.DuckDBPyConnection,
) -> None:
    row = made(
        con,
        [version(state="resolved", resolved_at=at(9), reports_acknowledgement=True)],
        events=[
            event("opened", 0, to_value="new", actor_kind="automation"),
            event("group_assigned", 0, to_value="Desk", actor_kind="automation"),
            event("acknowledged", 1),
            event("state", 1, to_value="in_progress"),
            event("state", 2, to_value="in_progress"),
            event("held", 3, to_value="on_hold"),
            event("state", 4, to_value="new", actor_kind="automation"),
            event("group_assigned", 4, to_value="Desk"),
            event("group_assigned", 5, to_value="Network"),
            event("resolved", 6, to_value="resolved"),
            event("state", 8, to_value="new"),
            event("resolved", 9, to_value="resolved"),
        ],
    )["A"]
    told = con.execute(
        "select kind, from_value, to_value from incident_events where kind <> 'group_assigned' order by sequence"
    )
    assert told.fetchall() == [
        ("opened", None, "new"),
        ("acknowledged", None, None),
        ("state", "new", "in_progress"),
        ("held", "in_progress", "on_hold"),
        ("resumed", "on_hold", "new"),
        ("resolved", "new", "resolved"),
        ("reopened", "resolved", "new"),
        ("resolved", "new", "resolved"),
    ]
    wanted = {
        "acknowledged_at": at(1),
        "reassignment_count": 1,
        "reopen_count": 1,
        "first_assignment_group": "Desk",
        "seconds_on_hold": 3600,
        "first_resolved_at": at(6),
    }
    assert {name: row[name] for name in wanted} == wanted
    assert segments(con) == [
        ("waiting", 1.0), ("working", 2.0), ("on_hold", 1.0), ("waiting", 1.0), ("waiting", 1.0),
        ("resolved", 2.0), ("waiting", 1.0),
    ]  # fmt: skip


def test_dates_are_cut_in_the_reporting_zone(con: duckdb.DuckDBPyConnection) -> None:
    row = made(con, [version(opened_at=datetime(2025, 3, 3, 23, 30), resolved_at=at(30))], zone="Europe/Berlin")["A"]
    assert str(row["opened_on"]) == "2025-03-04"


def test_open_at_a_days_end_and_not_between_a_resolution_and_its_reopening(con: duckdb.DuckDBPyConnection) -> None:
    made(
        con,
        [version(resolved_at=at(100), version_number=3)],
        [
            snapshot(0, 0, "new"),
            snapshot(1, 20, "resolved"),
            snapshot(2, 60, "in_progress"),
            snapshot(3, 100, "resolved"),
        ],
    )
    days = con.execute("select day::varchar from incident_days order by day").fetchall()
    assert [day for (day,) in days] == ["2025-03-03", "2025-03-05", "2025-03-06"]


STATES = st.sampled_from(["new", "in_progress", "on_hold", "resolved"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), STATES), min_size=1, max_size=8), st.booleans())
def test_the_segments_of_any_history_add_up(steps: list[tuple[int, str]], is_resolved: bool) -> None:
    con = duckdb.connect()
    hours = sorted(hour for hour, _ in steps)
    states = ["new", *(state for _, state in steps), "resolved" if is_resolved else "in_progress"]
    moments = [0, *hours, hours[-1] + 1]
    row = made(
        con,
        [
            version(
                state=states[-1], resolved_at=at(moments[-1]) if is_resolved else None, version_number=len(states) - 1
            )
        ],
        [snapshot(number, moments[number], state) for number, state in enumerate(states)],
    )["A"]
    total = sum(hours for _, hours in segments(con)) * 3600
    con.close()
    assert total == (row["seconds_to_resolve"] if is_resolved else (AS_OF - START).total_seconds())


def test_new_all_the_time_is_known_where_the_opening_is_told(con: duckdb.DuckDBPyConnection) -> None:
    versions = [version("A", state="new"), version("B", state="new"), version("C", state="in_progress")]
    found = made(con, versions, events=[event("opened", 0, "A"), event("opened", 0, "C")])
    known = {name: (row["acknowledgement_basis"], row["reassignment_count"]) for name, row in found.items()}
    assert known == {"A": ("derived", 0), "B": (None, None), "C": (None, None)}
    assert con.execute("select distinct kind from incident_segments where incident_id = 'A'").fetchall() == [
        ("waiting",)
    ]


def test_what_a_source_tells_to_be_deleted_or_merged_counts_nowhere(con: duckdb.DuckDBPyConnection) -> None:
    versions = [version(name, updated_at=at(1), resolved_at=at(1)) for name in "ABCD"]
    versions[3]["updated_at"] = at(9)
    events = [event("deleted", 5, "A"), event("merged", 5, "B"), event("deleted", 5, "D")]
    found = made(con, versions, events=events)
    assert {name: (row["excluded_as"], row["deleted_at_source"]) for name, row in found.items()} == {
        "A": ("deleted", at(5)),
        "B": ("duplicate", None),
        "C": (None, None),
        # Changed after it was deleted: it has come back.
        "D": (None, None),
    }
