"""Zabbix: answers of event.get, made up and of a real server."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from payloads import SAID, answered, understood
from standins import FAULTS, SCHEDULES, merged, pulled, selected, warehoused
from standins.zabbix import Zabbix

START = datetime(2025, 3, 3, 8)


def clock(minute: int) -> str:
    return str(int((START + timedelta(minutes=minute)).replace(tzinfo=UTC).timestamp()))


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def problem(**fields: Any) -> dict[str, Any]:
    usual = {"eventid": "18", "clock": clock(0), "value": "1", "name": "Down", "severity": "4", "r_eventid": "0"}
    return usual | {"acknowledged": "0", "suppressed": "0", "hosts": [{"hostid": "1", "host": "mx01"}]} | fields


def update(number: int, minute: int, action: int, **fields: Any) -> dict[str, Any]:
    told = {
        "acknowledgeid": str(number),
        "clock": clock(minute),
        "action": str(action),
        "userid": "7",
        "username": "ann",
    }
    return told | fields


def test_the_bits_of_an_update_are_events(tmp_path: Path) -> None:
    updates = [
        update(4, 9, 8, old_severity="4", new_severity="5"),
        update(3, 7, 64),
        update(2, 5, 32),
        update(1, 2, 6),
        update(5, 11, 17),
        update(6, 12, 2, userid="0", username=""),
    ]
    found = answered("zabbix", tmp_path, {"result": [problem(acknowledged="1", acknowledges=updates)]})
    assert found.rejected.height == 0
    assert found.events.select(SAID[1:]).rows() == [
        (at(0), "opened", None, "new", None, None, "automation"),
        (at(2), "acknowledged", None, None, None, "ann", "person"),
        (at(2), "state", "new", "in_progress", None, "ann", "person"),
        (at(2), "commented", None, None, None, "ann", "person"),
        (at(5), "held", "in_progress", "on_hold", "other", "ann", "person"),
        (at(7), "resumed", "on_hold", "in_progress", None, "ann", "person"),
        (at(9), "priority", "2", "1", None, "ann", "person"),
        (at(11), "state", "in_progress", "new", None, "ann", "person"),
        (at(11), "other", None, "closed by hand", None, "ann", "person"),
        (at(12), "acknowledged", None, None, None, "0", "automation"),
        (at(12), "state", "new", "in_progress", None, "0", "automation"),
    ]


def test_problems_are_incidents_and_recoveries_end_them(tmp_path: Path) -> None:
    tags = [{"tag": "service", "value": "mail"}, {"tag": "urgent", "value": ""}]
    found = answered(
        "zabbix",
        tmp_path,
        {
            "result": [
                problem(r_eventid="20", tags=tags),
                problem(eventid="19", r_eventid="20"),
                problem(eventid="20", value="0", clock=clock(10), userid="0"),
                problem(eventid="21", severity="9"),
            ]
        },
    )
    columns = ("incident_id", "external_id", "state", "priority", "configuration_item", "tags", "channel")
    assert found.versions.select(columns).rows() == [
        ("18", "20", "resolved", 2, "mx01", ["service: mail", "urgent"], "monitoring"),
        ("19", "20", "resolved", 2, "mx01", None, "monitoring"),
    ]
    assert found.events.filter(kind="resolved").select("incident_key", "happened_at", "actor_kind").rows() == [
        ("20", at(10), "automation")
    ]
    (reason,) = found.rejected["reason"]
    assert reason.startswith("desk: priority '9' is not one of 5, 4, 3, 2, 1, 0; map it under [sources.desk.priority]")


def test_answers_of_a_real_server(shared: Path) -> None:
    file = shared / "data/alerta_zabbix_trac_roundup/zabbix-event-get.json"
    found = understood("zabbix", file)
    rows = json.loads(file.read_text())["result"]
    real = [row for row in rows if row["value"] == "1"]
    ends = {row["eventid"]: int(row["clock"]) for row in rows if row["value"] == "0"}
    assert found.rejected.height == found.issues.height == 0
    assert found.versions.select("incident_id", "external_id", "state").rows() == [
        (row["eventid"], row["r_eventid"], "resolved") for row in real
    ]
    told = found.events.filter(kind="resolved").select("incident_key", "happened_at").rows()
    assert [(id_, int(when.replace(tzinfo=UTC).timestamp())) for id_, when in told] == list(ends.items())


def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(tmp_path: Path) -> None:
    struck: Counter[str] = Counter()
    pulls, problems, happened = [], [], []
    for seed in range(SCHEDULES):
        server = Zabbix(seed)
        told = {"between": server.change, "struck": struck}
        pulls.append(pulled("zabbix", server, tmp_path / str(seed), seed, **told))
        seen = [event for event in server.events if event["value"] == "1" and server.may_see(event)]
        problems += seen
        ids = {event["eventid"]: event["r_eventid"] for event in seen}
        happened += [
            (ids[id_] if kind == "resolved" else id_, kind, when, who)
            for id_, kind, when, who in server.ledger
            if id_ in ids
        ]
    made = merged("zabbix", pulls, tmp_path / "all")
    states = {("1", "0"): "acknowledged", ("0", "0"): "problem"}
    assert set(selected(made.versions, "incident_id", "source_state", "external_id")) == {
        (
            row["eventid"],
            "resolved"
            if row["r_eventid"] != "0"
            else states.get((row["acknowledged"], row["suppressed"]), "suppressed"),
            row["r_eventid"] if row["r_eventid"] != "0" else None,
        )
        for row in problems
    }
    # A recovery that ends several problems is one event.
    assert set(selected(made.events, "incident_key", "kind", "happened_at", "actor_kind")) == set(happened)
    assert len(made.events) == len(set(happened)) + _coincidences(happened)
    assert made.rejected == []
    assert set(struck) == set(FAULTS)


def _coincidences(happened: list[tuple[Any, ...]]) -> int:
    """Two remarks within one second are two events that read alike."""
    return sum(count - 1 for entry, count in Counter(happened).items() if entry[1] != "resolved")


def test_over_a_real_socket_the_warehouse_equals_the_tool(tmp_path: Path) -> None:
    server = Zabbix(3)
    file = warehoused("zabbix", server, tmp_path, share=0)
    con = duckdb.connect(file.resolve(), read_only=True)
    found = con.execute("select incident_id, state, resolved_at, acknowledged_at, is_auto_resolved from incidents")

    def first(event: dict[str, Any], kind: str) -> datetime | None:
        return min(
            (when for id_, what, when, _ in server.ledger if (id_, what) == (event["eventid"], kind)), default=None
        )

    def touched(event: dict[str, Any]) -> bool:
        return any(id_ == event["eventid"] and who == "person" for id_, _, _, who in server.ledger)

    states = {("1", "0"): "in_progress", ("0", "0"): "new"}
    assert sorted(found.fetchall()) == sorted(
        (
            event["eventid"],
            "resolved"
            if first(event, "resolved")
            else states.get((event["acknowledged"], event["suppressed"]), "on_hold"),
            first(event, "resolved"),
            first(event, "acknowledged"),
            not touched(event) if first(event, "resolved") else None,
        )
        for event in server.events
        if event["value"] == "1" and server.may_see(event)
    )
    con.close()
