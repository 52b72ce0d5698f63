"""Is a period out of the ordinary? Control charts that know how many incidents each period is made of.

A history is a frame with one row per period, in order: `since` (its first day), `days` (its length), `n` (incidents),
`mean` and `deviation` of what each adds (of log(1 + minutes) for durations), `is_comparable`. A count needs only `n` and
`days`; a single value, such as a backlog, stands in `mean`.

Two rules signal: a period beyond three standard deviations, and a run on one side of the centre that is as unlikely as
nine tosses of a coin (Nelson, Journal of Quality Technology, 1984, rules 1 and 2).
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

KINDS = ("duration", "mean", "rate", "count", "single")
ADDING = ("duration", "mean")
"""Kinds to which a weekday adds; the others it multiplies."""
LEAST = 20
"""Comparable periods that a baseline needs; of days DAILY, for seven weekdays are estimated from them."""
DAILY = 56
MOST = {"day": 182, "week": 52, "month": 36, "quarter": 20, "year": 20}
"""Comparable periods that a baseline has at most, by grain: what was before says little of now."""
RARE = 5.0
"""Where fewer are expected, limits are exact."""
TAIL = float(special.ndtr(-3))
"""What lies beyond either limit: 0.135 %."""
RUN = 9
RESEMBLING = 0.5
"""Periods that correlate more with their neighbours than this have no chart: its limits would alarm all the time."""


CORRELATIONS = (0.0, 0.3, 0.6)
FALSE_ALARMS = {
    "periods": {20: (0.010, 0.038, 0.066), 52: (0.007, 0.028, 0.055)},
    "days": {56: (0.011, 0.031, 0.053), 182: (0.008, 0.023, 0.049)},
    "single": {20: (0.017, 0.048, 0.157), 52: (0.010, 0.031, 0.125)},
}
"""How often both rules together signal a period although nothing changed: by what is charted, by how many periods the
baseline has, and by how far neighbouring periods correlate (CORRELATIONS). Simulated on skewed durations, on shares and
counts, frequent and rare, with unequal n, 700 or 1,200 processes of 12 periods each; the worst kind counts. The test repeats it."""


class Verdict(NamedTuple):
    """What the chart says of one period."""

    rule: str
    """'limit', 'run', or '' within normal variation."""
    side: int
    """1 above the centre line, -1 below; 0 within normal variation."""
    length: int
    """Periods in the run; 1 beyond a limit."""
    cannot: str
    """Why nothing can be said: 'few' periods, all too 'alike', 'nothing' comparable; empty if it can."""

    @property
    def is_signal(self) -> bool:
        """Whether it is out of the ordinary."""
        return bool(self.rule)


class Baseline(NamedTuple):
    """The periods that the limits are made of."""

    since: date | None
    until: date | None
    """First day of the first and of the last period."""
    periods: int
    resemblance: float
    """Correlation of neighbouring periods; nan if there is no baseline."""


def false_alarms(kind: str, grain: str, found: Baseline) -> tuple[float, float]:
    """Give the simulated share of signals without a change: where periods are independent, and where they are as alike.

    The second is that of the next greater correlation that was simulated, at least 0.3: a baseline tells its own
    correlation only roughly.
    """
    rates = FALSE_ALARMS["single" if kind == "single" else "days" if grain == "day" else "periods"]
    steady, resembling, alike = rates[max(least for least in rates if least <= max(found.periods, min(rates)))]
    return steady, resembling if found.resemblance <= CORRELATIONS[1] else alike


class Chart(NamedTuple):
    """A history with its limits, in the scale in which people see the values, and the verdict on its last period."""

    frame: pl.DataFrame
    """`since`, `n`, `value`, `centre`, `low`, `high`, `is_comparable`, `in_baseline`, `rule`, `side`, `length`."""
    verdict: Verdict
    baseline: Baseline
    tested: date | None
    """First day of the period that the verdict is on: the last comparable one."""


def needed(grain: str) -> int:
    """Say how many comparable periods a baseline needs at least."""
    return DAILY if grain == "day" else LEAST


def may_suffice(periods: pl.DataFrame, grain: str, splits: Sequence[date] = ()) -> bool:
    """Say whether the periods (`since`, `is_comparable`) can give a baseline and one to test, if all have incidents."""
    comparable = periods.filter("is_comparable")["since"]
    passed = [split for split in splits if len(comparable) and split <= comparable[-1]]
    return int((comparable >= max(passed)).sum() if passed else len(comparable)) > needed(grain)


def chart(history: pl.DataFrame, kind: str, grain: str, tested_from: date, splits: Sequence[date] = ()) -> Chart:
    """Draw limits from the baseline and judge every comparable period that is not in it.

    Durations: mean log(1 + minutes), shown as a geometric mean in hours; rates: p'; counts: u', with the days as area
    (Laney, Quality Engineering, 2002); single values: XmR (Shewhart). Where fewer than RARE are expected, a count has
    the limits that a prediction from the baseline's own count gives (negative binomial, a share beta-binomial, Jeffreys'
    prior): they know how little a short baseline tells. Days are divided by their weekday's usual level first.

    Args:
        history: the periods.
        kind: one of KINDS.
        grain: what a period is.
        tested_from: first day of the periods that are looked at: the baseline comes before them, if that is enough.
        splits: days of known changes; periods that begin before the latest one are another process.

    Raises:
        ValueError: the kind is none of KINDS.
    """
    if kind not in KINDS:
        raise ValueError(f"kind '{kind}' is not one of {', '.join(KINDS)}")
    series = _series(history, kind)
    comparable, asked = history["is_comparable"].to_numpy(), (tested_from, grain, splits)
    chosen = _baseline(series, *asked)
    if not comparable.any():
        return _silent(series, kind, chosen, "nothing")
    if chosen.sum() < needed(grain):
        # Periods without incidents count as long as there are too few even with them.
        known = chosen if may_suffice(history, grain, splits) else _baseline(series._replace(usable=comparable), *asked)
        return _silent(series, kind, known, "few")
    level = _weekday_levels(series, chosen, kind) if grain == "day" else None
    centre = np.full_like(series.x, np.average(series.x[chosen], weights=series.weight[chosen]))
    if level is not None:
        centre = centre + level if kind in ADDING else centre * level
        centre = np.minimum(centre, 1.0) if kind == "rate" else centre
    sigma = _sigma(series, centre, chosen, kind)
    with np.errstate(all="ignore"):
        position = np.nan_to_num((series.x - centre) / sigma)
    alike = _resemblance(position[chosen])
    if alike > RESEMBLING:
        return _silent(series, kind, chosen, "alike", alike)
    limits = _Limits(position, centre - 3 * sigma, centre, centre + 3 * sigma, np.ones_like(position))
    if kind in ("rate", "count"):
        limits = _exact_where_rare(series, limits, chosen, kind)
    # What was before a known change has no limits, and is no signal.
    same = _is_same_process(series, splits)
    low, centre, high = (np.where(same, line, np.nan) for line in (limits.low, limits.centre, limits.high))
    limits = limits._replace(low=low, centre=centre, high=high)
    return _judged(series._replace(usable=series.usable & same), kind, chosen, alike, limits)


class _Series(NamedTuple):
    frame: pl.DataFrame
    x: Array
    weight: Array
    deviation: Array
    usable: NDArray[np.bool_]


def _is_same_process(series: _Series, splits: Sequence[date]) -> NDArray[np.bool_]:
    """Say which periods come after the last known change before the last one that can be judged."""
    since = series.frame["since"].to_numpy().astype("datetime64[D]")
    last = since[series.usable].max()
    passed = [np.datetime64(split) for split in splits if np.datetime64(split) <= last]
    return since >= max(passed) if passed else np.ones_like(series.usable)


class _Limits(NamedTuple):
    position: Array
    """In standard deviations from the centre."""
    low: Array
    centre: Array
    high: Array
    bits: Array
    """How many tosses of a coin it weighs to be on this side."""


def _series(history: pl.DataFrame, kind: str) -> _Series:
    n, days = (history[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in ("n", "days"))
    x = n / days if kind == "count" else history["mean"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    weight = {"count": days, "single": np.ones_like(n)}.get(kind, n)
    # A single incident has no deviation, and no say in what one usually is.
    deviation = history["deviation"].cast(pl.Float64).fill_null(0.0).fill_nan(0.0).to_numpy()
    usable = history["is_comparable"].to_numpy() & np.isfinite(x) & (weight > 0)
    return _Series(history.select("since", "n", "is_comparable"), x, weight, deviation, usable)


def _baseline(series: _Series, tested_from: date, grain: str, splits: Sequence[date]) -> NDArray[np.bool_]:
    """Choose what is frozen: the periods before those looked at, since the last known change.

    Where that leaves too few, the looked-at ones but the last one help out.
    """
    since = series.frame["since"].to_numpy().astype("datetime64[D]")
    usable = series.usable.copy()
    if not usable.any():
        return usable
    usable &= _is_same_process(series, splits)
    usable[np.flatnonzero(series.usable)[-1]] = False
    before = usable & (since < np.datetime64(tested_from))
    chosen = before if before.sum() >= needed(grain) else usable
    found = np.zeros_like(usable)
    found[np.flatnonzero(chosen)[-MOST[grain] :]] = True
    return found


def _judged(series: _Series, kind: str, chosen: NDArray[np.bool_], alike: float, limits: _Limits) -> Chart:
    length, weighed = _runs(limits, series.usable)
    tested = series.usable & ~chosen
    beyond, in_run = tested & (np.abs(limits.position) > 3), tested & (weighed >= RUN)
    rule = np.where(beyond, "limit", np.where(in_run, "run", ""))
    frame = series.frame.with_columns(
        value=pl.Series(_shown(series.x, kind)),
        centre=pl.Series(_shown(limits.centre, kind)),
        low=pl.Series(_shown(limits.low if kind == "mean" else np.maximum(limits.low, 0.0), kind)),
        high=pl.Series(_shown(np.minimum(limits.high, 1.0) if kind == "rate" else limits.high, kind)),
        in_baseline=pl.Series(chosen),
        rule=pl.Series(rule),
        side=pl.Series(np.where(rule == "", 0, np.sign(limits.position)).astype(np.int64)),
        length=pl.Series(np.where(beyond, 1, np.where(in_run, length, 0)).astype(np.int64)),
    ).with_columns(pl.col("value", "centre", "low", "high").fill_nan(None))
    last = frame.row(int(np.flatnonzero(series.usable)[-1]), named=True)
    verdict = Verdict(last["rule"], last["side"], last["length"], "")
    return Chart(frame, verdict, _stated(series, chosen, alike), last["since"])


def _stated(series: _Series, chosen: NDArray[np.bool_], alike: float) -> Baseline:
    kept = series.frame["since"].filter(pl.Series(chosen))
    return Baseline(kept[0] if len(kept) else None, kept[-1] if len(kept) else None, len(kept), alike)


def _silent(series: _Series, kind: str, chosen: NDArray[np.bool_], cannot: str, alike: float = float("nan")) -> Chart:
    nothing = pl.lit(None, pl.Float64)
    frame = series.frame.with_columns(
        value=pl.Series(_shown(series.x, kind)),
        centre=nothing,
        low=nothing,
        high=nothing,
        in_baseline=pl.Series(chosen),
        rule=pl.lit(""),
        side=pl.lit(0, pl.Int64),
        length=pl.lit(0, pl.Int64),
    )
    tested = series.frame["since"].filter(pl.Series(series.usable)).max()
    return Chart(frame, Verdict("", 0, 0, cannot), _stated(series, chosen, alike), tested)  # type: ignore[arg-type]


def _weekday_levels(series: _Series, chosen: NDArray[np.bool_], kind: str) -> Array:
    """Give each day what its weekday usually adds (to log durations and means), or is multiplied by.

    Half an incident at the overall level is taken as seen: a weekday that had none yet may have one.
    """
    weekday = series.frame["since"].dt.weekday().to_numpy()
    x, weight = series.x, series.weight
    overall = float(np.average(x[chosen], weights=weight[chosen]))
    adds = kind in ADDING
    found = np.full_like(x, 0.0 if adds else 1.0)
    for day in range(1, 8):
        own = chosen & (weekday == day)
        if not own.any():
            continue
        total, expected = float((x[own] * weight[own]).sum()), float(weight[own].sum()) * overall
        if adds:
            found[weekday == day] = (total - expected) / weight[own].sum()
        elif kind == "single":
            found[weekday == day] = total / expected if expected else 1.0
        else:
            found[weekday == day] = (total + 0.5) / (expected + 0.5)
    return found


def _sigma(series: _Series, centre: Array, chosen: NDArray[np.bool_], kind: str) -> Array:
    """Give the standard deviation of each period's value: within periods, times how much more periods differ."""
    x, weight = series.x, series.weight
    if kind == "single":
        return np.full_like(x, max(float(np.abs(np.diff((x - centre)[chosen])).mean()) / 1.128, 1e-12))
    if kind in ADDING:
        n, s = weight[chosen], series.deviation[chosen]
        within = np.full_like(x, np.sqrt(((n - 1) * s**2).sum() / max((n - 1).sum(), 1)))
    elif kind == "rate":
        within = np.sqrt(np.maximum(centre * (1 - centre), 0))
    else:
        within = np.sqrt(np.maximum(centre, 0))
    within = np.maximum(within, 1e-12)
    with np.errstate(all="ignore"):
        z = ((x - centre) * np.sqrt(weight) / within)[chosen]
        return max(1.0, float(np.abs(np.diff(z)).mean() / 1.128)) * within / np.sqrt(weight)


