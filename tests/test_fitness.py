"""Fitness of the data: what is planted is found, and what is clean is called good."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_facts import START, event, made, version

from dashboard import fitness, query, words


def warehouse(rows: list[dict[str, Any]], events: list[dict[str, Any]] | None = None) -> query.Warehouse:
    con = duckdb.connect()
    made(con, rows, events=events)
    return query.Warehouse(Path("none"), con)


def incident(number: int, **columns: Any) -> dict[str, Any]:
    opened = START + timedelta(days=number % 20, minutes=number * 7 % 600, seconds=11)
    resolved = opened + timedelta(minutes=37 + number % 200)
    return version(
        f"I{number}",
        **{
            "opened_at": opened,
            "resolved_at": resolved,
            "closed_at": resolved + timedelta(hours=number % 97, minutes=5),
            "acknowledged_at": opened + timedelta(minutes=13),
            "reports_acknowledgement": True,
            "priority": 1 + number % 2,
            **columns,
        },
    )


def kinds(found: query.Warehouse) -> set[str]:
    return {one.kind for one in fitness.findings(found)}


def test_clean_data_is_good() -> None:
    clean = warehouse([incident(at) for at in range(400)])
    assert kinds(clean) <= {"beginning of the extract"}
    assert {one.kpi: one.grade for one in fitness.grades(clean)}["mttr"] == "good"
    assert {one.kpi: one.grade for one in fitness.grades(clean)}["mtta"] == "good"


def test_stamps_on_the_full_hour_are_found() -> None:
    rounded = [incident(at, resolved_at=START + timedelta(days=at % 20 + 1, hours=at % 5)) for at in range(400)]
    assert "full hours" in kinds(warehouse(rounded))


def test_an_automatic_closing_is_found_as_a_heap() -> None:
    rows = [incident(at) for at in range(400)]
    for row in rows[:200]:
        row["closed_at"] = row["resolved_at"] + timedelta(hours=72, minutes=4)
    found = next(one for one in fitness.findings(warehouse(rows)) if one.kind == "heaping")
    assert "200 of 400 closings (50\N{NO-BREAK SPACE}%) come 72 hours after resolving" in found.said or found.n >= 200


def test_a_batch_of_resolutions_is_named_and_doubted() -> None:
    batch = datetime(2025, 3, 24, 15, 30)
    rows = [incident(at) for at in range(400)]
    rows += [incident(at, resolved_at=batch, closed_at=None, state="resolved") for at in range(400, 700)]
    found = warehouse(rows)
    assert [(one.field, one.day.isoformat(), one.n) for one in fitness.batches(found)] == [
        ("resolved_at", "2025-03-24", 300)
    ]
    grade = next(one for one in fitness.grades(found) if one.kpi == "mttr")
    assert (grade.grade, grade.n, grade.n_without) == ("poor", 700, 400)
    assert grade.doubtful == pytest.approx(3 / 7)
    pair = fitness.with_and_without(found, ["mttr"])["desk", "mttr"]
    clean = fitness.with_and_without(warehouse(rows[:400]), ["mttr"])["desk", "mttr"]
    assert (pair.whole.n, pair.rest) == (700, clean.whole)


def test_what_is_missing_more_often_at_one_priority_is_not_missing_at_random() -> None:
    rows = [incident(at, **({"acknowledged_at": None} if at % 2 and at % 3 else {})) for at in range(400)]
    found = [one for one in fitness.findings(warehouse(rows)) if one.kind == "not missing at random"]
    assert [one.said.split(":")[0].replace(words.GAP, " ") for one in found] == [
        "acknowledged_at is known for 34 % of P2 and 100 % of P1"
    ]


def test_an_acknowledgement_by_a_bot_is_doubtful() -> None:
    rows = [incident(at) for at in range(50)]
    events = [
        event("acknowledged", at, incident_key=f"I{at}", actor="rule", actor_kind="automation") for at in range(10)
    ]
    grade = next(one for one in fitness.grades(warehouse(rows, events)) if one.kpi == "mtta")
    assert (grade.grade, grade.n - grade.n_without) == ("poor", 10)
