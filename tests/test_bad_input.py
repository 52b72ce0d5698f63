"""Bad input: a message that a person can act on, never a traceback, and what is published stays."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import exports
import pytest

from etl import cli, refresh


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A published warehouse that no bad input may harm."""
    file = exports.write(tmp_path / "good.csv", [exports.line(1, 0, "New", 1)])
    assert cli.run(["load", str(file), "--as", "servicenow", "--data", str(tmp_path / "data")]) == 0
    return tmp_path / "data"


def missing(folder: Path) -> Path:
    return folder / "none.csv"


def empty(folder: Path) -> Path:
    (folder / "empty.csv").touch()
    return folder / "empty.csv"


def blank(folder: Path) -> Path:
    (folder / "blank.csv").write_text("\ufeff\n\n")
    return folder / "blank.csv"


def a_folder(folder: Path) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def pdf(folder: Path) -> Path:
    (folder / "report.csv").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj")
    return folder / "report.csv"


def old_workbook(folder: Path) -> Path:
    (folder / "list.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100)
    return folder / "list.xls"


def image(folder: Path) -> Path:
    (folder / "list.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    return folder / "list.csv"


def truncated_gzip(folder: Path) -> Path:
    whole = gzip.compress("\n".join([exports.HEADER, *(exports.line(n, 0, "New", n) for n in range(5000))]).encode())
    (folder / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    return folder / "cut.csv.gz"


def truncated_zip(folder: Path) -> Path:
    exports.write(folder / "whole.csv", [exports.line(n, 0, "New", n) for n in range(500)])
    with zipfile.ZipFile(folder / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "whole.csv", "whole.csv")
    whole = (folder / "whole.zip").read_bytes()
    (folder / "cut.zip").write_bytes(whole[: len(whole) // 2])
    return folder / "cut.zip"


def cut_json(folder: Path) -> Path:
    (folder / "cut.json").write_text(
        '{"result": [{"number": "INC1", "state": "New", "opened_at": "2025-03-03 08:00:00"},'
    )
    return folder / "cut.json"


def wrong_delimiter(folder: Path) -> Path:
    (folder / "list.csv").write_text("number#incident_state#opened_at\nINC1#New#2025-03-03 08:00:00\n")
    return folder / "list.csv"


def duplicate_header(folder: Path) -> Path:
    (folder / "list.csv").write_text("number,state,opened_at,state\nINC1,New,2025-03-03 08:00:00,New\n")
    return folder / "list.csv"


def missing_id_column(folder: Path) -> Path:
    (folder / "list.csv").write_text("state,opened_at\nNew,2025-03-03 08:00:00\n")
    return folder / "list.csv"


def mixed_dates(folder: Path) -> Path:
    (folder / "list.csv").write_text("number,state,opened_at\nINC1,New,25/12/2025 08:00\nINC2,New,12/25/2025 08:00\n")
    return folder / "list.csv"


def undecidable_dates(folder: Path) -> Path:
    (folder / "list.csv").write_text("number,state,opened_at\nINC1,New,03/04/2025 08:00\nINC2,New,05/06/2025 08:00\n")
    return folder / "list.csv"


def one_line_of_2_gb(folder: Path) -> Path:
    member = gzip.compress(b"x" * (64 << 20), 1)
    with (folder / "line.csv.gz").open("wb") as file:
        file.write(gzip.compress(b"number,state,opened_at\n"))
        for _ in range(32):
            file.write(member)
    return folder / "line.csv.gz"


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (missing, 2, "none.csv: there is no such file"),
        (empty, 1, "empty.csv: the file is empty"),
        (blank, 1, "blank.csv: the file is empty"),
        (a_folder, 1, "folder: is a folder; name the files in it"),
        (pdf, 1, "report.csv: this is a PDF, not a table; export the list as CSV, XLSX or JSON"),
        (old_workbook, 1, "list.xls: this is an old .xls workbook; save it as .xlsx or CSV"),
        (image, 1, "list.csv: this is not text; Meantime reads CSV, JSON, XLSX and Parquet"),
        (truncated_gzip, 1, "cut.csv: the compressed file is cut off or damaged"),
        (truncated_zip, 1, "cut.zip: "),
        (cut_json, 1, "cut.json: the JSON list is cut off after record 1; export it again"),
        (wrong_delimiter, 1, "name the character between the columns with --delimiter or the key `delimiter`"),
        (duplicate_header, 1, "list.csv: the header names 'state' more than once; rename one"),
        (missing_id_column, 1, "list.csv: no column for incident_id (looked for 'number')"),
        (mixed_dates, 1, "'opened_at' mixes date formats: '25/12/2025 08:00' can only be day-first"),
        (undecidable_dates, 1, "say which with --date-format day_first or month_first, or the key `date_format`"),
        (one_line_of_2_gb, 1, "MB without a line break; this is not a table with one row a line"),
    ],
)
def test_a_file_that_cannot_be_read(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], Path],
    code: int,
    message: str,
) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    before = exports.content(data / "incidents.duckdb")
    archived = sorted((data / "raw").glob("*/*"))
    capsys.readouterr()
    assert cli.run(["load", str(make(folder)), "--as", "servicenow", "--data", str(data)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert exports.content(data / "incidents.duckdb") == before
    assert sorted((data / "raw").glob("*/*")) == archived


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--timezone", "Mars/Base"],
            "timezone: time zone 'Mars/Base' is unknown; use an IANA name such as Europe/Berlin",
        ),
        (["--as-of", "soon"], "as_of is 'soon'; write it like 2026-01-31T18:00:00Z"),
        (["--name", "../../etc"], "'../../etc' cannot name a source"),
        (["--map", "none.toml"], "none.toml: there is no such mapping file"),
        (["--encoding", "utf-9"], "encoding 'utf-9' is unknown; use for example utf-8, utf-16 or cp1252"),
        (["--delimiter", "ab"], "delimiter is 'ab'; it must be one character, such as ';' or a tab"),
        (
            ["--date-format", "dayfirst"],
            "date_format 'dayfirst' is not one of day_first, month_first, iso, nor a pattern",
        ),
    ],
)
def test_an_option_that_cannot_be_used(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    before = exports.content(data / "incidents.duckdb")
    file = exports.write(tmp_path / "list.csv", [exports.line(2, 0, "New", 2)])
    capsys.readouterr()
    assert cli.run(["load", str(file), "--as", "servicenow", "--data", str(data), *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert exports.content(data / "incidents.duckdb") == before


def test_an_unknown_status_rejects_its_row_and_names_the_key(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [exports.line(2, 0, "New", 2), exports.line(3, 0, "Awaiting Parts", 3)]
    file = exports.write(tmp_path / "list.csv", rows)
    assert cli.run(["load", str(file), "--as", "servicenow", "--data", str(data)]) == 3
    capsys.readouterr()
    assert cli.run(["rejects", "--data", str(data), "--format", "csv"]) == 0
    said = capsys.readouterr().out
    assert "status 'Awaiting Parts' is not one of" in said
    assert "map it under [sources.servicenow.status]" in said
    assert len(exports.content(data / "incidents.duckdb")["incidents"]) == 2
    assert cli.run(["rebuild", "--data", str(data)]) == 3


def test_a_locked_store_says_who_holds_it(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = exports.write(tmp_path / "list.csv", [exports.line(2, 0, "New", 2)])
    capsys.readouterr()
    with refresh.store.lock(data / "store", 0):
        assert cli.run(["load", str(file), "--as", "servicenow", "--data", str(data), "--wait", "0.2"]) == 1
    assert f"error: the store is in use by process {os.getpid()} since " in capsys.readouterr().err


def test_a_store_that_another_program_has_open_is_said_to_be_so(data: Path, tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import duckdb, sys\ncon = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()",
            str(data / "store" / "warehouse.duckdb"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    holder.stdout.readline()
    file = exports.write(tmp_path / "list.csv", [exports.line(2, 0, "New", 2)])
    for command in (["load", file, "--as", "servicenow"], ["rebuild"]):
        done = exports.meantime("--data", data, *command)
        assert done.returncode == 1
        assert "warehouse.duckdb is open in another program" in done.stderr
        assert "Traceback" not in done.stderr
    holder.stdin.close()
    holder.wait()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own is its user's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


UNPRIVILEGED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from dashboard import query
from etl import cli, sources
for kind in sources.kinds():
    sources.source(kind)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(cli.run(sys.argv[2:]))
"""


def as_another_user(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user who is not root; all is imported before, root's Python may be root's alone."""
    return subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(exports.ROOT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


def test_no_write_permission_is_said_and_harms_nothing(open_folder: Path) -> None:
    file = exports.write(open_folder / "list.csv", [exports.line(1, 0, "New", 1)])
    data = open_folder / "data"
    assert cli.run(["load", str(file), "--as", "servicenow", "--data", str(data)]) == 0
    before = exports.content(data / "incidents.duckdb")
    for folder in (data, data / "store", data / "raw", data / "versions"):
        folder.chmod(0o555)
    more = exports.write(open_folder / "more.csv", [exports.line(2, 0, "New", 2)])
    for path in (file, more):
        path.chmod(0o644)
    if os.geteuid() != 0:
        (data / "store" / "lock").chmod(0o444)
    for command in (["load", more, "--as", "servicenow"], ["rebuild"]):
        done = as_another_user("--data", data, *command)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith(f"error: {data / 'store'} cannot be written: Permission denied"), done.stderr
        assert done.stderr.count("\n") == 1
    status = as_another_user("--data", data, "status")
    assert status.returncode == 0, status.stderr
    for folder in (data, data / "store", data / "raw", data / "versions"):
        folder.chmod(0o755)
    assert exports.content(data / "incidents.duckdb") == before


def test_a_file_that_may_not_be_read_is_said(open_folder: Path) -> None:
    file = exports.write(open_folder / "list.csv", [exports.line(1, 0, "New", 1)])
    file.chmod(0)
    data = open_folder / "data"
    data.mkdir()
    data.chmod(0o777)
    done = as_another_user("--data", data, "load", file, "--as", "servicenow")
    assert done.returncode == 1
    assert done.stderr == f"error: servicenow: {file}: Permission denied\n"
