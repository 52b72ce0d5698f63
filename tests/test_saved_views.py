"""Saved views: what the configuration may say of them, that they are published and stay, and that their links open them."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT
from test_pages import opened, said, url

from dashboard import exploring, filters, periods, query, slices
from dashboard.exploring import Asked
from dashboard.filters import Choice
from etl import config, refresh, saved_view, store
from etl.cli import cli
from etl.config import ConfigError
from etl.saved_view import SavedView

HEADER = "Number,State,Priority,Assignment group,Opened,Resolved"
EXPORT = "\n".join(
    [HEADER]
    + [
        f"INC{at},Resolved,{1 + at % 3} - X,{['Desk', 'Net'][at % 2]},2026-01-{5 + at % 20:02d} 08:00:00,2026-01-{5 + at % 20:02d} 12:00:00"
        for at in range(60)
    ]
)
SOURCE = 'timezone = "UTC"\n[sources.desk]\nkind = "servicenow"\nfiles = ["a.csv"]\ntimezone = "UTC"\n'
TWO = """
[views."Slow nights"]
kpi = "mttr_p90"
by = ["assignment_group", "opened_hour"]
picture = "heat"
against = "year"
only = ["opened_weekday:6", "opened_weekday:7"]
since = 2026-01-01
until = 2026-01-31
priority = [1, "2"]

