"""Publication: a checked copy, one swing of the link, and what old and new DuckDB make of the file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import exports
import pytest

from etl import publish, refresh, store
from etl.config import Source
from etl.publish import PublishError
from etl.sources import Options

DESK = Source("desk", "servicenow", Options("desk"))
OLDEST_DUCKDB = "1.5.6"


def loaded(tmp_path: Path, generations: int = 1) -> Path:
    data = tmp_path / "data"
    for number in range(generations):
        refresh.load(data, DESK, [exports.generation(tmp_path / f"{number}.csv", number, incidents=5, more=1)])
    return data


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_link_is_relative_and_the_version_cannot_be_written(tmp_path: Path) -> None:
    data = loaded(tmp_path)
    assert str((data / "incidents.duckdb").readlink()) == "versions/incidents-1.duckdb"
    assert stat.S_IMODE((data / "versions" / "incidents-1.duckdb").stat().st_mode) == 0o444
    data.rename(tmp_path / "elsewhere")
    assert exports.titles(tmp_path / "elsewhere" / "incidents.duckdb") == [("generation 0", 5)]


def test_the_last_three_versions_are_kept(tmp_path: Path) -> None:
    data = loaded(tmp_path, generations=5)
    assert names(data / "versions") == ["incidents-3.duckdb", "incidents-4.duckdb", "incidents-5.duckdb"]
    assert publish.published(data) == 5
    assert names(data) == ["incidents.duckdb", "raw", "store", "versions"]


def test_a_reader_of_an_old_version_keeps_it(tmp_path: Path) -> None:
    data = loaded(tmp_path)
    reader = duckdb.connect((data / "incidents.duckdb").resolve(), read_only=True)
    for number in range(1, 5):
        refresh.load(data, DESK, [exports.generation(tmp_path / f"{number}.csv", number, incidents=5, more=1)])
    assert not (data / "versions" / "incidents-1.duckdb").exists()
    assert reader.execute("select title, count(*) from incidents group by all").fetchall() == [("generation 0", 5)]
    reader.close()
    assert exports.titles(data / "incidents.duckdb") == [("generation 4", 9)]


def test_a_copy_that_does_not_hold_what_it_must_is_not_published(tmp_path: Path) -> None:
    data = loaded(tmp_path)
    file = data / "store" / "warehouse.duckdb"
    con = store.connect(file)
    store.put_setting(con, "version", "2")
    store.put_setting(con, "count:incidents", "6")
    con.close()
    with pytest.raises(PublishError, match="the copy has 5 incidents, the store 6"):
        publish.publish(data, file, 2)
    assert publish.published(data) == 1
    assert names(data / "versions") == ["incidents-1.duckdb"]


def test_a_kpi_that_does_not_bind_is_not_published(tmp_path: Path) -> None:
    data = loaded(tmp_path)
    file = data / "store" / "warehouse.duckdb"
    con = store.connect(file)
    con.execute("create or replace macro kpi.mttr(incident) as avg(incident.no_such_column)")
    con.close()
    with pytest.raises(PublishError, match="no_such_column"):
        publish.publish(data, file, 1)
    assert exports.titles(data / "incidents.duckdb") == [("generation 0", 5)]


def test_a_copy_of_another_version_is_not_published(tmp_path: Path) -> None:
    data = loaded(tmp_path)
    with pytest.raises(PublishError, match=r"the copy is of version 1, not 9"):
        publish.publish(data, data / "store" / "warehouse.duckdb", 9)


def test_leftovers_of_a_killed_publication_go(tmp_path: Path) -> None:
    data = loaded(tmp_path)
    (data / "versions" / "incidents-2.duckdb.new").write_bytes(b"half")
    (data / "versions" / "incidents-1.duckdb.wal").write_bytes(b"")
    (data / ".incidents.duckdb.new").symlink_to("versions/nowhere")
    publish.recover(data)
    assert names(data) == ["incidents.duckdb", "raw", "store", "versions"]
    assert names(data / "versions") == ["incidents-1.duckdb"]


@pytest.fixture(scope="session")
def oldest_duckdb(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which Python finds the oldest DuckDB that is supported."""
    cache = getattr(request.config, "cache", None)
    name = f"duckdb-{OLDEST_DUCKDB}"
    folder = Path(cache.mkdir(name)) if cache is not None else tmp_path_factory.mktemp(name)
    if not (folder / "duckdb").is_dir():
        told = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                *("--target", str(folder), f"duckdb=={OLDEST_DUCKDB}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode != 0:
            pytest.skip(f"needs a package index to install DuckDB {OLDEST_DUCKDB} from: {told.stderr[-200:]}")
    return {**os.environ, "PYTHONPATH": str(folder)}


def with_oldest(environment: dict[str, str], script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import duckdb, sys\nassert duckdb.__version__ == '{OLDEST_DUCKDB}'\n{script}"]
        + [str(argument) for argument in arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_oldest_duckdb_reads_what_this_one_publishes(tmp_path: Path, oldest_duckdb: dict[str, str]) -> None:
    data = loaded(tmp_path, generations=2)
    script = """
con = duckdb.connect(sys.argv[1], read_only=True)
names = [row[0] for row in con.execute("select name from kpi.catalog where fact = 'incidents' order by name").fetchall()]
print([con.execute(f"select kpi.{name}(i), kpi.{name}_n(i) from incidents as i").fetchone() for name in names])
print(con.execute("select * from kpi.monthly order by all").fetchall())
print(con.execute("select * from incident_days order by all").fetchall())
print(con.execute("select * from incident_segments order by all").fetchall())
"""
    file = (data / "incidents.duckdb").resolve()
    here = subprocess.run(
        [sys.executable, "-c", f"import duckdb, sys\n{script}", str(file)], capture_output=True, text=True, check=True
    )
    assert with_oldest(oldest_duckdb, script, file) == here.stdout


def test_the_oldest_and_this_duckdb_write_one_store_in_turn(tmp_path: Path, oldest_duckdb: dict[str, str]) -> None:
    script = """
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from etl import refresh
from etl.config import Source
from etl.sources import Options
print(refresh.load(Path(sys.argv[2]), Source("desk", "servicenow", Options("desk")), [Path(sys.argv[3])]).version)
"""
    files = [exports.generation(tmp_path / f"{number}.csv", number, incidents=5, more=1) for number in range(4)]
    data = tmp_path / "data"
    for place, file in enumerate(files):
        if place % 2 == 0:
            assert with_oldest(oldest_duckdb, script, exports.ROOT, data, file) == f"{place + 1}\n"
        else:
            assert refresh.load(data, DESK, [file]).version == place + 1
    for file in files:
        refresh.load(tmp_path / "other", DESK, [file])
    tables = [table for table in exports.TABLES if table != "rejected_rows"]
    assert exports.content(data / "incidents.duckdb", tables) == exports.content(
        tmp_path / "other" / "incidents.duckdb", tables
    )
