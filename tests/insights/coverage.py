"""How often the intervals hold the truth, and how often equal things are called changed: simulated on made-up durations
and on those of the real ServiceNow log.

`python -m tests.insights.coverage` measures it at length and writes COVERAGE.md beside this file; the tests measure less.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from dashboard.insights import intervals

LOG = Path(__file__).resolve().parents[3] / "shared/data/servicenow_uci/incident_event_log.csv.gz"
RECORD = Path(__file__).with_name("COVERAGE.md")
SEED = 20_260_101
SIZES = (30, 200, 2000)
SIGMAS = (1.0, 1.8)
SHARES = (0.5, 0.9, 0.03)
DAYS = 84
"""What a page shows by default: twelve weeks."""
Array = NDArray[np.float64]


class Real(NamedTuple):
    """The resolved incidents of the log, sorted by the day of their resolution."""

    hours: Array
    flags: dict[str, Array]
    first: NDArray[np.int64]
    """Where each day begins."""
    count: NDArray[np.int64]
    """How many it has."""


def real(log: Path) -> Real:
    """Read the last row of each incident of the log, without any of Meantime's own code."""
    columns = ["number", "opened_at", "resolved_at", "made_sla", "reassignment_count", "reopen_count", "sys_mod_count"]
    rows = pl.read_csv(log, infer_schema=False, columns=columns, null_values="?")
    last = rows.sort("number", pl.col("sys_mod_count").cast(pl.Int64)).group_by("number", maintain_order=True).last()
    found = (
        last.with_columns(pl.col("opened_at", "resolved_at").str.to_datetime("%d/%m/%Y %H:%M"))
        .drop_nulls("resolved_at")
        .with_columns(
            hours=(pl.col("resolved_at") - pl.col("opened_at")).dt.total_seconds() / 3600,
            day=pl.col("resolved_at").dt.date(),
        )
        .filter(pl.col("hours") >= 0)
        .sort("day", "number")
    )
    _, first, count = np.unique(found["day"].to_numpy(), return_index=True, return_counts=True)
    flags = {
        "target met": (found["made_sla"] == "true").to_numpy().astype(float),
        "not reassigned": (found["reassignment_count"] == "0").to_numpy().astype(float),
        "reopened": (found["reopen_count"] != "0").to_numpy().astype(float),
    }
    return Real(found["hours"].to_numpy(), flags, first.astype(np.int64), count.astype(np.int64))


class Draw(NamedTuple):
    """Samples of one size, a row each, with the day of every value, and the truth about where they come from."""

    hours: Array
    day: NDArray[np.int64]
    mean: float
    quantiles: dict[float, float]
    rates: dict[str, tuple[Array, float]]


def log_normal(rng: np.random.Generator, sigma: float, n: int, runs: int, days: int = DAYS) -> Draw:
    """Draw log-normal durations on days of chance."""
    hours = rng.lognormal(0.0, sigma, (runs, n))
    cuts = {share: float(np.exp(sigma * stats.norm.ppf(share))) for share in SHARES}
    return Draw(
        hours,
        rng.integers(0, days, (runs, n)),
        math.exp(sigma**2 / 2),
        {q: float(np.exp(sigma * stats.norm.ppf(q))) for q in (0.5, 0.9)},
        {f"{share:.0%}": ((hours <= cut).astype(float), share) for share, cut in cuts.items()},
    )


def _from(real: Real, chosen: NDArray[np.int64], day: NDArray[np.int64]) -> Draw:
    return Draw(
        real.hours[chosen],
        day,
        float(real.hours.mean()),
        {q: float(np.quantile(real.hours, q, method="inverted_cdf")) for q in (0.5, 0.9)},
        {name: (flag[chosen], float(flag.mean())) for name, flag in real.flags.items()},
    )


def resampled(rng: np.random.Generator, real: Real, n: int, runs: int, days: int = DAYS) -> Draw:
    """Draw real durations, each for itself, on days of chance."""
    return _from(real, rng.integers(0, len(real.hours), (runs, n)), rng.integers(0, days, (runs, n)))


def by_day(rng: np.random.Generator, real: Real, n: int, runs: int, days: int = DAYS) -> Draw:
    """Draw real days whole, and from all that they hold n incidents: busy days give more of them."""
    drawn = rng.integers(0, len(real.count), (runs, days))
    until = real.count[drawn].cumsum(axis=1)
    place = (rng.random((runs, n)) * until[:, -1:]).astype(np.int64)
    apart = np.arange(runs)[:, None] * (until.max() + 1)
    day = np.searchsorted((until + apart).ravel(), (place + apart).ravel(), side="right").reshape(runs, n)
    day -= np.arange(runs)[:, None] * days
    before = until - real.count[drawn]
    chosen = real.first[np.take_along_axis(drawn, day, 1)] + place - np.take_along_axis(before, day, 1)
    return _from(real, chosen, day)


