"""Fitness of the data."""

import streamlit as st

from dashboard import doubting, fitness, parts, record, view

NAME = "Fitness"
ORDER = 72
TITLE = "Each KPI with and without the doubtful rows"
here = view.here()
batches = here.ask("batches")
grades, findings = here.ask("grades", batches), here.ask("findings", batches)

parts.title("Fitness of the data")
parts.lead(*doubting.said(here, grades, findings))
parts.show(doubting.figure(here, grades, "Which KPI stands on good data?"))
parts.heading("What is odd about it?")
parts.told(doubting.told(findings), "Nothing odd was found.")
if len(findings) > parts.MOST_TOLD:
    parts.folded("All that is odd", doubting.listing(findings))
panel = st.expander(TITLE, key="with-and-without", on_change="rerun")
if panel.open:
    with panel, record.fold(TITLE):
        parts.with_and_without(here, tuple(fitness.CLOCKS), TITLE)
parts.foot(here, ())
