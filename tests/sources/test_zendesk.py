"""Zendesk's interface in the shapes of the vendor's own documents."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from payloads import answered
from standins import FAULTS, IMPATIENT, SCHEDULES, VARIABLE, Faults, merged, pulled, warehoused
from standins.desk import Ticket, compare, compare_warehouse
from standins.zendesk import Zendesk

from etl import sources
from etl.pull import Access, Pull, PullError, Secret
from etl.sources import Options, SourceError

COLUMNS = (
    "state", "priority", "assignee", "assignment_group", "caller", "opened_at", "updated_at", "excluded_as", "channel",
    "title",
)  # fmt: skip


def version(desk: Zendesk, ticket: Ticket) -> tuple[Any, ...]:
    about = (ticket.state, ticket.priority, ticket.assignee, ticket.group, ticket.caller)
    return (*about, ticket.opened_at, ticket.updated_at, desk.excluded_as(ticket), "email", desk.title(ticket))


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in need not be waited for."""
    monkeypatch.setattr(sources.source("zendesk"), "EXPORTS_PER_MINUTE", 1e9)


def test_nothing_is_lost_and_nothing_twice_under_any_schedule_of_faults(tmp_path: Path) -> None:
    struck: Counter[str] = Counter()
    desks, pulls = [], []
    for seed in range(SCHEDULES):
        desk = Zendesk(seed, page_size=4)
        told = {"between": desk.works, "struck": struck, "user": "me@example.com"}
        pulls.append(pulled("zendesk", desk, tmp_path / str(seed), seed, **told))
        desks.append(desk)
    made = merged("zendesk", pulls, tmp_path / "all")
    compare(made, desks, version, *COLUMNS)
    assert set(struck) == set(FAULTS)
    deleted = {
        desk.incident_id(one): one.deleted_at for desk in desks for one in desk.tickets.values() if one.deleted_at
    }
    said = {id_: row["deleted_at_source"] for id_, row in made.versions.items() if row["excluded_as"] == "deleted"}
    assert said == deleted


def test_over_a_real_socket_the_warehouse_equals_the_tool(tmp_path: Path) -> None:
    desk = Zendesk(7, page_size=4)
    compare_warehouse(warehoused("zendesk", desk, tmp_path, user="me@example.com"), desk)


def pull_of(desk: Zendesk, folder: Path, **more: Any) -> Pull:
    os.environ[VARIABLE] = desk.token
    transport = more.pop("transport", Faults(desk, 0, share=0, changing=0))
    access = Access(desk.url, user="me@example.com", token=Secret(env=VARIABLE), **more)
    return Pull("desk", access, Options("desk"), folder, {}, patience=IMPATIENT, transport=transport)


def test_a_wrong_token_that_is_answered_with_200_is_seen(tmp_path: Path) -> None:
    desk = Zendesk(1, page_size=4)
    pull = pull_of(desk, tmp_path)
    os.environ[VARIABLE] = "another"
    with pytest.raises(PullError, match=r"users/me.json takes us for an anonymous user; check user and token"):
        sources.source("zendesk").fetch(pull)


def test_an_agent_who_may_not_export_is_told_so(tmp_path: Path) -> None:
    desk = Zendesk(1, page_size=4)

    def forbidden(request: httpx.Request) -> httpx.Response:
        if "incremental" not in request.url.path:
            return desk.respond(request)
        return httpx.Response(403, json={"error": "Forbidden", "description": "You do not have access to this page"})

    with pytest.raises(PullError, match=r"gave 403: this user may not read that; .*You do not have access"):
        sources.source("zendesk").fetch(pull_of(desk, tmp_path, transport=httpx.MockTransport(forbidden)))


def test_the_export_knows_no_filter(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has `filter`, which Zendesk's export does not know; take it out"):
        sources.source("zendesk").fetch(pull_of(Zendesk(1, page_size=4), tmp_path, filter="status:open"))


def audit(number: int, *events: Mapping[str, Any], author: int = 5, channel: str = "web") -> dict[str, Any]:
    made = {"id": number, "ticket_id": 47, "author_id": author, "created_at": "2024-01-15T10:40:00Z"}
    return {**made, "via": {"channel": channel}, "events": [{"id": at, **event} for at, event in enumerate(events)]}


def test_an_audit_tells_every_field_that_it_changed_and_a_rule_is_no_person(tmp_path: Path) -> None:
    rule = {
        "type": "Change",
        "field_name": "status",
        "value": "hold",
        "previous_value": "open",
        "via": {"channel": "rule"},
    }
    found = answered(
        "zendesk",
        tmp_path,
        {
            "audits": [
                audit(1, {"type": "Change", "field_name": "status", "value": "open", "previous_value": "solved"}, rule),
                audit(2, {"type": "Change", "field_name": "subject", "value": "y", "previous_value": "x"}),
                audit(3, {"type": "Change", "field_name": "status", "value": "parked", "previous_value": "open"}),
            ]
        },
        automation=("bot*",),
    )
    columns = ("kind", "from_value", "to_value", "hold_reason", "actor", "actor_kind")
    assert found.events.select(columns).rows() == [
        ("reopened", "resolved", "in_progress", None, "5", "person"),
        ("held", "in_progress", "on_hold", "vendor", "5", "automation"),
        ("other", None, None, None, "5", "person"),
        ("other", None, None, None, "5", "person"),
    ]
    (reason,) = found.rejected["reason"]
    assert reason.startswith("desk: status 'parked' is not one of new, open, pending, ")


def test_custom_fields_are_named_by_their_number(tmp_path: Path) -> None:
    ticket = {
        "id": 47,
        "status": "open",
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-01-15T10:30:00Z",
        "custom_fields": [{"id": 360, "value": "Payments"}, {"id": 361, "value": ["a", "b"]}],
    }
    found = answered("zendesk", tmp_path, {"tickets": [ticket]}, fields={"service": "360", "tags": "361"})
    assert found.versions.select("services", "tags").rows() == [(["Payments"], ["a", "b"])]
