"""Zendesk Support: tickets by the incremental export, the audits and SLA verdicts of each, breaches by their own export.

Follows the vendor's documents "Incremental Exports" (cursor-based; time-based for metric events), "Ticket Audits" and
"Ticket Audit events reference", "Ticket Metric Events" and "Ticket metric event types reference", "Side-loading",
"Tickets", "Groups", "Users" and the via object's reference (api/v2). That `include=metric_events` puts them into the
ticket, by metric, is seen in the vendor's own sla_event_tracking_app.

Reads: tickets with those that were deleted (the export holds them), the whole history of each (status, assignee, group,
priority, comments; who did it, and whether that was a rule), verdicts on SLA targets, names of users and groups. Tested
against a stand-in that is written from the vendor's documents, never against an account. Takes `user` (an e-mail address)
and `token`, or an OAuth `token` alone. There is no `filter`: the export knows none.

SLA: the targets of Zendesk's three resolution metrics count (`requester_wait_time`, `agent_work_time`,
`resolution_time`); `fields.sla_met` names the one that alone counts. A breach is final unless Zendesk takes it back, met
means that each was fulfilled. A target is breached while its ticket does not change: later pulls ask for metric events
by their time, and for the tickets that they are about. Holds are the audits', which also say who did it. Where the
account has no metric events, there are no verdicts.

Needs an administrator's token: the incremental exports are not for agents, and nothing is hidden from them. Limits: they
take 10 requests a minute together and leave the last minute out; audits and verdicts cost a request each per changed
ticket; those of a deleted ticket are gone. A ticket that was merged into another has the tag `closed_by_merge` and counts
as a duplicate. Custom fields are named by their number, `service = "360012345678"`.
Cannot know: escalations (Zendesk records none); that a breach was taken back while its ticket did not change, if
`include_changes`, which the vendor hardly describes, should not tell it: then it shows with the ticket's next change.

An instance's own words are mapped under `[sources.NAME.status]`, `.priority`, `.channel`, `.hold_reason`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from etl.incident import (
    STATES,
    VERSION,
    conform,
    state_change,
)
from etl.pull import Answer, Basic, Client, Page, Pull, Token, by_link, by_one
from etl.reading import LINE, Export
from etl.shaping import (
    History,
    actor_kind,
    boolean,
    coalesced,
    leftovers,
    lookup,
    lowered,
    mapped,
    nearest,
    newest,
    parts,
    unknown,
)
from etl.sources import Canonical, Options, SourceError, _records
from etl.sources._records import Records, entries, meaning, named, names_in, planned

STATUS: dict[str, str] = {
    "new": "new",
    "open": "in_progress",
    "pending": "on_hold",
    "hold": "on_hold",
    "on-hold": "on_hold",
    "solved": "resolved",
    "closed": "closed",
    "deleted": "cancelled",
}
"""`hold` is what the interface calls what people see as On-hold; a deleted ticket is excluded as such."""

HOLD_REASON: dict[str, str] = {"pending": "caller", "hold": "vendor", "on-hold": "vendor"}
"""Pending waits for the requester, on-hold for a third party."""

PRIORITY: dict[str, int] = {"urgent": 1, "high": 2, "normal": 3, "low": 4}

CHANNEL: dict[str, str] = {
    "web": "portal",
    "web_form": "portal",
    "help_center": "portal",
    "web_widget": "portal",
    "mobile": "portal",
    "mobile_sdk": "portal",
    "email": "email",
    "mail": "email",
    "chat": "chat",
    "native_messaging": "chat",
    "sms": "chat",
    "whatsapp": "chat",
    "facebook": "chat",
    "twitter": "chat",
    "voice": "phone",
    "phone": "phone",
    "phone_call_inbound": "phone",
    "phone_call_outbound": "phone",
    "voicemail": "phone",
    "api": "api",
    "rule": "api",
    "system": "api",
    "any_channel": "other",
    "closed_ticket": "other",
    "side_conversation": "other",
    "sample_ticket": "other",
}

MERGED_TAG = "closed_by_merge"
SYSTEM = "-1"
"""The author of what the system itself did."""
RULES = frozenset({"rule", "system", "automation", "trigger"})
"""Channels of an audit, or of one of its events, behind which no person is."""

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id",),
    "title": ("subject", "raw_subject"),
    "state": ("status",),
    "priority": ("priority",),
    "category": ("type",),
    "subcategory": (),
    "impact": (),
    "urgency": (),
    "is_major": (),
    "service": (),
    "configuration_item": (),
    "assignment_group": ("group_id",),
    "assignee": ("assignee_id",),
    "caller": ("requester_id",),
    "location": (),
    "channel": ("via.channel", "via_channel"),
    "tags": ("tags",),
    "problem_id": ("problem_id",),
    "change_id": (),
    "resolution_code": (),
    "sla_met": (),
    "opened_at": ("created_at",),
    "updated_at": ("updated_at",),
}
"""Our field -> where the ticket has it; those without a place come by configuration: `service = 360012345678` names the
custom field of that id."""

TEXTS = (
    "title",
    "category",
    "subcategory",
    "impact",
    "urgency",
    "configuration_item",
    "location",
    "problem_id",
    "change_id",
    "resolution_code",
)

REFERENCES = ("groups", "metric_events", "targets", "users")

RESOLUTION_METRICS = ("requester_wait_time", "agent_work_time", "resolution_time")
"""What an SLA policy offers as resolution metrics; the others are about replies and updates."""
DECIDING = ("apply_sla", "activate", "fulfill", "breach")
"""Types of metric events that a verdict rests on."""

TICKETS: list[dict[str, Any]] = [
    {
        "id": 47,
        "url": "https://example.zendesk.com/api/v2/tickets/47.json",
        "subject": "Mail is down",
        "status": "solved",
        "priority": "high",
        "type": "incident",
        "requester_id": 901,
        "assignee_id": 35436,
        "group_id": 7,
        "tags": ["mail"],
        "via": {"channel": "email", "source": {"rel": None}},
        "custom_fields": [{"id": 27642, "value": "Messaging"}],
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-01-15T12:00:00Z",
        "generated_timestamp": 1705320000,
    }
]
AUDITS: list[dict[str, Any]] = [
    {
        "id": 1,
        "ticket_id": 47,
        "author_id": 901,
        "created_at": "2024-01-15T10:30:00Z",
        "via": {"channel": "email"},
        "events": [{"id": 11, "type": "Create", "field_name": "status", "value": "new"}],
    },
    {
        "id": 2,
        "ticket_id": 47,
        "author_id": 35436,
        "created_at": "2024-01-15T10:40:00Z",
        "via": {"channel": "web"},
        "events": [
            {"id": 21, "type": "Change", "field_name": "status", "value": "open", "previous_value": "new"},
            {"id": 22, "type": "Change", "field_name": "assignee_id", "value": "35436", "previous_value": None},
        ],
    },
    {
        "id": 3,
        "ticket_id": 47,
        "author_id": 35436,
        "created_at": "2024-01-15T12:00:00Z",
        "via": {"channel": "web"},
        "events": [{"id": 31, "type": "Change", "field_name": "status", "value": "solved", "previous_value": "open"}],
    },
]
EXAMPLE: dict[str, bytes] = {
    "tickets.json": json.dumps({"tickets": TICKETS}).encode(),
    "audits.json": json.dumps({"audits": AUDITS}).encode(),
}
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {
    "tickets": TICKETS,
    "audits": AUDITS,
    "targets": [
        {
            "id": 1,
            "ticket_id": 47,
            "metric": "requester_wait_time",
            "instance_id": 1,
            "type": "apply_sla",
            "time": "2024-01-15T10:30:00Z",
            "sla": {"target": 120, "business_hours": False, "policy": {"id": 531, "title": "Main"}},
        },
        {
            "id": 2,
            "ticket_id": 47,
            "metric": "requester_wait_time",
            "instance_id": 1,
            "type": "fulfill",
            "time": "2024-01-15T12:00:00Z",
        },
    ],
    "groups": [{"id": 7, "name": "Messaging"}],
    "users": [{"id": 901, "name": "Bob", "role": "end-user"}, {"id": 35436, "name": "Ann", "role": "agent"}],
}
EXAMPLE_OPTIONS: dict[str, str] = {}

PAGE = 100
EXPORTED = 1000
PERSONS = ("requester_id", "submitter_id", "assignee_id")
EXPORTS_PER_MINUTE = 10
"""The exports have a budget of their own ("Incremental Exports", Rate limits)."""
TOO_RECENT = timedelta(minutes=5)
"""The time-based export refuses a start within the last minute, and once did within five: "Too recent start_time"."""


@dataclass(frozen=True)
class Plan(_records.Plan):
    """How one export or stream is read."""

    is_audits: bool = False
    users: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, bool] = field(default_factory=dict)
    """Ticket -> the verdict on its resolution targets, where it is final."""


def prepare(export: Export, options: Options) -> Plan:
    """Tell tickets from audits, and learn the names of users and groups.

    Raises:
        SourceError: a needed column is missing, or a configured field or metric is none.
    """
    metrics = _metrics(options)
    is_audits = {"ticket_id", "events"} <= set(export.columns)
    needed = () if is_audits else ("incident_id", "state", "opened_at")
    plan = planned(export, options, FIELDS, needed=needed, hint=", or save an answer of /api/v2/tickets or its audits")
    users = {SYSTEM: "System", **names_in(export, "users")}
    groups, targets = names_in(export, "groups"), _targets(export.beside.get("targets", ()), metrics)
    return Plan(**vars(plan), is_audits=is_audits, users=users, groups=groups, targets=targets)


def _metrics(options: Options) -> tuple[str, ...]:
    """Give the metrics whose targets are a verdict on the resolution."""
    told = options.fields.get("sla_met")
    if told is not None and told not in RESOLUTION_METRICS:
        raise SourceError(
            f"{options.source}: [sources.{options.source}.fields] takes sla_met from '{told}', which is not one of "
            f"{', '.join(RESOLUTION_METRICS)}{nearest(told, RESOLUTION_METRICS)}"
        )
    return RESOLUTION_METRICS if told is None else (told,)


def _targets(records: Iterable[Mapping[str, Any]], metrics: Collection[str]) -> dict[str, bool]:
    """Judge each ticket by its resolution targets: a breach of one is final, met is final when all are fulfilled."""
    told: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for record in records:
        # "In general, you can ignore any event where `deleted` is true."
        if record["metric"] in metrics and not record.get("deleted"):
            told.setdefault(str(record["ticket_id"]), {}).setdefault(record["metric"], []).append(record)
    judged = {ticket: [met for events in by.values() for met in _verdict(events)] for ticket, by in told.items()}
    return {ticket: all(found) for ticket, found in judged.items() if False in found or (found and None not in found)}


def _verdict(events: Iterable[Mapping[str, Any]]) -> list[bool | None]:
    """Judge a metric of a ticket; none where no target stands: `apply_sla` without `sla` took it away."""
    ordered = sorted(events, key=lambda event: (event["time"], event["id"]))
    if any(event["type"] == "breach" for event in ordered):
        return [False]
    applied = [event.get("sla") for event in ordered if event["type"] == "apply_sla"]
    if not applied or not applied[-1]:
        return []
    clock = [event["type"] for event in ordered if event["type"] in ("activate", "fulfill")]
    return [True if clock and clock[-1] == "fulfill" else None]


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    if plan.is_audits:
        return _audits(chunk, plan)
    return _tickets(chunk, plan)


def _tickets(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    records = Records(chunk, plan, "ticket")

    def text(name: str) -> pl.Series:
        told = plan.options.fields.get(name, "")
        return _custom(chunk, told) if told.isdigit() else records.text(name)

    opened_at, updated_at = records.stamp("opened_at", needed=True), records.stamp("updated_at")
    is_deleted = text("state").str.to_lowercase() == "deleted"
    used = {records.named(name) for name in FIELDS} | {"url", "generated_timestamp", "raw_subject"}
    frame = pl.DataFrame(
        {
            "incident_id": records.ids,
            **{name: text(name) for name in TEXTS},
            **records.classified(text, STATUS, PRIORITY, CHANNEL),
            "services": parts(text("service")),
            "tags": parts(text("tags")),
            "is_major": boolean(text("is_major")),
            "assignment_group": named(text("assignment_group"), plan.groups),
            "assignee": named(text("assignee"), plan.users),
            "caller": named(text("caller"), plan.users),
            "url": coalesced(chunk, ["url"]).str.replace(r"/api/v2/tickets/(\d+)\.json$", "/agent/tickets/$1"),
            "sla_met": pl.Series([plan.targets.get(number) for number in records.ids], dtype=pl.Boolean),
            "opened_at": opened_at,
            "updated_at": updated_at,
            "deleted_at_source": updated_at.zip_with(is_deleted, records.nothing(pl.Datetime("us"))),
            "is_deleted": is_deleted,
            "maker": coalesced(chunk, ["submitter_id", "requester_id"]),
            "reports_acknowledgement": pl.repeat(False, chunk.height, eager=True),
            "version_number": records.nothing(pl.Int64()),
            "attributes": leftovers(chunk, used),
        }
    ).with_columns(
        excluded_as=pl.when("is_deleted")
        .then(pl.lit("deleted"))
        .when(pl.col("tags").list.contains(MERGED_TAG))
        .then(pl.lit("duplicate"))
        .when(pl.col("state") == "cancelled")
        .then(pl.lit("cancelled"))
    )
    frame = frame.filter(records.verdicts.good)
    history = History(plan.file)
    if plan.is_pulled:
        for number, at, maker in frame.select("incident_id", "opened_at", "maker").iter_rows():
            actor = plan.users.get(maker, maker) if maker else None
            history.add(number, "opened", at, "opened", actor=actor, actor_kind=_kind(maker, "", plan))
    versions = conform(newest(frame.drop("is_deleted", "maker")), VERSION)
    return meaning(records.verdicts, history, versions=versions)


def _custom(chunk: pl.DataFrame, told: str) -> pl.Series:
    """The value of a custom field, by its id, or of a column, by its name."""
    if not told.isdigit():
        return coalesced(chunk, [told])

    def read(text: str) -> str | None:
        value = next((field.get("value") for field in json.loads(text) if str(field.get("id")) == told), None)
        return None if value in (None, "", []) else json.dumps(value) if isinstance(value, list) else str(value)

    return mapped(coalesced(chunk, ["custom_fields"]), read, pl.String())


def _audits(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    history = History(plan.file)
    verdicts, happened_at = entries(chunk, plan, "ticket_id", "created_at")
    names = ("id", "ticket_id", "author_id", "via.channel", "events")
    columns = [coalesced(chunk, [name]).filter(verdicts.good) for name in names]
    rows = zip(chunk[LINE].filter(verdicts.good), happened_at.filter(verdicts.good), *columns, strict=True)
    for line, at, audit, key, author, channel, events in rows:
        _audit(json.loads(events or "[]"), (line, at, audit, key, author, channel), plan, history)
    return meaning(verdicts, history)


def _audit(events: Iterable[Mapping[str, Any]], about: tuple[Any, ...], plan: Plan, history: History) -> None:
    """Turn the events of one audit into ours."""
    line, at, audit, key, author, channel = about
    options = plan.options
    status_of, priority_of = lookup(STATUS, options.status), lookup(PRIORITY, options.priority)
    hold_of = lookup(HOLD_REASON, options.hold_reason)
    is_told = False
    for place, event in enumerate(events):
        if event.get("type") not in ("Create", "Change", "Comment"):
            continue
        via = event.get("via") or {}
        said: dict[str, Any] = {
            "sequence": int(audit) * 100 + place,
            "actor": plan.users.get(author, author),
            "actor_kind": _kind(author, str(via.get("channel") or channel), plan),
        }
        event_id = f"{audit}.{event.get('id', place)}"
        name, after, before = event.get("field_name"), event.get("value"), event.get("previous_value")
        if event["type"] == "Comment":
            history.add(key, event_id, at, "commented", **said)
        elif name == "status":
            strange = next((word for word in (before, after) if word and status_of(str(word)) is None), None)
            if strange is not None or not after:
                reason = unknown(options.source, "status", {**STATUS, **lowered(options.status)}, STATES, strange)
                history.reject(line, key, "status", strange, reason, event)
                continue
            was = str(status_of(str(before))) if before else None
            now = str(status_of(str(after)))
            why = str(hold_of(str(after)) or "other") if now == "on_hold" else None
            history.add(key, event_id, at, state_change(was, now), before=was, after=now, hold_reason=why, **said)
        elif name == "assignee_id":
            was, now_ = (plan.users.get(str(id_), str(id_)) if id_ else None for id_ in (before, after))
            history.add(key, event_id, at, "assigned", before=was, after=now_, **said)
        elif name == "group_id":
            was, now_ = (plan.groups.get(str(id_), str(id_)) if id_ else None for id_ in (before, after))
            history.add(key, event_id, at, "group_assigned", before=was, after=now_, assignment_group=now_, **said)
        elif name == "priority":
            was, now_ = (_text(priority_of(str(word))) if word else None for word in (before, after))
            history.add(key, event_id, at, "priority", before=was, after=now_, **said)
        else:
            continue
        is_told = True
    if not is_told:
        kind = _kind(author, str(channel), plan)
        about_it = {"actor": plan.users.get(author, author), "actor_kind": kind}
        history.add(key, str(audit), at, "other", sequence=int(audit) * 100, **about_it)


def _kind(author: str | None, channel: str, plan: Plan) -> str:
    if author is None:
        return "unknown"
    if author == SYSTEM or channel in RULES:
        return "automation"
    return str(actor_kind(pl.Series([plan.users.get(author, author)]), plan.options.automation)[0])


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def whoami(pull: Pull) -> str:
    """Say as whom the token is accepted; without one Zendesk answers with 200 and somebody without an id."""
    client = _client(pull)
    answer = client.get("api/v2/users/me.json")
    user = (answer.document or {}).get("user") or {}
    if not user.get("id"):
        raise client.error(f"{answer.request} takes us for an anonymous user; check user and token")
    return str(user["name"])


def _client(pull: Pull, **more: Any) -> Client:
    """With a user, an API token; without, an OAuth token."""
    if pull.access.user is not None:
        return pull.client(Basic("{}/token", "token"), **more)
    return pull.client(Token("Authorization", "Bearer {}"), **more)


def fetch(pull: Pull) -> None:
    """Pull the tickets that changed, or whose targets did, their audits and targets, and the names of whom they name."""
    if pull.access.filter:
        raise SourceError(
            f"{pull.source}: [sources.{pull.source}] has `filter`, which Zendesk's export does not know; take it out"
        )
    metrics = _metrics(pull.options)
    whoami(pull)
    pace = min(pull.access.requests_per_minute or EXPORTS_PER_MINUTE, EXPORTS_PER_MINUTE)
    exports = _client(pull, access=replace(pull.access, requests_per_minute=pace))
    client = _client(pull)
    pull.keep("tickets", lambda start: _changed(pull, exports, start))
    tickets = {str(record["id"]): record for record in pull.kept("tickets")}
    if not pull.is_first:
        # A target is breached without a change of its ticket.
        pull.keep("metric_events", lambda start: _moved(pull, exports, metrics, start))
        moved = {str(event["ticket_id"]) for event in pull.kept("metric_events")} - set(tickets)
        pull.keep("tickets_moved", lambda start: _many(client, "tickets", moved, start))
        tickets |= {str(record["id"]): record for record in pull.kept("tickets_moved")}
    alive = sorted((id_ for id_, record in tickets.items() if record.get("status") != "deleted"), key=int)
    pull.keep("audits", lambda start: _histories(client, alive, start))
    pull.keep("targets", lambda start: _deciding(pull, client, alive, metrics, start))
    paged = {"page[size]": PAGE}
    pull.keep("groups", lambda start: by_link(client, "api/v2/groups.json", paged, "groups", start=start, link=_next))
    named = {str(record.get(name)) for record in tickets.values() for name in PERSONS}
    for audit in pull.kept("audits"):
        named.add(str(audit.get("author_id")))
        for event in audit.get("events") or ():
            if event.get("field_name") == "assignee_id":
                named |= {str(event.get("value")), str(event.get("previous_value"))}
    users = {id_ for id_ in named if id_.isdigit()}
    pull.keep("users", lambda start: _many(client, "users", users, start, brief=_brief))


def _many(
    client: Client,
    what: str,
    ids: Iterable[str],
    start: Any,
    brief: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
) -> Iterator[Page]:
    """Ask for tickets or users by their ids, a hundred at a time; those that were deleted are not shown."""
    ordered = sorted(ids, key=int)
    batches = [ordered[at : at + PAGE] for at in range(0, len(ordered), PAGE)]

    def ask(batch: list[str]) -> tuple[str, dict[str, str]]:
        return f"api/v2/{what}/show_many.json", {"ids": ",".join(batch)}

    def shown(_: list[str], answer: Answer) -> list[dict[str, Any]]:
        return brief((answer.document or {}).get(what) or [])

    return by_one(client, batches, ask, shown, start=start)


def _brief(users: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of a person no more than the name is kept: the rest is nobody's business here."""
    return [{name: user.get(name) for name in ("id", "name", "role")} for user in users]


