"""Request Tracker 5: REST2 with every ticket's history, and the TSV export of a search.

Follows the vendor's REST2 documentation (RT 5.0) and what a real 5.0.3 server answers. The history decides: a reopened
ticket keeps its old `Resolved`, deleting sets it and closing after resolving moves it. A queue is the assignment group,
the owner the assignee; custom fields are named under `[sources.NAME.fields]`, statuses of other life cycles under
`[sources.NAME.status]`. A ticket that was merged into another vanishes from every search; it stays as a duplicate.
Callers are known by their address, as in the export, agents by their user name.

The export tells no history and no zone: with the user's zone, acknowledgements, holds and reopenings are unknown, so a
first resolution may have come before the one that it tells (each such ticket is in `data_issues`).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
from etl.pull import Answer, Basic, Client, Page, Pull, Token, by_id, by_one, by_page
from etl.reading import LINE, Export
from etl.shaping import Verdicts, actor_kind, coalesced, lookup, mapped, read_stamp, translated, unknown
from etl.sources import Canonical, Options, SourceError
from etl.sources._records import check_fields, lacking, not_there

STATUS: dict[str, str] = {
    "new": "new",
    "neu": "new",
    "open": "in_progress",
    "offen": "in_progress",
    "in progress": "in_progress",
    "stalled": "on_hold",
    "zurückgestellt": "on_hold",
    "on hold": "on_hold",
    "awaiting vendor": "on_hold",
    "resolved": "resolved",
    "erledigt": "resolved",
    "closed": "closed",
    "rejected": "cancelled",
    "abgewiesen": "cancelled",
    "cancelled": "cancelled",
    "deleted": "cancelled",
    "gelöscht": "cancelled",
}
"""The default life cycle in English and, as an export for a German user shows it, in German; and common words."""

IN_ENGLISH: dict[str, str] = {
    "neu": "new",
    "offen": "open",
    "zurückgestellt": "stalled",
    "erledigt": "resolved",
    "abgewiesen": "rejected",
    "gelöscht": "deleted",
}
"""A status as a German user's export shows it -> RT's own word."""
DELETED = ("deleted", "gelöscht")

HOLD_REASON: dict[str, str] = {"awaiting vendor": "vendor"}
"""Status -> reason; any other hold is `other`."""

PRIORITY: dict[str, int] = {
    "critical": 1,
    "high": 2,
    "medium": 3,
    "low": 4,
    "hoch": 2,
    "mittel": 3,
    "niedrig": 4,
    "p1": 1,
    "p2": 2,
    "p3": 3,
    "p4": 4,
    "p5": 5,
}
"""Words of RT's own priority (its default: Low from 0, Medium from 50, High from 100) and of a custom field."""

CHANNEL: dict[str, str] = {"phone": "phone", "email": "email", "e-mail": "email", "mail": "email", "chat": "chat"}

AUTOMATION = ("RT_System", "RT::*")

NOBODY = ("Nobody", "Nobody in particular", "6", "")
NOT_SET = ("1970-01-01T00:00:00Z", "Not set", "Nicht angegeben", "")

