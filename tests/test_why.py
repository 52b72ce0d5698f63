"""Why a KPI moved: the parts of every KPI add up to the change that its tile shows, and are said in words that add up."""

from __future__ import annotations

import doctest
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from scipy import stats

from dashboard import evidence, query, reasons, why, words
from dashboard.query import Scope
from dashboard.why import Bridge
from etl import catalog, refresh
from etl.config import Source
from etl.sources import Options

SCOPE = Scope(date(2025, 10, 6), date(2025, 12, 28))
BEFORE = Scope(date(2025, 7, 14), date(2025, 10, 5))
KINDS = {"hours": "hours", "share": "share", "incidents": "count"}
BY = ("assignment_group", "priority", "service", "category", "channel", "source")


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> query.Warehouse:
    return query.open_data(sample)


def value(warehouse: query.Warehouse, name: str, scope: Scope) -> float:
    found = query.values(warehouse, [name], scope)["value"].item()
    assert isinstance(found, float)
    return found


def sentence(bridge: Bridge) -> str:
    """What the page says of a change."""
    kind = KINDS.get(bridge.kpi.unit, "number")
    steps = reasons.steps(bridge, kind)
    say = reasons.saying(bridge, steps, kind)
    return (say(bridge.change) + reasons.said(steps, bridge, say)).replace(words.GAP, " ")


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(reasons).failed == 0


@pytest.mark.parametrize("name", [one.name for one in catalog.kpis()])
def test_the_parts_of_every_kpi_add_up_to_its_change_along_every_dimension(
    warehouse: query.Warehouse, name: str
) -> None:
    found = why.bridges(warehouse, name, SCOPE, BY)
    if not why.can_be_split(query.kpi(warehouse, name)) or name == "mttd":
        # A median of a stock is no sum; nothing in the sample says when an impact began.
        assert found == {}
        return
    scope = SCOPE
    compared = found["priority"].comparison
    # What is not ripe is compared to date.
    now, before = (
        scope.within(compared.since, compared.until),
        scope.within(compared.before_since, compared.before_until),
    )
    change = value(warehouse, name, now) - value(warehouse, name, before)
    assert {by: bridge.parts["part"].sum() for by, bridge in found.items()} == pytest.approx(dict.fromkeys(BY, change))


def test_the_parts_of_a_mean_are_those_of_a_hand_made_query(warehouse: query.Warehouse) -> None:
    rows = (
        warehouse.connection.cursor()
        .execute(
            "select assignment_group, resolved_on >= '2025-10-06', count(*), sum(seconds_to_resolve)::bigint from incidents"
            " where resolved_on between '2025-07-14' and '2025-12-28' and seconds_to_resolve is not null"
            " and excluded_as is null and not resolved_with_parent group by all"
        )
        .fetchall()
    )
    n = {(group, now): count for group, now, count, _ in rows}
    mean = {(group, now): Fraction(seconds, 3600 * count) for group, now, count, seconds in rows}
    totals = {now: sum(count for (_, of), count in n.items() if of == now) for now in (False, True)}
    middle = sum(mean[key] * n[key] / totals[key[1]] for key in n) / 2
    wanted = {}
    for group in {group for group, _ in n}:
        w0, w1 = (Fraction(n[group, now], totals[now]) for now in (False, True))
        m0, m1 = mean[group, False], mean[group, True]
        wanted[group] = (float((w0 + w1) / 2 * (m1 - m0)), float((w1 - w0) * ((m0 + m1) / 2 - middle)))
    parts = why.bridges(warehouse, "mttr", SCOPE, ("assignment_group",))["assignment_group"].parts
    ours = {row["member"]: (row["rate"], row["mix"]) for row in parts.iter_rows(named=True)}
    assert ours.keys() == wanted.keys()
    assert None in ours
    for group, pair in wanted.items():
        assert ours[group] == pytest.approx(pair, abs=1e-12)


