"""Any table by its map, and the map that is proposed for one."""

from __future__ import annotations

import csv
import gzip
import json
import tomllib
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import ROOT

from etl import proposal, sources
from etl.reading import open_exports
from etl.sources import Canonical, Options, SourceError

FIELDS = {"incident_id": "Id", "opened_at": "Opened", "state": "State"}
STATUS = {"open": "new", "done": "resolved", "waiting": "on_hold"}


def normalised(file: Path, map_: dict[str, Any] | None, **told: Any) -> Canonical:
    options = Options("desk", map=map_, **told)
    (export,) = open_exports(file, options.reading())
    module = sources.source("table")
    plan = module.prepare(export, options)
    return Canonical(*map(pl.concat, zip(*(module.normalise(chunk, plan) for chunk in export.chunks()), strict=True)))


def written(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


ROWS = "Id,Opened,State,Ack,Labels\nA,2025-03-03 08:00:00,open,90,x;y\nB,2025-03-04 08:00:00,Done,,\n"


def test_constants_distances_and_lists(tmp_path: Path) -> None:
    fields = {
        **FIELDS,
        "channel": {"value": "monitoring"},
        "acknowledged_at": {"column": "Ack", "unit": "minutes", "after": "opened_at"},
        "tags": {"column": "Labels", "split": ";"},
    }
    found = normalised(written(tmp_path, ROWS), {"fields": fields, "status": STATUS})
    assert found.versions.select("incident_id", "state", "channel", "acknowledged_at", "tags").rows() == [
        ("A", "new", "monitoring", datetime(2025, 3, 3, 9, 30), ["x", "y"]),
        ("B", "resolved", "monitoring", None, None),
    ]


def test_an_unknown_status_rejects_its_row_and_names_the_key(tmp_path: Path) -> None:
    found = normalised(written(tmp_path, ROWS), {"fields": FIELDS, "status": {"open": "new"}})
    assert found.versions["incident_id"].to_list() == ["A"]
    assert found.rejected["reason"].to_list() == [
        "desk: status 'Done' is not one of new, in_progress, on_hold, resolved, closed, cancelled, open; "
        "map it under [status] of the map"
    ]


def test_rows_that_the_map_skips_are_kept_in_the_issues(tmp_path: Path) -> None:
    map_ = {"fields": FIELDS, "status": STATUS, "skip": {"State": ["Done"]}}
    found = normalised(written(tmp_path, ROWS), map_)
    assert found.versions["incident_id"].to_list() == ["A"]
    assert found.issues.select("incident_id", "rule", "value").rows() == [("B", "skipped_by_map", "Done")]


WRONG = {
    "no map": (None, "kind 'table' needs a mapping file"),
    "unknown key": ({"field": {}}, "key 'field' is not one of .*; did you mean 'fields'"),
    "unknown field": (
        {"fields": {**FIELDS, "oppened_at": "Opened"}},
        "'oppened_at', which .* did you mean 'opened_at'",
    ),
    "unknown column": ({"fields": {**FIELDS, "title": "Lables"}}, "names column 'Lables', .* did you mean 'Labels'"),
    "no id": ({"fields": {"opened_at": "Opened", "state": "State"}}, r"\[fields\] has no incident_id"),
    "no state": ({"fields": {"incident_id": "Id", "opened_at": "Opened"}}, 'or say `state_from = "stamps"`'),
    "unknown state": ({"fields": FIELDS, "status": {"open": "opend"}}, r"\[status\] maps 'open' to 'opend', which"),
    "unknown unit": (
        {"fields": {**FIELDS, "resolved_at": {"column": "Ack", "unit": "weeks", "after": "opened_at"}}},
        "unit 'weeks' is not one of seconds",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_map_is_an_error_that_names_the_nearest_choice(tmp_path: Path, case: str) -> None:
    map_, said = WRONG[case]
    with pytest.raises(SourceError, match=said):
        normalised(written(tmp_path, ROWS), map_)


def test_a_proposed_map_loads_once_nothing_is_missing(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "Key,Summary,Created,Resolved,Status,Priority\n"
        "A,x,29/02/2024 10:00,29/02/2024 11:00,Done,High\nB,y,01/03/2024 10:00,,In Progress,Low\n",
    )
    (export,) = open_exports(file)
    proposed = proposal.propose(export)
    assert proposal.missing(proposed) == ["acknowledged_at"]
    found = normalised(file, tomllib.loads(proposed))
    assert found.versions.select("incident_id", "state", "priority").rows() == [
        ("A", "resolved", 2),
        ("B", "in_progress", 4),
    ]


def test_a_proposed_map_marks_what_it_does_not_know(tmp_path: Path) -> None:
    (export,) = open_exports(written(tmp_path, "Foo,Created,Status\n1,03/04/2024 10:00,Zombie\n"))
    proposed = proposal.propose(export)
    tomllib.loads(proposed)
    assert proposal.missing(proposed) == ["date_format", "incident_id", "resolved_at", "acknowledged_at", '"Zombie"']


def test_issues_of_a_real_jira_load(shared: Path) -> None:
    file = shared / "data/jira_hadoop/hadoop_bugs.csv"
    found = normalised(file, tomllib.loads((ROOT / "tests/maps/hadoop.toml").read_text()))
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert found.rejected.height == 0
    assert found.versions.height == len(rows) == 2503
    assert found.versions.filter(excluded_as="duplicate").height == sum(
        row["Resolution"] == "Duplicate" for row in rows
    )
    seconds = sum(
        (
            datetime.strptime(row["Resolved"], "%d/%b/%y %H:%M") - datetime.strptime(row["Created"], "%d/%b/%y %H:%M")
        ).total_seconds()
        for row in rows
        if row["Resolved"]
    )
    ours = found.versions.select((pl.col("resolved_at") - pl.col("opened_at")).dt.total_seconds().sum()).item()
    assert ours == seconds


def test_incidents_of_a_real_status_page_load(shared: Path) -> None:
    file = shared / "data/statuspage_github/incidents.jsonl.gz"
    found = normalised(file, tomllib.loads((ROOT / "tests/maps/statuspage.toml").read_text()))
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    real = [row for row in rows if row["impact"] != "maintenance"]
    assert found.rejected.height == 0
    assert found.versions.height == len(real) == 801
    assert found.issues.height == 18
    services = Counter(service for row in real for service in dict.fromkeys(row.get("components") or []))
    ours = Counter(service for listed in found.versions["services"].drop_nulls() for service in listed)
    assert ours == services
