-- One row per source and reason.
select
    source,
    field,
    value,
    reason,
    count(*)::bigint as n,
    min(file) as file,
    min(line) as line
from main.rejected_rows
group by
    source,
    field,
    value,
    reason
order by
    n desc,
    source,
    reason;
