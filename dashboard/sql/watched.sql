-- One row per period: how many incidents each KPI counts, and the sums of what they add.
-- By day first: to find the period of a day is dear, and there are few days.
with
counted as (
    select
        i.counted_on as day
        -- and what is read
    from main.incidents as i
    where i.counted_on >= $since
        and i.counted_on <= $until
        -- and the filters
),
daily as (
    select
        i.day
        -- and the sums of a day
    from counted as i
    group by i.day
)
select
    date_trunc($grain, i.day)::date as since
    -- and their sums
from daily as i
group by since
order by since;
