"""Fitness of the data."""

from functools import partial

from dashboard import doubting, parts, view

NAME = "Fitness"
ORDER = 72
here = view.here()
batches = here.ask("batches")
grades, findings = here.ask("grades", batches), here.ask("findings", batches)

parts.title("Fitness of the data")
parts.lead(*doubting.said(here, grades, findings))
parts.show(doubting.figure(here, grades, "Which KPI stands on good data?"))
parts.heading("What is odd about it?")
parts.told(doubting.told(findings), "Nothing odd was found.")
if len(findings) > parts.MOST_TOLD:
    parts.folded("All that is odd", doubting.listing(findings))
parts.folded(
    "Each KPI with and without the doubtful rows",
    doubting.table(here, grades),
    partial(doubting.typed, here.warehouse.kpis, grades),
)
parts.foot(here, ())
