"""Questions in SQL: answered by a fenced process, and nothing else is done, whatever is asked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import duckdb
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import asking, drawn, fenced
from dashboard.asking import Question, TooManyError
from dashboard.charts import palette
from etl import config, refresh

ROOT = Path(__file__).resolve().parents[1]
LIGHT = palette.themed(lambda _: None, dark=False)
REFUSED = {
    "copy incidents to '{folder}/out.csv'": "only questions",
    "copy (select 1) to '{folder}/out.parquet' (format parquet)": "only questions",
    "copy incidents from '{file}'": "only questions",
    "export database '{folder}/out'": "only questions",
    "import database '{folder}/out'": "only questions",
    "attach '{folder}/other.duckdb'": "only questions",
    "attach '{folder}/other.duckdb' as other (type sqlite)": "only questions",
    "detach memory": "only questions",
    "use memory": "only questions",
    "install httpfs": "only questions",
    "force install httpfs from community": "only questions",
    "load httpfs": "only questions",
    "load '{folder}/x.duckdb_extension'": "only questions",
    "pragma enable_profiling": "only questions",
    "pragma database_list": "only questions",
    "set threads = 64": "only questions",
    "set enable_external_access = true": "only questions",
    "set lock_configuration = false": "only questions",
    "reset memory_limit": "only questions",
    "set variable x = 1": "only questions",
    "create table mine as select 1": "only questions",
    "create temp table mine as select 1": "only questions",
    "create or replace macro kpi.mttr(i) as 0": "only questions",
    "create secret s (type s3, key_id 'a', secret 'b')": "only questions",
    "insert into incidents select * from incidents": "only questions",
    "update incidents set title = ''": "only questions",
    "delete from incidents": "only questions",
    "drop table incidents": "only questions",
    "alter table incidents drop column title": "only questions",
    "truncate incidents": "only questions",
    "checkpoint": "only questions",
    "vacuum": "only questions",
    "begin": "only questions",
    "call pragma_version()": "only questions",
    "select 1; drop table incidents": "one question",
    "select 1; select 2": "one question",
    "with gone as (delete from incidents returning *) select * from gone": "Error",
    "select * from read_csv('{file}')": "disabled",
    "select * from read_text('{file}')": "disabled",
    "select * from read_blob('{file}')": "disabled",
    "select * from read_json('{file}')": "disabled",
    "select * from read_parquet('{file}')": "disabled",
    "select * from read_csv('http://127.0.0.1:9/x.csv')": "Error",
    "select * from read_parquet('s3://bucket/x.parquet')": "Error",
    "select * from '{file}'": "Error",
    "select * from glob('{folder}/*')": "disabled",
    "select * from sniff_csv('{file}')": "disabled",
    "select * from query('copy incidents to ''x''')": "Error",
    "select getenv('HOME')": "does not exist",
    "select * from asking": "does not exist",
    "select unknown_column from incidents": "unknown_column",
    "selct 1": "syntax error",
    "": "no question",
    "-- nothing": "no question",
    "select list(range) from range(1000000000)": "emory",
    "select string_agg(repeat('x', 1000000), '') from range(100000)": "emory",
    "select length(repeat('x', 4000000000))": "emory",
    "select repeat('x', 40000000)": "larger than",
    "select * from range(20) as a, (select repeat('x', 4000000) as text)": "larger than",
}
ENDLESS = (
    "with recursive counted(n) as (select 1 union all select n + 1 from counted) select max(n) from counted",
    "select sum(a.range * b.range * random()) from range(10000000) as a, range(10000000) as b",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the sample exports."""
    folder = tmp_path_factory.mktemp("asked")
    refresh.refresh(folder, config.read(ROOT / "data" / "sample" / "meantime.toml"))
    return folder


@pytest.fixture
def file(data: Path) -> Path:
    """The published version."""
    return (data / "incidents.duckdb").resolve()


def test_a_question_gets_the_rows_that_duckdb_gives(file: Path) -> None:
    text = "select assignment_group, kpi.mttr(i) as hours, kpi.mttr_n(i) as n from incidents as i group by all order by all"
    asked = Question(file, text).wait()
    with duckdb.connect(file, read_only=True) as con:
        expected = con.execute(text).fetchall()
    assert asked.trouble is None
    assert asked.frame is not None
    assert asked.frame.rows() == expected


@pytest.mark.parametrize("text", ["describe incidents", "show tables", "summarize incidents", "explain select 1"])
def test_what_describes_the_warehouse_is_a_question_too(text: str, file: Path) -> None:
    asked = Question(file, text).wait()
    assert asked.frame is not None, asked.trouble
    assert asked.frame.height > 0


