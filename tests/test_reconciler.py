"""The reconciler: every rule is sourced and counts an incident once, and the parts of a gap are the gap."""

from __future__ import annotations

import itertools
import math
from datetime import date
from pathlib import Path

import duckdb
import pytest
from test_facts import at, event, made, version

from dashboard import query, reconciler
from dashboard.insights import intervals

RULES = reconciler.rules()
SCOPE = query.Scope(date(2025, 3, 1), date(2025, 8, 31))


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> query.Warehouse:
    return query.open_data(sample)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_is_and_who_publishes_it(rule: reconciler.Rule) -> None:
    assert rule.measure in reconciler.MEASURES
    assert rule.name.startswith(f"{rule.measure}_")
    assert len(rule.title) > 5 and len(rule.source) > 10 and rule.description.endswith(".")


def test_every_measure_begins_with_our_own_rule() -> None:
    firsts = [next(rule for rule in RULES if rule.measure == measure) for measure in reconciler.MEASURES]
    assert [rule.is_ours for rule in firsts] == [True] * len(reconciler.MEASURES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_counts_an_incident_at_most_once_and_never_below_zero(
    warehouse: query.Warehouse, rule: reconciler.Rule
) -> None:
    found = warehouse.frame(
        "with chosen as (select rowid as key, * from incidents where excluded_as is null),"
        " told as (select chosen.key, events.*, events.actor is not distinct from chosen.caller as is_callers from chosen join incident_events as events using (source, incident_id)),"
        f" valued as ({reconciler._body(rule)})"
        " select count(*) - count(distinct key) as twice, coalesce(min(value), 0) >= 0 as is_right"
        " from valued"
    )
    assert found.rows() == [(0, True)]


@pytest.mark.parametrize(
    ("measure", "kpi", "day"), [("resolve", "mttr", "resolved_on"), ("contact", "fcr_rate", "resolved_on")]
)
def test_our_own_rule_is_our_own_kpi(warehouse: query.Warehouse, measure: str, kpi: str, day: str) -> None:
    ours = reconciler.verdicts(warehouse, measure, query.Scope())[0]
    theirs = query.values(warehouse, [kpi]).row(0, named=True)
    assert (ours.value, ours.n) == (pytest.approx(theirs["value"], rel=1e-12), theirs["n"])


@pytest.mark.parametrize("measure", reconciler.MEASURES)
def test_the_parts_of_every_gap_add_up(warehouse: query.Warehouse, measure: str) -> None:
    members = [rule.name for rule in RULES if rule.measure == measure]
    for first, second in itertools.product(members, members):
        found = reconciler.gap(warehouse, first, second, query.Scope())
        if found is None or found.first.value is None or found.second.value is None:
            continue
        parts = found.by_value + found.by_first + found.by_second
        assert parts == pytest.approx(found.second.value - found.first.value, abs=1e-9)
        if first == second:
            assert (found.n_equal, found.incidents.height) == (found.n_both, 0)


def test_one_history_under_every_rule() -> None:
    con = duckdb.connect()
    made(
        con,
        [
            version(
                resolved_at=at(30),
                closed_at=at(150),
                acknowledged_at=at(2),
                reports_acknowledgement=True,
                reassignment_count=0,
                reopen_count=1,
            )
        ],
        events=[
            event("assigned", 1, to_value="bob", actor="disp"),
            event("acknowledged", 2),
            event("commented", 3),
            event("commented", 4),
            event("resolved", 10, from_value="in_progress", to_value="resolved"),
            event("reopened", 20, from_value="resolved", to_value="in_progress"),
            event("resolved", 30, from_value="in_progress", to_value="resolved"),
            event("closed", 150, from_value="resolved", to_value="closed", actor_kind="automation"),
        ],
    )
    small = query.Warehouse(Path("none"), con)
    found = {
        one.rule.name: one.value
        for measure in reconciler.MEASURES
        for one in reconciler.verdicts(small, measure, query.Scope())
    }
    assert found == {
        "resolve_meantime": 30.0,
        "resolve_closed": 150.0,
        "resolve_first": 10.0,
        "resolve_last": 30.0,
        "resolve_last_event": 150.0,
        "acknowledge_meantime": 2.0,
        "acknowledge_explicit": 2.0,
        "acknowledge_first_action": 1.0,
        "acknowledge_or_closed": 2.0,
        "contact_meantime": 0.0,
        "contact_first_response": 0.0,
        "contact_not_reassigned": 1.0,
        "contact_of_all": 0.0,
        "contact_one_reply": 0.0,
        "contact_one_update": None,
    }


def test_a_reader_takes_no_more_memory_than_its_bound_and_puts_nothing_beside_the_published_file(sample: Path) -> None:
    opened = query.open_data(sample)
    asked = "select name, value from duckdb_settings() where name in ('memory_limit', 'temp_directory') order by name"
    limit, spill = (value for _, value in opened.frame(asked).iter_rows())
    assert limit == f"{query.MEMORY_MIB}.0 MiB"
    assert sample.resolve() not in Path(spill).resolve().parents


def test_our_own_rules_are_as_sure_as_the_kpis_that_they_are(warehouse: query.Warehouse) -> None:
    # Of the incidents that were opened on these days and that any KPI counts, by their day of opening.
    ours = reconciler.verdicts(warehouse, "contact", SCOPE)[0]
    told = warehouse.frame(
        "select opened_on, count(*) as n, sum(first_contact_resolved::bigint)::bigint as s from incidents"
        " where excluded_as is null and first_contact_resolved is not null"
        " and opened_on between '2025-03-01' and '2025-08-31' group by opened_on"
    )
    n, s = told["n"].to_numpy().astype(float), told["s"].to_numpy().astype(float)
    rate = s.sum() / n.sum()
    sums = (len(n), (s * s).sum(), (s * n).sum(), (n * n).sum())
    limits = intervals.wilson(rate, n.sum(), intervals.design_effect(n.sum(), s.sum(), rate * (1 - rate), *sums))
    assert (ours.value, ours.n) == (pytest.approx(rate), n.sum())
    assert (ours.low, ours.high) == pytest.approx((float(limits.low), float(limits.high)))


def test_every_value_has_limits_around_it(warehouse: query.Warehouse) -> None:
    for measure in reconciler.MEASURES:
        for one in reconciler.verdicts(warehouse, measure, SCOPE):
            if one.value is not None:
                assert one.low is not None and one.high is not None
                assert one.low <= one.value <= one.high


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("resolve_meantime", "resolve_closed"),
        ("acknowledge_meantime", "acknowledge_first_action"),
        ("contact_meantime", "contact_not_reassigned"),
    ],
)
def test_a_gap_is_as_sure_as_leaving_out_single_days_makes_it(
    first: str, second: str, warehouse: query.Warehouse
) -> None:
    gap = reconciler.gap(warehouse, first, second, SCOPE)
    assert gap is not None and gap.low is not None and gap.high is not None
    difference = (gap.second.value or 0.0) - (gap.first.value or 0.0)
    chosen = [reconciler.rule(first), reconciler.rule(second)]
    told = query.within(
        warehouse,
        reconciler._valued(chosen)
        + "select opened_on, rule, count(value)::bigint as n, sum(value)::double as s from valued join chosen using (key)"
        " group by opened_on, rule",
        SCOPE,
    )
    whole = told.pivot("rule", index="opened_on", values=["n", "s"]).fill_null(0)
    n1, n2, s1, s2 = (whole[f"{of}_{rule}"].to_numpy().astype(float) for of in ("n", "s") for rule in (first, second))
    unit = 3600 if reconciler.MEASURES[gap.first.rule.measure] == "hours" else 1
    # The jackknife: what the difference would be without each day.
    without = ((s2.sum() - s2) / (n2.sum() - n2) - (s1.sum() - s1) / (n1.sum() - n1)) / unit
    days = len(without)
    error = math.sqrt((days - 1) / days * ((without - without.mean()) ** 2).sum())
    assert gap.low < difference < gap.high
    assert (gap.high - gap.low) / 2 == pytest.approx(1.96 * error, rel=0.06)


def test_two_rules_that_say_the_same_of_every_incident_differ_by_nothing_for_sure(warehouse: query.Warehouse) -> None:
    gap = reconciler.gap(warehouse, "resolve_meantime", "resolve_meantime", SCOPE)
    assert gap is not None
    assert (gap.low, gap.high) == (0.0, 0.0)
