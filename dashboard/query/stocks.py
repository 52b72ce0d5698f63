"""KPIs over the incidents that are open at the end of days."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from dashboard import periods
from dashboard.query.kept import Asked, Known
from dashboard.query.rows import calls, keys_of, lines, long, named, needed
from dashboard.query.scope import Days, Filter, Scope, filters_of
from dashboard.query.warehouse import SQL, Kpi, Warehouse

MANY_DAYS = 8
"""From so many days on, counts of open incidents are drawn from openings less closings instead of from each day's rows."""


def stock(
    warehouse: Warehouse,
    members: Sequence[Kpi],
    scope: Scope,
    by: tuple[str, ...],
    grain: str | None,
    parts: tuple[Days, ...],
) -> pl.DataFrame:
    """KPIs over the incidents open at a day's end: on a bucket's last complete day, or on all of its days."""
    wanted = wanted_days(warehouse, scope, grain, parts)
    found = []
    shapes = _by_shape(members, len(wanted))
    if (parts or grain) and not by and wanted:
        # What is open at the end of days is asked for once, whether they are shown or compared.
        counted = [one for one in members if one.name == "backlog"]
        found += [long(_on_days(warehouse, one, scope, wanted), [one], ["period"]) for one in counted]
        shapes = _by_shape([one for one in members if one not in counted], len(wanted))
    for how, chosen in shapes.items():
        query, bound = how(warehouse, chosen, scope, by, wanted)
        wide = named(warehouse.frame(query, bound), by)
        keys = [*by, *(["period"] if grain or parts else [])]
        if not keys and wide.is_empty():
            wide = pl.DataFrame({name: [None] for name in wide.columns})
        found.append(long(wide, chosen, keys))
    return pl.concat(found, how="vertical_relaxed")


def _on_days(warehouse: Warehouse, one: Kpi, scope: Scope, wanted: Sequence[Wanted]) -> pl.DataFrame:
    """Count what is open at the end of days; of those that are known nothing is asked again."""
    key = (one.name, scope.where)
    known = warehouse.days.get(key)
    if known:
        known.note(min(day.day for day in wanted), max(day.day for day in wanted))
    told = set(known.days["period"]) if known else set()
    missing = {day.day for day in wanted} - told
    if missing:
        # The last day is shown with most others: to ask for it alone would cost as much as for all.
        last = {warehouse.last_day} if warehouse.last_day else set()
        asked = sorted(missing | last - told)
        text, values = _cumulated(warehouse, [one], scope, (), [Wanted(day, day, day) for day in asked])
        found = Known(asked[0], asked[-1], warehouse.frame(text, values), (Asked(asked[0], asked[-1], text, values),))
        known = known.and_(found) if known else found
        warehouse.days.put(key, known)
    assert known is not None
    at = {day: row for day, *row in known.days.iter_rows()}
    rows = [(day.period, *at[day.day]) for day in wanted]
    return pl.DataFrame(rows, {"period": pl.Date, one.name: pl.Float64, f"{one.name}_n": pl.Int64}, orient="row")


Shape = Callable[..., tuple[str, dict[str, Any]]]


def _by_shape(members: Sequence[Kpi], days: int) -> dict[Shape, list[Kpi]]:
    shapes: dict[Shape, list[Kpi]] = {}
    for one in members:
        if one.name == "backlog_mean":
            shape = _mean_open
        else:
            shape = _cumulated if one.name == "backlog" and days >= MANY_DAYS else _open_at_the_end
        shapes.setdefault(shape, []).append(one)
    return shapes


class Wanted(NamedTuple):
    """A bucket's name, and the complete days of it that are looked at."""

    period: date
    first_day: date
    day: date


def wanted_days(warehouse: Warehouse, scope: Scope, grain: str | None, parts: tuple[Days, ...]) -> list[Wanted]:
    """Choose the complete days of each bucket, or part, of a scope."""
    first, last = warehouse.first_day, warehouse.last_day
    if first is None or last is None:
        return []
    since, until = max(scope.since or first, first), min(scope.until or last, last)
    if parts:
        found = [Wanted(part[0], max(part[0], first), min(part[1], last)) for part in parts]
    elif grain:
        found = [
            Wanted(bucket.since, max(bucket.since, since), min(bucket.until, until))
            for bucket in periods.buckets(since, until, grain)
        ]
    else:
        found = [Wanted(since, since, until)]
    return [one for one in found if one.first_day <= one.day]


def spans_of(
    warehouse: Warehouse,
    scope: Scope,
    wanted: Sequence[Wanted],
    *,
    from_day: date | None = None,
    by: Sequence[str] = (),
    read: Iterable[str] = (),
    more: Iterable[str] = (),
    excluded: bool = False,
    on_days: bool = False,
) -> Filter:
    """Compose what every stock begins with: the wanted days, and the spans that touch them, before any is unfolded.

    Args:
        warehouse: the published version.
        scope: its filters hold; its days are in `wanted`.
        wanted: the days looked at.
        from_day: first of them; the first that a bucket ends on, if not given.
        by: columns to read as keys.
        read: further columns.
        more: further expressions.
        excluded: with the incidents that no KPI counts.
        on_days: without spans that lie between the wanted days, of which most do where these are few.
    """
    filtered, keys = filters_of(warehouse, "incident_days", scope), keys_of(warehouse, "incident_days", by, scope)
    bound = {
        "from_day": from_day or min((one.day for one in wanted), default=None),
        "to_day": max((one.day for one in wanted), default=None),
        "periods": [one.period for one in wanted],
        "first_days": [one.first_day for one in wanted],
        "days": [one.day for one in wanted],
    }
    columns = [*keys.read, *(f"i.{name}" for name in dict.fromkeys(read)), *more]
    text = (
        (SQL / "open_spans.sql")
        .read_text(encoding="utf-8")
        .partition("\n")[2]
        .replace("-- and what is read", "".join(f", {column}" for column in columns))
        .replace("-- and the members", keys.joins)
        .replace("-- and the filters", ("" if excluded else "and i.excluded_as is null\n    ") + filtered.text)
    )
    if on_days and 0 < len(wanted) < MANY_DAYS:
        bound |= {f"day_{place}": one.day for place, one in enumerate(wanted)}
        open_on = " or ".join(
            f"(i.from_day <= ${name} and (i.until_day is null or i.until_day > ${name}))"
            for name in (f"day_{place}" for place in range(len(wanted)))
        )
        text = text.replace("-- and the days", f"and ({open_on})")
    return Filter(text, {**bound, **filtered.values, **keys.values})


