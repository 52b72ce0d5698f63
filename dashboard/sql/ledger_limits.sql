-- One row per part and one per group of the resolved incidents' time, with the sums over days that intervals are made of.
with
counted as materialized (
    select
        i.rowid as key,
        i.source,
        i.incident_id,
        i.resolved_on as day
    from main.incidents as i
    where i.excluded_as is null
        and i.resolved_with_parent is not true
        and i.seconds_to_resolve is not null
        and ($since::date is null or i.resolved_on >= $since)
        and ($until::date is null or i.resolved_on <= $until)
        -- and the filters
),
late as (
    select distinct
        source,
        incident_id
    from main.data_issues
    where rule = 'history_begins_late'
),
told as materialized (
    select
        counted.key,
        counted.day,
        stretches.assignment_group,
        case
            when stretches.kind = 'on_hold' then 'on_hold_' || coalesce(stretches.hold_reason, 'unknown')
            when stretches.kind = 'unexplained' and late.incident_id is not null then 'unexplained_late'
            when stretches.kind = 'unexplained' then 'unexplained_no_history'
            when stretches.kind = 'waiting' and stretches.business_seconds is not null then 'waiting_in_hours'
            else stretches.kind
        end as part,
        date_diff('second', stretches.from_at, stretches.until_at) as seconds,
        case when part = 'waiting_in_hours' then seconds - stretches.business_seconds else 0 end as out_of_hours
    from counted
    join store.segments as stretches
        on counted.source = stretches.source
        and counted.incident_id = stretches.incident_id
        -- Of other days none need be looked at.
        and ($since::date is null or stretches.resolved_on >= $since)
        and ($until::date is null or stretches.resolved_on <= $until)
    left join late
        on stretches.kind = 'unexplained'
        and counted.source = late.source
        and counted.incident_id = late.incident_id
),
by_incident as (
    select
        'part' as dimension,
        part as member,
        key,
        day,
        sum(seconds - out_of_hours) as x
    from told
    group by
        part,
        key,
        day
    union all by name
    select
        'part' as dimension,
        'waiting_out_of_hours' as member,
        key,
        day,
        sum(out_of_hours) as x
    from told
    where part = 'waiting_in_hours'
    group by
        key,
        day
    union all by name
    select
        'group' as dimension,
        assignment_group as member,
        key,
        day,
        sum(seconds) as x
    from told
    group by
        assignment_group,
        key,
        day
),
by_day as materialized (
    select
        dimension,
        member,
        day,
        sum(x) as s,
        sum(x::hugeint * x::hugeint) as x2,
        sum(x::hugeint * x::hugeint * x::hugeint) as x3
    from by_incident
    group by
        dimension,
        member,
        day
),
days as materialized (
    select
        counted.day,
        counted.n,
        wholes.w
    from (select day, count(*) as n from counted group by day) as counted
    join (select day, sum(s) as w from by_day where dimension = 'part' group by day) as wholes
        on counted.day = wholes.day
)
select
    by_day.dimension,
    by_day.member,
    wholes.n,
    wholes.days,
    wholes.nn,
    wholes.w,
    wholes.ww,
    sum(by_day.s)::double as s,
    sum(by_day.x2)::double as x2,
    sum(by_day.x3)::double as x3,
    sum(by_day.s::hugeint * by_day.s::hugeint)::double as ss,
    sum(by_day.s::hugeint * days.n)::double as sn,
    sum(by_day.s::hugeint * days.w::hugeint)::double as sw
from by_day
join days
    on by_day.day = days.day
cross join (
    select
        sum(n)::bigint as n,
        count(*)::double as days,
        sum(n::hugeint * n)::double as nn,
        sum(w)::double as w,
        sum(w::hugeint * w::hugeint)::double as ww
    from days
) as wholes
group by
    by_day.dimension,
    by_day.member,
    wholes.n,
    wholes.days,
    wholes.nn,
    wholes.w,
    wholes.ww
having sum(by_day.s) > 0
order by
    by_day.dimension,
    s desc,
    by_day.member;
