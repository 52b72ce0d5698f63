-- measure: contact
-- title:   One update, not reopened
-- source:  ServiceNow, First Call Resolution metric, Case Report form, servicenow.com/docs: one update, not reopened, never awaiting information
-- Entries at one instant are one update; what follows the resolution is not counted.
select
    i.key,
    (min(events.happened_at) = max(events.happened_at) and coalesce(i.reopen_count, 0) = 0 and count(*) filter (
        where events.kind = 'held'
    ) = 0)::bigint as value
from chosen as i
join told as events
    on i.key = events.key
where i.resolution_basis is not null
    and events.kind <> 'opened'
    and events.happened_at <= coalesce(i.first_resolved_at, i.resolved_at)
    and i.source in (select source from told where kind = 'state')
group by
    i.key,
    i.reopen_count;
