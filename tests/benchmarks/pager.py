"""A PagerDuty that serves as many incidents as it is told to, in a process of its own: pages are written from a template.

`python pager.py INCIDENTS` prints its address and serves until it is stopped. Each incident has ten log entries, one
every fifteen seconds, so that the log is in order of time and a span of it is arithmetic.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

EVERY = 15
ENTRIES = 10
BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
KINDS = (
    "trigger",
    "assign",
    "acknowledge",
    "annotate",
    "delegate",
    "escalate",
    "annotate",
    "annotate",
    "annotate",
    "resolve",
)
ANN = '{"id":"PANN","type":"user_reference","summary":"Ann"}'
MAIL = '{"id":"SMAIL","type":"service_reference","summary":"Mail"}'
MOVES = f',"assignees":[{ANN}]'


class Pager:
    """What it has, and its clock: an hour after the last entry."""

    def __init__(self, incidents: int) -> None:
        self.incidents = incidents
        self.now = BEGINNING + timedelta(seconds=incidents * ENTRIES * EVERY, hours=1)

    def answer(self, target: str) -> str:
        """Give the body for a path with its query."""
        address = urlsplit(target)
        given = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path.startswith("/incidents/"):
            return f'{{"incident":{incident(int(address.path.removeprefix("/incidents/Q")))}}}'
        name, size = ("log_entries", EVERY) if address.path == "/log_entries" else ("incidents", EVERY * ENTRIES)
        least, most = 0, self.incidents * (ENTRIES if name == "log_entries" else 1)
        if "since" in given:
            # Neither bound belongs to the span.
            least = max(least, seconds(given["since"]) // size + 1)
            most = min(most, -(-seconds(given["until"]) // size))
        offset, limit = int(given.get("offset", 0)), int(given["limit"])
        if offset + limit > 10_000:
            return '{"error":{"message":"Offset must be less than or equal to 9900","code":2001}}'
        begin = least + offset
        end = max(begin, min(begin + limit, most))
        write = entry if name == "log_entries" else incident
        rows = ",".join([write(place) for place in range(begin, end)])
        more = "true" if end < most else "false"
        return f'{{"{name}":[{rows}],"limit":{limit},"offset":{offset},"more":{more},"total":null}}'


def seconds(text: str) -> int:
    """Count the seconds from the beginning to a stamp."""
    return int((datetime.fromisoformat(text) - BEGINNING).total_seconds())


def stamp(place: int) -> str:
    """Write when the entry at a place was made."""
    return f"{BEGINNING + timedelta(seconds=place * EVERY):%Y-%m-%dT%H:%M:%SZ}"


def entry(place: int) -> str:
    """Write a log entry."""
    kind = KINDS[place % ENTRIES]
    agent = MAIL if kind in ("trigger", "assign", "escalate") else ANN
    moves = MOVES if kind in ("assign", "delegate", "escalate") else ""
    return (
        f'{{"id":"R{place}","type":"{kind}_log_entry","created_at":"{stamp(place)}","agent":{agent},"channel":{{"type":"auto"}},'
        f'"incident":{{"id":"Q{place // ENTRIES}","type":"incident_reference"}},"teams":[{{"id":"T1","type":"team_reference",'
        f'"summary":"Team 1"}}]{moves}}}'
    )


def incident(place: int) -> str:
    """Write an incident."""
    last = stamp(place * ENTRIES + ENTRIES - 1)
    return (
        f'{{"id":"Q{place}","type":"incident","incident_number":{place},"title":"Trouble {place}","created_at":"'
        f'{stamp(place * ENTRIES)}","updated_at":"{last}","status":"resolved","service":{MAIL},"teams":[{{"id":"T1","type":'
        f'"team_reference","summary":"Team 1"}}],"assignments":[],"urgency":"high","priority":{{"id":"X","summary":"P3"}},'
        f'"resolved_at":"{last}","resolve_reason":null}}'
    )


async def serve(pager: Pager) -> None:
    """Answer requests on loopback until stopped."""
    date = format_datetime(pager.now, usegmt=True)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = pager.answer(head.split(b" ", 2)[1].decode()).encode()
                status = "400 Bad Request" if body.startswith(b'{"error"') else "200 OK"
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Pager(int(sys.argv[1]))))
