"""Freshservice: tickets and the activities of each ticket that changed.

Follows what is known of the vendor's "Freshservice API v2" (Tickets, Ticket activities, Agents, Groups). **The weakest
evidence of all sources**: it was written from other people's connectors and general knowledge, never against a server,
nor against a page of the vendor's own. Look at `meantime check` and at the first pull before you trust its numbers.

Reads: incidents (other types of ticket are left out and counted in `data_issues`), their activities as far as their
sentences are understood (status, agent, group, priority), deleted tickets, names of agents and groups. Needs an agent's
API key with access to all tickets. Limits: an activity is a sentence in the account's language, and only English ones
are understood; what is not becomes `other`. Paging ends at page 300, so the list is walked by the last change, which
the tool must sort by (an answer that is not so sorted stops the pull). Activities cost a request per changed ticket.
Cannot know: verdicts on SLA targets, reasons of holds beyond the status, requesters' names. An escalation is the
tool's own flag `is_escalated`.

An instance's own statuses (numbers above 7) and channels are mapped under `[sources.NAME.status]` and `.channel`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import polars as pl

from etl import stamps
from etl.incident import (
    CHANNELS,
    PRIORITIES,
    SNAPSHOT,
    STATES,
    VERSION,
    conform,
    schema,
    state_change,
)
from etl.pull import Answer, Basic, Client, Page, Pull, by_key, by_one, by_page
from etl.reading import LINE, Export
from etl.shaping import (
    History,
    Verdicts,
    actor_kind,
    coalesced,
    instant,
    leftovers,
    lookup,
    lowered,
    mapped,
    nearest,
    newest,
    parts,
    read_stamp,
    translated,
    unknown,
)
from etl.sources import Canonical, Options, SourceError

STATUS: dict[str, str] = {
    "2": "new",
    "open": "new",
    "3": "on_hold",
    "pending": "on_hold",
    "4": "resolved",
    "resolved": "resolved",
    "5": "closed",
    "closed": "closed",
}
"""The number in a ticket and the word in an activity."""

HOLD_REASON: dict[str, str] = {}

PRIORITY: dict[str, int] = {"4": 1, "urgent": 1, "3": 2, "high": 2, "2": 3, "medium": 3, "1": 4, "low": 4}

CHANNEL: dict[str, str] = {
    "1": "email",
    "2": "portal",
    "3": "phone",
    "4": "chat",
    "5": "portal",
    "6": "chat",
    "7": "monitoring",
    "8": "monitoring",
    "9": "walk_in",
    "10": "chat",
    "14": "monitoring",
    "15": "chat",
}
"""Email, portal, phone, chat, feedback widget, Yammer, CloudWatch, PagerDuty, walk-up, Slack, alerts, Teams."""

INCIDENT = "incident"
AUTOMATION = ("system", "workflow automator*", "freddy*", "supervisor*")

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id",),
    "title": ("subject",),
    "state": ("status",),
    "priority": ("priority",),
    "impact": ("impact",),
    "urgency": ("urgency",),
    "category": ("category",),
    "subcategory": ("sub_category",),
    "is_major": (),
    "service": (),
    "configuration_item": (),
    "assignment_group": ("group_id",),
    "assignee": ("responder_id",),
    "caller": ("requester_id",),
    "location": (),
    "channel": ("source",),
    "tags": ("tags",),
    "problem_id": (),
    "change_id": (),
    "resolution_code": (),
    "opened_at": ("created_at",),
    "resolved_at": ("stats.resolved_at",),
    "closed_at": ("stats.closed_at",),
    "updated_at": ("updated_at",),
}
"""Our field -> where the ticket has it; `service = "payments"` names a custom field."""

TEXTS = (
    "title",
    "impact",
    "urgency",
    "category",
    "subcategory",
    "configuration_item",
    "location",
    "problem_id",
    "change_id",
    "resolution_code",
)
STAMPS = ("opened_at", "resolved_at", "closed_at", "updated_at")
API_STAMP = stamps.decide(pl.DataFrame({"": ["2024-01-15T10:30:00Z"]}), [""])[""]

REFERENCES = ("agents", "groups")

TICKETS: list[dict[str, Any]] = [
    {
        "id": 61,
        "subject": "Mail is down",
        "type": "Incident",
        "status": 4,
        "priority": 3,
        "source": 1,
        "requester_id": 901,
        "responder_id": 35,
        "group_id": 7,
        "is_escalated": False,
        "deleted": False,
        "category": "Software",
        "stats": {"resolved_at": "2024-01-15T12:00:00Z", "closed_at": None},
        "custom_fields": {"payments": None},
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-01-15T12:00:00Z",
    }
]
ACTIVITIES: list[dict[str, Any]] = [
    {
        "ticket_id": 61,
        "place": 0,
        "actor": {"id": 35, "name": "Ann"},
        "content": " set Status as Pending",
        "sub_contents": [],
        "created_at": "2024-01-15T10:40:00Z",
    },
    {
        "ticket_id": 61,
        "place": 1,
        "actor": {"id": 35, "name": "Ann"},
        "content": " updated the ticket",
        "sub_contents": [" set Status as Resolved", " set Priority as High"],
        "created_at": "2024-01-15T12:00:00Z",
    },
]
EXAMPLE: dict[str, bytes] = {
    "tickets.json": json.dumps({"tickets": TICKETS}).encode(),
    "activities.json": json.dumps({"items": ACTIVITIES}).encode(),
}
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {
    "tickets": TICKETS,
    "activities": ACTIVITIES,
    "agents": [{"id": 35, "name": "Ann"}],
    "groups": [{"id": 7, "name": "Messaging"}],
}
EXAMPLE_OPTIONS: dict[str, str] = {}

SENTENCE = re.compile(
    r"\b(?:set|changed|updated)\s+(status|priority|group|agent)\s+(?:as|to)\s+(.+?)\s*$", re.IGNORECASE
)
PAGE = 100
LAST_PAGE = 300


@dataclass(frozen=True)
class Plan:
    """How one export or stream is read."""

    file: str
    options: Options
    is_activities: bool
    is_pull: bool
    agents: Mapping[str, str]
    groups: Mapping[str, str]
    knows_resolving: bool = True


def prepare(export: Export, options: Options) -> Plan:
    """Tell tickets from activities, and learn the names of agents and groups.

    Raises:
        SourceError: a needed column is missing, or a configured field is none.
    """
    for name in options.fields:
        if name not in FIELDS:
            raise SourceError(
                f"{options.source}: [sources.{options.source}.fields] names '{name}', which is not one of "
                f"{', '.join(FIELDS)}{nearest(name, list(FIELDS))}"
            )
    is_activities = {"ticket_id", "content"} <= set(export.columns)
    for column in ("id", "status", "created_at") if not is_activities else ():
        if column not in export.columns:
            raise SourceError(
                f"{options.source}: {export.name}: no '{column}'; neither tickets nor activities of Freshservice: it has "
                f"{', '.join(export.columns[:40])}"
            )
    is_pull = export.stream is not None
    return Plan(export.name, options, is_activities, is_pull, _names_in(export, "agents"), _names_in(export, "groups"))


def _names_in(export: Export, stream: str) -> dict[str, str]:
    return {str(record["id"]): str(record.get("name") or record["id"]) for record in export.beside.get(stream, ())}


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    if plan.is_activities:
        return _activities(chunk, plan)
    return _tickets(chunk, plan)


def _tickets(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    options = plan.options
    kinds = coalesced(chunk, ["type"])
    every = Verdicts(chunk, plan.file, coalesced(chunk, ["id"]))
    is_other = (kinds.str.to_lowercase() != INCIDENT).fill_null(value=False)
    every.note(is_other, "no_incident", "type", kinds, "This ticket is no incident: it was left out")
    chunk = chunk.filter(~is_other)

    def text(name: str) -> pl.Series:
        told = options.fields.get(name)
        return coalesced(chunk, (told, f"custom_fields.{told}") if told is not None else FIELDS[name])

    ids = text("incident_id")
    verdicts = Verdicts(chunk, plan.file, ids)
    verdicts.reject(ids.is_null(), "id", "the ticket's id is missing")
    made: dict[str, pl.Series] = {name: text(name) for name in TEXTS}
    for name in STAMPS:
        made[name] = _stamp(verdicts, chunk, plan, name)
    source_state = text("state")
    verdicts.reject(source_state.is_null(), "status", "the status is missing")
    state = translated(
        verdicts, source_state, "status",
        source=options.source, kind="status", known=STATUS, told=options.status, choices=STATES, dtype=pl.String(),
    )  # fmt: skip
    source_priority = text("priority")
    priority = translated(
        verdicts, source_priority, "priority",
        source=options.source, kind="priority", known=PRIORITY, told=options.priority, choices=PRIORITIES, dtype=pl.Int8(),
    )  # fmt: skip
    source_channel = text("channel")
    channel = translated(
        verdicts, source_channel, "source",
        source=options.source, kind="channel", known=CHANNEL, told=options.channel, choices=CHANNELS, dtype=pl.String(),
    )  # fmt: skip
    is_deleted = (coalesced(chunk, ["deleted"]) == "true").fill_null(value=False)
    escalated = mapped(coalesced(chunk, ["is_escalated"]), lambda word: int(word == "true"), pl.Int32())
    used = {"type", "deleted", "is_escalated"} | {
        place for name, places in FIELDS.items() if name not in options.fields for place in places
    }
    frame = pl.DataFrame(
        {
            "incident_id": ids,
            **made,
            "state": state,
            "source_state": source_state,
            "priority": priority,
            "source_priority": source_priority,
            "channel": channel,
            "source_channel": source_channel,
            "services": parts(text("service")),
            "tags": parts(text("tags")),
            "is_major": mapped(text("is_major"), lambda word: word.lower() in ("true", "yes", "1"), pl.Boolean()),
            "assignment_group": _named(text("assignment_group"), plan.groups),
            "assignee": _named(text("assignee"), plan.agents),
            "caller": _named(text("caller"), plan.agents),
            "escalation_count": escalated,
            "reports_acknowledgement": pl.repeat(False, chunk.height, eager=True),
            "version_number": pl.repeat(None, chunk.height, dtype=pl.Int64, eager=True),
            "is_deleted": is_deleted,
        }
    ).with_columns(
        pl.when(pl.col("is_deleted"))
        .then(pl.lit("deleted"))
        .when(pl.col("state") == "cancelled")
        .then(pl.lit("cancelled"))
        .otherwise(mapped(made["resolution_code"], lookup({}, options.excluded), pl.String()))
        .alias("excluded_as"),
        pl.when(pl.col("is_deleted")).then(pl.col("updated_at")).alias("deleted_at_source"),
    )
    frame = frame.drop("is_deleted").with_columns(leftovers(chunk, used).alias("attributes")).filter(verdicts.good)
    history = History(plan.file)
    if plan.is_pull:
        for number, opened_at in frame.select("incident_id", "opened_at").iter_rows():
            history.add(number, "opened", opened_at, "opened")
    return Canonical(
        versions=conform(newest(frame), VERSION),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=history.events,
        rejected=verdicts.rejected,
        issues=pl.concat([every.issues, verdicts.issues]),
    )


def _named(ids: pl.Series, names: Mapping[str, str]) -> pl.Series:
    return mapped(ids, lambda id_: names.get(id_, id_), pl.String())


def _stamp(verdicts: Verdicts, chunk: pl.DataFrame, plan: Plan, name: str) -> pl.Series:
    column = FIELDS[name][0]
    values = coalesced(chunk, [column]).alias(column)
    utc, unreadable = read_stamp(verdicts, values, API_STAMP, "UTC", plan.file)
    if name == "opened_at":
        verdicts.reject(values.is_null(), column, "the creation stamp is missing")
        verdicts.reject(
            unreadable, column, lambda value: f"opened_at {value!r} is not a stamp such as 2024-01-15T10:30:00Z"
        )
    else:
        said = "cannot be read as a stamp; the incident is kept with the stamp unknown"
        verdicts.note(unreadable, "unreadable_stamp", column, values, said)
    return utc


def _activities(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    history = History(plan.file)
    keys = coalesced(chunk, ["ticket_id"])
    verdicts = Verdicts(chunk, plan.file, keys)
    happened_at, unreadable = read_stamp(verdicts, coalesced(chunk, ["created_at"]), API_STAMP, "UTC", plan.file)
    verdicts.reject(keys.is_null(), "ticket_id", "the ticket's id is missing")
    verdicts.reject(
        happened_at.is_null() | unreadable, "created_at", "the activity's stamp is missing or cannot be read"
    )
    good = verdicts.good
    names = ("ticket_id", "place", "actor.id", "actor.name", "content", "sub_contents")
    columns = [coalesced(chunk, [name]).filter(good) for name in names]
    # Activities say only what a field became: what it was is what the activity before them said.
    for line, at, *about in zip(chunk[LINE].filter(good), happened_at.filter(good), *columns, strict=True):
        _activity(line, at, about, plan, history)
    return Canonical(
        versions=pl.DataFrame(schema=schema(VERSION)),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=history.events,
        rejected=pl.concat([verdicts.rejected, history.rejected]),
        issues=verdicts.issues,
    )


def _activity(line: int, at: datetime, about: list[Any], plan: Plan, history: History) -> None:
    """Turn the sentences of one activity into events."""
    key, place, actor_id, actor_name, content, sub_contents = about
    options = plan.options
    status_of, priority_of = lookup(STATUS, options.status), lookup(PRIORITY, options.priority)
    kind = "unknown"
    if actor_name:
        kind = str(actor_kind(pl.Series([actor_name]), (*AUTOMATION, *options.automation))[0])
    said: dict[str, Any] = {"actor": plan.agents.get(actor_id, actor_id or actor_name), "actor_kind": kind}
    is_told = False
    for number, sentence in enumerate([content or "", *json.loads(sub_contents or "[]")]):
        found = SENTENCE.search(str(sentence))
        if found is None:
            continue
        is_told = True
        what, value = found[1].lower(), found[2]
        event_id, sequence = f"{key}.{place}.{number}", int(place or 0) * 100 + number
        if what == "status":
            state = status_of(value)
            if state is None:
                reason = unknown(options.source, "status", {**STATUS, **lowered(options.status)}, STATES, value)
                history.reject(line, key, "content", value, reason, {"content": sentence, "at": at})
                continue
            why = str(lookup(HOLD_REASON, options.hold_reason)(value) or "other") if state == "on_hold" else None
            history.add(
                key,
                event_id,
                at,
                state_change(None, str(state)),
                after=str(state),
                hold_reason=why,
                sequence=sequence,
                **said,
            )
        elif what == "group":
            history.add(
                key, event_id, at, "group_assigned", after=value, assignment_group=value, sequence=sequence, **said
            )
        elif what == "agent":
            history.add(key, event_id, at, "assigned", after=value, sequence=sequence, **said)
        else:
            level = priority_of(value)
            history.add(
                key, event_id, at, "priority", after=None if level is None else str(level), sequence=sequence, **said
            )
    if not is_told:
        history.add(key, f"{key}.{place}", at, "other", sequence=int(place or 0) * 100, **said)


def whoami(pull: Pull) -> str:
    """Say that the key is accepted; the tool has no address that names its owner."""
    _client(pull).get("api/v2/tickets", {"per_page": 1, "page": 1})
    return "the owner of the API key"


def _client(pull: Pull) -> Client:
    """Basic authentication with the key as the user's name; the password is any word."""
    return pull.client(_Key())


