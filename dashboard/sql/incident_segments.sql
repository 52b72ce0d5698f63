-- One row per stretch of the incident's life, in order.
select
    (from_at at time zone 'UTC' at time zone $zone)::timestamp as from_at,
    (until_at at time zone 'UTC' at time zone $zone)::timestamp as until_at,
    kind,
    hold_reason,
    assignment_group,
    seconds
from main.incident_segments
where source = $source
    and incident_id = $incident_id
order by from_at;
