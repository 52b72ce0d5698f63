"""The pieces that pages are set from: lead, tiles, pictures, folded tables, foot, and the words for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import polars as pl
import streamlit as st

from dashboard import (
    aims,
    charts,
    doubting,
    figures,
    filters,
    fitness,
    judging,
    manners,
    periods,
    printing,
    query,
    reasons,
    record,
    relaxed,
    sentences,
    tabulated,
    takeaway,
    tones,
    why,
    words,
)
from dashboard import freshness as fresh
from dashboard.control import Watched
from dashboard.insights import search
from dashboard.view import View

STYLE = """
<style>
.stMainBlockContainer { max-width: 1240px; padding-top: 4.5rem; }
.st-key-masthead { border-bottom: 3px double @lines; padding-bottom: .35rem; }
.st-key-masthead p, .st-key-shown p { font-size: .875rem; }
.st-key-foot { border-top: 1px solid @lines; padding-top: .75rem; margin-top: 1rem; }
.st-key-lead p { font-family: @serif; font-size: 1.32rem; line-height: 1.5; max-width: 46em; }
.st-key-lead, [class*="st-key-tile"] p, [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums lining-nums; }
[class*="st-key-tile"] p { line-height: 1.35; }
[class*="st-key-tile"] [data-testid="stMetricValue"] > div { font-family: @serif; }
[class*="st-key-few"] [data-testid="stMetricValue"] { color: @muted; }
[data-testid="stCaptionContainer"] { opacity: 1; }
[data-testid="stCaptionContainer"] p { color: @muted; }
[data-testid="stCaptionContainer"] code, .stExpander summary code { font-size: .8125rem !important; }
.stExpander summary { opacity: 1; }
[data-testid="stBaseButton-primary"] { color: @on_tint !important; }
/* Whoever walks through a page by keyboard sees where he is, and the tools of a picture when he reaches them. */
a:focus-visible, main:focus-visible, [role="tab"]:focus-visible, summary:focus-visible, button:focus-visible {
    outline: 2px solid @accent !important; outline-offset: 1px;
}
.stElementToolbar:focus-within { opacity: 1 !important; }
[class*="st-key-take-"] button { min-height: 1.4rem; padding-block: 0; font-size: .8125rem; color: @muted; }
/* That work is going on is said without moving the page. */
.st-key-working { position: fixed; top: 4.25rem; right: 1rem; z-index: 100; width: auto; pointer-events: none; }
.st-key-working .stSpinner {
    background: @panel; border: 1px solid @lines; border-radius: .25rem; padding: .25rem .75rem;
}
.st-key-sql textarea { font-family: "Source Code Pro", monospace; font-size: .875rem; }
/* Without a pointer the tools of a table are always there, over what stands above it. */
@media (hover: none) { .stElementContainer:has(.stDataFrame) { margin-top: 2.25rem; } }
/* Three pictures side by side begin at one height, whether their subtitles take one line or two. */
@media (min-width: 641px) { .st-key-three [data-testid="stCaptionContainer"] { min-height: 3.1em; } }
@media (max-width: 640px) {
    .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
    h1 { font-size: 1.9rem !important; }
    .st-key-lead p { font-size: 1.15rem; }
    [class*="st-key-tile"] [data-testid="stMetricValue"] { font-size: 1.6rem; }
}
</style>
"""
"""What no theme key can say: the measure of the page, the newspaper's rules and the serif numbers."""
SERIF = "'Source Serif', 'Source Serif 4', 'Source Serif Pro', Georgia, serif"

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
MOVED_BY = ("assignment_group", "service", "category", "priority")
DIMENSIONS = ("priority", "assignment_group", "service", "category", "channel", "source")


def colours() -> charts.Palette:
    """Give the colours of the theme that this reader sees."""
    return charts.palette(st.get_option, dark=st.context.theme.type == "dark")


