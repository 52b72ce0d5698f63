"""What stands above every page: the dateline, the line that says what is on, and the filters, kept in the URL."""

from __future__ import annotations

import os
from datetime import date
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import branding, filters, manners, record, takeaway, view, words
from dashboard.filters import COLUMNS, NONE, Choice
from dashboard.parts import no_page, style
from dashboard.view import View

DAYS = {"dmy": "DD/MM/YYYY", "mdy": "MM/DD/YYYY", "ymd": "YYYY-MM-DD"}
"""How a day is typed, by the order that its reader is used to."""
MOST_OPTIONS = 1000
"""A longer list of choices is no help; the most frequent are in it, and so is what the URL names."""
SECONDS_BETWEEN_LOOKS = 15


def begin(data: Path, page: str) -> bool:
    """Set what is above the page; say whether there are incidents to show below it."""
    path = view.newest(data)
    if path is None or view.warehouse(path).first_day is None:
        no_page.how_to_load()
        _wait_for_data(data, path)
        return False
    members: dict[str, list[str | None]] = view.ask(path, "choices")
    known = {column: _known(column, members.get(column, [])) for column in COLUMNS}
    known = {column: values for column, values in known.items() if len(values) > 1}
    choice = _choose(known, page)
    here = view.choose(path, choice, known, style.colours())
    page_record = record.begin(page, here.colours)
    with st.container(key="masthead", horizontal=True, horizontal_alignment="distribute", gap="small"):
        made_up = " :orange-badge[Sample data: made up, of no real service desk]" if here.is_sample else ""
        st.markdown(f"**{words.plain(branding.worn().name)}**{made_up}")
        st.markdown(f":gray[{_dateline(here)}]")
    with st.container(key="shown", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(words.plain(filters.in_words(choice, here.since, here.until, here.grain)))
        with st.popover("Change what is shown", key="filters"):
            _widgets(here)
        if choice.period != "quarter":
            st.button("Last quarter", key="quarter", on_click=_last_quarter, type="tertiary")
        if not choice.is_default:
            st.button("Clear", key="clear", on_click=_clear, type="tertiary")
        takeaway.of_page(page_record)
        _offer_news(data, path, view.news(path))
    _say_unknown()
    return True


def locale() -> str | None:
    """Give the locale of whoever reads: the configured one, else the browser's."""
    if fixed := os.environ.get("MEANTIME_LOCALE"):
        return fixed
    return st.context.locale if get_script_run_ctx(suppress_warning=True) else None


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def _offer_news(data: Path, shown: str, told: str) -> None:
    """Say that a version is published that tells more than the one on the page, and show it when the reader says so.

    What is chosen lives in the URL and the session, so the page stays what it is. A run that found nothing new publishes,
    too, since time went by; nobody is disturbed for that.
    """
    path = view.newest(data)
    if path not in (None, shown) and view.news(path) != told and st.button("New data: show it", key="news"):
        st.rerun()


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def _wait_for_data(data: Path, seen: str | None) -> None:
    """Go on by itself as soon as something is published: nobody is reading anything here."""
    if view.newest(data) not in (None, seen):
        st.rerun()


def _dateline(here: View) -> str:
    seconds = max(0.0, (here.now - here.as_of).total_seconds())
    return words.plain(
        f"Data as of {words.moment(here.as_of)}, {words.age(seconds)} ago · days and times in {here.zone}"
    )


def _known(column: str, found: list[str | None]) -> list[str]:
    members = [NONE if member is None else member for member in found]
    asked = set(st.query_params.get_all(column)) | set(st.session_state.get(f"f_{column}") or ())
    values = [member for at, member in enumerate(members) if at < MOST_OPTIONS or member in asked]
    return sorted(values, key=lambda value: (value == NONE, value)) if column == "priority" else values


def _choose(known: dict[str, list[str]], page: str) -> Choice:
    """Settle between what the widgets say and what the URL says, and make both say the same.

    A link of the navigation drops the parameters, so an empty URL on another page means "as before"; any other URL that
    this session did not write itself (a bookmark, the browser's back button) is followed.
    """
    state = st.session_state
    mine = {name: st.query_params.get_all(name) for name in st.query_params if filters.names({name: ""})}
    is_new_page = state.get("_page") != page
    if "_url" not in state or (mine != state["_url"] and not (is_new_page and not mine)):
        choice, state["_unknown"] = filters.from_url(mine, known)
        _set_widgets(choice, known)
    elif is_new_page and "_choice" in state:
        # A link that is clicked while its page is still being drawn takes the widgets' new values with it.
        _set_widgets(state["_choice"], known)
    choice = state["_choice"] = _from_widgets(known)
    url = filters.to_url(choice)
    if url != mine:
        for name in [name for name in mine if name not in url]:
            del st.query_params[name]
        for name, values in url.items():
            st.query_params[name] = values
    state["_url"], state["_page"] = url, page
    return choice


def _set_widgets(choice: Choice, known: dict[str, list[str]]) -> None:
    state = st.session_state
    chosen = dict(choice.where)
    state["f_period"], state["f_grain"], state["f_days"] = choice.period, choice.grain or "auto", choice.days or ()
    for column in known:
        state[f"f_{column}"] = list(chosen.get(column, ()))


def _from_widgets(known: dict[str, list[str]]) -> Choice:
    state = st.session_state
    days: tuple[date, ...] = state.get("f_days") or ()
    period = state.get("f_period") or filters.DEFAULT_PERIOD
    where = tuple(
        (column, tuple(value for value in values if value in chosen))
        for column, values in known.items()
        if (chosen := set(state.get(f"f_{column}") or ())) & set(values)
    )
    grain = state.get("f_grain") or "auto"
    if len(days) == 2:
        # While a reader has picked only the first of two days, the last whole pair goes on.
        state["_days"] = (days[0], days[1])
    complete = state.get("_days")
    return Choice(
        period,
        complete if period == "days" else None,
        None if grain == "auto" else grain,
        where,
    )


def _last_quarter() -> None:
    """Show the last quarter that is over: what most reports are about."""
    st.session_state["f_period"] = "quarter"


def _clear() -> None:
    """Forget every filter; the widgets are set before they are drawn again."""
    for name in [name for name in st.session_state if str(name).startswith("f_")]:
        del st.session_state[name]
    st.session_state["_unknown"] = []


def _widgets(here: View) -> None:
    state = st.session_state
    state.setdefault("f_period", filters.DEFAULT_PERIOD)
    state.setdefault("f_grain", "auto")
    st.selectbox("Period", list(filters.PERIODS), format_func=filters.PERIODS.__getitem__, key="f_period")
    if here.choice.period == "days":
        if len(state.get("f_days") or ()) == 0:
            state["f_days"] = (here.since, here.until)
        st.date_input("Days, both included", key="f_days", format=DAYS[manners.here().order])
    automatic = filters.GRAINS[filters.grain_for(here.since, here.until)]
    st.selectbox(
        "Grain",
        ["auto", *filters.GRAINS],
        format_func=lambda name: filters.GRAINS.get(name, f"as it fits ({automatic})"),
        key="f_grain",
    )
    for column, values in here.known.items():
        state.setdefault(f"f_{column}", [])
        st.multiselect(
            COLUMNS[column],
            values,
            format_func=partial(filters.member, column),
            key=f"f_{column}",
            placeholder=f"all {filters.PLURALS[column]}",
        )


def _say_unknown() -> None:
    unknown = st.session_state.get("_unknown")
    if unknown:
        st.caption(words.plain(f"This data does not know {words.listing(unknown)}; the rest of the link is on."))
