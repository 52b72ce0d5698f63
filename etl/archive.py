"""The raw archive `data/raw`: every export as it came, with what is needed to read it again. Nothing in it changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etl.sources import Options

MANIFEST = "manifest.json"


class ArchiveError(Exception):
    """The archive cannot be written or an entry of it cannot be read."""


@dataclass(frozen=True)
class Entry:
    """One archived input."""

    input_id: str
    """Hash of the content and the options: the same file read in the same way has the same id."""
    source: str
    kind: str
    options: Options
    file: Path
    fetched_at: datetime
    as_of: datetime | None
    settings: dict[str, Any]
    """What the source's section said beside the options: full_export, first_contact_hours and so on."""


def keep(
    raw: Path,
    file: Path,
    kind: str,
    options: Options,
    *,
    as_of: datetime | None = None,
    settings: dict[str, Any] | None = None,
) -> tuple[Entry, bool]:
    """Archive a file; give its entry and whether it is new.

    Raises:
        ArchiveError: it cannot be written.
    """
    settings = settings or {}
    said = json.dumps(
        {
            "kind": kind,
            "options": asdict(options),
            "as_of": as_of.isoformat() if as_of else None,
            "full_export": bool(settings.get("full_export")),
        },
        sort_keys=True,
        default=str,
    )
    digest = _digest(file)
    input_id = hashlib.sha256(f"{digest}\n{file.name}\n{said}".encode()).hexdigest()[:20]
    folder = raw / options.source / input_id
    if (folder / MANIFEST).exists():
        return _read(folder), False
    fetched_at = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    manifest = {
        "input_id": input_id,
        "source": options.source,
        "kind": kind,
        "file": file.name,
        "sha256": digest,
        "bytes": file.stat().st_size,
        "fetched_at": fetched_at.isoformat(),
        "as_of": as_of.isoformat() if as_of else None,
        "options": asdict(options),
        "settings": settings,
    }
    try:
        _write(folder, file, manifest)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ArchiveError(f"{file.name} cannot be archived in {raw}: {_cause(error)}") from error
    return _read(folder), True


def _cause(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr or b"").decode(errors="replace").strip() or str(error)
    return str(error)


def _write(folder: Path, file: Path, manifest: dict[str, Any]) -> None:
    """The manifest is written last and by rename: an entry without one is a leftover."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    subprocess.run(
        ["cp", "--reflink=auto", "--remove-destination", str(file.resolve()), str(target)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    target.chmod(0o444)
    pending = folder / f"{MANIFEST}.new"
    pending.write_text(json.dumps(manifest, indent=2, ensure_ascii=False, default=str), encoding="utf-8")
    for path in (target, pending):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    pending.rename(folder / MANIFEST)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def entries(raw: Path) -> Iterator[Entry]:
    """Yield what the archive holds, oldest first; an entry that a killed run left unfinished is not among them."""
    found = [_read(manifest.parent) for manifest in raw.glob(f"*/*/{MANIFEST}")]
    yield from sorted(found, key=lambda entry: (entry.fetched_at, entry.input_id))


def _read(folder: Path) -> Entry:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ArchiveError(f"{folder / MANIFEST}: cannot be read ({error})") from error
    given = manifest["options"]
    options = Options(
        **{
            **given,
            "null_marks": tuple(given["null_marks"]),
            "automation": tuple(given["automation"]),
        }
    )
    return Entry(
        manifest["input_id"],
        manifest["source"],
        manifest["kind"],
        options,
        folder / manifest["file"],
        datetime.fromisoformat(manifest["fetched_at"]),
        datetime.fromisoformat(manifest["as_of"]) if manifest["as_of"] else None,
        manifest["settings"],
    )


def prune(raw: Path, source: str, keep_raw: int) -> int:
    """Remove all but the newest inputs of a source; give how many went."""
    mine = [entry for entry in entries(raw) if entry.source == source]
    for entry in mine[:-keep_raw]:
        shutil.rmtree(entry.file.parent)
    return len(mine[:-keep_raw])


def sweep(raw: Path) -> None:
    """Remove entries that a killed run left without a manifest."""
    for folder in raw.glob("*/*"):
        if folder.is_dir() and not (folder / MANIFEST).exists():
            shutil.rmtree(folder)
