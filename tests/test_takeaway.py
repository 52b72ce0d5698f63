"""What is taken away says what the page says, to the last digit, and harms nobody who opens it."""

from __future__ import annotations

import ast
import csv
import doctest
import io
import re
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from streamlit.testing.v1 import AppTest

from dashboard import marked, numbers, query, record, sheets, takeaway
from dashboard.record import Record
from etl import config, refresh
from etl.config import Source
from etl.sources import Options

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "dashboard" / "app.py"
PAGES = sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))
WORDED = re.compile(r"[−-]?[\d.,]+[\u00a0 ]?(h|min|d|s|%|points)")
"""A number as a sentence says it: no spreadsheet can add it up."""
RUN = "=+-@＝\t"
TITLES = [
    '=HYPERLINK("http://evil","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "<script>alert(1)</script>",
    "long " + "x" * 10_000,
    "البريد معطل \u202eabc",
    "mail is down 🔥📨",
    "a, =1+1; =2+2",
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the sample exports."""
    data = tmp_path_factory.mktemp("sample")
    refresh.refresh(data, config.read(ROOT / "data" / "sample" / "meantime.toml"))
    return data


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which titles and groups attack whoever opens a file."""
    data = tmp_path_factory.mktemp("hostile")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Number", "Short description", "State", "Priority", "Assignment group", "Opened", "Resolved"])
    for at in range(60):
        day = date(2026, 1, 5) + timedelta(days=at)
        title = TITLES[at % len(TITLES)]
        group = [TITLES[0], TITLES[5], "Desk"][at % 3]
        writer.writerow(
            [
                f"INC{at:07}",
                title,
                "Resolved",
                "3 - Moderate",
                group,
                f"{day} 08:00:00",
                f"{day} {9 + at % 9:02d}:00:00",
            ]
        )
    file = data / "desk.csv"
    file.write_text(out.getvalue(), encoding="utf-8")
    refresh.load(data, Source("desk", "servicenow", Options("desk", timezone="Europe/Berlin")), [file])
    return data


def drawn(monkeypatch: pytest.MonkeyPatch, data: Path, page: str, **parameters: Any) -> Record:
    """Draw a page and give what it set."""
    monkeypatch.setenv("MEANTIME_DATA", str(data))
    app = AppTest.from_file(str(APP), default_timeout=180)
    app.switch_page(f"app_pages/{page}.py")
    for name, values in parameters.items():
        app.query_params[name] = values
    app.run()
    found: Record = app.session_state["_record"]
    assert not found.has_failed
    return found


@pytest.fixture(scope="module")
def pages(sample: Path) -> dict[str, Record]:
    """Every page on the sample, as it was drawn."""
    with pytest.MonkeyPatch.context() as patched:
        return {page: drawn(patched, sample, page) for page in PAGES}


@pytest.mark.parametrize("module", [marked, numbers, sheets], ids=lambda module: module.__name__)
def test_what_the_docstrings_say_is_so(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_set_from_parts_alone_so_that_all_of_it_is_in_its_report(page: str) -> None:
    tree = ast.parse((APP.parent / "app_pages" / f"{page}.py").read_text(encoding="utf-8"))
    told = {"title", "header", "subheader", "write", "text", "table", "dataframe", "metric", "image"}
    told |= {"vega_lite_chart", "altair_chart", "line_chart", "bar_chart"}
    past = [
        f"st.{node.attr}, line {node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "st"
        and node.attr in told
    ]
    assert past == []


def xlsx(content: bytes) -> dict[str, pl.DataFrame]:
    """Read every sheet of a workbook back."""
    found: dict[str, pl.DataFrame] = pl.read_excel(io.BytesIO(content), sheet_id=0, drop_empty_rows=False)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_and_table_comes_with_typed_rows_and_units_in_the_header(
    page: str, pages: dict[str, Record]
) -> None:
    for part in pages[page].taken:
        sheet = sheets.of_part(part)
        assert sheet is not None, part.title
        assert not sheet.frame.is_empty(), part.title
        for name, column in sheet.frame.to_dict().items():
            if column.dtype == pl.String:
                assert not [value for value in column if value and WORDED.fullmatch(value)], (part.title, name)
            if column.dtype == pl.Float64:
                assert name.endswith(("(hours)", "(share)", "(incidents)", "(in its unit)", "(p)")), (part.title, name)


@pytest.mark.parametrize("page", PAGES)
def test_the_workbook_of_a_page_keeps_every_number_to_15_digits_and_says_what_it_shows(
    page: str, pages: dict[str, Record]
) -> None:
    shown = pages[page]
    read = list(xlsx(takeaway.page_as_xlsx(shown)).items())
    wanted = sheets.of_page(shown)
    names = [name for name, _ in read]
    assert names[1 if wanted else 0] == "Definitions"
    tables = [frame for name, frame in read if name != "Definitions"]
    for sheet, frame in zip(wanted, tables, strict=True):
        assert frame.columns == sheet.frame.columns
        for name, column in sheet.frame.to_dict().items():
            if column.dtype.is_numeric():
                # A workbook keeps 15 digits.
                got = frame[name].cast(pl.Float64).to_list()
                assert got == [None if value is None else pytest.approx(value, rel=1e-15, abs=0) for value in column]
    definitions = dict(read)["Definitions"]
    said = "\n".join(str(value) for row in definitions.rows() for value in row if value is not None)
    said += "\n".join(definitions.columns)
    assert "Europe/Berlin" in said
    assert shown.stamp.shown in said
    assert "1 Jan 2026" in said.replace("\u00a0", " ")
    for one in shown.stamp.definitions:
        assert one.meaning in said


@pytest.mark.parametrize("page", PAGES)
def test_a_csv_says_what_it_shows_and_reads_back_as_it_was(page: str, pages: dict[str, Record]) -> None:
    shown = pages[page]
    for part in shown.taken:
        content = takeaway.as_csv(shown, part)
        remarks = [line for line in content.decode("utf-8-sig").splitlines() if line.startswith("# ")]
        assert f"# Shown: {shown.stamp.shown}".replace("\u00a0", " ") in remarks
        assert "# Published version: 1" in remarks
        assert len(remarks) >= 5 + len(shown.stamp.definitions)
        assert part.rows is not None
        wanted = part.rows().select(pl.selectors.numeric())
        read = pl.read_csv(content, comment_prefix="#", infer_schema_length=None)
        got = read.select(pl.col(name).cast(kind) for name, kind in wanted.schema.items())
        assert_frame_equal(got, wanted, check_exact=True)


def test_the_numbers_of_a_file_are_those_of_the_query_layer(pages: dict[str, Record], sample: Path) -> None:
    part = next(part for part in pages["overview"].taken if isinstance(part, record.Tiles))
    frame = part.rows()
    names = ["incident_volume", "mttr", "mtta", "fcr_rate", "backlog", "ack_rate", "reopen_rate", "sla_met_rate"]
    found = query.values(query.open_data(sample), names, query.Scope(date(2025, 10, 6), date(2025, 12, 28)))
    assert frame["Value (in its unit)"].to_list() == found["value"].to_list()
    assert frame["n"].to_list() == found["n"].to_list()


@pytest.mark.parametrize("page", ["incidents", "resolution", "volume_and_backlog"])
def test_no_cell_of_a_file_is_a_formula_and_hostile_texts_survive(
    page: str, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = drawn(monkeypatch, hostile, page)
    texts: set[str] = set()
    for part in shown.taken:
        content = takeaway.as_csv(shown, part).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(content)))
        for row in rows:
            assert not [cell for cell in row if cell.startswith(tuple(RUN)) and not _is_number(cell)]
        book = takeaway.as_xlsx(shown, part)
        assert b"<f>" not in _unzipped(book)
        for frame in xlsx(book).values():
            texts |= {value for column in frame.select(pl.col(pl.String)).iter_columns() for value in column if value}
    if page == "incidents":
        # A cell drops the tab around which the export's reader trimmed.
        assert {" ".join(title.split()) for title in TITLES} <= {" ".join(text.split()) for text in texts}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _unzipped(book: bytes) -> bytes:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist() if "worksheets/sheet" in name)


def test_two_tables_of_one_title_are_two_sheets() -> None:
    shown = Record("page", stamp=record.Stamp("all", "UTC", "1 Jan 2026", 7))
    frame = pl.DataFrame({"A": [1]})
    name = "What [is] this? A title: that is longer than a sheet's name may be"
    read = xlsx(sheets.to_xlsx([sheets.Sheet(name, frame), sheets.Sheet(name, frame)], "Page", shown))
    assert list(read) == ["What  is  this  A title  that i", "Definitions", "What  is  this  A title  that 2"]
