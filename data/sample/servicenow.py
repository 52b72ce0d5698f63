"""The ServiceNow sample: a list export of incidents, and the audit export of the same incidents.

Each incident's life is planned as a row of changes. Replaying them gives both files, so they cannot contradict each
other: a list row is what the last change left behind. All stamps are Berlin time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from servicenow_services import (
    APPLICATION_NAMES,
    DEPARTMENTS,
    HOURS_OF_WORK_FACTORS,
    LOCATIONS,
    SERVICE_DESK,
    SERVICES,
    TEAM_SIZES,
    Service,
)
from story import (
    BRIDGING_DAYS,
    GERMAN_HOLIDAYS,
    MACHINES,
    NETWORK,
    OFFICE,
    OUTAGE_BEGINS_AT,
    OUTAGE_ENDS_AT,
    PAYMENTS,
    REORGANISED_AT,
    later,
    months_since_start,
    opening_times,
    people,
    pick,
    skewed,
)

SEED = "meantime sample: servicenow"
AS_OF = datetime(2026, 1, 1)
RAISED_BY_PEOPLE, RAISED_BY_MONITORING = 6380, 480
CALLERS = 420
SKIPPED_HOUR = datetime(2025, 3, 30, 2)
"""That night the clocks go from two to three."""

NEW, IN_PROGRESS, ON_HOLD, RESOLVED, CLOSED, CANCELED = (
    "New",
    "In Progress",
    "On Hold",
    "Resolved",
    "Closed",
    "Canceled",
)
SYSTEM, WORKFLOW = "system", "Workflow"
MONITORING = "Monitoring"
CHANNELS = {"Phone": 37, "Self-service": 27, "Email": 20, "Chat": 11, "Walk-in": 5}
DESK_CHANNELS = ("Phone", "Chat", "Walk-in")
LEVELS = {1: "1 - High", 2: "2 - Medium", 3: "3 - Low"}
PRIORITIES = {1: "1 - Critical", 2: "2 - High", 3: "3 - Moderate", 4: "4 - Low", 5: "5 - Planning"}
IMPACT_AND_URGENCY = {1: (1, 1), 2: (2, 1), 3: (2, 2), 4: (3, 2), 5: (3, 3)}
PRIORITY_WEIGHTS = {1: 0.7, 2: 6, 3: 50, 4: 33, 5: 10.3}
HOURS_OF_WORK = {1: 1.0, 2: 1.7, 3: 2.6, 4: 4.2, 5: 8.0}
RESOLUTION_TARGET_HOURS = {1: 4, 2: 12, 3: 60, 4: 96, 5: 168}
ESCALATIONS = {"Moderate": 0.5, "High": 0.75, "Overdue": 1.0}
"""What the tool raises the escalation to, and at which share of the resolution target."""
HOLD_HOURS = {"Awaiting Caller": 14.0, "Awaiting Vendor": 40.0, "Awaiting Change": 55.0, "Awaiting Problem": 45.0}
HOLD_WEIGHTS = {"Awaiting Caller": 56, "Awaiting Vendor": 20, "Awaiting Change": 13, "Awaiting Problem": 11}
HOLD_WEIGHTS_REORGANISED = {"Awaiting Caller": 25, "Awaiting Vendor": 50, "Awaiting Change": 20, "Awaiting Problem": 5}
RESOLUTION_CODES = {
    "Solution provided": 66,
    "Workaround provided": 14,
    "User error": 9,
    "Known error": 7,
    "No resolution provided": 4,
}
PAYMENTS_PROBLEM, PAYMENTS_PROBLEM_FROM = "PRB0040117", datetime(2025, 2, 3)
QUESTIONS = (
    "Please tell us the exact time and the error text.",
    "Is it still happening? Please try again and let us know.",
    "Please send a screenshot.",
    "When can we call you back?",
)
ANSWERS = ("Still the same.", "Happened again just now.", "Screenshot attached.", "You can call me after lunch.")
NOTES = ("Checked the logs, nothing unusual.", "Called the user, no answer.", "Restarted the service, watching.")

COLUMNS_BY_LABEL = {
    "Number": "number",
    "Sys ID": "sys_id",
    "Short description": "short_description",
    "Caller": "caller_id",
    "Priority": "priority",
    "Impact": "impact",
    "Urgency": "urgency",
    "State": "state",
    "On hold reason": "hold_reason",
    "Category": "category",
    "Subcategory": "subcategory",
    "Service": "business_service",
    "Configuration item": "cmdb_ci",
    "Assignment group": "assignment_group",
    "Assigned to": "assigned_to",
    "Channel": "contact_type",
    "Location": "location",
    "Opened": "opened_at",
    "Opened by": "opened_by",
    "Resolved": "resolved_at",
    "Resolved by": "resolved_by",
    "Closed": "closed_at",
    "Updated": "sys_updated_on",
    "Updated by": "sys_updated_by",
    "Updates": "sys_mod_count",
    "Reassignment count": "reassignment_count",
    "Reopen count": "reopen_count",
    "Escalation": "escalation",
    "Made SLA": "made_sla",
    "Resolution code": "close_code",
    "Knowledge": "knowledge",
    "Parent Incident": "parent_incident",
    "Problem": "problem_id",
    "Major incident state": "major_incident_state",
    "Cost center": "u_cost_center",
}
COLUMNS = tuple(COLUMNS_BY_LABEL)
AUDIT_COLUMNS = (
    "Table name",
    "Document key",
    "Field name",
    "Old value",
    "New value",
    "User",
    "Created",
    "Update count",
)
JOURNALS = ("comments", "work_notes")
AUDITED = (
    "state",
    "hold_reason",
    "priority",
    "urgency",
    "assignment_group",
    "assigned_to",
    "escalation",
    "reopen_count",
    "close_code",
    "parent_incident",
    "problem_id",
    "major_incident_state",
)
AUDITED_AT_OPENING = ("state", "priority", "assignment_group")


class Caller(NamedTuple):
    name: str
    location: str
    cost_center: str


class Organisation(NamedTuple):
    agents: dict[str, list[str]]
    callers: list[Caller]


class Change(NamedTuple):
    at: datetime
    user: str
    values: dict[str, Any]


class AuditRow(NamedTuple):
    field: str
    old: str
    new: str
    user: str
    at: datetime
    update_count: int


class Ticket:
    """An incident: what it was opened with, what is planned to happen to it, and what was recorded of that."""

    def __init__(self, opened_at: datetime, opened_by: str, service: Service, priority: int, **values: Any) -> None:
        self.opened_at = opened_at
        self.service = service
        self.priority = priority
        self.plan: list[Change] = []
        self.audit: list[AuditRow] = []
        impact, urgency = IMPACT_AND_URGENCY[priority]
        self.values: dict[str, Any] = dict.fromkeys(COLUMNS_BY_LABEL.values(), "") | {
            "state": NEW,
            "priority": PRIORITIES[priority],
            "impact": LEVELS[impact],
            "urgency": LEVELS[urgency],
            "category": service.category,
            "business_service": service.name,
            "opened_at": opened_at,
            "opened_by": opened_by,
            "sys_updated_on": opened_at,
            "sys_updated_by": opened_by,
            "sys_mod_count": 0,
            "reassignment_count": 0,
            "reopen_count": 0,
            "escalation": "Normal",
            "made_sla": "true",
            "knowledge": "false",
            **values,
        }

    def record_opening(self) -> None:
        for field in AUDITED_AT_OPENING:
            if self.values[field]:
                self._audit(field, "", self.values[field])

    def record(self, change: Change) -> None:
        """What the tool does on a save: counts it, stamps it, and keeps old and new value of what it audits."""
        if not any(field in JOURNALS or self.values[field] != new for field, new in change.values.items()):
            return
        self.values |= {
            "sys_mod_count": self.values["sys_mod_count"] + 1,
            "sys_updated_on": change.at,
            "sys_updated_by": change.user,
        }
        for field, new in change.values.items():
            if field in JOURNALS:
                self._audit(field, "", new)
            elif self.values[field] != new:
                if field in AUDITED:
                    self._audit(field, self.values[field], new)
                self._follow(field, new, change)
                self.values[field] = new

    def _follow(self, field: str, new: Any, change: Change) -> None:
        """The fields that the tool fills in by itself."""
        if field == "assignment_group" and self.values["assignment_group"]:
            self.values["reassignment_count"] += 1
        if field == "state" and new == RESOLVED:
            self.values |= {"resolved_at": change.at, "resolved_by": change.user}
        if field == "state" and new in (CLOSED, CANCELED):
            self.values["closed_at"] = change.at

    def _audit(self, field: str, old: Any, new: Any) -> None:
        at, user, count = (self.values[name] for name in ("sys_updated_on", "sys_updated_by", "sys_mod_count"))
        self.audit.append(AuditRow(field, _display(old), _display(new), user, at, count))


class Life:
    """A ticket being worked on: each step moves the clock on and plans what the tool will record."""

    def __init__(self, rng: Random, organisation: Organisation, ticket: Ticket) -> None:
        self.rng = rng
        self.organisation = organisation
        self.ticket = ticket
        self.now = ticket.opened_at
        self.team: str = ticket.values["assignment_group"]
        self.agent = ""
        self.solved_by: str | None = None

    @property
    def is_slowed_down(self) -> bool:
        return self.team == NETWORK and self.now >= REORGANISED_AT

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def work(self, hours: float) -> None:
        self.now = later(
            self.now, hours=hours, around_the_clock=self.ticket.priority <= 2, holidays=GERMAN_HOLIDAYS | BRIDGING_DAYS
        )

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=round(seconds))

    def save(self, user: str, **values: Any) -> None:
        self.ticket.plan.append(Change(self.now, user, values))

    def route(self) -> None:
        """A rule gives the ticket to a team, unless the desk opened it and has it already."""
        if self.team:
            return
        is_for_the_desk = self.ticket.values["contact_type"] != MONITORING and self.chance(0.6)
        self.team = SERVICE_DESK if is_for_the_desk else self.ticket.service.team
        self.wait(self.rng.randint(2, 9))
        self.save(WORKFLOW, assignment_group=self.team)

    def take(self, median_hours: float) -> None:
        """Somebody takes it on, or a colleague hands it out first and it waits again."""
        self.work(skewed(self.rng, median_hours * (1.8 if self.is_slowed_down else 1), 1.0))
        dispatcher, self.agent = self.rng.sample(self.organisation.agents[self.team], 2)
        if self.chance(0.25):
            self.save(dispatcher, assigned_to=self.agent)
            self.work(skewed(self.rng, median_hours, 0.8))
            self.save(self.agent, state=IN_PROGRESS)
        else:
            self.save(self.agent, state=IN_PROGRESS, assigned_to=self.agent)

    def take_at_once(self) -> None:
        """The agent who answered the call stays on it."""
        self.agent = self.ticket.values["opened_by"]
        self.wait(skewed(self.rng, 70, 0.7))
        self.save(self.agent, state=IN_PROGRESS, assigned_to=self.agent)

    def hand_over(self, team: str) -> None:
        self.save(self.agent, assignment_group=team, assigned_to="")
        self.team, self.agent = team, ""

    def correct_priority(self) -> None:
        """Another urgency, so another priority."""
        moved = {1: 2, 2: 3, 3: self.rng.choice((2, 2, 4)), 4: 3, 5: 4}[self.ticket.priority]
        self.wait(self.rng.randint(20, 400))
        impact, urgency = IMPACT_AND_URGENCY[moved]
        self.save(self.agent, priority=PRIORITIES[moved], urgency=LEVELS[urgency], impact=LEVELS[impact])
        self.ticket.priority = moved

    def hold(self) -> None:
        reason = pick(self.rng, HOLD_WEIGHTS_REORGANISED if self.is_slowed_down else HOLD_WEIGHTS)
        values = {"state": ON_HOLD, "hold_reason": reason}
        if reason != "Awaiting Caller":
            self.solved_by = {"Awaiting Change": "Resolved by change", "Awaiting Problem": "Resolved by problem"}.get(
                reason
            )
            self.save(self.agent, **values)
            self.work(skewed(self.rng, HOLD_HOURS[reason] * 0.42, 0.8))
            self.save(self.agent, state=IN_PROGRESS, hold_reason="")
            return
        self.save(self.agent, **values, comments=self.rng.choice(QUESTIONS))
        self.work(skewed(self.rng, HOLD_HOURS[reason] * 0.42, 1.0))
        self.save(self.ticket.values["caller_id"] or WORKFLOW, comments=self.rng.choice(ANSWERS))
        self.wait(1)
        self.save(WORKFLOW, state=IN_PROGRESS, hold_reason="")

    def resolve(self, user: str, code: str, **values: Any) -> None:
        self.save(user, state=RESOLVED, hold_reason="", close_code=code, **values)

    def solve(self) -> None:
        """The assigned agent resolves it, with the problem record where the cause is known to be one."""
        code = self.solved_by or pick(self.rng, RESOLUTION_CODES)
        values: dict[str, Any] = {"knowledge": "true" if self.chance(0.16) else "false"}
        is_known_problem = self.ticket.service.name == PAYMENTS and self.now >= PAYMENTS_PROBLEM_FROM
        if self.chance(0.5 if is_known_problem else 0.015):
            values["problem_id"] = PAYMENTS_PROBLEM if is_known_problem else f"PRB00{self.rng.randint(40001, 40099)}"
        self.resolve(self.agent, code, **values)

    def reopen(self) -> None:
        """The caller comes back within the five days before it is closed."""
        for count in (1, 2):
            if count == 2 and not self.chance(0.1):
                return
            self.work(min(skewed(self.rng, 7, 1.0), 28))
            self.save(
                self.ticket.values["caller_id"] or self.agent,
                state=IN_PROGRESS,
                reopen_count=count,
                close_code="",
                comments=self.rng.choice(ANSWERS),
            )
            self.work(skewed(self.rng, 0.7 * HOURS_OF_WORK[self.ticket.priority], 1.0))
            self.solve()

    def close(self) -> None:
        """By the caller's confirmation, or by the hourly job five days later."""
        caller = self.ticket.values["caller_id"]
        if caller and self.chance(0.12):
            self.work(skewed(self.rng, 3, 0.9))
            self.save(caller, state=CLOSED)
            return
        self.now = (self.now + timedelta(days=5, hours=1)).replace(minute=0, second=0)
        self.wait(self.rng.randint(3, 9))
        self.save(SYSTEM, state=CLOSED)

    def cancel(self) -> None:
        """The caller takes it back, or the desk finds that it is none."""
        caller = self.ticket.values["caller_id"]
        self.work(skewed(self.rng, 1.5, 1.2))
        agent = self.rng.choice(self.organisation.agents[SERVICE_DESK])
        self.save(caller if caller and self.chance(0.6) else agent, state=CANCELED)

    def clear_by_itself(self) -> None:
        """The alarm goes away before anybody looks."""
        self.wait(skewed(self.rng, 1100, 1.1))
        self.resolve(SYSTEM, "Cleared by monitoring")

    def solve_by_caller(self) -> None:
        self.work(skewed(self.rng, 1.2, 1.0))
        self.resolve(self.ticket.values["caller_id"], "Resolved by caller")

    def solve_as_duplicate(self, original: Ticket) -> None:
        self.take(0.4)
        self.wait(skewed(self.rng, 200, 0.6))
        self.resolve(self.agent, "Duplicate", parent_incident=original)

    def propose_major(self) -> None:
        self.wait(self.rng.randint(240, 1500))
        self.save(self.agent, major_incident_state="Proposed")
        self.wait(self.rng.randint(120, 900))
        is_accepted = self.ticket.priority == 1 and self.chance(0.4)
        manager = self.organisation.agents[SERVICE_DESK][0]
        self.save(manager, major_incident_state="Accepted" if is_accepted else "Rejected")

    def pass_the_desk(self) -> bool:
        """True if the service desk solves it; else the ticket is with the service's team afterwards."""
        if self.ticket.values["contact_type"] in DESK_CHANNELS and self.chance(0.85):
            self.take_at_once()
        else:
            self.take(0.5)
        if self.chance(self.ticket.service.desk_solves_share):
            self.work(skewed(self.rng, 0.3 * HOURS_OF_WORK_FACTORS[SERVICE_DESK], 1.1))
            return True
        self.wait(skewed(self.rng, 900, 0.8))
        if self.chance(0.06):
            self.correct_priority()
        self.hand_over(self.ticket.service.team)
        return False

    def find_the_right_team(self) -> None:
        """Some tickets are first given to a team that cannot help, and come back."""
        self.take(0.9)
        while self.chance(0.22 if self.is_slowed_down else 0.08):
            home = self.ticket.service.team
            others = [team for team in HOURS_OF_WORK_FACTORS if team not in (SERVICE_DESK, self.team)]
            self.work(skewed(self.rng, 1.0, 0.8))
            self.hand_over(self.rng.choice(others) if self.team == home else home)
            self.take(1.1)

    def solve_in_team(self) -> None:
        hours = skewed(self.rng, HOURS_OF_WORK[self.ticket.priority] * HOURS_OF_WORK_FACTORS[self.team], 0.95)
        hours *= 2.6 if self.is_slowed_down else 1
        held = self.chance(0.36 if self.is_slowed_down else 0.22)
        self.work(hours * (0.3 if held else 1))
        if held:
            self.hold()
            self.work(hours * 0.7)

    def forget(self) -> None:
        """It is parked, and nobody comes back to it."""
        if self.chance(0.6):
            self.save(self.agent, state=ON_HOLD, hold_reason=pick(self.rng, HOLD_WEIGHTS))

    def be_solved(self) -> None:
        """The ordinary way: by the desk, or by the team of the service, and sometimes once more."""
        if self.team != SERVICE_DESK or not self.pass_the_desk():
            self.find_the_right_team()
            if self.ticket.priority <= 2 and self.chance(0.3 if self.ticket.priority == 1 else 0.03):
                self.propose_major()
            if self.chance(0.15):
                self.save(self.agent, work_notes=self.rng.choice(NOTES))
            if self.chance(0.01):
                self.forget()
                return
            self.solve_in_team()
        self.solve()
        if self.chance(0.12 if self.ticket.service.name == PAYMENTS else 0.045):
            self.reopen()
        self.close()


