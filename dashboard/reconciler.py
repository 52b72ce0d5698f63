"""The reconciler: the same incidents under the rules that other tools publish, and which incidents make the gap."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from dashboard import evidence, query
from dashboard.insights import intervals
from dashboard.query import Scope, Warehouse

RULES = Path(__file__).parent / "rules"
MEASURES = {"resolve": "hours", "acknowledge": "hours", "contact": "share"}
"""What is reconciled -> the unit of its values."""


class Rule(NamedTuple):
    """How a tool would count: a file of `dashboard/rules`."""

    name: str
    measure: str
    title: str
    source: str
    """Who publishes it, and where."""
    description: str
    sql: str
    """Gives `key`, `value` (seconds, or 1 and 0) of the `chosen` incidents that it counts; it may read what history `told`."""

    @property
    def is_ours(self) -> bool:
        """Whether it is Meantime's own."""
        return self.name.endswith("_meantime")


class Verdict(NamedTuple):
    """What a rule says of the incidents: hours or a share."""

    rule: Rule
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    """The limits of its 95 % interval, the days of opening being the clusters."""


class Gap(NamedTuple):
    """Why two rules differ: the three parts are their difference, exactly."""

    first: Verdict
    second: Verdict
    n_both: int
    n_only_first: int
    n_only_second: int
    n_equal: int
    """Incidents that both count with the same value."""
    by_value: float
    """From incidents that both count: another value."""
    by_first: float
    """From those that only the first counts."""
    by_second: float
    """From those that only the second counts."""
    low: float | None
    high: float | None
    """The limits of the difference's 95 % interval, the days of opening being the clusters; None of hardly any."""
    incidents: pl.DataFrame
    """The widest first: `source`, `incident_id`, `first`, `second`, in hours or as 1 and 0; null where it is not counted."""


@cache
def rules() -> tuple[Rule, ...]:
    """Read every rule, Meantime's own first within its measure."""
    found = [_read(path) for path in sorted(RULES.glob("*.sql"))]
    return tuple(sorted(found, key=lambda rule: ([*MEASURES].index(rule.measure), not rule.is_ours, rule.name)))


def _read(path: Path) -> Rule:
    text = path.read_text(encoding="utf-8")
    header = dict(re.findall(r"^-- (measure|title|source): +(.*\S)$", text, re.M))
    prose = re.findall(r"^-- (?!measure:|title:|source:)(.*\S)$", text, re.M)
    return Rule(path.stem, header["measure"], header["title"], header["source"], " ".join(prose), text)


def rule(name: str) -> Rule:
    """Give one rule.

    Raises:
        QueryError: there is none of that name.
    """
    named = {one.name: one for one in rules()}
    if name not in named:
        raise query.QueryError(f"rule '{name}' is not one of {', '.join(named)}")
    return named[name]


TOLD = """\
told as materialized (
    select
        chosen.key,
        chosen.source,
        events.happened_at,
        events.kind,
        events.actor_kind,
        events.actor is not distinct from chosen.caller as is_callers
    from chosen
    join main.incident_events as events
        on chosen.source = events.source
        and chosen.incident_id = events.incident_id
),
"""
"""The history of the chosen incidents: several rows for each, so it is read only for rules that ask for it."""


def _valued(chosen: list[Rule]) -> str:
    """Compose the values of rules over the incidents opened in a scope, excluded ones apart."""
    told = TOLD if any(re.search(r"\btold\b", _body(one)) for one in chosen) else ""
    parts = "\nunion all by name\n".join(f"select '{one.name}' as rule, * from (\n{_body(one)}\n)" for one in chosen)
    return f"""
with
chosen as materialized (
    select
        -- Its place: what follows is joined and grouped by a number, not by two texts.
        i.rowid as key,
        i.source,
        i.incident_id,
        i.state,
        i.caller,
        i.opened_on,
        i.resolved_with_parent,
        i.is_auto_resolved,
        i.occurred_at,
        i.opened_at,
        i.first_resolved_at,
        i.resolved_at,
        i.closed_at,
        i.last_resolved_at,
        i.last_event_at,
        i.acknowledgement_basis,
        i.resolution_basis,
        i.reassignment_count,
        i.reopen_count,
        i.first_contact_resolved,
        i.seconds_to_acknowledge,
        i.seconds_to_resolve,
        i.seconds_to_first_resolution
    from main.incidents as i
    where i.excluded_as is null
        and ($since::date is null or i.opened_on >= $since)
        and ($until::date is null or i.opened_on <= $until)
        -- and the filters
),
{told}valued as materialized (
{parts}
)
"""


def _body(one: Rule) -> str:
    return "\n".join(line for line in one.sql.splitlines() if not line.startswith("--")).strip().removesuffix(";")


