"""Known changes on the trends, and what is judged to be out of the ordinary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from dashboard import charts, control, query
from dashboard.charts import Note, Point, Series, Unit
from dashboard.control import KnownChange
from dashboard.query import Scope, Warehouse

SWITCH = (date(2025, 3, 13), "Core switch fails")
NETWORK = (date(2025, 7, 1), "Reorganisation of Network")


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> Iterator[Warehouse]:
    """The sample, opened."""
    found = query.open_data(sample)
    yield found
    found.connection.close()


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ((), [KnownChange(*SWITCH, False), KnownChange(*NETWORK, False)]),
        ((("assignment_group", ("Network",)),), [KnownChange(*SWITCH, False), KnownChange(*NETWORK, True)]),
        (
            (("assignment_group", ("Network", "Workplace")), ("priority", ("1",))),
            [KnownChange(*SWITCH, False), KnownChange(*NETWORK, False)],
        ),
        ((("assignment_group", ("Workplace", None)),), [KnownChange(*SWITCH, False)]),
    ],
)
def test_a_change_of_a_part_is_shown_with_the_part_and_splits_the_baseline_of_nothing_else(
    warehouse: Warehouse, where: tuple[tuple[str, tuple[str | None, ...]], ...], found: list[KnownChange]
) -> None:
    assert control.known_changes(warehouse, Scope(where=where)) == found


def test_a_change_is_drawn_where_it_happened_and_told_with_its_period() -> None:
    starts = [date(2025, 6, 16) + timedelta(days=7 * at) for at in range(4)]
    points = tuple(Point(first, first + timedelta(days=6), 2.0, 10, f"week of {first}") for first in starts)
    notes = (Note(*SWITCH), Note(*NETWORK))
    assert charts.within(notes, points) == [Note(*NETWORK)]
    spec = charts.trend([Series("mean", points)], Unit("hours", "time"), charts.LIGHT, notes=notes).to_dict()
    rows = [row for layer in spec["layer"] for row in layer.get("data", {}).get("values", [])]
    # 1 July 2025 in milliseconds since 1970.
    assert {(row["at"], row["text"]) for row in rows if "text" in row} == {(1751328000000, "Reorganisation of Network")}
    assert [row["Note"] for row in rows if "Note" in row] == [
        "",
        "",
        "1\N{NO-BREAK SPACE}Jul\N{NO-BREAK SPACE}2025: Reorganisation of Network",
        "",
    ]