class Major(NamedTuple):
    """A major incident and the calls that it caused."""

    opened_at: datetime
    hours: float
    service: str
    calls: int
    title: str
    call: str


MAJORS = (
    Major(datetime(2024, 8, 20, 9, 40), 2.6, "E-mail & Calendar", 9, "E-mail down for all offices", "No new mails"),
    Major(datetime(2024, 11, 5, 10, 15), 3.4, "ERP Finance", 8, "ERP production not reachable", "ERP does not open"),
    Major(datetime(2025, 1, 16, 14, 5), 2.2, PAYMENTS, 6, "Card payments rejected", "Customer cannot pay by card"),
    Major(
        OUTAGE_BEGINS_AT + timedelta(minutes=5),
        (OUTAGE_ENDS_AT - OUTAGE_BEGINS_AT).total_seconds() / 3600,
        "Office Network",
        26,
        "Core switch core-sw-01 failed, data centre North cut off",
        "Nothing works any more",
    ),
    Major(datetime(2025, 4, 24, 11, 30), 2.9, PAYMENTS, 9, "Payment gateway times out", "Payments time out"),
    Major(datetime(2025, 6, 10, 8, 50), 1.8, "Identity Platform", 14, "Login fails everywhere", "Cannot log in"),
    Major(datetime(2025, 8, 14, 13, 20), 4.6, PAYMENTS, 11, "Payments stuck in queue", "Payment not confirmed"),
    Major(
        datetime(2025, 9, 23, 9, 5), 9.4, "VPN & Remote Access", 17, "VPN gateways unreachable", "VPN does not connect"
    ),
    Major(datetime(2025, 10, 30, 15, 45), 3.9, PAYMENTS, 12, "Payment database full", "Payment page shows an error"),
    Major(datetime(2025, 12, 4, 10, 10), 5.2, PAYMENTS, 15, "Card payments rejected again", "Card not accepted"),
)


