"""A KPI by the column that a reader picks."""

from __future__ import annotations

import streamlit as st

from dashboard import figures, filters, words
from dashboard.parts import pictures, prose
from dashboard.view import View

DIMENSIONS = ("priority", "assignment_group", "service", "category", "channel", "source")


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
        prose.nothing("No value here.")
        return
    pictures.picture(figure)
