"""Redmine 5: issues with their journals by REST, and the CSV export of an issue list.

Follows the vendor's pages "REST API: Issues", "Issue journals", "Users", "Issue statuses" and "Enumerations", and what a
real 5.0.4 server answers.

Reads: issues of every status; from their journals every change of status, assignee, project and priority, with who made
it; comments; relations ("is duplicate of" excludes an issue). A project is the assignment group, so a move to another
project is a reassignment. A custom field becomes a column if `[sources.NAME.fields]` names it, and so do the tracker
and the author (`category = "Tracker"`, `caller = "Author"`): the author is whoever entered an issue, often not who
called, so nothing is a caller unless that says so. Needs the key of a user who may view the issues of the projects
(role with "View issues"; a private note is not needed), and the administrator's setting "Enable REST web service". `filter`
takes parameters of Redmine's own list (`tracker_id=4&project_id=helpdesk`); Redmine ignores one that it does not know.

Limits: Redmine gives the journals of one issue at a time, so a pull asks once for each issue that changed. Everything
that Redmine filters by hides without a word: a wrong key is an anonymous user, so who we are is asked with each page.
A change of relations does not count as a change of the issue: those are compared with the sweep for deleted issues.
Cannot know: why it was on hold beyond the status, escalations, targets. "Resolved" is not "closed": the journals decide,
since `closed_on` stays after a reopening. The CSV has no history and its stamps name no zone, but the user's: with it,
acknowledgements, holds and resolutions are unknown, and closing is known to the minute. Choose UTF-8 in the export's
dialog; the other encoding writes `?` for what it lacks, and each text with one is in `data_issues`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import polars as pl

from etl.incident import (
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
from etl.pull import Answer, Basic, Client, Page, Pull, Token, by_key, by_offset, by_one
from etl.reading import LINE, Export
from etl.shaping import (
    History,
    actor_kind,
    boolean,
    coalesced,
    instant,
    leftovers,
    lookup,
    mapped,
    parts,
    unknown,
)
from etl.sources import Canonical, Options, SourceError, _records
from etl.sources._records import Records, not_there, planned

STATUS: dict[str, str] = {
    "new": "new",
    "neu": "new",
    "in progress": "in_progress",
    "in bearbeitung": "in_progress",
    "feedback": "on_hold",
    "on hold": "on_hold",
    "resolved": "resolved",
    "gelöst": "resolved",
    "closed": "closed",
    "erledigt": "closed",
    "rejected": "cancelled",
    "abgewiesen": "cancelled",
}
"""The statuses that Redmine comes with in English and in German (they are data: a user's language does not change
them), and a common one."""

HOLD_REASON: dict[str, str] = {"feedback": "caller"}
"""Status -> reason; any other hold is `other`."""

PRIORITY: dict[str, int] = {
    "immediate": 1, "urgent": 2, "high": 3, "normal": 4, "low": 5,
    "sofort": 1, "dringend": 2, "hoch": 3, "niedrig": 5,
    "p1": 1, "p2": 2, "p3": 3, "p4": 4, "p5": 5,
}  # fmt: skip
"""The five that Redmine comes with in English and in German, in its own order, and words of a custom field."""

CHANNEL: dict[str, str] = {"phone": "phone", "email": "email", "e-mail": "email", "chat": "chat", "portal": "portal"}
"""Words of a custom field; Redmine itself does not know how an issue was raised."""

ANONYMOUS = ("Anonymous", "Anonym")
"""Behind it may be anybody or anything."""

TRACKER = ("tracker.name", "Tracker")
AUTHOR = ("author.name", "Author", "Autor")
VERSION_AIMED_AT = ("fixed_version.name", "Target version", "Zielversion")

COLUMNS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id", "#"),
    "title": ("subject", "Subject", "Thema"),
    "state": ("status.name", "Status"),
    "priority": ("priority.name", "Priority", "Priorität"),
    "category": ("category.name", "Category", "Kategorie"),
    "assignment_group": ("project.name", "Project", "Projekt"),
    "assignee": ("assigned_to.name", "Assignee", "Zugewiesen an"),
    "parent_id": ("parent.id", "Parent task", "Übergeordnetes Ticket"),
    "opened_at": ("created_on", "Created", "Angelegt"),
    "closed_at": ("closed_on", "Closed", "Geschlossen am"),
    "updated_at": ("updated_on", "Updated", "Aktualisiert"),
}
"""Our field -> the names of its column: in an answer, and in an export for an English and a German user."""

FIELDS: dict[str, tuple[str, ...]] = {
    **COLUMNS,
    "impact": ("Impact",),
    "urgency": ("Urgency",),
    **dict.fromkeys(
        (
            "subcategory",
            "is_major",
            "service",
            "configuration_item",
            "caller",
            "location",
            "channel",
            "tags",
            "problem_id",
            "change_id",
            "resolution_code",
            "occurred_at",
        ),
        (),
    ),
}
"""Our field -> where it is looked for; a custom field without a usual name only if the configuration names it."""

PLAIN = (
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
)
"""Fields that are taken as they are."""

Pages = Callable[[Any], Iterable[Page]]

BUILT_IN = (TRACKER, AUTHOR, VERSION_AIMED_AT, *COLUMNS.values())
"""What a configured field may name by any of its names."""

RELATED = ("Related issues", "Zugehörige Tickets")
DUPLICATE_OF = ("is duplicate of #", "duplikat von #")
"""How the column of relations of an export begins a duplicate."""

CHANGED_BY = {
    "status_id": "state",
    "assigned_to_id": "assignee",
    "project_id": "assignment_group",
    "priority_id": "priority",
}
"""Attribute in a journal -> our field."""
NUMBERED = {
    "status_id": ("statuses", "status"),
    "assigned_to_id": ("people", "user"),
    "project_id": ("projects", "project"),
    "priority_id": ("priorities", "priority"),
}
"""Attribute in a journal -> the stream that names its numbers, and what they number."""
INNER = ("custom_fields", "journals", "relations", "status.is_closed", "gone", "asked_at", "left_the_filter")
"""Columns of an answer that are read piece by piece, or that `fetch` adds."""
ORDER = ("assignment_group", "priority", "assignee", "state")
"""Of several changes in one journal: a status counts for the group that has it afterwards."""

NAMED = ("statuses", "priorities", "projects", "people")
"""Streams that say what numbers are called."""
REFERENCES = ("site", *NAMED, "sweep")

STREAMS = ("issues", "fresh", "gone")
INCLUDED = {"include": "journals,relations"}
OURS_TO_ASK = ("status_id", "updated_on", "issue_id", "sort", "limit", "offset", "include", "key")
"""Parameters that a filter may not have."""
PAGE = 100
"""Redmine caps `limit` silently."""
AT_ONCE = 4

EXAMPLE: dict[str, bytes] = {
    "issues.csv": (
        "\ufeff#;Projekt;Tracker;Übergeordnetes Ticket;Status;Priorität;Thema;Autor;Zugewiesen an;Aktualisiert;Kategorie;"
        "Angelegt;Geschlossen am;Zugehörige Tickets;Impact;Affected Services\n"
        '1;Service Desk;Incident;"";Closed;High;"Mail is down; again";Anna Åström;Béla Kovács;01.03.2026 06:04;Mail;'
        '01.03.2026 03:49;01.03.2026 06:04;"";3 - Low;db01, vpn\n'
        '2;Network;Incident;1;Neu;Normal;New screen;Anna Åström;"";13.03.2026 06:04;"";13.03.2026 06:04;"";'
        "Duplikat von #1;;\n"
    ).encode(),
}
EXAMPLE_OPTIONS: dict[str, Any] = {"timezone": "Europe/Berlin"}


def _journal(id_: int, at: str, *details: tuple[str, str | None, str | None], notes: str = "") -> dict[str, Any]:
    return {
        "id": id_,
        "user": {"id": 6, "name": "Béla Kovács"},
        "notes": notes,
        "created_on": at,
        "private_notes": False,
        "details": [
            {"property": "attr", "name": name, "old_value": before, "new_value": after}
            for name, before, after in details
        ],
    }


EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {
    "site": [{"url": "https://desk.example.com"}],
    "statuses": [
        {"id": 1, "name": "New", "is_closed": False},
        {"id": 2, "name": "In Progress", "is_closed": False},
        {"id": 3, "name": "Resolved", "is_closed": False},
        {"id": 4, "name": "Feedback", "is_closed": False},
    ],
    "priorities": [{"id": 2, "name": "Normal"}, {"id": 3, "name": "High"}],
    "projects": [{"id": 1, "name": "Service Desk"}, {"id": 2, "name": "Network"}],
    "people": [{"id": 6, "name": "Béla Kovács"}],
    "issues": [
        {
            "id": 1,
            "project": {"id": 2, "name": "Network"},
            "tracker": {"id": 4, "name": "Incident"},
            "status": {"id": 3, "name": "Resolved", "is_closed": False},
            "priority": {"id": 3, "name": "High"},
            "author": {"id": 5, "name": "Anna Åström"},
            "assigned_to": {"id": 6, "name": "Béla Kovács"},
            "category": {"id": 1, "name": "Mail"},
            "parent": {"id": 7},
            "subject": "Mail is down",
            "description": "It does not work.",
            "is_private": False,
            "custom_fields": [
                {"id": 1, "name": "Impact", "value": "3 - Low"},
                {"id": 3, "name": "Affected Services", "multiple": True, "value": ["vpn", "db01"]},
            ],
            "created_on": "2026-03-01T16:31:00Z",
            "updated_on": "2026-03-01T19:16:36Z",
            "closed_on": None,
            "relations": [],
            "journals": [
                _journal(86, "2026-03-01T16:39:29Z", ("assigned_to_id", None, "6"), ("status_id", "1", "2")),
                _journal(88, "2026-03-01T16:43:11Z", ("status_id", "2", "4"), notes="Which mail?"),
                _journal(90, "2026-03-01T17:00:00Z", ("status_id", "4", "2"), ("project_id", "1", "2")),
                _journal(92, "2026-03-01T19:16:36Z", ("priority_id", "2", "3"), ("status_id", "2", "3")),
            ],
        }
    ],
}


def whoami(pull: Pull) -> str:
    """Ask Redmine who we are: a wrong key would be an anonymous user elsewhere."""
    user = _who(_client(pull))
    return f"as Redmine user {user.get('login') or user.get('id')}"


def _who(client: Client) -> Mapping[str, Any]:
    document = client.get("users/current.json").document
    if not isinstance(document, Mapping) or not isinstance(document.get("user"), Mapping):
        raise client.error(
            "users/current.json names no user; is `url` the address of a Redmine, and its REST service on?"
        )
    found: Mapping[str, Any] = document["user"]
    return found


def _client(pull: Pull) -> Client:
    if pull.access.password is not None:
        return pull.client(Basic())
    return pull.client(Token("X-Redmine-API-Key", "{}"))


def fetch(pull: Pull) -> None:
    """Pull the issues that changed, each with its journals, and what their numbers are called.

    The watermark is the greatest `updated_on` seen, since Redmine itself does not tell its clock. What was already read
    twice as it is, is not asked for a third time.
    """
    client = _client(pull)
    asked = _filter(pull)

    def keep(stream: str, pages: Pages) -> None:
        pull.keep(stream, lambda start: _as_ourselves(client, pages, start))

    _who(client)
    pull.keep("site", lambda _: [Page([{"url": pull.access.url}], "the configured url", None)])
    keep("statuses", lambda _: _whole(client, "issue_statuses.json", "issue_statuses"))
    keep("priorities", lambda _: _whole(client, "enumerations/issue_priorities.json", "issue_priorities"))
    keep(
        "projects",
        lambda start: by_offset(client, "projects.json", {}, "projects", size=PAGE, total=_total, start=start),
    )
    keep("issues", lambda start: _changed(pull, client, asked, start))
    duplicates = set(pull.state.get("duplicates", ()))
    for issue in pull.kept("issues"):
        (duplicates.add if _is_duplicate(issue) else duplicates.discard)(issue["id"])
    if pull.sweep_is_due:
        keep("sweep", lambda start: _swept(pull, client, asked, start))
        there = {int(issue["id"]): issue for issue in pull.kept("sweep")}
        known = {int(id_) for id_ in pull.known()}
        found = {int(issue["id"]) for issue in pull.kept("issues")}
        # Of an issue that was read in this pull a second reading would be of the same age: the next sweep compares it.
        now = {id_ for id_, issue in there.items() if _is_duplicate(issue) and id_ not in found} | (duplicates & found)
        fresh = sorted((_unread(pull, there, known) - found) | ((now ^ duplicates) & there.keys()))
        missing = sorted(known - there.keys() - found)
        keep("fresh", lambda start: _details(pull, client, [{"id": id_} for id_ in fresh], start))
        keep("gone", lambda start: _details(pull, client, [{"id": id_} for id_ in missing], start, left=True))
        duplicates = now
        pull.swept()
    pull.carry(**_watermark(pull), duplicates=sorted(duplicates))
    keep("people", lambda start: _people(pull, client, start))


def _unread(pull: Pull, there: Mapping[int, Mapping[str, Any]], known: set[int]) -> set[int]:
    """Give what the reader may see and was never read as it is: it was hidden when it was made or changed."""
    seen, mark = _seen(pull), pull.state.get("swept_on")
    border = "" if mark is None else _written(_read(mark) - pull.access.overlap)
    changed = {
        id_
        for id_, issue in there.items()
        if issue["updated_on"] >= border and seen.get(str(id_), [None])[0] != issue["updated_on"]
    }
    return (there.keys() - known) | changed | (there.keys() & set(pull.state.get("hidden", ())))


def _as_ourselves(client: Client, pages: Pages, start: Any) -> Iterator[Page]:
    """Take a page only if the key of its requests still counts afterwards.

    When a key ends, Redmine answers an anonymous user from then on, who sees less, without any error. Only the question
    who we are is refused, and the client then reads the secret again: with another key the page is asked for anew.
    """
    found, resume = iter(pages(start)), start
    while True:
        sent = client.authentication.headers(client)
        page = next(found, None)
        if page is None:
            return
        _who(client)
        if client.authentication.headers(client) == sent:
            yield page
            resume = page.resume
        else:
            found = iter(pages(resume))


def _filter(pull: Pull) -> dict[str, str]:
    given = pull.access.filter or ""
    with suppress(ValueError):
        found = dict(parse_qsl(given, strict_parsing=True)) if given else {}
        if not set(found) & set(OURS_TO_ASK):
            return found
    raise SourceError(
        f"{pull.source}: [sources.{pull.source}] has filter {given!r}; write parameters of Redmine's list of issues such as "
        f"tracker_id=4&project_id=helpdesk, and none of {', '.join(OURS_TO_ASK)}"
    )


def _total(answer: Answer) -> int | None:
    return int(answer.document["total_count"])


def _whole(client: Client, path: str, rows: str) -> Iterator[Page]:
    answer = client.get(path)
    yield Page(answer.document[rows], answer.request, None)


def _changed(pull: Pull, client: Client, asked: Mapping[str, str], start: Any) -> Iterator[Page]:
    """List what changed in the order of its changes, and give each issue whole."""
    since = _since(pull)
    settled = {id_: at for id_, (at, times) in pull.state.get("seen", {}).items() if times > 1}

    def ask(value: str | None, number: int) -> tuple[str, Mapping[str, Any]]:
        changed = {"updated_on": f">={value or since}"} if value or since else {}
        order = {"status_id": "*", "sort": "updated_on:asc,id:asc", "limit": PAGE, "offset": number * PAGE}
        return "issues.json", {**asked, **changed, **order}

    pages = by_key(
        client, ask, "issues", lambda issue: issue["updated_on"], identity=lambda issue: issue["id"], start=start
    )
    for page in pages:
        wanted = [issue for issue in page.records if settled.get(str(issue["id"])) != issue["updated_on"]]
        found = itertools.chain.from_iterable(part.records for part in _details(pull, client, wanted, None))
        yield page._replace(records=list(found))


def _since(pull: Pull) -> str | None:
    told = pull.state.get("updated_on")
    begins = [pull.access.since, None if told is None else _read(told) - pull.access.overlap]
    known = [at for at in begins if at is not None]
    return _written(max(known)) if known else None


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _seen(pull: Pull) -> dict[str, list[Any]]:
    """Give when each issue that was read had last changed, and how often it was read as it is."""
    before: Mapping[str, list[Any]] = pull.state.get("seen", {})
    seen = dict(before)
    for stream in ("issues", "fresh"):
        for issue in pull.kept(stream):
            id_, at = str(issue["id"]), issue.get("updated_on")
            if at is not None:
                seen[id_] = [at, 2 if before.get(id_, [None])[0] == at else 1]
    return seen


def _watermark(pull: Pull) -> dict[str, Any]:
    """Say where the next pull begins, and what it and the next sweep need not read."""
    seen = _seen(pull)
    greatest = max(filter(None, [pull.state.get("updated_on"), *(at for at, _ in seen.values())]), default=None)
    if greatest is None:
        return {}
    swept_on = greatest if "sweep" in pull.records else pull.state.get("swept_on", greatest)
    border = _written(_read(min(greatest, swept_on)) - pull.access.overlap - timedelta(seconds=1))
    rows = itertools.chain(pull.kept("issues"), pull.kept("gone"))
    hidden = {issue["id"] for issue in rows if issue.get("gone") == 403}
    return {
        "updated_on": greatest,
        "swept_on": swept_on,
        "seen": {id_: told for id_, told in sorted(seen.items()) if told[0] >= border},
        "hidden": sorted(hidden if "sweep" in pull.records else hidden | set(pull.state.get("hidden", ()))),
    }


def _details(
    pull: Pull, client: Client, issues: Sequence[Mapping[str, Any]], start: Any, *, left: bool = False
) -> Iterator[Page]:
    """Ask for issues whole; of one that is not there (any more) what is known of it is kept, with the answer's status."""

    def record(issue: Mapping[str, Any], answer: Answer) -> list[Mapping[str, Any]]:
        if answer.document is None and not left and "created_on" not in issue:
            # It came into sight, and went before anything was known of it.
            return []
        if answer.document is None:
            return [{**issue, "gone": answer.status, "asked_at": _written(pull.as_of)}]
        return [{**answer.document["issue"], **({"left_the_filter": True} if left else {})}]

    for at in range(int(start or 0), len(issues), PAGE):
        asked = by_one(
            client,
            issues[at : at + PAGE],
            lambda issue: (f"issues/{issue['id']}.json", INCLUDED),
            record,
            at_once=AT_ONCE,
            forbidden=True,
        )
        answers = list(asked)
        yield Page([row for page in answers for row in page.records], answers[0].request, at + PAGE)


