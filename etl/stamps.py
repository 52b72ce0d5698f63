"""Time stamps of exports: one format per column, decided over the whole file, read as naive UTC whole seconds.

A day and a month cannot be told apart value by value: `03/04/2016` is both. So the values of a column are evidence for
one order. A column without evidence borrows the order of the file's other columns of the same shape, since one tool
wrote them with one setting; if there is none, the person is asked. A column with evidence for both orders is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

DAY_FIRST = "day_first"
MONTH_FIRST = "month_first"
ISO = "iso"
ORDERS = (DAY_FIRST, MONTH_FIRST, ISO)


class StampError(Exception):
    """A column of stamps that cannot be read without guessing; the message names column, values and option."""


class Format(NamedTuple):
    """How one column's stamps are written."""

    order: str
    """`day_first`, `month_first`, `iso`, `epoch_seconds`, `epoch_milliseconds` or `pattern`."""
    patterns: tuple[str, ...]
    """strptime patterns in the order in which they are tried."""
    has_offset: bool = False
    example: str | None = None
    """A value of the file that is written so, for messages."""
    is_told: bool = False
    """A person said so: what is written otherwise is rejected by its row and does not stop the file."""


@dataclass(frozen=True)
class _Seen:
    """What the distinct values of a column tell."""

    day_first: str | None = None
    month_first: str | None = None
    neutral: str | None = None
    order: str | None = None
    example: str | None = None
    has_offset: bool = False
    unread: str | None = None
    shape: str | None = None

    @property
    def decided(self) -> bool:
        return self.order is not None or self.day_first is not None or self.month_first is not None

    @property
    def empty(self) -> bool:
        return not self.decided and self.neutral is None


_NUMERIC = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?=$|[ ,T])")
_ISO = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}(?=$|[ T])")
_NAMED = re.compile(r"(?:[A-Za-z]{3,9},? )?(\d{1,2})[-/. ]([A-Za-z]{3,9})\.?[-/. ,]+(\d{4}|\d{2})(?=$|[ ,T])")
_NAMED_US = re.compile(r"(?:[A-Za-z]{3,9},? )?([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})(?=$|[ ,T])")
_C_TIME = re.compile(r"[A-Za-z]{3} [A-Za-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$")
_OFFSET = re.compile(r"\d(Z|z| ?[+-]\d\d:?\d\d)$")
_EPOCH = re.compile(r"\d{10}(\d{3})?")

_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")


def _dates_with_clocks(date: str) -> tuple[str, ...]:
    joins = (" ", "T", ", ", "  ")
    return tuple(f"{date}{join}{clock}" for clock in _CLOCKS for join in joins)


@cache
def _patterns(order: str, separator: str, year: str) -> tuple[str, ...]:
    if order == ISO:
        date = f"%Y{separator}%m{separator}%d"
    elif order == DAY_FIRST:
        date = f"%d{separator}%m{separator}{year}"
    else:
        date = f"%m{separator}%d{separator}{year}"
    return (*_dates_with_clocks(date), date)


def _look(values: Iterable[str], seen: _Seen) -> _Seen:
    """Add the evidence of distinct values to what was seen."""
    for value in values:
        text = value.strip()
        if match := _NUMERIC.match(text):
            first, second = int(match[1]), int(match[3])
            shape = f"{match[2]}{'%Y' if len(match[4]) == 4 else '%y'}"
            if first > 12 >= second and seen.day_first is None:
                seen = replace(seen, day_first=value, shape=seen.shape or shape)
            elif second > 12 >= first and seen.month_first is None:
                seen = replace(seen, month_first=value, shape=seen.shape or shape)
            elif seen.neutral is None:
                seen = replace(seen, neutral=value, shape=seen.shape or shape)
        elif _ISO.match(text):
            if seen.order is None:
                seen = replace(seen, order=ISO, shape=text[4], example=value)
            if not seen.has_offset and _OFFSET.search(text):
                seen = replace(seen, has_offset=True)
        elif _EPOCH.fullmatch(text):
            if seen.order is None:
                unit = "epoch_seconds" if len(text) == 10 else "epoch_milliseconds"
                seen = replace(seen, order=unit, example=value)
        elif _NAMED.match(text) or _NAMED_US.match(text) or _C_TIME.match(text):
            if seen.order is None:
                seen = replace(seen, order="named", shape=text, example=value)
        elif seen.unread is None:
            seen = replace(seen, unread=value)
    return seen


