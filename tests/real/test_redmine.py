"""Redmine, really running: what the warehouse says of each issue is what the ledger says was done to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alike import compared, loaded
from histories import Life, stamp, told
from servers import PULL_LOGS, Server, asked, broken_off, call, configured, ledger_of, meantime, rows, running

STATES = {1: "new", 2: "in_progress", 3: "resolved", 4: "on_hold", 5: "closed", 6: "cancelled", 7: "on_hold"}
NAMES = {
    "anna": "Anna Åström",
    "bela": "Béla Kovács",
    "chen": "陳 Chen",
    "dora": "Dora Diaz",
    "emil": "Emil O'Hara",
    "fay": "Fay Fischer",
}
PROJECTS = {"service-desk": "Service Desk", "network": "Network", "hr": "Hr"}
CONFIGURATION = """
[sources.helpdesk]
kind = "redmine"
url = "{url}"
token = {{ env = "HELPDESK_TOKEN" }}
[sources.helpdesk.fields]
priority = "Incident Priority"
service = "Affected Services"
occurred_at = "Detected At"
"""


def lives(server: Server, ledger: list[dict[str, Any]]) -> dict[str, Life]:
    """What the calls in the ledger amount to."""
    keys = json.loads((server.folder / "keys.json").read_text())
    names = {keys[login]["id"]: name for login, name in NAMES.items()}
    found: dict[str, Life] = {}
    for entry in ledger:
        id_, at, by = str(entry["issue"]), stamp(entry["at"]), NAMES[entry["by"]]
        assert entry["http"] < 300
        if entry["act"] == "create":
            found[id_] = Life(at, PROJECTS[entry["p"]], priority=int(entry["P"][1]))
            continue
        life = found[id_]
        if entry["act"] == "delete":
            life.excluded, life.resolved = "deleted", life.resolved
            continue
        for key, value in entry["b"].items():
            if key == "assigned_to_id":
                life.own(names[value], at, by)
            elif key == "status_id":
                life.become(STATES[value], at)
            elif key == "project_id":
                life.group = value
                life.groups.append((at, value))
            elif key == "custom_fields":
                life.priority = int(value[0]["value"][1])
        life.act(at, by_person=True)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("redmine") as server:
        server.clock(datetime(2026, 5, 15))
        yield server


@pytest.fixture(scope="module")
def ledger(server: Server) -> list[dict[str, Any]]:
    return ledger_of(server, "redmine")


@pytest.fixture(scope="module")
def there(server: Server, ledger: list[dict[str, Any]]) -> dict[str, Life]:
    """What the ledger says of the issues that were not deleted: of the others Redmine keeps nothing."""
    return {id_: life for id_, life in lives(server, ledger).items() if life.excluded != "deleted"}


@pytest.fixture(scope="module")
def pulled(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full pull of the server as the recipe loads it."""
    folder = configured(tmp_path_factory.mktemp("redmine"), server, CONFIGURATION)
    meantime(folder, "refresh", HELPDESK_TOKEN=server.token("etl"))
    return folder


def test_every_issue_is_told_as_it_was(pulled: Path, there: dict[str, Life]) -> None:
    assert told(pulled, "helpdesk") == there
    assert rows(pulled, "select count(*) from rejected_rows") == [(0,)]


FIELDS = CONFIGURATION[CONFIGURATION.index("[sources.helpdesk.fields]") :]
ZONES = {
    "export-en-utf8.csv": "UTC",
    "export-en-default.csv": "UTC",
    "export-de-utf8.csv": "Europe/Berlin",
    "export-de-default.csv": "Europe/Berlin",
    "export-tokyo-utf8.csv": "Asia/Tokyo",
}
NOT_TOLD = {
    *("url", "opened_priority", "first_assignment_group", "is_auto_resolved", "reassignment_count", "reopen_count"),
    *("assigned_at", "acknowledged_at", "acknowledged_on", "acknowledgement_basis", "first_contact_resolved"),
    *("first_resolved_at", "first_resolved_on", "last_resolved_at", "seconds_to_assign", "hours_to_assign"),
    *("seconds_to_acknowledge", "hours_to_acknowledge", "seconds_to_resolve", "hours_to_resolve"),
    *("seconds_to_first_resolution", "hours_to_first_resolution", "seconds_on_hold", "hours_on_hold"),
}
"""What only journals tell, and the address."""
OTHERWISE = {"resolved_at", "resolved_on", "resolution_basis", "first_contact_basis", "last_event_at", "attributes"}
"""What an export knows from closing alone, the words that say so, and what is left over, which it calls otherwise."""


