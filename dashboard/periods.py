"""Which periods may be compared: the one definition of running, partial, edge and unripe. Pure; knows no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

GRAINS = ("day", "week", "month", "quarter", "year")
RIPENING = ("ack_rate", "reopen_rate", "fcr_rate", "fcr_coverage")
"""KPIs whose last week still moves: an incident may yet be acknowledged, reopened or handed on."""
RIPE_DAYS = 7
LAG_DAYS = 7
"""Sources are pulled at different times; one that lies further behind the others than this has ended."""
AFTER_RESOLUTION = ("resolved_at", "first_resolved_at")

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Extent:
    """What is known of one source, in days of the reporting zone."""

    source: str
    first_day: date
    """Day of its first opening."""
    last_day: date
    """Last day that it covers completely."""
    resolve_edge: date
    """First day on which the 90th percentile of its resolve times has passed since its first opening."""
    intake_end: date | None
    """Last day of its intake, if nearly nothing was opened afterwards."""


@dataclass(frozen=True)
class Bucket:
    """A day, week, month, quarter or year, and why it may not be compared (empty if it may)."""

    since: date
    until: date
    status: str = "complete"
    """complete, running, partial, edge or unripe."""
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two ranges of days that may be set side by side, or why not."""

    since: date
    until: date
    before_since: date
    before_until: date
    words: str
    """How the second range is called: 'on the 12 weeks before'."""
    is_to_date: bool = False
    reason: str = ""
    """Why they cannot be compared; empty if they can."""