def decide(
    head: pl.DataFrame,
    columns: Sequence[str],
    rest: Iterator[pl.DataFrame] | None = None,
    *,
    told: Mapping[str, str] | str | None = None,
    where: str = "",
) -> dict[str, Format]:
    """Decide each column's format from the file.

    Args:
        head: the file's first rows.
        columns: columns of stamps that the file has.
        rest: the whole file again; it is only read if the head leaves a column open.
        told: the configuration's `date_format`: day_first, month_first, iso or a strptime pattern, for all or by column.
        where: source and file, for messages.

    Raises:
        StampError: a column has evidence for two orders, or for none at all.
    """
    told_for = {column: _told(told, column) for column in columns}
    seen: dict[str, _Seen] = {column: _look(_distinct(head, column), _Seen()) for column in columns}
    open_columns = [column for column in columns if not seen[column].decided and told_for[column] is None]
    if rest is not None and open_columns:
        for chunk in rest:
            for column in open_columns:
                if column in chunk.columns:
                    seen[column] = _look(_distinct(chunk, column), seen[column])
            open_columns = [column for column in open_columns if not seen[column].decided]
            if not open_columns:
                break
    for column, found in seen.items():
        if found.day_first is not None and found.month_first is not None and told_for[column] is None:
            raise _mixed(where, column, repr(found.day_first), repr(found.month_first))
    orders = {found.shape: _order(found) for found in seen.values() if found.day_first or found.month_first}
    formats = {}
    for column, found in seen.items():
        order = told_for[column] or _order(found)
        if order is None and found.neutral is not None:
            order = orders.get(found.shape)
            if order is None:
                raise StampError(
                    f"{where}: every value of '{column}' reads both day-first and month-first (for example "
                    f"{found.neutral!r}); say which with --date-format day_first or month_first, "
                    "or the key `date_format`"
                )
        formats[column] = _format(order, found)._replace(
            example=_example(order, found), is_told=told_for[column] is not None
        )
    return formats


def without_zone(formats: Mapping[str, Format]) -> str | None:
    """Give an example of stamps that do not say in which zone they are; None if all do."""
    for found in formats.values():
        if not found.has_offset and not found.order.startswith("epoch"):
            example = found.example or (found.patterns[0] if found.order == "pattern" else None)
            if example is not None:
                return example
    return None


def _mixed(where: str, column: str, day_first: str, month_first: str) -> StampError:
    return StampError(
        f"{where}: '{column}' mixes date formats: {day_first} can only be day-first and {month_first} only "
        "month-first; export the file again with one format, or name one with --date-format (the other rows are then "
        "rejected)"
    )


def _distinct(frame: pl.DataFrame, column: str) -> list[str]:
    return frame[column].drop_nulls().unique(maintain_order=True).to_list() if column in frame.columns else []


def _told(told: Mapping[str, str] | str | None, column: str) -> str | None:
    if told is None or isinstance(told, str):
        return told
    return told.get(column)


def _order(found: _Seen) -> str | None:
    if found.order is not None:
        return found.order
    if found.day_first is not None:
        return DAY_FIRST
    return MONTH_FIRST if found.month_first is not None else None


def _example(order: str | None, found: _Seen) -> str | None:
    if order == DAY_FIRST:
        return found.day_first or found.neutral
    if order == MONTH_FIRST:
        return found.month_first or found.neutral
    return found.example if order == found.order else None


