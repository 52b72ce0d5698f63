"""Pictures of what is shown: each takes its numbers from the view and comes with its question and its finding."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial

import polars as pl

from dashboard import aims, filters, query, reasons, sentences, tabulated, why, words
from dashboard.charts import changes, distributions, heat, plot, ranking, timeline, trends
from dashboard.charts.changes import Fall
from dashboard.charts.distributions import Bin
from dashboard.charts.plot import Figure
from dashboard.charts.ranking import Bar
from dashboard.charts.scales import Unit
from dashboard.charts.timeline import Goal, Point, Series
from dashboard.view import View, traced


def unit(here: View, name: str, title: str = "") -> Unit:
    """Say how a KPI's values are shown on an axis."""
    return Unit(here.kind(name), title or here.kpi(name).title.lower())


def finding(title: str, points: Sequence[Point], kind: str) -> str:
    """Say what a line shows, for those who cannot see it."""
    known = [point for point in points if point.value is not None and not point.flag] or [
        point for point in points if point.value is not None
    ]
    if not known:
        return f"{title}: no value in this period."
    least = min(known, key=lambda point: point.value or 0.0)
    most = max(known, key=lambda point: point.value or 0.0)

    def say(point: Point) -> str:
        return f"{words.value(point.value or 0.0, kind)} ({point.name})"

    return f"{title}: {say(known[-1])} in the last complete period; lowest {say(least)}, highest {say(most)}."


def _over(here: View, points: Sequence[Point]) -> str:
    total = sum(point.n for point in points if here.since <= point.until and point.since <= here.until)
    return f"n {words.number(total)} · {here.span}, {filters.GRAINS[here.grain]}"


@traced
def develop(
    here: View,
    question: str,
    lines: Mapping[str, str],
    *,
    log: bool = False,
    click: bool = False,
    axis: str = "",
    bars: bool = False,
    height: int = plot.HEIGHT,
) -> Figure | None:
    """Draw how KPIs developed; `lines` names each at its end. None where nothing has a value."""
    series = [Series(label, here.points(name)) for name, label in lines.items()]
    series = [line for line in series if any(point.value is not None for point in line.points)]
    if not series:
        return None
    first = next(iter(lines))
    kind = here.kind(first)
    notes, goals = here.notes, _goals(here, lines)
    chart = trends.trend(
        series,
        unit(here, first, axis),
        here.colours,
        log=log,
        click=click,
        bars=bars,
        height=height,
        notes=notes,
        goals=goals,
    )
    said = " ".join(finding(line.name, line.points, kind) for line in series)
    if known := timeline.within(notes, series[0].points):
        marked = words.listing([f"{note.text} on {words.day(note.day)}" for note in known], most=9)
        said += f" Known changes: {marked}."
    said += "".join(f" {goal.name.capitalize()}." for goal in goals)
    is_stock = here.kpi(first).fact != "incidents"
    subtitle = f"{here.span}, {filters.GRAINS[here.grain]}" if is_stock else _over(here, series[0].points)
    shaded = timeline.flagged(series[0].points)
    if not bars and any(point.low is not None for line in series for point in line.points):
        subtitle += " · band: 95 % interval"
    subtitle += _unsettled(here, first, [point.n for point in series[0].points if not point.flag])
    if len(shaded) > 1:
        subtitle += f" · shaded: {words.listing(list(dict.fromkeys(shaded)), most=4)}"
    if kind != "count" and any(point.value is not None and point.n < query.FEW for point in series[0].points):
        subtitle += " · grey: n under 5"
    return Figure(question, subtitle, chart, said, rows=partial(tabulated.over_time, series, kind))


def _unsettled(here: View, name: str, ns: Sequence[int]) -> str:
    is_so = here.kpi(name).settles and any(0 < n < query.SETTLED for n in ns)
    return f" · a mean of under {query.SETTLED} is not settled" if is_so else ""


def _told(unit: Unit, bar: Bar) -> str:
    limits = unit.between(bar.value, bar.low, bar.high)
    return f"{unit.say(bar.value)} ({f'{limits}, ' if limits else ''}n {words.number(bar.n)})"


def _goals(here: View, lines: Mapping[str, str]) -> list[Goal]:
    """Give the targets of the KPIs that are drawn, for what is shown."""
    several = len(lines) > 1
    return [
        Goal(
            f"target{f' for the {label}' if several else ''}: {aims.bound(target, here.kind(name))}",
            target.value,
            target.since,
            target.until,
        )
        for name, label in lines.items()
        for target in here.aims(name)
    ]