def _swept(pull: Pull, client: Client, asked: Mapping[str, str], start: Any) -> Iterator[Page]:
    """List every number with its relations; what was left out the first time stays out."""
    wanted = {"updated_on": f">={_written(pull.access.since)}"} if pull.access.since is not None else {}
    order = {"status_id": "*", "sort": "id:asc", "include": "relations", "limit": PAGE}

    def ask(value: int | None, number: int) -> tuple[str, Mapping[str, Any]]:
        above = {"issue_id": f">={value}"} if value else {}
        return "issues.json", {**asked, **wanted, **above, **order, "offset": number * PAGE}

    pages = by_key(client, ask, "issues", lambda issue: issue["id"], identity=lambda issue: issue["id"], start=start)
    for page in pages:
        kept = [{name: issue.get(name) for name in ("id", "updated_on", "relations")} for issue in page.records]
        yield page._replace(records=kept)


def _is_duplicate(issue: Mapping[str, Any]) -> bool:
    return any(
        relation.get("relation_type") == "duplicates" and relation.get("issue_id") == issue["id"]
        for relation in issue.get("relations") or ()
    )


def _people(pull: Pull, client: Client, start: Any) -> Iterator[Page]:
    """Name whom journals only number: by the issues themselves where they do, else by asking."""
    names: dict[int, str] = {}
    wanted: set[int] = set()
    for issue in itertools.chain.from_iterable(map(pull.kept, STREAMS)):
        journals = issue.get("journals") or ()
        for person in (issue.get("author"), issue.get("assigned_to"), *(journal.get("user") for journal in journals)):
            if person:
                names[person["id"]] = person["name"]
        for detail in itertools.chain.from_iterable(journal["details"] for journal in journals):
            if detail["name"] == "assigned_to_id":
                wanted |= {int(id_) for id_ in (detail["old_value"], detail["new_value"]) if id_}
    if start is None:
        told = [{"id": id_, "name": names[id_]} for id_ in sorted(wanted & names.keys())]
        yield Page(told, "the names in the issues themselves", 0)

    def record(id_: int, answer: Answer) -> list[Mapping[str, Any]]:
        if answer.document is None:
            return []
        user = answer.document["user"]
        return [{"id": id_, "name": f"{user['firstname']} {user['lastname']}".strip()}]

    # A group has no such page; what it is called is known if an issue is assigned to it now.
    yield from by_one(
        client,
        sorted(wanted - names.keys()),
        lambda id_: (f"users/{id_}.json", {}),
        record,
        start=start,
        at_once=AT_ONCE,
        forbidden=True,
    )


