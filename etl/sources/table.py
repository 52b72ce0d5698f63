"""Any table-shaped export (CSV, TSV, XLSX, JSON, JSON lines, Parquet) by a mapping file: their column -> our field.

The map is TOML. `[fields]` gives each of our fields its column, or a constant `{ value = "monitoring" }`, or a stamp as
a distance from another, `{ column = "seconds_to_first_ack", unit = "seconds", after = "opened_at" }`, or a list,
`{ column = "Labels", split = ";" }`. `[status]`, `[priority]`, `[channel]`, `[hold_reason]` and `[excluded]` map their
words to ours; `[skip]` names rows that are no incidents. There is no vendor's document: the map is the knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from etl import stamps
from etl.incident import (
    CHANNELS,
    EXCLUSIONS,
    GIVEN_EVENT,
    HOLD_REASONS,
    POLARS_TYPES,
    PRIORITIES,
    SNAPSHOT,
    STATES,
    VERSION,
    conform,
    schema,
)
from etl.reading import Export
from etl.shaping import (
    Verdicts,
    actor_kind,
    boolean,
    integer,
    leftovers,
    lowered,
    mapped,
    nearest,
    newest,
    parts,
    read_stamp,
)
from etl.sources import Canonical, Options, SourceError

UNIT_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "milliseconds": 0.001}

FIELDS = {
    **{
        field.name: field.type
        for field in VERSION
        if field.name
        not in (
            "attributes",
            "source_state",
            "source_priority",
            "source_channel",
            "reports_acknowledgement",
            "excluded_as",
        )
    },
    "service": "varchar",
    "hold_reason": "varchar",
    "escalation": "integer",
}
"""The fields that a map may fill, with their types."""
STAMPS = tuple(name for name, type_ in FIELDS.items() if type_ == "timestamp")
NEEDED = ("incident_id", "opened_at")

MAP_KEYS = (
    "fields",
    "status",
    "priority",
    "channel",
    "hold_reason",
    "excluded",
    "skip",
    "state_from",
    "timezone",
    "date_format",
    "null_marks",
    "delimiter",
    "encoding",
    "repeated_columns",
    "list_key",
    "automation",
)

EXAMPLE: dict[str, bytes] = {
    "tickets.csv": (
        b"Ticket;Opened on;State;Urgency;Done on\n"
        b"T-1;03.03.2025 08:00;finished;high;03.03.2025 10:30\n"
        b"T-2;13.03.2025 09:15;waiting;low;\n"
    ),
}
EXAMPLE_OPTIONS: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "map": {
        "fields": {
            "incident_id": "Ticket",
            "opened_at": "Opened on",
            "state": "State",
            "priority": "Urgency",
            "resolved_at": "Done on",
            "channel": {"value": "email"},
        },
        "status": {"finished": "resolved", "waiting": "on_hold"},
        "priority": {"high": 2, "low": 4},
    },
}


@dataclass(frozen=True)
class _From:
    """Where a field comes from."""

    column: str | None = None
    value: str | None = None
    unit: str | None = None
    after: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Plan:
    """How one export is read by its map."""

    file: str
    options: Options
    fields: Mapping[str, _From]
    formats: Mapping[str, stamps.Format]
    zone: str
    knows_resolving: bool
    words: Mapping[str, Mapping[str, Any]]
    skip: Mapping[str, tuple[str, ...]]
    state_from_stamps: bool

    @property
    def where(self) -> str:
        """Source and file, for messages."""
        return f"{self.options.source}: {self.file}"


def prepare(export: Export, options: Options) -> Plan:
    """Check the map against the file and decide how stamps are written.

    Raises:
        SourceError: there is no map, or it names a column, field or word that does not exist.
        StampError: dates that cannot be read without guessing.
    """
    where = f"{options.source}: {export.name}"
    given = options.map
    if given is None:
        raise SourceError(f"{where}: kind 'table' needs a mapping file; `meantime load FILE --as table` proposes one")
    _only(given, MAP_KEYS, f"{where}: the map")
    fields = {name: _field(name, told, export, where) for name, told in given.get("fields", {}).items()}
    for name, told in options.fields.items():
        fields[name] = _field(name, told, export, where)
    for needed in NEEDED:
        if needed not in fields:
            raise SourceError(f"{where}: the map's [fields] has no {needed}; the file has {_listed(export.columns)}")
    by_stamps = given.get("state_from") == "stamps"
    if given.get("state_from") not in (None, "stamps"):
        raise SourceError(f"{where}: state_from is {given['state_from']!r}; it may only be 'stamps'")
    if "state" not in fields and not by_stamps:
        raise SourceError(
            f'{where}: the map\'s [fields] has no state; name its column, or say `state_from = "stamps"` to take an '
            f"incident for resolved or closed where it has the stamp; the file has {_listed(export.columns)}"
        )
    skip = {column: _listing(values) for column, values in given.get("skip", {}).items()}
    for column in skip:
        _known_column(column, export, f"{where}: [skip]")
    words = {
        kind: _words(kind, {**given.get(kind, {}), **getattr(options, kind)}, choices, where)
        for kind, choices in (
            ("status", STATES),
            ("priority", PRIORITIES),
            ("channel", CHANNELS),
            ("hold_reason", HOLD_REASONS),
            ("excluded", EXCLUSIONS),
        )
    }
    columns = [source.column for name, source in fields.items() if name in STAMPS and source.column and not source.unit]
    told_format = options.date_format or given.get("date_format")
    formats = stamps.decide(export.head(), columns, export.chunks(), told=told_format, where=where)
    zone = stamps.check_zone(options.timezone or given.get("timezone") or "UTC")
    knows_resolving = "resolved_at" in fields or "resolved" in words["status"].values()
    return Plan(export.name, options, fields, formats, zone, knows_resolving, words, skip, by_stamps)


def _unreadable(source: _From, plan: Plan, value: str | None) -> str:
    if source.unit:
        return f"opened_at {value!r} is no number of {source.unit}"
    return stamps.unreadable("opened_at", plan.formats[source.column or ""], value)


def _only(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            raise SourceError(f"{where}: key '{key}' is not one of {', '.join(known)}{nearest(key, known)}")


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:40])
    return shown if len(names) <= 40 else f"{shown} and {len(names) - 40} more"


def _listing(values: Any) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, list) else (str(values),)


def _known_column(column: str, export: Export, where: str) -> None:
    if column not in export.columns:
        raise SourceError(
            f"{where} names column '{column}', which the file does not have{nearest(column, export.columns)} "
            f"(it has {_listed(export.columns)})"
        )


def _field(name: str, told: Any, export: Export, where: str) -> _From:
    if name not in FIELDS:
        raise SourceError(
            f"{where}: [fields] has '{name}', which is not one of {', '.join(FIELDS)}{nearest(name, list(FIELDS))}"
        )
    source = _From(column=told) if isinstance(told, str) else _From(**_checked(name, told, where))
    if source.column is not None:
        _known_column(source.column, export, f"{where}: [fields] {name}")
    return source


def _checked(name: str, told: Any, where: str) -> dict[str, str]:
    if not isinstance(told, Mapping):
        raise SourceError(f'{where}: [fields] {name} must be a column\'s name or a table such as {{ column = "..." }}')
    _only(told, ("column", "value", "unit", "after", "split"), f"{where}: [fields] {name}")
    if ("column" in told) == ("value" in told):
        raise SourceError(f"{where}: [fields] {name} needs either a column or a value")
    if ("unit" in told) != ("after" in told):
        raise SourceError(f"{where}: [fields] {name}: a distance needs both unit and after")
    if "unit" in told and told["unit"] not in UNIT_SECONDS:
        raise SourceError(f"{where}: [fields] {name}: unit {told['unit']!r} is not one of {', '.join(UNIT_SECONDS)}")
    if "after" in told and told["after"] not in STAMPS:
        raise SourceError(f"{where}: [fields] {name}: after {told['after']!r} is not one of {', '.join(STAMPS)}")
    return {key: str(value) for key, value in told.items()}


def _words(kind: str, told: Mapping[str, Any], choices: tuple[Any, ...], where: str) -> dict[str, Any]:
    for word, value in told.items():
        if value not in choices:
            raise SourceError(
                f"{where}: [{kind}] maps {word!r} to {value!r}, which is not one of {', '.join(map(str, choices))}"
                f"{nearest(str(value), [str(choice) for choice in choices])}"
            )
    return {**{str(choice): choice for choice in choices}, **lowered(told)}


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn a raw chunk into canonical rows by the map."""
    ids = _text(chunk, plan, "incident_id").str.strip_chars().replace("", None)
    verdicts = Verdicts(chunk, plan.file, ids)
    skipped = _skipped(chunk, plan)
    verdicts.note(
        skipped,
        "skipped_by_map",
        ", ".join(plan.skip),
        _joined(chunk, plan),
        "The map says that this row is no incident: it was left out",
    )
    verdicts.reject(ids.is_null() & ~skipped, plan.fields["incident_id"].column, "the incident's number is missing")
    made: dict[str, pl.Series] = {"incident_id": ids}
    for name in STAMPS:
        made[name] = _stamp(chunk, plan, name, verdicts, made, skipped)
    state, source_state = _state(chunk, plan, verdicts, made, skipped)
    priority = _mapped(chunk, plan, verdicts, "priority", "priority", pl.Int8(), skipped)
    channel = _mapped(chunk, plan, verdicts, "channel", "channel", pl.String(), skipped)
    for name, type_ in FIELDS.items():
        if name in made or name in ("state", "priority", "channel", "hold_reason", "service", "services", "tags"):
            continue
        made[name] = _plain(chunk, plan, name, type_)
    codes = made["resolution_code"]
    excluded = mapped(codes, lambda code: plan.words["excluded"].get(code.strip().lower()), pl.String())
    services = _list(chunk, plan, "services") if "services" in plan.fields else _list(chunk, plan, "service")
    used = {source.column for source in plan.fields.values() if source.column}
    frame = pl.DataFrame(
        {
            **{name: series.alias(name) for name, series in made.items() if name != "escalation"},
            "state": state,
            "source_state": source_state,
            "priority": priority,
            "source_priority": _text(chunk, plan, "priority"),
            "channel": channel,
            "source_channel": _text(chunk, plan, "channel"),
            "services": services,
            "tags": _list(chunk, plan, "tags"),
            "excluded_as": excluded,
            "reports_acknowledgement": pl.repeat("acknowledged_at" in plan.fields, chunk.height, eager=True),
        }
    ).with_columns(
        pl.when(pl.col("state") == "cancelled").then(pl.lit("cancelled")).otherwise("excluded_as").alias("excluded_as"),
        hold_reason=_hold(chunk, plan, source_state, state),
        escalation=made["escalation"],
    )
    good = verdicts.good & ~skipped
    frame = frame.with_columns(leftovers(chunk, used).alias("attributes")).filter(good)
    return Canonical(
        versions=conform(newest(frame).drop("hold_reason", "escalation"), VERSION),
        snapshots=_snapshots(frame, plan),
        events=pl.DataFrame(schema=schema(GIVEN_EVENT)),
        rejected=verdicts.rejected,
        issues=verdicts.issues,
    )


