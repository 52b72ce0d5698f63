"""ServiceNow's Table API, as its documents describe it; [V] is a line of VENDORS.md, section "ServiceNow Table API"."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx

from standins import document
from standins.desk import AGENTS, CALLERS, GROUPS, OPEN, ROBOT, Desk, Entry, Ticket

STATE = {"new": "1", "in_progress": "2", "on_hold": "3", "resolved": "6", "closed": "7"}
WORD = {"1": "Neu", "2": "In Bearbeitung", "3": "Wartet", "6": "Gelöst", "7": "Geschlossen"}
FIELD = {"group": "assignment_group", "assignee": "assigned_to", "priority": "priority"}
USERS = {name: {"sys_id": f"u{name.lower()}", "user_name": name.lower(), "name": name} for name in (*AGENTS, *CALLERS)}
USERS[ROBOT] = {"sys_id": "urobot", "user_name": "system", "name": ROBOT}
TEAMS = {name: {"sys_id": f"g{name.lower()}", "name": name} for name in GROUPS}
SECRET = "a-secret-of-oauth"
TAKEN = {
    "sysparm_query", "sysparm_fields", "sysparm_limit", "sysparm_offset", "sysparm_display_value",
    "sysparm_exclude_reference_link",
}  # fmt: skip


def _written(at: datetime | None) -> str:
    """[V] `sysparm_display_value=false`: UTC database values; empty is `""`."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