def _organisation(rng: Random) -> Organisation:
    names = iter(people(rng, CALLERS + sum(TEAM_SIZES.values())))
    return Organisation(
        agents={team: [next(names) for _ in range(size)] for team, size in TEAM_SIZES.items()},
        callers=[Caller(name, pick(rng, LOCATIONS), f"CC-{4100 + 10 * rng.randrange(9)}") for name in names],
    )


def _service_at(rng: Random, opened_at: datetime) -> Service:
    months = months_since_start(opened_at)
    return rng.choices(SERVICES, [service.weight + service.growth_per_month * months for service in SERVICES])[0]


def _fill(rng: Random, template: str, configuration_item: str, location: str) -> str:
    return template.format(
        n=rng.randint(2, 9),
        room=rng.randint(101, 399),
        letter=rng.choice("EHKPRSTX"),
        place=location,
        ci=configuration_item,
        app=rng.choice(APPLICATION_NAMES),
        team=rng.choice(DEPARTMENTS),
    )


def _title(rng: Random, complaint: str) -> str:
    """People write the same thing in many ways."""
    if rng.random() < 0.06:
        complaint = rng.choice(("URGENT: ", "Again: ", "Re: ", "Question: ")) + complaint
    if rng.random() < 0.1:
        complaint += rng.choice((" since this morning", " again", ", please help", " - several colleagues", "!!"))
    return complaint


