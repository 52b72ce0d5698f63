"""Links: an incident that two tools have counts once, with the better clock, whatever came first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import exports
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from etl import catalog, config, incident, links, refresh, store
from etl.config import Config, ConfigError
from etl.links import LinkError
from etl.sources import Canonical

START = datetime(2025, 3, 3, 8)
AS_OF = datetime(2025, 4, 1)
SOURCES = ("alerts", "paging", "desk")
NUMBER = {"source": "paging", "field": "attributes.ticket", "target": "desk", "keep": "desk"}
PAGE = {"source": "desk", "field": "attributes.page", "target": "paging", "keep": "desk"}
ALERT = {"source": "paging", "field": "tags", "pattern": r"alert=(\w+)", "target": "alerts", "keep": "paging"}


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def version(incident_id: str, source: str = "desk", **columns: Any) -> dict[str, Any]:
    """An incident as its tool shows it; a dictionary of attributes is what the export has beside."""
    usual = {"state": "resolved", "opened_at": START, "resolved_at": at(10), "reports_acknowledgement": False}
    told = {**usual, **columns}
    if isinstance(told.get("attributes"), dict):
        told["attributes"] = json.dumps(told["attributes"])
    return {"source": source, "incident_id": incident_id, **told}


def page(incident_id: str, ticket: str | None = None, **columns: Any) -> dict[str, Any]:
    attributes = {"ticket": ticket} if ticket else None
    return version(
        incident_id,
        "paging",
        **{"reports_acknowledgement": True, "attributes": attributes, "resolved_at": at(9), **columns},
    )


class World(NamedTuple):
    """A store whose runs are told one by one."""

    con: duckdb.DuckDBPyConnection

    def run(self, *rows: dict[str, Any], events: list[dict[str, Any]] | None = None, rules: object = None) -> None:
        """One run: what came in, merged, and the facts made; each source's rows are an input."""
        con = self.con
        con.execute("begin")
        con.execute("create or replace temp table changed (source varchar, incident_id varchar)")
        store.keep_links(con, None if rules is None else links.parse(rules, SOURCES))
        for source in SOURCES:
            versions = [{k: v for k, v in row.items() if k != "source"} for row in rows if row["source"] == source]
            if not versions:
                continue
            store.stage(con)
            nothing = pl.DataFrame()
            frames = [
                incident.conform(frame, fields)
                for frame, fields in (
                    (pl.DataFrame(versions, infer_schema_length=None), incident.VERSION),
                    (nothing, incident.SNAPSHOT),
                    (pl.DataFrame(events) if events and source == "desk" else nothing, incident.GIVEN_EVENT),
                    (nothing, incident.REJECTED),
                    (nothing, incident.ISSUE),
                )
            ]
            store.put(con, source, Canonical(*frames))
            store.merge(con, source, "input", AS_OF, AS_OF)
            store.record_source(con, {"source": source, "kind": "table", "as_of": AS_OF, "knows_resolving": True})
        catalog.run_facts(con)
        con.execute("commit")

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.con.execute(query).fetchall()

    def counted(self) -> list[tuple[Any, ...]]:
        return self.ask("select source, incident_id from incidents where excluded_as is null order by all")

    def verdicts(self) -> list[tuple[Any, ...]]:
        return self.ask("select incident_id, linked_id, verdict from incident_links order by all")

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        tables = (
            "incidents",
            "incident_events",
            "incident_links",
            "incident_segments",
            "data_issues",
            "store.open_spans",
        )
        return {table: self.ask(f"select * from {table} order by all") for table in tables}


@pytest.fixture
def world() -> Iterator[World]:
    con = duckdb.connect()
    yield new(con)
    con.close()


def new(con: duckdb.DuckDBPyConnection) -> World:
    store.create(con, "UTC")
    catalog.build(con, {**store.PUBLIC, **store.VIEWS})
    return World(con)