@dataclass(frozen=True)
class Plan(_records.Plan):
    """How one export or stream is read."""

    stream: str | None = None
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Reference stream -> what each number is called."""
    site: str | None = None
    is_lossy: bool = False
    """The encoding lacks characters: Redmine wrote `?` instead."""


def prepare(export: Export, options: Options) -> Plan:
    """Find the columns and, for a pull, what numbers are called.

    Raises:
        SourceError: a needed column or the zone is missing, or a configured field is none.
        StampError: dates that cannot be read without guessing.
    """
    where = f"{options.source}: {export.name}"
    is_file = export.stream is None
    fields = {ours: _labels(options.fields.get(ours), usual) for ours, usual in FIELDS.items()}
    if is_file:
        # A message names what a person sees.
        fields = {ours: (*labels[1:], *labels[:1]) for ours, labels in fields.items()}
    if is_file and options.timezone is None:
        raise SourceError(
            f"{where}: the export's stamps are in the zone of the Redmine user who made it, and do not say which; name it "
            "with --timezone or the key `timezone`"
        )
    for ours in options.fields:
        if is_file and ours in FIELDS and not set(fields[ours]) & set(export.columns):
            raise not_there(export, options, ours)
    found = planned(
        export,
        # Labels are looked up here; planned refuses the fields that there are not.
        replace(options, fields={ours: told for ours, told in options.fields.items() if ours not in FIELDS}),
        fields,
        needed=("incident_id", "state", "opened_at") if is_file else (),
        stamped=("opened_at", "closed_at", "updated_at", "occurred_at") if is_file else None,
    )
    site = next((str(row["url"]).rstrip("/") for row in export.beside.get("site", ())), None)
    return Plan(
        **{**vars(found), "options": options},
        stream=export.stream,
        names={kind: {str(row["id"]): str(row["name"]) for row in export.beside.get(kind, ())} for kind in NAMED},
        site=site,
        is_lossy=export.encoding is not None and not export.encoding.lower().startswith("utf"),
    )


def _labels(told: str | None, usual: Sequence[str]) -> tuple[str, ...]:
    """Give the names that a field may have: a configured one, in every language if Redmine itself has such a column."""
    if told is None:
        return tuple(usual)
    return next((labels for labels in BUILT_IN if told in labels), (told,))


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows: an issue, and of a pull its journals.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    chunk = _unfolded(chunk)
    history = History(plan.file)
    if plan.is_pulled:
        for row in chunk.iter_rows(named=True):
            _tell(row, plan, history)
    events = history.events
    kinds = actor_kind(events["actor"], plan.options.automation)
    kinds = kinds.set(events["actor"].is_in(ANONYMOUS).fill_null(value=False), "unknown")
    read = _versions(chunk, plan)
    return read._replace(
        events=events.with_columns(kinds.alias("actor_kind")), rejected=pl.concat([read.rejected, history.rejected])
    )


def _tell(row: Mapping[str, Any], plan: Plan, history: History) -> None:
    """Tell what happened to an issue by its journals: how it began follows from its first changes."""
    id_ = row["id"]
    if row.get("gone") in ("404", "410"):
        history.add(id_, f"{id_}-gone", instant(row["asked_at"]), "deleted")
    if row.get("gone") is not None:
        # How it began follows from its journals, which nobody shows any more.
        return
    words: dict[str, tuple[str, Callable[[str], object], Iterable[str], Sequence[object]]] = {
        "state": ("status", lookup(STATUS, plan.options.status), STATUS, STATES),
        "priority": ("priority", lookup(PRIORITY, plan.options.priority), PRIORITY, PRIORITIES),
    }
    reason_of = lookup(HOLD_REASON, plan.options.hold_reason)
    customs = {str(custom["id"]): custom["name"] for custom in json.loads(row.get("custom_fields") or "[]")}
    began = {ours: next((row[name] for name in plan.columns[ours] if row.get(name)), None) for ours in ORDER}
    is_changed: set[str] = set()
    for journal in sorted(json.loads(row.get("journals") or "[]"), key=lambda journal: journal["id"]):
        by = (journal.get("user") or {}).get("name")
        at = instant(journal["created_on"])
        told = [(_changed_field(detail, customs, plan), detail) for detail in journal["details"]]
        told.sort(key=lambda pair: ORDER.index(pair[0]) if pair[0] in ORDER else len(ORDER))
        for place, (ours, detail) in enumerate(told):
            before, after = (_named(detail, key, plan) for key in ("old_value", "new_value"))
            if ours is not None and ours not in is_changed:
                began[ours] = before
                is_changed.add(ours)
            group = reason = None
            if ours in words:
                kind, find, known, choices = words[ours]
                strange = next((word for word in (before, after) if word is not None and find(word) is None), None)
                if strange is not None:
                    why = unknown(plan.options.source, kind, known, choices, strange)
                    history.reject(row[LINE], id_, "journals", strange, why, {**journal, "details": [detail]})
                    continue
                reason = (
                    (found if (found := reason_of(after or "")) in HOLD_REASONS else "other")
                    if ours == "state"
                    else None
                )
                before, after = (None if word is None else str(find(word)) for word in (before, after))
            if ours == "state":
                happened = state_change(before, after or "")
            elif ours == "assignment_group":
                happened, group = "group_assigned", after
            else:
                happened = {"assignee": "assigned", "priority": "priority"}.get(ours or "", "other")
            history.add(
                id_,
                f"{journal['id']}-{detail['property']}-{detail['name']}-{place}",
                at,
                happened,
                sequence=journal["id"] * 100 + place,
                before=before,
                after=after,
                hold_reason=str(reason) if happened == "held" else None,
                actor=by,
                assignment_group=group,
            )
        if journal.get("notes"):
            sequence = journal["id"] * 100 + len(told)
            history.add(id_, f"{journal['id']}-notes", at, "commented", sequence=sequence, actor=by)
    author, at = row.get("author.name"), instant(row["created_on"])
    first = words["state"][1](began["state"] or "")
    history.add(
        id_,
        f"{id_}-opened",
        at,
        "opened",
        after=None if first is None else str(first),
        actor=author,
        assignment_group=began["assignment_group"],
    )
    if began["assignee"] is not None:
        history.add(id_, f"{id_}-assigned", at, "assigned", sequence=1, after=began["assignee"], actor=author)


def _changed_field(detail: Mapping[str, Any], customs: Mapping[str, str], plan: Plan) -> str | None:
    """Name our field that an entry of a journal changes; None if it is none whose changes count."""
    told = plan.options.fields
    if detail["property"] == "cf":
        name = customs.get(str(detail["name"]))
        return next((ours for ours in ORDER if name is not None and told.get(ours) == name), None)
    ours = CHANGED_BY.get(detail["name"]) if detail["property"] == "attr" else None
    return ours if ours is None or told.get(ours) is None or told[ours] in COLUMNS[ours] else None


def _named(detail: Mapping[str, Any], key: str, plan: Plan) -> str | None:
    """Give a value of a journal's entry by its name; what cannot be named stays a number."""
    value = detail.get(key)
    if value in (None, "") or detail["name"] == "description":
        return None
    stream, what = NUMBERED.get(detail["name"], ("", "")) if detail["property"] == "attr" else ("", "")
    return plan.names[stream].get(str(value), f"{what} {value}") if stream else str(value)


