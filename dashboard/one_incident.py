"""One incident: its life as a picture, what happened to it, and everything that is known of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import streamlit as st

from dashboard import charts, filters, parts, query, words
from dashboard.view import View

FACTS = ("service", "category", "subcategory", "assignment_group", "assignee", "caller", "channel", "location")
TAKEN = {"opened_at": "Opened", "acknowledged_at": "Taken on", "resolved_at": "Resolved"}
EVENTS = {
    "opened": "opened",
    "assigned": "assigned",
    "group_assigned": "given to a group",
    "acknowledged": "acknowledged",
    "state": "changed state",
    "priority": "changed priority",
    "held": "put on hold",
    "resumed": "resumed",
    "escalated": "escalated",
    "resolved": "resolved",
    "reopened": "reopened",
    "closed": "closed",
    "cancelled": "cancelled",
    "merged": "merged",
    "deleted": "deleted",
    "commented": "commented",
    "other": "changed otherwise",
}


def show(here: View, chosen: str) -> None:
    """Set the incident that the URL names as source/number."""
    source, _, number = chosen.partition("/")
    st.button("All incidents", key="back", on_click=_back, type="tertiary")
    found: query.Incident | None = here.ask("incident", source, number)
    if found is None:
        parts.title("No such incident")
        parts.nothing(f"There is no incident {number or chosen} from {source} in this version of the data.")
        return
    row = found.row
    parts.title(row["incident_id"])
    if row["title"]:
        st.markdown(f"**{words.plain(row['title'])}**")
    parts.lead(_story(found))
    _life(here, found)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _events(found.events)
    with right:
        _facts(found)
    parts.foot(here, (), of_everything=True)


def _back() -> None:
    del st.query_params["incident"]


def _story(found: query.Incident) -> str:
    row = found.row
    said = [f"Opened on {words.moment(row['opened_at'])}"]
    if row["hours_to_acknowledge"] is not None:
        said.append(f"taken on after {words.duration(row['hours_to_acknowledge'])}")
    if row["hours_to_resolve"] is not None:
        said.append(f"resolved after **{words.duration(row['hours_to_resolve'])}**")
    elif row["resolved_at"] is None and row["state"] in ("new", "in_progress", "on_hold"):
        said.append("still open")
    story = ", ".join(said) + "."
    if row["excluded_as"]:
        story += f" It counts in no KPI: {words.plain(row['excluded_as'])}."
    return story


def _life(here: View, found: query.Incident) -> None:
    stretches = [
        charts.Stretch(
            one["from_at"], one["until_at"], one["kind"], one["hold_reason"] or one["assignment_group"] or ""
        )
        for one in found.segments.iter_rows(named=True)
        if one["seconds"]
    ]
    if not stretches:
        return
    marks = [(one["happened_at"], EVENTS[one["kind"]]) for one in found.events.iter_rows(named=True)]
    marks = [(when, what) for when, what in marks if stretches[0].since <= when <= stretches[-1].until]
    totals: dict[str, float] = {}
    for one in stretches:
        hours = (one.until - one.since).total_seconds() / 3600
        totals[one.kind] = totals.get(one.kind, 0.0) + hours
    said = words.listing(
        [f"{words.duration(hours)} {charts.SEGMENT_WORDS[kind]}" for kind, hours in totals.items()], most=9
    )
    figure = charts.Figure("Where did the time go?", said, charts.life(stretches, marks, here.colours), f"{said}.")
    parts.show(figure)


def _events(events: pl.DataFrame) -> None:
    st.header("What happened?", anchor=False)
    if events.is_empty():
        parts.nothing("Its source gave no history.")
        return
    rows = [
        {
            "When": one["happened_at"],
            "What": EVENTS[one["kind"]],
            "From": one["from_value"],
            "To": one["to_value"],
            "By": one["actor"],
            "Group": one["assignment_group"],
        }
        for one in events.iter_rows(named=True)
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    kept = [name for name in frame.columns if frame[name].null_count() < frame.height]
    st.dataframe(
        frame.select(kept),
        hide_index=True,
        width="stretch",
        placeholder="",
        column_config={"When": st.column_config.DatetimeColumn(format=f"{parts.stamp_format()}:ss")},
        alt=f"{len(rows)} events of this incident",
    )


def _said(value: object) -> str:
    if isinstance(value, datetime):
        return words.moment(value)
    if isinstance(value, float):
        return words.number(round(value, 2))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _linked(row: dict[str, Any], link: dict[str, Any]) -> str:
    """Say which incident of another tool counts together with this one, and what is taken from it."""
    if (row["source"], row["incident_id"]) == (link["joined_source"], link["joined_incident_id"]):
        return f"The same incident as {link['counted_incident_id']} in {link['counted_source']}, which counts for both."
    said = f"The same incident as {link['joined_incident_id']} in {link['joined_source']}."
    for name in link["taken"]:
        own = f"its own says {words.moment(link[name])}" if link[name] else "its own does not say"
        said += f" {TAKEN[name]} there; {own}."
    return said


def _facts(found: query.Incident) -> None:
    row = found.row
    st.header("What is known of it?", anchor=False)
    facts = {"State": row["state"].replace("_", " ")}
    if row["priority"] is not None:
        facts["Priority"] = filters.member("priority", str(row["priority"]))
    facts |= {name.replace("_", " ").capitalize(): row[name] for name in FACTS if row[name]}
    st.table(
        pl.DataFrame({"": list(facts), "value": [words.plain(value) for value in facts.values()]}),
        border="horizontal",
        hide_index=True,
        hide_header=True,
    )
    for link in found.links.iter_rows(named=True):
        st.caption(words.plain(_linked(row, link)))
    for issue in found.issues.iter_rows(named=True):
        st.caption(words.plain(f"Odd: {issue['message']}"))
    with st.expander("Every column"):
        known = {name: _said(value) for name, value in row.items() if value is not None and value != []}
        st.dataframe(
            pl.DataFrame({"Column": list(known), "Value": list(known.values())}), hide_index=True, width="stretch"
        )
