"""Overview."""

import streamlit as st

from dashboard import figures, foremost, parts, verdicts, view

ORDER = 10
TILES = ("incident_volume", "mttr", "mtta", "fcr_rate", "backlog", "ack_rate", "reopen_rate", "sla_met_rate")
COMPANIONS = [companion for companion, _ in parts.COMPANIONS.values()]
here = view.here(*TILES, beside=COMPANIONS, bands=("mttr", "mtta", "fcr_rate"))

parts.title("Overview")
parts.lead(foremost.sentence(here, TILES))
parts.if_nothing(here)
parts.freshness(here)
parts.tiles(here, TILES, "overview")
verdicts.panel(here, TILES, "overview")
parts.show(
    figures.develop(
        here, "How many incidents came in?", {"incident_volume": "opened"}, axis="incidents opened", bars=True
    )
)
with st.container(key="three"):
    left, middle, right = st.columns(3, gap="large")
with left:
    parts.show(figures.develop(here, "How long does resolving take?", {"mttr": "mean"}, axis="mean time to resolve"))
with middle:
    parts.show(figures.develop(here, "How soon is it taken on?", {"mtta": "mean"}, axis="mean time to acknowledge"))
with right:
    parts.show(
        figures.develop(here, "Does the first contact suffice?", {"fcr_rate": "rate"}, axis="share resolved there")
    )
parts.moved(here, ("mttr", "incident_volume", "mtta", "fcr_rate"))
parts.behind_picture(here, ("incident_volume", "mttr", "mtta", "fcr_rate"))
parts.foot(here, ("incident_volume", "mttr", "mtta", "fcr_rate", "backlog"))
