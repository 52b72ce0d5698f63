"""How long incidents stay, those that are still open counted: by hand, and against plain counting."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from dashboard import lives, outlasting, query, words
from dashboard.lives import Lives, Naive
from dashboard.outlasting import TONGUES
from dashboard.query import Scope, Warehouse
from etl import refresh
from etl.config import Source
from etl.sources import Options

HEADER = "Number,State,Priority,Assignment group,Opened,Resolved,Closed,Updated"
SCOPE = Scope(date(2026, 1, 5), date(2026, 1, 11))
SHOWN = Scope(date(2025, 10, 6), date(2025, 12, 28))


def row(number: int, state: str, minutes: float | None = None, group: str = "Desk") -> str:
    """One incident, opened at noon of 5 January 2026, that ended some minutes later."""
    opened = datetime(2026, 1, 5, 12)
    end = "" if minutes is None else str(opened + timedelta(minutes=minutes))
    resolved, closed = (end, "") if state == "Resolved" else ("", end)
    updated = end or "2026-01-06 12:00:00"
    return f"INC{number:07},{state},3 - Moderate,{group},{opened},{resolved},{closed},{updated}"


def loaded(data: Path, rows: list[str], **more: Any) -> Warehouse:
    """Load a list export as of 15 January 2026, noon."""
    file = data / "desk.csv"
    data.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    source = Source("desk", "servicenow", Options("desk", timezone="UTC"), as_of=datetime(2026, 1, 15, 12), **more)
    refresh.load(data, source, [file])
    return query.open_data(data)


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> Iterator[Warehouse]:
    """The sample, opened."""
    found = query.open_data(sample)
    yield found
    found.connection.close()


def after(found: Lives) -> dict[float, tuple[float, float, int]]:
    return {one.hours: (round(one.open, 6), round(one.left, 6), one.at_risk) for one in found.after}


def test_open_and_cancelled_incidents_count_as_they_should(tmp_path: Path) -> None:
    rows = [
        row(1, "Resolved", 30),
        row(2, "Resolved", 90.5),
        row(3, "Canceled", 120),
        row(4, "Resolved", 60 * 30),
        row(5, "In Progress"),
    ]
    found = lives.cohort(loaded(tmp_path, rows), SCOPE, "resolved")
    stay = found.lives
    assert (stay.n, stay.left, stay.otherwise, stay.still, stay.unknown) == (5, 3, 1, 1, 0)
    # Five, four after an hour, two after four hours; the open one was watched for ten days.
    assert after(stay) == {
        1.0: (0.8, 0.2, 4),
        4.0: (0.4, 0.4, 2),
        24.0: (0.4, 0.4, 2),
        72.0: (0.2, 0.6, 1),
        168.0: (0.2, 0.6, 1),
    }
    # Begun minutes count: 90.5 are 91. Half have left with the third, nine in ten have not.
    assert (stay.median.hours, stay.p90.hours, stay.p90.follow_up) == (2.0, None, 240.0)
    assert stay.mean.horizon == 240.0
    assert stay.mean.hours == pytest.approx((0.5 + 91 / 60 + 2 + 30 + 240) / 5)
    assert found.naive == Naive(
        3, pytest.approx((0.5 + 90.5 / 60 + 30) / 3), pytest.approx(90.5 / 60), pytest.approx(24.3, abs=0.01)
    )
    said = outlasting.sentence(stay, TONGUES["resolved"], "in a week").replace(words.GAP, " ")
    assert said == (
        "Of 5 incidents opened in a week, 40 % after 24 h and 20 % after 7 d were still open. "
        "Half took up to 2.0 h (at least 0.5 h), nine in ten longer than 10 d, the 1 still open counted."
    )
    beside = outlasting.beside(found, TONGUES["resolved"]).replace(words.GAP, " ")
    assert "mean 11 h, median 1.5 h, nine in ten within 24 h (n 3)" in beside
    assert beside.endswith("The usual mean does not see the 1 still open and 1 cancelled or merged.")


def test_a_source_without_any_open_incident_is_named(tmp_path: Path) -> None:
    assert lives.closed_only(loaded(tmp_path / "closed", [row(at, "Resolved", 60 * at) for at in range(1, 9)])) == [
        "desk"
    ]
    assert lives.closed_only(loaded(tmp_path / "open", [row(1, "Resolved", 60), row(2, "In Progress")])) == []


def test_one_that_a_later_export_lacks_was_last_seen_in_the_one_before(tmp_path: Path) -> None:
    loaded(tmp_path, [row(1, "Resolved", 30), row(2, "In Progress")], full_export=True).connection.close()
    file = tmp_path / "later.csv"
    file.write_text(f"{HEADER}\n{row(1, 'Resolved', 30)}\n", encoding="utf-8")
    options = Options("desk", timezone="UTC")
    refresh.load(
        tmp_path, Source("desk", "servicenow", options, as_of=datetime(2026, 1, 25, 12), full_export=True), [file]
    )
    stay = lives.cohort(query.open_data(tmp_path), SCOPE, "resolved").lives
    assert (stay.n, stay.left, stay.still) == (2, 1, 1)
    assert stay.mean.horizon == 240.0


def test_impossible_stamps_are_counted_and_left_out(tmp_path: Path) -> None:
    stay = lives.cohort(loaded(tmp_path, [row(1, "Resolved", -30), row(2, "Resolved", 60)]), SCOPE, "resolved").lives
    assert (stay.n, stay.unknown) == (1, 1)


ROWS = """
select
    i.source,
    i.opened_at,
    i.opened_on,
    i.resolved_at,
    i.closed_at,
    i.updated_at,
    i.excluded_as,
    i.assignment_group,
    i.seconds_to_acknowledge,
    i.acknowledgement_basis,
    i.is_auto_resolved,
    sources.as_of