def _resemblance(z: Array) -> float:
    """Correlation of neighbours in the baseline."""
    centred = z - z.mean()
    spread = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum()) / spread if spread > 1e-9 else 0.0


def _exact_where_rare(series: _Series, limits: _Limits, chosen: NDArray[np.bool_], kind: str) -> _Limits:
    """Replace positions, limits and the weight of a side where few are expected.

    A position becomes the normal score of the tail that it lies in, a side is that of its mid-p value, and being there
    counts as many tosses of a coin as it is unlikely: nine zeros in a row are no news where nine in ten are zero.
    """
    # Where nearly all are counted, those that are not are the rare ones.
    flips = kind == "rate" and float(np.average(limits.centre[chosen])) > 0.5
    share = 1 - limits.centre if flips else limits.centre
    expected = series.weight * share
    places = np.flatnonzero((expected < RARE) & series.usable)
    if not len(places):
        return limits
    seen = np.round(series.weight * (1 - series.x if flips else series.x))[places].astype(np.int64)
    most = int(min(max(seen.max(), 60), 2000))
    chances = _chances(series, share, chosen, kind, places, most)
    below, at = np.cumsum(chances, axis=1), chances
    rows, seen = np.arange(len(places)), np.minimum(seen, most)
    at_most, here = below[rows, seen], at[rows, seen]
    at_least = np.clip(1 - at_most + here, 0.0, 1.0)
    is_above = at_most - here / 2 > 0.5
    score = np.where(is_above, -special.ndtri(np.maximum(at_least, 1e-19)), special.ndtri(np.maximum(at_most, 1e-19)))
    # A common value is on its side, however little: the sign is the side's, the size that of the tail.
    score = np.where(is_above, np.maximum(score, 1e-9), np.minimum(score, -1e-9))
    side_above = below - at / 2 > 0.5
    chance = np.where(is_above, (at * side_above).sum(axis=1), (at * ~side_above).sum(axis=1))
    least = (below > TAIL).argmax(axis=1)
    greatest = most - ((1 - below + at) > TAIL)[:, ::-1].argmax(axis=1)
    position, low, high, bits = (one.copy() for one in (limits.position, limits.low, limits.high, limits.bits))
    weight = series.weight[places]
    position[places] = -score if flips else score
    low[places] = 1 - greatest / weight if flips else least / weight
    high[places] = 1 - least / weight if flips else greatest / weight
    bits[places] = -np.log2(np.clip(chance, 1e-12, 1.0))
    return _Limits(position, low, limits.centre, high, bits)


