-- One row: the incident.
select *
from main.incidents
where source = $source
    and incident_id = $incident_id;
