"""Whether a value differs from a target beyond chance, and how far it must for that to be seen: the rule, and its power.

Means of durations are judged on log hours: a single long incident decides a mean of hours, and hardly moves a mean of
logarithms. So a target for a mean is carried over to log hours once, by how far the mean of the days before lies above
their typical time; that distance is its `shape`. It is not known exactly: where durations have heavy tails (sigma 1.8, a
year of 40 a day), a mean that is just at the target is called off it one time in ten and not in twenty. Shares, and the share of durations within the target for a quantile, are
judged by the score test, whose limits are Wilson's (1927). Days are the clusters, as in `intervals`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import special

from dashboard.insights import intervals
from dashboard.insights.intervals import TAIL, Array

POWER = 0.8
REACH = intervals.Z + float(special.ndtri(POWER))
"""Standard errors that a change must be away to be seen with this power: 2.80."""
LEAST_DAYS = 20
"""Days with incidents without which nothing is said of what a target can tell."""
FEW = 5
"""Incidents without which nothing is said of chance."""
SPANS = {"month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
"""Days of the spans of which it is said what they can tell."""


class Baseline(NamedTuple):
    """What the days before a target were like."""

    days: int
    """Those with incidents."""
    n: int
    per_day: float
    """Incidents, over all days."""
    value: float
    """The KPI's own value: hours, or a share."""
    s: float
    """How far single incidents lie apart on the scale on which they are judged: log hours, or shares; of a quantile √(q(1-q))."""
    deff: float
    """How many times days enlarge the variance."""
    shape: float | None = None
    """Of a mean of durations: how far its logarithm lies above the mean of the logarithms."""
    quantile: float | None = None
    """The share whose quantile the KPI is, if it is one."""
    levels: tuple[float, ...] = ()
    """Of a quantile: the log hours at LEVELS shares from 0 to 1, from which its density is taken."""


LEVELS = 1001


class Reach(NamedTuple):
    """What a span of time can tell with a power of 80 %."""

    n: int
    low: float | None
    """At this or below, a value is told from the target; None where none is."""
    high: float | None
    """At this or above, likewise."""
    change: float | None
    """The smallest change on the days before that is seen: a ratio of durations, a difference of shares; None: none is."""


class Verdict(NamedTuple):
    """Where a value lies from its target beyond chance."""

    side: int
    """1 above it, -1 below it, 0 within chance of it or too few to say."""
    p: float
    """Probability of lying as far away where the target is just met; nan where nothing can be said."""
    typical: float | None
    """Of a mean of durations: the typical time, exp of the mean log, in hours."""
    typical_bound: float | None
    """What the target asks of it."""


class _Spread(NamedTuple):
    n: int
    days: int
    mean: float
    variance: float
    deff: float


def log_hours(hours: Array) -> Array:
    """Carry hours over to the scale of their logarithm: of 1 + minutes, as the control charts do, so that 0 has one."""
    return np.log1p(60 * hours)


def _hours(logarithm: float) -> float:
    return float(np.expm1(logarithm) / 60)


def _spread(day: Array, y: Array, variance: float | None = None) -> _Spread:
    n = len(y)
    _, place = np.unique(day, return_inverse=True)
    sums, counts = np.bincount(place, y), np.bincount(place).astype(np.float64)
    mean = float(y.mean()) if n else float("nan")
    own = float(y.var(ddof=1)) if n > 1 else float("nan")
    moments = ((sums**2).sum(), (sums * counts).sum(), (counts**2).sum())
    deff = float(intervals.design_effect(n, y.sum(), own, len(counts), *moments)) if n > 1 else float("nan")
    return _Spread(n, len(counts), mean, own if variance is None else variance, deff)


def is_summed(statistic: str) -> bool:
    """Say whether the sums of each day tell all of a KPI; of a quantile or a quotient each incident is looked at.

    >>> [is_summed(one) for one in ("mean", "rate", "ratio", "quantile 0.5")]
    [True, True, False, False]
    """
    return statistic in ("mean", "rate")


