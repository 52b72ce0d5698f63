"""What *Explore* says and draws: the sentence, the picture of the shape that was chosen, and the table behind it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import polars as pl

from dashboard import exploring, figures, filters, query, record, sentences, slices, tabulated, words
from dashboard.charts import distributions, heat, plot, ranking, timeline, trends
from dashboard.charts.distributions import Bin, Reach
from dashboard.charts.heat import Field
from dashboard.charts.plot import Figure
from dashboard.charts.ranking import Bar
from dashboard.charts.timeline import Point, Series
from dashboard.exploring import Asked, Mark
from dashboard.periods import Comparison
from dashboard.query import Kpi, Members, Number, Scope
from dashboard.slices import Cell, Courses, Cut, Spreads
from dashboard.view import FLAGS, View

CAPS = {"trend": (4, 4), "multiples": (8, 4), "bars": (12, 6), "heat": (12, 12), "table": (50, 12)}
"""Members of the first and the second dimension that a picture tells apart."""
PANELS = 6
"""Members of the first dimension that have a panel of ranked bars of their own."""
MOST_PANELS = 12
PANEL_HEIGHT = 170
MOST_ROWS = 2_000


class Panel(NamedTuple):
    """One of several small pictures, and the members whose it is."""

    figure: Figure
    members: Members


class Row(NamedTuple):
    """One row of a table, before it is said or written down."""

    labels: dict[str, str]
    now: Number
    cell: Cell | None = None
    """With what it is set against, if it is."""
    note: str = ""
    before: Number | None = None
    """Of one period: what it is set against, of which too few are behind it to judge the change."""


class Looked(NamedTuple):
    """A view as it is set: one picture or several small ones, and the table behind it."""

    said: str
    """What stands out, as the second sentence of the page."""
    figure: Figure | None
    panels: tuple[Panel, ...]
    note: str
    """What several pictures share: period, n, what is told together."""
    table: pl.DataFrame
    """As it is said."""
    rows: record.Rows
    """As numbers, with units in the header."""
    marks: tuple[tuple[str, Mark], ...] = ()
    """What each mark that can be clicked is called, and what it stands for."""
    asked: plot.Asked | None = None
    """What was asked of the warehouse for it."""


class Explorer:
    """One view that is asked for, over what is shown."""

    def __init__(self, here: View, asked: Asked) -> None:
        """Settle the KPI, the rows, and what it is set against."""
        self.here, self.asked = here, asked
        self.kpi: Kpi = here.kpi(asked.kpi)
        self.kind = here.kind(asked.kpi)
        self.unit = figures.unit(here, asked.kpi)
        self.scope = exploring.scope_of(here.scope, asked)
        self.other = exploring.sliced(self.scope, asked.other) if asked.other else None
        self.by = self._split()
        self.days = asked.against if asked.against in ("before", "year") else ""

    def _split(self) -> tuple[str, ...]:
        """Settle what it is split by: a picture of members needs one where nobody chose any."""
        by, picture = self.asked.by, self.asked.picture
        group = next(
            (name for name in ("assignment_group", "service", "priority") if name in self.here.known), "source"
        )
        if picture in ("multiples", "bars") and not by:
            return (group,)
        if picture == "heat" and not by:
            return exploring.MOMENTS
        if picture == "heat" and len(by) == 1:
            return (by[0], next(name for name in exploring.MOMENTS if name != by[0]))
        return by

    def marked(self, picked: Mapping[str, Any], members: Members = ()) -> Mark:
        """Say what a mark stands for, in a picture of its own or in that of some members."""
        told = dict(zip(self.by, members, strict=False))
        own = self.by[len(members) :]
        if "adds" in picked:
            low, _, high = picked["adds"].partition(":")
            return Mark(_said(told), adds=(float(low), float(high) if high else None))
        if "since" in picked:
            return Mark(_said(told), since=date.fromisoformat(picked["since"]))
        keys = [picked[key] for key in ("key", "row_key", "column_key") if key in picked]
        return Mark(_said(told) | dict(zip(own, keys, strict=False)))

    @property
    def against(self) -> str:
        """What it is set against, in a word or two."""
        if self.asked.other:
            return exploring.member(*self.asked.other)
        return {"before": "the period before", "year": "a year before"}.get(self.days, "")

    def reading(self) -> sentences.Reading:
        """Give the KPI over all that is shown, and its change."""
        if self.other is not None:
            return self._against_slice()
        if self.days:
            changes = self.here.ask("changes", (self.kpi.name,), self.scope, against=self.days)
            return self.here.read(self.kpi.name, changes.get(self.kpi.name))
        number: Number = self.here.ask("numbers", self.kpi.name, self.scope, ())[()]
        return self._reading(number)

    def _reading(self, number: Number) -> sentences.Reading:
        return sentences.Reading(
            self.kpi.name,
            self.kpi.title,
            self.kind,
            number.value,
            number.n,
            limits=(number.low, number.high),
            has_limits=self.kpi.has_limits,
        )

    def _against_slice(self) -> sentences.Reading:
        assert self.other is not None
        now, before = (self.here.ask("numbers", self.kpi.name, scope, ())[()] for scope in (self.scope, self.other))
        reading = self._reading(now)
        if now.value is None or before.value is None or min(now.n, before.n) < query.FEW:
            return reading._replace(reason=f"too few incidents of {self.against}")
        overlaps = exploring.overlaps(self.scope, self.asked.other or ("", ""))
        found = None if overlaps else slices.difference(self.kpi, now, before)
        return reading._replace(
            change=now.value - before.value,
            against=self.against,
            change_limits=found[:2] if found else (None, None),
        )

    def look(self) -> Looked:
        """Make the view; its pictures say what was asked of the warehouse for them."""
        before = len(self.here.trail)
        looked = self._look()
        asked = self.here.sql_since(before, (self.kpi.name,))
        panels = tuple(one._replace(figure=one.figure._replace(asked=asked)) for one in looked.panels)
        figure = None if looked.figure is None else looked.figure._replace(asked=asked)
        return looked._replace(figure=figure, panels=panels, asked=asked)

    def _look(self) -> Looked:
        shape = self.asked.picture
        if shape == "spread":
            return self._spread()
        if shape == "multiples" or (shape == "trend" and self.by):
            return self._over_time()
        if shape == "trend":
            return self._trend()
        return self._cut()

    # Over time

    def _points(self, found: Sequence[query.Point]) -> tuple[Point, ...]:
        return tuple(
            Point(
                one.bucket.since,
                one.bucket.until,
                one.value,
                one.n,
                words.period(one.bucket.since, self.here.grain),
                FLAGS.get(one.bucket.status, ""),
                one.bucket.reason,
                one.low,
                one.high,
            )
            for one in found
        )

    def _trend(self) -> Looked:
        here, name = self.here, self.kpi.name
        shown = self.scope.within(here.since, here.shown_until)
        points = self._points(here.ask("trend", (name,), shown, here.grain, (name,))[name])
        series = [Series("this slice" if self.other else "now" if self.days else self.kpi.title, points)]
        other, note = self._elsewhere()
        earlier: tuple[Point, ...] = ()
        if other is not None:
            earlier = _under(points, self._points(here.ask("trend", (name,), other, here.grain, (name,))[name]))
            series.append(Series(self.against, earlier))
        figure = self._drawn(series, "", click=True)
        if figure is None:
            return self._nothing()
        rows = [
            Row({"Period": point.name}, _of(point), note=point.reason, before=_of(old) if old else None)
            for point, old in itertools.zip_longest(points, earlier)
        ]
        finding = figures.finding(self.kpi.title, points, self.kind)
        note = " · ".join(filter(None, [figure.subtitle, note]))
        course = partial(tabulated.over_time, series, self.kind)
        figure = figure._replace(subtitle=note, alt=finding, rows=course)
        return Looked("", figure, (), note, self._said(rows), course, _periods([points], {}))

    def _elsewhere(self) -> tuple[Scope | None, str]:
        """Give the scope that courses are set against, if there is one, and what is said of it."""
        here = self.here
        if self.other is not None:
            return self.other.within(here.since, here.shown_until), ""
        if not self.days:
            return None, ""
        compared: Comparison | None = here.ask("comparison", self.kpi.name, self.scope, self.days)
        if compared is None or compared.reason:
            return None, f"not compared: {compared.reason if compared else 'nothing is known of these days'}"
        days = words.days(compared.before_since, compared.before_until)
        return self.scope.within(compared.before_since, compared.before_until), f"{self.against}: {days}"

    def _drawn(
        self,
        series: Sequence[Series],
        title: str,
        *,
        click: bool,
        height: int = plot.HEIGHT,
        beside: Sequence[Point] = (),
        named: bool = True,
    ) -> Figure | None:
        here = self.here
        series = [line for line in series if any(point.value is not None for point in line.points)]
        if not series:
            return None
        tints = {
            line.name: here.colours.others
            for line in series
            if line.name.startswith("the other ") or line.name == self.against
        }
        free = [tint for tint in here.colours.series if tint not in tints.values()]
        tints |= dict(zip((line.name for line in series if line.name not in tints), free, strict=False))
        is_bars = self.kind == "count" and len(series) == 1 and height == plot.HEIGHT
        chart = trends.trend(
            series,
            self.unit,
            here.colours,
            log=self.asked.scale == "log",
            tints=tints,
            height=height,
            click=click,
            bars=is_bars,
            notes=() if self.asked.only or height != plot.HEIGHT else here.notes,
            goals=(),
            beside=beside,
            named=named,
        )
        first = series[0].points
        over = [point for point in first if here.since <= point.until and point.since <= here.until]
        parts = [] if self.kpi.fact != "incidents" else [f"n {words.number(sum(point.n for point in over))}"]
        parts.append(f"{here.span}, {filters.GRAINS[here.grain]}")
        if not is_bars and self.kpi.has_limits:
            is_band = len(series) <= trends.MOST_BANDS
            parts.append("band: 95 % interval" if is_band else "95 % interval and n at the pointer")
        if shaded := timeline.flagged(first):
            parts.append(f"shaded: {words.listing(list(dict.fromkeys(shaded)), most=4)}")
        if self.kpi.settles and any(0 < point.n < query.SETTLED for point in first if not point.flag):
            parts.append(f"a mean of under {query.SETTLED} is not settled")
        return Figure(title or self.question, " · ".join(parts), chart, "", height)

    @property
    def question(self) -> str:
        """What the picture is a picture of."""
        title = self.kpi.title
        if not self.by:
            return title
        return f"{title} by {' and '.join(exploring.title(name) for name in self.by)}"

    def _over_time(self) -> Looked:
        """Lines for up to a handful of members, or a small picture for each."""
        here = self.here
        shown = self.scope.within(here.since, here.shown_until)
        by = self.by
        is_one_picture = self.asked.picture == "trend" and len(by) == 1
        caps = CAPS["trend" if is_one_picture else "multiples"][: len(by)]
        other, note = self._elsewhere()
        found: Courses = here.ask("courses", self.kpi.name, shown, here.grain, by, caps, other)
        names = self._names(by, list(found.points), found.rest)
        courses = {key: self._points(points) for key, points in found.points.items()}
        earlier = {
            key: _under(points, self._points(found.before.get(key, []))) for key, points in courses.items() if other
        }
        rows = [
            Row(
                {"Period": point.name, **self._labels(by, key, names)},
                _of(point),
                note=point.reason,
                before=_of(old) if old else None,
            )
            for key, points in courses.items()
            for point, old in itertools.zip_longest(points, earlier.get(key, ()))
        ]
        table, typed = self._said(rows), partial(self._typed, rows)
        by_first: dict[str | None, list[Series]] = {}
        keys = self._in_order(by, list(found.points))
        for key in keys:
            name = names[len(by) - 1][key[-1]]
            by_first.setdefault(key[0], []).append(Series(name, courses[key]))
        # A line of its own for what each is set against: where there is one line, not where there would be ten.
        is_drawn = bool(earlier) and not is_one_picture and len(by) == 1
        if earlier:
            note = note or f"beside {self.against}"
            note += f" ({'grey' if is_drawn else 'in the numbers behind the picture'})"
        said = " · ".join(filter(None, [note, self._told_together(by, found.rest)]))
        if is_one_picture:
            figure = self._drawn([line for lines in by_first.values() for line in lines], "", click=True)
            if figure is None:
                return self._nothing()
            finding = " ".join(
                figures.finding(line.name, line.points, self.kind) for lines in by_first.values() for line in lines
            )
            subtitle = " · ".join(filter(None, [figure.subtitle.partition(" · ")[2], said]))
            figure = figure._replace(subtitle=subtitle, alt=finding, rows=typed)
            return Looked("", figure, (), "", table, typed, _periods([*courses.values()], {}))
        everything = [point for points in (*courses.values(), *earlier.values()) for point in points]
        panels = []
        marks: list[tuple[str, Mark]] = []
        for first, lines in by_first.items():
            name = names[0][first]
            drawn = list(lines)
            if is_drawn:
                # Two bands on a small picture are a fog; the table has the limits.
                drawn.append(Series(self.against, tuple(_bare(point) for point in earlier[(first,)])))
            figure = self._drawn(drawn, name, click=True, height=PANEL_HEIGHT, beside=everything, named=not is_drawn)
            if figure is None:
                continue
            if first != query.OTHERS:
                marks += _periods([line.points for line in lines], _said({by[0]: first}), f"{name}, ")
            n = sum(point.n for line in lines for point in line.points if here.since <= point.until)
            note = "" if self.kpi.fact != "incidents" else f"n {words.number(n)}"
            alt = " ".join(figures.finding(f"{name}, {line.name}", line.points, self.kind) for line in lines)
            course = partial(tabulated.over_time, drawn, self.kind)
            panels.append(Panel(figure._replace(subtitle=note, alt=alt, rows=course), (first,)))
        shared = f"{here.span}, {filters.GRAINS[here.grain]} · one scale for all"
        if self.kpi.has_limits:
            is_band = max(len(lines) for lines in by_first.values()) <= trends.MOST_BANDS
            shared += " · band: 95 % interval" if is_band else " · 95 % interval and n at the pointer"
        return Looked("", None, tuple(panels), " · ".join(filter(None, [shared, said])), table, typed, tuple(marks))

    # By members

    def _cut(self) -> Looked:
        here, shape = self.here, self.asked.picture
        by = self.by
        if not by:
            return self._trend()._replace(figure=None)
        caps = (PANELS, CAPS["bars"][1]) if shape == "bars" and len(by) == 2 else CAPS[shape][: len(by)]
        found: Cut = here.ask("cut", self.kpi.name, self.scope, by, caps, self.days, self.other)
        cells = [cell for cell in found.cells if cell.now.value is not None or (cell.before and cell.before.value)]
        if not cells:
            return self._nothing()
        names = self._names(by, [cell.members for cell in cells], found.rest)
        rows = self._rows(by, cells, names)
        table, typed = self._said(rows), partial(self._typed, rows)
        said, note = self._finding(by, cells, names), self._cut_note(found, by)
        marks = tuple(
            (
                ", ".join(names[place][one] for place, one in enumerate(key)),
                Mark(_said(dict(zip(by, key, strict=True)))),
            )
            for key in self._in_order(by, [cell.members for cell in cells])
            if query.OTHERS not in key
        )
        if shape == "table":
            return Looked(said, None, (), note, table, typed)
        if len(by) == 2 and shape == "bars":
            return Looked(said, None, self._bar_panels(by, cells, names), note, table, typed, marks)
        draw = self._matrix if shape == "heat" else self._bars
        return Looked(said, draw(by, cells, names, note)._replace(rows=typed), (), "", table, typed, marks)

    def _cut_note(self, found: Cut, by: tuple[str, ...]) -> str:
        here, picture = self.here, self.asked.picture
        mark = {"bars": "tick", "table": "set against"}.get(picture, "at the pointer")
        few = {"bars": "pale", "heat": "a dot, or no tint", "table": "no interval"}[picture]
        parts = [f"n {words.number(found.n)}"] if self.kpi.fact == "incidents" else []
        compared = found.comparison
        if compared is not None and not compared.reason:
            parts.append(words.days(compared.since, compared.until))
            parts.append(f"{mark}: {words.days(compared.before_since, compared.before_until)}")
        else:
            parts.append(here.span)
            if compared is not None:
                parts.append(f"not compared: {compared.reason}")
            elif self.other is not None:
                parts.append(f"{mark}: {self.against}")
        if self.kpi.has_limits and picture != "table":
            parts.append("line: 95 % interval" if picture == "bars" else "95 % interval and n at the pointer")
        if self.kind != "count" and any(cell.now.n < query.FEW for cell in found.cells):
            parts.append(f"{few}: n under {query.FEW}")
        if self.kpi.settles and any(cell.now.n < query.SETTLED for cell in found.cells):
            parts.append(f"a mean of under {query.SETTLED} is not settled")
        if "opened_hour" in by:
            parts.append(f"times in {here.zone}")
        parts.append(self._told_together(by, found.rest))
        if any(name in query.MANY_VALUED for name in by):
            parts.append("an incident with several counts for each")
        return " · ".join(filter(None, parts))

    def _names(
        self, by: tuple[str, ...], keys: Sequence[Members], rest: tuple[int, ...]
    ) -> list[dict[str | None, str]]:
        return [
            exploring.named(name, list(dict.fromkeys(key[place] for key in keys)), rest[place])
            for place, name in enumerate(by)
        ]

    def _labels(self, by: tuple[str, ...], key: Members, names: Sequence[dict[str | None, str]]) -> dict[str, str]:
        return {exploring.DIMENSIONS[name]: names[place][key[place]] for place, name in enumerate(by)}

    def _in_order(self, by: tuple[str, ...], keys: Sequence[Members]) -> list[Members]:
        """Order members as their dimensions are, those without any and the rest last."""
        places = [
            {
                member: at
                for at, member in enumerate(
                    sorted(
                        exploring.ordered(name, list(dict.fromkeys(key[place] for key in keys))),
                        key=lambda member: (member == query.OTHERS, member is None),
                    )
                )
            }
            for place, name in enumerate(by)
        ]
        return sorted(keys, key=lambda key: tuple(places[place][member] for place, member in enumerate(key)))

    def _told_together(self, by: tuple[str, ...], rest: tuple[int, ...]) -> str:
        return " · ".join(
            f"{words.number(left)} more told together ({exploring.title(name)})"
            for name, left in zip(by, rest, strict=True)
            if left > 0
        )

    def _is_few(self, number: Number) -> bool:
        return self.kind != "count" and number.n < query.FEW

    def _ranked(self, by: str, cells: Sequence[Cell]) -> list[Cell]:
        """The greatest first, those of hardly any after them, the rest together last; an order of its own stays."""
        if by in exploring.ORDERED:
            places = {key: at for at, key in enumerate(self._in_order((by,), [(cell.members[-1],) for cell in cells]))}
            return sorted(cells, key=lambda cell: places[(cell.members[-1],)])
        return sorted(
            cells,
            key=lambda cell: (
                cell.members[-1] == query.OTHERS,
                self._is_few(cell.now),
                -(cell.now.value or 0.0),
                str(cell.members[-1]),
            ),
        )

    def _bar(self, cell: Cell, name: str) -> Bar:
        key = filters.NONE if cell.members[-1] is None else str(cell.members[-1])
        now, before = cell.now, cell.before
        return Bar(name, now.value or 0.0, now.n, now.low, now.high, key, before.value if before is not None else None)

    def _bars(
        self, by: tuple[str, ...], cells: Sequence[Cell], names: Sequence[dict[str | None, str]], note: str
    ) -> Figure:
        bars = [self._bar(cell, names[0][cell.members[0]]) for cell in self._ranked(by[0], cells)]
        is_set_against = any(cell.before is not None for cell in cells)
        whole = self.reading().value if self.kind not in ("count",) else None
        chart = ranking.by_member(
            bars,
            self.unit,
            self.here.colours,
            mark=whole,
            against=self.against if is_set_against else "",
            click=True,
        )
        told = words.listing([self._told(bar) for bar in bars], most=14)
        return Figure(self.question, note, chart, f"{self.kpi.title}: {told}.")

    def _told(self, bar: Bar) -> str:
        limits = self.unit.between(bar.value, bar.low, bar.high)
        return f"{bar.name} {self.unit.say(bar.value)} ({f'{limits}, ' if limits else ''}n {words.number(bar.n)})"

    def _bar_panels(
        self, by: tuple[str, ...], cells: Sequence[Cell], names: Sequence[dict[str | None, str]]
    ) -> tuple[Panel, ...]:
        everything = [self._bar(cell, "") for cell in cells]
        is_set_against = any(cell.before is not None for cell in cells)
        grouped: dict[str | None, list[Cell]] = {}
        for key in self._in_order(by[:1], list(dict.fromkeys((cell.members[0],) for cell in cells))):
            grouped[key[0]] = [cell for cell in cells if cell.members[0] == key[0]]
        panels = []
        for first, own in grouped.items():
            bars = [self._bar(cell, names[1][cell.members[1]]) for cell in self._ranked(by[1], own)]
            chart = ranking.by_member(
                bars,
                self.unit,
                self.here.colours,
                against=self.against if is_set_against else "",
                click=True,
                beside=everything,
            )
            alt = f"{names[0][first]}: {words.listing([self._told(bar) for bar in bars], most=9)}."
            n = sum(bar.n for bar in bars)
            typed = partial(tabulated.by_member, bars, exploring.DIMENSIONS[by[1]], self.unit)
            figure = Figure(names[0][first], f"n {words.number(n)}", chart, alt, rows=typed)
            panels.append(Panel(figure, (first,)))
        return tuple(panels)

    def _matrix(
        self,
        by: tuple[str, ...],
        cells: Sequence[Cell],
        names: Sequence[dict[str | None, str]],
        note: str,
    ) -> Figure:
        rows, columns = (
            self._shown(by[place], [cell.members[place] for cell in cells], names[place]) for place in (0, 1)
        )
        fields = [
            Field(
                names[0][cell.members[0]],
                names[1][cell.members[1]],
                cell.now.value,
                cell.now.n,
                cell.now.low,
                cell.now.high,
                (cell.members[0] or filters.NONE, cell.members[1] or filters.NONE),
                cell.before.value if cell.before else None,
            )
            for cell in cells
        ]
        is_set_against = any(cell.before is not None for cell in cells)
        chart = heat.matrix(
            fields, rows, columns, self.unit, self.here.colours, against=self.against if is_set_against else ""
        )
        finding = self._finding(by, cells, names) or f"{len(fields)} fields."
        return Figure(self.question, note, chart, f"{self.question}. {finding}")

    def _shown(self, name: str, members: Sequence[str | None], names: dict[str | None, str]) -> list[str]:
        if name == "opened_weekday":
            members = [*(str(day) for day in range(1, 8))]
        elif name == "opened_hour":
            members = [*(str(hour) for hour in range(24))]
        keys = self._in_order((name,), list(dict.fromkeys((member,) for member in members)))
        return [names.get(key[0]) or exploring.member(name, key[0]) for key in keys]

    def _finding(self, by: tuple[str, ...], cells: Sequence[Cell], names: Sequence[dict[str | None, str]]) -> str:
        """Say where it is highest and where lowest, of how many that have enough incidents."""
        told = [
            cell
            for cell in cells
            if cell.now.value is not None and not self._is_few(cell.now) and query.OTHERS not in cell.members
        ]
        if len(told) < 2:
            return ""
        most, least = (
            max(told, key=lambda cell: cell.now.value or 0.0),
            min(told, key=lambda cell: cell.now.value or 0.0),
        )

        def say(cell: Cell) -> str:
            who = ", ".join(names[place][member] for place, member in enumerate(cell.members))
            n = "" if self.kind == "count" else f" (n {words.number(cell.now.n)})"
            return f"{who}: {self.unit.say(cell.now.value or 0.0)}{n}"

        enough = "" if self.kind == "count" else " with enough incidents"
        return f"Of {words.number(len(told))}{enough} it is highest for {say(most)}, lowest for {say(least)}."

    def _rows(self, by: tuple[str, ...], cells: Sequence[Cell], names: Sequence[dict[str | None, str]]) -> list[Row]:
        found = {cell.members: cell for cell in cells}
        return [
            Row(self._labels(by, key, names), found[key].now, found[key] if found[key].before else None)
            for key in self._in_order(by, list(found))
        ][:MOST_ROWS]

    def _said(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Say a table as people read it, so that no digit means nothing."""
        return _frame([self._row(row) for row in rows[:MOST_ROWS]])

    def _row(self, row: Row) -> dict[str, Any]:
        said: dict[str, Any] = dict(row.labels)
        now = row.now
        said[self.kpi.title] = None if now.value is None else self.unit.say(now.value)
        if self.kpi.has_limits:
            is_known = now.value is not None and not self._is_few(now)
            said["95 %"] = self.unit.between(now.value or 0.0, now.low, now.high) if is_known else ""
        said["n"] = now.n
        before = row.cell.before if row.cell is not None else row.before
        if before is not None:
            said[self.against.capitalize()] = None if before.value is None else self.unit.say(before.value)
            said["n then"] = before.n
        if row.cell is not None and before is not None:
            said["Change"] = self._changed(row.cell)
        if row.note:
            said["Note"] = row.note
        return said

    def _typed(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Write a table down as numbers, with units in the header."""
        labels = {name: [row.labels[name] for row in rows] for name in rows[0].labels} if rows else {}
        columns: dict[str, Any] = {name: pl.Series(told, dtype=pl.String) for name, told in labels.items()}

        def add(title: str, values: list[float | None]) -> None:
            columns[tabulated.header(title, self.kind)] = pl.Series(values, dtype=pl.Float64)

        add(self.kpi.title, [row.now.value for row in rows])
        if self.kpi.has_limits:
            add("95 % from", [row.now.low for row in rows])
            add("95 % to", [row.now.high for row in rows])
        columns["n"] = pl.Series([row.now.n for row in rows], dtype=pl.Int64)
        set_against = [row.cell.before if row.cell else row.before for row in rows]
        if any(before is not None for before in set_against):
            add(self.against.capitalize(), [before.value if before else None for before in set_against])
            columns["n then"] = pl.Series([before.n if before else None for before in set_against], dtype=pl.Int64)
        if any(row.cell is not None and row.cell.before is not None for row in rows):
            found = [row.cell.difference if row.cell else None for row in rows]
            add("Change, 95 % from", [one[0] if one else None for one in found])
            add("Change, 95 % to", [one[1] if one else None for one in found])
        if any(row.note for row in rows):
            columns["Note"] = pl.Series([row.note or None for row in rows], dtype=pl.String)
        return pl.DataFrame(columns)

    def _changed(self, cell: Cell) -> str:
        assert cell.before is not None
        if cell.now.value is None or cell.before.value is None:
            return ""
        if min(cell.now.n, cell.before.n) < query.FEW and self.kind != "count":
            return "not enough data"
        change = sentences.signed(cell.now.value - cell.before.value, self.kind)
        if cell.difference is None or (exploring.overlaps(self.scope, self.asked.other or ("", "")) and self.other):
            return change
        low, high, _ = cell.difference
        return change if low > 0 or high < 0 else f"{change}, within normal variation"

    # Spread

    def _spread(self) -> Looked:
        here, by = self.here, self.by
        if not query.has_spread(self.kpi):
            return self._nothing(
                f"{self.kpi.title} has no distribution: each incident adds a one, a nought or a day. Choose another picture."
            )
        caps = (PANELS,)[: len(by)] if len(by) < 2 else (3, 2)
        other, note = self._elsewhere()
        # The same days, without those of the running period that a course goes on into.
        other = self.other or other
        found: Spreads = here.ask("spreads", self.kpi.name, self.scope, by, caps, other)
        bins = {key: _bins(frame) for key, frame in found.bins.items()}
        if not bins:
            return self._nothing()
        marks = [(self.kpi.title.lower(), reading.value)] if (reading := self.reading()).value is not None else []
        before = {key: _bins(frame) for key, frame in found.before.items()}
        if other is not None:
            n = sum(one.n for own in before.values() for one in own)
            note = f"strokes: {self.against}, n {words.number(n)}, drawn as if as many"
        names = self._names(by, list(bins), found.rest)
        rows = [(self._labels(by, key, names), one) for key, own in bins.items() for one in own][:MOST_ROWS]
        table = _frame([{**labels, **self._class(one), "Incidents": one.n} for labels, one in rows])
        typed = partial(self._classes, rows)
        total = sum(one.n for own in bins.values() for one in own)
        scale = "log scale" if self.kind == "hours" else ""
        said = self._told_together(by, found.rest)
        shared = " · ".join(filter(None, [f"n {words.number(total)}", here.span, scale, note, said]))
        if not by:
            own = bins[()]
            chart = distributions.distribution(
                own, marks, here.colours, kind=self.kind, before=before.get((), ()), against=self.against, click=True
            )
            finding = self._fullest(own, self.kpi.title)
            figure = Figure(f"{self.kpi.title}: the spread", shared, chart, finding, rows=typed)
            return Looked("", figure, (), "", table, typed, self._classed(own, {}))
        reach = Reach.of([*bins.values(), *(own for own in before.values() if own)], self.kind)
        panels = []
        for key in self._in_order(by, list(bins)):
            own = bins[key]
            name = ", ".join(names[place][member] for place, member in enumerate(key))
            chart = distributions.distribution(
                own,
                (),
                here.colours,
                PANEL_HEIGHT,
                kind=self.kind,
                before=before.get(key, ()),
                against=self.against,
                reach=reach,
                click=True,
            )
            n = sum(one.n for one in own)
            classes = partial(self._classes, [({}, one) for one in own])
            note = f"n {words.number(n)}"
            figure = Figure(name, note, chart, self._fullest(own, name), PANEL_HEIGHT, rows=classes)
            panels.append(Panel(figure, key))
        more = f" · the {MOST_PANELS} largest of {len(panels)}" if len(panels) > MOST_PANELS else ""
        largest = sorted(panels, key=lambda panel: -sum(one.n for one in bins[panel.members]))[:MOST_PANELS]
        kept = {panel.members for panel in largest}
        shown = tuple(panel for panel in panels if panel.members in kept)
        listed = [
            one
            for panel in shown
            if query.OTHERS not in panel.members
            for one in self._classed(
                bins[panel.members], _said(dict(zip(by, panel.members, strict=True))), f"{panel.figure.title}, "
            )
        ]
        return Looked("", None, shown, f"{shared} · one scale for all{more}", table, typed, tuple(listed))

    def _classed(self, own: Sequence[Bin], members: dict[str, str], of: str = "") -> tuple[tuple[str, Mark], ...]:
        """Name the classes of a distribution that have incidents."""
        return tuple(
            (of + " to under ".join(filter(None, self._class(one).values())), Mark(members, adds=(one.low, one.high)))
            for one in own
            if one.n
        )

    def _class(self, one: Bin) -> dict[str, str]:
        say = words.duration if self.kind == "hours" else words.number
        return {"From": say(one.low), "To under": "" if one.high is None else say(one.high)}

    def _classes(self, rows: Sequence[tuple[dict[str, str], Bin]]) -> pl.DataFrame:
        labels = {name: [told[name] for told, _ in rows] for name in rows[0][0]}
        kind = pl.Float64 if self.kind == "hours" else pl.Int64
        low = pl.Series([one.low for _, one in rows], dtype=pl.Float64).cast(kind)
        high = pl.Series([one.high for _, one in rows], dtype=pl.Float64).cast(kind)
        columns = {tabulated.header("From", self.kind): low, tabulated.header("To under", self.kind): high}
        return pl.DataFrame({**labels, **columns, "Incidents": [one.n for _, one in rows]})

    def _fullest(self, own: Sequence[Bin], title: str) -> str:
        total, most = sum(one.n for one in own), max(own, key=lambda one: one.n)
        at = " to under ".join(filter(None, self._class(most).values()))
        return f"{title}: of {words.number(total)} incidents most, {words.number(most.n)}, lie at {at}."

    def _nothing(self, said: str = "") -> Looked:
        return Looked(said, None, (), "", pl.DataFrame(), pl.DataFrame)


def _said(members: Mapping[str, str | None]) -> dict[str, str]:
    return {name: filters.NONE if member is None else member for name, member in members.items()}


def _periods(courses: Sequence[Sequence[Point]], members: dict[str, str], of: str = "") -> tuple[tuple[str, Mark], ...]:
    """Name the periods in which any of the courses has a value."""
    return tuple(
        (of + points[0].name, Mark(members, since=points[0].since))
        for points in zip(*courses, strict=True)
        if any(point.value is not None for point in points)
    )


def _under(points: Sequence[Point], found: Sequence[Point]) -> tuple[Point, ...]:
    """Set a course period by period under the one that is shown."""
    moved = [old._replace(since=new.since, until=new.until) for new, old in zip(points, found, strict=False)]
    missing = [new._replace(value=None, n=0, low=None, high=None, flag="") for new in points[len(moved) :]]
    return (*moved, *missing)


def _bare(point: Point) -> Point:
    return point._replace(low=None, high=None)


def _of(point: Point) -> Number:
    return Number(point.value, point.n, point.low, point.high)


def _bins(frame: pl.DataFrame) -> list[Bin]:
    return [Bin(*row) for row in frame.iter_rows()]


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()


def lead(explorer: Explorer, looked: Looked) -> tuple[str, str]:
    """Answer the question in a sentence, and say what stands out in a second."""
    here, reading = explorer.here, explorer.reading()
    title = words.plain(explorer.kpi.title)
    limits = sentences.interval(reading)
    within = f" ({limits}, n {words.number(reading.n)})" if limits else ""
    if not limits and reading.kind != "count":
        within = f" (n {words.number(reading.n)})" if reading.has_value else ""
    first = f"{title}: **{sentences.amount(reading)}**{within} {here.in_span}"
    if explorer.asked.only:
        first += f", of {words.plain(exploring.in_words(explorer.asked))} only"
    change = ""
    if explorer.against and reading.change is not None:
        change = words.plain(sentences.compared(reading)).replace(" than in ", " than ", 1 if explorer.other else 0)
    elif explorer.against:
        change = words.plain(f"not compared{f': {reading.reason}' if reading.reason else ''}")
    return sentences.joined(first, change), words.plain(looked.said)
