"""The members of columns: what one can filter by, and what no incident has."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.query.rows import lines
from dashboard.query.scope import MANY_VALUED, Scope, column, filters_of, nearest
from dashboard.query.warehouse import Warehouse


def options(warehouse: Warehouse, column_name: str) -> list[tuple[str | None, int]]:
    """Give a column's members with their counts, most frequent first; None stands for those without one."""
    quoted = column(warehouse, "incidents", column_name)
    member = f"unnest(list_distinct({quoted}))" if column_name in MANY_VALUED else quoted
    query = f"""
select
    member::varchar as member,
    n
from (select {member} as member, count(*) as n from main.incidents group by 1)
order by
    n desc,
    member
"""
    return [(member, n) for member, n in warehouse.frame(query).iter_rows()]


def choices(warehouse: Warehouse) -> dict[str, list[str | None]]:
    """Give the members of the columns that everything is filtered by, most frequent first; None: incidents without one."""
    found: dict[str, list[str | None]] = {}
    for dimension, member in warehouse.stored("members").iter_rows():
        found.setdefault(dimension, []).append(member)
    return found


def filled(warehouse: Warehouse, names: Sequence[str]) -> list[str]:
    """Choose the columns that any incident has a value in."""
    there = {name: f'"{name}" is not null' for name in names}
    there |= {name: f'len("{name}") > 0' for name in names if warehouse.columns["incidents"][name].endswith("[]")}
    asked = [f'exists(select 1 from main.incidents where {test}) as "{name}"' for name, test in there.items()]
    found = warehouse.frame(f"select {lines(asked)}").row(0, named=True)
    return [name for name in names if found[name]]


def unmatched(warehouse: Warehouse, scope: Scope) -> list[str]:
    """Say which of a scope's values no incident has at all, and which there are: a misspelt one would read as zero."""
    said = []
    for name, alternatives in scope.where:
        type_ = warehouse.columns["incidents"].get(name)
        for value in alternatives if type_ else ():
            filtered = filters_of(warehouse, "incidents", Scope(where=((name, (value,)),)))
            if (
                value is None
                or warehouse.frame(
                    f"select 1 from main.incidents as i where true {filtered.text} limit 1", filtered.values
                ).height
            ):
                continue
            known = [member for member, _ in options(warehouse, name) if member is not None]
            told = nearest(value, known) or (f"; there are {', '.join(known)}" if 0 < len(known) <= 20 else "")
            said.append(f"no incident has {name} '{value}'{told}")
    return said
