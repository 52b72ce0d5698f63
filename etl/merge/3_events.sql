-- One row per distinct event that the source's history tells.
-- Of two that have one id and differ, the same one stays whichever came first.
create or replace temp table arrived_events as
select *
from staged_events
qualify row_number() over (
    partition by incident_key, event_id
    order by
        happened_at,
        sequence,
        kind,
        coalesce(from_value, ''),
        coalesce(to_value, ''),
        coalesce(hold_reason, ''),
        coalesce(actor, ''),
        actor_kind,
        coalesce(assignment_group, '')
) = 1;

create or replace temp table fresh_events as
select
    $source as source,
    arrived.*
from arrived_events as arrived
left join store.events as events
    on events.source = $source
    and events.incident_key = arrived.incident_key
    and events.event_id = arrived.event_id
where events.event_id is null
    or (
        arrived.happened_at,
        arrived.sequence,
        arrived.kind,
        coalesce(arrived.from_value, ''),
        coalesce(arrived.to_value, ''),
        coalesce(arrived.hold_reason, ''),
        coalesce(arrived.actor, ''),
        arrived.actor_kind,
        coalesce(arrived.assignment_group, '')
    ) < (
        events.happened_at,
        events.sequence,
        events.kind,
        coalesce(events.from_value, ''),
        coalesce(events.to_value, ''),
        coalesce(events.hold_reason, ''),
        coalesce(events.actor, ''),
        events.actor_kind,
        coalesce(events.assignment_group, '')
    );

delete from store.events as events
using fresh_events as fresh
where events.source = $source
    and events.incident_key = fresh.incident_key
    and events.event_id = fresh.event_id;

insert into store.events by name
select * from fresh_events;
