"""Zendesk's interface in the shapes of the vendor's own documents."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from payloads import answered
from standins import FAULTS, IMPATIENT, SCHEDULES, VARIABLE, Faults, merged, pulled, warehoused
from standins.desk import OPEN, Ticket, compare, compare_warehouse
from standins.zendesk import METRICS, Zendesk

from etl import sources
from etl.pull import Access, Page, Pull, PullError, Secret, open_streams
from etl.sources import Options, SourceError

COLUMNS = (
    "state", "priority", "assignee", "assignment_group", "caller", "opened_at", "updated_at", "excluded_as", "channel",
    "title", "sla_met",
)  # fmt: skip


def version(desk: Zendesk, ticket: Ticket) -> tuple[Any, ...]:
    about = (ticket.state, ticket.priority, ticket.assignee, ticket.group, ticket.caller)
    return (
        *about,
        ticket.opened_at,
        ticket.updated_at,
        desk.excluded_as(ticket),
        "email",
        desk.title(ticket),
        desk.sla_met(ticket),
    )


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
    desk = Zendesk(9, page_size=4)
    published = warehoused("zendesk", desk, tmp_path, user="me@example.com")
    compare_warehouse(published, desk)
    with duckdb.connect(published.resolve(), read_only=True) as con:
        said = dict(con.execute("select incident_id, sla_met from incidents where excluded_as is null").fetchall())
    met = {desk.incident_id(one): desk.sla_met(one) for one in desk.visible() if desk.excluded_as(one) is None}
    assert said == met
    assert set(met.values()) == {True, False, None}


def pull_of(desk: Zendesk, folder: Path, state: Mapping[str, Any] | None = None, **more: Any) -> Pull:
    os.environ[VARIABLE] = desk.token
    transport = more.pop("transport", Faults(desk, 0, share=0, changing=0))
    access = Access(desk.url, user="me@example.com", token=Secret(env=VARIABLE), **more)
    return Pull("desk", access, Options("desk"), folder, state or {}, patience=IMPATIENT, transport=transport)


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


def measured(number: int, type_: str, metric: str = "requester_wait_time", **more: Any) -> dict[str, Any]:
    made = {"id": number, "ticket_id": 47, "metric": metric, "instance_id": 1, "type": type_}
    return {**made, "time": f"2024-01-15T10:{number:02}:00Z", **more}


TARGET = {"target": 60, "business_hours": False, "policy": {"id": 531, "title": "Main"}}
APPLIED, STARTED, FULFILLED = measured(1, "apply_sla", sla=TARGET), measured(2, "activate"), measured(5, "fulfill")
WORK = measured(3, "apply_sla", "agent_work_time", sla=TARGET)


def judged(folder: Path, *events: Mapping[str, Any], **told: Any) -> bool | None:
    """Give the verdict on a ticket with these metric events."""
    module = sources.source("zendesk")
    pull = Pull("desk", Access("https://desk.example.com"), Options("desk"), folder)
    for stream, records in (("tickets", module.EXAMPLE_PULL["tickets"]), ("targets", events)):
        pull.keep(stream, lambda _, records=records: [Page(list(records), "GET", None)])
    (export,) = open_streams(folder, module.REFERENCES)
    plan = module.prepare(export, Options("desk", **told))
    (met,) = [met for chunk in export.chunks() for met in module.normalise(chunk, plan).versions["sla_met"]]
    return met


@pytest.mark.parametrize(
    ("met", "events"),
    [
        (True, [FULFILLED, STARTED, APPLIED]),
        (None, [APPLIED, STARTED]),
        (None, [APPLIED, STARTED, FULFILLED, measured(6, "activate")]),
        (False, [APPLIED, STARTED, measured(4, "breach")]),
        (False, [APPLIED, STARTED, measured(4, "breach"), FULFILLED]),
        (True, [APPLIED, STARTED, measured(4, "breach", deleted=True), FULFILLED]),
        (None, [APPLIED, STARTED, measured(4, "breach", deleted=True)]),
        (None, [STARTED, FULFILLED]),
        (None, []),
        (None, [APPLIED, STARTED, measured(3, "apply_sla"), FULFILLED]),
        (None, [APPLIED, STARTED, FULFILLED, WORK]),
        (True, [APPLIED, STARTED, FULFILLED, WORK, measured(5, "fulfill", "agent_work_time")]),
        (False, [APPLIED, STARTED, FULFILLED, WORK, measured(4, "breach", "agent_work_time")]),
    ],
    ids=[
        "met", "running", "reopened", "breached", "breached and then fulfilled", "breach taken back, fulfilled",
        "breach taken back, running", "no target", "no metric events", "target taken away", "one of two open",
        "both met", "one of two breached",
    ],
)  # fmt: skip
def test_a_breach_is_final_unless_it_is_taken_back_and_met_means_that_each_target_was_fulfilled(
    tmp_path: Path, met: bool | None, events: list[dict[str, Any]]
) -> None:
    assert judged(tmp_path, *events) is met


def test_the_configuration_may_name_the_one_metric_that_counts(tmp_path: Path) -> None:
    events = [APPLIED, STARTED, FULFILLED, WORK, measured(4, "breach", "agent_work_time")]
    assert judged(tmp_path / "1", *events, fields={"sla_met": "requester_wait_time"}) is True
    assert judged(tmp_path / "2", *events, fields={"sla_met": "agent_work_time"}) is False
    with pytest.raises(
        SourceError, match=r"takes sla_met from 'reply_time', which is not one of requester_wait_time, "
    ):
        judged(tmp_path / "3", *events, fields={"sla_met": "reply_time"})


def test_a_breach_without_a_change_brings_its_ticket_again_and_so_does_one_that_is_taken_back(tmp_path: Path) -> None:
    desk = Zendesk(1, page_size=4)
    state: dict[str, Any] = {}
    timed = next(one for one in desk.visible() if desk.is_timed(one) and one.state in OPEN)
    number, found = timed.number, []

    def pulled_again() -> None:
        pull = pull_of(desk, tmp_path / str(len(found)), state)
        sources.source("zendesk").fetch(pull)
        state.update(pull.carried, as_of=pull.as_of.isoformat())
        made = merged("zendesk", [[pull.folder]], tmp_path / "made")
        verdict = made.versions[desk.incident_id(timed)]["sla_met"]
        found.append(([record["id"] for record in pull.kept("tickets_moved")], verdict))
        assert {key for record in pull.kept("users") for key in record} == {"id", "name", "role"}
        desk.passes(hours=1)

    desk.passes(minutes=10)
    pulled_again()
    desk.breaches[number] = desk.measured(number, METRICS[1 + number % 3], "breach")
    desk.passes(minutes=10)
    pulled_again()
    desk.take_back(number)
    desk.passes(minutes=10)
    pulled_again()
    id_ = int(desk.incident_id(timed))
    assert found == [([], None), ([id_], False), ([id_], None)]


def without_events(answer: httpx.Response) -> Any:
    """Answer as a desk, but for the export of metric events."""

    def respond(request: httpx.Request) -> httpx.Response:
        return answer if "ticket_metric_events" in request.url.path else desk.respond(request)

    desk = Zendesk(1, page_size=4)
    return desk, httpx.MockTransport(respond)


def test_an_account_without_metric_events_is_pulled_all_the_same_and_told_so(tmp_path: Path) -> None:
    desk, transport = without_events(httpx.Response(403, json={"error": "Forbidden"}))
    pull = pull_of(desk, tmp_path, {"as_of": "2025-03-01T00:00:00"}, transport=transport)
    told: list[str] = []
    pull.tell = lambda note: told.append(str(note))
    sources.source("zendesk").fetch(pull)
    assert [one for one in told if "metric" in one] == [
        "desk: has no metric events for us (403): breaches show with other changes"
    ]
    assert pull.records["tickets"] > 0


def test_metric_events_that_never_end_are_an_error_and_a_page_that_stands_still_is_the_end_of_an_old_export(
    tmp_path: Path,
) -> None:
    state, page = {"as_of": "2025-03-01T00:00:00"}, {"ticket_metric_events": [], "count": 0, "end_time": 0}
    desk, transport = without_events(httpx.Response(200, json={**page, "end_of_stream": False}))
    with pytest.raises(PullError, match=r"ticket_metric_events.json\?.* names itself as the next page"):
        sources.source("zendesk").fetch(pull_of(desk, tmp_path / "1", state, transport=transport))
    desk, transport = without_events(httpx.Response(200, json=page))
    pull = pull_of(desk, tmp_path / "2", state, transport=transport)
    sources.source("zendesk").fetch(pull)
    assert pull.records["metric_events"] == 0
