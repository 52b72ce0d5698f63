"""The private store: one DuckDB file that only the ETL writes, under a lock, one transaction a run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl

from etl import calendars, incident, links
from etl.annotation import Annotation
from etl.calendars import Calendars
from etl.incident import Field
from etl.links import Links
from etl.saved_view import SavedView
from etl.sources import Canonical
from etl.target import Target

SCHEMA_VERSION = 2
STORAGE_VERSION = "v1.4.0"
"""DuckDB 2.0's own default cannot be read by the 1.5 command line that analysts have."""


class Memory(NamedTuple):
    """What a run may take."""

    limit: str
    """Of DuckDB; what does not fit waits on the disk."""
    kept: str
    """Of it, what is taken once and kept: giving blocks back and taking them again costs page faults by the million."""
    incidents: int
    """How many incidents' facts are made at once."""


AMPLE = Memory("1500MB", "1500MB", 500_000)
"""For exports, where somebody waits for millions of rows."""
SCANT = Memory("170MB", "0MB", 30_000)
"""For pulls, which a machine makes beside its other work and where the tool sets the pace."""
MERGE = Path(__file__).parent / "merge"


class StoreError(Exception):
    """The store cannot be used; the message says why and who holds it."""


class StoreInUseError(StoreError):
    """Somebody else has the store open."""


SOURCE = Field("source", "varchar", "Name of the source")

