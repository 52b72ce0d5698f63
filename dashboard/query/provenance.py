"""Where the numbers come from: tables, runs, what did not get in, what is odd, what is known of each source."""

from __future__ import annotations

import polars as pl

from dashboard.query.rows import lines
from dashboard.query.warehouse import Warehouse


def tables(warehouse: Warehouse) -> pl.DataFrame:
    """Every public table and view with its columns, and what they mean."""
    return warehouse.stored("tables")


def runs(warehouse: Warehouse, limit: int = 20) -> pl.DataFrame:
    """The latest runs, newest first."""
    return warehouse.stored("runs", {"limit": limit})


def rejects(warehouse: Warehouse, source: str | None = None, limit: int = 1000) -> pl.DataFrame:
    """Rows that did not get in."""
    return warehouse.stored("rejects", {"source": source, "limit": limit})


def rejects_by_reason(warehouse: Warehouse) -> pl.DataFrame:
    """Rejected rows by source, field, value and reason."""
    return warehouse.stored("rejects_by_reason")


def issues_by_rule(warehouse: Warehouse) -> pl.DataFrame:
    """Odd things by source, rule and field, with an example each."""
    return warehouse.stored("issues_by_rule")


def coverage(warehouse: Warehouse) -> pl.DataFrame:
    """For each source and column of incidents, the share of rows in which it is known: `source`, `field`, `known`."""
    fields = [name for name in warehouse.columns["incidents"] if name not in ("source", "attributes")]
    counted = lines([f'(count("{name}") / count(*))::double as "{name}"' for name in fields])
    wide = warehouse.frame(f"select source, {counted} from main.incidents group by source order by source")
    return wide.unpivot(index="source", variable_name="field", value_name="known")
