-- measure: contact
-- title:   At most one agent reply
-- source:  Zendesk, One-touch tickets, support.zendesk.com article 4408820618266: solved with fewer than two agent replies
-- Only sources that tell comments can be judged.
select
    i.key,
    (count(events.key) < 2)::bigint as value
from chosen as i
left join told as events
    on i.key = events.key
    and events.kind = 'commented'
    and events.actor_kind = 'person'
    and not events.is_callers
where i.resolution_basis is not null
    and i.source in (select source from told where kind = 'commented')
group by i.key;
