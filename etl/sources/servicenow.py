"""ServiceNow: exports of the incident list, its history as whole rows and the audit log, and the Table API.

Follows the vendor's documentation of the incident form, its default choice lists and the Table API ("Incident
management", "Table API", "Auditing", "Inbound REST API rate limiting", releases Washington DC to Zurich). Lists come as
CSV, XLSX or JSON, with labels or column names, display values or raw values. An instance's own words are mapped in the
configuration: `[sources.NAME.status]`, `.priority`, `.channel`, `.hold_reason`, `.excluded`, `.fields`.

Pulled by the Table API: `incident`, its history from `sys_audit` (who did what; where that may not be read, from
`metric_instance`, which knows neither who nor comments), deletions from `sys_audit_delete`, verdicts on resolution
targets from `task_sla`, names from `sys_user` and `sys_user_group`. Tested against a stand-in that is written from the
vendor's documents, never against an instance. Takes `user` and `password`, or `client_id` and `client_secret` (OAuth
client credentials); `filter` is an encoded query: by what does not change, since an incident that leaves it stays here as
it was; a part of it that the instance does not understand is ignored there.

Needs a user who may read these tables (`itil`, and a rule for `sys_audit`), **whose time zone is GMT**: an instance reads
the times of a query in it, and a pull that finds otherwise stops. Limits: rows that access rules hide are cut out of a
page after it was counted, without a word, and a field's own rule empties it. Ids are compared every `sweep_hours`: what
is gone although `sys_audit_delete` does not say so, or may not be seen any more, counts as deleted until it changes again.
Cannot know: what cleaned audit tables no longer hold, and who changed what where the audit of a field is off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import polars as pl

from etl import stamps
from etl.incident import (
    CHANNELS,
    GIVEN_EVENT,
    HOLD_REASONS,
    PRIORITIES,
    SNAPSHOT,
    STATES,
    VERSION,
    conform,
    schema,
    state_change,
)
from etl.pull import Answer, Basic, Client, OAuth, Page, Pull
from etl.reading import LINE, Export
from etl.shaping import (
    History,
    Verdicts,
    actor_kind,
    boolean,
    integer,
    leftovers,
    lowered,
    mapped,
    newest,
    read_stamp,
)
from etl.sources import Canonical, Options
from etl.sources._records import check_fields, lacking, meaning, not_there

STATUS: dict[str, str] = {
    "new": "new",
    "1": "new",
    "active": "in_progress",
    "in progress": "in_progress",
    "work in progress": "in_progress",
    "2": "in_progress",
    "on hold": "on_hold",
    "3": "on_hold",
    "awaiting problem": "on_hold",
    "awaiting user info": "on_hold",
    "awaiting caller": "on_hold",
    "4": "on_hold",
    "awaiting evidence": "on_hold",
    "5": "on_hold",
    "awaiting vendor": "on_hold",
    "awaiting change": "on_hold",
    "resolved": "resolved",
    "6": "resolved",
    "closed": "closed",
    "7": "closed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "8": "cancelled",
}
"""State and incident_state, display values and codes; 4 and 5 belong to the older state model."""

HOLD_REASON: dict[str, str] = {
    "awaiting caller": "caller",
    "awaiting user info": "caller",
    "1": "caller",
    "awaiting problem": "other",
    "3": "other",
    "awaiting evidence": "other",
    "awaiting vendor": "vendor",
    "4": "vendor",
    "awaiting change": "change",
    "5": "change",
}

PRIORITY: dict[str, int] = {"critical": 1, "high": 2, "moderate": 3, "medium": 3, "low": 4, "planning": 5}

CHANNEL: dict[str, str] = {
    "phone": "phone",
    "ivr": "phone",
    "email": "email",
    "e-mail": "email",
    "self-service": "portal",
    "self service": "portal",
    "portal": "portal",
    "service portal": "portal",
    "chat": "chat",
    "virtual_agent": "chat",
    "virtual agent": "chat",
    "walk-in": "walk_in",
    "walk in": "walk_in",
    "direct opening": "other",
    "direct": "other",
    "monitoring": "monitoring",
    "event": "monitoring",
    "event management": "monitoring",
    "alert": "monitoring",
    "integration": "api",
    "api": "api",
    "other": "other",
}

EXCLUDED: dict[str, str] = {"duplicate": "duplicate"}
"""Resolution codes that say the record was no incident of its own."""

ESCALATION: dict[str, int] = {"normal": 0, "moderate": 1, "high": 2, "overdue": 3}

AUTOMATION = ("system", "workflow", "guest", "mid.server", "mid server*", "event.management*", "admin.integration*")

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("number",),
    "external_id": ("sys_id",),
    "title": ("short_description",),
    "state": ("incident_state", "state"),
    "hold_reason": ("hold_reason", "on_hold_reason"),
    "priority": ("priority",),
    "impact": ("impact",),
    "urgency": ("urgency",),
    "category": ("category",),
    "subcategory": ("subcategory",),
    "is_major": ("major_incident_state", "major_incident"),
    "service": ("business_service", "service"),
    "configuration_item": ("cmdb_ci", "configuration_item"),
    "assignment_group": ("assignment_group",),
    "assignee": ("assigned_to",),
    "caller": ("caller_id", "caller"),
    "location": ("location",),
    "channel": ("contact_type", "channel"),
    "tags": ("sys_tags", "tags"),
    "parent_id": ("parent_incident", "parent"),
    "problem_id": ("problem_id", "problem"),
    "change_id": ("rfc", "change_request"),
    "resolution_code": ("close_code", "closed_code", "resolution_code"),
    "knowledge_used": ("knowledge",),
    "reopens_id": ("reopened_from",),
    "occurred_at": ("outage_start",),
    "opened_at": ("opened_at", "opened", "sys_created_on", "sys_created_at", "created"),
    "resolved_at": ("resolved_at", "resolved"),
    "closed_at": ("closed_at", "closed"),
    "updated_at": ("sys_updated_on", "sys_updated_at", "updated"),
    "updated_by": ("sys_updated_by", "updated_by"),
    "version_number": ("sys_mod_count", "updates"),
    "reassignment_count": ("reassignment_count",),
    "reopen_count": ("reopen_count",),
    "escalation": ("escalation",),
    "sla_met": ("made_sla",),
}
"""Our field -> column names and labels, spelled in lower case with underscores."""

STAMPS = ("occurred_at", "opened_at", "resolved_at", "closed_at", "updated_at")
TEXTS = (
    "external_id",
    "title",
    "impact",
    "urgency",
    "category",
    "subcategory",
    "configuration_item",
    "assignment_group",
    "assignee",
    "caller",
    "location",
    "parent_id",
    "problem_id",
    "change_id",
    "resolution_code",
    "reopens_id",
    "updated_by",
)

AUDIT_FIELDS: dict[str, tuple[str, ...]] = {
    "incident_key": ("documentkey", "document_key"),
    "field": ("fieldname", "field_name", "field"),
    "before": ("oldvalue", "old_value", "old"),
    "after": ("newvalue", "new_value", "new"),
    "actor": ("user", "sys_created_by", "created_by"),
    "happened_at": ("sys_created_on", "created"),
    "record": ("sys_id",),
    "order": ("record_checkpoint", "internal_checkpoint", "update_count", "record_update_count"),
}
AUDITED = (
    "state",
    "incident_state",
    "hold_reason",
    "priority",
    "assignment_group",
    "assigned_to",
    "escalation",
    "comments",
    "work_notes",
)
MEASURED = ("incident_state", "assigned_to", "assignment_group")
AUDIT_NEEDED = ("incident_key", "field", "before", "after", "happened_at")

EXAMPLE: dict[str, bytes] = {
    "incident_list.csv": (
        b"Number,Short description,State,Priority,Assignment group,Opened,Resolved,Updated\r\n"
        b"INC0010001,Mail is down,Closed,1 - Critical,Messaging,2025-03-03 08:00:00,2025-03-03 10:30:00,"
        b"2025-03-08 11:00:00\r\n"
        b"INC0010002,New screen,New,4 - Low,Desktop,2025-03-03 09:15:00,,2025-03-03 09:15:00\r\n"
    ),
    "incident_history.csv": (
        b"number,incident_state,sys_mod_count,opened_at,sys_updated_by,sys_updated_at,priority,resolved_at\n"
        b"INC0000045,New,0,29/2/2016 01:16,jdoe,29/2/2016 01:23,3 - Moderate,29/2/2016 11:29\n"
        b"INC0000045,Resolved,1,29/2/2016 01:16,mroe,29/2/2016 11:29,3 - Moderate,29/2/2016 11:29\n"
    ),
    "sys_audit.json": (
        b'{"result": [{"tablename": "incident", "documentkey": "INC0010001", "fieldname": "incident_state", '
        b'"oldvalue": "1", "newvalue": "2", "user": "mroe", "sys_created_on": "2025-03-03 08:10:00"}]}'
    ),
}
EXAMPLE_OPTIONS: dict[str, str] = {"timezone": "Europe/Berlin"}

REFERENCES = ("breaches", "groups", "may_audit", "still_there", "sweep", "task_sla", "users")
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {
    "incident": [
        {
            "sys_id": {"display_value": "a1", "value": "a1"},
            "number": {"display_value": "INC0010001", "value": "INC0010001"},
            "short_description": {"display_value": "Mail is down", "value": "Mail is down"},
            "state": {"display_value": "Gelöst", "value": "6"},
            "priority": {"display_value": "1 - Kritisch", "value": "1"},
            "assignment_group": {"display_value": "Messaging", "value": "g1"},
            "assigned_to": {"display_value": "Ann Roe", "value": "u1"},
            "caller_id": {"display_value": "Bob Doe", "value": "u2"},
            "opened_at": {"display_value": "03.03.2025 09:00:00", "value": "2025-03-03 08:00:00"},
            "resolved_at": {"display_value": "03.03.2025 11:30:00", "value": "2025-03-03 10:30:00"},
            "sys_updated_on": {"display_value": "03.03.2025 11:30:00", "value": "2025-03-03 10:30:00"},
            "sys_mod_count": {"display_value": "4", "value": "4"},
        }
    ],
    "sys_audit": [
        {
            "sys_id": "b1",
            "tablename": "incident",
            "documentkey": "a1",
            "fieldname": "assigned_to",
            "oldvalue": "",
            "newvalue": "u1",
            "user": "ann.roe",
            "sys_created_on": "2025-03-03 08:10:00",
            "record_checkpoint": "1",
        },
        {
            "sys_id": "b2",
            "tablename": "incident",
            "documentkey": "a1",
            "fieldname": "state",
            "oldvalue": "1",
            "newvalue": "6",
            "user": "ann.roe",
            "sys_created_on": "2025-03-03 10:30:00",
            "record_checkpoint": "4",
        },
    ],
    "sys_audit_delete": [{"documentkey": "a9", "user": "admin", "sys_created_on": "2025-03-04 08:00:00"}],
    "may_audit": [{"may": True}],
    "task_sla": [{"task": "a1", "has_breached": "false", "stage": "completed"}],
    "users": [{"sys_id": "u1", "user_name": "ann.roe", "name": "Ann Roe"}],
    "groups": [{"sys_id": "g1", "name": "Messaging"}],
}


@dataclass(frozen=True)
class Plan:
    """How one export is read."""

    file: str
    options: Options
    columns: Mapping[str, str]
    formats: Mapping[str, stamps.Format]
    zone: str
    is_audit: bool
    stream: str | None
    """Of a pull: incident, incident_breached, incident_appeared, sys_audit, metric_instance, sys_audit_delete or gone."""
    people: Mapping[str, str]
    """Of a pull: a person's sys_id or user name -> name."""
    groups: Mapping[str, str]
    targets: Mapping[str, bool]
    """Of a pull: an incident's sys_id -> the verdict on its resolution targets, where it is final."""
    knows_actors: bool = True
    """The history says who did what; that of `metric_instance` does not."""
    knows_resolving: bool = True

    @property
    def where(self) -> str:
        """Source and file, for messages."""
        return f"{self.options.source}: {self.file}"


