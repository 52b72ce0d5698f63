"""Every form that an export comes in is read to the same rows; a file that cannot be read says why."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import reading
from etl.reading import LINE, ReadError, ReadOptions, open_exports

ROWS = [{"Number": "INC1", "Opened": "2025-03-03 08:00:00"}, {"Number": "Ünï", "Opened": None}]
EXPECTED = [("INC1", "2025-03-03 08:00:00"), ("Ünï", None)]


def table(delimiter: str = ",", end: str = "\n") -> str:
    lines = [["Number", "Opened"], *([row["Number"] or "", row["Opened"] or ""] for row in ROWS)]
    return end.join(delimiter.join(line) for line in lines) + end


def workbook() -> bytes:
    target = io.BytesIO()
    pl.DataFrame(ROWS, schema={"Number": pl.String, "Opened": pl.String}).with_columns(
        pl.col("Opened").str.to_datetime()
    ).write_excel(target)
    return target.getvalue()


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.csv", content)
    return target.getvalue()


def parquet() -> bytes:
    target = io.BytesIO()
    pl.DataFrame(ROWS, schema={"Number": pl.String, "Opened": pl.String}).write_parquet(target)
    return target.getvalue()


FORMS = {
    "comma": table().encode(),
    "semicolon": table(";").encode(),
    "tab": table("\t").encode(),
    "pipe": table("|").encode(),
    "carriage returns": table(end="\r\n").encode(),
    "separator line": ("sep=;\n" + table(";")).encode(),
    "byte order mark": table().encode("utf-8-sig"),
    "UTF-16": table().encode("utf-16"),
    "UTF-16 without a mark": table().encode("utf-16-le"),
    "Windows-1252": table().encode("cp1252"),
    "gzip": gzip.compress(table().encode()),
    "zip": zipped(one=table().encode()),
    "JSON array": json.dumps(ROWS).encode(),
    "JSON object": json.dumps({"result": ROWS}).encode(),
    "JSON lines": "\n".join(json.dumps(row) for row in ROWS).encode(),
    "Parquet": parquet(),
    "workbook": workbook(),
}


def put(tmp_path: Path, content: bytes, name: str = "export.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    (export,) = open_exports(put(tmp_path, FORMS[form]))
    rows = pl.concat(export.chunks()).select("Number", "Opened").rows()
    assert [(number, opened and opened.replace("T", " ")[:19]) for number, opened in rows] == EXPECTED


def test_a_zip_gives_one_export_for_each_file(tmp_path: Path) -> None:
    found = open_exports(put(tmp_path, zipped(b=table().encode(), a=table(";").encode()), "two.zip"))
    assert [export.name for export in found] == ["two.zip/a.csv", "two.zip/b.csv"]


def test_an_export_can_be_read_again(tmp_path: Path) -> None:
    (export,) = open_exports(put(tmp_path, FORMS["gzip"]))
    assert pl.concat(export.chunks()).equals(pl.concat(export.chunks()))


def test_lines_count_the_breaks_inside_of_quotes(tmp_path: Path) -> None:
    (export,) = open_exports(put(tmp_path, b'a,b\n1,"x\ny"\n2,z\n'))
    assert pl.concat(export.chunks())[LINE].to_list() == [2, 4]


def test_a_row_of_another_width_is_kept_apart_with_its_text(tmp_path: Path) -> None:
    (export,) = open_exports(put(tmp_path, b"a,b\n1,2\n3\n4,5,6\n7,8\n"))
    frame = pl.concat(export.chunks())
    assert frame.rows() == [("1", "2", 2), ("7", "8", 5)]
    assert [(row.line, row.text, row.reason) for row in export.bad_rows] == [
        (3, "3", "has 1 columns where the header has 2"),
        (4, "4,5,6", "has 3 columns where the header has 2"),
    ]


def test_null_marks_are_null_and_can_be_others(tmp_path: Path) -> None:
    file = put(tmp_path, b"a,b\n?,-\n")
    assert open_exports(file)[0].head().select("a", "b").rows() == [(None, "-")]
    assert open_exports(file, ReadOptions(null_marks=("-",)))[0].head().select("a", "b").rows() == [("?", None)]


def test_nested_json_gets_dotted_names_and_keeps_lists(tmp_path: Path) -> None:
    text = json.dumps([{"id": 1, "service": {"name": "Mail"}, "tags": ["a"], "open": True}])
    (export,) = open_exports(put(tmp_path, text.encode(), "x.json"))
    assert export.head().drop(LINE).rows(named=True) == [
        {"id": "1", "service.name": "Mail", "tags": '["a"]', "open": "true"}
    ]


TEXTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from(["", "a", "ü\n"]), st.lists(st.integers(), max_size=2)
)
KEYS = st.sampled_from(["a", "b", "a.b"])
RECORDS = st.dictionaries(
    KEYS, st.one_of(TEXTS, st.dictionaries(KEYS, st.one_of(TEXTS, st.dictionaries(KEYS, TEXTS)))), max_size=3
)


def leaves(record: dict[str, Any], prefix: str = "") -> dict[str, str | None]:
    """Say what a record's row is, one value after the other: the later of two that share a name counts."""
    row: dict[str, str | None] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            row.update(leaves(value, f"{prefix}{key}."))
        elif value in (None, "", []):
            row[prefix + key] = None
        else:
            row[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return row


@given(st.lists(RECORDS, max_size=6), st.integers(1, 4))
def test_records_of_any_shapes_are_rows_of_all_their_columns(records: list[dict[str, Any]], at_once: int) -> None:
    frames = list(reading.frames_of(records, rows_at_once=at_once))
    rows = [row for frame in frames for row in frame.rows(named=True)]
    assert [row.pop(LINE) for row in rows] == list(range(1, len(records) + 1))
    wanted = [leaves(record) for record in records]
    for start, frame in zip(range(0, len(records), at_once), frames, strict=True):
        names = dict.fromkeys(name for row in wanted[start : start + at_once] for name in row)
        assert frame.columns == [*names, LINE]
        for row, leaf in zip(rows[start:], wanted[start : start + at_once], strict=False):
            assert row == {**dict.fromkeys(names), **leaf}


def test_records_without_any_column_are_rows(tmp_path: Path) -> None:
    (export,) = open_exports(put(tmp_path, b'[{"labels": {}}, {}]'))
    assert [chunk.to_dicts() for chunk in export.chunks()] == [[{LINE: 1}, {LINE: 2}]]


def test_json_lines_whose_records_hold_lists_are_not_taken_for_a_wrapper(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"id": n, "items": [{"x": 1}]}) for n in (1, 2))
    (export,) = open_exports(put(tmp_path, lines.encode(), "x.jsonl"))
    assert export.head()["id"].to_list() == ["1", "2"]


