"""What is looked at: days and members, as conditions on rows, checked against the catalog."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import polars as pl

from dashboard.periods import Extent
from dashboard.query.warehouse import SQL, Kpi, Warehouse

MANY_VALUED = ("services", "tags")
MOMENTS = {"opened_weekday": "isodow", "opened_hour": "hour"}
"""What one can group and filter by though no column has it: the opening's place in the week, in the reporting zone."""
OTHERS = "\N{HORIZONTAL ELLIPSIS}"
"""The members of a column that are told together; no member of that name exists by accident."""
Days = tuple[date, date]
"""A first and a last day, both included."""


class QueryError(Exception):
    """A question that cannot be answered as asked; the message names the choices."""


@dataclass(frozen=True)
class Scope:
    """What is looked at: days of the reporting zone, both included, and for each column its alternatives."""

    since: date | None = None
    until: date | None = None
    where: tuple[tuple[str, tuple[str | None, ...]], ...] = ()
    told: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Columns of which only these members, and those without one, are told apart where one groups by them; the rest
    are one together, OTHERS."""

    def within(self, since: date | None, until: date | None) -> Scope:
        """Give the same filters on other days."""
        return Scope(since, until, self.where, self.told)


def kpi(warehouse: Warehouse, name: str) -> Kpi:
    """Give a KPI of the catalog.

    Raises:
        QueryError: there is none of that name.
    """
    if name not in warehouse.kpis:
        raise QueryError(f"KPI '{name}' is not one of {', '.join(warehouse.kpis)}{nearest(name, warehouse.kpis)}")
    return warehouse.kpis[name]


def column(warehouse: Warehouse, fact: str, name: str) -> str:
    """Check a column that a person named, and quote it.

    Raises:
        QueryError: the fact has no such column, or none that one can group by.
    """
    types = {
        column: type_
        for column, type_ in warehouse.columns[fact].items()
        if type_ not in ("JSON", "TIMESTAMP", "DOUBLE", "BIGINT")
    }
    if name not in types:
        known = sorted([*types, *MOMENTS])
        raise QueryError(f"column '{name}' is not one of {', '.join(known)}{nearest(name, known)}")
    return f'"{name}"'


class Reading(NamedTuple):
    """How a dimension is read from a row `i`, its type, and the values that reading binds."""

    text: str
    type: str
    values: dict[str, Any]


def reading(warehouse: Warehouse, fact: str, name: str) -> Reading:
    """Say how a column, or a moment, of a fact is read."""
    if name in MOMENTS:
        text = f"{MOMENTS[name]}(i.opened_at at time zone 'UTC' at time zone $zone)"
        return Reading(text, "BIGINT", {"zone": warehouse.zone})
    return Reading(f"i.{column(warehouse, fact, name)}", warehouse.columns[fact][name], {})


def nearest(name: str, choices: Iterable[str]) -> str:
    """Say which choice a misspelt name may mean; nothing if none is near."""
    near = difflib.get_close_matches(name, list(choices), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


class Filter(NamedTuple):
    """The conditions of a scope's columns on a row `i`, and the values that they bind."""

    text: str
    values: dict[str, Any]


def filters_of(warehouse: Warehouse, fact: str, scope: Scope) -> Filter:
    """Compose the conditions of a scope's columns."""
    found = [
        condition(warehouse, name, alternatives, f"where_{place}", fact)
        for place, (name, alternatives) in enumerate(scope.where)
    ]
    values = {key: value for one in found for key, value in one.values.items()}
    return Filter("\n    ".join(f"and ({one.text})" for one in found), values)


def condition(
    warehouse: Warehouse, name: str, alternatives: Sequence[str | None], mark: str, fact: str = "incidents"
) -> Filter:
    """Compose the test that a row `i` of a fact has one of some values in a column; `mark` begins the names of what is bound."""
    quoted, type_, bound = reading(warehouse, fact, name)
    known = {f"{mark}_{at}": value for at, value in enumerate(alternatives) if value is not None}
    # A word that is no number matches no number: it is not an error to ask for it.
    marks = ", ".join(f"try_cast(${key} as {type_.removesuffix('[]')})" for key in known)
    found = [] if None not in alternatives else [f"{quoted} is null"]
    if known:
        found.append(f"list_has_any({quoted}, [{marks}])" if type_.endswith("[]") else f"{quoted} in ({marks})")
    return Filter(" or ".join(found) or "false", {**known, **bound})


def filtered(
    warehouse: Warehouse, name: str, scope: Scope, values: dict[str, Any] | None = None, fact: str = "incidents"
) -> pl.DataFrame:
    """Run a query of `dashboard/sql` within a scope: its conditions stand where the text says "and the filters"."""
    return within(warehouse, (SQL / f"{name}.sql").read_text(encoding="utf-8"), scope, values, fact)


def within(
    warehouse: Warehouse, text: str, scope: Scope, values: dict[str, Any] | None = None, fact: str = "incidents"
) -> pl.DataFrame:
    """Run a text in which the scope's conditions stand where it says "and the filters"."""
    condition = filters_of(warehouse, fact, scope)
    bound = {**condition.values, "since": scope.since, "until": scope.until, **(values or {})}
    return warehouse.frame(text.replace("-- and the filters", condition.text), bound)


def extents(warehouse: Warehouse, scope: Scope) -> list[Extent]:
    """Give what the sources cover that a scope looks at."""
    chosen = dict(scope.where).get("source")
    return [extent for name, extent in warehouse.extents.items() if chosen is None or name in chosen]


def covered(warehouse: Warehouse, scope: Scope) -> Days | None:
    """The days that a scope reaches within what the sources cover."""
    if warehouse.first_day is None or warehouse.last_day is None:
        return None
    since = max(scope.since or warehouse.first_day, warehouse.first_day)
    until = min(scope.until or warehouse.last_day, warehouse.last_day + timedelta(days=1))
    return (since, until) if since <= until else None