def style() -> None:
    """Set what no theme key can say, in the colours of this reader's theme."""
    tints = colours()
    named = {
        "@lines": tints.lines,
        "@panel": tints.panel,
        "@muted": tints.muted,
        "@accent": tints.accent,
        "@on_tint": max((tints.paper, tints.ink), key=lambda one: tones.contrast(one, tints.accent)),
        "@serif": SERIF,
    }
    text = STYLE + printing.STYLE
    for name, value in named.items():
        text = text.replace(name, value)
    st.html(text)


def title(text: str) -> None:
    """Set the page's title."""
    st.title(words.plain(text), anchor=False)
    record.text("title", words.plain(text))


def heading(text: str, anchor: str | bool = False) -> None:
    """Set the question of what follows."""
    st.header(words.plain(text), anchor=anchor)  # type: ignore[arg-type]  # an anchor's name, or none
    record.text("heading", words.plain(text))


def said(markdown: str) -> None:
    """Set a sentence; as Markdown, so strangers' text in it must be plain."""
    st.markdown(markdown)
    record.text("item" if markdown.startswith("- ") else "said", markdown)


def note(markdown: str) -> None:
    """Set a remark in small type; as Markdown, so strangers' text in it must be plain."""
    st.caption(markdown)
    record.text("note", markdown)


def lead(*said: str) -> None:
    """Set the sentences that answer the page's question; as Markdown, so strangers' text in them must be plain."""
    markdown = " ".join(sentence for sentence in said if sentence)
    with st.container(key="lead"):
        st.markdown(markdown)
    record.text("lead", markdown)


def show(figure: charts.Figure | None, key: str | None = None, otherwise: str = "") -> date | None:
    """Set a picture under its question; with a key it can be clicked, and the day that was picked is returned."""
    if figure is None:
        if otherwise:
            nothing(otherwise)
        return None
    st.header(words.plain(figure.title), anchor=False)
    if key is None:
        picture(figure)
        return None
    _under_title(figure)
    state: Any = st.vega_lite_chart(
        spec=charts.spec(figure.chart), theme=None, width="stretch", alt=figure.alt, key=key, on_select="rerun"
    )
    picked = state.selection.get("picked") or []
    return date.fromisoformat(picked[0]["since"]) if picked and picked[0].get("since") else None


def picture(figure: charts.Figure) -> None:
    """Set a picture whose question already stands above it."""
    _under_title(figure)
    draw(figure.chart, figure.alt)


def _under_title(figure: charts.Figure) -> None:
    part = record.Picture(figure)
    record.note(part)
    takeaway.offer(part, words.plain(figure.subtitle))


def clickable(figure: charts.Figure, key: str, clicked: Callable[[list[dict[str, Any]]], None]) -> None:
    """Set a picture of which each mark can be clicked, its question above it.

    What was picked is handed over before the page is drawn anew.
    """
    _under_title(figure)

    def handed_over() -> None:
        picked = st.session_state[key].selection.get("picked")
        if picked:
            clicked(picked)

    st.vega_lite_chart(
        spec=charts.spec(figure.chart), theme=None, width="stretch", alt=figure.alt, key=key, on_select=handed_over
    )


def draw(chart: Any, alt: str) -> None:
    """Set a chart, with the sentence that stands for it where it cannot be seen."""
    st.vega_lite_chart(spec=charts.spec(chart), theme=None, width="stretch", alt=alt)


def nothing(sentence: str) -> None:
    """Say that there is nothing to see."""
    st.markdown(f":gray[{words.plain(sentence)}]")
    record.text("nothing", words.plain(sentence))


def nothing_matches(here: View, otherwise: str = "") -> None:
    """Say which filters keep everything out, and offer to take them away.

    Args:
        here: what is shown.
        otherwise: what is said where there is something, and another condition of the page keeps it out.
    """
    ways: list[relaxed.Way] = here.ask("ways_out", here.scope)
    if ways and not ways[0].conditions:
        if otherwise:
            nothing(f"{otherwise} Without it there {_are(ways[0].n)}.")
        return
    said = [f"without {_asked(here, way)} there {_are(way.n)}" for way in ways[:MOST_WAYS]]
    nothing("No incidents match" + (f": {words.listing(said)}." if said else ", whatever is chosen."))
    for at, way in enumerate(ways[:MOST_WAYS]):
        st.button(
            words.plain(f"Take away {_asked(here, way)}"),
            key=f"way-{at}",
            on_click=_take_away,
            args=(way.conditions,),
        )


