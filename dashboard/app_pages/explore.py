"""Explore."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import explored, exploring, picking, view, words
from dashboard.parts import foot, pictures, prose, tables, ways_out

ORDER = 12

here = view.here()
asked = picking.settle(here)

prose.title("Explore")
# The sentence stands above the switches that it obeys.
top = st.container()
asked = picking.switches(here, asked)
explorer = explored.Explorer(here, asked)
looked = explorer.look()
with top:
    prose.lead(*explored.lead(explorer, looked))
picking.filtered_here(asked)
if looked.figure is not None:
    prose.heading(looked.figure.title)
    pictures.clickable(looked.figure, picking.key("picture"), picking.clicked(here, asked, explorer.marked))
elif looked.panels:
    prose.heading(explorer.question)
    prose.note(words.plain(looked.note))
    with st.grid(3, min_column_width=300, gap="medium"):
        for place, panel in enumerate(looked.panels):
            with st.container(gap="xxsmall", key=f"panel-{place}"):
                marked = partial(explorer.marked, members=panel.members)
                clicked = picking.clicked(here, asked, marked)
                pictures.clickable(panel.figure, picking.key(f"panel-{place}"), clicked, is_titled=True)
elif looked.table.is_empty() and looked.said:
    prose.nothing(looked.said)
elif looked.table.is_empty():
    only = exploring.in_words(asked)
    ways_out.nothing_matches(here, f"“{only}” leaves nothing." if only else "")
offered = looked.marks if looked.figure is not None or looked.panels else ()
if asked.picture == "table" and not looked.table.is_empty():
    prose.heading(explorer.question)
    prose.note(words.plain(looked.note))
    tables.table(looked.table, explorer.question, rows=looked.rows, asked=looked.asked)
elif not looked.table.is_empty():
    tables.folded("The numbers behind the picture", looked.table, looked.rows, asked=looked.asked)
picking.incidents(here, asked, explorer.scope, offered)
picking.saved(here, asked)
foot.foot(here, (asked.kpi,), only=exploring.in_words(asked))
