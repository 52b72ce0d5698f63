"""What a search for incidents asks: its words, where each may stand, and the condition that says so in SQL."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

PLACES = {
    "number": ("incident_id",),
    "title": ("title",),
    "service": ("service", "services"),
    "person": ("assignee", "caller"),
    "group": ("assignment_group",),
    "item": ("configuration_item",),
    "other": ("attributes",),
}
"""What a search may name before a colon -> the columns that it looks in."""
_TOKEN = re.compile(rf'(?:({"|".join(PLACES)}):)?(?:"([^"]+)"|(\S+))', re.IGNORECASE)
_TEXT = {"services": "array_to_string(i.services, ' ')", "attributes": "i.attributes::varchar"}
MOST_WORDS = 10


class Word(NamedTuple):
    """What must be there, and where; anywhere if it is not said."""

    text: str
    place: str | None = None


class Search(NamedTuple):
    """The condition of a search on a row `i`, what names the places in which it is met, and the values of both."""

    condition: str
    found_in: str
    values: dict[str, Any]


def words(text: str) -> list[Word]:
    """Read a search: every word must be there; in quotes as it stands, after a place and a colon in that place.

    >>> words('mail "quota exceeded" person:Ana service:"Pay roll" http://x')
    [Word(text='mail', place=None), Word(text='quota exceeded', place=None), Word(text='Ana', place='person'), \
Word(text='Pay roll', place='service'), Word(text='http://x', place=None)]
    """
    found = [Word(match[2] or match[3], match[1] and match[1].lower()) for match in _TOKEN.finditer(text)]
    return found[:MOST_WORDS]


def search(text: str) -> Search:
    """Compose a search; case does not matter and all signs stand for themselves."""
    asked = words(text)
    values = {f"word_{at}": word.text for at, word in enumerate(asked)}
    conditions = []
    named: dict[str, list[str]] = {place: [] for place in PLACES}
    for at, word in enumerate(asked):
        alternatives = []
        for place in [word.place] if word.place else PLACES:
            met = " or ".join(_contains(column, f"word_{at}") for column in PLACES[place])
            if word.place == "person":
                met += f" or {_acted(f'word_{at}')}"
            alternatives.append(met)
            named[place].append(met)
        conditions.append(f"({' or '.join(alternatives)})")
    places = [f"case when {' or '.join(met)} then '{place}' end" for place, met in named.items() if met]
    return Search(
        " and ".join(conditions) or "true",
        f"array_to_string(list_filter([{', '.join(places)}], lambda place: place is not null), ', ')"
        if places
        else "null::varchar",
        values,
    )


def _contains(column: str, value: str) -> str:
    return f"contains(lower({_TEXT.get(column, f'i.{column}')}), lower(${value}))"


def _acted(value: str) -> str:
    """Whoever did anything to an incident is asked for only where a person is: it takes a look at every event."""
    return (
        "(i.source, i.incident_id) in (select (events.source, events.incident_id) from main.incident_events as events"
        f" where contains(lower(events.actor), lower(${value})))"
    )
