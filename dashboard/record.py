"""What a page has set, part by part, as it set it: every file that is taken away is made of this.

A page is written once, for the browser. The parts that it is set from note themselves here as they are drawn, so a report
says what the page says, with the choices that its reader made on it, and a new page has its report by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl
import streamlit as st

from dashboard import manners
from dashboard.charts.palette import LIGHT, Palette
from dashboard.charts.plot import Asked, Figure
from dashboard.charts.sparks import Spark
from dashboard.manners import HOUSE, Manner

Rows = Callable[[], pl.DataFrame]
"""Typed rows, with the unit in the header; laid out only when somebody takes them away."""


class Text(NamedTuple):
    """Words as Markdown, and their place: title, lead, heading, said, item, note or nothing."""

    role: str
    markdown: str


class Tile(NamedTuple):
    """One number with what stands around it; `lines` are Markdown."""

    title: str
    value: str
    lines: tuple[str, ...]
    spark: Spark | None = None
    """Its course."""
    alt: str = ""


class Tiles(NamedTuple):
    """Numbers side by side."""

    title: str
    tiles: tuple[Tile, ...]
    rows: Rows


class Picture(NamedTuple):
    """A chart under its question."""

    figure: Figure

    @property
    def title(self) -> str:
        """The question."""
        return self.figure.title

    @property
    def rows(self) -> Rows | None:
        """The numbers that are drawn."""
        return self.figure.rows

    @property
    def asked(self) -> Asked | None:
        """What was asked of the warehouse for it."""
        return self.figure.asked


class Table(NamedTuple):
    """A table: as it is shown, and with the types and units that a file needs."""

    title: str
    shown: pl.DataFrame
    rows: Rows
    units: Mapping[str, str] = {}
    """Column -> its kind, where what is shown does not say it."""
    asked: Asked | None = None
    """What was asked of the warehouse for it."""


Part = Text | Tiles | Picture | Table
Taken = Tiles | Picture | Table
"""What can be taken away by itself."""


class Definition(NamedTuple):
    """What a KPI means."""

    title: str
    macro: str
    unit: str
    counted_at: str
    meaning: str


@dataclass(frozen=True)
class Stamp:
    """What each file carries, whatever is in it."""

    shown: str = ""
    """The filters, the days and the grain, in words."""
    zone: str = ""
    known_up_to: str = ""
    version: int = 0
    is_made_up: bool = False
    foot: tuple[str, ...] = ()
    """What stands at the page's foot: sources, what is left out, what is joined."""
    definitions: tuple[Definition, ...] = ()

    def lines(self) -> list[tuple[str, str]]:
        """Say it line by line: a name, and what there is."""
        made_up = [("Sample data", "made up, of no real service desk")] if self.is_made_up else []
        return [
            ("Shown", self.shown),
            ("Days and times in", self.zone),
            ("Data as of", self.known_up_to),
            ("Published version", str(self.version)),
            *made_up,
            *(("Note", line) for line in self.foot),
        ]


class Entry(NamedTuple):
    """A part, and under what it is folded away on the page, if it is."""

    part: Part
    fold: str = ""


@dataclass
class Record:
    """One page as it was drawn last."""

    page: str = ""
    colours: Palette = LIGHT
    entries: list[Entry] = field(default_factory=list)
    stamp: Stamp = Stamp()
    has_failed: bool = False
    wanted: Callable[[], None] | None = None
    """What opens what its reader clicked to take away."""
    manner: Manner = HOUSE
    """How its reader writes numbers and days."""
    fold: str = ""
    """Under what the next parts are folded away."""

    @property
    def parts(self) -> list[Part]:
        """Everything that the page set, in order."""
        return [entry.part for entry in self.entries]

    @property
    def title(self) -> str:
        """The page's title, as Markdown."""
        return next((part.markdown for part in self.parts if isinstance(part, Text) and part.role == "title"), "")

    @property
    def taken(self) -> list[Taken]:
        """What can be taken away by itself, in order."""
        return [part for part in self.parts if not isinstance(part, Text)]


def begin(page: str, colours: Palette) -> Record:
    """Begin a page anew."""
    record = Record(page, colours, manner=manners.here())
    st.session_state["_record"] = record
    return record


def now() -> Record:
    """Give the record of the page that is being drawn."""
    found: Record | None = st.session_state.get("_record")
    return begin("", LIGHT) if found is None else found


def note(part: Part) -> None:
    """Keep a part of the page that is being drawn."""
    record = now()
    record.entries.append(Entry(part, record.fold))


@contextmanager
def fold(title: str) -> Iterator[None]:
    """Say of what is set within that it is folded away under a title."""
    record = now()
    record.fold = title
    try:
        yield
    finally:
        record.fold = ""


def text(role: str, markdown: str) -> None:
    """Keep words of the page that is being drawn."""
    note(Text(role, markdown))
