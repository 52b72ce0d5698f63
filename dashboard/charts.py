"""The theme and the few chart shapes; every chart comes with the sentence that a screen reader says instead."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import altair as alt
import polars as pl
from altair.utils import schemapi

from dashboard import manners, tones, words
from dashboard.statements import Statement

# Altair checks every part of every chart against the whole schema of Vega-Lite, which took most of a page's time. The
# tests check each chart that a page draws instead. Its own theme would set sizes that the page sets.
schemapi.disable_debug_mode()
alt.theme.enable("none")

FONT = "'Source Sans', 'Source Sans Pro', 'Source Sans 3', sans-serif"
HEIGHT = 300
MOST_BARS = 12
MOST_SIGNS = 30
"""Two names above a plot must fit side by side on a phone; those that do not are in the subtitle only."""
_EPOCH = date(1970, 1, 1).toordinal()
FEW = 5
"""Below this n a value is grey."""
ROOM_FOR_LIMITS = 1.5
"""A scale makes room for limits up to so many times the greatest value."""
MOST_NOTES, NOTE_ROOM = 3, 130
"""Names of known changes that stand below each other, and the pixels that one may take; the tooltip has all of it."""
MOST_BANDS = 3
"""Lines of one picture that have bands."""
LABEL_ROOM = 92
"""Pixels that a name at the end of a line may take."""

_TICKS = (
    (1 / 60, "1 min"),
    (1 / 6, "10 min"),
    (1.0, "1 h"),
    (8.0, "8 h"),
    (24.0, "1 d"),
    (168.0, "1 wk"),
    (720.0, "30 d"),
    (4380.0, "6 mo"),
)
_LIGHT_PRIORITIES = ("#0B2F5E", "#1F5FAE", "#5B90CF", "#93B8E2", "#C3D8EF")
_DARK_PRIORITIES = ("#D6E7FD", "#A5CBF8", "#6CA8F0", "#3F7CC4", "#2B5587")


class Palette(NamedTuple):
    """The colours of one theme, by what they are for."""

    paper: str
    panel: str
    ink: str
    muted: str
    lines: str
    series: tuple[str, ...]
    others: str
    priorities: tuple[str, ...]

    @property
    def accent(self) -> str:
        """The one colour that a picture with a single series uses."""
        return self.series[0]


LIGHT = Palette(
    "#FBFAF7",
    "#F2F0EA",
    "#1B1F24",
    "#5B636E",
    "#D9D5CB",
    ("#1F5FAE", "#B4870F", "#1EA569", "#87000F", "#4B003C"),
    "#6B7280",
    _LIGHT_PRIORITIES,
)
DARK = Palette(
    "#12161B",
    "#1B2027",
    "#E8EAED",
    "#9AA4B0",
    "#323A44",
    ("#6CA8F0", "#E1873C", "#96FFD2", "#D23C4B", "#F0FF87"),
    "#98A2AE",
    _DARK_PRIORITIES,
)


def palette(option: Callable[[str], Any], dark: bool) -> Palette:
    """Take the colours from the theme keys that `option` gives: a house with its own theme gets its own charts."""
    base = DARK if dark else LIGHT
    section = f"theme.{'dark' if dark else 'light'}."

    def key(name: str, otherwise: Any) -> Any:
        return option(section + name) or otherwise

    return Palette(
        key("backgroundColor", base.paper),
        key("secondaryBackgroundColor", base.panel),
        key("textColor", base.ink),
        key("grayTextColor", base.muted),
        key("borderColor", base.lines),
        tuple(key("chartCategoricalColors", base.series))[:5],
        key("grayColor", base.others),
        base.priorities,
    )


class Point(NamedTuple):
    """One period of a trend: `flag` names why it cannot be compared, or is empty; `reason` says it at length."""

    since: date
    until: date
    value: float | None
    n: int
    name: str
    flag: str = ""
    reason: str = ""
    low: float | None = None
    high: float | None = None


class Note(NamedTuple):
    """A known change, to be marked where it happened."""

    day: date
    text: str


class Goal(NamedTuple):
    """A target on a trend: what it asks, and the days on which it holds; without an end, None."""

    name: str
    value: float
    since: date
    until: date | None = None


class Series(NamedTuple):
    """One line of a trend."""

    name: str
    points: tuple[Point, ...]


class Unit(NamedTuple):
    """How the values of a chart are said and where they start."""

    kind: str
    title: str

    def say(self, value: float) -> str:
        """Say one value in words."""
        return words.value(value, self.kind)

    def between(self, value: float, low: float | None, high: float | None) -> str:
        """Say the limits of a value in the unit of that value, or nothing."""
        return words.between(low, high, self.kind, words.scale_of(value) if self.kind == "hours" else None)


class Figure(NamedTuple):
    """A picture with its question, its n and period, and the finding that stands for it where it cannot be seen."""

    title: str
    subtitle: str
    chart: alt.Chart | alt.LayerChart
    alt: str
    height: int = HEIGHT
    rows: Callable[[], pl.DataFrame] | None = None
    """What is drawn, typed and with units, for a file; laid out only when it is asked for."""
    asked: Callable[[], Sequence[Statement]] | None = None
    """What was asked of the warehouse for it; see `view.traced`."""


class _Rows(alt.Data):
    """Rows that charts share: a layer copies its parts whole, and would copy every row of them."""

    def __deepcopy__(self, _: object) -> _Rows:
        return self


def data(rows: Sequence[Mapping[str, Any]]) -> alt.Data:
    """Give the rows of a chart."""
    return _Rows(values=list(rows))


def when(test: str, value: str) -> dict[str, str]:
    """Give the value of a mark for which a test holds; as Altair's own condition it would be looked up in the schema."""
    return {"test": test, "value": value}


def spec(chart: Any) -> dict[str, Any]:
    """Write a chart down as Vega-Lite reads it."""
    written: dict[str, Any] = chart.to_dict(validate=False)
    return written


