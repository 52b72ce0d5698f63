"""Jira's export and interface in the shapes that people have them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from etl import sources
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