def test_a_pair_counts_once_and_takes_the_better_clock_of_the_two(world: World) -> None:
    took_on = {
        "incident_key": "T1",
        "event_id": "1",
        "happened_at": at(3),
        "sequence": 0,
        "kind": "state",
        "from_value": "new",
        "to_value": "in_progress",
        "actor": "ann",
        "actor_kind": "person",
    }
    resolved = {**took_on, "event_id": "2", "happened_at": at(10), "kind": "resolved", "to_value": "resolved"}
    resolved["from_value"] = "in_progress"
    world.run(
        version("T1", opened_at=at(1)),
        page("P1", "T1", acknowledged_at=at(0.5)),
        events=[took_on, resolved],
        rules=[NUMBER],
    )
    columns = "opened_at, acknowledged_at, acknowledgement_basis, resolved_at, resolution_basis, excluded_as"
    assert world.ask(f"select incident_id, {columns} from incidents order by all") == [
        ("P1", START, at(0.5), "reported", at(9), "reported", "duplicate"),
        ("T1", START, at(0.5), "reported", at(10), "reported", None),
    ]
    assert world.ask("select seconds_to_acknowledge, seconds_to_resolve from incidents where incident_id = 'T1'") == [
        (1800, 36000)
    ]
    assert world.ask(
        "select verdict, joined_incident_id, counted_incident_id, taken, own_opened_at, own_acknowledged_at,"
        " own_acknowledgement_basis from incident_links"
    ) == [("joined", "P1", "T1", ["opened_at", "acknowledged_at"], at(1), at(3), "derived")]
    assert world.ask(
        "select kind, seconds / 3600 from incident_segments where incident_id = 'T1' order by from_at"
    ) == [("waiting", 0.5), ("working", 0.5), ("working", 2.0), ("working", 7.0)]


def test_the_id_may_stand_in_either_tool_in_any_field(world: World) -> None:
    rows, rules = [], []
    for place, field in enumerate(links.FIELDS):
        ticket = f"INC{place}"
        told = {"tags": ["x", ticket]} if field == "tags" else {field: ticket} if field != "incident_id" else {}
        rows += [version(ticket), page(ticket if field == "incident_id" else f"P{place}", **told)]
        rules.append({**NUMBER, "field": field})
    rows += [version("T2", attributes={"page": "P77"}), page("P77")]
    world.run(*rows, rules=[*rules, PAGE])
    found = world.ask("select rule, linked_id from incident_links where verdict = 'joined' order by all")
    assert found == [*((place + 1, f"INC{place}") for place in range(len(links.FIELDS))), (len(rules) + 1, "P77")]


def test_a_second_key_and_a_pattern_find_it(world: World) -> None:
    rule = {**NUMBER, "field": "title", "pattern": r"\[(INC\d+)\]"}
    world.run(version("T1", external_id="INC0042"), page("P1", title="Mail is down [INC0042] INC9"), rules=[rule])
    assert world.verdicts() == [("P1", "INC0042", "joined")]
    assert world.counted() == [("desk", "T1")]


def test_several_pages_of_one_ticket_are_joined_and_several_tickets_of_one_page_are_not(world: World) -> None:
    rule = {**NUMBER, "field": "tags"}
    world.run(
        version("T1"),
        version("T2"),
        page("P1", tags=["T1"], acknowledged_at=at(2)),
        page("P2", tags=["T1"], acknowledged_at=at(1)),
        page("P3", tags=["T1", "T2"]),
        rules=[rule],
    )
    assert world.verdicts() == [
        ("P1", "T1", "joined"),
        ("P2", "T1", "joined"),
        ("P3", "T1", "ambiguous"),
        ("P3", "T2", "ambiguous"),
    ]
    assert world.counted() == [("desk", "T1"), ("desk", "T2"), ("paging", "P3")]
    assert world.ask("select acknowledged_at from incidents where incident_id = 'T1'") == [(at(1),)]
    assert world.ask("select incident_id, rule, value from data_issues order by all") == [
        ("P3", "linked_to_several", "T1"),
        ("P3", "linked_to_several", "T2"),
    ]


def test_an_id_that_fits_two_incidents_joins_none(world: World) -> None:
    world.run(version("T1"), version("T2", external_id="T1"), page("P1", "T1"), rules=[NUMBER])
    assert world.verdicts() == [("P1", "T1", "ambiguous"), ("P1", "T1", "ambiguous")]
    assert len(world.counted()) == 3


def test_a_chain_counts_where_it_ends(world: World) -> None:
    world.run(
        version("A1", "alerts", opened_at=at(-1)),
        page("P1", "T1", tags=["alert=A1"], acknowledged_at=at(1)),
        version("T1"),
        rules=[ALERT, NUMBER],
    )
    assert world.counted() == [("desk", "T1")]
    assert world.ask("select opened_at, acknowledged_at from incidents where incident_id = 'T1'") == [(at(-1), at(1))]
    assert world.ask("select joined_incident_id, counted_incident_id, taken from incident_links order by all") == [
        ("A1", "T1", ["opened_at"]),
        ("P1", "T1", ["acknowledged_at"]),
    ]