def dressed(chart: Any, colours: Palette, height: int = HEIGHT, right: int = 8, top: int = 4) -> Any:
    """Give a chart the fonts, lines and colours of the page; the fit makes room for what stands outside the plot."""
    # Set in place: each of Altair's own methods would copy the whole chart.
    chart.width = "container"
    chart.height = height
    chart.background = "transparent"
    chart.padding = {"left": 4, "right": right, "top": top, "bottom": 6}
    chart.autosize = {"type": "fit", "contains": "padding"}
    chart.config = {
        **manners.here().vega(),
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": colours.muted,
            "titleColor": colours.muted,
            "titleFontWeight": "normal",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "gridColor": colours.lines,
            "domainColor": colours.muted,
            "tickColor": colours.muted,
        },
        "axisY": {
            "domain": False,
            "ticks": False,
            "titleAngle": 0,
            "titleAlign": "left",
            "titleAnchor": "end",
            "titleX": 0,
            "titleY": -21,
            "labelPadding": 6,
            "grid": True,
        },
        "axisX": {"grid": False, "labelPadding": 4, "labelOverlap": True, "labelSeparation": 10},
    }
    return chart


def _text(colours: Palette, **more: Any) -> dict[str, Any]:
    return {"fontSize": 12, "font": FONT, "color": colours.muted, **more}


def _stamp(when: date, days: float = 0) -> int:
    """Give a day as Vega counts time: milliseconds in UTC, so that the browser's zone moves nothing."""
    return round((when.toordinal() + days - _EPOCH) * 86_400_000)


def _middle(point: Point) -> int:
    """A point stands in the middle of its period, where the eye looks for it."""
    return _stamp(point.since, ((point.until - point.since).days + 1) / 2)


def _log_domain(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    below = [at for at, _ in _TICKS if at <= low]
    above = [at for at, _ in _TICKS if at >= high]
    return (below[-1] if below else low, above[0] if above else high * 1.1)


def _log_axis(title: str | None = None, ticks: Sequence[tuple[float, str]] = _TICKS) -> alt.Axis:
    names = " : ".join(f"abs(datum.value - {at!r}) < 1e-6 ? '{name}'" for at, name in ticks) + " : ''"
    return alt.Axis(values=[at for at, _ in ticks], labelExpr=names, title=title)


def _nice(top: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    if top <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(top))
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= top * 0.9999)


class Scale(NamedTuple):
    """A vertical scale: what to divide the values by, its domain and its axis."""

    divisor: float
    domain: tuple[float, float]
    axis: alt.Axis
    is_log: bool
    marks_few: bool = True
    """A mean or share of hardly any is grey; a count is what it is."""

    def vega(self) -> alt.Scale:
        """Give it as Vega knows it."""
        zero: dict[str, Any] = {} if self.is_log else {"zero": False}
        return alt.Scale(type="log" if self.is_log else "linear", domain=list(self.domain), nice=False, **zero)

    def pixel(self, value: float, height: int) -> float:
        """Say how far below the top a value lies."""
        low, high = self.domain
        at = value / self.divisor
        if self.is_log:
            return height * (1 - math.log(max(at, low) / low) / math.log(high / low))
        return height * (1 - (at - low) / (high - low))


def scale(values: Sequence[float], unit: Unit, log: bool = False, from_zero: bool = True) -> Scale:
    """Choose a vertical scale: human ticks on a log scale of durations, otherwise from zero in the unit that fits."""
    if unit.kind == "hours" and log and [value for value in values if value > 0]:
        domain = _log_domain([value for value in values if value > 0])
        return Scale(1.0, domain, _log_axis(unit.title), True)
    top = max(values, default=1.0)
    if unit.kind == "hours":
        name = words.scale_of(top)
        divisor = words.hours_of(name)
        title = f"{unit.title}, {words.LONG_UNITS[name]}"
        return Scale(divisor, (0.0, _nice(top / divisor * 1.04)), alt.Axis(title=title, tickCount=5), False)
    if unit.kind == "share":
        high = min(1.0, _nice(top * 1.08)) if top > 0 else 1.0
        return Scale(1.0, (0.0, high), alt.Axis(title=unit.title, format="~%", tickCount=5), False)
    axis = alt.Axis(
        title=unit.title,
        format="~s" if top >= 10_000 else ",~r",
        tickCount=5,
        tickMinStep=1 if top > 2 or unit.kind == "count" else 0.1,
    )
    return Scale(1.0, (0.0, _nice(max(top, 1e-9) * 1.06)), axis, False, unit.kind != "count")


class TimeAxis(NamedTuple):
    """The horizontal axis that all layers of a trend share."""

    scale: alt.Scale
    axis: alt.Axis | None

    def of(self, field: str = "at:T") -> alt.X:
        """Place a field on it."""
        return alt.X(field, scale=self.scale, axis=self.axis)


DAYS = {"dmy": "%-d %b", "mdy": "%b %-d", "ymd": "%m-%d"}
"""How an axis writes a day, by the order that its reader is used to."""
_STAMPS = (
    ("year", 366, "%Y"),
    ("quarter", 92, "Q%q %Y"),
    ("month", 31, "%b"),
    ("week", 7, ""),
    ("day", 1, ""),
)


def time_axis(points: Sequence[Point]) -> TimeAxis:
    """Give the horizontal axis of time: ticks where periods begin, in the reporting zone wherever the browser is."""
    long = (points[0].until - points[0].since).days + 1
    name, _, pattern = next(stamp for stamp in reversed(_STAMPS) if long <= stamp[1])
    step = math.ceil(len(points) / (12 if name == "month" else 8))
    named: dict[str, Any] = {}
    if name == "month":
        named["labelExpr"] = "utcFormat(datum.value, utcmonth(datum.value) == 0 ? '%b %Y' : '%b')"
    axis = alt.Axis(
        title=None,
        format=pattern or DAYS[manners.here().order],
        values=[
            alt.DateTime(year=point.since.year, month=point.since.month, date=point.since.day, utc=True)
            for point in points[::step]
        ],
        **named,
    )
    # No domain of its own: the columns that answer to the pointer reach from the first day to the last.
    return TimeAxis(alt.Scale(type="utc", nice=False), axis)


def runs(points: Sequence[Point]) -> list[tuple[bool, list[Point]]]:
    """Cut a line where a period has no value; a stretch that touches a flagged period is dashed.

    Returns pairs of (is dashed, its points); neighbouring stretches share the point where they meet.
    """
    stretches: list[tuple[bool, list[Point]]] = []
    for whole, group in itertools.groupby(points, key=lambda point: point.value is not None):
        if not whole:
            continue
        known = list(group)
        for before, after in itertools.pairwise(known):
            dashed = bool(before.flag or after.flag)
            if stretches and stretches[-1][0] == dashed and stretches[-1][1][-1] is before:
                stretches[-1][1].append(after)
            else:
                stretches.append((dashed, [before, after]))
    return stretches


