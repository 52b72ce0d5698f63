"""Resolution."""

import streamlit as st

from dashboard import figures, foremost, outlasting, sentences, verdicts, view
from dashboard.parts import foot, incident_lists, numbers, pictures, prose, splits, tiles, ways_out

ORDER = 20
LINES = {"mttr": "mean", "mttr_median": "median", "mttr_p90": "slowest tenth"}
TILES = ("mttr_person", "mttr_active", "reopen_rate", "sla_met_rate")
here = view.here(*LINES, *TILES, bands=LINES, watching=("mttr", *TILES))
mean, median, slowest = (here.reading(name) for name in LINES)

prose.title("Resolution")
prose.lead(
    sentences.joined(
        sentences.known(
            mean,
            f"incidents took **{sentences.mean(mean)}** to resolve on average {here.in_span}",
            f"the time to resolve {here.in_span}",
        ),
        sentences.compared(mean),
        foremost.signal(here, "mttr"),
    ),
    sentences.when(median, f"The quicker half took under {{}}, one in ten over {sentences.amount(slowest)}."),
)
ways_out.if_nothing(here)
# The picture stands above the switch that it obeys.
picture = st.container()
log = st.toggle("Log scale", value=True, key="resolution-log", persist_state="session")
with picture:
    picked = pictures.show(
        figures.develop(
            here, "How did the time to resolve develop?", LINES, log=log, click=True, axis="time to resolve"
        ),
        key="resolution-trend",
    )
tiles.tiles(here, TILES, "resolution")
verdicts.panel(here, here.watching, "resolution")
outlasting.section(here, "resolved")
left, right = st.columns(2, gap="large")
with left:
    splits.by_dimension(here, "Where does it take longest?", "mttr", "resolution-by")
with right:
    marks = {"mttr_median": "median", "mttr_p90": "slowest tenth from"}
    pictures.show(figures.spread(here, "How are the times spread?", "mttr", marks))
incident_lists.behind(here, "mttr", picked, "resolution-incidents")
numbers.behind_picture(here, tuple(LINES))
foot.foot(here, tuple(LINES))
