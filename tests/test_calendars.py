"""Business calendars: what they may say, and business time against a clock that is read minute by minute."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import holidays
import pytest
from configured import DESK, configured, published, refused
from conftest import ROOT
from exports import content, line, write
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_facts import made, version

from etl import archive, calendars, config, refresh, store
from etl.calendars import CalendarError, Calendars, Hours, Rule

TEXT = """
[calendars.office]
timezone = "Europe/Berlin"
hours = { mon-thu = ["08:00-12:00", "12:30-17:00"], fri = "08:00-14:00" }
holidays = "DE-BE"
closed = [2025-12-24, "2025-12-29/2025-12-31", "02-29"]
[[calendars.office.changes]]
since = 2025-06-02
hours = { mon-fri = "09:00-17:00" }

[calendars.night]
timezone = "America/New_York"
hours = { sun-thu = "22:00-06:30", sat = "01:30-02:30" }
holidays = ["US", "CA-QC"]

[calendars.island]
timezone = "Australia/Lord_Howe"
hours = { mon-sun = ["00:00-02:15", "23:45-24:00"] }

[calendars.moved]
timezone = "Asia/Tokyo"
hours = { mon-fri = "09:00-18:00" }
[[calendars.moved.changes]]
since = 2025-03-30
timezone = "Europe/London"
closed = 2025-04-01

[[calendar_rules]]
priority = 1
calendar = "24x7"
[[calendar_rules]]
assignment_group = ["Night shift", "Operations"]
calendar = "night"
[[calendar_rules]]
service = "Island"
calendar = "island"
[[calendar_rules]]
source = "moved"
calendar = "moved"
[[calendar_rules]]
source = "desk"
calendar = "office"
"""


def parsed(text: str) -> Calendars:
    given = tomllib.loads(text)
    return calendars.parse(given.get("calendars", {}), given.get("calendar_rules", []))


ALL = parsed(TEXT)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A store that counts by all calendars."""
    found = duckdb.connect()
    store.create(found, "UTC")
    found.execute("create temp table changed (source varchar, incident_id varchar)")
    store.keep_calendars(found, ALL)
    yield found
    found.close()


UNTIL = """
select
    spans.seconds_before
        + least(date_diff('second', spans.from_at, $at), date_diff('second', spans.from_at, spans.until_at)),
    $at < spans.until_at
from (select $at::timestamp as at) as asked
asof left join (select * from store.business_spans where calendar = $calendar) as spans
    on asked.at >= spans.from_at
"""


def until(con: duckdb.DuckDBPyConnection, calendar: str, at: datetime) -> tuple[int | None, bool]:
    found = con.execute(UNTIL, {"calendar": calendar, "at": at}).fetchall()[0]
    return found[0], found[1]


@cache
def public(place: str) -> holidays.HolidayBase:
    country, _, part = place.partition("-")
    return holidays.country_holidays(country, subdiv=part or None)


ZONES = {
    "office": ZoneInfo("Europe/Berlin"),
    "night": ZoneInfo("America/New_York"),
    "island": ZoneInfo("Australia/Lord_Howe"),
    "moved": ZoneInfo("Asia/Tokyo"),
    "24x7": ZoneInfo("UTC"),
}


@cache
def is_closing_day(calendar: str, day: date) -> bool:
    if calendar == "night":
        return day in public("US") or day in public("CA-QC")
    own = (
        day == date(2025, 12, 24) or date(2025, 12, 29) <= day <= date(2025, 12, 31) or (day.month, day.day) == (2, 29)
    )
    return own or day in public("DE-BE")


def is_open(calendar: str, at: datetime) -> bool:
    """Read the clock on the wall at one instant, as the configuration above says in words."""
    wall = at.replace(tzinfo=UTC).astimezone(ZONES[calendar]).replace(tzinfo=None)
    clock, day, weekday = wall.hour * 60 + wall.minute, wall.date(), wall.isoweekday()
    if calendar == "24x7":
        return True
    if calendar == "office":
        if is_closing_day("office", day):
            return False
        if day >= date(2025, 6, 2):
            return weekday <= 5 and 540 <= clock < 1020
        return (weekday <= 4 and (480 <= clock < 720 or 750 <= clock < 1020)) or (weekday == 5 and 480 <= clock < 840)
    if calendar == "night":
        if is_closing_day("night", day):
            return False
        begins, goes_on = weekday in (7, 1, 2, 3, 4), weekday in (1, 2, 3, 4, 5)
        return (begins and clock >= 1320) or (goes_on and clock < 390) or (weekday == 6 and 90 <= clock < 150)
    if calendar == "island":
        return clock < 135 or clock >= 1425
    london = at.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/London")).replace(tzinfo=None)
    before = day < date(2025, 3, 30) and weekday <= 5 and 540 <= clock < 1080
    after = london.date() >= date(2025, 3, 30) and london.date() != date(2025, 4, 1)
    return before or (after and london.isoweekday() <= 5 and 540 <= london.hour * 60 + london.minute < 1080)


