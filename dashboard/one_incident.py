"""One incident: its life as a picture, what happened to it, and everything that is known of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import streamlit as st

from dashboard import dossier, filters, query, record, words
from dashboard.charts import lifeline
from dashboard.charts.lifeline import Life, Stretch
from dashboard.charts.plot import Figure
from dashboard.dossier import Incident
from dashboard.parts import foot, incident_lists, pictures, prose, tables
from dashboard.view import View

FACTS = ("service", "category", "subcategory", "assignment_group", "assignee", "caller", "channel", "location")
TAKEN = {"opened_at": "Opened", "acknowledged_at": "Taken on", "resolved_at": "Resolved"}
ALWAYS = "24x7"
"""The calendar that every second counts in: there is nothing to shade."""
LONG = timedelta(days=3)
"""Of a longer life the first minutes cannot be seen as time passes."""
MOST_LETTERS = 300
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
    found: Incident | None = here.ask("incident", source, number)
    if found is None:
        prose.title("No such incident")
        hint = "" if number else " A link names the source, too: incident=SOURCE/NUMBER."
        whose = f"{number} from {source}" if number else chosen
        prose.nothing(f"There is no incident {whose} in this version of the data.{hint}")
        return
    row = found.row
    prose.title(row["incident_id"])
    if row["title"]:
        prose.said(f"**{words.plain(_cut(row['title']))}**")
    prose.lead(_story(found))
    _to_source(row)
    _life(here, found)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _events(here, found)
    with right:
        _facts(here, found)
    _similar(here, found)
    foot.foot(here, (), of_everything=True)


def _back() -> None:
    del st.query_params["incident"]


def _cut(title: str) -> str:
    return title if len(title) <= MOST_LETTERS else f"{title[:MOST_LETTERS]}\N{HORIZONTAL ELLIPSIS}"


def _story(found: Incident) -> str:
    row = found.row
    said = [f"Opened on {words.moment(row['opened_at'])}"]
    if row["hours_to_acknowledge"] is not None:
        said.append(f"taken on after {words.duration(row['hours_to_acknowledge'])}")
    if row["hours_to_resolve"] is not None:
        said.append(f"resolved after **{words.duration(row['hours_to_resolve'])}**")
        if row["business_hours_to_resolve"] is not None and row["calendar"] != ALWAYS:
            # In hours: a day of business has no 24 of them.
            said.append(f"{words.duration(row['business_hours_to_resolve'], 'h')} of it in business hours")
    elif row["resolved_at"] is None and row["state"] in ("new", "in_progress", "on_hold"):
        watched = float(found.segments["seconds"].sum()) / 3600
        said.append(f"still open **{words.duration(watched)}** later" if watched else "still open")
    story = ", ".join(said) + "."
    if row["excluded_as"]:
        story += f" It counts in no KPI: {words.plain(row['excluded_as'])}."
    return story


def address(url: str | None) -> str | None:
    """Give an address that a browser may open: http or https with a host, and nothing that hides where it leads.

    >>> address("https://desk.example.com/INC1"), address("javascript:alert(1)"), address("https://me@evil.example/")
    ('https://desk.example.com/INC1', None, None)
    """
    try:
        found = urlsplit(url or "")
        # The host is worked out here: what cannot be taken apart raises.
        is_plain = bool(found.hostname) and "@" not in found.netloc
    except ValueError:
        return None
    is_web = found.scheme in ("http", "https") and is_plain
    return url if is_web and url and url.isprintable() and not any(sign in url for sign in ' "<>\\^`{|}') else None


def _to_source(row: dict[str, Any]) -> None:
    if link := address(row["url"]):
        st.link_button(f"Open in {words.plain(row['source'])}", link, type="tertiary")
    elif row["url"]:
        prose.note(words.plain(f"Its source gives this address, which is no web page: {_cut(row['url'])}"))


def _life(here: View, found: Incident) -> None:
    life = _drawn(found)
    if life is None:
        return
    totals: dict[str, float] = {}
    for one in life.states:
        totals[one.kind] = totals.get(one.kind, 0.0) + (one.until - one.since).total_seconds() / 3600
    said = words.listing(
        [f"{words.duration(hours)} {lifeline.STATE_WORDS[kind]}" for kind, hours in totals.items()], most=9
    )
    held_by = [one.note or "no group" for one in life.groups]
    handed = f"{said} · {words.counted(len(held_by) - 1, 'hand-over')}" if len(held_by) > 1 else said
    shaded = f" · shaded: business hours of {found.row['calendar']}" if life.hours else ""
    told = [f"{said}."]
    if held_by:
        told.append(f"With {words.listing(held_by, most=9, joined='then')}.")
    told.append(f"{words.counted(len(life.events), 'event')}.")
    # The picture stands above the switch that it obeys.
    picture = st.container()
    log = False
    if life.until - life.since > LONG:
        log = st.toggle("Log scale: its first minutes and its last months", key="life-log", persist_state="session")
    with picture:
        pictures.show(
            Figure(
                "Where did the time go?",
                f"{handed}{shaded}",
                lifeline.draw(life, here.colours, log=log),
                " ".join(told),
                rows=partial(_stretches, found.segments),
                asked=partial(list, here.asked_for(found)),
            )
        )


def _stretches(segments: pl.DataFrame) -> pl.DataFrame:
    return segments.select(
        pl.col("from_at").alias("From"),
        pl.col("until_at").alias("Until"),
        pl.col("kind").replace_strict(lifeline.STATE_WORDS).alias("State"),
        pl.col("hold_reason").alias("Held for"),
        pl.col("assignment_group").alias("Assignment group"),
        (pl.col("seconds") / 3600).alias("Time (hours)"),
    )


def _drawn(found: Incident) -> Life | None:
    """Give what is drawn of a life; None where no time of it is known."""
    rows = [one for one in found.segments.iter_rows(named=True) if one["seconds"]]
    if not rows:
        return None
    states = [Stretch(one["from_at"], one["until_at"], one["kind"], one["hold_reason"] or "") for one in rows]
    groups = [Stretch(one["from_at"], one["until_at"], "held by", one["assignment_group"] or "") for one in rows]
    hours = [] if found.row["calendar"] == ALWAYS else list(found.hours.iter_rows())
    return Life(
        states,
        lifeline.joined(groups) if any(one.note for one in groups) else [],
        [(one["happened_at"], EVENTS[one["kind"]]) for one in found.events.iter_rows(named=True)],
        hours,
    )


COMMON = {
    "problem_id": "problem",
    "configuration_item": "configuration item",
    "service": "service",
    "category": "category",
}


def in_common(things: list[str]) -> str:
    """Say what two incidents share, the rarest first: "service, category; words: quota, mailbox".

    >>> in_common(["quota", "service:E-mail", "mailbox"])
    'same service; words: quota, mailbox'
    """
    traits = [COMMON[trait] for trait in (thing.partition(":")[0] for thing in things) if trait in COMMON]
    shared = [thing for thing in things if ":" not in thing]
    said = [f"same {', '.join(traits)}"] if traits else []
    return "; ".join([*said, f"words: {', '.join(shared)}"] if shared else said)


def _similar(here: View, found: Incident) -> None:
    prose.heading("Was there one like it?")
    rows = found.similar
    if rows.is_empty():
        prose.nothing(
            "None that shares enough of its service, category, configuration item and the words of its title."
        )
        return
    solved = rows.filter(pl.col("hours_to_resolve").is_not_null()).height
    prose.note(
        f"{words.counted(rows.height, 'incident')}, {solved} of them resolved; what is rarer counts for more. Looked at: "
        f"those of the same problem, configuration item, service or category, at most the "
        f"{words.number(dossier.NEAR)} opened nearest to it"
    )
    shared = pl.col("things").map_elements(lambda things: in_common(things.to_list()), return_dtype=pl.String)
    listed = query.Incidents(rows.with_columns(shared.alias("shared")), rows.height)
    incident_lists.incident_list(listed, "similar", here.sql_of(found))


def _events(here: View, found: Incident) -> None:
    prose.heading("What happened?")
    events = found.events
    if events.is_empty():
        prose.nothing("Its source gave no history.")
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
    tables.table(
        frame.select(kept),
        f"{len(rows)} events of this incident",
        columns={"When": st.column_config.DatetimeColumn(format=f"{tables.stamp_format()}:ss")},
        asked=here.sql_of(found),
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


def _facts(here: View, found: Incident) -> None:
    row = found.row
    prose.heading("What is known of it?")
    facts = {"State": row["state"].replace("_", " ")}
    if row["priority"] is not None:
        facts["Priority"] = filters.member("priority", str(row["priority"]))
    facts |= {name.replace("_", " ").capitalize(): row[name] for name in FACTS if row[name]}
    told = pl.DataFrame({"What": list(facts), "Value": [_said(value) for value in facts.values()]})
    record.note(record.Table("What is known of it?", told, lambda: told))
    st.table(
        told.with_columns(pl.col("Value").map_elements(words.plain, return_dtype=pl.String)).to_arrow(),
        border="horizontal",
        hide_index=True,
        hide_header=True,
    )
    for link in found.links.iter_rows(named=True):
        prose.note(words.plain(_linked(row, link)))
    for issue in found.issues.iter_rows(named=True):
        prose.note(words.plain(f"Odd: {issue['message']}"))
    every = "Every column"
    with st.expander(every), record.fold(every):
        known = {name: _said(value) for name, value in row.items() if value is not None and value != []}
        frame = pl.DataFrame({"Column": list(known), "Value": list(known.values())})
        tables.table(frame, every, asked=here.sql_of(found))
