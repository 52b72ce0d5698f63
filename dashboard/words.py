"""How numbers, days and stretches of time are said: units that adapt, and strangers' text kept plain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from dashboard import manners

GAP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"

_SCALES = (("s", 1 / 3600), ("min", 1 / 60), ("h", 1.0), ("d", 24.0))
_SPACES = re.compile(rf"[^\S{GAP}{manners.THIN}]+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^=&@])")


def plain(text: object) -> str:
    r"""Escape what Markdown would read, so that a stranger's text is shown as it was written.

    >>> print(plain("**P1** <b>now</b>"))
    \*\*P1\*\* \<b\>now\</b\>
    """
    return _MARKDOWN.sub(r"\\\1", _SPACES.sub(" ", str(text)).strip())


def number(value: float) -> str:
    """Say a count or a plain number: thousands apart, decimals only where they mean something.

    >>> number(1204), number(3.26), number(0)
    ('1,204', '3.3', '0')
    """
    return written(value, 0 if float(value).is_integer() or abs(value) >= 100 else 1)


def written(value: float, digits: int) -> str:
    """Write a number with so many decimals, as its reader does.

    >>> written(-1204.26, 1)
    '−1,204.3'
    """
    return manners.here().number(f"{value:,.{digits}f}".replace("-", MINUS))


LONG_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def hours_of(scale: str) -> float:
    """Give the hours in one of a duration's units."""
    return dict(_SCALES)[scale]


def scale_of(hours: float) -> str:
    """Name the unit in which a duration reads best: s, min, h or d.

    >>> [scale_of(hours) for hours in (0.01, 0.5, 0.995, 4.2, 140.0)]
    ['s', 'min', 'h', 'h', 'd']
    """
    # By what it is rounded to: nobody says 60 minutes.
    size = abs(hours)
    if size == 0 or 59.5 / 60 <= size < 72:
        return "h"
    if size >= 72:
        return "d"
    return "min" if size >= 59.5 / 3600 else "s"


def duration(hours: float, scale: str | None = None) -> str:
    """Say a duration given in hours, in its own unit or in a given one.

    >>> [duration(hours).replace(GAP, " ") for hours in (0.015, 0.9, 4.2, 26.4, 140.0, -1.1)]
    ['54 s', '54 min', '4.2 h', '26 h', '5.8 d', '−1.1 h']
    """
    scale = scale or scale_of(hours)
    amount = hours / hours_of(scale)
    digits = 1 if abs(amount) < 9.95 and scale in ("h", "d") else 0
    if digits == 0 and 0 < abs(amount) < 0.5:
        return f"under 1{GAP}{scale}"
    return f"{written(amount, digits)}{GAP}{scale}"


def share(part: float) -> str:
    """Say a share between 0 and 1; nearly none and nearly all are not said to be none and all.

    >>> [share(part).replace(GAP, " ") for part in (0.4731, 1.0, 0.0004, 0.9999)]
    ['47.3 %', '100 %', 'under 0.1 %', 'over 99.9 %']
    """
    percent = part * 100
    if 0 < abs(percent) < 0.05:
        return f"under {written(0.1, 1)}{GAP}%"
    if 99.95 <= percent < 100:
        return f"over {written(99.9, 1)}{GAP}%"
    return f"{written(percent, 0 if f'{percent:.1f}'.endswith('.0') else 1)}{GAP}%"


def value(amount: float, kind: str) -> str:
    """Say a value of a KPI by its kind: hours, share, or a plain number."""
    if kind == "hours":
        return duration(amount)
    return share(amount) if kind == "share" else number(amount)


def between(low: float | None, high: float | None, kind: str, scale: str | None = None) -> str:
    """Say the limits of an interval in one unit; one of them may be missing.

    >>> said = between(3.94, 4.58, "hours"), between(0.2, 0.315, "share"), between(None, 9.0, "hours")
    >>> [one.replace(GAP, " ") for one in said]
    ['3.9 to 4.6 h', '20 to 31.5 %', 'at most 9.0 h']
    >>> said = between(30.94, 31.12, "hours"), between(0.401, 0.4014, "share"), between(0.38, 0.43, "number")
    >>> [one.replace(GAP, " ") for one in said]
    ['30.9 to 31.1 h', '40.10 to 40.14 %', '0.38 to 0.43']
    """
    if kind == "hours" and scale is None:
        scale = scale_of(high if high is not None else low or 0.0)

    def say(amount: float) -> str:
        return duration(amount, scale) if kind == "hours" else value(amount, kind)

    if low is None or high is None:
        return f"at least{GAP}{say(low)}" if low is not None else f"at most{GAP}{say(high)}" if high is not None else ""
    first, last = say(low), say(high)
    if first == last and low < high:
        first, last = _told_apart(low, high, kind, scale)
    unit = last.rpartition(GAP)[2] if GAP in last else ""
    return f"{first.removesuffix(f'{GAP}{unit}') if unit else first} to {last}"


