"""Refreshes that are killed, raced, watched or starved of space: nothing is lost, and nobody sees half of one."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import exports
import pytest

from etl import config, publish, refresh

ROUNDS = 32
INCIDENTS = 60
MORE = 10

REFRESHER = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from etl import config, refresh
folder = pathlib.Path(sys.argv[2])
settings = config.read(folder / "meantime.toml")
print("ready", flush=True)
sys.stdin.readline()
print(refresh.refresh(folder / "data", settings, wait_seconds=float(sys.argv[3])).version, flush=True)
"""

READER = """
import os, pathlib, sys, time
import duckdb
link, stop = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
reads, last = 0, 0
while not stop.exists():
    try:
        con = duckdb.connect(os.path.realpath(link), read_only=True)
    except duckdb.IOException as error:
        # Three newer versions were published between looking at the link and opening its target.
        if "does not exist" in str(error):
            continue
        raise
    # Without a file of its own a program counts as a session, and a slow query draws a bar on stdout.
    con.execute("set enable_progress_bar = false")
    titles = con.execute("select title, count(*) from incidents group by all").fetchall()
    (title, count), = titles
    number = int(title.split()[1])
    assert count == int(sys.argv[3]) + int(sys.argv[4]) * number, titles
    assert number >= last, (number, last)
    assert con.execute("select kpi.incident_volume(i) from incidents as i").fetchone() == (count,)
    (opened,) = con.execute("select count(*) from incident_events where kind = 'opened'").fetchone()
    assert opened == count, (opened, count)
    (stale,) = con.execute("select count(*) from incidents anti join store.versions using (source, incident_id)").fetchone()
    assert stale == 0
    con.close()
    reads, last = reads + 1, number
    time.sleep(0.05)
print(reads)
"""


