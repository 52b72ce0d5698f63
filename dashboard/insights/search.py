"""Which slices moved a number: a ranked search over all members of all dimensions, and all pairs of them.

Each slice is asked two questions: did its own values change (`rate`), did its share of the whole (`mix`)? A count has
one: did it bring more (`rate`)? Hundreds of questions find something in any noise, so an answer counts only if it stands
out against all of them at once: the days are dealt out anew to the two periods, whole and each weekday among its like,
and the largest statistic of every deal is what an answer is measured against (Westfall & Young 1993, maxT). Whole
days, because the incidents of a day are not independent of each other.

The search then takes the strongest answer, removes what it explains from the data, and looks again, so that one change
is told once and not again for every slice that overlaps with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dashboard.insights import bridge

RESAMPLES = 999
SEED = 20250102
LEVEL = 0.05
LEAST_SHARE = 0.01
"""A slice smaller than this share of all incidents is not looked at."""
LEAST = 30
"""Nor is one of fewer incidents."""
MOST_FINDINGS = 5
AS_GOOD = 0.85
"""A simpler slice is told instead of a pair within it, if its statistic is at least this share of the pair's."""
MATTERS = 0.1
"""A finding explains at least this share of the change, or of what chance alone would change."""
LEAST_DAYS = 14
"""Days that each period needs, for the dealing to have enough to deal."""

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


Progress = Callable[[float], object]


class Search(NamedTuple):
    """What a search found, and how much it looked at."""

    findings: pl.DataFrame
    """The strongest first: `by_1`, `member_1`, `by_2`, `member_2` (null for a single slice, all null for everything),
    `kind` (`rate` or `mix`), `contribution` to the change, `share_before`, `share_now`, `value_before`, `value_now`,
    `weight_before`, `weight_now`, `statistic`, `p`."""
    looked_at: int
    """How many questions were asked; 0 if a period has too few days for an answer."""
    resamples: int


def ranked(
    rows: pl.DataFrame,
    days: pl.DataFrame,
    by: Sequence[str],
    *,
    is_count: bool = False,
    is_duration: bool = False,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    progress: Progress = lambda _: None,
) -> Search:
    """Search for the slices that moved a number.

    Args:
        rows: any grouping of the incidents: `day`, the columns of `by`, `weight` (what the KPI divides by; for a count
            what it counts) and `amount` (its value times the weight; not read for a count).
        days: every day of both periods: `day`, `is_now`.
        by: the dimensions; null is a member.
        is_count: the number is a count.
        is_duration: the number is a mean of hours, and a row holds incidents of one duration: they are looked at as
            logarithms, too, because a few long ones hide in a mean what happened to all others.
        resamples: how often the days are dealt out anew.
        seed: of the dealing.
        progress: told the share that is done.
    """
    ordered = days.sort("day")
    is_now = ordered["is_now"].to_numpy()
    if min(is_now.sum(), (~is_now).sum()) < LEAST_DAYS or rows.is_empty():
        return Search(_frame([]), 0, resamples)
    board = _board(rows, ordered, by, is_count, is_duration, lambda done: progress(0.6 * done))
    asked = board.statistics()
    highest = _highest(asked, ordered, resamples, seed, lambda done: progress(0.6 + 0.3 * done))
    found = _chosen(board, asked, highest)
    progress(1.0)
    return Search(_frame(found), int((asked.scale > 0).sum()), resamples)


class _Slice(NamedTuple):
    """One candidate: dimension -> member, and where its rows are."""

    members: dict[str, object]
    table: int
    place: int

    def is_within(self, other: _Slice) -> bool:
        """Say whether another slice is less narrow and holds it."""
        return len(other.members) < len(self.members) and other.members.items() <= self.members.items()