MOST_WAYS = 3


def _are(n: int) -> str:
    return f"{'is' if n == 1 else 'are'} {words.number(n)}"


def _asked(here: View, way: relaxed.Way) -> str:
    """Name conditions as a reader chose them: "Priority: P1" and the days."""
    chosen = dict(here.choice.where)
    named = [
        f"the days {here.span}"
        if column == relaxed.PERIOD
        else f"“{filters.COLUMNS[column]}: "
        f"{words.listing([filters.member(column, value) for value in chosen[column]], joined='or')}”"
        for column in way.conditions
    ]
    return words.listing(named, most=len(named))


def offer_later(here: View, name: str) -> None:
    """Offer the longest later period in which a KPI can be compared, if there is one."""
    period = here.comparable(name)
    if period is not None:
        st.button(
            f"Show the {filters.PERIODS[period]}",
            key=f"later-{name}",
            help="They can be compared with the days before them",
            on_click=_show,
            args=(period,),
        )


def _show(period: str) -> None:
    st.session_state["f_period"] = period


def _take_away(conditions: Sequence[str]) -> None:
    """Set the filters before they are drawn again: all days, all members."""
    for column in conditions:
        st.session_state[f"f_{column}"] = "all" if column == relaxed.PERIOD else []


def if_nothing(here: View) -> None:
    """Say what keeps everything out where none of the page's numbers counts anything."""
    if not any(here.reading(name).n for name in here.batch):
        nothing_matches(here)


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
        note(f"Not compared with the days before: {words.plain(reason)}.")


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
) -> tuple[Any, str]:
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
    if all(point.value is None for point in points):
        return None, ""
    spark = charts.sparkline(points, here.colours)
    alt = figures.finding(here.kpi(name).title, points, here.kind(name))
    draw(spark, alt)
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
    told = judging.why(watched, charts.Unit(here.kind(name), kpi.title))
    told = f"\n\n{words.plain(told)}" if told else ""
    why = f"\n\nNot compared: {words.plain(reading.reason)}." if reading.reason else ""
    return (
        f"{words.plain(kpi.description)}\n\nn {words.number(reading.n)}, {words.plain(here.span)}, counted at "
        f"{words.plain(kpi.counted_at)}.{why}{told}\n\n[Definition and SQL](definitions#{name})"
    )


def by_dimension(here: View, question: str, name: str, key: str) -> None:
    """Set a KPI by the column that the reader picks."""
    there = [column for column in DIMENSIONS if column in here.known]
    if not there:
        return
    st.header(words.plain(question), anchor=False)
    column = st.selectbox(
        "By",
        there,
        format_func=lambda column: f"by {filters.COLUMNS[column].lower()}",
        key=key,
        index=there.index("assignment_group") if "assignment_group" in there else 0,
        label_visibility="collapsed",
        persist_state="session",
    )
    figure = figures.split(here, question, name, column)
    if figure is None:
        nothing("No value here.")
        return
    picture(figure)


def behind_picture(here: View, names: Sequence[str]) -> None:
    """Fold away the numbers of a trend: each with its interval and its n."""
    with st.expander("The numbers behind the picture"), record.fold("The numbers behind the picture"):
        # A stock has no bucket that is still running: each KPI is asked for its own.
        courses = {name: here.points(name) for name in names}
        columns = {name: {point.since: point for point in points} for name, points in courses.items()}
        rows = []
        for since, first in columns[names[0]].items():
            row: dict[str, Any] = {"Period": first.name}
            for name in names:
                row |= _numbers(here, name, columns[name].get(since))
            rows.append({**row, "Note": first.reason})
        kinds = {name: (here.kpi(name).title, here.kind(name)) for name in names}
        table(
            pl.DataFrame(rows, infer_schema_length=None),
            "The numbers behind the picture",
            rows=lambda: tabulated.courses([(*kinds[name], points) for name, points in courses.items()]),
        )