def flagged(points: Sequence[Point]) -> list[str]:
    """Name the shaded stretches of a trend, from left to right."""
    return [flag for flag, _ in itertools.groupby(points, key=lambda point: point.flag) if flag]


def _bands(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Give one shaded stretch for each run of periods with the same flag, and the name that there is room for."""
    rows: list[dict[str, Any]] = []
    for flag, group in itertools.groupby(enumerate(points), key=lambda pair: pair[1].flag):
        if flag:
            members = list(group)
            side = "right" if members[-1][0] >= len(points) / 2 else "left"
            reach = {"from": _stamp(members[0][1].since), "to": _stamp(members[-1][1].until, 1)}
            rows.append({**reach, "flag": flag, "name": "", "side": side})
    if len(rows) == 2 and rows[0]["side"] != rows[1]["side"] and sum(len(row["flag"]) for row in rows) <= MOST_SIGNS:
        rows[0]["name"] = rows[0]["flag"]
    if rows:
        rows[-1]["name"] = rows[-1]["flag"]
    return rows


def _spread(wanted: Sequence[tuple[str, float]], room: float = 15) -> dict[str, float]:
    """Move labels apart that would overlap, keeping their order; positions in pixels from the top."""
    placed: dict[str, float] = {}
    last = -math.inf
    for name, at in sorted(wanted, key=lambda pair: pair[1]):
        last = max(at, last + room)
        placed[name] = last
    return placed


def _band_layers(points: Sequence[Point], colours: Palette, x: TimeAxis) -> list[Any]:
    bands = _bands(points)
    if not bands:
        return []
    shade = (
        alt.Chart(data(bands))
        .mark_rect(color=colours.lines, opacity=0.38)
        .encode(x=x.of("from:T"), x2=alt.X2("to:T"), tooltip=alt.Tooltip("flag:N", title="Shaded"))
    )
    layers: list[Any] = [shade]
    for side, edge in (("left", "from:T"), ("right", "to:T")):
        rows = [band for band in bands if band["side"] == side and band["name"]]
        if rows:
            # The name stands above the plot: inside, it would cross the line that it explains.
            style = _text(colours, fontSize=11, align=side, baseline="bottom", dy=-6, fontStyle="italic")
            names = alt.Chart(data(rows)).mark_text(**style)
            layers.append(names.encode(x=x.of(edge), y=alt.value(0), text=alt.Text("name:N")))
    return layers


def trend(
    series: Sequence[Series],
    unit: Unit,
    colours: Palette,
    *,
    log: bool = False,
    tints: Mapping[str, str] | None = None,
    height: int = HEIGHT,
    click: bool = False,
    bars: bool = False,
    notes: Sequence[Note] = (),
    goals: Sequence[Goal] = (),
    beside: Sequence[Point] = (),
) -> alt.LayerChart:
    """Draw values over time: gaps stay gaps, what cannot be compared is hollow, dashed and on a named shade.

    Points `beside` are of charts that stand beside it, on the same scale.
    """
    tints = tints or {}
    points = series[0].points
    everything = [*(point for line in series for point in line.points), *beside]
    known = [point.value for point in everything if point.value is not None]
    reached = [*([] if bars or len(series) > MOST_BANDS else _reached(everything)), *(goal.value for goal in goals)]
    vertical = scale([*(known if log else _heights(everything)), *reached], unit, log)
    x = time_axis(points)
    y = alt.Y("v:Q", scale=vertical.vega(), axis=vertical.axis)
    layers = _band_layers(points, colours, x)
    for at, line in enumerate(series):
        tint = tints.get(line.name, colours.series[at] if at < len(colours.series) else colours.others)
        # More bands than that are a fog; the tooltip has the limits.
        layers += [] if bars or len(series) > MOST_BANDS else _sure(line, vertical, tint, x, y)
        shape = SHAPES[at % len(SHAPES)]
        layers += _columns(line, vertical, tint, x, y) if bars else _line(line, vertical, tint, x, y, colours, shape)
    if len(series) > 1 and not bars:
        layers.append(_ends(series, vertical, tints, colours, x, height))
    layers += _noted(notes, points, colours, x)
    layers += _goals(goals, points, vertical, colours, x, y)
    layers.append(_hover(series, unit, x, click, notes))
    return dressed(alt.layer(*layers), colours, height)


def within(notes: Sequence[Note], points: Sequence[Point]) -> list[Note]:
    """Give the known changes that fall into a trend."""
    return [note for note in notes if points[0].since <= note.day <= points[-1].until]


def _noted(notes: Sequence[Note], points: Sequence[Point], colours: Palette, x: TimeAxis) -> list[Any]:
    """Mark each known change by a line with its name at the top; names of neighbours stand below each other."""
    layers: list[Any] = []
    middle = points[0].since + (points[-1].until - points[0].since) / 2
    for at, note in enumerate(within(notes, points)):
        noted = data([{"at": _stamp(note.day), "text": note.text}])
        layers.append(
            alt.Chart(noted).mark_rule(color=colours.muted, strokeWidth=1, strokeDash=[1, 2]).encode(x=x.of("at:T"))
        )
        is_left = note.day < middle
        style = _text(
            colours,
            fontSize=11,
            align="left" if is_left else "right",
            dx=4 if is_left else -4,
            dy=9 + 13 * (at % MOST_NOTES),
            limit=NOTE_ROOM,
        )
        for strip in ({"stroke": colours.paper, "strokeWidth": 4, "color": colours.paper}, {}):
            text = alt.Chart(noted).mark_text(**{**style, **strip})
            layers.append(text.encode(x=x.of("at:T"), y=alt.value(0), text=alt.Text("text:N")))
    return layers


def _goals(
    goals: Sequence[Goal], points: Sequence[Point], vertical: Scale, colours: Palette, x: TimeAxis, y: alt.Y
) -> list[Any]:
    """Draw each target as a line over the days on which it holds, with what it asks at its beginning, clear of the values."""
    layers: list[Any] = []
    begins = next((point.value for point in points if point.value is not None), 0.0)
    for goal in goals:
        first, last = max(goal.since, points[0].since), min(goal.until or points[-1].until, points[-1].until)
        row = {"at": _stamp(first), "to": _stamp(last, 1), "v": goal.value / vertical.divisor, "name": goal.name}
        base = alt.Chart(data([row]))
        line = base.mark_rule(color=colours.ink, strokeWidth=1.25, strokeDash=[6, 3])
        layers.append(line.encode(x=x.of("at:T"), x2=alt.X2("to:T"), y=y))
        is_under = begins >= goal.value
        place = {"baseline": "top" if is_under else "bottom", "dy": 4 if is_under else -3}
        style = _text(colours, fontSize=11, align="left", dx=4, color=colours.ink, **place)
        strips: tuple[dict[str, Any], ...] = ({"stroke": colours.paper, "strokeWidth": 4, "color": colours.paper}, {})
        texts = (base.mark_text(**{**style, **strip}) for strip in strips)
        layers += [text.encode(x=x.of("at:T"), y=y, text=alt.Text("name:N")) for text in texts]
    return layers


def _heights(points: Sequence[Point]) -> list[float]:
    """Give the values that a scale must reach: one that cannot be compared may leave the picture, not flatten it."""
    everything = [point.value for point in points if point.value is not None]
    comparable = [point.value for point in points if point.value is not None and not point.flag]
    if len(comparable) < 3 or sum(value > 1.5 * max(comparable) for value in everything) not in (1, 2):
        return everything
    return [*comparable, 1.15 * max(comparable)]


def _reached(points: Sequence[Point]) -> list[float]:
    """Give the limits that a scale must reach: a wide band may leave the picture, not flatten the line."""
    comparable = [point for point in points if point.value is not None and not point.flag]
    tallest = max((point.value or 0.0 for point in comparable), default=0.0)
    lowest = min((point.value or 0.0 for point in comparable), default=0.0)
    highs = [min(point.high, ROOM_FOR_LIMITS * tallest) for point in comparable if point.high is not None]
    return highs + [max(point.low, lowest / ROOM_FOR_LIMITS) for point in comparable if point.low is not None]


def _row(point: Point, vertical: Scale) -> dict[str, Any]:
    assert point.value is not None
    low, high = vertical.domain
    at = point.value / vertical.divisor
    few = point.n < FEW and vertical.marks_few
    # What lies beyond stands a little below the edge, clear of the name above the plot.
    shown = min(max(at, low), high) if at <= high else high - 0.03 * (high - low)
    return {"at": _middle(point), "v": shown, "beyond": at > high, "few": few}


SHAPES = ("circle", "square", "diamond")
"""Of the points of neighbouring lines: no eye needs the colours to follow one of them."""


def _line(
    line: Series, vertical: Scale, tint: str, x: TimeAxis, y: alt.Y, colours: Palette, shape: str = SHAPES[0]
) -> list[Any]:
    layers: list[Any] = []
    stretches = runs(line.points)
    for dashed in (False, True):
        rows = [
            {**_row(point, vertical), "run": at}
            for at, (is_dashed, members) in enumerate(stretches)
            if is_dashed == dashed
            for point in members
        ]
        if rows:
            layers.append(
                alt.Chart(data(rows))
                .mark_line(color=tint, strokeWidth=2.2, strokeDash=[4, 4] if dashed else [1, 0], strokeJoin="round")
                .encode(x=x.of(), y=y, detail=alt.Detail("run:N"))
            )
    joined = {id(point) for _, members in stretches for point in members}
    known = [point for point in line.points if point.value is not None]
    solid = [
        _row(point, vertical) for point in known if not point.flag and (len(known) <= 40 or id(point) not in joined)
    ]
    hollow = [_row(point, vertical) for point in known if point.flag and (len(known) <= 120 or id(point) not in joined)]
    if solid:
        layers.append(
            alt.Chart(data(solid))
            .mark_point(filled=True, size=26 if shape == SHAPES[0] else 40, opacity=1, shape=shape)
            .encode(x=x.of(), y=y, color=alt.ColorValue(tint, condition=when("datum.few", colours.others)))
        )
    if hollow:
        layers.append(
            alt.Chart(data(hollow))
            .mark_point(filled=True, fill=colours.paper, stroke=tint, strokeWidth=1.6, size=38, opacity=1)
            .encode(
                x=x.of(),
                y=y,
                # What lies beyond the scale is a triangle at its edge.
                shape=alt.ShapeValue(shape, condition=when("datum.beyond", "triangle-up")),
            )
        )
    return layers


def _sure(line: Series, vertical: Scale, tint: str, x: TimeAxis, y: alt.Y) -> list[Any]:
    """A band between the limits of each period; one of a single period is a stroke. A limit that lacks leaves a gap."""
    bottom, top = vertical.domain

    def row(point: Point, run: int) -> dict[str, Any]:
        low, high = (min(max(limit / vertical.divisor, bottom), top) for limit in (point.low or 0.0, point.high or 0.0))
        return {"at": _middle(point), "v": low, "high": high, "run": run}

    whole: list[dict[str, Any]] = []
    alone: list[dict[str, Any]] = []
    grouped = itertools.groupby(line.points, key=lambda point: None not in (point.value, point.low, point.high))
    for run, (is_known, group) in enumerate(grouped):
        if is_known:
            rows = [row(point, run) for point in group]
            (whole if len(rows) > 1 else alone).extend(rows)
    layers: list[Any] = []
    if whole:
        area = alt.Chart(data(whole)).mark_area(color=tint, opacity=0.16, line=False)
        layers.append(area.encode(x=x.of(), y=y, y2=alt.Y2("high:Q"), detail=alt.Detail("run:N")))
    if alone:
        stroke = alt.Chart(data(alone)).mark_rule(color=tint, opacity=0.4, strokeWidth=3)
        layers.append(stroke.encode(x=x.of(), y=y, y2=alt.Y2("high:Q")))
    return layers


def _columns(line: Series, vertical: Scale, tint: str, x: TimeAxis, y: alt.Y) -> list[Any]:
    layers: list[Any] = []
    for flagged in (False, True):
        rows = []
        for point in line.points:
            if point.value is not None and bool(point.flag) == flagged:
                # A fifth of the period stays free, so that neighbours are told apart without a border.
                wide = (point.until - point.since).days + 1
                rows.append(
                    {
                        "from": _stamp(point.since, wide * 0.1),
                        "to": _stamp(point.since, wide * 0.9),
                        "v": min(point.value / vertical.divisor, vertical.domain[1]),
                        "zero": 0,
                    }
                )
        if rows:
            mark: dict[str, Any] = {"color": tint, "stroke": tint}
            if flagged:
                mark |= {"fillOpacity": 0.12, "strokeDash": [3, 3], "strokeWidth": 1.2}
            layers.append(
                alt.Chart(data(rows))
                .mark_rect(**mark)
                .encode(x=x.of("from:T"), x2=alt.X2("to:T"), y=y, y2=alt.Y2("zero:Q"))
            )
    return layers


def _ends(
    series: Sequence[Series], vertical: Scale, tints: Mapping[str, str], colours: Palette, x: TimeAxis, height: int
) -> Any:
    wanted, last = [], {}
    for line in series:
        known = [point for point in line.points if point.value is not None]
        if known:
            last[line.name] = known[-1]
            wanted.append((line.name, vertical.pixel(float(known[-1].value or 0), height - 60)))
    heights = _spread(wanted)
    nudges = {name: heights[name] - at for name, at in wanted}
    layers = []
    for at, line in enumerate(series):
        if line.name not in last:
            continue
        tint = tints.get(line.name, colours.series[at] if at < len(colours.series) else colours.others)
        layers.append(
            alt.Chart(data([{**_row(last[line.name], vertical), "name": line.name}]))
            .mark_text(
                **_text(
                    colours,
                    color=tones.legible(tint, colours.paper, colours.ink),
                    align="left",
                    baseline="middle",
                    dx=9,
                    dy=nudges[line.name],
                    limit=LABEL_ROOM,
                    fontWeight=600,
                )
            )
            .encode(x=x.of(), y=alt.Y("v:Q", scale=vertical.vega(), axis=vertical.axis), text=alt.Text("name:N"))
        )
    return alt.layer(*layers)


def _hover(series: Sequence[Series], unit: Unit, x: TimeAxis, click: bool, notes: Sequence[Note]) -> Any:
    """An invisible column per period: the whole of it answers to the pointer, not only the thin line."""
    rows = []
    for at, point in enumerate(series[0].points):
        row: dict[str, Any] = {
            "from": _stamp(point.since),
            "to": _stamp(point.until, 1),
            "since": point.since.isoformat(),
            "Period": point.name,
        }
        for line in series:
            row[line.name] = _told(line.points[at], unit)
        known = [f"{words.day(note.day)}: {note.text}" for note in notes if point.since <= note.day <= point.until]
        row["Note"] = "; ".join(filter(None, [point.reason or point.flag, *known]))
        if click:
            row["Click"] = "to see the incidents"
        rows.append(row)
    shown = [
        "Period",
        *(line.name for line in series),
        *(["Note"] if any(row["Note"] for row in rows) else []),
        *(["Click"] if click else []),
    ]
    chart = (
        alt.Chart(data(rows))
        .mark_rect(opacity=0)
        .encode(
            x=x.of("from:T"),
            x2=alt.X2("to:T"),
            tooltip=[alt.Tooltip(field=_escaped(name), type="nominal", title=name) for name in shown],
        )
    )
    if click:
        chart = chart.add_params(picking("since"))
    return chart


def picking(*fields: str) -> alt.Parameter:
    """Give the selection by which a mark that is clicked is known."""
    return alt.selection_point(name="picked", fields=list(fields), on="click", clear="dblclick")


def _told(point: Point, unit: Unit) -> str:
    if point.value is None:
        return "no value"
    limits = unit.between(point.value, point.low, point.high)
    return f"{unit.say(point.value)} ({f'{limits}, ' if limits else ''}n {words.number(point.n)})"


def _escaped(name: str) -> str:
    """Vega reads dots and brackets in a field's name as a path."""
    return name.replace("\\", "\\\\").replace(".", "\\.").replace("[", "\\[").replace("]", "\\]")


def sparkline(points: Sequence[Point], colours: Palette) -> alt.LayerChart:
    """Draw the run of a value without axes; the unfinished period is hollow."""
    vertical = Scale(1.0, (0.0, max(_heights(points), default=0.0) * 1.08 or 1.0), alt.Axis(title=None), False)
    x = TimeAxis(alt.Scale(type="utc"), None)
    y = alt.Y("v:Q", axis=None, scale=vertical.vega())
    layers = _line(Series("", tuple(points)), vertical, colours.accent, x, y, colours)
    return dressed(alt.layer(*layers), colours, 44, right=6, top=6)


class Bar(NamedTuple):
    """One member of a dimension, with the limits of its value where there are any."""

    name: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None
    key: str = ""
    """What it goes by where it is clicked."""
    before: float | None = None
    """What it is set against."""


def ranked(bars: Iterable[Bar], most: int = MOST_BARS, few_last: bool = False) -> tuple[list[Bar], int]:
    """Sort by value and keep the first, those of hardly any behind the others; also say how many are left out."""
    ordered = sorted(bars, key=lambda bar: (few_last and bar.n < FEW, -bar.value, bar.name))
    return ordered[:most], max(0, len(ordered) - most)


def reach_of(bars: Sequence[Bar]) -> list[float]:
    """Say how far each bar and its limits go: a wide interval may leave the picture, not flatten the bars."""
    top = ROOM_FOR_LIMITS * max((bar.value for bar in bars), default=1.0)
    return [max(bar.value, bar.before or 0.0, min(bar.high or 0.0, top)) for bar in bars]


def by_member(
    bars: Sequence[Bar],
    unit: Unit,
    colours: Palette,
    *,
    mark: float | None = None,
    against: str = "",
    click: bool = False,
    beside: Sequence[Bar] = (),
) -> Any:
    """Draw one bar for each member of a dimension, in the order given; `mark` is a line for the whole.

    A tick says where a member lies in what it is set `against`. Bars `beside` are of charts on the same scale.
    """
    reach = dict(zip((bar.name for bar in bars), reach_of(bars), strict=True))
    vertical = scale([*reach.values(), *reach_of(beside), *([mark] if mark is not None else [])], unit)
    order = [bar.name for bar in bars]
    rows = [
        {
            "name": bar.name,
            "v": bar.value / vertical.divisor,
            "zero": 0,
            "low": None if bar.low is None or bar.high is None else bar.low / vertical.divisor,
            "end": reach[bar.name] / vertical.divisor,
            "label": unit.say(bar.value),
            "between": unit.between(bar.value, bar.low, bar.high) or "none",
            "n": words.number(bar.n),
            "few": bar.n < FEW and unit.kind != "count",
            **({"key": bar.key, "click": "to filter, again to see the incidents"} if click else {}),
            **(
                {
                    "before": None if bar.before is None else bar.before / vertical.divisor,
                    "said": "no value" if bar.before is None else unit.say(bar.before),
                }
                if against
                else {}
            ),
        }
        for bar in bars
    ]
    limited = [row for row in rows if row["low"] is not None]
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("name:N", sort=order, axis=alt.Axis(title=None, grid=False, labelLimit=150, labelColor=colours.ink)),
        tooltip=[
            alt.Tooltip("name:N", title="Name"),
            alt.Tooltip("label:N", title=unit.title),
            *([alt.Tooltip("between:N", title="95 % interval")] if limited else []),
            alt.Tooltip("n:N", title="n"),
            *([alt.Tooltip("said:N", title=against)] if against else []),
            *([alt.Tooltip("click:N", title="Click")] if click else []),
        ],
    )
    across = alt.Scale(domain=[0, vertical.domain[1] * 1.22], nice=False)
    x, behind = alt.X("v:Q", scale=across, axis=None), alt.X("end:Q", scale=across, axis=None)
    drawn = base.mark_bar(height={"band": 0.66}).encode(
        x=x,
        color=alt.ColorValue(colours.accent, condition=when("datum.few", colours.lines)),
        stroke=alt.StrokeValue(colours.accent, condition=when("datum.few", colours.others)),
    )
    text = base.mark_text(**_text(colours, align="left", dx=6, color=colours.ink)).encode(
        x=behind, text=alt.Text("label:N")
    )
    # A name that crosses the line for the whole stands on a strip of paper.
    strip = base.mark_text(
        **_text(colours, align="left", dx=6, color=colours.paper, stroke=colours.paper, strokeWidth=5)
    ).encode(x=behind, text=alt.Text("label:N"))
    layers = [drawn, strip, text]
    if limited:
        between = base.mark_rule(color=colours.ink, strokeWidth=1.2).transform_filter("isValid(datum.low)")
        layers.insert(1, between.encode(x=alt.X("low:Q", scale=across, axis=None), x2=alt.X2("end:Q")))
    if against:
        tick = base.mark_tick(color=colours.ink, thickness=2.5, bandSize=16, orient="vertical")
        layers.append(
            tick.transform_filter("isValid(datum.before)").encode(x=alt.X("before:Q", scale=across, axis=None))
        )
    if click:
        # The whole row answers to the pointer, not only the bar, which may be short.
        row = base.mark_bar(opacity=0, height={"band": 1}).encode(x=alt.XValue("width"), x2=alt.X2Value(0))
        layers.append(row.add_params(picking("key")))
    if mark is not None:
        rule = alt.Chart(data([{"v": mark / vertical.divisor, "label": f"all: {unit.say(mark)}"}]))
        layers.insert(0, rule.mark_rule(color=colours.muted, strokeDash=[2, 3]).encode(x=x))
        layers.append(
            rule.mark_text(
                **_text(colours, baseline="bottom", align="left", dx=4, dy=-2, fontStyle="italic", fontSize=11)
            ).encode(x=x, y=alt.value(0), text=alt.Text("label:N"))
        )
    return dressed(alt.layer(*layers), colours, max(90, 27 * len(bars) + 30))


