"""PagerDuty: incidents and their log entries by REST v2, raw analytics as JSON or CSV, and webhooks v3 as files.

Follows the vendor's documents "REST API v2" (list incidents, list log entries, pagination, rate limits; the OpenAPI
description of 2024), "Analytics: get raw data, multiple incidents" and "Webhooks v3: overview".

Reads: incidents, and from the log entries who triggered, acknowledged, snoozed, escalated, reassigned and resolved
them; the type of the entry's agent tells people from machines. Needs a read-only account key (scope `incidents.read`);
the key of a user sees that user's teams only, and nothing says what is hidden. Limits: 10,000 rows to a listing, so
time is cut into windows; no listing by update, so the account's log entries say which incidents changed. Cannot know:
when the impact began, whether a caller was waited for (a snooze is a hold for reason `other`), targets. Without log
entries (a file of incidents alone) acknowledgements and holds are unknown. An entry without teams leaves the group as
it was. A team's name is the assignment group, else the escalation policy's.

The vendor does not say what a snooze that runs out writes: any change of state ends a hold here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import polars as pl

from etl import stamps
from etl.incident import GIVEN_EVENT, PRIORITIES, SNAPSHOT, VERSION, conform, schema
from etl.pull import Client, Page, Pull, Token, TooManyError, by_offset, by_one, by_window
from etl.reading import LINE, Export
from etl.shaping import (
    Verdicts,
    actor_kind,
    boolean,
    coalesced,
    integer,
    leftovers,
    lookup,
    lowered,
    mapped,
    newest,
    read_stamp,
    unknown,
)
from etl.sources import Canonical, Options
from etl.sources._records import API_STAMP, Plan, Records, planned

STATUS: dict[str, str] = {"triggered": "new", "acknowledged": "in_progress", "resolved": "resolved"}

PRIORITY: dict[str, int] = {
    "p1": 1, "p2": 2, "p3": 3, "p4": 4, "p5": 5,
    "sev-1": 1, "sev-2": 2, "sev-3": 3, "sev-4": 4, "sev-5": 5,
}  # fmt: skip
"""The names that an account has unless it renames them."""

NOT_TOLD = "not told"
CHANNEL: dict[str, str] = {
    "api": "monitoring",
    "nagios": "monitoring",
    "auto": "monitoring",
    "email": "monitoring",
    "website": "portal",
    "web_trigger": "portal",
    "mobile": "portal",
    "slack": "chat",
    NOT_TOLD: "monitoring",
}
"""Type of the channel through which an incident was triggered. Events and mails come from integrations; analytics and
webhooks do not tell, and there nearly all come from integrations, too."""

EXCLUDED: dict[str, str] = {"merge_resolve_reason": "duplicate"}
"""Type of the reason for which it was resolved."""

AGENT: dict[str, str] = {
    "user": "person",
    "service": "automation",
    "integration": "automation",
    "inbound_integration": "automation",
    "event_rule": "automation",
    "workflow": "automation",
    "app": "automation",
}
"""Type of who did it, without `_reference`; another type is `unknown`."""

ENTRIES: dict[str, tuple[str, int]] = {
    "trigger": ("opened", 0),
    "assign": ("assigned", 10),
    "delegate": ("assigned", 12),
    "priority_change": ("priority", 15),
    "escalate": ("escalated", 20),
    "acknowledge": ("acknowledged", 30),
    "snooze": ("held", 50),
    "unsnooze": ("state", 55),
    "unacknowledge": ("state", 60),
    "annotate": ("commented", 70),
    "resolve": ("resolved", 80),
    "reopen": ("state", 90),
}
"""Type of a log entry without `_log_entry` -> what it is, and its place among the entries of one second, as the log
tells whole seconds. Any other type is `other`."""

LEADS_TO: dict[str, str] = {
    "trigger": "triggered",
    "acknowledge": "acknowledged",
    "unsnooze": "acknowledged",
    "unacknowledge": "triggered",
    "resolve": "resolved",
    "reopen": "triggered",
}
"""Type of a log entry -> the status after it. A snooze has no status of its own: it is on hold."""

EVENTS: dict[str, str] = {
    "incident.triggered": "trigger",
    "incident.acknowledged": "acknowledge",
    "incident.unacknowledged": "unacknowledge",
    "incident.reassigned": "assign",
    "incident.delegated": "delegate",
    "incident.escalated": "escalate",
    "incident.priority_updated": "priority_change",
    "incident.annotated": "annotate",
    "incident.resolved": "resolve",
    "incident.reopened": "reopen",
}
"""Type of a webhook's event -> the type of log entry that says the same."""

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id",),
    "external_id": ("incident_number", "number"),
    "title": ("title", "description", "summary"),
    "url": ("html_url",),
    "state": ("status",),
    "priority": ("priority.summary", "priority.name", "priority_name"),
    "urgency": ("urgency",),
    "is_major": ("major",),
    "category": ("incident_type.name", "incident_type_name"),
    "service": ("service.summary", "service.name", "service_name"),
    "assignment_group": ("team_name", "teams", "escalation_policy.summary", "escalation_policy_name"),
    "assignee": ("assignments", "assignees", "assigned_user_names"),
    "caller": (),
    "location": (),
    "configuration_item": (),
    "channel": ("first_trigger_log_entry.channel.type",),
    "resolution_code": ("resolve_reason.type",),
    "parent_id": ("resolve_reason.incident.id",),
    "occurred_at": (),
    "opened_at": ("created_at",),
    "resolved_at": ("resolved_at",),
    "updated_at": ("updated_at", "last_status_change_at"),
    "is_auto_resolved": ("auto_resolved",),
    "reassignment_count": ("reassignment_count",),
    "escalation_count": ("escalation_count",),
    "seconds_to_acknowledge": ("seconds_to_first_ack",),
    "seconds_on_hold": ("snoozed_seconds",),
}
"""Our field -> where incidents and analytics have it."""

