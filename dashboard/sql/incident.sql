-- One row: the incident, its instants in the reporting zone.
select
    * replace (
        (occurred_at at time zone 'UTC' at time zone $zone)::timestamp as occurred_at,
        (opened_at at time zone 'UTC' at time zone $zone)::timestamp as opened_at,
        (assigned_at at time zone 'UTC' at time zone $zone)::timestamp as assigned_at,
        (acknowledged_at at time zone 'UTC' at time zone $zone)::timestamp as acknowledged_at,
        (first_resolved_at at time zone 'UTC' at time zone $zone)::timestamp as first_resolved_at,
        (resolved_at at time zone 'UTC' at time zone $zone)::timestamp as resolved_at,
        (closed_at at time zone 'UTC' at time zone $zone)::timestamp as closed_at,
        (updated_at at time zone 'UTC' at time zone $zone)::timestamp as updated_at,
        (deleted_at_source at time zone 'UTC' at time zone $zone)::timestamp as deleted_at_source
    )
from main.incidents
where source = $source
    and incident_id = $incident_id;