def test_an_earlier_rule_decides_where_two_tools_disagree(world: World) -> None:
    world.run(version("T1"), version("T2", attributes={"page": "P1"}), page("P1", "T1"), rules=[NUMBER, PAGE])
    assert world.verdicts() == [("P1", "T1", "joined"), ("T2", "P1", "outranked")]
    assert world.counted() == [("desk", "T1"), ("desk", "T2")]
    world.run(rules=[PAGE, NUMBER])
    assert world.verdicts() == [("P1", "T1", "outranked"), ("T2", "P1", "joined")]


def test_a_link_to_what_is_not_there_yet_waits_and_one_that_disappears_is_undone(world: World) -> None:
    world.run(page("P1", "T1", updated_at=at(1)), rules=[NUMBER])
    assert (world.verdicts(), world.counted()) == ([("P1", "T1", "missing")], [("paging", "P1")])
    world.run(version("T1"))
    assert (world.verdicts(), world.counted()) == ([("P1", "T1", "joined")], [("desk", "T1")])
    world.run(page("P1", updated_at=at(2)))
    assert (world.verdicts(), world.counted()) == ([], [("desk", "T1"), ("paging", "P1")])
    assert world.ask("select acknowledgement_basis from incidents where incident_id = 'T1'") == [(None,)]


@pytest.mark.parametrize("excluded", ["cancelled", "duplicate", "test", "deleted"])
def test_what_its_own_tool_excludes_is_joined_with_nothing(world: World, excluded: str) -> None:
    world.run(version("T1", updated_at=at(1)), page("P1", "T1"), rules=[NUMBER])
    assert world.counted() == [("desk", "T1")]
    world.run(version("T1", updated_at=at(2), excluded_as=excluded))
    assert (world.verdicts(), world.counted()) == ([("P1", "T1", "excluded")], [("paging", "P1")])


def test_what_the_ticket_has_open_is_open_and_a_mere_closing_yields_to_a_resolution(world: World) -> None:
    world.run(
        version("T1", state="in_progress", resolved_at=None),
        version("T2", state="closed", resolved_at=None, closed_at=at(100)),
        page("P1", "T1"),
        page("P2", "T2"),
        rules=[NUMBER],
    )
    assert world.ask(
        "select incident_id, resolved_at, resolution_basis, seconds_to_resolve from incidents"
        " where source = 'desk' order by all"
    ) == [("T1", None, None, None), ("T2", at(9), "reported", 9 * 3600)]


def test_a_rule_may_say_whose_word_comes_first(world: World) -> None:
    take = {"opened_at": "desk", "resolved_at": "paging", "acknowledged_at": "desk"}
    world.run(
        version("T1", opened_at=at(1), reports_acknowledgement=True, acknowledged_at=at(4)),
        page("P1", "T1", acknowledged_at=at(2)),
        rules=[{**NUMBER, "take": take}],
    )
    assert world.ask("select opened_at, acknowledged_at, resolved_at from incidents where source = 'desk'") == [
        (at(1), at(4), at(9))
    ]


def test_without_rules_everything_counts_again(world: World) -> None:
    world.run(version("T1"), page("P1", "T1"), rules=[])
    before = world.content()
    world.run(rules=[NUMBER])
    assert world.counted() == [("desk", "T1")]
    world.run(rules=[])
    assert world.content() == before


def test_a_child_of_a_ticket_that_takes_its_resolution_from_a_page_is_judged_by_that(world: World) -> None:
    world.run(
        version("T1", state="closed", resolved_at=None, closed_at=at(100)),
        version("T2", parent_id="T1", resolved_at=at(9)),
        page("P1"),
        rules=[NUMBER],
    )
    child = "select resolved_with_parent from incidents where incident_id = 'T2'"
    assert world.ask(child) == [(False,)]
    world.run(page("P1", "T1", updated_at=at(1)))
    assert world.ask(child) == [(True,)]


