"""The shortest bare DuckDB script that keeps the rows and builds incidents and events: what Meantime is measured by."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def build(export: Path, target: Path) -> None:
    """Load a whole-row history export into a new DuckDB file; no rules, no rejects."""
    con = duckdb.connect(target)
    for statement in duckdb.extract_statements((Path(__file__).parent / "bare.sql").read_text(encoding="utf-8")):
        con.execute(statement, {"export": str(export)} if statement.named_parameters else None)
    con.close()


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
