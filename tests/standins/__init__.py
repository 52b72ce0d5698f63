"""Stand-ins for vendors whose servers nobody here may call, and what goes wrong between them and a puller.

A stand-in is written from the vendor's description: each rule names the line that it follows. It has a clock and a
ledger of what truly happened; a schedule of faults, made from a seed, strikes between it and the puller. In process it
is an httpx transport; `served` puts it behind a real socket. What a puller made of it is compared with the ledger.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from etl import config, refresh, sources
from etl.pull import Access, Patience, Pull, PullError, Secret, begin, open_streams
from etl.pull.keeping import records
from etl.sources import Canonical, Options

SCHEDULES = 200
"""Random schedules of faults that each vendor's source must come through."""

VARIABLE = "STANDIN_TOKEN"
IMPATIENT = Patience(attempts=6, wait_first=0, wait_most=0, jitter=0)
BEGINNING = datetime(2025, 3, 1, 8)
OPTIONS = Options("desk", timezone="UTC")


class Standin(ABC):
    """A tool. A vendor's own has `answer` and `change`, and `accepts` if it does not take the token as a header."""

    url = "https://standin.example.com"
    header, form = "Authorization", "Bearer {}"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        """Ids should hold it: what many stand-ins tell can then be read at once."""
        self.random = Random(seed)
        self.clock = BEGINNING
        self.token = f"token-{seed}-0"
        self._token_number = 0

    @abstractmethod
    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request whose token was accepted."""

    @abstractmethod
    def change(self) -> None:
        """Let one thing happen in the tool, at its clock, and write it into the ledger."""

    def accepts(self, request: httpx.Request) -> bool:
        """Whether the request has the token that counts now."""
        return request.headers.get(self.header) == self.form.format(self.token)

    def expire(self) -> None:
        """Let the token end; another one is put where the puller finds it."""
        self._token_number += 1
        self.token = f"{self.token.rsplit('-', 1)[0]}-{self._token_number}"
        os.environ[VARIABLE] = self.token

    def respond(self, request: httpx.Request) -> httpx.Response:
        """Answer any request, with the tool's clock."""
        answer = self.answer(request) if self.accepts(request) else httpx.Response(401, json={"message": "no"})
        answer.headers["Date"] = format_datetime(self.clock.replace(tzinfo=UTC), usegmt=True)
        return answer

    def passes(self, **time: float) -> None:
        """Let time pass."""
        self.clock += timedelta(**time)


class Killed(BaseException):
    """The puller is killed here, as by kill -9: nothing of it goes on."""


