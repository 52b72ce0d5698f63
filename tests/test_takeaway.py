"""What is taken away says what the page says, to the last digit, and harms nobody who opens it."""

from __future__ import annotations

import ast
import csv
import doctest
import html
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import streamlit
from polars.testing import assert_frame_equal
from streamlit.testing.v1 import AppTest

from dashboard import marked, plate, press, query, record, rendering, report, sheets, tabulated, takeaway
from dashboard.charts.palette import DARK, LIGHT
from dashboard.record import Record
from etl import refresh
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


@pytest.mark.parametrize("module", [marked, tabulated, sheets], ids=lambda module: module.__name__)
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


@pytest.fixture(scope="module")
def hostile_pages(hostile: Path) -> dict[str, Record]:
    """Pages on which every free text is an attack."""
    with pytest.MonkeyPatch.context() as patched:
        return {page: drawn(patched, hostile, page) for page in ("incidents", "resolution")}


@pytest.fixture(scope="module")
def files(pages: dict[str, Record], hostile_pages: dict[str, Record]) -> dict[str, dict[str, bytes]]:
    """Every page as PDF and HTML; the hostile ones under names of their own."""
    jobs = [
        (name, ending, make, shown)
        for name, shown in [*pages.items(), *((f"hostile {page}", one) for page, one in hostile_pages.items())]
        for ending, make in takeaway.makers().items()
        if ending != "xlsx"
    ]
    found: dict[str, dict[str, bytes]] = {}
    with pytest.MonkeyPatch.context() as patched:
        # A process for each would begin its engine thirty times; other tests go through one.
        patched.setattr(rendering, "press", lambda job: press.do(json.loads(json.dumps(job))))
        for name, ending, make, shown in jobs:
            found.setdefault(name, {})[ending] = make(shown)
    return found


def pdf_text(content: bytes) -> str:
    """Read a PDF's text back."""
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext, of Debian's poppler-utils")
    done = subprocess.run(["pdftotext", "-", "-"], input=content, capture_output=True, check=True)
    return done.stdout.decode()


def html_text(content: bytes) -> str:
    """Read what an HTML file says, without its drawings."""
    body = content.decode().split("<body>", 1)[1]
    return html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)))


def squeezed(text: str) -> str:
    """Leave out what a line may break at: pdftotext takes a hyphen at its end for one that only the break needs."""
    return re.sub(r"[\s-]+", "", text)


def sentences_of(shown: Record) -> list[str]:
    """Everything that a page says in words and numbers, tables apart."""
    found = [shown.stamp.shown, shown.stamp.zone, *shown.stamp.foot, *(one.meaning for one in shown.stamp.definitions)]
    for part in shown.parts:
        if isinstance(part, record.Text):
            found.append(marked.plain(part.markdown.removeprefix("- ")))
        elif isinstance(part, record.Tiles):
            for tile in part.tiles:
                found += [tile.title, tile.value, *(marked.plain(line) for line in tile.lines)]
        elif isinstance(part, record.Picture):
            found.append(part.figure.subtitle)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_pdf_says_every_sentence_number_and_cell_of_its_page(
    page: str, pages: dict[str, Record], files: dict[str, dict[str, bytes]]
) -> None:
    shown = pages[page]
    # A sentence may go on on the next sheet, behind the first one's foot.
    foot = re.escape(squeezed(f"{marked.plain(shown.title)} · {shown.stamp.shown}")) + r"\d+/\d+"
    text = re.sub(foot, "", squeezed(pdf_text(files[page]["pdf"])))
    assert [one for one in sentences_of(shown) if squeezed(one) not in text] == []
    # The lines of neighbouring cells may follow each other, so that only words stay together.
    taken = [
        part for part, fold in shown.entries if isinstance(part, record.Table) and (not fold or page != "overview")
    ]
    words_of = [word for part in taken for word in words_in(part)]
    assert [word for word in words_of if squeezed(word) not in text] == []


def words_in(table: record.Table) -> set[str]:
    cells = {
        rendering.cell(value, table.units.get(name, ""))[: rendering.MOST_SIGNS]
        for name in table.shown.columns
        for value in table.shown[name]
    }
    return {word for cell in {*cells, *table.shown.columns} for word in cell.split()}


def test_what_a_page_folds_away_follows_it_in_the_pdf_on_sheets_of_its_own(
    pages: dict[str, Record], files: dict[str, dict[str, bytes]]
) -> None:
    first, *others = pdf_text(files["resolution"]["pdf"]).removesuffix("\f").split("\f")
    folds = list(dict.fromkeys(fold for _, fold in pages["resolution"].entries if fold))
    assert folds == ["The numbers behind this curve", "The numbers behind the picture"]
    assert [fold in first for fold in folds] == [False, False]
    at = next(place for place, sheet in enumerate(others) if sheet.startswith(folds[0]))
    assert all("kpi.mttr_p90" not in sheet for sheet in others[at:])


