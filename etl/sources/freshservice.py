"""Freshservice: tickets and the activities of each ticket that changed.

Follows what is known of the vendor's "Freshservice API v2" (Tickets, Ticket activities, Agents, Groups). **The weakest
evidence of all sources**: it was written from other people's connectors and general knowledge, and tested against a
stand-in that is made of the same, never against an account, nor against a page of the vendor's own. Look at
`meantime check` and at the first pull before you trust its numbers.

Reads: incidents (other types of ticket are left out and counted in `data_issues`), their activities as far as their
sentences are understood (status, agent, group, priority), deleted tickets, names of agents and groups. Takes the API key
of an agent as `token`; there is no `filter`.

Needs an agent with access to all tickets; where his plan or role hides agents or groups they stay numbers. Limits: an
activity is a sentence in the account's language, and only English ones are understood; what is not becomes `other`. A
list ends at page 300, so more than 30,000 changed tickets stop the pull: `since` begins later. The vendor does not say
in which order a list comes, so every page is asked for twice: what moves up meanwhile is seen the second time.
Activities cost a request per changed ticket. Ids are compared every `sweep_hours`, up to 30,000 of them: what is gone for
good, or may not be seen any more, counts as deleted until it changes again.
Cannot know: verdicts on SLA targets, reasons of holds beyond the status, requesters' names. An escalation is the
tool's own flag `is_escalated`.

An instance's own statuses (numbers above 5, and their words in activities) and channels are mapped under
`[sources.NAME.status]` and `.channel`; custom fields are named under `.fields`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import httpx
import polars as pl

from etl.incident import (
    PRIORITIES,
    STATES,
    VERSION,
    conform,
    state_change,
)
from etl.pull import Answer, Basic, Client, Page, Pull, TooManyError, by_one
from etl.pull.paging import linked
from etl.reading import LINE, Export
from etl.shaping import (
    History,
    Verdicts,
    actor_kind,
    boolean,
    coalesced,
    instant,
    leftovers,
    lookup,
    lowered,
    mapped,
    newest,
    parts,
    unknown,
)
from etl.sources import Canonical, Options, SourceError, _records
from etl.sources._records import Records, entries, meaning, named, names_in, planned

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

NAMED = ("agents", "groups")
REFERENCES = (*NAMED, "sweep")

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
        "mark": "a0",
        "actor": {"id": 35, "name": "Ann"},
        "content": " set Status as Pending",
        "sub_contents": [],
        "created_at": "2024-01-15T10:40:00Z",
    },
    {
        "ticket_id": 61,
        "place": 1,
        "mark": "a1",
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
EVER = datetime(2000, 1, 1)


@dataclass(frozen=True)
class Plan(_records.Plan):
    """How one export or stream is read."""

    is_activities: bool = False
    stream: str | None = None
    """Of a pull: tickets, appeared, deleted, activities or gone."""
    agents: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def prepare(export: Export, options: Options) -> Plan:
    """Tell tickets from activities, and learn the names of agents and groups.

    Raises:
        SourceError: a needed column is missing, or a configured field is none.
    """
    is_activities = {"ticket_id", "content"} <= set(export.columns)
    is_tickets = not is_activities and export.stream != "gone"
    needed = ("incident_id", "state", "opened_at") if is_tickets else ()
    plan = planned(export, options, FIELDS, needed=needed, hint=", or save an answer of /api/v2/tickets")
    agents, groups = names_in(export, "agents"), names_in(export, "groups")
    return Plan(**vars(plan), is_activities=is_activities, stream=export.stream, agents=agents, groups=groups)


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    if plan.stream == "gone":
        return _gone(chunk, plan)
    if plan.is_activities:
        return _activities(chunk, plan)
    return _tickets(chunk, plan)


def _tickets(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    kinds = coalesced(chunk, ["type"])
    every = Verdicts(chunk, plan.file, coalesced(chunk, ["id"]))
    is_other = (kinds.str.to_lowercase() != INCIDENT).fill_null(value=False)
    every.note(is_other, "no_incident", "type", kinds, "This ticket is no incident: it was left out")
    chunk = chunk.filter(~is_other)
    records = Records(chunk, plan, "ticket")

    def text(name: str) -> pl.Series:
        told_ = plan.options.fields.get(name)
        return records.text(name) if told_ is None else coalesced(chunk, (told_, f"custom_fields.{told_}"))

    stamped = {name: records.stamp(name, needed=name == "opened_at") for name in STAMPS}
    is_deleted = (coalesced(chunk, ["deleted"]) == "true").fill_null(value=False) | (plan.stream == "deleted")
    used = {records.named(name) for name in FIELDS} | {"type", "deleted", "is_escalated"}
    frame = pl.DataFrame(
        {
            "incident_id": records.ids,
            **{name: text(name) for name in TEXTS},
            **stamped,
            **records.classified(text, STATUS, PRIORITY, CHANNEL),
            "services": parts(text("service")),
            "tags": parts(text("tags")),
            "is_major": boolean(text("is_major")),
            "assignment_group": named(text("assignment_group"), plan.groups),
            "assignee": named(text("assignee"), plan.agents),
            "caller": named(text("caller"), plan.agents),
            "escalation_count": boolean(coalesced(chunk, ["is_escalated"])).cast(pl.Int32),
            "deleted_at_source": stamped["updated_at"].zip_with(is_deleted, records.nothing(pl.Datetime("us"))),
            "is_deleted": is_deleted,
            "reports_acknowledgement": pl.repeat(False, chunk.height, eager=True),
            "version_number": records.nothing(pl.Int64()),
            "attributes": leftovers(chunk, used),
        }
    ).with_columns(
        excluded_as=pl.when("is_deleted")
        .then(pl.lit("deleted"))
        .when(pl.col("state") == "cancelled")
        .then(pl.lit("cancelled"))
        .otherwise(mapped(text("resolution_code"), lookup({}, plan.options.excluded), pl.String()))
    )
    frame = frame.filter(records.verdicts.good)
    history = History(plan.file)
    if plan.is_pulled:
        for number, at in frame.select("incident_id", "opened_at").iter_rows():
            history.add(number, "opened", at, "opened")
    made = meaning(records.verdicts, history, versions=conform(newest(frame.drop("is_deleted")), VERSION))
    return made._replace(issues=pl.concat([every.issues, made.issues]))


def _gone(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Take the tickets that are there no more."""
    history = History(plan.file)
    for id_, at in chunk.select("gone_id", "at").iter_rows():
        history.add(id_, f"{id_}-gone", instant(at), "deleted")
    return meaning(Verdicts(chunk, plan.file, chunk["gone_id"]), history)


