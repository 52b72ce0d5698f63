"""Opsgenie: alerts and their logs, for people who leave it; and its webhooks as files.

Follows the vendor's documents "Alert API" (list alerts, list alert logs), its interface description (opsgenie-oas), and
"Alert action data" for webhooks, which Jira Service Management sends in the same form. Opsgenie is sold no more and its
interface ends on 2027-04-05: this is an importer.

Reads: alerts with the times to acknowledge and to close, and each alert's log. Needs an API key with read access; a
team's key sees that team's alerts, and nothing says what is hidden. Limits: offset and limit may not pass 20,000; there
is no filter on update, so a later pull walks back from the newest update. Closing is the resolution: Opsgenie knows no
other. Ids are not compared: nothing promises that the list still holds every alert, so one that is absent from it is not
taken for deleted. Cannot know: the names of teams (an alert has their ids; name them with `fields`), when the impact
began, what was deleted (a webhook says so). What a log entry means is in its text alone, of which the vendor shows two examples: an
entry that begins as none of `LOG` is `other`. A user is known by his address; anything else is a machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import polars as pl

from etl.incident import PRIORITIES, SNAPSHOT, VERSION, conform, schema
from etl.pull import Client, Page, Pull, Token, TooManyError, by_key, by_offset
from etl.reading import LINE, Export
from etl.shaping import History, coalesced, instant, integer, leftovers, lookup, mapped, newest, parts, unknown
from etl.sources import Canonical, Options
from etl.sources._records import Plan, Records, planned

STATUS: dict[str, str] = {
    "open": "new",
    "acknowledged": "in_progress",
    "snoozed": "on_hold",
    "closed": "resolved",
    "deleted": "cancelled",
}
"""Status, or what the alert's flags say while it is open; `deleted` only webhooks tell."""

PRIORITY: dict[str, int] = {"p1": 1, "p2": 2, "p3": 3, "p4": 4, "p5": 5}

CHANNEL: dict[str, str] = {"api": "api", "email": "email", "web": "portal", "mobile": "portal"}
"""Type of the integration that made the alert; each other one is a monitoring tool."""
MONITORING = "monitoring"

LOG: dict[str, str] = {
    "alert created": "Create",
    "alert acknowledged": "Acknowledge",
    "alert unacknowledged": "UnAcknowledge",
    "alert closed": "Close",
    "alert snoozed": "Snooze",
    "snoozed": "Snooze",
    "snooze ended": "SnoozeEnded",
    "alert escalated": "EscalateNext",
    "escalated": "EscalateNext",
    "assigned ownership": "AssignOwnership",
    "ownership": "AssignOwnership",
    "note added": "AddNote",
    "added note": "AddNote",
}
"""How the text of a log entry begins -> the action that a webhook would tell."""

ACTIONS: dict[str, tuple[str, str | None, int]] = {
    "Create": ("opened", "open", 0),
    "Acknowledge": ("acknowledged", "acknowledged", 30),
    "UnAcknowledge": ("state", "open", 40),
    "AssignOwnership": ("assigned", None, 20),
    "TakeOwnership": ("assigned", None, 20),
    "Escalate": ("escalated", None, 25),
    "EscalateNext": ("escalated", None, 25),
    "Snooze": ("held", "snoozed", 50),
    "SnoozeEnded": ("state", "open", 55),
    "UpdatePriority": ("priority", None, 60),
    "AddNote": ("commented", None, 70),
    "Close": ("resolved", "closed", 80),
    "Delete": ("deleted", "deleted", 90),
}
"""Action -> what it is, the status after it, and its place among those of one second; any other action is `other`."""

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id",),
    "external_id": ("tinyId",),
    "title": ("message",),
    "state": ("status",),
    "priority": ("priority",),
    "service": (),
    "configuration_item": ("entity",),
    "assignment_group": ("responders",),
    "assignee": ("owner",),
    "channel": ("integration.type",),
    "tags": ("tags",),
    "opened_at": ("createdAt",),
    "updated_at": ("updatedAt",),
}