@pytest.mark.parametrize("page", PAGES)
def test_an_html_file_says_every_sentence_number_and_cell_of_its_page(
    page: str, pages: dict[str, Record], files: dict[str, dict[str, bytes]]
) -> None:
    text = squeezed(html_text(files[page]["html"]))
    assert [one for one in sentences_of(pages[page]) if squeezed(one) not in text] == []
    for part in pages[page].taken:
        if isinstance(part, record.Table):
            cells = [
                rendering.cell(value, part.units.get(name, ""))
                for name in part.shown.columns
                for value in part.shown[name]
            ]
            assert [one for one in cells if squeezed(one) not in text] == []
    drawings = len([part for part in pages[page].taken if isinstance(part, record.Picture)])
    assert files[page]["html"].count(b"<figure>") == drawings


def test_the_overview_prints_on_one_sheet(files: dict[str, dict[str, bytes]]) -> None:
    assert pdf_text(files["overview"]["pdf"]).count("\f") == 1


def test_an_html_file_fetches_nothing_and_runs_nothing(files: dict[str, dict[str, bytes]]) -> None:
    for page, made in files.items():
        text = made["html"].decode()
        assert "default-src 'none'" in text
        assert not re.search(r"<(script|link|iframe|img|object|embed|form)\b", text), page
        assert not re.search(r"""\b(src|href)\s*=\s*["'](?!#|data:)""", text), page
        assert not re.search(r"<[^>]*\son\w+\s*=", text), page


