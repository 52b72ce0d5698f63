"""Writes the made-up sample exports beside this file, or into the folder given: same bytes on every run.

`python data/sample/generate.py [FOLDER]`. The names of the modules are those of the tools; story.py is what they share.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import jira
import pagerduty
import servicenow


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]], quoting: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _json(document: dict) -> bytes:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def exports() -> dict[str, bytes]:
    """File name without `.gz`, and what is in it."""
    tickets = servicenow.tickets()
    return {
        "servicenow-incidents.csv": _csv(servicenow.COLUMNS, servicenow.list_rows(tickets), csv.QUOTE_ALL),
        "servicenow-audit.csv": _csv(servicenow.AUDIT_COLUMNS, servicenow.audit_rows(tickets), csv.QUOTE_ALL),
        "pagerduty-incidents.json": _json(pagerduty.document()),
        "jira-issues.csv": _csv(jira.COLUMNS, jira.rows(), csv.QUOTE_MINIMAL),
    }


def _gzip(content: bytes) -> bytes:
    """No time and no file name in the header, or no two runs would give the same bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(content)
    return packed.getvalue()


def write(folder: Path) -> None:
    for name, content in exports().items():
        (folder / f"{name}.gz").write_bytes(_gzip(content))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
