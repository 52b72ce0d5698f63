"""Volume and backlog."""

import streamlit as st

from dashboard import figures, foremost, sentences, view, words
from dashboard.parts import foot, incident_lists, numbers, pictures, prose, splits, ways_out

NAME = "Volume"
ORDER = 40
here = view.here("incident_volume", "resolved_count", "backlog", "backlog_age_median", watching=("incident_volume",))
opened, resolved, backlog, age = (here.reading(name) for name in here.batch)

prose.title("Volume and backlog")
prose.lead(
    sentences.joined(
        f"{sentences.opened(opened)} {here.in_span}",
        sentences.compared(opened),
        foremost.signal(here, "incident_volume"),
    ),
    sentences.when(here.reading("out_of_hours_rate"), "{} of them came out of hours."),
    f"{sentences.amount(resolved)} were resolved in these days.",
    sentences.when(
        backlog,
        "At their end {} were open"
        + (f", half of them for longer than {words.duration(age.value)}." if age.value is not None else "."),
    ),
)
ways_out.if_nothing(here)
picked = pictures.show(
    figures.develop(
        here,
        "How many incidents came in?",
        {"incident_volume": "opened"},
        click=True,
        axis="incidents opened",
        bars=True,
    ),
    key="volume-trend",
)
left, right = st.columns(2, gap="large")
with left:
    flow = {"incident_volume": "opened", "resolved_count": "resolved"}
    pictures.show(figures.develop(here, "Do we keep up?", flow, axis="incidents"))
    splits.by_dimension(here, "Where do they come from?", "incident_volume", "volume-by")
with right:
    pictures.show(figures.develop(here, "How many were open?", {"backlog": "open"}, axis="open at the period's end"))
    pictures.show(figures.clock(here, "When do they come in?"))
    pictures.show(figures.ages(here, "How old is what is open?"))
incident_lists.behind(here, "incident_volume", picked, "volume-incidents")
numbers.behind_picture(here, here.batch)
foot.foot(here, here.batch)
