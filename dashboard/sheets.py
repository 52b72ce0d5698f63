"""Tables as files: CSV and XLSX, typed, with what they show written beside them, and with no cell that is a formula.

A text that a spreadsheet would run (OWASP's list of CSV injection) gets an apostrophe in a CSV; in a workbook it is written
as the text that it is. Numbers stay numbers in both.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import polars as pl

from dashboard import marked
from dashboard.record import Definition, Record, Stamp, Taken

RUN = re.compile(r"(^|[,;\t|])(\s*[=+\-@＝＋－＠\t\r])")
"""Where a spreadsheet would begin to calculate: at the start of a cell, and after what another one may take for its end."""
MOST_SIGNS = 32_767
"""What a cell of a workbook holds."""
MOST_WIDE = 60


class Sheet(NamedTuple):
    """One table with its name."""

    title: str
    frame: pl.DataFrame


def harmless(text: str) -> str:
    """Set an apostrophe before what a spreadsheet would run.

    >>> harmless("=1+1"), harmless("a - b"), harmless("@SUM(A1)")
    ("'=1+1", 'a - b', "'@SUM(A1)")
    """
    return f"'{text}" if re.match(r"\s*[=+\-@＝＋－＠\t\r]", text) or (text[:1] in "\t\r" and text) else text


def _within(text: str) -> str:
    """Make a remark harmless wherever a spreadsheet may cut it into cells."""
    return RUN.sub(r"\1'\2", " ".join(text.split()))


def to_csv(sheet: Sheet, record: Record, subtitle: str = "") -> bytes:
    """Write a table as CSV: what it shows as remarks that begin with #, then a header and the rows; UTF-8."""
    text = io.StringIO()
    for name, said in about(sheet.title, record, subtitle):
        text.write(f"# {_within(f'{name}: {said}')}\n")
    for one in record.stamp.definitions:
        text.write(
            f"# {_within(f'{one.title} ({one.macro}), {one.unit}, counted at {one.counted_at}: {one.meaning}')}\n"
        )
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([harmless(name) for name in sheet.frame.columns])
    writer.writerows([_csv_cell(value) for value in row] for row in sheet.frame.iter_rows())
    # Excel takes a file without this mark for one of an old code page.
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (list, tuple)):
        return harmless(", ".join(map(str, value)))
    return value


def about(title: str, record: Record, subtitle: str = "") -> list[tuple[str, str]]:
    """Say what a file is and what it shows."""
    page = marked.plain(record.title)
    first = [("Title", title if title == page else f"{page}: {title}")]
    return [*first, *([("About", subtitle)] if subtitle else []), *record.stamp.lines()]


def to_xlsx(sheets: Sequence[Sheet], title: str, record: Record, subtitle: str = "") -> bytes:
    """Write a workbook: the first table, then what it shows and what its KPIs mean, then the other tables."""
    import xlsxwriter

    out = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, {"in_memory": True, "nan_inf_to_errors": False, **plain})
    book.set_properties({"title": title, "comments": record.stamp.shown})
    styles = _Styles(book)
    taken: set[str] = set()
    lines = about(title, record, subtitle)
    for sheet in sheets[:1]:
        _write(book.add_worksheet(_name(sheet.title, taken)), sheet.frame, styles)
    _define(book.add_worksheet(_name("Definitions", taken)), lines, record.stamp, styles)
    for sheet in sheets[1:]:
        _write(book.add_worksheet(_name(sheet.title, taken)), sheet.frame, styles)
    book.close()
    return out.getvalue()


class _Styles:
    """How cells look."""

    def __init__(self, book: Any) -> None:
        """Register them in a workbook."""
        font = {"font_name": "Calibri", "font_size": 11}
        self.header = book.add_format({**font, "bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.bold = book.add_format({**font, "bold": True, "valign": "top"})
        self.text = book.add_format({**font, "valign": "top"})
        self.wrapped = book.add_format({**font, "valign": "top", "text_wrap": True})
        self.hours = book.add_format({**font, "num_format": "#,##0.00"})
        self.share = book.add_format({**font, "num_format": "0.0%"})
        self.whole = book.add_format({**font, "num_format": "#,##0"})
        self.day = book.add_format({**font, "num_format": "yyyy-mm-dd", "align": "left"})
        self.moment = book.add_format({**font, "num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})

    def of(self, name: str, kind: pl.DataType) -> Any:
        """Choose the format of a column."""
        if kind == pl.Date:
            return self.day
        if isinstance(kind, pl.Datetime):
            return self.moment
        if kind.is_integer():
            return self.whole
        if kind.is_float():
            return self.share if name.endswith("(share)") else self.hours if name.endswith("(hours)") else None
        return self.text


def _write(page: Any, frame: pl.DataFrame, styles: _Styles) -> None:
    page.freeze_panes(1, 0)
    for column, (name, kind) in enumerate(frame.schema.items()):
        style = styles.of(name, kind)
        page.write_string(0, column, name[:MOST_SIGNS], styles.header)
        widest = len(max(name.split(), key=len, default=""))
        for row, value in enumerate(frame[name], start=1):
            _cell(page, row, column, value, style)
            widest = max(widest, len(value) if isinstance(value, str) else 10 if value is not None else 0)
        page.set_column(column, column, min(MOST_WIDE, widest + 2))
    if frame.height:
        page.autofilter(0, 0, frame.height, frame.width - 1)


def _cell(page: Any, row: int, column: int, value: Any, style: Any) -> None:
    if value is None or (isinstance(value, float) and not -1e308 < value < 1e308):
        return
    if isinstance(value, bool):
        page.write_boolean(row, column, value, style)
    elif isinstance(value, (int, float)):
        page.write_number(row, column, value, style)
    elif isinstance(value, (datetime, date)):
        page.write_datetime(row, column, value, style)
    else:
        text = ", ".join(map(str, value)) if isinstance(value, (list, tuple, pl.Series)) else str(value)
        page.write_string(row, column, text[:MOST_SIGNS], style)


def _define(page: Any, lines: Sequence[tuple[str, str]], stamp: Stamp, styles: _Styles) -> None:
    for column, width in enumerate((34, 26, 14, 18, 90)):
        page.set_column(column, column, width)
    for row, (name, said) in enumerate(lines):
        page.write_string(row, 0, name, styles.bold)
        page.write_string(row, 1, said[:MOST_SIGNS], styles.text)
    if not stamp.definitions:
        return
    start = len(lines) + 1
    for column, name in enumerate(("KPI", "Macro", "Unit", "Counted at", "Meaning")):
        page.write_string(start, column, name, styles.header)
    for row, one in enumerate(stamp.definitions, start=start + 1):
        for column, value in enumerate(Definition._asdict(one).values()):
            page.write_string(row, column, value, styles.wrapped)


def _name(title: str, taken: set[str]) -> str:
    """Make a title the name of a sheet: 31 signs at most, none that Excel forbids, and none twice."""
    base = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", title).strip(" '")[:31].strip(" '") or "Table"
    name, number = base, 2
    while name.lower() in taken or name.lower() == "history":
        name, number = f"{base[: 30 - len(str(number))]} {number}", number + 1
    taken.add(name.lower())
    return name


def of_part(part: Taken) -> Sheet | None:
    """Give the table of a part; None of a picture that brings no rows."""
    return None if part.rows is None else Sheet(part.title, part.rows())


def of_page(record: Record) -> list[Sheet]:
    """Give every table of a page, and the rows of every picture."""
    found = [of_part(part) for part in record.taken]
    return [sheet for sheet in found if sheet is not None]
