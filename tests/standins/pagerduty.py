"""PagerDuty's REST v2, as its documents describe it; [V] is a line of VENDORS.md, section "PagerDuty REST v2"."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx

from standins import BEGINNING, Standin, document, page

ANN = {"id": "PANN", "type": "user_reference", "summary": "Ann"}
BEN = {"id": "PBEN", "type": "user_reference", "summary": "Ben"}
MAIL = {"id": "SMAIL", "type": "service_reference", "summary": "Mail"}
TEAMS = tuple({"id": f"T{n}", "type": "team_reference", "summary": f"Team {n}"} for n in range(3))
LISTED = {"limit", "offset", "total", "time_zone", "since", "until", "team_ids[]", "include[]"}
TAKEN = {
    "incidents": LISTED | {
        "date_range", "incident_key", "service_ids[]", "user_ids[]", "urgencies[]", "statuses[]", "sort_by",
    },
    "log_entries": LISTED | {"is_overview"},
    "incident": {"include[]"},
}  # fmt: skip
"""The parameters of each request (OpenAPI description 2.0.0: listIncidents, listLogEntries, listIncidentLogEntries,
getIncident); another one is refused here."""
LONGEST = timedelta(days=184)
STATES = {"triggered": "new", "acknowledged": "in_progress", "resolved": "resolved"}


class PagerDuty(Standin):
    """Incidents with a log; the third team is hidden from our key."""

    # [V] `Authorization: Token token=...`
    form = "Token token={}"

    def __init__(self, seed: int, *, page_size: int, cap: int, incidents: int = 8) -> None:
        super().__init__(seed)
        self.page_size, self.cap = page_size, cap
        self.incidents: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self.ledger: list[tuple[str, str, datetime, str]] = []
        """Incident, what happened in our words, when, and whether a person or a machine did it."""
        self.clock = BEGINNING - timedelta(days=4)
        for _ in range(incidents):
            self._trigger()
            self.passes(hours=self.random.randint(1, 11))
        while self.clock < BEGINNING:
            self.change()
            self.passes(hours=self.random.randint(0, 9), seconds=self.random.randint(0, 59))

    # What happens in the tool.

    def change(self) -> None:
        """Somebody or something does one thing to one incident."""
        if self.random.random() < 0.15:
            self._trigger()
            return
        incident = self.random.choice(self.incidents)
        status = incident["status"]
        possible = {
            "triggered": (self._acknowledge, self._escalate, self._resolve, self._delegate, self._merge),
            "acknowledged": (self._snooze, self._unacknowledge, self._resolve, self._annotate, self._delegate),
            # [doc, OpenAPI: PUT /incidents] acknowledging a resolved incident opens it again
            "resolved": (self._acknowledge, self._annotate),
        }[status]
        if not incident["resolve_reason"]:
            self.random.choice(possible)(incident)
            incident["updated_at"] = self._now()

    def _now(self) -> str:
        return f"{self.clock:%Y-%m-%dT%H:%M:%SZ}"

    def _write(self, incident: dict[str, Any], type_: str, agent: dict[str, str] | None, **more: Any) -> None:
        self.log.append(
            {
                "id": f"R{self.seed}-{len(self.log)}",
                "type": f"{type_}_log_entry",
                "created_at": self._now(),
                "agent": agent,
                "channel": {"type": "website" if agent in (ANN, BEN) else "auto"},
                "incident": {"id": incident["id"], "type": "incident_reference"},
                "teams": incident["teams"],
                **more,
            }
        )

    def _did(self, incident: dict[str, Any], kind: str, who: str) -> None:
        self.ledger.append((incident["id"], kind, self.clock, who))

    def _trigger(self) -> None:
        incident = {
            "id": f"Q{self.seed}-{len(self.incidents)}",
            "type": "incident",
            "incident_number": len(self.incidents) + 1,
            "title": f"Trouble {len(self.incidents)}",
            "created_at": self._now(),
            "updated_at": self._now(),
            "status": "triggered",
            "service": MAIL,
            "teams": [self.random.choice(TEAMS)],
            "assignments": [],
            "urgency": "high",
            "priority": self.random.choice((None, {"id": "X", "summary": "P1"}, {"id": "Y", "summary": "P3"})),
            "resolved_at": None,
            "resolve_reason": None,
        }
        self.incidents.append(incident)
        self._write(incident, "trigger", MAIL)
        self._did(incident, "opened", "automation")
        self._did(incident, "group_assigned", "automation")
        if self.random.random() < 0.6:
            self._write(incident, "assign", MAIL, assignees=[ANN])
            self._did(incident, "assigned", "automation")

    def _acknowledge(self, incident: dict[str, Any]) -> None:
        incident |= {"status": "acknowledged", "resolved_at": None}
        self._write(incident, "acknowledge", ANN)
        self._did(incident, "acknowledged", "person")
        self._did(incident, "state", "person")

    def _unacknowledge(self, incident: dict[str, Any]) -> None:
        incident["status"] = "triggered"
        self._write(incident, "unacknowledge", MAIL)
        self._did(incident, "state", "automation")

    def _snooze(self, incident: dict[str, Any]) -> None:
        self._write(incident, "snooze", BEN)
        self._did(incident, "held", "person")

    def _escalate(self, incident: dict[str, Any]) -> None:
        self._write(incident, "escalate", MAIL, assignees=[BEN])
        self._did(incident, "escalated", "automation")

    def _delegate(self, incident: dict[str, Any]) -> None:
        self._write(incident, "delegate", ANN, assignees=[BEN])
        self._did(incident, "assigned", "person")
        self._did(incident, "group_assigned", "person")

    def _annotate(self, incident: dict[str, Any]) -> None:
        self._write(incident, "annotate", ANN)
        self._did(incident, "commented", "person")

    def _resolve(self, incident: dict[str, Any]) -> None:
        # [V] resolved incidents have no assignments
        incident |= {"status": "resolved", "resolved_at": self._now(), "assignments": []}
        agent, who = self.random.choice(((ANN, "person"), (MAIL, "automation")))
        self._write(incident, "resolve", agent)
        self._did(incident, "resolved", who)

    def _merge(self, incident: dict[str, Any]) -> None:
        target = next(
            (other for other in self.incidents if other["status"] != "resolved" and other is not incident), None
        )
        if target is None:
            return
        self._resolve(incident)
        incident["resolve_reason"] = {"type": "merge_resolve_reason", "incident": {"id": target["id"]}}
        self._did(incident, "merged", "unknown")

    # What the key may see, and how it is told.

    def may_see(self, incident: dict[str, Any]) -> bool:
        """Our key's user is in two teams only."""
        return incident["teams"][0] != TEAMS[2]

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.strip("/").split("/")
        given = request.url.params
        name = "incident" if len(path) == 2 and path[0] == "incidents" else path[-1]
        if strange := set(given) - TAKEN.get(name, set()):
            return _refused(400, f"Invalid parameters {strange}")
        if len(path) == 2 and path[0] == "incidents":
            found = self._find(path[1])
            return document({"incident": found}) if found else _refused(404, "Not Found")
        if path[-1] == "log_entries":
            whole = [entry for entry in reversed(self.log) if len(path) == 1 or entry["incident"]["id"] == path[1]]
            rows = whole if len(path) > 1 else self._between(whole, given)
            return self._listed(
                "log_entries", rows, given, lambda entry: self._find(entry["incident"]["id"]) is not None
            )
        if path == ["incidents"]:
            # [V] `/incidents` defaults to one month, at most six; `since`/`until` act on creation
            if given.get("date_range") != "all":
                if "since" in given and "until" in given and _stamp(given["until"]) - _stamp(given["since"]) > LONGEST:
                    return _refused(400, "Time range must not exceed six months")
                rows = self._between(self.incidents, given, usual=timedelta(days=30))
            else:
                rows = self.incidents
            return self._listed("incidents", rows, given, self.may_see)
        return _refused(404, "Not Found")

    def _find(self, id_: str) -> dict[str, Any] | None:
        return next((found for found in self.incidents if found["id"] == id_ and self.may_see(found)), None)

    def _between(self, rows: list[dict[str, Any]], given: Any, usual: timedelta | None = None) -> list[dict[str, Any]]:
        since = _stamp(given["since"]) if "since" in given else self.clock - usual if usual else datetime.min
        until = _stamp(given["until"]) if "until" in given else datetime.max
        # The vendor does not say which bounds belong to the span (PagerDuty/developer-docs#74): here neither does.
        return [row for row in rows if since < _stamp(row["created_at"]) < until]

    def _listed(self, name: str, rows: list[dict[str, Any]], given: Any, may_see: Any) -> httpx.Response:
        # [V] `limit` (25, at most 100), `offset`, `more`
        offset, limit = int(given.get("offset", 0)), min(int(given.get("limit", 25)), self.page_size)
        # [V] `offset+limit` over 10,000 is a 400
        if offset + limit > self.cap:
            return _refused(400, "Offset must be less than or equal to 9900")
        cut, more = page(rows, offset, limit)
        seen = [row for row in cut if may_see(row)]
        self.random.shuffle(seen)
        return document({name: seen, "limit": limit, "offset": offset, "more": more, "total": None})

    # What a puller must have in the end.

    def truth(self, since: datetime | None) -> list[dict[str, Any]]:
        """The incidents that were opened or touched since then, and may be seen."""
        touched = {
            entry["incident"]["id"] for entry in self.log if since is None or _stamp(entry["created_at"]) >= since
        }
        return [incident for incident in self.incidents if incident["id"] in touched and self.may_see(incident)]

    def when(self, incident: dict[str, Any], kind: str) -> list[datetime]:
        """When such a thing happened to an incident."""
        return [at for id_, what, at, _ in self.ledger if id_ == incident["id"] and what == kind]

    def reopenings(self, incident: dict[str, Any]) -> list[datetime]:
        """When an incident was taken on again after it was resolved."""
        resolved = self.when(incident, "resolved")
        taken = self.when(incident, "acknowledged")
        return [at for at in resolved if any(later > at for later in taken)]


def _stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def _refused(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": 2001, "message": message}})
