"""Why it moved."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import figures, filters, query, reasons, sentences, view, why, words
from dashboard.parts import foot, incident_lists, movers, pictures, prose, splits, tables, ways_out

ORDER = 15
# Asked most, so they stand first in the list.
ANSWERED = ("mttr", "mttr_median", "mttr_p90", "mtta", "mtta_median", "incident_volume", "fcr_rate", "reopen_rate")

here = view.here()
kpis = [name for name, one in here.warehouse.kpis.items() if why.can_be_split(one)]
kpis.sort(key=lambda name: (ANSWERED.index(name) if name in ANSWERED else len(ANSWERED), here.kpi(name).title))
# A column of which one member is chosen explains nothing.
alone = {column for column, values in here.choice.where if len(values) == 1}
columns = [column for column in splits.DIMENSIONS if column in here.known and column not in alone]
first = columns.index("assignment_group") if "assignment_group" in columns else 0
if st.session_state.get("moved_by") not in (None, *columns):
    if columns:
        # Set and not forgotten: the browser's switch would keep the word of a column that is no longer there.
        st.session_state["moved_by"], first = columns[first], 0
    else:
        del st.session_state["moved_by"]


def look_closer(column: str, member: str | None) -> None:
    """Look at one member alone."""
    st.session_state[f"f_{column}"] = [filters.NONE if member is None else member]


prose.title("Why it moved")
# The sentence stands above the switches that it obeys.
top = st.container()
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    name = st.selectbox(
        "What moved",
        kpis,
        format_func=lambda name: here.kpi(name).title,
        key="moved_kpi",
        bind="query-params",
        width=330,
    )
    column = st.selectbox(
        "Split by",
        columns,
        index=first,
        format_func=lambda column: filters.COLUMNS[column].lower(),
        key="moved_by",
        bind="query-params",
        width=220,
    )
kind, reading = here.kind(name), here.reading(name)
bridge = here.ask("bridges", name, here.scope, (column,)).get(column) if column else None

with top:
    if bridge is None:
        prose.lead(sentences.joined(f"{here.kpi(name).title}: **{sentences.amount(reading)}** {here.in_span}"))
        if not columns:
            prose.nothing("There is nothing to split it by: all incidents are alike in every column.")
        elif reading.reason:
            prose.nothing(f"There is nothing to compare it with: {reading.reason}.")
            ways_out.offer_later(here, name)
        else:
            prose.nothing("Too few incidents to compare.")
    else:
        steps = reasons.steps(bridge, kind)
        say = reasons.saying(bridge, steps, kind)
        prose.lead(
            f"{words.plain(here.kpi(name).title)}: **{sentences.amount(reading)}** {here.in_span}, "
            f"**{say(bridge.change)}** on {reading.against}{words.plain(reasons.said(steps, bridge, say))}.",
            words.plain(sentences.of_the_whole(reading)),
        )
if bridge is not None:
    pictures.show(
        figures.waterfall(here, "What adds up to the change?", bridge),
        otherwise="Nothing changed in any part.",
    )
    judged = here.ask("one_by_one", name, here.scope, column)
    if moved := why.movers(bridge):
        worse = "fell" if bridge.kpi.better == "higher" else "rose"
        prose.heading(f"Whose own {reasons.own(kind)} {worse} most?")
        for place, one in enumerate(moved):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                who = words.plain(reasons.member(column, one.member))
                prose.said(f"**{who}** {words.plain(reasons.mover(one, column, kind, judged))}")
                st.button(
                    "Look closer",
                    key=f"closer-{place}",
                    type="tertiary",
                    on_click=look_closer,
                    args=(column, one.member),
                )
    if told := reasons.one_by_one(judged, column, kind):
        prose.said(words.plain(told))
    if why.can_be_weighed(bridge.kpi):
        of = "n_now" if bridge.change >= 0 else "n_before"
        heaviest = here.ask(
            "heaviest",
            name,
            here.scope,
            bridge.comparison,
            bridge.before,
            bridge.now,
            int(bridge.parts[of].sum()),
        )
        prose.heading("Which incidents weigh most in it?")
        prose.note(words.plain(reasons.heaviest(heaviest, kind)))
        incident_lists.incident_list(
            query.Incidents(heaviest.rows, heaviest.rows.height), "heaviest", here.sql_of(heaviest)
        )
    movers.stand_out(here, name)
    tables.folded(
        "Every part",
        figures.bridge_table(bridge, kind, judged),
        partial(figures.bridge_rows, bridge, kind, judged),
        asked=here.sql_of(bridge),
    )
foot.foot(here, (name,))
