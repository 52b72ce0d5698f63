"""Status pages: the public interface, and a real archive of one."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from payloads import SAID, answered, understood
from standins import FAULTS, SCHEDULES, merged, pulled, selected, warehoused
from standins.statuspage import StatusPage


def incident(**fields: Any) -> dict[str, Any]:
    usual = {
        "id": "A",
        "name": "Slow",
        "status": "investigating",
        "impact": "minor",
        "created_at": "2025-03-03T08:00:00.5Z",
    }
    return usual | {"updated_at": "2025-03-03T08:00:00.5Z", "incident_updates": []} | fields


def update(number: int, status: str, minute: int) -> dict[str, Any]:
    return {"id": f"u{number}", "status": status, "display_at": f"2025-03-03T08:{minute:02}:00.123Z", "body": "..."}


def at(minute: int) -> datetime:
    return datetime(2025, 3, 3, 8, minute)


def test_updates_tell_resolutions_and_reopenings_and_no_acknowledgement(tmp_path: Path) -> None:
    told = [
        (4, "resolved", 9),
        (3, "investigating", 7),
        (2, "resolved", 6),
        (1, "identified", 2),
        (0, "investigating", 0),
    ]
    updates = [update(*one) for one in told]
    found = answered(
        "statuspage",
        tmp_path,
        {
            "page": {"name": "x"},
            "incidents": [incident(status="resolved", resolved_at=at(9).isoformat() + "Z", incident_updates=updates)],
        },
    )
    assert found.events.select(SAID[1:5]).rows() == [
        (at(0), "opened", None, "in_progress"),
        (at(0), "other", None, "investigating"),
        (at(2), "other", None, "identified"),
        (at(6), "resolved", "in_progress", "resolved"),
        (at(7), "reopened", "resolved", "in_progress"),
        (at(9), "resolved", "in_progress", "resolved"),
    ]
    assert found.versions.select("state", "priority", "impact", "reopen_count", "resolved_at").rows() == [
        ("resolved", 3, "minor", 1, at(9))
    ]


def test_a_post_mortem_closes_what_was_resolved(tmp_path: Path) -> None:
    updates = [update(1, "postmortem", 50), update(0, "resolved", 9)]
    found = answered("statuspage", tmp_path, {"incidents": [incident(status="postmortem", incident_updates=updates)]})
    assert found.versions.select("state", "closed_at").rows() == [("closed", at(50))]
    assert found.events["kind"].to_list() == ["opened", "resolved", "closed"]


def test_planned_work_is_noted_and_left_out(tmp_path: Path) -> None:
    found = answered(
        "statuspage",
        tmp_path,
        {
            "incidents": [
                incident(id="M1", impact="maintenance", status="scheduled"),
                incident(id="M2", scheduled_for="2025-03-09T08:00:00Z", status="completed", impact="none"),
                incident(id="A"),
            ]
        },
    )
    assert found.versions["incident_id"].to_list() == ["A"]
    assert found.issues.select("incident_id", "rule").rows() == [
        ("M1", "scheduled_maintenance"),
        ("M2", "scheduled_maintenance"),
    ]


def test_an_unknown_status_of_an_update_is_rejected_alone(tmp_path: Path) -> None:
    updates = [update(1, "parked", 5), update(0, "investigating", 0)]
    found = answered("statuspage", tmp_path, {"incidents": [incident(incident_updates=updates)]})
    assert found.versions.height == 1
    assert found.events["kind"].to_list() == ["opened", "other"]
    (reason,) = found.rejected["reason"]
    assert reason.startswith("desk: status 'parked' is not one of investigating, identified, monitoring, ")
    assert "map it under [sources.desk.status]" in reason


def test_a_real_archive_agrees_with_a_plain_reading_of_it(shared: Path) -> None:
    file = shared / "data/statuspage_github/incidents.jsonl.gz"
    found = understood("statuspage", file)
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    real = [row for row in rows if row["impact"] != "maintenance"]
    assert found.rejected.height == 0
    assert (found.versions.height, found.issues.height) == (len(real), len(rows) - len(real)) == (801, 18)
    assert found.events.height == sum(1 + len(row["updates"]) for row in real)
    resolutions = Counter(
        (row["id"], one["at"]) for row in real for one in row["updates"] if one["status"] == "Resolved"
    )
    ours = found.events.filter(kind="resolved").select("incident_key", "happened_at").rows()
    assert Counter((id_, f"{when:%Y-%m-%dT%H:%M:%SZ}") for id_, when in ours) == resolutions
    seconds = sum(
        (datetime.fromisoformat(row["resolved_at"]) - datetime.fromisoformat(row["started_at"])).total_seconds()
        for row in real
    )
    took = found.versions["resolved_at"] - found.versions["opened_at"]
    assert took.dt.total_seconds().sum() == seconds
    services = Counter(service for row in real for service in dict.fromkeys(row.get("components") or []))
    assert Counter(service for listed in found.versions["services"].drop_nulls() for service in listed) == services


def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(tmp_path: Path) -> None:
    struck: Counter[str] = Counter()
    pulls, incidents, happened = [], [], []
    for seed in range(SCHEDULES):
        page = StatusPage(seed)
        shown = page.incidents[-6:] + [row for row in page.incidents if row["status"] != "resolved"]
        first = {row["id"] for row in shown if row["impact"] != "maintenance"}
        pulls.append(pulled("statuspage", page, tmp_path / str(seed), seed, between=page.change, struck=struck))
        later = {
            row["id"]
            for row in page.incidents
            if datetime.fromisoformat(row["created_at"][:19]) >= datetime(2025, 3, 1, 8)
        }
        wanted = [row for row in page.incidents if row["id"] in first | later and row["impact"] != "maintenance"]
        incidents += wanted
        ids = {row["id"] for row in wanted}
        happened += [entry for entry in page.ledger if entry[0] in ids]
    made = merged("statuspage", pulls, tmp_path / "all")
    assert set(selected(made.versions, "incident_id", "source_state", "priority")) == {
        (row["id"], row["status"], {"critical": 1, "major": 2, "minor": 3}[row["impact"]]) for row in incidents
    }
    told = selected(made.events, "incident_key", "kind", "happened_at")
    assert Counter(entry for entry in told if entry[1] != "opened") == Counter(happened)
    assert made.rejected == []
    assert set(struck) == set(FAULTS)


def test_over_a_real_socket_the_warehouse_equals_the_page(tmp_path: Path) -> None:
    page = StatusPage(0)
    con = duckdb.connect(warehoused("statuspage", page, tmp_path).resolve(), read_only=True)
    found = con.execute(
        "select incident_id, source_state, acknowledged_at, acknowledgement_basis, channel from incidents"
    )
    shown = page.incidents[-6:] + [row for row in page.incidents if row["status"] != "resolved"]
    assert set(found.fetchall()) >= {
        (row["id"], row["status"], None, None, "monitoring") for row in shown if row["impact"] != "maintenance"
    }
    assert con.execute("select count(*) from data_issues where rule = 'history_begins_late'").fetchone() == (0,)
    kinds = con.execute("select distinct kind from incident_segments").fetchall()
    assert {kind for (kind,) in kinds} <= {"working", "resolved"}
    planned = {row["id"] for row in page.incidents if row["impact"] == "maintenance"}
    noted = con.execute("select incident_id from data_issues where rule = 'scheduled_maintenance'").fetchall()
    assert noted
    assert {id_ for (id_,) in noted} <= planned
    assert not planned & {id_ for (id_,) in con.execute("select incident_id from incidents").fetchall()}
    con.close()
