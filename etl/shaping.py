"""What every source needs to turn text columns into canonical ones: value maps, verdicts on rows, stamps, leftovers."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache, partial

import polars as pl

from etl.incident import GIVEN_EVENT, ISSUE, REJECTED, Field, schema
from etl.reading import LINE
from etl.stamps import Format, to_utc

TRUE_WORDS = frozenset({"true", "yes", "y", "1", "t", "x"})
FALSE_WORDS = frozenset({"false", "no", "n", "0", "f"})
EPOCH = datetime(1970, 1, 1)


@dataclass
class Verdicts:
    """Collects which rows of a chunk must be rejected, for which first reason, and what was odd about the others."""

    chunk: pl.DataFrame
    file: str
    incident_id: pl.Series
    _bad: pl.Series = field(init=False)
    _rejected: list[pl.DataFrame] = field(default_factory=list)
    _issues: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._bad = pl.repeat(False, self.chunk.height, eager=True)

    def reject(self, rows: pl.Series, column: str | None, reason: Callable[[str | None], str] | str) -> None:
        """Reject the rows that the mask marks; a row that was rejected before keeps its first reason."""
        fresh = rows.fill_null(value=False) & ~self._bad
        if not fresh.any():
            return
        picked = self.chunk.filter(fresh)
        values = picked[column] if column is not None else pl.repeat(None, picked.height, dtype=pl.String, eager=True)
        text = [reason if isinstance(reason, str) else reason(value) for value in values]
        raw = [
            json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False)
            for row in picked.drop(LINE).iter_rows(named=True)
        ]
        self._rejected.append(
            pl.DataFrame(
                {
                    "file": pl.repeat(self.file, picked.height, eager=True),
                    "line": picked[LINE],
                    "incident_id": self.incident_id.filter(fresh),
                    "field": pl.repeat(column, picked.height, dtype=pl.String, eager=True),
                    "value": values,
                    "reason": text,
                    "raw": raw,
                },
                schema=schema(REJECTED),
            )
        )
        self._bad = self._bad | fresh

    def note(
        self, rows: pl.Series, rule: str, column: str, values: pl.Series, message: str, ids: pl.Series | None = None
    ) -> None:
        """Record an issue for the rows that the mask marks."""
        rows = rows.fill_null(value=False)
        if not rows.any():
            return
        ids = self.incident_id if ids is None else ids
        found = pl.DataFrame({"incident_id": ids.filter(rows), "value": values.filter(rows).cast(pl.String)})
        self._issues.append(
            found.unique(maintain_order=True)
            .filter(pl.col("incident_id").is_not_null())
            .select(
                "incident_id",
                pl.lit(rule).alias("rule"),
                pl.lit(column).alias("field"),
                "value",
                pl.lit(message).alias("message"),
            )
        )

    @property
    def good(self) -> pl.Series:
        """The mask of the rows that were not rejected."""
        return ~self._bad

    @property
    def rejected(self) -> pl.DataFrame:
        """The rejected rows."""
        return pl.concat([pl.DataFrame(schema=schema(REJECTED)), *self._rejected])

    @property
    def issues(self) -> pl.DataFrame:
        """What was odd about the rows that got in."""
        return pl.concat([pl.DataFrame(schema=schema(ISSUE)), *self._issues])


def mapped(values: pl.Series, translate: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """Translate a column by its distinct values; what `translate` answers with None becomes null."""
    distinct = values.drop_nulls().unique()
    table = {value: translate(value) for value in distinct.to_list()}
    if not table:
        return pl.repeat(None, len(values), dtype=dtype, eager=True).alias(values.name)
    return values.replace_strict(
        pl.Series(list(table), dtype=pl.String),
        pl.Series(list(table.values()), dtype=dtype),
        default=None,
        return_dtype=dtype,
    )


def boolean(values: pl.Series) -> pl.Series:
    """Read true, yes, 1 and the like; anything else is null."""

    def read(value: str) -> bool | None:
        word = value.strip().lower()
        return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None

    return mapped(values, read, pl.Boolean())


def integer(values: pl.Series) -> pl.Series:
    """Read whole numbers, with or without `.0` or thousands separators as a spreadsheet writes them."""
    plain = values.cast(pl.Int64, strict=False)
    if plain.null_count() == values.null_count():
        return plain
    cleaned = values.str.strip_chars().str.replace_all(r"[,\s']", "").str.replace(r"\.0+$", "")
    return cleaned.cast(pl.Int64, strict=False)


def actor_kind(actors: pl.Series, automation: Iterable[str]) -> pl.Series:
    """Tell people from machines by user name; patterns may hold `*`, case does not matter."""
    patterns = tuple(pattern.lower() for pattern in automation)
    return mapped(actors, partial(_kind, patterns), pl.String()).fill_null("unknown")


@lru_cache(maxsize=100_000)
def _kind(patterns: tuple[str, ...], actor: str) -> str:
    name = actor.strip().lower()
    return "automation" if any(fnmatchcase(name, pattern) for pattern in patterns) else "person"


def read_stamp(
    verdicts: Verdicts, values: pl.Series, format_: Format, zone: str, where: str, ids: pl.Series | None = None
) -> tuple[pl.Series, pl.Series]:
    """Read a column of stamps; give the UTC instants and the mask of unreadable values, and note odd local stamps."""
    stamps = to_utc(values, format_, zone, where=where)
    verdicts.note(
        stamps.ambiguous,
        "ambiguous_local_time",
        values.name,
        values,
        f"happens twice in {zone} when clocks go back; the first was taken",
        ids,
    )
    verdicts.note(
        stamps.nonexistent,
        "nonexistent_local_time",
        values.name,
        values,
        f"does not exist in {zone}, clocks had gone forward; it was moved forward by the gap",
        ids,
    )
    return stamps.utc, stamps.unreadable


def leftovers(chunk: pl.DataFrame, used: Iterable[str]) -> pl.Series:
    """Pack every column that has no other place into one JSON text per row; null where all are empty."""
    names = [name for name in chunk.columns if name != LINE and name not in set(used)]
    if not names or chunk.height == 0:
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True).alias("attributes")
    # Keys are sorted, so that the order of an export's columns does not matter.
    packed = chunk.select(pl.struct(sorted(names)).struct.json_encode().alias("attributes")).to_series()
    packed = packed.str.replace_all(r'"(?:[^"\\]|\\.)*":null,?', "").str.replace(r",\}$", "}")
    return packed.replace("{}", None)


def newest(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows that may be an incident's newest version: those with the greatest version number, then update.

    Older rows of a chunk can never win, so what is costly need only be built for these. Ties stay: content decides
    them when everything is merged.
    """
    key = ["incident_id", pl.col("version_number").is_null()]
    frame = frame.filter(
        pl.col("version_number").is_null() | (pl.col("version_number") == pl.col("version_number").max().over(key))
    )
    latest = pl.col("updated_at").max().over(key)
    return frame.filter(latest.is_null() | (pl.col("updated_at") == latest))