def _changed(pull: Pull, client: Client, start: Any) -> Iterator[Page]:
    """Go through the export from the cursor that the last pull left; the first time from `since`.

    The cursor selects by a stamp that every change moves, those of rules too: nothing is filtered again by `updated_at`.
    """
    cursor = start or pull.state.get("cursor")
    begin = pull.since if pull.since is not None else datetime(1971, 1, 1)
    while True:
        asked = {"cursor": cursor} if cursor else {"start_time": int(begin.replace(tzinfo=UTC).timestamp())}
        answer = client.get("api/v2/incremental/tickets/cursor.json", {**asked, "per_page": EXPORTED})
        document = answer.document or {}
        if not isinstance(document.get("tickets"), list) or "end_of_stream" not in document:
            raise client.error(f"{answer.request} gave no tickets; is `url` the address of a Zendesk?")
        after = document.get("after_cursor")
        is_last = bool(document["end_of_stream"]) or not after or after == cursor
        cursor = after or cursor
        pull.carry(cursor=cursor)
        yield Page(document["tickets"], answer.request, cursor)
        if is_last:
            return


def _moved(pull: Pull, client: Client, metrics: Collection[str], start: Any) -> Iterator[Page]:
    """Go through the metric events since the last pull, by their time, for the tickets whose verdict may be another.

    Within the last minutes before this pull no further page is asked for: the next pull begins there.
    """
    path = "api/v2/incremental/ticket_metric_events.json"
    begin, until = ((at - TOO_RECENT).replace(tzinfo=UTC).timestamp() for at in (pull.since or pull.as_of, pull.as_of))
    at = start or int(begin)
    while True:
        asked = {"start_time": at, "include_changes": "true", "per_page": EXPORTED}
        answer = client.get(path, asked, missing=True, forbidden=True)
        if answer.document is None:
            pull.tell(f"{pull.source}: has no metric events for us ({answer.status}): breaches show with other changes")
            return
        events, end = answer.document.get("ticket_metric_events"), answer.document.get("end_time") or at
        if not isinstance(events, list):
            raise client.error(f"{answer.request} gave no metric events; is `url` the address of a Zendesk?")
        is_last = answer.document.get("end_of_stream", end <= at) or end >= until
        if end <= at and not is_last:
            raise client.error(f"{answer.request} names itself as the next page")
        at = end
        kept = [event for event in events if event["metric"] in metrics and event["type"] in DECIDING]
        yield Page(kept, answer.request, at)
        if is_last:
            return


