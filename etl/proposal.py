"""A first map for an unknown table: what its columns probably are, the words that it uses, and what is missing."""

from __future__ import annotations

import json
import re

import polars as pl

from etl import stamps
from etl.reading import Export
from etl.stamps import StampError

NAMES: dict[str, tuple[str, ...]] = {
    "incident_id": (
        "incident id",
        "number",
        "issue key",
        "key",
        "ticket id",
        "ticket",
        "id",
        "incident number",
        "issue id",
        "case",
    ),
    "title": ("title", "summary", "short description", "subject", "description", "name"),
    "opened_at": ("opened at", "created at", "created", "opened", "opened on", "created on", "reported", "started at"),
    "acknowledged_at": ("acknowledged at", "acknowledged", "first response", "first responded at"),
    "resolved_at": (
        "resolved at",
        "resolved",
        "resolved on",
        "resolution date",
        "solved at",
        "solved",
        "solved on",
        "done on",
    ),
    "closed_at": ("closed at", "closed", "closed on"),
    "updated_at": ("updated at", "updated", "last updated", "last modified", "modified", "updated on"),
    "state": ("status", "state", "incident state"),
    "priority": ("priority", "prio", "severity", "priority name", "urgency", "impact"),
    "channel": ("channel", "source", "contact type", "via", "request channel", "origin"),
    "category": ("category", "type", "issue type", "tracker"),
    "service": ("service", "service name", "component", "component s", "components", "application", "product"),
    "assignment_group": ("assignment group", "team", "team name", "group", "queue", "assigned group"),
    "assignee": ("assignee", "assigned to", "owner", "resolver"),
    "caller": ("caller", "reporter", "requester", "requestor", "author", "customer"),
    "location": ("location", "site", "office"),
    "resolution_code": ("resolution code", "resolution", "close code"),
    "tags": ("tags", "labels"),
    "reassignment_count": ("reassignment count", "reassignments"),
    "reopen_count": ("reopen count", "reopens"),
    "escalation_count": ("escalation count", "escalations"),
    "is_major": ("major", "is major", "major incident"),
    "is_auto_resolved": ("auto resolved",),
    "sla_met": ("sla met", "made sla"),
    "url": ("url", "link", "html url", "permalink"),
}
STATE_WORDS: dict[str, tuple[str, ...]] = {
    "new": ("new", "open", "opened", "triggered", "to do", "todo", "registered", "submitted", "unassigned"),
    "in_progress": (
        "in progress",
        "acknowledged",
        "active",
        "assigned",
        "investigating",
        "identified",
        "work in progress",
    ),
    "on_hold": ("on hold", "pending", "waiting", "waiting for customer", "hold", "stalled", "suspended", "snoozed"),
    "resolved": ("resolved", "solved", "fixed", "done", "completed"),
    "closed": ("closed",),
    "cancelled": ("cancelled", "canceled", "rejected", "declined", "withdrawn", "won't do"),
}
PRIORITY_WORDS: dict[int, tuple[str, ...]] = {
    1: ("critical", "highest", "blocker", "urgent", "p1", "sev1", "1"),
    2: ("high", "p2", "sev2", "2"),
    3: ("medium", "moderate", "normal", "major", "p3", "sev3", "3"),
    4: ("low", "minor", "p4", "sev4", "4"),
    5: ("lowest", "planning", "trivial", "p5", "5"),
}
CHANNEL_WORDS: dict[str, tuple[str, ...]] = {
    "phone": ("phone", "call", "voice"),
    "email": ("email", "e-mail", "mail"),
    "chat": ("chat", "slack", "teams"),
    "portal": ("portal", "self-service", "self service", "web", "jira"),
    "walk_in": ("walk-in", "walk in"),
    "monitoring": ("monitoring", "alert", "event"),
    "api": ("api", "integration"),
    "other": ("other",),
}
MOST_WORDS = 40