def _grid(by: Sequence[str]) -> str:
    members = f"select distinct {_key_list(by)} from chosen" if by else "select 1 as one"
    return f"grid as (\n    select wanted.*, members.* from wanted cross join ({members}) as members\n)"


def _key_list(by: Sequence[str], row: str = "") -> str:
    return ", ".join(f"{row}key_{place}" for place in range(len(by)))


def _same_keys(by: Sequence[str]) -> str:
    return "".join(f" and chosen.key_{place} is not distinct from grid.key_{place}" for place in range(len(by)))


def _open_at_the_end(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], wanted: Sequence[Wanted]
) -> tuple[str, dict[str, Any]]:
    """Macros over the rows of `incident_days` on each bucket's last day; a day without any is a day, too."""
    read = ["opened_at", *(name for name in needed(warehouse, members) if name != "incident_id")]
    # Where the macros ask only whether there is an incident, its number is not fetched: texts cost more than all the rest.
    is_asked = any(re.search(r"incident_id(?! is (not )?null)", one.sql) for one in members)
    number = "i.incident_id" if is_asked else "true as incident_id"
    spans = spans_of(warehouse, scope, wanted, by=by, read=read, more=[number], excluded=True, on_days=True)
    groups = [f"d.key_{place}" for place in range(len(by))] + ["d.period"]
    query = f"""
with {spans.text},
chosen as materialized (
    select
        wanted.period,
        date_diff('second', spans.opened_at, wanted.ends_at)::bigint as age_seconds,
        spans.* exclude (from_day, gone_day)
    from wanted
    join spans
        on spans.from_day <= wanted.day
        and spans.gone_day > wanted.day
),
{_grid(by)},
filled as (
    select
        grid.*,
        chosen.* exclude (period{"".join(f", key_{place}" for place in range(len(by)))})
    from grid
    left join chosen
        on chosen.period = grid.period{_same_keys(by)}
)
select
    {lines([*groups, *calls(members, "d")])}
from filled as d
group by {", ".join(groups)}
"""
    return query, spans.values


def _cumulated(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], wanted: Sequence[Wanted]
) -> tuple[str, dict[str, Any]]:
    """Openings less closings, cumulated: what `kpi.backlog` counts, for many days (a test compares them)."""
    spans = spans_of(warehouse, scope, wanted, by=by)
    listed = f"{_key_list(by)}, " if by else ""
    apart = f"partition by {_key_list(by, 'grid.')} " if by else ""
    keys = f"{_key_list(by, 'grid.')}, " if by else ""
    query = f"""
with {spans.text},
chosen as materialized (
    select {listed}wanted.period, sum(steps.step) as step
    from (
        select {listed}from_day as day, count(*) as step from spans group by all
        union all
        select {listed}gone_day as day, -count(*) as step from spans group by all
    ) as steps
    asof join wanted
        on steps.day <= wanted.day
    group by all
),
{_grid(by)}
select
    {keys}grid.period,
    sum(coalesce(chosen.step, 0)) over ({apart}order by grid.period)::double as backlog,
    sum(coalesce(chosen.step, 0)) over ({apart}order by grid.period)::bigint as backlog_n
from grid
left join chosen
    on chosen.period = grid.period{_same_keys(by)}
"""
    return query, spans.values


def _mean_open(
    warehouse: Warehouse, members: Sequence[Kpi], scope: Scope, by: tuple[str, ...], wanted: Sequence[Wanted]
) -> tuple[str, dict[str, Any]]:
    """Mean over a bucket's days from each span's days in it: what `kpi.backlog_mean` counts (a test compares them)."""
    first = min((one.first_day for one in wanted), default=None)
    spans = spans_of(warehouse, scope, wanted, from_day=first, by=by)
    listed = f"{_key_list(by)}, " if by else ""
    keys = f"{_key_list(by, 'grid.')}, " if by else ""
    query = f"""
with {spans.text},
chosen as materialized (
    select
        {listed}wanted.period,
        sum(least(gone_day, wanted.day + 1) - greatest(from_day, wanted.first_day)) as open_days
    from spans
    join wanted
        on spans.from_day <= wanted.day
        and spans.gone_day > wanted.first_day
    group by all
),
{_grid(by)}
select
    {keys}grid.period,
    coalesce(chosen.open_days, 0)::double / (grid.day - grid.first_day + 1) as backlog_mean,
    (grid.day - grid.first_day + 1)::bigint as backlog_mean_n
from grid
left join chosen
    on chosen.period = grid.period{_same_keys(by)}
"""
    return query, spans.values
