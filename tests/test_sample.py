"""The sample exports are what their generator writes, tell the story that they promise, and contradict themselves nowhere."""

from __future__ import annotations

import csv
import gzip
import json
import math
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
FILES = (
    "jira-issues.csv.gz",
    "pagerduty-incidents.json.gz",
    "servicenow-audit.csv.gz",
    "servicenow-incidents.csv.gz",
)
LABEL_OF_AUDITED_FIELD = {
    "state": "State",
    "hold_reason": "On hold reason",
    "priority": "Priority",
    "urgency": "Urgency",
    "assignment_group": "Assignment group",
    "assigned_to": "Assigned to",
    "escalation": "Escalation",
    "reopen_count": "Reopen count",
    "close_code": "Resolution code",
    "parent_incident": "Parent Incident",
    "problem_id": "Problem",
    "major_incident_state": "Major incident state",
}
VALUE_IF_NEVER_AUDITED = {"escalation": "Normal", "reopen_count": "0"}
JOURNALS = ("comments", "work_notes")
SERVICENOW_STAMP = "%Y-%m-%d %H:%M:%S"
JIRA_STAMP = "%d/%b/%y %H:%M"
AS_OF_IN_BERLIN, AS_OF_IN_NEW_YORK = datetime(2026, 1, 1), datetime(2025, 12, 31, 18)
REORGANISED_AT = datetime(2025, 7, 1)


def read_csv(name: str) -> pl.DataFrame:
    return pl.read_csv(SAMPLE / name, infer_schema=False).with_columns(pl.all().fill_null(""))


def stamp(column: str, form: str = SERVICENOW_STAMP) -> pl.Expr:
    return pl.col(column).str.to_datetime(form, strict=False)


@pytest.fixture(scope="module")
def incidents() -> pl.DataFrame:
    frame = read_csv("servicenow-incidents.csv.gz")
    return frame.with_columns(stamp(name) for name in ("Opened", "Resolved", "Closed", "Updated"))


@pytest.fixture(scope="module")
def audit() -> pl.DataFrame:
    return read_csv("servicenow-audit.csv.gz").with_columns(stamp("Created"), pl.col("Update count").cast(pl.Int64))


@pytest.fixture(scope="module")
def pages() -> pl.DataFrame:
    document = json.loads(gzip.decompress((SAMPLE / "pagerduty-incidents.json.gz").read_bytes()))
    return pl.DataFrame(document["data"], infer_schema_length=None).with_columns(
        stamp(name, "%Y-%m-%dT%H:%M:%SZ") for name in ("created_at", "resolved_at")
    )


@pytest.fixture(scope="module")
def issues() -> pl.DataFrame:
    names = ("Created", "Updated", "Resolved", "Custom field (First response)")
    return read_csv("jira-issues.csv.gz").with_columns(stamp(name, JIRA_STAMP) for name in names)


def newest_audit(audit: pl.DataFrame, *condition: pl.Expr) -> pl.DataFrame:
    """Per document, the last of the rows that meet the condition; rows are in the order of the changes."""
    rows = audit.filter(*condition)
    return rows.group_by("Document key", maintain_order=True).last().rename({"Document key": "Sys ID"})


def test_generator_writes_the_committed_files(tmp_path):
    subprocess.run([sys.executable, "-B", SAMPLE / "generate.py", tmp_path], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)
    for name in FILES:
        # Contents, not packed bytes: other builds of zlib pack the same text differently.
        written, committed = (gzip.decompress((folder / name).read_bytes()) for folder in (tmp_path, SAMPLE))
        assert written == committed, name


@pytest.mark.parametrize("name", FILES)
def test_gzip_header_has_no_time_and_no_file_name(name):
    header = (SAMPLE / name).read_bytes()[:8]
    assert header == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def test_files_are_small_and_rows_are_many(incidents, audit, pages, issues):
    assert sum((SAMPLE / name).stat().st_size for name in FILES) < 1_500_000
    assert (incidents.height, audit.height, pages.height, issues.height) == (6_997, 74_723, 3_500, 1_501)


def test_keys_name_one_incident_each(incidents, pages, issues):
    assert incidents["Number"].is_unique().all()
    assert incidents["Sys ID"].is_unique().all()
    assert pages["id"].is_unique().all()
    assert issues["Issue key"].n_unique() == 1499


def test_list_shows_the_last_audited_value_of_each_field(incidents, audit):
    assert set(audit["Field name"]) == {*LABEL_OF_AUDITED_FIELD, *JOURNALS}
    for field, label in LABEL_OF_AUDITED_FIELD.items():
        last = newest_audit(audit, pl.col("Field name") == field).select("Sys ID", "New value")
        both = incidents.join(last, on="Sys ID", how="left")
        audited, unaudited = both.filter(pl.col("New value").is_not_null()), both.filter(pl.col("New value").is_null())
        assert audited.filter(pl.col("New value") != pl.col(label))["Number"].to_list() == [], field
        if field != "urgency":
            assert set(unaudited[label]) <= {VALUE_IF_NEVER_AUDITED.get(field, "")}, field


