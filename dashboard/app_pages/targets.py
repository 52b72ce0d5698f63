"""Targets."""

from __future__ import annotations

import streamlit as st

from dashboard import aims, figures, view, words
from dashboard.parts import foot, pictures, prose

ORDER = 17

here = view.here()
targets = here.ask("targets")

prose.title("Targets")
if not targets:
    prose.lead("No target is set.")
    prose.nothing(
        "The configuration sets them, each under [[targets]]: a KPI, a bound, and the first day that it holds."
    )
else:
    standings = [here.standing(target) for target in targets]
    prose.lead(aims.lead(targets, standings, here.in_span))
    chosen = st.selectbox(
        "Target",
        range(len(targets)),
        format_func=lambda place: aims.name(
            targets[place], here.kpi(targets[place].kpi), here.kind(targets[place].kpi)
        ),
        key="target",
        persist_state="session",
    )
    target = targets[chosen]
    pictures.show(
        figures.develop(here.of(target), "How did it develop?", {target.kpi: here.kpi(target.kpi).title}),
        otherwise=f"No value {here.in_span}.",
    )
    prose.heading("Are they met?")
    prose.told(
        [
            f"**{words.plain(aims.name(one, here.kpi(one.kpi), here.kind(one.kpi)))}** "
            f"{words.plain(aims.stands(one, standing, here.kind(one.kpi), here.grain))}"
            for one, standing in zip(targets, standings, strict=True)
        ],
        "",
    )
    prose.heading("What can they detect?")
    prose.told(
        [
            f"**{words.plain(aims.name(one, here.kpi(one.kpi), here.kind(one.kpi)))}** "
            f"{words.plain(aims.detects(one, here.ask('ground', one), here.kind(one.kpi)))}"
            for one in targets
        ],
        "",
    )
    prose.note(
        words.plain(
            "Each target is looked at for its own part, whatever part is chosen above. Beyond chance: where a target is just "
            "met, one period in twenty lies as far away, days taken whole. A mean of hours is judged on the logarithm of "
            "hours, which a few long ones hardly move: it asks for a typical time by the spread of the days before."
        )
    )
foot.foot(here, tuple(dict.fromkeys(target.kpi for target in targets)))
