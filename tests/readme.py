"""Writes the generated parts of the README: the KPI table from the headers, and the SQL examples' real output."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def kpi_table() -> str:
    """Make the table of KPIs from their files."""
    from etl import catalog

    rows = [
        f"| `kpi.{kpi.name}` | {kpi.title} | {kpi.unit} | {kpi.description} | {kpi.counted_at} |"
        for kpi in catalog.kpis()
    ]
    return "\n".join(["| macro | KPI | unit | meaning | counted at |", "| --- | --- | --- | --- | --- |", *rows])


def answer(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Run a query and write its result as plain aligned columns."""
    found = con.execute(sql)
    names = [column[0] for column in found.description]
    rows = [["" if value is None else str(value) for value in row] for row in found.fetchall()]
    widths = [max(len(row[place]) for row in [names, *rows]) for place in range(len(names))]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in [names, *rows]]
    return "\n".join(line.rstrip() for line in lines)


def generated(text: str, warehouse: Path) -> str:
    """Give the README with its generated parts made anew."""
    text = re.sub(
        r"(<!-- kpis: .*? -->\n).*?(<!-- /kpis -->)",
        lambda found: f"{found[1]}\n{kpi_table()}\n\n{found[2]}",
        text,
        flags=re.DOTALL,
    )
    con = duckdb.connect(warehouse, read_only=True)
    try:
        return re.sub(
            r"```sql\n(.*?)```\n\n```text\n.*?```",
            lambda found: f"```sql\n{found[1]}```\n\n```text\n{answer(con, found[1])}\n```",
            text,
            flags=re.DOTALL,
        )
    finally:
        con.close()


def main() -> None:
    """Load the sample exports and rewrite the README."""
    sys.path.insert(0, str(ROOT))
    from etl import config, refresh

    with tempfile.TemporaryDirectory() as folder:
        refresh.refresh(Path(folder), config.read(ROOT / "data/sample/meantime.toml"))
        README.write_text(
            generated(README.read_text(encoding="utf-8"), Path(folder) / "incidents.duckdb"), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
