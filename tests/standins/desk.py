"""A service desk that no vendor made: tickets, who did what to them and when. A vendor's stand-in shows it its own way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import duckdb

from standins import BEGINNING, Made, Standin

AGENTS = ("Ann", "Bea", "Cem")
CALLERS = ("Dan", "Eve")
ROBOT = "Robot"
GROUPS = ("Network", "Messaging", "Desktop")
OPEN = ("new", "in_progress", "on_hold")
WAYS = {
    "new": ("in_progress", "on_hold", "resolved"),
    "in_progress": ("on_hold", "resolved", "resolved"),
    "on_hold": ("in_progress", "resolved"),
    "resolved": ("closed", "in_progress"),
    "closed": ("in_progress",),
}


class Entry(NamedTuple):
    """What somebody did to a ticket at once: (what, before, after); what is state, assignee, group or priority."""

    number: int
    at: datetime
    actor: str
    items: tuple[tuple[str, Any, Any], ...]
    """Nothing: a comment."""


@dataclass
class Ticket:
    """A ticket, and everything that was done to it."""

    number: int
    opened_at: datetime
    caller: str
    state: str = "new"
    assignee: str | None = None
    group: str = GROUPS[0]
    priority: int = 3
    updated_at: datetime = BEGINNING
    resolved_at: datetime | None = None
    """As a careless tool keeps it: a reopening does not take it back, and the next resolution does not move it."""
    closed_at: datetime | None = None
    deleted_at: datetime | None = None
    is_hidden: bool = False
    entries: list[Entry] = field(default_factory=list)

    def truth(self, *, comments: bool) -> dict[str, Any]:
        """Say what the warehouse must say, by KPIS.md, from the entries alone; `comments` says whether a tool tells them."""
        said = [(entry, item) for entry in self.entries for item in entry.items]
        states = [(entry.at, before, after) for entry, (what, before, after) in said if what == "state"]
        resolutions = [at for at, before, after in states if after == "resolved" and before != "closed"]
        held, since = timedelta(), None
        for at, _, after in states:
            if since is not None:
                held += at - since
            since = at if after == "on_hold" else None
        resolved_at = self._standing(states)
        return {
            "state": self.state,
            "opened_at": self.opened_at,
            "acknowledgement_basis": "derived",
            "acknowledged_at": min(self._taken(comments=comments), default=None),
            "assigned_at": min((e.at for e, (what, _, after) in said if what == "assignee" and after), default=None),
            "first_resolved_at": min(resolutions, default=None),
            "resolved_at": resolved_at,
            "reopen_count": sum(before in ("resolved", "closed") and after in OPEN for _, before, after in states),
            "reassignment_count": sum(what == "group" for _, (what, _, _) in said),
            "seconds_on_hold": int(held.total_seconds()) if resolved_at is not None else None,
            "assignee": self.assignee,
            "assignment_group": self.group,
            "priority": self.priority,
        }

    def _standing(self, states: list[tuple[datetime, str, str]]) -> datetime | None:
        """The resolution after the last reopening; closing does not move it."""
        standing = None
        for at, before, after in states:
            if after in OPEN:
                standing = None
            elif after == "resolved" and before in OPEN:
                standing = at
        return standing

    def _taken(self, *, comments: bool) -> Iterator[datetime]:
        state = "new"
        for entry in self.entries:
            for what, _, after in entry.items:
                state = after if what == "state" else state
                if entry.actor in AGENTS and (state != "new" or (what, after) == ("assignee", entry.actor)):
                    yield entry.at
            if comments and not entry.items and entry.actor in AGENTS and state != "new":
                yield entry.at


class Desk(Standin):
    """A vendor's own has `answer`, `incident_id`, and what its tool does beyond this."""

    deletes, hides, tells_comments = True, True, True
    hidden_share = 0.15
    robot = ROBOT
    """What the tool calls the one who is no person."""
    ways: ClassVar[Mapping[str, tuple[str, ...]]] = WAYS
    lags: tuple[int, ...] = (0,)
    """Seconds after which a change can be seen: it is stamped when it begins and seen when it is through."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.tickets: dict[int, Ticket] = {}
        self.seen: dict[int, list[tuple[datetime, Ticket]]] = {}
        self.entries = 0
        self.has_worked = False
        self.passes(days=-2)
        while self.clock < BEGINNING:
            self.change()
            self.passes(hours=self.random.choice((0, 1, 5)), seconds=self.random.choice((0, 0, 1, 400)))

    def incident_id(self, ticket: Ticket) -> str:
        """Write a ticket's number as the vendor does; no two schedules have one alike."""
        return str(self.seed * 1000 + ticket.number)

    def event_key(self, ticket: Ticket) -> str:
        """Write the key by which the vendor's history names a ticket."""
        return self.incident_id(ticket)

    def touched(self, ticket: Ticket) -> None:
        """Something happened to a ticket: it will be seen, perhaps late."""
        seen = self.seen.setdefault(ticket.number, [])
        since = max([self.clock + timedelta(seconds=self.random.choice(self.lags)), *(at for at, _ in seen[-1:])])
        seen.append((since, replace(ticket, entries=list(ticket.entries))))

    def shown(self) -> list[Ticket]:
        """Give the tickets as they can be seen now, hidden ones too, without those that were deleted."""
        alive = [number for number, ticket in self.tickets.items() if ticket.deleted_at is None]
        known = [[ticket for since, ticket in self.seen[number] if since <= self.clock] for number in alive]
        return [tickets[-1] for tickets in known if tickets]

    def works(self) -> None:
        """Go on between two pulls: the first time up to the moment of the next one, later until it has settled."""
        for _ in range(3):
            self.change()
            self.passes(minutes=self.random.choice((0, 1, 4)))
        self.change()
        self.passes(minutes=10 if self.has_worked else 0)
        self.has_worked = True

    def change(self) -> None:
        """Somebody or something does one thing."""
        dice = self.random.random()
        alive = [ticket for ticket in self.tickets.values() if ticket.deleted_at is None]
        if dice < 0.2 or not alive:
            self._open()
        elif dice < 0.23 and self.deletes and len(self.visible()) > 1:
            self._delete(self.random.choice(alive))
        elif dice < 0.26 and (hidden := [ticket for ticket in alive if ticket.is_hidden]):
            # A right is given: nothing about the ticket itself changes.
            self.random.choice(hidden).is_hidden = False
        else:
            self._act(self.random.choice(alive))

    def _open(self) -> None:
        ticket = Ticket(len(self.tickets) + 1, self.clock, self.random.choice(CALLERS), updated_at=self.clock)
        ticket.is_hidden = self.hides and self.random.random() < self.hidden_share
        self.tickets[ticket.number] = ticket
        self.touched(ticket)

    def _delete(self, ticket: Ticket) -> None:
        ticket.deleted_at = self.clock
        self.touched(ticket)

    def _act(self, ticket: Ticket) -> None:
        actor = self.random.choice((*AGENTS, ROBOT))
        dice = self.random.random()
        if dice < 0.1 and self.ways[ticket.state]:
            self.note(ticket, self.random.choice((actor, ticket.caller)))
        elif ticket.state in OPEN and dice < 0.25:
            self.note(ticket, actor, ("group", self._other(GROUPS, ticket.group)))
        elif ticket.state in OPEN and dice < 0.35:
            self.note(ticket, actor, ("priority", self._other((1, 2, 3, 4), ticket.priority)))
        elif ticket.state in OPEN and dice < 0.5:
            self.note(ticket, actor, ("assignee", self._other(AGENTS, ticket.assignee)))
        elif ticket.state == "new" and dice < 0.6:
            self.note(ticket, actor, ("state", "in_progress"), ("assignee", self._other(AGENTS, ticket.assignee)))
        elif self.ways[ticket.state]:
            self.note(ticket, actor, ("state", self.random.choice(self.ways[ticket.state])))

    def _other(self, choices: Iterable[Any], than: Any) -> Any:
        return self.random.choice([choice for choice in choices if choice != than])

    def note(self, ticket: Ticket, actor: str, *changes: tuple[str, Any]) -> Entry:
        """Enter what somebody did at once."""
        self.entries += 1
        items = tuple((what, getattr(ticket, what), after) for what, after in changes)
        entry = Entry(self.seed * 100_000 + self.entries, self.clock, actor, items)
        ticket.entries.append(entry)
        ticket.updated_at = self.clock
        for what, _, after in items:
            setattr(ticket, what, after)
            if (what, after) == ("state", "resolved"):
                ticket.resolved_at = ticket.resolved_at or self.clock
            if what == "state":
                ticket.closed_at = self.clock if after == "closed" else None
        self.touched(ticket)
        return entry

    def visible(self) -> list[Ticket]:
        """Give the tickets that our user may see and that are there."""
        return [ticket for ticket in self.tickets.values() if not ticket.is_hidden and ticket.deleted_at is None]

    def excluded_as(self, ticket: Ticket) -> str | None:
        """Say why a ticket that is there does not count."""
        return None

    def gone(self) -> set[str]:
        """Give the ids that were there once."""
        return {self.incident_id(ticket) for ticket in self.tickets.values() if ticket.deleted_at is not None}

    def told(self, ticket: Ticket) -> Iterator[tuple[Any, ...]]:
        """Say what our events of a ticket must be: key, kind, instant, before, after, actor, who that is."""
        key = self.event_key(ticket)
        yield key, "opened", ticket.opened_at, None, None, ticket.caller, "person"
        for entry in ticket.entries:
            who = (self.robot, "automation") if entry.actor == ROBOT else (entry.actor, "person")
            for what, before, after in entry.items:
                yield key, *_kind(what, before, after, entry.at), *who
            if not entry.items:
                yield key, *self.remark(entry), *who

    def remark(self, entry: Entry) -> tuple[Any, ...]:
        """Say what becomes of a comment."""
        return "commented", entry.at, None, None


