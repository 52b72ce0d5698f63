"""Publication: a copy of the store under a new name, checked, and then one swing of a link. Nobody sees half of it."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from etl import catalog

LINK = "incidents.duckdb"
KEPT_VERSIONS = 3


class PublishError(Exception):
    """The new version could not be published; the last one stays."""


def file(data: Path) -> Path | None:
    """Give the file of the published version: what the link points at now; None if nothing is published."""
    link = data / LINK
    return link.resolve() if link.exists() else None


def cause(error: BaseException) -> str:
    """Say in one line why a file could not be written."""
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or b"").decode(errors="replace").strip()
        return said or (f"the copy was stopped by signal {-error.returncode}" if error.returncode < 0 else str(error))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def published(data: Path) -> int | None:
    """Give the number of the published version; None if there is none."""
    target = file(data)
    return _number(target) if target is not None else None


def highest(data: Path) -> int:
    """Give the greatest number that any version ever published here has; 0 if there is none."""
    return max((_number(path) for path in data.glob("versions/incidents-*.duckdb")), default=0)


def _number(path: Path) -> int:
    found = re.fullmatch(r"incidents-(\d+)\.duckdb", path.name)
    return int(found[1]) if found else 0


def publish(data: Path, store: Path, version: int) -> Path:
    """Publish the closed store as a version.

    Raises:
        PublishError: it cannot be copied, or the copy does not hold what it must.
    """
    versions = data / "versions"
    target = versions / f"incidents-{version}.duckdb"
    pending = versions / f"incidents-{version}.duckdb.new"
    try:
        versions.mkdir(parents=True, exist_ok=True)
        pending.unlink(missing_ok=True)
        # A child process copies: closing any descriptor of the store's file here would drop DuckDB's lock on it.
        subprocess.run(
            ["cp", "--reflink=auto", str(store), str(pending)],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="syncing") as disk:
            synced = disk.submit(sync, pending)
            check(pending, version)
            synced.result()
        pending.chmod(0o444)
        pending.rename(target)
        sync(versions)
        swing(data, target)
    except (OSError, subprocess.CalledProcessError, duckdb.Error) as error:
        raise PublishError(f"version {version} could not be published: {cause(error)}; the last one stays") from error
    finally:
        pending.unlink(missing_ok=True)
    _forget_old(versions, target)
    return target


def swing(data: Path, target: Path) -> None:
    """Point the link at a version, in one step."""
    pending = data / f".{LINK}.new"
    pending.unlink(missing_ok=True)
    pending.symlink_to(Path("versions") / target.name)
    pending.replace(data / LINK)
    sync(data)


def check(file: Path, version: int) -> None:
    """Open a copy as a reader would: its number, its counts, and that every KPI binds.

    Raises:
        PublishError: it holds something else than it must.
    """
    con = duckdb.connect(file, read_only=True)
    try:
        found = con.execute("select value from store.settings where name = 'version'").fetchall()
        if found != [(str(version),)]:
            raise PublishError(f"the copy is of version {found[0][0] if found else 'none'}, not {version}")
        counted = con.execute(
            "select name, value, case name"
            " when 'count:incidents' then (select count(*) from incidents)"
            " when 'count:incident_events' then (select count(*) from incident_events)"
            " end from store.settings where name like 'count:%'"
        ).fetchall()
        for name, expected, actual in counted:
            if int(expected) != actual:
                raise PublishError(f"the copy has {actual} {name.partition(':')[2]}, the store {expected}")
        catalog.bind(con)
    finally:
        con.close()


def recover(data: Path) -> None:
    """Remove what a killed run left in the published folder."""
    for leftover in [*data.glob("versions/*.new"), *data.glob("versions/*.wal"), data / f".{LINK}.new"]:
        leftover.unlink(missing_ok=True)


def _forget_old(versions: Path, newest: Path) -> None:
    """Remove all but the last few; who has an old one open keeps it."""
    files = sorted(versions.glob("incidents-*.duckdb"), key=_number)
    for path in files[:-KEPT_VERSIONS]:
        if path != newest:
            path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
