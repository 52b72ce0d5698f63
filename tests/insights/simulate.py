"""How often the search finds what was planted, first, and how often it finds something where nothing is.

`python -m tests.insights.simulate` runs the full hundreds and writes SEARCH.md; the tests run a part of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from dashboard.insights import search
from dashboard.insights.search import Search
from tests.insights.worlds import BY, Change, world

SEEDS = range(100)
"""Fixed before anything was tuned; tuning used others, from 1000 on."""
LEAST_FIRST, MOST_FALSE = 90, 10
"""Of a hundred worlds: a planted change comes first in so many at least, nothing planted gives a finding in so many at most."""
PLANTED = (
    Change({"group": "1"}, "rate", 1.75),
    Change({"group": "0", "channel": "1"}, "rate", 2.0),
    Change({"priority": "4"}, "mix", 1.6),
    Change({"group": "2"}, "rate", 1.5, "count"),
    Change({"group": "1"}, "rate", 2.0, "share"),
)
SMALLER = (
    Change({"group": "1"}, "rate", 1.5),
    Change({"group": "0", "channel": "1"}, "rate", 1.75),
    Change({"priority": "4"}, "mix", 1.4),
    Change({"group": "2"}, "rate", 1.35, "count"),
    Change({"group": "1"}, "rate", 1.75, "share"),
)
"""Changes of which nothing is promised; measured too, so that a reader sees where the search ends."""
RESULTS = Path(__file__).with_name("SEARCH.md")
MEASURES = ("mean", "share", "count")


def searched(seed: int, change: Change | None, measure: str) -> Search:
    """Search one world."""
    rows, days = world(seed, change)
    if measure == "share":
        above = rows["hours"] > (rows["hours"].quantile(0.9, "linear") or 0.0)
        rows = rows.with_columns(above.cast(pl.Float64).alias("amount"))
    return search.ranked(rows, days, BY, is_count=measure == "count", is_duration=measure == "mean")


def came_first(seed: int, change: Change) -> bool:
    """Say whether a planted change is the first finding: its slice, and what it did."""
    findings = searched(seed, change, change.measure).findings
    if findings.is_empty():
        return False
    first = findings.row(0, named=True)
    members = {first[f"by_{at}"]: first[f"member_{at}"] for at in (1, 2) if first[f"by_{at}"] is not None}
    return members == change.members and first["kind"] == change.kind


def firsts(seeds: Iterable[int], change: Change) -> int:
    """Count in how many worlds a planted change came first."""
    return sum(came_first(seed, change) for seed in seeds)


def false_alarms(seeds: Iterable[int], measure: str) -> int:
    """Count in how many worlds without any change something is found; they are other worlds than the changed ones."""
    return sum(not searched(10_000 + seed, None, measure).findings.is_empty() for seed in seeds)


def _row(change: Change, count: int) -> str:
    slice_ = " with ".join(f"{by} {member}" for by, member in change.members.items())
    what = "its hours" if change.kind == "rate" and change.measure != "count" else "its number"
    return f"| {slice_}: {what} ×{change.factor} | {change.measure} | {count} |"


def main() -> int:
    """Run all, write the results, and fail if a bound is missed."""
    planted = [(change, firsts(SEEDS, change)) for change in PLANTED]
    smaller = [(change, firsts(SEEDS, change)) for change in SMALLER]
    alarms = {measure: false_alarms(SEEDS, measure) for measure in MEASURES}
    firsts_head = ["| planted half-way | looked for as | first in 100 |", "| --- | --- | --- |"]
    lines = [
        "# What the search for slices finds",
        "",
        "By `python -m tests.insights.simulate`, on made-up desks (worlds.py: 24 weeks, some 340 incidents a week, five",
        f"dimensions), seeds {SEEDS.start} to {SEEDS.stop - 1}, fixed before tuning; the sizes were settled on others. Wanted: first in at least "
        f"{LEAST_FIRST}; nothing planted, found in at most {MOST_FALSE}.",
        "",
        *firsts_head,
        *(_row(change, count) for change, count in planted),
        "",
        "| nothing planted, looked for as | worlds of 100 with any finding |",
        "| --- | --- |",
        *(f"| {measure} | {count} |" for measure, count in alarms.items()),
        "",
        "Smaller changes, of which nothing is promised:",
        "",
        *firsts_head,
        *(_row(change, count) for change, count in smaller),
        "",
        f"{datetime.now(UTC):%Y-%m-%d}",
        "",
    ]
    text = "\n".join(lines)
    print(text)
    RESULTS.write_text(text, encoding="utf-8")
    return int(min(count for _, count in planted) < LEAST_FIRST or max(alarms.values()) > MOST_FALSE)


if __name__ == "__main__":
    sys.exit(main())
