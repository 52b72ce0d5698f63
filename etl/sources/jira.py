"""Jira and Jira Service Management: Cloud and Data Center by their REST interfaces, and the CSV export of a list.

Follows the vendor's documents "The Jira Cloud platform REST API" (v3: `/search/jql`, `/changelog/bulkfetch`), "Jira
Server platform REST API reference" (v2: `/search` with `expand=changelog`), "Jira Service Management REST API"
(`/request/{key}/sla`), and the CSV as the issue navigator writes it. The interfaces were tested against a stand-in that
is written from these, never against the vendor's own servers.

Reads: issues, their whole change log (state, assignee, priority, group; who did it, and whether that was an app), and the
verdicts on the SLA "Time to resolution" (`fields.sla_met` names another, or a custom field). Cloud takes `user` (an
e-mail address) and `token`; Data Center a personal access token as `token`, or `user` and `password`. `filter` is JQL: by
project or issue type, not by what changes, since an issue that leaves it stays here as it was.

Needs the right to browse the projects; SLAs need an agent of the service desk, and are unknown to others. Limits: JQL
reads dates in the zone of the user whose token it is, to the minute, and Cloud's search shows a change some minutes late:
leave `overlap_minutes` at 15 or more. SLAs cost a request for each request that changed. The CSV has no history, and its
zone is that of the person who exported it.

Cannot know: comments (no change log has them), escalations (Jira records none), the channel and the assignment group
unless a custom field has them, a breach of an open issue before its next change. A deleted issue is just absent: ids are
compared every `sweep_hours`, and what the user may no longer see counts as deleted, too, until it is seen to change
again. A moved issue has a new key: the old one is excluded as a duplicate.

An instance's own words are mapped under `[sources.NAME.status]`, `.priority`, `.channel`, `.hold_reason`, `.excluded`;
custom fields are named under `.fields` by id or name, as `service = "customfield_10042"` or, of a CSV,
`channel = "Custom field (Channel)"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from etl import stamps
from etl.incident import (
    CHANNELS,
    PRIORITIES,
    STATES,
    VERSION,
    conform,
    state_change,
)
from etl.pull import Answer, Basic, Client, Page, Pull, Token, by_key, by_one, by_token
from etl.reading import LINE, Export
from etl.shaping import (
    History,
    Verdicts,
    actor_kind,
    coalesced,
    instant,
    integer,
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
from etl.sources import Canonical, Options
from etl.sources._records import check_fields, lacking, meaning, not_there

STATUS: dict[str, str] = {
    "open": "new",
    "new": "new",
    "to do": "new",
    "backlog": "new",
    "selected for development": "new",
    "waiting for support": "new",
    "in progress": "in_progress",
    "work in progress": "in_progress",
    "under investigation": "in_progress",
    "in review": "in_progress",
    "escalated": "in_progress",
    "reopened": "in_progress",
    "waiting for customer": "on_hold",
    "pending": "on_hold",
    "on hold": "on_hold",
    "blocked": "on_hold",
    "resolved": "resolved",
    "done": "resolved",
    "completed": "resolved",
    "closed": "closed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "declined": "cancelled",
}
"""The statuses of the vendor's own workflows; "Reopened" of the classic one is work again."""

HOLD_REASON: dict[str, str] = {"waiting for customer": "caller"}
"""Status -> why it is on hold; another held status says `other`."""

PRIORITY: dict[str, int] = {
    "highest": 1,
    "high": 2,
    "medium": 3,
    "low": 4,
    "lowest": 5,
    "blocker": 1,
    "critical": 2,
    "major": 3,
    "minor": 4,
    "trivial": 5,
}
"""The scheme of today and the classic one."""

CHANNEL: dict[str, str] = {
    "portal": "portal",
    "anonymousportal": "portal",
    "widget": "portal",
    "email": "email",
    "chat": "chat",
    "slack": "chat",
    "teams": "chat",
    "phone": "phone",
    "api": "api",
    "jira": "other",
}

EXCLUDED: dict[str, str] = {"duplicate": "duplicate"}
"""Resolutions that say the issue was no incident of its own."""

AUTOMATION = ("automation for jira", "jira automation", "jira service management widget", "system")
"""Names of the vendor's own actors; Cloud says `accountType: app` besides."""

REFERENCES = ("fields", "sla", "sweep")

