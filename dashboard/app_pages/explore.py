"""Explore."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import explored, exploring, parts, picking, view, words

ORDER = 12

here = view.here()
asked = picking.settle(here)

parts.title("Explore")
# The sentence stands above the switches that it obeys.
top = st.container()
asked = picking.switches(here, asked)
explorer = explored.Explorer(here, asked)
looked = explorer.look()
with top:
    parts.lead(*explored.lead(explorer, looked))
picking.filtered_here(asked)
if looked.figure is not None:
    parts.heading(looked.figure.title)
    parts.clickable(looked.figure, picking.key("picture"), picking.clicked(here, asked, explorer.marked))
elif looked.panels:
    parts.heading(explorer.question)
    parts.note(words.plain(looked.note))
    with st.grid(3, min_column_width=300, gap="medium"):
        for place, panel in enumerate(looked.panels):
            with st.container(gap="xxsmall", key=f"panel-{place}"):
                parts.said(f"**{words.plain(panel.figure.title)}**")
                marked = partial(explorer.marked, members=panel.members)
                parts.clickable(panel.figure, picking.key(f"panel-{place}"), picking.clicked(here, asked, marked))
elif looked.table.is_empty() and looked.said:
    parts.nothing(looked.said)
elif looked.table.is_empty():
    only = exploring.in_words(asked)
    parts.nothing_matches(here, f"“{only}” leaves nothing." if only else "")
if asked.picture == "table" and not looked.table.is_empty():
    parts.heading(explorer.question)
    parts.note(words.plain(looked.note))
    parts.table(looked.table, explorer.question, rows=looked.rows)
elif not looked.table.is_empty():
    parts.folded("The numbers behind the picture", looked.table, looked.rows)
picking.incidents(here, asked, explorer.scope)
picking.saved(here, asked)
parts.foot(here, (asked.kpi,), only=exploring.in_words(asked))