def _numbers(here: View, name: str, point: charts.Point | None) -> dict[str, Any]:
    kpi, unit = here.kpi(name), figures.unit(here, name)
    value = None if point is None else point.value
    found: dict[str, Any] = {kpi.title: None if value is None else unit.say(value)}
    if kpi.has_limits and point is not None:
        limits = "" if value is None else unit.between(value, point.low, point.high)
        found |= {f"{kpi.title}, 95 %": limits, f"{kpi.title}, n": point.n}
    return found


def told(lines: Sequence[str], otherwise: str) -> None:
    """Set findings as a list that reads on any screen, or say why there is none."""
    if not lines:
        nothing(otherwise)
    for line in lines[:MOST_TOLD]:
        said(f"- {line}")
    if len(lines) > MOST_TOLD:
        note(f"and {len(lines) - MOST_TOLD} more, in the table below")


MOST_TOLD = 12


def stamp_format() -> str:
    """Give the pattern by which a table writes instants, to the minute."""
    return {"dmy": "D MMM YYYY, HH:mm", "mdy": "MMM D, YYYY, HH:mm", "ymd": "YYYY-MM-DD, HH:mm"}[manners.here().order]


def table(
    frame: pl.DataFrame,
    alt: str,
    otherwise: str = "",
    rows: record.Rows | None = None,
    *,
    columns: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    height: int | None = None,
) -> None:
    """Set a table, or say why there is none.

    Args:
        frame: what is shown.
        alt: what it is.
        otherwise: what is said of none.
        rows: the same with types, and units in the header, where what is shown are words.
        columns: how single columns are shown.
        units: the kinds of values of single columns, where no word says it.
        height: pixels, of a long one.
    """
    if frame.is_empty():
        nothing(otherwise)
        return
    part = record.Table(alt, frame, rows or partial(tabulated.with_units, frame, units or {}), units or {})
    record.note(part)
    stamps = {
        name: st.column_config.DatetimeColumn(format=stamp_format())
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime)
    }
    counts = {
        name: st.column_config.NumberColumn(format="localized")
        for name, kind in frame.schema.items()
        if kind.is_integer()
    }
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height=height or "auto",
        column_config={**stamps, **counts, **(columns or {})},
        placeholder="",
        alt=alt,
    )
    takeaway.offer(part)


def folded(title: str, frame: pl.DataFrame, rows: record.Rows | None = None) -> None:
    """Fold a table away."""
    with st.expander(title), record.fold(title):
        table(frame, title, rows=rows)


LIST_COLUMNS = {
    "incident_id": "Number",
    "title": "Title",
    "found_in": "Found in",
    "shared": "In common",
    "opened_at": "Opened",
    "state": "State",
    "priority": "Priority",
    "hours_to_acknowledge": "Taken on, h",
    "hours_to_resolve": "Resolved, h",
    "assignment_group": "Assignment group",
    "service": "Service",
    "excluded_as": "Left out as",
    "source": "Source",
}


def incident_list(found: query.Incidents, key: str) -> None:
    """Set a list of incidents; picking a row opens it."""
    rows = found.rows
    shown = [name for name in LIST_COLUMNS if name in rows.columns and rows[name].null_count() < rows.height]
    listed = rows.select(shown).with_columns(
        pl.col(name).cast(pl.String).replace_strict(said, default=pl.col(name))
        for name, said in _SAID.items()
        if name in shown
    )
    part = record.Table("Incidents", listed.rename(LIST_COLUMNS, strict=False), partial(tabulated.incidents, listed))
    record.note(part)
    st.session_state.setdefault("_list", 0)
    state: Any = st.dataframe(
        listed.with_columns(pl.col(name).round(2) for name in shown if name.startswith("hours")),
        hide_index=True,
        width="stretch",
        placeholder="",
        on_select="rerun",
        selection_mode="single-row",
        # A new key after a pick: coming back, nothing is picked.
        key=f"{key}-{st.session_state['_list']}",
        column_config={
            **{
                name: st.column_config.Column(LIST_COLUMNS[name], width=TITLE_WIDTH if name == "title" else None)
                for name in shown
            },
            **{
                name: st.column_config.NumberColumn(
                    LIST_COLUMNS[name], format="%.2f" if manners.here().decimal == "." else "localized"
                )
                for name in shown
                if name.startswith("hours")
            },
            **{
                name: st.column_config.DatetimeColumn(LIST_COLUMNS[name], format=stamp_format())
                for name in shown
                if name.endswith("_at")
            },
        },
        alt=f"List of {rows.height} incidents",
    )
    if state.selection.rows:
        row = rows.row(state.selection.rows[0], named=True)
        st.session_state["_list"] += 1
        st.switch_page("app_pages/incidents.py", query_params={"incident": f"{row['source']}/{row['incident_id']}"})
    st.caption("Pick a row to see that incident's history.")
    takeaway.offer(part)


