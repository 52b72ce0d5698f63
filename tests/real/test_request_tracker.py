"""Request Tracker, really running: what the warehouse says of each ticket is what the ledger says was done to it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alike import compared, loaded
from conftest import ROOT
from histories import Life, stamp, told
from servers import PULL_LOGS, Server, basic, broken_off, call, command, configured, ledger_of, meantime, rows, running

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
    return ledger_of(server, "rt5")


@pytest.fixture(scope="module")
def pulled(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full pull of the server as the recipe loads it."""
    folder = configured(tmp_path_factory.mktemp("rt"), server, CONFIGURATION)
    meantime(folder, "refresh", HELPDESK_TOKEN=server.token("etl"))
    return folder


def test_every_ticket_is_told_as_it_was(pulled: Path, ledger: list[dict[str, Any]]) -> None:
    assert told(pulled, "helpdesk") == lives(ledger)
    assert rows(pulled, "select count(*) from rejected_rows") == [(0,)]


FIELDS = CONFIGURATION[CONFIGURATION.index("[sources.helpdesk.fields]") :]
ZONES = {"export-etl.tsv": "UTC", "export-bela.tsv": "Europe/Budapest", "export-fay.tsv": "Europe/Berlin"}
NOT_TOLD = {
    *("url", "opened_priority", "first_assignment_group", "is_auto_resolved", "reassignment_count", "reopen_count"),
    *("assigned_at", "acknowledged_at", "acknowledged_on", "acknowledgement_basis", "first_contact_resolved"),
    *("seconds_to_assign", "hours_to_assign", "seconds_to_acknowledge", "hours_to_acknowledge"),
    *("seconds_on_hold", "hours_on_hold"),
}
"""What only transactions tell, and the address."""