def contributions(bars: Sequence[Bar], unit: Unit, colours: Palette, say: Callable[[float], str]) -> Any:
    """Draw what each member adds to a change, to the right what adds and to the left what takes away."""
    rows = [
        {"name": bar.name, "v": bar.value, "zero": 0, "label": say(bar.value), "n": words.number(bar.n)} for bar in bars
    ]
    low, high = min(0.0, *(bar.value for bar in bars)), max(0.0, *(bar.value for bar in bars))
    room = (high - low) * 0.3
    domain = [low - room if low < 0 else 0.0, high + room if high > 0 else 0.0]
    base = alt.Chart(data(rows)).encode(
        y=alt.Y(
            "name:N",
            sort=[bar.name for bar in bars],
            axis=alt.Axis(title=None, grid=False, labelLimit=200, labelColor=colours.ink),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="Name"),
            alt.Tooltip("label:N", title=f"Adds to {unit.title}"),
            alt.Tooltip("n:N", title="n"),
        ],
    )
    x = alt.X("v:Q", scale=alt.Scale(domain=domain, nice=False), axis=None)
    layers: list[Any] = [
        base.mark_bar(height={"band": 0.66}, color=colours.accent).encode(x=x, x2=alt.X2("zero:Q")),
        alt.Chart(data([{"v": 0}])).mark_rule(color=colours.muted).encode(x=x),
    ]
    for side, align, dx in (("datum.v >= 0", "left", 6), ("datum.v < 0", "right", -6)):
        text = base.mark_text(**_text(colours, align=align, dx=dx, color=colours.ink))
        layers.append(text.encode(x=x, text=alt.Text("label:N")).transform_filter(side))
    return dressed(alt.layer(*layers), colours, 27 * len(bars) + 30)


