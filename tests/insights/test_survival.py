"""Survival statistics equal those of lifelines, recorded once from an environment of its own, and plain counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.insights import survival

# lifelines 0.30.3: 120 made-up lives, seed 20; kind 0 censored, 1 the event, 2 left otherwise.
HOURS = [
    2.8,
    24.3,
    31.8,
    7.1,
    8.1,
    2.4,
    1.3,
    1.4,
    1.2,
    16.6,
    4.2,
    5.5,
    1.9,
    1.1,
    0.9,
    1.5,
    10.5,
    4.7,
    2.5,
    3.3,
    0.7,
    25.2,
    0.9,
    4.9,
    89.4,
    0.2,
    0.7,
    1.7,
    5.4,
    0.5,
    3.3,
    4.4,
    5.8,
    0.3,
    11.2,
    42.0,
    8.4,
    1.7,
    2.0,
    0.2,
    8.8,
    36.9,
    11.2,
    0.2,
    2.6,
    4.0,
    2.4,
    19.1,
    0.5,
    1.7,
    10.4,
    18.0,
    5.8,
    19.7,
    9.4,
    1.1,
    27.5,
    2.3,
    0.6,
    8.4,
    56.9,
    17.3,
    18.2,
    6.0,
    0.2,
    11.7,
    5.7,
    0.2,
    1.9,
    1.4,
    19.9,
    5.4,
    6.9,
    6.4,
    0.8,
    0.4,
    5.0,
    3.1,
    4.5,
    3.7,
    2.3,
    9.8,
    6.0,
    2.0,
    0.4,
    0.2,
    0.7,
    3.7,
    16.2,
    2.6,
    11.7,
    22.9,
    125.6,
    6.8,
    36.4,
    6.3,
    0.9,
    0.3,
    6.9,
    15.6,
    142.3,
    1.9,
    9.0,
    3.9,
    0.3,
    7.7,
    3.0,
    0.9,
    47.7,
    2.0,
    8.7,
    3.2,
    1.7,
    3.6,
    13.7,
    1.8,
    0.5,
    55.5,
    8.4,
    1.3,
]
KIND = "112112210122200102100011111202111000011112111210220122210100002000111101211112122022111101112111011012101111211220111121"
GROUP = "001211120110020211011112000111021012021202001020112210200102011201122122101212102022110122012112110012221112220122121222"
AT = (1, 4, 24, 72, 168)


def history(hours: Any, kind: Any) -> pl.DataFrame:
    lives = pl.DataFrame({"hours": hours, "kind": [int(one) for one in kind]}, schema_overrides={"hours": pl.Float64})
    return lives.group_by("hours").agg(
        events=(pl.col("kind") == 1).sum(), others=(pl.col("kind") == 2).sum(), censored=(pl.col("kind") == 0).sum()
    )


def of_group(*groups: str) -> list[pl.DataFrame]:
    return [
        history(*zip(*[(h, k) for h, k, g in zip(HOURS, KIND, GROUP, strict=True) if g == group], strict=True))
        for group in groups
    ]


def test_still_open_is_lifelines_kaplan_meier_with_its_log_log_limits() -> None:
    curve = survival.still_open(history(HOURS, KIND))
    assert [curve.at(hours) for hours in AT] == [
        pytest.approx(row, abs=1e-12)
        for row in [
            [0.856043039943969, 0.778621484521274, 0.907963803022301],
            [0.566818885991256, 0.469978697113548, 0.65256134608782],
            [0.212511574886851, 0.133559601569378, 0.303777765518917],
            [0.091543447643567, 0.034361814648711, 0.183431558863189],
            [0.0, 0.0, 0.0],
        ]
    ]


def test_quantiles_are_lifelines_with_brookmeyer_and_crowleys_limits() -> None:
    curve = survival.still_open(history(HOURS, KIND))
    assert survival.quantile(curve, 0.5)[:3] == pytest.approx([5.5, 3.3, 6.9])
    assert survival.quantile(curve, 0.9)[:3] == pytest.approx([55.5, 36.4, 142.3])


def test_left_by_a_time_is_lifelines_aalen_johansen_without_ties() -> None:
    # lifelines jitters tied times at random; a thousandth of an hour for each row keeps them apart.
    untied = [round(hours + at / 1000, 3) for at, hours in enumerate(HOURS)]
    curve = survival.has_left(history(untied, KIND))
    assert [curve.at(hours)[0] for hours in AT[:4]] == pytest.approx(
        [0.11886503471162654, 0.2990945760366267, 0.5462229249752246, 0.604695422415887], abs=1e-12
    )
    limits = [
        [0.06834081487512081, 0.18443589234678076],
        [0.21760766047884383, 0.38471016274728476],
        [0.4416448607193866, 0.6392421627282927],
        [0.4919720175854935, 0.6999624019481581],
    ]
    assert [curve.at(hours)[1:] for hours in AT[:4]] == [pytest.approx(row, abs=1e-9) for row in limits]


def test_the_restricted_mean_is_lifelines() -> None:
    assert survival.restricted_mean(history(HOURS, KIND), 72).hours == pytest.approx(15.593170013496085)


def test_log_rank_is_lifelines_for_two_groups_and_for_three() -> None:
    two, three = survival.log_rank(of_group("0", "1")), survival.log_rank(of_group("0", "1", "2"))
    assert (two.statistic, two.p) == pytest.approx((1.091483780188677, 0.29614268487046846))
    assert (three.statistic, three.p) == pytest.approx((1.1168341896228795, 0.5721139496249896))


def test_the_variance_of_the_restricted_mean_is_about_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    hours, kind = np.array(HOURS), np.array(list(KIND))
    means = []
    for _ in range(400):
        chosen = rng.integers(0, len(hours), len(hours))
        means.append(survival.restricted_mean(history(hours[chosen], kind[chosen]), 72).hours)
    assert survival.restricted_mean(history(HOURS, KIND), 72).variance == pytest.approx(np.var(means), rel=0.2)


lives = st.lists(st.tuples(st.integers(1, 30), st.sampled_from("12")), min_size=1, max_size=60)


@given(lives, st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_without_censoring_it_is_plain_counting(lives: list[tuple[int, str]], hours: int) -> None:
    found = history(*zip(*lives, strict=True))
    assert survival.still_open(found).at(hours)[0] == pytest.approx(sum(t > hours for t, _ in lives) / len(lives))
    left = sum(t <= hours and kind == "1" for t, kind in lives) / len(lives)
    assert survival.has_left(found).at(hours)[0] == pytest.approx(left)


def test_what_was_not_reached_has_no_time_but_a_follow_up() -> None:
    found = survival.quantile(survival.still_open(history([1.0, 2.0, 5.0, 5.0], "1000")), 0.5)
    assert found == (None, found.low, None, 5.0)


def test_after_the_last_one_seen_nothing_is_known() -> None:
    assert np.isnan(survival.still_open(history([1.0, 5.0], "10")).at(6.0)[0])
    assert survival.still_open(history([1.0, 5.0], "11")).at(6.0)[0] == 0.0
