"""What stands where no page can be: nothing is published yet, it cannot be read, or a page failed."""

from __future__ import annotations

import streamlit as st

from dashboard import record, words


def how_to_load() -> None:
    """Say how the first export gets in."""
    st.title("No incidents yet", anchor=False)
    with st.container(key="lead"):
        st.markdown("Nothing has been published so far. Whoever runs Meantime fills it with one of these commands:")
    for said, command in FIRST_COMMANDS:
        st.markdown(said)
        st.code(command, language=None, wrap_lines=True)
    st.markdown("This page shows the overview by itself as soon as there is something of yours to show.")


FIRST_COMMANDS = (
    ("To look around, made-up incidents with a dashboard of their own:", "meantime demo"),
    ("A first export of your tool:", "meantime load incidents.csv --as servicenow --timezone Europe/Berlin"),
    ("A tool that is asked by itself from now on:", "meantime init && meantime refresh"),
)
"""Three ways to the first page, each with what it is for."""


def failed(page: str | None = None) -> None:
    """Say that a page could not be drawn, or, without its name, that something on it failed."""
    record.now().has_failed = True
    st.header("This page could not be drawn" if page else "This did not work", anchor=False)
    what = f"setting “{words.plain(page)}”" if page else "doing what you asked for"
    st.markdown(
        f"Something went wrong while {what}. The data are as they were and the other pages are "
        "still right. Reload the page; if it comes back, tell whoever runs Meantime: the server's log says what happened."
    )


def unreadable() -> None:
    """Say that what is published cannot be read, and who can help."""
    st.title("The data cannot be read at the moment", anchor=False)
    with st.container(key="lead"):
        st.markdown(
            "What was published last cannot be opened, so no page shows a number. Nothing is lost: the exports are kept. "
            "Tell whoever runs Meantime: the server's log says what is wrong, and this command makes the data anew."
        )
    st.code("meantime rebuild", language=None)
