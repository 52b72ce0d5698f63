-- One row per source and day on which any incident was opened.
select
    source,
    day,
    incidents,
    excluded
from store.openings
order by
    source,
    day;
