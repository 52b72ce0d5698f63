"""Targets: set in the configuration, published with the warehouse, judged on tiles and trends, and said before accepted."""

from __future__ import annotations

import math
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from configured import DESK, configured, is_followed_and_outlives_a_rebuild, refused
from polars.testing import assert_frame_equal
from streamlit.testing.v1 import AppTest

from dashboard import aims, query, targets, words
from dashboard.insights import targets as insight
from dashboard.targets import Ground
from etl import refresh, target
from etl.cli import cli
from etl.target import Target

ROOT = Path(__file__).resolve().parents[1]
TWO = """
[[targets]]
kpi = "mttr"
at_most = 24
since = 2026-01-01

[[targets]]
kpi = "fcr_rate"
at_least = 0.7
since = "2026-01-01"
until = 2026-06-30
priority = [1, 2]
assignment_group = "Network"
"""
PARSED = (
    Target("mttr", 24.0, True, date(2026, 1, 1)),
    Target("fcr_rate", 0.7, False, date(2026, 1, 1), date(2026, 6, 30), priority=(1, 2), assignment_group=("Network",)),
)


def test_targets_are_read_as_they_are_set() -> None:
    assert target.parse(tomllib.loads(TWO)["targets"]) == PARSED
    assert target.parse([]) == ()


def one(**changed: Any) -> str:
    """A target with some of its keys changed, or left out (None)."""
    keys = {"kpi": "'mttr'", "at_most": 24, "since": "2026-01-01"} | changed
    return "\n".join(["[[targets]]", *(f"{key} = {value}" for key, value in keys.items() if value is not None), ""])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("targets = 'fast'", "targets must be tables, each under [[targets]]"),
        (one(kpi="'mtr'"), "[[targets]] 1: kpi is 'mtr'; it must be one of ack_rate, escalation_rate, fcr_coverage"),
        (one(kpi="'mtr'"), "did you mean 'mttr'?"),
        (
            one(kpi="'incident_volume'"),
            "kpi is 'incident_volume', a count or of open incidents; a target is for a mean",
        ),
        (one(kpi="'backlog_age_median'"), "kpi is 'backlog_age_median', a count or of open incidents"),
        (one(at_most=None), "[[targets]] 1: mttr needs `at_most`: lower is better; given is none"),
        (one(at_most=None, at_least=3), "mttr needs `at_most`: lower is better; given are at_least"),
        (one(at_least=3), "mttr needs `at_most`: lower is better; given are at_most and at_least"),
        (one(at_most="'a day'"), "at_most is 'a day'; it must be a number above 0, in hours"),
        (one(at_most="true"), "at_most is True; it must be a number above 0, in hours"),
        (one(at_most="nan"), "at_most is nan; it must be a number above 0, in hours"),
        (one(kpi="'fcr_rate'", at_most=None, at_least=70), "at_least is 70; fcr_rate is a share below 1: 90 % is 0.9"),
        (one(since=None), "[[targets]] 1: since is None; write the day like 2026-03-01"),
        (one(until="2025-12-31"), "until is 2025-12-31, and since is later, 2026-01-01"),
        (one(prority=1), "[[targets]] 1: key 'prority' is not one of kpi, at_most, at_least, since, until, source"),
        (one(priority="'P1'"), "[[targets]] 1: priority is 'P1'; give one or a list of 1, 2, 3, 4, 5"),
        (
            one(priority="[1, 2]") + one(priority="[2, 1]", since="2026-05-01"),
            "[[targets]] 2: mttr has a target on the same days already, number 1; let `until` end one before",
        ),
    ],
)
def test_a_mistake_is_named_with_what_it_may_be(tmp_path: Path, said: str, message: str) -> None:
    assert message in refused(tmp_path, said)


def test_one_target_may_follow_another_and_another_part_has_its_own() -> None:
    said = one(until="2026-03-31") + one(since="2026-04-01") + one(priority=1)
    assert [found.part for found in target.parse(tomllib.loads(said)["targets"])] == [{}, {}, {"priority": (1,)}]


PUBLISHED = [
    ("fcr_rate", 0.7, False, date(2026, 1, 1), date(2026, 6, 30), None, ["1", "2"], ["Network"], None, None, None),
    ("mttr", 24.0, True, date(2026, 1, 1), None, None, None, None, None, None, None),
]


