"""Fitness of the data: what may be doubted in each source, and what a KPI is with and without the doubtful rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from dashboard import query, words
from dashboard.query import SQL, Number, Warehouse

CLOCKS = {
    "mttr": "resolve",
    "mttr_median": "resolve",
    "mtta": "acknowledge",
    "mtta_median": "acknowledge",
    "fcr_rate": "contact",
    "resolved_count": "resolve",
}
"""KPI -> the stamps or counters that it stands on."""
GRADES = ("good", "fair", "poor", "unknown")
FAIR, POOR = 0.02, 0.10
"""Shares of doubtful or missing rows from which a KPI is no longer good, and poor."""
HEAPED = 0.3
"""Share of closings within one hour after resolving from which they are a machine's."""
FULL_HOURS = 0.1
"""Share of stamps on the full hour, of which chance gives 1 in 60 or fewer."""
UNEVEN, ENOUGH = 0.1, 30
"""Difference in coverage between priorities, each of so many incidents, that is no chance."""


class Grade(NamedTuple):
    """How far a KPI of a source can be trusted."""

    source: str
    kpi: str
    grade: str
    known: float
    """Share of the resolved incidents for which what it stands on is known."""
    doubtful: float
    """Share of what it counts that is doubtful."""
    n: int
    n_without: int
    """Incidents that it counts without the doubtful rows."""


class Pair(NamedTuple):
    """A KPI of a source with the doubtful rows and without them."""

    whole: Number
    rest: Number


class Finding(NamedTuple):
    """One odd thing about a source: its kind, and a sentence with the places of its values, which its reader's page says."""

    source: str
    kind: str
    n: int
    sentence: str
    values: tuple[int | float | date | str, ...] = ()

    @property
    def said(self) -> str:
        """The sentence with its values: counts, shares and days in the way of whoever reads."""
        return self.sentence.format(*map(_in_words, self.values))


def _in_words(value: float | date | str) -> str:
    if isinstance(value, date):
        return words.day(value)
    if isinstance(value, float):
        return words.share(round(value, 2))
    return value if isinstance(value, str) else words.number(value)


class Batch(NamedTuple):
    """A day on which far more was resolved or closed than ever, within few minutes."""

    source: str
    field: str
    day: date
    n: int
    minutes: int


def batches(warehouse: Warehouse) -> list[Batch]:
    """Name the days of batch closures."""
    found = warehouse.stored("fitness_batches")
    return [Batch(*row) for row in found.drop("busy_day").iter_rows()]


def findings(warehouse: Warehouse, found: Sequence[Batch] | None = None) -> list[Finding]:
    """Collect what is odd about each source's stamps; `found`: the batches, if they are known."""
    known = batches(warehouse) if found is None else found
    odd = [
        *_heaps(warehouse),
        *_batches_said(known),
        *_clock(warehouse),
        *_windows(warehouse),
        *_reasons(warehouse, known),
    ]
    return sorted(odd, key=lambda one: (one.source, one.kind, -one.n))


def _heaps(warehouse: Warehouse) -> list[Finding]:
    return [
        Finding(
            source,
            "heaping",
            n,
            "{} of {} closings ({}) come {} hours after resolving, to the hour: a machine closes them, and a time to the "
            "closing measures the machine",
            (n, closings, n / closings, hours),
        )
        for source, hours, n, closings in warehouse.stored("fitness_heaps").iter_rows()
        if closings >= ENOUGH and n / closings >= HEAPED and hours > 0
    ]


def _batches_said(found: Sequence[Batch]) -> list[Finding]:
    return [
        Finding(
            one.source,
            "batch",
            one.n,
            "{} incidents were {} on {} within {} different minutes: a batch, no work of that day",
            (one.n, one.field.removesuffix("_at"), one.day, one.minutes),
        )
        for one in found
    ]


def _clock(warehouse: Warehouse) -> list[Finding]:
    found = []
    rows = warehouse.stored("fitness_clock")
    sums = rows.group_by("source", "field", maintain_order=True).agg(pl.col("incidents", "known", "full_hours").sum())
    for source, field, incidents, known, full in sums.iter_rows():
        if known >= ENOUGH and full / known >= FULL_HOURS:
            said = "{} of {} stamps of {} ({}) lie on the full hour: they were rounded"
            found.append(Finding(source, "full hours", full, said, (full, known, field, full / known)))
        if known < incidents:
            said = "{} is unknown for {} of {} resolved incidents"
            unknown = incidents - known
            found.append(Finding(source, "coverage", unknown, said, (field, unknown, incidents)))
        parts = rows.filter(
            pl.col("source").eq(source),
            pl.col("field").eq(field),
            pl.col("incidents") >= ENOUGH,
            pl.col("priority").is_not_null(),
        )
        shares = sorted(
            (k / n, priority, n - k) for priority, n, k in parts.select("priority", "incidents", "known").iter_rows()
        )
        if len(shares) > 1 and shares[-1][0] - shares[0][0] >= UNEVEN:
            low, high = shares[0], shares[-1]
            said = (
                "{} is known for {} of P{} and {} of P{}: it is not missing by chance, and a mean over those that have it "
                "leans to one side"
            )
            values = (field, low[0], low[1], high[0], high[1])
            found.append(Finding(source, "not missing at random", low[2], said, values))
    return found


