"""Freshservice's interface, as far as anything is known of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from payloads import answered
from standins import FAULTS, IMPATIENT, SCHEDULES, VARIABLE, Faults, merged, pulled, warehoused
from standins.desk import Ticket, compare, compare_warehouse
from standins.freshservice import Freshservice

from etl import sources
from etl.pull import Access, Pull, PullError, Secret
from etl.sources import Options, SourceError

STATUS = {"6": "in_progress", "Being Processed": "in_progress"}
PULLED = Options("desk", timezone="UTC", status=STATUS)
COLUMNS = (
    "state", "priority", "assignee", "assignment_group", "caller", "opened_at", "updated_at", "resolved_at", "closed_at",
    "channel",
)  # fmt: skip


def version(desk: Freshservice, ticket: Ticket) -> tuple[Any, ...]:
    # Many stand-ins are read together here, so that the names of groups are known where another one shows them.
    about = (ticket.state, ticket.priority, ticket.assignee, ticket.group, ticket.caller)
    return (*about, ticket.opened_at, ticket.updated_at, ticket.resolved_at, ticket.closed_at, "email")


def ticket_id(record: Mapping[str, Any]) -> str | None:
    return str(record["id"]) if "subject" in record else None


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages so small that a list has some."""
    monkeypatch.setattr(sources.source("freshservice"), "PAGE", 4)
    monkeypatch.setattr(sources.source("freshservice"), "LAST_PAGE", 30)


def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(tmp_path: Path) -> None:
    struck: Counter[str] = Counter()
    desks, pulls = [], []
    for seed in range(SCHEDULES):
        # A tool may give fewer than it was asked for.
        desk = Freshservice(seed, page_size=3 + seed % 2, last_page=30)
        told = {"between": desk.works, "struck": struck, "known": ticket_id, "sweep": timedelta(0), "options": PULLED}
        pulls.append(pulled("freshservice", desk, tmp_path / str(seed), seed, **told))
        desks.append(desk)
    made = merged("freshservice", pulls, tmp_path / "all", PULLED)
    compare(made, desks, version, *COLUMNS)
    assert set(struck) == set(FAULTS)
    gone = {desk.incident_id(one): (desk, one) for desk in desks for one in desk.tickets.values() if one.deleted_at}
    said = {id_ for id_, row in made.versions.items() if row["excluded_as"] == "deleted"}
    found_out = {row["incident_key"] for row in made.events.values() if row["kind"] == "deleted"}
    assert set(made.versions) & set(gone) <= said | found_out <= set(gone)
    assert {id_ for id_ in said if made.versions[id_]["deleted_at_source"] != gone[id_][1].deleted_at} == set()


@pytest.mark.parametrize("seed", [7, 8])
def test_over_a_real_socket_the_warehouse_equals_the_tool(seed: int, tmp_path: Path) -> None:
    desk = Freshservice(seed, page_size=4, last_page=30)
    compare_warehouse(warehoused("freshservice", desk, tmp_path, status=STATUS), desk)


def pull_of(desk: Freshservice, folder: Path, state: Mapping[str, Any] | None = None, **more: Any) -> Pull:
    os.environ[VARIABLE] = desk.token
    access = Access(desk.url, token=Secret(env=VARIABLE), filter=more.pop("filter", None))
    transport = more.pop("transport", Faults(desk, 0, share=0, changing=0))
    return Pull("desk", access, PULLED, folder, state or {}, patience=IMPATIENT, transport=transport, **more)


def test_a_ticket_that_is_deleted_while_a_list_is_read_makes_no_other_one_fall_out(tmp_path: Path) -> None:
    desk = Freshservice(2, page_size=4, last_page=30)
    while len(desk.visible()) < 12:
        desk.change()
    desk.passes(minutes=10)
    first = min(desk.visible(), key=lambda one: one.number)
    lists = 0

    def meanwhile(request: httpx.Request) -> httpx.Response:
        nonlocal lists
        lists += request.url.path == "/api/v2/tickets"
        first.deleted_at = desk.clock if lists == 2 else first.deleted_at
        return desk.respond(request)

    pull = pull_of(desk, tmp_path, transport=httpx.MockTransport(meanwhile))
    sources.source("freshservice").fetch(pull)
    assert {str(record["id"]) for record in pull.kept("tickets")} >= {desk.incident_id(one) for one in desk.visible()}


