-- One row per stretch of days at whose ends an incident was open, with what it is split by; `until_day` is the first day
-- without it.
delete from store.open_spans as spans
using keys
where spans.source = keys.source
    and spans.incident_id = keys.incident_id;

create or replace temp table reopened as
select clocks.key
from clocks
semi join lives
    on clocks.key = lives.key
where clocks.reopened_at is not null;

insert into store.open_spans by name
select
    judged.source,
    judged.incident_id,
    (stretches.from_at at time zone 'UTC' at time zone zone.value)::date as from_day,
    (stretches.until_at at time zone 'UTC' at time zone zone.value)::date as until_day,
    judged.excluded_as,
    judged.state,
    judged.priority,
    judged.assignment_group,
    judged.services[1] as service,
    judged.services,
    judged.category,
    judged.subcategory,
    judged.configuration_item,
    judged.channel,
    judged.location,
    judged.tags,
    judged.is_major,
    judged.opened_at
from (
    -- Reopened: not between a resolution and its reopening.
    select
        keys.key,
        segments.from_at,
        segments.until_at
    from store.segments as segments
    join keys
        on segments.source = keys.source
        and segments.incident_id = keys.incident_id
    semi join reopened
        on keys.key = reopened.key
    where segments.kind <> 'resolved'
    union all
    select
        clocks.key,
        clocks.opened_at as from_at,
        least(
            clocks.deleted_at_source,
            case
                when clocks.state in ('new', 'in_progress', 'on_hold') then null
                else coalesce(clocks.resolved_at, cancelled.cancelled_at, clocks.closed_at, clocks.opened_at)
            end
        ) as until_at
    from clocks
    left join (
        select
            key,
            max(happened_at) as cancelled_at
        from happenings
        where kind = 'cancelled'
        group by key
    ) as cancelled
        on clocks.key = cancelled.key
    anti join reopened
        on clocks.key = reopened.key
) as stretches
join judged
    on stretches.key = judged.key
cross join (select value from store.settings where name = 'reporting_timezone') as zone
where stretches.until_at is null
    or stretches.until_at >= stretches.from_at;
