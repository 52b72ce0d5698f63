"""What the page *Fitness of the data* says and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import altair as alt
import polars as pl

from dashboard import fitness, tones, words
from dashboard.charts import plot, vega
from dashboard.charts.palette import Palette
from dashboard.charts.plot import Figure
from dashboard.charts.scales import Unit
from dashboard.fitness import Finding, Grade, Pair
from dashboard.query import Kpi, Number
from dashboard.view import View, traced

FIRST = ("end of the extract", "batch", "heaping", "not missing at random", "full hours")
"""Kinds of findings that come first: they mislead most."""


def said(here: View, grades: Sequence[Grade], findings: Sequence[Finding]) -> tuple[str, ...]:
    """Say how much of it is good, and what matters most."""
    known = [one for one in grades if one.grade != "unknown"]
    good = sum(one.grade == "good" for one in known)
    poor = [f"{here.kpi(one.kpi).title.lower()} of {one.source}" for one in known if one.grade == "poor"]
    first = f"**{words.number(good)} of {words.number(len(known))}** pairs of KPI and source stand on good data" + (
        f"; poor: {words.plain(words.listing(poor))}." if poor else "."
    )
    ordered = _ordered(findings)
    most = ordered[0] if ordered else None
    return first, f"What misleads most: in {words.plain(most.source)}, {words.plain(most.said)}." if most else ""


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(
        findings, key=lambda one: (FIRST.index(one.kind) if one.kind in FIRST else len(FIRST), -one.n, one.source)
    )


def told(findings: Sequence[Finding]) -> list[str]:
    """Say every finding, the most misleading first."""
    return [f"**{words.plain(one.source)}**, {one.kind}: {words.plain(one.said)}" for one in _ordered(findings)]


def listing(findings: Sequence[Finding]) -> pl.DataFrame:
    """Give every finding as a row, the most misleading first."""
    return pl.DataFrame(
        [{"Source": one.source, "Kind": one.kind, "n": one.n, "What": one.said} for one in _ordered(findings)]
    )


def _tints(colours: Palette) -> dict[str, str]:
    return {
        "good": colours.panel,
        "fair": colours.lines,
        "poor": colours.series[1],
        "unknown": colours.paper,
    }


@traced
def figure(here: View, grades: Sequence[Grade], question: str) -> Figure | None:
    """Draw the grade of each KPI and source as a word on a field."""
    if not grades:
        return None
    colours = here.colours
    rows = [
        {
            "source": one.source,
            "kpi": here.kpi(one.kpi).title,
            "grade": one.grade,
            "tint": _tints(colours)[one.grade],
            "known": words.share(round(one.known, 3)),
            "doubtful": words.share(round(one.doubtful, 3)),
        }
        for one in grades
    ]
    y = alt.Y(
        "kpi:N",
        sort=[here.kpi(name).title for name in fitness.CLOCKS],
        axis=alt.Axis(title=None, grid=False, labelLimit=170, labelColor=colours.ink, domain=False, ticks=False),
    )
    x = alt.X(
        "source:N",
        axis=alt.Axis(title=None, orient="top", labelAngle=0, labelColor=colours.ink, domain=False, ticks=False),
    )
    base: Any = alt.Chart(vega.data(rows)).encode(
        x=x,
        y=y,
        tooltip=[
            alt.Tooltip("source:N", title="Source"),
            alt.Tooltip("kpi:N", title="KPI"),
            alt.Tooltip("grade:N", title="Grade"),
            alt.Tooltip("known:N", title="Known for"),
            alt.Tooltip("doubtful:N", title="Doubtful"),
        ],
    )
    fields = base.mark_rect(stroke=colours.paper, strokeWidth=3).encode(color=alt.Color("tint:N", scale=None))
    strong = _tints(colours)["poor"]
    reads = max((colours.ink, colours.paper), key=lambda one: tones.contrast(one, strong))
    dark = alt.ColorValue(colours.ink, condition=plot.when("datum.grade === 'poor'", reads))
    text = base.mark_text(font=plot.FONT, fontSize=12).encode(text=alt.Text("grade:N"), color=dark)
    counts = {grade: sum(one.grade == grade for one in grades) for grade in fitness.GRADES}
    alt_text = words.listing([f"{words.number(n)} {grade}" for grade, n in counts.items() if n], most=4)
    return Figure(
        question,
        f"fair from {words.share(fitness.FAIR)}, poor from {words.share(fitness.POOR)} of missing or doubtful rows; over all "
        "that a source has",
        plot.dressed(vega.laid(fields, text), colours, 34 * len(fitness.CLOCKS) + 40, top=4),
        f"Grades of {len(grades)} pairs of KPI and source: {alt_text}.",
        rows=partial(graded, here.warehouse.kpis, grades),
    )


def table(here: View, grades: Sequence[Grade], pairs: Mapping[tuple[str, str], Pair]) -> pl.DataFrame:
    """Give each KPI with and without the doubtful rows."""

    def say(one: Grade, number: Number, title: str) -> dict[str, Any]:
        unit = Unit(here.kind(one.kpi), title)
        value = "" if number.value is None else unit.say(number.value)
        limits = "" if number.value is None else unit.between(number.value, number.low, number.high)
        return {title: value, f"{title}, 95 %": limits, f"{title}, n": number.n}

    return pl.DataFrame(
        [
            {
                "Source": one.source,
                "KPI": here.kpi(one.kpi).title,
                "Grade": one.grade,
                "Known for": words.share(round(one.known, 3)),
                "Doubtful": words.share(round(one.doubtful, 3)),
                **say(one, pairs[one.source, one.kpi].whole, WHOLE),
                **say(one, pairs[one.source, one.kpi].rest, REST),
            }
            for one in grades
            if one.n
        ]
    )


WHOLE, REST = "Value", "Without the doubtful"


def graded(kpis: Mapping[str, Kpi], grades: Sequence[Grade]) -> pl.DataFrame:
    """Give what is drawn as numbers: the grades, and what they stand on."""
    columns: dict[str, Any] = {
        "Source": pl.String,
        "KPI": pl.String,
        "Grade": pl.String,
        "Known for (share)": pl.Float64,
        "Doubtful (share)": pl.Float64,
        "n": pl.Int64,
        "n without the doubtful": pl.Int64,
    }
    rows = [
        (one.source, kpis[one.kpi].title, one.grade, one.known, one.doubtful, one.n, one.n_without) for one in grades
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def typed(kpis: Mapping[str, Kpi], grades: Sequence[Grade], pairs: Mapping[tuple[str, str], Pair]) -> pl.DataFrame:
    """Give the same as numbers; a KPI's unit is a column, for each has its own."""
    columns: dict[str, Any] = {
        "Source": pl.String,
        "KPI": pl.String,
        "Grade": pl.String,
        "Known for (share)": pl.Float64,
        "Doubtful (share)": pl.Float64,
        "Unit": pl.String,
    }
    for title in (WHOLE, REST):
        columns |= {
            f"{title} (in its unit)": pl.Float64,
            f"{title}, 95 % from (in its unit)": pl.Float64,
            f"{title}, 95 % to (in its unit)": pl.Float64,
            f"{title}, n": pl.Int64,
        }
    rows = [
        (
            one.source,
            kpis[one.kpi].title,
            one.grade,
            one.known,
            one.doubtful,
            kpis[one.kpi].unit,
            *(
                part
                for number in pairs[one.source, one.kpi]
                for part in (number.value, number.low, number.high, number.n)
            ),
        )
        for one in grades
        if one.n
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")
