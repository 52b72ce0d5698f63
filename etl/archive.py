"""The raw archive `data/raw`: every export as it came, with what is needed to read it again.

A folder per input holds the file (of a pull: its log and streams, see `etl/pull/keeping.py`) and its manifest. What a run archives is pending (`manifest.json.new`) until the
store has it: a killed run leaves the archive as it was, and the store is always what the archive says.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from etl import bundles
from etl.bundles import Message
from etl.publish import cause, sync
from etl.pull.keeping import LOG
from etl.sources import Options

MANIFEST = "manifest.json"
PENDING = "manifest.json.new"
STATEMENTS = ("calendars", "links")
"""What belongs to no input but decides the facts, too; pending under the same addition as a manifest."""


class ArchiveError(Exception):
    """The archive cannot be written, or an entry of it cannot be read."""


@dataclass(frozen=True)
class Reading:
    """How an input is read: what its source's section, or the options of `load`, say."""

    kind: str
    options: Options
    as_of: datetime | None
    settings: Mapping[str, Any]
    """What is said beside the options: full_export, first_contact_hours and so on."""
    is_configured: bool
    """Said by the configuration, which may say something else tomorrow; not by `load`."""

    @property
    def hash(self) -> str:
        """Another hash means: read again."""
        return hashlib.sha256(_text(_told(self)).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Entry:
    """One archived input."""

    input_id: str
    """Hash of the file's name and content; of a pull its folder's name."""
    file: Path
    archived_at: datetime
    """To the microsecond: the order of inputs is that of archiving."""
    reading: Reading
    state: Mapping[str, Any] | None = None
    """What a pull left for the next one; None for a file."""
    members: tuple[str, ...] = ()
    """Of a bundle: the ids of the files in it."""

    @property
    def is_pull(self) -> bool:
        """It was pulled from a tool."""
        return self.state is not None

    @property
    def fetched_at(self) -> datetime:
        """When it was archived, in whole seconds like every instant of the warehouse."""
        return self.archived_at.replace(microsecond=0)

    @property
    def source(self) -> str:
        """The name of its source."""
        return self.reading.options.source

    @property
    def key(self) -> tuple[str, str]:
        """What names it in the store, too."""
        return self.source, self.input_id


PIECE_BYTES = 16 << 20
SMALL_BYTES = 1 << 20
"""A file of no more is copied without a child process, whose start takes longer than everything else about it."""


def identify(file: Path) -> str:
    """Give the id of a file's name and content: the hash of the hashes of its pieces, so that all cores can work.

    Raises:
        OSError: it cannot be read.
    """

    def digest(start: int) -> bytes:
        with file.open("rb") as stream:
            stream.seek(start)
            return hashlib.sha256(stream.read(PIECE_BYTES)).digest()

    with ThreadPoolExecutor(thread_name_prefix="hashing") as pool:
        pieces = pool.map(digest, range(0, file.stat().st_size, PIECE_BYTES))
        return hashlib.sha256(b"".join([file.name.encode(), b"\n", *pieces])).hexdigest()[:20]


def identify_content(name: str, content: bytes) -> str:
    """Give the id that a file of this name and content has."""
    pieces = [content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES)]
    hashes = [hashlib.sha256(piece).digest() for piece in pieces]
    return hashlib.sha256(b"".join([name.encode(), b"\n", *hashes])).hexdigest()[:20]


def find(raw: Path, source: str, input_id: str) -> Entry | None:
    """Give an entry; None if the archive does not have it."""
    folder = raw / source / input_id
    return _read(folder) if (folder / MANIFEST).exists() or (folder / PENDING).exists() else None


def expected(raw: Path, file: Path, input_id: str, reading: Reading) -> Entry:
    """Give the entry that a file is going to be; nothing is written yet."""
    folder = raw / reading.options.source / input_id
    return Entry(input_id, folder / file.name, datetime.now(UTC).replace(tzinfo=None), reading)


