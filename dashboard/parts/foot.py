"""The foot of a page: what it stands on, what is left out, how far it can be trusted, and what its words mean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl
import streamlit as st

from dashboard import doubting, filters, fitness, query, record, words
from dashboard import freshness as fresh
from dashboard.parts import prose, tables
from dashboard.view import View


def freshness(here: View) -> None:
    """Say how fresh each source is now, and whose last run failed."""
    known = dict(here.warehouse.sources.select("source", "as_of_local").drop_nulls().iter_rows())
    last = here.ask("runs").unique("source", keep="first", maintain_order=True)
    failed = set(last.filter(pl.col("outcome") == "failed")["source"])
    prose.note(words.plain(f"{fresh.said(known, failed & set(known), here.now)}."))


def foot(here: View, names: Sequence[str], *, of_everything: bool = False, only: str = "") -> None:
    """Set what the page stands on: period, zone, sources, data as of, what is left out, definitions.

    With `only` it names what the page filters itself, beside what is chosen above it.
    """
    version = f"data as of {words.moment(here.as_of)} · published version {here.warehouse.number}"
    span = "everything, whatever is chosen above" if of_everything else f"{here.span}, {filters.GRAINS[here.grain]}"
    lines = [" · ".join(filter(None, [only, span, f"days and times in {here.zone}", version]))]
    sources = here.warehouse.sources.iter_rows(named=True)
    lines.append(
        "Sources: "
        + "; ".join(
            f"{row['source']} ({row['kind']}, {words.counted(row['incidents'], 'incident')}, "
            f"{f'as of {words.moment(known)}' if (known := row['as_of_local']) else 'nothing came yet'}"
            f"{', made up' if row['is_sample'] else ''})"
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
    here.forget()


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
            prose.note("Over all that each source has. [Why](fitness)")
            with_and_without(here, names, "Grades of these KPIs")


def with_and_without(here: View, names: Sequence[str], alt: str) -> None:
    """Set KPIs of each source with and without the doubtful rows; that takes longer than a page, so only who looks waits."""
    batches = here.ask("batches")
    grades = [one for one in here.ask("grades", batches) if one.kpi in names]
    pairs: dict[tuple[str, str], fitness.Pair] = here.ask("with_and_without", tuple(names), batches)
    rows = partial(doubting.typed, here.warehouse.kpis, grades, pairs)
    tables.table(doubting.table(here, grades, pairs), alt, "Nothing is known of them.", rows, asked=here.sql_of(pairs))


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