def by_the_minute(calendar: str, since: datetime, end: datetime) -> int:
    """Count open seconds, one minute after the other; hours begin and end on full minutes."""
    seconds, at = 0, since
    while at < end:
        next_minute = min(end, at.replace(second=0) + timedelta(minutes=1))
        seconds += int((next_minute - at).total_seconds()) * is_open(calendar, at)
        at = next_minute
    return seconds


# Where the clock changes, holidays and years end lie: closer to them than chance would come.
EDGES = [
    datetime(2025, 3, 9, 6),
    datetime(2025, 11, 2, 5),
    datetime(2025, 3, 30),
    datetime(2025, 10, 26),
    datetime(2025, 4, 5, 14),
    datetime(2025, 10, 4, 15),
    datetime(2024, 12, 31, 23),
    datetime(2025, 12, 24),
    datetime(2024, 2, 28, 12),
    datetime(2025, 6, 1, 12),
    datetime(2027, 7, 3),
]
instants = st.one_of(
    st.datetimes(datetime(2023, 1, 1), datetime(2028, 12, 31)),
    st.builds(
        lambda edge, off: edge + off, st.sampled_from(EDGES), st.timedeltas(timedelta(days=-3), timedelta(days=3))
    ),
).map(lambda at: at.replace(microsecond=0))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([*ALL.versions, "24x7"]), instants, st.timedeltas(timedelta(0), timedelta(days=4)))
@example("island", datetime(2025, 4, 5, 12), timedelta(days=1))
@example("night", datetime(2025, 11, 1, 4), timedelta(hours=25))
@example("night", datetime(2025, 3, 8, 5), timedelta(hours=23))
@example("office", datetime(2025, 5, 30, 16), timedelta(days=5))
def test_business_time_equals_a_clock_read_minute_by_minute(
    con: duckdb.DuckDBPyConnection, calendar: str, since: datetime, length: timedelta
) -> None:
    end = (since + length).replace(microsecond=0)
    (before, opened), (after, _) = until(con, calendar, since), until(con, calendar, end)
    assert before is not None and after is not None
    assert after - before == by_the_minute(calendar, since, end)
    assert opened == is_open(calendar, since)


def test_beyond_the_days_that_calendars_cover_nothing_is_known(con: duckdb.DuckDBPyConnection) -> None:
    assert until(con, "office", datetime(1970, 1, 1))[0] is None
    assert until(con, "24x7", datetime(1990, 1, 2))[0] == 86_400
    assert until(con, "24x7", datetime(2079, 12, 31))[0] == (date(2079, 12, 31) - date(1990, 1, 1)).days * 86_400
    assert until(con, "office", datetime(2080, 1, 3))[0] is None


def kept(con: duckdb.DuckDBPyConnection, incident_id: str) -> tuple[Any, ...]:
    return con.execute(
        "select calendar, business_hours_to_resolve, business_hours_to_acknowledge, opened_out_of_hours"
        " from incidents where incident_id = ?",
        [incident_id],
    ).fetchall()[0]


def test_an_incident_is_counted_by_the_first_rule_that_fits() -> None:
    con = duckdb.connect()
    monday = datetime(2025, 3, 3, 7, 30)
    told = {"opened_at": monday, "resolved_at": datetime(2025, 3, 4, 8, 30), "acknowledged_at": datetime(2025, 3, 3, 9)}
    rows = [
        version("P1", **told, priority=1, assignment_group="Operations", reports_acknowledgement=True),
        version("NIGHT", **told, priority=2, assignment_group="Operations", reports_acknowledgement=True),
        version("ISLAND", **told, services=["Island", "Mail"], reports_acknowledgement=True),
        version("PLAIN", **told, reports_acknowledgement=True),
        version("EARLY", **{**told, "opened_at": datetime(2025, 3, 2, 12)}, reports_acknowledgement=True),
        version("OPEN", state="in_progress", opened_at=monday),
    ]
    made(con, rows, calendars=ALL)
    assert {row[0]: kept(con, row[0]) for row in con.execute("select incident_id from incidents").fetchall()} == {
        "P1": ("24x7", 25.0, 1.5, False),
        # 02:30 to 06:30 in New York, and 22:00 to 03:30.
        "NIGHT": ("night", 9.5, 1.5, False),
        # 18:30 at Lord Howe Island to 19:30 on the next day; taken on at 20:00.
        "ISLAND": ("island", 2.5, 0.0, True),
        # 08:30 to 17:00 without half an hour, and 08:00 to 09:30.
        "PLAIN": ("office", 9.5, 1.5, False),
        "EARLY": ("office", 10.0, 2.0, True),
        "OPEN": ("office", None, None, False),
    }
    stretches = con.execute(
        "select kind, seconds, business_seconds from incident_segments where incident_id = 'EARLY' order by from_at"
    ).fetchall()
    assert sum(row[2] for row in stretches) == 10 * 3600
    assert [row[0] for row in stretches] == ["waiting", "unexplained"]


