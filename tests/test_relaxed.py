"""An empty page names the fewest filters that keep everything out."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path

import pytest

from dashboard import query, relaxed
from dashboard.query import Scope

LAST_YEAR = (date(2025, 1, 1), date(2025, 12, 31))
BEFORE = (date(2019, 1, 1), date(2019, 1, 31))


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> query.Warehouse:
    return query.open_data(sample)


def counted(warehouse: query.Warehouse, scope: Scope, gone: tuple[str, ...]) -> int:
    """How many there are without some of the conditions, by the number that every page shows."""
    where = tuple((column, values) for column, values in scope.where if column not in gone)
    days = (None, None) if "period" in gone else (scope.since, scope.until)
    return int(query.values(warehouse, ["incident_volume"], Scope(*days, where))["value"][0])


def by_trying(warehouse: query.Warehouse, scope: Scope) -> dict[frozenset[str], int]:
    """The same by taking every set of conditions away, one after the other."""
    conditions = [*(column for column, _ in scope.where), "period"]
    found: dict[frozenset[str], int] = {}
    for size in range(len(conditions) + 1):
        for gone in itertools.combinations(conditions, size):
            if not any(smaller <= frozenset(gone) for smaller in found) and (n := counted(warehouse, scope, gone)):
                found[frozenset(gone)] = n
    return found


@pytest.mark.parametrize(
    "scope",
    [
        Scope(*LAST_YEAR),
        Scope(*BEFORE),
        Scope(*BEFORE, (("priority", ("1",)),)),
        Scope(*LAST_YEAR, (("source", ("alerts",)), ("assignment_group", ("Network",)), ("channel", ("phone",)))),
        Scope(*BEFORE, (("priority", ("9", "x")), ("service", (None,)), ("source", ("requests", "alerts")))),
        Scope(*LAST_YEAR, (("priority", ("1",)), ("category", ("no such",)), ("service", ("Payments", None)))),
    ],
)
def test_the_ways_out_are_those_that_trying_finds(scope: Scope, warehouse: query.Warehouse) -> None:
    ways = relaxed.ways_out(warehouse, scope)
    assert {frozenset(way.conditions): way.n for way in ways} == by_trying(warehouse, scope)
    assert [len(way.conditions) for way in ways] == sorted(len(way.conditions) for way in ways)
