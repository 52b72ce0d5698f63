-- One row per source, field and day on which far more was stamped than on busy days, and within few minutes.
with
stamps as (
    select
        source,
        field,
        stamp,
        (stamp at time zone 'UTC' at time zone $zone)::date as day
    from (
        select
            source,
            unnest(['resolved_at', 'closed_at']) as field,
            unnest([resolved_at, closed_at]) as stamp
        from main.incidents
        where excluded_as is null
    )
    where stamp is not null
),
days as (
    select
        source,
        field,
        day,
        count(*) as n,
        count(distinct date_trunc('minute', stamp)) as minutes
    from stamps
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
)
select
    days.source,
    days.field,
    days.day,
    days.n::bigint as n,
    days.minutes::bigint as minutes,
    busy.n::double as busy_day
from days
join busy
    on days.source = busy.source
    and days.field = busy.field
where days.n >= 100
    and days.n > 4 * busy.n
    and days.n >= 10 * days.minutes
order by
    days.n desc,
    days.source,
    days.field,
    days.day;