def behind(here: View, name: str, picked: date | None, key: str) -> None:
    """Fold away the incidents that a KPI counts, of the whole period or of the one that was clicked."""
    scope = here.scope
    span = here.span
    if picked is not None:
        scope = scope.within(picked, periods.following(picked, here.grain) - filters.DAY)
        span = words.period(picked, here.grain)
    panel = st.expander(
        f"The incidents behind it: {words.plain(span)}", key=key, on_change="rerun", expanded=picked is not None
    )
    if panel.open or picked is not None:
        with panel, record.fold(f"The incidents behind it: {span}"):
            sort = "hours_to_acknowledge" if name.startswith("mtta") else "hours_to_resolve"
            if name == "incident_volume":
                sort = "opened_at"
            found = here.ask("incidents", scope, name=name, sort=sort, limit=LISTED)
            if not found.total:
                nothing("There are none.")
                return
            order = "the newest first" if sort == "opened_at" else "the longest first"
            few = f", the first {LISTED} are listed" if found.total > LISTED else ""
            note(f"{words.counted(found.total, 'incident')}, {order}{few}")
            incident_list(found, f"{key}-list")


TITLE_WIDTH = 270
_SAID = {
    "state": {"in_progress": "in progress", "on_hold": "on hold"},
    "priority": {str(level): filters.member("priority", str(level)) for level in range(1, 6)},
}
LISTED = 200
"""Rows that a list shows at most; the count beside it is of all."""


def moved(here: View, names: Sequence[str]) -> None:
    """Set what changed a KPI most, member by member."""
    heading("Which three slices moved most?")
    name = st.selectbox(
        "Of",
        list(names),
        format_func=lambda name: SHORT.get(name, here.kpi(name).title),
        key="moved",
        label_visibility="collapsed",
        persist_state="session",
    )
    reading = here.reading(name)
    # Where one member is chosen, it is all of the change: that says nothing.
    single = {column for column, values in here.choice.where if len(values) == 1}
    columns = tuple(column for column in MOVED_BY if column in here.known and column not in single)
    bridges: dict[str, why.Bridge] = {}
    if columns and reading.change is not None:
        bridges = here.ask("bridges", name, here.scope, columns, here.change(name))
    told(
        reasons.slices(bridges, here.kind(name)),
        f"There is nothing to compare with: {reading.reason}." if reading.reason else "There is nothing to compare.",
    )
    if not bridges:
        if reading.reason:
            offer_later(here, name)
        return
    note(
        words.plain(
            f"{SHORT.get(name, reading.title)} changed by {sentences.signed(reading.change or 0.0, here.kind(name))} on "
            f"{reading.against}; these are the largest parts. "
            f"{sentences.of_the_whole(reading)} Slices of different columns overlap."
        )
    )
    if why.can_be_split(here.kpi(name)):
        # The page's own switch knows a KPI by its title.
        asked = {"moved_kpi": here.kpi(name).title, **filters.to_url(here.choice)}
        st.page_link("app_pages/why_it_moved.py", label="Why it moved, part by part", query_params=asked)
    panel = st.expander("All that changed it", key=f"moved-{name}", on_change="rerun")
    if panel.open:
        with panel, record.fold("All that changed it"):
            figure = figures.movers(here, "What changed it most?", name, bridges)
            if figure is not None:
                picture(figure)


