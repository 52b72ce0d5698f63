"""The shell: finds the pages, keeps the shared filters and the dateline, and nothing else."""

from __future__ import annotations

import ast
import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
# `streamlit run` puts this folder on the path instead of the one above it.
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

import streamlit as st  # noqa: E402

from dashboard import branding, manners, query, record, shell, takeaway, timings  # noqa: E402
from dashboard.parts import no_page, style  # noqa: E402

log = logging.getLogger("meantime.dashboard")
manners.follow(shell.locale)


class PageFile(NamedTuple):
    """One file of `app_pages`: the first line of its docstring is its title, ORDER its place in the navigation.

    NAME is what the navigation calls it where the title is too long for it.
    """

    path: Path
    title: str
    order: int


def discover(folder: Path = HERE / "app_pages") -> list[PageFile]:
    """Find the pages, in the order of the navigation."""
    found = []
    for path in sorted(folder.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        title = (ast.get_docstring(tree) or path.stem).splitlines()[0].rstrip(".")
        found.append(PageFile(path, str(told.get("NAME", title)), int(str(told.get("ORDER", 1000)))))
    return sorted(found, key=lambda page: (page.order, page.title))


def main() -> None:
    """Draw one page with what all pages share."""
    worn = branding.worn()
    st.set_page_config(page_title=worn.name, layout="wide", initial_sidebar_state="collapsed")
    if worn.logo:
        st.logo(worn.logo, size="large")
    style.style()
    files = discover()
    page = st.navigation(
        [
            st.Page(file.path, title=file.title, url_path=file.path.stem, default=at == 0)
            for at, file in enumerate(files)
        ],
        position="top",
    )
    data = Path(os.environ.get("MEANTIME_DATA", "data"))
    name = page.url_path or files[0].path.stem
    # Streamlit's spinner shows itself after half a second, and not at all on a page that is quicker.
    place = st.container(key="working")
    try:
        with ExitStack() as drawing:
            with place:
                drawing.enter_context(st.spinner("Working it out"))
            if shell.begin(data, page.url_path or files[0].path.stem):
                page.run()
                takeaway.open_wanted(record.now())
    except query.NoWarehouse:
        log.exception("the published version cannot be read")
        timings.PAGES.add(name, "failed")
        no_page.unreadable()
    except Exception:
        # What a reader needs is below; what an engineer needs is in the log.
        log.exception("page %s could not be drawn", page.title)
        timings.PAGES.add(name, "failed")
        no_page.failed(page.title)
    else:
        timings.PAGES.add(name, "drawn")


main()