def _format(order: str | None, found: _Seen) -> Format:
    if order is None or order in ("epoch_seconds", "epoch_milliseconds"):
        return Format(order or ISO, _patterns(ISO, "-", "%Y"))
    if order == "named":
        return Format(order, _named_patterns(found.shape or ""))
    if order in (DAY_FIRST, MONTH_FIRST):
        shape = found.shape if found.shape and found.shape[1:] in ("%Y", "%y") else "/%Y"
        return Format(order, _patterns(order, shape[0], shape[1:]))
    if order == ISO:
        return Format(ISO, _patterns(ISO, found.shape or "-", "%Y"), found.has_offset)
    return Format("pattern", (order,), "%z" in order)


def _named_patterns(example: str) -> tuple[str, ...]:
    if _C_TIME.match(example):
        # C's ctime, as Request Tracker writes it.
        return ("%a %b %d %H:%M:%S %Y", "%a %b %e %H:%M:%S %Y")
    match = _NAMED.match(example)
    if match:
        separator = example[match.end(1)]
        month = "%b" if len(match[2]) == 3 else "%B"
        year = "%Y" if len(match[3]) == 4 else "%y"
        date = f"%d{separator}{month}{separator}{year}"
        weekday = "%a " if example[:1].isalpha() else ""
        return (*_dates_with_clocks(weekday + date), weekday + date)
    match = _NAMED_US.match(example)
    month = "%b" if match and len(match[1]) == 3 else "%B"
    comma = "," if match and "," in match[0] else ""
    date = f"{month} %d{comma} %Y"
    return (*_dates_with_clocks(date), date)


class Stamps(NamedTuple):
    """A column read: UTC instants, and which rows were odd."""

    utc: pl.Series
    unreadable: pl.Series
    ambiguous: pl.Series
    nonexistent: pl.Series


def to_utc(values: pl.Series, format_: Format, zone: str, *, where: str = "") -> Stamps:
    """Read a column of text as naive UTC instants of whole seconds.

    An ambiguous local stamp takes the first reading; one that does not exist moves forward by the length of the gap.

    Raises:
        StampError: a value contradicts the column's order (evidence that came after the decision).
    """
    nothing = pl.repeat(False, len(values), eager=True)
    if format_.order in ("epoch_seconds", "epoch_milliseconds"):
        numbers = values.cast(pl.Int64, strict=False)
        seconds = numbers if format_.order == "epoch_seconds" else numbers // 1000
        utc = (seconds * 1_000_000).cast(pl.Datetime("us"))
        return Stamps(utc, utc.is_null() & values.is_not_null(), nothing, nothing)
    if format_.has_offset:
        utc, naive = _with_offsets(values)
    else:
        utc, naive = pl.Series(values.name, [None], dtype=pl.Datetime("us")).new_from_index(0, len(values)), values
    local = _parse(naive, format_)
    unreadable = local.is_null() & naive.is_not_null()
    if unreadable.any():
        _refuse_contradiction(naive.filter(unreadable), format_, values.name, where)
    local_utc, ambiguous, nonexistent = _from_zone(local, zone)
    return Stamps(utc.zip_with(utc.is_not_null(), local_utc).dt.truncate("1s"), unreadable, ambiguous, nonexistent)


