"""The numbers behind a trend, folded away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from dashboard import figures, record, tabulated
from dashboard.charts.timeline import Point
from dashboard.parts import tables
from dashboard.view import View


def behind_picture(here: View, names: Sequence[str]) -> None:
    """Fold away the numbers of a trend: each with its interval and its n."""
    with st.expander("The numbers behind the picture"), record.fold("The numbers behind the picture"):
        # A stock has no bucket that is still running: each KPI is asked for its own.
        before = len(here.trail)
        courses = {name: here.points(name) for name in names}
        columns = {name: {point.since: point for point in points} for name, points in courses.items()}
        rows = []
        for since, first in columns[names[0]].items():
            row: dict[str, Any] = {"Period": first.name}
            for name in names:
                row |= _numbers(here, name, columns[name].get(since))
            rows.append({**row, "Note": first.reason})
        kinds = {name: (here.kpi(name).title, here.kind(name)) for name in names}
        tables.table(
            pl.DataFrame(rows, infer_schema_length=None),
            "The numbers behind the picture",
            rows=lambda: tabulated.courses([(*kinds[name], points) for name, points in courses.items()]),
            asked=here.sql_since(before, names),
        )


def _numbers(here: View, name: str, point: Point | None) -> dict[str, Any]:
    kpi, unit = here.kpi(name), figures.unit(here, name)
    value = None if point is None else point.value
    found: dict[str, Any] = {kpi.title: None if value is None else unit.say(value)}
    if kpi.has_limits and point is not None:
        limits = "" if value is None else unit.between(value, point.low, point.high)
        found |= {f"{kpi.title}, 95 %": limits, f"{kpi.title}, n": point.n}
    return found
