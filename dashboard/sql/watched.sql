-- One row per period: how many incidents each KPI counts, and the sums of what they add.
with counted as (
    select
        date_trunc($grain, i.counted_on)::date as since
        -- and what is read
    from main.incidents as i
    where i.counted_on >= $since
        and i.counted_on <= $until
        -- and the filters
)
select
    i.since
    -- and the sums
from counted as i
group by i.since
order by i.since;
