"""Stamps: one format per column, decided over the whole file, never a guess."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from etl import stamps
from etl.stamps import StampError


def read(values: list[str | None], zone: str = "UTC", told: str | None = None) -> list[datetime | None]:
    frame = pl.DataFrame({"at": values}, schema={"at": pl.String})
    format_ = stamps.decide(frame, ["at"], told=told)["at"]
    return stamps.to_utc(frame["at"], format_, zone).utc.to_list()


AT = datetime(2016, 2, 29, 1, 16)
SHAPES = {
    "29/2/2016 01:16": AT,
    "29-02-2016 01:16": AT,
    "29.02.2016 01:16:00": AT,
    "2/29/2016 1:16 AM": AT,
    "02/29/2016 01:16:00 AM": AT,
    "2016-02-29 01:16:00": AT,
    "2016-02-29T01:16:00.987Z": AT,
    "2016-02-29T02:16:00+01:00": AT,
    "2016-02-29T01:16:00.000+0000": AT,
    "2016/02/29 01:16": AT,
    "29/Feb/16 01:16": AT,
    "29 Feb 2016 01:16": AT,
    "Feb 29, 2016 1:16 AM": AT,
    "Mon Feb 29 01:16:00 2016": AT,
    "1456708560": AT,
    "1456708560123": AT,
    "2016-02-29": datetime(2016, 2, 29),
    "29.02.16": datetime(2016, 2, 29),
}


@pytest.mark.parametrize("text", SHAPES)
def test_a_stamp_of_any_shape_is_read_to_the_second(text: str) -> None:
    assert read([text, None]) == [SHAPES[text], None]


def test_one_value_decides_for_the_whole_column() -> None:
    assert read(["03/04/2016 10:00", "29/02/2016 10:00"]) == [datetime(2016, 4, 3, 10), datetime(2016, 2, 29, 10)]
    assert read(["03/04/2016 10:00", "02/29/2016 10:00"]) == [datetime(2016, 3, 4, 10), datetime(2016, 2, 29, 10)]


def test_evidence_may_stand_in_the_rest_of_the_file() -> None:
    head = pl.DataFrame({"at": ["03/04/2016 10:00"]})
    rest = pl.DataFrame({"at": ["03/04/2016 10:00", "29/02/2016 10:00"]})
    assert stamps.decide(head, ["at"], iter([rest]))["at"].order == stamps.DAY_FIRST


def test_a_column_without_evidence_borrows_from_one_of_the_same_shape() -> None:
    frame = pl.DataFrame({"a": ["03/04/2016 10:00"], "b": ["29/02/2016 10:00"]})
    assert stamps.decide(frame, ["a", "b"])["a"].order == stamps.DAY_FIRST


def test_a_column_that_reads_both_ways_asks() -> None:
    with pytest.raises(StampError, match=r"'at' reads both day-first and month-first \(for example '03/04/2016'\)"):
        read(["03/04/2016", "05/06/2016"])
    assert read(["03/04/2016"], told="month_first") == [datetime(2016, 3, 4)]


def test_a_column_that_mixes_both_orders_names_two_values() -> None:
    with pytest.raises(StampError, match=r"mixes date formats: '29/02/2016' .* '02/28/2016'"):
        read(["29/02/2016", "02/28/2016"])


def test_a_contradiction_after_the_decision_is_an_error_and_rubbish_is_not() -> None:
    format_ = stamps.decide(pl.DataFrame({"at": ["29/02/2016"]}), ["at"])["at"]
    with pytest.raises(StampError, match="'02/28/2016' only month-first"):
        stamps.to_utc(pl.Series("at", ["01/02/2016", "02/28/2016"]), format_, "UTC")
    found = stamps.to_utc(pl.Series("at", ["01/02/2016", "soon"]), format_, "UTC")
    assert (found.utc.to_list(), found.unreadable.to_list()) == ([datetime(2016, 2, 1), None], [False, True])


def test_local_stamps_become_utc() -> None:
    assert read(["2025-07-01 12:00:00", "2025-01-01 12:00:00"], "Europe/Berlin") == [
        datetime(2025, 7, 1, 10),
        datetime(2025, 1, 1, 11),
    ]


def test_the_hour_that_happens_twice_takes_the_first_and_the_missing_one_moves_forward() -> None:
    values = pl.Series("at", ["2025-10-26 02:30:00", "2025-03-30 02:30:00", "2025-03-30 04:30:00"])
    format_ = stamps.decide(pl.DataFrame([values]), ["at"])["at"]
    found = stamps.to_utc(values, format_, "Europe/Berlin")
    assert found.utc.to_list() == [
        datetime(2025, 10, 26, 0, 30),
        datetime(2025, 3, 30, 1, 30),
        datetime(2025, 3, 30, 2, 30),
    ]
    assert found.ambiguous.to_list() == [True, False, False]
    assert found.nonexistent.to_list() == [False, True, False]


def test_an_unknown_zone_says_what_a_zone_looks_like() -> None:
    with pytest.raises(StampError, match="time zone 'Europe/Berlinn' is unknown; use an IANA name"):
        stamps.check_zone("Europe/Berlinn")


def test_an_order_that_a_person_named_rejects_the_other_rows_alone() -> None:
    assert read(["29/02/2016", "02/28/2016"], told="day_first") == [datetime(2016, 2, 29), None]


def test_what_cannot_be_read_is_told_beside_what_can() -> None:
    format_ = stamps.decide(pl.DataFrame({"at": ["12/Aug/24 18:53"]}), ["at"])["at"]
    assert stamps.unreadable("opened_at", format_, "00/Jan/00 00:00") == (
        "opened_at '00/Jan/00 00:00' is not a stamp like the others of this column, such as '12/Aug/24 18:53'"
    )


def test_what_contradicts_the_order_that_a_person_named_says_which_that_is() -> None:
    format_ = stamps.decide(pl.DataFrame({"at": ["29/02/2016"]}), ["at"], told="month_first")["at"]
    assert stamps.unreadable("opened_at", format_, "29/02/2016") == (
        "opened_at '29/02/2016' does not read month-first, as `date_format` (--date-format) asks"
    )


def test_a_date_format_is_an_order_or_a_pattern() -> None:
    with pytest.raises(StampError, match="date_format 'dayfirst' is not one of day_first, month_first, iso, nor a"):
        stamps.check_format("dayfirst", "desk:")
