"""What sources share that read records of JSON: where a field is, and the verdicts that every record needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from etl import stamps
from etl.incident import CHANNELS, PRIORITIES, SNAPSHOT, STATES, VERSION, schema
from etl.reading import Export
from etl.shaping import History, Verdicts, coalesced, mapped, nearest, read_stamp, translated
from etl.sources import Canonical, Options, SourceError

API_STAMP = stamps.decide(pl.DataFrame({"": ["2024-01-15T10:30:00Z"]}), [""])[""]
"""ISO 8601 with an offset."""

Fields = Mapping[str, Sequence[str]]
"""Our field -> the names that it may have, in the order of preference."""


@dataclass(frozen=True)
class Plan:
    """How one export is read."""

    file: str
    options: Options
    columns: Fields
    formats: Mapping[str, stamps.Format]
    zone: str
    is_pulled: bool = False
    knows_resolving: bool = True

    @property
    def where(self) -> str:
        """Source and file, for messages."""
        return f"{self.options.source}: {self.file}"


def check_fields(options: Options, fields: Collection[str]) -> None:
    """See that the configuration names only fields of ours.

    Raises:
        SourceError: it names another one.
    """
    for name in options.fields:
        if name not in fields:
            raise SourceError(
                f"{options.source}: [sources.{options.source}.fields] names '{name}', which is not one of "
                f"{', '.join(fields)}{nearest(name, list(fields))}"
            )


def lacking(export: Export, options: Options, field_: str, label: str, hint: str = "") -> SourceError:
    """Say that a needed field has no column, which ones there are, and the ways to name one: `load` reads no section."""
    return SourceError(
        f"{options.source}: {export.name}: no column for {field_} (looked for '{label}'); the file has "
        f"{', '.join(export.columns[:40])}; a configuration names it under [sources.{options.source}.fields], and "
        f"`load --as table` proposes a map for any columns{hint}"
    )


def not_there(export: Export, options: Options, field_: str, called: Sequence[str] | None = None) -> SourceError:
    """Say that the configuration takes a field from a column that is not there; `called`: what a person calls those that are."""
    column = options.fields[field_]
    return SourceError(
        f"{options.source}: {export.name}: [sources.{options.source}.fields] takes {field_} from '{column}', "
        f"which the file does not have{nearest(column, list(called or export.columns))}"
    )


def planned(
    export: Export,
    options: Options,
    fields: Fields,
    *,
    needed: Sequence[str] = (),
    stamped: Sequence[str] | None = None,
    hint: str = "",
) -> Plan:
    """Find where an export has the fields, and how its stamps are written.

    Args:
        export: the export.
        options: what the configuration says.
        fields: the source's own table; a configured field comes before it.
        needed: fields without which the export cannot be read.
        stamped: fields whose stamps may be written in any way; None where they all have an offset.
        hint: what to do if a needed field is missing, beside naming it.

    Raises:
        SourceError: a configured field is none, or a needed one is missing.
        StampError: dates that cannot be read without guessing.
    """
    check_fields(options, fields)
    spelled = {re.sub(r"[^\w.]+", "_", name.strip().lower()): name for name in reversed(export.columns)}
    columns = {}
    for field_, usual in fields.items():
        names = (options.fields[field_], options.fields[field_].lower()) if field_ in options.fields else usual
        columns[field_] = tuple(dict.fromkeys((*(spelled[name] for name in names if name in spelled), *names)))
    where = f"{options.source}: {export.name}"
    for field_ in needed:
        if not set(columns[field_]) & set(export.columns):
            raise lacking(export, options, field_, fields[field_][0], hint)
    formats = {}
    if stamped is not None:
        present = [name for field_ in stamped for name in columns[field_] if name in export.columns]
        formats = stamps.decide(export.head(), present, export.chunks(), told=options.date_format, where=where)
    zone = stamps.check_zone(options.timezone or "UTC")
    return Plan(export.name, options, columns, formats, zone, is_pulled=export.stream is not None)


@dataclass
class Records:
    """A chunk of records, and the verdicts on them."""

    chunk: pl.DataFrame
    plan: Plan
    what: str
    """What a record is, for messages: "incident", "alert"."""
    verdicts: Verdicts = field(init=False)
    ids: pl.Series = field(init=False)

    def __post_init__(self) -> None:
        self.ids = self.text("incident_id").str.strip_chars().replace("", None)
        self.verdicts = Verdicts(self.chunk, self.plan.file, self.ids)
        self.verdicts.reject(self.ids.is_null(), self.named("incident_id"), f"the {self.what}'s id is missing")

    def text(self, field_: str) -> pl.Series:
        """Give a field as it came; null throughout where the chunk lacks it."""
        return coalesced(self.chunk, self.plan.columns[field_])

    def named(self, field_: str) -> str:
        """Name the column that a field comes from."""
        return next((name for name in self.plan.columns.get(field_, ()) if name in self.chunk.columns), field_)

    def nothing(self, dtype: pl.DataType | None = None) -> pl.Series:
        """Give a column of nulls."""
        return pl.repeat(None, self.chunk.height, dtype=dtype or pl.String(), eager=True)

    def stamp(self, field_: str, *, needed: bool = False) -> pl.Series:
        """Read a field's stamps as naive UTC; a needed one that is missing or unreadable rejects its record."""
        column = self.named(field_)
        if column not in self.chunk.columns:
            if needed:
                self.verdicts.reject(self.ids.is_not_null(), None, f"the {self.what} has no {field_}")
            return self.nothing(pl.Datetime("us"))
        values = self.text(field_).alias(column)
        format_ = self.plan.formats.get(column, API_STAMP)
        utc, unreadable = read_stamp(self.verdicts, values, format_, self.plan.zone, self.plan.where, self.ids)
        if needed:
            self.verdicts.reject(values.is_null(), column, f"the {self.what} has no {field_}")
            self.verdicts.reject(unreadable, column, partial(stamps.unreadable, field_, format_))
        else:
            self.verdicts.note(
                unreadable,
                "unreadable_stamp",
                column,
                values,
                "Cannot be read as a stamp; the incident is kept with the stamp unknown",
                self.ids,
            )
        return utc

    def state(self, words: pl.Series, known: Mapping[str, object]) -> pl.Series:
        """Translate statuses; a record without one, or with an unknown one, is rejected."""
        self.verdicts.reject(words.is_null(), self.named("state"), f"the {self.what} has no status")
        return self._translated("status", "state", words, known, STATES, pl.String())

    def priority(self, words: pl.Series, known: Mapping[str, object]) -> pl.Series:
        """Translate priorities; an unknown one rejects its record."""
        return self._translated("priority", "priority", words, known, PRIORITIES, pl.Int8())

    def channel(self, words: pl.Series, known: Mapping[str, object]) -> pl.Series:
        """Translate channels; an unknown one rejects its record."""
        return self._translated("channel", "channel", words, known, CHANNELS, pl.String())

    def classified(
        self,
        said: Callable[[str], pl.Series],
        status: Mapping[str, object],
        priority: Mapping[str, object],
        channel: Mapping[str, object],
        *,
        no_channel: str | None = None,
    ) -> dict[str, pl.Series]:
        """Give state, priority and channel, each beside what the source calls it.

        Args:
            said: gives a field as it came.
            status: their word -> our state.
            priority: their word -> our priority.
            channel: their word -> our channel.
            no_channel: the word by which a record that says none is looked up.
        """
        source = {name: said(name) for name in ("state", "priority", "channel")}
        return {
            "state": self.state(source["state"], status),
            "source_state": source["state"],
            "priority": self.priority(source["priority"], priority),
            "source_priority": source["priority"],
            "channel": self.channel(
                source["channel"].fill_null(no_channel) if no_channel else source["channel"], channel
            ),
            "source_channel": source["channel"],
        }

    def _translated(
        self,
        kind: str,
        field_: str,
        words: pl.Series,
        known: Mapping[str, object],
        choices: Sequence[object],
        dtype: pl.DataType,
    ) -> pl.Series:
        return translated(
            self.verdicts,
            words,
            self.named(field_) if self.named(field_) in self.chunk.columns else None,
            source=self.plan.options.source,
            kind=kind,
            known=known,
            told=getattr(self.plan.options, kind),
            choices=choices,
            dtype=dtype,
        )


