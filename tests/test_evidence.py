"""The limits beside a number equal those made of the incidents themselves, one by one, outside of the query."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from dashboard import exported, periods, query
from etl import catalog

FLOWS = tuple(kpi for kpi in catalog.kpis() if kpi.fact == "incidents")


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> query.Warehouse:
    return query.open_data(sample)


def each(warehouse: query.Warehouse, kpi: catalog.Kpi, where: str) -> list[tuple[Any, ...]]:
    """What every incident adds, with its day and weight."""
    weight = f"kpi.{kpi.name}_weight(i)" if kpi.statistic == "ratio" else "1"
    return (
        warehouse.connection.cursor()
        .execute(
            f"select {kpi.counted_on}, kpi.{kpi.name}_each(i), {weight} from incidents as i"
            f" where {kpi.counted_on} is not null and kpi.{kpi.name}_each(i) is not null and {where}"
        )
        .fetchall()
    )


def clustered(rows: list[tuple[Any, ...]], ratio: float) -> float:
    """Variance of a mean, or of a quotient, by day clusters: the formula of KPIS.md, word for word, known from few days."""
    sums: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for day, x, w in rows:
        sums[day][0] += x
        sums[day][1] += w
    g, n = len(sums), sum(w for _, _, w in rows)
    equal_days = n**2 / sum(w**2 for _, w in sums.values())
    farther = stats.t.ppf(0.975, equal_days - 1) / stats.norm.ppf(0.975) if equal_days > 1 else np.inf
    return farther**2 * g / (g - 1) * sum((s - ratio * w) ** 2 for s, w in sums.values()) / n**2


def by_hand(kpi: catalog.Kpi, rows: list[tuple[Any, ...]]) -> tuple[float | None, float | None]:
    x = np.array([row[1] for row in rows], dtype=float)
    n = len(x)
    if kpi.statistic == "count" or n < 2 or len({row[0] for row in rows}) < 2:
        return None, None
    if kpi.statistic == "ratio":
        share = x.sum() / sum(row[2] for row in rows)
        m = min(n, share * (1 - share) / clustered(rows, share))
        return wilson(share, m)
    if kpi.statistic == "mean":
        s, mean = x.std(ddof=1), x.mean()
        m = n / max(1.0, clustered(rows, mean) / (s**2 / n))
        if not m > 1:
            return None, None
        g = ((x - mean) ** 3).mean() / s**3
        w = stats.t.ppf(0.975, m - 1) / np.sqrt(m)

        def h(w: float) -> float:
            return 3 / g * (np.cbrt(1 + g * (w - g / (6 * m))) - 1) if abs(g) > 1e-6 else w

        scale = 3600 if kpi.unit == "hours" else 1
        return max(0.0, (mean - s * h(w)) / scale), (mean - s * h(-w)) / scale
    if kpi.statistic == "rate":
        p = x.mean()
        iid = p * (1 - p) / n
        return wilson(p, n / max(1.0, clustered(rows, p) / iid if iid else 1.0))
    q = float(kpi.statistic.split()[1])
    value = np.quantile(x, q)
    below = [(day, float(x <= value), w) for day, x, w in rows]
    p = sum(row[1] for row in below) / n
    m = n / max(1.0, clustered(below, p) / (p * (1 - p) / n) if 0 < p < 1 else 1.0)
    # With a whole number of independent incidents, the binomial's own ranks; carried over to all n.
    k = np.arange(0, int(m) + 2)
    low = k[at_most(k - 1, m, q) <= 0.025].max()
    high = k[1 - at_most(k - 1, m, q) <= 0.025]
    stretch = (n + 1) / (m + 1)
    ranks = int(low * stretch), int(np.ceil(high.min() * stretch)) if len(high) and high.min() <= m else n + 1
    ordered = np.sort(x)
    return (
        ordered[ranks[0] - 1] / 3600 if ranks[0] >= 1 else None,
        ordered[ranks[1] - 1] / 3600 if ranks[1] <= n else None,
    )


def at_most(k: Any, m: float, q: float) -> Any:
    return np.where(k < 0, 0.0, np.where(k >= m, 1.0, stats.beta.cdf(1 - q, np.maximum(m - k, 1e-12), k + 1)))


def wilson(p: float, m: float) -> tuple[float | None, float | None]:
    z = stats.norm.ppf(0.975)
    if m < 1:
        return None, None
    middle, half = p + z**2 / (2 * m), z * np.sqrt(p * (1 - p) / m + z**2 / (4 * m**2))
    return max(0.0, (middle - half) / (1 + z**2 / m)), min(1.0, (middle + half) / (1 + z**2 / m))


def numbers(*limits: float | None) -> list[float]:
    return [float("nan") if limit is None else limit for limit in limits]


@pytest.mark.parametrize("kpi", FLOWS, ids=lambda kpi: kpi.name)
def test_every_kpi_has_the_limits_made_of_its_incidents(warehouse: query.Warehouse, kpi: catalog.Kpi) -> None:
    found = query.values(warehouse, [kpi.name], by=["source"])
    assert found.height > 0
    for row in found.iter_rows(named=True):
        rows = each(warehouse, kpi, f"source = '{row['source']}'")
        assert len(rows) == row["n"]
        ours, theirs = numbers(row["low"], row["high"]), numbers(*by_hand(kpi, rows))
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9, nan_ok=True)


def test_a_month_has_the_same_limits_alone_and_among_others(warehouse: query.Warehouse) -> None:
    names = ["mttr", "mttr_median", "mttr_p90", "fcr_rate", "hold_share"]
    months = query.values(warehouse, names, grain="month")
    for first in months["period"].unique().sort()[2:4]:
        alone = query.Scope(first, periods.following(first, "month") - timedelta(days=1))
        found = query.values(warehouse, names, alone)
        assert found.rows() == months.filter(months["period"] == first).drop("period").rows()


def test_the_number_is_its_parts(warehouse: query.Warehouse) -> None:
    """What each incident adds is what the value is made of, for every KPI of the catalog."""
    for kpi in FLOWS:
        rows = each(warehouse, kpi, "true")
        value, n = (
            warehouse.connection.cursor()
            .execute(
                f"select kpi.{kpi.name}(i)::double, kpi.{kpi.name}_n(i) from incidents as i where {kpi.counted_on} is not null"
            )
            .fetchall()[0]
        )
        assert n == len(rows)
        if not n:
            continue
        x = np.array([row[1] for row in rows], dtype=float)
        scale = 3600 if kpi.unit == "hours" else 1
        if kpi.statistic == "ratio":
            expected = x.sum() / sum(row[2] for row in rows)
        elif kpi.statistic.startswith("quantile"):
            expected = np.quantile(x, float(kpi.statistic.split()[1])) / scale
        else:
            expected = len(x) if kpi.statistic == "count" else x.mean() / scale
        assert value == pytest.approx(expected, rel=1e-12), kpi.name


def test_an_export_has_the_values_of_the_monthly_view_with_the_limits_of_the_query(
    sample: Path, warehouse: query.Warehouse, tmp_path: Path
) -> None:
    found = pl.read_parquet(exported.write(sample, tmp_path, "parquet"))
    view = warehouse.frame("select * from kpi.monthly").unpivot(
        index=["period", "dimension", "member"], variable_name="kpi", value_name="viewed"
    )
    both = found.join(view, on=["period", "dimension", "member", "kpi"], how="left", nulls_equal=True)
    assert both.height == found.height > 5000
    assert both["value"].to_list() == pytest.approx(both["viewed"].to_list(), rel=1e-12)
    asked = query.values(warehouse, ["mttr_median"], by=["priority"], grain="month").filter(pl.col("n") > 0)
    kept = found.filter((pl.col("dimension") == "priority") & (pl.col("kpi") == "mttr_median"))
    assert kept.select("value", "n", "low", "high").rows() == asked.select("value", "n", "low", "high").rows()
    assert (tmp_path / "kpi_monthly_intervals.parquet").is_file()


def test_there_are_kpis_of_every_statistic() -> None:
    assert Counter(kpi.statistic for kpi in FLOWS).keys() == set(catalog.STATISTICS)
