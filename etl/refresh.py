"""One run: exports into the archive, canonical rows into the store, facts and KPIs made, a version published."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import duckdb
import polars as pl

from etl import archive, bundles, calendars, catalog, incident, links, publish, sources, stamps, store
from etl.annotation import Annotation
from etl.archive import ArchiveError, Entry, Reading
from etl.bundles import Message
from etl.calendars import CalendarError, Calendars
from etl.config import DEFAULT_REJECTED_SHARE, Config, ConfigError, Source
from etl.incident import Field
from etl.links import LinkError, Links
from etl.publish import PublishError
from etl.pull import Note, Pull, PullError, begin, open_streams
from etl.reading import LINE, Export, ReadError, open_exports
from etl.saved_view import SavedView
from etl.shaping import Verdicts
from etl.sources import Canonical, SourceError
from etl.stamps import StampError
from etl.store import Memory, StoreError, StoreInUseError
from etl.target import Target

INPUT_ERRORS = (ReadError, StampError, SourceError, ArchiveError, CalendarError, ConfigError, LinkError, PullError)
Progress = Callable[[str], None]


class Stated(NamedTuple):
    """What is said of the warehouse as a whole; what is None stays as it is."""

    zone: str | None = None
    calendars: Calendars | None = None
    annotations: Sequence[Annotation] | None = None
    links: Links | None = None
    targets: Sequence[Target] | None = None
    views: Sequence[SavedView] | None = None


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
    remarks: dict[str, str] = field(default_factory=dict)
    """What a person should know although nothing failed, by what it is about: each is said once a run."""
    allowed_share: float = DEFAULT_REJECTED_SHARE

    @property
    def rejected_share(self) -> float:
        """Rejected rows among those that came in."""
        return self.rows_rejected / self.rows_in if self.rows_in else 0.0

    @property
    def too_many_rejected(self) -> bool:
        """More rows were rejected than the source may reject."""
        return self.rejected_share > self.allowed_share

    @property
    def complaints(self) -> list[str]:
        """What a person should know of."""
        if not self.too_many_rejected:
            return self.messages
        return [
            *self.messages,
            f"{self.source}: {self.rows_rejected} of {self.rows_in} rows were rejected ({100 * self.rejected_share:.3g} %, "
            f"allowed are {100 * self.allowed_share:.3g} %); see `meantime rejects --source {self.source}`",
        ]


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
        wanted: list[tuple[Source, list[Path] | None]] = [(source, None) for source in chosen]
        if full:
            recover(data, _stated(config), progress)
            _restate(data / "raw", wanted)
            if any(archive.entries(data / "raw")):
                _rebuild(data, _stated(config), progress)
        return _run(data, _stated(config), wanted, progress, config.keep_raw, full=full)


def _stated(config: Config | None) -> Stated:
    if config is None:
        return Stated()
    return Stated(config.timezone, config.calendars, config.annotations, config.links, config.targets, config.views)


def load(
    data: Path,
    source: Source,
    files: Sequence[Path],
    *,
    config: Config | None = None,
    wait_seconds: float = 600,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Load exports that no configuration names; their options are archived, so that `rebuild` repeats it.

    Raises:
        RefreshError: a file cannot be read; then none of them is loaded.
        StoreError, PublishError: nothing was published.
    """
    with store.lock(data / "store", wait_seconds):
        return _run(data, _stated(config), [(source, list(files))], progress, None, must_succeed=True)


def rebuild(
    data: Path, config: Config | None = None, *, wait_seconds: float = 600, progress: Progress = lambda _: None
) -> Outcome:
    """Make the warehouse anew from the archive.

    Raises:
        RefreshError, StoreError, PublishError: nothing was published.
    """
    if not (data / "raw").exists() and not _store_file(data).exists():
        raise RefreshError(f"{data} holds no archive; run `meantime load FILE --as servicenow` first")
    with store.lock(data / "store", wait_seconds):
        # The store itself may be damaged: it is asked for what it still knows, and replaced.
        publish.recover(data)
        carried = _carried(data)
        archive.recover(data / "raw", carried.inputs, carried.statements)
        if config is not None:
            _restate(data / "raw", [(source, None) for source in config.sources.values()])
        reports = _rebuild(data, _stated(config), progress)
        return Outcome(_publish(data), reports)


