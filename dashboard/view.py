"""What this reader sees now: the published version, the chosen filters, and answers that are asked for only once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from dashboard import (
    control,
    dossier,
    filters,
    fitness,
    ledger,
    lives,
    periods,
    query,
    reconciler,
    relaxed,
    sentences,
    slices,
    statements,
    targets,
    why,
    words,
)
from dashboard.charts.palette import Palette
from dashboard.charts.plot import Asked, Figure
from dashboard.charts.timeline import Note, Point
from dashboard.query import Scope
from dashboard.statements import Statement

DAY = timedelta(days=1)
KINDS = {"hours": "hours", "share": "share", "incidents": "count"}
FLAGS = {
    "running": "still running",
    "partial": "not fully covered",
    "edge": "edge of the extract",
    "unripe": "may still change",
}
DOORS = (query, dossier, fitness, ledger, lives, reconciler, control, why, targets, relaxed, slices)
"""The modules that answer questions; each asks the first."""
ENDING_NOW = ("26w", "12w", "4w")
"""Periods that end with the data, the longest first."""
KEPT_VERSIONS = 3
"""Versions that stay open: a reader of an old one keeps it until the next click."""


@st.cache_resource(max_entries=KEPT_VERSIONS, show_spinner=False)
def warehouse(path: str) -> query.Warehouse:
    """Open a version, once for all readers."""
    return query.open_version(Path(path))


class Answer(NamedTuple):
    """What the query layer said, and what was asked of the warehouse for it."""

    value: Any
    asked: tuple[Statement, ...]


@st.cache_data(max_entries=5000, show_spinner=False)
def answer(path: str, question: str, *arguments: Any, **options: Any) -> Answer:
    """Ask the query layer; the version is part of the key, so a new one is asked anew and an old answer never shown."""
    door = next(door for door in DOORS if hasattr(door, question))
    opened = warehouse(path)
    with statements.noting() as asked:
        value = getattr(door, question)(opened, *arguments, **options)
    return Answer(value, tuple(asked))


def ask(path: str, question: str, *arguments: Any, **options: Any) -> Any:
    """Ask the query layer for what it says alone."""
    return answer(path, question, *arguments, **options).value


@st.cache_resource(max_entries=KEPT_VERSIONS, show_spinner=False)
def searches(path: str) -> dict[Any, why.Found | None]:
    """Keep what was found in a version, for all readers: a search is long enough to show its progress."""
    return {}


MOST_SEARCHES = 500
_SEARCHING = threading.Lock()
"""A search holds every incident of both periods: one at a time, or ten readers would need ten times its memory."""


@dataclass
class View:
    """One version under one choice of filters."""

    path: str
    choice: filters.Choice
    since: date
    until: date
    grain: str
    colours: Palette
    batch: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    watching: tuple[str, ...] = ()
    known: dict[str, list[str]] = field(default_factory=dict)
    trail: list[Statement] = field(default_factory=list, repr=False)
    """What was asked of the warehouse in this run, in order."""
    origins: dict[int, tuple[Any, tuple[Statement, ...]]] = field(default_factory=dict, repr=False)
    """Answers, kept so that no other takes their place, by their identity -> what was asked for each."""
    answers: dict[Any, Answer] = field(default_factory=dict, repr=False)
    """What was answered in this run: to look it up among the answers to all readers takes a tenth of a page's time."""

    @cached_property
    def warehouse(self) -> query.Warehouse:
        """The open version."""
        return warehouse(self.path)

    def forget(self) -> None:
        """Let go of what was answered: a view outlives its page, and an old version is not kept open by who looked at it."""
        self.origins.clear()
        self.answers.clear()
        vars(self).pop("warehouse", None)

    @property
    def scope(self) -> Scope:
        """The choice as the query layer knows it."""
        return Scope(self.since, self.until, self._where())

    def _where(self) -> tuple[tuple[str, tuple[str | None, ...]], ...]:
        return tuple(
            (column, tuple(None if value == filters.NONE else value for value in values))
            for column, values in self.choice.where
        )

    def ask(self, question: str, *arguments: Any, **options: Any) -> Any:
        """Ask a function of the query layer by name; a repeated question costs nothing."""
        key = (question, arguments, tuple(options.items()))
        try:
            found = self.answers.get(key)
        except TypeError:
            # A table is no key.
            return self._keep(answer(self.path, question, *arguments, **options))
        if found is None:
            found = self.answers[key] = answer(self.path, question, *arguments, **options)
        return self._keep(found)

    def _keep(self, found: Answer) -> Any:
        """Keep where an answer comes from, and give what it says."""
        value, asked = found
        self.trail += asked
        self.come_from(value, asked)
        return value

    def asked_for(self, value: Any) -> list[Statement]:
        """Give what was asked of the warehouse for an answer."""
        return list(self.origins.get(id(value), (None, ()))[1])

    def sql_of(self, *answers: Any, names: Sequence[str] = ()) -> Asked | None:
        """Give what tells what was asked for answers, of these KPIs alone if any is named; None where nothing was."""
        asked = tuple(dict.fromkeys(one for answer in answers for one in self.asked_for(answer)))
        return partial(about, asked, tuple(names)) if asked else None

    def sql_since(self, before: int, names: Sequence[str] = ()) -> Asked | None:
        """Give what tells what was asked since the trail was so long."""
        asked = tuple(dict.fromkeys(self.trail[before:]))
        return partial(about, asked, tuple(names)) if asked else None

    def come_from(self, value: Any, asked: tuple[Statement, ...]) -> None:
        """Keep what was asked for an answer, and for each part of one that has names."""
        if asked:
            for one in (value, *(value.values() if isinstance(value, dict) else ())):
                self.origins[id(one)] = (one, asked)

    @property
    def zone(self) -> str:
        """The reporting zone."""
        return self.warehouse.zone

    @property
    def as_of(self) -> datetime:
        """The latest instant that the data know, in the reporting zone."""
        return self.ask("latest_as_of")

    @property
    def now(self) -> datetime:
        """The reader's time, in the reporting zone."""
        return datetime.now(UTC).astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    @property
    def is_sample(self) -> bool:
        """Whether any of it is made up."""
        return self.ask("is_sample")

    @property
    def span(self) -> str:
        """The period in words."""
        return words.days(self.since, self.until)

    @property
    def in_span(self) -> str:
        """The period as part of a sentence."""
        name = {"4w": "4 weeks", "12w": "12 weeks", "26w": "26 weeks", "12m": "12 months", "quarter": "quarter"}.get(
            self.choice.period
        )
        whole = name and self.since == filters.range_of(self.choice.period, self.until)[0]
        return (
            f"in the {name} to {words.day(self.until)}"
            if whole
            else f"{'on' if self.since == self.until else 'from'} {self.span}"
        )

    @property
    def shown_until(self) -> date:
        """Trends go on into the period that is still running, if the choice ends where the complete ones do."""
        last = self.warehouse.last_day
        if last is None or self.choice.period == "days":
            return self.until
        end = periods.following(periods.start(self.until + DAY, self.grain), self.grain) - DAY
        return end if self.until <= last < end or end <= last else self.until

    def kpi(self, name: str) -> query.Kpi:
        """A KPI of the catalog."""
        return query.kpi(self.warehouse, name)

    def kind(self, name: str) -> str:
        """How values of a KPI are said."""
        return KINDS.get(self.kpi(name).unit, "number")

    def change(self, name: str) -> query.Change | None:
        """A KPI now and before."""
        return self.ask("changes", _together(name, self.batch), self.scope).get(name)

    def reading(self, name: str) -> sentences.Reading:
        """A KPI now and before, ready to be said."""
        return self.read(name, self.change(name))

    def read(self, name: str, change: query.Change | None) -> sentences.Reading:
        """Make a change of a KPI ready to be said."""
        one = self.kpi(name)
        if change is None:
            return sentences.Reading(name, one.title, self.kind(name), None, 0)
        against = change.comparison.words.split("on ", 1)[-1] if change.difference is not None else ""
        if change.comparison.is_to_date and against:
            against = f"{against} (to {words.day(change.comparison.until, year=False)})"
        return sentences.Reading(
            name,
            one.title,
            self.kind(name),
            change.value,
            change.n,
            change.difference,
            against,
            words.dated(change.comparison.reason),
            (change.whole.low, change.whole.high),
            change.interval or (None, None),
            one.has_limits,
        )

    def points(self, name: str) -> tuple[Point, ...]:
        """A KPI over time; with limits where a page wants a band, and where a KPI is asked for by itself."""
        scope = self.scope.within(self.since, self.shown_until)
        bands = self.bands if name in self.courses else (name,)
        found = self.ask("trend", _together(name, self.courses), scope, self.grain, bands)[name]
        return tuple(
            Point(
                point.bucket.since,
                point.bucket.until,
                point.value,
                point.n,
                words.period(point.bucket.since, self.grain),
                FLAGS.get(point.bucket.status, ""),
                words.dated(point.bucket.reason),
                point.low,
                point.high,
            )
            for point in found
        )

    @property
    def notes(self) -> tuple[Note, ...]:
        """The known changes that concern any of what is shown."""
        found: list[control.KnownChange] = self.ask("known_changes", self.scope)
        return tuple(Note(change.day, change.text) for change in found)

    def aims(self, name: str) -> list[targets.Target]:
        """The targets of a KPI for exactly what is shown, on any of its days."""
        return targets.holding(self.ask("targets"), name, self.scope)

    def of(self, target: targets.Target) -> View:
        """The same days, of what a target is for."""
        where = tuple((column, tuple(value or filters.NONE for value in values)) for column, values in target.part)
        return replace(self, choice=self.choice._replace(where=where), batch=())

    def standing(self, target: targets.Target) -> targets.Standing | None:
        """How a KPI stands to a target in what is shown."""
        shape = None
        if targets.is_judged_on_log_hours(self.kpi(target.kpi)):
            ground: targets.Ground = self.ask("ground", target)
            shape = ground.baseline.shape if ground.baseline else None
        return self.ask("standing", target, self.since, self.until, self.grain, shape)

    def comparable(self, name: str) -> str | None:
        """The longest period, beginning later than this one, in which a KPI has something to be compared with."""
        last = self.warehouse.last_intake_day
        for period in ENDING_NOW:
            since, until = filters.range_of(period, last) if last else (self.until, self.since)
            if self.since < since <= until:
                found = self.ask("comparison", name, self.scope.within(since, until))
                if found is not None and not found.reason:
                    return period
        return None

    def stand_out(self, name: str) -> why.Found | None:
        """Search for the slices that moved a KPI, once for each version and choice."""
        kept, key = searches(self.path), (name, self.scope)
        if key not in kept:
            bar = st.progress(0.0, "Looking at every slice and every pair of them")
            with _SEARCHING:
                # Who waited may find what he waited for.
                found = kept[key] if key in kept else why.stand_out(self.warehouse, name, self.scope, bar.progress)
                if len(kept) >= MOST_SEARCHES:
                    kept.clear()
                kept[key] = found
            bar.empty()
        return kept[key]

    def watched(self, names: Sequence[str]) -> dict[str, control.Watched]:
        """The control charts of KPIs, of those that have one."""
        changes = tuple(self.ask("known_changes", self.scope))
        together = self.watching if set(names) <= set(self.watching) else tuple(names)
        found: dict[str, control.Watched] = self.ask("watched", together, self.scope, self.grain, changes)
        return {name: found[name] for name in names if name in found}

    def members(self, name: str, column: str) -> list[tuple[str, query.Number]]:
        """A KPI for each member of a column."""
        found: pl.DataFrame = self.ask("values", (name,), self.scope, by=(column,))
        return [
            (
                filters.NONE if row[column] is None else str(row[column]),
                query.Number(row["value"], row["n"], row["low"], row["high"]),
            )
            for row in found.iter_rows(named=True)
        ]


