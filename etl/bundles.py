"""Webhook messages that come as a file each: many of them are one input, since an input costs more than a message.

The archive keeps them in a tar, each as it came and under its own name. What is told of a message names its file.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import polars as pl

from etl.reading import LINE, Export, frames_of

LARGEST_BYTES = 1 << 18
"""A file of more is an input of its own."""
MOST = 1000
"""Messages of one bundle."""


class Message(NamedTuple):
    """A file with one message."""

    name: str
    content: bytes


def is_message(module: ModuleType, content: bytes) -> bool:
    """Say whether a file is one message of the kind that a source knows: its `WEBHOOK` names columns that it has."""
    wanted: Sequence[str] = getattr(module, "WEBHOOK", ())
    if not wanted:
        return False
    try:
        document = json.loads(content)
    except ValueError:
        return False
    return isinstance(document, dict) and all(_has(document, column.split(".")) for column in wanted)


def _has(document: Any, path: Sequence[str]) -> bool:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return True


def write(target: Path, messages: Sequence[Message]) -> None:
    """Write messages into a tar; the same ones always give the same bytes."""
    with tarfile.open(target, "w") as tar:
        for place, message in enumerate(messages):
            # Two folders may have files of one name.
            about = tarfile.TarInfo(f"{place:06d}/{message.name}")
            about.size = len(message.content)
            tar.addfile(about, io.BytesIO(message.content))


def read(file: Path) -> list[Message]:
    """Give the messages of a tar in their order."""
    with tarfile.open(file) as tar:
        found = []
        for about in tar.getmembers():
            part = tar.extractfile(about)
            assert part is not None
            found.append(Message(about.name.partition("/")[2], part.read()))
        return found


def open_bundle(file: Path, null_marks: tuple[str, ...]) -> tuple[Export, list[str]]:
    """Open a tar of messages as one export; give it, and the name of the file behind each of its lines."""
    messages = read(file)
    frames = list(frames_of((json.loads(message.content) for message in messages), null_marks))
    whole = pl.concat(frames, how="diagonal")
    columns = [name for name in whole.columns if name != LINE]
    return Export(file.name, columns, lambda _: iter([whole])), [message.name for message in messages]


def named(rejected: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Say of rejected rows of a bundle in which file each stood; there it was the first record."""
    files = pl.Series(names, dtype=pl.String).gather(rejected["line"] - 1)
    return rejected.with_columns(file=files, line=pl.lit(1, pl.Int64))
