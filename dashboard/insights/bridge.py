"""Why a number moved between two periods: its change as a sum of parts, one for each member of a dimension.

A part has two causes: the member's own values changed (`rate`), or its share of the whole did (`mix`). All parts of all
causes add up to the change, exactly. The arithmetic of means is the midpoint (Marshall–Edgeworth) form of the
decomposition that Kitagawa (1955) gave for rates; quantiles have no such sums, so their parts are Shapley values
(Shapley 1953), whose sum is the change by construction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

EXACT = 8
"""Up to so many parts every subset is looked at; beyond, random orders are averaged."""
ORDERS = 12
"""Random orders, each taken forwards and backwards."""
SEED = 20250101

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]


def means(members: pl.DataFrame) -> pl.DataFrame:
    """Split the change of a mean, a rate or a quotient of sums.

    rate = ½(w₀ + w₁)·(m₁ − m₀) and mix = (w₁ − w₀)·(½(m₀ + m₁) − M), where w are shares of the denominator, m the
    members' values and M the mean of both periods' values. A member that is absent in one period takes its value from
    the other, so that it has no rate.

    Args:
        members: `member`; `weight_before`, `weight_now`: what the KPI divides by; `value_before`, `value_now`: null
            where the weight is 0.

    Returns:
        The same with `share_before`, `share_now`, `rate`, `mix`, in the KPI's own unit.
    """
    shared = members.filter(pl.col("weight_before") + pl.col("weight_now") > 0).with_columns(
        (pl.col(f"weight_{period}") / pl.col(f"weight_{period}").sum()).alias(f"share_{period}")
        for period in ("before", "now")
    )
    before = pl.coalesce("value_before", "value_now")
    now = pl.coalesce("value_now", "value_before")
    whole = ((pl.col("share_before") * before).sum() + (pl.col("share_now") * now).sum()) / 2
    return shared.with_columns(
        ((pl.col("share_before") + pl.col("share_now")) / 2 * (now - before)).alias("rate"),
        ((pl.col("share_now") - pl.col("share_before")) * ((before + now) / 2 - whole)).alias("mix"),
    )


def counts(members: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Split the change of a count, the calendar first.

    A period's length is its weekday-weighted days: the sum over its days of what such a weekday brings in both periods
    together. The `calendar` part is what the other length alone would have changed, the `rate` part what the member
    brought more per such day.

    Args:
        members: `member`, `value_before`, `value_now`.
        days: for each `weekday` `days_before`, `days_now`, `count_before`, `count_now`.

    Returns:
        The members with `calendar` and `rate`.
    """
    usual = (pl.col("count_before") + pl.col("count_now")) / (pl.col("days_before") + pl.col("days_now"))
    lengths = days.filter(pl.col("days_before") + pl.col("days_now") > 0).select(
        (usual * pl.col("days_before")).sum().alias("before"), (usual * pl.col("days_now")).sum().alias("now")
    )
    before, now = lengths.row(0)
    if not before or not now:
        return members.with_columns(
            pl.lit(0.0).alias("calendar"),
            (pl.col("value_now").fill_null(0.0) - pl.col("value_before").fill_null(0.0)).alias("rate"),
        )
    pace_before, pace_now = pl.col("value_before").fill_null(0.0) / before, pl.col("value_now").fill_null(0.0) / now
    return members.with_columns(
        ((pace_before + pace_now) / 2 * (now - before)).alias("calendar"),
        ((pace_now - pace_before) * (before + now) / 2).alias("rate"),
    )


def by_weekday(days: pl.DataFrame) -> pl.DataFrame:
    """Count days and what they bring by weekday, as `counts` wants them, from `weekday`, `is_now`, `count`."""
    now = pl.col("is_now")
    return days.group_by("weekday", maintain_order=True).agg(
        (~now).sum().alias("days_before"),
        now.sum().alias("days_now"),
        pl.col("count").filter(~now).sum().alias("count_before"),
        pl.col("count").filter(now).sum().alias("count_now"),
    )