def by_day(rows: pl.DataFrame, unit: str) -> pl.DataFrame:
    """Sum incidents up by day: `day`, `n`, `x` (their values), `y` and `yy` (what is judged: log hours or shares, and squares).

    Args:
        rows: one row per incident, as for `baseline`.
        unit: `hours` or `share`.
    """
    judged = (60 * pl.col("value")).log1p() if unit == "hours" else pl.col("value")
    summed = rows.select("day", x="value", y=judged).group_by("day", maintain_order=True)
    return summed.agg(pl.len().alias("n"), pl.col("x", "y").sum(), (pl.col("y") ** 2).sum().alias("yy"))


def _spread_of(days: pl.DataFrame, variance: float | None = None) -> _Spread:
    counts, sums, squares = (days[name].to_numpy().astype(np.float64) for name in ("n", "y", "yy"))
    n, total = float(counts.sum()), float(sums.sum())
    mean = total / n if n else float("nan")
    own = max(float(squares.sum()) - n * mean**2, 0.0) / (n - 1) if n > 1 else float("nan")
    moments = ((sums**2).sum(), (sums * counts).sum(), (counts**2).sum())
    deff = float(intervals.design_effect(n, total, own, len(counts), *moments)) if n > 1 else float("nan")
    return _Spread(int(n), len(counts), mean, own if variance is None else variance, deff)


def _columns(rows: pl.DataFrame) -> tuple[Array, Array, Array]:
    day = rows["day"].to_physical().to_numpy()
    return day, rows["value"].to_numpy(), rows["weight"].to_numpy()


def _quantile(statistic: str) -> float | None:
    return float(statistic.split()[1]) if statistic.startswith("quantile") else None


def baseline(rows: pl.DataFrame, statistic: str, unit: str, days: int) -> Baseline | None:
    """Describe the incidents of the days before; None with fewer than 20 days of them.

    Args:
        rows: one row per incident: `day`, `value` (hours or a share), `weight` (what it counts for).
        statistic: `mean`, `rate`, `ratio` or `quantile <share>`.
        unit: `hours` or `share`.
        days: how many days the rows come from, those without incidents too.
    """
    if is_summed(statistic):
        return baseline_of_days(by_day(rows, unit), unit, days)
    day, x, w = _columns(rows)
    if len(np.unique(day)) < LEAST_DAYS:
        return None
    levels: tuple[float, ...] = ()
    if (q := _quantile(statistic)) is not None:
        value = float(np.quantile(x, q))
        spread = _spread(day, (x <= value).astype(np.float64))
        s = float(np.sqrt(q * (1 - q)))
        levels = tuple(np.quantile(log_hours(x), np.linspace(0, 1, LEVELS)).tolist())
    else:
        value = float((x * w).sum() / w.sum())
        spread = _spread(day, (x - value) * w / w.mean())
        s = float(np.sqrt(spread.variance))
    return Baseline(spread.days, spread.n, spread.n / days, value, s, spread.deff, None, q, levels)


def baseline_of_days(sums: pl.DataFrame, unit: str, days: int) -> Baseline | None:
    """Describe the same of a mean or a share from the sums of each day, as `by_day` has them."""
    if sums.height < LEAST_DAYS:
        return None
    spread = _spread_of(sums)
    value = float(sums["x"].sum()) / spread.n
    shape = float(np.log1p(60 * value) - spread.mean) if unit == "hours" else None
    s = float(np.sqrt(spread.variance))
    return Baseline(spread.days, spread.n, spread.n / days, value, s, spread.deff, shape)


