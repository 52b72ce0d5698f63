"""Status pages: the incidents of any page that Atlassian Statuspage runs, and archives of them.

Follows the vendor's document "Status API v2" (`/api/v2/incidents.json`, `/api/v2/incidents/unresolved.json`), which
every page serves, and its "Manage API" for what an incident and an update are; and the JSON lines of mrshu's archive of
GitHub's page (`updates`, `started_at`).

Reads: incidents and each update of theirs. Needs no rights: a page is public (`token` is not used). Limits: a page
gives its newest 50 incidents and the unresolved ones, so what is older comes from an archive, and a page must be pulled
before 50 more incidents have come. Scheduled maintenance is in the same list and is no incident: each is noted and left
out. Cannot know: who wrote an update; when somebody took the incident on (the first update says that people are at it
already), so there is no acknowledgement and no MTTA; groups, holds and targets; what was deleted. That is just absent, like
all that is older than the newest 50, so ids are not compared and an absent incident stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from etl.incident import SNAPSHOT, STATES, VERSION, conform, schema, state_change
from etl.pull import Client, Pull, by_offset
from etl.reading import LINE, Export
from etl.shaping import History, coalesced, instant, leftovers, lookup, lowered, mapped, newest, parts, unknown
from etl.sources import Canonical, Options
from etl.sources._records import Plan, Records, planned

STATUS: dict[str, str] = {
    "investigating": "in_progress",
    "identified": "in_progress",
    "monitoring": "in_progress",
    "resolved": "resolved",
    "postmortem": "closed",
}
"""Status of an incident or an update; a post-mortem comes after the resolution."""

MAINTENANCE = ("scheduled", "in progress", "in_progress", "verifying", "completed")
"""Statuses of planned work."""

SAME = ("update",)
"""What an archive calls an update that leaves the status as it was."""

PRIORITY: dict[str, int] = {"critical": 1, "major": 2, "minor": 3, "none": 4}
"""Impact of an incident: the page has no other priority."""

CHANNEL = "monitoring"
"""A page does not say how the incident came up; nobody calls a status page."""

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id",),
    "title": ("name", "title"),
    "url": ("shortlink", "url"),
    "state": ("status",),
    "impact": ("impact",),
    "priority": ("impact",),
    "service": ("components",),
    "opened_at": ("started_at", "created_at"),
    "resolved_at": ("resolved_at",),
    "updated_at": ("updated_at",),
}

EXAMPLE: dict[str, bytes] = {
    "incidents.json": json.dumps(
        {
            "page": {
                "id": "y2j98763l56x",
                "name": "Example",
                "url": "https://status.example.com",
                "time_zone": "Etc/UTC",
            },
            "incidents": [
                {
                    "id": "cp306tmzcl0y",
                    "name": "Card payments fail",
                    "status": "resolved",
                    "impact": "critical",
                    "shortlink": "https://stspg.example/1",
                    "created_at": "2025-03-03T08:00:00.000Z",
                    "updated_at": "2025-03-03T10:00:00.000Z",
                    "monitoring_at": "2025-03-03T09:30:00.000Z",
                    "resolved_at": "2025-03-03T10:00:00.000Z",
                    "components": [{"id": "b13yz5g2cw10", "name": "Payments"}],
                    "incident_updates": [
                        {"id": "u3", "status": "resolved", "body": "Fixed.", "display_at": "2025-03-03T10:00:00.000Z"},
                        {
                            "id": "u2",
                            "status": "monitoring",
                            "body": "Watching.",
                            "display_at": "2025-03-03T09:30:00.000Z",
                        },
                        {
                            "id": "u1",
                            "status": "investigating",
                            "body": "Looking.",
                            "display_at": "2025-03-03T08:00:00.000Z",
                        },
                    ],
                }
            ],
        }
    ).encode(),
    "archive.jsonl": (
        b'{"id": "9632825", "title": "Card payments fail", "url": "https://status.example.com/1", "impact": "minor", '
        b'"started_at": "2025-03-03T08:00:00Z", "resolved_at": "2025-03-03T10:00:00Z", "components": ["Payments"], '
        b'"updates": [{"at": "2025-03-03T08:00:00Z", "status": "Investigating", "message": "Looking."}, '
        b'{"at": "2025-03-03T10:00:00Z", "status": "Resolved", "message": "Fixed."}]}\n'
    ),
}
EXAMPLE_OPTIONS: dict[str, str] = {"timezone": "UTC"}
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {"incidents": json.loads(EXAMPLE["incidents.json"])["incidents"]}


def whoami(pull: Pull) -> str:
    """Ask whose page it is; everybody may."""
    return f"everybody, the page of {_client(pull).get('api/v2/status.json').document['page']['name']}"


def fetch(pull: Pull) -> None:
    """Keep the newest incidents, and the unresolved ones however old; a page can be asked for nothing else."""
    client = _client(pull)
    for stream, path in (("incidents", "incidents"), ("unresolved", "incidents/unresolved")):
        address = f"api/v2/{path}.json"
        pull.keep(
            stream,
            lambda start, address=address: by_offset(  # type: ignore[misc]
                client, address, {}, "incidents", names=("offset", "limit"), more=lambda _: False, start=start
            ),
        )


def _client(pull: Pull) -> Client:
    return pull.client()


def prepare(export: Export, options: Options) -> Plan:
    """Find the fields.

    Raises:
        SourceError: this is no list of a status page's incidents, or a configured field is none.
    """
    return planned(
        export, options, FIELDS, needed=("incident_id", "opened_at"), hint=", or save the page's /api/v2/incidents.json"
    )


class _Update(NamedTuple):
    """What was written on the page, and when."""

    at: datetime | None
    place: int
    status: str
    id: str
    raw: Mapping[str, Any]


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    planned_work = _is_maintenance(chunk)
    if planned_work.any():
        notes = Records(chunk.filter(planned_work), plan, "maintenance")
        every = pl.repeat(True, notes.chunk.height, eager=True)
        notes.verdicts.note(
            every,
            "scheduled_maintenance",
            "impact",
            notes.text("title"),
            "Planned work is no incident: it was left out",
        )
        issues = notes.verdicts.issues
        chunk = chunk.filter(~planned_work)
    records = Records(chunk, plan, "incident")
    opened_at = records.stamp("opened_at", needed=True)
    resolved_at, updated_at = records.stamp("resolved_at"), records.stamp("updated_at")
    told = [_updates(text) for text in coalesced(chunk, ["incident_updates", "updates"])]
    last = pl.Series([_last_status(updates) for updates in told], dtype=pl.String)
    source_state = records.text("state").fill_null(last)
    state = records.state(source_state, STATUS)
    impact = records.text("impact")
    used = {records.named(field) for field in FIELDS} - {"components"} | {"incident_updates", "updates"}
    history = History(plan.file)
    reopened, closed = [], []
    rows = zip(chunk[LINE], records.ids, opened_at, told, records.verdicts.good, strict=True)
    for line, id_, began_at, updates, is_good in rows:
        events = _tell(history, updates, id_, began_at, line, plan) if is_good else {}
        reopened.append(events.get("reopened", 0))
        closed.append(next((update.at for update in reversed(updates) if update.status == "postmortem"), None))
    frame = pl.DataFrame(
        {
            "incident_id": records.ids,
            "title": records.text("title"),
            "url": records.text("url"),
            "state": state,
            "source_state": source_state,
            "excluded_as": mapped(state, {"cancelled": "cancelled"}.get, pl.String()),
            "impact": impact,
            "priority": records.priority(impact, PRIORITY),
            "source_priority": impact,
            "services": parts(records.text("service")),
            "channel": pl.repeat(CHANNEL, chunk.height, eager=True),
            "opened_at": opened_at,
            "resolved_at": resolved_at,
            "closed_at": pl.Series(closed, dtype=pl.Datetime("us")),
            "updated_at": updated_at,
            "reopen_count": pl.Series(reopened, dtype=pl.Int32),
            "reports_acknowledgement": records.nothing(pl.Boolean()),
            "version_number": records.nothing(pl.Int64()),
            "attributes": leftovers(chunk, used),
        }
    ).filter(records.verdicts.good)
    return Canonical(
        versions=conform(newest(frame), VERSION),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=history.events,
        rejected=pl.concat([records.verdicts.rejected, history.rejected]),
        issues=pl.concat([issues, records.verdicts.issues]) if planned_work.any() else records.verdicts.issues,
    )


def _is_maintenance(chunk: pl.DataFrame) -> pl.Series:
    status = coalesced(chunk, ["status"]).str.to_lowercase()
    scheduled = coalesced(chunk, ["scheduled_for"])
    impact = coalesced(chunk, ["impact"])
    is_planned = status.is_in(MAINTENANCE).fill_null(value=False) | scheduled.is_not_null()
    return is_planned | (impact == "maintenance").fill_null(value=False)


def _updates(text: str | None) -> list[_Update]:
    """Give the updates in the order of time; the interface lists the newest first."""
    given = [update for update in json.loads(text or "[]") if isinstance(update, Mapping)]
    found = [
        _Update(
            instant(update.get("display_at") or update.get("created_at") or update.get("at")),
            place,
            str(update.get("status") or "").strip().lower(),
            str(update.get("id") or ""),
            update,
        )
        for place, update in enumerate(given)
    ]
    if any(update.id for update in found):
        found.reverse()
    return sorted(found, key=lambda update: update.at or datetime.max)


def _last_status(updates: list[_Update]) -> str | None:
    return next((update.status for update in reversed(updates) if update.status not in SAME), None)


def _tell(
    history: History, updates: list[_Update], id_: str, opened_at: datetime, line: int, plan: Plan
) -> dict[str, int]:
    """Make events of an incident's updates; give how many there are of each kind.

    When the first one is written, people are at it already: so it begins in progress.
    """
    state_of = lookup(STATUS, plan.options.status)
    state = "in_progress"
    history.add(id_, f"{id_}-opened", opened_at, "opened", sequence=-1, after=state)
    counts: dict[str, int] = {}
    for number, update in enumerate(updates):
        if update.at is None:
            history.reject(line, id_, "display_at", None, "the update has no stamp with an offset", update.raw)
            continue
        event_id = f"{id_}.{update.id or number}"
        found = state if update.status in SAME else state_of(update.status)
        if found not in STATES:
            known = {**STATUS, **lowered(plan.options.status)}
            reason = unknown(plan.options.source, "status", known, STATES, update.status)
            history.reject(line, id_, "status", update.status, reason, update.raw)
        elif found == state:
            kind = "commented" if update.status in SAME else "other"
            history.add(id_, event_id, update.at, kind, sequence=number, after=update.status)
        else:
            kind = state_change(state, str(found))
            counts[kind] = counts.get(kind, 0) + 1
            history.add(id_, event_id, update.at, kind, sequence=number, before=state, after=str(found))
            state = str(found)
    return counts
