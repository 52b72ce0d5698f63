"""Known changes on the trends, and what is judged to be out of the ordinary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dashboard import control, judging, query, words
from dashboard.charts import timeline, trends
from dashboard.charts.palette import LIGHT
from dashboard.charts.scales import Unit
from dashboard.charts.timeline import Note, Point, Series
from dashboard.control import KnownChange
from dashboard.insights.signals import Baseline
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
    assert timeline.within(notes, points) == [Note(*NETWORK)]
    spec = trends.trend([Series("mean", points)], Unit("hours", "time"), LIGHT, notes=notes).to_dict()
    rows = [row for layer in spec["layer"] for row in layer.get("data", {}).get("values", [])]
    # 1 July 2025 in milliseconds since 1970.
    assert {(row["at"], row["text"]) for row in rows if "text" in row} == {(1751328000000, "Reorganisation of Network")}
    assert [row["Note"] for row in rows if "Note" in row] == [
        "",
        "",
        "1\N{NO-BREAK SPACE}Jul\N{NO-BREAK SPACE}2025: Reorganisation of Network",
        "",
    ]


TWELVE_WEEKS = Scope(date(2025, 10, 6), date(2025, 12, 28))
ROWS = """
select
    i.resolved_on,
    i.opened_on,
    i.seconds_to_resolve,
    i.sla_met,
    i.excluded_as,
    i.resolved_with_parent
