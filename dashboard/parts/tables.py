"""Tables, open or folded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from dashboard import manners, record, tabulated, takeaway
from dashboard.charts.plot import Asked
from dashboard.parts import prose


def stamp_format() -> str:
    """Give the pattern by which a table writes instants, to the minute."""
    return {"dmy": "D MMM YYYY, HH:mm", "mdy": "MMM D, YYYY, HH:mm", "ymd": "YYYY-MM-DD, HH:mm"}[manners.here().order]


def table(
    frame: pl.DataFrame,
    alt: str,
    otherwise: str = "",
    rows: record.Rows | None = None,
    *,
    columns: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    height: int | None = None,
    asked: Asked | None = None,
) -> None:
    """Set a table, or say why there is none.

    Args:
        frame: what is shown.
        alt: what it is.
        otherwise: what is said of none.
        rows: the same with types, and units in the header, where what is shown are words.
        columns: how single columns are shown.
        units: the kinds of values of single columns, where no word says it.
        height: pixels, of a long one.
        asked: what was asked of the warehouse for it.
    """
    if frame.is_empty():
        prose.nothing(otherwise)
        return
    part = record.Table(alt, frame, rows or partial(tabulated.with_units, frame, units or {}), units or {}, asked)
    record.note(part)
    stamps = {
        name: st.column_config.DatetimeColumn(format=stamp_format())
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime)
    }
    counts = {
        name: st.column_config.NumberColumn(format="localized")
        for name, kind in frame.schema.items()
        if kind.is_integer()
    }
    st.dataframe(
        frame.to_arrow(),
        hide_index=True,
        width="stretch",
        height=height or "auto",
        column_config={**stamps, **counts, **(columns or {})},
        placeholder="",
        alt=alt,
    )
    takeaway.offer(part)


def folded(title: str, frame: pl.DataFrame, rows: record.Rows | None = None, *, asked: Asked | None = None) -> None:
    """Fold a table away."""
    with st.expander(title), record.fold(title):
        table(frame, title, rows=rows, asked=asked)