class Fall(NamedTuple):
    """One step of a change: `cause` decides its colour, `is_total` ends the picture."""

    name: str
    size: float
    cause: str
    reason: str
    is_total: bool = False


def waterfall(steps: Sequence[Fall], unit: Unit, colours: Palette, say: Callable[[float], str]) -> Any:
    """Draw how parts add up to a change: each begins where the one above it ends, the last is their sum."""
    tints = {"rate": colours.accent, "mix": colours.series[1], "total": colours.ink}
    rows: list[dict[str, Any]] = []
    at = 0.0
    for step in steps:
        begins = 0.0 if step.is_total else at
        ends = begins + step.size
        rows.append(
            {
                "name": step.name,
                "from": begins,
                "to": ends,
                "end": max(begins, ends) if step.size >= 0 else min(begins, ends),
                "label": say(step.size),
                "reason": step.reason,
                "tint": tints.get(step.cause, colours.others),
                "is_up": step.size >= 0,
            }
        )
        at = ends
    reach = [float(row[key]) for row in rows for key in ("from", "to")]
    low, high = min(0.0, *reach), max(0.0, *reach)
    room = (high - low or 1.0) * 0.28
    goes_left = any(not row["is_up"] and row["to"] <= low + room for row in rows)
    x_scale = alt.Scale(domain=[low - (room if goes_left else room * 0.1), high + room], nice=False)
    y = alt.Y(
        "name:N",
        sort=[step.name for step in steps],
        axis=alt.Axis(title=None, grid=False, labelLimit=176, labelColor=colours.ink),
    )
    base = alt.Chart(data(rows)).encode(
        y=y,
        tooltip=[
            alt.Tooltip("name:N", title="Part"),
            alt.Tooltip("label:N", title=f"Adds to {unit.title}"),
            alt.Tooltip("reason:N", title="Why"),
        ],
    )
    layers: list[Any] = [
        alt.Chart(data([{"v": 0}])).mark_rule(color=colours.lines).encode(x=alt.X("v:Q", scale=x_scale, axis=None)),
        base.mark_bar(height={"band": 0.62}).encode(
            x=alt.X("from:Q", scale=x_scale, axis=None), x2=alt.X2("to:Q"), color=alt.Color("tint:N", scale=None)
        ),
    ]
    for side, align, dx in (("datum.is_up", "left", 6), ("!datum.is_up", "right", -6)):
        text = base.mark_text(**_text(colours, align=align, dx=dx, color=colours.ink))
        layers.append(
            text.encode(x=alt.X("end:Q", scale=x_scale, axis=None), text=alt.Text("label:N")).transform_filter(side)
        )
    return dressed(alt.layer(*layers), colours, 30 * len(rows) + 30, top=4)


