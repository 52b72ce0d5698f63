"""Zendesk, as its documents describe it; [V] is a line of VENDORS.md, section "Zendesk"."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from standins import BEGINNING, document
from standins.desk import AGENTS, CALLERS, GROUPS, OPEN, ROBOT, WAYS, Desk, Entry, Ticket

STATUS = {"new": "new", "in_progress": "open", "on_hold": "pending", "resolved": "solved", "closed": "closed"}
PRIORITY = {1: "urgent", 2: "high", 3: "normal", 4: "low"}
PEOPLE = {name: 900 + number for number, name in enumerate((*AGENTS, *CALLERS))} | {ROBOT: -1}
TEAMS = {name: 70 + number for number, name in enumerate(GROUPS)}
FIELD = {"state": "status", "assignee": "assignee_id", "group": "group_id", "priority": "priority"}
METRICS = ("reply_time", "requester_wait_time", "agent_work_time", "resolution_time")
POLICY = {"target": 60, "target_in_seconds": 3600, "business_hours": False, "policy": {"id": 531, "title": "Main"}}
ME = {"id": 1, "name": "Me", "role": "admin"}


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _value(what: str, value: Any) -> Any:
    table: dict[str, dict[Any, Any]] = {"state": STATUS, "priority": PRIORITY, "assignee": PEOPLE, "group": TEAMS}
    found = table[what].get(value)
    # Audits write numbers as text ("Ticket Audit events reference").
    return None if found is None else str(found)


class Zendesk(Desk):
    """An account; its administrator sees everything. A closed ticket stays closed, and some are merged."""

    hides = False
    robot = "System"
    ways: ClassVar = {**WAYS, "closed": ()}

    def __init__(self, seed: int, *, page_size: int) -> None:
        self.page_size = page_size
        self.merged: set[int] = set()
        self.renamed: dict[int, int] = {}
        self.generated: dict[int, datetime] = {}
        self.metric_events: dict[int, list[dict[str, Any]]] = {}
        self.told_at: dict[int, datetime] = {}
        """Metric event -> when it last changed."""
        self.breaches: dict[int, dict[str, Any]] = {}
        super().__init__(seed)

    def change(self) -> None:
        running = [one for one in self.tickets.values() if one.state in OPEN and one.deleted_at is None]
        dice = self.random.random()
        if running and dice < 0.03:
            # A merged ticket is closed and has the tag `closed_by_merge` (Support documentation, "Merging tickets").
            ticket = self.random.choice(running)
            self.merged.add(ticket.number)
            self.note(ticket, "Ann", ("state", "closed"))
        elif running and dice < 0.08:
            # [V] It selects by `generated_timestamp`, so never filter again by `updated_at`: this does not move it.
            number = self.random.choice(running).number
            self.renamed[number] = self.renamed.get(number, 0) + 1
            self.generated[number] = self.clock
        elif (timed := [one for one in running if self.is_timed(one)]) and dice < 0.14:
            # A target is breached when its time is over; the ticket itself does not change.
            number = self.random.choice(timed).number
            self.breaches[number] = self.measured(number, METRICS[1 + number % 3], "breach")
        elif self.breaches and dice < 0.16:
            self.take_back(self.random.choice(list(self.breaches)))
        else:
            super().change()

    def is_timed(self, ticket: Ticket) -> bool:
        """Whether a target of a ticket runs: of four tickets one has no policy."""
        return ticket.number % 4 != 0 and ticket.number not in self.breaches

    def sla_met(self, ticket: Ticket) -> bool | None:
        """Say what the verdict on a ticket must be."""
        if ticket.number in self.breaches:
            return False
        return True if ticket.number % 4 != 0 and ticket.state not in OPEN else None

    def touched(self, ticket: Ticket) -> None:
        self.generated[ticket.number] = self.clock
        number = ticket.number
        if number not in self.metric_events:
            # "You'll see an activate event for all metrics", with a policy or without (Ticket metric event types).
            for metric in METRICS:
                self.measured(number, metric, "measure")
                self.measured(number, metric, "activate")
                if number % 4 != 0 and metric in ("reply_time", METRICS[1 + number % 3]):
                    self.measured(number, metric, "apply_sla", sla=POLICY)
            self.measured(number, "reply_time", "breach")
        for metric in METRICS[1:]:
            stands = [one["type"] for one in self.metric_events[number] if one["metric"] == metric]
            clock = [type_ for type_ in stands if type_ in ("activate", "pause", "fulfill")][-1]
            paused = ticket.state == "on_hold" and metric != "resolution_time"
            now = "pause" if paused else "activate" if ticket.state in OPEN else "fulfill"
            if now != clock:
                self.measured(number, metric, now)
            if now == "fulfill" != clock:
                self.measured(number, metric, "update_status", status={"calendar": 5, "business": 3})

    def take_back(self, number: int) -> None:
        """A breach was none: "If true, the event has been deleted" (Ticket Metric Events). Its ticket need not change."""
        event = self.breaches.pop(number)
        event["deleted"] = True
        self.told_at[event["id"]] = self.clock

    def measured(self, number: int, metric: str, type_: str, **more: Any) -> dict[str, Any]:
        """Enter a metric event of a ticket."""
        id_ = self.seed * 100_000 + len(self.told_at)
        event: dict[str, Any] = {
            "id": id_,
            "ticket_id": self.seed * 1000 + number,
            "metric": metric,
            "instance_id": 1,
            "type": type_,
        }
        event |= {"time": _written(self.clock), **more}
        self.metric_events.setdefault(number, []).append(event)
        self.told_at[id_] = self.clock
        return event

    def title(self, ticket: Ticket) -> str:
        return f"Trouble {ticket.number}, {self.renamed.get(ticket.number, 0)} times seen to by the system"

    def excluded_as(self, ticket: Ticket) -> str | None:
        return "deleted" if ticket.deleted_at else "duplicate" if ticket.number in self.merged else None

    def told(self, ticket: Ticket) -> Iterator[tuple[Any, ...]]:
        yield from super().told(ticket)
        # The first audit says what the ticket began with.
        made = self.event_key(ticket), ticket.opened_at, ticket.caller
        for kind, value in (("state", "new"), ("group_assigned", GROUPS[0]), ("priority", "3")):
            yield made[0], kind, made[1], None, value, made[2], "person"

    def accepts(self, request: httpx.Request) -> bool:
        given = base64.b64encode(f"me@example.com/token:{self.token}".encode()).decode()
        # Without authentication this address answers to anybody.
        return request.headers.get("Authorization") == f"Basic {given}" or "users/me" in request.url.path

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, given = request.url.path, request.url.params
        if path == "/api/v2/users/me.json":
            is_me = super().accepts(request) or self.accepts(request.__class__("GET", "/", headers=request.headers))
            return document({"user": ME if is_me else {"id": None, "name": "Anonymous user"}})
        if path == "/api/v2/incremental/tickets/cursor.json":
            return self._exported(request)
        if path == "/api/v2/incremental/ticket_metric_events.json":
            return self._events(request)
        if path == "/api/v2/tickets/show_many.json":
            asked = {int(id_) % 1000 for id_ in given["ids"].split(",")}
            assert len(asked) <= 100
            shown = [one for number, one in self.tickets.items() if number in asked and one.deleted_at is None]
            return document({"tickets": [self._ticket(one) for one in shown]})
        if path == "/api/v2/groups.json":
            return self._paged(request, "groups", [{"id": id_, "name": name} for name, id_ in TEAMS.items()])
        if path == "/api/v2/users/show_many.json":
            asked = {int(id_) for id_ in given["ids"].split(",")}
            assert len(asked) <= 100
            person = {"role": "agent", "email": "x@example.com"}
            return document(
                {"users": [{"id": id_, "name": name, **person} for name, id_ in PEOPLE.items() if id_ in asked]}
            )
        if found := re.fullmatch(r"/api/v2/tickets/(\d+)/audits.json", path):
            ticket = self.tickets.get(int(found[1]) % 1000)
            if ticket is None or ticket.deleted_at is not None:
                return httpx.Response(404, json={"error": "RecordNotFound", "description": "Not found"})
            return self._paged(request, "audits", self._audits(ticket))
        if found := re.fullmatch(r"/api/v2/tickets/(\d+).json", path):
            ticket = self.tickets.get(int(found[1]) % 1000)
            if ticket is None or ticket.deleted_at is not None:
                return httpx.Response(404, json={"error": "RecordNotFound", "description": "Not found"})
            # "Side-loading": `metric_events`, of a single ticket; by metric, as the vendor's sla_event_tracking_app has it.
            assert given["include"] == "metric_events"
            events = self.metric_events[ticket.number]
            told = {metric: [one for one in events if one["metric"] == metric] for metric in METRICS}
            return document({"ticket": {**self._ticket(ticket), "metric_events": told}})
        return httpx.Response(404, json={"error": "InvalidEndpoint"})

    def _exported(self, request: httpx.Request) -> httpx.Response:
        """[V] `start_time`, `after_cursor`, `end_of_stream`; the last minute is left out; deleted tickets are included."""
        given = request.url.params
        if "cursor" in given:
            seconds, number = json.loads(base64.b64decode(given["cursor"]))
            last = (BEGINNING + timedelta(seconds=seconds), number)
        else:
            last = (datetime.fromtimestamp(int(given["start_time"]), UTC).replace(tzinfo=None), -1)
        until = self.clock - timedelta(minutes=1)
        rows = sorted((at, number) for number, at in self.generated.items() if (at, number) > last and at <= until)
        cut = rows[: min(self.page_size, int(given.get("per_page", 1000)))]
        last = cut[-1] if cut else last
        cursor = base64.b64encode(json.dumps([(last[0] - BEGINNING).total_seconds(), last[1]]).encode()).decode()
        return document(
            {
                "tickets": [self._ticket(self.tickets[number], at) for at, number in cut],
                "after_cursor": cursor,
                "after_url": str(request.url.copy_with(params={"cursor": cursor})),
                "end_of_stream": len(cut) == len(rows),
            }
        )

    def _events(self, request: httpx.Request) -> httpx.Response:
        """[V] `ticket_metric_events`, "on or after the start time"; the page's end is the next one's start.

        What `include_changes` does beyond "an accurate representation of data changes" is not described: here an event
        that changed comes again, by the instant of its change. Events of one instant are never torn apart.
        """
        given = request.url.params
        begin = int(given["start_time"])
        if begin > (self.clock - timedelta(minutes=1)).replace(tzinfo=UTC).timestamp():
            said = "Too recent start_time. Use a start_time older than 60 seconds"
            return httpx.Response(422, json={"error": "InvalidValue", "description": said})
        assert given["include_changes"] == "true"
        until = self.clock - timedelta(minutes=1)
        events = {one["id"]: one for told in self.metric_events.values() for one in told}
        seconds = {id_: int(at.replace(tzinfo=UTC).timestamp()) for id_, at in self.told_at.items() if at <= until}
        rows = sorted((second, id_) for id_, second in seconds.items() if second >= begin)
        later = [second for second, _ in rows if second > begin][: min(self.page_size, int(given["per_page"]))]
        end = later[-1] if later else begin
        cut = [events[id_] for second, id_ in rows if second <= end]
        link = str(request.url.copy_merge_params({"start_time": str(end)}))
        more = {"end_time": end, "next_page": link, "end_of_stream": len(cut) == len(rows)}
        return document({"ticket_metric_events": cut, "count": len(cut), **more})

    def _ticket(self, ticket: Ticket, generated: datetime | None = None) -> dict[str, Any]:
        id_ = int(self.incident_id(ticket))
        return {
            "id": id_,
            "url": f"{self.url}/api/v2/tickets/{id_}.json",
            "subject": self.title(ticket),
            "status": "deleted" if ticket.deleted_at else STATUS[ticket.state],
            "priority": PRIORITY[ticket.priority],
            "requester_id": PEOPLE[ticket.caller],
            "submitter_id": PEOPLE[ticket.caller],
            "assignee_id": PEOPLE[ticket.assignee] if ticket.assignee else None,
            "group_id": TEAMS[ticket.group],
            "tags": ["closed_by_merge"] if ticket.number in self.merged else [],
            "via": {"channel": "email"},
            "created_at": _written(ticket.opened_at),
            "updated_at": _written(ticket.deleted_at or ticket.updated_at),
        } | ({"generated_timestamp": int(generated.replace(tzinfo=UTC).timestamp())} if generated else {})

    def _audits(self, ticket: Ticket) -> list[dict[str, Any]]:
        first = (("state", None, "new"), ("group", None, GROUPS[0]), ("priority", None, 3))
        made = Entry(self.seed * 100_000 - 50_000 + ticket.number, ticket.opened_at, ticket.caller, first)
        return [self._audit(ticket, entry) for entry in (made, *ticket.entries)]

    def _audit(self, ticket: Ticket, entry: Entry) -> dict[str, Any]:
        kind = "Change" if entry in ticket.entries else "Create"
        events: list[dict[str, Any]] = [
            {"type": kind, "field_name": FIELD[what], "value": _value(what, after)}
            | ({"previous_value": _value(what, before)} if kind == "Change" else {})
            for what, before, after in entry.items
        ]
        if not entry.items:
            events = [{"type": "Comment", "body": "hello", "public": True}]
        events.append({"type": "Notification", "subject": "Your ticket"})
        return {
            "id": entry.number,
            "ticket_id": int(self.incident_id(ticket)),
            "author_id": PEOPLE[entry.actor],
            "created_at": _written(entry.at),
            "via": {"channel": "rule" if entry.actor == ROBOT else "web"},
            "events": [{"id": entry.number * 10 + place, **event} for place, event in enumerate(events)],
        }

    def _paged(self, request: httpx.Request, name: str, rows: list[dict[str, Any]]) -> httpx.Response:
        """Cursor pagination: `page[size]` (at most 100), `meta.has_more`, `links.next`, which is there at the end, too."""
        given = request.url.params
        at, size = int(given.get("page[after]", 0)), min(int(given.get("page[size]", 100)), self.page_size)
        link = str(request.url.copy_merge_params({"page[after]": str(at + size), "page[size]": str(size)}))
        more = {"meta": {"has_more": at + size < len(rows)}, "links": {"next": link}}
        return document({name: rows[at : at + size], **more})
