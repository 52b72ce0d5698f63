"""What is shown: the filters that hold on every page, live in the URL, and can be said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from dashboard import periods, words

PERIODS = {
    "4w": "last 4 weeks",
    "12w": "last 12 weeks",
    "26w": "last 26 weeks",
    "12m": "last 12 months",
    "quarter": "last quarter",
    "all": "everything",
    "days": "days of your choice",
}
GRAINS = {"day": "by day", "week": "by week", "month": "by month", "quarter": "by quarter", "year": "by year"}
COLUMNS = {
    "source": "Source",
    "priority": "Priority",
    "assignment_group": "Assignment group",
    "service": "Service",
    "category": "Category",
    "channel": "Channel",
}
SHORT = {name: title.lower() for name, title in COLUMNS.items()} | {"assignment_group": "group"}
PLURALS = {
    "source": "sources",
    "priority": "priorities",
    "assignment_group": "assignment groups",
    "service": "services",
    "category": "categories",
    "channel": "channels",
}
NONE = "(none)"
"""How the filter and the URL name an incident that has no value in a column."""
DEFAULT_PERIOD = "12w"
DAY = timedelta(days=1)


class Choice(NamedTuple):
    """What a reader chose, and nothing that follows from it."""

    period: str = DEFAULT_PERIOD
    days: tuple[date, date] | None = None
    grain: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_default(self) -> bool:
        """Say whether there is anything to clear."""
        return self == Choice()


def range_of(period: str, last: date) -> tuple[date, date]:
    """Give the whole weeks, months or quarter up to a day that a period means; "everything" begins long ago.

    >>> range_of("4w", date(2026, 3, 11))
    (datetime.date(2026, 2, 9), datetime.date(2026, 3, 8))
    >>> range_of("12m", date(2026, 3, 11))
    (datetime.date(2025, 3, 1), datetime.date(2026, 2, 28))
    >>> range_of("quarter", date(2026, 3, 11))
    (datetime.date(2025, 10, 1), datetime.date(2025, 12, 31))
    """
    if period == "quarter":
        until = periods.start(last + DAY, "quarter") - DAY
        return periods.start(until, "quarter"), until
    if period == "12m":
        until = (last + DAY).replace(day=1) - DAY
        return (until + DAY).replace(year=until.year - 1 if until.month < 12 else until.year), until
    if period.endswith("w"):
        until = last - DAY * ((last.weekday() + 1) % 7)
        return until - DAY * (7 * int(period[:-1]) - 1), until
    return date(1970, 1, 1), last


def grain_for(since: date, until: date) -> str:
    """Choose the grain that gives a picture between a handful and some forty periods."""
    days = (until - since).days + 1
    return "day" if days <= 28 else "week" if days <= 200 else "month" if days <= 1500 else "quarter"


def to_url(choice: Choice) -> dict[str, list[str]]:
    """Write a choice as the parameters of the URL; what is left at its default is not in it.

    >>> to_url(Choice("4w", None, "day", (("priority", ("1", "2")),)))
    {'period': ['4w'], 'grain': ['day'], 'priority': ['1', '2']}
    """
    url: dict[str, list[str]] = {}
    if choice.period == "days" and choice.days:
        url["since"], url["until"] = [choice.days[0].isoformat()], [choice.days[1].isoformat()]
    elif choice.period not in (DEFAULT_PERIOD, "days"):
        url["period"] = [choice.period]
    if choice.grain:
        url["grain"] = [choice.grain]
    return url | {column: list(values) for column, values in choice.where if values}


def from_url(url: Mapping[str, Sequence[str]], known: Mapping[str, Sequence[str]]) -> tuple[Choice, list[str]]:
    """Read a choice back; also name what it asks for that this data does not have.

    >>> from_url({"priority": ["1", "9"], "grain": ["hour"]}, {"priority": ["1", "2"]})
    (Choice(period='12w', days=None, grain=None, where=(('priority', ('1',)),)), ['grain: hour', 'priority: 9'])
    """
    unknown: list[str] = []

    def one(name: str, allowed: Sequence[str]) -> str | None:
        given = url.get(name, [])
        unknown.extend(f"{name}: {value}" for value in given if value not in allowed)
        return next((value for value in given if value in allowed), None)

    period = one("period", [name for name in PERIODS if name != "days"])
    grain = one("grain", list(GRAINS))
    days = _days(url, unknown)
    where = []
    for column, values in known.items():
        given = url.get(column, [])
        unknown.extend(f"{COLUMNS[column].lower()}: {value}" for value in given if value not in values)
        kept = tuple(value for value in values if value in given)
        if kept:
            where.append((column, kept))
    return Choice("days" if days else period or DEFAULT_PERIOD, days, grain, tuple(where)), unknown


def _days(url: Mapping[str, Sequence[str]], unknown: list[str]) -> tuple[date, date] | None:
    given = [url[name][0] for name in ("since", "until") if url.get(name)]
    if len(given) != 2:
        return None
    try:
        since, until = (date.fromisoformat(text) for text in given)
    except ValueError:
        unknown.append(f"days: {' to '.join(given)}")
        return None
    return (since, until) if since <= until else (until, since)


def names(url: Mapping[str, object]) -> bool:
    """Say whether a URL names any filter at all."""
    return any(name in url for name in ("period", "since", "until", "grain", *COLUMNS))


def member(column: str, value: str) -> str:
    """Say one value of a column.

    >>> member("priority", "1"), member("service", "(none)"), member("channel", "walk_in")
    ('P1', 'no service', 'walk in')
    """
    if value == NONE:
        return f"no {COLUMNS[column].lower()}"
    if column == "priority":
        return f"P{value}"
    return value.replace("_", " ") if column == "channel" else value


def in_words(choice: Choice, since: date, until: date, grain: str) -> str:
    """Say what is on, for people: "P1 and P2 · Network · 1 Jan to 31 Mar 2026 · by week"."""
    parts = [
        words.listing([member(column, value) for value in values], joined="and") for column, values in choice.where
    ]
    return " · ".join([*parts, words.days(since, until), GRAINS[grain]])
