"""The command line `meantime`: the one place that may know both the pipeline and the dashboard."""

from __future__ import annotations

import csv
import gc
import http.client
import io
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, TypeVar

import click
import polars as pl

from etl import annotation, proposal, published, refresh, saved_view, sources
from etl import config as configuration
from etl.archive import ArchiveError
from etl.catalog import CatalogError
from etl.config import Config, ConfigError, Source
from etl.publish import PublishError
from etl.published import PublishedError
from etl.pull import MissingKeyError, Note, PullError
from etl.reading import ReadError, open_exports
from etl.refresh import Outcome, RefreshError
from etl.setting_up import Answers, add_section, keep_secrets
from etl.shaping import nearest
from etl.sources import SourceError
from etl.stamps import StampError
from etl.store import StoreError
from etl.trial import Look, Trial, in_words

PUBLISHED, FAILED, WRONG_USAGE, PARTLY = 0, 1, 2, 3
INTERRUPTED = 130
FAILURES = (
    ArchiveError,
    CatalogError,
    PublishError,
    PublishedError,
    PullError,
    ReadError,
    RefreshError,
    SourceError,
    StampError,
    StoreError,
)
FORMATS = ("table", "csv", "json")
WAIT_SECONDS = 600.0
TABLE_ROWS = 1000
ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "dashboard" / "serving.py"


@dataclass
class Settings:
    """What the options that every command takes say."""

    data: Path = Path("data")
    config: Path = Path("meantime.toml")
    log_format: str = "text"
    is_data_given: bool = False

    def say(self, level: str, message: str, **details: object) -> None:
        """Write a complaint, a warning or a note to stderr."""
        if self.log_format == "json":
            at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            line = {"at": at, "level": level, "message": message, **details}
            click.echo(json.dumps(line, ensure_ascii=False, default=str), err=True)
        else:
            click.echo(message if level == "info" else f"{level}: {message}", err=True)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Show what is being done: on a terminal in place, in JSON as lines, else a pull's pages as lines."""
        if self.log_format == "json":
            last = [""]

            def tell(message: str) -> None:
                # Row counts would be a line for each chunk.
                stage = message.partition(": ")[0] if message.endswith(" rows") else message
                if stage != last[0]:
                    last[0] = stage
                    self.say("info", message)

            yield tell
        elif sys.stderr.isatty():
            # Loaded here only: a job that nobody watches need not wait for it.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
            from rich.progress import Progress as ProgressBar

            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bars:
                task = bars.add_task("", total=None)

                def show(message: str) -> None:
                    if isinstance(message, Note) and message.stream is not None:
                        told, done, total = message.stream, message.done, message.total
                    else:
                        told, done, total = message, 0, None
                    bars.update(task, description=told.replace("[", r"\["), completed=done, total=total)

                yield show
        else:
            # What a pull tells: a line per page, and each wait.
            yield lambda message: self.say("info", message) if isinstance(message, Note) else None


Command = TypeVar("Command", bound=Callable[..., Any])


def _told(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(context: click.Context, _: click.Parameter, value: Any) -> Any:
        if value is not None:
            settings = context.ensure_object(Settings)
            setattr(settings, name, value)
            if name == "data":
                settings.is_data_given = True
        return value

    return keep


only_those = click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only these; the same column again is an alternative, another column must hold, too. COLUMN= means unknown.",
)


def everywhere(command: Command) -> Command:
    """Add the options that may stand before and after a command's name."""
    for option in (
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            callback=_told("log_format"),
            expose_value=False,
            help="How stderr is written: text for people, json for machines.",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            callback=_told("config"),
            expose_value=False,
            help="Configuration file [default: meantime.toml].",
        ),
        click.option(
            "--data",
            type=click.Path(path_type=Path),
            callback=_told("data"),
            expose_value=False,
            help="Data directory [default: data].",
        ),
    ):
        command = option(command)
    return command


def waiting(command: Command) -> Command:
    """Add the option that says how long to wait for another run."""
    return click.option(
        "--wait",
        type=click.FloatRange(min=0),
        default=WAIT_SECONDS,
        show_default=True,
        help="Seconds to wait for another run to finish.",
    )(command)


