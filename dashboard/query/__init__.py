"""The only door to the numbers: pages, command line and reports ask here, and here alone.

Every value comes from a macro of the schema `kpi`; what is in here chooses rows, groups and days. Identifiers are checked
against the warehouse's own catalog, values are bound.
"""

from dashboard.query.answers import FEW, SETTLED, Members, Number, Point, numbers, trend, trends, values
from dashboard.query.comparisons import Change, by_member, changes, comparison, sides, two_periods
from dashboard.query.contributions import (
    Bin,
    Bounds,
    distribution,
    each,
    has_spread,
    most,
    spread,
)
from dashboard.query.lists import Incidents, extremes, incidents
from dashboard.query.members import choices, filled, options, unmatched
from dashboard.query.provenance import coverage, issues_by_rule, rejects, rejects_by_reason, runs, tables
from dashboard.query.rows import Rows, needed
from dashboard.query.scope import (
    MANY_VALUED,
    OTHERS,
    Days,
    QueryError,
    Scope,
    column,
    condition,
    extents,
    filtered,
    kpi,
    within,
)
from dashboard.query.surroundings import Beside, backlog_ages, beside, rhythm
from dashboard.query.warehouse import (
    MEMORY_MIB,
    SQL,
    Kpi,
    NoWarehouse,
    Warehouse,
    is_sample,
    latest_as_of,
    open_data,
    open_version,
    version,
)

__all__ = [
    "FEW",
    "MANY_VALUED",
    "MEMORY_MIB",
    "OTHERS",
    "SETTLED",
    "SQL",
    "Beside",
    "Bin",
    "Bounds",
    "Change",
    "Days",
    "Incidents",
    "Kpi",
    "Members",
    "NoWarehouse",
    "Number",
    "Point",
    "QueryError",
    "Rows",
    "Scope",
    "Warehouse",
    "backlog_ages",
    "beside",
    "by_member",
    "changes",
    "choices",
    "column",
    "comparison",
    "condition",
    "coverage",
    "distribution",
    "each",
    "extents",
    "extremes",
    "filled",
    "filtered",
    "has_spread",
    "incidents",
    "is_sample",
    "issues_by_rule",
    "kpi",
    "latest_as_of",
    "most",
    "needed",
    "numbers",
    "open_data",
    "open_version",
    "options",
    "rejects",
    "rejects_by_reason",
    "rhythm",
    "runs",
    "sides",
    "spread",
    "tables",
    "trend",
    "trends",
    "two_periods",
    "unmatched",
    "values",
    "version",
    "within",
]
