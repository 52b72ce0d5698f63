"""A status page's public interface, as its documents describe it; [V] is a line of VENDORS.md, section "Statuspage"."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from standins import BEGINNING, Standin, document

NEWEST = 6
"""Stands for the 50 incidents that a page gives (Status API v2)."""
NEXT = {"investigating": "identified", "identified": "monitoring", "monitoring": "resolved"}


class StatusPage(Standin):
    """Incidents with updates, and planned work among them; no token is asked for."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.incidents: list[dict[str, Any]] = []
        self.ledger: list[tuple[str, str, datetime]] = []
        self.gone: set[str] = set()
        self.passes(days=-2)
        while self.clock < BEGINNING:
            self.change()
            self.passes(hours=self.random.randint(1, 8))

    def accepts(self, request: httpx.Request) -> bool:
        return True

    def change(self) -> None:
        """Something is written on the page; a page is pulled before it has turned over, so openings are few."""
        # Some take long: they leave the newest ones while they are open.
        awake = [one for one in self.incidents if int(one["id"].split("-")[1]) % 3 or self.random.random() < 0.05]
        open_ = [incident for incident in awake if incident["status"] != "resolved"]
        chance = self.random.random()
        if chance < 0.25 and self._room():
            self._open("investigating", self.random.choice(("minor", "major", "critical")))
        elif chance < 0.3 and self._room():
            # [V] scheduled maintenance is in the same list and is no incident
            self._open("scheduled", "maintenance")
        elif chance < 0.35 and self.incidents:
            incident = self.random.choice(self.incidents)
            if incident["status"] == "resolved" and incident in self._newest():
                incident["resolved_at"] = None
                self._update(incident, "investigating", "reopened")
        elif open_:
            incident = self.random.choice(open_)
            if incident["impact"] != "maintenance":
                after = NEXT[incident["status"]]
                if after == "resolved":
                    incident["resolved_at"] = self._now()
                self._update(incident, after, "resolved" if after == "resolved" else "other")

    def _room(self) -> bool:
        """Between two pulls no more comes than the page shows."""
        return len(self.incidents) < NEWEST or self.random.random() < 0.3

    def _newest(self) -> list[dict[str, Any]]:
        return self.incidents[-NEWEST:]

    def _now(self) -> str:
        # [V] UTC with Z
        return f"{self.clock:%Y-%m-%dT%H:%M:%S}.123Z"

    def _open(self, status: str, impact: str) -> None:
        incident = {
            "id": f"i{self.seed}-{len(self.incidents)}",
            "name": f"Trouble {len(self.incidents)}",
            "status": status,
            "impact": impact,
            "created_at": self._now(),
            "resolved_at": None,
            "scheduled_for": self._now() if impact == "maintenance" else None,
            "components": [{"id": "c1", "name": "Payments"}],
            "incident_updates": [],
        }
        self.incidents.append(incident)
        self._update(incident, status, "other")

    def _update(self, incident: dict[str, Any], status: str, kind: str) -> None:
        incident["status"] = status
        incident["updated_at"] = self._now()
        number = len(incident["incident_updates"])
        incident["incident_updates"].insert(
            0, {"id": f"{incident['id']}u{number}", "status": status, "body": "...", "display_at": self._now()}
        )
        if incident["impact"] != "maintenance":
            self.ledger.append((incident["id"], kind, self.clock))

    def answer(self, request: httpx.Request) -> httpx.Response:
        page = {"id": "p1", "name": "Example", "url": self.url}
        if request.url.path == "/api/v2/status.json":
            return document({"page": page, "status": {"indicator": "none", "description": "All Systems Operational"}})
        if request.url.path == "/api/v2/incidents.json":
            return document({"page": page, "incidents": self._newest()[::-1]})
        if request.url.path == "/api/v2/incidents/unresolved.json":
            unresolved = [
                incident for incident in self.incidents if incident["status"] not in ("resolved", "completed")
            ]
            return document({"page": page, "incidents": unresolved[::-1]})
        return httpx.Response(404, html="<html><title>Not found</title></html>")
