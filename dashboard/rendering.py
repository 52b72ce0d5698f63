"""Pages and pictures as files to look at: PNG and SVG of one chart, a page as PDF or as one HTML file."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import streamlit as st

from dashboard import branding, marked, tones, words
from dashboard.charts import palette, vega
from dashboard.charts.palette import Palette
from dashboard.charts.plot import Figure
from dashboard.record import Picture, Record, Table, Text, Tiles

NEEDED = ("vl_convert", "typst", "font_source_sans_pro", "font_source_serif_pro")
SECONDS = 120
"""What drawing may take."""
WIDTHS = {1: 1040, 2: 505, 3: 330}
"""Pixels of a chart by how many stand side by side."""
ALONE = 960
"""Pixels of a chart that is taken away by itself."""
SPARK = 220
ONE_SHEET = ("overview",)
"""Pages that are made for one sheet: what they fold away is left to the other files."""
MOST_SIGNS = 200
"""Of a cell on paper; files to work with have all of it."""


class RenderingError(Exception):
    """A file could not be drawn; the message says why."""


def is_there() -> bool:
    """Say whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDED)


def press(job: Mapping[str, Any]) -> bytes:
    """Have a job done by a process of its own.

    Raises:
        RenderingError: it failed or took too long.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dashboard.press"],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=SECONDS,
            cwd=Path(__file__).resolve().parents[1],
            # It needs nothing else of what this process was told, and secrets may be in it.
            env={name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RenderingError(f"drawing took longer than {SECONDS} s and was stopped") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        raise RenderingError(f"the file could not be drawn: {last[-1] if last else 'the process ended without a word'}")
    return done.stdout


def _spec(chart: Any, width: int, tints: Mapping[str, str] | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = _clean(vega.spec(chart), tints or {})
    return {**spec, "width": width}


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Signs that no XML may hold."""


