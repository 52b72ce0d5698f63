"""Still open after a while: the sentence, the curve, and on demand the numbers and the groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import polars as pl
import streamlit as st

from dashboard import filters, query, record, words
from dashboard.charts import stays
from dashboard.charts.plot import Figure
from dashboard.charts.stays import Stay
from dashboard.insights.intervals import Z
from dashboard.insights.survival import Quantile
from dashboard.lives import AFTER, After, Cohort, Groups, Lives
from dashboard.parts import pictures, prose, splits, tables
from dashboard.view import View


class Tongue(NamedTuple):
    """How an event is spoken of."""

    question: str
    still: str
    left: str
    otherwise: str
    finished: str
    """Those that a mean is usually taken over."""


TONGUES = {
    "resolved": Tongue(
        "How many are still open after a while?",
        "still open",
        "resolved",
        "cancelled or merged",
        "those that are resolved",
    ),
    "acknowledged": Tongue(
        "How many still wait for a person after a while?",
        "still waiting",
        "taken on",
        "gone without being taken on",
        "those that were taken on",
    ),
}
CLOSED_ONLY = (
    "{source} shows no open incident from its last 30 days: if its extract holds closed incidents only, this curve "
    "cannot correct for those that it leaves out."
)


def section(here: View, event: str) -> None:
    """Set the cohort view: one sentence, one picture, and the rest folded away."""
    tongue = TONGUES[event]
    found: Cohort = here.ask("cohort", here.scope, event)
    prose.heading(tongue.question)
    if found.lives.n < query.FEW:
        prose.nothing(f"Not enough data (n = {found.lives.n}).")
        return
    prose.said(words.plain(sentence(found.lives, tongue, here.span)))
    chosen = dict(here.scope.where).get("source")
    for source in here.ask("closed_only"):
        if chosen is None or source in chosen:
            prose.said(f"**{words.plain(CLOSED_ONLY.format(source=source))}**")
    _draw(
        here, found, [Stay("all", found.lives.curve)], tongue, f"n {words.number(found.lives.n)} · opened {here.span}"
    )
    prose.said(words.plain(beside(found, tongue)))
    behind = "The numbers behind this curve"
    with st.expander(behind), record.fold(behind):
        rows = partial(_typed, found.lives, tongue)
        tables.table(_numbers(found.lives, tongue), tongue.question, rows=rows, asked=here.sql_of(found))
        for line in _remarks(found.lives, tongue, event):
            prose.note(words.plain(line))
    _by_group(here, event, tongue)


def sentence(lives: Lives, tongue: Tongue, span: str) -> str:
    """Answer the question with numbers."""
    told = [one for one in lives.after if math.isfinite(one.open)]
    picked = [one for one in told if one.hours >= 24 and one.hours != 72] or told[-1:]
    shares = words.listing([f"{words.share(one.open)} after {_hours(one.hours)}" for one in picked])
    counted = f", the {words.number(lives.still)} {tongue.still} counted" if lives.still else ""
    return (
        f"Of {words.counted(lives.n, 'incident')} opened {span}, {shares or 'nobody knows how many'} were {tongue.still}. "
        f"Half took {said(lives.median)}, nine in ten {said(lives.p90)}{counted}."
    )


def said(found: Quantile) -> str:
    """Say a quantile; one that was not reached is longer than anybody was watched.

    >>> said(Quantile(4.78, 3.9, 6.0, 1192.7)).replace(words.GAP, " ")
    'up to 4.8 h (3.9 to 6.0 h)'
    >>> said(Quantile(None, 90.0, None, 100.0)).replace(words.GAP, " ")
    'longer than 4.2 d'
    """
    if found.hours is None:
        return f"longer than {words.duration(found.follow_up)}"
    limits = words.between(found.low, found.high, "hours", words.scale_of(found.hours))
    return f"up to {words.duration(found.hours)}{f' ({limits})' if limits else ''}"


def beside(found: Cohort, tongue: Tongue) -> str:
    """Set what is usually said beside it, and say what the difference means."""
    lives, naive = found.lives, found.naive
    if naive.mean is None or naive.median is None or naive.p90 is None:
        return ""
    scale = words.scale_of(max(naive.mean, lives.mean.hours))
    usual = (
        f"Usually {tongue.finished} are looked at alone: mean {words.duration(naive.mean)}, median "
        f"{words.duration(naive.median)}, nine in ten within {words.duration(naive.p90)} (n {words.number(naive.n)})."
    )
    apart = lives.mean.hours - naive.mean
    error = Z * math.sqrt(lives.mean.variance)
    limits = words.between(lives.mean.hours - error, lives.mean.hours + error, "hours", scale)
    same = words.duration(lives.mean.hours, scale) == words.duration(naive.mean, scale)
    more = "the same" if same else f"{words.duration(abs(apart), scale)} {'longer' if apart > 0 else 'shorter'}"
    whole = (
        f"With all that were opened, each counted as long as any was watched ({words.duration(lives.mean.horizon)}), the "
        f"mean is {words.duration(lives.mean.hours)} ({limits}): {more}."
    )
    gone = [
        *([f"{words.number(lives.still)} {tongue.still}"] if lives.still else []),
        *([f"{words.number(lives.otherwise)} {tongue.otherwise}"] if lives.otherwise else []),
    ]
    why = f" The usual mean does not see the {words.listing(gone)}." if gone else ""
    return f"{usual} {whole}{why}"


def _hours(hours: float) -> str:
    return words.duration(hours, "d" if hours >= 72 else "h").replace(".0", "")


def _draw(here: View, found: Cohort | Groups, drawn: list[Stay], tongue: Tongue, subtitle: str) -> None:
    drawn = [stay for stay in drawn if stay.curve.height]
    if not drawn:
        prose.nothing("Nobody was watched for long enough to draw a curve.")
        return
    chart = stays.staying(drawn, f"share {tongue.still}", AFTER, here.colours)
    ends = [
        f"{stay.name}: {words.share(stay.curve['open'][-1])} after {words.duration(stay.curve['hours'][-1])}"
        for stay in drawn
    ]
    pictures.picture(
        Figure(
            tongue.question,
            f"{subtitle} · log scale · band: 95 % interval",
            chart,
            f"Share {tongue.still} by the time since opening: {words.listing(ends, most=5)}.",
            rows=partial(_curves, drawn, tongue),
            asked=partial(list, here.asked_for(found)),
        )
    )


def _curves(drawn: list[Stay], tongue: Tongue) -> pl.DataFrame:
    still = f"Share {tongue.still}"
    return pl.concat(
        stay.curve.select(
            pl.lit(stay.name).alias("Of"),
            pl.col("hours").alias("Time since opening (hours)"),
            pl.col("open").alias(f"{still} (share)"),
            pl.col("low").alias(f"{still}, 95 % from (share)"),
            pl.col("high").alias(f"{still}, 95 % to (share)"),
        )
        for stay in drawn
    )


def _typed(lives: Lives, tongue: Tongue) -> pl.DataFrame:
    """Give the same as numbers; null where nobody was watched for so long."""
    still, left = tongue.still.capitalize(), tongue.left.capitalize()
    found = pl.DataFrame(
        {
            "After (hours)": one.hours,
            f"{still} (share)": one.open,
            f"{still}, 95 % from (share)": one.low,
            f"{still}, 95 % to (share)": one.high,
            f"{left} (share)": one.left,
            f"{left}, 95 % from (share)": one.left_low,
            f"{left}, 95 % to (share)": one.left_high,
            f"{tongue.otherwise.capitalize()} (share)": one.otherwise,
            "Still watched": one.at_risk,
        }
        for one in lives.after
    )
    return found.with_columns(pl.col(pl.Float64).fill_nan(None))


def _numbers(lives: Lives, tongue: Tongue) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "After": _hours(one.hours),
            tongue.still.capitalize(): _share(one.open),
            "95 % interval": _between(one.low, one.high),
            tongue.left.capitalize(): _share(one.left),
            "95 % interval of that": _between(one.left_low, one.left_high),
            tongue.otherwise.capitalize(): _share(one.otherwise),
            "Still watched": one.at_risk,
        }
        for one in lives.after
    )


def _share(part: float) -> str:
    return words.share(max(part, 0.0)) if math.isfinite(part) else "not watched so long"


def _between(low: float, high: float) -> str:
    return f"{words.share(low)} to {words.share(high)}" if math.isfinite(low) and math.isfinite(high) else ""


def _remarks(lives: Lives, tongue: Tongue, event: str) -> list[str]:
    """Say how it was counted, and what is not in it."""
    lines = [
        f"Half take {said(lives.median)}, nine in ten {said(lives.p90)}; in brackets the 95 % interval (Brookmeyer and "
        f"Crowley). Curve: Kaplan and Meier, log-log limits; {tongue.left}: Aalen and Johansen. Those {tongue.still} "
        "count as long as their source tells of them, those deleted there until they were last seen.",
    ]
    if lives.only_closed:
        lines.append(
            f"{words.counted(lives.only_closed, 'incident')} closed without a resolution time: the closing is taken, "
            "which may be days later."
        )
    if lives.unknown:
        lines.append(f"{words.counted(lives.unknown, 'incident')} with impossible stamps left out.")
    if event == "acknowledged":
        lines.append("Only sources that tell of acknowledgements, and none that were resolved without a person.")
    return lines


def _by_group(here: View, event: str, tongue: Tongue) -> None:
    there = [column for column in splits.DIMENSIONS if column in here.known]
    folded = st.expander("Do groups differ?", key=f"stays-{event}", on_change="rerun")
    if not folded.open or not there:
        return
    with folded, record.fold("Do groups differ?"):
        column = st.selectbox(
            "By",
            there,
            format_func=lambda column: f"by {filters.COLUMNS[column].lower()}",
            key=f"stays-{event}-by",
            index=there.index("assignment_group") if "assignment_group" in there else 0,
            label_visibility="collapsed",
            persist_state="session",
        )
        found: Groups = here.ask("groups", here.scope, event, column)
        named = [(_member(column, member), lives) for member, lives in found.members]
        if not named:
            prose.nothing("No group is large enough.")
            return
        prose.said(words.plain(differ(found, column, tongue)))
        left_out = f" · {found.left_out} smaller ones left out" if found.left_out else ""
        _draw(here, found, [Stay(name, lives.curve) for name, lives in named], tongue, f"opened {here.span}{left_out}")
        shown = pl.DataFrame([_group_row(name, lives, tongue) for name, lives in named])
        told = here.sql_of(found)
        tables.table(shown, "Groups", rows=partial(_groups_typed, named, tongue), asked=told)
        if found.pairs:
            rows = partial(_pairs_typed, found, column)
            tables.table(_pairs(found, column), "Pairs of groups", rows=rows, asked=told)


def _member(column: str, member: str | None) -> str:
    return filters.member(column, filters.NONE if member is None else member)


def differ(found: Groups, column: str, tongue: Tongue) -> str:
    """Say whether groups differ: the test never without the size of the difference."""
    if found.apart is None:
        return "There is only one group to look at."
    greatest = found.pairs[0]
    later, horizon = greatest.later, words.duration(found.horizon)
    scale = words.scale_of(later.hours)
    limits = words.between(later.low, later.high, "hours", scale)
    among = ""
    if len(found.pairs) > 1:
        among = f", the greatest of {len(found.pairs)} differences ({_p(greatest.p)} adjusted for that many, Holm)"
    size = (
        f"counted up to {horizon}, {_member(column, greatest.one)} is {tongue.still} {words.duration(later.hours, scale)} "
        f"longer on average than {_member(column, greatest.other)} ({limits}){among}"
    )
    pace = "leave at different paces" if found.apart.p <= 0.05 else "do not leave at provably different paces"
    return f"The groups {pace} (log-rank test of {found.apart.freedom + 1} groups, {_p(found.apart.p)}); {size}."


def _p(p: float) -> str:
    return "p under 0.001" if p < 0.001 else f"p = {p:.2f}" if p >= 0.01 else f"p = {p:.3f}"


def _group_row(name: str, lives: Lives, tongue: Tongue) -> dict[str, str | int]:
    day, week = lives.after[2], lives.after[4]
    return {
        "Group": name,
        "n": lives.n,
        f"{tongue.still.capitalize()} after 24 h": _told(day),
        f"{tongue.still.capitalize()} after 7 d": _told(week),
        "Half take": said(lives.median),
        "Nine in ten take": said(lives.p90),
    }


def _told(one: After) -> str:
    between = _between(one.low, one.high)
    return f"{_share(one.open)} ({between})" if between else _share(one.open)


def _pairs(found: Groups, column: str) -> pl.DataFrame:
    rows = []
    for pair in found.pairs:
        scale = words.scale_of(pair.later.hours)
        rows.append(
            {
                "Group": _member(column, pair.one),
                "than": _member(column, pair.other),
                "Longer by": words.duration(pair.later.hours, scale),
                "95 % interval": words.between(pair.later.low, pair.later.high, "hours", scale),
                "log-rank, Holm": _p(pair.p),
            }
        )
    return pl.DataFrame(rows)


def _groups_typed(named: Sequence[tuple[str, Lives]], tongue: Tongue) -> pl.DataFrame:
    still = tongue.still.capitalize()
    rows = [
        (
            name,
            lives.n,
            *(part for one in (lives.after[2], lives.after[4]) for part in (one.open, one.low, one.high)),
            *(part for one in (lives.median, lives.p90) for part in (one.hours, one.low, one.high)),
        )
        for name, lives in named
    ]
    shares = [f"{still} after {after}{limit} (share)" for after in ("24 h", "7 d") for limit in LIMITS]
    hours = [f"{part} take{limit} (hours)" for part in ("Half", "Nine in ten") for limit in LIMITS]
    schema = {"Group": pl.String, "n": pl.Int64, **dict.fromkeys([*shares, *hours], pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))


LIMITS = ("", ", 95 % from", ", 95 % to")


def _pairs_typed(found: Groups, column: str) -> pl.DataFrame:
    rows = [(_member(column, pair.one), _member(column, pair.other), *pair.later[:3], pair.p) for pair in found.pairs]
    later = {f"Longer by{limit} (hours)": pl.Float64 for limit in LIMITS}
    schema = {"Group": pl.String, "than": pl.String, **later, "log-rank, Holm (p)": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")
