"""Numbers and days are written as their reader writes them, and no reader's way gets into what is kept for another."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboard import manners, query, sentences, shell, words
from dashboard.charts import trends
from dashboard.charts.palette import LIGHT
from dashboard.charts.scales import Unit
from dashboard.charts.timeline import Point, Series
from etl import config

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def house() -> Iterator[None]:
    """Leave no reader behind."""
    yield
    manners._asked.clear()


def reads(tag: str | None) -> None:
    """Let somebody of this locale read."""
    manners.follow(lambda: tag)


def test_what_the_docstrings_say_is_so() -> None:
    assert doctest.testmod(manners).failed == 0


SAID = {
    None: ["1,204", "−3.3", "4.2 h", "47.3 %", "under 0.1 %", "30.9 to 31.1 h", "8 Mar 2026", "1 Jan to 31 Mar 2026"],
    "en-US": [
        "1,204",
        "−3.3",
        "4.2 h",
        "47.3 %",
        "under 0.1 %",
        "30.9 to 31.1 h",
        "Mar 8, 2026",
        "Jan 1 to Mar 31, 2026",
    ],
    "de-DE": [
        "1.204",
        "−3,3",
        "4,2 h",
        "47,3 %",
        "under 0,1 %",
        "30,9 to 31,1 h",
        "8 Mar 2026",
        "1 Jan to 31 Mar 2026",
    ],
    "fr-FR": [
        "1_204",
        "−3,3",
        "4,2 h",
        "47,3 %",
        "under 0,1 %",
        "30,9 to 31,1 h",
        "8 Mar 2026",
        "1 Jan to 31 Mar 2026",
    ],
    "de-CH": [
        "1’204",
        "−3.3",
        "4.2 h",
        "47.3 %",
        "under 0.1 %",
        "30.9 to 31.1 h",
        "8 Mar 2026",
        "1 Jan to 31 Mar 2026",
    ],
    "sv-SE": [
        "1_204",
        "−3,3",
        "4,2 h",
        "47,3 %",
        "under 0,1 %",
        "30,9 to 31,1 h",
        "2026-03-08",
        "2026-01-01 to 2026-03-31",
    ],
}


@pytest.mark.parametrize("tag", SAID)
def test_the_same_numbers_and_days_in_each_way(tag: str | None) -> None:
    reads(tag)
    said = [
        words.number(1204),
        words.number(-3.26),
        words.duration(4.2),
        words.share(0.473),
        words.share(0.0004),
        words.between(30.94, 31.12, "hours"),
        words.day(date(2026, 3, 8)),
        words.days(date(2026, 1, 1), date(2026, 3, 31)),
    ]
    assert [one.replace(words.GAP, " ").replace(manners.THIN, "_") for one in said] == SAID[tag]


@given(
    st.floats(-1e9, 1e9, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-3),
    st.sampled_from([tag for tag in SAID if tag]),
)
def test_a_number_is_the_same_number_in_every_way_of_writing(value: float, tag: str) -> None:
    for kind in ("hours", "share", "count", "number"):
        manners._asked.clear()
        plain = words.value(value, kind)
        reads(tag)
        manner = manners.here()
        back = words.value(value, kind).replace(manner.group, "\0").replace(manner.decimal, ".").replace("\0", ",")
        assert back == plain


def test_units_adapt_alike_in_every_way_of_writing() -> None:
    hours = (0.015, 0.2, 4.2, 26.4, 74.4)
    units = []
    for tag in SAID:
        reads(tag)
        units.append([words.duration(one).rpartition(words.GAP)[2] for one in hours])
    assert units == [["s", "min", "h", "h", "d"]] * len(SAID)


def test_an_axis_writes_as_the_sentence_above_it() -> None:
    days = [date(2026, 3, 2) + timedelta(days=at) for at in range(10)]
    points = tuple(Point(day, day, 1500.5, 9, "") for day in days)
    series = [Series("opened", points)]

    def axis(tag: str | None) -> tuple[object, object]:
        reads(tag)
        spec = trends.trend(series, Unit("number", "x"), LIGHT).to_dict()
        x = spec["layer"][0]["encoding"]["x"]["axis"]
        return x["format"], spec["config"].get("locale")

    german = {"number": {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", ""]}}
    assert axis(None) == ("%-d %b", None)
    assert axis("en-US") == ("%b %-d", None)
    assert axis("de-DE") == ("%-d %b", german)
    assert axis("ja")[0] == "%m-%d"


def test_a_page_writes_for_whoever_reads_it_though_its_answers_are_kept_for_all(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEANTIME_DATA", str(sample))
    monkeypatch.delenv("MEANTIME_LOCALE", raising=False)
    streamlit.cache_data.clear()
    texts = {}
    for tag in ("de-DE", "en-US"):
        monkeypatch.setattr(shell, "locale", lambda tag=tag: tag)
        app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=180)
        app.query_params["period"] = "all"
        texts[tag] = " ".join(str(one.value) for one in [*app.run().markdown, *app.caption]).replace(words.GAP, " ")
        texts[tag] = texts[tag].replace("\\", "")
    volume = query.values(query.open_data(sample), ["incident_volume"], query.Scope(date(2024, 1, 1), date(2026, 1, 1)))
    opened = f"{volume['value'][0]:,.0f}"
    assert f"**{opened.replace(',', '.')}** incidents were opened from 1 Jul 2024 to" in texts["de-DE"]
    assert f"**{opened}** incidents were opened from Jul 1, 2024 to" in texts["en-US"]
    assert "begins only on 1 Jul 2024" in texts["de-DE"]
    assert "begins only on Jul 1, 2024" in texts["en-US"]


def test_the_configuration_may_fix_the_locale_for_all() -> None:
    assert config.parse({"locale": "pt-BR"}, Path("meantime.toml")).locale == "pt-BR"
    with pytest.raises(config.ConfigError, match=r"meantime.toml: locale is 'german'; it must be a language"):
        config.parse({"locale": "german"}, Path("meantime.toml"))


def test_the_configured_locale_comes_before_the_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEANTIME_LOCALE", "de-AT")
    assert shell.locale() == "de-AT"
    monkeypatch.delenv("MEANTIME_LOCALE")
    assert shell.locale() is None


def test_an_incident_is_dated_as_its_reader_does() -> None:
    reads("en-US")
    assert words.moment(datetime(2026, 3, 8, 15, 5)).replace(words.GAP, " ") == "Mar 8, 2026, 15:05"
    reading = sentences.Reading("mttr", "", "hours", 1204.0, 90, 24.5)
    reads("de")
    assert sentences.signed(reading.change or 0, "hours", "h").replace(words.GAP, " ") == "+24 h"
