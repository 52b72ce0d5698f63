-- One row per source, field and day on which far more was stamped than on busy days, and within few minutes.
with
-- Read twice, each time no more of it than is asked for.
stamped as not materialized (
    select
        source,
        'resolved_at' as field,
        resolved_on as day,
        resolved_at as happened_at
    from main.incidents
    where excluded_as is null
        and resolved_on is not null
    union all
    select
        source,
        'closed_at' as field,
        closed_on as day,
        closed_at as happened_at
    from main.incidents
    where excluded_as is null
        and closed_on is not null
),
days as (
    select
        source,
        field,
        day,
        count(*) as n
    from stamped
    group by
        source,
        field,
        day
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
        count(distinct date_trunc('minute', stamped.happened_at)) as minutes
    from full_days
    join stamped
        on full_days.source = stamped.source
        and full_days.field = stamped.field
        and full_days.day = stamped.day
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
