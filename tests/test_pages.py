"""Every page, found as the app finds it, on sample data, on hostile data, on hardly any and on none."""

from __future__ import annotations

import ast
import doctest
import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import charted
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from dashboard import filters, query, sentences, tones, tour, view, words
from dashboard.charts import distributions, palette, ranking, scales, timeline, trends, vega
from dashboard.charts.distributions import Bin
from dashboard.charts.palette import DARK, LIGHT
from dashboard.charts.ranking import Bar
from dashboard.charts.scales import Unit
from dashboard.charts.timeline import Point, Series
from dashboard.insights import search
from dashboard.parts import style
from etl import config, refresh
from etl.config import Source
from etl.sources import Options

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "dashboard" / "app.py"
PAGES = sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))
WITH_PICTURES = (
    "overview",
    "resolution",
    "where_the_time_goes",
    "acknowledgement",
    "volume_and_backlog",
    "first_contact",
)
HOSTILE = "<b>bold</b> **stars** [link](javascript:alert(1)) $x$ :red[red] `code` <img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def checked_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check each chart that a page draws, and that its words can be read."""

    def checked(chart: Any) -> dict[str, Any]:
        spec = charted.checked(chart)
        colours = style.colours()
        assert [one for one in words_in(spec) if tones.contrast(one, colours.paper) < tones.READABLE] == []
        return spec

    monkeypatch.setattr(vega, "spec", checked)


def words_in(spec: dict[str, Any]) -> set[str]:
    """The colours of all that is written in a chart: marks of text, axes and legends; canvas hides them from axe."""
    found = {value for part in spec.get("config", {}).values() if isinstance(part, dict) for value in part.items()}
    tints = {value for name, value in found if name in ("labelColor", "titleColor")}
    open_ = [spec]
    while open_:
        one = open_.pop()
        open_ += one.get("layer", [])
        mark = one.get("mark", {})
        for channel in one.get("encoding", {}).values():
            for guide in ("axis", "legend"):
                told = (channel.get(guide) or {}) if isinstance(channel, dict) else {}
                tints |= {told[name] for name in ("labelColor", "titleColor") if name in told}
        # A strip of paper behind a word is no word, and what stands on a field of its own is looked at elsewhere.
        if isinstance(mark, dict) and mark.get("type") == "text" and "stroke" not in mark:
            tints |= {value for value in (mark.get("color"), one["encoding"].get("color", {}).get("value")) if value}
    return tints


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the sample exports."""
    data = tmp_path_factory.mktemp("sample")
    refresh.refresh(data, config.read(ROOT / "data" / "sample" / "meantime.toml"))
    return data


def load(data: Path, rows: list[str], name: str = "desk") -> Path:
    """Load a small ServiceNow list export."""
    header = "Number,Short description,State,Priority,Assignment group,Opened,Resolved,Reopen count,Reassignment count"
    file = data / f"{name}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    refresh.load(data, Source(name, "servicenow", Options(name, timezone="Europe/Berlin")), [file])
    return data


def row(number: int, day: date, hours: int = 4, title: str = "Mail is down", group: str = "Desk") -> str:
    """One resolved incident."""
    end = 8 + hours
    stamps = f"{day.isoformat()} 08:00:00,{day.isoformat()} {end:02d}:00:00"
    return f'INC{number:07},"{title}",Resolved,3 - Moderate,"{group}",{stamps},0,0'


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which every free text is an attack."""
    first = date(2026, 1, 5)
    rows = [row(at, first + timedelta(days=at), 1 + at % 9, HOSTILE, [HOSTILE, "Desk"][at % 2]) for at in range(90)]
    return load(tmp_path_factory.mktemp("hostile"), rows)


