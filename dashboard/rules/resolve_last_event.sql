-- measure: resolve
-- title:   Alert start → last event
-- source:  Four Keys, github.com/dora-team/fourkeys, incidents: from the earliest known beginning to the latest entry
-- Any last entry ends it, an automatic closing or a late comment, too; where the impact's beginning is known, it counts from there.
select
    i.key,
    date_diff('second', coalesce(i.occurred_at, i.opened_at), i.last_event_at)::bigint as value
from chosen as i
where i.state in ('resolved', 'closed')
    and i.last_event_at >= coalesce(i.occurred_at, i.opened_at);