def nearest(name: str, choices: Sequence[str]) -> str:
    """Give the words '; did you mean ...?' if one of the choices is near."""
    near = difflib.get_close_matches(name.lower(), [choice.lower() for choice in choices], n=1)
    if not near:
        return ""
    return "; did you mean " + repr(next(choice for choice in choices if choice.lower() == near[0])) + "?"


def lowered(table: Mapping[str, object]) -> dict[str, object]:
    """Give the table with keys in lower case and without surrounding blanks."""
    return {str(key).strip().lower(): value for key, value in table.items()}


def lookup(known: Mapping[str, object], told: Mapping[str, object]) -> Callable[[str], object]:
    """Make a function that looks a word up, the instance's own words first; case does not matter."""
    table = {**lowered(known), **lowered(told)}
    return lambda word: table.get(word.strip().lower())


def unknown(source: str, kind: str, known: Iterable[str], choices: Iterable[object], value: str | None) -> str:
    """Say that a word has no translation, which ones do, and the key that would give it one."""
    return (
        f"{source}: {kind} {value!r} is not one of {', '.join(map(str, known))}; map it under "
        f"[sources.{source}.{kind}] to one of {', '.join(map(str, choices))}"
    )


def translated(
    verdicts: Verdicts,
    values: pl.Series,
    column: str | None,
    *,
    source: str,
    kind: str,
    known: Mapping[str, object],
    told: Mapping[str, object],
    choices: Sequence[object],
    dtype: pl.DataType,
) -> pl.Series:
    """Translate a column of words; a word without a translation rejects its row, never a guess.

    Args:
        verdicts: where rows are rejected.
        values: the words.
        column: the name of their column, for the rejection; None if they have none.
        source: the source's name.
        kind: `status`, `priority` or `channel`: the key of the configuration that would map a word.
        known: the source's own table.
        told: the configuration's table, which comes first.
        choices: our words.
        dtype: the type of our words.
    """
    table = {**lowered(known), **lowered(told)}
    found = mapped(values, lambda word: table.get(word.strip().lower()), dtype)
    rows = found.is_null() & values.is_not_null()
    verdicts.reject(rows, column, lambda value: unknown(source, kind, table, choices, value))
    return found


