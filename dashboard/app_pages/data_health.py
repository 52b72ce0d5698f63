"""Data health."""

import polars as pl
import streamlit as st

from dashboard import view, words
from dashboard.parts import foot, prose, tables

ORDER = 70
here = view.here()
sources, runs = here.warehouse.sources, here.ask("runs")
rejects, issues = here.ask("rejects_by_reason"), here.ask("issues_by_rule")
coverage = here.ask("coverage")
incidents, rejected, kinds = sources["incidents"].sum(), rejects["n"].sum(), issues.select("rule", "field").n_unique()

prose.title("Data health")
prose.lead(
    f"**{words.counted(int(incidents), 'incident')}** from {words.counted(sources.height, 'source')}, "
    f"known up to {words.moment(here.as_of)}.",
    f"{words.counted(int(rejected), 'row')} did not get in.",
    f"In the others, {words.counted(kinds, 'kind')} of odd things {'was' if kinds == 1 else 'were'} found.",
)
prose.note("This page is about everything that was loaded, whatever is chosen above.")
prose.heading("How fresh is it?")
tables.table(
    sources.select(
        pl.col("source").alias("Source"),
        pl.col("kind").alias("Kind"),
        pl.col("incidents").alias("Incidents"),
        pl.col("excluded").alias("Left out of KPIs"),
        pl.col("as_of_local").alias("Known up to"),
        pl.col("timezone").alias("Zone of its stamps"),
    ),
    "Freshness of each source",
)
prose.heading("Which fields are filled?")
prose.note("Share of incidents with a value; a field that no source fills is listed last")
filled = coverage.pivot("source", index="field", values="known").with_columns(
    pl.max_horizontal(pl.exclude("field")).alias("_best")
)
tables.table(
    filled.sort("_best", descending=True, maintain_order=True).drop("_best").rename({"field": "Field"}),
    "Coverage of every field by source",
    height=420,
    columns={
        name: st.column_config.ProgressColumn(name, format="percent", min_value=0.0, max_value=1.0)
        for name in sources["source"]
    },
    units=dict.fromkeys(sources["source"], "share"),
    asked=here.sql_of(coverage),
)
left, right = st.columns(2, gap="large")
with left:
    prose.heading("What was odd, and what was done about it?")
    prose.told(
        [
            f"**{words.counted(row['incidents'], 'incident')}** of {words.plain(row['source'])}: "
            f"{words.plain(row['message'])}, as in {words.plain(row['example'])}"
            for row in issues.iter_rows(named=True)
        ],
        "Nothing odd was found.",
    )
with right:
    prose.heading("What did not get in, and why?")
    prose.told(
        [
            f"**{words.counted(row['n'], 'row')}** of {words.plain(row['file'])}"
            + ("" if row["line"] is None else f", first in line {row['line']}")
            + f": {words.plain(row['reason'])}"
            for row in rejects.iter_rows(named=True)
        ],
        "Every row got in.",
    )
if not issues.is_empty():
    tables.folded("All that was odd, by rule and field", issues, asked=here.sql_of(issues))
if not rejects.is_empty():
    rejected_rows = here.ask("rejects")
    tables.folded("The rejected rows", rejected_rows, asked=here.sql_of(rejected_rows))
prose.heading("What ran?")
tables.table(
    runs.select(
        pl.col("started_at").alias("Started (UTC)"),
        pl.col("source").alias("Source"),
        pl.col("outcome").alias("Outcome"),
        pl.col("rows_in").alias("Rows in"),
        pl.col("rows_good").alias("Good"),
        pl.col("rows_rejected").alias("Rejected"),
        pl.col("message").alias("Message"),
    ),
    "The latest runs",
    "Nothing ran yet.",
    asked=here.sql_of(runs),
)
foot.foot(here, (), of_everything=True)
