"""Request Tracker, really running: what the warehouse says of each ticket is what the ledger says was done to it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from histories import Life, stamp, told
from servers import Server, meantime, rows, running

STATES = {
    "new": "new",
    "open": "in_progress",
    "triaged": "in_progress",
    "in progress": "in_progress",
    "stalled": "on_hold",
    "on hold": "on_hold",
    "awaiting vendor": "on_hold",
    "resolved": "resolved",
    "closed": "closed",
    "rejected": "cancelled",
    "cancelled": "cancelled",
}
CONFIGURATION = """
[sources.helpdesk]
kind = "request_tracker"
url = "{url}"
token = {{ env = "HELPDESK_TOKEN" }}
[sources.helpdesk.fields]
priority = "Incident Priority"
service = "Affected Services"
occurred_at = "Detected At"
[sources.helpdesk.status]
"triaged" = "in_progress"
"""


def lives(ledger: list[dict[str, Any]]) -> dict[str, Life]:
    """What the calls in the ledger amount to. RT opens a new or a resolved ticket by itself when somebody replies."""
    found: dict[str, Life] = {}
    for entry in ledger:
        id_, at, act, by = str(entry["ticket"]), stamp(entry["at"]), entry["act"], entry["by"]
        assert entry["http"] < 300
        if act == "create":
            found[id_] = Life(at, entry["q"], priority=int(entry["pr"][1]))
            continue
        life = found[id_]
        if act == "status" and entry["s"] == "deleted":
            life.state, life.excluded, life.resolved = "cancelled", "deleted", None
        elif act == "status":
            life.become(STATES[entry["s"]], at)
        elif act == "take":
            life.own(by, at, by)
        elif act == "owner":
            life.own(entry["o"], at, by)
        elif act == "prio":
            life.priority = int(entry["pr"][1])
            life.act(at, by_person=True)
        elif act == "queue":
            life.group = entry["q"]
            life.groups.append((at, entry["q"]))
            life.act(at, by_person=True)
        elif act in ("correspond", "custreply"):
            life.act(at, by_person=act == "correspond")
            if life.state in ("new", "resolved"):
                life.become("in_progress", at, by_person=False)
        else:
            life.act(at, by_person=True)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("rt5") as server:
        server.clock(datetime(2026, 5, 15))
        yield server


@pytest.fixture(scope="module")
def ledger(server: Server) -> list[dict[str, Any]]:
    return json.loads(gzip.decompress((server.recipes.parents[1] / "data/rt5/ledger.json.gz").read_bytes()))


def configured(folder: Path, server: Server, text: str = CONFIGURATION) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "meantime.toml").write_text(text.format(url=server.url))
    return folder


@pytest.fixture(scope="module")
def pulled(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full pull of the server as the recipe loads it."""
    folder = configured(tmp_path_factory.mktemp("rt"), server)
    meantime(folder, "refresh", HELPDESK_TOKEN=server.token("etl"))
    return folder


def test_every_ticket_is_told_as_it_was(pulled: Path, ledger: list[dict[str, Any]]) -> None:
    assert told(pulled, "helpdesk") == lives(ledger)
    assert rows(pulled, "select count(*) from rejected_rows") == [(0,)]
