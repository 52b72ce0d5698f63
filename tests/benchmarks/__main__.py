"""Speed and memory, as ratios within one run; printed, and kept in RESULTS.md with the machine."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import duckdb

if TYPE_CHECKING:
    from dashboard.query import Warehouse

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LOG = ROOT.parent / "shared/data/servicenow_uci/incident_event_log.csv.gz"
sys.path.insert(0, str(ROOT))


class Result(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    against: str
    ratio: str
    wanted: str


class Run(NamedTuple):
    """A finished process."""

    seconds: float
    peak_mib: float


def run(*command: str, stderr: IO[str] | None = None) -> Run:
    """Run a process of Python to its end: wall time and peak memory. What was written before is on the disk first."""
    os.sync()
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=stderr)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return Run(time.perf_counter() - began, usage.ru_maxrss / 1024)


def loaded(data: Path, *files: Path) -> Run:
    """Load ServiceNow exports as a user does."""
    told = ("--as", "servicenow", "--name", "desk", "--timezone", "America/Sao_Paulo")
    return run("-m", "etl", "--data", str(data), "load", *map(str, files), *told)


def repeated_log(folder: Path, times: int = 20) -> Path:
    """Write the real log several times under new ids."""
    with gzip.open(LOG, "rt", encoding="utf-8") as log:
        head, _, body = log.read().partition("\n")
    target = folder / "log.csv"
    with target.open("w", encoding="utf-8") as out:
        out.write(head + "\n")
        for copy in range(times):
            out.writelines(f"INC{copy:02d}{line[3:]}\n" for line in body.splitlines())
    return target


def whole_log(folder: Path) -> list[Result]:
    """2.8 million history rows, loaded and published, against the bare script; the better of two runs each."""
    log = repeated_log(folder)
    ours, bare = [], []
    for turn in range(2):
        bare.append(run(str(HERE / "bare.py"), str(log), str(folder / f"bare{turn}.duckdb")))
        ours.append(loaded(folder / f"data{turn}", log))
        shutil.rmtree(folder / f"data{turn}")
    best, shortest = min(ours), min(bare)
    return [
        Result(
            "2,834,240 history rows, loaded and published",
            f"{best.seconds:.1f} s",
            f"bare script {shortest.seconds:.1f} s",
            f"{best.seconds / shortest.seconds:.2f}",
            "at most 2",
        ),
        Result("the same, peak memory", f"{max(run.peak_mib for run in ours):,.0f} MiB", "", "", "at most 3,072 MiB"),
    ]


def single_log(folder: Path) -> list[Result]:
    """The real log once, against a straightforward pandas script for the same four KPIs."""
    ours = min(loaded(folder / f"data{turn}", LOG) for turn in range(3))
    theirs = min(run(str(HERE / "pandas_kpis.py"), str(LOG)) for _ in range(3))
    ratio = ours.seconds / theirs.seconds
    return [
        Result("the log once", f"{ours.seconds:.2f} s", f"pandas {theirs.seconds:.2f} s", f"{ratio:.2f}", "at most 2")
    ]


def list_export(target: Path, rows: str, changed: int = 0) -> Path:
    """Write a made-up list of incidents with plain SQL."""
    con = duckdb.connect()
    con.execute(
        f"""
        copy (
            select
                'INC' || lpad(n::varchar, 9, '0') as number,
                case when {changed} > 0 then 'Closed' else 'Resolved' end as state,
                (n % 5 + 1)::varchar as priority,
                'Group ' || n % 40 as assignment_group,
                strftime(timestamp '2024-01-01' + interval (n % 700) day, '%Y-%m-%d 08:00:00') as opened_at,
                strftime(timestamp '2024-01-01' + interval (n % 700) day, '%Y-%m-%d 17:30:00') as resolved_at,
                strftime(timestamp '2024-01-01' + interval (n % 700 + {changed}) day, '%Y-%m-%d 18:00:00') as sys_updated_on
            from ({rows}) as made(n)
        ) to '{target}' (format csv)
        """
    )
    return target


def long_list(target: Path, size: int = 10_000_000) -> Path:
    """Write a made-up list of incidents of two years, with what pages split by, and no history."""
    con = duckdb.connect()
    con.execute("set preserve_insertion_order = false")
    con.execute(
        f"""
        copy (
            select
                'INC' || lpad(n::varchar, 9, '0') as number,
                'Ticket ' || hash(n, 1) % 5000 as short_description,
                if(n % 50 = 0, 'In Progress', 'Closed') as state,
                (hash(n, 2) % 5 + 1)::varchar as priority,
                'Group ' || hash(n, 3) % 40 as assignment_group,
                'Service ' || hash(n, 4) % 60 as business_service,
                'Category ' || hash(n, 5) % 20 as category,
                ['phone', 'email', 'self-service', 'chat'][(hash(n, 6) % 4)::integer + 1] as contact_type,
                hash(n, 7) % 4 as reassignment_count,
                if(hash(n, 8) % 20 = 0, 1, 0) as reopen_count,
                strftime(opened_at, '%Y-%m-%d %H:%M:%S') as opened_at,
                if(n % 50 = 0, '', strftime(resolved_at, '%Y-%m-%d %H:%M:%S')) as resolved_at,
                strftime(resolved_at, '%Y-%m-%d %H:%M:%S') as sys_updated_on
            from (
                select
                    n,
                    timestamp '2024-01-01' + to_seconds((n * 63072000 / {size})::bigint) as opened_at,
                    opened_at + to_seconds(60 + (exp(4 + 8 * (hash(n, 9) % 10000) / 10000))::bigint) as resolved_at
                from range({size}) as made(n)
            )
        ) to '{target}' (format csv)
        """
    )
    return target


def refresh_costs_what_changed(folder: Path) -> list[Result]:
    """5,000 changed incidents in a store of 500,000 and of 2,000,000; without the copy of the file."""
    seconds = []
    for size in (500_000, 2_000_000):
        data = folder / f"store{size}"
        loaded(data, list_export(folder / f"{size}.csv", f"select range from range({size})"))
        times = []
        for turn in range(1, 4):
            change = list_export(
                folder / f"{size}-{turn}.csv", f"select range * {size // 5000} from range(5000)", changed=turn
            )
            whole = loaded(data, change).seconds
            store = data / "store/warehouse.duckdb"
            began = time.perf_counter()
            subprocess.run(["cp", str(store), str(folder / "copy")], check=True)
            times.append(whole - (time.perf_counter() - began))
        seconds.append(min(times))
        if size == 500_000:
            shutil.rmtree(data)
    small, large = seconds
    return [
        Result(
            "5,000 changed in 2,000,000",
            f"{large:.2f} s",
            f"in 500,000 {small:.2f} s",
            f"{large / small:.2f}",
            "at most 1.3",
        )
    ]


def best(ask: Callable[[], object], times: int = 7) -> float:
    """Give the shortest of several runs, in seconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        found.append(time.perf_counter() - began)
    return min(found)


