"""Starts and stops the real servers by the recipes beside the project, and makes requests to them as their users do."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, SHARED

PACKAGES = {
    "rt5": ("request-tracker5", "rt5-standalone", "rt5-db-sqlite", "libfaketime"),
    "redmine": ("redmine", "redmine-sqlite", "puma"),
}


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
            return (self.folder / ("token" if name == "admin" else f"{name}-token")).read_text().strip()
        lines = (self.folder / "tokens").read_text().splitlines()
        return dict(line.split() for line in lines)[name]

    def clock(self, at: datetime) -> None:
        fresh = self.folder / "clock.new"
        fresh.write_text(f"{at:%Y-%m-%d %H:%M:%S}")
        fresh.chmod(0o666)
        fresh.rename(self.folder / "clock")

    def restart(self, **environment: str) -> None:
        subprocess.run(
            [self.recipes / "up.sh"], env={**self.environment, **environment}, check=True, stdout=subprocess.DEVNULL
        )

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
def running(tool: str, **environment: str) -> Iterator[Server]:
    """Start a server with two and a half months of history in it, on a port and in a folder of its own; stop it."""
    recipes = needs(tool)
    # The recipe's server runs as another user, who may not enter pytest's folders.
    folder = Path("/tmp") / f"meantime-{tool}-{os.getpid()}-{free_port()}"
    port = free_port()
    name = "RT" if tool == "rt5" else "RM"
    told = {**os.environ, f"{name}_DIR": str(folder), f"{name}_PORT": str(port), f"{name}_CLOCK": "1", **environment}
    try:
        subprocess.run([recipes / "loaded.sh"], env=told, check=True, stdout=subprocess.DEVNULL)
        server = Server(folder, f"http://127.0.0.1:{port}", recipes, told)
        yield server
    finally:
        subprocess.run([recipes / "up.sh", "--stop"], env=told, check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--", folder, *folder.parent.glob(f"{folder.name}.*")], check=True)


def call(method: str, url: str, body: Any = None, **headers: str) -> Any:
    """Make one request to a server, as a user's program would."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read().decode(errors='replace')[:300]}") from error
    return json.loads(text) if text.strip() else None


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


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the published warehouse."""
    with duckdb.connect(folder / "data/incidents.duckdb", read_only=True) as con:
        return con.execute(query).fetchall()
