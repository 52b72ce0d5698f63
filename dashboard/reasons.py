"""How the parts of a change are said: "4.1 h because Network's own times rose, 2.1 h because more of it was P3"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dashboard import filters, sentences, why, words
from dashboard.why import Bridge

OWN = {"hours": "times", "share": "share", "count": "volume"}
"""What a member's own values are called, by the kind of the KPI; else its numbers."""
MOST_SAID = 3
ENOUGH = 0.8
"""So much of all parts is said, if it can be with the most."""


class Step(NamedTuple):
    """One part of a change with one cause."""

    name: str
    cause: str
    """`calendar`, `rate`, `mix` or `rest`."""
    size: float
    reason: str
    """Why, as the end of a sentence."""


def member(column: str, name: str | None) -> str:
    """Say a member of a dimension, with one for those that have none and one for all that are told together."""
    if name == why.OTHERS:
        return f"the other {filters.PLURALS[column]}"
    return filters.member(column, filters.NONE if name is None else name)


def steps(bridge: Bridge, kind: str) -> list[Step]:
    """Give a change's parts by cause, the largest first; what vanishes is left out."""
    found = []
    if bridge.calendar:
        longer = "more" if bridge.calendar > 0 else "fewer"
        found.append(
            Step("Calendar", "calendar", bridge.calendar, f"because it had {longer} days, weekday for weekday")
        )
    for part in bridge.parts.iter_rows(named=True):
        who = member(bridge.by, part["member"])
        if part["rate"]:
            found.append(Step(f"{who}: own {own(kind)}", "rate", part["rate"], _own_changed(who, kind, part["rate"])))
        if part["mix"]:
            grew = part["share_now"] > part["share_before"]
            reason = f"because {'more' if grew else 'less'} of the volume was {who}"
            found.append(Step(f"{who}: share", "mix", part["mix"], reason))
    scale = max((abs(step.size) for step in found), default=0.0)
    return sorted((step for step in found if abs(step.size) > 1e-9 * scale), key=lambda step: -abs(step.size))


def own(kind: str) -> str:
    """Say what a member's own values are called."""
    return OWN.get(kind, "numbers")


def _own_changed(who: str, kind: str, part: float) -> str:
    """Say what a member's own values did.

    >>> _own_changed("Network", "hours", 1.0), _own_changed("P3", "count", -4.0)
    ("because Network's own times rose", 'because P3 brought fewer')
    """
    if kind == "count":
        return f"because {who} brought {'more' if part > 0 else 'fewer'}"
    if who.startswith("no "):
        return f"because the own {own(kind)} of those with {who} {'rose' if part > 0 else 'fell'}"
    return f"because {who}{_possessive(who)} own {own(kind)} {'rose' if part > 0 else 'fell'}"


def _possessive(who: str) -> str:
    return "'" if who.endswith("s") else "'s"


def said(found: Sequence[Step], bridge: Bridge, kind: str) -> str:
    """Say the main causes of a change, each with its size; the rest is one number, so that all add up."""
    told: list[Step] = []
    whole = sum(abs(step.size) for step in found)
    for step in found[:MOST_SAID]:
        if told and sum(abs(one.size) for one in told) >= ENOUGH * whole:
            break
        told.append(step)
    if len(found) == len(told) + 1:
        told = list(found)
    clauses = [f"{_part(step.size, bridge, kind)} {step.reason}" for step in told]
    if rest := list(found[len(told) :]):
        size_ = _part(sum(step.size for step in rest), bridge, kind)
        others = f"the {words.number(len(rest))} other parts"
        clauses.append(
            f"{size_} from {others}" if any(sign in size_ for sign in "123456789") else f"{others} cancel out"
        )
    return f": {', '.join(clauses)}" if clauses else ""


def _part(part: float, bridge: Bridge, kind: str) -> str:
    """Say a part; a sign stands only where it goes against the change."""
    text = size(part, bridge.now, kind)
    return text.removeprefix("+").removeprefix(words.MINUS) if part * bridge.change > 0 else text


def size(change: float, whole: float, kind: str) -> str:
    """Say a change with its sign, and a duration in the unit of the whole, so that parts can be added in the head.

    >>> size(0.8, 29.0, "hours").replace(words.GAP, " "), size(-0.031, 0.5, "share").replace(words.GAP, " ")
    ('+0.8 h', '−3.1 points')
    """
    if kind != "hours":
        return sentences.signed(change, kind)
    sign = "+" if change > 0 else words.MINUS if change < 0 else ""
    scale = words.scale_of(whole)
    digits = 1 if scale in ("h", "d") else 0
    return f"{sign}{abs(change) / words.hours_of(scale):,.{digits}f}{words.GAP}{scale}"


def slice_name(finding: dict[str, Any]) -> str:
    """Say the slice of a finding: "Network and P3", "no service", "all incidents"."""
    named = [member(finding[f"by_{place}"], finding[f"member_{place}"]) for place in (1, 2) if finding[f"by_{place}"]]
    return " with ".join(named) or "all incidents"


def finding(one: dict[str, Any], kind: str, threshold: float | None) -> str:
    """Say a finding as Markdown: what stands out, from what to what, and what it adds."""
    over = "" if threshold is None else f" over {words.duration(threshold)}"
    told_as = kind if threshold is None else "share"
    before, now = (_valued(one[f"value_{period}"], told_as) for period in ("before", "now"))
    moved = f"went from {before} to {now}{f' of incidents{over}' if over else ''}"
    if one["kind"] == "mix":
        moved = f"went from {words.share(one['share_before'])} to {words.share(one['share_now'])} of the volume"
    adds = f"{sentences.signed(one['contribution'], told_as)} of the change{f' in the share{over}' if over else ''}"
    n = "" if kind == "count" else f", n {words.number(round(one['weight_now']))}"
    sure = f"(p = {one['p']:.3f}{n})"
    return f"**{words.plain(slice_name(one))}** {words.plain(f'{moved}: {adds} {sure}')}"


def _valued(value: float | None, kind: str) -> str:
    return "none" if value is None else words.value(value, kind)
