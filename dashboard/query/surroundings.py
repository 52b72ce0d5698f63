"""What stands around a number: what it leaves out, when its incidents came, how old the open ones are."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from dashboard.query.scope import Scope, filters_of, kpi
from dashboard.query.stocks import spans_of, wanted_days
from dashboard.query.warehouse import SQL, Warehouse


class Beside(NamedTuple):
    """What is not in a number, and what is odd in it; counted at the number's own day, within the scope."""

    excluded: dict[str, int]
    with_parent: int
    auto_resolved: int
    closed_without_resolving: int
    without_duration: int
    first_contact_over_1_hour: int
    first_contact_over_24_hours: int
    still_open: int
    open_and_breached: int


def beside(warehouse: Warehouse, name: str, scope: Scope) -> Beside:
    """Count what a KPI leaves out, to stand beside it."""
    one = kpi(warehouse, name)
    counted_on = "opened_on" if one.fact != "incidents" else one.counted_on
    condition = filters_of(warehouse, "incidents", scope)
    text = (SQL / "beside.sql").read_text(encoding="utf-8")
    query = text.replace("i.counted_on", f"i.{counted_on}").replace("-- and the filters", condition.text)
    row = warehouse.frame(query, {**condition.values, "since": scope.since, "until": scope.until}).row(0, named=True)
    excluded = {reason: row.pop(f"excluded_{reason}") for reason in ("cancelled", "duplicate", "test", "deleted")}
    return Beside({reason: n for reason, n in excluded.items() if n}, **row)


def rhythm(warehouse: Warehouse, scope: Scope) -> pl.DataFrame:
    """Openings by weekday (1 Monday to 7) and hour in the reporting zone: `weekday`, `hour`, `n`."""
    condition = filters_of(warehouse, "incidents", scope)
    query = (SQL / "rhythm.sql").read_text(encoding="utf-8").replace("-- and the filters", condition.text)
    return warehouse.frame(
        query, {**condition.values, "since": scope.since, "until": scope.until, "zone": warehouse.zone}
    )


AGE_CLASSES = ("under 1 day", "1 to 3 days", "3 to 7 days", "7 to 30 days", "over 30 days")


def backlog_ages(warehouse: Warehouse, scope: Scope) -> pl.DataFrame:
    """Incidents open at the end of the scope's last complete day by age: `age_class`, `n`."""
    wanted = wanted_days(warehouse, scope, None, ())
    spans = spans_of(warehouse, scope, wanted, read=("opened_at",))
    query = (SQL / "backlog_ages.sql").read_text(encoding="utf-8").replace("-- the spans", spans.text)
    found = dict(warehouse.frame(query, spans.values).iter_rows())
    return pl.DataFrame({"age_class": AGE_CLASSES, "n": [found.get(place, 0) for place in range(5)]})