def _version() -> str:
    try:
        return installed_version("meantime")
    except PackageNotFoundError:
        return "of a checkout that is not installed"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), message="meantime %(version)s")
@everywhere
def cli() -> None:
    """Turn the incident exports of ITSM tools into KPIs: MTTR, MTTA, volume, first-contact resolution.

    Data goes to stdout, complaints to stderr. Exit codes: 0 published; 1 failed, the last published version is
    untouched; 2 wrong usage or configuration; 3 published, but a source failed or rejected more than its share.
    """


@cli.command()
@click.option("--no-serve", is_flag=True, help="Stop when the sample exports are loaded.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port of the dashboard.")
@waiting
@everywhere
@click.pass_obj
def demo(settings: Settings, *, no_serve: bool, port: int, wait: float) -> int:
    """Load the sample exports into a data directory of its own and serve the dashboard."""
    data = settings.data if settings.is_data_given else demo_folder()
    sample = configuration.read(sample_folder() / "meantime.toml")
    if not no_serve:
        _refuse_busy_port("localhost", port)
    with settings.progress() as progress:
        outcome = refresh.refresh(data, sample, wait_seconds=wait, progress=progress)
    code = _report(settings, data, outcome)
    return code if no_serve else serve_dashboard(settings, data, "localhost", port)


def sample_folder() -> Path:
    """Find the sample exports: in a checkout, or as package data."""
    for folder in (ROOT / "data" / "sample", Path(__file__).resolve().parent / "_sample"):
        if (folder / "meantime.toml").exists():
            return folder
    raise ConfigError("the sample exports are not part of this installation")


def demo_folder() -> Path:
    """Choose the demo's own data directory: in a checkout data/demo, else the user's cache."""
    if (ROOT / "pyproject.toml").exists():
        return ROOT / "data" / "demo"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "meantime" / "demo"


@cli.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option(
    "--as", "kind", required=True, metavar="KIND", help=f"Tool that it came from: {', '.join(sources.kinds())}."
)
@click.option("--name", help="Name of the source [default: KIND].")
@click.option(
    "--timezone", metavar="ZONE", help="Zone of stamps without an offset, such as Europe/Berlin [default: UTC]."
)
@click.option("--as-of", metavar="T", help="Instant of the export [default: its greatest stamp].")
@click.option("--map", "map_file", type=click.Path(path_type=Path), help="Mapping file of kind table.")
@click.option("--date-format", help="day_first, month_first, iso, or a pattern such as %d.%m.%y.")
@click.option("--delimiter", help="Character between the columns.")
@click.option("--encoding", help="Encoding of a text file, such as cp1252.")
@waiting
@everywhere
@click.pass_obj
def load(
    settings: Settings,
    *,
    files: tuple[Path, ...],
    kind: str,
    name: str | None,
    timezone: str | None,
    as_of: str | None,
    map_file: Path | None,
    date_format: str | None,
    delimiter: str | None,
    encoding: str | None,
    wait: float,
) -> int:
    """Load exports straight into the warehouse; what a configuration says of a source of that name holds, too."""
    section: dict[str, Any] = {
        "kind": kind,
        "files": [str(file) for file in files],
        "timezone": timezone,
        "as_of": as_of,
        "date_format": date_format,
        "delimiter": delimiter,
        "encoding": encoding,
        "map": str(map_file.resolve()) if map_file is not None else None,
    }
    given = {key: value for key, value in section.items() if value is not None}
    source = configuration.source(name or kind, given, Path(), "the command line:")
    for file in files:
        if not file.exists():
            raise ConfigError(f"{file}: there is no such file")
    config = _config(settings, required=False)
    source = _as_configured(source, config.sources.get(source.name), given)
    if kind == "table" and source.options.map is None:
        return _propose(settings, files[0], source)
    with settings.progress() as progress:
        outcome = refresh.load(settings.data, source, files, config=config, wait_seconds=wait, progress=progress)
    return _report(settings, settings.data, outcome)


