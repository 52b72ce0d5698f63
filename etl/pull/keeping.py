"""A pull: what `fetch` is given, and the only hand that writes what came into the archive.

`data/raw/<source>/<run>/` holds a compressed file of JSON lines per stream, each page a gzip member of its own, and
`pull.jsonl`: a line that says what is pulled, then one per page with stream, request, time, count and where to go on.
That log is the state: whatever a killed pull left is cut back to the last page that it names, and the next run goes on
there. What is complete is an input of the archive like a file; a run that fails later does not pull it again.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from etl.publish import cause, sync
from etl.pull.access import Access, Mask, Note, PullError, Tell
from etl.pull.client import Authentication, Client, NoAuthentication, Patience
from etl.pull.paging import Lines, Page
from etl.reading import LINE, Export, frames_of
from etl.sources import Options

if TYPE_CHECKING:
    import httpx

LOG = "pull.jsonl"
SUFFIX = ".jsonl.gz"
OLDEST_CONTINUED = timedelta(days=1)
"""A tool's page tokens do not live for ever: an older broken pull starts over."""
ZIP_LEVEL = 2
READ_BYTES = 1 << 15
"""Records that are read at once: no more than the processor's cache holds."""
ROWS_AT_ONCE = 20_000
"""Records of a pull that are read at once: nested ones take much memory."""