def opened(monkeypatch: pytest.MonkeyPatch, data: Path, page: str = "overview", **parameters: Any) -> AppTest:
    """Open a page under a URL."""
    monkeypatch.setenv("MEANTIME_DATA", str(data))
    app = AppTest.from_file(str(APP), default_timeout=180)
    for name, values in parameters.items():
        app.query_params[name] = values
    app.run()
    if page != "overview":
        app.switch_page(f"app_pages/{page}.py")
        for name, values in parameters.items():
            app.query_params[name] = values
        app.run()
    return app


def questions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the queries that run from now on, with nothing kept from before."""
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
    asked: Counter[str] = Counter()
    frame = query.Warehouse.frame

    def counted(self: query.Warehouse, text: str, values: dict[str, Any] | None = None) -> Any:
        asked[f"{text}{values}"] += 1
        return frame(self, text, values)

    monkeypatch.setattr(query.Warehouse, "frame", counted)
    return asked


def url(app: AppTest) -> dict[str, list[str]]:
    """The parameters of the page's URL."""
    return {name: [values] if isinstance(values, str) else values for name, values in app.query_params.items()}


def written(app: AppTest) -> str:
    """Everything that the page says, as the Markdown that is sent to the browser."""
    texts = [*app.title, *app.header, *app.markdown, *app.caption]
    return "\n".join(str(element.value) for element in texts).replace(words.GAP, " ")


def said(app: AppTest) -> str:
    """Everything that the page says, as a reader sees it."""
    return re.sub(r"\\(.)", r"\1", written(app))


def lead(app: AppTest) -> str:
    """The sentences under the title: the first paragraph that is neither dateline nor filters."""
    return str(app.markdown[3].value).replace(words.GAP, " ")


def pictures(app: AppTest) -> list[Any]:
    """The charts of a page, as they are sent to the browser."""
    return [element.proto for element in app.get("vega_lite_chart") + app.get("arrow_vega_lite_chart")]


