"""What is said and offered where the filters leave nothing to show or nothing to compare."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import filters, relaxed, words
from dashboard.parts import prose
from dashboard.view import View


def nothing_matches(here: View, otherwise: str = "") -> None:
    """Say which filters keep everything out, and offer to take them away.

    Args:
        here: what is shown.
        otherwise: what is said where there is something, and another condition of the page keeps it out.
    """
    ways: list[relaxed.Way] = here.ask("ways_out", here.scope)
    if ways and not ways[0].conditions:
        if otherwise:
            prose.nothing(f"{otherwise} Without it there {_are(ways[0].n)}.")
        return
    said = [f"without {_asked(here, way)} there {_are(way.n)}" for way in ways[:MOST_WAYS]]
    prose.nothing("No incidents match" + (f": {words.listing(said)}." if said else ", whatever is chosen."))
    for at, way in enumerate(ways[:MOST_WAYS]):
        st.button(
            words.plain(f"Take away {_asked(here, way)}"),
            key=f"way-{at}",
            on_click=_take_away,
            args=(way.conditions,),
        )


MOST_WAYS = 3


def _are(n: int) -> str:
    return f"{'is' if n == 1 else 'are'} {words.number(n)}"


def _asked(here: View, way: relaxed.Way) -> str:
    """Name conditions as a reader chose them: "Priority: P1" and the days."""
    chosen = dict(here.choice.where)
    named = [
        f"the days {here.span}"
        if column == relaxed.PERIOD
        else f"“{filters.COLUMNS[column]}: "
        f"{words.listing([filters.member(column, value) for value in chosen[column]], joined='or')}”"
        for column in way.conditions
    ]
    return words.listing(named, most=len(named))


def offer_later(here: View, name: str) -> None:
    """Offer the longest later period in which a KPI can be compared, if there is one."""
    period = here.comparable(name)
    if period is not None:
        st.button(
            f"Show the {filters.PERIODS[period]}",
            key=f"later-{name}",
            help="They can be compared with the days before them",
            on_click=_show,
            args=(period,),
        )


def _show(period: str) -> None:
    st.session_state["f_period"] = period


def _take_away(conditions: Sequence[str]) -> None:
    """Set the filters before they are drawn again: all days, all members."""
    for column in conditions:
        st.session_state[f"f_{column}"] = "all" if column == relaxed.PERIOD else []


def if_nothing(here: View) -> None:
    """Say what keeps everything out where none of the page's numbers counts anything."""
    if not any(here.reading(name).n for name in here.batch):
        nothing_matches(here)
