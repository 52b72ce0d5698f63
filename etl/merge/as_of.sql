-- The greatest stamp among the staged rows that does not lie after the file was fetched.
select max(stamp)
from (
    select unnest([opened_at, acknowledged_at, resolved_at, closed_at, updated_at]) as stamp
    from staged_versions
    union all
    select max(happened_at) filter (where happened_at <= $fetched_at)
    from staged_snapshots
    union all
    select max(happened_at) filter (where happened_at <= $fetched_at)
    from staged_events
)
where stamp <= $fetched_at;
