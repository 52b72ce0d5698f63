"""One run: exports into the archive, canonical rows into the store, facts and KPIs made, a version published."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from etl import archive, catalog, incident, publish, sources, store
from etl.archive import ArchiveError, Entry
from etl.config import Config, ConfigError, Source
from etl.publish import PublishError
from etl.reading import LINE, Export, ReadError, open_exports
from etl.shaping import Verdicts
from etl.sources import Canonical, SourceError
from etl.stamps import StampError
from etl.store import StoreError

INPUT_ERRORS = (ReadError, StampError, SourceError, ArchiveError, ConfigError)
Progress = Callable[[str], None]


class RefreshError(Exception):
    """A run that published nothing; the message says why."""


@dataclass
class Report:
    """What a run did with one source."""

    source: str
    started_at: datetime
    outcome: str = "unchanged"
    rows_in: int = 0
    rows_good: int = 0
    rows_rejected: int = 0
    issues: int = 0
    messages: list[str] = field(default_factory=list)
    too_many_rejected: bool = False


@dataclass
class Outcome:
    """What a run did."""

    version: int
    reports: list[Report]

    @property
    def exit_code(self) -> int:
        """0, or 3 when a source failed or rejected more than its share."""
        return 3 if any(report.outcome == "failed" or report.too_many_rejected for report in self.reports) else 0


def refresh(
    data: Path,
    config: Config,
    names: Sequence[str] = (),
    *,
    full: bool = False,
    wait_seconds: float = 600,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Bring the warehouse up to date with every configured source, or with those named.

    Args:
        data: the data directory.
        config: the configuration.
        names: sources to refresh; all if empty.
        full: read every archived input again, not only what is new.
        wait_seconds: how long to wait for another run.
        progress: told in words what is being done.

    Raises:
        ConfigError: a name is not configured.
        RefreshError, StoreError, PublishError: nothing was published.
    """
    for name in names:
        if name not in config.sources:
            raise ConfigError(f"source '{name}' is not configured; there are {', '.join(config.sources) or 'none'}")
    chosen = [source for name, source in config.sources.items() if not names or name in names]
    if not chosen:
        raise ConfigError("no source is configured; add a [sources.NAME] section")
    with store.lock(data / "store", wait_seconds):
        if full:
            _rebuild(data, config.timezone, progress)
        return _run(data, config.timezone, [(source, None) for source in chosen], progress, config.keep_raw)