ids = st.sampled_from(["1", "2", "3"])
hours = st.integers(0, 20).map(at)
pages = st.builds(
    lambda number, tickets, alerts, opened, acknowledged, excluded, updated: page(
        f"P{number}",
        title=" ".join(f"T{ticket}" for ticket in tickets),
        tags=[f"alert=A{alert}" for alert in alerts],
        opened_at=opened,
        acknowledged_at=acknowledged,
        excluded_as=excluded,
        updated_at=updated,
    ),
    ids,
    st.lists(ids, max_size=2, unique=True),
    st.lists(ids, max_size=1),
    hours,
    st.none() | hours,
    st.sampled_from([None, None, None, "test"]),
    hours,
)
tickets = st.builds(
    lambda number, pages, state, opened, excluded, updated: version(
        f"T{number}",
        attributes={"page": f"P{pages[0]}"} if pages else None,
        state=state,
        opened_at=opened,
        closed_at=at(30),
        resolved_at=at(25) if state == "resolved" else None,
        excluded_as=excluded,
        updated_at=updated,
    ),
    ids,
    st.lists(ids, max_size=1),
    st.sampled_from(["in_progress", "resolved", "closed"]),
    hours,
    st.sampled_from([None, None, None, "deleted"]),
    hours,
)
alerts = st.builds(
    lambda number, opened: version(f"A{number}", "alerts", opened_at=opened, updated_at=opened), ids, hours
)
RULES = [{**NUMBER, "field": "title", "pattern": r"T\d"}, ALERT, PAGE]


