"""All that the warehouse has on one incident: itself, its history, its calendar's hours, and the incidents like it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from dashboard.query import Warehouse

TRAITS = ("problem_id", "configuration_item", "service", "category")
"""What incidents have in common besides words of their titles."""
LETTERS, WORDS = 500, 30
"""So much of a title is read, and so many words of it are looked for in others."""
NEAR = 5_000
"""So many incidents are compared at most: those that share a trait and were opened nearest."""
LEAST_LIKE = 0.25
"""Of all that an incident could share with another, by weight, so much makes it one like it."""
LISTED = 8
PARTS = 250
"""Business hours that are a smaller part of a life apart are drawn as one."""


class Incident(NamedTuple):
    """One incident, whole; stamps are in the reporting zone."""

    row: dict[str, Any]
    events: pl.DataFrame
    segments: pl.DataFrame
    issues: pl.DataFrame
    links: pl.DataFrame
    hours: pl.DataFrame
    """Business hours of its calendar during its life: `from_at`, `until_at`; hours too near to be told apart are one."""
    similar: pl.DataFrame
    """The likest first: what a list shows of it, and `things`: the traits (`service:Mail`) and words that both have."""


def incident(warehouse: Warehouse, source: str, incident_id: str) -> Incident | None:
    """Give one incident with its history; None if there is none."""
    key = {"source": source, "incident_id": incident_id}
    local = {**key, "zone": warehouse.zone}
    found = warehouse.stored("incident", local)
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    segments = warehouse.stored("incident_segments", local)
    return Incident(
        row,
        warehouse.stored("incident_events", local),
        segments,
        warehouse.stored("incident_issues", key),
        warehouse.stored("incident_links", local) if warehouse.joined["joined"] else pl.DataFrame(),
        _hours(warehouse, row["calendar"], segments),
        _similar(warehouse, row),
    )


def _hours(warehouse: Warehouse, calendar: str | None, segments: pl.DataFrame) -> pl.DataFrame:
    if calendar is None or segments.is_empty():
        return pl.DataFrame(schema={"from_at": pl.Datetime, "until_at": pl.Datetime})
    since: datetime = segments["from_at"][0]
    until: datetime = segments["until_at"][-1]
    apart = (until - since).total_seconds() / PARTS
    return warehouse.stored(
        "incident_hours",
        {"calendar": calendar, "since": since, "until": until, "apart": apart, "zone": warehouse.zone},
    )


def _similar(warehouse: Warehouse, row: dict[str, Any]) -> pl.DataFrame:
    known = {name: row[name] for name in ("source", "incident_id", "title", "opened_at", *TRAITS)}
    limits = {"letters": LETTERS, "words": WORDS, "most": NEAR, "least": LEAST_LIKE, "listed": LISTED}
    return warehouse.stored("similar_incidents", {**known, **limits, "zone": warehouse.zone})
