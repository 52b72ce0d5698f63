"""A look at sources before anything is kept: a few incidents as they would be understood, in a warehouse in memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from etl import catalog, sources, store
from etl.config import Config, Source
from etl.links import ATTRIBUTE
from etl.pull import Patience, Pull, open_streams
from etl.reading import Export, open_exports
from etl.shaping import nearest
from etl.sources import Canonical

SHOWN = 3
ROWS = 5000
"""Rows of an export that are looked at."""
SPANS = tuple(timedelta(days=days) for days in (1, 7, 30, 365))
"""How far back a tool is asked for changes: the shortest span that has enough incidents."""
PAGES = 3
"""Pages of each stream that are asked for."""
PATIENCE = Patience(attempts=2)
SQL = Path(__file__).parent / "trial.sql"


class Unmapped(NamedTuple):
    """A value that rejects rows: where it stands, how many rows, and what to do about it."""

    field: str | None
    value: str | None
    rows: int
    reason: str


class Named(NamedTuple):
    """What a rule of links does among the incidents that were looked at."""

    rule: int
    verdict: str
    links: int
    example: str


@dataclass
class Look:
    """What was seen of one source."""

    rows: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    incidents: int = 0

    @property
    def unmapped(self) -> list[Unmapped]:
        """Each value that rejects rows, once."""
        found: dict[tuple[str | None, str | None], Unmapped] = {}
        for row in self.rejected:
            key = (row["field"], row["value"])
            before = found.get(key)
            found[key] = Unmapped(*key, before.rows + 1 if before else 1, before.reason if before else row["reason"])
        return sorted(found.values(), key=lambda one: -one.rows)


class Trial:
    """A warehouse in memory; nothing of it stays."""

    def __init__(self, config: Config) -> None:
        self.looks: dict[str, Look] = {}
        self.config = config
        self._con = duckdb.connect()
        store.create(self._con, config.timezone or "UTC")
        self._con.execute("create temp table changed (source varchar, incident_id varchar)")
        store.keep_links(self._con, config.links)

    def close(self) -> None:
        """Forget everything."""
        self._con.close()

    def file(self, source: Source, file: Path) -> Iterator[tuple[Export, int, list[str]]]:
        """Look at the head of each export in a file; give it, the number of rows, and why rows would be rejected."""
        module = sources.source(source.kind)
        for export in open_exports(file, sources.reading(source.kind, source.options)):
            plan = module.prepare(export, source.options)
            head = export.head().head(ROWS)
            found = module.normalise(head, plan)
            self._take(source, head.height, [found], plan.knows_resolving)
            yield export, head.height, found.rejected["reason"].to_list()

    def tool(self, source: Source, tell: Callable[[str], None] = lambda _: None) -> str:
        """Ask a tool who we are, and look at a few incidents; give its answer.

        Raises:
            PullError, SourceError, StampError: it cannot be reached or not be understood.
        """
        assert source.access is not None
        module = sources.source(source.kind)
        with tempfile.TemporaryDirectory() as folder:
            asking = Pull(source.name, source.access, source.options, Path(folder), tell=tell, patience=PATIENCE)
            try:
                said = str(module.whoami(asking))
                now = asking.as_of
            finally:
                asking.close()
            for number, span in enumerate(SPANS):
                since = max(now - span, source.access.since or datetime.min)
                pull = Pull(
                    source.name,
                    replace(source.access, since=since),
                    source.options,
                    Path(folder) / str(number),
                    tell=tell,
                    patience=PATIENCE,
                    pages_at_most=PAGES,
                )
                try:
                    module.fetch(pull)
                finally:
                    pull.close()
                rows, found, knows_resolving = _normalised(source, pull.folder)
                if sum(part.versions.height for part in found) >= SHOWN or span == SPANS[-1]:
                    self._take(source, rows, found, knows_resolving)
                    break
        return said

    def _take(self, source: Source, rows: int, found: list[Canonical], knows_resolving: bool) -> None:
        look = self.looks.setdefault(source.name, Look())
        look.rows += rows
        con = self._con
        store.stage(con)
        for part in found:
            store.put(con, source.name, part)
            look.rejected += part.rejected.select("field", "value", "reason").rows(named=True)
            for told in part.versions["attributes"].drop_nulls():
                look.attributes |= json.loads(told).keys()
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        as_of = store.greatest_stamp(con, now) or now
        store.merge(con, source.name, f"look {look.rows}", as_of, now)
        store.unstage(con)
        store.record_source(
            con,
            {
                "source": source.name,
                "kind": source.kind,
                "timezone": source.options.timezone or "UTC",
                "as_of": as_of,
                "knows_resolving": knows_resolving,
                "first_contact_hours": source.first_contact_hours,
            },
        )

    def understand(self) -> None:
        """Make the facts of all that was looked at."""
        catalog.run_facts(self._con)
        for source, incidents in self._con.execute("select source, count(*) from incidents group by source").fetchall():
            self.looks[source].incidents = incidents

    def incidents(self, source: str) -> list[dict[str, Any]]:
        """Give a few incidents of a source as they are understood, those with a history first."""
        found = self._con.execute(store.sql(SQL), {"source": source, "shown": SHOWN})
        columns = [column[0] for column in found.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    def links(self) -> list[Named]:
        """Give what the rules of links make of the incidents that were looked at."""
        found = self._con.execute(
            "select rule, verdict, count(*), min(incident_id || ' names ' || linked_id) from incident_links"
            " group by rule, verdict order by rule, verdict"
        )
        return [Named(*row) for row in found.fetchall()]

    def strange_fields(self) -> Iterator[tuple[str, str]]:
        """Yield a source and a complaint for each rule of links that looks where none of the incidents has anything."""
        for place, rule in enumerate(self.config.links.rules if self.config.links else (), 1):
            look = self.looks.get(rule.source)
            name = rule.field.removeprefix(ATTRIBUTE)
            if look is None or not look.incidents or rule.attribute is None or name in look.attributes:
                continue
            yield (
                rule.source,
                f"[[links]] {place}: none of the {look.incidents:,} incidents of '{rule.source}' that were looked at has "
                f"the attribute '{name}'{nearest(name, sorted(look.attributes))}; they have "
                f"{', '.join(sorted(look.attributes)) or 'none'}",
            )


def _normalised(source: Source, folder: Path) -> tuple[int, list[Canonical], bool]:
    module = sources.source(source.kind)
    found: list[Canonical] = []
    rows, knows_resolving = 0, False
    for export in open_streams(folder, getattr(module, "REFERENCES", ())):
        plan = module.prepare(export, source.options)
        knows_resolving = knows_resolving or plan.knows_resolving
        for chunk in export.chunks():
            rows += chunk.height
            found.append(module.normalise(chunk, plan))
    return rows, found, knows_resolving


def in_words(row: Mapping[str, Any]) -> str:
    """Say in lines how an incident is understood."""

    def stamp(name: str, basis: str | None = None) -> str:
        at = f"{row[name]:%Y-%m-%d %H:%M}" if row[name] else "-"
        return f"{name.removesuffix('_at')} {at}" + (f" ({row[basis]})" if basis and row[basis] else "")

    about = [row["state"].replace("_", " ") + (f" ({row['source_state']})" if row["source_state"] else "")]
    about += [f"priority {row['priority']} ({row['source_priority']})"] if row["priority"] else []
    about += [str(row[name]) for name in ("assignment_group", "service", "channel") if row[name]]
    about += [f"left out as {row['excluded_as']}"] if row["excluded_as"] else []
    clock = [
        stamp("opened_at"),
        stamp("acknowledged_at", "acknowledgement_basis"),
        stamp("resolved_at", "resolution_basis"),
    ]
    events = [f"{kind.replace('_', ' ')} {n}" for kind, n in zip(row["kinds"] or (), row["counts"] or (), strict=True)]
    return "\n".join(
        [
            f"  {row['incident_id']}  {row['title'] or ''}".rstrip(),
            f"    {', '.join(about)}",
            f"    {', '.join(clock)}, in UTC",
            f"    happened: {', '.join(events)}" if events else "    no history",
        ]
    )


__all__ = ["Look", "Named", "Trial", "Unmapped", "in_words"]
