-- One row per source and week with openings.
select
    source,
    date_trunc('week', opened_on)::date as monday,
    count(*) as openings
from main.incidents
group by
    source,
    monday
order by
    source,
    monday;
