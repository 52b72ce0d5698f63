"""The command line: what each command prints, where, and with which exit code."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import duckdb
import exports
import pytest

from etl import cli

CLOSED = [
    exports.line(1, 0, "New", 1, group="Messaging"),
    exports.line(1, 1, "Resolved", 61, group="Messaging"),
    exports.line(2, 0, "New", 2, group="Desktop"),
    exports.line(2, 1, "Resolved", 182, group="Desktop"),
    exports.line(3, 0, "New", 3, group="Joe's"),
    exports.line(3, 1, "Resolved", 123, group="Joe's"),
    exports.line(4, 0, "Zombie", 4, group="Desktop"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    file = exports.write(folder / "closed.csv", CLOSED)
    code = cli.run(["load", str(file), "--as", "servicenow", "--name", "desk", "--data", str(folder / "data")])
    assert code == 3
    return folder / "data"


def ran(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command; give exit code, stdout and stderr."""
    code = cli.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_load_says_what_got_in_and_complains_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = exports.write(tmp_path / "closed.csv", CLOSED)
    assert ran(capsys, "load", file, "--as", "servicenow", "--data", tmp_path / "data") == (
        3,
        f"servicenow: loaded, 7 rows, 6 good, 1 rejected\npublished version 1: {tmp_path}/data/incidents.duckdb\n",
        "warning: servicenow: 1 of 7 rows were rejected (14.3 %, allowed are 1 %); "
        "see `meantime rejects --source servicenow`\n"
        "warning: servicenow: closed.csv: stamps such as '2025-03-03 08:01:00' name no zone and were read as UTC; "
        "say --timezone ZONE if they are not\n",
    )


def test_a_machine_gets_one_json_line_and_json_complaints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = exports.write(tmp_path / "closed.csv", CLOSED)
    code, out, errors = ran(
        capsys,
        "--log-format",
        "json",
        "--data",
        tmp_path / "data",
        "load",
        file,
        "--as",
        "servicenow",
        "--timezone",
        "UTC",
    )
    assert code == 3
    assert json.loads(out) == {
        "event": "published",
        "version": 1,
        "exit_code": 3,
        "sources": [
            {
                "source": "servicenow",
                "outcome": "loaded",
                "rows_in": 7,
                "rows_good": 6,
                "rows_rejected": 1,
                "issues": 0,
            }
        ],
    }
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {line["level"] for line in lines} == {"info", "warning"}
    assert [line["source"] for line in lines if line["level"] == "warning"] == ["servicenow"]


def test_an_error_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, errors = ran(capsys, "status", "--data", tmp_path, "--log-format", "json")
    assert (code, out) == (1, "")
    assert json.loads(errors)["message"].startswith(f"{tmp_path} holds no published warehouse yet")


def test_a_kpi_is_one_row_or_one_for_each_group_and_period(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "kpi", "mttr", "--data", data, "--format", "csv") == (0, "value,n,low,high\n2.0,3,,\n", "")
    assert ran(capsys, "kpi", "mttr", "--data", data, "--by", "assignment_group", "--grain", "month") == (
        0,
        "assignment_group  period      value (hours)  n  low (hours)  high (hours)\n"
        "Desktop           2025-03-01          3.000  1            -             -\n"
        "Joe's             2025-03-01          2.000  1            -             -\n"
        "Messaging         2025-03-01          1.000  1            -             -\n",
        "",
    )
    code, out, _ = ran(capsys, "kpi", "incident_volume", "--data", data, "--grain", "day", "--format", "json")
    assert (code, json.loads(out)) == (0, [{"period": "2025-03-03", "value": 3, "n": 3, "low": None, "high": None}])


