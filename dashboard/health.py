"""How the dashboard is: what `/healthz` answers to a monitor, and what `/metrics` tells Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from dashboard import query, timings, view, words

log = logging.getLogger("meantime.dashboard")


class Health(NamedTuple):
    """What can be read now, and why that is not well; no path, no secret."""

    version: int | None = None
    published_at: datetime | None = None
    as_of: Mapping[str, datetime] = {}
    """Source -> the instant up to which it is known, UTC."""
    reasons: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """There is nothing to complain of."""
        return not self.reasons


def examine(data: Path, most_hours: Mapping[str, float], now: datetime) -> Health:
    """Look at what is published.

    Args:
        data: the data directory.
        most_hours: source -> how old its data may be.
        now: UTC, naive.
    """
    path = query.version(data)
    if path is None:
        return Health(reasons=("nothing is published",))
    try:
        opened = view.warehouse(str(path))
        published_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
        known = opened.sources.select("source", "as_of").iter_rows()
        as_of = {source: instant for source, instant in known if instant is not None}
    except Exception:
        # DuckDB names the file in what it says: that is for the log.
        log.exception("the published version cannot be read")
        return Health(reasons=("the published version cannot be read; the server's log says why",))
    old = tuple(
        f"the data of source '{source}' are {words.age(_age(as_of[source], now)).replace(words.GAP, ' ')} old, "
        f"more than the {hours:g} hours that the configuration allows"
        for source, hours in sorted(most_hours.items())
        if source in as_of and now - as_of[source] > timedelta(hours=hours)
    )
    missing = tuple(
        f"source '{source}' has no data in the published version"
        for source in sorted(most_hours)
        if source not in as_of
    )
    return Health(opened.number, published_at, as_of, old + missing)


def told(health: Health, now: datetime) -> dict[str, object]:
    """Give it as the object that `/healthz` answers; instants are UTC."""
    return {
        "status": "ok" if health.is_well else "unhealthy",
        "reasons": list(health.reasons),
        "version": health.version,
        "published_at": _text(health.published_at) if health.published_at else None,
        "sources": {
            source: {"as_of": _text(instant), "age_seconds": _age(instant, now)}
            for source, instant in health.as_of.items()
        },
    }


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds") + "Z"


def _age(instant: datetime, now: datetime) -> int:
    return round((now - instant).total_seconds())


def exposition(health: Health, now: datetime, meantime: str) -> str:
    """Write the metrics in Prometheus' text format, version 0.0.4.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    queries, count, total = timings.QUERIES.read()
    histogram: list[tuple[str, Mapping[str, str], float]] = [
        *(("_bucket", {"le": f"{bound:g}"}, up_to) for bound, up_to in queries),
        ("_bucket", {"le": "+Inf"}, count),
        ("_sum", {}, round(total, 6)),
        ("_count", {}, count),
    ]
    families = [
        _family("meantime_info", "gauge", "The version of Meantime.", [("", {"version": meantime}, 1)]),
        _family("meantime_healthy", "gauge", "1 if /healthz has nothing to complain of.", [("", {}, health.is_well)]),
        _family(
            "meantime_published_version",
            "gauge",
            "Number of the published version.",
            [("", {}, health.version)] if health.version is not None else [],
        ),
        _family(
            "meantime_published_timestamp_seconds",
            "gauge",
            "When it was published.",
            [("", {}, _epoch(health.published_at))] if health.published_at else [],
        ),
        _family(
            "meantime_data_as_of_timestamp_seconds",
            "gauge",
            "Up to when a source's data are known.",
            [("", {"source": source}, _epoch(instant)) for source, instant in health.as_of.items()],
        ),
        _family(
            "meantime_data_age_seconds",
            "gauge",
            "How long ago that is.",
            [("", {"source": source}, _age(instant, now)) for source, instant in health.as_of.items()],
        ),
        _family("meantime_query_seconds", "histogram", "Queries of the warehouse by the pages.", histogram),
        _family(
            "meantime_pages_total",
            "counter",
            "Pages by what became of them.",
            [("", {"page": page, "outcome": outcome}, n) for (page, outcome), n in timings.PAGES.read().items()],
        ),
        _family(
            "meantime_sessions",
            "gauge",
            "Browsers that are connected.",
            [("", {}, timings.CONNECTED.read().get((), 0))],
        ),
    ]
    return "".join(families)


def _epoch(instant: datetime) -> int:
    return int(instant.replace(tzinfo=UTC).timestamp())


def _family(name: str, kind: str, said: str, samples: Iterable[tuple[str, Mapping[str, str], float]]) -> str:
    lines = [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]
    for suffix, labels, value in samples:
        marks = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"{name}{suffix}{f'{{{marks}}}' if marks else ''} {value + 0}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
