"""Redmine: answers and exports, made up; what a really running server says is in tests/real."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from payloads import SAID, understood

from etl.pull import Access, Patience, Pull, PullError, Secret, open_streams
from etl.sources import Canonical, Options, SourceError, redmine

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


class Redmine:
    """As much of a server as the traps need: it lists what a key may see, by update and by number, in pages of 100."""

    def __init__(self) -> None:
        self.issues: dict[int, dict[str, Any]] = {}
        self.hidden: set[int] = set()
        self.keys = {"key"}
        self.asked: list[str] = []
        self.after = lambda path: None
        for number in range(1, 251):
            self.put(number, f"2026-03-01T10:00:{number // 50:02}Z")

    def put(self, number: int, updated: str, **fields: Any) -> None:
        usual = redmine.EXAMPLE_PULL["issues"][0] | {"subject": f"Issue {number}", "journals": [], "relations": []}
        self.issues[number] = usual | self.issues.get(number, {}) | {"id": number, "updated_on": updated} | fields

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.strip("/")
        is_known = request.headers.get("X-Redmine-API-Key") in self.keys
        answer = self._answer(path, dict(request.url.params), is_known=is_known)
        self.asked.append(str(request.url))
        self.after(path)
        return answer

    def _answer(self, path: str, params: dict[str, str], *, is_known: bool) -> httpx.Response:
        if path == "users/current.json":
            return httpx.Response(200, json={"user": {"id": 11, "login": "etl"}}) if is_known else httpx.Response(401)
        # An unknown key is an anonymous user, who may see odd numbers here.
        seen = {id_: issue for id_, issue in self.issues.items() if id_ not in self.hidden and (is_known or id_ % 2)}
        if path == "issues.json":
            assert params["status_id"] == "*"
            wanted = int(params.get("tracker_id", 0))
            seen = {id_: issue for id_, issue in seen.items() if wanted in (0, issue["tracker"]["id"])}
            by = "updated_on" if params["sort"].startswith("updated_on") else "id"
            low = params.get("updated_on", ">=")[2:] if by == "updated_on" else int(params.get("issue_id", ">=0")[2:])
            rows = sorted(
                (issue for issue in seen.values() if issue[by] >= low), key=lambda issue: (issue[by], issue["id"])
            )
            at = int(params["offset"])
            page = [{key: value for key, value in row.items() if key != "journals"} for row in rows[at : at + 100]]
            return httpx.Response(200, json={"issues": page, "total_count": len(rows)})
        if path.startswith("issues/"):
            number = int(path.removeprefix("issues/").removesuffix(".json"))
            if number not in self.issues:
                return httpx.Response(404)
            return httpx.Response(200, json={"issue": seen[number]}) if number in seen else httpx.Response(403)
        if path.startswith("users/"):
            return httpx.Response(200, json={"user": {"id": 7, "firstname": "陳", "lastname": "Chen"}})
        stream = {"issue_statuses": "statuses", "enumerations/issue_priorities": "priorities", "projects": "projects"}
        named = redmine.EXAMPLE_PULL[stream[path.removesuffix(".json")]]
        key = path.removesuffix(".json").rpartition("/")[2]
        return httpx.Response(200, json={key: named, "total_count": len(named)})


@pytest.fixture
def server() -> Redmine:
    return Redmine()


@pytest.fixture
def pull(server: Redmine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make pulls that follow each other, each with what the last one carried."""
    monkeypatch.setenv("KEY", "key")
    state: dict[str, Any] = {}
    numbers = iter(range(100))

    def make(folder: Path | None = None, known: set[str] | None = None, **access: Any) -> Pull:
        return Pull(
            "desk",
            Access("https://desk.example.com", token=Secret(env="KEY"), **access),
            Options("desk"),
            folder or tmp_path / str(next(numbers)),
            state,
            lambda: {str(id_) for id_ in server.issues} if known is None else known,
            patience=Patience(wait_first=0, wait_most=0, jitter=0),
            transport=httpx.MockTransport(server.answer),
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


def test_equal_stamps_and_changes_while_paging_lose_nothing(server: Redmine, pull: Any) -> None:
    def change(path: str) -> None:
        if path == "issues.json" and len(server.asked) < 150:
            server.put(1, "2026-03-01T11:00:00Z")

    server.after = change
    found = kept(pull())
    assert sorted(set(found)) == list(range(1, 251))


def test_what_was_read_twice_as_it_is_is_not_asked_for_again(server: Redmine, pull: Any) -> None:
    pull()
    assert len(kept(pull())) == 250
    assert kept(pull()) == []
    server.put(7, "2026-03-01T10:00:09Z")
    assert kept(pull()) == [7]


def test_a_key_that_ends_in_the_middle_loses_nothing(server: Redmine, pull: Any, tmp_path: Path) -> None:
    """From then on Redmine answers an anonymous user, who sees less, without any error."""

    def revoke(path: str) -> None:
        if sum("/issues.json" in asked for asked in server.asked) == 1:
            server.keys.clear()

    server.after = revoke
    first = pull.make(folder=tmp_path / "broken")
    with pytest.raises(
        PullError, match=r"^desk: GET https://desk\.example\.com/\S+ gave 401: the tool does not accept"
    ):
        redmine.fetch(first)
    server.after, server.keys = (lambda path: None), {"key"}
    again = pull.make(folder=tmp_path / "broken")
    redmine.fetch(again)
    assert sorted(set(kept(again))) == list(range(1, 251))


def test_a_sweep_finds_what_was_deleted_hidden_shown_and_related(server: Redmine, pull: Any) -> None:
    server.hidden = {9}
    pull()
    del server.issues[5]
    server.hidden = {6}
    # A relation does not change `updated_on`.
    relation = {"id": 1, "issue_id": 4, "issue_to_id": 3, "relation_type": "duplicates"}
    server.issues[4]["relations"] = server.issues[3]["relations"] = [relation]
    known = {str(number) for number in range(1, 251)} - {"9"}
    second = pull(known=known)
    third = pull(known=known)
    assert sorted({*kept(second), *kept(second, "fresh")} & {3, 4, 9}) == [3, 4, 9]
    assert kept(second, "gone") == [5, 6]
    assert third.records.get("gone") is None
    found = read(second)
    assert found.events.filter(pl.col("kind") == "deleted")["incident_key"].to_list() == ["5"]
    assert found.issues.select("incident_id", "rule").rows() == [("6", "no_longer_visible")]
    assert found.versions.filter(pl.col("excluded_as") == "duplicate")["incident_id"].unique().to_list() == ["4"]


def test_a_filter_narrows_the_list_and_what_left_it_is_marked(server: Redmine, pull: Any) -> None:
    server.put(7, "2026-03-01T10:00:00Z", tracker={"id": 2, "name": "Feature"})
    assert sorted(kept(pull(filter="tracker_id=4"))) == [number for number in range(1, 251) if number != 7]
    server.put(8, "2026-03-01T10:00:09Z", tracker={"id": 2, "name": "Feature"})
    second = pull(filter="tracker_id=4", known={str(number) for number in server.issues} - {"7"})
    assert read(second).issues.select("incident_id", "rule").rows() == [("8", "outside_the_filter")]


@pytest.mark.parametrize("wrong", ["status_id=open", "incidents", "tracker_id=4&limit=5"])
def test_a_filter_that_cannot_be_kept_is_an_error(pull: Any, wrong: str) -> None:
    with pytest.raises(SourceError, match=r"write parameters of Redmine's list of issues such as tracker_id=4"):
        redmine.fetch(pull.make(filter=wrong))


def test_journals_tell_what_happened_and_by_whom(server: Redmine, pull: Any) -> None:
    server.issues.clear()
    issue = redmine.EXAMPLE_PULL["issues"][0]
    robot = {
        **redmine._journal(94, "2026-03-02T08:00:00Z", ("status_id", "3", "2")),
        "user": {"id": 3, "name": "Robot"},
    }
    nobody = {
        **redmine._journal(95, "2026-03-02T09:00:00Z", ("status_id", "2", "9")),
        "user": {"id": 4, "name": "Anonymous"},
    }
    someone = {
        **redmine._journal(96, "2026-03-02T10:00:00Z", ("assigned_to_id", "6", "7")),
        "user": {"id": 4, "name": "Anonymous"},
    }
    server.put(1, issue["updated_on"], **{**issue, "journals": [*issue["journals"], robot, nobody, someone]})
    found = read(pull(), automation=("robot",), hold_reason={"Feedback": "vendor"})
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
        (datetime(2026, 3, 2, 10), "assigned", bela, "陳 Chen", None, "Anonymous", "unknown"),
    ]
    # A status that is called nothing any more: that entry alone is rejected.
    assert found.rejected.select("incident_id", "field", "value").rows() == [("1", "journals", "status 9")]
    assert json.loads(found.rejected["raw"][0])["id"] == 95
    assert found.versions["url"].to_list() == ["https://desk.example.com/issues/1"]