def _with_offsets(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Read the values that carry an offset; give the others back as text."""
    text = values.str.replace(r"[zZ]$", "+0000").str.replace(r" ?([+-]\d\d):?(\d\d)$", "${1}${2}")
    text = text.str.replace(r"^(\d{4})[/.](\d{1,2})[/.]", "${1}-${2}-").str.replace("T", " ", literal=True)
    utc = pl.Series(values.name, [None], dtype=pl.Datetime("us")).new_from_index(0, len(values))
    for pattern in ("%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z"):
        parsed = text.str.to_datetime(pattern, strict=False, time_unit="us").dt.replace_time_zone(None)
        utc = utc.zip_with(utc.is_not_null(), parsed)
        if utc.null_count() == values.null_count():
            break
    return utc, values.set(utc.is_not_null(), None)


def _parse(values: pl.Series, format_: Format) -> pl.Series:
    """Try the patterns in order, each on what the ones before left unread."""
    parsed = pl.Series(values.name, [None], dtype=pl.Datetime("us")).new_from_index(0, len(values))
    wanted = len(values) - values.null_count()
    if wanted == 0:
        return parsed
    for pattern in format_.patterns:
        left = parsed.is_null() & values.is_not_null()
        rows = left.arg_true()
        text = values if len(rows) == len(values) else values.gather(rows)
        reading = _strptime(text.str.strip_chars(), pattern)
        parsed = reading.alias(values.name) if len(rows) == len(values) else parsed.scatter(rows, reading)
        if parsed.null_count() == values.null_count():
            break
    return parsed


def _strptime(text: pl.Series, pattern: str) -> pl.Series:
    if "%H" not in pattern and "%I" not in pattern:
        return text.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
    return text.str.to_datetime(pattern, strict=False, time_unit="us", exact=True).dt.replace_time_zone(None)


def _refuse_contradiction(values: pl.Series, format_: Format, column: str, where: str) -> None:
    """Evidence for the other order makes every ambiguous value doubtful, so it stops the file; rubbish only its row."""
    if format_.is_told or format_.order not in (DAY_FIRST, MONTH_FIRST):
        return
    seen = _look(values.unique().to_list(), _Seen())
    earlier = repr(format_.example) if format_.example else "an earlier value"
    if format_.order == DAY_FIRST and seen.month_first is not None:
        raise _mixed(where, column, earlier, repr(seen.month_first))
    if format_.order == MONTH_FIRST and seen.day_first is not None:
        raise _mixed(where, column, repr(seen.day_first), earlier)


def _from_zone(local: pl.Series, zone: str) -> tuple[pl.Series, pl.Series, pl.Series]:
    nothing = pl.repeat(False, len(local), eager=True)
    if zone == "UTC" or local.null_count() == len(local):
        return local, nothing, nothing
    first = _in_utc(local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null"))
    odd = first.is_null() & local.is_not_null()
    if not odd.any():
        return first, nothing, nothing
    earliest = _in_utc(local.filter(odd).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null"))
    first = first.scatter(odd.arg_true(), earliest)
    nonexistent = first.is_null() & local.is_not_null()
    ambiguous = odd & ~nonexistent
    if nonexistent.any():
        rows = nonexistent.arg_true()
        first = first.scatter(rows, [_moved_forward(stamp, zone) for stamp in local.gather(rows)])
    return first, ambiguous, nonexistent


def _in_utc(series: pl.Series) -> pl.Series:
    return series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _moved_forward(stamp: datetime, zone: str) -> datetime:
    # The offset before the gap (fold=0) reads the stamp as if the clock had not been moved yet.
    offset = stamp.replace(tzinfo=ZoneInfo(zone), fold=0).utcoffset() or timedelta(0)
    return stamp - offset


def unreadable(field: str, format_: Format, value: str | None) -> str:
    """Say that a value of a field of ours cannot be read, and how the column is written."""
    if format_.order == "pattern":
        return f"{field} {value!r} does not read as {format_.patterns[0]}"
    if format_.is_told:
        return (
            f"{field} {value!r} does not read {format_.order.replace('_', '-')}, as `date_format` (--date-format) asks"
        )
    like = f", such as {format_.example!r}" if format_.example else ""
    return f"{field} {value!r} is not a stamp like the others of this column{like}"


def check_format(told: str, where: str) -> str:
    """Give a `date_format` back if it is one.

    Raises:
        StampError: it is neither an order nor a pattern.
    """
    if told not in ORDERS and "%" not in told:
        raise StampError(
            f"{where} date_format '{told}' is not one of {', '.join(ORDERS)}, nor a pattern such as %d.%m.%Y %H:%M"
        )
    return told


def check_zone(zone: str) -> str:
    """Give the zone back if it is known.

    Raises:
        StampError: it is not an IANA name.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise StampError(
            f"time zone '{zone}' is unknown; use an IANA name such as Europe/Berlin, America/Sao_Paulo or UTC"
        ) from error
    return zone