PAGE = 100
CAP = 20_000

_ALERT = {
    "id": "70413a06-38d6-4c85-92b8-5ebc900d42e2",
    "tinyId": "1791",
    "message": "Mail queue above 5000",
    "status": "closed",
    "acknowledged": True,
    "snoozed": False,
    "tags": ["mail"],
    "createdAt": "2025-03-03T07:00:00.353Z",
    "updatedAt": "2025-03-03T08:30:00.301Z",
    "owner": "ann@example.com",
    "priority": "P2",
    "responders": [{"id": "4513b7ea", "type": "team"}],
    "integration": {"id": "4513b7ea", "name": "Nagios", "type": "Nagios"},
    "report": {
        "ackTime": 240000,
        "closeTime": 5400000,
        "acknowledgedBy": "ann@example.com",
        "closedBy": "ann@example.com",
    },
}


def _said(text: str, owner: str, at: str, offset: str) -> dict[str, str]:
    return {
        "alertId": str(_ALERT["id"]), "log": text, "type": "system", "owner": owner, "createdAt": at, "offset": offset,
    }  # fmt: skip


_LOGS = [
    _said("Alert created via Nagios", "System", "2025-03-03T07:00:00.353Z", "1"),
    _said("Viewed on [web]", "ann@example.com", "2025-03-03T07:03:00Z", "2"),
    _said("Alert acknowledged via web", "ann@example.com", "2025-03-03T07:04:00.353Z", "3"),
    _said("Alert closed via web", "ann@example.com", "2025-03-03T08:30:00.353Z", "4"),
]
WEBHOOK = ("action", "alert.alertId")
"""What a file of one webhook message has; many of them are read together."""
EXAMPLE: dict[str, bytes] = {
    "alerts.json": json.dumps({"data": [_ALERT]}).encode(),
    "webhook.json": json.dumps(
        {
            "action": "Acknowledge",
            "alert": {
                "alertId": _ALERT["id"],
                "tinyId": "1791",
                "message": "Mail queue above 5000",
                "tags": ["mail"],
                "username": "ann@example.com",
                "createdAt": 1740985200353,
                "updatedAt": 1740985440353002246,
                "priority": "P2",
            },
            "source": {"name": "", "type": "web"},
            "integrationName": "Webhook",
        }
    ).encode(),
}
EXAMPLE_OPTIONS: dict[str, str] = {"timezone": "UTC"}
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {"alerts": [_ALERT], "logs": _LOGS}


def whoami(pull: Pull) -> str:
    """Ask whose account the key is of."""
    return f"a key of {_client(pull).get('v2/account').document['data']['name']}"


def fetch(pull: Pull) -> None:
    """Keep the alerts that are new or changed since the last pull, and the whole logs of these."""
    client = _client(pull)
    client.get("v2/alerts", {"limit": 1})
    if pull.is_first:
        pull.keep("alerts", partial(_by_creation, client, pull.since, pull.access.filter))
    else:
        pull.keep("alerts", partial(_by_update, client, pull.since or datetime.min, pull.access.filter))
    ids = sorted({alert["id"] for alert in pull.kept("alerts")})
    pull.keep("logs", partial(_logs, client, ids))


def _client(pull: Pull) -> Client:
    return pull.client(Token("Authorization", "GenieKey {}"))


def _by_creation(client: Client, since: datetime | None, only: str | None, start: Any) -> Iterator[Page]:
    """Walk by the last creation seen: an alert that is deleted meanwhile moves no other past us."""

    def ask(value: Any, page: int) -> tuple[str, Mapping[str, Any]]:
        after = datetime.fromisoformat(value) if value else since.replace(tzinfo=UTC) if since else None
        bound = f"createdAt >= {int(after.timestamp() * 1000)}" if after else ""
        query = " AND ".join(f"({part})" for part in (bound, only) if part)
        asked = {"sort": "createdAt", "order": "asc", "offset": page * PAGE, "limit": PAGE}
        return "v2/alerts", {**({"query": query} if query else {}), **asked}

    return by_key(
        client, ask, "data", lambda alert: alert["createdAt"], identity=lambda alert: alert["id"], start=start
    )


