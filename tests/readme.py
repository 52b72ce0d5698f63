"""Writes the generated parts of the README: the KPI table from the headers, and the SQL examples' real output."""

from __future__ import annotations

import gzip
import json
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


ALIASES = {"service": "services", "escalation": "escalation_count", "seconds_to_acknowledge": "acknowledged_at"}
"""A source's own name of a field -> the column that it fills."""
OF_NO_TOOL = ("external_id", "version_number", "reports_acknowledgement", "updated_by", "reopens_id", "attributes")
"""Columns that say nothing about what a tool knows."""


def covered(kind: str) -> tuple[set[str], set[str]]:
    """Give the columns that a source fills of itself, and those that it fills if the configuration names a field.

    Its table of fields says which it looks for; its examples say which it makes of something else.
    """
    from etl import sources
    from etl.pull import open_streams
    from etl.reading import open_exports

    module = sources.source(kind)
    fields = getattr(module, "FIELDS", {})
    filled = {ALIASES.get(field, field) for field, names in fields.items() if names}
    told = {ALIASES.get(field, field) for field, names in fields.items() if not names}
    options = sources.Options("desk", **module.EXAMPLE_OPTIONS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pull").mkdir()
        exports = []
        for file, content in module.EXAMPLE.items():
            (folder / file).write_bytes(content)
            exports += open_exports(folder / file, sources.reading(kind, options))
        for stream, records in getattr(module, "EXAMPLE_PULL", {}).items():
            lines = "".join(f"{json.dumps(record)}\n" for record in records)
            (folder / "pull" / f"{stream}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
        exports += open_streams(folder / "pull", getattr(module, "REFERENCES", ()))
        for export in exports:
            plan = module.prepare(export, options)
            for chunk in export.chunks():
                versions = module.normalise(chunk, plan).versions
                filled |= {column.name for column in versions if column.null_count() < len(column)}
    return filled, told - filled


def coverage_table() -> str:
    """Make the table of what each source tells, for those that read one tool."""
    from etl import incident, sources

    kinds = [kind for kind in sources.kinds() if kind != "table"]
    known = {kind: covered(kind) for kind in kinds}
    rows = []
    for column in (field.name for field in incident.VERSION if field.name not in OF_NO_TOOL):
        marks = ["●" if column in known[kind][0] else "○" if column in known[kind][1] else "" for kind in kinds]
        if any(marks):
            rows.append(f"| `{column}` | " + " | ".join(marks) + " |")
    head = f"| | {' | '.join(f'`{kind}`' for kind in kinds)} |"
    return "\n".join([head, f"| --- |{' :-: |' * len(kinds)}", *rows])


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
    text = re.sub(
        r"(<!-- coverage: .*? -->\n).*?(<!-- /coverage -->)",
        lambda found: f"{found[1]}\n{coverage_table()}\n\n{found[2]}",
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
