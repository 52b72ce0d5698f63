"""The only definition of an incident: its vocabulary, and each column's type, unit and meaning.

Everything else follows from here. A source's `normalise` gives frames with the columns of
`VERSION`, `SNAPSHOT` and `GIVEN_EVENT`; the facts turn them into `INCIDENT`, `EVENT` and `SEGMENT`.
The warehouse's tables and their comments are made from these same lists.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

STATES = ("new", "in_progress", "on_hold", "resolved", "closed", "cancelled")
OPEN_STATES = ("new", "in_progress", "on_hold")
EXCLUSIONS = ("cancelled", "duplicate", "test", "deleted")
CHANNELS = ("phone", "email", "chat", "portal", "walk_in", "monitoring", "api", "other")
MACHINE_CHANNELS = ("monitoring", "api")
HOLD_REASONS = ("caller", "vendor", "change", "other")
PRIORITIES = (1, 2, 3, 4, 5)
ACTOR_KINDS = ("person", "automation", "unknown")
EVENT_KINDS = (
    "opened",
    "assigned",
    "group_assigned",
    "acknowledged",
    "state",
    "priority",
    "held",
    "resumed",
    "escalated",
    "resolved",
    "reopened",
    "closed",
    "cancelled",
    "merged",
    "deleted",
    "commented",
    "other",
)
SEGMENT_KINDS = ("waiting", "working", "on_hold", "resolved", "unexplained")
STATE_CHANGES = ("opened", "state", "held", "resumed", "resolved", "reopened", "closed", "cancelled")
"""The event kinds whose `from_value` and `to_value` are canonical states."""


class Field(NamedTuple):
    """One column: its DuckDB type and what it means, with its unit."""

    name: str
    type: str
    comment: str


def _pick(fields: tuple[Field, ...], *names: str) -> tuple[Field, ...]:
    by_name = {field.name: field for field in fields}
    return tuple(by_name[name] for name in names)


INCIDENT = (
    Field("source", "varchar", "Name of the configured source that the incident came from; first part of the key"),
    Field("incident_id", "varchar", "The incident's number as its source shows it; second part of the key"),
    Field("title", "varchar", "Short description"),
    Field("url", "varchar", "Address of the incident in its own tool"),
    Field("state", "varchar", f"State now: one of {', '.join(STATES)}"),
    Field("source_state", "varchar", "State in the source's own word"),
    Field("excluded_as", "varchar", f"Null, or why no KPI counts it: {', '.join(EXCLUSIONS)}"),
    Field("is_auto_resolved", "boolean", "Resolved without any person; null if the source cannot tell"),
    Field("resolved_with_parent", "boolean", "A child that was resolved by or within 5 minutes of its parent"),
    Field("priority", "tinyint", "Priority at resolution, or now while open: 1 highest to 5"),
    Field("source_priority", "varchar", "Priority in the source's own word"),
    Field("opened_priority", "tinyint", "Priority when it was opened; null without history"),
    Field("impact", "varchar", "Impact in the source's own word"),
    Field("urgency", "varchar", "Urgency in the source's own word"),
    Field("category", "varchar", "Category"),
    Field("subcategory", "varchar", "Subcategory"),
    Field("is_major", "boolean", "Handled as a major incident; null if the source does not say"),
    Field("service", "varchar", "The first affected service"),
    Field("services", "varchar[]", "All affected services; parts of a split by it do not add up"),
    Field("configuration_item", "varchar", "Configuration item"),
    Field("assignment_group", "varchar", "Assignment group at resolution, or now while open"),
    Field("first_assignment_group", "varchar", "Assignment group that had it first; null without history"),
    Field("assignee", "varchar", "Person it is assigned to"),
    Field("caller", "varchar", "Person who raised it"),
    Field("location", "varchar", "Location"),
    Field("channel", "varchar", f"How it was raised: one of {', '.join(CHANNELS)}"),
    Field("source_channel", "varchar", "Channel in the source's own word"),
    Field("tags", "varchar[]", "Labels; parts of a split by it do not add up"),
    Field("parent_id", "varchar", "Incident that this one is a child of"),
    Field("problem_id", "varchar", "Related problem record"),
    Field("change_id", "varchar", "Related change request"),
    Field("resolution_code", "varchar", "Resolution code in the source's own word"),
    Field("knowledge_used", "boolean", "Resolved with a knowledge article"),
    Field("occurred_at", "timestamp", "UTC instant at which the impact began; null if unknown"),
    Field("opened_at", "timestamp", "UTC instant at which it was detected or logged; never null"),
    Field("assigned_at", "timestamp", "UTC instant of the first assignment to a person, by whomever"),
    Field("acknowledged_at", "timestamp", "UTC instant at which a person first took it on"),
    Field("first_resolved_at", "timestamp", "UTC instant of its first resolution"),
    Field("resolved_at", "timestamp", "UTC instant of the resolution that stands; null while open or reopened"),
    Field("closed_at", "timestamp", "UTC instant of its administrative closing"),
    Field(
        "last_resolved_at", "timestamp", "UTC instant at which its history last has it resolved, reopened since or not"
    ),
    Field("last_event_at", "timestamp", "UTC instant of the last thing that its history tells"),
    Field("updated_at", "timestamp", "UTC instant of its last change in the source"),
    Field("deleted_at_source", "timestamp", "UTC instant from which the source no longer had it"),
    Field("opened_on", "date", "Day of opened_at in the reporting zone"),
    Field("acknowledged_on", "date", "Day of acknowledged_at in the reporting zone"),
    Field("first_resolved_on", "date", "Day of first_resolved_at in the reporting zone"),
    Field("resolved_on", "date", "Day of resolved_at in the reporting zone"),
    Field("closed_on", "date", "Day of closed_at in the reporting zone"),
    Field(
        "acknowledgement_basis",
        "varchar",
        "reported: the source says when; derived: from its history; null: cannot be known. Set for an incident "
        "that nobody acknowledged, too",
    ),
    Field(
        "resolution_basis",
        "varchar",
        "reported: the source's field; history: the resolve event that stands; closed: closed without either",
    ),
    Field(
        "reassignment_count",
        "integer",
        "Times it was taken from an assignment group; the source's own counter where it gives one",
    ),
    Field("reopen_count", "integer", "Times that it was reopened"),
    Field("escalation_count", "integer", "Escalations that the source records; null if it records none"),
    Field("first_contact_resolved", "boolean", "Resolved at first contact; null if unknown"),
    Field("first_contact_basis", "varchar", "reported, derived, derived_partial, or why it is null"),
    Field("sla_met", "boolean", "Final verdict on the resolution target; null until it is final"),
    Field("seconds_to_assign", "bigint", "Seconds from opening to the first assignment"),
    Field("seconds_to_acknowledge", "bigint", "Seconds from opening to acknowledgement"),
    Field("seconds_to_resolve", "bigint", "Seconds from opening to the resolution that stands"),
    Field("seconds_to_first_resolution", "bigint", "Seconds from opening to the first resolution"),
    Field("seconds_on_hold", "bigint", "Seconds on hold before the resolution that stands; null without history"),
    Field("business_seconds_to_resolve", "bigint", "Seconds to resolve within the calendar; null without a calendar"),
    Field(
        "business_seconds_to_acknowledge",
        "bigint",
        "Seconds to acknowledge within the calendar; null without a calendar",
    ),
    Field("hours_to_assign", "double", "Hours from opening to the first assignment"),
    Field("hours_to_acknowledge", "double", "Hours from opening to acknowledgement"),
    Field("hours_to_resolve", "double", "Hours from opening to the resolution that stands"),
    Field("hours_to_first_resolution", "double", "Hours from opening to the first resolution"),
    Field("hours_on_hold", "double", "Hours on hold before the resolution that stands; null without history"),
    Field("business_hours_to_resolve", "double", "Hours to resolve within the calendar; null without a calendar"),
    Field(
        "business_hours_to_acknowledge", "double", "Hours to acknowledge within the calendar; null without a calendar"
    ),
    Field("calendar", "varchar", "Calendar that its business time is counted by; null where no rule chooses one"),
    Field("opened_out_of_hours", "boolean", "Opened outside the calendar; null without a calendar"),
    Field("attributes", "json", "Every column of the export that has no other place"),
)
"""One row per incident: table `incidents`."""

VERSION = (
    *_pick(INCIDENT, "incident_id"),
    Field("external_id", "varchar", "A second key that history or links may use (ServiceNow's sys_id)"),
    *_pick(INCIDENT, "title", "url", "state", "source_state", "excluded_as", "is_auto_resolved"),
    *_pick(INCIDENT, "priority", "source_priority", "impact", "urgency", "category", "subcategory", "is_major"),
    *_pick(INCIDENT, "services", "configuration_item", "assignment_group", "assignee", "caller", "location"),
    *_pick(INCIDENT, "channel", "source_channel", "tags", "parent_id", "problem_id", "change_id"),
    *_pick(INCIDENT, "resolution_code", "knowledge_used"),
    Field("reopens_id", "varchar", "Earlier incident that the source says this one reopens"),
    *_pick(INCIDENT, "occurred_at", "opened_at", "assigned_at", "acknowledged_at", "first_resolved_at"),
    *_pick(INCIDENT, "resolved_at", "closed_at", "updated_at", "deleted_at_source"),
    *_pick(INCIDENT, "reassignment_count", "reopen_count", "escalation_count", "first_contact_resolved"),
    *_pick(INCIDENT, "sla_met", "seconds_on_hold"),
    Field(
        "reports_acknowledgement",
        "boolean",
        "True: the source tells acknowledgements, so a null is 'none'; false: its history lets us derive them; null: "
        "it cannot know any",
    ),
    Field("updated_by", "varchar", "Who made this version"),
    Field("version_number", "bigint", "The source's own count of changes (ServiceNow's sys_mod_count)"),
    *_pick(INCIDENT, "attributes"),
)
"""An incident as its source showed it at one time: what `normalise` gives. `incident_id`, `state` and `opened_at` are
never null; a column that the source lacks is null throughout."""

SNAPSHOT = (
    *_pick(INCIDENT, "incident_id"),
    Field("version_number", "bigint", "The source's own count of changes"),
    Field("happened_at", "timestamp", "UTC instant at which this version came about"),
    Field("actor", "varchar", "Who made this version"),
    Field("actor_kind", "varchar", f"One of {', '.join(ACTOR_KINDS)}"),
    *_pick(INCIDENT, "state", "source_state"),
    Field("hold_reason", "varchar", f"Null, or why it was on hold: {', '.join(HOLD_REASONS)}"),
    *_pick(INCIDENT, "priority", "assignment_group", "assignee"),
    Field("escalation", "integer", "Escalation level of this version; null if the source records none"),
)
"""One row per row of an export that keeps history as whole rows: the columns whose changes are events."""

GIVEN_EVENT = (
    Field("incident_key", "varchar", "incident_id or external_id of the incident it happened to"),
    Field("event_id", "varchar", "Unique in its source: the same event loaded twice has the same id"),
    Field("happened_at", "timestamp", "UTC instant"),
    Field("sequence", "bigint", "Order among events of one incident at equal instants"),
    Field("kind", "varchar", f"One of {', '.join(EVENT_KINDS)}"),
    Field("from_value", "varchar", "Value before; a canonical state for changes of state"),
    Field("to_value", "varchar", "Value after; a canonical state for changes of state"),
    Field("hold_reason", "varchar", f"Of a held event: null or one of {', '.join(HOLD_REASONS)}"),
    Field("actor", "varchar", "Who or what did it"),
    Field("actor_kind", "varchar", f"One of {', '.join(ACTOR_KINDS)}"),
    Field("assignment_group", "varchar", "Assignment group that had the incident after it"),
)
"""One row per thing that a source's history says happened (audit logs, log entries, change logs)."""

