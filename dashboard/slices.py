"""A KPI by any one or two dimensions: the members told apart, the rest honestly together, and what each is set against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from dashboard import evidence, exploring, query
from dashboard.periods import Comparison
from dashboard.query import Bounds, Incidents, Kpi, Members, Number, Point, Scope, Warehouse


class Cell(NamedTuple):
    """A KPI of one member of each dimension, and of what that is set against."""

    members: Members
    now: Number
    before: Number | None = None
    difference: tuple[float, float, float] | None = None
    """Limits of the difference and its p; None where none can be given."""


class Cut(NamedTuple):
    """A KPI by members."""

    cells: tuple[Cell, ...]
    rest: tuple[int, ...]
    """For each dimension how many members are told together."""
    comparison: Comparison | None = None
    """The days that are set against each other, if days are; with its reason if they may not be."""

    @property
    def n(self) -> int:
        """Incidents in all."""
        return sum(cell.now.n for cell in self.cells)


class Courses(NamedTuple):
    """A KPI over time by members."""

    points: dict[Members, list[Point]]
    rest: tuple[int, ...]
    before: dict[Members, list[Point]]
    """The same members of what they are set against."""


class Spreads(NamedTuple):
    """How durations or numbers are spread, by members: `low`, `high`, `n`."""

    bins: dict[Members, pl.DataFrame]
    rest: tuple[int, ...]
    before: dict[Members, pl.DataFrame]
    """The same members of what they are set against."""


def told_apart(
    warehouse: Warehouse, name: str, scope: Scope, by: Sequence[str], caps: Sequence[int]
) -> tuple[Scope, tuple[int, ...]]:
    """Choose which members are told apart, those with the most incidents, and count the others."""
    told, rest = [], []
    for column, cap in zip(by, caps, strict=True):
        if column in exploring.MOMENTS:
            rest.append(0)
            continue
        found = query.most(warehouse, name, scope, column, cap)
        told.append((column, found.members))
        rest.append(found.known - len(found.members))
    return Scope(scope.since, scope.until, scope.where, tuple(told)), tuple(rest)


def cut(
    warehouse: Warehouse,
    name: str,
    scope: Scope,
    by: tuple[str, ...],
    caps: tuple[int, ...],
    against: str = "",
    other: Scope | None = None,
) -> Cut:
    """Give a KPI by members, beside the period `before`, the `year` before, or another slice of the same days."""
    one = query.kpi(warehouse, name)
    told, rest = told_apart(warehouse, name, scope, by, caps)
    if other is not None:
        now = query.numbers(warehouse, name, told, by)
        before = query.numbers(warehouse, name, _alike(told, other), by)
        return Cut(_side_by_side(one, {key: (now.get(key), before.get(key)) for key in now | before}), rest)
    compared = query.comparison(warehouse, name, scope, against) if against else None
    if compared is None or compared.reason:
        cells = tuple(Cell(key, number) for key, number in query.numbers(warehouse, name, told, by).items())
        return Cut(cells, rest, compared)
    return Cut(_side_by_side(one, query.sides(warehouse, name, told, by, compared)), rest, compared)


def _side_by_side(one: Kpi, both: Mapping[Members, tuple[Number | None, Number | None]]) -> tuple[Cell, ...]:
    nothing = Number(0.0 if one.is_count else None, 0)
    return tuple(
        Cell(key, now or nothing, before or nothing, difference(one, now or nothing, before or nothing))
        for key, (now, before) in both.items()
    )


def difference(one: Kpi, now: Number, before: Number) -> tuple[float, float, float] | None:
    """Give the limits of a difference and its p, where there are enough incidents for any."""
    # A count that falls to nothing has changed, however few are left; a mean of a few says nothing.
    settled = max if one.is_count else min
    if one.fact == "incident_days" or settled(now.n, before.n) < query.FEW:
        return None
    return evidence.difference(one, now, before)


def courses(
    warehouse: Warehouse,
    name: str,
    scope: Scope,
    grain: str,
    by: tuple[str, ...],
    caps: tuple[int, ...],
    other: Scope | None = None,
) -> Courses:
    """Give a KPI by bucket for each member, beside the same members of another scope."""
    told, rest = told_apart(warehouse, name, scope, by, caps)
    before = query.trends(warehouse, name, _alike(told, other), grain, by) if other else {}
    return Courses(query.trends(warehouse, name, told, grain, by), rest, before)


def _alike(told: Scope, other: Scope) -> Scope:
    """Give another scope, its members told apart alike."""
    return Scope(other.since, other.until, other.where, told.told)


def spreads(
    warehouse: Warehouse,
    name: str,
    scope: Scope,
    by: tuple[str, ...],
    caps: tuple[int, ...],
    other: Scope | None = None,
) -> Spreads:
    """Give the spread of what incidents add for each member, beside the same members of another scope."""
    told, rest = told_apart(warehouse, name, scope, by, caps)
    before = _bins(warehouse, name, _alike(told, other), by) if other else {}
    return Spreads(_bins(warehouse, name, told, by), rest, before)


def _bins(warehouse: Warehouse, name: str, scope: Scope, by: tuple[str, ...]) -> dict[Members, pl.DataFrame]:
    found = query.spread(warehouse, name, scope, by)
    bins: dict[Members, list[tuple[float, float | None, int]]] = {}
    for *members, low, high, n in found.iter_rows():
        bins.setdefault(tuple(members), []).append((low, high, n))
    schema = {"low": pl.Float64, "high": pl.Float64, "n": pl.Int64}
    return {key: pl.DataFrame(rows, schema, orient="row") for key, rows in bins.items()}


class SavedView(NamedTuple):
    """A view that the configuration names, and the parameters of its link."""

    name: str
    link: dict[str, list[str]]


def saved_views(warehouse: Warehouse) -> list[SavedView]:
    """Give the views that the configuration names."""
    found = []
    for row in warehouse.saved_views.iter_rows(named=True):
        name = row.pop("name")
        link = {
            key: value if isinstance(value, list) else [str(value)] for key, value in row.items() if value is not None
        }
        found.append(SavedView(name, link))
    return found


def behind(warehouse: Warehouse, name: str, scope: Scope, limit: int, between: Bounds | None = None) -> Incidents:
    """List the incidents that a KPI counts: those that it takes longest first, of counts the newest."""
    one = query.kpi(warehouse, name)
    sort = "opened_at"
    if one.unit == "hours" and one.fact == "incidents":
        sort = "hours_to_acknowledge" if one.counted_at == "acknowledged_at" else "hours_to_resolve"
    is_oldest_first = one.fact == "incident_days"
    return query.incidents(
        warehouse, scope, name=name, sort=sort, descending=not is_oldest_first, limit=limit, between=between
    )