@traced
def split(here: View, question: str, name: str, column: str) -> Figure | None:
    """Draw a KPI for each member of a column, the greatest first. None where nothing has a value."""
    members = here.members(name, column)
    kind = here.kind(name)
    found = [
        Bar(filters.member(column, member), number.value, number.n, number.low, number.high)
        for member, number in members
        if number.value is not None
    ]
    bars, left_out = ranking.ranked(found, few_last=kind != "count")
    if not bars:
        return None
    whole = here.reading(name)
    mark = whole.value if kind != "count" else None
    chart = ranking.by_member(bars, unit(here, name), here.colours, mark=mark)
    more = f" · and {words.number(left_out)} more" if left_out else ""
    few = " · pale: n under 5" if kind != "count" and any(bar.n < query.FEW for bar in bars) else ""
    said = words.listing([f"{bar.name} {_told(unit(here, name), bar)}" for bar in bars], most=12)
    sure = " · line: 95 % interval" if any(bar.low is not None and bar.high is not None for bar in bars) else ""
    sure += _unsettled(here, name, [bar.n for bar in bars])
    return Figure(
        question,
        f"n {words.number(sum(number.n for _, number in members))} · {here.span}{more}{sure}{few}",
        chart,
        f"{whole.title} by {filters.COLUMNS[column].lower()}: {said}.",
        rows=partial(
            tabulated.by_member, ranking.ranked(found, len(found))[0], filters.COLUMNS[column], unit(here, name)
        ),
    )


@traced
def spread(here: View, question: str, name: str, marks: Mapping[str, str]) -> Figure | None:
    """Draw how the durations behind a KPI are spread, with the values of other KPIs as lines."""
    found: list[query.Bin] = here.ask("distribution", name, here.scope)
    total = sum(one.count for one in found)
    if not total:
        return None
    lines = [(label, reading.value) for other, label in marks.items() if (reading := here.reading(other)).value]
    bins = [Bin(one.low_hours, one.high_hours, one.count) for one in found]
    chart = distributions.distribution(bins, [(label, value) for label, value in lines if value], here.colours)
    said = "".join(f"; {label} {words.duration(value)}" for label, value in lines if value)
    fullest = max(bins, key=lambda one: one.n)
    return Figure(
        question,
        f"n {words.number(total)} · {here.span} · log scale",
        chart,
        f"Spread of {words.number(total)} durations: most often between {words.duration(fullest.low)} and "
        f"{words.duration(fullest.high or fullest.low)}{said}.",
        rows=lambda: pl.DataFrame(
            {"From (hours)": [one.low_hours for one in found], "To (hours)": [one.high_hours for one in found]}
            | {"Incidents": [one.count for one in found]}
        ),
    )


@traced
def clock(here: View, question: str) -> Figure | None:
    """Draw at which hours of the week incidents are opened."""
    rows = here.ask("rhythm", here.scope)
    counts = {(row["weekday"], row["hour"]): row["n"] for row in rows.iter_rows(named=True)}
    total = sum(counts.values())
    if not total:
        return None
    weekday, hour = max(counts, key=lambda at: counts[at])
    return Figure(
        question,
        f"n {words.number(total)} · {here.span} · times in {here.zone}",
        heat.week_clock(counts, here.colours),
        f"Most are opened on {heat.WEEKDAYS[weekday - 1]} from {hour:02d}:00: "
        f"{words.number(counts[weekday, hour])} of {words.number(total)}.",
        rows=lambda: rows.rename({"weekday": "Weekday (1 Monday)", "hour": "Hour of the day", "n": "Incidents opened"}),
    )


@traced
def ages(here: View, question: str) -> Figure | None:
    """Draw how old the open incidents are."""
    rows = here.ask("backlog_ages", here.scope)
    bars = [Bar(row["age_class"], float(row["n"]), row["n"]) for row in rows.iter_rows(named=True)]
    total = sum(bar.n for bar in bars)
    if not total:
        return None
    said = words.listing([f"{words.number(bar.n)} {bar.name}" for bar in bars], most=9)
    return Figure(
        question,
        f"n {words.number(total)} · open at the end of {words.day(here.until)}",
        ranking.by_member(bars, Unit("count", "open incidents"), here.colours),
        f"Of {words.number(total)} open incidents: {said} old.",
        rows=lambda: rows.rename({"age_class": "Age", "n": "Open incidents"}),
    )


MOST_STEPS = 7


@traced
def waterfall(here: View, question: str, bridge: why.Bridge) -> Figure | None:
    """Draw how the parts of a change add up; None where nothing changed."""
    kind = here.kind(bridge.kpi.name)
    steps = reasons.steps(bridge, kind)
    if not steps:
        return None
    shown = steps if len(steps) <= MOST_STEPS + 1 else steps[:MOST_STEPS]
    falls = [Fall(step.name, step.size, step.cause, step.reason) for step in shown]
    if len(shown) < len(steps):
        rest = steps[len(shown) :]
        name = f"the other {words.number(len(rest))} parts"
        falls.append(Fall(name, sum(step.size for step in rest), "rest", "all that is smaller, together"))
    falls.append(Fall("Change in all", bridge.change, "total", "the sum of all parts", is_total=True))
    say = reasons.saying(bridge, steps, kind)
    before, now = (words.value(value, kind) for value in (bridge.before, bridge.now))
    said = words.listing([f"{fall.name} {say(fall.size)}" for fall in falls[:-1]], most=9)
    part = f"a part is a change of own {reasons.own(kind)} or of the share of the volume"
    if reasons.is_of_numbers(bridge):
        part = "a part is how many more or fewer each had, after what the number of days made"
    return Figure(
        question,
        f"From {before} to {now}, by {filters.COLUMNS[bridge.by].lower()}; {part}",
        changes.waterfall(falls, unit(here, bridge.kpi.name), here.colours, say),
        f"{bridge.kpi.title} went from {before} to {now}, {say(bridge.change)}: {said}.",
        rows=lambda: pl.DataFrame(
            {
                "Part": [fall.name for fall in falls],
                tabulated.header("Adds", kind): [fall.size for fall in falls],
                "Why": [fall.reason for fall in falls],
            }
        ),
    )


