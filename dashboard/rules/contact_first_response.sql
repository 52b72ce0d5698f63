-- measure: contact
-- title:   Resolved by first reply
-- source:  Freshdesk, First Call Resolution, community.freshworks.com topic 10470: resolved or closed in the first response
-- The first thing that a person does resolves it.
select
    i.key,
    (min(events.happened_at) filter (
        where events.actor_kind = 'person'
            and not events.is_callers
    ) >= i.first_resolved_at)::bigint as value
from chosen as i
join told as events
    on i.key = events.key
where events.kind <> 'opened'
    and i.first_resolved_at is not null
group by
    i.key,
    i.first_resolved_at
having count(*) filter (
    where events.actor_kind = 'person'
        and not events.is_callers
) > 0;
