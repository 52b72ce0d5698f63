"""Under the tiles: what their verdicts rest on, and on demand the chart that each comes from."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import judging, record, words
from dashboard.charts.scales import Unit
from dashboard.parts import pictures, prose, tiles
from dashboard.view import View


def panel(here: View, names: Sequence[str], key: str) -> None:
    """Say under the tiles what their verdicts rest on, and fold away the charts that they come from."""
    found = here.watched(names)
    judged = [one for one in found.values() if not one.chart.verdict.cannot]
    if judged:
        prose.note(
            words.plain(
                f"Verdicts are on the last complete {here.grain}, against up to "
                f"{max(one.chart.baseline.periods for one in judged)} {here.grain}s before. By mistake the rules "
                f"signal in {judging.wrong(judged)}."
            )
        )
    folded = st.expander("What is a signal here?", key=f"signals-{key}", on_change="rerun")
    if not folded.open:
        return
    with folded, record.fold("What is a signal here?"):
        prose.said(words.plain(RULES.replace("period", here.grain)))
        name = st.selectbox(
            "Of",
            list(found),
            format_func=lambda name: tiles.SHORT.get(name, here.kpi(name).title),
            key=f"signals-{key}-of",
            label_visibility="collapsed",
            persist_state="session",
        )
        if name is None:
            return
        title = tiles.SHORT.get(name, here.kpi(name).title)
        prose.said(f"**{words.plain(judging.verdict(found[name]))}**")
        pictures.show(judging.figure(here, found[name], title), otherwise="There is nothing to draw.")
        said = judging.why(found[name], Unit(here.kind(name), title))
        if said:
            prose.note(words.plain(said))


RULES = (
    "A signal is a period beyond its limits, or a run of periods on one side of the centre line that is as unlikely as "
    "nine tosses of a coin that all fall alike. The limits lie three standard deviations from what was usual in the "
    "baseline; they are the wider the fewer incidents a period has, and exact where they are rare. Everything else is "
    "normal variation: hunting for its cause is no use."
)
