"""What every source needs to turn text columns into canonical ones: value maps, verdicts on rows, stamps, leftovers."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import polars as pl

from etl.incident import ISSUE, REJECTED, schema
from etl.reading import LINE
from etl.stamps import Format, to_utc

TRUE_WORDS = frozenset({"true", "yes", "y", "1", "t", "x"})
FALSE_WORDS = frozenset({"false", "no", "n", "0", "f"})


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
    patterns = [pattern.lower() for pattern in automation]

    def read(actor: str) -> str:
        name = actor.strip().lower()
        return "automation" if any(fnmatchcase(name, pattern) for pattern in patterns) else "person"

    return mapped(actors, read, pl.String()).fill_null("unknown")


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