def coalesced(chunk: pl.DataFrame, columns: Iterable[str]) -> pl.Series:
    """Give the first value of several columns that a chunk may have; null throughout where it has none of them."""
    present = [column for column in columns if column in chunk.columns]
    if not present:
        return pl.repeat(None, chunk.height, dtype=pl.String, eager=True)
    if len(present) == 1:
        return chunk[present[0]]
    return chunk.select(pl.coalesce(present).alias(present[0])).to_series()


def parts(values: pl.Series, separator: str = "\n") -> pl.Series:
    """Read a list: a JSON list, of which objects count by their name, or parts between separators."""

    def read(value: str) -> list[str] | None:
        given: list[object] = list(value.split(separator))
        if value.startswith("["):
            with suppress(json.JSONDecodeError):
                given = json.loads(value)
        names = [
            str(part.get("name", part.get("value", part))) if isinstance(part, dict) else str(part).strip()
            for part in given
        ]
        return list(dict.fromkeys(name for name in names if name)) or None

    distinct = values.drop_nulls().unique()
    table = pl.DataFrame(
        {"value": distinct, "parts": [read(value) for value in distinct.to_list()]},
        schema={"value": pl.String, "parts": pl.List(pl.String)},
    )
    joined = pl.DataFrame({"value": values}).join(table, on="value", how="left", maintain_order="left")
    return joined["parts"].alias(values.name)


def rows_as(fields: tuple[Field, ...], rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    """Make a frame of the canonical model's columns from rows that have a value for each."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in fields)
    return pl.DataFrame(
        {
            name: pl.Series(values, dtype=type_)
            for (name, type_), values in zip(schema(fields).items(), columns, strict=True)
        }
    )


@dataclass
class History:
    """Collects the events of nested histories, and the entries of them that cannot be understood.

    An entry is rejected alone: its incident and its other entries stay.
    """

    file: str
    _events: list[tuple[object, ...]] = field(default_factory=list)
    _rejected: list[tuple[object, ...]] = field(default_factory=list)

    def add(
        self,
        incident_key: str | None,
        event_id: str,
        happened_at: datetime | None,
        kind: str,
        *,
        sequence: int = 0,
        before: str | None = None,
        after: str | None = None,
        hold_reason: str | None = None,
        actor: str | None = None,
        actor_kind: str = "unknown",
        assignment_group: str | None = None,
    ) -> None:
        """Add an event; its instant is naive UTC."""
        self._events.append(
            (
                incident_key,
                event_id,
                happened_at,
                sequence,
                kind,
                before,
                after,
                hold_reason,
                actor,
                actor_kind,
                assignment_group,
            )
        )

    def reject(
        self, line: int, incident_id: str | None, column: str, value: object, reason: str, entry: Mapping[str, object]
    ) -> None:
        """Reject an entry."""
        said = None if value is None else str(value)
        raw = json.dumps(entry, ensure_ascii=False, sort_keys=True, default=str)
        self._rejected.append((self.file, line, incident_id, column, said, reason, raw))

    @property
    def events(self) -> pl.DataFrame:
        """The events."""
        return rows_as(GIVEN_EVENT, self._events)

    @property
    def rejected(self) -> pl.DataFrame:
        """The entries that did not get in."""
        return rows_as(REJECTED, self._rejected)


def instant(value: object) -> datetime | None:
    """Read a stamp with an offset, or epoch milliseconds, as naive UTC of whole seconds; None if it is neither.

    >>> instant("2024-01-15T10:30:00.900+0100"), instant(1705311000900)
    (datetime.datetime(2024, 1, 15, 9, 30), datetime.datetime(2024, 1, 15, 9, 30))
    """
    if isinstance(value, (int, float)):
        return EPOCH + timedelta(seconds=int(value) // 1000)
    try:
        stamp = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    if stamp.tzinfo is None:
        return None
    return stamp.astimezone(UTC).replace(tzinfo=None, microsecond=0)
