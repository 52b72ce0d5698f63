"""How numbers and days are written where a reader lives: decimal sign, grouping of thousands, order of day and month.

The sentences stay English, and so do the names of months. What is kept for several readers (answers of the query layer)
holds numbers and days, never their words: each reader's own page says them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple

THIN = "\N{NARROW NO-BREAK SPACE}"
"""Groups thousands where a space does; the wider one stands between a number and its unit."""


class Manner(NamedTuple):
    """One way of writing."""

    decimal: str = "."
    group: str = ","
    order: str = "dmy"
    """dmy: 8 Mar 2026; mdy: Mar 8, 2026; ymd: 2026-03-08."""

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return (self.decimal, self.group) == (".", ",")

    def number(self, text: str) -> str:
        """Rewrite a number that has a point before its decimals and a comma between thousands.

        >>> Manner(",", ".").number("1,204.5"), Manner(",", THIN).number("1,204").replace(THIN, "_")
        ('1.204,5', '1_204')
        """
        return text if self.is_plain else text.translate({ord("."): self.decimal, ord(","): self.group})

    def vega(self) -> dict[str, Any]:
        """Give the same to the axes and tooltips of a chart; empty where they write so by themselves."""
        if self.is_plain:
            return {}
        number = {"decimal": self.decimal, "thousands": self.group, "grouping": [3], "currency": ["", ""]}
        return {"locale": {"number": number}}


HOUSE = Manner()
"""Where nobody says who reads: the command line, reports, tests."""
_POINT, _COMMA, _SPACE, _QUOTE = (".", ","), (",", "."), (",", THIN), (".", "’")
# From Unicode's CLDR 48: languages by their numbers, then the regions that differ from their language.
_LANGUAGES = {
    _COMMA: "da de el es eu gl hr id is it mk nl pt ro sl sr tr vi bs ca fo",
    _SPACE: "be bg cs et fi fr hu hy ka kk lt lv nb nn no pl ru sk sq sv uk",
}
_REGIONS = {
    "de-at": _SPACE,
    "de-ch": _QUOTE,
    "de-li": _QUOTE,
    "it-ch": _QUOTE,
    "pt-pt": _SPACE,
    **dict.fromkeys(
        ["es-419", "es-do", "es-gt", "es-hn", "es-mx", "es-ni", "es-pa", "es-pe", "es-pr", "es-sv", "es-us"], _POINT
    ),
}
_YEAR_FIRST = ["eu", "hu", "ja", "kk", "ko", "lt", "mn", "sv", "zh", "en-ca", "fr-ca", "en-se", "en-za"]
_MONTH_FIRST = ["en", "en-us", "en-ph", "es-pa", "es-pr", "es-us"]
"""English of no region is American; every region of its own but these puts the day first."""


@lru_cache(maxsize=256)
def of(tag: str | None) -> Manner:
    """Give the manner of a locale such as `de-AT`; the house's where there is none.

    >>> of("de-CH"), of("en-US"), of("sv"), of(None) == HOUSE
    (Manner(decimal='.', group='’', order='dmy'), Manner(decimal='.', group=',', order='mdy'), Manner(decimal=',', group='\u202f', order='ymd'), True)
    """
    if not tag:
        return HOUSE
    parts = re.split(r"[-_]", tag.lower())
    language = parts[0]
    region = next((part for part in parts[1:] if re.fullmatch(r"[a-z]{2}|\d{3}", part)), "")
    place = f"{language}-{region}" if region else language
    signs = next((signs for signs, names in _LANGUAGES.items() if language in names.split()), _POINT)
    decimal, group = _REGIONS.get(place, signs)
    is_year_first = place in _YEAR_FIRST or (language in _YEAR_FIRST)
    order = "ymd" if is_year_first else "mdy" if place in _MONTH_FIRST else "dmy"
    return Manner(decimal, group, order)


_asked: list[Callable[[], str | None]] = []


def follow(reader: Callable[[], str | None]) -> None:
    """From now on, ask this for the locale of whoever reads."""
    _asked[:] = [reader]


_fixed: ContextVar[Manner | None] = ContextVar("fixed", default=None)


@contextmanager
def like(manner: Manner) -> Iterator[None]:
    """Write in a manner that is known already: a file is made where no reader can be asked."""
    before = _fixed.set(manner)
    try:
        yield
    finally:
        _fixed.reset(before)


def here() -> Manner:
    """Give the manner of whoever reads now."""
    return _fixed.get() or (of(_asked[0]()) if _asked else HOUSE)
