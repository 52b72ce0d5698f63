-- measure: resolve
-- title:   Created → last resolve
-- source:  Zendesk, Full resolution time, support.zendesk.com article 4408834848154: creation to the most recent time that it was solved
-- Counts what is open again, too, and children of a parent.
select
    i.key,
    date_diff('second', i.opened_at, greatest(i.resolved_at, events.resolved_at))::bigint as value
from chosen as i
left join (
    select
        key,
        max(happened_at) as resolved_at
    from told
    where kind = 'resolved'
    group by key
) as events
    on i.key = events.key
where greatest(i.resolved_at, events.resolved_at) >= i.opened_at;
