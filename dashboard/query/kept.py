"""What is known of a version's days, so that none is asked for twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import date, timedelta
from typing import Any, NamedTuple

import polars as pl

from dashboard import statements

MOST = 400
"""So many measures are kept, each under its filters: some hundred rows of a few numbers."""
DAY = timedelta(days=1)


class Asked(NamedTuple):
    """A question for the days of a range, with the values that it binds."""

    since: date
    until: date
    text: str
    values: dict[str, Any]


class Known(NamedTuple):
    """What is known of a measure on the days of a range, in order of the days, and what was asked for it."""

    since: date
    until: date
    days: pl.DataFrame
    asked: tuple[Asked, ...]

    def note(self, since: date, until: date) -> None:
        """Say what was asked for the days of a range: who reads them now is given it as if it were asked again."""
        for one in self.asked:
            if one.since <= until and one.until >= since:
                statements.note(one.text, one.values)

    def missing(self, since: date, until: date) -> list[tuple[date, date]]:
        """Say what has to be asked to know another range, too, and all that lies between them."""
        earlier, later = (since, self.since - DAY), (self.until + DAY, until)
        return [piece for piece in (earlier, later) if piece[0] <= piece[1]]

    def and_(self, other: Known) -> Known:
        """Put what is known of other days to it, in order where the ranges adjoin."""
        first, second = sorted((self, other), key=lambda one: one.since)
        return Known(first.since, second.until, pl.concat([first.days, second.days]), (*self.asked, *other.asked))


class Kept:
    """What is known, by what is looked at; what was put there longest ago goes first. Safe to share among threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Any, ...], Known] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...]) -> Known | None:
        """Give what is known."""
        with self._lock:
            return self._known.get(key)

    def put(self, key: tuple[Any, ...], known: Known) -> None:
        """Keep what is known."""
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
