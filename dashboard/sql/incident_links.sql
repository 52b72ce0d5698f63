-- One row per incident of another tool that counts together with this one.
select distinct
    joined_source,
    joined_incident_id,
    counted_source,
    counted_incident_id,
    taken,
    (own_opened_at at time zone 'UTC' at time zone $zone)::timestamp as opened_at,
    (own_acknowledged_at at time zone 'UTC' at time zone $zone)::timestamp as acknowledged_at,
    (own_resolved_at at time zone 'UTC' at time zone $zone)::timestamp as resolved_at
from main.incident_links
where verdict = 'joined'
    and (
        (joined_source = $source and joined_incident_id = $incident_id)
        or (counted_source = $source and counted_incident_id = $incident_id)
    )
order by
    joined_source,
    joined_incident_id;
