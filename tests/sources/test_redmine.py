"""Redmine: answers and exports, made up; what a really running server says is in tests/real."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from payloads import SAID, understood
from standins import FAULTS, IMPATIENT, SCHEDULES, VARIABLE, merged, pulled, selected
from standins.redmine import CAP, PEOPLE, PROJECTS, STATUSES, Redmine

from etl.pull import Access, Page, Pull, PullError, Secret, open_streams
from etl.sources import Canonical, Options, SourceError, redmine

START = datetime(2026, 3, 1, 10)
ALL = list(range(1, 51))
EXPORT = redmine.EXAMPLE["issues.csv"]


def export(folder: Path, content: bytes = EXPORT, **told: Any) -> Canonical:
    file = folder / "issues.csv"
    file.write_bytes(content)
    return understood("redmine", file, **told)


def test_an_export_is_read_in_the_users_language_and_zone(tmp_path: Path) -> None:
    found = export(tmp_path, timezone="Europe/Berlin", fields={"service": "Affected Services", "caller": "Author"})
    columns = ("incident_id", "state", "priority", "assignment_group", "assignee", "caller", "category", "services")
    assert found.versions.select(*columns, "parent_id", "excluded_as").rows() == [
        ("1", "closed", 3, "Service Desk", "Béla Kovács", "Anna Åström", "Mail", ["db01", "vpn"], None, None),
        ("2", "new", 4, "Network", None, "Anna Åström", None, None, "1", "duplicate"),
    ]
    assert found.versions.select("opened_at", "updated_at", "closed_at", "resolved_at").rows() == [
        (datetime(2026, 3, 1, 2, 49), datetime(2026, 3, 1, 5, 4), datetime(2026, 3, 1, 5, 4), None),
        (datetime(2026, 3, 13, 5, 4), datetime(2026, 3, 13, 5, 4), None, None),
    ]
    assert found.versions["reports_acknowledgement"].to_list() == [None, None]


def test_an_export_without_its_zone_is_an_error_that_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        export(tmp_path)
    assert str(error.value) == (
        "desk: issues.csv: the export's stamps are in the zone of the Redmine user who made it, and do not say which; "
        "name it with --timezone or the key `timezone`"
    )


def test_a_configured_field_that_the_export_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"takes impact from 'Impackt', which the file does not have; did you mean"):
        export(tmp_path, timezone="UTC", fields={"impact": "Impackt"})
    with pytest.raises(SourceError, match=r"names 'impackt', which is not one of .*; did you mean 'impact'"):
        export(tmp_path, timezone="UTC", fields={"impackt": "Impact"})


def test_an_export_in_another_language_is_read_once_its_columns_are_named(tmp_path: Path) -> None:
    french = "#,Projet,Statut,Sujet,Créé\n7,Réseau,Nouveau,Panne,13/03/2026 06:04\n".encode()
    with pytest.raises(SourceError) as error:
        export(tmp_path, french, timezone="Europe/Paris")
    assert str(error.value) == (
        "desk: issues.csv: no column for state (looked for 'Status'); the file has #, Projet, Statut, Sujet, Créé; a "
        "configuration names it under [sources.desk.fields], and `load --as table` proposes a map for any columns"
    )
    named = {"state": "Statut", "opened_at": "Créé", "title": "Sujet", "assignment_group": "Projet"}
    found = export(tmp_path, french, timezone="Europe/Paris", fields=named, status={"Nouveau": "new"})
    assert found.versions.select("incident_id", "state", "title", "assignment_group", "opened_at").rows() == [
        ("7", "new", "Panne", "Réseau", datetime(2026, 3, 13, 5, 4))
    ]


def test_characters_that_the_encoding_lacks_are_marked(tmp_path: Path) -> None:
    lossy = EXPORT.decode("utf-8-sig").replace("Mail is down", "Wi‑Fi is down").encode("latin-1", "replace")
    found = export(tmp_path, lossy, timezone="Europe/Berlin")
    assert found.versions["title"].to_list() == ["Wi?Fi is down; again", "New screen"]
    assert found.issues.select("incident_id", "rule", "field", "value").rows() == [
        ("1", "lost_characters", "Thema", "Wi?Fi is down; again")
    ]


def test_who_calls_closing_resolving_means_its_stamp(tmp_path: Path) -> None:
    found = export(tmp_path, timezone="Europe/Berlin", status={"Closed": "resolved"})
    assert found.versions.select("state", "resolved_at", "closed_at").row(0) == (
        "resolved",
        datetime(2026, 3, 1, 5, 4),
        None,
    )


def test_an_unknown_status_is_rejected_with_the_key_that_maps_it(tmp_path: Path) -> None:
    found = export(tmp_path, EXPORT.replace(b"Closed", b"Parked"), timezone="Europe/Berlin")
    assert found.versions["incident_id"].to_list() == ["2"]
    assert found.rejected.select("incident_id", "field", "value").rows() == [("1", "Status", "Parked")]
    assert "map it under [sources.desk.status] to one of new, in_progress, on_hold," in found.rejected["reason"][0]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Redmine:
    """Fifty issues, of which as many as fill three pages changed within one second."""
    monkeypatch.setattr(redmine, "PAGE", CAP)
    server = Redmine(0)
    server.issues, server.hidden = {}, set()
    for number in ALL:
        server.clock = START + timedelta(seconds=number // 20)
        server.add(number)
    return server


@pytest.fixture
def pull(server: Redmine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make pulls that follow each other, each with what the last one carried."""
    monkeypatch.setenv(VARIABLE, server.token)
    state: dict[str, Any] = {}
    numbers = iter(range(100))

    def make(folder: Path | None = None, known: set[int] | None = None, **access: Any) -> Pull:
        return Pull(
            "desk",
            Access(server.url, token=Secret(env=VARIABLE), **access),
            Options("desk"),
            folder or tmp_path / str(next(numbers)),
            state,
            lambda: {str(id_) for id_ in (server.issues if known is None else known)},
            patience=IMPATIENT,
            transport=httpx.MockTransport(server.respond),
        )

    def run(**how: Any) -> Pull:
        pull = make(**how)
        redmine.fetch(pull)
        state.update({**pull.carried, "as_of": pull.as_of.isoformat()})
        return pull

    run.make = make  # type: ignore[attr-defined]
    return run


