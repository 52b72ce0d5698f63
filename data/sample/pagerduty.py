"""The PagerDuty sample: the answer of the analytics interface for raw incidents, all of them raised by monitoring.

Stamps are UTC; the days on which things change and the nights in which jobs run are Berlin's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from story import (
    MACHINES,
    NETWORK,
    OUTAGE_BEGINS_AT,
    OUTAGE_ENDS_AT,
    PAYMENTS,
    REORGANISED_AT,
    months_since_start,
    opening_times,
    people,
    pick,
    skewed,
)

SEED = "meantime sample: pagerduty"
BERLIN = ZoneInfo("Europe/Berlin")
AS_OF = datetime(2025, 12, 31, 23, tzinfo=UTC)
ORDINARY_INCIDENTS, OUTAGE_INCIDENTS = 3380, 120
FIRST_NUMBER = 20412
ACKNOWLEDGE_WITHIN_SECONDS = 900
"""After this the next person on the policy is called: an escalation by timeout."""
LONGEST_POLICY = 3
ID_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Service(NamedTuple):
    """`weight` is its share of the incidents in the first month, `growth_per_month` what is added to it."""

    name: str
    weight: float
    growth_per_month: float
    team: str
    auto_resolved_share: float
    hosts: tuple[str, ...]
    alerts: tuple[str, ...]


SERVICES = (
    Service(
        PAYMENTS,
        6,
        1.0,
        "Payments Engineering",
        0.4,
        ("pay-gateway", "pay-batch", "pay-db"),
        (
            "{host}: timeouts to card network above {n} %",
            "{host}: connection pool exhausted",
            "{host}: p99 latency {n}.{n} s",
            "{host}: reconciliation job failed",
            "{host}: queue age {n}0 min",
        ),
    ),
    Service(
        "Customer Portal",
        18,
        0,
        "Application Support",
        0.6,
        ("portal-web-01", "portal-web-02", "portal-api"),
        ("{host}: error rate {n} %", "{host}: response time above {n} s", "{host}: health check failing"),
    ),
    Service(
        "Office Network",
        17,
        0,
        NETWORK,
        0.45,
        ("core-sw-01", "core-sw-02", "fw-north", "dns-01", "wifi-controller"),
        (
            "{host}: port {n} down",
            "{host}: packet loss {n} %",
            "{host}: BGP session {n} lost",
            "{host}: CPU above 9{n} %",
            "{host} unreachable",
        ),
    ),
    Service(
        "VPN & Remote Access",
        8,
        0,
        NETWORK,
        0.45,
        ("vpn-gw-01", "vpn-gw-02"),
        ("{host}: {n}00 sessions, limit near", "{host}: tunnel {n} flapping", "{host}: authentication slow"),
    ),
    Service(
        "Identity Platform",
        12,
        0,
        "Identity & Access",
        0.5,
        ("sso-01", "directory-01"),
        ("{host}: login errors {n}0 per minute", "{host}: replication {n} min behind"),
    ),
    Service(
        "Data Warehouse",
        14,
        0,
        "Database & Storage",
        0.35,
        ("dwh-prod", "dwh-etl"),
        ("{host}: nightly load {n} h late", "{host}: load step {n} failed", "{host}: tablespace 9{n} % full"),
    ),
    Service(
        "File Shares",
        9,
        0,
        "Database & Storage",
        0.55,
        ("filer-01", "filer-02"),
        ("{host}: volume vol{n} 9{n} % full", "{host}: latency {n}0 ms"),
    ),
    Service(
        "E-mail & Calendar",
        10,
        0,
        "Application Support",
        0.65,
        ("mail-01", "mail-02"),
        ("{host}: mail queue above {n}000", "{host}: disk {n} % free"),
    ),
)
TEAM_SIZE = 6
HOURS_TO_SOLVE = {"high": 0.75, "low": 3.2}
PRIORITIES = {"high": {"P1": 3, "P2": 42, "P3": 50, "": 5}, "low": {"P3": 20, "P4": 55, "P5": 10, "": 15}}
OUTAGE_WEIGHTS = {
    "Office Network": 46,
    "VPN & Remote Access": 16,
    "Customer Portal": 16,
    "Identity Platform": 10,
    PAYMENTS: 12,
}


class Team(NamedTuple):
    id: str
    people: list[str]


class Organisation(NamedTuple):
    service_ids: dict[str, str]
    teams: dict[str, Team]


def _id(rng: Random) -> str:
    return "P" + "".join(rng.choices(ID_LETTERS, k=6))


def _organisation(rng: Random) -> Organisation:
    teams = sorted({service.team for service in SERVICES})
    names = people(rng, TEAM_SIZE * len(teams))
    return Organisation(
        {service.name: _id(rng) for service in SERVICES},
        {team: Team(_id(rng), names[n * TEAM_SIZE : (n + 1) * TEAM_SIZE]) for n, team in enumerate(teams)},
    )


def _incident(
    rng: Random, organisation: Organisation, service: Service, opened_at: datetime, urgency: str
) -> dict[str, Any]:
    """What is known when it is triggered; `opened_at` is Berlin time."""
    team = organisation.teams[service.team]
    alert = rng.choice(service.alerts).format(host=rng.choice(service.hosts), n=rng.randint(2, 9))
    return {
        "id": _id(rng),
        "description": alert,
        "status": "triggered",
        "urgency": urgency,
        "priority_name": pick(rng, PRIORITIES[urgency]) or None,
        "service_id": organisation.service_ids[service.name],
        "service_name": service.name,
        "team_id": team.id,
        "team_name": service.team,
        "escalation_policy_name": f"{service.team} on call",
        "created_at": opened_at.replace(tzinfo=BERLIN).astimezone(UTC),
        "resolved_at": None,
        "resolved_by_user_name": None,
        "seconds_to_first_ack": None,
        "seconds_to_resolve": None,
        "timeout_escalation_count": 0,
        "manual_escalation_count": 0,
        "reassignment_count": 0,
        "engaged_user_count": 0,
        "snoozed_seconds": 0,
        "auto_resolved": False,
        "major": False,
    }


def _call_the_next(incident: dict[str, Any], silent_seconds: int) -> None:
    incident["timeout_escalation_count"] = min(silent_seconds // ACKNOWLEDGE_WITHIN_SECONDS, LONGEST_POLICY)


def _acknowledge(rng: Random, incident: dict[str, Any], median_seconds: float) -> None:
    """Somebody takes it, and everybody who slept through his turn was an escalation."""
    seconds = round(skewed(rng, median_seconds, 1.0)) + 15
    incident["seconds_to_first_ack"] = seconds
    _call_the_next(incident, seconds)
    incident["engaged_user_count"] = 1
    if rng.random() < 0.09:
        incident["manual_escalation_count"] = 1
        incident["engaged_user_count"] += 1
    if rng.random() < 0.12:
        incident["reassignment_count"] = rng.choice((1, 1, 1, 2))
        incident["engaged_user_count"] += incident["reassignment_count"]


def _resolve(incident: dict[str, Any], seconds: int, user: str | None) -> None:
    incident["seconds_to_resolve"] = seconds
    incident["resolved_at"] = incident["created_at"] + timedelta(seconds=seconds)
    incident["resolved_by_user_name"] = user
    incident["auto_resolved"] = user is None


def _recover(rng: Random, incident: dict[str, Any]) -> None:
    """The check turns green by itself; now and then somebody had already looked."""
    seconds = round(skewed(rng, 480, 1.0)) + 30
    if rng.random() < 0.22:
        _acknowledge(rng, incident, 140)
        seconds += incident["seconds_to_first_ack"]
    else:
        _call_the_next(incident, seconds)
    _resolve(incident, seconds, None)


def _be_solved(rng: Random, incident: dict[str, Any], team: Team, pace: float) -> None:
    """By a person; a few are resolved without ever having been acknowledged."""
    is_urgent = incident["urgency"] == "high"
    _acknowledge(rng, incident, (230 if is_urgent else 1500) * pace)
    seconds = incident["seconds_to_first_ack"] + round(
        3600 * pace * skewed(rng, HOURS_TO_SOLVE[incident["urgency"]], 1.05)
    )
    if not is_urgent and rng.random() < 0.14:
        incident["snoozed_seconds"] = rng.choice((3600, 14400, 86400))
        seconds += incident["snoozed_seconds"]
    if rng.random() < 0.05:
        incident["seconds_to_first_ack"] = None
    _resolve(incident, seconds, rng.choice(team.people))


def _ordinary_incidents(rng: Random, organisation: Organisation) -> list[dict[str, Any]]:
    incidents = []
    for opened_at in opening_times(rng, MACHINES, ORDINARY_INCIDENTS):
        months = months_since_start(opened_at)
        weights = [service.weight + service.growth_per_month * months for service in SERVICES]
        service = rng.choices(SERVICES, weights)[0]
        incident = _incident(rng, organisation, service, opened_at, pick(rng, {"high": 62, "low": 38}))
        chance = rng.random()
        if chance < service.auto_resolved_share:
            _recover(rng, incident)
        elif chance < 0.993:
            is_slowed_down = service.team == NETWORK and opened_at >= REORGANISED_AT
            _be_solved(rng, incident, organisation.teams[service.team], 2.1 if is_slowed_down else 1)
        elif chance < 0.997:
            _acknowledge(rng, incident, 600)
        incident["major"] = incident["priority_name"] == "P1" and not incident["auto_resolved"]
        incidents.append(incident)
    return incidents


def _outage_incidents(rng: Random, organisation: Organisation) -> list[dict[str, Any]]:
    """One cause and what alerts because of it: nearly all of it recovers when the switch is replaced."""
    services = {service.name: service for service in SERVICES}
    cause = _incident(rng, organisation, services["Office Network"], OUTAGE_BEGINS_AT, "high")
    cause |= {"description": "core-sw-01 unreachable", "priority_name": "P1", "major": True}
    network = organisation.teams[NETWORK]
    _acknowledge(rng, cause, 120)
    _resolve(cause, round((OUTAGE_ENDS_AT - OUTAGE_BEGINS_AT).total_seconds()), network.people[0])
    incidents = [cause]
    for _ in range(OUTAGE_INCIDENTS - 1):
        opened_at = OUTAGE_BEGINS_AT + timedelta(seconds=round(6900 * rng.betavariate(1, 2.2)) + 20)
        service = services[pick(rng, OUTAGE_WEIGHTS)]
        incident = _incident(rng, organisation, service, opened_at, pick(rng, {"high": 80, "low": 20}))
        until_back = round((OUTAGE_ENDS_AT - opened_at).total_seconds()) + rng.randint(30, 900)
        if until_back > 3600 and rng.random() < 0.2:
            _acknowledge(rng, incident, 300)
        else:
            _call_the_next(incident, until_back)
        is_resolved_by_hand = incident["seconds_to_first_ack"] is not None and rng.random() < 0.4
        _resolve(
            incident, until_back, rng.choice(organisation.teams[service.team].people) if is_resolved_by_hand else None
        )
        incidents.append(incident)
    return incidents


def _forget_the_future(incident: dict[str, Any]) -> None:
    """The export knows nothing of what happens after it."""
    age_seconds = (AS_OF - incident["created_at"]).total_seconds()
    if incident["resolved_at"] and incident["resolved_at"] > AS_OF:
        incident |= {"resolved_at": None, "resolved_by_user_name": None, "seconds_to_resolve": None}
        incident |= {"auto_resolved": False, "snoozed_seconds": 0}
    if incident["seconds_to_first_ack"] and incident["seconds_to_first_ack"] > age_seconds:
        incident["seconds_to_first_ack"] = None
    if incident["resolved_at"]:
        incident["status"] = "resolved"
    elif incident["seconds_to_first_ack"]:
        incident["status"] = "acknowledged"


def _spoil(rng: Random, incidents: list[dict[str, Any]]) -> None:
    """Six acknowledged only after they were resolved, and one in a status that nobody knows."""
    by_hand = [i for i in incidents if i["seconds_to_first_ack"] and i["seconds_to_resolve"] and not i["auto_resolved"]]
    *acknowledged_late, unknown = rng.sample(by_hand, 7)
    for incident in acknowledged_late:
        incident["seconds_to_first_ack"] = incident["seconds_to_resolve"] + rng.randint(20, 400)
    unknown["status"] = "snoozed"


def _finished(position: int, incident: dict[str, Any]) -> dict[str, Any]:
    stamps = {
        name: f"{incident[name]:%Y-%m-%dT%H:%M:%SZ}" if incident[name] else None
        for name in ("created_at", "resolved_at")
    }
    escalations = incident["timeout_escalation_count"] + incident["manual_escalation_count"]
    assignments = 1 + escalations + incident["reassignment_count"]
    counts = {"escalation_count": escalations, "assignment_count": assignments}
    return incident | stamps | counts | {"incident_number": FIRST_NUMBER + position}


def document() -> dict[str, Any]:
    """The whole answer, oldest incident first."""
    rng = Random(SEED)
    organisation = _organisation(rng)
    incidents = _ordinary_incidents(rng, organisation) + _outage_incidents(rng, organisation)
    incidents = sorted((i for i in incidents if i["created_at"] < AS_OF), key=lambda i: i["created_at"])
    for incident in incidents:
        _forget_the_future(incident)
    _spoil(rng, incidents)
    data = [_finished(position, incident) for position, incident in enumerate(incidents)]
    return {
        "data": data,
        "first": data[0]["id"],
        "last": data[-1]["id"],
        "limit": len(data),
        "more": False,
        "order": "asc",
        "order_by": "created_at",
    }
