"""Any export file becomes chunks of plain text columns, in constant memory, each row knowing its line.

Formats: CSV with any delimiter a spreadsheet writes, JSON (an array, a list inside an object, or one object a line),
XLSX and Parquet; each plain, gzipped or in a zip archive. Text is UTF-8 with or without a byte-order mark, UTF-16 or
Windows-1252. Nothing is interpreted here: every value is a string or null.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import itertools
import json
import queue
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

NULL_MARKS = ("", "?")
DELIMITERS = (",", ";", "\t", "|")
LINE = "_line"
"""The column that holds each row's line; no export may have a column of this name."""

BLOCK_BYTES = 4 << 20
"""How much of a file is split into rows at once: with more, most of the time goes into new memory."""
BLOCKS_PER_CHUNK = 4
"""Blocks that become one chunk; with fewer, more time goes into calls than into rows."""
LONGEST_LINE_BYTES = 64 << 20
HEAD_BYTES = 1 << 20
UNPACKED_BYTES = 64 << 20
"""So much of a compressed file is kept in memory."""
CHUNK_ROWS = 100_000
CHUNK_CHARACTERS = 8 << 20
"""How much text of JSON records becomes one chunk at most: records that hold their history are large."""
LIST_KEYS = (
    "records",
    "result",
    "results",
    "data",
    "incidents",
    "log_entries",
    "issues",
    "tickets",
    "issueChangeLogs",
    "audits",
    "items",
    "values",
)


class ReadError(Exception):
    """An export file that cannot be read at all; the message names the file and what to do."""


@dataclass(frozen=True)
class BadRow:
    """A row that does not have the header's number of columns."""

    line: int
    text: str
    reason: str