from incidents as i
join sources
    on i.source = sources.source
"""


def ends(warehouse: Warehouse, event: str) -> list[tuple[float, str, str | None]]:
    """Hours, way of leaving (empty while open) and group of each incident opened in SHOWN: plainly, row by row."""
    found = []
    for one in warehouse.frame(ROWS).iter_rows(named=True):
        if one["excluded_as"] == "test" or not SHOWN.since <= one["opened_on"] <= SHOWN.until:  # type: ignore[operator]
            continue
        dropped = one["excluded_as"] in ("cancelled", "duplicate")
        end, way = one["resolved_at"], "other" if dropped or event == "acknowledged" else "event"
        if event == "acknowledged":
            if one["acknowledgement_basis"] is None or one["is_auto_resolved"]:
                continue
            if one["seconds_to_acknowledge"] is not None:
                end, way = one["opened_at"] + timedelta(seconds=one["seconds_to_acknowledge"]), "event"
        if end is None and dropped:
            end = one["closed_at"] or one["updated_at"]
        if end is None:
            end, way = one["as_of"], ""
        if one["opened_at"] <= end <= one["as_of"]:
            seconds = (end - one["opened_at"]).total_seconds()
            found.append((-(-seconds // 60) / 60, way, one["assignment_group"]))
    return found


@pytest.mark.parametrize("event", list(lives.EVENTS))
def test_curves_are_those_of_plain_counting(warehouse: Warehouse, event: str) -> None:
    known = ends(warehouse, event)
    found = lives.cohort(warehouse, SHOWN, event).lives
    assert (found.n, found.left, found.still) == (
        len(known),
        sum(way == "event" for _, way, _ in known),
        sum(way == "" for _, way, _ in known),
    )
    # Kaplan and Meier by scipy; the incidence by its definition, time by time.
    gone, still = [hours for hours, way, _ in known if way], [hours for hours, way, _ in known if not way]
    curve = stats.ecdf(stats.CensoredData(gone, right=still)).sf
    staying, incidence, told = 1.0, 0.0, []
    for hours in sorted({hours for hours, *_ in known}):
        risk = sum(other >= hours for other, *_ in known)
        left = [way for other, way, _ in known if other == hours]
        told.append((hours, incidence := incidence + staying * left.count("event") / risk))
        staying *= 1 - (left.count("event") + left.count("other")) / risk
    for one in found.after:
        assert one.open == pytest.approx(float(curve.evaluate(one.hours)))
        assert one.left == pytest.approx(max((value for hours, value in told if hours <= one.hours), default=0.0))


def test_groups_are_compared_with_the_size_of_their_difference(warehouse: Warehouse) -> None:
    found = lives.groups(warehouse, SHOWN, "resolved", "assignment_group")
    known = ends(warehouse, "resolved")
    sizes = {member: stay.n for member, stay in found.members}
    assert sizes == {member: sum(group == member for *_, group in known) for member in sizes}
    assert len(found.members) == lives.MOST_GROUPS
    assert len(found.pairs) == 10
    greatest = found.pairs[0]
    # The log-rank test of two groups by scipy, times the ten pairs.
    censored = [
        stats.CensoredData(
            [hours for hours, way, group in known if group == member and way],
            right=[hours for hours, way, group in known if group == member and not way],
        )
        for member in (found.pairs[-1].one, found.pairs[-1].other)
    ]
    assert found.pairs[-1].p <= min(1.0, 10 * stats.logrank(*censored).pvalue) + 1e-12
    assert greatest.later.low > 0
    said = outlasting.differ(found, "assignment_group", TONGUES["resolved"])
    assert said.startswith(
        "The groups leave at different paces (log-rank test of 5 groups, p under 0.001); counted up to"
    )
    assert "longer on average than" in said


def test_only_what_exists_can_be_asked_for(warehouse: Warehouse) -> None:
    with pytest.raises(query.QueryError, match="event 'closed' is not one of resolved, acknowledged"):
        lives.cohort(warehouse, SHOWN, "closed")
    with pytest.raises(query.QueryError, match="column 'services' has many values for one incident"):
        lives.groups(warehouse, SHOWN, "resolved", "services")


def test_nothing_opened_is_nothing_drawn(warehouse: Warehouse) -> None:
    stay = lives.cohort(warehouse, Scope(date(2019, 1, 1), date(2019, 1, 31)), "resolved").lives
    assert (stay.n, stay.curve.height, stay.median.hours) == (0, 0, None)
    assert lives.groups(warehouse, Scope(date(2019, 1, 1), date(2019, 1, 31)), "resolved", "priority").members == ()


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(outlasting).failed == 0
