"""How often the search finds what was planted, first, and how often it finds something where nothing is.

`python -m tests.insights.simulate` runs the full hundreds and writes SEARCH.md; the tests run a part of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from dashboard.insights import search
from dashboard.insights.search import Search
from tests.insights.worlds import BY, Change, world

SEEDS = range(100)
"""Fixed before anything was tuned; tuning used others, from 1000 on."""
PLANTED = (
    Change({"group": "1"}, "rate", 1.75),
    Change({"group": "0", "channel": "1"}, "rate", 2.0),
    Change({"priority": "4"}, "mix", 1.6),
    Change({"group": "2"}, "rate", 1.5, "count"),
    Change({"group": "1"}, "rate", 2.0, "share"),
)
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
    """Count in how many worlds without any change something is found."""
    return sum(not searched(10_000 + seed, None, measure).findings.is_empty() for seed in seeds)


def main(seeds: range = SEEDS) -> None:
    """Run all and write the results."""
    lines = ["| planted | looked for as | first in 100 |", "| --- | --- | --- |"]
    for change in PLANTED:
        slice_ = " with ".join(f"{by} {member}" for by, member in change.members.items())
        what = "its hours" if change.kind == "rate" and change.measure != "count" else "its number"
        lines.append(f"| {slice_}: {what} ×{change.factor} | {change.measure} | {firsts(seeds, change)} |")
    lines += ["", "| nothing planted, looked for as | worlds of 100 with any finding |", "| --- | --- |"]
    lines += [f"| {measure} | {false_alarms(seeds, measure)} |" for measure in MEASURES]
    text = "\n".join(lines)
    print(text)
    if seeds == SEEDS:
        head = "# What the search for slices finds\n\nBy `python -m tests.insights.simulate`, on made-up desks (worlds.py)."
        Path(__file__).with_name("SEARCH.md").write_text(
            f"{head}\n\n{text}\n\n{datetime.now(UTC):%Y-%m-%d}\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
