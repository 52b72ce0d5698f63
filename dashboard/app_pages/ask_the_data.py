"""Ask the data."""

from pathlib import Path

import streamlit as st

from dashboard import asking, drawn, fenced, view, words
from dashboard.parts import foot, pictures, prose, tables

ORDER = 78
# Seconds after which a reader is told that work is going on.
UNHURRIED = 0.5

here = view.here()
known = here.ask("tables")
kept = st.session_state


def run() -> None:
    """Ask what was written; what was being asked before is given up."""
    if (before := kept.get("question")) is not None:
        before.give_up()
    st.query_params["sql"] = kept["sql"]
    try:
        kept["question"] = asking.Question(Path(here.path), kept["sql"]).wait(UNHURRIED)
    except asking.TooManyError as error:
        kept["question"] = None
        st.toast(words.plain(error))


@st.fragment(run_every=UNHURRIED)
def waiting() -> None:
    """Say that work is going on, until it is done."""
    asked = kept["question"]
    if asked.is_done:
        st.rerun()
    st.caption(f"Working on it; after {asked.seconds} s it is stopped.")
    st.button("Stop", on_click=asked.give_up)


def show(asked: asking.Question) -> None:
    """Set the answer: its picture where it has one, and its rows."""
    if asked.frame is None:
        prose.said("The question could not be answered. Nothing was changed, and the other pages are as they were.")
        st.code(asked.trouble, language=None, wrap_lines=True)
        return
    rows = asked.frame.head(fenced.MOST_ROWS)
    cut = f", the first {words.number(rows.height)} of more" if asked.has_more else ""
    prose.note(f"{words.counted(rows.height, 'row')}{cut} · {words.written(asked.took_seconds, 1)} s")
    pictures.show(drawn.picture(rows, here.colours))
    tables.table(rows, "The answer's rows", "The answer has no rows.")


prose.title("Ask the data")
prose.lead(
    f"**{words.counted(known['table_name'].n_unique(), 'table')}** and "
    f"{words.counted(len(here.warehouse.kpis), 'KPI')} answer your own SQL.",
    f"It only reads; an answer has up to {words.number(fenced.MOST_ROWS)} rows and may take {asking.SECONDS} s.",
)
prose.note("What is chosen above does not hold here: a question says itself what it is about.")
left, right = st.columns([5, 2], gap="large")
with left:
    if "sql" not in kept:
        kept["sql"] = st.query_params.get("sql", asking.EXAMPLE)
    st.text_area("Your question in SQL", key="sql", height=240)
    st.button("Run", on_click=run, type="primary")
    question = kept.get("question")
    if question is not None and question.is_done:
        show(question)
    elif question is not None:
        waiting()
with right:
    for (table, comment), columns in known.group_by("table_name", "table_comment", maintain_order=True):
        with st.expander(f"`{table}`", type="compact"):
            st.caption(words.plain(comment))
            st.markdown(
                "\n".join(
                    f"- `{column}` {words.plain(type_)}: {words.plain(meaning)}"
                    for column, type_, meaning in columns.select("column_name", "type", "comment").iter_rows()
                )
            )
    with st.expander("KPIs", type="compact"):
        st.caption("Each is a macro over the rows of its table, given by their alias, as in the question above.")
        st.markdown(
            "\n".join(
                f"- `kpi.{kpi.name}`, of `{kpi.fact}`: {words.plain(kpi.title)}" for kpi in here.warehouse.kpis.values()
            )
        )
foot.foot(here, (), of_everything=True)
