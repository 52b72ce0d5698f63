-- The greatest plausible stamp among the staged rows: none after the file was fetched.
select max(stamp)
from (
    select unnest([
        acknowledged_at,
        resolved_at,
        closed_at,
        updated_at,
        -- Nothing happens to an incident before it is opened: an opening after all else is a mistake, not the latest news.
        case
            when opened_at > greatest(acknowledged_at, resolved_at, closed_at, updated_at) then null
            else opened_at
        end
    ]) as stamp
    from staged_versions
    union all
    select max(happened_at) filter (where happened_at <= $fetched_at)
    from staged_snapshots
    union all
    select max(happened_at) filter (where happened_at <= $fetched_at)
    from staged_events
)
where stamp <= $fetched_at;