SOURCES = (
    SOURCE,
    Field("kind", "varchar", "Tool that it is: the name of a file in etl/sources"),
    Field("timezone", "varchar", "Zone in which its naive stamps are read"),
    Field(
        "as_of",
        "timestamp",
        "UTC instant up to which it is known; open incidents are followed until then; null before any came",
    ),
    Field("is_sample", "boolean", "Made-up data, not an organisation's own"),
    Field("knows_resolving", "boolean", "It tells resolving apart from closing"),
    Field("full_export", "boolean", "Each of its exports is complete: what is missing in one is gone"),
    Field("first_contact_hours", "double", "Slower resolutions are no first contact; null for no limit"),
    Field("max_rejected_share", "double", "A run that rejects a greater share of its rows exits with 3"),
    Field("options", "json", "How its exports are read; holds no secrets"),
)
RUNS = (
    Field("run_id", "bigint", "Number of the run; the published version has the same number"),
    SOURCE,
    Field("started_at", "timestamp", "UTC instant at which the run began"),
    Field("finished_at", "timestamp", "UTC instant at which it was ready to publish"),
    Field("outcome", "varchar", "loaded, unchanged or failed"),
    Field("rows_in", "bigint", "Rows of the exports that were read"),
    Field("rows_good", "bigint", "Rows that got in"),
    Field("rows_rejected", "bigint", "Rows that did not; see rejected_rows"),
    Field("issues", "bigint", "Odd things noted while reading; see data_issues"),
    Field("message", "varchar", "What went wrong, in words; null if nothing did"),
)
ISSUES = (
    SOURCE,
    *incident.ISSUE,
    Field("input_id", "varchar", "Input in which it was read; null where it follows from the incident as a whole"),
)
REJECTS = (
    SOURCE,
    Field("input_id", "varchar", "Input that it came in"),
    Field("rejected_at", "timestamp", "UTC instant at which that input was archived"),
    *incident.REJECTED,
)
INPUTS = (
    SOURCE,
    Field("input_id", "varchar", "Hash of the file's name and content"),
    Field("read_as", "varchar", "Hash of how it was read: kind, options and settings"),
    Field("file", "varchar", "Name of the export"),
    Field("fetched_at", "timestamp", "UTC instant at which it was archived"),
    Field("as_of", "timestamp", "UTC instant up to which it tells; null where it has no rows and its source none yet"),
    Field("full_export", "boolean", "What is missing in it is gone from the source"),
    Field("rows_in", "bigint", "Rows in it"),
    Field("rows_good", "bigint", "Rows of it that got in"),
    Field("rows_rejected", "bigint", "Rows of it that did not"),
    Field("issues", "bigint", "Odd things noted while reading it"),
    Field("members", "varchar[]", "Files that it bundles, by the same hash; null for one file or a pull"),
)
ANNOTATIONS = (
    Field("annotated_on", "date", "Day of the change, in the reporting zone"),
    Field("text", "varchar", "What changed, in words"),
    Field("splits_baseline", "boolean", "What came before is no yardstick for what came after"),
    Field("source", "varchar[]", "Sources that it concerns; null for all"),
    Field("priority", "varchar[]", "Priorities that it concerns; null for all"),
    Field("assignment_group", "varchar[]", "Assignment groups that it concerns; null for all"),
    Field("service", "varchar[]", "Services that it concerns; null for all"),
    Field("category", "varchar[]", "Categories that it concerns; null for all"),
    Field("channel", "varchar[]", "Channels that it concerns; null for all"),
)
TARGETS = (
    Field("kpi", "varchar", "KPI that it is for"),
    Field("value", "double", "The bound: hours, or a share between 0 and 1"),
    Field("is_most", "boolean", "It is met at or below the bound; else at or above it"),
    Field("since", "date", "First day that it holds, in the reporting zone"),
    Field("until", "date", "Last day that it holds; null until further notice"),
    Field("source", "varchar[]", "Sources that it is for; null for all"),
    Field("priority", "varchar[]", "Priorities that it is for; null for all"),
    Field("assignment_group", "varchar[]", "Assignment groups that it is for; null for all"),
    Field("service", "varchar[]", "Services that it is for; null for all"),
    Field("category", "varchar[]", "Categories that it is for; null for all"),
    Field("channel", "varchar[]", "Channels that it is for; null for all"),
)
SAVED_VIEWS = (
    Field("name", "varchar", "What the view is called"),
    Field("kpi", "varchar", "KPI; null: as the page has it by default, like all that follow"),
    Field("by", "varchar[]", "Up to two dimensions that it is split by"),
    Field("picture", "varchar", "Picture"),
    Field("against", "varchar", "before, year, or another slice as column:member"),
    Field("scale", "varchar", "log or linear"),
    Field("only", "varchar[]", "Filters of that page alone, as column:member"),
    Field("period", "varchar", "Period that moves on with the data"),
    Field("since", "date", "First day, in the reporting zone"),
    Field("until", "date", "Last day"),
    Field("grain", "varchar", "Grain"),
    Field("source", "varchar[]", "Sources; null for all"),
    Field("priority", "varchar[]", "Priorities; null for all"),
    Field("assignment_group", "varchar[]", "Assignment groups; null for all"),
    Field("service", "varchar[]", "Services; null for all"),
    Field("category", "varchar[]", "Categories; null for all"),
    Field("channel", "varchar[]", "Channels; null for all"),
)
LINKS = (
    SOURCE,
    Field("incident_id", "varchar", "Incident that names one of another tool"),
    Field("rule", "integer", "Place of the rule among [[links]], from 1"),
    Field("field", "varchar", "Where it names it"),
    Field("linked_source", "varchar", "Source of the incident that it names"),
    Field("linked_id", "varchar", "What it names"),
    Field("linked_incident_id", "varchar", "Incident that goes by that id; null if there is none (yet)"),
    Field("verdict", "varchar", f"What became of it: {', '.join(links.VERDICTS)}"),
    Field("joined_source", "varchar", "Source of the incident that counts no more; null unless joined"),
    Field("joined_incident_id", "varchar", "Incident that counts no more, with its own clock; null unless joined"),
    Field("counted_source", "varchar", "Source of the incident that counts for both; null unless joined"),
    Field("counted_incident_id", "varchar", "Incident that counts for both; null unless joined"),
    Field("taken", "varchar[]", "Instants that the counted incident takes from the joined one"),
    *(
        Field(f"own_{field.name}", field.type, f"What the counted incident's own tool says: {field.comment}")
        for field in incident.INCIDENT
        if field.name in links.MERGED
    ),
)
PUBLIC = {
    "incidents": ("Incident, excluded ones too", incident.INCIDENT),
    "incident_events": ("Thing that happened to an incident", incident.EVENT),
    "incident_links": ("Id of another tool's incident that an incident names", LINKS),
    "data_issues": ("Odd thing found, and what was done about it", ISSUES),
    "rejected_rows": ("Row of an export that did not get in", REJECTS),
    "refresh_runs": ("Run and source", RUNS),
    "sources": ("Source", SOURCES),
    "annotations": ("Known change that the configuration names", ANNOTATIONS),
    "targets": ("Target that the configuration sets", TARGETS),
    "saved_views": ("View of the page Explore that the configuration names", SAVED_VIEWS),
}
"""Public tables: what one row of each is, and its columns."""
VIEWS = {
    "incident_segments": ("Stretch of an incident's life", incident.SEGMENT),
    "incident_days": ("Incident and day at whose end it was open", incident.DAY),
}
"""Public views: what one row of each is, and its columns."""
PRIVATE = {
    "versions": (
        SOURCE,
        *incident.VERSION,
        Field("as_of", "timestamp", "As-of of its export"),
    ),
    "snapshots": (SOURCE, *incident.SNAPSHOT),
    "events": (SOURCE, *incident.GIVEN_EVENT),
    "extents": (
        SOURCE,
        Field("rows", "bigint", "Versions of incidents that an input added"),
        Field("span", "bigint", "Versions that these incidents have had since the input before, the first being 0"),
    ),
    "sightings": (
        SOURCE,
        Field("incident_id", "varchar", "Incident"),
        Field("seen_at", "timestamp", "As-of of the last input that has it"),
    ),
    "segments": (
        SOURCE,
        *incident.SEGMENT[1:-1],
        Field("resolved_on", "date", "Day of its incident's resolution in the reporting zone; null while it is open"),
    ),
    "open_spans": (
        SOURCE,
        Field("incident_id", "varchar", "Incident"),
        Field("from_day", "date", "First day at whose end it was open, in the reporting zone"),
        Field("until_day", "date", "First day at whose end it was not; null while it is open"),
        *incident.DAY[3:-1],
    ),
    "openings": (
        SOURCE,
        Field("day", "date", "Day in the reporting zone on which any incident of it was opened"),
        Field("incidents", "bigint", "Incidents that were opened, excluded ones too"),
        Field("excluded", "bigint", "Of these, the excluded ones"),
    ),
    "members": (
        Field("dimension", "varchar", "Column of incidents that everything is filtered by"),
        Field("member", "varchar", "Value in it; null for the incidents without one"),
        Field("incidents", "bigint", "Incidents that have it, excluded ones too"),
    ),
    "calendar_rules": (
        Field("place", "integer", "Its place: the first rule that fits chooses"),
        Field("calendar", "varchar", "Calendar that it chooses"),
        Field("source", "varchar[]", "Sources that it is for; null for all"),
        Field("assignment_group", "varchar[]", "Assignment groups that it is for; null for all"),
        Field("service", "varchar[]", "Services that it is for; null for all"),
        Field("priority", "integer[]", "Priorities that it is for; null for all"),
    ),
    "link_rules": (
        Field("place", "integer", "Its place: the first rule that leads anywhere decides"),
        Field("source", "varchar", "Source whose incidents name others"),
        Field("field", "varchar", "Where they name them"),
        Field("attribute", "varchar", "JSON pointer into the attributes; null for another field"),
        Field("pattern", "varchar", "What of the field is an id; null for all of it"),
        Field("group", "integer", "Group of the pattern that is the id; 0 for all that it matches"),
        Field("target", "varchar", "Source of the incidents that are named"),
        Field("keep", "varchar", "Source whose incident counts for both"),
        *(Field(f"takes_{name}", "varchar", f"Source whose {name} comes first; null as usual") for name in links.CLOCK),
    ),
    "link_names": (
        SOURCE,
        Field("incident_id", "varchar", "Incident"),
        Field("rule", "integer", "Rule by which it names another"),
        Field("linked_source", "varchar", "Source of the incident that it names"),
        Field("linked_id", "varchar", "What it names"),
    ),
    "business_spans": (
        Field("calendar", "varchar", "Calendar"),
        Field("from_at", "timestamp", "UTC instant at which a stretch of business time begins"),
        Field("until_at", "timestamp", "UTC instant at which it ends"),
        Field("seconds_before", "bigint", "Business seconds before it; null after the last day that is known"),
    ),
    "inputs": INPUTS,
    "settings": (Field("name", "varchar", "Setting"), Field("value", "varchar", "Its value")),
    "days": (
        Field("day", "date", "Day in the reporting zone"),
        Field("begins_at", "timestamp", "UTC instant at which it begins"),
        Field("ends_at", "timestamp", "UTC instant at which it ends: the next day begins"),
    ),
}
STAGED = {
    "staged_versions": incident.VERSION,
    "staged_events": incident.GIVEN_EVENT,
    "staged_rejected": incident.REJECTED,
    "staged_issues": incident.ISSUE,
}


