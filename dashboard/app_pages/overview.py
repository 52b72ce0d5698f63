"""Overview."""

import streamlit as st

from dashboard import figures, parts, sentences, verdicts, view

ORDER = 10
TILES = ("incident_volume", "mttr", "mtta", "fcr_rate", "backlog", "ack_rate", "reopen_rate", "sla_met_rate")
COMPANIONS = [companion for companion, _ in parts.COMPANIONS.values()]
here = view.here(*TILES, beside=COMPANIONS, bands=("mttr", "mtta", "fcr_rate"))
volume, mean, taken, contact = (here.reading(name) for name in ("incident_volume", "mttr", "mtta", "fcr_rate"))

parts.title("Overview")
parts.lead(
    sentences.joined(f"{sentences.opened(volume)} {here.in_span}", sentences.news(volume)),
    sentences.when(mean, sentences.joined("resolving took {} on average", sentences.news(mean))),
    sentences.when(taken, sentences.joined("a person took them on after {}", sentences.news(taken))),
    sentences.when(contact, sentences.joined("{} needed only the first contact", sentences.news(contact))),
    sentences.no_news((volume, mean, taken, contact)),
)
parts.if_nothing(here)
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