READING = {"repeated_columns": "list"}
"""The CSV has a column of one name for each label, component and watcher."""

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("issue key", "key"),
    "external_id": ("issue id", "id"),
    "title": ("summary", "fields.summary"),
    "state": ("status", "fields.status.name"),
    "hold_reason": (),
    "priority": ("priority", "fields.priority.name"),
    "category": ("issue type", "fields.issuetype.name"),
    "subcategory": (),
    "impact": (),
    "urgency": (),
    "is_major": (),
    "service": ("component/s", "components", "fields.components"),
    "configuration_item": (),
    "assignment_group": (),
    "assignee": ("assignee", "fields.assignee.displayname"),
    "caller": ("reporter", "fields.reporter.displayname"),
    "location": (),
    "channel": (),
    "tags": ("labels", "fields.labels"),
    "parent_id": ("parent key", "fields.parent.key"),
    "problem_id": (),
    "change_id": (),
    "resolution_code": ("resolution", "fields.resolution.name"),
    "occurred_at": (),
    "opened_at": ("created", "fields.created"),
    "acknowledged_at": (),
    "resolved_at": ("resolved", "fields.resolutiondate"),
    "closed_at": (),
    "updated_at": ("updated", "fields.updated"),
    "sla_met": (),
}
"""Our field -> the CSV's label and the place in the JSON, in lower case; those without one come by configuration."""

