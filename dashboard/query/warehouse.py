"""Opens a published version, and knows what it says about itself: its catalog, columns, sources and settings."""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
import warnings
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import polars as pl
import pyarrow as pa

from dashboard import periods, statements, timings
from dashboard.periods import Extent
from dashboard.query.kept import Kept

# The rows that are copied once more are those of an answer: few.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
SQL = Path(__file__).parents[1] / "sql"
LINK = "incidents.duckdb"
ROWS_AT_ONCE = 100_000
MEMORY_MIB = 400
"""What DuckDB may take at least: what the questions about a million of incidents need."""
EngineError = duckdb.Error
"""What is raised where the engine cannot answer."""


class NoWarehouse(Exception):
    """Nothing has been published yet."""


class Kpi(NamedTuple):
    """A KPI as the warehouse's catalog has it."""

    name: str
    title: str
    unit: str
    better: str
    fact: str
    counted_at: str
    description: str
    sql: str
    statistic: str

    @property
    def counted_on(self) -> str:
        """The column with the day that it is counted at."""
        return "day" if self.counted_at == "day" else self.counted_at.removesuffix("_at") + "_on"

    @property
    def takes_last_day(self) -> bool:
        """A stock: only a bucket's last day counts."""
        return self.fact == "incident_days" and self.name != "backlog_mean"

    @property
    def is_count(self) -> bool:
        """Nothing counted is 0, not unknown."""
        return self.unit == "incidents" and self.name != "backlog_mean"

    @property
    def settles(self) -> bool:
        """A mean of durations: a single long one may still move it while there are few."""
        return self.fact == "incidents" and self.statistic == "mean" and self.unit == "hours"

    @property
    def has_limits(self) -> bool:
        """A mean, quantile or share of incidents: what has a 95 % interval."""
        return self.fact == "incidents" and self.statistic != "count"


def version(data: Path) -> Path | None:
    """Give the file of the published version: what the link points at now; None if nothing is published."""
    link = data / LINK
    return link.resolve() if link.exists() else None


if TYPE_CHECKING:
    _about_itself = cached_property
else:

    class _about_itself(cached_property):  # noqa: N801  # it stands where `cached_property` would
        """What a version says about itself: asked once, and no part of the question that happens to need it first."""

        def __get__(self, instance, owner=None):
            with statements.unnoted():
                return super().__get__(instance, owner)