def expected(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Who is joined to whom, by the words of the documentation and nothing of the program."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["updated_at"]):
        newest[row["source"], row["incident_id"]] = row
    found: dict[tuple[str, str], list[set[tuple[str, str]]]] = {key: [set(), set(), set()] for key in newest}
    for key, row in newest.items():
        said: list[tuple[int, tuple[str, str], bool]] = []
        if key[0] == "paging":
            said += [(0, ("desk", word), True) for word in row["title"].split()]
            said += [(1, ("alerts", tag.removeprefix("alert=")), False) for tag in row["tags"]]
        if key[0] == "desk" and row["attributes"]:
            said.append((2, ("paging", json.loads(row["attributes"])["page"]), False))
        for rule, other, is_joined in said:
            if other in newest and not row.get("excluded_as") and not newest[other].get("excluded_as"):
                joined, counted = (key, other) if is_joined else (other, key)
                found[joined][rule].add(counted)
    direct = {}
    for key, by_rule in found.items():
        first = next((counted for counted in by_rule if counted), set())
        if len(first) == 1:
            direct[key] = next(iter(first))

    def end(key: tuple[str, str]) -> tuple[str, str]:
        return end(direct[key]) if key in direct else key

    return {key: end(key) for key in direct}


@settings(max_examples=5, deadline=None)
@given(st.data())
def test_order_does_not_matter_and_every_pair_is_joined_that_the_rules_join(data: st.DataObject) -> None:
    rows = data.draw(st.lists(pages | tickets | alerts, min_size=2, max_size=9))
    # Of one incident no two versions of one time: which of them is newer, nobody could say.
    rows = list({(row["source"], row["incident_id"], row["updated_at"]): row for row in rows}.values())
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=2)))
    parts = [shuffled[since:until] for since, until in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    with duckdb.connect() as one, duckdb.connect() as other:
        at_once, piecemeal = new(one), new(other)
        at_once.run(*rows, rules=RULES)
        for number, part in enumerate(parts):
            piecemeal.run(*part, rules=RULES if number == len(parts) - 1 or number == 0 else None)
        assert piecemeal.content() == at_once.content()
        joined = at_once.ask(
            "select distinct joined_source, joined_incident_id, counted_source, counted_incident_id"
            " from incident_links where verdict = 'joined'"
        )
        assert {(a, b): (c, d) for a, b, c, d in joined} == expected(rows)
        apart = "select source, incident_id from incidents where excluded_as = 'duplicate'"
        assert set(at_once.ask(apart)) == set(expected(rows))
        assert (
            at_once.ask(
                "select i.incident_id from incidents as i join (select source, incident_id, sum(seconds) as seconds"
                " from incident_segments group by all) as s using (source, incident_id)"
                " where i.seconds_to_resolve <> s.seconds"
            )
            == []
        )


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"source": "a"}, r"links must be a list of tables, \[\[links\]\]"),
        ([{**NUMBER, "souce": "x"}], r"\[\[links\]\] 1: key 'souce' is not one of .*; did you mean 'source'\?"),
        ([{**NUMBER, "source": "pagin"}], r"source is 'pagin'; it must be a configured source, one of .*'paging'\?"),
        ([{**NUMBER, "target": "paging"}], "source and target are both 'paging'; links join incidents of two tools"),
        (
            [{**NUMBER, "keep": "alerts"}],
            "keep is 'alerts'; it names the source whose incident counts, 'paging' or 'desk'",
        ),
        ([{**NUMBER, "field": "titel"}], r"field is 'titel'; it must be one of incident_id, .*did you mean 'title'\?"),
        ([{**NUMBER, "pattern": "(INC"}], r"pattern '\(INC' is no regular expression"),
        ([{**NUMBER, "pattern": r"\d*"}], "matches an empty text"),
        ([{**NUMBER, "pattern": r"(INC)(\d)"}], "has 2 groups; put the id into one"),
        (
            [{**NUMBER, "take": {"closed_at": "desk"}}],
            "take: 'closed_at' is not one of opened_at, acknowledged_at, res",
        ),
        ([{**NUMBER, "take": {"opened_at": "alerts"}}], "take: opened_at is 'alerts'; it must be 'paging' or 'desk'"),
        ([NUMBER, ALERT, NUMBER], r"\[\[links\]\] 3: says the same as rule 1"),
        ([NUMBER, {**PAGE, "keep": "paging"}], "leads in a circle, paging to desk to paging"),
        ([{"source": "paging"}], "field is None; it must be a text"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(rules: object, said: str) -> None:
    with pytest.raises(LinkError, match=said):
        links.parse(rules, SOURCES)


TOML = """
[sources.desk]
kind = "servicenow"
files = ["desk.csv"]
timezone = "UTC"

[sources.paging]
kind = "table"
files = ["pages.csv"]
map = "pages.toml"
"""
RULE = """
[[links]]
source = "paging"
field = "attributes.Ticket"
target = "desk"
keep = "desk"
"""
MAP = """
timezone = "UTC"
state_from = "stamps"

[fields]
incident_id = "Id"
opened_at = "Opened"
resolved_at = "Resolved"
"""


def written(folder: Path, rules: str) -> Config:
    exports.write(folder / "desk.csv", [exports.line(1, 0, "New", 5), exports.line(2, 0, "New", 5)])
    (folder / "pages.csv").write_text("Id,Opened,Resolved,Ticket\nP1,2025-03-03 07:00:00,,INC0000001\n")
    (folder / "pages.toml").write_text(MAP)
    (folder / "meantime.toml").write_text(TOML + rules)
    return config.read(folder / "meantime.toml")


def test_a_rebuild_without_a_configuration_joins_as_before_and_new_rules_read_no_export_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    refresh.refresh(data, written(tmp_path, ""))
    outcome = refresh.refresh(data, written(tmp_path, RULE))
    assert [report.outcome for report in outcome.reports] == ["unchanged", "unchanged"]
    tables = (*exports.TABLES, "incident_links")
    before = exports.content(data / "incidents.duckdb", tables)
    assert [row[7] for row in before["incident_links"]] == ["joined"]
    refresh.rebuild(data)
    assert exports.content(data / "incidents.duckdb", tables) == before
    refresh.refresh(data, written(tmp_path, ""))
    assert exports.content(data / "incidents.duckdb", ("incident_links",)) == {"incident_links": []}


def test_pages_say_how_many_were_joined_and_an_incident_says_with_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh.refresh(tmp_path / "data", written(tmp_path, RULE))
    monkeypatch.setenv("MEANTIME_DATA", str(tmp_path / "data"))

    def captions(page: str, **parameters: str) -> str:
        app = AppTest.from_file(str(exports.ROOT / "dashboard/app.py"), default_timeout=60)
        app.run()
        app.switch_page(f"app_pages/{page}.py")
        app.query_params.update(parameters)
        return (
            "\n".join(element.value for element in app.run().caption)
            .replace("\\", "")
            .replace("\N{NO-BREAK SPACE}", " ")
        )

    joined = "Joined: 1 incident of one tool counted with another tool's"
    assert joined in captions("definitions")
    counted = captions("incidents", incident="desk/INC0000001")
    assert "The same incident as P1 in paging. Opened there; its own says 3 Mar 2025, 08:01." in counted
    assert joined in counted
    assert "The same incident as INC0000001 in desk, which counts for both." in captions(
        "incidents", incident="paging/P1"
    )


@pytest.mark.parametrize(
    "page", sorted((exports.ROOT / "dashboard/app_pages").glob("*.py")), ids=lambda path: path.stem
)
def test_every_page_ends_with_the_foot_that_says_so(page: Path) -> None:
    assert "foot.foot(here" in page.read_text(encoding="utf-8")


def test_the_configuration_names_the_file_of_a_wrong_rule(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"meantime.toml: \[\[links\]\] 1: target is 'dsk'.*did you mean 'desk'"):
        written(tmp_path, RULE.replace('target = "desk"', 'target = "dsk"'))
