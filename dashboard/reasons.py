"""How the parts of a change are said: "4.1 h because Network's own times rose, 2.1 h because more of the volume was P3"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dashboard import filters, query, sentences, why, words
from dashboard.why import Bridge

OWN = {"hours": "times", "share": "rate"}
"""What a member's own values are called, by the kind of the KPI; else its numbers. A rate, not a share: the share is
that of the volume."""
BELONGS = {
    "assignment_group": "was {}'s",
    "service": "was about {}",
    "category": "was about {}",
    "channel": "came by {}",
    "source": "came from {}",
}
"""How the volume belongs to a member of a column; of any other it "was P3"."""
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


Say = Callable[[float], str]
"""Says a part with its sign: all parts of a bridge in one unit and with as many digits, so that they add up in the head."""


def member(column: str, name: str | None) -> str:
    """Say a member of a dimension, with one for those that have none and one for all that are told together."""
    if name == why.OTHERS:
        return f"the other {filters.PLURALS[column]}"
    return filters.member(column, filters.NONE if name is None else name)


def steps(bridge: Bridge, kind: str) -> list[Step]:
    """Give a change's parts by cause: the calendar, then the largest first; what vanishes is left out."""
    found = []
    if bridge.calendar:
        longer = "more" if bridge.calendar > 0 else "fewer"
        reason = f"because the period had {longer} days, weekday for weekday"
        found.append(Step("Calendar", "calendar", bridge.calendar, reason))
    for part in bridge.parts.iter_rows(named=True):
        who = member(bridge.by, part["member"])
        if part["rate"]:
            reason = _own_changed(bridge, part["member"], kind, part["rate"])
            name = who if is_of_numbers(bridge) else f"{who}: own {own(kind)}"
            found.append(Step(name, "rate", part["rate"], reason))
        if part["mix"]:
            more = "more" if part["share_now"] > part["share_before"] else "less"
            reason = f"because {more} of the {_volume(bridge)} {_belongs(bridge.by, part['member'])}"
            found.append(Step(f"{who}: share", "mix", part["mix"], reason))
    scale = max((abs(step.size) for step in found), default=0.0)
    kept = [step for step in found if abs(step.size) > 1e-9 * scale]
    return sorted(kept, key=lambda step: (step.cause != "calendar", -abs(step.size)))


def is_of_numbers(bridge: Bridge) -> bool:
    """Say whether members add numbers of incidents: they have no values of their own."""
    return bridge.parts["share_now"].is_null().all()


def own(kind: str) -> str:
    """Say what a member's own values are called."""
    return OWN.get(kind, "numbers")


def _volume(bridge: Bridge) -> str:
    """Say what shares are shares of: a quotient of sums divides by hours."""
    return "hours" if bridge.kpi.statistic == "ratio" else "volume"


def _belongs(column: str, name: str | None) -> str:
    who = member(column, name)
    if name is None:
        return f"had {who}"
    if name == why.OTHERS:
        return f"was in {who}"
    said = BELONGS.get(column, "was {}").format(who)
    return said.removesuffix("s") if said.endswith("s's") else said


def _own_changed(bridge: Bridge, name: str | None, kind: str, part: float) -> str:
    who = member(bridge.by, name)
    has_none = name is None
    if is_of_numbers(bridge):
        more = "more" if part > 0 else "fewer"
        if has_none:
            return f"because there were {more} with {who}"
        return f"because there were {more} {who}" if bridge.by == "priority" else f"because {who} had {more}"
    rose = "rose" if part > 0 else "fell"
    if has_none:
        return f"because the {own(kind)} of those with {who} {rose}"
    return f"because {who}{_possessive(who)} own {own(kind)} {rose}"


def _possessive(who: str) -> str:
    return "'" if who.endswith("s") else "'s"


def saying(bridge: Bridge, found: Sequence[Step], kind: str) -> Say:
    """Choose the unit and the digits in which a change and all of its parts are said.

    A duration stays in the unit of the value, unless all would vanish in it.
    """
    largest = max((abs(step.size) for step in found), default=abs(bridge.change))
    if kind == "hours":
        scale = words.scale_of(bridge.now)
        if largest < words.hours_of(scale):
            scale = words.scale_of(largest)
        return lambda part: _signed(part / words.hours_of(scale), 1 if scale in ("h", "d") else 0, scale)
    if kind == "share":
        return lambda part: _signed(100 * part, 1 if largest >= 0.002 else 2, "points")
    whole = all(abs(step.size - round(step.size)) < 1e-6 for step in found)
    digits = 0 if whole or largest >= 20 else 1 if largest >= 0.2 else 3
    return lambda part: _signed(part, digits)


def _signed(amount: float, digits: int, unit: str = "") -> str:
    """Say an amount with its sign, which 0 has not.

    >>> _signed(-3.14, 1, "h").replace(words.GAP, " "), _signed(0.04, 1), _signed(1200.0, 0)
    ('−3.1 h', '0.0', '+1,200')
    """
    text = words.written(abs(amount), digits)
    sign = "" if not _is_seen(text) else "+" if amount > 0 else words.MINUS
    return f"{sign}{text}{words.GAP + unit if unit else ''}"


