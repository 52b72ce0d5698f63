"""How targets are said: what each asks, whether it is met, and what it can tell."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from dashboard import filters, sentences, words
from dashboard.insights.targets import LEAST_DAYS
from dashboard.query import Kpi
from dashboard.targets import Ground, Standing, Target

GRAINS = {"day": "days", "week": "weeks", "month": "months", "quarter": "quarters", "year": "years"}


def bound(target: Target, kind: str) -> str:
    """Say what it bounds: "at most 24 h"."""
    return f"{'at most' if target.is_most else 'at least'} {words.value(target.value, kind)}"


def part(target: Target) -> str:
    """Say what it is for: "P1 and P2 · Network"; "everything" without a part."""
    said = [
        words.listing([filters.member(name, filters.NONE if one is None else str(one)) for one in values])
        for name, values in target.part
    ]
    return " · ".join(said) or "everything"


def held(target: Target) -> str:
    """Say on which days it holds."""
    if target.until is None:
        return f"since {words.day(target.since)}"
    return words.days(target.since, target.until)


def verdict(standing: Standing, kind: str) -> str:
    """Say whether it is met, by how much, and whether that is more than chance: "missed by 7.1 h, beyond chance"."""
    if standing.is_met is None:
        return f"not enough data (n = {standing.n})"
    away = sentences.signed(abs(standing.distance), kind, words.scale_of(standing.target.value)).lstrip("+")
    said = f"met with {away} to spare" if standing.is_met else f"missed by {away}"
    if isnan(standing.verdict.p):
        return f"{said}, too little is known to tell it from chance"
    wanted = 1 if standing.is_met else -1
    if standing.side == wanted:
        return f"{said}, beyond chance"
    if standing.side == 0:
        return f"{said}, within chance"
    # Only a mean of durations can lie on one side and its logarithms on the other.
    usual = "the usual incident takes longer than that asks" if standing.is_met else "by a few long ones"
    return f"{said}, {usual}"


def attained(standing: Standing, grain: str) -> str:
    """Say in how many periods it is met: "met in 3 of 12 weeks"; nothing where no period is complete."""
    if not standing.periods:
        return ""
    name = GRAINS[grain] if standing.periods != 1 else GRAINS[grain].removesuffix("s")
    return f"met in {standing.met} of {standing.periods} {name}"


def tile(standing: Standing, kind: str, grain: str) -> str:
    """Say a target in the room of a tile."""
    said = f"target {bound(standing.target, kind)}: {verdict(standing, kind)}"
    return " · ".join(one for one in (said, attained(standing, grain)) if one)


def asks(target: Target, ground: Ground, kind: str) -> str:
    """Say what it asks of what was before."""
    base = ground.baseline
    if base is None or ground.since is None or ground.until is None:
        return ""
    was = f"{words.value(base.value, kind)} {'before' if ground.is_before else 'under it'}"
    when = f"({words.days(ground.since, ground.until)}, n {words.number(base.n)})"
    if target.is_met(base.value):
        return f"It was met {'before' if ground.is_before else 'so far'}: {words.value(base.value, kind)} {when}."
    change = (
        f"×{target.value / base.value:.2f}" if kind == "hours" else sentences.signed(target.value - base.value, kind)
    )
    return f"It asks for {change} on {was} {when}."


def tells(target: Target, ground: Ground, kind: str) -> str:
    """Say what a month, a quarter and a year can tell from it, or that this cannot be said."""
    if ground.baseline is None:
        days = words.counted(ground.days, "day")
        return f"What it can detect: cannot say, {days} with incidents where {LEAST_DAYS} are needed."
    scale = words.scale_of(target.value)

    def say(value: float) -> str:
        return words.duration(value, scale) if kind == "hours" else words.share(value)

    alone, change = [], []
    for span, reach in ground.reach.items():
        ends = [f"{say(end)} or {word}" for end, word in ((reach.low, "less"), (reach.high, "more")) if end is not None]
        alone.append(f"{' and '.join(ends) or 'nothing'} in a {span}")
        if reach.change is None:
            continue
        size = f"×{reach.change:.2f}" if kind == "hours" else words.share(reach.change).replace("%", "points")
        change.append(f"{size} in a {span}")
    told = f"At 80 % power it tells from {say(target.value)}: {'; '.join(alone)}."
    since = f" The smallest change on the days before that shows: {', '.join(change)}." if change else ""
    return told + since


def name(target: Target, kpi: Kpi, kind: str) -> str:
    """Name a target: "Mean time to resolve, P1: at most 4.0 h since 1 Jan 2025"."""
    of = f", {part(target)}" if target.part else ""
    return f"{kpi.title}{of}: {bound(target, kind)} {held(target)}."


def stands(target: Target, standing: Standing | None, kind: str, grain: str) -> str:
    """Say how a KPI stands to a target."""
    if standing is None:
        return "No complete day of this period is its."
    if standing.value is None:
        return "No value in this period."
    typical = ""
    if standing.verdict.typical is not None and standing.verdict.typical_bound is not None:
        asked = words.duration(standing.verdict.typical_bound)
        typical = f"the typical time is {words.duration(standing.verdict.typical)}, and the target asks for {asked}"
    clauses = (f"{words.value(standing.value, kind)}, {verdict(standing, kind)}", attained(standing, grain), typical)
    return f"{'; '.join(clause for clause in clauses if clause)} (n {words.number(standing.n)})."


def lead(targets: Sequence[Target], standings: Sequence[Standing | None], in_span: str) -> str:
    """Answer the page's question, as Markdown: how many are met, and how many are missed beyond chance."""
    judged = [one for one in standings if one is not None and one.is_met is not None]
    if not judged:
        return f"None of {words.counted(len(targets), 'target')} can be judged {in_span}."
    met = sum(bool(one.is_met) for one in judged)
    sure = sum(one.side == -1 and not one.is_met for one in judged)
    of = f"**{met} of {words.counted(len(judged), 'target')}** {'is' if met == 1 else 'are'} met {in_span}"
    missed = len(judged) - met
    if not missed:
        return f"{of}."
    beyond = f"{sure} of them beyond chance" if sure else "none of them beyond chance"
    return f"{of}; {missed} {'is' if missed == 1 else 'are'} missed, {beyond}."


def detects(target: Target, ground: Ground, kind: str) -> str:
    """Say what it asks and what it can detect, before it is accepted."""
    return f"{asks(target, ground, kind)} {tells(target, ground, kind)}".strip()
