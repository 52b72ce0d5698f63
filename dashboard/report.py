"""A page without a browser: drawn by the very script that readers see, and made into a file."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dashboard import branding, exploring, filters, query, takeaway
from dashboard.record import Record

APP = Path(__file__).resolve().parent / "app.py"
SECONDS = 600
"""What drawing a page may take."""
OF_ITS_OWN = {"explore": exploring.KEYS, "incidents": ("incident",), "ask_the_data": ("sql",)}
"""Parameters that a page reads itself; those that a switch is bound to go by the switch's key."""


class ReportError(Exception):
    """A report could not be made; the message says why."""


class UsageError(ReportError):
    """What was asked for cannot be had; the message names the choices."""


def pages() -> list[str]:
    """Name the pages, by their files."""
    return sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))


def maker_of(file: Path) -> str:
    """Say what a file is to be, by its ending.

    Raises:
        UsageError: nothing ends so, or the extra that draws it is missing.
    """
    ending = file.suffix.removeprefix(".").lower()
    if ending in takeaway.makers():
        return ending
    if ending in takeaway.ENDINGS:
        raise UsageError(f"a {ending} is drawn by the extra `report`; install it: pip install '.[report]'")
    known = ", ".join(f".{one}" for one in takeaway.ENDINGS)
    raise UsageError(f"{file.name}: the name of a report ends in one of {known}")


def choice(
    warehouse: query.Warehouse,
    since: date | None,
    until: date | None,
    grain: str | None,
    where: Sequence[tuple[str, tuple[str | None, ...]]],
) -> dict[str, list[str]]:
    """Write what is to be shown as the parameters of a page's URL.

    Raises:
        UsageError: a column or a value that these data do not have, or days that lie the wrong way round.
    """
    url: dict[str, list[str]] = {}
    if since or until:
        first, last = since or warehouse.first_day, until or warehouse.last_intake_day
        assert first is not None
        assert last is not None
        if first > last:
            raise UsageError(f"the first day, {first}, lies after the last one, {last}")
        url |= {"since": [first.isoformat()], "until": [last.isoformat()]}
    if grain is not None:
        if grain not in filters.GRAINS:
            raise UsageError(f"grain '{grain}' is not one of {', '.join(filters.GRAINS)}")
        url["grain"] = [grain]
    for column, values in where:
        if column not in filters.COLUMNS:
            raise UsageError(f"a page cannot be filtered by '{column}', but by {', '.join(filters.COLUMNS)}")
        url[column] = [filters.NONE if value is None else value for value in values]
    # A number of everything under the name of a misspelt part would be worse than none.
    for said in query.unmatched(warehouse, query.Scope(where=tuple(where))):
        raise UsageError(said)
    return url


def wear(name: str | None, colours: Mapping[str, str]) -> None:
    """Set a company's name and colours, as `meantime serve` does."""
    from streamlit import config

    os.environ["MEANTIME_BRAND"] = json.dumps({"name": name} if name else {})
    for key, value in branding.options(colours).items():
        config.set_option(key, value)


class _Kept(logging.Handler):
    """Keeps the error that a page would tell its reader of in a sentence."""

    error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.error = record.exc_info[1] if record.exc_info else self.error


def drawn(data: Path, page: str, parameters: Mapping[str, Sequence[str]]) -> Record:
    """Draw a page under a URL.

    Raises:
        ReportError: there is nothing to draw.
        UsageError: the page or the data do not know what the URL asks for.
        Exception: whatever kept the page from being drawn.
    """
    from streamlit import logger
    from streamlit.testing.v1 import AppTest

    # Without a browser Streamlit misses one in many words.
    logger.set_log_level("ERROR")
    kept = _Kept()
    log = logging.getLogger("meantime.dashboard")
    log.addHandler(kept)
    log.propagate = False
    os.environ["MEANTIME_DATA"] = str(data.resolve())
    app = AppTest.from_file(str(APP), default_timeout=SECONDS)
    app.switch_page(f"app_pages/{page}.py")
    for name, values in parameters.items():
        app.query_params[name] = list(values)
    app.run()
    log.removeHandler(kept)
    log.propagate = True
    if kept.error is not None:
        raise kept.error
    if "_record" not in app.session_state:
        raise ReportError("there are no incidents to report on")
    record: Record = app.session_state["_record"]
    if record.has_failed or app.exception:
        raise ReportError(f"the page '{page}' could not be drawn")
    # A page in the browser says what it could not heed beside what it shows; nobody looks at a report that is made by night.
    if unheeded := _unheeded(app, page, parameters):
        raise UsageError(f"the page '{page}' or these data do not know {', '.join(unheeded)}")
    return record


def _unheeded(app: Any, page: str, parameters: Mapping[str, Sequence[str]]) -> list[str]:
    """Name the parameters, or values of them, that the page went without."""
    state = app.session_state
    found = [one for name in ("_unknown", "_asked_unknown") if name in state for one in state[name]]
    # Streamlit drops what a bound switch does not offer, and what it has by default.
    offered = {switch.key: switch.options for switch in app.selectbox}
    for name, values in parameters.items():
        if filters.names({name: ""}) or name in OF_ITS_OWN.get(page, ()):
            continue
        if name not in state or not set(values) <= set(offered.get(name, values)):
            found.append(f"{name}: {', '.join(values)}")
    return found


def write(data: Path, page: str, parameters: Mapping[str, Sequence[str]], file: Path) -> None:
    """Make the report of a page; the file is there whole or not at all.

    Raises:
        ReportError: it could not be made.
    """
    ending = maker_of(file)
    content = takeaway.makers()[ending](drawn(data, page, parameters))
    partly = file.with_name(f".{file.name}.part")
    try:
        partly.write_bytes(content)
        partly.replace(file)
    except OSError as error:
        raise ReportError(f"{file} cannot be written ({error.strerror})") from error
    finally:
        partly.unlink(missing_ok=True)
