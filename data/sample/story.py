"""The made-up organisation behind the sample exports: its calendar, its people, and the days on which things change."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

FIRST_DAY = date(2024, 7, 1)
LAST_DAY = date(2025, 12, 31)
REORGANISED_AT = datetime(2025, 7, 1)
"""From this day on the team Network takes longer: fewer hands, more hand-overs, more waiting for vendors."""

NETWORK = "Network"
PAYMENTS = "Payments"
OUTAGE_BEGINS_AT = datetime(2025, 3, 13, 18, 4)
"""A core switch fails, Berlin time; everything behind it alerts until it is replaced."""
OUTAGE_ENDS_AT = datetime(2025, 3, 13, 20, 12)

WORK_STARTS, WORK_ENDS = time(8), time(18)


def _days(text: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(day) for day in text.split())


GERMAN_HOLIDAYS = _days(
    "2024-10-03 2024-12-25 2024-12-26 2025-01-01 2025-04-18 2025-04-21 2025-05-01 2025-05-29 2025-06-09 2025-10-03 "
    "2025-12-25 2025-12-26"
)
BRIDGING_DAYS = _days("2024-12-24 2024-12-30 2024-12-31 2025-12-24 2025-12-30 2025-12-31")
"""Incidents are opened on these, but the teams are off."""
AMERICAN_HOLIDAYS = _days(
    "2024-07-04 2024-09-02 2024-11-28 2024-12-25 2025-01-01 2025-01-20 2025-05-26 2025-06-19 2025-07-04 2025-09-01 "
    "2025-11-27 2025-12-25"
)
CHRISTMAS_SALES = _days("2024-11-29 2024-11-30 2024-12-02 2025-11-28 2025-11-29 2025-12-01")

FIRST_NAMES = (
    "Ada Alma Anton Bela Birte Carla Cem Clara Dario Dilan Edda Elif Emil Enno Esra Fabian Fenja Finn Greta Hanna "
    "Henrik Ida Ilja Ines Jana Jonas Kaya Klara Lasse Lena Levin Liv Malte Marek Mia Mila Nele Nico Noor Okka Ole "
    "Paula Pia Rafael Rike Romy Samir Selma Sina Sven Tarek Thea Tilda Till Veit Vera Wanda Yara Yusuf Zoe"
)
LAST_NAMES = (
    "Ackerfeld Althoven Bachwieser Birkenau Blomstad Brinkhof Dornauer Eichgraben Falkenroth Fenske Gerstlow Haldorn "
    "Heidkamp Iversund Jessenow Kahlhaus Kestrow Lindqvar Lobrecht Marquist Mehrbach Norwin Oldenkott Ostrava Pahlke "
    "Quandel Rehmstedt Rotbach Sandkuhl Seelhoff Stahlbrot Tannert Ulmenau Vossberg Wiesental Zellnick"
)


class Rhythm(NamedTuple):
    """When things are opened: relative weights of weekdays (Monday first), hours and special days."""

    weekdays: tuple[float, ...]
    hours: tuple[float, ...]
    holidays: frozenset[date]
    holiday_factor: float
    busy_days: frozenset[date] = frozenset()
    busy_factor: float = 1.0


OFFICE_HOURS = (
    *(0.05, 0.03, 0.02, 0.02, 0.03, 0.1, 0.6, 2.2, 6.0, 8.2, 7.6, 6.4),
    *(3.6, 5.2, 6.6, 5.8, 4.3, 2.4, 1.1, 0.6, 0.4, 0.3, 0.2, 0.1),
)
MACHINE_HOURS = (
    *(1.0, 1.0, 2.1, 1.4, 1.0, 0.9, 0.9, 1.0, 1.3, 1.6, 1.7, 1.6),
    *(1.3, 1.4, 1.7, 1.6, 1.5, 1.3, 1.1, 1.0, 1.0, 1.0, 1.0, 1.0),
)
OFFICE = Rhythm((1.35, 1.15, 1.05, 1.0, 0.8, 0.09, 0.06), OFFICE_HOURS, GERMAN_HOLIDAYS, 0.12)
MACHINES = Rhythm((1.05, 1.1, 1.1, 1.1, 0.95, 0.7, 0.7), MACHINE_HOURS, GERMAN_HOLIDAYS, 0.75)
SHOPPERS = Rhythm(
    (1.3, 1.1, 1.05, 1.0, 0.95, 0.55, 0.5),
    (
        *(0.6, 0.3, 0.2, 0.2, 0.2, 0.3, 0.8, 1.8, 3.5, 5.0, 5.6, 5.4),
        *(5.0, 5.0, 4.8, 4.6, 4.2, 3.8, 3.4, 3.2, 3.0, 2.6, 1.8, 1.1),
    ),
    AMERICAN_HOLIDAYS,
    0.5,
    CHRISTMAS_SALES,
    2.5,
)


def _season(day: date) -> float:
    """August is holiday time; between Christmas and New Year hardly anybody is there."""
    if (day.month, day.day) >= (12, 23):
        return 0.35
    return 0.82 if day.month == 8 else 1.0


def _day_weight(rng: Random, rhythm: Rhythm, day: date) -> float:
    """Some days are just worse than others, so the incidents of a day are not independent of each other."""
    weight = rhythm.weekdays[day.weekday()] * _season(day) * rng.lognormvariate(0, 0.2)
    if day in rhythm.holidays:
        weight *= rhythm.holiday_factor
    if day in rhythm.busy_days:
        weight *= rhythm.busy_factor
    return weight


def opening_times(rng: Random, rhythm: Rhythm, count: int) -> list[datetime]:
    """`count` local instants of the sample's period, in order."""
    days = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    chosen_days = rng.choices(days, [_day_weight(rng, rhythm, day) for day in days], k=count)
    chosen_hours = rng.choices(range(24), rhythm.hours, k=count)
    return sorted(
        datetime.combine(day, time(hour)) + timedelta(seconds=rng.randrange(3600))
        for day, hour in zip(chosen_days, chosen_hours, strict=True)
    )


def months_since_start(at: datetime) -> float:
    return (at.date() - FIRST_DAY).days / 30.44


def skewed(rng: Random, median: float, sigma: float) -> float:
    """A log-normal draw, named by its median."""
    return rng.lognormvariate(math.log(median), sigma)


def later(at: datetime, *, hours: float, around_the_clock: bool, holidays: frozenset[date]) -> datetime:
    """The instant after so many hours of work: on the clock, or within the working days."""
    left = timedelta(seconds=round(hours * 3600))
    if around_the_clock:
        return at + left
    while True:
        day_starts, day_ends = datetime.combine(at.date(), WORK_STARTS), datetime.combine(at.date(), WORK_ENDS)
        at = max(at, day_starts)
        if at.weekday() < 5 and at.date() not in holidays and at < day_ends:
            if at + left <= day_ends:
                return at + left
            left -= day_ends - at
        at = day_starts + timedelta(days=1)


def people(rng: Random, count: int) -> list[str]:
    """So many different full names."""
    return rng.sample([f"{first} {last}" for first in FIRST_NAMES.split() for last in LAST_NAMES.split()], count)


def pick(rng: Random, weights: dict[str, float]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