def test_without_a_calendar_business_time_is_unknown() -> None:
    con = duckdb.connect()
    only_p1 = parsed('[[calendar_rules]]\npriority = 1\ncalendar = "24x7"')
    made(con, [version("A", priority=3, resolved_at=datetime(2025, 3, 4))], calendars=only_p1)
    assert kept(con, "A") == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('hours = { mon = "08:00-17:00" }', "[calendars.office] timezone is missing"),
        ('timezone = "Mars/Base"\nhours = "24x7"', "[calendars.office] timezone: time zone 'Mars/Base' is unknown"),
        ('timezone = "UTC"', "[calendars.office] hours must be a table of weekdays = hours, such as"),
        ('timezone = "UTC"\nhours = { mo = "08:00-17:00" }', "[calendars.office] hours: 'mo' is not one of mon, tue,"),
        ('timezone = "UTC"\nhours = { mon = "8-17" }', "hours of mon: '8-17' is not like 08:00-18:00"),
        (
            'timezone = "UTC"\nhours = { mon = "08:00-24:30" }',
            "'08:00-24:30' is not like 08:00-18:00, at the latest 24:00",
        ),
        (
            'timezone = "UTC"\nhours = { mon-fri = "08:00-17:00", wed = "16:00-20:00" }',
            "[calendars.office] hours of wed overlap; give each stretch once",
        ),
        (
            'timezone = "UTC"\nhours = "24x7"\nholidays = "Germany"',
            "[calendars.office] holidays: 'Germany' of 'Germany' is not a country whose public holidays are known",
        ),
        (
            'timezone = "UTC"\nhours = "24x7"\nholidays = "DE-BER"',
            "[calendars.office] holidays: 'BER' of 'DE-BER' is not one of BB, BE, BW, BY, HB,",
        ),
        ('timezone = "UTC"\nhours = "24x7"\nclosed = "24.12."', "[calendars.office] closed: '24.12.' is no day"),
        ('timezone = "UTC"\nhours = "24x7"\nclosed = "02-30"', "closed: '02-30' is no day of any year"),
        (
            'timezone = "UTC"\nhours = "24x7"\nholyday = "DE"',
            "[calendars.office] key 'holyday' is not one of timezone, hours, holidays, closed, changes; did you mean 'holidays'?",
        ),
        (
            'timezone = "UTC"\nhours = "24x7"\n[[calendars.office.changes]]\nhours = "24x7"',
            "[calendars.office] change 1: since is missing",
        ),
        (
            'timezone = "UTC"\nhours = "24x7"\n[[calendars.office.changes]]\nsince = 2025-01-01\n'
            "[[calendars.office.changes]]\nsince = 2024-01-01",
            "[calendars.office] change 2: since is 2024-01-01; it must lie after 2025-01-01",
        ),
    ],
)
def test_a_mistake_in_a_calendar_is_named_with_what_it_may_be(text: str, message: str) -> None:
    with pytest.raises(CalendarError) as caught:
        parsed(f'[calendars.office]\n{text}\n[[calendar_rules]]\ncalendar = "office"')
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[[calendar_rules]]\ncalendar = "ofice"',
            "[[calendar_rules]] 1: calendar is 'ofice'; it must be one of office, 24x7",
        ),
        (
            "[[calendar_rules]]\npriority = 1",
            "[[calendar_rules]] 1: calendar is 'None'; it must be one of office, 24x7",
        ),
        ("", "[calendars.office] is used by no rule; say for which incidents it is"),
        (
            '[[calendar_rules]]\ncalendar = "office"\npriority = "P1"',
            "[[calendar_rules]] 1: priority is 'P1'; give one or a list of 1, 2, 3, 4, 5",
        ),
        (
            '[[calendar_rules]]\ncalendar = "office"\ngroup = "Desk"',
            "key 'group' is not one of calendar, source, assignment_group, service, priority",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_what_it_may_be(tmp_path: Path, text: str, message: str) -> None:
    office = f'[calendars.office]\ntimezone = "UTC"\nhours = {{ mon-fri = "08:00-17:00" }}\n{text}'
    assert message in refused(tmp_path, office)


def test_hours_over_midnight_go_on_into_the_next_day() -> None:
    found = parsed(
        '[calendars.a]\ntimezone = "UTC"\nhours = { sun = "22:00-06:00", tue = "22:00-00:00" }\n'
        '[[calendar_rules]]\ncalendar = "a"'
    )
    assert found.versions["a"][0].hours == (Hours(1, 0, 21600), Hours(2, 79200, 86400), Hours(7, 79200, 86400))


def test_the_readme_shows_every_key_of_a_calendar_that_can_be_read() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    block = next(block for block in blocks if "[calendars." in block)
    assert parsed(block).rules[0] == Rule("24x7", priority=(1,))
    assert [key for key in (*calendars.KEYS, *calendars.CHANGED_KEYS, *calendars.CONDITIONS) if key not in block] == []


def test_calendars_are_recalled_from_the_text_that_is_kept() -> None:
    again = calendars.recall(ALL.said)
    assert (again.versions, again.rules, again.said) == (ALL.versions, ALL.rules, ALL.said)


RULES = """
[calendars.office]
timezone = "UTC"
hours = {{ mon-fri = "08:00-{}:00" }}
[[calendar_rules]]
calendar = "office"
"""


def office(folder: Path, closes: int | None) -> config.Config:
    """Have the office close at an hour, or have none."""
    return configured(folder, DESK + (RULES.format(closes) if closes else ""))


def times(data: Path) -> list[tuple[Any, ...]]:
    return published(data, "select business_seconds_to_resolve, seconds_to_resolve, opened_out_of_hours from incidents")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """One incident, opened on a Monday at 08:01 and resolved on Tuesday at 17:30."""
    return write(tmp_path / "a.csv", [line(1, 0, "New", 1), line(1, 1, "Resolved", 33 * 60 + 30)])


def test_a_changed_calendar_makes_new_facts_without_reading_an_export_again(tmp_path: Path, export: Path) -> None:
    data = tmp_path / "data"
    refresh.refresh(data, office(tmp_path, 17))
    assert times(data) == [(539 * 60 + 540 * 60, 33 * 3600 + 29 * 60, False)]
    outcome = refresh.refresh(data, office(tmp_path, 18))
    assert outcome.reports[0].rows_in == 0
    assert times(data) == [(599 * 60 + 570 * 60, 33 * 3600 + 29 * 60, False)]
    refresh.refresh(data, office(tmp_path, None))
    assert times(data) == [(None, 33 * 3600 + 29 * 60, None)]


def test_a_rebuild_makes_the_same_business_time_from_the_archive_alone(tmp_path: Path, export: Path) -> None:
    data = tmp_path / "data"
    refresh.refresh(data, office(tmp_path, 17))
    before = content(data / "incidents.duckdb")
    (data / "store/warehouse.duckdb").unlink()
    refresh.rebuild(data)
    assert content(data / "incidents.duckdb") == before
    assert times(data)[0][0] == (539 + 540) * 60
    refresh.rebuild(data, office(tmp_path, 18))
    assert times(data)[0][0] == (599 + 570) * 60


def test_a_killed_run_leaves_the_calendars_as_they_were(
    tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    refresh.refresh(data, office(tmp_path, 17))
    with monkeypatch.context() as patched:
        patched.setattr(refresh, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        # As a kill would leave it: nobody takes back what is pending.
        patched.setattr(archive, "discard_statements", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            refresh.refresh(data, office(tmp_path, 18))
    assert (data / "raw/calendars.json.new").exists()
    refresh.recover(data)
    assert not (data / "raw/calendars.json.new").exists()
    refresh.rebuild(data)
    assert times(data)[0][0] == (539 + 540) * 60


def test_another_edition_of_the_public_holidays_counts_anew(
    tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    refresh.refresh(data, office(tmp_path, 17))
    monkeypatch.setattr(holidays, "__version__", "another")
    changed: list[int] = []
    count = store.keep_calendars

    def spied(con: duckdb.DuckDBPyConnection, wanted: Calendars | None) -> None:
        count(con, wanted)
        changed.append((store.row(con, "select count(*) from changed") or (0,))[0])

    monkeypatch.setattr(store, "keep_calendars", spied)
    refresh.refresh(data, office(tmp_path, 17))
    refresh.refresh(data, office(tmp_path, 17))
    assert changed == [1, 0]