def test_an_answer_is_cut_after_its_first_rows(file: Path) -> None:
    asked = Question(file, "from incident_events").wait()
    assert asked.frame is not None
    assert (asked.frame.height, asked.has_more) == (fenced.MOST_ROWS + 1, True)


def test_what_is_hostile_is_refused_or_stopped_and_nothing_is_harmed(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhush\n", encoding="utf-8")
    before = file.read_bytes()
    for text, reason in REFUSED.items():
        asked = Question(file, text.format(folder=tmp_path, file=secret)).wait()
        assert asked.frame is None, text
        assert reason in str(asked.trouble), (text, asked.trouble)
        assert "hush" not in str(asked.trouble)
    assert len(REFUSED) >= 40
    assert list(tmp_path.iterdir()) == [secret]
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ENDLESS)
def test_what_never_ends_is_stopped_in_time(text: str, file: Path) -> None:
    asked = Question(file, text, seconds=1).wait(10)
    assert asked.trouble == "It took longer than 1 seconds and was stopped. Ask for fewer rows or days."


def test_a_question_can_be_given_up_while_another_reader_goes_on(file: Path) -> None:
    endless = Question(file, ENDLESS[0])
    began = time.monotonic()
    assert Question(file, "select count(*) from incidents").wait().frame is not None
    assert not endless.is_done
    endless.give_up()
    assert endless.wait(5).trouble == "It was stopped."
    assert time.monotonic() - began < asking.SECONDS


def test_only_so_many_questions_are_worked_on_at_once(file: Path) -> None:
    asked = [Question(file, ENDLESS[0]) for _ in range(asking.AT_ONCE)]
    try:
        with pytest.raises(TooManyError, match="ask again when one of them is done"):
            Question(file, "select 1")
    finally:
        for one in asked:
            one.give_up()
    for one in asked:
        one.wait(5)
    assert Question(file, "select 1 as one").wait().frame is not None


def test_a_question_is_not_told_what_the_dashboard_knows(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEANTIME_TOKEN", "hush")
    asked = Question(file, ENDLESS[0])
    try:
        environment = Path(f"/proc/{asked._process.pid}/environ").read_bytes()
    finally:
        asked.give_up()
    assert b"hush" not in environment
    assert os.environ["MEANTIME_TOKEN"] == "hush"


def test_an_answer_over_days_is_a_line_and_one_by_name_are_bars() -> None:
    days = pl.DataFrame({"day": ["2026-01-01", "2026-01-02"], "n": [3, 5]}).with_columns(pl.col("day").str.to_date())
    line = drawn.picture(days, LIGHT)
    assert line is not None
    assert (line.title, line.alt) == ("n over day", "n from 3 at 2026-01-01 to 5 at 2026-01-02")
    bars = drawn.picture(pl.DataFrame({"team": ["A", None, "C"], "hours": [1.5, None, 7.5]}), LIGHT)
    assert bars is not None
    assert (bars.title, bars.alt) == ("hours by team", "hours is greatest for C: 7.5")


@pytest.mark.parametrize(
    "answer",
    [
        pl.DataFrame({"team": ["A", "A"], "n": [1, 2]}),
        pl.DataFrame({"team": ["A", "B"], "n": [-1, 2]}),
        pl.DataFrame({"team": ["A", "B"]}),
        pl.DataFrame({"n": [1, 2]}),
        pl.DataFrame({"team": ["A"], "n": [1]}),
    ],
)
def test_an_answer_without_such_a_shape_is_a_table_alone(answer: pl.DataFrame) -> None:
    assert drawn.picture(answer, LIGHT) is None


def asked_on_the_page(data: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Open the page with a question in its address, and run it."""
    monkeypatch.setenv("MEANTIME_DATA", str(data))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60).run()
    app.switch_page("app_pages/ask_the_data.py")
    app.query_params["sql"] = text
    app.run()
    next(button for button in app.button if button.label == "Run").click().run()
    return app


def test_the_page_takes_the_question_of_its_address_and_shows_the_answer(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "select count(*)::int as n, priority::varchar as priority from incidents group by all"
    app = asked_on_the_page(data, text, monkeypatch)
    assert not app.exception
    assert app.text_area[0].value == text
    assert app.query_params["sql"] in (text, [text])
    assert "n by priority" in [element.value for element in app.header]
    assert app.dataframe[0].value.shape == (6, 2)


def test_the_page_says_what_is_wrong_with_a_question(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = asked_on_the_page(data, "drop table incidents", monkeypatch)
    assert not app.exception
    assert "only questions are answered here" in app.code[0].value
