"""Fitness of the data."""

import streamlit as st

from dashboard import doubting, fitness, record, view
from dashboard.parts import foot, pictures, prose, tables

NAME = "Fitness"
ORDER = 72
TITLE = "Each KPI with and without the doubtful rows"
here = view.here()
batches = here.ask("batches")
grades, findings = here.ask("grades", batches), here.ask("findings", batches)

prose.title("Fitness of the data")
prose.lead(*doubting.said(here, grades, findings))
pictures.show(doubting.figure(here, grades, "Which KPI stands on good data?"))
prose.heading("What is odd about it?")
prose.told(doubting.told(findings), "Nothing odd was found.")
if len(findings) > prose.MOST_TOLD:
    tables.folded("All that is odd", doubting.listing(findings), asked=here.sql_of(findings))
panel = st.expander(TITLE, key="with-and-without", on_change="rerun")
if panel.open:
    with panel, record.fold(TITLE):
        foot.with_and_without(here, tuple(fitness.CLOCKS), TITLE)
foot.foot(here, ())
