"""The server: the dashboard, and beside it how it is (`/healthz`) and what it measures (`/metrics`).

Run as `python -m dashboard.serving` by `meantime serve`, which says in MEANTIME_SERVING what is served. The routes are
those of Streamlit's own application object, `st.App`: one process, one port, one base path.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import branding, logged, timings

log = logging.getLogger("meantime.dashboard")
SCRIPT = Path(__file__).parent / "app.py"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
FRESH = {"Cache-Control": "no-store"}
SETTLED: Mapping[str, Any] = {
    "server.headless": True,
    # Nobody is told that it runs: neither Streamlit's makers, nor who says what the address outside is.
    "browser.gatherUsageStats": False,
    "logger.hideWelcomeMessage": True,
    "logger.level": "warning",
    # Set by rich, what fails would be told on stdout.
    "logger.enableRich": False,
    # The files of a running server are not those of the next release.
    "server.fileWatcherType": "none",
}
"""What holds however it is served."""


class Served(NamedTuple):
    """What `meantime serve` was told."""

    data: str
    address: str
    port: int
    base_path: str = ""
    """Without slashes at its ends; empty at the root."""
    locale: str | None = None
    """How numbers and days are written; None: as each reader's browser says."""
    most_hours: Mapping[str, float] = {}
    """Source -> how old its data may be before `/healthz` complains."""
    name: str | None = None
    """What a company calls the dashboard; None: as we do."""
    logo: str | None = None
    """The file of its logo."""
    colours: Mapping[str, str] = {}
    """Theme -> its colour."""
    log_format: str = "text"
    """How stderr is written: `text` or `json`."""


class Connections:
    """Counts the browsers that are connected, and refuses pages of strangers that would talk to this server.

    Streamlit refuses them, too, but asks a host outside first for its own address, to tell whether they are none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is not a browser's connection, or counts as one."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin, host = headers.get("origin"), headers.get("host", "")
        if origin is not None and origin.partition("://")[2] != host:
            log.warning(
                "refused a connection of a page of %s: this server is asked for as %s. "
                "If a proxy stands between, let it pass on the header Host",
                origin,
                host,
            )
            await send({"type": "websocket.close", "code": 1008})
            return
        timings.CONNECTED.add()
        try:
            await self._app(scope, receive, send)
        finally:
            timings.CONNECTED.add(by=-1)


class Foresight:
    """Reads what every page asks first of a version while the browser that asks for a page still reads Streamlit's files."""

    def __init__(self, app: ASGIApp, data: Path) -> None:
        self._app, self._data = app, data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; whoever asks for a document will ask for a page."""
        if scope["type"] == "http" and is_for_a_reader(scope):
            threading.Thread(target=read_ahead, args=(self._data,), name="reading ahead", daemon=True).start()
        await self._app(scope, receive, send)


def is_for_a_reader(scope: Scope) -> bool:
    """Say whether somebody asks for a document; what a document needs, its scripts and pictures, is asked for otherwise."""
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def read_ahead(data: Path) -> None:
    """Open the newest version and ask what is above every page; what cannot be read there, the page itself says."""
    from dashboard import query, view

    with contextlib.suppress(query.NoWarehouse, query.EngineError):
        path = view.newest(data)
        if path is not None and view.warehouse(path).first_day is not None:
            for question in ("choices", "latest_as_of", "is_sample"):
                view.ask(path, question)


def application(served: Served) -> st.App:
    """Give the dashboard with its two answers for machines, at the root and below the base path."""
    data, release = Path(served.data), _release()

    def healthz(_: Request) -> Response:
        from dashboard import health

        now = _now()
        found = health.examine(data, served.most_hours, now)
        return JSONResponse(health.told(found, now), 200 if found.is_well else 503, headers=FRESH)

    def metrics(_: Request) -> Response:
        from dashboard import health

        now = _now()
        text = health.exposition(health.examine(data, served.most_hours, now), now, release)
        return PlainTextResponse(text, media_type=EXPOSITION, headers=FRESH)

    prefixes = dict.fromkeys(("", f"/{served.base_path}" if served.base_path else ""))
    return st.App(
        SCRIPT,
        routes=[
            Route(prefix + path, answer)
            for prefix in prefixes
            for path, answer in (("/healthz", healthz), ("/metrics", metrics))
        ],
        lifespan=_ready,
        middleware=[Middleware(Connections), Middleware(Foresight, data=data)],
        on_script_error=_failed,
    )


@asynccontextmanager
async def _ready(_: st.App) -> AsyncIterator[None]:
    """Read the pages' modules before the first reader comes; not earlier, because their caches ask for the runtime."""
    importlib.import_module("dashboard.shell")
    # After each run, a look for new data too, Streamlit has all objects searched for circles; modules are none.
    gc.collect()
    gc.freeze()
    yield


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _release() -> str:
    try:
        return version("meantime")
    except PackageNotFoundError:
        return "unknown"


def _failed(_: Exception) -> bool:
    """Say in plain words what the log says at length: Streamlit has written it there already."""
    from dashboard.parts import no_page

    no_page.failed()
    return True


def main() -> None:
    """Serve until a signal ends it."""
    served = Served(**json.loads(os.environ["MEANTIME_SERVING"]))
    os.environ["MEANTIME_DATA"] = served.data
    if served.log_format == "json":
        logged.as_json()
    if served.locale:
        os.environ["MEANTIME_LOCALE"] = served.locale
    worn = {"name": served.name, "logo": served.logo}
    os.environ["MEANTIME_BRAND"] = json.dumps({key: value for key, value in worn.items() if value})
    # Streamlit puts the folder of what was started first on the path: not that of our modules, for the same reason.
    sys.argv[:] = [str(SCRIPT.parent.with_name("meantime"))]
    application(served).run(
        config={
            **SETTLED,
            **branding.options(served.colours),
            "server.address": served.address,
            "server.port": served.port,
            "server.baseUrlPath": served.base_path,
        }
    )


if __name__ == "__main__":
    main()