def _priority(rng: Random, service: Service) -> int:
    weights = PRIORITY_WEIGHTS | ({2: 18} if service.name == PAYMENTS else {})
    return rng.choices(list(weights), list(weights.values()))[0]


def _opened(
    rng: Random,
    organisation: Organisation,
    opened_at: datetime,
    service: Service,
    channel: str,
    priority: int,
    title: str = "",
) -> Ticket:
    """A new ticket as the channel makes it: by the desk, by the caller or by the monitoring."""
    caller = rng.choice(organisation.callers)
    location = "" if channel == MONITORING else caller.location
    item = _fill(rng, rng.choice(service.configuration_items), "", caller.location)
    templates = service.alerts if channel == MONITORING else service.complaints
    complaint = _fill(rng, rng.choice(templates), item, caller.location)
    opened_by = caller.name
    if channel == MONITORING:
        opened_by = SYSTEM
    elif channel in DESK_CHANNELS:
        opened_by = rng.choice(organisation.agents[SERVICE_DESK])
    return Ticket(
        opened_at,
        opened_by,
        service,
        priority,
        short_description=title or (complaint if channel == MONITORING else _title(rng, complaint)),
        caller_id="" if channel == MONITORING else caller.name,
        subcategory=rng.choice(service.subcategories),
        cmdb_ci=item if channel == MONITORING or rng.random() < 0.7 else "",
        contact_type=channel,
        location=location,
        u_cost_center="" if channel == MONITORING else caller.cost_center,
        assignment_group=SERVICE_DESK if channel in DESK_CHANNELS else "",
    )


