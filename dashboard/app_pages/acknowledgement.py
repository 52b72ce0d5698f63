"""Acknowledgement."""

import streamlit as st

from dashboard import figures, foremost, outlasting, sentences, view
from dashboard.parts import foot, incident_lists, numbers, pictures, prose, splits, ways_out

ORDER = 30
LINES = {"mtta": "mean", "mtta_median": "median", "mtta_p90": "slowest tenth"}
here = view.here(*LINES, "ack_rate", bands=(*LINES, "ack_rate"), watching=("mtta",))
mean, median, _ = (here.reading(name) for name in LINES)

prose.title("Acknowledgement")
prose.lead(
    sentences.joined(
        sentences.known(
            mean,
            f"it took **{sentences.mean(mean)}** on average until a person took an incident on {here.in_span}",
            f"the time to acknowledge {here.in_span}",
        ),
        sentences.compared(mean),
        foremost.signal(here, "mtta"),
    ),
    sentences.when(median, "Half of them waited under {}."),
    sentences.when(here.reading("ack_rate"), "{} of what was opened has been taken on."),
)
ways_out.if_nothing(here)
# The picture stands above the switch that it obeys.
picture = st.container()
log = st.toggle("Log scale", value=True, key="acknowledgement-log", persist_state="session")
with picture:
    picked = pictures.show(
        figures.develop(
            here, "How did the time to acknowledge develop?", LINES, log=log, click=True, axis="time to acknowledge"
        ),
        key="acknowledgement-trend",
    )
outlasting.section(here, "acknowledged")
left, right = st.columns(2, gap="large")
with left:
    splits.by_dimension(here, "Who waits longest?", "mtta", "acknowledgement-by")
with right:
    marks = {"mtta_median": "median", "mtta_p90": "slowest tenth from"}
    pictures.show(figures.spread(here, "How are the times spread?", "mtta", marks))
pictures.show(
    figures.develop(here, "How many are taken on at all?", {"ack_rate": "taken on"}, axis="share of those opened")
)
incident_lists.behind(here, "mtta", picked, "acknowledgement-incidents")
numbers.behind_picture(here, (*LINES, "ack_rate"))
foot.foot(here, (*LINES, "ack_rate"))