CUSTOM = (
    "impact",
    "urgency",
    "category",
    "subcategory",
    "is_major",
    "service",
    "configuration_item",
    "location",
    "channel",
    "resolution_code",
    "problem_id",
    "change_id",
    "tags",
    "priority",
    "occurred_at",
)
"""What a custom field may be."""
USUAL = {"impact": "Impact", "urgency": "Urgency"}
"""The custom fields that are taken if nothing else is said."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id", "ID"),
    "title": ("Subject", "Betreff"),
    "state": ("Status",),
    "assignment_group": ("QueueName", "Queue.Name", "Queue", "Bereichsname"),
    "assignee": ("OwnerName", "Owner.id", "Owner", "Besitzername"),
    "caller": ("Requestors", "Requestor", "Auftraggeber"),
    "priority": ("Priority", "Priorität"),
    "opened_at": ("Created", "Erstellt"),
    "ended_at": ("Resolved", "Erledigt"),
    "updated_at": ("LastUpdated", "Zuletzt aktualisiert"),
}
"""Our field -> the names of its column: in an answer, and in an export for an English and a German user."""
NEEDED = ("incident_id", "state", "opened_at")

FIELDS: dict[str, tuple[str, ...]] = {**COLUMNS, **{name: tuple(filter(None, [USUAL.get(name)])) for name in CUSTOM}}
"""Our field -> where it is looked for; a custom field without a usual name only if the configuration names it."""

MONTHS = {"mär": "Mar", "mai": "May", "okt": "Oct", "dez": "Dec"}
"""German names of months that differ from the English ones."""

READING = {"delimiter": "\t", "quoting": False}

NUMBERED = ("customfields", "queues", "users")
"""Streams that say what numbers are called."""
REFERENCES = (*NUMBERED, "requestors", "sweep")

TICKET = (
    "Subject,Status,Queue,Owner,Requestor,Creator,Created,Started,Told,Due,Resolved,LastUpdated,Priority,SLA,"
    "CustomFields,TimeWorked"
)
TRANSACTION = "Type,Field,OldValue,NewValue,Created,Creator,ObjectId"
CHANGES = "ObjectType='RT::Ticket' AND Type != 'EmailRecord' AND Type != 'CommentEmailRecord'"
_SINCE = re.compile(r" AND (?:Created|LastUpdated) >= '[^']*'")
AT_ONCE = 50
"""Tickets that one search names."""

EXAMPLE: dict[str, bytes] = {
    "tickets.tsv": (
        "id\tSubject\tStatus\tQueueName\tOwnerName\tRequestors\tCreated\tResolved\tLastUpdated\tPriority\t"
        "CustomField.{Impact}\n"
        '1\t -- "mail" is down\tresolved\tNetwork\tchen (陳 Chen)\tCustomer 2 <cust2@customer.example>\t'
        "Sun Mar 01 16:31:00 2026\tSun Mar 01 19:16:36 2026\tSun Mar 01 19:16:36 2026\tMedium\t2 - Medium\n"
        "2\tNew screen\tnew\tService Desk\tNobody in particular\tCustomer 3 <cust3@customer.example>\t"
        "Mon Mar 02 08:00:00 2026\tNot set\tMon Mar 02 08:00:00 2026\tLow\t\n"
    ).encode(),
}
EXAMPLE_OPTIONS: dict[str, Any] = {"timezone": "UTC", "delimiter": "\t"}


def _transaction(id_: int, at: str, type_: str, field_: str = "", old: str = "", new: str = "") -> dict[str, Any]:
    return {
        "id": str(id_),
        "type": "transaction",
        "Type": type_,
        "Field": field_,
        "OldValue": old,
        "NewValue": new,
        "Created": at,
        "Creator": {"id": "chen", "type": "user"},
        "ObjectId": "1",
    }


EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {
    "users": [{"id": 34, "Name": "chen"}],
    "queues": [{"id": "6", "Name": "Network"}],
    "customfields": [{"id": 4, "Name": "Incident Priority"}],
    "requestors": [{"id": "cust2", "EmailAddress": "cust2@customer.example"}],
    "transactions": [
        _transaction(86, "2026-03-01T16:31:00Z", "Create"),
        _transaction(88, "2026-03-01T16:39:29Z", "Set", "Owner", "6", "34"),
        _transaction(89, "2026-03-01T16:39:29Z", "SetWatcher", "Owner", "6", "34"),
        _transaction(90, "2026-03-01T16:43:11Z", "Status", "Status", "new", "open"),
        _transaction(93, "2026-03-01T19:16:36Z", "Status", "Status", "open", "resolved"),
    ],
    "tickets": [
        {
            "id": "1",
            "_url": "https://desk.example.com/REST/2.0/ticket/1",
            "Subject": "Mail is down",
            "Status": "resolved",
            "Queue": {"id": "6", "Name": "Network"},
            "Owner": {"id": "chen"},
            "Requestor": [{"id": "cust2", "EmailAddress": "cust2@customer.example"}],
            "Created": "2026-03-01T16:31:00Z",
            "Resolved": "2026-03-01T19:16:36Z",
            "LastUpdated": "2026-03-01T19:16:36Z",
            "Priority": "0",
            "CustomFields": [{"id": "4", "name": "Incident Priority", "values": ["P2"]}],
        }
    ],
}


def whoami(pull: Pull) -> str:
    """Ask for RT's version, which needs a user that is let in."""
    document = _client(pull).get("REST/2.0/rt").document
    return f"as Request Tracker {document.get('Version', 'of an unknown version')}"


def _client(pull: Pull) -> Client:
    if pull.access.password is not None:
        return pull.client(Basic())
    return pull.client(Token("Authorization", "token {}"))


def fetch(pull: Pull) -> None:
    """Pull the transactions that are new, and the tickets that they touch (the first time: every ticket).

    Transactions come by id, so no time zone and no equal stamp matters. Their ids do not appear strictly in order: each
    pull goes back to the last one that was made before the overlap.
    """
    if pull.access.filter:
        raise SourceError(
            f"{pull.source}: [sources.{pull.source}] has `filter`, which cannot be kept for Request Tracker: what leaves a "
            "filter cannot be told from what was deleted; take it out, and give the token's user only the queues to be read"
        )
    client = _client(pull)
    kept = int(pull.state.get("transaction", 0))
    changed = CHANGES
    if pull.is_first and pull.since is not None:
        changed += f" AND Created >= '{pull.since:%Y-%m-%d}'"
    pull.keep("transactions", lambda start: _transactions(client, changed, kept, start))
    touched, created, seen = _summary(pull, kept)
    pull.carry(transaction=seen)
    pull.keep("queues", lambda start: by_page(client, "REST/2.0/queues/all", {"fields": "Name"}, "items", pages=_pages))
    if pull.is_first:
        pull.keep("tickets", lambda start: _all_tickets(pull, client, start))
    else:
        pull.keep("tickets", lambda start: _tickets(client, touched, start))
    found = {int(ticket["id"]) for ticket in pull.kept("tickets")}
    ours = set() if pull.is_first else {int(id_) for id_ in pull.known()}
    # What was moved into a queue that the reader may see, or was made before `since`, had a life before.
    fresh = sorted(found - ours - created.keys())
    missing = [number for number in touched if number not in found]
    if pull.sweep_is_due:
        pull.keep("sweep", lambda start: _all_tickets(pull, client, start, fields=None))
        there = {int(ticket["id"]) for ticket in pull.kept("sweep")}
        missing = sorted({*missing, *(ours - there)})
        # What the reader was allowed to see only since the last sweep.
        unseen = sorted(there - ours - found)
        pull.keep("fresh_tickets", lambda start: _tickets(client, unseen, start))
        fresh = sorted({*fresh, *unseen})
        pull.swept()
    pull.keep("fresh_transactions", lambda start: _histories(client, fresh, start))
    owners, customs = _numbers_told(pull)
    pull.keep("users", lambda start: _named(client, "user", owners, start))
    pull.keep("customfields", lambda start: _named(client, "customfield", customs, start))
    pull.keep("requestors", lambda _: [Page(_requestors(pull), "the tickets themselves", None)])
    pull.keep(
        "gone",
        lambda start: by_one(
            client,
            missing,
            lambda number: (f"REST/2.0/ticket/{number}", {}),
            lambda number, answer: [_what_became(number, answer, created.get(number), pull)],
            start=start,
            forbidden=True,
        ),
    )