def _snapshots(frame: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Rows with a version number and the stamp of that version are history."""
    if not {"version_number", "updated_at"} <= set(plan.fields):
        return pl.DataFrame(schema=schema(SNAPSHOT))
    patterns = (*plan.options.automation, *(plan.options.map or {}).get("automation", ()))
    rows = frame.filter(pl.col("version_number").is_not_null() & pl.col("updated_at").is_not_null())
    rows = rows.with_columns(
        pl.col("updated_at").alias("happened_at"),
        pl.col("updated_by").alias("actor"),
        actor_kind(rows["updated_by"], patterns).alias("actor_kind"),
    )
    return conform(rows.select(field.name for field in SNAPSHOT), SNAPSHOT)


def _text(chunk: pl.DataFrame, plan: Plan, name: str) -> pl.Series:
    source = plan.fields.get(name)
    if source is None or (source.column is not None and source.column not in chunk.columns):
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True).alias(name)
    if source.column is None:
        return pl.repeat(source.value, chunk.height, dtype=pl.String, eager=True).alias(name)
    return chunk[source.column]


def _stamp(
    chunk: pl.DataFrame,
    plan: Plan,
    name: str,
    verdicts: Verdicts,
    made: Mapping[str, pl.Series],
    skipped: pl.Series,
) -> pl.Series:
    source = plan.fields.get(name)
    values = _text(chunk, plan, name)
    if source is None or source.column is None:
        return values.cast(pl.Datetime("us"))
    if source.unit:
        # STAMPS are in the order of the model, where opened_at comes before what is counted from it.
        distance = values.cast(pl.Float64, strict=False) * UNIT_SECONDS[source.unit] * 1_000_000
        unreadable = distance.is_null() & values.is_not_null()
        begin = made.get(source.after or "")
        if begin is None:
            begin = _stamp(chunk, plan, source.after or "", verdicts, made, skipped)
        utc = (begin + distance.cast(pl.Int64).cast(pl.Duration("us"))).dt.truncate("1s")
    else:
        utc, unreadable = read_stamp(verdicts, values, plan.formats[source.column], plan.zone, plan.where)
    if name == "opened_at":
        verdicts.reject(values.is_null() & ~skipped, source.column, "the opening stamp is missing")
        verdicts.reject(
            unreadable & ~skipped,
            source.column,
            partial(_unreadable, source, plan),
        )
    else:
        verdicts.note(
            unreadable,
            "unreadable_stamp",
            source.column,
            values,
            "Cannot be read as a stamp; the incident is kept with the stamp unknown",
        )
    return utc


def _state(
    chunk: pl.DataFrame, plan: Plan, verdicts: Verdicts, made: Mapping[str, pl.Series], skipped: pl.Series
) -> tuple[pl.Series, pl.Series]:
    if "state" in plan.fields:
        values = _text(chunk, plan, "state")
        verdicts.reject(values.is_null() & ~skipped, plan.fields["state"].column, "the state is missing")
        return _mapped(chunk, plan, verdicts, "state", "status", pl.String(), skipped), values
    instants = pl.DataFrame({name: made[name] for name in ("closed_at", "resolved_at", "acknowledged_at")})
    state = instants.select(
        pl.when(pl.col("closed_at").is_not_null())
        .then(pl.lit("closed"))
        .when(pl.col("resolved_at").is_not_null())
        .then(pl.lit("resolved"))
        .when(pl.col("acknowledged_at").is_not_null())
        .then(pl.lit("in_progress"))
        .otherwise(pl.lit("new"))
    ).to_series()
    return state, pl.repeat(None, chunk.height, dtype=pl.String, eager=True)


def _mapped(
    chunk: pl.DataFrame, plan: Plan, verdicts: Verdicts, name: str, kind: str, dtype: pl.DataType, skipped: pl.Series
) -> pl.Series:
    """Translate a column of words; a word without a translation rejects its row, never a guess."""
    values = _text(chunk, plan, name)
    words = plan.words[kind]

    def read(value: str) -> Any:
        found = words.get(value.strip().lower())
        if found is None and kind == "priority":
            coded = re.fullmatch(r"[Pp]?([1-5])", value.strip())
            return int(coded[1]) if coded else None
        return found

    found = mapped(values, read, dtype)
    verdicts.reject(
        found.is_null() & values.is_not_null() & ~skipped,
        plan.fields[name].column if name in plan.fields else None,
        lambda value: (
            f"{plan.options.source}: {kind} {value!r} is not one of {', '.join(words)}; map it under [{kind}] of the map"
        ),
    )
    return found


def _hold(chunk: pl.DataFrame, plan: Plan, source_state: pl.Series, state: pl.Series) -> pl.Series:
    """The reason of a hold: its own column's word, else the state's."""
    words: Callable[[str], Any] = lambda value: plan.words["hold_reason"].get(value.strip().lower())  # noqa: E731
    told = mapped(_text(chunk, plan, "hold_reason"), words, pl.String())
    by_state = mapped(source_state, words, pl.String())
    nothing = pl.repeat(None, chunk.height, dtype=pl.String, eager=True)
    return told.fill_null(by_state).fill_null("other").zip_with((state == "on_hold").fill_null(value=False), nothing)


def _plain(chunk: pl.DataFrame, plan: Plan, name: str, type_: str) -> pl.Series:
    values = _text(chunk, plan, name)
    if type_ == "boolean":
        return boolean(values)
    if type_ in ("integer", "bigint", "tinyint"):
        return integer(values).cast(POLARS_TYPES[type_], strict=False)
    return values


def _list(chunk: pl.DataFrame, plan: Plan, name: str) -> pl.Series:
    """Read a list: a JSON list, or parts separated by the map's sign (by line breaks where columns were joined)."""
    source = plan.fields.get(name)
    return parts(_text(chunk, plan, name), (source.split if source else None) or "\n").alias(name)


def _skipped(chunk: pl.DataFrame, plan: Plan) -> pl.Series:
    rows = pl.repeat(False, chunk.height, eager=True)
    for column, values in plan.skip.items():
        if column in chunk.columns:
            rows = rows | chunk[column].is_in(list(values)).fill_null(value=False)
    return rows


def _joined(chunk: pl.DataFrame, plan: Plan) -> pl.Series:
    columns = [column for column in plan.skip if column in chunk.columns]
    if not columns:
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True)
    return chunk.select(pl.concat_str(columns, separator=", ", ignore_nulls=True)).to_series()