def fingerprint() -> str:
    """Hash what decides the store's content: its columns and the code that fills it. Another one means: rebuild."""
    return _hash(
        f"{SCHEMA_VERSION}{PUBLIC}{PRIVATE}",
        (
            "facts/*.sql",
            "links/*.sql",
            "merge/*.sql",
            "sources/*.py",
            "bundles.py",
            "calendars.py",
            "incident.py",
            "links.py",
            "reading.py",
            "shaping.py",
            "stamps.py",
        ),
    )


def catalog_fingerprint() -> str:
    """Hash what decides macros, views and comments. Another one means: make these anew."""
    return _hash(f"{PUBLIC}", ("kpis/*.sql", "views/*.sql", "catalog.py", "incident.py"))


def _hash(text: str, patterns: Iterable[str]) -> str:
    digest = hashlib.sha256(text.encode())
    for pattern in patterns:
        for path in sorted(Path(__file__).parent.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def lock(folder: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the store alone; a second run waits and then learns who has it.

    Raises:
        StoreError: it is still held after `wait_seconds`, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}") from error
    with file:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise StoreInUseError(
                        f"the store is in use by {file.read().strip() or 'another run'}; "
                        f"waited {wait_seconds:.0f} s for it"
                    ) from error
                time.sleep(0.1)
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        yield


def connect(path: Path, memory: Memory = AMPLE) -> duckdb.DuckDBPyConnection:
    """Open the store for writing, with bounded memory.

    Raises:
        StoreError: DuckDB cannot open the file.
    """
    spill = path.parent / "spill"
    try:
        con = duckdb.connect(
            path,
            config={
                "storage_compatibility_version": STORAGE_VERSION,
                "memory_limit": memory.limit,
                "block_allocator_memory": memory.kept,
                "temp_directory": str(spill),
                "preserve_insertion_order": False,
            },
        )
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        if "Could not set lock" in said:
            raise StoreInUseError(f"{path} is open in another program ({said}); close it there") from error
        raise StoreError(f"{path} cannot be opened ({said}); `meantime rebuild` makes it anew") from error
    return con


def inputs(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    """Give the inputs that the store has: source and id -> hash of how it was read."""
    return {
        (source, id_): read_as
        for source, id_, read_as in con.execute("select source, input_id, read_as from store.inputs").fetchall()
    }


def held(con: duckdb.DuckDBPyConnection, source: str) -> set[str]:
    """Give the ids of a source's files that the store has, in bundles, too."""
    found = con.execute(
        "select input_id from store.inputs where source = $source"
        " union all select unnest(members) from store.inputs where source = $source",
        {"source": source},
    )
    return {id_ for (id_,) in found.fetchall()}


def setting(con: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """Read a setting; None if there is no such setting or no store yet."""
    try:
        found = row(con, "select value from store.settings where name = ?", [name])
    except duckdb.CatalogException:
        return None
    return found[0] if found else None


def row(con: duckdb.DuckDBPyConnection, query: str, values: object = None) -> tuple[Any, ...] | None:
    """Give a query's first row; None if it has none. All is fetched: an open result would block the connection."""
    found = con.execute(query, values).fetchall()
    return found[0] if found else None


def put_setting(con: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    """Write a setting."""
    con.execute("delete from store.settings where name = ?", [name])
    con.execute("insert into store.settings values (?, ?)", [name, value])


def create(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Make the empty store for a reporting zone."""
    con.execute("create schema if not exists store")
    for name, fields in PRIVATE.items():
        con.execute(_table(f"store.{name}", fields))
    for name, (_, fields) in PUBLIC.items():
        con.execute(_table(f"main.{name}", fields))
    put_setting(con, "fingerprint", fingerprint())
    put_setting(con, "reporting_timezone", zone)
    put_setting(con, "version", "0")
    con.execute(sql(MERGE / "days.sql"), {"zone": zone, "first": calendars.FIRST, "last": calendars.LAST})


def keep_calendars(con: duckdb.DuckDBPyConnection, wanted: Calendars | None) -> None:
    """Have the store count business time by these calendars; by those that it has, where nothing is said of any.

    If they differ, or the public holidays are of another edition, every incident's facts are to be made anew.
    """
    kept = wanted if wanted is not None else calendars.recall(setting(con, "calendars") or "")
    if kept.fingerprint == (setting(con, "calendars:fingerprint") or ""):
        return
    con.execute("delete from store.calendar_rules")
    for place, rule in enumerate(kept.rules, 1):
        conditions = [list(values) or None for values in rule[1:]]
        con.execute("insert into store.calendar_rules values (?, ?, ?, ?, ?, ?)", [place, rule.calendar, *conditions])
    hours = calendars.weekly(kept)
    staged = {
        "calendar_hours": pl.DataFrame(hours, schema=calendars.Weekly._fields, orient="row"),
        "calendar_closings": pl.DataFrame(
            calendars.closing_days(kept),
            schema={"calendar": pl.String, "day": pl.Date, "reason": pl.String},
            orient="row",
        ),
        "zone_offsets": pl.DataFrame(
            calendars.offsets(sorted({row.timezone for row in hours})), schema=calendars.Stretch._fields, orient="row"
        ),
    }
    for name, frame in staged.items():
        con.register(name, frame.to_arrow())
    if hours:
        run(con, MERGE / "business_spans.sql", {"first": calendars.FIRST, "last": calendars.LAST})
    else:
        con.execute("delete from store.business_spans")
    for name in staged:
        con.unregister(name)
    put_setting(con, "calendars", kept.said)
    put_setting(con, "calendars:fingerprint", kept.fingerprint)
    con.execute("insert into changed select source, incident_id from store.versions")


def keep_annotations(con: duckdb.DuckDBPyConnection, wanted: Iterable[Annotation] | None) -> None:
    """Have the store name these known changes; those that it has, where nothing is said of any."""
    if wanted is None:
        return
    con.execute("delete from main.annotations")
    for one in wanted:
        parts = [[str(value) for value in values] or None for values in one[3:]]
        con.execute(
            "insert into main.annotations values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [one.annotated_on, one.text, one.splits_baseline, *parts],
        )


def keep_targets(con: duckdb.DuckDBPyConnection, wanted: Iterable[Target] | None) -> None:
    """Have the store hold these targets; those that it has, where nothing is said of any."""
    if wanted is None:
        return
    con.execute("delete from main.targets")
    for one in wanted:
        parts = [[str(value) for value in values] or None for values in one[5:]]
        con.execute("insert into main.targets values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [*one[:5], *parts])


def keep_views(con: duckdb.DuckDBPyConnection, wanted: Iterable[SavedView] | None) -> None:
    """Have the store name these views; those that it has, where nothing is said of any."""
    if wanted is None:
        return
    con.execute("delete from main.saved_views")
    marks = ", ".join("?" for _ in SAVED_VIEWS)
    for one in wanted:
        told = [(list(value) or None) if isinstance(value, tuple) else value for value in one]
        con.execute(f"insert into main.saved_views values ({marks})", told)


def keep_links(con: duckdb.DuckDBPyConnection, wanted: Links | None) -> None:
    """Have the store join incidents by these rules; by those that it has, where nothing is said of any.

    If they differ, the facts of every source that a rule names or named are to be made anew.
    """
    kept = wanted if wanted is not None else links.recall(setting(con, "links") or "")
    if kept.said == (setting(con, "links") or ""):
        return
    concerned = "select source, incident_id from store.versions where source in (select unnest([source, target]) from store.link_rules)"
    con.execute(f"insert into changed {concerned}")
    for table in ("store.link_rules", "store.link_names", "incident_links"):
        con.execute(f"delete from {table}")
    for place, rule in enumerate(kept.rules, 1):
        takes = [rule.take.get(name) for name in links.CLOCK]
        con.execute(
            "insert into store.link_rules values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [place, rule.source, rule.field, rule.attribute, rule.pattern, rule.group, rule.target, rule.keep, *takes],
        )
    con.execute(f"insert into changed {concerned}")
    put_setting(con, "links", kept.said)


def keep_news(con: duckdb.DuckDBPyConnection, version: int) -> None:
    """Remember as `news` the last version that tells anything but that time went by: its readers are told of it."""
    counted = ("changed", "rejected_rows", "data_issues")
    changed, *counts = (row(con, f"select count(*) from {table}") for table in counted)
    said = [con.execute(f"select * from {table}").fetchall() for table in ("annotations", "targets", "saved_views")]
    told = hashlib.sha256(repr((counts, said)).encode()).hexdigest()[:16]
    if changed != (0,) or told != setting(con, "news:told"):
        put_setting(con, "news", str(version))
        put_setting(con, "news:told", told)


def _table(name: str, fields: tuple[Field, ...]) -> str:
    columns = ",\n    ".join(f'"{field.name}" {field.type}' for field in fields)
    return f"create table {name} (\n    {columns}\n)"


def stage(con: duckdb.DuckDBPyConnection) -> None:
    """Make the empty temporary tables that one input's rows wait in.

    Rows of history, of which there are most, wait where they will stay: behind the last row that was there before.
    """
    for name, fields in STAGED.items():
        con.execute(_table(f"temp.{name}", fields).replace("create table", "create or replace temp table"))
    con.execute("set variable last_snapshot = (select coalesce(max(rowid), -1) from store.snapshots)")
    con.execute(
        "create or replace temp view staged_snapshots as"
        " select * from store.snapshots where rowid > getvariable('last_snapshot')"
    )


def unstage(con: duckdb.DuckDBPyConnection) -> None:
    """Drop the staged rows: their memory is wanted for the facts."""
    for name in STAGED:
        con.execute(f"drop table temp.{name}")


def retract(con: duckdb.DuckDBPyConnection) -> None:
    """Take back what an input that failed has brought."""
    con.execute("delete from store.snapshots where rowid > getvariable('last_snapshot')")


def put(con: duckdb.DuckDBPyConnection, source: str, rows: Canonical) -> None:
    """Add a chunk's rows to the staged ones."""
    append(con, "store.snapshots", rows.snapshots.with_columns(source=pl.lit(source)))
    for name in STAGED:
        append(con, name, getattr(rows, name.removeprefix("staged_")))


def append(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table of the same columns."""
    if frame.height == 0:
        return
    # Most of an export's rows lack most columns: what is null throughout need not be carried over.
    told = frame.select(series for series in frame if series.null_count() < frame.height)
    # As a stream of batches: a whole Arrow table would be scanned by threads of Arrow's own, in each other's way. DuckDB
    # finds it by its name: one that is registered stays in memory until the transaction ends.
    chunk = told.to_arrow(compat_level=pl.CompatLevel.newest()).to_reader()  # noqa: F841
    con.execute(f"insert into {table} by name select * from chunk")


def counts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count the staged rows."""
    return {name: (row(con, f"select count(*) from {name}") or (0,))[0] for name in STAGED}


def greatest_stamp(con: duckdb.DuckDBPyConnection, fetched_at: datetime) -> datetime | None:
    """Give the greatest plausible stamp among the staged rows: none that lies after the file was fetched."""
    found = row(con, sql(MERGE / "as_of.sql"), {"fetched_at": fetched_at})
    return found[0] if found else None


def merge(
    con: duckdb.DuckDBPyConnection, source: str, input_id: str, as_of: datetime | None, fetched_at: datetime
) -> None:
    """Merge the staged rows of one input: the newest version wins, whatever the order of loading.

    The keys that it touches are added to the temporary table `changed`.
    """
    values: dict[str, object] = {"source": source, "input_id": input_id, "as_of": as_of, "fetched_at": fetched_at}
    for name in ("1_versions", "2_snapshots", "3_events", "4_rejected", "5_issues", "6_changed"):
        run(con, MERGE / f"{name}.sql", values)


def run(con: duckdb.DuckDBPyConnection, path: Path, values: dict[str, object]) -> None:
    """Run the statements of a file, each with those of the values that it names."""
    for statement in duckdb.extract_statements(sql(path)):
        used = {name: values[name] for name in statement.named_parameters}
        con.execute(statement, used or None)


def sql(path: Path) -> str:
    """Read a file of SQL."""
    return path.read_text(encoding="utf-8")


def confirm_input(con: duckdb.DuckDBPyConnection, source: str, input_id: str, read_as: str, as_of: datetime) -> None:
    """Say that an input still tells everything at a later time; a source's as_of never goes back."""
    con.execute(
        "update store.inputs set read_as = ?, as_of = ? where source = ? and input_id = ?",
        [read_as, as_of, source, input_id],
    )
    con.execute("update sources set as_of = greatest(as_of, ?::timestamp) where source = ?", [as_of, source])


def record_source(con: duckdb.DuckDBPyConnection, told: dict[str, object]) -> None:
    """Insert or replace a source's row; its as_of never goes back."""
    con.execute("delete from sources where source = ?", [told["source"]])
    append(con, "sources", pl.DataFrame([told], schema=incident.schema(SOURCES)))


def described(value: object) -> str:
    """Give options as JSON text."""
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
