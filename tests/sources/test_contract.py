"""What every source must keep, found by discovery: its own example becomes canonical rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from etl import incident, sources
from etl.pull import Access, Page, Pull, open_streams
from etl.reading import LINE, open_exports
from etl.sources import Canonical, Options

EXAMPLES = [(kind, name) for kind in sources.kinds() for name in sources.source(kind).EXAMPLE]


PULL = "a pull"
EXAMPLES += [(kind, PULL) for kind in sources.kinds_that_pull()]


def read(kind: str, file: Path, rows_at_once: int | None = None) -> Iterator[tuple[sources.Plan, pl.DataFrame]]:
    """Yield the chunks of an example, each with the plan by which it is understood."""
    module = sources.source(kind)
    options = Options("desk", **module.EXAMPLE_OPTIONS)
    if file.name == PULL:
        exports = open_streams(file, getattr(module, "REFERENCES", ()))
    else:
        exports = open_exports(file, sources.reading(kind, options))
    for export in exports:
        plan = module.prepare(export, options)
        for chunk in export.chunks():
            yield from ((plan, part) for part in chunk.iter_slices(rows_at_once or chunk.height))


def normalised(kind: str, file: Path, rows_at_once: int | None = None) -> Canonical:
    found = [sources.source(kind).normalise(chunk, plan) for plan, chunk in read(kind, file, rows_at_once)]
    return Canonical(*(pl.concat(frames) for frames in zip(*found, strict=True)))


def written(folder: Path, kind: str, name: str) -> Path:
    """Write an example as the file, or the pull, that it is."""
    module = sources.source(kind)
    if name != PULL:
        (folder / name).write_bytes(module.EXAMPLE[name])
        return folder / name
    pull = Pull("desk", Access("https://desk.example.com"), Options("desk"), folder / name)
    for stream, records in module.EXAMPLE_PULL.items():
        pull.keep(stream, lambda _, records=records: [Page(records, "GET", None)])
    return folder / name


@pytest.mark.parametrize(("kind", "name"), EXAMPLES)
def test_an_example_becomes_canonical_rows(tmp_path: Path, kind: str, name: str) -> None:
    found = normalised(kind, written(tmp_path, kind, name))
    schemas = (incident.VERSION, incident.SNAPSHOT, incident.GIVEN_EVENT, incident.REJECTED, incident.ISSUE)
    assert [dict(frame.schema) for frame in found] == [incident.schema(fields) for fields in schemas]
    assert found.rejected.height == 0
    assert found.versions.height + found.events.height > 0
    for column in ("incident_id", "state", "opened_at"):
        assert found.versions[column].null_count() == 0
    assert set(found.versions["state"]) <= set(incident.STATES)
    assert set(found.events["kind"]) <= set(incident.EVENT_KINDS)
    assert set(found.events["actor_kind"]) | set(found.snapshots["actor_kind"]) <= set(incident.ACTOR_KINDS)


@pytest.mark.parametrize(("kind", "name"), EXAMPLES)
def test_keys_are_unique_stamps_are_whole_seconds_and_what_the_tool_said_is_kept(
    tmp_path: Path, kind: str, name: str
) -> None:
    found = normalised(kind, written(tmp_path, kind, name))
    assert found.versions.select("incident_id", pl.col("version_number").is_null()).is_unique().all()
    # Two streams may tell the same event: then they tell it alike.
    assert found.events.unique().select("incident_key", "event_id").is_unique().all()
    assert found.events.select("incident_key", "event_id", "happened_at").null_count().row(0) == (0, 0, 0)
    for frame in found:
        for column in frame.select(pl.col(pl.Datetime)).iter_columns():
            assert column.dtype == pl.Datetime("us")
            assert column.dt.microsecond().fill_null(0).sum() == 0
    # Where a tool says nothing of the channel, what kind of tool it is says all.
    for ours in ("state", "priority"):
        assert found.versions.filter(pl.col(ours).is_not_null() & pl.col(f"source_{ours}").is_null()).height == 0


@pytest.mark.parametrize(("kind", "name"), EXAMPLES)
def test_normalise_is_pure(tmp_path: Path, kind: str, name: str) -> None:
    module = sources.source(kind)
    for plan, chunk in read(kind, written(tmp_path, kind, name)):
        before = chunk.clone()
        once, again = module.normalise(chunk, plan), module.normalise(chunk, plan)
        assert chunk.equals(before)
        assert all(one.equals(other) for one, other in zip(once, again, strict=True))


WITHOUT_A_WORD = {"alertmanager": "an alert fires or is resolved", "zabbix": "a problem has a recovery or none"}
"""Sources in which no word says the state."""


@pytest.mark.parametrize("kind", sources.kinds())
def test_a_word_that_nobody_mapped_is_rejected_with_the_key_that_maps_it(tmp_path: Path, kind: str) -> None:
    module = sources.source(kind)
    reasons = []
    for name in (name for of, name in EXAMPLES if of == kind):
        for plan, chunk in read(kind, written(tmp_path, kind, name)):
            said = module.normalise(chunk, plan).versions["source_state"].drop_nulls().to_list()
            strange = chunk.with_columns(
                pl.when(pl.col(column).is_in(said)).then(pl.lit("zzz")).otherwise(column).alias(column)
                for column in chunk.columns
                if column != LINE
            )
            reasons += module.normalise(strange, plan).rejected["reason"].to_list()
    told = re.compile(r"desk: status 'zzz' is not one of .+; map it under \[(sources\.desk\.)?status\]")
    assert bool([reason for reason in reasons if told.match(reason)]) is (kind not in WITHOUT_A_WORD)


@pytest.mark.parametrize(("kind", "name"), EXAMPLES)
def test_the_cut_into_chunks_does_not_matter(tmp_path: Path, kind: str, name: str) -> None:
    file = written(tmp_path, kind, name)
    whole, cut = normalised(kind, file), normalised(kind, file, rows_at_once=1)
    assert whole.snapshots.equals(cut.snapshots)
    assert whole.events.equals(cut.events)
    assert set(whole.versions["incident_id"]) == set(cut.versions["incident_id"])


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(
        sources.SourceError, match=f"kind 'servicenwo' is not one of {', '.join(sources.kinds())}; did you mean"
    ):
        sources.source("servicenwo")
