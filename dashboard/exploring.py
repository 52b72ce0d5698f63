"""What a reader of *Explore* asks for: a KPI, its split, its picture and what it is set against, live in the URL."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from dashboard import filters, query, words
from dashboard.filters import NONE
from dashboard.query import Bounds, Kpi, Scope

PICTURES = {
    "trend": "Trend",
    "multiples": "Small multiples",
    "bars": "Ranked bars",
    "heat": "Heat map",
    "spread": "Distribution",
    "table": "Table",
}
AGAINST = {"": "nothing", "before": "the period before", "year": "the year before"}
"""What a view is set against; else another slice, as `column:member`."""
SLICE = "slice"
SCALES = ("log", "linear")
DIMENSIONS = filters.COLUMNS | {
    "subcategory": "Subcategory",
    "services": "Any service",
    "tags": "Tag",
    "configuration_item": "Configuration item",
    "location": "Location",
    "first_assignment_group": "First assignment group",
    "opened_priority": "Priority when opened",
    "source_priority": "Priority in its own word",
    "assignee": "Assignee",
    "caller": "Caller",
    "opened_weekday": "Weekday of opening",
    "opened_hour": "Hour of opening",
    "opened_out_of_hours": "Opened out of hours",
    "calendar": "Calendar",
    "state": "State",
    "source_state": "State in its own word",
    "excluded_as": "Left out as",
    "impact": "Impact",
    "urgency": "Urgency",
    "source_channel": "Channel in its own word",
    "resolution_code": "Resolution code",
    "resolution_basis": "Basis of the resolution",
    "resolved_with_parent": "Resolved with its parent",
    "acknowledgement_basis": "Basis of the acknowledgement",
    "is_major": "Major",
    "is_auto_resolved": "Resolved without a person",
    "knowledge_used": "Knowledge used",
    "sla_met": "Resolution target met",
    "first_contact_resolved": "First contact sufficed",
    "first_contact_basis": "Basis of the first contact",
    "reassignment_count": "Reassignments",
    "reopen_count": "Reopenings",
    "escalation_count": "Escalations",
    "problem_id": "Problem",
    "change_id": "Change",
}
"""What one can split and filter by, and its name."""
ORDERED = (
    "priority",
    "opened_priority",
    "opened_weekday",
    "opened_hour",
    "reassignment_count",
    "reopen_count",
    "escalation_count",
)
"""Dimensions with an order of their own."""
MOMENTS = ("opened_weekday", "opened_hour")
STOCK = (
    *filters.COLUMNS,
    "subcategory",
    "services",
    "tags",
    "configuration_item",
    "location",
    "state",
    "is_major",
    *MOMENTS,
)
"""Dimensions of open incidents."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONGEST = 60
"""Signs of a member's name that are shown; the whole of it is in the link and in the incidents."""
KEYS = ("kpi", "by", "picture", "against", "scale", "only", "adds", "incidents")


