"""What the page *Where the time goes* says and draws: the ledger of what is shown, beside that of the period before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from dashboard import filters, ledger, sentences, words
from dashboard.charts import ranking, stacks
from dashboard.charts.plot import Figure
from dashboard.charts.ranking import Bar
from dashboard.charts.scales import Unit
from dashboard.ledger import Sure
from dashboard.query import Number
from dashboard.view import View, traced

MOST_GROUPS = 10
TOLD = 3
"""Parts that the sentence names."""
NO_GROUP = "no group known"
SPOKEN = {
    "waiting": "waiting for a person to take it on",
    "waiting_in_hours": "waiting within hours",
    "waiting_out_of_hours": "waiting out of hours",
    "working": "being worked on",
    "resolved": "resolved until it was reopened",
    "unexplained_no_history": "that no history explains",
    "unexplained_late": "from before its history begins",
}
"""How a sentence says a part, where it is not what the picture calls it."""


@dataclass(frozen=True)
class Whereabouts:
    """Mean hours per resolved incident by part, now and in the comparable period before; each adds up to the mean."""

    n: int
    now: dict[str, float]
    before: dict[str, float] | None
    """None where there is nothing to compare with."""
    changes: dict[str, float]
    """How much longer each part is than before, over the days that are compared."""
    against: str
    by_period: pl.DataFrame
    by_group: dict[str, dict[str, float]]

    @property
    def total(self) -> float:
        """Mean hours to resolve."""
        return sum(self.now.values())

    @property
    def is_known(self) -> bool:
        """Whether anything but the unexplained is in it."""
        return any(not part.startswith("unexplained") for part in self.now)


@traced
def look(here: View) -> Whereabouts | None:
    """Ask for the ledger of what is shown; None where no incident was resolved in a known time."""
    reading, change = here.reading("mttr"), here.change("mttr")
    if not reading.n:
        return None
    compared = change.comparison if change is not None and reading.change is not None else None
    days = (compared.before_since, compared.before_until) if compared is not None else None
    asked: pl.DataFrame = here.ask("ledger", here.scope, here.grain, days)
    rows = asked.filter(~pl.col("is_before"))
    before: dict[str, float] | None = None
    changes: dict[str, float] = {}
    if change is not None and compared is not None:
        earlier = asked.filter("is_before")
        is_whole = (compared.since, compared.until) == (here.since, here.until)
        later = rows if is_whole else here.ask("ledger", here.scope.within(compared.since, compared.until))
        before, after = _means(earlier, change.before.n), _means(later, change.now.n)
        changes = {
            part: after.get(part, 0.0) - before.get(part, 0.0)
            for part in ledger.PARTS
            if part in after or part in before
        }
    by_group: dict[str, dict[str, float]] = {}
    for group, part, seconds in rows.group_by("assignment_group", "part").agg(pl.col("seconds").sum()).iter_rows():
        name = NO_GROUP if group is None else group
        by_group.setdefault(name, {})[part] = seconds / reading.n / 3600
    return Whereabouts(reading.n, _means(rows, reading.n), before, changes, reading.against, rows, by_group)


def _means(rows: pl.DataFrame, n: int) -> dict[str, float]:
    sums = dict(rows.group_by("part").agg(pl.col("seconds").sum()).iter_rows())
    return {part: sums[part] / n / 3600 for part in ledger.PARTS if part in sums}


def in_families(parts: dict[str, float]) -> dict[str, float]:
    """Put parts of one family together."""
    found: dict[str, float] = {}
    for part, hours in parts.items():
        found[ledger.family(part)] = found.get(ledger.family(part), 0.0) + hours
    return {name: found[name] for name in ledger.FAMILIES if name in found}


def said(here: View, found: Whereabouts) -> tuple[str, str]:
    """Say where the time went, and what changed most."""
    scale = words.scale_of(found.total)
    limits = sentences.interval(here.reading("mttr"))
    sure = f" (95 %: {limits})" if limits else ""
    if not found.is_known:
        return (
            f"An incident resolved {here.in_span} took **{words.duration(found.total)}** on average{sure}, and nothing tells "
            "what happened in it: the source gives no history.",
            "",
        )
    largest = sorted(found.now.items(), key=lambda item: -item[1])[:TOLD]
    told = [f"{words.duration(hours, scale)} {SPOKEN.get(part, ledger.PARTS[part])}" for part, hours in largest]
    first = (
        f"An incident resolved {here.in_span} took **{words.duration(found.total)}** on average{sure}: "
        f"{words.listing(told, most=TOLD)}" + ("." if len(found.now) <= TOLD else ", the rest in smaller parts.")
    )
    if found.before is None:
        return first, ""
    changes = found.changes
    most = max(changes, key=lambda part: abs(changes[part]))
    if words.duration(abs(changes[most]), scale) == words.duration(0.0, scale):
        return first, f"No part changed {found.against}."
    more = "more" if changes[most] > 0 else "less"
    return first, (
        f"The part that changed most is “{ledger.PARTS[most]}”: {words.duration(abs(changes[most]), scale)} {more} than in "
        f"{found.against}."
    )


@traced
def parts_figure(here: View, found: Whereabouts, question: str, sure: Mapping[str, Sure]) -> Figure:
    """Draw the parts of the mean time to resolve, with how `sure` each is at the pointer where that is known."""
    tints = stacks.tints(here.colours)
    names = [part for part in ledger.PARTS if part in {**found.now, **(found.before or {})}]
    bars = [
        stacks.Part(
            ledger.PARTS[part],
            found.now.get(part, 0.0),
            tints[ledger.family(part)],
            None if found.before is None else found.before.get(part, 0.0),
            Unit("hours", "").between(mean.value or 0.0, mean.low, mean.high) if (mean := _mean(sure, part)) else "",
        )
        for part in names
    ]
    compared = f" · tick: {found.against}" if found.before is not None else ""
    compared += " · 95 % interval at the pointer" if any(bar.between for bar in bars) else ""
    whole = found.total or 1.0
    alt = ", ".join(
        f"{bar.name} {words.duration(bar.value)} ({words.share(round(bar.value / whole, 2))})" for bar in bars
    )
    return Figure(
        question,
        f"mean per incident · n {words.number(found.n)} · {here.span}{compared}",
        stacks.parts(bars, here.colours),
        f"Of {words.duration(found.total)} on average: {alt}.",
        rows=partial(parts_typed, found),
    )


def _mean(sure: Mapping[str, Sure], part: str) -> Number | None:
    return sure[part].mean if part in sure else None


def _kinds(here: View, present: set[str]) -> dict[str, tuple[str, str]]:
    tints = stacks.tints(here.colours)
    return {name: (label, tints[name]) for name, label in ledger.FAMILIES.items() if name in present}


@traced
def time_figure(here: View, found: Whereabouts, question: str) -> Figure | None:
    """Draw the shares of the parts, period by period."""
    rows = found.by_period.with_columns(
        pl.col("part").map_elements(ledger.family, return_dtype=pl.String).alias("family")
    )
    sums = rows.group_by("period", "family").agg(pl.col("seconds").sum()).sort("period", "family")
    points = [point for point in here.points("mttr") if here.since <= point.until and point.since <= here.until]
    pieces = [stacks.Piece("", family, float(seconds), period) for period, family, seconds in sums.iter_rows()]
    if len(points) < 2 or not pieces:
        return None
    kinds = _kinds(here, {piece.part for piece in pieces})
    whole = in_families(found.now)
    said = words.listing(
        [
            f"{ledger.FAMILIES[name]} {words.share(round(hours / (found.total or 1.0), 2))}"
            for name, hours in whole.items()
        ],
        most=9,
    )
    flagged = " · pale: cannot be compared" if any(point.flag for point in points) else ""
    return Figure(
        question,
        f"share of all hours to resolve · {here.span}, {filters.GRAINS[here.grain]}{flagged}",
        stacks.over_time(points, pieces, kinds, here.colours, here.notes),
        f"Shares of the time over {len(points)} periods; over all of them: {said}.",
        rows=lambda: pl.DataFrame(
            {
                "From": [piece.since for piece in pieces],
                "Part": [ledger.FAMILIES[piece.part] for piece in pieces],
                "Time (hours)": [piece.value / 3600 for piece in pieces],
            }
        ),
    )


@traced
def groups_figure(here: View, found: Whereabouts, question: str) -> Figure | None:
    """Draw who had the incidents, and what happened to them there; the bars add up to the mean."""
    sums = {name: sum(parts.values()) for name, parts in found.by_group.items()}
    order = sorted(sums, key=lambda name: (name == NO_GROUP, -sums[name], name))
    if not order or order == [NO_GROUP]:
        return None
    shown = (
        order if len(order) <= MOST_GROUPS else [*order[: MOST_GROUPS - 1], *(order[-1:] if NO_GROUP in sums else [])]
    )
    rest = [name for name in order if name not in shown]
    pieces = [
        stacks.Piece(name, part, hours) for name in shown for part, hours in in_families(found.by_group[name]).items()
    ]
    more = (
        f" · and {words.number(len(rest))} more groups with {words.duration(sum(sums[name] for name in rest))}"
        if rest
        else ""
    )
    said = words.listing([f"{name} {words.duration(sums[name])}" for name in shown], most=MOST_GROUPS)
    return Figure(
        question,
        f"hours per resolved incident while a group had it, in the colours above; all bars together are the mean of "
        f"{words.duration(found.total)}{more}",
        stacks.by_member(pieces, shown, _kinds(here, {piece.part for piece in pieces}), here.colours),
        f"Time by group: {said}.",
        rows=lambda: pl.DataFrame(
            [(name, ledger.PARTS[part], hours) for name in order for part, hours in found.by_group[name].items()],
            schema={"Group": pl.String, "Part": pl.String, "Time per resolved incident (hours)": pl.Float64},
            orient="row",
        ),
    )


@traced
def pairs_figure(here: View, found: ledger.HandOvers, question: str) -> Figure | None:
    """Draw the pairs of groups with the most hand-overs."""
    if not found.hand_overs:
        return None
    bars = [
        Bar(f"{row['from_group']} \N{RIGHTWARDS ARROW} {row['to_group']}", float(row["hand_overs"]), row["incidents"])
        for row in found.pairs.head(MOST_GROUPS).iter_rows(named=True)
    ]
    rest = found.pairs.height - len(bars)
    more = f" · and {words.number(rest)} more pairs" if rest else ""
    said = words.listing([f"{bar.name} {words.number(bar.value)}" for bar in bars], most=MOST_GROUPS)
    return Figure(
        question,
        f"{words.counted(found.hand_overs, 'hand-over')} · {here.span}{more}",
        # Two names stand before each bar.
        ranking.by_member(bars, Unit("count", "hand-overs"), here.colours, room=210),
        f"Most frequent hand-overs: {said}.",
        rows=lambda: hand_overs(found),
    )


def hand_overs_said(found: ledger.HandOvers, n: int) -> str:
    """Say how many were handed over, and how many came back."""
    if not found.hand_overs:
        return "None of them was handed from one group to another, as far as their history tells."
    return (
        f"{words.number(found.incidents)} of {words.number(n)} were handed from one group to another, "
        f"{words.counted(found.hand_overs, 'time')} in all; {words.number(found.returned_incidents)} of them came back to a "
        "group that had already given them away."
    )


def table(found: Whereabouts, sure: Mapping[str, Sure]) -> pl.DataFrame:
    """Give the parts as a table, now and before."""
    rows = []
    for part in _there(found):
        change = found.changes.get(part)
        rows.append(
            {
                "Part": ledger.PARTS[part],
                **_in_words(sure.get(part)),
                "Change in hours": None if change is None else sentences.signed(round(change, 2), "number"),
            }
        )
    return pl.DataFrame(rows)


def _there(found: Whereabouts) -> list[str]:
    return [part for part in ledger.PARTS if part in found.now or part in (found.before or {})]


NOTHING = Sure(Number(0.0, 0), Number(0.0, 0))


def _in_words(one: Sure | None) -> dict[str, Any]:
    mean, share = one or NOTHING
    return {
        "Hours per incident": round(mean.value or 0.0, 2),
        "Hours, 95 %": "" if mean.low is None or mean.high is None else f"{mean.low:.2f} to {mean.high:.2f}",
        "Share": words.share(round(share.value or 0.0, 3)),
        "Share, 95 %": words.between(share.low, share.high, "share"),
    }


def parts_typed(found: Whereabouts) -> pl.DataFrame:
    """Give what is drawn of the parts as numbers."""
    there = _there(found)
    now = [found.now.get(part, 0.0) for part in there]
    columns = {
        "Part": [ledger.PARTS[part] for part in there],
        "Time per incident (hours)": now,
        "Share of the time (share)": [hours / (found.total or 1.0) for hours in now],
        "Change (hours)": [found.changes.get(part) for part in there],
    }
    return pl.DataFrame(columns, schema_overrides={"Change (hours)": pl.Float64})


def typed(found: Whereabouts, sure: Mapping[str, Sure]) -> pl.DataFrame:
    """Give the same as numbers."""
    there = _there(found)
    columns = {
        "Part": [ledger.PARTS[part] for part in there],
        **_as_numbers([sure.get(part) for part in there]),
        "Change (hours)": [found.changes.get(part) for part in there],
    }
    return pl.DataFrame(columns, schema_overrides={"Change (hours)": pl.Float64, **_NUMBERS})


def by_group(groups: Mapping[str | None, Sure]) -> pl.DataFrame:
    """Give what each group had of the time."""
    return pl.DataFrame([{"Assignment group": group or NO_GROUP, **_in_words(one)} for group, one in groups.items()])


def by_group_typed(groups: Mapping[str | None, Sure]) -> pl.DataFrame:
    """Give the same as numbers."""
    columns = {"Assignment group": list(groups), **_as_numbers(list(groups.values()))}
    return pl.DataFrame(columns, schema_overrides={"Assignment group": pl.String, **_NUMBERS})


def _as_numbers(many: Sequence[Sure | None]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for place, (title, unit) in enumerate((("Time per incident", "hours"), ("Share of the time", "share"))):
        numbers = [(one or NOTHING)[place] for one in many]
        found[f"{title} ({unit})"] = [number.value for number in numbers]
        found[f"{title}, 95 % from ({unit})"] = [number.low for number in numbers]
        found[f"{title}, 95 % to ({unit})"] = [number.high for number in numbers]
    return found | {"n": [(one or NOTHING).mean.n for one in many]}


_NUMBERS = {**dict.fromkeys(_as_numbers([]), pl.Float64), "n": pl.Int64}


def hand_overs(found: ledger.HandOvers) -> pl.DataFrame:
    """Give every pair of groups between which incidents were handed over."""
    return found.pairs.rename({name: name.replace("_", " ").capitalize() for name in found.pairs.columns})