def test_repeated_columns_can_be_joined(tmp_path: Path) -> None:
    file = put(tmp_path, b"Key,Labels,Labels\n1,a,b\n2,c,\n")
    (export,) = open_exports(file, ReadOptions(repeated_columns="list"))
    assert export.head().select("Key", "Labels").rows() == [("1", "a\nb"), ("2", "c")]


BAD = {
    "empty file": (b"", "the file is empty"),
    "blank file": (b"\n \n", "the file is empty"),
    "PDF": (b"%PDF-1.7 ...", "this is a PDF"),
    "truncated gzip": (gzip.compress(bytes(range(256)) * 4000)[:-200], "cut off or damaged"),
    "wrong delimiter": (b"Number:Opened\n1:2\n", "only one column was found"),
    "duplicate header": (b"Number,Opened,Number\n1,2,3\n", "names 'Number' more than once"),
    "cut JSON": (b'[{"a": 1}, {"a"', "record 2 is not valid JSON"),
    "one endless line": (b"a,b\n" + b"x" * (80 << 20), "without a line break"),
    "an unclosed quote": (b'a,b\n1,"2\n' + b"3,4\n" * (12 << 20), "longer than|cannot be read"),
    "an unclosed quote near the end": (b'a,b\n5,6\n1,"2\n' + b"3,4\n" * 9, "opens in line 3 is never closed"),
    "numbers only": (b"[1, 2]", "record 1 is 1 where an object was expected"),
    "an answer without records": (b'{"result": []}', "holds no records"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, case: str) -> None:
    content, said = BAD[case]
    with pytest.raises(ReadError, match=said):
        for export in open_exports(put(tmp_path, content)):
            list(export.chunks())


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="there is no such file"):
        open_exports(tmp_path / "none.csv")


def test_an_unknown_encoding_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="encoding 'klingon' is unknown"):
        open_exports(put(tmp_path, table().encode()), ReadOptions(encoding="klingon"))


def test_json_on_one_line_may_be_longer_than_any_line_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.reading.LONGEST_LINE_BYTES", 100)
    file = tmp_path / "list.json"
    file.write_text('{"result": [' + ",".join(f'{{"number": "INC{at}"}}' for at in range(50)) + "]}")
    assert sum(chunk.height for chunk in open_exports(file)[0].chunks()) == 50


def test_large_records_make_small_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK_CHARACTERS", 1000)
    file = tmp_path / "issues.jsonl"
    file.write_text("".join(json.dumps({"id": number, "text": "x" * 400}) + "\n" for number in range(7)))
    (export,) = open_exports(file)
    chunks = list(export.chunks())
    assert [chunk.height for chunk in chunks] == [3, 3, 1]
    assert [line for chunk in chunks for line in chunk[LINE]] == list(range(1, 8))
