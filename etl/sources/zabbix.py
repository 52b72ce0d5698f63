"""Zabbix: problems of triggers, with what people did about them, by its JSON-RPC interface.

Follows the vendor's manual "API: event.get, event object, event.acknowledge" (5.4 to 7.0), and answers of a real server.

Reads: problem events, their recoveries, and the updates of problems: acknowledged and taken back, suppressed, severity
changed, closed by hand. Needs a token of a user who may read the hosts' groups (what he may not read is absent, and
nothing says so); `url` is the address of the front end. Limits: events cannot be listed by update, so a pull asks
for the problems that existed at any time since the last one; an update that is written to a problem long resolved is
missed. Housekeeping removes old events, so ids are not compared: an event that is absent is not taken for deleted.
Cannot know: groups, assignments, escalations (those are notifications), a caller. Every problem is raised by a machine.
A recovery is an event of its own that several problems may share: it is their second key (`external_id`), so nothing is
guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from etl.incident import GIVEN_EVENT, PRIORITIES, SNAPSHOT, VERSION, conform, schema
from etl.pull import Client, Page, Pull, Token
from etl.reading import LINE, Export
from etl.shaping import History, coalesced, leftovers, lookup, mapped, newest, parts, unknown
from etl.sources import Canonical, Options
from etl.sources._records import Plan, Records, planned

STATUS: dict[str, str] = {
    "problem": "new",
    "acknowledged": "in_progress",
    "suppressed": "on_hold",
    "resolved": "resolved",
}
"""What a problem event's own fields say of it; Zabbix has no word for it."""

PRIORITY: dict[str, int] = {"5": 1, "4": 2, "3": 3, "2": 4, "1": 5, "0": 5}
"""Severity: 5 disaster, 4 high, 3 average, 2 warning, 1 information, 0 not classified."""

CHANNEL = "monitoring"

CLOSED, ACKNOWLEDGED, MESSAGE, SEVERITY = 1, 2, 4, 8
UNACKNOWLEDGED, SUPPRESSED, UNSUPPRESSED = 16, 32, 64
"""The bits of an update's `action`."""

NOBODY = "0"
"""The user id of what the server did itself."""

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("eventid",),
    "external_id": ("r_eventid",),
    "title": ("name",),
    "priority": ("severity",),
    "configuration_item": ("hosts",),
    "service": (),
    "assignment_group": (),
    "tags": ("tags",),
    "opened_at": ("clock",),
}

PAGE = 1000
"""Events of one answer; the vendor sets no limit."""

_ANSWER = [
    {
        "eventid": "18",
        "source": "0",
        "object": "0",
        "objectid": "23133",
        "clock": "1741000065",
        "value": "1",
        "acknowledged": "1",
        "name": "Mail is down on mx01",
        "severity": "4",
        "r_eventid": "19",
        "suppressed": "0",
        "hosts": [{"hostid": "10559", "host": "mx01"}],
        "tags": [{"tag": "service", "value": "mail"}],
        "acknowledges": [
            {
                "acknowledgeid": "1",
                "userid": "7",
                "clock": "1741000300",
                "message": "I look",
                "action": "6",
                "username": "ann",
            }
        ],
    },
    {
        "eventid": "19",
        "source": "0",
        "object": "0",
        "objectid": "23133",
        "clock": "1741003665",
        "value": "0",
        "acknowledged": "0",
        "name": "Mail is down on mx01",
        "severity": "0",
        "r_eventid": "0",
        "userid": "0",
        "hosts": [{"hostid": "10559", "host": "mx01"}],
    },
]
EXAMPLE: dict[str, bytes] = {"events.json": json.dumps({"jsonrpc": "2.0", "result": _ANSWER, "id": 1}).encode()}
EXAMPLE_OPTIONS: dict[str, str] = {"timezone": "UTC"}
EXAMPLE_PULL: dict[str, list[dict[str, Any]]] = {"problems": _ANSWER[:1], "recoveries": _ANSWER[1:]}


def whoami(pull: Pull) -> str:
    """Ask for one event: a token proves itself by that."""
    client = _client(pull)
    events = _ask(client, "event.get", {"limit": 1, "output": ["eventid"]})
    return "a token that sees events" if events else "a token that sees no event; may its user read any host group?"


