-- One row per row that did not get in.
select
    source,
    file,
    line,
    incident_id,
    field,
    value,
    reason,
    raw::varchar as raw,
    rejected_at
from main.rejected_rows
where $source::varchar is null
    or source = $source
order by
    source,
    file,
    line
limit $limit;
