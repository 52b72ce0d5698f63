"""Which KPIs are out of the ordinary, and which changes are known: the histories behind the control charts."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from dashboard.query import Scope, Warehouse


class KnownChange(NamedTuple):
    """A change that the configuration names."""

    day: date
    text: str
    splits: bool
    """What came before it is no yardstick, and all that is looked at is of the part that it concerns."""


def known_changes(warehouse: Warehouse, scope: Scope) -> list[KnownChange]:
    """Give the known changes that concern any of what the scope's filters leave, in order of time.

    One that concerns a part only splits no baseline of the whole.
    """
    found = []
    for row in warehouse.stored("annotations").iter_rows(named=True):
        chosen = {name: set(alternatives) for name, alternatives in scope.where}
        parts = {name: set(row[name]) for name in row if isinstance(row[name], list)}
        if any(name in chosen and not chosen[name] & members for name, members in parts.items()):
            continue
        is_all_of_it = all(name in chosen and chosen[name] <= members for name, members in parts.items())
        found.append(KnownChange(row["annotated_on"], row["text"], row["splits_baseline"] and is_all_of_it))
    return found
