"""What is served beside the pages: health, metrics, the base path, and nothing to anybody outside."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import proxy
import pytest
from benchmarks.people import Person
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dashboard import health, timings, view
from dashboard import serving as serving_of
from dashboard.health import Health

NOW = datetime(2026, 1, 2, 12)
SOURCES = {name: datetime(2025, 12, 31, 23) for name in ("alerts", "requests", "servicedesk")}


MEANTIME = (sys.executable, "-m", "etl")


@contextmanager
def serving(
    data: Path, *arguments: str, meantime: Sequence[str] = MEANTIME, cwd: Path = ROOT, **environment: str
) -> Iterator[str]:
    """Serve a data directory; give what it said when it was there."""
    with subprocess.Popen(
        [*meantime, "--data", str(data), "serve", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline()
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


def asked(address: str) -> tuple[int, str]:
    """Ask for an address; give the status and what was answered."""
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def published(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample exports, published where no other test opens them."""
    return shutil.copytree(sample, tmp_path_factory.mktemp("published") / "data", symlinks=True)


def examined(data: Path, **most_hours: float) -> Health:
    return health.examine(data, most_hours, NOW)


def test_a_readable_version_is_well_and_tells_how_old_its_sources_are(published: Path) -> None:
    found = examined(published, servicedesk=37)
    assert found.is_well
    assert health.told(found, NOW) == {
        "status": "ok",
        "reasons": [],
        "version": 1,
        "published_at": found.published_at.isoformat(timespec="seconds") + "Z" if found.published_at else None,
        "sources": {name: {"as_of": "2025-12-31T23:00:00Z", "age_seconds": 37 * 3600} for name in SOURCES},
    }


def test_data_older_than_the_configuration_allows_are_not_well_nor_is_a_source_that_is_not_there(
    published: Path,
) -> None:
    assert examined(published, servicedesk=36.5, alerts=40, pager=1).reasons == (
        "the data of source 'servicedesk' are 37 hours old, more than the 36.5 hours that the configuration allows",
        "source 'pager' has no data in the published version",
    )


def test_nothing_to_read_is_not_well_and_the_reason_names_no_file(published: Path, tmp_path: Path) -> None:
    assert examined(tmp_path) == Health(reasons=("nothing is published",))
    link = tmp_path / "incidents.duckdb"
    link.symlink_to("versions/incidents-7.duckdb")
    assert examined(tmp_path) == Health(reasons=("nothing is published",))
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions/incidents-7.duckdb").write_bytes(b"no database at all" * 1000)
    assert examined(tmp_path) == Health(reasons=("the published version cannot be read; the server's log says why",))


def test_metrics_are_prometheus_text_with_every_label_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, pages, connected = timings.Histogram((0.1, 1.0)), timings.Tally(), timings.Tally()
    for seconds in (0.0625, 0.125, 0.25, 2.0):
        queries.add(seconds)
    pages.add("overview", "drawn")
    pages.add("overview", "drawn")
    pages.add("overview", "failed")
    connected.add(by=3)
    for name, value in (("QUERIES", queries), ("PAGES", pages), ("CONNECTED", connected)):
        monkeypatch.setattr(timings, name, value)
    found = Health(7, datetime(2026, 1, 2, 11), {'a "b" \\ c': datetime(2026, 1, 2, 11, 59)}, ("old",))
    said = health.exposition(found, NOW, "1.2.3")
    assert [line for line in said.splitlines() if not line.startswith("#")] == [
        'meantime_info{version="1.2.3"} 1',
        "meantime_healthy 0",
        "meantime_published_version 7",
        "meantime_published_timestamp_seconds 1767351600",
        r'meantime_data_as_of_timestamp_seconds{source="a \"b\" \\ c"} 1767355140',
        r'meantime_data_age_seconds{source="a \"b\" \\ c"} 60',
        'meantime_query_seconds_bucket{le="0.1"} 1',
        'meantime_query_seconds_bucket{le="1"} 3',
        'meantime_query_seconds_bucket{le="+Inf"} 4',
        "meantime_query_seconds_sum 2.4375",
        "meantime_query_seconds_count 4",
        'meantime_pages_total{page="overview",outcome="drawn"} 2',
        'meantime_pages_total{page="overview",outcome="failed"} 1',
        "meantime_sessions 3",
    ]
    assert [re.sub(r"HELP (\w+) .+", r"HELP \1", line) for line in said.splitlines() if line.startswith("#")][:4] == [
        "# HELP meantime_info",
        "# TYPE meantime_info gauge",
        "# HELP meantime_healthy",
        "# TYPE meantime_healthy gauge",
    ]
    assert said.endswith("\n")


