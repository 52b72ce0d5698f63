"""Views of the dashboard that the configuration names, `[views.NAME]`: a question of the page *Explore*, kept for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from etl import annotation, catalog
from etl.annotation import SLICE, AnnotationError
from etl.incident import PRIORITIES
from etl.shaping import nearest

PICTURES = ("trend", "multiples", "bars", "heat", "spread", "table")
AGAINST = ("before", "year")
"""Or another slice of the same days, as column:member."""
SCALES = ("log", "linear")
PERIODS = ("4w", "12w", "26w", "12m", "quarter", "all")
GRAINS = ("day", "week", "month", "quarter", "year")
DIMENSIONS = (
    *SLICE,
    "subcategory",
    "services",
    "tags",
    "configuration_item",
    "location",
    "first_assignment_group",
    "opened_priority",
    "source_priority",
    "assignee",
    "caller",
    "opened_weekday",
    "opened_hour",
    "opened_out_of_hours",
    "calendar",
    "state",
    "source_state",
    "excluded_as",
    "impact",
    "urgency",
    "source_channel",
    "resolution_code",
    "resolution_basis",
    "resolved_with_parent",
    "acknowledgement_basis",
    "is_major",
    "is_auto_resolved",
    "knowledge_used",
    "sla_met",
    "first_contact_resolved",
    "first_contact_basis",
    "reassignment_count",
    "reopen_count",
    "escalation_count",
    "problem_id",
    "change_id",
)
KEYS = ("kpi", "by", "picture", "against", "scale", "only", "period", "since", "until", "grain", *SLICE)
NONE = "(none)"
"""How a filter names an incident that has no value in a column."""
LONGEST = 80


class SavedViewError(Exception):
    """A view that is not understood; the message names it, the key and what it may be."""


class SavedView(NamedTuple):
    """One view; what is None or empty is as the page has it by default."""

    name: str
    kpi: str | None = None
    by: tuple[str, ...] = ()
    picture: str | None = None
    against: str | None = None
    scale: str | None = None
    only: tuple[str, ...] = ()
    period: str | None = None
    since: date | None = None
    until: date | None = None
    grain: str | None = None
    source: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    assignment_group: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()


def parse(given: Any) -> tuple[SavedView, ...]:
    """Check `[views.NAME]`, in the order in which they stand.

    Raises:
        SavedViewError: a key or a value is not understood.
    """
    if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
        raise SavedViewError("views must be tables, each [views.NAME]")
    try:
        return tuple(_view(name, one, f"[views.{name}]") for name, one in given.items())
    except AnnotationError as error:
        raise SavedViewError(str(error)) from error


def members(view: SavedView) -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Give the members that a view filters by or is set against, by the key that names them; no value is no member.

    >>> members(SavedView("Slow", against="priority:1", only=("tags:a:b",), service=("Mail", NONE)))
    {'service': (('service', ('Mail',)),), 'only': (('tags', ('a:b',)),), 'against': (('priority', ('1',)),)}
    """
    named = {column: [f"{column}:{member}" for member in getattr(view, column)] for column in SLICE}
    named |= {"only": list(view.only), "against": [view.against] if view.against and ":" in view.against else []}
    found = {}
    for key, told in named.items():
        parts: dict[str, list[str]] = {}
        for column, _, member in (one.partition(":") for one in told):
            if member != NONE:
                parts.setdefault(column, []).append(member)
        if parts:
            found[key] = tuple((column, tuple(values)) for column, values in parts.items())
    return found


def _view(name: str, given: Mapping[str, Any], where: str) -> SavedView:
    if not name.strip() or len(name) > LONGEST:
        raise SavedViewError(f"{where}: a view has a name of 1 to {LONGEST} characters")
    for key in given:
        if key not in KEYS:
            raise SavedViewError(f"{where}: key '{key}' is not one of {', '.join(KEYS)}{nearest(key, KEYS)}")
    since, until = (annotation.day(given[key], where, key) if key in given else None for key in ("since", "until"))
    if (since is None) != (until is None):
        raise SavedViewError(f"{where} since and until belong together: give both days, or a period")
    if since is not None and "period" in given:
        raise SavedViewError(f"{where} period and since say different days; give one of them")
    if since is not None and until is not None and until < since:
        raise SavedViewError(f"{where} until is {until}, and since is later, {since}")
    return SavedView(
        name,
        _one(given, "kpi", tuple(kpi.name for kpi in catalog.kpis()), where),
        _by(given.get("by", []), where),
        _one(given, "picture", PICTURES, where),
        _against(given.get("against"), where),
        _one(given, "scale", SCALES, where),
        _only(given.get("only", []), where),
        _one(given, "period", PERIODS, where),
        since,
        until,
        _one(given, "grain", GRAINS, where),
        **{column: _members(column, given[column], where) for column in SLICE if column in given},
    )


def _one(given: Mapping[str, Any], key: str, choices: Sequence[str], where: str) -> str | None:
    value = given.get(key)
    if value is None:
        return None
    if value not in choices:
        raise SavedViewError(
            f"{where} {key} is {value!r}; it must be one of {', '.join(choices)}{nearest(str(value), list(choices))}"
        )
    return str(value)


def _by(given: Any, where: str) -> tuple[str, ...]:
    told = [given] if isinstance(given, str) else given
    if not isinstance(told, list) or len(told) > 2 or len(set(map(str, told))) < len(told):
        raise SavedViewError(f"{where} by is {given!r}; give one or two different dimensions")
    for name in told:
        _one({"by": name}, "by", DIMENSIONS, where)
    return tuple(told)


def _against(given: Any, where: str) -> str | None:
    if given is None or given in AGAINST:
        return given
    column, colon, member = str(given).partition(":")
    if not isinstance(given, str) or not colon or not member or column not in SLICE:
        raise SavedViewError(
            f"{where} against is {given!r}; it must be before, year, or another slice like 'priority:1' "
            f"of one of {', '.join(SLICE)}"
        )
    return given


def _only(given: Any, where: str) -> tuple[str, ...]:
    told = [given] if isinstance(given, str) else given
    others = [name for name in DIMENSIONS if name not in SLICE]
    for one in told if isinstance(told, list) else [given]:
        column, colon, _ = str(one).partition(":")
        if not isinstance(one, str) or not colon or column not in others:
            raise SavedViewError(
                f"{where} only is {one!r}; give texts like 'subcategory:Mail', of one of {', '.join(others)}"
                f"{nearest(column, others)}"
            )
    return tuple(dict.fromkeys(told))


def _members(column: str, given: Any, where: str) -> tuple[str, ...]:
    values = given if isinstance(given, list) else [given]
    known = [one for one in values if one != NONE]
    if column == "priority":
        # In the link they are texts.
        numbers = {str(level): level for level in PRIORITIES}
        known = [numbers.get(one, one) if isinstance(one, str) else one for one in known]
    told = {str(one) for one in annotation.members(column, known, where)} if known or not values else set()
    return tuple(dict.fromkeys(str(one) for one in values if one == NONE or str(one) in told))