def _as_configured(source: Source, known: Source | None, given: Mapping[str, Any]) -> Source:
    """Read a file by hand as its source's section of the configuration says, but for what the command line says.

    No file that is loaded by hand is taken for all that its source has.
    """
    if known is None or known.kind != source.kind:
        return source
    told = {key: getattr(source.options, key) for key in ("timezone", "date_format", "delimiter", "encoding", "map")}
    return replace(
        known,
        files=source.files,
        folder=source.folder,
        as_of=source.as_of or known.as_of,
        full_export=False,
        access=None,
        options=replace(known.options, **{key: value for key, value in told.items() if key in given}),
    )


def _propose(settings: Settings, file: Path, source: Source) -> int:
    """Print a mapping file for the person to check; nothing is loaded."""
    reading = sources.reading(source.kind, source.options)
    try:
        exports = open_exports(file, reading)
    except ReadError as error:
        if "more than once" not in str(error):
            raise
        exports = open_exports(file, replace(reading, repeated_columns="list"))
        click.echo('repeated_columns = "list"')
    click.echo(proposal.propose(exports[0]))
    settings.say(
        "info",
        "nothing was loaded: kind 'table' needs a mapping file. This is a proposal: check every line, save it, and run "
        f"`meantime load {file} --as table --map map.toml`",
    )
    return WRONG_USAGE


@cli.command(name="refresh")
@click.option("--source", "names", multiple=True, metavar="NAME", help="Only this source; may be repeated.")
@click.option("--full", is_flag=True, help="Read every archived input again, too.")
@waiting
@everywhere
@click.pass_obj
def refresh_command(settings: Settings, *, names: tuple[str, ...], full: bool, wait: float) -> int:
    """Take in what is new of every configured source, and publish once."""
    config = _config(settings)
    with settings.progress() as progress:
        outcome = refresh.refresh(settings.data, config, names, full=full, wait_seconds=wait, progress=progress)
    return _report(settings, settings.data, outcome)


@cli.command()
@waiting
@everywhere
@click.pass_obj
def rebuild(settings: Settings, *, wait: float) -> int:
    """Make the warehouse anew from the raw archive."""
    config = _config(settings, required=False)
    with settings.progress() as progress:
        outcome = refresh.rebuild(settings.data, config, wait_seconds=wait, progress=progress)
    return _report(settings, settings.data, outcome)


def _config(settings: Settings, *, required: bool = True) -> Config:
    if not required and not settings.config.exists() and settings.config == Settings.config:
        return Config()
    return configuration.read(settings.config)


def _report(settings: Settings, data: Path, outcome: Outcome) -> int:
    """Say what a run did: complaints first, on stderr; then what got in."""
    for report in outcome.reports:
        level = "error" if report.outcome == "failed" else "warning"
        for message in report.complaints:
            settings.say(level, message, source=report.source)
        for remark in report.remarks.values():
            settings.say("warning", remark, source=report.source)
    if settings.log_format == "json":
        told = {
            "event": "published",
            "version": outcome.version,
            "exit_code": outcome.exit_code,
            "sources": [
                {
                    "source": report.source,
                    "outcome": report.outcome,
                    "rows_in": report.rows_in,
                    "rows_good": report.rows_good,
                    "rows_rejected": report.rows_rejected,
                    "issues": report.issues,
                }
                for report in outcome.reports
            ],
        }
        click.echo(json.dumps(told, ensure_ascii=False))
        return outcome.exit_code
    for report in outcome.reports:
        what = f"{report.rows_in:,} rows, {report.rows_good:,} good, {report.rows_rejected:,} rejected"
        click.echo(f"{report.source}: {report.outcome}" + (f", {what}" if report.outcome == "loaded" else ""))
    click.echo(f"published version {outcome.version}: {data / 'incidents.duckdb'}")
    return outcome.exit_code


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port of the dashboard.")
@click.option("--address", default="localhost", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--base-path", default="", metavar="PATH", help="Path that the dashboard has behind a reverse proxy, such as /kpi."
)
@everywhere
@click.pass_obj
def serve(settings: Settings, *, port: int, address: str, base_path: str) -> int:
    """Serve the dashboard."""
    path = base_path.strip("/")
    if not re.fullmatch(r"([\w~-][\w.~-]*(/[\w~-][\w.~-]*)*)?", path, re.ASCII):
        raise ConfigError(f"--base-path is {base_path!r}; write it like /kpi, of letters, digits and any of . _ ~ -")
    config = _config(settings, required=False)
    _refuse_unreadable(settings, config)
    _refuse_busy_port(address, port)
    return serve_dashboard(settings, settings.data, address, port, path, config)