STAMPS = ("occurred_at", "opened_at", "resolved_at", "updated_at")
LISTS = ("teams", "assignments", "assignees", "assigned_user_names")

PAGE = 100
"""The most rows of a page."""
CAP = 10_000
"""Offset plus limit may not pass it: 400 otherwise."""
WITH_CHANNELS = {"include[]": ["channels"]}
"""A log entry's channel holds how long a snooze is, and which priority became which."""
WIDEST = timedelta(days=150)
"""The vendor takes six months at most."""
BEGINNING = datetime(2009, 1, 1)
"""There was no PagerDuty before."""
BOUNDARY = timedelta(seconds=1)
"""The vendor does not say which bounds of a span belong to it, so spans share a second and ids tell what came twice."""


_TEAM = {"id": "PQ9K7I8", "type": "team_reference", "summary": "Messaging"}
_ANN = {"id": "PXPGF42", "type": "user_reference", "summary": "Ann Arden"}
_MAIL = {"id": "PIJ90N7", "type": "service_reference", "summary": "Mail"}
_INCIDENT = {
    "id": "PT4KHLK",
    "type": "incident",
    "incident_number": 1234,
    "title": "Mail queue above 5000",
    "created_at": "2025-03-03T07:00:00Z",
    "updated_at": "2025-03-03T08:30:00Z",
    "status": "resolved",
    "service": _MAIL,
    "teams": [_TEAM],
    "assignments": [],
    "urgency": "high",
    "priority": {"id": "P53ZZH5", "type": "priority_reference", "summary": "P2"},
    "resolved_at": "2025-03-03T08:30:00Z",
    "last_status_change_at": "2025-03-03T08:30:00Z",
    "first_trigger_log_entry": {"id": "R1", "type": "trigger_log_entry", "channel": {"type": "api"}, "agent": _MAIL},
    "escalation_policy": {"id": "PT20YPA", "type": "escalation_policy_reference", "summary": "Mail on call"},
}
_OF = {"incident": {"id": "PT4KHLK", "type": "incident_reference"}, "teams": [_TEAM]}


