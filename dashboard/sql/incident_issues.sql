-- One row per odd thing about the incident.
select
    rule,
    field,
    value,
    message
from main.data_issues
where source = $source
    and incident_id = $incident_id
order by
    rule,
    field,
    value;
