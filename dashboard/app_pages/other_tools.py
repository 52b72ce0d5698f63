"""Why does the other tool say something else?"""

import streamlit as st

from dashboard import comparing, record, view
from dashboard.parts import foot, pictures, prose, tables

NAME = "Other tools"
ORDER = 75
here = view.here("mttr", "mtta", "fcr_rate")

prose.title("Why does the other tool say something else?")
lead = st.container()
measure = st.segmented_control(
    "Of",
    list(comparing.NAMES),
    label_visibility="collapsed",
    format_func=comparing.NAMES.__getitem__,
    default="resolve",
    key="reconciled",
    required=True,
)
found = here.ask("verdicts", measure, here.scope)
with lead:
    prose.lead(comparing.said(here, measure, found))
pictures.show(
    comparing.figure(here, measure, found, "What would other rules say?"),
    otherwise="No rule counts any incident here.",
)
if comparing.unable(found):
    prose.note(comparing.unable(found))
counted = {one.rule.name: one.rule.title for one in found if one.n}
if len(counted) > 1:
    prose.heading("Which incidents make the difference?")
    # Side by side on a phone the names of the rules would be cut.
    left, right = st.columns(2)
    with left:
        first = st.selectbox("Between", list(counted), format_func=counted.__getitem__, key=f"first-{measure}")
    with right:
        second = st.selectbox("and", list(counted), format_func=counted.__getitem__, key=f"second-{measure}", index=1)
    gap = here.ask("gap", first, second, here.scope)
    for line in comparing.gap_said(gap, measure):
        prose.said(line)
    if gap is not None and not gap.incidents.is_empty():
        tables.folded("These incidents, the widest apart first", comparing.listed(gap, measure), asked=here.sql_of(gap))
rules = "What the rules are, and who publishes them"
with st.expander(rules), record.fold(rules):
    for line in comparing.sources(found):
        prose.said(line)
foot.foot(here, ())
