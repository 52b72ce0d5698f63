"""How sure a number is: 95 % intervals of rates, quantiles and means, and of the difference of two of them.

All take arrays (or numbers) and give arrays; what cannot be said is nan. `deff`, the design effect, is how many times
the variance is larger than if incidents were independent of each other: n/deff incidents count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]
TAIL = 0.025
"""What may lie beyond each end of a 95 % interval."""
Z = float(special.ndtri(1 - TAIL))


class Interval(NamedTuple):
    """A lower and an upper limit, each nan where there is none."""

    low: Array
    high: Array


def _floats(*given: ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(one, dtype=np.float64) for one in given)


def design_effect(
    n: ArrayLike, total: ArrayLike, variance: ArrayLike, days: ArrayLike, s2: ArrayLike, sn: ArrayLike, n2: ArrayLike
) -> Array:
    """Give how many times clustering by day enlarges the variance of a mean, at least 1.

    v = g/(g-1) · Σ(S_d - mean·N_d)² / n² over the g days, against the variance of independent incidents divided by n
    (the linearised variance of a ratio under cluster sampling: Cochran, Sampling Techniques, 1977, chapter 6). As v is
    itself known from a few days only, it is taken `by_days` times: without that, intervals made of 7 or 28 real days
    hold the truth in 60 to 90 of 100 cases (tests/insights/COVERAGE.md).

    Args:
        n: incidents.
        total: sum of their values.
        variance: variance of a single value.
        days: days with any incident, g.
        s2: Σ S_d², the squared sums of each day.
        sn: Σ S_d·N_d.
        n2: Σ N_d².

    Returns:
        nan where there is only one day: nothing is known of how days differ.
    """
    n, total, variance, days, s2, sn, n2 = _floats(n, total, variance, days, s2, sn, n2)
    with np.errstate(all="ignore"):
        mean = total / n
        clustered = days / (days - 1) * np.maximum(s2 - 2 * mean * sn + mean**2 * n2, 0) / n**2
        independent = variance / n
        effect = np.where(independent > 0, by_days(n, n2) * clustered / independent, 1.0)
    return np.where(days >= 2, np.maximum(1.0, effect), np.nan)


def by_days(n: ArrayLike, n2: ArrayLike) -> Array:
    """Give the square of how much farther a t interval reaches than a normal one, with as many freedoms as there are days.

    Days of unequal size count as n²/Σ N_d² equal ones (Kish, Survey Sampling, 1965).

    >>> by_days([70, 70], [7 * 10**2, 4 * 15**2 + 3 * 3.33**2]).round(2).tolist()  # seven days: equal, and not
    [1.56, 1.92]
    """
    n, n2 = _floats(n, n2)
    with np.errstate(all="ignore"):
        freedom = np.maximum(n**2 / n2 - 1, 0.0)
        return np.where(freedom > 0, (special.stdtrit(freedom, 1 - TAIL) / Z) ** 2, np.inf)


def ratio_variance(
    total: ArrayLike, weight: ArrayLike, days: ArrayLike, s2: ArrayLike, sw: ArrayLike, w2: ArrayLike
) -> Array:
    """Variance of a quotient of two sums from the days' parts in both (as above); nan for a single day."""
    total, weight, days, s2, sw, w2 = _floats(total, weight, days, s2, sw, w2)
    with np.errstate(all="ignore"):
        ratio = total / weight
        v = days / (days - 1) * np.maximum(s2 - 2 * ratio * sw + ratio**2 * w2, 0) / weight**2
    return np.where(days >= 2, by_days(weight, w2) * v, np.nan)


def of_influences(
    value: ArrayLike,
    within: ArrayLike,
    cubed: ArrayLike,
    between: ArrayLike,
    days: ArrayLike,
    n: ArrayLike,
    n2: ArrayLike,
) -> Interval:
    """Interval of a difference of two means over incidents that both may count: by what each incident moves it.

    An incident with values x1 and x2 moves M2 - M1 by z = (x2 - M2)/n2 - (x1 - M1)/n1, a part being 0 where it is not
    counted (the linearised variance of a ratio, as above). So v = g/(g-1) · Σ_days (Σ z)², at least Σ z², that of
    independent incidents; what both count alike is in neither. As durations are skewed, so are their differences: the
    limits are Hall's, as of a mean.

    Args:
        value: the difference.
        within: Σ z² over the incidents.
        cubed: Σ z³ over the incidents.
        between: Σ (Σ z)² over the days.
        days: days with any incident, g.
        n: incidents that either counts.
        n2: Σ N_d² of them.

    Returns:
        nan where there is only one day.
    """
    value, within, cubed, between, days, n, n2 = _floats(value, within, cubed, between, days, n, n2)
    with np.errstate(all="ignore"):
        differs = within > 0
        effect = np.where(differs, np.maximum(by_days(n, n2) * days / (days - 1) * between / within, 1.0), 1.0)
        m, s = n / effect, np.sqrt(n * within)
        skewness = np.where(differs, cubed * np.sqrt(n) / within**1.5, 0.0)
        w = special.stdtrit(m - 1, 1 - TAIL) / np.sqrt(m)
        low, high = value - s * _hall(w, skewness, m), value - s * _hall(-w, skewness, m)
    there = (days >= 2) & (m > 1)
    return Interval(np.where(there, low, np.nan), np.where(there, high, np.nan))


