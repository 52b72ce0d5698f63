-- One row: what a number counted at this day leaves out, and what is odd in it.
select
    count(*) filter (where i.excluded_as = 'cancelled') as excluded_cancelled,
    count(*) filter (where i.excluded_as = 'duplicate') as excluded_duplicate,
    count(*) filter (where i.excluded_as = 'test') as excluded_test,
    count(*) filter (where i.excluded_as = 'deleted') as excluded_deleted,
    count(*) filter (where i.excluded_as is null and i.resolved_with_parent) as with_parent,
    count(*) filter (where i.excluded_as is null and i.is_auto_resolved) as auto_resolved,
    count(*) filter (
        where i.excluded_as is null
            and i.resolution_basis = 'closed'
            and i.seconds_to_resolve is null
    ) as closed_without_resolving,
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_at is not null
            and i.seconds_to_resolve is null
    ) as without_duration,
    count(*) filter (
        where i.excluded_as is null
            and i.first_contact_resolved
            and i.is_auto_resolved is not true
            and i.seconds_to_resolve > 3600
    ) as first_contact_over_1_hour,
    count(*) filter (
        where i.excluded_as is null
            and i.first_contact_resolved
            and i.is_auto_resolved is not true
            and i.seconds_to_resolve > 86400
    ) as first_contact_over_24_hours,
    count(*) filter (
        where i.excluded_as is null
            and i.state in ('new', 'in_progress', 'on_hold')
    ) as still_open,
    count(*) filter (
        where i.excluded_as is null
            and i.state in ('new', 'in_progress', 'on_hold')
            and i.sla_met = false
    ) as open_and_breached
from main.incidents as i
where ($since::date is null or coalesce(i.counted_on, i.opened_on) >= $since)
    and ($until::date is null or coalesce(i.counted_on, i.opened_on) <= $until)
    -- and the filters
;
