"""What was asked of the warehouse, as text that runs as it stands: in the DuckDB shell, or on *Ask the data*."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from typing import Any, NamedTuple

_VARIABLE = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL,
)
"""A bound value, and what a dollar sign may also stand in: texts, quoted names, remarks."""
_noted: ContextVar[list[Statement] | None] = ContextVar("noted", default=None)


class Statement(NamedTuple):
    """One question in SQL with the values that it binds; packed, for every kept answer keeps its own."""

    packed: bytes
    values: tuple[tuple[str, Any], ...]

    @property
    def text(self) -> str:
        """The question, with names where the values belong."""
        return zlib.decompress(self.packed).decode()

    @property
    def sql(self) -> str:
        """The question with its values in it."""
        return bound(self.text, dict(self.values))

    def is_about(self, name: str) -> bool:
        """Say whether it asks for a KPI, or for what that is made of."""
        return re.search(rf"\b{re.escape(name)}(_n|_each|_weight)?\b", self.text) is not None


def literal(value: Any) -> str:
    """Write a value as DuckDB reads it.

    >>> literal(date(2026, 3, 8)), literal("it's"), literal([1, None]), literal(0.5), literal(True)
    ("date '2026-03-08'", "'it''s'", '[1, null]', '0.5', 'true')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(literal(one) for one in value)}]"
    return str(value) if isinstance(value, (int, float)) else "'" + str(value).replace("'", "''") + "'"


def bound(text: str, values: Mapping[str, Any]) -> str:
    """Set values into a question, and nothing into its texts and remarks.

    >>> bound("select '$a', $a -- $a", {"a": "x"})
    "select '$a', 'x' -- $a"
    """

    def said(match: re.Match[str]) -> str:
        name = match["name"]
        return literal(values[name]) if name in values else match[0]

    return _VARIABLE.sub(said, text)


def note(text: str, values: Mapping[str, Any] | None) -> None:
    """Keep a question, if anybody asked for that."""
    noted = _noted.get()
    if noted is not None:
        kept = tuple((name, tuple(one) if isinstance(one, list) else one) for name, one in (values or {}).items())
        noted.append(Statement(zlib.compress(text.strip().encode(), 1), kept))


@contextmanager
def noting() -> Iterator[list[Statement]]:
    """Keep what is asked within."""
    found: list[Statement] = []
    before = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(before)


@contextmanager
def unnoted() -> Iterator[None]:
    """Keep nothing of what is asked within: what a version says about itself is asked once, by whoever comes first."""
    before = _noted.set(None)
    try:
        yield
    finally:
        _noted.reset(before)


def together(title: str, shown: str, asked: Iterable[Statement]) -> list[str]:
    """Write questions, each below what it is for."""
    remark = "\n".join(f"-- {' '.join(line.split())}" for line in (title, shown) if line)
    return [f"{remark}\n{one.sql.rstrip().rstrip(';')}" for one in dict.fromkeys(asked)]
