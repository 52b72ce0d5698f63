"""Stand-ins of hosted tools, written from their documents, and the faults that a hosted tool has.

`Desk` is the truth: what people and rules did to tickets, entry by entry. A `StandIn` shows a desk as one vendor's
interface would, in this process (`httpx.MockTransport`) or on loopback (`served`), and draws faults from a seed:

- an answer of 429, with `Retry-After` as seconds or as a date, with a reset, or bare; 503; a lost connection; half an
  answer (VENDORS.md names each of these for one vendor or another);
- a secret that somebody replaces, a token that expires;
- the desk goes on working between two answers;
- the pull is killed, and the next one goes on.

`run` pulls by a connector until it is done. What it archived is read once for all schedules together: their ids differ.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, NamedTuple

import duckdb
import httpx
import polars as pl

from etl import catalog, incident, store
from etl.pull import Access, Patience, Pull, begin, open_streams
from etl.sources import Canonical, Options

START = datetime(2025, 3, 3, 8)
IMPATIENT = Patience(attempts=12, wait_first=0, wait_most=0, jitter=0)
AGENTS = ("Ann", "Bea", "Cem")
CALLERS = ("Dan", "Eve")
ROBOT = "Robot"
GROUPS = ("Network", "Messaging", "Desktop")
OPEN = ("new", "in_progress", "on_hold")


class Change(NamedTuple):
    """What somebody did to a ticket: `what` is state, assignee, group, priority or comment."""

    number: int
    at: datetime
    actor: str
    what: str
    before: Any
    after: Any


@dataclass
class Ticket:
    """A ticket and everything that was done to it."""

    number: int
    opened_at: datetime
    caller: str
    state: str = "new"
    assignee: str | None = None
    group: str = GROUPS[0]
    priority: int = 3
    updated_at: datetime = START
    resolved_at: datetime | None = None
    """As a careful tool keeps it: null while it is open."""
    stamped_at: datetime | None = None
    """As a careless tool keeps it: it stays when the ticket is reopened."""
    deleted_at: datetime | None = None
    is_hidden: bool = False
    changes: list[Change] = field(default_factory=list)

    def truth(self) -> dict[str, Any]:
        """Say what the warehouse must say, by KPIS.md, from the entries alone."""
        states = [change for change in self.changes if change.what == "state"]
        resolutions = [change.at for change in states if change.after == "resolved"]
        taken = [change.at for change in self.changes if change.actor in AGENTS and self._leaves_it_taken(change)]
        held, since = timedelta(), None
        for change in states:
            if since is not None:
                held += change.at - since
            since = change.at if change.after == "on_hold" else None
        is_resolved = self.state in ("resolved", "closed")
        return {
            "state": self.state,
            "opened_at": self.opened_at,
            "acknowledgement_basis": "derived",
            "acknowledged_at": min(taken, default=None),
            "assigned_at": min((c.at for c in self.changes if c.what == "assignee" and c.after), default=None),
            "first_resolved_at": min(resolutions, default=None),
            "resolved_at": resolutions[-1] if is_resolved else None,
            "reopen_count": sum(c.before in ("resolved", "closed") and c.after in OPEN for c in states),
            "reassignment_count": sum(change.what == "group" for change in self.changes),
            "seconds_on_hold": int(held.total_seconds()) if is_resolved else None,
            "assignee": self.assignee,
            "assignment_group": self.group,
            "priority": self.priority,
        }

    def _leaves_it_taken(self, change: Change) -> bool:
        if change.what == "assignee" and change.after == change.actor:
            return True
        after = [c.after for c in self.changes if c.what == "state" and c.number <= change.number]
        return bool(after) and after[-1] != "new"


@dataclass
class Desk:
    """Tickets, and a clock that only moves when something happens."""

    seed: int
    random: Random
    tickets: dict[int, Ticket] = field(default_factory=dict)
    now: datetime = START
    done: int = 0

    def tick(self, seconds: int) -> None:
        """Let time go by."""
        self.now += timedelta(seconds=seconds)

    def open(self) -> Ticket:
        """Have somebody raise a ticket; a few of them nobody but its team may see."""
        ticket = Ticket(len(self.tickets) + 1, self.now, self.random.choice(CALLERS), updated_at=self.now)
        ticket.is_hidden = self.random.random() < 0.15
        self.tickets[ticket.number] = ticket
        return ticket

    def work(self, entries: int = 1) -> None:
        """Have things happen, now and then several in one second."""
        for _ in range(entries):
            self.tick(self.random.choice((0, 1, 40, 400)))
            if not self.tickets or self.random.random() < 0.2:
                self.open()
                continue
            alive = [ticket for ticket in self.tickets.values() if ticket.deleted_at is None]
            if alive:
                self.act(self.random.choice(alive))

    def act(self, ticket: Ticket) -> None:
        """Have somebody do something to a ticket."""
        actor = self.random.choice((*AGENTS, ROBOT))
        dice = self.random.random()
        if dice < 0.05:
            ticket.deleted_at = ticket.updated_at = self.now
        elif dice < 0.1:
            self.note(ticket, ticket.caller if dice < 0.07 else actor, "comment", None, "hello")
        elif ticket.state in OPEN and dice < 0.25:
            self.note(
                ticket, actor, "group", ticket.group, self.random.choice([g for g in GROUPS if g != ticket.group])
            )
        elif ticket.state in OPEN and dice < 0.35:
            self.note(
                ticket,
                actor,
                "priority",
                ticket.priority,
                self.random.choice([p for p in (1, 2, 3, 4) if p != ticket.priority]),
            )
        elif ticket.state in OPEN and dice < 0.5:
            person = self.random.choice([person for person in AGENTS if person != ticket.assignee])
            self.note(ticket, actor, "assignee", ticket.assignee, person)
        else:
            ways = {
                "new": ("in_progress", "on_hold", "resolved"),
                "in_progress": ("on_hold", "resolved", "resolved"),
                "on_hold": ("in_progress", "resolved"),
                "resolved": ("closed", "in_progress"),
                "closed": ("in_progress",),
            }
            self.note(ticket, actor, "state", ticket.state, self.random.choice(ways[ticket.state]))

    def note(self, ticket: Ticket, actor: str, what: str, before: Any, after: Any) -> None:
        """Enter a change."""
        self.done += 1
        ticket.changes.append(Change(self.seed * 100_000 + self.done, self.now, actor, what, before, after))
        ticket.updated_at = self.now
        if what == "state":
            ticket.state = after
            if after == "resolved":
                ticket.resolved_at = ticket.stamped_at = self.now
            elif after in OPEN:
                ticket.resolved_at = None
        elif what != "comment":
            setattr(ticket, what, after)


class KilledError(BaseException):
    """kill -9, as far as a test in one process can tell it."""


class StandIn:
    """A vendor's interface over a desk: a subclass has `answer`, and says how its ids are written."""

    url = "https://desk.example.com"

    def __init__(self, seed: int, faults: float = 0.25) -> None:
        self.seed = seed
        self.random = Random(f"stand-in {seed}")
        self.desk = Desk(seed, self.random)
        self.faults = faults
        self.is_working = True
        self.secret = "secret-0"
        self.requests = 0
        self.drawn: dict[str, int] = {}
        self.desk.work(self.random.randint(10, 40))

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer as the vendor does."""
        raise NotImplementedError

    def is_let_in(self, request: httpx.Request) -> bool:
        """Say whether the request proves who it is from."""
        raise NotImplementedError

    def expire(self) -> None:
        """Have the secret replaced, and its place, too."""
        self.secret = f"secret-{self.requests}"

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer, or do what goes wrong."""
        self.requests += 1
        self.desk.tick(self.random.choice((0, 1, 3)))
        if self.is_working and self.random.random() < 0.5:
            self.desk.work(self.random.randint(1, 3))
        fault = self.random.choice(FAULTS) if self.random.random() < self.faults else None
        if fault is not None:
            self.drawn[fault] = self.drawn.get(fault, 0) + 1
        if fault == "kill":
            raise KilledError
        if fault == "lost":
            raise httpx.ReadError("Connection reset by peer", request=request)
        if fault == "busy":
            return httpx.Response(503, text="<html>busy</html>")
        if fault == "rate":
            date = {"Date": self.date(), "Retry-After": self.date()}
            headers = self.random.choice(({"Retry-After": "0"}, date, {"X-RateLimit-Reset": "0"}, {}))
            return httpx.Response(429, headers=headers)
        if fault == "expire":
            self.expire()
        if not self.is_let_in(request):
            return httpx.Response(401, json={"message": "not let in"})
        response = self.answer(request)
        response.headers["Date"] = self.date()
        if fault == "half" and len(response.content) > 2:
            return httpx.Response(
                200, headers={"Date": self.date()}, content=response.content[: len(response.content) // 2]
            )
        return response

    def date(self) -> str:
        """Write the desk's time as HTTP does."""
        return format_datetime(self.desk.now.replace(tzinfo=UTC), usegmt=True)

    def visible(self) -> list[Ticket]:
        """Give the tickets that the user may see and that are there."""
        return [t for t in self.desk.tickets.values() if not t.is_hidden and t.deleted_at is None]

    def incident_id(self, ticket: Ticket) -> str:
        """Write a ticket's number as the vendor does; no two schedules have one alike."""
        return str(self.seed * 1000 + ticket.number)


FAULTS = ("kill", "lost", "busy", "rate", "expire", "half")


class Run(NamedTuple):
    """What one schedule ended with."""

    folders: list[Path]
    as_of: datetime
    truth: dict[str, dict[str, Any]]
    deleted: set[str]
    drawn: dict[str, int]


def run(
    module: ModuleType,
    stand_in: StandIn,
    raw: Path,
    access: Mapping[str, Any],
    options: Options,
    set_secret: Callable[[str], None],
    *,
    kinds: Callable[[Path], set[str]],
    address: str | None = None,
) -> Run:
    """Pull three times while the desk works and faults happen, the last time without new work.

    Args:
        module: the source.
        stand_in: answers.
        raw: a folder for the archive.
        access: what the section says.
        options: the options.
        set_secret: puts the secret where `access` looks for it.
        kinds: gives the incident ids that a pull's folder holds.
        address: pull over this address instead of in process.
    """
    transport = None if address else httpx.MockTransport(stand_in.handle)
    reached = Access(address or stand_in.url, **{"sweep": timedelta(0), "requests_per_minute": 1e9, **access})
    state: dict[str, Any] = {}
    known: set[str] = set()
    folders = []
    for turn in range(3):
        stand_in.is_working = turn < 2
        if turn == 2:
            # What a tool shows late it shows by now.
            stand_in.desk.tick(700)

        def made(folder: Path, state: dict[str, Any] = state) -> Pull:
            return Pull(
                "desk", reached, options, folder, state, lambda: set(known), transport=transport, patience=IMPATIENT
            )

        while True:
            set_secret(stand_in.secret)
            pull = begin(raw / "desk", made, {"turn": turn})
            try:
                module.fetch(pull)
                break
            except KilledError:
                continue
            finally:
                pull.close()
        state = {**pull.state, **pull.carried, "as_of": pull.as_of.isoformat()}
        (pull.folder / "manifest.json").write_text("{}")
        folders.append(pull.folder)
        known |= kinds(pull.folder)
        if turn == 0:
            stand_in.desk.work(5)
    tickets = stand_in.desk.tickets.values()
    return Run(
        folders,
        pull.as_of,
        {stand_in.incident_id(ticket): ticket.truth() for ticket in stand_in.visible()},
        {stand_in.incident_id(ticket) for ticket in tickets if ticket.deleted_at is not None},
        stand_in.drawn,
    )


def together(runs: list[Run], folder: Path) -> list[Path]:
    """Lay the archives of all schedules together, turn by turn: gzip members may follow one another."""
    merged = []
    for turn in range(3):
        target = folder / f"turn-{turn}"
        target.mkdir(parents=True)
        for found in runs:
            for file in found.folders[turn].glob("*.jsonl.gz"):
                with file.open("rb") as source, (target / file.name).open("ab") as stream:
                    shutil.copyfileobj(source, stream)
        merged.append(target)
    return merged


def warehouse(module: ModuleType, folders: list[Path], options: Options, as_of: datetime) -> duckdb.DuckDBPyConnection:
    """Make the facts of what was pulled, in memory, by the store's own merging and the facts' own SQL."""
    con = duckdb.connect()
    store.create(con, "UTC")
    con.execute("create temp table changed (source varchar, incident_id varchar)")
    store.record_source(
        con, {"source": "desk", "kind": "x", "as_of": as_of, "knows_resolving": True, "full_export": False}
    )
    for turn, folder in enumerate(folders):
        store.stage(con)
        for export in open_streams(folder, module.REFERENCES):
            plan = module.prepare(export, options)
            for chunk in export.chunks():
                store.put(con, module.normalise(chunk, plan))
        store.merge(con, "desk", str(turn), as_of, as_of)
    catalog.run_facts(con)
    return con


def records(folder: Path, stream: str) -> Iterator[dict[str, Any]]:
    """Give the records of a stream."""
    file = folder / f"{stream}.jsonl.gz"
    if file.exists() and file.stat().st_size:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


@contextlib.contextmanager
def served(stand_in: StandIn) -> Iterator[str]:
    """Serve a stand-in on loopback; a lost connection is a closed socket there."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = httpx.Request(
                self.command, f"{stand_in.url}{self.path}", headers=dict(self.headers), content=body
            )
            try:
                response = stand_in.handle(request)
            except (httpx.TransportError, KilledError):
                self.close_connection = True
                return
            self.send_response_only(response.status_code)
            for name, value in response.headers.items():
                if name.lower() not in ("content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


__all__ = ["Canonical", "Run", "StandIn", "incident", "pl", "run", "served", "together", "warehouse"]