def prepare(export: Export, options: Options) -> Plan:
    """Find the columns and decide how stamps are written.

    Raises:
        SourceError: a needed column is missing, or a configured field names no column.
        StampError: dates that cannot be read without guessing.
    """
    users = export.beside.get("users", ())
    people = {
        key: user["name"] for user in users for key in (user["sys_id"], user["user_name"]) if key and user["name"]
    }
    if export.stream in ("sys_audit_delete", "gone", "metric_instance"):
        return Plan(export.name, options, {}, {}, "UTC", False, export.stream, people, {}, {}, knows_resolving=False)
    spelled = _spelled(export.columns)
    is_audit = all(_first(spelled, AUDIT_FIELDS[field]) for field in AUDIT_NEEDED)
    columns = _columns(export, options, spelled, AUDIT_FIELDS if is_audit else FIELDS)
    where = f"{options.source}: {export.name}"
    if not is_audit:
        for needed, label in (("incident_id", "number"), ("state", "state"), ("opened_at", "opened")):
            if needed not in columns:
                raise lacking(export, options, needed, label)
    stamped = ("happened_at",) if is_audit else STAMPS
    names = [columns[field] for field in stamped if field in columns]
    formats = stamps.decide(export.head(), names, export.chunks(), told=options.date_format, where=where)
    zone = "UTC" if export.stream else stamps.check_zone(options.timezone or "UTC")
    return Plan(
        export.name,
        options,
        columns,
        formats,
        zone,
        is_audit,
        export.stream,
        people,
        {group["sys_id"]: group["name"] for group in export.beside.get("groups", ()) if group["name"]},
        _targets(export.beside.get("task_sla", ())),
        all(record["may"] for record in export.beside.get("may_audit", ())),
    )