class House:
    """A configured source whose exports come one generation after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.number = -1
        (folder / "exports").mkdir()
        (folder / "meantime.toml").write_text(
            '[sources.desk]\nkind = "servicenow"\nfiles = ["exports/*.csv"]\n', encoding="utf-8"
        )
        self.settings = config.read(folder / "meantime.toml")

    def export(self) -> None:
        """Let the next generation come out."""
        self.number += 1
        pending = self.folder / "exports" / f"{self.number}.part"
        exports.generation(pending, self.number, INCIDENTS, MORE)
        pending.rename(pending.with_suffix(".csv"))

    @property
    def expected(self) -> list[tuple[str, int]]:
        """What is published when the newest generation is in."""
        return [(f"generation {self.number}", INCIDENTS + MORE * self.number)]

    @property
    def published(self) -> list[tuple[Any, ...]]:
        return exports.titles(self.data / "incidents.duckdb")

    def refresh(self) -> refresh.Outcome:
        return refresh.refresh(self.data, self.settings)

    def start(self, wait_seconds: float = 60, **options: Any) -> subprocess.Popen[str]:
        """Start a process that refreshes when it is told to."""
        return subprocess.Popen(
            [sys.executable, "-c", REFRESHER, str(exports.ROOT), str(self.folder), str(wait_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.export()
    made.refresh()
    return made


@contextmanager
def readers(house: House, count: int = 3) -> Iterator[list[int]]:
    """Keep processes reading; afterwards give how often each did."""
    stop = house.folder / "stop"
    link = str(house.data / "incidents.duckdb")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", READER, link, str(stop), str(INCIDENTS), str(MORE)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    reads: list[int] = []
    try:
        yield reads
    finally:
        stop.touch()
        told = [process.communicate(timeout=60) for process in running]
        assert [errors for _, errors in told] == [""] * count
        reads.extend(int(said) for said, _ in told)


def test_thirty_kills_at_random_instants_lose_nothing_and_show_nothing_half(house: House) -> None:
    chance = random.Random(20250303)
    killed = 0
    spent = 1.0
    with readers(house) as reads:
        following = house.start()
        for attempt in range(3 * ROUNDS):
            process, following = following, house.start()
            house.export()
            go(process)
            begun = time.monotonic()
            try:
                process.wait(timeout=chance.uniform(0, spent))
                spent = max(0.2, time.monotonic() - begun)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
            process.communicate()
            if attempt % 2:
                # Every second time the next run, which may be killed again, has to recover by itself.
                house.refresh()
                assert house.published == house.expected
            if killed == ROUNDS:
                break
        following.kill()
        following.communicate()
        house.refresh()
    assert killed == ROUNDS
    assert house.published == house.expected
    assert all(count > 20 for count in reads), reads
    assert sorted(path.name for path in house.data.iterdir()) == ["incidents.duckdb", "raw", "store", "versions"]
    assert sorted(path.name for path in (house.data / "store").iterdir()) == ["lock", "warehouse.duckdb"]
    before = exports.content(house.data / "incidents.duckdb")
    refresh.rebuild(house.data, house.settings)
    assert exports.content(house.data / "incidents.duckdb") == before


def test_two_refreshes_at_once_come_one_after_the_other(house: House) -> None:
    house.export()
    both = [house.start(), house.start()]
    for process in both:
        go(process)
    told = [process.communicate(timeout=60) for process in both]
    assert sorted(said for said, _ in told) == ["2\n", "3\n"], told
    assert house.published == house.expected


def test_a_refresh_that_may_not_wait_says_who_holds_the_store(house: House) -> None:
    with refresh.store.lock(house.data / "store", 0):
        done = exports.meantime(
            "--data", house.data, "--config", house.folder / "meantime.toml", "refresh", "--wait", "0"
        )
    assert done.returncode == 1
    assert f"error: the store is in use by process {os.getpid()} since 20" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_refresh_while_readers_look_is_seen_whole(house: House) -> None:
    with readers(house) as reads:
        for _ in range(4):
            house.export()
            house.refresh()
    assert house.published == house.expected
    assert all(count > 0 for count in reads), reads


def large(house: House) -> None:
    """Let an export come out that needs some megabytes."""
    house.number += 1
    exports.generation(house.folder / "exports" / "large.csv", house.number, incidents=20_000)


@pytest.fixture
def small_disk(tmp_path: Path, as_root: None) -> Iterator[Path]:
    """A disk of 96 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    told = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if told.returncode != 0:
        pytest.skip(f"needs the right to mount: {told.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("free", [64 << 10, 1 << 20, 3 << 20, 6 << 20])
def test_a_full_disk_leaves_what_is_published(small_disk: Path, free: int) -> None:
    house = House(small_disk)
    house.export()
    house.refresh()
    before = exports.content(house.data / "incidents.duckdb")
    large(house)
    stat = os.statvfs(small_disk)
    with (small_disk / "filler").open("wb") as filler:
        filler.write(b"x" * max(0, stat.f_bavail * stat.f_frsize - free))
    done = exports.meantime("--data", house.data, "--config", house.folder / "meantime.toml", "refresh")
    assert done.returncode == 1, done.stderr
    assert "space" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert exports.content(house.data / "incidents.duckdb") == before
    (small_disk / "filler").unlink()
    house.refresh()
    assert exports.titles(house.data / "incidents.duckdb") == [("generation 1", 20_010)]


@pytest.mark.parametrize("limit", [256 << 10, 1 << 20, 2 << 20])
def test_a_file_that_may_not_grow_leaves_what_is_published(house: House, limit: int) -> None:
    before = exports.content(house.data / "incidents.duckdb")
    large(house)
    done = exports.meantime(
        *("--data", house.data, "--config", house.folder / "meantime.toml", "refresh"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert exports.content(house.data / "incidents.duckdb") == before
    house.refresh()
    assert exports.titles(house.data / "incidents.duckdb") == [("generation 1", 20_010)]
    assert publish.published(house.data) == 2