def design_effect(values: Array, day: NDArray[np.int64], variance: Array) -> Array:
    """Sum each sample's days, and give its design effect."""
    runs, n = values.shape
    days = int(day.max()) + 1
    key = (np.arange(runs)[:, None] * days + day).ravel()
    sums = np.bincount(key, values.ravel(), runs * days).reshape(runs, days)
    counts = np.bincount(key, minlength=runs * days).reshape(runs, days).astype(float)
    return intervals.design_effect(
        n,
        sums.sum(1),
        variance,
        (counts > 0).sum(1),
        (sums**2).sum(1),
        (sums * counts).sum(1),
        (counts**2).sum(1),
    )


class Coverage(NamedTuple):
    """In what share of the samples that have limits these hold the truth, and what share that is."""

    held: float
    shown: float
    runs: int

    @property
    def error(self) -> float:
        """The Monte Carlo error of `held`: one standard error."""
        return math.sqrt(max(self.held * (1 - self.held), 1e-9) / max(self.runs * self.shown, 1))


def _coverage(low: Array, high: Array, truth: float) -> Coverage:
    """Count an end that is not shown as endless."""
    shown = np.isfinite(low) | np.isfinite(high)
    missed = (low > truth) | (high < truth)
    return Coverage(float(1 - missed[shown].mean()) if shown.any() else math.nan, float(shown.mean()), len(low))


def of_mean(draw: Draw) -> Coverage:
    """Cover the mean."""
    n = draw.hours.shape[1]
    mean, s = draw.hours.mean(1), draw.hours.std(1, ddof=1)
    skewness = ((draw.hours - mean[:, None]) ** 3).mean(1) / s**3
    found = intervals.mean_interval(mean, s, skewness, n, design_effect(draw.hours, draw.day, s**2))
    return _coverage(*found, draw.mean)


def of_quantile(draw: Draw, q: float) -> Coverage:
    """Cover a quantile."""
    runs, n = draw.hours.shape
    ordered = np.sort(draw.hours, axis=1)
    below = (draw.hours <= np.quantile(ordered, q, axis=1)[:, None]).astype(float)
    share = below.mean(1)
    ranks = intervals.quantile_ranks(np.full(runs, n), q, design_effect(below, draw.day, share * (1 - share)))
    low, high = (
        np.where(rank > 0, np.take_along_axis(ordered, np.maximum(rank - 1, 0)[:, None], 1)[:, 0], np.nan)
        for rank in ranks
    )
    return _coverage(low, high, draw.quantiles[q])


def of_rate(draw: Draw, name: str) -> Coverage:
    """Cover a rate."""
    is_so, truth = draw.rates[name]
    rate = is_so.mean(1)
    deff = np.nan_to_num(design_effect(is_so, draw.day, rate * (1 - rate)), nan=1.0)
    return _coverage(*intervals.wilson(rate, is_so.shape[1], deff), truth)