EVENT = (
    *_pick(INCIDENT, "source", "incident_id"),
    *GIVEN_EVENT[1:],
)
"""One row per thing that happened to an incident: table `incident_events`."""

SEGMENT = (
    *_pick(INCIDENT, "source", "incident_id"),
    Field("from_at", "timestamp", "UTC instant at which the stretch begins"),
    Field("until_at", "timestamp", "UTC instant at which it ends; the source's as_of for the last one of an open one"),
    Field("kind", "varchar", f"One of {', '.join(SEGMENT_KINDS)}"),
    Field("hold_reason", "varchar", f"While on hold: null or one of {', '.join(HOLD_REASONS)}"),
    Field("assignment_group", "varchar", "Assignment group that had the incident meanwhile"),
    Field(
        "business_seconds",
        "bigint",
        "Seconds of it within the incident's calendar; null without a calendar, and while the stretch lasts",
    ),
    Field("seconds", "bigint", "Length; an incident's add up to its seconds_to_resolve, or to its age while open"),
)
"""One row per stretch of an incident's life: view `incident_segments`."""

DAY = (
    Field("day", "date", "Day in the reporting zone at whose end the incident was open"),
    *_pick(INCIDENT, "source", "incident_id", "excluded_as", "state", "priority", "assignment_group", "service"),
    *_pick(INCIDENT, "services", "category", "subcategory", "configuration_item", "channel", "location", "tags"),
    *_pick(INCIDENT, "is_major", "opened_at"),
    Field("age_seconds", "bigint", "Seconds from opening to the end of that day"),
)
"""One row per incident and day at whose end it was open: view `incident_days`."""

