"""How long incidents stay open, those that still are counted: the cohort that was opened in a scope."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import polars as pl

from dashboard import query
from dashboard.insights import survival
from dashboard.insights.intervals import holm
from dashboard.insights.survival import COLUMNS, Apart, Later, Quantile, Restricted
from dashboard.query import SQL, Scope, Warehouse

EVENTS = {"resolved": ("mttr", "mttr_median", "mttr_p90"), "acknowledged": ("mtta", "mtta_median", "mtta_p90")}
"""How an incident leaves -> the KPIs that look at those only that left so."""
AFTER = (1.0, 4.0, 24.0, 72.0, 168.0)
"""Hours after which it is asked who is still there."""
HORIZON = 720.0
"""Hours up to which the means of groups count, at most: 30 days."""
DRAWN = 160
"""Times at which a curve is drawn, evenly on a log scale."""
MOST_GROUPS = 5
LEAST_GROUP = 20
"""Smaller groups have no curve of their own."""


class After(NamedTuple):
    """Who is still there a while after opening, and who has left how; limits are those of 95 %, nan beyond the follow-up."""

    hours: float
    open: float
    low: float
    high: float
    left: float
    left_low: float
    left_high: float
    at_risk: int

    @property
    def otherwise(self) -> float:
        """Share that has left another way: the rest, without what the last digits of a sum leave of nothing."""
        return max(round(1 - self.open - self.left, 12), 0.0)


class Naive(NamedTuple):
    """What the finished incidents alone say, in hours."""

    n: int
    mean: float | None
    median: float | None
    p90: float | None


class Lives(NamedTuple):
    """A cohort's stay."""

    n: int
    """Incidents opened, tests apart, whose end or last sight is known."""
    left: int
    """Of them resolved, or acknowledged."""
    otherwise: int
    """Of them gone another way: cancelled or merged; or resolved without anybody having taken them on."""
    still: int
    """Of them not gone when they were last seen."""
    unknown: int
    """Not in n: their stamps are impossible."""
    only_closed: int
    """Of those resolved only closed: the closing is taken, which may be later."""
    after: tuple[After, ...]
    curve: pl.DataFrame
    """`hours`, `open`, `low`, `high`: to be drawn."""
    median: Quantile
    p90: Quantile
    mean: Restricted
    """Up to the longest that any of them was watched."""


class Cohort(NamedTuple):
    """A cohort's stay beside what is usually said of it."""

    lives: Lives
    naive: Naive


class Pair(NamedTuple):
    """Two groups set side by side: how much longer the first stays open, and the log-rank p adjusted for all pairs."""

    one: str | None
    other: str | None
    later: Later
    p: float


class Groups(NamedTuple):
    """The members of a column with their stays, the most frequent first, and whether they differ."""

    members: tuple[tuple[str | None, Lives], ...]
    left_out: int
    """Members that are not compared: too small, or beyond the five largest."""
    apart: Apart | None
    """One test for all of them; None for a single one."""
    pairs: tuple[Pair, ...]
    """The greatest difference first."""
    horizon: float
    """Hours up to which the pairs' means count: as long as every group was watched, 30 days at most."""


def cohort(warehouse: Warehouse, scope: Scope, event: str) -> Cohort:
    """Follow the incidents that were opened in a scope until they were resolved, or acknowledged.

    Leaving by cancellation or merge ends a stay too; the open ones are censored at their source's as-of, those deleted
    at the source when they were last seen.

    Raises:
        QueryError: the event is none of EVENTS.
    """
    rows = _rows(warehouse, scope, event, None)
    return Cohort(_lives(rows), _naive(warehouse, scope, event))


def closed_only(warehouse: Warehouse) -> list[str]:
    """Name the sources that show no open incident from their last 30 days: no curve can correct for what they leave out."""
    return warehouse.stored("closed_only")["source"].to_list()


def groups(warehouse: Warehouse, scope: Scope, event: str, column: str) -> Groups:
    """Set the members of a column side by side.

    Raises:
        QueryError: the event is none of EVENTS, or the column has many values or does not exist.
    """
    if column in query.MANY_VALUED:
        raise query.QueryError(f"column '{column}' has many values for one incident: its groups overlap")
    rows = _rows(warehouse, scope, event, column)
    sizes = rows.filter(pl.col("minutes").is_not_null()).group_by("member").agg(n=pl.sum_horizontal(*COLUMNS[1:]).sum())
    sizes = sizes.sort(["n", "member"], descending=[True, False])
    chosen = sizes.filter(pl.col("n") >= LEAST_GROUP)["member"].to_list()[:MOST_GROUPS]
    parts = {member: rows.filter(pl.col("member").eq_missing(pl.lit(member))) for member in chosen}
    histories = {member: _history(part) for member, part in parts.items()}
    horizon = min([HORIZON, *(_watched(history) for history in histories.values())])
    members = tuple((member, _lives(part)) for member, part in parts.items())
    return Groups(members, sizes.height - len(chosen), *_compared(histories, horizon), horizon)


