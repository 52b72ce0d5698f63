"""A tour of the definitions: a few stops on demand, each with what a word means and what it is in what is shown now."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import streamlit as st

from dashboard import sentences, words
from dashboard.view import View


class Stop(NamedTuple):
    """One stop: a title, a few sentences, and the KPIs that show what they mean."""

    title: str
    text: str
    kpis: tuple[str, ...] = ()


STOPS = (
    Stop(
        "The clock of an incident",
        "Four instants count: it is opened, a person takes it on, it is resolved, it is closed. Every duration runs from the "
        "opening. Closing comes days later in many tools and by itself, so it ends no duration.",
        ("incident_volume", "resolved_count"),
    ),
    Stop(
        "Time to resolve",
        "From the opening to the resolution that still stands: an incident that was reopened counts with the whole of its "
        "time, one that is open does not count yet. A few long ones pull the mean up, so the median stands beside it: half "
        "of the incidents took no longer.",
        ("mttr", "mttr_median", "mttr_p90"),
    ),
    Stop(
        "Time to acknowledge",
        "From the opening until a person took it on. An assignment by somebody else is dispatching, and an answer by a "
        "machine is none. What nobody took on has no time; it lowers the share beside it.",
        ("mtta", "mtta_median", "ack_rate"),
    ),
    Stop(
        "First contact",
        "Resolved by whoever was asked first: never handed on, reopened, escalated or held for the caller. Where a source "
        "does not tell, it is unknown, and unknown is not no. The coverage says for how many it is known.",
        ("fcr_rate", "fcr_coverage"),
    ),
    Stop(
        "What does not count",
        "Cancelled incidents, duplicates and tests are left out of every KPI, and counted at the foot of each page. One "
        "resolved together with its parent counts in the volume only. Each KPI is counted on its own day: what was opened "
        "in March and resolved in April is in March's volume and in April's time to resolve.",
        ("incident_volume", "backlog"),
    ),
    Stop(
        "How sure a number is",
        "Behind each value stand n, the incidents that it is made of, and an interval that holds the true one in 95 of 100 "
        "cases. A mean of under 200 durations is not settled. Of fewer than 5 there is no number at all.",
        ("mttr", "fcr_rate"),
    ),
    Stop(
        "Change or chance",
        "Only complete, comparable periods are compared. A change is called one only if the interval of the difference "
        "leaves out none at all. A signal is a period beyond the limits of what was usual before, or a long run on one "
        "side. Everything else is normal variation: hunting for its cause is no use.",
        ("incident_volume", "mttr"),
    ),
)


def offer(here: View) -> None:
    """Set the button that begins the tour."""
    st.button("Take the tour", help=f"{len(STOPS)} stops, two minutes", key="tour-begin", on_click=_go, args=(0,))
    if "tour" in st.session_state:
        _walk(here)


def _end() -> None:
    st.session_state.pop("tour", None)


@st.dialog("A tour of the definitions", on_dismiss=_end)
def _walk(here: View) -> None:
    at = st.session_state.get("tour", 0)
    stop = STOPS[at]
    st.caption(f"{at + 1} of {len(STOPS)}")
    st.markdown(f"**{stop.title}**")
    st.markdown(words.plain(stop.text))
    for line in _now(here, stop):
        st.markdown(line)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.button("Back", key="tour-back", disabled=at == 0, on_click=_go, args=(at - 1,))
        if at + 1 < len(STOPS):
            st.button("Next", key="tour-next", type="primary", on_click=_go, args=(at + 1,))
        elif st.button("Done", key="tour-done", type="primary"):
            _end()
            st.rerun()


def _go(at: int) -> None:
    st.session_state["tour"] = at


def _now(here: View, stop: Stop) -> list[str]:
    """Say what the KPIs of a stop are in what is shown, and how sure and how changed they are."""
    asked = replace(here, batch=tuple(dict.fromkeys(name for one in STOPS for name in one.kpis)))
    lines = []
    for name in stop.kpis:
        reading = asked.reading(name)
        told = [f"n {words.number(reading.n)}"] if reading.has_value else []
        if limits := sentences.interval(reading):
            told.append(f"95 %: {limits}")
        if stop.title == STOPS[-1].title and reading.change is not None:
            told = [sentences.arrow(reading), sentences.verdict(reading)]
        said = " · ".join(part for part in told if part)
        lines.append(
            f"- {words.plain(reading.title)}: **{sentences.amount(reading)}**"
            + (f" ({words.plain(said)})" if said else "")
        )
    return [*lines, f":small[:gray[{words.plain(here.in_span[:1].upper() + here.in_span[1:])}]]"]
