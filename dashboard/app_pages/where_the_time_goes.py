"""Where the time goes."""

from functools import partial

import streamlit as st

from dashboard import record, sentences, view, whereabouts, words
from dashboard.parts import foot, pictures, prose, tables, ways_out

ORDER = 25
TITLE = "The numbers behind the pictures, and how sure they are"
here = view.here("mttr", "mttr_business")
found = whereabouts.look(here)

prose.title("Where the time goes")
if found is None:
    prose.lead(f"0 incidents with a known time were resolved {here.in_span}.")
    ways_out.nothing_matches(here)
else:
    business = sentences.when(here.reading("mttr_business"), "Counting business hours only, it took {}.")
    prose.lead(*whereabouts.said(here, found), business)
    # How sure each part is takes as long as the page: only who looks waits, and then the picture tells it, too.
    asked = here.ask("how_sure", here.scope) if st.session_state.get("how-sure") else None
    sure = asked[0] if asked else {}
    pictures.show(whereabouts.parts_figure(here, found, "What is the time to resolve made of?", sure))
    pictures.show(whereabouts.time_figure(here, found, "How did the shares develop?"))
    moves = here.ask("hand_overs", here.scope)
    left, right = st.columns(2, gap="large")
    with left:
        pictures.show(
            whereabouts.groups_figure(here, found, "Who had them meanwhile?"),
            otherwise="The source does not tell which group had an incident when.",
        )
    with right:
        pictures.show(whereabouts.pairs_figure(here, moves, "Between whom are they handed over?"))
        prose.note(whereabouts.hand_overs_said(moves, found.n))
    panel = st.expander(TITLE, key="how-sure", on_change="rerun")
    if panel.open:
        with panel, record.fold(TITLE):
            asked = asked or here.ask("how_sure", here.scope)
            sure, groups = asked
            told = here.sql_of(asked)
            prose.note(
                f"Means over all {words.number(found.n)} incidents, so that they add up; n is the same for each."
            )
            tables.table(
                whereabouts.table(found, sure), TITLE, rows=partial(whereabouts.typed, found, sure), asked=told
            )
            rows = partial(whereabouts.by_group_typed, groups)
            tables.table(whereabouts.by_group(groups), "What each group had of the time", rows=rows, asked=told)
    if not moves.pairs.is_empty():
        tables.folded("All hand-overs", whereabouts.hand_overs(moves), asked=here.sql_of(moves))
foot.foot(here, ("mttr", "mttr_business"))
