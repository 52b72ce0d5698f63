"""The Jira sample: the CSV export of a customer support project, newest issue first, in New York time.

As the tool writes it: minutes only, English month names, line breaks inside quoted texts, and one column per label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from story import (
    AMERICAN_HOLIDAYS,
    LAST_DAY,
    PAYMENTS,
    SHOPPERS,
    later,
    months_since_start,
    opening_times,
    people,
    pick,
    skewed,
)

SEED = "meantime sample: jira"
AS_OF = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, 18)
ISSUES = 1500
FIRST_ID = 30211
AGENTS, CUSTOMERS = 9, 160

COLUMNS = (
    "Summary",
    "Issue key",
    "Issue id",
    "Issue Type",
    "Status",
    "Priority",
    "Resolution",
    "Assignee",
    "Reporter",
    "Created",
    "Updated",
    "Resolved",
    "Component/s",
    "Labels",
    "Labels",
    "Description",
    "Custom field (Request channel)",
    "Custom field (First response)",
    "Custom field (Satisfaction)",
)
OPEN, IN_PROGRESS, WAITING, PENDING, RESOLVED, CLOSED, CANCELED = (
    "Open",
    "In Progress",
    "Waiting for customer",
    "Pending",
    "Resolved",
    "Closed",
    "Canceled",
)
PRIORITIES = {"Highest": 3, "High": 14, "Medium": 55, "Low": 21, "Lowest": 7}
HOURS_TO_SOLVE = {"Highest": 1.6, "High": 3.5, "Medium": 7.0, "Low": 13.0, "Lowest": 20.0}
HOURS_TO_RESPOND = {"Highest": 0.25, "High": 0.6, "Medium": 1.6, "Low": 3.0, "Lowest": 5.0}
CHANNELS = {"Portal": 48, "Email": 31, "Chat": 14, "Phone": 7}
RESOLUTIONS = {"Done": 76, "Duplicate": 4, "Won't Do": 5, "Cannot Reproduce": 7, "Known Error": 8}
LABELS = ("vip", "mobile", "refund", "eu", "release-notes", "regression")
SATISFACTION = {"5": 48, "4": 27, "3": 12, "2": 6, "1": 7}


class Component(NamedTuple):
    """`weight` is its share of the issues in the first month, `growth_per_month` what is added to it."""

    name: str
    weight: float
    growth_per_month: float
    summaries: tuple[str, ...]


COMPONENTS = (
    Component(
        PAYMENTS,
        7,
        1.1,
        (
            "Charged twice for order #{order}",
            "Card declined at checkout; bank says it is fine",
            "Refund for order #{order} not received",
            "“Payment could not be processed” on every try",
            "Gift card balance shows €0,00",
        ),
    ),
    Component(
        "Storefront",
        26,
        0,
        (
            "Cart empties itself after login",
            "Size filter shows nothing for “Größe {n}”",
            "Product images do not load in {browser}",
            "Search for “café” finds nothing",
            "Voucher code rejected; it is valid until the {n}th",
        ),
    ),
    Component(
        "Mobile App",
        20,
        0,
        (
            "App closes when I open my orders",
            "Push notifications arrive {n} times",
            "Cannot log in after update to 4.{n}",
            "Barcode scanner stays black 😕",
        ),
    ),
    Component(
        "Accounts & Login",
        18,
        0,
        (
            "Password reset mail never arrives",
            "Cannot change my e-mail address",
            "Account locked after {n} attempts",
            "Please delete my account; GDPR request",
            "Two accounts merged by mistake – José’s orders are in mine",
        ),
    ),
    Component(
        "Orders & Returns",
        25,
        0,
        (
            "Order #{order} shown as delivered, nothing came",
            "Return label for #{order} is blank",
            "Wrong item in parcel {order}",
            "Where is my order?\nNo update for {n} days",
            "Return received, but status of #{order} unchanged",
        ),
    ),
)
BROWSERS = ("Firefox", "Chrome", "Safari", "Edge")
GREETINGS = ("Hello,", "Hi team,", "Good morning,", "Hola,", "To whom it may concern;")
DETAILS = (
    "it happens every time; I tried {browser} and my phone.",
    'the page says "something went wrong" and nothing else.',
    "this is the {n}. time I write about it.\r\n\r\nPlease call me back.",
    "steps:\r\n1. log in\r\n2. open order {order}\r\n3. see error",
    "it worked until last week, now it does not – naïve question: did you change anything?",
)


@dataclass
class Issue:
    """One request and where it stands; only what happened before the export counts."""

    created_at: datetime
    updated_at: datetime
    component: Component
    priority: str
    channel: str
    reporter: str
    summary: str
    description: str
    labels: list[str]
    number: int
    status: str = OPEN
    assignee: str = ""
    resolution: str = ""
    resolved_at: datetime | None = None
    first_response_at: datetime | None = None
    satisfaction: str = ""
    unreadable_created: str = ""

    def reaches(self, at: datetime) -> bool:
        """Whether the export still sees this; if so it is the newest change."""
        if at > AS_OF:
            return False
        self.updated_at = at
        return True


def _work(rng: Random, at: datetime, median_hours: float, sigma: float) -> datetime:
    return later(at, hours=skewed(rng, median_hours, sigma), around_the_clock=False, holidays=AMERICAN_HOLIDAYS)


def _text(rng: Random, template: str) -> str:
    return template.format(n=rng.randint(2, 9), order=rng.randint(70000, 79999), browser=rng.choice(BROWSERS))


def _component_at(rng: Random, created_at: datetime) -> Component:
    months = months_since_start(created_at)
    return rng.choices(COMPONENTS, [c.weight + c.growth_per_month * months for c in COMPONENTS])[0]


def _issue(rng: Random, number: int, created_at: datetime, customers: list[str]) -> Issue:
    component = _component_at(rng, created_at)
    is_described = rng.random() < 0.35
    return Issue(
        created_at=created_at,
        updated_at=created_at,
        component=component,
        priority=pick(rng, PRIORITIES),
        channel=pick(rng, CHANNELS),
        reporter=rng.choice(customers),
        summary=_text(rng, rng.choice(component.summaries)),
        description=f"{rng.choice(GREETINGS)}\r\n{_text(rng, rng.choice(DETAILS))}" if is_described else "",
        labels=rng.sample(LABELS, rng.choice((0, 0, 0, 1, 1, 2))),
        number=number,
    )


def _live(rng: Random, issue: Issue, agents: list[str]) -> None:
    """Answered, perhaps asked back, resolved, and closed some days later."""
    if rng.random() < 0.04:
        if issue.reaches(_work(rng, issue.created_at, 2.0, 1.2)):
            issue.status, issue.resolution, issue.resolved_at = CANCELED, "Declined", issue.updated_at
        return
    responded_at = _work(rng, issue.created_at, HOURS_TO_RESPOND[issue.priority], 0.9)
    if rng.random() < 0.003 or not issue.reaches(responded_at):
        return
    issue.status, issue.assignee, issue.first_response_at = IN_PROGRESS, rng.choice(agents), responded_at
    waited_until = _ask_back(rng, issue, responded_at)
    if waited_until is None or rng.random() < 0.006:
        return
    resolved_at = _work(rng, waited_until, HOURS_TO_SOLVE[issue.priority], 1.0)
    if not issue.reaches(resolved_at):
        return
    issue.status, issue.resolution, issue.resolved_at = RESOLVED, pick(rng, RESOLUTIONS), resolved_at
    if rng.random() < 0.42:
        issue.satisfaction = pick(rng, SATISFACTION)
    if issue.reaches(resolved_at + timedelta(days=7, minutes=rng.randint(0, 59))):
        issue.status = CLOSED


def _ask_back(rng: Random, issue: Issue, at: datetime) -> datetime | None:
    """When the answer came; null if the export was made before."""
    chance = rng.random()
    if chance >= 0.33:
        return at
    issue.status = WAITING if chance < 0.27 else PENDING
    answered_at = _work(rng, at + timedelta(minutes=5), 9, 1.0)
    if rng.random() < 0.02 or not issue.reaches(answered_at):
        return None
    issue.status = IN_PROGRESS
    return answered_at


def _spoil(rng: Random, issues: list[Issue]) -> list[Issue]:
    """Three resolved before they were created, two reopened with the old resolution date left in, one without a
    readable date, one in an unknown status; and what an older export said of two of them, to be found twice."""
    plain = [i for i in issues if i.status == CLOSED and i.first_response_at]
    *backdated, reopened, reopened_2, undated, unknown, twice, twice_2 = rng.sample(plain, 9)
    for issue in backdated:
        issue.resolved_at = issue.created_at - timedelta(minutes=rng.randint(10, 90))
    for issue in (reopened, reopened_2):
        issue.status, issue.resolution = IN_PROGRESS, ""
    undated.unreadable_created = "00/Jan/00 00:00"
    unknown.status = "Parked"
    return [*issues, *(_as_first_exported(issue) for issue in (twice, twice_2))]


def _as_first_exported(issue: Issue) -> Issue:
    """As it was on arrival."""
    return replace(
        issue,
        updated_at=issue.created_at,
        status=OPEN,
        assignee="",
        resolution="",
        resolved_at=None,
        first_response_at=None,
        satisfaction="",
    )


def _stamp(at: datetime | None) -> str:
    return f"{at:%d/%b/%y %H:%M}" if at else ""


def _row(issue: Issue) -> list[str]:
    return [
        issue.summary,
        f"SUP-{issue.number}",
        str(FIRST_ID + 3 * issue.number),
        "Incident",
        issue.status,
        issue.priority,
        issue.resolution,
        issue.assignee,
        issue.reporter,
        issue.unreadable_created or _stamp(issue.created_at),
        _stamp(issue.updated_at),
        _stamp(issue.resolved_at),
        issue.component.name,
        *[*issue.labels, "", ""][:2],
        issue.description,
        issue.channel,
        _stamp(issue.first_response_at),
        issue.satisfaction,
    ]


def rows() -> Iterator[list[str]]:
    rng = Random(SEED)
    names = people(rng, AGENTS + CUSTOMERS)
    agents, customers = names[:AGENTS], names[AGENTS:]
    openings = [at for at in opening_times(rng, SHOPPERS, ISSUES) if at < AS_OF]
    issues = [_issue(rng, number, created_at, customers) for number, created_at in enumerate(openings, start=1)]
    for issue in issues:
        _live(rng, issue, agents)
    for issue in reversed(_spoil(rng, issues)):
        yield _row(issue)