def propose(export: Export) -> str:
    """Write a map in TOML for a person to finish: guesses, the words seen, and what is missing, marked with `?`."""
    head = export.head()
    columns = _guess(head, export.columns)
    lines = [
        f"# A proposed map for {export.name}: check every line, then load with --map.",
        "# What is marked with ? needs a decision; a column that is not named here is kept in `attributes`.",
        *_form(head, columns),
        "",
        "[fields]",
    ]
    for field, column in columns.items():
        lines.append(f"{field} = {_text(column)}")
    missing = [field for field in ("incident_id", "opened_at", "state") if field not in columns]
    lines += [f'# {field} = "?"  # needed: the column with {_wanted(field)}' for field in missing]
    if not {"resolved_at", "closed_at"} & set(columns):
        lines.append('# resolved_at = "?"  # without it there is no time to resolve')
    if "acknowledged_at" not in columns:
        lines.append('# acknowledged_at = "?"  # without it there is no time to acknowledge')
    lines.append(f"# other columns: {', '.join(c for c in export.columns if c not in columns.values()) or 'none'}")
    for kind, field, table in (
        ("status", "state", STATE_WORDS),
        ("priority", "priority", PRIORITY_WORDS),
        ("channel", "channel", CHANNEL_WORDS),
    ):
        if field in columns:
            lines += _words(kind, head[columns[field]], table)
    if "resolution_code" in columns:
        lines += _exclusions(head[columns["resolution_code"]])
    return "\n".join(lines) + "\n"


def missing(proposal: str) -> list[str]:
    """Name what a proposal leaves open."""
    return re.findall(r'^# (\S+|".*") = "\?"', proposal, re.MULTILINE)


def _guess(head: pl.DataFrame, columns: list[str]) -> dict[str, str]:
    spelled = {re.sub(r"[\W_]+", " ", column).strip().lower(): column for column in reversed(columns)}
    found: dict[str, str] = {}
    taken: set[str] = set()
    for field, names in NAMES.items():
        for name in names:
            column = spelled.get(name) or spelled.get(f"custom field {name}")
            if column is None or column in taken:
                continue
            if field.endswith("_at") and not _reads_as_stamps(head, column):
                continue
            found[field] = column
            taken.add(column)
            break
    return found


def _reads_as_stamps(head: pl.DataFrame, column: str) -> bool:
    values = head[column].drop_nulls().head(200)
    if values.is_empty():
        return False
    try:
        format_ = stamps.decide(pl.DataFrame([values]), [column])[column]
        read = stamps.to_utc(values, format_, "UTC")
    except StampError:
        # Stamps, but day and month cannot be told apart: a person will be asked.
        return True
    return read.unreadable.sum() < len(values) / 2


def _form(head: pl.DataFrame, columns: dict[str, str]) -> list[str]:
    stamped = [column for field, column in columns.items() if field.endswith("_at")]
    lines = []
    try:
        formats = stamps.decide(head, stamped)
        said = ", ".join(f"{column}: {format_.order}" for column, format_ in formats.items())
        lines.append(f"# dates found: {said or 'none'}")
        naive = any(not format_.has_offset for format_ in formats.values())
    except StampError as error:
        lines += [f"# {error}", '# date_format = "?"  # day_first or month_first']
        naive = True
    if stamped and naive:
        lines.append(
            'timezone = "UTC"  # the stamps say none: the zone of the person who exported, such as Europe/Berlin'
        )
    return lines


def _words(kind: str, values: pl.Series, table: dict[str, tuple[str, ...]] | dict[int, tuple[str, ...]]) -> list[str]:
    counts = values.drop_nulls().value_counts(sort=True).head(MOST_WORDS)
    known = {word: ours for ours, words in table.items() for word in words}
    lines = ["", f"[{kind}]  # their word = one of {', '.join(map(str, table))}"]
    for word, n in counts.iter_rows():
        ours = known.get(re.sub(r"^\d\s*-\s*", "", word.strip().lower()))
        rows = f"{n:,} row{'s' if n != 1 else ''}"
        if ours is None:
            lines.append(f'# {_text(word)} = "?"  # {rows}')
        else:
            lines.append(f"{_text(word)} = {_text(ours) if isinstance(ours, str) else ours}  # {rows}")
    return lines


def _exclusions(values: pl.Series) -> list[str]:
    words = [word for word in values.drop_nulls().unique().sort().to_list() if "duplicate" in word.lower()]
    return ["", "[excluded]", *(f'{_text(word)} = "duplicate"' for word in words)] if words else []


def _wanted(field: str) -> str:
    return {
        "incident_id": "its number",
        "opened_at": "the stamp of its opening",
        "state": 'its status (or say state_from = "stamps" above)',
    }[field]


def _text(value: str) -> str:
    # A TOML basic string is a JSON string.
    return json.dumps(value, ensure_ascii=False)
