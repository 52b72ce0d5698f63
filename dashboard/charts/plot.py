"""What every picture is set in: fonts, lines, height, and the sentence that stands for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from dashboard import manners
from dashboard.charts.palette import Palette
from dashboard.statements import Statement

FONT = "'Source Sans', 'Source Sans Pro', 'Source Sans 3', sans-serif"
HEIGHT = 300


Asked = Callable[[], Sequence[Statement]]
"""Tells what was asked of the warehouse, when somebody wants to know."""


class Figure(NamedTuple):
    """A picture with its question, its n and period, and the finding that stands for it where it cannot be seen."""

    title: str
    subtitle: str
    chart: alt.Chart | alt.LayerChart
    alt: str
    height: int = HEIGHT
    rows: Callable[[], pl.DataFrame] | None = None
    """What is drawn, typed and with units, for a file; laid out only when it is asked for."""
    asked: Asked | None = None
    """What was asked of the warehouse for it; see `view.traced`."""


def when(test: str, value: str) -> dict[str, str]:
    """Give the value of a mark for which a test holds; as Altair's own condition it would be looked up in the schema."""
    return {"test": test, "value": value}


def dressed(chart: Any, colours: Palette, height: int = HEIGHT, right: int = 8, top: int = 4) -> Any:
    """Give a chart the fonts, lines and colours of the page; the fit makes room for what stands outside the plot."""
    # Set in place: each of Altair's own methods would copy the whole chart.
    chart.width = "container"
    chart.height = height
    chart.background = "transparent"
    chart.padding = {"left": 4, "right": right, "top": top, "bottom": 6}
    chart.autosize = {"type": "fit", "contains": "padding"}
    chart.config = {
        **manners.here().vega(),
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": colours.muted,
            "titleColor": colours.muted,
            "titleFontWeight": "normal",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "gridColor": colours.lines,
            "domainColor": colours.muted,
            "tickColor": colours.muted,
        },
        "axisY": {
            "domain": False,
            "ticks": False,
            "titleAngle": 0,
            "titleAlign": "left",
            "titleAnchor": "end",
            "titleX": 0,
            "titleY": -21,
            "labelPadding": 6,
            "grid": True,
        },
        "axisX": {"grid": False, "labelPadding": 4, "labelOverlap": True, "labelSeparation": 10},
    }
    return chart


def text(colours: Palette, **more: Any) -> dict[str, Any]:
    """Give the look of words within a picture."""
    return {"fontSize": 12, "font": FONT, "color": colours.muted, **more}


def picking(*fields: str) -> alt.Parameter:
    """Give the selection by which a mark that is clicked is known."""
    return alt.selection_point(name="picked", fields=list(fields), on="click", clear="dblclick")
