"""Incidents."""

import streamlit as st

from dashboard import one_incident, parts, view, words

ORDER = 60
here = view.here("incident_volume")
chosen = st.query_params.get("incident")

if chosen:
    one_incident.show(here, chosen)
else:
    parts.title("Incidents")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        search = st.text_input(
            "Search in number, title and attributes",
            key="search",
            bind="query-params",
            placeholder="a number, or words as they stand there",
            width=420,
        ).strip()
        only_open = st.toggle("Only those still open", key="open", bind="query-params")
    found = here.ask("incidents", here.scope, text=search or None, only_open=only_open, limit=parts.LISTED)
    parts.lead(
        f"**{words.counted(found.total, 'incident')}** opened {here.in_span}"
        + (f" with “{words.plain(search)}” in them" if search else "")
        + (f" {'is' if found.total == 1 else 'are'} still open." if only_open else "."),
        f"The newest {parts.LISTED} are listed." if found.total > parts.LISTED else "",
    )
    if found.total:
        parts.incident_list(found, "incidents-list")
    else:
        parts.nothing_matches(here)
    parts.foot(here, ("incident_volume",))
