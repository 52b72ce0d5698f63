"""How a reader of *Explore* picks: the switches, the clicks on marks, and the URL, which always say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import exploring, filters, periods, query, record, words
from dashboard.exploring import Asked, Mark
from dashboard.parts import incident_lists, prose
from dashboard.query import Kpi
from dashboard.view import View

DAY = filters.DAY
SEVERAL = "These are several together; narrow the view with a filter to tell them apart."


def _kpis(here: View) -> dict[str, Kpi]:
    return here.warehouse.kpis


def _filled(here: View) -> list[str]:
    names = tuple(name for name in exploring.DIMENSIONS if name not in exploring.MOMENTS)
    found: list[str] = here.ask("filled", names)
    return found


def settle(here: View) -> Asked:
    """Settle between what the URL says and what was asked before.

    A link of the navigation drops the parameters, so an empty URL on coming back means "as before"; any other URL that
    this session did not write itself is followed.
    """
    state = st.session_state
    mine = {name: st.query_params.get_all(name) for name in exploring.KEYS if name in st.query_params}
    is_back = "x_kpi" not in state
    if "_asked" not in state or (mine != state["_asked_url"] and not (is_back and not mine)):
        asked, state["_asked_unknown"] = exploring.from_url(mine, _kpis(here), _filled(here), here.known)
        if unknown := state["_asked_unknown"]:
            st.caption(words.plain(f"This data does not know {words.listing(unknown)}; the rest of the link is on."))
        _set(asked)
    elif is_back:
        _set(state["_asked"])
    kept: Asked = state["_asked"]
    return kept


def _set(asked: Asked) -> None:
    """Have the switches say what is asked."""
    state = st.session_state
    state["_asked"] = asked
    state["x_kpi"], state["x_picture"] = asked.kpi, asked.picture
    state["x_by"], state["x_and"] = (*asked.by, "", "")[:2]
    state["x_against"] = exploring.SLICE if asked.other else asked.against
    state["x_column"], state["x_member"] = asked.other or (None, None)
    state["x_log"] = asked.scale == "log"


def _write(asked: Asked) -> None:
    url = exploring.to_url(asked)
    for name in exploring.KEYS:
        if name in url:
            if st.query_params.get_all(name) != url[name]:
                st.query_params[name] = url[name]
        elif name in st.query_params:
            del st.query_params[name]
    st.session_state["_asked"], st.session_state["_asked_url"] = asked, url


def switches(here: View, asked: Asked) -> Asked:
    """Set the switches, and give what they ask for."""
    state, kpis = st.session_state, _kpis(here)
    with st.container(key="switches", horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.selectbox(
            "KPI", _sorted(kpis), format_func=lambda name: kpis[name].title, key="x_kpi", width=300, on_change=_anew
        )
        there = exploring.splits(kpis[name], _filled(here))
        for key in ("x_by", "x_and"):
            if state.get(key) not in there:
                state[key] = ""
        first = st.selectbox("By", ["", *there], format_func=_dimension, key="x_by", width=200, on_change=_anew)
        second = ""
        if first:
            others = [one for one in there if one != first]
            if state.get("x_and") not in others:
                state["x_and"] = ""
            second = st.selectbox("and", ["", *others], format_func=_dimension, key="x_and", width=200, on_change=_anew)
        against = _against(here)
    picture = st.segmented_control(
        "Picture",
        list(exploring.PICTURES),
        format_func=exploring.PICTURES.__getitem__,
        key="x_picture",
        label_visibility="collapsed",
        required=True,
        on_change=_anew,
    )
    can_be_log = kpis[name].unit == "hours" and picture in ("trend", "multiples")
    scale = "log" if can_be_log and st.toggle("Log scale", key="x_log") else ""
    asked = asked._replace(
        kpi=name,
        by=tuple(one for one in (first, second) if one),
        picture=picture or Asked().picture,
        against=against,
        scale=scale,
    )
    _write(asked)
    return asked


def _sorted(kpis: Mapping[str, Kpi]) -> list[str]:
    # Asked most, so they stand first in the list.
    first = ("mttr", "mtta", "incident_volume", "fcr_rate", "backlog")
    return sorted(kpis, key=lambda name: (first.index(name) if name in first else len(first), kpis[name].title))


def _dimension(name: str) -> str:
    return exploring.DIMENSIONS[name] if name else "nothing"


def _against(here: View) -> str:
    state = st.session_state
    choices = [*exploring.AGAINST, *([exploring.SLICE] if here.known else [])]
    said = {**exploring.AGAINST, exploring.SLICE: "another slice"}
    against = st.selectbox(
        "Set against", choices, format_func=said.__getitem__, key="x_against", width=190, on_change=_anew
    )
    if against != exploring.SLICE:
        return against
    columns = list(here.known)
    if state.get("x_column") not in columns:
        state["x_column"] = "assignment_group" if "assignment_group" in columns else columns[0]
    column = st.selectbox(
        "Slice of", columns, format_func=lambda name: filters.COLUMNS[name], key="x_column", width=180, on_change=_anew
    )
    members = here.known[column]
    if state.get("x_member") not in members:
        state["x_member"] = members[0]
    member = st.selectbox(
        "namely",
        members,
        format_func=lambda value: exploring.member(column, value),
        key="x_member",
        width=200,
        on_change=_anew,
    )
    return f"{column}:{member}"


def _anew() -> None:
    """Another question: the incidents behind the one before are folded away."""
    state = st.session_state
    state["_asked"] = state["_asked"]._replace(adds=None, lists=False)


def key(name: str) -> str:
    """Name a picture anew after each click, so that nothing is picked in it."""
    return f"explore-{name}-{st.session_state.setdefault('_clicks', 0)}"


def clicked(
    here: View, asked: Asked, marked: Callable[[Mapping[str, Any]], Mark]
) -> Callable[[list[dict[str, Any]]], None]:
    """Say what a click does: it filters to what the mark stands for; where that is all that is shown, it lists the incidents."""

    def act(picked: list[dict[str, Any]]) -> None:
        st.session_state["_clicks"] += 1
        mark = marked(picked[0])
        if query.OTHERS in mark.members.values():
            st.toast(SEVERAL)
            return
        st.session_state["_asked"] = narrow(here, asked, mark)

    return act


def by_name(here: View, asked: Asked, marks: Sequence[tuple[str, Mark]]) -> None:
    """Offer by name what a click on a mark does: a picture has no marks that a keyboard reaches."""
    # Whoever types to find a name types the space that he has.
    named, widget = {label.replace(words.GAP, " "): mark for label, mark in marks}, key("mark")

    def act() -> None:
        chosen = st.session_state[widget]
        st.session_state["_clicks"] += 1
        st.session_state["_asked"] = narrow(here, asked, named[chosen])

    st.selectbox(
        "Pick a mark of the picture",
        list(named),
        index=None,
        placeholder="Narrow to ...",
        key=widget,
        label_visibility="collapsed",
        width=300,
        on_change=act,
    )


def narrow(here: View, asked: Asked, mark: Mark) -> Asked:
    """Filter to a mark; list the incidents where it is filtered to already, or where a mark is a class of incidents."""
    state = st.session_state
    before = (dict(here.choice.where), asked.only, here.since, here.until)
    shared, only = dict(here.choice.where), dict(asked.only)
    for column, member in mark.members.items():
        (shared if column in here.known else only)[column] = (member,)
    since, until = here.since, here.until
    if mark.since is not None:
        ends = periods.following(mark.since, here.grain) - DAY
        since, until = max(since, mark.since), ends if mark.since > until else min(until, ends)
    is_there_already = (shared, tuple(only.items()), since, until) == before
    for column, members in shared.items():
        state[f"f_{column}"] = list(members)
    if (since, until) != (here.since, here.until):
        # The grain stays, so that the mark stays the same.
        state["f_period"], state["f_days"], state["f_grain"] = "days", (since, until), here.grain
    return asked._replace(only=tuple(only.items()), adds=mark.adds, lists=is_there_already or mark.adds is not None)


def filtered_here(asked: Asked) -> None:
    """Say what is filtered on this page alone, with one click to take it away."""
    if not asked.only:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        prose.said(f"Here only: **{words.plain(exploring.in_words(asked))}**")
        st.button("Show all again", key="explore-all", type="tertiary", on_click=_all_again)


def _all_again() -> None:
    st.session_state["_asked"] = st.session_state["_asked"]._replace(only=(), lists=False, adds=None)


def incidents(here: View, asked: Asked, scope: query.Scope, marks: Sequence[tuple[str, Mark]] = ()) -> None:
    """Offer the marks by name and fold away the incidents behind the view, or list them where the URL or a second click asks for them."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if marks:
            by_name(here, asked, marks)
        if not asked.lists:
            st.button("List the incidents behind it", key="explore-list", on_click=_list, args=(True,))
    if not asked.lists:
        return
    found: query.Incidents = here.ask("behind", asked.kpi, scope, incident_lists.LISTED, asked.adds)
    prose.heading("The incidents behind it")
    few = f", the first {incident_lists.LISTED} are listed" if found.total > incident_lists.LISTED else ""
    of = ""
    if asked.adds is not None:
        kind = here.kind(asked.kpi)
        ends = [words.value(end, kind) for end in asked.adds if end is not None]
        of = f" of {' to under '.join(ends)}{'' if asked.adds[1] is not None else ' and more'}"
    prose.note(words.plain(f"{words.counted(found.total, 'incident')}{of}{few}"))
    if found.total:
        incident_lists.incident_list(found, "explore-incidents", here.sql_of(found))
    else:
        prose.nothing("There are none.")
    st.button("Fold the list away", key="explore-fold", on_click=_list, args=(False,), type="tertiary")


def _list(lists: bool) -> None:
    asked: Asked = st.session_state["_asked"]
    st.session_state["_asked"] = asked._replace(lists=lists, adds=asked.adds if lists else None)


def saved(here: View, asked: Asked) -> None:
    """List the views that the configuration names, and give the text that would name this one."""
    views = here.ask("saved_views")
    title = "Saved views"
    with st.expander(title), record.fold(title):
        for one in views:
            st.page_link("app_pages/explore.py", label=words.plain(one.name), query_params=one.link)
        if not views:
            prose.nothing("The configuration names none yet.")
        st.caption("To keep this view under a name, write this into meantime.toml; the next refresh publishes it:")
        st.code(exploring.as_toml("Name of this view", here.choice, asked), language="toml")