def keep(entry: Entry, file: Path) -> None:
    """Archive a file as an entry, pending; it is on the disk for good when this returns.

    Raises:
        ArchiveError: it cannot be written, or the file changed meanwhile.
    """
    folder = entry.file.parent
    before = file.stat()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if before.st_size <= SMALL_BYTES:
            entry.file.unlink(missing_ok=True)
            shutil.copyfile(file, entry.file)
        else:
            # The file is copied by a child: it may be larger than memory, and a reflink costs nothing.
            subprocess.run(
                ["cp", "--reflink=auto", "--remove-destination", "--", str(file.resolve()), str(entry.file)],
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
        after = file.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ArchiveError(f"{file}: changed while it was read; run again when its export is complete")
        entry.file.chmod(0o444)
        sync(entry.file)
        _write(entry)
    except (OSError, subprocess.CalledProcessError, ArchiveError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"{file.name} cannot be archived in {folder.parent.parent}: {cause(error)}") from error


def keep_bundle(raw: Path, messages: Sequence[Message], ids: Sequence[str], reading: Reading) -> Entry:
    """Archive messages as one entry, pending; it is on the disk for good when this returns.

    Raises:
        ArchiveError: it cannot be written.
    """
    bundle_id = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:20]
    folder = raw / reading.options.source / bundle_id
    file = folder / f"{len(messages)} messages.tar"
    entry = Entry(bundle_id, file, datetime.now(UTC).replace(tzinfo=None), reading, members=tuple(ids))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        bundles.write(file, messages)
        file.chmod(0o444)
        sync(file)
        _write(entry)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ArchiveError(f"{file.name} cannot be archived in {folder.parent.parent}: {cause(error)}") from error
    return entry


def adopt(folder: Path, reading: Reading, state: Mapping[str, Any]) -> Entry:
    """Make a complete pull an input of the archive, pending.

    Args:
        folder: where the pull was kept.
        reading: how it is read; its `as_of` is the pull's own.
        state: what it leaves for the next pull, which begins there as soon as the store has this one.

    Raises:
        ArchiveError: it cannot be written.
    """
    entry = Entry(folder.name, folder / LOG, datetime.now(UTC).replace(tzinfo=None), reading, state)
    try:
        _write(entry)
    except OSError as error:
        raise ArchiveError(
            f"{entry.source}: the archive {folder} cannot be written: {cause(error)}; make room or give the right to "
            "write; the next run continues from here"
        ) from error
    return entry


def newest_pull(raw: Path, source: str) -> Entry | None:
    """Give the source's newest pull that the store has; None if there is none."""
    pulls = [entry for entry in entries(raw / source, "*") if entry.is_pull]
    return pulls[-1] if pulls else None


def restate(entry: Entry, reading: Reading) -> None:
    """Say how an archived input is read from now on, pending.

    Raises:
        ArchiveError: it cannot be written.
    """
    try:
        _write(replace(entry, reading=reading))
    except OSError as error:
        raise ArchiveError(f"{entry.file.parent} cannot be written: {cause(error)}") from error


def _told(reading: Reading) -> dict[str, Any]:
    return {
        "kind": reading.kind,
        "options": asdict(reading.options),
        "as_of": reading.as_of.isoformat() if reading.as_of else None,
        "settings": dict(reading.settings),
        "is_configured": reading.is_configured,
    }


def _text(told: object) -> str:
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False, default=str)


def _write(entry: Entry) -> None:
    """Write the pending manifest, whole or not at all."""
    manifest = {
        "input_id": entry.input_id,
        "file": entry.file.name,
        "bytes": entry.file.stat().st_size,
        "archived_at": entry.archived_at.isoformat(),
        "reading": _told(entry.reading),
        "state": entry.state,
        "members": list(entry.members),
    }
    folder = entry.file.parent
    unfinished = folder / f"{PENDING}.part"
    unfinished.write_text(_text(manifest) + "\n", encoding="utf-8")
    sync(unfinished)
    unfinished.rename(folder / PENDING)
    sync(folder)


def entries(raw: Path, folders_in: str = "*/*") -> Iterator[Entry]:
    """Yield what the archive holds, pending entries too, oldest first."""
    folders = {manifest.parent for name in (MANIFEST, PENDING) for manifest in raw.glob(f"{folders_in}/{name}")}
    yield from sorted((_read(folder) for folder in folders), key=lambda entry: (entry.archived_at, entry.input_id))


