-- measure: acknowledge
-- title:   First action of a person
-- source:  Zendesk, First reply time, support.zendesk.com article 4408834848154: ticket creation to the first public agent reply; here the first entry of a person who is not the caller
-- Dispatching counts, too.
select
    i.key,
    min(date_diff('second', i.opened_at, events.happened_at))::bigint as value
from chosen as i
join told as events
    on i.key = events.key
where events.kind <> 'opened'
    and events.actor_kind = 'person'
    and not events.is_callers
    and events.happened_at >= i.opened_at
group by i.key;
