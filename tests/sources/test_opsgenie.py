"""Opsgenie: alerts, logs and webhooks in the shapes of the vendor's own documents."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from payloads import SAID, answered, lines
from standins import FAULTS, SCHEDULES, merged, pulled, selected, warehoused
from standins.opsgenie import Opsgenie

from etl import sources

START = datetime(2025, 3, 3, 8)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def alert(**fields: Any) -> dict[str, Any]:
    usual = {"id": "A", "tinyId": "1", "message": "Slow", "status": "open", "acknowledged": False, "snoozed": False}
    return (
        usual
        | {"createdAt": "2025-03-03T08:00:00.353Z", "updatedAt": "2025-03-03T08:00:00.353Z", "priority": "P3"}
        | fields
    )


def test_an_alert_says_its_state_by_flags_and_its_times_in_milliseconds(tmp_path: Path) -> None:
    report = {"ackTime": 60_000, "closeTime": 120_000, "acknowledgedBy": "ann@x.example", "closedBy": "System"}
    found = answered(
        "opsgenie",
        tmp_path,
        {
            "data": [
                alert(),
                alert(id="B", acknowledged=True),
                alert(id="C", acknowledged=True, snoozed=True),
                alert(id="D", status="closed", snoozed=True, report=report, integration={"type": "API"}),
                alert(id="E", status="closed", report={**report, "acknowledgedBy": "Robot"}),
                alert(id="F", status="parked"),
            ]
        },
    )
    columns = ("incident_id", "state", "acknowledged_at", "resolved_at", "channel")
    assert found.versions.select(columns).rows() == [
        ("A", "new", None, None, "monitoring"),
        ("B", "in_progress", None, None, "monitoring"),
        ("C", "on_hold", None, None, "monitoring"),
        ("D", "resolved", at(1), at(2), "api"),
        ("E", "resolved", None, at(2), "monitoring"),
    ]
    (reason,) = found.rejected["reason"]
    assert reason.startswith(
        "desk: status 'parked' is not one of open, acknowledged, snoozed, closed, deleted; map it under"
    )


def hook(action: str, minute: int, **fields: Any) -> dict[str, Any]:
    created = int(START.replace(tzinfo=UTC).timestamp() * 1000) + 353
    updated = int(at(minute).replace(tzinfo=UTC).timestamp()) * 10**9 + 2_246
    told = {"alertId": "A", "tinyId": "1", "message": "Slow", "createdAt": created, "updatedAt": updated}
    return {"action": action, "alert": {**told, "priority": "P3", **fields}, "source": {"type": "web"}}


def test_webhooks_tell_what_happened_and_the_alert_as_it_was(tmp_path: Path) -> None:
    ann = {"username": "ann@x.example"}
    found = lines(
        "opsgenie",
        tmp_path,
        [
            hook("Create", 0, username="System"),
            hook("EscalateNext", 3, username="System", owner="ben@x.example"),
            hook("Acknowledge", 4, **ann),
            hook("UpdatePriority", 5, priority="P1", oldPriority="P3", **ann),
            hook("Snooze", 6, **ann),
            hook("AddNote", 7, **ann),
            hook("CustomAction", 8, **ann),
            hook("Close", 9, **ann),
        ],
    )
    assert found.rejected.height == 0
    assert found.events.select(SAID[1:]).rows() == [
        (at(0), "opened", None, "new", None, "System", "automation"),
        (at(3), "escalated", None, "ben@x.example", None, "System", "automation"),
        (at(4), "acknowledged", None, None, None, "ann@x.example", "person"),
        (at(4), "state", None, "in_progress", None, "ann@x.example", "person"),
        (at(5), "priority", "3", "1", None, "ann@x.example", "person"),
        (at(6), "held", None, "on_hold", "other", "ann@x.example", "person"),
        (at(7), "commented", None, None, None, "ann@x.example", "person"),
        (at(8), "other", None, "CustomAction", None, "ann@x.example", "person"),
        (at(9), "resolved", None, "resolved", None, "ann@x.example", "person"),
    ]
    assert found.versions.select("incident_id", "state", "opened_at", "updated_at").rows() == [
        ("A", "resolved", at(0), at(9))
    ]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.source("opsgenie"), "PAGE", 4)
    monkeypatch.setattr(sources.source("opsgenie"), "CAP", 200)


@pytest.mark.usefixtures("small")
def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(tmp_path: Path) -> None:
    struck: Counter[str] = Counter()
    pulls, alerts, happened = [], [], []
    for seed in range(SCHEDULES):
        tool = Opsgenie(seed, page_size=4, cap=200)
        pulls.append(pulled("opsgenie", tool, tmp_path / str(seed), seed, between=tool.change, struck=struck))
        seen = [one for one in tool.alerts if tool.may_see(one) and one["id"] not in tool.deleted]
        alerts += seen
        ids = {one["id"] for one in seen}
        happened += [entry for entry in tool.ledger if entry[0] in ids]
    made = merged("opsgenie", pulls, tmp_path / "all")
    ids = {one["id"] for one in alerts}
    assert {row for row in selected(made.versions, "incident_id", "source_state", "priority") if row[0] in ids} == {
        (
            one["id"],
            "closed"
            if one["status"] == "closed"
            else "snoozed"
            if one["snoozed"]
            else "acknowledged"
            if one["acknowledged"]
            else "open",
            int(one["priority"][1]),
        )
        for one in alerts
    }
    told = selected(made.events, "incident_key", "kind", "happened_at", "actor_kind")
    assert Counter(entry for entry in told if entry[0] in ids) == Counter(happened)
    assert made.rejected == []
    assert set(struck) == set(FAULTS)


@pytest.mark.usefixtures("small")
def test_over_a_real_socket_the_warehouse_equals_the_tool(tmp_path: Path) -> None:
    tool = Opsgenie(4, page_size=4, cap=200)
    con = duckdb.connect(warehoused("opsgenie", tool, tmp_path).resolve(), read_only=True)
    found = con.execute("select incident_id, acknowledged_at, resolved_at from incidents").fetchall()
    seen = {one["id"]: one for one in tool.alerts if tool.may_see(one) and one["id"] not in tool.deleted}

    def first(id_: str, kind: str) -> datetime | None:
        return min((when for one, what, when, _ in tool.ledger if (one, what) == (id_, kind)), default=None)

    assert sorted(row for row in found if row[0] in seen) == sorted(
        (id_, first(id_, "acknowledged"), first(id_, "resolved")) for id_ in seen
    )
    con.close()