def newest(data: Path) -> str | None:
    """Name the version that is published now."""
    path = query.version(data)
    return None if path is None else str(path)


def news(path: str) -> str:
    """Name the last version, up to this one, that told anything but that time went by."""
    try:
        settings = warehouse(path).settings
    except query.NoWarehouse:
        # Of another Meantime, or gone: that is news.
        return path
    return settings.get("news", settings["version"])


def choose(path: str, choice: filters.Choice, known: dict[str, list[str]], colours: Palette) -> View:
    """Settle the days and the grain that a choice means in this version, and keep the view for the page."""
    opened = warehouse(path)
    first, last = opened.first_day, opened.last_intake_day
    assert first is not None
    assert last is not None
    if choice.period == "days" and choice.days:
        since, until = choice.days
    else:
        since, until = filters.range_of(choice.period, last)
        since = max(since, first)
        if until < since:
            since, until = first, max(first, last)
        if choice.period == "all":
            as_of = query.latest_as_of(opened)
            since, until = first, max(first, as_of.date() if as_of else last)
    view = View(path, choice, since, until, choice.grain or filters.grain_for(since, until), colours, known=known)
    st.session_state["_view"] = view
    return view


def here(*names: str, beside: Iterable[str] = (), bands: Iterable[str] = (), watching: Iterable[str] = ()) -> View:
    """Give the view of this run, and say what is asked for together.

    Args:
        names: KPIs of which values and courses are shown.
        beside: KPIs of which values are shown and no course.
        bands: of the first, those whose course is shown with its limits.
        watching: KPIs of which is said whether they are out of the ordinary.
    """
    view: View = st.session_state["_view"]
    view.batch, view.courses, view.bands = (*names, *beside), names, tuple(bands)
    view.watching = tuple(watching)
    if view.watching:
        # It reaches back furthest: the sums of days that are asked for it are those that the rest is made of.
        view.watched(view.watching)
    return view