class Bin(NamedTuple):
    """One class of a distribution, in hours or numbers; without an end, None."""

    low: float
    high: float | None
    n: int


class Reach(NamedTuple):
    """What the axes of distributions that stand side by side share: from, to, and the greatest share of a class."""

    low: float
    high: float
    share: float

    @classmethod
    def of(cls, all_of_them: Iterable[Sequence[Bin]], kind: str) -> Reach:
        """Reach over all of them."""
        whole = [(bins, sum(one.n for one in bins) or 1) for bins in all_of_them]
        ends = [_ended(one, kind == "hours") for bins, _ in whole for one in bins]
        share = max(one.n / total for bins, total in whole for one in bins)
        return cls(min(low for low, _ in ends), max(high for _, high in ends), share)


def distribution(
    bins: Sequence[Bin],
    marks: Sequence[tuple[str, float]],
    colours: Palette,
    height: int = 260,
    *,
    kind: str = "hours",
    before: Sequence[Bin] = (),
    against: str = "",
    reach: Reach | None = None,
    click: bool = False,
) -> Any:
    """Draw how durations or numbers are spread: durations on a log scale with ticks that people know.

    What it is set `against` is an outline of as many incidents. With a `reach` the columns are shares, on axes that are
    shared.
    """
    is_time = kind == "hours"
    ends = [_ended(one, is_time) for one in (*bins, *before)]
    domain = [min(low for low, _ in ends), max(high for _, high in ends)]
    if reach:
        domain = [min(domain[0], reach.low), max(domain[1], reach.high)]
    ticks: tuple[tuple[float, str], ...] = _TICKS
    if is_time and any(one.low == 0 for one in (*bins, *before)):
        ticks = ((domain[0], "0"), *(tick for tick in _TICKS if tick[0] > domain[0] * 10**0.25))
    x_scale = alt.Scale(type="log" if is_time else "linear", domain=domain, nice=False)
    axis = _log_axis(ticks=ticks) if is_time else alt.Axis(title=None, tickMinStep=1, format="d")
    x = alt.X("low:Q", scale=x_scale, axis=axis)
    total = sum(one.n for one in bins) or 1
    size = 1 / total if reach else 1.0
    rows = [
        {
            "low": low,
            "high": high,
            "v": one.n * size,
            "zero": 0,
            "range": _class_name(one, is_time),
            "count": words.number(one.n),
            "share": words.share(one.n / total),
            **({"adds": f"{one.low!r}:{'' if one.high is None else repr(one.high)}"} if click else {}),
            **({"click": "to see the incidents"} if click else {}),
        }
        for one, (low, high) in zip(bins, ends, strict=False)
    ]
    # An outline has as many incidents as the columns, or its height would say only that the periods differ in size.
    same = size * total / (sum(one.n for one in before) or 1)
    heights = [*(one.n * size for one in bins), *(one.n * same for one in before), reach.share if reach else 0.0]
    vertical = scale(heights, Unit("share", "share of incidents") if reach else Unit("count", "incidents"))
    y = alt.Y("v:Q", scale=vertical.vega(), axis=vertical.axis)
    columns = (
        alt.Chart(data(rows))
        .mark_rect(color=colours.accent, stroke=colours.paper, strokeWidth=1)
        .encode(
            x=x,
            x2=alt.X2("high:Q"),
            y=y,
            y2=alt.Y2("zero:Q"),
            tooltip=[
                alt.Tooltip("range:N", title="Took" if is_time else "Number"),
                alt.Tooltip("count:N", title="Incidents"),
                alt.Tooltip("share:N", title="Share"),
                *([alt.Tooltip("click:N", title="Click")] if click else []),
            ],
        )
    )
    layers: list[Any] = [columns.add_params(picking("adds")) if click else columns]
    if before:
        steps = [
            {"low": low, "high": high, "v": one.n * same}
            for one, (low, high) in zip(before, ends[len(bins) :], strict=True)
        ]
        outline = alt.Chart(data(steps)).mark_rule(color=colours.ink, strokeWidth=2)
        layers.append(outline.encode(x=x, x2=alt.X2("high:Q"), y=y))
    for at, (name, value) in enumerate(marks):
        said = words.duration(value) if is_time else words.number(value)
        rule = alt.Chart(data([{"low": min(max(value, domain[0]), domain[1]), "label": f"{name} {said}"}]))
        layers.append(rule.mark_rule(color=colours.ink, strokeDash=[3, 3]).encode(x=x))
        # A name on the right half stands to the left of its line, or a narrow screen would cut it off.
        is_right = is_time and value > (domain[0] * domain[1]) ** 0.5
        layers.append(
            rule.mark_text(
                **_text(
                    colours,
                    align="right" if is_right else "left",
                    baseline="bottom",
                    dx=-3 if is_right else 3,
                    dy=-2 - 13 * (at % 2),
                    color=colours.ink,
                )
            ).encode(x=x, y=alt.value(0), text=alt.Text("label:N"))
        )
    return dressed(alt.layer(*layers), colours, height)


