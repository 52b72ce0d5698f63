"""What the command line asks of the published file itself: how it stands, a private copy, an export for other tools."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from etl import publish

FORMATS = ("parquet", "csv")
EXPORTED = (
    "main.incidents",
    "main.incident_events",
    "main.incident_segments",
    "main.incident_links",
    "main.data_issues",
    "main.rejected_rows",
    "main.refresh_runs",
    "main.sources",
    "kpi.catalog",
    "kpi.daily",
    "kpi.monthly",
)
STATUS = Path(__file__).parent / "status.sql"


class PublishedError(Exception):
    """The published file is not there, or what was asked of it cannot be done."""


def open_published(data: Path) -> tuple[Path, duckdb.DuckDBPyConnection]:
    """Open the published version for reading.

    Raises:
        PublishedError: nothing is published, or it cannot be opened.
    """
    file = publish.file(data)
    if file is None:
        raise PublishedError(f"{data} holds no published warehouse yet; run `meantime load FILE --as servicenow` first")
    try:
        return file, duckdb.connect(file, read_only=True)
    except duckdb.Error as error:
        raise PublishedError(f"{file} cannot be opened: {str(error).splitlines()[0]}") from error


def status(data: Path) -> dict[str, Any]:
    """Tell which version is published, how old it is, and each source's last run. Stamps are UTC text."""
    file, con = open_published(data)
    try:
        settings = dict(con.execute("select name, value from store.settings").fetchall())
        cursor = con.execute(STATUS.read_text(encoding="utf-8"))
        columns = [column[0] for column in cursor.description or ()]
        sources = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise PublishedError(f"{file} is of another Meantime; run `meantime rebuild`") from error
    finally:
        con.close()
    published_at = datetime.fromtimestamp(file.stat().st_mtime, UTC).replace(microsecond=0)
    return {
        "version": int(settings["version"]),
        "file": str(file),
        "published_at": _text(published_at),
        "age_seconds": max(0, round((datetime.now(UTC) - published_at).total_seconds())),
        "timezone": settings["reporting_timezone"],
        "sources": [{name: _text(value) for name, value in row.items()} for row in sources],
    }


def _text(value: object) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return value


def checkout(data: Path, target: Path) -> None:
    """Copy the published version to a file that its owner may write.

    Raises:
        PublishedError: nothing is published, or the file exists or cannot be written.
    """
    file, con = open_published(data)
    con.close()
    if target.is_dir():
        raise PublishedError(f"{target} is a folder; name the file to write in it")
    if target.exists():
        raise PublishedError(f"{target} exists; name another file, or remove it first")
    if not target.parent.is_dir():
        raise PublishedError(f"{target} cannot be written: there is no folder {target.parent}")
    pending = target.with_name(f".{target.name}.new")
    try:
        subprocess.run(
            ["cp", "--reflink=auto", "--no-preserve=mode", "--", str(file), str(pending)],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        pending.rename(target)
    except (OSError, subprocess.CalledProcessError) as error:
        pending.unlink(missing_ok=True)
        raise PublishedError(f"{target} cannot be written: {publish.cause(error)}") from error


def export(data: Path, folder: Path, format_: str) -> list[Path]:
    """Write the public tables and KPI views as files, and `about.json` with what one must know to read them.

    Raises:
        PublishedError: nothing is published, or the folder cannot be written.
    """
    _, con = open_published(data)
    if folder.exists() and not folder.is_dir():
        con.close()
        raise PublishedError(f"{folder} is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        settings = dict(con.execute("select name, value from store.settings").fetchall())
        about = {
            "reporting_timezone": settings["reporting_timezone"],
            "instants": "UTC",
            "version": int(settings["version"]),
            "as_of": {
                source: _text(as_of)
                for source, as_of in con.execute("select source, as_of from sources order by source").fetchall()
            },
        }
        written = [_write(con, folder, table, format_, about) for table in EXPORTED]
        target = folder / "about.json"
        target.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        return [*written, target]
    except (OSError, duckdb.Error) as error:
        raise PublishedError(f"{folder} cannot be written: {str(error).splitlines()[0]}") from error
    finally:
        con.close()


def _write(con: duckdb.DuckDBPyConnection, folder: Path, table: str, format_: str, about: dict[str, Any]) -> Path:
    schema, _, name = table.partition(".")
    target = folder / f"{name if schema == 'main' else f'{schema}_{name}'}.{format_}"
    pending = target.with_name(f".{target.name}.new")
    if format_ == "csv":
        how = "format csv, header"
    else:
        zone, version = _quoted(about["reporting_timezone"]), about["version"]
        how = f"format parquet, compression zstd, kv_metadata {{reporting_timezone: {zone}, version: '{version}'}}"
    con.execute(f"copy {table} to {_quoted(str(pending))} ({how})")
    return pending.replace(target)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
