"""What the ServiceNow sample's services are, which team solves their incidents, and what people complain about."""

from __future__ import annotations

from typing import NamedTuple

from story import NETWORK, PAYMENTS

SERVICE_DESK = "Service Desk"
WORKPLACE = "Workplace"
APPLICATIONS = "Application Support"
DATA = "Database & Storage"
IDENTITY = "Identity & Access"
PAYMENTS_TEAM = "Payments Engineering"

TEAM_SIZES = {
    SERVICE_DESK: 12,
    NETWORK: 7,
    WORKPLACE: 7,
    APPLICATIONS: 8,
    DATA: 5,
    IDENTITY: 4,
    PAYMENTS_TEAM: 5,
}
HOURS_OF_WORK_FACTORS = {
    SERVICE_DESK: 0.5,
    NETWORK: 0.9,
    WORKPLACE: 1.0,
    APPLICATIONS: 1.4,
    DATA: 1.1,
    IDENTITY: 0.5,
    PAYMENTS_TEAM: 1.2,
}


class Service(NamedTuple):
    """`weight` is its share of the incidents in the first month, `growth_per_month` what is added to it."""

    name: str
    weight: float
    growth_per_month: float
    category: str
    subcategories: tuple[str, ...]
    team: str
    desk_solves_share: float
    configuration_items: tuple[str, ...]
    complaints: tuple[str, ...]
    alerts: tuple[str, ...]