def _refuse_unreadable(settings: Settings, config: Config) -> None:
    """Refuse a brand whose colour not everybody can read."""
    if not config.brand.colours:
        return
    from dashboard import branding  # the pipeline's commands do not need the dashboard

    faults = branding.faults(config.brand.colours)
    if faults:
        raise ConfigError("\n".join(f"{settings.config}: [brand] {fault}" for fault in faults))


def _refuse_busy_port(address: str, port: int) -> None:
    try:
        with socket.create_server((address, port), reuse_port=False):
            return
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(f"port {port} of {address} cannot be used ({said}); name another with --port") from error


def serve_dashboard(
    settings: Settings, data: Path, address: str, port: int, base_path: str = "", config: Config = Config()
) -> int:
    """Run the dashboard until it is told to stop; signals are passed on to it."""
    themed = next((folder for folder in (ROOT, SERVER.parent) if (folder / ".streamlit").is_dir()), ROOT)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    served = {
        "data": str(data.resolve()),
        "address": address,
        "port": port,
        "base_path": base_path,
        "locale": config.locale,
        "name": config.brand.name,
        "logo": str(config.brand.logo) if config.brand.logo else None,
        "colours": config.brand.colours,
        "most_hours": {name: one.max_age_hours for name, one in config.sources.items() if one.max_age_hours},
        "log_format": settings.log_format,
    }
    child = subprocess.Popen(
        # -P: where it runs is no place to import from; one of the modules there might be named as one of Python's own.
        [sys.executable, "-P", "-m", "dashboard.serving"],
        # Every reader is a thread of his own, and glibc would keep for each what it once needed.
        env={
            "MALLOC_ARENA_MAX": "2",
            **os.environ,
            "MEANTIME_SERVING": json.dumps(served),
            "PYTHONPATH": os.pathsep.join(paths),
        },
        cwd=themed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    told_to_stop = []

    def stop(number: int, _: object) -> None:
        told_to_stop.append(number)
        child.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    root = f"/{base_path}" if base_path else ""
    if _answers(child, "localhost" if address in ("0.0.0.0", "::") else address, port, root):  # noqa: S104
        shown = "localhost" if address == "0.0.0.0" else address  # noqa: S104
        click.echo(f"the dashboard is at http://{shown}:{port}{root and root + '/'}")
        sys.stdout.flush()
    code = child.wait()
    if told_to_stop:
        return PUBLISHED
    settings.say("error", f"the dashboard stopped by itself (exit code {code})")
    return FAILED


def _answers(child: subprocess.Popen[bytes], address: str, port: int, root: str, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and child.poll() is None:
        connection = http.client.HTTPConnection(address, port, timeout=2)
        try:
            connection.request("GET", f"{root}/_stcore/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    return False


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@everywhere
@click.pass_obj
def status(settings: Settings, *, as_json: bool) -> None:
    """Tell what is published, and each source's last run."""
    found = published.status(settings.data)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    click.echo(f"version {found['version']}, published {_ago(found['age_seconds'])} ago ({found['published_at']})")
    click.echo(f"{found['file']}")
    click.echo(f"reporting zone {found['timezone']}")
    columns = ["source", "kind", "as_of", "last_run", "outcome", "newest_incident", "incidents"]
    columns += ["rows_in", "rows_good", "rows_rejected", "issues"]
    click.echo("")
    _write_rows(columns, [[row[column] for column in columns] for row in found["sources"]], "table")
    for row in found["sources"]:
        if row["message"]:
            settings.say("warning", row["message"], source=row["source"])


def _ago(seconds: int) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word}"
    return f"{seconds} seconds"


DAY = click.DateTime(["%Y-%m-%d"])


@cli.command()
@click.argument("name")
@click.option("--by", multiple=True, metavar="COLUMN", help="Group by this column; may be repeated.")
@click.option("--grain", metavar="GRAIN", help="One row per day, week, month, quarter or year.")
@click.option("--since", type=DAY, metavar="D", help="First day, in the reporting zone.")
@click.option("--until", type=DAY, metavar="D", help="Last day, included.")
@only_those
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@everywhere
@click.pass_obj
def kpi(
    settings: Settings,
    *,
    name: str,
    by: tuple[str, ...],
    grain: str | None,
    since: datetime | None,
    until: datetime | None,
    conditions: tuple[str, ...],
    format_: str,
) -> int | None:
    """Print a KPI: its value, n and the limits of its 95 % interval, by columns and periods."""
    from dashboard import query  # the pipeline's commands do not need the dashboard

    try:
        warehouse = query.open_data(settings.data)
        scope = query.Scope(since.date() if since else None, until.date() if until else None, _alternatives(conditions))
        if since and until and since > until:
            raise ConfigError(f"--since {since:%Y-%m-%d} lies after --until {until:%Y-%m-%d}")
        frame = query.values(warehouse, [name], scope, list(dict.fromkeys(by)), grain).drop("kpi")
        asked = query.kpi(warehouse, name)
        for message in query.unmatched(warehouse, scope):
            settings.say("warning", message)
    except query.QueryError as error:
        settings.say("error", str(error))
        return WRONG_USAGE
    except query.NoWarehouse as error:
        settings.say("error", str(error))
        return FAILED
    if asked.is_count:
        frame = frame.with_columns(frame["value"].cast(pl.Int64))
    header = frame.columns
    if format_ == "table":
        header = [f"{column} ({asked.unit})" if column in ("value", "low", "high") else column for column in header]
    _write_rows(header, frame.rows(), format_)
    return None


def _alternatives(conditions: Sequence[str], option: str = "--where") -> tuple[tuple[str, tuple[str | None, ...]], ...]:
    found: dict[str, list[str | None]] = {}
    for condition in conditions:
        column, sign, value = condition.partition("=")
        if not sign or not column:
            raise ConfigError(f"{option} {condition!r} must be written COLUMN=VALUE")
        found.setdefault(column, []).append(value or None)
    return tuple((column, tuple(values)) for column, values in found.items())


@cli.command()
@click.option("--page", metavar="NAME", default="overview", show_default=True, help="Page of the dashboard.")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path), help="Ends in .pdf, .html or .xlsx.")
@click.option("--since", type=DAY, metavar="D", help="First day, in the reporting zone.")
@click.option("--until", type=DAY, metavar="D", help="Last day, included.")
@click.option("--grain", metavar="GRAIN", help="By day, week, month, quarter or year.")
@only_those
@click.option(
    "--with", "others", multiple=True, metavar="NAME=VALUE", help="Anything else that the page's URL may say."
)
@everywhere
@click.pass_obj
def report(
    settings: Settings,
    *,
    page: str,
    file: Path,
    since: datetime | None,
    until: datetime | None,
    grain: str | None,
    conditions: tuple[str, ...],
    others: tuple[str, ...],
) -> int | None:
    """Write a page of the dashboard as PDF, as one HTML file or as a workbook."""
    from dashboard import query, rendering  # the pipeline's commands do not need the dashboard
    from dashboard import report as reports

    try:
        if page not in reports.pages():
            raise ConfigError(
                f"page '{page}' is not one of {', '.join(reports.pages())}{nearest(page, reports.pages())}"
            )
        reports.maker_of(file)
        config = _config(settings, required=False)
        _refuse_unreadable(settings, config)
        if config.locale:
            os.environ["MEANTIME_LOCALE"] = config.locale
        reports.wear(config.brand.name, config.brand.colours)
        warehouse = query.open_data(settings.data)
        days = (since.date() if since else None, until.date() if until else None)
        url = reports.choice(warehouse, *days, grain, _alternatives(conditions))
        for name, values in _alternatives(others, "--with"):
            url[name] = [value or "" for value in values]
        reports.write(settings.data, page, url, file)
    except reports.UsageError as error:
        settings.say("error", str(error))
        return WRONG_USAGE
    except (reports.ReportError, rendering.RenderingError, query.NoWarehouse) as error:
        settings.say("error", str(error))
        return FAILED
    click.echo(f"{file}")
    return None


