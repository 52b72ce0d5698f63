"""Small exports for tests, and what a warehouse holds as plain rows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[1]
HEADER = "number,short_description,incident_state,sys_mod_count,opened_at,sys_updated_by,sys_updated_at,priority,assignment_group"
TABLES = (
    "incidents",
    "incident_events",
    "incident_segments",
    "incident_days",
    "data_issues",
    "rejected_rows",
    "sources",
)
START = datetime(2025, 3, 3, 8)


def line(
    number: int, version: int, state: str, minute: int, title: str = "Mail is down", group: str = "Messaging"
) -> str:
    """Give one row of history, `minute` minutes after START."""
    at = START + timedelta(minutes=minute)
    opened = START + timedelta(minutes=number)
    stamps = f"{opened:%Y-%m-%d %H:%M:%S},mroe,{at:%Y-%m-%d %H:%M:%S}"
    return f"INC{number:07},{title},{state},{version},{stamps},3 - Moderate,{group}"


def write(path: Path, lines: Sequence[str]) -> Path:
    """Write a history export."""
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def generation(path: Path, number: int, incidents: int = 200, more: int = 10) -> Path:
    """Write an export in which every incident has the title of its generation; each generation brings new incidents."""
    return write(
        path,
        [
            line(incident, number, "In Progress", 1000 + number, f"generation {number}")
            for incident in range(incidents + more * number)
        ],
    )


def content(file: Path, tables: Sequence[str] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
    """Give every row of the public tables."""
    con = duckdb.connect(file.resolve(), read_only=True)
    try:
        return {table: con.execute(f"select * from {table} order by all").fetchall() for table in tables}
    finally:
        con.close()


def titles(file: Path) -> list[tuple[Any, ...]]:
    """Give each title with its count."""
    con = duckdb.connect(file.resolve(), read_only=True)
    try:
        return con.execute("select title, count(*) from incidents group by all order by all").fetchall()
    finally:
        con.close()


def meantime(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "etl", *map(str, arguments)],
        cwd=options.pop("cwd", ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=options.pop("timeout", 120),
        **options,
    )
