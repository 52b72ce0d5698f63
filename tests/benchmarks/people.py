"""What people at a million of incidents wait for: pages in a headless Chromium, and ten of them at once.

`python -m tests.benchmarks.people DATA` prints JSON: `pages`, page -> seconds; `crowd`, what ten people measured;
`mib`, what the server took at most. With `--alone` after DATA nobody else clicks.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "dashboard" / "app_pages").glob("[a-z]*.py"))
FIRST = "overview"
"""The page at the root."""
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
CORES = 2
TURNS = 2
PEOPLE, SECONDS_BETWEEN, SECONDS = 10, 5.0, 60.0
PRIORITIES = ("1", "2", "3", "4", "5")
PERIODS = ("4w", "12w", "26w", "12m")
# Notes in the page when its lead, a sentence with the numbers, was there, and when anything changed last.
WATCH = """
window.seen = {painted: null, changed: 0};
new MutationObserver(() => {
    const now = performance.now();
    window.seen.changed = now;
    if (window.seen.painted === null && document.querySelector('.st-key-lead p')) {
        requestAnimationFrame(() => { window.seen.painted ??= performance.now(); });
    }
}).observe(document, {childList: true, subtree: true, characterData: true});
"""
# While the server asks for long nothing changes, so what counts is that it has finished, too.
AT_REST = """() => performance.now() - window.seen.changed > 500
    && document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-testid=stStatusWidget]') && document.querySelector('[data-testid=stMain] h1')"""


class Server(NamedTuple):
    """The dashboard as it is served, and its process."""

    address: str
    process: int


@contextmanager
def served(data: Path) -> Iterator[Server]:
    """Serve a data directory on the cores that are measured."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "etl", "--data", str(data), "serve", "--port", str(port), "--address", "127.0.0.1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii").split()
        try:
            yield Server(found[0], int(children[0]))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


class Person:
    """One session, spoken to as the browser does."""

    def __init__(self, address: str) -> None:
        """Connect."""
        url = address.replace("http://", "ws://") + "/_stcore/stream"
        self.socket: ClientConnection = connect(url, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
        self.complaints: list[str] = []

    def send(self, message: BackMsg) -> None:
        """Send one message."""
        self.socket.send(message.SerializeToString())

    def forget(self) -> None:
        """Have the server forget every answer."""
        self.send(BackMsg(clear_cache=True))

    def open(self, page: str, query: str = "") -> float:
        """Open a page under a URL and wait until it is sent; give the seconds."""
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = "" if page == FIRST else page
        began = time.perf_counter()
        self.send(message)
        while True:
            found = ForwardMsg()
            found.ParseFromString(self.socket.recv(timeout=60))  # type: ignore[arg-type]
            kind = found.WhichOneof("type")
            if kind == "delta" and found.delta.new_element.WhichOneof("type") == "exception":
                self.complaints.append(found.delta.new_element.exception.message)
            if kind == "delta" and "could not be drawn" in found.delta.new_element.heading.body:
                self.complaints.append(found.delta.new_element.heading.body)
            if kind == "script_finished" and found.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return time.perf_counter() - began


def _clicks(address: str, seed: int, until: float, waited: list[float], complaints: list[str]) -> None:
    chance = random.Random(seed)
    time.sleep(SECONDS_BETWEEN * chance.random())
    try:
        person = Person(address)
        while time.perf_counter() < until:
            filters = [f"period={chance.choice(PERIODS)}"]
            filters += [f"priority={one}" for one in chance.sample(PRIORITIES, chance.randint(0, 2))]
            took = person.open(chance.choice(PAGES), "&".join(filters))
            waited.append(took)
            time.sleep(max(0.0, SECONDS_BETWEEN - took))
        complaints.extend(person.complaints)
    except Exception as error:
        complaints.append(f"{type(error).__name__}: {error}")


def crowd(server: Server) -> dict[str, Any]:
    """Let ten people click every five seconds, each on a page and filters of chance, and nothing asked before."""
    Person(server.address).forget()
    waited: list[float] = []
    complaints: list[str] = []
    until = time.perf_counter() + SECONDS
    people = [
        threading.Thread(target=_clicks, args=(server.address, seed, until, waited, complaints))
        for seed in range(PEOPLE)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    ordered = sorted(waited)
    return {
        "clicks": len(ordered),
        "median": ordered[len(ordered) // 2],
        "p95": ordered[int(len(ordered) * 0.95)],
        "complaints": complaints,
    }


def most_mib(server: Server) -> float:
    """Give the most memory that the server ever had."""
    status = Path(f"/proc/{server.process}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def _seen(page: Any, began: float) -> tuple[float, float]:
    page.wait_for_function(AT_REST, timeout=120_000, polling=50)
    seen = page.evaluate("() => window.seen")
    # A page without a sentence has said what it says when all of it is drawn.
    return ((seen["painted"] or seen["changed"]) - began) / 1000, (seen["changed"] - began) / 1000


def _page(browser: Any, server: Server, name: str) -> dict[str, float]:
    """Open a page that nobody has opened, in a browser without a cache; then choose a priority."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    try:
        context.add_init_script(WATCH)
        page = context.new_page()
        Person(server.address).forget()
        page.goto(f"{server.address}/{'' if name == FIRST else name}", wait_until="commit")
        painted, drawn = _seen(page, 0.0)
        page.get_by_role("button", name="Change what is shown").click()
        page.locator(".st-key-f_priority input").click()
        option = page.get_by_role("option", name="P1", exact=True)
        option.wait_for()
        page.wait_for_timeout(300)
        began = page.evaluate("() => performance.now()")
        option.click()
        page.wait_for_function("([began]) => window.seen.changed > began + 1", arg=[began], polling=20)
        page.wait_for_timeout(200)
        _, changed = _seen(page, began)
    finally:
        context.close()
    return {"painted": painted, "drawn": drawn, "changed": changed}


def pages(server: Server) -> dict[str, dict[str, float]]:
    """Open every page; the best of some turns of each."""
    from playwright.sync_api import sync_playwright

    found: dict[str, dict[str, float]] = {}
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name in PAGES:
            turns = [_page(browser, server, name) for _ in range(TURNS)]
            found[name] = {what: min(turn[what] for turn in turns) for what in turns[0]}
        browser.close()
    return found


def measure(data: Path, *, alone: bool) -> dict[str, Any]:
    """Measure the browser, then the people; the server, the browser and the people share the cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with served(data) as server:
        Person(server.address).open("definitions")
        found: dict[str, Any] = {"pages": pages(server)}
        if not alone:
            found["crowd"] = crowd(server)
        return {**found, "mib": most_mib(server)}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), alone="--alone" in sys.argv[2:])))
