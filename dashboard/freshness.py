"""How fresh the data of each source are, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from dashboard import words

ALIKE = timedelta(hours=1)
"""Sources that are known up to nearly the same instant are said together."""
BEHIND = timedelta(days=1)
"""A source that lies so far behind the newest has stopped, or its refresh has."""


def said(known: Mapping[str, datetime], failed: set[str], now: datetime) -> str:
    """Say how old what is known of each source is, what lies behind, and whose last run failed.

    Args:
        known: source -> the instant up to which it is known, in the reporting zone like `now`.
        failed: sources whose last run failed.
        now: the reader's time.

    >>> now = datetime(2026, 3, 4, 12)
    >>> both = {"desk": now - timedelta(minutes=5), "chat": now - timedelta(minutes=20)}
    >>> said(both, set(), now).replace(words.GAP, " ")
    'Both sources are fresh: 20 minutes old at most'
    >>> said(both, set(), now + timedelta(days=3)).replace(words.GAP, " ")
    'Both sources are 3 days old'
    >>> said(both | {"old": now - timedelta(days=3)}, {"chat"}, now).replace(words.GAP, " ")
    'desk is 5 minutes old · chat is 20 minutes old, its last run failed · old is 3 days old, behind the others'
    """
    newest, oldest = max(known.values()), min(known.values())
    if not failed and newest - oldest <= ALIKE:
        age = words.age(max(0.0, (now - oldest).total_seconds()))
        if len(known) == 1:
            return f"{next(iter(known))} is {age} old"
        sources = "Both sources" if len(known) == 2 else f"All {len(known)} sources"
        return f"{sources} are {age} old" if now - newest > BEHIND else f"{sources} are fresh: {age} old at most"
    lines = []
    for source, when in sorted(known.items(), key=lambda one: (now - one[1], one[0])):
        line = f"{source} is {words.age(max(0.0, (now - when).total_seconds()))} old"
        line += ", behind the others" if newest - when > BEHIND else ""
        lines.append(line + (", its last run failed" if source in failed else ""))
    return " · ".join(lines)
