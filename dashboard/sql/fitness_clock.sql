-- One row per source, priority and field of the clock: for how many it is known, and for how many on the full hour.
with
counted as (
    select
        source,
        priority,
        count(*) as incidents,
        [
            count(opened_at),
            count(acknowledged_at),
            count(resolved_at),
            count(closed_at)
        ] as known,
        [
            count(*) filter (where opened_at = date_trunc('hour', opened_at)),
            count(*) filter (where acknowledged_at = date_trunc('hour', acknowledged_at)),
            count(*) filter (where resolved_at = date_trunc('hour', resolved_at)),
            count(*) filter (where closed_at = date_trunc('hour', closed_at))
        ] as full_hours
    from main.incidents
    where excluded_as is null
        and resolution_basis is not null
    group by
        source,
        priority
)
select
    source,
    priority,
    unnest(['opened_at', 'acknowledged_at', 'resolved_at', 'closed_at']) as field,
    incidents::bigint as incidents,
    unnest(known)::bigint as known,
    unnest(full_hours)::bigint as full_hours
from counted
order by
    source,
    priority,
    field;