def said(found: Sequence[Step], bridge: Bridge, say: Say) -> str:
    """Say the main causes of a change, each with its size; the rest is one number, so that all add up.

    Signs stand only where some parts went against the change.
    """
    told: list[Step] = []
    whole = sum(abs(step.size) for step in found)
    for step in found[:MOST_SAID]:
        if told and sum(abs(one.size) for one in told) >= ENOUGH * whole:
            break
        told.append(step)
    if len(found) == len(told) + 1:
        told = list(found)
    rest = list(found[len(told) :])
    parts = [(step.size, step.reason) for step in told if _is_seen(say(step.size))]
    left = sum(step.size for step in rest)
    others = f"the {words.number(len(rest))} other parts"
    if rest and _is_seen(say(left)):
        parts.append((left, f"from {others}"))
    one_way = all(part * bridge.change >= 0 for part, _ in parts)
    clauses = [f"{say(part).lstrip('+' + words.MINUS) if one_way else say(part)} {reason}" for part, reason in parts]
    if rest and not _is_seen(say(left)):
        clauses.append(f"{others} cancel out")
    return f": {', '.join(clauses)}" if clauses else ""


def largest(bridges: Mapping[str, Bridge]) -> list[tuple[str, dict[str, Any]]]:
    """Give the parts of all columns with the column of each, the largest first; those of too few say nothing."""
    found = [
        (column, part)
        for column, bridge in bridges.items()
        for part in bridge.parts.iter_rows(named=True)
        if part["part"] and max(part["n_now"], part["n_before"]) >= query.FEW
    ]
    return sorted(found, key=lambda one: -abs(one[1]["part"]))


MOST_SLICES = 3


def slices(bridges: Mapping[str, Bridge], kind: str) -> list[str]:
    """Say which slices moved a KPI most, as Markdown: what each adds, and from what to what it went."""
    lines = []
    for column, part in largest(bridges)[:MOST_SLICES]:
        bridge = bridges[column]
        adds = saying(bridge, steps(bridge, kind), kind)(part["part"])
        if abs(part["mix"]) > abs(part["rate"]):
            what, before, now = f"its share of the {_volume(bridge)}", part["share_before"], part["share_now"]
            told = "share"
        else:
            what, before, now = f"its own {own(kind)}", part["value_before"], part["value_now"]
            told = kind
        went = f"{what} went from {_valued(before, told)} to {_valued(now, told)} (n {words.number(part['n_now'])})"
        lines.append(
            f"**{words.plain(member(column, part['member']))}** "
            f"{words.plain(f'({filters.SHORT[column]}) adds {adds}: {went}')}"
        )
    return lines


def mover(one: why.Mover, column: str, kind: str, judged: why.OneByOne | None) -> str:
    """Say a member's own value before and now, and whether that is more than chance."""
    before, now = words.value(one.before, kind), words.value(one.now, kind)
    said = f"{before} to {now} ({sentences.signed(one.change, kind)}"
    said += ")" if kind == "count" else f", n {words.number(one.n)})"
    if judged is None or not judged.looked_at:
        return said
    is_sure = one.member in [changed.member for changed in judged.changed]
    return f"{said}, {'beyond' if is_sure else 'within'} chance"


def heaviest(found: why.Heaviest, kind: str) -> str:
    """Say what the heaviest incidents make of a change, each and together."""
    of = "of these days" if found.is_of_now else "of the days before, which have none like them now,"
    if found.rows["part"].null_count():
        return f"The longest {of} are listed: a quantile has no parts that incidents add."
    each = [f"{row['incident_id']} {sentences.signed(row['part'], kind)}" for row in found.rows.iter_rows(named=True)]
    whole = sentences.signed(found.change, kind)
    return (
        f"{words.counted(found.rows.height, 'incident')} {of} make {sentences.signed(found.part, kind)} of the change of "
        f"{whole}: {words.listing(each, most=9)}."
    )


def one_by_one(found: why.OneByOne | None, column: str, kind: str) -> str:
    """Say which members changed beyond chance, and of how many that were looked at."""
    if found is None or not found.looked_at:
        return ""
    of = f"of {words.number(found.looked_at)} {filters.PLURALS[column]} looked at one by one"
    if not found.changed:
        return f"None {of} changed beyond chance."
    told = words.listing(
        [
            f"{member(column, one.member)} ({sentences.signed_between(one.low, one.high, kind, one.value)})"
            for one in found.changed
        ],
        most=5,
    )
    return f"O{of[1:]}, {told} changed beyond chance."


def _is_seen(amount: str) -> bool:
    return any(digit in amount for digit in "123456789")


def slice_name(finding: dict[str, Any]) -> str:
    """Say the slice of a finding: "Network and P3", "no service", "all incidents"."""
    named = [member(finding[f"by_{place}"], finding[f"member_{place}"]) for place in (1, 2) if finding[f"by_{place}"]]
    return " and ".join(named) or "all incidents"


def finding(one: dict[str, Any], found: why.Found, kind: str) -> str:
    """Say a finding as Markdown: what stands out, from what to what, and what it adds."""
    over = "" if found.threshold is None else f" over {words.duration(found.threshold)}"
    told_as = kind if found.threshold is None else "share"
    before, now = (_valued(one[f"value_{period}"], told_as) for period in ("before", "now"))
    moved = f"went from {before} to {now}{f' of incidents{over}' if over else ''}"
    # A quotient of sums is weighed in hours: these are no n.
    is_ratio = found.kpi.statistic == "ratio"
    if one["kind"] == "mix":
        shares = (words.share(one[f"share_{period}"]) for period in ("before", "now"))
        moved = f"went from {' to '.join(shares)} of the {'hours' if is_ratio else 'volume'}"
    adds = f"{sentences.signed(one['contribution'], told_as)} of the change{f' in the share{over}' if over else ''}"
    n = "" if kind == "count" or is_ratio else f", n {words.number(round(one['weight_now']))}"
    sure = f"(p = {one['p']:.3f}{n})"
    return f"**{words.plain(slice_name(one))}** {words.plain(f'{moved}: {adds} {sure}')}"


def _valued(value: float | None, kind: str) -> str:
    return "none" if value is None else words.value(value, kind)