class Asked(NamedTuple):
    """What is asked for, beside what is chosen above every page."""

    kpi: str = "mttr"
    by: tuple[str, ...] = ()
    picture: str = "trend"
    against: str = ""
    scale: str = ""
    """log, linear, or as it fits."""
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Filters on columns that the filters above every page do not have."""
    adds: Bounds | None = None
    """The class of a distribution whose incidents are listed."""
    lists: bool = False
    """Whether the incidents behind it are listed."""

    @property
    def other(self) -> tuple[str, str] | None:
        """The column and member of the other slice that it is set against."""
        column, colon, member = self.against.partition(":")
        return (column, member) if colon else None


class Mark(NamedTuple):
    """What a mark of a picture stands for: members of columns, a period, or a class of a distribution."""

    members: dict[str, str]
    since: date | None = None
    adds: Bounds | None = None


def splits(kpi: Kpi, known: Collection[str]) -> list[str]:
    """Give the dimensions that the rows of a KPI have and in which any incident has a value; a stock has fewer."""
    return [
        name for name in DIMENSIONS if (name in known or name in MOMENTS) and (kpi.fact == "incidents" or name in STOCK)
    ]


def pictures(kpi: Kpi) -> list[str]:
    """Give the pictures that a KPI can have: only what incidents add differently has a distribution."""
    return [name for name in PICTURES if name != "spread" or query.has_spread(kpi)]


def is_log(asked: Asked, kpi: Kpi) -> bool:
    """Say whether values stand on a log scale: quantiles and spreads of durations do, unless the reader wants otherwise."""
    return kpi.unit == "hours" and asked.scale != "linear"


def scope_of(scope: Scope, asked: Asked) -> Scope:
    """Add what is filtered here alone."""
    only = tuple(
        (name, tuple(None if member == NONE else member for member in members)) for name, members in asked.only
    )
    return Scope(scope.since, scope.until, (*scope.where, *only))


def sliced(scope: Scope, other: tuple[str, str]) -> Scope:
    """Give the same days and filters of another slice."""
    column, member = other
    kept = tuple((name, members) for name, members in scope.where if name != column)
    return Scope(scope.since, scope.until, (*kept, (column, (None if member == NONE else member,))))


def overlaps(scope: Scope, other: tuple[str, str]) -> bool:
    """Say whether incidents of the other slice are in what is shown, too: then no chance can be said for a difference."""
    column, member = other
    chosen = dict(scope.where).get(column)
    return chosen is None or (None if member == NONE else member) in chosen or column in query.MANY_VALUED


def to_url(asked: Asked) -> dict[str, list[str]]:
    """Write what is asked as parameters of the URL; what is left at its default is not in it.

    >>> to_url(Asked("mtta", ("service", "priority"), "heat", only=(("tags", ("a:b",)),)))
    {'kpi': ['mtta'], 'by': ['service', 'priority'], 'picture': ['heat'], 'only': ['tags:a:b']}
    """
    url = {
        "kpi": [asked.kpi] if asked.kpi != Asked().kpi else [],
        "by": list(asked.by),
        "picture": [asked.picture] if asked.picture != Asked().picture else [],
        "against": [asked.against] if asked.against else [],
        "scale": [asked.scale] if asked.scale else [],
        "only": [f"{name}:{member}" for name, members in asked.only for member in members],
        "adds": [":".join("" if end is None else repr(end) for end in asked.adds)] if asked.adds else [],
        "incidents": ["yes"] if asked.lists else [],
    }
    return {name: values for name, values in url.items() if values}


def from_url(
    url: Mapping[str, Sequence[str]],
    kpis: Mapping[str, Kpi],
    known: Collection[str],
    members: Mapping[str, Sequence[str]],
) -> tuple[Asked, list[str]]:
    """Read it back; also name what it asks for that there is not.

    Args:
        url: the parameters.
        kpis: the catalog.
        known: the columns in which any incident has a value.
        members: the columns with the members that another slice can be.
    """
    unknown: list[str] = []

    def one(name: str, allowed: Collection[str], otherwise: str) -> str:
        given = url.get(name, [])
        unknown.extend(f"{name}: {value}" for value in given if value not in allowed)
        return next((value for value in given if value in allowed), otherwise)

    kpi = one("kpi", kpis, Asked().kpi)
    there = splits(kpis[kpi], known)
    given = list(dict.fromkeys(url.get("by", [])))
    unknown.extend(f"by: {name}" for name in given if name not in there)
    against = url.get("against", [""])[0]
    column, colon, member = against.partition(":")
    if against not in AGAINST and not (colon and member in members.get(column, ())):
        unknown.append(f"against: {against}")
        against = ""
    asked = Asked(
        kpi,
        tuple(name for name in given if name in there)[:2],
        one("picture", PICTURES, Asked().picture),
        against,
        one("scale", SCALES, ""),
        _only(url.get("only", []), there, unknown),
        _adds(url.get("adds", []), unknown),
        one("incidents", ("yes",), "") == "yes",
    )
    return asked, unknown


def _only(given: Sequence[str], there: Collection[str], unknown: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    for said in dict.fromkeys(given):
        name, colon, member = said.partition(":")
        if colon and name in there and name not in filters.COLUMNS:
            found.setdefault(name, []).append(member)
        else:
            unknown.append(f"only: {said}")
    return tuple((name, tuple(members)) for name, members in found.items())


def _adds(given: Sequence[str], unknown: list[str]) -> Bounds | None:
    for said in given[:1]:
        low, _, high = said.partition(":")
        try:
            return float(low), float(high) if high else None
        except ValueError:
            unknown.append(f"adds: {said}")
    return None


def title(name: str) -> str:
    """Name a dimension in the middle of a sentence."""
    return DIMENSIONS[name][0].lower() + DIMENSIONS[name][1:]


def member(name: str, value: str | None, rest: int = 0) -> str:
    """Say one member of a dimension, the one of those without any, and all that are told together.

    >>> member("opened_weekday", "2"), member("opened_hour", "9"), member("is_major", "true"), member("tags", None)
    ('Tue', '09:00', 'yes', 'no tag')
    >>> member("service", query.OTHERS, 31)
    'the other 31'
    """
    if value == query.OTHERS:
        return f"the other {words.number(rest)}" if rest else "the others"
    if value is None or value == NONE:
        return f"no {title(name)}"
    if name in ("priority", "opened_priority"):
        return f"P{value}"
    if name == "opened_weekday" and value in "1234567":
        return WEEKDAYS[int(value) - 1]
    if name == "opened_hour":
        return f"{int(value):02d}:00" if value.isdecimal() else value
    if value in ("true", "false"):
        return "yes" if value == "true" else "no"
    if name in ("state", "channel", "resolution_basis", "acknowledgement_basis", "first_contact_basis"):
        value = value.replace("_", " ")
    said = " ".join(value.split()) or "(blank)"
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def named(name: str, values: Sequence[str | None], rest: int = 0) -> dict[str | None, str]:
    """Say members so that each has a name of its own, even if long ones begin alike."""
    found: dict[str | None, str] = {}
    for value in values:
        said = member(name, value, rest)
        names = itertools.chain([said], (f"{said} ({at})" for at in itertools.count(2)))
        found[value] = next(one for one in names if one not in found.values())
    return found


def ordered(name: str, values: Sequence[str | None]) -> list[str | None]:
    """Put members into the order of their dimension, if it has one; those without any come last."""
    if name not in ORDERED:
        return list(values)
    return sorted(values, key=lambda value: (value is None, value == query.OTHERS, _number(value)))


def _number(value: str | None) -> float:
    return float(value) if value is not None and value.lstrip("-").isdecimal() else 0.0


def as_toml(name: str, choice: filters.Choice, asked: Asked) -> str:
    """Write a view as the configuration names it.

    >>> print(as_toml("Slow", filters.Choice("quarter", where=(("priority", ("1",)),)), Asked(by=("service",))))
    [views."Slow"]
    by = ["service"]
    period = "quarter"
    priority = ["1"]
    """
    lists = ("by", "only", *filters.COLUMNS)
    told = {**to_url(asked._replace(adds=None, lists=False)), **filters.to_url(choice)}
    lines = [f"[views.{_quoted(name)}]"]
    for key, values in told.items():
        if key in ("since", "until"):
            lines.append(f"{key} = {values[0]}")
        else:
            said = [_quoted(value) for value in values]
            whole = f"[{', '.join(said)}]"
            lines.append(f"{key} = {whole if key in lists else said[0]}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    # JSON's strings are TOML's but for one sign that it leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def in_words(asked: Asked) -> str:
    """Say what is filtered here alone."""
    return " · ".join(
        f"{title(name)} {words.listing([member(name, one) for one in members], joined='or')}"
        for name, members in asked.only
    )
