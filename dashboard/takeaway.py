"""Taking it away: beside every picture and table the files that it can be had as, and above a page those of all of it.

Nothing is made until it is asked for: beside a part stands one word, what it opens asks for files only at a click.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboard import manners, marked, record, rendering, sheets, statements, webpage, words
from dashboard.record import Record, Taken

LABEL = "Take away"
WITH_SQL = "Files and SQL"
MOST_LINES = 260
"""Pixels of a question in SQL; the rest is scrolled to."""
ENDINGS = ("pdf", "html", "xlsx")
"""What a page can be made into."""
MIMES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "html": "text/html",
}
WITHOUT = (
    "PNG, SVG, PDF and HTML are drawn by the extra `report`. Whoever runs Meantime installs it beside it, "
    "`pip install '.[report]'`, and starts the dashboard again."
)
Make = Callable[[], bytes]


def offer(part: Taken, caption: str = "") -> None:
    """Set one word below a part's caption: a click on it opens what the part can be taken away as."""
    page = record.now()
    if caption:
        st.caption(caption)
    asked = None if isinstance(part, record.Tiles) else part.asked
    key = f"take-{len(page.entries)}"
    if st.button(LABEL if asked is None else WITH_SQL, type="tertiary", key=key):
        page.wanted = partial(_part, page, part, key)


@st.dialog("Take it away", width="medium")
def _part(page: Record, part: Taken, key: str) -> None:
    st.markdown(f"**{words.plain(part.title)}**")
    _buttons(files_of(page, part), part.title, page, key)
    if isinstance(part, record.Picture) and not rendering.is_there():
        st.caption(WITHOUT)
    if not isinstance(part, record.Tiles) and part.asked is not None:
        _questions(statements.together(part.title, page.stamp.shown, part.asked()), key)


def _questions(asked: list[str], key: str) -> None:
    """Set what was asked of the warehouse: to be copied, or to be asked again and changed."""
    for place, sql in enumerate(asked):
        st.code(sql, language="sql", height=MOST_LINES)
        if st.button("Open in Ask the data", key=f"{key}-ask-{place}", type="tertiary"):
            st.session_state["sql"] = sql
            st.session_state.pop("question", None)
            st.switch_page("app_pages/ask_the_data.py")


def of_page(page: Record) -> None:
    """Set the words above a page that open what it can be taken away as."""
    if st.button("Take this page away", type="tertiary", key="take-page"):
        page.wanted = partial(_page, page)


def open_wanted(page: Record) -> None:
    """Open what was clicked, when the page is drawn and knows what it shows."""
    if page.wanted is not None:
        wanted, page.wanted = page.wanted, None
        wanted()


@st.dialog("Take this page away")
def _page(page: Record) -> None:
    _buttons({ending: partial(make, page) for ending, make in makers().items()}, page.page, page, "take-page")
    if not rendering.is_there():
        st.caption(WITHOUT)


def files_of(page: Record, part: Taken) -> dict[str, Make]:
    """Give what a part can be had as, by the ending of the file's name."""
    files: dict[str, Make] = {}
    if part.rows is not None:
        files["csv"] = partial(as_csv, page, part)
        files["xlsx"] = partial(as_xlsx, page, part)
    if isinstance(part, record.Picture) and rendering.is_there():
        files |= {to: partial(rendering.plate, part.figure, page, to) for to in ("png", "svg")}
    return files


def makers() -> dict[str, Callable[[Record], bytes]]:
    """Give what a page can be made into, by the ending of the file's name."""
    drawn = {"pdf": rendering.pdf, "html": webpage.to_html} if rendering.is_there() else {}
    return {**drawn, "xlsx": page_as_xlsx}


def as_csv(page: Record, part: Taken) -> bytes:
    """Make the CSV of a part."""
    sheet = sheets.of_part(part)
    assert sheet is not None
    return sheets.to_csv(sheet, page, _subtitle(part))


def as_xlsx(page: Record, part: Taken) -> bytes:
    """Make the workbook of a part."""
    sheet = sheets.of_part(part)
    assert sheet is not None
    return sheets.to_xlsx([sheet], part.title, page, _subtitle(part))


def page_as_xlsx(page: Record) -> bytes:
    """Make the workbook of a page: a sheet for each picture and table."""
    title = marked.plain(page.title)
    return sheets.to_xlsx(sheets.of_page(page), title, page)


def _subtitle(part: Taken) -> str:
    return part.figure.subtitle if isinstance(part, record.Picture) else ""


def _buttons(files: dict[str, Make], title: str, page: Record, key: str) -> None:
    with st.container(horizontal=True):
        for ending, make in files.items():
            st.download_button(
                ending.upper(),
                partial(_as_read, page, make),
                file_name=f"{file_name(page, title)}.{ending}",
                mime=MIMES[ending],
                key=f"{key}-{ending}",
                on_click="ignore",
            )


def _as_read(page: Record, make: Make) -> bytes:
    with manners.like(page.manner):
        return make()


def file_name(page: Record, title: str) -> str:
    """Name a file by page, part and version, in signs that any system takes."""
    words = [page.page, *([title] if title != page.page else [])]
    name = "-".join(re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:60] for word in words)
    return f"meantime-{name.strip('-')}-v{page.stamp.version}"