@pytest.fixture(scope="module")
def exports(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {file: ZONES[file.name] for file in sorted((shared / "data/redmine").glob("*.csv"))}
    return loaded(tmp_path_factory.mktemp("exports"), "redmine", files, FIELDS)


@pytest.mark.parametrize("name", ZONES)
def test_every_export_says_what_the_pull_says(shared: Path, pulled: Path, exports: Path, name: str) -> None:
    """In every field that both have, to the minute; a resolution that the export does not have is marked."""
    found = compared(pulled, exports, shared / "data/redmine" / name, to_the_minute=True)
    closed = found.marked.pop("closed_without_resolving")
    lost = found.marked.pop("lost_characters", set())
    assert found.marked == {}
    assert found.incidents == 198
    assert found.unknown == NOT_TOLD
    assert found.partly == set()
    other = found.other
    assert other.keys() - {"title", "assignee"} == OTHERWISE
    assert {id_ for column in ("resolved_at", "resolved_on", "resolution_basis") for id_ in other[column]} <= closed
    assert {*other.get("title", ()), *other.get("assignee", ())} <= lost
    assert ("default" in name) == bool(lost)


def test_an_export_without_its_zone_asks_for_it(shared: Path, tmp_path: Path) -> None:
    file = shared / "data/redmine/export-en-utf8.csv"
    done = meantime(tmp_path, "load", str(file), "--as", "redmine", check=False)
    assert done.returncode == 1
    assert "name it with --timezone or the key `timezone`" in done.stderr


def test_a_reader_of_two_projects_gets_theirs_whole(server: Server, there: dict[str, Life], tmp_path: Path) -> None:
    admin = {"X-Redmine-API-Key": server.token("admin")}
    person = {"login": "part", "firstname": "Part", "lastname": "Reader", "mail": "part@ci.example"}
    made = call("POST", f"{server.url}/users.json", {"user": {**person, "password": "agent-password"}}, **admin)
    roles = call("GET", f"{server.url}/roles.json", **admin)["roles"]
    reporter = next(role["id"] for role in roles if role["name"] == "Reporter")
    for project in ("network", "hr"):
        body = {"membership": {"user_id": made["user"]["id"], "role_ids": [reporter]}}
        call("POST", f"{server.url}/projects/{project}/memberships.json", body, **admin)
    text = CONFIGURATION.replace("token = {{", 'user = "part"\npassword = {{')
    folder = configured(tmp_path / "part", server, text)
    meantime(folder, "refresh", HELPDESK_TOKEN="agent-password")
    assert told(folder, "helpdesk") == {id_: life for id_, life in there.items() if life.group in ("Network", "Hr")}


def test_a_killed_pull_goes_on_and_ends_as_if_nothing_had_been(server: Server, pulled: Path, tmp_path: Path) -> None:
    folder = configured(tmp_path / "killed", server, CONFIGURATION)
    log, before = broken_off(folder, server.token("etl"), lambda text: '"stream": "issues"' in text)
    assert not (folder / "data/incidents.duckdb").exists()
    meantime(folder, "refresh", HELPDESK_TOKEN=server.token("etl"))
    assert list(folder.glob(PULL_LOGS)) == [log]
    lines = log.read_text().splitlines()
    assert lines[: len(before)] == before
    requests = [json.loads(line).get("request") for line in lines]
    assert set(requests[: len(before)]) & set(requests[len(before) :]) <= {None}
    for query in ("select * from incidents order by all", "select * from incident_events order by all"):
        assert rows(folder, query) == rows(pulled, query)


def test_the_secret_is_nowhere(server: Server, pulled: Path) -> None:
    token = server.token("etl").encode()
    assert [file for file in pulled.rglob("*") if file.is_file() and token in file.read_bytes()] == []


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("{url}", "0123456789", "401: the tool does not accept the token or password; check it"),
        ("{url}/somewhere", None, "check `url`"),
        ("http://127.0.0.1:9", None, "cannot be reached"),
    ],
    ids=["wrong key", "wrong address", "nobody there"],
)
def test_what_is_wrong_is_told_with_its_remedy(
    server: Server, tmp_path: Path, url: str, token: str | None, said: str
) -> None:
    folder = configured(tmp_path / "wrong", server, CONFIGURATION.replace("{url}", url))
    # A server that does not answer is waited for by a refresh, not by a check.
    for step in ("check", "refresh") if token else ("check",):
        done = meantime(folder, step, check=False, HELPDESK_TOKEN=token or server.token("etl"))
        assert done.returncode == 1
        assert done.stderr.startswith("error: helpdesk: ")
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_changes_are_taken_in_as_they_were_made(server: Server, pulled: Path, ledger: list[dict[str, Any]]) -> None:
    """Reopened, held, moved, deleted, made a duplicate and new ones, through Redmine's own interface; then nothing."""
    at = datetime(2026, 5, 16, 8)
    made = list(ledger)
    known = lives(server, ledger)
    users = json.loads((server.folder / "keys.json").read_text())
    numbers = {"Service Desk": 1, "Network": 2}

    def act(number: int, act: str, body: dict[str, Any], by: str = "anna", **more: Any) -> int:
        nonlocal at
        at += timedelta(minutes=7)
        server.clock(at)
        method, path = {"create": ("POST", "issues"), "delete": ("DELETE", f"issues/{number}")}.get(
            act, ("PUT", f"issues/{number}")
        )
        sent = {**body, "project_id": numbers[body["project_id"]]} if body.get("project_id") in numbers else body
        key = {"X-Redmine-API-Key": users[by]["key"]}
        answer = call(method, f"{server.url}/{path}.json", {"issue": sent}, **key)
        number = answer["issue"]["id"] if act == "create" else number
        made.append(
            {"issue": number, "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "act": act, "by": by, "b": body, "http": 200, **more}
        )
        return number

    def pick(state: str) -> list[int]:
        chosen = [int(id_) for id_, life in known.items() if life.state == state and life.group == "Service Desk"]
        return sorted(number for number in chosen if known[str(number)].excluded is None)

    reopened, deleted = pick("closed")[:2]
    duplicate, master = pick("new")[:2]
    moved = pick("in_progress")[0]
    # The priority is the second custom field of the recipe.
    custom = [{"id": 2, "value": "P2"}]
    body = {"project_id": "network", "tracker_id": 4, "subject": "New one", "custom_fields": custom}
    fresh = act(0, "create", body, p="network", P="P2")
    act(fresh, "upd", {"assigned_to_id": users["anna"]["id"]})
    act(fresh, "upd", {"status_id": 4})
    act(reopened, "upd", {"status_id": 2})
    act(moved, "upd", {"project_id": "Network"}, by="dora")
    act(deleted, "delete", {})
    act(fresh, "upd", {"status_id": 3, "assigned_to_id": users["fay"]["id"]})
    relation = {"relation": {"issue_to_id": master, "relation_type": "duplicates"}}
    key = {"X-Redmine-API-Key": users["anna"]["key"]}
    call("POST", f"{server.url}/issues/{duplicate}/relations.json", relation, **key)
    # Killed in the middle of what changed: nothing is published, and the next pull goes on.
    published = (pulled / "data/incidents.duckdb").resolve()
    log, before = broken_off(pulled, server.token("etl"), lambda text: text.count("\n") > 2)
    assert (pulled / "data/incidents.duckdb").resolve() == published
    meantime(pulled, "refresh", HELPDESK_TOKEN=server.token("etl"))
    assert log.read_text().splitlines()[: len(before)] == before
    expected = lives(server, made)
    # Deleted before the first pull, they were never known.
    for id_ in [id_ for id_, life in known.items() if life.excluded == "deleted"]:
        del expected[id_]
    expected[str(duplicate)].excluded = "duplicate"
    assert told(pulled, "helpdesk") == expected
    assert rows(pulled, f"select hold_reason from incident_events where incident_id = '{fresh}' and kind = 'held'") == [
        ("caller",)
    ]

    # What changed last is read once more as it is; then there is nothing to read.
    for _ in range(2):
        meantime(pulled, "refresh", HELPDESK_TOKEN=server.token("etl"))
    assert rows(pulled, "select outcome, rows_in from refresh_runs order by run_id desc limit 1") == [("unchanged", 0)]
    content = rows(pulled, "select * from incidents order by all")
    meantime(pulled, "rebuild")
    assert rows(pulled, "select * from incidents order by all") == content


USERS = {"dora": "America/New_York", "emil": "Asia/Kolkata", "bela": "Europe/Budapest", "fay": "Europe/Berlin"}
"""Who exports, and the zone in the user's settings; Fay's language is German."""


def test_another_zone_and_another_history(tmp_path: Path) -> None:
    """A server whose own clock is in New York, over the day on which it goes forward, other calls, and their exports."""
    with running("redmine", zone="America/New_York") as server:
        made = server.load(8, 15, str(server.folder / "keys.json"))
        expected = {id_: life for id_, life in lives(server, made).items() if life.excluded != "deleted"}
        folder = configured(tmp_path / "zone", server, CONFIGURATION)
        meantime(folder, "refresh", HELPDESK_TOKEN=server.token("etl"))
        listed = f"{server.url}/issues.csv?status_id=*&c[]=all_inline&encoding=UTF-8"
        files = {tmp_path / f"{login}.csv": zone for login, zone in USERS.items()}
        for file in files:
            file.write_bytes(asked("GET", listed, **{"X-Redmine-API-Key": server.token(file.stem)}))
    assert told(folder, "helpdesk") == expected
    assert len(expected) == 14
    for what in ("holds", "reopenings", "owners"):
        assert any(getattr(life, what) for life in expected.values())
    (tmp_path / "exports").mkdir()
    exports = loaded(tmp_path / "exports", "redmine", files, FIELDS)
    for file in files:
        found = compared(folder, exports, file, to_the_minute=True)
        assert (found.other.keys(), found.unknown, found.partly) == (OTHERWISE, NOT_TOLD, set())