@dataclass
class Pull:
    """One pull of one source: `fetch` asks it for a client and hands it pages."""

    source: str
    access: Access
    options: Options
    folder: Path
    state: Mapping[str, Any] = field(default_factory=dict)
    """What the last published pull carried; empty the first time and with --full."""
    known: Callable[[], set[str]] = set
    """The ids of the incidents that the store has of this source and does not know to be deleted."""
    tell: Tell = lambda _: None
    patience: Patience = field(default_factory=Patience)
    transport: httpx.BaseTransport | None = None
    pages_at_most: int | None = None
    """Stop each stream after so many pages: for a look at a tool, not for the archive."""
    carried: dict[str, Any] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    """Stream -> how many records were kept."""
    waited_seconds: float = 0.0
    mask: Mask = field(default_factory=Mask)
    _ends: dict[str, int] = field(default_factory=dict)
    _resumes: dict[str, Any] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _clients: list[Client] = field(default_factory=list)
    _as_of: datetime | None = None
    is_continued: bool = False

    @property
    def as_of(self) -> datetime:
        """The tool's clock at the first answer (ours, if it shows none): up to then the pull tells. Naive UTC."""
        if self._as_of is None:
            told = next((client.server_time for client in self._clients if client.server_time is not None), None)
            self._as_of = told or datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        return self._as_of

    @property
    def since(self) -> datetime | None:
        """From when on changes are wanted, overlap included; None means everything. Naive UTC."""
        told = self.state.get("as_of")
        if told is not None:
            return datetime.fromisoformat(told) - self.access.overlap
        return self.access.since

    @property
    def is_first(self) -> bool:
        """There is no published pull to go on from, or everything is wanted anew."""
        return "as_of" not in self.state

    @property
    def sweep_is_due(self) -> bool:
        """Whether it is time to compare ids, where the tool tells no deletions; never in the first pull."""
        if self.is_first:
            return False
        last = self.state.get("swept_at")
        return last is None or self.as_of - datetime.fromisoformat(last) >= self.access.sweep

    def swept(self) -> None:
        """Remember that ids were compared."""
        self.carry(swept_at=self.as_of.isoformat())

    def carry(self, **values: Any) -> None:
        """Leave JSON values for the next pull's `state`; they count from the publication of this one on."""
        self.carried |= values

    def client(self, authentication: Authentication | None = None, **more: Any) -> Client:
        """Make the client for the tool; `more` goes to `Client`."""
        client = Client(
            self.source,
            more.pop("access", self.access),
            authentication or NoAuthentication(),
            patience=self.patience,
            transport=self.transport,
            tell=lambda message: self.tell(Note(message)),
            mask=self.mask,
            **more,
        )
        self._clients.append(client)
        return client

    def keep(self, stream: str, pages: Callable[[Any], Iterable[Page]]) -> int:
        """Keep a stream's pages; give how many records it has.

        Args:
            stream: a name in lower case, such as "tickets".
            pages: makes the pages that follow `start`, the `resume` of the last one kept; None at the beginning. A
                stream that a killed pull had completed is not asked for again.

        Raises:
            PullError: the tool gives no more, or the archive cannot be written.
        """
        if stream not in self._done:
            try:
                self._keep(stream, pages)
            except OSError as error:
                raise PullError(
                    f"{self.source}: the archive {self.folder} cannot be written: {cause(error)}; make room or give "
                    "the right to write; the next run continues from here"
                ) from error
        return self.records.get(stream, 0)

    def _keep(self, stream: str, pages: Callable[[Any], Iterable[Page]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        count = 0
        with (self.folder / f"{stream}{SUFFIX}").open("ab") as file, (self.folder / LOG).open("ab") as log:
            for page in pages(self._resumes.get(stream)):
                count += 1
                if page.records:
                    lines = page.records if isinstance(page.records, Lines) else Lines(page.records)
                    file.write(gzip.compress(lines.text, ZIP_LEVEL))
                    file.flush()
                self.records[stream] = self.records.get(stream, 0) + len(page.records)
                self._write(log, stream, file.tell(), request=page.request, count=len(page.records), resume=page.resume)
                self._resumes[stream] = page.resume
                of = f" of {page.total:,}" if page.total is not None else ""
                said = f"page {count}, {len(page.records)} records, {self.records[stream]:,}{of} in all"
                told = f"{self.source}: {stream}"
                self.tell(Note(f"{told}: {said}", told, self.records[stream], page.total))
                if self.pages_at_most is not None and count >= self.pages_at_most:
                    break
            self._write(log, stream, file.tell(), is_complete=True)
        self._done.add(stream)

    def _write(self, log: Any, stream: str, end: int, **told: Any) -> None:
        line = {
            "stream": stream,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "end": end,
            "as_of": self.as_of.isoformat(),
            "carried": self.carried,
            **told,
        }
        log.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        log.flush()

    def kept(self, stream: str) -> Iterator[dict[str, Any]]:
        """Yield a stream's records as this pull has them so far."""
        return records(self.folder / f"{stream}{SUFFIX}")

    def finish(self) -> None:
        """Have the disk hold everything."""
        self.waited_seconds = sum(client.waited_seconds for client in self._clients)
        try:
            for file in self.folder.glob("*.jsonl*"):
                sync(file)
        except OSError as error:
            raise PullError(
                f"{self.source}: the archive {self.folder} cannot be written: {cause(error)}; make room; the next run "
                "continues from here"
            ) from error

    def close(self) -> None:
        """Close what is open."""
        for client in self._clients:
            client.close()


def begin(raw: Path, pull: Callable[[Path], Pull], about: Mapping[str, Any]) -> Pull:
    """Go on with the pull that a killed run left, or begin one.

    Args:
        raw: the source's folder in the archive.
        pull: makes the pull for a folder.
        about: what is pulled (tool, address, filter, state): a broken pull of something else is removed.

    Raises:
        PullError: the archive cannot be written.
    """
    header = json.loads(json.dumps({"pull": about}, default=str))
    for folder in unfinished(raw):
        lines = _log(folder)
        if lines and lines[0].get("pull") == header["pull"] and _is_recent(lines[0]):
            continued = pull(folder)
            if _recall(continued, lines[1:]):
                continued.is_continued = len(lines) > 1
                return continued
        shutil.rmtree(folder)
    now = datetime.now(UTC)
    folder = raw / f"{now:%Y%m%dT%H%M%S}-{now.microsecond:06d}"
    try:
        folder.mkdir(parents=True)
        (folder / LOG).write_text(json.dumps({**header, "began_at": now.isoformat()}) + "\n", encoding="utf-8")
    except OSError as error:
        raise PullError(
            f"the archive {raw} cannot be written: {cause(error)}; make room or give the right to write"
        ) from error
    return pull(folder)


def unfinished(raw: Path) -> list[Path]:
    """Give the folders of pulls that are no inputs of the archive (yet)."""
    return [
        log.parent
        for log in sorted(raw.glob(f"*/{LOG}"))
        if not any((log.parent / name).exists() for name in ("manifest.json", "manifest.json.new"))
    ]


def _is_recent(header: Mapping[str, Any]) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(header["began_at"]) < OLDEST_CONTINUED


def _log(folder: Path) -> list[dict[str, Any]]:
    """Read the log's whole lines; the last may be half a line."""
    lines: list[dict[str, Any]] = []
    file = folder / LOG
    whole = 0
    for line in file.read_bytes().splitlines(keepends=True):
        try:
            found = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n"):
            break
        lines.append(found)
        whole += len(line)
    with file.open("r+b") as stream:
        stream.truncate(whole)
    return lines


def _recall(pull: Pull, lines: list[dict[str, Any]]) -> bool:
    """Take over what a log says was kept, and cut off what it does not know; False if something is missing."""
    ends: dict[str, int] = {}
    for line in lines:
        stream = line["stream"]
        ends[stream] = line["end"]
        pull.records[stream] = pull.records.get(stream, 0) + line.get("count", 0)
        if line.get("is_complete"):
            pull._done.add(stream)
        else:
            pull._resumes[stream] = line["resume"]
    if lines:
        pull._as_of = datetime.fromisoformat(lines[-1]["as_of"])
        pull.carried |= lines[-1]["carried"]
    for file in pull.folder.glob(f"*{SUFFIX}"):
        end = ends.get(file.name.removesuffix(SUFFIX), 0)
        if file.stat().st_size < end:
            return False
        with file.open("r+b") as stream:
            stream.truncate(end)
    return all((pull.folder / f"{stream}{SUFFIX}").exists() for stream in ends)


def records(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a stream's file."""
    if not file.exists() or file.stat().st_size == 0:
        return
    with gzip.open(file, "rb") as stream:
        rest = b""
        while block := stream.read(READ_BYTES):
            # Many lines at once: as one list they are read in half the time. No text of JSON holds a line's end.
            lines, _, rest = (rest + block).rpartition(b"\n")
            if lines:
                yield from json.loads(b"[" + lines.replace(b"\n", b",") + b"]")


def open_streams(folder: Path, references: Iterable[str] = ()) -> list[Export]:
    """Open a pull's streams like exports; a stream without records is none.

    Args:
        folder: of the pull.
        references: streams that are no rows themselves: others look things up in them, by `Export.beside`.
    """
    beside = {name: list(records(folder / f"{name}{SUFFIX}")) for name in references}
    exports = []
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        stream = file.name.removesuffix(SUFFIX)
        if stream in beside or file.stat().st_size == 0:
            continue
        exports.append(_export(file, stream, beside))
    return exports


def _export(file: Path, stream: str, beside: Mapping[str, list[dict[str, Any]]]) -> Export:
    def read(_: Any) -> Iterator[pl.DataFrame]:
        return frames_of(records(file), rows_at_once=ROWS_AT_ONCE)

    head = next(read(None))
    return Export(stream, [name for name in head.columns if name != LINE], read, stream=stream, beside=beside)