def test_a_list_that_does_not_end_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.source("freshservice"), "LAST_PAGE", 2)
    desk = Freshservice(3, page_size=4, last_page=2)
    while len(desk.visible()) < 9:
        desk.change()
    with pytest.raises(PullError, match=r"more than 8 tickets changed since 2000-01-01 00:00, and .* a later `since`"):
        sources.source("freshservice").fetch(pull_of(desk, tmp_path))


def test_a_key_that_suddenly_sees_nothing_does_not_make_everything_deleted(tmp_path: Path) -> None:
    desk = Freshservice(1, page_size=4, last_page=30)
    for ticket in desk.tickets.values():
        ticket.is_hidden = True
    state = {"as_of": desk.clock.isoformat()}
    with pytest.raises(PullError, match="lists none of our 1 tickets any more; check the rights of the key's owner"):
        sources.source("freshservice").fetch(pull_of(desk, tmp_path, state, known=lambda: {"1001"}))


def test_the_list_knows_no_filter(tmp_path: Path) -> None:
    desk = Freshservice(1, page_size=4, last_page=30)
    with pytest.raises(SourceError, match="has `filter`, which Freshservice's list does not know; take it out"):
        sources.source("freshservice").fetch(pull_of(desk, tmp_path, filter="priority:4"))


def ticket(**fields: Any) -> dict[str, Any]:
    made = {"id": 61, "type": "Incident", "status": 2, "priority": 1, "created_at": "2024-01-15T10:30:00Z"}
    return {**made, "updated_at": "2024-01-15T10:30:00Z", **fields}


def test_other_types_of_ticket_are_left_out_and_told_and_a_field_may_be_the_accounts_own(tmp_path: Path) -> None:
    tickets = [
        ticket(custom_fields={"team": "Payments"}),
        ticket(id=62, type="Service Request"),
        ticket(id=63, status=9),
    ]
    found = answered("freshservice", tmp_path, {"tickets": tickets}, fields={"service": "team"})
    assert found.versions.select("incident_id", "services").rows() == [("61", ["Payments"])]
    assert found.issues.select("rule", "value").rows() == [("no_incident", "Service Request")]
    (reason,) = found.rejected["reason"]
    assert reason.startswith("desk: status '9' is not one of 2, open, 3, ")


def test_a_sentence_that_is_not_understood_is_something_else_and_an_unknown_word_is_rejected_alone(
    tmp_path: Path,
) -> None:
    def activity(place: int, content: str) -> dict[str, Any]:
        made = {"ticket_id": 61, "place": place, "actor": {"id": 35, "name": "Ann"}, "sub_contents": []}
        return {**made, "content": content, "created_at": "2024-01-15T10:40:00Z"}

    said = [" set Status as Pending", " a réglé le statut", " set Status as Parked", " set Priority as Huge"]
    found = answered("freshservice", tmp_path, {"items": [activity(place, text) for place, text in enumerate(said)]})
    assert found.events.select("kind", "to_value").rows() == [("held", "on_hold"), ("other", None)]
    assert [reason.split(" is not")[0] for reason in found.rejected["reason"]] == [
        "desk: status 'Parked'",
        "desk: priority 'Huge'",
    ]


def test_what_happened_in_one_second_keeps_its_order_where_the_newest_comes_first() -> None:
    def activity(second: int, content: str) -> dict[str, Any]:
        return {"created_at": f"2024-01-15T10:40:0{second}Z", "content": content, "sub_contents": []}

    newest_first = [activity(2, "d"), activity(1, "c"), activity(1, "b"), activity(1, "b"), activity(0, "a")]
    placed = sources.source("freshservice")._placed(61, newest_first)
    assert [entry["content"] for entry in placed] == ["a", "b", "b", "c", "d"]
    assert placed == sources.source("freshservice")._placed(61, newest_first[::-1])
    assert len({entry["mark"] for entry in placed}) == 5
