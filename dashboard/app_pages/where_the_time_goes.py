"""Where the time goes."""

from functools import partial

import streamlit as st

from dashboard import parts, sentences, view, whereabouts

ORDER = 25
here = view.here("mttr", "mttr_business")
found = whereabouts.look(here)

parts.title("Where the time goes")
if found is None:
    parts.lead(f"0 incidents with a known time were resolved {here.in_span}.")
    parts.nothing_matches(here)
else:
    business = sentences.when(here.reading("mttr_business"), "Counting business hours only, it took {}.")
    parts.lead(*whereabouts.said(here, found), business)
    parts.show(whereabouts.parts_figure(here, found, "What is the time to resolve made of?"))
    parts.show(whereabouts.time_figure(here, found, "How did the shares develop?"))
    moves = here.ask("hand_overs", here.scope)
    left, right = st.columns(2, gap="large")
    with left:
        parts.show(
            whereabouts.groups_figure(here, found, "Who had them meanwhile?"),
            otherwise="The source does not tell which group had an incident when.",
        )
    with right:
        parts.show(whereabouts.pairs_figure(here, moves, "Between whom are they handed over?"))
        parts.note(whereabouts.hand_overs_said(moves, found.n))
    parts.folded("The numbers behind the pictures", whereabouts.table(found), partial(whereabouts.typed, found))
    if not moves.pairs.is_empty():
        parts.folded("All hand-overs", whereabouts.hand_overs(moves))
parts.foot(here, ("mttr", "mttr_business"))