@dataclass
class _Board:
    """The rows, and the daily sums of every slice: a row per day, a column per slice, everything first."""

    day: NDArray[np.int32]
    values: list[Floats]
    """Of each row: weight, amount, and for durations the sum of their logarithms."""
    is_now: NDArray[np.bool_]
    weekday: NDArray[np.int8]
    is_count: bool
    slices: list[_Slice]
    places: list[NDArray[np.int16]]
    """For each table, each row's place among its slices; one beyond the last for rows in none."""
    sizes: list[int]
    sums: list[Floats]
    """The daily sums of each of the values."""

    @property
    def weights(self) -> Floats:
        """Daily sums of the weight."""
        return self.sums[0]

    def statistics(self) -> _Asked:
        """Ask every slice its questions: the sum over the days of now of what is unusual in it, standardised."""
        if self.is_count:
            return _Asked(self, self.weights, ["rate"])
        totals = self.weights.sum(axis=0)
        mix = self.weights - totals / totals[0] * self.weights[:, :1]
        own = [sums - _over(sums.sum(axis=0), totals) * self.weights for sums in self.sums[1:]]
        return _Asked(self, np.hstack([mix, *own]), ["mix", *(["rate"] * len(own))])

    def rows_of(self, column: int, *, now: bool) -> Whole:
        """Find the rows of a slice in one period."""
        one = self.slices[column]
        return np.flatnonzero((self.places[one.table] == one.place) & (self.is_now[self.day] == now))

    def explain(self, column: int, kind: str) -> None:
        """Take out of the data what a finding explains: now is made as before in it."""
        before, now = (self._totals(column, now=period) for period in (False, True))
        if kind == "rate" and not self.is_count:
            rows = self.rows_of(column, now=True)
            weight = self.values[0][rows]
            shifts = _over(before, before[0]) - _over(now, now[0])
            self._change(rows, [0.0 * weight, *(shift * weight for shift in shifts[1:])])
            return
        paces = [self._pace(column, now=period) for period in (False, True)]
        # What is no more is taken out of before; otherwise now is thinned out or thickened.
        rows = self.rows_of(column, now=paces[1] > 0)
        factor = paces[0] / paces[1] if paces[1] > 0 else 0.0
        self._change(rows, [(factor - 1) * values[rows] for values in self.values])

    def _change(self, rows: Whole, changes: list[Floats]) -> None:
        for values, change in zip(self.values, changes, strict=True):
            values[rows] += change
        first = 0
        for places, size in zip(self.places, self.sizes, strict=True):
            added = _summed(self.day[rows], places[rows], changes, len(self.is_now), size)
            for sums, one in zip(self.sums, added, strict=True):
                sums[:, first : first + size] += one
            first += size

    def _totals(self, column: int, *, now: bool) -> Floats:
        return np.array([sums[self.is_now == now, column].sum() for sums in self.sums])

    def _pace(self, column: int, *, now: bool) -> float:
        """Give a slice's odds in the whole, or what it counts per weekday-weighted day."""
        own, whole = self._totals(column, now=now)[0], self._totals(0, now=now)[0]
        if self.is_count:
            return float(own / self._length(now=now))
        return float(own / max(whole - own, 1e-9))

    def _length(self, *, now: bool) -> float:
        """Weekday-weighted days of a period, as `bridge.counts` has them."""
        everything = self.weights[:, 0]
        usual = np.array([everything[self.weekday == one].mean() for one in self.weekday])
        return float(usual[self.is_now == now].sum()) or 1.0

    def holding(self, column: int) -> list[int]:
        """Find the simpler slices that hold one, the narrowest first."""
        one = self.slices[column]
        wider = [at for at, other in enumerate(self.slices) if one.is_within(other)]
        return sorted(wider, key=lambda at: -len(self.slices[at].members))

    def bridge(self, column: int) -> pl.DataFrame:
        """Split the change between a slice and the rest."""
        members: dict[str, object] = {"member": ["slice", "rest"]}
        for period, now in (("before", False), ("now", True)):
            own, whole = self._totals(column, now=now), self._totals(0, now=now)
            both = [own, whole - own if column else 0 * own]
            members[f"weight_{period}"] = [float(one[0]) for one in both]
            members[f"value_{period}"] = [
                float(one[0]) if self.is_count else float(one[1] / one[0]) if one[0] > 0 else None for one in both
            ]
        frame = pl.DataFrame(members, strict=False)
        if not self.is_count:
            return bridge.means(frame)
        days = pl.DataFrame({"weekday": self.weekday, "is_now": self.is_now, "count": self.weights[:, 0]})
        return bridge.counts(frame, bridge.by_weekday(days)).with_columns(pl.lit(0.0).alias("mix"))