def _ended(one: Bin, is_time: bool) -> tuple[float, float]:
    """Say from where to where a class is drawn."""
    if not is_time:
        return one.low - 0.5, one.low + 0.5
    high = one.high or one.low
    # A log scale has no zero: the class that begins there is drawn from a decade's quarter below its end.
    return one.low or high / 10**0.25, high


def _class_name(one: Bin, is_time: bool) -> str:
    if not is_time:
        return f"{words.number(one.low)}{' and more' if one.high is None else ''}"
    high = words.duration(one.high or one.low)
    return f"{words.duration(one.low)} to {high}" if one.low else f"under {high}"


class Field(NamedTuple):
    """One field of a heat map: the names of its row and column, its value if it has one, and what it goes by."""

    row: str
    column: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    keys: tuple[str, str] = ("", "")
    before: float | None = None


MOST_LABELLED = 10
"""Columns up to which the fields of a heat map carry their values."""


def matrix(
    fields: Sequence[Field],
    rows: Sequence[str],
    columns: Sequence[str],
    unit: Unit,
    colours: Palette,
    *,
    against: str = "",
) -> Any:
    """Draw a value for each pair of members in one hue with its scale shown; of hardly any a field has a dot, or its value without a tint."""
    settled = [one.value for one in fields if one.value is not None and (one.n >= FEW or unit.kind == "count")]
    name = words.scale_of(max(settled, default=1.0)) if unit.kind == "hours" else ""
    divisor = words.hours_of(name) if name else 1.0
    title = f"{unit.title}, {words.LONG_UNITS[name]}" if name else unit.title
    top = max(settled, default=1.0) / divisor
    told = [
        {
            "row": one.row,
            "column": one.column,
            "v": None if one.value is None or (one.n < FEW and unit.kind != "count") else one.value / divisor,
            "label": "" if one.value is None else unit.say(one.value),
            "between": "" if one.value is None else unit.between(one.value, one.low, one.high) or "none",
            "n": words.number(one.n),
            "row_key": one.keys[0],
            "column_key": one.keys[1],
            "click": "to filter, again to see the incidents",
            "ink": _ink_on(one, settled, unit, colours),
            **({"said": "no value" if one.before is None else unit.say(one.before)} if against else {}),
        }
        for one in fields
        if one.value is not None
    ]
    is_wide = len(columns) > MOST_LABELLED
    x_axis = alt.Axis(
        title=None, labelAngle=0 if is_wide else -40, ticks=False, domain=False, labelLimit=110, labelOverlap=is_wide
    )
    base = alt.Chart(data(told)).encode(
        x=alt.X("column:N", sort=list(columns), scale=alt.Scale(domain=list(columns)), axis=x_axis),
        y=alt.Y(
            "row:N",
            sort=list(rows),
            scale=alt.Scale(domain=list(rows)),
            axis=alt.Axis(title=None, grid=False, labelLimit=130, labelColor=colours.ink),
        ),
    )
    has_limits = any(one.low is not None for one in fields)
    drawn = base.mark_rect(stroke=colours.paper, strokeWidth=1).encode(
        color=alt.Color(
            "v:Q",
            scale=alt.Scale(range=[colours.panel, colours.accent], domain=[0, top], interpolate="rgb"),
            legend=_shade(title, "~%" if unit.kind == "share" else ",~r", colours),
        ),
    )
    over = base.mark_rect(opacity=0).encode(
        tooltip=[
            alt.Tooltip("row:N", title="Row"),
            alt.Tooltip("column:N", title="Column"),
            alt.Tooltip("label:N", title=unit.title),
            *([alt.Tooltip("between:N", title="95 % interval")] if has_limits else []),
            alt.Tooltip("n:N", title="n"),
            *([alt.Tooltip("said:N", title=against)] if against else []),
            alt.Tooltip("click:N", title="Click"),
        ],
    )
    layers: list[Any] = [drawn.transform_filter("isValid(datum.v)")]
    if is_wide:
        few = base.mark_point(filled=True, color=colours.others, size=10, opacity=1)
        layers.append(few.transform_filter("!isValid(datum.v)"))
    else:
        text = base.mark_text(**_text(colours, fontSize=11))
        layers.append(text.encode(text=alt.Text("label:N"), color=alt.Color("ink:N", scale=None)))
    layers.append(over.add_params(picking("row_key", "column_key")))
    return dressed(alt.layer(*layers), colours, max(140, 28 * len(rows) + (70 if is_wide else 120)))