def stand_out(here: View, name: str) -> None:
    """Set the slices that stand out among all, how many were looked at, and what standing out means."""
    heading("What stands out?")
    if not why.can_be_searched(here.kpi(name)):
        nothing("A stock carries over from one day to the next, so no chance can be said for its slices.")
        return
    found = here.stand_out(name)
    if found is None or not found.looked_at:
        nothing(f"Too few days to tell a slice from chance: each period needs {search.LEAST_DAYS}.")
        return
    kind = here.kind(name)
    looked = f"{words.number(found.looked_at)} questions were asked of every slice and every pair of slices"
    told(
        [reasons.finding(one, found, kind) for one in found.findings.iter_rows(named=True)],
        f"Nothing: {looked}, and no answer stands out against what chance makes of so many.",
    )
    if found.findings.height:
        note(
            f"Strongest first, each with what is above it taken out. {looked}; one counts only if it beats the best of "
            f"them in 95 of 100 random deals of the days ({words.number(found.resamples)} were dealt). Slices overlap: "
            "these do not add up."
        )


def freshness(here: View) -> None:
    """Say how fresh each source is now, and whose last run failed."""
    known = dict(here.warehouse.sources.select("source", "as_of_local").iter_rows())
    last = here.ask("runs").unique("source", keep="first", maintain_order=True)
    failed = set(last.filter(pl.col("outcome") == "failed")["source"])
    note(words.plain(f"{fresh.said(known, failed & set(known), here.now)}."))


def foot(here: View, names: Sequence[str], *, of_everything: bool = False, only: str = "") -> None:
    """Set what the page stands on: period, zone, sources, data as of, what is left out, definitions.

    With `only` it names what the page filters itself, beside what is chosen above it.
    """
    known = f"data as of {words.moment(here.as_of)} · published version {here.warehouse.number}"
    span = "everything, whatever is chosen above" if of_everything else f"{here.span}, {filters.GRAINS[here.grain]}"
    lines = [" · ".join(filter(None, [only, span, f"days and times in {here.zone}", known]))]
    sources = here.warehouse.sources.iter_rows(named=True)
    lines.append(
        "Sources: "
        + "; ".join(
            f"{row['source']} ({row['kind']}, {words.counted(row['incidents'], 'incident')}, as of "
            f"{words.moment(row['as_of_local'])}{', made up' if row['is_sample'] else ''})"
            for row in sources
        )
    )
    if here.warehouse.joined["links"]:
        lines.append(_joined(here.warehouse.joined))
    if names:
        lines.append(_left_out(here, names[0]))
    _fit(here, [name for name in names if name in fitness.CLOCKS])
    _stamp(here, lines, names, of_everything=of_everything, only=only)
    with st.container(key="foot", gap="xxsmall"):
        for line in lines:
            st.caption(words.plain(line))
        for name in names:
            kpi = here.kpi(name)
            st.caption(f"[{words.plain(kpi.title)}](definitions#{name}): {words.plain(kpi.description)}")
    # The view outlives the page: its answers need not.
    here.origins.clear()


def _stamp(here: View, lines: Sequence[str], names: Sequence[str], *, of_everything: bool, only: str) -> None:
    """Keep what every file says of where its numbers come from."""
    shown = filters.in_words(here.choice, here.since, here.until, here.grain)
    shown = f"{only} · {shown}" if only else shown
    record.now().stamp = record.Stamp(
        "everything, whatever is chosen" if of_everything else shown,
        here.zone,
        words.moment(here.as_of),
        here.warehouse.number,
        here.is_sample,
        tuple(lines[1:]),
        tuple(
            record.Definition(kpi.title, f"kpi.{name}", kpi.unit, kpi.counted_at, kpi.description)
            for name in names
            for kpi in (here.kpi(name),)
        ),
    )


