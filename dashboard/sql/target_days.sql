-- One row per day: how many incidents a KPI counts, what they add, and what a target of it is judged by.
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
added as (
    select
        i.day,
        kpi.each(i) as x
    from counted as i
),
judged as (
    select
        i.day,
        i.x,
        (
            -- and the scale
        )::bigint as y
    from added as i
    where i.x is not null
)
select
    day,
    count(*)::bigint as n,
    sum(x)::double as x,
    sum(y)::double as y,
    sum(y * y)::double as yy
from judged
group by day
order by day;