[views.Net]
against = "assignment_group:Net"
period = "quarter"
service = "(none)"
"""
PARSED = (
    SavedView(
        "Slow nights",
        "mttr_p90",
        ("assignment_group", "opened_hour"),
        "heat",
        "year",
        only=("opened_weekday:6", "opened_weekday:7"),
        since=date(2026, 1, 1),
        until=date(2026, 1, 31),
        priority=("1", "2"),
    ),
    SavedView("Net", against="assignment_group:Net", period="quarter", service=("(none)",)),
)


def test_a_view_is_read_as_it_is_written() -> None:
    assert saved_view.parse(tomllib.loads(TWO)["views"]) == PARSED
    assert saved_view.parse({}) == ()


def test_a_view_may_say_whatever_the_page_can_show() -> None:
    assert tuple(exploring.DIMENSIONS) == saved_view.DIMENSIONS
    assert tuple(exploring.PICTURES) == saved_view.PICTURES
    assert tuple(exploring.AGAINST) == ("", *saved_view.AGAINST)
    assert exploring.SCALES == saved_view.SCALES
    assert [name for name in filters.PERIODS if name != "days"] == list(saved_view.PERIODS)
    assert periods.GRAINS == saved_view.GRAINS
    assert filters.NONE == saved_view.NONE
    assert tuple(field.name for field in store.SAVED_VIEWS) == SavedView._fields
    assert {*exploring.KEYS, *SavedView._fields} - {"adds", "incidents", "name"} == set(saved_view.KEYS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("views = 3", "views must be tables, each [views.NAME]"),
        (
            "[views.a]\nkip = 'mttr'",
            "[views.a]: key 'kip' is not one of kpi, by, picture, against, scale, only, period",
        ),
        ("[views.a]\nkpi = 'mtr'", "[views.a] kpi is 'mtr'; it must be one of ack_rate,"),
        ("[views.a]\nkpi = 'mtr'", "did you mean 'mttr'?"),
        ("[views.a]\nby = 'title'", "[views.a] by is 'title'; it must be one of source, priority,"),
        ("[views.a]\nby = ['a', 'b', 'c']", "[views.a] by is ['a', 'b', 'c']; give one or two different dimensions"),
        ("[views.a]\nby = ['service', 'service']", "give one or two different dimensions"),
        ("[views.a]\npicture = 'pie'", "[views.a] picture is 'pie'; it must be one of trend, multiples, bars, heat"),
        ("[views.a]\nagainst = 'tags:x'", "[views.a] against is 'tags:x'; it must be before, year, or another slice"),
        ("[views.a]\nonly = 'service:x'", "[views.a] only is 'service:x'; give texts like 'subcategory:Mail'"),
        ("[views.a]\nperiod = '3w'", "[views.a] period is '3w'; it must be one of 4w, 12w, 26w, 12m, quarter, all"),
        ("[views.a]\nsince = 2026-01-01", "[views.a] since and until belong together"),
        ("[views.a]\nsince = 2026-01-02\nuntil = 2026-01-01", "[views.a] until is 2026-01-01, and since is later"),
        ("[views.a]\nperiod = '4w'\nsince = 2026-01-01\nuntil = 2026-01-02", "period and since say different days"),
        ("[views.a]\npriority = 'P1'", "[views.a] priority is ['P1']; give one or a list of 1, 2, 3, 4, 5"),
        (f"[views.{'a' * 81}]\nkpi = 'mttr'", "a view has a name of 1 to 80 characters"),
    ],
)
def test_what_is_not_understood_is_named_with_its_choices(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(tomllib.loads(text), tmp_path / "meantime.toml")
    assert message in str(caught.value)


def published(data: Path) -> list[slices.SavedView]:
    return slices.saved_views(query.open_data(data))


LINKS = [
    slices.SavedView("Net", {"against": ["assignment_group:Net"], "period": ["quarter"], "service": ["(none)"]}),
    slices.SavedView(
        "Slow nights",
        {
            "kpi": ["mttr_p90"],
            "by": ["assignment_group", "opened_hour"],
            "picture": ["heat"],
            "against": ["year"],
            "only": ["opened_weekday:6", "opened_weekday:7"],
            "since": ["2026-01-01"],
            "until": ["2026-01-31"],
            "priority": ["1", "2"],
        },
    ),
]


def test_views_are_published_listed_and_stay_until_the_configuration_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text(EXPORT, encoding="utf-8")
    file, data = tmp_path / "meantime.toml", tmp_path / "data"

    def configured(said: str) -> config.Config:
        file.write_text(SOURCE + said, encoding="utf-8")
        return config.read(file)

    refresh.refresh(data, configured(TWO))
    assert published(data) == LINKS
    app = opened(monkeypatch, data, "explore", **LINKS[1].link)
    assert "does not know" not in said(app)
    assert url(app) == LINKS[1].link
    assert [link.label for link in app.get("page_link")] == ["Net", "Slow nights"]
    refresh.rebuild(data)
    assert published(data) == LINKS
    refresh.refresh(data, configured(""))
    assert published(data) == []


def test_check_names_what_a_view_asks_for_and_no_incident_has(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(EXPORT, encoding="utf-8")
    asked = (
        '[views.Net]\nassignment_group = ["Ent", "(none)", "Net"]\nonly = ["is_major:perhaps", "opened_hour:8"]\n'
        '[views."Old one"]\nagainst = "service:Mail"\npriority = 5\n'
    )
    (tmp_path / "meantime.toml").write_text(SOURCE + asked, encoding="utf-8")
    refresh.refresh(tmp_path / "data", config.read(tmp_path / "meantime.toml"))
    told = CliRunner().invoke(
        cli, ["--data", str(tmp_path / "data"), "--config", str(tmp_path / "meantime.toml"), "check"]
    )
    said = [line.partition("[views")[2] for line in told.stderr.splitlines() if "[views" in line]
    assert said == [
        ".Net] assignment_group: no incident has assignment_group 'Ent'; there are Desk, Net",
        ".Net] only: no incident has is_major 'perhaps'",
        ".Old one] priority: no incident has priority '5'; there are 1, 2, 3",
        ".Old one] against: no incident has service 'Mail'",
    ]
    assert told.exit_code == 0


def test_the_text_that_the_page_gives_is_understood_and_opens_the_same_view() -> None:
    choice = Choice(
        "days",
        (date(2026, 1, 1), date(2026, 1, 31)),
        "week",
        (("priority", ("1", "(none)")), ("service", ('a"\\b\x7f\t',))),
    )
    asked = Asked("mtta", ("tags",), "bars", "service:x", "log", (("tags", ("a:b", "c")),), (1.0, None), True)
    read = tomllib.loads(exploring.as_toml('My "view"', choice, asked))["views"]
    (found,) = saved_view.parse(read)
    assert found == SavedView(
        'My "view"',
        "mtta",
        ("tags",),
        "bars",
        "service:x",
        "log",
        ("tags:a:b", "tags:c"),
        None,
        date(2026, 1, 1),
        date(2026, 1, 31),
        "week",
        priority=("1", "(none)"),
        service=('a"\\b\x7f\t',),
    )


def test_the_readme_shows_views_that_are_understood() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```toml\n")[1:] if "[views" in block).split("```")[0]
    assert [one.name for one in saved_view.parse(tomllib.loads(example)["views"])] == ["Slow nights"]