@pytest.mark.parametrize("name", ["mttr", "mtta", "mttr_active", "reassignments_mean", "time_to_assign"])
@pytest.mark.parametrize("by", ["priority", "source"])
def test_what_every_incident_adds_adds_up_to_the_change_and_five_weigh_most(
    warehouse: query.Warehouse, name: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = why.bridges(warehouse, name, SCOPE, (by,))[by]
    n = int(bridge.parts["n_now" if bridge.change >= 0 else "n_before"].sum())
    told = (warehouse, name, SCOPE, bridge.comparison, bridge.before, bridge.now, n)
    five = why.heaviest(*told)
    monkeypatch.setattr(why, "MOST_HEAVY", 1_000_000)
    every = why.heaviest(*told)
    assert every.rows.height == n
    assert every.part == pytest.approx(bridge.change)
    assert five.rows["part"].to_list() == every.rows["part"].to_list()[:5]
    assert every.rows["part"].is_sorted(descending=five.is_of_now)


def test_those_whose_own_value_got_worse_are_ranked_by_how_much(warehouse: query.Warehouse) -> None:
    bridge = why.bridges(warehouse, "mttr", SCOPE, ("assignment_group",))["assignment_group"]
    now = dict(
        query.values(warehouse, ["mttr"], SCOPE, by=["assignment_group"])
        .select("assignment_group", "value")
        .iter_rows()
    )
    before = dict(
        query.values(warehouse, ["mttr"], BEFORE, by=["assignment_group"])
        .select("assignment_group", "value")
        .iter_rows()
    )
    wanted = sorted(
        (group for group in now if now[group] > before[group]), key=lambda group: before[group] - now[group]
    )
    assert [one.member for one in why.movers(bridge)] == wanted[:5]
    rate = why.bridges(warehouse, "fcr_rate", SCOPE, ("priority",))["priority"]
    assert all(one.change < 0 for one in why.movers(rate))


def test_filters_hold_in_the_parts(warehouse: query.Warehouse) -> None:
    scope = Scope(SCOPE.since, SCOPE.until, (("priority", ("1", "2")),))
    bridge = why.bridges(warehouse, "incident_volume", scope, ("priority",))["priority"]
    assert set(bridge.parts["member"]) == {"1", "2"}
    assert bridge.now == value(warehouse, "incident_volume", scope)


def test_where_nothing_is_comparable_nothing_is_split(warehouse: query.Warehouse) -> None:
    assert why.bridges(warehouse, "mttr", Scope(date(2024, 1, 8), date(2024, 2, 4)), BY) == {}


def test_a_quantile_tells_the_smallest_of_many_members_together(
    warehouse: query.Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why, "MOST_PARTS", 4)
    bridge = why.bridges(warehouse, "mttr_p90", SCOPE, ("assignment_group",))["assignment_group"]
    assert (bridge.parts.height, why.OTHERS in bridge.parts["member"]) == (4, True)
    assert bridge.parts["part"].sum() == pytest.approx(bridge.change)
    assert bridge.parts["n_now"].sum() == query.values(warehouse, ["mttr_p90"], SCOPE)["n"].item()


FIRST = date(2025, 12, 29)


def desk(data: Path, before: list[tuple[int, str, int]], now: list[tuple[int, str, int]]) -> query.Warehouse:
    """Load a desk of ten weeks, which changes after five: each day's incidents as priority, group and hours."""
    header = "Number,State,Priority,Assignment group,Opened,Resolved,Reopen count,Reassignment count"
    lines = []
    for at in range(70):
        day = FIRST + timedelta(days=at)
        for priority, group, hours in now if at >= 35 else before:
            stamps = f"{day} 00:00:00,{day} {hours:02d}:00:00"
            lines.append(f"INC{len(lines):07d},Resolved,{priority} - X,{group},{stamps},0,0")
    file = data / "desk.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    refresh.load(data, Source("desk", "servicenow", Options("desk", timezone="UTC")), [file])
    return query.open_data(data)


WEEKS = Scope(date(2026, 2, 2), date(2026, 3, 1))


def test_a_slower_group_and_more_of_a_slow_priority_are_said_as_such(tmp_path: Path) -> None:
    # Network goes from 4 to 12 h, and another P3 of 10 h comes in every day: a mean of 5.5 h becomes one of 8.
    both = [(2, "Desk", 4), (2, "Desk", 4), (3, "Desk", 10)]
    warehouse = desk(tmp_path, [(2, "Network", 4), *both], [(2, "Network", 12), *both, (3, "Desk", 10)])
    found = why.bridges(warehouse, "mttr", WEEKS, ("assignment_group", "priority"))
    assert {by: sentence(bridge) for by, bridge in found.items()} == {
        "assignment_group": "+2.5 h: +1.8 h because Network's own times rose, +0.8 h because Desk's own times rose, "
        f"{words.MINUS}0.1 h from the 2 other parts",
        "priority": "+2.5 h: 1.8 h because P2's own times rose, 0.5 h because more of the volume was P3, "
        "0.2 h because less of the volume was P2",
    }
    # As many incidents of other lengths: a median and a P90 move with the same causes.
    assert {
        name: sentence(why.bridges(warehouse, name, WEEKS, ("priority",))["priority"])
        for name in ("mttr_median", "mttr_p90", "incident_volume")
    } == {
        "mttr_median": "+6.0 h: 4.5 h because P2's own times rose, 0.7 h because less of the volume was P2, "
        "0.7 h because more of the volume was P3",
        "mttr_p90": "+2.0 h: 2.0 h because P2's own times rose",
        "incident_volume": "+28: 28 because there were more P3",
    }


def test_a_longer_month_has_more_days(tmp_path: Path) -> None:
    rows = [(3, "Desk", 4), (3, "", 4)]
    warehouse = desk(tmp_path, rows, [*rows, (2, "Desk", 4)])
    february = Scope(date(2026, 2, 1), date(2026, 2, 28))
    found = why.bridges(warehouse, "incident_volume", february, ("assignment_group", "priority"))
    assert {by: sentence(bridge) for by, bridge in found.items()} == {
        "assignment_group": f"+21: {words.MINUS}7 because the period had fewer days, weekday for weekday, "
        "+28 because Desk had more",
        "priority": f"+21: {words.MINUS}7 because the period had fewer days, weekday for weekday, "
        "+28 because there were more P2",
    }


def test_a_member_is_judged_as_it_is_alone_and_so_much_the_harder_as_many_are_looked_at(
    warehouse: query.Warehouse,
) -> None:
    found = why.one_by_one(warehouse, "hold_share", SCOPE, "priority")
    assert found is not None
    assert (found.looked_at, [one.member for one in found.changed]) == (6, ["5"])
    (changed,) = found.changed
    alone = query.changes(warehouse, ["hold_share"], Scope(SCOPE.since, SCOPE.until, (("priority", ("5",)),)))
    change = alone["hold_share"]
    assert change.interval == pytest.approx((changed.low, changed.high))
    p = [
        difference[2]
        for level in ("1", "2", "3", "4", "5", None)
        for one in [
            query.changes(warehouse, ["hold_share"], Scope(SCOPE.since, SCOPE.until, (("priority", (level,)),)))
        ]
        if (difference := evidence.difference(one["hold_share"].kpi, one["hold_share"].now, one["hold_share"].before))
    ]
    assert changed.p == pytest.approx(stats.false_discovery_control(p).min())
    said = reasons.one_by_one(found, "priority", "share").replace(words.GAP, " ")
    assert (
        said
        == f"Of 6 priorities looked at one by one, P5 ({words.MINUS}38.1 to {words.MINUS}7.2 points) changed beyond chance."
    )


def test_of_members_that_did_not_change_it_is_said_how_many_were_looked_at(warehouse: query.Warehouse) -> None:
    found = why.one_by_one(warehouse, "mttr_median", SCOPE, "assignment_group")
    assert reasons.one_by_one(found, "assignment_group", "hours") == (
        "None of 8 assignment groups looked at one by one changed beyond chance."
    )
    assert why.one_by_one(warehouse, "backlog", SCOPE, "priority") is None
