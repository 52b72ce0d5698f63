-- One row per source and day on which any incident was opened.
select
    source,
    opened_on as day,
    count(*) as incidents,
    count(*) filter (where excluded_as is not null) as excluded,
    max(opened_at) as newest_opened_at
from main.incidents
group by
    source,
    opened_on
order by
    source,
    day;
