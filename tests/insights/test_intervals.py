"""Intervals equal what scipy or a published example gives, and hold laws that hold for all of them."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dashboard.insights import intervals


def test_the_examples_give_what_they_say() -> None:
    assert doctest.testmod(intervals).failed == 0


@given(n=st.integers(1, 5000), data=st.data())
@settings(max_examples=60, deadline=None)
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    theirs = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert [float(limit) for limit in intervals.wilson(k / n, n)] == pytest.approx([theirs.low, theirs.high], abs=1e-12)


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_ranks_are_those_of_the_definition_by_scipys_binomial(q: float) -> None:
    for n in [*range(1, 80), 200, 2000, 99_999]:
        k = np.arange(n + 2)
        low = k[stats.binom.cdf(k - 1, n, q) <= 0.025].max()
        high = k[stats.binom.sf(k - 1, n, q) <= 0.025].min()
        found = intervals.quantile_ranks(n, q)
        assert (int(found.low), int(found.high)) == (low, high if high <= n else 0), n


def test_both_limits_exist_from_6_values_for_a_median_and_36_for_the_90th_percentile() -> None:
    def both(n: int, q: float) -> bool:
        found = intervals.quantile_ranks(n, q)
        return bool(found.low > 0 and found.high > 0)

    assert [both(5, 0.5), both(6, 0.5), both(35, 0.9), both(36, 0.9)] == [False, True, False, True]


def test_without_skewness_a_mean_has_scipys_t_interval() -> None:
    values = np.array([4.0, 5.0, 6.0, 7.0, 8.0])
    theirs = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    ours = intervals.mean_interval(values.mean(), values.std(ddof=1), 0.0, 5)
    assert [float(limit) for limit in ours] == pytest.approx(theirs)


def test_with_skewness_a_mean_has_about_scipys_bca_interval() -> None:
    values = np.random.default_rng(7).lognormal(0.0, 1.0, 400)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, random_state=1).confidence_interval
    ours = intervals.mean_interval(values.mean(), values.std(ddof=1), stats.skew(values), 400)
    t = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert [float(limit) for limit in ours] == pytest.approx([theirs.low, theirs.high], rel=0.02)
    # Both reach farther to the right than the plain t, which knows no skewness.
    assert ours.high > t[1]
    assert ours.low > t[0]


def test_a_difference_of_means_is_scipys_welch() -> None:
    rng = np.random.default_rng(3)
    now, before = rng.normal(5, 2, 40), rng.normal(4, 1, 25)
    theirs = stats.ttest_ind(now, before, equal_var=False)
    limits = theirs.confidence_interval(0.95)
    ours = intervals.welch(now.mean(), stats.sem(now), 40, before.mean(), stats.sem(before), 25)
    assert [float(one) for one in ours] == pytest.approx([limits.low, limits.high, theirs.pvalue])


def test_a_single_day_says_nothing_of_how_days_differ() -> None:
    assert np.isnan(intervals.design_effect(10, 50, 4.0, 1, 2500, 500, 100))


def test_the_design_effect_is_the_clustered_variance_over_the_independent_one() -> None:
    days = [[1.0, 1.0, 1.0], [5.0, 5.0], [9.0]]
    values = np.concatenate(days)
    n, mean = len(values), values.mean()
    sums, counts = np.array([sum(day) for day in days]), np.array([len(day) for day in days])
    clustered = 3 / 2 * ((sums - mean * counts) ** 2).sum() / n**2
    found = intervals.design_effect(
        n, sums.sum(), values.var(ddof=1), 3, (sums**2).sum(), (sums * counts).sum(), (counts**2).sum()
    )
    # Three unequal days are worth 36/14, and t with that many freedoms less one reaches farther than a normal one.
    farther = stats.t.ppf(0.975, 36 / 14 - 1) / stats.norm.ppf(0.975)
    assert float(found) == pytest.approx(farther**2 * clustered / (values.var(ddof=1) / n))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_false_discoveries_are_scipys(p: list[float]) -> None:
    assert intervals.false_discoveries(p) == pytest.approx(stats.false_discovery_control(p))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_holm_rejects_what_holms_own_procedure_rejects(p: list[float]) -> None:
    rejected = set()
    for step, place in enumerate(np.argsort(p, kind="stable")):
        if p[place] > 0.05 / (len(p) - step):
            break
        rejected.add(int(place))
    assert {place for place, found in enumerate(intervals.holm(p)) if found <= 0.05 * (1 + 1e-12)} >= rejected
    assert all(found >= given for found, given in zip(intervals.holm(p), p, strict=True))


@given(n=st.integers(8, 400), deff=st.floats(1, 8))
@settings(max_examples=60, deadline=None)
def test_clusters_only_widen(n: int, deff: float) -> None:
    plain, wide = intervals.quantile_ranks(n, 0.5), intervals.quantile_ranks(n, 0.5, deff)
    assert wide.low <= plain.low
    assert wide.high == 0 or wide.high >= plain.high
    plain_rate, wide_rate = intervals.wilson(0.3, n), intervals.wilson(0.3, n, deff)
    assert wide_rate.low <= plain_rate.low + 1e-12
    assert wide_rate.high >= plain_rate.high - 1e-12


@pytest.mark.parametrize("sigma", [1.0, 1.8])
def test_the_interval_of_a_paired_difference_holds_the_truth_where_days_differ_and_some_count_once_only(
    sigma: float,
) -> None:
    # Two rules of the same incidents: the second adds a log-normal time, the first does not count one in five.
    rng = np.random.default_rng(20261125)
    truth = math.exp(sigma**2 / 2 + 0.1**2 / 2) * 0.3
    held = []
    for _ in range(400):
        day = rng.integers(0, 60, 2000)
        first = np.exp(rng.normal(0, 0.1, 60)[day] + rng.normal(0, sigma, 2000))
        second = first * 1.3
        is_first = rng.random(2000) < 0.8
        n1 = is_first.sum()
        part = (second - second.mean()) / 2000 - np.where(is_first, first - first[is_first].mean(), 0) / n1
        by_day, sizes = np.bincount(day, part, 60), np.bincount(day, minlength=60)
        found = intervals.of_influences(
            second.mean() - first[is_first].mean(),
            (part**2).sum(),
            (part**3).sum(),
            (by_day**2).sum(),
            60,
            2000,
            (sizes**2).sum(),
        )
        held.append(bool(found.low <= truth <= found.high))
    assert np.mean(held) >= (0.93 if sigma == 1.0 else 0.9)
