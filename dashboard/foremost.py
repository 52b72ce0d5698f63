"""The one sentence that says what matters: how many there were, how long they took, and what is out of the ordinary."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard import aims, judging, sentences, words
from dashboard.control import Watched
from dashboard.parts import tiles
from dashboard.view import View

MOST = 3
"""So much that is out of the ordinary is named; the rest is counted."""


def sentence(here: View, names: Sequence[str]) -> str:
    """Say it of these KPIs, as Markdown: signals first, then targets missed beyond chance, then changes."""
    volume, mean = here.reading("incident_volume"), here.reading("mttr")
    said = f"{sentences.opened(volume)} {here.in_span}"
    if mean.has_value:
        said += f", resolving took **{sentences.mean(mean)}** on average"
    watched = here.watched(names)
    found = [finding for name in names if (finding := _finding(here, name, watched.get(name)))]
    named = [text for _, text in sorted(found, key=lambda finding: finding[0])]
    if named:
        said += f"; out of the ordinary: {words.listing(named, most=MOST)}"
    elif any(judging.is_said(one) for one in watched.values()):
        said += "; nothing is out of the ordinary"
    elif all(here.reading(name).change is None for name in names):
        said += "; there is nothing yet to compare it with"
    return f"{said}."


def signal(here: View, name: str) -> str:
    """Say of one KPI that its last complete period is a signal, as a clause; empty where it is none.

    The change on the period before may be within normal variation, and a week of it still be a signal.
    """
    watched = here.watched((name,)).get(name)
    if watched is None or not watched.chart.verdict.is_signal:
        return ""
    joint = "and" if sentences.is_change(here.reading(name)) else "but"
    return f"{joint} out of the ordinary {watched.grain} by {watched.grain}: {words.plain(judging.signal(watched))}"


def _finding(here: View, name: str, watched: Watched | None) -> tuple[int, str] | None:
    """Say what is out of the ordinary in a KPI, and how much it matters: 0 the most; None where there is nothing."""
    reading = here.reading(name)
    title = tiles.SHORT.get(name, reading.title)
    called = words.plain(f"{title[:1].lower()}{title[1:]}")
    if watched is not None and watched.chart.verdict.is_signal:
        return 0, f"{called} ({words.plain(judging.signal(watched))})"
    for target in here.aims(name)[-1:]:
        standing = here.standing(target)
        if standing and standing.is_met is False and standing.side == -1:
            kind = here.kind(name)
            return 1, f"{called} ({words.plain(f'target {aims.bound(target, kind)} {aims.verdict(standing, kind)}')})"
    if sentences.is_change(reading):
        return 2, f"{called} ({words.plain(sentences.compared(reading))})"
    return None
