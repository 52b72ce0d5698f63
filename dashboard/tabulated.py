"""The numbers of a chart as typed rows: what a spreadsheet needs, with the unit in every header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dashboard.charts.ranking import Bar
from dashboard.charts.scales import Unit
from dashboard.charts.timeline import Point, Series
from dashboard.sentences import Reading

UNITS = {"hours": "hours", "share": "share", "count": "incidents"}
"""How the values of a kind are measured; a share is a number between 0 and 1."""


def header(title: str, kind: str) -> str:
    """Name a column with its unit.

    >>> header("mean", "hours"), header("Reassignments", "number")
    ('mean (hours)', 'Reassignments')
    """
    return f"{title} ({UNITS[kind]})" if kind in UNITS else title


def over_time(series: Sequence[Series], kind: str) -> pl.DataFrame:
    """Lay out lines over time: one row per period, and for each line value, limits and n."""
    by_day: dict[Any, Point] = {point.since: point for line in series for point in line.points}
    lines = [{point.since: point for point in line.points} for line in series]
    several = len(series) > 1
    columns: dict[str, Any] = {
        "Period": [by_day[day].name for day in sorted(by_day)],
        "From": sorted(by_day),
        "To": [by_day[day].until for day in sorted(by_day)],
    }
    schema: dict[str, Any] = {"Period": pl.String, "From": pl.Date, "To": pl.Date}
    for line, points in zip(series, lines, strict=True):
        found = [points.get(day) for day in sorted(by_day)]
        has_limits = any(point is not None and point.low is not None for point in found)
        name = line.name
        columns[header(name, kind)] = [None if point is None else point.value for point in found]
        schema[header(name, kind)] = pl.Float64
        if has_limits:
            for side, title in (("low", "95 % from"), ("high", "95 % to")):
                key = header(f"{name}, {title}", kind)
                columns[key] = [None if point is None else getattr(point, side) for point in found]
                schema[key] = pl.Float64
        if kind != "count":
            key = f"{name}, n" if several else "n"
            columns[key] = [None if point is None else point.n for point in found]
            schema[key] = pl.Int64
    columns["Note"] = [by_day[day].reason or by_day[day].flag or None for day in sorted(by_day)]
    return _counted(pl.DataFrame(columns, schema=schema | {"Note": pl.String}), kind)


def _counted(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """A count is whole; the mean of counts is none."""
    whole = [one.name for one in frame.select(pl.col(pl.Float64)) if (one % 1 == 0).all(ignore_nulls=True)]
    return frame.with_columns(pl.col(whole).cast(pl.Int64)) if kind == "count" else frame


def by_member(bars: Sequence[Bar], called: str, unit: Unit) -> pl.DataFrame:
    """Lay out bars: one row per member, with its limits where any has them, and its n."""
    name = header(unit.title[:1].upper() + unit.title[1:], unit.kind)
    columns: dict[str, Any] = {called: [bar.name for bar in bars], name: [bar.value for bar in bars]}
    schema: dict[str, Any] = {called: pl.String, name: pl.Float64}
    if any(bar.low is not None or bar.high is not None for bar in bars):
        for side, title in (("low", "95 % from"), ("high", "95 % to")):
            columns[header(title, unit.kind)] = [getattr(bar, side) for bar in bars]
            schema[header(title, unit.kind)] = pl.Float64
    if unit.kind != "count" or any(bar.n != bar.value for bar in bars):
        columns["n"], schema["n"] = [bar.n for bar in bars], pl.Int64
    return _counted(pl.DataFrame(columns, schema=schema), unit.kind)


def courses(lines: Sequence[tuple[str, str, Sequence[Point]]]) -> pl.DataFrame:
    """Lay out the courses of KPIs of several kinds, each a title, a kind and its points, side by side."""
    found: pl.DataFrame | None = None
    for title, kind, points in lines:
        one = over_time([Series(title, tuple(points))], kind).rename({"n": f"{title}, n"}, strict=False)
        if found is None:
            found = one.select(pl.exclude("Note"), "Note")
        else:
            more = one.drop("Period", "To", "Note")
            found = found.join(more, on="From", how="left", maintain_order="left")
            found = found.select(pl.exclude("Note"), "Note")
    return pl.DataFrame() if found is None else found


def of_readings(readings: Sequence[Reading]) -> pl.DataFrame:
    """Lay out KPIs now and their change; each has its own unit, which is a column."""
    rows = [
        (
            one.title,
            UNITS.get(one.kind, ""),
            one.value,
            *one.limits,
            one.n,
            one.change,
            *one.change_limits,
            one.against or None,
            one.reason or None,
        )
        for one in readings
    ]
    number = dict.fromkeys(("Value (in its unit)", "95 % from (in its unit)", "95 % to (in its unit)"), pl.Float64)
    change = dict.fromkeys(
        ("Change (in its unit)", "change, 95 % from (in its unit)", "change, 95 % to (in its unit)"), pl.Float64
    )
    words = {"On": pl.String, "Not compared, because": pl.String}
    schema: dict[str, Any] = {"KPI": pl.String, "Unit": pl.String, **number, "n": pl.Int64, **change, **words}
    return pl.DataFrame(rows, schema=schema, orient="row")


def with_units(frame: pl.DataFrame, units: Mapping[str, str]) -> pl.DataFrame:
    """Give a table as it is, with units in the header of the columns that have any."""
    return frame.rename({name: header(name, kind) for name, kind in units.items()})


INCIDENTS = {
    "incident_id": "Number",
    "title": "Title",
    "found_in": "Found in",
    "shared": "In common",
    "opened_at": "Opened",
    "state": "State",
    "priority": "Priority",
    "hours_to_acknowledge": "Taken on after (hours)",
    "hours_to_resolve": "Resolved after (hours)",
    "assignment_group": "Assignment group",
    "service": "Service",
    "excluded_as": "Left out as",
    "source": "Source",
}


def incidents(listed: pl.DataFrame) -> pl.DataFrame:
    """Give a list of incidents with its units."""
    return listed.rename(INCIDENTS, strict=False)