def _read(folder: Path) -> Entry:
    """Read an entry; what is pending counts."""
    file = folder / PENDING if (folder / PENDING).exists() else folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        told = manifest["reading"]
        given = told["options"]
        options = Options(
            **{**given, "null_marks": tuple(given["null_marks"]), "automation": tuple(given["automation"])}
        )
        return Entry(
            manifest["input_id"],
            folder / manifest["file"],
            datetime.fromisoformat(manifest["archived_at"]),
            Reading(
                told["kind"],
                options,
                datetime.fromisoformat(told["as_of"]) if told["as_of"] else None,
                told["settings"],
                told["is_configured"],
            ),
            manifest.get("state"),
            tuple(manifest.get("members", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveError(
            f"{file}: cannot be read ({type(error).__name__}: {error}); restore it, or remove its folder"
        ) from error


def statement(raw: Path, name: str) -> str:
    """Give what the archive keeps of a statement, as text; what is pending counts.

    Raises:
        ArchiveError: it cannot be read.
    """
    file = raw / f"{name}.json.new"
    file = file if file.exists() else raw / f"{name}.json"
    try:
        return file.read_text(encoding="utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ArchiveError(f"{file}: cannot be read ({error}); restore it, or remove it") from error


def keep_statement(raw: Path, name: str, said: str) -> None:
    """Keep a statement, pending, if it is another than before.

    Raises:
        ArchiveError: it cannot be written.
    """
    if said == statement(raw, name):
        return
    pending = raw / f"{name}.json.new"
    unfinished = raw / f"{name}.json.new.part"
    try:
        raw.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(said, encoding="utf-8")
        sync(unfinished)
        unfinished.rename(pending)
        sync(raw)
    except OSError as error:
        raise ArchiveError(f"{raw} cannot be written: {cause(error)}") from error


def discard_statements(raw: Path) -> None:
    """Take back the statements that are pending."""
    for name in STATEMENTS:
        for suffix in ("new", "new.part"):
            (raw / f"{name}.json.{suffix}").unlink(missing_ok=True)


def confirm(raw: Path) -> None:
    """Make what is pending part of the archive: the store has it."""
    for name in STATEMENTS:
        if (raw / f"{name}.json.new").exists():
            (raw / f"{name}.json.new").replace(raw / f"{name}.json")
            sync(raw)
    for pending in raw.glob(f"*/*/{PENDING}"):
        pending.replace(pending.with_name(MANIFEST))
        sync(pending.parent)


def discard(entry: Entry) -> None:
    """Take back what is pending of an entry."""
    folder = entry.file.parent
    (folder / PENDING).unlink(missing_ok=True)
    # What was pulled stays for the next run, which need not ask the tool again.
    if not (folder / MANIFEST).exists() and not entry.is_pull:
        shutil.rmtree(folder, ignore_errors=True)


def recover(
    raw: Path,
    in_store: Mapping[tuple[str, str], str],
    statements_in_store: Mapping[str, str | None] = MappingProxyType({}),
) -> None:
    """Finish what a killed run left.

    Args:
        raw: the archive.
        in_store: the inputs that the store has: source and id -> hash of how it was read.
        statements_in_store: the statements that it has, as text.
    """
    for name in STATEMENTS:
        if (raw / f"{name}.json.new").exists() and statement(raw, name) == statements_in_store.get(name):
            (raw / f"{name}.json.new").replace(raw / f"{name}.json")
    discard_statements(raw)
    for folder in raw.glob("*/*"):
        if not folder.is_dir():
            continue
        (folder / f"{PENDING}.part").unlink(missing_ok=True)
        if (folder / PENDING).exists():
            entry = _read(folder)
            if in_store.get(entry.key) == entry.reading.hash:
                (folder / PENDING).replace(folder / MANIFEST)
            else:
                discard(entry)
        elif not (folder / MANIFEST).exists() and not (folder / LOG).exists():
            shutil.rmtree(folder)


def prune(raw: Path, source: str, keep_raw: int) -> int:
    """Remove all but the newest inputs of a source; give how many went.

    A pull brings only what changed since the one before: pulls stay back to the last one that brought everything.
    """
    mine = [entry for entry in entries(raw) if entry.source == source]
    complete = [entry.archived_at for entry in mine if entry.state is not None and entry.state.get("is_complete")]
    gone = [entry for entry in mine[:-keep_raw] if not entry.is_pull or (complete and entry.archived_at < complete[-1])]
    for entry in gone:
        shutil.rmtree(entry.file.parent)
    return len(gone)
