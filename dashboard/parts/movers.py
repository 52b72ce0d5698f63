"""What changed a KPI most, and what stands out against chance."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import figures, filters, reasons, record, sentences, why, words
from dashboard.insights import search
from dashboard.parts import pictures, prose, tiles, ways_out
from dashboard.view import View

MOVED_BY = ("assignment_group", "service", "category", "priority")


def moved(here: View, names: Sequence[str]) -> None:
    """Set what changed a KPI most, member by member."""
    prose.heading("Which three slices moved most?")
    name = st.selectbox(
        "Of",
        list(names),
        format_func=lambda name: tiles.SHORT.get(name, here.kpi(name).title),
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
    prose.told(
        reasons.slices(bridges, here.kind(name)),
        f"There is nothing to compare with: {reading.reason}." if reading.reason else "There is nothing to compare.",
    )
    if not bridges:
        if reading.reason:
            ways_out.offer_later(here, name)
        return
    prose.note(
        words.plain(
            f"{tiles.SHORT.get(name, reading.title)} changed by {sentences.signed(reading.change or 0.0, here.kind(name))} on "
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
                pictures.picture(figure)


def stand_out(here: View, name: str) -> None:
    """Set the slices that stand out among all, how many were looked at, and what standing out means."""
    prose.heading("What stands out?")
    if not why.can_be_searched(here.kpi(name)):
        prose.nothing("A stock carries over from one day to the next, so no chance can be said for its slices.")
        return
    found = here.stand_out(name)
    if found is None or not found.looked_at:
        prose.nothing(f"Too few days to tell a slice from chance: each period needs {search.LEAST_DAYS}.")
        return
    kind = here.kind(name)
    looked = f"{words.number(found.looked_at)} questions were asked of every slice and every pair of slices"
    prose.told(
        [reasons.finding(one, found, kind) for one in found.findings.iter_rows(named=True)],
        f"Nothing: {looked}, and no answer stands out against what chance makes of so many.",
    )
    if found.findings.height:
        prose.note(
            f"Strongest first, each with what is above it taken out. {looked}; one counts only if it beats the best of "
            f"them in 95 of 100 random deals of the days ({words.number(found.resamples)} were dealt). Slices overlap: "
            "these do not add up."
        )
