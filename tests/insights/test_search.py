"""The search for the slices that moved a number: what it asks, what it is measured against, what it finds."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from dashboard.insights import search
from tests.insights import simulate
from tests.insights.simulate import PLANTED
from tests.insights.worlds import Change

FEW = range(6)
"""A part of the fixed seeds; `python -m tests.insights.simulate` runs all."""
FIRST = date(2025, 1, 6)


@pytest.mark.parametrize("change", PLANTED, ids=lambda change: f"{change.measure} {change.kind} {change.members}")
def test_a_planted_change_comes_first(change: Change) -> None:
    assert simulate.firsts(FEW, change) >= 5


def test_where_nothing_is_planted_hardly_anything_is_found() -> None:
    assert sum(simulate.false_alarms(FEW, measure) for measure in simulate.MEASURES) <= 2


def test_the_full_run_is_recorded_and_within_its_bounds() -> None:
    text = (simulate.RESULTS).read_text(encoding="utf-8")
    cells = [line.strip("|").split("|")[-1].strip() for line in text.splitlines() if line.startswith("| ")]
    counts = [int(cell) for cell in cells if cell.isdigit()]
    firsts, alarms = counts[: len(PLANTED)], counts[len(PLANTED) : len(PLANTED) + len(simulate.MEASURES)]
    assert (len(firsts), len(alarms)) == (len(PLANTED), len(simulate.MEASURES))
    assert min(firsts) >= simulate.LEAST_FIRST
    assert max(alarms) <= simulate.MOST_FALSE


def desk(factor: float = 1.0, seed: int = 3, size: int = 4000) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Four and four weeks of two teams and three kinds, one of them null; the smaller team, b, takes longer by a factor now."""
    rng = np.random.default_rng(seed)
    day, team = rng.integers(0, 56, size), (rng.integers(0, 4, size) == 0).astype(int)
    slower = np.where((day >= 28) & (team == 1), factor, 1.0)
    rows = pl.DataFrame(
        {
            "day": [FIRST + timedelta(days=int(at)) for at in day],
            "team": [("a", "b")[at] for at in team],
            "kind": [("x", "y", None)[at] for at in rng.integers(0, 3, size)],
            "weight": 1.0,
            "amount": rng.lognormal(1, 1, size) * slower,
        }
    )
    days = pl.DataFrame(
        {"day": [FIRST + timedelta(days=at) for at in range(56)], "is_now": [at >= 28 for at in range(56)]}
    )
    return rows, days


def unusual(rows: pl.DataFrame, team: str | None) -> list[float]:
    """What is unusual in a slice on each day: how much its sum is above that of as many of its mean."""
    there = [row for row in rows.iter_rows(named=True) if team is None or row["team"] == team]
    mean = sum(row["amount"] for row in there) / len(there)
    found: dict[date, float] = defaultdict(float)
    for row in there:
        found[row["day"]] += row["amount"] - mean
    return [found[FIRST + timedelta(days=at)] for at in range(56)]


def standardised(values: list[float], now: Sequence[int]) -> float:
    """The sum over the days of now, by what dealing out four of the eight days of each weekday does to it."""
    total = variance = 0.0
    for weekday in range(7):
        alike = values[weekday::7]
        middle = sum(alike) / 8
        total -= 4 * middle
        variance += 4 * 4 / 8 * sum((value - middle) ** 2 for value in alike) / 7
    return (total + sum(values[at] for at in now)) / math.sqrt(variance)


def test_a_statistic_and_its_p_are_those_of_whole_days_dealt_out_within_weekdays_one_by_one() -> None:
    rows, days = desk(1.5)
    found = search.ranked(rows, days, ()).findings.row(0, named=True)
    values = unusual(rows, None)
    observed = standardised(values, range(28, 56))
    assert (found["by_1"], found["kind"], found["statistic"]) == (None, "rate", pytest.approx(observed))
    rng = random.Random(5)
    dealt = [
        standardised(values, [at for weekday in range(7) for at in rng.sample(range(weekday, 56, 7), 4)])
        for _ in range(4000)
    ]
    p = sum(abs(one) >= abs(observed) for one in dealt) / len(dealt)
    assert 0.002 < p < 0.05
    assert found["p"] == pytest.approx(p, abs=0.01)


def test_a_slice_is_asked_about_itself_and_measured_against_the_best_of_all() -> None:
    rows, days = desk(1.8)
    alone = search.ranked(rows, days, ("team",)).findings.row(0, named=True)
    among = search.ranked(rows, days, ("team", "kind")).findings.row(0, named=True)
    for found in (alone, among):
        assert (found["by_1"], found["member_1"], found["by_2"], found["kind"]) == ("team", "b", None, "rate")
        assert found["statistic"] == pytest.approx(standardised(unusual(rows, "b"), range(28, 56)))
    assert among["p"] >= alone["p"]
    # What it adds is its part of the bridge between it and the rest.
    own = {now: rows.filter((pl.col("day") >= FIRST + timedelta(days=28)) == now) for now in (False, True)}
    share = {now: (own[now]["team"] == "b").mean() for now in own}
    mean = {now: own[now].filter(team="b")["amount"].mean() for now in own}
    assert alone["contribution"] == pytest.approx((share[False] + share[True]) / 2 * (mean[True] - mean[False]))


def test_the_order_of_rows_does_not_matter_and_a_search_is_the_same_each_time() -> None:
    rows, days = desk(1.8)
    first = search.ranked(rows, days, ("team", "kind"))
    again = search.ranked(rows.sample(fraction=1.0, shuffle=True, seed=1), days.reverse(), ("kind", "team"))
    told = ["kind", "contribution", "value_before", "value_now", "p"]
    assert first.findings.select(told).to_dict(as_series=False) == {
        name: pytest.approx(values) if name not in ("kind", "p") else values
        for name, values in again.findings.select(told).to_dict(as_series=False).items()
    }
    assert first.looked_at == again.looked_at


def test_those_without_a_member_are_a_slice() -> None:
    rows, days = desk()
    is_longer = pl.col("kind").is_null() & (pl.col("day") >= FIRST + timedelta(days=28))
    longer = rows.with_columns(pl.when(is_longer).then(pl.col("amount") * 2).otherwise("amount").alias("amount"))
    found = search.ranked(longer, days, ("team", "kind")).findings.row(0, named=True)
    assert (found["by_1"], found["member_1"], found["by_2"]) == ("kind", None, None)


def test_every_slice_and_pair_is_asked_and_counted() -> None:
    rows, days = desk()
    # Everything; two teams; three kinds; six pairs: each for its own values and, but for everything, its share.
    assert search.ranked(rows, days, ("team", "kind")).looked_at == 12 + 11
    assert search.ranked(rows, days, ("team", "kind"), is_count=True).looked_at == 12


def test_a_count_over_fewer_days_of_the_same_volume_finds_nothing() -> None:
    rows, days = desk()
    kept = pl.col("day") >= FIRST + timedelta(days=10)
    assert search.ranked(rows.filter(kept), days.filter(kept), ("team", "kind"), is_count=True).findings.is_empty()


def test_too_few_days_tell_nothing_from_chance() -> None:
    rows, days = desk(3.0)
    kept = pl.col("day") < FIRST + timedelta(days=28 + search.LEAST_DAYS - 1)
    found = search.ranked(rows.filter(kept), days.filter(kept), ("team",))
    assert (found.findings.height, found.looked_at) == (0, 0)


def test_progress_goes_up_to_the_end() -> None:
    rows, days = desk(1.8)
    told: list[float] = []
    search.ranked(rows, days, ("team", "kind"), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