def test_each_change_starts_from_the_value_before(audit):
    changes = audit.filter(~pl.col("Field name").is_in(JOURNALS)).with_columns(
        before=pl.col("New value").shift().over("Document key", "Field name")
    )
    assert changes.filter(pl.col("before") != pl.col("Old value")).height == 0


def test_every_history_begins_as_new_at_the_opening(incidents, audit):
    first = audit.filter(pl.col("Field name") == "state").group_by("Document key", maintain_order=True).first()
    both = incidents.join(first, left_on="Sys ID", right_on="Document key", how="left")
    assert set(zip(both["Old value"], both["New value"], both["Update count"], strict=True)) == {("", "New", 0)}
    assert (both["User"] == both["Opened by"]).all()
    mistyped = both.filter(pl.col("Opened") != pl.col("Created"))
    assert mistyped["Opened"].to_list() == [datetime(2026, 3, 14, 10, 20)]


def test_history_runs_forward(audit):
    steps = audit.with_columns(
        seconds=pl.col("Created").diff().over("Document key").dt.total_seconds(),
        updates=pl.col("Update count").diff().over("Document key"),
    )
    assert steps["seconds"].min() >= 0
    assert set(steps["updates"].drop_nulls()) == {0, 1}


def test_counters_agree_with_the_history(incidents, audit):
    is_group = pl.col("Field name") == "assignment_group"
    counts = audit.group_by("Document key").agg(
        groups=is_group.sum().cast(pl.Int64),
        reopenings=(pl.col("Field name") == "reopen_count").sum(),
        updates=pl.col("Update count").max(),
        updated=pl.col("Created").last(),
        updated_by=pl.col("User").last(),
    )
    both = incidents.join(counts, left_on="Sys ID", right_on="Document key", how="left")
    assert (both["Reassignment count"].cast(pl.Int64) == both["groups"] - 1).all()
    assert (both["Reopen count"].cast(pl.Int64) == both["reopenings"]).all()
    assert (both["Updates"].cast(pl.Int64) == both["updates"]).all()
    assert (both["Updated"] == both["updated"]).all()
    assert (both["Updated by"] == both["updated_by"]).all()


def test_stamps_of_the_list_are_those_of_the_history(incidents, audit):
    is_state = pl.col("Field name") == "state"
    for label, states in (("Resolved", ["Resolved"]), ("Closed", ["Closed", "Canceled"])):
        last = newest_audit(audit, is_state, pl.col("New value").is_in(states)).select("Sys ID", "Created", "User")
        both = incidents.join(last, on="Sys ID", how="left")
        differing = both.filter(pl.col(label).ne_missing(pl.col("Created")))
        logged_afterwards = differing.filter(pl.col("Resolved") < pl.col("Opened"))
        assert (differing.height, logged_afterwards.height) == ((5, 5) if label == "Resolved" else (0, 0))
        if label == "Resolved":
            assert both.filter(pl.col("User").is_not_null(), pl.col("User") != pl.col("Resolved by")).height == 0


def test_children_are_resolved_with_their_parent(incidents):
    parents = incidents.filter(pl.col("Major incident state") == "Accepted")
    children = incidents.filter(pl.col("Resolved by") == "Workflow").join(
        parents, left_on="Parent Incident", right_on="Number", suffix=" of parent"
    )
    seconds = (children["Resolved"] - children["Resolved of parent"]).dt.total_seconds()
    assert children.height == 127
    assert (seconds.min(), seconds.max()) == (2, 40)


def test_pages_add_up(pages):
    resolved = pages.filter(pl.col("resolved_at").is_not_null())
    spent = (resolved["resolved_at"] - resolved["created_at"]).dt.total_seconds()
    assert (spent == resolved["seconds_to_resolve"]).all()
    escalations = pages["timeout_escalation_count"] + pages["manual_escalation_count"]
    assert (escalations == pages["escalation_count"]).all()
    assert not pages.filter(pl.col("auto_resolved"), pl.col("resolved_by_user_name").is_not_null()).height


def test_vocabulary_is_the_tools_own_and_the_unreadable_rows_are_few(incidents, pages, issues):
    known_states = {"New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled"}
    assert sorted(set(incidents["State"]) - known_states) == ["Zombie"]
    assert incidents.filter(pl.col("State") == "Zombie").height == 3
    assert incidents["Opened"].null_count() == 1
    known_statuses = {"triggered", "acknowledged", "resolved"}
    assert pages.filter(~pl.col("status").is_in(known_statuses))["status"].to_list() == ["snoozed"]
    known = {"Open", "In Progress", "Waiting for customer", "Pending", "Resolved", "Closed", "Canceled"}
    assert issues.filter(~pl.col("Status").is_in(known))["Status"].to_list() == ["Parked"]
    assert issues["Created"].null_count() == 1


