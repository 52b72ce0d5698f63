"""The sentences that answer a page's question, made by rule from the numbers."""

from __future__ import annotations

from typing import NamedTuple

from dashboard import words

FEW, SETTLED = 5, 200
"""Below FEW a number means nothing and is not compared; below SETTLED a mean of durations may still move."""


MEANS = ("mttr", "mtta")


Limits = tuple[float | None, float | None]
"""A lower and an upper limit, each None where there is none."""


class Reading(NamedTuple):
    """One KPI over what is shown, and its change on what it is compared with."""

    name: str
    title: str
    kind: str
    value: float | None
    n: int
    change: float | None = None
    against: str = ""
    reason: str = ""
    """Why it is not compared, if it is not."""
    limits: Limits = (None, None)
    """Of the 95 % interval of the value."""
    change_limits: Limits = (None, None)
    """Of the 95 % interval of the change."""
    has_limits: bool = False
    """It is a mean, a quantile or a share of incidents: what has an interval, if there are enough."""

    @property
    def has_value(self) -> bool:
        """Say whether the number means anything."""
        return self.value is not None and (self.n >= FEW or self.kind == "count")


_COMPARED = {
    "hours": ("longer than", "shorter than"),
    "share": ("more than", "less than"),
    "count": ("more than", "fewer than"),
    "number": ("more than", "less than"),
}


def amount(reading: Reading) -> str:
    """Say the value, or why there is none.

    >>> amount(Reading("mttr", "Mean time to resolve", "hours", None, 0))
    'no value'
    >>> amount(Reading("mttr", "Mean time to resolve", "hours", 4.0, 3))
    'not enough data (n = 3)'
    """
    if reading.value is None:
        return "no value"
    if not reading.has_value:
        return f"not enough data (n = {reading.n})"
    return words.value(reading.value, reading.kind)


def interval(reading: Reading) -> str:
    """Say between what the value lies with 95 % certainty, or that it cannot be said.

    >>> interval(Reading("mttr", "", "hours", 4.2, 90, limits=(3.9, 4.6), has_limits=True)).replace(words.GAP, " ")
    '3.9 to 4.6 h'
    """
    if not reading.has_limits or not reading.has_value or reading.value is None:
        return ""
    scale = words.scale_of(reading.value) if reading.kind == "hours" else None
    return words.between(*reading.limits, reading.kind, scale) or "no limits: all of one day"


def verdict(reading: Reading) -> str:
    """Say whether the change is one: only where no change at all lies outside the interval of the difference.

    >>> verdict(Reading("mttr", "", "hours", 4.2, 90, 1.1, change_limits=(-0.2, 2.4)))
    'within normal variation'
    >>> verdict(Reading("mttr", "", "hours", 4.2, 90, 1.1, change_limits=(0.4, 1.8))).replace(words.GAP, " ")
    'a change of +0.4 to +1.8 h'
    """
    low, high = reading.change_limits
    if reading.change is None or low is None or high is None:
        return ""
    if not is_change(reading):
        return "within normal variation"
    return f"a change of {signed_between(low, high, reading.kind, reading.value or 0.0)}"


def of_the_whole(reading: Reading) -> str:
    """Say of a change that is taken to pieces whether the whole is one.

    >>> of_the_whole(Reading("mttr", "", "hours", 4.2, 90, 1.1, change_limits=(-0.2, 2.4)))
    'The whole is within normal variation.'
    """
    said = verdict(reading)
    return f"The whole is {said}." if said else ""


def is_change(reading: Reading) -> bool | None:
    """Say whether the interval of the change leaves out none at all; None where there is no interval."""
    low, high = reading.change_limits
    return None if low is None or high is None else low > 0 or high < 0


def difference(reading: Reading) -> str:
    """Say how large a change is, without its direction and in the unit of the value."""
    change = abs(reading.change or 0.0)
    if reading.kind == "hours":
        return words.duration(change, words.scale_of(reading.value or 0.0))
    if reading.kind == "share":
        points = words.share(change).removesuffix(f"{words.GAP}%")
        return f"{points}{words.GAP}points"
    return words.number(change)


def is_same(reading: Reading) -> bool:
    """Say whether the change vanishes at the precision that is shown."""
    if reading.change is None or reading.value is None:
        return False
    before = reading.value - reading.change
    if reading.kind == "hours":
        scale = words.scale_of(reading.value)
        return words.duration(reading.value, scale) == words.duration(before, scale)
    return words.value(reading.value, reading.kind) == words.value(before, reading.kind)


