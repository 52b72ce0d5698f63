"""Lists of incidents: those behind a number, and those that add most to it."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from dashboard import searching
from dashboard.query.contributions import Bounds
from dashboard.query.rows import counted_within, flow_rows, lines, needed
from dashboard.query.scope import Filter, QueryError, Scope, filters_of, kpi
from dashboard.query.stocks import spans_of, wanted_days
from dashboard.query.warehouse import Kpi, Warehouse

INCIDENT_COLUMNS = (
    "source",
    "incident_id",
    "title",
    "url",
    "state",
    "priority",
    "service",
    "assignment_group",
    "assignee",
    "channel",
    "category",
    "opened_at",
    "acknowledged_at",
    "resolved_at",
    "hours_to_acknowledge",
    "hours_to_resolve",
    "first_contact_resolved",
    "reassignment_count",
    "reopen_count",
    "is_auto_resolved",
    "excluded_as",
)


class Incidents(NamedTuple):
    """A page of a list of incidents, and how many there are in all."""

    rows: pl.DataFrame
    total: int


def incidents(
    warehouse: Warehouse,
    scope: Scope,
    *,
    name: str | None = None,
    text: str | None = None,
    only_open: bool = False,
    sort: str = "opened_at",
    descending: bool = True,
    limit: int = 50,
    offset: int = 0,
    between: Bounds | None = None,
) -> Incidents:
    """List the incidents behind a number (`name`: a KPI), or all that were opened in the scope.

    With `between` those that add so much to the KPI, in its unit: from the first up to below the second. Stamps are in
    the reporting zone. `text` is a search as `searching` reads it; `found_in` then names where it was met.
    """
    if sort not in INCIDENT_COLUMNS:
        raise QueryError(f"cannot sort by '{sort}'; choose one of {', '.join(INCIDENT_COLUMNS)}")
    one = kpi(warehouse, name) if name else None
    chosen = _counted_rows(warehouse, one, scope, between) if one else _opened_rows(warehouse, scope)
    bound = dict(chosen.values)
    conditions = []
    if only_open:
        conditions.append("and i.state in ('new', 'in_progress', 'on_hold') and i.excluded_as is null")
    search = searching.search(text) if text else None
    if search:
        conditions.append(f"and {search.condition}")
        bound |= search.values
    shown = _shown() + ([f"{search.found_in} as found_in"] if search else [])
    order = f"order by i.{sort} {'desc' if descending else 'asc'} nulls last, i.source, i.incident_id"
    found = f"from main.incidents as i where {chosen.text} {' '.join(conditions)}"
    # The page's keys first: only they are worth fetching whole.
    query = f"""
select
    {lines(shown)}
from main.incidents as i
where i.rowid in (select i.rowid {found} {order} limit {int(limit)} offset {int(offset)})
{order}
"""
    rows = warehouse.frame(query, {**bound, "zone": warehouse.zone})
    total = warehouse.frame(f"select count(*)::bigint as n {found}", bound)["n"][0]
    return Incidents(rows, total)


def _shown() -> list[str]:
    return [
        f"(i.{name} at time zone 'UTC' at time zone $zone)::timestamp as {name}"
        if name.endswith("_at")
        else f"i.{name}"
        for name in INCIDENT_COLUMNS
    ]


def _opened_rows(warehouse: Warehouse, scope: Scope) -> Filter:
    within, filtered = counted_within("opened_on", scope, ()), filters_of(warehouse, "incidents", scope)
    return Filter(f"{within.text} {filtered.text}", {**within.values, **filtered.values})


def _counted_rows(warehouse: Warehouse, one: Kpi, scope: Scope, between: Bounds | None = None) -> Filter:
    """Choose the rows that a number is made of: the KPI's own n over each says whether it counts."""
    if one.fact == "incident_days":
        wanted = wanted_days(warehouse, scope, None, ())
        spans = spans_of(warehouse, scope, wanted, read=("source", "incident_id"))
        text = (
            f"(i.source, i.incident_id) in (with {spans.text} select (spans.source, spans.incident_id) from spans"
            " join wanted on spans.from_day <= wanted.day and spans.gone_day > wanted.day)"
        )
        return Filter(text, spans.values)
    within, filtered = counted_within(one.counted_on, scope, ()), filters_of(warehouse, "incidents", scope)
    read = lines(["i.rowid as place", *(f"i.{name}" for name in needed(warehouse, [one]))])
    rows = f"select {read} from main.incidents as i where {within.text} {filtered.text}"
    adds = ""
    if between is not None:
        size = 3600 if one.unit == "hours" else 1
        adds = f"where kpi.{one.name}_each(i) >= $least and ($below::double is null or kpi.{one.name}_each(i) < $below)"
        # Bounds of bins are roots of ten: a bin and its list must round alike.
        bound = {
            "least": round(between[0] * size, 6),
            "below": None if between[1] is None else round(between[1] * size, 6),
        }
        within.values.update(bound)
    text = f"i.rowid in (select i.place from ({rows}) as i {adds} group by i.place having kpi.{one.name}_n(i) > 0)"
    return Filter(text, {**within.values, **filtered.values})


def extremes(warehouse: Warehouse, name: str, scope: Scope, *, is_most: bool = True, limit: int = 5) -> pl.DataFrame:
    """List the incidents that add most, or least, to a KPI: the columns of a list of incidents, and `adds` in its unit."""
    one = kpi(warehouse, name)
    rows = flow_rows(warehouse, [one], scope, (), None, ())
    order = "desc" if is_most else "asc"
    each = f"kpi.{one.name}_each(i)"
    query = f"""
with heaviest as (
    select
        i.place,
        ({each} / {"3600.0" if one.unit == "hours" else "1"})::double as adds
    from (
        {rows.text.replace("select ", "select i.rowid as place, ", 1)}
    ) as i
    where {each} is not null
    order by
        adds {order},
        i.place
    limit {int(limit)}
)
select
    {lines(_shown())},
    heaviest.adds
from main.incidents as i
join heaviest
    on i.rowid = heaviest.place
order by
    heaviest.adds {order},
    i.source,
    i.incident_id
"""
    return warehouse.frame(query, {**rows.values, "zone": warehouse.zone})