def reach(base: Baseline, target: float, unit: str) -> dict[str, Reach]:
    """Say what a month, a quarter and a year can tell.

    2.80·s·√(deff/n₁) from a fixed target, 2.80·s·√(deff·(1/n₀ + 1/n₁)) from the n₀ incidents of the days before; of
    durations as a ratio, exp of that. A quantile's s is √(q(1-q)) divided by its density on log hours, which is taken
    over the very distance: below and above it differ.
    """
    found = {}
    for name, days in SPANS.items():
        n = max(base.per_day * days, 1.0)
        alone = REACH * base.s * float(np.sqrt(base.deff / n))
        both = REACH * base.s * float(np.sqrt(base.deff * (1 / base.n + 1 / n)))
        if unit != "hours":
            low, high = target - alone, target + alone
            found[name] = Reach(round(n), low if low > 0 else None, high if high < 1 else None, both)
            continue
        down, up = _distances(base, alone)
        changes = [one for one in _distances(base, both) if one is not None]
        at = float(np.log1p(60 * target))
        found[name] = Reach(
            round(n),
            None if down is None or down >= at else _hours(at - down),
            None if up is None else _hours(at + up),
            float(np.exp(sum(changes) / 2)) if len(changes) == 2 else None,
        )
    return found


def _distances(base: Baseline, width: float) -> tuple[float | None, float | None]:
    """How far on log hours all times must fall, and rise, to be seen."""
    q = base.quantile
    if q is None:
        return width, width
    # As many more within the target as the width says: those that lie just above it now.
    middle, beyond, short = (_level(base, q + shift) for shift in (0.0, width, -width))
    return (
        None if beyond is None or middle is None else beyond - middle,
        None if short is None or middle is None else middle - short,
    )


def _level(base: Baseline, share: float) -> float | None:
    return float(np.interp(share, np.linspace(0, 1, LEVELS), base.levels)) if 0 < share < 1 else None


def verdict(rows: pl.DataFrame, statistic: str, unit: str, target: float, shape: float | None = None) -> Verdict:
    """Judge incidents against a target: the rule of the tile. One chance in forty on each side where it is just met.

    Args:
        rows: as for `baseline`.
        statistic: likewise.
        unit: likewise.
        target: hours, or a share.
        shape: of the baseline; without one nothing can be said of a mean of durations.
    """
    if is_summed(statistic):
        return verdict_of_days(by_day(rows, unit), statistic, unit, target, shape)
    day, x, w = _columns(rows)
    if (q := _quantile(statistic)) is not None:
        # The more lie within the target, the lower is the quantile.
        spread = _spread(day, (x <= target).astype(np.float64), q * (1 - q))
        return _judged(spread, q, sign=-1, is_score=True)
    return _judged(_spread(day, (x - target) * w / (w.mean() if len(w) else 1.0)), 0.0)


def verdict_of_days(
    sums: pl.DataFrame, statistic: str, unit: str, target: float, shape: float | None = None
) -> Verdict:
    """Judge a mean or a share in the same way from the sums of each day, as `by_day` has them."""
    if unit != "hours":
        return _judged(_spread_of(sums, target * (1 - target)), target, is_score=statistic == "rate")
    if shape is None:
        return Verdict(0, float("nan"), None, None)
    spread, bound = _spread_of(sums), float(np.log1p(60 * target)) - shape
    typical = (_hours(spread.mean), max(_hours(bound), 0.0)) if spread.n else (None, None)
    return _judged(spread, bound, typical)


def _judged(
    spread: _Spread,
    bound: float,
    typical: tuple[float | None, float | None] = (None, None),
    *,
    sign: int = 1,
    is_score: bool = False,
) -> Verdict:
    error = np.sqrt(spread.variance * spread.deff / max(spread.n, 1))
    # As with an interval: less than one incident's worth says nothing.
    if spread.n < FEW or spread.n < spread.deff or not np.isfinite(error):
        return Verdict(0, float("nan"), *typical)
    away = sign * (spread.mean - bound)
    if error == 0:
        return Verdict(int(np.sign(away)), 0.0 if away else 1.0, *typical)
    z = float(away / error)
    freedom = 1e9 if is_score else max(spread.n / spread.deff - 1, 1.0)
    p = float(2 * special.stdtr(freedom, -abs(z)))
    return Verdict(int(np.sign(z)) if p < 2 * TAIL else 0, p, *typical)