def _windows(warehouse: Warehouse) -> list[Finding]:
    found = []
    for extent in warehouse.extents.values():
        if extent.intake_end is not None:
            said = (
                "nearly nothing was opened after {}, though the source is known up to {}: the extract ends there, and what "
                "falls afterwards is no improvement"
            )
            values = (extent.intake_end, extent.last_day)
            found.append(Finding(extent.source, "end of the extract", 0, said, values))
        if extent.resolve_edge > extent.first_day:
            said = "the extract begins on {}: of what was resolved before {} only the quick part can be seen"
            values = (extent.first_day, extent.resolve_edge)
            found.append(Finding(extent.source, "beginning of the extract", 0, said, values))
    return found


def _doubts(found: Sequence[Batch]) -> tuple[str, dict[str, Any]]:
    """Compose the doubtful rows, and the batches that it binds."""
    text = (SQL / "doubts.sql").read_text(encoding="utf-8").partition("\n")[2]
    days = [(one.source, one.day) for one in found if one.field == "resolved_at"]
    return f"with\n{text}", {"sources": [source for source, _ in days], "days": [day for _, day in days]}


def _reasons(warehouse: Warehouse, found: Sequence[Batch]) -> list[Finding]:
    text, bound = _doubts(found)
    rows = warehouse.frame(
        f"{text}select source, reason, count(distinct incident_id)::bigint as n from doubts group by all order by all",
        bound,
    )
    return [
        Finding(source, "doubtful", n, "{} incident: {}" if n == 1 else "{} incidents: {}", (n, reason))
        for source, reason, n in rows.iter_rows()
    ]


def grades(warehouse: Warehouse, found: Sequence[Batch] | None = None) -> list[Grade]:
    """Grade each KPI of each source by what is missing and what is doubtful; `found`: the batches, if they are known."""
    text, bound = _doubts(batches(warehouse) if found is None else found)
    rows = warehouse.frame(text + _counted(warehouse), bound)
    graded = []
    for (source,), parts in rows.group_by("source", maintain_order=True):
        base = int(parts["base"].sum())
        for name, clock in CLOCKS.items():
            n, rest = (int(some[name].sum()) for some in (parts, parts.filter(~pl.col(clock))))
            known = min(1.0, n / base) if base else 0.0
            doubtful = (n - rest) / n if n else 0.0
            worst = max(1 - known, doubtful)
            grade = "unknown" if not n else "poor" if worst >= POOR else "fair" if worst >= FAIR else "good"
            graded.append(Grade(str(source), name, grade, known, doubtful, n, rest))
    return graded


def _counted(warehouse: Warehouse) -> str:
    """Compose how many incidents each KPI counts, by source and by which of their stamps are doubtful."""
    kpis = [query.kpi(warehouse, name) for name in CLOCKS]
    clocks = tuple(dict.fromkeys(CLOCKS.values()))
    read = ["source", "resolution_basis", *query.needed(warehouse, kpis)]
    doubtful = [f"coalesce(doubted.{clock}, false) as {clock}" for clock in clocks]
    return f""",
doubted as (
    select
        source,
        incident_id,
        {", ".join(f"bool_or(clock = '{clock}') as {clock}" for clock in clocks)}
    from doubts
    group by
        source,
        incident_id
)
select
    i.source,
    {", ".join(f"i.{clock}" for clock in clocks)},
    count(*) filter (where i.resolution_basis is not null and i.excluded_as is null)::bigint as base,
    {", ".join(f'kpi.{one.name}_n(i)::bigint as "{one.name}"' for one in kpis)}
from (
    select
        {", ".join([*(f"i.{name}" for name in read), *doubtful])}
    from main.incidents as i
    left join doubted
        on i.source = doubted.source
        and i.incident_id = doubted.incident_id
) as i
group by
    i.source,
    {", ".join(f"i.{clock}" for clock in clocks)}
order by i.source
"""


def with_and_without(
    warehouse: Warehouse, names: Sequence[str] = tuple(CLOCKS), found: Sequence[Batch] | None = None
) -> dict[tuple[str, str], Pair]:
    """Give KPIs of each source with and without the doubtful rows, by source and KPI; `found`: the batches, if known."""
    text, bound = _doubts(batches(warehouse) if found is None else found)
    sides: list[dict[tuple[str, str], Number]] = [{}, {}]
    for clock in dict.fromkeys(CLOCKS[name] for name in names):
        rest = f"""{text}
    select i.* replace (case when doubted.source is null then i.excluded_as else 'doubtful' end as excluded_as)
    from main.incidents as i
    left join (select distinct source, incident_id from doubts where clock = '{clock}') as doubted
        on i.source = doubted.source
        and i.incident_id = doubted.incident_id"""
        members = [name for name in names if CLOCKS[name] == clock]
        for side, of in zip(sides, (None, query.Rows(rest, bound)), strict=True):
            told = query.values(warehouse, members, by=("source",), of=of)
            for source, name, *number in told.select("source", "kpi", "value", "n", "low", "high").iter_rows():
                side[source, name] = Number(*number)
    nothing = Number(None, 0)
    return {key: Pair(whole, sides[1].get(key, nothing)) for key, whole in sides[0].items()}
