"""One incident: found again, drawn whole however long it was, beside those like it, and linked to where it came from."""

from __future__ import annotations

import csv
import doctest
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import charted
import holidays
import polars as pl
import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st
from test_pages import opened, said, sample, written

from dashboard import dossier, one_incident, query, record, searching, takeaway, words
from dashboard.charts import lifeline
from dashboard.charts.lifeline import Life, Stretch
from dashboard.charts.palette import LIGHT
from dashboard.dossier import Incident
from dashboard.query import Scope, Warehouse
from etl import refresh
from etl.config import Source
from etl.sources import Options

NOON = datetime(2026, 3, 2, 12)
CLOSED = ((12, 24), (12, 31))


__all__ = ["sample"]
"""Pages keep their versions open, in another manner than the tests that share the other sample."""


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> Iterator[Warehouse]:
    """The sample, opened."""
    found = query.open_data(sample)
    yield found
    found.connection.close()


def one(warehouse: Warehouse, incident_id: str, source: str = "servicedesk") -> Incident:
    found = dossier.incident(warehouse, source, incident_id)
    assert found is not None
    return found


@pytest.mark.parametrize("module", [one_incident, lifeline, searching], ids=lambda module: module.__name__)
def test_what_the_docstrings_say_is_so(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


# Searching


def totals(warehouse: Warehouse, *texts: str) -> list[int]:
    return [query.incidents(warehouse, Scope(), text=text, limit=1).total for text in texts]


def test_a_search_finds_what_a_reading_of_every_row_finds(warehouse: Warehouse) -> None:
    rows = warehouse.frame("select * from incidents").to_dicts()
    actors: dict[tuple[str, str], str] = {}
    acted = "select source, incident_id, lower(string_agg(distinct actor, chr(10))) from incident_events group by all"
    for source, incident_id, names in warehouse.frame(acted).iter_rows():
        actors[source, incident_id] = names or ""

    def has(row: dict[str, Any], word: str, *columns: str) -> bool:
        texts = [row[name] for name in columns]
        return any(word in (" ".join(text) if isinstance(text, list) else text or "").lower() for text in texts)

    everywhere = [name for columns in searching.PLACES.values() for name in columns]
    expected = {
        "INC0413321": lambda row: has(row, "inc0413321", *everywhere),
        "phone BROKEN": lambda row: has(row, "phone", *everywhere) and has(row, "broken", *everywhere),
        '"display broken" service:workplace': lambda row: (
            has(row, "display broken", *everywhere) and has(row, "workplace", "service", "services")
        ),
        "title:vpn group:network": lambda row: has(row, "vpn", "title") and has(row, "network", "assignment_group"),
        "person:ada": lambda row: (
            has(row, "ada", "assignee", "caller") or "ada" in actors.get((row["source"], row["incident_id"]), "")
        ),
    }
    counted = {text: sum(map(wanted, rows)) for text, wanted in expected.items()}
    assert dict(zip(counted, totals(warehouse, *counted), strict=True)) == counted
    assert min(counted.values()) >= 1


def test_all_signs_of_a_search_stand_for_themselves(warehouse: Warehouse) -> None:
    assert totals(warehouse, "INC_413321", "INC%321", "' or true --", "$word_0 {}", "place:nowhere") == [0] * 5


def test_a_search_says_where_it_was_met(warehouse: Warehouse) -> None:
    rows = query.incidents(warehouse, Scope(), text="phone service:workplace", limit=50).rows
    places = {place for row in rows["found_in"] for place in row.split(", ")}
    assert {"title", "service"} <= places <= set(searching.PLACES)


def test_what_is_found_on_other_days_only_is_shown_and_said(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "incidents", since=["2025-12-01"], until=["2025-12-02"])
    app.text_input(key="search").input("INC0413321").run()
    assert "1 incident** with “INC0413321” in them, none of them opened from 1 Dec to 2 Dec 2025" in said(app)
    app.text_input(key="search").input("no such words").run()
    assert "None of any other day has it either" in said(app)


# Its life


def length(frame: pl.DataFrame) -> int:
    return int((frame["until_at"] - frame["from_at"]).dt.total_seconds().sum())


def test_the_shaded_hours_add_up_to_its_business_time(warehouse: Warehouse) -> None:
    chosen = warehouse.frame(
        "select incident_id from incidents where source = 'servicedesk' and business_seconds_to_resolve > 0"
        " and calendar = 'office' and seconds_to_resolve < 86400 * 60 order by hash(incident_id) limit 12"
    )["incident_id"]
    found = [one(warehouse, incident_id) for incident_id in chosen]
    assert [length(each.hours) for each in found] == [each.row["business_seconds_to_resolve"] for each in found]


def test_hours_too_near_to_be_told_apart_are_one(warehouse: Warehouse) -> None:
    asked = {
        "calendar": "office",
        "since": datetime(2023, 1, 2),
        "until": datetime(2026, 1, 5),
        "zone": "Europe/Berlin",
    }
    by_day, by_week = (warehouse.stored("incident_hours", {**asked, "apart": hours * 3600}) for hours in (0, 48))
    closed = holidays.country_holidays("DE", subdiv="BE")
    days = [asked["since"].date() + timedelta(days=at) for at in range(1099)]
    opens = [day for day in days if day.weekday() < 5 and day not in closed and (day.month, day.day) not in CLOSED]
    assert by_day["from_at"].dt.date().to_list() == opens
    weeks = sum(day - before > timedelta(days=2) for before, day in itertools.pairwise(opens)) + 1
    assert by_week.height == weeks
    assert (by_week["from_at"][0], by_week["until_at"][-1]) == (by_day["from_at"][0], by_day["until_at"][-1])


def drawn(life: Life, *, log: bool = False) -> dict[str, Any]:
    return charted.checked(lifeline.draw(life, LIGHT, log=log))


def rows_of(spec: dict[str, Any]) -> Counter[str]:
    """Count the rows of each lane."""
    return Counter(row.get("lane", "hours") for layer in spec["layer"] for row in layer["data"]["values"])


@pytest.mark.parametrize("length", [timedelta(seconds=40), timedelta(hours=7), timedelta(days=9), timedelta(days=4000)])
def test_ten_thousand_events_are_as_few_rows_as_can_be_told_apart(length: timedelta) -> None:
    at = [NOON + length * part / 10_000 for part in range(10_001)]
    states = [
        Stretch(since, until, ("working", "on_hold")[place % 2])
        for place, (since, until) in enumerate(itertools.pairwise(at))
    ]
    groups = [Stretch(each.since, each.until, "held by", f"Team {place // 40}") for place, each in enumerate(states)]
    life = Life(states, groups, [(when, "commented") for when in at], [(NOON, NOON + length / 2)])
    for log in {False, length > one_incident.LONG}:
        counted = rows_of(drawn(life, log=log))
        # A group's name stands in it where there is room.
        assert max(counted.values()) <= lifeline.PARTS + 1 / lifeline.NAMED
        assert log or counted["events"] == lifeline.PARTS
    assert sum(tick.n for tick in lifeline.ticks(life, lambda when: (when - NOON) // (length / 100))) == 10_001


def test_on_a_log_scale_the_events_of_the_first_hour_are_told_apart() -> None:
    events = [(NOON + timedelta(minutes=at), "commented") for at in (0, 2, 4, 8, 16, 32, 64)]
    life = Life([Stretch(NOON, NOON + timedelta(days=400), "working")], [], events, [])
    assert [rows_of(drawn(life, log=log))["events"] for log in (False, True)] == [1, 7]


@given(
    st.lists(
        st.tuples(st.integers(0, 40_000), st.sampled_from(["working", "on_hold", "resolved"])), min_size=1, max_size=600
    )
)
def test_what_is_drawn_covers_the_life_without_gap_and_changes_nothing_of_few(spans: list[tuple[int, str]]) -> None:
    states, at = [], NOON
    for seconds, kind in spans:
        states.append(Stretch(at, at := at + timedelta(seconds=seconds + 1), kind))
    found = lifeline.drawable(states, lambda when: int((when - NOON) / (at - NOON) * lifeline.PARTS))
    assert (found[0].since, found[-1].until) == (NOON, at)
    assert all(before.until == after.since for before, after in itertools.pairwise(found))
    if len(lifeline.joined(states)) <= lifeline.PARTS:
        total = Counter(dict.fromkeys([each.kind for each in states], timedelta(0)))
        assert {kind: sum((s.until - s.since for s in found if s.kind == kind), timedelta(0)) for kind in total} == {
            kind: sum((s.until - s.since for s in states if s.kind == kind), timedelta(0)) for kind in total
        }
    assert len(found) <= lifeline.PARTS


def test_a_life_is_told_in_words_too(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "incidents", incident=["servicedesk/INC0417892"])
    assert "resolved after **10 d**, 77 h of it in business hours." in said(app)
    assert "6.8 d on hold · 2 hand-overs · shaded: business hours of office" in said(app)
    alt = app.get("vega_lite_chart")[0].proto.alt.replace(words.GAP, " ")
    assert "With Service Desk, Workplace then Application Support." in alt
    app.toggle(key="life-log").set_value(True).run()
    assert not app.exception


@pytest.fixture
def altered(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have the page shown with other values in one incident."""
    found = one(warehouse, "INC0417892")

    def alter(events: pl.DataFrame = found.events, **row: Any) -> None:
        told = found._replace(row={**found.row, **row}, events=events)
        monkeypatch.setattr(dossier, "incident", lambda *_: told)

    streamlit.cache_data.clear()
    yield alter
    streamlit.cache_data.clear()


def test_a_hostile_incident_is_harmless(
    sample: Path, warehouse: Warehouse, altered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "<script>alert(1)</script> **x** " + "\N{RIGHT-TO-LEFT OVERRIDE}evil " * 2000
    many = pl.concat([one(warehouse, "INC0417892").events] * 500)
    altered(title=title, url="javascript:alert(1)", events=many)
    app = opened(monkeypatch, sample, "incidents", incident=["servicedesk/INC0417892"])
    assert not app.exception
    assert "could not be drawn" not in said(app)
    assert "this address, which is no web page: javascript:alert(1)" in said(app)
    assert not app.get("link_button")
    assert [raw for raw in ("<script>", "**x**") if raw in re.sub(r"\\.", "", written(app))] == []
    assert max(map(len, written(app).splitlines())) < 1500


def test_its_source_is_one_click_away(
    sample: Path, altered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    altered(url="https://desk.example.com/nav?id=1&view=a")
    app = opened(monkeypatch, sample, "incidents", incident=["servicedesk/INC0417892"])
    assert [button.proto.url for button in app.get("link_button")] == ["https://desk.example.com/nav?id=1&view=a"]


HOSTILE = (
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " https://a.example", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
    "//evil.example", "http:///x", "https://desk.example@evil.example", "https://a.example/\n", "https://a.example/\u202e",
    'https://a.example/"onclick="x', "https://[bad", "ftp://a.example", "https:", "", None,
)  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_no_other_address_is_made_a_link(url: str | None) -> None:
    assert one_incident.address(url) is None


# Those like it


def likest(rows: list[dict[str, Any]], asked: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Rank by plain counting what `similar_incidents.sql` ranks."""

    def traits(row: dict[str, Any]) -> set[str]:
        return {f"{name}:{row[name]}" for name in dossier.TRAITS if row[name] is not None}

    def spoken(row: dict[str, Any]) -> set[str]:
        return {word for word in re.findall(r"[^\W_]+", (row["title"] or "").lower()) if len(word) > 2}

    own = traits(asked) | spoken(asked)
    pool = {"problem_id", "configuration_item", "service"} if asked["service"] else set(dossier.TRAITS)
    pool = {trait for trait in traits(asked) if trait.partition(":")[0] in pool}
    near = [row for row in rows if row is not asked and (traits(row) & pool or not traits(asked))]
    near.sort(key=lambda row: abs(row["opened_at"] - asked["opened_at"]))
    shared = [(row, own & (traits(row) | spoken(row))) for row in near[: dossier.NEAR]]
    often = Counter(thing for _, things in shared for thing in things)
    weights = {thing: round(1e6 * math.log(1 + len(shared) / max(often[thing], 1))) for thing in own}
    scored = [(sum(map(weights.__getitem__, things)), row, things) for row, things in shared]
    least = dossier.LEAST_LIKE * sum(weights.values())
    best = sorted((each for each in scored if each[0] >= least), key=lambda each: -each[0])[: dossier.LISTED]
    return [(row["incident_id"], sorted(things, key=lambda thing: (-weights[thing], thing))) for _, row, things in best]


def test_the_likest_are_those_that_plain_counting_finds(warehouse: Warehouse) -> None:
    listed = ", ".join(("rowid", "source", "incident_id", "title", "opened_at", *dossier.TRAITS))
    rows = warehouse.frame(f"select {listed} from incidents order by rowid").to_dicts()
    for asked in rows[:: len(rows) // 12]:
        found = one(warehouse, asked["incident_id"], asked["source"]).similar
        expected = likest(rows, asked)
        assert found.select("incident_id", "things").rows() == expected, asked["incident_id"]


def test_true_duplicates_are_found_by_their_titles(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "jira_hadoop"
    source = Source("jira", "jira", Options("jira", timezone="UTC", status={"Patch Available": "in_progress"}))
    refresh.load(tmp_path, source, [folder / "hadoop_bugs.csv"])
    warehouse = query.open_data(tmp_path)
    known = set(warehouse.frame("select incident_id from incidents")["incident_id"])
    with (folder / "hadoop_duplicate_links.csv").open(encoding="utf-8") as file:
        pairs = [pair for pair in list(csv.reader(file))[1:] if known.issuperset(pair)]
    found = sum(other in one(warehouse, issue, "jira").similar["incident_id"] for issue, other in pairs)
    # By titles alone, among the 2,503 issues of one project: eight taken blindly would find one pair in 300.
    assert len(pairs) == 125
    assert found >= 60
    warehouse.connection.close()


def test_all_that_an_incident_shows_can_be_taken_away(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "incidents", incident=["servicedesk/INC0413321"])
    shown: record.Record = app.session_state["_record"]
    tables = {part.title: part for part in shown.taken if isinstance(part, record.Table)}
    events = query.open_data(sample).frame(
        "select * from incident_events where source = 'servicedesk' and incident_id = 'INC0413321'"
    )
    assert list(tables) == [
        f"{events.height} events of this incident",
        "What is known of it?",
        "Every column",
        "Incidents",
    ]
    told = pl.read_csv(takeaway.as_csv(shown, tables[f"{events.height} events of this incident"]), comment_prefix="#")
    assert told.height == events.height
    every = dict(tables["Every column"].rows().iter_rows())
    assert every["incident_id"] == "INC0413321"
    facts = dict(tables["What is known of it?"].shown.iter_rows())
    assert facts["Assignment group"] == every["assignment_group"]
    asked = tables["Every column"].asked
    assert asked is not None and any("INC0413321" in one.sql for one in asked())