def quantiles(values: pl.DataFrame, quantile: float, *, orders: int = ORDERS, seed: int = SEED) -> pl.DataFrame:
    """Split the change of a quantile of all values.

    What is split is the quantile of the mixture Σ w_k·F_k of the members' distributions. `mix` and `rate` are the
    Shapley values of two players, new shares and new values; each is split among the members by the Shapley values of
    who has the new one, averaged over both states of the other. Interpolated as `quantile_cont` interpolates, so both
    ends are the KPI's own values.

    Args:
        values: one row per incident: `member`, `is_now`, `value`.
        quantile: between 0 and 1.
        orders: random orders for more members than are split exactly.
        seed: of these orders.

    Returns:
        `member`, `weight_before`, `weight_now` (incidents), `share_before`, `share_now`, `value_before`, `value_now`
        (the member's own quantile; null where it has none), `rate`, `mix`, in the unit of the values.

    Raises:
        ValueError: a period has no values.
    """
    mixture = _Mixture(values, quantile)
    size = len(mixture.members)
    rate, mix = np.zeros(size), np.zeros(size)
    for state in (False, True):
        other = np.full(size, state)
        rate += _shapley(partial(mixture.at, other), size, orders, seed) / 2
        mix += _shapley(partial(mixture.at, new_values=other), size, orders, seed) / 2
    own = [[mixture.own(place, period) for place in range(size)] for period in (False, True)]
    return pl.DataFrame(
        {
            "member": mixture.members,
            "weight_before": mixture.sizes[:, 0],
            "weight_now": mixture.sizes[:, 1],
            "share_before": mixture.shares[:, 0],
            "share_now": mixture.shares[:, 1],
            "value_before": pl.Series(own[0], dtype=pl.Float64),
            "value_now": pl.Series(own[1], dtype=pl.Float64),
            "rate": rate,
            "mix": mix,
        }
    )


