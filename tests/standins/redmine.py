"""Redmine's REST, as a real 5.0.4 answers ("Rest API" of its guide names the parameters): what hides, and what shifts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

from standins import BEGINNING, Standin, document

CAP = 7
"""Stands for 100: a greater `limit` is cut without a word."""
STATUSES = {1: "New", 2: "In Progress", 3: "Resolved", 4: "Feedback", 5: "Closed", 6: "Rejected"}
PRIORITIES = {1: "Low", 2: "Normal", 3: "High"}
PROJECTS = {1: "Service Desk", 2: "Network"}
PEOPLE = {5: "Anna Berg", 6: "Ben Cole", 7: "Cy Dorn"}
NAMED = {
    "issue_statuses.json": ("issue_statuses", STATUSES),
    "enumerations/issue_priorities.json": ("issue_priorities", PRIORITIES),
    "projects.json": ("projects", PROJECTS),
}


class Redmine(Standin):
    """Issues that come, change, are related, are hidden from our user and deleted, with a ledger of what happened."""

    header, form = "X-Redmine-API-Key", "{}"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.issues: dict[int, dict[str, Any]] = {}
        self.hidden: set[int] = set()
        self.ledger: list[tuple[str, datetime, str, str | None, str | None, str]] = []
        """Issue, instant, what was changed, from what, to what, by whom."""
        self._numbers = iter(range(seed * 1000 + 1, seed * 1000 + 1000))
        self._journals = iter(range(seed * 10_000 + 1, seed * 10_000 + 10_000))
        self.passes(days=-1)
        while self.clock < BEGINNING:
            self.change()
            self.passes(minutes=self.random.randint(0, 300), seconds=self.random.choice((0, 1, 30)))

    @property
    def seen(self) -> dict[int, dict[str, Any]]:
        """What our user may see."""
        return {id_: issue for id_, issue in self.issues.items() if id_ not in self.hidden}

    def change(self) -> None:
        """One thing happens to an issue."""
        chance = self.random.random()
        if chance < 0.3 or len(self.issues) < 3:
            self.add()
            return
        issue = self.random.choice(list(self.issues.values()))
        if chance < 0.34:
            del self.issues[issue["id"]]
            self.hidden.discard(issue["id"])
            for other in self.issues.values():
                other["relations"] = [pair for pair in other["relations"] if pair["issue_to_id"] != issue["id"]]
        elif chance < 0.4:
            self.hidden ^= {issue["id"]}
        elif chance < 0.46:
            self._relate(issue)
        else:
            self.update(issue)

    def add(self, number: int | None = None) -> None:
        """Somebody makes an issue."""
        number = next(self._numbers) if number is None else number
        author = self.random.choice(list(PEOPLE))
        self.issues[number] = {
            "id": number,
            "subject": f"Issue {number}",
            "project": 1,
            "tracker": {"id": 4, "name": "Incident"},
            "status": 1,
            "priority": 2,
            "author": author,
            "assigned_to": None,
            "custom_fields": [{"id": 1, "name": "Impact", "value": "3 - Low"}],
            "created_on": self._now(),
            "updated_on": self._now(),
            "closed_on": None,
            "relations": [],
            "journals": [],
        }
        self.ledger.append((str(number), self.clock, "opened", None, "New", PEOPLE[author]))

    def update(self, issue: dict[str, Any]) -> None:
        """Somebody changes one thing, and it is in a journal."""
        by = self.random.choice(list(PEOPLE))
        journal: dict[str, Any] = {"id": next(self._journals), "user": by, "created_on": self._now(), "details": []}
        what = self.random.choice(("status", "status", "assigned_to", "project", "priority", "notes"))
        choices = {"status": STATUSES, "assigned_to": PEOPLE, "project": PROJECTS, "priority": PRIORITIES}
        if what == "notes":
            journal["notes"] = "Looking"
            self.ledger.append((str(issue["id"]), self.clock, "notes", None, None, PEOPLE[by]))
        else:
            before, after = issue[what], self.random.choice(list(choices[what]))
            if before == after:
                return
            issue[what] = after
            old = None if before is None else str(before)
            entry = {"property": "attr", "name": f"{what}_id", "old_value": old, "new_value": str(after)}
            journal["details"].append(entry)
            names = (None if number is None else choices[what][number] for number in (before, after))
            self.ledger.append((str(issue["id"]), self.clock, what, *names, PEOPLE[by]))
            if what == "status" and after in (5, 6):
                # It stays after a reopening.
                issue["closed_on"] = self._now()
        issue["journals"].append(journal)
        issue["updated_on"] = self._now()

    def _relate(self, issue: dict[str, Any]) -> None:
        # Neither a new nor a removed relation is an update.
        other = self.random.choice([one for one in self.issues.values() if one is not issue])
        if issue["relations"]:
            issue["relations"] = []
        else:
            pair = {"issue_id": issue["id"], "issue_to_id": other["id"], "relation_type": "duplicates"}
            issue["relations"] = [{"id": 1, **pair, "delay": None}]

    def _now(self) -> str:
        return f"{self.clock:%Y-%m-%dT%H:%M:%SZ}"

    def respond(self, request: httpx.Request) -> httpx.Response:
        """Answer; Puma sends no `Date`, and the clock of the proxy before it may be another."""
        answer = self.answer(request)
        proxy = self.clock + timedelta(minutes=self.seed % 7 - 3)
        answer.headers["Date"] = format_datetime(proxy.replace(tzinfo=UTC), usegmt=True)
        return answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        """A wrong key is an anonymous user, who may see issues of even numbers; only /users/current refuses it."""
        path, params = request.url.path.strip("/"), dict(request.url.params)
        is_known = self.accepts(request)
        if path == "users/current.json":
            return document({"user": {"id": 11, "login": "etl"}}) if is_known else httpx.Response(401)
        seen = {id_: issue for id_, issue in self.seen.items() if is_known or id_ % 2 == 0}
        if path in NAMED:
            key, named = NAMED[path]
            rows = [{"id": id_, "name": name} for id_, name in named.items() if is_known or key != "projects"]
            return document({key: rows, "total_count": len(rows)})
        if path == "issues.json":
            return self._list(list(seen.values()), params)
        kind, number = path.removesuffix(".json").split("/")
        if kind == "users":
            first, last = PEOPLE[int(number)].split() if is_known else ("", "")
            return (
                document({"user": {"id": number, "firstname": first, "lastname": last}})
                if is_known
                else httpx.Response(404)
            )
        if int(number) not in self.issues:
            return httpx.Response(404)
        if int(number) not in seen:
            return httpx.Response(403 if is_known else 401)
        return document({"issue": self._shown(seen[int(number)], "journals", "relations")})

    def _list(self, rows: list[dict[str, Any]], params: dict[str, str]) -> httpx.Response:
        # Without status_id=* only open issues come.
        if params.get("status_id") != "*":
            rows = [issue for issue in rows if issue["status"] not in (5, 6)]
        for key, name in (("updated_on", "updated_on"), ("issue_id", "id"), ("tracker_id", "tracker")):
            if key in params:
                wanted = params[key].removeprefix(">=")
                rows = [
                    issue
                    for issue in rows
                    if (
                        issue["tracker"]["id"] == int(wanted)
                        if name == "tracker"
                        else issue[name] >= type(issue[name])(wanted)
                    )
                ]
        by = params["sort"].split(":")[0]
        rows.sort(key=lambda issue: (issue[by], issue["id"]))
        offset, limit = int(params["offset"]), min(int(params["limit"]), CAP)
        shown = [self._shown(issue, *params.get("include", "").split(",")) for issue in rows[offset : offset + limit]]
        return document({"issues": shown, "total_count": len(rows), "offset": offset, "limit": limit})

    def _shown(self, issue: dict[str, Any], *included: str) -> dict[str, Any]:
        named = {
            "project": {"id": issue["project"], "name": PROJECTS[issue["project"]]},
            "status": {
                "id": issue["status"],
                "name": STATUSES[issue["status"]],
                "is_closed": issue["status"] in (5, 6),
            },
            "priority": {"id": issue["priority"], "name": PRIORITIES[issue["priority"]]},
            "author": {"id": issue["author"], "name": PEOPLE[issue["author"]]},
        }
        assigned = issue["assigned_to"]
        if assigned is not None:
            named["assigned_to"] = {"id": assigned, "name": PEOPLE[assigned]}
        journals = [{**one, "user": {"id": one["user"], "name": PEOPLE[one["user"]]}} for one in issue["journals"]]
        shown = {**issue, "assigned_to": None, "journals": journals, **named}
        return {key: value for key, value in shown.items() if key not in ("journals", "relations") or key in included}