def test_odd_rows_are_the_promised_ones(incidents, pages, issues):
    assert incidents.filter(pl.col("Resolved") < pl.col("Opened"), pl.col("Opened") < AS_OF_IN_BERLIN).height == 5
    assert incidents.filter(pl.col("Opened") > AS_OF_IN_BERLIN).height == 1
    assert pages.filter(pl.col("seconds_to_first_ack") > pl.col("seconds_to_resolve")).height == 6
    assert issues.filter(pl.col("Resolved") < pl.col("Created")).height == 3
    assert issues.filter(pl.col("Status") == "In Progress", pl.col("Resolved").is_not_null()).height == 2
    repeated = issues.filter(pl.col("Issue key").is_duplicated())
    assert sorted(repeated["Status"]) == ["Closed", "Closed", "Open", "Open"]


def test_nothing_happens_after_the_export_or_in_the_hour_that_spring_skips(incidents, audit, issues):
    for stamps in (audit["Created"], incidents["Resolved"], incidents["Closed"], incidents["Updated"]):
        assert stamps.max() <= AS_OF_IN_BERLIN
        assert not stamps.drop_nulls().is_between(datetime(2025, 3, 30, 2), datetime(2025, 3, 30, 2, 59, 59)).any()
    for name in ("Created", "Updated", "Resolved", "Custom field (First response)"):
        assert issues[name].max() <= AS_OF_IN_NEW_YORK
        assert not issues[name].drop_nulls().is_between(datetime(2025, 3, 9, 2), datetime(2025, 3, 9, 2, 59)).any()


def test_jira_texts_have_line_breaks_and_repeated_label_columns():
    with gzip.open(SAMPLE / "jira-issues.csv.gz", "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header.count("Labels") == 2
    assert {len(row) for row in rows} == {len(header)}
    assert any("\r\n" in row[header.index("Description")] for row in rows)
    assert any("\n" in row[header.index("Summary")] for row in rows)


def geometric_mean_minutes(incidents: pl.DataFrame, group: str, *condition: pl.Expr) -> float:
    """The median would not do: it falls between the humps of the same day and the next."""
    rows = incidents.filter(pl.col("Assignment group") == group, pl.col("Resolved") >= pl.col("Opened"), *condition)
    minutes = (rows["Resolved"] - rows["Opened"]).dt.total_seconds() / 60
    return math.exp((minutes + 1).log().mean())


def test_network_is_slower_since_the_reorganisation_and_the_others_are_not(incidents):
    before, after = pl.col("Opened") < REORGANISED_AT, pl.col("Opened") >= REORGANISED_AT
    change = {
        group: geometric_mean_minutes(incidents, group, after) / geometric_mean_minutes(incidents, group, before)
        for group in sorted(set(incidents["Assignment group"]))
    }
    assert change.pop("Network") > 1.8
    assert 0.75 < min(change.values()) <= max(change.values()) < 1.33


def test_payments_fails_more_and_more_in_every_tool(incidents, pages, issues):
    for frame, service, opened in (
        (incidents, "Service", "Opened"),
        (pages, "service_name", "created_at"),
        (issues, "Component/s", "Created"),
    ):
        payments = frame.filter(pl.col(service) == "Payments")
        first = payments.filter(pl.col(opened) < datetime(2025, 1, 1)).height
        last = payments.filter(pl.col(opened) >= REORGANISED_AT).height
        assert last > 1.7 * first, service


def test_outage_evening_raises_its_storm(incidents, pages):
    storm = pages.filter(pl.col("created_at").is_between(datetime(2025, 3, 13, 17, 4), datetime(2025, 3, 13, 19, 4)))
    assert storm.height >= 120
    assert storm["auto_resolved"].mean() > 0.8
    major = incidents.filter(pl.col("Short description").str.starts_with("Core switch core-sw-01 failed"))
    assert incidents.filter(pl.col("Parent Incident") == major["Number"].item()).height == 26


def test_shares_are_plausible(incidents, audit, pages):
    resolved = incidents.filter(pl.col("State").is_in(["Resolved", "Closed"]))
    held = audit.filter(pl.col("New value") == "Awaiting Caller")["Document key"].unique()
    by_people = resolved.filter(pl.col("Channel") != "Monitoring", pl.col("Parent Incident") == "")
    at_first_contact = by_people.filter(
        pl.col("Reassignment count") == "0",
        pl.col("Reopen count") == "0",
        pl.col("Escalation") == "Normal",
        ~pl.col("Sys ID").is_in(held.implode()),
    )
    assert 0.40 < at_first_contact.height / by_people.height < 0.50
    assert 0.04 < (resolved["Reopen count"] != "0").mean() < 0.06
    assert 0.02 < (incidents["State"] == "Canceled").mean() < 0.04
    assert 60 < incidents.filter(pl.col("State").is_in(["New", "In Progress", "On Hold"])).height < 90
    assert 0.4 < pages["auto_resolved"].mean() < 0.6
    assert pages["seconds_to_first_ack"].null_count() / pages.height > 0.3