class _Mixture:
    """The members' values of both periods, sorted, and quantiles of any mixture of them."""

    def __init__(self, values: pl.DataFrame, quantile: float) -> None:
        self.quantile = quantile
        sorted_values = values.sort("value").select("member", "is_now", pl.col("value").cast(pl.Float64))
        parts = sorted_values.partition_by("member", "is_now", as_dict=True, include_key=False)
        self.members = sorted({member for member, _ in parts}, key=lambda member: (member is None, str(member)))
        self.sizes = np.array(
            [
                [parts[key].height if (key := (member, is_now)) in parts else 0 for is_now in (False, True)]
                for member in self.members
            ]
        ).reshape(-1, 2)
        if not self.sizes.size or not self.sizes.sum(axis=0).all():
            raise ValueError("a quantile can be split only if both periods have values")
        self.shares: Floats = self.sizes / self.sizes.sum(axis=0)
        # A member that is absent in one period takes its values from the other.
        self.values: list[list[Floats]] = [
            [
                parts[(member, period) if (member, period) in parts else (member, not period)]["value"].to_numpy()
                for period in (False, True)
            ]
            for member in self.members
        ]
        self.known = np.unique(np.concatenate([one for pair in self.values for one in pair]))

    def own(self, place: int, is_now: bool) -> float | None:
        """Give a member's own quantile in a period; None if it is absent."""
        if not self.sizes[place, int(is_now)]:
            return None
        return float(np.quantile(self.values[place][int(is_now)], self.quantile))

    def at(self, new_shares: Masks, new_values: Masks) -> Floats:
        """Give the quantiles of mixtures; a row of masks says which members have their new share or new values."""
        new_shares, new_values = np.broadcast_arrays(np.atleast_2d(new_shares), np.atleast_2d(new_values))
        shares = np.where(new_shares, self.shares[:, 1], self.shares[:, 0])
        # Where only absent members are left, each stands with the mean of its two shares.
        shares = np.where(shares.sum(axis=1, keepdims=True) > 0, shares, self.shares.mean(axis=1))
        held = np.where(new_values, *([len(pair[period]) for pair in self.values] for period in (1, 0)))
        weights = shares / held
        there = weights > 0
        ends = np.where(new_values, *([pair[period][-1] for pair in self.values] for period in (1, 0)))
        last = np.where(there, ends, -np.inf).max(axis=1)
        # The place of the quantile among the weights, where the last value ends the scale and does not lengthen it.
        target = self.quantile * self._around(last, weights, new_values).before_last
        low, high = np.zeros(len(weights), dtype=np.int64), np.full(len(weights), len(self.known))
        while (high - low > 1).any():
            middle = (low + high) // 2
            fits = self._below(self.known[middle], weights, new_values) <= target
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        found = self.known[low]
        around = self._around(found, weights, new_values)
        beyond = np.clip((target - around.before_last) / around.each, 0.0, 1.0)
        return found + np.where(beyond > 0, beyond * (np.minimum(around.following, last) - found), 0.0)

    def _below(self, value: Floats, weights: Floats, new_values: Masks) -> Floats:
        """Weigh what lies below a value, for each mixture."""
        below = np.zeros(len(value))
        for place, pair in enumerate(self.values):
            for period in (False, True):
                rows = np.flatnonzero(new_values[:, place] == period)
                if rows.size:
                    below[rows] += weights[rows, place] * np.searchsorted(pair[int(period)], value[rows], "left")
        return below

    def _around(self, value: Floats, weights: Floats, new_values: Masks) -> _Around:
        """Weigh what lies below a value and at it, for each mixture."""
        below = self._below(value, weights, new_values)
        at, tied = np.zeros(len(value)), np.zeros(len(value))
        following = np.full(len(value), np.inf)
        for place, pair in enumerate(self.values):
            for period in (False, True):
                rows = np.flatnonzero((new_values[:, place] == period) & (weights[:, place] > 0))
                if not rows.size:
                    continue
                own = pair[int(period)]
                left, right = (np.searchsorted(own, value[rows], side) for side in ("left", "right"))
                weight = weights[rows, place]
                at[rows] += weight * (right - left)
                tied[rows] += right - left
                after = np.where(right < len(own), own[np.minimum(right, len(own) - 1)], np.inf)
                following[rows] = np.minimum(following[rows], after)
        each = at / np.maximum(tied, 1)
        return _Around(below + at - each, np.where(each > 0, each, 1.0), following)


class _Around(NamedTuple):
    """Weights around a value in each mixture: before the last of those tied at it, and of one of these."""

    before_last: Floats
    each: Floats
    following: Floats
    """The next value that the mixture has."""


def _shapley(worth: Callable[[Masks], Floats], players: int, orders: int, seed: int) -> Floats:
    """Share out what all players together change, each paid its mean change over the orders in which they join."""
    if players <= EXACT:
        masks = np.array([[number >> player & 1 for player in range(players)] for number in range(2**players)], bool)
        worths = worth(masks)
        sizes = masks.sum(axis=1)
        odds = np.array([1 / (players * math.comb(players - 1, size)) for size in range(players)])
        paid = np.zeros(players)
        for player in range(players):
            without = np.flatnonzero(~masks[:, player])
            gains = worths[without + (1 << player)] - worths[without]
            paid[player] = (odds[sizes[without]] * gains).sum()
        return paid
    rng = np.random.default_rng(seed)
    forwards = np.array([rng.permutation(players) for _ in range(orders)])
    joined = np.concatenate([forwards, forwards[:, ::-1]])
    ranks = np.argsort(joined, axis=1)
    # One row for each number of those who have joined, in each order.
    masks = ranks[:, None, :] < np.arange(players + 1)[:, None]
    worths = worth(masks.reshape(-1, players)).reshape(len(joined), players + 1)
    return np.take_along_axis(np.diff(worths, axis=1), ranks, axis=1).mean(axis=0)
