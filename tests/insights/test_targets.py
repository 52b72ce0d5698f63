"""Targets: the verdict of the tile alarms as rarely as it says, and sees what it says it can, on made-up desks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.insights import intervals, targets

WORLDS = 160
"""Each with a year before and a month, so that a share of 0.05 is known to 0.017 and one of 0.8 to 0.032."""


class Desk(NamedTuple):
    """A desk: incidents a day, how far hours lie apart, and how far days lie apart from each other."""

    statistic: str
    sigma: float = 0.0
    share: float = 0.0
    a_day: float = 40.0
    between_days: float = 0.25

    @property
    def unit(self) -> str:
        """Hours or shares."""
        return "share" if self.share else "hours"

    def rows(self, rng: np.random.Generator, days: int, typical: float) -> pl.DataFrame:
        """Draw incidents whose typical time is given, or a share of which is so."""
        day = np.repeat(np.arange(days), rng.poisson(self.a_day * rng.lognormal(0, 0.15, days)))
        shift = rng.normal(0, self.between_days, days)[day]
        if self.share:
            # Shares of days lie around the whole's.
            of_day = np.clip(typical + shift * typical * (1 - typical), 0.001, 0.999)
            value = (rng.random(len(day)) < of_day).astype(np.float64)
        else:
            value = typical * np.exp(shift + self.sigma * rng.normal(size=len(day)))
        return pl.DataFrame({"day": day, "value": value, "weight": 1.0})

    def truth(self, typical: float) -> float:
        """The KPI of infinitely many."""
        spread = math.hypot(self.sigma, self.between_days)
        if self.share:
            return typical
        if self.statistic == "mean":
            return typical * math.exp(spread**2 / 2)
        return typical * math.exp({"0.5": 0.0, "0.9": 1.2815515594}[self.statistic.split()[1]] * spread)


DESKS = [
    Desk("mean", sigma=1.0),
    Desk("mean", sigma=1.8),
    Desk("mean", sigma=1.3, a_day=8),
    Desk("quantile 0.5", sigma=1.3),
    Desk("quantile 0.9", sigma=1.3),
    Desk("rate", share=0.5),
    Desk("rate", share=0.9),
]


class Sides(NamedTuple):
    """How often a verdict said above, and below."""

    above: float
    below: float


def judged(desk: Desk, move: str, seed: int) -> Sides:
    """Judge a month of each world: just at the target, or as far off as a month is said to tell."""
    rng = np.random.default_rng(seed)
    typical = desk.share or 5.0
    sides = []
    for _ in range(WORLDS):
        base = targets.baseline(desk.rows(rng, 365, typical), desk.statistic, desk.unit, 365)
        assert base is not None
        target = desk.truth(typical)
        month = targets.reach(base, target, desk.unit)["month"]
        there = typical
        if base.shape is not None:
            # What the target asks of the typical time, by the spread of the days before.
            there = math.exp(math.log(target) - base.shape)
        assert month.low is not None
        assert month.high is not None
        end = {"none": target, "up": month.high, "down": month.low}[move]
        there = there * end / target if not desk.share else end
        rows = desk.rows(rng, 30, there)
        sides.append(targets.verdict(rows, desk.statistic, desk.unit, target, base.shape).side)
    return Sides(sides.count(1) / WORLDS, sides.count(-1) / WORLDS)


@pytest.mark.parametrize("desk", DESKS, ids=str)
def test_a_target_that_is_just_met_is_called_so_by_chance_one_time_in_twenty(desk: Desk) -> None:
    sides = judged(desk, "none", 1)
    assert sides.above + sides.below <= 0.08
    assert max(sides) <= 0.05


@pytest.mark.parametrize("desk", DESKS, ids=str)
def test_what_a_month_is_said_to_tell_it_tells_four_times_in_five(desk: Desk) -> None:
    # Near 0 and 1 a share is more certain on one side than on the other: there it is 69 to 86 %.
    above, below = judged(desk, "up", 2), judged(desk, "down", 3)
    assert above.above == pytest.approx(0.8, abs=0.12)
    assert below.below == pytest.approx(0.8, abs=0.12)
    assert (above.below, below.above) == (0.0, 0.0)


@pytest.mark.parametrize(("sigma", "most"), [(1.0, 0.08), (1.8, 0.12)])
def test_how_often_a_mean_that_is_just_at_the_target_itself_is_called_off_it(sigma: float, most: float) -> None:
    # The spread of a year before is not known exactly: with heavy tails the target is carried over to log hours less well.
    desk, rng, off = Desk("mean", sigma=sigma), np.random.default_rng(4), 0
    for _ in range(WORLDS):
        base = targets.baseline(desk.rows(rng, 365, 5.0), desk.statistic, desk.unit, 365)
        assert base is not None
        rows = desk.rows(rng, 30, 5.0)
        off += targets.verdict(rows, desk.statistic, desk.unit, desk.truth(5.0), base.shape).side != 0
    assert off / WORLDS <= most


def days(n: int, a_day: int = 6, value: float = 4.0) -> pl.DataFrame:
    """As many days, each with the same incidents: hours that double and halve."""
    values = [value * 2**power for power in (-1, 0, 1)] * (a_day // 3)
    return pl.DataFrame({"day": np.repeat(np.arange(n), a_day), "value": values * n, "weight": 1.0})


def test_the_formula_by_hand() -> None:
    base = targets.baseline(days(100), "mean", "hours", 200)
    assert base is not None
    n0, logs = 600, [math.log1p(60 * hours) for hours in (2.0, 4.0, 8.0)]
    middle = sum(logs) / 3
    s = math.sqrt(sum((one - middle) ** 2 for one in logs) / 3 * n0 / (n0 - 1))
    assert (base.days, base.n, base.per_day, base.value) == (100, 600, 3.0, pytest.approx(14 / 3))
    # Days that are alike do not enlarge anything.
    assert (base.s, base.deff) == (pytest.approx(s), 1.0)
    assert base.shape == pytest.approx(math.log1p(60 * 14 / 3) - middle)
    found = targets.reach(base, 5.0, "hours")
    for span, in_days in (("month", 365.25 / 12), ("quarter", 365.25 / 4), ("year", 365.25)):
        n1 = 3 * in_days
        alone, both = 2.8016 * s / math.sqrt(n1), 2.8016 * s * math.sqrt(1 / n0 + 1 / n1)
        assert found[span].n == round(n1)
        assert (1 + 60 * found[span].high) / 301 == pytest.approx(math.exp(alone), rel=1e-4)
        assert 301 / (1 + 60 * found[span].low) == pytest.approx(math.exp(alone), rel=1e-4)
        assert found[span].change == pytest.approx(math.exp(both), rel=1e-4)


def test_a_share_is_told_in_points() -> None:
    rows = pl.DataFrame({"day": np.repeat(np.arange(50), 10), "value": ([1.0] * 8 + [0.0] * 2) * 50, "weight": 1.0})
    base = targets.baseline(rows, "rate", "share", 50)
    assert base is not None
    month = targets.reach(base, 0.75, "share")["month"]
    alone = 2.8016 * math.sqrt(0.8 * 0.2 * 500 / 499) / math.sqrt(10 * 365.25 / 12)
    assert (month.low, month.high) == (pytest.approx(0.75 - alone, abs=1e-5), pytest.approx(0.75 + alone, abs=1e-5))
    # Beyond 0 and 1 there is nothing to tell.
    assert targets.reach(base, 0.99, "share")["month"].high is None


def test_days_that_differ_make_a_target_harder_to_tell() -> None:
    alike, apart = days(60), days(60).with_columns(pl.col("value") * (1 + pl.col("day") % 2))
    first, second = (targets.baseline(rows, "mean", "hours", 60) for rows in (alike, apart))
    assert first is not None
    assert second is not None
    assert (first.deff, second.deff > 1.5) == (1.0, True)


def test_fewer_than_20_days_say_nothing() -> None:
    assert targets.baseline(days(19), "mean", "hours", 400) is None
    assert targets.baseline(days(20), "mean", "hours", 400) is not None


def test_without_the_spread_of_days_before_nothing_is_said_of_a_mean_of_hours() -> None:
    found = targets.verdict(days(60), "mean", "hours", 1.0, None)
    assert (found.side, math.isnan(found.p)) == (0, True)


@pytest.mark.parametrize(("rows", "statistic"), [(days(2, 3)[:4], "quantile 0.5"), (days(1, 60), "rate")])
def test_a_few_incidents_or_a_single_day_are_no_verdict(rows: pl.DataFrame, statistic: str) -> None:
    found = targets.verdict(rows, statistic, "hours", 0.001)
    assert (found.side, math.isnan(found.p)) == (0, True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=8, max_size=60), st.floats(0.05, 0.95))
def test_the_verdict_on_a_share_is_whether_its_interval_leaves_the_target_out(
    drawn: list[tuple[int, bool]], target: float
) -> None:
    rows = pl.DataFrame(
        {"day": [day for day, _ in drawn], "value": [float(so) for _, so in drawn], "weight": [1.0] * len(drawn)}
    )
    n, total = rows.height, rows["value"].sum()
    by_day = rows.group_by("day").agg(pl.col("value").sum().alias("s"), pl.len().cast(pl.Float64).alias("n"))
    s, counts = by_day["s"].to_numpy(), by_day["n"].to_numpy()
    variance = rows["value"].var()
    deff = intervals.design_effect(
        n, total, variance, by_day.height, (s**2).sum(), (s * counts).sum(), (counts**2).sum()
    )
    low, high = intervals.wilson(total / n, n, deff)
    side = targets.verdict(rows, "rate", "share", target).side
    assert side == (0 if math.isnan(low) or low <= target <= high else 1 if low > target else -1)
