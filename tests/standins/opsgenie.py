"""Opsgenie's Alert API, as its documents describe it; [V] is a line of VENDORS.md, section "Opsgenie"."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from standins import BEGINNING, Standin, document, page

ANN, SYSTEM = "ann@example.com", "System"
TEXTS = {
    "opened": "Alert created via Nagios",
    "acknowledged": "Alert acknowledged via web",
    "state": "Alert unacknowledged via web",
    "held": "Alert snoozed until tomorrow",
    "commented": "Added note: cable",
    "other": "Viewed on [web]",
    "resolved": "Alert closed via web",
}


class Opsgenie(Standin):
    """Alerts with logs; some are deleted, and some are hidden from our team's key."""

    # [V] `GenieKey`
    form = "GenieKey {}"

    def __init__(self, seed: int, *, page_size: int, cap: int) -> None:
        super().__init__(seed)
        self.page_size, self.cap = page_size, cap
        self.alerts: list[dict[str, Any]] = []
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.ledger: list[tuple[str, str, datetime, str]] = []
        self.deleted: set[str] = set()
        self.passes(days=-3)
        while self.clock < BEGINNING:
            self.change()
            self.passes(hours=self.random.randint(0, 6), seconds=self.random.randint(1, 50))

    def change(self) -> None:
        """Something happens to one alert."""
        open_ = [alert for alert in self.alerts if alert["status"] == "open" and alert["id"] not in self.deleted]
        chance = self.random.random()
        if chance < 0.3 or not open_:
            self._create()
        elif chance < 0.34:
            self.deleted.add(self.random.choice(open_)["id"])
        else:
            alert = self.random.choice(open_)
            kind = self.random.choice(("acknowledged", "state", "held", "commented", "other", "resolved"))
            if (kind == "state") != alert["acknowledged"] and kind in ("acknowledged", "state"):
                return
            since = timedelta(seconds=0) + self.clock - _stamp(alert["createdAt"])
            if kind == "acknowledged":
                alert["acknowledged"] = True
                alert["report"].setdefault("ackTime", int(since.total_seconds() * 1000))
                alert["report"].setdefault("acknowledgedBy", ANN)
            elif kind == "state":
                alert["acknowledged"] = False
            elif kind == "held":
                alert["snoozed"] = True
            elif kind == "resolved":
                alert["status"] = "closed"
                alert["report"] |= {"closeTime": int(since.total_seconds() * 1000), "closedBy": ANN}
            self._log(alert, kind, ANN)

    def _now(self) -> str:
        return f"{self.clock:%Y-%m-%dT%H:%M:%S}.000Z"

    def _create(self) -> None:
        id_ = f"{self.seed}-{len(self.alerts)}"
        alert = {
            "id": id_,
            "tinyId": str(len(self.alerts)),
            "message": f"Trouble {id_}",
            "status": "open",
            "acknowledged": False,
            "snoozed": False,
            "createdAt": self._now(),
            "updatedAt": self._now(),
            "priority": self.random.choice(("P1", "P3", "P5")),
            "integration": {"type": self.random.choice(("API", "Nagios"))},
            "report": {},
        }
        self.alerts.append(alert)
        self.logs[id_] = []
        self._log(alert, "opened", SYSTEM)

    def _log(self, alert: dict[str, Any], kind: str, owner: str) -> None:
        alert["updatedAt"] = self._now()
        log = self.logs[alert["id"]]
        log.append(
            {"log": TEXTS[kind], "type": "system", "owner": owner, "createdAt": self._now(), "offset": f"{len(log)}_0"}
        )
        who = "person" if owner == ANN else "automation"
        self.ledger.append((alert["id"], kind, self.clock, who))
        if kind == "acknowledged":
            self.ledger.append((alert["id"], "state", self.clock, who))

    def may_see(self, alert: dict[str, Any]) -> bool:
        """A team's key sees the alerts of its team."""
        return int(alert["tinyId"]) % 5 != 3

    def answer(self, request: httpx.Request) -> httpx.Response:
        given = request.url.params
        limit = min(int(given.get("limit", 20)), self.page_size)
        seen = [alert for alert in self.alerts if self.may_see(alert) and alert["id"] not in self.deleted]
        path = request.url.path.strip("/").split("/")
        if path[-1] == "logs":
            if path[2] not in {alert["id"] for alert in seen}:
                return httpx.Response(404, json={"message": "Alert does not exist"})
            cut, more = page(self.logs[path[2]], int(given.get("offset", 0)), limit)
            return self._paged(request, cut, int(given.get("offset", 0)) + limit if more else None, limit)
        # [V] `offset`/`limit` (at most 100), `paging.next`, `offset+limit` under 20,000
        offset = int(given.get("offset", 0))
        if offset + limit > self.cap:
            return httpx.Response(422, json={"message": "Sum of offset and limit should be lower than 20000"})
        # [V] no filter on update
        bound = re.fullmatch(r"\(createdAt >= (\d+)\)", given.get("query", "(createdAt >= 0)"))
        rows = [alert for alert in seen if bound and _milliseconds(alert["createdAt"]) >= int(bound[1])]
        rows = sorted(
            rows, key=lambda alert: alert[given.get("sort", "createdAt")], reverse=given.get("order", "desc") == "desc"
        )
        cut, more = page(rows, offset, limit)
        return self._paged(request, cut, offset + limit if more else None, limit)

    def _paged(self, request: httpx.Request, rows: list[Any], after: int | None, limit: int) -> httpx.Response:
        paging = {"next": str(request.url.copy_merge_params({"offset": after, "limit": limit}))} if after else {}
        return document({"data": rows, "paging": paging, "took": 0.1, "requestId": "x"})


def _stamp(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _milliseconds(text: str) -> int:
    return int(_stamp(text).replace(tzinfo=UTC).timestamp() * 1000)
