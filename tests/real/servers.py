"""Starts and stops the real servers by the recipes beside the project, and makes requests to them as their users do."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, SHARED

PACKAGES = {
    "rt5": ("request-tracker5", "rt5-standalone", "rt5-db-sqlite", "libfaketime"),
    "redmine": ("redmine", "redmine-sqlite", "dbconfig-no-thanks", "ruby-bundler", "puma"),
}
PULL_LOGS = "data/raw/helpdesk/*/pull.jsonl"


def needs(tool: str) -> Path:
    """Give the recipes' folder, or skip with what is missing."""
    recipes = SHARED / "itsm" / tool
    if not recipes.is_dir():
        pytest.skip("needs the recipes in ../shared/itsm, which are not part of the project")
    if os.geteuid() != 0:
        pytest.skip("needs root: the recipe runs the server as another user")
    asked = ["dpkg-query", "-W", "-f", "${db:Status-Status} ", *PACKAGES[tool]]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    except FileNotFoundError:
        found = []
    if found != ["installed"] * len(PACKAGES[tool]):
        pytest.skip(f"needs the Debian packages {', '.join(PACKAGES[tool])}; .ci/run installs them")
    return recipes


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@dataclass
class Server:
    """A server that runs."""

    folder: Path
    url: str
    recipes: Path
    environment: dict[str, str]

    def token(self, name: str) -> str:
        if self.recipes.name == "redmine":
            return json.loads((self.folder / "keys.json").read_text())[name]["key"]
        lines = (self.folder / "tokens").read_text().splitlines()
        return dict(line.split() for line in lines)[name]

    def clock(self, at: datetime) -> None:
        fresh = self.folder / "clock.new"
        fresh.write_text(f"{at:%Y-%m-%d %H:%M:%S}")
        fresh.chmod(0o666)
        fresh.rename(self.folder / "clock")

    def restart(self, **environment: str) -> None:
        """Start the server anew, with other variables of the recipe."""
        told = {**self.environment, **environment}
        subprocess.run([self.recipes / "up.sh"], env=told, check=True, stdout=subprocess.DEVNULL)

    def load(self, seed: int, tickets: int, *arguments: str) -> list[dict[str, Any]]:
        """Make another history; give its ledger."""
        ledger = self.folder / f"ledger-{seed}.json"
        command = ["python3", self.recipes / "load.py", self.url_of_loader, self.folder / "clock", *arguments]
        subprocess.run(
            [*command, str(tickets), ledger],
            env={**os.environ, "SEED": str(seed)},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return json.loads(ledger.read_text())

    @property
    def url_of_loader(self) -> str:
        return f"{self.url}/REST/2.0" if self.recipes.name == "rt5" else self.url


@contextmanager
def running(tool: str, zone: str | None = None, **environment: str) -> Iterator[Server]:
    """Start a server with two and a half months of history in it, on a port and in a folder of its own; stop it.

    With a zone, Redmine runs on a machine whose clock shows that zone, and holds no issues: its stamps are local ones.
    """
    recipes = needs(tool)
    # The recipe's server runs as another user, who may not enter pytest's folders.
    folder = Path("/tmp") / f"meantime-{tool}-{os.getpid()}-{free_port()}"
    port = free_port()
    name = "RT" if tool == "rt5" else "RM"
    told = {**os.environ, f"{name}_DIR": str(folder), f"{name}_PORT": str(port), f"{name}_CLOCK": "1", **environment}
    start = recipes / "loaded.sh"
    try:
        if tool == "redmine":
            start = _placed(recipes, folder, zone)
        subprocess.run([start], env=told, check=True, stdout=subprocess.DEVNULL)
        yield Server(folder, f"http://127.0.0.1:{port}", recipes, told)
    finally:
        subprocess.run([recipes / "up.sh", "--stop"], env=told, check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--", folder, *folder.parent.glob(f"{folder.name}.*")], check=True)


def _placed(recipes: Path, folder: Path, zone: str | None) -> Path:
    """Put the recipe's database where its server looks for it; give the script that starts it.

    `loaded.sh` comes to the same, but makes an empty instance first and throws it away, which takes half a minute.
    """
    folder.mkdir()
    database = folder / "redmine.sqlite"
    database.write_bytes(gzip.decompress((recipes / "loaded.sqlite.gz").read_bytes()))
    with closing(sqlite3.connect(database)) as con, con:
        keys = con.execute(
            "select login, users.id, value from users join tokens on user_id = users.id and action = 'api'"
        ).fetchall()
        if zone is not None:
            for table in ("issues", "journals", "journal_details", "custom_values"):
                con.execute(f"delete from {table}")
    (folder / "keys.json").write_text(json.dumps({login: {"id": id_, "key": key} for login, id_, key in keys}))
    (folder / "token").write_text({login: key for login, _, key in keys}["admin"])
    configured = Path("/etc/redmine/default/database.yml")
    if not configured.exists():
        configured.write_text(f"production:\n  adapter: sqlite3\n  database: {database}\n")
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "www-data", "www-data")
    if zone is None:
        return recipes / "up.sh"
    script = folder / "up.sh"
    script.write_text((recipes / "up.sh").read_text().replace(" TZ=UTC ", f" TZ={zone} "))
    script.chmod(0o755)
    return script


def call(method: str, url: str, body: Any = None, **headers: str) -> Any:
    """Make one request to a server, as a user's program would; give the JSON of the answer."""
    text = asked(method, url, body, **headers)
    return json.loads(text) if text.strip() else None


def asked(method: str, url: str, body: Any = None, **headers: str) -> bytes:
    """Make one request to a server; give the answer as it came."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            text: bytes = answer.read()
            return text
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read().decode(errors='replace')[:300]}") from error


def basic(user: str, password: str = "agent-password") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def meantime(folder: Path, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Meantime's in a folder with a configuration."""
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def command(*arguments: str) -> list[str]:
    import sys

    return [sys.executable, "-m", "etl", *arguments]


def ledger_of(server: Server, tool: str) -> list[dict[str, Any]]:
    """Give what was done to a tool's tickets when its data were made."""
    kept: list[dict[str, Any]] = json.loads(
        gzip.decompress((server.recipes.parents[1] / f"data/{tool}/ledger.json.gz").read_bytes())
    )
    return kept


def configured(folder: Path, server: Server, text: str) -> Path:
    """Write a configuration that pulls from a server; `{url}` in it is the server's address."""
    folder.mkdir(exist_ok=True)
    (folder / "meantime.toml").write_text(text.format(url=server.url))
    return folder


def broken_off(folder: Path, token: str, is_far_enough: Callable[[str], bool]) -> tuple[Path, list[str]]:
    """Kill -9 a refresh once the log of its pull is far enough; give that log and the whole lines that it had then."""
    known = set(folder.glob(PULL_LOGS))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HELPDESK_TOKEN": token}
    child = subprocess.Popen(command("refresh"), cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    fresh: list[Path] = []
    while time.monotonic() < deadline and child.poll() is None:
        fresh = [log for log in folder.glob(PULL_LOGS) if log not in known]
        if fresh and is_far_enough(fresh[0].read_text()):
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    return fresh[0], fresh[0].read_text().rpartition("\n")[0].splitlines()


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the published warehouse."""
    with duckdb.connect(folder / "data/incidents.duckdb", read_only=True) as con:
        return con.execute(query).fetchall()