def _by_update(client: Client, since: datetime, only: str | None, start: Any) -> Iterator[Page]:
    """Walk back from the newest update: one that is updated meanwhile moves to the front, where the next pull begins."""
    params = {"sort": "updatedAt", "order": "desc", **({"query": only} if only else {})}
    pages = by_offset(
        client, "v2/alerts", params, "data", size=PAGE, cap=CAP, start=start,
        more=lambda answer: bool((answer.document.get("paging") or {}).get("next")),
    )  # fmt: skip
    try:
        for page in pages:
            yield page
            stamps = [instant(alert["updatedAt"]) for alert in page.records]
            if any(stamp is not None and stamp < since for stamp in stamps):
                return
    except TooManyError as error:
        raise client.error(f"more than {CAP} alerts changed since {since}; pull everything anew with --full") from error


def _logs(client: Client, ids: Sequence[str], start: Any) -> Iterator[Page]:
    """Follow each alert's log; of one that was deleted meanwhile there is none."""
    done, link = start or (0, None)
    for place, id_ in enumerate(ids[done:], done):
        address, given = (link, None) if link else (f"v2/alerts/{id_}/logs", {"limit": PAGE, "order": "asc"})
        while address:
            answer = client.get(address, given, missing=True)
            document, given = answer.document or {"data": []}, None
            address = (document.get("paging") or {}).get("next")
            # An entry does not say which alert it is of.
            records = [{"alertId": id_, **entry} for entry in document["data"]]
            yield Page(records, answer.request, [place, address] if address else [place + 1, None])
        link = None


def prepare(export: Export, options: Options) -> Plan:
    """See whether these are alerts, logs or webhooks.

    Raises:
        SourceError: it is none of them, or a configured field is none.
    """
    if "alert.alertId" in export.columns or "log" in export.columns:
        return planned(export, options, FIELDS)
    hint = ", or save an answer of /v2/alerts, or webhooks"
    return planned(export, options, FIELDS, needed=("incident_id", "state", "opened_at"), hint=hint)


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows; alerts, logs and webhooks may come mixed.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    is_hook = coalesced(chunk, ["alert.alertId"]).is_not_null()
    is_log = coalesced(chunk, ["log"]).is_not_null() & ~is_hook
    found = [_alerts(_flagged(chunk.filter(~is_hook & ~is_log)), plan, History(plan.file))]
    if is_log.any():
        found.append(_told(chunk.filter(is_log), plan))
    if is_hook.any():
        found.append(_hooks(chunk.filter(is_hook), plan))
    return Canonical(*(pl.concat(frames) for frames in zip(*found, strict=True)))


def _flagged(chunk: pl.DataFrame) -> pl.DataFrame:
    """Say of an open alert what its flags say."""
    status = coalesced(chunk, ["status"]).str.to_lowercase()
    words = pl.DataFrame(
        {"status": status, "acknowledged": coalesced(chunk, ["acknowledged"]), "snoozed": coalesced(chunk, ["snoozed"])}
    ).select(
        pl.when((pl.col("status") == "open") & (pl.col("snoozed") == "true"))
        .then(pl.lit("snoozed"))
        .when((pl.col("status") == "open") & (pl.col("acknowledged") == "true"))
        .then(pl.lit("acknowledged"))
        .otherwise("status")
        .alias("status")
    )
    return chunk.with_columns(words["status"])


