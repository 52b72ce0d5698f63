"""What `meantime export` adds to the warehouse's own tables: every KPI by month and member, with its n and its interval."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dashboard import query
from dashboard.query import Warehouse

DIMENSIONS = ("all", "priority", "assignment_group", "service", "source")
"""Those of the views `kpi.daily` and `kpi.monthly`."""
NAME = "kpi_monthly_intervals"


def monthly(warehouse: Warehouse) -> pl.DataFrame:
    """Give one row per month, dimension, member and KPI: `value`, `n` and the limits `low` and `high`.

    Months without any incident of a member are not there; the values are those of `kpi.monthly`.
    """
    parts = []
    for dimension in DIMENSIONS:
        by = () if dimension == "all" else (dimension,)
        found = query.values(warehouse, list(warehouse.kpis), by=by, grain="month")
        member = pl.col(dimension).cast(pl.String) if by else pl.lit("all")
        parts.append(
            found.filter(pl.col("n") > 0).select(
                "period",
                pl.lit(dimension).alias("dimension"),
                member.alias("member"),
                "kpi",
                "value",
                "n",
                "low",
                "high",
            )
        )
    return pl.concat(parts)


def write(data: Path, folder: Path, format_: str) -> Path:
    """Write them as `parquet` or `csv`, whole or not at all."""
    target = folder / f"{NAME}.{format_}"
    pending = target.with_name(f".{target.name}.new")
    frame = monthly(query.open_data(data))
    if format_ == "csv":
        frame.write_csv(pending)
    else:
        frame.write_parquet(pending, compression="zstd")
    return pending.replace(target)