def _pages(answer: Answer) -> int | None:
    return int(float(answer.document.get("pages") or 0))


def _last(client: Client, path: str, query: str) -> int:
    """Find the greatest id that the reader may see: of the pages from the end the first that is not hidden whole."""
    pages, number = 1_000_000, 1
    while number <= pages:
        asked = {"query": query, "orderby": "id", "order": "DESC", "per_page": 100, "page": number}
        document = client.get(path, asked).document
        if document.get("items"):
            return int(document["items"][0]["id"])
        if number == 1:
            if not client.get("REST/2.0/tickets", {"query": "id > 0", "per_page": 1}).document.get("items"):
                # Who sees no ticket sees no transaction of one.
                return 0
            whole = _SINCE.sub("", query)
            if whole != query:
                # Nothing since then looks like everything hidden; but there are no more rows than ids.
                pages = _last(client, path, whole) // 100 + 1
        number += 1
    return 0


def _transactions(client: Client, query: str, after: int, start: Any) -> Iterator[Page]:
    path = "REST/2.0/transactions"
    asked = {"orderby": "id", "per_page": 100, "fields": TRANSACTION}
    return by_id(
        client,
        lambda low, page: (path, {"query": f"{query} AND id > {low}", "page": page, **asked}),
        "items",
        last=_last(client, path, query),
        after=after,
        start=start,
    )


def _summary(pull: Pull, kept: int) -> tuple[list[int], dict[int, Any], int]:
    """Read what the transactions are about: tickets, creations, and where the next pull begins."""
    border = f"{pull.as_of - pull.access.overlap:%Y-%m-%dT%H:%M:%SZ}"
    touched = set()
    created: dict[int, Any] = {}
    for row in pull.kept("transactions"):
        touched.add(int(row["ObjectId"]))
        if row["Created"] < border:
            kept = max(kept, int(row["id"]))
        if row["Type"] == "Create":
            created[int(row["ObjectId"])] = {"Created": row["Created"], "Creator": row.get("Creator")}
    tickets = sorted(touched)
    if pull.is_first:
        created = {number: created[number] for number in tickets if number in created}
    return tickets, created, kept


def _numbers_told(pull: Pull) -> tuple[list[int], list[int]]:
    """Give the users and the custom fields that transactions only number."""
    owners, customs = set(), set()
    for row in itertools.chain(pull.kept("transactions"), pull.kept("fresh_transactions")):
        if row["Field"] == "Owner":
            owners |= {row["OldValue"], row["NewValue"]}
        if row["Type"] == "CustomField":
            customs.add(row["Field"])
    return _numbers(owners), _numbers(customs)


def _numbers(values: Iterable[str]) -> list[int]:
    return sorted(int(value) for value in values if value and value.isdigit())


def _named(client: Client, kind: str, numbers: list[int], start: Any) -> Iterator[Page]:
    """Ask what the numbers in transactions are called."""
    return by_one(
        client,
        numbers,
        lambda number: (f"REST/2.0/{kind}/{number}", {}),
        lambda number, answer: [{"id": number, "Name": answer.document["Name"]}] if answer.document else [],
        start=start,
        forbidden=True,
    )


def _all_tickets(pull: Pull, client: Client, start: Any, fields: str | None = TICKET) -> Iterator[Page]:
    path = "REST/2.0/tickets"
    query = "id > 0"
    # What was left out the first time stays out of a sweep, too.
    if pull.access.since is not None:
        query += f" AND LastUpdated >= '{pull.access.since:%Y-%m-%d}'"
    asked = {"orderby": "id", "per_page": 100, **(_wanted(fields) if fields else {})}
    return by_id(
        client,
        lambda low, page: (path, {"query": f"{query} AND id > {low}", "page": page, **asked}),
        "items",
        last=_last(client, path, query),
        start=start,
    )


def _wanted(fields: str) -> dict[str, str]:
    return {"fields": fields, "fields[Queue]": "Name", "fields[Requestor]": "EmailAddress"}