def _entry(id_: str, type_: str, at: str, agent: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": f"{type_}_log_entry", "created_at": at, "agent": agent, **_OF, **more}


WEBHOOK = ("event.event_type",)
"""What a file of one webhook message has; many of them are read together."""
EXAMPLE: dict[str, bytes] = {
    "incidents.json": json.dumps({"incidents": [_INCIDENT], "limit": 100, "offset": 0, "more": False}).encode(),
    "log_entries.json": json.dumps(
        {
            "log_entries": [
                _entry("R4", "resolve", "2025-03-03T08:30:00Z", _ANN, channel={"type": "website"}),
                _entry("R3", "acknowledge", "2025-03-03T07:04:00Z", _ANN, channel={"type": "mobile"}),
                _entry("R2", "assign", "2025-03-03T07:00:00Z", _MAIL, channel={"type": "auto"}, assignees=[_ANN]),
                _entry("R1", "trigger", "2025-03-03T07:00:00Z", _MAIL, channel={"type": "api"}),
            ],
            "limit": 100,
            "offset": 0,
            "more": False,
        }
    ).encode(),
    "analytics.csv": (
        b"id,incident_number,description,status,urgency,priority_name,service_name,team_name,created_at,resolved_at,"
        b"seconds_to_first_ack,snoozed_seconds,auto_resolved,major,escalation_count,reassignment_count\n"
        b"PT4KHLK,1234,Mail queue above 5000,resolved,high,P2,Mail,Messaging,2025-03-03T07:00:00,2025-03-03T08:30:00,"
        b"240,0,false,false,0,0\n"
    ),
    "webhook.json": json.dumps(
        {
            "event": {
                "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
                "event_type": "incident.acknowledged",
                "resource_type": "incident",
                "occurred_at": "2025-03-03T07:04:00.169Z",
                "agent": _ANN,
                "client": {"name": "PagerDuty"},
                "data": {
                    "id": "PT4KHLK",
                    "type": "incident",
                    "number": 1234,
                    "status": "acknowledged",
                    "created_at": "2025-03-03T07:00:00Z",
                    "title": "Mail queue above 5000",
                    "service": _MAIL,
                    "assignees": [_ANN],
                    "teams": [_TEAM],
                    "priority": {"id": "P53ZZH5", "type": "priority_reference", "summary": "P2"},
                    "urgency": "high",
                    "resolve_reason": None,
                },
            }
        }
    ).encode(),
}
EXAMPLE_OPTIONS: dict[str, str] = {"timezone": "UTC"}
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {
    "log_entries": json.loads(EXAMPLE["log_entries.json"])["log_entries"],
    "incidents": [_INCIDENT],
}


def whoami(pull: Pull) -> str:
    """Ask for one incident: that needs the key, and an account's key is no user."""
    found = _client(pull).get("incidents", {"limit": 1, "date_range": "all"}).document["incidents"]
    page = next((str(incident.get("html_url") or "") for incident in found), "")
    return f"a key of {page.split('/')[2]}" if page.count("/") > 2 else "a key that sees no incident"


def fetch(pull: Pull) -> None:
    """Keep the log entries since the last pull, and the incidents that they are about, as they are now."""
    client = _client(pull)
    only = _only(client, pull.access.filter)
    client.get("log_entries", {"limit": 1, **only})
    since = pull.since or BEGINNING

    def span(more: Mapping[str, Any], after: datetime, until: datetime) -> dict[str, Any]:
        bounds = {"since": f"{after - BOUNDARY:%Y-%m-%dT%H:%M:%SZ}", "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        return {**only, **more, **bounds, "time_zone": "UTC"}

    def spans(path: str, more: Mapping[str, Any], start: Any) -> Iterator[Page]:
        def pages(after: datetime, until: datetime) -> Iterator[Page]:
            return _listed(client, path, span(more, after, until))

        def holds_too_much(after: datetime, until: datetime) -> bool:
            last = {"offset": CAP - PAGE, "limit": PAGE}
            return bool(client.get(path, {**span(more, after, until), **last}).document["more"])

        # A first pull does not know how much there is; a later one is short.
        looked = {"holds_too_much": holds_too_much} if pull.is_first else {}
        return by_window(pages, since, pull.as_of + BOUNDARY, widest=WIDEST, start=start, **looked)

    pull.keep("log_entries", partial(spans, "log_entries", WITH_CHANNELS))
    changed, opened = set(), set()
    for entry in pull.kept("log_entries"):
        if entry.get("incident"):
            changed.add(entry["incident"]["id"])
            if entry["type"] == "trigger_log_entry":
                opened.add(entry["incident"]["id"])
    # What was opened before the log begins, and is new to us, has its log pulled whole.
    older = sorted(changed - opened - pull.known()) if changed - opened else []
    pull.keep("older_log_entries", lambda start: _whole_logs(client, older, start))
    include = {"include[]": ["first_trigger_log_entries"]}
    if pull.is_first:
        pull.keep("incidents", partial(spans, "incidents", {"sort_by": "created_at:asc", **include}))
        changed -= {incident["id"] for incident in pull.kept("incidents")}
    wanted = sorted(changed)
    pull.keep(
        "changed_incidents",
        lambda start: by_one(
            client,
            wanted,
            lambda id_: (f"incidents/{id_}", include),
            lambda _, answer: [answer.document["incident"]] if answer.document else [],
            start=start,
            at_once=4,
        ),
    )


def _client(pull: Pull) -> Client:
    return pull.client(Token("Authorization", "Token token={}"), accept="application/vnd.pagerduty+json;version=2")


def _only(client: Client, told: str | None) -> dict[str, list[str]]:
    """Read the configured filter; log entries can be told by team and by nothing else."""
    given = parse_qs(told or "")
    if set(given) - {"team_ids[]"}:
        raise client.error(f'filter is {told!r}; PagerDuty\'s log can be cut by team only: write "team_ids[]=PQ9K7I8"')
    return given


def _listed(client: Client, path: str, params: Mapping[str, Any], start: Any = None) -> Iterator[Page]:
    rows = path.rsplit("/", 1)[-1]
    return by_offset(
        client, path, params, rows, size=PAGE, cap=CAP, more=lambda answer: bool(answer.document["more"]), start=start
    )


def _whole_logs(client: Client, ids: Sequence[str], start: Any) -> Iterator[Page]:
    done, offset = start or (0, None)
    for place, id_ in enumerate(ids[done:], done):
        try:
            for page in _listed(client, f"incidents/{id_}/log_entries", {"time_zone": "UTC", **WITH_CHANNELS}, offset):
                yield page._replace(resume=[place, page.resume])
        except TooManyError as error:
            raise client.error(
                f"incident {id_} has more than {CAP} log entries, which PagerDuty does not give"
            ) from error
        offset = None


def prepare(export: Export, options: Options) -> Plan:
    """See which of PagerDuty's shapes this is, and how its stamps are written.

    Raises:
        SourceError: it is none of them, or a configured field is none.
        StampError: dates that cannot be read without guessing.
    """
    is_log = {"type", "incident.id"} <= set(export.columns)
    if "event.event_type" in export.columns or is_log or export.stream is not None:
        return planned(export, options, FIELDS)
    return planned(
        export,
        options,
        FIELDS,
        needed=("incident_id", "state", "opened_at"),
        stamped=STAMPS,
        hint=", or export incidents, log entries, raw analytics or webhooks v3",
    )


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows; incidents, log entries and webhooks may come mixed.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    is_hook = coalesced(chunk, ["event.event_type"]).is_not_null()
    is_entry = coalesced(chunk, ["type"]).str.ends_with("_log_entry").fill_null(value=False) & ~is_hook
    parts = []
    if not (is_hook | is_entry).all() or chunk.height == 0:
        parts.append(_incidents(chunk.filter(~is_hook & ~is_entry), plan, knows_log=plan.is_pulled))
    if is_entry.any():
        parts.append(_log_entries(chunk.filter(is_entry), plan))
    if is_hook.any():
        parts.extend(_webhooks(chunk.filter(is_hook), plan))
    return Canonical(*(pl.concat(frames) for frames in zip(*parts, strict=True)))


def _incidents(chunk: pl.DataFrame, plan: Plan, *, knows_log: bool) -> Canonical:
    """Make versions of incidents. If their log is known, too, what it does not tell did not happen."""
    options = plan.options
    records = Records(chunk, plan, "incident")
    text = records.text
    resolution_code = text("resolution_code")
    made = {field: records.stamp(field, needed=field == "opened_at") for field in STAMPS}
    has_metrics = any(name in chunk.columns for name in plan.columns["seconds_to_acknowledge"])
    by_person = _agent_kind(chunk, "first_trigger_log_entry.agent", options) == "person"
    agent = coalesced(chunk, ["first_trigger_log_entry.agent.summary"]).zip_with(by_person, records.nothing())
    escalations = integer(text("escalation_count"))
    # A list holds more than the name that was taken of it; a second choice is kept where the first was taken.
    used = {records.named(field) for field in FIELDS} - set(LISTS) | {"type", "self"}
    texts = ("external_id", "title", "url", "urgency", "category", "location", "configuration_item", "parent_id")
    frame = pl.DataFrame(
        {
            "incident_id": records.ids,
            **made,
            **{field: text(field) for field in texts},
            **records.classified(text, STATUS, PRIORITY, CHANNEL, no_channel=NOT_TOLD),
            "service": text("service"),
            "assignment_group": _first_named(text("assignment_group")),
            "assignee": _first_named(text("assignee")),
            "caller": text("caller").fill_null(agent),
            "resolution_code": resolution_code,
            "is_major": boolean(text("is_major")),
            "is_auto_resolved": boolean(text("is_auto_resolved")),
            "reassignment_count": integer(text("reassignment_count")),
            "escalation_count": escalations.fill_null(0) if knows_log else escalations,
            "seconds_to_acknowledge": integer(text("seconds_to_acknowledge")),
            "seconds_on_hold": integer(text("seconds_on_hold")),
            "reports_acknowledgement": pl.repeat(has_metrics or knows_log, chunk.height, eager=True),
            "version_number": records.nothing(pl.Int64()),
            "attributes": leftovers(chunk, used),
        }
    ).with_columns(
        services=pl.when(pl.col("service").is_not_null()).then(pl.concat_list("service")),
        acknowledged_at=pl.col("opened_at") + pl.duration(seconds="seconds_to_acknowledge"),
        excluded_as=pl.when(pl.col("state") == "cancelled")
        .then(pl.lit("cancelled"))
        .otherwise(mapped(resolution_code, lookup(EXCLUDED, options.excluded), pl.String())),
        # An incident that is open again keeps no stamp, whatever the record still shows.
        resolved_at=pl.when(pl.col("state").is_in(["resolved", "closed"])).then("resolved_at"),
    )
    frame = frame.drop("service", "seconds_to_acknowledge").filter(records.verdicts.good)
    merged = frame.filter(pl.col("resolution_code").is_not_null() & (pl.col("excluded_as") == "duplicate")).select(
        pl.col("incident_id").alias("incident_key"),
        pl.concat_str(pl.col("incident_id"), pl.lit("-merged")).alias("event_id"),
        pl.coalesce("resolved_at", "updated_at").alias("happened_at"),
        pl.lit(99, pl.Int64).alias("sequence"),
        pl.lit("merged").alias("kind"),
        pl.col("parent_id").alias("to_value"),
        pl.lit("unknown").alias("actor_kind"),
    )
    return Canonical(
        versions=conform(newest(frame), VERSION),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=conform(merged.filter(pl.col("happened_at").is_not_null()), GIVEN_EVENT),
        rejected=records.verdicts.rejected,
        issues=records.verdicts.issues,
    )


def _first_named(values: pl.Series) -> pl.Series:
    """Give the first name of a JSON list of references, of assignments or of names; what is no list stays."""

    def read(value: str) -> str | None:
        if not value.startswith("["):
            return value
        first = next(iter(json.loads(value)), None)
        if isinstance(first, Mapping):
            first = first.get("assignee", first)
        return (
            str(first.get("summary") or first.get("name") or first.get("id")) if isinstance(first, Mapping) else first
        )

    return mapped(values, read, pl.String())


def _agent_kind(chunk: pl.DataFrame, agent: str, options: Options) -> pl.Series:
    """Tell people from machines by the agent's type; the configuration's names of machines come first."""
    types = mapped(
        coalesced(chunk, [f"{agent}.type"]), lambda type_: AGENT.get(type_.removesuffix("_reference")), pl.String()
    ).fill_null("unknown")
    if not options.automation:
        return types
    by_name = actor_kind(coalesced(chunk, [f"{agent}.summary"]), options.automation)
    return by_name.zip_with(by_name == "automation", types)


def _log_entries(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    entries = coalesced(chunk, ["type"]).str.strip_suffix("_log_entry")
    return _told(
        chunk,
        plan,
        entries=entries,
        keys=coalesced(chunk, ["incident.id"]),
        ids=coalesced(chunk, ["id"]),
        stamp="created_at",
        agent="agent",
        teams=coalesced(chunk, ["teams"]),
        assignees=coalesced(chunk, ["assignees"]),
        priorities=("channel.old_priority.summary", "channel.new_priority.summary"),
    )


def _webhooks(chunk: pl.DataFrame, plan: Plan) -> tuple[Canonical, Canonical]:
    """Take the event that each webhook tells, and the incident as it was then; webhooks about services are neither."""
    chunk = chunk.filter(pl.col("event.event_type").str.starts_with("incident."))
    is_incident = coalesced(chunk, ["event.data.type"]) == "incident"
    told = _told(
        chunk,
        plan,
        entries=mapped(coalesced(chunk, ["event.event_type"]), lambda type_: EVENTS.get(type_, type_), pl.String()),
        keys=coalesced(chunk, ["event.data.incident.id", "event.data.id"]),
        ids=coalesced(chunk, ["event.id"]),
        stamp="event.occurred_at",
        agent="event.agent",
        teams=coalesced(chunk, ["event.data.teams"]),
        assignees=coalesced(chunk, ["event.data.assignees"]),
        priorities=("", "event.data.priority.summary"),
    )
    within = chunk.filter(is_incident.fill_null(value=False))
    inside = {name: name.removeprefix("event.data.") for name in within.columns if name.startswith("event.data.")}
    record = within.select(
        *(pl.col(name).alias(plain) for name, plain in inside.items()),
        coalesced(within, ["event.occurred_at"]).alias("updated_at"),
        LINE,
    )
    return _incidents(record, plan, knows_log=True), told


def _told(
    chunk: pl.DataFrame,
    plan: Plan,
    *,
    entries: pl.Series,
    keys: pl.Series,
    ids: pl.Series,
    stamp: str,
    agent: str,
    teams: pl.Series,
    assignees: pl.Series,
    priorities: tuple[str, str],
) -> Canonical:
    """Make events of entries: one each, and one more where an entry also changes the state or the group."""
    options = plan.options
    verdicts = Verdicts(chunk, plan.file, keys)
    verdicts.reject(keys.is_null(), "incident.id", "the log entry names no incident")
    verdicts.reject(ids.is_null(), "id", "the log entry has no id")
    values = coalesced(chunk, [stamp]).alias(stamp)
    happened_at, unreadable = read_stamp(verdicts, values, API_STAMP, "UTC", plan.where, keys)
    verdicts.reject(values.is_null(), None, "the stamp of the log entry is missing")
    verdicts.reject(unreadable, stamp, partial(stamps.unreadable, stamp, API_STAMP))
    is_priority = entries == "priority_change"
    translate = lookup(PRIORITY, options.priority)
    words = lowered(PRIORITY) | lowered(options.priority)
    was, now = (coalesced(chunk, [column]) for column in priorities)
    for told, column in zip((was, now), priorities, strict=True):
        strange = mapped(told, translate, pl.Int8()).is_null() & told.is_not_null()
        verdicts.reject(
            is_priority & strange, column or None, partial(unknown, options.source, "priority", words, PRIORITIES)
        )
    state_of = lookup(STATUS, options.status)
    after = mapped(entries, lambda entry: state_of(LEADS_TO[entry]) if entry in LEADS_TO else None, pl.String())
    places = mapped(entries, lambda entry: ENTRIES.get(entry, ("other", 75))[1], pl.Int64())
    frame = pl.DataFrame(
        {
            "row": pl.int_range(0, chunk.height, eager=True),
            "incident_key": keys,
            "entry_id": ids,
            "happened_at": happened_at,
            "sequence": places,
            "entry": entries,
            "kind": mapped(entries, lambda entry: ENTRIES.get(entry, ("other", 75))[0], pl.String()),
            "state": after,
            "actor": coalesced(chunk, [f"{agent}.summary"]),
            "actor_kind": _agent_kind(chunk, agent, options),
            "assignee": _first_named(assignees),
            "team": _first_named(teams),
            "was": mapped(was, translate, pl.Int8()).cast(pl.String),
            "now": mapped(now, translate, pl.Int8()).cast(pl.String),
        }
    ).filter(verdicts.good)
    is_kind = pl.col("kind").is_in
    itself = frame.with_columns(
        place=pl.lit(0),
        event_id=pl.col("entry_id"),
        from_value=pl.when(pl.col("kind") == "priority").then("was"),
        to_value=pl.when(pl.col("kind") == "held")
        .then(pl.lit("on_hold"))
        .when(is_kind(["opened", "state", "resolved"]))
        .then("state")
        .when(is_kind(["assigned", "escalated"]))
        .then("assignee")
        .when(pl.col("kind") == "priority")
        .then("now")
        .when(pl.col("kind") == "other")
        .then("entry"),
        hold_reason=pl.when(pl.col("kind") == "held").then(pl.lit("other")),
    )
    group = frame.filter(is_kind(["opened"]) | (pl.col("entry") == "delegate"), pl.col("team").is_not_null())
    group = group.with_columns(
        place=pl.lit(1),
        kind=pl.lit("group_assigned"),
        event_id=pl.col("entry_id") + "-group",
        sequence=pl.col("sequence") + 1,
        to_value=pl.col("team"),
        assignment_group=pl.col("team"),
    )
    state = frame.filter(pl.col("kind") == "acknowledged").with_columns(
        place=pl.lit(2),
        kind=pl.lit("state"),
        event_id=pl.col("entry_id") + "-state",
        sequence=pl.col("sequence") + 1,
        to_value=pl.col("state"),
    )
    drop = ("row", "place", "entry_id", "entry", "state", "assignee", "team", "was", "now")
    events = pl.concat([itself, group, state], how="diagonal").sort("row", "place").drop(drop)
    return Canonical(
        versions=pl.DataFrame(schema=schema(VERSION)),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=conform(events, GIVEN_EVENT),
        rejected=verdicts.rejected,
        issues=verdicts.issues,
    )
