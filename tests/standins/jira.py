"""Jira, Cloud and Data Center, as its documents describe it; [V] is a line of VENDORS.md, section "Jira".

Where nothing says how paging goes on while issues come and go, a token here is a place in the order, not a number.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from standins import document
from standins.desk import ROBOT, Desk, Entry, Ticket

STATUS = {
    "new": "Open",
    "in_progress": "In Progress",
    "on_hold": "Waiting for customer",
    "resolved": "Resolved",
    "closed": "Closed",
}
PRIORITY = {1: "Highest", 2: "High", 3: "Medium", 4: "Low"}
ZONE = ZoneInfo("America/Sao_Paulo")
"""[V] JQL dates are read in the API user's zone, to the minute."""
LAGS = (0, 0, 60, 540)
"""Seconds. [V] Eventually consistent: overlap the watermark (15 min) or a row is lost for good."""
GROUP = {"id": "customfield_10050", "name": "Team", "custom": True}
MOST = 6
"""`maxResults` is what one may get at most; the tool gives fewer as it likes (search/jql, "maxResults")."""
AT_ONCE = 12
"""Entries of a page of change logs."""


def _written(at: datetime) -> str:
    """[V] fields carry offsets (`2024-01-15T10:30:00.000+0000`)."""
    return at.replace(tzinfo=UTC).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S.000%z")


def _person(name: str) -> dict[str, str]:
    """Cloud's `accountType` is atlassian, app or customer (platform REST API, User)."""
    return {"displayName": name, "accountType": "app" if name == ROBOT else "atlassian"}