def _alerts(chunk: pl.DataFrame, plan: Plan, history: History) -> Canonical:
    records = Records(chunk, plan, "alert")
    opened_at, updated_at = records.stamp("opened_at", needed=True), records.stamp("updated_at")
    source_state = records.text("state")
    state = records.state(source_state, STATUS)
    source_channel = records.text("channel")
    told = {**CHANNEL, **plan.options.channel}
    used = {records.named(field) for field in FIELDS} - {"responders"}
    by_person = coalesced(chunk, ["report.acknowledgedBy"]).str.contains("@", literal=True).fill_null(value=False)
    frame = pl.DataFrame(
        {
            "incident_id": records.ids,
            "external_id": records.text("external_id"),
            "title": records.text("title"),
            "state": state,
            "source_state": source_state,
            "excluded_as": mapped(source_state, {"deleted": "deleted"}.get, pl.String()),
            "priority": records.priority(records.text("priority"), PRIORITY),
            "source_priority": records.text("priority"),
            "service": records.text("service"),
            "configuration_item": records.text("configuration_item"),
            "assignment_group": mapped(records.text("assignment_group"), _first_team, pl.String()),
            "assignee": records.text("assignee"),
            "channel": mapped(source_channel, lookup(told, {}), pl.String()).fill_null(MONITORING),
            "source_channel": source_channel,
            "tags": parts(records.text("tags")),
            "opened_at": opened_at,
            "updated_at": updated_at,
            "ack_time": integer(coalesced(chunk, ["report.ackTime"])).zip_with(by_person, records.nothing(pl.Int64())),
            "close_time": integer(coalesced(chunk, ["report.closeTime"])),
            "reports_acknowledgement": pl.repeat(True, chunk.height, eager=True),
            "version_number": records.nothing(pl.Int64()),
            "attributes": leftovers(chunk, used),
        }
    ).with_columns(
        services=pl.when(pl.col("service").is_not_null()).then(pl.concat_list("service")),
        # The times are milliseconds since the creation.
        acknowledged_at=(pl.col("opened_at") + pl.duration(milliseconds="ack_time")).dt.truncate("1s"),
        resolved_at=pl.when(pl.col("state") == "resolved").then(
            (pl.col("opened_at") + pl.duration(milliseconds="close_time")).dt.truncate("1s")
        ),
    )
    frame = frame.drop("service", "ack_time", "close_time").filter(records.verdicts.good)
    return Canonical(
        versions=conform(newest(frame), VERSION),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=history.events,
        rejected=pl.concat([records.verdicts.rejected, history.rejected]),
        issues=records.verdicts.issues,
    )


def _first_team(text: str) -> str | None:
    if not text.startswith("["):
        return text
    teams = [one for one in json.loads(text) if not isinstance(one, Mapping) or one.get("type") == "team"]
    first = next(iter(teams), None)
    return str(first.get("name") or first.get("id")) if isinstance(first, Mapping) else first


