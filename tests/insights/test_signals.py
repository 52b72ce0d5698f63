"""Control charts: what they signal, what they leave alone, and how often they are wrong, by simulation."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dashboard.insights import signals
from dashboard.insights.signals import Verdict

MONDAY = date(2024, 1, 1)
STEADY = Verdict("", 0, 0, "")


def weeks(**columns: Any) -> pl.DataFrame:
    """A history by week."""
    length = len(next(iter(columns.values())))
    whole = {
        "since": [MONDAY + timedelta(days=7 * at) for at in range(length)],
        "days": [7] * length,
        "n": [100] * length,
        "mean": [None] * length,
        "deviation": [None] * length,
        "is_comparable": [True] * length,
    }
    return pl.DataFrame(whole | columns, schema_overrides={"mean": pl.Float64, "deviation": pl.Float64})


def charted(history: pl.DataFrame, kind: str, tested: int = 12, splits: tuple[date, ...] = ()) -> signals.Chart:
    """A chart of which the last periods are looked at."""
    from_day = history["since"][max(history.height - tested, 0)]
    return signals.chart(history, kind, "week", from_day, splits)


def wobbling(length: int, centre: float, size: float) -> list[float]:
    """Values on both sides of a centre, without a pattern that any rule knows."""
    return [
        centre + size * step for step, _ in zip([1, -1, 0.5, -0.5, -1, 1, -0.5, 0.5] * 20, range(length), strict=False)
    ]


def test_durations_have_limits_of_three_standard_errors_of_their_own_n() -> None:
    n = [100] * 30 + [400]
    history = weeks(n=n, mean=[4.0] * 31, deviation=[1.5] * 31)
    chart = charted(history, "duration", tested=1)
    shown = chart.frame.select("value", "centre", "low", "high").rows()
    geometric = [
        float(np.expm1(4.0 + step) / 60) for step in (0, 0, -3 * 1.5 / 10, 3 * 1.5 / 10, -3 * 1.5 / 20, 3 * 1.5 / 20)
    ]
    assert shown[0] == pytest.approx((geometric[0], geometric[1], geometric[2], geometric[3]))
    assert shown[30] == pytest.approx((geometric[0], geometric[1], geometric[4], geometric[5]))
    assert chart.verdict == STEADY
    assert (chart.baseline.since, chart.baseline.periods) == (MONDAY, 30)


@pytest.mark.parametrize(
    ("step", "verdict"), [(0.44, STEADY), (0.46, Verdict("limit", 1, 1, "")), (-0.46, Verdict("limit", -1, 1, ""))]
)
def test_a_week_beyond_its_limits_is_a_signal(step: float, verdict: Verdict) -> None:
    mean = [*wobbling(30, 4.0, 0.01), 4.0 + step]
    assert charted(weeks(mean=mean, deviation=[1.5] * 31), "duration").verdict == verdict


def test_the_same_change_is_a_signal_in_a_large_week_and_none_in_a_small_one() -> None:
    def verdict(n: int) -> Verdict:
        mean = [*wobbling(30, 4.0, 0.01), 4.4]
        return charted(weeks(n=[100] * 30 + [n], mean=mean, deviation=[1.5] * 31), "duration").verdict

    assert (verdict(20), verdict(400)) == (STEADY, Verdict("limit", 1, 1, ""))


def test_nine_weeks_on_one_side_are_a_signal_and_eight_are_none() -> None:
    def verdict(above: int) -> Verdict:
        return charted(weeks(mean=[*wobbling(31, 0.3, 0.02), *[0.31] * above]), "rate").verdict

    # The last of the baseline lies below.
    assert (verdict(8), verdict(9)) == (STEADY, Verdict("run", 1, 9, ""))


def test_weeks_that_differ_more_than_their_incidents_explain_widen_the_limits() -> None:
    def width(size: float) -> float:
        row = charted(weeks(mean=wobbling(31, 0.3, size)), "rate").frame.row(-1, named=True)
        return float(row["high"] - row["low"])

    within = 6 * float(np.sqrt(0.3 * 0.7 / 100))
    assert width(0.001) == pytest.approx(within, rel=1e-3)
    assert width(0.2) > 2 * within


def test_nothing_is_said_below_twenty_comparable_weeks() -> None:
    assert charted(weeks(mean=wobbling(20, 0.3, 0.01)), "rate").verdict == Verdict("", 0, 0, "few")
    assert charted(weeks(mean=wobbling(21, 0.3, 0.01)), "rate").verdict == STEADY
    comparable = [True] * 20 + [False] * 5
    assert charted(weeks(mean=wobbling(25, 0.3, 0.01), is_comparable=comparable), "rate").verdict.cannot == "few"
    assert charted(weeks(mean=[0.3] * 3, is_comparable=[False] * 3), "rate").verdict.cannot == "nothing"


def test_days_need_eight_of_each_weekday() -> None:
    history = weeks(n=[10] * 60).with_columns(
        since=pl.Series([MONDAY + timedelta(days=at) for at in range(60)]), days=pl.lit(1)
    )
    enough = signals.chart(history, "count", "day", history["since"][57])
    assert enough.verdict == STEADY
    few = history.head(50)
    assert signals.chart(few, "count", "day", few["since"][49]).verdict.cannot == "few"


def test_a_quiet_sunday_is_no_signal_and_a_busy_one_is() -> None:
    usual = [60, 50, 50, 50, 40, 10, 10]

    def verdict(sunday: int) -> Verdict:
        n = [*(usual * 10)[:-1], sunday]
        since = [MONDAY + timedelta(days=at) for at in range(70)]
        history = weeks(n=n).with_columns(since=pl.Series(since), days=pl.lit(1))
        return signals.chart(history, "count", "day", since[-1]).verdict

    assert (verdict(10), verdict(40)) == (STEADY, Verdict("limit", 1, 1, ""))


def test_the_baseline_is_what_came_before_and_never_the_tested_week() -> None:
    history = weeks(mean=wobbling(60, 0.3, 0.01))

    def places(tested: int, *splits: date) -> list[int]:
        frame = charted(history, "rate", tested, splits).frame
        return np.flatnonzero(frame["in_baseline"].to_numpy()).tolist()

    assert places(12) == list(range(48))
    # Where too few came before, all but the last help out.
    assert places(50) == list(range(7, 59))
    # A known change begins another process.
    assert places(12, history["since"][20] - timedelta(days=3)) == list(range(20, 48))
    assert places(12, history["since"][50]) == list(range(50, 59))
    # A week without any is not tested: the one before it is.
    history = weeks(mean=wobbling(60, 0.3, 0.01), n=[100] * 58 + [0, 0])
    assert places(50) == list(range(5, 57))
    history = weeks(mean=wobbling(60, 0.3, 0.01))
    # One that has not come yet changes nothing.
    assert places(12, history["since"][59] + timedelta(days=8)) == list(range(48))


def test_a_known_change_that_splits_the_baseline_makes_an_old_level_no_signal() -> None:
    mean = [*wobbling(30, 0.2, 0.01), *wobbling(30, 0.4, 0.01)]
    history = weeks(mean=mean)
    assert charted(history, "rate", tested=30).verdict.rule == "limit"
    split = charted(history, "rate", tested=30, splits=(history["since"][30],))
    # What was before has no limits and is no signal.
    assert split.frame["rule"].to_list() == [""] * 60
    assert split.frame["centre"].null_count() == 30
    assert (split.verdict, split.baseline.since) == (STEADY, history["since"][30])


def test_weeks_that_mostly_repeat_the_week_before_have_no_chart() -> None:
    drifting = [100 + 20 * float(np.sin(at / 8)) for at in range(60)]
    assert charted(weeks(mean=drifting), "single").verdict.cannot == "alike"


def test_a_single_value_has_the_limits_of_xmr() -> None:
    values = wobbling(30, 50.0, 2.0)
    row = charted(weeks(mean=values), "single", tested=1).frame.row(0, named=True)
    centre, moved = float(np.mean(values[:29])), float(np.abs(np.diff(values[:29])).mean())
    # 2.66 is the published constant, 3 ÷ 1.128.
    assert row["high"] == pytest.approx(centre + 2.66 * moved, rel=1e-3)


@pytest.mark.parametrize("expected", [0.3, 1.0, 4.0])
def test_rare_counts_have_the_limits_of_a_prediction_from_the_baselines_count(expected: float) -> None:
    total = round(50 * expected)
    n = [total // 50 + (at * 17 % 50 < total % 50) for at in range(50)] + [0]
    row = charted(weeks(n=n), "count", tested=1).frame.row(-1, named=True)
    # Jeffreys' prior: the next week's count is negative binomial.
    predicted = stats.nbinom(total + 0.5, 50 / 51)
    highest = int(row["high"] * 7 + 0.5)
    assert predicted.sf(highest) <= signals.TAIL < predicted.sf(highest - 1)
    assert row["low"] == 0


@pytest.mark.parametrize("share", [0.01, 0.98])
def test_rare_shares_have_the_limits_of_a_prediction_from_the_baselines_count(share: float) -> None:
    row = charted(weeks(mean=[share] * 51), "rate", tested=1).frame.row(-1, named=True)
    rare = min(share, 1 - share) * 5000
    predicted = stats.betabinom(100, rare + 0.5, 5000 - rare + 0.5)
    highest = round(100 * (row["high"] if share < 0.5 else 1 - row["low"]))
    assert predicted.sf(highest) <= signals.TAIL < predicted.sf(highest - 1)


def test_nine_quiet_weeks_are_no_signal_where_most_weeks_are_quiet() -> None:
    n = [1 if at % 8 == 0 else 0 for at in range(41)]
    assert charted(weeks(n=[*n, *[0] * 30]), "count", tested=12).verdict == STEADY
    assert charted(weeks(n=[*n, *[0] * 12, 3]), "count", tested=12).verdict == Verdict("limit", 1, 1, "")


def test_an_unknown_kind_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="kind 'median' is not one of duration, mean, rate, count, single"):
        charted(weeks(mean=[1.0] * 30), "median")


@given(
    kind=st.sampled_from(signals.KINDS),
    grain=st.sampled_from(["day", "week"]),
    n=st.lists(st.sampled_from([0, 0, 1, 2, 5, 30, 500]), min_size=22, max_size=90),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_whatever_comes_the_limits_stand_around_the_centre_and_only_tested_periods_signal(
    kind: str, grain: str, n: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mean = rng.binomial(n, rng.random()) / np.maximum(n, 1)
    step = timedelta(days=1 if grain == "day" else 7)
    since = [MONDAY + step * at for at in range(len(n))]
    history = weeks(n=n, mean=mean, deviation=rng.random(len(n)), since=since, days=[step.days] * len(n))
    chart = signals.chart(history, kind, grain, since[-12])
    frame = chart.frame.drop_nulls("centre")
    assert (frame["low"] <= frame["centre"] + 1e-9).all()
    assert (frame["centre"] <= frame["high"] + 1e-9).all()
    assert chart.frame.filter(pl.col("in_baseline") & (pl.col("rule") != "")).is_empty()
    counted = chart.frame if kind in ("single", "count") else chart.frame.filter(pl.Series(n) > 0)
    assert chart.verdict.rule == (counted["rule"][-1] if counted.height else "")


class Alarms(NamedTuple):
    """Of the periods looked at in simulated processes that never change, how many signal."""

    share: float
    silent: float
    """Share of the processes of which nothing is said."""


SKEWED = (
    "lognormal 1",
    "lognormal 1.8",
    "weibull",
    "rate 0.3",
    "rate 0.02",
    "rate 0.98",
    "count 40",
    "count 2",
    "count 0.3",
)
WORST = ("lognormal 1.8", "rate 0.3", "count 40")
LOOKS, TIMES = 12, 150
USUAL = np.array([1.3, 1.1, 1.0, 1.0, 0.9, 0.3, 0.25])
"""What a weekday brings of the usual day."""


def resembling(rng: np.random.Generator, length: int, correlation: float) -> Any:
    """Levels with variance 1, each correlated with the one before; all zero for a correlation of 0."""
    levels = rng.normal(size=length)
    for at in range(1, length):
        levels[at] = correlation * levels[at - 1] + np.sqrt(1 - correlation**2) * levels[at]
    return levels * (correlation > 0)


def simulated(
    rng: np.random.Generator, what: str, correlation: float, length: int, grain: str = "week"
) -> tuple[str, pl.DataFrame]:
    """A process that never changes: skewed, with unequal n; periods differ by as much again as their incidents explain."""
    name, _, amount = what.partition(" ")
    usual = USUAL[np.arange(length) % 7] if grain == "day" else np.ones(length)
    n = np.maximum(rng.lognormal(3.5, 0.8, length), 3).astype(int)
    if grain == "day":
        n = np.maximum(rng.poisson(20 * usual), 2)
    level = resembling(rng, length, correlation)
    if name in ("lognormal", "weibull"):
        sigma = float(amount or 1.8)
        shift = np.repeat(level * sigma / np.sqrt(np.median(n)) + np.log(usual) / 2, n)
        size = int(n.sum())
        hours = np.exp(shift) * (rng.lognormal(1, sigma, size) if name == "lognormal" else 5 * rng.weibull(0.5, size))
        logs = np.log1p(hours * 60)
        starts = np.concatenate([[0], np.cumsum(n)[:-1]])
        mean = np.add.reduceat(logs, starts) / n
        square = np.add.reduceat((logs - np.repeat(mean, n)) ** 2, starts)
        return "duration", weeks(n=n, mean=mean, deviation=np.sqrt(square / (n - 1)))
    if name == "rate":
        share = float(amount)
        rare = min(share, 1 - share)
        spread = np.sqrt(rare * (1 - rare) / np.median(n)) if rare > 0.1 else 0.3 * rare
        rare_now = np.clip(rare + spread * level, 0, 1)
        return "rate", weeks(n=n, mean=rng.binomial(n, rare_now if share < 0.5 else 1 - rare_now) / n)
    if name == "count":
        average = float(amount)
        return "count", weeks(n=rng.poisson(average * usual * np.exp(level / np.sqrt(max(average, 10)))))
    return "single", weeks(mean=100 + 10 * (level if correlation else rng.normal(size=length)))


def alarms(what: str, correlation: float, periods: int, times: int, grain: str = "week") -> Alarms:
    """Simulate and count."""
    rng = np.random.default_rng(5)
    step = timedelta(days=1 if grain == "day" else 7)
    starts = pl.Series([MONDAY + step * at for at in range(periods + LOOKS)])
    signalled = said = 0
    for _ in range(times):
        kind, history = simulated(rng, what, correlation, periods + LOOKS, grain)
        history = history.with_columns(since=starts, days=pl.lit(step.days))
        chart = signals.chart(history, kind, grain, starts[periods])
        if not chart.verdict.cannot:
            said += 1
            signalled += chart.frame.filter(pl.col("rule") != "").height
    return Alarms(signalled / max(said * LOOKS, 1), 1 - said / times)


@pytest.mark.parametrize("periods", [20, 52])
@pytest.mark.parametrize("at", range(len(signals.CORRELATIONS)))
def test_false_alarms_are_as_often_as_the_tile_states(periods: int, at: int) -> None:
    correlation = signals.CORRELATIONS[at]
    for group, kinds in (("periods", WORST), ("single", ("single",))):
        stated = signals.FALSE_ALARMS[group][periods][at]
        found = max(alarms(what, correlation, periods, TIMES).share for what in kinds)
        # What 150 processes tell of the share in 1,200.
        assert found == pytest.approx(stated, rel=0.3, abs=0.005)


@pytest.mark.parametrize("periods", [56, 182])
@pytest.mark.parametrize("at", range(len(signals.CORRELATIONS)))
def test_false_alarms_of_days_are_as_often_as_the_tile_states(periods: int, at: int) -> None:
    stated = signals.FALSE_ALARMS["days"][periods][at]
    found = max(
        alarms(what, signals.CORRELATIONS[at], periods, TIMES, "day").share for what in ("count 20", "lognormal 1.8")
    )
    assert found == pytest.approx(stated, rel=0.3, abs=0.005)


@pytest.mark.parametrize("what", [what for what in SKEWED if what not in WORST])
def test_no_other_kind_alarms_more_often(what: str) -> None:
    assert alarms(what, 0.3, 20, 60).share <= signals.FALSE_ALARMS["periods"][20][1]


def test_the_stated_rate_is_that_of_the_baselines_own_length_and_resemblance() -> None:
    def stated(kind: str, grain: str, periods: int, resemblance: float) -> tuple[float, float]:
        return signals.false_alarms(kind, grain, signals.Baseline(MONDAY, MONDAY, periods, resemblance))

    assert stated("rate", "week", 51, 0.1) == (0.010, 0.038)
    assert stated("rate", "week", 52, 0.4) == (0.007, 0.055)
    assert stated("count", "day", 100, -0.2) == (0.011, 0.031)
    assert stated("single", "week", 52, 0.0) == (0.010, 0.031)


@given(
    comparable=st.lists(st.booleans(), min_size=1, max_size=40),
    split=st.integers(0, 45),
)
@settings(max_examples=40, deadline=None)
def test_what_cannot_suffice_is_known_without_the_incidents(comparable: list[bool], split: int) -> None:
    history = weeks(n=[30] * len(comparable), is_comparable=comparable)
    day = MONDAY + timedelta(days=7 * split)
    chart = signals.chart(history, "count", "week", MONDAY, [day])
    assert signals.may_suffice(history, "week", [day]) == (not chart.verdict.cannot)


def test_single_incidents_have_no_deviation_and_spoil_no_limit() -> None:
    n = [1 if at % 3 else 20 for at in range(40)]
    deviation = [1.5 if count > 1 else float("nan") for count in n]
    row = charted(weeks(n=n, mean=wobbling(40, 4.0, 0.1), deviation=deviation), "duration").frame.row(-1, named=True)
    assert 0 < row["low"] < row["centre"] < row["high"] < 100