def _ordinary_tickets(rng: Random, organisation: Organisation) -> list[Ticket]:
    openings = [(at, pick(rng, CHANNELS)) for at in opening_times(rng, OFFICE, RAISED_BY_PEOPLE)]
    openings += [(at, MONITORING) for at in opening_times(rng, MACHINES, RAISED_BY_MONITORING)]
    newest_of_service: dict[str, Ticket] = {}
    tickets = []
    for opened_at, channel in sorted(openings):
        service = _service_at(rng, opened_at)
        ticket = _opened(rng, organisation, opened_at, service, channel, _priority(rng, service))
        _live(Life(rng, organisation, ticket), newest_of_service.get(service.name))
        newest_of_service[service.name] = ticket
        tickets.append(ticket)
    return tickets


def _live(life: Life, original: Ticket | None) -> None:
    """One of the things that become of a ticket; `original` is what it may be a duplicate of."""
    channel = life.ticket.values["contact_type"]
    life.route()
    if channel == MONITORING and life.chance(0.45):
        life.clear_by_itself()
        life.close()
    elif life.chance(0.032):
        life.cancel()
    elif channel in ("Self-service", "Email") and life.chance(0.025):
        life.solve_by_caller()
        life.close()
    elif original and life.chance(0.018):
        life.solve_as_duplicate(original)
        life.close()
    else:
        life.be_solved()