@cli.command()
@click.option("--source", metavar="NAME", help="Only of this source.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=TABLE_ROWS, show_default=True, help="At most so many rows."
)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@everywhere
@click.pass_obj
def rejects(settings: Settings, *, source: str | None, limit: int, format_: str) -> int | None:
    """Print the rows that did not get in, and why."""
    from dashboard import query  # the pipeline's commands do not need the dashboard

    try:
        warehouse = query.open_data(settings.data)
    except query.NoWarehouse as error:
        settings.say("error", str(error))
        return FAILED
    known = warehouse.sources["source"].to_list()
    if source is not None and source not in known:
        raise ConfigError(f"source '{source}' is not one of {', '.join(known)}")
    frame = query.rejects(warehouse, source, limit + 1)
    if frame.height > limit:
        settings.say("info", f"there are more than {limit:,} rows; --limit shows more")
        frame = frame.head(limit)
    if format_ == "table":
        # A line is a place, not an amount: without a separator, as an editor takes it.
        frame = frame.select("source", "file", frame["line"].cast(str), "incident_id", "reason")
    _write_rows(frame.columns, frame.rows(), format_)
    return None


@cli.command()
@click.option("--name", help="Name of the source [default: its tool's].")
@everywhere
@click.pass_obj
def init(settings: Settings, *, name: str | None) -> int:
    """Ask for a tool, its address and a token, try them, and write configuration and secret.

    Answers are read from the terminal, or line by line from stdin. A token is never an option: others could see it.
    """
    file = settings.config
    known = configuration.read(file) if file.exists() else None
    tools = sources.kinds_that_pull()
    kind = _answer(f"Tool ({', '.join(tools)})")
    if kind not in tools:
        raise ConfigError(
            f"'{kind}' is not one of {', '.join(tools)}{nearest(kind, tools)}; exports are read without any of this: "
            "`meantime load FILE --as KIND`"
        )
    answers = Answers(name or _answer(f"Name of the source ({kind})", kind), kind)
    if known is not None and answers.name in known.sources:
        raise ConfigError(f"{file} has a source '{answers.name}' already; choose another name with --name")
    answers.values["url"] = _answer("Address, such as https://desk.example.com")
    configuration.source(answers.name, answers.section(file.parent), file.parent, f"[sources.{answers.name}]")
    if user := _answer("User name or e-mail address, if the tool wants one (empty: none)", ""):
        answers.values["user"] = user
    for key in ("token", *(("password",) if user else ())):
        if secret := _secret_answer(f"{key.capitalize()} (is not shown; empty: none)"):
            answers.secrets[key] = secret
            break
    zone = None if known is not None else _answer("Reporting zone, which cuts days and weeks", "UTC")
    trial = Trial(configuration.parse({"timezone": zone} if zone else {}, file))
    with tempfile.TemporaryDirectory() as folder:
        while True:
            where = Path(folder) / str(len(answers.secrets) + len(answers.values))
            where.mkdir()
            keep_secrets(answers, where)
            source = configuration.source(answers.name, answers.section(where), where, f"[sources.{answers.name}]")
            try:
                with settings.progress() as progress:
                    said = trial.tool(source, progress)
                break
            except MissingKeyError as error:
                if error.key in (*answers.values, *answers.secrets):
                    raise
                if error.key in configuration.SECRET_KEYS:
                    answers.secrets[error.key] = _secret_answer(f"{error.key} (is not shown)")
                else:
                    answers.values[error.key] = _answer(error.key)
    click.echo(f"{answers.name}: {source.access.url if source.access else ''}: reachable; it answers {said}")
    trial.understand()
    look = trial.looks[answers.name]
    _show_look(trial, answers.name, look)
    trial.close()
    files = keep_secrets(answers, file.parent)
    try:
        add_section(file, answers, zone, [one.reason for one in look.unmapped])
    except ConfigError:
        for secret_file in files:
            secret_file.unlink()
        raise
    click.echo(f"written: {', '.join(map(str, (file, *files)))}")
    click.echo(
        "next: `meantime refresh` pulls everything" + (", but see what is rejected above" if look.unmapped else "")
    )
    return PUBLISHED


