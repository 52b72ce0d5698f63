"""ServiceNow's exports in the shapes that people have them, and its Table API."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standins import FAULTS, IMPATIENT, SCHEDULES, VARIABLE, Faults, merged, pulled, warehoused
from standins.desk import Ticket, compare, compare_warehouse
from standins.servicenow import SECRET, ServiceNow

from etl import sources
from etl.pull import Access, Pull, PullError, Secret
from etl.reading import open_exports
from etl.sources import Canonical, Options, SourceError


def normalised(tmp_path: Path, content: str, name: str = "incident.csv", **told: Any) -> Canonical:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    options = Options("desk", **told)
    (export,) = open_exports(file, options.reading())
    module = sources.source("servicenow")
    return module.normalise(export.head(), module.prepare(export, options))


def only(found: Canonical, *columns: str) -> list[tuple[Any, ...]]:
    return found.versions.select(columns).rows()


LABELS = "Number,State,Priority,Opened,Channel,Assignment group,Cost center\n"
NAMES = "number,incident_state,priority,opened_at,contact_type,assignment_group,u_cost_center\n"


@pytest.mark.parametrize("header", [LABELS, NAMES])
@pytest.mark.parametrize(
    "row",
    [
        "INC1,In Progress,3 - Moderate,2025-03-03 08:00:00,Self-service,Network,42\n",
        "INC1,2,3,2025-03-03 08:00:00,self-service,Network,42\n",
    ],
)
def test_labels_and_names_display_and_raw_values_mean_the_same(tmp_path: Path, header: str, row: str) -> None:
    found = normalised(tmp_path, header + row)
    assert only(found, "incident_id", "state", "priority", "opened_at", "channel", "assignment_group") == [
        ("INC1", "in_progress", 3, datetime(2025, 3, 3, 8), "portal", "Network")
    ]
    assert list(json.loads(found.versions["attributes"][0]).values()) == ["42"]


def test_the_table_api_with_both_values_is_read_in_utc(tmp_path: Path) -> None:
    record = {
        "number": {"display_value": "INC1", "value": "INC1"},
        "state": {"display_value": "On Hold", "value": "3"},
        "hold_reason": {"display_value": "Awaiting Vendor", "value": "4"},
        "opened_at": {"display_value": "03.03.2025 09:00:00", "value": "2025-03-03 08:00:00"},
        "caller_id": {"display_value": "Ann", "link": "https://x", "value": "abc"},
    }
    found = normalised(tmp_path, json.dumps({"result": [record]}), "x.json", timezone="Europe/Berlin")
    assert only(found, "incident_id", "state", "opened_at", "caller") == [
        ("INC1", "on_hold", datetime(2025, 3, 3, 8), "Ann")
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("INC1,Zombie,3,2025-03-03 08:00:00,,,", "desk: status 'Zombie' is not one of new, 1, active"),
        (
            "INC1,New,7,2025-03-03 08:00:00,,,",
            r"desk: priority '7' .* \[sources.desk.priority\] to one of 1, 2, 3, 4, 5",
        ),
        ("INC1,New,3,2025-03-03 08:00:00,Pigeon,,", r"desk: channel 'Pigeon' .* \[sources.desk.channel\]"),
        (",New,3,2025-03-03 08:00:00,,,", "the incident's number is missing"),
        ("INC1,New,3,,,,", "the opening stamp is missing"),
        ("INC1,New,3,soon,,,", "opened_at 'soon' is not a stamp"),
        ("INC1,,3,2025-03-03 08:00:00,,,", "the state is missing"),
    ],
)
def test_a_row_that_cannot_be_understood_is_rejected_alone_with_its_reason(tmp_path: Path, row: str, said: str) -> None:
    good = "INC2,New,3,2025-03-04 08:00:00,,,"
    found = normalised(tmp_path, f"{LABELS}{row}\n{good}\n")
    assert only(found, "incident_id") == [("INC2",)]
    (rejected,) = found.rejected.rows(named=True)
    assert (rejected["file"], rejected["line"]) == ("incident.csv", 2)
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(rejected["reason"])


def test_an_instances_own_words_are_mapped(tmp_path: Path) -> None:
    row = "INC1,Zombie,Urgent,2025-03-03 08:00:00,Pigeon,,\n"
    found = normalised(
        tmp_path, LABELS + row, status={"zombie": "closed"}, priority={"Urgent": 1}, channel={"Pigeon": "other"}
    )
    assert only(found, "state", "priority", "channel") == [("closed", 1, "other")]


def test_a_history_row_is_rejected_alone_and_its_incident_stays(tmp_path: Path) -> None:
    found = normalised(
        tmp_path,
        "number,state,sys_mod_count,opened_at,sys_updated_on,sys_updated_by\n"
        "INC1,New,0,2025-03-03 08:00:00,2025-03-03 08:00:00,ann\n"
        "INC1,-100,1,2025-03-03 08:00:00,2025-03-03 09:00:00,ann\n"
        "INC1,Awaiting User Info,2,2025-03-03 08:00:00,2025-03-03 10:00:00,system\n",
    )
    assert found.snapshots.select("version_number", "state", "hold_reason", "actor_kind").rows() == [
        (0, "new", None, "person"),
        (2, "on_hold", "caller", "automation"),
    ]
    assert only(found, "version_number", "state") == [(2, "on_hold")]
    assert found.rejected["incident_id"].to_list() == ["INC1"]


def test_the_audit_log_becomes_events(tmp_path: Path) -> None:
    found = normalised(
        tmp_path,
        "Table name,Document key,Field name,Old value,New value,User,Created\n"
        "incident,abc,State,New,On Hold,ann,2025-03-03 08:10:00\n"
        "incident,abc,On hold reason,,Awaiting Caller,ann,2025-03-03 08:10:00\n"
        "incident,abc,Assignment group,,Network,Workflow,2025-03-03 08:11:00\n"
        "incident,abc,Escalation,Normal,High,system,2025-03-03 08:12:00\n"
        "problem,xyz,State,1,2,ann,2025-03-03 08:13:00\n"
        "incident,abc,Work notes,,hello,ann,2025-03-03 08:14:00\n"
        "incident,abc,State,On Hold,Zombie,ann,2025-03-03 08:15:00\n",
    )
    columns = ("incident_key", "kind", "from_value", "to_value", "hold_reason", "actor_kind")
    assert found.events.select(columns).rows() == [
        ("abc", "held", "new", "on_hold", None, "person"),
        ("abc", "other", None, "Awaiting Caller", "caller", "person"),
        ("abc", "group_assigned", None, "Network", None, "automation"),
        ("abc", "escalated", "Normal", "High", None, "automation"),
        ("abc", "commented", None, "hello", None, "person"),
    ]
    assert found.rejected["value"].to_list() == ["Zombie"]


def test_both_state_fields_of_one_change_are_one_event(tmp_path: Path) -> None:
    found = normalised(
        tmp_path,
        "tablename,documentkey,fieldname,oldvalue,newvalue,user,sys_created_on\n"
        "incident,abc,state,1,2,ann,2025-03-03 08:10:00\n"
        "incident,abc,incident_state,1,2,ann,2025-03-03 08:10:00\n",
    )
    assert found.events["event_id"].n_unique() == 1


def test_a_missing_column_lists_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no column for incident_id .* the file has Opened, State; .*fields\]"):
        normalised(tmp_path, "Opened,State\n2025-03-03 08:00:00,New\n")


def test_a_configured_column_is_taken_and_a_wrong_one_named(tmp_path: Path) -> None:
    text = "Ticket,State,Opened\nT1,New,2025-03-03 08:00:00\n"
    assert only(normalised(tmp_path, text, fields={"incident_id": "Ticket"}), "incident_id") == [("T1",)]
    with pytest.raises(SourceError, match="takes incident_id from 'Tickt', which the file does not have; did you mean"):
        normalised(tmp_path, text, fields={"incident_id": "Tickt"})


COLUMNS = (
    "state", "priority", "assignee", "assignment_group", "caller", "opened_at", "updated_at", "resolved_at", "closed_at",
    "version_number", "sla_met",
)  # fmt: skip
PULLED = Options("desk", timezone="UTC")
BASIC = {"user": "me", "password": Secret(env=VARIABLE)}


def version(desk: ServiceNow, ticket: Ticket) -> tuple[Any, ...]:
    stamps = (ticket.opened_at, ticket.updated_at, ticket.resolved_at, ticket.closed_at)
    about = (ticket.state, ticket.priority, ticket.assignee, ticket.group, ticket.caller)
    return (*about, *stamps, len(ticket.entries), ticket.number not in desk.breaches)


def number(record: Mapping[str, Any]) -> str | None:
    found = record.get("number")
    return found["value"] if isinstance(found, dict) else None


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages so small that whole ones are hidden."""
    module = sources.source("servicenow")
    monkeypatch.setattr(module, "PAGE", 8)
    monkeypatch.setattr(module, "KEPT_BACK", 2)
    monkeypatch.setattr(module, "BATCH", 8)
    monkeypatch.setenv("STANDIN_SECRET", SECRET)


