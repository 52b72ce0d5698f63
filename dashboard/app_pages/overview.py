"""Overview."""

import streamlit as st

from dashboard import figures, foremost, verdicts, view
from dashboard.parts import foot, movers, numbers, pictures, prose, tiles, ways_out

ORDER = 10
TILES = ("incident_volume", "mttr", "mtta", "fcr_rate", "backlog", "ack_rate", "reopen_rate", "sla_met_rate")
COMPANIONS = [companion for companion, _ in tiles.COMPANIONS.values()]
here = view.here(*TILES, beside=COMPANIONS, bands=("mttr", "mtta", "fcr_rate"), watching=TILES)

prose.title("Overview")
prose.lead(foremost.sentence(here, TILES))
ways_out.if_nothing(here)
foot.freshness(here)
tiles.tiles(here, TILES, "overview")
verdicts.panel(here, TILES, "overview")
pictures.show(
    figures.develop(
        here, "How many incidents came in?", {"incident_volume": "opened"}, axis="incidents opened", bars=True
    )
)
with st.container(key="three"):
    left, middle, right = st.columns(3, gap="large")
with left:
    pictures.show(figures.develop(here, "How long does resolving take?", {"mttr": "mean"}, axis="mean time to resolve"))
with middle:
    pictures.show(figures.develop(here, "How soon is it taken on?", {"mtta": "mean"}, axis="mean time to acknowledge"))
with right:
    pictures.show(
        figures.develop(here, "Does the first contact suffice?", {"fcr_rate": "rate"}, axis="share resolved there")
    )
movers.moved(here, ("mttr", "incident_volume", "mtta", "fcr_rate"))
numbers.behind_picture(here, ("incident_volume", "mttr", "mtta", "fcr_rate"))
foot.foot(here, ("incident_volume", "mttr", "mtta", "fcr_rate", "backlog"))
