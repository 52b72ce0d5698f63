"""Links between tools: by which ids incidents of two sources are known to be one, and which of the two counts."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb

from etl.shaping import nearest

KEYS = ("source", "field", "pattern", "target", "keep", "take")
FIELDS = (
    "incident_id",
    "external_id",
    "title",
    "url",
    "category",
    "subcategory",
    "configuration_item",
    "parent_id",
    "problem_id",
    "change_id",
    "resolution_code",
    "tags",
)
"""Columns that may hold another tool's id; beside them any column of the export, as attributes.NAME."""
ATTRIBUTE = "attributes."
CLOCK = ("opened_at", "acknowledged_at", "resolved_at")
"""Instants for which a rule may say whose word comes first."""
MERGED = (
    "occurred_at",
    "opened_at",
    "assigned_at",
    "acknowledged_at",
    "first_resolved_at",
    "resolved_at",
    "acknowledgement_basis",
    "resolution_basis",
)
"""What the counted incident may take from those that are joined to it."""
VERDICTS = ("joined", "missing", "excluded", "ambiguous", "outranked")
"""Joined; nothing goes by that id (yet); one of the two is excluded by its own tool; it leads to several, so to none;
an earlier rule decides otherwise."""


class LinkError(Exception):
    """A rule that cannot be used; the message names the rule, the key and what it may be."""


class Rule(NamedTuple):
    """Incidents of `source` name incidents of `target` in a field; of two that are one, that of `keep` counts."""

    source: str
    field: str
    pattern: str | None
    target: str
    keep: str
    take: Mapping[str, str]
    """Instant -> source whose word comes first."""

    @property
    def attribute(self) -> str | None:
        """JSON pointer (RFC 6901) into the attributes; None for a column."""
        if not self.field.startswith(ATTRIBUTE):
            return None
        return "/" + self.field.removeprefix(ATTRIBUTE).replace("~", "~0").replace("/", "~1")

    @property
    def group(self) -> int:
        """The pattern's group that is the id; 0 for the whole match."""
        return re.compile(self.pattern).groups if self.pattern is not None else 0

    @property
    def joined(self) -> str:
        """The source whose incident counts no more."""
        return self.source if self.keep == self.target else self.target


@dataclass(frozen=True)
class Links:
    """All rules, and how they were said."""

    rules: tuple[Rule, ...] = ()
    said: str = ""
    """As text; another text means that facts may be others."""


def parse(given: Any, sources: Collection[str]) -> Links:
    """Check what the configuration says under [[links]].

    Args:
        given: the list of rules.
        sources: names of the configured sources.

    Raises:
        LinkError: a rule cannot be used.
    """
    if not isinstance(given, list) or not all(isinstance(rule, Mapping) for rule in given):
        raise LinkError("links must be a list of tables, [[links]]")
    rules: list[Rule] = []
    for place, told in enumerate(given, 1):
        rule = _rule(told, sources, f"[[links]] {place}:")
        if rule in rules:
            raise LinkError(f"[[links]] {place}: says the same as rule {rules.index(rule) + 1}")
        rules.append(rule)
    _refuse_circles(rules)
    said = json.dumps([rule._asdict() for rule in rules], sort_keys=True, ensure_ascii=False) if rules else ""
    return Links(tuple(rules), said)


def recall(said: str) -> Links:
    """Give rules as they were said; the archive and the store keep them as text.

    Raises:
        LinkError: the text is not ours.
    """
    if not said:
        return Links()
    try:
        return Links(tuple(Rule(**rule) for rule in json.loads(said)), said)
    except (ValueError, TypeError) as error:
        raise LinkError(f"the kept links cannot be read ({error}); say them again in the configuration") from error


def _rule(told: Mapping[str, Any], sources: Collection[str], where: str) -> Rule:
    for key in told:
        if key not in KEYS:
            raise LinkError(f"{where} key '{key}' is not one of {', '.join(KEYS)}{nearest(key, KEYS)}")
    for key in ("source", "field", "target", "keep"):
        if not isinstance(told.get(key), str):
            raise LinkError(f"{where} {key} is {told.get(key)!r}; it must be a text")
    for key in ("source", "target"):
        if told[key] not in sources:
            raise LinkError(
                f"{where} {key} is '{told[key]}'; it must be a configured source, one of {', '.join(sources)}"
                f"{nearest(told[key], list(sources))}"
            )
    if told["source"] == told["target"]:
        raise LinkError(f"{where} source and target are both '{told['source']}'; links join incidents of two tools")
    both = (told["source"], told["target"])
    if told["keep"] not in both:
        raise LinkError(f"{where} keep is '{told['keep']}'; it names the source whose incident counts, {_either(both)}")
    name = told["field"]
    if name not in FIELDS and not (name.startswith(ATTRIBUTE) and name.removeprefix(ATTRIBUTE).strip()):
        raise LinkError(
            f"{where} field is '{name}'; it must be one of {', '.join(FIELDS)}, or attributes.NAME for another column "
            f"of the export{nearest(name, FIELDS)}"
        )
    take = told.get("take", {})
    if not isinstance(take, Mapping):
        raise LinkError(f"{where} take must be a table of instant = source")
    for instant, source in take.items():
        if instant not in CLOCK:
            raise LinkError(f"{where} take: '{instant}' is not one of {', '.join(CLOCK)}{nearest(instant, CLOCK)}")
        if source not in both:
            raise LinkError(f"{where} take: {instant} is {source!r}; it must be {_either(both)}")
    pattern = told.get("pattern")
    if pattern is not None:
        _check_pattern(pattern, where)
    return Rule(told["source"], name, pattern, told["target"], told["keep"], dict(take))


def _either(both: tuple[str, str]) -> str:
    return f"'{both[0]}' or '{both[1]}'"


def _check_pattern(pattern: Any, where: str) -> None:
    """DuckDB will use it, and Python counts its groups: both must understand it."""
    if not isinstance(pattern, str):
        raise LinkError(f"{where} pattern is {pattern!r}; it must be a text")
    try:
        groups = re.compile(pattern).groups
        with duckdb.connect() as con:
            found = con.execute("select regexp_extract_all('', ?)", [pattern]).fetchall()
    except (re.error, duckdb.Error) as error:
        said = str(error).splitlines()[0]
        raise LinkError(f"{where} pattern '{pattern}' is no regular expression ({said})") from error
    if found != [([],)]:
        raise LinkError(f"{where} pattern '{pattern}' matches an empty text; it must match an id and nothing else")
    if groups > 1:
        raise LinkError(
            f"{where} pattern '{pattern}' has {groups} groups; put the id into one, and write the others (?:...)"
        )


def _refuse_circles(rules: list[Rule]) -> None:
    """Of a chain of incidents the last one counts; in a circle there is none."""
    leads: dict[str, set[str]] = {}
    for rule in rules:
        leads.setdefault(rule.joined, set()).add(rule.keep)
    for start in leads:
        for path in _paths(leads, [start]):
            if path[-1] == start:
                raise LinkError(
                    f"[[links]]: what they keep leads in a circle, {' to '.join(path)}; say the same `keep` for one pair"
                )


def _paths(leads: Mapping[str, Collection[str]], path: list[str]) -> Iterator[list[str]]:
    for following in sorted(leads.get(path[-1], ())):
        longer = [*path, following]
        yield longer
        if following not in path:
            yield from _paths(leads, longer)


__all__ = ["CLOCK", "FIELDS", "MERGED", "VERDICTS", "LinkError", "Links", "Rule", "parse", "recall"]