def _told_apart(low: float, high: float, kind: str, scale: str | None) -> tuple[str, str]:
    """Say two numbers with as many decimals as tell them apart, three at most."""
    factor = 1 / hours_of(scale) if scale else 100.0 if kind == "share" else 1.0
    unit = f"{GAP}{scale}" if scale else f"{GAP}%" if kind == "share" else ""
    said = [
        (f"{written(low * factor, digits)}{unit}", f"{written(high * factor, digits)}{unit}") for digits in (1, 2, 3)
    ]
    return next((pair for pair in said if pair[0] != pair[1]), said[-1])


def day(when: date, *, year: bool = True) -> str:
    """Say a day, in the order of its reader; a year that comes first is not left out.

    >>> day(date(2026, 3, 8)).replace(GAP, " "), day(date(2026, 3, 8), year=False).replace(GAP, " ")
    ('8 Mar 2026', '8 Mar')
    """
    order = manners.here().order
    if order == "ymd":
        return f"{when:%Y-%m-%d}" if year else f"{when:%m-%d}"
    if order == "mdy":
        return f"{when:%b}{GAP}{when.day}" + (f",{GAP}{when.year}" if year else "")
    return f"{when.day}{GAP}{when:%b}" + (f"{GAP}{when.year}" if year else "")


def dated(text: str) -> str:
    """Say the days of a kept sentence as its reader does; in what is kept, they are in ISO 8601.

    >>> dated("alerts begins on 2024-07-01").replace(GAP, " ")
    'alerts begins on 1 Jul 2024'
    """
    return _ISO_DAY.sub(lambda found: day(date.fromisoformat(found[0])), text)


_ISO_DAY = re.compile(r"\b\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\b")


def period(first: date, grain: str, *, year: bool = True) -> str:
    """Name a day, week, month, quarter or year by its first day; of a day or a week the year may go without saying.

    >>> [period(date(2026, 4, 6), grain).replace(GAP, " ") for grain in ("week", "month", "quarter", "year")]
    ['week of 6 Apr 2026', 'Apr 2026', 'Q2 2026', '2026']
    """
    if grain == "week":
        return f"week of {day(first, year=year)}"
    if grain == "month":
        return f"{first:%b}{GAP}{first.year}"
    if grain == "quarter":
        return f"Q{(first.month + 2) // 3}{GAP}{first.year}"
    return str(first.year) if grain == "year" else day(first, year=year)


def moment(when: datetime) -> str:
    """Say an instant to the minute, in the zone in which it is given."""
    return f"{day(when)}, {when:%H:%M}"


def days(since: date, until: date) -> str:
    """Say a range of days, both included, without repeating what they share.

    >>> days(date(2026, 1, 1), date(2026, 3, 31)).replace(GAP, " ")
    '1 Jan to 31 Mar 2026'
    """
    if since == until:
        return day(since)
    is_short = since.year == until.year and manners.here().order != "ymd"
    return f"{day(since, year=not is_short)} to {day(until)}"


def age(seconds: float) -> str:
    """Say how old something is, roughly, in words.

    >>> [age(seconds).replace(GAP, " ") for seconds in (20, 600, 7200, 90_000, 864_000, 100_000_000)]
    ['a moment', '10 minutes', '2 hours', '25 hours', '10 days', '3 years']
    """
    for size, name in ((365.25 * 86400, "year"), (86400, "day"), (3600, "hour"), (60, "minute")):
        amount = int(seconds // size)
        if amount >= (2 if size > 3600 else 1):
            return f"{amount}{GAP}{name}{'s' if amount != 1 else ''}"
    return "a moment"


def listing(items: Sequence[str], most: int = 3, joined: str = "and") -> str:
    """Say a list, and how many more there are.

    >>> listing(["a", "b"]), listing(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    if len(items) > most:
        return f"{', '.join(items[:most])} {joined} {len(items) - most} more"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joined} {items[-1]}" if items else ""


def counted(amount: int, one: str, many: str | None = None) -> str:
    """Say how many of something.

    >>> counted(1, "incident"), counted(1204, "incident"), counted(0, "entry", "entries")
    ('1 incident', '1,204 incidents', '0 entries')
    """
    return f"{number(amount)} {one if amount == 1 else many or one + 's'}"
