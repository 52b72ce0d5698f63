"""Is the latest period out of the ordinary? Control charts that know how many incidents each period is made of.

A history is a frame with one row per period, in order: `since` (its first day), `days` (its length), `n` (incidents),
`mean` and `deviation` of what each adds (of log(1 + minutes) for durations), `is_comparable`. A count needs only n and
days; a single value, such as a backlog, stands in `mean`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from dashboard.insights.intervals import Array

LEAST, MOST = 20, 52
"""Comparable periods that a baseline needs, and has at most."""
RARE = 5.0
"""Where fewer are expected, limits are exact."""
BEYOND = 0.0027
"""What lies outside of three standard deviations of a normal distribution."""
RUN = 9
"""So many periods on one side of the centre line are a signal (Nelson, Journal of Quality Technology, 1984, rule 2)."""
FALSE_ALARMS = {
    "steady": 0.011,
    "resembling": 0.035,
}
"""How often the latest period alarms though nothing changed: simulated for both rules together, 52 periods of baseline
and 12 after it, on skewed durations, rates and counts with unequal n (`tests/insights/test_signals.py`): periods that do
not depend on each other, and periods that resemble their neighbours (autocorrelation 0.3)."""
KINDS = ("duration", "mean", "rate", "count", "single")


class Verdict(NamedTuple):
    """What the chart says of the latest comparable period."""

    is_signal: bool
    why: str
    """'above its limits', '9 in a row below the centre line'; empty within normal variation."""
    cannot: str
    """Why nothing can be said; empty if it can."""
    since: date | None = None
    until: date | None = None
    periods: int = 0
    """The baseline: its first and last period, and how many comparable ones it has."""


class Chart(NamedTuple):
    """A history with its limits, in the scale in which people see the values, and the verdict."""

    frame: pl.DataFrame
    """`since`, `value`, `centre`, `low`, `high`, `position` (in standard deviations), `is_comparable`, `is_signal`."""
    verdict: Verdict


def baseline(history: pl.DataFrame, tested_from: date, splits: Sequence[date] = ()) -> NDArray[np.bool_]:
    """Choose the frozen baseline: comparable periods before those that are looked at, since the last known change.

    Where that leaves fewer than LEAST, the looked-at ones but the last comparable one help out; never more than MOST.

    Args:
        history: the periods.
        tested_from: first day of the periods that are looked at.
        splits: days of known changes; periods that begin before the latest one are another process.
    """
    since = history["since"].to_numpy().astype("datetime64[D]")
    usable = history["is_comparable"].to_numpy().copy()
    places = np.flatnonzero(usable)
    if not len(places):
        return usable
    last = since[places[-1]]
    passed = [np.datetime64(split) for split in splits if np.datetime64(split) <= last]
    if passed:
        usable &= since >= max(passed)
    usable[places[-1]] = False
    before = usable & (since < np.datetime64(tested_from))
    chosen = before if before.sum() >= LEAST else usable
    kept = np.flatnonzero(chosen)[-MOST:]
    found = np.zeros_like(usable)
    found[kept] = True
    return found


def chart(history: pl.DataFrame, kind: str, in_baseline: NDArray[np.bool_], by_weekday: bool = False) -> Chart:
    """Draw limits from the baseline and judge every comparable period after it.

    Durations: mean log(1 + minutes), shown as a geometric mean in hours; rates: p'; counts: u', with the days as area
    (Laney, Quality Engineering, 2002); exact binomial or Poisson limits where fewer than RARE are expected; single
    values: XmR (Shewhart). Daily periods are divided by the weekday's usual level first.

    Raises:
        ValueError: the kind is none of KINDS.
    """
    if kind not in KINDS:
        raise ValueError(f"kind '{kind}' is not one of {', '.join(KINDS)}")
    n = history["n"].cast(pl.Float64).to_numpy()
    days = history["days"].cast(pl.Float64).to_numpy()
    x = n / days if kind == "count" else history["mean"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    weight = {"count": days, "single": np.ones_like(n)}.get(kind, n)
    usable = history["is_comparable"].to_numpy() & np.isfinite(x) & (weight > 0)
    chosen = in_baseline & usable
    if chosen.sum() < LEAST:
        return _silent(history, x, kind, f"{int(chosen.sum())} of {LEAST} comparable periods that a baseline needs")
    weekday = _weekday_levels(history, x, weight, chosen, kind) if by_weekday else None
    centre = np.full_like(x, np.average(x[chosen], weights=weight[chosen]))
    if weekday is not None:
        centre = centre + weekday if kind in ("duration", "mean") else centre * weekday
    sigma = _sigma(history, x, weight, centre, chosen, kind)
    with np.errstate(all="ignore"):
        position = (x - centre) / sigma
    low, high = centre - 3 * sigma, centre + 3 * sigma
    if kind in ("rate", "count"):
        position, low, high = _exact_where_rare(x, weight, centre, position, low, high, kind)
    beyond = usable & (np.abs(position) > 3)
    runs = _runs(position, usable)
    after = usable & ~chosen
    marked = after & (beyond | (np.abs(runs) >= RUN))
    frame = history.select("since", "is_comparable").with_columns(
        value=pl.Series(_shown(x, kind)),
        centre=pl.Series(_shown(centre, kind)),
        low=pl.Series(_shown(_floor(low, kind), kind)),
        high=pl.Series(_shown(np.minimum(high, 1.0) if kind == "rate" else high, kind)),
        position=pl.Series(position),
        is_signal=pl.Series(marked),
    )
    at = int(np.flatnonzero(usable)[-1])
    why = ""
    if beyond[at]:
        why = f"{'above' if position[at] > 0 else 'below'} its limits"
    elif abs(runs[at]) >= RUN:
        why = f"{int(abs(runs[at]))} in a row {'above' if runs[at] > 0 else 'below'} the centre line"
    kept = history.filter(pl.Series(chosen))["since"]
    return Chart(frame, Verdict(bool(why), why, "", kept[0], kept[-1], len(kept)))


def _silent(history: pl.DataFrame, x: Array, kind: str, cannot: str) -> Chart:
    nothing = pl.lit(None, pl.Float64)
    frame = history.select("since", "is_comparable").with_columns(
        value=pl.Series(_shown(x, kind)),
        centre=nothing,
        low=nothing,
        high=nothing,
        position=nothing,
        is_signal=pl.lit(value=False),
    )
    return Chart(frame, Verdict(False, "", cannot))


def _weekday_levels(history: pl.DataFrame, x: Array, weight: Array, chosen: NDArray[np.bool_], kind: str) -> Array:
    """Give each period what its weekday usually adds (log durations, means) or is multiplied by (all others)."""
    weekday = history["since"].dt.weekday().to_numpy()
    overall = np.average(x[chosen], weights=weight[chosen])
    adds = kind in ("duration", "mean")
    found = np.full_like(x, 0.0 if adds else 1.0)
    for day in range(1, 8):
        own = chosen & (weekday == day)
        if own.any() and weight[own].sum() > 0:
            level = np.average(x[own], weights=weight[own])
            found[weekday == day] = level - overall if adds else (level / overall if overall else 1.0)
    return found


def _sigma(
    history: pl.DataFrame, x: Array, weight: Array, centre: Array, chosen: NDArray[np.bool_], kind: str
) -> Array:
    """Give the standard deviation of each period's value: within periods, times how much more periods differ."""
    if kind == "single":
        moved = np.abs(np.diff((x - centre)[chosen])).mean() / 1.128
        return np.full_like(x, max(float(moved), 1e-12))
    if kind in ("duration", "mean"):
        n, s = weight[chosen], history["deviation"].cast(pl.Float64).fill_null(0.0).to_numpy()[chosen]
        within = np.full_like(x, np.sqrt(((n - 1) * s**2).sum() / max((n - 1).sum(), 1)))
    else:
        within = np.sqrt(centre * np.maximum(1 - centre, 0)) if kind == "rate" else np.sqrt(np.maximum(centre, 0))
    within = np.maximum(within, 1e-12)
    with np.errstate(all="ignore"):
        z = ((x - centre) * np.sqrt(weight) / within)[chosen]
        return max(1.0, float(np.abs(np.diff(z)).mean() / 1.128)) * within / np.sqrt(weight)