def _chances(
    series: _Series, share: Array, chosen: NDArray[np.bool_], kind: str, places: NDArray[np.int64], most: int
) -> Array:
    """Give the probability of each number from 0 to `most` in each period, predicted from the baseline's count."""
    k = np.arange(most + 1)[None, :]
    weight = series.weight
    total = float((weight * share)[chosen].sum())
    if kind == "count":
        average = float(np.average(share[chosen], weights=weight[chosen]))
        level = share / average if average > 0 else np.ones_like(share)
        area, all_area = (weight * level)[places][:, None], float((weight * level)[chosen].sum())
        shape, odds = total + 0.5, area / (area + all_area)
        log = special.gammaln(shape + k) - special.gammaln(shape) - special.gammaln(k + 1)
        return np.exp(log + shape * np.log1p(-odds) + k * np.log(odds))
    n, trials = np.round(weight[places])[:, None], float(weight[chosen].sum())
    p = np.clip((share[places][:, None] * trials + 0.5) / (trials + 1), 1e-12, 1 - 1e-12)
    a, b = p * (trials + 1), (1 - p) * (trials + 1)
    inside = k <= n
    kept = np.where(inside, k, 0)
    log = (
        special.gammaln(n + 1)
        - special.gammaln(kept + 1)
        - special.gammaln(n - kept + 1)
        + special.betaln(kept + a, n - kept + b)
        - special.betaln(a, b)
    )
    return np.where(inside, np.exp(log), 0.0)


def _runs(limits: _Limits, usable: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Array]:
    """Give how many comparable periods in a row lie on one side, this one included, and how many coins they weigh."""
    length, weighed = np.zeros(len(usable), dtype=np.int64), np.zeros(len(usable))
    run, weight, side = 0, 0.0, 0
    for at in np.flatnonzero(usable):
        now = int(np.sign(limits.position[at]))
        if now != side:
            run, weight, side = 0, 0.0, now
        if now:
            run, weight = run + 1, weight + limits.bits[at]
        length[at], weighed[at] = run, weight
    return length, weighed


def _shown(x: Array, kind: str) -> Array:
    return np.expm1(x) / 60 if kind == "duration" else x