EACH_BY_HAND = "case when i.excluded_as is null and i.resolved_with_parent is not true then i.seconds_to_resolve end"
MACRO_BY_HAND = f"sum({EACH_BY_HAND})::double / nullif(count({EACH_BY_HAND}), 0) / 3600"
EDGE_DAYS = 28
"""Days at the beginning that no change may reach back to: only the quickly resolved are there."""
WITH_STATISTICS = (
    "overview",
    "resolution",
    "acknowledgement",
    "first_contact",
    "volume_and_backlog",
    "why_it_moved",
    "targets",
    "where_the_time_goes",
)
"""Pages whose queries may take 300 ms: those with intervals or the parts of a change, and the backlog; 150 the others."""


def million(data: Path) -> Path:
    """Load a million of incidents through the pipeline, unless the data directory holds them already."""
    from tests.benchmarks import many

    if not (data / "incidents.duckdb").exists():
        with tempfile.TemporaryDirectory() as exports:
            run("-m", "etl", "--data", str(data), "--config", str(many.write(Path(exports), 84)), "refresh")
    return data


def ten_million(data: Path) -> Path:
    """Load ten million of incidents likewise, as a list without history: with one, they would take 40 GB of disk."""
    if not (data / "incidents.duckdb").exists():
        with tempfile.TemporaryDirectory() as exports:
            loaded(data, long_list(Path(exports) / "list.csv"))
    return data


