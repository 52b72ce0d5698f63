"""The tiles: a big number each, how sure it is, its change, its verdict and its course."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from dashboard import aims, figures, judging, query, record, sentences, tabulated, takeaway, words
from dashboard.charts import sparks
from dashboard.charts.scales import Unit
from dashboard.charts.sparks import Spark
from dashboard.control import Watched
from dashboard.parts import prose
from dashboard.view import View

COMPANIONS = {
    "mttr": ("mttr_median", "median"),
    "mtta": ("mtta_median", "median"),
    "incident_volume": ("resolved_count", "resolved"),
    "fcr_rate": ("fcr_coverage", "known for"),
    "backlog": ("backlog_age_median", "median age"),
}
"""The small number that stands with a big one."""
SHORT = {
    "mttr": "Time to resolve",
    "mtta": "Time to acknowledge",
    "mttr_person": "Time to resolve by people",
    "mttr_active": "Time to resolve less holds",
}


def tiles(here: View, names: Sequence[str], key: str) -> None:
    """Set tiles side by side, two by two on a phone."""
    watched = here.watched(names)
    readings, drawn = [], []
    with st.grid(4, min_column_width=150, gap="small"):
        for name in names:
            with st.container(border=True, gap="xxsmall", key=f"tile-{key}-{name}", height="stretch"):
                reading = here.reading(name)
                readings.append(reading)
                drawn.append(_tile(here, name, reading, watched.get(name)))
    part = record.Tiles("Key figures", tuple(drawn), partial(tabulated.of_readings, readings))
    record.note(part)
    takeaway.offer(part)
    reasons = {reading.reason for reading in readings}
    if len(reasons) == 1 and (reason := reasons.pop()):
        prose.note(f"Not compared with the days before: {words.plain(reason)}.")


def _tile(here: View, name: str, reading: sentences.Reading, watched: Watched | None) -> record.Tile:
    kpi = here.kpi(name)
    title = SHORT.get(name, kpi.title)
    st.markdown(words.plain(title), help=_help(here, name, reading, watched))
    big, small = reading, ""
    label = kpi.title
    if name in COMPANIONS:
        other, called = COMPANIONS[name]
        companion = here.reading(other)
        if companion.has_value:
            small = f"{called} {_sure(companion)}"
        # A mean of few durations is moved by a single one of them: the median leads until it has settled.
        if name in sentences.MEANS and reading.has_value and reading.n < sentences.SETTLED and companion.has_value:
            big, small, label = companion, f"median; mean {_sure(reading)}, not settled", "median"
    elif kpi.settles and reading.has_value and reading.n < sentences.SETTLED:
        small = "not settled"
    value = "–"
    if big.has_value or big.value is None:
        value = sentences.amount(big) if big.has_value else value
        st.metric(label, value, label_visibility="collapsed")
    else:
        value = words.value(big.value, big.kind)
        with st.container(key=f"few-{name}"):
            st.metric(label, value, label_visibility="collapsed")
    under = _Lines([])
    spark, alt = _under(here, name, small, big, watched, under)
    return record.Tile(title, value, tuple(under.lines), spark, alt)


class _Lines(NamedTuple):
    """What stands under a number, kept while it is set."""

    lines: list[str]

    def small(self, markdown: str) -> None:
        """Set a line in muted ink."""
        st.caption(markdown)
        self.lines.append(markdown)

    def ink(self, markdown: str) -> None:
        """Set a line in full ink."""
        st.markdown(f":small[{markdown}]")
        self.lines.append(markdown)


def _sure(reading: sentences.Reading) -> str:
    limits = sentences.interval(reading)
    return f"{sentences.amount(reading)} ({limits})" if limits else sentences.amount(reading)


BESIDE = {"incident_volume": "incident_volume", "mttr": "mttr", "fcr_rate": "mttr"}
"""Tiles beside whose n stands what is not in them or odd in them, and the KPI at whose day that is counted."""


def _beside(here: View, name: str) -> list[str]:
    if name not in BESIDE:
        return []
    found: query.Beside = here.ask("beside", BESIDE[name], here.scope)
    if name == "incident_volume":
        said = {"excluded": sum(found.excluded.values())}
    elif name == "mttr":
        said = {
            "of them without a person": found.auto_resolved,
            "resolved with their parent left out": found.with_parent,
            "only closed": found.closed_without_resolving,
        }
    else:
        said = {"over 1 h": found.first_contact_over_1_hour, "over 24 h": found.first_contact_over_24_hours}
    return [f"{words.number(n)} {what}" for what, n in said.items() if n]


def _under(
    here: View, name: str, small: str, big: sentences.Reading, watched: Watched | None, under: _Lines
) -> tuple[Spark | None, str]:
    """Set what stands under a number; give its course as a picture, and what that says."""
    limits = sentences.interval(big)
    if not big.has_value:
        limits = sentences.amount(big)
    elif limits:
        limits = f"95 %: {limits}"
    for line in (limits, small):
        under.small(words.plain(line) if line else words.GAP)
    under.ink(words.plain(sentences.arrow(big)) or ":gray[no comparison]")
    _judge(big, watched, under)
    under.small(words.plain(" · ".join([f"n {words.number(big.n)}", *_beside(here, name)])))
    for target in here.aims(name)[-1:]:
        if standing := here.standing(target):
            under.small(words.plain(aims.tile(standing, here.kind(name), here.grain)))
    points = here.points(name)
    if not sparks.has_value(points):
        return None, ""
    spark = Spark(points)
    alt = figures.finding(here.kpi(name).title, points, here.kind(name))
    st.html(spark.image(here.colours, alt))
    return spark, alt


def _judge(reading: sentences.Reading, watched: Watched | None, under: _Lines) -> None:
    """Say whether it changed, and whether the last complete period is out of the ordinary: by word, not by colour."""
    said, is_signal = judging.verdict(watched), watched is not None and watched.chart.verdict.is_signal
    # What the interval of a change calls normal variation is none where there is a signal.
    if sentences.is_change(reading) or (sentences.verdict(reading) and not judging.is_said(watched)):
        under.small(words.plain(sentences.verdict(reading)))
    if is_signal:
        under.ink(f"**{words.plain(said)}**")
    else:
        under.small(words.plain(said))


def _help(here: View, name: str, reading: sentences.Reading, watched: Watched | None) -> str:
    kpi = here.kpi(name)
    told = judging.why(watched, Unit(here.kind(name), kpi.title))
    told = f"\n\n{words.plain(told)}" if told else ""
    why = f"\n\nNot compared: {words.plain(reading.reason)}." if reading.reason else ""
    return (
        f"{words.plain(kpi.description)}\n\nn {words.number(reading.n)}, {words.plain(here.span)}, counted at "
        f"{words.plain(kpi.counted_at)}.{why}{told}\n\n[Definition and SQL](definitions#{name})"
    )
