"""Zabbix's interface, as its manual describes it ("API: event.get", 5.4 to 7.0)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx

from standins import BEGINNING, Standin, document

PAGE = 7


class Zabbix(Standin):
    """Problems of triggers, their recoveries and their updates; one host is hidden from our user."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.events: list[dict[str, Any]] = []
        self.ledger: list[tuple[str, str, datetime, str]] = []
        self.passes(days=-3)
        while self.clock < BEGINNING:
            self.change()
            self.passes(hours=self.random.randint(0, 7), seconds=self.random.randint(0, 50))

    def respond(self, request: httpx.Request) -> httpx.Response:
        # An error of JSON-RPC comes with 200, a token that is not accepted, too (manual: "API: error handling").
        if not self.accepts(request):
            answer = document(
                {
                    "jsonrpc": "2.0",
                    "error": {"code": -32602, "message": "Invalid params.", "data": "Not authorized."},
                    "id": 1,
                }
            )
            answer.headers["Date"] = super().respond(request).headers["Date"]
            return answer
        return super().respond(request)

    def change(self) -> None:
        """A problem comes, goes, or is looked after."""
        open_ = [event for event in self.events if event["value"] == "1" and event["r_eventid"] == "0"]
        chance = self.random.random()
        if chance < 0.25 or not open_:
            self._event("1", self.random.choice(("mx01", "web05", "hidden")), str(self.random.randint(0, 5)))
            self._did(self.events[-1], "opened", "automation")
            return
        problem = self.random.choice(open_)
        if chance < 0.5:
            recovery = self._event("0", problem["hosts"][0]["host"], "0")
            # One recovery may end several problems of a trigger (manual: "Multiple problem generation").
            alike = [one for one in open_ if one["hosts"] == problem["hosts"] and self.random.random() < 0.5]
            for one in {one["eventid"]: one for one in [problem, *alike]}.values():
                one["r_eventid"] = recovery["eventid"]
                self._did(one, "resolved", "automation")
            return
        update = self.random.choice(("acknowledge", "unacknowledge", "suppress", "message"))
        is_acknowledged, is_suppressed = problem["acknowledged"] == "1", problem["suppressed"] == "1"
        if update == "acknowledge" and not is_acknowledged:
            problem["acknowledged"] = "1"
            # 2 acknowledge + 4 add message
            self._update(problem, 6)
            self._did(problem, "acknowledged", "person")
            self._did(problem, "commented", "person")
            if not is_suppressed:
                self._did(problem, "state", "person")
        elif update == "unacknowledge" and is_acknowledged:
            problem["acknowledged"] = "0"
            self._update(problem, 16)
            if not is_suppressed:
                self._did(problem, "state", "person")
        elif update == "suppress":
            problem["suppressed"] = "0" if is_suppressed else "1"
            self._update(problem, 64 if is_suppressed else 32)
            self._did(problem, "resumed" if is_suppressed else "held", "person")
        elif update == "message":
            self._update(problem, 4)
            self._did(problem, "commented", "person")

    def _seconds(self) -> str:
        return str(int(self.clock.replace(tzinfo=UTC).timestamp()))

    def _event(self, value: str, host: str, severity: str) -> dict[str, Any]:
        event = {
            "eventid": str(self.seed * 100_000 + len(self.events) + 1),
            "source": "0",
            "object": "0",
            "clock": self._seconds(),
            "value": value,
            "acknowledged": "0",
            "suppressed": "0",
            "name": f"Trouble on {host}",
            "severity": severity,
            "r_eventid": "0",
            "userid": "0",
            "hosts": [{"hostid": "1", "host": host}],
            "acknowledges": [],
        }
        self.events.append(event)
        return event

    def _update(self, problem: dict[str, Any], action: int) -> None:
        number = len(problem["acknowledges"]) + 1
        problem["acknowledges"].insert(
            0,
            {
                "acknowledgeid": str(number), "userid": "7", "username": "ann", "clock": self._seconds(),
                "action": str(action), "message": "", "old_severity": "0", "new_severity": "0",
            },
        )  # fmt: skip

    def _did(self, event: dict[str, Any], kind: str, who: str) -> None:
        self.ledger.append((event["eventid"], kind, self.clock, who))

    def may_see(self, event: dict[str, Any]) -> bool:
        """A host of a group that our user may not read is absent (manual: "User groups, permissions")."""
        return event["hosts"][0]["host"] != "hidden"

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if request.url.path != "/api_jsonrpc.php" or asked["method"] != "event.get":
            return document({"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found."}, "id": 1})
        given = asked["params"]
        rows = [event for event in self.events if self.may_see(event)]
        if "value" in given:
            rows = [event for event in rows if int(event["value"]) in given["value"]]
        if "eventid_from" in given:
            rows = [event for event in rows if int(event["eventid"]) >= int(given["eventid_from"])]
        if "time_from" in given:
            rows = [event for event in rows if int(event["clock"]) >= given["time_from"]]
        if "problem_time_from" in given:
            # "events that were in problem state starting from this time" (manual: event.get)
            rows = [
                event
                for event in rows
                if self._ended(event) is None or self._ended(event) >= given["problem_time_from"]
            ]
        found = sorted(rows, key=lambda event: int(event["eventid"]))[: min(int(given.get("limit", PAGE)), PAGE)]
        if "selectAcknowledges" not in given:
            found = [{key: value for key, value in event.items() if key != "acknowledges"} for event in found]
        return document({"jsonrpc": "2.0", "result": found, "id": 1})

    def _ended(self, event: dict[str, Any]) -> int | None:
        ends = {one["eventid"]: int(one["clock"]) for one in self.events}
        return ends.get(event["r_eventid"])