def _told(module: str, data: Path, *arguments: str) -> Any:
    """Run a module of this folder on a data directory, in a process of its own."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", str(data), *arguments]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def macros_and_pages(data: Path) -> list[Result]:
    """A macro against the same expression by hand, and the queries of every page, at 1,000,000 incidents."""
    from dashboard import query

    warehouse = query.open_data(data)
    size = warehouse.frame("select count(*) as n from incidents")["n"][0]
    results = [a_macro(warehouse, size), *why_it_moved(warehouse)]
    warehouse.connection.close()
    for page, views in _told("pages", data).items():
        first, *others = views
        results.append(
            Result(
                f"queries of {page.replace('_', ' ')}, {size:,} incidents, a version's first view",
                f"{views[first]['milliseconds']:.0f} ms in {views[first]['queries']:.0f} queries",
                ", ".join(f"{name} {views[name]['milliseconds']:.0f} ms" for name in others),
                f"asked twice {max(one['asked_twice'] for one in views.values())}, "
                f"by a repeated view {max(one['repeated'] for one in views.values())}",
                f"at most {300 if page in WITH_STATISTICS else 150} ms, none, none",
            )
        )
    return results


def a_macro(warehouse: Warehouse, size: int) -> Result:
    """A macro against its own text, over each incident ten times.

    To bind a row of so many columns takes a millisecond, however many rows follow; so it is told apart.
    """
    rows = "(select incidents.* from incidents cross join range(10)) as i"

    def both(condition: str) -> list[float]:
        asked = f"select assignment_group, {{}} from {rows} {condition} group by assignment_group"
        # Turn by turn, so that what else the machine does hits both.
        turns = [
            [best(lambda text=text: warehouse.frame(asked.format(text)), 3) for text in ("kpi.mttr(i)", MACRO_BY_HAND)]
            for _ in range(5)
        ]
        return [min(side) * 1000 for side in zip(*turns, strict=True)]

    macro, hand = both("")
    macro_bound, hand_bound = both("where false")
    return Result(
        f"a macro over {10 * size:,} rows",
        f"{macro:.1f} ms, over none {macro_bound:.1f} ms",
        f"by hand {hand:.1f} ms, over none {hand_bound:.1f} ms",
        f"{macro / hand:.2f}",
        "at most 1.05",
    )


def people(data: Path) -> list[Result]:
    """What people wait for at 1,000,000 incidents: every page in a headless Chromium, and ten people at once."""
    found = _told("people", data)
    crowd = found["crowd"]
    return [
        *in_a_browser(found["pages"], "a million", "at most 1.5 s, a filter 0.7 s"),
        Result(
            "ten people, each a click every five seconds",
            f"95 % within {crowd['p95']:.2f} s",
            f"half within {crowd['median']:.2f} s, {crowd['clicks']} clicks, {len(crowd['complaints'])} errors",
            "",
            "at most 2 s, no error",
        ),
        Result("the dashboard's memory after that", f"{found['mib']:,.0f} MiB", "", "", "at most 1,024 MiB"),
    ]


def one_person(data: Path) -> list[Result]:
    """What one person waits for at 10,000,000 incidents: every page in a headless Chromium."""
    found = _told("people", data, "--alone")
    return [
        *in_a_browser(found["pages"], "ten million", "at most 4 s, a filter 2 s"),
        Result("the dashboard's memory at ten million", f"{found['mib']:,.0f} MiB", "", "", ""),
    ]


def in_a_browser(pages: dict[str, dict[str, float]], size: str, wanted: str) -> list[Result]:
    """Give a row for each page that was opened."""
    return [
        Result(
            f"{page.replace('_', ' ')} in a browser, at {size}, nothing kept from before",
            f"says its numbers after {seconds['painted']:.2f} s",
            f"all drawn after {seconds['drawn']:.2f} s, a filter changed in {seconds['changed']:.2f} s",
            "",
            wanted,
        )
        for page, seconds in pages.items()
    ]


def why_it_moved(warehouse: Warehouse) -> list[Result]:
    """The parts of a change and the ranked search, over everything that can be compared: half against half."""
    from dashboard import query, why

    first, last = warehouse.first_day, warehouse.last_intake_day
    assert first is not None
    assert last is not None
    weeks = ((last - first).days - EDGE_DAYS) // 14
    scope = query.Scope(last - timedelta(days=7 * weeks - 1), last)
    results = []
    for name in ("mttr", "mttr_p90", "incident_volume"):
        bridges = best(lambda name=name: why.bridges(warehouse, name, scope, ("assignment_group",)), 3)
        parts = why.bridges(warehouse, name, scope, ("assignment_group",))["assignment_group"].parts
        told = f"why {name} moved, {weeks} weeks and {weeks} before"
        results.append(Result(f"{told}: {parts.height} parts", f"{bridges * 1000:.0f} ms", "", "", "at most 300 ms"))
        found = why.stand_out(warehouse, name, scope)
        assert found is not None
        searched = best(lambda name=name: why.stand_out(warehouse, name, scope), 3)
        rows = query.each(warehouse, name, scope.within(scope.since - timedelta(days=7 * weeks), last)).height
        told = f"{told}: search, {found.looked_at:,} questions of {rows:,} incidents"
        results.append(Result(told, f"{searched:.2f} s", "", "", "at most 3 s"))
    return results


def pulled(folder: Path, incidents: int = 200_000) -> list[Result]:
    """A tool with a log of ten entries an incident, pulled and published from loopback; then with nothing new."""
    server = subprocess.Popen(
        [sys.executable, str(HERE / "pager.py"), str(incidents)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        (folder / "token").write_text("any")
        (folder / "meantime.toml").write_text(
            f'[sources.paging]\nkind = "pagerduty"\nurl = "{url}"\ntoken = {{ file = "token" }}\n'
        )
        told = folder / "told"
        common = ("-m", "etl", "--config", str(folder / "meantime.toml"), "--data", str(folder / "data"))
        with told.open("w") as errors:
            whole = run(*common, "refresh", stderr=errors)
        nothing = run(*common, "refresh")
    finally:
        server.terminate()
        server.wait()
    waited = re.search(r"of which ([0-9.]+) s went by in waiting", told.read_text())
    assert waited is not None
    records = incidents * 11
    return [
        Result(
            f"{records:,} records of a tool, pulled and published",
            f"{records / whole.seconds:,.0f} a second",
            f"{whole.seconds:.1f} s",
            f"waiting for answers {float(waited[1]) / whole.seconds:.0%}",
            "at least 20,000 a second",
        ),
        Result("the same, peak memory", f"{whole.peak_mib:,.0f} MiB", "", "", "at most 500 MB"),
        Result("the same, nothing new", f"{nothing.seconds:.2f} s", "", "", "at most 2 s"),
    ]


CLOCKS = """
create temp table clocks as
select
    n as key,
    'Group ' || n % 40 as assignment_group,
    (n % 5 + 1)::tinyint as priority,
    timestamp '2023-01-01' + to_seconds(hash(n) % 63072000) as opened_at,
    opened_at + to_seconds(hash(n + 1) % 864000) as resolved_at,
    opened_at + to_seconds(hash(n + 2) % 86400) as acknowledged_at,
    date_diff('second', opened_at, resolved_at) as seconds_to_resolve,
    date_diff('second', opened_at, acknowledged_at) as seconds_to_acknowledge