def fetch(pull: Pull) -> None:
    """Keep the problems that existed since the last pull, with their updates, and the recoveries since then."""
    client = _client(pull)
    _ask(client, "event.get", {"limit": 1, "output": ["eventid"]})
    since = {} if pull.since is None else {"since": int(pull.since.replace(tzinfo=UTC).timestamp())}
    more = {"selectHosts": ["hostid", "host"], "selectTags": "extend", "selectAcknowledges": "extend"}
    lasting = {"problem_time_from": since["since"]} if since else {}
    after = {"time_from": since["since"]} if since else {}
    pull.keep("problems", lambda start: _events(client, {"value": [1], **lasting, **more}, start))
    pull.keep("recoveries", lambda start: _events(client, {"value": [0], **after, "selectHosts": ["host"]}, start))


def _client(pull: Pull) -> Client:
    return pull.client(Token("Authorization", "Bearer {}"))


def _ask(client: Client, method: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    document = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
    found = client.post("api_jsonrpc.php", document).document
    if not isinstance(found, Mapping) or not isinstance(found.get("result"), list):
        raise client.error("the answer has no `result`; is `url` the address of the front end?")
    return list(found["result"])


def _events(client: Client, params: Mapping[str, Any], start: Any) -> Iterator[Page]:
    """Walk events by their id, which only grows: whatever happens meanwhile, none is skipped."""
    last = int(start or 0)
    while True:
        asked = {
            "source": 0, "object": 0, "output": "extend", "eventid_from": str(last + 1), "sortfield": "eventid",
            "sortorder": "ASC", "limit": PAGE, **params,
        }  # fmt: skip
        found = _ask(client, "event.get", asked)
        if found:
            last = max(int(event["eventid"]) for event in found)
        yield Page(found, f"event.get from {asked['eventid_from']}", last)
        if not found:
            return


def prepare(export: Export, options: Options) -> Plan:
    """Find the fields.

    Raises:
        SourceError: this is no answer of event.get, or a configured field is none.
    """
    return planned(
        export,
        options,
        FIELDS,
        needed=("incident_id", "opened_at"),
        stamped=("opened_at",),
        hint=", or save an answer of event.get",
    )


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk of events into canonical rows: problems are incidents, recoveries end them.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    is_problem = (coalesced(chunk, ["value"]) != "0").fill_null(value=True)
    problems, recoveries = _problems(chunk.filter(is_problem), plan), _recoveries(chunk.filter(~is_problem), plan)
    return Canonical(*(pl.concat(frames) for frames in zip(problems, recoveries, strict=True)))


def _problems(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    records = Records(chunk, plan, "problem")
    opened_at = records.stamp("opened_at", needed=True)
    recovery = records.text("external_id").replace("0", None)
    is_acknowledged = coalesced(chunk, ["acknowledged"]) == "1"
    is_suppressed = coalesced(chunk, ["suppressed"]) == "1"
    words = pl.select(
        pl.when(recovery.is_not_null())
        .then(pl.lit("resolved"))
        .when(is_suppressed)
        .then(pl.lit("suppressed"))
        .when(is_acknowledged)
        .then(pl.lit("acknowledged"))
        .otherwise(pl.lit("problem"))
        .alias("state")
    ).to_series()
    state = records.state(words, STATUS)
    severity = records.text("priority")
    used = {records.named(field) for field in FIELDS} | {"acknowledges", "value", "acknowledged", "suppressed"}
    service = records.text("service")
    frame = pl.DataFrame(
        {
            "incident_id": records.ids,
            "external_id": recovery,
            "title": records.text("title"),
            "state": state,
            "source_state": words,
            "priority": records.priority(severity, PRIORITY),
            "source_priority": severity,
            "configuration_item": mapped(records.text("configuration_item"), _first_host, pl.String()),
            "assignment_group": records.text("assignment_group"),
            "services": parts(service),
            "tags": parts(mapped(records.text("tags"), _tags, pl.String())),
            "channel": pl.repeat(CHANNEL, chunk.height, eager=True),
            "opened_at": opened_at,
            "updated_at": records.nothing(pl.Datetime("us")),
            "reports_acknowledgement": pl.repeat(True, chunk.height, eager=True),
            "version_number": records.nothing(pl.Int64()),
            "attributes": leftovers(chunk, used),
        }
    ).filter(records.verdicts.good)
    history = History(plan.file)
    texts = coalesced(chunk, ["acknowledges"])
    for line, id_, at, text, is_good in zip(
        chunk[LINE], records.ids, opened_at, texts, records.verdicts.good, strict=True
    ):
        if is_good:
            history.add(id_, f"{id_}-opened", at, "opened", after="new", actor_kind="automation")
            _updates(history, json.loads(text or "[]"), id_, line, plan)
    return Canonical(
        versions=conform(newest(frame), VERSION),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=history.events,
        rejected=pl.concat([records.verdicts.rejected, history.rejected]),
        issues=records.verdicts.issues,
    )


def _recoveries(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """A recovery ends each problem whose second key it is."""
    records = Records(chunk, plan, "recovery")
    at = records.stamp("opened_at", needed=True)
    history = History(plan.file)
    users = coalesced(chunk, ["userid"])
    for id_, when, user, is_good in zip(records.ids, at, users, records.verdicts.good, strict=True):
        if is_good:
            kind = "automation" if user in (None, NOBODY) else "person"
            actor = None if kind == "automation" else user
            history.add(
                id_, f"{id_}-resolved", when, "resolved", sequence=900, after="resolved", actor=actor, actor_kind=kind
            )
    return Canonical(
        versions=pl.DataFrame(schema=schema(VERSION)),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=conform(history.events, GIVEN_EVENT),
        rejected=records.verdicts.rejected,
        issues=records.verdicts.issues,
    )


def _updates(history: History, updates: Sequence[Mapping[str, Any]], id_: str, line: int, plan: Plan) -> None:
    """Make events of a problem's updates; each may hold several actions.

    The state before is said: an acknowledgement after the recovery opens nothing again.
    """
    severity_of = lookup(PRIORITY, plan.options.priority)
    state, is_acknowledged = "new", False
    for update in sorted(
        updates, key=lambda update: (_number(update.get("clock")), _number(update.get("acknowledgeid")))
    ):
        clock, action = _number(update.get("clock")), _number(update.get("action"))
        if not clock:
            history.reject(
                line, id_, "acknowledges", update.get("clock"), "the update of the problem has no clock", update
            )
            continue
        at = datetime.fromtimestamp(clock, UTC).replace(tzinfo=None)
        user = str(update.get("userid") or NOBODY)
        actor = str(update.get("username") or update.get("alias") or user)
        names = plan.options.automation
        is_machine = user == NOBODY or any(fnmatchcase(actor.lower(), name.lower()) for name in names)
        who: dict[str, Any] = {"actor": actor, "actor_kind": "automation" if is_machine else "person"}
        event_id = f"{id_}.{update.get('acknowledgeid')}"

        def becomes(kind: str, after: str, place: int, event_id: str = event_id, at: datetime = at, **more: Any) -> str:
            history.add(id_, f"{event_id}.{place}", at, kind, sequence=place, before=state, after=after, **more)  # noqa: B023
            return after

        if action & ACKNOWLEDGED:
            is_acknowledged = True
            history.add(id_, f"{event_id}.2", at, "acknowledged", sequence=2, **who)
            if state == "new":
                state = becomes("state", "in_progress", 3, **who)
        if action & UNACKNOWLEDGED:
            is_acknowledged = False
            if state == "in_progress":
                state = becomes("state", "new", 16, **who)
        if action & SUPPRESSED and state != "on_hold":
            state = becomes("held", "on_hold", 32, hold_reason="other", **who)
        if action & UNSUPPRESSED and state == "on_hold":
            state = becomes("resumed", "in_progress" if is_acknowledged else "new", 64, **who)
        if action & SEVERITY:
            was, now = (severity_of(str(update.get(name))) for name in ("old_severity", "new_severity"))
            if now not in PRIORITIES:
                reason = unknown(plan.options.source, "priority", PRIORITY, PRIORITIES, str(update.get("new_severity")))
                history.reject(line, id_, "acknowledges", update.get("new_severity"), reason, update)
            else:
                before = None if was is None else str(was)
                history.add(id_, f"{event_id}.8", at, "priority", sequence=8, before=before, after=str(now), **who)
        if action & MESSAGE:
            history.add(id_, f"{event_id}.4", at, "commented", sequence=4, **who)
        if action & CLOSED:
            history.add(id_, f"{event_id}.1", at, "other", sequence=80, after="closed by hand", **who)


def _number(value: object) -> int:
    text = str(value or 0)
    return int(text) if text.isdigit() else 0


def _first_host(text: str) -> str | None:
    hosts = json.loads(text) if text.startswith("[") else []
    return next((str(host.get("host") or host.get("name")) for host in hosts), None)


def _tags(text: str) -> str:
    """Give tags as a JSON list of `name: value`."""
    given = json.loads(text) if text.startswith("[") else []
    return json.dumps([": ".join(filter(None, (tag.get("tag"), tag.get("value")))) for tag in given])