def _answer(question: str, default: str | None = None) -> str:
    """Ask on the terminal, or take the next line of stdin; data stays on stdout, questions are on stderr."""
    if sys.stdin.isatty():
        return str(click.prompt(question, default=default, err=True)).strip()
    line = sys.stdin.readline()
    if not line.strip() and default is None:
        raise ConfigError(f"'{question}' was not answered: stdin has no line for it")
    return line.strip() or str(default)


def _secret_answer(question: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(question, default="", hide_input=True, show_default=False, err=True)).strip()
    return sys.stdin.readline().strip()


@cli.command()
@everywhere
@click.pass_obj
def check(settings: Settings) -> int:
    """Check the configuration and each source, and show three incidents as they would be understood; change nothing."""
    config = _config(settings)
    if not config.sources:
        raise ConfigError(f"{settings.config}: no source is configured; add a [sources.NAME] section")
    _refuse_unreadable(settings, config)
    trial = Trial(config)
    code = PUBLISHED
    try:
        for source in config.sources.values():
            try:
                for line in _looked_at(trial, source):
                    click.echo(line)
            except (*refresh.INPUT_ERRORS, OSError) as error:
                settings.say("error", str(error), source=source.name)
                code = FAILED
        trial.understand()
        for name, look in trial.looks.items():
            _show_look(trial, name, look)
        for source_name, complaint in trial.strange_fields():
            # An export's columns are known; a tool may leave out what is empty.
            is_certain = config.sources[source_name].access is None
            settings.say("error" if is_certain else "warning", complaint, source=source_name)
            code = FAILED if is_certain else code
        _show_links(settings, trial)
    finally:
        trial.close()
    for line in _detected(settings, config):
        click.echo(line)
    for line in _unmatched(settings, config):
        settings.say("warning", line)
    return code