class Faults(httpx.BaseTransport):
    """What strikes between a stand-in and a puller, by a seed. `share` of the requests are struck."""

    def __init__(self, standin: Standin, seed: int, *, share: float = 0.2, changing: float = 0.3) -> None:
        self.standin = standin
        self.random = Random(seed)
        self.share = share
        self.changing = changing
        self.struck: list[str] = []
        self._one_at_a_time = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request, or not."""
        request.read()
        with self._one_at_a_time:
            self.standin.passes(seconds=self.random.choice((0, 0, 1, 2, 7)))
            if self.random.random() < self.changing:
                self.standin.change()
            if self.random.random() >= self.share:
                return self.standin.respond(request)
            name = self.random.choice(tuple(FAULTS))
            self.struck.append(name)
            return FAULTS[name](self, request)


def _killed(_: Faults, __: httpx.Request) -> httpx.Response:
    raise Killed


def _refused(_: Faults, request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


def _lost_after_it_was_answered(faults: Faults, request: httpx.Request) -> httpx.Response:
    faults.standin.respond(request)
    raise httpx.RemoteProtocolError("server disconnected without sending a response", request=request)


def _too_late(faults: Faults, request: httpx.Request) -> httpx.Response:
    faults.standin.respond(request)
    raise httpx.ReadTimeout("timed out", request=request)


def _cut_off(faults: Faults, request: httpx.Request) -> httpx.Response:
    answer = faults.standin.respond(request)
    return httpx.Response(answer.status_code, headers={"Date": answer.headers["Date"]}, content=answer.content[:-3])


def _limited(headers: Callable[[Faults], Mapping[str, str]]) -> Callable[[Faults, httpx.Request], httpx.Response]:
    return lambda faults, _: httpx.Response(429, headers=headers(faults), json={"error": {"message": "slow down"}})


def _down(faults: Faults, _: httpx.Request) -> httpx.Response:
    return httpx.Response(faults.random.choice((500, 502, 503, 504)), html="<html><title>Bad gateway</title></html>")


def _expired(faults: Faults, request: httpx.Request) -> httpx.Response:
    faults.standin.expire()
    return faults.standin.respond(request)


def _date(faults: Faults) -> Mapping[str, str]:
    now = format_datetime(faults.standin.clock.replace(tzinfo=UTC), usegmt=True)
    return {"Retry-After": now, "Date": now}


FAULTS: dict[str, Callable[[Faults, httpx.Request], httpx.Response]] = {
    "killed": _killed,
    "refused": _refused,
    "lost after it was answered": _lost_after_it_was_answered,
    "too late": _too_late,
    "cut off": _cut_off,
    "429 without a word": _limited(lambda _: {}),
    "429 with seconds": _limited(lambda _: {"Retry-After": "0"}),
    "429 with a date": _limited(_date),
    "429 with a reset": _limited(lambda _: {"ratelimit-remaining": "0", "ratelimit-reset": "0"}),
    "down": _down,
    "expired": _expired,
}


class Made(NamedTuple):
    """What became of pulls."""

    versions: dict[str, dict[str, Any]]
    """Incident -> its newest version."""
    events: dict[tuple[str, str], dict[str, Any]]
    """Incident key and event id -> the event."""
    rejected: list[dict[str, Any]]


def pulled(
    kind: str,
    standin: Standin,
    folder: Path,
    seed: int,
    *,
    pulls: int = 3,
    between: Callable[[], None] = lambda: None,
    struck: Counter[str] | None = None,
    known: Callable[[Mapping[str, Any]], str | None] = lambda _: None,
    options: Options = OPTIONS,
    **access: Any,
) -> list[Path]:
    """Pull a tool that lives on and fails, several times; the last time nothing changes any more. Give the folders.

    Args:
        kind: the source.
        standin: the tool.
        folder: for the archive.
        seed: of the faults.
        pulls: how many; the first is whole, each of the others goes on from the one before.
        between: what happens in the tool between two pulls.
        struck: counts the faults.
        known: gives the id of a record that is an incident: the puller may ask for those that it has.
        options: of the source.
        access: more keys of the source's section.
    """
    os.environ[VARIABLE] = standin.token
    where = Access(**{"url": standin.url, "token": Secret(env=VARIABLE), **access})
    state: dict[str, Any] = {}
    done: list[Path] = []
    for number in range(pulls):
        is_last = number == pulls - 1
        faults = Faults(standin, seed * 100 + number, changing=0 if is_last else 0.3)

        def ids() -> set[str]:
            files = [file for path in done for file in path.glob("*.jsonl.gz")]
            return {id_ for file in files for record in records(file) if (id_ := known(record))}

        def pull(path: Path, state: dict[str, Any] = dict(state), faults: Faults = faults) -> Pull:  # noqa: B006
            return Pull("desk", where, options, path, state, ids, patience=IMPATIENT, transport=faults)

        through = _through(kind, folder, pull, {"number": number})
        (through.folder / "manifest.json").write_text("{}")
        state |= {**through.carried, "as_of": through.as_of.isoformat()}
        done.append(through.folder)
        if struck is not None:
            struck.update(faults.struck)
        standin.passes(minutes=30)
        if not is_last:
            between()
    return done


def _through(kind: str, raw: Path, pull: Callable[[Path], Pull], about: Mapping[str, Any]) -> Pull:
    """Pull until it is through, however often it is killed or gives up; each time it goes on where it was."""
    for _ in range(200):
        pulling = begin(raw, pull, about)
        try:
            sources.source(kind).fetch(pulling)
            return pulling
        except (Killed, PullError):
            continue
        finally:
            pulling.close()
    raise AssertionError("a pull does not get on")


def merged(kind: str, pulls: Sequence[Sequence[Path]], folder: Path, options: Options = OPTIONS) -> Made:
    """Merge what pulls brought as the store does: the newest version, the later pull's of two as new; each event once.

    Args:
        kind: the source.
        pulls: of each stand-in its pulls, as many of each; what they brought is read at once, which saves most of the
            time.
        folder: for what is put together.
        options: of the source.
    """
    made = Made({}, {}, [])
    for number, alike in enumerate(zip(*pulls, strict=True)):
        together = folder / str(number)
        shutil.rmtree(together, ignore_errors=True)
        together.mkdir(parents=True)
        for path in alike:
            for file in sorted(path.glob("*.jsonl.gz")):
                with (together / file.name).open("ab") as whole:
                    whole.write(file.read_bytes())
        _merge(made, kind, together, options)
    return made


def _merge(made: Made, kind: str, folder: Path, options: Options) -> None:
    module = sources.source(kind)
    for export in open_streams(folder, getattr(module, "REFERENCES", ())):
        plan = module.prepare(export, options)
        for chunk in export.chunks():
            found: Canonical = module.normalise(chunk, plan)
            for row in found.versions.iter_rows(named=True):
                before = made.versions.get(row["incident_id"])
                if before is None or (before["updated_at"] or BEGINNING) <= (row["updated_at"] or BEGINNING):
                    made.versions[row["incident_id"]] = row
            for row in found.events.iter_rows(named=True):
                made.events[row["incident_key"], row["event_id"]] = row
            made.rejected.extend(found.rejected.iter_rows(named=True))


def selected(frame: Mapping[Any, Mapping[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    """Give some columns of rows, in order."""
    return sorted((tuple(row[column] for column in columns) for row in frame.values()), key=str)


@contextmanager
def served(standin: Standin, *, faults: Faults | None = None) -> Iterator[str]:
    """Put a stand-in behind a real socket on loopback; give its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = httpx.Request(
                self.command, f"http://{self.headers['Host']}{self.path}", headers=dict(self.headers), content=body
            )
            try:
                answer = faults.handle_request(request) if faults else standin.respond(request)
            except (httpx.TransportError, Killed):
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = handle_one  # noqa: N815

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(standin.clock.replace(tzinfo=UTC), usegmt=True)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def warehoused(
    kind: str, standin: Standin, folder: Path, *, refreshes: int = 2, share: float = 0.02, **keys: Any
) -> Path:
    """Refresh a data directory from a stand-in over a real socket, while it lives on and sometimes fails.

    The last refresh finds it quiet; `keys` are more of the section. Give the published file.
    """
    os.environ[VARIABLE] = standin.token
    for number in range(refreshes):
        is_last = number == refreshes - 1
        faults = Faults(standin, standin.seed, share=share, changing=0 if is_last else 0.2)
        with served(standin, faults=faults) as url:
            section = {"kind": kind, "url": url, "token": {"env": VARIABLE}, **keys}
            told = config.parse({"sources": {"desk": section}}, folder / "meantime.toml")
            outcome = refresh.refresh(folder / "data", told)
        assert [report.complaints for report in outcome.reports] == [[]]
        standin.passes(minutes=30)
    return folder / "data" / "incidents.duckdb"


def page(rows: list[Any], offset: int, limit: int) -> tuple[list[Any], bool]:
    """Cut a page out of rows; say whether more follow."""
    return rows[offset : offset + limit], offset + limit < len(rows)


def document(answer: Any) -> httpx.Response:
    """Make a good answer."""
    return httpx.Response(200, json=json.loads(json.dumps(answer)))


__all__ = [
    "BEGINNING", "FAULTS", "IMPATIENT", "SCHEDULES", "VARIABLE", "Faults", "Killed", "Made", "Standin",
    "document", "merged", "page", "pulled", "selected", "served",
    "warehoused",
]  # fmt: skip