STAMPS = ("occurred_at", "opened_at", "acknowledged_at", "resolved_at", "closed_at", "updated_at")
TEXTS = (
    "external_id",
    "title",
    "category",
    "subcategory",
    "impact",
    "urgency",
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
API_STAMP = stamps.decide(pl.DataFrame({"": ["2024-01-15T10:30:00.000+0000"]}), [""])[""]
CONTENT = ("", ".value", ".name", ".displayname", ".completedcycles")
"""Where the JSON of a custom field has what it says."""

EXAMPLE: dict[str, bytes] = {
    "issues.csv": (
        b"Summary,Issue key,Issue id,Issue Type,Status,Priority,Resolution,Assignee,Reporter,Created,Updated,Resolved,Labels,Labels\n"
        b'"Card declined,\nthen charged",SUP-7,10007,Incident,Resolved,High,Done,Ann,Bob,29/Jan/24 09:15,30/Jan/24 10:00,30/Jan/24 10:00,vip,eu\n'
        b"Cart is empty,SUP-8,10008,Incident,Waiting for customer,Low,,Ann,Cem,29/Jan/24 11:00,29/Jan/24 12:00,,,\n"
    ),
    "issues.json": json.dumps(
        {
            "issues": [
                {
                    "id": "10007",
                    "key": "SUP-7",
                    "self": "https://example.atlassian.net/rest/api/3/issue/10007",
                    "fields": {
                        "summary": "Card declined",
                        "status": {"name": "Resolved", "statusCategory": {"key": "done"}},
                        "priority": {"name": "High"},
                        "issuetype": {"name": "Incident"},
                        "components": [{"id": "1", "name": "Payments"}],
                        "labels": ["vip"],
                        "assignee": {"accountId": "a1", "displayName": "Ann", "accountType": "atlassian"},
                        "reporter": {"accountId": "c1", "displayName": "Bob", "accountType": "customer"},
                        "creator": {"accountId": "c1", "displayName": "Bob", "accountType": "customer"},
                        "created": "2024-01-29T09:15:00.000+0100",
                        "updated": "2024-01-30T10:00:00.000+0100",
                        "resolutiondate": "2024-01-30T10:00:00.000+0100",
                        "resolution": {"name": "Done"},
                    },
                    "changelog": {
                        "startAt": 0,
                        "maxResults": 2,
                        "total": 2,
                        "histories": [
                            {
                                "id": "900",
                                "author": {"accountId": "a1", "displayName": "Ann", "accountType": "atlassian"},
                                "created": "2024-01-29T09:40:00.000+0100",
                                "items": [
                                    {
                                        "field": "status",
                                        "fieldId": "status",
                                        "fromString": "Open",
                                        "toString": "In Progress",
                                    },
                                    {"field": "assignee", "fieldId": "assignee", "fromString": None, "toString": "Ann"},
                                ],
                            },
                            {
                                "id": "901",
                                "author": {"accountId": "a1", "displayName": "Ann", "accountType": "atlassian"},
                                "created": "2024-01-30T10:00:00.000+0100",
                                "items": [
                                    {
                                        "field": "status",
                                        "fieldId": "status",
                                        "fromString": "In Progress",
                                        "toString": "Resolved",
                                    }
                                ],
                            },
                        ],
                    },
                }
            ]
        }
    ).encode(),
    "changelogs.json": json.dumps(
        {
            "issueChangeLogs": [
                {
                    "issueId": "10007",
                    "changeHistories": [
                        {
                            "id": "900",
                            "author": {"accountId": "a1", "displayName": "Ann", "accountType": "atlassian"},
                            "created": 1706517600000,
                            "items": [
                                {
                                    "field": "status",
                                    "fieldId": "status",
                                    "fromString": "Open",
                                    "toString": "In Progress",
                                }
                            ],
                        }
                    ],
                }
            ]
        }
    ).encode(),
}
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {
    "issues": json.loads(EXAMPLE["issues.json"])["issues"],
    "histories": json.loads(EXAMPLE["changelogs.json"])["issueChangeLogs"],
    "sla": [{"issue": "SUP-7", "name": "Time to resolution", "completedCycles": [{"breached": False}]}],
    "missing": [{"key": "SUP-6", "found": None, "at": "2024-01-30T10:00:00Z"}],
}
EXAMPLE_OPTIONS: dict[str, str] = {"timezone": "Europe/Berlin"}


PAGE = 100
SWEPT = 1000
"""Issues of a page with next to nothing of each; Cloud gives more of those at once, and fewer where it likes."""
BATCH = 500
"""Issues whose change logs are asked for at once; the interface takes 1,000."""
ASKED = (
    "summary",
    "status",
    "priority",
    "issuetype",
    "project",
    "components",
    "labels",
    "assignee",
    "reporter",
    "creator",
    "created",
    "updated",
    "resolutiondate",
    "resolution",
    "parent",
)
BARE = ("created",)
RESOLUTION_TARGET = "time to resolution"
"""The SLA that is a verdict on the resolution; `fields.sla_met` may name another."""


def whoami(pull: Pull) -> str:
    """Say as whom the token is accepted."""
    return str(_myself(_client(pull)).get("displayName"))


def _client(pull: Pull) -> Client:
    """Cloud knows e-mail address and API token, Data Center a personal access token."""
    if pull.access.user is not None:
        return pull.client(Basic(secret="token" if pull.access.password is None else "password"))
    return pull.client(Token("Authorization", "Bearer {}"))


def _myself(client: Client) -> dict[str, Any]:
    answer = client.get("rest/api/2/myself")
    if not isinstance(answer.document, dict) or "timeZone" not in answer.document:
        raise client.error(f"{answer.request} does not say who we are; is `url` the address of a Jira?")
    return answer.document


@dataclass(frozen=True)
class _Search:
    """How issues are searched for, in Cloud or Data Center."""

    client: Client
    is_cloud: bool
    zone: ZoneInfo
    """In which JQL reads dates."""
    filter: str | None
    fields: tuple[str, ...]
    page: int
    """The number of issues that an answer has at most."""

    def changed(self, since: datetime | None) -> str:
        """Write JQL that is bounded, as Cloud wants it, in an order that no update changes."""
        own = re.sub(r"(?i)\border\s+by\b.*$", "", self.filter or "").strip()
        bound = f"updated >= {_minute(_bound(since or datetime(1971, 1, 1), self.zone), self.zone)}"
        return f"{f'({own}) AND ' if own else ''}{bound} ORDER BY created ASC, key ASC"

    def pages(self, jql: str, fields: tuple[str, ...], start: Any) -> Iterator[Page]:
        """Search: Cloud by the token of `/search/jql`; Data Center by the creation of the last issue seen.

        A number of rows to skip would miss an issue whenever an earlier one is deleted meanwhile.
        """
        if self.is_cloud:
            size = SWEPT if fields == BARE else self.page
            document = {"jql": jql, "fields": list(fields), "maxResults": size}
            return by_token(
                self.client, "rest/api/3/search/jql", document, "issues",
                start=start, name="nextPageToken", token=self._next, post=True,
            )  # fmt: skip

        def ask(created: str | None, number: int) -> tuple[str, dict[str, Any]]:
            at = instant(created)
            after = f"created >= {_minute(at, self.zone)} AND " if at else ""
            # With `number`, the same bound is asked for page by page.
            paged = {"startAt": number * self.page, "maxResults": self.page}
            return "rest/api/2/search", {**self.one(fields), "jql": f"{after}{jql}", **paged}

        def minute(record: Mapping[str, Any]) -> str:
            created = instant(record["fields"]["created"])
            if created is None:
                raise self.client.error(
                    f"issue {record.get('key')}: created {record['fields']['created']!r} is no stamp"
                )
            return f"{_bound(created, self.zone).isoformat()}Z"

        return by_key(self.client, ask, "issues", minute, identity=lambda record: record["id"], start=start)

    def one(self, fields: tuple[str, ...]) -> dict[str, str]:
        """Say what is wanted of an issue; Data Center gives its change log with it."""
        return {"fields": ",".join(fields), **({} if self.is_cloud or fields == BARE else {"expand": "changelog"})}

    def _next(self, answer: Answer) -> str | None:
        # A token that was revoked makes some instances answer like a site that everybody may read: with 200, and less.
        if "FAILED" in answer.headers.get("X-Seraph-LoginReason", ""):
            raise self.client.error(f"{answer.request} answered as to nobody in particular; check user and token")
        token = answer.document.get("nextPageToken")
        if not token and answer.document.get("isLast") is False:
            raise self.client.error(f"{answer.request} says that more follows, but not how to get it")
        return str(token) if token else None


def _bound(at: datetime, zone: ZoneInfo) -> datetime:
    """The whole minute up to a UTC instant whose local reading nobody can mistake: before clocks went back, if need be."""
    at = at.replace(second=0, microsecond=0)
    while True:
        local = at.replace(tzinfo=UTC).astimezone(zone)
        if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
            return at
        at -= timedelta(minutes=1)


def _minute(at: datetime, zone: ZoneInfo) -> str:
    """JQL reads a date in the user's zone, to the minute."""
    return f'"{at.replace(tzinfo=UTC).astimezone(zone):%Y/%m/%d %H:%M}"'


def fetch(pull: Pull) -> None:
    """Pull the issues that changed, their change logs and SLAs; now and then compare the ids that there are."""
    client = _client(pull)
    is_cloud = client.get("rest/api/2/serverInfo").document.get("deploymentType") == "Cloud"
    zone = ZoneInfo(_myself(client)["timeZone"])
    pull.keep("fields", lambda _: _named_fields(client, pull.options))
    told = _resolved(pull.options, list(pull.kept("fields"))).fields
    custom = {name for field, name in told.items() if field != "sla_met" or name.startswith("customfield_")}
    page = PAGE if is_cloud else _granted(client)
    search = _Search(client, is_cloud, zone, pull.access.filter, (*ASKED, *sorted(custom)), page)
    changed = search.changed(pull.since)
    pull.keep("issues", lambda start: search.pages(changed, search.fields, start))
    if pull.sweep_is_due:
        _sweep(pull, search)
    records = sorted({*_brief(pull.kept("issues")), *_brief(pull.kept("appeared"))})
    if is_cloud:
        ids = [str(id_) for id_, _, _ in records]
        pull.keep("histories", lambda start: _histories(client, ids, start))
    target = told.get("sla_met", RESOLUTION_TARGET)
    if not target.startswith("customfield_"):
        keys = [key for _, key, kind in records if kind == "service_desk"]
        pull.keep("sla", lambda start: _slas(client, keys, target.lower(), start))


def _named_fields(client: Client, options: Options) -> Iterator[Page]:
    """Keep id and name of the fields that the configuration names by either."""
    wanted = {name.lower() for name in options.fields.values()}
    if wanted:
        answer = client.get("rest/api/2/field")
        found = [{"id": str(field["id"]), "name": str(field["name"])} for field in answer.document or ()]
        kept = [field for field in found if wanted & {field["id"].lower(), field["name"].lower()}]
        sla = options.fields.get("sla_met", "").lower()
        lost = sorted(wanted - {sla} - {name.lower() for field in kept for name in field.values()})
        if lost:
            names = [name for field in found for name in (field["id"], field["name"])]
            raise client.error(
                f"[sources.{options.source}.fields] names '{lost[0]}', which is no field of this Jira{nearest(lost[0], names)}"
            )
        yield Page(kept, answer.request, None)


def _resolved(options: Options, fields: Iterable[Mapping[str, Any]]) -> Options:
    """Give the options with ids in the place of fields' names; an SLA keeps its name."""
    ids = {field["name"].lower(): field["id"] for field in fields}
    named = {ours: name if ours == "sla_met" else ids.get(name.lower(), name) for ours, name in options.fields.items()}
    return replace(options, fields=named)


def _granted(client: Client) -> int:
    """Data Center cuts a page to what its administrator allows, and says so."""
    answer = client.get("rest/api/2/search", {"fields": "created", "maxResults": PAGE})
    return min(int(answer.document.get("maxResults") or PAGE), PAGE)


def _sweep(pull: Pull, search: _Search) -> None:
    """Ask what became of issues that a search no longer finds, and for those that it finds only now."""
    everything = search.changed(pull.access.since)
    pull.keep("sweep", lambda start: search.pages(everything, BARE, start))
    there, known = {record["key"] for record in pull.kept("sweep")}, pull.known()
    if known and not there:
        raise search.client.error(
            f"finds none of our {len(known)} issues any more; check `filter` and the user's rights"
        )
    missing = sorted(known - there)
    at = f"{pull.as_of.isoformat()}Z"

    def became(key: str, answer: Answer) -> list[dict[str, Any]]:
        return [{"key": key, "found": answer.document["key"] if answer.document else None, "at": at}]

    def issue(_: str, answer: Answer) -> list[dict[str, Any]]:
        return [answer.document] if answer.document else []

    def asked(fields: tuple[str, ...]) -> Any:
        return lambda key: (f"rest/api/2/issue/{key}", search.one(fields))

    pull.keep("missing", lambda start: by_one(search.client, missing, asked(BARE), became, start=start))
    appeared = sorted(there - known - {key for _, key, _ in _brief(pull.kept("issues"))})
    pull.keep("appeared", lambda start: by_one(search.client, appeared, asked(search.fields), issue, start=start))
    pull.swept()


def _brief(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, str, str]]:
    """Give id, key and the kind of project of issues."""
    for record in records:
        project = record["fields"].get("project") or {}
        yield int(record["id"]), record["key"], project.get("projectTypeKey") or ""


