"""Lists of incidents: picking one opens it."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from dashboard import filters, manners, periods, query, record, tabulated, takeaway, words
from dashboard.charts.plot import Asked
from dashboard.parts import prose, tables
from dashboard.view import View

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


def incident_list(found: query.Incidents, key: str, asked: Asked | None) -> None:
    """Set a list of incidents; picking a row opens it. `asked` is what was asked of the warehouse for it."""
    rows = found.rows
    shown = [name for name in LIST_COLUMNS if name in rows.columns and rows[name].null_count() < rows.height]
    listed = rows.select(shown).with_columns(
        pl.col(name).cast(pl.String).replace_strict(said, default=pl.col(name))
        for name, said in _SAID.items()
        if name in shown
    )
    part = record.Table(
        "Incidents", listed.rename(LIST_COLUMNS, strict=False), partial(tabulated.incidents, listed), asked=asked
    )
    record.note(part)
    st.session_state.setdefault("_list", 0)
    state: Any = st.dataframe(
        listed.with_columns(pl.col(name).round(2) for name in shown if name.startswith("hours")).to_arrow(),
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
                name: st.column_config.DatetimeColumn(LIST_COLUMNS[name], format=tables.stamp_format())
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
    """Fold away the incidents that a KPI counts, of all that is shown or of a period that was clicked or is chosen here."""
    scope = here.scope
    span = here.span if picked is None else words.period(picked, here.grain)
    panel = st.expander(
        f"The incidents behind it: {words.plain(span)}", key=key, on_change="rerun", expanded=picked is not None
    )
    if panel.open or picked is not None:
        with panel, record.fold(f"The incidents behind it: {span}"):
            picked = _period(here, name, picked, key)
            if picked is not None:
                scope = scope.within(picked, periods.following(picked, here.grain) - filters.DAY)
            sort = "hours_to_acknowledge" if name.startswith("mtta") else "hours_to_resolve"
            if name == "incident_volume":
                sort = "opened_at"
            found = here.ask("incidents", scope, name=name, sort=sort, limit=LISTED)
            if not found.total:
                prose.nothing("There are none.")
                return
            order = "the newest first" if sort == "opened_at" else "the longest first"
            few = f", the first {LISTED} are listed" if found.total > LISTED else ""
            prose.note(f"{words.counted(found.total, 'incident')}, {order}{few}")
            incident_list(found, f"{key}-list", here.sql_of(found))


def _period(here: View, name: str, picked: date | None, key: str) -> date | None:
    """Let a reader choose the period that a click on the picture picks: a keyboard reaches no mark of it."""
    there = [None, *(point.since for point in here.points(name) if point.n)]

    def called(since: date | None) -> str:
        said = f"all: {here.span}" if since is None else words.period(since, here.grain)
        # Whoever types to find a period types the space that he has.
        return said.replace(words.GAP, " ")

    return st.selectbox(
        "Of",
        there,
        index=there.index(picked) if picked in there else 0,
        format_func=called,
        # A click on the picture is another choice to begin with.
        key=f"{key}-of-{picked}",
        width=300,
    )


TITLE_WIDTH = 270
_SAID = {
    "state": {"in_progress": "in progress", "on_hold": "on hold"},
    "priority": {str(level): filters.member("priority", str(level)) for level in range(1, 6)},
}
LISTED = 200
"""Rows that a list shows at most; the count beside it is of all."""
