"""Targets that the configuration sets, `[[targets]]`: a KPI, a bound, the part that it is for and the days that it holds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from etl import annotation, catalog
from etl.annotation import SLICE, AnnotationError
from etl.catalog import Kpi
from etl.shaping import nearest

BOUNDS = {"lower": "at_most", "higher": "at_least"}
"""What is better of a KPI -> the key that bounds it."""
KEYS = ("kpi", "at_most", "at_least", "since", "until", *SLICE)
UNITS = ("hours", "share")
"""Means, quantiles and shares; a count depends on how long one counts."""


class TargetError(Exception):
    """A target that is not understood; the message names its place, the key and what it may be."""


class Target(NamedTuple):
    """One target: for everything, or for what has one of the values named, in each column that names any."""

    kpi: str
    value: float
    """Hours, or a share between 0 and 1."""
    is_most: bool
    """It is met at or below the value; else at or above it."""
    since: date
    until: date | None = None
    """Last day on which it holds; None: until further notice."""
    source: tuple[str, ...] = ()
    priority: tuple[int, ...] = ()
    assignment_group: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()

    @property
    def part(self) -> dict[str, tuple[Any, ...]]:
        """The columns that it names, each with its values."""
        return {column: values for column in SLICE if (values := getattr(self, column))}


def parse(given: Any) -> tuple[Target, ...]:
    """Check `[[targets]]`, in the order in which they stand.

    Raises:
        TargetError: a key or a value is not understood, or two targets hold for one KPI and part on one day.
    """
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(one, Mapping) for one in given):
        raise TargetError("targets must be tables, each under [[targets]]")
    try:
        found = [_target(one, f"[[targets]] {place}:") for place, one in enumerate(given, 1)]
    except AnnotationError as error:
        raise TargetError(str(error)) from error
    for (first, one), (second, other) in itertools.combinations(enumerate(found, 1), 2):
        if one.kpi == other.kpi and _same_part(one, other) and _meet(one, other):
            raise TargetError(
                f"[[targets]] {second}: {other.kpi} has a target on the same days already, number {first}; "
                "let `until` end one before `since` begins the other"
            )
    return tuple(found)


def _same_part(one: Target, other: Target) -> bool:
    return {name: set(values) for name, values in one.part.items()} == {
        name: set(values) for name, values in other.part.items()
    }


def _meet(one: Target, other: Target) -> bool:
    return (one.until is None or other.since <= one.until) and (other.until is None or one.since <= other.until)


def _target(given: Mapping[str, Any], where: str) -> Target:
    for key in given:
        if key not in KEYS:
            raise TargetError(f"{where} key '{key}' is not one of {', '.join(KEYS)}{nearest(key, KEYS)}")
    kpi = _kpi(given.get("kpi"), where)
    value, is_most = _bound(given, kpi, where)
    since = annotation.day(given.get("since"), where, "since")
    until = annotation.day(given["until"], where, "until") if "until" in given else None
    if until is not None and until < since:
        raise TargetError(f"{where} until is {until}, and since is later, {since}")
    parts = {column: annotation.members(column, given[column], where) for column in SLICE if column in given}
    return Target(kpi.name, value, is_most, since, until, **parts)


def _kpi(name: Any, where: str) -> Kpi:
    known = {kpi.name: kpi for kpi in catalog.kpis() if kpi.unit in UNITS and kpi.fact == "incidents"}
    if name in known:
        return known[name]
    if name in {kpi.name for kpi in catalog.kpis()}:
        raise TargetError(
            f"{where} kpi is '{name}', a count or of open incidents; a target is for a mean, a quantile or a share: "
            f"{', '.join(known)}"
        )
    raise TargetError(f"{where} kpi is {name!r}; it must be one of {', '.join(known)}{nearest(str(name), list(known))}")


def _bound(given: Mapping[str, Any], kpi: Kpi, where: str) -> tuple[float, bool]:
    keys = [key for key in BOUNDS.values() if key in given]
    allowed = BOUNDS.get(kpi.better)
    if len(keys) != 1 or (allowed and keys != [allowed]):
        wanted = f"`{allowed}`: {kpi.better} is better" if allowed else "one of at_most and at_least"
        raise TargetError(
            f"{where} {kpi.name} needs {wanted}; given {'are ' + ' and '.join(keys) if keys else 'is none'}"
        )
    value = given[keys[0]]
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        raise TargetError(f"{where} {keys[0]} is {value!r}; it must be a number above 0, in {_unit(kpi)}")
    if kpi.unit == "share" and value >= 1:
        raise TargetError(f"{where} {keys[0]} is {value!r}; {kpi.name} is a share below 1: 90 % is 0.9")
    return float(value), keys[0] == "at_most"


def _unit(kpi: Kpi) -> str:
    return "hours" if kpi.unit == "hours" else "shares of 1"
