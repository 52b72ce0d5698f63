"""Business calendars: when an organisation works, and which incidents are counted by which calendar."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from etl import lazily
from etl.incident import PRIORITIES
from etl.shaping import nearest
from etl.stamps import StampError, check_zone

if TYPE_CHECKING:
    import holidays
else:
    holidays = lazily.module("holidays")

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = "24x7"
"""The calendar that nobody needs to define: every second counts."""
FIRST, LAST = date(1990, 1, 1), date(2079, 12, 31)
"""Days that calendars cover; a time that reaches beyond them has no business time."""
DAY = 86_400
KEYS = ("timezone", "hours", "holidays", "closed", "changes")
CHANGED_KEYS = ("since", "timezone", "hours", "holidays", "closed")
CONDITIONS = ("source", "assignment_group", "service", "priority")
_STRETCH = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_YEARLY = re.compile(r"(\d\d)-(\d\d)")


class CalendarError(Exception):
    """A calendar or a rule that cannot be used; the message names the key and what it may be."""


class Hours(NamedTuple):
    """A stretch of a weekday's wall clock, in seconds from midnight; Monday is 1, and `closes` is not in it."""

    weekday: int
    opens: int
    closes: int


@dataclass(frozen=True)
class Version:
    """What a calendar says from one day on."""

    since: date
    timezone: str
    hours: tuple[Hours, ...]
    closing_days: Mapping[date, str] = field(default_factory=dict)
    """Day on which it is closed from midnight to midnight -> why."""


class Rule(NamedTuple):
    """Which incidents a calendar is for: those that meet every condition, each a list of alternatives; none means all."""

    calendar: str
    source: tuple[str, ...] = ()
    assignment_group: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    priority: tuple[int, ...] = ()


@dataclass(frozen=True)
class Calendars:
    """All calendars, each as its versions in order of time, and the rules that choose: the first that fits wins."""

    versions: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    said: str = ""
    """The configuration as text, from which `recall` makes the same calendars; empty if there are none."""

    @property
    def fingerprint(self) -> str:
        """Text that changes whenever facts may: what was said, and the edition of the public holidays."""
        return f"{self.said}\nholidays {holidays.__version__}" if self.said else ""


def parse(named: Any, rules: Any) -> Calendars:
    """Check `[calendars.NAME]` and `[[calendar_rules]]`.

    Raises:
        CalendarError: a key or a value is not understood.
    """
    if not isinstance(named, Mapping) or not all(isinstance(section, Mapping) for section in named.values()):
        raise CalendarError("calendars must be tables, [calendars.NAME]")
    if not isinstance(rules, Sequence) or not all(isinstance(rule, Mapping) for rule in rules):
        raise CalendarError("calendar_rules must be tables, each under [[calendar_rules]]")
    if ALWAYS in named:
        raise CalendarError(f"[calendars.{ALWAYS}] is there without being defined: every second counts")
    versions = {name: tuple(_versions(section, f"[calendars.{name}]")) for name, section in named.items()}
    chosen = tuple(_rule(rule, (*versions, ALWAYS), place) for place, rule in enumerate(rules, 1))
    unused = [name for name in versions if name not in {rule.calendar for rule in chosen}]
    if unused:
        raise CalendarError(
            f"[calendars.{unused[0]}] is used by no rule; say for which incidents it is: "
            f'[[calendar_rules]] calendar = "{unused[0]}", with any of {", ".join(CONDITIONS)}'
        )
    if not chosen:
        return Calendars()
    said = json.dumps({"calendars": named, "calendar_rules": rules}, sort_keys=True, default=str, ensure_ascii=False)
    return Calendars(versions, chosen, said)


def recall(said: str) -> Calendars:
    """Make the calendars again from the text that was kept.

    Raises:
        CalendarError: the text is damaged, or this edition of the public holidays no longer knows a place.
    """
    if not said:
        return Calendars()
    try:
        kept = json.loads(said)
        return parse(kept["calendars"], kept["calendar_rules"])
    except (ValueError, KeyError, TypeError) as error:
        raise CalendarError(f"the calendars that were kept cannot be read ({error})") from error