def _requestors(pull: Pull) -> list[dict[str, str]]:
    """Give the address of everybody who called, by user name."""
    found = {
        person["id"]: person["EmailAddress"]
        for stream in ("tickets", "fresh_tickets")
        for ticket in pull.kept(stream)
        for person in ticket.get("Requestor") or ()
        if person.get("EmailAddress")
    }
    return [{"id": name, "EmailAddress": found[name]} for name in sorted(found)]


def _tickets(client: Client, numbers: list[int], start: Any) -> Iterator[Page]:
    """Ask for tickets by their numbers, many at once; those that no search finds are left out."""
    for at in range(int(start or 0), len(numbers), AT_ONCE):
        query = " OR ".join(f"id = {number}" for number in numbers[at : at + AT_ONCE])
        asked = {"query": query, "orderby": "id", "per_page": 100, **_wanted(TICKET)}
        answer = client.get("REST/2.0/tickets", asked)
        yield Page(answer.document["items"], answer.request, at + AT_ONCE, None)


def _histories(client: Client, numbers: list[int], start: Any) -> Iterator[Page]:
    for at in range(int(start or 0), len(numbers)):
        query = f"{CHANGES} AND ObjectId = {numbers[at]}"
        for page in _transactions(client, query, 0, None):
            yield page._replace(resume=at + 1)


def _what_became(number: int, answer: Answer, created: Any, pull: Pull) -> dict[str, Any]:
    """Keep what RT says of a ticket that no search finds any more."""
    return {
        "asked": str(number),
        "status": answer.status,
        "asked_at": f"{pull.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "created": created,
        "ticket": answer.document,
    }


@dataclass(frozen=True)
class Plan:
    """How one export or stream is read."""

    file: str
    options: Options
    stream: str | None
    columns: Mapping[str, str]
    formats: Mapping[str, stamps.Format]
    zone: str
    customs: Mapping[str, str]
    """Our field -> the custom field that it is."""
    users: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    """User name of a caller -> address; whoever owned a ticket is known by the name."""
    priority_field: str | None = None
    """The number of the custom field that holds the priority."""
    knows_resolving: bool = True

    @property
    def where(self) -> str:
        """Source and file, for messages."""
        return f"{self.options.source}: {self.file}"


def prepare(export: Export, options: Options) -> Plan:
    """Find the columns, the zone of an export's stamps and, for a pull, what numbers are called.

    Raises:
        SourceError: a needed column or the zone is missing, or a configured field is none.
        StampError: dates that cannot be read without guessing.
    """
    where = f"{options.source}: {export.name}"
    check_fields(options, FIELDS)
    customs = {**USUAL, **{name: told for name, told in options.fields.items() if name in CUSTOM}}
    if export.stream is not None:
        names = {kind: {str(row["id"]): row["Name"] for row in export.beside.get(kind, ())} for kind in NUMBERED}
        number = next((id_ for id_, name in names["customfields"].items() if name == customs.get("priority")), None)
        columns = {ours: theirs for ours in COLUMNS if (theirs := _column_of(ours, export.columns, {}))}
        addresses = {row["id"]: row["EmailAddress"] for row in export.beside.get("requestors", ())}
        return Plan(
            export.name,
            options,
            export.stream,
            columns,
            {},
            "UTC",
            customs,
            names["users"],
            names["queues"],
            {name: address for name, address in addresses.items() if name not in names["users"].values()},
            number,
        )
    columns = {ours: theirs for ours in COLUMNS if (theirs := _column_of(ours, export.columns, options.fields))}
    for needed in NEEDED:
        if needed not in columns:
            raise lacking(export, options, needed, "' or '".join(COLUMNS[needed]))
    for ours, told in customs.items():
        if ours in options.fields and _custom_column(told, export.columns) is None:
            raise not_there(export, options, ours, [_bare(column) for column in export.columns])
    if options.timezone is None:
        raise SourceError(
            f"{where}: the export's stamps are in the zone of the RT user who made it, and do not say which; name it "
            "with --timezone or the key `timezone`"
        )
    stamped = [columns[ours] for ours in ("opened_at", "ended_at", "updated_at") if ours in columns]
    occurred = _custom_column(customs.get("occurred_at"), export.columns)
    stamped += [occurred] if occurred else []
    head = export.head().with_columns(_plain_stamps(pl.col(column)).alias(column) for column in stamped)
    rest = (
        chunk.with_columns(_plain_stamps(pl.col(column)).alias(column) for column in stamped)
        for chunk in export.chunks()
    )
    formats = stamps.decide(head, stamped, rest, told=options.date_format, where=where)
    return Plan(export.name, options, None, columns, formats, stamps.check_zone(options.timezone), customs)


def _column_of(ours: str, columns: list[str], told: Mapping[str, str]) -> str | None:
    if ours in told and told[ours] in columns:
        return told[ours]
    return next((name for name in COLUMNS[ours] if name in columns), None)


def _bare(column: str) -> str:
    found = re.fullmatch(r"(?:CustomField|CF)\.\{(.*)\}", column)
    return found[1] if found else column


def _custom_column(name: str | None, columns: Iterable[str]) -> str | None:
    return next((column for column in columns if name is not None and _bare(column) == name), None)


