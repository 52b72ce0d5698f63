"""Incidents."""

import streamlit as st

from dashboard import one_incident, query, searching, view, words
from dashboard.parts import foot, incident_lists, prose, ways_out

ORDER = 60
here = view.here("incident_volume")
chosen = st.query_params.get("incident")

if chosen:
    one_incident.show(here, chosen)
else:
    prose.title("Incidents")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        search = st.text_input(
            "Search",
            key="search",
            bind="query-params",
            placeholder="a number, words of the title, a service, a person",
            help="Every word must be there, anywhere; “words in quotes” as they stand. To look in one place only: "
            + ", ".join(f"`{place}:`" for place in searching.PLACES)
            + ". `person:` also finds whoever did anything to an incident.",
            width=420,
        ).strip()
        only_open = st.toggle("Only those still open", key="open", bind="query-params")
    asked = {"text": search or None, "only_open": only_open, "limit": incident_lists.LISTED}
    found = here.ask("incidents", here.scope, **asked)
    with_it = f" with “{words.plain(search)}” in them" if search else ""
    elsewhere = here.ask("incidents", query.Scope(), **asked) if search and not found.total else None
    if elsewhere is not None and elsewhere.total:
        found = elsewhere
        prose.lead(
            f"**{words.counted(found.total, 'incident')}**{with_it}, none of them opened {here.in_span} among what is "
            "chosen above."
        )
    else:
        is_all = not search and not only_open
        excluded = sum(here.ask("beside", "incident_volume", here.scope).excluded.values()) if is_all else 0
        prose.lead(
            f"**{words.counted(found.total, 'incident')}** opened {here.in_span}{with_it}"
            + (f" {'is' if found.total == 1 else 'are'} still open." if only_open else "")
            + (f", {words.number(excluded)} of them left out of every KPI." if excluded else "" if only_open else "."),
            f"The newest {incident_lists.LISTED} are listed." if found.total > incident_lists.LISTED else "",
        )
    if found.total:
        incident_lists.incident_list(found, "incidents-list", here.sql_of(found))
    elif search:
        prose.nothing("None of any other day has it either. Fewer words find more.")
    else:
        ways_out.nothing_matches(here)
    foot.foot(here, ("incident_volume",))
