"""A browser, and the dashboard served as a user serves it: on the sample exports, on the real log, on nothing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=chromium, args=FLAGS)
        # Days and numbers are written as this browser's language has them; a test that wants another names it.
        launched.new_context = partial(launched.new_context, locale="en-GB")
        yield launched
        launched.close()


def meantime(data: Path, *arguments: str) -> list[str]:
    """Give the command line that does something in a data directory."""
    return [sys.executable, "-m", "etl", *arguments, "--data", str(data)]


def run(data: Path, *arguments: str) -> None:
    """Run a command to its end."""
    done = subprocess.run(
        meantime(data, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode in (0, 3), done.stderr


def served(data: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """Serve a data directory and give the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = meantime(data, "serve", "--port", str(port), "--address", "127.0.0.1", *arguments)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.search(r"http://\S+", said)
        try:
            assert found, f"the dashboard did not say where it is: {said!r}"
            yield found[0]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard on the sample exports."""
    data = tmp_path_factory.mktemp("sample")
    run(data, "demo", "--no-serve")
    yield from served(data)


@pytest.fixture(scope="session")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard on the real ServiceNow log."""
    data = tmp_path_factory.mktemp("real")
    log = shared / "data" / "servicenow_uci" / "incident_event_log.csv.gz"
    run(data, "load", str(log), "--as", "servicenow", "--timezone", "America/Sao_Paulo")
    yield from served(data)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard before anything was loaded."""
    yield from served(tmp_path_factory.mktemp("empty"))
