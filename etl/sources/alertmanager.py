"""Prometheus Alertmanager: its webhooks as files.

Follows the vendor's document "Configuration: webhook_config" (message version 4, Alertmanager 0.16 and later).

Reads: each alert of each notification, firing and resolved. An alert of the same labels that fires again is another
incident: the id is fingerprint and start. Needs a receiver that writes what Alertmanager posts into files, one message
to a file or to a line. The interface `/api/v2/alerts` is not pulled: it shows what fires now and tells no resolution, so
an incident from it would never end. Limits: `max_alerts` of the receiver cuts a message (`truncatedAlerts`; each such
message is noted); an alert that is resolved before `group_wait` is never sent. Cannot know: who acknowledged what
(Alertmanager knows silences, not acknowledgements), groups, assignments. Every alert is raised by a machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from etl.incident import SNAPSHOT, VERSION, conform, schema
from etl.reading import LINE, Export
from etl.shaping import History, Verdicts, coalesced, instant, integer, newest
from etl.sources import Canonical, Options, SourceError
from etl.sources._records import Plan, Records, planned

STATUS: dict[str, str] = {"firing": "new", "resolved": "resolved"}

PRIORITY: dict[str, int] = {
    "critical": 1, "page": 1, "error": 2, "high": 2, "warning": 3, "medium": 3, "low": 4, "info": 5, "none": 5,
}  # fmt: skip
"""Words that people use in the label `severity`; Prometheus prescribes none."""

CHANNEL = "monitoring"

FIELDS: dict[str, tuple[str, ...]] = {
    "incident_id": ("id",),
    "title": ("annotations.summary", "labels.alertname"),
    "state": ("status",),
    "priority": ("labels.severity",),
    "service": ("labels.service", "labels.job"),
    "configuration_item": ("labels.instance",),
    "assignment_group": ("labels.team",),
    "category": ("labels.alertname",),
    "url": ("generatorURL",),
    "opened_at": ("startsAt",),
    "resolved_at": ("endsAt",),
}
"""Where an alert has it; labels are yours, so name them with `[sources.NAME.fields]`, as `service = "labels.app"`."""

_ALERT = {
    "status": "firing",
    "labels": {
        "alertname": "QueueLong",
        "severity": "critical",
        "instance": "mx01:9100",
        "job": "mail",
        "team": "Mail",
    },
    "annotations": {"summary": "Mail queue above 5000"},
    "startsAt": "2025-03-03T07:00:00.353Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example/graph",
    "fingerprint": "c6a1e7b2f0d94b11",
}
_MESSAGE = {
    "version": "4",
    "groupKey": '{}:{alertname="QueueLong"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "meantime",
    "groupLabels": {"alertname": "QueueLong"},
    "commonLabels": {"alertname": "QueueLong"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example",
    "alerts": [_ALERT],
}
WEBHOOK = ("alerts", "groupKey")
"""What a file of one webhook message has; many of them are read together."""
EXAMPLE: dict[str, bytes] = {
    "firing.json": json.dumps(_MESSAGE).encode(),
    "resolved.json": json.dumps(
        {
            **_MESSAGE,
            "status": "resolved",
            "alerts": [{**_ALERT, "status": "resolved", "endsAt": "2025-03-03T08:30:00.353Z"}],
        }
    ).encode(),
}
EXAMPLE_OPTIONS: dict[str, str] = {"timezone": "UTC"}


def prepare(export: Export, options: Options) -> Plan:
    """See that these are webhooks of Alertmanager.

    Raises:
        SourceError: they are not, or a configured field is none.
    """
    if not {"alerts", "groupKey"} <= set(export.columns):
        raise SourceError(
            f"{options.source}: {export.name}: this is no webhook of Alertmanager (no `alerts` and `groupKey`); the file "
            f"has {', '.join(export.columns[:40])}"
        )
    return planned(export, options, FIELDS)


def normalise(chunk: pl.DataFrame, plan: Plan) -> Canonical:
    """Turn messages into canonical rows, one incident for each time that an alert fired.

    Args:
        chunk: string columns and the line of each row.
        plan: what `prepare` found.
    """
    rows: list[dict[str, str | None]] = []
    lines: list[int] = []
    for line, text in zip(chunk[LINE], coalesced(chunk, ["alerts"]), strict=True):
        for alert in json.loads(text or "[]"):
            rows.append(_flat(alert))
            lines.append(line)
    names = sorted({name for row in rows for name in row})
    alerts = pl.DataFrame(
        {name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in names}
        | {LINE: pl.Series(lines, dtype=pl.Int64)}
    )
    records = Records(alerts, plan, "alert")
    opened_at = records.stamp("opened_at", needed=True)
    source_state = records.text("state")
    state = records.state(source_state, STATUS)
    severity = records.text("priority")
    ended_at = records.stamp("resolved_at").zip_with(state == "resolved", records.nothing(pl.Datetime("us")))
    service = records.text("service")
    frame = pl.DataFrame(
        {
            "incident_id": records.ids,
            "title": records.text("title"),
            "url": records.text("url"),
            "state": state,
            "source_state": source_state,
            "priority": records.priority(severity, PRIORITY),
            "source_priority": severity,
            "category": records.text("category"),
            "service": service,
            "configuration_item": records.text("configuration_item"),
            "assignment_group": records.text("assignment_group"),
            "channel": pl.repeat(CHANNEL, alerts.height, eager=True),
            "opened_at": opened_at,
            "resolved_at": ended_at,
            # A message has no stamp; what ended stays so, since another firing is another incident.
            "updated_at": ended_at.fill_null(opened_at) if alerts.height else ended_at,
            "is_auto_resolved": pl.repeat(None, alerts.height, dtype=pl.Boolean, eager=True),
            "version_number": records.nothing(pl.Int64()),
            "attributes": coalesced(alerts, ["all"]),
        }
    ).with_columns(services=pl.when(pl.col("service").is_not_null()).then(pl.concat_list("service")))
    frame = frame.drop("service").filter(records.verdicts.good)
    return Canonical(
        versions=conform(newest(frame), VERSION),
        snapshots=pl.DataFrame(schema=schema(SNAPSHOT)),
        events=_events(frame, plan).events,
        rejected=records.verdicts.rejected,
        issues=pl.concat([records.verdicts.issues, _truncated(chunk, plan, alerts)]),
    )


def _flat(alert: Mapping[str, Any]) -> dict[str, str | None]:
    labels, annotations = alert.get("labels") or {}, alert.get("annotations") or {}
    start = instant(alert.get("startsAt"))
    key = alert.get("fingerprint") or (json.dumps(labels, sort_keys=True) if labels else None)
    plain = {name: alert.get(name) for name in ("status", "startsAt", "endsAt", "generatorURL", "fingerprint")}
    return {
        **{name: None if value in (None, "") else str(value) for name, value in plain.items()},
        **{f"labels.{name}": str(value) for name, value in labels.items()},
        **{f"annotations.{name}": str(value) for name, value in annotations.items()},
        "id": f"{key}-{start:%Y%m%dT%H%M%S}" if key and start else key,
        "all": json.dumps({"labels": labels, "annotations": annotations}, ensure_ascii=False, sort_keys=True),
    }


def _events(frame: pl.DataFrame, plan: Plan) -> History:
    """A machine ends an alert. That it opened it is not told: an alert that fires has no history to acknowledge in."""
    history = History(plan.file)
    for id_, ended_at in frame.select("incident_id", "resolved_at").iter_rows():
        if ended_at is not None:
            history.add(
                id_, f"{id_}-resolved", ended_at, "resolved", sequence=1, before="new", after="resolved",
                actor_kind="automation",
            )  # fmt: skip
    return history


def _truncated(chunk: pl.DataFrame, plan: Plan, alerts: pl.DataFrame) -> pl.DataFrame:
    """Note the messages that Alertmanager cut, at the first alert of each."""
    cut = integer(coalesced(chunk, ["truncatedAlerts"])).fill_null(0)
    firsts = dict(reversed(list(alerts.select(LINE, coalesced(alerts, ["id"]).alias("id")).iter_rows())))
    ids = pl.Series([firsts.get(line) for line in chunk[LINE]], dtype=pl.String)
    verdicts = Verdicts(chunk, plan.file, ids)
    verdicts.note(
        cut > 0,
        "message_cut_off",
        "truncatedAlerts",
        cut,
        "The message left out so many alerts: they are unknown until another one names them; raise `max_alerts`",
    )
    return verdicts.issues