def _histories(client: Client, ids: list[str], start: Any) -> Iterator[Page]:
    """Ask for the change logs of many issues at once; one issue's may go over several pages."""
    at, token = start or (0, None)
    while at < len(ids):
        asked = {"issueIdsOrKeys": ids[at : at + BATCH], "maxResults": 1000}
        answer = client.post("rest/api/3/changelog/bulkfetch", {**asked, **({"nextPageToken": token} if token else {})})
        token = answer.document.get("nextPageToken")
        if not token:
            at += BATCH
        yield Page(answer.document.get("issueChangeLogs") or [], answer.request, [at, token])


def _slas(client: Client, keys: list[str], target: str, start: Any) -> Iterator[Page]:
    """Ask for the SLAs of each request; an issue that is no request (404), or not ours as an agent (403), has none."""

    def targets(key: str, answer: Answer) -> list[dict[str, Any]]:
        if answer.document is None:
            return []
        if answer.document.get("isLastPage") is False:
            raise client.error(
                f"{answer.request} has more SLAs than fit a page; name the SLA's field in `fields.sla_met`"
            )
        return [{"issue": key, **sla} for sla in answer.document["values"] if str(sla.get("name")).lower() == target]

    def ask(key: str) -> tuple[str, dict[str, int]]:
        return f"rest/servicedeskapi/request/{key}/sla", {"limit": PAGE}

    return by_one(client, keys, ask, targets, start=start, at_once=4, forbidden=True)