def test_conditions_on_a_column_are_alternatives_and_on_several_all_must_hold(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def volume(*conditions: str) -> str:
        told = [part for condition in conditions for part in ("--where", condition)]
        return ran(capsys, "kpi", "incident_volume", "--data", data, "--format", "csv", *told)[1].splitlines()[1]

    assert volume("assignment_group=Desktop") == "1,1,,"
    assert volume("assignment_group=Desktop", "assignment_group=Messaging") == "2,2,,"
    assert volume("assignment_group=Desktop", "priority=1") == "0,0,,"
    assert volume("assignment_group=Joe's") == "1,1,,"
    assert volume("assignment_group=' or true --") == "0,0,,"
    assert volume("category=") == "3,3,,"


def test_days_are_included_and_read_in_the_reporting_zone(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def volume(*days: str) -> str:
        return ran(capsys, "kpi", "incident_volume", "--data", data, "--format", "csv", *days)[1].splitlines()[1]

    assert volume("--since", "2025-03-03", "--until", "2025-03-03") == "3,3,,"
    assert volume("--since", "2025-03-04") == "0,0,,"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kpi", "mtr"], "error: KPI 'mtr' is not one of "),
        (["kpi", "mttr", "--by", "assignment_grup"], "did you mean 'assignment_group'?"),
        (["kpi", "mttr", "--where", "colour=red"], "error: column 'colour' is not one of "),
        (["kpi", "mttr", "--where", "colour"], "error: --where 'colour' must be written COLUMN=VALUE"),
        (
            ["kpi", "mttr", "--grain", "fortnight"],
            "error: grain 'fortnight' is not one of day, week, month, quarter, year",
        ),
        (["kpi", "mttr", "--since", "yesterday"], "'yesterday' does not match the format '%Y-%m-%d'"),
        (
            ["kpi", "mttr", "--since", "2025-02-01", "--until", "2025-01-01"],
            "error: --since 2025-02-01 lies after --until 2025-01-01",
        ),
        (["rejects", "--source", "helpdesk"], "error: source 'helpdesk' is not one of desk"),
        (["refresh", "--config", "none.toml"], "error: none.toml: there is no configuration; write one"),
        (["export", "somewhere", "--format", "xlsx"], "'xlsx' is not one of 'parquet', 'csv'"),
        (["load", "closed.csv", "--as", "servicenw"], "did you mean 'servicenow'?"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_names_the_choices(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, out, errors = ran(capsys, "--data", data, *arguments)
    assert (code, out) == (2, "")
    assert message in errors
    assert "Traceback" not in errors


def test_rejects_are_listed_with_their_reason(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, errors = ran(capsys, "rejects", "--data", data, "--source", "desk", "--format", "json")
    assert (code, errors) == (0, "")
    (row,) = json.loads(out)
    assert (row["source"], row["file"], row["line"], row["incident_id"]) == ("desk", "closed.csv", 8, "INC0000004")
    assert (row["field"], row["value"]) == ("incident_state", "Zombie")
    assert row["reason"].endswith(
        "map it under [sources.desk.status] to one of new, in_progress, on_hold, resolved, closed, cancelled"
    )
    assert json.loads(row["raw"])["sys_updated_by"] == "mroe"


def test_status_tells_each_sources_last_run_and_the_age_of_the_version(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, errors = ran(capsys, "status", "--data", data, "--json")
    found = json.loads(out)
    age, published_at, last_run = (
        found.pop("age_seconds"),
        found.pop("published_at"),
        found["sources"][0].pop("last_run"),
    )
    assert (code, errors) == (0, "")
    assert 0 <= age < 3600
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", published_at)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", last_run)
    assert found["sources"][0].pop("message").startswith("desk: 1 of 7 rows were rejected")
    assert found == {
        "version": 1,
        "file": str(data / "versions" / "incidents-1.duckdb"),
        "timezone": "UTC",
        "sources": [
            {
                "source": "desk",
                "kind": "servicenow",
                "as_of": "2025-03-03T11:02:00Z",
                "is_sample": False,
                "outcome": "loaded",
                "newest_incident": "2025-03-03T08:03:00Z",
                "incidents": 3,
                "rows_in": 7,
                "rows_good": 6,
                "rows_rejected": 1,
                "issues": 0,
            }
        ],
    }
    code, out, errors = ran(capsys, "status", "--data", data)
    assert code == 0
    assert out.startswith("version 1, published ")
    assert errors.startswith("warning: desk: 1 of 7 rows were rejected")


def test_status_tells_of_a_source_that_only_ever_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exports.write(tmp_path / "good.csv", [exports.line(1, 0, "New", 1)])
    (tmp_path / "meantime.toml").write_text(
        '[sources.desk]\nkind = "servicenow"\nfiles = ["good.csv"]\n[sources.gone]\nkind = "jira"\nfiles = ["none.csv"]\n'
    )
    where = ("--data", tmp_path / "data", "--config", tmp_path / "meantime.toml")
    assert ran(capsys, "refresh", *where)[0] == 3
    code, out, _ = ran(capsys, "status", "--json", *where)
    found = [(row["source"], row["outcome"], row["incidents"]) for row in json.loads(out)["sources"]]
    assert (code, found) == (0, [("desk", "loaded", 1), ("gone", "failed", 0)])


def test_a_checkout_may_be_written_and_does_not_replace_a_file(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "mine.duckdb"
    assert ran(capsys, "checkout", target, "--data", data) == (0, f"{target}\n", "")
    con = duckdb.connect(target)
    con.execute("create table mine as from incidents")
    con.close()
    assert ran(capsys, "checkout", target, "--data", data) == (
        1,
        "",
        f"error: {target} exists; name another file, or remove it first\n",
    )


def test_a_value_that_no_incident_has_is_said_beside_the_zero(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for condition, message in (
        ("assignment_group=O'Neil", "no incident has assignment_group 'O'Neil'"),
        ("priority=high", "no incident has priority 'high'; there are 3"),
    ):
        code, out, err = ran(capsys, "kpi", "incident_volume", "--where", condition, "--format", "json", "--data", data)
        assert (code, json.loads(out)[0]["value"]) == (0, 0)
        assert err.startswith(f"warning: {message}")
    assert ran(capsys, "kpi", "incident_volume", "--where", "priority=3", "--data", data)[2] == ""


def test_a_place_that_cannot_be_written_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = exports.write(tmp_path / "a.csv", [])
    for arguments, message in (
        (("checkout", tmp_path), f"{tmp_path} is a folder; name the file to write in it"),
        (("checkout", file), f"{file} exists; name another file, or remove it first"),
        (("checkout", tmp_path / "none" / "x"), f"cannot be written: there is no folder {tmp_path / 'none'}"),
        (("export", file), f"{file} is a file; name a folder"),
    ):
        code, _, err = ran(capsys, *arguments, "--data", data)
        assert (code, message in err) == (1, True), err


def test_nothing_is_rebuilt_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ran(capsys, "rebuild", "--data", tmp_path / "mistyped")
    assert (code, err) == (
        1,
        f"error: {tmp_path / 'mistyped'} holds no archive; run `meantime load FILE --as servicenow` first\n",
    )
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_an_export_holds_incidents_events_and_kpis(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    folder = tmp_path / "it's an export"
    code, out, errors = ran(capsys, "export", folder, "--data", data, "--format", format_)
    assert (code, errors) == (0, "")
    names = ["incidents", "incident_events", "incident_segments", "incident_links", "data_issues", "rejected_rows"]
    names += ["refresh_runs", "sources", "kpi_catalog", "kpi_daily", "kpi_monthly"]
    names_and_about = [*(f"{name}.{format_}" for name in names), "about.json", f"kpi_monthly_intervals.{format_}"]
    assert out.splitlines() == [f"{folder}/{name}" for name in names_and_about]
    read = str(folder / f"incidents.{format_}").replace("'", "''")
    assert duckdb.sql(f"select incident_id, hours_to_resolve from '{read}' order by all").fetchall() == [
        ("INC0000001", 1.0),
        ("INC0000002", 3.0),
        ("INC0000003", 2.0),
    ]
    assert json.loads((folder / "about.json").read_text()) == {
        "reporting_timezone": "UTC",
        "instants": "UTC",
        "version": 1,
        "as_of": {"desk": "2025-03-03T11:02:00Z"},
    }


def test_a_check_reads_heads_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exports.write(tmp_path / "closed.csv", CLOSED)
    file = tmp_path / "meantime.toml"
    file.write_text(
        '[sources.desk]\nkind = "servicenow"\nfiles = ["closed.csv"]\n'
        '[sources.gone]\nkind = "servicenow"\nfiles = ["none.csv"]\n'
    )
    before = sorted(tmp_path.iterdir())
    code, out, errors = ran(capsys, "check", "--config", file, "--data", tmp_path / "data")
    assert code == 1
    assert out.startswith("desk: closed.csv: readable, 9 columns; 1 of the first 7 rows would be rejected: ")
    assert errors == f"error: [sources.gone] files: nothing matches 'none.csv' in {tmp_path}\n"
    assert sorted(tmp_path.iterdir()) == before


def test_a_table_without_a_map_gets_a_proposal_and_loads_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("Key,Created,Status,Labels,Labels\nT-1,2025-03-03 08:00,Open,a,b\n")
    code, out, errors = ran(capsys, "load", file, "--as", "table", "--data", tmp_path / "data")
    assert code == 2
    assert out.startswith('repeated_columns = "list"\n')
    assert 'incident_id = "Key"' in out
    assert "nothing was loaded: kind 'table' needs a mapping file" in errors
    assert not (tmp_path / "data").exists()


def test_a_rebuild_and_a_refresh_go_through_the_command_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "data"
    shutil.copytree(data, copied, symlinks=True)
    assert ran(capsys, "rebuild", "--data", copied)[:2] == (
        3,
        f"desk: loaded, 7 rows, 6 good, 1 rejected\npublished version 2: {copied}/incidents.duckdb\n",
    )


def test_the_demo_is_loaded_into_a_folder_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.demo_folder() == exports.ROOT / "data" / "demo"
    code, out, errors = ran(capsys, "demo", "--no-serve", "--data", tmp_path)
    assert (code, errors) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "servicedesk",
        "alerts",
        "requests",
        "published version 1",
    ]
    code, out, _ = ran(capsys, "status", "--data", tmp_path, "--json")
    found = json.loads(out)
    assert found["timezone"] == "Europe/Berlin"
    assert all(source["is_sample"] for source in found["sources"])


def test_every_command_has_a_help_text_and_takes_the_common_options() -> None:
    assert sorted(cli.cli.commands) == [
        "check",
        "checkout",
        "demo",
        "export",
        "init",
        "kpi",
        "load",
        "rebuild",
        "refresh",
        "rejects",
        "report",
        "serve",
        "status",
    ]
    for command in cli.cli.commands.values():
        assert command.help
        options = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
        assert {"--data", "--config", "--log-format"} <= options


def test_python_m_etl_is_the_same_command() -> None:
    done = exports.meantime("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("meantime ")


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as server:
        return int(server.getsockname()[1])


def test_serving_prints_the_address_and_stops_on_a_signal(data: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "etl", "serve", "--port", str(port), "--data", str(data)],
        cwd=exports.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"the dashboard is at http://localhost:{port}\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the dashboard still answers")


def test_a_busy_port_is_said_before_anything_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        code, _, errors = ran(capsys, "demo", "--port", port, "--data", tmp_path / "data")
    assert code == 2
    assert (
        errors == f"error: port {port} of localhost cannot be used (Address already in use); name another with --port\n"
    )
    assert not (tmp_path / "data").exists()


def test_an_unexpected_error_is_one_line_that_says_where_the_details_are(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.published, "status", lambda _: 1 / 0)
    code, out, errors = ran(capsys, "status", "--data", data)
    log = data / "store" / "meantime-error.log"
    assert (code, out) == (1, "")
    assert errors == f"error: unexpected ZeroDivisionError; details are in {log}\n"
    assert "ZeroDivisionError: division by zero" in log.read_text()


def test_who_closes_the_pipe_gets_no_complaint(data: Path) -> None:
    done = subprocess.run(
        f"'{sys.executable}' -m etl kpi mttr --by incident_id --data '{data}' | head -n 1",
        shell=True,
        cwd=exports.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("incident_id")
    assert done.stderr == ""


def test_load_reads_a_file_as_the_configuration_says_of_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, config, data = exports.write(tmp_path / "closed.csv", CLOSED), tmp_path / "meantime.toml", tmp_path / "data"
    asked = ("load", file, "--as", "servicenow", "--name", "desk", "--timezone", "UTC", "--data", data)
    rejected = ran(capsys, *asked)[1]
    config.write_text(
        '[sources.desk]\nkind = "servicenow"\nfiles = ["exports/*.csv"]\ntimezone = "Asia/Tokyo"\nfull_export = true\n'
        '[sources.desk.status]\nZombie = "in_progress"\n',
        encoding="utf-8",
    )
    mapped = ran(capsys, *asked, "--config", config)[1]
    assert (rejected.splitlines()[0], mapped.splitlines()[0]) == (
        "desk: loaded, 7 rows, 6 good, 1 rejected",
        "desk: loaded, 7 rows, 7 good, 0 rejected",
    )
    with duckdb.connect(data / "incidents.duckdb", read_only=True) as con:
        # The command line's zone holds, and one file by hand is not all that there is.
        assert con.execute("select timezone, full_export from sources").fetchall() == [("UTC", False)]


@pytest.mark.parametrize("how", [["--log-format", "json"], ["--log-format=json"]])
def test_a_misspelt_option_is_told_as_json_where_that_is_asked_for(
    how: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, errors = ran(capsys, "refresh", "--bogus", *how)
    told = json.loads(errors)
    # How click says it differs from version to version.
    assert (code, told["level"], "--bogus" in told["message"]) == (2, "error", True)


def test_load_says_that_it_took_utc_for_granted_and_how_to_say_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "incidents.csv"
    file.write_text("Number,State,Opened\nINC1,New,2025-12-30 08:00:00\n", encoding="utf-8")
    said = "warning: desk: incidents.csv: stamps such as '2025-12-30 08:00:00' name no zone and were read as UTC; "
    told = []
    for more in ((), ("--timezone", "UTC")):
        asked = ("load", file, "--as", "servicenow", "--name", "desk", *more, "--data", tmp_path / "data")
        told.append(ran(capsys, *asked)[2])
    assert told == [f"{said}say --timezone ZONE if they are not\n", ""]


def test_a_command_that_pulls_nothing_loads_nothing_that_only_pulls_need(data: Path) -> None:
    told = "import sys; print(*(type(sys.modules[name]).__name__ for name in ('httpx', 'stamina', 'holidays')))"
    asked = f"from etl.cli import run; run(['kpi', 'mttr', '--data', {str(data)!r}]); {told}"
    done = subprocess.run([sys.executable, "-c", asked], cwd=exports.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "_LazyModule _LazyModule _LazyModule"