def _clean(value: Any, tints: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return tints.get(value) or _CONTROL.sub("", value)
    if isinstance(value, dict):
        return {name: _clean(one, tints) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(one, tints) for one in value]
    return value


def light_tints(colours: Palette) -> dict[str, str]:
    """Say which colour of the light theme stands for each of another one, and for each mixture of two."""
    light = palette.themed(st.get_option, dark=False)
    if colours == light:
        return {}
    # What comes first wins: the priorities repeat the accent.
    pairs = list(dict(reversed(list(zip(_all(colours), _all(light), strict=False)))).items())
    found: dict[str, str] = {}
    for one, other in pairs:
        for ground, ground_light in ((colours.ink, light.ink), (colours.paper, light.paper)):
            for step in range(1, 20):
                found[tones.mixed(one, ground, step / 20)] = tones.mixed(other, ground_light, step / 20)
        found[tones.legible(one, colours.paper, colours.ink)] = tones.legible(other, light.paper, light.ink)
    return {**found, **dict(pairs)}


def _all(colours: Palette) -> list[str]:
    """Give every colour once; what comes first wins."""
    listed = [colours.paper, colours.panel, colours.ink, colours.muted, colours.lines, *colours.series, colours.others]
    return [*listed, *colours.priorities]


def plate(figure: Figure, record: Record, to: str) -> bytes:
    """Draw one chart with its question, what it shows and what its KPIs mean, as `png` or `svg`."""
    colours = record.colours
    stamp = record.stamp
    lines = [
        " · ".join(f"{name}: {said}" if name != "Shown" else said for name, said in stamp.lines()[:5] if name != "Note")
    ]
    lines += [f"{one.title}: {one.meaning}" for one in stamp.definitions]
    told = {
        "title": figure.title,
        "subtitle": figure.subtitle,
        "alt": figure.alt,
        "lines": [_CONTROL.sub("", line) for line in lines],
        "paper": colours.paper,
        "ink": colours.ink,
        "muted": colours.muted,
    }
    return press({"to": to, "charts": [_spec(figure.chart, ALONE)], "plate": told})


class Block(NamedTuple):
    """A stretch of a page in a report: words, tiles, up to three pictures side by side, or a table."""

    kind: str
    parts: tuple[Any, ...]
    fold: str = ""


def blocks(record: Record) -> Iterator[Block]:
    """Lay out a page: its first picture across the whole width, the others two or three side by side."""
    run: list[Picture] = []
    fold, is_first = "", True

    def rows() -> Iterator[Block]:
        nonlocal is_first
        if is_first and run:
            yield Block("pictures", (run.pop(0),), fold)
            is_first = False
        while run:
            many = 3 if len(run) % 3 in (0, 1) and len(run) >= 3 else 2 if len(run) >= 2 else 1
            if len(run) == 5:
                many = 3
            yield Block("pictures", tuple(run[:many]), fold)
            del run[:many]

    for entry in record.entries:
        if isinstance(entry.part, Picture) and (not run or entry.fold == fold):
            run.append(entry.part)
            fold = entry.fold
            continue
        yield from rows()
        fold = entry.fold
        if isinstance(entry.part, Picture):
            run.append(entry.part)
        else:
            yield Block(type(entry.part).__name__.lower(), (entry.part,), entry.fold)
    yield from rows()


class Layout(NamedTuple):
    """A page that is laid out: its blocks, and the charts in the order in which the blocks name them."""

    blocks: list[dict[str, Any]]
    charts: list[dict[str, Any] | str]
    """As Vega-Lite reads them; those of tiles are drawn already."""


def laid_out(record: Record, *, with_folded: bool = True) -> Layout:
    """Lay out a page in the light theme."""
    tints = light_tints(record.colours)
    light = palette.themed(st.get_option, dark=False)
    drawn: list[dict[str, Any] | str] = []
    found: list[dict[str, Any]] = []

    def place(chart: dict[str, Any] | str) -> int:
        drawn.append(chart)
        return len(drawn) - 1

    def draw(chart: Any, width: int) -> int:
        return place(_spec(chart, width, tints))

    heading = ""
    for block in blocks(record):
        if block.fold and not with_folded:
            continue
        told: dict[str, Any] = {"kind": block.kind, "fold": block.fold}
        first = block.parts[0]
        if isinstance(first, Text):
            heading = marked.plain(first.markdown) if first.role == "heading" else heading
            told |= {"role": first.role, "runs": _runs(first.markdown.removeprefix("- "))}
        elif isinstance(first, Tiles):
            told["tiles"] = [
                {
                    "title": tile.title,
                    "value": tile.value,
                    "lines": [_runs(line) for line in tile.lines if line.strip(words.GAP)],
                    "chart": None if tile.spark is None else place(tile.spark.svg(light, SPARK)),
                    "alt": tile.alt,
                }
                for tile in first.tiles
            ]
        elif isinstance(first, Picture):
            width = WIDTHS[len(block.parts)]
            told["pictures"] = [
                {
                    # A heading that asks the same stands above it already.
                    "title": "" if one.title == heading else one.title,
                    "subtitle": one.figure.subtitle,
                    "chart": draw(one.figure.chart, width),
                    "alt": one.figure.alt,
                }
                for one in block.parts
            ]
        elif isinstance(first, Table):
            # Nor does a table repeat what stands above it.
            told |= {"title": "" if first.title in (heading, block.fold) else first.title, **_cells(first)}
        found.append(_clean(told, {}))
    return Layout(found, drawn)


def _runs(markdown: str) -> list[dict[str, Any]]:
    return [run._asdict() for run in marked.runs(markdown)]


def _cells(table: Table) -> dict[str, Any]:
    frame = table.shown
    units = table.units
    return {
        "header": list(frame.columns),
        "right": [kind.is_numeric() for kind in frame.dtypes],
        "rows": [
            [cell(value, units.get(name, "")) for name, value in row.items()] for row in frame.iter_rows(named=True)
        ],
    }


def cell(value: Any, kind: str = "") -> str:
    """Say a value of a table as the page's table shows it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return words.moment(value)
    if isinstance(value, date):
        return words.day(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "share":
        return words.share(value)
    if isinstance(value, int):
        return words.number(value)
    if isinstance(value, float):
        return f"{value:,.2f}".replace("-", words.MINUS)
    return ", ".join(map(str, value)) if isinstance(value, (list, pl.Series)) else str(value)


def foot(record: Record) -> list[str]:
    """Say below a page what it stands on."""
    return [" · ".join(f"{name} {said}" for name, said in record.stamp.lines() if name != "Note"), *record.stamp.foot]


def pdf(record: Record) -> bytes:
    """Set a page on A4; what is folded away on the page follows on sheets of its own."""
    layout = laid_out(record, with_folded=record.page not in ONE_SHEET)
    for block in layout.blocks:
        if block["kind"] == "table":
            block["rows"] = [[one[:MOST_SIGNS] + "…" * (len(one) > MOST_SIGNS) for one in row] for row in block["rows"]]
        if block["kind"] == "text":
            for run in block["runs"]:
                run["text"] = run["text"][:5000]
    page = {
        "name": branding.worn().name,
        "title": marked.plain(record.title),
        "blocks": layout.blocks,
        "foot": foot(record),
        "shown": record.stamp.shown,
        "made_up": record.stamp.is_made_up,
        "definitions": [one._asdict() for one in record.stamp.definitions],
        "colours": palette.themed(st.get_option, dark=False)._asdict(),
    }
    return press({"to": "pdf", "charts": layout.charts, "page": _clean(page, {})})


def drawings(layout: Layout) -> list[str]:
    """Draw every chart of a layout as SVG."""
    found: list[str] = json.loads(press({"to": "svgs", "charts": layout.charts}))
    return found
