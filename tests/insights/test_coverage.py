"""The intervals hold the truth as often as they say, and equal things are seldom called changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.insights import coverage

RUNS = {30: 4000, 200: 3000, 2000: 1000}
"""One Monte Carlo error of a coverage of 95 of 100 is 0.3, 0.4 and 0.7."""


@pytest.fixture(scope="module")
def real(shared: Path) -> coverage.Real:
    return coverage.real(shared / "data/servicenow_uci/incident_event_log.csv.gz")


def rng(*of: int) -> np.random.Generator:
    return np.random.default_rng([coverage.SEED, *of])


def holds(draw: coverage.Draw) -> None:
    """Rates in 92 to 98 of 100 samples, quantiles in at least 94.5 of those that show a limit."""
    for name in draw.rates:
        assert 0.92 <= coverage.of_rate(draw, name).held <= 0.98, name
    for q in draw.quantiles:
        found = coverage.of_quantile(draw, q)
        assert found.held >= 0.945, q
        assert found.shown > 0.9, q


@pytest.mark.parametrize("n", coverage.SIZES)
@pytest.mark.parametrize("sigma", coverage.SIGMAS)
def test_rates_and_quantiles_of_log_normal_durations_are_covered(sigma: float, n: int) -> None:
    holds(coverage.log_normal(rng(n), sigma, n, RUNS[n]))


@pytest.mark.parametrize("n", coverage.SIZES)
def test_rates_and_quantiles_of_real_durations_are_covered(real: coverage.Real, n: int) -> None:
    draw = coverage.resampled(rng(n), real, n, RUNS[n])
    holds(draw)
    if n >= 200:
        assert coverage.of_mean(draw).held >= 0.93


@pytest.mark.parametrize("n", coverage.SIZES)
def test_rates_and_quantiles_of_real_days_are_covered(real: coverage.Real, n: int) -> None:
    draw = coverage.by_day(rng(n), real, n, RUNS[n])
    holds(draw)
    if n >= 200:
        assert coverage.of_mean(draw).held >= 0.93


def test_without_a_view_to_few_days_the_rates_of_real_days_would_not_be_covered(
    real: coverage.Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = coverage.by_day(rng(3), real, 2000, 500, days=28)
    with_it = coverage.of_rate(draw, "target met").held
    monkeypatch.setattr(coverage.intervals, "by_days", lambda n, n2: 1.0)
    assert coverage.of_rate(draw, "target met").held < with_it - 0.03


def test_equal_halves_of_real_days_are_seldom_called_changed(real: coverage.Real) -> None:
    assert {name for name, share in coverage.halves(rng(4), real, 600).items() if share > 0.07} == set()


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_equal_counts_are_seldom_called_changed(spread: float) -> None:
    assert coverage.counts_called_changed(rng(5), 4000, spread, mean=20.0) <= 0.07


def test_a_count_that_rose_by_a_third_is_called_changed() -> None:
    told = []
    for mean in (15.0, 20.0):
        counts = rng(6).poisson(mean, (400, 84)).astype(float)
        by_weekday = [counts[:, weekday::7].sum(1) for weekday in range(7)]
        total = counts.sum(1)
        told += [total, *coverage.intervals.count_error(total, by_weekday, (counts**2).sum(1), np.full(400, 84))]
    assert coverage.intervals.welch(*told).is_change.all()