def _store_file(data: Path) -> Path:
    return data / "store" / "warehouse.duckdb"


def _run(
    data: Path,
    stated: Stated,
    wanted: list[tuple[Source, list[Path] | None]],
    progress: Progress,
    keep_raw: int | None,
    *,
    must_succeed: bool = False,
    full: bool = False,
    memory: Memory | None = None,
) -> Outcome:
    """Take in what is wanted, and publish; a run of pulls is scant of memory, and made again where that is too little."""
    if memory is None:
        memory = store.SCANT if all(source.access is not None for source, _ in wanted) else store.AMPLE
    recover(data, stated, progress)
    raw = data / "raw"
    reports = {source.name: Report(source.name, _now()) for source, _ in wanted}
    if _restate(raw, wanted):
        progress("exports are to be read in another way: rebuilding the store from the archive")
        reports |= {report.source: report for report in _rebuild(data, stated, progress) if report.source in reports}
    con = store.connect(_store_file(data), memory)
    taken: list[Entry] = []
    is_committed = False
    try:
        is_new = store.setting(con, "fingerprint") is None
        # Pulling may take hours: no transaction is open meanwhile.
        pulls = {
            source.name: pulled
            for source, _ in wanted
            if source.access is not None
            and (pulled := _pull(con, raw, source, reports[source.name], progress, full=full, is_new=is_new))
        }
        con.execute("begin")
        if is_new:
            store.create(con, stated.zone or wanted[0][0].options.timezone or "UTC")
        store.put_setting(con, "version", str(max(int(store.setting(con, "version") or 0), publish.highest(data))))
        con.execute("create or replace temp table changed (source varchar, incident_id varchar)")
        store.keep_calendars(con, stated.calendars)
        store.keep_annotations(con, stated.annotations)
        store.keep_targets(con, stated.targets)
        store.keep_views(con, stated.views)
        store.keep_links(con, stated.links)
        for name, said in _statements(con).items():
            archive.keep_statement(raw, name, said or "")
        for source, files in wanted:
            taken += _take_in(con, raw, source, files, pulls.get(source.name), reports[source.name], progress)
        failed = [report for report in reports.values() if report.outcome == "failed"]
        if failed and (must_succeed or len(failed) == len(reports)):
            raise RefreshError("\n".join(message for report in failed for message in report.complaints))
        progress("making facts and KPIs")
        version = _finish(con, reports.values(), memory)
        con.execute("commit")
        is_committed = True
        con.execute("checkpoint")
    except BaseException as error:
        con.close()
        if not is_committed:
            archive.discard_statements(raw)
            for entry in taken:
                archive.discard(entry)
        if isinstance(error, duckdb.OutOfMemoryException) and memory is store.SCANT:
            progress(Note("that takes more memory: beginning again with what has been pulled"))
            return _run(
                data, stated, wanted, progress, keep_raw, must_succeed=must_succeed, full=full, memory=store.AMPLE
            )
        if isinstance(error, duckdb.Error):
            raise RefreshError(f"the store could not be written: {str(error).splitlines()[0]}") from error
        if isinstance(error, (CalendarError, LinkError)):
            raise RefreshError(str(error)) from error
        raise
    con.close()
    progress(f"publishing version {version}")
    publish.publish(data, _store_file(data), version)
    # Now only do the next pulls begin where these ended.
    archive.confirm(raw)
    if keep_raw is not None:
        for source, _ in wanted:
            archive.prune(raw, source.name, keep_raw)
    return Outcome(version, list(reports.values()))


