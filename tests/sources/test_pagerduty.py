"""PagerDuty's interface, analytics and webhooks, in the shapes of the vendor's own documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from payloads import SAID, answered, lines, understood
from standins import BEGINNING, FAULTS, SCHEDULES, merged, pulled, selected, warehoused
from standins.pagerduty import STATES, PagerDuty

from etl import sources
from etl.sources import SourceError

ANN = {"id": "P1", "type": "user_reference", "summary": "Ann"}
BEN = {"id": "P2", "type": "user_reference", "summary": "Ben"}
MAIL = {"id": "S1", "type": "service_reference", "summary": "Mail"}
DESK = {"id": "T1", "type": "team_reference", "summary": "Desk"}
NETWORK = {"id": "T2", "type": "team_reference", "summary": "Network"}


def incident(**fields: Any) -> dict[str, Any]:
    usual = {
        "id": "PA",
        "type": "incident",
        "incident_number": 7,
        "title": "Mail is slow",
        "status": "triggered",
        "created_at": "2025-03-03T09:00:00+01:00",
        "updated_at": "2025-03-03T09:00:00+01:00",
        "service": MAIL,
        "escalation_policy": {"id": "E1", "summary": "Mail on call"},
        "urgency": "high",
    }
    return usual | fields


def entry(type_: str, minute: int, agent: Any = ANN, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"L{minute}{type_}",
        "type": f"{type_}_log_entry",
        "created_at": f"2025-03-03T08:{minute:02}:00Z",
        "agent": agent,
        "incident": {"id": "PA", "type": "incident_reference"},
        "teams": [DESK],
        **fields,
    }


def at(minute: int) -> datetime:
    return datetime(2025, 3, 3, 8, minute)


def stamp(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ") if text else None


def test_log_entries_tell_who_did_what_and_people_from_machines(tmp_path: Path) -> None:
    found = answered(
        "pagerduty",
        tmp_path,
        {
            "log_entries": [
                entry("trigger", 0, MAIL, channel={"type": "api"}),
                entry("assign", 1, MAIL, channel={"type": "auto"}, assignees=[ANN]),
                entry("escalate", 5, MAIL, channel={"type": "timeout"}, assignees=[BEN]),
                entry("acknowledge", 6, BEN),
                entry("snooze", 7, BEN, channel={"type": "website", "duration": 3600}),
                entry("unacknowledge", 9, MAIL, channel={"type": "timeout"}),
                entry("delegate", 10, BEN, assignees=[ANN], teams=[NETWORK]),
                entry("annotate", 11, ANN, channel={"type": "note", "summary": "cable"}),
                entry("notify", 12, MAIL),
                entry("resolve", 13, None),
            ]
        },
    )
    assert found.rejected.height == found.issues.height == found.versions.height == 0
    assert found.events.select(SAID[1:]).rows() == [
        (at(0), "opened", None, "new", None, "Mail", "automation"),
        (at(0), "group_assigned", None, "Desk", None, "Mail", "automation"),
        (at(1), "assigned", None, "Ann", None, "Mail", "automation"),
        (at(5), "escalated", None, "Ben", None, "Mail", "automation"),
        (at(6), "acknowledged", None, None, None, "Ben", "person"),
        (at(6), "state", None, "in_progress", None, "Ben", "person"),
        (at(7), "held", None, "on_hold", "other", "Ben", "person"),
        (at(9), "state", None, "new", None, "Mail", "automation"),
        (at(10), "assigned", None, "Ann", None, "Ben", "person"),
        (at(10), "group_assigned", None, "Network", None, "Ben", "person"),
        (at(11), "commented", None, None, None, "Ann", "person"),
        (at(12), "other", None, "notify", None, "Mail", "automation"),
        (at(13), "resolved", None, "resolved", None, None, "unknown"),
    ]
    assert found.events["event_id"].n_unique() == found.events.height


def test_a_name_of_the_configuration_makes_a_user_a_machine(tmp_path: Path) -> None:
    found = answered("pagerduty", tmp_path, {"log_entries": [entry("acknowledge", 1, BEN)]}, automation=("b*",))
    assert found.events["actor_kind"].to_list() == ["automation", "automation"]


def test_a_change_to_an_unknown_priority_is_rejected_alone(tmp_path: Path) -> None:
    def changed(minute: int, to: str) -> dict[str, Any]:
        channel = {"type": "website", "old_priority": {"summary": "P3"}, "new_priority": {"summary": to}}
        return entry("priority_change", minute, channel=channel)

    answer = {"log_entries": [changed(1, "P1"), changed(2, "Urgent")]}
    found = answered("pagerduty", tmp_path, answer)
    assert found.events.select("kind", "from_value", "to_value").rows() == [("priority", "3", "1")]
    (reason,) = found.rejected["reason"]
    assert reason.startswith("desk: priority 'Urgent' is not one of p1, p2, ")
    assert reason.endswith("map it under [sources.desk.priority] to one of 1, 2, 3, 4, 5")
    assert answered("pagerduty", tmp_path, answer, priority={"Urgent": 1}).rejected.height == 0


def test_an_incident_of_the_interface(tmp_path: Path) -> None:
    found = answered(
        "pagerduty",
        tmp_path,
        {
            "incidents": [
                incident(
                    assignments=[{"at": "2025-03-03T08:01:00Z", "assignee": BEN}],
                    first_trigger_log_entry={"id": "L0", "channel": {"type": "web_trigger"}, "agent": ANN},
                    priority={"id": "X", "summary": "SEV-2"},
                ),
                incident(
                    id="PB",
                    status="resolved",
                    resolved_at="2025-03-03T08:20:00Z",
                    resolve_reason={"type": "merge_resolve_reason", "incident": {"id": "PA"}},
                ),
                incident(id="PC", resolved_at="2025-03-03T08:20:00Z"),
            ]
        },
    )
    columns = ("incident_id", "state", "priority", "channel", "caller", "assignee", "assignment_group")
    assert found.versions.select(*columns, "resolved_at", "excluded_as", "parent_id").rows() == [
        ("PA", "new", 2, "portal", "Ann", "Ben", "Mail on call", None, None, None),
        ("PB", "resolved", None, "monitoring", None, None, "Mail on call", at(20), "duplicate", "PA"),
        ("PC", "new", None, "monitoring", None, None, "Mail on call", None, None, None),
    ]
    assert found.versions["opened_at"].to_list() == [at(0)] * 3
    assert found.events.select("incident_key", "kind", "to_value", "happened_at").rows() == [
        ("PB", "merged", "PA", at(20))
    ]


def test_analytics_without_an_offset_are_in_the_zone_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "incidents.csv"
    file.write_text(
        "ID,Status,Created At,Resolved At,Seconds To First Ack,Snoozed Seconds,Auto Resolved,Service Name\n"
        "PA,resolved,2025-03-03T09:00:00,2025-03-03T09:30:00,60,600,false,Mail\n"
        "PB,triggered,2025-03-03T09:05:00,,,0,,Mail\n"
    )
    found = understood("pagerduty", file, timezone="Europe/Berlin")
    columns = (
        "incident_id",
        "opened_at",
        "acknowledged_at",
        "resolved_at",
        "seconds_on_hold",
        "reports_acknowledgement",
    )
    assert found.versions.select(columns).rows() == [
        ("PA", at(0), at(1), at(30), 600, True),
        ("PB", at(5), None, None, 0, True),
    ]


def hook(event_type: str, minute: int, data: dict[str, Any], agent: Any = ANN) -> dict[str, Any]:
    return {
        "event": {
            "id": f"01{minute}",
            "event_type": event_type,
            "resource_type": event_type.split(".")[0],
            "occurred_at": f"2025-03-03T08:{minute:02}:00.169Z",
            "agent": agent,
            "data": data,
        }
    }


def test_webhooks_tell_the_event_and_the_incident_as_it_was(tmp_path: Path) -> None:
    data = {"id": "PA", "type": "incident", "number": 7, "title": "Mail is slow", "created_at": "2025-03-03T08:00:00Z"}
    about = {"id": "PA", "summary": "Mail is slow", "type": "incident_reference"}
    found = lines(
        "pagerduty",
        tmp_path,
        [
            hook("incident.triggered", 0, {**data, "status": "triggered", "teams": [DESK]}, None),
            hook("incident.acknowledged", 4, {**data, "status": "acknowledged", "assignees": [ANN]}),
            hook("incident.annotated", 5, {"incident": about, "id": "N1", "type": "incident_note", "content": "x"}),
            hook("incident.responder.added", 6, {"incident": about, "type": "incident_responder"}),
            hook("service.updated", 7, {"id": "S1", "type": "service"}, None),
            hook("incident.resolved", 9, {**data, "status": "resolved"}),
        ],
    )
    assert found.rejected.height == found.issues.height == 0
    assert found.versions.select("incident_id", "state", "opened_at", "updated_at").rows() == [
        ("PA", "resolved", at(0), at(9))
    ]
    assert found.events.select("incident_key", "happened_at", "kind", "to_value", "actor_kind").rows() == [
        ("PA", at(0), "opened", "new", "unknown"),
        ("PA", at(0), "group_assigned", "Desk", "unknown"),
        ("PA", at(4), "acknowledged", None, "person"),
        ("PA", at(4), "state", "in_progress", "person"),
        ("PA", at(5), "commented", None, "person"),
        ("PA", at(6), "other", "incident.responder.added", "person"),
        ("PA", at(9), "resolved", "resolved", "person"),
    ]


def test_something_else_says_what_could_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no column for incident_id \(looked for 'id'\); the file has user, mail"):
        answered("pagerduty", tmp_path, [{"user": "x", "mail": "y"}])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and caps so small that a small tool runs into them."""
    module = sources.source("pagerduty")
    monkeypatch.setattr(module, "PAGE", 5)
    monkeypatch.setattr(module, "CAP", 20)
    monkeypatch.setattr(module, "BEGINNING", BEGINNING - timedelta(days=6))