@dataclass
class Export:
    """One table-shaped export.

    `chunks()` may be called again and starts anew. After it is exhausted `bad_rows` holds what could not be split.
    """

    name: str
    columns: list[str]
    read: Callable[[list[BadRow]], Iterator[pl.DataFrame]]
    bad_rows: list[BadRow] = field(default_factory=list)
    stream: str | None = None
    """Of a pull: which of its streams; None for a file."""
    beside: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Of a pull: the streams in which this one's values are looked up, whole."""
    encoding: str | None = None
    """Of a text file: how it was decoded."""
    _begun: Iterator[pl.DataFrame] | None = field(default=None, init=False, repr=False)
    """All chunks, where only the first has been looked at."""

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Yield frames of string columns and `_line`."""
        begun, self._begun = self._begun, None
        yield from begun or self._begin()

    def head(self) -> pl.DataFrame:
        """Give the first chunk; what was read for it is not read again."""
        chunks = self._begin()
        first = next(chunks, None)
        if first is None:
            return pl.DataFrame(schema={**dict.fromkeys(self.columns, pl.String), LINE: pl.Int64})
        self._begun = itertools.chain([first], chunks)
        return first

    def _begin(self) -> Iterator[pl.DataFrame]:
        self.bad_rows.clear()
        return _ahead(self.read(self.bad_rows))


@dataclass(frozen=True)
class ReadOptions:
    """What a person may say about the file; None means: find out."""

    delimiter: str | None = None
    encoding: str | None = None
    null_marks: tuple[str, ...] = NULL_MARKS
    repeated_columns: str | None = None
    """'list' joins the non-empty values of columns of one name with newlines (Jira repeats `Labels`)."""
    list_key: str | None = None
    """The key of the list inside a JSON object."""
    quoting: bool | None = None
    """False: a quote in a text file is a character like any other (Request Tracker quotes nothing)."""


def open_exports(path: Path, options: ReadOptions | None = None) -> list[Export]:
    """Open a file; a zip archive gives one export for each file in it.

    Raises:
        ReadError: missing, unreadable, empty, of an unknown kind, truncated, or without a usable header.
    """
    options = options or ReadOptions()
    try:
        if not path.exists():
            raise ReadError(f"{path}: there is no such file")
        if path.is_dir():
            raise ReadError(f"{path}: is a folder; name the files in it")
        if path.stat().st_size == 0:
            raise ReadError(f"{path.name}: the file is empty")
        if zipfile.is_zipfile(path) and not _is_workbook(path):
            return _open_archive(path, options)
        return [_open_one(path.name, lambda: path.open("rb"), options, path)]
    except PermissionError as error:
        raise ReadError(f"{path}: may not be read by this user") from error


def _is_workbook(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


def _open_archive(path: Path, options: ReadOptions) -> list[Export]:
    with zipfile.ZipFile(path) as archive:
        members = [
            info.filename
            for info in archive.infolist()
            if not info.is_dir() and not Path(info.filename).name.startswith((".", "__"))
        ]
    if not members:
        raise ReadError(f"{path.name}: the archive holds no files")

    def opener(member: str) -> Callable[[], IO[bytes]]:
        return lambda: zipfile.ZipFile(path).open(member)

    return [_open_one(f"{path.name}/{member}", opener(member), options, None) for member in sorted(members)]


def _open_one(name: str, opener: Callable[[], IO[bytes]], options: ReadOptions, path: Path | None) -> Export:
    with opener() as file:
        magic = file.read(8)
    if magic[:2] == b"\x1f\x8b":
        return _open_one(name.removesuffix(".gz"), _unpacked(opener), options, None)
    if magic[:4] == b"%PDF":
        raise ReadError(f"{name}: this is a PDF, not a table; export the list as CSV, XLSX or JSON")
    if magic[:4] == b"PAR1":
        return _parquet(name, opener, path)
    if magic[:4] == b"PK\x03\x04":
        return _workbook(name, opener, options)
    if magic[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise ReadError(f"{name}: this is an old .xls workbook; save it as .xlsx or CSV")
    text = _scan_text(name, opener, options)
    if text.starts_with_json:
        return _json(name, opener, text, options)
    return _csv(name, opener, text, options)


def _unpacked(opener: Callable[[], IO[bytes]]) -> Callable[[], IO[bytes]]:
    """Give an opener of what a gzip file holds; it is read more than once, so what is not large stays unpacked."""

    def unpack() -> IO[bytes]:
        return cast("IO[bytes]", gzip.open(opener(), "rb"))

    # A file that is cut off is told of where it is read.
    with contextlib.suppress(EOFError, OSError, zlib.error), unpack() as file:
        content = file.read(UNPACKED_BYTES + 1)
        if len(content) <= UNPACKED_BYTES:
            return lambda: io.BytesIO(content)
    return unpack


@dataclass(frozen=True)
class _Text:
    encoding: str
    head: str
    is_utf8: bool
    """Every byte was looked at, and they are UTF-8."""
    has_quotes: bool
    may_end_in_quotes: bool
    """The number of quotes is odd, and none of them ends the file: perhaps one that was opened is never closed."""

    @property
    def starts_with_json(self) -> bool:
        return self.head.lstrip()[:1] in ("{", "[")


def _scan_text(name: str, opener: Callable[[], IO[bytes]], options: ReadOptions) -> _Text:
    """Read the whole file once as bytes: its encoding, whether quotes occur, and that it is not cut off.

    The pass costs little (bytes are only looked at) and finds a truncated archive before anything is loaded.
    """
    encoding = options.encoding
    head = b""
    quotes = 0
    tail = b""
    decoder: codecs.IncrementalDecoder | None = None
    is_utf8 = True
    longest_without_newline = 0
    try:
        with opener() as file:
            while block := file.read(BLOCK_BYTES):
                if not head:
                    head = block[:HEAD_BYTES]
                    encoding = encoding or _marked_encoding(block)
                    decoder = codecs.getincrementaldecoder("utf-8")()
                # Whether there is one is found far quicker than how many.
                quotes += block.count(b'"') if b'"' in block else 0
                tail = block
                longest_without_newline = (
                    0 if b"\n" in block or b"\r" in block else longest_without_newline + len(block)
                )
                # JSON is read record by record, however it is laid out.
                is_json = head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"{", b"["))
                if longest_without_newline > LONGEST_LINE_BYTES and not is_json:
                    raise ReadError(
                        f"{name}: over {longest_without_newline >> 20} MB without a line break; "
                        "this is not a table with one row a line"
                    )
                if is_utf8 and decoder is not None:
                    try:
                        if not block.isascii() or decoder.getstate()[0]:
                            decoder.decode(block)
                    except UnicodeDecodeError:
                        is_utf8 = False
    except (EOFError, zipfile.BadZipFile, gzip.BadGzipFile, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ReadError(f"{name}: the compressed file is cut off or damaged ({error}); export it again") from error
    if not head.strip(b"\xef\xbb\xbf \r\n\t\x00"):
        raise ReadError(f"{name}: the file is empty")
    encoding = check_encoding(encoding or ("utf-8" if is_utf8 else "cp1252"), f"{name}:")
    if not encoding.lower().startswith("utf-16") and b"\x00" in head[:4096]:
        raise ReadError(f"{name}: this is not text; Meantime reads CSV, JSON, XLSX and Parquet")
    ends_with_quote = tail.rstrip(b"\r\n\t \x00").endswith(b'"')
    return _Text(
        encoding,
        head.decode(encoding, errors="ignore").lstrip("\ufeff"),
        is_utf8=is_utf8 and decoder is not None and not decoder.getstate()[0],
        has_quotes=quotes > 0,
        may_end_in_quotes=quotes % 2 == 1 and not ends_with_quote,
    )


def check_encoding(encoding: str, where: str) -> str:
    """Give the name of an encoding of text back.

    Raises:
        ReadError: there is no such encoding.
    """
    try:
        "".encode(encoding)
    except LookupError as error:
        raise ReadError(f"{where} encoding '{encoding}' is unknown; use for example utf-8, utf-16 or cp1252") from error
    return encoding


def check_delimiter(delimiter: str, where: str) -> str:
    """Give a delimiter back; a tab may be written as a backslash and a t, as a shell leaves it.

    Raises:
        ReadError: it is not one character that can stand between columns.
    """
    delimiter = "\t" if delimiter == "\\t" else delimiter
    if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise ReadError(f"{where} delimiter is {delimiter!r}; it must be one character, such as ';' or a tab")
    return delimiter


def _marked_encoding(block: bytes) -> str | None:
    if block.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # UTF-16 without a mark: nearly every other byte of plain text is zero.
    sample = block[:200]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        every_other = sample[first::2]
        if len(every_other) > 4 and every_other.count(0) > 0.8 * len(every_other):
            return encoding
    return None


def _csv(name: str, opener: Callable[[], IO[bytes]], text: _Text, options: ReadOptions) -> Export:
    lines_before_header = 0
    head = text.head
    delimiter = options.delimiter
    if head[:4].lower() == "sep=" and "\n" in head:
        said, head = head.split("\n", 1)
        delimiter = delimiter or said[4:].rstrip("\r") or None
        lines_before_header = 1
    delimiter = delimiter or _find_delimiter(head)
    has_quotes = text.has_quotes and options.quoting is not False
    reader = csv.reader(
        io.StringIO(head, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if options.quoting is False else csv.QUOTE_MINIMAL,
    )
    header = [label.strip() for label in next(reader, [])]
    if len(header) < 2:
        raise ReadError(
            f"{name}: only one column was found ({_shorten(header[0] if header else '')!r}), split at {delimiter!r}; "
            "name the character between the columns with --delimiter or the key `delimiter`"
        )
    columns, groups = _named_columns(name, header, options)
    # With quotes the header itself may span lines.
    skip = lines_before_header + (reader.line_num if has_quotes else 1)
    parts = [f"{position}" for position in range(len(header))]
    read_options = arrow_csv.ReadOptions(
        use_threads=False, block_size=BLOCK_BYTES, column_names=parts, skip_rows=skip, encoding=text.encoding
    )
    convert_options = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(parts, pa.string()),
        null_values=list(options.null_marks),
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        check_utf8=not text.is_utf8,
    )

    def read(bad_rows: list[BadRow]) -> Iterator[pl.DataFrame]:
        bad_ordinals: set[int] = set()

        def keep_bad_row(row: Any) -> str:
            ordinal = row.number - skip
            bad_ordinals.add(ordinal)
            bad_rows.append(
                BadRow(
                    row.number,
                    row.text[:4000],
                    f"has {row.actual_columns} columns where the header has {row.expected_columns}",
                )
            )
            return "skip"

        parse_options = arrow_csv.ParseOptions(
            delimiter=delimiter,
            quote_char=False if options.quoting is False else '"',
            newlines_in_values=has_quotes,
            invalid_row_handler=keep_bad_row,
        )
        ordinal = 0
        line = skip
        last = (skip, "")
        try:
            with (
                opener() as file,
                arrow_csv.open_csv(
                    file, read_options=read_options, parse_options=parse_options, convert_options=convert_options
                ) as batches,
            ):
                while blocks := list(itertools.islice(batches, BLOCKS_PER_CHUNK)):
                    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches(blocks), rechunk=False))
                    steps, ordinal = _steps(frame.height, ordinal, bad_ordinals)
                    if has_quotes:
                        breaks = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True).fill_null(0))
                        extra = frame.select(breaks.cast(pl.Int64)).to_series()
                        lines = line + steps.cum_sum() + extra.cum_sum() - extra
                        line += int(steps.sum()) + int(extra.sum())
                    else:
                        lines = line + steps.cum_sum()
                        line += int(steps.sum())
                    frame = _gather(frame, columns, groups)
                    last = (lines[-1], frame[-1, -1] or "") if frame.height else last
                    yield frame.with_columns(lines.alias(LINE))
            if text.may_end_in_quotes and "\n" in last[1]:
                raise ReadError(
                    f"{name}: the quote that opens in line {last[0]} is never closed, so that everything after it is "
                    "one value; mend that line, or export the file again"
                )
        except pa.ArrowInvalid as error:
            raise _csv_error(name, str(error)) from error
        except (EOFError, UnicodeDecodeError) as error:
            raise ReadError(f"{name}: {error}; name the right encoding with the key `encoding`") from error

    return Export(name, columns, read, encoding=text.encoding)


def _csv_error(name: str, message: str) -> ReadError:
    if "straddl" in message:
        return ReadError(
            f"{name}: a row is longer than {BLOCK_BYTES >> 20} MB; probably a quote is never closed, or this is no table"
        )
    if "UTF8" in message:
        return ReadError(f"{name}: is not UTF-8 throughout; name its encoding with the key `encoding`")
    return ReadError(f"{name}: cannot be read as CSV ({_shorten(message)})")


def _steps(height: int, ordinal: int, bad: set[int]) -> tuple[pl.Series, int]:
    """Give for each good row how many rows further it lies than the good row before it, and the last row's ordinal."""
    if not bad:
        return pl.repeat(1, height, eager=True, dtype=pl.Int64), ordinal + height
    steps = []
    for _ in range(height):
        step = 1
        while ordinal + step in bad:
            step += 1
        ordinal += step
        steps.append(step)
    return pl.Series(steps, dtype=pl.Int64), ordinal