def _targets(records: Iterable[Mapping[str, str]]) -> dict[str, bool]:
    """Judge each incident by its resolution targets: a breach of one is final, met is final when all are completed."""
    stages: dict[str, list[bool | None]] = {}
    for record in records:
        if record["has_breached"] == "true":
            stages.setdefault(record["task"], []).append(False)
        elif record["stage"] != "cancelled":
            stages.setdefault(record["task"], []).append(True if record["stage"] == "completed" else None)
    return {task: all(found) for task, found in stages.items() if False in found or None not in found}


def _spelled(columns: list[str]) -> dict[str, str]:
    """Give the columns by their names in lower case with underscores; a JSON reference counts by its best part."""
    spelled: dict[str, str] = {}
    for suffix in ("", ".display_value", ".name", ".value"):
        for column in columns:
            if column.endswith(suffix):
                plain = re.sub(r"\W+", "_", column.removesuffix(suffix).strip().lower())
                spelled.setdefault(plain, column)
    return spelled


def _first(spelled: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((spelled[name] for name in names if name in spelled), None)


def _columns(
    export: Export, options: Options, spelled: Mapping[str, str], fields: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    found = {field: column for field, names in fields.items() if (column := _first(spelled, names))}
    check_fields(options, FIELDS)
    for field, told in options.fields.items():
        column = told if told in export.columns else spelled.get(re.sub(r"\W+", "_", told.strip().lower()))
        if column is not None and field in fields:
            found[field] = column
        elif field in fields:
            raise not_there(export, options, field)
    # The Table API gives database values in UTC beside display values in the user's zone: take the unambiguous one.
    for field in STAMPS:
        column = found.get(field)
        if (
            column
            and column.endswith(".display_value")
            and column.replace(".display_value", ".value") in export.columns
        ):
            found[field] = column.replace(".display_value", ".value")
    return found


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    if plan.stream in ("sys_audit_delete", "gone"):
        return _deletions(chunk, plan)
    if plan.stream == "metric_instance":
        return _metrics(chunk, plan)
    if plan.is_audit:
        return _audit(chunk, plan)
    return _records(chunk, plan)


def _deletions(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Take what was deleted, as the instance says or as a comparison of ids found."""
    keys = _at(chunk, "documentkey")
    verdicts = Verdicts(chunk, plan.file, keys)
    happened_at = _plain_stamp(chunk, "sys_created_on")
    verdicts.reject(keys.is_null(), "documentkey", "the document key is missing")
    verdicts.reject(happened_at.is_null(), "sys_created_on", "the stamp of the deletion is missing or cannot be read")
    users = _at(chunk, "user")
    kinds = actor_kind(users, (*AUTOMATION, *plan.options.automation))
    history = History(plan.file)
    for key, at, user, kind, is_good in zip(keys, happened_at, users, kinds, verdicts.good, strict=True):
        if is_good:
            actor = plan.people.get(user, user) if user else None
            history.add(key, f"{key}-deleted", at, "deleted", actor=actor, actor_kind=kind)
    return meaning(verdicts, history)


def _metrics(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Take the stretches that metrics measured: each begins with a change of state, group or person."""
    keys, fields = _at(chunk, "id"), _at(chunk, "definition.field")
    verdicts = Verdicts(chunk, plan.file, keys)
    started_at = _plain_stamp(chunk, "start")
    verdicts.reject(keys.is_null(), "id", "the id of the incident is missing")
    verdicts.reject(started_at.is_null(), "start", "the stamp of the change is missing or cannot be read")
    words, codes = _at(chunk, "value"), _at(chunk, "field_value")
    state_of = _state_of(plan.options)
    states = mapped(words, state_of, pl.String()).fill_null(mapped(codes, state_of, pl.String()))
    unknown = (fields == "incident_state") & states.is_null()
    verdicts.reject(unknown, "value", partial(_unknown, plan, "status", STATES, STATUS))
    reason_of = _lookup(HOLD_REASON, plan.options.hold_reason)
    history = History(plan.file)
    rows = zip(_at(chunk, "sys_id"), keys, started_at, fields, words, states, verdicts.good, strict=True)
    for sys_id, key, at, field, word, state, is_good in rows:
        if is_good and field == "incident_state":
            reason = str(reason_of(word or "") or "other") if state == "on_hold" else None
            history.add(key, sys_id, at, state_change(None, state), after=state, hold_reason=reason)
        elif is_good and field == "assigned_to":
            history.add(key, sys_id, at, "assigned", after=word)
        elif is_good and field == "assignment_group":
            history.add(key, sys_id, at, "group_assigned", after=word, assignment_group=word)
    return meaning(verdicts, history)


def _plain_stamp(chunk: pl.DataFrame, column: str) -> pl.Series:
    """Read a database value of the Table API, which is UTC."""
    return _at(chunk, column).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")


def _at(chunk: pl.DataFrame, column: str) -> pl.Series:
    if column in chunk.columns:
        return chunk[column]
    return pl.repeat(None, chunk.height, dtype=pl.String, eager=True).alias(column)


def _column(chunk: pl.DataFrame, plan: Plan, field: str) -> pl.Series:
    name = plan.columns.get(field)
    if name is None or name not in chunk.columns:
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True).alias(field)
    return chunk[name]


def _coded(chunk: pl.DataFrame, plan: Plan, field: str, translate: Any, dtype: pl.DataType) -> pl.Series:
    """Translate a word, or, where the word is none of ours, the code that the Table API gives beside it."""
    found = mapped(_column(chunk, plan, field), translate, dtype)
    name = plan.columns.get(field) or ""
    code = name.removesuffix(".display_value") + ".value"
    if not name.endswith(".display_value") or code not in chunk.columns:
        return found
    return found.fill_null(mapped(chunk[code], translate, dtype))


def _stamp(
    verdicts: Verdicts, chunk: pl.DataFrame, plan: Plan, field: str, ids: pl.Series
) -> tuple[pl.Series, pl.Series]:
    values = _column(chunk, plan, field)
    name = plan.columns.get(field)
    if name is None:
        return values.cast(pl.Datetime("us")), pl.repeat(False, chunk.height, eager=True)
    zone = "UTC" if name.endswith(".value") else plan.zone
    return read_stamp(verdicts, values, plan.formats[name], zone, plan.where, ids)


def _records(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    options = plan.options
    ids = _column(chunk, plan, "incident_id").str.strip_chars().replace("", None)
    verdicts = Verdicts(chunk, plan.file, ids)
    name = plan.columns.get
    verdicts.reject(ids.is_null(), name("incident_id"), "the incident's number is missing")
    opened_text = _column(chunk, plan, "opened_at")
    opened_at, unreadable = _stamp(verdicts, chunk, plan, "opened_at", ids)
    verdicts.reject(opened_text.is_null(), name("opened_at"), "the opening stamp is missing")
    verdicts.reject(unreadable, name("opened_at"), lambda value: _unreadable(plan, "opened_at", value))

    source_state = _column(chunk, plan, "state")
    state = _coded(chunk, plan, "state", _state_of(options), pl.String())
    verdicts.reject(source_state.is_null(), name("state"), "the state is missing")
    verdicts.reject(state.is_null(), name("state"), partial(_unknown, plan, "status", STATES, STATUS))
    source_priority = _column(chunk, plan, "priority")
    priority = _coded(chunk, plan, "priority", _priority_of(options), pl.Int8())
    verdicts.reject(
        priority.is_null() & source_priority.is_not_null(),
        name("priority"),
        partial(_unknown, plan, "priority", tuple(map(str, PRIORITIES)), PRIORITY),
    )
    source_channel = _column(chunk, plan, "channel")
    channel = _coded(chunk, plan, "channel", _lookup(CHANNEL, options.channel), pl.String())
    verdicts.reject(
        channel.is_null() & source_channel.is_not_null(),
        name("channel"),
        partial(_unknown, plan, "channel", CHANNELS, CHANNEL),
    )

    updated_at, updated_unreadable = _stamp(verdicts, chunk, plan, "updated_at", ids)
    _note_unreadable(verdicts, plan, "updated_at", updated_unreadable, chunk, ids)
    is_held = state == "on_hold"
    held = chunk.filter(is_held)
    hold = _coded(held, plan, "hold_reason", _lookup(HOLD_REASON, options.hold_reason), pl.String())
    hold = hold.fill_null(mapped(_column(held, plan, "hold_reason"), _hold_of(options), pl.String())).fill_null(
        mapped(_column(held, plan, "state"), _lookup(HOLD_REASON, options.hold_reason), pl.String()).fill_null("other")
    )
    actors = _column(chunk, plan, "updated_by")
    escalation = _coded(chunk, plan, "escalation", _escalation_of, pl.Int32())
    core = pl.DataFrame(
        {
            "incident_id": ids,
            "version_number": integer(_column(chunk, plan, "version_number")),
            "happened_at": updated_at,
            "actor": actors,
            "actor_kind": actor_kind(actors, (*AUTOMATION, *options.automation)),
            "state": state,
            "source_state": source_state,
            "hold_reason": pl.repeat(None, chunk.height, dtype=pl.String, eager=True).scatter(is_held.arg_true(), hold),
            "priority": priority,
            "assignment_group": _column(chunk, plan, "assignment_group"),
            "assignee": _column(chunk, plan, "assignee"),
            "escalation": escalation,
        }
    )
    core = core.with_row_index("row").filter(verdicts.good)
    # A pull sees an incident now and then: its history is the audit log, not what these sightings differ by.
    is_history = pl.col("version_number").is_not_null() & pl.col("happened_at").is_not_null()
    snapshots = core.drop("row").filter(is_history & pl.lit(plan.stream is None))
    latest = newest(core.with_columns(updated_at=pl.col("happened_at")))
    rows = latest["row"]
    raw = chunk.drop(LINE)[rows]
    latest = latest.drop("row").with_columns(
        opened_at=opened_at.gather(rows),
        source_priority=source_priority.gather(rows),
        channel=channel.gather(rows),
        source_channel=source_channel.gather(rows),
    )
    versions = _versions(latest, raw, plan, verdicts)
    history = History(plan.file)
    if plan.stream is not None:
        makers = _at(raw, "sys_created_by.value")
        kinds = actor_kind(makers, (*AUTOMATION, *options.automation))
        told = zip(versions["external_id"], versions["opened_at"], makers, kinds, strict=True)
        for key, at, maker, kind in told:
            actor = plan.people.get(maker, maker) if maker else None
            history.add(key, f"{key}-opened", at, "opened", actor=actor, actor_kind=kind)
    return meaning(verdicts, history, versions=versions, snapshots=conform(snapshots, SNAPSHOT))


def _versions(latest: pl.DataFrame, raw: pl.DataFrame, plan: Plan, verdicts: Verdicts) -> pl.DataFrame:
    """Build whole incidents for the rows that may be newest, with the raw columns of each."""
    ids = latest["incident_id"]
    made: dict[str, pl.Series] = {}
    for field in ("occurred_at", "resolved_at", "closed_at"):
        made[field], unreadable = _stamp(verdicts, raw, plan, field, ids)
        _note_unreadable(verdicts, plan, field, unreadable, raw, ids)
    for field in TEXTS:
        made[field] = _column(raw, plan, field)
    service = _column(raw, plan, "service")
    codes = made["resolution_code"]
    excluded = mapped(codes, _lookup(EXCLUDED, plan.options.excluded), pl.String())
    cancelled = pl.when(pl.col("state") == "cancelled").then(pl.lit("cancelled"))
    tags = _column(raw, plan, "tags").str.split(",").list.eval(pl.element().str.strip_chars())
    used = [column for field, column in plan.columns.items() if field not in ("hold_reason", "escalation")]
    frame = latest.select(
        "incident_id",
        "state",
        "source_state",
        "priority",
        "source_priority",
        "channel",
        "source_channel",
        "opened_at",
        "updated_at",
        "version_number",
        pl.col("escalation").alias("escalation_count"),
        cancelled.otherwise(excluded).alias("excluded_as"),
    ).with_columns(
        *(series.alias(field) for field, series in made.items()),
        pl.when(service.is_not_null()).then(pl.concat_list(service)).alias("services"),
        tags.alias("tags"),
        _coded(raw, plan, "is_major", _is_major, pl.Boolean()).alias("is_major"),
        boolean(_column(raw, plan, "knowledge_used")).alias("knowledge_used"),
        _sla_met(raw, plan, made["external_id"]).alias("sla_met"),
        integer(_column(raw, plan, "reassignment_count")).alias("reassignment_count"),
        integer(_column(raw, plan, "reopen_count")).alias("reopen_count"),
        # Who did what decides whether it was an acknowledgement.
        pl.lit(False if plan.knows_actors else None, pl.Boolean).alias("reports_acknowledgement"),
        leftovers(raw, used).alias("attributes"),
    )
    return conform(frame, VERSION)


def _sla_met(raw: pl.DataFrame, plan: Plan, ids: pl.Series) -> pl.Series:
    """The verdict of the resolution targets, else what the incident itself says."""
    said = boolean(_column(raw, plan, "sla_met"))
    return pl.Series([plan.targets.get(key) for key in ids], dtype=pl.Boolean).fill_null(said) if plan.targets else said


def _audit(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn rows of sys_audit into events; rows about other tables than incident are left out as what they are."""
    options = plan.options
    table = next((column for column in chunk.columns if re.sub(r"\W+", "", column.lower()) == "tablename"), None)
    if table is not None:
        chunk = chunk.filter(pl.col(table).is_null() | pl.col(table).str.to_lowercase().is_in(["incident", "task"]))
    keys = _column(chunk, plan, "incident_key")
    verdicts = Verdicts(chunk, plan.file, keys)
    name = plan.columns.get
    verdicts.reject(keys.is_null(), name("incident_key"), "the document key is missing")
    happened_at, unreadable = _stamp(verdicts, chunk, plan, "happened_at", keys)
    verdicts.reject(happened_at.is_null() & ~unreadable, name("happened_at"), "the stamp of the change is missing")
    verdicts.reject(unreadable, name("happened_at"), lambda value: _unreadable(plan, "happened_at", value))
    fields = mapped(
        _column(chunk, plan, "field"), lambda text: re.sub(r"\W+", "_", text.strip().lower()), pl.String()
    ).alias("field")
    before, after = _column(chunk, plan, "before"), _column(chunk, plan, "after")
    is_state = fields.is_in(["state", "incident_state"])
    is_priority = fields == "priority"
    for values, column in ((before, name("before")), (after, name("after"))):
        for kind, rows, translate, choices, table_ in (
            ("status", is_state, _state_of(options), STATES, STATUS),
            ("priority", is_priority, _priority_of(options), tuple(map(str, PRIORITIES)), PRIORITY),
        ):
            strange = {
                word for word in values.filter(rows.fill_null(value=False)).unique() if word and not translate(word)
            }
            unknown = rows & values.is_in(list(strange))
            verdicts.reject(unknown, column, partial(_unknown, plan, kind, choices, table_))
    actors = _column(chunk, plan, "actor")
    before, after = _named(before, fields, plan), _named(after, fields, plan)
    frame = pl.DataFrame(
        {
            "incident_key": keys,
            "happened_at": happened_at,
            "field": fields,
            "before": before,
            "after": after,
            "actor": mapped(actors, lambda name: plan.people.get(name, name), pl.String()),
            "actor_kind": actor_kind(actors, (*AUTOMATION, *options.automation)),
            "sequence": integer(_column(chunk, plan, "order")).fill_null(0),
            "record": _column(chunk, plan, "record"),
        }
    ).filter(verdicts.good)
    events = [_changes(frame, plan)]
    return Canonical(
        versions=pl.DataFrame(schema=schema(VERSION)),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=pl.concat(events),
        rejected=verdicts.rejected,
        issues=verdicts.issues,
    )


def _named(values: pl.Series, fields: pl.Series, plan: Plan) -> pl.Series:
    """The audit log of the Table API names people and groups by their sys_id."""
    for field, names in (("assigned_to", plan.people), ("assignment_group", plan.groups)):
        named = mapped(values, lambda id_, names=names: names.get(id_, id_), pl.String())  # type: ignore[misc]
        values = values.zip_with((fields != field).fill_null(value=True), named)
    return values


def _changes(frame: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    options = plan.options
    state_of, priority_of = _state_of(options), _priority_of(options)
    is_state = pl.col("field").is_in(["state", "incident_state"])
    frame = frame.with_columns(
        from_state=mapped(frame["before"], state_of, pl.String()),
        to_state=mapped(frame["after"], state_of, pl.String()),
        from_priority=mapped(frame["before"], priority_of, pl.Int8()).cast(pl.String),
        to_priority=mapped(frame["after"], priority_of, pl.Int8()).cast(pl.String),
        from_level=mapped(frame["before"], _escalation_of, pl.Int32()),
        to_level=mapped(frame["after"], _escalation_of, pl.Int32()),
        state_reason=mapped(frame["after"], _lookup(HOLD_REASON, options.hold_reason), pl.String()),
        told_reason=mapped(frame["after"], _hold_of(options), pl.String()),
    )
    changes = frame.filter(is_state).select("from_state", "to_state").unique()
    kinds = changes.with_columns(
        state_kind=pl.Series(
            [state_change(before, after) if after else "other" for before, after in changes.iter_rows()],
            dtype=pl.String,
        )
    )
    frame = frame.join(kinds, on=["from_state", "to_state"], how="left", nulls_equal=True)
    kind = (
        pl.when(is_state)
        .then(pl.col("state_kind"))
        .when(pl.col("field") == "assignment_group")
        .then(pl.lit("group_assigned"))
        .when(pl.col("field") == "assigned_to")
        .then(pl.lit("assigned"))
        .when(pl.col("field") == "priority")
        .then(pl.lit("priority"))
        .when((pl.col("field") == "escalation") & (pl.col("to_level") > pl.col("from_level").fill_null(0)))
        .then(pl.lit("escalated"))
        .when(pl.col("field").is_in(["comments", "work_notes"]))
        .then(pl.lit("commented"))
        .when(pl.col("field").str.to_uppercase() == "DELETED")
        .then(pl.lit("deleted"))
        .otherwise(pl.lit("other"))
    )
    is_hold = pl.col("field").is_in(["hold_reason", "on_hold_reason"])

    def value(side: str, text: str) -> pl.Expr:
        return (
            pl.when(is_state)
            .then(pl.col(f"{side}_state"))
            .when(pl.col("field") == "priority")
            .then(pl.col(f"{side}_priority"))
            .otherwise(pl.col(text))
        )

    # Both state fields are audited for one change: an id without the field's name makes them one event. A pull always
    # has the number of the change, too, which tells apart what went to and fro within a second.
    field = pl.when(is_state).then(pl.lit("state")).otherwise(pl.col("field"))
    said = pl.concat_str(
        [
            pl.col("incident_key"),
            pl.col("happened_at").dt.strftime("%Y%m%d%H%M%S"),
            field,
            value("from", "before").fill_null(""),
            value("to", "after").fill_null(""),
            *([pl.col("sequence").cast(pl.String)] if plan.stream is not None else []),
        ],
        separator="|",
        ignore_nulls=True,
    )
    events = frame.with_columns(kind.alias("kind"), said.alias("event_id")).select(
        "incident_key",
        pl.when(is_state)
        .then(pl.col("event_id"))
        .otherwise(pl.col("record").fill_null(pl.col("event_id")))
        .alias("event_id"),
        "happened_at",
        "sequence",
        "kind",
        value("from", "before").alias("from_value"),
        value("to", "after").alias("to_value"),
        pl.when(is_state & (pl.col("to_state") == "on_hold"))
        .then(pl.col("state_reason"))
        .when(is_hold)
        .then(pl.col("told_reason"))
        .alias("hold_reason"),
        "actor",
        "actor_kind",
        pl.when(pl.col("kind") == "group_assigned").then(pl.col("after")).alias("assignment_group"),
    )
    return conform(events, GIVEN_EVENT)


def _lookup(table: Mapping[str, object], told: Mapping[str, object]):  # type: ignore[no-untyped-def]
    """Make a function that looks a word up, the instance's own words first; case does not matter."""
    known = {**lowered(table), **lowered(told)}
    return lambda value: known.get(value.strip().lower())


def _state_of(options: Options):  # type: ignore[no-untyped-def]
    find = _lookup(STATUS, options.status)

    def read(value: str) -> str | None:
        found = find(value)
        return found if found in STATES else None

    return read


def _priority_of(options: Options):  # type: ignore[no-untyped-def]
    find = _lookup(PRIORITY, options.priority)

    def read(value: str) -> int | None:
        found = find(value)
        if found is not None:
            return int(found)
        coded = re.fullmatch(r"([1-5])(?:\s*-\s*\S.*)?", value.strip())
        return int(coded[1]) if coded else None

    return read


def _hold_of(options: Options):  # type: ignore[no-untyped-def]
    find = _lookup(HOLD_REASON, options.hold_reason)

    def read(value: str) -> str:
        found = find(value)
        return found if found in HOLD_REASONS else "other"

    return read


def _escalation_of(value: str) -> int | None:
    text = value.strip().lower()
    return int(text) if text in ("0", "1", "2", "3") else ESCALATION.get(text)


def _is_major(value: str) -> bool | None:
    """The major incident state is a word: only an accepted one is a major incident."""
    word = value.strip().lower()
    if word in ("accepted", "true", "yes", "1"):
        return True
    return False if word in ("proposed", "rejected", "canceled", "cancelled", "false", "no", "0", "none") else None


def _unknown(plan: Plan, kind: str, choices: tuple[str, ...], known: Mapping[str, object], value: str | None) -> str:
    return (
        f"{plan.options.source}: {kind} {value!r} is not one of {', '.join(known)}; map it under "
        f"[sources.{plan.options.source}.{kind}] to one of {', '.join(choices)}"
    )


def _unreadable(plan: Plan, field: str, value: str | None) -> str:
    return stamps.unreadable(field, plan.formats[plan.columns[field]], value)


def _note_unreadable(
    verdicts: Verdicts, plan: Plan, field: str, rows: pl.Series, frame: pl.DataFrame, ids: pl.Series
) -> None:
    verdicts.note(
        rows,
        "unreadable_stamp",
        plan.columns.get(field, field),
        _column(frame, plan, field),
        "cannot be read as a stamp; the incident is kept with the stamp unknown",
        ids,
    )


PAGE = 1000
KEPT_BACK = 10
"""Where rows are hidden, pages overlap by so many: rows that are deleted meanwhile move the others up."""
BATCH = 100
"""Keys of a query: addresses have an end."""
ASKED = (
    "sys_id", "number", "short_description", "state", "incident_state", "hold_reason", "priority", "impact", "urgency",
    "category", "subcategory", "major_incident_state", "business_service", "cmdb_ci", "assignment_group", "assigned_to",
    "caller_id", "location", "contact_type", "sys_tags", "parent_incident", "problem_id", "rfc", "close_code", "knowledge",
    "reopened_from", "opened_at", "resolved_at", "closed_at", "sys_updated_on", "sys_updated_by", "sys_mod_count",
    "reassignment_count", "reopen_count", "escalation", "made_sla", "sys_created_by",
)  # fmt: skip
AUDIT = (
    "sys_id", "tablename", "documentkey", "fieldname", "oldvalue", "newvalue", "user", "sys_created_on",
    "record_checkpoint",
)  # fmt: skip
METRIC = ("sys_id", "id", "definition.field", "field_value", "value", "start")


def whoami(pull: Pull) -> str:
    """Say as whom we are let in, and how many incidents there are, hidden ones included."""
    answer = _ask(_client(pull), "incident", "", ("number",), limit=1)
    return f"{pull.access.user or pull.access.client_id} ({answer.headers.get('X-Total-Count', '?')} incidents)"


def _client(pull: Pull) -> Client:
    if pull.access.client_id is not None:
        return pull.client(OAuth("oauth_token.do"))
    return pull.client(Basic())


def _ask(
    client: Client,
    table: str,
    query: str,
    fields: Iterable[str],
    *,
    limit: int | None = None,
    offset: int = 0,
    words: bool = False,
    forbidden: bool = False,
) -> Answer:
    params = {
        "sysparm_query": query,
        "sysparm_fields": ",".join(fields),
        "sysparm_limit": limit or PAGE,
        "sysparm_offset": offset,
        "sysparm_display_value": "all" if words else "false",
        "sysparm_exclude_reference_link": "true",
    }
    answer = client.get(f"api/now/v2/table/{table}", params, forbidden=forbidden)
    if answer.status == 403:
        return answer
    if not isinstance(answer.document, Mapping) or not isinstance(answer.document.get("result"), list):
        raise client.error(f"{answer.request} gave no list under 'result'; is `url` the address of an instance?")
    return answer


def _value(record: Mapping[str, Any], field: str) -> str:
    found = record.get(field) or ""
    return str(found.get("value") or "") if isinstance(found, Mapping) else str(found)


def _rows(
    client: Client, table: str, query: str, fields: Iterable[str], start: Any, *, words: bool = False
) -> Iterator[Page]:
    """Walk a table by sys_id, which never changes; over hidden rows by their number, which the instance counts.

    The limit is applied before access rules are: a short or an empty page is not the end, `X-Total-Count` says it.
    """
    last, offset = start or ("", 0)
    while True:
        parts = [part for part in (query, f"sys_id>{last}" if last else "") if part]
        answer = _ask(client, table, "^".join([*parts, "ORDERBYsys_id"]), fields, offset=offset, words=words)
        records, total = answer.document["result"], answer.headers.get("X-Total-Count")
        if total is None:
            raise client.error(f"{answer.request} came without X-Total-Count; hidden rows could be taken for the end")
        ids = [_value(record, "sys_id") for record in records]
        if ids and (min(ids) <= last or ids != sorted(ids)):
            raise client.error(
                f"{table} does not come in the order of sys_id that was asked for; `filter` may break it"
            )
        reached = offset + PAGE
        last, offset = (ids[-1], 0) if ids else (last, max(reached - KEPT_BACK, offset + 1))
        yield Page(records, answer.request, [last, offset])
        if reached >= int(total):
            return


def _batches(
    client: Client,
    table: str,
    keys: Iterable[str],
    query: str,
    fields: Iterable[str],
    start: Any,
    *,
    words: bool = False,
) -> Iterator[Page]:
    """Ask for the rows that belong to known keys, some keys at once."""
    at, inner = start or (0, None)
    wanted = sorted(set(keys) - {""})
    while at < len(wanted):
        asked = query.format(",".join(wanted[at : at + BATCH]))
        for page in _rows(client, table, asked, fields, inner, words=words):
            yield page._replace(resume=[at, page.resume])
        at, inner = at + BATCH, None


def fetch(pull: Pull) -> None:
    """Pull the incidents that changed, or whose targets did, their history, deletions, and the names in them."""
    client = _client(pull)
    since = f"{pull.since:%Y-%m-%d %H:%M:%S}" if pull.since is not None else None
    if since is not None:
        _check_zone(client)
    asked = tuple(dict.fromkeys((*ASKED, *pull.options.fields.values())))
    own = f"{pull.access.filter}^" if pull.access.filter else ""

    def incidents(query: str, start: Any) -> Iterator[Page]:
        return _rows(client, "incident", query, asked, start, words=True)

    def chosen(stream: str, ids: Iterable[str]) -> None:
        pull.keep(stream, lambda start: _batches(client, "incident", ids, own + "sys_idIN{}", asked, start, words=True))

    changed = (own + (f"sys_updated_on>={since}" if since else "")).removesuffix("^")
    pull.keep("incident", lambda start: incidents(changed, start))
    ids = _ids(pull, "incident")
    if not pull.is_first:
        # A target is breached without a change of its incident.
        breached = f"task.sys_class_name=incident^has_breached=true^sys_updated_on>={since}"
        pull.keep("breaches", lambda start: _rows(client, "task_sla", breached, ("sys_id", "task"), start))
        chosen("incident_breached", _ids(pull, "breaches", "task") - ids)
    if pull.sweep_is_due:
        chosen("incident_appeared", _sweep(pull, client, own, ids))
    ids |= _ids(pull, "incident_breached") | _ids(pull, "incident_appeared")
    _histories(pull, client, ids)
    deleted = "tablename=incident" + (f"^sys_created_on>={since}" if since else "")
    told = ("sys_id", "tablename", "documentkey", "user", "sys_created_on")
    pull.keep("sys_audit_delete", lambda start: _rows(client, "sys_audit_delete", deleted, told, start))
    targets = ("sys_id", "task", "has_breached", "stage")
    resolution = "sla.target=resolution^taskIN{}"
    pull.keep("task_sla", lambda start: _batches(client, "task_sla", ids, resolution, targets, start))
    _names(pull, client)


def _ids(pull: Pull, stream: str, field: str = "sys_id") -> set[str]:
    return {_value(record, field) for record in pull.kept(stream)}


def _histories(pull: Pull, client: Client, ids: set[str]) -> None:
    """Pull what happened to incidents: the audit log, or, where we may not read it, the metrics of their states."""
    pull.keep("may_audit", lambda _: _may_read(client, "sys_audit"))
    if any(record["may"] for record in pull.kept("may_audit")):
        audited = f"tablename=incident^fieldnameIN{','.join(AUDITED)}^documentkeyIN{{}}"
        pull.keep("sys_audit", lambda start: _batches(client, "sys_audit", ids, audited, AUDIT, start))
    else:
        pull.tell(f"{pull.source}: may not read sys_audit: history comes from metric_instance, without who did what")
        measured = f"table=incident^definition.fieldIN{','.join(MEASURED)}^idIN{{}}"
        pull.keep("metric_instance", lambda start: _batches(client, "metric_instance", ids, measured, METRIC, start))


def _may_read(client: Client, table: str) -> Iterator[Page]:
    answer = _ask(client, table, "tablename=incident", ("sys_id",), limit=1, forbidden=True)
    yield Page([{"may": answer.status != 403}], answer.request, None)


def _sweep(pull: Pull, client: Client, own: str, ids: set[str]) -> set[str]:
    """Compare the numbers that there are with ours; give the ids of incidents that appeared without a change."""
    everything = own + (f"sys_updated_on>={pull.access.since:%Y-%m-%d %H:%M:%S}" if pull.access.since else "")
    both = ("sys_id", "number")
    pull.keep("sweep", lambda start: _rows(client, "incident", everything.removesuffix("^"), both, start))
    there, known = {record["number"]: record["sys_id"] for record in pull.kept("sweep")}, pull.known()
    if known and not there:
        raise client.error(f"shows none of our {len(known)} incidents any more; check `filter` and the user's rights")
    missing = known - set(there)
    # What only left the filter is there.
    pull.keep("still_there", lambda start: _batches(client, "incident", missing, "numberIN{}", both, start))
    gone = sorted(missing - _ids(pull, "still_there", "number"))
    at = f"{pull.as_of:%Y-%m-%d %H:%M:%S}"
    records = [{"documentkey": number, "user": None, "sys_created_on": at} for number in gone]
    pull.keep("gone", lambda _: [Page(records, "sweep", None)])
    pull.swept()
    return {sys_id for number, sys_id in there.items() if number not in known} - ids


def _names(pull: Pull, client: Client) -> None:
    """Pull the names of the people and groups that the history names by their ids."""
    people, groups = set(), set()
    for record in pull.kept("sys_audit"):
        people.add(record.get("user") or "")
        for value in (record.get("oldvalue") or "", record.get("newvalue") or ""):
            if record.get("fieldname") == "assigned_to":
                people.add(value)
            elif record.get("fieldname") == "assignment_group":
                groups.add(value)
    for record in pull.kept("sys_audit_delete"):
        people.add(record.get("user") or "")
    for stream in ("incident", "incident_breached", "incident_appeared"):
        people |= _ids(pull, stream, "sys_created_by") | _ids(pull, stream, "sys_updated_by")
    who, what = ("sys_id", "user_name", "name"), ("sys_id", "name")
    either = "sys_idIN{0}^ORuser_nameIN{0}"
    pull.keep("users", lambda start: _batches(client, "sys_user", people, either, who, start))
    pull.keep("groups", lambda start: _batches(client, "sys_user_group", groups, "sys_idIN{}", what, start))


def _check_zone(client: Client) -> None:
    """See that the instance reads the instants in a query as UTC: it does so in the zone of the user.

    Raises:
        PullError: it reads them otherwise; what changed would be missed.
    """

    def newest(query: str) -> Mapping[str, Any] | None:
        answer = _ask(client, "incident", f"{query}ORDERBYDESCsys_updated_on", ("sys_id", "sys_updated_on"))
        return next(iter(answer.document["result"]), None)

    seen = newest("")
    if seen is None:
        return
    at = datetime.fromisoformat(_value(seen, "sys_updated_on"))
    one = f"sys_id={_value(seen, 'sys_id')}^"
    since, after = (newest(f"{one}sys_updated_on>={at + timedelta(seconds=seconds)}^") for seconds in (0, 1))
    if newest(one) == seen and (since != seen or after is not None):
        raise client.error("the instance reads times in the zone of this user; set the user's time zone to GMT")
