"""Definitions."""

import polars as pl
import streamlit as st

from dashboard import tour, view, words
from dashboard.parts import foot, prose, tables

ORDER = 80
here = view.here()
catalog = here.warehouse.kpis.values()

prose.title("Definitions")
prose.lead(
    f"Meantime knows **{words.counted(len(catalog), 'KPI')}**.",
    "Each is written once, as a macro of the warehouse; these pages, the command line and your own SQL all call it, "
    "so the same question gets the same number.",
)
tour.offer(here)
with st.grid(2, min_column_width=320, gap="large"):
    for kpi in catalog:
        with st.container(key=f"definition-{kpi.name}", gap="xsmall"):
            prose.heading(kpi.title, anchor=kpi.name)
            prose.said(words.plain(kpi.description))
            better = "" if kpi.better == "none" else f" · {words.plain(kpi.better)} is better"
            prose.note(
                f"`kpi.{kpi.name}` · {words.plain(kpi.unit)}{better} · counted at `{kpi.counted_at}`, over `{kpi.fact}`"
            )
            with st.expander("SQL", type="compact"):
                st.code(kpi.sql, language="sql")
tables.folded(
    "All of them as a table",
    pl.DataFrame(
        {
            "KPI": kpi.title,
            "Macro": f"kpi.{kpi.name}",
            "Unit": kpi.unit,
            "Better": kpi.better,
            "Counted at": kpi.counted_at,
            "Over": kpi.fact,
            "Meaning": kpi.description,
        }
        for kpi in catalog
    ),
)
foot.foot(here, (), of_everything=True)