from range(1000000) as made(n);
create temp table keys as select key, 'desk' as source, 'INC' || key as incident_id from clocks;
create temp table lives as select key, resolved_at::date as resolved_on from clocks;
create temp table current_versions as select key, ['Mail'] as services from clocks;
create temp table stretches as
select key, opened_at as from_at, resolved_at as until_at, 'working' as kind, null::varchar as hold_reason, assignment_group
from clocks;
"""


def business_time(folder: Path) -> list[Result]:
    """Business time of 1,000,000 incidents, to acknowledge and to resolve, and of a stretch of each."""
    from etl import calendars, catalog, store

    hours = {"mon-thu": ["08:00-12:00", "13:00-18:00"], "fri": "08:00-16:00"}
    office = {"timezone": "Europe/Berlin", "hours": hours, "holidays": "DE-BE"}
    rules = [{"calendar": "24x7", "priority": 1}, {"calendar": "office"}]
    con = store.connect(folder / "warehouse.duckdb")
    con.execute("set threads = 2")
    store.create(con, "UTC")
    con.execute("create temp table changed (source varchar, incident_id varchar)")
    store.keep_calendars(con, calendars.parse({"office": office}, rules))
    con.execute(CLOCKS)
    began = time.perf_counter()
    con.execute((catalog.FACTS / "5_business_time.sql").read_text(encoding="utf-8"))
    seconds = time.perf_counter() - began
    con.close()
    return [Result("business time of 1,000,000 incidents", f"{seconds:.2f} s", "", "", "at most 3 s")]


BENCHMARKS = {
    "business": business_time,
    "log": whole_log,
    "single": single_log,
    "refresh": refresh_costs_what_changed,
    "pull": pulled,
}
AT_A_MILLION = {"queries": macros_and_pages, "people": people}
AT_TEN_MILLION = {"one_person": one_person}
"""Only when it is named: to load them takes minutes and gigabytes."""


def table(results: list[Result]) -> str:
    """Lay the results out as Markdown."""
    lines = ["| what | measured | against | ratio | wanted |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*lines, *("| " + " | ".join(result) + " |" for result in results)])


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    named = ", ".join([*BENCHMARKS, *AT_A_MILLION])
    parser.add_argument("names", nargs="*", help=f"of {named}; these if none; or {', '.join(AT_TEN_MILLION)}")
    parser.add_argument("--million", type=Path, help="where the million of incidents is, or is kept for the next time")
    parser.add_argument("--ten-million", type=Path, help="likewise, the ten million")
    given = parser.parse_args()
    names = given.names or [*BENCHMARKS, *AT_A_MILLION]
    results = []
    with tempfile.TemporaryDirectory() as kept:
        for name in names:
            if name in ("log", "single") and not LOG.exists():
                print(f"{name}: left out, it needs the real log in ../shared")
            elif name in AT_A_MILLION:
                results += AT_A_MILLION[name](million(given.million or Path(kept)))
            elif name in AT_TEN_MILLION:
                results += AT_TEN_MILLION[name](ten_million(given.ten_million or Path(kept) / "ten"))
            else:
                with tempfile.TemporaryDirectory() as folder:
                    results += BENCHMARKS[name](Path(folder))
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    machine = (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )
    text = f"{table(results)}\n\n{datetime.now(UTC):%Y-%m-%d}, {machine}; load of the machine at the end: {load}.\n"
    print(text)
    if not given.names:
        (HERE / "RESULTS.md").write_text(f"# Speed and memory\n\nBy `make bench`.\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
