"""First contact."""

import streamlit as st

from dashboard import figures, foremost, sentences, verdicts, view, words
from dashboard.parts import foot, incident_lists, numbers, pictures, prose, splits, tiles, ways_out

ORDER = 50
TILES = ("fcr_coverage", "reassignments_mean", "reopen_rate", "escalation_rate")
here = view.here("fcr_rate", *TILES, bands=("fcr_rate", "fcr_coverage"), watching=("fcr_rate", *TILES))
rate = here.reading("fcr_rate")
beside = here.ask("beside", "fcr_rate", here.scope)

prose.title("First contact")
prose.lead(
    sentences.joined(
        sentences.known(
            rate,
            f"the first contact was enough for **{sentences.amount(rate)}** of what people raised {here.in_span}",
            f"first-contact resolution {here.in_span}",
        ),
        sentences.compared(rate),
        foremost.signal(here, "fcr_rate"),
    ),
    sentences.when(here.reading("fcr_coverage"), "It is known for {} of them."),
    sentences.when(
        rate,
        f"Of those it was enough for, {words.number(beside.first_contact_over_1_hour)} took over an hour and "
        f"{words.number(beside.first_contact_over_24_hours)} over a day, which a caller may not call first contact.",
    ),
)
ways_out.if_nothing(here)
picked = pictures.show(
    figures.develop(
        here,
        "How did first-contact resolution develop?",
        {"fcr_rate": "resolved at first contact"},
        click=True,
        axis="share resolved at first contact",
    ),
    key="first-contact-trend",
)
tiles.tiles(here, TILES, "first-contact")
verdicts.panel(here, here.watching, "first-contact")
left, right = st.columns(2, gap="large")
with left:
    splits.by_dimension(here, "Where is the first contact enough?", "fcr_rate", "first-contact-by")
with right:
    pictures.show(figures.spread(here, "How long did these incidents take?", "fcr_rate", {}))
incident_lists.behind(here, "fcr_rate", picked, "first-contact-incidents")
numbers.behind_picture(here, ("fcr_rate", "fcr_coverage"))
foot.foot(here, ("fcr_rate", "fcr_coverage"))