class ServiceNow(Desk):
    """An instance: incidents with an audit log; our user does not see every one, and deletions are not always logged."""

    lags = (0, 0, 0, 30, 120)
    """A row is stamped when its transaction begins."""

    def __init__(self, seed: int, *, oauth: bool = False, audits: bool = True, zone: str = "UTC") -> None:
        self.oauth, self.audits, self.zone = oauth, audits, ZoneInfo(zone)
        self.deletions: list[dict[str, str]] = []
        self.breaches: dict[int, datetime] = {}
        # Now and then our user sees so little that whole pages are empty.
        self.hidden_share = 0.8 if seed % 4 == 0 else 0.15
        super().__init__(seed)

    def id_of(self, table: str, number: int, more: str = "") -> str:
        return hashlib.md5(f"{self.seed} {table} {number} {more}".encode()).hexdigest()

    def incident_id(self, ticket: Ticket) -> str:
        return f"INC{self.seed:04}{ticket.number:04}"

    def event_key(self, ticket: Ticket) -> str:
        return self.id_of("incident", ticket.number)

    def change(self) -> None:
        running = [one for one in self.tickets.values() if one.number not in self.breaches and one.state in OPEN]
        if running and self.random.random() < 0.05:
            # A target is breached when its time is over; the incident itself does not change.
            self.breaches[self.random.choice(running).number] = self.clock
        else:
            super().change()

    def _delete(self, ticket: Ticket) -> None:
        super()._delete(ticket)
        # [V] Deletions: `sys_audit_delete`; cleaned tables leave none.
        if self.random.random() < 0.7:
            self.deletions.append(
                {
                    "sys_id": self.id_of("deletion", ticket.number),
                    "tablename": "incident",
                    "documentkey": self.event_key(ticket),
                    "user": USERS["Ann"]["user_name"],
                    "sys_created_on": _written(self.clock),
                }
            )

    def remark(self, entry: Entry) -> tuple[Any, ...]:
        return "commented", entry.at, None, "Called back."

    def accepts(self, request: httpx.Request) -> bool:
        if request.url.path == "/oauth_token.do":
            return True
        if self.oauth:
            return super().accepts(request)
        given = base64.b64encode(f"me:{self.token}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {given}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth_token.do":
            return self._log_in(parse_qs(request.content.decode()))
        given = dict(request.url.params)
        table = request.url.path.removeprefix("/api/now/v2/table/")
        assert set(given) <= TAKEN
        if table == "sys_audit" and not self.audits:
            return httpx.Response(403, json={"error": {"message": "User Not Authorized"}, "status": "failure"})
        rows = self._selected(self._table(table), given.get("sysparm_query", ""))
        # [V] `sysparm_limit` (default 10,000), `sysparm_offset`, `X-Total-Count`. The limit is applied before access
        # rules: a short or empty page is not the end.
        offset, limit = int(given.get("sysparm_offset", 0)), int(given.get("sysparm_limit", 10_000))
        seen = [row for row, may in rows[offset : offset + limit] if may]
        fields = given["sysparm_fields"].split(",")
        shown = [{name: row[name] for name in fields if name in row} for row in seen]
        if given.get("sysparm_display_value") == "all":
            # [V] `all`: both, `{display_value, value}`
            shown = [{name: _both(name, value) for name, value in row.items()} for row in shown]
        answer = document({"result": shown})
        answer.headers["X-Total-Count"] = str(len(rows))
        return answer

    def _log_in(self, given: dict[str, list[str]]) -> httpx.Response:
        """RFC 6749, 4.4 and 6: client credentials; a refresh token may have ended, too."""
        if given["client_secret"] != [SECRET] or (
            given["grant_type"] == ["refresh_token"] and self.random.random() < 0.5
        ):
            return httpx.Response(401, json={"error": "invalid_grant"})
        return document({"access_token": self.token, "expires_in": 1799, "refresh_token": f"again-{self.token}"})

    def _selected(self, rows: list[tuple[dict[str, str], bool]], query: str) -> list[tuple[dict[str, str], bool]]:
        """Encoded queries: ^ is and, ^OR belongs to what stands before it, `ORDERBY` is a part of the query ([V])."""
        order: list[tuple[str, bool]] = []
        groups: list[list[str]] = []
        for part in filter(None, query.split("^")):
            if part.startswith("ORDERBY"):
                name = part.removeprefix("ORDERBY")
                order.append((name.removeprefix("DESC"), name.startswith("DESC")))
            elif part.startswith("OR"):
                groups[-1].append(part.removeprefix("OR"))
            else:
                groups.append([part])
        kept = [pair for pair in rows if all(any(self._holds(pair[0], part) for part in group) for group in groups)]
        for name, descends in reversed(order):
            kept.sort(key=lambda pair: pair[0][name], reverse=descends)
        return kept

    def _holds(self, row: dict[str, str], part: str) -> bool:
        at = min(position for sign in ("=", ">", "IN") if (position := part.find(sign)) > 0)
        name = part[:at]
        if name not in row:
            # [V] an invalid part of a query is ignored and the rest runs
            return True
        if part[at:].startswith("IN"):
            return row[name] in part[at + 2 :].split(",")
        sign = part[at : at + 2] if part[at + 1 : at + 2] == "=" else part[at]
        value = part[at + len(sign) :]
        if name.endswith("_on") and sign == ">=":
            # Times of a query are read in the zone of the user.
            local = datetime.fromisoformat(value).replace(tzinfo=self.zone)
            value = _written(local.astimezone(UTC))
        return {"=": row[name] == value, ">": row[name] > value, ">=": row[name] >= value}[sign]

    def _table(self, table: str) -> list[tuple[dict[str, str], bool]]:
        if table == "sys_user":
            return [(user, True) for user in USERS.values()]
        if table == "sys_user_group":
            return [(team, True) for team in TEAMS.values()]
        if table == "sys_audit_delete":
            return [(row, True) for row in self.deletions]
        made = {
            "incident": lambda ticket: [self._incident(ticket)],
            "sys_audit": self._audit,
            "metric_instance": self._metrics,
            "task_sla": self._targets,
        }[table]
        return [(row, not self.tickets[ticket.number].is_hidden) for ticket in self.shown() for row in made(ticket)]

    def _incident(self, ticket: Ticket) -> dict[str, str]:
        states = [item for entry in ticket.entries for item in entry.items if item[0] == "state"]
        return {
            "sys_id": self.event_key(ticket),
            "number": self.incident_id(ticket),
            "short_description": f"Trouble {ticket.number}",
            "state": STATE[ticket.state],
            "incident_state": STATE[ticket.state],
            "priority": str(ticket.priority),
            "assignment_group": TEAMS[ticket.group]["sys_id"],
            "assigned_to": USERS[ticket.assignee]["sys_id"] if ticket.assignee else "",
            "caller_id": USERS[ticket.caller]["sys_id"],
            "opened_at": _written(ticket.opened_at),
            "resolved_at": _written(ticket.resolved_at),
            "closed_at": _written(ticket.closed_at),
            "sys_updated_on": _written(ticket.updated_at),
            "sys_updated_by": USERS[ticket.entries[-1].actor if ticket.entries else ticket.caller]["user_name"],
            "sys_created_by": USERS[ticket.caller]["user_name"],
            "sys_mod_count": str(len(ticket.entries)),
            "reopen_count": str(sum(before not in OPEN and after in OPEN for _, before, after in states)),
            "made_sla": "true",
        }

    def _audit(self, ticket: Ticket) -> list[dict[str, str]]:
        """[V] `sys_audit` (tablename, documentkey, fieldname, oldvalue, newvalue); references are ids, states codes."""
        return [
            {
                "sys_id": self.id_of("audit", entry.number, field),
                "tablename": "incident",
                "documentkey": self.event_key(ticket),
                "fieldname": field,
                "oldvalue": _raw(what, before),
                "newvalue": _raw(what, after),
                "user": USERS[entry.actor]["user_name"],
                "sys_created_on": _written(entry.at),
                "record_checkpoint": str(place),
            }
            for place, entry in enumerate(ticket.entries, 1)
            for what, before, after in entry.items or (("work_notes", "", "Called back."),)
            # One change of state is audited for both fields.
            for field in (("state", "incident_state") if what == "state" else (FIELD.get(what, what),))
        ]

    def _metrics(self, ticket: Ticket) -> list[dict[str, str]]:
        """[V] `metric_instance`: a stretch for each value of a field; the value in words, and who did it nowhere."""
        first = (Entry(0, ticket.opened_at, ticket.caller, (("state", None, "new"), ("group", None, GROUPS[0]))),)
        return [
            {
                "sys_id": self.id_of("metric", ticket.number, f"{entry.number} {what}"),
                "table": "incident",
                "id": self.event_key(ticket),
                "definition.field": "incident_state" if what == "state" else FIELD[what],
                "field_value": _raw(what, after),
                "value": WORD[STATE[after]] if what == "state" else after,
                "start": _written(entry.at),
            }
            for entry in (*first, *ticket.entries)
            for what, _, after in entry.items
            if what != "priority"
        ]

    def _targets(self, ticket: Ticket) -> list[dict[str, str]]:
        """[V] SLA: `task_sla`; of its targets only resolution is a verdict on it."""
        breached = self.breaches.get(ticket.number)
        about = {"task": self.event_key(ticket), "task.sys_class_name": "incident"}
        updated = _written(breached or ticket.updated_at)
        resolution = {
            "sys_id": self.id_of("sla", ticket.number),
            "sla.target": "resolution",
            "has_breached": "true" if breached else "false",
            "stage": "in_progress" if ticket.state in OPEN else "completed",
            "sys_updated_on": updated,
        }
        response = {"sys_id": self.id_of("response", ticket.number), "sla.target": "response", "has_breached": "true"}
        return [
            about | resolution,
            about | response | {"stage": "completed", "sys_updated_on": _written(ticket.opened_at)},
        ]


def _raw(what: str, value: Any) -> str:
    """[V] Every value is a string, states are codes."""
    if what == "state":
        return STATE.get(value, "")
    if what in ("group", "assignee"):
        return {**TEAMS, **USERS}[value]["sys_id"] if value else ""
    return str(value)


def _both(name: str, value: str) -> dict[str, str]:
    """What the user reads, in his own language and format, and what the database has."""
    people = {user["sys_id"]: user["name"] for user in (*USERS.values(), *TEAMS.values())}
    shown = people.get(value, value)
    if name in ("state", "incident_state"):
        shown = WORD[value]
    elif value and (name.endswith("_at") or name == "sys_updated_on"):
        shown = f"{datetime.fromisoformat(value):%d.%m.%Y %H:%M:%S}"
    return {"display_value": shown, "value": value}