def test_hostile_texts_survive_on_paper_and_in_the_browser(files: dict[str, dict[str, bytes]]) -> None:
    text = squeezed(html_text(files["hostile incidents"]["html"]))
    assert [title for title in TITLES if squeezed(title) not in text] == []
    printed = squeezed(pdf_text(files["hostile incidents"]["pdf"]))
    assert "<script>alert(1)</script>" in printed
    assert '=HYPERLINK("http://evil","x")' in printed
    # Who reads right to left gets it so; the order of the signs is the reader's program's.
    assert set("البريدمعطل") <= set(printed)
    # A picture names a group as far as there is room.
    assert "<script>alert" in squeezed(pdf_text(files["hostile resolution"]["pdf"]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_carries_its_question_what_it_shows_and_what_that_means(
    theme: str, pages: dict[str, Record], hostile_pages: dict[str, Record]
) -> None:
    shown = (pages if theme == "light" else hostile_pages)["resolution"]
    part = [one for one in shown.taken if isinstance(one, record.Picture)][-2]
    files = takeaway.files_of(shown, part)
    assert list(files) == ["csv", "xlsx", "png", "svg"]
    drawing = ET.fromstring(files["svg"]())
    said = squeezed(" ".join(drawing.itertext()))
    for one in (part.title, part.figure.subtitle, part.figure.alt, shown.stamp.shown, shown.stamp.zone):
        assert squeezed(one) in said
    assert all(squeezed(one.meaning) in said for one in shown.stamp.definitions)
    assert not [element for element in drawing.iter() if element.tag.endswith("script")]
    wide, high = plate.size_of(files["svg"]().decode())
    png = files["png"]()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (2 * wide, 2 * high)


def test_a_dark_page_is_light_on_paper() -> None:
    from dashboard import tones

    tints = rendering.light_tints(DARK)
    assert tints[DARK.ink] == LIGHT.ink
    assert [tints[one] for one in DARK.series] == list(LIGHT.series)
    mixture = tones.mixed(DARK.series[1], DARK.paper, 0.55)
    assert tints[mixture] == tones.mixed(LIGHT.series[1], LIGHT.paper, 0.55)
    assert rendering.light_tints(LIGHT) == {}


def test_without_the_extra_what_it_draws_is_not_offered_and_a_sentence_says_how_to_get_it(
    pages: dict[str, Record], sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "is_there", lambda: False)
    part = next(one for one in pages["overview"].taken if isinstance(one, record.Picture))
    assert list(takeaway.files_of(pages["overview"], part)) == ["csv", "xlsx"]
    assert list(takeaway.makers()) == ["xlsx"]
    monkeypatch.setenv("MEANTIME_DATA", str(sample))
    app = AppTest.from_file(str(APP), default_timeout=180)
    app.run()
    app.button(key="take-page").click().run()
    assert takeaway.WITHOUT in [one.value for one in app.caption]
    assert [one.label for one in app.get("download_button")] == ["XLSX"]
    with pytest.raises(report.UsageError, match="the extra `report`"):
        report.maker_of(Path("overview.pdf"))


def test_a_file_that_cannot_be_drawn_is_a_sentence() -> None:
    with pytest.raises(rendering.RenderingError, match="the file could not be drawn"):
        rendering.press({"to": "svgs", "charts": [{"mark": "no such mark"}]})


@pytest.mark.parametrize("page", ["overview", "resolution"])
def test_the_command_makes_what_the_page_makes(
    page: str, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from etl.cli import run

    file = tmp_path / "report.xlsx"
    told = ["--since", "2025-07-01", "--until", "2025-09-30", "--where", "priority=1", "--where", "priority=2"]
    assert run(["report", "--data", str(sample), "--page", page, *told, "--out", str(file)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{file}\n", "")
    url = {"since": ["2025-07-01"], "until": ["2025-09-30"], "priority": ["1", "2"]}
    shown = drawn(monkeypatch, sample, page, **url)
    assert shown.stamp.shown.startswith("P1 and P2 · ")
    wanted = [sheet.frame for sheet in sheets.of_page(shown)]
    got = [frame for name, frame in xlsx(file.read_bytes()).items() if name != "Definitions"]
    for one, other in zip(got, wanted, strict=True):
        assert_frame_equal(
            one.select(pl.selectors.numeric().cast(pl.Float64)),
            other.select(one.select(pl.selectors.numeric()).columns).cast(pl.Float64),
            check_exact=False,
            rel_tol=1e-15,
            abs_tol=0,
        )


def test_the_command_says_in_a_sentence_what_is_wrong(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from etl.cli import run

    out = ["--out", str(tmp_path / "r.xlsx")]
    for arguments, code, sentence in (
        (["--page", "resolutoin", *out], 2, "did you mean 'resolution'?"),
        (["--out", str(tmp_path / "r.docx")], 2, "r.docx: the name of a report ends in one of .pdf, .html, .xlsx"),
        (["--where", "priority=9", *out], 2, "no incident has priority '9'"),
        (["--where", "colour=red", *out], 2, "a page cannot be filtered by 'colour', but by source, priority"),
        (["--since", "2025-02-01", "--until", "2025-01-01", *out], 2, "lies after the last one"),
        (["--grain", "fortnight", *out], 2, "grain 'fortnight' is not one of day, week"),
        (["--with", "grian=month", *out], 2, "the page 'overview' or these data do not know grian: month"),
        (["--with", "period=bogus", *out], 2, "do not know period: bogus"),
        (["--page", "explore", "--with", "kpi=nope", *out], 2, "do not know kpi: nope"),
        (["--page", "why_it_moved", "--with", "moved_kpi=nope", *out], 2, "do not know moved_kpi: nope"),
        (["--out", str(tmp_path / "no" / "r.xlsx")], 1, "cannot be written (No such file or directory)"),
    ):
        assert run(["report", "--data", str(sample), *arguments]) == code
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
        assert sentence in said.err
    assert run(["report", "--data", str(tmp_path / "nothing"), *out]) == 1
    assert "holds no published warehouse yet" in capsys.readouterr().err

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(query, "changes", broken)
    streamlit.cache_data.clear()
    capsys.readouterr()
    assert run(["report", "--data", str(sample), *out]) == 1
    assert capsys.readouterr().err.startswith("error: unexpected ZeroDivisionError; details are in ")
    assert list(tmp_path.iterdir()) == []


def test_a_report_takes_what_the_url_of_its_page_may_say(sample: Path, tmp_path: Path) -> None:
    for page, told in (
        ("explore", {"kpi": "mtta", "by": "priority", "picture": "bars"}),
        ("why_it_moved", {"moved_kpi": "Mean time to acknowledge"}),
        ("overview", {"period": "4w", "grain": "day"}),
    ):
        report.write(sample, page, {name: [value] for name, value in told.items()}, tmp_path / f"{page}.html")


def test_a_report_wears_what_the_configuration_says(sample: Path, tmp_path: Path) -> None:
    settings = tmp_path / "meantime.toml"
    settings.write_text(
        'timezone = "Europe/Berlin"\nlocale = "de-DE"\n[brand]\nname = "Acme <Desk>"\ncolour_light = "#7A1F5C"\n',
        encoding="utf-8",
    )
    file = tmp_path / "report.html"
    command = [sys.executable, "-m", "etl", "report", "--data", str(sample), "--config", str(settings)]
    done = subprocess.run([*command, "--out", str(file)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert "<strong>Acme &lt;Desk&gt;</strong>" in text
    assert "1.783" in html_text(text.encode())
    assert "#7A1F5C" in text
    assert "#1F5FAE" not in text