def names_in(export: Export, stream: str) -> dict[str, str]:
    """Give the names that a reference stream has for its ids."""
    return {str(record["id"]): str(record.get("name") or record["id"]) for record in export.beside.get(stream, ())}


def named(ids: pl.Series, names: Mapping[str, str]) -> pl.Series:
    """Give names instead of ids; an id without one stays."""
    return mapped(ids, lambda id_: names.get(id_, id_), pl.String())


def entries(chunk: pl.DataFrame, plan: Plan, key: str, stamp: str) -> tuple[Verdicts, pl.Series]:
    """Judge the entries of a history, which need the incident's key and a stamp; give the stamps as naive UTC."""
    keys = coalesced(chunk, [key])
    verdicts = Verdicts(chunk, plan.file, keys)
    happened_at, unreadable = read_stamp(verdicts, coalesced(chunk, [stamp]), API_STAMP, "UTC", plan.file)
    verdicts.reject(keys.is_null(), key, f"the entry's {key} is missing")
    verdicts.reject(happened_at.is_null() | unreadable, stamp, "the entry's stamp is missing or cannot be read")
    return verdicts, happened_at


def meaning(verdicts: Verdicts, history: History, **frames: pl.DataFrame) -> Canonical:
    """Give what a chunk means: its history, what was rejected of either, and versions where it has some."""
    empty = {"versions": pl.DataFrame(schema=schema(VERSION)), "snapshots": pl.DataFrame(schema=schema(SNAPSHOT))}
    rejected = pl.concat([verdicts.rejected, history.rejected])
    return Canonical(**{**empty, **frames}, events=history.events, rejected=rejected, issues=verdicts.issues)
