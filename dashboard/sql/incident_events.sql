-- One row per event of the incident, in order.
select
    (happened_at at time zone 'UTC' at time zone $zone)::timestamp as happened_at,
    kind,
    from_value,
    to_value,
    hold_reason,
    actor,
    actor_kind,
    assignment_group
from main.incident_events
where source = $source
    and incident_id = $incident_id
order by
    sequence,
    event_id;