def _rows(warehouse: Warehouse, scope: Scope, event: str, column: str | None) -> pl.DataFrame:
    if event not in EVENTS:
        raise query.QueryError(f"event '{event}' is not one of {', '.join(EVENTS)}")
    member = f"i.{query.column(warehouse, 'incidents', column)}::varchar" if column else "null::varchar"
    text = (SQL / "lives.sql").read_text(encoding="utf-8").replace("-- and the member", f"{member} as member")
    return query.within(warehouse, text, scope, {"event": event})


def _history(rows: pl.DataFrame) -> pl.DataFrame:
    known = rows.filter(pl.col("minutes").is_not_null())
    return known.select(hours=pl.col("minutes") / 60, events="events", others="others", censored="censored")


def _lives(rows: pl.DataFrame) -> Lives:
    history = _history(rows)
    left, otherwise, still = (int(history[name].sum()) for name in COLUMNS[1:])
    unknown = rows.filter(pl.col("minutes").is_null())
    stay, gone = survival.still_open(history), survival.has_left(history)
    return Lives(
        left + otherwise + still,
        left,
        otherwise,
        still,
        int(unknown.select(pl.sum_horizontal(*COLUMNS[1:]).sum()).item() or 0),
        int(rows["only_closed"].sum()),
        tuple(_after(stay, gone, hours) for hours in AFTER),
        _drawn(stay),
        survival.quantile(stay, 0.5),
        survival.quantile(stay, 0.9),
        survival.restricted_mean(history, float(stay.hours[-1]) if len(stay.hours) else 0.0),
    )


def _after(stay: survival.Curve, gone: survival.Curve, hours: float) -> After:
    place = int(np.searchsorted(stay.hours, hours, side="right"))
    at_risk = int(stay.at_risk[place]) if place < len(stay.at_risk) else 0
    return After(hours, *stay.at(hours), *gone.at(hours), at_risk)


def _drawn(stay: survival.Curve) -> pl.DataFrame:
    """Take the curve at times that are even on a log scale, from a minute on, as long as five are watched."""
    watched = stay.hours[stay.at_risk >= query.FEW]
    last = float(watched[-1]) if len(watched) else 0.0
    times = np.geomspace(1 / 60, last, DRAWN) if last > 1 / 60 else np.array([])
    told = [stay.at(float(hours)) for hours in times]
    return pl.DataFrame(
        [(float(hours), *values) for hours, values in zip(times, told, strict=True)],
        schema={"hours": pl.Float64, "open": pl.Float64, "low": pl.Float64, "high": pl.Float64},
        orient="row",
    )


def _naive(warehouse: Warehouse, scope: Scope, event: str) -> Naive:
    members = [query.kpi(warehouse, name) for name in EVENTS[event]]
    calls = [
        f'kpi.{members[0].name}_n(i)::bigint as "n"',
        *(f'kpi.{one.name}(i)::double as "{one.name}"' for one in members),
    ]
    text = (
        (SQL / "naive.sql")
        .read_text(encoding="utf-8")
        .replace("-- what is read", ",\n        ".join(f"i.{name}" for name in query.needed(warehouse, members)))
        .replace("-- the calls", ",\n    ".join(calls))
    )
    return Naive(*query.within(warehouse, text, scope).row(0))


def _watched(history: pl.DataFrame) -> float:
    """Say for how many hours a group was watched: for ever, where nobody is left."""
    last = history.row(-1, named=True)
    return float("inf") if not last["censored"] else float(last["hours"])


def _compared(histories: dict[str | None, pl.DataFrame], horizon: float) -> tuple[Apart | None, tuple[Pair, ...]]:
    if len(histories) < 2:
        return None, ()
    means = {member: survival.restricted_mean(one, horizon) for member, one in histories.items()}
    two = list(itertools.combinations(histories, 2))
    adjusted = holm([survival.log_rank([histories[one], histories[other]]).p for one, other in two])
    pairs = [_pair(one, other, means, float(p)) for (one, other), p in zip(two, adjusted, strict=True)]
    return survival.log_rank(list(histories.values())), tuple(sorted(pairs, key=lambda pair: -pair.later.hours))


def _pair(one: str | None, other: str | None, means: dict[str | None, Restricted], p: float) -> Pair:
    """Set the one that stays longer first."""
    longer, shorter = (one, other) if means[one].hours >= means[other].hours else (other, one)
    return Pair(longer, shorter, survival.restricted_difference(means[longer], means[shorter]), p)