def _exact_where_rare(
    x: Array, weight: Array, centre: Array, position: Array, low: Array, high: Array, kind: str
) -> tuple[Array, Array, Array]:
    expected = np.minimum(weight * centre, weight * (1 - centre)) if kind == "rate" else weight * centre
    rare = expected < RARE
    if not rare.any():
        return position, low, high
    seen = np.round(np.nan_to_num(x * weight))

    def at_most(k: Array) -> Array:
        if kind == "count":
            return np.where(k < 0, 0.0, special.pdtr(np.maximum(k, 0), np.maximum(weight * centre, 1e-12)))
        inside = special.bdtr(np.clip(k, 0, weight), np.maximum(weight, 1).astype(np.int64), np.clip(centre, 0, 1))
        return np.where(k < 0, 0.0, np.where(k >= weight, 1.0, inside))

    tail = BEYOND / 2
    above, below = 1 - at_most(seen - 1), at_most(seen)
    with np.errstate(all="ignore"):
        score = np.where(above < below, -special.ndtri(above), special.ndtri(below))
    # Three standard deviations and a tail of half of 0.27 % are the same: scores compare with positions.
    position = np.where(rare, np.clip(np.nan_to_num(score), -9, 9), position)
    least, most = np.zeros_like(x), np.ceil(expected + 8 * np.sqrt(expected + 1) + 12)
    k_low, k_high = least.copy(), np.zeros_like(x)
    top = int(most[rare].max())
    for k in range(top, -1, -1):
        k_low = np.where(at_most(np.full_like(x, k)) > tail, k, k_low)
        k_high = np.where((1 - at_most(np.full_like(x, k - 1)) > tail) & (k_high == 0), k, k_high)
    return position, np.where(rare, k_low / weight, low), np.where(rare, k_high / weight, high)


def _runs(position: Array, usable: NDArray[np.bool_]) -> Array:
    """Give how many comparable periods in a row lie on one side, this one included; negative below the centre."""
    found = np.zeros_like(position)
    run = 0
    for at in np.flatnonzero(usable):
        side = int(np.sign(position[at]))
        run = run + side if side and side * run > 0 else side
        found[at] = run
    return found


def _floor(low: Array, kind: str) -> Array:
    return low if kind == "mean" else np.maximum(low, 0.0)


def _shown(x: Array, kind: str) -> Array:
    return np.expm1(x) / 60 if kind == "duration" else x
