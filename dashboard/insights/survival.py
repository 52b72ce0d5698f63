"""How long incidents stay open, with those that still are: Kaplan-Meier, Aalen-Johansen, log-rank, restricted means.

A history is a frame with one row per distinct time: `hours`, and how many left then by the event of interest (`events`),
by another way out (`others`) or were last seen open (`censored`). Events come before censoring at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from dashboard.insights.intervals import Array, Z

COLUMNS = ("hours", "events", "others", "censored")


class Curve(NamedTuple):
    """A step function of time: at and after `hours[k]` it is `value[k]`, before the first it is `start`."""

    hours: Array
    value: Array
    low: Array
    high: Array
    at_risk: NDArray[np.int64]
    start: float
    is_complete: bool
    """Nobody is open at the end: the last value holds for ever."""

    def at(self, hours: float) -> tuple[float, float, float]:
        """Give the value and its limits at a time; nan where nobody was watched for so long."""
        place = int(np.searchsorted(self.hours, hours, side="right")) - 1
        if place < 0:
            return self.start, self.start, self.start
        if hours > self.hours[-1] and not self.is_complete:
            return float("nan"), float("nan"), float("nan")
        return float(self.value[place]), float(self.low[place]), float(self.high[place])


class _Steps(NamedTuple):
    hours: Array
    events: Array
    others: Array
    left: Array
    at_risk: Array
    open: Array
    greenwood: Array


def _steps(history: pl.DataFrame) -> _Steps:
    ordered = history.select(pl.col(*COLUMNS).cast(pl.Float64)).sort("hours")
    hours, events, others, censored = (ordered[name].to_numpy() for name in COLUMNS)
    gone = np.cumsum(events + others + censored)
    total = gone[-1] if len(gone) else 0.0
    at_risk = total - np.concatenate([[0.0], gone[:-1]]) if len(gone) else gone
    left = events + others
    with np.errstate(all="ignore"):
        staying = np.cumprod(1 - left / at_risk)
        greenwood = np.cumsum(left / (at_risk * (at_risk - left)))
    return _Steps(hours, events, others, left, at_risk, staying, greenwood)


def still_open(history: pl.DataFrame) -> Curve:
    """Share still open, whichever way the others left: Kaplan and Meier (1958), with log-log limits.

    The limits are S^exp(±z·σ/ln S), σ² Greenwood's sum (Kalbfleisch and Prentice, 1980).
    """
    steps = _steps(history)
    with np.errstate(all="ignore"):
        half = Z * np.sqrt(steps.greenwood) / np.log(steps.open)
        low, high = steps.open ** np.exp(-half), steps.open ** np.exp(half)
    inside = (steps.open > 0) & (steps.open < 1)
    low, high = np.where(inside, low, steps.open), np.where(inside, high, steps.open)
    return Curve(steps.hours, steps.open, low, high, steps.at_risk.astype(np.int64), 1.0, _is_complete(steps))


def has_left(history: pl.DataFrame) -> Curve:
    """Share that left by the event of interest while others left otherwise: Aalen and Johansen (1978), log-log limits.

    Its variance is the delta method's (Dinse and Larson, Biometrika, 1986), the sums written as cumulative ones: linear
    in the number of times. The limits are F^exp(±z·σ/(F ln F)) (Choudhury, Statistics in Medicine, 2002).
    """
    steps = _steps(history)
    before = np.concatenate([[1.0], steps.open[:-1]]) if len(steps.open) else steps.open
    with np.errstate(all="ignore"):
        share = np.cumsum(before * steps.events / steps.at_risk)
        # Σ over times up to t of (F(t) - F(k))²·a + S(k-)²·b - 2·(F(t) - F(k))·S(k-)·c, opened into powers of F(t).
        a = np.where(steps.at_risk > steps.left, steps.left / (steps.at_risk * (steps.at_risk - steps.left)), 0.0)
        b = steps.events * (steps.at_risk - steps.events) / steps.at_risk**3
        c = steps.events / steps.at_risk**2
        variance = (
            share**2 * np.cumsum(a)
            - 2 * share * np.cumsum(share * a)
            + np.cumsum(share**2 * a)
            + np.cumsum(before**2 * b)
            - 2 * share * np.cumsum(before * c)
            + 2 * np.cumsum(share * before * c)
        )
        half = Z * np.sqrt(np.maximum(variance, 0)) / (share * np.log(share))
        low, high = share ** np.exp(-half), share ** np.exp(half)
    inside = (share > 0) & (share < 1)
    low, high = np.where(inside, low, share), np.where(inside, high, share)
    return Curve(steps.hours, share, low, high, steps.at_risk.astype(np.int64), 0.0, _is_complete(steps))


def _is_complete(steps: _Steps) -> bool:
    return bool(len(steps.open) and steps.open[-1] == 0)


class Quantile(NamedTuple):
    """Time by which a share has left, with limits; None where it was not reached within the follow-up."""

    hours: float | None
    low: float | None
    high: float | None
    follow_up: float


def quantile(curve: Curve, share: float) -> Quantile:
    """Time by which a share has left: where the curve, and where its limits, cross (Brookmeyer and Crowley, 1982)."""

    def first(values: Array) -> float | None:
        reached = np.flatnonzero(values <= 1 - share + 1e-12)
        return float(curve.hours[reached[0]]) if len(reached) else None

    follow_up = float(curve.hours[-1]) if len(curve.hours) else 0.0
    return Quantile(first(curve.value), first(curve.low), first(curve.high), follow_up)


class Restricted(NamedTuple):
    """Mean time open, counted up to a horizon, and its variance."""

    hours: float
    variance: float
    horizon: float


def restricted_mean(history: pl.DataFrame, horizon: float) -> Restricted:
    """Area under the curve of those still open up to a horizon (Irwin, 1949), with Greenwood's variance."""
    steps = _steps(history)
    kept = steps.hours <= horizon
    hours, staying = steps.hours[kept], steps.open[kept]
    edges = np.concatenate([[0.0], hours, [horizon]])
    areas = np.diff(edges) * np.concatenate([[1.0], staying])
    after = np.cumsum(areas[::-1])[::-1][1:]
    left, at_risk = steps.left[kept], steps.at_risk[kept]
    weight = np.divide(left, at_risk * (at_risk - left), out=np.zeros_like(left), where=at_risk > left)
    return Restricted(float(areas.sum()), float((after**2 * weight).sum()), horizon)


