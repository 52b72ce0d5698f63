"""The time ledger: every second from opening to the resolution that stands belongs to one part, and the parts add up."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from dashboard import evidence, periods, query
from dashboard.query import Days, Number, Scope, Warehouse

PARTS = {
    "waiting": "waiting to be taken on",
    "waiting_in_hours": "waiting, within hours",
    "waiting_out_of_hours": "waiting, out of hours",
    "working": "worked on",
    "on_hold_caller": "on hold for the caller",
    "on_hold_vendor": "on hold for a vendor",
    "on_hold_change": "on hold for a change",
    "on_hold_other": "on hold for something else",
    "on_hold_unknown": "on hold, reason unknown",
    "resolved": "resolved, then reopened",
    "unexplained_no_history": "unexplained: no history",
    "unexplained_late": "unexplained: history begins late",
}
"""Every part of the ledger, in the order of an incident's life -> what it is called."""
FAMILIES = {
    "waiting": "waiting, no calendar",
    "waiting_in_hours": "waiting, within hours",
    "waiting_out_of_hours": "waiting, out of hours",
    "working": "worked on",
    "on_hold": "on hold",
    "resolved": "resolved, then reopened",
    "unexplained": "unexplained",
}
"""What parts are drawn as where there is no room for all of them -> what it is called."""


def family(part: str) -> str:
    """Name the family of a part.

    >>> family("on_hold_caller"), family("waiting_in_hours"), family("unexplained_late")
    ('on_hold', 'waiting_in_hours', 'unexplained')
    """
    return next((name for name in ("on_hold", "unexplained") if part.startswith(name)), part)


class HandOvers(NamedTuple):
    """How often resolved incidents went from group to group."""

    hand_overs: int
    incidents: int
    """Incidents that were handed over at least once."""
    returned_incidents: int
    """Incidents that came back to a group which had given them away: ping-pong."""
    pairs: pl.DataFrame
    """The most frequent first: `from_group`, `to_group`, `hand_overs`, `incidents`, `returns`, `returned_incidents`."""


def ledger(warehouse: Warehouse, scope: Scope, grain: str | None = None, before: Days | None = None) -> pl.DataFrame:
    """Sum up where the time of the incidents resolved in a scope went, and of those resolved in some days before it.

    Returns:
        `is_before`, `period` (null without a grain, and of the days before), `assignment_group`, `part`, `seconds`; exact,
        so they add up.

    Raises:
        QueryError: an unknown grain or column.
    """
    if grain is not None and grain not in periods.GRAINS:
        raise query.QueryError(f"grain '{grain}' is not one of {', '.join(periods.GRAINS)}")
    since, until = before or (None, None)
    return query.filtered(warehouse, "ledger", scope, {"grain": grain, "before_since": since, "before_until": until})


class Sure(NamedTuple):
    """How sure a part of the time is: its mean hours per incident, and its share of all hours, with n and 95 % limits."""

    mean: Number
    share: Number


def how_sure(warehouse: Warehouse, scope: Scope) -> tuple[dict[str, Sure], dict[str | None, Sure]]:
    """Say how sure the parts of the time are, and what each group had of it; days of resolution are the clusters.

    An incident without a part has 0 of it: each is a mean over all, so that they add up.
    """
    found = query.filtered(warehouse, "ledger_limits", scope)
    sums = {name: found[name].to_numpy().astype(float) for name in found.columns if name not in ("dimension", "member")}
    mean = evidence.Measure("mean", "hours", "mean")
    ratio = evidence.Measure("share", "share", "ratio")
    clusters = {"sn": sums["sw"], "nn": sums["ww"]}
    told = pl.DataFrame(
        {
            "dimension": found["dimension"],
            "member": found["member"],
            "n": found["n"],
            "mean": sums["s"] / sums["n"] / 3600,
            "share": sums["s"] / sums["w"],
            **_named("mean", evidence.beside(mean, sums, sums["n"], sums["days"])),
            **_named("share", evidence.beside(ratio, sums | clusters, sums["n"], sums["days"])),
        }
    ).fill_nan(None)
    sides: dict[str, dict[str | None, Sure]] = {"part": {}, "group": {}}
    for row in told.iter_rows(named=True):
        numbers = [Number(row[name], row["n"], row[f"{name}_low"], row[f"{name}_high"]) for name in ("mean", "share")]
        sides[row["dimension"]][row["member"]] = Sure(*numbers)
    return {str(part): sure for part, sure in sides["part"].items()}, sides["group"]


def _named(name: str, beside: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}_{end}": beside[end] for end in ("low", "high")}


def hand_overs(warehouse: Warehouse, scope: Scope) -> HandOvers:
    """Count how the incidents resolved in a scope went from group to group."""
    found = query.filtered(warehouse, "hand_overs", scope)
    is_whole = pl.col("from_group").is_null()
    whole = found.filter(is_whole).to_dicts()
    counts = whole[0] if whole else {"hand_overs": 0, "incidents": 0, "returned_incidents": 0}
    return HandOvers(
        counts["hand_overs"], counts["incidents"], counts["returned_incidents"], found.filter(is_whole.not_())
    )
