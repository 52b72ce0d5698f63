-- measure: resolve
-- title:   Created → last resolve
-- source:  Zendesk, Full resolution time, support.zendesk.com article 4408834848154: creation to the most recent time that it was solved
-- Counts what is open again, too, and children of a parent.
select
    i.key,
    date_diff('second', i.opened_at, greatest(i.resolved_at, i.last_resolved_at))::bigint as value
from chosen as i
where greatest(i.resolved_at, i.last_resolved_at) >= i.opened_at;
