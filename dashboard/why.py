"""Why a KPI moved: the change between two comparable periods as parts that add up, and the slices that stand out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from dashboard import evidence, query
from dashboard.insights import bridge, intervals, search
from dashboard.periods import Comparison
from dashboard.query import Kpi, Number, Scope, Warehouse

SEARCHED = ("priority", "assignment_group", "service", "category", "channel", "source")
"""The dimensions that are searched, and all pairs of them."""
MOST_PARTS = 30
"""Members of a quantile that are told apart; the smaller ones are one part together."""
FALSE_DISCOVERIES = 0.05
"""What share of the findings of a list may be none."""
OTHERS = query.OTHERS
"""The part of the members that are told together."""


class Bridge(NamedTuple):
    """The change of a KPI between two periods, and what it is made of along one dimension."""

    kpi: Kpi
    by: str
    comparison: Comparison
    before: float
    now: float
    parts: pl.DataFrame
    """The largest first: `member` (null is one), `value_before`, `value_now`, `share_before`, `share_now` (null for
    counts), `n_before`, `n_now`, `calendar`, `rate`, `mix`, `part`, their sum. The parts add up to the change."""

    @property
    def change(self) -> float:
        """How much more it is now."""
        return self.now - self.before

    @property
    def calendar(self) -> float:
        """What the other number of days, weekday for weekday, changed; 0 for what is no count."""
        return float(self.parts["calendar"].sum())


def can_be_split(one: Kpi) -> bool:
    """Say whether the change of a KPI is a sum of parts: for all but the quantiles of a stock."""
    return one.fact == "incidents" or evidence.quantile(one) is None


def bridges(
    warehouse: Warehouse, name: str, scope: Scope, by: Sequence[str], known: query.Change | None = None
) -> dict[str, Bridge]:
    """Split the change of a KPI along each of the columns, or what is `known` of it; empty where nothing can be compared."""
    one = query.kpi(warehouse, name)
    change = known or query.changes(warehouse, [name], scope, limits=False).get(name)
    if change is None or change.difference is None or not can_be_split(one):
        return {}
    before, now = change.before.value, change.now.value
    assert before is not None
    assert now is not None
    compared = change.comparison
    return {
        column: Bridge(one, column, compared, before, now, _parts(warehouse, one, scope, column, compared, members))
        for column, members in query.two_periods(warehouse, name, scope, by, compared).items()
    }


class Mover(NamedTuple):
    """A member's own value in both periods, and how many incidents it is of now."""

    member: str | None
    before: float
    now: float
    n: int

    @property
    def change(self) -> float:
        """How much more it is now."""
        return self.now - self.before


def movers(bridge: Bridge, most: int = 5) -> list[Mover]:
    """Rank the members whose own value changed for the worse, the most first; neither of a few incidents nor told together.

    Where neither is better, rising is what is looked for.
    """
    worse = -1 if bridge.kpi.better == "higher" else 1
    enough = max if bridge.kpi.is_count else min
    found = [
        Mover(part["member"], part["value_before"] or 0.0, part["value_now"] or 0.0, part["n_now"])
        for part in bridge.parts.iter_rows(named=True)
        if part["member"] != OTHERS
        and enough(part["n_before"], part["n_now"]) >= query.FEW
        and (bridge.kpi.is_count or None not in (part["value_before"], part["value_now"]))
    ]
    ranked = sorted(found, key=lambda one: (-worse * one.change, str(one.member)))
    return [one for one in ranked if worse * one.change > 0][:most]


class Heaviest(NamedTuple):
    """The incidents that weigh most in a change: of now where it rose, of before where it fell."""

    rows: pl.DataFrame
    """The columns of a list of incidents, `adds` in the KPI's unit, and `part`, what it adds to the change; null for a
    quantile, which has no such parts."""
    is_of_now: bool
    change: float

    @property
    def part(self) -> float:
        """What they add together."""
        return float(self.rows["part"].sum())


MOST_HEAVY = 5


def can_be_weighed(one: Kpi) -> bool:
    """Say whether incidents weigh differently: in a share or a count each is as heavy as the next."""
    return query.has_spread(one)