def _shade(title: str, form: str, colours: Palette) -> alt.Legend:
    """Say what a shade means, in one row above the picture."""
    return alt.Legend(
        title=title,
        orient="top",
        direction="horizontal",
        gradientLength=140,
        gradientThickness=8,
        titleFontWeight="normal",
        titleColor=colours.muted,
        labelColor=colours.muted,
        tickCount=3,
        titleLimit=300,
        format=form,
    )


def _ink_on(one: Field, settled: Sequence[float], unit: Unit, colours: Palette) -> str:
    """Choose the ink that can be read on a field of a heat map."""
    if one.value is None or (one.n < FEW and unit.kind != "count"):
        return colours.muted
    share = min(1.0, one.value / (max(settled) or 1.0))
    ground = tones.mixed(colours.panel, colours.accent, share)
    return max((colours.ink, colours.paper), key=lambda ink: tones.contrast(ink, ground))


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def week_clock(counts: Mapping[tuple[int, int], int], colours: Palette) -> Any:
    """Draw how many there were at each hour of the week, in one hue with its scale shown; Monday is 1."""
    rows = [
        {
            "day": WEEKDAYS[weekday - 1],
            "hour": hour,
            "v": counts.get((weekday, hour), 0),
            "when": f"{WEEKDAYS[weekday - 1]} {hour:02d}:00 to {hour:02d}:59",
        }
        for weekday in range(1, 8)
        for hour in range(24)
    ]
    chart = (
        alt.Chart(data(rows))
        .mark_rect(stroke=colours.paper, strokeWidth=1)
        .encode(
            x=alt.X(
                "hour:O",
                axis=alt.Axis(
                    title=None,
                    labelAngle=0,
                    ticks=False,
                    domain=False,
                    labelExpr="datum.value % 6 == 0 ? datum.value + ':00' : ''",
                ),
            ),
            y=alt.Y("day:O", sort=list(WEEKDAYS), axis=alt.Axis(title=None, grid=False)),
            color=alt.Color(
                "v:Q",
                scale=alt.Scale(
                    range=[colours.panel, colours.accent],
                    domain=[0, max(counts.values(), default=1)],
                    interpolate="rgb",
                ),
                legend=_shade("opened in that hour", ",~r", colours),
            ),
            tooltip=[alt.Tooltip("when:N", title="Hour"), alt.Tooltip("v:Q", title="Opened", format=",")],
        )
    )
    return dressed(chart, colours, 260)
