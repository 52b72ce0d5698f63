"""What would be there if less were asked for: the fewest conditions that, taken away, leave incidents to show."""

from __future__ import annotations

from typing import Any, NamedTuple

from dashboard import query
from dashboard.query import Scope, Warehouse

PERIOD = "period"
"""The name of the condition that an incident was opened on one of the days asked for."""


class Way(NamedTuple):
    """Conditions to take away, none of them in vain, and how many incidents then were opened."""

    conditions: tuple[str, ...]
    n: int


def ways_out(warehouse: Warehouse, scope: Scope) -> list[Way]:
    """Find every smallest set of conditions that keeps all incidents out, those of few conditions and many incidents first.

    Returns:
        One way without a condition if nothing keeps them out; none at all where there is no incident whatever is asked.
    """
    tests: dict[str, str] = {}
    bound: dict[str, Any] = {}
    for place, (column, alternatives) in enumerate(scope.where):
        one = query.condition(warehouse, column, alternatives, f"of_{place}")
        tests[column] = one.text
        bound |= one.values
    if scope.since is not None and scope.until is not None:
        tests[PERIOD] = "i.opened_on between $since and $until"
        bound |= {"since": scope.since, "until": scope.until}
    names = [f"fails_{place}" for place in range(len(tests))]
    listed = "".join(
        f"    not coalesce({test}, false) as {name},\n" for name, test in zip(names, tests.values(), strict=True)
    )
    grouped = f"group by\n    {', '.join(names)}\n" if names else ""
    counted = warehouse.frame(
        f"select\n{listed}    kpi.incident_volume(i)::bigint as n\nfrom main.incidents as i\n{grouped}", bound
    )
    failed = {
        frozenset(column for column, fails in zip(tests, row, strict=False) if fails): row[-1]
        for row in counted.iter_rows()
        if row[-1]
    }
    smallest = [one for one in failed if not any(other < one for other in failed)]
    ways = [
        Way(
            tuple(column for column in tests if column in one),
            sum(n for other, n in failed.items() if other <= one),
        )
        for one in smallest
    ]
    return sorted(ways, key=lambda way: (len(way.conditions), -way.n, way.conditions))