def heaviest(
    warehouse: Warehouse, name: str, scope: Scope, compared: Comparison, before: float, now: float, n: int
) -> Heaviest:
    """Find the incidents that weigh most in the change of a mean.

    A change M₁ − M₀ is exactly Σ (xᵢ − M₀)/n₁ over the incidents of now, and Σ (M₁ − xⱼ)/n₀ over those of before.

    Args:
        warehouse: the published version.
        name: the KPI.
        scope: what is shown; the days are those of `compared`.
        compared: both periods.
        before: the KPI before.
        now: the KPI now.
        n: incidents of now if it rose, else of before.
    """
    one = query.kpi(warehouse, name)
    is_of_now = now >= before
    days = (compared.since, compared.until) if is_of_now else (compared.before_since, compared.before_until)
    rows = query.extremes(warehouse, name, scope.within(*days), limit=MOST_HEAVY)
    part = (pl.col("adds") - before) / n if is_of_now else (now - pl.col("adds")) / n
    has_parts = evidence.quantile(one) is None
    rows = rows.with_columns((part if has_parts else pl.lit(None, pl.Float64)).alias("part"))
    return Heaviest(rows, is_of_now, now - before)


class Changed(NamedTuple):
    """A member whose own value changed beyond chance, with the 95 % interval of that."""

    member: str | None
    value: float
    low: float
    high: float
    p: float
    """Adjusted for all members that were looked at."""


class OneByOne(NamedTuple):
    """The members of a column looked at one by one."""

    looked_at: int
    changed: list[Changed]
    """The surest first."""
    numbers: dict[str | None, dict[str, Number]]
    """Each member's value `now` and `before`, with n and limits."""


def one_by_one(warehouse: Warehouse, name: str, scope: Scope, by: str) -> OneByOne | None:
    """Judge each member's own change by the interval of the difference, false discoveries held to 5 % among all of them.

    None where there is nothing to compare, or no interval: stocks have none.
    """
    one, compared = query.kpi(warehouse, name), query.comparison(warehouse, name, scope)
    if compared is None or compared.reason or one.fact == "incident_days":
        return None
    judged, numbers = [], {}
    for member, now, before in query.by_member(warehouse, name, scope, by, compared):
        numbers[member] = {"now": now, "before": before}
        settled = max if one.is_count else min
        difference = evidence.difference(one, now, before)
        if difference is not None and settled(now.n, before.n) >= query.FEW:
            judged.append(Changed(member, now.value or 0.0, *difference))
    adjusted = intervals.false_discoveries([found.p for found in judged])
    changed = [found._replace(p=float(p)) for found, p in zip(judged, adjusted, strict=True) if p <= FALSE_DISCOVERIES]
    return OneByOne(len(judged), sorted(changed, key=lambda found: found.p), numbers)


def _parts(
    warehouse: Warehouse, one: Kpi, scope: Scope, column: str, compared: Comparison, members: pl.DataFrame
) -> pl.DataFrame:
    if one.is_count:
        parts = _of_count(warehouse, one, scope, compared, members)
    elif (quantile := evidence.quantile(one)) is not None:
        parts = _of_quantile(warehouse, one, scope, column, compared, members, quantile)
    elif one.name == "backlog_mean":
        # A mean over days, of counts: its members add up as they are.
        parts = _as_they_are(members)
    else:
        parts = bridge.means(members)
    for name in ("share_before", "share_now", "calendar", "rate", "mix"):
        if name not in parts.columns:
            parts = parts.with_columns(pl.lit(None if name.startswith("share") else 0.0, pl.Float64).alias(name))
    parts = parts.with_columns(pl.sum_horizontal("calendar", "rate", "mix").alias("part"))
    return parts.sort(pl.col("part").abs(), "member", descending=[True, False], nulls_last=True)


def _as_they_are(members: pl.DataFrame) -> pl.DataFrame:
    return members.with_columns(
        (pl.col("value_now").fill_null(0.0) - pl.col("value_before").fill_null(0.0)).alias("rate")
    )


