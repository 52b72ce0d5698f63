"""The tools that incidents come from: one file each, found by discovery.

A source module has a docstring that names the vendor's document, `EXAMPLE` (file name -> a tiny recorded payload),
`EXAMPLE_OPTIONS`, `prepare(export, options) -> plan` (looks at the header and the head) and
`normalise(chunk, plan) -> Canonical` (pure: a raw chunk in, canonical frames out). `WEBHOOK`, if it has one, names the
columns of a file with one webhook message; such messages have a stamp of their last change. A plan says `knows_resolving`:
whether the export tells resolving apart from closing, and `formats`: how its columns of stamps are written.

A source that can pull from its tool has `fetch(pull) -> None` and `whoami(pull) -> str`, too, and `REFERENCES` (the
streams that are no rows) and `EXAMPLE_PULL` (stream -> records): `etl/pull` says how. `fetch` is the only thing that
knows the tool's addresses; what it keeps goes through `prepare` and `normalise` like a file, with `export.stream` set.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import polars as pl

from etl.reading import Export, ReadOptions
from etl.stamps import Format


class SourceError(Exception):
    """An export that a source cannot understand; the message names source, file, value and what to do."""


class Canonical(NamedTuple):
    """What a chunk of an export means, each a frame of the canonical model's columns."""

    versions: pl.DataFrame
    snapshots: pl.DataFrame
    events: pl.DataFrame
    rejected: pl.DataFrame
    issues: pl.DataFrame


@dataclass(frozen=True)
class Options:
    """What a source's section of the configuration, or the options of `load`, say about its exports."""

    source: str
    timezone: str | None = None
    date_format: Mapping[str, str] | str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    null_marks: tuple[str, ...] = ("", "?")
    fields: Mapping[str, str] = field(default_factory=dict)
    """Our column -> their column."""
    status: Mapping[str, str] = field(default_factory=dict)
    priority: Mapping[str, int] = field(default_factory=dict)
    channel: Mapping[str, str] = field(default_factory=dict)
    hold_reason: Mapping[str, str] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Their resolution code -> why it counts nowhere."""
    automation: tuple[str, ...] = ()
    """User names (with * as wildcard) behind which no person is."""
    map: Mapping[str, Any] | None = None
    """The mapping file of kind `table`, parsed."""

    @property
    def names_zone(self) -> bool:
        """Somebody said in which zone stamps without one are."""
        return bool(self.timezone or (self.map or {}).get("timezone"))

    def reading(self) -> ReadOptions:
        """Give what concerns the file's form."""
        given = self.map or {}
        return ReadOptions(
            delimiter=self.delimiter or given.get("delimiter"),
            encoding=self.encoding or given.get("encoding"),
            null_marks=tuple(given.get("null_marks", self.null_marks)),
            repeated_columns=given.get("repeated_columns"),
            list_key=given.get("list_key"),
        )


class Plan(Protocol):
    """What `prepare` found out about one export."""

    @property
    def knows_resolving(self) -> bool:
        """The export tells resolving apart from closing."""

    @property
    def formats(self) -> Mapping[str, Format]:
        """How its columns of stamps are written, where that was to be found out."""


def reading(kind: str, options: Options) -> ReadOptions:
    """Give how a source's exports are read: what the options say, else what its module says in `READING`."""
    said = options.reading()
    usual = getattr(source(kind), "READING", {})
    return replace(said, **{name: value for name, value in usual.items() if getattr(said, name) is None})


def kinds() -> tuple[str, ...]:
    """Name every source that this package holds."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


@cache
def kinds_that_pull() -> tuple[str, ...]:
    """Name every source that can pull from its tool."""
    return tuple(kind for kind in kinds() if hasattr(source(kind), "fetch"))


def source(kind: str) -> ModuleType:
    """Give the source's module.

    Raises:
        SourceError: there is no such kind.
    """
    if kind not in kinds():
        near = difflib.get_close_matches(kind, kinds(), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise SourceError(f"source kind '{kind}' is not one of {', '.join(kinds())}{hint}")
    return importlib.import_module(f"{__name__}.{kind}")


__all__ = ["Canonical", "Export", "Options", "Plan", "SourceError", "kinds", "kinds_that_pull", "reading", "source"]