@dataclass(frozen=True)
class Plan:
    """How one export is read."""

    file: str
    options: Options
    formats: Mapping[str, stamps.Format]
    zone: str
    stream: str | None
    """Issues, histories or missing; None for issues in a file."""
    targets: Mapping[str, bool]
    """Issue -> the verdict on its resolution targets, where it is final."""
    group_names: frozenset[str] = frozenset()
    """What a change log may call the field that holds the assignment group."""
    knows_resolving: bool = True

    @property
    def where(self) -> str:
        """Source and file, for messages."""
        return f"{self.options.source}: {self.file}"


def prepare(export: Export, options: Options) -> Plan:
    """See which of Jira's shapes this is, and how its stamps are written.

    Raises:
        SourceError: a needed column is missing, or a configured field is none.
        StampError: dates that cannot be read without guessing.
    """
    where = f"{options.source}: {export.name}"
    check_fields(options, FIELDS)
    known = export.beside.get("fields", [])
    options = _resolved(options, known)
    group = options.fields.get("assignment_group", "").lower()
    groups = frozenset({group, *(field["name"].lower() for field in known if field["id"] == group)} - {""})
    if "changeHistories" in export.columns:
        return Plan(export.name, options, {}, "UTC", "histories", {}, groups, knows_resolving=False)
    if export.stream == "missing":
        return Plan(export.name, options, {}, "UTC", "missing", {}, knows_resolving=False)
    columns = _columns(export.columns, options)
    is_csv = not any(column.startswith("fields.") for column in export.columns)
    for field, label in (("incident_id", "Issue key"), ("state", "Status"), ("opened_at", "Created")):
        if not columns[field]:
            raise lacking(export, options, field, label)
    for field in options.fields:
        if is_csv and not columns[field]:
            raise not_there(export, options, field)
    stamped = [column for field in STAMPS for column in columns[field]] if is_csv else []
    formats = stamps.decide(export.head(), stamped, export.chunks(), told=options.date_format, where=where)
    zone = stamps.check_zone(options.timezone or "UTC")
    return Plan(export.name, options, formats, zone, export.stream, _targets(export.beside.get("sla", ())), groups)