def start(day: date, grain: str) -> date:
    """Give the first day of the bucket that the day is in; weeks begin on Monday."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    if grain == "month":
        return day.replace(day=1)
    if grain == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if grain == "year":
        return day.replace(month=1, day=1)
    raise ValueError(f"grain '{grain}' is not one of {', '.join(GRAINS)}")


def following(first: date, grain: str) -> date:
    """Give the first day of the next bucket."""
    if grain == "day":
        return first + DAY
    if grain == "week":
        return first + timedelta(days=7)
    return _months_on(first, {"month": 1, "quarter": 3, "year": 12}[grain])


def _months_on(first: date, months: int) -> date:
    month = first.month - 1 + months
    return date(first.year + month // 12, month % 12 + 1, 1)


def buckets(since: date, until: date, grain: str) -> list[Bucket]:
    """Give every bucket that the range touches, without a verdict."""
    found = []
    first = start(since, grain)
    while first <= until:
        after = following(first, grain)
        found.append(Bucket(first, after - DAY))
        first = after
    return found


def common_end(last_days: Sequence[date]) -> date | None:
    """Give the last day that all sources reach, those apart that ended long before the others; None without any."""
    latest = max(last_days, default=None)
    if latest is None:
        return None
    return min(day for day in last_days if day >= latest - timedelta(days=LAG_DAYS))


def _concerned(extents: Sequence[Extent], since: date, until: date, counted_at: str) -> list[Extent]:
    """Leave out the sources that can have nothing in these days, as long as another one has."""
    covering = [extent for extent in extents if extent.first_day <= until and extent.last_day >= since]
    if counted_at == "day":
        return covering
    return [extent for extent in covering if extent.intake_end is None or extent.intake_end >= since] or covering


def judged(bucket: Bucket, extents: Sequence[Extent], kpi: str, counted_at: str) -> Bucket:
    """Say whether a KPI may be compared in this bucket, and if not, why."""
    if not extents:
        return bucket
    status, reason = _verdict(bucket, extents, kpi, counted_at)
    return Bucket(bucket.since, bucket.until, status, reason)


def _verdict(bucket: Bucket, extents: Sequence[Extent], kpi: str, counted_at: str) -> tuple[str, str]:
    last_day = max(extent.last_day for extent in extents)
    if bucket.since <= last_day + DAY <= bucket.until:
        return "running", "still running"
    concerned = _concerned(extents, bucket.since, bucket.until, counted_at)
    if not concerned:
        return "partial", "no source covers these days"
    for extent in concerned:
        if bucket.since < extent.first_day:
            return "partial", f"{extent.source} begins on {_said(extent.first_day)}"
        if extent.last_day < bucket.until:
            return "partial", f"{extent.source} ends on {_said(extent.last_day)}"
        if reason := _edge(extent, bucket.since, bucket.until, counted_at):
            return "edge", reason
    if kpi in RIPENING and any(bucket.until > extent.last_day - timedelta(days=RIPE_DAYS) for extent in concerned):
        return "unripe", UNRIPE
    return "complete", ""


def _edge(extent: Extent, since: date, until: date, counted_at: str) -> str:
    if extent.intake_end is not None and until > extent.intake_end and counted_at != "day":
        return f"the intake of {extent.source} stops on {_said(extent.intake_end)}"
    if counted_at in AFTER_RESOLUTION and since < extent.resolve_edge:
        return f"until {_said(extent.resolve_edge)} only the quickly resolved of {extent.source} can be seen"
    return ""


UNRIPE = f"the last {RIPE_DAYS} days may still change"


def _said(day: date) -> str:
    """A reason is kept for all readers: each page says its days as its reader does."""
    return day.isoformat()


def compared(
    since: date, until: date, extents: Sequence[Extent], kpi: str, counted_at: str, against: str = "before"
) -> Comparison:
    """Choose the days to compare a range with: the same calendar months before, else as many days, weekday for weekday.

    Against the `year` before they are the same months of it, else the days 52 weeks before, or as many more as it takes.
    A range that still runs, or whose last days are not ripe, is compared to date: up to the last day that all sources
    in it cover.
    """
    concerned = _concerned(extents, since, until, counted_at)
    if extents and not concerned:
        return Comparison(since, until, since, until, "", reason=_uncovered(since, extents))
    complete = common_end([extent.last_day for extent in concerned]) or until
    last_day = complete - timedelta(days=RIPE_DAYS) if kpi in RIPENING and concerned else complete
    is_to_date = until > last_day
    if last_day < since:
        reason = UNRIPE if complete >= since else "nothing in this period is complete yet"
        return Comparison(since, until, since, until, "", is_to_date, reason)
    until = min(until, last_day)
    before_since, before_until, words = (_year_before if against == "year" else _before)(since, until)
    if is_to_date:
        words = f"to {_said(until)}, {words}"
    reason = _why_not(before_since, until, _concerned(extents, before_since, until, counted_at), counted_at)
    return Comparison(since, until, before_since, before_until, words, is_to_date, reason)


def _uncovered(since: date, extents: Sequence[Extent]) -> str:
    last = max(extents, key=lambda extent: extent.last_day)
    if since == last.last_day + DAY:
        return "nothing in this period is complete yet"
    return f"{last.source} ends on {_said(last.last_day)}" if since > last.last_day else "no source covers these days"


def _before(since: date, until: date) -> tuple[date, date, str]:
    if since.day == 1 and (until + DAY).day == 1:
        months = (until.year - since.year) * 12 + until.month - since.month + 1
        before = _months_on(since, -months)
        if months == 3 and since.month % 3 == 1:
            return before, since - DAY, "on the quarter before"
        return before, since - DAY, "on the month before" if months == 1 else f"on the {months} months before"
    days = (until - since).days + 1
    shift = timedelta(days=-(-days // 7) * 7)
    if days % 7 == 0:
        weeks = days // 7
        words = "on the week before" if weeks == 1 else f"on the {weeks} weeks before"
    else:
        words = "on the same weekday before" if days == 1 else f"on the {days} matching days before"
    return since - shift, until - shift, words


def _year_before(since: date, until: date) -> tuple[date, date, str]:
    years = -(-((until - since).days + 1) // 366)
    ago = "a year before" if years == 1 else f"{years} years before"
    if since.day == 1 and (until + DAY).day == 1:
        ends = _months_on((until + DAY), -12 * years) - DAY
        return _months_on(since, -12 * years), ends, f"on the same months {ago}"
    shift = timedelta(days=364 if years == 1 else -(-365 * years // 7) * 7)
    return since - shift, until - shift, f"on the same days {ago}"


def _why_not(before_since: date, until: date, concerned: Sequence[Extent], counted_at: str) -> str:
    for extent in concerned:
        if before_since < extent.first_day:
            return f"{extent.source} begins only on {_said(extent.first_day)}"
        if extent.last_day < until:
            return f"{extent.source} ends on {_said(extent.last_day)}"
        if reason := _edge(extent, before_since, until, counted_at):
            return reason
    return ""


def intake_end(weeks: Sequence[tuple[date, int]], last_day: date) -> date | None:
    """Find where a source's intake stops: the end of the last week with a tenth of the usual openings.

    Args:
        weeks: Monday and openings of each week that has any.
        last_day: last day that the source covers.
    """
    if not weeks:
        return None
    counts = sorted(count for _, count in weeks)
    usual = counts[-(-3 * len(counts) // 4) - 1] if len(counts) > 1 else counts[0]
    last = max(monday for monday, count in weeks if count >= max(1, usual / 10))
    end = last + timedelta(days=6)
    # The week that is running and two quiet ones are no end.
    return end if (last_day - end).days > 20 else None
