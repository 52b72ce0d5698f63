"""Connectors against stand-ins of their tools: whatever goes wrong, nothing is lost and nothing is there twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import standins
from standins import jira

from etl import sources
from etl.pull import Secret
from etl.sources import Options

SCHEDULES = 5


class Case(NamedTuple):
    kind: str
    stand_in: type[standins.StandIn]
    access: dict[str, Any]
    options: dict[str, Any]
    stream: str
    id_of: str
    small: dict[str, int] = {}


SECRET = Secret(env="DESK_SECRET")
CASES = {
    "jira cloud": Case(
        "jira",
        jira.Jira,
        {"user": "me@example.com", "token": SECRET},
        {"fields": {"assignment_group": "customfield_1"}},
        "issues",
        "key",
    ),
    "jira data center": Case(
        "jira",
        jira.DataCenter,
        {"token": SECRET},
        {"fields": {"assignment_group": "customfield_1"}},
        "issues",
        "key",
        {"PAGE": 4},
    ),
}


@pytest.fixture
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    found = CASES[request.param]
    for name, value in found.small.items():
        monkeypatch.setattr(sources.source(found.kind), name, value)
    return found


def schedule(case: Case, seed: int, raw: Path, monkeypatch: pytest.MonkeyPatch, **told: Any) -> standins.Run:
    stand_in = case.stand_in(seed)
    renew = stand_in.expire

    def expire() -> None:
        renew()
        monkeypatch.setenv("DESK_SECRET", stand_in.secret)

    stand_in.expire = expire  # type: ignore[method-assign]
    return standins.run(
        sources.source(case.kind),
        stand_in,
        raw,
        case.access,
        Options("desk", **case.options),
        lambda secret: monkeypatch.setenv("DESK_SECRET", secret),
        kinds=lambda folder: {str(record[case.id_of]) for record in standins.records(folder, case.stream)},
        **told,
    )


def compare(case: Case, runs: list[standins.Run], folder: Path) -> None:
    module = sources.source(case.kind)
    as_of = max(found.as_of for found in runs)
    con = standins.warehouse(module, standins.together(runs, folder), Options("desk", **case.options), as_of)
    assert con.execute("select * from rejected_rows").fetchall() == []
    expected = {key: truth for found in runs for key, truth in found.truth.items()}
    deleted = {key for found in runs for key in found.deleted}
    columns = list(next(iter(expected.values())))
    rows = con.execute(f"select incident_id, excluded_as, {', '.join(columns)} from incidents").fetchall()
    con.close()
    assert len({row[0] for row in rows}) == len(rows)
    assert {row[0] for row in rows if row[1] is None} == set(expected)
    assert {row[0] for row in rows if row[1] is not None} <= deleted
    assert {row[1] for row in rows if row[1] is not None} == {"deleted"}
    wrong = [
        (row[0], column, value, expected[row[0]][column])
        for row in rows
        if row[1] is None
        for column, value in zip(columns, row[2:], strict=True)
        if value != expected[row[0]][column]
    ]
    assert wrong == []


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [schedule(case, seed, tmp_path / str(seed), monkeypatch) for seed in range(SCHEDULES)]
    drawn = {fault for found in runs for fault in found.drawn}
    assert drawn == set(standins.FAULTS)
    compare(case, runs, tmp_path / "together")


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_one_schedule_over_a_real_socket(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standins, "FAULTS", ("lost", "busy", "rate", "half"))
    stand_in = case.stand_in(1000)
    monkeypatch.setattr(standins, "KilledError", standins.KilledError)
    with standins.served(stand_in) as address:
        found = standins.run(
            sources.source(case.kind),
            stand_in,
            tmp_path,
            case.access,
            Options("desk", **case.options),
            lambda secret: monkeypatch.setenv("DESK_SECRET", secret),
            kinds=lambda folder: {str(record[case.id_of]) for record in standins.records(folder, case.stream)},
            address=address,
        )
    compare(case, [found], tmp_path / "together")