def export(file: Path, hours: Any) -> None:
    """Write 26 weeks from 7 July 2025 of four incidents a day; `hours` gives those of a day."""
    lines = ["Number,State,Priority,Assignment group,Opened,Resolved,Reopen count,Reassignment count"]
    for at in range(182):
        day = date(2025, 7, 7) + timedelta(days=at)
        for place, took in enumerate(hours(at)):
            group = ("Desk", "Network")[place % 2]
            lines.append(
                f"INC{len(lines):07d},Resolved,{place % 2 + 1} - X,{group},{day} 00:00:00,{day} {took:02d}:00:00,0,0"
            )
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_targets_are_published_follow_the_configuration_and_outlive_a_rebuild(tmp_path: Path) -> None:
    export(tmp_path / "a.csv", lambda at: (4, 8))
    is_followed_and_outlives_a_rebuild(tmp_path, TWO, "select * from targets order by kpi", PUBLISHED)


SLOWER = """
[[targets]]
kpi = "mttr"
at_most = 7
since = 2025-10-06

[[targets]]
kpi = "mttr_median"
at_most = 7
since = 2025-10-06
assignment_group = "Network"

[[targets]]
kpi = "mttr"
at_most = 6
since = 2025-07-14
priority = 1
"""


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk of 6 h on average for 13 weeks, half of whose incidents take twice as long from 6 October on."""
    folder = tmp_path_factory.mktemp("slower")
    export(folder / "a.csv", lambda at: (4, 8 + at % 2, 5, 7 - at % 2) if at < 91 else (4, 16 + at % 2, 5, 14 - at % 2))
    refresh.refresh(folder / "data", configured(folder, DESK + SLOWER))
    return folder


def found_in(slower: Path) -> dict[tuple[str, str], tuple[targets.Target, Ground, targets.Standing | None]]:
    warehouse = query.open_data(slower / "data")
    found = {}
    for aim in targets.targets(warehouse):
        ground = targets.ground(warehouse, aim)
        shape = ground.baseline.shape if ground.baseline else None
        standing = targets.standing(warehouse, aim, date(2025, 10, 6), date(2025, 12, 28), "week", shape)
        found[aim.kpi, aims.part(aim)] = (aim, ground, standing)
    return found


def test_a_target_is_judged_by_its_value_its_periods_and_chance(slower: Path) -> None:
    found = found_in(slower)
    _, ground, standing = found["mttr", "everything"]
    assert standing is not None
    # Four a day of 4, 16 or 17, 5, 14 or 13 h: 9.75 h.
    assert (standing.value, standing.n) == (9.75, 336)
    assert (standing.is_met, standing.side, standing.met, standing.periods) == (False, -1, 0, 12)
    assert ground.baseline is not None
    assert (ground.until, ground.is_before, ground.baseline.value) == (date(2025, 10, 5), True, 6.0)
    assert aims.tile(standing, "hours", "week").replace(words.GAP, " ") == (
        "target at most 7.0 h: missed by 2.8 h, beyond chance · met in 0 of 12 weeks"
    )
    network = found["mttr_median", "Network"][2]
    assert network is not None
    assert aims.tile(network, "hours", "week").replace(words.GAP, " ") == (
        "target at most 7.0 h: missed by 8.0 h, beyond chance · met in 0 of 12 weeks"
    )
    first = found["mttr", "P1"][2]
    assert first is not None
    # 4 and 5 h throughout: nothing varies from day to day, and the target is far.
    assert aims.verdict(first, "hours").replace(words.GAP, " ") == "met with 1.5 h to spare, beyond chance"


def test_a_target_holds_for_exactly_its_part_and_days(slower: Path) -> None:
    known = targets.targets(query.open_data(slower / "data"))

    def held(name: str, since: date, until: date, where: targets.Part = ()) -> list[float]:
        return [aim.value for aim in targets.holding(known, name, query.Scope(since, until, where))]

    october, november = date(2025, 10, 1), date(2025, 11, 30)
    assert held("mttr", october, november) == [7.0]
    assert held("mttr", october, date(2025, 10, 5)) == []
    assert held("mttr", october, november, (("priority", ("1",)),)) == [6.0]
    assert held("mttr", october, november, (("priority", ("1", "2")),)) == []
    assert held("mttr_median", october, november) == []


def test_what_a_target_asks_and_can_detect_is_said_by_check_before_it_is_accepted(slower: Path, tmp_path: Path) -> None:
    told = ["--config", str(slower / "meantime.toml")]
    result = CliRunner().invoke(cli, [*told, "--data", str(slower / "data"), "check"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith("target")]
    assert len(lines) == 3
    number = r"[\d.]+"
    assert re.fullmatch(
        r"target: Mean time to resolve: at most 7\.0 h since 6 Oct 2025\. It was met before: 6\.0 h "
        rf"\(.* to 5 Oct 2025, n \d+\)\. At 80 % power it tells from 7\.0 h: {number} h or less and {number} h or more in a "
        rf"month; {number} h or less and {number} h or more in a quarter; {number} h or less and {number} h or more in a "
        rf"year\. The smallest change on the days before that shows: ×{number} in a month, ×{number} in a quarter, "
        rf"×{number} in a year\.",
        lines[0],
    )
    # The numbers are those of the formula: 2.80·s·√(deff/n) on log hours, of a month of four a day.
    base = found_in(slower)["mttr", "everything"][1].baseline
    assert base is not None
    width = 2.8016 * base.s * math.sqrt(base.deff / (4 * 365.25 / 12))
    high = (math.exp(width) * (1 + 60 * 7) - 1) / 60
    assert f"and {high:.1f} h or more in a month" in lines[0]
    nowhere = CliRunner().invoke(cli, [*told, "--data", str(tmp_path), "check"])
    assert "targets: cannot say what they can detect: nothing is published yet" in nowhere.stdout


def test_with_fewer_than_20_days_nothing_is_said_of_what_a_target_can_detect(tmp_path: Path) -> None:
    lines = ["Number,State,Priority,Opened,Resolved"]
    for at in range(15):
        day = date(2026, 1, 5) + timedelta(days=at)
        lines.append(f"INC{at:07d},Resolved,3 - X,{day} 00:00:00,{day} 0{1 + at % 5}:00:00")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    refresh.refresh(tmp_path / "data", configured(tmp_path, DESK + one()))
    result = CliRunner().invoke(
        cli, ["--config", str(tmp_path / "meantime.toml"), "--data", str(tmp_path / "data"), "check"]
    )
    assert "What it can detect: cannot say, " in result.stdout
    assert "days with incidents where 20 are needed." in result.stdout


def opened(monkeypatch: pytest.MonkeyPatch, data: Path, page: str, **parameters: Any) -> AppTest:
    monkeypatch.setenv("MEANTIME_DATA", str(data))
    app = AppTest.from_file(str(ROOT / "dashboard/app.py"), default_timeout=60)
    app.run()
    app.switch_page(f"app_pages/{page}.py")
    for name, values in parameters.items():
        app.query_params[name] = values
    app.run()
    assert not app.exception
    return app


def texts(elements: Any) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", str(element.value)).replace(words.GAP, " ") for element in elements]


def test_a_target_stands_on_its_tile_and_as_a_line_on_the_trend(slower: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, slower / "data", "overview", since=["2025-10-06"], until=["2025-12-28"])
    on_tiles = [text for text in texts(app.caption) if text.startswith("target ")]
    assert on_tiles == ["target at most 7.0 h: missed by 2.8 h, beyond chance · met in 0 of 12 weeks"]
    drawn = app.get("vega_lite_chart") + app.get("arrow_vega_lite_chart")
    assert sum("target: at most 7.0" in chart.proto.spec.replace(words.GAP, " ") for chart in drawn) == 1
    # Another part has no target, and says none.
    app = opened(monkeypatch, slower / "data", "overview", priority=["2"])
    assert [text for text in texts(app.caption) if text.startswith("target ")] == []


def test_the_page_of_targets_says_how_many_are_met_how_each_stands_and_what_each_detects(
    slower: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, slower / "data", "targets", since=["2025-10-06"], until=["2025-12-28"])
    said = texts(app.markdown)
    assert "**1 of 3 targets** is met from 6 Oct to 28 Dec 2025; 2 are missed, 2 of them beyond chance." in said
    stands = [line for line in said if line.startswith("- **") and "missed" in line]
    assert stands[0].startswith(
        "- **Mean time to resolve: at most 7.0 h since 6 Oct 2025.** 9.8 h, missed by 2.8 h, beyond chance; met in 0 of 12 "
        "weeks; the typical time is "
    )
    assert sum("At 80 % power it tells from" in line for line in said) == 3


def test_the_page_says_where_no_target_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(tmp_path / "a.csv", lambda at: (4, 8))
    refresh.refresh(tmp_path / "data", configured(tmp_path, DESK))
    said = texts(opened(monkeypatch, tmp_path / "data", "targets").markdown)
    assert "No target is set." in said


def test_the_readme_shows_targets_that_are_understood() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```toml\n")[1:] if "[[targets]]" in block).split("```")[0]
    assert [one.kpi for one in target.parse(tomllib.loads(example)["targets"])] == ["mttr", "sla_met_rate"]


@pytest.mark.parametrize("name", ["mttr", "mtta", "fcr_rate", "sla_met_rate"])
def test_sums_of_days_judge_as_every_incident_does(sample: Path, name: str) -> None:
    warehouse = query.open_data(sample)
    one, scope = query.kpi(warehouse, name), query.Scope(date(2025, 1, 1), date(2025, 9, 30), (("priority", ("2",)),))
    rows = insight.by_day(query.each(warehouse, name, scope), one.unit).sort("day")
    assert_frame_equal(targets._sums(warehouse, one, scope), rows, check_dtypes=False, rel_tol=1e-4)
