"""Request Tracker: answers and exports, made up; what a really running server says is in tests/real."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from payloads import understood

from etl.pull import Access, Page, Pull, open_streams
from etl.sources import Canonical, Options, SourceError, request_tracker

HEADER = "ID\tBetreff\tStatus\tBereichsname\tBesitzername\tAuftraggeber\tErstellt\tErledigt\tZuletzt aktualisiert\tPriorität\n"
ROW = (
    '7\t"Mail" ist aus\t{}\tNetwork\tchen (陳 Chen)\tCustomer 2 <cust2@customer.example>\tSo 29. Mär 01:30:00 2026\t'
    "Mo 30. Mär 09:00:00 2026\tMo 30. Mär 09:00:00 2026\tLow\n"
)


def export(folder: Path, word: str, **told: Any) -> Canonical:
    file = folder / "tickets.tsv"
    file.write_text(HEADER + ROW.format(word), encoding="utf-8")
    return understood("request_tracker", file, **told)


def test_an_export_is_read_in_the_users_language_and_zone(tmp_path: Path) -> None:
    """The clock goes forward between its two stamps."""
    found = export(tmp_path, "erledigt", timezone="Europe/Berlin")
    assert found.versions.select("incident_id", "title", "state", "source_state", "assignee", "caller").rows() == [
        ("7", '"Mail" ist aus', "resolved", "resolved", "chen", "cust2@customer.example")
    ]
    assert found.versions.select("opened_at", "resolved_at").rows() == [
        (datetime(2026, 3, 29, 0, 30), datetime(2026, 3, 30, 7))
    ]
    assert found.issues.select("incident_id", "rule", "field", "value").rows() == [
        ("7", "last_resolution_only", "Erledigt", "erledigt")
    ]


def test_an_export_without_its_zone_is_an_error_that_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"name it with --timezone or the key `timezone`"):
        export(tmp_path, "erledigt")


def test_an_unknown_status_is_rejected_with_the_key_that_maps_it(tmp_path: Path) -> None:
    found = export(tmp_path, "geparkt", timezone="Europe/Berlin")
    assert found.versions.height == 0
    assert "map it under [sources.desk.status] to one of new, in_progress, on_hold," in found.rejected["reason"][0]
    told = export(tmp_path, "geparkt", timezone="Europe/Berlin", status={"Geparkt": "on_hold"})
    assert told.versions.select("state", "source_state").rows() == [("on_hold", "geparkt")]


def pulled(folder: Path, **streams: Any) -> Canonical:
    """Read a pull that holds the example's streams, or those given."""
    pull = Pull("desk", Access("https://desk.example.com"), Options("desk"), folder)
    for stream, records in {**request_tracker.EXAMPLE_PULL, **streams}.items():
        pull.keep(stream, lambda _, records=records: [Page(records, "GET", None)])
    found = []
    for export in open_streams(folder, request_tracker.REFERENCES):
        plan = request_tracker.prepare(export, Options("desk"))
        found += [request_tracker.normalise(chunk, plan) for chunk in export.chunks()]
    return Canonical(*(pl.concat(frames) for frames in zip(*found, strict=True)))


def test_a_caller_is_known_by_address_in_the_ticket_and_in_its_history(tmp_path: Path) -> None:
    """So that what a caller does is told from what an agent does."""
    reply = request_tracker._transaction(91, "2026-03-01T17:00:00Z", "Correspond") | {"Creator": {"id": "cust2"}}
    found = pulled(tmp_path, transactions=[*request_tracker.EXAMPLE_PULL["transactions"], reply])
    assert found.versions["caller"].to_list() == ["cust2@customer.example"]
    assert found.events.filter(kind="commented").select("actor").rows() == [("cust2@customer.example",)]


def test_an_agent_who_calls_is_known_by_name(tmp_path: Path) -> None:
    """An owner's acts are compared with the owner's name, also on a ticket of their own."""
    ticket = request_tracker.EXAMPLE_PULL["tickets"][0]
    agent = {"id": "chen", "EmailAddress": "chen@ci.example"}
    found = pulled(tmp_path, requestors=[agent], tickets=[{**ticket, "Requestor": [agent]}])
    assert found.versions.select("caller", "assignee").rows() == [("chen", "chen")]
    assert found.events["actor"].unique().to_list() == ["chen"]