def count_error(
    total: ArrayLike, by_weekday: Sequence[ArrayLike], squares: ArrayLike, days: ArrayLike
) -> tuple[Array, Array]:
    """Standard error of a count, and how many days it is known from: from how days of the same weekday differ.

    It is at least that of independent arrivals. Below two weeks all days are taken as alike.

    Args:
        total: counted over all days.
        by_weekday: counted on each of the seven weekdays.
        squares: the squared counts of the days, added up.
        days: how many days there are, those without any too.
    """
    total, squares, days = _floats(total, squares, days)
    with np.errstate(all="ignore"):
        weekly = sum(np.asarray(one, dtype=np.float64) ** 2 for one in by_weekday) / (days / 7)
        enough = days >= 14
        spare = np.where(enough, days - 7, days - 1)
        between = squares - np.where(enough, weekly, total**2 / days)
        variance = np.maximum(between / np.maximum(spare, 1), total / days)
    return np.where(days >= 2, np.sqrt(days * variance), np.nan), spare + 1


def wilson(rate: ArrayLike, n: ArrayLike, deff: ArrayLike = 1.0) -> Interval:
    """Interval of a rate (Wilson, Probable inference, 1927).

    >>> [round(float(limit), 4) for limit in wilson(0.5, 10)]
    [0.2366, 0.7634]
    """
    rate, n, deff = _floats(rate, n, deff)
    with np.errstate(all="ignore"):
        m = n / deff
        middle = (rate + Z**2 / (2 * m)) / (1 + Z**2 / m)
        half = Z / (1 + Z**2 / m) * np.sqrt(rate * (1 - rate) / m + Z**2 / (4 * m**2))
        half = np.where(m >= 1, half, np.nan)  # less than one incident says nothing
    low, high = np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
    return Interval(np.where(rate == 0, np.minimum(low, 0), low), np.where(rate == 1, np.maximum(high, 1), high))