SERVICES = (
    Service(
        "E-mail & Calendar",
        14,
        0,
        "Software",
        ("E-mail", "Calendar", "Mobile sync"),
        APPLICATIONS,
        0.62,
        ("mail-01", "mail-02", "mail-archive"),
        (
            "Mailbox full, cannot send",
            "Shared mailbox of {team} not visible",
            "Calendar entries appear {n} hour too late",
            "Mails to external partners come back",
            "Mail on the phone has not synchronised for {n} days",
            "Out-of-office reply cannot be switched off",
            "Attachment of {n} MB is blocked",
            "Search in mailbox finds nothing older than {n} weeks",
        ),
        ("Mail queue on {ci} above {n}000", "Disk on {ci} {n} % free"),
    ),
    Service(
        "Workplace Devices",
        17,
        0,
        "Hardware",
        ("Laptop", "Monitor", "Docking station", "Mobile phone"),
        WORKPLACE,
        0.38,
        ("laptop standard", "laptop power", "docking station", "monitor 27", "phone standard"),
        (
            "Laptop does not start after update",
            "Docking station does not recognise the second screen",
            "Battery lasts less than {n} hours",
            "Keyboard: key {letter} is stuck",
            "Screen flickers in {place}",
            "Laptop very slow since this morning",
            "Headset not found in meetings",
            "Phone display broken",
            "Blue screen {n} times today",
        ),
        ("Encryption report: {n} devices without key",),
    ),
    Service(
        "VPN & Remote Access",
        11,
        0,
        "Network",
        ("VPN", "Remote desktop"),
        NETWORK,
        0.42,
        ("vpn-gw-01", "vpn-gw-02", "rds-farm"),
        (
            "VPN drops after {n} minutes",
            "Cannot connect to VPN from home",
            "VPN connected, but no access to {app}",
            "Remote desktop freezes",
            "Token for remote access expired",
            "VPN very slow from {place}",
        ),
        ("{ci}: {n}00 sessions, limit reached", "{ci}: certificate expires in {n} days"),
    ),
    Service(
        "Office Network",
        9,
        0,
        "Network",
        ("LAN", "Wi-Fi", "Firewall", "DNS"),
        NETWORK,
        0.2,
        ("core-sw-01", "core-sw-02", "wifi-controller", "fw-north", "dns-01"),
        (
            "No network in room {room}",
            "Wi-Fi in {place} keeps asking for the password",
            "Network socket dead at desk {room}",
            "{app} not reachable from {place}",
            "Guest Wi-Fi does not show the login page",
            "Video calls stutter on floor {n}",
            "Firewall blocks a partner's address",
            "Whole floor {n} in {place} without network",
        ),
        ("{ci}: port {n} down", "{ci}: packet loss {n} %", "{ci}: power supply failed", "{ci} not answering"),
    ),
    Service(
        PAYMENTS,
        2.2,
        0.62,
        "Software",
        ("Card payment", "Refund", "Reconciliation"),
        PAYMENTS_TEAM,
        0.1,
        ("pay-gateway", "pay-batch", "pay-db"),
        (
            "Card payments time out",
            "Payment shown as failed but money was taken",
            "Refund {n}{room} stuck in processing",
            "Daily reconciliation differs by {n} transactions",
            "Payment page shows error 50{n}",
            "Terminal in {place} rejects all cards",
            "Payment run of this morning is missing {n} orders",
        ),
        (
            "{ci}: timeouts above {n} %",
            "{ci}: connection pool exhausted",
            "{ci}: queue older than {n} minutes",
        ),
    ),
    Service(
        "ERP Finance",
        9,
        0,
        "Software",
        ("Posting", "Reporting", "Interface"),
        APPLICATIONS,
        0.3,
        ("erp-prod", "erp-interface"),
        (
            "Posting period {n} closed too early",
            "Invoice {n}{room} cannot be released",
            "ERP session ends without a message",
            "Report of cost centres empty",
            "Interface to {app} sends amounts twice",
            "No authorisation for transaction ZF{room}",
            "Printing of dunning letters hangs",
        ),
        ("{ci}: job ZNIGHT{n} aborted", "{ci}: {n} dumps in the last hour"),
    ),
    Service(
        "Customer Portal",
        6,
        0,
        "Software",
        ("Login", "Orders", "Performance"),
        APPLICATIONS,
        0.22,
        ("portal-web-01", "portal-web-02", "portal-api"),
        (
            "Customer cannot see order {n}{room}",
            "Portal slow for customers in {place}",
            "Upload in portal ends with an error",
            "Prices in portal differ from {app}",
            "Portal logs customers out after {n} minutes",
        ),
        ("{ci}: response time above {n} s", "{ci}: error rate {n} %"),
    ),
    Service(
        "File Shares",
        7,
        0,
        "Database",
        ("Access", "Restore", "Quota"),
        DATA,
        0.45,
        ("filer-01", "filer-02"),
        (
            "No access to share of {team}",
            "Please restore folder deleted {n} days ago",
            "Share full, cannot save",
            "File locked by a colleague who left",
            "Drive {letter}: missing after login",
        ),
        ("{ci}: volume {n} at 9{n} %",),
    ),
    Service(
        "Printing",
        7,
        0,
        "Hardware",
        ("Printer", "Print queue"),
        WORKPLACE,
        0.48,
        ("printer {place}", "print-01"),
        (
            "Printer in room {room} shows paper jam",
            "Badge printing does not work in {place}",
            "Print-outs come out with stripes",
            "Only half of the pages printed from {app}",
            "Scan to mail does not arrive",
        ),
        ("{ci}: spooler stopped",),
    ),
    Service(
        "Identity Platform",
        13,
        0,
        "Inquiry / Help",
        ("Password", "Account locked", "Access rights"),
        IDENTITY,
        0.78,
        ("directory-01", "sso-01"),
        (
            "Password forgotten",
            "Account locked after holiday",
            "Account locked again, {n} times this week",
            "Second factor lost with the old phone",
            "No rights in {app} after change of department",
            "New colleague cannot log in",
            "Single sign-on loops between {app} and login page",
        ),
        ("{ci}: {n}0 failed logins a second", "{ci}: replication {n} minutes behind"),
    ),
    Service(
        "Telephony",
        4,
        0,
        "Hardware",
        ("Desk phone", "Softphone", "Contact centre"),
        NETWORK,
        0.35,
        ("voice-gw-01", "contact-centre"),
        (
            "No dial tone in room {room}",
            "Softphone rings, but no sound",
            "Callers of the hotline are cut off after {n} minutes",
            "Forwarding to mobile does not work",
        ),
        ("{ci}: trunk {n} down",),
    ),
    Service(
        "Data Warehouse",
        4,
        0,
        "Database",
        ("Load", "Report"),
        DATA,
        0.15,
        ("dwh-prod", "dwh-etl"),
        (
            "Sales report shows figures of yesterday",
            "Dashboard of {team} empty",
            "Query on {ci} takes over {n} hours",
            "Figures of {place} counted twice",
        ),
        ("{ci}: nightly load {n} h late", "{ci}: load step {n} failed"),
    ),
)

APPLICATION_NAMES = ("ERP", "the portal", "the intranet", "the time sheet", "the CRM", "the archive", "the wiki")
DEPARTMENTS = ("Sales", "Finance", "Purchasing", "Logistics", "Legal", "Marketing", "Human Resources")
LOCATIONS = {"Berlin": 38, "Hamburg": 20, "Leipzig Plant": 18, "Munich": 12, "Home office": 12}
