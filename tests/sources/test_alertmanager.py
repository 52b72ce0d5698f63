"""Alertmanager's webhooks, in the shape of its own document."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from payloads import answered, lines

from etl import config, refresh
from etl.sources import SourceError


def message(*alerts: dict[str, Any], truncated: int = 0) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": truncated,
        "status": "firing",
        "alerts": list(alerts),
    }


def alert(fingerprint: str, hour: int, ended: int | None = None, **labels: str) -> dict[str, Any]:
    return {
        "status": "resolved" if ended else "firing",
        "labels": {"alertname": "QueueLong", "severity": "warning", **labels},
        "annotations": {},
        "startsAt": f"2025-03-03T{hour:02}:00:00.123456789Z",
        "endsAt": f"2025-03-03T{ended:02}:00:00+00:00" if ended else "0001-01-01T00:00:00Z",
        "fingerprint": fingerprint,
    }


def at(hour: int) -> datetime:
    return datetime(2025, 3, 3, hour)


def test_each_firing_is_an_incident_of_its_own(tmp_path: Path) -> None:
    found = lines(
        "alertmanager",
        tmp_path,
        [
            message(alert("a", 8), alert("b", 8, team="Mail")),
            message(alert("a", 8, 9), alert("b", 8, team="Mail")),
            message(alert("a", 11)),
        ],
    )
    columns = ("incident_id", "state", "opened_at", "resolved_at", "assignment_group", "priority", "channel")
    assert sorted(set(found.versions.select(columns).rows())) == [
        ("a-20250303T080000", "resolved", at(8), at(9), None, 3, "monitoring"),
        ("a-20250303T110000", "new", at(11), None, None, 3, "monitoring"),
        ("b-20250303T080000", "new", at(8), None, "Mail", 3, "monitoring"),
    ]
    assert found.events.select("incident_key", "kind", "happened_at", "actor_kind").rows() == [
        ("a-20250303T080000", "resolved", at(9), "automation")
    ]


def test_a_severity_of_ones_own_is_rejected_until_it_is_mapped(tmp_path: Path) -> None:
    document = message(alert("a", 8), alert("b", 8, severity="sev0"))
    found = answered("alertmanager", tmp_path, document)
    assert found.versions["incident_id"].to_list() == ["a-20250303T080000"]
    (reason,) = found.rejected["reason"]
    assert reason.endswith("map it under [sources.desk.priority] to one of 1, 2, 3, 4, 5")
    assert answered("alertmanager", tmp_path, document, priority={"sev0": 1}).rejected.height == 0


def test_a_message_that_was_cut_is_noted(tmp_path: Path) -> None:
    found = answered("alertmanager", tmp_path, message(alert("a", 8), truncated=3))
    assert found.issues.select("incident_id", "rule", "value").rows() == [("a-20250303T080000", "message_cut_off", "3")]


def test_something_else_is_no_message(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="this is no webhook of Alertmanager"):
        answered("alertmanager", tmp_path, [{"labels": {"job": "mail"}}])


def test_a_folder_of_messages_is_refreshed_as_it_fills(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    section = {"kind": "alertmanager", "files": ["inbox/*.json"], "as_of": "2025-03-03T12:00:00Z"}
    told = config.parse({"sources": {"alerts": section}}, tmp_path / "meantime.toml")

    def found() -> list[tuple[Any, ...]]:
        assert refresh.refresh(tmp_path / "data", told).exit_code == 0
        con = duckdb.connect((tmp_path / "data/incidents.duckdb").resolve(), read_only=True)
        rows = con.execute(
            "select state, hours_to_resolve, is_auto_resolved, acknowledgement_basis from incidents order by all"
        ).fetchall()
        con.close()
        return rows

    (inbox / "1.json").write_text(json.dumps(message(alert("a", 8), alert("b", 8))))
    assert found() == [("new", None, None, None)] * 2
    (inbox / "2.json").write_text(json.dumps(message(alert("a", 8, 10))))
    assert found() == [("new", None, None, None), ("resolved", 2.0, True, None)]