def _major_tickets(rng: Random, organisation: Organisation, major: Major) -> list[Ticket]:
    service = next(service for service in SERVICES if service.name == major.service)
    parent = _opened(rng, organisation, major.opened_at, service, "Phone", 1, major.title)
    life = Life(rng, organisation, parent)
    life.take_at_once()
    life.wait(rng.randint(60, 300))
    life.hand_over(service.team)
    life.take(0.05)
    life.wait(rng.randint(120, 600))
    life.save(organisation.agents[SERVICE_DESK][0], major_incident_state="Accepted")
    life.now = max(life.now, major.opened_at) + timedelta(hours=major.hours - 0.4)
    life.solve()
    resolved_at = life.now
    life.close()
    return [parent, *(_call(rng, organisation, parent, major.call, resolved_at) for _ in range(major.calls))]


def _call(rng: Random, organisation: Organisation, parent: Ticket, title: str, resolved_at: datetime) -> Ticket:
    """Somebody reports what is already known; it is resolved together with its parent."""
    span_seconds = (resolved_at - parent.opened_at).total_seconds() - 900
    opened_at = parent.opened_at + timedelta(seconds=round(span_seconds * rng.betavariate(1.2, 2.4)) + 60)
    channel = pick(rng, CHANNELS)
    child = _opened(rng, organisation, opened_at, parent.service, channel, 3, _title(rng, title))
    life = Life(rng, organisation, child)
    life.route()
    if life.chance(0.6):
        life.agent = rng.choice(organisation.agents[life.team])
        life.wait(rng.randint(40, 300))
        life.save(life.agent, state=IN_PROGRESS, assigned_to=life.agent)
    life.wait(rng.randint(20, 240))
    life.save(life.agent or rng.choice(organisation.agents[SERVICE_DESK]), parent_incident=parent)
    life.now = resolved_at + timedelta(seconds=rng.randint(2, 40))
    life.resolve(WORKFLOW, "Solution provided")
    life.close()
    return child


