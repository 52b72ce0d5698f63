"""The SQL of every picture and table is what was asked for it, and runs as it stands."""

from __future__ import annotations

import doctest
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from streamlit.testing.v1 import AppTest

from dashboard import query, statements
from dashboard.record import Picture, Record, Table, Tiles

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "dashboard" / "app.py"
PAGES = sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))
WITHOUT = ("ask_the_data", "data_health", "definitions", "incidents")
"""Pages that draw no picture at first."""
FROM_ELSEWHERE = ("Freshness of each source", "All of them as a table")
"""Tables of what a version says of itself when it is opened: its sources, and the catalog with the SQL of each KPI."""


@pytest.fixture(scope="module")
def alone(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The published file as an analyst's shell opens it; one process opens a file in one way only, so a copy."""
    copied = tmp_path_factory.mktemp("copied") / "incidents.duckdb"
    published = query.version(sample)
    assert published is not None
    shutil.copyfile(published, copied)
    return duckdb.connect(copied, read_only=True)


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(statements).failed == 0


def parts(data: Path, page: str, **parameters: Any) -> list[Picture | Table]:
    """Draw a page and give its pictures and tables."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MEANTIME_DATA", str(data))
        app = AppTest.from_file(str(APP), default_timeout=180)
        app.switch_page(f"app_pages/{page}.py")
        for name, values in parameters.items():
            app.query_params[name] = values
        app.run()
    record: Record = app.session_state["_record"]
    return [part for part in record.taken if not isinstance(part, Tiles)]


def pictures(data: Path, page: str, **parameters: Any) -> list[Picture]:
    """Draw a page and give its pictures."""
    return [part for part in parts(data, page, **parameters) if isinstance(part, Picture)]


@pytest.mark.parametrize("page", PAGES)
def test_the_sql_of_every_picture_and_table_runs_as_it_stands_and_answers_the_same(
    page: str, sample: Path, alone: duckdb.DuckDBPyConnection
) -> None:
    drawn = [part for part in parts(sample, page, priority=["1", "2"]) if part.title not in FROM_ELSEWHERE]
    assert [part for part in drawn if isinstance(part, Picture)] or page in WITHOUT
    warehouse = query.open_data(sample)
    seen: set[statements.Statement] = set()
    for picture in drawn:
        assert picture.asked is not None, picture.title
        asked = picture.asked()
        assert asked, picture.title
        for one, sql in zip(
            dict.fromkeys(asked), statements.together(picture.title, "what is shown", asked), strict=True
        ):
            if one in seen:
                continue
            seen.add(one)
            assert sql.startswith(f"-- {picture.title}\n-- what is shown\n")
            assert len(alone.extract_statements(sql)) == 1
            values = {name: list(value) if isinstance(value, tuple) else value for name, value in one.values}
            wanted = warehouse.frame(one.text, values)
            assert_frame_equal(
                pl.DataFrame(alone.execute(sql).to_arrow_table()), wanted, check_row_order=False, check_dtypes=False
            )


def test_a_picture_has_the_sql_of_its_own_number(sample: Path) -> None:
    volume, resolve, take, contact = pictures(sample, "overview")
    for picture, name in ((volume, "incident_volume"), (resolve, "mttr"), (take, "mtta"), (contact, "fcr_rate")):
        assert picture.figure.asked is not None
        asked = picture.figure.asked()
        assert any(f"kpi.{name}(i)" in one.sql for one in asked), picture.title
        # The others are of its limits: the sums of its days.
        assert all(one.is_about(name) for one in asked), picture.title
    (moved,) = pictures(sample, "why_it_moved")
    assert any("grouping sets" in one.sql for one in moved.figure.asked())  # type: ignore[misc]
    shares = {picture.title: picture for picture in pictures(sample, "where_the_time_goes")}
    parts, handed = shares["What is the time to resolve made of?"], shares["Between whom are they handed over?"]
    assert any("history_begins_late" in one.sql for one in parts.figure.asked())  # type: ignore[misc]
    assert all("from_group" in one.sql for one in handed.figure.asked())  # type: ignore[misc]


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)))
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    texts,
    st.dates(date(1, 1, 1)),
    st.datetimes(datetime(1, 1, 1)).map(lambda when: when.replace(microsecond=0)),
    st.lists(texts, min_size=1, max_size=3),
)


@given(values, texts)
def test_whatever_is_bound_is_the_same_when_it_is_written(value: Any, text: str) -> None:
    question = f"select $x as x, '$x' as quoted, {statements.literal(text)} as y -- $x"
    sql = statements.bound(question, {"x": value})
    assert duckdb.sql(sql).fetchall() == [(value, "$x", text)]