def _only(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise CalendarError(f"{where} key '{key}' is not one of {', '.join(known)}{nearest(key, list(known))}")


def _versions(section: Mapping[str, Any], where: str) -> Iterator[Version]:
    _only(section, KEYS, where)
    changes = section.get("changes", ())
    if not isinstance(changes, Sequence) or not all(isinstance(change, Mapping) for change in changes):
        raise CalendarError(f"{where} changes must be tables, each under [[calendars.NAME.changes]]")
    said = {key: value for key, value in section.items() if key != "changes"}
    since = FIRST
    for place, change in enumerate([{}, *changes]):
        here = f"{where} change {place}:" if place else where
        if place:
            _only(change, CHANGED_KEYS, here)
            if "since" not in change:
                raise CalendarError(f"{here} since is missing; say from which day on it holds, such as 2026-01-01")
            day = _day(change["since"], f"{here} since")
            if not since < day <= LAST:
                raise CalendarError(f"{here} since is {day}; it must lie after {since} and not after {LAST}")
            since = day
            # What a change does not name stays as it was.
            said |= {key: value for key, value in change.items() if key != "since"}
        yield _version(said, since, here)


def _version(said: Mapping[str, Any], since: date, where: str) -> Version:
    if "timezone" not in said:
        raise CalendarError(f"{where} timezone is missing; say in which zone its hours are, such as Europe/Berlin")
    try:
        check_zone(str(said["timezone"]))
    except StampError as error:
        raise CalendarError(f"{where} timezone: {error}") from error
    closing_days = dict(_public_holidays(said.get("holidays", ()), where))
    closing_days |= dict.fromkeys(_own_closing_days(said.get("closed", ()), where), "closed")
    return Version(since, str(said["timezone"]), _hours(said.get("hours"), where), closing_days)


def _hours(given: Any, where: str) -> tuple[Hours, ...]:
    if given == ALWAYS:
        return tuple(Hours(weekday, 0, DAY) for weekday in range(1, 8))
    if not isinstance(given, Mapping) or not given:
        raise CalendarError(
            f'{where} hours must be a table of weekdays = hours, such as {{ mon-fri = "08:00-18:00" }}, or "{ALWAYS}"'
        )
    found: list[Hours] = []
    for days, stretches in given.items():
        weekdays = _weekdays(days, f"{where} hours")
        for stretch in [stretches] if isinstance(stretches, str) else stretches:
            for weekday in weekdays:
                found += _stretch(weekday, stretch, f"{where} hours of {days}")
    found.sort()
    for before, after in itertools.pairwise(found):
        if before.weekday == after.weekday and after.opens < before.closes:
            raise CalendarError(f"{where} hours of {WEEKDAYS[before.weekday - 1]} overlap; give each stretch once")
    return tuple(found)


def _weekdays(said: str, where: str) -> list[int]:
    first, _, last = said.partition("-")
    for name in (first, last or first):
        if name not in WEEKDAYS:
            raise CalendarError(
                f"{where}: '{name}' is not one of {', '.join(WEEKDAYS)}, or two of them such as mon-fri"
            )
    start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return [(start + step) % 7 + 1 for step in range((end - start) % 7 + 1)]


def _stretch(weekday: int, said: Any, where: str) -> list[Hours]:
    """Read hours such as 08:00-18:00; those that end before they begin go on into the next day."""
    found = _STRETCH.fullmatch(str(said).replace(" ", ""))
    opens, closes = (int(found[at]) * 3600 + int(found[at + 1]) * 60 for at in (1, 3)) if found else (0, 0)
    if opens == closes or closes > DAY:
        raise CalendarError(f"{where}: {said!r} is not like 08:00-18:00, at the latest 24:00")
    if opens < closes:
        return [Hours(weekday, opens, closes)]
    return [Hours(weekday, opens, DAY), *([Hours(weekday % 7 + 1, 0, closes)] if closes else [])]


def _public_holidays(given: Any, where: str) -> Iterator[tuple[date, str]]:
    for place in [given] if isinstance(given, str) else given:
        country, _, part = str(place).partition("-")
        countries = holidays.list_supported_countries(include_aliases=True)
        if country not in countries:
            raise CalendarError(
                f"{where} holidays: '{country}' of {place!r} is not a country whose public holidays are known; "
                "write its two letters and, after a hyphen, a subdivision, such as DE-BE"
            )
        if part and part not in countries[country]:
            known = countries[country]
            raise CalendarError(
                f"{where} holidays: '{part}' of {place!r} is not one of {', '.join(known) or 'none: leave it out'}"
                f"{nearest(part, known)}"
            )
        years = range(FIRST.year, LAST.year + 1)
        yield from holidays.country_holidays(country, subdiv=part or None, years=years).items()


def _own_closing_days(given: Any, where: str) -> Iterator[date]:
    """Read days: one, the first and last of several with a slash between them, or month and day of every year."""
    for said in [given] if isinstance(given, str | date) else given:
        if isinstance(said, str) and (yearly := _YEARLY.fullmatch(said)):
            days = [_in_year(year, int(yearly[1]), int(yearly[2])) for year in range(FIRST.year, LAST.year + 1)]
            if not any(days):
                raise CalendarError(
                    f"{where} closed: '{said}' is no day of any year; write month and day, such as 12-24"
                )
            yield from filter(None, days)
            continue
        ends = str(said).split("/")
        first, last = _day(ends[0], f"{where} closed"), _day(ends[-1], f"{where} closed")
        if len(ends) > 2 or last < first or (last - first).days > 366:
            raise CalendarError(f"{where} closed: '{said}' is not like 2026-12-24 or 2026-12-24/2026-12-31")
        yield from (first + timedelta(days=step) for step in range((last - first).days + 1))


def _in_year(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _day(said: Any, where: str) -> date:
    try:
        return date.fromisoformat(str(said))
    except ValueError as error:
        raise CalendarError(f"{where}: '{said}' is no day; write it like 2026-12-24") from error


def _rule(given: Mapping[str, Any], names: Sequence[str], place: int) -> Rule:
    where = f"[[calendar_rules]] {place}:"
    _only(given, ("calendar", *CONDITIONS), where)
    calendar = str(given.get("calendar"))
    if calendar not in names:
        raise CalendarError(
            f"{where} calendar is '{calendar}'; it must be one of {', '.join(names)}{nearest(calendar, list(names))}"
        )
    conditions: dict[str, tuple[Any, ...]] = {}
    for key in CONDITIONS:
        if key in given:
            values = given[key] if isinstance(given[key], list) else [given[key]]
            wrong = [
                one for one in values if (one not in PRIORITIES if key == "priority" else not isinstance(one, str))
            ]
            if wrong or not values:
                choices = f"of {', '.join(map(str, PRIORITIES))}" if key == "priority" else "names"
                raise CalendarError(f"{where} {key} is {given[key]!r}; give one or a list {choices}")
            conditions[key] = tuple(values)
    return Rule(calendar, **conditions)


class Weekly(NamedTuple):
    """Hours of a calendar on a weekday from one day to another, `until` not included."""

    calendar: str
    timezone: str
    since: date
    until: date
    weekday: int
    opens: int
    closes: int


def weekly(calendars: Calendars) -> list[Weekly]:
    """List the weekly hours of every version of every calendar that a rule uses."""
    end = LAST + timedelta(days=1)
    rows = [
        Weekly(name, version.timezone, version.since, until, *hours)
        for name, versions in calendars.versions.items()
        for version, until in zip(versions, [*(later.since for later in versions[1:]), end], strict=True)
        for hours in version.hours
    ]
    if any(rule.calendar == ALWAYS for rule in calendars.rules):
        rows += [Weekly(ALWAYS, "UTC", FIRST, end, weekday, 0, DAY) for weekday in range(1, 8)]
    return rows


def closing_days(calendars: Calendars) -> Iterator[tuple[str, date, str]]:
    """Yield calendar, day and reason of every closing day, each from the version that holds on that day."""
    for name, versions in calendars.versions.items():
        ends = [*(later.since for later in versions[1:]), LAST + timedelta(days=1)]
        for version, until in zip(versions, ends, strict=True):
            for day, reason in sorted(version.closing_days.items()):
                if version.since <= day < until:
                    yield name, day, reason


class Stretch(NamedTuple):
    """A stretch of time in which a zone's offset from UTC stays the same, named for each year that it touches."""

    timezone: str
    year: int
    from_at: datetime
    until_at: datetime
    offset_seconds: int


def offsets(zones: Iterable[str]) -> list[Stretch]:
    """List when each zone's clock differs from UTC by how much, over all days that calendars cover."""
    return [stretch for zone in zones for stretch in _stretches(zone)]


@lru_cache(maxsize=32)
def _stretches(zone: str) -> tuple[Stretch, ...]:
    info = ZoneInfo(zone)

    def offset(at: int) -> int:
        found = datetime.fromtimestamp(at, info).utcoffset()
        assert found is not None
        return round(found.total_seconds())

    def change(low: int, high: int) -> int:
        """Find the first second after a change of the clock; no zone changes twice within a day."""
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        return high

    # A day more at either end: where it is already or still the first or last day.
    first = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp()) - DAY
    last = int(datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC).timestamp()) + 2 * DAY
    changes = (change(at, at + DAY) for at in range(first, last, DAY) if offset(at) != offset(at + DAY))
    edges = [first, *changes, last]
    return tuple(
        Stretch(zone, year, _naive(start), _naive(end), offset(start))
        for start, end in itertools.pairwise(edges)
        for year in range(_naive(start - DAY).year, _naive(end + DAY).year + 1)
    )


def _naive(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