REJECTED = (
    Field("file", "varchar", "Name of the export file"),
    Field("line", "bigint", "Line or row in that file, the header being 1; null where a format has no rows"),
    Field("incident_id", "varchar", "The incident's number, if it could be read"),
    Field("field", "varchar", "Column of the export that was the reason"),
    Field("value", "varchar", "The value found there"),
    Field("reason", "varchar", "What was wrong, what was expected, and the key that would map it"),
    Field("raw", "json", "The row as it came"),
)
"""A row that did not get in."""

ISSUE = (
    *_pick(INCIDENT, "incident_id"),
    Field("rule", "varchar", "Name of the rule that was broken"),
    Field("field", "varchar", "Column that the rule looked at"),
    Field("value", "varchar", "The value found there"),
    Field("message", "varchar", "What is odd, and what Meantime did about it"),
)
"""Something odd about a row that did get in."""

POLARS_TYPES: dict[str, pl.DataType] = {
    "varchar": pl.String(),
    "varchar[]": pl.List(pl.String()),
    "json": pl.String(),
    "boolean": pl.Boolean(),
    "tinyint": pl.Int8(),
    "integer": pl.Int32(),
    "bigint": pl.Int64(),
    "double": pl.Float64(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
}


def schema(fields: tuple[Field, ...]) -> dict[str, pl.DataType]:
    """Give the polars schema of a frame with these columns."""
    return {field.name: POLARS_TYPES[field.type] for field in fields}


def conform(frame: pl.DataFrame, fields: tuple[Field, ...]) -> pl.DataFrame:
    """Give the frame exactly these columns, in order and type; a column that it lacks is null.

    Raises:
        ValueError: if it has a column that is not among the fields.
    """
    unknown = set(frame.columns) - {field.name for field in fields}
    if unknown:
        raise ValueError(f"not columns of the canonical model: {', '.join(sorted(unknown))}")
    if not frame.columns:
        # A selection of constants from nothing would be one row.
        return pl.DataFrame(schema=schema(fields))
    return frame.select(
        pl.col(name).cast(type_) if name in frame.columns else pl.lit(None, type_).alias(name)
        for name, type_ in schema(fields).items()
    )


def state_change(before: str | None, after: str) -> str:
    """Name the kind of event that a change of state is.

    >>> state_change("new", "in_progress"), state_change("resolved", "on_hold"), state_change("on_hold", "resolved")
    ('state', 'reopened', 'resolved')
    """
    if before in ("resolved", "closed", "cancelled") and after in OPEN_STATES:
        return "reopened"
    if after in ("resolved", "closed", "cancelled"):
        return after
    if after == "on_hold":
        return "held"
    return "resumed" if before == "on_hold" else "state"
