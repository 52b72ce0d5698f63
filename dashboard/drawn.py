"""An answer of columns that nobody knows beforehand, as a picture where it has a shape that can be drawn."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from dashboard import words
from dashboard.charts import plot, ranking, vega
from dashboard.charts.palette import Palette
from dashboard.charts.plot import Figure

MOST_POINTS = 2_000


def picture(answer: pl.DataFrame, colours: Palette) -> Figure | None:
    """Draw the first column of numbers over the first of stamps, or for each member of the first of words."""
    measure = next((name for name, kind in answer.schema.items() if kind.is_numeric()), None)
    if measure is None:
        return None
    for key, kind in answer.schema.items():
        if key == measure or not (kind.is_temporal() or isinstance(kind, pl.String)):
            continue
        rows = answer.select(pl.col(key).alias("at"), pl.col(measure).cast(pl.Float64).alias("v"))
        rows = rows.filter(pl.col("v").is_finite())
        if rows.height < 2 or rows["at"].is_duplicated().any():
            continue
        if isinstance(kind, (pl.Date, pl.Datetime)):
            return _over_time(rows.drop_nulls().sort("at").head(MOST_POINTS), key, measure, colours)
        if isinstance(kind, pl.String) and rows["v"].min() >= 0:  # type: ignore[operator]  # floats, at least two
            return _by_name(rows, key, measure, colours)
    return None


def _over_time(rows: pl.DataFrame, key: str, measure: str, colours: Palette) -> Figure:
    told = [
        {
            "at": at.isoformat(),
            "v": value,
            "label": words.number(value),
            "when": f"{at:%Y-%m-%d %H:%M}".removesuffix(" 00:00"),
        }
        for at, value in rows.iter_rows()
    ]
    # Streamlit draws once before the rows arrive: the reach of an axis must not depend on them.
    domain = [told[0]["at"], told[-1]["at"]]
    values = [*rows["v"], 0.0]
    line = (
        alt.Chart(vega.data(told))
        .mark_line(color=colours.accent, point=alt.OverlayMarkDef(color=colours.accent, size=28))
        .encode(
            x=alt.X("at:T", title=None, scale=alt.Scale(domain=domain)),
            y=alt.Y("v:Q", title=measure, scale=alt.Scale(domain=[min(values), max(values)], nice=True)),
            tooltip=_tooltips("when", key, measure),
        )
    )
    first, last = told[0], told[-1]
    return Figure(
        f"{measure} over {key}",
        words.counted(rows.height, "row"),
        plot.dressed(vega.laid(line), colours),
        f"{measure} from {first['label']} at {first['when']} to {last['label']} at {last['when']}",
        rows=lambda: rows.rename({"at": key, "v": measure}),
    )


def _by_name(rows: pl.DataFrame, key: str, measure: str, colours: Palette) -> Figure:
    shown = rows.sort("v", descending=True, maintain_order=True).head(ranking.MOST_BARS)
    told = [
        {"name": "none" if name is None else name, "v": value, "label": words.number(value)}
        for name, value in shown.iter_rows()
    ]
    base = alt.Chart(vega.data(told)).encode(
        y=alt.Y(
            "name:N",
            sort=[row["name"] for row in told],
            axis=alt.Axis(title=None, grid=False, labelLimit=150, labelColor=colours.ink),
        ),
        x=alt.X("v:Q", axis=None, scale=alt.Scale(domain=[0, 1.22 * (max(row["v"] for row in told) or 1)], nice=False)),
        tooltip=_tooltips("name", key, measure),
    )
    bars = base.mark_bar(color=colours.accent, height={"band": 0.66})
    labels = base.mark_text(color=colours.ink, align="left", dx=6, fontSize=12).encode(text=alt.Text("label:N"))
    more = rows.height - shown.height
    most = told[0]
    return Figure(
        f"{measure} by {key}",
        words.counted(rows.height, "row") + (f", the greatest {shown.height} of them" if more else ""),
        plot.dressed(vega.laid(bars, labels), colours, max(90, 27 * len(told) + 30)),
        f"{measure} is greatest for {most['name']}: {most['label']}",
        rows=lambda: rows.rename({"at": key, "v": measure}),
    )


def _tooltips(key: str, title: str, measure: str) -> list[Any]:
    return [alt.Tooltip(f"{key}:N", title=title), alt.Tooltip("label:N", title=measure)]