def _plan_escalations(ticket: Ticket, opened_priority: str) -> None:
    """The tool's own watch over the resolution target: it stands still on hold and after the resolution."""
    target = timedelta(hours=RESOLUTION_TARGET_HOURS[int(opened_priority[0])])
    steps = list(ESCALATIONS.items())
    used, since, is_running = timedelta(), ticket.opened_at, True
    for at, state in [(change.at, change.values.get("state")) for change in ticket.plan] + [(AS_OF, None)]:
        while is_running and steps and used + (at - since) >= steps[0][1] * target:
            escalation, share = steps.pop(0)
            values = {"escalation": escalation} | ({"made_sla": "false"} if escalation == "Overdue" else {})
            ticket.plan.append(Change(since + share * target - used, WORKFLOW, values))
        used += (at - since) if is_running else timedelta()
        since = at
        is_running = state in (NEW, IN_PROGRESS) if state else is_running
    ticket.plan.sort(key=lambda change: change.at)


def _replay(ticket: Ticket) -> None:
    _plan_escalations(ticket, ticket.values["priority"])
    ticket.record_opening()
    for change in ticket.plan:
        if change.at <= AS_OF:
            ticket.record(change)


def _spoil(rng: Random, tickets: list[Ticket]) -> None:
    """The few rows that every real export has: five odd ones that stay, one from the future, four that cannot be read."""
    plain = [
        ticket
        for ticket in tickets
        if (ticket.values["state"], ticket.values["contact_type"], ticket.values["reopen_count"])
        == (CLOSED, "Phone", 0)
        and ticket.values["closed_at"] < AS_OF - timedelta(days=30)
    ]
    *logged_afterwards, mistyped, undated, zombie, zombie_2, zombie_3 = rng.sample(plain, 10)
    for ticket in logged_afterwards:
        ticket.values["resolved_at"] = ticket.opened_at - timedelta(minutes=rng.randint(5, 50))
    mistyped.values["opened_at"] = datetime(2026, 3, 14, 10, 20)
    undated.values["opened_at"] = ""
    for ticket in (zombie, zombie_2, zombie_3):
        ticket.record(Change(ticket.values["closed_at"] + timedelta(days=2), SYSTEM, {"state": "Zombie"}))


def tickets() -> list[Ticket]:
    """All incidents of the export, in the order of their numbers."""
    rng = Random(SEED)
    organisation = _organisation(rng)
    result = _ordinary_tickets(rng, organisation)
    for major in MAJORS:
        result += _major_tickets(rng, organisation, major)
    result = sorted((ticket for ticket in result if ticket.opened_at < AS_OF), key=lambda ticket: ticket.opened_at)
    for position, ticket in enumerate(result):
        ticket.values["number"] = f"INC{412001 + position:07d}"
        ticket.values["sys_id"] = f"{rng.getrandbits(32):08x}c3a1b2104fe7d5a0b8c0de11"
    for ticket in result:
        _replay(ticket)
    _spoil(rng, result)
    return result


def _display(value: Any) -> str:
    if isinstance(value, Ticket):
        return value.values["number"]
    if isinstance(value, datetime):
        is_skipped = SKIPPED_HOUR <= value < SKIPPED_HOUR + timedelta(hours=1)
        return f"{value + timedelta(hours=is_skipped):%Y-%m-%d %H:%M:%S}"
    return str(value)


def list_rows(tickets: list[Ticket]) -> Iterator[list[str]]:
    for ticket in tickets:
        yield [_display(ticket.values[field]) for field in COLUMNS_BY_LABEL.values()]


def audit_rows(tickets: list[Ticket]) -> Iterator[list[str]]:
    for ticket in tickets:
        for row in ticket.audit:
            yield [
                "incident",
                ticket.values["sys_id"],
                row.field,
                row.old,
                row.new,
                row.user,
                _display(row.at),
                str(row.update_count),
            ]