def recover(data: Path, stated: Stated = Stated(), progress: Progress = lambda _: None) -> None:
    """Finish what a killed run left: leftovers go, a store that is ahead is published, an outdated one rebuilt."""
    raw, file = data / "raw", _store_file(data)
    publish.recover(data)
    shutil.rmtree(file.parent / "spill", ignore_errors=True)
    for leftover in file.parent.glob("warehouse.new.duckdb*"):
        leftover.unlink()
    if not file.exists():
        for leftover in file.parent.glob("warehouse.duckdb.*"):
            leftover.unlink()
        archive.recover(raw, {})
        if any(archive.entries(raw)):
            progress("the store is gone: rebuilding it from the archive")
            _rebuild(data, stated, progress)
            _publish(data)
        return
    con = store.connect(file)
    try:
        known = store.setting(con, "fingerprint")
        is_current = known == store.fingerprint()
        other_zone = stated.zone is not None and store.setting(con, "reporting_timezone") not in (None, stated.zone)
        version = int(store.setting(con, "version") or 0)
        in_store = store.inputs(con) if is_current else {}
        statements_in_store = _statements(con)
    finally:
        con.close()
    if is_current:
        if version > (publish.published(data) or 0):
            publish.publish(data, file, version)
        archive.recover(raw, in_store, statements_in_store)
    why = None
    if known is not None and not is_current:
        why = "another version of Meantime made it"
    elif other_zone:
        why = "the reporting zone is another"
    elif is_current and any(in_store.get(entry.key) != entry.reading.hash for entry in archive.entries(raw)):
        why = "the archive holds what it does not"
    if why is not None:
        progress(f"rebuilding the store from the archive: {why}")
        _rebuild(data, stated, progress)
        _publish(data)


def _publish(data: Path) -> int:
    con = store.connect(_store_file(data))
    version = int(store.setting(con, "version") or 0)
    con.close()
    publish.publish(data, _store_file(data), version)
    return version


def _rebuild(data: Path, stated: Stated, progress: Progress) -> list[Report]:
    """Fill a new store from the archive and put it in the old one's place."""
    raw, file = data / "raw", _store_file(data)
    fresh = file.with_name("warehouse.new.duckdb")
    for leftover in file.parent.glob("warehouse.new.duckdb*"):
        leftover.unlink()
    carried = _carried(data)
    entries = list(archive.entries(raw))
    if not entries and carried.version:
        raise RefreshError(f"{raw} holds no inputs: the warehouse stays as it is")
    reports: dict[str, Report] = {}
    con = store.connect(fresh)
    try:
        con.execute("begin")
        store.create(
            con,
            stated.zone or carried.zone or next((entry.reading.options.timezone for entry in entries), None) or "UTC",
        )
        con.execute("create or replace temp table changed (source varchar, incident_id varchar)")
        kept = (
            stated.calendars if stated.calendars is not None else calendars.recall(archive.statement(raw, "calendars"))
        )
        store.keep_calendars(con, kept)
        store.append(con, "annotations", carried.annotations)
        store.append(con, "targets", carried.targets)
        store.append(con, "saved_views", carried.views)
        store.keep_annotations(con, stated.annotations)
        store.keep_targets(con, stated.targets)
        store.keep_views(con, stated.views)
        archive.keep_statement(raw, "calendars", kept.said)
        joining = stated.links if stated.links is not None else links.recall(archive.statement(raw, "links"))
        store.keep_links(con, joining)
        archive.keep_statement(raw, "links", joining.said)
        for entry in entries:
            read_entry(con, entry, reports.setdefault(entry.source, Report(entry.source, _now())), progress)
        _note_unreachable(reports, carried.inputs, {entry.key for entry in entries})
        store.append(con, "refresh_runs", carried.runs)
        store.put_setting(con, "version", str(max(carried.version, publish.highest(data))))
        progress("making facts and KPIs")
        _finish(con, reports.values())
        con.execute("commit")
        con.execute("checkpoint")
        con.close()
        for leftover in file.parent.glob(f"{file.name}.wal"):
            leftover.unlink()
        fresh.replace(file)
        publish.sync(file.parent)
    except BaseException as error:
        con.close()
        archive.discard_statements(raw)
        for entry in entries:
            archive.discard(entry)
        if isinstance(error, duckdb.Error):
            raise RefreshError(f"the store could not be rebuilt: {str(error).splitlines()[0]}") from error
        if isinstance(error, INPUT_ERRORS):
            raise RefreshError(f"the store could not be rebuilt: {error}") from error
        raise
    archive.confirm(raw)
    return list(reports.values())