@pytest.fixture(scope="module")
def exports(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {file: ZONES[file.name] for file in sorted((shared / "data/rt5").glob("*.tsv"))}
    return loaded(tmp_path_factory.mktemp("exports"), "request_tracker", files, FIELDS)


@pytest.mark.parametrize("name", ZONES)
def test_every_export_says_what_the_pull_says(shared: Path, pulled: Path, exports: Path, name: str) -> None:
    """In every field that both have, to the second; what the export's one stamp of resolving cannot tell is marked."""
    found = compared(pulled, exports, shared / "data/rt5" / name)
    closed, last = found.marked.pop("closed_without_resolving"), found.marked.pop("last_resolution_only")
    assert found.marked == {}
    assert found.incidents == 198
    assert found.unknown == NOT_TOLD
    first = ("first_resolved_at", "first_resolved_on", "seconds_to_first_resolution", "hours_to_first_resolution")
    assert found.partly == {*first, "last_resolved_at", "seconds_to_resolve", "hours_to_resolve"}
    other = found.other
    assert other.keys() == {
        *(
            *first,
            "resolved_at",
            "resolved_on",
            "resolution_basis",
            "first_contact_basis",
            "last_event_at",
            "attributes",
        )
    }
    assert {id_ for column in ("resolved_at", "resolved_on") for id_ in other[column]} <= closed
    assert {id_ for column in first for id_ in other[column]} <= last
    assert len(closed) == 10


def test_an_export_without_its_zone_asks_for_it(shared: Path, tmp_path: Path) -> None:
    done = meantime(tmp_path, "load", str(shared / "data/rt5/export-fay.tsv"), "--as", "request_tracker", check=False)
    assert done.returncode == 1
    assert "name it with --timezone or the key `timezone`" in done.stderr


def test_a_reader_of_two_queues_gets_theirs_whole(server: Server, ledger: list[dict[str, Any]], tmp_path: Path) -> None:
    text = CONFIGURATION.replace("token = {{", 'user = "etlpart"\npassword = {{')
    folder = configured(tmp_path / "part", server, text)
    meantime(folder, "refresh", HELPDESK_TOKEN="agent-password")
    seen = ("Service Desk", "Network")
    expected = {id_: life for id_, life in lives(ledger).items() if life.group in seen and life.excluded != "deleted"}
    found = told(folder, "helpdesk")
    assert {id_ for id_, life in found.items() if life.excluded != "deleted"} == set(expected)
    # The names of users and queues that it may not see stay numbers: what is compared is what it can know.
    for id_, life in expected.items():
        mine = found[id_]
        assert (mine.opened, mine.state, mine.holds, mine.reopenings, mine.first_resolved, mine.resolved) == (
            life.opened,
            life.state,
            life.holds,
            life.reopenings,
            life.first_resolved,
            life.resolved,
        )


def test_a_killed_pull_goes_on_and_ends_as_if_nothing_had_been(server: Server, pulled: Path, tmp_path: Path) -> None:
    folder = configured(tmp_path / "killed", server, CONFIGURATION)
    log, before = broken_off(folder, server.token("etl"), lambda text: text.count("\n") > 8)
    assert not (folder / "data/incidents.duckdb").exists()
    meantime(folder, "refresh", HELPDESK_TOKEN=server.token("etl"))
    assert list(folder.glob(PULL_LOGS)) == [log]
    lines = log.read_text().splitlines()
    assert lines[: len(before)] == before
    requests = [request for line in lines if (request := json.loads(line).get("request"))]
    assert len(requests) == len(set(requests))
    for query in ("select * from incidents order by all", "select * from incident_events order by all"):
        assert rows(folder, query) == rows(pulled, query)


def test_the_secret_is_nowhere(server: Server, pulled: Path) -> None:
    token = server.token("etl").encode()
    assert [file for file in pulled.rglob("*") if file.is_file() and token in file.read_bytes()] == []


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("{url}", "1-14-wrong", "401: the tool does not accept the token or password; check it"),
        ("{url}/somewhere", None, "instead of data: a proxy or a login stands between"),
        ("http://127.0.0.1:9", None, "cannot be reached"),
    ],
    ids=["wrong token", "wrong address", "nobody there"],
)
def test_what_is_wrong_is_told_with_its_remedy(
    server: Server, tmp_path: Path, url: str, token: str | None, said: str
) -> None:
    folder = configured(tmp_path / "wrong", server, CONFIGURATION.replace("{url}", url))
    done = meantime(folder, "check", check=False, HELPDESK_TOKEN=token or server.token("etl"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: helpdesk: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_init_shows_tickets_as_they_would_be_understood_and_what_nobody_mapped(server: Server, tmp_path: Path) -> None:
    done = subprocess.run(
        command("init"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=f"request_tracker\nhelpdesk\n{server.url}\n\n{server.token('etl')}\nUTC\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"helpdesk: {server.url}: reachable; it answers as Request Tracker 5.0.3")
    assert lines[1].startswith("helpdesk: 3 of ")
    assert [line.split()[0] for line in lines[4:14:4]] == ["opened", "opened", "opened"]
    assert "status 'triaged' is not one of" in done.stdout
    assert server.token("etl") not in done.stdout + (tmp_path / "meantime.toml").read_text()
    assert (tmp_path / "helpdesk.token").stat().st_mode & 0o777 == 0o600


def test_changes_are_taken_in_as_they_were_made(server: Server, pulled: Path, ledger: list[dict[str, Any]]) -> None:
    """Reopened, held, moved, deleted, merged and new ones, through RT's own interface; then nothing at all."""
    at = datetime(2026, 5, 16, 8)
    made = list(ledger)
    api = f"{server.url}/REST/2.0"
    known = lives(ledger)

    def act(number: int, act: str, method: str, path: str, body: dict[str, Any], by: str = "anna", **more: Any) -> Any:
        nonlocal at
        at += timedelta(minutes=7)
        server.clock(at)
        answer = call(method, f"{api}/{path}", body, **basic(by))
        number = int(answer["id"]) if act == "create" else number
        made.append({"ticket": number, "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "act": act, "by": by, "http": 200, **more})
        return number

    def pick(state: str) -> list[int]:
        chosen = [int(id_) for id_, life in known.items() if life.state == state and life.group == "Service Desk"]
        return sorted(number for number in chosen if known[str(number)].excluded is None)

    reopened, deleted, merged, master = pick("resolved")[:4]
    # The group of a resolved incident is the one that it had then: an open one is moved.
    moved = pick("in_progress")[0]
    custom = {"Incident Priority": "P2", "Impact": "3 - Low"}
    body = {"Queue": "Network", "Subject": "New one", "Requestor": "cust1@customer.example", "CustomFields": custom}
    fresh = act(0, "create", "POST", "ticket", body, q="Network", pr="P2")
    act(fresh, "take", "PUT", f"ticket/{fresh}/take", {})
    act(fresh, "status", "PUT", f"ticket/{fresh}", {"Status": "stalled"}, s="stalled")
    act(reopened, "status", "PUT", f"ticket/{reopened}", {"Status": "open"}, s="open")
    act(deleted, "status", "PUT", f"ticket/{deleted}", {"Status": "deleted"}, s="deleted")
    act(moved, "queue", "PUT", f"ticket/{moved}", {"Queue": "Network"}, q="Network")
    act(merged, "merge", "PUT", f"ticket/{merged}", {"MergeInto": master})
    act(fresh, "status", "PUT", f"ticket/{fresh}", {"Status": "resolved"}, s="resolved")
    server.clock(at + timedelta(minutes=1))
    # Killed in the middle of what changed: nothing is published, and the next pull goes on.
    published = (pulled / "data/incidents.duckdb").resolve()
    log, before = broken_off(pulled, server.token("etl"), lambda text: text.count("\n") > 2)
    assert (pulled / "data/incidents.duckdb").resolve() == published
    meantime(pulled, "refresh", HELPDESK_TOKEN=server.token("etl"))
    assert log.read_text().splitlines()[: len(before)] == before
    expected = lives([entry for entry in made if entry["act"] != "merge"])
    found = told(pulled, "helpdesk")
    assert found.pop(str(merged)).excluded == "duplicate"
    del expected[str(merged)]
    assert found == expected

    # The first quiet pull reads the overlap again; the next one brings nothing at all.
    for hours in (1, 2):
        server.clock(at + timedelta(hours=hours))
        meantime(pulled, "refresh", HELPDESK_TOKEN=server.token("etl"))
    quiet = rows(pulled, "select outcome, rows_in from refresh_runs order by run_id desc limit 1")
    assert quiet == [("unchanged", 0)]
    assert rows(pulled, "select as_of from sources") == [(at + timedelta(hours=2),)]
    content = rows(pulled, "select * from incidents order by all")
    meantime(pulled, "rebuild")
    assert rows(pulled, "select * from incidents order by all") == content


def part_of(life: Life) -> tuple[Any, ...]:
    """What of a life a reader can know who may not see users and all queues."""
    return life.opened, life.state, life.holds, life.reopenings, life.first_resolved, life.resolved


def test_what_comes_into_sight_or_is_shredded_is_found(
    server: Server, ledger: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A ticket moved into a queue that the reader may see had a life before; a shredded one leaves no transaction."""
    text = CONFIGURATION.replace("token = {{", 'user = "etlpart"\npassword = {{')
    folder = configured(tmp_path / "part", server, text)
    at = datetime(2026, 5, 17, 8)
    server.clock(at)
    meantime(folder, "refresh", HELPDESK_TOKEN="agent-password")
    known = lives(ledger)
    hidden = sorted(
        (
            id_
            for id_, life in known.items()
            if life.group == "HR Confidential" and life.excluded is None and life.holds
        ),
        key=int,
    )
    moved = hidden[0]
    before = told(folder, "helpdesk")
    assert moved not in before
    shredded = next(id_ for id_, life in before.items() if life.resolved)
    path = f"{server.url}/REST/2.0/ticket/{moved}"
    call("PUT", path, {"Queue": "Network"}, **basic("anna"))
    shred = ["rt-shredder-5", "--force", "--sqldump", str(tmp_path / "shredded.sql")]
    settings = {"RT_SITE_CONFIG": f"{server.folder}/RT_SiteConfig.pm", "RT_SITE_CONFIG_DIR": f"{server.folder}/site.d"}
    shred += ["--plugin", f"Tickets=query,id = {shredded}"]
    subprocess.run(shred, env={**os.environ, **settings}, check=True, capture_output=True)
    server.clock(at + timedelta(hours=25))
    meantime(folder, "refresh", HELPDESK_TOKEN="agent-password")
    found = told(folder, "helpdesk")
    assert part_of(found[moved]) == part_of(known[moved])
    assert [id_ for id_, life in found.items() if life.excluded == "deleted" != before.get(id_, life).excluded] == [
        shredded
    ]
    gone = f"select deleted_at_source from incidents where incident_id = '{shredded}'"
    assert rows(folder, gone) == [(at + timedelta(hours=25),)]


def test_another_zone_and_another_history(server: Server, tmp_path: Path) -> None:
    """A server whose users are in New York unless they say otherwise, a reader in Tokyo, and other calls."""
    server.restart(RT_TZ="America/New_York")
    made = server.load(23, 12)
    folder = configured(tmp_path / "zone", server, CONFIGURATION.replace("token = {{", 'user = "chen"\npassword = {{'))
    meantime(folder, "refresh", HELPDESK_TOKEN="agent-password")
    expected = lives(made)
    assert len(expected) == 12
    for what in ("holds", "reopenings", "owners", "groups"):
        assert any(getattr(life, what) for life in expected.values())
    assert told(folder, "helpdesk", expected) == expected