def _plain_stamps(column: pl.Expr) -> pl.Expr:
    """Write a German user's stamps like an English one's, and what is not set as null."""
    text = column.str.strip_chars()
    text = pl.when(text.is_in(list(NOT_SET))).then(None).otherwise(text)
    german = r"^\w\w (\d\d)\. (\w+) (\d\d:\d\d:\d\d) (\d{4})$"
    written = text.str.replace(german, "$1 $2 $4 $3")
    for theirs, english in MONTHS.items():
        written = written.str.replace(f"(?i)\\b{theirs}\\b", english)
    # C's form, without the day of the week, which may be in any language.
    return written.str.replace(r"^\w{2,3} (\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4})$", "$2 $1 $4 $3").str.replace(
        r"^(\d) ", "0$1 "
    )


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows."""
    if plan.stream in ("transactions", "fresh_transactions"):
        return _events(chunk, plan)
    if plan.stream == "gone":
        return _gone(chunk, plan)
    return _versions(chunk, plan)


def _nothing(verdicts: Verdicts, **frames: pl.DataFrame) -> Canonical:
    empty = {
        "versions": pl.DataFrame(schema=schema(VERSION)),
        "snapshots": pl.DataFrame(schema=schema(SNAPSHOT)),
        "events": pl.DataFrame(schema=schema(GIVEN_EVENT)),
        "rejected": verdicts.rejected,
        "issues": verdicts.issues,
    }
    return Canonical(**{**empty, **frames})


def _versions(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    options = plan.options
    ids = _column(chunk, plan, "incident_id").str.strip_chars()
    verdicts = Verdicts(chunk, plan.file, ids)
    verdicts.reject(ids.is_null(), plan.columns.get("incident_id"), "the ticket's number is missing")
    opened_at = _stamp(chunk, plan, "opened_at", verdicts)
    verdicts.reject(
        opened_at.is_null(),
        plan.columns["opened_at"],
        lambda value: f"opened_at {value!r} is not a stamp that reads like the others of this column",
    )
    source_state = _column(chunk, plan, "state")
    verdicts.reject(source_state.is_null(), plan.columns["state"], "the status is missing")
    state = translated(
        verdicts,
        source_state,
        plan.columns["state"],
        source=options.source,
        kind="status",
        known=STATUS,
        told=options.status,
        choices=STATES,
        dtype=pl.String(),
    )
    customs, rest = _customs(chunk, plan)
    source_priority = customs["priority"] if "priority" in plan.customs else _column(chunk, plan, "priority")
    priority = _priority(verdicts, source_priority, plan)
    source_channel = customs["channel"]
    channel = mapped(source_channel, lookup(CHANNEL, options.channel), pl.String())
    verdicts.reject(
        channel.is_null() & source_channel.is_not_null(),
        None,
        f"{options.source}: the channel of custom field '{plan.customs.get('channel')}' is not one of "
        f"{', '.join(CHANNEL)}; map it under [sources.{options.source}.channel] to one of {', '.join(CHANNELS)}",
    )
    ended_at = _stamp(chunk, plan, "ended_at", verdicts)
    is_deleted = source_state.str.to_lowercase().is_in(list(DELETED))
    updated_at = _stamp(chunk, plan, "updated_at", verdicts)
    if plan.stream is None:
        verdicts.note(
            state == "resolved",
            "last_resolution_only",
            plan.columns.get("ended_at", "Resolved"),
            source_state,
            "The export tells the last resolution; whether it was reopened, and resolved before, is unknown",
        )
    frame = pl.DataFrame(
        {
            "incident_id": ids,
            "title": _column(chunk, plan, "title").str.strip_chars(),
            "url": _address(chunk),
            "state": state,
            "source_state": mapped(source_state, lambda word: IN_ENGLISH.get(word.lower(), word), pl.String()),
            "priority": priority,
            "source_priority": source_priority,
            "assignment_group": _column(chunk, plan, "assignment_group"),
            "assignee": _person(_column(chunk, plan, "assignee")),
            "caller": _first_of(_column(chunk, plan, "caller"), plan),
            "channel": channel,
            "source_channel": source_channel,
            "opened_at": opened_at,
            "updated_at": updated_at,
            "attributes": rest,
            **{
                name: customs[name]
                for name in ("impact", "urgency", "category", "subcategory", "configuration_item", "location")
            },
            **{name: customs[name] for name in ("resolution_code", "problem_id", "change_id")},
            "services": _listed(customs["service"]),
            "tags": _listed(customs["tags"]),
            "is_major": mapped(
                customs["is_major"], lambda word: word.strip().lower() in ("1", "yes", "true"), pl.Boolean()
            ),
            "occurred_at": _custom_stamp(customs["occurred_at"], plan, verdicts, ids),
        }
    ).with_columns(
        # Of an answer the history tells the resolution; an export has nothing but its stamp, which closing moves.
        pl.when(pl.lit(plan.stream is None) & (pl.col("state") == "resolved")).then(ended_at).alias("resolved_at"),
        pl.when(pl.col("state").is_in(["closed", "cancelled"])).then(ended_at).alias("closed_at"),
        pl.when(is_deleted).then(updated_at).alias("deleted_at_source"),
        pl.when(is_deleted)
        .then(pl.lit("deleted"))
        .when(pl.col("state") == "cancelled")
        .then(pl.lit("cancelled"))
        .otherwise(mapped(customs["resolution_code"], lookup({}, options.excluded), pl.String()))
        .alias("excluded_as"),
        reports_acknowledgement=pl.lit(value=False),
    )
    return _nothing(verdicts, versions=conform(frame.filter(verdicts.good), VERSION))


def _column(chunk: pl.DataFrame, plan: Plan, ours: str) -> pl.Series:
    name = plan.columns.get(ours)
    if name is None or name not in chunk.columns:
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True).alias(ours)
    return chunk[name]


def _stamp(chunk: pl.DataFrame, plan: Plan, ours: str, verdicts: Verdicts) -> pl.Series:
    values = _column(chunk, plan, ours)
    if plan.stream is not None:
        return _utc(values)
    plain = chunk.select(_plain_stamps(pl.lit(values)).alias(values.name)).to_series()
    utc, unreadable = read_stamp(verdicts, plain, plan.formats[plan.columns[ours]], plan.zone, plan.where)
    verdicts.note(
        unreadable,
        "unreadable_stamp",
        values.name,
        values,
        "Cannot be read as a stamp; the ticket is kept with the stamp unknown",
    )
    return utc


def _utc(values: pl.Series) -> pl.Series:
    """Read the stamps of an answer; the beginning of 1970 means that it is not set."""
    known = values.set(values.is_in(list(NOT_SET)).fill_null(value=False), None)
    return known.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", strict=False, time_unit="us")


def _custom_stamp(values: pl.Series, plan: Plan, verdicts: Verdicts, ids: pl.Series) -> pl.Series:
    if plan.stream is not None:
        return _utc(values)
    name = next((column for column in plan.formats if _bare(column) == plan.customs.get("occurred_at")), None)
    if name is None:
        return values.cast(pl.Datetime("us"))
    plain = pl.DataFrame({name: values}).select(_plain_stamps(pl.col(name))).to_series()
    return read_stamp(verdicts, plain, plan.formats[name], plan.zone, plan.where, ids)[0]


def _person(values: pl.Series) -> pl.Series:
    """Give the user name: an export shows `chen (陳 Chen)`."""
    names = values.str.strip_chars().str.replace(r"^(\S+) \(.*\)$", "${1}")
    return names.set(names.is_in(list(NOBODY)).fill_null(value=False), None)


def _first_of(values: pl.Series, plan: Plan) -> pl.Series:
    """Give the first requestor, by address if that is known."""

    def read(value: str) -> str | None:
        if value.startswith("["):
            people = json.loads(value)
            name = people[0].get("id") if people else None
            return plan.addresses.get(name, name) if name else None
        first = value.split(", ")[0].strip()
        address = re.search(r"<([^<>]+)>$", first)
        return address[1] if address else first or None

    return mapped(values, read, pl.String())


def _address(chunk: pl.DataFrame) -> pl.Series:
    """Give the ticket's page: RT's own address of the answer leads there."""
    if "_url" not in chunk.columns:
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True)
    return chunk["_url"].str.replace(r"/REST/2\.0/ticket/(\d+)$", "/Ticket/Display.html?id=${1}")


def _customs(chunk: pl.DataFrame, plan: Plan) -> tuple[dict[str, pl.Series], pl.Series]:
    """Give the custom fields that are columns of ours, and everything that has no other place as JSON."""
    used = {*plan.columns.values(), "_url", "_hyperlinks", "type", "CustomFields"}
    others = [name for name in chunk.columns if name not in used and name != LINE and not name.endswith("._url")]
    wanted = plan.customs
    taken = set(wanted.values())
    found: dict[str, list[str | None]] = {ours: [] for ours in CUSTOM}
    rest: list[str | None] = []
    nested = ["CustomFields"] if "CustomFields" in chunk.columns else []
    # Without any column a frame has no rows.
    for row in chunk.select(LINE, *others, *nested).iter_rows(named=True):
        del row[LINE]
        fields = {
            custom["name"]: "\n".join(map(str, custom["values"]))
            for custom in json.loads(row.pop("CustomFields", None) or "[]")
        }
        fields |= {_bare(name): _settled(value.strip()) for name, value in row.items() if value is not None}
        for ours in CUSTOM:
            found[ours].append(fields.get(wanted[ours]) or None if ours in wanted else None)
        left = {name: fields[name] for name in sorted(fields) if name not in taken and fields[name] not in NOT_SET}
        rest.append(json.dumps(left, ensure_ascii=False) if left else None)
    return (
        {ours: pl.Series(ours, values, dtype=pl.String) for ours, values in found.items()},
        pl.Series("attributes", rest, dtype=pl.String),
    )


def _settled(value: str) -> str:
    """Give a list one spelling: RT writes the keys of its objects in a random order."""
    if value.startswith("[{"):
        with suppress(ValueError):
            return json.dumps(json.loads(value), ensure_ascii=False, sort_keys=True)
    return value


def _listed(values: pl.Series) -> pl.Series:
    """Read several values: lines of an answer; an export puts two blanks between them."""

    def read(value: str) -> list[str]:
        return [part.strip() for part in re.split(r"\n| {2,}", value) if part.strip()]

    return pl.Series(values.name, [read(value) if value else None for value in values], dtype=pl.List(pl.String))


def _priority_of(options: Options):  # type: ignore[no-untyped-def]
    find = lookup(PRIORITY, options.priority)

    def read(value: str) -> int | None:
        found = find(value)
        if found is not None:
            return int(str(found))
        # RT's own words for its numbers: Low from 0, Medium from 50, High from 100.
        if not re.fullmatch(r"-?\d+", value.strip()):
            return None
        number = int(value)
        return 2 if number >= 100 else 3 if number >= 50 else 4

    return read


def _priority(verdicts: Verdicts, values: pl.Series, plan: Plan) -> pl.Series:
    options = plan.options
    found = mapped(values, _priority_of(options), pl.Int8())
    strange = values.filter(found.is_null() & values.is_not_null())
    column = plan.columns.get("priority") if "priority" not in plan.customs else None
    verdicts.reject(
        found.is_null() & values.is_not_null(),
        column,
        unknown(options.source, "priority", PRIORITY, PRIORITIES, strange[0] if len(strange) else None),
    )
    return found


def _events(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn transactions into events; an owner's change is told twice, once is taken."""
    options = plan.options
    chunk = chunk.filter(~((pl.col("Type") == "SetWatcher") & (pl.col("Field") == "Owner")).fill_null(value=False))
    keys = chunk["ObjectId"]
    verdicts = Verdicts(chunk, plan.file, keys)
    happened_at = _utc(chunk["Created"])
    verdicts.reject(happened_at.is_null(), "Created", "the stamp of the transaction is missing or unreadable")
    type_, field_ = chunk["Type"].fill_null(""), chunk["Field"].fill_null("")
    old, new = chunk["OldValue"], chunk["NewValue"]
    is_state = type_ == "Status"
    is_owner = (field_ == "Owner") & ~is_state
    is_queue = (field_ == "Queue") & (type_ == "Set")
    by_custom = plan.priority_field is not None or "priority" in plan.customs
    is_priority = (
        (type_ == "CustomField") & (field_ == (plan.priority_field or "\0"))
        if by_custom
        else (type_ == "Set") & (field_ == "Priority")
    )
    state_of, priority_of = lookup(STATUS, options.status), _priority_of(options)
    for values, name in ((old, "OldValue"), (new, "NewValue")):
        for kind, rows, translate, choices, known in (
            ("status", is_state, state_of, STATES, STATUS),
            ("priority", is_priority, priority_of, PRIORITIES, PRIORITY),
        ):
            words = values.filter(rows).drop_nulls().unique()
            strange = [word for word in words if translate(word) is None]
            for word in strange:
                verdicts.reject(rows & (values == word), name, unknown(options.source, kind, known, choices, word))
    find_user, find_queue = plan.users.get, plan.queues.get
    frame = pl.DataFrame(
        {
            "incident_key": keys,
            "event_id": chunk["id"],
            "happened_at": happened_at,
            "sequence": chunk["id"].cast(pl.Int64),
            "type": type_,
            "field": field_,
            "old": old,
            "new": new,
            "old_state": mapped(old.set(~is_state, None), state_of, pl.String()),
            "new_state": mapped(new.set(~is_state, None), state_of, pl.String()),
            "old_priority": mapped(old.set(~is_priority, None), priority_of, pl.Int8()).cast(pl.String),
            "new_priority": mapped(new.set(~is_priority, None), priority_of, pl.Int8()).cast(pl.String),
            "old_owner": _user(old.set(~is_owner, None), find_user),
            "new_owner": _user(new.set(~is_owner, None), find_user),
            "old_queue": mapped(old.set(~is_queue, None), lambda id_: find_queue(id_, f"queue {id_}"), pl.String()),
            "new_queue": mapped(new.set(~is_queue, None), lambda id_: find_queue(id_, f"queue {id_}"), pl.String()),
            "hold_reason": mapped(new.set(~is_state, None), _hold_of(options), pl.String()),
            "master": new.str.extract(r"/ticket/(\d+)$"),
            "actor": mapped(
                coalesced(chunk, ("Creator.id",)), lambda name: plan.addresses.get(name, name), pl.String()
            ),
            "is_owner": is_owner,
            "is_queue": is_queue,
            "is_priority": is_priority,
        }
    ).filter(verdicts.good)
    frame = frame.with_columns(
        actor_kind=actor_kind(frame["actor"].cast(pl.String), (*AUTOMATION, *options.automation)),
        state_kind=_state_kinds(frame),
    )
    is_merged = (pl.col("field") == "MergedInto") & (pl.col("master") != pl.col("incident_key"))
    said = (
        pl.when(pl.col("type") == "Create")
        .then(pl.lit("opened"))
        .when(pl.col("state_kind").is_not_null())
        .then(pl.col("state_kind"))
        .when("is_owner")
        .then(pl.lit("assigned"))
        .when("is_queue")
        .then(pl.lit("group_assigned"))
        .when("is_priority")
        .then(pl.lit("priority"))
        .when(is_merged)
        .then(pl.lit("merged"))
        .when(pl.col("type").is_in(["Correspond", "Comment"]))
        .then(pl.lit("commented"))
        .otherwise(pl.lit("other"))
    )
    events = frame.select(
        "incident_key",
        "event_id",
        "happened_at",
        "sequence",
        said.alias("kind"),
        pl.when("is_owner")
        .then("old_owner")
        .when("is_queue")
        .then("old_queue")
        .when("is_priority")
        .then("old_priority")
        .when(pl.col("type") == "Status")
        .then("old_state")
        .otherwise("old")
        .alias("from_value"),
        pl.when("is_owner")
        .then("new_owner")
        .when("is_queue")
        .then("new_queue")
        .when("is_priority")
        .then("new_priority")
        .when(pl.col("state_kind") == "deleted")
        .then(None)
        .when(pl.col("type") == "Status")
        .then("new_state")
        .when(is_merged)
        .then("master")
        .otherwise("new")
        .alias("to_value"),
        pl.when(said == "held").then("hold_reason").alias("hold_reason"),
        "actor",
        "actor_kind",
        pl.when("is_queue").then("new_queue").alias("assignment_group"),
    )
    return _nothing(verdicts, events=conform(events, GIVEN_EVENT))