def _columns(names: list[str], options: Options) -> dict[str, list[str]]:
    """Find the columns of each field; JSON leaves out what is empty, so a chunk may have fewer than another."""
    spelled = {name.lower(): name for name in reversed(names)}
    found = {}
    for field, usual in FIELDS.items():
        told = options.fields.get(field)
        wanted = usual
        if told is not None:
            bases = (told.lower(), f"fields.{told.lower()}", f"custom field ({told.lower()})")
            wanted = tuple(f"{base}{content}" for base in bases for content in CONTENT)
        found[field] = [spelled[name] for name in wanted if name in spelled]
    if not found["incident_id"] and "incident_id" not in options.fields:
        # An export whose columns were picked by hand may lack the key.
        found["incident_id"] = found["external_id"]
    return found


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    if plan.stream == "histories":
        return _changelogs(chunk, plan)
    if plan.stream == "missing":
        return _missing(chunk, plan)
    return _issues(chunk, plan)


def _issues(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    options = plan.options
    columns = _columns(chunk.columns, options)
    first = {field: names[0] if names else None for field, names in columns.items()}

    def text(field: str) -> pl.Series:
        return coalesced(chunk, columns[field])

    ids = text("incident_id").str.strip_chars().replace("", None)
    verdicts = Verdicts(chunk, plan.file, ids)
    verdicts.reject(ids.is_null(), first["incident_id"], "the issue's key is missing")
    made: dict[str, pl.Series] = {field: text(field) for field in TEXTS}
    for field in STAMPS:
        made[field] = _stamp(verdicts, chunk, plan, field, columns[field])
    source_state = text("state")
    verdicts.reject(source_state.is_null(), first["state"], "the status is missing")
    state = translated(
        verdicts, source_state, first["state"],
        source=options.source, kind="status", known=STATUS, told=options.status, choices=STATES, dtype=pl.String(),
    )  # fmt: skip
    source_priority = text("priority")
    priority = translated(
        verdicts, source_priority, first["priority"],
        source=options.source, kind="priority", known=PRIORITY, told=options.priority, choices=PRIORITIES, dtype=pl.Int8(),
    )  # fmt: skip
    source_channel = text("channel")
    channel = translated(
        verdicts, source_channel, first["channel"],
        source=options.source, kind="channel", known=CHANNEL, told=options.channel, choices=CHANNELS, dtype=pl.String(),
    )  # fmt: skip
    excluded = mapped(made["resolution_code"], lookup(EXCLUDED, options.excluded), pl.String())
    used = {column for names in columns.values() for column in names}
    used |= {"self", "expand", *(column for column in chunk.columns if column.startswith("changelog."))}
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
            "is_major": mapped(text("is_major"), _said_yes, pl.Boolean()),
            "sla_met": _sla_met(chunk, columns["sla_met"]).fill_null(
                pl.Series([plan.targets.get(number) for number in ids], dtype=pl.Boolean)
            ),
            "url": _address(coalesced(chunk, ["self"]), ids),
            "reports_acknowledgement": pl.repeat("acknowledged_at" in options.fields, chunk.height, eager=True),
            "version_number": pl.repeat(None, chunk.height, dtype=pl.Int64, eager=True),
        }
    ).with_columns(
        pl.when(pl.col("state") == "cancelled").then(pl.lit("cancelled")).otherwise(excluded).alias("excluded_as")
    )
    frame = frame.with_columns(leftovers(chunk, used).alias("attributes")).filter(verdicts.good)
    history = History(plan.file)
    if "changelog.histories" in chunk.columns:
        _note_cut_off(verdicts, chunk)
    if "changelog.histories" in chunk.columns or plan.stream is not None:
        _embedded(chunk.filter(verdicts.good), frame, plan, history)
    return meaning(verdicts, history, versions=conform(newest(frame), VERSION))