def _find_delimiter(head: str) -> str:
    """Choose the character that splits the header into the most columns, quoted parts apart."""

    def width(delimiter: str) -> int:
        return len(next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), []))

    return max(DELIMITERS, key=width)


def _named_columns(name: str, header: Sequence[str], options: ReadOptions) -> tuple[list[str], list[list[int]]]:
    """Give the distinct column names and, for each, the positions that it has in the header."""
    positions: dict[str, list[int]] = {}
    for position, label in enumerate(header):
        # A spreadsheet leaves trailing separators behind: columns without a name.
        positions.setdefault(label or f"column {position + 1}", []).append(position)
    repeated = [label for label, found in positions.items() if len(found) > 1]
    if repeated and options.repeated_columns != "list":
        raise ReadError(
            f"{name}: the header names {_listed(repeated)} more than once; rename one, "
            'or join them with `repeated_columns = "list"`'
        )
    if LINE in positions:
        raise ReadError(f"{name}: a column may not be called '{LINE}'")
    return list(positions), list(positions.values())


def _gather(frame: pl.DataFrame, columns: list[str], groups: list[list[int]]) -> pl.DataFrame:
    if len(columns) == frame.width:
        frame.columns = columns
        return frame
    return frame.select(
        pl.col(str(group[0])).alias(label)
        if len(group) == 1
        else pl.concat_str([pl.col(str(position)) for position in group], separator="\n", ignore_nulls=True)
        .replace("", None)
        .alias(label)
        for label, group in zip(columns, groups, strict=True)
    )


