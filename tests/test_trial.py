"""Trying a tool before anything is kept: `meantime init` and `meantime check`, against stand-ins over a real socket."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import exports
import pytest
from standins import served
from standins.pagerduty import PagerDuty
from standins.statuspage import StatusPage

from etl import cli, config


@pytest.fixture
def pages() -> Iterator[tuple[PagerDuty, str]]:
    """A PagerDuty in which an incident has a priority that nobody mapped."""
    tool = PagerDuty(7, page_size=20, cap=10_000)
    seen = [incident for incident in tool.incidents if incident["teams"][0]["id"] != "T2"]
    seen[-1]["priority"] = {"id": "Z", "summary": "Gold"}
    with served(tool) as url:
        yield tool, url


def ran(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object, lines: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    code = cli.run([str(argument) for argument in arguments])
    out, errors = capsys.readouterr()
    return code, out, errors


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """Run the command line with stderr on a terminal; give what that showed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "etl", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command, cwd=exports.ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs
    ) as child:
        os.close(theirs)
        shown = b""
        # A terminal whose last writer is gone answers with an error.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    return child.returncode, shown.decode()


def test_init_asks_tries_shows_and_writes_what_a_refresh_then_uses(
    pages: tuple[PagerDuty, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, url = pages
    file = tmp_path / "meantime.toml"
    code, out, errors = ran(
        capsys,
        monkeypatch,
        *("init", "--config", file),
        lines=("pagerduty", "", url, "", tool.token, "Europe/Berlin"),
    )
    assert code == 0
    assert {line.split(": ")[0] for line in errors.splitlines()} == {"pagerduty"}
    assert "pagerduty: log_entries: page 1, " in errors
    lines = out.splitlines()
    assert lines[0].startswith(f"pagerduty: {url}: reachable; it answers ")
    assert lines[1].startswith("pagerduty: 3 of ")
    assert [line.split()[0] for line in lines[2:5]] == [lines[2].split()[0], lines[3].split()[0], "opened"]
    assert "pagerduty: rejected, 1 of " in out
    assert "priority 'Gold' is not one of" in out
    assert "map it under [sources.pagerduty.priority]" in out
    assert lines[-2] == f"written: {file}, {tmp_path / 'pagerduty.token'}"
    assert lines[-1] == "next: `meantime refresh` pulls everything, but see what is rejected above"
    secret = tmp_path / "pagerduty.token"
    assert (secret.read_text(), S_IMODE(secret.stat().st_mode)) == (f"{tool.token}\n", 0o600)
    assert tool.token not in file.read_text() + out
    assert file.read_text().splitlines()[:5] == [
        'timezone = "Europe/Berlin"               # reporting zone: cuts days, weeks and months',
        "",
        "[sources.pagerduty]",
        'kind = "pagerduty"',
        f'url = "{url}"',
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["meantime.toml", "pagerduty.token"]
    done, told = on_a_terminal("refresh", "--config", file, "--data", tmp_path / "data")
    assert done == 3
    assert "pagerduty: log_entries" in told
    assert "━" in told
    assert ran(capsys, monkeypatch, "check", "--config", file)[0] == 0


def test_init_adds_to_a_configuration_and_leaves_the_rest_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "meantime.toml"
    before = '# ours\ntimezone = "UTC"\n\n[sources.desk]\nkind = "servicenow"\nfiles = ["a.csv"]'
    file.write_text(before)
    with served(StatusPage(3)) as url:
        code, out, errors = ran(
            capsys, monkeypatch, "init", "--config", file, "--name", "our page", lines=("statuspage", url, "", "")
        )
    assert code == 0, errors
    assert out.splitlines()[0].startswith(f"our page: {url}: reachable; it answers everybody, the page of ")
    assert file.read_text().startswith(f'{before}\n\n[sources."our page"]\nkind = "statuspage"\nurl = "{url}"\n')
    assert sorted(config.read(file).sources) == ["desk", "our page"]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (("pagerdutty",), 2, "did you mean 'pagerduty'?; exports are read without any of this"),
        (("pagerduty", "a/b", "https://x.example.com"), 2, "'a/b' cannot name a source"),
        (("pagerduty", "", "x.example.com"), 2, "url is 'x.example.com'; write it like https://desk.example.com"),
        (("pagerduty",), 2, "was not answered: stdin has no line for it"),
        (("pagerduty", "", "URL", "", "wrong", ""), 1, "gave 401: the tool does not accept the token or password"),
        (("pagerduty", "", "URL", "", "", "", "wrong"), 1, "gave 401: the tool does not accept the token or password"),
        (("pagerduty", "", "http://127.0.0.1:9", "", "t0ken", ""), 1, "127.0.0.1:9 cannot be reached"),
    ],
)
def test_init_that_does_not_get_through_writes_nothing_and_says_why(
    pages: tuple[PagerDuty, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lines: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    told = tuple(pages[1] if line == "URL" else line for line in lines)
    found, _, errors = ran(capsys, monkeypatch, "init", "--config", tmp_path / "meantime.toml", lines=told)
    assert (found, list(tmp_path.iterdir())) == (code, [])
    assert said in errors
    assert "wrong" not in errors


def test_init_never_replaces_a_secret_or_a_source(
    pages: tuple[PagerDuty, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, url = pages
    (tmp_path / "pagerduty.token").write_text("another\n")
    lines = ("pagerduty", "", url, "", tool.token, "")
    code, _, errors = ran(capsys, monkeypatch, "init", "--config", tmp_path / "meantime.toml", lines=lines)
    assert (code, (tmp_path / "pagerduty.token").read_text()) == (2, "another\n")
    assert "is there already; remove it, or choose another name with --name" in errors
    assert not (tmp_path / "meantime.toml").exists()
    (tmp_path / "meantime.toml").write_text(f'[sources.pagerduty]\nkind = "pagerduty"\nurl = "{url}"\n')
    code, _, errors = ran(capsys, monkeypatch, "init", "--config", tmp_path / "meantime.toml", lines=lines)
    assert (code, "has a source 'pagerduty' already" in errors) == (2, True)


LINKED = """
[sources.desk]
kind = "servicenow"
files = ["desk.csv"]
[sources.pages]
kind = "table"
files = ["pages.csv"]
map = "pages.toml"
[[links]]
source = "pages"
field = "attributes.{field}"
target = "desk"
keep = "desk"
"""
MAP = """
timezone = "UTC"
state_from = "stamps"
[fields]
incident_id = "Id"
opened_at = "Opened"
"""


def test_check_says_what_the_links_make_of_the_incidents_and_names_a_field_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exports.write(tmp_path / "desk.csv", [exports.line(1, 0, "New", 5)])
    rows = ["Id,Opened,Ticket", "P1,2025-03-03 07:00:00,INC0000001", "P2,2025-03-03 07:00:00,INC0000099"]
    (tmp_path / "pages.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "pages.toml").write_text(MAP)
    file = tmp_path / "meantime.toml"
    file.write_text(LINKED.format(field="Ticket"))
    code, out, errors = ran(capsys, monkeypatch, "check", "--config", file)
    assert code == 0
    assert "desk: 1 of 1 incidents, as they would be understood:\n  INC0000001  Mail is down\n" in out
    assert errors.splitlines() == [
        "[[links]] 1: 1 joined among the incidents looked at (P1 names INC0000001)",
        "[[links]] 1: 1 missing among the incidents looked at (P2 names INC0000099)",
    ]
    file.write_text(LINKED.format(field="Tickt"))
    code, _, errors = ran(capsys, monkeypatch, "check", "--config", file)
    assert code == 1
    assert errors == (
        "error: [[links]] 1: none of the 2 incidents of 'pages' that were looked at has the attribute 'Tickt'; did you "
        "mean 'Ticket'?; they have Ticket\n"
    )
