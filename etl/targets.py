"""Targets as the configuration states them: a KPI, a slice, a bound, and the days from and until which it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from etl import catalog
from etl.incident import CHANNELS, PRIORITIES
from etl.shaping import nearest

KEYS = ("kpi", "at_most", "at_least", "since", "until", "where")
SLICES = ("priority", "assignment_group", "service", "category", "channel", "source")
"""Columns that a target may be for: those that the pages can be filtered by."""
UNITS = ("hours", "share")
"""Means, quantiles and shares can be attained; a count depends on how long one counts."""


class TargetError(ValueError):
    """A target that cannot be used; the message names the key and what it may be."""


@dataclass(frozen=True)
class Target:
    """One target."""

    kpi: str
    value: float
    """Hours, or a share between 0 and 1."""
    is_most: bool
    """It is attained at or below the value; else at or above it."""
    since: date
    until: date | None = None
    """Last day on which it holds; None while it does."""
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Column and its alternatives, in order."""

    def is_met(self, value: float) -> bool:
        """Say whether a value attains it."""
        return value <= self.value if self.is_most else value >= self.value

    def holds_on(self, day: date) -> bool:
        """Say whether it holds on a day."""
        return self.since <= day and (self.until is None or day <= self.until)


def parse(given: Any) -> tuple[Target, ...]:
    """Check the tables `[[targets]]`.

    Raises:
        TargetError: a key or a value is not understood, or two targets hold for one slice on one day.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(one, Mapping) for one in given):
        raise TargetError("targets must be tables, [[targets]]")
    found = tuple(_target(one, f"[[targets]] number {at}") for at, one in enumerate(given, start=1))
    for at, one in enumerate(found):
        for other in found[:at]:
            if (
                one.kpi == other.kpi
                and one.where == other.where
                and (one.holds_on(other.since) or other.holds_on(one.since))
            ):
                raise TargetError(
                    f"[[targets]] number {at + 1}: there is another target for {one.kpi} on the same slice that holds from "
                    f"{other.since}; give that one an `until` before {one.since}"
                )
    return found


def _target(given: Mapping[str, Any], where: str) -> Target:
    for key in given:
        if key not in KEYS:
            raise TargetError(f"{where}: key '{key}' is not one of {', '.join(KEYS)}{nearest(key, KEYS)}")
    known = {one.name: one for one in catalog.kpis()}
    name = given.get("kpi")
    if name not in known:
        raise TargetError(
            f"{where} kpi is {name!r}; it must be one of {', '.join(known)}{nearest(str(name), list(known))}"
        )
    one = known[name]
    if one.unit not in UNITS or one.fact != "incidents":
        raise TargetError(f"{where} kpi: {name} is a count or a stock; a target is for a mean, a quantile or a share")
    bounds = [key for key in ("at_most", "at_least") if key in given]
    if len(bounds) != 1:
        raise TargetError(f"{where} needs one of at_most and at_least")
    value = given[bounds[0]]
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        raise TargetError(f"{where} {bounds[0]} is {value!r}; it must be a number of {one.unit} from 0")
    if one.unit == "share" and value > 1:
        raise TargetError(
            f"{where} {bounds[0]} is {value!r}; {name} is a share between 0 and 1: write {value / 100:g} for {value} %"
        )
    since, until = (_day(given.get(key), f"{where} {key}", needed=key == "since") for key in ("since", "until"))
    assert since is not None
    if until is not None and until < since:
        raise TargetError(f"{where} until is {until}, before since, {since}")
    return Target(name, float(value), bounds[0] == "at_most", since, until, _slice(given.get("where", {}), where))


def _day(value: Any, where: str, *, needed: bool) -> date | None:
    if value is None and not needed:
        return None
    try:
        return date.fromisoformat(value if isinstance(value, str) else value.isoformat()[:10])
    except (AttributeError, ValueError) as error:
        raise TargetError(f"{where} is {value!r}; write a day like 2026-01-31") from error


def _slice(given: Any, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(given, Mapping):
        raise TargetError(f"{where} where must be a table of column = value or list of values")
    found = []
    for column, values in given.items():
        if column not in SLICES:
            raise TargetError(f"{where} where: '{column}' is not one of {', '.join(SLICES)}{nearest(column, SLICES)}")
        members = tuple(sorted(str(value) for value in (values if isinstance(values, list) else [values])))
        choices = {"priority": tuple(map(str, PRIORITIES)), "channel": CHANNELS}.get(column)
        for member in members:
            if choices and member not in choices:
                raise TargetError(f"{where} where {column}: '{member}' is not one of {', '.join(choices)}")
        found.append((column, members))
    return tuple(sorted(found))


def to_text(targets: Sequence[Target]) -> str:
    """Write targets as the warehouse keeps them."""
    return json.dumps([asdict(one) for one in targets], default=str, ensure_ascii=False)


def from_text(text: str) -> tuple[Target, ...]:
    """Read them back."""
    return tuple(
        Target(
            one["kpi"],
            one["value"],
            one["is_most"],
            date.fromisoformat(one["since"]),
            date.fromisoformat(one["until"]) if one["until"] else None,
            tuple((column, tuple(members)) for column, members in one["where"]),
        )
        for one in json.loads(text)
    )