def _stamp(verdicts: Verdicts, chunk: pl.DataFrame, plan: Plan, field: str, columns: list[str]) -> pl.Series:
    present = [column for column in columns if column in chunk.columns]
    if not present:
        return pl.repeat(None, chunk.height, dtype=pl.Datetime("us"), eager=True)
    column = present[0]
    values = chunk[column]
    if column.lower().endswith(".completedcycles"):
        return mapped(values, _first_stop, pl.Datetime("us"))
    format_ = plan.formats.get(column, API_STAMP)
    utc, unreadable = read_stamp(verdicts, values, format_, plan.zone, plan.where)
    if field == "opened_at":
        verdicts.reject(values.is_null(), column, "the creation stamp is missing")
        verdicts.reject(
            unreadable,
            column,
            partial(stamps.unreadable, "opened_at", format_),
        )
    else:
        verdicts.note(
            unreadable,
            "unreadable_stamp",
            column,
            values,
            "cannot be read as a stamp; the incident is kept with the stamp unknown",
        )
    return utc


def _said_yes(word: str) -> bool | None:
    return {"true": True, "yes": True, "1": True, "major": True, "false": False, "no": False, "0": False}.get(
        word.lower()
    )


def _address(own: pl.Series, ids: pl.Series) -> pl.Series:
    """The page of an issue, from the address of its record."""
    site = own.str.extract(r"^(https?://.+?)/rest/api/")
    return pl.select(pl.concat_str([site, pl.lit("/browse/"), ids])).to_series()


def _cycles(text: str) -> list[dict[str, Any]]:
    found = json.loads(text) if text.startswith("[") else []
    return [cycle for cycle in found if isinstance(cycle, dict)]


def _first_stop(text: str) -> Any:
    """When an SLA's first cycle ended: the first response, for "Time to first response"."""
    stops = [instant((cycle.get("stopTime") or {}).get("epochMillis")) for cycle in _cycles(text)]
    return min((stop for stop in stops if stop is not None), default=None)


def _verdict(completed: list[dict[str, Any]], is_breached: bool | None) -> bool | None:
    """Breached in any cycle, running or not, is no; ended in time and not running again, yes; else it is open."""
    if is_breached or any(cycle.get("breached") for cycle in completed):
        return False
    return True if completed and is_breached is None else None


def _targets(records: Iterable[Mapping[str, Any]]) -> dict[str, bool]:
    """Judge each issue by its resolution targets: met means all of them."""
    verdicts: dict[str, list[bool | None]] = {}
    for record in records:
        ongoing = record.get("ongoingCycle")
        found = _verdict(record.get("completedCycles") or [], ongoing.get("breached", False) if ongoing else None)
        verdicts.setdefault(record["issue"], []).append(found)
    return {issue: all(found) for issue, found in verdicts.items() if False in found or None not in found}


def _sla_met(chunk: pl.DataFrame, columns: list[str]) -> pl.Series:
    """The verdict of an SLA field."""
    completed = next((name for name in columns if name.lower().endswith(".completedcycles")), None)
    base = completed.rsplit(".", 1)[0] if completed else next(iter(columns), "")
    cycles = coalesced(chunk, [completed] if completed else []).fill_null("[]")
    running = coalesced(chunk, [f"{base}.ongoingCycle.breached"] if base else [])
    rows = zip(cycles, running, strict=True)
    return pl.Series(
        [_verdict(_cycles(text), None if breached is None else breached == "true") for text, breached in rows],
        dtype=pl.Boolean,
    )


def _note_cut_off(verdicts: Verdicts, chunk: pl.DataFrame) -> None:
    """Say of which issues the answer held only a part of the change log."""
    total = integer(coalesced(chunk, ["changelog.total"]))
    held = chunk["changelog.histories"].str.json_decode(pl.List(pl.Struct({"id": pl.String}))).list.len()
    verdicts.note(
        total > held.fill_null(0),
        "history_cut_off",
        "changelog.total",
        total,
        "The answer held only a part of its change log: what the rest says is unknown until it is pulled",
    )


def _embedded(chunk: pl.DataFrame, frame: pl.DataFrame, plan: Plan, history: History) -> None:
    """Take the opening of issues whose history is told, and the change logs that came inside them."""
    makers = coalesced(chunk, ["fields.creator.displayName"])
    kinds = _kinds(makers, coalesced(chunk, ["fields.creator.accountType"]), plan.options)
    texts = coalesced(chunk, ["changelog.histories"]).fill_null("[]")
    rows = zip(
        chunk[LINE], frame["incident_id"], frame["external_id"], frame["opened_at"], makers, kinds, texts, strict=True
    )
    for line, number, key, opened_at, maker, kind, text in rows:
        history.add(key or number, "opened", opened_at, "opened", actor=maker, actor_kind=kind)
        _entries(json.loads(text), key or number, number, line, plan, history)