class Jira(Desk):
    """Cloud, with a project of Service Management; the token's user does not see every issue."""

    is_cloud, tells_comments = True, False

    def __init__(self, seed: int) -> None:
        self.tokens: dict[str, tuple[datetime, int]] = {}
        self.moved: set[int] = set()
        self.index: dict[int, list[tuple[datetime, dict[str, Any]]]] = {}
        super().__init__(seed)

    def incident_id(self, ticket: Ticket) -> str:
        return self.key(ticket.number, is_moved=ticket.number in self.moved)

    def key(self, number: int, *, is_moved: bool) -> str:
        return f"{'M' if is_moved else 'S'}{self.seed}-{number}"

    def event_key(self, ticket: Ticket) -> str:
        return str(self.seed * 1000 + ticket.number)

    def change(self) -> None:
        alive = [ticket for ticket in self.visible() if ticket.number not in self.moved]
        if alive and self.random.random() < 0.03:
            # A moved issue keeps its id and gets another key; the change log has both.
            ticket = self.random.choice(alive)
            before = self.incident_id(ticket)
            self.moved.add(ticket.number)
            entry = self.note(ticket, "Ann")
            ticket.entries[-1] = entry._replace(items=(("key", before, self.incident_id(ticket)),))
        else:
            super().change()

    def touched(self, ticket: Ticket) -> None:
        """What a search shows, it shows late."""
        lag = self.random.choice(LAGS) if self.is_cloud else 0
        shown = self.index.setdefault(ticket.number, [])
        since = max([self.clock + timedelta(seconds=lag), *(at for at, _ in shown)])
        shown.append((since, self.issue(ticket)))

    def gone(self) -> set[str]:
        return super().gone() | {self.key(number, is_moved=False) for number in self.moved}

    def told(self, ticket: Ticket) -> Any:
        # Comments are in no change log; a move tells of the old key only.
        for said in super().told(ticket):
            if said[1] not in ("commented", "key"):
                yield said

    def accepts(self, request: httpx.Request) -> bool:
        if not self.is_cloud:
            return super().accepts(request)
        # [V] Basic with e-mail and API token.
        given = base64.b64encode(f"me@example.com:{self.token}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {given}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, given = request.url.path, dict(request.url.params)
        if path == "/rest/api/2/serverInfo":
            return document({"deploymentType": "Cloud" if self.is_cloud else "Server"})
        if path == "/rest/api/2/myself":
            return document({"displayName": "Me", "timeZone": str(ZONE)})
        if path == "/rest/api/2/field":
            return document([{"id": "summary", "name": "Summary", "custom": False}, GROUP])
        if path == "/rest/api/3/search/jql" and self.is_cloud:
            return self._by_token(json.loads(request.content))
        if path == "/rest/api/2/search" and not self.is_cloud:
            return self._by_number(given)
        if path == "/rest/api/3/changelog/bulkfetch" and self.is_cloud:
            return self._change_logs(json.loads(request.content))
        if found := re.fullmatch(r"/rest/servicedeskapi/request/[SM]\d+-(\d+)/sla", path):
            return self._sla(self.tickets.get(int(found[1])))
        if found := re.fullmatch(r"/rest/api/2/issue/[SM]\d+-(\d+)", path):
            ticket = self.tickets.get(int(found[1]))
            # [V] Deleted issues are just absent. The old key of a moved one leads to it.
            if ticket is None or ticket not in self.visible():
                return httpx.Response(404, json={"errorMessages": ["Issue does not exist or you may not see it"]})
            return document(self._shown(ticket, self.issue(ticket), given["fields"].split(","), given))
        # [V] `/rest/api/3/search` is gone.
        return httpx.Response(410 if path.endswith("/search") else 404, json={"errorMessages": ["gone"]})

    def _found(self, jql: str) -> list[tuple[Ticket, dict[str, Any]]]:
        condition, order = jql.split(" ORDER BY ")
        # [V] bounded JQL
        assert "updated >= " in condition
        assert order == "created ASC, key ASC"
        rows = []
        for ticket in self.visible():
            known = [issue for since, issue in self.index[ticket.number] if since <= self.clock]
            if known and all(
                datetime.fromisoformat(known[-1]["fields"][name]) >= self._local(text)
                for name, text in re.findall(r'(updated|created) >= "([^"]+)"', condition)
            ):
                rows.append((ticket, known[-1]))
        return sorted(rows, key=lambda row: (row[0].opened_at, row[0].number))

    def _local(self, text: str) -> datetime:
        return datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=ZONE)

    def _by_token(self, asked: dict[str, Any]) -> httpx.Response:
        # [V] `nextPageToken`, no `startAt`, no total, only ids unless `fields`
        assert set(asked) <= {"jql", "fields", "maxResults", "nextPageToken"}
        last = self.tokens[asked["nextPageToken"]] if "nextPageToken" in asked else (datetime.min, 0)
        rows = [row for row in self._found(asked["jql"]) if (row[0].opened_at, row[0].number) > last]
        cut = rows[: self.random.randint(2, min(MOST, asked["maxResults"]))]
        more = {}
        if len(cut) < len(rows):
            token = f"token-{len(self.tokens)}"
            self.tokens[token] = (cut[-1][0].opened_at, cut[-1][0].number)
            more = {"nextPageToken": token}
        issues = [self._shown(ticket, issue, asked.get("fields", ()), {}) for ticket, issue in cut]
        return document({"issues": issues, "isLast": not more, **more})

    def _by_number(self, asked: dict[str, str]) -> httpx.Response:
        """Data Center's v2: `startAt`, `maxResults` cut to what the administrator allows, `expand=changelog`."""
        rows = self._found(asked["jql"]) if "jql" in asked else []
        begin, size = int(asked.get("startAt", 0)), min(int(asked["maxResults"]), MOST)
        issues = [
            self._shown(ticket, issue, asked["fields"].split(","), asked)
            for ticket, issue in rows[begin : begin + size]
        ]
        return document({"startAt": begin, "maxResults": size, "total": len(rows), "issues": issues})

    def issue(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "id": self.event_key(ticket),
            "key": self.incident_id(ticket),
            "self": f"{self.url}/rest/api/3/issue/{self.event_key(ticket)}",
            "fields": {
                "summary": f"Trouble {ticket.number}",
                "status": {"name": STATUS[ticket.state]},
                "priority": {"name": PRIORITY[ticket.priority]},
                "project": {
                    "key": f"S{self.seed}",
                    "projectTypeKey": "service_desk" if ticket.number % 3 else "software",
                },
                "assignee": _person(ticket.assignee) if ticket.assignee else None,
                "reporter": _person(ticket.caller),
                "creator": _person(ticket.caller),
                "created": _written(ticket.opened_at),
                "updated": _written(ticket.updated_at),
                "resolutiondate": _written(ticket.resolved_at) if ticket.resolved_at else None,
                GROUP["id"]: {"value": ticket.group},
            },
        }

    def _shown(self, ticket: Ticket, issue: dict[str, Any], wanted: Any, asked: dict[str, str]) -> dict[str, Any]:
        shown = {**issue, "fields": {name: value for name, value in issue["fields"].items() if name in wanted}}
        if asked.get("expand") == "changelog" and not self.is_cloud:
            histories = [self._entry(entry, is_epoch=False) for entry in ticket.entries if entry.items]
            shown["changelog"] = {"startAt": 0, "total": len(histories), "histories": histories}
        return shown

    def _entry(self, entry: Entry, *, is_epoch: bool) -> dict[str, Any]:
        items = []
        for what, before, after in entry.items:
            field = {"state": "status", "group": GROUP["name"], "key": "Key"}.get(what, what)
            table: Any = {"state": STATUS, "priority": PRIORITY}.get(what, {})
            item = {"field": field, "fromString": table.get(before, before), "toString": table.get(after, after)}
            # Cloud names the field's id besides; Data Center does not.
            items.append({**item, "fieldId": GROUP["id"] if what == "group" else field} if self.is_cloud else item)
        # [V] bulk fetch epoch milliseconds
        epoch = int(entry.at.replace(tzinfo=UTC).timestamp() * 1000)
        created = epoch if is_epoch else _written(entry.at)
        return {"id": str(entry.number), "author": _person(entry.actor), "created": created, "items": items}

    def _change_logs(self, asked: dict[str, Any]) -> httpx.Response:
        # [V] bulk fetch (up to 1,000 issues, `nextPageToken`); one issue's history may go over two pages.
        assert set(asked) <= {"issueIdsOrKeys", "maxResults", "nextPageToken", "fieldIds"}
        assert len(asked["issueIdsOrKeys"]) <= 1000
        wanted = [ticket for ticket in self.visible() if self.event_key(ticket) in asked["issueIdsOrKeys"]]
        after = int(asked.get("nextPageToken", -1))
        rows = sorted(
            (entry.number, self.event_key(ticket), entry)
            for ticket in wanted
            for entry in ticket.entries
            if entry.items and entry.number > after
        )
        logs: dict[str, list[Any]] = {}
        for _, id_, entry in rows[:AT_ONCE]:
            logs.setdefault(id_, []).append(self._entry(entry, is_epoch=True))
        shuffled = [{"issueId": id_, "changeHistories": entries} for id_, entries in logs.items()]
        self.random.shuffle(shuffled)
        token = str(rows[AT_ONCE - 1][0]) if len(rows) > AT_ONCE else None
        return document({"issueChangeLogs": shuffled, "nextPageToken": token})

    def is_breached(self, ticket: Ticket) -> bool:
        return ticket.number % 2 == 0

    def _sla(self, ticket: Ticket | None) -> httpx.Response:
        # [V] `/rest/servicedeskapi/request/{key}/sla` (`completedCycles`, `ongoingCycle`, `breached`, `paused`)
        if ticket is None or ticket not in self.visible():
            return httpx.Response(404, json={"errorMessage": "The request does not exist"})
        if ticket.number % 5 == 0:
            return httpx.Response(403, json={"errorMessage": "You are no agent of this service desk"})
        cycle = {"breached": self.is_breached(ticket)}
        is_done = ticket.state in ("resolved", "closed")
        target = {"completedCycles": [cycle]} if is_done else {"ongoingCycle": {**cycle, "paused": False}}
        other = {"name": "Time to first response", "completedCycles": [{"breached": True}]}
        return document({"isLastPage": True, "values": [{"name": "Time to resolution", **target}, other]})


class DataCenter(Jira):
    """Data Center: v2, personal access tokens, one index that is never late, no bulk interface."""

    is_cloud = False