def load(
    data: Path,
    source: Source,
    files: Sequence[Path],
    *,
    wait_seconds: float = 600,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Load exports without a configuration; the options are archived beside them, so that `rebuild` repeats it.

    Raises:
        RefreshError: a file cannot be read; then none of them is loaded.
        StoreError, PublishError: nothing was published.
    """
    with store.lock(data / "store", wait_seconds):
        outcome = _run(data, None, [(source, list(files))], progress, None, must_succeed=True)
    return outcome


def rebuild(
    data: Path, config: Config | None = None, *, wait_seconds: float = 600, progress: Progress = lambda _: None
) -> Outcome:
    """Make the warehouse anew from the archive.

    Raises:
        RefreshError, StoreError, PublishError: nothing was published.
    """
    with store.lock(data / "store", wait_seconds):
        reports = _rebuild(data, config.timezone if config else None, progress)
        return Outcome(_publish(data), reports)


def _store_file(data: Path) -> Path:
    return data / "store" / "warehouse.duckdb"


def _run(
    data: Path,
    zone: str | None,
    wanted: list[tuple[Source, list[Path] | None]],
    progress: Progress,
    keep_raw: int | None,
    *,
    must_succeed: bool = False,
) -> Outcome:
    recover(data, zone, progress)
    con = _open(data, zone or next((source.options.timezone for source, _ in wanted if source.options.timezone), None))
    try:
        reports = []
        con.execute("begin")
        con.execute("create or replace temp table changed (source varchar, incident_id varchar)")
        for source, files in wanted:
            reports.append(_take_in(con, data, source, files, progress))
        failed = [report for report in reports if report.outcome == "failed"]
        if failed and (must_succeed or len(failed) == len(reports)):
            con.execute("rollback")
            raise RefreshError("\n".join(message for report in failed for message in report.messages))
        progress("making facts and KPIs")
        version = _finish(con, reports)
        con.execute("commit")
        con.execute("checkpoint")
    except duckdb.Error as error:
        raise RefreshError(f"the store could not be written: {str(error).splitlines()[0]}") from error
    finally:
        con.close()
    progress(f"publishing version {version}")
    publish.publish(data, _store_file(data), version)
    if keep_raw is not None:
        for source, _ in wanted:
            archive.prune(data / "raw", source.name, keep_raw)
    return Outcome(version, reports)


def _open(data: Path, zone: str | None) -> duckdb.DuckDBPyConnection:
    con = store.connect(_store_file(data))
    if store.setting(con, "fingerprint") is None:
        store.create(con, zone or "UTC")
    return con


def recover(data: Path, zone: str | None, progress: Progress = lambda _: None) -> None:
    """Finish what a killed run left: leftovers go, a store that is ahead is published, an outdated one rebuilt."""
    publish.recover(data)
    archive.sweep(data / "raw")
    shutil.rmtree(data / "store" / "spill", ignore_errors=True)
    for leftover in (data / "store").glob("warehouse.new.duckdb*"):
        leftover.unlink()
    file = _store_file(data)
    if not file.exists():
        if any(archive.entries(data / "raw")):
            progress("the store is gone: rebuilding it from the archive")
            _rebuild(data, zone, progress)
            _publish(data)
        return
    con = store.connect(file)
    known = store.setting(con, "fingerprint")
    is_current = store.is_current(con)
    other_zone = zone is not None and store.setting(con, "reporting_timezone") not in (None, zone)
    version = int(store.setting(con, "version") or 0)
    con.close()
    if known is not None and (not is_current or other_zone):
        progress("rebuilding the store from the archive: " + ("another reporting zone" if other_zone else "new version"))
        _rebuild(data, zone, progress)
        _publish(data)
    elif version > (publish.published(data) or 0):
        publish.publish(data, file, version)


def _publish(data: Path) -> int:
    con = store.connect(_store_file(data))
    version = int(store.setting(con, "version") or 0)
    con.close()
    publish.publish(data, _store_file(data), version)
    return version


def _rebuild(data: Path, zone: str | None, progress: Progress) -> list[Report]:
    """Fill a new store from the archive and put it in the old one's place."""
    file = _store_file(data)
    fresh = file.with_name("warehouse.new.duckdb")
    fresh.unlink(missing_ok=True)
    old_zone, old_version, old_runs = _carried(file)
    entries = list(archive.entries(data / "raw"))
    if not entries and file.exists() and old_version:
        raise RefreshError(f"{data / 'raw'} holds no inputs: the warehouse stays as it is")
    first_zone = next((entry.options.timezone for entry in entries if entry.options.timezone), None)
    con = store.connect(fresh)
    try:
        store.create(con, zone or old_zone or first_zone or "UTC")
        con.execute("begin")
        con.execute("create or replace temp table changed (source varchar, incident_id varchar)")
        reports: dict[str, Report] = {}
        for entry in entries:
            report = reports.setdefault(entry.source, Report(entry.source, _now()))
            _read_entry(con, entry, report, progress)
        store.append(con, "refresh_runs", old_runs)
        store.put_setting(con, "version", str(old_version))
        progress("making facts and KPIs")
        _finish(con, list(reports.values()))
        con.execute("commit")
        con.execute("checkpoint")
    except duckdb.Error as error:
        raise RefreshError(f"the store could not be rebuilt: {str(error).splitlines()[0]}") from error
    except INPUT_ERRORS as error:
        raise RefreshError(f"the store could not be rebuilt: {error}") from error
    finally:
        con.close()
    for leftover in file.parent.glob(f"{file.name}.wal"):
        leftover.unlink()
    fresh.replace(file)
    return list(reports.values())


def _carried(file: Path) -> tuple[str | None, int, pl.DataFrame]:
    """Give what a rebuild takes over from the old store: its zone, its number and the record of its runs."""
    no_runs = pl.DataFrame(schema=incident.schema(store.RUNS))
    if not file.exists():
        return None, 0, no_runs
    con = store.connect(file)
    try:
        zone, version = store.setting(con, "reporting_timezone"), store.setting(con, "version")
        try:
            runs = incident.conform(con.sql("select * from refresh_runs").pl(), store.RUNS)
        except (duckdb.Error, ValueError):
            # A store of another schema: what it calls a run is not ours.
            runs = no_runs
    finally:
        con.close()
    return zone, int(version or 0), runs


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _take_in(
    con: duckdb.DuckDBPyConnection, data: Path, source: Source, files: list[Path] | None, progress: Progress
) -> Report:
    """Archive and read what is new of one source; a failure stays its own."""
    report = Report(source.name, _now())
    try:
        for file in files if files is not None else source.paths():
            if not file.exists():
                raise ReadError(f"{file}: there is no such file")
            open_exports(file, source.options.reading())
            entry, _ = archive.keep(
                data / "raw", file, source.kind, source.options, as_of=source.as_of, settings=_settings(source)
            )
            if store.row(con, "select 1 from store.inputs where input_id = ?", [entry.input_id]) is None:
                try:
                    _read_entry(con, entry, report, progress)
                except INPUT_ERRORS:
                    # An input that cannot be read is not part of the archive: a rebuild would stumble over it.
                    shutil.rmtree(entry.file.parent, ignore_errors=True)
                    raise
    except INPUT_ERRORS as error:
        report.outcome = "failed"
        report.messages.append(str(error))
    except OSError as error:
        report.outcome = "failed"
        report.messages.append(f"{source.name}: {error}")
    share = report.rows_rejected / report.rows_in if report.rows_in else 0.0
    if share > source.max_rejected_share:
        report.too_many_rejected = True
        report.messages.append(
            f"{source.name}: {report.rows_rejected} of {report.rows_in} rows were rejected ({share:.1%}, allowed are "
            f"{source.max_rejected_share:.1%}); see `meantime rejects --source {source.name}`"
        )
    return report


def _settings(source: Source) -> dict[str, Any]:
    return {
        "full_export": source.full_export,
        "first_contact_hours": source.first_contact_hours,
        "max_rejected_share": source.max_rejected_share,
        "is_sample": source.is_sample,
    }


def _read_entry(con: duckdb.DuckDBPyConnection, entry: Entry, report: Report, progress: Progress) -> None:
    """Read one archived input into the store's tables."""
    module = sources.source(entry.kind)
    store.stage(con)
    rows_in = 0
    knows_resolving = False
    for export in open_exports(entry.file, entry.options.reading()):
        plan = module.prepare(export, entry.options)
        knows_resolving = knows_resolving or plan.knows_resolving
        for chunk in export.chunks():
            rows_in += chunk.height
            progress(f"{entry.source}: {export.name}: {report.rows_in + rows_in:,} rows")
            store.put(con, module.normalise(chunk, plan))
        rows_in += len(export.bad_rows)
        store.put(con, _bad_rows(export))
    staged = store.counts(con)
    as_of = entry.as_of or store.greatest_stamp(con, entry.fetched_at) or entry.fetched_at
    store.merge(con, entry.source, entry.input_id, as_of, entry.fetched_at)
    full_export = bool(entry.settings.get("full_export"))
    counted = {
        "rows_in": rows_in,
        "rows_good": rows_in - staged["staged_rejected"],
        "rows_rejected": staged["staged_rejected"],
        "issues": staged["staged_issues"],
    }
    row = {
        "source": entry.source,
        "input_id": entry.input_id,
        "file": entry.file.name,
        "fetched_at": entry.fetched_at,
        "as_of": as_of,
        "full_export": full_export,
        **counted,
    }
    store.append(con, "store.inputs", pl.DataFrame([row], schema=incident.schema(store.INPUTS)))
    if full_export:
        store.run(con, store.MERGE / "7_sightings.sql", {"source": entry.source, "as_of": as_of})
    _record_source(con, entry, as_of, knows_resolving=knows_resolving)
    report.outcome = "loaded"
    report.rows_in += counted["rows_in"]
    report.rows_good += counted["rows_good"]
    report.rows_rejected += counted["rows_rejected"]
    report.issues += counted["issues"]


def _bad_rows(export: Export) -> Canonical:
    nothing = pl.DataFrame(schema={LINE: pl.Int64})
    empty = Verdicts(nothing, export.name, pl.Series(dtype=pl.String))
    rejected = pl.DataFrame(
        [
            {"file": export.name, "line": row.line, "reason": f"{export.name}: line {row.line} {row.reason}", "raw": row.text}
            for row in export.bad_rows
        ],
        schema={"file": pl.String, "line": pl.Int64, "reason": pl.String, "raw": pl.String},
    ).with_columns(pl.struct("raw").struct.json_encode().alias("raw"))
    return Canonical(
        pl.DataFrame(schema=incident.schema(incident.VERSION)),
        pl.DataFrame(schema=incident.schema(incident.SNAPSHOT)),
        pl.DataFrame(schema=incident.schema(incident.GIVEN_EVENT)),
        incident.conform(rejected, incident.REJECTED),
        empty.issues,
    )


def _record_source(con: duckdb.DuckDBPyConnection, entry: Entry, as_of: datetime, *, knows_resolving: bool) -> None:
    """Keep what is known of the source; what depends on its inputs as a whole does not depend on their order."""
    before = store.row(con, "select as_of, knows_resolving from sources where source = ?", [entry.source])
    if before is not None and (before[1] != (knows_resolving or before[1]) or before[0] < as_of):
        # Other incidents of the source are judged by these: only those whose facts could differ.
        if before[1] != (knows_resolving or before[1]):
            con.execute(
                "insert into changed select source, incident_id from store.versions where source = ?", [entry.source]
            )
    store.record_source(
        con,
        {
            "source": entry.source,
            "kind": entry.kind,
            "timezone": entry.options.timezone or "UTC",
            "as_of": as_of if before is None else max(as_of, before[0]),
            "is_sample": bool(entry.settings.get("is_sample")),
            "knows_resolving": knows_resolving or bool(before and before[1]),
            "full_export": bool(entry.settings.get("full_export")),
            "first_contact_hours": entry.settings.get("first_contact_hours"),
            "max_rejected_share": entry.settings.get("max_rejected_share"),
            "options": store.described({**asdict(replace(entry.options, map=None)), "mapped": entry.options.map is not None}),
        },
    )


def _finish(con: duckdb.DuckDBPyConnection, reports: Iterable[Report]) -> int:
    """Make the facts of what changed, record the run, and number the version."""
    catalog.run_facts(con)
    version = int(store.setting(con, "version") or 0) + 1
    finished_at = _now()
    rows = [
        {
            "run_id": version,
            "source": report.source,
            "started_at": report.started_at,
            "finished_at": finished_at,
            "outcome": report.outcome,
            "rows_in": report.rows_in,
            "rows_good": report.rows_good,
            "rows_rejected": report.rows_rejected,
            "issues": report.issues,
            "message": "\n".join(report.messages) or None,
        }
        for report in reports
    ]
    store.append(con, "refresh_runs", pl.DataFrame(rows, schema=incident.schema(store.RUNS)))
    store.put_setting(con, "version", str(version))
    for table in ("incidents", "incident_events"):
        found = store.row(con, f"select count(*) from {table}")
        store.put_setting(con, f"count:{table}", str(found[0] if found else 0))
    comments = {**store.PUBLIC, "incident_segments": ("Stretch of an incident's life", incident.SEGMENT)}
    catalog.build(con, comments)
    return version


__all__ = ["Outcome", "PublishError", "RefreshError", "Report", "StoreError", "load", "rebuild", "recover", "refresh"]
