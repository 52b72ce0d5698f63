"""A tool's answers, as tests write them, on their way to canonical rows and into facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from etl import sources
from etl.reading import open_exports
from etl.sources import Canonical, Options

SAID = ("incident_key", "happened_at", "kind", "from_value", "to_value", "hold_reason", "actor", "actor_kind")


def understood(kind: str, file: Path, **told: Any) -> Canonical:
    """Read a file as a source reads it."""
    options = Options("desk", **told)
    (export,) = open_exports(file, sources.reading(kind, options))
    module = sources.source(kind)
    plan = module.prepare(export, options)
    found = [module.normalise(chunk, plan) for chunk in export.chunks()]
    return Canonical(*(pl.concat(frames) for frames in zip(*found, strict=True)))


def answered(kind: str, folder: Path, document: Any, **told: Any) -> Canonical:
    """Read a document as a source reads it."""
    file = folder / "answer.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return understood(kind, file, **told)


def lines(kind: str, folder: Path, records: Sequence[Any], **told: Any) -> Canonical:
    """Read records, one to a line, as a source reads them."""
    file = folder / "records.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return understood(kind, file, **told)