def halves(rng: np.random.Generator, real: Real, runs: int) -> dict[str, float]:
    """Split the real days into equal halves by chance, and give in what share of the splits they are called changed."""
    days = len(real.count)
    order = rng.random((runs, days)).argsort(axis=1)
    half = np.zeros((runs, days), dtype=bool)
    np.put_along_axis(half, order[:, : days // 2], values=True, axis=1)
    sides = (half, ~half if days % 2 == 0 else ~half & (order.argsort(axis=1) < days - 1))
    day = np.repeat(np.arange(days), real.count)
    means, rates = [_half_means(real.hours, real, side) for side in sides], {}
    found = {"mean": float(intervals.welch(*means[0], *means[1]).is_change.mean())}
    for name, flag in real.flags.items():
        rates[name] = [_half_rates(flag, real, side) for side in sides]
    sorted_by = real.hours.argsort(kind="stable")
    ordered, day = real.hours[sorted_by], day[sorted_by]
    for name, q in (("median", 0.5), ("90th percentile", 0.9)):
        rates[name] = [_half_quantiles(ordered, day, real, side, q) for side in sides]
    for name, ((value, limits), (other, other_limits)) in rates.items():
        found[name] = float(intervals.square_and_add(value, limits, other, other_limits).is_change.mean())
    return found


def _half_sums(values: Array, real: Real, side: NDArray[np.bool_]) -> tuple[Array, ...]:
    """n, sum and squares of the days that each half has, as the query sums them."""
    sums, counts = np.add.reduceat(values, real.first), real.count.astype(float)
    return tuple(side @ one for one in (counts, sums, sums**2, sums * counts, counts**2, np.ones(len(counts))))


def _half_means(values: Array, real: Real, side: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    n, total, s2, sn, n2, g = _half_sums(values, real, side)
    variance = (side @ np.add.reduceat(values**2, real.first) - total**2 / n) / (n - 1)
    deff = intervals.design_effect(n, total, variance, g, s2, sn, n2)
    return total / n, np.sqrt(variance * deff / n), n / deff


def _half_rates(values: Array, real: Real, side: NDArray[np.bool_]) -> tuple[Array, intervals.Interval]:
    n, total, s2, sn, n2, g = _half_sums(values, real, side)
    rate = total / n
    deff = intervals.design_effect(n, total, rate * (1 - rate), g, s2, sn, n2)
    return rate, intervals.wilson(rate, n, deff)


def _half_quantiles(
    ordered: Array, day: NDArray[np.int64], real: Real, side: NDArray[np.bool_], q: float
) -> tuple[Array, intervals.Interval]:
    value, low, high = (np.full(len(side), np.nan) for _ in range(3))
    for run, chosen in enumerate(side):
        kept = chosen[day]
        values, days = ordered[kept], day[kept]
        n = len(values)
        value[run] = np.quantile(values, q)
        sums = np.bincount(days[: np.searchsorted(values, value[run], side="right")], minlength=len(chosen)).astype(
            float
        )
        counts = np.where(chosen, real.count, 0).astype(float)
        share = sums.sum() / n
        deff = intervals.design_effect(
            n, sums.sum(), share * (1 - share), chosen.sum(), (sums**2).sum(), (sums * counts).sum(), (counts**2).sum()
        )
        ranks = intervals.quantile_ranks(n, q, deff)
        low[run] = values[ranks.low - 1] if ranks.low else np.nan
        high[run] = values[ranks.high - 1] if ranks.high else np.nan
    return value, intervals.Interval(low, high)


def counts_called_changed(rng: np.random.Generator, runs: int, spread: float, mean: float, days: int = DAYS) -> float:
    """Count what comes in by chance, fewer at weekends, twice as long; give how often the second count is called changed.

    Args:
        rng: chance.
        runs: how many pairs.
        spread: variance of a day's expected count ÷ its square; 0 is independent arrivals.
        mean: expected count of a working day.
        days: length of each of the two.
    """
    expected = mean * np.where(np.arange(days) % 7 < 5, 1.0, 0.2)
    rate = expected * (rng.gamma(1 / spread, spread, (2, runs, days)) if spread else np.ones((2, runs, days)))
    told = []
    for counts in rng.poisson(rate).astype(float):
        by_weekday = [counts[:, weekday::7].sum(1) for weekday in range(7)]
        total = counts.sum(1)
        told += [total, *intervals.count_error(total, by_weekday, (counts**2).sum(1), np.full(runs, days))]
    return float(intervals.welch(*told).is_change.mean())


def every(draw: Draw) -> Iterator[tuple[str, Coverage]]:
    """Cover all of it."""
    yield "mean", of_mean(draw)
    yield "median", of_quantile(draw, 0.5)
    yield "90th percentile", of_quantile(draw, 0.9)
    for name in draw.rates:
        yield f"rate: {name}", of_rate(draw, name)


RUNS = {30: 20_000, 200: 10_000, 2000: 4000}


def main() -> None:
    """Measure at length, and record it."""
    began = time.perf_counter()
    found = real(LOG)
    lines = [
        "# How often the intervals hold the truth",
        "",
        "Measured by `python -m tests.insights.coverage`. Each row: how many of 100 samples of n incidents have a 95 % interval",
        "that holds the truth, ± one Monte Carlo error; of those that have limits, in brackets how many these are if not all.",
        "Days are drawn with replacement from the days of the log, weekends and its thin end with them, and incidents from",
        "what they hold. UCI: Machine Learning Repository 498, CC BY 4.0, 23,000 resolved incidents.",
    ]
    for days in (84, 28, 7):
        lines += ["", f"## Over {days} days", ""]
        rows: dict[str, dict[tuple[str, int], str]] = {}
        heads: list[tuple[str, int]] = []
        for n in SIZES:
            rng = np.random.default_rng([SEED, days, n])
            runs = RUNS[n]
            for name, draw in (
                *((f"log-normal {sigma}", log_normal(rng, sigma, n, runs, days)) for sigma in SIGMAS),
                ("UCI, one by one", resampled(rng, found, n, runs, days)),
                ("UCI, by day", by_day(rng, found, n, runs, days)),
            ):
                heads.append((name, n))
                for what, one in every(draw):
                    shown = "" if one.shown >= 0.995 else f" ({one.shown:.0%})"
                    rows.setdefault(what, {})[name, n] = f"{one.held * 100:.1f} ± {one.error * 100:.1f}{shown}"
        for name in dict.fromkeys(name for name, _ in heads):
            lines += [f"| {name} | " + " | ".join(f"n = {n}" for n in SIZES) + " |", "| --- |" + " --- |" * len(SIZES)]
            for what, told in rows.items():
                if (name, SIZES[0]) in told:
                    lines.append(f"| {what} | " + " | ".join(told[name, n] for n in SIZES) + " |")
            lines.append("")
        lines.pop()
    runs = 4000
    lines += ["", "## Equal halves of the real days, called changed", ""]
    told = halves(np.random.default_rng([SEED, 1]), found, runs)
    lines += [
        f"- {name}: {share * 100:.1f} ± {math.sqrt(share * (1 - share) / runs) * 100:.1f} %"
        for name, share in told.items()
    ]
    lines += ["", "## Equal counts over twice 84 days, called changed", ""]
    for spread in (0.0, 0.1, 0.5):
        for mean in (1.0, 20.0, 200.0):
            share = counts_called_changed(np.random.default_rng([SEED, 2]), 20_000, spread, mean)
            lines.append(f"- {mean:g} a working day, days' spread {spread:g}: {share * 100:.1f} ± 0.2 %")
    RECORD.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{RECORD.name} written in {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