def incident_id(record: Mapping[str, Any]) -> str | None:
    return record["id"] if record["type"] == "incident" else None


@pytest.mark.usefixtures("small")
def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(tmp_path: Path) -> None:
    struck: Counter[str] = Counter()
    pulls, incidents, happened = [], [], []
    for seed in range(SCHEDULES):
        standin = PagerDuty(seed, page_size=5, cap=20)
        since = BEGINNING - timedelta(days=2) if seed % 4 == 0 else None
        folder = tmp_path / str(seed)
        told = {"between": standin.change, "struck": struck, "known": incident_id}
        pulls.append(pulled("pagerduty", standin, folder, seed, since=since, **told))
        truth = standin.truth(since)
        incidents += truth
        ids = {row["id"] for row in truth}
        happened += [entry for entry in standin.ledger if entry[0] in ids]
    made = merged("pagerduty", pulls, tmp_path / "all")
    columns = ("incident_id", "state", "opened_at", "resolved_at", "assignment_group")
    assert set(selected(made.versions, *columns)) == {
        (
            row["id"],
            STATES[row["status"]],
            stamp(row["created_at"]),
            stamp(row["resolved_at"]),
            row["teams"][0]["summary"],
        )
        for row in incidents
    }
    assert Counter(selected(made.events, "incident_key", "kind", "happened_at", "actor_kind")) == Counter(happened)
    assert made.rejected == []
    assert set(struck) == set(FAULTS)


@pytest.mark.usefixtures("small")
def test_over_a_real_socket_the_warehouse_equals_the_tool(tmp_path: Path) -> None:
    standin = PagerDuty(7, page_size=5, cap=20)
    con = duckdb.connect(warehoused("pagerduty", standin, tmp_path).resolve(), read_only=True)
    found = con.execute(
        "select incident_id, state, resolved_at, acknowledged_at, reopen_count, escalation_count from incidents"
    )
    assert sorted(found.fetchall()) == sorted(
        (
            row["id"],
            STATES[row["status"]],
            stamp(row["resolved_at"]),
            min(standin.when(row, "acknowledged"), default=None),
            len(standin.reopenings(row)),
            len(standin.when(row, "escalated")),
        )
        for row in standin.truth(None)
    )
    con.close()
