"""Definitions."""

import polars as pl
import streamlit as st

from dashboard import parts, tour, view, words

ORDER = 80
here = view.here()
catalog = here.warehouse.kpis.values()

parts.title("Definitions")
parts.lead(
    f"Meantime knows **{words.counted(len(catalog), 'KPI')}**.",
    "Each is written once, as a macro of the warehouse; these pages, the command line and your own SQL all call it, "
    "so the same question gets the same number.",
)
tour.offer(here)
with st.grid(2, min_column_width=320, gap="large"):
    for kpi in catalog:
        with st.container(key=f"definition-{kpi.name}", gap="xsmall"):
            parts.heading(kpi.title, anchor=kpi.name)
            parts.said(words.plain(kpi.description))
            better = "" if kpi.better == "none" else f" · {words.plain(kpi.better)} is better"
            parts.note(
                f"`kpi.{kpi.name}` · {words.plain(kpi.unit)}{better} · counted at `{kpi.counted_at}`, over `{kpi.fact}`"
            )
            with st.expander("SQL", type="compact"):
                st.code(kpi.sql, language="sql")
parts.folded(
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
parts.foot(here, (), of_everything=True)