def kept(pull: Pull, stream: str = "issues") -> list[int]:
    return [issue["id"] for issue in pull.kept(stream)]


def read(pull: Pull, **told: Any) -> Canonical:
    found = []
    for export in open_streams(pull.folder, redmine.REFERENCES):
        plan = redmine.prepare(export, Options("desk", **told))
        found += [redmine.normalise(chunk, plan) for chunk in export.chunks()]
    return Canonical(*(pl.concat(frames) for frames in zip(*found, strict=True)))


def test_equal_stamps_lose_nothing(pull: Any) -> None:
    assert sorted(kept(pull())) == ALL


def test_what_was_read_twice_as_it_is_is_not_asked_for_again(server: Redmine, pull: Any) -> None:
    pull()
    assert sorted(kept(pull())) == ALL
    assert kept(pull()) == []
    server.issues[7]["updated_on"] = "2026-03-01T10:00:09Z"
    assert kept(pull()) == [7]


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_key_that_ends_in_the_middle_loses_nothing(
    server: Redmine, pull: Any, tmp_path: Path, comes_back: bool
) -> None:
    """From then on Redmine answers an anonymous user, who sees less, without any error; another key is asked with anew."""
    respond, lists = server.respond, iter(range(1000))

    def revoke(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/issues.json" and next(lists) == 2:
            if comes_back:
                server.expire()
            else:
                server.token = "another"
        return respond(request)

    server.respond = revoke  # type: ignore[method-assign]
    first = pull.make(folder=tmp_path / "broken")
    if comes_back:
        redmine.fetch(first)
        assert sorted(kept(first)) == ALL
        return
    with pytest.raises(PullError, match=r"^desk: GET \S+/users/current\.json gave 401: the tool does not accept"):
        redmine.fetch(first)
    server.token = os.environ[VARIABLE]
    again = pull.make(folder=tmp_path / "broken")
    redmine.fetch(again)
    assert sorted(set(kept(again))) == ALL


def test_a_sweep_finds_what_was_deleted_hidden_shown_and_related(server: Redmine, pull: Any) -> None:
    server.hidden = {9}
    pull()
    del server.issues[5]
    server.hidden = {6}
    relation = {"id": 1, "issue_id": 4, "issue_to_id": 3, "relation_type": "duplicates"}
    server.issues[4]["relations"] = server.issues[3]["relations"] = [relation]
    known = set(ALL) - {9}
    second = pull(known=known)
    third = pull(known=known)
    assert {*kept(second), *kept(second, "fresh")} >= {4, 9}
    assert kept(second, "gone") == [5, 6]
    assert third.records.get("gone") is None
    found = read(second)
    assert found.events.filter(kind="deleted")["incident_key"].to_list() == ["5"]
    assert found.issues.select("incident_id", "rule").rows() == [("6", "no_longer_visible")]
    assert found.versions.filter(excluded_as="duplicate")["incident_id"].unique().to_list() == ["4"]


def test_what_was_left_out_the_first_time_stays_out(server: Redmine, pull: Any) -> None:
    since = START + timedelta(seconds=1)
    first = pull(since=since)
    assert sorted(kept(first)) == ALL[19:]
    second = pull(since=since, known=set(ALL[19:]))
    assert sorted(kept(second)) == ALL[19:]
    assert (kept(second, "fresh"), kept(second, "gone")) == ([], [])


def test_a_filter_narrows_the_list_and_what_left_it_is_marked(server: Redmine, pull: Any) -> None:
    server.issues[7]["tracker"] = {"id": 2, "name": "Feature"}
    assert sorted(kept(pull(filter="tracker_id=4"))) == [number for number in ALL if number != 7]
    server.issues[8]["tracker"] = {"id": 2, "name": "Feature"}
    second = pull(filter="tracker_id=4", known=set(ALL) - {7})
    assert read(second).issues.select("incident_id", "rule").rows() == [("8", "outside_the_filter")]


@pytest.mark.parametrize("wrong", ["status_id=open", "incidents", "tracker_id=4&limit=5"])
def test_a_filter_that_cannot_be_kept_is_an_error(pull: Any, wrong: str) -> None:
    with pytest.raises(SourceError, match=r"write parameters of Redmine's list of issues such as tracker_id=4"):
        redmine.fetch(pull.make(filter=wrong))


def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of the usual schedules: what they cannot show, a really running server does."""
    monkeypatch.setattr(redmine, "PAGE", CAP)
    # With threads a seed would not give the same schedule each time.
    monkeypatch.setattr(redmine, "AT_ONCE", 1)
    struck: Counter[str] = Counter()
    servers, pulls = [Redmine(seed) for seed in range(SCHEDULES // 4)], []
    for seed, server in enumerate(servers):
        told: dict[str, Any] = {"between": server.change, "struck": struck, "sweep": timedelta(0)}
        folder = tmp_path / str(seed)
        pulls.append(
            pulled("redmine", server, folder, seed, known=lambda row: row.get("subject") and str(row["id"]), **told)
        )
    made = merged("redmine", pulls, tmp_path / "all")
    seen = {str(id_): issue for server in servers for id_, issue in server.seen.items()}
    assert seen.keys() <= made.versions.keys()
    versions = {id_: made.versions[id_] for id_ in seen}
    assert selected(versions, "incident_id", "source_state", "assignment_group", "assignee", "excluded_as") == sorted(
        (
            (
                id_,
                STATUSES[issue["status"]],
                PROJECTS[issue["project"]],
                PEOPLE.get(issue["assigned_to"]),
                "duplicate" if issue["relations"] else "cancelled" if issue["status"] == 6 else None,
            )
            for id_, issue in seen.items()
        ),
        key=str,
    )
    events = {key: event for key, event in made.events.items() if key[0] in seen}
    happened = [entry for server in servers for entry in server.ledger if entry[0] in seen]
    assert selected(events, "incident_key", "happened_at", "kind", "from_value", "to_value", "actor") == sorted(
        map(as_event, happened), key=str
    )
    # Deleted is what was known and is no more; what is only hidden is not.
    there = {str(id_) for server in servers for id_ in server.issues}
    deleted = {key[0] for key, event in made.events.items() if event["kind"] == "deleted"}
    assert deleted == made.versions.keys() - there
    assert made.rejected == []
    assert set(struck) == set(FAULTS)


def as_event(entry: tuple[str, datetime, str, str | None, str | None, str]) -> tuple[Any, ...]:
    """Say in our words what the stand-in's ledger says in Redmine's."""
    id_, at, what, before, after, by = entry
    states = {"New": "new", "In Progress": "in_progress", "Feedback": "on_hold", "Resolved": "resolved"}
    states |= {"Closed": "closed", "Rejected": "cancelled"}
    if what == "status":
        before, after = states[before or ""], states[after or ""]
        is_open = after in ("new", "in_progress", "on_hold")
        kind = {"on_hold": "held", "new": "state", "in_progress": "state"}.get(after, after)
        kind = "resumed" if kind == "state" and before == "on_hold" else kind
        kind = "reopened" if is_open and before in ("resolved", "closed", "cancelled") else kind
        return id_, at, kind, before, after, by
    if what == "priority":
        ranks = {"High": "3", "Normal": "4", "Low": "5"}
        return id_, at, "priority", ranks[before or ""], ranks[after or ""], by
    kinds = {"opened": "opened", "assigned_to": "assigned", "project": "group_assigned", "notes": "commented"}
    return id_, at, kinds[what], before, "new" if what == "opened" else after, by


def test_journals_tell_what_happened_and_by_whom(tmp_path: Path) -> None:
    issue = redmine.EXAMPLE_PULL["issues"][0]
    robot = {
        **redmine._journal(94, "2026-03-02T08:00:00Z", ("status_id", "3", "2")),
        "user": {"id": 3, "name": "Robot"},
    }
    anonymous = {"user": {"id": 4, "name": "Anonymous"}}
    nobody = {**redmine._journal(95, "2026-03-02T09:00:00Z", ("status_id", "2", "9")), **anonymous}
    someone = {**redmine._journal(96, "2026-03-02T10:00:00Z", ("assigned_to_id", "6", "7")), **anonymous}
    streams = {**redmine.EXAMPLE_PULL, "issues": [{**issue, "journals": [*issue["journals"], robot, nobody, someone]}]}
    pull = Pull("desk", Access("https://desk.example.com"), Options("desk"), tmp_path)
    for stream, records in streams.items():
        pull.keep(stream, lambda _, records=records: [Page(records, "GET", None)])
    found = read(pull, automation=("robot",), hold_reason={"Feedback": "vendor"})
    bela, at = (
        "Béla Kovács",
        [datetime(2026, 3, 1, 16, 39, 29), datetime(2026, 3, 1, 16, 43, 11), datetime(2026, 3, 1, 17)],
    )
    ended = datetime(2026, 3, 1, 19, 16, 36)
    assert found.events.sort("sequence").select(SAID[1:]).rows() == [
        (datetime(2026, 3, 1, 16, 31), "opened", None, "new", None, "Anna Åström", "person"),
        (at[0], "assigned", None, bela, None, bela, "person"),
        (at[0], "state", "new", "in_progress", None, bela, "person"),
        (at[1], "held", "in_progress", "on_hold", "vendor", bela, "person"),
        (at[1], "commented", None, None, None, bela, "person"),
        (at[2], "group_assigned", "Service Desk", "Network", None, bela, "person"),
        (at[2], "resumed", "on_hold", "in_progress", None, bela, "person"),
        (ended, "priority", "4", "3", None, bela, "person"),
        (ended, "resolved", "in_progress", "resolved", None, bela, "person"),
        (datetime(2026, 3, 2, 8), "reopened", "resolved", "in_progress", None, "Robot", "automation"),
        (datetime(2026, 3, 2, 10), "assigned", bela, "user 7", None, "Anonymous", "unknown"),
    ]
    # A status that is called nothing any more: that entry alone is rejected.
    assert found.rejected.select("incident_id", "field", "value").rows() == [("1", "journals", "status 9")]
    assert json.loads(found.rejected["raw"][0])["id"] == 95
    assert found.versions["url"].to_list() == ["https://desk.example.com/issues/1"]