def _detected(settings: Settings, config: Config) -> Iterator[str]:
    """Say of each target what it asks and what it can detect, from what is published."""
    if not config.targets:
        return
    from dashboard import aims, query, targets, view, words

    try:
        warehouse = query.open_data(settings.data)
    except query.NoWarehouse:
        yield f"targets: cannot say what {'it' if len(config.targets) == 1 else 'they'} can detect: nothing is published yet"
        return
    for one in config.targets:
        kpi = query.kpi(warehouse, one.kpi)
        part = tuple((column, tuple(map(str, values))) for column, values in one.part.items())
        target = targets.Target(one.kpi, one.value, one.is_most, one.since, one.until, part)
        kind = view.KINDS[kpi.unit]
        said = aims.detects(target, targets.ground(warehouse, target), kind)
        yield f"target: {aims.name(target, kpi, kind)} {said}".replace(words.GAP, " ")


def _unmatched(settings: Settings, config: Config) -> Iterator[str]:
    """Name what known changes and saved views ask for and no published incident has: there would be nothing to see."""
    if not config.annotations and not config.views:
        return
    from dashboard import control, query

    try:
        warehouse = query.open_data(settings.data)
    except query.NoWarehouse:
        return
    for one in config.annotations or ():
        for column, members in zip(annotation.SLICE, one[3:], strict=True):
            for member, near in control.strangers(warehouse, column, [str(value) for value in members]).items():
                said = f"[[annotations]] of {one.annotated_on} '{one.text}': no incident has {column} '{member}'"
                yield f"{said}; did you mean '{near}'?" if near else said
    for view in config.views or ():
        for key, parts in saved_view.members(view).items():
            for line in query.unmatched(warehouse, query.Scope(where=parts)):
                yield f"[views.{view.name}] {key}: {line}"


def _looked_at(trial: Trial, source: Source) -> Iterator[str]:
    for file in source.paths():
        for export, rows, reasons in trial.file(source, file):
            said = f"{source.name}: {export.name}: readable, {len(export.columns)} columns"
            if reasons:
                said += f"; {len(reasons)} of the first {rows} rows would be rejected: {reasons[0]}"
            yield said
    if source.access is not None:
        yield f"{source.name}: {source.access.url}: reachable; it answers {trial.tool(source)}"