def _of_count(
    warehouse: Warehouse, one: Kpi, scope: Scope, compared: Comparison, members: pl.DataFrame
) -> pl.DataFrame:
    if one.fact == "incident_days":
        return _as_they_are(members)
    reach = scope.within(compared.before_since, compared.until)
    counted = query.values(warehouse, [one.name], reach, grain="day").select(day="period", count="value")
    days = (
        days_of(compared)
        .join(counted, on="day", how="left")
        .with_columns(pl.col("count").fill_null(0.0), pl.col("day").dt.weekday().alias("weekday"))
    )
    return bridge.counts(members, bridge.by_weekday(days))


def days_of(compared: Comparison) -> pl.DataFrame:
    """Name every day of both periods: `day`, `is_now`."""
    ranges = ((compared.before_since, compared.before_until, False), (compared.since, compared.until, True))
    return pl.concat(
        pl.DataFrame({"day": [since + timedelta(days=at) for at in range((until - since).days + 1)]}).with_columns(
            pl.lit(is_now).alias("is_now")
        )
        for since, until, is_now in ranges
    )


def _each(warehouse: Warehouse, name: str, scope: Scope, by: Sequence[str], compared: Comparison) -> pl.DataFrame:
    """Give what each incident of both periods adds."""
    rows = query.each(warehouse, name, scope.within(compared.before_since, compared.until), by)
    between = pl.col("day").is_between(compared.before_until, compared.since, closed="none")
    return rows.filter(~between)


def _of_quantile(
    warehouse: Warehouse,
    one: Kpi,
    scope: Scope,
    column: str,
    compared: Comparison,
    members: pl.DataFrame,
    quantile: float,
) -> pl.DataFrame:
    ranked = members.sort(pl.col("n_before") + pl.col("n_now"), "member", descending=[True, False], nulls_last=True)
    told = ranked["member"].to_list() if ranked.height <= MOST_PARTS else ranked["member"][: MOST_PARTS - 1].to_list()
    values = _each(warehouse, one.name, scope, (column,), compared).select(
        pl.col(column).cast(pl.String).alias("member"),
        pl.col("day").is_between(compared.since, compared.until).alias("is_now"),
        "value",
    )
    if len(told) < ranked.height:
        kept = pl.col("member").is_in([name for name in told if name is not None])
        values = values.with_columns(
            pl.when(kept | (pl.col("member").is_null() & pl.lit(None in told)))
            .then("member")
            .otherwise(pl.lit(OTHERS))
            .alias("member")
        )
    parts = bridge.quantiles(values, quantile)
    return parts.with_columns(
        pl.col("weight_before").cast(pl.Int64).alias("n_before"), pl.col("weight_now").cast(pl.Int64).alias("n_now")
    )


class Found(NamedTuple):
    """What a search over all slices found."""

    kpi: Kpi
    findings: pl.DataFrame
    """As `insights.search.Search` has them; of a quantile the values are shares above `threshold`."""
    looked_at: int
    resamples: int
    threshold: float | None = None
    """For a quantile: its value over both periods together, in hours."""


def can_be_searched(one: Kpi) -> bool:
    """Say whether slices can be searched: days of a stock are no deals of each other."""
    return one.fact == "incidents"


def stand_out(
    warehouse: Warehouse, name: str, scope: Scope, progress: search.Progress = lambda _: None
) -> Found | None:
    """Search all slices for those that moved a KPI; None where there is nothing to compare.

    A slice that the scope fixes to one member is not asked: it is everything.
    """
    one = query.kpi(warehouse, name)
    compared = query.comparison(warehouse, name, scope)
    if compared is None or compared.reason or not can_be_searched(one):
        return None
    fixed = {column for column, members in scope.where if len(members) == 1}
    by = [column for column in SEARCHED if column not in fixed]
    rows = _each(warehouse, name, scope, by, compared)
    progress(0.2)
    quantile = evidence.quantile(one)
    threshold = rows["value"].quantile(quantile, "linear") if quantile is not None and rows.height else None
    value = pl.col("value") if threshold is None else (pl.col("value") > threshold).cast(pl.Float64)
    rows = rows.select("day", *by, "weight", (value * pl.col("weight")).alias("amount"))
    found = search.ranked(
        rows,
        days_of(compared),
        by,
        is_count=one.is_count,
        is_duration=one.unit == "hours" and threshold is None,
        progress=lambda done: progress(0.2 + 0.8 * done),
    )
    return Found(one, found.findings, found.looked_at, found.resamples, threshold)