def bridge_table(bridge: why.Bridge, kind: str, sure: why.OneByOne | None) -> pl.DataFrame:
    """Lay out every part of a change, in words and with its sum; of its members, how `sure` they are."""
    say, unit = reasons.saying(bridge, reasons.steps(bridge, kind), kind), Unit(kind, "")
    numbers = sure.numbers if sure and bridge.kpi.has_limits else {}
    rows = []
    for part in bridge.parts.iter_rows(named=True):
        row = {filters.COLUMNS[bridge.by]: reasons.member(bridge.by, part["member"])}
        for period in ("before", "now"):
            value, share = part[f"value_{period}"], part[f"share_{period}"]
            row[period.capitalize()] = "" if value is None else words.value(value, kind)
            if numbers:
                found = numbers.get(part["member"], {}).get(period)
                low, high = (found.low, found.high) if found and found.n >= query.FEW else (None, None)
                row[f"{period.capitalize()}, 95 %"] = unit.between(value or 0.0, low, high)
            if share is not None:
                row[f"n {period}"] = words.number(part[f"n_{period}"])
                row[f"Share {period}"] = words.share(share)
        causes = {"calendar": "Calendar", "rate": f"Own {reasons.own(kind)}", "mix": "Other share"}
        there = [cause for cause in causes if (bridge.parts[cause] != 0).any()]
        for cause in there if len(there) > 1 else ():
            row[causes[cause]] = say(part[cause])
        rows.append({**row, "Adds": say(part["part"])})
    return pl.DataFrame(rows)


def bridge_rows(bridge: why.Bridge, kind: str, sure: why.OneByOne | None) -> pl.DataFrame:
    """Lay out every part of a change as numbers; of its members, how `sure` they are."""
    parts = bridge.parts
    limits: dict[str, str] = {}
    if sure and bridge.kpi.has_limits:
        for period, end in itertools.product(("before", "now"), ("low", "high")):
            told = [getattr(sure.numbers.get(member, {}).get(period), end, None) for member in parts["member"]]
            name = f"{end}_{period}"
            parts = parts.with_columns(pl.Series(name, told, dtype=pl.Float64))
            limits[name] = tabulated.header(f"{period.capitalize()}, 95 % {'from' if end == 'low' else 'to'}", kind)
    named = {
        "value_before": tabulated.header("Before", kind),
        "value_now": tabulated.header("Now", kind),
        **limits,
        "n_before": "n before",
        "n_now": "n now",
        "share_before": "Share of the volume before (share)",
        "share_now": "Share of the volume now (share)",
        "calendar": tabulated.header("By the number of days", kind),
        "rate": tabulated.header(f"By its own {reasons.own(kind)}", kind),
        "mix": tabulated.header("By another share", kind),
        "part": tabulated.header("Adds", kind),
    }
    member = pl.col("member").map_elements(lambda one: reasons.member(bridge.by, one), pl.String, skip_nulls=False)
    return parts.select(
        member.alias(filters.COLUMNS[bridge.by]), *(pl.col(name).alias(title) for name, title in named.items())
    )


@traced
def movers(here: View, question: str, name: str, bridges: Mapping[str, why.Bridge]) -> Figure | None:
    """Draw which members of any column changed a KPI most; None where there is nothing to compare."""
    reading, kind = here.reading(name), here.kind(name)
    bars = [
        Bar(f"{reasons.member(column, part['member'])} ({filters.SHORT[column]})", part["part"], part["n_now"])
        for column, part in reasons.largest(bridges)[:MOST_MOVERS]
    ]
    if not bars or reading.change is None:
        return None
    # One unit for all of them: 44 min beside 2.1 h would have to be converted to be compared.
    scale = words.scale_of(max(abs(bar.value) for bar in bars)) if kind == "hours" else None
    points = {"share": "points of the share", "hours": "of the mean", "count": "incidents"}.get(kind, "")
    said = words.listing([f"{bar.name} {sentences.signed(bar.value, kind, scale)}" for bar in bars], most=MOST_MOVERS)
    return Figure(
        question,
        f"What each adds to the change of {sentences.signed(reading.change, kind)} on {reading.against}, {points}; "
        "the parts of one column add up to the whole",
        changes.contributions(bars, unit(here, name), here.colours, lambda value: sentences.signed(value, kind, scale)),
        f"Change of {sentences.signed(reading.change, kind)} on {reading.against}; largest parts: {said}.",
        rows=partial(tabulated.by_member, bars, "Part", Unit(kind, "adds to the change")),
    )


MOST_MOVERS = 8
