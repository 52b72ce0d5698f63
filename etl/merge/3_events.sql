-- One row per distinct event that the source's history tells.
create or replace temp table fresh_events as
select
    $source as source,
    staged_events.*
from staged_events
anti join store.events as events
    on events.source = $source
    and events.incident_key = staged_events.incident_key
    and events.event_id = staged_events.event_id
qualify row_number() over (
    partition by incident_key, event_id
    order by sequence, actor, from_value, to_value
) = 1;

insert into store.events by name
select * from fresh_events;