def _show_look(trial: Trial, name: str, look: Look) -> None:
    """Print a few incidents of a source as they would be understood, and every value that no map knows."""
    incidents = trial.incidents(name)
    if incidents:
        click.echo(f"{name}: {len(incidents)} of {look.incidents:,} incidents, as they would be understood:")
    else:
        click.echo(f"{name}: no incident to show")
    for row in incidents:
        click.echo(in_words(row))
    for one in look.unmapped:
        where = f"{one.field} {one.value!r}: " if one.field is not None else ""
        click.echo(f"{name}: rejected, {one.rows} of {look.rows:,} rows: {where}{one.reason}")


def _show_links(settings: Settings, trial: Trial) -> None:
    for one in trial.links():
        said = f"[[links]] {one.rule}: {one.links} {one.verdict} among the incidents looked at ({one.example})"
        settings.say("warning" if one.verdict == "ambiguous" else "info", said)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@everywhere
@click.pass_obj
def checkout(settings: Settings, *, file: Path) -> None:
    """Copy the warehouse to FILE, to write to."""
    published.checkout(settings.data, file)
    click.echo(f"{file}")


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(published.FORMATS), default="parquet", show_default=True)
@everywhere
@click.pass_obj
def export(settings: Settings, *, folder: Path, format_: str) -> None:
    """Write incidents, events and KPI tables, with the intervals of each KPI by month, to DIR for other tools."""
    from dashboard import exported  # the pipeline's commands do not need the dashboard

    for file in published.export(settings.data, folder, format_):
        click.echo(f"{file}")
    click.echo(f"{exported.write(settings.data, folder, format_)}")


def _write_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], format_: str) -> None:
    """Print rows on stdout."""
    if format_ == "json":
        records = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
        click.echo(json.dumps(records, ensure_ascii=False))
        return
    if format_ == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_plain(value) for value in row] for row in rows)
        click.echo(text.getvalue(), nl=False)
        return
    shown = [list(columns), *([_shown(value) for value in row] for row in rows)]
    widths = [max(len(row[place]) for row in shown) for place in range(len(columns))]
    numeric = [
        all(isinstance(row[place], (int, float)) or row[place] is None for row in rows) and bool(rows)
        for place in range(len(columns))
    ]
    for row in shown:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(_plain(value)).replace("\n", " ")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give the exit code. No error leaves this function as a traceback."""
    settings = Settings()
    try:
        code = cli.main(
            args=list(arguments) if arguments is not None else None,
            prog_name="meantime",
            standalone_mode=False,
            obj=settings,
        )
        sys.stdout.flush()
    except click.ClickException as error:
        # What is misspelt may have kept click from coming to the option.
        given = sys.argv[1:] if arguments is None else list(arguments)
        if "--log-format=json" in given or ("--log-format", "json") in itertools.pairwise(given):
            settings.log_format = "json"
        if settings.log_format == "json":
            settings.say("error", error.format_message())
        else:
            error.show()
        return WRONG_USAGE
    except (click.Abort, KeyboardInterrupt):
        settings.say("error", "interrupted; the last published version is untouched")
        return INTERRUPTED
    except ConfigError as error:
        settings.say("error", str(error))
        return WRONG_USAGE
    except FAILURES as error:
        settings.say("error", str(error))
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PUBLISHED
    except Exception as error:
        settings.say("error", f"unexpected {type(error).__name__}; details are in {_write_details(settings.data)}")
        return FAILED
    return code if isinstance(code, int) else PUBLISHED


def _write_details(data: Path) -> str:
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, meantime {_version()}\n{traceback.format_exc()}\n"
    for folder in (data / "store", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "meantime-error.log").open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return str(folder / "meantime-error.log")
    return "no file, since none could be written"


def main() -> None:
    """Run the command line of this process."""
    # Records of a tool are many small dictionaries without circles: looking for these took a tenth of a pull.
    gc.set_threshold(100_000, 50, 50)
    sys.exit(run())
