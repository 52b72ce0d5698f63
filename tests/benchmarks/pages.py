"""What the queries of each page take: every page is drawn by the app itself, and each query that it runs is timed.

`python -m tests.benchmarks.pages DATA` prints JSON: page -> view -> what was measured.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "dashboard" / "app.py"
PAGES = sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))
VIEWS: dict[str, dict[str, list[str]]] = {
    "by default": {},
    "P1 and P2": {"priority": ["1", "2"]},
    "everything by month": {"period": ["all"], "grain": ["month"]},
}
TURNS = 3
CORES = 2


def _is_at(app: Any, page: str, parameters: dict[str, list[str]]) -> None:
    app.switch_page(f"app_pages/{page}.py")
    app.query_params.clear()
    for name, values in parameters.items():
        app.query_params[name] = values


def measure(data: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Draw each page under each view with nothing kept from before, and once more."""
    os.environ["MEANTIME_DATA"] = str(data)
    # DuckDB takes as many threads as there are cores for it.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    logging.disable(logging.WARNING)
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    from dashboard import query

    asked: list[tuple[str, float]] = []
    frame = query.Warehouse.frame

    def timed(self: query.Warehouse, text: str, values: dict[str, Any] | None = None) -> Any:
        began = time.perf_counter()
        found = frame(self, text, values)
        asked.append((f"{text}{values}", time.perf_counter() - began))
        return found

    query.Warehouse.frame = timed  # type: ignore[method-assign]
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.run()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for page in PAGES:
        for view, parameters in VIEWS.items():
            turns = []
            for _ in range(TURNS):
                st.cache_data.clear()
                st.cache_resource.clear()
                gc.collect()
                _is_at(app, page, parameters)
                asked.clear()
                app.run()
                assert not app.exception, app.exception
                assert not [one for one in app.header if "could not be drawn" in one.value], page
                turns.append((sum(seconds for _, seconds in asked), list(asked)))
            seconds, queries = min(turns)
            asked.clear()
            app.run()
            results.setdefault(page, {})[view] = {
                "milliseconds": seconds * 1000,
                "queries": len(queries),
                "asked_twice": sum(n - 1 for n in Counter(text for text, _ in queries).values()),
                "repeated": len(asked),
            }
    return results


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
