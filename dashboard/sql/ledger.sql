-- One row per period, group and part of the resolved incidents' time: together they are all of their seconds to resolve.
-- Those resolved in earlier days, too, if any are named; of these without periods.
with
counted as materialized (
    select
        i.source,
        i.incident_id,
        coalesce(i.resolved_on < $since::date, false) as is_before,
        case when not is_before then date_trunc($grain::varchar, i.resolved_on)::date end as period
    from main.incidents as i
    where i.excluded_as is null
        and i.resolved_with_parent is not true
        and i.seconds_to_resolve is not null
        and (
            $since::date is null
            or i.resolved_on >= $since
            or i.resolved_on between $before_since and $before_until
        )
        and ($since::date is null or i.resolved_on >= least($since::date, $before_since::date))
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
summed as (
    select
        counted.is_before,
        counted.period,
        stretches.assignment_group,
        case
            when stretches.kind = 'on_hold' then 'on_hold_' || coalesce(stretches.hold_reason, 'unknown')
            when stretches.kind = 'unexplained' and late.incident_id is not null then 'unexplained_late'
            when stretches.kind = 'unexplained' then 'unexplained_no_history'
            else stretches.kind
        end as part,
        stretches.business_seconds is not null as has_calendar,
        sum(date_diff('second', stretches.from_at, stretches.until_at)) as seconds,
        sum(stretches.business_seconds) as business_seconds
    from counted
    join store.segments as stretches
        on counted.source = stretches.source
        and counted.incident_id = stretches.incident_id
        -- Of other days none need be looked at.
        and ($since::date is null or stretches.resolved_on >= least($since::date, $before_since::date))
        and ($until::date is null or stretches.resolved_on <= $until)
    left join late
        on stretches.kind = 'unexplained'
        and counted.source = late.source
        and counted.incident_id = late.incident_id
    group by
        counted.is_before,
        counted.period,
        stretches.assignment_group,
        part,
        has_calendar
)
select
    is_before,
    period,
    assignment_group,
    part,
    sum(seconds)::bigint as seconds
from (
    select
        is_before,
        period,
        assignment_group,
        'waiting_in_hours' as part,
        business_seconds as seconds
    from summed
    where part = 'waiting'
        and has_calendar
    union all
    select
        is_before,
        period,
        assignment_group,
        'waiting_out_of_hours' as part,
        seconds - business_seconds as seconds
    from summed
    where part = 'waiting'
        and has_calendar
    union all
    select
        is_before,
        period,
        assignment_group,
        part,
        seconds
    from summed
    where part <> 'waiting'
        or not has_calendar
)
group by
    is_before,
    period,
    assignment_group,
    part
having sum(seconds) > 0
order by
    is_before,
    period,
    assignment_group,
    part;
