"""What really happened to each ticket, from the ledger of calls that made it, and what the warehouse says of it.

The ledger's side knows nothing of Meantime: it is a small machine of states, fed with the calls in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from servers import rows

OPEN = ("new", "in_progress", "on_hold")


@dataclass
class Life:
    """One incident's life in Meantime's words; instants as the ledger and the warehouse both give them."""

    opened: datetime
    group: str | None = None
    state: str = "new"
    owner: str | None = None
    priority: int | None = None
    acknowledged: datetime | None = None
    first_resolved: datetime | None = None
    resolved: datetime | None = None
    reopenings: list[datetime] = field(default_factory=list)
    holds: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    owners: list[tuple[datetime, str | None]] = field(default_factory=list)
    groups: list[tuple[datetime, str]] = field(default_factory=list)
    excluded: str | None = None

    def act(self, at: datetime, *, by_person: bool) -> None:
        """A person who did something while it was (or became) more than new has taken it on."""
        if by_person and self.acknowledged is None and self.state != "new":
            self.acknowledged = at

    def become(self, state: str, at: datetime, *, by_person: bool = True) -> None:
        before, self.state = self.state, state
        if before == "on_hold" and state != "on_hold":
            self.holds[-1] = (self.holds[-1][0], at)
        if state == "on_hold" and before != "on_hold":
            self.holds.append((at, None))
        if before not in OPEN and state in OPEN:
            self.reopenings.append(at)
            self.resolved = None
        if state == "resolved" and before != "closed":
            self.first_resolved = self.first_resolved or at
            self.resolved = at
        if state == "closed" and self.resolved is None:
            # Closed without having been resolved (again): that stands for it.
            self.resolved = at
        if state == "cancelled":
            self.resolved = None
            self.excluded = "cancelled"
        elif state in OPEN:
            self.excluded = None
        self.act(at, by_person=by_person)

    def own(self, owner: str, at: datetime, by: str) -> None:
        if owner == self.owner:
            return
        self.owner = owner
        self.owners.append((at, owner))
        if owner == by and self.acknowledged is None:
            self.acknowledged = at
        self.act(at, by_person=True)


def stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def told(folder: Path, source: str, ids: Iterable[str] | None = None) -> dict[str, Life]:
    """Read the lives from the published warehouse."""
    found: dict[str, Life] = {}
    wanted = None if ids is None else set(ids)
    for row in rows(
        folder,
        "select incident_id, opened_at, assignment_group, state, assignee, priority, acknowledged_at,"
        " first_resolved_at, resolved_at, excluded_as from incidents where source = "
        f"'{source}'",
    ):
        if wanted is None or row[0] in wanted:
            found[row[0]] = Life(*row[1:9], excluded=row[9])
    events: list[tuple[Any, ...]] = rows(
        folder,
        "select incident_id, kind, happened_at, from_value, to_value from incident_events"
        f" where source = '{source}' order by incident_id, sequence",
    )
    for id_, kind, at, before, after in events:
        if id_ not in found:
            continue
        life = found[id_]
        if before == "on_hold" and after != "on_hold" and life.holds and life.holds[-1][1] is None:
            life.holds[-1] = (life.holds[-1][0], at)
        if kind == "held" and before != "on_hold":
            life.holds.append((at, None))
        if kind == "reopened":
            life.reopenings.append(at)
        if kind == "assigned" and before != after:
            life.owners.append((at, after))
        if kind == "group_assigned" and before != after and before is not None:
            life.groups.append((at, after))
    return found