def _fit(here: View, names: Sequence[str]) -> None:
    """Fold away how far these KPIs can be trusted; it is asked for only when somebody looks."""
    if not names:
        return
    title = "How far can these numbers be trusted?"
    panel = st.expander(title, key=f"fit-{names[0]}", on_change="rerun")
    if panel.open:
        with panel, record.fold(title):
            note("Over all that each source has. [Why](fitness)")
            with_and_without(here, names, "Grades of these KPIs")


def with_and_without(here: View, names: Sequence[str], alt: str) -> None:
    """Set KPIs of each source with and without the doubtful rows; that takes longer than a page, so only who looks waits."""
    batches = here.ask("batches")
    grades = [one for one in here.ask("grades", batches) if one.kpi in names]
    pairs: dict[tuple[str, str], fitness.Pair] = here.ask("with_and_without", tuple(names), batches)
    rows = partial(doubting.typed, here.warehouse.kpis, grades, pairs)
    table(doubting.table(here, grades, pairs), alt, "Nothing is known of them.", rows)


def _joined(found: dict[str, int]) -> str:
    said = f"Joined: {words.counted(found['joined'], 'incident')} of one tool counted with another tool's"
    if found["missing"]:
        said += f" · {words.counted(found['missing'], 'link')} to what is not there"
    if found["ambiguous"]:
        said += f" · {words.counted(found['ambiguous'], 'link')} to several, so to none"
    return said


def _left_out(here: View, name: str) -> str:
    beside: query.Beside = here.ask("beside", name, here.scope)
    gone = [f"{words.number(n)} {reason}" for reason, n in beside.excluded.items()]
    counted = here.kpi(name).counted_at.removesuffix("_at").removeprefix("first_")
    by = "" if counted in ("opened", "day") else f" (by the day {counted}, else opened)"
    parts = [f"Left out: {words.listing(gone, most=4)}{by}" if gone else "Nothing excluded"]
    if beside.with_parent:
        parts.append(f"{words.number(beside.with_parent)} resolved with their parent count in the volume only")
    if beside.closed_without_resolving:
        parts.append(f"{words.number(beside.closed_without_resolving)} closed without a resolution time")
    if beside.auto_resolved:
        parts.append(f"{words.number(beside.auto_resolved)} resolved without a person are in the time to resolve")
    return " · ".join(parts)


def how_to_load() -> None:
    """Say how the first export gets in."""
    st.title("No incidents yet", anchor=False)
    with st.container(key="lead"):
        st.markdown("Nothing has been published so far. Whoever runs Meantime fills it with one of these commands:")
    for said, command in FIRST_COMMANDS:
        st.markdown(said)
        st.code(command, language=None, wrap_lines=True)
    st.markdown("This page shows the overview by itself as soon as there is something of yours to show.")


FIRST_COMMANDS = (
    ("To look around, made-up incidents with a dashboard of their own:", "meantime demo"),
    ("A first export of your tool:", "meantime load incidents.csv --as servicenow --timezone Europe/Berlin"),
    ("A tool that is asked by itself from now on:", "meantime init && meantime refresh"),
)
"""Three ways to the first page, each with what it is for."""


def failed(page: str | None = None) -> None:
    """Say that a page could not be drawn, or, without its name, that something on it failed."""
    record.now().has_failed = True
    st.header("This page could not be drawn" if page else "This did not work", anchor=False)
    what = f"setting “{words.plain(page)}”" if page else "doing what you asked for"
    st.markdown(
        f"Something went wrong while {what}. The data are as they were and the other pages are "
        "still right. Reload the page; if it comes back, tell whoever runs Meantime: the server's log says what happened."
    )


def unreadable() -> None:
    """Say that what is published cannot be read, and who can help."""
    st.title("The data cannot be read at the moment", anchor=False)
    with st.container(key="lead"):
        st.markdown(
            "What was published last cannot be opened, so no page shows a number. Nothing is lost: the exports are kept. "
            "Tell whoever runs Meantime: the server's log says what is wrong, and this command makes the data anew."
        )
    st.code("meantime rebuild", language=None)
