"""Whether an export says the same as a pull: column by column of `incidents`, over every incident."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from servers import meantime

SECTION = """
[sources."{name}"]
kind = "{kind}"
files = ["{file}"]
timezone = "{zone}"
"""


@dataclass
class Comparison:
    """What an export and a pull say of the same incidents."""

    incidents: int
    unknown: set[str] = field(default_factory=set)
    """Columns that the pull knows of some incident, and the export of none."""
    other: dict[str, list[str]] = field(default_factory=dict)
    """Column -> incidents of which the export says something else."""
    partly: set[str] = field(default_factory=set)
    """Columns that the export knows of some incidents only."""
    marked: dict[str, set[str]] = field(default_factory=dict)
    """Rule -> incidents that data_issues has of the export."""


def loaded(folder: Path, kind: str, exports: dict[Path, str], more: str) -> Path:
    """Load exports, each with its zone as a source of its own (more: what stands in every section)."""
    text = 'timezone = "UTC"\n'
    for file, zone in exports.items():
        told = more.replace("[sources.helpdesk", f'[sources."{file.name}"')
        text += SECTION.format(name=file.name, kind=kind, file=file, zone=zone) + told
    (folder / "meantime.toml").write_text(text)
    meantime(folder, "refresh")
    return folder


def compared(pulled: Path, loaded: Path, export: Path, *, to_the_minute: bool = False) -> Comparison:
    """Compare an export with a pull; texts by their words, since an export may have blanks for tabs."""
    with duckdb.connect() as con:
        con.execute(f"attach '{pulled / 'data/incidents.duckdb'}' as pulled (read_only)")
        con.execute(f"attach '{loaded / 'data/incidents.duckdb'}' as loaded (read_only)")
        columns = con.execute(
            "select column_name, data_type from duckdb_columns() where database_name = 'pulled'"
            " and schema_name = 'main' and table_name = 'incidents' and column_name <> 'source'"
        ).fetchall()
        rows = (
            "from pulled.incidents as pull join loaded.incidents as export"
            f" on pull.incident_id = export.incident_id and export.source = '{export.name}'"
        )
        counts = con.execute(
            "select (select count(*) from pulled.incidents where excluded_as is distinct from 'deleted'), (select count(*)"
            f" from loaded.incidents where source = '{export.name}'), count(*) {rows}"
        ).fetchone()
        assert counts is not None and len(set(counts)) == 1
        found = Comparison(counts[0])
        for name, type_ in columns:
            ours, theirs = (f'{side}."{name}"' for side in ("pull", "export"))
            if type_ == "TIMESTAMP" and to_the_minute:
                ours, theirs = f"date_trunc('minute', {ours})", f"date_trunc('minute', {theirs})"
            if type_ == "VARCHAR":
                ours, theirs = (f"regexp_replace(trim({value}), '\\s+', ' ', 'g')" for value in (ours, theirs))
            known, told, other = con.execute(
                f"select count({ours}), count({theirs}), list(pull.incident_id order by pull.incident_id)"
                f" filter (where {theirs} is not null and {ours} is distinct from {theirs}) {rows}"
            ).fetchall()[0]
            if known and not told:
                found.unknown.add(name)
            elif told < known:
                found.partly.add(name)
            if other:
                found.other[name] = other
        for rule, ids in con.execute(
            f"select rule, list(incident_id) from loaded.data_issues where source = '{export.name}' group by rule"
        ).fetchall():
            found.marked[rule] = set(ids)
    return found