def _activities(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    history = History(plan.file)
    verdicts, happened_at = entries(chunk, plan, "ticket_id", "created_at")
    names = ("ticket_id", "mark", "place", "actor.id", "actor.name", "content", "sub_contents")
    columns = [coalesced(chunk, [name]).filter(verdicts.good) for name in names]
    # Activities say only what a field became: what it was is what the activity before them said.
    rows = zip(chunk[LINE].filter(verdicts.good), happened_at.filter(verdicts.good), *columns, strict=True)
    for line, at, *about in rows:
        _activity(line, at, about, plan, history)
    return meaning(verdicts, history)


def _activity(line: int, at: datetime, about: list[Any], plan: Plan, history: History) -> None:
    """Turn the sentences of one activity into events."""
    key, mark, place, actor_id, actor_name, content, sub_contents = about
    options, mark = plan.options, mark or f"{key}.{place}"
    status_of, priority_of = lookup(STATUS, options.status), lookup(PRIORITY, options.priority)
    kind = "unknown"
    if actor_name:
        kind = str(actor_kind(pl.Series([actor_name]), (*AUTOMATION, *options.automation))[0])
    said: dict[str, Any] = {"actor": plan.agents.get(actor_id) or actor_name or actor_id, "actor_kind": kind}
    is_told = False
    for number, sentence in enumerate([content or "", *json.loads(sub_contents or "[]")]):
        found = SENTENCE.search(str(sentence))
        if found is None:
            continue
        is_told = True
        what, value = found[1].lower(), found[2]
        event_id, sequence = f"{mark}.{number}", int(place or 0) * 100 + number
        more: dict[str, Any] = {"sequence": sequence, **said}
        if what == "status" and (state := status_of(value)) is not None:
            why = str(lookup(HOLD_REASON, options.hold_reason)(value) or "other") if state == "on_hold" else None
            history.add(key, event_id, at, state_change(None, str(state)), after=str(state), hold_reason=why, **more)
        elif what == "priority" and (level := priority_of(value)) is not None:
            history.add(key, event_id, at, "priority", after=str(level), **more)
        elif what == "group":
            history.add(key, event_id, at, "group_assigned", after=value, assignment_group=value, **more)
        elif what == "agent":
            history.add(key, event_id, at, "assigned", after=value, **more)
        else:
            known, choices = (STATUS, STATES) if what == "status" else (PRIORITY, PRIORITIES)
            table = {**known, **lowered(options.status if what == "status" else options.priority)}
            reason = unknown(options.source, what, table, choices, value)
            history.reject(line, key, "content", value, reason, {"content": sentence, "at": at})
    if not is_told:
        history.add(key, mark, at, "other", sequence=int(place or 0) * 100, **said)


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
    if pull.access.filter:
        raise SourceError(
            f"{pull.source}: [sources.{pull.source}] has `filter`, which Freshservice's list does not know; take it out"
        )
    client = _client(pull)
    since = pull.since or EVER
    pull.keep("tickets", lambda start: _changed(client, since, {"include": "stats"}, start))
    pull.keep("deleted", lambda start: _changed(client, since, {"filter": "deleted", "include": "stats"}, start))
    if pull.sweep_is_due:
        _sweep(pull, client)
    ids = sorted({int(record["id"]) for stream in ("tickets", "appeared") for record in pull.kept(stream)})
    pull.keep("activities", lambda start: _histories(client, ids, start))
    for name in NAMED:
        pull.keep(name, lambda start, name=name: _names(client, name, start))  # type: ignore[misc]


def _listed(client: Client, since: datetime, more: Mapping[str, Any], start: Any) -> Iterator[Page]:
    """Walk a list page by page, and look at each page again after the next one.

    When a ticket leaves the list, or moves in it, all that follow move up: the first of a page end up on the one before,
    unseen. Whatever the order of the list is, they are there when it is looked at again.
    """
    # Whether `updated_since` includes its second is not known: one more is asked for. Without it a list may hold no more
    # than the last 30 days.
    asked = {**more, "updated_since": f"{since - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}", "order_type": "asc"}

    def ask(number: int) -> tuple[list[dict[str, Any]], str]:
        answer = client.get("api/v2/tickets", {**asked, "page": number, "per_page": PAGE})
        found = answer.document.get("tickets") if isinstance(answer.document, Mapping) else None
        if not isinstance(found, list):
            raise client.error(
                f"{answer.request} gave no list under 'tickets'; is `url` the address of a Freshservice?"
            )
        return found, answer.request

    number = int(start or 1)
    while True:
        if number > LAST_PAGE:
            raise TooManyError
        records, request = ask(number)
        again, _ = ask(number - 1) if number > 1 else ([], "")
        number += 1
        yield Page([*again, *records], request, number)
        if not records:
            return


def _changed(client: Client, since: datetime, more: Mapping[str, Any], start: Any) -> Iterator[Page]:
    try:
        yield from _listed(client, since, more, start)
    except TooManyError as error:
        raise client.error(
            f"more than {LAST_PAGE * PAGE:,} tickets changed since {since:%Y-%m-%d %H:%M}, and the tool gives out no "
            "more at once; write a later `since` into the source's section"
        ) from error


def _sweep(pull: Pull, client: Client) -> None:
    """Ask what became of tickets that the list no longer holds, and for those that it holds only now."""
    since, at = pull.access.since or EVER, f"{pull.as_of:%Y-%m-%dT%H:%M:%SZ}"
    pull.keep("sweep", lambda start: _numbers(pull, client, since, start))
    there, known = {str(record["id"]) for record in pull.kept("sweep")}, pull.known()
    if known and not there:
        raise client.error(f"lists none of our {len(known)} tickets any more; check the rights of the key's owner")
    if "too many" not in there:
        gone = sorted(known - there - {str(record["id"]) for record in pull.kept("deleted")})

        def became(id_: str, answer: Answer) -> list[dict[str, Any]]:
            ticket = (answer.document or {}).get("ticket") or {}
            return [{"gone_id": id_, "at": at}] if not ticket or ticket.get("deleted") else []

        def one(id_: str) -> tuple[str, dict[str, str]]:
            return f"api/v2/tickets/{id_}", {}

        pull.keep("gone", lambda start: by_one(client, gone, one, became, start=start, forbidden=True))
    ours = known | {str(record["id"]) for record in pull.kept("tickets")} | {"too many"}
    seen = {str(record["id"]): record.get("type") for record in pull.kept("sweep")}
    appeared = sorted(id_ for id_ in there - ours if str(seen[id_]).lower() == INCIDENT)

    def whole(_: str, answer: Answer) -> list[dict[str, Any]]:
        return [answer.document["ticket"]] if answer.document else []

    def with_stats(id_: str) -> tuple[str, dict[str, str]]:
        return f"api/v2/tickets/{id_}", {"include": "stats"}

    pull.keep("appeared", lambda start: by_one(client, appeared, with_stats, whole, start=start, forbidden=True))
    pull.swept()


def _numbers(pull: Pull, client: Client, since: datetime, start: Any) -> Iterator[Page]:
    """Give the ids of every ticket, as far as the list goes."""
    try:
        for page in _listed(client, since, {}, start):
            brief = [{"id": record["id"], "type": record.get("type")} for record in page.records]
            yield page._replace(records=brief)
    except TooManyError:
        pull.tell(f"{pull.source}: more tickets than a list holds; what is gone for good cannot be found out")
        yield Page([{"id": "too many"}], "api/v2/tickets", LAST_PAGE + 1)


def _histories(client: Client, ids: list[int], start: Any) -> Iterator[Page]:
    """Ask for the activities of each ticket."""
    for at in range(int(start or 0), len(ids)):
        path = f"api/v2/tickets/{ids[at]}/activities"
        yield Page(_placed(ids[at], _history(client, path)), f"GET {path}", at + 1)


def _history(client: Client, path: str) -> list[dict[str, Any]]:
    """Give a whole history, which may go over several pages: anew if its beginning changed meanwhile."""

    def ask(address: str) -> tuple[list[dict[str, Any]], str | None]:
        answer = client.get(address, missing=True, forbidden=True)
        return (answer.document or {}).get("activities") or [], linked(answer)

    while True:
        first, following = ask(path)
        found, is_long = list(first), following is not None
        while following:
            more, following = ask(following)
            found += more
        if not is_long or ask(path)[0] == first:
            return found


def _placed(id_: int, activities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each activity its ticket, its place from the oldest on, and an id: it has none of its own.

    Its text and time are its id; of two alike in one second the second one has another number.
    """
    stamps_ = [str(activity.get("created_at")) for activity in activities]
    oldest_first = activities[::-1] if stamps_ and stamps_[0] > stamps_[-1] else activities
    placed, alike = [], Counter[str]()
    for place, activity in enumerate(sorted(oldest_first, key=lambda activity: str(activity.get("created_at")))):
        text = json.dumps([activity.get(name) for name in ("created_at", "content", "sub_contents")], sort_keys=True)
        alike[text] += 1
        mark = blake2b(f"{text} {alike[text]}".encode(), digest_size=8).hexdigest()
        placed.append({"ticket_id": id_, "place": place, "mark": mark, **activity})
    return placed


def _names(client: Client, what: str, start: Any) -> Iterator[Page]:
    """Give the names of agents or groups; a plan or a role may hide them (403)."""
    number = int(start or 1)
    while True:
        answer = client.get(f"api/v2/{what}", {"page": number, "per_page": PAGE}, missing=True, forbidden=True)
        found = (answer.document or {}).get(what) or []
        number += 1
        yield Page([{"id": record["id"], "name": _name(record)} for record in found], answer.request, number)
        if not found:
            return


def _name(record: Mapping[str, Any]) -> str:
    parts_ = (record.get("first_name"), record.get("last_name"))
    return str(record.get("name") or " ".join(str(part) for part in parts_ if part) or record["id"])