def _over(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


class _Asked:
    """The answers of all slices to all questions, each standardised by what dealing out the days does to it."""

    def __init__(self, board: _Board, unusual: Floats, kinds: list[str]) -> None:
        self.kinds = kinds
        self.slices = len(board.slices)
        middle, variance = np.zeros(unusual.shape), np.zeros(unusual.shape[1])
        for weekday in range(1, 8):
            days = board.weekday == weekday
            known, chosen = int(days.sum()), int((days & board.is_now).sum())
            if known < 2:
                middle[days] = unusual[days]
                continue
            middle[days] = unusual[days].mean(axis=0)
            variance += chosen * (known - chosen) / known * unusual[days].var(axis=0, ddof=1)
        self.scale = np.sqrt(variance)
        # Noise of arithmetic is no variation.
        self.scale[self.scale < 1e-9 * np.abs(unusual).sum(axis=0)] = 0.0
        self.standard = np.divide(unusual - middle, self.scale, out=np.zeros(unusual.shape), where=self.scale > 0)
        self.observed = self.standard[board.is_now].sum(axis=0)

    def ranking(self) -> list[tuple[int, str, int]]:
        """Give slice, kind and place of each answer, the strongest first."""
        order = np.argsort(-np.abs(self.observed), kind="stable")
        return [(int(at) % self.slices, self.kinds[int(at) // self.slices], int(at)) for at in order]


def _highest(asked: _Asked, days: pl.DataFrame, resamples: int, seed: int, progress: Progress) -> Floats:
    """Deal out the days anew, whole and each weekday among its like; give the largest statistic of each deal."""
    rng = np.random.default_rng(seed)
    is_now, weekday = days["is_now"].to_numpy(), days["day"].dt.weekday().to_numpy()
    dealt = np.empty((resamples, len(is_now)))
    for one in range(1, 8):
        at = np.flatnonzero(weekday == one)
        dealt[:, at] = rng.permuted(np.tile(is_now[at].astype(np.float64), (resamples, 1)), axis=1)
    found = []
    for first in range(0, resamples, 100):
        found.append(np.abs(dealt[first : first + 100] @ asked.standard).max(axis=1))
        progress(min(1.0, (first + 100) / resamples))
    return np.sort(np.concatenate(found))


class _Finding(NamedTuple):
    """A slice, what it did, and how sure that is."""

    one: _Slice
    kind: str
    parts: pl.DataFrame
    contribution: float
    statistic: float
    p: float


def _chosen(board: _Board, asked: _Asked, highest: Floats) -> list[_Finding]:
    """Take the strongest answer that stands out, remove what it explains, and look again."""
    original = replace(board, sums=[sums.copy() for sums in board.sums])
    at_first = asked
    found: list[_Finding] = []
    taken: set[int] = set()
    while len(found) < MOST_FINDINGS:
        pick = _strongest(board, original, asked, at_first, highest, taken)
        if pick is None:
            break
        column, kind, place, p = pick
        taken.add(place)
        parts = original.bridge(column)
        found.append(
            _Finding(board.slices[column], kind, parts, _contribution(parts, kind), float(asked.observed[place]), p)
        )
        board.explain(column, kind)
        asked = board.statistics()
    return found


def _p(highest: Floats, statistic: float) -> float:
    beaten = len(highest) - np.searchsorted(highest, abs(statistic) * (1 - 1e-12), "left")
    return float(1 + beaten) / (len(highest) + 1)


def _strongest(
    board: _Board, original: _Board, asked: _Asked, at_first: _Asked, highest: Floats, taken: set[int]
) -> tuple[int, str, int, float] | None:
    """Find the strongest answer that is significant at first and still is, and that matters for the number."""
    everything = board.bridge(0)
    change = sum(everything[name].sum() for name in ("rate", "mix"))
    now, whole = board.weights[board.is_now, 0].sum(), board.weights[:, 0].sum()
    by_chance = at_first.scale[0 if board.is_count else len(board.slices)] * (
        2.0 if board.is_count else 1 / now + 1 / (whole - now) if 0 < now < whole else 0.0
    )
    enough = MATTERS * max(abs(change), by_chance)
    ranking = asked.ranking()
    for column, kind, place in ranking:
        p = max(_p(highest, asked.observed[place]), _p(highest, at_first.observed[place]))
        if p > LEVEL:
            if _p(highest, asked.observed[place]) > LEVEL:
                return None
            continue
        adds = _contribution(original.bridge(column), kind)
        # Where the typical and the mean duration went opposite ways, it is not this that moved the number.
        is_told = kind == "mix" or adds * asked.observed[place] > 0
        if place in taken or abs(adds) < enough or not is_told:
            continue
        for wider in board.holding(column):
            other = place - column + wider
            p_wider = max(_p(highest, asked.observed[other]), _p(highest, at_first.observed[other]))
            as_good = abs(asked.observed[other]) >= AS_GOOD * abs(asked.observed[place])
            if as_good and p_wider <= LEVEL and other not in taken:
                return wider, kind, other, p_wider
        return column, kind, place, p
    return None


def _contribution(parts: pl.DataFrame, kind: str) -> float:
    """What a slice adds: its own part, or all that its other share changed."""
    return float(parts["rate"][0] if kind == "rate" else parts["mix"].sum())


def _frame(found: list[_Finding]) -> pl.DataFrame:
    rows = []
    for one in found:
        names = [*one.one.members.items(), (None, None), (None, None)][:2]
        slice_ = one.parts.row(0, named=True)
        rows.append(
            {
                "by_1": names[0][0],
                "member_1": None if names[0][1] is None else str(names[0][1]),
                "by_2": names[1][0],
                "member_2": None if names[1][1] is None else str(names[1][1]),
                "kind": one.kind,
                "contribution": one.contribution,
                **{name: slice_.get(name) for name in MEASURES},
                "statistic": one.statistic,
                "p": one.p,
            }
        )
    text = dict.fromkeys(("by_1", "member_1", "by_2", "member_2", "kind"), pl.String)
    numbers = dict.fromkeys(("contribution", *MEASURES, "statistic", "p"), pl.Float64)
    return pl.DataFrame(rows, schema={**text, **numbers})


MEASURES = ("share_before", "share_now", "value_before", "value_now", "weight_before", "weight_now")


def _board(
    rows: pl.DataFrame, days: pl.DataFrame, by: Sequence[str], is_count: bool, is_duration: bool, progress: Progress
) -> _Board:
    size = days.height
    ordinals = days["day"].cast(pl.Int32).to_numpy()
    day = np.searchsorted(ordinals, rows["day"].cast(pl.Int32).to_numpy()).astype(np.int32)
    weight, amount = (rows[name].cast(pl.Float64).to_numpy().copy() for name in ("weight", "amount"))
    values = [weight] if is_count else [weight, amount]
    if is_duration:
        values.append(weight * np.log1p(np.maximum(60 * amount / weight, 0.0)))
    least = max(float(LEAST), LEAST_SHARE * float(weight.sum()))
    coded = [_encoded(rows[name], weight, least) for name in by]
    slices: list[_Slice] = []
    places, sizes = [], []
    sums: list[list[Floats]] = [[] for _ in values]
    choices = [(), *((at,) for at in range(len(by))), *itertools.combinations(range(len(by)), 2)]
    for table, chosen in enumerate(choices):
        packed = np.zeros(len(day), np.int32)
        members: list[tuple[object, ...]] = [()]
        for dimension in chosen:
            codes, known = coded[dimension]
            packed = packed * len(known) + codes
            members = [(*others, member) for others in members for member in known]
        totals = np.bincount(packed, weight, len(members))
        kept = [
            at
            for at, total in enumerate(totals.tolist())
            if not chosen or (total >= least and not any(one is _RARE for one in members[at]))
        ]
        lookup = np.full(len(members), len(kept), np.int16)
        lookup[kept] = np.arange(len(kept))
        places.append(lookup[packed])
        sizes.append(len(kept))
        slices += [
            _Slice(dict(zip((by[dimension] for dimension in chosen), members[at], strict=True)), table, place)
            for place, at in enumerate(kept)
        ]
        for of_days, one in zip(sums, _summed(day, places[-1], values, size, len(kept)), strict=True):
            of_days.append(one)
        progress((table + 1) / len(choices))
    weekday = days["day"].dt.weekday().to_numpy()
    all_sums = [np.hstack(of_days) for of_days in sums]
    return _Board(day, values, days["is_now"].to_numpy(), weekday, is_count, slices, places, sizes, all_sums)


_RARE = object()
"""The member that stands for all that are too rare."""


def _encoded(column: pl.Series, weight: Floats, least: float) -> tuple[NDArray[np.int16], list[object]]:
    """Give each row the number of its member, and the members; those too rare are one, the last."""
    text = column if column.dtype == pl.Categorical else column.cast(pl.String)
    names = text.drop_nulls().unique().cast(pl.String).sort()
    dense = text.cast(pl.Enum(names)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy() + 1
    totals = np.bincount(dense, weight)
    large = np.flatnonzero(totals >= least)
    numbers = np.full(len(totals), len(large), np.int16)
    numbers[large] = np.arange(len(large))
    members = [None, *names.to_list()]
    return numbers[dense], [*(members[code] for code in large.tolist()), _RARE]


def _summed(
    day: NDArray[np.int32], places: NDArray[np.int16], values: list[Floats], days: int, size: int
) -> list[Floats]:
    """Sum values by day and slice; the rows in none are summed apart and left out."""
    cells = day.astype(np.int64) * (size + 1) + places
    sums = (np.bincount(cells, one, days * (size + 1)).astype(np.float64) for one in values)
    return [one.reshape(days, size + 1)[:, :size] for one in sums]