def _ahead(chunks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Read the next chunk in a thread while the last one is worked on (two at most are held)."""
    ready: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def offer(item: pl.DataFrame | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for chunk in chunks:
                if not offer(chunk):
                    return
            offer(None)
        except BaseException as error:  # handed to the consumer, who raises it
            offer(error)

    thread = threading.Thread(target=work, name="reading", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


def _json(name: str, opener: Callable[[], IO[bytes]], text: _Text, options: ReadOptions) -> Export:
    def read(_: list[BadRow]) -> Iterator[pl.DataFrame]:
        return frames_of(_json_records(name, opener, text, options), options.null_marks)

    first = next(read([]), None)
    if first is None:
        raise ReadError(f"{name}: holds no records")
    return Export(name, [column for column in first.columns if column != LINE], read)


def frames_of(
    records: Iterable[Mapping[str, Any]], null_marks: tuple[str, ...] = ("",), rows_at_once: int = CHUNK_ROWS
) -> Iterator[pl.DataFrame]:
    """Yield frames of string columns and `_line` (the record's number) of JSON records.

    Nested objects are columns with dotted names, a list stays one JSON text.
    """
    start = 1
    frame = _Columns(null_marks)
    for record in records:
        frame.take(record)
        if frame.height == rows_at_once or frame.characters >= CHUNK_CHARACTERS:
            yield frame.made(start)
            start += frame.height
            frame = _Columns(null_marks)
    if frame.height:
        yield frame.made(start)


class _Columns:
    """Spreads records over columns as they come: no record outlives its turn, however many there are."""

    def __init__(self, null_marks: tuple[str, ...]) -> None:
        self.null_marks = null_marks
        self.height = 0
        self.characters = 0
        self._columns: dict[str, list[str | None]] = {}
        self._top = _Level("")

    def take(self, record: Mapping[str, Any]) -> None:
        """Add a row."""
        self._spread(record, self._top)
        self.height += 1

    def _spread(self, record: Mapping[str, Any], level: _Level) -> None:
        columns, height, null_marks, characters = level.columns, self.height, self.null_marks, 0
        for key, value in record.items():
            # Most values are texts; JSON's objects are dictionaries, and asking for any mapping would take long.
            if isinstance(value, str):
                text = None if value in null_marks else value
            elif isinstance(value, dict):
                inner = level.inner.get(key)
                if inner is None:
                    inner = level.inner[key] = _Level(f"{level.prefix}{key}.")
                self._spread(value, inner)
                continue
            else:
                text = _written(value, null_marks)
            if text is not None:
                characters += len(text)
            try:
                column = columns[key]
            except KeyError:
                column = columns[key] = self._columns.setdefault(level.prefix + key, [])
            if len(column) != height:
                _fit(column, height)
            column.append(text)
        self.characters += characters

    def made(self, start: int) -> pl.DataFrame:
        """Make the frame, whose first row has the number `start`."""
        for column in self._columns.values():
            _fit(column, self.height)
        data = {name: pl.Series(column, dtype=pl.String) for name, column in self._columns.items()}
        # Rows without any column are rows, too.
        return pl.DataFrame({**data, LINE: pl.int_range(start, start + self.height, dtype=pl.Int64, eager=True)})


def _fit(column: list[str | None], height: int) -> None:
    """Make a column as long as the rows before; where two ways of nesting lead to one name, the later value is it."""
    if len(column) < height:
        column.extend([None] * (height - len(column)))
    else:
        del column[height:]


class _Level:
    """Keys of objects at one place of a record: their columns, and the levels of those that are objects themselves."""

    __slots__ = ("columns", "inner", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.columns: dict[str, list[str | None]] = {}
        self.inner: dict[str, _Level] = {}


# Made once: `json.dumps` makes another one for each value, if it is to leave letters as they are.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def _written(value: Any, null_marks: tuple[str, ...]) -> str | None:
    """Write a value that is no text and no object as text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return _encode(value) if value else None
    text = str(value)
    return None if text in null_marks else text


def _json_records(
    name: str, opener: Callable[[], IO[bytes]], text: _Text, options: ReadOptions
) -> Iterator[Mapping[str, Any]]:
    """Yield the records one by one without holding the document: array, list in an object, or an object a line."""
    encoding = "utf-8-sig" if text.encoding == "utf-8" else text.encoding
    decoder = json.JSONDecoder()
    with opener() as raw, io.TextIOWrapper(raw, encoding=encoding) as file:
        buffer = file.read(HEAD_BYTES).lstrip()
        if buffer.startswith("{"):
            start = _list_start(name, buffer, options)
            if start is not None:
                buffer = buffer[start:]
        in_list = buffer.startswith("[")
        if in_list:
            buffer = buffer[1:]
        number = 0
        while True:
            buffer = buffer.lstrip(" \t\r\n,")
            if in_list and buffer.startswith("]"):
                return
            try:
                record, end = decoder.raw_decode(buffer) if buffer else (None, 0)
            except json.JSONDecodeError as error:
                end = 0
                failure = error
            if end == 0:
                more = file.read(HEAD_BYTES)
                if more and len(buffer) < 128 * BLOCK_BYTES:
                    buffer += more
                    continue
                if not buffer and not in_list:
                    return
                if not buffer:
                    raise ReadError(f"{name}: the JSON list is cut off after record {number}; export it again")
                raise ReadError(f"{name}: record {number + 1} is not valid JSON ({failure.msg})") from failure
            number += 1
            if not isinstance(record, Mapping):
                raise ReadError(
                    f"{name}: record {number} is {_shorten(json.dumps(record))} where an object was expected"
                )
            yield record
            buffer = buffer[end:]


_NO_RECORDS = re.compile(r'\{\s*"[^"]+"\s*:\s*\[\s*\]\s*\}\s*')
"""What a tool answers that found nothing."""


def _list_start(name: str, buffer: str, options: ReadOptions) -> int | None:
    """Find where the list of records begins inside an object; None means that the object itself is a record."""
    if _NO_RECORDS.fullmatch(buffer):
        return buffer.index("[")
    keys = (options.list_key,) if options.list_key else LIST_KEYS
    found = [
        (buffer.find(text), text)
        for key in keys
        for text in (f'"{key}":[', f'"{key}": [', f'"{key}" : [')
        if text in buffer
    ]
    if found:
        position, text = min(found)
        # An object per line whose records hold such a list is not a wrapper: a wrapper opens its list at the top level.
        if buffer[:position].count("{") - buffer[:position].count("}") == 1 and (
            options.list_key or (buffer[:position].count('":') <= 8 and "{" in buffer[position + len(text) :][:20])
        ):
            if not options.list_key and _is_json_line(buffer):
                return None
            return position + len(text) - 1
    if options.list_key:
        raise ReadError(f"{name}: the JSON has no list under '{options.list_key}'")
    return None


def _is_json_line(buffer: str) -> bool:
    first, _, rest = buffer.partition("\n")
    try:
        json.loads(first)
    except json.JSONDecodeError:
        return False
    return rest.lstrip().startswith("{")


def _workbook(name: str, opener: Callable[[], IO[bytes]], options: ReadOptions) -> Export:
    """Read the first sheet that has a header. A workbook is held whole: its format allows no other reading."""
    with opener() as file:
        try:
            book = fastexcel.read_excel(file.read())
        except fastexcel.FastExcelError as error:
            raise ReadError(f"{name}: is not a readable XLSX workbook ({_shorten(str(error))})") from error
    for sheet_name in book.sheet_names:
        sheet = book.load_sheet(sheet_name, header_row=None, dtypes="string")
        if sheet.width > 1 and sheet.height > 0:
            break
    else:
        raise ReadError(f"{name}: no sheet of the workbook has two columns and a header")
    whole = sheet.to_polars()
    header = [str(value).strip() if value is not None else "" for value in whole.row(0)]
    columns, groups = _named_columns(name, header, options)
    whole.columns = [str(position) for position in range(whole.width)]
    marks = list(options.null_marks)
    body = _gather(whole.slice(1), columns, groups).with_columns(
        pl.when(pl.col(columns).is_in(marks)).then(None).otherwise(pl.col(columns)).name.keep()
    )
    body = body.with_columns(pl.int_range(2, body.height + 2, dtype=pl.Int64).alias(LINE))
    body = body.filter(pl.any_horizontal(pl.col(columns).is_not_null()))
    return Export(name, columns, lambda _: body.iter_slices(CHUNK_ROWS))


def _parquet(name: str, opener: Callable[[], IO[bytes]], path: Path | None) -> Export:
    def scan() -> pl.LazyFrame:
        if path is not None:
            return pl.scan_parquet(path)
        with opener() as file:
            return pl.scan_parquet(io.BytesIO(file.read()))

    try:
        types = scan().collect_schema()
    except pl.exceptions.PolarsError as error:
        raise ReadError(f"{name}: is not a readable Parquet file ({_shorten(str(error))})") from error

    def as_text(column: str, dtype: pl.DataType) -> pl.Expr:
        expression = pl.col(column)
        if isinstance(dtype, pl.Datetime):
            if dtype.time_zone:
                expression = expression.dt.convert_time_zone("UTC")
            return expression.dt.strftime("%Y-%m-%dT%H:%M:%S" + ("Z" if dtype.time_zone else ""))
        if isinstance(dtype, pl.List):
            inner = pl.struct(expression.alias("v")).struct.json_encode()
            return inner.str.slice(5).str.strip_suffix("}").replace("null", None).alias(column)
        return expression.cast(pl.String)

    def read(_: list[BadRow]) -> Iterator[pl.DataFrame]:
        start = 1
        lazy = scan().select(as_text(column, dtype) for column, dtype in types.items())
        for chunk in lazy.collect_batches(chunk_size=CHUNK_ROWS):
            lines = pl.int_range(start, start + chunk.height, dtype=pl.Int64).alias(LINE)
            start += chunk.height
            yield chunk.with_columns(lines)

    return Export(name, list(types), read)


def _shorten(text: str, width: int = 120) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
