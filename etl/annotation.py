"""Known changes that the configuration names, `[[annotations]]`: what happened on which day, and to what part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from etl.incident import PRIORITIES
from etl.shaping import nearest

SLICE = ("source", "priority", "assignment_group", "service", "category", "channel")
"""Columns of which a change may concern a part only."""
KEYS = ("date", "text", "split", *SLICE)
LONGEST = 120


class AnnotationError(Exception):
    """An annotation that is not understood; the message names its place, the key and what it may be."""


class Annotation(NamedTuple):
    """One known change. It concerns everything, or what has one of the values named, in each column that names any."""

    annotated_on: date
    text: str
    splits_baseline: bool = False
    source: tuple[str, ...] = ()
    priority: tuple[int, ...] = ()
    assignment_group: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()


def parse(given: Any) -> tuple[Annotation, ...]:
    """Check `[[annotations]]`; the result is in order of time.

    Raises:
        AnnotationError: a key or a value is not understood.
    """
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(one, Mapping) for one in given):
        raise AnnotationError("annotations must be tables, each under [[annotations]]")
    return tuple(sorted(_annotation(one, f"[[annotations]] {place}:") for place, one in enumerate(given, 1)))


def _annotation(given: Mapping[str, Any], where: str) -> Annotation:
    for key in given:
        if key not in KEYS:
            raise AnnotationError(f"{where} key '{key}' is not one of {', '.join(KEYS)}{nearest(key, KEYS)}")
    text = given.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise AnnotationError(f"{where} text is {text!r}; say what changed, in at most {LONGEST} characters")
    split = given.get("split", False)
    if not isinstance(split, bool):
        raise AnnotationError(f"{where} split is {split!r}; it must be true or false")
    return Annotation(
        day(given.get("date"), where),
        " ".join(text.split()),
        split,
        **{column: members(column, given[column], where) for column in SLICE if column in given},
    )


def day(said: Any, where: str, key: str = "date") -> date:
    """Read a day, as TOML writes it or as a text.

    Raises:
        AnnotationError: it is none.
    """
    if isinstance(said, date) and not isinstance(said, datetime):
        return said
    try:
        return date.fromisoformat(said)
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"{where} {key} is {said!r}; write the day like 2026-03-01") from error


def members(column: str, given: Any, where: str) -> tuple[Any, ...]:
    """Read the values of a column that name a part: one or a list.

    Raises:
        AnnotationError: one is none of that column.
    """
    values = given if isinstance(given, list) else [given]
    wrong = [one for one in values if (one not in PRIORITIES if column == "priority" else not isinstance(one, str))]
    # True is 1 to Python, and no priority.
    if wrong or not values or any(isinstance(one, bool) for one in values):
        choices = f"of {', '.join(map(str, PRIORITIES))}" if column == "priority" else "names"
        raise AnnotationError(f"{where} {column} is {given!r}; give one or a list {choices}")
    return tuple(dict.fromkeys(values))