@given(st.lists(st.floats(0, 20), max_size=30))
def test_a_histogram_counts_each_duration_with_all_bounds_that_it_does_not_exceed(durations: list[float]) -> None:
    histogram = timings.Histogram()
    for seconds in durations:
        histogram.add(seconds)
    up_to, count, total = histogram.read()
    assert up_to == [(bound, sum(seconds <= bound for seconds in durations)) for bound in timings.BOUNDS]
    assert (count, total) == (len(durations), pytest.approx(sum(durations)))


def test_a_base_path_that_is_none_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "etl", "serve", "--base-path", "/a b/../c", "--data", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: --base-path is '/a b/../c'; write it like /kpi, of letters, digits and any of . _ ~ -\n"
    )


WATCHING = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{event} {arguments[-1] if event == 'socket.connect' else arguments[0]}\\n")
sys.addaudithook(watch)
"""


def test_it_is_asked_at_the_root_and_below_its_path_counts_who_is_there_and_asks_nobody_outside(
    published: Path, tmp_path: Path
) -> None:
    (tmp_path / "meantime.toml").write_text(
        '[sources.servicedesk]\nkind = "servicenow"\nfiles = ["a.csv"]\nmax_age_hours = 26\n', encoding="utf-8"
    )
    (tmp_path / "sitecustomize.py").write_text(WATCHING, encoding="utf-8")
    port, seen = proxy.free_port(), tmp_path / "seen"
    arguments = ("--port", str(port), "--address", "0.0.0.0", "--base-path", "/team/kpi/")
    config = ("--config", str(tmp_path / "meantime.toml"))
    root = f"http://127.0.0.1:{port}"
    with serving(published, *arguments, *config, PYTHONPATH=str(tmp_path), WATCHED=str(seen)) as said:
        assert said == f"the dashboard is at http://localhost:{port}/team/kpi/\n"
        for address in (f"{root}/healthz", f"{root}/team/kpi/healthz"):
            status, text = asked(address)
            told = json.loads(text)
            assert (status, told["status"], told["version"]) == (503, "unhealthy", 1)
            assert len(told["reasons"]) == 1
            assert re.fullmatch(
                r"the data of source 'servicedesk' are \d+ \w+ old, more than the 26 hours that the configuration allows",
                told["reasons"][0],
            )
        stream = f"ws://127.0.0.1:{port}/team/kpi/_stcore/stream"
        with connect(stream, origin=root):  # type: ignore[arg-type]  # a name of its own for a text
            assert "\nmeantime_sessions 1\n" in asked(f"{root}/metrics")[1]
        with pytest.raises(InvalidStatus, match="403"):
            connect(stream, origin="http://elsewhere.example")  # type: ignore[arg-type]
        status, text = asked(f"{root}/team/kpi/metrics")
        assert status == 200
        assert "\nmeantime_sessions 0\n" in text
        assert asked(f"{root}/elsewhere")[0] == 404
    # Its own address is looked up to listen there, and the command line asks whether it is there.
    where = {line.split(" ", 1)[1] for line in seen.read_text(encoding="utf-8").splitlines()}
    assert f"('127.0.0.1', {port})" in where
    assert where <= {"localhost", "0.0.0.0", f"('127.0.0.1', {port})"}


def test_as_it_is_installed_it_serves_from_any_folder(published: Path, tmp_path: Path) -> None:
    installed = Path(sys.executable).with_name("meantime")
    if not installed.exists():
        pytest.skip("needs Meantime installed, as `make test` does it")
    port = proxy.free_port()
    arguments = ("--port", str(port), "--address", "127.0.0.1")
    with serving(published, *arguments, meantime=[str(installed)], cwd=tmp_path) as said:
        assert said == f"the dashboard is at http://127.0.0.1:{port}\n"
        person = Person(f"http://127.0.0.1:{port}")
        person.open("overview")
        assert person.complaints == []
        assert (
            'meantime_pages_total{page="overview",outcome="drawn"} 1\n' in asked(f"http://127.0.0.1:{port}/metrics")[1]
        )


def test_the_snippet_for_nginx_is_understood_by_nginx(tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("needs nginx")
    file = proxy.configuration(tmp_path, 20080, 20081)
    done = subprocess.run(
        ["nginx", "-t", "-p", str(tmp_path), "-c", str(file)], capture_output=True, text=True, check=False
    )
    assert "test is successful" in done.stderr, done.stderr


def test_the_snippet_for_caddy_is_understood_by_caddy(tmp_path: Path) -> None:
    if shutil.which("caddy") is None:
        pytest.skip("needs caddy")
    file = tmp_path / "Caddyfile"
    file.write_text(proxy.snippet("caddyfile"), encoding="utf-8")
    done = subprocess.run(
        ["caddy", "adapt", "--config", str(file), "--adapter", "caddyfile", "--validate"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert '"dial":"127.0.0.1:8501"' in done.stdout


def test_the_units_are_understood_by_systemd(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    parts = re.split(r"^# (meantime\S+)\n", proxy.snippet("ini"), flags=re.MULTILINE)
    named = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert sorted(named) == ["meantime-refresh.service", "meantime-refresh.timer", "meantime.service"]
    for name, text in named.items():
        program = "/srv/meantime/.venv/bin/meantime"
        (tmp_path / name).write_text(text.replace(program, sys.executable), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in named)],
        capture_output=True,
        text=True,
        check=False,
    )
    # It looks at every unit of the machine, too.
    assert [line for line in done.stderr.splitlines() if "meantime" in line] == []
    assert done.returncode == 0


def test_the_age_that_a_monitor_reads_is_that_of_the_moment(published: Path) -> None:
    found = examined(published)
    later = health.told(found, NOW + timedelta(minutes=1))["sources"]
    assert later == {name: {"as_of": "2025-12-31T23:00:00Z", "age_seconds": 37 * 3600 + 60} for name in SOURCES}


LOGGING = """
import logging, warnings
from dashboard import logged
logged.as_json()
from streamlit import config, logger
logger.get_logger("streamlit.of.theirs").warning('two\\nlines, "quoted"')
logging.getLogger("uvicorn.error").error("the port is %d", 1)
config.set_option("logger.level", "warning")
logger.update_formatter()
logger.get_logger("streamlit.of.theirs").warning("after the options were read")
warnings.warn("something is old")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("meantime.dashboard").exception("page %s could not be drawn", "Overview")
"""


def test_a_log_for_machines_is_json_whoever_writes_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOGGING], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(one["level"], one["message"]) for one in lines] == [
        ("warning", 'two\nlines, "quoted"'),
        ("error", "the port is 1"),
        ("warning", "after the options were read"),
        ("warning", "<string>:11: UserWarning: something is old"),
        ("error", "page Overview could not be drawn"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["at"]) for one in lines)
    assert lines[-1]["details"].endswith("ZeroDivisionError: division by zero")


def test_what_every_page_asks_first_is_asked_when_a_reader_asks_for_a_document(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(view, "ask", lambda path, question: asked.append(question))
    serving_of.read_ahead(tmp_path)
    assert asked == []
    serving_of.read_ahead(published)
    assert asked == ["choices", "latest_as_of", "is_sample"]


@pytest.mark.parametrize(
    ("accept", "is_so"), [(b"text/html,application/xhtml+xml", True), (b"*/*", False), (b"image/svg+xml", False)]
)
def test_only_who_reads_documents_is_read_ahead_for(accept: bytes, is_so: bool) -> None:
    assert serving_of.is_for_a_reader({"type": "http", "headers": [(b"host", b"x"), (b"accept", accept)]}) is is_so
