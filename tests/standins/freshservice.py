"""Freshservice, as far as anything is known of it; [V] is a line of VENDORS.md, section "Freshservice" (the weakest one).

What nobody says is made as unhelpful as it may be: lists come by creation, or, of every second stand-in, by the last
change; the order of activities is the newest first there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx

from standins import document
from standins.desk import AGENTS, CALLERS, GROUPS, ROBOT, Desk, Entry, Ticket

STATUS = {"new": 2, "in_progress": 6, "on_hold": 3, "resolved": 4, "closed": 5}
WORDS = {
    "new": "Open",
    "in_progress": "Being Processed",
    "on_hold": "Pending",
    "resolved": "Resolved",
    "closed": "Closed",
}
PRIORITY = {1: 4, 2: 3, 3: 2, 4: 1}
LEVELS = {1: "Urgent", 2: "High", 3: "Medium", 4: "Low"}
PEOPLE = {name: 900 + number for number, name in enumerate((*AGENTS, *CALLERS))}
TEAMS = {name: 70 + number for number, name in enumerate(GROUPS)}
SAYS = {
    "state": lambda value: f" set Status as {WORDS[value]}",
    "priority": lambda value: f" set Priority as {LEVELS[value]}",
    "assignee": lambda value: f" set Agent as {value}",
    "group": lambda value: f" set Group as {value}",
}
KINDS = {"on_hold": "held", "resolved": "resolved", "closed": "closed"}


def _written(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None


class Freshservice(Desk):
    """An account with a status of its own; the key's owner sees part of it, and some deleted tickets are gone for good."""

    robot = "System"
    lags = (0, 0, 0, 30, 120)
    """A change is stamped before lists show it."""

    def __init__(self, seed: int, *, page_size: int, last_page: int) -> None:
        self.page_size, self.last_page = page_size, last_page
        self.purged: set[int] = set()
        super().__init__(seed)

    def _delete(self, ticket: Ticket) -> None:
        super()._delete(ticket)
        if self.random.random() < 0.3:
            self.purged.add(ticket.number)

    def told(self, ticket: Ticket) -> Iterator[tuple[Any, ...]]:
        """An activity says what a field became, not what it was, and not who opened a ticket in so many words."""
        for key, kind, at, _, after, actor, who in super().told(ticket):
            if kind == "opened":
                yield key, kind, at, None, None, None, "unknown"
                first = (("state", "new"), ("group_assigned", GROUPS[0]), ("priority", "3"))
                yield from ((key, what, at, None, value, actor, who) for what, value in first)
            elif kind in ("held", "resumed", "reopened", "state", "resolved", "closed"):
                yield key, KINDS.get(after, "state"), at, None, after, actor, who
            else:
                yield key, kind, at, None, after, actor, who

    def remark(self, entry: Entry) -> tuple[Any, ...]:
        return "other", entry.at, None, None

    def accepts(self, request: httpx.Request) -> bool:
        # [V] Basic with the API key as user
        given = base64.b64encode(f"{self.token}:X".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {given}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, given = request.url.path, request.url.params
        if path == "/api/v2/tickets":
            return self._listed(given)
        if found := re.fullmatch(r"/api/v2/tickets/(\d+)(/activities)?", path):
            ticket = self.tickets.get(int(found[1]) % 1000)
            if ticket is None or ticket.is_hidden or ticket.number in self.purged or (ticket.deleted_at and found[2]):
                return httpx.Response(404)
            if found[2]:
                return self._activities(request, ticket)
            return document({"ticket": self._ticket(ticket, with_stats="stats" in given.get("include", ""))})
        if path == "/api/v2/groups" and self.seed % 3 == 0:
            # [V] 403 on modules outside the plan
            return httpx.Response(403, json={"code": "access_denied", "message": "You are not authorized"})
        if path in ("/api/v2/agents", "/api/v2/groups"):
            names = PEOPLE if path.endswith("agents") else TEAMS
            made = [{"id": id_, "first_name": name, "last_name": None} for name, id_ in names.items()]
            return document({path.rsplit("/", 1)[-1]: self._cut(made, given)})
        return httpx.Response(404)

    def _cut(self, rows: list[Any], given: Any) -> list[Any]:
        size = min(int(given.get("per_page", 30)), self.page_size)
        begin = (int(given.get("page", 1)) - 1) * size
        return rows[begin : begin + size]

    def _listed(self, given: Any) -> httpx.Response:
        # [V] an error past page 300
        if int(given.get("page", 1)) > self.last_page:
            message = "You cannot access tickets beyond the 300th page. Please provide a smaller page number."
            return httpx.Response(400, json={"description": "Validation failed", "errors": [{"message": message}]})
        # [V] without `updated_since` perhaps only 30 days
        since = _written(self.clock - timedelta(days=30))
        assert since is not None
        since = given.get("updated_since", since)
        # [V] `filter=deleted`
        wanted = given.get("filter") == "deleted"
        rows = [
            row
            for row in ([one for one in self.tickets.values() if one.deleted_at] if wanted else self.shown())
            if row.number not in self.purged
            and not self.tickets[row.number].is_hidden
            and str(_written(row.deleted_at or row.updated_at)) > since
        ]
        if self.seed % 2:
            rows.sort(key=lambda row: (row.deleted_at or row.updated_at, row.number))
        if given.get("order_type") != "asc":
            rows.reverse()
        made = [self._ticket(row, with_stats="stats" in given.get("include", "")) for row in rows]
        return document({"tickets": self._cut(made, given)})

    def _ticket(self, ticket: Ticket, *, with_stats: bool) -> dict[str, Any]:
        # [V] status and priority are integers
        made = {
            "id": int(self.incident_id(ticket)),
            "subject": f"Trouble {ticket.number}",
            "type": "Incident",
            "status": STATUS[ticket.state],
            "priority": PRIORITY[ticket.priority],
            "source": 1,
            "requester_id": PEOPLE[ticket.caller],
            "responder_id": PEOPLE[ticket.assignee] if ticket.assignee else None,
            "group_id": TEAMS[ticket.group],
            "is_escalated": False,
            "deleted": ticket.deleted_at is not None,
            "created_at": _written(ticket.opened_at),
            "updated_at": _written(ticket.deleted_at or ticket.updated_at),
        }
        stats = {"resolved_at": _written(ticket.resolved_at), "closed_at": _written(ticket.closed_at)}
        return {**made, **({"stats": stats} if with_stats else {})}

    def _activities(self, request: httpx.Request, ticket: Ticket) -> httpx.Response:
        first = (("state", None, "new"), ("group", None, GROUPS[0]), ("priority", None, 3))
        entries = [Entry(0, ticket.opened_at, ticket.caller, first), *ticket.entries]
        rows = [self._activity(entry) for entry in (entries if self.seed % 2 else reversed(entries))]
        begin = int(request.url.params.get("page", 1)) - 1
        answer = document({"activities": rows[begin * 5 : begin * 5 + 5]})
        if begin * 5 + 5 < len(rows):
            link = request.url.copy_merge_params({"page": str(begin + 2)})
            answer.headers["Link"] = f'<{link}>; rel="next"'
        return answer

    def _activity(self, entry: Entry) -> dict[str, Any]:
        sentences = [SAYS[what](after) for what, _, after in entry.items]
        is_robot = entry.actor == ROBOT
        about = {
            "actor": {"id": 0 if is_robot else PEOPLE[entry.actor], "name": self.robot if is_robot else entry.actor}
        }
        if len(sentences) == 1:
            return {**about, "content": sentences[0], "sub_contents": [], "created_at": _written(entry.at)}
        content = " updated the ticket" if sentences else f" added a note {entry.number}"
        return {**about, "content": content, "sub_contents": sentences, "created_at": _written(entry.at)}