class _Carried(NamedTuple):
    """What a rebuild takes over: the zone, the number, the record of runs, which inputs, known changes, targets, views and statements there were."""

    zone: str | None
    version: int
    runs: pl.DataFrame
    inputs: dict[tuple[str, str], str]
    statements: dict[str, str | None]
    annotations: pl.DataFrame
    targets: pl.DataFrame
    views: pl.DataFrame


def _statements(con: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    return {name: store.setting(con, name) for name in archive.STATEMENTS}


def _carried(data: Path) -> _Carried:
    """Ask the store, or, if it is gone or damaged, the published file."""
    nothing = _Carried(
        None,
        0,
        pl.DataFrame(schema=incident.schema(store.RUNS)),
        {},
        {},
        pl.DataFrame(schema=incident.schema(store.ANNOTATIONS)),
        pl.DataFrame(schema=incident.schema(store.TARGETS)),
        pl.DataFrame(schema=incident.schema(store.SAVED_VIEWS)),
    )
    for file in (_store_file(data), publish.file(data)):
        if file is None or not file.exists():
            continue
        try:
            con = store.connect(file) if file == _store_file(data) else duckdb.connect(file, read_only=True)
        except (StoreError, duckdb.Error) as error:
            if isinstance(error, StoreInUseError):
                raise
            continue
        try:
            zone, version = store.setting(con, "reporting_timezone"), store.setting(con, "version")
            if version is None:
                continue
            try:
                runs = incident.conform(con.sql("select * from refresh_runs").pl(), store.RUNS)
                inputs = store.inputs(con)
            except (duckdb.Error, ValueError):
                # A store of another schema: what it calls a run is not ours.
                runs, inputs = nothing.runs, {}
            changes = _said(con, "annotations", store.ANNOTATIONS, nothing.annotations)
            aims = _said(con, "targets", store.TARGETS, nothing.targets)
            views = _said(con, "saved_views", store.SAVED_VIEWS, nothing.views)
            return _Carried(zone, int(version), runs, inputs, _statements(con), changes, aims, views)
        finally:
            con.close()
    return nothing


def _said(con: duckdb.DuckDBPyConnection, table: str, fields: tuple[Field, ...], nothing: pl.DataFrame) -> pl.DataFrame:
    """Read what a configuration once said; nothing where the store knows no such table."""
    try:
        return incident.conform(con.sql(f"select * from {table}").pl(), fields)
    except (duckdb.Error, ValueError):
        return nothing


def _note_unreachable(reports: dict[str, Report], before: Iterable[tuple[str, str]], now: set[tuple[str, str]]) -> None:
    """Say what a rebuild can no longer reach, because the archive was pruned."""
    gone = [source for source, input_id in before if (source, input_id) not in now]
    for source in dict.fromkeys(gone):
        report = reports.setdefault(source, Report(source, _now()))
        report.messages.append(
            f"{source}: {gone.count(source)} inputs are no longer in the archive; what only they held is gone"
        )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _reading(source: Source, *, is_configured: bool) -> Reading:
    settings = {
        "full_export": source.full_export,
        "first_contact_hours": source.first_contact_hours,
        "max_rejected_share": source.max_rejected_share,
        "is_sample": source.is_sample,
    }
    return Reading(source.kind, source.options, source.as_of, settings, is_configured)


def _archived(raw: Path, source: Source, files: Sequence[Path]) -> list[Entry]:
    """Give the entries that the archive has of files; those that cannot be read are none."""
    # Nothing is hashed for a source that has nothing in the archive yet.
    is_new = not any((raw / source.name).glob("*"))
    readable = [] if is_new else [file for file in files if file.is_file() and os.access(file, os.R_OK)]
    found = [archive.find(raw, source.name, archive.identify(file)) for file in readable]
    return [entry for entry in found if entry is not None]


def _restate(raw: Path, wanted: list[tuple[Source, list[Path] | None]]) -> bool:
    """Say of archived inputs how they are read now; give whether any of them is read in another way than before."""
    is_restated = False
    for source, files in wanted:
        reading = _reading(source, is_configured=files is None)
        if files is None:
            mine = [entry for entry in archive.entries(raw) if entry.source == source.name]
            known = [entry for entry in mine if entry.reading.is_configured]
            # What was loaded by hand is the configuration's as soon as that names the file.
            if source.access is None and len(known) < len(mine):
                # Patterns that match nothing are told when the source is taken in.
                with suppress(ConfigError):
                    found = _archived(raw, source, source.paths())
                    known += [entry for entry in found if not entry.reading.is_configured]
        else:
            known = _archived(raw, source, files)
        for entry in known:
            # A pull tells up to its own time, whatever the configuration says.
            now = replace(reading, as_of=entry.reading.as_of) if entry.is_pull else reading
            if entry.reading.hash != now.hash:
                archive.restate(entry, now)
                is_restated = True
    return is_restated


def _pull(
    con: duckdb.DuckDBPyConnection,
    raw: Path,
    source: Source,
    report: Report,
    progress: Progress,
    *,
    full: bool,
    is_new: bool,
) -> Pull | None:
    """Pull what changed in one source's tool into the archive; a failure stays its own and the next run goes on."""
    access = source.access
    assert access is not None
    last = None if full else archive.newest_pull(raw, source.name)
    state = dict(last.state) if last is not None and last.state is not None else {}

    def known() -> set[str]:
        if is_new:
            return set()
        found = con.execute(
            "select incident_id from incidents where source = ? and deleted_at_source is null", [source.name]
        )
        return {id_ for (id_,) in found.fetchall()}

    def pull(folder: Path) -> Pull:
        return Pull(source.name, access, source.options, folder, state, known, progress)

    about = {
        "kind": source.kind,
        "url": access.url,
        "filter": access.filter,
        "since": access.since,
        "state": state,
    }
    try:
        pulling = begin(raw / source.name, pull, about)
        if pulling.is_continued:
            progress(f"{source.name}: going on with the pull that was broken off")
        try:
            began = time.monotonic()
            sources.source(source.kind).fetch(pulling)
            pulling.finish()
            progress(
                Note(
                    f"{source.name}: pulled {sum(pulling.records.values()):,} records in {time.monotonic() - began:.1f} s, "
                    f"of which {pulling.waited_seconds:.1f} s went by in waiting for answers"
                )
            )
        finally:
            pulling.close()
    except INPUT_ERRORS as error:
        report.outcome = "failed"
        report.messages.append(str(error) if source.name in str(error) else f"{source.name}: {error}")
        return None
    return pulling


def _take_in(
    con: duckdb.DuckDBPyConnection,
    raw: Path,
    source: Source,
    files: list[Path] | None,
    pulled: Pull | None,
    report: Report,
    progress: Progress,
) -> list[Entry]:
    """Archive and read what is new of one source, and give it; a failure stays its own."""
    reading = _reading(source, is_configured=files is None)
    held = store.held(con, source.name)
    taken: list[Entry] = []
    try:
        paths = files if files is not None else source.paths()
        if files is None and not source.full_export:
            for entry in _take_in_messages(con, raw, source, paths, held, report, progress):
                held.update(entry.members)
                taken.append(entry)
        for file in paths:
            if not file.is_file():
                raise ReadError(
                    f"{file}: " + ("is a folder; name the files in it" if file.is_dir() else "there is no such file")
                )
            input_id = archive.identify(file)
            if input_id in held:
                continue
            entry = archive.expected(raw, file, input_id, reading)
            try:
                # What is read is the file itself: its copy gets to the disk meanwhile, and is the same or an error.
                with ThreadPoolExecutor(max_workers=1, thread_name_prefix="archiving") as disk:
                    kept = disk.submit(archive.keep, entry, file)
                    read_entry(con, entry, report, progress, file, kept.result)
            except BaseException:
                archive.discard(entry)
                raise
            held.add(input_id)
            taken.append(entry)
        if pulled is not None:
            taken.append(_take_in_pull(con, raw, source, pulled, report, progress))
    except INPUT_ERRORS as error:
        report.outcome = "failed"
        report.messages.append(str(error))
    except OSError as error:
        report.outcome = "failed"
        report.messages.append(f"{source.name}: {publish.cause(error)}")
    return taken


def _take_in_messages(
    con: duckdb.DuckDBPyConnection,
    raw: Path,
    source: Source,
    files: Sequence[Path],
    held: AbstractSet[str],
    report: Report,
    progress: Progress,
) -> Iterator[Entry]:
    """Bundle new files of one webhook message each, and yield the bundles that were read; others stay for themselves."""
    module = sources.source(source.kind)
    fresh: dict[str, Message] = {}
    for file in files if hasattr(module, "WEBHOOK") else ():
        if file.is_file() and file.stat().st_size <= bundles.LARGEST_BYTES:
            message = Message(file.name, file.read_bytes())
            input_id = archive.identify_content(*message)
            if input_id not in held and bundles.is_message(module, message.content):
                fresh[input_id] = message
    ids = list(fresh)
    for start in range(0, len(ids), bundles.MOST):
        some = ids[start : start + bundles.MOST]
        if len(some) == 1:
            return
        entry = archive.keep_bundle(raw, [fresh[id_] for id_ in some], some, _reading(source, is_configured=True))
        try:
            read_entry(con, entry, report, progress)
        except INPUT_ERRORS:
            # One of them cannot be read: each for itself, the others get in and the error names its file.
            archive.discard(entry)
            return
        except BaseException:
            archive.discard(entry)
            raise
        yield entry


def _take_in_pull(
    con: duckdb.DuckDBPyConnection, raw: Path, source: Source, pulled: Pull, report: Report, progress: Progress
) -> Entry:
    """Make a complete pull an input and read it; one that brought nothing moves the last one's time on."""
    reading = replace(_reading(source, is_configured=True), as_of=pulled.as_of)
    state = {
        **pulled.state,
        **pulled.carried,
        "as_of": pulled.as_of.isoformat(),
        "is_complete": pulled.is_first and source.access is not None and source.access.since is None,
    }
    references = getattr(sources.source(source.kind), "REFERENCES", ())
    last = archive.newest_pull(raw, source.name)
    if (
        last is not None
        and not pulled.is_first
        and not any(count for stream, count in pulled.records.items() if stream not in references)
    ):
        state["is_complete"] = bool(last.state and last.state.get("is_complete"))
        entry = replace(last, reading=reading, state=state)
        archive.restate(entry, reading)
        store.confirm_input(con, entry.source, entry.input_id, reading.hash, pulled.as_of)
        shutil.rmtree(pulled.folder)
        return entry
    entry = archive.adopt(pulled.folder, reading, state)
    try:
        read_entry(con, entry, report, progress)
    except BaseException:
        archive.discard(entry)
        raise
    return entry


def read_entry(
    con: duckdb.DuckDBPyConnection,
    entry: Entry,
    report: Report,
    progress: Progress = lambda _: None,
    file: Path | None = None,
    settled: Callable[[], object] = lambda: None,
) -> None:
    """Read one archived input into the store's tables; of one that fails nothing stays.

    Args:
        con: the store.
        entry: the input.
        report: told how many rows there were.
        progress: told in words what is being done.
        file: where to read it while its copy is being made; else the archived file.
        settled: returns when the input is in the archive, and raises if it does not get there.
    """
    store.stage(con)
    try:
        rows_in, knows_resolving = _stage(con, entry, file or entry.file, report, progress)
        # Of what is new only: a rebuild takes what once got in.
        if file is not None and rows_in == 0:
            _refuse_emptiness(con, entry)
            if not entry.is_pull:
                report.remarks[entry.input_id] = f"{entry.source}: {entry.file.name} has no rows"
        settled()
    except (*INPUT_ERRORS, OSError):
        store.retract(con)
        raise
    staged = store.counts(con)
    # An export without a stamp tells nothing of how far its source is known; one without rows not even that it is by now.
    as_of = (
        entry.reading.as_of
        or store.greatest_stamp(con, entry.fetched_at)
        or _known_as_of(con, entry.source)
        or (entry.fetched_at if rows_in > staged["staged_rejected"] else None)
    )
    store.merge(con, entry.source, entry.input_id, as_of, entry.fetched_at)
    full_export = bool(entry.reading.settings.get("full_export"))
    counted = {
        "rows_in": rows_in,
        "rows_good": rows_in - staged["staged_rejected"],
        "rows_rejected": staged["staged_rejected"],
        "issues": staged["staged_issues"],
    }
    row = {
        "source": entry.source,
        "input_id": entry.input_id,
        "read_as": entry.reading.hash,
        "file": entry.file.name,
        "fetched_at": entry.fetched_at,
        "as_of": as_of,
        "full_export": full_export,
        **counted,
        "members": list(entry.members) or None,
    }
    store.append(con, "store.inputs", pl.DataFrame([row], schema=incident.schema(store.INPUTS)))
    if full_export:
        store.run(con, store.MERGE / "7_sightings.sql", {"source": entry.source, "as_of": as_of})
    store.unstage(con)
    _record_source(con, entry, as_of, knows_resolving=knows_resolving)
    report.outcome = "loaded"
    report.allowed_share = float(entry.reading.settings.get("max_rejected_share", DEFAULT_REJECTED_SHARE))
    report.rows_in += counted["rows_in"]
    report.rows_good += counted["rows_good"]
    report.rows_rejected += counted["rows_rejected"]
    report.issues += counted["issues"]


def _known_as_of(con: duckdb.DuckDBPyConnection, source: str) -> datetime | None:
    found = store.row(con, "select as_of from sources where source = ?", [source])
    return found[0] if found else None


def _refuse_emptiness(con: duckdb.DuckDBPyConnection, entry: Entry) -> None:
    """Refuse a complete export without rows while there are incidents: it would say that they all are gone."""
    held = store.row(con, "select count(distinct incident_id) from store.versions where source = ?", [entry.source])
    if entry.reading.settings.get("full_export") and held and held[0]:
        raise ReadError(
            f"{entry.source}: {entry.file.name} has no rows; as a full export it would say that all {held[0]:,} incidents "
            "are gone. Export it anew, or take the file away"
        )


def _stage(
    con: duckdb.DuckDBPyConnection, entry: Entry, file: Path, report: Report, progress: Progress
) -> tuple[int, bool]:
    """Stage the rows of an input; give how many it has, and whether it tells resolving apart from closing."""
    module = sources.source(entry.reading.kind)
    rows_in = 0
    knows_resolving = False
    # One chunk is written while the next is normalised and the one after it is read; the catalog before the first one.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="writing") as writer:
        written: Future[None] = writer.submit(_keep_catalog, con)
        exports, names = _exports(entry, file, module)
        for export in exports:
            plan = module.prepare(export, entry.reading.options)
            knows_resolving = knows_resolving or plan.knows_resolving
            if not entry.is_pull and (assumed := _assumed_zone(entry.reading, export, plan)):
                report.remarks.setdefault("zone", assumed)
            for chunk in export.chunks():
                rows_in += chunk.height
                progress(f"{entry.source}: {export.name}: {report.rows_in + rows_in:,} rows")
                rows = module.normalise(chunk, plan)
                if names:
                    rows = rows._replace(rejected=bundles.named(rows.rejected, names))
                written.result()
                written = writer.submit(store.put, con, entry.source, rows)
            rows_in += len(export.bad_rows)
            written.result()
            written = writer.submit(store.put, con, entry.source, _bad_rows(export))
        written.result()
    return rows_in, knows_resolving


def _assumed_zone(reading: Reading, export: Export, plan: sources.Plan) -> str | None:
    """Say that an export's stamps are read in UTC, if they name no zone and nobody named one."""
    example = None if reading.options.names_zone else stamps.without_zone(plan.formats)
    if example is None:
        return None
    source = reading.options.source
    how = f"`timezone = ...` under [sources.{source}]" if reading.is_configured else "--timezone ZONE"
    return f"{source}: {export.name}: stamps such as {example!r} name no zone and were read as UTC; say {how} if they are not"


def _exports(entry: Entry, file: Path, module: ModuleType) -> tuple[list[Export], list[str]]:
    """Open what an input holds; of a bundle give the names of its files, too, in the order of its lines."""
    if entry.is_pull:
        return open_streams(file.parent, getattr(module, "REFERENCES", ())), []
    how = sources.reading(entry.reading.kind, entry.reading.options)
    if entry.members:
        export, names = bundles.open_bundle(file, how.null_marks)
        return [export], names
    return open_exports(file, how), []


def _bad_rows(export: Export) -> Canonical:
    nothing = pl.DataFrame(schema={LINE: pl.Int64})
    empty = Verdicts(nothing, export.name, pl.Series(dtype=pl.String))
    rejected = pl.DataFrame(
        [
            {
                "file": export.name,
                "line": row.line,
                "reason": f"{export.name}: line {row.line} {row.reason}",
                "raw": row.text,
            }
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


def _record_source(
    con: duckdb.DuckDBPyConnection, entry: Entry, as_of: datetime | None, *, knows_resolving: bool
) -> None:
    """Keep what is known of the source; what depends on its inputs as a whole does not depend on their order."""
    before = store.row(con, "select as_of, knows_resolving from sources where source = ?", [entry.source])
    if before is not None and knows_resolving and not before[1]:
        # All its incidents are judged by this.
        con.execute(
            "insert into changed select source, incident_id from store.versions where source = ?", [entry.source]
        )
    store.record_source(
        con,
        {
            "source": entry.source,
            "kind": entry.reading.kind,
            "timezone": entry.reading.options.timezone or "UTC",
            "as_of": max((told for told in (as_of, before and before[0]) if told is not None), default=None),
            "is_sample": bool(entry.reading.settings.get("is_sample")),
            "knows_resolving": knows_resolving or bool(before and before[1]),
            "full_export": bool(entry.reading.settings.get("full_export")),
            "first_contact_hours": entry.reading.settings.get("first_contact_hours"),
            "max_rejected_share": entry.reading.settings.get("max_rejected_share"),
            "options": store.described(
                {**asdict(replace(entry.reading.options, map=None)), "mapped": entry.reading.options.map is not None}
            ),
        },
    )


def _finish(con: duckdb.DuckDBPyConnection, reports: Iterable[Report], memory: Memory = store.AMPLE) -> int:
    """Make the facts of what changed, record the run, and number the version."""
    catalog.run_facts(con, memory.incidents)
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
            "message": "\n".join(report.complaints) or None,
        }
        for report in reports
    ]
    store.append(con, "refresh_runs", pl.DataFrame(rows, schema=incident.schema(store.RUNS)))
    store.put_setting(con, "version", str(version))
    store.keep_news(con, version)
    for table in ("incidents", "incident_events"):
        found = store.row(con, f"select count(*) from {table}")
        store.put_setting(con, f"count:{table}", str(found[0] if found else 0))
    _keep_catalog(con)
    return version


def _keep_catalog(con: duckdb.DuckDBPyConnection) -> None:
    """Make macros, views and comments, unless this version of Meantime has made them."""
    made_by = store.catalog_fingerprint()
    if store.setting(con, "catalog") != made_by:
        comments = {**store.PUBLIC, **store.VIEWS}
        catalog.build(con, comments)
        store.put_setting(con, "catalog", made_by)


__all__ = [
    "Outcome",
    "PublishError",
    "RefreshError",
    "Report",
    "Stated",
    "StoreError",
    "load",
    "rebuild",
    "recover",
    "refresh",
]
