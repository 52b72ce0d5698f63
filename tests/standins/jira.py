"""Jira as a stand-in, Cloud and Data Center; each rule names the line of VENDORS.md or the vendor's page."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from standins import ROBOT, START, Change, StandIn, Ticket

WORDS = {
    "new": "Open",
    "in_progress": "In Progress",
    "on_hold": "Waiting for customer",
    "resolved": "Resolved",
    "closed": "Closed",
}
PRIORITIES = {1: "Highest", 2: "High", 3: "Medium", 4: "Low"}
ZONE = ZoneInfo("America/Sao_Paulo")
"""VENDORS.md, Jira: "JQL dates are read in the API user's zone, to the minute"."""
LAG = timedelta(minutes=10)
"""VENDORS.md, Jira: "Eventually consistent: overlap the watermark (15 min) or a row is lost for good"."""
MOST = 4
"""`maxResults` is what one may get at most: the tool gives fewer as it likes ("Issue search", search/jql)."""


def stamp(at: datetime) -> str:
    """VENDORS.md, Jira: "fields carry offsets (2024-01-15T10:30:00.000+0000)"."""
    return at.replace(tzinfo=UTC).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S.000%z")


def person(name: str) -> dict[str, str]:
    return {"displayName": name, "accountType": "app" if name == ROBOT else "atlassian"}


class Jira(StandIn):
    """Cloud and Data Center; a service desk's project."""

    is_cloud = True

    def __init__(self, seed: int, faults: float = 0.25) -> None:
        super().__init__(seed, faults)
        self.tokens: dict[str, tuple[str, int]] = {}

    def incident_id(self, ticket: Ticket) -> str:
        return f"S{self.seed}-{ticket.number}"

    def is_let_in(self, request: httpx.Request) -> bool:
        if self.is_cloud:
            # VENDORS.md, Jira: "Basic with e-mail and API token".
            given = base64.b64encode(f"me@example.com:{self.secret}".encode()).decode()
            return request.headers.get("Authorization") == f"Basic {given}"
        return request.headers.get("Authorization") == f"Bearer {self.secret}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/rest/api/2/serverInfo":
            return httpx.Response(200, json={"deploymentType": "Cloud" if self.is_cloud else "Server"})
        if path == "/rest/api/2/myself":
            return httpx.Response(200, json={"displayName": "Me", "timeZone": str(ZONE)})
        if path == "/rest/api/3/search/jql" and self.is_cloud:
            return self.search_by_token(json.loads(request.content))
        if path == "/rest/api/2/search" and not self.is_cloud:
            return self.search_by_number(dict(request.url.params))
        if path == "/rest/api/3/changelog/bulkfetch" and self.is_cloud:
            return self.change_logs(json.loads(request.content))
        if found := re.fullmatch(r"/rest/servicedeskapi/request/S\d+-(\d+)/sla", path):
            return self.sla(self.desk.tickets[int(found[1])])
        if found := re.fullmatch(r"/rest/api/2/issue/S\d+-(\d+)", path):
            ticket = self.desk.tickets.get(int(found[1]))
            if ticket is None or ticket not in self.visible():
                return httpx.Response(404, json={"errorMessages": ["Issue does not exist"]})
            return httpx.Response(200, json={"key": self.incident_id(ticket)})
        # VENDORS.md, Jira: "`/rest/api/3/search` is gone".
        return httpx.Response(410 if path.endswith("/search") else 404, json={"errorMessages": ["gone"]})

    def found(self, jql: str) -> list[Ticket]:
        """VENDORS.md, Jira: "bounded JQL"; a search shows an issue as the index has it, late."""
        condition, order = jql.split(" ORDER BY ")
        assert order == "created ASC, key ASC"
        rows = [ticket for ticket in self.visible() if self.indexed(ticket)]
        for name, text in re.findall(r'(updated|created) >= "([^"]+)"', condition):
            local = datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=ZONE)
            bound = local.astimezone(UTC).replace(tzinfo=None)
            when = "opened_at" if name == "created" else "updated_at"
            rows = [ticket for ticket in rows if getattr(ticket, when) >= bound]
        return sorted(rows, key=lambda ticket: (ticket.opened_at, ticket.number))

    def indexed(self, ticket: Ticket) -> bool:
        if not self.is_cloud or ticket.updated_at <= self.desk.now - LAG:
            return True
        return hash((self.seed, ticket.number, ticket.updated_at)) % 3 > 0

    def search_by_token(self, asked: dict[str, Any]) -> httpx.Response:
        """VENDORS.md, Jira: "nextPageToken, no startAt, no total, only ids unless fields"."""
        assert "startAt" not in asked
        last = self.tokens[asked["nextPageToken"]] if "nextPageToken" in asked else (START, 0)
        rows = [t for t in self.found(asked["jql"]) if (t.opened_at, t.number) > last]
        page = rows[: min(MOST, asked["maxResults"])]
        token = f"token-{len(self.tokens)}"
        if page:
            self.tokens[token] = (page[-1].opened_at, page[-1].number)
        is_last = len(page) == len(rows)
        return httpx.Response(
            200,
            json={
                "issues": [self.issue(ticket, asked.get("fields", ())) for ticket in page],
                "isLast": is_last,
                **({} if is_last else {"nextPageToken": token}),
            },
        )

    def search_by_number(self, asked: dict[str, str]) -> httpx.Response:
        """Data Center's v2 pages by `startAt`; with `expand=changelog` each issue brings its change log."""
        rows = self.found(asked["jql"])
        begin, size = int(asked["startAt"]), int(asked["maxResults"])
        issues = []
        for ticket in rows[begin : begin + size]:
            issue = self.issue(ticket, asked["fields"].split(","))
            if "changelog" in asked.get("expand", ""):
                histories = [self.entry(ticket, change) for change in ticket.changes]
                issue["changelog"] = {"startAt": 0, "total": len(histories), "histories": histories}
            issues.append(issue)
        return httpx.Response(200, json={"startAt": begin, "total": len(rows), "issues": issues})

    def issue(self, ticket: Ticket, wanted: Any) -> dict[str, Any]:
        fields = {
            "summary": f"Ticket {ticket.number}",
            "status": {"name": WORDS[ticket.state]},
            "priority": {"name": PRIORITIES[ticket.priority]},
            "project": {"key": f"S{self.seed}", "projectTypeKey": "service_desk"},
            "assignee": person(ticket.assignee) if ticket.assignee else None,
            "reporter": person(ticket.caller),
            "creator": person(ticket.caller),
            "created": stamp(ticket.opened_at),
            "updated": stamp(ticket.updated_at),
            "resolutiondate": stamp(ticket.resolved_at) if ticket.resolved_at else None,
            "customfield_1": {"value": ticket.group},
        }
        return {
            "id": str(self.seed * 1000 + ticket.number),
            "key": self.incident_id(ticket),
            "fields": {name: value for name, value in fields.items() if name in wanted},
        }

    def entry(self, ticket: Ticket, change: Change) -> dict[str, Any]:
        before, after, field = change.before, change.after, change.what
        if field == "state":
            field, before, after = "status", WORDS[before], WORDS[after]
        elif field == "priority":
            before, after = PRIORITIES[before], PRIORITIES[after]
        elif field == "group":
            field = "Team"
        item = {"field": field, "fromString": before, "toString": after}
        item["fieldId"] = "customfield_1" if change.what == "group" else field
        return {
            "id": str(change.number),
            "author": person(change.actor),
            "created": stamp(change.at),
            "items": [item],
        }

    def change_logs(self, asked: dict[str, Any]) -> httpx.Response:
        """VENDORS.md, Jira: "bulk fetch (up to 1,000 issues, nextPageToken)", "bulk fetch epoch milliseconds".

        One issue's history may go over two pages, and nothing says in which order issues come.
        """
        assert len(asked["issueIdsOrKeys"]) <= 1000
        begin = int(asked.get("nextPageToken", 0))
        entries = []
        for id_ in asked["issueIdsOrKeys"]:
            ticket = self.desk.tickets[int(id_) % 1000]
            if ticket in self.visible():
                entries += [(id_, self.entry(ticket, change)) for change in ticket.changes]
        # Entries are added at the end while pages are asked for, as ids grow.
        entries.sort(key=lambda pair: int(pair[1]["id"]))
        page = entries[begin : begin + 25]
        logs: dict[str, list[Any]] = {}
        for id_, entry in page:
            epoch = int(datetime.fromisoformat(entry["created"]).timestamp() * 1000)
            logs.setdefault(id_, []).append({**entry, "created": epoch})
        shuffled = list(logs.items())
        self.random.shuffle(shuffled)
        more = begin + 25 < len(entries)
        document: dict[str, Any] = {"issueChangeLogs": [{"issueId": i, "changeHistories": e} for i, e in shuffled]}
        if more:
            document["nextPageToken"] = str(begin + 25)
        return httpx.Response(200, json=document)

    def sla(self, ticket: Ticket) -> httpx.Response:
        """VENDORS.md, Jira: "`/rest/servicedeskapi/request/{key}/sla` (completedCycles, ongoingCycle, breached, paused)"."""
        if ticket not in self.visible():
            return httpx.Response(404, json={"errorMessage": "no such request"})
        cycle = {"breached": ticket.number % 2 == 0}
        is_done = ticket.state in ("resolved", "closed")
        target = {
            "completedCycles": [cycle] if is_done else [],
            **({} if is_done else {"ongoingCycle": {**cycle, "paused": False}}),
        }
        other = {"name": "Time to first response", "completedCycles": [{"breached": True}]}
        return httpx.Response(
            200, json={"isLastPage": True, "values": [{"name": "Time to resolution", **target}, other]}
        )


class DataCenter(Jira):
    """Data Center: v2, personal access tokens, one index, no bulk interface."""

    is_cloud = False
