"""What every source must keep, found by discovery: its own example becomes canonical rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from etl import incident, sources
from etl.pull import Access, Page, Pull, open_streams
from etl.reading import open_exports
from etl.sources import Canonical, Options

EXAMPLES = [(kind, name) for kind in sources.kinds() for name in sources.source(kind).EXAMPLE]


PULL = "a pull"
EXAMPLES += [(kind, PULL) for kind in sources.kinds_that_pull()]


def normalised(kind: str, file: Path, rows_at_once: int | None = None, **told: object) -> Canonical:
    module = sources.source(kind)
    options = Options("desk", **{**module.EXAMPLE_OPTIONS, **told})
    if file.name == PULL:
        exports = open_streams(file, getattr(module, "REFERENCES", ()))
    else:
        exports = open_exports(file, sources.reading(kind, options))
    found = []
    for export in exports:
        plan = module.prepare(export, options)
        chunks = [part for chunk in export.chunks() for part in chunk.iter_slices(rows_at_once or chunk.height)]
        found += [module.normalise(chunk, plan) for chunk in chunks]
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