@pytest.mark.parametrize("module", [words, sentences, filters], ids=lambda module: module.__name__)
def test_what_the_docstrings_say_is_so(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_draws_on_the_sample_asks_nothing_twice_and_tells_zone_age_and_that_it_is_made_up(
    page: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, page)
    asked = questions(monkeypatch)
    app.run()
    assert [text for text, times in asked.items() if times > 1] == []
    assert not app.exception
    assert len(app.title) == 1
    text = said(app)
    assert "Europe/Berlin" in text
    assert "Data as of 1 Jan 2026" in text
    assert "Sample data" in text
    assert "could not be drawn" not in text
    assert any(sign.isdigit() for sign in lead(app))


@pytest.mark.parametrize("page", WITH_PICTURES)
def test_every_picture_states_its_finding_for_those_who_cannot_see_it(
    page: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, page)
    sparks = [alt for one in app.get("html") for alt in re.findall(r'<img [^>]*alt="([^"]*)"', one.proto.body)]
    findings = [*(picture.alt for picture in pictures(app)), *sparks]
    assert len(findings) >= 4
    assert all(len(finding) > 20 and any(sign.isdigit() for sign in finding) for finding in findings)


@pytest.mark.parametrize("page", PAGES)
def test_filters_of_the_url_hold_on_every_page_in_the_dark_too(
    page: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "colours", lambda: DARK)
    app = opened(monkeypatch, sample, page, priority=["1", "2"], period=["26w"])
    assert "P1 and P2 · 30 Jun to 28 Dec 2025 · by week" in said(app)
    assert url(app)["priority"] == ["1", "2"]


def test_filters_stay_when_the_navigation_drops_the_url(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "overview", assignment_group=["Network"])
    app.query_params.clear()
    app.switch_page("app_pages/resolution.py").run()
    assert "Network · 6 Oct to 28 Dec 2025 · by week" in said(app)
    assert url(app) == {"assignment_group": ["Network"]}


def test_a_chosen_filter_goes_into_the_url_and_one_click_clears_all(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "resolution")
    app.multiselect(key="f_priority").select("1")
    app.selectbox(key="f_grain").select("month")
    app.run()
    assert url(app) == {"priority": ["1"], "grain": ["month"]}
    assert "P1 · 6 Oct to 28 Dec 2025 · by month" in said(app)
    app.button(key="clear").click().run()
    assert url(app) == {}
    assert "6 Oct to 28 Dec 2025 · by week" in said(app)


def test_days_of_choice_live_in_the_url(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "overview", since=["2025-03-01"], until=["2025-03-31"])
    assert "1 Mar to 31 Mar 2025 · by week" in said(app)
    assert "from 1 Mar to 31 Mar 2025" in lead(app)


def test_what_a_link_asks_for_in_vain_is_said(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "overview", priority=["1", "9"], grain=["fortnight"])
    assert "does not know grain: fortnight and priority: 9" in said(app)
    assert url(app) == {"priority": ["1"]}


def test_a_number_on_a_page_is_the_number_of_the_query_layer(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "overview", period=["12m"])
    warehouse = query.open_data(sample)
    scope = query.Scope(date(2025, 1, 1), date(2025, 12, 31))
    found = query.values(warehouse, ["incident_volume", "mttr", "mtta", "fcr_rate"], scope)
    value = dict(zip(found["kpi"], found["value"], strict=True))
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Incidents opened"] == words.number(value["incident_volume"])
    assert shown["Mean time to resolve"] == words.duration(value["mttr"])
    assert shown["Mean time to acknowledge"] == words.duration(value["mtta"])
    assert shown["First-contact resolution"] == words.share(value["fcr_rate"])


def test_a_tile_has_its_interval_and_says_whether_the_change_is_one(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "resolution", since=["2025-07-01"], until=["2025-09-30"])
    captions = [caption.value.replace("\\", "").replace(words.GAP, " ") for caption in app.caption]
    scope = query.Scope(date(2025, 7, 1), date(2025, 9, 30))
    names = ("mttr_person", "mttr_active", "reopen_rate", "sla_met_rate")
    warehouse = query.open_data(sample)
    for name, change in query.changes(warehouse, names, scope).items():
        kind = "hours" if change.kpi.unit == "hours" else "share"
        scale = words.scale_of(change.value or 0.0) if kind == "hours" else None
        limits = words.between(change.whole.low, change.whole.high, kind, scale)
        assert f"95 %: {limits.replace(words.GAP, ' ')}" in captions, name
        assert change.interval is not None
        low, high = change.interval
        assert low < (change.difference or 0.0) < high
    changes = query.changes(warehouse, names, scope).values()
    assert sum(text.startswith("a change of") for text in captions) == sum(change.is_change for change in changes)
    verdicts = re.findall(r"(?m)^(?::small\[\*\*)?(within normal variation|signal|no verdict):", said(app))
    assert len(verdicts) == len(names)


@pytest.mark.parametrize("page", ["overview", "resolution", "first_contact"])
def test_each_tile_says_signal_or_normal_variation_and_why(
    page: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(opened(monkeypatch, sample, page))
    told = re.findall(r"^(?::small\[\*\*)?(signal|within normal variation|no verdict): .+", text, re.MULTILINE)
    assert len(told) == {"overview": 8}.get(page, 4)
    assert "By mistake the rules signal in 0.7 % of weeks, in 2.8 % where a week resembles the one before" in text


def test_the_chart_behind_a_verdict_is_drawn_when_somebody_looks(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "overview")
    before = len(pictures(app))
    app.session_state["signals-overview"] = True
    app.run()
    assert len(pictures(app)) == before + 1
    assert "Baseline: 52 weeks, 7 Oct 2024 to 5 Oct 2025 · diamonds: signals" in said(app)
    assert "week of 22 Dec 2025: 67, limits 76 to 221" in said(app)


@pytest.mark.parametrize("page", ["overview", "resolution", "acknowledgement", "first_contact", "targets"])
def test_every_course_of_a_mean_quantile_or_share_has_a_band(
    page: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, Series]] = []
    draw = trends.trend

    def noting(series: Sequence[Series], unit: Unit, *more: Any, **how: Any) -> Any:
        drawn.extend((unit.kind, line) for line in series)
        return draw(series, unit, *more, **how)

    monkeypatch.setattr(trends, "trend", noting)
    opened(monkeypatch, sample, page)
    courses = [line for kind, line in drawn if kind != "count"]
    assert courses
    assert [line.name for line in courses if not any(point.low is not None for point in line.points)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_repeated_view_asks_nothing(page: str, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, page)
    asked: list[str] = []
    frame = query.Warehouse.frame

    def counted(self: query.Warehouse, text: str, values: dict[str, Any] | None = None) -> Any:
        asked.append(text)
        return frame(self, text, values)

    monkeypatch.setattr(query.Warehouse, "frame", counted)
    app.run()
    assert asked == []


def test_a_new_version_is_seen_at_the_next_click(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2026, 1, 5) + timedelta(days=at) for at in range(30)]
    data = load(tmp_path, [row(at, day) for at, day in enumerate(days)])
    app = opened(monkeypatch, data, "definitions", period=["all"])
    assert "30 incidents" in said(app)
    load(data, [row(at, day) for at, day in enumerate(days, start=100)], "other")
    app.run()
    assert said(app).count("30 incidents") == 2


@pytest.mark.parametrize("page", PAGES)
def test_hostile_text_stays_text(page: str, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, hostile, page, period=["all"], assignment_group=[HOSTILE])
    assert not app.exception
    text = re.sub(r"\\.", "", written(app))
    assert "could not be drawn" not in text
    assert [raw for raw in ("<b>bold", "**stars**", "[link](", "$x$", ":red[", "<img") if raw in text] == []


def test_one_incident_shows_its_hostile_title_as_it_was_written(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, hostile, "incidents", incident=["desk/INC0000003"])
    assert [title.value for title in app.title] == ["INC0000003"]
    assert f"**{words.plain(HOSTILE)}**" in [element.value for element in app.markdown]


def test_an_incident_that_is_not_there_is_said_to_be_missing(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "incidents", incident=["servicedesk/NOPE"])
    assert "There is no incident NOPE from servicedesk" in said(app)


def test_search_finds_by_number_and_says_how_many(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "incidents", period=["all"])
    app.text_input(key="search").input("INC0413321").run()
    assert lead(app).startswith("**1 incident** opened from")


@pytest.mark.parametrize("page", ["incidents", "overview", "resolution", "where_the_time_goes"])
def test_an_empty_page_names_what_keeps_everything_out_and_one_click_takes_it_away(
    page: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, page, source=["alerts"], assignment_group=["Network"], channel=["phone"])
    assert (
        "No incidents match: without “Channel: phone” there are 117 and without “Source: alerts” there are 43."
        in said(app)
    )
    app.button(key="way-0").click().run()
    assert "No incidents match" not in said(app)
    assert url(app) == {"source": ["alerts"], "assignment_group": ["Network"]}


def test_a_period_that_leaves_nothing_is_named(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "overview", since=["2019-01-01"], until=["2019-01-31"], priority=["1"])
    assert "No incidents match: without the days 1 Jan to 31 Jan 2019 there are " in said(app)
    app.button(key="way-0").click().run()
    assert url(app) == {"period": ["all"], "priority": ["1"]}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_nothing_in_its_period_says_so_and_does_not_break(
    page: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, page, since=["2019-01-01"], until=["2019-01-31"])
    assert not app.exception
    assert "could not be drawn" not in said(app)


def test_three_incidents_are_not_enough_for_a_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(tmp_path, [row(at, date(2026, 1, 5 + at)) for at in range(3)])
    app = opened(monkeypatch, data, "resolution", period=["all"])
    assert "Not enough data (n = 3)" in said(app)
    assert "95 %" not in said(app)


def test_a_mean_of_few_durations_is_not_settled_and_the_median_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load(tmp_path, [row(at, date(2026, 1, 5) + timedelta(days=at)) for at in range(20)])
    app = opened(monkeypatch, data, "overview", period=["all"])
    assert "median" in [metric.label for metric in app.metric]
    assert [text for text in (caption.value for caption in app.caption) if text.startswith("median; mean")]
    app = opened(monkeypatch, data, "resolution", period=["all"])
    captions = [caption.value.replace("\\", "").replace(words.GAP, " ") for caption in app.caption]
    assert "not settled" in captions
    assert [text for text in captions if "a mean of under 200 is not settled" in text]


@pytest.mark.parametrize("page", PAGES)
def test_before_the_first_load_every_page_says_how_to_load(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, tmp_path, page)
    assert [title.value for title in app.title] == ["No incidents yet"]
    assert [code.value.partition(" --as")[0] for code in app.code] == [
        "meantime demo",
        "meantime load incidents.csv",
        "meantime init && meantime refresh",
    ]


def test_a_page_that_fails_says_so_in_plain_words(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(query, "changes", broken)
    app = opened(monkeypatch, sample, "resolution", priority=["5"], channel=["chat"])
    assert "This page could not be drawn" in said(app)
    assert "secret detail" not in said(app)
    assert not app.exception


def test_a_version_that_cannot_be_read_is_said_without_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "incidents-7.duckdb").write_bytes(b"no database" * 1000)
    (tmp_path / "incidents.duckdb").symlink_to("versions/incidents-7.duckdb")
    app = opened(monkeypatch, tmp_path)
    assert [title.value for title in app.title] == ["The data cannot be read at the moment"]
    assert [code.value for code in app.code] == ["meantime rebuild"]
    assert str(tmp_path) not in said(app)
    assert not app.exception


def test_the_theme_and_the_charts_have_the_same_colours() -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    for name, colours in (("light", LIGHT), ("dark", DARK)):
        keys = theme[name]
        assert palette.themed(lambda key: theme[key.split(".")[1]].get(key.split(".")[2]), name == "dark") == colours
        assert keys["primaryColor"] == colours.accent


def week(at: int, value: float | None, flag: str = "") -> Point:
    """One week of a trend."""
    first = date(2026, 1, 5) + timedelta(days=7 * at)
    return Point(first, first + timedelta(days=6), value, 10, f"week {at}", flag)


def test_a_line_breaks_at_a_gap_and_is_dashed_towards_what_cannot_be_compared() -> None:
    points = [week(0, 1.0), week(1, 2.0), week(2, None), week(3, 3.0), week(4, 4.0), week(5, 5.0, "still running")]
    assert [(dashed, [point.name for point in members]) for dashed, members in timeline.runs(points)] == [
        (False, ["week 0", "week 1"]),
        (False, ["week 3", "week 4"]),
        (True, ["week 4", "week 5"]),
    ]


def test_a_band_lies_between_the_limits_and_breaks_where_one_is_missing() -> None:
    points = [
        week(at, 0.5)._replace(low=low, high=high)
        for at, (low, high) in enumerate([(0.4, 0.6), (0.3, 0.7), (None, 0.7), (0.45, 0.55)])
    ]
    chart = trends.trend([Series("rate", tuple(points))], Unit("share", "rate"), LIGHT).to_dict()
    drawn = {layer["mark"]["type"]: layer["data"]["values"] for layer in chart["layer"] if layer["mark"].get("opacity")}
    assert [(row["v"], row["high"]) for row in drawn["area"]] == [(0.4, 0.6), (0.3, 0.7)]
    assert [(row["v"], row["high"]) for row in drawn["rule"]] == [(0.45, 0.55)]
    told = [layer for layer in chart["layer"] if "tooltip" in layer["encoding"]][-1]["data"]["values"]
    assert [row["rate"].replace(words.GAP, " ") for row in told] == [
        "50 % (40 to 60 %, n 10)",
        "50 % (30 to 70 %, n 10)",
        "50 % (at most 70 %, n 10)",
        "50 % (45 to 55 %, n 10)",
    ]


def test_durations_have_a_log_scale_with_ticks_that_people_know() -> None:
    vertical = scales.scale([0.2, 30.0], Unit("hours", "time"), log=True)
    assert vertical.is_log
    assert vertical.domain == (1 / 6, 168.0)
    assert "'8 h'" in vertical.axis.to_dict()["labelExpr"]


def test_counts_and_shares_start_at_zero() -> None:
    assert scales.scale([90.0, 110.0], Unit("count", "incidents")).domain[0] == 0
    assert scales.scale([0.9, 0.95], Unit("share", "share")).domain == (0.0, 1.0)


def test_of_many_members_twelve_are_drawn_and_the_rest_counted() -> None:
    shown, left_out = ranking.ranked([Bar(f"group {at:02d}", float(at), 9) for at in range(43)])
    assert ([bar.value for bar in shown], left_out) == ([42.0 - at for at in range(12)], 31)


def test_a_running_period_far_above_the_others_does_not_flatten_them() -> None:
    points = [week(at, 2.0) for at in range(5)] + [week(5, 90.0, "still running")]
    spec = trends.trend([Series("mean", tuple(points))], Unit("hours", "time"), LIGHT).to_dict()
    rows = [row for layer in spec["layer"] for row in layer.get("data", {}).get("values", []) if "beyond" in row]
    assert [row["v"] for row in rows if row["beyond"]] != []
    assert max(row["v"] for row in rows) < 4


def test_the_shell_knows_its_pages_only_from_their_files() -> None:
    tree = ast.parse(APP.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [page for page in PAGES if any(page in text for text in texts)] == []


def test_every_verdict_on_a_period_has_a_name_on_the_charts() -> None:
    assert view.FLAGS.keys() == {"running", "partial", "edge", "unripe"}


def test_what_is_left_out_stands_beside_the_numbers(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(monkeypatch, sample, "overview")
    warehouse = query.open_data(sample)
    scope = query.Scope(date(2025, 10, 6), date(2025, 12, 28))
    opened_, resolved = (query.beside(warehouse, name, scope) for name in ("incident_volume", "mttr"))
    captions = [caption.value.replace("\\", "").replace(words.GAP, " ") for caption in app.caption]
    beside = [text for text in captions if text.startswith("n ")]
    assert [text.partition(" · ")[2] for text in beside if " · " in text and " Oct to " not in text] == [
        f"{sum(opened_.excluded.values())} excluded",
        f"{resolved.auto_resolved} of them without a person · {resolved.with_parent} resolved with their parent left out",
        f"{resolved.first_contact_over_1_hour} over 1 h · {resolved.first_contact_over_24_hours} over 24 h",
    ]


def test_durations_of_zero_have_a_name_on_a_log_scale() -> None:
    bins = [Bin(0.0, 10 / 3600, 7), Bin(1.0, 2.0, 3)]
    chart = distributions.distribution(bins, [], LIGHT).to_dict()
    axis = chart["layer"][0]["encoding"]["x"]["axis"]
    assert axis["labelExpr"].endswith("'6 mo' : ''")
    assert "? '0'" in axis["labelExpr"]
    assert axis["values"][0] == pytest.approx(10 / 3600 / 10**0.25)


def test_contributions_to_a_mean_are_said_in_one_unit() -> None:
    said = [sentences.signed(hours, "hours", words.scale_of(2.1)) for hours in (2.1, 0.7, -0.3)]
    assert said == [f"+2.1{words.GAP}h", f"+0.7{words.GAP}h", f"{words.MINUS}0.3{words.GAP}h"]


def test_all_time_by_month_has_one_more_bucket_of_openings_than_of_open_incidents(
    monkeypatch: pytest.MonkeyPatch, sample: Path
) -> None:
    app = opened(monkeypatch, sample, "volume_and_backlog", period=["all"], grain=["month"])
    assert not app.exception


def test_why_it_moved_is_answered_by_open_in_the_sentence_the_picture_and_the_table(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "why_it_moved", moved_kpi=["Mean active time to resolve"], moved_by=["priority"])
    assert re.sub(r"\\(.)", r"\1", lead(app)) == (
        "Mean active time to resolve: **20 h** in the 12 weeks to 28 Dec 2025, **+3.6 h** on the 12 weeks before: "
        "2.0 h because P4's own times rose, 1.0 h because P5's own times rose, 0.4 h because more of the volume was P5, "
        "0.2 h from the 9 other parts. The whole is a change of +0.1 to +7.0 h."
    )
    assert [picture.alt.replace(words.GAP, " ") for picture in pictures(app)] == [
        "Mean active time to resolve went from 16 h to 20 h, +3.6 h: P4: own times +2.0 h, P5: own times +1.0 h, "
        f"P5: share +0.4 h, P2: share +0.3 h, P2: own times +0.1 h, P1: share {words.MINUS}0.1 h, "
        f"P4: share {words.MINUS}0.1 h and the other 5 parts 0.0 h."
    ]
    every = app.dataframe[1].value
    assert {column: every[column][0].replace(words.GAP, " ") for column in every.columns} == {
        "Priority": "P4",
        "Before": "21 h",
        "Before, 95 %": "18 to 25 h",
        "n before": "430",
        "Share before": "28.5 %",
        "Now": "28 h",
        "Now, 95 %": "24 to 35 h",
        "n now": "413",
        "Share now": "27.2 %",
        "Own times": "+2.0 h",
        "Other share": f"{words.MINUS}0.1 h",
        "Adds": "+1.9 h",
    }


def test_a_change_of_a_period_that_may_not_be_compared_is_not_split(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "why_it_moved", since=["2024-07-15"], until=["2024-08-11"])
    assert "There is nothing to compare it with: alerts begins only on 1 Jul 2024." in said(app)
    assert pictures(app) == []
    app.button(key="later-mttr").click().run()
    assert url(app)["period"] == ["26w"]
    assert " on the 26 weeks before" in lead(app)
    assert len(pictures(app)) == 1


def test_what_stands_out_among_all_slices_is_listed_with_how_many_were_looked_at(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "why_it_moved", since=["2025-04-14"], until=["2025-12-28"])
    text = said(app)
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- **Payments Engineering** went from 6.9 % to 11.6 % of the volume: "
        f"{words.MINUS}17 min of the change (p = 0.001, n 611)",
        "- **Network and servicedesk** went from 37 h to 64 h: +2.4 h of the change (p = 0.002, n 424)",
    ]
    assert "Strongest first, each with what is above it taken out. 1,085 questions were asked of every slice" in text
    app = opened(monkeypatch, sample, "why_it_moved")
    assert "Nothing: 1,097 questions were asked of every slice and every pair of slices, and no answer" in said(app)
    app = opened(monkeypatch, sample, "why_it_moved", moved_kpi=["Open incidents"])
    assert "A stock carries over from one day to the next" in said(app)
    app = opened(monkeypatch, sample, "why_it_moved", since=["2025-12-01"], until=["2025-12-07"])
    assert "Too few days to tell a slice from chance: each period needs 14." in said(app)


def test_a_search_is_kept_for_its_version_and_shows_its_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[float]] = []
    ranked = search.ranked

    def counted(*arguments: Any, progress: search.Progress, **options: Any) -> search.Search:
        told: list[float] = []
        asked.append(told)

        def both(done: float) -> None:
            told.append(done)
            progress(done)

        return ranked(*arguments, progress=both, **options)

    monkeypatch.setattr(search, "ranked", counted)
    days = [date(2026, 1, 5) + timedelta(days=at) for at in range(84)]
    groups = ("Desk", "Network")
    data = load(tmp_path, [row(at, day, 1 + at % 5, group=groups[at % 2]) for at, day in enumerate(days)])
    chosen = {"since": ["2026-02-23"], "until": ["2026-03-22"]}
    for _ in range(2):
        opened(monkeypatch, data, "why_it_moved", **chosen)
    assert [told[-1] for told in asked] == [1.0]
    load(data, [row(at, day, 1 + at % 3) for at, day in enumerate(days, start=100)], "other")
    opened(monkeypatch, data, "why_it_moved", **chosen)
    assert len(asked) == 2


def test_the_tour_of_the_definitions_says_each_word_with_its_number_of_now(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "definitions")
    assert "1 of 7" not in said(app)
    app.button(key="tour-begin").click().run()
    seen = []
    for at in range(1, len(tour.STOPS) + 1):
        text = said(app)
        assert f"{at} of {len(tour.STOPS)}" in text
        seen.append(text)
        if at < len(tour.STOPS):
            app.button(key="tour-next").click().run()
    assert not app.exception
    found = query.values(query.open_data(sample), ["mttr"], query.Scope(date(2025, 10, 6), date(2025, 12, 28)))
    value = words.duration(found["value"][0]).replace(words.GAP, " ")
    assert f"- Mean time to resolve: **{value}** (n {found['n'][0]:,}" in seen[1]
    assert "within normal variation" in seen[-1]


@pytest.mark.parametrize(
    ("page", "key", "shown"),
    [
        ("fitness", "with-and-without", ["Value, 95 %", "Without the doubtful, 95 %"]),
        ("where_the_time_goes", "how-sure", ["Hours, 95 %", "Share, 95 %"]),
    ],
)
def test_who_unfolds_a_table_sees_how_sure_its_numbers_are(
    sample: Path, monkeypatch: pytest.MonkeyPatch, page: str, key: str, shown: list[str]
) -> None:
    app = opened(monkeypatch, sample, page)
    app.session_state[key] = True
    app.run()
    tables = [found.value for found in app.dataframe]
    assert [name for name in shown if any((one[name] != "").any() for one in tables if name in one)] == shown


def test_who_looks_how_sure_the_time_is_sees_it_at_the_picture_too(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(monkeypatch, sample, "where_the_time_goes")
    assert "95 % interval of the mean" not in pictures(app)[0].spec
    app.session_state["how-sure"] = True
    app.run()
    worked = next(row for row in rows_of(pictures(app)[0].spec) if row["name"] == "worked on")
    table = next(found.value for found in app.dataframe if "Hours, 95 %" in found.value)
    (low, high) = table[table["Part"] == "worked on"]["Hours, 95 %"].item().split(" to ")
    assert worked["between"].replace(words.GAP, " ") == f"{float(low):.0f} to {float(high):.0f} h"


def rows_of(spec: str) -> list[dict[str, Any]]:
    """The rows that the layers of a chart are given."""
    return [row for layer in json.loads(spec)["layer"] for row in layer["data"]["values"]]


@pytest.mark.parametrize("name", ["mttr", "mttr_p90", "fcr_rate", "incident_volume"])
def test_the_table_of_why_it_moved_says_how_sure_each_members_values_are(
    name: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = query.open_data(sample)
    # A page's own switch knows a KPI by its title.
    app = opened(monkeypatch, sample, "why_it_moved", moved_kpi=[query.kpi(warehouse, name).title])
    shown = next(found.value for found in app.dataframe if "Adds" in found.value).set_index("Assignment group")
    scope = query.Scope(date(2025, 10, 6), date(2025, 12, 28))
    numbers = query.numbers(warehouse, name, scope, ("assignment_group",))
    kind = {"fcr_rate": "share", "incident_volume": "count"}.get(name, "hours")
    if kind == "count":
        assert "Now, 95 %" not in shown
        return
    network = numbers[("Network",)]
    assert network.value is not None
    assert shown.loc["Network", "Now, 95 %"] == Unit(kind, "").between(network.value, network.low, network.high)
    assert shown.loc["Network", "Before, 95 %"] != ""