class Ranks(NamedTuple):
    """Ranks from 1 to n of the values that limit a quantile; 0 where there is no limit at this n."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]


def _at_most(k: Array, m: Array, q: float) -> Array:
    """P(B <= k) for B ~ Bin(m, q), m not necessarily whole."""
    with np.errstate(all="ignore"):
        inside = special.betainc(np.maximum(m - k, 1e-12), k + 1, 1 - q)
    return np.where(k < 0, 0.0, np.where(k >= m, 1.0, inside))


def quantile_ranks(n: ArrayLike, q: float, deff: ArrayLike = 1.0) -> Ranks:
    """Ranks whose values limit the quantile q: distribution-free order statistics (David, Order Statistics, 1981, 2.5).

    The lower is the largest l with P(B < l) <= 0.025, the upper the smallest u with P(B >= u) <= 0.025, B ~ Bin(n, q);
    with a design effect both are found for n/deff and carried over to n at the same share of the values.

    >>> quantile_ranks([5, 6, 35, 36], 0.5).low.tolist(), quantile_ranks([35, 36], 0.9).high.tolist()
    ([0, 1, 12, 12], [0, 36])
    """
    n, deff = _floats(n, deff)
    m = np.where(np.isfinite(n / deff), n / deff, 0.0)
    # What is whole but for its last digit is whole.
    m = np.where(np.abs(m - np.round(m)) < 1e-9 * (m + 1), np.round(m), m)
    # Both ends by halving: each tail is monotonous in its rank.
    lowest, highest = np.zeros_like(m), np.floor(m)
    while (lowest < highest).any():
        middle = np.ceil((lowest + highest) / 2)
        fits = _at_most(middle - 1, m, q) <= TAIL
        lowest, highest = np.where(fits, middle, lowest), np.where(fits, highest, middle - 1)
    low = lowest
    lowest, highest = np.ones_like(m), np.floor(m) + 1
    while (lowest < highest).any():
        middle = np.floor((lowest + highest) / 2)
        fits = 1 - _at_most(middle - 1, m, q) <= TAIL
        lowest, highest = np.where(fits, lowest, middle + 1), np.where(fits, middle, highest)
    high = np.where(1 - _at_most(highest - 1, m, q) <= TAIL, highest, np.inf)
    stretch = (n + 1) / (m + 1)
    low = np.floor(low * stretch)
    high = np.ceil(np.where(high <= m, high, np.inf) * stretch)
    return Ranks(
        np.where((low >= 1) & (low <= n), low, 0).astype(np.int64), np.where(high <= n, high, 0).astype(np.int64)
    )


def mean_interval(mean: ArrayLike, s: ArrayLike, skewness: ArrayLike, n: ArrayLike, deff: ArrayLike = 1.0) -> Interval:
    """Interval of the mean of skewed, non-negative values: Hall's transformed t (Hall, The Bootstrap, 1992, 3.9).

    Args:
        mean: the mean.
        s: standard deviation of a single value.
        skewness: third central moment ÷ s³.
        n: how many values.
        deff: design effect.
    """
    mean, s, skewness, n, deff = _floats(mean, s, skewness, n, deff)
    with np.errstate(all="ignore"):
        m = n / deff
        w = special.stdtrit(m - 1, 1 - TAIL) / np.sqrt(m)
        low, high = mean - s * _hall(w, skewness, m), mean - s * _hall(-w, skewness, m)
    there = (m > 1) & np.isfinite(s)
    return Interval(np.where(there, np.maximum(low, 0.0), np.nan), np.where(there, high, np.nan))


def _hall(w: Array, skewness: Array, m: Array) -> Array:
    curved = np.abs(skewness) > 1e-6
    g = np.where(curved, skewness, 1.0)
    return np.where(curved, 3 / g * (np.cbrt(1 + g * (w - g / (6 * m))) - 1), w)


class Difference(NamedTuple):
    """The interval of a difference, and the probability of one as large where nothing changed."""

    low: Array
    high: Array
    p: Array

    @property
    def is_change(self) -> NDArray[np.bool_]:
        """Whether no change at all lies outside the interval."""
        return (self.low > 0) | (self.high < 0)


def welch(
    mean: ArrayLike, error: ArrayLike, m: ArrayLike, before: ArrayLike, error_before: ArrayLike, m_before: ArrayLike
) -> Difference:
    """Interval of the difference of two means with unequal variances (Welch, 1947); `error`s are standard errors.

    >>> [round(float(limit), 3) for limit in welch(5.0, 0.5, 20, 3.0, 0.4, 30)[:2]]
    [0.706, 3.294]
    """
    mean, error, m, before, error_before, m_before = _floats(mean, error, m, before, error_before, m_before)
    with np.errstate(all="ignore"):
        both = error**2 + error_before**2
        freedom = both**2 / (error**4 / (m - 1) + error_before**4 / (m_before - 1))
        freedom = np.where(both > 0, freedom, np.inf)
        freedom = np.where((m > 1) & (m_before > 1), freedom, np.nan)
        half = special.stdtrit(np.minimum(freedom, 1e9), 1 - TAIL) * np.sqrt(both)
        size = np.abs(mean - before) / np.sqrt(both)
        p = np.where(both > 0, 2 * special.stdtr(np.minimum(freedom, 1e9), -size), np.where(mean == before, 1.0, 0.0))
    return Difference(mean - before - half, mean - before + half, np.where(np.isnan(half), np.nan, p))


def square_and_add(value: ArrayLike, limits: Interval, before: ArrayLike, limits_before: Interval) -> Difference:
    """Interval of a difference from the two intervals, added in squares (Newcombe, 1998, method 10, for two rates).

    For quantiles it is the same recovery of variances from limits (Zou and Donner, 2008). p takes the nearer half as
    normal.

    >>> now, before = wilson(56 / 70, 70), wilson(48 / 80, 80)
    >>> [round(float(limit), 4) for limit in square_and_add(56 / 70, now, 48 / 80, before)[:2]]
    [0.0524, 0.3339]
    """
    value, low, high, before, low_before, high_before = _floats(value, *limits, before, *limits_before)
    change = value - before
    below = np.hypot(value - low, high_before - before)
    above = np.hypot(high - value, before - low_before)
    with np.errstate(all="ignore"):
        half = np.where(change >= 0, below, above)
        p = np.where(half > 0, 2 * special.ndtr(-Z * np.abs(change) / half), np.where(change == 0, 1.0, 0.0))
    return Difference(change - below, change + above, np.where(np.isnan(half), np.nan, p))


def false_discoveries(p: ArrayLike) -> Array:
    """Adjust p values for looking at many: Benjamini and Hochberg (1995); a finding keeps the rate where it is <= 0.05.

    >>> false_discoveries([0.01, 0.04, 0.03, 0.2]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.2]
    """
    (p,) = _floats(p)
    order = np.argsort(p)
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.minimum.accumulate(ranked[::-1])[::-1]
    found = np.empty_like(p)
    found[order] = np.minimum(adjusted, 1.0)
    return found


def holm(p: ArrayLike) -> Array:
    """Adjust p values so that any false finding at all is rare: Holm (1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    (p,) = _floats(p)
    order = np.argsort(p)
    ranked = p[order] * np.arange(len(p), 0, -1)
    found = np.empty_like(p)
    found[order] = np.minimum(np.maximum.accumulate(ranked), 1.0)
    return found
