"""Made-up service desks in which something changes, or nothing does, on a known day: ground truth for a search."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

FIRST = date(2025, 1, 6)
DAYS = 168
PER_DAY = 60
"""Incidents on a usual working day; a Monday has a third more, a Sunday a tenth."""
WEEKDAYS = (1.35, 1.15, 1.05, 1.0, 0.8, 0.15, 0.1)
BY = ("group", "service", "priority", "channel", "category")


class Change(NamedTuple):
    """What changes half-way: the times of a slice, or how many of it there are, by a factor."""

    members: dict[str, str]
    kind: str
    factor: float
    measure: str = "mean"
    """How it is looked for: as a `mean` of hours, as a `share` above the 90th percentile, or as a `count`."""


def world(seed: int, change: Change | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give incidents and days as `search.ranked` takes them.

    Twelve weeks and the twelve before. Hours are log-normal (sigma 1.3), differ by priority and group, and days differ
    among themselves in both number and hours, so that the incidents of a day are not independent. Services belong to
    groups.
    """
    rng = np.random.default_rng(seed)
    usual = PER_DAY * np.array(WEEKDAYS)[np.arange(DAYS) % 7] * rng.lognormal(0, 0.15, DAYS)
    day = np.repeat(np.arange(DAYS), rng.poisson(usual))
    size = len(day)
    group = rng.choice(8, size, p=[0.3, 0.2, 0.15, 0.12, 0.1, 0.06, 0.04, 0.03])
    priority = rng.choice([1, 2, 3, 4], size, p=[0.05, 0.2, 0.6, 0.15])
    noise = rng.normal(0, 0.25, DAYS)[day] + rng.normal(0, 1.3, size)
    rows = pl.DataFrame(
        {
            "day": pl.Series(day).cast(pl.Int32),
            "is_now": day >= DAYS // 2,
            "group": group,
            "service": (group * 2 + rng.integers(0, 4, size)) % 12,
            "priority": priority,
            "channel": rng.choice(4, size, p=[0.5, 0.3, 0.15, 0.05]),
            "category": rng.integers(0, 6, size),
            "hours": 8 * np.exp(0.3 * (priority - 2.5) + 0.1 * (group - 3) + noise),
            "luck": rng.random(size),
        }
    ).with_columns(pl.col(BY).cast(pl.String))
    if change is not None:
        rows = _changed(rows, change)
    days = pl.DataFrame(
        {"day": [FIRST + timedelta(days=at) for at in range(DAYS)], "is_now": [at >= DAYS // 2 for at in range(DAYS)]}
    )
    dated = rows.with_columns((pl.lit(FIRST) + pl.duration(days=pl.col("day"))).cast(pl.Date).alias("day"))
    return dated.with_columns(pl.lit(1.0).alias("weight"), pl.col("hours").alias("amount")), days


def _changed(rows: pl.DataFrame, change: Change) -> pl.DataFrame:
    there = pl.all_horizontal(pl.col(by) == member for by, member in change.members.items())
    if change.kind == "rate" and change.measure != "count":
        slower = pl.when(there & pl.col("is_now")).then(pl.col("hours") * change.factor)
        return rows.with_columns(slower.otherwise("hours").alias("hours"))
    # More of them now is fewer of them before.
    return rows.filter(~(there & ~pl.col("is_now") & (pl.col("luck") > 1 / change.factor)))