def _told(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Make events of log entries; what they mean is in how their text begins."""
    history = History(plan.file)
    owners, offsets = coalesced(chunk, ["owner"]), coalesced(chunk, ["offset"])
    rows = zip(
        chunk[LINE],
        coalesced(chunk, ["alertId"]),
        chunk["log"],
        owners,
        coalesced(chunk, ["createdAt"]),
        offsets,
        strict=True,
    )
    for line, id_, text, owner, stamp, offset in rows:
        at = instant(stamp)
        entry = {"alertId": id_, "log": text, "owner": owner, "createdAt": stamp}
        if id_ is None or at is None:
            reason = "the log entry names no alert" if id_ is None else f"the log entry's stamp {stamp!r} has no offset"
            history.reject(line, id_, "createdAt", stamp, reason, entry)
            continue
        said = str(text).strip().lower()
        action = next((action for beginning, action in LOG.items() if said.startswith(beginning)), "")
        _add(history, id_, f"{id_}.{offset or stamp}", at, action, owner, plan, assignee=owner, other=str(text))
    return _alerts(chunk.clear(), plan, history)


def _hooks(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Take what each webhook tells, and the alert as it was then where the action says its status."""
    history = History(plan.file)

    def text(*names: str) -> pl.Series:
        return coalesced(chunk, names)

    # createdAt is in milliseconds, updatedAt in nanoseconds.
    created = integer(text("alert.createdAt")) // 1000
    updated = _seconds(integer(text("alert.updatedAt")))
    actions = text("action")
    priorities = zip(text("alert.oldPriority", "oldPriority"), text("alert.priority"), strict=True)
    owners = text("alert.owner", "owner")
    rows = zip(
        chunk[LINE], text("alert.alertId"), actions, text("alert.username"), updated, owners, priorities, strict=True
    )
    priority_of = lookup(PRIORITY, plan.options.priority)
    for line, id_, action, user, seconds, owner, (was, now) in rows:
        entry = {"alertId": id_, "action": action, "updatedAt": seconds}
        if seconds is None:
            history.reject(line, id_, "alert.updatedAt", None, "the webhook has no alert.updatedAt to say when", entry)
            continue
        if action == "UpdatePriority" and now and priority_of(now) not in PRIORITIES:
            history.reject(
                line,
                id_,
                "alert.priority",
                now,
                unknown(plan.options.source, "priority", PRIORITY, PRIORITIES, now),
                entry,
            )
            continue
        at = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        before, after = (str(priority_of(word)) if word and priority_of(word) else None for word in (was, now))
        said = {"before": before, "after": after} if action == "UpdatePriority" else {}
        _add(history, id_, f"{id_}.{action}.{seconds}", at, action, user, plan, assignee=owner, other=action, **said)
    states = mapped(actions, lambda action: ACTIONS.get(action, ("", None, 0))[1], pl.String())
    iso = "%Y-%m-%dT%H:%M:%SZ"
    alerts = pl.DataFrame(
        {
            "id": text("alert.alertId"),
            "tinyId": text("alert.tinyId"),
            "message": text("alert.message"),
            "status": states,
            "priority": text("alert.priority"),
            "entity": text("alert.entity"),
            "owner": owners,
            "tags": text("alert.tags"),
            "createdAt": pl.from_epoch(created, "s").dt.strftime(iso),
            "updatedAt": pl.from_epoch(updated, "s").dt.strftime(iso),
            LINE: chunk[LINE],
        }
    )
    return _alerts(alerts.filter(pl.col("status").is_not_null()), plan, history)


def _seconds(stamps: pl.Series) -> pl.Series:
    """Make seconds of milliseconds or nanoseconds, whichever they are by their size."""
    frame = stamps.alias("stamp").to_frame()
    size = pl.when(pl.col("stamp") > 10**16).then(10**9).otherwise(10**3)
    return frame.select(pl.col("stamp") // size).to_series()


def _add(
    history: History,
    id_: str,
    event_id: str,
    at: datetime,
    action: str,
    user: str | None,
    plan: Plan,
    *,
    assignee: str | None,
    other: str,
    before: str | None = None,
    after: str | None = None,
) -> None:
    kind, status, place = ACTIONS.get(action, ("other", None, 75))
    state = str(lookup(STATUS, plan.options.status)(status)) if status else None
    who: dict[str, Any] = {"actor": user, "actor_kind": _actor_kind(user, plan)}
    if kind == "acknowledged":
        history.add(id_, event_id, at, kind, sequence=place, **who)
        history.add(id_, f"{event_id}-state", at, "state", sequence=place + 1, after=state, **who)
        return
    if kind in ("assigned", "escalated"):
        after = assignee
    elif kind == "other":
        after = other
    elif kind not in ("priority", "commented", "deleted"):
        after = state
    reason = "other" if kind == "held" else None
    history.add(id_, event_id, at, kind, sequence=place, before=before, after=after, hold_reason=reason, **who)


def _actor_kind(user: str | None, plan: Plan) -> str:
    if not user:
        return "unknown"
    is_machine = any(fnmatchcase(user.lower(), name.lower()) for name in plan.options.automation)
    return "person" if "@" in user and not is_machine else "automation"
