"""The sample exports many times over: new numbers, four regions of groups, each life stretched by a factor of its own."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

SAMPLE = Path(__file__).resolve().parents[2] / "data/sample"
REGIONS = ("", " East", " West", " Overseas")
ENDS_AT = datetime(2025, 12, 31, 17)
"""No stretched life goes on beyond what the exports cover, in any of their zones."""
SERVICENOW = "%Y-%m-%d %H:%M:%S"
PAGERDUTY = "%Y-%m-%dT%H:%M:%SZ"
JIRA = "%d/%b/%y %H:%M"


def _stamp(column: str, form: str) -> pl.Expr:
    return pl.col(column).str.to_datetime(form, strict=False)


def _chance(key: str, seed: int) -> pl.Expr:
    return (pl.col(key).hash(seed) % 10_000).cast(pl.Float64) / 10_000


def _lives(frame: pl.DataFrame, key: str, opened: str, others: Sequence[str], form: str, copy: int) -> pl.DataFrame:
    """Say for each incident when it was opened, by how many seconds later its copy is, and by what it is stretched."""
    begins, last = _stamp(opened, form), pl.max_horizontal(*(_stamp(name, form) for name in (opened, *others)))
    later = (_chance(key, 2 * copy) * 1500).cast(pl.Int64)
    room = ((pl.lit(ENDS_AT) - begins).dt.total_seconds() - 1500) / (last - begins).dt.total_seconds().clip(1)
    stretch = pl.min_horizontal(0.6 + 0.8 * _chance(key, 2 * copy + 1), room).clip(0)
    return frame.select(key, begins.alias("_opened"), later.alias("_later"), stretch.alias("_stretch"))


def _moved(column: str, form: str) -> pl.Expr:
    """Move a stamp; what is none stays as it is written."""
    seconds = (_stamp(column, form) - pl.col("_opened")).dt.total_seconds() * pl.col("_stretch") + pl.col("_later")
    moved = pl.col("_opened") + pl.duration(seconds=seconds.round().cast(pl.Int64))
    return moved.dt.to_string(form).fill_null(pl.col(column)).alias(column)


def _number(column: str, copy: int) -> pl.Expr:
    """Give a number that no other copy has: INC0412001 becomes INC17-412001."""
    return pl.col(column).str.replace(r"^([A-Z]+)-?0?", f"${{1}}{copy:02d}-").alias(column)


def _region(column: str, copy: int) -> pl.Expr:
    named = pl.col(column) + REGIONS[copy % len(REGIONS)]
    return pl.when(pl.col(column).str.len_chars() > 0).then(named).otherwise(pl.col(column)).alias(column)


def _table(name: str) -> pl.DataFrame:
    return pl.read_csv(SAMPLE / f"{name}.csv.gz", infer_schema=False).fill_null("")


def _servicenow(folder: Path, copies: int) -> None:
    listed, audit = _table("servicenow-incidents"), _table("servicenow-audit")
    stamps = ("Opened", "Resolved", "Closed", "Updated")
    is_group = pl.col("Field name") == "assignment_group"
    is_parent = pl.col("Field name") == "parent_incident"
    made = []
    with (folder / "audit.csv").open("wb") as history:
        for copy in range(copies):
            lives = _lives(listed, "Sys ID", "Opened", stamps[1:], SERVICENOW, copy)
            made.append(
                listed.join(lives, on="Sys ID", maintain_order="left")
                .with_columns(
                    *(_moved(name, SERVICENOW) for name in stamps),
                    _number("Number", copy),
                    _number("Parent Incident", copy),
                    _region("Assignment group", copy),
                    pl.col("Sys ID") + f"{copy:02d}",
                )
                .select(listed.columns)
            )
            audit.join(lives, left_on="Document key", right_on="Sys ID", maintain_order="left").with_columns(
                _moved("Created", SERVICENOW),
                pl.col("Document key") + f"{copy:02d}",
                *(
                    pl.when(is_group)
                    .then(_region(name, copy))
                    .when(is_parent)
                    .then(_number(name, copy))
                    .otherwise(name)
                    .alias(name)
                    for name in ("Old value", "New value")
                ),
            ).select(audit.columns).write_csv(history, include_header=copy == 0)
    # A list comes in the order of opening.
    pl.concat(made).sort("Opened").write_csv(folder / "incidents.csv")


def _pagerduty(folder: Path, copies: int) -> None:
    with gzip.open(SAMPLE / "pagerduty-incidents.json.gz") as file:
        rows = pl.DataFrame(json.load(file)["data"], infer_schema_length=None)
    with (folder / "alerts.json").open("w", encoding="utf-8") as out:
        for copy in range(copies):
            made = rows.join(
                _lives(rows, "id", "created_at", ("resolved_at",), PAGERDUTY, copy), on="id", maintain_order="left"
            ).with_columns(
                _moved("created_at", PAGERDUTY),
                _moved("resolved_at", PAGERDUTY),
                (pl.col("seconds_to_first_ack") * pl.col("_stretch")).round().cast(pl.Int64),
                _region("team_name", copy),
                pl.col("id") + f"{copy:02d}",
            )
            text = made.select(rows.columns).write_json()
            # One record a line, as the tool writes them when they are many.
            records = text[1:-1].replace('},{"', '},\n{"')
            out.write(('{"data":[\n' if copy == 0 else ",\n") + records)
        out.write("\n]}")


def _jira(folder: Path, copies: int) -> None:
    with gzip.open(SAMPLE / "jira-issues.csv.gz", "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    plain = [f"{name}#{at}" for at, name in enumerate(header)]
    stamps = [
        column
        for column, name in zip(plain, header, strict=True)
        if name in ("Created", "Updated", "Resolved", "Custom field (First response)")
    ]
    issues = pl.DataFrame(rows, schema=dict.fromkeys(plain, pl.String), orient="row")
    key, created = (plain[header.index(name)] for name in ("Issue key", "Created"))
    with (folder / "issues.csv").open("wb") as out:
        out.write((",".join(header) + "\n").encode())
        for copy in range(copies):
            lives = _lives(issues, key, created, [name for name in stamps if name != created], JIRA, copy)
            issues.join(lives, on=key, maintain_order="left").with_columns(
                *(_moved(name, JIRA) for name in stamps), _number(key, copy)
            ).select(plain).write_csv(out, include_header=False)


def write(folder: Path, copies: int) -> Path:
    """Write the exports and their configuration into a folder, and give the configuration; a copy is 11,989 incidents."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in (_servicenow, _pagerduty, _jira):
        make(folder, copies)
    for path in SAMPLE.glob("*.toml"):
        shutil.copy(path, folder / path.name)
    text = (SAMPLE / "meantime.toml").read_text(encoding="utf-8")
    for theirs, ours in (
        ("servicenow-incidents.csv.gz", "incidents.csv"),
        ("servicenow-audit.csv.gz", "audit.csv"),
        ("pagerduty-incidents.json.gz", "alerts.json"),
        ("jira-issues.csv.gz", "issues.csv"),
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    target = folder / "meantime.toml"
    target.write_text(text, encoding="utf-8")
    return target
