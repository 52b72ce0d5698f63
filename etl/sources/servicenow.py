"""ServiceNow exports: the incident list, the history as whole rows, and the audit log.

Follows the vendor's documentation of the incident form, its default choice lists and the Table API ("Incident
management", "Table API", "Auditing", releases Washington DC to Zurich). Lists come as CSV, XLSX or JSON, with labels
or column names, display values or raw values. An instance's own words are mapped in the configuration:
`[sources.NAME.status]`, `.priority`, `.channel`, `.hold_reason`, `.excluded`, `.fields`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

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
from etl.reading import LINE, Export
from etl.shaping import Verdicts, actor_kind, boolean, integer, leftovers, lowered, mapped, nearest, newest, read_stamp
from etl.sources import Canonical, Options, SourceError

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


@dataclass(frozen=True)
class Plan:
    """How one export is read."""

    file: str
    options: Options
    columns: Mapping[str, str]
    formats: Mapping[str, stamps.Format]
    zone: str
    is_audit: bool
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
    spelled = _spelled(export.columns)
    is_audit = all(_first(spelled, AUDIT_FIELDS[field]) for field in AUDIT_NEEDED)
    columns = _columns(export, options, spelled, AUDIT_FIELDS if is_audit else FIELDS)
    where = f"{options.source}: {export.name}"
    if not is_audit:
        for needed, label in (("incident_id", "number"), ("state", "state"), ("opened_at", "opened")):
            if needed not in columns:
                raise SourceError(
                    f"{where}: no column for {needed} (looked for '{label}'); the file has "
                    f"{', '.join(export.columns[:40])}; name it under [sources.{options.source}.fields]"
                )
    stamped = ("happened_at",) if is_audit else STAMPS
    names = [columns[field] for field in stamped if field in columns]
    formats = stamps.decide(export.head(), names, export.chunks(), told=options.date_format, where=where)
    zone = stamps.check_zone(options.timezone or "UTC")
    return Plan(export.name, options, columns, formats, zone, is_audit)


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
    for field, told in options.fields.items():
        if field not in FIELDS:
            raise SourceError(
                f"{options.source}: [sources.{options.source}.fields] names '{field}', which is not one of "
                f"{', '.join(FIELDS)}{nearest(field, list(FIELDS))}"
            )
        column = told if told in export.columns else spelled.get(re.sub(r"\W+", "_", told.strip().lower()))
        if column is not None and field in fields:
            found[field] = column
        elif field in fields:
            raise SourceError(
                f"{options.source}: {export.name}: [sources.{options.source}.fields] takes {field} from '{told}', "
                f"which the file does not have{nearest(told, export.columns)}"
            )
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
    if plan.is_audit:
        return _audit(chunk, plan)
    return _records(chunk, plan)


def _column(chunk: pl.DataFrame, plan: Plan, field: str) -> pl.Series:
    name = plan.columns.get(field)
    if name is None or name not in chunk.columns:
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True).alias(field)
    return chunk[name]


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
    state = mapped(source_state, _state_of(options), pl.String())
    verdicts.reject(source_state.is_null(), name("state"), "the state is missing")
    verdicts.reject(state.is_null(), name("state"), partial(_unknown, plan, "status", STATES, STATUS))
    source_priority = _column(chunk, plan, "priority")
    priority = mapped(source_priority, _priority_of(options), pl.Int8())
    verdicts.reject(
        priority.is_null() & source_priority.is_not_null(),
        name("priority"),
        partial(_unknown, plan, "priority", tuple(map(str, PRIORITIES)), PRIORITY),
    )
    source_channel = _column(chunk, plan, "channel")
    channel = mapped(source_channel, _lookup(CHANNEL, options.channel), pl.String())
    verdicts.reject(
        channel.is_null() & source_channel.is_not_null(),
        name("channel"),
        partial(_unknown, plan, "channel", CHANNELS, CHANNEL),
    )

    updated_at, updated_unreadable = _stamp(verdicts, chunk, plan, "updated_at", ids)
    _note_unreadable(verdicts, plan, "updated_at", updated_unreadable, chunk, ids)
    hold_text = _column(chunk, plan, "hold_reason")
    hold = mapped(hold_text, _hold_of(options), pl.String()).fill_null(
        mapped(source_state, _lookup(HOLD_REASON, options.hold_reason), pl.String()).fill_null("other")
    )
    actors = _column(chunk, plan, "updated_by")
    escalation = mapped(_column(chunk, plan, "escalation"), _escalation_of, pl.Int32())
    core = pl.DataFrame(
        {
            "incident_id": ids,
            "version_number": integer(_column(chunk, plan, "version_number")),
            "happened_at": updated_at,
            "actor": actors,
            "actor_kind": actor_kind(actors, (*AUTOMATION, *options.automation)),
            "state": state,
            "source_state": source_state,
            "hold_reason": hold.zip_with(
                state == "on_hold", pl.Series([None], dtype=pl.String).new_from_index(0, len(hold))
            ),
            "priority": priority,
            "assignment_group": _column(chunk, plan, "assignment_group"),
            "assignee": _column(chunk, plan, "assignee"),
            "escalation": escalation,
        }
    )
    good = verdicts.good
    whole = core.with_columns(
        opened_at=opened_at, source_priority=source_priority, channel=channel, source_channel=source_channel
    ).hstack(chunk.rename({column: f"\0{column}" for column in chunk.columns if column != LINE}))
    if not good.all():
        core, whole = core.filter(good), whole.filter(good)
    snapshots = core.filter(pl.col("version_number").is_not_null() & pl.col("happened_at").is_not_null())
    latest = newest(whole.with_columns(updated_at=pl.col("happened_at")))
    versions = _versions(latest, plan, verdicts)
    return Canonical(
        versions=versions,
        snapshots=conform(snapshots, SNAPSHOT),
        events=pl.DataFrame(schema=schema(GIVEN_EVENT)),
        rejected=verdicts.rejected,
        issues=verdicts.issues,
    )


def _versions(latest: pl.DataFrame, plan: Plan, verdicts: Verdicts) -> pl.DataFrame:
    """Build whole incidents for the rows that may be newest; the raw columns come along behind a NUL."""
    raw = latest.select(pl.col("^\0.*$").name.map(lambda name: name[1:]))
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
        _major(_column(raw, plan, "is_major")).alias("is_major"),
        boolean(_column(raw, plan, "knowledge_used")).alias("knowledge_used"),
        boolean(_column(raw, plan, "sla_met")).alias("sla_met"),
        integer(_column(raw, plan, "reassignment_count")).alias("reassignment_count"),
        integer(_column(raw, plan, "reopen_count")).alias("reopen_count"),
        pl.lit(value=False).alias("reports_acknowledgement"),
        leftovers(raw, used).alias("attributes"),
    )
    return conform(frame, VERSION)


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
    frame = pl.DataFrame(
        {
            "incident_key": keys,
            "happened_at": happened_at,
            "field": fields,
            "before": before,
            "after": after,
            "actor": _column(chunk, plan, "actor"),
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
        actor_kind=actor_kind(frame["actor"], (*AUTOMATION, *options.automation)),
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

    # Both state fields are audited for one change: an id without the field's name makes them one event.
    field = pl.when(is_state).then(pl.lit("state")).otherwise(pl.col("field"))
    said = pl.concat_str(
        [
            pl.col("incident_key"),
            pl.col("happened_at").dt.strftime("%Y%m%d%H%M%S"),
            field,
            value("from", "before").fill_null(""),
            value("to", "after").fill_null(""),
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


def _major(values: pl.Series) -> pl.Series:
    """The major incident state is a word: only an accepted one is a major incident."""

    def read(value: str) -> bool | None:
        word = value.strip().lower()
        if word in ("accepted", "true", "yes", "1"):
            return True
        return False if word in ("proposed", "rejected", "canceled", "cancelled", "false", "no", "0", "none") else None

    return mapped(values, read, pl.Boolean())


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