def compared(reading: Reading) -> str:
    """Say the change in words: "1.1 h longer than in the 12 weeks before"; what is none is not called one.

    >>> longer = Reading("mttr", "", "hours", 4.2, 90, 1.1, "the 12 weeks before", change_limits=(0.4, 1.8))
    >>> compared(longer).replace(words.GAP, " ")
    '1.1 h longer than in the 12 weeks before'
    >>> compared(longer._replace(change_limits=(-0.2, 2.4)))
    'within normal variation of the 12 weeks before'
    """
    if reading.change is None:
        return ""
    if is_same(reading):
        return f"the same as in {reading.against}"
    if is_change(reading) is False:
        return f"within normal variation of {reading.against}"
    up, down = _COMPARED[reading.kind]
    return f"{difference(reading)} {up if reading.change > 0 else down} in {reading.against}"


def arrow(reading: Reading) -> str:
    """Say the change as a tile does: "▲ 1.1 h on the 12 weeks before".

    >>> arrow(Reading("ack_rate", "", "share", 0.5, 90, -0.03, "the 12 weeks before")).replace(words.GAP, " ")
    '▼ 3 points on the 12 weeks before'
    """
    if reading.change is None:
        return ""
    if is_same(reading):
        return f"unchanged on {reading.against}"
    return f"{'▲' if reading.change > 0 else '▼'}{words.GAP}{difference(reading)} on {reading.against}"


def signed(change: float, kind: str, scale: str | None = None) -> str:
    """Say a change with its sign, a duration in its own unit or in a given one.

    >>> signed(12, "count"), *(signed(hours, "hours", "h").replace(words.GAP, " ") for hours in (1.5, -0.7))
    ('+12', '+1.5 h', '−0.7 h')
    """
    sign = "+" if change > 0 else words.MINUS if change < 0 else ""
    size = abs(change)
    if kind == "share":
        return f"{sign}{words.share(size).removesuffix(f'{words.GAP}%')}{words.GAP}points"
    return f"{sign}{words.duration(size, scale) if kind == 'hours' else words.value(size, kind)}"


def signed_between(low: float, high: float, kind: str, value: float) -> str:
    """Say the limits of a change with their signs, a duration in the unit of the value that changed.

    >>> signed_between(0.4, 1.8, "hours", 4.2).replace(words.GAP, " ")
    '+0.4 to +1.8 h'
    """
    scale = words.scale_of(value) if kind == "hours" else None
    first, last = signed(low, kind, scale), signed(high, kind, scale)
    unit = last.rpartition(words.GAP)[2] if words.GAP in last else ""
    return f"{first.removesuffix(f'{words.GAP}{unit}') if unit else first} to {last}"


def mean(reading: Reading) -> str:
    """Say a mean of durations, and that it is not settled where a single long one could still move it.

    >>> mean(Reading("mttr", "", "hours", 4.2, 30)).replace(words.GAP, " ")
    '4.2 h (n = 30, not settled)'
    """
    hedge = f" (n = {reading.n}, not settled)" if reading.has_value and reading.n < SETTLED else ""
    return amount(reading) + hedge


def joined(*clauses: str) -> str:
    """Set clauses into one sentence, leaving out the empty ones."""
    text = ", ".join(clause for clause in clauses if clause)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def known(reading: Reading, sentence: str, what: str) -> str:
    """Give the sentence, or say of what is asked that it cannot be told.

    >>> known(Reading("mttr", "", "hours", None, 0), "incidents took ...", "the time to resolve on 3 Mar 2025")
    'nothing is known of the time to resolve on 3 Mar 2025'
    >>> known(Reading("mttr", "", "hours", 4.0, 3), "incidents took ...", "the time to resolve on 3 Mar 2025")
    'not enough data (n = 3) to tell the time to resolve on 3 Mar 2025'
    """
    if reading.has_value:
        return sentence
    return f"nothing is known of {what}" if reading.value is None else f"{amount(reading)} to tell {what}"


def opened(reading: Reading) -> str:
    """Say how many incidents were opened.

    >>> opened(Reading("incident_volume", "", "count", 1, 1))
    '**1** incident was opened'
    """
    return f"**{amount(reading)}** {'incident was' if reading.value == 1 else 'incidents were'} opened"


def when(reading: Reading, sentence: str) -> str:
    """Set the value into a sentence, or leave the sentence out where there is none.

    >>> when(Reading("ack_rate", "", "share", None, 0), "{} of them")
    ''
    """
    said = mean(reading) if reading.name in MEANS else amount(reading)
    return sentence.replace("{}", said) if reading.has_value else ""