def _unfolded(chunk: pl.DataFrame) -> pl.DataFrame:
    """Give each custom field of an answer a column of its name, as an export does; several values stand in lines."""
    if "custom_fields" not in chunk.columns:
        return chunk
    rows: list[dict[str, str | None]] = [
        {custom["name"]: _text(custom.get("value")) for custom in json.loads(value or "[]")}
        for value in chunk["custom_fields"]
    ]
    names = sorted({name for row in rows for name in row})
    return chunk.with_columns(
        pl.Series(
            f"custom_fields.{name}" if name in chunk.columns else name, [row.get(name) for row in rows], dtype=pl.String
        )
        for name in names
    )


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return "\n".join(map(str, value)) or None
    return None if value in (None, "") else str(value)


def _versions(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Read issues. One that was gone before anything else was known of it has no version."""
    asked = Records(chunk, plan, "issue")
    asked.verdicts.note(
        coalesced(chunk, ("gone",)) == "403",
        "no_longer_visible",
        "id",
        asked.ids,
        "The reader may not see this issue any more; what is known of it stays as it was",
    )
    asked.verdicts.note(
        coalesced(chunk, ("left_the_filter",)) == "true",
        "outside_the_filter",
        "id",
        asked.ids,
        "The configured filter does not find this issue any more; it is read again at each sweep",
    )
    chunk = chunk.filter(coalesced(chunk, ("gone",)).is_null() | asked.text("opened_at").is_not_null())
    issue = Records(chunk, plan, "issue")
    closed_at = issue.stamp("closed_at")
    frame = pl.DataFrame(
        {
            "incident_id": issue.ids,
            "url": issue.nothing() if plan.site is None else f"{plan.site}/issues/" + issue.ids,
            **issue.classified(issue.text, STATUS, PRIORITY, CHANNEL),
            **{name: issue.text(name) for name in PLAIN},
            "is_major": boolean(issue.text("is_major")),
            "services": _listed(issue.text("service"), plan),
            "tags": _listed(issue.text("tags"), plan),
            "occurred_at": issue.stamp("occurred_at"),
            "opened_at": issue.stamp("opened_at", needed=True),
            "updated_at": issue.stamp("updated_at"),
            # An export has no history from which to derive one.
            "reports_acknowledgement": pl.repeat(
                False if plan.is_pulled else None, chunk.height, dtype=pl.Boolean(), eager=True
            ),
            "attributes": leftovers(chunk, _placed(chunk, plan)),
        }
    )
    excluded = mapped(frame["resolution_code"], lookup({}, plan.options.excluded), pl.String())
    # Whoever maps a closed status to `resolved` means the stamp of closing; of an answer the journals tell it.
    closes = mapped(issue.text("state"), lookup(STATUS, {}), pl.String()) == "closed"
    frame = frame.with_columns(
        # That stamp stays after a reopening.
        pl.when(pl.col("state").is_in(["closed", "cancelled"])).then(closed_at).alias("closed_at"),
        pl.when(pl.lit(not plan.is_pulled) & (pl.col("state") == "resolved") & closes)
        .then(closed_at)
        .alias("resolved_at"),
        pl.when(_is_duplicate_of(chunk))
        .then(pl.lit("duplicate"))
        .when(pl.col("state") == "cancelled")
        .then(pl.lit("cancelled"))
        .otherwise(excluded)
        .alias("excluded_as"),
    )
    for name in PLAIN if plan.is_lossy else ():
        issue.verdicts.note(
            frame[name].str.contains("?", literal=True),
            "lost_characters",
            issue.named(name),
            frame[name],
            "The export's encoding lacks some characters and has '?' for them; choose UTF-8 in the export's dialog",
        )
    return Canonical(
        conform(frame.filter(issue.verdicts.good), VERSION),
        pl.DataFrame(schema=schema(SNAPSHOT)),
        pl.DataFrame(schema=schema(GIVEN_EVENT)),
        issue.verdicts.rejected,
        pl.concat([asked.verdicts.issues, issue.verdicts.issues]),
    )


def _listed(values: pl.Series, plan: Plan) -> pl.Series:
    """Read several values; Redmine gives them in an order of its own, which is another one in an export."""
    return parts(values, "\n" if plan.is_pulled else ", ").list.sort()


def _is_duplicate_of(chunk: pl.DataFrame) -> pl.Series:
    """Tell which issues are duplicates of another: by an answer's relations, or by the words of an export."""

    def read(id_: str, value: str | None) -> bool:
        if value is None:
            return False
        if value.startswith("["):
            return any(
                relation["relation_type"] == "duplicates" and str(relation["issue_id"]) == id_
                for relation in json.loads(value)
            )
        return any(part.strip().lower().startswith(DUPLICATE_OF) for part in value.split(","))

    related = coalesced(chunk, ("relations", *RELATED))
    ids = coalesced(chunk, COLUMNS["incident_id"])
    return pl.Series([read(*pair) for pair in zip(ids, related, strict=True)], dtype=pl.Boolean)


def _placed(chunk: pl.DataFrame, plan: Plan) -> set[str]:
    """Name the columns that have a place elsewhere; the number of what has a name says nothing."""
    named = {f"{name.removesuffix('.name')}.id" for name in chunk.columns if name.endswith(".name")}
    return {name for names in plan.columns.values() for name in names} | named | {*INNER, *RELATED}