def _deciding(pull: Pull, client: Client, ids: list[str], metrics: Collection[str], start: Any) -> Iterator[Page]:
    """Ask for all that decides on the targets of each ticket: what is new alone does not tell what stood before."""
    until = f"{pull.as_of:%Y-%m-%dT%H:%M:%SZ}"

    def ask(id_: str) -> tuple[str, dict[str, str]]:
        return f"api/v2/tickets/{id_}.json", {"include": "metric_events"}

    def deciding(id_: str, answer: Answer) -> list[dict[str, Any]]:
        told = ((answer.document or {}).get("ticket") or {}).get("metric_events") or {}
        found = []
        for metric in metrics:
            # What is later than this pull's instant, the next one asks for again.
            events = [one for one in told.get(metric) or () if one["type"] in DECIDING and one["time"] <= until]
            if any(event["type"] in ("apply_sla", "breach") for event in events):
                found += [{"ticket_id": id_, "metric": metric, **event} for event in events]
        return found

    return by_one(client, ids, ask, deciding, start=start, at_once=4, forbidden=True)


def _next(answer: Answer) -> str | None:
    """The link of cursor pagination: it is there on the last page, too."""
    if not (answer.document.get("meta") or {}).get("has_more"):
        return None
    return (answer.document.get("links") or {}).get("next")


def _histories(client: Client, ids: list[str], start: Any) -> Iterator[Page]:
    """Ask for the audits of each ticket; a long history goes over several pages."""
    at, address = start or (0, None)
    while at < len(ids):
        path = address or f"api/v2/tickets/{ids[at]}/audits.json"
        answer = client.get(path, None if address else {"page[size]": PAGE}, missing=True)
        address = _next(answer) if answer.document is not None else None
        if address is None:
            at += 1
        yield Page((answer.document or {}).get("audits") or [], answer.request, [at, address])