def _kind(what: str, before: Any, after: Any, at: datetime) -> tuple[Any, ...]:
    if what == "priority":
        return "priority", at, str(before), str(after)
    if what != "state":
        return {"assignee": "assigned", "group": "group_assigned"}.get(what, what), at, before, after
    if after not in OPEN:
        return after, at, before, after
    if before not in OPEN:
        return "reopened", at, before, after
    return "held" if after == "on_hold" else "resumed" if before == "on_hold" else "state", at, before, after


TOLD = ("incident_key", "kind", "happened_at", "from_value", "to_value", "actor", "actor_kind")


def compare(made: Made, desks: list[Any], version: Any, *columns: str) -> None:
    """Compare what a puller made of some desks with their ledgers: every visible ticket, every event, once.

    Args:
        made: what the puller made.
        desks: what truly happened.
        version: gives what the columns of a desk's ticket must be.
        columns: of the versions.
    """
    assert made.rejected == []
    visible = {desk.incident_id(ticket): (desk, ticket) for desk in desks for ticket in desk.visible()}
    found = {id_: tuple(row[column] for column in columns) for id_, row in made.versions.items()}
    expected = {id_: version(desk, ticket) for id_, (desk, ticket) in visible.items()}
    wrong = [(id_, found.get(id_), row) for id_, row in expected.items() if found.get(id_) != row]
    assert wrong == [], wrong[:3]
    gone = {id_ for desk in desks for id_ in desk.gone()}
    assert set(found) - set(visible) <= gone, sorted(set(found) - set(visible) - gone)[:3]
    said = Counter(tuple(row[column] for column in TOLD) for row in made.events.values())
    keys = {desk.event_key(ticket) for desk, ticket in visible.values()}
    found_events = Counter({entry: n for entry, n in said.items() if entry[0] in keys})
    expected_events = Counter(entry for desk, ticket in visible.values() for entry in desk.told(ticket))
    lost, made_up = sorted(expected_events - found_events, key=str), sorted(found_events - expected_events, key=str)
    assert (lost, made_up) == ([], []), (lost[:3], made_up[:3])


def compare_warehouse(published: Path, desk: Desk, **other: Any) -> None:
    """Compare every visible ticket's row of a published warehouse with the ledger; `other` is what cannot be known."""
    con = duckdb.connect(published.resolve(), read_only=True)
    expected = {desk.incident_id(one): one.truth(comments=desk.tells_comments) | other for one in desk.visible()}
    columns = list(next(iter(expected.values())))
    rows = con.execute(f"select incident_id, excluded_as, {', '.join(columns)} from incidents").fetchall()
    rejected = con.execute("select reason from rejected_rows").fetchall()
    con.close()
    assert rejected == []
    found = {row[0]: dict(zip(columns, row[2:], strict=True)) for row in rows if row[0] in expected}
    wrong = [
        (id_, column, found.get(id_, {}).get(column), value)
        for id_, row in expected.items()
        for column, value in row.items()
        if found.get(id_, {}).get(column) != value
    ]
    assert wrong == [], wrong[:5]
    excluded = {desk.incident_id(one): desk.excluded_as(one) for one in desk.visible()}
    assert {row[0]: row[1] for row in rows if row[0] in expected} == excluded
    assert {row[0] for row in rows if row[1] is None} <= set(expected)
