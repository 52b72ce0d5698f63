"""Jira's export and interface in the shapes that people have them."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import polars as pl
import pytest
from standins import FAULTS, IMPATIENT, SCHEDULES, VARIABLE, Faults, merged, pulled, warehoused
from standins.desk import Ticket, compare, compare_warehouse
from standins.jira import DataCenter, Jira

from etl import sources
from etl.pull import Access, Pull, PullError, Secret
from etl.reading import open_exports
from etl.sources import Canonical, Options, SourceError


def normalised(file: Path, **told: Any) -> Canonical:
    options = Options("desk", **told)
    (export,) = open_exports(file, sources.reading("jira", options))
    module = sources.source("jira")
    plan = module.prepare(export, options)
    found = [module.normalise(chunk, plan) for chunk in export.chunks()]
    return Canonical(*(pl.concat(frames) for frames in zip(*found, strict=True)))


def exported(tmp_path: Path, text: str, **told: Any) -> Canonical:
    file = tmp_path / "issues.csv"
    file.write_text(text, encoding="utf-8")
    return normalised(file, **told)


def answered(tmp_path: Path, *records: dict[str, Any], key: str = "issues", **told: Any) -> Canonical:
    file = tmp_path / "issues.json"
    file.write_text(json.dumps({key: records}), encoding="utf-8")
    return normalised(file, **told)


def issue(**fields: Any) -> dict[str, Any]:
    usual = {
        "status": {"name": "Open"},
        "created": "2024-01-29T09:15:00.500+0100",
        "creator": {"displayName": "Bob", "accountType": "customer"},
        "reporter": {"displayName": "Bob", "accountType": "customer"},
    }
    return {"id": "10007", "key": "SUP-7", "self": "https://x.example/rest/api/3/issue/10007", "fields": usual | fields}


def entry(number: int, created: Any, *items: tuple[str, str | None, str | None], **author: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "author": {"displayName": "Ann", "accountType": "atlassian", **author},
        "created": created,
        "items": [{"field": name, "fromString": before, "toString": after} for name, before, after in items],
    }


COLUMNS = ("incident_key", "happened_at", "kind", "from_value", "to_value", "hold_reason", "actor", "actor_kind")


def test_the_export_of_a_list_is_read_in_the_zone_of_its_person_and_its_repeated_columns_are_one(
    tmp_path: Path,
) -> None:
    found = exported(
        tmp_path,
        "Summary,Issue key,Issue id,Status,Priority,Resolution,Created,Resolved,Component/s,Labels,Labels,Sprint\n"
        '"Two\nlines",SUP-7,10007,Done,Highest,Duplicate,30/Sep/21 17:20,01/Oct/21 08:00,Payments,vip,eu,S1\n',
        timezone="America/New_York",
    )
    columns = ("incident_id", "external_id", "title", "state", "priority", "excluded_as", "services", "tags")
    assert found.versions.select(columns).rows() == [
        ("SUP-7", "10007", "Two\nlines", "resolved", 1, "duplicate", ["Payments"], ["vip", "eu"])
    ]
    assert found.versions.select("opened_at", "resolved_at", "attributes").rows() == [
        (datetime(2021, 9, 30, 21, 20), datetime(2021, 10, 1, 12), '{"Sprint":"S1"}')
    ]
    assert found.events.height == 0


def test_a_custom_field_fills_what_jira_itself_does_not_know(tmp_path: Path) -> None:
    text = "Issue key,Status,Created,Custom field (Team),First reply\nSUP-7,Open,2021-09-30 17:20,Network,2021-09-30 17:30\n"
    found = exported(tmp_path, text, fields={"assignment_group": "Team", "acknowledged_at": "First reply"})
    assert found.versions.select("assignment_group", "acknowledged_at", "reports_acknowledgement").rows() == [
        ("Network", datetime(2021, 9, 30, 17, 30), True)
    ]
    with pytest.raises(SourceError, match=r"takes service from 'Servce', which the file does not have"):
        exported(tmp_path, text, fields={"service": "Servce"})
    with pytest.raises(SourceError, match=r"\[sources.desk.fields\] names 'servce'.*did you mean 'service'"):
        exported(tmp_path, text, fields={"servce": "Team"})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("SUP-7,Zombie,High,2021-09-30 17:20", r"desk: status 'Zombie' is not one of open, .* \[sources.desk.status\]"),
        (
            "SUP-7,Open,Sky,2021-09-30 17:20",
            r"desk: priority 'Sky' .* \[sources.desk.priority\] to one of 1, 2, 3, 4, 5",
        ),
        (",Open,High,2021-09-30 17:20", "the issue's key is missing"),
        ("SUP-7,Open,High,", "the creation stamp is missing"),
        ("SUP-7,Open,High,soon", "opened_at 'soon' is not a stamp"),
        ("SUP-7,,High,2021-09-30 17:20", "the status is missing"),
    ],
)
def test_a_row_that_cannot_be_understood_is_rejected_alone(tmp_path: Path, row: str, said: str) -> None:
    found = exported(tmp_path, f"Issue key,Status,Priority,Created\n{row}\nSUP-8,Open,Low,2021-09-30 17:20\n")
    assert found.versions["incident_id"].to_list() == ["SUP-8"]
    (rejected,) = found.rejected.rows(named=True)
    assert (rejected["file"], rejected["line"]) == ("issues.csv", 2)
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(rejected["reason"])


def test_an_issue_with_its_change_log_tells_who_did_what_and_when(tmp_path: Path) -> None:
    record = issue(status={"name": "Resolved"}, resolutiondate="2024-01-29T12:00:00.000+0100") | {
        "changelog": {
            "total": 4,
            "histories": [
                entry(901, "2024-01-29T09:16:00.000+0100", ("assignee", None, "Ann"), displayName="Rules", accountType="app"),
                entry(902, "2024-01-29T09:40:00.000+0100", ("status", "Open", "In Progress"), ("Team", "One", "Two")),
                entry(903, "2024-01-29T10:00:00.000+0100", ("status", "In Progress", "Waiting for customer")),
                entry(904, "2024-01-29T12:00:00.000+0100", ("status", "Waiting for customer", "Resolved"), ("priority", "Low", "High")),
                entry(905, "2024-01-29T12:01:00.000+0100", ("description", "a", "b")),
            ],
        }
    }  # fmt: skip
    found = answered(tmp_path, record, fields={"assignment_group": "Team"})
    day = datetime(2024, 1, 29)
    assert found.events.select(COLUMNS).rows() == [
        ("10007", day.replace(hour=8, minute=15), "opened", None, None, None, "Bob", "person"),
        ("10007", day.replace(hour=8, minute=16), "assigned", None, "Ann", None, "Rules", "automation"),
        ("10007", day.replace(hour=8, minute=40), "state", "new", "in_progress", None, "Ann", "person"),
        ("10007", day.replace(hour=8, minute=40), "group_assigned", "One", "Two", None, "Ann", "person"),
        ("10007", day.replace(hour=9), "held", "in_progress", "on_hold", "caller", "Ann", "person"),
        ("10007", day.replace(hour=11), "resolved", "on_hold", "resolved", None, "Ann", "person"),
        ("10007", day.replace(hour=11), "priority", "4", "2", None, "Ann", "person"),
        ("10007", day.replace(hour=11, minute=1), "other", None, None, None, "Ann", "person"),
    ]
    assert found.events["event_id"].n_unique() == 8
    assert found.versions.select("incident_id", "state", "url", "opened_at").rows() == [
        ("SUP-7", "resolved", "https://x.example/browse/SUP-7", datetime(2024, 1, 29, 8, 15))
    ]
    assert found.issues.height == 0


def test_the_bulk_interface_tells_the_same_in_epoch_milliseconds(tmp_path: Path) -> None:
    history = entry(902, 1706517600000, ("status", "Resolved", "Reopened"), ("status", "Reopened", "Zombie"))
    found = answered(tmp_path, {"issueId": "10007", "changeHistories": [history]}, key="issueChangeLogs")
    assert found.events.select(COLUMNS[:5]).rows() == [
        ("10007", datetime(2024, 1, 29, 8, 40), "reopened", "resolved", "in_progress")
    ]
    assert found.rejected.select("incident_id", "field", "value").rows() == [("10007", "status", "Zombie")]


def test_a_change_log_of_which_only_a_part_came_is_said(tmp_path: Path) -> None:
    record = issue() | {"changelog": {"total": 150, "histories": [entry(1, "2024-01-29T09:16:00.000+0100")]}}
    assert answered(tmp_path, record).issues.select("rule", "value").rows() == [("history_cut_off", "150")]


@pytest.mark.parametrize(
    ("field", "met"),
    [
        ({"completedCycles": [{"breached": False}]}, True),
        ({"completedCycles": [{"breached": False}, {"breached": True}]}, False),
        ({"completedCycles": [], "ongoingCycle": {"breached": True, "paused": False}}, False),
        ({"completedCycles": [{"breached": False}], "ongoingCycle": {"breached": False, "paused": True}}, None),
        ({"completedCycles": []}, None),
    ],
)
def test_an_sla_field_gives_a_verdict_only_when_it_is_final(
    tmp_path: Path, field: dict[str, Any], met: bool | None
) -> None:
    found = answered(tmp_path, issue(customfield_10030=field), fields={"sla_met": "customfield_10030"})
    assert found.versions["sla_met"].to_list() == [met]


def test_the_first_response_may_be_the_acknowledgement(tmp_path: Path) -> None:
    field = {"completedCycles": [{"stopTime": {"epochMillis": 1706517600000}, "breached": False}]}
    found = answered(tmp_path, issue(customfield_10031=field), fields={"acknowledged_at": "customfield_10031"})
    assert found.versions["acknowledged_at"].to_list() == [datetime(2024, 1, 29, 8, 40)]


def test_a_real_export_agrees_with_the_standard_librarys_reading_of_it(shared: Path) -> None:
    file = shared / "data" / "jira_hadoop" / "hadoop_bugs.csv"
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    found = normalised(file, timezone="UTC", status={"Patch Available": "in_progress"})
    assert found.rejected.height == 0
    assert len(rows) == found.versions.height == 2503
    stamp = lambda text: datetime.strptime(text, "%d/%b/%y %H:%M") if text else None  # noqa: E731
    read = found.versions.select("incident_id", "opened_at", "resolved_at", "source_state").rows()
    assert sorted(read) == sorted((r["Issue id"], stamp(r["Created"]), stamp(r["Resolved"]), r["Status"]) for r in rows)
    assert Counter(found.versions["excluded_as"]) == {None: 2352, "duplicate": 151}
    unmapped = normalised(file, timezone="UTC")
    assert unmapped.rejected["value"].unique().to_list() == ["Patch Available"]
    assert unmapped.rejected.height == 41


FIELDS = {"assignment_group": "Team"}
PULLED = Options("desk", timezone="UTC", fields=FIELDS)
KINDS = {"cloud": (Jira, {"user": "me@example.com"}, SCHEDULES), "data center": (DataCenter, {}, SCHEDULES // 4)}


def issue_key(record: Mapping[str, Any]) -> str | None:
    return record["key"] if "fields" in record else None


def verdict(desk: Jira, ticket: Ticket) -> bool | None:
    if ticket.number % 3 == 0 or ticket.number % 5 == 0:
        return None
    return False if desk.is_breached(ticket) else True if ticket.state in ("resolved", "closed") else None


def version(desk: Jira, ticket: Ticket) -> tuple[Any, ...]:
    stamps = (ticket.opened_at, ticket.updated_at, ticket.resolved_at)
    return (ticket.state, ticket.priority, ticket.assignee, ticket.group, ticket.caller, *stamps, verdict(desk, ticket))


COLUMNS_OF_A_VERSION = (
    "state", "priority", "assignee", "assignment_group", "caller", "opened_at", "updated_at", "resolved_at", "sla_met",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources.source("jira"), "BATCH", 3)
    made_by, access, schedules = KINDS[kind]
    struck: Counter[str] = Counter()
    desks, pulls = [], []
    for seed in range(schedules):
        desk = made_by(seed)
        told = {"between": desk.works, "struck": struck, "known": issue_key, "sweep": timedelta(0), **access}
        pulls.append(pulled("jira", desk, tmp_path / str(seed), seed, options=PULLED, **told))
        desks.append(desk)
    made = merged("jira", pulls, tmp_path / "all", PULLED)
    compare(made, desks, version, *COLUMNS_OF_A_VERSION)
    assert set(struck) == set(FAULTS)
    # What became of those that are there no more.
    gone = {id_ for desk in desks for id_ in desk.gone()}
    moved = {
        desk.key(number, is_moved=False): desk.key(number, is_moved=True) for desk in desks for number in desk.moved
    }
    said = {row["incident_key"]: row for row in made.events.values() if row["kind"] in ("deleted", "merged")}
    assert set(made.versions) & gone <= set(said)
    assert set(said) <= gone
    merges = {key: row["to_value"] for key, row in said.items() if row["kind"] == "merged"}
    assert merges.items() <= moved.items()
    assert merges


@pytest.mark.parametrize("kind", KINDS)
def test_over_a_real_socket_the_warehouse_equals_the_tool(kind: str, tmp_path: Path) -> None:
    made_by, access, _ = KINDS[kind]
    desk = made_by(7)
    compare_warehouse(warehoused("jira", desk, tmp_path, fields=FIELDS, **access), desk)


def pull_of(desk: Jira, folder: Path, state: Mapping[str, Any] | None = None, **more: Any) -> Pull:
    os.environ[VARIABLE] = desk.token
    access = Access(desk.url, token=Secret(env=VARIABLE), user="me@example.com" if desk.is_cloud else None)
    transport = more.pop("transport", Faults(desk, 0, share=0, changing=0))
    return Pull("desk", access, PULLED, folder, state or {}, patience=IMPATIENT, transport=transport, **more)


def test_a_token_that_is_revoked_so_that_search_shows_what_everybody_may_see_stops_the_pull(tmp_path: Path) -> None:
    desk = Jira(1)

    def revoked(request: httpx.Request) -> httpx.Response:
        if "search" not in request.url.path:
            return desk.respond(request)
        headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        return httpx.Response(200, headers=headers, json={"issues": [], "isLast": True})

    pull = pull_of(desk, tmp_path / "pull", transport=httpx.MockTransport(revoked))
    with pytest.raises(
        PullError, match=r"desk: POST .*/search/jql answered as to nobody in particular; check user and"
    ):
        sources.source("jira").fetch(pull)


def test_an_error_that_comes_with_200_is_an_error(tmp_path: Path) -> None:
    desk = Jira(1)

    def failing(request: httpx.Request) -> httpx.Response:
        said = {"errorMessages": ["The value 'GONE' does not exist for the field 'project'."]}
        return httpx.Response(200, json=said) if "search" in request.url.path else desk.respond(request)

    with pytest.raises(PullError, match=r"gave 200, but tells an error: .*'GONE' does not exist"):
        sources.source("jira").fetch(pull_of(desk, tmp_path / "pull", transport=httpx.MockTransport(failing)))


def test_a_field_is_named_by_its_name_and_one_that_jira_lacks_says_so(tmp_path: Path) -> None:
    pull = replace(pull_of(Jira(1), tmp_path), options=Options("desk", fields={"assignment_group": "Taem"}))
    with pytest.raises(PullError, match=r"names 'taem', which is no field of this Jira; did you mean 'Team'\?"):
        sources.source("jira").fetch(pull)


def test_a_user_who_suddenly_sees_nothing_does_not_make_everything_deleted(tmp_path: Path) -> None:
    desk = Jira(1)
    for ticket in desk.tickets.values():
        ticket.is_hidden = True
    state = {"as_of": desk.clock.isoformat()}
    with pytest.raises(PullError, match="finds none of our 1 issues any more; check `filter` and the user's rights"):
        sources.source("jira").fetch(pull_of(desk, tmp_path, state, known=lambda: {"S1-1"}))


@pytest.mark.parametrize(
    ("utc", "asked"),
    [
        ("2024-10-27T00:59:30", "2024/10/27 01:59"),
        ("2024-10-27T01:30:00", "2024/10/27 01:59"),
        ("2024-10-27T02:00:00", "2024/10/27 03:00"),
    ],
)
def test_a_bound_of_the_hour_that_comes_twice_begins_before_it(utc: str, asked: str) -> None:
    module, zone = sources.source("jira"), ZoneInfo("Europe/Berlin")
    assert module._minute(module._bound(datetime.fromisoformat(utc), zone), zone) == f'"{asked}"'
