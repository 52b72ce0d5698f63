"""What a configuration file says: read, refused, and followed by what is published."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl import config, refresh
from etl.config import Config, ConfigError

DESK = '[sources.desk]\nkind = "servicenow"\nfiles = ["a.csv"]\ntimezone = "UTC"\n'
"""One source, whose export is the file a.csv beside the configuration."""


def configured(folder: Path, said: str) -> Config:
    """Write a configuration file and read it."""
    file = folder / "meantime.toml"
    file.write_text(said, encoding="utf-8")
    return config.read(file)


def refused(folder: Path, said: str) -> str:
    """Give the message with which a configuration is refused, which names the file first."""
    with pytest.raises(ConfigError) as caught:
        configured(folder, said)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'meantime.toml'}: ")
    return message


def published(data: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the published version."""
    con = duckdb.connect((data / "incidents.duckdb").resolve(), read_only=True)
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def is_followed_and_outlives_a_rebuild(folder: Path, said: str, query: str, expected: list[tuple[Any, ...]]) -> None:
    """Assert that what is said beside DESK is published, stays while nothing is said of it, and goes when it is not said."""
    data = folder / "data"
    refresh.refresh(data, configured(folder, DESK + said))
    assert published(data, query) == expected
    # Without a configuration nothing is said of it, and it stays; a load adds data only.
    refresh.rebuild(data)
    assert published(data, query) == expected
    refresh.load(data, configured(folder, DESK).sources["desk"], [folder / "a.csv"])
    assert published(data, query) == expected
    # Thrown away, the store is made again as the configuration says.
    shutil.rmtree(data / "store")
    (data / "incidents.duckdb").unlink()
    refresh.rebuild(data, configured(folder, DESK + said))
    assert published(data, query) == expected
    # A configuration that says none of it removes it.
    refresh.refresh(data, configured(folder, DESK))
    assert published(data, query) == []