@dataclass
class Warehouse:
    """One published version, opened once for reading; safe to share among threads."""

    path: Path
    connection: duckdb.DuckDBPyConnection = field(repr=False)
    days: Kept = field(default_factory=Kept, repr=False)
    """What was asked of its days."""

    def frame(self, query: str, values: dict[str, Any] | None = None) -> pl.DataFrame:
        """Run a query on a cursor of its own."""
        statements.note(query, values)
        cursor = self.connection.cursor()
        try:
            # A relation would be bound twice, and binding the macros takes as long as counting 100,000 rows.
            with timings.QUERIES.timed():
                return pl.DataFrame(cursor.execute(query, values or None).to_arrow_table())
        finally:
            cursor.close()

    def many(self, query: str, values: dict[str, Any] | None = None) -> pl.DataFrame:
        """Run a query of which the rows are many and the words few: they come in parts, and each word is kept once."""
        statements.note(query, values)
        cursor = self.connection.cursor()
        try:
            with timings.QUERIES.timed():
                reader: pa.RecordBatchReader = cursor.execute(query, values or None).to_arrow_reader(ROWS_AT_ONCE)
                tables = itertools.chain(
                    [reader.schema.empty_table()], (pa.Table.from_batches([one]) for one in reader)
                )
                return pl.concat(
                    pl.DataFrame(one).with_columns(pl.col(pl.String).cast(pl.Categorical)) for one in tables
                )
        finally:
            cursor.close()

    def stored(self, name: str, values: dict[str, Any] | None = None) -> pl.DataFrame:
        """Run a query of `dashboard/sql`."""
        return self.frame((SQL / f"{name}.sql").read_text(encoding="utf-8"), values)

    @_about_itself
    def kpis(self) -> dict[str, Kpi]:
        """The catalog, by name."""
        found = self.frame(
            "select name, title, unit, better, fact, counted_at, description, sql, statistic from kpi.catalog order by name"
        )
        return {row[0]: Kpi(*row) for row in found.iter_rows()}

    @_about_itself
    def columns(self) -> dict[str, dict[str, str]]:
        """Fact -> column -> type."""
        found = self.frame(
            "select table_name, column_name, data_type from duckdb_columns()"
            " where schema_name = 'main' and database_name = current_database() order by column_index"
        )
        tables: dict[str, dict[str, str]] = {}
        for table, column, type_ in found.iter_rows():
            tables.setdefault(table, {})[column] = type_
        return tables

    @_about_itself
    def settings(self) -> dict[str, str]:
        """What the warehouse says about itself."""
        return dict(self.frame("select name, value from store.settings").iter_rows())

    @property
    def zone(self) -> str:
        """The reporting zone."""
        return self.settings["reporting_timezone"]

    @property
    def number(self) -> int:
        """The number of the published version."""
        return int(self.settings["version"])

    @_about_itself
    def openings(self) -> pl.DataFrame:
        """What was opened, by source and day."""
        return self.stored("openings")

    @_about_itself
    def sources(self) -> pl.DataFrame:
        """The sources with their as-of in UTC and in the reporting zone, and what was opened in them."""
        opened = self.openings.group_by("source").agg(pl.col("incidents").sum(), pl.col("excluded").sum())
        found = self.stored("sources").join(opened, on="source", how="left", maintain_order="left")
        return found.with_columns(pl.col("incidents", "excluded").fill_null(0))

    @_about_itself
    def joined(self) -> dict[str, int]:
        """How many incidents of two tools count once, and what links do not join."""
        if "incident_links" not in self.columns:
            return {"joined": 0, "missing": 0, "ambiguous": 0, "links": 0}
        return self.stored("joined").row(0, named=True)

    @_about_itself
    def extents(self) -> dict[str, Extent]:
        """What each source covers."""
        by_week = self.openings.group_by("source", pl.col("day").dt.truncate("1w")).agg(pl.col("incidents").sum())
        weeks: dict[str, list[tuple[date, int]]] = {}
        for source, monday, count in by_week.iter_rows():
            weeks.setdefault(source, []).append((monday, count))
        found = {}
        for row in self.stored("extents").iter_rows(named=True):
            found[row["source"]] = Extent(
                row["source"],
                row["first_day"],
                row["last_day"],
                row["resolve_edge"],
                periods.intake_end(weeks.get(row["source"], []), row["last_day"]),
            )
        return found

    @_about_itself
    def annotations(self) -> pl.DataFrame:
        """The known changes of the configuration, in order of time."""
        return self.stored("annotations")

    @_about_itself
    def targets(self) -> pl.DataFrame:
        """The targets of the configuration."""
        return self.stored("targets")

    @_about_itself
    def saved_views(self) -> pl.DataFrame:
        """The views that the configuration names; none in what was published before there were any."""
        return self.stored("saved_views") if "saved_views" in self.columns else pl.DataFrame()

    @property
    def first_day(self) -> date | None:
        """Day of the first opening; None in an empty warehouse."""
        return min((extent.first_day for extent in self.extents.values()), default=None)

    @property
    def last_day(self) -> date | None:
        """Last day that any source covers completely."""
        return max((extent.last_day for extent in self.extents.values()), default=None)

    @property
    def last_intake_day(self) -> date | None:
        """Last day on which the sources still took incidents in, covered by all of them: a default period ends there."""
        return periods.common_end([extent.intake_end or extent.last_day for extent in self.extents.values()])


def open_version(path: Path) -> Warehouse:
    """Open a published version for reading.

    Raises:
        NoWarehouse: the file is not there or is none of ours.
    """
    try:
        connection = duckdb.connect(
            path,
            read_only=True,
            config={"enable_external_access": "false", "lock_configuration": "true", **_memory(path)},
        )
    except duckdb.Error as error:
        raise NoWarehouse(f"{path} cannot be opened: {str(error).splitlines()[0]}") from error
    opened = Warehouse(path, connection)
    try:
        assert opened.settings and opened.kpis and opened.openings.width
    except duckdb.Error as error:
        connection.close()
        raise NoWarehouse(f"{path} is of another Meantime; run `meantime rebuild`") from error
    return opened


def _memory(path: Path) -> dict[str, str]:
    """Bound the memory of a version by its size; what needs more waits on disk, and not beside the published file."""
    size = path.stat().st_size // 2**20 if path.exists() else 0
    name = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    return {
        "memory_limit": f"{max(MEMORY_MIB, size // 4)}MiB",
        "temp_directory": str(Path(tempfile.gettempdir()) / f"meantime-{os.getpid()}-{name}"),
    }


def open_data(data: Path) -> Warehouse:
    """Open what is published in a data directory.

    Raises:
        NoWarehouse: nothing is.
    """
    path = version(data)
    if path is None:
        raise NoWarehouse(f"{data} holds no published warehouse yet; run `meantime load FILE --as servicenow` first")
    return open_version(path)


def latest_as_of(warehouse: Warehouse) -> datetime | None:
    """The latest instant that any source is known up to, in the reporting zone."""
    return warehouse.sources["as_of_local"].max() if warehouse.sources.height else None  # type: ignore[return-value]


def is_sample(warehouse: Warehouse) -> bool:
    """Whether any source is made-up data."""
    return bool(warehouse.sources["is_sample"].any())
