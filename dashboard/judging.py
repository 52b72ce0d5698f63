"""What is said of signals, and how it is drawn: the verdict on a tile, why, and the chart that it comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import polars as pl

from dashboard import periods, tabulated, words
from dashboard.charts import limits
from dashboard.charts.limits import Judged
from dashboard.charts.plot import Figure
from dashboard.charts.scales import Unit
from dashboard.charts.timeline import Point
from dashboard.control import DAY, Watched
from dashboard.insights import signals
from dashboard.view import View, traced

SIDES = {1: "above", -1: "below"}
VARIATION = "within normal variation"


def verdict(one: Watched | None) -> str:
    """Say on a tile whether the last complete period is a signal, and why."""
    if one is None:
        return "no verdict: a quotient of two sums has no limits"
    found, grain = one.chart.verdict, one.grain
    if found.cannot == "nothing":
        return f"no verdict: no complete {grain} yet"
    if found.cannot == "few":
        return f"no verdict yet: {one.chart.baseline.periods} of the {signals.needed(grain)} {grain}s that it takes"
    if found.cannot == "alike":
        return f"no verdict: each {grain} is much like the one before"
    if found.is_signal:
        return f"signal: {signal(one)}"
    return f"{VARIATION}: {period(one)} inside its limits"


def signal(one: Watched) -> str:
    """Say what the signal is that a chart gives: "9 weeks in a row above the centre line"."""
    found = one.chart.verdict
    if found.rule == "run":
        return f"{found.length} {one.grain}s in a row {SIDES[found.side]} the centre line"
    return f"{period(one)} {SIDES[found.side]} its limits"


def is_said(one: Watched | None) -> bool:
    """Whether there is a verdict at all."""
    return one is not None and not one.chart.verdict.cannot


def period(one: Watched) -> str:
    """Name the period that the verdict is on; of a day or a week the year goes without saying."""
    if one.chart.tested is None:
        return ""
    return words.period(one.chart.tested, one.grain, year=False)


def why(one: Watched | None, unit: Unit) -> str:
    """Say at length what the verdict rests on: the numbers, the baseline, and how often the rules are wrong."""
    if one is None or one.chart.verdict.cannot in ("nothing", "few"):
        return ""
    said = [f"{stated(one)}."]
    row = next(row for row in rows(one, unit) if row.point.since == one.chart.tested)
    if row.centre is not None and row.point.value is not None:
        value = f"{_called(one)} {unit.say(row.point.value)}".strip()
        said.insert(0, f"{row.point.name}: {value}, limits {row.between}.")
        said.append(f"By mistake the rules signal in {wrong([one])}.")
    else:
        said.append(
            f"Neighbouring {one.grain}s correlate by {words.written(one.chart.baseline.resemblance, 1)}: limits would not hold."
        )
    return " ".join(said)


def stated(one: Watched) -> str:
    """State the baseline: "Baseline: 52 weeks, 7 Oct 2024 to 5 Oct 2025, since New tool on 1 Oct 2024"."""
    found = one.chart.baseline
    if found.since is None or found.until is None:
        return "No baseline"
    last = periods.following(found.until, one.grain) - DAY
    split = [change for change in one.splits if change.day <= found.since]
    since = f", since “{split[-1].text}” on {words.day(split[-1].day)}" if split else ""
    return f"Baseline: {found.periods} {one.grain}s, {words.days(found.since, last)}{since}"


def wrong(many: Sequence[Watched]) -> str:
    """Say how often the rules signal by mistake, over several charts.

    >>> from dashboard.insights.signals import Baseline, Chart, Verdict
    >>> import polars as pl
    >>> chart = Chart(pl.DataFrame(), Verdict("", 0, 0, ""), Baseline(None, None, 52, 0.1), None)
    >>> wrong([Watched("mttr", "duration", "week", chart, (), (0.007, 0.028))]).replace(words.GAP, " ")
    '0.7 % of weeks, in 2.8 % where a week resembles the one before (simulated)'
    """
    steady = max(one.false_alarms[0] for one in many)
    resembling = max(one.false_alarms[1] for one in many)
    grain = many[0].grain
    return (
        f"{words.share(steady)} of {grain}s, in {words.share(resembling)} where a {grain} resembles the one before "
        "(simulated)"
    )


def between(row: Judged, unit: Unit) -> str:
    """Say the limits; a count between them is a whole one."""
    low, high = row.low or 0.0, row.high or 0.0
    if unit.kind == "count":
        low, high = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    return f"{unit.say(low)} to {unit.say(high)}"


def _called(one: Watched) -> str:
    return {"duration": "geometric mean"}.get(one.kind, "")


def rows(one: Watched, unit: Unit) -> list[Judged]:
    """Give each period of a chart, as it is drawn: counts over the whole period, not by day."""
    found = []
    for row in one.chart.frame.iter_rows(named=True):
        until = periods.following(row["since"], one.grain) - DAY
        size = (until - row["since"]).days + 1 if one.kind == "count" else 1
        value, centre, low, high = (
            None if row[name] is None else row[name] * size for name in ("value", "centre", "low", "high")
        )
        flag = "" if row["is_comparable"] else "cannot be compared"
        signal = ""
        if row["rule"] == "limit":
            signal = f"{SIDES[row['side']]} its limits"
        elif row["rule"] == "run":
            signal = f"{row['length']} in a row {SIDES[row['side']]} the centre line"
        point = Point(row["since"], until, value, row["n"], words.period(row["since"], one.grain), flag)
        drawn = Judged(point, centre, low, high, signal)
        found.append(drawn._replace(between=between(drawn, unit)) if centre is not None else drawn)
    return found


@traced
def figure(here: View, one: Watched, title: str) -> Figure | None:
    """Draw a KPI's control chart; None where no period has a value."""
    unit = Unit(here.kind(one.name), _axis(one, title))
    drawn = rows(one, unit)
    if not any(row.point.value is not None for row in drawn):
        return None
    found = one.chart.baseline
    shaded = None
    if found.since is not None and found.until is not None:
        shaded = found.since, periods.following(found.until, one.grain) - DAY
    marked = [f"{row.point.name} {row.signal}" for row in drawn if row.signal]
    chart = limits.control(drawn, shaded, unit, here.colours, here.notes)
    seen = f"signals: {words.listing(marked, most=5)}" if marked else "no signal"
    return Figure(
        title,
        f"{stated(one)}{' · diamonds: signals' if marked else ''}",
        chart,
        f"{title}, {one.grain} by {one.grain}, with limits: {seen}.",
        rows=partial(_laid_out, drawn, unit),
    )


def _axis(one: Watched, title: str) -> str:
    return f"{title.lower()}, geometric mean" if one.kind == "duration" else title.lower()


def _laid_out(drawn: Sequence[Judged], unit: Unit) -> pl.DataFrame:
    title = unit.title[:1].upper() + unit.title[1:]
    named = {
        "Period": [row.point.name for row in drawn],
        "From": [row.point.since for row in drawn],
        "To": [row.point.until for row in drawn],
        tabulated.header(title, unit.kind): [row.point.value for row in drawn],
        tabulated.header("Centre line", unit.kind): [row.centre for row in drawn],
        tabulated.header("Lower limit", unit.kind): [row.low for row in drawn],
        tabulated.header("Upper limit", unit.kind): [row.high for row in drawn],
        "n": [row.point.n for row in drawn],
        "Signal": [row.signal or row.point.flag or None for row in drawn],
    }
    return pl.DataFrame(named, infer_schema_length=None)