@pytest.mark.usefixtures("small")
def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(tmp_path: Path) -> None:
    struck: Counter[str] = Counter()
    desks, pulls = [], []
    for seed in range(SCHEDULES):
        desk = ServiceNow(seed, oauth=seed % 2 == 1)
        oauth = {"client_id": "meantime", "client_secret": Secret(env="STANDIN_SECRET")}
        told = {"between": desk.works, "struck": struck, "known": number, "sweep": timedelta(0)}
        pulls.append(pulled("servicenow", desk, tmp_path / str(seed), seed, **told, **(oauth if desk.oauth else BASIC)))
        desks.append(desk)
    made = merged("servicenow", pulls, tmp_path / "all")
    compare(made, desks, version, *COLUMNS)
    assert set(struck) == set(FAULTS)
    said = {row["incident_key"] for row in made.events.values() if row["kind"] == "deleted"}
    gone = [(desk, one) for desk in desks for one in desk.tickets.values() if one.deleted_at is not None]
    had = [(desk, one) for desk, one in gone if desk.incident_id(one) in made.versions]
    assert all({desk.incident_id(one), desk.event_key(one)} & said for desk, one in had)
    # What the instance tells of its deletions is told with their instant.
    logged = {(row["documentkey"], row["sys_created_on"]) for desk in desks for row in desk.deletions}
    events = [row for row in made.events.values() if row["kind"] == "deleted"]
    assert {(row["incident_key"], f"{row['happened_at']:%Y-%m-%d %H:%M:%S}") for row in events} >= logged
    assert said <= {key for desk, one in gone for key in (desk.incident_id(one), desk.event_key(one))}