def _together(name: str, batch: tuple[str, ...]) -> tuple[str, ...]:
    return batch if name in batch else (name,)


Given = ParamSpec("Given")
Made = TypeVar("Made")


def traced(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Let a picture say what was asked of the warehouse for it: by what makes it, and for the answers that that is given.

    Of what is not a picture, the same is kept for the pictures that are made of it.
    """

    @wraps(make)
    def made(*given: Given.args, **named: Given.kwargs) -> Made:
        arguments = (*given, *named.values())
        here = next(one for one in arguments if isinstance(one, View))
        before = len(here.trail)
        found = make(*given, **named)
        earlier = [one for argument in arguments for one in here.asked_for(argument)]
        asked = tuple(dict.fromkeys([*earlier, *here.trail[before:]]))
        if isinstance(found, Figure):
            return found._replace(asked=partial(about, asked, _named(here, arguments)))
        if found is not None:
            here.come_from(found, asked)
        return found

    return made


def _named(here: View, arguments: Iterable[Any]) -> tuple[str, ...]:
    """Give the KPIs that arguments name."""
    known = here.warehouse.kpis
    words = [one for one in arguments if isinstance(one, str)]
    words += [name for one in arguments if isinstance(one, Mapping) for name in one if isinstance(name, str)]
    return tuple(word for word in words if word in known)


def about(asked: Sequence[Statement], names: Sequence[str]) -> list[Statement]:
    """Choose those that ask for any of these KPIs: a page asks for all of its numbers together. All, where none does."""
    return [one for one in asked if any(one.is_about(name) for name in names)] or list(asked)
