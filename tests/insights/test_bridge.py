"""The parts of a change: that they add up exactly, and that they are the numbers of an independent computation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.insights import bridge

MEMBERS = st.lists(
    st.tuples(st.integers(0, 900), st.integers(0, 10**7), st.integers(0, 900), st.integers(0, 10**7)),
    min_size=1,
    max_size=9,
).filter(lambda rows: sum(row[0] for row in rows) > 0 and sum(row[2] for row in rows) > 0)


def members(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    """Lay out n and sum of both periods; the first member is null."""
    return pl.DataFrame(
        {
            "member": [None if at == 0 else f"m{at}" for at in range(len(rows))],
            "weight_before": [row[0] for row in rows],
            "value_before": [row[1] / row[0] if row[0] else None for row in rows],
            "weight_now": [row[2] for row in rows],
            "value_now": [row[3] / row[2] if row[2] else None for row in rows],
        },
        schema_overrides={"member": pl.String, "value_before": pl.Float64, "value_now": pl.Float64},
    )


def kitagawa(rows: list[tuple[int, int, int, int]]) -> list[tuple[Fraction, Fraction]]:
    """Rate and mix of each member in whole fractions, from the definition in words."""
    n0, n1 = (Fraction(sum(row[at] for row in rows)) for at in (0, 2))
    mean = (sum(row[1] if row[0] else 0 for row in rows) / n0 + sum(row[3] if row[2] else 0 for row in rows) / n1) / 2
    found = []
    for before, sum_before, now, sum_now in rows:
        m0 = Fraction(sum_before, before) if before else Fraction(sum_now, now) if now else Fraction(0)
        m1 = Fraction(sum_now, now) if now else m0
        w0, w1 = before / n0, now / n1
        found.append(((w0 + w1) / 2 * (m1 - m0), (w1 - w0) * ((m0 + m1) / 2 - mean)))
    return found


@settings(max_examples=150, deadline=None)
@given(MEMBERS)
def test_the_parts_of_a_mean_are_those_of_exact_fractions_and_add_up(rows: list[tuple[int, int, int, int]]) -> None:
    parts = bridge.means(members(rows))
    wanted = [pair for pair, row in zip(kitagawa(rows), rows, strict=True) if row[0] + row[2]]
    scale = max(1.0, *(abs(float(part)) for pair in wanted for part in pair))
    assert parts["rate"].to_list() == pytest.approx([float(rate) for rate, _ in wanted], abs=1e-12 * scale)
    assert parts["mix"].to_list() == pytest.approx([float(mix) for _, mix in wanted], abs=1e-12 * scale)
    n0, n1 = (sum(row[at] for row in rows) for at in (0, 2))
    change = Fraction(sum(row[3] for row in rows if row[2]), n1) - Fraction(sum(row[1] for row in rows if row[0]), n0)
    assert sum(rate + mix for rate, mix in wanted) == change
    assert parts["rate"].sum() + parts["mix"].sum() == pytest.approx(float(change), abs=1e-11 * scale)


def test_a_slower_team_and_more_of_a_slow_priority_are_told_apart() -> None:
    # Half of the volume slows down from 10 to 14 h; a fifth of it moves from a member of 10 h to one of 30 h.
    slower = bridge.means(members([(50, 500, 50, 700), (50, 500, 50, 500)]))
    assert [slower["rate"].to_list(), slower["mix"].to_list()] == [[2.0, 0.0], [0.0, 0.0]]
    moved = bridge.means(members([(80, 800, 60, 600), (20, 600, 40, 1200)]))
    assert moved["rate"].to_list() == [0.0, 0.0]
    assert moved["mix"].to_list() == pytest.approx([1.2, 2.8])


def test_a_member_that_is_absent_in_one_period_has_no_rate() -> None:
    parts = bridge.means(members([(50, 500, 0, 0), (50, 1000, 60, 1200), (0, 0, 40, 1600)]))
    assert parts["rate"].to_list() == [0.0, 0.0, 0.0]
    assert parts["mix"].sum() == pytest.approx(28 - 15)


def days(rows: list[tuple[int, int, int, int, int]]) -> pl.DataFrame:
    names = ["weekday", "days_before", "days_now", "count_before", "count_now"]
    return pl.DataFrame(rows, schema=names, orient="row")


def counted(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["member", "value_before", "value_now"], orient="row")


def test_a_longer_month_is_told_first() -> None:
    # 28 days of 10 each, and then 31 of 10 each: nothing but the calendar.
    by_weekday = days([(day, 4, 5 if day <= 3 else 4, 40, 50 if day <= 3 else 40) for day in range(1, 8)])
    parts = bridge.counts(counted([("a", 112, 124), ("b", 168, 186)]), by_weekday)
    assert parts["calendar"].to_list() == pytest.approx([12.0, 18.0])
    assert parts["rate"].to_list() == pytest.approx([0.0, 0.0])


def test_an_additional_sunday_is_less_than_an_additional_monday() -> None:
    quiet = [(day, 4, 4, 80, 80) for day in range(1, 7)]
    parts = bridge.counts(counted([("a", 488, 490)]), days([*quiet, (7, 4, 5, 8, 10)]))
    assert parts["calendar"].to_list() == pytest.approx([2.0])
    assert parts["rate"].to_list() == pytest.approx([0.0])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 400), st.integers(0, 400)),
        min_size=7,
        max_size=7,
    ),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_the_parts_of_a_count_add_up(weekdays: list[tuple[int, int, int, int]], cuts: list[float]) -> None:
    rows = [
        (at + 1, before, now, in_before if before else 0, in_now if now else 0)
        for at, (before, now, in_before, in_now) in enumerate(weekdays)
    ]
    before, now = sum(row[3] for row in rows), sum(row[4] for row in rows)
    first = [int(before * cut) // len(cuts) for cut in cuts]
    second = [int(now * cut) // len(cuts) for cut in reversed(cuts)]
    table = [(f"m{at}", one, two) for at, (one, two) in enumerate(zip(first, second, strict=True))]
    parts = bridge.counts(counted([*table, ("rest", before - sum(first), now - sum(second))]), days(rows))
    assert parts["calendar"].sum() + parts["rate"].sum() == pytest.approx(now - before, abs=1e-9)


def test_the_same_weekdays_have_no_calendar() -> None:
    parts = bridge.counts(counted([("a", 100, 140)]), days([(day, 12, 12, 14, 20) for day in range(1, 8)]))
    assert [parts["calendar"].item(), parts["rate"].item()] == pytest.approx([0.0, 40.0])


def values(seed: int, size: int = 60, names: int = 4) -> pl.DataFrame:
    """Durations of a few members with many ties; the last member has none before."""
    rng = np.random.default_rng(seed)
    is_now = rng.random(size) < 0.5
    member = rng.integers(0, names, size)
    member[~is_now & (member == names - 1)] = 0
    value = np.round(np.exp(rng.normal(1.5, 1.0, size)) * (1 + 0.5 * is_now * (member == 1)), 0)
    return pl.DataFrame({"member": member, "is_now": is_now, "value": value}).with_columns(
        pl.when(pl.col("member") == 0).then(None).otherwise(pl.format("m{}", "member")).alias("member")
    )


def of_mixture(points: list[tuple[float, Fraction]], quantile: Fraction) -> Fraction:
    """A quantile of weighted points, read off the line through them; in whole fractions and one point at a time."""
    points = sorted((Fraction(value), weight) for value, weight in points if weight)
    # Tied points weigh alike.
    tied = [(value, list(group)) for value, group in itertools.groupby(points, key=lambda point: point[0])]
    points = [(value, sum(weight for _, weight in group) / len(group)) for value, group in tied for _ in group]
    target = quantile * (sum(weight for _, weight in points) - points[-1][1])
    passed = Fraction(0)
    for (value, weight), (following, _) in itertools.pairwise(points):
        if passed + weight >= target:
            return value + (target - passed) / weight * (following - value)
        passed += weight
    return Fraction(points[-1][0])


def by_definition(frame: pl.DataFrame, quantile: Fraction) -> tuple[list[float], list[float]]:
    """Rate and mix of each member from every order in which the members can join: slow, and nothing is shared with ours."""
    names = sorted(frame["member"].unique(), key=lambda name: (name is None, str(name)))
    held = {
        (name, now): frame.filter(pl.col("member").eq_missing(name) & (pl.col("is_now") == now))["value"].to_list()
        for name in names
        for now in (False, True)
    }
    totals = {now: sum(len(held[name, now]) for name in names) for now in (False, True)}

    def at(new_shares: set[int], new_values: set[int]) -> Fraction:
        points = []
        for place, name in enumerate(names):
            share = Fraction(len(held[name, place in new_shares]), totals[place in new_shares])
            own = held[name, place in new_values] or held[name, place not in new_values]
            points += [(value, share / len(own)) for value in own]
        return of_mixture(points, quantile)

    everyone = set(range(len(names)))
    rate, mix = [Fraction(0)] * len(names), [Fraction(0)] * len(names)
    for order in itertools.permutations(range(len(names))):
        for state in (set(), everyone):
            for place, player in enumerate(order):
                had, has = set(order[:place]), set(order[: place + 1])
                rate[player] += at(state, has) - at(state, had)
                mix[player] += at(has, state) - at(had, state)
    orders = 2 * math.factorial(len(names))
    return [float(one / orders) for one in rate], [float(one / orders) for one in mix]


@pytest.mark.parametrize("quantile", [Fraction(1, 2), Fraction(9, 10)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_parts_of_a_quantile_are_those_of_every_order_in_whole_fractions(seed: int, quantile: Fraction) -> None:
    frame = values(seed)
    parts = bridge.quantiles(frame, float(quantile))
    rate, mix = by_definition(frame, quantile)
    assert parts["rate"].to_list() == pytest.approx(rate, abs=1e-9)
    assert parts["mix"].to_list() == pytest.approx(mix, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.9]), st.integers(2, 11))
def test_the_parts_of_a_quantile_add_up_to_what_duckdb_says(seed: int, quantile: float, names: int) -> None:
    frame = values(seed, 80, names)
    parts = bridge.quantiles(frame, quantile, orders=3)
    ends = dict(duckdb.sql(f"select is_now, quantile_cont(value, {quantile}) from frame group by is_now").fetchall())
    assert parts["rate"].sum() + parts["mix"].sum() == pytest.approx(ends[True] - ends[False], abs=1e-9)


def test_a_member_of_a_quantile_that_is_absent_in_one_period_has_no_rate_and_null_is_a_part() -> None:
    parts = bridge.quantiles(values(5), 0.5)
    assert parts["member"].to_list() == ["m1", "m2", "m3", None]
    assert parts.filter(pl.col("member") == "m3").select("weight_before", "rate").row(0) == (0, 0.0)


def test_random_orders_come_close_to_all_orders_and_are_the_same_each_time() -> None:
    frame = values(7, 400, 8)
    exact = bridge.quantiles(frame, 0.9)
    bridge_exact, bridge.EXACT = bridge.EXACT, 2
    try:
        drawn, again = (bridge.quantiles(frame, 0.9, orders=300) for _ in range(2))
    finally:
        bridge.EXACT = bridge_exact
    assert drawn.equals(again)
    scale = exact["rate"].abs().max()
    assert drawn["rate"].to_list() == pytest.approx(exact["rate"].to_list(), abs=0.1 * scale)
    assert drawn["mix"].sum() == pytest.approx(exact["mix"].sum(), abs=1e-9)


def test_a_period_without_values_has_no_quantile_to_split() -> None:
    with pytest.raises(ValueError, match="only if both periods have values"):
        bridge.quantiles(values(1).filter(pl.col("is_now")), 0.5)
