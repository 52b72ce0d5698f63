"""The words of a page: title, lead, questions, sentences, remarks, and the words for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import record, words


def title(text: str) -> None:
    """Set the page's title."""
    st.title(words.plain(text), anchor=False)
    record.text("title", words.plain(text))


def heading(text: str, anchor: str | bool = False) -> None:
    """Set the question of what follows."""
    st.header(words.plain(text), anchor=anchor)  # type: ignore[arg-type]  # an anchor's name, or none
    record.text("heading", words.plain(text))


def said(markdown: str) -> None:
    """Set a sentence; as Markdown, so strangers' text in it must be plain."""
    st.markdown(markdown)
    record.text("item" if markdown.startswith("- ") else "said", markdown)


def note(markdown: str) -> None:
    """Set a remark in small type; as Markdown, so strangers' text in it must be plain."""
    st.caption(markdown)
    record.text("note", markdown)


def lead(*said: str) -> None:
    """Set the sentences that answer the page's question; as Markdown, so strangers' text in them must be plain."""
    markdown = " ".join(sentence for sentence in said if sentence)
    with st.container(key="lead"):
        st.markdown(markdown)
    record.text("lead", markdown)


def nothing(sentence: str) -> None:
    """Say that there is nothing to see."""
    st.markdown(f":gray[{words.plain(sentence)}]")
    record.text("nothing", words.plain(sentence))


def told(lines: Sequence[str], otherwise: str) -> None:
    """Set findings as a list that reads on any screen, or say why there is none."""
    if not lines:
        nothing(otherwise)
    for line in lines[:MOST_TOLD]:
        said(f"- {line}")
    if len(lines) > MOST_TOLD:
        note(f"and {len(lines) - MOST_TOLD} more, in the table below")


MOST_TOLD = 12