from incidents as i
"""


def by_week(frame: pl.DataFrame, day: str) -> pl.DataFrame:
    return frame.with_columns(since=pl.col(day).dt.truncate("1w"))


def test_a_history_has_the_moments_of_its_incidents(warehouse: Warehouse) -> None:
    rows = warehouse.frame(ROWS).filter(pl.col("excluded_as").is_null())
    mine = rows.filter(
        ~pl.col("resolved_with_parent").fill_null(value=False), pl.col("seconds_to_resolve").is_not_null()
    )
    logs = by_week(mine, "resolved_on").with_columns(log=(1 + pl.col("seconds_to_resolve") / 60).log())
    expected = logs.group_by("since").agg(n=pl.len(), mean=pl.col("log").mean()).sort("since")
    found = control.watched(warehouse, ["mttr", "sla_met_rate", "incident_volume"], TWELVE_WEEKS, "week")
    shown = found["mttr"].chart.frame.join(expected, on="since").filter("in_baseline")
    assert shown.height == 52
    assert np.allclose(shown["value"], np.expm1(shown["mean"]) / 60, rtol=1e-4)
    # The limits of one week, by hand: pooled within weeks, times how much more weeks differ.
    base = logs.join(shown.select("since"), on="since")
    per = base.group_by("since").agg(n=pl.len(), mean=pl.col("log").mean(), s=pl.col("log").std()).sort("since")
    n, mean, s = (per[name].to_numpy() for name in ("n", "mean", "s"))
    within = np.sqrt(((n - 1) * s**2).sum() / (n - 1).sum())
    centre = (n * mean).sum() / n.sum()
    z = (mean - centre) * np.sqrt(n) / within
    wider = max(1.0, np.abs(np.diff(z)).mean() / 1.128)
    last = found["mttr"].chart.frame.row(-1, named=True)
    tested = expected.filter(pl.col("since") == last["since"])["n"][0]
    assert last["since"] == date(2025, 12, 22)
    limits = [centre + side * 3 * wider * within / np.sqrt(tested) for side in (-1, 0, 1)]
    assert [last["low"], last["centre"], last["high"]] == pytest.approx(np.expm1(limits) / 60, rel=1e-3)
    # Shares and counts are those of the query layer.
    for name in ("sla_met_rate", "incident_volume"):
        values = query.values(warehouse, [name], TWELVE_WEEKS, grain="week", limits=False)["value"].to_list()
        drawn = found[name].chart.frame["value"].tail(12) * (7 if name == "incident_volume" else 1)
        assert drawn.to_list() == pytest.approx(values)


def test_a_baseline_comes_before_what_is_looked_at_and_after_a_change_that_splits_it(warehouse: Warehouse) -> None:
    def found(scope: Scope, name: str = "mttr", grain: str = "week") -> Baseline:
        changes = control.known_changes(warehouse, scope)
        return control.watched(warehouse, [name], scope, grain, changes)[name].chart.baseline

    whole = found(TWELVE_WEEKS)
    assert whole[:3] == (date(2024, 10, 7), date(2025, 9, 29), 52)
    # Of Network only what came after its reorganisation counts: too little before the twelve weeks, so they help out.
    network = Scope(TWELVE_WEEKS.since, TWELVE_WEEKS.until, (("assignment_group", ("Network",)),))
    assert found(network)[:3] == (date(2025, 7, 7), date(2025, 12, 15), 24)


def test_every_kpi_of_incidents_and_days_is_watched_but_quotients_of_sums(warehouse: Warehouse) -> None:
    names = list(warehouse.kpis)
    assert set(names) - set(control.watched(warehouse, names, TWELVE_WEEKS, "week")) == {"hold_share"}


def test_too_few_periods_are_told_without_asking(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    frame = Warehouse.frame
    monkeypatch.setattr(Warehouse, "frame", lambda *a: asked.append(a[1]) or frame(*a))
    found = control.watched(warehouse, ["mttr"], Scope(date(2025, 1, 1), date(2025, 12, 31)), "month")["mttr"]
    assert asked == []
    assert judging.verdict(found) == "no verdict yet: 16 of the 20 months that it takes"


def test_an_unknown_grain_is_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(query.QueryError, match="grain 'fortnight' is not one of day, week, month, quarter, year"):
        control.watched(warehouse, ["mttr"], TWELVE_WEEKS, "fortnight")


def test_the_verdict_is_said_in_words_with_its_reason(warehouse: Warehouse) -> None:
    found = control.watched(warehouse, ["mttr", "incident_volume", "backlog", "sla_met_rate"], TWELVE_WEEKS, "week")

    def said(name: str) -> str:
        return judging.verdict(found[name]).replace(words.GAP, " ")

    assert said("mttr") == "within normal variation: week of 22 Dec inside its limits"
    assert said("incident_volume") == "signal: week of 22 Dec below its limits"
    assert said("sla_met_rate") == "signal: 15 weeks in a row below the centre line"
    assert said("backlog") == "no verdict: each week is much like the one before"
    assert judging.verdict(None) == "no verdict: a quotient of two sums has no limits"
    assert judging.stated(found["mttr"]).replace(words.GAP, " ") == "Baseline: 52 weeks, 7 Oct 2024 to 5 Oct 2025"
    why = judging.why(found["mttr"], Unit("hours", "time")).replace(words.GAP, " ")
    assert why.startswith("week of 22 Dec 2025: geometric mean ")
    assert why.endswith(
        "By mistake the rules signal in 0.7 % of weeks, in 2.8 % where a week resembles the one before (simulated)."
    )


def test_a_split_is_named_where_the_baseline_is_stated(warehouse: Warehouse) -> None:
    network = Scope(TWELVE_WEEKS.since, TWELVE_WEEKS.until, (("assignment_group", ("Network",)),))
    found = control.watched(warehouse, ["mttr"], network, "week", control.known_changes(warehouse, network))["mttr"]
    said = "Baseline: 24 weeks, 7 Jul to 21 Dec 2025, since “Reorganisation of Network” on 1 Jul 2025"
    assert judging.stated(found).replace(words.GAP, " ") == said


def test_a_part_that_no_incident_has_is_named_with_the_nearest(warehouse: Warehouse) -> None:
    assert control.strangers(warehouse, "assignment_group", ["Network", "Netwrok", "?"]) == {
        "Netwrok": "Network",
        "?": None,
    }
    assert control.strangers(warehouse, "priority", ["1", "9"]) == {"9": None}