@pytest.mark.usefixtures("small")
def test_over_a_real_socket_the_warehouse_equals_the_tool(tmp_path: Path) -> None:
    desk = ServiceNow(7)
    told = {"user": "me", "password": {"env": VARIABLE}}
    compare_warehouse(warehoused("servicenow", desk, tmp_path, **told), desk)


def test_without_the_audit_log_metrics_tell_the_history_but_not_who_acknowledged(tmp_path: Path) -> None:
    desk = ServiceNow(8, audits=False)
    told = {"user": "me", "password": {"env": VARIABLE}}
    unknown = {"acknowledged_at": None, "acknowledgement_basis": None}
    compare_warehouse(warehoused("servicenow", desk, tmp_path, **told), desk, **unknown)


def pull_of(desk: ServiceNow, folder: Path, state: Mapping[str, Any] | None = None, **more: Any) -> Pull:
    os.environ[VARIABLE] = desk.token
    transport = more.pop("transport", Faults(desk, 0, share=0, changing=0))
    access = Access(desk.url, **BASIC)
    return Pull("desk", access, PULLED, folder, state or {}, patience=IMPATIENT, transport=transport, **more)


@pytest.mark.parametrize(("seen", "is_deleting"), [(1, True), (4, False)])
def test_pages_that_are_hidden_whole_are_walked_over_though_rows_vanish_meanwhile(
    seen: int, is_deleting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources.source("servicenow"), "PAGE", 4)
    monkeypatch.setattr(sources.source("servicenow"), "KEPT_BACK", 2)
    desk = ServiceNow(1)
    while len(desk.shown()) < 10:
        desk.change()
        desk.passes(minutes=5)
    in_order = sorted((desk.tickets[one.number] for one in desk.shown()), key=desk.event_key)
    for place, ticket in enumerate(in_order):
        ticket.is_hidden = place < len(in_order) - seen

    def meanwhile(request: httpx.Request) -> httpx.Response:
        if is_deleting and request.url.path.endswith("/incident") and int(request.url.params["sysparm_offset"]):
            in_order.pop(0).deleted_at = desk.clock
        return desk.respond(request)

    pull = pull_of(desk, tmp_path, transport=httpx.MockTransport(meanwhile))
    sources.source("servicenow").fetch(pull)
    found = {number(record) for record in pull.kept("incident")}
    assert found == {desk.incident_id(ticket) for ticket in desk.visible()}
    assert len(found) == seen


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Europe/Berlin"])
def test_a_user_in_another_zone_stops_the_pull_before_it_loses_anything(zone: str, tmp_path: Path) -> None:
    desk = ServiceNow(1, zone=zone)
    desk.passes(hours=1)
    state = {"as_of": desk.clock.isoformat()}
    with pytest.raises(PullError, match="reads times in the zone of this user; set the user's time zone to GMT"):
        sources.source("servicenow").fetch(pull_of(desk, tmp_path, state))


def test_a_transaction_that_was_cancelled_with_200_is_an_error(tmp_path: Path) -> None:
    desk = ServiceNow(1)

    def cancelled(request: httpx.Request) -> httpx.Response:
        if "sys_audit_delete" not in request.url.path:
            return desk.respond(request)
        error = {"message": "Transaction cancelled: maximum execution time exceeded", "detail": "..."}
        return httpx.Response(200, json={"result": [], "error": error, "status": "failure"})

    with pytest.raises(PullError, match=r"gave 200, but tells an error: .*maximum execution time exceeded"):
        sources.source("servicenow").fetch(pull_of(desk, tmp_path, transport=httpx.MockTransport(cancelled)))


def test_without_a_count_hidden_rows_are_not_taken_for_the_end(tmp_path: Path) -> None:
    desk = ServiceNow(1)

    def uncounted(request: httpx.Request) -> httpx.Response:
        answer = desk.respond(request)
        answer.headers.pop("X-Total-Count", None)
        return answer

    with pytest.raises(PullError, match="came without X-Total-Count; hidden rows could be taken for the end"):
        sources.source("servicenow").fetch(pull_of(desk, tmp_path, transport=httpx.MockTransport(uncounted)))
