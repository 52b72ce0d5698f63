"""One incident's life, drawn: its states and groups as bands, its events as ticks, its business hours as shades."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import altair as alt

from dashboard import manners, words
from dashboard.charts import plot, scales, stacks, timeline, vega
from dashboard.charts.palette import Palette

HEIGHT = 210
PARTS = 250
"""Parts of a life that are told apart: about three pixels each."""
NAMED = 0.025
"""A smaller part of the width has no room for a name on any screen."""
MICROSECOND, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
STATE_WORDS = {
    "waiting": "waiting",
    "working": "being worked on",
    "on_hold": "on hold",
    "resolved": "resolved",
    "unexplained": "unexplained",
}
EVENTS, STATE, GROUP = "events", "state", "group"


class Stretch(NamedTuple):
    """One stretch of a life, in the reporting zone's wall clock: what it was, and a note on it."""

    since: datetime
    until: datetime
    kind: str
    note: str = ""


class Life(NamedTuple):
    """What is drawn of a life; states are there, in order, and without a gap."""

    states: Sequence[Stretch]
    groups: Sequence[Stretch]
    events: Sequence[tuple[datetime, str]]
    hours: Sequence[tuple[datetime, datetime]]

    @property
    def since(self) -> datetime:
        """Where it begins."""
        return self.states[0].since

    @property
    def until(self) -> datetime:
        """Where it ends, or was last seen."""
        return self.states[-1].until


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Make one stretch of neighbours that are alike.

    >>> noon = datetime(2026, 3, 2, 12)
    >>> hour = timedelta(hours=1)
    >>> both = joined([Stretch(noon, noon + hour, "working"), Stretch(noon + hour, noon + 3 * hour, "working")])
    >>> [(one.until - one.since) / hour for one in both]
    [3.0]
    """
    found: list[Stretch] = []
    for one in stretches:
        if found and found[-1][1:] == (one.since, one.kind, one.note):
            found[-1] = found[-1]._replace(until=one.until)
        else:
            found.append(one)
    return found


def drawable(stretches: Sequence[Stretch], part: Callable[[datetime], int]) -> list[Stretch]:
    """Give what can be told apart; of more stretches, those in the middle of one part of the picture are as their longest.

    >>> noon = datetime(2026, 3, 2, 12)
    >>> minutes = [Stretch(noon + at * MINUTE, noon + (at + 1) * MINUTE, f"{at % 3 // 2}") for at in range(900)]
    >>> found = drawable(minutes, lambda when: (when - noon) // (3 * MINUTE))
    >>> [(one.kind, one.until - one.since == 900 * MINUTE) for one in found]
    [('0', True)]
    """
    whole = joined(stretches)
    if len(whole) <= PARTS:
        return whole
    near = (
        list(found) for _, found in itertools.groupby(whole, lambda one: part(one.since + (one.until - one.since) / 2))
    )
    return joined(Stretch(found[0].since, found[-1].until, *_longest(found)) for found in near)


def _longest(stretches: Iterable[Stretch]) -> tuple[str, str]:
    took: Counter[tuple[str, str]] = Counter()
    for one in stretches:
        took[one.kind, one.note] += (one.until - one.since) // MICROSECOND
    return took.most_common(1)[0][0]


class Tick(NamedTuple):
    """Events too near to each other to be told apart, the first of them where it happened."""

    at: datetime
    until: datetime
    n: int
    what: str


def ticks(life: Life, part: Callable[[datetime], int]) -> list[Tick]:
    """Gather the events of a life, in order, by the part of the picture in which they are.

    >>> noon = datetime(2026, 3, 2, 12)
    >>> states = [Stretch(noon, noon + timedelta(days=10), "working")]
    >>> events = [(noon, "opened"), *((noon + timedelta(days=9, seconds=at), "commented") for at in range(3))]
    >>> [tick.what for tick in ticks(Life(states, (), events, ()), lambda when: (when - noon).days)]
    ['opened', '3 × commented']
    """
    near: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for when, what in life.events:
        if life.since <= when <= life.until:
            near[part(when)].append((when, what))
    return [Tick(found[0][0], found[-1][0], len(found), _counted(what for _, what in found)) for found in near.values()]


def _counted(what: Iterable[str]) -> str:
    return ", ".join(name if n == 1 else f"{n} × {name}" for name, n in Counter(what).most_common())


def draw(life: Life, colours: Palette, *, log: bool = False) -> Any:
    """Draw a life; a long one on a log scale of the time since its beginning shows its first minutes beside its months."""
    x = _Axis(life, log)
    lanes = [EVENTS, STATE, GROUP] if life.groups else [EVENTS, STATE]
    y = alt.Y(
        "lane:N",
        scale=alt.Scale(domain=lanes, paddingInner=0.3, paddingOuter=0.15),
        axis=alt.Axis(title=None, domain=False, ticks=False, grid=False),
    )
    layers: list[Any] = []
    states = drawable(life.states, x.part)
    if life.hours:
        shades = [{"from": x.at(since), "to": x.at(until)} for since, until in life.hours]
        shade = alt.Chart(vega.data(shades)).mark_rect(color=colours.accent, opacity=0.1)
        layers.append(shade.encode(x=x.of("from"), x2=alt.X2("to")))
    layers.append(_states([_row(one, x, STATE) for one in states], x, y, colours))
    if life.groups:
        rows = [_row(one, x, GROUP) for one in drawable(life.groups, x.part)]
        band = alt.Chart(vega.data(rows)).mark_rect(fill=colours.panel, stroke=colours.muted, strokeWidth=1)
        layers.append(band.encode(x=x.of("from"), x2=alt.X2("to"), y=y, tooltip=_tooltip("note", "Group")))
        layers.append(_names(rows, x, y, colours.ink))
    layers.append(_names([_row(one, x, STATE) for one in states if one.note], x, y, colours.paper))
    events = [
        {
            "from": x.at(tick.at),
            "lane": EVENTS,
            "what": tick.what,
            "when": words.moment(tick.at) + (f" to {words.moment(tick.until)}" if tick.n > 1 else ""),
        }
        for tick in ticks(life, x.part)
    ]
    if events:
        marks = alt.Chart(vega.data(events)).mark_tick(color=colours.ink, thickness=1.5, orient="vertical")
        told = [alt.Tooltip("what:N", title="Event"), alt.Tooltip("when:N", title="At")]
        layers.append(marks.encode(x=x.of("from"), y=y, tooltip=told))
    return plot.dressed(vega.laid(*layers), colours, HEIGHT)


def _states(rows: Sequence[dict[str, Any]], x: _Axis, y: alt.Y, colours: Palette) -> Any:
    tints = {word: stacks.tints(colours)[kind] for kind, word in STATE_WORDS.items()}
    there = [kind for kind in tints if any(row["kind"] == kind for row in rows)]
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=there, range=[tints[kind] for kind in there]),
        legend=alt.Legend(
            title=None, orient="top", direction="horizontal", symbolType="square", labelColor=colours.ink, columns=3
        ),
    )
    band = alt.Chart(vega.data(rows)).mark_rect(stroke=colours.paper, strokeWidth=0.5)
    told = [*_tooltip("kind", "Was"), alt.Tooltip("note:N", title="Why")]
    return band.encode(x=x.of("from"), x2=alt.X2("to"), y=y, color=colour, tooltip=told)


def _names(rows: Sequence[dict[str, Any]], x: _Axis, y: alt.Y, tint: str) -> Any:
    """Set each stretch's note into it, as far as there is room."""
    room = "datum.part * width - 10"
    names = alt.Chart(vega.data([row for row in rows if row["part"] > NAMED])).mark_text(
        align="left",
        dx=5,
        color=tint,
        fontSize=12,
        font=plot.FONT,
        tooltip=None,
        text=alt.ExprRef(f"{room} > 34 ? datum.note : ''"),
        limit=alt.ExprRef(f"max(1, {room})"),
    )
    return names.encode(x=x.of("from"), y=y)


def _tooltip(name: str, title: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(f"{name}:N", title=title),
        alt.Tooltip("for:N", title="For"),
        alt.Tooltip("when:N", title="From"),
    ]


def _row(one: Stretch, x: _Axis, lane: str) -> dict[str, Any]:
    return {
        "lane": lane,
        "from": x.at(one.since),
        "to": x.at(one.until),
        "part": round(x.place(one.until) - x.place(one.since), 5),
        "kind": STATE_WORDS.get(one.kind, one.kind),
        "note": one.note,
        "for": words.duration((one.until - one.since).total_seconds() / 3600),
        "when": f"{words.moment(one.since)} to {words.moment(one.until)}",
    }


class _Axis:
    """The time of a life, as it passes or on a log scale from a minute on."""

    def __init__(self, life: Life, log: bool) -> None:
        self.life = life
        self.at: Callable[[datetime], float] = self._hours if log else _milliseconds
        domain = [self.at(life.since), self.at(life.until)]
        if log:
            self.field, scale = "Q", alt.Scale(type="log", domain=domain, nice=False)
            axis = scales.log_axis("time since opening")
        else:
            # As plain numbers, the ends of bars read it otherwise than their beginnings, and Vega complains.
            reach = alt.ExprRef(f"[{domain[0]:.0f}, {domain[1]:.0f}]")
            self.field, scale = "T", alt.Scale(type="utc", domain=reach, nice=False)
            axis = alt.Axis(title=None, tickCount=6, format=_format(life.since, life.until))
        axis.grid = False
        self.scale, self.axis, self.log = scale, axis, log

    def of(self, name: str) -> alt.X:
        """Give the encoding of a field."""
        return alt.X(f"{name}:{self.field}", scale=self.scale, axis=self.axis)

    def place(self, when: datetime) -> float:
        """Say where an instant is: 0 at the left, 1 at the right."""
        first, last, at = (self.at(when) for when in (self.life.since, self.life.until, when))
        if self.log:
            first, last, at = math.log(first), math.log(last), math.log(at)
        return (at - first) / (last - first)

    def part(self, when: datetime) -> int:
        """Name the part of the picture in which an instant is."""
        return min(int(self.place(when) * PARTS), PARTS - 1)

    def _hours(self, when: datetime) -> float:
        return max((when - self.life.since).total_seconds() / 3600, 1 / 60)


def _milliseconds(when: datetime) -> float:
    return (when - datetime(1970, 1, 1)).total_seconds() * 1000


def _format(since: datetime, until: datetime) -> str:
    """Choose how finely the axis names its times, from minutes to years."""
    length, day = until - since, timeline.DAYS[manners.here().order]
    if length < timedelta(minutes=10):
        return "%H:%M:%S"
    if length < timedelta(days=3):
        return f"{day}, %H:%M"
    return day if length < timedelta(days=300) else "%b %Y"
