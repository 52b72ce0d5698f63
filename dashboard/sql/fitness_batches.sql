-- One row per source, field and day on which far more was stamped than on busy days, and within few minutes.
with
days as (
    select
        source,
        'resolved_at' as field,
        resolved_on as day,
        count(*) as n
    from main.incidents
    where excluded_as is null
        and resolved_on is not null
    group by
        source,
        resolved_on
    union all
    select
        source,
        'closed_at' as field,
        closed_on as day,
        count(*) as n
    from main.incidents
    where excluded_as is null
        and closed_on is not null
    group by
        source,
        closed_on
),
busy as (
    select
        source,
        field,
        quantile_cont(n, 0.9) as n
    from days
    group by
        source,
        field
),
full_days as materialized (
    select
        days.source,
        days.field,
        days.day,
        days.n,
        busy.n as busy_day
    from days
    join busy
        on days.source = busy.source
        and days.field = busy.field
    where days.n >= 100
        and days.n > 4 * busy.n
),
-- Minutes are counted on these days only.
minutes as (
    select
        full_days.source,
        full_days.field,
        full_days.day,
        count(distinct date_trunc('minute', i.resolved_at)) as minutes
    from full_days
    join main.incidents as i
        on full_days.source = i.source
        and full_days.day = i.resolved_on
    where full_days.field = 'resolved_at'
        and i.excluded_as is null
    group by
        full_days.source,
        full_days.field,
        full_days.day
    union all
    select
        full_days.source,
        full_days.field,
        full_days.day,
        count(distinct date_trunc('minute', i.closed_at)) as minutes
    from full_days
    join main.incidents as i
        on full_days.source = i.source
        and full_days.day = i.closed_on
    where full_days.field = 'closed_at'
        and i.excluded_as is null
    group by
        full_days.source,
        full_days.field,
        full_days.day
)
select
    full_days.source,
    full_days.field,
    full_days.day,
    full_days.n::bigint as n,
    minutes.minutes::bigint as minutes,
    full_days.busy_day::double as busy_day
from full_days
join minutes
    on full_days.source = minutes.source
    and full_days.field = minutes.field
    and full_days.day = minutes.day
where full_days.n >= 10 * minutes.minutes
order by
    full_days.n desc,
    full_days.source,
    full_days.field,
    full_days.day;
