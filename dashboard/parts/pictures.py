"""Pictures under their questions, with what they show and the files that they can be had as."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from dashboard import record, takeaway, words
from dashboard.charts import vega
from dashboard.charts.plot import Figure
from dashboard.parts import prose


def show(figure: Figure | None, key: str | None = None, otherwise: str = "") -> date | None:
    """Set a picture under its question; with a key it can be clicked, and the day that was picked is returned."""
    if figure is None:
        if otherwise:
            prose.nothing(otherwise)
        return None
    st.header(words.plain(figure.title), anchor=False)
    if key is None:
        picture(figure)
        return None
    _under_title(figure)
    state: Any = st.vega_lite_chart(
        spec=vega.spec(figure.chart), theme=None, width="stretch", alt=figure.alt, key=key, on_select="rerun"
    )
    picked = state.selection.get("picked") or []
    return date.fromisoformat(picked[0]["since"]) if picked and picked[0].get("since") else None


def picture(figure: Figure) -> None:
    """Set a picture whose question already stands above it."""
    _under_title(figure)
    draw(figure.chart, figure.alt)


def _under_title(figure: Figure) -> None:
    part = record.Picture(figure)
    record.note(part)
    takeaway.offer(part, words.plain(figure.subtitle))


def clickable(
    figure: Figure, key: str, clicked: Callable[[list[dict[str, Any]]], None], *, is_titled: bool = False
) -> None:
    """Set a picture of which each mark can be clicked, its question above it, or its own title where it is one of several.

    What was picked is handed over before the page is drawn anew.
    """
    if is_titled:
        st.markdown(f"**{words.plain(figure.title)}**")
    _under_title(figure)

    def handed_over() -> None:
        picked = st.session_state[key].selection.get("picked")
        if picked:
            clicked(picked)

    st.vega_lite_chart(
        spec=vega.spec(figure.chart), theme=None, width="stretch", alt=figure.alt, key=key, on_select=handed_over
    )


def draw(chart: Any, alt: str) -> None:
    """Set a chart, with the sentence that stands for it where it cannot be seen."""
    st.vega_lite_chart(spec=vega.spec(chart), theme=None, width="stretch", alt=alt)
