"""The private store: its lock, its settings, and merging that does not depend on order."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import exports
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl import archive, catalog, refresh, store
from etl.config import Source
from etl.sources import Options
from etl.store import StoreError, StoreInUseError

STATES = ("New", "In Progress", "On Hold", "Resolved", "Closed", "Cancelled")
GROUPS = ("Messaging", "Desktop", "Network")
DESK = Source("desk", "servicenow", Options("desk"))


def test_a_second_run_waits_and_then_learns_who_has_the_store(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; sys.path.insert(0, sys.argv[1]); from etl import store\n"
            "with store.lock(pathlib.Path(sys.argv[2]), 0): print('held', flush=True); sys.stdin.read()",
            str(exports.ROOT),
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    begun = time.monotonic()
    with pytest.raises(StoreInUseError) as caught, store.lock(tmp_path, 0.3):
        pass
    assert time.monotonic() - begun >= 0.3
    assert f"the store is in use by process {holder.pid} since 20" in str(caught.value)
    holder.stdin.close()
    with store.lock(tmp_path, 10):
        assert f"process {os.getpid()} since" in (tmp_path / "lock").read_text()
    holder.wait()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, os, pathlib; sys.path.insert(0, sys.argv[1]); from etl import store\n"
            "with store.lock(pathlib.Path(sys.argv[2]), 0): os.kill(os.getpid(), 9)",
            str(exports.ROOT),
            str(tmp_path),
        ],
        check=False,
    )
    with store.lock(tmp_path, 0):
        pass


def test_a_damaged_store_is_said_to_be_rebuildable(tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="`meantime rebuild` makes it anew"):
        store.connect(tmp_path / "warehouse.duckdb")


def test_settings_are_kept_and_replaced(tmp_path: Path) -> None:
    con = store.connect(tmp_path / "warehouse.duckdb")
    assert store.setting(con, "fingerprint") is None
    store.create(con, "Europe/Berlin")
    store.put_setting(con, "version", "7")
    found = [store.setting(con, name) for name in ("fingerprint", "reporting_timezone", "version", "colour")]
    con.close()
    assert found == [store.fingerprint(), "Europe/Berlin", "7", None]


def test_days_begin_and_end_in_the_reporting_zone(tmp_path: Path) -> None:
    con = store.connect(tmp_path / "warehouse.duckdb")
    store.create(con, "Europe/Berlin")
    found = con.execute(
        "select day::varchar, begins_at::varchar, ends_at::varchar from store.days"
        " where day in ('2025-03-29', '2025-03-30', '2025-10-26') order by day"
    ).fetchall()
    con.close()
    assert found == [
        ("2025-03-29", "2025-03-28 23:00:00", "2025-03-29 23:00:00"),
        ("2025-03-30", "2025-03-29 23:00:00", "2025-03-30 22:00:00"),
        ("2025-10-26", "2025-10-25 22:00:00", "2025-10-26 23:00:00"),
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[str]:
    """Some incidents with some versions each, as rows of history; no two rows have one version."""
    rows = []
    for number in range(draw(st.integers(1, 5))):
        minute = number
        versions = draw(st.lists(st.sampled_from(range(8)), min_size=1, max_size=5, unique=True))
        for version in sorted(versions):
            minute += draw(st.integers(0, 90))
            state = draw(st.sampled_from(STATES))
            rows.append(exports.line(number, version, state, minute, group=draw(st.sampled_from(GROUPS))))
    return rows


COUNTED = ("store.openings", "store.members")
"""What is kept up by what changed, not counted anew."""


class Loader:
    """Loads pieces into a store of its own and gives what the facts are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def facts(self, pieces: list[list[str]], at_once: int = 1000) -> dict[str, list[tuple[Any, ...]]]:
        self.count += 1
        folder = self.folder / f"{self.count}"
        folder.mkdir()
        con = store.connect(folder / "warehouse.duckdb")
        store.create(con, "UTC")
        reading = archive.Reading("servicenow", Options("desk"), None, {}, is_configured=False)
        for place, piece in enumerate(pieces):
            file = exports.write(folder / f"{place}.csv", piece)
            entry = archive.expected(folder / "raw", file, archive.identify(file), reading)
            archive.keep(entry, file)
            con.execute("begin")
            con.execute("create or replace temp table changed (source varchar, incident_id varchar)")
            if entry.key not in store.inputs(con):
                refresh.read_entry(con, entry, refresh.Report("desk", entry.fetched_at))
                catalog.run_facts(con, at_once)
            con.execute("commit")
        found = {
            table: con.execute(f"select * from {table} order by all").fetchall()
            for table in ("incidents", "incident_events", "store.segments", "store.open_spans", *COUNTED)
        }
        found["issues"] = con.execute(
            "select source, incident_id, rule, field, value, message from data_issues where input_id is null order by all"
        ).fetchall()
        con.close()
        return found


@given(history=histories(), seed=st.integers(0, 1000))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pieces_in_any_order_overlapping_or_twice_give_the_same_incidents(
    tmp_path_factory: pytest.TempPathFactory, history: list[str], seed: int
) -> None:
    chance = random.Random(seed)
    loader = Loader(tmp_path_factory.mktemp("pieces"))
    pieces = [[row for row in history if chance.random() < 0.5] for _ in range(2)]
    covered = {row for piece in pieces for row in piece}
    pieces.append([row for row in history if row not in covered])
    pieces = [chance.sample(piece, len(piece)) for piece in pieces if piece]
    pieces.append(chance.choice(pieces))
    chance.shuffle(pieces)
    assert loader.facts(pieces, at_once=chance.choice([1, 2, 1000])) == loader.facts([history])


AUDIT = "documentkey,fieldname,oldvalue,newvalue,user,sys_created_on,sys_id"


def test_an_event_told_in_two_ways_is_the_same_whichever_came_first(tmp_path: Path) -> None:
    incidents = exports.write(tmp_path / "list.csv", [exports.line(1, 7, "In Progress", 60)])
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(f"{AUDIT}\nINC0000001,assigned_to,,Rose,mroe,2025-03-03 08:30:00,a1\n")
    second.write_text(f"{AUDIT}\nINC0000001,assigned_to,,Rose Moe,mroe,2025-03-03 08:30:00,a1\n")
    found = []
    for place, order in enumerate(([incidents, first, second], [second, first, incidents], [first, incidents, second])):
        data = tmp_path / f"{place}"
        for file in order:
            refresh.load(data, DESK, [file])
        found.append(exports.content(data / "incidents.duckdb", ["incidents", "incident_events"]))
    assert found[0] == found[1] == found[2]
    assert [row for row in found[0]["incident_events"] if "assigned" in row] != []