def _user(values: pl.Series, find: Any) -> pl.Series:
    return mapped(values, lambda id_: None if id_ in NOBODY else find(id_, f"user {id_}"), pl.String())


def _hold_of(options: Options):  # type: ignore[no-untyped-def]
    find = lookup(HOLD_REASON, options.hold_reason)
    return lambda word: found if (found := find(word)) in HOLD_REASONS else "other"


def _state_kinds(frame: pl.DataFrame) -> pl.Series:
    """Name each change of status; null where it is none."""
    changes = frame.filter(pl.col("type") == "Status").select("old_state", "new_state", "new").unique()
    kinds = changes.with_columns(
        kind=pl.Series(
            [
                "deleted" if word in DELETED else state_change(before, after)
                for before, after, word in changes.iter_rows()
            ],
            dtype=pl.String,
        ),
        type=pl.lit("Status"),
    )
    return frame.select("type", "old_state", "new_state", "new").join(
        kinds, on=["type", "old_state", "new_state", "new"], how="left", nulls_equal=True, maintain_order="left"
    )["kind"]


def _gone(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Read what became of tickets that no search finds: deleted (RT still shows it), merged, or no longer ours to see."""
    ids = chunk["asked"]
    verdicts = Verdicts(chunk, plan.file, ids)
    became = (
        chunk["ticket.id"]
        if "ticket.id" in chunk.columns
        else pl.repeat(None, chunk.height, dtype=pl.String, eager=True)
    )
    still_there = (became == ids).fill_null(value=False)
    verdicts.note(
        chunk["status"] == "403",
        "no_longer_visible",
        "Queue",
        ids,
        "The reader may not see this ticket any more; what is known of it stays as it was",
    )
    shown = _shown(chunk.filter(still_there), plan)
    is_merged = ~still_there & became.is_not_null()
    merged = chunk.filter(is_merged)
    versions = [shown.versions]
    if merged.height and "created.Created" in merged.columns:
        # What it was is gone with it; an older version that the store has of it outranks this one.
        opened_at = _utc(merged["created.Created"])
        versions.append(
            conform(
                pl.DataFrame(
                    {
                        "incident_id": merged["asked"],
                        "state": pl.repeat("cancelled", merged.height, dtype=pl.String, eager=True),
                        "excluded_as": pl.repeat("duplicate", merged.height, dtype=pl.String, eager=True),
                        "opened_at": opened_at,
                        "reports_acknowledgement": pl.repeat(False, merged.height, eager=True),
                    }
                ).filter(opened_at.is_not_null()),
                VERSION,
            )
        )
    removed = chunk.filter(chunk["status"].is_in(["404", "410"]))
    events = pl.DataFrame(
        {
            "incident_key": removed["asked"],
            "event_id": removed["asked"] + "-gone",
            "happened_at": _utc(removed["asked_at"]),
            "sequence": pl.repeat(0, removed.height, dtype=pl.Int64, eager=True),
            "kind": pl.repeat("deleted", removed.height, dtype=pl.String, eager=True),
            "actor_kind": pl.repeat("unknown", removed.height, dtype=pl.String, eager=True),
        }
    )
    return _nothing(
        verdicts,
        versions=pl.concat(versions),
        events=conform(events, GIVEN_EVENT),
        rejected=pl.concat([verdicts.rejected, shown.rejected]),
        issues=pl.concat([verdicts.issues, shown.issues]),
    )


def _shown(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Read the tickets themselves; a single answer spells the queue without its name."""
    if not chunk.height:
        return _nothing(Verdicts(chunk, plan.file, chunk["asked"]))
    inner = chunk.select(
        LINE,
        *(pl.col(name).alias(name.removeprefix("ticket.")) for name in chunk.columns if name.startswith("ticket.")),
    )
    named = mapped(inner["Queue.id"], lambda id_: plan.queues.get(id_, f"queue {id_}"), pl.String())
    inner = inner.with_columns(named.alias("Queue.Name"))
    columns = {ours: theirs for ours in COLUMNS if (theirs := _column_of(ours, inner.columns, {}))}
    return _versions(inner, replace(plan, columns=columns))
