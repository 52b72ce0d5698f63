"""Explore: every number is the KPI's own, everything is in the URL, strangers' names stay names, clicks narrow and list."""

from __future__ import annotations

import doctest
import json
import re
import shutil
from collections import Counter
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import charted
import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from test_pages import lead, load, opened, pictures, questions, said, url, written

from dashboard import explored, exploring, filters, query, slices, words
from dashboard.charts import vega
from dashboard.exploring import Asked
from dashboard.query import Scope
from etl import catalog, incident
from etl.cli import cli

SCOPE = Scope(date(2025, 10, 1), date(2025, 12, 31))
MOMENTS = {"opened_weekday": "isodow", "opened_hour": "hour"}
IDENTITIES = ("incident_id", "title", "url", "parent_id")
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "formula": "=1+1",
    "right to left": "\u202eשירות עזרה\u202c",
    "long": "x" * 10_000,
    "markdown": "**b** [l](javascript:alert(1)) $x$ `c` :red[r]",
    "colon": "a:b\"c'd",
}


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> query.Warehouse:
    return query.open_data(sample)


@pytest.fixture(scope="module")
def by_hand(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """An analyst's own connection to a copy."""
    copy = Path(shutil.copy(sample / "incidents.duckdb", tmp_path_factory.mktemp("copy") / "mine.duckdb"))
    return duckdb.connect(copy, read_only=True)


@pytest.fixture(autouse=True)
def checked_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check each chart that a page draws."""
    monkeypatch.setattr(vega, "spec", charted.checked)


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(exploring).failed == 0


def test_every_column_that_one_can_group_by_is_a_dimension() -> None:
    groupable = [
        field.name
        for field in incident.INCIDENT
        if field.type in ("varchar", "varchar[]", "tinyint", "integer", "boolean") and field.name not in IDENTITIES
    ]
    assert sorted([*groupable, *exploring.MOMENTS]) == sorted(exploring.DIMENSIONS)
    days = {field.name for field in incident.DAY} & set(exploring.DIMENSIONS) - {"excluded_as"}
    assert sorted([*days, *exploring.MOMENTS]) == sorted(exploring.STOCK)


# Numbers


def asked(command: list[str], sample: Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(cli, ["--data", str(sample), "kpi", *command, "--format", "json"])
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", [kpi.name for kpi in catalog.kpis()])
def test_a_picture_of_members_and_of_time_has_the_numbers_of_the_command_line(
    name: str, sample: Path, warehouse: query.Warehouse
) -> None:
    days = ["--since", "2025-10-01", "--until", "2025-12-31"]
    by = ("assignment_group", "opened_weekday")
    ours = slices.cut(warehouse, name, SCOPE, by, (99, 99))
    assert ours.rest == (0, 0)
    theirs = asked([name, "--by", by[0], "--by", by[1], *days], sample)
    assert {cell.members: (cell.now.value, cell.now.n, cell.now.low, cell.now.high) for cell in ours.cells} == {
        tuple(text(row[key]) for key in by): (row["value"], row["n"], row["low"], row["high"]) for row in theirs
    }
    courses = slices.courses(warehouse, name, SCOPE, "month", ("priority",), (99,))
    theirs = asked([name, "--by", "priority", "--grain", "month", *days], sample)
    assert {
        (*key, one.bucket.since.isoformat()): (one.value, one.n, one.low, one.high)
        for key, points in courses.points.items()
        for one in points
    } == {(text(row["priority"]), row["period"]): (row["value"], row["n"], row["low"], row["high"]) for row in theirs}


@pytest.mark.parametrize("name", ["mttr", "mttr_p90", "incident_volume", "fcr_rate", "hold_share"])
def test_those_told_together_are_one_group_of_their_own_incidents(
    name: str, warehouse: query.Warehouse, by_hand: duckdb.DuckDBPyConnection
) -> None:
    one = query.kpi(warehouse, name)
    found = slices.cut(warehouse, name, SCOPE, ("assignment_group",), (3,))
    named = [cell.members[0] for cell in found.cells if cell.members[0] not in (None, query.OTHERS)]
    assert (len(named), found.rest) == (3, (4,))
    rows = by_hand.execute(
        f"select case when list_contains($named, assignment_group) or assignment_group is null then assignment_group"
        f" else '…' end as who, kpi.{name}(i), kpi.{name}_n(i) from incidents as i"
        f" where {one.counted_on} between '2025-10-01' and '2025-12-31' group by who",
        {"named": named},
    ).fetchall()
    assert {cell.members[0]: (cell.now.value, cell.now.n) for cell in found.cells} == {
        who: (None if value is None else float(value), n) for who, value, n in rows
    }
    assert None in {who for who, _, _ in rows}


def test_an_incident_with_several_tags_counts_for_each_and_once_among_the_rest(
    warehouse: query.Warehouse, by_hand: duckdb.DuckDBPyConnection
) -> None:
    found = slices.cut(warehouse, "incident_volume", Scope(), ("tags",), (2,))
    named = [cell.members[0] for cell in found.cells if cell.members[0] not in (None, query.OTHERS)]
    rest = "len(list_filter(tags, lambda one: not list_contains($named, one))) > 0"
    (expected,) = by_hand.execute(
        f"select count(*) from incidents where excluded_as is null and {rest}", {"named": named}
    ).fetchall()[0]
    assert {cell.members[0]: cell.now.n for cell in found.cells}[query.OTHERS] == expected


def test_weekday_and_hour_are_those_of_the_opening_on_the_walls_clock(
    warehouse: query.Warehouse, by_hand: duckdb.DuckDBPyConnection
) -> None:
    zone = ZoneInfo(warehouse.zone)
    rows = by_hand.execute("select opened_at from incidents where excluded_as is null").fetchall()
    local = [stamp.replace(tzinfo=UTC).astimezone(zone) for (stamp,) in rows]
    found = slices.cut(warehouse, "incident_volume", Scope(), exploring.MOMENTS, (24, 24))
    assert {cell.members: cell.now.n for cell in found.cells} == Counter(
        (str(when.isoweekday()), str(when.hour)) for when in local
    )


@pytest.mark.parametrize("name", [kpi.name for kpi in catalog.kpis() if kpi.unit in ("hours", "reassignments")])
def test_a_spread_counts_each_incident_once_and_its_classes_list_theirs(name: str, warehouse: query.Warehouse) -> None:
    if not query.has_spread(query.kpi(warehouse, name)):
        with pytest.raises(query.QueryError, match="has no spread"):
            query.spread(warehouse, name, SCOPE)
        return
    found = query.spread(warehouse, name, SCOPE)
    assert found["n"].sum() == query.values(warehouse, [name], SCOPE)["n"].item()
    for low, high, n in found.sample(min(4, found.height), seed=7).iter_rows():
        listed = slices.behind(warehouse, name, SCOPE, 5, (low, high))
        assert listed.total == n


def test_the_period_before_and_the_year_before_are_those_days(warehouse: query.Warehouse) -> None:
    for against, since, until in (
        ("before", date(2025, 7, 1), date(2025, 9, 30)),
        ("year", date(2024, 10, 1), date(2024, 12, 31)),
    ):
        found = slices.cut(warehouse, "mttr", SCOPE, ("priority",), (9,), against)
        assert found.comparison is not None
        assert (found.comparison.before_since, found.comparison.before_until) == (since, until)
        alone = slices.cut(warehouse, "mttr", Scope(since, until), ("priority",), (9,))
        assert {cell.members: cell.before for cell in found.cells} == {cell.members: cell.now for cell in alone.cells}
    weeks = query.comparison(warehouse, "mttr", Scope(date(2025, 10, 6), date(2025, 12, 28)), "year")
    assert weeks is not None
    assert (weeks.before_since, weeks.before_until) == (date(2024, 10, 7), date(2024, 12, 29))


def test_another_slice_is_the_same_question_of_other_incidents(warehouse: query.Warehouse) -> None:
    scope = Scope(SCOPE.since, SCOPE.until, (("priority", ("2",)),))
    other = exploring.sliced(scope, ("priority", "3"))
    found = slices.cut(warehouse, "mttr", scope, ("service",), (99,), other=other)
    alone = {cell.members: cell.now for cell in slices.cut(warehouse, "mttr", other, ("service",), (99,)).cells}
    assert {cell.members: cell.before for cell in found.cells if cell.members in alone} == alone
    assert not exploring.overlaps(scope, ("priority", "3"))
    assert exploring.overlaps(SCOPE, ("priority", "3"))


# The URL

MEMBERS = st.text(min_size=1, max_size=12)
ASKED = st.builds(
    Asked,
    kpi=st.sampled_from([kpi.name for kpi in catalog.kpis() if kpi.fact == "incidents"]),
    by=st.lists(st.sampled_from(list(exploring.DIMENSIONS)), max_size=2, unique=True).map(tuple),
    picture=st.sampled_from(list(exploring.PICTURES)),
    against=st.sampled_from(["", "before", "year", "priority:1", "service:a:b"]),
    scale=st.sampled_from(["", *exploring.SCALES]),
    only=st.dictionaries(
        st.sampled_from([name for name in exploring.DIMENSIONS if name not in filters.COLUMNS]),
        st.lists(MEMBERS, min_size=1, max_size=3, unique=True).map(tuple),
        max_size=3,
    ).map(lambda told: tuple(told.items())),
    adds=st.none() | st.tuples(st.floats(0, 1e6), st.none() | st.floats(1e-3, 1e6)),
    lists=st.booleans(),
)


@given(asked=ASKED)
def test_a_link_opens_the_same_view(asked: Asked, warehouse: query.Warehouse) -> None:
    known = {"priority": ["1", "2"], "service": ["a:b"]}
    assert exploring.from_url(exploring.to_url(asked), warehouse.kpis, exploring.DIMENSIONS, known) == (asked, [])


def test_what_a_link_asks_for_in_vain_is_said(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"kpi": ["mttx"], "by": ["mood"], "picture": ["pie"], "only": ["service:x"], "against": ["priority:9"]}
    app = opened(monkeypatch, sample, "explore", **parameters)
    for one in ("kpi: mttx", "by: mood", "against: priority:9"):
        assert one in said(app), one
    assert url(app) == {}


def test_the_switches_write_the_url_and_the_url_sets_the_switches(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "explore")
    app.selectbox(key="x_kpi").select("mtta").run()
    app.selectbox(key="x_by").select("service").run()
    app.selectbox(key="x_and").select("priority").run()
    app.selectbox(key="x_against").select("slice").run()
    app.selectbox(key="x_column").select("channel").run()
    app.selectbox(key="x_member").select("email").run()
    link = {"kpi": ["mtta"], "by": ["service", "priority"], "against": ["channel:email"]}
    assert url(app) == link
    again = opened(monkeypatch, sample, "explore", **link, priority=["1"])
    keys = ("x_kpi", "x_by", "x_and", "x_against", "x_column", "x_member")
    assert [again.selectbox(key=key).value for key in keys] == [
        "mtta",
        "service",
        "priority",
        "slice",
        "channel",
        "email",
    ]
    assert url(again) == {**link, "priority": ["1"]}


# The page


@pytest.mark.parametrize("by", [[], ["assignment_group"], ["service", "opened_weekday"]], ids=len)
@pytest.mark.parametrize("picture", exploring.PICTURES)
def test_every_picture_draws_asks_nothing_twice_and_says_what_it_shows(
    picture: str, by: list[str], sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, sample, "explore")
    asked = questions(monkeypatch)
    app = opened(monkeypatch, sample, "explore", picture=[picture], by=by, against=["before"])
    assert not app.exception
    assert [text for text, times in asked.items() if times > 1] == []
    assert "could not be drawn" not in said(app)
    number = query.values(query.open_data(sample), ["mttr"], Scope(date(2025, 10, 6), date(2025, 12, 28)))
    told = words.duration(number["value"].item()).replace(words.GAP, " ")
    assert lead(app).startswith(f"Mean time to resolve: **{told}** (")
    assert "n 1,740) in the 12 weeks to 28 Dec 2025, within normal variation of the 12 weeks before." in lead(app)
    drawn = pictures(app)
    assert (len(drawn) > 0) == (picture != "table")
    assert all(len(one.alt) > 20 and any(sign.isdigit() for sign in one.alt) for one in drawn)


@pytest.mark.parametrize("name", ["incident_volume", "backlog_age_median", "reassignments_mean"])
@pytest.mark.parametrize("picture", exploring.PICTURES)
def test_any_kind_of_kpi_has_every_picture_or_says_why_not(
    name: str, picture: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "explore", kpi=[name], picture=[picture], against=["year"], by=["priority"])
    assert not app.exception
    assert "could not be drawn" not in said(app)
    if picture == "spread" and name != "reassignments_mean":
        assert "has no distribution" in said(app)
    elif picture != "table":
        assert pictures(app)


def rows_in(part: Any) -> list[dict[str, Any]]:
    """Every row that a chart is given."""
    if isinstance(part, dict):
        own = part["data"]["values"] if "values" in part.get("data", {}) else []
        return own + [row for one in part.values() for row in rows_in(one)]
    return [row for one in part for row in rows_in(one)] if isinstance(part, list) else []


def clickable_marks(explorer: explored.Explorer, looked: explored.Looked) -> set[str]:
    """What the marks of a view's pictures stand for, those without a value or of several together apart."""
    found = set()
    drawn = [(panel.figure, panel.members) for panel in looked.panels]
    for figure, members in [*drawn, *([(looked.figure, ())] if looked.figure else [])]:
        for row in rows_in(figure.chart.to_dict()):
            has_value = "since" not in row or any(" (" in str(told) for told in row.values())
            if has_value and {"key", "row_key", "since", "adds"} & set(row):
                mark = explorer.marked(row, members)
                found |= {repr(mark)} if query.OTHERS not in mark.members.values() else set()
    return found


@pytest.mark.parametrize("by", [[], ["priority"], ["assignment_group", "priority"]], ids=len)
@pytest.mark.parametrize("picture", ["trend", "multiples", "bars", "heat", "spread"])
def test_whatever_a_click_picks_can_be_picked_by_name(
    picture: str, by: list[str], sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[explored.Explorer, explored.Looked]] = []
    look = explored.Explorer.look

    def keeping(self: explored.Explorer) -> explored.Looked:
        kept.append((self, look(self)))
        return kept[-1][1]

    monkeypatch.setattr(explored.Explorer, "look", keeping)
    app = opened(monkeypatch, sample, "explore", picture=[picture], by=by)
    ((explorer, looked),) = kept
    there = clickable_marks(explorer, looked)
    offered = [repr(mark) for _, mark in looked.marks]
    assert len(there) > 4
    assert there - set(offered) == set()
    assert len(offered) == len(set(offered)) == len({name for name, _ in looked.marks})
    (choices,) = [one for one in app.selectbox if one.label == "Pick a mark of the picture"]
    assert choices.options == [name.replace(words.GAP, " ") for name, _ in looked.marks]


def test_a_name_narrows_as_a_click_does_and_again_lists_the_incidents(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pick(name: str) -> None:
        (choices,) = [one for one in app.selectbox if one.label == "Pick a mark of the picture"]
        choices.select(name).run()

    app = opened(monkeypatch, sample, "explore", picture=["bars"], by=["assignment_group"])
    pick("Network")
    link = {"picture": ["bars"], "by": ["assignment_group"], "assignment_group": ["Network"]}
    assert url(app) == link
    pick("Network")
    assert url(app) == {**link, "incidents": ["yes"]}
    app = opened(monkeypatch, sample, "explore", picture=["spread"], by=["priority"])
    (choices,) = [one for one in app.selectbox if one.label == "Pick a mark of the picture"]
    pick(choices.options[3])
    assert {"adds", "incidents", "priority"} < set(url(app))


def test_several_lines_and_spreads_are_set_against_the_same_members_elsewhere(warehouse: query.Warehouse) -> None:
    before = Scope(date(2025, 7, 1), date(2025, 9, 30))
    courses = slices.courses(warehouse, "mttr", SCOPE, "month", ("priority",), (9,), before)
    assert len(courses.before) == 6
    assert courses.before == slices.courses(warehouse, "mttr", before, "month", ("priority",), (9,)).points
    few = slices.courses(warehouse, "mttr", SCOPE, "month", ("assignment_group",), (2,), before)
    assert set(few.before) == set(few.points)
    spreads = slices.spreads(warehouse, "mttr", SCOPE, ("priority",), (9,), before)
    alone = slices.spreads(warehouse, "mttr", before, ("priority",), (9,)).bins
    assert {key: frame["n"].sum() for key, frame in spreads.before.items()} == {
        key: frame["n"].sum() for key, frame in alone.items()
    }


@pytest.mark.parametrize(
    ("picture", "by", "lines"), [("trend", ["priority"], 0), ("multiples", ["priority"], 6), ("multiples", [*"xy"], 0)]
)
def test_several_lines_say_beside_each_period_what_they_are_set_against(
    picture: str, by: list[str], lines: int, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = ["assignment_group", "priority"] if len(by) == 2 else by
    app = opened(monkeypatch, sample, "explore", picture=[picture], by=by, against=["before"])
    shown = app.dataframe[0].value
    scope = Scope(date(2025, 7, 14), date(2025, 7, 20), (("priority", ("3",)),))
    if len(by) == 2:
        scope = Scope(scope.since, scope.until, (*scope.where, ("assignment_group", ("Network",))))
        shown = shown[shown["Assignment group"] == "Network"]
    first = shown[(shown["Priority"] == "P3") & (shown["Period"] == f"week of 6{words.GAP}Oct{words.GAP}2025")]
    (number,) = query.values(query.open_data(sample), ["mttr"], scope).iter_rows(named=True)
    assert first["The period before"].item() == words.duration(number["value"])
    assert first["n then"].item() == number["n"]
    drawn = [one for one in pictures(app) if '"the period before"' in one.spec]
    assert len(drawn) == lines


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk whose groups have every hostile name, with 15 incidents each."""
    lines = []
    for at in range(90):
        name = list(HOSTILE.values())[at % len(HOSTILE)].replace('"', '""')
        day = date(2026, 1, 5) + timedelta(days=at // 3)
        lines.append(f'INC{at:07},"x",Resolved,3 - Moderate,"{name}",{day} 08:00:00,{day} {9 + at % 9:02d}:00:00,0,0')
    return load(tmp_path_factory.mktemp("strangers"), lines)


@pytest.mark.parametrize("picture", exploring.PICTURES)
def test_hostile_names_stay_names(picture: str, strangers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(
        monkeypatch, strangers, "explore", picture=[picture], by=["assignment_group"], period=["all"], incidents=["yes"]
    )
    assert not app.exception
    assert "could not be drawn" not in said(app)
    text = re.sub(r"\\.", "", written(app))
    assert [raw for raw in ("<script", "**b**", "[l](", "$x$", ":red[", "x" * 100) if raw in text] == []
    assert [one for one in pictures(app) if len(one.alt) > 2_000] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_link_filters_to_exactly_that_name_and_lists_its_incidents(
    name: str, strangers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, strangers, "explore", period=["all"], assignment_group=[HOSTILE[name]], incidents=["yes"])
    assert url(app)["assignment_group"] == [HOSTILE[name]]
    assert "15 incidents" in said(app)


def test_a_view_that_is_empty_names_the_filter_that_leaves_nothing(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "explore", since=["2019-01-01"], until=["2019-01-31"], priority=["1"])
    assert "No incidents match: without the days 1 Jan to 31 Jan 2019 there are" in said(app)


def test_what_is_filtered_here_alone_is_said_on_the_page_and_in_every_file(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "explore", only=["opened_weekday:6", "opened_weekday:7"])
    scope = Scope(date(2025, 10, 6), date(2025, 12, 28), (("opened_weekday", ("6", "7")),))
    number = query.values(query.open_data(sample), ["mttr"], scope)
    assert f"n {number['n'].item()}) in the 12 weeks to 28 Dec 2025, of weekday of opening Sat or Sun only" in lead(app)
    assert app.session_state["_record"].stamp.shown.startswith("weekday of opening Sat or Sun · ")


def test_last_quarter_is_the_last_that_is_over(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "explore", period=["quarter"], against=["before"])
    assert "1 Oct to 31 Dec 2025 · by week" in said(app)
    assert "in the quarter to 31 Dec 2025" in lead(app)
    assert "the quarter before" in lead(app)
