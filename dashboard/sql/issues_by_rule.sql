-- One row per source, rule and field, with an example.
select
    source,
    rule,
    field,
    count(distinct incident_id)::bigint as incidents,
    min_by(incident_id, incident_id) as example,
    min_by(value, incident_id) as value,
    min_by(message, incident_id) as message
from main.data_issues
group by
    source,
    rule,
    field
order by
    incidents desc,
    source,
    rule,
    field;