def _changelogs(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Take a page of the bulk interface: the change logs of many issues."""
    history = History(plan.file)
    keys = coalesced(chunk, ["issueId"])
    verdicts = Verdicts(chunk, plan.file, keys)
    verdicts.reject(keys.is_null(), "issueId", "the issue's id is missing")
    for line, key, text in chunk.filter(verdicts.good).select(LINE, "issueId", "changeHistories").iter_rows():
        _entries(json.loads(text or "[]"), key, key, line, plan, history)
    return meaning(verdicts, history)


def _missing(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Take what the tool said of issues that we have and a search no longer finds."""
    history = History(plan.file)
    rows = zip(coalesced(chunk, ["key"]), coalesced(chunk, ["found"]), coalesced(chunk, ["at"]), strict=True)
    for key, found, at in rows:
        if found is None:
            history.add(key, f"{key}-gone", instant(at), "deleted")
        elif found != key:
            history.add(key, f"{key}-moved", instant(at), "merged", after=found)
    return meaning(Verdicts(chunk, plan.file, coalesced(chunk, ["key"])), history)


def _entries(
    entries: list[dict[str, Any]], key: str, number: str | None, line: int, plan: Plan, history: History
) -> None:
    """Turn the entries of one change log into events."""
    options = plan.options
    state_of, priority_of = _states(options), lookup(PRIORITY, options.priority)
    hold_of = lookup(HOLD_REASON, options.hold_reason)
    for entry in entries:
        happened_at = instant(entry.get("created"))
        if happened_at is None:
            reason = f"the change log's stamp {entry.get('created')!r} has no offset and is no number of milliseconds"
            history.reject(line, number, "created", entry.get("created"), reason, entry)
            continue
        author = entry.get("author") or {}
        actor = author.get("displayName") or author.get("name")
        told: dict[str, Any] = {"actor": actor, "actor_kind": _kind(actor, author.get("accountType"), options)}
        entry_id, sequence = str(entry.get("id")), _number(entry.get("id"))
        is_told = False
        for place, item in enumerate(entry.get("items") or ()):
            before, after = item.get("fromString"), item.get("toString")
            names = {str(item.get(name)).lower() for name in ("field", "fieldId")}
            said: dict[str, Any] = {"sequence": sequence * 100 + place, **told}
            event_id = f"{entry_id}.{place}"
            if "status" in names:
                from_state, to_state = state_of(before), state_of(after)
                strange = next((word for word in (before, after) if word and state_of(word) is None), None)
                if strange is not None or to_state is None:
                    reason = unknown(options.source, "status", {**STATUS, **lowered(options.status)}, STATES, strange)
                    history.reject(line, number, "status", strange, reason, entry)
                    continue
                hold_reason = str(hold_of(after or "") or "other") if to_state == "on_hold" else None
                kind = state_change(from_state, to_state)
                history.add(
                    key, event_id, happened_at, kind, before=from_state, after=to_state, hold_reason=hold_reason, **said
                )
            elif "key" in names and before:
                # Moved to another project: what had the old number is the same issue.
                history.add(before, f"{before}-moved", happened_at, "merged", after=after, **said)
            elif "assignee" in names:
                history.add(key, event_id, happened_at, "assigned", before=before, after=after, **said)
            elif "priority" in names:
                was, now = (priority_of(word) if word else None for word in (before, after))
                history.add(key, event_id, happened_at, "priority", before=_text(was), after=_text(now), **said)
            elif plan.group_names & names:
                group: dict[str, Any] = {"before": before, "after": after, "assignment_group": after}
                history.add(key, event_id, happened_at, "group_assigned", **group, **said)
            else:
                continue
            is_told = True
        if not is_told:
            history.add(key, entry_id, happened_at, "other", sequence=sequence * 100, **told)


def _states(options: Options) -> Any:
    find = lookup(STATUS, options.status)
    return lambda word: find(word) if word else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> int:
    digits = re.sub(r"\D", "", str(value))
    return int(digits[-15:]) if digits else 0


def _kind(actor: str | None, account: str | None, options: Options) -> str:
    if account == "app":
        return "automation"
    if actor is None:
        return "unknown"
    return str(actor_kind(pl.Series([actor]), (*AUTOMATION, *options.automation))[0])


def _kinds(actors: pl.Series, accounts: pl.Series, options: Options) -> Iterator[str]:
    return (_kind(actor, account, options) for actor, account in zip(actors, accounts, strict=True))