class _Key(Basic):
    """The key stands where the user's name does."""

    def headers(self, client: Client) -> Mapping[str, str]:
        """Give the header."""
        if self._value is None:
            client.access.needs("token")
            key = client.secret(client.access.token)
            self._value = httpx.BasicAuth(client.mask.add(key), "X")._auth_header
            client.mask.add(self._value.removeprefix("Basic "))
        return {"Authorization": self._value}


def fetch(pull: Pull) -> None:
    """Pull the tickets that changed, those that were deleted, their activities, and the names in them."""
    client = _client(pull)
    pull.keep("tickets", lambda start: _changed(client, pull.since, {}, start))
    pull.keep("deleted", lambda start: _changed(client, pull.since, {"filter": "deleted"}, start))
    ids = sorted({int(record["id"]) for record in pull.kept("tickets")})
    pull.keep(
        "activities",
        lambda start: by_one(client, ids, lambda id_: (f"api/v2/tickets/{id_}/activities", {}), _placed, start=start),
    )
    for name in REFERENCES:
        pull.keep(name, lambda start, name=name: _names(client, name, start))  # type: ignore[misc]


def _changed(client: Client, since: datetime | None, more: Mapping[str, Any], start: Any) -> Iterator[Page]:
    """Walk the tickets in the order of their last change, so that none is missed while they change."""
    first = f"{since or datetime(2000, 1, 1):%Y-%m-%dT%H:%M:%SZ}"

    def ask(updated: str | None, number: int) -> tuple[str, dict[str, Any]]:
        if number + 1 > LAST_PAGE:
            raise client.error(
                f"more than {LAST_PAGE * PAGE} tickets changed in one second: the tool gives out no more"
            )
        # Whether `updated_since` includes its second is not known: one more is asked for.
        at = instant(updated)
        since_then = first if at is None else f"{at - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
        order = {"order_by": "updated_at", "order_type": "asc", "include": "stats"}
        return "api/v2/tickets", {**more, **order, "updated_since": since_then, "page": number + 1, "per_page": PAGE}

    def rows(document: Any) -> list[dict[str, Any]]:
        found = document.get("tickets") if isinstance(document, Mapping) else None
        if not isinstance(found, list):
            raise client.error("api/v2/tickets gave no list under 'tickets'; is `url` the address of a Freshservice?")
        changes = [str(record["updated_at"]) for record in found]
        if changes != sorted(changes):
            raise client.error("the tool does not sort tickets by updated_at as it was asked to; some would be missed")
        return found

    return by_key(
        client,
        ask,
        rows,
        lambda record: str(record["updated_at"]),
        identity=lambda record: record["id"],
        start=start,
    )


def _placed(id_: int, answer: Answer) -> list[dict[str, Any]]:
    """Give each activity its ticket and its place from the oldest on: it has no id of its own."""
    found = (answer.document or {}).get("activities") or []
    return [
        {"ticket_id": id_, "place": place, **activity}
        for place, activity in enumerate(sorted(found, key=lambda activity: str(activity.get("created_at"))))
    ]


def _names(client: Client, what: str, start: Any) -> Iterator[Page]:
    for page in by_page(client, f"api/v2/{what}", {}, what, start=start, size=PAGE):
        yield page._replace(records=[{"id": record["id"], "name": _name(record)} for record in page.records])


def _name(record: Mapping[str, Any]) -> str:
    parts_ = (record.get("first_name"), record.get("last_name"))
    return str(record.get("name") or " ".join(str(part) for part in parts_ if part) or record["id"])