def verdicts(warehouse: Warehouse, measure: str, scope: Scope) -> list[Verdict]:
    """Give the value under every rule of a measure, over the same incidents: those opened in the scope."""
    members = [one for one in rules() if one.measure == measure]
    text = f"""{_valued(members)},
daily as (
    select
        valued.rule,
        chosen.opened_on,
        count(*) as n,
        sum(valued.value) as s,
        sum(valued.value::hugeint * valued.value) as x2,
        sum(valued.value::hugeint * valued.value * valued.value) as x3
    from valued
    join chosen
        on valued.key = chosen.key
    where valued.value is not null
    group by
        valued.rule,
        chosen.opened_on
)
select
    rule,
    {", ".join(evidence.DAYS)}
from daily
group by rule
"""
    unit = MEASURES[measure]
    found = query.within(warehouse, text, scope)
    sums = {name: found[name].to_numpy().astype(float) for name in found.columns if name != "rule"}
    one = evidence.Measure(measure, unit, "mean" if unit == "hours" else "rate")
    limits = evidence.beside(one, sums, sums["n"], sums["days"])
    values = sums["s"] / sums["n"] / (3600 if unit == "hours" else 1)
    told = pl.DataFrame({"value": values, "n": found["n"], "low": limits["low"], "high": limits["high"]}).fill_nan(None)
    by_rule = dict(zip(found["rule"], told.iter_rows(), strict=True))
    return [Verdict(one, *by_rule.get(one.name, (None, 0))) for one in members]


GAP = """,
pairs as materialized (
    select
        coalesce(a.key, b.key) as key,
        a.value as first,
        b.value as second
    from (select * from valued where rule = $first and value is not null) as a
    full join (select * from valued where rule = $second and value is not null) as b
        on a.key = b.key
),
sums as (
    select
        count(first)::bigint as n_first,
        count(second)::bigint as n_second,
        count(*) filter (where first is not null and second is not null)::bigint as n_both,
        count(*) filter (where first = second)::bigint as n_equal,
        coalesce(sum(first), 0)::bigint as sum_first,
        coalesce(sum(second), 0)::bigint as sum_second,
        coalesce(sum(first) filter (where second is not null), 0)::bigint as first_of_both,
        coalesce(sum(second) filter (where first is not null), 0)::bigint as second_of_both
    from pairs
),
moved as (
    select
        chosen.opened_on,
        -- What an incident adds to the difference of the two means.
        coalesce((pairs.second - sums.sum_second / sums.n_second) / sums.n_second, 0)
        - coalesce((pairs.first - sums.sum_first / sums.n_first) / sums.n_first, 0) as part
    from pairs
    join chosen
        on pairs.key = chosen.key
    cross join sums
),
days as (
    select
        opened_on,
        count(*) as n,
        sum(part) as part,
        sum(part * part) as squared,
        sum(part * part * part) as cubed
    from moved
    group by opened_on
),
spread as (
    select
        count(*) as days,
        sum(n)::double as n,
        sum(n * n)::double as n2,
        sum(squared) as within,
        sum(cubed) as cubed,
        sum(part * part) as between_days
    from days
),
widest as (
    select
        chosen.source,
        chosen.incident_id,
        pairs.first,
        pairs.second
    from pairs
    join chosen
        on pairs.key = chosen.key
    where pairs.first is distinct from pairs.second
    order by
        abs(coalesce(pairs.second, 0) - coalesce(pairs.first, 0)) desc,
        chosen.source,
        chosen.incident_id
    limit $limit
)
select
    sums.*,
    spread.*,
    widest.*
from sums
cross join spread
left join widest
    on true
order by
    abs(coalesce(widest.second, 0) - coalesce(widest.first, 0)) desc,
    widest.source,
    widest.incident_id
"""


def _limits(sums: dict[str, Any], difference: float, unit: int) -> tuple[float | None, float | None]:
    """Give the limits of a difference between the means of two rules."""
    if min(sums["n_first"], sums["n_second"]) < query.FEW:
        return None, None
    within, cubed, between = sums["within"] / unit**2, sums["cubed"] / unit**3, sums["between_days"] / unit**2
    found = intervals.of_influences(difference, within, cubed, between, sums["days"], sums["n"], sums["n2"])
    low, high = float(found.low), float(found.high)
    return (None, None) if math.isnan(low) else (low, high)


def gap(warehouse: Warehouse, first: str, second: str, scope: Scope, limit: int = 200) -> Gap | None:
    """Say which incidents make the difference between two rules; None where one of them counts none.

    With means M over all that a rule counts and C over those that both count, the difference is
    (C2 - C1) + (C1 - M1) + (M2 - C2).

    Raises:
        QueryError: an unknown rule, or two of different measures.
    """
    one, other = rule(first), rule(second)
    if one.measure != other.measure:
        raise query.QueryError(f"rules '{first}' and '{second}' measure different things")
    unit = 3600 if MEASURES[one.measure] == "hours" else 1
    text = _valued([one, other] if one != other else [one]) + GAP
    found = query.within(warehouse, text, scope, {"first": first, "second": second, "limit": limit})
    sums = found.row(0, named=True)
    if not sums["n_first"] or not sums["n_second"] or not sums["n_both"]:
        return None
    widest = found.select("source", "incident_id", "first", "second").drop_nulls("source")
    mean_first, mean_second = (sums[f"sum_{name}"] / sums[f"n_{name}"] / unit for name in ("first", "second"))
    low, high = _limits(sums, mean_second - mean_first, unit)
    both_first, both_second = (sums[key] / sums["n_both"] / unit for key in ("first_of_both", "second_of_both"))
    return Gap(
        Verdict(one, mean_first, sums["n_first"]),
        Verdict(other, mean_second, sums["n_second"]),
        sums["n_both"],
        sums["n_first"] - sums["n_both"],
        sums["n_second"] - sums["n_both"],
        sums["n_equal"],
        both_second - both_first,
        both_first - mean_first,
        mean_second - both_second,
        low,
        high,
        widest.with_columns((pl.col("first", "second") / unit).round(2)),
    )