class Apart(NamedTuple):
    """Do groups stay open equally long? The log-rank test, never a verdict alone."""

    statistic: float
    freedom: int
    p: float


def log_rank(histories: Sequence[pl.DataFrame]) -> Apart:
    """Test whether all groups leave at the same pace: Mantel (1966), Peto and Peto (1972), for any number of groups."""
    steps = [_steps(history) for history in histories]
    hours = np.unique(np.concatenate([one.hours[one.left > 0] for one in steps]))
    left, at_risk = np.zeros((len(steps), len(hours))), np.zeros((len(steps), len(hours)))
    for place, one in enumerate(steps):
        events = one.left > 0
        left[place, np.searchsorted(hours, one.hours[events])] = one.left[events]
        at = np.searchsorted(one.hours, hours, side="left")
        at_risk[place] = np.where(at < len(one.hours), one.at_risk[np.minimum(at, len(one.hours) - 1)], 0.0)
    d, n = left.sum(axis=0), at_risk.sum(axis=0)
    difference = (left - at_risk * d / n).sum(axis=1)
    spread = np.divide(d * (n - d), n - 1, out=np.zeros_like(d), where=n > 1)
    share = at_risk / n
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    freedom = len(steps) - 1
    statistic = float(difference[:-1] @ np.linalg.pinv(covariance[:-1, :-1]) @ difference[:-1])
    return Apart(statistic, freedom, float(special.chdtrc(freedom, statistic)))


class Later(NamedTuple):
    """How many hours longer one group stays open than another, up to a horizon, with limits."""

    hours: float
    low: float
    high: float
    p: float


def restricted_difference(one: Restricted, other: Restricted) -> Later:
    """Difference of two restricted means with its 95 % interval (Royston and Parmar, 2013)."""
    change, error = one.hours - other.hours, float(np.sqrt(one.variance + other.variance))
    p = float(2 * special.ndtr(-abs(change) / error)) if error > 0 else float(change == 0)
    return Later(change, change - Z * error, change + Z * error, p)
