"""What the page on other tools' rules says and draws."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from dashboard import reconciler, tabulated, words
from dashboard.charts import ranking
from dashboard.charts.plot import Figure
from dashboard.charts.ranking import Bar
from dashboard.charts.scales import Unit
from dashboard.reconciler import Gap, Verdict
from dashboard.view import View, traced

NAMES = {"resolve": "Time to resolve", "acknowledge": "Time to acknowledge", "contact": "First contact"}


def _say(value: float, measure: str) -> str:
    return words.value(value, reconciler.MEASURES[measure])


def _unit(measure: str) -> Unit:
    return Unit(reconciler.MEASURES[measure], NAMES[measure].lower())


def _limits(one: Verdict | Bar, measure: str) -> str:
    return _unit(measure).between(one.value or 0.0, one.low, one.high)


def said(here: View, measure: str, found: Sequence[Verdict]) -> str:
    """Say what Meantime says, and between what the others lie."""
    ours = next(one for one in found if one.rule.is_ours)
    others = [one for one in found if not one.rule.is_ours and one.value is not None]
    if ours.value is None and not others:
        return f"0 incidents opened {here.in_span} can be counted by any of {len(found)} rules."
    low = min(others, key=lambda one: one.value or 0.0, default=ours)
    high = max(others, key=lambda one: one.value or 0.0, default=ours)
    mine = "unknown by Meantime's rule"
    if ours.value is not None:
        limits = _limits(ours, measure)
        mine = f"**{_say(ours.value, measure)}** by Meantime's rule{f' (95 %: {limits})' if limits else ''}"
    return (
        f"{NAMES[measure]} of the incidents opened {here.in_span} is {mine}; by the rules of other tools it is anything from "
        f"{_say(low.value or 0.0, measure)} (“{words.plain(low.rule.title)}”) to {_say(high.value or 0.0, measure)} "
        f"(“{words.plain(high.rule.title)}”)."
    )


@traced
def figure(here: View, measure: str, found: Sequence[Verdict], question: str) -> Figure | None:
    """Draw the value under each rule, Meantime's first."""
    bars = [Bar(one.rule.title, one.value, one.n, one.low, one.high) for one in found if one.value is not None]
    if not bars:
        return None
    kind = reconciler.MEASURES[measure]
    told = {bar.name: f"{limits}, " if (limits := _limits(bar, measure)) else "" for bar in bars}
    alt = "; ".join(f"{bar.name} {_say(bar.value, measure)} ({told[bar.name]}n {words.number(bar.n)})" for bar in bars)
    sure = " · line: 95 % interval" if any(told.values()) else ""
    most = max(bar.n for bar in bars)
    what = "mean" if kind == "hours" else "share"
    return Figure(
        question,
        f"{what} · the same incidents, opened {here.in_span}; each rule counts those that it can, at most "
        f"{words.number(most)}{sure}",
        ranking.by_member(bars, _unit(measure), here.colours),
        f"{NAMES[measure]} by rule: {alt}.",
        rows=partial(tabulated.by_member, bars, "Rule", _unit(measure)),
    )


def unable(found: Sequence[Verdict]) -> str:
    """Name the rules that cannot count any of these incidents."""
    names = [words.plain(f"“{one.rule.title}”") for one in found if not one.n]
    return f"Cannot be said of these sources: {words.listing(names, most=9)}." if names else ""


def gap_said(gap: Gap | None, measure: str) -> list[str]:
    """Say what the difference between two rules is made of; the parts add up."""
    if gap is None or gap.first.value is None or gap.second.value is None:
        return ["These two rules have no incident in common."]
    if gap.first.rule == gap.second.rule:
        return ["A rule does not differ from itself: choose another one."]
    change = gap.second.value - gap.first.value
    kind = reconciler.MEASURES[measure]

    def signed(part: float) -> str:
        size = f"{words.number(abs(part) * 100)} points" if kind == "share" else words.duration(abs(part))
        return size if part >= 0 else f"{words.MINUS}{size}"

    differing = gap.n_both - gap.n_equal
    limits = ""
    if gap.low is not None and gap.high is not None and gap.low < gap.high:
        limits = f" (95 %: {signed(gap.low)} to {signed(gap.high)})"
    lines = [
        f"**{signed(change)}**{limits} lie between {_say(gap.first.value, measure)} (n {words.number(gap.first.n)}) and "
        f"{_say(gap.second.value, measure)} (n {words.number(gap.second.n)}):",
        f"- {signed(gap.by_value)} because both count {words.counted(gap.n_both, 'incident')} and disagree on "
        f"{words.number(differing)} of them",
    ]
    if gap.n_only_first:
        lines.append(
            f"- {signed(gap.by_first)} from {words.counted(gap.n_only_first, 'incident')} that only the first counts"
        )
    if gap.n_only_second:
        lines.append(
            f"- {signed(gap.by_second)} from {words.counted(gap.n_only_second, 'incident')} that only the second counts"
        )
    return lines


def listed(gap: Gap, measure: str) -> pl.DataFrame:
    """Give the incidents that make the difference, in words that a table needs."""
    unit = " (hours)" if reconciler.MEASURES[measure] == "hours" else " (1 is yes)"
    return gap.incidents.rename(
        {
            "source": "Source",
            "incident_id": "Number",
            "first": gap.first.rule.title + unit,
            "second": gap.second.rule.title + unit,
        }
    )


def sources(found: Sequence[Verdict]) -> list[str]:
    """Say what each rule is and where it comes from."""
    return [
        f"**{words.plain(one.rule.title)}.** {words.plain(one.rule.description)} Source: {words.plain(one.rule.source)}. "
        f"`dashboard/rules/{one.rule.name}.sql`"
        for one in found
    ]
