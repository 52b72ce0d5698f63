-- One row per source, priority and field of the clock: for how many it is known, and for how many on the full hour.
select
    source,
    priority,
    field,
    count(*)::bigint as incidents,
    count(stamp)::bigint as known,
    count(*) filter (where stamp = date_trunc('hour', stamp))::bigint as full_hours
from (
    select
        source,
        priority,
        unnest(['opened_at', 'acknowledged_at', 'resolved_at', 'closed_at']) as field,
        unnest([opened_at, acknowledged_at, resolved_at, closed_at]) as stamp
    from main.incidents
    where excluded_as is null
        and resolution_basis is not null
)
group by
    source,
    priority,
    field
order by
    source,
    priority,
    field;
